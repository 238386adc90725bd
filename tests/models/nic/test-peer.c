/* SPDX-License-Identifier: Apache-2.0 */
/* The far end answers datagrams, pings and ARP requests with right frames at the right time. */
#include "core/net/ethernet-regs.h"
#include "core/net/tcp.h"
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *peer;
static struct bench_end end;

static void setup(void)
{
    bench = bench_new(NULL);
    peer = bench_add(bench, "peer", "peer");
    bench_prepare(bench);
    bench_end_connect(bench, &end, peer, "wire");
}

static void teardown(void)
{
    bench_end_free(&end);
    bench_free(bench);
}

TestSuite(peer, .init = setup, .fini = teardown);

static uint32_t sum(const uint8_t *data, uint32_t size, uint32_t total)
{
    for (uint32_t i = 0; i < size; i++)
        total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* From 10.0.0.1, 52:54:00:00:00:01 to the peer, with right checksums. */
static struct iov_packet *ipv4(uint8_t protocol, uint32_t length)
{
    static const uint8_t header[] = { 0x52, 0x54, 0,    0, 0, 2, 0x52, 0x54, 0, 0, 0,  1,
                                      0x08, 0,    0x45, 0, 0, 0, 0,    9,    0, 0, 64, 0,
                                      0,    0,    10,   0, 0, 1, 10,   0,    0, 2 };
    uint32_t size = ETHERNET_HEADER + IPV4_HEADER + length;
    struct iov_packet *packet = iov_packet_new(end.pool, MAX(size, ETHERNET_MIN));
    uint8_t *ip = packet->data + ETHERNET_HEADER;

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, header, sizeof header);
    ip[IPV4_PROTOCOL] = protocol;
    put16(ip + IPV4_LENGTH, IPV4_HEADER + length);
    put16(ip + IPV4_CHECKSUM, ~sum(ip, IPV4_HEADER, 0));
    return packet;
}

static struct iov_packet *udp_to(uint32_t port, uint32_t payload)
{
    struct iov_packet *packet = ipv4(IPV4_PROTOCOL_UDP, UDP_HEADER + payload);
    uint8_t *ip = packet->data + ETHERNET_HEADER, *header = ip + IPV4_HEADER;

    put16(header + UDP_SOURCE, 4000);
    put16(header + UDP_DESTINATION, port);
    put16(header + UDP_LENGTH, UDP_HEADER + payload);
    for (uint32_t i = 0; i < payload; i++)
        header[UDP_HEADER + i] = (uint8_t)(3 * i);
    put16(header + UDP_CHECKSUM,
          ~sum(header, UDP_HEADER + payload,
               sum(ip + IPV4_SOURCE, 8, IPV4_PROTOCOL_UDP + UDP_HEADER + payload)));
    return packet;
}

static struct iov_packet *udp(uint32_t payload)
{
    return udp_to(7, payload);
}

/* Is it an Ethernet frame with right IPv4 and UDP lengths and checksums? */
static void assert_udp(const struct iov_packet *packet)
{
    const uint8_t *ip = packet->data + ETHERNET_HEADER, *header = ip + IPV4_HEADER;
    uint32_t length = (uint32_t)header[UDP_LENGTH] << 8 | header[UDP_LENGTH + 1];

    cr_assert(eq(u32, sum(ip, IPV4_HEADER, 0), 0xffff));
    cr_assert(eq(uint, ip[IPV4_LENGTH] << 8 | ip[IPV4_LENGTH + 1], IPV4_HEADER + length));
    cr_assert(le(u32, ETHERNET_HEADER + IPV4_HEADER + length, packet->size));
    cr_assert(
        eq(u32, sum(header, length, sum(ip + IPV4_SOURCE, 8, IPV4_PROTOCOL_UDP + length)), 0xffff));
}

static void run(void)
{
    iov_kernel_run(bench->run.kernel);
}

Test(peer, a_datagram_comes_back_with_addresses_and_ports_swapped)
{
    const uint8_t *data;

    bench_start(bench);
    iov_packet_send(&end.port, udp(64));
    cr_assert(eq(u32, end.queue.count, 0));
    run();
    cr_assert(eq(u32, end.queue.count, 1));
    cr_assert(eq(u64, end.last, 10 * IOV_US));
    data = end.queue.first->data;
    cr_assert(eq(u8, data[5], 1));
    cr_assert(eq(u8, data[11], 2));
    cr_assert(eq(u8, data[14 + 15], 2));
    cr_assert(eq(u8, data[14 + 19], 1));
    cr_assert(eq(u8, data[35], 7));
    cr_assert(eq(uint, data[36] << 8 | data[37], 4000));
    cr_assert(eq(u8, data[42 + 5], 15));
    assert_udp(end.queue.first);
}

