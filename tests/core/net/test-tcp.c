/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a TCP connection, joined by hand: what one builds the other takes, whatever is lost
 * on the way. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/tcp.h"

static struct iov_tcp client, server;
static uint8_t frame[4096];

static const struct iov_net_end client_address = { { 2, 0, 0, 0, 0, 1 }, 0x0a000001, 40000 };
static const struct iov_net_end server_address = { { 2, 0, 0, 0, 0, 2 }, 0x0a000002, 7 };

/* Builds a segment at one end; the other takes it, unless it is lost. */
static unsigned carry(struct iov_tcp *from, struct iov_tcp *to, uint32_t size, bool lost)
{
    struct iov_tcp_segment segment;
    uint32_t length;

    memset(frame, 0x5a, sizeof frame);
    length = iov_tcp_build(from, frame, size, false);
    if (lost)
        return 0;
    cr_assert(iov_tcp_parse(frame, length, to->own.ip, to->own.port, false, 0, &segment));
    cr_assert(eq(u32, segment.size, size));
    return iov_tcp_take(to, &segment, frame);
}

static void open_both(void)
{
    iov_tcp_init(&client, &client_address, 131072);
    iov_tcp_init(&server, &server_address, 1 << 20);
    iov_tcp_connect(&client, &server_address);
    cr_assert(eq(uint, carry(&client, &server, 0, false), IOV_TCP_ANSWER));
    cr_assert(ne(uint, carry(&server, &client, 0, false) & IOV_TCP_OPENED, 0));
    cr_assert(ne(uint, carry(&client, &server, 0, false) & IOV_TCP_OPENED, 0));
}

TestSuite(tcp, .init = open_both);

Test(tcp, a_handshake_opens_both_ends_with_scaled_windows)
{
    cr_assert(eq(int, client.state, IOV_TCP_ESTABLISHED));
    cr_assert(eq(int, server.state, IOV_TCP_ESTABLISHED));
    carry(&server, &client, 0, false);
    cr_assert(eq(u32, client.send_window, 1 << 20));
    cr_assert(eq(u32, server.send_window, 131072));
    cr_assert(eq(u32, iov_tcp_room(&client), IOV_TCP_FIRST));
    cr_assert(eq(u16, server.peer.port, 40000));
}

Test(tcp, every_second_segment_is_acknowledged)
{
    for (unsigned i = 0; i < 10; i++) {
        unsigned result = carry(&client, &server, 1000, false);

        cr_assert(ne(uint, result & IOV_TCP_DATA, 0));
        cr_assert(eq(int, (result & IOV_TCP_ANSWER) != 0, i % 2 == 1));
        if (result & IOV_TCP_ANSWER)
            cr_assert(ne(uint, carry(&server, &client, 0, false) & IOV_TCP_ROOM, 0));
    }
    cr_assert(eq(u32, client.unacknowledged, client.next));
}

Test(tcp, an_answer_with_data_takes_the_acknowledgement_along)
{
    carry(&client, &server, 64, false);
    cr_assert(ne(uint, carry(&server, &client, 64, false) & IOV_TCP_DATA, 0));
    cr_assert(eq(u32, client.unacknowledged, client.next));
}

Test(tcp, a_full_window_stops_the_sender)
{
    server.congestion_window = 1 << 20;
    while (iov_tcp_room(&server) >= IOV_TCP_MSS)
        carry(&server, &client, IOV_TCP_MSS, true);
    cr_assert(eq(u32, (server.next - server.unacknowledged) / IOV_TCP_MSS, 131072 / IOV_TCP_MSS));
}

Test(tcp, a_gap_is_answered_at_once_and_three_such_answers_send_the_sender_back)
{
    uint32_t lost_at = client.next;

    carry(&server, &client, 0, false); /* its window, scaled */
    carry(&client, &server, 1000, true);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(eq(uint, carry(&client, &server, 1000, false), IOV_TCP_ANSWER | IOV_TCP_GAP));
        carry(&server, &client, 0, false);
    }
    cr_assert(eq(u64, client.go_backs, 1));
    cr_assert(eq(u32, client.next, lost_at));
    cr_assert(eq(u64, server.gaps, 3));
    for (unsigned i = 0; i < 4; i++)
        carry(&client, &server, 1000, false);
    cr_assert(eq(u32, server.expected, client.next));
}

/* The client sends what it may; the server acknowledges all of it at once. */
static void send_all(void)
{
    while (iov_tcp_room(&client) >= IOV_TCP_MSS)
        carry(&client, &server, IOV_TCP_MSS, false);
    carry(&server, &client, 0, false);
}

