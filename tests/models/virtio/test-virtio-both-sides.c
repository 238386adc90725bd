/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's driver and the device on one ring, split and packed, in a random order of events.
 * Every buffer comes back once with its length, whatever the order in which the device is done; and
 * nobody is left asleep: a device that asked for notifications and finds the ring empty is told of
 * the next buffer, a driver that asked for interrupts and finds nothing used gets one.
 */
#include "tests/models/guest/fake-machine.h"

#include "core/kernel/random.h"
#include "models/guest/virtio-queue-private.h"
#include "models/virtio/virtio-ring-private.h"

#define BUFFER 0x5000
#define STEPS 200000
#define HOLD 64

struct both {
    struct machine *machine;
    struct iov_guest_cpu cpu;
    struct virtio_queue driver;
    struct iov_mem_target target;
    struct iov_mem_initiator port;
    struct iov_virtio_dma dma;
    struct iov_virtq device;
    struct iov_virtq_chain chain;
    struct iov_random random;
    bool awake;          /* the device works and wants no notifications */
    bool interrupt;      /* on its way to the driver */
    bool delayed;        /* the driver waits for more than the next buffer */
    bool polling;        /* the driver has interrupts off */
    uint16_t held[HOLD]; /* chains that the device has */
    unsigned holds;
    unsigned available; /* buffers that the driver gave and the device has not taken */
    unsigned used;      /* that the device gave back and the driver has not taken */
    uint32_t expected[VIRTIO_QUEUE_MAX]; /* length by buffer; 0: not given back */
    uint64_t taken;
};

