/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvme - an NVM Express controller, integrated into the root complex: configuration space.
 *
 * SPEC: NVM Express 1.4, 2.1. LIMIT: no controller behind it: its registers read zero, its vectors are never raised.
 */
#include "models/chipset/chipset-private.h"

GType iov_nvme_get_type(void);

typedef ChipsetFunction IovNvme;
typedef ChipsetFunctionClass IovNvmeClass;

G_DEFINE_TYPE(IovNvme, iov_nvme, CHIPSET_TYPE_FUNCTION)

static const struct iov_pci_bar bars[] = {
    { .index = 0, .flags = IOV_PCI_BAR_64, .size = 0x4000 },
    { .size = 0 },
};

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_MSIX(.at = 0x40, .vectors = 65, .bar = 0, .table = 0x2000, .pending = 0x3000),
    IOV_PCI_EXPRESS(.at = 0x80, .type = PCI_EXP_TYPE_RC_END, .max_read_request = 128, .flr = true,
                    .device2 = 0x300000),
    IOV_PCI_POWER(.at = 0x60, .no_soft_reset = true),
};

static void iov_nvme_class_init(IovNvmeClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "nvme", "An NVM Express controller: configuration space");
    klass->header = (struct iov_pci_header){ .vendor = 0x1b36,
                                             .device = 0x0010,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x010802,
                                             .revision = 2,
                                             .interrupt_pin = 1 };
    klass->bars = bars;
    klass->capabilities = capabilities;
    klass->capability_count = G_N_ELEMENTS(capabilities);
}

static void iov_nvme_init(IovNvme *self)
{
    (void)self;
}
