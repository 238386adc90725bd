/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a TCP connection, as arithmetic: sequence numbers, windows, what is acknowledged, what
 * is due. It sends nothing, keeps no bytes and knows no time: whoever owns it (the guest's stack,
 * the machine at the far end) builds the frames, pays for them and runs the timers.
 *
 * SPEC: RFC 9293 (segments, handshake, windows), RFC 7323 2 (window scale), RFC 5681 3.2 (three
 * duplicate acknowledgements: go back), 4.2 (an acknowledgement for every second full segment; at
 * once for what is out of order), RFC 6298 (the timer is the owner's). The congestion window is RFC
 * 5681 3.1's: slow start, congestion avoidance, counted in bytes; after a loss it begins anew
 * (4.1's restart), since what comes out of order is dropped and everything from there on is sent
 * again.
 * LIMIT: no SACK and so no fast recovery, no timestamps, no urgent data.
 */
#ifndef IOV_NET_TCP_H
#define IOV_NET_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"
#include "core/net/address.h"

IOV_BEGIN_DECLS

#define IOV_TCP_PAYLOAD_AT 54u /* in a frame without options: Ethernet, IPv4, TCP */
/* Without an acknowledgement for so long, what was sent is sent again: Linux's TCP_RTO_MIN. */
#define IOV_TCP_RETRANSMIT (200 * IOV_MS)
#define IOV_TCP_MSS 1460u                /* of an MTU of 1500 */
#define IOV_TCP_LARGE (44 * IOV_TCP_MSS) /* one that stands for several: whole ones, in 64 KiB */
#define IOV_TCP_FIRST (10 * IOV_TCP_MSS) /* SPEC: RFC 6928 2: the first congestion window */
#define IOV_TCP_AGAIN (2 * IOV_TCP_MSS)  /* after a loss: what is acknowledged at once */
#define IOV_TCP_DUPLICATES 3u            /* SPEC: RFC 5681 3.2: so many let a sender go back */

enum iov_tcp_state { IOV_TCP_CLOSED, IOV_TCP_SYN_SENT, IOV_TCP_SYN_RECEIVED, IOV_TCP_ESTABLISHED };

struct iov_tcp {
    struct iov_net_end own, peer;
    enum iov_tcp_state state;
    uint32_t unacknowledged, next;      /* send sequence */
    uint32_t highest;                   /* behind the last byte that was ever sent */
    uint32_t expected;                  /* receive sequence */
    uint32_t send_window;               /* bytes beyond `unacknowledged` that the peer takes */
    uint32_t congestion_window;         /* and that the path does */
    uint32_t threshold;                 /* of slow start */
    uint32_t receive_window;            /* bytes that are offered to it: a multiple of 1 << 7 */
    uint32_t recover;                   /* going back counts as done when this is acknowledged */
    uint8_t duplicate_acknowledgements; /* in a row */
    uint8_t send_scale;                 /* of the windows that it tells */
    uint16_t identification;            /* of IP */
    unsigned segments;                  /* with data, received since the last acknowledgement */
    unsigned acknowledge_every;         /* 2 as in RFC 5681; 1: each */
    bool push; /* the next data ends what was written: PSH; true at first */
    uint64_t duplicates, gaps, bad, go_backs; /* statistics */
};

/* A segment that arrived. */
struct iov_tcp_segment {
    uint32_t sequence, acknowledge;
    uint32_t window;   /* not scaled */
    uint32_t size;     /* of the payload */
    uint32_t at;       /* of the payload, in the frame */
    uint32_t segments; /* of the wire that it stands for */
    uint8_t flags;
    uint8_t scale; /* of a SYN; 0 without the option */
};

/* What a segment brought about. */
enum {
    IOV_TCP_OPENED = 1 << 0,  /* the connection is established now */
    IOV_TCP_ROOM = 1 << 1,    /* data was acknowledged, or the window grew */
    IOV_TCP_DATA = 1 << 2,    /* the payload is the next in order */
    IOV_TCP_ANSWER = 1 << 3,  /* an acknowledgement is due now */
    IOV_TCP_DELAYED = 1 << 4, /* one is due later, if nothing else takes it along */
    IOV_TCP_GAP = 1 << 5,     /* something before it is missing */
};

/* A closed end; `window` is what it offers. */
IOV_API void iov_tcp_init(struct iov_tcp *tcp, const struct iov_net_end *own, uint32_t window);
/* Towards `peer`: the owner sends a SYN next. */
IOV_API void iov_tcp_connect(struct iov_tcp *tcp, const struct iov_net_end *peer);
/*
 * Reads a frame as a TCP segment to port `port` of `ip`; false if it is none, or broken.
 * `verified`: somebody else has checked the sum. `segment_size`: payload of the wire's segments
 * that it stands for; 0: it is one.
 */
IOV_API bool iov_tcp_parse(const uint8_t *frame, uint32_t size, uint32_t ip, uint16_t port,
                           bool verified, uint32_t segment_size,
                           struct iov_tcp_segment *ret_segment);
/* It is connected with the sender of a frame that holds a segment. */
IOV_API bool iov_tcp_is_with(const struct iov_tcp *tcp, const uint8_t *frame);
/* Takes a segment; a closed end takes a SYN of `from` (a frame), too. Returns what it brought
 * about. */
IOV_API unsigned iov_tcp_take(struct iov_tcp *tcp, const struct iov_tcp_segment *segment,
                              const uint8_t *frame);
/*
 * How many acknowledgements a segment wants whose `result` has IOV_TCP_ANSWER: one, or behind a gap
 * as many duplicates as it stands for segments, up to those that make the sender go back. LIMIT:
 * Linux says the same by one with SACK.
 */
IOV_API uint32_t iov_tcp_answers(unsigned result, const struct iov_tcp_segment *segment);
/* The receive window is `room` from now on, as far as it can be told. */
IOV_API void iov_tcp_offer(struct iov_tcp *tcp, uint32_t room);
/* Bytes that may be sent now. */
IOV_API uint32_t iov_tcp_room(const struct iov_tcp *tcp);
/*
 * Of more than `room` what goes now: whole segments, if they are a third of the window (`most`
 * bounds it, too) or nothing is on its way; 0: it waits. SPEC: Linux, tcp_tso_should_defer().
 */
IOV_API uint32_t iov_tcp_part(const struct iov_tcp *tcp, uint32_t room, uint32_t most);
/*
 * Puts headers for the next segment in front of `size` bytes of payload (at IOV_TCP_PAYLOAD_AT; a
 * SYN has none and goes with its options) and moves on. Returns the frame's size. With `offload`
 * the checksum field holds the pseudo header's sum only.
 */
IOV_API uint32_t iov_tcp_build(struct iov_tcp *tcp, uint8_t *frame, uint32_t size, bool offload);
/* Nothing was acknowledged for too long: sends from there again. */
IOV_API void iov_tcp_go_back(struct iov_tcp *tcp);

IOV_END_DECLS

#endif
