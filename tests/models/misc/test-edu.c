/* SPDX-License-Identifier: Apache-2.0 */
/* The edu kind: its registers by its description, its DMA engine, its interrupts by wire and by
 * message, its configuration space. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib.h>
#include <linux/pci_regs.h>

#include "core/harness/harness.h"
#include "core/pci/bus.h"
#include "models/misc/edu-regs.h"

static struct iov_harness *bench;
static struct iov_fake_mem *mem;
static struct iov_fake_irq *wire;
static struct iov_pci_function *function;

static uint32_t config_access(uint64_t at, uint32_t size, uint32_t value, bool write)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = size, .pasid = IOV_NO_PASID };

    cr_assert(eq(int,
                 write ? function->ops->config_write(function, &req)
                       : function->ops->config_read(function, &req),
                 IOV_STATUS_OK));
    return value;
}

static void config_write(uint64_t at, uint32_t size, uint32_t value)
{
    (void)config_access(at, size, value, true);
}

static uint32_t config_read(uint64_t at)
{
    return config_access(at, 4, 0, false);
}

static void start(const char *text)
{
    bench = iov_harness_new(text);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    wire = iov_harness_irq(bench, "interrupt", 0);
    function = iov_model_port(bench->model, "pci", 0);
}

/* As a driver leaves it: decoding and bus mastering are on. */
static void go_live(void)
{
    start("kind: edu\nengine-time: 1us\nfactorial-time: 2us\n");
    config_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void finish(void)
{
    iov_harness_free(bench);
}

TestSuite(edu, .init = go_live, .fini = finish);

static uint64_t get(uint64_t at, uint32_t size)
{
    return iov_harness_read(bench, "registers", at, size);
}

static void put(uint64_t at, uint32_t size, uint64_t value)
{
    iov_harness_write(bench, "registers", at, size, value);
}

static void transfer(uint64_t from, uint64_t to, uint64_t count, uint64_t command)
{
    put(EDU_DMA_SOURCE, 8, from);
    put(EDU_DMA_DESTINATION, 8, to);
    put(EDU_DMA_COUNT, 8, count);
    put(EDU_DMA_COMMAND, 8, command | EDU_DMA_START);
}

static void into_device(uint64_t address, uint64_t count)
{
    transfer(address, EDU_BUFFER, count, 0);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
}

static void out_of_device(uint64_t address, uint64_t count)
{
    transfer(EDU_BUFFER, address, count, EDU_DMA_TO_MEMORY);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
}

/* ---- Configuration space ---- */

Test(edu, its_configuration_is_the_known_one)
{
    static const struct {
        uint8_t at;
        uint32_t value;
    } known[] = { { 0x00, 0x11e81234 }, { 0x04, 0x00100006 }, { 0x08, 0x00ff0010 },
                  { 0x2c, 0x11001af4 }, { 0x34, 0x00000040 }, { 0x3c, 0x00000100 },
                  { 0x40, 0x00800005 } };
    unsigned next = 0;

    for (unsigned at = 0; at < 256; at += 4) {
        uint32_t expected = 0;

        if (next < G_N_ELEMENTS(known) && known[next].at == at)
            expected = known[next++].value;
        cr_assert(eq(u32, config_read(at), expected), "offset 0x%x", at);
    }
    config_write(PCI_BASE_ADDRESS_0, 4, UINT32_MAX);
    cr_assert(eq(u32, config_read(PCI_BASE_ADDRESS_0), 0xfff00000));
}

/* What software can write where, as a foreign machine's edu has it. */
Test(edu, its_configuration_takes_what_it_may)
{
    for (unsigned at = 0; at < 256; at += 4) {
        uint32_t expected = at >= 0x50 ? UINT32_MAX : 0;

        switch (at) {
        case 0x00:
            expected = 0x11e81234;
            break;
        case 0x04:
            expected = 0x00100507;
            break;
        case 0x08:
            expected = 0x00ff0010;
            break;
        case 0x0c:
            expected = 0x000000ff;
            break;
        case 0x10:
            expected = 0xfff00000;
            break;
        case 0x2c:
            expected = 0x11001af4;
            break;
        case 0x34:
            expected = 0x00000040;
            break;
        case 0x3c:
            expected = 0x000001ff;
            break;
        case 0x40:
            expected = 0x00f10005;
            break;
        case 0x44:
            expected = 0xfffffffc;
            break;
        case 0x48:
        case 0x4c:
            expected = UINT32_MAX;
            break;
        default:
            break;
        }
        config_write(at, 4, UINT32_MAX);
        cr_assert(eq(u32, config_read(at), expected), "offset 0x%x", at);
    }
}

/* ---- Registers ---- */

Test(edu, says_who_it_is_and_that_it_lives)
{
    cr_assert(eq(u64, get(EDU_ID, 4), 0x010000ed));
    put(EDU_ID, 4, 1);
    cr_assert(eq(u64, get(EDU_ID, 4), 0x010000ed));
    put(EDU_LIVENESS, 4, 0x12345678);
    cr_assert(eq(u64, get(EDU_LIVENESS, 4), 0xedcba987));
}

Test(edu, a_factorial_takes_its_time)
{
    put(EDU_FACTORIAL, 4, 10);
    cr_assert(eq(u64, get(EDU_STATUS, 4), EDU_STATUS_COMPUTING));
    put(EDU_FACTORIAL, 4, 3); /* not while it computes */
    iov_harness_run_for(bench, 2 * IOV_US - 1);
    cr_assert(eq(u64, get(EDU_STATUS, 4), EDU_STATUS_COMPUTING));
    iov_harness_run_for(bench, 1);
    cr_assert(eq(u64, get(EDU_STATUS, 4), 0));
    cr_assert(eq(u64, get(EDU_FACTORIAL, 4), 3628800));
    cr_assert(eq(uint, wire->rises, 0));
}

Test(edu, factorials_wrap_at_32_bits)
{
    static const uint32_t known[][2] = {
        { 0, 1 }, { 1, 1 }, { 13, 1932053504u }, { 33, 2147483648u }, { 34, 0 }, { UINT32_MAX, 0 }
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        put(EDU_FACTORIAL, 4, known[i][0]);
        cr_assert(iov_harness_run_idle(bench, IOV_SEC));
        cr_assert(eq(u64, get(EDU_FACTORIAL, 4), known[i][1]), "%u!", known[i][0]);
    }
}

Test(edu, a_factorial_interrupts_if_asked_to)
{
    put(EDU_STATUS, 4, 0xffffffff);
    cr_assert(eq(u64, get(EDU_STATUS, 4), EDU_STATUS_INTERRUPT));
    put(EDU_FACTORIAL, 4, 4);
    cr_assert(eq(u64, get(EDU_STATUS, 4), EDU_STATUS_INTERRUPT | EDU_STATUS_COMPUTING));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(wire->level);
    cr_assert(eq(u64, get(EDU_INTERRUPT_STATUS, 4), EDU_INTERRUPT_FACTORIAL));
}

Test(edu, takes_the_sizes_of_its_description_only)
{
    put(EDU_LIVENESS, 4, 0);
    cr_assert(eq(u64, get(EDU_LIVENESS, 8), UINT64_MAX));
    cr_assert(eq(u64, get(EDU_LIVENESS, 2), 0));
    cr_assert(eq(u64, get(EDU_LIVENESS, 1), 0));
    put(EDU_LIVENESS, 8, 7);
    put(EDU_LIVENESS, 2, 7);
    put(EDU_LIVENESS, 1, 7);
    cr_assert(eq(u64, get(EDU_LIVENESS, 4), UINT32_MAX));
    put(EDU_DMA_SOURCE, 8, 0x1122334455667788);
    cr_assert(eq(u64, get(EDU_DMA_SOURCE, 8), 0x1122334455667788));
    cr_assert(eq(u64, get(EDU_DMA_SOURCE, 4), 0x55667788));
    put(EDU_DMA_SOURCE, 4, 5);
    cr_assert(eq(u64, get(EDU_DMA_SOURCE, 8), 5));
    put(EDU_DMA_SOURCE, 2, 9);
    cr_assert(eq(u64, get(EDU_DMA_SOURCE, 8), 5));
    cr_assert(eq(u64, iov_harness_stat(bench, "bad-accesses"), 7));
}

Test(edu, what_is_not_there_reads_as_ones)
{
    static const uint64_t places[] = { 0x0c, 0x1c, 0x28, EDU_INTERRUPT_RAISE, EDU_INTERRUPT_ACK,
                                       0x68, 0x84, 0xa0, EDU_BUFFER,          EDU_BAR_SIZE - 4 };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        put(places[i], 4, 0);
        cr_assert(eq(u64, get(places[i], 4), UINT32_MAX), "0x%x", (unsigned)places[i]);
    }
    cr_assert(eq(uint, mem->count, 0));
}

