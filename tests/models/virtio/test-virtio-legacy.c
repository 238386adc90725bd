/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legacy interface of a transitional device, by the example of virtio-net: IDs and I/O BAR as
 * QEMU 7.2's transitional virtio-net-pci shows them, registers, queues in pages, interrupts.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/models/virtio/virtio-driver.h"

#define LEGACY(field) VIRTIO_PCI_LEGACY_##field
#define PAGE 0x200u /* of the queue */

static struct iov_harness *bench;
static struct iov_fake_mem *mem;
static struct iov_fake_irq *wire;
static struct driver_queue tx;

static void start(const char *setup)
{
    g_autofree char *text =
        g_strdup_printf("kind: virtio-net\ninterface: transitional\nsetup: %s\n", setup);

    bench = iov_harness_new(text);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    wire = iov_harness_irq(bench, "interrupt", 0);
}

static void power_on(void)
{
    start("reset");
}

static void with_intx(void)
{
    start("intx");
}

static void with_msix(void)
{
    start("msi-x");
}

static void finish(void)
{
    iov_harness_free(bench);
}

TestSuite(legacy_config, .init = power_on, .fini = finish);
TestSuite(legacy, .init = with_intx, .fini = finish);
TestSuite(legacy_msix, .init = with_msix, .fini = finish);

static uint64_t get(uint64_t at, uint32_t size)
{
    return iov_harness_read(bench, "legacy", at, size);
}

static void put(uint64_t at, uint32_t size, uint64_t value)
{
    iov_harness_write(bench, "legacy", at, size, value);
}

/* The three parts of a queue of 256 from PAGE on. SPEC: 2.7.2 */
static void place_tx(void)
{
    tx = (struct driver_queue){ .mem = mem,
                                .number = 1,
                                .size = 256,
                                .desc = PAGE * 4096,
                                .avail = PAGE * 4096 + 256 * 16,
                                .used = PAGE * 4096 + 2 * 4096 };
    put(LEGACY(QUEUE_SELECT), 2, 1);
    put(LEGACY(QUEUE_PFN), 4, PAGE);
}

static void go_live(uint32_t features)
{
    put(LEGACY(STATUS), 1, VIRTIO_STATUS_ACKNOWLEDGE);
    put(LEGACY(STATUS), 1, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    put(LEGACY(DRIVER_FEATURES), 4, features);
    place_tx();
    put(LEGACY(STATUS), 1,
        VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK);
}

static void send_frame(void)
{
    driver_desc(&tx, 0, 0x100000, 112, 0, 0);
    driver_offer(&tx, 0);
    put(LEGACY(QUEUE_NOTIFY), 2, 1);
    iov_harness_settle(bench);
}

Test(legacy_config, ids_and_bars_are_those_of_a_transitional_device)
{
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x00, 4), 0x10001af4));
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x08, 4), 0x02000000));
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x10, 4), 0x00000001));
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x20, 4), 0x0000000c));
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x2c, 4), 0x00011af4));
    iov_harness_write(bench, "config", 0x10, 4, UINT32_MAX);
    cr_assert(eq(u64, iov_harness_read(bench, "config", 0x10, 4), 0xffffffe1));
}

Test(legacy, features_are_32_bits_with_those_of_its_own)
{
    uint64_t modern = driver_offered(bench);

    cr_assert(eq(u64, get(LEGACY(DEVICE_FEATURES), 4), (modern & UINT32_MAX) | 0x49000000));
    put(LEGACY(DRIVER_FEATURES), 4, 0x00000020);
    cr_assert(eq(u64, get(LEGACY(DRIVER_FEATURES), 4), 0x20));
    put(LEGACY(DRIVER_FEATURES), 4, 0x00000002); /* not offered */
    cr_assert(eq(u64, get(LEGACY(DRIVER_FEATURES), 4), 0));
    put(LEGACY(DRIVER_FEATURES), 4, UINT32_MAX); /* accepts what nobody must accept */
    cr_assert(eq(u64, get(LEGACY(DRIVER_FEATURES), 4), 0));
}

