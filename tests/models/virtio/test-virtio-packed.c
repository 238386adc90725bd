/* SPDX-License-Identifier: Apache-2.0 */
/* The device side of the packed ring, against rings written by hand (virtio 1.2, clause 2.8), and
 * drivers that mean harm. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/random.h"
#include "models/virtio/virtio-ring-private.h"
#include "tests/models/virtio/virtio-driver.h"

#define SIZE 8
#define RING 0x10000
#define DRIVER_AREA 0x14000
#define DEVICE_AREA 0x15000
#define TABLE 0x200000

#define AVAIL VIRTQ_PACKED_DESC_AVAIL
#define USED VIRTQ_PACKED_DESC_USED
#define NEXT VIRTQ_DESC_NEXT
#define WRITE VIRTQ_DESC_WRITE

static struct iov_kernel *kernel;
static struct iov_fake_mem *mem;
static struct iov_mem_initiator port;
static struct iov_virtio_dma dma;
static struct iov_virtq device;
static struct iov_virtq_chain chain;

static void make_ring(void)
{
    kernel = iov_kernel_new();
    mem = iov_fake_mem_new(kernel);
    port.peer = &mem->target;
    dma = (struct iov_virtio_dma){
        .port = &port, .kernel = kernel, .requester = 0x10, .enabled = true
    };
    iov_virtq_reset(&device, 256);
    device.size = SIZE;
    device.packed = true;
    device.desc = RING;
    device.avail = DRIVER_AREA;
    device.used = DEVICE_AREA;
    cr_assert(iov_virtq_enable(&device, true, true));
}

static void finish(void)
{
    iov_fake_mem_free(mem);
    iov_kernel_free(kernel);
}

TestSuite(packed, .init = make_ring, .fini = finish);

static void put(uint16_t place, uint64_t address, uint32_t length, uint16_t id, uint16_t flags)
{
    struct virtq_packed_desc desc = { address, length, id, flags };

    iov_fake_mem_put(mem, RING + 16u * place, &desc, sizeof desc, NULL);
}

static struct virtq_packed_desc get(uint16_t place)
{
    struct virtq_packed_desc desc = { .address = iov_fake_mem_get(mem, RING + 16u * place, 8) };
    uint64_t rest = iov_fake_mem_get(mem, RING + 16u * place + 8, 8);

    desc.length = (uint32_t)rest;
    desc.id = (uint16_t)(rest >> 32);
    desc.flags = (uint16_t)(rest >> 48);
    return desc;
}

static enum iov_virtq_result pop(void)
{
    return iov_virtq_pop(&device, &dma, &chain);
}

static bool complete(uint16_t id, uint32_t written)
{
    return iov_virtq_fill(&device, &dma, 0, id, written) && iov_virtq_publish(&device, &dma, 1);
}

static void ask(uint16_t place, uint16_t flags)
{
    iov_fake_mem_set(mem, DRIVER_AREA, 2, place);
    iov_fake_mem_set(mem, DRIVER_AREA + 2, 2, flags);
}

/* ---- Taking and giving back ---- */

Test(packed, an_empty_ring_costs_one_read)
{
    cr_assert(eq(int, pop(), IOV_VIRTQ_EMPTY));
    cr_assert(eq(uint, mem->reads, 1));
}

Test(packed, a_chain_takes_places_in_order_and_its_last_descriptor_names_it)
{
    put(0, 0x1000, 12, 77, AVAIL | NEXT);
    put(1, 0x2000, 60, 77, AVAIL | NEXT);
    put(2, 0x3000, 1, 5, AVAIL | WRITE);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 5));
    cr_assert(eq(u16, chain.readable, 2));
    cr_assert(eq(u16, chain.writable, 1));
    cr_assert(eq(u64, chain.segments[1].address, 0x2000));
    cr_assert(eq(uint, mem->reads, 3), "each descriptor once");
    cr_assert(eq(int, pop(), IOV_VIRTQ_EMPTY));
}

Test(packed, a_used_descriptor_goes_where_the_chain_began_and_skips_its_places)
{
    put(0, 0x1000, 12, 3, AVAIL | NEXT);
    put(1, 0x2000, 60, 3, AVAIL | WRITE);
    put(2, 0x3000, 8, 4, AVAIL);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(complete(3, 60));
    cr_assert(eq(u16, get(0).id, 3));
    cr_assert(eq(u32, get(0).length, 60));
    cr_assert(eq(u16, get(0).flags, AVAIL | USED | WRITE));
    cr_assert(complete(4, 0));
    cr_assert(eq(u16, get(2).id, 4));
    cr_assert(eq(u16, get(2).flags, AVAIL | USED));
}

