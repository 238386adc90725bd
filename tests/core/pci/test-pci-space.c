/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration space of a function: header, masks, BARs, capabilities, resets. */
#include "tests/core/pci/fixture.h"

static struct slot_bus slots;
static struct memory memory;
static struct card card;

/* Every capability that the library knows. */
static const struct iov_pci_capability everything[] = {
    IOV_PCI_POWER(.at = 0x40, .pm = PCI_PM_CAP_PME_D0 | PCI_PM_CAP_PME_D3hot),
    IOV_PCI_MSI(.at = 0x50, .vectors = 4, .wide = true, .maskable = true),
    IOV_PCI_MSIX(.at = 0x70, .vectors = 10, .bar = 3, .pending = 0x2000),
    IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512, .flr = true,
                    .generation = 2, .lanes = 4),
    IOV_PCI_VENDOR(.at = 0xe0, .size = 8, .bytes = (const uint8_t[]){ 8, 1, 2, 3, 4, 5 },
                   .writable = (const uint8_t[]){ 0, 0, 0xff, 0, 0, 0 }),
    IOV_PCI_ERROR_REPORTING(.at = 0x100),
    IOV_PCI_SERIAL(.at = 0x148, .serial = 0x0011223344556677),
    IOV_PCI_ARI(.at = 0x158, .next_function = 1),
    IOV_PCI_SRIOV(.at = 0x160, .vfs = 8, .vf_offset = 128, .vf_stride = 2, .vf_device = 0x10ca,
                  .vf_offset_flat = 384,
                  .vf_bars = { { .index = 0, .flags = IOV_PCI_BAR_64, .size = 0x4000 },
                               { .index = 3, .flags = IOV_PCI_BAR_64, .size = 0x1000 } }),
    IOV_PCI_ACCESS_CONTROL(.at = 0x1a0, .acs = PCI_ACS_SV | PCI_ACS_RR),
    IOV_PCI_ATS(.at = 0x1b0, .queue_depth = 16),
    IOV_PCI_PAGE_REQUEST(.at = 0x1c0, .requests = 32),
    IOV_PCI_PASID(.at = 0x1d0, .pasid_bits = 20),
};

static void setup(void)
{
    struct iov_pci_bar bars[] = {
        { .index = 0, .size = 0x20000, .target = &card.registers },
        { .index = 2, .flags = IOV_PCI_BAR_IO, .size = 32, .target = &card.registers },
        { .index = 3,
          .flags = IOV_PCI_BAR_64 | IOV_PCI_BAR_PREFETCH,
          .size = 0x4000,
          .target = &card.registers },
        { .index = IOV_PCI_ROM, .size = 0x10000, .target = &card.registers },
        { .size = 0 },
    };

    slots = (struct slot_bus){ .bus = { .ops = &slot_bus_ops, .upstream = &memory.port } };
    memory = (struct memory){ .port.ops = &memory_ops };
    card_init(&card, &card_header, bars, everything, G_N_ELEMENTS(everything));
    cr_assert(iov_pci_plug(&slots.bus, &card.function, 0));
}

static void teardown(void)
{
    card_clear(&card);
    iov_pci_bus_clear(&slots.bus);
}

TestSuite(pci_space, .init = setup, .fini = teardown);

Test(pci_space, the_header_says_what_the_row_said)
{
    cr_assert(eq(u32, config_get(&card, 0, 4), 0x10c98086));
    cr_assert(eq(u32, config_get(&card, 8, 4), 0x02000001));
    cr_assert(eq(u32, config_get(&card, 0x2c, 4), 0xa03c8086));
    cr_assert(eq(u32, config_get(&card, 0x3c, 4), 0x100));
    cr_assert(eq(u32, config_get(&card, PCI_STATUS, 2), PCI_STATUS_CAP_LIST));
}

Test(pci_space, read_only_registers_stay_as_they_are)
{
    for (uint64_t at = 0; at < 0x10; at += 4)
        config_set(&card, at, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&card, 0, 4), 0x10c98086));
    cr_assert(eq(u32, config_get(&card, 4, 4), 0x00100507));
    cr_assert(eq(u32, config_get(&card, 8, 4), 0x02000001));
    cr_assert(eq(u32, config_get(&card, 0xc, 4), 0xff));
}

