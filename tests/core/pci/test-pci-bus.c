/* SPDX-License-Identifier: Apache-2.0 */
/* A bus: slots, numbers, what is decoded, who is meant by a configuration access. */
#include "tests/core/pci/fixture.h"

static struct slot_bus root, behind;
static struct memory memory;
static struct card first, second, bridge;

static void setup(void)
{
    static const struct iov_pci_header bridge_header = {
        .vendor = 0x8086, .device = 0x3420, .class_code = 0x060400, .type = 1
    };
    struct iov_pci_bar bar[] = { { .index = 0, .size = 0x1000, .target = &first.registers },
                                 { .size = 0 } };

    memory = (struct memory){ .port.ops = &memory_ops };
    root = (struct slot_bus){ .bus = { .ops = &slot_bus_ops, .upstream = &memory.port } };
    behind = (struct slot_bus){
        .bus = { .ops = &slot_bus_ops, .bridge = &bridge.function, .upstream = &memory.port }
    };
    card_init(&first, &card_header, bar, NULL, 0);
    bar[0].target = &second.registers;
    card_init(&second, &card_header, bar, NULL, 0);
    card_init(&bridge, &bridge_header, NULL, NULL, 0);
    bridge.function.secondary = &behind.bus;
}

static void teardown(void)
{
    card_clear(&first);
    card_clear(&second);
    card_clear(&bridge);
    iov_pci_bus_clear(&root.bus);
    iov_pci_bus_clear(&behind.bus);
}

TestSuite(pci_bus, .init = setup, .fini = teardown);

static uint32_t bus_get(unsigned bus, unsigned devfn, unsigned at)
{
    uint32_t value = 0;
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4 };

    (void)iov_pci_config_access(&root.bus, bus, devfn, &req, false);
    return value;
}

Test(pci_bus, a_slot_takes_one_function_and_a_function_one_slot)
{
    cr_assert(iov_pci_plug(&root.bus, &first.function, 0x20));
    cr_assert(not(iov_pci_plug(&root.bus, &second.function, 0x20)));
    cr_assert(not(iov_pci_plug(&root.bus, &first.function, 0x28)));
    cr_assert(eq(uint, first.function.requester, 0x20));
}

Test(pci_bus, a_slot_carries_dma_and_interrupt_unless_something_else_is_wired)
{
    struct iov_mem_target elsewhere = { .ops = &memory_ops };

    second.dma.peer = &elsewhere;
    cr_assert(iov_pci_plug(&root.bus, &first.function, 0));
    cr_assert(iov_pci_plug(&root.bus, &second.function, 8));
    cr_assert(eq(ptr, first.dma.peer, &memory.port));
    cr_assert(eq(ptr, second.dma.peer, &elsewhere));
    iov_irq_set(&first.interrupt, true, NULL);
    cr_assert(root.level);
    iov_pci_unplug(&first.function);
    cr_assert(not(root.level));
    cr_assert(eq(ptr, first.dma.peer, NULL));
    cr_assert(eq(ptr, first.interrupt.peer, NULL));
}

Test(pci_bus, requester_ids_follow_the_bus_number)
{
    cr_assert(iov_pci_plug(&root.bus, &first.function, 0x21));
    iov_pci_bus_renumber(&root.bus, 3);
    cr_assert(eq(uint, first.function.requester, 0x321));
    cr_assert(iov_pci_plug(&root.bus, &second.function, 0x22));
    cr_assert(eq(uint, second.function.requester, 0x322));
}

Test(pci_bus, of_two_functions_at_one_address_the_lower_answers_until_it_moves)
{
    struct iov_mem_req req = { .address = 0 };

    (void)req;
    cr_assert(iov_pci_plug(&root.bus, &first.function, 0x20));
    cr_assert(iov_pci_plug(&root.bus, &second.function, 0x18));
    config_set(&first, 0x10, 4, 0xfe000000);
    config_set(&second, 0x10, 4, 0xfe000000);
    config_set(&first, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_set(&second, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    cr_assert(eq(uint, root.bus.memory.count, 1));
    cr_assert(eq(ptr, root.bus.memory.windows[0].target, &second.registers));
    config_set(&second, 0x10, 4, 0xfe100000);
    cr_assert(eq(uint, root.bus.memory.count, 2));
    cr_assert(eq(ptr, root.bus.memory.windows[0].target, &first.registers));
    iov_pci_unplug(&first.function);
    cr_assert(eq(uint, root.bus.memory.count, 1));
}

Test(pci_bus, configuration_accesses_go_through_bridges_by_bus_number)
{
    cr_assert(iov_pci_plug(&root.bus, &bridge.function, 0x08));
    cr_assert(iov_pci_plug(&behind.bus, &first.function, 0));
    cr_assert(eq(u32, bus_get(0, 8, 0), 0x34208086));
    cr_assert(eq(u32, bus_get(1, 0, 0), 0xffffffff)); /* not numbered yet */
    config_set(&bridge, PCI_SECONDARY_BUS, 1, 1);
    config_set(&bridge, PCI_SUBORDINATE_BUS, 1, 3);
    iov_pci_bus_renumber(&behind.bus, 1);
    cr_assert(eq(u32, bus_get(1, 0, 0), 0x10c98086));
    cr_assert(eq(u32, bus_get(2, 0, 0), 0xffffffff));
    cr_assert(eq(u32, bus_get(1, 8, 0), 0xffffffff));
    cr_assert(eq(u32, bus_get(4, 0, 0), 0xffffffff));
    cr_assert(eq(u32, bus_get(0, 256, 0), 0xffffffff));
}

Test(pci_bus, a_reset_reaches_everything_behind)
{
    cr_assert(iov_pci_plug(&root.bus, &bridge.function, 0x08));
    cr_assert(iov_pci_plug(&behind.bus, &first.function, 0));
    config_set(&first, 0x3c, 1, 11);
    iov_pci_bus_reset(&root.bus, IOV_PCI_RESET_BUS);
    cr_assert(eq(u32, config_get(&first, 0x3c, 1), 0));
}

Test(pci_bus, pins_are_turned_by_the_slot)
{
    cr_assert(eq(uint, iov_pci_swizzle(0x00, 1), 1));
    cr_assert(eq(uint, iov_pci_swizzle(0x08, 1), 2));
    cr_assert(eq(uint, iov_pci_swizzle(0x18, 2), 1));
    cr_assert(eq(uint, iov_pci_swizzle(0x20, 4), 4));
}
