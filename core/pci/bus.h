/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every owner of a PCI bus does alike: plugging functions in, finding the one that a
 * configuration access or an address means, numbering. A host bridge (models/pcie) owns bus 0, a
 * root or switch port the bus behind it.
 */
#ifndef IOV_PCI_BUS_H
#define IOV_PCI_BUS_H

#include "core/port/pci.h"

IOV_BEGIN_DECLS

/* Plugs a function in; false if the place is taken. Connects its dma and interrupt if nothing else
 * is. */
IOV_API bool iov_pci_plug(struct iov_pci_bus *bus, struct iov_pci_function *function,
                          uint8_t devfn);
/* Takes it out: its windows close, its requests go nowhere. */
IOV_API void iov_pci_unplug(struct iov_pci_function *function);
/* The function's windows changed (BAR, command register, bridge window): the bus decodes anew. */
IOV_API void iov_pci_decode_changed(struct iov_pci_function *function);
/* The number of a bus changed: requester IDs follow. */
IOV_API void iov_pci_bus_renumber(struct iov_pci_bus *bus, uint8_t number);
/*
 * A configuration access to (bus, devfn), starting at bus `from`. To nobody: UNSUPPORTED, a read
 * gives ones. Inside one DWORD.
 */
IOV_API enum iov_status iov_pci_config_access(struct iov_pci_bus *from, unsigned bus,
                                              unsigned devfn, struct iov_mem_req *req, bool write);
/* Resets every function of the bus and behind it. */
IOV_API void iov_pci_bus_reset(struct iov_pci_bus *bus, enum iov_pci_reset kind);
/*
 * In the owner's finalize (core/object does it for what is declared in rows): the bus, or the
 * function, is gone; nobody is told. A function that is not a port of its model is cleared by it.
 */
IOV_API void iov_pci_bus_clear(struct iov_pci_bus *bus);
IOV_API void iov_pci_function_clear(struct iov_pci_function *function);
/* Pin 1 to 4 of a function in slot `devfn` behind a bridge, as the bridge's own pin. SPEC:
 * PCI-to-PCI Bridge 1.2, 9.1. */
static inline unsigned iov_pci_swizzle(uint8_t devfn, unsigned pin)
{
    return (pin - 1 + (devfn >> 3)) % 4 + 1;
}

IOV_END_DECLS

#endif
