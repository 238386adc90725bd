/* SPDX-License-Identifier: Apache-2.0 */
/* The host's bridge with three taps and a wire: who gets a frame, what it costs its sender, and
 * what a NIC that never rests does. */
#include "core/net/ethernet-regs.h"
#include "core/net/segment.h"
#include "core/net/tcp.h"
#include "models/hypervisor/mac-table.h"
#include "tests/models/hypervisor/machine.h"

static const struct bench_cost costs[] = {
    { "tap-sendmsg", 500 * IOV_NS },
    { "tap-write", 900 * IOV_NS },
    { "host-bridge", 300 * IOV_NS },
    { "host-nic-transmit", 400 * IOV_NS },
    { "host-nic-receive", 700 * IOV_NS },
    { "tap-queue", 200 * IOV_NS },
    { "host-nic-out", 1000 * IOV_NS },
    { "host-nic-in", 1000 * IOV_NS },
    { "copy-fixed", 50 * IOV_NS },
    { "host-interrupt", 300 * IOV_NS },
    { "host-gso", 50 * IOV_NS },
    { "host-gro", 30 * IOV_NS },
    { NULL, 0 },
};

/* Nothing costs anything but the NIC's slot. */
static const struct bench_cost slow_slot[] = {
    { "host-nic-dma-kib", IOV_MS },
    { "host-nic-in", 10 * IOV_MS },
    { NULL, 0 },
};

#define TAPS 3
static struct machine machine;
static IovModel *bridge, *taps[TAPS];
static struct bench_end guests[TAPS], wire;

static void set_up(const struct bench_cost *prices, bool anti_spoof)
{
    machine_new(&machine, prices, 2);
    bridge = bench_add(machine.bench, "bridge", "bridge");
    cr_assert(iov_model_set_ref(bridge, "host", (IovModel *)machine.host, NULL));
    bench_number(bridge, "irq-cpu", 1);
    bench_number(bridge, "anti-spoof", anti_spoof);
    for (unsigned i = 0; i < TAPS; i++) {
        g_autofree char *name = g_strdup_printf("tap%u", i);

        taps[i] = bench_add(machine.bench, "tap", name);
        cr_assert(iov_model_set_ref(taps[i], "host", (IovModel *)machine.host, NULL));
        cr_assert(iov_model_set_ref(taps[i], "bridge", bridge, NULL));
        cr_assert(iov_model_set_string(taps[i], "sender", "kernel", NULL));
    }
    bench_number(taps[1], "vnet-header",
                 1); /* a reader that takes large segments; the others do not */
    machine_wire(&machine);
    for (unsigned i = 0; i < TAPS; i++)
        bench_end_connect(machine.bench, &guests[i], taps[i], "guest");
    bench_end_connect(machine.bench, &wire, bridge, "wire");
    bench_start(machine.bench);
}

static void setup(void)
{
    set_up(costs, true);
}

static void setup_open(void)
{
    set_up(costs, false);
}

static void setup_slow_slot(void)
{
    set_up(slow_slot, true);
}

/* Copies are the bridge's: they go before it does. */
static void drain(struct bench_end *end)
{
    iov_packet_queue_clear(&end->queue);
}

static void teardown(void)
{
    drain(&wire);
    for (unsigned i = 0; i < TAPS; i++)
        drain(&guests[i]);
    bench_free(machine.bench);
    for (unsigned i = 0; i < TAPS; i++)
        bench_end_free(&guests[i]);
    bench_end_free(&wire);
}

TestSuite(bridge, .init = setup, .fini = teardown);
TestSuite(bridge_open, .init = setup_open, .fini = teardown);
TestSuite(bridge_slow_slot, .init = setup_slow_slot, .fini = teardown);

#define EVERYBODY 0xff
#define FAR 9

static struct iov_packet *frame(struct bench_end *end, uint8_t to, uint8_t from)
{
    uint8_t bytes[64] = { 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from };

