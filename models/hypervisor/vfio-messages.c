/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfio: the MSI-X table of an assigned device.
 *
 * The guest's table is kept here (each access to it is a trip to user space); in the device's real
 * table stands what the host wants:
 *
 *   no remapping   address and data of a host vector; its handler injects the guest's message
 *   remapping      the number of a table entry, which holds the host vector and accepts this device
 *                  only
 *   posting        the same, and the entry names the guest's vector and the vCPU's posted-interrupt
 *                  descriptor: no host vector
 *
 * `balance` moves remapped interrupts to the processor where their vCPU runs, by rewriting the
 * entry; posted ones follow by themselves.
 * SPEC: PCI Local Bus 3.0, 6.8.2; VT-d 5.1, 5.2. LIMIT: pending bits are the device's own; a
 * guest's mask is a mask of the device.
 */
#include "models/hypervisor/vfio-private.h"

#include "core/trace/measure.h"
#include "models/iommu/vtd-regs.h"
#include "models/irq/ioapic-regs.h"

enum { WORD_ADDRESS, WORD_UPPER, WORD_DATA, WORD_CONTROL, ENTRY_BYTES = 16 };
#define CONTROL_MASKED 1u

static bool device_access(IovVfio *self, uint64_t offset, void *data, uint32_t size, bool write)
{
    struct iov_mem_req req = {
        .address = self->host_table + offset, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    return (write ? iov_mem_write_req(&self->bus, &req) : iov_mem_read_req(&self->bus, &req)) ==
           IOV_STATUS_OK;
}

static unsigned vector_number(const struct iov_vfio_vector *vector)
{
    return (unsigned)(vector - vector->vfio->vector);
}

/* ---- The device's table ---- */

static void device_write(const struct iov_vfio_vector *vector, uint64_t address, uint32_t data,
                         uint32_t control)
{
    uint32_t words[4] = { (uint32_t)address, (uint32_t)(address >> 32), data, control };

    for (unsigned i = 0; i < 4; i++) /* each a write of its own, control last */
        device_access(vector->vfio, vector_number(vector) * ENTRY_BYTES + 4 * i, &words[i], 4,
                      true);
}

static void device_mask(const struct iov_vfio_vector *vector)
{
    uint32_t control = CONTROL_MASKED;

    device_access(vector->vfio, vector_number(vector) * ENTRY_BYTES + 4 * WORD_CONTROL, &control, 4,
                  true);
}

/* ---- What the entry says ---- */

static uint64_t guest_address(const struct iov_vfio_vector *vector)
{
    return (uint64_t)vector->words[WORD_UPPER] << 32 | vector->words[WORD_ADDRESS];
}

/* A posted entry if the guest's message goes to one vCPU, and all involved can post. */
static bool entry_posted(struct iov_vfio_vector *vector, uint64_t *ret_low, uint64_t *ret_high)
{
    const IovVfio *self = vector->vfio;
    iov_hpa descriptor;
    uint8_t guest_vector;

    if (!iov_host_iommu_posts(self->iommu) ||
        !iov_kvm_posting(self->vm, guest_address(vector), vector->words[WORD_DATA], &descriptor,
                         &guest_vector))
        return false;
    *ret_low = vtd_irte_posted(guest_vector, descriptor);
    *ret_high = vtd_irte_posted_high((uint16_t)self->requester, descriptor);
    return true;
}

static void entry_write(struct iov_vfio_vector *vector, struct iov_exec *exec)
{
    IovVfio *self = vector->vfio;
    uint64_t low, high;

    vector->posted = entry_posted(vector, &low, &high);
    if (!vector->posted) {
        uint32_t destination = iov_host_processor(self->host, vector->cpu)->apic_id;

        low = vtd_irte_remapped(vector->host_vectors[vector->cpu], destination << 8);
        high = vtd_irte_source((uint16_t)self->requester);
    }
    iov_host_iommu_entry_write(self->iommu, exec, vector->entry, low, high);
}

static void vector_enable(struct iov_vfio_vector *vector, struct iov_exec *exec)
{
    IovVfio *self = vector->vfio;

    self->vector_changes++;
    iov_exec_compute(exec, self->vector_cost, IOV_PART_HOST);
    if (self->iommu != NULL && iov_host_iommu_remaps(self->iommu)) {
        entry_write(vector, exec);
        device_write(vector, vtd_message_address(vector->entry), 0, 0);
    } else {
        uint32_t destination = iov_host_processor(self->host, vector->cpu)->apic_id;

        device_write(vector, MSI_BASE | destination << MSI_ADDRESS_DESTINATION_SHIFT,
                     vector->host_vectors[vector->cpu], 0);
    }
    vector->enabled = true;
    iov_kvm_direct(self->vm, vector->host_vectors[vector->cpu], vector->words[WORD_DATA]);
}

/* ---- The guest's table ---- */

static void entry_changed(struct iov_vfio_vector *vector)
{
    IovVfio *self = vector->vfio;
    struct iov_thread *thread = iov_host_current(self->host);
    bool masked = vector->words[WORD_CONTROL] & CONTROL_MASKED;

    if (masked && vector->enabled) {
        vector->enabled = false;
        device_mask(vector);
    } else if (!masked && thread != NULL) {
        vector_enable(vector, &thread->exec);
    }
}

static enum iov_status table_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVfio *self = iov_container_of(port, IovVfio, table);
    uint64_t index = req->address / ENTRY_BYTES;
    uint64_t value;

    if (index >= self->vectors) /* pending bits, and whatever else is there */
        return device_access(self, req->address, req->data, req->size, false)
                   ? IOV_STATUS_OK
                   : IOV_STATUS_UNSUPPORTED;
    if ((req->size != 4 && req->size != 8) || req->address & (req->size - 1))
        return IOV_STATUS_UNSUPPORTED;
    value = self->vector[index].words[req->address % ENTRY_BYTES / 4];
    if (req->size == 8)
        value |= (uint64_t)self->vector[index].words[req->address % ENTRY_BYTES / 4 + 1] << 32;
    iov_mem_set_value(req, value);
    return IOV_STATUS_OK;
}

