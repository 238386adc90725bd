/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chipset-function - what the fixed functions of a board have in common: a configuration space from
 * rows, and BARs behind which nothing is modelled. A kind derives from it and gives its rows in
 * class_init.
 */
#ifndef IOV_CHIPSET_CHIPSET_PRIVATE_H
#define IOV_CHIPSET_CHIPSET_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"

/* What common emulators give as the subsystem of every device that has none of its own. */
#define CHIPSET_SUBSYSTEM_VENDOR 0x1af4
#define CHIPSET_SUBSYSTEM 0x1100

/* A register of the device's own, beside header and capabilities: little-endian. */
struct chipset_register {
    uint16_t at;
    uint8_t size; /* bytes, up to 8; 0 ends the list */
    uint64_t reset, writable;
};

#define CHIPSET_TYPE_FUNCTION (chipset_function_get_type())
GType chipset_function_get_type(void);
typedef struct chipset_function ChipsetFunction;
typedef struct chipset_function_class ChipsetFunctionClass;

struct chipset_function {
    IovModel parent_instance;
    bool multifunction;              /* property of some */
    struct iov_pci_function pci;     /* port */
    struct iov_mem_initiator dma;    /* port */
    struct iov_irq_source interrupt; /* port */
    struct iov_pci_space space;
    struct iov_mem_target silence; /* registers that nobody models: read zero, take any write */
};

struct chipset_function_class {
    IovModelClass parent_class;
    struct iov_pci_header header;
    const struct iov_pci_bar *bars; /* targets are `silence`; ends with size 0; or NULL */
    const struct iov_pci_capability *capabilities;
    unsigned capability_count;
    const struct chipset_register *registers; /* or NULL */
    /* Windows beside the BARs; returns how many. NULL: none. */
    unsigned (*windows)(ChipsetFunction *self, struct iov_pci_window *windows);
    /* Registers were written, or all were reset (then `size` is 4096). NULL: nothing follows. */
    void (*changed)(ChipsetFunction *self, unsigned offset, unsigned size);
};

#define CHIPSET_FUNCTION_CLASS(klass) ((ChipsetFunctionClass *)(void *)(klass))

#endif