Test(pci_space, a_byte_write_touches_one_byte)
{
    config_set(&card, PCI_INTERRUPT_LINE, 1, 0xab);
    config_set(&card, PCI_INTERRUPT_PIN, 1, 4);
    cr_assert(eq(u32, config_get(&card, 0x3c, 4), 0x01ab));
    config_set(&card, PCI_COMMAND + 1, 1, 0xff);
    cr_assert(eq(u32, config_get(&card, PCI_COMMAND, 2), 0x0500));
}

Test(pci_space, bars_of_all_forms_tell_their_size)
{
    static const struct {
        unsigned at;
        uint32_t reset, sized;
    } rows[] = {
        { 0x10, 0, 0xfffe0000 }, { 0x14, 0, 0 }, { 0x18, 1, 0xffffffe1 }, { 0x1c, 0xc, 0xffffc00c },
        { 0x20, 0, 0xffffffff }, { 0x24, 0, 0 }, { 0x30, 0, 0xffff0001 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        cr_assert(eq(u32, config_get(&card, rows[i].at, 4), rows[i].reset));
        config_set(&card, rows[i].at, 4, 0xffffffff);
        cr_assert(eq(u32, config_get(&card, rows[i].at, 4), rows[i].sized), "0x%x", rows[i].at);
        config_set(&card, rows[i].at, 4, 0);
        cr_assert(eq(u32, config_get(&card, rows[i].at, 4), rows[i].reset));
    }
}

Test(pci_space, a_bar_is_decoded_when_it_is_assigned_and_enabled)
{
    config_set(&card, 0x10, 4, 0xfeb00000);
    cr_assert(eq(uint, slots.bus.memory.count, 0));
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    cr_assert(eq(uint, slots.bus.memory.count, 1));
    cr_assert(eq(u64, slots.bus.memory.windows[0].base, 0xfeb00000));
    cr_assert(eq(u64, iov_pci_bar_address(&card.space, 0), 0xfeb00000));
    cr_assert(eq(u64, iov_pci_bar_address(&card.space, 3), UINT64_MAX));
    config_set(&card, 0x10, 4, 0xffffffff); /* as during sizing */
    cr_assert(eq(uint, slots.bus.memory.count, 0));
}

Test(pci_space, a_wide_bar_lies_above_4_gib_and_io_has_a_map_of_its_own)
{
    config_set(&card, 0x1c, 4, 0);
    config_set(&card, 0x20, 4, 0x38);
    config_set(&card, 0x18, 4, 0xc001);
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    cr_assert(eq(u64, slots.bus.memory.windows[0].base, UINT64_C(0x3800000000)));
    cr_assert(eq(uint, slots.bus.io.count, 1));
    cr_assert(eq(u64, slots.bus.io.windows[0].base, 0xc000));
}

Test(pci_space, the_rom_needs_its_own_enable_bit)
{
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_set(&card, 0x30, 4, 0xfe000000);
    cr_assert(eq(uint, slots.bus.memory.count, 0));
    config_set(&card, 0x30, 4, 0xfe000001);
    cr_assert(eq(uint, slots.bus.memory.count, 1));
}

Test(pci_space, d3hot_closes_the_windows_and_leaving_it_resets_the_function)
{
    config_set(&card, 0x10, 4, 0xfeb00000);
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    config_set(&card, 0x44, 2, 3);
    cr_assert(eq(uint, slots.bus.memory.count, 0));
    cr_assert(not(iov_pci_master(&card.space)));
    cr_assert(eq(uint, card.what, IOV_PCI_CHANGED_POWER));
    config_set(&card, 0x44, 2, 1); /* D1 is not there */
    cr_assert(eq(u32, config_get(&card, 0x44, 2) & 3, 3));
    config_set(&card, 0x44, 2, 0);
    cr_assert(ne(uint, card.what & IOV_PCI_CHANGED_FLR, 0));
}

Test(pci_space, capabilities_form_two_chains_in_the_order_of_the_rows)
{
    unsigned at = config_get(&card, PCI_CAPABILITY_LIST, 1), count = 0;

    for (; at != 0; at = config_get(&card, at + 1, 1), count++) {
        cr_assert(eq(uint, at, everything[count].at));
        cr_assert(eq(uint, config_get(&card, at, 1), everything[count].id));
    }
    for (at = 0x100; at != 0; at = config_get(&card, at, 4) >> 20, count++) {
        cr_assert(eq(uint, at, everything[count].at));
        cr_assert(eq(uint, config_get(&card, at, 2), everything[count].id));
    }
    cr_assert(eq(uint, count, G_N_ELEMENTS(everything)));
}

Test(pci_space, capabilities_without_a_place_follow_one_another)
{
    static const struct iov_pci_capability rows[] = {
        IOV_PCI_POWER(.version = 3),
        IOV_PCI_MSI(.vectors = 1),
        IOV_PCI_EXPRESS(.type = PCI_EXP_TYPE_ENDPOINT),
        IOV_PCI_ERROR_REPORTING(.version = 2),
        IOV_PCI_SERIAL(.serial = 1),
    };
    struct card other;

    card_init(&other, &card_header, NULL, rows, G_N_ELEMENTS(rows));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_CAP_ID_PM, false), 0x40));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_CAP_ID_MSI, false), 0x48));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_CAP_ID_EXP, false), 0x54));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_EXT_CAP_ID_ERR, true), 0x100));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_EXT_CAP_ID_DSN, true), 0x148));
    cr_assert(eq(uint, iov_pci_space_find(&other.space, PCI_CAP_ID_MSIX, false), 0));
    card_clear(&other);
}

