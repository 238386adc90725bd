/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurement of one run: when it is open, what requests cost, how the phases of a replay
 * differ.
 *
 * Recording a request is fast plane: additions into fixed memory. Everything else is called a few
 * times a run.
 */
#include "core/trace/measure.h"

#include <glib.h>
#include <string.h>

#include "core/port/exec.h"
#include "core/trace/waterfall.h"

/* A processor and how it stood at the beginning. */
struct watched {
    struct iov_processor *processor;
    iov_time busy;
    iov_time used[IOV_PART_COUNT];
};

/* A thread and what it had used at the beginning. */
struct watched_thread {
    char *name;
    iov_time (*busy)(const void *thread);
    const void *thread;
    iov_time base;
};

struct iov_measure_private {
    GArray *watched; /* struct watched */
    GArray *threads; /* struct watched_thread */
};

/* Silence that makes nobody give a run up. */
#define PATIENCE (20 * IOV_SEC)

struct iov_measure *iov_measure_new(struct iov_kernel *kernel)
{
    struct iov_measure *measure = g_new0(struct iov_measure, 1);

    measure->kernel = kernel;
    measure->latency = iov_histogram_new();
    measure->interrupts = iov_interrupt_path_new();
    measure->private_data = g_new0(struct iov_measure_private, 1);
    measure->private_data->watched = g_array_new(FALSE, FALSE, sizeof(struct watched));
    measure->private_data->threads = g_array_new(FALSE, FALSE, sizeof(struct watched_thread));
    measure->patience = PATIENCE;
    return measure;
}

static void drop_phases(struct iov_measure *measure)
{
    struct iov_phase *next;

    for (struct iov_phase *phase = measure->phases; phase != NULL; phase = next) {
        next = phase->next;
        g_free(phase->name);
        g_free(phase);
    }
    measure->phases = NULL;
    measure->last_phase = NULL;
}

void iov_measure_free(struct iov_measure *measure)
{
    if (measure == NULL)
        return;
    drop_phases(measure);
    iov_histogram_free(measure->latency);
    iov_interrupt_path_free(measure->interrupts);
    for (unsigned k = 0; k < measure->private_data->threads->len; k++)
        g_free(g_array_index(measure->private_data->threads, struct watched_thread, k).name);
    g_array_free(measure->private_data->threads, TRUE);
    g_free(measure->threads);
    for (unsigned k = 0; k < measure->guest_count; k++) {
        g_free(measure->guests[k].name);
        iov_histogram_free(measure->guests[k].latency);
    }
    g_free(measure->guests);
    for (unsigned k = 0; k < measure->virtual_count; k++) {
        g_free(measure->virtuals[k]->name);
        g_free(measure->virtuals[k]);
    }
    g_free(measure->virtuals);
    g_array_unref(measure->private_data->watched);
    g_free(measure->private_data);
    g_free(measure);
}

/* Zeroes the numbers; regions keep their names and indices. */
static void clear_counters(struct iov_counters *counters)
{
    struct iov_counters fresh = { .region_count = counters->region_count };

    for (unsigned i = 0; i < counters->region_count; i++)
        fresh.regions[i].name = counters->regions[i].name;
    *counters = fresh;
}

static void note_processor(struct watched *watched)
{
    iov_processor_settle(watched->processor);
    watched->busy = watched->processor->busy;
    memcpy(watched->used, watched->processor->used, sizeof watched->used);
}

void iov_measure_watch(struct iov_measure *measure, struct iov_processor *processor)
{
    struct watched watched = { .processor = processor };

    note_processor(&watched);
    g_array_append_val(measure->private_data->watched, watched);
}

/* LIMIT: an access to another simulator's model that begins before the measurement counts as a
 * whole. */
static struct iov_processor_use use_of(const struct watched *watched)
{
    struct iov_processor_use use = { .processors = 1 };

    iov_processor_settle(watched->processor);
    use.busy = watched->processor->busy - watched->busy;
    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        use.used[part] = watched->processor->used[part] - watched->used[part];
    return use;
}