Test(peer, an_open_checksum_is_closed)
{
    struct iov_packet *packet = udp(65);

    bench_start(bench);
    put16(packet->data + 40, 0x1234);
    packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    iov_packet_send(&end.port, packet);
    run();
    assert_udp(end.queue.first);
}

Test(peer, answers_keep_their_order_and_turn_round_varies_as_told)
{
    iov_time last = 0;

    bench_string(peer, "turn-round-distribution", "exponential");
    bench_start(bench);
    for (unsigned i = 0; i < 100; i++)
        iov_packet_send(&end.port, udp(i));
    run();
    cr_assert(eq(u32, end.queue.count, 100));
    for (unsigned i = 0; i < 100; i++) {
        struct iov_packet *packet = iov_packet_queue_pop(&end.queue);

        cr_assert(eq(uint, packet->data[39], UDP_HEADER + i));
        cr_assert(ge(u64, packet->stamp, last));
        last = packet->stamp;
        iov_packet_free(packet);
    }
    cr_assert(lt(u64, 10 * IOV_US, last));
}

Test(peer, a_local_peer_answers_in_the_same_call)
{
    bench_number(peer, "local", 1);
    bench_start(bench);
    iov_packet_send(&end.port, udp(64));
    cr_assert(eq(u32, end.queue.count, 1));
}

Test(peer, a_ping_is_answered_whatever_the_role)
{
    struct iov_packet *packet = ipv4(IPV4_PROTOCOL_ICMP, ICMP_HEADER + 57);
    uint8_t *icmp = packet->data + 34;

    bench_string(peer, "role", "sink");
    bench_start(bench);
    icmp[ICMP_TYPE] = ICMP_TYPE_ECHO;
    put16(icmp + ICMP_CHECKSUM, ~sum(icmp, ICMP_HEADER + 57, 0));
    iov_packet_send(&end.port, packet);
    run();
    cr_assert(eq(u8, end.queue.first->data[34], ICMP_TYPE_ECHO_REPLY));
    cr_assert(eq(u32, sum(end.queue.first->data + 34, ICMP_HEADER + 57, 0), 0xffff));
}

Test(peer, arp_requests_for_its_address_are_answered)
{
    static const uint8_t request[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0,
                                       1,    8,    6,    0,    1,    8,    0,    6,    4, 0, 1,
                                       0x52, 0x54, 0,    0,    0,    1,    10,   0,    0, 1, 0,
                                       0,    0,    0,    0,    0,    10,   0,    0,    2 };
    uint8_t frame[60] = { 0 };
    const uint8_t *data;

    bench_start(bench);
    memcpy(frame, request, sizeof request);
    iov_packet_send(&end.port, bench_end_frame(&end, frame, sizeof frame));
    frame[41] = 3;
    iov_packet_send(&end.port, bench_end_frame(&end, frame, sizeof frame));
    run();
    cr_assert(eq(u32, end.queue.count, 1));
    data = end.queue.first->data;
    cr_assert(zero(int, memcmp(data, "\x52\x54\x00\x00\x00\x01\x52\x54\x00\x00\x00\x02", 12)));
    cr_assert(eq(u8, data[21], ARP_REPLY));
    cr_assert(zero(int, memcmp(data + 22, "\x52\x54\x00\x00\x00\x02\x0a\x00\x00\x02", 10)));
    cr_assert(zero(int, memcmp(data + 32, "\x52\x54\x00\x00\x00\x01\x0a\x00\x00\x01", 10)));
}

Test(peer, a_sink_acknowledges_every_nth_datagram)
{
    bench_string(peer, "role", "sink");
    bench_number(peer, "acknowledge", 3);
    bench_start(bench);
    for (unsigned i = 0; i < 7; i++)
        iov_packet_send(&end.port, udp(1000));
    run();
    cr_assert(eq(u32, end.queue.count, 2));
    cr_assert(eq(u32, end.queue.first->size, ETHERNET_MIN));
    assert_udp(end.queue.first);
    cr_assert(eq(u64, bench_stat(peer, "frames-received"), 7));
}

