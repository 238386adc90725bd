/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pci port: a function on a bus.
 *
 * One wire `{from: port.slots, to: nic.pci, at: DEVFN}` plugs a function in and carries all that a
 * slot carries: configuration accesses and decoded windows down; DMA, messages and INTx up. To that
 * end the function names its own `dma` initiator and `interrupt` source; plugging connects those
 * that nothing else is wired to. A device that sits in an emulator simply leaves its pci port open.
 *
 * The owner of a bus is a host bridge or a PCI-to-PCI bridge (root port, switch port). What is
 * generic - which function a configuration access means, which window an address falls into - is in
 * core/pci/bus.h, the bytes of a function's configuration space in core/pci/space.h.
 *
 * SPEC: PCI Express Base 5.0, 7.3 (configuration), 2.2.6 (requester IDs), 2.2.8.1 (INTx), 6.6
 * (resets); PCI-to-PCI Bridge 1.2, 4 (windows).
 */
#ifndef IOV_PORT_PCI_H
#define IOV_PORT_PCI_H

#include <stdbool.h>

#include "core/port/irq.h"
#include "core/port/map.h"
#include "core/port/mem.h"

IOV_BEGIN_DECLS

#define IOV_PCI_FUNCTIONS 256u  /* of a bus: device << 3 | function, or the ARI function number */
#define IOV_PCI_WINDOWS_MAX 10u /* that one function decodes */
#define IOV_PCI_CONFIG_SIZE 4096u

struct iov_pci_bus;
struct iov_pci_function;
struct iov_pci_space;

enum iov_pci_reset {
    IOV_PCI_RESET_COLD,     /* power on, or the machine's reset: sticky bits too */
    IOV_PCI_RESET_BUS,      /* secondary bus reset or hot reset of the link */
    IOV_PCI_RESET_FUNCTION, /* FLR, or D3hot to D0 of a function without No_Soft_Reset */
};

/* A range of addresses that a function claims at present. */
struct iov_pci_window {
    uint64_t base;
    uint64_t size;
    struct iov_mem_target *target; /* sees addresses relative to `base` */
    bool io;                       /* I/O space */
};

struct iov_pci_function_ops {
    /* `address` of the request is the offset in the function's configuration space. */
    enum iov_status (*config_read)(struct iov_pci_function *function, struct iov_mem_req *req);
    enum iov_status (*config_write)(struct iov_pci_function *function, struct iov_mem_req *req);
    /* The ranges that it claims now; returns how many, at most IOV_PCI_WINDOWS_MAX. */
    unsigned (*windows)(struct iov_pci_function *function, struct iov_pci_window *windows);
    void (*reset)(struct iov_pci_function *function, enum iov_pci_reset kind);
    /* Of a bridge: takes a configuration access to a bus behind it over the link. NULL for
     * others. */
    enum iov_status (*forward)(struct iov_pci_function *bridge, unsigned bus, unsigned devfn,
                               struct iov_mem_req *req, bool write);
};

/* One end, embedded in its model. */
struct iov_pci_function {
    const struct iov_pci_function_ops *ops;
    /* Set by the model before it is plugged in; each may be NULL. */
    struct iov_pci_space *space;
    struct iov_mem_initiator *dma;
    struct iov_irq_source *interrupt;
    struct iov_pci_bus *secondary; /* of a bridge: the bus behind it */
    /* Set by the bus. */
    struct iov_pci_bus *bus; /* NULL: not plugged in */
    uint8_t devfn;
    uint16_t requester;       /* bus << 8 | devfn, kept true when buses are renumbered */
    struct iov_irq_sink intx; /* where `interrupt` leads */
    struct iov_pci_window claimed[IOV_PCI_WINDOWS_MAX]; /* what it decodes at present */
    unsigned claimed_count;
};

struct iov_pci_bus_ops {
    /* INTA (1) to INTD (4) of a function on this bus changed. */
    void (*intx)(struct iov_pci_bus *bus, struct iov_pci_function *function, unsigned pin,
                 bool level, struct iov_span *span);
    /* A function was plugged in, or is out. May be NULL. */
    void (*plugged)(struct iov_pci_bus *bus, struct iov_pci_function *function, bool present);
};

/* The other end, embedded in the model of the bridge. Functions are plugged in while wiring, or
 * hot. */
struct iov_pci_bus {
    const struct iov_pci_bus_ops *ops;
    struct iov_pci_function *bridge; /* that leads to this bus; NULL: a root bus */
    struct iov_mem_target *upstream; /* where the functions' DMA and messages go */
    uint8_t number;
    struct iov_pci_function *functions[IOV_PCI_FUNCTIONS];
    /* What the functions decode, kept true by iov_pci_decode_changed(). */
    struct iov_mem_map memory;
    struct iov_mem_map io;
};

IOV_END_DECLS

#endif
