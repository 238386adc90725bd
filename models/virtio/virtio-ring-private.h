/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split or packed ring (virtio 1.2, clauses 2.7 and 2.8), over a mem
 * initiator. The layout is known to virtio-ring.c and virtio-ring-packed.c alone; chains are named
 * by `head`, which is a descriptor's index or a buffer id.
 *
 * Every access is a DMA that takes its time: the accesses of one step follow each other, and the
 * step's total stands in struct iov_virtio_dma when the step is done; the device's engine waits for
 * it. Whatever comes from memory is read once and checked. A driver that breaks the rules breaks
 * the ring: the fault is kept, every later call says so, and only a reset helps. Work is bounded by
 * the size of the queue.
 *
 * Nothing here waits or allocates.
 */
#ifndef IOV_VIRTIO_RING_PRIVATE_H
#define IOV_VIRTIO_RING_PRIVATE_H

#include <stdbool.h>

#include "core/kernel/kernel.h"
#include "core/port/mem.h"
#include "models/virtio/virtio-regs.h"

/* The longest queue that devices here offer, and with it the longest chain. */
#define IOV_VIRTQ_SEGMENTS 1024
/* Chains of one queue in one instant: more come only from a used ring that overwrites the available
 * ring. */
#define IOV_VIRTQ_INSTANT_MAX 65536

/* A device's way to memory, and the time that the present step has taken there. */
struct iov_virtio_dma {
    struct iov_mem_initiator *port;
    const struct iov_kernel *kernel;
    uint16_t requester;
    bool enabled;         /* the device may master the bus */
    iov_time delay;       /* from now until the accesses of this step are through */
    iov_time translation; /* of it, spent in an IOMMU */
    uint64_t reads;
    uint64_t writes;
};

/* A step begins: its accesses start now. */
static inline void iov_virtio_dma_begin(struct iov_virtio_dma *dma)
{
    dma->delay = 0;
    dma->translation = 0;
}

/* Why a ring is broken. */
enum iov_virtq_fault {
    IOV_VIRTQ_OK,
    IOV_VIRTQ_FAULT_SIZE,     /* no power of two, 0, or above what the device offers */
    IOV_VIRTQ_FAULT_ADDRESS,  /* a part of the ring is unaligned or wraps */
    IOV_VIRTQ_FAULT_MEMORY,   /* memory refused an access */
    IOV_VIRTQ_FAULT_AVAIL,    /* the driver offers more than a queue, taken chains included */
    IOV_VIRTQ_FAULT_HEAD,     /* a head or next index outside its table */
    IOV_VIRTQ_FAULT_LOOP,     /* more descriptors than the table or the queue has; a ring that feeds
                                 itself */
    IOV_VIRTQ_FAULT_INDIRECT, /* not negotiated, nested, with NEXT, or a bad table size */
    IOV_VIRTQ_FAULT_DESCRIPTOR, /* empty or wrapping buffer, readable after writable */
    IOV_VIRTQ_FAULT_CHAIN,      /* the device cannot make sense of the buffers */
};

struct iov_virtq_segment {
    uint64_t address;
    uint32_t size;
};

/* One chain of descriptors, taken off the available ring. Large: embed it once an engine. */
struct iov_virtq_chain {
    uint16_t head;
    uint16_t readable; /* segments [0, readable) */
    uint16_t writable; /* segments [readable, readable + writable) */
    uint64_t readable_size;
    uint64_t writable_size;
    struct iov_virtq_segment segments[IOV_VIRTQ_SEGMENTS];
    struct virtq_desc table[IOV_VIRTQ_SEGMENTS]; /* of the indirect descriptor */
};

/* A chain of a packed ring that the device has. */
struct iov_virtq_held {
    uint16_t id;
    uint16_t places; /* descriptors of the ring that it takes */
};