Test(peer, an_answer_has_the_tag_of_its_question)
{
    struct iov_packet *question = udp(100);

    memmove(question->data + 16, question->data + 12, question->size - 12);
    memcpy(question->data + 12, "\x81\x00\xa0\x64", 4); /* priority 5, VLAN 100 */
    question->size += 4;
    bench_start(bench);
    iov_packet_send(&end.port, question);
    iov_packet_send(&end.port, udp(100));
    run();
    cr_assert(eq(u32, end.queue.count, 2));
    cr_assert(zero(int, memcmp(end.queue.first->data + 12, "\x81\x00\xa0\x64\x08\x00", 6)));
    cr_assert(eq(u32, end.queue.first->size, end.queue.first->next->size + 4));
    assert_udp(end.queue.first->next);
}

Test(peer, a_sink_that_says_nothing_introduces_itself_once)
{
    const uint8_t *data;

    bench_string(peer, "role", "sink");
    bench_start(bench);
    for (unsigned i = 0; i < 7; i++)
        iov_packet_send(&end.port, udp(1000));
    run();
    cr_assert(eq(u32, end.queue.count, 1));
    data = end.queue.first->data;
    cr_assert(zero(int, memcmp(data, "\x52\x54\x00\x00\x00\x01\x52\x54\x00\x00\x00\x02", 12)));
    cr_assert(eq(u8, data[21], ARP_REPLY));
    cr_assert(zero(int, memcmp(data + 22, "\x52\x54\x00\x00\x00\x02\x0a\x00\x00\x02", 10)));
    cr_assert(zero(int, memcmp(data + 32, "\x52\x54\x00\x00\x00\x01\x0a\x00\x00\x01", 10)));
}

Test(peer, datagrams_to_the_discard_service_are_taken_whatever_the_role)
{
    static const char *const roles[] = { "echo", "sink", "source", "clients" };

    for (unsigned i = 0; i < G_N_ELEMENTS(roles); i++) {
        bench_string(peer, "role", roles[i]);
        bench_start(bench);
        iov_packet_send(&end.port, udp_to(5001, 100));
        iov_packet_send(&end.port,
                        udp_to(5001 + 1023, 100)); /* the last flow that a guest can have */
        run();
        cr_assert(eq(u32, end.queue.count, 1), "%s", roles[i]); /* who it is, as a sink says */
        cr_assert(eq(u8, end.queue.first->data[21], ARP_REPLY), "%s", roles[i]);
        cr_assert(eq(u64, bench_stat(peer, "ignored"), 0), "%s", roles[i]);
        teardown();
        setup();
    }
}

Test(peer, every_flow_of_a_guest_can_have_an_echo)
{
    bench_start(bench);
    iov_packet_send(&end.port, udp_to(7 + 1023, 100));
    run();
    cr_assert(eq(u32, end.queue.count, 1));
    assert_udp(end.queue.first);
}

Test(peer, a_source_sends_to_whoever_sent_first_at_its_interval)
{
    bench_string(peer, "role", "source");
    bench_number(peer, "source-count", 5);
    bench_number(peer, "source-size", 200);
    bench_start(bench);
    run();
    cr_assert(eq(u32, end.queue.count, 0));
    iov_packet_send(&end.port, udp(8));
    run();
    cr_assert(eq(u32, end.queue.count, 5));
    cr_assert(eq(u64, end.last, 5 * 12 * IOV_US));
    for (struct iov_packet *packet = end.queue.first; packet != NULL; packet = packet->next) {
        assert_udp(packet);
        cr_assert(eq(u32, packet->size, 242));
        cr_assert(eq(u8, packet->data[5], 1));
    }
}

/* The greeting of another guest: the last byte of its addresses. */
static struct iov_packet *greeting_of(uint8_t guest)
{
    struct iov_packet *packet = udp(8);

    packet->data[ETHERNET_SOURCE + 5] = guest;
    packet->data[ETHERNET_HEADER + IPV4_SOURCE + 3] = guest;
    return packet;
}

Test(peer, a_source_gives_every_guest_that_greets_a_stream_of_its_own_at_the_same_rate)
{
    bench_string(peer, "role", "source");
    bench_number(peer, "source-count", 5);
    bench_number(peer, "source-size", 200);
    bench_start(bench);
    iov_packet_send(&end.port, greeting_of(1));
    iov_packet_send(&end.port, greeting_of(3));
    for (unsigned i = 1; i <= 5; i++) {
        iov_kernel_run_until(bench->run.kernel, i * 12 * IOV_US);
        cr_assert(eq(u32, end.queue.count, 2));
        for (uint8_t guest = 1; guest <= 3; guest += 2) {
            struct iov_packet *packet = iov_packet_queue_pop(&end.queue);

            assert_udp(packet);
            cr_assert(eq(u32, packet->size, 242));
            cr_assert(eq(u8, packet->data[ETHERNET_DESTINATION + 5], guest));
            cr_assert(eq(u8, packet->data[ETHERNET_HEADER + IPV4_DESTINATION + 3], guest));
            iov_packet_free(packet);
        }
    }
    run();
    cr_assert(eq(u32, end.queue.count, 0));
}

