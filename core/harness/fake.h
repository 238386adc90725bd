/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake peers for a model on the bench: each answers one type of port and writes down what happened,
 * when. They have no behaviour of their own beyond what a test sets in their fields. The harness
 * makes one for every port that is left open.
 */
#ifndef IOV_HARNESS_FAKE_H
#define IOV_HARNESS_FAKE_H

#include <stdbool.h>

#include "core/kernel/kernel.h"
#include "core/port/block.h"
#include "core/port/irq.h"
#include "core/port/mem.h"
#include "core/port/notify.h"
#include "core/port/packet.h"

IOV_BEGIN_DECLS

/* One access that a fake memory has seen. */
struct iov_fake_access {
    iov_time when; /* of the call; the access reaches the target at when + delay */
    iov_time delay;
    uint64_t address;
    uint64_t value; /* the first 8 bytes, little-endian */
    uint32_t size;
    uint32_t pasid;
    uint16_t requester;
    uint16_t flags;
    bool write;
    enum iov_status status; /* answered */
    struct iov_span *span;
};

#define IOV_FAKE_RAM_SIZE (64 * 1024 * 1024)

/*
 * A mem target: RAM from address 0 that keeps payload spans as DRAM does, and a place for interrupt
 * messages at 0xFEE00000. An access to anything else is UNSUPPORTED unless an answer is waiting for
 * it.
 */
struct iov_fake_mem {
    struct iov_mem_target target;
    struct iov_kernel *kernel;
    uint8_t *ram;        /* IOV_FAKE_RAM_SIZE bytes of zeros: read and write it at will */
    iov_time read_delay; /* added to the request's delay */
    iov_time write_delay;
    enum iov_status status;           /* if not OK: answered to everything, nothing is moved */
    struct iov_fake_access *accesses; /* in order */
    unsigned count;
    unsigned reads;
    unsigned writes;
    unsigned messages; /* writes to 0xFEEx_xxxx */
    struct iov_fake_access last_message;
    struct iov_fake_mem_private *private_data; /* answers that wait, payload spans */
};

IOV_API struct iov_fake_mem *iov_fake_mem_new(struct iov_kernel *kernel);
IOV_API void iov_fake_mem_free(struct iov_fake_mem *fake); /* accepts NULL */
/* The next read of exactly `address` gives `value` (once; several answers of one address queue
 * up). */
IOV_API void iov_fake_mem_answer(struct iov_fake_mem *fake, uint64_t address, uint64_t value);
/* Bytes in RAM, little-endian numbers, payload with its span. */
IOV_API void iov_fake_mem_put(struct iov_fake_mem *fake, uint64_t address, const void *data,
                              uint32_t size, struct iov_span *span);
IOV_API uint64_t iov_fake_mem_get(const struct iov_fake_mem *fake, uint64_t address, uint32_t size);
IOV_API void iov_fake_mem_set(struct iov_fake_mem *fake, uint64_t address, uint32_t size,
                              uint64_t value);
/* The span that was written as payload at `address`, or NULL. */
IOV_API struct iov_span *iov_fake_mem_span(const struct iov_fake_mem *fake, uint64_t address);
/* Forgets the record of accesses; the RAM keeps its bytes. */
IOV_API void iov_fake_mem_forget(struct iov_fake_mem *fake);

/* An interrupt sink. */
struct iov_fake_irq {
    struct iov_irq_sink sink;
    struct iov_kernel *kernel;
    bool level;
    unsigned rises;
    unsigned falls;
    iov_time last_rise;
    iov_time last_fall;
    struct iov_span *span; /* of the last rise */
};

IOV_API struct iov_fake_irq *iov_fake_irq_new(struct iov_kernel *kernel);
IOV_API void iov_fake_irq_free(struct iov_fake_irq *fake);

/* A packet end: frames from the model queue up here, in order. */
struct iov_fake_packet {
    struct iov_packet_port port;
    struct iov_kernel *kernel;
    struct iov_packet_pool *pool;
    struct iov_packet_queue frames; /* each frame's stamp is the time it came */
    iov_time interval;              /* told to the sender: until the next frame can be taken */
    unsigned received;              /* in all, frames that were taken out included */
};

IOV_API struct iov_fake_packet *iov_fake_packet_new(struct iov_kernel *kernel);
/* Frames that were not taken out go with it. */
IOV_API void iov_fake_packet_free(struct iov_fake_packet *fake);
/* The oldest frame that has come, or NULL; the caller frees it with iov_packet_free(). */
IOV_API struct iov_packet *iov_fake_packet_take(struct iov_fake_packet *fake);
/* Sends a frame into the model; returns the time until it takes another. */
IOV_API iov_time iov_fake_packet_inject(struct iov_fake_packet *fake, const void *data,
                                        uint32_t size, struct iov_span *span);

/* A notify sink. */
struct iov_fake_notify {
    struct iov_notify_sink sink;
    struct iov_kernel *kernel;
    unsigned signals;
    iov_time last;
    struct iov_span *span; /* of the last signal */
};

IOV_API struct iov_fake_notify *iov_fake_notify_new(struct iov_kernel *kernel);
IOV_API void iov_fake_notify_free(struct iov_fake_notify *fake);

#define IOV_FAKE_DISK_SIZE (16 * 1024 * 1024)

/* A disk back end in memory: requests end one after the other, each `delay` after it came or after
 * its predecessor's end. */
struct iov_fake_block {
    struct iov_block_target target;
    struct iov_kernel *kernel;
    uint8_t *disk; /* IOV_FAKE_DISK_SIZE bytes of zeros */
    iov_time delay;
    enum iov_block_status status; /* if not OK: answered to everything */
    unsigned submitted;
    unsigned finished;
    unsigned flushes;
    struct iov_event end; /* of the oldest request */
    struct _GQueue *waiting;
};

IOV_API struct iov_fake_block *iov_fake_block_new(struct iov_kernel *kernel);
IOV_API void iov_fake_block_free(struct iov_fake_block *fake);

IOV_END_DECLS

#endif
