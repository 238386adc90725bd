/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Automatic receive steering: frames of a flow go to the queue that last sent for it, as Linux's
 * tap and a virtio device do it.
 *
 * SPEC: virtio 1.2, 5.1.6.5.5 (the device follows the transmit queues). Sizes and ages are those of
 * Linux's tun.
 * LIMIT: a fifth flow whose hash falls on the same four places takes that of the one that was
 * silent longest (Linux chains up to 4096); IPv4 without options, TCP and UDP: everything else is
 * one flow.
 */
#ifndef IOV_NET_FLOW_H
#define IOV_NET_FLOW_H

#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

#define IOV_FLOW_SETS 1024u
#define IOV_FLOW_WAYS 4u
#define IOV_FLOW_AGE (3 * IOV_SEC) /* a flow that was silent for so long is forgotten */

struct iov_flow_table {
    struct {
        uint32_t hash; /* 0: free */
        uint32_t queue;
        iov_time seen;
    } places[IOV_FLOW_SETS][IOV_FLOW_WAYS];
};

/* The same for both directions of a flow; 0 for a frame that belongs to none. Any bytes will do. */
IOV_API uint32_t iov_flow_hash(const uint8_t *frame, uint32_t size);
/* `queue` has sent a frame of flow `hash`. */
IOV_API void iov_flow_sent(struct iov_flow_table *table, uint32_t hash, unsigned queue,
                           iov_time now);
/* The queue, below `queues`, for a frame of flow `hash`: where it sent last; an unknown flow's hash
 * decides. */
IOV_API unsigned iov_flow_queue(const struct iov_flow_table *table, uint32_t hash, unsigned queues,
                                iov_time now);

IOV_END_DECLS

#endif
