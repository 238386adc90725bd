/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's side of a split ring: layout, notifications, interrupts, and devices that lie. */
#include "tests/models/guest/fake-machine.h"

#include "models/guest/virtio-queue-private.h"
#include "models/virtio/virtio-regs.h"

#define SIZE 8

/* A processor without a program: ring memory takes no time, so no fiber is needed. */
struct bench {
    struct machine *machine;
    struct iov_guest_cpu cpu;
    struct virtio_queue queue;
};

static struct bench *open_bench(bool event)
{
    struct bench *bench = g_new0(struct bench, 1);
    IovLinuxGuest *guest;

    bench->machine = machine_new(0);
    guest = (IovLinuxGuest *)(void *)bench->machine->guest;
    guest->measure = bench->machine->measure;
    guest->next_memory = 0x100000;
    bench->cpu = (struct iov_guest_cpu){ .guest = guest, .exec = &bench->machine->exec };
    cr_assert(iov_virtio_queue_init(&bench->queue, &bench->cpu, 0, SIZE, false, event));
    bench->queue.doorbell = 0x800000; /* RAM: a write there is no event for anybody */
    return bench;
}

static void close_bench(struct bench *bench)
{
    machine_free(bench->machine);
    g_free(bench);
}

static uint16_t peek(struct bench *bench, uint64_t address)
{
    uint16_t value;

    memcpy(&value, bench->machine->ram + address, 2);
    return value;
}

static void poke(struct bench *bench, uint64_t address, uint16_t value)
{
    memcpy(bench->machine->ram + address, &value, 2);
}

/* The device uses a buffer. */
static void use(struct bench *bench, uint32_t id, uint32_t length)
{
    uint64_t index = bench->queue.used + VIRTQ_USED_IDX;
    struct virtq_used_elem element = { id, length };

    memcpy(bench->machine->ram + bench->queue.used + VIRTQ_USED_RING +
               8u * (peek(bench, index) % SIZE),
           &element, 8);
    poke(bench, index, (uint16_t)(peek(bench, index) + 1));
}

static uint16_t used_event(struct bench *bench)
{
    return peek(bench, bench->queue.available + virtq_used_event_offset(SIZE));
}

Test(virtio_queue, a_buffer_goes_to_the_device_and_comes_back)
{
    struct bench *bench = open_bench(true);
    struct virtq_desc descriptor;
    uint16_t back;
    uint32_t size;
    uint16_t head = iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 100, true);

    memcpy(&descriptor, bench->machine->ram + bench->queue.descriptors + 16u * head, 16);
    cr_assert(eq(u64, descriptor.address, 0x5000));
    cr_assert(eq(u32, descriptor.length, 100));
    cr_assert(eq(u16, descriptor.flags, VIRTQ_DESC_WRITE));
    cr_assert(eq(u16, peek(bench, bench->queue.available + VIRTQ_AVAIL_IDX), 1));
    cr_assert(eq(u16, peek(bench, bench->queue.available + VIRTQ_AVAIL_RING), head));
    cr_assert(not(iov_virtio_queue_take(&bench->queue, &bench->cpu, &back, &size)));
    use(bench, head, 60);
    cr_assert(iov_virtio_queue_take(&bench->queue, &bench->cpu, &back, &size));
    cr_assert(eq(u16, back, head));
    cr_assert(eq(u32, size, 60));
    cr_assert(eq(u16, bench->queue.free_count, SIZE));
    close_bench(bench);
}

Test(virtio_queue, the_ring_goes_round_for_ever)
{
    struct bench *bench = open_bench(true);
    uint16_t back;
    uint32_t size;

    for (unsigned i = 0; i < 200000; i++) {
        uint16_t head = iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 100, false);

        use(bench, head, i);
        cr_assert(iov_virtio_queue_take(&bench->queue, &bench->cpu, &back, &size));
        cr_assert(eq(u32, size, i));
    }
    cr_assert(eq(u16, bench->queue.free_count, SIZE));
    close_bench(bench);
}

