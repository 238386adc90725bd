/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piix3-ide - the IDE controller 00:01.1 of Intel's PIIX3: configuration space.
 *
 * SPEC: Intel 82371SB (PIIX3), 2.3. LIMIT: no channels and no disks: its registers read zero.
 */
#include "models/chipset/chipset-private.h"

GType iov_piix3_ide_get_type(void);

typedef ChipsetFunction IovPiix3Ide;
typedef ChipsetFunctionClass IovPiix3IdeClass;

G_DEFINE_TYPE(IovPiix3Ide, iov_piix3_ide, CHIPSET_TYPE_FUNCTION)

static const struct iov_pci_bar bars[] = {
    { .index = 4, .flags = IOV_PCI_BAR_IO, .size = 16 },
    { .size = 0 },
};

static const struct chipset_register registers[] = {
    { 0x06, 2, 0x0280, 0 },     /* status: fast back to back, medium decode */
    { 0x40, 4, 0, 0xf3fff3ff }, /* IDETIM, both channels */
    { 0x44, 1, 0, 0xff },       /* SIDETIM */
    { 0 },
};

static void iov_piix3_ide_class_init(IovPiix3IdeClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "piix3-ide", "The IDE controller of a PIIX3: configuration space");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x7010,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x010180,
                                             .conventional = true };
    klass->bars = bars;
    klass->registers = registers;
}

static void iov_piix3_ide_init(IovPiix3Ide *self)
{
    (void)self;
}