Test(peer, a_source_that_has_sent_a_guest_all_begins_anew_when_it_greets_again)
{
    bench_string(peer, "role", "source");
    bench_number(peer, "source-count", 5);
    bench_start(bench);
    iov_packet_send(&end.port, greeting_of(1));
    run();
    iov_packet_send(&end.port, greeting_of(3));
    run();
    iov_packet_send(&end.port, greeting_of(1));
    run();
    cr_assert(eq(u32, end.queue.count, 15));
    cr_assert(eq(u8, end.queue.last->data[ETHERNET_DESTINATION + 5], 1));
}

Test(peer, a_source_s_datagrams_fit_in_frames_however_sizes_vary)
{
    unsigned most = 0;

    bench_string(peer, "role", "source");
    bench_number(peer, "source-count", 1000);
    bench_number(peer, "source-size", 1400);
    bench_string(peer, "source-size-distribution", "pareto");
    bench_start(bench);
    iov_packet_send(&end.port, udp(8));
    run();
    for (struct iov_packet *packet = end.queue.first; packet != NULL; packet = packet->next) {
        assert_udp(packet);
        cr_assert(le(u32, packet->size, ETHERNET_MAX));
        most += packet->size == ETHERNET_MAX;
    }
    cr_assert(lt(uint, 100, most));
}

Test(peer, clients_ask_nobody_who_has_not_told_of_himself)
{
    bench_string(peer, "role", "clients");
    bench_start(bench);
    for (unsigned size = 0; size < 100; size++)
        iov_packet_send(&end.port, udp(size));
    run();
    cr_assert(eq(u32, end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(peer, "ignored"), 100));
    cr_assert(eq(u64, bench_stat(peer, "requests"), 0));
}

Test(peer, a_source_heeds_the_time_the_wire_is_busy)
{
    bench_string(peer, "role", "source");
    bench_number(peer, "source-count", 3);
    bench_number(peer, "source-interval", 0);
    bench_start(bench);
    end.busy = 20 * IOV_US;
    iov_packet_send(&end.port, udp(8));
    run();
    cr_assert(eq(u64, end.last, 40 * IOV_US));
}

Test(peer, rubbish_is_ignored)
{
    uint8_t frame[1500];

    bench_start(bench);
    for (unsigned size = 0; size < 100; size++) {
        for (unsigned fill = 0; fill < 256; fill += 5) {
            memset(frame, (int)fill, sizeof frame);
            if (size > 23 && fill % 2) {
                memcpy(frame + 12, "\x08\x00\x45", 3);
                frame[23] = fill % 3 ? IPV4_PROTOCOL_UDP : IPV4_PROTOCOL_ICMP;
            }
            iov_packet_send(&end.port, bench_end_frame(&end, frame, size));
        }
    }
    run();
    cr_assert(eq(u32, end.queue.count, 0));
}

Test(peer, the_turn_round_is_marked)
{
    struct iov_packet *packet = udp(8);
    struct iov_span span;

    bench_start(bench);
    iov_span_begin(&span, 1, &end, 0);
    packet->span = &span;
    iov_packet_send(&end.port, packet);
    run();
    cr_assert(eq(ptr, end.queue.first->span, &span));
    cr_assert(eq(u64, span.parts[IOV_PART_PEER], 10 * IOV_US));
}

/* ---- TCP ---- */

static struct iov_tcp client;

static void sends(uint32_t size)
{
    struct iov_packet *packet = iov_packet_new(end.pool, IOV_TCP_PAYLOAD_AT + size);

    memset(packet->data, 0, packet->size);
    packet->size = iov_tcp_build(&client, packet->data, size, false);
    iov_packet_send(&end.port, packet);
}

/* Takes what has come `later`; returns the sum of payloads that were the next in order. */
static uint32_t hears(iov_time later)
{
    uint32_t sum = 0;

    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + later);
    while (end.queue.first != NULL) {
        struct iov_packet *packet = iov_packet_queue_pop(&end.queue);
        struct iov_tcp_segment segment;

        cr_assert(iov_tcp_parse(packet->data, packet->size, client.own.ip, client.own.port, false,
                                0, &segment));
        if (iov_tcp_take(&client, &segment, packet->data) & IOV_TCP_DATA)
            sum += segment.size;
        iov_packet_free(packet);
    }
    return sum;
}

