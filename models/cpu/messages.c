/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the processor, its local APIC and the bus: interrupt messages that arrive, IPIs and EOIs
 * that leave. LIMIT: NMIs, SMIs, INIT and SIPI do not arrive; an IPI to "all but self" is counted
 * and dropped.
 */
#include "models/cpu/cpu-private.h"
#include "models/irq/ioapic-regs.h"

void iov_cpu_interrupt(struct iov_processor *processor, uint8_t vector, struct iov_span *span)
{
    IovCpu *self = iov_container_of(processor, IovCpu, processor);

    if (self->rest.now != NULL && span == NULL && iov_cpu_rest_pass(self, vector))
        return;
    processor->apic->ops->accept(processor->apic, vector, false, span);
}

static void on_apic_changed(struct iov_apic *apic)
{
    IovCpu *self = iov_container_of(apic->owner, IovCpu, apic_owner);

    self->physical = apic->ops->pending(apic) >= 0;
    if (!self->physical)
        return;
    if (self->rest.now != NULL)
        iov_cpu_rest_interrupted(self);
    else
        iov_cpu_poke(self);
}

/* As the fabric routes it: a message on the bus. SPEC: SDM vol. 3A, 11.11. */
static void on_ipi(struct iov_apic *apic, uint64_t icr)
{
    IovCpu *self = iov_container_of(apic->owner, IovCpu, apic_owner);
    unsigned mode = (icr & IOV_APIC_ICR_MODE_MASK) >> IOV_APIC_ICR_MODE_SHIFT;
    unsigned shorthand = (icr & IOV_APIC_ICR_SHORTHAND_MASK) >> IOV_APIC_ICR_SHORTHAND_SHIFT;
    uint64_t destination = icr >> 32;
    bool logical = icr & IOV_APIC_ICR_LOGICAL;
    uint32_t data = (uint32_t)icr & (IOV_APIC_ICR_VECTOR | IOV_APIC_ICR_MODE_MASK);
    struct iov_mem_req req = {
        .data = &data, .size = 4, .flags = IOV_MEM_INTERRUPT, .pasid = IOV_NO_PASID
    };
    bool whole = self->messages.peer != NULL;

    if (shorthand == IOV_APIC_SHORTHAND_ALL) {
        destination = apic->ops->base(apic) & IOV_APIC_BASE_X2APIC ? UINT32_MAX : 0xff;
        logical = false;
    }
    if (shorthand == IOV_APIC_SHORTHAND_OTHERS ||
        (mode != IOV_APIC_MODE_FIXED && mode != IOV_APIC_MODE_LOWEST) ||
        (!whole && destination > 0xff)) {
        self->ipis_unsupported++;
        return;
    }
    req.address = MSI_BASE | (destination & 0xff) << MSI_ADDRESS_DESTINATION_SHIFT |
                  (logical ? MSI_ADDRESS_LOGICAL : 0);
    if (whole)
        req.address |= (destination & 0xffffff00u) << 32;
    if (iov_mem_write_req(whole ? &self->messages : &self->bus, &req) != IOV_STATUS_OK)
        self->ipis_unsupported++;
}

/* SPEC: SDM vol. 3A, 11.8.5: the EOI of a level interrupt is broadcast to the I/O APICs. */
static void on_eoi(struct iov_apic *apic, uint8_t vector, bool level)
{
    IovCpu *self = iov_container_of(apic->owner, IovCpu, apic_owner);
    struct iov_mem_req req = { .data = &vector, .size = 1, .pasid = IOV_NO_PASID };

    if (level)
        iov_mem_write_req(&self->eoi, &req);
}

const struct iov_apic_owner_ops iov_cpu_apic_owner_ops = { .changed = on_apic_changed,
                                                           .ipi = on_ipi,
                                                           .eoi = on_eoi };

/* An interrupt message that a router found to be for this processor. */
static enum iov_status interrupts_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovCpu *self = iov_container_of(port, IovCpu, interrupts);
    uint64_t data = iov_mem_value(req);
    unsigned mode = (data & IOV_APIC_ICR_MODE_MASK) >> IOV_APIC_ICR_MODE_SHIFT;

    if (req->size != 4 || (mode != IOV_APIC_MODE_FIXED && mode != IOV_APIC_MODE_LOWEST))
        return IOV_STATUS_UNSUPPORTED;
    self->apic->ops->accept(self->apic, (uint8_t)data, data & IOV_APIC_ICR_LEVEL, req->span);
    return IOV_STATUS_OK;
}

static enum iov_status interrupts_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

const struct iov_mem_target_ops iov_cpu_interrupts_ops = { .read = interrupts_read,
                                                           .write = interrupts_write };

void iov_cpu_apic_mode_changed(IovCpu *self)
{
    uint64_t base = self->apic->ops->base(self->apic);
    uint64_t mode = base & (IOV_APIC_BASE_ENABLE | IOV_APIC_BASE_X2APIC);

    self->apic_page = mode == IOV_APIC_BASE_ENABLE ? base & ~PAGE_MASK : UINT64_MAX;
}
