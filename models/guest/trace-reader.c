/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a trace: unpack, split into rows, check every field and the order of rows. Files are the
 * user's: any byte may be wrong, and a packed file may claim any size.
 */
#include "models/guest/trace-reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "core/object/model.h"
#include "models/iommu/vtd-regs.h"

#define CHUNK (1u << 20)
#define INSTRUCTIONS_MAX UINT64_C(1000000000000)
#define TIME_NS_MAX UINT64_C(1000000000000000) /* 11 days */
#define FIRST_LINE "# iotrace v1"
#define COLUMNS "icount,vns,kind,dir,addr,size,value,region"

enum column {
    COLUMN_ICOUNT,
    COLUMN_VNS,
    COLUMN_KIND,
    COLUMN_DIR,
    COLUMN_ADDR,
    COLUMN_SIZE,
    COLUMN_VALUE,
    COLUMN_REGION,
    COLUMN_COUNT
};
static const char *const column_names[] = { "icount", "vns",  "kind",  "dir",
                                            "addr",   "size", "value", "region" };

struct parser {
    struct iov_trace *trace;
    const char *name;
    GError **error;
    size_t row; /* line of the file, from 1 */
    size_t room;
    bool begun;    /* the line with the columns was there */
    bool in_phase; /* between BEGIN and END */
    bool ended;    /* POWEROFF */
};

/* ---- Errors ---- */

static bool fail_column(const struct parser *parser, enum column column, const char *text,
                        const char *why)
{
    g_set_error(parser->error, IOV_ERROR, IOV_ERROR_CONFIG, "%s:%zu: column %u (%s): '%.40s' %s",
                parser->name, parser->row, (unsigned)column + 1, column_names[column], text, why);
    return false;
}

static bool fail_row(const struct parser *parser, const char *why)
{
    g_set_error(parser->error, IOV_ERROR, IOV_ERROR_CONFIG, "%s:%zu: %s", parser->name, parser->row,
                why);
    return false;
}

/* ---- Fields ---- */

static bool parse_number(const struct parser *parser, enum column column, const char *text,
                         unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (*text == '\0')
        return fail_column(parser, column, text, "is empty");
    for (const char *c = text; *c != '\0'; c++) {
        int digit = g_ascii_xdigit_value(*c);

        if (digit < 0 || (unsigned)digit >= base)
            return fail_column(parser, column, text,
                               base == 16 ? "is not a hexadecimal number"
                                          : "is not a decimal number");
        if (value > (UINT64_MAX - (unsigned)digit) / base)
            return fail_column(parser, column, text, "is too large");
        value = value * base + (unsigned)digit;
    }
    *ret_value = value;
    return true;
}

static bool parse_kind(const struct parser *parser, const char *kind, const char *region,
                       uint8_t *ret_kind)
{
    static const struct {
        const char *name;
        enum iov_trace_kind kind;
    } kinds[] = {
        { "pio", IOV_TRACE_PIO },    { "mmio", IOV_TRACE_MMIO },       { "msi", IOV_TRACE_MSI },
        { "msi_ir", IOV_TRACE_MSI }, { "irq", IOV_TRACE_IRQ },         { "gsi", IOV_TRACE_GSI },
        { "dev", IOV_TRACE_DEVICE }, { "dma_mmio", IOV_TRACE_DEVICE },
    };
    static const struct {
        const char *name;
        enum iov_trace_kind kind;
    } instructions[] = {
        { "hlt", IOV_TRACE_HLT },
        { "cpuid", IOV_TRACE_CPUID },
        { "rdmsr", IOV_TRACE_RDMSR },
        { "wrmsr", IOV_TRACE_WRMSR },
    };

    if (strcmp(kind, "note") == 0) {
        *ret_kind = g_str_has_prefix(region, "BEGIN_") ? IOV_TRACE_BEGIN
                    : g_str_has_prefix(region, "END_") ? IOV_TRACE_END
                                                       : IOV_TRACE_NOTE;
        return true;
    }
    if (strcmp(kind, "ins") == 0) {
        for (size_t i = 0; i < G_N_ELEMENTS(instructions); i++) {
            if (strcmp(region, instructions[i].name) == 0) {
                *ret_kind = (uint8_t)instructions[i].kind;
                return true;
            }
        }
        return fail_column(parser, COLUMN_REGION, region, "is not an instruction of a trace");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            *ret_kind = (uint8_t)kinds[i].kind;
            return true;
        }
    }
    return fail_column(parser, COLUMN_KIND, kind, "is not a kind of row");
}

/* A descriptor that a remapping unit fetched, as the emulator that recorded it words it. Others are
 * words only. */