static enum iov_status ram_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct both *both = iov_container_of(target, struct both, target);

    memcpy(req->data, both->machine->ram + req->address, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status ram_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct both *both = iov_container_of(target, struct both, target);

    memcpy(both->machine->ram + req->address, req->data, req->size);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops ram_ops = { .read = ram_read, .write = ram_write };

static struct both *both_new(bool packed, bool event, uint16_t size)
{
    struct both *both = g_new0(struct both, 1);
    IovLinuxGuest *guest;

    both->machine = machine_new(0);
    guest = (IovLinuxGuest *)(void *)both->machine->guest;
    guest->measure = both->machine->measure;
    guest->next_memory = 0x100000;
    both->cpu = (struct iov_guest_cpu){ .guest = guest, .exec = &both->machine->exec };
    cr_assert(iov_virtio_queue_init(&both->driver, &both->cpu, 0, size, packed, event));
    both->driver.doorbell = 0x800000; /* RAM: the counters say who kicked */
    both->target.ops = &ram_ops;
    both->port.peer = &both->target;
    both->dma = (struct iov_virtio_dma){ .port = &both->port,
                                         .kernel = both->machine->kernel,
                                         .enabled = true };
    iov_virtq_reset(&both->device, size);
    both->device.desc = both->driver.descriptors;
    both->device.avail = both->driver.available;
    both->device.used = both->driver.used;
    both->device.packed = packed;
    cr_assert(iov_virtq_enable(&both->device, event, true));
    iov_random_init(&both->random, 7, "both sides");
    iov_virtio_queue_enable(&both->driver, &both->cpu);
    return both;
}

static void both_free(struct both *both)
{
    machine_free(both->machine);
    g_free(both);
}

static unsigned draw(struct both *both, unsigned below)
{
    return (unsigned)(iov_random_u64(&both->random) >> 33) % below;
}

/* ---- The driver ---- */

static void give(struct both *both)
{
    uint64_t kicks = both->machine->measure->counters.kicks;

    for (unsigned count = 1 + draw(both, 4); count > 0 && both->driver.free_count > 0; count--) {
        iov_virtio_queue_add(&both->driver, &both->cpu, BUFFER, 100, draw(both, 2));
        both->available++;
    }
    iov_virtio_queue_kick(&both->driver, &both->cpu);
    if (both->machine->measure->counters.kicks > kicks)
        both->awake = true;
}

static void take_all(struct both *both)
{
    uint16_t buffer;
    uint32_t length;

    while (iov_virtio_queue_take(&both->driver, &both->cpu, &buffer, &length)) {
        cr_assert(ne(u32, both->expected[buffer], 0), "a buffer that the device has");
        cr_assert(eq(u32, length, both->expected[buffer]));
        both->expected[buffer] = 0;
        both->used--;
        both->taken++;
    }
    cr_assert(not(both->driver.broken));
    cr_assert(eq(uint, both->used, 0), "nothing is overlooked");
}

/* As NAPI: off, take, on, look again. Or, as the transmit side does, on for a later buffer. */
static void on_interrupt(struct both *both)
{
    both->interrupt = false;
    if (!iov_virtio_queue_interrupt(&both->driver, &both->cpu))
        return;
    iov_virtio_queue_disable(&both->driver, &both->cpu);
    both->polling = true;
}

static void poll(struct both *both)
{
    uint16_t since;

    take_all(both);
    if (draw(both, 2) == 0)
        return;
    if (draw(both, 2) == 0) { /* for three quarters of what is under way */
        both->polling = !iov_virtio_queue_enable_delayed(&both->driver, &both->cpu);
        both->delayed = !both->polling;
        return;
    }
    since = iov_virtio_queue_enable(&both->driver, &both->cpu);
    both->polling = false;
    both->delayed = false;
    if (!iov_virtio_queue_missed(&both->driver, &both->cpu, since))
        return;
    iov_virtio_queue_disable(&both->driver, &both->cpu);
    both->polling = true;
}

/* ---- The device ---- */

static void work(struct both *both)
{
    while (both->holds < HOLD && draw(both, 5) != 0) {
        if (iov_virtq_pop(&both->device, &both->dma, &both->chain) != IOV_VIRTQ_CHAIN)
            break;
        both->held[both->holds++] = both->chain.head;
        both->available--;
        if (draw(both, 10) == 0) { /* changes its mind */
            iov_virtq_rewind(&both->device, 1);
            both->holds--;
            both->available++;
        }
    }
    cr_assert(eq(int, both->device.fault, IOV_VIRTQ_OK));
}

static void complete(struct both *both)
{
    uint16_t count = 0;

    while (both->holds > 0 && draw(both, 4) != 0) {
        unsigned which = draw(both, both->holds);
        uint16_t head = both->held[which];

        both->held[which] = both->held[--both->holds];
        both->expected[head] = 1 + draw(both, 100);
        cr_assert(iov_virtq_fill(&both->device, &both->dma, count++, head, both->expected[head]));
        both->used++;
    }
    if (count == 0)
        return;
    cr_assert(iov_virtq_publish(&both->device, &both->dma, count));
    if (iov_virtq_wants_interrupt(&both->device, &both->dma))
        both->interrupt = true;
}

static void doze(struct both *both)
{
    if (iov_virtq_peek(&both->device, &both->dma) == IOV_VIRTQ_CHAIN)
        return;
    cr_assert(iov_virtq_set_notifications(&both->device, &both->dma, true));
    if (iov_virtq_peek(&both->device, &both->dma) != IOV_VIRTQ_CHAIN)
        both->awake = false;
}

static void step(struct both *both)
{
    both->device.of_instant = 0; /* no time passes here: it is not the ring that feeds itself */
    switch (draw(both, 6)) {
    case 0:
        give(both);
        break;
    case 1:
        if (both->interrupt)
            on_interrupt(both);
        break;
    case 2:
        if (both->polling)
            poll(both);
        break;
    case 3:
        if (both->awake) {
            cr_assert(iov_virtq_set_notifications(&both->device, &both->dma, false));
            work(both);
        }
        break;
    case 4:
        complete(both);
        break;
    default:
        if (both->awake)
            doze(both);
        break;
    }
    cr_assert(both->awake || both->available == 0, "the device sleeps beside %u buffers",
              both->available);
    cr_assert(both->polling || both->interrupt || both->used == 0 ||
                  (both->delayed && both->available + both->holds > 0),
              "the driver waits beside %u buffers", both->used);
}

static void run(bool packed, bool event, uint16_t size)
{
    struct both *both = both_new(packed, event, size);

    for (unsigned i = 0; i < STEPS; i++)
        step(both);
    cr_assert(lt(u64, STEPS / 50, both->taken));
    both_free(both);
}

Test(both_sides, of_a_split_ring)
{
    run(false, true, 8);
    run(false, false, 64);
    run(false, true, 256);
}

Test(both_sides, of_a_packed_ring)
{
    run(true, true, 8);
    run(true, true, 7);
    run(true, false, 23);
    run(true, true, 256);
}
