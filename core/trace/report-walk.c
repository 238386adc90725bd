/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report says and in which order. All arithmetic is on integers: a mean or a rate is an
 * exact quotient, rounded once, when it is printed.
 */
#include "core/trace/report-private.h"

#include <string.h>

#define PER_OP_DECIMALS 4

/* ---- Numbers ---- */

const char *iov_report_ratio(char *buffer, unsigned __int128 numerator, uint64_t denominator,
                             unsigned decimals)
{
    unsigned __int128 scaled = numerator;
    uint64_t scale = 1;
    uint64_t whole, fraction;

    if (denominator == 0)
        scaled = 0, denominator = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    scaled = (scaled * scale + denominator / 2) / denominator;
    whole = (uint64_t)(scaled / scale);
    fraction = (uint64_t)(scaled % scale);
    if (decimals == 0)
        g_snprintf(buffer, REPORT_NUMBER_SIZE, "%" G_GUINT64_FORMAT, whole);
    else
        g_snprintf(buffer, REPORT_NUMBER_SIZE, "%" G_GUINT64_FORMAT ".%0*" G_GUINT64_FORMAT, whole,
                   (int)decimals, fraction);
    return buffer;
}

const char *iov_report_ns(char *buffer, iov_time time)
{
    return iov_report_ratio(buffer, time, 1000, 3);
}

/* quotient = floor(sum / count) and what is left of the sum. */
static uint64_t divide(uint64_t high, uint64_t low, uint64_t count, uint64_t *ret_rest)
{
    unsigned __int128 sum = (unsigned __int128)high << 64 | low;

    *ret_rest = (uint64_t)(sum % count);
    return (uint64_t)(sum / count);
}

/* Gives `missing` units to the parts with the largest rests, one each; the first of equals wins. */
static void hand_out(iov_time parts[], uint64_t rests[], unsigned count, uint64_t missing)
{
    for (; missing > 0; missing--) {
        unsigned best = 0;

        for (unsigned i = 1; i < count; i++) {
            if (rests[i] > rests[best])
                best = i;
        }
        if (rests[best] == 0)
            return;
        parts[best]++;
        rests[best] = 0;
    }
}

void iov_report_parts(const struct iov_measure *measure, iov_time ret_parts[IOV_PART_COUNT],
                      iov_time *ret_mean)
{
    uint64_t rests[IOV_PART_COUNT] = { 0 };
    iov_time sum = 0;

    memset(ret_parts, 0, IOV_PART_COUNT * sizeof *ret_parts);
    *ret_mean = iov_histogram_mean(measure->latency);
    if (measure->operations == 0)
        return;
    for (unsigned i = 0; i < IOV_PART_COUNT; i++) {
        ret_parts[i] =
            divide(measure->parts_high[i], measure->parts_low[i], measure->operations, &rests[i]);
        sum += ret_parts[i];
    }
    if (measure->mismatches == 0 && *ret_mean > sum)
        hand_out(ret_parts, rests, IOV_PART_COUNT, *ret_mean - sum);
}

/* ---- Shorthand of the walk ---- */

static void put_count(struct report_visitor *visitor, const char *name, uint64_t value,
                      const char *unit, const char *description)
{
    char buffer[REPORT_NUMBER_SIZE];

    visitor->number(visitor, name, iov_report_ratio(buffer, value, 1, 0), unit, description);
}

static void put_ns(struct report_visitor *visitor, const char *name, iov_time value,
                   const char *description)
{
    char buffer[REPORT_NUMBER_SIZE];

    visitor->number(visitor, name, iov_report_ns(buffer, value), "ns", description);
}

static void put_per_op(struct report_visitor *visitor, const char *name, uint64_t count,
                       uint64_t operations, const char *description)
{
    char buffer[REPORT_NUMBER_SIZE];

    visitor->number(visitor, name, iov_report_ratio(buffer, count, operations, PER_OP_DECIMALS),
                    "1/op", description);
}

static uint64_t total_exits(const struct iov_counters *counters)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        total += counters->exits[i];
    return total;
}

/* ---- Groups ---- */