    if (to == EVERYBODY)
        memset(bytes, 0xff, IOV_MAC_BYTES);
    return bench_end_frame(end, bytes, sizeof bytes);
}

static struct {
    unsigned tap;
    uint8_t to, from;
    bool large;
    iov_time took;
} sending;

/* Four segments in one: of 1000 bytes of payload each, but the last. */
static struct iov_packet *large_frame(struct bench_end *end, uint8_t to, uint8_t from)
{
    struct iov_tcp tcp = { .state = IOV_TCP_ESTABLISHED,
                           .own = { { 2, 0, 0, 0, 0, from }, 0x0a000001, 40000 },
                           .peer = { { 2, 0, 0, 0, 0, to }, 0x0a000002, 7 } };
    struct iov_packet *packet = iov_packet_new(end->pool, IOV_TCP_PAYLOAD_AT + 3100);

    memset(packet->data, 0x5a, packet->size);
    iov_tcp_build(&tcp, packet->data, 3100, true);
    packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    packet->checksum_start = ETHERNET_HEADER + IPV4_HEADER;
    packet->checksum_place = ETHERNET_HEADER + IPV4_HEADER + TCP_CHECKSUM;
    packet->segment_size = 1000;
    return packet;
}

static void send_main(void *argument)
{
    struct bench_end *end = &guests[sending.tap];
    iov_time begin = machine_now(&machine);

    (void)argument;
    iov_packet_send(&end->port, sending.large ? large_frame(end, sending.to, sending.from)
                                              : frame(end, sending.to, sending.from));
    sending.took = machine_now(&machine) - begin;
}

static void send_as(uint8_t from, unsigned tap, uint8_t to)
{
    sending.tap = tap;
    sending.to = to;
    sending.from = from;
    iov_thread_new(machine.host, "sender", 1, send_main, NULL);
    machine_run(&machine, IOV_MS);
}

static void send_from(unsigned tap, uint8_t to)
{
    send_as((uint8_t)tap, tap, to);
}

static void send_large(unsigned tap, uint8_t to)
{
    sending.large = true;
    send_as((uint8_t)tap, tap, to);
    sending.large = false;
}

static void arrive(uint8_t to, uint8_t from)
{
    iov_packet_send(&wire.port, frame(&wire, to, from));
    machine_run(&machine, IOV_MS);
}

static void expect(unsigned first, unsigned second, unsigned third, unsigned on_wire)
{
    cr_assert(eq(u32, guests[0].queue.count, first));
    cr_assert(eq(u32, guests[1].queue.count, second));
    cr_assert(eq(u32, guests[2].queue.count, third));
    cr_assert(eq(u32, wire.queue.count, on_wire));
}

Test(bridge, a_frame_to_somebody_unknown_goes_to_all_others)
{
    send_from(0, FAR);
    expect(0, 1, 1, 1);
    cr_assert(eq(u64, bench_stat(bridge, "flooded"), 1));
    arrive(7, FAR);
    expect(1, 2, 2, 1);
}

Test(bridge, who_has_been_seen_is_found)
{
    send_from(0, FAR);
    send_from(1, 0);
    expect(1, 1, 1, 1);
    arrive(1, FAR);
    expect(1, 2, 1, 1);
    send_from(1, FAR);
    expect(1, 2, 1, 2);
    cr_assert(eq(u64, bench_stat(bridge, "flooded"), 1));
}

Test(bridge, a_group_is_never_learned_and_always_flooded)
{
    send_from(0, EVERYBODY);
    send_from(1, EVERYBODY);
    expect(1, 1, 2, 2);
    cr_assert(eq(u64, bench_stat(bridge, "flooded"), 2));
}

Test(bridge, a_frame_does_not_go_back_where_it_came_from)
{
    send_from(0, FAR);
    send_from(0, 0);
    expect(0, 1, 1, 1);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 1));
}

