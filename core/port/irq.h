/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The irq port: one interrupt wire. A source drives a level; the sink sees every change, and a
 * pulse is a change up and down. The span is the request that the interrupt announces, or NULL: the
 * sink becomes its holder if the source held it.
 */
#ifndef IOV_PORT_IRQ_H
#define IOV_PORT_IRQ_H

#include <stdbool.h>

#include "core/port/span.h"

struct iov_irq_sink;

struct iov_irq_sink_ops {
    void (*set)(struct iov_irq_sink *sink, bool level, struct iov_span *span);
};

struct iov_irq_sink {
    const struct iov_irq_sink_ops *ops;
};

struct iov_irq_source {
    struct iov_irq_sink *peer;
    bool level;
};

/* Drives the wire; nothing happens if the level does not change or nobody listens. */
static inline void iov_irq_set(struct iov_irq_source *source, bool level, struct iov_span *span)
{
    if (source->level == level)
        return;
    source->level = level;
    if (source->peer != NULL)
        source->peer->ops->set(source->peer, level, span);
}

#endif