static void sum_processors(struct iov_measure *measure)
{
    const GArray *list = measure->private_data->watched;
    struct iov_processor_use sum = { .processors = list->len };
    iov_time all = list->len * (measure->end - measure->begin);

    for (unsigned i = 0; i < list->len; i++) {
        struct iov_processor_use use = use_of(&g_array_index(list, struct watched, i));

        sum.busy += use.busy;
        for (unsigned part = 0; part < IOV_PART_COUNT; part++)
            sum.used[part] += use.used[part];
    }
    sum.idle = all > sum.busy ? all - sum.busy : 0;
    measure->use = sum;
}

bool iov_measure_busiest(const struct iov_measure *measure, unsigned *ret_processor,
                         struct iov_processor_use *ret_use)
{
    const GArray *list = measure->private_data->watched;

    for (unsigned i = 0; i < list->len; i++) {
        struct iov_processor_use use = use_of(&g_array_index(list, struct watched, i));

        if (i > 0 && use.busy <= ret_use->busy)
            continue;
        *ret_processor = i;
        *ret_use = use;
    }
    return list->len > 0;
}

void iov_measure_watch_thread(struct iov_measure *measure, const char *name,
                              iov_time (*busy)(const void *thread), const void *thread)
{
    struct watched_thread watched = { g_strdup(name), busy, thread, busy(thread) };

    g_array_append_val(measure->private_data->threads, watched);
}

const char *iov_measure_thread_name(const struct iov_measure *measure, const void *thread)
{
    const GArray *list = measure->private_data->threads;

    for (unsigned i = 0; i < list->len; i++) {
        if (g_array_index(list, struct watched_thread, i).thread == thread)
            return g_array_index(list, struct watched_thread, i).name;
    }
    return NULL;
}

static void sum_threads(struct iov_measure *measure)
{
    const GArray *list = measure->private_data->threads;

    measure->threads = g_renew(struct iov_thread_use, measure->threads, list->len);
    measure->thread_count = list->len;
    for (unsigned i = 0; i < list->len; i++) {
        const struct watched_thread *watched = &g_array_index(list, struct watched_thread, i);

        measure->threads[i] =
            (struct iov_thread_use){ watched->name,
                                     watched->busy(watched->thread) - watched->base };
    }
}

void iov_measure_explain(struct iov_measure *measure, struct iov_waterfall *waterfall,
                         uint64_t number)
{
    measure->waterfall = waterfall;
    measure->explained = number;
}

void iov_measure_request_attach(struct iov_measure *measure, struct iov_span *span)
{
    if (measure->waterfall != NULL && measure->open)
        iov_waterfall_attach(measure->waterfall, span);
}

void iov_measure_expect_silence(struct iov_measure *measure, iov_time silence)
{
    measure->patience = MAX(measure->patience, silence);
}

static void clear_guests(struct iov_measure *measure)
{
    for (unsigned i = 0; i < measure->guest_count; i++) {
        measure->guests[i].operations = 0;
        measure->guests[i].bytes = 0;
        measure->guests[i].delivery = (struct iov_delivery){ 0 };
        iov_histogram_reset(measure->guests[i].latency);
    }
}

static void clear_virtuals(struct iov_measure *measure)
{
    for (unsigned i = 0; i < measure->virtual_count; i++)
        *measure->virtuals[i] = (struct iov_virtual_use){ .name = measure->virtuals[i]->name };
}

void iov_measure_begin(struct iov_measure *measure)
{
    clear_counters(&measure->counters);
    drop_phases(measure);
    iov_histogram_reset(measure->latency);
    clear_guests(measure);
    clear_virtuals(measure);
    iov_interrupt_path_reset(measure->interrupts);
    memset(measure->parts_high, 0, sizeof measure->parts_high);
    memset(measure->parts_low, 0, sizeof measure->parts_low);
    measure->operations = 0;
    measure->bytes = 0;
    measure->delivery = (struct iov_delivery){ 0 };
    measure->mismatches = 0;
    measure->begin = iov_now(measure->kernel);
    measure->end = measure->begin;
    measure->open = true;
    measure->ended = false;
    measure->complete = false;
    if (measure->reset_models != NULL)
        measure->reset_models(measure->reset_context);
    measure->begun = 0;
    for (unsigned i = 0; i < measure->private_data->threads->len; i++) {
        struct watched_thread *thread =
            &g_array_index(measure->private_data->threads, struct watched_thread, i);

        thread->base = thread->busy(thread->thread);
    }
    for (unsigned i = 0; i < measure->private_data->watched->len; i++)
        note_processor(&g_array_index(measure->private_data->watched, struct watched, i));
}

