/* SPDX-License-Identifier: Apache-2.0 */
/*
 * igb-pf - the host's driver of an 82576's physical function, as far as virtual functions need it:
 * it enables as many as were given away, each with an address of its own and the switch between
 * them, and serves their mailboxes in the interrupt that they raise, as Linux's igb does.
 *
 * Addresses of BARs are those that firmware chooses for a card that is alone behind its port:
 * registers, then the virtual functions' registers and their MSI-X tables, then the card's own
 * table.
 * LIMIT: setting up the port takes no time (it is over before guests start); the physical function
 * moves no frames of the host; no VLANs, no multicast groups.
 */
#include "models/hypervisor/igb-pf.h"
#include "core/net/address.h"

#include <linux/pci_regs.h>
#include <stdio.h>

#include "models/hypervisor/host-iommu.h"
#include "models/hypervisor/igb-switch.h"
#include "models/iommu/vtd-regs.h"
#include "models/irq/ioapic-regs.h"

#define SRIOV 0x160 /* of the capability, in the configuration space of kind igb */
#define MSIX_ENTRY 16
#define FIRST_FUNCTION 0x80u /* from the physical function's number, and each two from the last */

struct _IovIgbPf {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref, *iommu_ref;
    uint64_t cpu, function, registers, vfs;
    char *mac;
    /* costs */
    iov_time message_cost;
    /* ports */
    struct iov_mem_initiator config, bus;
    /* state */
    IovLinuxHost *host;
    struct iov_host_irq irq;
    uint8_t vector;
    uint8_t address[6]; /* of virtual function 0; the others count up */
    unsigned taken;
    struct iov_event set_up;
    /* statistics */
    uint64_t interrupts, messages, refused, resets;
};

G_DEFINE_FINAL_TYPE(IovIgbPf, iov_igb_pf, IOV_TYPE_MODEL)

/* ---- Where things are ---- */

/* Firmware places the larger first, and what is as large in the order of the registers: with one
 * virtual function the physical one's table comes before. */
static bool own_msix_is_first(const IovIgbPf *self)
{
    return self->vfs * IGB_VF_BAR_SIZE <= IGB_MSIX_BAR_SIZE;
}

static uint64_t virtual_registers(const IovIgbPf *self)
{
    return self->registers + IGB_BAR_SIZE + (own_msix_is_first(self) ? IGB_MSIX_BAR_SIZE : 0);
}

static uint64_t virtual_msix(const IovIgbPf *self)
{
    return virtual_registers(self) + self->vfs * IGB_VF_BAR_SIZE;
}

static uint64_t own_msix(const IovIgbPf *self)
{
    return own_msix_is_first(self) ? self->registers + IGB_BAR_SIZE
                                   : virtual_msix(self) + self->vfs * IGB_MSIX_BAR_SIZE;
}

bool iov_igb_pf_take(IovIgbPf *pf, struct iov_igb_vf *ret_vf, GError **error)
{
    if (pf->taken == pf->vfs)
        return iov_model_fail(IOV_MODEL(pf), error,
                              "vfs: all %u virtual functions are given away; an 82576 has 8, the "
                              "kind igb up to 63",
                              pf->taken);
    *ret_vf = (struct iov_igb_vf){
        .requester = (uint16_t)(pf->function + FIRST_FUNCTION + 2 * pf->taken),
        .index = pf->taken,
        .registers = virtual_registers(pf) + pf->taken * IGB_VF_BAR_SIZE,
        .msix = virtual_msix(pf) + pf->taken * IGB_MSIX_BAR_SIZE,
    };
    pf->taken++;
    return true;
}

/* ---- Accesses that take no time ---- */

static void set(IovIgbPf *self, uint32_t reg, uint32_t value)
{
    poke(&self->bus, self->registers + reg, 4, value);
}

static void config_set(IovIgbPf *self, uint16_t function, uint32_t at, uint32_t size,
                       uint32_t value)
{
    poke(&self->config, (uint64_t)function << 12 | at, size, value);
}

/* ---- Set-up ---- */

