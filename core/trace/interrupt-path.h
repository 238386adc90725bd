/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a device's interrupt goes, from the write of its message to the EOI, as one
 * histogram a segment. Whoever the interrupt passes says so; the device's requester ID is what
 * tells one interrupt from another.
 *
 *   link      the message on its way to the root complex
 *   remap     the remapping unit: entry found or read, message formed
 *   post      the posted-interrupt descriptor in memory
 *   route     from there to the local APIC
 *   deliver   exit and injection, or notification, or waiting for a processor: up to the first
 *             instruction of the guest's handler
 *   eoi       from there to the end of interrupt
 *
 * Interrupts of one device that a single run of the handler serves are as many records in the
 * segments up to `deliver`. All functions accept NULL and may be called from any context. Models
 * that emulate in software take no part.
 */
#ifndef IOV_TRACE_INTERRUPT_PATH_H
#define IOV_TRACE_INTERRUPT_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/time.h"
#include "core/trace/histogram.h"

IOV_BEGIN_DECLS

enum iov_interrupt_segment {
    IOV_INTERRUPT_LINK,
    IOV_INTERRUPT_REMAP,
    IOV_INTERRUPT_POST,
    IOV_INTERRUPT_ROUTE,
    IOV_INTERRUPT_DELIVER,
    IOV_INTERRUPT_EOI,
    IOV_INTERRUPT_SEGMENTS,
};

#define IOV_INTERRUPT_RECORDS 64u
#define IOV_INTERRUPT_OWNERS 256u

struct iov_interrupt_path {
    struct iov_histogram *segments[IOV_INTERRUPT_SEGMENTS]; /* ps */
    /* Those on their way, oldest first, from `first` on; apart, since one looks through many for a
     * guest's. */
    const void *guests[2 * IOV_INTERRUPT_RECORDS]; /* that own the functions */
    /* By APIC or descriptor; IOV_TIME_MAX: not yet. */
    iov_time accepted_at[2 * IOV_INTERRUPT_RECORDS];
    uint16_t requesters[2 * IOV_INTERRUPT_RECORDS];
    unsigned first, count;
    unsigned accepted; /* of them */
    struct {
        const void *guest;
        uint32_t source;
    } owners[IOV_INTERRUPT_OWNERS]; /* of what was given away, by source */
    unsigned owner_count;
    uint64_t posted;    /* notifications were sent */
    uint64_t gathered;  /* posted, and nobody was notified */
    uint64_t forgotten; /* too many on their way */
};

IOV_API struct iov_interrupt_path *iov_interrupt_path_new(void);
IOV_API void iov_interrupt_path_free(struct iov_interrupt_path *path); /* accepts NULL */
IOV_API void iov_interrupt_path_reset(struct iov_interrupt_path *path);
/* "link", "remap", ... */
IOV_API const char *iov_interrupt_segment_name(enum iov_interrupt_segment segment);

/*
 * Whose a message is: a function's, or that of one entry of a remapping table, where parts of a
 * function belong to several. Both forms may be given wherever a source is asked for.
 */
static inline uint32_t iov_interrupt_source(uint16_t requester, unsigned entry)
{
    return (uint32_t)(entry + 1) << 16 | requester;
}

/* Function or entry `source` belongs to the kernel `guest`; the first who says so has it. What
 * nobody owns has no delivery. Slow plane. */
IOV_API void iov_interrupt_owned(struct iov_interrupt_path *path, uint32_t source,
                                 const void *guest);
/* A remapping unit made a message of a device's, `link` after the device wrote it; it took
 * `remap`. */
IOV_API void iov_interrupt_remapped(struct iov_interrupt_path *path, uint32_t source, iov_time link,
                                    iov_time remap);
/*
 * It posted the message, which took `post` more. Without `notify` that is the end of the way for
 * now: the descriptor has it at `when`.
 */
IOV_API void iov_interrupt_posted(struct iov_interrupt_path *path, uint32_t source, iov_time link,
                                  iov_time remap, iov_time post, bool notify, iov_time when);
/* A message reaches a local APIC at `when`, `route` after it came. If no unit remapped it, `link`
 * is its way so far. */
IOV_API void iov_interrupt_routed(struct iov_interrupt_path *path, uint16_t requester,
                                  iov_time link, iov_time route, iov_time when);
/* A handler of `guest` begins: it serves all interrupts that are there of functions that `guest`
 * owns. */
IOV_API void iov_interrupt_taken(struct iov_interrupt_path *path, const void *guest, iov_time now);
/* `since` the handler began, EOI is done at `now`. */
IOV_API void iov_interrupt_ended(struct iov_interrupt_path *path, iov_time since, iov_time now);

IOV_END_DECLS

#endif
