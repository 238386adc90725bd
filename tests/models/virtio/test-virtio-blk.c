/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-blk kind: requests and their errors, configuration and its changes, interrupts,
 * queues, resets in the middle of work, both interfaces; and drivers that break the rules, by hand
 * and at random.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/random.h"
#include "tests/models/virtio/virtio-driver.h"

#define RING 0x10000
#define HEADER_AT 0x80000
#define DATA_AT 0x100000
#define STATUS_AT 0x90000
#define DISK_SECTORS (IOV_FAKE_DISK_SIZE / 512)

static struct iov_harness *bench;
static struct iov_fake_mem *mem;
static struct iov_fake_block *disk;
static struct iov_fake_irq *wire;
static struct driver_queue queue;

static void start(const char *text)
{
    bench = iov_harness_new(text);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    disk = iov_harness_block(bench, "disk", 0);
    wire = iov_harness_irq(bench, "interrupt", 0);
    queue = driver_queue_at(mem, 0, 256, RING);
    for (unsigned i = 0; i < IOV_FAKE_DISK_SIZE; i++)
        disk->disk[i] = (uint8_t)(i / 512);
}

static void live_with(uint64_t features)
{
    cr_assert(driver_negotiate(bench, features));
    driver_queue_setup(bench, &queue, VIRTIO_MSI_NO_VECTOR);
    driver_ok(bench);
}

static void go_live(void)
{
    start("kind: virtio-blk\nsetup: intx\nserial: disk-of-tests\n");
    live_with(driver_offered(bench) & ~VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
}

static void power_on(void)
{
    start("kind: virtio-blk\nsetup: intx\n");
}

static void finish(void)
{
    iov_harness_free(bench);
}

TestSuite(blk, .init = go_live, .fini = finish);
TestSuite(blk_setup, .init = power_on, .fini = finish);

/* ---- Asking ---- */

/* Chain number n uses descriptors 4n to 4n+3 and a header and status of its own. `size` bytes of
 * data from DATA_AT. */
static void ask(unsigned n, uint32_t type, uint64_t sector, uint32_t size, bool into_memory)
{
    struct virtio_blk_header header = { .type = type, .sector = sector };
    uint16_t first = (uint16_t)(4 * n % queue.size), next = first;
    uint64_t header_at = HEADER_AT + 16 * n, status_at = STATUS_AT + n;

    iov_fake_mem_put(mem, header_at, &header, sizeof header, NULL);
    iov_fake_mem_set(mem, status_at, 1, 0xff);
    driver_desc(&queue, next, header_at, 16, VIRTQ_DESC_NEXT, (uint16_t)(next + 1));
    next++;
    if (size > 0) {
        driver_desc(&queue, next, DATA_AT, size,
                    VIRTQ_DESC_NEXT | (into_memory ? VIRTQ_DESC_WRITE : 0), (uint16_t)(next + 1));
        next++;
    }
    driver_desc(&queue, next, status_at, 1, VIRTQ_DESC_WRITE, 0);
    driver_offer(&queue, first);
}

static uint8_t answer_of(unsigned n)
{
    return (uint8_t)iov_fake_mem_get(mem, STATUS_AT + n, 1);
}

static void settle(void)
{
    driver_kick(bench, &queue);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
}

static uint8_t answer(uint32_t type, uint64_t sector, uint32_t size, bool into_memory)
{
    unsigned n = queue.next_avail % 64;

    ask(n, type, sector, size, into_memory);
    settle();
    cr_assert(eq(u16, driver_used_index(&queue), queue.next_avail));
    return answer_of(n);
}

static uint32_t used_length(void)
{
    return driver_used_elem(&queue, (uint16_t)(queue.next_avail - 1)).length;
}

static uint8_t answer_range(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    struct virtio_blk_range range = { sector, sectors, flags };

    iov_fake_mem_put(mem, DATA_AT, &range, sizeof range, NULL);
    return answer(type, 0, sizeof range, false);
}

static bool broken(void)
{
    return (driver_status(bench) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

/* ---- Requests ---- */

Test(blk, a_read_brings_the_disk_s_bytes)
{
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 5, 1024, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(u32, used_length(), 1025));
    cr_assert(eq(u8, mem->ram[DATA_AT], 5));
    cr_assert(eq(u8, mem->ram[DATA_AT + 1023], 6));
}

Test(blk, a_write_goes_to_the_disk)
{
    memset(mem->ram + DATA_AT, 0xab, 512);
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 7, 512, false), VIRTIO_BLK_S_OK));
    cr_assert(eq(u32, used_length(), 1));
    cr_assert(eq(u8, disk->disk[7 * 512], 0xab));
    cr_assert(eq(u8, disk->disk[8 * 512], 8));
    cr_assert(eq(uint, disk->flushes, 0));
}

