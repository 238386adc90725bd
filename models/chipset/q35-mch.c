/* SPDX-License-Identifier: Apache-2.0 */
/*
 * q35-mch - the host bridge 00:00.0 of Intel's 82Q35: where PCI Express configuration lies in
 * memory, and registers of the memory controller.
 *
 * PCIEXBAR puts the ECAM window (port `ecam`, to a pci-host's) anywhere in memory; the other
 * registers keep what they are told.
 * SPEC: Intel 3 Series Express Chipset, 5.1 (device 0). Register 0x50 is an emulator's: how large
 * an extended TSEG is, asked for by writing ones. LIMIT: no SMRAM, PAM, TSEG, remapping or hole:
 * memory is as the address map says; reset values of unused registers are zero, as firmware of
 * virtual machines finds them.
 */
#include "models/chipset/chipset-private.h"

#define EXT_TSEG 0x50
#define EXT_TSEG_QUERY 0xffff
#define EXT_TSEG_MBYTES 16
#define PCIEXBAR 0x60
#define PCIEXBAR_ENABLE 1u
#define PCIEXBAR_LENGTH(value) ((unsigned)((value) >> 1 & 3))
#define SMRAM 0x9d
#define SMRAM_LOCK 0x10
#define SMRAM_CLOSED 0x20
#define SMRAM_OPEN 0x40
#define SMRAM_WRITABLE 0x78
#define ESMRAMC 0x9e
#define ESMRAMC_WRITABLE 0x87

#define IOV_TYPE_Q35_MCH (iov_q35_mch_get_type())
GType iov_q35_mch_get_type(void);

typedef struct {
    ChipsetFunction parent_instance;
    struct iov_mem_initiator ecam; /* port */
    struct iov_mem_target window;  /* where PCIEXBAR says */
} IovQ35Mch;
typedef ChipsetFunctionClass IovQ35MchClass;

G_DEFINE_TYPE(IovQ35Mch, iov_q35_mch, CHIPSET_TYPE_FUNCTION)

static const struct chipset_register registers[] = {
    { 0x40, 8, 0, UINT64_C(0xffffff001) }, /* EPBAR */
    { 0x48, 8, 0, UINT64_C(0xfffffc001) }, /* MCHBAR */
    { EXT_TSEG, 2, EXT_TSEG_MBYTES, 0xffff },
    { PCIEXBAR, 8, 0xb0000000, UINT64_C(0xffc000007) },
    { 0x68, 8, 0, UINT64_C(0xffffff001) },    /* DMIBAR */
    { 0x90, 1, 0, 0x30 },                     /* PAM0: 0xf0000 */
    { 0x91, 6, 0, UINT64_C(0x333333333333) }, /* PAM1 to PAM6: 0xc0000 to 0xeffff */
    { 0x97, 1, 0, 0x80 },                     /* LAC */
    { 0x98, 2, 0, 0x3ff },                    /* REMAPBASE */
    { 0x9a, 2, 0, 0x3ff },                    /* REMAPLIMIT */
    { SMRAM, 1, 0x02, SMRAM_WRITABLE },
    { ESMRAMC, 1, 0x38, ESMRAMC_WRITABLE },
    { 0xa0, 2, 0, 0x01ff },     /* TOM */
    { 0xa2, 2, 0, 0xffff },     /* TOUUD */
    { 0xa4, 4, 0, 0xfff00000 }, /* GBSM */
    { 0xa8, 4, 0, 0xfff00000 }, /* BGSM */
    { 0xac, 4, 0, 0xfff00000 }, /* TSEGMB */
    { 0xb0, 2, 0, 0xfff0 },     /* TOLUD */
    { 0xdc, 4, 0, UINT32_MAX }, /* SKPD */
    { 0 },
};

static enum iov_status window_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_read_req(&iov_container_of(port, IovQ35Mch, window)->ecam, req);
}

static enum iov_status window_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_write_req(&iov_container_of(port, IovQ35Mch, window)->ecam, req);
}

static const struct iov_mem_target_ops window_ops = { .read = window_read, .write = window_write };

/* 256, 128 or 64 buses; the fourth length is reserved and claims nothing. */
static unsigned mch_windows(ChipsetFunction *function, struct iov_pci_window *windows)
{
    IovQ35Mch *self = (IovQ35Mch *)(void *)function;
    uint32_t low = iov_pci_get32(&function->space, PCIEXBAR);
    uint64_t base = (uint64_t)iov_pci_get32(&function->space, PCIEXBAR + 4) << 32 | low;
    uint64_t size = (UINT64_C(256) << 20) >> PCIEXBAR_LENGTH(low);

    if (!(low & PCIEXBAR_ENABLE) || PCIEXBAR_LENGTH(low) == 3)
        return 0;
    *windows = (struct iov_pci_window){ base & ~(size - 1), size, &self->window, false };
    return 1;
}

/* The lock closes SMRAM and makes the registers read only until the next reset. */
static void lock_smram(struct iov_pci_space *space)
{
    bool locked = space->bytes[SMRAM] & SMRAM_LOCK;

    if (locked)
        space->bytes[SMRAM] &= (uint8_t)~SMRAM_OPEN;
    space->writable[SMRAM] = locked ? SMRAM_CLOSED : SMRAM_WRITABLE;
    space->writable[ESMRAMC] = locked ? 0 : ESMRAMC_WRITABLE;
}

static void mch_changed(ChipsetFunction *function, unsigned offset, unsigned size)
{
    struct iov_pci_space *space = &function->space;

    (void)offset;
    (void)size;
    if (iov_pci_get16(space, EXT_TSEG) == EXT_TSEG_QUERY) {
        space->bytes[EXT_TSEG] = EXT_TSEG_MBYTES;
        space->bytes[EXT_TSEG + 1] = 0;
    }
    lock_smram(space);
}

static void iov_q35_mch_class_init(IovQ35MchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "q35-mch", "The host bridge of a Q35 board: configuration space");
    IOV_PORT_MEM_INITIATOR(mc, IovQ35Mch, ecam, "The ECAM window that PCIEXBAR places");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x29c0,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x060000,
                                             .conventional = true };
    klass->registers = registers;
    klass->windows = mch_windows;
    klass->changed = mch_changed;
}

static void iov_q35_mch_init(IovQ35Mch *self)
{
    self->window.ops = &window_ops;
}