Test(pci_space, a_conventional_function_ends_at_256_bytes)
{
    struct iov_pci_header header = card_header;
    struct card other;
    uint32_t value = 0;
    struct iov_mem_req req = { .address = 0x100, .data = &value, .size = 4 };

    header.conventional = true;
    card_init(&other, &header, NULL, NULL, 0);
    cr_assert(eq(int, iov_pci_space_read(&other.function, &req), IOV_STATUS_UNSUPPORTED));
    card_clear(&other);
}

Test(pci_space, the_flr_bit_reads_zero_and_tells_the_function)
{
    config_set(&card, 0xa0 + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR | 0x20);
    cr_assert(ne(uint, card.what & IOV_PCI_CHANGED_FLR, 0));
    cr_assert(eq(u32, config_get(&card, 0xa0 + PCI_EXP_DEVCTL, 2), 0x20));
}

Test(pci_space, a_function_level_reset_keeps_sticky_bits_and_the_payload_size)
{
    config_set(&card, PCI_COMMAND, 2, 0x507);
    config_set(&card, 0x10, 4, 0xfeb00000);
    config_set(&card, 0xa0 + PCI_EXP_DEVCTL, 2, 0x5040);
    config_set(&card, 0x100 + PCI_ERR_UNCOR_MASK, 4, 0x1000);
    iov_pci_space_reset(&card.space, IOV_PCI_RESET_FUNCTION);
    cr_assert(eq(u32, config_get(&card, PCI_COMMAND, 2), 0));
    cr_assert(eq(u32, config_get(&card, 0x10, 4), 0));
    cr_assert(eq(u32, config_get(&card, 0xa0 + PCI_EXP_DEVCTL, 2), 0x2850));
    cr_assert(eq(u32, config_get(&card, 0x100 + PCI_ERR_UNCOR_MASK, 4), 0x1000));
    cr_assert(eq(uint, slots.bus.memory.count, 0));
    iov_pci_space_reset(&card.space, IOV_PCI_RESET_COLD);
    cr_assert(eq(u32, config_get(&card, 0xa0 + PCI_EXP_DEVCTL, 2), 0x2810));
    cr_assert(eq(u32, config_get(&card, 0x100 + PCI_ERR_UNCOR_MASK, 4), 0x02400000));
}

Test(pci_space, a_vendor_capability_has_its_own_masks_and_every_write_is_told)
{
    config_set(&card, 0xe4, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&card, 0xe4, 4), 0x050403ff), "%x", config_get(&card, 0xe4, 4));
    cr_assert(eq(uint, card.what, IOV_PCI_CHANGED_OTHER));
    card.what = 0;
    config_set(&card, 0xe4, 4, 0xffffffff); /* the same again */
    cr_assert(eq(uint, card.what, IOV_PCI_CHANGED_OTHER));
    card.what = 0;
    config_set(&card, 0xe0, 4, 0); /* read only */
    cr_assert(eq(uint, card.what, 0));
}