Test(blk, large_requests_go_in_pieces)
{
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 1024 * 1024, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(u32, used_length(), 1024 * 1024 + 1));
    cr_assert(eq(uint, disk->submitted, 16));
    cr_assert(eq(int, memcmp(mem->ram + DATA_AT, disk->disk, 1024 * 1024), 0));
    memset(mem->ram + DATA_AT, 0x77, 1024 * 1024);
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 1, 1024 * 1024 - 512, false), VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, disk->disk[511], 0));
    cr_assert(eq(u8, disk->disk[512], 0x77));
    cr_assert(eq(u8, disk->disk[1024 * 1024 - 1], 0x77));
}

Test(blk, data_may_be_in_any_number_of_buffers)
{
    struct virtio_blk_header header = { .type = VIRTIO_BLK_T_IN, .sector = 3 };

    iov_fake_mem_put(mem, HEADER_AT, &header, sizeof header, NULL);
    driver_desc(&queue, 0, HEADER_AT, 7, VIRTQ_DESC_NEXT, 1);
    driver_desc(&queue, 1, HEADER_AT + 7, 9, VIRTQ_DESC_NEXT, 2);
    driver_desc(&queue, 2, DATA_AT, 100, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 3);
    driver_desc(&queue, 3, DATA_AT + 0x1000, 413, VIRTQ_DESC_WRITE,
                0); /* 412 bytes and the status */
    driver_offer(&queue, 0);
    settle();
    cr_assert(eq(u8, mem->ram[DATA_AT + 99], 3));
    cr_assert(eq(u8, mem->ram[DATA_AT + 0x1000 + 411], 3));
    cr_assert(eq(u8, mem->ram[DATA_AT + 0x1000 + 412], VIRTIO_BLK_S_OK));
    cr_assert(eq(u32, used_length(), 513));
}

Test(blk, an_indirect_table_serves_as_well)
{
    struct virtio_blk_header header = { .type = VIRTIO_BLK_T_IN, .sector = 9 };
    struct virtq_desc table[3] = {
        { HEADER_AT, 16, VIRTQ_DESC_NEXT, 1 },
        { DATA_AT, 512, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE, 2 },
        { STATUS_AT, 1, VIRTQ_DESC_WRITE, 0 },
    };

    iov_fake_mem_put(mem, HEADER_AT, &header, sizeof header, NULL);
    iov_fake_mem_put(mem, 0x60000, table, sizeof table, NULL);
    driver_desc(&queue, 0, 0x60000, sizeof table, VIRTQ_DESC_INDIRECT, 0);
    driver_offer(&queue, 0);
    settle();
    cr_assert(eq(u8, mem->ram[DATA_AT], 9));
    cr_assert(eq(u16, driver_used_index(&queue), 1));
}

Test(blk, what_is_not_there_is_an_error_with_the_length_of_the_buffers)
{
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 1024, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u32, used_length(), 1025));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 512, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, DISK_SECTORS, 512, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, UINT64_MAX, 512, false), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, UINT64_MAX / 512 + 2, 512, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 100, true), VIRTIO_BLK_S_IOERR),
              "a partial sector");
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 0, true), VIRTIO_BLK_S_OK), "nothing");
    cr_assert(eq(u64, iov_harness_stat(bench, "errors"), 5));
}

Test(blk, unknown_types_are_unsupported)
{
    static const uint32_t types[] = { 2, 3, 5, 9, 10, 12, 14, 0x77, 0x80000000, UINT32_MAX };

    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
        cr_assert(eq(u8, answer(types[i], 0, 512, true), VIRTIO_BLK_S_UNSUPP), "type %u", types[i]);
    cr_assert(eq(uint, disk->submitted, 0));
}

Test(blk, a_flush_reaches_the_disk)
{
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK));
    cr_assert(eq(uint, disk->flushes, 1));
}

Test(blk, the_name_ends_with_a_zero_and_the_rest_of_the_buffer_stays)
{
    memset(mem->ram + DATA_AT, 'x', 20);
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(int, memcmp(mem->ram + DATA_AT, "disk-of-tests\0xxxxxx", 20), 0));
    cr_assert(eq(u32, used_length(), 21));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_GET_ID, 0, 4, true), VIRTIO_BLK_S_OK), "a short buffer");
}

