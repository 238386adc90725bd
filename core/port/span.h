/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span follows one I/O request from the program that asks to the program that gets the answer,
 * and says where the time went.
 *
 * It has a cursor. Whoever holds the request closes the time since the cursor as one part, and the
 * cursor moves on; so the parts add up to the end-to-end latency to the picosecond, whatever path
 * the request takes.
 *
 * A span has one holder at a time (a processor's software, an eventfd, a device, a wire). Marks of
 * anybody else do not count, so a vCPU that goes on running after its doorbell does not mix its own
 * time into a request that is already on the wire. A holder hands on by iov_span_pass() (the next
 * one is known: eventfd, interrupt line) or the next one takes it by iov_span_claim() (it found the
 * request's bytes in memory). Spans travel with the bytes: see IOV_MEM_PAYLOAD in mem.h.
 *
 * All functions accept a NULL span and may be called from any context.
 */
#ifndef IOV_PORT_SPAN_H
#define IOV_PORT_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/kernel/time.h"

/* Where time goes. Names as they are printed: iov_part_name() in core/trace/measure.h. */
enum iov_part {
    IOV_PART_GUEST,    /* guest software: application, kernel, driver */
    IOV_PART_EXIT,     /* VM exits and entries, the processor's part */
    IOV_PART_MONITOR,  /* the hypervisor's handlers */
    IOV_PART_EMULATOR, /* user-space device emulation, trips to user space included */
    IOV_PART_WAKEUP, /* from a wake-up to running: scheduling, IPI, leaving idle, context switch */
    IOV_PART_COPY,   /* copying payload */
    IOV_PART_HOST,   /* host kernel: tap, bridge, NIC driver, host interrupts */
    IOV_PART_PCIE,   /* link and root complex */
    IOV_PART_IOMMU,  /* translation */
    IOV_PART_DEVICE, /* the device itself */
    IOV_PART_WIRE,   /* serialisation and propagation */
    IOV_PART_PEER,   /* the far end's turn-round */
    IOV_PART_INTERRUPT, /* from the device's interrupt to the first instruction of the handler,
                           exits apart */
    IOV_PART_IDLE,  /* waiting for a deliberately delayed event: interrupt throttling, halt polling
                       miss */
    IOV_PART_QUEUE, /* waiting in a ring or queue for somebody who is busy or asleep */
    IOV_PART_COUNT,
};

/* Somebody who wants to hear of every mark of one request (core/trace/waterfall.h). */
struct iov_span_log {
    void (*mark)(struct iov_span_log *log, const void *holder, enum iov_part part, iov_time from,
                 iov_time to);
    void (*note)(struct iov_span_log *log, iov_time when, const char *text);
};

enum { IOV_SPAN_LOOKS = 256 };

struct iov_span {
    const void *holder; /* who may mark */
    iov_time begin;
    iov_time cursor;
    struct iov_span_log *log; /* or NULL: set after iov_span_begin() */
    iov_time parts[IOV_PART_COUNT];
    /* The request is done when its frame was sent. This one then goes on with the frame to whoever
     * receives it, only to say whose it is: requests share it and nobody asks where its time went.
     * NULL: the request goes on. */
    struct iov_span *sequel;
    uint32_t payload; /* bytes that then arrive at the far end, or are lost */
    uint32_t guest;   /* whose: its number in the measurement */
    uint64_t id;      /* number of the request within its workload */
    uint32_t exits;   /* VM exits while the request was held by software */
};

/* Starts a request at `now`, held by `holder`. */
static inline void iov_span_begin(struct iov_span *span, uint64_t id, const void *holder,
                                  iov_time now)
{
    *span = (struct iov_span){ .holder = holder, .begin = now, .cursor = now, .id = id };
}

/*
 * A span of `count` for another request: the next one in turn that nobody holds. Where many in a
 * row are held, by requests on their way or by such that were lost without a word, the last of
 * those.
 */
static inline struct iov_span *iov_span_take(struct iov_span *spans, unsigned count, unsigned *next)
{
    unsigned at = *next;

    for (unsigned i = 0; i < IOV_SPAN_LOOKS && spans[at].holder != NULL; i++)
        at = at + 1 < count ? at + 1 : 0;
    *next = at + 1 < count ? at + 1 : 0;
    return &spans[at];
}

/* Closes the time from the cursor to `when` as `part`, if `holder` holds the span. `when` may lie
 * before or after now. */
static inline void iov_span_mark(struct iov_span *span, const void *holder, enum iov_part part,
                                 iov_time when)
{
    iov_time from;

    if (span == NULL || span->holder != holder || when <= span->cursor)
        return;
    from = span->cursor;
    span->parts[part] += when - from;
    span->cursor = when;
    if (__builtin_expect(span->log != NULL, 0))
        span->log->mark(span->log, holder, part, from, when);
}

/* Hands the span from `from` to `to`; nothing happens if `from` does not hold it. */
static inline void iov_span_pass(struct iov_span *span, const void *from, const void *to)
{
    if (span != NULL && span->holder == from)
        span->holder = to;
}

/* Takes the span from whoever holds it; the time since the cursor was spent in `part`. */
static inline void iov_span_claim(struct iov_span *span, const void *holder, enum iov_part part,
                                  iov_time when)
{
    if (span == NULL)
        return;
    if (span->holder != holder) {
        span->holder = holder;
        iov_span_mark(span, holder, part, when);
    }
}

/* Nobody holds it any more: late marks do not count, and whoever follows requests may use it for
 * another. Accepts NULL. */
static inline void iov_span_release(struct iov_span *span)
{
    if (span != NULL)
        span->holder = NULL;
}

/* Says what happens, for the log; `text` is static. */
static inline void iov_span_note(struct iov_span *span, iov_time when, const char *text)
{
    if (span != NULL && __builtin_expect(span->log != NULL, 0))
        span->log->note(span->log, when, text);
}

/* Is the request done when its frame was sent? */
static inline bool iov_span_ends_when_sent(const struct iov_span *span)
{
    return span != NULL && span->sequel != NULL;
}

/* What goes with a frame that has left its sender's device. */
static inline struct iov_span *iov_span_after_sending(struct iov_span *span)
{
    return iov_span_ends_when_sent(span) ? span->sequel : span;
}

static inline bool iov_span_held(const struct iov_span *span, const void *holder)
{
    return span != NULL && span->holder == holder;
}

#endif
