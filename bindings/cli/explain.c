/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `iovsim explain`: the waterfall of one request. Each line is a stretch of its time: since when,
 * how long, who had it and what for; VM exits, doorbells and interrupts stand between the lines.
 * The stretches touch and add up to the latency. With --mermaid the same as a sequence diagram.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/cli/cli-private.h"
#include "bindings/cli/run-private.h"
#include "core/trace/waterfall.h"

#define ENTRIES_MAX 4096u

static const char *const part_texts[IOV_PART_COUNT] = {
    [IOV_PART_GUEST] = "runs guest software",
    [IOV_PART_EXIT] = "leaves or enters the guest",
    [IOV_PART_MONITOR] = "handles it in the hypervisor",
    [IOV_PART_EMULATOR] = "runs the emulator, trip to user space included",
    [IOV_PART_WAKEUP] = "is woken: IPI, leaving idle, scheduling",
    [IOV_PART_COPY] = "copies the payload",
    [IOV_PART_HOST] = "runs the host's kernel",
    [IOV_PART_PCIE] = "crosses PCIe",
    [IOV_PART_IOMMU] = "is translated by the IOMMU",
    [IOV_PART_DEVICE] = "is in the device",
    [IOV_PART_WIRE] = "is on the wire",
    [IOV_PART_PEER] = "is turned round by the far end",
    [IOV_PART_INTERRUPT] = "delivers the interrupt",
    [IOV_PART_IDLE] = "is delayed on purpose",
    [IOV_PART_QUEUE] = "waits for somebody busy or asleep",
};

/* ---- Who ---- */

/* A thread of the host, or the part of the platform that the holder is or lies in. */
static const char *holder_name(const struct iov_experiment *experiment, const void *holder)
{
    struct iov_platform *platform = iov_experiment_platform(experiment);
    const char *thread = iov_measure_thread_name(iov_experiment_measure(experiment), holder);

    IovModel *model = thread == NULL ? iov_platform_with(platform, holder) : NULL;

    return model != NULL ? model->path : thread;
}

/* What a vCPU's thread is at the moment; among several guests, whose. */
static const char *role_of(const struct iov_experiment *experiment, const char *holder,
                           const char *role)
{
    g_autofree char *name = NULL;

    if (holder == NULL || strstr(holder, "/vcpu") == NULL ||
        iov_experiment_measure(experiment)->guest_count < 2)
        return role;
    name = g_strdup_printf("%.*s/%s", (int)strcspn(holder, "/"), holder, role);
    return g_intern_string(name);
}

/* A vCPU's thread is guest, monitor, host and emulator in turn, and copies for whoever of them it
 * was (`last`); others are what they are called. */
static const char *actor_of(const struct iov_experiment *experiment, const void *holder_object,
                            enum iov_part part, const char *last)
{
    const char *holder = holder_name(experiment, holder_object);
    bool is_vcpu = holder != NULL && strstr(holder, "/vcpu") != NULL;

    switch (part) {
    case IOV_PART_WIRE:
        return iov_part_name(part);
    case IOV_PART_PEER:
        return holder != NULL ? holder : iov_part_name(part);
    case IOV_PART_GUEST:
        return role_of(experiment, holder, "guest");
    case IOV_PART_INTERRUPT: /* sent by whoever has the request, taken by the guest */
        return is_vcpu || holder == NULL ? role_of(experiment, holder, "guest") : holder;
    case IOV_PART_EXIT:
    case IOV_PART_MONITOR:
        return role_of(experiment, holder, "monitor");
    case IOV_PART_EMULATOR:
        return is_vcpu || holder == NULL ? role_of(experiment, holder, "emulator") : holder;
    case IOV_PART_COPY:
        return is_vcpu || holder == NULL ? last : holder;
    case IOV_PART_PCIE:
    case IOV_PART_IOMMU:
    case IOV_PART_DEVICE:
        return is_vcpu ? role_of(experiment, holder, "guest") : holder != NULL ? holder : "device";
    default:
        return is_vcpu || holder == NULL ? role_of(experiment, holder, "host") : holder;
    }
}

/* A note that is an exit's reason says so. */
static const char *note_text(const char *note, char *buffer, size_t size)
{
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++) {
        if (note == iov_exit_reason_name(i)) {
            g_snprintf(buffer, size, "VM exit: %s", note);
            return buffer;
        }
    }
    return note;
}