Test(bridge, a_frame_without_a_whole_header_is_dropped)
{
    const uint8_t bytes[13] = { 2 };

    iov_packet_send(&wire.port, bench_end_frame(&wire, bytes, sizeof bytes));
    machine_run(&machine, IOV_MS);
    expect(0, 0, 0, 0);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 1));
}

Test(bridge, a_guest_sends_under_the_address_of_its_first_frame_only)
{
    send_from(0, FAR);
    arrive(0, FAR);
    send_from(1, FAR);
    send_as(0, 1, FAR); /* the neighbour's */
    send_as(FAR, 1, 0); /* the far end's */
    send_as(EVERYBODY, 1, FAR);
    expect(1, 1, 1, 2);
    cr_assert(eq(u64, bench_stat(bridge, "spoofed"), 3));
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 3));
    arrive(0, FAR); /* still where it was */
    expect(2, 1, 1, 2);
}

Test(bridge, nobody_begins_with_the_address_of_somebody_seen)
{
    send_from(0, FAR);
    arrive(7, FAR);
    send_as(FAR, 1, 0);
    send_as(0, 1, FAR);
    expect(1, 2, 2, 1);
    cr_assert(eq(u64, bench_stat(bridge, "spoofed"), 2));
}

Test(bridge_open, a_forged_address_moves_the_neighbour)
{
    send_from(0, FAR);
    send_as(0, 1, FAR);
    arrive(0, FAR);
    expect(1, 2, 2, 2);
}

Test(bridge, the_sender_pays_for_copy_call_bridge_and_where_it_goes)
{
    send_from(0, FAR);
    arrive(7, FAR);
    send_from(0, FAR); /* known by now: to the wire */
    cr_assert(eq(u64, sending.took, (500 + 50 + 300 + 400) * IOV_NS));
    send_from(1, 0);
    cr_assert(eq(u64, sending.took, (500 + 50 + 300 + 200) * IOV_NS));
}

Test(bridge, a_nic_that_never_rests_hands_over_to_a_thread)
{
    send_from(0, FAR);
    for (unsigned i = 0; i < 900; i++)
        iov_packet_send(&wire.port, frame(&wire, 0, FAR));
    machine_run(&machine, 10 * IOV_MS);
    cr_assert(eq(u32, guests[0].queue.count, 900));
    cr_assert(eq(u64, bench_stat(bridge, "handovers"), 1));
    cr_assert(eq(u64, bench_stat(bridge, "interrupts"), 1));
    arrive(0, FAR); /* and afterwards there are interrupts again */
    cr_assert(eq(u32, guests[0].queue.count, 901));
    cr_assert(eq(u64, bench_stat(bridge, "interrupts"), 2));
}

static void from_wire(uint32_t size)
{
    uint8_t bytes[1000] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, FAR };

    iov_packet_send(&wire.port, bench_end_frame(&wire, bytes, size));
}

Test(bridge_slow_slot, a_small_frame_finds_room_in_the_nics_buffer_where_a_large_one_does_not)
{
    for (unsigned i = 0; i < 65; i++)
        from_wire(1000);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 0));
    from_wire(1000);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 1));
    for (unsigned i = 0; i < 8; i++)
        from_wire(64);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 1));
    from_wire(64);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 2));
    machine_run(&machine, IOV_MS); /* one of the large ones has crossed the slot, if no more */
    from_wire(1000);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 2));
    machine_run(&machine, 100 * IOV_MS); /* all are in memory */
    for (unsigned i = 0; i < 65; i++)
        from_wire(1000);
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 2));
}