/* ---- Guests ---- */

struct iov_virtual_use *iov_measure_virtual(struct iov_measure *measure, const char *name)
{
    struct iov_virtual_use *use = g_new0(struct iov_virtual_use, 1);

    use->name = g_strdup(name);
    measure->virtuals =
        g_renew(struct iov_virtual_use *, measure->virtuals, measure->virtual_count + 1);
    measure->virtuals[measure->virtual_count++] = use;
    return use;
}

unsigned iov_measure_join(struct iov_measure *measure, const char *name)
{
    measure->guests = g_renew(struct iov_guest_use, measure->guests, measure->guest_count + 1);
    measure->guests[measure->guest_count] =
        (struct iov_guest_use){ .name = g_strdup(name), .latency = iov_histogram_new() };
    return measure->guest_count++;
}

void iov_measure_guest_ready(struct iov_measure *measure, unsigned guest)
{
    measure->guests[guest].ready = true;
    for (unsigned i = 0; i < measure->guest_count; i++) {
        if (!measure->guests[i].ready)
            return;
    }
    iov_measure_begin(measure);
}

void iov_measure_guest_finished(struct iov_measure *measure, unsigned guest)
{
    measure->guests[guest].finished = true;
    for (unsigned i = 0; i < measure->guest_count; i++) {
        if (!measure->guests[i].finished)
            return;
    }
    iov_measure_end(measure, true);
    iov_kernel_stop(measure->kernel);
}

void iov_measure_guest_stands_by(struct iov_measure *measure, unsigned guest)
{
    measure->guests[guest].stands_by = true;
    iov_measure_guest_ready(measure, guest);
    iov_measure_guest_finished(measure, guest);
}

unsigned iov_measure_guests_at_work(const struct iov_measure *measure)
{
    unsigned count = 0;

    for (unsigned i = 0; i < measure->guest_count; i++)
        count += !measure->guests[i].stands_by;
    return count;
}

void iov_measure_guest_request(struct iov_measure *measure, unsigned guest, struct iov_span *span,
                               uint64_t bytes)
{
    struct iov_guest_use *use = &measure->guests[guest];

    if (measure->ended)
        return;
    iov_histogram_record(use->latency, iov_now(measure->kernel) - span->begin);
    use->operations++;
    use->bytes += bytes;
    if (iov_span_ends_when_sent(span)) {
        use->delivery.sent++;
        use->delivery.sent_bytes += bytes;
    }
    iov_measure_request(measure, span, bytes);
}

uint32_t iov_measure_fairness(const struct iov_measure *measure)
{
    unsigned __int128 sum = 0, squares = 0;

    for (unsigned i = 0; i < measure->guest_count; i++) {
        uint64_t operations = measure->guests[i].operations;

        sum += operations;
        squares += (unsigned __int128)operations * operations;
    }
    /* SPEC: Jain, Chiu, Hawe, A quantitative measure of fairness, DEC TR-301, 1984. */
    return squares == 0
               ? 0
               : (uint32_t)(sum * sum * 1000000 / (squares * iov_measure_guests_at_work(measure)));
}

void iov_measure_end(struct iov_measure *measure, bool complete)
{
    if (measure->ended)
        return;
    measure->end = iov_now(measure->kernel);
    measure->open = false;
    measure->ended = true;
    measure->complete = complete;
    sum_processors(measure);
    sum_threads(measure);
}

