/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The waterfall of one request: each stretch of its time with who held it and what for, and notes
 * in between.
 *
 * Attach it to a span right after iov_span_begin(); every mark from then on is kept, in memory that
 * is taken beforehand. Spans without a waterfall pay one test of a pointer a mark.
 */
#ifndef IOV_TRACE_WATERFALL_H
#define IOV_TRACE_WATERFALL_H

#include "core/kernel/macros.h"
#include "core/port/span.h"

IOV_BEGIN_DECLS

struct iov_waterfall_entry {
    iov_time from;
    iov_time to;        /* = from for a note */
    const void *holder; /* NULL for a note */
    enum iov_part part;
    const char *note; /* or NULL */
};

struct iov_waterfall {
    struct iov_span_log log;
    struct iov_waterfall_entry *entries; /* in the order of marking */
    unsigned count;
    unsigned capacity;
    unsigned lost; /* entries that found no room */
    struct iov_waterfall_names *names;
};

IOV_API struct iov_waterfall *iov_waterfall_new(unsigned capacity);
IOV_API void iov_waterfall_free(struct iov_waterfall *waterfall); /* accepts NULL */
/* Says how a holder is called, e.g. by its path (copied). Others show as "?". */
IOV_API void iov_waterfall_name(struct iov_waterfall *waterfall, const void *holder,
                                const char *name);
/* Forgets the entries and listens to this span, which must not outlive it. From any context. */
IOV_API void iov_waterfall_attach(struct iov_waterfall *waterfall, struct iov_span *span);
/* One line an entry: time since the first one, duration (ns), part, holder; a note stands alone.
 * The caller frees it (g_free). */
IOV_API char *iov_waterfall_text(const struct iov_waterfall *waterfall);

IOV_END_DECLS

#endif