static enum iov_status table_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVfio *self = iov_container_of(port, IovVfio, table);
    uint64_t index = req->address / ENTRY_BYTES, value = iov_mem_value(req);
    struct iov_vfio_vector *vector;
    unsigned word = (unsigned)(req->address % ENTRY_BYTES / 4);

    if (index >= self->vectors)
        return IOV_STATUS_OK; /* pending bits are read-only */
    if ((req->size != 4 && req->size != 8) || req->address & (req->size - 1))
        return IOV_STATUS_UNSUPPORTED;
    vector = &self->vector[index];
    vector->words[word] = (uint32_t)value;
    if (req->size == 8)
        vector->words[word + 1] = (uint32_t)(value >> 32);
    /* SPEC: 6.8.2.9: an entry that is changed while it is not masked may send either message; here
     * the new one. */
    if (vector->enabled || word + req->size / 4 > WORD_CONTROL)
        entry_changed(vector);
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops iov_vfio_table_ops = { .read = table_read, .write = table_write };

/* ---- The host's interrupt ---- */

void iov_vfio_inject(IovVfio *self, struct iov_exec *exec, const struct iov_vfio_message *message)
{
    uint32_t data = message->data;
    struct iov_mem_req req = { .address = message->address,
                               .data = &data,
                               .size = 4,
                               .requester = (uint16_t)self->requester,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_INTERRUPT,
                               .span = message->span };

    iov_exec_compute(exec, self->interrupt_cost, IOV_PART_INTERRUPT);
    if (iov_mem_write_req(&self->msi, &req) != IOV_STATUS_OK)
        self->lost++;
}

static void vector_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    struct iov_vfio_vector *vector = iov_container_of(irq, struct iov_vfio_vector, irq);
    const struct iov_vfio_message message = { guest_address(vector), vector->words[WORD_DATA],
                                              span };

    vector->vfio->interrupts++;
    iov_vfio_inject(vector->vfio, exec, &message);
}

/* ---- Migration ---- */

static void on_balance(struct iov_host_timer *timer, struct iov_exec *exec)
{
    IovVfio *self = iov_container_of(timer, IovVfio, balance_timer);
    struct iov_kernel *kernel = self->parent_instance.kernel;

    for (unsigned i = 0; i < self->vectors; i++) {
        struct iov_vfio_vector *vector = &self->vector[i];
        unsigned cpu;

        if (!vector->enabled || vector->posted ||
            !iov_kvm_runs_on(self->vm, guest_address(vector), &cpu) || cpu == vector->cpu)
            continue;
        vector->cpu = (uint8_t)cpu;
        self->moves++;
        entry_write(vector, exec);
    }
    iov_host_timer_arm(timer, (unsigned)self->cpu, iov_now(kernel) + self->balance);
}

void iov_vfio_vectors_start(IovVfio *self)
{
    bool movable = self->iommu != NULL && iov_host_iommu_remaps(self->iommu);

    iov_host_timer_init(&self->balance_timer, self->host, on_balance);
    if (self->balance > 0 && self->vectors > 0 && movable)
        iov_host_timer_arm(&self->balance_timer, (unsigned)self->cpu, self->balance);
}

bool iov_vfio_vectors_init(IovVfio *self, GError **error)
{
    IovModel *model = &self->parent_instance;
    unsigned cpus = iov_host_cpu_count(self->host);

    if (self->vectors * ENTRY_BYTES > self->table_size)
        return iov_model_fail(model, error, "vectors: the table does not fit into table-size");
    if (self->vectors > 0 && self->bus.peer == NULL)
        return iov_model_fail(model, error, "port 'bus' must be wired: it leads to the table");
    for (unsigned i = 0; i < self->vectors; i++) {
        struct iov_vfio_vector *vector = &self->vector[i];

        vector->vfio = self;
        vector->irq.handle = vector_handle;
        vector->cpu = (uint8_t)self->cpu;
        vector->words[WORD_CONTROL] = CONTROL_MASKED;
        for (unsigned cpu = 0; cpu < cpus && cpu < IOV_VFIO_CPUS; cpu++) {
            if (cpu != self->cpu && self->balance == 0)
                continue; /* it never goes there */
            if (!iov_host_irq_alloc(self->host, cpu, &vector->irq, &vector->host_vectors[cpu]))
                return iov_model_fail(model, error, "vectors: the host has no vector left");
        }
        if (self->iommu != NULL && iov_host_iommu_remaps(self->iommu) &&
            !iov_host_iommu_entry_alloc(self->iommu, &vector->entry))
            return iov_model_fail(model, error, "vectors: no interrupt entry is left");
        if (self->adi_ref != NULL) /* others have entries of the same function */
            iov_interrupt_owned(model->run->measure->interrupts,
                                iov_interrupt_source((uint16_t)self->requester, vector->entry),
                                iov_kvm_program(self->vm));
    }
    return true;
}
