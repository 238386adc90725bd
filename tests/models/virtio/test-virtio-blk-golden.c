/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk judged by a foreign machine's transcript (tests/golden), with nothing around it but a
 * bus of its own: the device sits in slot 4, configuration accesses come by 0xCF8/0xCFC, its pin is
 * interrupt 20.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/harness/harness.h"
#include "core/pci/bus.h"

#define SLOT (4u << 3)

struct replay {
    struct iov_harness *bench;
    struct iov_fake_mem *mem;
    struct iov_pci_bus bus;
    uint32_t config_address;
    GString *interrupts; /* since the section began */
    GString *expected;
    char *section;
    bool failed;
    unsigned sections, held;
};

static void on_intx(struct iov_pci_bus *bus, struct iov_pci_function *function, unsigned pin,
                    bool level, struct iov_span *span)
{
    struct replay *replay = iov_container_of(bus, struct replay, bus);

    (void)span;
    g_string_append_printf(replay->interrupts, "%s %u\n", level ? "raise" : "lower",
                           16 + (function->devfn >> 3) + pin - 1);
}

static const struct iov_pci_bus_ops bus_ops = { .intx = on_intx };

static uint64_t number(const char *text)
{
    return text != NULL ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static uint32_t size_of(char suffix)
{
    return suffix == 'b' ? 1 : suffix == 'w' ? 2 : suffix == 'l' ? 4 : 8;
}

static uint64_t access_memory(struct replay *replay, uint64_t address, uint32_t size,
                              uint64_t value, bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    if (address < IOV_FAKE_RAM_SIZE) {
        if (write)
            iov_fake_mem_set(replay->mem, address, size, value);
        else
            value = iov_fake_mem_get(replay->mem, address, size);
    } else if (iov_mem_map_access(&replay->bus.memory, &req, write) != IOV_STATUS_OK) {
        value = UINT64_MAX;
    }
    if (!write && size < 8)
        value &= (UINT64_C(1) << 8 * size) - 1;
    return value;
}

static uint32_t access_port(struct replay *replay, uint64_t port, uint32_t size, uint32_t value,
                            bool write)
{
    struct iov_mem_req req = { .data = &value, .size = size, .pasid = IOV_NO_PASID };

    if (port == 0xcf8) {
        if (write)
            replay->config_address = value;
        return replay->config_address;
    }
    cr_assert(eq(u64, port & ~UINT64_C(3), 0xcfc));
    req.address = (replay->config_address & 0xfc) | (port & 3) | (replay->config_address & 3);
    if (!write)
        value = 0;
    (void)iov_pci_config_access(&replay->bus, replay->config_address >> 16 & 0xff,
                                replay->config_address >> 8 & 0xff, &req, write);
    return value;
}

static char *bytes_read(struct replay *replay, uint64_t address, uint64_t count)
{
    GString *text = g_string_new("OK 0x");

    for (uint64_t i = 0; i < count; i++)
        g_string_append_printf(text, "%02x", replay->mem->ram[address + i]);
    return g_string_free(text, FALSE);
}

static char *command_do(struct replay *replay, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    const char *name = words[0];
    uint64_t address = number(words[1]), value = number(words[1] != NULL ? words[2] : NULL);

    if (strcmp(name, "read") == 0)
        return bytes_read(replay, address, value);
    if (strcmp(name, "irq_intercept_in") == 0)
        return g_strdup("OK");
    if (strcmp(name, "write") == 0) {
        for (uint64_t i = 0; i < value; i++)
            replay->mem->ram[address + i] =
                (uint8_t)(g_ascii_xdigit_value(words[3][2 + 2 * i]) << 4 |
                          g_ascii_xdigit_value(words[3][3 + 2 * i]));
    } else if (strcmp(name, "memset") == 0) {
        memset(replay->mem->ram + address, (int)number(words[3]), value);
    } else if (g_str_has_prefix(name, "read")) {
        return g_strdup_printf("OK 0x%016" PRIx64,
                               access_memory(replay, address, size_of(name[4]), 0, false));
    } else if (g_str_has_prefix(name, "write")) {
        (void)access_memory(replay, address, size_of(name[5]), value, true);
    } else if (g_str_has_prefix(name, "in")) {
        return g_strdup_printf("OK 0x%04x",
                               access_port(replay, address, size_of(name[2]), 0, false));
    } else {
        cr_assert(g_str_has_prefix(name, "out"), "%s", line);
        (void)access_port(replay, address, size_of(name[3]), (uint32_t)value, true);
    }
    iov_harness_settle(replay->bench);
    return g_strdup("OK");
}

static void section_end(struct replay *replay)
{
    if (replay->section == NULL)
        return;
    if (strcmp(replay->interrupts->str, replay->expected->str) != 0) {
        replay->failed = true;
        cr_expect(false, "section '%s': interrupts '%s', the foreign machine's '%s'",
                  replay->section, replay->interrupts->str, replay->expected->str);
    }
    g_string_truncate(replay->interrupts, 0);
    g_string_truncate(replay->expected, 0);
    replay->sections++;
    replay->held += !replay->failed;
    replay->failed = false;
}

/* "* command MASK VALUE": again and again, a millisecond apart. */
static void poll(struct replay *replay, const char *line)
{
    const char *value = strrchr(line, ' ');
    g_autofree char *before = g_strndup(line, (gsize)(value - line));
    const char *mask = strrchr(before, ' ');
    g_autofree char *command = g_strndup(before, (gsize)(mask - before));

    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *got = command_do(replay, command);

        if ((number(got + 3) & number(mask + 1)) == number(value + 1))
            return;
        iov_harness_run_for(replay->bench, IOV_MS);
    }
    replay->failed = true;
    cr_expect(false, "section '%s': '%s' never came true", replay->section, line);
}

