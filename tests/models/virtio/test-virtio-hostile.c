/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that means harm: nothing it does stops the host. What breaks a ring makes the device ask
 * for a reset and is counted; accesses of any size to any offset are answered.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/random.h"
#include "tests/models/virtio/virtio-driver.h"

#define TX_RING 0x20000
#define RX_RING 0x10000
#define CONTROL_RING 0x30000
#define WILD UINT64_C(0x7fffffff0000)

static struct iov_harness *bench;
static struct iov_fake_mem *mem;
static struct driver_queue rx, tx, control;

static void start(void)
{
    bench = iov_harness_new("kind: virtio-net\n");
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    rx = driver_queue_at(mem, 0, 256, RX_RING);
    tx = driver_queue_at(mem, 1, 256, TX_RING);
    control = driver_queue_at(mem, 2, 64, CONTROL_RING);
}

static void finish(void)
{
    iov_harness_free(bench);
}

static void go_live(void)
{
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    driver_queue_setup(bench, &rx, 1);
    driver_queue_setup(bench, &tx, 2);
    driver_queue_setup(bench, &control, 3);
    driver_ok(bench);
}

TestSuite(hostile, .init = start, .fini = finish);

static bool broken(void)
{
    return (driver_status(bench) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

/* The device asks for a reset, one fault is counted, and after the reset it works. */
static void expect_one_fault(void)
{
    uint8_t frame[60] = { 0 };

    iov_harness_settle(bench);
    cr_assert(broken());
    cr_assert(eq(u64, iov_harness_stat(bench, "guest-faults"), 1));
    cr_assert(eq(u64, bench->measure->counters.guest_faults, 1));
    iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    iov_harness_settle(bench);
    cr_assert(eq(u64, iov_harness_stat(bench, "guest-faults"), 1));
    memset(mem->ram, 0, 0x100000);
    mem->status = IOV_STATUS_OK;
    rx = driver_queue_at(mem, 0, 256, RX_RING);
    tx = driver_queue_at(mem, 1, 256, TX_RING);
    control = driver_queue_at(mem, 2, 64, CONTROL_RING);
    go_live();
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(u16, driver_used_index(&tx), 1));
    cr_assert(not(broken()));
}

/* ---- Descriptors ---- */

Test(hostile, a_loop_of_descriptors)
{
    go_live();
    driver_desc(&tx, 0, 0x100000, 100, VIRTQ_DESC_NEXT, 1);
    driver_desc(&tx, 1, 0x100000, 100, VIRTQ_DESC_NEXT, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, a_loop_in_the_control_queue)
{
    go_live();
    driver_desc(&control, 0, 0x100000, 2, VIRTQ_DESC_NEXT, 0);
    driver_offer(&control, 0);
    driver_kick(bench, &control);
    expect_one_fault();
}

Test(hostile, a_loop_of_receive_buffers)
{
    uint8_t frame[60] = { 0 };

    go_live();
    driver_desc(&rx, 0, 0x100000, 100, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 0);
    driver_offer(&rx, 0);
    iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    expect_one_fault();
}

Test(hostile, a_transmit_chain_the_device_could_write)
{
    go_live();
    driver_desc(&tx, 0, 0x100000, 100, VIRTQ_DESC_WRITE, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, a_transmit_chain_the_device_could_write_at_its_end)
{
    go_live();
    driver_desc(&tx, 0, 0x100000, 100, VIRTQ_DESC_NEXT, 1);
    driver_desc(&tx, 1, 0x101000, 100, VIRTQ_DESC_WRITE, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, a_receive_buffer_without_room_for_the_header)
{
    uint8_t frame[60] = { 0 };

    go_live();
    driver_desc(&rx, 0, 0x100000, 12, VIRTQ_DESC_WRITE, 0);
    driver_offer(&rx, 0);
    iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    expect_one_fault();
}

Test(hostile, a_command_without_room_for_the_answer)
{
    go_live();
    driver_desc(&control, 0, 0x100000, 3, 0, 0);
    driver_offer(&control, 0);
    driver_kick(bench, &control);
    expect_one_fault();
}

Test(hostile, a_buffer_where_there_is_no_memory)
{
    go_live();
    driver_desc(&tx, 0, WILD, 112, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, a_frame_of_4_gib_is_dropped)
{
    go_live();
    driver_desc(&tx, 0, 0x100000, UINT32_MAX, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(not(broken()));
    cr_assert(eq(u64, iov_harness_stat(bench, "tx-malformed"), 1));
    cr_assert(eq(u16, driver_used_index(&tx), 1));
}

Test(hostile, receive_buffers_of_one_byte_hold_a_frame_all_the_same)
{
    uint8_t frame[200] = { 0 };

    go_live();
    driver_desc(&rx, 0, 0x100000, 13, VIRTQ_DESC_WRITE, 0);
    for (uint16_t i = 1; i < 256; i++)
        driver_desc(&rx, i, 0x100000 + i, 1, VIRTQ_DESC_WRITE, 0);
    for (uint16_t i = 0; i < 256; i++)
        driver_offer(&rx, i);
    iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    iov_harness_settle(bench);
    cr_assert(not(broken()));
    cr_assert(eq(u16, driver_used_index(&rx), 200));
}

/* ---- Rings ---- */

/* Two buffers, again and again: the second one is the available index. */
Test(hostile, a_frame_that_makes_its_own_buffers_available)
{
    uint8_t frame[1514] = { 0 };

    rx.size = 2;
    go_live();
    driver_desc(&rx, 0, 0x100000, 13, VIRTQ_DESC_WRITE, 0);
    driver_desc(&rx, 1, rx.avail + VIRTQ_AVAIL_IDX, 2, VIRTQ_DESC_WRITE, 0);
    driver_offer(&rx, 0);
    driver_offer(&rx, 1);
    for (uint16_t at = 1, index = 4; at + 2u <= sizeof frame; at += 13 + 2, index += 2)
        memcpy(frame + at, &index, 2);
    iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    expect_one_fault();
}

Test(hostile, an_available_index_that_runs_ahead)
{
    go_live();
    iov_fake_mem_set(mem, tx.avail + VIRTQ_AVAIL_IDX, 2, 4096);
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, rings_where_there_is_no_memory)
{
    tx.desc = WILD;
    tx.avail = WILD + 0x10000;
    tx.used = WILD + 0x20000;
    go_live();
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, rings_that_are_not_aligned)
{
    tx.desc += 1;
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    driver_queue_setup(bench, &tx, 2);
    expect_one_fault();
}

Test(hostile, a_queue_size_of_0)
{
    tx.size = 0;
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    driver_queue_setup(bench, &tx, 2);
    expect_one_fault();
}

Test(hostile, a_queue_larger_than_offered)
{
    tx.size = 32768;
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    driver_queue_setup(bench, &tx, 2);
    expect_one_fault();
}

Test(hostile, a_used_ring_over_the_available_ring)
{
    go_live();
    driver_write(bench, COMMON(STATUS), 1, 0);
    memset(mem->ram, 0, 0x100000);
    tx.used = tx.avail; /* each used index is a new available index */
    tx.next_avail = 0;
    rx.next_avail = 0;
    go_live();
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    iov_harness_settle(bench); /* the point is that this ends */
    cr_assert(le(u64, iov_harness_stat(bench, "guest-faults"), 1));
}

Test(hostile, two_broken_queues_are_one_fault)
{
    rx.size = 3;
    tx.size = 5;
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    driver_queue_setup(bench, &rx, 1);
    driver_queue_setup(bench, &tx, 2);
    expect_one_fault();
}

Test(hostile, a_broken_queue_stops_the_others)
{
    unsigned count;

    go_live();
    mem->read_delay = 10 * IOV_US;
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    iov_harness_run_for(bench, 5 * IOV_US); /* the frame is being read */
    driver_offer(&control, 999);
    driver_kick(bench, &control);
    iov_harness_settle(bench);
    cr_assert(broken());
    count = mem->count;
    cr_assert(iov_harness_run_idle(bench, 1 * IOV_MS));
    cr_assert(eq(uint, mem->count, count));
    cr_assert(eq(uint, iov_harness_packet(bench, "wire", 0)->received, 0));
}

Test(hostile, memory_that_goes_away)
{
    go_live();
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    mem->status = IOV_STATUS_FAULT;
    driver_kick(bench, &tx);
    expect_one_fault();
}

Test(hostile, resets_while_the_device_works_leave_nothing_behind)
{
    struct iov_packet *first, *second;

    go_live();
    mem->read_delay = 1 * IOV_US;
    for (uint16_t i = 0; i < 16; i++) {
        driver_desc(&tx, i, 0x100000, 112, 0, 0);
        driver_offer(&tx, i);
    }
    driver_kick(bench, &tx);
    iov_harness_run_for(bench, 3500 * IOV_NS); /* a frame is being read */
    driver_write(bench, COMMON(STATUS), 1, 0);
    driver_write(bench, COMMON(STATUS), 1, 0);
    iov_fake_mem_forget(mem);
    cr_assert(iov_harness_run_idle(bench, 1 * IOV_MS));
    cr_assert(eq(uint, mem->count, 0));
    memset(mem->ram, 0, 0x100000);
    tx.next_avail = 0;
    go_live();
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    cr_assert(iov_harness_run_idle(bench, 1 * IOV_MS));
    first = iov_fake_packet_take(iov_harness_packet(bench, "wire", 0));
    second = iov_fake_packet_take(iov_harness_packet(bench, "wire", 0));
    cr_assert(first != NULL && second != NULL && first != second);
    iov_packet_free(first);
    iov_packet_free(second);
}

/* ---- Registers ---- */

/* Sizes that a bus can make, and some that it cannot. */
static const uint32_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 12, 16, 64 };

static void access_everywhere(const char *port, uint64_t size, bool write, uint8_t fill)
{
    uint8_t data[64];

    for (uint64_t offset = 0; offset < size + 8; offset++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
            struct iov_mem_req req = {
                .address = offset, .data = data, .size = sizes[i], .pasid = IOV_NO_PASID
            };
            enum iov_status status;

            memset(data, fill, sizeof data);
            status = iov_harness_access(bench, port, write, &req);
            cr_assert(eq(int, status == IOV_STATUS_OK, offset + sizes[i] <= size),
                      "%s offset 0x%x size %u", port, (unsigned)offset, sizes[i]);
        }
    }
    iov_harness_settle(bench);
}

Test(hostile, every_size_at_every_register_is_answered)
{
    static const uint8_t fills[] = { 0x00, 0xff, 0x01, 0xa5 };

    for (unsigned i = 0; i < G_N_ELEMENTS(fills); i++) {
        access_everywhere("registers", VIRTIO_PCI_BAR_MODERN_SIZE, true, fills[i]);
        access_everywhere("registers", VIRTIO_PCI_BAR_MODERN_SIZE, false, 0);
        access_everywhere("msix", VIRTIO_PCI_BAR_MSIX_SIZE, true, fills[i]);
        access_everywhere("msix", VIRTIO_PCI_BAR_MSIX_SIZE, false, 0);
        access_everywhere("config", 256, true, fills[i]);
        access_everywhere("config", 256, false, 0);
    }
    cr_assert(lt(u64, 0, iov_harness_stat(bench, "bad-accesses")));
}

Test(hostile, accesses_beyond_the_end_of_the_address_space_are_refused)
{
    static const char ports[][12] = { "registers", "msix", "config" };
    uint8_t data[8] = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++) {
        struct iov_mem_req req = {
            .address = UINT64_MAX - 3, .data = data, .size = 8, .pasid = IOV_NO_PASID
        };

        cr_assert(eq(int, iov_harness_access(bench, ports[i], true, &req), IOV_STATUS_UNSUPPORTED));
        cr_assert(
            eq(int, iov_harness_access(bench, ports[i], false, &req), IOV_STATUS_UNSUPPORTED));
    }
}

/* A live device under random accesses, random bytes in its rings and frames in between. */
Test(hostile, random_rubbish_is_harmless)
{
    struct iov_random random;
    uint8_t frame[200] = { 0 };

    iov_random_init(&random, 1, "hostile");
    for (unsigned round = 0; round < 200; round++) {
        memset(mem->ram, 0, 0x100000);
        rx.next_avail = tx.next_avail = control.next_avail = 0;
        go_live();
        for (unsigned i = 0; i < 400; i++) {
            uint64_t draw = iov_random_u64(&random);

            switch (draw % 8) {
            case 0:
                driver_write(bench, (draw >> 8) % 0x60, 1u << ((draw >> 24) % 4), draw >> 32);
                break;
            case 1:
                iov_harness_inject(bench, "wire", frame, 14 + (draw >> 8) % 180, NULL);
                break;
            case 2:
                driver_write(bench, VIRTIO_PCI_REGION_NOTIFY + (draw >> 8) % 16, 2, 0);
                break;
            case 3:
                iov_harness_settle(bench);
                break;
            default:
                iov_fake_mem_set(mem, RX_RING + (draw >> 8) % 0x28000, 4,
                                 draw & 8 ? draw >> 32 : (draw >> 32) & 0xff);
                break;
            }
        }
        iov_harness_settle(bench);
        iov_fake_mem_forget(mem);
    }
}