/* What comes `later` is lost. */
static unsigned misses(iov_time later)
{
    unsigned count;

    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + later);
    count = end.queue.count;
    iov_packet_queue_clear(&end.queue);
    return count;
}

static void opens(void)
{
    static const struct iov_net_end own = { { 0x52, 0x54, 0, 0, 0, 1 }, 0x0a000001, 40000 };
    static const struct iov_net_end far = { { 0x52, 0x54, 0, 0, 0, 2 }, 0x0a000002, 7 };

    bench_start(bench);
    iov_tcp_init(&client, &own, 131072);
    iov_tcp_connect(&client, &far);
    sends(0);
    hears(20 * IOV_US);
    cr_assert(eq(int, client.state, IOV_TCP_ESTABLISHED));
    sends(0);
}

Test(peer, an_echo_that_is_lost_comes_again_after_200_ms_and_then_400)
{
    opens();
    sends(100);
    cr_assert(eq(uint, misses(20 * IOV_US), 1));
    cr_assert(eq(uint, misses(199 * IOV_MS), 0));
    cr_assert(eq(uint, misses(2 * IOV_MS), 1));
    cr_assert(eq(uint, misses(398 * IOV_MS), 0));
    cr_assert(eq(u32, hears(4 * IOV_MS), 100));
}

Test(peer, an_echo_that_is_acknowledged_does_not_come_again)
{
    opens();
    sends(100);
    cr_assert(eq(u32, hears(20 * IOV_US), 100));
    sends(0);
    cr_assert(eq(uint, misses(10 * IOV_SEC), 0));
}

/* The first of four is lost; the client misses it with each of the others, and sends more. */
Test(peer, an_echo_that_is_missed_three_times_comes_again_before_new_ones)
{
    opens();
    sends(100);
    misses(20 * IOV_US);
    for (unsigned i = 0; i < 3; i++)
        sends(50);
    cr_assert(zero(u32, hears(20 * IOV_US)));
    for (unsigned i = 0; i < 3; i++)
        sends(0);
    sends(30);
    cr_assert(eq(u32, hears(IOV_MS), 100 + 3 * 50 + 30));
}

Test(peer, more_than_a_frame_takes_is_echoed_in_several)
{
    struct iov_packet *packet = iov_packet_new(end.pool, IOV_TCP_PAYLOAD_AT + 3000);

    opens();
    memset(packet->data, 0, packet->size);
    packet->size = iov_tcp_build(&client, packet->data, 3000, false);
    packet->segment_size = IOV_TCP_MSS;
    packet->flags = IOV_PACKET_CHECKSUM_GOOD;
    iov_packet_send(&end.port, packet);
    cr_assert(eq(u32, hears(100 * IOV_US), 3000));
}

/* ---- Acknowledgements ---- */

static unsigned acknowledgements(iov_time later)
{
    unsigned count;

    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + later);
    count = end.queue.count;
    hears(0);
    return count;
}

/* A connection with a sink that has got past its first segments, which it acknowledges at once. */
static void opens_a_long_stream(void)
{
    bench_string(peer, "role", "sink");
    opens();
    client.push = false;
    for (unsigned i = 0; i < 16; i++) {
        sends(IOV_TCP_MSS);
        cr_assert(eq(uint, acknowledgements(20 * IOV_US), 1));
    }
}

Test(peer, of_a_long_stream_every_second_segment_is_acknowledged)
{
    opens_a_long_stream();
    for (unsigned i = 0; i < 4; i++)
        sends(IOV_TCP_MSS);
    cr_assert(eq(uint, acknowledgements(20 * IOV_US), 2));
}

Test(peer, a_segment_that_stays_alone_is_acknowledged_after_40_ms)
{
    opens_a_long_stream();
    sends(IOV_TCP_MSS);
    cr_assert(eq(uint, acknowledgements(39 * IOV_MS), 0));
    cr_assert(eq(uint, acknowledgements(2 * IOV_MS), 1));
    cr_assert(eq(u32, client.unacknowledged, client.next));
    cr_assert(eq(uint, acknowledgements(10 * IOV_SEC), 0));
}

Test(peer, the_end_of_a_write_is_acknowledged_when_the_program_reads_it)
{
    opens_a_long_stream();
    client.push = true;
    sends(100);
    cr_assert(eq(uint, acknowledgements(20 * IOV_US), 1));
}