Test(blk, discard_and_write_zeroes_by_their_rules)
{
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, 2, 0), VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, disk->disk[3 * 512], 0));
    cr_assert(eq(u8, disk->disk[5 * 512], 5));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, 2, VIRTIO_BLK_RANGE_UNMAP),
                 VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_WRITE_ZEROES, 3, 2, 2), VIRTIO_BLK_S_UNSUPP));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_DISCARD, 3, 2, 0), VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_DISCARD, 3, 2, VIRTIO_BLK_RANGE_UNMAP),
                 VIRTIO_BLK_S_UNSUPP));
    cr_assert(
        eq(u8, answer_range(VIRTIO_BLK_T_DISCARD, DISK_SECTORS - 1, 2, 0), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_DISCARD, 0, 0x400000, 0), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_DISCARD, 0, 32, false), VIRTIO_BLK_S_UNSUPP),
              "two ranges");
    cr_assert(not(broken()));
}

Test(blk, an_error_of_the_disk_is_an_error_to_the_driver)
{
    disk->status = IOV_BLOCK_IO_ERROR;
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_IOERR));
}

Test(blk, many_requests_are_under_way_at_a_time)
{
    for (unsigned i = 0; i < 60; i++)
        ask(i, VIRTIO_BLK_T_IN, i, 512, true);
    disk->delay = IOV_US;
    driver_kick(bench, &queue);
    iov_harness_settle(bench);
    cr_assert(eq(uint, disk->submitted, 60));
    cr_assert(eq(u16, driver_used_index(&queue), 0));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u16, driver_used_index(&queue), 60));
    for (unsigned i = 0; i < 60; i++)
        cr_assert(eq(u8, answer_of(i), VIRTIO_BLK_S_OK));
}

Test(blk_setup, more_than_it_can_work_on_wait_in_the_ring)
{
    iov_harness_free(bench);
    start("kind: virtio-blk\nsetup: intx\nrequests: 2\n");
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
    disk->delay = IOV_US;
    for (unsigned i = 0; i < 7; i++)
        ask(i, VIRTIO_BLK_T_IN, i, 512, true);
    driver_kick(bench, &queue);
    iov_harness_settle(bench);
    cr_assert(eq(uint, disk->submitted, 2));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u16, driver_used_index(&queue), 7));
}

/* ---- Configuration ---- */

Test(blk_setup, features_and_configuration_are_the_known_ones)
{
    static const uint32_t known[] = { DISK_SECTORS, 0,        0, 254, 0x3f100020, 512, 0, 0,
                                      0x00010001,   0x3fffff, 1, 1,   0x3fffff,   1 };

    cr_assert(eq(u64, driver_offered(bench), UINT64_C(0x10130006e54)));
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
        cr_assert(
            eq(u32, (uint32_t)driver_read(bench, VIRTIO_PCI_REGION_DEVICE + 4 * i, 4), known[i]),
            "dword %u", i);
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE + 0x38, 1), 1));
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE + 0x38, 4), UINT32_MAX),
              "across the end");
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x00, 4), 0x10421af4));
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x98, 4), 0x00018411));
}

Test(blk, the_driver_chooses_the_cache_mode)
{
    driver_write(bench, VIRTIO_PCI_REGION_DEVICE + VIRTIO_BLK_CONFIG_WRITEBACK, 1, 0);
    cr_assert(
        eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE + VIRTIO_BLK_CONFIG_WRITEBACK, 1), 0));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_OK));
    cr_assert(eq(uint, disk->flushes, 1));
    driver_write(bench, VIRTIO_PCI_REGION_DEVICE, 4, 1); /* the rest is read only */
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE, 4), DISK_SECTORS));
}

Test(blk_setup, without_the_flush_feature_writes_go_through)
{
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_OK));
    cr_assert(eq(uint, disk->flushes, 1));
}

Test(blk, a_new_size_is_a_new_generation_and_an_interrupt)
{
    cr_assert(eq(ptr, disk->target.front->peer, &disk->target));
    disk->target.size /= 2;
    disk->target.front->ops->resized(disk->target.front);
    iov_harness_settle(bench);
    cr_assert(eq(u64, driver_read(bench, COMMON(GENERATION), 1), 1));
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE, 4), DISK_SECTORS / 2));
    cr_assert(wire->level);
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_ISR, 1),
                 VIRTIO_ISR_CONFIG | VIRTIO_ISR_QUEUE));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, DISK_SECTORS / 2, 512, true), VIRTIO_BLK_S_IOERR));
}