static void functions_enable(IovIgbPf *self)
{
    uint16_t function = (uint16_t)self->function;

    config_set(self, function, SRIOV + PCI_SRIOV_NUM_VF, 2, self->taken);
    config_set(self, function, SRIOV + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
    for (unsigned i = 0; i < self->taken; i++) {
        uint16_t vf = (uint16_t)(function + FIRST_FUNCTION + 2 * i);

        config_set(self, vf, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        config_set(self, vf, 0x70 + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    }
}

/* The physical function's pool is the one behind those of the virtual ones. */
static void switch_set_up(IovIgbPf *self)
{
    igb_switch_set_up(&self->bus, self->registers, self->taken, 0);
    set(self, IGB_X_MAC_SPOOF, UINT32_MAX);
    set(self, IGB_X_MAC_SPOOF + 4, UINT32_MAX);
    set(self, IGB_X_VLAN_SPOOF, UINT32_MAX);
    set(self, IGB_X_VLAN_SPOOF + 4, UINT32_MAX);
}

static void interrupts_set_up(IovIgbPf *self)
{
    set(self, IGB_IVAR_MISC, IGB_IVAR_VALID << 8);
    set(self, IGB_EIAC, 1);
    set(self, IGB_EIAM, 1);
    set(self, IGB_EIMS, 1);
    set(self, IGB_IMS, IGB_ICR_VMMB);
    set(self, IGB_X_MBVFIMR, UINT32_MAX);
    set(self, IGB_X_MBVFIMR + 4, UINT32_MAX);
    set(self, IGB_CTRL_EXT, IGB_CTRL_EXT_PFRSTD | IGB_CTRL_EXT_DRV_LOAD);
}

static void on_set_up(struct iov_event *event)
{
    IovIgbPf *self = iov_container_of(event, IovIgbPf, set_up);

    functions_enable(self);
    switch_set_up(self);
    interrupts_set_up(self);
}

/* The card's entry 0 leads to this host's vector; with remapping through an entry of the unit. */
static void run(void *argument)
{
    IovIgbPf *self = argument;
    IovHostIommu *iommu = (IovHostIommu *)(void *)self->iommu_ref;
    struct iov_thread *thread = iov_host_current(self->host);
    uint32_t id = iov_host_processor(self->host, (unsigned)self->cpu)->apic_id;
    uint64_t address = MSI_BASE | id << MSI_ADDRESS_DESTINATION_SHIFT;
    uint32_t data = self->vector;
    unsigned entry;

    if (iommu != NULL && iov_host_iommu_remaps(iommu) &&
        iov_host_iommu_entry_alloc(iommu, &entry)) {
        iov_host_iommu_entry_write(iommu, &thread->exec, entry,
                                   vtd_irte_remapped(self->vector, id << 8),
                                   vtd_irte_source((uint16_t)self->function));
        address = vtd_message_address(entry);
        data = 0;
    }
    poke(&self->bus, own_msix(self), 8, address);
    poke(&self->bus, own_msix(self) + 8, 4, data);
    poke(&self->bus, own_msix(self) + 12, 4, 0);
}

/* ---- The mailbox ---- */

static uint32_t reg_read(const IovIgbPf *self, struct iov_exec *exec, uint32_t reg)
{
    return (uint32_t)iov_exec_load(exec, self->registers + reg, 4);
}

static void reg_write(const IovIgbPf *self, struct iov_exec *exec, uint32_t reg, uint32_t value)
{
    iov_exec_store(exec, self->registers + reg, 4, value);
}

/* Sets the bit of `vf` in a set of 64. */
static void bit_set(const IovIgbPf *self, struct iov_exec *exec, uint32_t reg, unsigned vf)
{
    uint32_t at = reg + vf / 32 * 4;

    reg_write(self, exec, at, reg_read(self, exec, at) | 1u << vf % 32);
}

static void address_set(const IovIgbPf *self, struct iov_exec *exec, unsigned vf, uint32_t *words)
{
    igb_address_words(self->address, vf, words);
    reg_write(self, exec, IGB_X_RAL(vf), words[0]);
    reg_write(self, exec, IGB_X_RAL(vf) + 4, words[1] | IGB_RAH_VALID);
    bit_set(self, exec, IGB_X_RA_POOLS(vf), vf);
}

/* Does what `words` ask for and leaves the answer there; its length. */
static unsigned serve(IovIgbPf *self, struct iov_exec *exec, unsigned vf, uint32_t *words)
{
    uint32_t kind = words[0] & IGB_MAILBOX_KIND;
    unsigned count = 1;

    words[0] = kind | IGB_MAILBOX_ACK;
    switch (kind) {
    case IGB_MAILBOX_RESET:
        self->resets++;
        reg_write(self, exec, IGB_X_VMOLR(vf), igb_pool_takes(IGB_FRAME_LONGEST));
        address_set(self, exec, vf, words + 1);
        bit_set(self, exec, IGB_X_VFTE, vf);
        bit_set(self, exec, IGB_X_VFRE, vf);
        return 3;
    case IGB_MAILBOX_SET_LENGTH:
        reg_write(self, exec, IGB_X_VMOLR(vf), igb_pool_takes(words[1]) | IGB_VMOLR_LPE);
        break;
    case IGB_MAILBOX_SET_MULTICAST:
        break; /* nobody in a group */
    default:   /* its address is what it was given */
        self->refused++;
        words[0] = kind | IGB_MAILBOX_NACK;
        break;
    }
    words[0] |= IGB_MAILBOX_CLEAR;
    return count;
}

static void message_take(IovIgbPf *self, struct iov_exec *exec, unsigned vf)
{
    uint32_t words[IGB_MAILBOX_WORDS];
    unsigned count;

    self->messages++;
    iov_exec_compute(exec, self->message_cost, IOV_PART_HOST);
    reg_write(self, exec, IGB_X_P2VMAILBOX(vf), IGB_P2V_PFU);
    for (unsigned i = 0; i < IGB_MAILBOX_WORDS; i++)
        words[i] = reg_read(self, exec, IGB_X_VMBMEM(vf) + 4 * i);
    reg_write(self, exec, IGB_X_P2VMAILBOX(vf), IGB_P2V_ACK);
    count = serve(self, exec, vf, words);
    reg_write(self, exec, IGB_X_P2VMAILBOX(vf), IGB_P2V_PFU);
    for (unsigned i = 0; i < count; i++)
        reg_write(self, exec, IGB_X_VMBMEM(vf) + 4 * i, words[i]);
    reg_write(self, exec, IGB_X_P2VMAILBOX(vf), IGB_P2V_STS);
}

static void handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovIgbPf *self = iov_container_of(irq, IovIgbPf, irq);

    (void)span;
    self->interrupts++;
    reg_read(self, exec, IGB_ICR);
    for (unsigned half = 0; half < 2 && 32 * half < self->taken; half++) {
        uint32_t resets = reg_read(self, exec, IGB_X_VFLRE + 4 * half);
        uint32_t requests = reg_read(self, exec, IGB_X_MBVFREQ + 4 * half);
        uint32_t acks = reg_read(self, exec, IGB_X_MBVFACK + 4 * half);

        if (resets != 0)
            reg_write(self, exec, IGB_X_VFLRE + 4 * half, resets);
        if (acks != 0)
            reg_write(self, exec, IGB_X_MBVFACK + 4 * half, acks);
        if (requests != 0)
            reg_write(self, exec, IGB_X_MBVFREQ + 4 * half, requests);
        for (unsigned vf = 0; vf < 32; vf++) {
            if (requests >> vf & 1)
                message_take(self, exec, 32 * half + vf);
        }
    }
    reg_write(self, exec, IGB_EIMS, 1);
}

/* ---- Life ---- */

static bool iov_igb_pf_realize(IovModel *model, GError **error)
{
    IovIgbPf *self = (IovIgbPf *)(void *)model;

    if (!iov_model_realize(self->host_ref, error))
        return false;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (self->cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (!iov_net_address_parse(self->mac, self->address))
        return iov_model_fail(model, error, "mac: '%s' is no address like 52:54:00:80:00:00",
                              self->mac);
    self->irq.handle = handle;
    if (!iov_host_irq_alloc(self->host, (unsigned)self->cpu, &self->irq, &self->vector))
        return iov_model_fail(model, error, "cpu: no vector is left");
    iov_event_init(&self->set_up, model->kernel, on_set_up, IOV_PRIORITY_DEFAULT);
    iov_thread_new(self->host, "igb", UINT64_C(1) << self->cpu, run, self);
    return true;
}

static void iov_igb_pf_start(IovModel *model)
{
    IovIgbPf *self = (IovIgbPf *)(void *)model;

    iov_event_in(&self->set_up, 0); /* firmware has been there by then */
}

static void iov_igb_pf_unrealize(IovModel *model)
{
    IovIgbPf *self = (IovIgbPf *)(void *)model;

    if (self->host != NULL && self->irq.handle != NULL)
        iov_event_disarm(&self->set_up);
    self->taken = 0;
}

static void iov_igb_pf_class_init(IovIgbPfClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "igb-pf", "Host's driver of an 82576's physical function");
    IOV_PROP_REF(mc, IovIgbPf, host_ref, "linux-host", true, "The host kernel");
    IOV_PROP_REF(mc, IovIgbPf, iommu_ref, "host-iommu", false,
                 "The host's driver of the remapping unit, if any");
    IOV_PROP_COUNT(mc, IovIgbPf, cpu, 0, 63, 0, "Host processor that takes its interrupts");
    IOV_PROP_COUNT(mc, IovIgbPf, function, 0, 0xffff, 0x0100, "Bus, device, function of the card");
    IOV_PROP_COUNT(mc, IovIgbPf, registers, 0, UINT64_MAX, 0xf0000000,
                   "Host address of the card's registers");
    IOV_PROP_COUNT(mc, IovIgbPf, vfs, 1, IGB_POOLS_MAX - 1, 8, "Virtual functions of the card");
    IOV_PROP_STRING(mc, IovIgbPf, mac, "52:54:00:80:00:00",
                    "Address of the first virtual function; the others count up");
    IOV_COST(mc, IovIgbPf, message_cost, "igb-pf-message", "A request in the mailbox");
    IOV_PORT_MEM_INITIATOR(mc, IovIgbPf, config, "To the root complex's ECAM window");
    IOV_PORT_MEM_INITIATOR(mc, IovIgbPf, bus, "To the host's address space");
    IOV_STAT(mc, IovIgbPf, interrupts, "Interrupts of the mailbox");
    IOV_STAT(mc, IovIgbPf, messages, "Requests of virtual functions");
    IOV_STAT(mc, IovIgbPf, resets, "Of them, after a reset");
    IOV_STAT(mc, IovIgbPf, refused, "Of them, refused");
    mc->realize = iov_igb_pf_realize;
    mc->start = iov_igb_pf_start;
    mc->unrealize = iov_igb_pf_unrealize;
}

static void iov_igb_pf_init(IovIgbPf *self)
{
    (void)self;
}
