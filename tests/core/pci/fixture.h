/* SPDX-License-Identifier: Apache-2.0 */
/* A function with a configuration space, a bus that keeps what it hears, and a memory that keeps
 * messages. */
#ifndef IOV_TESTS_CORE_PCI_FIXTURE_H
#define IOV_TESTS_CORE_PCI_FIXTURE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib.h>
#include <string.h>

#include "core/pci/bus.h"
#include "core/pci/space.h"

/* What went upstream. */
struct memory {
    struct iov_mem_target port;
    unsigned writes;
    uint64_t address;
    uint32_t data;
    uint16_t requester, flags;
    iov_time delay;
};

struct slot_bus {
    struct iov_pci_bus bus;
    unsigned changes;
    unsigned pin;
    bool level;
};

struct card {
    struct iov_pci_function function;
    struct iov_pci_space space;
    struct iov_mem_initiator dma;
    struct iov_irq_source interrupt;
    struct iov_mem_target registers;
    unsigned what; /* of the last change */
    unsigned changes;
};

static inline enum iov_status memory_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    struct memory *memory = iov_container_of(port, struct memory, port);

    memory->writes++;
    memory->address = req->address;
    memcpy(&memory->data, req->data, sizeof memory->data);
    memory->requester = req->requester;
    memory->flags = req->flags;
    memory->delay = req->delay;
    return IOV_STATUS_OK;
}

static inline enum iov_status registers_access(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops memory_ops = { .read = registers_access,
                                                      .write = memory_write };
static const struct iov_mem_target_ops registers_ops = { .read = registers_access,
                                                         .write = registers_access };

static inline void slot_intx(struct iov_pci_bus *bus, struct iov_pci_function *function,
                             unsigned pin, bool level, struct iov_span *span)
{
    struct slot_bus *slots = iov_container_of(bus, struct slot_bus, bus);

    (void)function;
    (void)span;
    slots->changes++;
    slots->pin = pin;
    slots->level = level;
}

static const struct iov_pci_bus_ops slot_bus_ops = { .intx = slot_intx };

static inline void card_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                                uint16_t size)
{
    struct card *card = iov_container_of(function, struct card, function);

    (void)offset;
    (void)size;
    card->what = what;
    card->changes++;
}

static const struct iov_pci_function_ops card_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = iov_pci_space_windows,
};

static const struct iov_pci_header card_header = {
    .vendor = 0x8086,
    .device = 0x10c9,
    .subsystem_vendor = 0x8086,
    .subsystem = 0xa03c,
    .class_code = 0x020000,
    .revision = 1,
    .interrupt_pin = 1,
};

static inline void card_init(struct card *card, const struct iov_pci_header *header,
                             const struct iov_pci_bar *bars,
                             const struct iov_pci_capability *capabilities, unsigned count)
{
    *card = (struct card){
        .function = { .ops = &card_ops, .dma = &card->dma, .interrupt = &card->interrupt }
    };
    card->registers.ops = &registers_ops;
    card->space.changed = card_changed;
    iov_pci_space_init(&card->space, &card->function, header, bars, capabilities, count);
}

static inline void card_clear(struct card *card)
{
    iov_pci_function_clear(&card->function);
    iov_pci_space_clear(&card->space);
}

/* Configuration accesses to a card, as a bus makes them. */
static inline uint32_t config_get(struct card *card, uint64_t at, uint32_t size)
{
    uint64_t value = 0;
    struct iov_mem_req req = { .address = at, .data = &value, .size = size, .pasid = IOV_NO_PASID };

    cr_assert(eq(int, card->function.ops->config_read(&card->function, &req), IOV_STATUS_OK));
    return (uint32_t)value;
}

static inline void config_set(struct card *card, uint64_t at, uint32_t size, uint32_t value)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = size, .pasid = IOV_NO_PASID };

    cr_assert(eq(int, card->function.ops->config_write(&card->function, &req), IOV_STATUS_OK));
}

#endif