Test(blk_setup, a_read_only_disk_says_so_and_refuses_writes)
{
    iov_harness_free(bench);
    bench = iov_harness_new("kind: virtio-blk\nsetup: intx\n");
    iov_harness_add(bench, "image", "kind: disk-image\nsize: 1MiB\nread-only: on\n");
    iov_harness_wire(bench, "dut.disk", "image.port", -1);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    queue = driver_queue_at(mem, 0, 256, RING);
    cr_assert(ne(u64, driver_offered(bench) & VIRTIO_FEATURE(VIRTIO_BLK_F_RO), 0));
    live_with(driver_offered(bench) & ~VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer_range(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK));
}

Test(blk_setup, a_larger_block_is_the_smallest_request)
{
    iov_harness_free(bench);
    start("kind: virtio-blk\nsetup: intx\nlogical-block-size: 4KiB\n");
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE + 0x14, 4), 4096));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 1, 4096, true), VIRTIO_BLK_S_IOERR));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 8, 4096, true), VIRTIO_BLK_S_OK));
}

/* ---- Interrupts and queues ---- */

Test(blk_setup, with_msix_a_request_is_a_message_of_its_queue)
{
    struct driver_queue second;

    iov_harness_free(bench);
    start("kind: virtio-blk\nnum-queues: 2\n");
    cr_assert(ne(u64, driver_offered(bench) & VIRTIO_FEATURE(VIRTIO_BLK_F_MQ), 0));
    cr_assert(driver_negotiate(bench, VIRTIO_FEATURE(VIRTIO_F_VERSION_1) |
                                          VIRTIO_FEATURE(VIRTIO_BLK_F_MQ)));
    second = driver_queue_at(mem, 1, 256, RING + 0x8000);
    driver_queue_setup(bench, &queue, 1);
    driver_queue_setup(bench, &second, 2);
    driver_vector(bench, 1, 0x41);
    driver_vector(bench, 2, 0x42);
    driver_ok(bench);
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(u64, mem->last_message.value, 0x41));
    queue = second;
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(u64, mem->last_message.value, 0x42));
    cr_assert(eq(uint, mem->messages, 2));
    cr_assert(eq(uint, wire->rises, 0));
}

Test(blk_setup, the_event_index_says_when_to_interrupt)
{
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
              VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
    driver_set_used_event(&queue, 2);
    for (unsigned i = 0; i < 2; i++)
        (void)answer(VIRTIO_BLK_T_IN, i, 512, true);
    cr_assert(eq(uint, wire->rises, 1), "the first one always does");
    (void)driver_read(bench, VIRTIO_PCI_REGION_ISR, 1);
    (void)answer(VIRTIO_BLK_T_IN, 2, 512, true);
    cr_assert(eq(uint, wire->rises, 2));
    cr_assert(eq(u16, driver_avail_event(&queue), 3), "tell me of the next one");
}

/* ---- Resets in the middle ---- */

Test(blk, a_reset_forgets_what_the_disk_still_has)
{
    disk->delay = IOV_US;
    for (unsigned i = 0; i < 10; i++)
        ask(i, VIRTIO_BLK_T_IN, i, 512, true);
    driver_kick(bench, &queue);
    iov_harness_run_for(bench, 3 * IOV_US);
    driver_write(bench, COMMON(STATUS), 1, 0);
    iov_fake_mem_forget(mem);
    iov_harness_run_for(bench, 4 * IOV_US);
    cr_assert(eq(uint, mem->count, 0));
    memset(mem->ram + RING, 0, 0x8000);
    queue = driver_queue_at(mem, 0, 256, RING);
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 3, 512, true), VIRTIO_BLK_S_OK));
    cr_assert(eq(uint, disk->finished, 11));
}

