/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for tests of guest software: one processor that executes every operation at once and
 * exactly, RAM with payload tags, a local APIC and an I/O APIC reduced to what delivers interrupts,
 * and one device behind two functions. Every access to something that is not RAM is written down.
 */
#ifndef IOV_TEST_FAKE_MACHINE_H
#define IOV_TEST_FAKE_MACHINE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/trace/measure.h"
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/guest/guest-private.h"
#include "models/hypervisor/kvm-regs.h"
#include "models/irq/ioapic-regs.h"

#define MACHINE_RAM (16u << 20)
#define MACHINE_TAGS 4096u
#define MACHINE_LOG 65536u
#define MACHINE_REGISTERS 0xfebc0000u
#define MACHINE_MSIX 0xfebe0000u
#define MACHINE_HZ 2000000000u
#define MACHINE_PS_A_CYCLE (IOV_SEC / MACHINE_HZ)

struct machine;

struct machine_access {
    char direction; /* 'r', 'w', 'h' for HLT, 'i' for an interrupt */
    uint64_t address;
    uint64_t value;
};

struct machine {
    struct iov_kernel *kernel;
    struct iov_measure *measure;
    struct iov_run run;
    struct iov_cost_table costs;
    iov_time cost; /* of every row */
    IovModel *guest;
    IovModel *workload;
    struct iov_processor processor;
    struct iov_exec exec;
    struct iov_fiber *fiber;
    struct iov_mem_target memory; /* for a device's DMA */
    struct iov_irq_sink line;
    uint8_t *ram;
    struct {
        uint64_t address;
        struct iov_span *span;
    } tags[MACHINE_TAGS];
    bool pending[256];
    unsigned pending_count;
    bool line_level;
    uint8_t line_vector; /* 0: masked */
    bool line_in_service;
    uint32_t ioapic_index;
    struct iov_event timer;
    bool x2apic;
    bool deadline;
    bool paravirtual_eoi; /* offered, and granted for every edge interrupt */
    uint64_t eoi_flag;
    struct machine_access log[MACHINE_LOG];
    unsigned logged;
    uint64_t (*device_read)(struct machine *machine, uint64_t address, uint32_t size);
    void (*device_write)(struct machine *machine, uint64_t address, uint32_t size, uint64_t value);
    uint64_t (*port_read)(struct machine *machine, uint32_t port, uint32_t size);
    void (*port_write)(struct machine *machine, uint32_t port, uint32_t size, uint64_t value);
    void *device;
    bool exits; /* accesses count as exits, as under a hypervisor without APIC virtualisation */
};

static inline void machine_note(struct machine *machine, char direction, uint64_t address,
                                uint64_t value)
{
    if (machine->logged < MACHINE_LOG)
        machine->log[machine->logged++] = (struct machine_access){ direction, address, value };
}

/* ---- Interrupts ---- */

static inline void machine_interrupt(struct machine *machine, uint8_t vector)
{
    machine->pending_count += !machine->pending[vector];
    machine->pending[vector] = true;
    if (machine->fiber != NULL)
        iov_fiber_unpark(machine->fiber);
}

static inline void machine_sense_line(struct machine *machine)
{
    if (machine->line_level && machine->line_vector != 0 && !machine->line_in_service)
        machine_interrupt(machine, machine->line_vector);
}

static inline void machine_line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct machine *machine = iov_container_of(sink, struct machine, line);

    (void)span;
    machine->line_level = level;
    machine_sense_line(machine);
}

static const struct iov_irq_sink_ops machine_line_ops = { .set = machine_line_set };

/* ---- Memory ---- */

static inline struct iov_span **machine_tag(struct machine *machine, uint64_t address)
{
    unsigned i = 0;

    while (i < MACHINE_TAGS && machine->tags[i].address != address && machine->tags[i].address != 0)
        i++;
    cr_assert(lt(uint, i, MACHINE_TAGS));
    machine->tags[i].address = address;
    return &machine->tags[i].span;
}