/* ---- As lines ---- */

static const char *add_line(GString *out, const struct iov_experiment *experiment,
                            const struct iov_waterfall_entry *entry, iov_time begin,
                            const char *last, int width)
{
    double since = (double)(entry->from - begin) / (double)IOV_US;

    if (entry->note != NULL) {
        char buffer[64];

        g_string_append_printf(out, "%10.3f  %10s  -- %s\n", since, "",
                               note_text(entry->note, buffer, sizeof buffer));
        return last;
    }
    last = actor_of(experiment, entry->holder, entry->part, last);
    g_string_append_printf(out, "%10.3f  %10.1f  %-*s  %-9s  %s\n", since,
                           (double)(entry->to - entry->from) / (double)IOV_NS, width, last,
                           iov_part_name(entry->part), part_texts[entry->part]);
    return last;
}

static void add_sums(GString *out, const struct iov_waterfall *waterfall)
{
    iov_time sums[IOV_PART_COUNT] = { 0 }, all = 0;

    for (unsigned i = 0; i < waterfall->count; i++) {
        const struct iov_waterfall_entry *entry = &waterfall->entries[i];

        if (entry->note == NULL)
            sums[entry->part] += entry->to - entry->from;
    }
    g_string_append(out, "\nsum by part\n");
    for (unsigned part = 0; part < IOV_PART_COUNT; part++) {
        all += sums[part];
        if (sums[part] > 0)
            g_string_append_printf(out, "%22.1f  %s\n", (double)sums[part] / (double)IOV_NS,
                                   iov_part_name((enum iov_part)part));
    }
    g_string_append_printf(out, "%22.1f  ns from request to answer\n",
                           (double)all / (double)IOV_NS);
}

/* Of the column that says who. */
static int width_of(const struct iov_experiment *experiment, const struct iov_waterfall *waterfall)
{
    size_t width = 18;

    for (unsigned i = 0; i < waterfall->count; i++) {
        const struct iov_waterfall_entry *entry = &waterfall->entries[i];

        if (entry->note == NULL)
            width = MAX(width, strlen(actor_of(experiment, entry->holder, entry->part, "")));
    }
    return (int)width;
}

static char *make_lines(const struct iov_experiment *experiment,
                        const struct iov_waterfall *waterfall)
{
    int width = width_of(experiment, waterfall);
    GString *out = g_string_new(NULL);
    const char *last = "guest";

    g_string_append_printf(out, "%10s  %10s  %-*s  %-9s  what\n", "at us", "takes ns", width, "who",
                           "part");
    for (unsigned i = 0; i < waterfall->count; i++)
        last = add_line(out, experiment, &waterfall->entries[i], waterfall->entries[0].from, last,
                        width);
    add_sums(out, waterfall);
    return g_string_free(out, FALSE);
}

/* ---- As a sequence diagram ---- */

static unsigned participant_of(GPtrArray *participants, GString *declared, const char *name)
{
    for (unsigned i = 0; i < participants->len; i++) {
        if (strcmp(g_ptr_array_index(participants, i), name) == 0)
            return i;
    }
    g_ptr_array_add(participants, g_strdup(name));
    g_string_append_printf(declared, "    participant p%u as %s\n", participants->len - 1, name);
    return participants->len - 1;
}

static char *make_mermaid(const struct iov_experiment *experiment,
                          const struct iov_waterfall *waterfall)
{
    g_autoptr(GPtrArray) participants = g_ptr_array_new_with_free_func(g_free);
    GString *declared = g_string_new("sequenceDiagram\n"), *steps = g_string_new(NULL);
    const char *note = NULL, *actor = "guest";
    char buffer[64];
    unsigned last = 0;

    for (unsigned i = 0; i < waterfall->count; i++) {
        const struct iov_waterfall_entry *entry = &waterfall->entries[i];
        unsigned now;

        if (entry->note != NULL) {
            note = note_text(entry->note, buffer, sizeof buffer);
            continue;
        }
        actor = actor_of(experiment, entry->holder, entry->part, actor);
        now = participant_of(participants, declared, actor);
        if (now != last)
            g_string_append_printf(steps, "    p%u->>p%u: %s\n", last, now,
                                   note != NULL ? note : iov_part_name(entry->part));
        g_string_append_printf(steps, "    Note over p%u: %s, %.1f ns\n", now,
                               part_texts[entry->part],
                               (double)(entry->to - entry->from) / (double)IOV_NS);
        last = now;
        note = NULL;
    }
    g_string_append(declared, steps->str);
    g_string_free(steps, TRUE);
    return g_string_free(declared, FALSE);
}

