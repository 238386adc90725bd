/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's switch: where frames go, who pays for them, and that no guest's thread ends up in
 * another guest's device. */
#include "tests/models/hypervisor/machine.h"

enum { GUESTS = 3 };

static const struct bench_cost costs[] = {
    { "esxi-switch", 200 * IOV_NS },
    { "esxi-nic-transmit", 400 * IOV_NS },
    { "esxi-nic-receive", 600 * IOV_NS },
    { "esxi-nic-interrupt", 300 * IOV_NS },
    { "esxi-world", 100 * IOV_NS },
    { "host-nic-out", 1000 * IOV_NS },
    { "host-nic-in", 1000 * IOV_NS },
    { "host-interrupt", 50 * IOV_NS },
    { "hlt-wake", 2000 * IOV_NS },
    { "host-context-switch", 500 * IOV_NS },
    { NULL, 0 },
};

static struct machine machine;
static IovModel *vswitch;
static struct bench_end guests[GUESTS], wire;
static struct iov_thread *sender;
static struct iov_packet *to_send;
static unsigned from;
static iov_time sent_at, done_at;

static void setup(void)
{
    machine_new(&machine, costs, 2);
    vswitch = bench_add(machine.bench, "vswitch", "vswitch");
    cr_assert(iov_model_set_ref(vswitch, "host", (IovModel *)machine.host, NULL));
    bench_number(vswitch, "irq-cpu", 1);
    for (unsigned i = 0; i < GUESTS; i++) {
        g_autofree char *name = g_strdup_printf("port%u", i);
        IovModel *port = bench_add(machine.bench, "vswitch-port", name);

        cr_assert(iov_model_set_ref(port, "vswitch", vswitch, NULL));
        bench_end_connect(machine.bench, &guests[i], port, "guest");
    }
    machine_wire(&machine);
    bench_end_connect(machine.bench, &wire, vswitch, "wire");
    bench_start(machine.bench);
    machine_run(&machine, IOV_MS);
}

/* Copies belong to the switch and go back to it while it is there. */
static void empty(struct bench_end *end)
{
    iov_packet_queue_clear(&end->queue);
}

static void teardown(void)
{
    for (unsigned i = 0; i < GUESTS; i++)
        empty(&guests[i]);
    bench_free(machine.bench);
    for (unsigned i = 0; i < GUESTS; i++)
        bench_end_free(&guests[i]);
    bench_end_free(&wire);
}

TestSuite(vswitch, .init = setup, .fini = teardown);

/* Stations are numbers; 0xff is everybody. */
static struct iov_packet *frame(struct bench_end *end, uint8_t to, uint8_t sent_by)
{
    uint8_t bytes[64] = { 0, 0, 0, 0, 0, to, 0, 0, 0, 0, 0, sent_by };

    if (to == 0xff)
        memset(bytes, 0xff, 6);
    return bench_end_frame(end, bytes, sizeof bytes);
}

static void send_main(void *argument)
{
    (void)argument;
    sent_at = machine_now(&machine);
    iov_packet_send(&guests[from].port, to_send);
    done_at = machine_now(&machine);
}

/* On a thread of processor 0, as a vCPU's. */
static void send(unsigned guest, uint8_t to)
{
    from = guest;
    to_send = frame(&guests[guest], to, (uint8_t)(10 + guest));
    sender = iov_thread_new(machine.host, "vcpu", 1, send_main, NULL);
    machine_run(&machine, IOV_MS);
}

static void arrive(uint8_t to)
{
    iov_packet_send(&wire.port, frame(&wire, to, 99));
    machine_run(&machine, IOV_MS);
}

static void expect_frames(unsigned first, unsigned second, unsigned third, unsigned outside)
{
    cr_assert(eq(u32, guests[0].queue.count, first));
    cr_assert(eq(u32, guests[1].queue.count, second));
    cr_assert(eq(u32, guests[2].queue.count, third));
    cr_assert(eq(u32, wire.queue.count, outside));
}

Test(vswitch, the_sender_pays_for_switch_and_driver)
{
    send(0, 99);
    expect_frames(0, 0, 0, 1);
    cr_assert(eq(u64, done_at - sent_at, 600 * IOV_NS));
    cr_assert(eq(u64, wire.last, done_at + IOV_US));
}

Test(vswitch, who_is_at_no_port_is_outside_and_nobody_is_searched_for)
{
    send(0, 11); /* guest 1 has not sent anything yet */
    expect_frames(0, 0, 0, 1);
    arrive(12);
    expect_frames(0, 0, 0, 1);
    cr_assert(eq(u64, bench_stat(vswitch, "drops"), 1));
    cr_assert(eq(u64, bench_stat(vswitch, "flooded"), 0));
}

Test(vswitch, from_guest_to_guest_the_world_delivers)
{
    send(1, 99);
    send(0, 11);
    expect_frames(0, 1, 0, 1);
    cr_assert(lt(u64, done_at - sent_at, 2000 * IOV_NS)); /* the switch and the wake-up, no more */
    cr_assert(lt(u64, done_at, guests[1].last));
}

Test(vswitch, what_arrives_is_an_interrupt_and_the_worlds_work)
{
    iov_time world;

    send(2, 99);
    world = bench_stat(vswitch, "world-time");
    arrive(12);
    expect_frames(0, 0, 1, 1);
    cr_assert(eq(u64, bench_stat(vswitch, "interrupts"), 1));
    cr_assert(le(u64, world + 900 * IOV_NS, bench_stat(vswitch, "world-time")));
}

Test(vswitch, a_group_address_goes_to_all_others)
{
    send(0, 0xff);
    expect_frames(0, 1, 1, 1);
    arrive(0xff);
    expect_frames(1, 2, 2, 1);
}

Test(vswitch, a_forged_source_is_dropped_and_counted)
{
    send(0, 99);
    send(1, 99);
    expect_frames(0, 0, 0, 2);
    iov_packet_send(&guests[1].port, frame(&guests[1], 99, 10));
    machine_run(&machine, IOV_MS);
    expect_frames(0, 0, 0, 2);
    cr_assert(eq(u64, bench_stat(vswitch, "spoofed"), 1));
    arrive(10);
    expect_frames(1, 0, 0, 2);
}

Test(vswitch, frames_for_their_own_sender_and_stumps_are_dropped)
{
    const uint8_t stump[10] = { 0 };

    send(0, 10);
    iov_packet_send(&guests[0].port, bench_end_frame(&guests[0], stump, sizeof stump));
    machine_run(&machine, IOV_MS);
    send(0, 10);
    expect_frames(0, 0, 0, 0);
    cr_assert(eq(u64, bench_stat(vswitch, "drops"), 3));
}
