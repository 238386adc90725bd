/* SPDX-License-Identifier: Apache-2.0 */
/* A wire takes the time of its rate and delay, one frame at a time in each direction. */
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *wire;
static struct bench_end left, right;

static void setup(void)
{
    bench = bench_new(NULL);
    wire = bench_add(bench, "wire", "wire");
    bench_number(wire, "delay", 500 * IOV_NS);
    bench_prepare(bench);
    bench_end_connect(bench, &left, wire, "a");
    bench_end_connect(bench, &right, wire, "b");
    bench_start(bench);
}

static void teardown(void)
{
    bench_end_free(&left);
    bench_end_free(&right);
    bench_free(bench);
}

TestSuite(wire, .init = setup, .fini = teardown);

static iov_time send(struct bench_end *end, uint32_t size)
{
    return iov_packet_send(&end->port, iov_packet_new(end->pool, size));
}

Test(wire, a_frame_takes_its_bytes_and_overhead_and_the_delay)
{
    cr_assert(eq(u64, send(&left, 1514), 1538 * 8 * IOV_NS));
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u32, right.queue.count, 1));
    cr_assert(eq(u64, right.last, 1538 * 8 * IOV_NS + 500 * IOV_NS));
}

Test(wire, short_frames_take_the_shortest_frames_time)
{
    cr_assert(eq(u64, send(&left, 42), 84 * 8 * IOV_NS));
}

Test(wire, a_second_frame_waits_and_directions_do_not_disturb_each_other)
{
    send(&left, 60);
    cr_assert(eq(u64, send(&left, 60), 2 * 84 * 8 * IOV_NS));
    cr_assert(eq(u64, send(&right, 60), 84 * 8 * IOV_NS));
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u64, right.last, (2 * 84 * 8 + 500) * IOV_NS));
    cr_assert(eq(u64, left.last, (84 * 8 + 500) * IOV_NS));
    cr_assert(eq(u64, bench_stat(wire, "busy"), 3 * 84 * 8 * IOV_NS));
}

Test(wire, an_offloaded_frame_takes_the_time_of_its_segments)
{
    struct iov_packet *packet = iov_packet_new(left.pool, 54 + 3000);

    packet->segment_size = 1460;
    cr_assert(eq(u64, iov_packet_send(&left.port, packet), (3000 + 3 * (54 + 24)) * 8 * IOV_NS));
}

Test(wire, without_a_rate_only_the_delay_remains)
{
    bench_number(wire, "rate", 0);
    cr_assert(eq(u64, send(&left, 1514), 0));
    cr_assert(eq(u64, send(&left, 1514), 0));
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u32, right.queue.count, 2));
    cr_assert(eq(u64, right.last, 500 * IOV_NS));
}

Test(wire, bytes_that_wait_are_bounded)
{
    for (unsigned i = 0; i < 1000; i++)
        send(&left, 1514);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u64, bench_stat(wire, "frames") + bench_stat(wire, "drops"), 1000));
    cr_assert(eq(u64, right.queue.count, (1 << 20) / 1538 + 1));
    cr_assert(eq(u64, bench->run.measure->counters.drops, bench_stat(wire, "drops")));
}

Test(wire, the_time_on_the_wire_is_marked_and_waiting_is_queue)
{
    struct iov_span span;
    struct iov_packet *packet;

    send(&left, 60);
    packet = iov_packet_new(left.pool, 60);
    iov_span_begin(&span, 1, &left, 0);
    packet->span = &span;
    iov_packet_send(&left.port, packet);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], 84 * 8 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_WIRE], (84 * 8 + 500) * IOV_NS));
    cr_assert(eq(u64, span.cursor, right.last));
}

Test(wire, frames_on_their_way_do_not_outlive_the_wire)
{
    send(&left, 60);
    send(&right, 60);
}
