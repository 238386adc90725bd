/* SPDX-License-Identifier: Apache-2.0 */
/* Traces are read as a whole, and what is wrong with one is said with row and column. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <zstd.h>

#include "core/object/model.h"
#include "models/guest/trace-reader.h"

#define HEAD "# iotrace v1 name=test\nicount,vns,kind,dir,addr,size,value,region\n"
#define TAIL "900,1900,note,-,0,0,0,POWEROFF\n"

static struct iov_trace *parse(const char *text, GError **error)
{
    g_autofree char *copy = g_strdup(text);

    return iov_trace_parse(copy, strlen(text), "test.csv", error);
}

static void expect_error(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    struct iov_trace *trace = parse(text, &error);

    cr_assert(eq(ptr, trace, NULL), "accepted: %s", text);
    cr_assert(eq(int, error->code, IOV_ERROR_CONFIG));
    cr_assert(eq(int, strcmp(error->message, message), 0), "%s", error->message);
}

Test(trace_reader, rows_become_accesses_interrupts_and_instructions)
{
    struct iov_trace *trace = parse(HEAD "10,20,pio,w,3f8,1,41,serial\n"
                                         "11,22,mmio,r,febc0008,4,80080783,e1000-mmio\n"
                                         "12,24,pio,r,cfc,2,103,pci-conf-data[e1000 00:01.0@0x4]\n"
                                         "13,26,ins,-,ffffffff8107e914,0,0,hlt\n"
                                         "14,99,irq,-,ffffffff81c00ef0,0,ec,idt\n" TAIL,
                                    NULL);

    cr_assert(ne(ptr, trace, NULL));
    cr_assert(eq(sz, trace->count, 6));
    cr_assert(eq(u64, trace->rows[0].address, 0x3f8));
    cr_assert(eq(u64, trace->rows[1].value, 0x80080783));
    cr_assert(eq(int, trace->rows[3].kind, IOV_TRACE_HLT));
    cr_assert(eq(u64, trace->rows[4].time_ns, 99));
    cr_assert(eq(uint, trace->region_count, 3));
    cr_assert(eq(int, strcmp(trace->regions[2], "pci-conf-data"), 0));
    iov_trace_free(trace);
}

Test(trace_reader, damaged_rows_are_named_with_row_and_column)
{
    static const struct {
        const char *row;
        const char *message;
    } cases[] = {
        { "x,1,pio,w,80,1,0,a\n", "test.csv:3: column 1 (icount): 'x' is not a decimal number" },
        { ",1,pio,w,80,1,0,a\n", "test.csv:3: column 1 (icount): '' is empty" },
        { "1,-5,pio,w,80,1,0,a\n", "test.csv:3: column 2 (vns): '-5' is not a decimal number" },
        { "1,99999999999999999999,pio,w,80,1,0,a\n",
          "test.csv:3: column 2 (vns): '99999999999999999999' is too large" },
        { "1,1,pi,w,80,1,0,a\n", "test.csv:3: column 3 (kind): 'pi' is not a kind of row" },
        { "1,1,pio,-,80,1,0,a\n", "test.csv:3: column 4 (dir): '-' is neither r nor w" },
        { "1,1,pio,w,8g,1,0,a\n", "test.csv:3: column 5 (addr): '8g' is not a hexadecimal number" },
        { "1,1,pio,w,10000,1,0,a\n", "test.csv:3: column 5 (addr): '10000' is not an I/O port" },
        { "1,1,pio,w,80,3,0,a\n", "test.csv:3: column 6 (size): '3' is not the size of an access" },
        { "1,1,pio,w,80,8,0,a\n", "test.csv:3: column 6 (size): '8' is not the size of an access" },
        { "1,1,pio,w,80,1,100,a\n",
          "test.csv:3: column 7 (value): '100' does not fit the size of the access" },
        { "1,1,irq,-,0,0,f,idt\n", "test.csv:3: column 7 (value): 'f' is not an interrupt vector" },
        { "1,1,ins,-,0,0,0,rdpmc\n",
          "test.csv:3: column 8 (region): 'rdpmc' is not an instruction of a trace" },
        { "1,1,pio,w,80,1\n",
          "test.csv:3: column 6 (size): '1' is the last field of a row that is cut short" },
        { "1,1,note,-,0,0,0,END_A\n",
          "test.csv:3: column 8 (region): 'END_A' ends a phase that has not begun" },
        { "5,5,pio,w,80,1,0,a\n4,6,pio,w,80,1,0,a\n",
          "test.csv:4: column 1 (icount): '4' is less than in the row before" },
        { "5,5,pio,w,80,1,0,a\n6,4,pio,w,80,1,0,a\n",
          "test.csv:4: column 2 (vns): '4' is less than in the row before" },
        { "1,1,note,-,0,0,0,BEGIN_A\n", "test.csv:4: the trace ends inside a phase" },
        { "1,1,note,-,0,0,0,POWEROFF\n", "test.csv:4: a row after POWEROFF" },
        { "1,1,ins,-,0,0,0,hlt\n1,1,gsi,-,4,0,1,ioapic\n2,2,pio,w,80,1,0,a\n",
          "test.csv:5: column 3 (kind): '' is executed while the processor is halted" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(HEAD, cases[i].row, TAIL, NULL);

        expect_error(text, cases[i].message);
    }
}

Test(trace_reader, what_is_no_trace_is_refused)
{
    expect_error("icount,vns\n",
                 "test.csv:1: this is not a trace: it does not begin with '# iotrace v1'");
    expect_error("# iotrace v1\nicount,vns\n",
                 "test.csv:2: the columns are not 'icount,vns,kind,dir,addr,size,value,region'");
    expect_error("", "test.csv:1: the trace ends here, without POWEROFF");
    expect_error(HEAD "1,1,pio,w,80,1,0,a\n", "test.csv:4: the trace ends here, without POWEROFF");
    expect_error(HEAD "1,1,pio,w,80", "test.csv:3: the last row is cut short");
}

static char *read_recording(gsize *ret_size)
{
    char *data = NULL;

    cr_assert(g_file_get_contents(IOV_SOURCE_DIR "/tests/data/traces/vblk.csv.zst", &data, ret_size,
                                  NULL));
    return data;
}

Test(trace_reader, a_file_cut_anywhere_is_an_error_that_names_a_row)
{
    gsize size;
    g_autofree char *data = read_recording(&size);

    for (gsize cut = 0; cut < size; cut += 1 + size / 50) {
        g_autoptr(GError) error = NULL;
        struct iov_trace *trace = iov_trace_read(data, cut, "cut", &error);

        cr_assert(eq(ptr, trace, NULL), "%zu bytes are accepted", cut);
        cr_assert(g_str_has_prefix(error->message, "cut:"));
    }
}

Test(trace_reader, a_changed_byte_is_an_error_that_names_a_row)
{
    gsize size;
    g_autofree char *data = read_recording(&size);

    for (gsize at = 0; at < size; at += 1 + size / 50) {
        g_autoptr(GError) error = NULL;
        struct iov_trace *trace;

        data[at] ^= 0x20;
        trace = iov_trace_read(data, size, "changed", &error);
        data[at] ^= 0x20;
        cr_assert(eq(ptr, trace, NULL), "byte %zu may be anything", at);
        cr_assert(g_str_has_prefix(error->message, "changed:"));
    }
}

Test(trace_reader, the_unit_count_stands_at_the_end_of_a_phase)
{
    cr_assert(eq(u64, iov_trace_phase_units("PING1000"), 1000));
    cr_assert(eq(u64, iov_trace_phase_units("RAND4K_QD16_2000"), 2000));
    cr_assert(eq(u64, iov_trace_phase_units("TCPTX8M"), 0));
    cr_assert(eq(u64, iov_trace_phase_units(""), 0));
}

Test(trace_reader, all_recordings_are_read)
{
    static const struct {
        const char *name;
        size_t rows;
        unsigned phases;
    } recordings[] = {
        { "e1000", 80277, 5 }, { "e1000_iommu_strict", 83317, 3 },
        { "vnet", 58490, 5 },  { "vnet_noevidx", 96924, 5 },
        { "vblk", 41397, 5 },  { "ahci", 65585, 5 },
        { "nvme", 46715, 5 },  { "ide_dma", 33478, 2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        g_autofree char *path =
            g_strdup_printf("%s/tests/data/traces/%s.csv.zst", IOV_SOURCE_DIR, recordings[i].name);
        g_autoptr(GError) error = NULL;
        struct iov_trace *trace = iov_trace_load(path, &error);

        cr_assert(ne(ptr, trace, NULL), "%s", error != NULL ? error->message : "");
        cr_expect(eq(sz, trace->count, recordings[i].rows), "%s", recordings[i].name);
        cr_expect(eq(uint, trace->phases->len, recordings[i].phases), "%s", recordings[i].name);
        iov_trace_free(trace);
    }
}

Test(trace_reader, a_file_that_is_not_there_is_an_error_of_files)
{
    g_autoptr(GError) error = NULL;

    cr_assert(eq(ptr, iov_trace_load("/nowhere/at/all", &error), NULL));
    cr_assert(eq(int, error->code, IOV_ERROR_FILE));
}