static inline enum iov_status machine_memory_access(struct machine *machine,
                                                    struct iov_mem_req *req, bool write)
{
    if (write && req->address >> 20 == 0xfee) {
        machine_interrupt(machine, *(const uint8_t *)req->data);
        return IOV_STATUS_OK;
    }
    if (req->address > MACHINE_RAM || req->size > MACHINE_RAM - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (write)
        memcpy(machine->ram + req->address, req->data, req->size);
    else
        memcpy(req->data, machine->ram + req->address, req->size);
    if (req->flags & IOV_MEM_PAYLOAD && write)
        *machine_tag(machine, req->address) = req->span;
    else if (req->flags & IOV_MEM_PAYLOAD)
        req->span = *machine_tag(machine, req->address);
    return IOV_STATUS_OK;
}

static inline enum iov_status machine_memory_read(struct iov_mem_target *target,
                                                  struct iov_mem_req *req)
{
    return machine_memory_access(iov_container_of(target, struct machine, memory), req, false);
}

static inline enum iov_status machine_memory_write(struct iov_mem_target *target,
                                                   struct iov_mem_req *req)
{
    return machine_memory_access(iov_container_of(target, struct machine, memory), req, true);
}

static const struct iov_mem_target_ops machine_memory_ops = { .read = machine_memory_read,
                                                              .write = machine_memory_write };

/* ---- The processor ---- */

static inline void machine_deliver(struct machine *machine)
{
    struct iov_exec *exec = &machine->exec;

    while (exec->interrupts && exec->blocking == 0 && machine->pending_count > 0) {
        unsigned vector = 255;

        while (!machine->pending[vector])
            vector--;
        machine->pending[vector] = false;
        machine->pending_count--;
        machine_note(machine, 'i', vector, 0);
        if (vector == machine->line_vector)
            machine->line_in_service = true;
        else if (machine->paravirtual_eoi && machine->eoi_flag != 0)
            machine->ram[machine->eoi_flag] |= 1;
        exec->interrupts = false;
        exec->program->ops->interrupt(exec->program, exec, (uint8_t)vector);
        cr_assert(not(exec->interrupts), "an interrupt handler returns with interrupts off");
        exec->interrupts = true;
    }
}

static inline void machine_compute(struct iov_exec *exec, iov_time duration, enum iov_part part)
{
    struct machine *machine = iov_container_of(exec, struct machine, exec);
    iov_time left = duration;

    exec->used[part] += duration;
    exec->blocking = 0;
    do {
        iov_time begin = iov_now(machine->kernel);

        if (left > 0 && !iov_kernel_advance(machine->kernel, left))
            iov_fiber_park_until(machine->kernel, begin + left);
        left -= iov_now(machine->kernel) - begin;
        iov_span_mark(exec->span, exec->holder, part, iov_now(machine->kernel));
        machine_deliver(machine);
    } while (left > 0);
}

static inline uint64_t machine_read_register(struct machine *machine, uint64_t address,
                                             uint32_t size)
{
    if (address >> 12 == IOV_APIC_DEFAULT_BASE >> 12 || address >> 12 == IOAPIC_BASE >> 12)
        return 0;
    return machine->device_read != NULL ? machine->device_read(machine, address, size) : 0;
}

static inline void machine_ioapic_write(struct machine *machine, uint64_t offset, uint64_t value)
{
    if (offset == IOAPIC_IOREGSEL) {
        machine->ioapic_index = (uint32_t)value;
    } else if (!(machine->ioapic_index & 1)) {
        machine->line_vector = value & IOAPIC_ENTRY_MASKED ? 0 : (uint8_t)value;
        machine_sense_line(machine);
    }
}

static inline void machine_eoi(struct machine *machine)
{
    machine->line_in_service = false;
    machine_sense_line(machine);
}

static inline void machine_write_register(struct machine *machine, uint64_t address, uint32_t size,
                                          uint64_t value)
{
    if (address == IOV_APIC_DEFAULT_BASE + IOV_APIC_EOI)
        machine_eoi(machine);
    else if (address >> 12 == IOAPIC_BASE >> 12)
        machine_ioapic_write(machine, address & 0xfff, value);
    else if (address >> 12 != IOV_APIC_DEFAULT_BASE >> 12 && machine->device_write != NULL)
        machine->device_write(machine, address, size, value);
}

static inline void machine_count_exit(struct machine *machine, unsigned reason)
{
    if (machine->exits)
        machine->measure->counters.exits[reason]++;
}

static inline void machine_memory_op(struct machine *machine, struct iov_op *op, bool write)
{
    struct iov_mem_req req = {
        .address = op->address, .data = op->data, .size = op->size, .span = op->span
    };
    uint64_t value = 0;

    if (op->address < MACHINE_RAM) {
        req.flags = op->flags & IOV_OP_PAYLOAD ? IOV_MEM_PAYLOAD : 0;
        op->status = machine_memory_access(machine, &req, write);
        if (!write)
            op->span = req.span;
        return;
    }
    machine_count_exit(machine, op->address >> 12 == IOV_APIC_DEFAULT_BASE >> 12 ? 44 : 49);
    if (write) {
        memcpy(&value, op->data, op->size);
        machine_note(machine, 'w', op->address, value);
        machine_write_register(machine, op->address, op->size, value);
    } else {
        value = machine_read_register(machine, op->address, op->size);
        machine_note(machine, 'r', op->address, value);
        memcpy(op->data, &value, op->size);
    }
    iov_fiber_settle(machine->kernel);
}

static inline void machine_timer(struct iov_event *event)
{
    machine_interrupt(iov_container_of(event, struct machine, timer), IOV_GUEST_VECTOR_TIMER);
}

static inline void machine_wrmsr(struct machine *machine, uint32_t msr, uint64_t value)
{
    machine_note(machine, 'w', msr, value);
    if (msr == IOV_MSR_TSC_DEADLINE) {
        iov_time when = value * MACHINE_PS_A_CYCLE;
        iov_time now = iov_now(machine->kernel);

        iov_event_disarm(&machine->timer);
        if (value != 0)
            iov_event_at(&machine->timer, when > now ? when : now);
    } else if (msr == IOV_MSR_X2APIC_FIRST + (IOV_APIC_EOI >> 4)) {
        machine_eoi(machine);
    } else if (msr == MSR_KVM_PV_EOI_EN) {
        machine->eoi_flag = value & ~UINT64_C(3);
    }
}

static inline void machine_cpuid(struct machine *machine, struct iov_op *op)
{
    uint32_t leaf = (uint32_t)op->value[0];

    memset(op->value, 0, sizeof op->value);
    if (leaf == 1)
        op->value[2] = (machine->x2apic ? 1u << 21 : 0) | (machine->deadline ? 1u << 24 : 0) |
                       (machine->paravirtual_eoi ? 1u << 31 : 0);
    if (leaf == KVM_CPUID_SIGNATURE) {
        op->value[1] = KVM_SIGNATURE_EBX;
        op->value[2] = KVM_SIGNATURE_ECX;
        op->value[3] = KVM_SIGNATURE_EDX;
    }
    if (leaf == KVM_CPUID_FEATURES)
        op->value[0] = KVM_FEATURE_PV_EOI;
}

static inline void machine_halt(struct machine *machine)
{
    machine_note(machine, 'h', 0, 0);
    machine->exec.blocking = 0;
    while (machine->pending_count == 0)
        iov_fiber_park(machine->kernel);
}

static inline void machine_operate(struct iov_exec *exec, struct iov_op *op)
{
    struct machine *machine = iov_container_of(exec, struct machine, exec);
    uint8_t blocking = 0;

    exec->operations++;
    switch (op->kind) {
    case IOV_OP_LOAD:
    case IOV_OP_STORE:
        machine_memory_op(machine, op, op->kind == IOV_OP_STORE);
        break;
    case IOV_OP_IN:
        op->value[0] =
            machine->port_read != NULL ? machine->port_read(machine, op->index, op->size) : 0;
        machine_note(machine, 'r', op->index, op->value[0]);
        machine_count_exit(machine, 30);
        break;
    case IOV_OP_OUT:
        machine_note(machine, 'w', op->index, op->value[0]);
        if (machine->port_write != NULL)
            machine->port_write(machine, op->index, op->size, op->value[0]);
        machine_count_exit(machine, 30);
        break;
    case IOV_OP_CPUID:
        machine_cpuid(machine, op);
        break;
    case IOV_OP_RDMSR:
        machine_note(machine, 'r', op->index, 0);
        op->value[0] = 0;
        break;
    case IOV_OP_WRMSR:
        machine_wrmsr(machine, op->index, op->value[0]);
        break;
    case IOV_OP_RDTSC:
        op->value[0] = iov_now(machine->kernel) / MACHINE_PS_A_CYCLE;
        break;
    case IOV_OP_CLI:
        exec->interrupts = false;
        break;
    case IOV_OP_STI:
        blocking = exec->interrupts ? 0 : IOV_BLOCKING_STI;
        exec->interrupts = true;
        break;
    case IOV_OP_HLT:
        machine_halt(machine);
        break;
    default:
        break;
    }
    exec->blocking = blocking;
    machine_deliver(machine);
}

static inline void machine_boundary(struct iov_exec *exec)
{
    machine_deliver(iov_container_of(exec, struct machine, exec));
}

static const struct iov_processor_ops machine_processor_ops = {
    .compute = machine_compute,
    .operate = machine_operate,
    .boundary = machine_boundary,
};

/* ---- Life ---- */

static inline bool machine_cost(struct iov_cost_table *table, const char *name, const char *kind,
                                iov_time *ret_cost, GError **error)
{
    (void)name;
    (void)kind;
    (void)error;
    *ret_cost = iov_container_of(table, struct machine, costs)->cost;
    return true;
}

/* A machine with a kernel that is not started: set properties first. Every cost is `cost`. */
static inline struct machine *machine_new(iov_time cost)
{
    struct machine *machine = g_new0(struct machine, 1);

    machine->kernel = iov_kernel_new();
    machine->measure = iov_measure_new(machine->kernel);
    machine->costs.lookup = machine_cost;
    machine->cost = cost;
    machine->run = (struct iov_run){
        .kernel = machine->kernel, .seed = 1, .measure = machine->measure, .costs = &machine->costs
    };
    machine->ram = g_malloc0(MACHINE_RAM);
    machine->memory.ops = &machine_memory_ops;
    machine->line.ops = &machine_line_ops;
    machine->deadline = true;
    iov_event_init(&machine->timer, machine->kernel, machine_timer, IOV_PRIORITY_DEFAULT);
    machine->processor = (struct iov_processor){ .ops = &machine_processor_ops,
                                                 .kernel = machine->kernel,
                                                 .frequency_hz = MACHINE_HZ };
    machine->exec = (struct iov_exec){ .processor = &machine->processor, .interrupts = true };
    machine->exec.holder = &machine->exec;
    machine->guest = iov_model_new("linux-guest", "guest", &machine->run, NULL);
    cr_assert(ne(ptr, machine->guest, NULL));
    return machine;
}

static inline void machine_set(IovModel *model, const char *name, uint64_t value)
{
    GError *error = NULL;

    cr_assert(iov_model_set_number(model, name, value, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void machine_choose(IovModel *model, const char *name, const char *value)
{
    GError *error = NULL;

    cr_assert(iov_model_set_string(model, name, value, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void machine_set_workload(struct machine *machine, const char *kind)
{
    machine->workload = iov_model_new(kind, "workload", &machine->run, NULL);
    cr_assert(ne(ptr, machine->workload, NULL));
    cr_assert(iov_model_set_ref(machine->guest, "workload", machine->workload, NULL));
}

static inline void machine_main(void *argument)
{
    struct machine *machine = argument;

    machine->exec.program->ops->start(machine->exec.program, &machine->exec, 0);
}

static inline void machine_realize(IovModel *model)
{
    GError *error = NULL;

    if (model == NULL)
        return;
    cr_assert(iov_model_prepare(model, &error), "%s", error != NULL ? error->message : "");
    cr_assert(iov_model_realize(model, &error), "%s", error != NULL ? error->message : "");
    iov_model_start(model);
}

static inline void machine_start(struct machine *machine)
{
    machine_realize(machine->workload);
    machine_realize(machine->guest);
    machine->exec.program = iov_model_port(machine->guest, "program", 0);
    machine->fiber = iov_fiber_new(machine->kernel, "vcpu", machine_main, machine);
}

static inline void machine_free(struct machine *machine)
{
    IovModel *parts[2] = { machine->guest, machine->workload };

    iov_event_disarm(&machine->timer);
    iov_kernel_free(machine->kernel);
    for (unsigned i = 0; i < 2; i++) {
        if (parts[i] == NULL)
            continue;
        iov_model_unrealize(parts[i]);
        g_object_unref(parts[i]);
    }
    iov_measure_free(machine->measure);
    g_free(machine->ram);
    g_free(machine);
}

/* How many entries of the log from `from` on are such accesses. */
static inline unsigned machine_count(const struct machine *machine, unsigned from, char direction,
                                     uint64_t address)
{
    unsigned count = 0;

    for (unsigned i = from; i < machine->logged; i++)
        count += machine->log[i].direction == direction && machine->log[i].address == address;
    return count;
}

#endif