/* ---- Interrupts ---- */

Test(edu, the_wire_is_up_until_all_causes_are_acknowledged)
{
    put(EDU_INTERRUPT_RAISE, 4, 0x6);
    put(EDU_INTERRUPT_RAISE, 4, 0x8);
    cr_assert(eq(u64, get(EDU_INTERRUPT_STATUS, 4), 0xe));
    cr_assert(eq(uint, wire->rises, 1));
    put(EDU_INTERRUPT_ACK, 4, 0x6);
    cr_assert(wire->level);
    put(EDU_INTERRUPT_ACK, 4, 0xf8);
    cr_assert(not(wire->level));
    put(EDU_INTERRUPT_RAISE, 4, 0);
    cr_assert(eq(uint, wire->rises, 1));
}

Test(edu, interrupt_disable_keeps_the_wire_down)
{
    config_write(PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    put(EDU_INTERRUPT_RAISE, 4, 1);
    cr_assert(not(wire->level));
    cr_assert(ne(u32, config_read(PCI_COMMAND) >> 16 & PCI_STATUS_INTERRUPT, 0));
    config_write(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    cr_assert(wire->level);
}

Test(edu, with_msi_each_cause_is_a_message)
{
    config_write(0x44, 4, 0xfee00000);
    config_write(0x4c, 2, 0x31);
    put(EDU_INTERRUPT_RAISE, 4, 1);
    config_write(0x42, 2, PCI_MSI_FLAGS_ENABLE);
    cr_assert(not(wire->level), "messages take over");
    put(EDU_INTERRUPT_RAISE, 4, 2);
    put(EDU_INTERRUPT_RAISE, 4, 2);
    cr_assert(eq(uint, mem->messages, 0), "never inside the access");
    iov_harness_settle(bench);
    cr_assert(eq(uint, mem->messages, 2));
    cr_assert(eq(u64, mem->last_message.value, 0x31));
    cr_assert(ne(u16, mem->last_message.flags & IOV_MEM_INTERRUPT, 0));
    put(EDU_INTERRUPT_ACK, 4, UINT32_MAX);
    cr_assert(eq(uint, wire->rises, 1));
}

/* ---- DMA ---- */

Test(edu, bytes_go_in_and_out)
{
    static char text[] = "some bytes to move";

    iov_fake_mem_put(mem, 0x200000, text, sizeof text, NULL);
    into_device(0x200000, sizeof text);
    out_of_device(0x300001, sizeof text);
    cr_assert(eq(str, (char *)mem->ram + 0x300001, text));
    cr_assert(eq(u64, get(EDU_DMA_COMMAND, 8), EDU_DMA_TO_MEMORY));
    cr_assert(eq(u64, iov_harness_stat(bench, "bytes-in"), sizeof text));
    cr_assert(eq(u64, iov_harness_stat(bench, "bytes-out"), sizeof text));
}

Test(edu, a_transfer_takes_the_engine_s_time_and_that_of_the_path)
{
    mem->read_delay = 700 * IOV_NS;
    transfer(0x200000, EDU_BUFFER, 64, 0);
    iov_harness_run_for(bench, 1700 * IOV_NS - 1);
    cr_assert(eq(u64, get(EDU_DMA_COMMAND, 8), EDU_DMA_START));
    put(EDU_DMA_COUNT, 8, 1); /* locked */
    cr_assert(eq(u64, get(EDU_DMA_COUNT, 8), 64));
    iov_harness_run_for(bench, 1);
    cr_assert(eq(u64, get(EDU_DMA_COMMAND, 8), 0));
}

Test(edu, requests_do_not_cross_a_page)
{
    into_device(0x200ff0, 0x20);
    cr_assert(eq(uint, mem->reads, 2));
    cr_assert(eq(u64, mem->accesses[0].address, 0x200ff0));
    cr_assert(eq(u32, mem->accesses[0].size, 0x10));
    cr_assert(eq(u64, mem->accesses[1].address, 0x201000));
}

Test(edu, the_engine_interrupts_if_asked_to)
{
    transfer(0x200000, EDU_BUFFER, 4, EDU_DMA_INTERRUPT);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u64, get(EDU_INTERRUPT_STATUS, 4), EDU_INTERRUPT_DMA));
    cr_assert(wire->level);
}