struct iov_virtq {
    /* What the driver said. */
    uint16_t size;
    uint64_t desc;
    uint64_t avail; /* packed: the driver's event suppression */
    uint64_t used;  /* packed: the device's */
    bool enabled;
    uint16_t vector; /* MSI-X, or VIRTIO_MSI_NO_VECTOR */
    /* Negotiated. */
    bool packed; /* set before iov_virtq_enable() */
    bool event_index;
    bool indirect;
    /* Progress. */
    uint16_t size_max;
    uint16_t next_avail; /* place of the next chain to take */
    uint16_t seen_avail; /* the driver's index as it was last read */
    uint16_t next_used;
    uint16_t signalled; /* used index at the last decision about an interrupt */
    bool signalled_valid;
    bool notifications;  /* the driver is to tell us of new chains */
    iov_time instant;    /* of the newest chain */
    uint32_t of_instant; /* chains taken in it */
    enum iov_virtq_fault fault;
    /* Of a packed ring: the indexes above are places in it, these are the laps that they are in. */
    bool avail_wrap;
    bool used_wrap;
    bool fill_wrap;
    bool peeked_valid;
    uint16_t fill_index; /* behind the used descriptors that are written */
    uint16_t first_flags;
    uint16_t held_first;
    uint16_t held_count;
    uint16_t held_places;
    struct virtq_packed_desc peeked;                /* the next available descriptor, read once */
    struct iov_virtq_held held[IOV_VIRTQ_SEGMENTS]; /* a ring from held_first on */
};

enum iov_virtq_result { IOV_VIRTQ_EMPTY, IOV_VIRTQ_CHAIN, IOV_VIRTQ_BROKEN };

/* Back to the state after a reset, with `size_max` as its size. */
void iov_virtq_reset(struct iov_virtq *queue, uint16_t size_max);
/* The driver enables the queue: checks size and addresses. False: the queue is broken. */
bool iov_virtq_enable(struct iov_virtq *queue, bool event_index, bool indirect);
/* Marks the queue broken for a reason the device found itself; the first reason stays. */
void iov_virtq_break(struct iov_virtq *queue, enum iov_virtq_fault fault);

/* Takes the next chain; `chain` is meaningful with IOV_VIRTQ_CHAIN only. */
enum iov_virtq_result iov_virtq_pop(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                                    struct iov_virtq_chain *chain);
/* Gives the last `count` chains back as if they had not been taken. */
void iov_virtq_rewind(struct iov_virtq *queue, uint16_t count);
/* Looks for chains (reads the driver's index): EMPTY, CHAIN or BROKEN. */
enum iov_virtq_result iov_virtq_peek(struct iov_virtq *queue, struct iov_virtio_dma *dma);

/* Writes used element number `place` after the published ones; iov_virtq_publish() shows
 * `count`. */
bool iov_virtq_fill(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t place,
                    uint16_t head, uint32_t written);
bool iov_virtq_publish(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t count);
/* After each publishing: does the driver want an interrupt for it? One read. False if the ring
 * broke. */
bool iov_virtq_wants_interrupt(struct iov_virtq *queue, struct iov_virtio_dma *dma);

/*
 * Asks the driver for notifications, or to leave them out. With the event index, leaving out is not
 * said to the driver at all: the old event index does it. After asking, look again with
 * iov_virtq_peek(): a chain may have come before the driver saw the wish.
 */
bool iov_virtq_set_notifications(struct iov_virtq *queue, struct iov_virtio_dma *dma, bool on);

/*
 * Copies between a chain's readable (or writable) bytes from `offset` on and `data`; exactly `size`
 * bytes or false. Request data travels with its span: reading returns the first span found in
 * `ret_span` (NULL: plain data), `payload` writing sends `span` along, also if it is NULL (the
 * bytes then belong to no request).
 */
bool iov_virtq_chain_read(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                          const struct iov_virtq_chain *chain, uint64_t offset, void *data,
                          uint32_t size, struct iov_span **ret_span);
bool iov_virtq_chain_write(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                           const struct iov_virtq_chain *chain, uint64_t offset, const void *data,
                           uint32_t size, bool payload, struct iov_span *span);

#endif
