/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp-timer.h. */
#include "core/net/tcp-timer.h"

#define FIRST IOV_SEC           /* SPEC: RFC 6298 2.1 */
#define LONGEST (120 * IOV_SEC) /* TCP_RTO_MAX */
#define TRIES 15u               /* tcp_retries2 */
#define SYN_TRIES 6u            /* tcp_syn_retries */

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static iov_time longest(iov_time a, iov_time b)
{
    return a > b ? a : b;
}

/* SPEC: RFC 6298 3, Karn's algorithm. */
static bool was_sent_before(const struct iov_tcp_timer *timer, const struct iov_tcp *tcp,
                            uint32_t from)
{
    return tcp->state == IOV_TCP_SYN_SENT ? timer->expired > 0
                                          : timer->go_backs > 0 && before(from, timer->resent);
}

void iov_tcp_timer_sent(struct iov_tcp_timer *timer, const struct iov_tcp *tcp, uint32_t size,
                        iov_time now)
{
    uint32_t from = tcp->next - size;

    if (timer->go_backs != tcp->go_backs) {
        timer->go_backs = tcp->go_backs;
        timer->resent = tcp->highest;
        timer->measures = false;
    }
    timer->sent = now;
    if (from == tcp->unacknowledged)
        timer->since = now;
    if (timer->measures || was_sent_before(timer, tcp, from))
        return;
    timer->measures = true;
    timer->measured = tcp->next;
    timer->began = now;
}

/* SPEC: RFC 6298 2.2, 2.3. */
static void note_round_trip(struct iov_tcp_timer *timer, iov_time took)
{
    iov_time off = took > timer->round_trip ? took - timer->round_trip : timer->round_trip - took;

    if (timer->round_trip == 0) {
        timer->round_trip = took;
        timer->variation = took / 2;
        return;
    }
    timer->variation = timer->variation - timer->variation / 4 + off / 4;
    timer->round_trip = timer->round_trip - timer->round_trip / 8 + took / 8;
}

void iov_tcp_timer_heard(struct iov_tcp_timer *timer, const struct iov_tcp *tcp, iov_time now)
{
    if (timer->acknowledged == tcp->unacknowledged)
        return;
    timer->acknowledged = tcp->unacknowledged;
    timer->since = now;
    timer->probed = false;
    timer->expired = 0;
    if (!timer->measures || before(tcp->unacknowledged, timer->measured))
        return;
    timer->measures = false;
    if (timer->go_backs == tcp->go_backs && now > timer->began)
        note_round_trip(timer, now - timer->began);
}

/* SPEC: RFC 6298 2.1, 2.3, 5.5; Linux: tcp_rtt_estimator(), whose variation is at least
 * TCP_RTO_MIN. */
static iov_time retransmission(const struct iov_tcp_timer *timer)
{
    iov_time wait = timer->round_trip == 0
                        ? FIRST
                        : timer->round_trip + longest(4 * timer->variation, IOV_TCP_RETRANSMIT);

    for (unsigned i = 0; i < timer->expired && wait < LONGEST; i++)
        wait *= 2;
    return wait < LONGEST ? wait : LONGEST;
}

/* The acknowledgement of one segment alone may be a delayed one. */
static bool is_probe(const struct iov_tcp_timer *timer, const struct iov_tcp *tcp)
{
    return timer->probes && !timer->probed && timer->round_trip > 0 &&
           tcp->next - tcp->unacknowledged > IOV_TCP_MSS;
}

iov_time iov_tcp_timer_due(const struct iov_tcp_timer *timer, const struct iov_tcp *tcp)
{
    if (tcp->state == IOV_TCP_SYN_SENT)
        return timer->expired > SYN_TRIES ? IOV_TIME_MAX : timer->since + retransmission(timer);
    if (tcp->state != IOV_TCP_ESTABLISHED || tcp->next == tcp->unacknowledged ||
        timer->expired > TRIES)
        return IOV_TIME_MAX;
    if (is_probe(timer, tcp))
        return longest(timer->since, timer->sent) + longest(2 * timer->round_trip, IOV_TCP_PROBE);
    return timer->since + retransmission(timer);
}

void iov_tcp_timer_expired(struct iov_tcp_timer *timer, const struct iov_tcp *tcp, iov_time now)
{
    timer->measures = false;
    timer->expired += !is_probe(timer, tcp);
    timer->probed = true;
    timer->since = now;
}
