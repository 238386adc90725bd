/* SPDX-License-Identifier: Apache-2.0 */
/* Message-signalled interrupts: MSI and MSI-X, masks and pending bits. */
#include "tests/core/pci/fixture.h"

#define MSI 0x50
#define MSIX 0x70

static struct slot_bus slots;
static struct memory memory;
static struct card card;

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_MSI(.at = MSI, .vectors = 4, .wide = true, .maskable = true),
    IOV_PCI_MSIX(.at = MSIX, .vectors = 70, .bar = 0, .pending = 0x2000),
};

static void setup(void)
{
    struct iov_pci_bar bars[] = { { .index = 0, .size = 0x4000, .target = &card.registers },
                                  { .size = 0 } };

    memory = (struct memory){ .port.ops = &memory_ops };
    slots = (struct slot_bus){ .bus = { .ops = &slot_bus_ops, .upstream = &memory.port } };
    card_init(&card, &card_header, bars, capabilities, G_N_ELEMENTS(capabilities));
    cr_assert(iov_pci_plug(&slots.bus, &card.function, 0x18));
    iov_pci_bus_renumber(&slots.bus, 5);
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
}

static void teardown(void)
{
    card_clear(&card);
    iov_pci_bus_clear(&slots.bus);
}

TestSuite(pci_message, .init = setup, .fini = teardown);

static void msi_on(unsigned granted_code)
{
    config_set(&card, MSI + PCI_MSI_ADDRESS_LO, 4, 0xfee01000);
    config_set(&card, MSI + PCI_MSI_ADDRESS_HI, 4, 0);
    config_set(&card, MSI + PCI_MSI_DATA_64, 2, 0x4043);
    config_set(&card, MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | granted_code << 4);
}

static void table_set(uint64_t at, uint32_t value)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4, .delay = 7 };

    cr_assert(
        eq(int, card.space.msix_table.ops->write(&card.space.msix_table, &req), IOV_STATUS_OK));
}

static uint32_t target_get(struct iov_mem_target *target, uint64_t at)
{
    uint32_t value;
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4 };

    cr_assert(eq(int, target->ops->read(target, &req), IOV_STATUS_OK));
    return value;
}

static void vector_set(unsigned vector, uint64_t address, uint32_t data, bool masked)
{
    table_set(vector * 16, (uint32_t)address);
    table_set(vector * 16 + 4, (uint32_t)(address >> 32));
    table_set(vector * 16 + 8, data);
    table_set(vector * 16 + 12, masked);
}

Test(pci_message, an_msi_is_a_dword_write_with_the_functions_number)
{
    msi_on(0);
    iov_pci_message(&card.space, 0, 5, NULL);
    cr_assert(eq(u64, memory.address, 0xfee01000));
    cr_assert(eq(u32, memory.data, 0x4043));
    cr_assert(eq(uint, memory.requester, 0x0518));
    cr_assert(eq(uint, memory.flags, IOV_MEM_INTERRUPT));
    cr_assert(eq(u64, memory.delay, 5));
}

Test(pci_message, the_vectors_granted_take_the_low_bits_of_the_data)
{
    msi_on(2);
    iov_pci_message(&card.space, 2, 0, NULL);
    cr_assert(eq(u32, memory.data, 0x4042));
    msi_on(1); /* two vectors granted: 3 becomes 1 */
    iov_pci_message(&card.space, 3, 0, NULL);
    cr_assert(eq(u32, memory.data, 0x4043));
    msi_on(7); /* more than it is capable of */
    iov_pci_message(&card.space, 1, 0, NULL);
    cr_assert(eq(u32, memory.data, 0x4041));
}

Test(pci_message, a_masked_msi_waits_in_its_pending_bit)
{
    msi_on(2);
    config_set(&card, MSI + PCI_MSI_MASK_64, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&card, MSI + PCI_MSI_MASK_64, 4), 0xf));
    iov_pci_message(&card.space, 1, 0, NULL);
    iov_pci_message(&card.space, 1, 0, NULL);
    cr_assert(eq(uint, memory.writes, 0));
    cr_assert(eq(u32, config_get(&card, MSI + PCI_MSI_PENDING_64, 4), 2));
    config_set(&card, MSI + PCI_MSI_MASK_64, 4, 0xd);
    cr_assert(eq(uint, memory.writes, 1));
    cr_assert(eq(u32, memory.data, 0x4041));
    cr_assert(eq(u32, config_get(&card, MSI + PCI_MSI_PENDING_64, 4), 0));
}

Test(pci_message, a_message_without_enable_or_bus_master_goes_nowhere)
{
    iov_pci_message(&card.space, 0, 0, NULL);
    msi_on(0);
    config_set(&card, PCI_COMMAND, 2, 0);
    iov_pci_message(&card.space, 0, 0, NULL);
    cr_assert(eq(uint, memory.writes, 0));
}

