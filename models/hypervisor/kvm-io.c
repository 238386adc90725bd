/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: exits that are accesses to something: MMIO (EPT misconfiguration) and port I/O.
 *
 * In the order of the kernel: an ioeventfd that matches (no decoding needed for a write), then
 * decoding and the kernel's own devices (I/O APIC, local APIC page), then zones of coalesced
 * writes, and user space for the rest. A string instruction is one exit and one trip to user space,
 * whatever its count.
 */
#include <string.h>

#include "models/cpu/apic-regs.h"
#include "models/hypervisor/esxi-vmm.h"
#include "models/hypervisor/kvm-private.h"
#include "models/irq/ioapic-regs.h"

/* ---- Accounting ---- */

static unsigned *regions_of(IovKvmVm *vm, const struct iov_mem_map *map)
{
    unsigned *regions = g_new0(unsigned, map->count + 1);

    for (unsigned i = 0; i < map->count; i++) {
        const struct iov_mem_target *target = map->windows[i].target;

        regions[i] = iov_measure_region(vm->measure,
                                        iov_emulator_owns(target)   ? iov_emulator_region(target)
                                        : iov_esxi_vmm_owns(target) ? iov_esxi_vmm_region(target)
                                                                    : "device");
    }
    return regions;
}

void iov_kvm_io_init(IovKvmVm *vm)
{
    vm->region_lapic = iov_measure_region(vm->measure, "lapic");
    vm->region_ioapic = iov_measure_region(vm->measure, "ioapic");
    vm->region_other = iov_measure_region(vm->measure, "other");
    vm->mmio_regions = regions_of(vm, &vm->mmio);
    vm->port_regions = regions_of(vm, &vm->ports);
}

static void count_exit(IovKvmVm *vm, unsigned region)
{
    vm->measure->counters.regions[region].exits++;
    if (region != vm->region_lapic && region != vm->region_ioapic)
        vm->measure->counters.device_exits++;
}

static unsigned region_of(IovKvmVm *vm, const struct iov_mem_map *map, const unsigned *regions,
                          const struct iov_mem_window *window)
{
    return window != NULL ? regions[window - map->windows] : vm->region_other;
}

/* ---- User space ---- */

void iov_kvm_visit(IovKvmVm *vm, struct iov_thread *thread, const struct iov_mem_window *window,
                   struct iov_mem_req *req, bool write, iov_time owed)
{
    struct iov_mem_target *target = window != NULL ? window->target : NULL;
    uint64_t address = req->address;
    bool emulated = target != NULL && iov_emulator_owns(target);

    if (!emulated && owed > 0)
        iov_thread_compute(thread, owed, IOV_PART_EMULATOR);
    if (target == NULL) {
        if (!write)
            memset(req->data, 0xff, req->size);
        return;
    }
    req->address -= window->base;
    if (emulated) {
        iov_emulator_access(target, thread, req, write, owed);
    } else {
        enum iov_status status =
            write ? target->ops->write(target, req) : target->ops->read(target, req);

        if (status != IOV_STATUS_OK && !write)
            memset(req->data, 0xff, req->size);
        iov_fiber_settle(vm->parent_instance.kernel);
    }
    req->address = address;
}

static void user_access(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                        struct iov_mem_req *req, bool write)
{
    iov_time owed;

    if (vcpu->vm->class->access != NULL) {
        vcpu->vm->class->access(vcpu, window, req, write);
        return;
    }
    owed = iov_vcpu_user_leave(vcpu);
    iov_kvm_visit(vcpu->vm, vcpu->thread, window, req, write, owed);
    iov_vcpu_user_end(vcpu);
}

/* Each trip to user space begins with what has waited for one. */
void iov_kvm_coalesced_flush(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;

    while (vm->coalesced_next < vm->coalesced_count) {
        struct iov_kvm_coalesced write = vm->coalesced[vm->coalesced_next++];
        struct iov_mem_req req = {
            .address = write.offset, .data = &write.value, .size = write.size, .pasid = IOV_NO_PASID
        };

        if (vm->coalesced_next == vm->coalesced_count)
            vm->coalesced_next = vm->coalesced_count = 0;
        iov_emulator_replay(write.target, vcpu->thread, &req);
    }
}

static bool coalesce(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                     const struct iov_mem_req *req)
{
    IovKvmVm *vm = vcpu->vm;
    uint64_t offset = req->address - window->base;

    if (vm->coalesced_count == IOV_KVM_COALESCED_MAX || req->size > 8 ||
        !iov_emulator_owns(window->target) ||
        !iov_emulator_coalesces(window->target, offset, req->size))
        return false;
    vm->coalesced[vm->coalesced_count++] = (struct iov_kvm_coalesced){
        .target = window->target,
        .offset = offset,
        .value = iov_mem_value(req),
        .size = req->size,
    };
    vm->coalesced_writes++;
    iov_vcpu_compute(vcpu, vm->costs.coalesced);
    return true;
}

/* ---- In the kernel ---- */

static bool signal_doorbell(struct iov_vcpu *vcpu, const struct iov_mem_req *access, iov_time cost)
{
    IovKvmVm *vm = vcpu->vm;
    const struct iov_mem_window *window = vm->ioeventfd && vm->doorbell.count > 0
                                              ? iov_mem_map_find(&vm->doorbell, access->address)
                                              : NULL;
    struct iov_mem_req req;

    if (window == NULL)
        return false;
    iov_vcpu_compute(vcpu, cost + vm->costs.ioeventfd);
    vm->ioeventfds++;
    req = *access;
    req.address -= window->base;
    req.span = vcpu->thread->exec.span;
    window->target->ops->write(window->target, &req);
    return true;
}

