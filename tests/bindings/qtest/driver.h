/* SPDX-License-Identifier: Apache-2.0 */
/* A test as the one who drives a machine: commands in, answers out, without sockets. */
#ifndef TEST_QTEST_DRIVER_H
#define TEST_QTEST_DRIVER_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "bindings/qtest/session.h"

#define ECAM 0xb0000000u

static struct session *machine G_GNUC_UNUSED;

/* Options separated by spaces; NULL with an error. */
static struct session *session_from(const char *text, GError **error)
{
    g_autofree char *whole = g_strconcat("program ", text, NULL);
    g_auto(GStrv) words = g_strsplit(whole, " ", -1);
    struct options options;
    struct session *session = NULL;

    if (options_parse(&options, (int)g_strv_length(words), words, error))
        session = session_new(&options, error);
    options_clear(&options);
    return session;
}

static G_GNUC_UNUSED void begin(const char *text)
{
    GError *error = NULL;

    machine = session_from(text, &error);
    cr_assert_not_null(machine, "%s", error != NULL ? error->message : "");
}

static G_GNUC_UNUSED void end(void)
{
    session_free(machine);
    machine = NULL;
}

/* Why a machine of these options cannot be. */
static G_GNUC_UNUSED void refused(const char *text, const char *words)
{
    GError *error = NULL;
    struct session *session = session_from(text, &error);

    cr_assert_null(session, "%s", text);
    cr_assert_not_null(strstr(error->message, words), "'%s' does not say '%s'", error->message,
                       words);
    cr_assert_null(strchr(error->message, '\n'));
    g_error_free(error);
}

/* All that comes out for one command, without the last end of line. g_free() it. */
static char *say(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *say(const char *format, ...)
{
    va_list arguments;
    g_autofree char *line = NULL;
    char *answer;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    line_execute(machine, line);
    answer = g_strchomp(g_strdup(machine->lines->str));
    g_string_truncate(machine->lines, 0);
    return answer;
}

static G_GNUC_UNUSED void expect(const char *line, const char *answer)
{
    g_autofree char *came = say("%s", line);

    cr_assert_str_eq(came, answer, "%s: '%s' came, not '%s'", line, came, answer);
}

/* The number that a command answers with, behind IRQ lines. */
static uint64_t number(char *answer)
{
    const char *last = strstr(answer, "OK");
    uint64_t value;

    cr_assert_not_null(last, "%s", answer);
    value = last[2] != '\0' ? g_ascii_strtoull(last + 3, NULL, 0) : 0;
    g_free(answer);
    return value;
}

static G_GNUC_UNUSED uint32_t readl(uint64_t address)
{
    return (uint32_t)number(say("readl 0x%" PRIx64, address));
}

static G_GNUC_UNUSED uint64_t readq(uint64_t address)
{
    return number(say("readq 0x%" PRIx64, address));
}

static G_GNUC_UNUSED uint8_t readb(uint64_t address)
{
    return (uint8_t)number(say("readb 0x%" PRIx64, address));
}

static G_GNUC_UNUSED uint16_t readw(uint64_t address)
{
    return (uint16_t)number(say("readw 0x%" PRIx64, address));
}

static G_GNUC_UNUSED void writeb(uint64_t address, uint8_t value)
{
    number(say("writeb 0x%" PRIx64 " 0x%x", address, value));
}

static G_GNUC_UNUSED void writew(uint64_t address, uint16_t value)
{
    number(say("writew 0x%" PRIx64 " 0x%x", address, value));
}

static G_GNUC_UNUSED void writel(uint64_t address, uint32_t value)
{
    number(say("writel 0x%" PRIx64 " 0x%x", address, value));
}

static G_GNUC_UNUSED void writeq(uint64_t address, uint64_t value)
{
    number(say("writeq 0x%" PRIx64 " 0x%" PRIx64, address, value));
}

static G_GNUC_UNUSED void step(uint64_t ns)
{
    number(say("clock_step %" PRIu64, ns));
}

/* ---- PCI ---- */

static G_GNUC_UNUSED uint32_t config_read(unsigned devfn, unsigned at)
{
    number(say("outl 0xcf8 0x%x", 0x80000000u | devfn << 8 | (at & 0xfc)));
    return (uint32_t)number(say("inl 0xcfc"));
}

static G_GNUC_UNUSED void config_write(unsigned devfn, unsigned at, uint32_t value)
{
    number(say("outl 0xcf8 0x%x", 0x80000000u | devfn << 8 | (at & 0xfc)));
    number(say("outl 0xcfc 0x%x", value));
}

/* Memory decoding, I/O decoding and bus mastering. */
static G_GNUC_UNUSED void config_enable(unsigned devfn)
{
    config_write(devfn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* PCIEXBAR: 256 MiB, enabled. */
static G_GNUC_UNUSED void ecam_enable(void)
{
    config_write(0, 0x60, ECAM | 1);
}

static G_GNUC_UNUSED uint64_t ecam(unsigned bus, unsigned devfn, unsigned at)
{
    return ECAM + ((uint64_t)bus << 20 | (uint64_t)devfn << 12 | at);
}

/* ---- QMP ---- */

/* Sends one object; the last object that comes back, which is the answer. */
static G_GNUC_UNUSED JsonObject *command(const char *text)
{
    g_autoptr(GString) input = g_string_new(text);
    g_auto(GStrv) lines = NULL;
    g_autoptr(JsonNode) node = NULL;
    JsonObject *answer = NULL;

    g_string_append_c(input, '\n');
    g_string_truncate(machine->messages, 0);
    qmp_receive(machine, input);
    lines = g_strsplit(g_strstrip(machine->messages->str), "\r\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_autoptr(JsonNode) one = json_from_string(*line, NULL);

        cr_assert_not_null(one, "%s", *line);
        if (!json_object_has_member(json_node_get_object(one), "event"))
            answer = json_object_ref(json_node_get_object(one));
    }
    machine->messages->len = strlen(machine->messages->str);
    cr_assert_not_null(answer, "no answer to %s", text);
    return answer;
}

/* The same for a command that is to succeed; what came, events too, is in machine->messages. */
static G_GNUC_UNUSED void command_good(const char *text)
{
    g_autoptr(JsonObject) answer = command(text);

    cr_assert(json_object_has_member(answer, "return"), "%s: %s", text, machine->messages->str);
}

/* Vectors that local APIC 0 was asked for, as `info lapic` tells them. g_free() it. */
static G_GNUC_UNUSED char *vectors(void)
{
    g_autofree char *text = monitor_execute(machine, "info lapic 0");
    char *line = strstr(text, "IRR");

    line[strcspn(line, "\r\n")] = '\0';
    return g_strstrip(g_strdup(line + 3));
}

#endif