Test(mac_table, holds_hundreds_of_addresses_at_once)
{
    struct iov_mac_table *table = g_new0(struct iov_mac_table, 1);
    unsigned lost = 0;

    for (unsigned i = 0; i < 256; i++) {
        uint8_t header[14] = { 0, 0, 0, 0, 0, 0, 0x52, 0x54, 0, 7, (uint8_t)(i >> 4), (uint8_t)i };

        iov_mac_learn(table, header, (int)i);
    }
    for (unsigned i = 0; i < 256; i++) {
        uint8_t header[14] = { 0x52, 0x54, 0, 7, (uint8_t)(i >> 4), (uint8_t)i };

        lost += iov_mac_find(table, header) != (int)i;
    }
    cr_assert(eq(uint, lost, 0));
    g_free(table);
}

static void expect_segments(struct bench_end *end, unsigned count)
{
    cr_assert(eq(u32, end->queue.count, count));
    for (struct iov_packet *packet = end->queue.first; packet != NULL; packet = packet->next) {
        cr_assert(eq(u32, packet->size, IOV_TCP_PAYLOAD_AT + (packet->next != NULL ? 1000 : 100)));
        cr_assert(zero(u16, packet->segment_size));
        cr_assert(iov_segment_verify(packet->data, packet->size));
    }
}

Test(bridge, a_large_segment_stays_whole_between_guests_that_take_it)
{
    send_from(1, FAR);
    drain(&guests[0]);
    drain(&guests[2]);
    drain(&wire);
    send_large(0, 1);
    expect(0, 1, 0, 0);
    cr_assert(eq(u16, guests[1].queue.first->segment_size, 1000));
    cr_assert(eq(u32, guests[1].queue.first->size, IOV_TCP_PAYLOAD_AT + 3100));
    cr_assert(eq(u16, guests[1].queue.first->flags, IOV_PACKET_NEEDS_CHECKSUM));
}

Test(bridge, it_is_cut_in_front_of_a_guest_that_does_not)
{
    iov_time whole;

    send_from(1, FAR);
    send_from(2, FAR);
    send_large(0, 1);
    whole = sending.took;
    drain(&guests[2]);
    send_large(0, 2);
    expect_segments(&guests[2], 4);
    /* Four pieces, and three more places in the tap's queue. */
    cr_assert(eq(u64, sending.took - whole, 4 * 50 * IOV_NS + 3 * 200 * IOV_NS));
    cr_assert(eq(u64, bench_stat(taps[2], "gso-segments"), 4));
}

Test(bridge, the_nic_cuts_it_at_the_wire_or_the_kernel_in_front_of_the_nic)
{
    iov_time with;

    arrive(7, FAR); /* where that is */
    send_large(0, FAR);
    expect_segments(&wire, 4);
    with = sending.took;
    cr_assert(eq(u64, bench_stat(bridge, "tso-segments"), 4));
    drain(&wire);
    bench_number(bridge, "tso", false);
    send_large(0, FAR);
    expect_segments(&wire, 4);
    cr_assert(eq(u64, sending.took - with, 4 * 50 * IOV_NS + 3 * 400 * IOV_NS));
    cr_assert(eq(u64, bench_stat(bridge, "gso-segments"), 4));
}

Test(bridge, segments_that_wait_in_the_nic_go_up_as_one)
{
    struct iov_packet_queue pieces = { 0 };

    send_from(1, FAR);
    drain(&wire);
    bench_number(bridge, "rx-usecs", 100 * IOV_US);
    cr_assert(iov_segment_cut(wire.pool, large_frame(&wire, 1, FAR), &pieces));
    while (pieces.first != NULL)
        iov_packet_send(&wire.port, iov_packet_queue_pop(&pieces));
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u32, guests[1].queue.count, 1));
    cr_assert(eq(u32, guests[1].queue.last->size, IOV_TCP_PAYLOAD_AT + 3100));
    cr_assert(eq(u16, guests[1].queue.last->segment_size, 1000));
    cr_assert(eq(u64, bench_stat(bridge, "gro-segments"), 3));
    iov_segment_sum(guests[1].queue.last);
    cr_assert(iov_segment_verify(guests[1].queue.last->data, guests[1].queue.last->size));
}