Test(blk, a_queue_can_be_reset_by_itself)
{
    disk->delay = IOV_US;
    ask(0, VIRTIO_BLK_T_IN, 0, 512, true);
    driver_kick(bench, &queue);
    iov_harness_settle(bench);
    driver_write(bench, COMMON(QUEUE_SELECT), 2, 0);
    driver_write(bench, COMMON(QUEUE_RESET), 2, 1);
    cr_assert(eq(u64, driver_read(bench, COMMON(QUEUE_RESET), 2), 0));
    cr_assert(eq(u64, driver_read(bench, COMMON(QUEUE_ENABLE), 2), 0));
    cr_assert(eq(u64, driver_read(bench, COMMON(QUEUE_DESC), 8), 0));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u16, driver_used_index(&queue), 0));
    memset(mem->ram + RING, 0, 0x8000);
    queue = driver_queue_at(mem, 0, 64, RING);
    driver_queue_setup(bench, &queue, VIRTIO_MSI_NO_VECTOR);
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 3, 512, true), VIRTIO_BLK_S_OK));
}

/* ---- The legacy interface ---- */

Test(blk_setup, a_driver_of_before_version_1_reads_a_sector)
{
    iov_harness_free(bench);
    start("kind: virtio-blk\ninterface: transitional\nsetup: intx\n");
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0, 4), 0x10011af4));
    iov_harness_write(bench, "config", 0x10, 4, UINT32_MAX);
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x10, 4), 0xffffff81));
    cr_assert(eq(u64, iov_harness_read(bench, "legacy", VIRTIO_PCI_LEGACY_DEVICE_FEATURES, 4),
                 0x79006e54));
    cr_assert(
        eq(u64, iov_harness_read(bench, "legacy", VIRTIO_PCI_LEGACY_DEVICE, 8), DISK_SECTORS));
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_STATUS, 1, 3);
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_DRIVER_FEATURES, 4,
                      1 << VIRTIO_BLK_F_FLUSH);
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_QUEUE_SELECT, 2, 0);
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_QUEUE_PFN, 4, RING / 4096);
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_STATUS, 1, 7);
    queue.avail = RING + 4096;
    queue.used = RING + 2 * 4096;
    ask(0, VIRTIO_BLK_T_IN | VIRTIO_BLK_T_BARRIER, 11, 512, true);
    iov_harness_write(bench, "legacy", VIRTIO_PCI_LEGACY_QUEUE_NOTIFY, 2, 0);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u8, answer_of(0), VIRTIO_BLK_S_OK));
    cr_assert(eq(u8, mem->ram[DATA_AT], 11));
    cr_assert(wire->level);
    cr_assert(eq(u64, iov_harness_read(bench, "legacy", VIRTIO_PCI_LEGACY_ISR, 1), 1));
    cr_assert(not(wire->level));
}

/* ---- Time ---- */

Test(blk_setup, in_hardware_each_step_takes_its_time)
{
    iov_harness_free(bench);
    start("kind: virtio-blk\nsetup: intx\nplacement: hardware\n"
          "costs: { virtio-device-doorbell: 100ns, virtio-device-request: 200ns }\n");
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_BLK_F_FLUSH));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    mem->read_delay = 10 * IOV_NS;
    disk->delay = 5 * IOV_US;
    ask(0, VIRTIO_BLK_T_IN, 0, 512, true);
    driver_kick(bench, &queue);
    /* Index, ring entry, three descriptors, header; then the disk. */
    iov_harness_run_for(bench, 100 * IOV_NS + 60 * IOV_NS + 200 * IOV_NS + 5 * IOV_US - 1);
    cr_assert(eq(u8, answer_of(0), 0xff));
    iov_harness_run_for(bench, 1);
    iov_harness_settle(bench);
    cr_assert(eq(u8, answer_of(0), VIRTIO_BLK_S_OK));
}

/* ---- Drivers that break the rules ---- */

/* The device asks for a reset, says so, and works again after it. */
static void expect_a_reset(void)
{
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(broken());
    cr_assert(eq(u64, iov_harness_stat(bench, "guest-faults"), 1));
    cr_assert(wire->level);
    driver_write(bench, COMMON(STATUS), 1, 0);
    memset(mem->ram + RING, 0, 0x8000);
    queue = driver_queue_at(mem, 0, 256, RING);
    mem->status = IOV_STATUS_OK;
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 3, 512, true), VIRTIO_BLK_S_OK));
}

Test(blk, a_request_without_room_for_its_status_breaks_the_ring)
{
    driver_desc(&queue, 0, HEADER_AT, 16, 0, 0);
    driver_offer(&queue, 0);
    driver_kick(bench, &queue);
    expect_a_reset();
}

Test(blk, a_short_header_breaks_the_ring)
{
    driver_desc(&queue, 0, HEADER_AT, 15, VIRTQ_DESC_NEXT, 1);
    driver_desc(&queue, 1, STATUS_AT, 1, VIRTQ_DESC_WRITE, 0);
    driver_offer(&queue, 0);
    driver_kick(bench, &queue);
    expect_a_reset();
}