Test(tcp,
     the_congestion_window_doubles_with_each_flight_until_a_loss_and_grows_slowly_after_half_of_it)
{
    uint32_t grown;

    for (unsigned i = 0; i < 3; i++) {
        grown = client.congestion_window;
        send_all();
        cr_assert(eq(u32, client.congestion_window, 2 * grown));
    }
    client.congestion_window = 20 * IOV_TCP_MSS;
    for (unsigned i = 0; i < 20; i++)
        carry(&client, &server, IOV_TCP_MSS, i == 0);
    iov_tcp_go_back(&client);
    cr_assert(eq(u32, client.congestion_window, IOV_TCP_AGAIN));
    cr_assert(eq(u32, client.threshold, 10 * IOV_TCP_MSS));
    for (unsigned i = 0; i < 3; i++)
        send_all();
    grown = client.congestion_window;
    cr_assert(ge(u32, grown, client.threshold));
    send_all();
    cr_assert(gt(u32, client.congestion_window, grown));
    cr_assert(le(u32, client.congestion_window, grown + IOV_TCP_MSS));
}

Test(tcp, a_segment_that_stands_for_several_is_acknowledged_at_once)
{
    struct iov_tcp_segment segment;
    uint32_t length = iov_tcp_build(&client, frame, 2 * IOV_TCP_MSS, false);

    cr_assert(
        iov_tcp_parse(frame, length, server.own.ip, server.own.port, false, IOV_TCP_MSS, &segment));
    cr_assert(eq(u32, segment.segments, 2));
    cr_assert(eq(uint, iov_tcp_take(&server, &segment, frame), IOV_TCP_DATA | IOV_TCP_ANSWER));
}

Test(tcp, only_the_end_of_what_was_written_is_pushed)
{
    iov_tcp_build(&client, frame, 100, false);
    cr_assert(ne(uint, frame[ETHERNET_HEADER + IPV4_HEADER + TCP_FLAGS] & TCP_FLAG_PSH, 0));
    client.push = false;
    iov_tcp_build(&client, frame, 100, false);
    cr_assert(zero(uint, frame[ETHERNET_HEADER + IPV4_HEADER + TCP_FLAGS] & TCP_FLAG_PSH));
}

Test(tcp, what_was_sent_twice_is_taken_once)
{
    uint32_t before = client.next;

    carry(&client, &server, 1000, false);
    iov_tcp_go_back(&client);
    cr_assert(eq(u32, client.next, before));
    cr_assert(eq(uint, carry(&client, &server, 1000, false), IOV_TCP_ANSWER));
    cr_assert(eq(u64, server.duplicates, 1));
    cr_assert(eq(u32, server.expected, client.next));
}

Test(tcp, an_acknowledgement_of_what_was_never_sent_is_ignored)
{
    struct iov_tcp_segment segment = { .acknowledge = client.next + 1000, .flags = TCP_FLAG_ACK };

    cr_assert(zero(uint, iov_tcp_take(&client, &segment, frame)));
    cr_assert(eq(u32, client.unacknowledged, client.next));
}

Test(tcp, broken_frames_are_no_segments)
{
    struct iov_tcp_segment segment;
    uint32_t length = iov_tcp_build(&client, frame, 100, false);

    for (uint32_t size = 0; size < length; size++)
        cr_assert(
            not(iov_tcp_parse(frame, size, server.own.ip, server.own.port, false, 0, &segment)));
    frame[IOV_TCP_PAYLOAD_AT + 50] ^= 1;
    cr_assert(
        not(iov_tcp_parse(frame, length, server.own.ip, server.own.port, false, 0, &segment)));
    cr_assert(iov_tcp_parse(frame, length, server.own.ip, server.own.port, true, 0, &segment));
    frame[ETHERNET_HEADER + IPV4_HEADER + TCP_OFFSET] =
        0xf0; /* a header longer than the rest can be, or not */
    cr_assert(iov_tcp_parse(frame, length, server.own.ip, server.own.port, true, 0, &segment));
    frame[ETHERNET_HEADER + IPV4_HEADER + TCP_OFFSET] = 0x40;
    cr_assert(not(iov_tcp_parse(frame, length, server.own.ip, server.own.port, true, 0, &segment)));
}

Test(tcp, any_bytes_are_taken_without_harm)
{
    uint64_t state = 1;

    for (unsigned i = 0; i < 200000; i++) {
        struct iov_tcp_segment segment;
        uint32_t length = iov_tcp_build(&client, frame, 40, false);

        for (unsigned k = 0; k < 6; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            frame[ETHERNET_TYPE + (state >> 33) % 60] = (uint8_t)(state >> 24);
        }
        if (iov_tcp_parse(frame, length, server.own.ip, server.own.port, true, 0, &segment))
            iov_tcp_take(&server, &segment, frame);
    }
}
