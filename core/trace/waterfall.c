/* SPDX-License-Identifier: Apache-2.0 */
/* Waterfalls keep entries in a fixed array; stretches of one holder and part that touch become
 * one. */
#include "core/trace/waterfall.h"

#include <glib.h>

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

struct iov_waterfall *iov_waterfall_new(unsigned capacity)
{
    struct iov_waterfall *waterfall = g_new0(struct iov_waterfall, 1);

    waterfall->log.mark = on_mark;
    waterfall->log.note = on_note;
    waterfall->entries = g_new0(struct iov_waterfall_entry, capacity);
    waterfall->capacity = capacity;
    return waterfall;
}

void iov_waterfall_free(struct iov_waterfall *waterfall)
{
    if (waterfall == NULL)
        return;
    g_free(waterfall->entries);
    g_free(waterfall);
}

void iov_waterfall_attach(struct iov_waterfall *waterfall, struct iov_span *span)
{
    waterfall->count = 0;
    waterfall->lost = 0;
    span->log = &waterfall->log;
}
