/* SPDX-License-Identifier: Apache-2.0 */
/* The vmxnet3 device does what its drivers expect, and stops a queue whose ring makes no sense. */
#include "models/nic/vmxnet3-regs.h"

#include "core/kernel/random.h"
#include "core/net/internet.h"
#include "tests/models/bench.h"

#define MEMORY (1u << 20)
#define SHARED 0x1000
#define QUEUES 0x2000
#define TX 0x3000
#define TX_DONE 0x4000
#define RX 0x5000
#define RX2 0x6000
#define RX_DONE 0x7000
#define DATA 0x10000
#define BUFFERS 0x20000
#define ENTRIES 32

static struct bench *bench;
static IovModel *nic, *dram;
static struct iov_mem_target *registers, *control, *memory;
static struct bench_line line;
static struct bench_end end;
static unsigned tx_next;
static const uint8_t own[6] = { 0x00, 0x0c, 0x29, 0x12, 0x34, 0x56 };

static void run(void)
{
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + IOV_US);
}

static void setup(void)
{
    bench = bench_new(NULL);
    nic = bench_add(bench, "vmxnet3", "nic");
    dram = bench_add(bench, "dram", "dram");
    bench_string(nic, "mac", "00:0c:29:12:34:56");
    bench_string(nic, "setup", "intx");
    bench_number(dram, "size", MEMORY);
    bench_prepare(bench);
    bench_wire(nic, "dma", dram, "port");
    bench_line_connect(bench, &line, nic, "interrupt");
    bench_end_connect(bench, &end, nic, "wire");
    bench_start(bench);
    registers = iov_model_port(nic, "registers", 0);
    control = iov_model_port(nic, "control", 0);
    memory = iov_model_port(dram, "port", 0);
    tx_next = 0;
}

static void teardown(void)
{
    bench_end_free(&end);
    bench_free(bench);
}

static void store(uint64_t address, void *data, uint32_t size)
{
    struct iov_mem_req req = bench_req(address, data, size);

    memory->ops->write(memory, &req);
}

static uint32_t command(uint32_t value)
{
    bench_write(control, VMXNET3_CMD, 4, value);
    run();
    return (uint32_t)bench_read(control, VMXNET3_CMD, 4);
}

static struct vmxnet3_shared shared_area(void)
{
    return (struct vmxnet3_shared){
        .magic = VMXNET3_MAGIC,
        .misc = { .queues = QUEUES, .queues_size = 512, .tx_queues = 1, .rx_queues = 1 },
        .interrupts = { .auto_mask = 1, .count = 1 },
        .filter = { .mode = VMXNET3_RX_UNICAST | VMXNET3_RX_BROADCAST },
    };
}

static void describe_queues(void)
{
    struct vmxnet3_tx_queue tx = {
        .ring = TX, .completions = TX_DONE, .ring_size = ENTRIES, .completions_size = ENTRIES
    };
    struct vmxnet3_rx_queue rx = { .rings = { RX, RX2 },
                                   .completions = RX_DONE,
                                   .ring_sizes = { ENTRIES, ENTRIES },
                                   .completions_size = 2 * ENTRIES };

    store(QUEUES, &tx, sizeof tx);
    store(QUEUES + sizeof tx, &rx, sizeof rx);
}

static uint32_t activate_with(struct vmxnet3_shared shared)
{
    store(SHARED, &shared, sizeof shared);
    bench_write(control, VMXNET3_DSAL, 4, SHARED);
    bench_write(control, VMXNET3_DSAH, 4, 0);
    return command(VMXNET3_SET_ACTIVATE);
}

static void activate(void)
{
    describe_queues();
    cr_assert(eq(u32, activate_with(shared_area()), 0));
    bench_write(registers, VMXNET3_IMR, 4, 0);
}

static void describe(uint64_t address, uint32_t size, uint32_t word3)
{
    uint32_t generation = tx_next / ENTRIES % 2 == 0 ? VMXNET3_TX_GENERATION : 0;
    struct vmxnet3_descriptor piece = { .address = address,
                                        .word2 = size | generation,
                                        .word3 = word3 };

    store(TX + 16 * (tx_next++ % ENTRIES), &piece, sizeof piece);
}

static void ring(void)
{
    bench_write(registers, VMXNET3_TXPROD, 4, tx_next);
    run();
}

static void give_buffer(unsigned which, unsigned index, uint32_t size)
{
    struct vmxnet3_descriptor buffer = { .address = BUFFERS + 0x10000 * which + 0x800 * index,
                                         .word2 = size | VMXNET3_RX_GENERATION |
                                                  (which != 0 ? VMXNET3_RX_BODY : 0) };

    store((which != 0 ? RX2 : RX) + 16 * index, &buffer, sizeof buffer);
}

