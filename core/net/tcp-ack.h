/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a receiver of TCP acknowledges, as Linux 6.1 decides it. Arithmetic, as in tcp.h: the owner
 * says what comes and goes, and when, and has the timer.
 *
 *   at once    every second segment (tcp.h), what is out of order or has come before; the first
 *              segments of a connection, and of one that was silent for a retransmission's time
 *              (quickack mode), unless it is a dialogue
 *   when read  the end of a write, when nothing is left to read; not in a dialogue
 *   with data  in a dialogue: what is sent soon after data came makes it one (pingpong mode)
 *   by itself  what has waited for 40 ms; that ends a dialogue
 *
 * SPEC: Linux 6.1, net/ipv4/tcp_input.c: tcp_event_data_recv(), tcp_incr_quickack(),
 * __tcp_ack_snd_check(), tcp_measure_rcv_mss(); tcp_output.c: tcp_event_data_sent(),
 * tcp_event_ack_sent(), tcp_send_delayed_ack(); tcp_timer.c: tcp_delack_timer_handler(); tcp.c:
 * tcp_cleanup_rbuf().
 * LIMIT: Linux waits longer where the round trip takes more than 40 ms, or segments come more than
 * 20 ms apart; it counts bytes where tcp.h counts segments, so short ones wait longer there.
 */
#ifndef IOV_NET_TCP_ACK_H
#define IOV_NET_TCP_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"
#include "core/net/tcp.h"

IOV_BEGIN_DECLS

#define IOV_TCP_ACK_DELAY (40 * IOV_MS) /* TCP_DELACK_MIN, TCP_ATO_MIN */

struct iov_tcp_ack {
    iov_time due;   /* of one that waits for data to go with; IOV_TIME_MAX: none */
    iov_time heard; /* when data last came; 0: never */
    unsigned quick; /* so many go at once */
    bool dialogue;  /* the program answers what comes */
    bool end;       /* of a write, is among what waits */
};

IOV_API void iov_tcp_ack_init(struct iov_tcp_ack *ack);
/* A segment came and iov_tcp_take() said `result`: the same, with IOV_TCP_ANSWER in place of
 * IOV_TCP_DELAYED if Linux would not wait. `window`: what is offered. */
IOV_API unsigned iov_tcp_ack_take(struct iov_tcp_ack *ack, unsigned result,
                                  const struct iov_tcp_segment *segment, uint32_t window,
                                  iov_time now);
/* A segment with `size` bytes of payload went: it has acknowledged everything. */
IOV_API void iov_tcp_ack_sent(struct iov_tcp_ack *ack, uint32_t size, iov_time now);
/* The program has read, and left `held` bytes: is one due? */
IOV_API bool iov_tcp_ack_read(const struct iov_tcp_ack *ack, uint32_t held);
/* One has waited for long enough: the owner sends it now, or else a delay later. */
IOV_API void iov_tcp_ack_late(struct iov_tcp_ack *ack, iov_time now);

IOV_END_DECLS

#endif
