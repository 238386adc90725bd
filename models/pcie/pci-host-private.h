/* SPDX-License-Identifier: Apache-2.0 */
/* The root complex and its firmware: see pci-host.c and firmware.c. */
#ifndef IOV_PCIE_PCI_HOST_PRIVATE_H
#define IOV_PCIE_PCI_HOST_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"

#define PIRQS 8u

#define IOV_TYPE_PCI_HOST (iov_pci_host_get_type())
G_DECLARE_FINAL_TYPE(IovPciHost, iov_pci_host, IOV, PCI_HOST, IovModel)

struct _IovPciHost {
    IovModel parent_instance;
    uint64_t buses;                                 /* property */
    uint64_t memory_base, memory_size;              /* properties */
    int interrupt_routing;                          /* property */
    bool firmware;                                  /* property */
    uint64_t memory_window, memory_window_size;     /* properties */
    uint64_t prefetch_window, prefetch_window_size; /* properties */
    uint64_t io_window, io_window_size;             /* properties */
    struct iov_pci_bus slots;                       /* port */
    struct iov_mem_target config_io, ecam;          /* ports */
    struct iov_mem_target memory, io;               /* ports */
    struct iov_mem_target upstream;                 /* port */
    struct iov_mem_initiator bus;                   /* port */
    struct iov_irq_source pirq[PIRQS];              /* port */
    struct iov_notify_source reset;                 /* port */
    uint32_t config_address;
    uint8_t reset_control;
    unsigned asserted[PIRQS]; /* functions that drive each line */
    uint64_t config_accesses, config_unclaimed, unclaimed, unassigned; /* statistics */
};

/* ---- Firmware ---- */

struct pci_range {
    uint64_t next, left; /* first free address, bytes from there on */
};

struct pci_firmware {
    struct pci_range memory, prefetch, io;
};

/*
 * Numbers the buses behind `root`, depth first; sizes and assigns BARs, bridge windows and VF BARs;
 * enables decoding and bus mastering. Takes no time. Returns how many BARs found no room; they stay
 * unassigned.
 */
unsigned pci_firmware_run(struct pci_firmware *firmware, struct iov_pci_bus *root);

#endif
