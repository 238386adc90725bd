/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of virtio-blk: the device with its engines (virtio-blk.c), and what becomes of a
 * request (virtio-blk-request.c).
 */
#ifndef IOV_VIRTIO_BLK_PRIVATE_H
#define IOV_VIRTIO_BLK_PRIVATE_H

#include "models/virtio/virtio-pci-private.h"

#define IOV_VIRTIO_BLK_QUEUES_MAX 64u
#define IOV_VIRTIO_BLK_PIECE (64u * 1024u)
#define IOV_VIRTIO_BLK_RANGE_MAX 0x3fffffu /* sectors of one discard: 2 GiB less a sector */
#define IOV_VIRTIO_BLK_HEADER ((uint64_t)sizeof(struct virtio_blk_header))

G_DECLARE_FINAL_TYPE(IovVirtioBlk, iov_virtio_blk, IOV, VIRTIO_BLK, IovVirtioPci)
#define IOV_VIRTIO_BLK_CAST(object) ((IovVirtioBlk *)(void *)(object))

enum iov_virtio_blk_placement { IOV_VIRTIO_BLK_HARDWARE, IOV_VIRTIO_BLK_SOFTWARE };

enum iov_virtio_blk_state {
    IOV_VIRTIO_BLK_FREE,
    IOV_VIRTIO_BLK_BEGIN,  /* header is here; or the next piece begins */
    IOV_VIRTIO_BLK_STORED, /* a piece to write is here: to the disk with it */
    IOV_VIRTIO_BLK_DISK,   /* the disk has it */
    IOV_VIRTIO_BLK_MOVE,   /* the disk is done with this piece */
    IOV_VIRTIO_BLK_FINISH,
    IOV_VIRTIO_BLK_GONE, /* the disk has it, the driver does not know it any more */
};

struct iov_virtio_blk_request {
    IovVirtioBlk *blk;
    unsigned queue;
    enum iov_virtio_blk_state state;
    struct iov_event event;    /* next step; armed unless FREE, DISK or GONE */
    struct iov_block_req disk; /* the piece that the disk has */
    struct virtio_blk_header header;
    uint8_t status;
    bool flushing;       /* a write is done, now the disk's buffer */
    uint64_t size, done; /* data bytes of the request; of them, those moved */
    struct iov_span *span;
    struct iov_virtio_blk_request *next; /* free ones */
    struct iov_virtq_chain chain;
    uint8_t buffer[IOV_VIRTIO_BLK_PIECE];
};

enum iov_virtio_blk_engine_state {
    IOV_VIRTIO_BLK_ENGINE_IDLE,
    IOV_VIRTIO_BLK_ENGINE_FETCH,
    IOV_VIRTIO_BLK_ENGINE_WAITS
};

struct iov_virtio_blk_engine {
    IovVirtioBlk *blk;
    unsigned queue;
    enum iov_virtio_blk_engine_state state;
    struct iov_event event; /* armed while FETCH */
};

struct _IovVirtioBlk {
    IovVirtioPci parent_instance;
    enum iov_virtio_blk_placement placement; /* property */
    uint64_t num_queues, requests;           /* properties */
    uint64_t logical_block_size;             /* property */
    char *serial;                            /* property */
    iov_time doorbell_cost, request_cost;    /* costs */
    struct iov_block_initiator disk;         /* port */
    iov_time doorbell_time, request_time;
    struct iov_virtio_blk_engine engines[IOV_VIRTIO_BLK_QUEUES_MAX];
    struct iov_virtio_blk_request *pool; /* `requests` of them */
    struct iov_virtio_blk_request *free;
    uint64_t reads, writes, flushes, discards, ids, bytes_read, bytes_written; /* statistics */
    uint64_t errors, unsupported;                                              /* statistics */
};

static inline struct iov_virtio_dma *iov_virtio_blk_dma(IovVirtioBlk *blk)
{
    return &blk->parent_instance.access;
}

static inline struct iov_virtq *iov_virtio_blk_queue(IovVirtioBlk *blk, unsigned queue)
{
    return &blk->parent_instance.queues[queue];
}

static inline iov_time iov_virtio_blk_now(const IovVirtioBlk *blk)
{
    return iov_now(blk->parent_instance.parent_instance.kernel);
}

static inline struct virtio_blk_config *iov_virtio_blk_config(IovVirtioBlk *blk)
{
    return (struct virtio_blk_config *)(void *)blk->parent_instance.device_config;
}

/* After any step: a broken ring stops the device until the driver resets it. */
static inline bool iov_virtio_blk_broken(IovVirtioBlk *blk, unsigned queue)
{
    if (iov_virtio_blk_queue(blk, queue)->fault == IOV_VIRTQ_OK)
        return false;
    iov_virtio_broken(&blk->parent_instance);
    return true;
}

/* ---- virtio-blk-request.c ---- */

/* Gives it back: it is free. */
void iov_virtio_blk_free(struct iov_virtio_blk_request *request);
/* The driver forgets it: what the disk has comes back to nobody. */
void iov_virtio_blk_drop(struct iov_virtio_blk_request *request);
/* Its next step, `delay` from now. */
void iov_virtio_blk_step(struct iov_virtio_blk_request *request, enum iov_virtio_blk_state state,
                         iov_time delay);
/* The handler of its event. */
void iov_virtio_blk_on_request(struct iov_event *event);

/* ---- virtio-blk.c ---- */

/* A request has become free: whoever waits for one goes on. */
void iov_virtio_blk_go_on(IovVirtioBlk *blk);

#endif
