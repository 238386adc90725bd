/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platforms/parts/pc-legacy.yaml judged by the transcript of a foreign machine (tests/golden): all
 * sections about timers, clock, interrupt controllers and power management. Configuration space is
 * a few bytes of memory here.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/config/experiment.h"

static const char machine_text[] = "iovsim: 1\n"
                                   "include: parts/pc-legacy.yaml\n"
                                   "parameters: { memory: 256MiB, date: 2006-06-17T16:01:21 }\n"
                                   "parts:\n"
                                   "  bus: { kind: bus }\n"
                                   "wires:\n"
                                   "  - { from: io.windows, to: pm.registers, at: 0x600 }\n";

/* A wire to a pin of the I/O APIC, watched. */
struct tap {
    struct iov_irq_sink sink;
    struct iov_irq_sink *peer;
    GString *changes; /* "RL…" of the section */
};

struct replay {
    struct iov_config *config;
    struct iov_platform *platform;
    struct iov_kernel *kernel;
    struct iov_mem_target *io, *bus;
    struct iov_mem_target beyond; /* configuration mechanism */
    uint32_t address;
    uint8_t space[256];
    struct tap taps[24];
    GString *expected[24];
    const char *section;
    bool counts;
    unsigned sections, compared;
};

/* ---- Machine ---- */

static void tap_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct tap *tap = iov_container_of(sink, struct tap, sink);

    if (level || (tap->changes->len > 0 && tap->changes->str[tap->changes->len - 1] != 'L') ||
        tap->changes->len == 0)
        g_string_append_c(tap->changes, level ? 'R' : 'L');
    tap->peer->ops->set(tap->peer, level, span);
}

static const struct iov_irq_sink_ops tap_ops = { .set = tap_set };

static uint8_t *beyond_byte(struct replay *replay, uint64_t port)
{
    if (port - 0xcf8 < 4)
        return (uint8_t *)&replay->address + (port - 0xcf8);
    return port - 0xcfc < 4 ? &replay->space[(replay->address & 0xfc) + (port - 0xcfc)] : NULL;
}

static enum iov_status beyond_access(struct iov_mem_target *port, struct iov_mem_req *req,
                                     bool write)
{
    struct replay *replay = iov_container_of(port, struct replay, beyond);
    uint8_t *byte = beyond_byte(replay, req->address);

    if (byte == NULL || req->address + req->size > 0xd00)
        return IOV_STATUS_UNSUPPORTED;
    memcpy(write ? byte : req->data, write ? req->data : byte, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status beyond_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return beyond_access(port, req, false);
}

static enum iov_status beyond_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return beyond_access(port, req, true);
}

static const struct iov_mem_target_ops beyond_ops = { .read = beyond_read, .write = beyond_write };

static void *port_of(const struct replay *replay, const char *part, const char *port, unsigned at)
{
    return iov_model_port(iov_platform_find(replay->platform, part), port, at);
}

static void machine_open(struct replay *replay)
{
    g_auto(GStrv) path = iov_data_path(IOV_SOURCE_DIR "/configs/x");
    struct iov_config_options options = { (const char *const *)path, NULL };
    GError *error = NULL;

    replay->config = iov_config_load_text("machine", machine_text, &options, &error);
    cr_assert_not_null(replay->config, "%s", error != NULL ? error->message : "");
    replay->platform = iov_platform_new(replay->config, &error);
    cr_assert_not_null(replay->platform, "%s", error != NULL ? error->message : "");
    replay->io = port_of(replay, "io", "port", 0);
    replay->bus = port_of(replay, "bus", "port", 0);
    replay->beyond.ops = &beyond_ops;
    ((struct iov_mem_initiator *)port_of(replay, "io", "beyond", 0))->peer = &replay->beyond;
    cr_assert(iov_platform_realize(replay->platform, &error), "%s",
              error != NULL ? error->message : "");
    iov_platform_start(replay->platform);
    replay->kernel = iov_platform_run(replay->platform)->kernel;
    for (unsigned i = 0; i < G_N_ELEMENTS(replay->taps); i++) {
        struct iov_irq_source *source = port_of(replay, "lines", "ioapic", i);

        replay->taps[i] = (struct tap){ { &tap_ops }, source->peer, g_string_new(NULL) };
        source->peer = &replay->taps[i].sink;
        replay->expected[i] = g_string_new(NULL);
    }
}

static void machine_close(struct replay *replay)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(replay->taps); i++) {
        g_string_free(replay->taps[i].changes, TRUE);
        g_string_free(replay->expected[i], TRUE);
    }
    iov_platform_free(replay->platform);
    iov_config_free(replay->config);
}

/* ---- Commands ---- */

static uint64_t target_read(struct iov_mem_target *target, uint64_t address, uint32_t size)
{
    uint64_t value = 0;
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    return target->ops->read(target, &req) == IOV_STATUS_OK ? value : UINT64_MAX >> (64 - 8 * size);
}

static void target_write(struct iov_mem_target *target, uint64_t address, uint32_t size,
                         uint64_t value)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    target->ops->write(target, &req);
}

static uint32_t size_of(char suffix)
{
    return suffix == 'b' ? 1 : suffix == 'w' ? 2 : suffix == 'l' ? 4 : 8;
}