Test(virtio_queue, with_event_index_only_the_awaited_buffer_kicks)
{
    struct bench *bench = open_bench(true);
    struct iov_counters *counters = &bench->machine->measure->counters;

    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu); /* the device waits for index 0 */
    cr_assert(eq(u64, counters->kicks, 1));
    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu); /* it is awake and has not moved its event */
    cr_assert(eq(u64, counters->kicks, 1));
    cr_assert(eq(u64, counters->kicks_suppressed, 1));
    poke(bench, bench->queue.used + virtq_avail_event_offset(SIZE), 3);
    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu);
    cr_assert(eq(u64, counters->kicks, 1));
    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu);
    cr_assert(eq(u64, counters->kicks, 2));
    close_bench(bench);
}

Test(virtio_queue, without_event_index_the_flag_of_the_device_decides)
{
    struct bench *bench = open_bench(false);
    struct iov_counters *counters = &bench->machine->measure->counters;

    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu);
    poke(bench, bench->queue.used + VIRTQ_USED_FLAGS, VIRTQ_USED_NO_NOTIFY);
    iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_kick(&bench->queue, &bench->cpu);
    cr_assert(eq(u64, counters->kicks, 1));
    cr_assert(eq(u64, counters->kicks_suppressed, 1));
    close_bench(bench);
}

Test(virtio_queue, an_interrupt_is_asked_for_after_three_quarters_of_what_is_under_way)
{
    struct bench *bench = open_bench(true);

    for (unsigned i = 0; i < 8; i++)
        iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    iov_virtio_queue_disable(&bench->queue, &bench->cpu);
    cr_assert(iov_virtio_queue_enable_delayed(&bench->queue, &bench->cpu));
    cr_assert(eq(u16, used_event(bench), 6));
    for (uint32_t i = 0; i < 7; i++)
        use(bench, i, 0);
    cr_assert(not(iov_virtio_queue_enable_delayed(&bench->queue, &bench->cpu)), "it has passed");
    close_bench(bench);
}

Test(virtio_queue, a_buffer_used_before_interrupts_were_on_is_noticed)
{
    struct bench *bench = open_bench(true);
    uint16_t head = iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
    uint16_t since = iov_virtio_queue_enable(&bench->queue, &bench->cpu);

    cr_assert(not(iov_virtio_queue_missed(&bench->queue, &bench->cpu, since)));
    use(bench, head, 0);
    cr_assert(iov_virtio_queue_missed(&bench->queue, &bench->cpu, since));
    close_bench(bench);
}

Test(virtio_queue, without_event_index_interrupts_are_turned_off_by_the_flag)
{
    struct bench *bench = open_bench(false);
    uint64_t flags = bench->queue.available + VIRTQ_AVAIL_FLAGS;

    iov_virtio_queue_disable(&bench->queue, &bench->cpu);
    cr_assert(eq(u16, peek(bench, flags), VIRTQ_AVAIL_NO_INTERRUPT));
    iov_virtio_queue_enable(&bench->queue, &bench->cpu);
    cr_assert(eq(u16, peek(bench, flags), 0));
    close_bench(bench);
}

Test(virtio_queue, a_device_that_uses_what_it_does_not_have_is_shut_out)
{
    const uint32_t wrong[] = { 0, SIZE, 0xffffffff };

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        struct bench *bench = open_bench(true);
        uint16_t back;
        uint32_t size;

        use(bench, wrong[i], 1);
        cr_assert(not(iov_virtio_queue_take(&bench->queue, &bench->cpu, &back, &size)));
        cr_assert(bench->queue.broken);
        cr_assert(eq(u64, bench->cpu.guest->device_errors, 1));
        iov_virtio_queue_add(&bench->queue, &bench->cpu, 0x5000, 1, false);
        iov_virtio_queue_kick(&bench->queue, &bench->cpu);
        cr_assert(eq(u64, bench->machine->measure->counters.kicks, 0));
        close_bench(bench);
    }
}
