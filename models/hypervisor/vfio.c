/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfio - the host's side of an assigned device: its registers are mapped into the guest, its
 * interrupts go through the host.
 *
 * An interrupt of the device is a vector of host processor `cpu`. The handler masks the line (INTx)
 * and signals the irqfd, or passes a message on to the guest's routing; the guest's EOI of the line
 * comes back as `resample` and unmasks it, and a line that is still asserted interrupts again.
 * Registers need no exit, so nothing else of the data path is here.
 *
 * Of a `device` in a slot everything is found in its configuration space, where firmware has been:
 * requester ID, MSI-X table, addresses. What of its registers is not mapped is reached through the
 * port `registers`, by whoever emulates it.
 *
 * With `iommu` the guest's memory is mapped for the function `requester`, all of it and once. MSI-X
 * is in vfio-messages.c.
 * LIMIT: configuration space is not emulated.
 */
#include "models/hypervisor/vfio-private.h"

#include "core/pci/space.h"
#include "core/trace/measure.h"
#include "models/irq/ioapic-regs.h"

G_DEFINE_FINAL_TYPE(IovVfio, iov_vfio, IOV_TYPE_MODEL)

static void raise_on_host(IovVfio *self, uint8_t vector, struct iov_span *span)
{
    struct iov_processor *processor = iov_host_processor(self->host, (unsigned)self->cpu);

    self->interrupts++;
    processor->ops->interrupt(processor, vector, span);
}

/* ---- INTx ---- */

static void line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovVfio *self = iov_container_of(sink, IovVfio, line);

    self->level = level;
    self->span = level ? span : NULL;
    if (level && !self->masked)
        raise_on_host(self, self->line_vector, span);
}

static const struct iov_irq_sink_ops line_ops = { .set = line_set };

static void line_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovVfio *self = iov_container_of(irq, IovVfio, line_irq);

    if (self->masked || !self->level)
        return; /* it went away meanwhile */
    self->masked = true;
    iov_exec_compute(exec, self->interrupt_cost, IOV_PART_INTERRUPT);
    iov_notify_signal(&self->irqfd, span);
}

static void resample_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    IovVfio *self = iov_container_of(sink, IovVfio, resample);
    struct iov_thread *thread = iov_host_current(self->host);

    (void)span;
    if (!self->masked)
        return;
    if (thread != NULL)
        iov_thread_compute(thread, self->unmask_cost, IOV_PART_INTERRUPT);
    self->unmasks++;
    self->masked = false;
    if (self->level)
        raise_on_host(self, self->line_vector, self->span);
}

static const struct iov_notify_sink_ops resample_ops = { .signal = resample_signal };

/* ---- Messages ---- */

static enum iov_status messages_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVfio *self = iov_container_of(port, IovVfio, messages);

    if (req->size != 4)
        return IOV_STATUS_UNSUPPORTED;
    if (self->queued == IOV_VFIO_MESSAGES) {
        self->lost++;
        return IOV_STATUS_OK;
    }
    self->queue[self->queued++] =
        (struct iov_vfio_message){ MSI_BASE | (req->address & (MSI_SIZE - 1)),
                                   (uint32_t)iov_mem_value(req), req->span };
    raise_on_host(self, self->message_vector, req->span);
    return IOV_STATUS_OK;
}

static enum iov_status messages_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static const struct iov_mem_target_ops messages_ops = { .read = messages_read,
                                                        .write = messages_write };

static void message_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovVfio *self = iov_container_of(irq, IovVfio, message_irq);

    (void)span;
    while (self->queued > 0) {
        struct iov_vfio_message message = self->queue[0];

        self->queued--;
        for (unsigned i = 0; i < self->queued; i++)
            self->queue[i] = self->queue[i + 1];
        iov_vfio_inject(self, exec, &message);
    }
}

/* ---- The device's own registers ---- */

static enum iov_status registers_access(IovVfio *self, struct iov_mem_req *req, bool write)
{
    uint64_t offset = req->address;
    enum iov_status status;