static char *command_do(struct replay *replay, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    uint64_t first = words[1] != NULL ? g_ascii_strtoull(words[1], NULL, 0) : 0;
    uint64_t second =
        words[1] != NULL && words[2] != NULL ? g_ascii_strtoull(words[2], NULL, 0) : 0;
    const char *name = words[0];

    if (g_str_has_prefix(name, "in"))
        return g_strdup_printf("OK 0x%04" PRIx64, target_read(replay->io, first, size_of(name[2])));
    if (g_str_has_prefix(name, "read"))
        return g_strdup_printf("OK 0x%016" PRIx64,
                               target_read(replay->bus, first, size_of(name[4])));
    if (strcmp(name, "clock_step") == 0) {
        iov_kernel_run_until(replay->kernel, iov_now(replay->kernel) + first * IOV_NS);
        return g_strdup_printf("OK %" PRIu64, iov_now(replay->kernel) / IOV_NS);
    }
    if (g_str_has_prefix(name, "out"))
        target_write(replay->io, first, size_of(name[3]), second);
    else if (g_str_has_prefix(name, "write"))
        target_write(replay->bus, first, size_of(name[5]), second);
    else
        cr_assert(g_str_has_prefix(name, "irq_intercept"), "%s", line);
    return g_strdup("OK");
}

/* ---- Sections ---- */

static void section_end(struct replay *replay)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(replay->taps); i++) {
        if (replay->counts)
            cr_expect(strcmp(replay->taps[i].changes->str, replay->expected[i]->str) == 0,
                      "section '%s', pin %u: '%s', the foreign machine says '%s'", replay->section,
                      i, replay->taps[i].changes->str, replay->expected[i]->str);
        g_string_truncate(replay->taps[i].changes, 0);
        g_string_truncate(replay->expected[i], 0);
    }
    replay->sections += replay->counts;
}

static void section_begin(struct replay *replay, const char *name)
{
    section_end(replay);
    replay->section = name;
    replay->counts =
        strstr(name, "PIRQ") == NULL && strstr(name, "PAM") == NULL && strstr(name, "RAM") == NULL;
}

static void change_expected(struct replay *replay, const char *line)
{
    unsigned pin = (unsigned)g_ascii_strtoull(strrchr(line, ' ') + 1, NULL, 10);

    cr_assert(lt(uint, pin, 24));
    g_string_append_c(replay->expected[pin], strstr(line, "raise") != NULL ? 'R' : 'L');
}

/* A command, the changes before its answer, the answer, and what counts of it; the last line
 * used. */
static char **command_play(struct replay *replay, char **line)
{
    const char *command = *line + 2;
    g_autofree char *got = command_do(replay, command);

    for (line++; (*line)[0] == '!'; line++)
        change_expected(replay, *line);
    cr_assert(eq(int, (*line)[0], '<'));
    if (replay->counts && line[1][0] != '~') {
        replay->compared++;
        cr_expect(strcmp(got, *line + 2) == 0,
                  "section '%s', %s: '%s', the foreign machine says '%s'", replay->section, command,
                  got, *line + 2);
    }
    return line;
}

Test(pc_legacy, answers_as_a_foreign_machine_did)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    struct replay replay = { .section = "" };

    cr_assert(
        g_file_get_contents(IOV_SOURCE_DIR "/tests/golden/platform_q35.txt", &text, NULL, NULL));
    machine_open(&replay);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        if ((*line)[0] == '=')
            section_begin(&replay, *line + 2);
        else if ((*line)[0] == '>')
            line = command_play(&replay, line);
    }
    section_end(&replay);
    cr_expect(eq(uint, replay.sections, 9));
    cr_expect(gt(uint, replay.compared, 120));
    machine_close(&replay);
}

Test(pc_legacy, any_access_of_any_size_to_any_port_is_harmless)
{
    struct replay replay = { .section = "" };
    uint32_t chance = 1;

    machine_open(&replay);
    for (unsigned i = 0; i < 200000; i++) {
        chance = chance * 1664525 + 1013904223;
        uint64_t port = chance >> 16;
        uint32_t size = 1u << (chance >> 4 & 3);

        if (i % 4 != 0) /* where devices are */
            port = port % 4 == 0 ? 0x600 + port / 4 % 0x80 : port / 4 % 0x100;
        chance = chance * 1664525 + 1013904223;
        if (chance >> 30 != 0)
            target_write(replay.io, port, size, chance >> 8 | (uint64_t)chance << 24);
        else
            target_read(replay.io, port, size);
        if (i % 16 == 0)
            target_write(replay.bus, 0xfed00000 + (chance >> 12 & 0x3ff), 1u << (chance >> 24 & 3),
                         (uint64_t)chance << (chance >> 20 & 31));
        if (i % 16 == 1)
            target_write(replay.bus, 0xfec00000 + (chance >> 12 & 0x5f), 1u << (chance >> 24 & 3),
                         chance >> 7);
        if (i % 64 == 0)
            iov_kernel_run_until(replay.kernel,
                                 iov_now(replay.kernel) + (iov_time)(chance >> 20) * IOV_NS);
    }
    machine_close(&replay);
}

Test(pc_legacy, a_reset_gives_the_answers_of_power_on)
{
    static const uint16_t ports[] = { 0x21, 0xa1, 0x4d0, 0x4d1, 0x64, 0x92, 0xb2, 0x602, 0x630 };
    struct replay replay = { .section = "" };
    uint8_t before[G_N_ELEMENTS(ports)];

    machine_open(&replay);
    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
        before[i] = (uint8_t)target_read(replay.io, ports[i], 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
        target_write(replay.io, ports[i], 1, 0xaa);
    target_write(replay.bus, 0xfed00010, 4, 1);
    iov_kernel_run_until(replay.kernel, IOV_MS);
    for (unsigned i = 0; i < iov_platform_count(replay.platform); i++)
        iov_model_reset(iov_platform_at(replay.platform, i));
    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
        cr_expect(eq(u8, (uint8_t)target_read(replay.io, ports[i], 1), before[i]), "port 0x%x",
                  ports[i]);
    cr_expect(eq(u64, target_read(replay.bus, 0xfed000f0, 8), 0));
    machine_close(&replay);
}