/* ---- The command ---- */

static gint by_time(gconstpointer a, gconstpointer b, gpointer unused)
{
    iov_time left = ((const struct iov_waterfall_entry *)a)->from;
    iov_time right = ((const struct iov_waterfall_entry *)b)->from;

    (void)unused;
    return left < right ? -1 : left > right;
}

static int show(struct iov_experiment *experiment, struct iov_waterfall *waterfall, int64_t number,
                gboolean mermaid)
{
    const struct iov_report *report = iov_experiment_report(experiment);
    g_autofree char *text = NULL;

    if (waterfall->count == 0 && (uint64_t)number <= report->measure->operations) {
        fprintf(stderr, "iovsim: operations of this workload are no requests that go anywhere\n");
        return STATUS_USAGE;
    }
    if (waterfall->count == 0) {
        fprintf(stderr,
                "iovsim: there is no request %" G_GINT64_FORMAT ": %" G_GUINT64_FORMAT
                " were measured\n",
                number, report->measure->operations);
        return STATUS_USAGE;
    }
    /* A stretch is marked at its end: what happened meanwhile was noted before. The sort is
     * stable. */
    g_qsort_with_data(waterfall->entries, (gint)waterfall->count, sizeof *waterfall->entries,
                      by_time, NULL);
    text = mermaid ? make_mermaid(experiment, waterfall) : make_lines(experiment, waterfall);
    if (!mermaid)
        printf("request %" G_GINT64_FORMAT " of %s%s%s, seed %" G_GUINT64_FORMAT "\n\n", number,
               report->workload[0] != '\0' ? report->workload : "the run",
               report->strategy[0] != '\0' ? " over " : "", report->strategy, report->seed);
    fputs(text, stdout);
    if (waterfall->lost > 0)
        fprintf(stderr, "iovsim: %u stretches found no room\n", waterfall->lost);
    return STATUS_OK;
}

int command_explain(int argc, char **argv)
{
    gboolean mermaid = FALSE;
    int64_t number = 100;
    g_autofree char *seed = NULL;
    g_auto(GStrv) given = NULL, sets = NULL;
    const GOptionEntry entries[] = {
        { "request", 'n', 0, G_OPTION_ARG_INT64, &number,
          "Which request, counted from 1 after the warm-up (default: 100)", "N" },
        { "mermaid", 0, 0, G_OPTION_ARG_NONE, &mermaid, "Print a sequence diagram for Mermaid",
          NULL },
        { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given, "Replace a value of the file",
          "KEY=VALUE" },
        { "seed", 0, 0, G_OPTION_ARG_STRING, &seed, "Replace the seed", "N" },
        G_OPTION_ENTRY_NULL,
    };
    struct iov_experiment *experiment;
    struct iov_waterfall *waterfall;
    GError *error = NULL;
    int status;

    if (!parse_options(&argc, &argv, "FILE",
                       "Runs one experiment and tells where the time of one request went.",
                       "Examples:\n  iovsim explain configs/net-rr.yaml --set strategy=vhost-net\n"
                       "  iovsim explain configs/net-rr.yaml --request 7 --mermaid",
                       entries))
        return STATUS_USAGE;
    if (argc != 2)
        return usage_error("explain takes one file; see 'iovsim explain --help'");
    if (number < 1)
        return usage_error("--request: requests are counted from 1");
    sets = sets_with(given, "seed", seed);
    experiment = open_experiment(argv[1], sets, &error);
    if (experiment == NULL)
        return report_error(error);
    waterfall = iov_waterfall_new(ENTRIES_MAX);
    iov_measure_explain(iov_platform_run(iov_experiment_platform(experiment))->measure, waterfall,
                        (uint64_t)number);
    catch_interrupt();
    status = run_experiment(experiment, NULL, TRUE, &error)
                 ? show(experiment, waterfall, number, mermaid)
                 : report_failure(error);
    iov_experiment_free(experiment);
    iov_waterfall_free(waterfall);
    return status;
}
