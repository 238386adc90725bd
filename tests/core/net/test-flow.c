/* SPDX-License-Identifier: Apache-2.0 */
/* Automatic receive steering: which queue gets a frame of a flow. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/flow.h"
#include "core/net/internet.h"

/* A datagram from a:`port` to b:7, or its answer. */
static void make(uint8_t frame[64], uint16_t port, bool answer)
{
    uint8_t *ip = frame + ETHERNET_HEADER;

    memset(frame, 0, 64);
    iov_net_put16(frame + ETHERNET_TYPE, ETHERNET_TYPE_IPV4);
    ip[0] = 0x45;
    ip[IPV4_PROTOCOL] = IPV4_PROTOCOL_UDP;
    iov_net_put32(ip + IPV4_SOURCE, answer ? 0x0a000002 : 0x0a000001);
    iov_net_put32(ip + IPV4_DESTINATION, answer ? 0x0a000001 : 0x0a000002);
    iov_net_put16(ip + IPV4_HEADER, answer ? 7 : port);
    iov_net_put16(ip + IPV4_HEADER + 2, answer ? port : 7);
}

Test(flow, both_directions_have_one_hash_and_ports_have_different_ones)
{
    uint8_t there[64], back[64], other[64];

    for (uint16_t port = 1000; port < 2000; port++) {
        make(there, port, false);
        make(back, port, true);
        make(other, (uint16_t)(port + 1), false);
        cr_assert(eq(u32, iov_flow_hash(there, 64), iov_flow_hash(back, 64)));
        cr_assert(ne(u32, iov_flow_hash(there, 64), iov_flow_hash(other, 64)));
    }
}

/* Sums and differences of their ports are alike. */
Test(flow, neighbouring_ports_at_both_ends_do_not_fall_together)
{
    static uint32_t hashes[16 * 64];
    uint8_t frame[64];

    for (uint32_t i = 0; i < 16 * 64; i++) {
        make(frame, (uint16_t)(40000 + i / 64), false);
        iov_net_put16(frame + ETHERNET_HEADER + IPV4_HEADER + 2, 7 + i % 64);
        hashes[i] = iov_flow_hash(frame, 64);
        for (uint32_t k = 0; k < i; k++)
            cr_assert(ne(u32, hashes[k], hashes[i]));
    }
}

Test(flow, what_is_no_datagram_or_segment_has_none)
{
    uint8_t frame[64];

    make(frame, 1000, false);
    for (uint32_t size = 0; size < ETHERNET_HEADER + IPV4_HEADER + 4; size++)
        cr_assert(eq(u32, iov_flow_hash(frame, size), 0));
    frame[ETHERNET_HEADER + IPV4_FRAGMENT] = 0x20;
    cr_assert(eq(u32, iov_flow_hash(frame, 64), 0));
    make(frame, 1000, false);
    frame[ETHERNET_HEADER] = 0x46;
    cr_assert(eq(u32, iov_flow_hash(frame, 64), 0));
    make(frame, 1000, false);
    frame[ETHERNET_HEADER + IPV4_PROTOCOL] = IPV4_PROTOCOL_ICMP;
    cr_assert(eq(u32, iov_flow_hash(frame, 64), 0));
}

Test(flow, a_flow_follows_the_queue_that_sent_last_until_it_was_silent_for_three_seconds)
{
    static struct iov_flow_table table;
    uint8_t frame[64];

    make(frame, 1000, false);
    uint32_t hash = iov_flow_hash(frame, 64);
    unsigned unknown = iov_flow_queue(&table, hash, 4, 0), chosen = (unknown + 1) % 4;

    iov_flow_sent(&table, hash, chosen, IOV_SEC);
    cr_assert(eq(uint, iov_flow_queue(&table, hash, 4, IOV_SEC + IOV_FLOW_AGE), chosen));
    cr_assert(eq(uint, iov_flow_queue(&table, hash, 4, IOV_SEC + IOV_FLOW_AGE + 1), unknown));
}

Test(flow, flows_on_the_same_place_have_four_of_them_and_then_the_oldest_goes)
{
    static struct iov_flow_table table;

    for (uint32_t i = 0; i < IOV_FLOW_WAYS; i++)
        iov_flow_sent(&table, 5 + i * IOV_FLOW_SETS, 3, IOV_MS * (i + 1));
    for (uint32_t i = 0; i < IOV_FLOW_WAYS; i++)
        cr_assert(eq(uint, iov_flow_queue(&table, 5 + i * IOV_FLOW_SETS, 4, IOV_SEC), 3));
    iov_flow_sent(&table, 5, 2, IOV_SEC); /* so the second is the oldest */
    iov_flow_sent(&table, 5 + IOV_FLOW_WAYS * IOV_FLOW_SETS, 3, IOV_SEC);
    cr_assert(eq(uint, iov_flow_queue(&table, 5, 4, IOV_SEC), 2));
    cr_assert(eq(uint, iov_flow_queue(&table, 5 + IOV_FLOW_SETS, 4, IOV_SEC), 0));
    cr_assert(eq(uint, iov_flow_queue(&table, 5 + 2 * IOV_FLOW_SETS, 4, IOV_SEC), 3));
}

Test(flow, a_queue_that_is_no_longer_there_is_not_chosen)
{
    static struct iov_flow_table table;

    iov_flow_sent(&table, 12345, 3, 0);
    cr_assert(eq(uint, iov_flow_queue(&table, 12345, 4, 0), 3));
    cr_assert(lt(uint, iov_flow_queue(&table, 12345, 2, 0), 2));
}

Test(flow, unknown_flows_are_spread_evenly)
{
    static struct iov_flow_table table;
    unsigned count[4] = { 0 };
    uint8_t frame[64];

    for (uint16_t port = 1; port <= 4000; port++) {
        make(frame, port, true);
        count[iov_flow_queue(&table, iov_flow_hash(frame, 64), 4, 0)]++;
    }
    for (unsigned i = 0; i < 4; i++)
        cr_assert(count[i] > 900 && count[i] < 1100, "queue %u has %u", i, count[i]);
}