Test(legacy, registers_are_read_in_any_size)
{
    put(LEGACY(QUEUE_SELECT), 2, 1);
    cr_assert(eq(u64, get(LEGACY(QUEUE_SIZE), 2), 256));
    cr_assert(eq(u64, get(LEGACY(QUEUE_SIZE), 4), 0x00010100));
    cr_assert(eq(u64, get(LEGACY(QUEUE_SIZE) + 1, 1), 1));
    put(LEGACY(QUEUE_SELECT), 2, 3);
    cr_assert(eq(u64, get(LEGACY(QUEUE_SIZE), 2), 0), "no such queue");
    cr_assert(eq(u64, get(LEGACY(QUEUE_PFN), 4), 0));
}

Test(legacy, the_device_s_configuration_follows_the_registers)
{
    cr_assert(eq(u64, get(LEGACY(DEVICE), 4), 0x12005452));
    cr_assert(eq(u64, get(LEGACY(DEVICE) + 6, 2), VIRTIO_NET_STATUS_LINK_UP));
    cr_assert(eq(u64, get(LEGACY(DEVICE) + 8, 4), UINT32_MAX), "behind its end");
}

Test(legacy_msix, vectors_come_in_between_with_msix)
{
    cr_assert(eq(u64, get(LEGACY(DEVICE_MSIX), 4), 0x12005452));
    cr_assert(eq(u64, get(LEGACY(CONFIG_VECTOR), 2), VIRTIO_MSI_NO_VECTOR));
    put(LEGACY(CONFIG_VECTOR), 2, 1);
    put(LEGACY(QUEUE_SELECT), 2, 1);
    put(LEGACY(QUEUE_VECTOR), 2, 2);
    cr_assert(eq(u64, get(LEGACY(CONFIG_VECTOR), 2), 1));
    cr_assert(eq(u64, get(LEGACY(QUEUE_VECTOR), 2), 2));
    put(LEGACY(QUEUE_VECTOR), 2, 4);
    cr_assert(eq(u64, get(LEGACY(QUEUE_VECTOR), 2), VIRTIO_MSI_NO_VECTOR), "there are 4");
}

Test(legacy, a_queue_in_pages_works_and_interrupts_by_wire)
{
    go_live(0);
    cr_assert(eq(u64, get(LEGACY(QUEUE_PFN), 4), PAGE));
    send_frame();
    cr_assert(eq(u16, driver_used_index(&tx), 1));
    cr_assert(wire->level);
    cr_assert(eq(u64, get(LEGACY(ISR), 1), VIRTIO_ISR_QUEUE));
    cr_assert(not(wire->level));
    cr_assert(eq(u64, get(LEGACY(ISR), 1), 0));
}

Test(legacy_msix, a_queue_in_pages_works_and_interrupts_by_message)
{
    driver_vector(bench, 2, 0x28);
    go_live(0);
    put(LEGACY(QUEUE_VECTOR), 2, 2);
    send_frame();
    cr_assert(eq(uint, mem->messages, 1));
    cr_assert(eq(u64, mem->last_message.value, 0x28));
}

Test(legacy, the_queue_s_page_keeps_its_vector)
{
    put(LEGACY(QUEUE_SELECT), 2, 1);
    driver_write(bench, COMMON(QUEUE_SELECT), 2, 1);
    driver_write(bench, COMMON(QUEUE_VECTOR), 2, 3);
    put(LEGACY(QUEUE_PFN), 4, PAGE);
    cr_assert(eq(u64, driver_read(bench, COMMON(QUEUE_VECTOR), 2), 3));
}

