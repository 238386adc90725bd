/* SPDX-License-Identifier: Apache-2.0 */
/* Large TCP segments: what a cut changes and what it leaves, sums, putting together, and
 * rubbish. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/segment.h"
#include "core/net/tcp.h"

#define IP ETHERNET_HEADER
#define TCP (IP + IPV4_HEADER)
#define MSS 1000u

static struct iov_packet_pool *pool;
static struct iov_tcp tcp;

static void open_pool(void)
{
    static const struct iov_net_end own = { { 2, 0, 0, 0, 0, 1 }, 0x0a000001, 40000 };
    static const struct iov_net_end peer = { { 2, 0, 0, 0, 0, 2 }, 0x0a000002, 7 };

    pool = iov_packet_pool_new();
    iov_tcp_init(&tcp, &own, 131072);
    iov_tcp_connect(&tcp, &peer);
    tcp.state = IOV_TCP_ESTABLISHED;
    tcp.next = 1000;
    tcp.identification = 77;
}

static void close_pool(void)
{
    iov_packet_pool_unref(pool, NULL);
}

TestSuite(segment, .init = open_pool, .fini = close_pool);

static uint8_t byte_at(uint32_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 8));
}

static struct iov_packet *large_new(uint32_t payload)
{
    struct iov_packet *packet = iov_packet_new(pool, IOV_TCP_PAYLOAD_AT + payload);

    for (uint32_t i = 0; i < payload; i++)
        packet->data[IOV_TCP_PAYLOAD_AT + i] = byte_at(i);
    iov_tcp_build(&tcp, packet->data, payload, true);
    packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    packet->checksum_start = TCP;
    packet->checksum_place = TCP + TCP_CHECKSUM;
    packet->segment_size = MSS;
    return packet;
}

Test(segment, a_cut_counts_up_sequence_and_identification_and_sums_each_piece)
{
    struct iov_packet_queue pieces = { 0 };
    struct iov_packet *packet = large_new(3 * MSS + 1), *piece;
    struct iov_span span = { 0 };
    struct iov_tcp_segment segment;

    packet->span = &span;
    cr_assert(iov_segment_cut(pool, packet, &pieces));
    cr_assert(eq(u32, pieces.count, 4));
    for (uint32_t i = 0; (piece = iov_packet_queue_pop(&pieces)) != NULL; i++) {
        uint32_t size = i < 3 ? MSS : 1;

        cr_assert(eq(u32, piece->size, IOV_TCP_PAYLOAD_AT + size));
        cr_assert(iov_tcp_parse(piece->data, piece->size, 0x0a000002, 7, false, 0, &segment));
        cr_assert(eq(u32, segment.sequence, 1000 + i * MSS));
        cr_assert(eq(u32, segment.size, size));
        cr_assert(eq(u16, iov_net_get16(piece->data + IP + IPV4_ID), 77 + i));
        for (uint32_t k = 0; k < size; k++)
            cr_assert(eq(u8, piece->data[IOV_TCP_PAYLOAD_AT + k], byte_at(i * MSS + k)));
        cr_assert(eq(ptr, piece->span, i == 3 ? &span : NULL));
        cr_assert(zero(u16, piece->flags));
        cr_assert(zero(u16, piece->segment_size));
        iov_packet_free(piece);
    }
}

Test(segment, fin_and_psh_stay_with_the_last_piece_and_cwr_with_the_first)
{
    static const uint8_t wanted[] = { TCP_FLAG_ACK | TCP_FLAG_CWR, TCP_FLAG_ACK,
                                      TCP_FLAG_ACK | TCP_FLAG_PSH | TCP_FLAG_FIN };
    struct iov_packet_queue pieces = { 0 };
    struct iov_packet *packet = large_new(2 * MSS + 500), *piece;

    packet->data[TCP + TCP_FLAGS] = TCP_FLAG_ACK | TCP_FLAG_PSH | TCP_FLAG_FIN | TCP_FLAG_CWR;
    cr_assert(iov_segment_cut(pool, packet, &pieces));
    for (uint32_t i = 0; (piece = iov_packet_queue_pop(&pieces)) != NULL; i++) {
        cr_assert(eq(u8, piece->data[TCP + TCP_FLAGS], wanted[i]));
        cr_assert(iov_segment_verify(piece->data, piece->size));
        iov_packet_free(piece);
    }
}

Test(segment, one_of_ipv6_gets_lengths_and_sums_of_its_own)
{
    struct iov_packet_queue pieces = { 0 };
    struct iov_packet *packet = iov_packet_new(pool, 14 + 40 + 20 + 1500), *piece;
    uint8_t *ip = packet->data + 14;

    memset(packet->data, 0x11, packet->size);
    iov_net_put16(packet->data + ETHERNET_TYPE, ETHERNET_TYPE_IPV6);
    ip[0] = 0x60;
    ip[6] = IPV4_PROTOCOL_TCP;
    ip[40 + TCP_OFFSET] = 0x50;
    packet->segment_size = MSS;
    cr_assert(iov_segment_cut(pool, packet, &pieces));
    cr_assert(eq(u32, pieces.count, 2));
    while ((piece = iov_packet_queue_pop(&pieces)) != NULL) {
        cr_assert(eq(u16, iov_net_get16(piece->data + 14 + 4), piece->size - 54));
        cr_assert(iov_segment_verify(piece->data, piece->size));
        iov_packet_free(piece);
    }
}

Test(segment, one_that_cannot_be_cut_lets_go_of_its_request)
{
    struct iov_packet_queue pieces = { 0 };
    struct iov_packet *packet = iov_packet_new(pool, 2000);
    struct iov_span span;

    memset(packet->data, 0, packet->size);
    packet->segment_size = MSS;
    iov_span_begin(&span, 1, &pieces, 0);
    packet->span = &span;
    cr_assert(not(iov_segment_cut(pool, packet, &pieces)));
    cr_assert(eq(u32, pieces.count, 0));
    cr_assert(span.holder == NULL);
}

Test(segment, what_was_cut_is_put_together_to_the_same_bytes)
{
    struct iov_packet *packet = large_new(5 * MSS), *copy = iov_packet_copy(pool, packet);
    struct iov_packet_queue pieces = { 0 };
    struct iov_packet *first, *next;
    uint32_t payload = MSS;
    bool last = false;

    cr_assert(iov_segment_cut(pool, packet, &pieces));
    first = iov_packet_queue_pop(&pieces);
    while ((next = iov_packet_queue_pop(&pieces)) != NULL) {
        struct iov_segment_data data = iov_segment_data(next->data, next->size);

        cr_assert(eq(u32, data.payload, MSS));
        cr_assert(iov_segment_follows(first->data, payload, next->data));
        payload += data.payload;
        last = data.last;
        iov_packet_free(next);
    }
    cr_assert(last);
    iov_segment_merged(first->data, payload, last);
    cr_assert(eq(u32, payload, 5 * MSS));
    cr_assert(zero(int, memcmp(first->data, copy->data, IOV_TCP_PAYLOAD_AT)));
    iov_packet_free(first);
    iov_packet_free(copy);
}

Test(segment, another_connection_sequence_window_or_acknowledgement_does_not_follow)
{
    static const uint32_t places[] = { IP + IPV4_SOURCE, TCP + TCP_SOURCE, TCP + TCP_SEQUENCE + 3,
                                       TCP + TCP_ACKNOWLEDGE, TCP + TCP_WINDOW };
    struct iov_packet *first = large_new(100), *next = large_new(100);

    cr_assert(iov_segment_follows(first->data, 100, next->data));
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        next->data[places[i]] ^= 1;
        cr_assert(not(iov_segment_follows(first->data, 100, next->data)));
        next->data[places[i]] ^= 1;
    }
    cr_assert(not(iov_segment_follows(first->data, 99, next->data)));
    iov_packet_free(first);
    iov_packet_free(next);
}

Test(segment, an_open_sum_is_completed_where_it_is_said_or_where_the_headers_say)
{
    for (unsigned said = 0; said < 2; said++) {
        struct iov_packet *packet = large_new(333);

        packet->segment_size = 0;
        if (!said)
            packet->checksum_start = packet->checksum_place = 0;
        iov_segment_sum(packet);
        cr_assert(iov_segment_verify(packet->data, packet->size));
        cr_assert(zero(u16, packet->flags));
        packet->data[200] ^= 1;
        cr_assert(not(iov_segment_verify(packet->data, packet->size)));
        iov_packet_free(packet);
    }
}

Test(segment, a_sum_that_lies_outside_of_its_frame_is_left_alone)
{
    struct iov_packet *packet = large_new(64), *before = iov_packet_copy(pool, packet);

    packet->checksum_place = packet->size - 1;
    iov_segment_sum(packet);
    packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    packet->checksum_place = 60;
    packet->checksum_start = (uint16_t)packet->size;
    iov_segment_sum(packet);
    cr_assert(zero(int, memcmp(packet->data, before->data, packet->size)));
    iov_packet_free(packet);
    iov_packet_free(before);
}

Test(segment, frames_that_are_no_whole_tcp_segments_have_no_plan)
{
    struct iov_packet *packet = large_new(3000);
    struct iov_segment_plan plan;

    cr_assert(iov_segment_plan(packet->data, packet->size, packet->size, 48, &plan));
    cr_assert(eq(u32, plan.count, 63));
    cr_assert(not(iov_segment_plan(packet->data, packet->size, packet->size, 47, &plan)));
    for (uint32_t size = 0; size < IOV_TCP_PAYLOAD_AT; size++)
        cr_assert(not(iov_segment_plan(packet->data, size, size, MSS, &plan)));
    packet->data[IP + IPV4_FRAGMENT] |= 0x20;
    cr_assert(not(iov_segment_plan(packet->data, packet->size, packet->size, MSS, &plan)));
    packet->data[IP + IPV4_FRAGMENT] &= 0xdf;
    packet->data[TCP + TCP_OFFSET] = 0x40;
    cr_assert(not(iov_segment_plan(packet->data, packet->size, packet->size, MSS, &plan)));
    packet->data[TCP + TCP_OFFSET] = 0xf0;
    cr_assert(iov_segment_plan(packet->data, packet->size, packet->size, MSS, &plan));
    cr_assert(not(iov_segment_plan(packet->data, TCP + 59, packet->size, MSS, &plan)));
    iov_packet_free(packet);
}

Test(segment, any_bytes_are_cut_summed_and_compared_without_harm)
{
    uint64_t state = 1;

    for (unsigned i = 0; i < 20000; i++) {
        struct iov_packet_queue pieces = { 0 };
        struct iov_packet *packet = large_new(2000);

        for (unsigned k = 0; k < 4; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            packet->data[ETHERNET_TYPE + (state >> 33) % 50] = (uint8_t)(state >> 24);
        }
        packet->size = (uint32_t)(state >> 40) % packet->size;
        packet->segment_size = (uint16_t)(1 + (state >> 20) % 3000);
        packet->checksum_start = (uint16_t)(state >> 8);
        packet->checksum_place = (uint16_t)(state >> 12);
        (void)iov_segment_data(packet->data, packet->size);
        (void)iov_segment_verify(packet->data, packet->size);
        iov_segment_sum(packet);
        (void)iov_segment_cut(pool, packet, &pieces);
        while (pieces.first != NULL)
            iov_packet_free(iov_packet_queue_pop(&pieces));
    }
}
