/* SPDX-License-Identifier: Apache-2.0 */
/* The host's program as frames see it: what a segment or a datagram costs and whom, and that
 * rubbish from a guest does no harm. */
#include "core/net/arp.h"
#include "core/net/internet.h"
#include "core/net/tcp.h"
#include "tests/models/hypervisor/machine.h"

static const struct bench_cost costs[] = {
    { "guest-tcp-rx", 900 * IOV_NS }, { "guest-tcp-ack", 500 * IOV_NS },
    { "guest-udp-rx", 700 * IOV_NS }, { "guest-copy", 60 * IOV_NS },
    { "tap-write", 1000 * IOV_NS },   { "host-bridge", 300 * IOV_NS },
    { "tap-queue", 200 * IOV_NS },    { "host-wake-up", 400 * IOV_NS },
    { "guest-syscall-exit", IOV_US }, { NULL, 0 },
};

static struct machine machine;
static IovModel *server;
static struct bench_end guest_end, wire_end;
static struct iov_tcp client;
static uint8_t frame[2048];

static const struct iov_net_end own = { { 2, 0, 0, 0, 0, 1 }, 0x0a000001, 40000 };
static const struct iov_net_end far_end = { { 2, 0, 0, 0, 0, 0xfe }, 0x0a0000fe, 7 };

static void setup_role(const char *protocol, const char *role)
{
    IovModel *bridge, *tap;

    machine_new(&machine, costs, 2);
    bridge = bench_add(machine.bench, "bridge", "bridge");
    tap = bench_add(machine.bench, "tap", "tap");
    server = bench_add(machine.bench, "host-server", "server");
    cr_assert(iov_model_set_ref(bridge, "host", (IovModel *)machine.host, NULL));
    cr_assert(iov_model_set_ref(tap, "host", (IovModel *)machine.host, NULL));
    cr_assert(iov_model_set_ref(tap, "bridge", bridge, NULL));
    cr_assert(iov_model_set_ref(server, "host", (IovModel *)machine.host, NULL));
    cr_assert(iov_model_set_ref(server, "bridge", bridge, NULL));
    bench_string(server, "mac", "02:00:00:00:00:fe");
    bench_string(server, "role", role);
    bench_string(server, "protocol", protocol);
    bench_number(server, "tcp-window", 4096);
    machine_wire(&machine);
    bench_end_connect(machine.bench, &guest_end, tap, "guest");
    bench_end_connect(machine.bench, &wire_end, bridge, "wire");
    bench_start(machine.bench);
    machine_run(&machine, IOV_MS);
}

static void setup(const char *protocol)
{
    setup_role(protocol, "sink");
}

static void teardown(void)
{
    bench_end_free(&guest_end);
    bench_end_free(&wire_end);
    bench_free(machine.bench);
}

TestSuite(host_server, .fini = teardown);

static void send(uint32_t size)
{
    iov_packet_send(&guest_end.port, bench_end_frame(&guest_end, frame, size));
}

/* The client takes what came back. How much was that? */
static unsigned take_answers(void)
{
    unsigned count = guest_end.queue.count;
    struct iov_packet *packet;
    struct iov_tcp_segment segment;

    while ((packet = iov_packet_queue_pop(&guest_end.queue)) != NULL) {
        if (iov_tcp_parse(packet->data, packet->size, own.ip, own.port, false, 0, &segment))
            iov_tcp_take(&client, &segment, packet->data);
        iov_packet_free(packet);
    }
    return count;
}

static unsigned answers(iov_time later)
{
    machine_run(&machine, later);
    return take_answers();
}

static void open_connection(void)
{
    iov_tcp_init(&client, &own, 65536);
    iov_tcp_connect(&client, &far_end);
    send(iov_tcp_build(&client, frame, 0, false));
    take_answers();
    cr_assert(eq(int, client.state, IOV_TCP_ESTABLISHED));
    send(iov_tcp_build(&client, frame, 0, false));
}

static uint32_t build(uint32_t payload)
{
    memset(frame, 0, sizeof frame);
    return iov_tcp_build(&client, frame, payload, false);
}

/* One that has got past its first two segments, which are acknowledged at once. */
static void open_long_connection(void)
{
    open_connection();
    client.push = false;
    for (unsigned i = 0; i < 2; i++) {
        send(build(IOV_TCP_MSS));
        cr_assert(eq(uint, answers(IOV_MS), 1));
    }
}

Test(host_server, what_a_guest_sends_beyond_the_window_is_dropped)
{
    setup("tcp");
    open_connection();
    for (unsigned i = 0; i < 4; i++) /* in no time: the program has read nothing */
        send(build(IOV_TCP_MSS));
    cr_assert(eq(u64, bench_stat(server, "drops"), 1));
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, bench_stat(server, "bytes"), 3 * IOV_TCP_MSS));
}

