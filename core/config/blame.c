/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a run goes that is given up: who waits for a connection, whether frames were
 * dropped, which processor works meanwhile, at what, for which thread, and what that hints at.
 * LIMIT: the time since the measurement began counts, not only that in which nothing was finished.
 */
#include <inttypes.h>

#include "core/config/config-private.h"
#include "core/trace/measure.h"

enum { BUSY_LEAST = 50 }; /* percent: less is nobody's fault */

static unsigned percent(iov_time part, iov_time of)
{
    return of > 0 ? (unsigned)((double)part * 100 / (double)of + 0.5) : 0;
}

static enum iov_part main_part(const struct iov_processor_use *use)
{
    enum iov_part most = 0;

    for (enum iov_part part = 0; part < IOV_PART_COUNT; part++) {
        if (use->used[part] > use->used[most])
            most = part;
    }
    return most;
}

static void add_thread(GString *text, const struct iov_measure *measure, iov_time window)
{
    const struct iov_thread_use *most = NULL;

    for (unsigned i = 0; i < measure->thread_count; i++) {
        if (most == NULL || measure->threads[i].busy > most->busy)
            most = &measure->threads[i];
    }
    if (most != NULL && most->busy > 0)
        g_string_append_printf(text, "; of the threads '%s' had most, %u %% of a processor",
                               most->name, percent(most->busy, window));
}

/* Returns whether there were any. */
static bool add_virtual(GString *text, const struct iov_measure *measure, iov_time window)
{
    const struct iov_virtual_use *most = NULL;

    for (unsigned i = 0; i < measure->virtual_count; i++) {
        if (most == NULL || measure->virtuals[i]->interrupts > most->interrupts)
            most = measure->virtuals[i];
    }
    if (most == NULL || most->interrupts < window / IOV_SEC * 1000)
        return false;
    g_string_append_printf(text, "; '%s' took %.0f interrupts a second", most->name,
                           (double)most->interrupts * (double)IOV_SEC / (double)window);
    return true;
}

static const char *advice(enum iov_part part, bool interrupted)
{
    if (part == IOV_PART_HOST)
        return "The host's interrupts may leave its threads no time: moderate them (rx-usecs of "
               "what has the card) or let the thread run elsewhere (cpus, core)";
    if (interrupted)
        return "Interrupts may leave the guest's tasks no time: moderate them "
               "(guest.interrupt-throttle-rate) or spread them (guest.irq-affinity)";
    return "Somebody has more to do than gets done: less load, or more processors";
}

/* Before its first operation. */
static void add_missing(GString *text, const struct iov_measure *measure)
{
    for (unsigned i = 0; i < measure->guest_count; i++) {
        const struct iov_guest_use *use = &measure->guests[i];

        if (use->connections_missing > 0)
            g_string_append_printf(text, ". No TCP connection came about for '%s'", use->name);
    }
}

/* What is waited for may be among them. */
static void add_drops(GString *text, const struct iov_measure *measure)
{
    if (measure->counters.drops > 0)
        g_string_append_printf(text,
                               ". %" PRIu64 " frames were dropped for want of room: the statistics "
                               "(-o) tell by whom",
                               measure->counters.drops);
}

char *blame(const struct iov_measure *measure, iov_time now)
{
    GString *text = g_string_new(NULL);
    iov_time window = now - measure->begin;
    struct iov_processor_use use;
    unsigned busiest, busy;

    add_missing(text, measure);
    add_drops(text, measure);
    if (!iov_measure_busiest(measure, &busiest, &use))
        return g_string_free(text, FALSE);
    busy = percent(use.busy, window);
    if (busy < BUSY_LEAST) {
        g_string_append_printf(text,
                               ". No processor was busy, host processor %u most (%u %%): what is "
                               "waited for was lost, or nobody sends it: look for drops, and for "
                               "what the far end received, in the statistics (-o)",
                               busiest, busy);
    } else {
        enum iov_part part = main_part(&use);

        g_string_append_printf(text,
                               ". Host processor %u was busy %u %% of the time, %u %% with '%s'",
                               busiest, busy, percent(use.used[part], window), iov_part_name(part));
        add_thread(text, measure, window);
        g_string_append_printf(text, ". %s", advice(part, add_virtual(text, measure, window)));
    }
    return g_string_free(text, FALSE);
}