Test(pci_space, error_status_is_cleared_by_ones_and_the_first_error_is_kept)
{
    static const uint32_t header[4] = { 0x40000001, 0x0000000f, 0xfeb00000, 0 };

    iov_pci_error(&card.space, false, PCI_ERR_UNC_UNSUP, header);
    iov_pci_error(&card.space, false, PCI_ERR_UNC_COMP_ABORT, NULL);
    iov_pci_error(&card.space, true, PCI_ERR_COR_RCVR, NULL);
    cr_assert(eq(u32, config_get(&card, 0x104, 4), PCI_ERR_UNC_UNSUP | PCI_ERR_UNC_COMP_ABORT));
    cr_assert(eq(u32, config_get(&card, 0x118, 4) & 0x1f, 20));
    cr_assert(eq(u32, config_get(&card, 0x11c + 8, 4), 0xfeb00000));
    cr_assert(eq(u32, config_get(&card, 0x110, 4), PCI_ERR_COR_RCVR));
    cr_assert(eq(u32, config_get(&card, 0xa0 + PCI_EXP_DEVSTA, 2), 0xb));
    config_set(&card, 0x104, 4, PCI_ERR_UNC_UNSUP);
    cr_assert(eq(u32, config_get(&card, 0x104, 4), PCI_ERR_UNC_COMP_ABORT));
    cr_assert(eq(u32, config_get(&card, 0x118, 4) & 0x1f, 0));
    iov_pci_space_reset(&card.space, IOV_PCI_RESET_BUS);
    cr_assert(eq(u32, config_get(&card, 0x104, 4), PCI_ERR_UNC_COMP_ABORT));
    iov_pci_space_reset(&card.space, IOV_PCI_RESET_COLD);
    cr_assert(eq(u32, config_get(&card, 0x104, 4), 0));
}

Test(pci_space, virtual_functions_are_counted_placed_and_sized)
{
    config_set(&card, 0x160 + PCI_SRIOV_NUM_VF, 2, 4);
    config_set(&card, 0x160 + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_ARI);
    cr_assert(eq(uint, iov_pci_vfs_enabled(&card.space), 0));
    config_set(&card, 0x160 + PCI_SRIOV_BAR, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&card, 0x160 + PCI_SRIOV_BAR, 4), 0xffffc004));
    config_set(&card, 0x160 + PCI_SRIOV_BAR, 4, 0xfe000000);
    config_set(&card, 0x160 + PCI_SRIOV_CTRL, 2,
               PCI_SRIOV_CTRL_ARI | PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
    cr_assert(ne(uint, card.what & IOV_PCI_CHANGED_SRIOV, 0));
    cr_assert(eq(uint, iov_pci_vfs_enabled(&card.space), 4));
    cr_assert(eq(uint, iov_pci_vf_devfn(&card.space, 3), 128 + 3 * 2));
    cr_assert(eq(u64, iov_pci_vf_bar_address(&card.space, 0, 3), 0xfe00c000));
    cr_assert(eq(u64, iov_pci_vf_bar_address(&card.space, 0, 4), UINT64_MAX));
    config_set(&card, 0x160 + PCI_SRIOV_NUM_VF, 2, 2); /* not while they are enabled */
    cr_assert(eq(uint, iov_pci_vfs_enabled(&card.space), 4));
}

Test(pci_space, a_larger_system_page_makes_larger_virtual_functions)
{
    config_set(&card, 0x160 + PCI_SRIOV_SYS_PGSIZE, 4, 0x10); /* 64 KiB */
    config_set(&card, 0x160 + PCI_SRIOV_BAR + 12, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&card, 0x160 + PCI_SRIOV_BAR + 12, 4), 0xffff0004));
    cr_assert(eq(u64, iov_pci_vf_bar_size(&card.space, 0), 0x10000));
    config_set(&card, 0x160 + PCI_SRIOV_SYS_PGSIZE, 4, 0x30); /* two sizes are none */
    cr_assert(eq(u32, config_get(&card, 0x160 + PCI_SRIOV_SYS_PGSIZE, 4), 0x10));
}

Test(pci_space, without_ari_hierarchy_virtual_functions_begin_elsewhere)
{
    cr_assert(eq(u32, config_get(&card, 0x160 + PCI_SRIOV_VF_OFFSET, 2), 384));
    config_set(&card, 0x160 + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_ARI);
    cr_assert(eq(u32, config_get(&card, 0x160 + PCI_SRIOV_VF_OFFSET, 2), 128));
}

