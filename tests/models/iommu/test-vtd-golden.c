/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vt-d kind judged by transcripts of a foreign machine (tests/golden). Commands go to the
 * register page, to memory, or to one of two devices that are nothing but a DMA engine with a
 * buffer of 4 KiB; configuration space is not there and takes everything.
 */
#include <stdlib.h>

#include "tests/models/iommu/vtd-bench.h"

#define ENGINE_BUFFER 0x40000u
#define ENGINE_FIRST 0xfe800000u /* device 3; the next is 1 MiB behind */
#define ENGINE_SECOND 0xfe900000u

/* SRC, DST, CNT, CMD at 0x80, 0x88, 0x90, 0x98. Command bit 0 starts, bit 1 writes memory. */
struct engine {
    uint64_t registers[4];
    uint8_t buffer[4096];
    uint16_t source;
};

struct replay {
    struct vtd_bench vtd;
    bool open;
    struct engine engines[2];
    unsigned messages_seen;
    char *section;
    bool counts; /* the section does */
    bool failed;
    unsigned sections, held, compared;
};

/* ---- The device ---- */

/* Requests do not cross pages; a blocked read leaves zeros. */
static void engine_run(struct replay *replay, struct engine *engine)
{
    bool write = engine->registers[3] & 2;
    uint64_t at = engine->registers[write ? 1 : 0];
    uint64_t inside = engine->registers[write ? 0 : 1] - ENGINE_BUFFER;
    uint64_t left = engine->registers[2];

    if (!(engine->registers[3] & 1))
        return;
    engine->registers[3] &= ~1ull;
    cr_assert(le(u64, inside, 4096));
    cr_assert(le(u64, left, 4096 - inside));
    while (left > 0) {
        uint32_t size = (uint32_t)MIN(left, 0x1000 - (at & 0xfff));

        if (dma_by(&replay->vtd, engine->source, at, engine->buffer + inside, size, write) !=
                IOV_STATUS_OK &&
            !write)
            memset(engine->buffer + inside, 0, size);
        at += size;
        inside += size;
        left -= size;
    }
}

static struct engine *engine_at(struct replay *replay, uint64_t address)
{
    if (address - ENGINE_FIRST < 0x100000)
        return &replay->engines[0];
    return address - ENGINE_SECOND < 0x100000 ? &replay->engines[1] : NULL;
}

/* ---- Commands ---- */

static uint64_t number(const char *text)
{
    return text != NULL ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static uint64_t value_read(struct replay *replay, uint64_t address, uint32_t size)
{
    struct engine *engine = engine_at(replay, address);

    if (engine != NULL)
        return (address & 0xfffff) == 0 ? 0x010000ed : engine->registers[(address - 0x80) >> 3 & 3];
    if (address - VTD_BASE < VTD_SIZE)
        return bench_read(replay->vtd.registers, address - VTD_BASE, size);
    return bench_read(replay->vtd.memory, address, size);
}

static void value_write(struct replay *replay, uint64_t address, uint32_t size, uint64_t value)
{
    struct engine *engine = engine_at(replay, address);

    if (engine != NULL)
        engine->registers[(address - 0x80) >> 3 & 3] = value;
    else if (address - VTD_BASE < VTD_SIZE)
        bench_write(replay->vtd.registers, address - VTD_BASE, size, value);
    else
        bench_write(replay->vtd.memory, address, size, value);
}

static void bytes_write(struct replay *replay, uint64_t address, uint64_t count, const char *hex)
{
    for (uint64_t i = 0; i < count; i++)
        bench_write(replay->vtd.memory, address + i, 1,
                    (uint64_t)(g_ascii_xdigit_value(hex[2 + 2 * i]) << 4 |
                               g_ascii_xdigit_value(hex[3 + 2 * i])));
}

static char *bytes_read(struct replay *replay, uint64_t address, uint64_t count)
{
    GString *text = g_string_new("OK 0x");

    for (uint64_t i = 0; i < count; i++)
        g_string_append_printf(text, "%02x",
                               (unsigned)bench_read(replay->vtd.memory, address + i, 1));
    return g_string_free(text, FALSE);
}

static uint32_t access_size(char suffix)
{
    return suffix == 'b' ? 1 : suffix == 'w' ? 2 : suffix == 'l' ? 4 : 8;
}

static char *command_do(struct replay *replay, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 4);
    const char *name = words[0];
    uint64_t address = number(words[1]);

    if (strcmp(name, "read") == 0)
        return bytes_read(replay, address, number(words[2]));
    if (strcmp(name, "write") == 0)
        bytes_write(replay, address, number(words[2]), words[3]);
    else if (strcmp(name, "memset") == 0)
        for (uint64_t i = 0; i < number(words[2]); i++)
            bench_write(replay->vtd.memory, address + i, 1, number(words[3]));
    else if (g_str_has_prefix(name, "read"))
        return g_strdup_printf("OK 0x%016" PRIx64,
                               value_read(replay, address, access_size(name[4])));
    else if (g_str_has_prefix(name, "write"))
        value_write(replay, address, access_size(name[5]), number(words[2]));
    else if (strcmp(name, "clock_step") == 0)
        for (unsigned i = 0; i < G_N_ELEMENTS(replay->engines); i++)
            engine_run(replay, &replay->engines[i]);
    else
        cr_assert(g_str_has_prefix(name, "out"), "%s", line);
    return g_strdup("OK");
}

