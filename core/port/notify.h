/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notify port: "there is something for you", as an eventfd says it. Signals merge until the
 * receiver looks. The span is the request that caused the signal, or NULL; the receiver passes or
 * claims it.
 */
#ifndef IOV_PORT_NOTIFY_H
#define IOV_PORT_NOTIFY_H

#include <stddef.h>

#include "core/port/span.h"

struct iov_notify_sink;

struct iov_notify_sink_ops {
    void (*signal)(struct iov_notify_sink *sink, struct iov_span *span);
};

struct iov_notify_sink {
    const struct iov_notify_sink_ops *ops;
};

struct iov_notify_source {
    struct iov_notify_sink *peer;
};

static inline void iov_notify_signal(struct iov_notify_source *source, struct iov_span *span)
{
    if (source->peer != NULL)
        source->peer->ops->signal(source->peer, span);
}

/* Tells all listeners of a port of `count` places that wires take from the front
 * (IOV_PORT_NOTIFY_SOURCE_SHARED). */
static inline void iov_notify_signal_all(struct iov_notify_source *places, unsigned count,
                                         struct iov_span *span)
{
    for (unsigned i = 0; i < count && places[i].peer != NULL; i++)
        iov_notify_signal(&places[i], span);
}

#endif