/* `operations` 0: plain counts. */
static void walk_exits(const char *group, const struct iov_counters *counters, bool per_op,
                       uint64_t operations, struct report_visitor *visitor)
{
    visitor->begin(visitor, group, false);
    if (per_op)
        put_per_op(visitor, "total", total_exits(counters), operations, "VM exits");
    else
        put_count(visitor, "total", total_exits(counters), "", "VM exits");
    visitor->begin(visitor, "by_reason", false);
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++) {
        const char *known = iov_exit_reason_name(i);
        char name[24];

        if (counters->exits[i] == 0)
            continue;
        if (known == NULL)
            g_snprintf(name, sizeof name, "REASON_%u", i);
        if (per_op)
            put_per_op(visitor, known != NULL ? known : name, counters->exits[i], operations,
                       "VM exits for this basic reason");
        else
            put_count(visitor, known != NULL ? known : name, counters->exits[i], "",
                      "VM exits for this basic reason");
    }
    visitor->end(visitor, false);
    visitor->end(visitor, false);
}

static void walk_per_op(const struct iov_measure *measure, struct report_visitor *visitor)
{
    const struct iov_counters *c = &measure->counters;
    const struct {
        const char *name;
        uint64_t count;
        const char *description;
    } rows[] = {
        { "device_accesses_per_op", c->device_accesses,
          "Accesses of the driver to its device's registers" },
        { "device_exits_per_op", c->device_exits, "Of the device accesses, those that exited" },
        { "user_exits_per_op", c->user_exits, "VM exits that went on to user space" },
        { "apic_accesses_per_op", c->apic_accesses, "Accesses to the local APIC, exit or not" },
        { "interrupts_per_op", c->interrupts, "Device interrupts taken by guests" },
        { "timer_interrupts_per_op", c->timer_interrupts, "Timer interrupts taken by guests" },
        { "injections_per_op", c->injections, "Events injected at VM entry" },
        { "posted_per_op", c->posted, "Interrupts delivered without an exit" },
        { "context_switches_per_op", c->context_switches, "Context switches of the host" },
        { "wakeups_per_op", c->wakeups, "Host threads woken" },
        { "copies_per_op", c->copies, "Copies of payload by software" },
        { "copied_bytes_per_op", c->copied_bytes, "Bytes of these copies" },
        { "kicks_per_op", c->kicks, "Notifications from driver to device" },
        { "kicks_suppressed_per_op", c->kicks_suppressed,
          "Notifications the driver could leave out" },
        { "hypercalls_per_op", c->hypercalls,
          "Calls to the hypervisor, of guests and of domains that serve them" },
        { "domain_switches_per_op", c->domain_switches,
          "Processors that went to the vCPU of another domain" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        put_per_op(visitor, rows[i].name, rows[i].count, measure->operations, rows[i].description);
    put_count(visitor, "drops", c->drops, "", "Frames lost for want of room");
    put_count(visitor, "guest_faults", c->guest_faults, "", "Mistakes of the guest");
}

static void walk_latency(const struct iov_measure *measure, struct report_visitor *visitor)
{
    const struct iov_histogram *latency = measure->latency;
    iov_time parts[IOV_PART_COUNT];
    iov_time mean;

    iov_report_parts(measure, parts, &mean);
    visitor->begin(visitor, "latency_ns", false);
    put_ns(visitor, "mean", mean, "Mean latency");
    put_ns(visitor, "min", iov_histogram_min(latency), "Shortest latency");
    put_ns(visitor, "p50", iov_histogram_quantile(latency, 500000), "Median latency");
    put_ns(visitor, "p90", iov_histogram_quantile(latency, 900000), "90 % are no longer than this");
    put_ns(visitor, "p99", iov_histogram_quantile(latency, 990000), "99 % are no longer than this");
    put_ns(visitor, "p999", iov_histogram_quantile(latency, 999000),
           "99.9 % are no longer than this");
    put_ns(visitor, "max", iov_histogram_max(latency), "Longest latency");
    visitor->end(visitor, false);
    visitor->begin(visitor, "latency_parts_ns", false);
    for (unsigned i = 0; i < IOV_PART_COUNT; i++)
        put_ns(visitor, iov_part_name((enum iov_part)i), parts[i], "Share of the mean latency");
    visitor->end(visitor, false);
    put_count(visitor, "mismatches", measure->mismatches, "",
              "Operations whose parts do not add up: a fault of a model");
}

/* Nothing of runs whose devices are all software. */
static void walk_interrupts(const struct iov_interrupt_path *path, struct report_visitor *visitor)
{
    static const char *const texts[IOV_INTERRUPT_SEGMENTS] = {
        "The message on its way to the root complex",
        "The remapping unit",
        "The posted-interrupt descriptor",
        "From there to the local APIC",
        "Up to the first instruction of the guest's handler",
        "From there to the end of interrupt",
    };

    if (path == NULL || iov_histogram_count(path->segments[IOV_INTERRUPT_LINK]) == 0)
        return;
    visitor->begin(visitor, "interrupt_path_ns", false);
    for (unsigned i = 0; i < IOV_INTERRUPT_SEGMENTS; i++) {
        const struct iov_histogram *segment = path->segments[i];

        visitor->begin(visitor, iov_interrupt_segment_name((enum iov_interrupt_segment)i), false);
        put_count(visitor, "count", iov_histogram_count(segment), "", texts[i]);
        put_ns(visitor, "mean", iov_histogram_mean(segment), "Mean");
        put_ns(visitor, "p50", iov_histogram_quantile(segment, 500000), "Median");
        put_ns(visitor, "p99", iov_histogram_quantile(segment, 990000),
               "99 % are no longer than this");
        put_ns(visitor, "max", iov_histogram_max(segment), "Longest");
        visitor->end(visitor, false);
    }
    put_count(visitor, "posted", path->posted, "", "Posted with a notification");
    put_count(visitor, "gathered", path->gathered, "", "Posted without one");
    visitor->end(visitor, false);
}

static void walk_throughput(const struct iov_measure *measure, struct report_visitor *visitor)
{
    iov_time duration = measure->end - measure->begin;
    char buffer[REPORT_NUMBER_SIZE];

    visitor->number(
        visitor, "throughput_ops_per_s",
        iov_report_ratio(buffer,
                         (unsigned __int128)iov_delivered(measure->operations, &measure->delivery) *
                             IOV_SEC,
                         duration, 3),
        "1/s", "Operations a second");
    visitor->number(visitor, "throughput_bits_per_s",
                    iov_report_ratio(
                        buffer,
                        (unsigned __int128)iov_delivered_bytes(measure->bytes, &measure->delivery) *
                            8 * IOV_SEC,
                        duration, 0),
                    "bit/s", "Payload");
}

/* Mean host processor time of an operation by part; the last entry is what no stream accounts for.
 * They add up to the result. */
static iov_time split_cpu(const struct iov_measure *measure, iov_time ret_parts[IOV_PART_COUNT + 1])
{
    const struct iov_processor_use *cpu = &measure->use;
    uint64_t operations = measure->operations;
    uint64_t rests[IOV_PART_COUNT + 1];
    iov_time other = cpu->busy;
    iov_time sum = 0;
    iov_time mean;

    memset(ret_parts, 0, (IOV_PART_COUNT + 1) * sizeof *ret_parts);
    if (operations == 0)
        return 0;
    mean = (iov_time)(((unsigned __int128)cpu->busy + operations / 2) / operations);
    for (unsigned i = 0; i <= IOV_PART_COUNT; i++) {
        iov_time used = i < IOV_PART_COUNT ? cpu->used[i] : other;

        other -= MIN(other, used);
        ret_parts[i] = used / operations;
        rests[i] = used % operations;
        sum += ret_parts[i];
    }
    hand_out(ret_parts, rests, IOV_PART_COUNT + 1, mean > sum ? mean - sum : 0);
    return mean;
}

static void walk_cpu(const struct iov_measure *measure, struct report_visitor *visitor)
{
    const struct iov_processor_use *cpu = &measure->use;
    iov_time parts[IOV_PART_COUNT + 1];
    char buffer[REPORT_NUMBER_SIZE];

    put_ns(visitor, "host_cpu_ns_per_op", split_cpu(measure, parts),
           "Time of the host's processors, guests included");
    visitor->begin(visitor, "host_cpu_split_ns_per_op", false);
    for (unsigned i = 0; i < IOV_PART_COUNT; i++) {
        if (cpu->used[i] > 0)
            put_ns(visitor, iov_part_name((enum iov_part)i), parts[i],
                   "Share of the host's processor time");
    }
    put_ns(visitor, "other", parts[IOV_PART_COUNT], "Share of the host's processor time");
    visitor->end(visitor, false);
    put_count(visitor, "host_processors", cpu->processors, "", "Processors of the host");
    visitor->number(
        visitor, "host_busy_percent",
        iov_report_ratio(buffer, (unsigned __int128)cpu->busy * 100, cpu->busy + cpu->idle, 2), "%",
        "Share of time that the host's processors were busy");
}

unsigned iov_report_dedicated(const struct iov_measure *measure)
{
    iov_time duration = measure->end - measure->begin;
    unsigned count = 0;

    for (unsigned i = 0; i < measure->thread_count; i++)
        count += duration > 0 && measure->threads[i].busy >= duration - duration / 1000;
    return count;
}

static void walk_threads(const struct iov_measure *measure, struct report_visitor *visitor)
{
    char buffer[REPORT_NUMBER_SIZE];

    visitor->begin(visitor, "host_thread_ns_per_op", false);
    for (unsigned i = 0; i < measure->thread_count; i++) {
        const struct iov_thread_use *thread = &measure->threads[i];

        visitor->number(visitor, thread->name,
                        iov_report_ratio(buffer, thread->busy, measure->operations * IOV_NS, 3),
                        "ns", "Processor time of this thread of the host");
    }
    visitor->end(visitor, false);
    put_count(visitor, "dedicated_cores", iov_report_dedicated(measure), "",
              "Threads that never let their processor go");
}

static void walk_guests(const struct iov_measure *measure, struct report_visitor *visitor)
{
    iov_time duration = measure->end - measure->begin;
    char buffer[REPORT_NUMBER_SIZE];

    visitor->begin(visitor, "guests", false);
    for (unsigned i = 0; i < measure->guest_count; i++) {
        const struct iov_guest_use *guest = &measure->guests[i];

        visitor->begin(visitor, guest->name, false);
        put_count(visitor, "operations", guest->operations, "", "Operations of this guest");
        visitor->number(
            visitor, "throughput_ops_per_s",
            iov_report_ratio(buffer,
                             (unsigned __int128)iov_delivered(guest->operations, &guest->delivery) *
                                 IOV_SEC,
                             duration, 3),
            "1/s", "Its operations a second");
        visitor->number(visitor, "throughput_bits_per_s",
                        iov_report_ratio(
                            buffer,
                            (unsigned __int128)iov_delivered_bytes(guest->bytes, &guest->delivery) *
                                8 * IOV_SEC,
                            duration, 0),
                        "bit/s", "Its payload");
        put_ns(visitor, "p50", iov_histogram_quantile(guest->latency, 500000),
               "Its median latency");
        put_ns(visitor, "p99", iov_histogram_quantile(guest->latency, 990000),
               "99 % of its operations take no longer than this");
        put_ns(visitor, "p999", iov_histogram_quantile(guest->latency, 999000),
               "99.9 % of its operations take no longer than this");
        visitor->end(visitor, false);
    }
    visitor->end(visitor, false);
    visitor->number(visitor, "fairness",
                    iov_report_ratio(buffer, iov_measure_fairness(measure), 1000000, 6), "",
                    "Jain's index of the guests' operations: 1 if all did as many");
}

static void walk_virtuals(const struct iov_measure *measure, struct report_visitor *visitor)
{
    if (measure->virtual_count == 0)
        return;
    visitor->begin(visitor, "virtual_processors", false);
    for (unsigned i = 0; i < measure->virtual_count; i++) {
        const struct iov_virtual_use *use = measure->virtuals[i];

        visitor->begin(visitor, use->name, false);
        put_count(visitor, "interrupts", use->interrupts, "", "Device interrupts it took");
        put_count(visitor, "ipis", use->ipis, "", "Interrupts of other processors it took");
        put_count(visitor, "frames", use->frames, "", "Received frames it brought up its stack");
        put_count(visitor, "wakeups", use->wakeups, "", "Tasks of other processors it woke");
        visitor->end(visitor, false);
    }
    visitor->end(visitor, false);
}

static void walk_regions(const struct iov_counters *counters, struct report_visitor *visitor)
{
    visitor->begin(visitor, "regions", false);
    for (unsigned i = 0; i < counters->region_count; i++) {
        visitor->begin(visitor, counters->regions[i].name, false);
        put_count(visitor, "accesses", counters->regions[i].accesses, "",
                  "Accesses of guests' software");
        put_count(visitor, "exits", counters->regions[i].exits, "", "Of them, those that exited");
        visitor->end(visitor, false);
    }
    visitor->end(visitor, false);
}

static void walk_phase(const struct iov_phase *phase, struct report_visitor *visitor)
{
    const struct iov_counters *counters = &phase->counters;

    visitor->begin(visitor, NULL, false);
    visitor->text(visitor, "name", phase->name, "Name of the phase");
    put_count(visitor, "units", phase->units, "", "Units of work in the phase");
    put_ns(visitor, "simulated_ns", phase->end - phase->begin, "Duration of the phase");
    walk_exits("exits", counters, false, 0, visitor);
    visitor->begin(visitor, "device_exits", false);
    for (unsigned i = 0; i < counters->region_count; i++) {
        if (counters->regions[i].accesses > 0 || counters->regions[i].exits > 0)
            put_count(visitor, counters->regions[i].name, counters->regions[i].exits, "",
                      "Exits by accesses to this region");
    }
    visitor->end(visitor, false);
    put_count(visitor, "user_exits", counters->user_exits, "",
              "VM exits that went on to user space");
    put_count(visitor, "interrupts", counters->interrupts, "", "Device interrupts taken by guests");
    put_count(visitor, "injections", counters->injections, "", "Events injected at VM entry");
    visitor->end(visitor, false);
}

static void walk_phases(const struct iov_measure *measure, struct report_visitor *visitor)
{
    visitor->begin(visitor, "phases", true);
    for (const struct iov_phase *phase = measure->phases; phase != NULL; phase = phase->next) {
        if (!phase->open)
            walk_phase(phase, visitor);
    }
    visitor->end(visitor, true);
}

/* ---- Models ---- */

static void walk_histogram(const struct iov_stat *row, const struct iov_histogram *histogram,
                           struct report_visitor *visitor)
{
    visitor->begin(visitor, row->name, false);
    put_count(visitor, "count", iov_histogram_count(histogram), "", row->text);
    put_count(visitor, "mean", iov_histogram_mean(histogram), "", row->text);
    put_count(visitor, "p50", iov_histogram_quantile(histogram, 500000), "", row->text);
    put_count(visitor, "p99", iov_histogram_quantile(histogram, 990000), "", row->text);
    put_count(visitor, "max", iov_histogram_max(histogram), "", row->text);
    visitor->end(visitor, false);
}

static void walk_stat(const struct iov_stat *row, const void *field, struct report_visitor *visitor)
{
    g_autofree char *name = NULL;

    switch (row->type) {
    case IOV_STAT_TYPE_TIME:
        name = g_strconcat(row->name, "-ns", NULL);
        put_ns(visitor, name, *(const uint64_t *)field, row->text);
        break;
    case IOV_STAT_TYPE_HISTOGRAM:
        if (*(struct iov_histogram *const *)field != NULL)
            walk_histogram(row, *(struct iov_histogram *const *)field, visitor);
        break;
    default:
        put_count(visitor, row->name, *(const uint64_t *)field,
                  row->type == IOV_STAT_TYPE_BYTES ? "B" : "", row->text);
    }
}

static void walk_model(IovModel *model, struct report_visitor *visitor)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(model);
    const GArray *stats = klass->info->stats;

    if (klass->update_statistics != NULL)
        klass->update_statistics(model);
    if (stats->len > 0) {
        visitor->begin(visitor, model->path, false);
        for (unsigned i = 0; i < stats->len; i++) {
            const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

            walk_stat(row, G_STRUCT_MEMBER_P(model, row->offset), visitor);
        }
        visitor->end(visitor, false);
    }
    for (unsigned i = 0; i < model->children->len; i++)
        walk_model(g_ptr_array_index(model->children, i), visitor);
}

/* ---- All ---- */

void iov_report_walk(const struct iov_report *report, struct report_visitor *visitor)
{
    const struct iov_measure *measure = report->measure;
    char buffer[REPORT_NUMBER_SIZE];

    put_count(visitor, "iovsim", IOV_REPORT_FORMAT, "", "Version of this format");
    visitor->text(visitor, "strategy", report->strategy, "I/O strategy");
    visitor->text(visitor, "workload", report->workload, "Workload");
    put_count(visitor, "seed", report->seed, "", "Seed of all random streams");
    visitor->truth(visitor, "complete", measure->complete, "Whether the workload reached its end");
    put_count(visitor, "operations", measure->operations, "", "Operations measured");
    put_ns(visitor, "simulated_ns", measure->end - measure->begin, "Duration of the measurement");
    walk_exits("exits", &measure->counters, false, 0, visitor);
    walk_exits("exits_per_op", &measure->counters, true, measure->operations, visitor);
    walk_per_op(measure, visitor);
    walk_latency(measure, visitor);
    walk_interrupts(measure->interrupts, visitor);
    walk_throughput(measure, visitor);
    walk_cpu(measure, visitor);
    walk_threads(measure, visitor);
    walk_guests(measure, visitor);
    walk_virtuals(measure, visitor);
    walk_regions(&measure->counters, visitor);
    walk_phases(measure, visitor);
    visitor->begin(visitor, "models", false);
    for (unsigned i = 0; i < report->model_count; i++)
        walk_model(report->models[i], visitor);
    visitor->end(visitor, false);
    put_count(visitor, "events", iov_kernel_events(measure->kernel), "",
              "Events the kernel ran, warm-up included");
    visitor->number(visitor, "wall_s", iov_report_ratio(buffer, report->wall_ns, 1000000000, 6),
                    "s", "Time the simulation took on its host");
}