/* ---- Machine and sections ---- */

static void machine_close(struct replay *replay)
{
    if (replay->open)
        vtd_bench_free(&replay->vtd);
    replay->open = false;
}

/* "intel-iommu,key=value,…" */
static void machine_open(struct replay *replay, const char *device)
{
    g_auto(GStrv) options = g_strsplit(device, ",", -1);

    machine_close(replay);
    vtd_bench_init(&replay->vtd, NULL);
    bench_number(replay->vtd.unit, "aw-bits", 39);
    for (char **option = options + 1; *option != NULL; option++) {
        g_auto(GStrv) pair = g_strsplit(*option, "=", 2);
        const char *name = g_str_has_prefix(pair[0], "x-") ? pair[0] + 2 : pair[0];

        bench_number(replay->vtd.unit, name,
                     strcmp(pair[1], "on") == 0    ? 1
                     : strcmp(pair[1], "off") == 0 ? 0
                                                   : number(pair[1]));
    }
    vtd_bench_start(&replay->vtd);
    replay->open = true;
    replay->messages_seen = 0;
    memset(replay->engines, 0, sizeof replay->engines);
    replay->engines[0].source = 0x18;
    replay->engines[1].source = 0x20;
}

static void section_end(struct replay *replay)
{
    if (replay->section != NULL && replay->counts) {
        replay->sections++;
        replay->held += !replay->failed;
    }
}

static void section_begin(struct replay *replay, char *name)
{
    section_end(replay);
    replay->section = name;
    replay->counts = !g_str_has_prefix(name, "REFERENCE DEPARTS");
    replay->failed = false;
    if (g_str_has_prefix(name, "intel-iommu"))
        machine_open(replay, name);
}

static void args_read(struct replay *replay, const char *args)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);

    for (char **word = words; *word != NULL; word++) {
        if (g_str_has_prefix(*word, "intel-iommu"))
            machine_open(replay, *word);
    }
}

static void compare(struct replay *replay, unsigned line, const char *got, const char *expected,
                    const char *mark)
{
    bool same = strcmp(got, expected) == 0;

    if (mark[0] == '~' || !replay->counts)
        return;
    if (mark[0] == '&') {
        uint64_t mask = number(mark + 2);

        same = (number(got + 3) & mask) == (number(expected + 3) & mask);
    }
    replay->compared++;
    replay->failed |= !same;
    cr_expect(same, "line %u, section '%s': '%.80s', the foreign machine says '%.80s'", line,
              replay->section, got, expected);
}

static void vectors_compare(struct replay *replay, unsigned line, const char *text)
{
    GString *got = g_string_new("[");

    for (; replay->messages_seen < replay->vtd.messages.count; replay->messages_seen++)
        g_string_append_printf(got, "%s%u", got->len > 1 ? ", " : "",
                               (unsigned)replay->vtd.messages.records[replay->messages_seen].value &
                                   0xff);
    g_string_append_c(got, ']');
    compare(replay, line, got->str, strchr(text, '['), "");
    g_string_free(got, TRUE);
}

static void play(const char *name, unsigned sections)
{
    g_autofree char *path = g_strdup_printf("%s/tests/golden/%s.txt", IOV_SOURCE_DIR, name);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    struct replay replay = { .counts = true };

    cr_assert(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        if (g_str_has_prefix(lines[i], "@ args "))
            args_read(&replay, lines[i] + 7);
        else if (lines[i][0] == '=')
            section_begin(&replay, lines[i] + 2);
        else if (lines[i][0] == '%')
            vectors_compare(&replay, i + 1, lines[i]);
        else if (lines[i][0] == '>') {
            g_autofree char *got = command_do(&replay, lines[i] + 2);

            cr_assert(eq(int, lines[i + 1][0], '<'));
            compare(&replay, i + 1, got, lines[i + 1] + 2, lines[i + 2]);
        }
    }
    section_end(&replay);
    machine_close(&replay);
    cr_expect(eq(uint, replay.held, replay.sections), "%s", name);
    cr_expect(eq(uint, replay.sections, sections));
    cr_expect(gt(uint, replay.compared, 20));
}

Test(vtd_golden, capabilities_of_all_option_sets)
{
    play("vtd_caps", 11);
}

Test(vtd_golden, register_file)
{
    play("vtd_regs", 7);
}

Test(vtd_golden, dma_through_three_levels)
{
    play("vtd_dma_3level", 29);
}

Test(vtd_golden, random_tables_and_dmas)
{
    play("vtd_random_1", 61);
}
