/* SPDX-License-Identifier: Apache-2.0 */
/* A few lines of the human monitor, for tests that look inside: the requested vectors of a local
 * APIC above all. */
#include <string.h>

#include "bindings/qtest/session.h"

#define APIC_ISR 0x100 /* SPEC: SDM vol. 3A, 11.4.1: eight registers, 16 bytes apart */
#define APIC_TMR 0x180
#define APIC_IRR 0x200

typedef void monitor_fn(struct session *session, const char *argument, GString *out);

static bool bit(const struct iov_apic *apic, unsigned set, unsigned vector)
{
    guint32 word;

    memcpy(&word, apic->page + set + vector / 32 * 16, sizeof word);
    return word >> (vector % 32) & 1;
}

static void print_vectors(const struct iov_apic *apic, const char *name, unsigned set, GString *out)
{
    bool any = false;

    g_string_append_printf(out, "%s\t", name);
    for (unsigned vector = 0; vector < 256; vector++) {
        if (!bit(apic, set, vector))
            continue;
        g_string_append_printf(out, " %u%s", vector, bit(apic, APIC_TMR, vector) ? "(level)" : "");
        any = true;
    }
    g_string_append(out, any ? "\r\n" : " (none)\r\n");
}

static void info_lapic(struct session *session, const char *argument, GString *out)
{
    unsigned index = (unsigned)g_ascii_strtoull(argument, NULL, 0);
    struct iov_apic *apic = machine_apic(session->machine, index);
    guint64 value = 0;

    if (apic == NULL) {
        g_string_append(out, "No local APIC\r\n");
        return;
    }
    g_string_append_printf(out, "dumping local APIC state for CPU %u\r\n\r\n", index);
    apic->ops->read(apic, 0xf0, &value);
    g_string_append_printf(out, "SPIV\t 0x%08x\r\n", (unsigned)value);
    print_vectors(apic, "ISR", APIC_ISR, out);
    print_vectors(apic, "IRR", APIC_IRR, out);
}

static void info_status(struct session *session, const char *argument, GString *out)
{
    (void)argument;
    g_string_append_printf(out, "VM status: %s\r\n", session->stopped ? "paused" : "running");
}

static void info_version(struct session *session, const char *argument, GString *out)
{
    (void)session;
    (void)argument;
    g_string_append(out, "iovsim " IOV_VERSION "\r\n");
}

/* The parts with their kinds. */
static void info_qtree(struct session *session, const char *argument, GString *out)
{
    struct iov_platform *platform = session->machine->platform;

    (void)argument;
    for (unsigned i = 0; i < iov_platform_count(platform); i++) {
        IovModel *model = iov_platform_at(platform, i);

        g_string_append_printf(out, "%s: %s\r\n", model->path,
                               IOV_MODEL_GET_CLASS(model)->info->kind);
    }
}

static void system_reset(struct session *session, const char *argument, GString *out)
{
    (void)argument;
    (void)out;
    machine_reset(session->machine);
    qmp_event(session, "RESET", NULL);
}

static void stop(struct session *session, const char *argument, GString *out)
{
    (void)argument;
    (void)out;
    if (!session->stopped)
        qmp_event(session, "STOP", NULL);
    session->stopped = true;
}

static void cont(struct session *session, const char *argument, GString *out)
{
    (void)argument;
    (void)out;
    if (session->stopped)
        qmp_event(session, "RESUME", NULL);
    session->stopped = false;
}

static void quit(struct session *session, const char *argument, GString *out)
{
    (void)argument;
    (void)out;
    session->quit = true;
}

/* -drive's value behind the bus's, as in `drive_add 0 if=none,id=d1`. */
static void drive_add(struct session *session, const char *argument, GString *out)
{
    const char *text = strchr(argument, ' ');
    g_autoptr(GError) error = NULL;
    struct option *option = option_new("drive", text != NULL ? text + 1 : argument, &error);

    if (option != NULL && machine_add_drive(session->machine, option, &error))
        g_string_append(out, "OK\r\n");
    else
        g_string_append_printf(out, "%s\r\n", error->message);
    option_free(option);
}

static const struct monitor_row {
    const char *name;
    monitor_fn *run;
} rows[] = {
    { "info lapic", info_lapic },
    { "info status", info_status },
    { "info version", info_version },
    { "info qtree", info_qtree },
    { "system_reset", system_reset },
    { "stop", stop },
    { "cont", cont },
    { "quit", quit },
    { "drive_add", drive_add },
};

char *monitor_execute(struct session *session, const char *line)
{
    GString *out = g_string_new(NULL);
    g_autofree char *text = g_strstrip(g_strdup(line));

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        gsize length = strlen(rows[i].name);

        if (strncmp(rows[i].name, text, length) != 0 ||
            (text[length] != '\0' && text[length] != ' '))
            continue;
        rows[i].run(session, g_strchug(text + length), out);
        return g_string_free(out, FALSE);
    }
    g_string_append_printf(out, "unknown command: '%.64s'\r\n", text);
    return g_string_free(out, FALSE);
}
