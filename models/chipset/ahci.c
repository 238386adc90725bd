/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahci - the SATA controller of Intel's ICH9 in AHCI mode: configuration space. It is 00:1f.2 of
 * the board, or a card.
 *
 * SPEC: Intel I/O Controller Hub 9, 15.1; AHCI 1.3.1, 2. LIMIT: no ports and no disks: its
 * registers read zero.
 */
#include "models/chipset/chipset-private.h"

GType iov_ahci_get_type(void);

typedef ChipsetFunction IovAhci;
typedef ChipsetFunctionClass IovAhciClass;

G_DEFINE_TYPE(IovAhci, iov_ahci, CHIPSET_TYPE_FUNCTION)

static const struct iov_pci_bar bars[] = {
    { .index = 4, .flags = IOV_PCI_BAR_IO, .size = 32 },
    { .index = 5, .size = 0x1000 },
    { .size = 0 },
};

/* Revision 1.0; index and data in BAR 4. */
static const uint8_t sata[] = { 0x10, 0x00, 0x48, 0x00, 0x00, 0x00 };

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_MSI(.at = 0x80, .vectors = 1, .wide = true),
    { .id = PCI_CAP_ID_SATA, .at = 0xa8, .size = 8, .bytes = sata },
};

static const struct chipset_register registers[] = {
    { 0x90, 1, 0x40, 0xc0 }, /* MAP: AHCI mode */
    { 0 },
};

static void iov_ahci_class_init(IovAhciClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "ahci", "A SATA controller in AHCI mode: configuration space");
    IOV_PROP_BOOL(mc, ChipsetFunction, multifunction, false,
                  "One of several functions of its device");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x2922,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x010601,
                                             .revision = 2,
                                             .interrupt_pin = 1,
                                             .conventional = true };
    klass->bars = bars;
    klass->capabilities = capabilities;
    klass->capability_count = G_N_ELEMENTS(capabilities);
    klass->registers = registers;
}

static void iov_ahci_init(IovAhci *self)
{
    (void)self;
}
