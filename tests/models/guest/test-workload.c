/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads: what they count, when they measure, how they wait. The device is the real
 * virtio-net. */
#include "core/kernel/backend.h"
#include "tests/models/guest/fake-net.h"

struct bench {
    struct machine *machine;
    struct fake_net *net;
};

static struct bench open_bench(const char *workload, uint64_t operations, uint64_t warmup)
{
    struct bench bench;

    bench.machine = machine_new(100 * IOV_NS);
    bench.net = fake_net_new(bench.machine, "virtio-net");
    machine_set(bench.machine->guest, "msix", MACHINE_MSIX);
    machine_set_workload(bench.machine, workload);
    machine_set(bench.machine->workload, "operations", operations);
    machine_set(bench.machine->workload, "warmup", warmup);
    return bench;
}

static void run(struct bench *bench)
{
    fake_net_start(bench->net);
    iov_kernel_run_until(bench->machine->kernel, 1000 * IOV_SEC);
}

static void close_bench(struct bench *bench)
{
    cr_expect(eq(u64, bench->machine->measure->mismatches, 0));
    cr_expect(eq(uint, bench->net->bad_frames, 0));
    fake_net_free(bench->net);
    machine_free(bench->machine);
}

static iov_time mean_latency(const struct bench *bench)
{
    return iov_histogram_mean(bench->machine->measure->latency);
}

Test(workload, the_warm_up_is_not_measured)
{
    const uint64_t warmup[] = { 0, 1, 200 };

    for (unsigned i = 0; i < 3; i++) {
        struct bench bench = open_bench("udp-rr", 300, warmup[i]);

        run(&bench);
        cr_expect(bench.machine->measure->complete);
        cr_expect(eq(u64, bench.machine->measure->operations, 300));
        cr_expect(eq(uint, bench.net->frames, 300 + warmup[i]));
        cr_expect(eq(u64, iov_histogram_count(bench.machine->measure->latency), 300));
        cr_expect(eq(u64, bench.machine->measure->bytes, 300 * 64));
        close_bench(&bench);
    }
}

Test(workload, the_peer_is_part_of_the_latency)
{
    struct bench near = open_bench("udp-rr", 100, 10);
    struct bench far = open_bench("udp-rr", 100, 10);

    near.net->delay = 20 * IOV_US;
    far.net->delay = 70 * IOV_US;
    run(&near);
    run(&far);
    iov_time difference = mean_latency(&far) - mean_latency(&near);

    cr_assert(ge(u64, difference, 49 * IOV_US));
    cr_assert(le(u64, difference, 51 * IOV_US));
    close_bench(&near);
    close_bench(&far);
}

/* SPEC: Linux, tcp_syn_retries: after 1 s, and twice as long each time. */
Test(workload, a_connection_is_asked_for_seven_times_in_127_s)
{
    static const unsigned seconds[] = { 0, 1, 3, 7, 15, 31, 63, 127 };
    struct bench bench = open_bench("tcp-rr", 10, 0);
    struct iov_kernel *kernel = bench.machine->kernel;

    bench.net->swallow = true;
    fake_net_start(bench.net);
    for (unsigned i = 1; i < G_N_ELEMENTS(seconds); i++) {
        iov_kernel_run_until(kernel, seconds[i] * IOV_SEC - IOV_MS);
        cr_expect(eq(uint, bench.net->frames, i), "before %u s", seconds[i]);
    }
    cr_assert_null(iov_kernel_failure(kernel));
    iov_kernel_run_until(kernel, 128 * IOV_SEC);
    cr_assert_not_null(strstr(iov_kernel_failure(kernel), "no TCP connection came about"));
    close_bench(&bench);
}