Test(packed, chains_may_come_back_in_another_order)
{
    put(0, 0x1000, 12, 1, AVAIL | NEXT);
    put(1, 0x1000, 12, 1, AVAIL);
    put(2, 0x3000, 8, 2, AVAIL);
    pop();
    pop();
    cr_assert(complete(2, 0));
    cr_assert(complete(1, 0));
    cr_assert(eq(u16, get(0).id, 2));
    cr_assert(eq(u16, get(1).id, 1)); /* one place for the chain that was first */
}

Test(packed, several_used_descriptors_are_shown_by_the_first)
{
    for (uint16_t i = 0; i < 3; i++)
        put(i, 0x1000, 8, i, AVAIL | WRITE);
    for (uint16_t i = 0; i < 3; i++)
        cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    for (uint16_t i = 0; i < 3; i++)
        cr_assert(iov_virtq_fill(&device, &dma, i, i, 8));
    cr_assert(eq(u16, get(0).flags & USED, 0), "not before it is published");
    cr_assert(eq(u16, get(2).flags, AVAIL | USED | WRITE));
    cr_assert(iov_virtq_publish(&device, &dma, 3));
    cr_assert(eq(u16, get(0).flags, AVAIL | USED | WRITE));
}

Test(packed, the_counters_flip_at_the_end_of_the_ring)
{
    for (unsigned lap = 0; lap < 5; lap++) {
        uint16_t available = lap % 2 == 0 ? AVAIL : USED;

        for (uint16_t i = 0; i < SIZE; i++) {
            cr_assert(eq(int, pop(), IOV_VIRTQ_EMPTY));
            put(i, 0x1000, 8, i, available);
            cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
            cr_assert(complete(i, 0));
            cr_assert(eq(u16, get(i).flags, lap % 2 == 0 ? AVAIL | USED : 0));
        }
    }
}

Test(packed, a_chain_goes_over_the_end_of_the_ring)
{
    for (uint16_t i = 0; i < SIZE - 1; i++) {
        put(i, 0x1000, 8, 0, AVAIL);
        pop();
        complete(0, 0);
    }
    put(SIZE - 1, 0x1000, 8, 0, AVAIL | NEXT);
    put(0, 0x2000, 8, 6, USED);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.readable, 2));
    cr_assert(complete(6, 0));
    put(1, 0x1000, 8, 2, USED);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
}

Test(packed, rewound_chains_come_again)
{
    put(0, 0x1000, 8, 1, AVAIL | NEXT);
    put(1, 0x1000, 8, 1, AVAIL);
    put(2, 0x1000, 8, 2, AVAIL);
    pop();
    pop();
    iov_virtq_rewind(&device, 2);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 1));
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 2));
}

Test(packed, an_indirect_table_takes_one_place)
{
    /* SPEC: 2.8.7: in a table the entries follow each other and NEXT means nothing. */
    struct virtq_packed_desc table[2] = { { 0x1000, 12, 0, NEXT }, { 0x9000, 1, 0, WRITE } };

    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    put(0, TABLE, sizeof table, 9, AVAIL | VIRTQ_DESC_INDIRECT);
    put(1, 0x1000, 8, 2, AVAIL);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 9));
    cr_assert(eq(u16, chain.readable, 1));
    cr_assert(eq(u16, chain.writable, 1));
    cr_assert(eq(uint, mem->reads, 2));
    cr_assert(complete(9, 1));
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 2));
}

/* ---- Events ---- */

static void one_more(uint16_t place, uint16_t available)
{
    put(place, 0x1000, 8, 0, available);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(complete(0, 0));
}

Test(packed, interrupts_are_on_off_or_for_one_place)
{
    ask(0, VIRTQ_PACKED_EVENT_ENABLE);
    one_more(0, AVAIL);
    cr_assert(iov_virtq_wants_interrupt(&device, &dma));
    ask(0, VIRTQ_PACKED_EVENT_DISABLE);
    one_more(1, AVAIL);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
    ask(3 | VIRTQ_PACKED_EVENT_WRAP, VIRTQ_PACKED_EVENT_DESC);
    one_more(2, AVAIL);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
    one_more(3, AVAIL);
    cr_assert(iov_virtq_wants_interrupt(&device, &dma));
    one_more(4, AVAIL);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
}

Test(packed, an_event_of_the_next_lap_waits_for_it)
{
    ask(0, VIRTQ_PACKED_EVENT_DISABLE);
    one_more(0, AVAIL);
    iov_virtq_wants_interrupt(&device, &dma);
    ask(1, VIRTQ_PACKED_EVENT_DESC); /* place 1, lap 2 */
    for (uint16_t i = 1; i < SIZE; i++) {
        one_more(i, AVAIL);
        cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)), "place %u", i);
    }
    one_more(0, USED);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
    one_more(1, USED);
    cr_assert(iov_virtq_wants_interrupt(&device, &dma));
}

