/* SPDX-License-Identifier: Apache-2.0 */
/* The window that a receiver offers, fixed and as Linux lets it grow. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/tcp-window.h"
#include "core/net/tcp.h"

#define FIRST (64 * 1024 - IOV_TCP_MSS)

static struct iov_tcp_window window;
static iov_time now;

static void open_one(void)
{
    now = IOV_MS;
    iov_tcp_window_init(&window, 0);
}

TestSuite(tcp_window, .init = open_one);

/* `bytes` come one segment after the other, in `time`, and the program reads each at once. */
static void stream(uint32_t bytes, iov_time time)
{
    uint32_t segments = bytes / IOV_TCP_MSS;

    for (uint32_t i = 0; i < segments; i++) {
        now += time / segments;
        iov_tcp_window_arrived(&window, IOV_TCP_MSS, now);
        iov_tcp_window_read(&window, IOV_TCP_MSS, now);
    }
}

/* Offered for as long as it takes to measure a round trip of 100 us. */
static void measure_round_trip(void)
{
    iov_tcp_window_arrived(&window, IOV_TCP_MSS, now);
    now += 100 * IOV_US;
    iov_tcp_window_arrived(&window, FIRST, now);
}

Test(tcp_window, a_fixed_one_is_what_was_said_less_what_waits)
{
    iov_tcp_window_init(&window, 131072);
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), 131072));
    stream(8 << 20, IOV_MS);
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), 131072));
    cr_assert(eq(u32, iov_tcp_window_room(&window, 1000), 130072));
    cr_assert(eq(u32, iov_tcp_window_room(&window, 131073), 0));
}

Test(tcp_window, one_that_grows_begins_with_half_of_tcp_rmem_less_a_segment)
{
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), FIRST));
}

/* 100,000 bytes in a round trip, where ten segments were taken for granted. */
Test(tcp_window, what_was_read_in_a_round_trip_fits_twice_and_once_more_for_what_it_gained)
{
    uint64_t wanted = 2 * 100000 + 16 * IOV_TCP_MSS;

    measure_round_trip();
    iov_tcp_window_read(&window, 60000, now - 1); /* of a round trip that is not over */
    cr_assert(eq(u32, window.most, FIRST));
    iov_tcp_window_read(&window, 40000, now);
    wanted += 2 * (wanted * (100000 - 14600) / 14600);
    cr_assert(eq(u32, window.most, (uint32_t)wanted));
}

Test(tcp_window, who_reads_no_more_than_before_gets_no_more)
{
    uint32_t most;

    measure_round_trip();
    iov_tcp_window_read(&window, 100000, now += 100 * IOV_US);
    most = window.most;
    for (unsigned i = 0; i < 100; i++)
        iov_tcp_window_read(&window, 100000, now += 100 * IOV_US);
    cr_assert(eq(u32, window.most, most));
}

Test(tcp_window, what_is_offered_follows_by_twice_what_arrives)
{
    measure_round_trip();
    iov_tcp_window_read(&window, 100000, now += 100 * IOV_US);
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), FIRST));
    iov_tcp_window_arrived(&window, 10000, now);
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), FIRST + 20000));
    cr_assert(eq(u32, iov_tcp_window_room(&window, window.most - 5000), 5000));
}

Test(tcp_window, it_ends_at_half_of_the_largest_buffer)
{
    measure_round_trip();
    for (unsigned i = 1; i <= 8; i++)
        iov_tcp_window_read(&window, i << 20, now += 100 * IOV_US);
    iov_tcp_window_arrived(&window, 8 << 20, now);
    cr_assert(eq(u32, iov_tcp_window_room(&window, 0), 3 << 20));
}

Test(tcp_window, without_a_round_trip_nothing_is_known)
{
    iov_tcp_window_read(&window, 1 << 20, now + IOV_SEC);
    cr_assert(eq(u32, window.most, FIRST));
}
