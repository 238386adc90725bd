/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i440fx - the host bridge 00:00.0 of Intel's 82441FX: configuration space.
 *
 * SPEC: Intel 440FX PCIset, 82441FX, 3.2. LIMIT: no PAM, SMRAM or hole: memory is as the address
 * map says; reset values of DRAM registers are zero, as firmware of virtual machines finds them.
 */
#include "models/chipset/chipset-private.h"

GType iov_i440fx_get_type(void);

typedef ChipsetFunction IovI440fx;
typedef ChipsetFunctionClass IovI440fxClass;

G_DEFINE_TYPE(IovI440fx, iov_i440fx, CHIPSET_TYPE_FUNCTION)

static const struct chipset_register registers[] = {
    { 0x50, 2, 0, 0xffff },                   /* PMCCFG */
    { 0x59, 1, 0, 0x30 },                     /* PAM0: 0xf0000 */
    { 0x5a, 6, 0, UINT64_C(0x333333333333) }, /* PAM1 to PAM6: 0xc0000 to 0xeffff */
    { 0x60, 8, 0, UINT64_MAX },               /* DRB */
    { 0x68, 1, 0, 0xc0 },                     /* FDHC */
    { 0x70, 1, 0, 0xff },                     /* MTT */
    { 0x72, 1, 0x02, 0x78 },                  /* SMRAM */
    { 0 },
};

static void iov_i440fx_class_init(IovI440fxClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "i440fx", "The host bridge of a 440FX board: configuration space");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x1237,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x060000,
                                             .revision = 2,
                                             .conventional = true };
    klass->registers = registers;
}

static void iov_i440fx_init(IovI440fx *self)
{
    (void)self;
}
