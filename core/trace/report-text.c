/* SPDX-License-Identifier: Apache-2.0 */
/* stats.txt: what a person looks for first, on one screen; everything else is in stats.json. */
#include "core/trace/report-private.h"

#include <string.h>

#define BAR_WIDTH 40 /* characters for the whole latency */
#define NAME_WIDTH 24

static void put_figure(GString *text, const char *name, const char *value, const char *unit)
{
    g_string_append_printf(text, "  %-*s %16s %s\n", NAME_WIDTH, name, value, unit);
}

static void put_head(GString *text, const struct iov_report *report)
{
    const struct iov_measure *measure = report->measure;
    char buffer[REPORT_NUMBER_SIZE];

    if (report->strategy[0] != '\0')
        g_string_append_printf(text, "strategy %s, ", report->strategy);
    if (report->workload != NULL && report->workload[0] != '\0')
        g_string_append_printf(text, "workload %s, ", report->workload);
    g_string_append_printf(text, "seed %" G_GUINT64_FORMAT "\n", report->seed);
    g_string_append_printf(text, "%" G_GUINT64_FORMAT " operations in %s us of simulated time%s\n",
                           measure->operations,
                           iov_report_ratio(buffer, measure->end - measure->begin, IOV_US, 3),
                           measure->complete ? "" : " (INCOMPLETE)");
    if (measure->mismatches > 0)
        g_string_append_printf(
            text, "WARNING: the parts of %" G_GUINT64_FORMAT " operations do not add up\n",
            measure->mismatches);
}

static void put_latency(GString *text, const struct iov_measure *measure)
{
    static const struct {
        const char *name;
        uint32_t at;
    } quantiles[] = {
        { "median", 500000 }, { "p90", 900000 }, { "p99", 990000 }, { "p99.9", 999000 }
    };
    const struct iov_histogram *latency = measure->latency;
    char buffer[REPORT_NUMBER_SIZE];

    g_string_append(text, "\nlatency\n");
    put_figure(text, "mean", iov_report_ns(buffer, iov_histogram_mean(latency)), "ns");
    for (unsigned i = 0; i < G_N_ELEMENTS(quantiles); i++)
        put_figure(text, quantiles[i].name,
                   iov_report_ns(buffer, iov_histogram_quantile(latency, quantiles[i].at)), "ns");
    put_figure(text, "max", iov_report_ns(buffer, iov_histogram_max(latency)), "ns");
}

/* One bar a part, each beginning where the one above ends: a waterfall of the mean operation. */
static void put_waterfall(GString *text, const struct iov_measure *measure)
{
    iov_time parts[IOV_PART_COUNT];
    iov_time mean;
    iov_time before = 0;
    char buffer[REPORT_NUMBER_SIZE], percent[REPORT_NUMBER_SIZE];

    iov_report_parts(measure, parts, &mean);
    if (mean == 0)
        return;
    g_string_append(text, "\nwhere the time of a mean operation goes\n");
    for (unsigned i = 0; i < IOV_PART_COUNT; i++) {
        unsigned from = (unsigned)((unsigned __int128)before * BAR_WIDTH / mean);
        unsigned to = (unsigned)(((unsigned __int128)before + parts[i]) * BAR_WIDTH / mean);

        if (parts[i] == 0)
            continue;
        before += parts[i];
        g_string_append_printf(
            text, "  %-*s %16s ns %6s %%  %*s", NAME_WIDTH, iov_part_name((enum iov_part)i),
            iov_report_ns(buffer, parts[i]),
            iov_report_ratio(percent, (unsigned __int128)parts[i] * 100, mean, 1), (int)from, "");
        for (unsigned column = from; column < MAX(to, from + 1); column++)
            g_string_append_c(text, '#');
        g_string_append_c(text, '\n');
    }
    put_figure(text, "sum", iov_report_ns(buffer, before), "ns");
}

static void put_exits(GString *text, const struct iov_measure *measure)
{
    const struct iov_counters *counters = &measure->counters;
    char buffer[REPORT_NUMBER_SIZE];
    uint64_t total = 0;

    g_string_append(text, "\nVM exits an operation\n");
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++) {
        const char *name = iov_exit_reason_name(i);

        total += counters->exits[i];
        if (counters->exits[i] > 0)
            put_figure(text, name != NULL ? name : "other",
                       iov_report_ratio(buffer, counters->exits[i], measure->operations, 4), "");
    }
    put_figure(text, "total", iov_report_ratio(buffer, total, measure->operations, 4), "");
    put_figure(text, "of them to user space",
               iov_report_ratio(buffer, counters->user_exits, measure->operations, 4), "");
}

static void put_costs(GString *text, const struct iov_measure *measure)
{
    const struct iov_counters *c = &measure->counters;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        { "device accesses", c->device_accesses },
        { "of them exits", c->device_exits },
        { "APIC accesses", c->apic_accesses },
        { "device interrupts", c->interrupts },
        { "injections", c->injections },
        { "kicks", c->kicks },
        { "context switches", c->context_switches },
        { "wake-ups", c->wakeups },
        { "copies", c->copies },
        { "hypercalls", c->hypercalls },
        { "domain switches", c->domain_switches },
    };
    const unsigned rare = G_N_ELEMENTS(rows) - 2; /* left out where there are none */
    char buffer[REPORT_NUMBER_SIZE];

    g_string_append(text, "\nan operation takes\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (i < rare || rows[i].count > 0)
            put_figure(text, rows[i].name,
                       iov_report_ratio(buffer, rows[i].count, measure->operations, 4), "");
    }
    if (c->drops > 0)
        put_figure(text, "drops", iov_report_ratio(buffer, c->drops, measure->operations, 4), "");
    put_figure(text, "host CPU",
               iov_report_ratio(buffer, measure->use.busy, measure->operations * 1000, 3), "ns");
    if (measure->delivery.sent > 0)
        put_figure(text, "sent",
                   iov_report_ratio(buffer, (unsigned __int128)measure->operations * IOV_SEC,
                                    measure->end - measure->begin, 0),
                   "op/s");
    put_figure(
        text, "throughput",
        iov_report_ratio(buffer,
                         (unsigned __int128)iov_delivered(measure->operations, &measure->delivery) *
                             IOV_SEC,
                         measure->end - measure->begin, 0),
        "op/s");
}

