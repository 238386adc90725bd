/* SPDX-License-Identifier: Apache-2.0 */
/* The device side of the split ring, against rings written by hand (virtio 1.2, clause 2.7). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "models/virtio/virtio-ring-private.h"
#include "tests/models/virtio/virtio-driver.h"

#define SIZE 8
#define RING 0x10000
#define BUFFERS 0x100000
#define TABLE 0x200000

static struct iov_kernel *kernel;
static struct iov_fake_mem *mem;
static struct iov_mem_initiator port;
static struct iov_virtio_dma dma;
static struct iov_virtq device;
static struct iov_virtq_chain chain;
static struct driver_queue driver;

static void make_ring(bool event_index)
{
    kernel = iov_kernel_new();
    mem = iov_fake_mem_new(kernel);
    port.peer = &mem->target;
    dma = (struct iov_virtio_dma){
        .port = &port, .kernel = kernel, .requester = 0x10, .enabled = true
    };
    driver = driver_queue_at(mem, 0, SIZE, RING);
    iov_virtq_reset(&device, 256);
    device.size = SIZE;
    device.desc = driver.desc;
    device.avail = driver.avail;
    device.used = driver.used;
    cr_assert(iov_virtq_enable(&device, event_index, true));
}

static void with_event_index(void)
{
    make_ring(true);
}

static void without_event_index(void)
{
    make_ring(false);
}

static void finish(void)
{
    iov_fake_mem_free(mem);
    iov_kernel_free(kernel);
}

TestSuite(ring, .init = with_event_index, .fini = finish);
TestSuite(ring_flags, .init = without_event_index, .fini = finish);

/* One buffer of 64 bytes in descriptor `index`. */
static void offer_one(uint16_t index)
{
    driver_desc(&driver, index, BUFFERS + 0x1000u * index, 64, 0, 0);
    driver_offer(&driver, index);
}

static enum iov_virtq_result pop(void)
{
    return iov_virtq_pop(&device, &dma, &chain);
}

Test(ring, an_empty_ring_gives_nothing)
{
    cr_assert(eq(int, pop(), IOV_VIRTQ_EMPTY));
    cr_assert(eq(uint, mem->reads, 1));
}

Test(ring, a_chain_comes_with_its_readable_and_writable_buffers_in_order)
{
    driver_desc(&driver, 5, 0x1000, 12, VIRTQ_DESC_NEXT, 2);
    driver_desc(&driver, 2, 0x2000, 60, VIRTQ_DESC_NEXT, 7);
    driver_desc(&driver, 7, 0x3000, 1, VIRTQ_DESC_WRITE, 0);
    driver_offer(&driver, 5);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 5));
    cr_assert(eq(u16, chain.readable, 2));
    cr_assert(eq(u16, chain.writable, 1));
    cr_assert(eq(u64, chain.readable_size, 72));
    cr_assert(eq(u64, chain.writable_size, 1));
    cr_assert(eq(u64, chain.segments[1].address, 0x2000));
    cr_assert(eq(u64, chain.segments[2].address, 0x3000));
}

Test(ring, everything_is_read_once)
{
    driver_desc(&driver, 0, 0x1000, 12, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, 0x2000, 60, 0, 0);
    driver_offer(&driver, 0);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(uint, mem->reads, 4), "index, entry, two descriptors");
    for (unsigned i = 0; i < mem->count; i++) {
        for (unsigned j = 0; j < i; j++)
            cr_assert(ne(u64, mem->accesses[i].address, mem->accesses[j].address));
    }
}

Test(ring, known_chains_are_taken_without_reading_the_index_again)
{
    offer_one(0);
    offer_one(1);
    pop();
    iov_fake_mem_forget(mem);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(uint, mem->count, 2));
}

Test(ring, the_accesses_of_a_step_follow_each_other_in_time)
{
    mem->read_delay = 400 * IOV_NS;
    offer_one(3);
    iov_virtio_dma_begin(&dma);
    pop();
    cr_assert(eq(u64, dma.delay, 1200 * IOV_NS));
    cr_assert(eq(u16, mem->accesses[0].requester, 0x10));
}