static void line_do(struct replay *replay, char **lines, unsigned i)
{
    const char *line = lines[i];

    if (line[0] == '=') {
        section_end(replay);
        replay->section = lines[i] + 2;
    } else if (line[0] == '!') {
        g_string_append_printf(replay->expected, "%s\n", line + strlen("! IRQ "));
    } else if (line[0] == '*') {
        poll(replay, line + 2);
    } else if (line[0] == '>') {
        g_autofree char *got = command_do(replay, line + 2);
        unsigned answer = i + 1;

        while (lines[answer][0] == '!')
            answer++;
        if (strcmp(got, lines[answer] + 2) == 0 || lines[answer + 1][0] == '~')
            return;
        replay->failed = true;
        cr_expect(false, "line %u, section '%s': '%.80s', the foreign machine says '%.80s'", i + 1,
                  replay->section, got, lines[answer] + 2);
    }
}

static char *image(void)
{
    g_autofree uint8_t *bytes = g_malloc(1024 * 1024);
    char *path = NULL;
    int file = g_file_open_tmp("iovsim-disk-XXXXXX", &path, NULL);

    for (unsigned i = 0; i < 1024 * 1024; i++)
        bytes[i] = (uint8_t)(i / 512);
    cr_assert(eq(i64, write(file, bytes, 1024 * 1024), 1024 * 1024));
    close(file);
    return path;
}

Test(virtio_blk, answers_as_the_foreign_machine_did)
{
    g_autofree char *path = image();
    g_autofree char *disk = g_strdup_printf("kind: disk-image\nfile: '%s'\nsnapshot: on\n", path);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    struct replay replay = { .bus = { .ops = &bus_ops } };

    cr_assert(g_file_get_contents(IOV_SOURCE_DIR "/tests/golden/virtio_blk_modern.txt", &text, NULL,
                                  NULL));
    lines = g_strsplit(text, "\n", -1);
    replay.interrupts = g_string_new("");
    replay.expected = g_string_new("");
    replay.bench = iov_harness_new("kind: virtio-blk\nsetup: reset\nserial: GOLD1\n");
    iov_harness_add(replay.bench, "disk", disk);
    iov_harness_wire(replay.bench, "dut.disk", "disk.port", -1);
    cr_assert(iov_pci_plug(&replay.bus, iov_model_port(replay.bench->model, "pci", 0), SLOT));
    iov_harness_start(replay.bench);
    replay.mem = iov_harness_mem(replay.bench, "dma", 0);
    for (unsigned i = 0; lines[i] != NULL; i++)
        line_do(&replay, lines, i);
    section_end(&replay);
    cr_log_info("%u of %u sections hold", replay.held, replay.sections);
    cr_assert(eq(uint, replay.sections, 23));
    cr_assert(eq(uint, replay.held, replay.sections));
    g_string_free(replay.interrupts, TRUE);
    g_string_free(replay.expected, TRUE);
    iov_harness_free(replay.bench);
    iov_pci_bus_clear(&replay.bus);
    g_unlink(path);
}
