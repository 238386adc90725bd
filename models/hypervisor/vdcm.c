/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vdcm - a virtual device composition module: makes of one assignable interface (ADI) of a card a
 * device for one guest.
 *
 *   direct     the ADI's page of doorbells is mapped at `doorbells`: what frames need does not exit
 *   emulated   the device's registers at `registers` (wired to vm.mmio): each access exits and
 *              comes here. They are those of a virtual function of an igb: rings, filters and
 *              vectors are checked and passed on to the ADI's window, the mailbox is answered here
 *   isolated   the ADI gets a PASID of its own, attached to the guest's memory; a reset by the
 *              guest takes it away, empties the remapping unit's caches of it, and gives it back
 *
 * Interrupts are the part vfio's (`adi`): the guest's table is emulated, the ADI's entries in the
 * message storage are what it programs.
 * LIMIT: PASID and mapping stay for the guest's life; an interrupt of the mailbox never comes; no
 * configuration space; no live migration.
 */
#include "models/hypervisor/vdcm.h"

#include "models/hypervisor/host-iommu.h"
#include "models/hypervisor/kvm.h"
#include "models/nic/siov-regs.h"

struct _IovVdcm {
    IovModel parent_instance;
    /* properties */
    IovModel *vm_ref, *pf_ref, *iommu_ref;
    uint64_t doorbells;
    /* costs */
    iov_time access_cost, message_cost;
    /* ports */
    struct iov_mem_target registers;
    struct iov_mem_initiator bus;
    /* state */
    IovLinuxHost *host;
    IovSiovPf *pf;
    IovHostIommu *iommu;
    struct iov_siov_adi adi;
    uint32_t pasid;
    uint32_t mailbox[IGB_MAILBOX_WORDS];
    bool taken, acked, answered; /* bits of V2PMAILBOX */
    /* statistics */
    uint64_t accesses, messages, resets, refused;
};

G_DEFINE_FINAL_TYPE(IovVdcm, iov_vdcm, IOV_TYPE_MODEL)

const struct iov_siov_adi *iov_vdcm_adi(const IovVdcm *vdcm)
{
    return &vdcm->adi;
}

/* ---- The ADI's window. Without `exec` no time passes. ---- */

static uint32_t window_read(IovVdcm *self, struct iov_exec *exec, uint32_t reg)
{
    uint32_t value = UINT32_MAX;
    struct iov_mem_req req = {
        .address = self->adi.window + reg, .data = &value, .size = 4, .pasid = IOV_NO_PASID
    };

    if (exec != NULL)
        return (uint32_t)iov_exec_load(exec, req.address, 4);
    (void)iov_mem_read_req(&self->bus, &req);
    return value;
}

static void window_write(IovVdcm *self, struct iov_exec *exec, uint32_t reg, uint32_t value)
{
    struct iov_mem_req req = {
        .address = self->adi.window + reg, .data = &value, .size = 4, .pasid = IOV_NO_PASID
    };

    if (exec != NULL)
        iov_exec_store(exec, req.address, 4, value);
    else
        (void)iov_mem_write_req(&self->bus, &req);
}

/* ---- Reset and mailbox ---- */

static void reset(IovVdcm *self, struct iov_exec *exec)
{
    self->resets++;
    self->taken = self->acked = self->answered = false;
    window_write(self, exec, SIOV_PASID, 0);
    window_write(self, exec, IGB_VF_CTRL, IGB_CTRL_RST);
    if (exec != NULL)
        iov_host_iommu_flush_pasid(self->iommu, exec, self->adi.requester, self->pasid);
    window_write(self, exec, SIOV_PASID, self->pasid | SIOV_PASID_VALID);
}

/* Does what the words ask for and leaves the answer there, as the driver of an igb would. */
static void serve(IovVdcm *self, struct iov_exec *exec)
{
    uint32_t kind = self->mailbox[0] & IGB_MAILBOX_KIND;

    self->mailbox[0] = kind | IGB_MAILBOX_ACK;
    switch (kind) {
    case IGB_MAILBOX_RESET:
        self->mailbox[2] = 0;
        iov_siov_pf_open(self->pf, exec, self->adi.index, (uint8_t *)&self->mailbox[1]);
        return;
    case IGB_MAILBOX_SET_LENGTH:
        iov_siov_pf_set_length(self->pf, exec, self->adi.index, self->mailbox[1]);
        break;
    case IGB_MAILBOX_SET_MULTICAST:
        break; /* nobody in a group */
    default:   /* its address is what it was given */
        self->refused++;
        self->mailbox[0] = kind | IGB_MAILBOX_NACK;
        break;
    }
    self->mailbox[0] |= IGB_MAILBOX_CLEAR;
}

static void mailbox_write(IovVdcm *self, struct iov_exec *exec, uint32_t value)
{
    self->taken = value & IGB_V2P_VFU;
    if (!(value & IGB_V2P_REQ) || exec == NULL)
        return;
    self->messages++;
    iov_exec_compute(exec, self->message_cost, IOV_PART_HOST);
    serve(self, exec);
    self->acked = self->answered = true;
}

static uint32_t mailbox_read(IovVdcm *self)
{
    uint32_t value = (self->taken ? IGB_V2P_VFU : 0) | (self->acked ? IGB_V2P_PFACK : 0) |
                     (self->answered ? IGB_V2P_PFSTS : 0);

    self->acked = self->answered = false; /* reading clears */
    return value;
}

/* ---- The device's registers ---- */

static bool is_queue(uint32_t reg, uint32_t base)
{
    return reg >= base && reg < base + 0x40;
}