static void receive_of(const uint8_t *to, uint32_t size, struct iov_span *span)
{
    struct iov_packet *packet = iov_packet_new(end.pool, size);

    packet->span = span;
    memset(packet->data, 0x5a, size);
    memcpy(packet->data, to, 6);
    iov_packet_send(&end.port, packet);
    run();
}

static void receive(const uint8_t *to, uint32_t size)
{
    receive_of(to, size, NULL);
}

static const uint32_t last = VMXNET3_TX_END | VMXNET3_TX_COMPLETE;

TestSuite(vmxnet3, .init = setup, .fini = teardown);

Test(vmxnet3, says_who_it_is)
{
    struct iov_mem_target *config = iov_model_port(nic, "config", 0);

    cr_assert(eq(u32, (uint32_t)bench_read(config, 0, 4), 0x07b015ad));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_VRRS, 4), 1));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_MACL, 4), 0x12290c00));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_MACH, 4), 0x5634));
    cr_assert(eq(u32, command(VMXNET3_GET_LINK), 10000 << 16 | 1));
    cr_assert(eq(u32, command(VMXNET3_GET_INTERRUPTS), VMXNET3_TYPE_INTX));
}

Test(vmxnet3, sends_the_pieces_of_a_frame_as_one_and_completes_its_last_descriptor)
{
    activate();
    describe(DATA, 20, 0);
    describe(DATA + 0x100, 44, last);
    ring();
    cr_assert(eq(u32, end.queue.count, 1));
    cr_assert(eq(u32, end.queue.first->size, 64));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, TX_DONE, 4), 1));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, TX_DONE + 12, 4), VMXNET3_DONE_GENERATION));
    cr_assert(eq(uint, line.rises, 1));
}

Test(vmxnet3, generations_turn_at_each_lap)
{
    activate();
    for (unsigned i = 0; i < 3 * ENTRIES + 1; i++) {
        describe(DATA, 64, last);
        ring();
        ring(); /* finds nothing, whatever the laps before have left */
        cr_assert(eq(u32, end.queue.count, i + 1));
    }
    cr_assert(eq(u32, (uint32_t)bench_read(memory, TX_DONE + 12, 4), 0));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, TX_DONE + 28, 4), VMXNET3_DONE_GENERATION));
}

Test(vmxnet3, masks_itself_and_remembers_what_came_meanwhile)
{
    activate();
    describe(DATA, 64, last);
    ring();
    cr_assert(eq(u32, (uint32_t)bench_read(registers, VMXNET3_IMR, 4), 1));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_ICR, 4), 1));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_ICR, 4), 0));
    describe(DATA, 64, last);
    ring();
    cr_assert(eq(uint, line.rises, 1));
    bench_write(registers, VMXNET3_IMR, 4, 0);
    run();
    cr_assert(eq(uint, line.rises, 2));
}

Test(vmxnet3, receives_into_the_first_ring_and_goes_on_in_the_second)
{
    activate();
    give_buffer(0, 0, 100);
    give_buffer(1, 0, 0x800);
    receive(own, 150);
    cr_assert(eq(u32, (uint32_t)bench_read(memory, RX_DONE, 4),
                 VMXNET3_DONE_BEGIN | VMXNET3_DONE_UNCHECKED));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, RX_DONE + 8, 4), 100));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, RX_DONE + 16, 4),
                 VMXNET3_DONE_END | VMXNET3_DONE_UNCHECKED | 1u << VMXNET3_DONE_RING_SHIFT));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, RX_DONE + 24, 4), 50));
    cr_assert(eq(u64, bench_read(memory, BUFFERS + 0x10000, 1), 0x5a));
    cr_assert(eq(uint, line.rises, 1));
}

#define SAID \
    (VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_UDP | VMXNET3_DONE_TCP | VMXNET3_DONE_IP_OK | \
     VMXNET3_DONE_IPV4 | VMXNET3_DONE_IPV6)

/* A frame of 100 bytes for the device; of IPv4 with the right sum of its header. */
static struct iov_packet *ip_frame(uint16_t type, uint8_t protocol)
{
    struct iov_packet *packet = iov_packet_new(end.pool, 100);
    uint8_t *ip = packet->data + ETHERNET_HEADER;

    memset(packet->data, 0, 100);
    memcpy(packet->data, own, 6);
    iov_net_put16(packet->data + ETHERNET_TYPE, type);
    ip[IPV4_VERSION] = type == ETHERNET_TYPE_IPV4 ? 0x45 : 0x60;
    ip[type == ETHERNET_TYPE_IPV4 ? IPV4_PROTOCOL : IPV6_NEXT] = protocol;
    if (type == ETHERNET_TYPE_IPV4)
        iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, IPV4_HEADER));
    packet->flags = IOV_PACKET_CHECKSUM_GOOD;
    return packet;
}

