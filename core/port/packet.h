/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet port: Ethernet frames between two equal ends. Each end sends to its peer and receives
 * from it.
 *
 * A frame is owned by one party at a time; sending gives it away. iov_packet_send() returns the
 * time from now until the link takes the next frame: the sender paces itself by it ("busy until"),
 * the receiver gets the frame when it has arrived.
 */
#ifndef IOV_PORT_PACKET_H
#define IOV_PORT_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/kernel.h"
#include "core/port/span.h"

IOV_BEGIN_DECLS

#define IOV_PACKET_MAX 65550 /* a 64 KiB segment with headers: offloads hand these over */
#define IOV_PACKET_INLINE 2048

/* One frame: destination address first, no preamble, no FCS. */
struct iov_packet {
    struct iov_packet *next; /* for the queue of whoever owns it */
    struct iov_span *span;   /* the request it carries, or NULL */
    iov_time stamp;          /* free for the owner, e.g. time of queueing */
    uint32_t size;           /* bytes in use */
    uint16_t segment_size;   /* offload: split into segments of this payload size; 0 = as it is */
    uint16_t flags;          /* IOV_PACKET_* */
    uint32_t payload;        /* on a wire: of a request that was done when its frame was sent */
    uint32_t guest;          /* whose */
    uint16_t vlan;           /* free for the owner, e.g. a tag that it took out */
    uint8_t queue;           /* receive queue that a tap has chosen, and 1; 0: nobody has */
    uint16_t checksum_start; /* IOV_PACKET_NEEDS_CHECKSUM: summed from here to the end ... */
    uint32_t checksum_place; /* ... and put here; 0: where the headers say */
    bool queued;             /* lies in the queue of a tap, out of which it must be read */
    bool is_large;           /* for the pool */
    struct iov_packet *next_of_pool;
    struct iov_packet_pool *pool;
    uint8_t *data; /* room for IOV_PACKET_INLINE bytes, or IOV_PACKET_MAX for large frames */
};

enum {
    IOV_PACKET_NEEDS_CHECKSUM = 1 << 0,
    IOV_PACKET_CHECKSUM_GOOD = 1 << 1,
};

/* A pool of frames, one for each model that makes frames. */
IOV_API struct iov_packet_pool *iov_packet_pool_new(void);
/*
 * The owner leaves. Frames that are still out go back one by one, or, where they are in nobody's
 * hands any more (a fiber that was dropped held them), with `kernel`, which may be NULL if there is
 * none. Accepts a NULL pool.
 */
IOV_API void iov_packet_pool_unref(struct iov_packet_pool *pool, struct iov_kernel *kernel);
/* A frame of `size` bytes (at most IOV_PACKET_MAX), contents undefined, no span. */
IOV_API struct iov_packet *iov_packet_new(struct iov_packet_pool *pool, uint32_t size);
/* Another frame with the same bytes and offloads, without a span. */
IOV_API struct iov_packet *iov_packet_copy(struct iov_packet_pool *pool,
                                           const struct iov_packet *packet);
IOV_API void iov_packet_free(struct iov_packet *packet); /* accepts NULL */

struct iov_packet_port;

struct iov_packet_ops {
    /* Takes ownership of `packet`. Returns the time from now until another frame can be taken. */
    iov_time (*receive)(struct iov_packet_port *port, struct iov_packet *packet);
    /*
     * The address (6 bytes) that the station behind this end was given, as whoever made the machine
     * knows it. False, or NULL: there is no single one. After realize.
     */
    bool (*station)(struct iov_packet_port *port, uint8_t *ret_address);
    /*
     * Has it room for another frame now? NULL: always. It does not say when that changes: for a
     * sender that sees what else reaches the receiver, and that may leave frames where they are.
     */
    bool (*ready)(const struct iov_packet_port *port);
};

struct iov_packet_port {
    const struct iov_packet_ops *ops; /* what this end does with a frame from its peer */
    struct iov_packet_port *peer;
};

/* A frame that is lost: whoever follows its request may use the span again, unless the request was
 * done when the frame left its device. */
static inline void iov_packet_drop(struct iov_packet *packet)
{
    if (!iov_span_ends_when_sent(packet->span))
        iov_span_release(packet->span);
    iov_packet_free(packet);
}

/* Sends to the peer; a frame into an open end is freed. */
static inline iov_time iov_packet_send(struct iov_packet_port *port, struct iov_packet *packet)
{
    if (port->peer != NULL)
        return port->peer->ops->receive(port->peer, packet);
    iov_packet_free(packet);
    return 0;
}

/* Who is at the other end; false if nobody says. */
static inline bool iov_packet_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    return port->peer != NULL && port->peer->ops->station != NULL &&
           port->peer->ops->station(port->peer, ret_address);
}

/* Has the peer room for another frame now? An open end takes anything. */
static inline bool iov_packet_ready(const struct iov_packet_port *port)
{
    return port->peer == NULL || port->peer->ops->ready == NULL ||
           port->peer->ops->ready(port->peer);
}

/* A queue of frames, first in first out. Initialise with zeros. */
struct iov_packet_queue {
    struct iov_packet *first;
    struct iov_packet *last;
    uint32_t count;
};

static inline void iov_packet_queue_push(struct iov_packet_queue *queue, struct iov_packet *packet)
{
    packet->next = NULL;
    if (queue->last != NULL)
        queue->last->next = packet;
    else
        queue->first = packet;
    queue->last = packet;
    queue->count++;
}

static inline struct iov_packet *iov_packet_queue_pop(struct iov_packet_queue *queue)
{
    struct iov_packet *packet = queue->first;

    if (packet == NULL)
        return NULL;
    queue->first = packet->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    packet->next = NULL;
    return packet;
}

/* Frees all that wait. */
IOV_API void iov_packet_queue_clear(struct iov_packet_queue *queue);

IOV_END_DECLS

#endif
