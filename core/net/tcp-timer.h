/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a sender of TCP takes what it sent for lost, from the round trip that it measures.
 * Arithmetic, as in tcp.h: the owner says what comes and goes, and when, and has the timer.
 *
 * SPEC: RFC 6298: a segment in each round trip is timed, none that was sent twice (Karn); the wait
 * begins with the first segment on its way, again with each that is acknowledged, and doubles when
 * nothing is. As in Linux the smoothed round trip plus four times its variation is never less than
 * the round trip and IOV_TCP_RETRANSMIT. RFC 8985 7.2: when several segments are on their way and
 * nothing has been sent for two round trips, that is a first end of the wait (`probes`); not in
 * less than IOV_TCP_PROBE. A SYN's wait begins with a second.
 * LIMIT: that probe sends all again, not the last segment; no timestamps (RFC 7323), so one sample
 * a round trip; a SYN that was lost leaves the wait as it was (RFC 6298 5.7: three seconds).
 */
#ifndef IOV_NET_TCP_TIMER_H
#define IOV_NET_TCP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"
#include "core/net/tcp.h"

IOV_BEGIN_DECLS

#define IOV_TCP_PROBE (2 * IOV_MS) /* at least: TCP_TIMEOUT_MIN */

struct iov_tcp_timer {
    iov_time since, sent;          /* the wait began; something was last sent */
    iov_time round_trip;           /* smoothed; 0: none measured */
    iov_time variation;            /* of it */
    iov_time began;                /* the round trip that is measured */
    uint32_t measured;             /* its end's acknowledgement */
    bool measures;                 /* one */
    bool probes;                   /* the owner's choice: with RFC 8985's first end */
    bool probed;                   /* since something was acknowledged */
    unsigned expired;              /* waits in a row, not counting the probe */
    uint32_t acknowledged, resent; /* up to these sequence numbers; the second for what was lost */
    uint64_t go_backs;             /* of the connection */
};

/* A segment that takes `size` sequence numbers (of a SYN: 1) leaves at `now`. */
IOV_API void iov_tcp_timer_sent(struct iov_tcp_timer *timer, const struct iov_tcp *tcp,
                                uint32_t size, iov_time now);
/* iov_tcp_take() took a segment. */
IOV_API void iov_tcp_timer_heard(struct iov_tcp_timer *timer, const struct iov_tcp *tcp,
                                 iov_time now);
/* When it is too late; IOV_TIME_MAX: nothing is on its way, or the other end has gone. */
IOV_API iov_time iov_tcp_timer_due(const struct iov_tcp_timer *timer, const struct iov_tcp *tcp);
/* It was: the owner goes back (iov_tcp_go_back()), unless it was a SYN, and sends. */
IOV_API void iov_tcp_timer_expired(struct iov_tcp_timer *timer, const struct iov_tcp *tcp,
                                   iov_time now);

IOV_END_DECLS

#endif
