/* SPDX-License-Identifier: Apache-2.0 */
/* The host's network path: what a frame costs on its way out and in, and who pays. */
#include "tests/models/hypervisor/machine.h"

static const struct bench_cost costs[] = {
    { "tap-write", 900 * IOV_NS },           { "host-bridge", 300 * IOV_NS },
    { "host-nic-transmit", 400 * IOV_NS },   { "host-nic-receive", 700 * IOV_NS },
    { "tap-queue", 200 * IOV_NS },           { "host-nic-out", 1000 * IOV_NS },
    { "host-nic-in", 1000 * IOV_NS },        { "copy-fixed", 50 * IOV_NS },
    { "host-interrupt", 300 * IOV_NS },      { "hlt-wake", 2000 * IOV_NS },
    { "host-context-switch", 500 * IOV_NS }, { NULL, 0 },
};

static struct machine machine;
static IovModel *tap, *bridge;
static struct bench_end guest_end, wire_end;
static struct iov_span span;

static void setup(void)
{
    machine_new(&machine, costs, 2);
    bridge = bench_add(machine.bench, "bridge", "bridge");
    cr_assert(iov_model_set_ref(bridge, "host", (IovModel *)machine.host, NULL));
    bench_number(bridge, "irq-cpu", 1);
    tap = bench_add(machine.bench, "tap", "tap");
    cr_assert(iov_model_set_ref(tap, "host", (IovModel *)machine.host, NULL));
    cr_assert(iov_model_set_ref(tap, "bridge", bridge, NULL));
    machine_wire(&machine);
    bench_end_connect(machine.bench, &guest_end, tap, "guest");
    bench_end_connect(machine.bench, &wire_end, bridge, "wire");
    bench_start(machine.bench);
}

static void teardown(void)
{
    bench_free(machine.bench);
    bench_end_free(&guest_end);
    bench_end_free(&wire_end);
}

TestSuite(tap, .init = setup, .fini = teardown);

static struct iov_packet *frame(struct bench_end *end, struct iov_span *request)
{
    const uint8_t bytes[64] = { 1, 2, 3 };
    struct iov_packet *packet = bench_end_frame(end, bytes, sizeof bytes);

    packet->span = request;
    return packet;
}

static struct iov_thread *sender;
static iov_time sent_at, done_at;
static unsigned frames_to_send;

static void send_main(void *argument)
{
    (void)argument;
    sent_at = machine_now(&machine);
    for (unsigned i = 0; i < frames_to_send; i++) {
        struct iov_packet *packet = frame(&guest_end, i == 0 ? &span : NULL);

        if (i == 0) {
            iov_span_begin(&span, 1, sender->exec.holder, sent_at);
            sender->exec.span = &span;
        }
        iov_packet_send(&guest_end.port, packet);
    }
    done_at = machine_now(&machine);
}

Test(tap, the_sender_pays_for_write_bridge_and_driver)
{
    frames_to_send = 1;
    sender = iov_thread_new(machine.host, "sender", 1, send_main, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, done_at - sent_at, (900 + 50 + 300 + 400) * IOV_NS));
    cr_assert(eq(u64, wire_end.queue.count, 1));
    cr_assert(eq(u64, wire_end.last, done_at + IOV_US));
    cr_assert(eq(u64, span.parts[IOV_PART_HOST], 1600 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_COPY], 50 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], IOV_US));
}

Test(tap, frames_leave_one_after_the_other_when_the_wire_is_slow)
{
    frames_to_send = 3;
    wire_end.busy = 100 * IOV_US;
    sender = iov_thread_new(machine.host, "sender", 1, send_main, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, wire_end.queue.count, 3));
    cr_assert(lt(u64, 200 * IOV_US, wire_end.last));
}

Test(tap, a_frame_from_the_wire_is_an_interrupt_and_a_softirq)
{
    iov_time begin;

    machine_run(&machine, IOV_MS);
    begin = machine_now(&machine);
    iov_span_begin(&span, 1, &wire_end, begin);
    iov_packet_send(&wire_end.port, frame(&wire_end, &span));
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, guest_end.queue.count, 1));
    /* NIC, leaving HLT, interrupt, driver + bridge + queue */
    cr_assert(eq(u64, guest_end.last - begin, (1000 + 2000 + 300 + 1200) * IOV_NS));
    cr_assert(eq(u64, bench_stat(bridge, "interrupts"), 1));
    cr_assert(eq(u64, span.cursor, guest_end.last));
}

static struct iov_event next_frame;
static unsigned frames_left;

static void on_next_frame(struct iov_event *event)
{
    iov_packet_send(&wire_end.port, frame(&wire_end, NULL));
    if (--frames_left > 0)
        iov_event_in(event, IOV_US);
}

Test(tap, frames_that_come_while_it_polls_need_no_interrupt)
{
    machine_run(&machine, IOV_MS);
    frames_left = 50; /* one a microsecond, 1.2 us of work each */
    iov_event_init(&next_frame, machine_kernel(&machine), on_next_frame, IOV_PRIORITY_DEFAULT);
    iov_event_in(&next_frame, 0);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, guest_end.queue.count, 50));
    cr_assert(eq(u64, bench_stat(bridge, "interrupts"), 1));
}

Test(tap, a_burst_is_polled_under_one_interrupt)
{
    machine_run(&machine, IOV_MS);
    for (unsigned i = 0; i < 10; i++)
        iov_packet_send(&wire_end.port, frame(&wire_end, NULL));
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, guest_end.queue.count, 10));
    cr_assert(eq(u64, bench_stat(bridge, "interrupts"), 1));
}

Test(tap, frames_beyond_its_queue_are_lost_and_counted)
{
    machine_run(&machine, IOV_MS);
    for (unsigned i = 0; i < 1010; i++)
        iov_packet_send(&wire_end.port, frame(&wire_end, NULL));
    machine_run(&machine, 10 * IOV_MS);
    cr_assert(eq(u64, guest_end.queue.count, 1000));
    cr_assert(eq(u64, bench_stat(bridge, "drops"), 10));
    cr_assert(eq(u64, machine.bench->run.measure->counters.drops, 10));
}