Test(vmxnet3, says_what_the_sum_that_was_right_is_of)
{
    static const struct {
        uint16_t type;
        uint8_t protocol;
        uint8_t damage; /* to the header of IPv4 */
        uint32_t said;
    } kinds[] = {
        { ETHERNET_TYPE_IPV4, IPV4_PROTOCOL_UDP, 0,
          VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_UDP | VMXNET3_DONE_IP_OK | VMXNET3_DONE_IPV4 },
        { ETHERNET_TYPE_IPV4, IPV4_PROTOCOL_TCP, 0,
          VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_TCP | VMXNET3_DONE_IP_OK | VMXNET3_DONE_IPV4 },
        { ETHERNET_TYPE_IPV4, IPV4_PROTOCOL_TCP, 1,
          VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_TCP | VMXNET3_DONE_IPV4 },
        { ETHERNET_TYPE_IPV6, IPV4_PROTOCOL_TCP, 0,
          VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_TCP | VMXNET3_DONE_IPV6 },
        { ETHERNET_TYPE_IPV4, IPV4_PROTOCOL_ICMP, 0, 0 },
        { ETHERNET_TYPE_ARP, 0, 0, 0 },
    };
    struct vmxnet3_shared shared = shared_area();

    shared.misc.features = VMXNET3_FEATURE_RX_CHECKSUM;
    describe_queues();
    cr_assert(eq(u32, activate_with(shared), 0));
    bench_write(registers, VMXNET3_IMR, 4, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        struct iov_packet *packet = ip_frame(kinds[i].type, kinds[i].protocol);
        uint32_t word;

        give_buffer(0, i, 0x800);
        packet->data[ETHERNET_HEADER + IPV4_TTL] ^= kinds[i].damage;
        iov_packet_send(&end.port, packet);
        run();
        word = (uint32_t)bench_read(memory, RX_DONE + 16 * i + 12, 4);
        cr_assert(eq(u32, word & SAID, kinds[i].said), "case %u", i);
        word = (uint32_t)bench_read(memory, RX_DONE + 16 * i, 4);
        cr_assert(eq(u32, (word & VMXNET3_DONE_UNCHECKED) != 0, kinds[i].said == 0), "case %u", i);
    }
}

Test(vmxnet3, without_buffers_it_drops_and_asks_to_be_told_of_new_ones)
{
    const uint64_t want = QUEUES + sizeof(struct vmxnet3_tx_queue);

    activate();
    receive(own, 64);
    cr_assert(eq(u64, bench_stat(nic, "rx-no-buffer"), 1));
    cr_assert(eq(u64, bench_read(memory, want, 1), 1));
    give_buffer(0, 0, 0x800);
    bench_write(registers, VMXNET3_RXPROD, 4, 1);
    cr_assert(eq(u64, bench_read(memory, want, 1), 0));
    receive(own, 64);
    cr_assert(eq(u64, bench_stat(nic, "rx-frames"), 1));
}

Test(vmxnet3, a_frame_that_finds_no_buffer_lets_go_of_its_request)
{
    struct iov_span span;

    activate();
    iov_span_begin(&span, 1, "sender", iov_now(bench->run.kernel));
    receive_of(own, 64, &span);
    cr_assert(eq(u64, bench_stat(nic, "rx-no-buffer"), 1));
    cr_assert(span.holder == NULL);
}

Test(vmxnet3, takes_what_is_for_it_and_what_is_for_all)
{
    activate();
    give_buffer(0, 0, 0x800);
    give_buffer(0, 1, 0x800);
    receive((const uint8_t[]){ 0, 1, 2, 3, 4, 5 }, 64);
    receive((const uint8_t[]){ 0x33, 0x33, 2, 3, 4, 5 }, 64);
    cr_assert(eq(u64, bench_stat(nic, "rx-filtered"), 2));
    receive(own, 64);
    receive((const uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 64);
    cr_assert(eq(u64, bench_stat(nic, "rx-frames"), 2));
}

Test(vmxnet3, lets_a_guest_that_only_sends_collect_frames_and_looks_after_them)
{
    const uint64_t threshold = QUEUES + offsetof(struct vmxnet3_tx_queue, threshold);

    activate();
    cr_assert(eq(u64, bench_read(memory, threshold, 4), 1));
    for (unsigned i = 0; i < 6; i++) {
        describe(DATA, 64, last);
        ring();
    }
    cr_assert(eq(u64, bench_read(memory, threshold, 4), 2));
    describe(DATA, 64, last); /* and no doorbell */
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + 30 * IOV_US);
    cr_assert(eq(u32, end.queue.count, 7));
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + 30 * IOV_US);
    cr_assert(eq(u64, bench_read(memory, threshold, 4), 1));
}