Test(packed, an_event_at_the_last_place_is_not_that_of_the_lap_before)
{
    ask(0, VIRTQ_PACKED_EVENT_DISABLE);
    for (uint16_t i = 0; i < SIZE - 1; i++)
        one_more(i, AVAIL);
    iov_virtq_wants_interrupt(&device, &dma);
    ask(SIZE - 1, VIRTQ_PACKED_EVENT_DESC); /* the last place of lap 2 */
    one_more(SIZE - 1, AVAIL);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
    for (uint16_t i = 0; i < SIZE - 1; i++)
        one_more(i, USED);
    cr_assert(not(iov_virtq_wants_interrupt(&device, &dma)));
    one_more(SIZE - 1, USED);
    cr_assert(iov_virtq_wants_interrupt(&device, &dma));
}

Test(packed, wishes_for_kicks_are_written_as_place_and_lap)
{
    one_more(0, AVAIL);
    cr_assert(iov_virtq_set_notifications(&device, &dma, false));
    cr_assert(eq(u64, iov_fake_mem_get(mem, DEVICE_AREA + 2, 2), VIRTQ_PACKED_EVENT_DISABLE));
    cr_assert(iov_virtq_set_notifications(&device, &dma, true));
    cr_assert(eq(u64, iov_fake_mem_get(mem, DEVICE_AREA, 2), 1 | VIRTQ_PACKED_EVENT_WRAP));
    cr_assert(eq(u64, iov_fake_mem_get(mem, DEVICE_AREA + 2, 2), VIRTQ_PACKED_EVENT_DESC));
}

/* ---- Harm ---- */

static void expect_fault(enum iov_virtq_fault fault)
{
    cr_assert(eq(int, pop(), IOV_VIRTQ_BROKEN));
    cr_assert(eq(int, device.fault, fault));
    cr_assert(eq(int, pop(), IOV_VIRTQ_BROKEN));
}

Test(packed, a_chain_that_never_ends)
{
    for (uint16_t i = 0; i < SIZE; i++)
        put(i, 0x1000, 8, i, AVAIL | NEXT);
    expect_fault(IOV_VIRTQ_FAULT_LOOP);
}

Test(packed, descriptors_the_device_still_has)
{
    for (uint16_t i = 0; i < SIZE; i++)
        put(i, 0x1000, 8, i, AVAIL);
    for (uint16_t i = 0; i < SIZE; i++)
        cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    put(0, 0x1000, 8, 0, USED); /* the next lap, with nothing given back */
    expect_fault(IOV_VIRTQ_FAULT_AVAIL);
}

Test(packed, tables_that_are_nested_torn_or_too_long)
{
    static const struct {
        uint32_t length;
        uint16_t flags;
        uint16_t inner;
    } cases[] = { { 17, 0, 0 },
                  { 0, 0, 0 },
                  { 16 * (SIZE + 1), 0, 0 },
                  { 16, NEXT, 0 },
                  { 16, 0, VIRTQ_DESC_INDIRECT } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct virtq_packed_desc inner = { 0x1000, 16, 0, cases[i].inner };

        iov_virtq_reset(&device, 256);
        device.size = SIZE;
        device.packed = true;
        device.desc = RING;
        device.avail = DRIVER_AREA;
        device.used = DEVICE_AREA;
        cr_assert(iov_virtq_enable(&device, true, true));
        iov_fake_mem_put(mem, TABLE, &inner, sizeof inner, NULL);
        put(0, TABLE, cases[i].length, 0, AVAIL | VIRTQ_DESC_INDIRECT | cases[i].flags);
        expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
    }
}

Test(packed, a_table_behind_another_buffer)
{
    put(0, 0x1000, 8, 0, AVAIL | NEXT);
    put(1, TABLE, 16, 0, AVAIL | VIRTQ_DESC_INDIRECT);
    expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
}

Test(packed, buffers_that_are_empty_wrap_or_stand_in_the_wrong_order)
{
    static const struct virtq_packed_desc cases[] = { { 0x1000, 0, 0, AVAIL },
                                                      { UINT64_MAX, 2, 0, AVAIL } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        device.fault = IOV_VIRTQ_OK;
        device.peeked_valid = false;
        put(0, cases[i].address, cases[i].length, 0, cases[i].flags);
        expect_fault(IOV_VIRTQ_FAULT_DESCRIPTOR);
    }
    device.fault = IOV_VIRTQ_OK;
    device.peeked_valid = false;
    put(0, 0x1000, 8, 0, AVAIL | NEXT | WRITE);
    put(1, 0x1000, 8, 0, AVAIL);
    expect_fault(IOV_VIRTQ_FAULT_DESCRIPTOR);
}

