/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piix4-pm - power management 00:01.3 of Intel's PIIX4: configuration space.
 *
 * PMBA puts 64 bytes of ACPI I/O (port `acpi`) anywhere while PMREGMISC enables them.
 * SPEC: Intel 82371AB (PIIX4), 7.1. LIMIT: device monitors and the SMBus host are registers only.
 */
#include "models/chipset/chipset-private.h"

#define PMBA 0x40
#define PMBA_ADDRESS 0xffc0u
#define PMREGMISC 0x80
#define PMREGMISC_ENABLE 1
#define ACPI_SIZE 64u

GType iov_piix4_pm_get_type(void);

typedef struct {
    ChipsetFunction parent_instance;
    struct iov_mem_initiator acpi; /* port */
    struct iov_mem_target window;  /* where PMBA says */
} IovPiix4Pm;
typedef ChipsetFunctionClass IovPiix4PmClass;

G_DEFINE_TYPE(IovPiix4Pm, iov_piix4_pm, CHIPSET_TYPE_FUNCTION)

static const struct chipset_register registers[] = {
    { 0x06, 2, 0x0280, 0 }, /* status: fast back to back, medium decode */
    { PMBA, 4, 1, PMBA_ADDRESS },
    { 0x44, 8, 0, UINT64_MAX }, /* CNTA, CNTB */
    { 0x4c, 4, 0, UINT32_MAX }, /* GPICTL */
    { 0x50, 4, 0, 0x00ffffff }, /* DEVRESD */
    { 0x54, 8, 0, UINT64_MAX }, /* DEVACTA, DEVACTB */
    { 0x5c, 8, 0, UINT64_MAX }, /* DEVRESA, DEVRESB */
    { PMREGMISC, 1, 0, PMREGMISC_ENABLE },
    { 0x90, 4, 1, 0xfff0 }, /* SMBBA */
    { 0xd2, 1, 0, 0x0f },   /* SMBHSTCFG */
    { 0 },
};

static enum iov_status window_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_read_req(&iov_container_of(port, IovPiix4Pm, window)->acpi, req);
}

static enum iov_status window_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_write_req(&iov_container_of(port, IovPiix4Pm, window)->acpi, req);
}

static const struct iov_mem_target_ops window_ops = { .read = window_read, .write = window_write };

static unsigned pm_windows(ChipsetFunction *function, struct iov_pci_window *windows)
{
    IovPiix4Pm *self = (IovPiix4Pm *)(void *)function;
    uint32_t base = iov_pci_get32(&function->space, PMBA) & PMBA_ADDRESS;

    if (!(function->space.bytes[PMREGMISC] & PMREGMISC_ENABLE) || base == 0)
        return 0;
    *windows = (struct iov_pci_window){ base, ACPI_SIZE, &self->window, true };
    return 1;
}

static void iov_piix4_pm_class_init(IovPiix4PmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "piix4-pm", "Power management of a PIIX4: configuration space");
    IOV_PORT_MEM_INITIATOR(mc, IovPiix4Pm, acpi, "ACPI I/O, 64 bytes, where PMBA says");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x7113,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x068000,
                                             .revision = 3,
                                             .interrupt_pin = 1,
                                             .conventional = true };
    klass->registers = registers;
    klass->windows = pm_windows;
}

static void iov_piix4_pm_init(IovPiix4Pm *self)
{
    self->window.ops = &window_ops;
}
