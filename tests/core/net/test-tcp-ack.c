/* SPDX-License-Identifier: Apache-2.0 */
/* When a receiver acknowledges: at once, with data, when the program reads, or by itself. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/ethernet-regs.h"
#include "core/net/tcp-ack.h"

#define WINDOW 131072u

static struct iov_tcp_ack ack;
static iov_time now;

static void open_one(void)
{
    now = IOV_SEC;
    iov_tcp_ack_init(&ack);
}

TestSuite(tcp_ack, .init = open_one);

/* A first segment comes in order; is an acknowledgement due? */
static bool comes(uint32_t size, uint8_t flags)
{
    struct iov_tcp_segment segment = { .size = size, .segments = 1, .flags = flags };

    return iov_tcp_ack_take(&ack, IOV_TCP_DATA | IOV_TCP_DELAYED, &segment, WINDOW, now) &
           IOV_TCP_ANSWER;
}

/* Those that go at once are used up. */
static void be_slow(void)
{
    while (comes(IOV_TCP_MSS, 0))
        iov_tcp_ack_sent(&ack, 0, now);
    iov_tcp_ack_sent(&ack, 0, now);
}

static void talk(void)
{
    comes(100, TCP_FLAG_PSH);
    now += IOV_MS;
    iov_tcp_ack_sent(&ack, 100, now);
}

Test(tcp_ack, the_first_sixteen_segments_are_acknowledged_at_once_and_the_next_waits_for_40_ms)
{
    for (unsigned i = 0; i < 16; i++) {
        cr_assert(comes(IOV_TCP_MSS, 0));
        iov_tcp_ack_sent(&ack, 0, now);
    }
    cr_assert(not(comes(IOV_TCP_MSS, 0)));
    cr_assert(eq(u64, ack.due, now + 40 * IOV_MS));
}

Test(tcp_ack, a_window_of_few_segments_gives_as_few_of_them)
{
    struct iov_tcp_segment segment = { .size = IOV_TCP_MSS, .segments = 1 };
    unsigned at_once = 0;

    while (iov_tcp_ack_take(&ack, IOV_TCP_DATA | IOV_TCP_DELAYED, &segment, 8 * IOV_TCP_MSS, now) &
           IOV_TCP_ANSWER) {
        iov_tcp_ack_sent(&ack, 0, now);
        at_once++;
    }
    cr_assert(eq(uint, at_once, 4));
}

Test(tcp_ack, after_a_silence_as_long_as_a_retransmission_the_next_go_at_once_again)
{
    be_slow();
    now += IOV_TCP_RETRANSMIT;
    cr_assert(not(comes(IOV_TCP_MSS, 0)));
    iov_tcp_ack_sent(&ack, 0, now);
    now += IOV_TCP_RETRANSMIT + 1;
    cr_assert(comes(IOV_TCP_MSS, 0));
}

Test(tcp_ack, whoever_answers_within_40_ms_lets_the_acknowledgement_go_with_the_answer)
{
    talk();
    cr_assert(not(comes(100, TCP_FLAG_PSH)));
    cr_assert(not(iov_tcp_ack_read(&ack, 0)));
    iov_tcp_ack_sent(&ack, 100, now + IOV_MS);
    cr_assert(eq(u64, ack.due, IOV_TIME_MAX));
}

Test(tcp_ack, whoever_answers_later_is_in_no_dialogue)
{
    comes(100, TCP_FLAG_PSH);
    iov_tcp_ack_sent(&ack, 0, now);
    now += 40 * IOV_MS;
    iov_tcp_ack_sent(&ack, 100, now);
    cr_assert(comes(100, TCP_FLAG_PSH));
}

Test(tcp_ack, one_that_waited_for_too_long_ends_the_dialogue)
{
    talk();
    comes(100, TCP_FLAG_PSH);
    now = ack.due;
    iov_tcp_ack_late(&ack, now);
    iov_tcp_ack_sent(&ack, 0, now);
    cr_assert(eq(u64, ack.due, IOV_TIME_MAX));
    cr_assert(comes(100, TCP_FLAG_PSH));
}

Test(tcp_ack, the_end_of_a_write_is_acknowledged_when_the_program_has_read_everything)
{
    be_slow();
    comes(IOV_TCP_MSS, 0);
    cr_assert(not(iov_tcp_ack_read(&ack, 0))); /* more is to come */
    comes(100, 0);
    cr_assert(not(iov_tcp_ack_read(&ack, 100)));
    cr_assert(iov_tcp_ack_read(&ack, 0));
    iov_tcp_ack_sent(&ack, 0, now);
    cr_assert(not(iov_tcp_ack_read(&ack, 0)));
}

Test(tcp_ack, a_second_segment_does_not_make_the_first_wait_longer)
{
    be_slow();
    comes(IOV_TCP_MSS, 0);
    now += 10 * IOV_MS;
    comes(IOV_TCP_MSS, 0);
    cr_assert(eq(u64, ack.due, now + 30 * IOV_MS));
}

Test(tcp_ack, what_came_before_is_acknowledged_and_so_is_what_follows_it)
{
    struct iov_tcp_segment segment = { .size = 100, .segments = 1, .flags = TCP_FLAG_PSH };

    talk();
    cr_assert(
        eq(uint, iov_tcp_ack_take(&ack, IOV_TCP_ANSWER, &segment, WINDOW, now), IOV_TCP_ANSWER));
    iov_tcp_ack_sent(&ack, 0, now);
    cr_assert(comes(100, TCP_FLAG_PSH));
}