static void parse_descriptor(struct iov_trace_row *row, const char *text)
{
    unsigned granularity, index, mask, domain, data;
    uint64_t address;

    if (sscanf(text, "vtd_inv_desc_iec granularity %x index %x mask %x", &granularity, &index,
               &mask) == 3) {
        row->address = granularity != 0 ? vtd_inv_entry(index & 0xffff) : VTD_INV_IEC;
        row->address |= (uint64_t)(mask & 0x1f) << VTD_INV_IEC_IM_SHIFT;
    } else if (sscanf(text,
                      "vtd_inv_desc_iotlb_pages iotlb invalidate domain %x addr %" SCNx64
                      " mask %x",
                      &domain, &address, &mask) == 3) {
        row->address = vtd_inv_iotlb(VTD_GRANULARITY_SELECTIVE, (uint16_t)domain);
        row->value = (address & ~UINT64_C(0xfff)) | (mask & VTD_IVA_AM);
    } else if (sscanf(text,
                      "vtd_inv_desc_wait_sw wait invalidate status write addr %" SCNx64 " data %x",
                      &address, &data) == 2) {
        row->address = vtd_inv_wait(data);
        row->value = address;
    } else {
        return;
    }
    row->kind = IOV_TRACE_DESCRIPTOR;
}

/* What an access must be to be executed. */
static bool check_access(const struct parser *parser, const struct iov_trace_row *row,
                         char *const fields[])
{
    if (strcmp(fields[COLUMN_DIR], "r") != 0 && strcmp(fields[COLUMN_DIR], "w") != 0)
        return fail_column(parser, COLUMN_DIR, fields[COLUMN_DIR], "is neither r nor w");
    bool good = row->size == 1 || row->size == 2 || row->size == 4 ||
                (row->kind == IOV_TRACE_MMIO && row->size == 8);

    if (!good)
        return fail_column(parser, COLUMN_SIZE, fields[COLUMN_SIZE],
                           "is not the size of an access");
    if (row->kind == IOV_TRACE_PIO && row->address + row->size > 0x10000)
        return fail_column(parser, COLUMN_ADDR, fields[COLUMN_ADDR], "is not an I/O port");
    if (row->kind == IOV_TRACE_MMIO && row->address > (UINT64_C(1) << 52) - row->size)
        return fail_column(parser, COLUMN_ADDR, fields[COLUMN_ADDR], "is not a physical address");
    if (row->size < 8 && row->value >> (8 * row->size) != 0)
        return fail_column(parser, COLUMN_VALUE, fields[COLUMN_VALUE],
                           "does not fit the size of the access");
    return true;
}

/* The index of a region's name: what stands in brackets says more than a name. */
static bool find_region(struct parser *parser, char *region, uint8_t *ret_index)
{
    struct iov_trace *trace = parser->trace;
    char *bracket = strchr(region, '[');

    if (bracket != NULL)
        *bracket = '\0';
    if (*region == '\0')
        return fail_column(parser, COLUMN_REGION, region, "names no region");
    for (unsigned i = 0; i < trace->region_count; i++) {
        if (strcmp(trace->regions[i], region) == 0) {
            *ret_index = (uint8_t)i;
            return true;
        }
    }
    if (trace->region_count == IOV_TRACE_REGIONS)
        return fail_column(parser, COLUMN_REGION, region, "is one region too many");
    *ret_index = (uint8_t)trace->region_count;
    trace->regions[trace->region_count++] = g_strdup(region);
    return true;
}

static bool check_note(struct parser *parser, struct iov_trace_row *row, const char *note)
{
    GPtrArray *phases = parser->trace->phases;

    if (row->kind == IOV_TRACE_BEGIN) {
        if (parser->in_phase)
            return fail_column(parser, COLUMN_REGION, note,
                               "begins before the phase before it has ended");
        if (phases->len == UINT8_MAX)
            return fail_column(parser, COLUMN_REGION, note, "is one phase too many");
        row->name = (uint8_t)phases->len;
        g_ptr_array_add(phases, g_strdup(note + strlen("BEGIN_")));
        parser->in_phase = true;
    } else if (row->kind == IOV_TRACE_END) {
        if (!parser->in_phase ||
            strcmp(g_ptr_array_index(phases, phases->len - 1), note + strlen("END_")) != 0)
            return fail_column(parser, COLUMN_REGION, note, "ends a phase that has not begun");
        row->name = (uint8_t)(phases->len - 1);
        parser->in_phase = false;
    } else if (strcmp(note, "POWEROFF") == 0) {
        parser->ended = true;
    }
    return true;
}

/* ---- Rows ---- */