static bool ioapic_access(struct iov_vcpu *vcpu, struct iov_mem_req *req, bool write)
{
    IovKvmVm *vm = vcpu->vm;
    uint64_t address = req->address;
    bool split = vm->kernel_irqchip == IOV_KVM_IRQCHIP_SPLIT;

    if (address - IOAPIC_BASE >= IOAPIC_SIZE)
        return false;
    count_exit(vm, vm->region_ioapic);
    if (split)
        iov_vcpu_user_begin(vcpu);
    else
        iov_vcpu_compute(vcpu, vm->costs.ioapic);
    req->address -= IOAPIC_BASE;
    if (write)
        vm->ioapic_registers->ops->write(vm->ioapic_registers, req);
    else
        vm->ioapic_registers->ops->read(vm->ioapic_registers, req);
    req->address = address;
    iov_kvm_ioapic_settle(vm);
    if (split)
        iov_vcpu_user_end(vcpu);
    return true;
}

/* The APIC page, when it is not virtualised by the processor. */
static bool lapic_access(struct iov_vcpu *vcpu, struct iov_mem_req *req, bool write)
{
    uint64_t value = 0;

    if (req->address - IOV_APIC_DEFAULT_BASE >= IOV_APIC_SIZE)
        return false;
    count_exit(vcpu->vm, vcpu->vm->region_lapic);
    iov_vcpu_compute(vcpu, vcpu->vm->costs.apic);
    if (write) {
        iov_vcpu_apic_write(vcpu, (uint32_t)(req->address & 0xff0), iov_mem_value(req));
    } else {
        iov_vcpu_apic_read(vcpu, (uint32_t)(req->address & 0xff0), &value);
        iov_mem_set_value(req, value);
    }
    return true;
}

enum iov_resume iov_vcpu_mmio(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    IovKvmVm *vm = vcpu->vm;
    struct iov_op *op = exit->op;
    bool write = op != NULL && op->kind == IOV_OP_STORE;
    struct iov_mem_req req;
    const struct iov_mem_window *window;

    if (op == NULL ||
        (op->kind != IOV_OP_STORE && op->kind != IOV_OP_LOAD)) { /* nothing the decoder knows */
        vm->unknown_exits++;
        return iov_vcpu_skip(vcpu);
    }
    req = (struct iov_mem_req){
        .address = exit->guest_physical, .data = op->data, .size = op->size, .pasid = IOV_NO_PASID
    };
    window = iov_mem_map_find(&vm->mmio, req.address);
    if (write && signal_doorbell(vcpu, &req, vm->costs.mmio_fast)) {
        count_exit(vm, region_of(vm, &vm->mmio, vm->mmio_regions, window));
        return iov_vcpu_skip(vcpu);
    }
    vcpu->owed += vm->costs.emulate + vm->costs.mmio_fast;
    if (vm->class->access == NULL) /* else it is paid with what comes next */
        iov_vcpu_compute(vcpu, 0);
    if (ioapic_access(vcpu, &req, write) || lapic_access(vcpu, &req, write))
        return iov_vcpu_skip(vcpu);
    count_exit(vm, region_of(vm, &vm->mmio, vm->mmio_regions, window));
    if (!(write && window != NULL && coalesce(vcpu, window, &req)))
        user_access(vcpu, window, &req, write);
    op->status = IOV_STATUS_OK;
    return iov_vcpu_skip(vcpu);
}

/* ---- Ports ---- */

enum iov_resume iov_vcpu_port_io(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    IovKvmVm *vm = vcpu->vm;
    struct iov_op *op = exit->op;
    const struct iov_mem_window *window = iov_mem_map_find(&vm->ports, op->index);
    bool write = op->kind == IOV_OP_OUT || op->kind == IOV_OP_OUTS;
    uint32_t size = MIN(op->size, 4u);
    struct iov_mem_req req = {
        .address = op->index, .data = &op->value[0], .size = size, .pasid = IOV_NO_PASID
    };

    count_exit(vm, region_of(vm, &vm->ports, vm->port_regions, window));
    if (op->kind == IOV_OP_IN || op->kind == IOV_OP_OUT) {
        if (write && signal_doorbell(vcpu, &req, vm->costs.pio_fast))
            return iov_vcpu_skip(vcpu);
        if (!write)
            op->value[0] = 0;
        iov_vcpu_compute(vcpu, vm->costs.pio_fast + (write ? 0 : vm->costs.emulate));
        user_access(vcpu, window, &req, write);
        return iov_vcpu_skip(vcpu);
    }
    iov_vcpu_compute(vcpu, vm->costs.emulate);
    if (vm->class->access == NULL)
        iov_vcpu_user_begin(vcpu);
    for (uint32_t i = 0; i < MAX(op->count, 1u) && op->data != NULL; i++) {
        req.data = (char *)op->data + (size_t)i * size;
        if (vm->class->access == NULL)
            iov_kvm_visit(vm, vcpu->thread, window, &req, write, 0);
        else
            vm->class->access(vcpu, window, &req, write);
    }
    if (vm->class->access == NULL)
        iov_vcpu_user_end(vcpu);
    return iov_vcpu_skip(vcpu);
}