Test(edu, a_command_without_the_start_bit_is_not_taken)
{
    put(EDU_DMA_COMMAND, 8, EDU_DMA_TO_MEMORY | EDU_DMA_INTERRUPT);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u64, get(EDU_DMA_COMMAND, 8), 0));
}

Test(edu, addresses_are_cut_to_28_bits)
{
    iov_fake_mem_set(mem, 0x200000, 4, 0xdead);
    into_device(UINT64_C(0x710200000), 4);
    out_of_device(0x300000, 4);
    cr_assert(eq(u64, iov_fake_mem_get(mem, 0x300000, 4), 0xdead));
    cr_assert(eq(u64, mem->accesses[0].address, 0x200000));
}

Test(edu, a_wider_mask_lets_them_through)
{
    iov_harness_free(bench);
    start("kind: edu\ndma-mask: 0xffffffffffffffff\n");
    config_write(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    into_device(UINT64_C(0x710200000), 4);
    cr_assert(eq(u64, mem->accesses[0].address, UINT64_C(0x710200000)));
}

Test(edu, a_refused_read_leaves_zeros_in_the_buffer)
{
    iov_fake_mem_set(mem, 0x200000, 8, UINT64_MAX);
    iov_fake_mem_set(mem, 0x300000, 8, UINT64_MAX);
    into_device(0x200000, 8);
    mem->status = IOV_STATUS_FAULT;
    into_device(0x200000, 4);
    mem->status = IOV_STATUS_OK;
    out_of_device(0x300000, 8);
    cr_assert(eq(u64, iov_fake_mem_get(mem, 0x300000, 8), UINT64_C(0xffffffff00000000)));
    cr_assert(eq(u64, iov_harness_stat(bench, "refused"), 1));
}

Test(edu, a_transfer_outside_the_buffer_moves_nothing_and_ends)
{
    static const uint64_t places[][2] = { { EDU_BUFFER, 4097 },           { EDU_BUFFER + 4095, 2 },
                                          { EDU_BUFFER - 1, 1 },          { 0, 1 },
                                          { EDU_BUFFER + 4, UINT64_MAX }, { UINT64_MAX, 1 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        transfer(0x200000, places[i][0], places[i][1], 0);
        cr_assert(iov_harness_run_idle(bench, IOV_SEC));
        cr_assert(eq(u64, get(EDU_DMA_COMMAND, 8), 0));
    }
    cr_assert(eq(uint, mem->count, 0));
    cr_assert(eq(u64, iov_harness_stat(bench, "outside"), G_N_ELEMENTS(places)));
}

Test(edu, without_bus_mastering_nothing_leaves)
{
    config_write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    into_device(0x200000, 4);
    out_of_device(0x200000, 4);
    cr_assert(eq(uint, mem->count, 0));
}

/* ---- Slot and reset ---- */

Test(edu, in_a_slot_its_requests_carry_the_slot_s_number)
{
    static const struct iov_pci_bus_ops ops = { 0 };
    struct iov_pci_bus bus = { .ops = &ops, .number = 2 };

    cr_assert(iov_pci_plug(&bus, function, 3 << 3));
    into_device(0x200000, 4);
    cr_assert(eq(u16, mem->accesses[0].requester, 0x218));
    config_write(PCI_BASE_ADDRESS_0, 4, 0xfe800000);
    cr_assert(iov_mem_map_find(&bus.memory, 0xfe800004) != NULL);
    iov_pci_bus_clear(&bus);
}

Test(edu, a_reset_forgets_everything)
{
    put(EDU_LIVENESS, 4, 1);
    put(EDU_INTERRUPT_RAISE, 4, 1);
    put(EDU_FACTORIAL, 4, 5);
    transfer(0x200000, EDU_BUFFER, 4, EDU_DMA_INTERRUPT);
    iov_model_reset(bench->model);
    cr_assert(not(wire->level));
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(uint, mem->count, 0));
    cr_assert(eq(u64, get(EDU_LIVENESS, 4), 0));
    cr_assert(eq(u64, get(EDU_STATUS, 4), 0));
    cr_assert(eq(u32, config_read(PCI_COMMAND) & 0xffff, 0));
}

/* ---- Rubbish ---- */

Test(edu, random_accesses_are_harmless)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    static const uint32_t sizes[] = { 1, 2, 4, 4, 4, 8, 8 };

    for (unsigned i = 0; i < 50000; i++) {
        uint64_t at = g_rand_int_range(random, 0, 8) == 0
                          ? g_rand_int(random) % (EDU_BAR_SIZE - 8)
                          : (uint64_t)g_rand_int_range(random, 0, 0xa8);
        uint32_t size = sizes[g_rand_int_range(random, 0, G_N_ELEMENTS(sizes))];
        uint64_t value = g_rand_int(random);

        if (g_rand_boolean(random))
            value = EDU_BUFFER + value % 5000;
        else if (g_rand_boolean(random))
            value %= 64;
        if (g_rand_boolean(random))
            (void)get(at & ~UINT64_C(3), size);
        else
            put(at & ~UINT64_C(3), size, value);
        if (g_rand_int_range(random, 0, 16) == 0)
            config_write((uint64_t)g_rand_int_range(random, 0, 64) * 4, 4,
                         g_rand_int(random) | (g_rand_boolean(random) ? PCI_COMMAND_MASTER : 0));
        if (g_rand_int_range(random, 0, 4) == 0)
            iov_harness_run_for(bench, 500 * IOV_NS);
        iov_fake_mem_forget(mem);
    }
}
