/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the one who drives a machine from outside. The first byte chooses: lines and QMP
 * objects as they are (rarely), or numbers that become commands at addresses where something is,
 * after the devices have been given addresses. Whatever is said, each command has one answer and
 * the host lives. Only how far the clock moves is bounded: a timer that was asked for would keep
 * its promise for ever.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/qtest/session.h"
#include "tests/fuzz/input.h"

#define STEP_MAX 3000000u /* ns */
#define TIME_MAX 50000000u
#define COMMANDS_MAX 300u
#define MACHINE_USES 200u

static struct session *session_begin(void)
{
    static char *words[] = {
        "fuzz",
        "-M",
        "q35",
        "-m",
        "1",
        "-netdev",
        "user,id=n0",
        "-netdev",
        "user,id=n1",
        "-drive",
        "if=none,id=d0,file=null-co://,size=1048576,format=raw",
        "-device",
        "intel-iommu,aw-bits=48,device-iotlb=on",
        "-device",
        "edu,addr=3",
        "-device",
        "virtio-net-pci,addr=4,netdev=n0",
        "-device",
        "nvme,addr=5",
        "-device",
        "virtio-blk-pci,addr=6,drive=d0",
        "-device",
        "e1000,addr=7,netdev=n1",
        NULL,
    };
    struct options options;
    GError *error = NULL;
    struct session *session;

    if (!options_parse(&options, (int)G_N_ELEMENTS(words) - 1, words, &error))
        abort();
    session = session_new(&options, &error);
    if (session == NULL) {
        fprintf(stderr, "%s\n", error->message);
        abort();
    }
    options_clear(&options);
    return session;
}

/* One command, one answer. */
static void say(struct session *session, const char *line)
{
    const char *last;

    line_execute(session, line);
    last = session->lines->str;
    for (const char *next; (next = strchr(last, '\n')) != NULL && next[1] != '\0';)
        last = next + 1;
    if (!g_str_has_prefix(last, "OK") && !g_str_has_prefix(last, "FAIL "))
        abort();
    if (session->lines->str[session->lines->len - 1] != '\n')
        abort();
    g_string_truncate(session->lines, 0);
}

static void say_number(struct session *session, const char *format, uint64_t a, uint64_t b)
{
    char line[128];

    snprintf(line, sizeof line, "%s 0x%" PRIx64 " 0x%" PRIx64, format, a, b);
    say(session, line);
}

/* BARs at 1 MiB steps, decoding and bus mastering on. */
static void devices_place(struct session *session)
{
    for (uint64_t slot = 3; slot <= 7; slot++) {
        for (uint64_t bar = 0; bar < 6; bar++) {
            say_number(session, "outl", 0xcf8, 0x80000010 + slot * 0x800 + bar * 4);
            say_number(session, "outl", 0xcfc,
                       bar == 5 ? 0 : 0xe0000000 + slot * 0x1000000 + bar * 0x200000 + (slot << 8));
        }
        say_number(session, "outl", 0xcf8, 0x80000004 + slot * 0x800);
        say_number(session, "outw", 0xcfc, 7);
    }
}

static uint64_t place(struct input *input)
{
    static const uint64_t bases[] = {
        0,          0x1000,     0x2000,     0xfed90000, 0xfec00000, 0xfed00000,
        0xfee00000, 0xb0000000, 0xe3000000, 0xe4000000, 0xe4200000, 0xe4800000,
        0xe5000000, 0xe6800000, 0xe6200000, 0xe7000000,
    };

    return bases[take(input, 1) % G_N_ELEMENTS(bases)] + take(input, 2);
}

static uint64_t port(struct input *input)
{
    static const uint64_t bases[] = { 0xcf8, 0xcfc, 0x20, 0xa0,  0x40,  0x60,
                                      0x70,  0x92,  0xb2, 0x4d0, 0x600, 0x300 };

    return bases[take(input, 1) % G_N_ELEMENTS(bases)] + take(input, 1) % 64;
}

static void command(struct session *session, struct input *input)
{
    static const char *const writes[] = { "writeb", "writew", "writel", "writeq" };
    static const char *const reads[] = { "readb", "readw", "readl", "readq" };
    static const char *const outs[] = { "outb", "outw", "outl" };
    static const char *const ins[] = { "inb", "inw", "inl" };
    unsigned what = (unsigned)take(input, 1);
    uint64_t at = what & 0x40 ? port(input) : place(input);
    char line[64];

    switch (what & 0x0f) {
    case 0: /* a function's configuration space */
        say_number(session, "outl", 0xcf8, 0x80000000 + (take(input, 2) << 2 & 0xffffff));
        say_number(session, outs[what >> 4 & 1], 0xcfc + (what >> 5 & 1) * 2, take(input, 4));
        return;
    case 1:
        snprintf(line, sizeof line, "clock_step %" PRIu64, take(input, 4) % STEP_MAX);
        say(session, line);
        return;
    case 2:
        say_number(session, "write", at, 0);
        return;
    case 3:
        snprintf(line, sizeof line, "memset 0x%" PRIx64 " 0x%x 0x%x", at,
                 (unsigned)take(input, 2) & 0x1fff, (unsigned)take(input, 1));
        say(session, line);
        return;
    default:
        break;
    }
    if (what & 0x40) {
        if (what & 1)
            say_number(session, outs[(what >> 4) % 3], at, take(input, 1 + (what >> 2 & 3)));
        else {
            snprintf(line, sizeof line, "%s 0x%" PRIx64, ins[(what >> 4) % 3], at);
            say(session, line);
        }
    } else if (what & 3) {
        say_number(session, writes[what >> 4 & 3], at, take(input, 1 + (what >> 2 & 7)));
    } else {
        snprintf(line, sizeof line, "%s 0x%" PRIx64, reads[what >> 4 & 3], at);
        say(session, line);
    }
}

static bool moves_far(const char *line)
{
    return strstr(line, "clock_") != NULL && strlen(line) > sizeof "clock_step 0x100000";
}

static void speak_text(struct session *session, const char *text, size_t size)
{
    g_autofree char *copy = g_strndup(text, size);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", COMMANDS_MAX);

    for (char **line = lines; *line != NULL && !session->quit; line++) {
        if (**line == '{') {
            g_autoptr(GString) message = g_string_new(*line);

            g_string_append_c(message, '\n');
            qmp_receive(session, message);
            g_string_truncate(session->messages, 0);
        } else if (!moves_far(*line) && strstr(*line, "memset") == NULL) {
            say(session, *line);
        }
    }
}

/*
 * Making a machine takes longer than most inputs: one serves for many, reset and with memory
 * cleared in between. Text makes devices come and go, and gets a machine of its own.
 */
static struct session *machine_ready(void)
{
    static struct session *session;
    static unsigned uses;

    if (session != NULL && ++uses % MACHINE_USES == 0)
        g_clear_pointer(&session, session_free);
    if (session == NULL) {
        session = session_begin();
    } else {
        machine_reset(session->machine);
        say(session, "memset 0 0x100000 0");
    }
    devices_place(session);
    return session;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    uint64_t mode = take(&input, 1);
    struct session *session;
    uint64_t end;

    if ((mode & 7) == 1) {
        session = session_begin();
        speak_text(session, (const char *)input.data, input.size);
        session_free(session);
        return 0;
    }
    session = machine_ready();
    end = machine_now(session->machine) + TIME_MAX;
    for (unsigned i = 0; i < COMMANDS_MAX && input.size > 0; i++) {
        if (machine_now(session->machine) < end)
            command(session, &input);
    }
    return 0;
}