Test(blk, a_short_range_breaks_the_ring)
{
    ask(0, VIRTIO_BLK_T_DISCARD, 0, 15, false);
    driver_kick(bench, &queue);
    expect_a_reset();
}

Test(blk, memory_that_goes_away_breaks_the_ring_with_all_that_is_under_way)
{
    disk->delay = IOV_US;
    for (unsigned i = 0; i < 5; i++)
        ask(i, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i, 200 * 512, i % 2);
    driver_kick(bench, &queue);
    iov_harness_run_for(bench, 3 * IOV_US + 1);
    mem->status = IOV_STATUS_FAULT;
    expect_a_reset();
}

/* Whatever stands in rings, tables and registers: an answer, never an error of the host. */
Test(blk_setup, a_random_driver_is_harmless)
{
    struct iov_random random;
    unsigned resets = 0, done = 0;

    iov_harness_free(bench);
    start("kind: virtio-blk\ninterface: transitional\nsetup: intx\nnum-queues: 2\nrequests: 4\n");
    iov_random_init(&random, 5, "driver");
    disk->delay = IOV_US;
    for (unsigned round = 0; round < 400; round++) {
        live_with(round % 3 == 0 ? VIRTIO_FEATURE(VIRTIO_F_VERSION_1) : driver_offered(bench));
        for (unsigned step = 0; step < 60; step++) {
            uint64_t dice = iov_random_uniform(&random, 0, 99), value = iov_random_u64(&random);

            if (dice < 40) {
                ask((unsigned)(value % 60), (uint32_t)(value >> 8 & 15), value >> 16 & 0xffff,
                    (uint32_t)(value >> 32 & 0x7ff) * (value & 1 ? 512 : 1), value >> 50 & 1);
            } else if (dice < 50) { /* somewhere into ring or tables */
                iov_fake_mem_set(mem, RING + (value & 0x7fff), 1 + (value >> 20 & 7), value >> 32);
            } else if (dice < 55) {
                driver_desc(&queue, (uint16_t)(value & 255), value >> 20, (uint32_t)(value >> 8),
                            (uint16_t)(value >> 3 & 7), (uint16_t)(value >> 44 & 255));
            } else if (dice < 60) {
                driver_write(bench, value & 0x3fff, 1u << (value >> 20 & 3), value >> 32);
            } else if (dice < 63) {
                iov_harness_write(bench, "legacy", value & 0x7f, 1u << (value >> 20 & 1),
                                  value >> 32);
                (void)iov_harness_read(bench, "legacy", value >> 8 & 0x7f, 1u << (value >> 20 & 1));
            } else if (dice < 65) {
                mem->status = value & 1 ? IOV_STATUS_FAULT : IOV_STATUS_OK;
            } else if (dice < 85) {
                driver_kick(bench, &queue);
            } else {
                iov_harness_run_for(bench, (value & 3) * 700 * IOV_NS);
            }
            iov_fake_mem_forget(mem);
        }
        mem->status = IOV_STATUS_OK;
        resets += broken();
        done += driver_used_index(&queue);
        driver_write(bench, COMMON(STATUS), 1, 0);
        memset(mem->ram + RING, 0, 0x8000);
        queue = driver_queue_at(mem, 0, 256, RING);
    }
    cr_assert(lt(uint, 50, resets));
    cr_assert(lt(uint, 500, done));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    cr_assert(eq(u8, answer(VIRTIO_BLK_T_IN, 3, 512, true), VIRTIO_BLK_S_OK));
}

Test(blk_setup, a_device_that_is_taken_out_leaves_nothing_with_the_disk)
{
    iov_harness_free(bench);
    bench = iov_harness_new("kind: virtio-blk\nsetup: intx\n");
    iov_harness_add(bench, "image",
                    "kind: disk-image\nsize: 1MiB\nchannels: 2\ncosts: { disk-read: 5us }\n");
    iov_harness_wire(bench, "dut.disk", "image.port", -1);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    queue = driver_queue_at(mem, 0, 256, RING);
    live_with(VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < 5; i++)
        ask(i, VIRTIO_BLK_T_IN, i, 512, true);
    driver_kick(bench, &queue);
    iov_harness_settle(bench);
    iov_model_unrealize(bench->model);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u16, driver_used_index(&queue), 0));
}