Test(host_server, a_window_that_was_full_is_offered_again_when_the_program_has_read)
{
    setup("tcp");
    open_connection();
    for (unsigned i = 0; i < 3; i++)
        send(build(IOV_TCP_MSS));
    take_answers();
    cr_assert(lt(u32, client.send_window, IOV_TCP_MSS));
    machine_run(&machine, IOV_MS);
    take_answers();
    cr_assert(eq(u32, client.send_window, 4096));
}

static struct iov_thread *writer;
static uint32_t size_to_send;
static iov_time sent_in;

static void write_main(void *argument)
{
    iov_time begin = machine_now(&machine);

    (void)argument;
    send(size_to_send);
    sent_in = machine_now(&machine) - begin;
}

static void write_on_a_thread(uint32_t size)
{
    size_to_send = size;
    writer = iov_thread_new(machine.host, "writer", 1, write_main, NULL);
    machine_run(&machine, IOV_MS);
}

Test(host_server, who_writes_to_the_tap_pays_for_tcp_and_for_waking_the_program)
{
    setup("tcp");
    open_long_connection();
    write_on_a_thread(build(IOV_TCP_MSS)); /* not acknowledged: the first of two */
    cr_assert(eq(u64, sent_in, (1000 + 300 + 900 + 400) * IOV_NS));
    write_on_a_thread(build(IOV_TCP_MSS));
    cr_assert(eq(u64, sent_in,
                 (1000 + 300 + 900 + 400) * IOV_NS + (500 + 300 + 200) * IOV_NS)); /* it is */
    cr_assert(eq(u64, bench_stat(server, "bytes"), 4 * IOV_TCP_MSS));
}

Test(host_server, a_segment_that_stays_alone_is_acknowledged_after_40_ms)
{
    setup("tcp");
    open_long_connection();
    send(build(IOV_TCP_MSS));
    cr_assert(eq(uint, answers(39 * IOV_MS), 0));
    cr_assert(eq(uint, answers(2 * IOV_MS), 1));
    cr_assert(eq(u32, client.unacknowledged, client.next));
    cr_assert(eq(uint, answers(10 * IOV_SEC), 0));
}

Test(host_server, the_end_of_a_write_is_acknowledged_when_the_program_reads_it)
{
    setup("tcp");
    open_long_connection();
    client.push = true;
    send(build(1000));
    cr_assert(eq(uint, answers(IOV_MS), 1));
}

/* The program does not write meanwhile: it waits for the next request. */
Test(host_server, what_it_sent_and_was_lost_goes_again_after_200_ms_and_then_400)
{
    setup_role("tcp", "echo");
    open_connection();
    send(build(100));
    answers(IOV_MS);
    send(build(0)); /* the round trip was a millisecond */
    send(build(100));
    machine_run(&machine, IOV_MS);
    cr_assert(le(uint, 1, guest_end.queue.count));
    iov_packet_queue_clear(&guest_end.queue);
    machine_run(&machine, 190 * IOV_MS);
    cr_assert(zero(uint, guest_end.queue.count));
    machine_run(&machine, 20 * IOV_MS);
    cr_assert(eq(uint, guest_end.queue.count, 1));
    iov_packet_queue_clear(&guest_end.queue);
    cr_assert(eq(uint, answers(380 * IOV_MS), 0));
    cr_assert(eq(uint, answers(40 * IOV_MS), 1));
    send(build(0));
    cr_assert(eq(uint, answers(10 * IOV_SEC), 0));
}

/* Any bit of a frame may be wrong but those of its source, and it may end anywhere. */
Test(host_server, rubbish_does_no_harm)
{
    uint32_t size;
    uint8_t good[128];

    setup("tcp");
    open_connection();
    size = build(10);
    memcpy(good, frame, size);
    for (uint32_t cut = ETHERNET_HEADER; cut < size; cut++)
        send(cut);
    for (uint32_t at = 0; at < size; at++) {
        if (at >= ETHERNET_SOURCE && at < ETHERNET_TYPE)
            continue;
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(frame, good, size);
            frame[at] ^= (uint8_t)(1u << bit);
            send(size);
        }
    }
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, bench_stat(server, "messages"), 0));
    cr_assert(eq(u64, bench_stat(server, "drops"), 0));
    memcpy(frame, good, size);
    send(size);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, bench_stat(server, "bytes"), 10));
}

Test(host_server, who_asks_for_its_address_is_told)
{
    struct iov_packet *packet;
    struct iov_net_end sender;
    uint32_t wanted;

    setup("udp");
    iov_net_arp_build(frame, ARP_REQUEST, &own, &(struct iov_net_end){ .ip = far_end.ip });
    send(ETHERNET_MIN);
    packet = iov_packet_queue_pop(&guest_end.queue);
    cr_assert(packet != NULL);
    cr_assert(iov_net_arp_parse(packet->data, packet->size, ARP_REPLY, &sender, &wanted));
    cr_assert(eq(u32, sender.ip, far_end.ip));
    cr_assert(zero(int, memcmp(sender.mac, far_end.mac, sizeof sender.mac)));
    iov_packet_free(packet);
}