Test(pci_space, page_requests_stop_while_they_are_disabled)
{
    cr_assert(eq(u32, config_get(&card, 0x1c0 + PCI_PRI_STATUS, 2), PCI_PRI_STATUS_STOPPED));
    config_set(&card, 0x1c0 + PCI_PRI_CTRL, 2, PCI_PRI_CTRL_ENABLE);
    cr_assert(eq(u32, config_get(&card, 0x1c0 + PCI_PRI_STATUS, 2), 0));
    cr_assert(eq(u32, config_get(&card, 0x1c0 + PCI_PRI_CTRL, 2), PCI_PRI_CTRL_ENABLE));
}

Test(pci_space, interrupt_disable_keeps_the_pin_low_and_the_status_bit_true)
{
    iov_irq_set(&card.interrupt, true, NULL);
    cr_assert(slots.level);
    cr_assert(eq(uint, slots.pin, 1));
    cr_assert(ne(uint, config_get(&card, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0));
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    cr_assert(not(slots.level));
    cr_assert(ne(uint, config_get(&card, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0));
    config_set(&card, PCI_COMMAND, 2, 0);
    cr_assert(slots.level);
    config_set(&card, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    iov_irq_set(&card.interrupt, false, NULL);
    cr_assert(eq(uint, slots.changes, 4));
    cr_assert(eq(uint, config_get(&card, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0));
}

/* Whatever is written where and however: no error of the host, and what is read only stays. */
Test(pci_space, accesses_of_every_size_at_every_offset_do_no_harm)
{
    uint8_t bytes[32], before[64];
    uint32_t state = 1;

    memcpy(before, card.space.bytes, sizeof before);
    for (unsigned round = 0; round < 4; round++) {
        for (uint64_t at = 0; at < IOV_PCI_CONFIG_SIZE + 16; at++) {
            for (uint32_t size = 1; size <= sizeof bytes; size++) {
                struct iov_mem_req req = { .address = at, .data = bytes, .size = size };
                enum iov_status wanted =
                    at + size <= IOV_PCI_CONFIG_SIZE ? IOV_STATUS_OK : IOV_STATUS_UNSUPPORTED;

                for (size_t i = 0; i < sizeof bytes; i++) {
                    state = state * 1664525 + 1013904223;
                    bytes[i] = round == 0 ? 0xff : round == 1 ? 0 : (uint8_t)(state >> 24);
                }
                cr_assert(eq(int, iov_pci_space_write(&card.function, &req), wanted));
                cr_assert(eq(int, iov_pci_space_read(&card.function, &req), wanted));
            }
        }
    }
    cr_assert(eq(int, memcmp(before, card.space.bytes, 4), 0));
    cr_assert(eq(int, memcmp(before + 8, card.space.bytes + 8, 4), 0));
}

/* ---- A bridge's header ---- */

Test(pci_space, a_bridge_has_bus_numbers_and_windows)
{
    struct iov_pci_header header = {
        .vendor = 0x8086, .device = 0x3420, .class_code = 0x060400, .type = 1
    };
    struct card bridge;

    card_init(&bridge, &header, NULL, NULL, 0);
    for (unsigned at = 0x10; at < 0x40; at += 4)
        config_set(&bridge, at, 4, 0xffffffff);
    cr_assert(eq(u32, config_get(&bridge, 0x10, 4), 0));
    cr_assert(eq(u32, config_get(&bridge, 0x18, 4), 0x00ffffff));
    cr_assert(eq(u32, config_get(&bridge, 0x1c, 4), 0x0000f0f0));
    cr_assert(eq(u32, config_get(&bridge, 0x20, 4), 0xfff0fff0));
    cr_assert(eq(u32, config_get(&bridge, 0x24, 4), 0xfff1fff1));
    cr_assert(eq(u32, config_get(&bridge, 0x28, 4), 0xffffffff));
    cr_assert(eq(u32, config_get(&bridge, 0x2c, 4), 0xffffffff));
    cr_assert(eq(u32, config_get(&bridge, 0x30, 4), 0));
    cr_assert(eq(u32, config_get(&bridge, 0x38, 4), 0));
    cr_assert(eq(u32, config_get(&bridge, 0x3c, 4), 0x005e00ff));
    card_clear(&bridge);
}