Test(workload, a_request_without_an_answer_is_given_up_after_the_timeout)
{
    struct bench bench = open_bench("udp-rr", 10, 0);

    bench.net->swallow = true;
    machine_set(bench.machine->workload, "timeout", 10 * IOV_MS);
    fake_net_start(bench.net);
    iov_kernel_run_until(bench.machine->kernel, IOV_SEC);
    uint64_t lost = ((IovWorkload *)(void *)bench.machine->workload)->lost;

    cr_assert(ge(u64, lost, 98));
    cr_assert(le(u64, lost, 100));
    cr_assert(eq(u64, bench.machine->measure->operations, 0));
    close_bench(&bench);
}

Test(workload, think_time_lies_between_two_requests_and_not_in_the_latency)
{
    struct bench bench = open_bench("udp-rr", 100, 10);
    struct bench busy = open_bench("udp-rr", 100, 10);

    machine_set(bench.machine->workload, "think-time", 5 * IOV_MS);
    run(&bench);
    run(&busy);
    iov_time duration = bench.machine->measure->end - bench.machine->measure->begin;

    cr_assert(ge(u64, duration, 495 * IOV_MS));
    cr_assert(le(u64, duration, 520 * IOV_MS));
    cr_assert(le(u64, mean_latency(&bench), mean_latency(&busy) + 10 * IOV_US));
    close_bench(&bench);
    close_bench(&busy);
}

Test(workload, random_think_times_keep_their_mean)
{
    struct bench bench = open_bench("udp-rr", 2000, 10);

    machine_set(bench.machine->workload, "think-time", 10 * IOV_MS);
    machine_choose(bench.machine->workload, "think-distribution", "exponential");
    run(&bench);
    iov_time mean = (bench.machine->measure->end - bench.machine->measure->begin) / 2000;

    cr_assert(ge(u64, mean, 9 * IOV_MS));
    cr_assert(le(u64, mean, 11 * IOV_MS));
    close_bench(&bench);
}

Test(workload, ping_sends_at_its_interval)
{
    struct bench bench = open_bench("ping", 50, 5);

    machine_set(bench.machine->workload, "interval", 2 * IOV_MS);
    run(&bench);
    iov_time duration = bench.machine->measure->end - bench.machine->measure->begin;

    cr_assert(ge(u64, duration, 99 * IOV_MS));
    cr_assert(le(u64, duration, 101 * IOV_MS));
    close_bench(&bench);
}

/* The tick stops in both waits, as recorded: the one for the reply might last as long. */
Test(workload, ping_waits_for_a_reply_until_the_next_request_is_due)
{
    struct bench bench = open_bench("ping", 50, 5);

    machine_set(bench.machine->workload, "interval", 20 * IOV_MS);
    bench.net->delay = 50 * IOV_US;
    run(&bench);
    cr_assert(le(u64, 54 * 5, ((IovLinuxGuest *)(void *)bench.machine->guest)->timer_writes));
    close_bench(&bench);
}

Test(workload, a_stream_is_as_fast_as_the_wire_and_blocks_the_sender)
{
    struct bench bench = open_bench("udp-stream", 3000, 1000);
    iov_time interval = 12 * IOV_US;

    bench.net->swallow = true;
    bench.net->interval = interval;
    machine_choose(bench.net->nic, "placement", "hardware");
    machine_set(bench.machine->workload, "size", 1400);
    run(&bench);
    iov_time mean = (bench.machine->measure->end - bench.machine->measure->begin) / 3000;

    cr_assert(eq(u64, bench.machine->measure->operations, 3000));
    cr_expect(ge(u64, mean, interval - interval / 50));
    cr_expect(le(u64, mean, interval + interval / 20));
    /* The send buffer is full most of the time: about a hundred frames of 1.4 KiB wait. */
    cr_expect(ge(u64, mean_latency(&bench), 40 * interval));
    cr_expect(lt(u64, 10, ((IovLinuxGuest *)(void *)bench.machine->guest)->halts));
    close_bench(&bench);
}