static struct iov_trace_row *add_row(struct parser *parser)
{
    struct iov_trace *trace = parser->trace;

    if (trace->count == parser->room) {
        parser->room = parser->room == 0 ? 4096 : 2 * parser->room;
        trace->rows = g_renew(struct iov_trace_row, trace->rows, parser->room);
    }
    return &trace->rows[trace->count++];
}

static bool split(const struct parser *parser, char *line, char *fields[COLUMN_COUNT])
{
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        fields[i] = line;
        if (i == COLUMN_REGION)
            break;
        line = strchr(line, ',');
        if (line == NULL)
            return fail_column(parser, (enum column)i, fields[i],
                               "is the last field of a row that is cut short");
        *line++ = '\0';
    }
    return true;
}

static bool check_order(const struct parser *parser, const struct iov_trace_row *row,
                        char *const fields[])
{
    const struct iov_trace *trace = parser->trace;

    if (parser->ended)
        return fail_row(parser, "a row after POWEROFF");
    if (row->instructions > INSTRUCTIONS_MAX)
        return fail_column(parser, COLUMN_ICOUNT, fields[COLUMN_ICOUNT], "is too large");
    if (row->time_ns > TIME_NS_MAX)
        return fail_column(parser, COLUMN_VNS, fields[COLUMN_VNS], "is too large");
    if (trace->count == 0)
        return true;
    const struct iov_trace_row *before = &trace->rows[trace->count - 1];

    if (row->instructions < before->instructions)
        return fail_column(parser, COLUMN_ICOUNT, fields[COLUMN_ICOUNT],
                           "is less than in the row before");
    if (row->time_ns < before->time_ns)
        return fail_column(parser, COLUMN_VNS, fields[COLUMN_VNS],
                           "is less than in the row before");
    return true;
}

static bool parse_row(struct parser *parser, char *line)
{
    struct iov_trace_row row = { 0 };
    char *fields[COLUMN_COUNT];
    uint64_t size;

    if (!split(parser, line, fields) ||
        !parse_number(parser, COLUMN_ICOUNT, fields[COLUMN_ICOUNT], 10, &row.instructions) ||
        !parse_number(parser, COLUMN_VNS, fields[COLUMN_VNS], 10, &row.time_ns) ||
        !parse_kind(parser, fields[COLUMN_KIND], fields[COLUMN_REGION], &row.kind) ||
        !parse_number(parser, COLUMN_ADDR, fields[COLUMN_ADDR], 16, &row.address) ||
        !parse_number(parser, COLUMN_SIZE, fields[COLUMN_SIZE], 10, &size) ||
        !parse_number(parser, COLUMN_VALUE, fields[COLUMN_VALUE], 16, &row.value))
        return false;
    if (size > 8)
        return fail_column(parser, COLUMN_SIZE, fields[COLUMN_SIZE],
                           "is not the size of an access");
    row.size = (uint8_t)size;
    row.write = fields[COLUMN_DIR][0] == 'w';
    if (!check_order(parser, &row, fields))
        return false;
    if (row.kind == IOV_TRACE_PIO || row.kind == IOV_TRACE_MMIO) {
        if (!check_access(parser, &row, fields) ||
            !find_region(parser, fields[COLUMN_REGION], &row.name))
            return false;
    } else if (row.kind == IOV_TRACE_DEVICE) {
        parse_descriptor(&row, fields[COLUMN_REGION]);
    } else if (row.kind == IOV_TRACE_IRQ && (row.value < 16 || row.value > 255)) {
        /* SPEC: SDM vol. 3A, 11.5.2: vectors 0 to 15 cannot be sent to a local APIC. */
        return fail_column(parser, COLUMN_VALUE, fields[COLUMN_VALUE],
                           "is not an interrupt vector");
    } else if (row.kind >= IOV_TRACE_BEGIN && !check_note(parser, &row, fields[COLUMN_REGION])) {
        return false;
    }
    *add_row(parser) = row;
    return true;
}

static bool parse_line(struct parser *parser, char *line)
{
    if (parser->row == 1 && !g_str_has_prefix(line, FIRST_LINE))
        return fail_row(parser, "this is not a trace: it does not begin with '" FIRST_LINE "'");
    if (!parser->begun && line[0] == '#')
        return true;
    if (!parser->begun) {
        parser->begun = strcmp(line, COLUMNS) == 0;
        return parser->begun || fail_row(parser, "the columns are not '" COLUMNS "'");
    }
    return parse_row(parser, line);
}