Test(legacy, a_driver_may_use_its_queue_before_driver_ok)
{
    put(LEGACY(STATUS), 1, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    place_tx();
    send_frame();
    cr_assert(eq(u16, driver_used_index(&tx), 1));
}

Test(legacy, status_0_resets_and_the_queue_is_gone)
{
    go_live(0);
    put(LEGACY(STATUS), 1, 0);
    cr_assert(eq(u64, get(LEGACY(STATUS), 1), 0));
    put(LEGACY(QUEUE_SELECT), 2, 1);
    cr_assert(eq(u64, get(LEGACY(QUEUE_PFN), 4), 0));
    send_frame();
    cr_assert(eq(u16, driver_used_index(&tx), 0));
}

Test(legacy, page_0_takes_the_queue_away)
{
    go_live(0);
    put(LEGACY(QUEUE_PFN), 4, 0);
    send_frame();
    cr_assert(eq(u16, driver_used_index(&tx), 0));
    cr_assert(eq(u64, get(LEGACY(QUEUE_SIZE), 2), 256));
}

Test(legacy, interrupts_on_an_empty_ring_if_that_was_accepted)
{
    go_live(UINT32_C(1) << VIRTIO_F_NOTIFY_ON_EMPTY);
    iov_fake_mem_set(mem, tx.avail, 2, VIRTQ_AVAIL_NO_INTERRUPT);
    send_frame();
    cr_assert(wire->level);
}

Test(legacy, a_broken_ring_stops_the_device_without_a_word)
{
    go_live(0);
    driver_offer(&tx, 300);
    put(LEGACY(QUEUE_NOTIFY), 2, 1);
    iov_harness_settle(bench);
    cr_assert(eq(u64, get(LEGACY(STATUS), 1), 7));
    cr_assert(eq(u64, iov_harness_stat(bench, "guest-faults"), 1));
    cr_assert(not(wire->level));
}

Test(legacy, wrong_widths_and_read_only_registers_change_nothing)
{
    put(LEGACY(STATUS), 2, 1);
    put(LEGACY(QUEUE_SELECT), 1, 1);
    put(LEGACY(DEVICE_FEATURES), 4, 1);
    put(LEGACY(QUEUE_SIZE), 2, 64);
    put(LEGACY(ISR), 1, 1);
    put(LEGACY(QUEUE_PFN) + 1, 4, 1);
    put(LEGACY(DEVICE) + 6, 1, 0);
    cr_assert(eq(u64, get(LEGACY(STATUS), 1), 0));
    cr_assert(eq(u64, get(LEGACY(QUEUE_SELECT), 2), 0));
    cr_assert(eq(u64, iov_harness_stat(bench, "bad-accesses"), 7));
}

/* SPEC: 5.1.6.1 */
Test(legacy, frames_have_the_short_header_unless_they_may_take_several_buffers)
{
    struct iov_packet *frame;

    go_live(0);
    send_frame();
    frame = iov_fake_packet_take(iov_harness_packet(bench, "wire", 0));
    cr_assert(eq(u32, frame->size, 102));
    iov_packet_free(frame);
    put(LEGACY(STATUS), 1, 0);
    memset(mem->ram + PAGE * 4096, 0, 3 * 4096);
    go_live(UINT32_C(1) << VIRTIO_NET_F_MRG_RXBUF);
    send_frame();
    frame = iov_fake_packet_take(iov_harness_packet(bench, "wire", 0));
    cr_assert(eq(u32, frame->size, 100));
    iov_packet_free(frame);
}

Test(legacy, a_received_frame_stands_behind_the_short_header)
{
    uint8_t bytes[60];

    memset(bytes, 0x5a, sizeof bytes);
    go_live(0);
    tx.number = 0; /* the same pages, as the receive queue */
    put(LEGACY(QUEUE_PFN), 4, 0);
    put(LEGACY(QUEUE_SELECT), 2, 0);
    put(LEGACY(QUEUE_PFN), 4, PAGE);
    driver_desc(&tx, 0, 0x100000, 2048, VIRTQ_DESC_WRITE, 0);
    driver_offer(&tx, 0);
    iov_harness_inject(bench, "wire", bytes, sizeof bytes, NULL);
    iov_harness_settle(bench);
    cr_assert(eq(u32, driver_used_elem(&tx, 0).length, 70));
    cr_assert(eq(u8, mem->ram[0x100009], 0));
    cr_assert(eq(u8, mem->ram[0x10000a], 0x5a));
}

Test(legacy, the_driver_may_write_the_station_address)
{
    put(LEGACY(DEVICE), 1, 0x66);
    put(LEGACY(DEVICE) + 2, 4, 0x01020304);
    cr_assert(eq(u64, get(LEGACY(DEVICE), 4), 0x03045466));
    put(LEGACY(DEVICE) + 4, 4, 0); /* into the status */
    cr_assert(eq(u64, get(LEGACY(DEVICE) + 4, 4), 0x00010102));
}