void iov_measure_request(struct iov_measure *measure, struct iov_span *span, uint64_t bytes)
{
    iov_time latency = iov_now(measure->kernel) - span->begin;
    iov_time sum = 0;

    /* Whoever still holds it, as the device's next interrupt may, has nothing to add. */
    span->log = NULL;
    if (measure->ended)
        return; /* a straggler: the figures of the run are closed */
    for (unsigned part = 0; part < IOV_PART_COUNT; part++) {
        iov_time time = span->parts[part];

        sum += time;
        measure->parts_low[part] += time;
        measure->parts_high[part] += measure->parts_low[part] < time;
    }
    if (sum != latency)
        measure->mismatches++;
    iov_histogram_record(measure->latency, latency);
    measure->operations++;
    measure->bytes += bytes;
    if (iov_span_ends_when_sent(span)) {
        measure->delivery.sent++;
        measure->delivery.sent_bytes += bytes;
    }
}

void iov_measure_arrived(struct iov_measure *measure, unsigned guest, uint32_t payload)
{
    if (payload == 0 || measure == NULL || measure->ended || guest >= measure->guest_count)
        return;
    measure->delivery.arrived++;
    measure->delivery.arrived_bytes += payload;
    measure->guests[guest].delivery.arrived++;
    measure->guests[guest].delivery.arrived_bytes += payload;
}

unsigned iov_measure_region(struct iov_measure *measure, const char *name)
{
    struct iov_counters *counters = &measure->counters;

    for (unsigned i = 0; i < counters->region_count; i++) {
        if (strcmp(counters->regions[i].name, name) == 0)
            return i;
    }
    /* LIMIT: what does not fit any more is counted together, as the last region. */
    if (counters->region_count == IOV_MEASURE_REGIONS)
        return IOV_MEASURE_REGIONS - 1;
    if (counters->region_count == IOV_MEASURE_REGIONS - 1)
        name = "other";
    counters->regions[counters->region_count].name = g_intern_string(name);
    return counters->region_count++;
}

void iov_measure_phase_begin(struct iov_measure *measure, const char *name)
{
    struct iov_phase *phase = g_new0(struct iov_phase, 1);

    phase->name = g_strdup(name);
    phase->counters = measure->counters;
    phase->begin = iov_now(measure->kernel);
    phase->end = phase->begin;
    phase->open = true;
    if (measure->last_phase != NULL)
        measure->last_phase->next = phase;
    else
        measure->phases = phase;
    measure->last_phase = phase;
}

/* after - before, for every number of the struct. */
static void subtract_counters(struct iov_counters *before, const struct iov_counters *after)
{
    struct iov_counters difference = *after;

    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        difference.exits[i] -= before->exits[i];
    for (unsigned i = 0; i < before->region_count; i++) {
        difference.regions[i].accesses -= before->regions[i].accesses;
        difference.regions[i].exits -= before->regions[i].exits;
    }
    difference.user_exits -= before->user_exits;
    difference.device_accesses -= before->device_accesses;
    difference.device_exits -= before->device_exits;
    difference.apic_accesses -= before->apic_accesses;
    difference.timer_accesses -= before->timer_accesses;
    difference.interrupts -= before->interrupts;
    difference.timer_interrupts -= before->timer_interrupts;
    difference.injections -= before->injections;
    difference.posted -= before->posted;
    difference.kicks -= before->kicks;
    difference.kicks_suppressed -= before->kicks_suppressed;
    difference.context_switches -= before->context_switches;
    difference.wakeups -= before->wakeups;
    difference.copies -= before->copies;
    difference.copied_bytes -= before->copied_bytes;
    difference.hypercalls -= before->hypercalls;
    difference.domain_switches -= before->domain_switches;
    difference.drops -= before->drops;
    difference.guest_faults -= before->guest_faults;
    *before = difference;
}

void iov_measure_phase_end(struct iov_measure *measure, uint64_t units)
{
    struct iov_phase *phase = measure->last_phase;

    if (phase == NULL || !phase->open)
        return;
    subtract_counters(&phase->counters, &measure->counters);
    phase->units = units;
    phase->end = iov_now(measure->kernel);
    phase->open = false;
}
