/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window that a receiver of TCP offers: a fixed one, or as Linux 6.1 moves it
 * (net.ipv4.tcp_moderate_rcvbuf). Arithmetic, as in tcp.h: the owner says what arrives and what the
 * program reads, and when.
 *
 * One that grows begins with half of tcp_rmem's 128 KiB, less a segment, and ends at half of its
 * 6 MiB. What the program reads in a round trip is compared with the most it ever read in one: when
 * it is more, twice as much shall fit, and more than that by twice the share it has gained. So who
 * reads as fast as data comes is never what limits, and who does not gets no more. A round trip is,
 * to a receiver, the time in which a window's worth arrives; the shortest of all counts. What is
 * offered follows by twice what arrives.
 *
 * SPEC: Linux 6.1, net/ipv4/tcp_input.c: tcp_init_buffer_space(), tcp_rcv_rtt_measure(),
 * tcp_rcv_space_adjust(), tcp_grow_window(); Documentation/networking/ip-sysctl: tcp_rmem.
 * LIMIT: a byte of payload takes two of the buffer, in whatever frame it came (Linux counts the
 * frames' buffers); no timestamps, which would let Linux measure longer round trips, in whole
 * milliseconds; no shortage of memory.
 */
#ifndef IOV_NET_TCP_WINDOW_H
#define IOV_NET_TCP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

#define IOV_TCP_WINDOW_GROWN (3u << 20) /* where one that grows ends */

struct iov_tcp_window {
    bool grows;
    uint32_t most;       /* what the buffer has room for */
    uint32_t offered;    /* no more than that for now */
    iov_time began;      /* the round trip under way */
    iov_time round_trip; /* the shortest so far; 0: none yet */
    uint32_t awaited;    /* bytes that end it; 0: none has begun */
    iov_time since;      /* what the program has read is counted */
    uint32_t read;
    uint32_t read_most; /* in a round trip */
};

/* `size` bytes; 0: one that grows. */
IOV_API void iov_tcp_window_init(struct iov_tcp_window *window, uint32_t size);
/* What may be offered while `held` bytes wait for the program. */
IOV_API uint32_t iov_tcp_window_room(const struct iov_tcp_window *window, uint32_t held);
/* A segment with `size` bytes came in order. */
IOV_API void iov_tcp_window_arrived(struct iov_tcp_window *window, uint32_t size, iov_time now);
/* The program has taken `size` bytes. */
IOV_API void iov_tcp_window_read(struct iov_tcp_window *window, uint32_t size, iov_time now);
/* That `held` bytes are left of what came is worth a word to the peer, who knows of `offered`: it
 * may go on. */
IOV_API bool iov_tcp_window_is_news(const struct iov_tcp_window *window, uint32_t offered,
                                    uint32_t held);

IOV_END_DECLS

#endif
