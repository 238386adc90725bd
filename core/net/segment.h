/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large TCP segments: one frame that stands for many, until somebody cuts it (an adapter's TSO, a
 * kernel's GSO), or puts it together (GRO).
 *
 * A cut repeats the headers; IPv4 identification and sequence number count up, FIN and PSH stay
 * with the last segment and CWR with the first, lengths and both sums are made anew. SPEC: RFC
 * 9293 3.1, RFC 791 3.1, RFC 3168 6.1.2 (CWR).
 * LIMIT: IPv6 without extension headers, one VLAN tag at most.
 */
#ifndef IOV_NET_SEGMENT_H
#define IOV_NET_SEGMENT_H

#include "core/net/tcp.h"
#include "core/port/packet.h"

IOV_BEGIN_DECLS

/* The smallest MSS that is cut to, as in Linux: it keeps one frame of a guest from becoming
 * 65,000. */
#define IOV_SEGMENT_MIN 48u

/* How a frame is cut. */
struct iov_segment_plan {
    uint32_t network;   /* where the IP header is */
    uint32_t transport; /* the TCP header */
    uint32_t header;    /* bytes of all headers: what is repeated */
    uint32_t payload;   /* behind them */
    uint32_t size;      /* of a segment's payload: the MSS */
    uint32_t count;     /* of segments */
    bool ipv6;
};

/*
 * Reads the headers; `data` holds at least the first `held` of the frame's `size` bytes. False: not
 * a TCP frame whose lengths hold, or `mss` is too small. A frame that is one segment has a plan,
 * too.
 */
IOV_API bool iov_segment_plan(const uint8_t *data, uint32_t held, uint32_t size, uint32_t mss,
                              struct iov_segment_plan *ret_plan);
/* Bytes of segment `index` as a frame, and what of the payload is in it: from `*ret_offset` on. */
IOV_API uint32_t iov_segment_size(const struct iov_segment_plan *plan, uint32_t index,
                                  uint32_t *ret_offset);
/*
 * Makes the frame in `frame`, which holds the large one's headers and this segment's payload,
 * segment `index`. Without `sum` the TCP sum is the pseudo header's only.
 */
IOV_API void iov_segment_headers(const struct iov_segment_plan *plan, uint32_t index,
                                 uint8_t *frame, uint32_t frame_size, bool sum);

/*
 * The packet becomes the connection's next segment, with `size` bytes of payload at
 * IOV_TCP_PAYLOAD_AT, where they are; a large one is left to whoever takes it to be cut and summed.
 */
IOV_API void iov_segment_next(struct iov_tcp *tcp, struct iov_packet *packet, uint32_t size);
/*
 * What open checksums of a packet need: completes the one that `packet` leaves open, in place. One
 * that lies nowhere in it stays open.
 */
IOV_API void iov_segment_sum(struct iov_packet *packet);
/*
 * What an adapter does at its edge to the wire: cuts large frames, completes sums, sends; the last
 * segment carries the request. `packet` is given away; one that cannot be cut is freed. Returns the
 * time until the wire takes the next frame. `segments`, if not NULL, counts what was cut.
 */
IOV_API iov_time iov_segment_send_slowly(struct iov_packet_port *port, struct iov_packet_pool *pool,
                                         struct iov_packet *packet, uint64_t *segments);
static inline iov_time iov_segment_send(struct iov_packet_port *port, struct iov_packet_pool *pool,
                                        struct iov_packet *packet, uint64_t *segments)
{
    if (packet->segment_size == 0 && !(packet->flags & IOV_PACKET_NEEDS_CHECKSUM))
        return iov_packet_send(port, packet);
    return iov_segment_send_slowly(port, pool, packet, segments);
}

/*
 * Cuts `packet` into packets of `pool`, sums and all, that are queued behind `queue`'s last. False:
 * it cannot be cut, and is dropped. `packet` is freed.
 */
IOV_API bool iov_segment_cut(struct iov_packet_pool *pool, struct iov_packet *packet,
                             struct iov_packet_queue *queue);

/*
 * GRO: how a kernel puts segments of one connection together again. `first` and `next` are frames
 * whose sums somebody has checked; true if `next` goes on where a large segment ends that begins as
 * `first` and has `payload` bytes in segments of `mss`.
 */
struct iov_segment_data {
    uint32_t header;  /* bytes of all headers */
    uint32_t payload; /* 0: no TCP data over IPv4 that may be put together */
    bool last;        /* PSH: nothing goes behind it */
};
IOV_API struct iov_segment_data iov_segment_data(const uint8_t *frame, uint32_t size);
IOV_API bool iov_segment_follows(const uint8_t *first, uint32_t payload, const uint8_t *next);
/* The headers of `first` for `payload` bytes that are put together of segments of `mss`; the sum of
 * TCP is left open. */
IOV_API void iov_segment_merged(uint8_t *first, uint32_t payload, bool last);
#define IOV_SEGMENT_MERGED_MAX 65535u /* of a datagram: IPv4's length field */

/* Is the sum of TCP or UDP in this frame right? False as well if there is none. */
IOV_API bool iov_segment_verify(const uint8_t *frame, uint32_t size);

IOV_END_DECLS

#endif
