/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mem port: an access to memory or to registers.
 *
 * The bytes move in the call. Status and the time it takes come back in the request, and the caller
 * does the waiting: a fiber sleeps, a device arms its event. This is TLM-2.0's b_transport without
 * the wait. Nothing calls back into its caller during the call.
 *
 * `delay` carries time both ways. On the way in it is the time from now until the access reaches
 * the target (each hop adds its own); a target whose reaction takes time counts from now + delay.
 * On return it is the time from now until the initiator may go on: for a posted write that is less
 * than the time to the target.
 */
#ifndef IOV_PORT_MEM_H
#define IOV_PORT_MEM_H

#include <stdint.h>
#include <string.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"
#include "core/port/span.h"
#include "core/port/status.h"

IOV_BEGIN_DECLS

/* Kinds of address. They convert only through a translation that can fail. */
typedef uint64_t iov_gpa;  /* guest-physical */
typedef uint64_t iov_hpa;  /* host-physical */
typedef uint64_t iov_iova; /* as a device sees memory, before the IOMMU */

#define IOV_NO_PASID UINT32_MAX

enum {
    /* The address went through ATS: no translation on the way. */
    IOV_MEM_TRANSLATED = 1 << 0,
    /* Request data of a workload: `span` travels with it (written: stored; read: returned). */
    IOV_MEM_PAYLOAD = 1 << 1,
    /* An interrupt message, written by the interrupt fabric, not by a DMA engine. */
    IOV_MEM_INTERRUPT = 1 << 2,
    /* A tool looks: no time, no side effects, no statistics. */
    IOV_MEM_DEBUG = 1 << 3,
    /* A device's write that is seen before it has arrived: in the same call the device reads what
     * the other side answers to it. */
    IOV_MEM_AT_ONCE = 1 << 4,
};

struct iov_mem_req {
    uint64_t address;   /* in the target's space: each decoder makes it relative */
    void *data;         /* read into or written from */
    uint32_t size;      /* in bytes, at least 1 */
    uint16_t requester; /* PCIe requester ID: bus, device, function; 0 for a processor */
    uint16_t flags;
    uint32_t pasid;       /* or IOV_NO_PASID */
    iov_time delay;       /* see above */
    iov_time translation; /* how much of `delay` an IOMMU took */
    iov_time arrival;     /* out, of a write: from now until memory has it; 0 if nobody said so */
    /* With IOV_MEM_PAYLOAD; for an interrupt message the request it announces; or NULL. */
    struct iov_span *span;
};

struct iov_mem_target;

struct iov_mem_target_ops {
    /* Status OK means `data` is filled, or taken. On any other status a read's data is filled with
     * ones by the caller's helper. */
    enum iov_status (*read)(struct iov_mem_target *target, struct iov_mem_req *req);
    enum iov_status (*write)(struct iov_mem_target *target, struct iov_mem_req *req);
    /*
     * Host address of the bytes at `address` if they are plain memory that may be accessed without
     * a request, and in `ret_size` how many follow contiguously; NULL if not (registers). May be
     * NULL. Never valid across a wait.
     */
    uint8_t *(*direct)(struct iov_mem_target *target, uint64_t address, uint64_t *ret_size);
};

/* One end: answers accesses. Embedded in its model. */
struct iov_mem_target {
    const struct iov_mem_target_ops *ops;
    uint64_t size; /* bytes of address space it answers, 0 if the model decides at realize; decoders
                      read it */
};

/* The other end: makes accesses. `peer` is set by wiring. */
struct iov_mem_initiator {
    struct iov_mem_target *peer;
};

static inline enum iov_status iov_mem_read_req(struct iov_mem_initiator *port,
                                               struct iov_mem_req *req)
{
    enum iov_status status = IOV_STATUS_UNSUPPORTED;

    if (port->peer != NULL)
        status = port->peer->ops->read(port->peer, req);
    if (status != IOV_STATUS_OK)
        memset(req->data, 0xff, req->size);
    return status;
}

static inline enum iov_status iov_mem_write_req(struct iov_mem_initiator *port,
                                                struct iov_mem_req *req)
{
    return port->peer != NULL ? port->peer->ops->write(port->peer, req) : IOV_STATUS_UNSUPPORTED;
}

/* memcpy() for targets and initiators: most accesses are short, and their copies are moves. */
static inline void iov_mem_copy(void *to, const void *from, uint32_t size)
{
    switch (size) {
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, size);
    }
}

/* Little-endian helpers for register models: the value of a register access of 1, 2, 4 or 8
 * bytes. */
static inline uint64_t iov_mem_value(const struct iov_mem_req *req)
{
    uint64_t value = 0;

    if (req->size == 4) { /* what nearly every register is: no call of memcpy */
        uint32_t word;

        memcpy(&word, req->data, sizeof word);
        return word;
    }
    if (req->size == 8) {
        memcpy(&value, req->data, sizeof value);
        return value;
    }
    memcpy(&value, req->data, req->size < 8 ? req->size : 8);
    return value;
}

static inline void iov_mem_set_value(struct iov_mem_req *req, uint64_t value)
{
    if (req->size == 4) {
        uint32_t word = (uint32_t)value;

        memcpy(req->data, &word, sizeof word);
        return;
    }
    if (req->size == 8) {
        memcpy(req->data, &value, sizeof value);
        return;
    }
    memset(req->data, 0, req->size);
    memcpy(req->data, &value, req->size < 8 ? req->size : 8);
}

IOV_END_DECLS

#endif