Test(ring, an_indirect_table_is_read_at_once)
{
    struct virtq_desc table[3] = { { 0x1000, 12, VIRTQ_DESC_NEXT, 2 },
                                   { 0x9000, 1, VIRTQ_DESC_WRITE, 0 },
                                   { 0x2000, 60, VIRTQ_DESC_NEXT, 1 } };

    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    driver_desc(&driver, 4, TABLE, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 4);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 4));
    cr_assert(eq(u64, chain.readable_size, 72));
    cr_assert(eq(u64, chain.writable_size, 1));
    cr_assert(eq(uint, mem->reads, 4));
}

Test(ring, ordinary_descriptors_may_come_before_the_indirect_one)
{
    struct virtq_desc table[1] = { { 0x2000, 60, 0, 0 } };

    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    driver_desc(&driver, 0, 0x1000, 12, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, TABLE, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 0);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u64, chain.readable_size, 72));
}

Test(ring, used_elements_show_when_they_are_published)
{
    cr_assert(iov_virtq_fill(&device, &dma, 0, 3, 100));
    cr_assert(iov_virtq_fill(&device, &dma, 1, 6, 200));
    cr_assert(eq(u16, driver_used_index(&driver), 0));
    cr_assert(iov_virtq_publish(&device, &dma, 2));
    cr_assert(eq(u16, driver_used_index(&driver), 2));
    cr_assert(eq(u32, driver_used_elem(&driver, 0).id, 3));
    cr_assert(eq(u32, driver_used_elem(&driver, 1).length, 200));
}

static void take_and_return_one(unsigned i)
{
    iov_fake_mem_forget(mem);
    offer_one((uint16_t)(i % SIZE));
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(iov_virtq_fill(&device, &dma, 0, chain.head, 0));
    cr_assert(iov_virtq_publish(&device, &dma, 1));
}

Test(ring, indexes_wrap_at_65536_without_harm)
{
    for (unsigned i = 0; i < 70000; i++) {
        take_and_return_one(i);
        if (i % 1000 == 0)
            iov_kernel_run_until(kernel, iov_now(kernel) + 1);
    }
    cr_assert(eq(u16, driver_used_index(&driver), (uint16_t)70000));
}

Test(ring, chains_given_back_come_again)
{
    offer_one(0);
    offer_one(1);
    pop();
    pop();
    iov_virtq_rewind(&device, 2);
    cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    cr_assert(eq(u16, chain.head, 0));
}

/* ---- Interrupts ---- */

static bool publish_one(void)
{
    cr_assert(iov_virtq_fill(&device, &dma, 0, 0, 0));
    cr_assert(iov_virtq_publish(&device, &dma, 1));
    return iov_virtq_wants_interrupt(&device, &dma);
}

Test(ring, the_event_index_wants_an_interrupt_when_it_is_passed)
{
    driver_set_used_event(&driver, 0);
    cr_assert(publish_one());
    driver_set_used_event(&driver, 3);
    cr_assert(not(publish_one()));
    cr_assert(not(publish_one()));
    cr_assert(publish_one());
    cr_assert(not(publish_one()));
}

Test(ring, a_batch_that_passes_the_event_index_interrupts_once)
{
    driver_set_used_event(&driver, 0);
    cr_assert(publish_one());
    driver_set_used_event(&driver, 2);
    cr_assert(iov_virtq_publish(&device, &dma, 5));
    cr_assert(iov_virtq_wants_interrupt(&device, &dma));
}

Test(ring_flags, without_event_index_the_flag_alone_decides)
{
    cr_assert(publish_one());
    cr_assert(publish_one());
    iov_fake_mem_set(mem, driver.avail, 2, VIRTQ_AVAIL_NO_INTERRUPT);
    cr_assert(not(publish_one()));
}

/* ---- Notifications ---- */

Test(ring, asking_for_notifications_sets_the_event_index)
{
    offer_one(0);
    offer_one(1);
    cr_assert(iov_virtq_set_notifications(&device, &dma, false));
    pop();
    pop();
    cr_assert(eq(u16, driver_avail_event(&driver), 0));
    cr_assert(iov_virtq_set_notifications(&device, &dma, true));
    cr_assert(eq(u16, driver_avail_event(&driver), 2));
    cr_assert(not(driver_no_notify(&driver)));
}

Test(ring_flags, asking_for_notifications_clears_the_flag)
{
    cr_assert(iov_virtq_set_notifications(&device, &dma, false));
    cr_assert(driver_no_notify(&driver));
    cr_assert(iov_virtq_set_notifications(&device, &dma, true));
    cr_assert(not(driver_no_notify(&driver)));
}

