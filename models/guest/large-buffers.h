/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory for the large segments that a driver has given to its device: a few buffers of 64
 * KiB, the one that came back last first, so that little memory is touched. LIMIT: a large segment
 * is one piece of memory, where Linux has up to seventeen.
 */
#ifndef IOV_GUEST_LARGE_BUFFERS_H
#define IOV_GUEST_LARGE_BUFFERS_H

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

#define IOV_GUEST_LARGE 48u
#define IOV_GUEST_LARGE_ROOM 65536u

struct iov_guest_large {
    iov_gpa base;
    uint8_t count; /* free */
    uint8_t free[IOV_GUEST_LARGE];
};

/* The share of one of `queues` queues. False: there is no memory for it. */
static inline bool iov_guest_large_init(struct iov_guest_large *large, IovLinuxGuest *guest,
                                        unsigned queues)
{
    unsigned count = IOV_GUEST_LARGE / queues < 4 ? 4 : IOV_GUEST_LARGE / queues;

    large->base = iov_guest_allocate(guest, count * IOV_GUEST_LARGE_ROOM, 4096);
    for (unsigned i = 0; large->base != 0 && i < count; i++)
        large->free[large->count++] = (uint8_t)(count - 1 - i);
    return large->base != 0;
}

/* A buffer's number, from 1 on; there must be one. */
static inline uint8_t iov_guest_large_take(struct iov_guest_large *large)
{
    return (uint8_t)(large->free[--large->count] + 1);
}

static inline iov_gpa iov_guest_large_address(const struct iov_guest_large *large, uint8_t number)
{
    return large->base + (number - 1u) * IOV_GUEST_LARGE_ROOM;
}

/* Frames that it becomes on the wire. */
static inline uint32_t iov_guest_frames_of(const struct iov_guest_frame *frame)
{
    if (frame->segment_size == 0)
        return 1;
    return (frame->size - IOV_TCP_PAYLOAD_AT + frame->segment_size - 1) / frame->segment_size;
}

/* And their bytes: each has the headers. */
static inline uint32_t iov_guest_bytes_of(const struct iov_guest_sent *sent, uint32_t frames)
{
    return sent->size + (frames - 1) * IOV_TCP_PAYLOAD_AT;
}

/* Accepts 0. */
static inline void iov_guest_large_give(struct iov_guest_large *large, uint8_t number)
{
    if (number != 0)
        large->free[large->count++] = (uint8_t)(number - 1);
}

/* The bytes of a frame, large or not, to guest memory. */
static inline void iov_guest_put_frame(struct iov_guest_cpu *cpu, iov_gpa address,
                                       const struct iov_guest_frame *frame)
{
    if (frame->more == NULL) {
        iov_exec_put_payload(cpu->exec, address, frame->data, frame->size, frame->span);
        return;
    }
    iov_exec_put_payload(cpu->exec, address, frame->data, IOV_TCP_PAYLOAD_AT, frame->span);
    iov_exec_put(cpu->exec, address + IOV_TCP_PAYLOAD_AT, frame->more,
                 frame->size - IOV_TCP_PAYLOAD_AT);
}

/*
 * The same for adapters that fill in lengths and sums of each segment: IPv4's length and sum are 0,
 * and the sum of TCP's pseudo header leaves its length out.
 */
static inline void iov_guest_put_frame_for_tso(struct iov_guest_cpu *cpu, iov_gpa address,
                                               const struct iov_guest_frame *frame)
{
    uint8_t headers[IOV_TCP_PAYLOAD_AT];
    uint8_t *ip = headers + ETHERNET_HEADER, *sum = ip + IPV4_HEADER + TCP_CHECKSUM;
    uint32_t length = frame->size - ETHERNET_HEADER - IPV4_HEADER, open;

    memcpy(headers, frame->data, sizeof headers);
    iov_net_put16(ip + IPV4_LENGTH, 0);
    iov_net_put16(ip + IPV4_CHECKSUM, 0);
    open = iov_net_get16(sum) + (~length & 0xffff);
    iov_net_put16(sum, (open & 0xffff) + (open >> 16));
    iov_exec_put_payload(cpu->exec, address, headers, sizeof headers, frame->span);
    iov_exec_put(cpu->exec, address + sizeof headers, frame->more,
                 frame->size - (uint32_t)sizeof headers);
}

#endif