/* A processor that halts needs an interrupt to go on. */
static bool check_halts(struct parser *parser)
{
    const struct iov_trace *trace = parser->trace;
    bool halted = false;

    for (size_t i = 0; i < trace->count; i++) {
        uint8_t kind = trace->rows[i].kind;
        bool executes = kind == IOV_TRACE_PIO || kind == IOV_TRACE_MMIO ||
                        (kind >= IOV_TRACE_HLT && kind <= IOV_TRACE_WRMSR);

        if (halted && executes) {
            parser->row = parser->row - (trace->count - i) + 1;
            return fail_column(parser, COLUMN_KIND, "",
                               "is executed while the processor is halted");
        }
        halted = kind == IOV_TRACE_HLT || (halted && kind != IOV_TRACE_IRQ);
    }
    return true;
}

static bool parse_text(struct parser *parser, char *text, size_t size)
{
    char *end = text + size;

    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));

        parser->row++;
        if (newline == NULL)
            return fail_row(parser, "the last row is cut short");
        *newline = '\0';
        if (strlen(text) != (size_t)(newline - text))
            return fail_row(parser, "a byte 0 inside a row");
        if (!parse_line(parser, text))
            return false;
        text = newline + 1;
    }
    if (!parser->ended) {
        parser->row++;
        return fail_row(parser, "the trace ends here, without POWEROFF");
    }
    if (parser->in_phase)
        return fail_row(parser, "the trace ends inside a phase");
    return check_halts(parser);
}

struct iov_trace *iov_trace_parse(char *text, size_t size, const char *name, GError **error)
{
    struct iov_trace *trace = g_new0(struct iov_trace, 1);
    struct parser parser = { .trace = trace, .name = name, .error = error };

    trace->phases = g_ptr_array_new_with_free_func(g_free);
    if (!parse_text(&parser, text, size)) {
        iov_trace_free(trace);
        return NULL;
    }
    return trace;
}

/* ---- Unpacking ---- */

/* As many rows as were unpacked before `why`. */
static void fail_unpacking(const GByteArray *text, const char *name, const char *why,
                           GError **error)
{
    size_t rows = 1;

    for (guint i = 0; i < text->len; i++)
        rows += text->data[i] == '\n';
    g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "%s:%zu: the packed file is damaged here: %s",
                name, rows, why);
}

static bool unpack(ZSTD_DStream *stream, const void *data, size_t size, GByteArray *text,
                   const char *name, GError **error)
{
    g_autofree uint8_t *chunk = g_malloc(CHUNK);
    ZSTD_inBuffer in = { .src = data, .size = size };
    size_t left = 1;

    while (in.pos < in.size || left != 0) {
        ZSTD_outBuffer out = { .dst = chunk, .size = CHUNK };
        size_t before = in.pos;

        left = ZSTD_decompressStream(stream, &out, &in);
        if (ZSTD_isError(left)) {
            fail_unpacking(text, name, ZSTD_getErrorName(left), error);
            return false;
        }
        if (text->len + out.pos > IOV_TRACE_BYTES_MAX) {
            fail_unpacking(text, name, "it is larger than 256 MiB", error);
            return false;
        }
        g_byte_array_append(text, chunk, (guint)out.pos);
        if (left != 0 && out.pos == 0 && in.pos == before) {
            fail_unpacking(text, name, "it ends in the middle", error);
            return false;
        }
    }
    return true;
}

struct iov_trace *iov_trace_read(const void *data, size_t size, const char *name, GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    ZSTD_DStream *stream = ZSTD_createDStream();
    bool good = unpack(stream, data, size, text, name, error);

    ZSTD_freeDStream(stream);
    return good ? iov_trace_parse((char *)text->data, text->len, name, error) : NULL;
}

struct iov_trace *iov_trace_load(const char *path, GError **error)
{
    g_autofree char *data = NULL;
    g_autoptr(GError) problem = NULL;
    gsize size;

    if (!g_file_get_contents(path, &data, &size, &problem)) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "%s", problem->message);
        return NULL;
    }
    return iov_trace_read(data, size, path, error);
}

void iov_trace_free(struct iov_trace *trace)
{
    if (trace == NULL)
        return;
    for (unsigned i = 0; i < trace->region_count; i++)
        g_free(trace->regions[i]);
    g_ptr_array_unref(trace->phases);
    g_free(trace->rows);
    g_free(trace);
}

uint64_t iov_trace_phase_units(const char *phase)
{
    size_t length = strlen(phase);
    size_t digits = 0;
    uint64_t units = 0;

    while (digits < length && g_ascii_isdigit(phase[length - digits - 1]))
        digits++;
    if (digits > 15)
        return 0;
    for (size_t i = length - digits; i < length; i++)
        units = units * 10 + (uint64_t)(phase[i] - '0');
    return units;
}