/* What is the ADI's own business and is passed on. */
static bool passes(uint32_t reg)
{
    return is_queue(reg, IGB_RX_OLD) || is_queue(reg, IGB_TX_OLD) ||
           siov_doorbell_of(reg) != SIOV_NOT_FAST || reg == IGB_VF_EIAC || reg == IGB_VF_EIAM ||
           reg == IGB_VF_IVAR || reg == IGB_VF_PSRTYPE;
}

static bool in_mailbox(uint32_t reg)
{
    return reg >= IGB_VF_MBMEM && reg < IGB_VF_MBMEM + 4 * IGB_MAILBOX_WORDS;
}

static void register_write(IovVdcm *self, struct iov_exec *exec, uint32_t reg, uint32_t value)
{
    if (reg == IGB_VF_CTRL) {
        if (value & IGB_CTRL_RST)
            reset(self, exec);
    } else if (reg == IGB_VF_MBX) {
        mailbox_write(self, exec, value);
    } else if (in_mailbox(reg)) {
        self->mailbox[(reg - IGB_VF_MBMEM) / 4] = value;
    } else if (passes(reg)) {
        window_write(self, exec, reg, value);
    } else if (reg != IGB_VF_IVAR_MISC) { /* the mailbox has no vector of the ADI's */
        self->refused++;
    }
}

static uint32_t register_read(IovVdcm *self, struct iov_exec *exec, uint32_t reg)
{
    if (reg == IGB_VF_CTRL || reg == IGB_VF_IVAR_MISC)
        return 0;
    if (reg == IGB_VF_MBX)
        return mailbox_read(self);
    if (in_mailbox(reg))
        return self->mailbox[(reg - IGB_VF_MBMEM) / 4];
    return reg == SIOV_PASID ? 0 : window_read(self, exec, reg);
}

static struct iov_exec *caller(IovVdcm *self)
{
    struct iov_thread *thread = iov_host_current(self->host);

    self->accesses++;
    if (thread == NULL)
        return NULL;
    iov_exec_compute(&thread->exec, self->access_cost, IOV_PART_HOST);
    return &thread->exec;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVdcm *self = iov_container_of(port, IovVdcm, registers);

    if (req->size != 4 || req->address & 3 || req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    iov_mem_set_value(req, register_read(self, caller(self), (uint32_t)req->address));
    return IOV_STATUS_OK;
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVdcm *self = iov_container_of(port, IovVdcm, registers);

    if (req->size != 4 || req->address & 3 || req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    register_write(self, caller(self), (uint32_t)req->address, (uint32_t)iov_mem_value(req));
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- Life ---- */

static bool iov_vdcm_realize(IovModel *model, GError **error)
{
    IovVdcm *self = (IovVdcm *)(void *)model;
    IovKvmVm *vm = (IovKvmVm *)(void *)self->vm_ref;
    iov_hpa memory;
    uint64_t size;

    self->pf = (IovSiovPf *)(void *)self->pf_ref;
    self->iommu = (IovHostIommu *)(void *)self->iommu_ref;
    if (!iov_model_realize(self->vm_ref, error) || !iov_model_realize(self->pf_ref, error) ||
        !iov_siov_pf_take(self->pf, &self->adi, error) ||
        !iov_host_iommu_pasid_alloc(self->iommu, &self->pasid, error))
        return false;
    self->host = iov_kvm_host(vm);
    iov_kvm_memory(vm, &memory, &size);
    if (!iov_kvm_map_passthrough(vm, self->doorbells, self->adi.doorbells, SIOV_DOORBELL_SIZE))
        return iov_model_fail(model, error, "doorbells: the page cannot be mapped");
    return iov_host_iommu_attach_pasid(self->iommu, self->adi.requester, self->pasid, memory, size,
                                       error);
}

static void iov_vdcm_class_init(IovVdcmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vdcm", "Presents an assignable interface to a guest");
    IOV_PROP_REF(mc, IovVdcm, vm_ref, "kvm-vm", true, "The VM that gets the device");
    IOV_PROP_REF(mc, IovVdcm, pf_ref, "siov-pf", true,
                 "Driver of the card, which gives away its next interface");
    IOV_PROP_REF(mc, IovVdcm, iommu_ref, "host-iommu", true,
                 "The host's driver of the remapping unit, in scalable mode");
    IOV_PROP_COUNT(mc, IovVdcm, doorbells, 0, UINT64_MAX, 0xfebd0000,
                   "Guest-physical address of the page of doorbells");
    IOV_COST(mc, IovVdcm, access_cost, "vdcm-access", "An access to an emulated register");
    IOV_COST(mc, IovVdcm, message_cost, "vdcm-message", "A request in the mailbox");
    IOV_PORT_MEM_TARGET(mc, IovVdcm, registers, &registers_ops,
                        "The device's registers, from vm.mmio");
    IOV_PORT_MEM_INITIATOR(mc, IovVdcm, bus, "To the host's address space");
    IOV_STAT(mc, IovVdcm, accesses, "Accesses to emulated registers");
    IOV_STAT(mc, IovVdcm, messages, "Requests in the mailbox");
    IOV_STAT(mc, IovVdcm, resets, "Resets by the guest");
    IOV_STAT(mc, IovVdcm, refused, "Requests and writes that a guest may not make");
    mc->realize = iov_vdcm_realize;
}

static void iov_vdcm_init(IovVdcm *self)
{
    self->registers.size = IGB_VF_BAR_SIZE;
}