Test(vmxnet3, does_not_activate_without_sense)
{
    struct vmxnet3_shared bad[6];

    describe_queues();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        bad[i] = shared_area();
    bad[0].magic = 0;
    bad[1].misc.tx_queues = 2;
    bad[2].misc.queues += 1;
    bad[3].interrupts.count = 26;
    bad[4].interrupts.event_vector = 1;
    bad[5].misc.queues = UINT64_MAX & ~UINT64_C(127);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        cr_assert(eq(u32, activate_with(bad[i]), 1), "%u", i);
        cr_assert(eq(u64, bench_stat(nic, "guest-faults"), i + 1), "%u", i);
    }
    bench_write(memory, QUEUES + offsetof(struct vmxnet3_tx_queue, ring_size), 4, 33);
    cr_assert(eq(u32, activate_with(shared_area()), 1));
    ring(); /* of a device that is not active: nothing happens */
    cr_assert(eq(u32, end.queue.count, 0));
}

static uint32_t error_of_tx(void)
{
    return (uint32_t)bench_read(memory, QUEUES + offsetof(struct vmxnet3_tx_queue, status) + 4, 4);
}

Test(vmxnet3, a_frame_without_end_stops_the_queue_and_says_so)
{
    activate();
    describe(DATA, 64, 0);
    ring();
    cr_assert(eq(u32, error_of_tx(), VMXNET3_ERROR_NO_END));
    cr_assert(eq(u32, (uint32_t)bench_read(control, VMXNET3_ECR, 4), VMXNET3_EVENT_TX_ERROR));
    cr_assert(eq(u32, command(VMXNET3_GET_QUEUE_STATUS), 1));
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 1));
    describe(DATA, 64, last);
    ring();
    cr_assert(eq(u32, end.queue.count, 0));
}

Test(vmxnet3, a_ring_that_is_all_full_feeds_itself_and_stops_the_queue)
{
    activate();
    for (unsigned i = 0; i < ENTRIES; i++)
        describe(DATA, 64, last);
    ring();
    cr_assert(eq(u32, error_of_tx(), VMXNET3_ERROR_REUSED));
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 1));
}

Test(vmxnet3, a_frame_of_no_sense_is_completed_and_not_sent)
{
    activate();
    describe(DATA, 10, last);
    describe(DATA, 64, last | 3 << VMXNET3_TX_MODE_SHIFT);
    describe(DATA, 64, last | 2 << VMXNET3_TX_MODE_SHIFT | 70);
    ring();
    cr_assert(eq(u32, end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(nic, "tx-malformed"), 3));
    cr_assert(eq(u32, (uint32_t)bench_read(memory, TX_DONE + 32, 4), 2));
}

Test(vmxnet3, every_offset_answers_every_size_without_harm)
{
    for (uint32_t offset = 0; offset < VMXNET3_BAR_SIZE; offset++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            bench_read(registers, offset, size);
            bench_write(registers, offset, size, UINT64_MAX);
            bench_read(control, offset, size);
            bench_write(control, offset, size, UINT64_C(0xcafe0000cafe0000));
        }
        run();
    }
}

/* Rubbish over everything that driver and device share, in between what a driver does. */
Test(vmxnet3, rubbish_in_the_rings_is_counted_and_harms_nobody)
{
    struct iov_random random;
    uint64_t faults = 0;

    iov_random_init(&random, 5, "hostile driver");
    for (unsigned round = 0; round < 400; round++) {
        tx_next = 0;
        for (unsigned i = 0; i < ENTRIES; i++)
            give_buffer(0, i, 0x800);
        describe_queues();
        activate_with(shared_area());
        bench_write(registers, VMXNET3_IMR, 4, 0);
        for (unsigned i = 0; i < 8; i++)
            describe(DATA, 64, last);
        for (unsigned i = 0; i < 60; i++) {
            uint64_t draw = iov_random_u64(&random);

            bench_write(memory, SHARED + draw % 0x7000 / 4 * 4, 4, draw >> 32);
            if (draw >> 60 == 0)
                command(draw & 1 ? VMXNET3_SET_ACTIVATE : VMXNET3_GET_STATISTICS);
            if (i % 4 == 0)
                ring();
            if (i % 4 == 2)
                receive(own, 60 + draw % 1400);
        }
        iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + 100 * IOV_US);
        faults = bench_stat(nic, "guest-faults");
    }
    cr_assert(lt(u64, 50, faults));
}