/* The segments that occurred; nothing where all devices are software. */
static void put_interrupts(GString *text, const struct iov_interrupt_path *path)
{
    char mean[REPORT_NUMBER_SIZE], p99[REPORT_NUMBER_SIZE], most[REPORT_NUMBER_SIZE];

    if (path == NULL || iov_histogram_count(path->segments[IOV_INTERRUPT_LINK]) == 0)
        return;
    g_string_append_printf(text, "\n%-*s %10s %14s %14s %14s\n", NAME_WIDTH - 8,
                           "an interrupt's way", "count", "mean ns", "p99 ns", "max ns");
    for (unsigned i = 0; i < IOV_INTERRUPT_SEGMENTS; i++) {
        const struct iov_histogram *segment = path->segments[i];

        if (iov_histogram_count(segment) > 0)
            g_string_append_printf(
                text, "  %-*s %10" G_GUINT64_FORMAT " %14s %14s %14s\n", NAME_WIDTH - 10,
                iov_interrupt_segment_name((enum iov_interrupt_segment)i),
                iov_histogram_count(segment), iov_report_ns(mean, iov_histogram_mean(segment)),
                iov_report_ns(p99, iov_histogram_quantile(segment, 990000)),
                iov_report_ns(most, iov_histogram_max(segment)));
    }
}

static void put_guests(GString *text, const struct iov_measure *measure)
{
    iov_time duration = measure->end - measure->begin;
    char rate[REPORT_NUMBER_SIZE], p50[REPORT_NUMBER_SIZE], p99[REPORT_NUMBER_SIZE],
        p999[REPORT_NUMBER_SIZE];

    if (iov_measure_guests_at_work(measure) < 2)
        return;
    g_string_append_printf(text, "\n%-*s %12s %14s %14s %14s\n", NAME_WIDTH - 8, "guest", "op/s",
                           "p50 ns", "p99 ns", "p99.9 ns");
    for (unsigned i = 0; i < measure->guest_count; i++) {
        const struct iov_guest_use *guest = &measure->guests[i];

        if (guest->stands_by)
            continue;
        g_string_append_printf(
            text, "  %-*s %12s %14s %14s %14s\n", NAME_WIDTH - 10, guest->name,
            iov_report_ratio(rate,
                             (unsigned __int128)iov_delivered(guest->operations, &guest->delivery) *
                                 IOV_SEC,
                             duration, 0),
            iov_report_ns(p50, iov_histogram_quantile(guest->latency, 500000)),
            iov_report_ns(p99, iov_histogram_quantile(guest->latency, 990000)),
            iov_report_ns(p999, iov_histogram_quantile(guest->latency, 999000)));
    }
    g_string_append_printf(text, "  fairness (Jain) %s\n",
                           iov_report_ratio(rate, iov_measure_fairness(measure), 1000000, 4));
}

static void put_virtuals(GString *text, const struct iov_measure *measure)
{
    if (measure->virtual_count == 0)
        return;
    g_string_append_printf(text, "\n%-*s %14s %14s %14s %14s\n", NAME_WIDTH - 8,
                           "virtual processor", "interrupts/op", "IPIs/op", "frames/op",
                           "wake-ups/op");
    for (unsigned i = 0; i < measure->virtual_count; i++) {
        const struct iov_virtual_use *use = measure->virtuals[i];
        const uint64_t counts[] = { use->interrupts, use->ipis, use->frames, use->wakeups };

        g_string_append_printf(text, "  %-*s", NAME_WIDTH - 10, use->name);
        for (unsigned k = 0; k < G_N_ELEMENTS(counts); k++) {
            char number[REPORT_NUMBER_SIZE];

            g_string_append_printf(text, " %14s",
                                   iov_report_ratio(number, counts[k], measure->operations, 4));
        }
        g_string_append_c(text, '\n');
    }
}

static void put_phases(GString *text, const struct iov_measure *measure)
{
    if (measure->phases == NULL)
        return;
    g_string_append_printf(text, "\n%-*s %10s %10s %10s\n", NAME_WIDTH + 2, "phase", "units",
                           "exits", "user");
    for (const struct iov_phase *phase = measure->phases; phase != NULL; phase = phase->next) {
        uint64_t total = 0;

        for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
            total += phase->counters.exits[i];
        if (!phase->open)
            g_string_append_printf(
                text,
                "  %-*s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT "\n",
                NAME_WIDTH, phase->name, phase->units, total, phase->counters.user_exits);
    }
}

char *iov_report_text(const struct iov_report *report)
{
    GString *text = g_string_new(NULL);

    put_head(text, report);
    if (report->measure->operations > 0) {
        put_latency(text, report->measure);
        put_waterfall(text, report->measure);
        put_exits(text, report->measure);
        put_costs(text, report->measure);
        put_interrupts(text, report->measure->interrupts);
        put_guests(text, report->measure);
        put_virtuals(text, report->measure);
    }
    put_phases(text, report->measure);
    return g_string_free(text, FALSE);
}
