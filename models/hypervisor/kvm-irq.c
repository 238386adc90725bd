/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: interrupts from outside: the I/O APIC, interrupt lines of user space, message-signalled
 * interrupts, irqfds and their resamplers.
 *
 * A line (KVM_IRQ_LINE) and an irqfd drive a pin of the I/O APIC; a message comes as it is. A
 * resampler holds its pin asserted until the guest's EOI, then lets go and tells its owner, who
 * asserts again if the device still wants something. With the split irqchip the I/O APIC is in user
 * space: its registers and its EOIs take a trip there.
 */
#include <string.h>

#include "models/hypervisor/kvm-private.h"
#include "models/irq/ioapic-regs.h"

/* Routing is work of whoever is running; an event of a device pays nothing. */
static void charge_route(IovKvmVm *vm)
{
    struct iov_thread *thread = iov_host_current(vm->host);

    if (thread == NULL)
        return;
    if (vm->class->route != NULL)
        vm->class->route(vm, thread);
    iov_thread_compute(thread, vm->costs.irq_route, IOV_PART_INTERRUPT);
}

/* ---- Messages ---- */

static void message_deliver(IovKvmVm *vm, uint64_t address, uint32_t data, struct iov_span *span)
{
    uint32_t destination = (uint32_t)(address >> MSI_ADDRESS_DESTINATION_SHIFT) & 0xff;
    unsigned mode = data >> MSI_DATA_MODE_SHIFT & 7;

    destination |= (uint32_t)(address >> MSI_ADDRESS_EXTENDED_SHIFT & 0x7f) << 8;
    if (mode != IRQ_MODE_FIXED && mode != IRQ_MODE_LOWEST)
        return;
    iov_kvm_deliver(vm, destination, address & MSI_ADDRESS_LOGICAL, mode == IRQ_MODE_LOWEST,
                    data & MSI_DATA_VECTOR, data & MSI_DATA_LEVEL, span);
}

/* The vCPUs that a message addresses: how many, and the first. */
static unsigned message_targets(IovKvmVm *vm, uint64_t address, struct iov_vcpu **ret_first)
{
    uint32_t destination = (uint32_t)(address >> MSI_ADDRESS_DESTINATION_SHIFT) & 0xff;
    unsigned count = 0;

    destination |= (uint32_t)(address >> MSI_ADDRESS_EXTENDED_SHIFT & 0x7f) << 8;
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct iov_vcpu *vcpu = &vm->vcpu[i];

        if (!vcpu->apic->ops->addressed(vcpu->apic, destination, address & MSI_ADDRESS_LOGICAL))
            continue;
        if (count++ == 0)
            *ret_first = vcpu;
    }
    return count;
}

bool iov_kvm_posting(IovKvmVm *vm, uint64_t address, uint32_t data, iov_hpa *ret_descriptor,
                     uint8_t *ret_vector)
{
    struct iov_vcpu *vcpu = NULL;

    if (!vm->apic_virtualisation || (data >> MSI_DATA_MODE_SHIFT & 7) != IRQ_MODE_FIXED ||
        data & MSI_DATA_LEVEL || message_targets(vm, address, &vcpu) != 1)
        return false;
    *ret_descriptor = vcpu->descriptor;
    *ret_vector = data & MSI_DATA_VECTOR;
    return true;
}

bool iov_kvm_runs_on(IovKvmVm *vm, uint64_t address, unsigned *ret_cpu)
{
    struct iov_vcpu *vcpu = NULL;

    if (message_targets(vm, address, &vcpu) == 0 || vcpu->thread == NULL ||
        vcpu->thread->cpu == NULL)
        return false;
    *ret_cpu = iov_host_cpu_index(vcpu->thread->cpu);
    return true;
}

static enum iov_status no_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static enum iov_status msi_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovKvmVm *vm = iov_container_of(port, IovKvmVm, msi);

    if (req->size != 4)
        return IOV_STATUS_UNSUPPORTED;
    if (!vm->settling) /* the way of a pin through a remapping unit is paid already */
        charge_route(vm);
    message_deliver(vm, req->address, (uint32_t)iov_mem_value(req), req->span);
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops iov_kvm_msi_ops = { .read = no_read, .write = msi_write };

/* From the I/O APIC, in the middle of its call: acted on when that is over. */
static enum iov_status ioapic_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovKvmVm *vm = iov_container_of(port, IovKvmVm, messages);

    if (vm->message_count == G_N_ELEMENTS(vm->message))
        return IOV_STATUS_UNSUPPORTED;
    vm->message[vm->message_count++] =
        (struct iov_kvm_message){ .address = req->address,
                                  .data = (uint32_t)iov_mem_value(req),
                                  .requester = req->requester,
                                  .span = req->span };
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops ioapic_message_ops = { .read = no_read,
                                                              .write = ioapic_write };

/* Through an emulated remapping unit, whose own message comes to port `msi`. What it blocks is its
 * affair. */