    if (offset > self->bar_size || req->size > self->bar_size - offset)
        return IOV_STATUS_UNSUPPORTED;
    req->address = self->bar_address + offset;
    status = write ? iov_mem_write_req(&self->bus, req) : iov_mem_read_req(&self->bus, req);
    req->address = offset;
    return status;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return registers_access(iov_container_of(port, IovVfio, registers), req, false);
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return registers_access(iov_container_of(port, IovVfio, registers), req, true);
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* What is given away, by its configuration space. */
static bool device_find(IovVfio *self, GError **error)
{
    IovModel *model = &self->parent_instance;
    const struct iov_port *row = iov_model_find_port(self->device_ref, "pci");
    const struct iov_pci_function *function = iov_model_port(self->device_ref, "pci", 0);
    const struct iov_pci_space *space;
    uint32_t table;

    if (row == NULL || row->type != IOV_PORT_PCI || function->bus == NULL)
        return iov_model_fail(model, error, "device: '%s' is in no slot", self->device_ref->path);
    space = function->space;
    self->bar_address = iov_pci_bar_address(space, (unsigned)self->bar);
    if (self->bar_address == UINT64_MAX)
        return iov_model_fail(model, error,
                              "device: BAR %u of '%s' has no address; the pci-host needs firmware: "
                              "on",
                              (unsigned)self->bar, self->device_ref->path);
    if (space->vectors > IOV_VFIO_VECTORS)
        return iov_model_fail(model, error, "device: '%s' has more than %u vectors",
                              self->device_ref->path, IOV_VFIO_VECTORS);
    self->bar_size = space->bars[self->bar].size;
    self->host_address = self->bar_address + self->offset;
    self->requester = function->requester;
    self->cpu =
        (self->cpu + function->devfn) % iov_host_cpu_count(self->host); /* they are spread */
    self->vectors = space->vectors;
    if (space->vectors > 0) {
        table = iov_pci_get32(space, (uint16_t)(space->msix + PCI_MSIX_TABLE));
        self->host_table = iov_pci_bar_address(space, table & PCI_MSIX_TABLE_BIR) +
                           (table & (uint32_t)PCI_MSIX_TABLE_OFFSET);
    }
    return true;
}

/* ---- Life ---- */

static bool iov_vfio_realize(IovModel *model, GError **error)
{
    IovVfio *self = (IovVfio *)(void *)model;
    IovKvmVm *vm = (IovKvmVm *)(void *)self->vm_ref;

    if (!iov_model_realize(self->vm_ref, error))
        return false;
    self->vm = vm;
    self->iommu = (IovHostIommu *)(void *)self->iommu_ref;
    self->host = iov_kvm_host(vm);
    if (self->cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (self->pf_ref != NULL) {
        struct iov_igb_vf vf;

        if (!iov_igb_pf_take((IovIgbPf *)(void *)self->pf_ref, &vf, error))
            return false;
        self->requester = vf.requester;
        self->host_address = vf.registers;
        self->host_table = vf.msix;
        self->cpu = vf.index % iov_host_cpu_count(self->host); /* they are spread */
    }
    if (self->adi_ref != NULL) {
        const struct iov_siov_adi *adi = iov_vdcm_adi((IovVdcm *)(void *)self->adi_ref);

        if (!iov_model_realize(self->adi_ref, error))
            return false;
        self->requester = adi->requester;
        self->host_table = adi->messages;
        self->cpu = adi->index % iov_host_cpu_count(self->host);
    }
    if (self->device_ref != NULL && !device_find(self, error))
        return false;
    if (self->size > 0 &&
        !iov_kvm_map_passthrough(vm, self->guest_address, self->host_address, self->size))
        return iov_model_fail(model, error,
                              "guest-address, host-address, size: the window cannot be mapped");
    self->line_irq.handle = line_handle;
    self->message_irq.handle = message_handle;
    if (!iov_host_irq_alloc(self->host, (unsigned)self->cpu, &self->line_irq, &self->line_vector) ||
        !iov_host_irq_alloc(self->host, (unsigned)self->cpu, &self->message_irq,
                            &self->message_vector))
        return iov_model_fail(model, error, "cpu: no vector is left");
    if (self->adi_ref == NULL)
        iov_interrupt_owned(model->run->measure->interrupts, (uint16_t)self->requester,
                            iov_kvm_program(vm));
    if (self->iommu != NULL && self->adi_ref == NULL) { /* an interface has its PASID's memory */
        iov_hpa memory;
        uint64_t size;

        iov_kvm_memory(vm, &memory, &size);
        if (!iov_host_iommu_attach(self->iommu, (uint16_t)self->requester, memory, size, error))
            return false;
    }
    return iov_vfio_vectors_init(self, error);
}

static bool iov_vfio_prepare(IovModel *model, GError **error)
{
    IovVfio *self = (IovVfio *)(void *)model;

    (void)error;
    self->table.size = self->table_size;
    return true;
}

static void iov_vfio_start(IovModel *model)
{
    iov_vfio_vectors_start((IovVfio *)(void *)model);
}

static void iov_vfio_class_init(IovVfioClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vfio", "Host's side of an assigned device");
    IOV_PROP_REF(mc, IovVfio, vm_ref, "kvm-vm", true, "The VM that gets the device");
    IOV_PROP_REF(mc, IovVfio, iommu_ref, "host-iommu", false,
                 "The host's driver of the remapping unit; none: the "
                 "device reaches all memory");
    IOV_PROP_REF(mc, IovVfio, pf_ref, "igb-pf", false,
                 "Driver of the physical function that gives away its "
                 "next virtual one: requester, host-address and "
                 "host-table are that one's");
    IOV_PROP_REF(mc, IovVfio, adi_ref, "vdcm", false,
                 "What presents an assignable interface: interrupts "
                 "are that one's, and the table at host-table is its "
                 "part of the message storage");
    IOV_PROP_REF(mc, IovVfio, device_ref, NULL, false,
                 "The device itself, in a slot of a pci-host with firmware: requester, "
                 "host-address, vectors and host-table are what its configuration space says");
    IOV_PROP_COUNT(mc, IovVfio, bar, 0, 5, 0, "BAR of `device` with its registers");
    IOV_PROP_COUNT(mc, IovVfio, offset, 0, UINT64_MAX, 0,
                   "Where in that BAR the part begins that is mapped");
    IOV_PROP_COUNT(mc, IovVfio, cpu, 0, 63, 0, "Host processor that takes the device's interrupts");
    IOV_PROP_COUNT(mc, IovVfio, guest_address, 0, UINT64_MAX, 0,
                   "Guest-physical address of the registers");
    IOV_PROP_COUNT(mc, IovVfio, host_address, 0, UINT64_MAX, 0, "Their host address");
    IOV_PROP_SIZE(mc, IovVfio, size, 0, UINT64_C(1) << 40, 0,
                  "Bytes of registers that are mapped; 0: none");
    IOV_PROP_COUNT(mc, IovVfio, requester, 0, 0xffff, 0x0008,
                   "Bus, device and function of the device");
    IOV_PROP_COUNT(mc, IovVfio, vectors, 0, IOV_VFIO_VECTORS, 0, "Of the device's MSI-X table");
    IOV_PROP_COUNT(mc, IovVfio, host_table, 0, UINT64_MAX, 0, "Host address of that table");
    IOV_PROP_SIZE(mc, IovVfio, table_size, 16, 1 << 20, 4096,
                  "Of the window with the table and the pending bits");
    IOV_PROP_TIME(mc, IovVfio, balance, 0, 100 * IOV_SEC, 0,
                  "Remapped interrupts move to their vCPU's processor this often; 0: never");
    IOV_COST(mc, IovVfio, interrupt_cost, "vfio-interrupt", "Handler of the device's interrupt");
    IOV_COST(mc, IovVfio, unmask_cost, "vfio-unmask", "Unmasking the line after the guest's EOI");
    IOV_COST(mc, IovVfio, vector_cost, "vfio-vector", "Setting up a vector that the guest unmasks");
    IOV_PORT_IRQ_SINK(mc, IovVfio, line, &line_ops, "The device's interrupt line");
    IOV_PORT_MEM_TARGET(mc, IovVfio, messages, &messages_ops, "The device's interrupt messages");
    IOV_PORT_NOTIFY_SOURCE(mc, IovVfio, irqfd, "To vm.irqfd at the guest's line");
    IOV_PORT_NOTIFY_SINK(mc, IovVfio, resample, &resample_ops, "From vm.resample at that line");
    IOV_PORT_MEM_INITIATOR(mc, IovVfio, msi, "To vm.msi");
    IOV_PORT_MEM_TARGET(mc, IovVfio, table, &iov_vfio_table_ops,
                        "The guest's MSI-X table, from vm.mmio");
    IOV_PORT_MEM_TARGET(mc, IovVfio, registers, &registers_ops,
                        "BAR `bar` of `device`, for who emulates registers that are not mapped");
    IOV_PORT_MEM_INITIATOR(mc, IovVfio, bus,
                           "Host addresses: the device's own table and registers");
    IOV_STAT(mc, IovVfio, interrupts, "Interrupts of the device on the host");
    IOV_STAT(mc, IovVfio, unmasks, "Lines unmasked after the guest's EOI");
    IOV_STAT(mc, IovVfio, lost, "Messages lost");
    IOV_STAT(mc, IovVfio, vector_changes, "Vectors that the guest set up");
    IOV_STAT(mc, IovVfio, moves, "Interrupts that moved to another processor");
    mc->prepare = iov_vfio_prepare;
    mc->realize = iov_vfio_realize;
    mc->start = iov_vfio_start;
}

static void iov_vfio_init(IovVfio *self)
{
    self->messages.size = UINT64_C(0x100000);
    self->registers.size = UINT64_C(0x100000);
}
