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
};

/* With room for so many entries; those that find none are counted in `lost`. */
IOV_API struct iov_waterfall *iov_waterfall_new(unsigned capacity);
IOV_API void iov_waterfall_free(struct iov_waterfall *waterfall); /* accepts NULL */
/* Forgets the entries and listens to this span, which must not outlive it. From any context. */
IOV_API void iov_waterfall_attach(struct iov_waterfall *waterfall, struct iov_span *span);

IOV_END_DECLS

#endif
