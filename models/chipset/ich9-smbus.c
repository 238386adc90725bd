/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ich9-smbus - the SMBus controller 00:1f.3 of Intel's ICH9: configuration space.
 *
 * SPEC: Intel I/O Controller Hub 9, 18.1. LIMIT: no bus behind it: its I/O registers read zero; no
 * BAR for memory.
 */
#include "models/chipset/chipset-private.h"

GType iov_ich9_smbus_get_type(void);

typedef ChipsetFunction IovIch9Smbus;
typedef ChipsetFunctionClass IovIch9SmbusClass;

G_DEFINE_TYPE(IovIch9Smbus, iov_ich9_smbus, CHIPSET_TYPE_FUNCTION)

static const struct iov_pci_bar bars[] = {
    { .index = 4, .flags = IOV_PCI_BAR_IO, .size = 64 },
    { .size = 0 },
};

static const struct chipset_register registers[] = {
    { 0x40, 1, 0, 0x07 }, /* HOSTC */
    { 0 },
};

static void iov_ich9_smbus_class_init(IovIch9SmbusClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "ich9-smbus",
                             "The SMBus controller of an ICH9: configuration space");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x2930,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x0c0500,
                                             .revision = 2,
                                             .interrupt_pin = 1,
                                             .multifunction = true,
                                             .conventional = true };
    klass->bars = bars;
    klass->registers = registers;
}

static void iov_ich9_smbus_init(IovIch9Smbus *self)
{
    (void)self;
}