Test(pci_message, each_msix_vector_has_its_own_address_and_data)
{
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    cr_assert(eq(u32, config_get(&card, MSIX + PCI_MSIX_FLAGS, 2), 0x8000 | 69));
    vector_set(0, 0xfee00000, 0x30, false);
    vector_set(69, 0x1234567000, 0xabcd1234, false);
    iov_pci_message(&card.space, 69, 0, NULL);
    cr_assert(eq(u64, memory.address, 0x1234567000));
    cr_assert(eq(u32, memory.data, 0xabcd1234));
    cr_assert(eq(uint, memory.flags, 0)); /* into memory: plain DMA */
    iov_pci_message(&card.space, 0, 0, NULL);
    cr_assert(eq(u32, memory.data, 0x30));
    iov_pci_message(&card.space, 70, 0, NULL); /* there is no such vector */
    cr_assert(eq(uint, memory.writes, 2));
}

Test(pci_message, a_masked_vector_is_pending_until_its_mask_goes)
{
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    vector_set(65, 0xfee00000, 0x41, true);
    iov_pci_message(&card.space, 65, 0, NULL);
    cr_assert(eq(u32, target_get(&card.space.msix_pending, 8), 2));
    cr_assert(eq(uint, memory.writes, 0));
    table_set(65 * 16 + 12, 0xfffffffe);
    cr_assert(eq(uint, memory.writes, 1));
    cr_assert(eq(u64, memory.delay, 7)); /* not before the write has come */
    cr_assert(eq(u32, target_get(&card.space.msix_pending, 8), 0));
    cr_assert(eq(u32, target_get(&card.space.msix_table, 65 * 16 + 12), 0));
}

Test(pci_message, the_function_mask_holds_all_vectors)
{
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    vector_set(1, 0xfee00000, 0x31, false);
    vector_set(2, 0xfee00000, 0x32, true);
    iov_pci_message(&card.space, 1, 0, NULL);
    iov_pci_message(&card.space, 2, 0, NULL);
    cr_assert(eq(u32, target_get(&card.space.msix_pending, 0), 6));
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    cr_assert(eq(uint, memory.writes, 1));
    cr_assert(eq(u32, memory.data, 0x31));
    cr_assert(eq(u32, target_get(&card.space.msix_pending, 0), 4));
}

Test(pci_message, pending_bits_are_read_only_and_both_tables_end)
{
    uint32_t ones = UINT32_MAX;
    struct iov_mem_req req = { .address = 0, .data = &ones, .size = 4 };
    struct iov_mem_target *pending = &card.space.msix_pending, *table = &card.space.msix_table;

    cr_assert(eq(int, pending->ops->write(pending, &req), IOV_STATUS_OK));
    cr_assert(eq(u32, target_get(pending, 0), 0));
    req.address = 16;
    cr_assert(eq(int, pending->ops->read(pending, &req), IOV_STATUS_UNSUPPORTED));
    req.address = 70 * 16 - 2;
    cr_assert(eq(int, table->ops->write(table, &req), IOV_STATUS_UNSUPPORTED));
}

/* What a message hits makes the function send the next vector. */
static enum iov_status echo_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)memory_write(port, req);
    iov_pci_message(&card.space, 0, 0, NULL);
    iov_pci_message(&card.space, 1, 0, NULL);
    return IOV_STATUS_OK;
}

Test(pci_message, a_message_that_makes_the_function_send_again_ends)
{
    static const struct iov_mem_target_ops echo_ops = { .read = registers_access,
                                                        .write = echo_write };

    memory.port.ops = &echo_ops;
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    vector_set(0, 0xfeb00000, 1, false);
    vector_set(1, 0xfeb00000, 2, false);
    iov_pci_message(&card.space, 0, 0, NULL);
    cr_assert(eq(uint, memory.writes, 1));
    cr_assert(eq(u32, target_get(&card.space.msix_pending, 0), 3));
    iov_pci_message_flush(&card.space);
    cr_assert(eq(uint, memory.writes, 3));
}

/* The message of each vector unmasks the next one in the table of the same function. */
static enum iov_status chain_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)memory_write(port, req);
    if (memory.writes < 70)
        table_set(memory.writes * 16 + 12, 0);
    return IOV_STATUS_OK;
}

Test(pci_message, vectors_that_unmask_each_other_go_one_after_the_other)
{
    static const struct iov_mem_target_ops chain_ops = { .read = registers_access,
                                                         .write = chain_write };

    memory.port.ops = &chain_ops;
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    for (unsigned i = 0; i < 70; i++) {
        vector_set(i, 0xfeb00000, i, true);
        iov_pci_message(&card.space, i, 0, NULL);
    }
    table_set(12, 0);
    cr_assert(eq(uint, memory.writes, 70));
    cr_assert(eq(u32, memory.data, 69));
}

Test(pci_message, a_reset_masks_all_vectors)
{
    config_set(&card, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    vector_set(3, 0xfee00000, 0x33, false);
    iov_pci_space_reset(&card.space, IOV_PCI_RESET_FUNCTION);
    cr_assert(eq(u32, target_get(&card.space.msix_table, 3 * 16 + 12), 1));
    cr_assert(eq(u32, target_get(&card.space.msix_table, 3 * 16), 0));
    cr_assert(not(iov_pci_msix_enabled(&card.space)));
}
