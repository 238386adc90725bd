/* SPDX-License-Identifier: Apache-2.0 */
/* When a sender takes what it sent for lost: by the round trip it measures. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/tcp-timer.h"

static struct iov_tcp_timer timer;
static struct iov_tcp tcp;
static iov_time now;

static void open_one(void)
{
    now = IOV_SEC;
    timer = (struct iov_tcp_timer){ .acknowledged = 1000, .probes = true };
    tcp = (struct iov_tcp){
        .state = IOV_TCP_ESTABLISHED, .unacknowledged = 1000, .next = 1000, .highest = 1000
    };
}

TestSuite(tcp_timer, .init = open_one);

static void sends(uint32_t segments)
{
    while (segments-- > 0) {
        tcp.next += IOV_TCP_MSS;
        if (tcp.next - tcp.unacknowledged > tcp.highest - tcp.unacknowledged)
            tcp.highest = tcp.next;
        iov_tcp_timer_sent(&timer, &tcp, IOV_TCP_MSS, now);
    }
}

/* Everything is acknowledged `later`. */
static void hears(iov_time later)
{
    now += later;
    tcp.unacknowledged = tcp.next;
    iov_tcp_timer_heard(&timer, &tcp, now);
}

/* How long until it is too late. */
static iov_time patience(void)
{
    return iov_tcp_timer_due(&timer, &tcp) - now;
}

static void loses(void)
{
    now = iov_tcp_timer_due(&timer, &tcp);
    iov_tcp_timer_expired(&timer, &tcp, now);
    iov_tcp_go_back(&tcp);
}

Test(tcp_timer, with_nothing_on_its_way_nothing_can_be_lost)
{
    cr_assert(eq(u64, iov_tcp_timer_due(&timer, &tcp), IOV_TIME_MAX));
    sends(1);
    hears(IOV_MS);
    cr_assert(eq(u64, iov_tcp_timer_due(&timer, &tcp), IOV_TIME_MAX));
}

Test(tcp_timer, who_has_measured_nothing_waits_for_a_second)
{
    sends(2);
    cr_assert(eq(u64, patience(), IOV_SEC));
}

/* SPEC: RFC 6298 5.3. */
Test(tcp_timer, with_each_segment_that_is_acknowledged_the_wait_begins_again)
{
    timer.probes = false;
    sends(1);
    hears(5 * IOV_MS);
    sends(2);
    now += 3 * IOV_MS;
    tcp.unacknowledged += IOV_TCP_MSS;
    iov_tcp_timer_heard(&timer, &tcp, now);
    cr_assert(eq(u64, patience(), (5000 - 5000 / 8 + 3000 / 8) * IOV_US + 200 * IOV_MS));
}

Test(tcp_timer, one_segment_has_a_round_trip_and_200_ms)
{
    sends(1);
    hears(5 * IOV_MS);
    sends(1);
    cr_assert(eq(u64, patience(), 205 * IOV_MS));
}

Test(tcp_timer, a_round_trip_that_varies_much_has_four_times_that)
{
    sends(1);
    hears(IOV_SEC);
    sends(1);
    cr_assert(eq(u64, patience(), 3 * IOV_SEC)); /* SPEC: RFC 6298 2.2: half of it */
    hears(IOV_SEC);
    sends(1);
    cr_assert(eq(u64, patience(), IOV_SEC + 4 * (IOV_SEC / 2 - IOV_SEC / 8)));
}

Test(tcp_timer, several_segments_are_looked_for_after_two_round_trips_or_2_ms)
{
    sends(1);
    hears(5 * IOV_MS);
    sends(2);
    cr_assert(eq(u64, patience(), 10 * IOV_MS));
    open_one();
    sends(1);
    hears(100 * IOV_US);
    sends(2);
    cr_assert(eq(u64, patience(), 2 * IOV_MS));
}

Test(tcp_timer, the_wait_begins_anew_with_what_is_acknowledged_and_not_with_what_is_sent)
{
    sends(1);
    hears(IOV_MS);
    sends(1);
    now += 100 * IOV_MS;
    iov_tcp_timer_heard(&timer, &tcp, now); /* nothing new */
    cr_assert(eq(u64, patience(), 101 * IOV_MS));
}

Test(tcp_timer, a_probe_is_followed_by_waits_that_double)
{
    sends(1);
    hears(5 * IOV_MS);
    sends(2);
    loses();
    sends(2);
    cr_assert(eq(u64, patience(), 205 * IOV_MS));
    loses();
    sends(2);
    cr_assert(eq(u64, patience(), 410 * IOV_MS));
    hears(5 * IOV_MS);
    sends(1);
    cr_assert(eq(u64, patience(), 205 * IOV_MS));
}

Test(tcp_timer, what_was_sent_twice_is_not_measured)
{
    sends(1);
    hears(5 * IOV_MS);
    sends(2);
    loses();
    sends(2);
    hears(90 * IOV_MS);
    cr_assert(eq(u64, timer.round_trip, 5 * IOV_MS));
    sends(1);
    hears(13 * IOV_MS);
    cr_assert(eq(u64, timer.round_trip, 6 * IOV_MS));
}

Test(tcp_timer, after_sixteen_waits_the_other_end_has_gone)
{
    unsigned waits = 0;

    sends(1);
    while (iov_tcp_timer_due(&timer, &tcp) != IOV_TIME_MAX) {
        loses();
        sends(1);
        waits++;
    }
    cr_assert(eq(uint, waits, 16));
}

/* ---- SYN ---- */

static void connects(void)
{
    tcp = (struct iov_tcp){ .state = IOV_TCP_SYN_SENT, .unacknowledged = 999, .next = 1000 };
    timer = (struct iov_tcp_timer){ .acknowledged = 999 };
    iov_tcp_timer_sent(&timer, &tcp, 1, now);
}

static void connects_again(void)
{
    now = iov_tcp_timer_due(&timer, &tcp);
    iov_tcp_timer_expired(&timer, &tcp, now);
    iov_tcp_timer_sent(&timer, &tcp, 1, now);
}

static void is_connected(iov_time later)
{
    tcp.state = IOV_TCP_ESTABLISHED;
    hears(later);
}

Test(tcp_timer, a_syn_is_lost_after_a_second_then_twice_that_and_so_on_six_times)
{
    connects();
    for (unsigned tries = 0; tries < 7; tries++) {
        cr_assert(eq(u64, patience(), IOV_SEC << tries));
        connects_again();
    }
    cr_assert(eq(u64, iov_tcp_timer_due(&timer, &tcp), IOV_TIME_MAX));
}

Test(tcp_timer, the_answer_to_a_syn_is_the_first_round_trip)
{
    connects();
    is_connected(3 * IOV_MS);
    cr_assert(eq(u64, timer.round_trip, 3 * IOV_MS));
}

Test(tcp_timer, but_not_if_it_was_sent_twice)
{
    connects();
    connects_again();
    is_connected(3 * IOV_MS);
    cr_assert(eq(u64, timer.round_trip, 0));
    sends(1);
    cr_assert(eq(u64, patience(), IOV_SEC));
    hears(IOV_MS);
    cr_assert(eq(u64, timer.round_trip, IOV_MS));
}