static void message_remap(IovKvmVm *vm, struct iov_kvm_message *message)
{
    struct iov_mem_req req = { .address = message->address,
                               .data = &message->data,
                               .size = sizeof message->data,
                               .requester = message->requester,
                               .flags = IOV_MEM_INTERRUPT,
                               .pasid = IOV_NO_PASID,
                               .span = message->span };

    vm->settling = true;
    iov_mem_write_req(&vm->remapping, &req);
    vm->settling = false;
}

void iov_kvm_ioapic_settle(IovKvmVm *vm)
{
    while (vm->message_count > 0) {
        struct iov_kvm_message message = vm->message[0];

        vm->message_count--;
        memmove(&vm->message[0], &vm->message[1], vm->message_count * sizeof message);
        if (vm->remapping.peer == NULL)
            message_deliver(vm, message.address, message.data, message.span);
        else
            message_remap(vm, &message);
    }
}

/* ---- Pins ---- */

static void pin_set(IovKvmVm *vm, unsigned index, bool level, struct iov_span *span)
{
    charge_route(vm);
    vm->pins[index]->ops->set(vm->pins[index], level, span);
    iov_kvm_ioapic_settle(vm);
}

static void gsi_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct iov_kvm_gsi *gsi = iov_container_of(sink, struct iov_kvm_gsi, sink);

    pin_set(gsi->vm, gsi->index, level, span);
}

const struct iov_irq_sink_ops iov_kvm_gsi_ops = { .set = gsi_set };

static void irqfd_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    struct iov_kvm_irqfd *irqfd = iov_container_of(sink, struct iov_kvm_irqfd, sink);
    IovKvmVm *vm = irqfd->vm;

    if (vm->resample[irqfd->index].peer == NULL) {
        pin_set(vm, irqfd->index, true, span);
        vm->pins[irqfd->index]->ops->set(vm->pins[irqfd->index], false, NULL);
    } else if (!(vm->irqfds_asserted >> irqfd->index & 1)) {
        vm->irqfds_asserted |= UINT32_C(1) << irqfd->index;
        pin_set(vm, irqfd->index, true, span);
    }
}

const struct iov_notify_sink_ops iov_kvm_irqfd_ops = { .signal = irqfd_signal };

/* ---- EOI ---- */

static uint32_t ioapic_access(IovKvmVm *vm, uint32_t offset, uint32_t value, bool write)
{
    struct iov_mem_req req = {
        .address = offset, .data = &value, .size = 4, .pasid = IOV_NO_PASID
    };

    if (write)
        vm->ioapic_registers->ops->write(vm->ioapic_registers, &req);
    else
        vm->ioapic_registers->ops->read(vm->ioapic_registers, &req);
    return value;
}

/* The vector in a pin's redirection entry, without the guest noticing. */
static uint8_t pin_vector(IovKvmVm *vm, unsigned index)
{
    uint32_t selected = ioapic_access(vm, IOAPIC_IOREGSEL, 0, false);
    uint32_t entry;

    ioapic_access(vm, IOAPIC_IOREGSEL, IOAPIC_REG_TABLE + 2 * index, true);
    entry = ioapic_access(vm, IOAPIC_IOWIN, 0, false);
    ioapic_access(vm, IOAPIC_IOREGSEL, selected, true);
    return entry & IOAPIC_ENTRY_VECTOR;
}

static void resample(IovKvmVm *vm, uint8_t vector)
{
    for (uint32_t left = vm->irqfds_asserted; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);

        if (pin_vector(vm, i) != vector)
            continue;
        vm->irqfds_asserted &= ~(UINT32_C(1) << i);
        vm->pins[i]->ops->set(vm->pins[i], false, NULL);
        iov_notify_signal(&vm->resample[i], NULL);
    }
}

void iov_kvm_eoi(struct iov_vcpu *vcpu, uint8_t vector)
{
    IovKvmVm *vm = vcpu->vm;
    struct iov_mem_req req = { .data = &vector, .size = 1, .pasid = IOV_NO_PASID };
    bool split = vm->kernel_irqchip == IOV_KVM_IRQCHIP_SPLIT;

    if (split)
        iov_vcpu_user_begin(vcpu);
    else
        iov_vcpu_compute(vcpu, vm->costs.ioapic);
    resample(vm, vector);
    vm->ioapic_eoi->ops->write(vm->ioapic_eoi, &req);
    iov_kvm_ioapic_settle(vm);
    if (split)
        iov_vcpu_user_end(vcpu);
}

bool iov_kvm_irq_init(IovKvmVm *vm, GError **error)
{
    (void)error;
    vm->ioapic_registers = iov_model_port(vm->ioapic, "registers", 0);
    vm->ioapic_eoi = iov_model_port(vm->ioapic, "eoi", 0);
    vm->messages.ops = &ioapic_message_ops;
    ((struct iov_mem_initiator *)iov_model_port(vm->ioapic, "messages", 0))->peer = &vm->messages;
    for (unsigned i = 0; i < IOV_KVM_GSIS; i++)
        vm->pins[i] = iov_model_port(vm->ioapic, "pins", i);
    return true;
}