struct source {
    struct iov_event event;
    struct fake_net *net;
    struct iov_packet_pool *pool;
    iov_time interval;
    struct iov_guest_net addresses;
    struct iov_guest_netdev dev;
};

/* A datagram from the peer. */
static void on_source(struct iov_event *event)
{
    struct source *source = iov_container_of(event, struct source, event);
    struct iov_guest_frame frame = { 0 };
    uint8_t payload[200] = { 0 };

    iov_guest_build_udp(&source->addresses, &frame, payload, sizeof payload);
    struct iov_packet *packet = iov_packet_new(source->pool, frame.size);

    memcpy(packet->data, frame.data, frame.size);
    packet->span = NULL;
    iov_packet_send(&source->net->wire, packet);
    iov_event_in(event, source->interval);
}

Test(workload, a_receiving_stream_counts_what_comes)
{
    struct bench bench = open_bench("udp-stream", 1000, 100);
    struct source source = { .net = bench.net, .interval = 20 * IOV_US };

    static const struct iov_net_end guest = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
                                              0x0a000001,
                                              40000 };
    struct iov_guest_socket socket = { .port = 7, .peer = &guest };

    source.addresses =
        (struct iov_guest_net){ .dev = &source.dev, .address = 0x0a000002, .sockets = &socket };
    source.pool = iov_packet_pool_new();
    bench.net->swallow = true;
    machine_choose(bench.machine->workload, "direction", "rx");
    iov_event_init(&source.event, bench.machine->kernel, on_source, IOV_PRIORITY_DEFAULT);
    iov_event_in(&source.event, IOV_MS);
    run(&bench);
    cr_assert(bench.machine->measure->complete);
    cr_assert(eq(u64, bench.machine->measure->bytes, 200 * 1000));
    iov_time mean = (bench.machine->measure->end - bench.machine->measure->begin) / 1000;

    cr_assert(eq(u64, mean / IOV_US, 20));
    iov_event_disarm(&source.event);
    close_bench(&bench);
    iov_packet_pool_unref(source.pool, NULL);
}

Test(workload, a_frame_that_no_socket_wants_lets_go_of_its_request)
{
    static const uint8_t own[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
    struct bench bench = open_bench("udp-rr", 10, 0);
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct iov_span spans[2];

    run(&bench);
    for (unsigned i = 0; i < 2; i++) { /* of an unknown type; IPv4 with a wrong sum */
        struct iov_packet *packet = iov_packet_new(pool, 64);

        memset(packet->data, 0, 64);
        memcpy(packet->data, own, 6);
        if (i == 1)
            memcpy(packet->data + 12, "\x08\x00\x45\x00\x00\x20", 6);
        iov_span_begin(&spans[i], i, "sender", iov_now(bench.machine->kernel));
        packet->span = &spans[i];
        iov_packet_send(&bench.net->wire, packet);
    }
    iov_kernel_run_until(bench.machine->kernel, iov_now(bench.machine->kernel) + IOV_SEC);
    cr_assert(eq(
        u64, ((const IovLinuxGuest *)(const void *)bench.machine->guest)->net.foreign_frames, 1));
    cr_assert(
        eq(u64, ((const IovLinuxGuest *)(const void *)bench.machine->guest)->net.bad_frames, 1));
    cr_assert(spans[0].holder == NULL);
    cr_assert(spans[1].holder == NULL);
    close_bench(&bench);
    iov_packet_pool_unref(pool, NULL);
}

Test(workload, the_same_seed_gives_the_same_run)
{
    iov_time ends[2];

    for (unsigned i = 0; i < 2; i++) {
        struct bench bench = open_bench("udp-rr", 500, 10);

        machine_set(bench.machine->workload, "think-time", 100 * IOV_US);
        machine_choose(bench.machine->workload, "think-distribution", "pareto");
        run(&bench);
        ends[i] = bench.machine->measure->end;
        close_bench(&bench);
    }
    cr_assert(eq(u64, ends[0], ends[1]));
}