Test(ring, wishes_that_are_known_are_not_written_again)
{
    cr_assert(iov_virtq_set_notifications(&device, &dma, true));
    cr_assert(eq(uint, mem->writes, 0));
}

/* ---- Buffers ---- */

Test(ring, buffers_are_one_string_of_bytes)
{
    uint8_t bytes[10];

    iov_fake_mem_put(mem, 0x1000, "abcd", 4, NULL);
    iov_fake_mem_put(mem, 0x2000, "efghijkl", 8, NULL);
    driver_desc(&driver, 0, 0x1000, 4, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, 0x2000, 8, 0, 0);
    driver_offer(&driver, 0);
    pop();
    cr_assert(iov_virtq_chain_read(&device, &dma, &chain, 2, bytes, 10, NULL));
    cr_assert(eq(int, memcmp(bytes, "cdefghijkl", 10), 0));
    cr_assert(not(iov_virtq_chain_read(&device, &dma, &chain, 3, bytes, 10, NULL)));
    cr_assert(eq(int, device.fault, IOV_VIRTQ_OK), "the device asked too much, not the driver");
}

Test(ring, a_span_travels_with_payload)
{
    struct iov_span span = { .id = 1 }, *found = NULL;
    uint8_t bytes[64];

    iov_fake_mem_put(mem, BUFFERS + 12, "x", 1, &span);
    offer_one(0);
    pop();
    cr_assert(iov_virtq_chain_read(&device, &dma, &chain, 0, bytes, 12, NULL));
    cr_assert(iov_virtq_chain_read(&device, &dma, &chain, 12, bytes, 52, &found));
    cr_assert(eq(ptr, found, &span));
}

Test(ring, of_several_buffers_the_first_span_counts)
{
    struct iov_span span = { .id = 1 }, *found = NULL;
    uint8_t bytes[8];

    iov_fake_mem_put(mem, 0x1000, "abcd", 4, &span);
    driver_desc(&driver, 0, 0x1000, 4, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, 0x2000, 4, 0, 0);
    driver_offer(&driver, 0);
    pop();
    cr_assert(iov_virtq_chain_read(&device, &dma, &chain, 0, bytes, 8, &found));
    cr_assert(eq(ptr, found, &span));
}

/* ---- What breaks a ring ---- */

static void expect_fault(enum iov_virtq_fault fault)
{
    unsigned count;

    cr_assert(eq(int, pop(), IOV_VIRTQ_BROKEN));
    cr_assert(eq(int, device.fault, fault));
    count = mem->count;
    cr_assert(eq(int, pop(), IOV_VIRTQ_BROKEN));
    cr_assert(eq(uint, mem->count, count), "a broken ring is left alone");
}

Test(ring, a_loop_breaks_it)
{
    driver_desc(&driver, 0, 0x1000, 4, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, 0x1000, 4, VIRTQ_DESC_NEXT, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_LOOP);
    cr_assert(mem->reads <= SIZE + 2u);
}

Test(ring, a_loop_in_an_indirect_table_breaks_it)
{
    struct virtq_desc table[2] = { { 0x1000, 12, VIRTQ_DESC_NEXT, 1 },
                                   { 0x1000, 12, VIRTQ_DESC_NEXT, 0 } };

    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    driver_desc(&driver, 0, TABLE, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_LOOP);
}

Test(ring, more_buffers_than_the_queue_has_break_it)
{
    struct virtq_desc table[SIZE];

    for (unsigned i = 0; i < SIZE; i++)
        table[i] = (struct virtq_desc){ 0x1000, 12, i + 1 < SIZE ? VIRTQ_DESC_NEXT : 0,
                                        (uint16_t)(i + 1) };
    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    driver_desc(&driver, 0, 0x1000, 12, VIRTQ_DESC_NEXT, 1);
    driver_desc(&driver, 1, TABLE, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_LOOP);
}

Test(ring, a_head_outside_the_table_breaks_it)
{
    driver_offer(&driver, SIZE);
    expect_fault(IOV_VIRTQ_FAULT_HEAD);
}

Test(ring, a_next_outside_the_table_breaks_it)
{
    driver_desc(&driver, 0, 0x1000, 4, VIRTQ_DESC_NEXT, 60000);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_HEAD);
}

Test(ring, an_index_that_runs_ahead_breaks_it)
{
    iov_fake_mem_set(mem, driver.avail + VIRTQ_AVAIL_IDX, 2, SIZE + 1);
    expect_fault(IOV_VIRTQ_FAULT_AVAIL);
}

