/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e1000e - Intel 82574L Gigabit Ethernet controller, integrated into the root complex: configuration space.
 *
 * SPEC: Intel 82574 GbE Controller Family, 9. LIMIT: no controller behind it: its registers read zero, it sends no frame.
 */
#include "models/chipset/chipset-private.h"

GType iov_e1000e_get_type(void);

typedef ChipsetFunction IovE1000e;
typedef ChipsetFunctionClass IovE1000eClass;

G_DEFINE_TYPE(IovE1000e, iov_e1000e, CHIPSET_TYPE_FUNCTION)

static const struct iov_pci_bar bars[] = {
    { .index = 0, .size = 0x20000 },
    { .index = 1, .size = 0x20000 },
    { .index = 2, .flags = IOV_PCI_BAR_IO, .size = 32 },
    { .index = 3, .size = 0x4000 },
    { .size = 0 },
};

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_POWER(.at = 0xc8, .version = 2, .pm = PCI_PM_CAP_DSI),
    IOV_PCI_MSI(.at = 0xd0, .vectors = 1, .wide = true),
    IOV_PCI_EXPRESS(.at = 0xe0, .version = 1, .type = PCI_EXP_TYPE_RC_END, .max_read_request = 128),
    IOV_PCI_MSIX(.at = 0xa0, .vectors = 5, .bar = 3, .table = 0, .pending = 0x2000),
    IOV_PCI_ERROR_REPORTING(.at = 0x100, .version = 1, .size = 0x40),
    IOV_PCI_SERIAL(.at = 0x140, .serial = 0x525400ffff123456),
};

static void iov_e1000e_class_init(IovE1000eClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "e1000e",
                             "An Intel 82574L Ethernet controller: configuration space");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x10d3,
                                             .subsystem_vendor = 0x8086,
                                             .subsystem = 0,
                                             .class_code = 0x020000,
                                             .interrupt_pin = 1 };
    klass->bars = bars;
    klass->capabilities = capabilities;
    klass->capability_count = G_N_ELEMENTS(capabilities);
}

static void iov_e1000e_init(IovE1000e *self)
{
    (void)self;
}