Test(packed, rings_of_any_size_that_lie_right)
{
    static const struct {
        uint16_t size;
        uint64_t desc, driver, device;
        bool good;
    } cases[] = { { 7, 0x1000, 0x2000, 0x3000, true },    { 256, 0x1000, 0x2000, 0x2004, true },
                  { 257, 0x1000, 0x2000, 0x3000, false }, { 0, 0x1000, 0x2000, 0x3000, false },
                  { 8, 0x1008, 0x2000, 0x3000, false },   { 8, 0x1000, 0x2002, 0x3000, false },
                  { 8, 0x1000, 0x2000, 0x3001, false },   { 8, UINT64_MAX - 15, 0, 0, false } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        iov_virtq_reset(&device, 256);
        device.size = cases[i].size;
        device.packed = true;
        device.desc = cases[i].desc;
        device.avail = cases[i].driver;
        device.used = cases[i].device;
        cr_assert(eq(int, iov_virtq_enable(&device, true, true), cases[i].good), "case %u", i);
    }
}

/* ---- A whole device under a driver that writes rubbish ---- */

static struct iov_harness *bench;

static void go_live(struct driver_queue *queues, const uint16_t *sizes)
{
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    for (unsigned i = 0; i < 3; i++) {
        queues[i] =
            driver_queue_at(iov_harness_mem(bench, "dma", 0), i, sizes[i], 0x10000u * (i + 1));
        driver_queue_setup(bench, &queues[i], (uint16_t)(i + 1));
    }
    driver_ok(bench);
}

Test(packed_device, a_frame_goes_out_and_its_place_is_used)
{
    static const uint16_t sizes[3] = { 7, 100, 64 };
    struct driver_queue queues[3];
    struct virtq_packed_desc desc = { 0x100000, 72, 3, AVAIL };

    bench = iov_harness_new("kind: virtio-net\npacked: on\n");
    iov_harness_start(bench);
    go_live(queues, sizes);
    iov_fake_mem_put(queues[1].mem, queues[1].desc, &desc, sizeof desc, NULL);
    driver_kick(bench, &queues[1]);
    iov_harness_settle(bench);
    cr_assert(eq(uint, iov_harness_packet(bench, "wire", 0)->received, 1));
    cr_assert(eq(u64, iov_fake_mem_get(queues[1].mem, queues[1].desc + 14, 2), AVAIL | USED));
    iov_harness_free(bench);
}

Test(packed_device, random_rubbish_is_harmless)
{
    static const uint16_t sizes[3] = { 16, 23, 64 };
    struct driver_queue queues[3];
    struct iov_random random;
    uint8_t frame[200] = { 0 };

    bench = iov_harness_new("kind: virtio-net\npacked: on\n");
    iov_harness_start(bench);
    iov_random_init(&random, 1, "packed");
    for (unsigned round = 0; round < 300; round++) {
        struct iov_fake_mem *ram = iov_harness_mem(bench, "dma", 0);

        memset(ram->ram, 0, 0x100000);
        go_live(queues, sizes);
        for (unsigned i = 0; i < 300; i++) {
            uint64_t draw = iov_random_u64(&random);
            const struct driver_queue *queue = &queues[draw % 3];
            struct virtq_packed_desc desc = { .address = 0x40000 + (draw >> 20) % 0x80000,
                                              .length = (uint32_t)(draw >> 40) % 300,
                                              .id = (uint16_t)(draw >> 50) % 30 };

            switch ((draw >> 2) % 8) {
            case 0:
                iov_harness_inject(bench, "wire", frame, 14 + (draw >> 8) % 180, NULL);
                break;
            case 1: /* anywhere: over rings and event suppression, too */
                iov_fake_mem_set(ram, 0x10000 + (draw >> 8) % 0x30000, 8, draw);
                break;
            case 2:
                iov_harness_settle(bench);
                break;
            default: /* a descriptor that may be good, somewhere in the ring */
                desc.flags =
                    (uint16_t)((draw >> 8 & 1 ? AVAIL : USED) | (queue->number == 0 ? WRITE : 0) |
                               ((draw >> 9) % 5 == 0 ? NEXT : 0) |
                               ((draw >> 12) % 40 == 0 ? VIRTQ_DESC_INDIRECT : 0));
                iov_fake_mem_put(ram, queue->desc + 16 * ((draw >> 14) % queue->size), &desc,
                                 sizeof desc, NULL);
                driver_kick(bench, queue);
            }
        }
        iov_harness_settle(bench);
    }
    /* Some of it made sense, some did not. */
    cr_assert(lt(u64, 100, iov_harness_stat(bench, "tx-frames")));
    cr_assert(lt(u64, 50, iov_harness_stat(bench, "guest-faults")));
    iov_harness_free(bench);
}