Test(ring, more_chains_than_the_queue_has_break_it)
{
    for (unsigned i = 0; i < SIZE; i++) {
        offer_one((uint16_t)i);
        cr_assert(eq(int, pop(), IOV_VIRTQ_CHAIN));
    }
    offer_one(0); /* none has come back yet */
    expect_fault(IOV_VIRTQ_FAULT_AVAIL);
}

Test(ring, a_table_in_a_table_breaks_it)
{
    struct virtq_desc table[1] = { { TABLE, 16, VIRTQ_DESC_INDIRECT, 0 } };

    iov_fake_mem_put(mem, TABLE, table, sizeof table, NULL);
    driver_desc(&driver, 0, TABLE, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
}

Test(ring, a_table_with_a_successor_breaks_it)
{
    driver_desc(&driver, 0, TABLE, 16, VIRTQ_DESC_INDIRECT | VIRTQ_DESC_NEXT, 1);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
}

Test(ring, a_table_of_a_bad_size_breaks_it)
{
    static const uint32_t sizes[] = { 0, 15, 17, 16 * (SIZE + 1), UINT32_MAX, UINT32_MAX - 15 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        device.fault = IOV_VIRTQ_OK;
        driver_desc(&driver, 0, TABLE, sizes[i], VIRTQ_DESC_INDIRECT, 0);
        driver_offer(&driver, 0);
        expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
        device.next_avail++;
    }
}

Test(ring, a_table_that_was_not_negotiated_breaks_it)
{
    device.indirect = false;
    driver_desc(&driver, 0, TABLE, 16, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_INDIRECT);
}

Test(ring, more_chains_in_one_instant_than_a_driver_can_offer_break_it)
{
    for (unsigned i = 0; i < IOV_VIRTQ_INSTANT_MAX; i++)
        take_and_return_one(i);
    offer_one(0);
    expect_fault(IOV_VIRTQ_FAULT_LOOP);
}

Test(ring, an_empty_buffer_breaks_it)
{
    driver_desc(&driver, 0, 0x1000, 0, 0, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_DESCRIPTOR);
}

Test(ring, a_buffer_that_wraps_breaks_it)
{
    driver_desc(&driver, 0, UINT64_MAX - 3, 8, 0, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_DESCRIPTOR);
}

Test(ring, readable_after_writable_breaks_it)
{
    driver_desc(&driver, 0, 0x1000, 4, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 1);
    driver_desc(&driver, 1, 0x1000, 4, 0, 0);
    driver_offer(&driver, 0);
    expect_fault(IOV_VIRTQ_FAULT_DESCRIPTOR);
}

Test(ring, memory_that_refuses_breaks_it)
{
    mem->status = IOV_STATUS_FAULT;
    expect_fault(IOV_VIRTQ_FAULT_MEMORY);
}

Test(ring, without_bus_mastering_nothing_leaves_the_device)
{
    dma.enabled = false;
    cr_assert(eq(int, pop(), IOV_VIRTQ_BROKEN));
    cr_assert(eq(uint, mem->count, 0));
}

Test(ring, sizes_and_addresses_are_checked_when_it_is_enabled)
{
    static const struct {
        uint16_t size;
        uint64_t desc, avail, used;
        bool good;
    } cases[] = {
        { 8, 0x1000, 0x2000, 0x3000, true },
        { 256, 0x1010, 0x2002, 0x3004, true },
        { 0, 0x1000, 0x2000, 0x3000, false },
        { 3, 0x1000, 0x2000, 0x3000, false },
        { 512, 0x1000, 0x2000, 0x3000, false },
        { 65535, 0x1000, 0x2000, 0x3000, false },
        { 8, 0x1008, 0x2000, 0x3000, false },
        { 8, 0x1000, 0x2001, 0x3000, false },
        { 8, 0x1000, 0x2000, 0x3002, false },
        { 256, UINT64_MAX - 15, 0x2000, 0x3000, false },
        { 256, 0x1000, UINT64_MAX - 1, 0x3000, false },
        { 256, 0x1000, 0x2000, UINT64_MAX - 3, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        iov_virtq_reset(&device, 256);
        device.size = cases[i].size;
        device.desc = cases[i].desc;
        device.avail = cases[i].avail;
        device.used = cases[i].used;
        cr_assert(eq(int, iov_virtq_enable(&device, true, true), cases[i].good), "case %u", i);
    }
}
