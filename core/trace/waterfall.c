/* SPDX-License-Identifier: Apache-2.0 */
/* Waterfalls keep entries in a fixed array; stretches of one holder and part that touch become
 * one. */
#include "core/trace/waterfall.h"

#include <glib.h>

#include "core/trace/report-private.h"

static void append(struct iov_waterfall *waterfall, struct iov_waterfall_entry entry)
{
    if (waterfall->count == waterfall->capacity)
        waterfall->lost++;
    else
        waterfall->entries[waterfall->count++] = entry;
}

static void on_mark(struct iov_span_log *log, const void *holder, enum iov_part part, iov_time from,
                    iov_time to)
{
    struct iov_waterfall *waterfall = iov_container_of(log, struct iov_waterfall, log);
    struct iov_waterfall_entry *last =
        waterfall->count > 0 ? &waterfall->entries[waterfall->count - 1] : NULL;

    if (last != NULL && last->holder == holder && last->part == part) /* a cursor leaves no gaps */
        last->to = to;
    else
        append(waterfall, (struct iov_waterfall_entry){ from, to, holder, part, NULL });
}

static void on_note(struct iov_span_log *log, iov_time when, const char *text)
{
    append(iov_container_of(log, struct iov_waterfall, log),
           (struct iov_waterfall_entry){ .from = when, .to = when, .note = text });
}

struct iov_waterfall_names {
    GHashTable *by_holder; /* only looked up, never walked: pointers have no order */
};

struct iov_waterfall *iov_waterfall_new(unsigned capacity)
{
    struct iov_waterfall *waterfall = g_new0(struct iov_waterfall, 1);

    waterfall->log.mark = on_mark;
    waterfall->log.note = on_note;
    waterfall->entries = g_new0(struct iov_waterfall_entry, capacity);
    waterfall->capacity = capacity;
    waterfall->names = g_new0(struct iov_waterfall_names, 1);
    waterfall->names->by_holder = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return waterfall;
}

void iov_waterfall_free(struct iov_waterfall *waterfall)
{
    if (waterfall == NULL)
        return;
    g_hash_table_unref(waterfall->names->by_holder);
    g_free(waterfall->names);
    g_free(waterfall->entries);
    g_free(waterfall);
}

void iov_waterfall_name(struct iov_waterfall *waterfall, const void *holder, const char *name)
{
    g_hash_table_replace(waterfall->names->by_holder, (void *)(uintptr_t)holder, g_strdup(name));
}

void iov_waterfall_attach(struct iov_waterfall *waterfall, struct iov_span *span)
{
    waterfall->count = 0;
    waterfall->lost = 0;
    span->log = &waterfall->log;
}

char *iov_waterfall_text(const struct iov_waterfall *waterfall)
{
    GString *text = g_string_new(NULL);
    char since[REPORT_NUMBER_SIZE], duration[REPORT_NUMBER_SIZE];

    for (unsigned i = 0; i < waterfall->count; i++) {
        const struct iov_waterfall_entry *entry = &waterfall->entries[i];
        const char *name = g_hash_table_lookup(waterfall->names->by_holder, entry->holder);

        iov_report_ns(since, entry->from - waterfall->entries[0].from);
        if (entry->note != NULL)
            g_string_append_printf(text, "%14s  %s\n", since, entry->note);
        else
            g_string_append_printf(text, "%14s %14s  %-9s  %s\n", since,
                                   iov_report_ns(duration, entry->to - entry->from),
                                   iov_part_name(entry->part), name != NULL ? name : "?");
    }
    if (waterfall->lost > 0)
        g_string_append_printf(text, "(%u entries found no room)\n", waterfall->lost);
    return g_string_free(text, FALSE);
}
