/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's interrupts, in Linux's order:
 *
 *   edge and MSI:  entry, EOI, handler, exit
 *   level:         entry, handler, one read of the local APIC's TMR, EOI, exit (that is the I/O
 *                  APIC's fasteoi flow)
 *   timer, IPI:    entry, EOI, handler, exit
 *
 * The exit of the outermost interrupt runs the raised softirqs (guest-softirq.c). The local APIC is
 * reached by memory (xAPIC) or by MSRs (x2APIC). An EOI is left out when the hypervisor offered
 * that in the paravirtual flag. Costs are instruction counts of recorded runs
 * (docs/validation/guest-costs.md).
 */
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/guest/guest-private.h"
#include "models/hypervisor/kvm-regs.h"
#include "models/irq/ioapic-regs.h"

#define PV_EOI_ENABLED 1u /* of the MSR */
#define PV_EOI_PENDING 1u /* of the flag: the EOI may be left out */
#define FEATURE_POLL_CONTROL (1u << 12)

/* ---- The local APIC ---- */

static void count_apic_access(struct iov_guest_cpu *cpu)
{
    cpu->guest->apic_accesses++;
    cpu->guest->measure->counters.apic_accesses++;
    cpu->guest->measure->counters.regions[cpu->guest->region_lapic].accesses++;
}

static uint32_t apic_read(struct iov_guest_cpu *cpu, uint32_t offset)
{
    count_apic_access(cpu);
    if (cpu->x2apic)
        return (uint32_t)iov_exec_rdmsr(cpu->exec, IOV_MSR_X2APIC_FIRST + (offset >> 4));
    return (uint32_t)iov_exec_load(cpu->exec, IOV_APIC_DEFAULT_BASE + offset, 4);
}

void iov_guest_apic_write(struct iov_guest_cpu *cpu, uint32_t offset, uint32_t value)
{
    count_apic_access(cpu);
    if (cpu->x2apic)
        iov_exec_wrmsr(cpu->exec, IOV_MSR_X2APIC_FIRST + (offset >> 4), value);
    else
        iov_exec_store(cpu->exec, IOV_APIC_DEFAULT_BASE + offset, 4, value);
}

static void cpuid(struct iov_guest_cpu *cpu, uint32_t leaf, uint64_t ret_registers[4])
{
    struct iov_op op = { .kind = IOV_OP_CPUID, .value = { leaf } };

    iov_exec_operate(cpu->exec, &op);
    memcpy(ret_registers, op.value, sizeof op.value);
}

/* The features that KVM offers, or 0 if this is another hypervisor. */
static uint32_t paravirtual_features(struct iov_guest_cpu *cpu)
{
    uint64_t registers[4];

    cpuid(cpu, KVM_CPUID_SIGNATURE, registers);
    if ((uint32_t)registers[1] != KVM_SIGNATURE_EBX ||
        (uint32_t)registers[2] != KVM_SIGNATURE_ECX || (uint32_t)registers[3] != KVM_SIGNATURE_EDX)
        return 0;
    cpuid(cpu, KVM_CPUID_FEATURES, registers);
    return (uint32_t)registers[0];
}

static void enable_paravirtual_eoi(struct iov_guest_cpu *cpu)
{
    const uint32_t none = 0;
    iov_gpa flag = iov_guest_allocate(cpu->guest, 64, 64);

    if (flag == 0)
        return;
    iov_exec_put(cpu->exec, flag, &none, sizeof none);
    iov_exec_wrmsr(cpu->exec, MSR_KVM_PV_EOI_EN, flag | PV_EOI_ENABLED);
    cpu->eoi_flag = flag;
}

void iov_guest_boot_apic(struct iov_guest_cpu *cpu)
{
    IovLinuxGuest *guest = cpu->guest;
    uint64_t registers[4];

    cpuid(cpu, 1, registers);
    cpu->tsc_deadline = (registers[2] & CPUID_1_ECX_DEADLINE) != 0;
    bool has_x2apic = (registers[2] & CPUID_1_ECX_X2APIC) != 0;
    bool has_hypervisor = (registers[2] & CPUID_1_ECX_HYPERVISOR) != 0;

    cpu->x2apic =
        guest->apic == IOV_GUEST_X2APIC || (guest->apic == IOV_GUEST_APIC_AUTO && has_x2apic);
    uint64_t base = iov_exec_rdmsr(cpu->exec, IOV_MSR_APIC_BASE);

    /* SPEC: SDM vol. 3A, 11.12.5: x2APIC mode is entered from the enabled xAPIC mode. */
    base |= IOV_APIC_BASE_ENABLE;
    iov_exec_wrmsr(cpu->exec, IOV_MSR_APIC_BASE, base);
    if (cpu->x2apic)
        iov_exec_wrmsr(cpu->exec, IOV_MSR_APIC_BASE, base | IOV_APIC_BASE_X2APIC);
    uint32_t id = apic_read(cpu, IOV_APIC_ID);

    cpu->apic_id = cpu->x2apic ? id : id >> 24;
    if (!cpu->x2apic) { /* flat logical mode, one bit a processor */
        iov_guest_apic_write(cpu, IOV_APIC_DFR, 0xffffffff);
        iov_guest_apic_write(cpu, IOV_APIC_LDR, (1u << (cpu->index & 7)) << 24);
    }
    iov_guest_apic_write(cpu, IOV_APIC_TPR, 0x10); /* Linux bars vectors 0 to 31 */
    iov_guest_apic_write(cpu, IOV_APIC_SVR, IOV_APIC_SVR_ENABLE | IOV_GUEST_VECTOR_SPURIOUS);
    uint32_t features = has_hypervisor ? paravirtual_features(cpu) : 0;

    if (guest->paravirtual_eoi && features & KVM_FEATURE_PV_EOI)
        enable_paravirtual_eoi(cpu);
    if (guest->idle == IOV_GUEST_IDLE_HALTPOLL && features & FEATURE_POLL_CONTROL)
        iov_exec_wrmsr(cpu->exec, MSR_KVM_POLL_CONTROL, 0); /* the guest polls: the host need not */
    cpu->ipi_by_call = !cpu->x2apic && features & KVM_FEATURE_PV_SEND_IPI;
}

static void end_of_interrupt(struct iov_guest_cpu *cpu)
{
    if (cpu->eoi_flag != 0) {
        uint32_t flag;

        iov_exec_get(cpu->exec, cpu->eoi_flag, &flag, sizeof flag);
        if (flag & PV_EOI_PENDING) {
            flag &= ~PV_EOI_PENDING;
            iov_exec_put(cpu->exec, cpu->eoi_flag, &flag, sizeof flag);
            cpu->guest->eois_avoided++;
            return;
        }
    }
    cpu->guest->eois++;
    iov_guest_apic_write(cpu, IOV_APIC_EOI, 0);
}

void iov_guest_send_ipi(struct iov_guest_cpu *cpu, const struct iov_guest_cpu *target,
                        uint8_t vector)
{
    uint32_t command = IOV_APIC_MODE_FIXED << IOV_APIC_ICR_MODE_SHIFT | vector;

    if (cpu->ipi_by_call) {
        struct iov_op call = { .kind = IOV_OP_VMCALL,
                               .value = { KVM_HC_SEND_IPI, 1, 0, target->apic_id },
                               .address = command };

        iov_exec_operate(cpu->exec, &call);
    } else if (cpu->x2apic) {
        count_apic_access(cpu);
        iov_exec_wrmsr(cpu->exec, IOV_MSR_X2APIC_FIRST + (IOV_APIC_ICR >> 4),
                       (uint64_t)target->apic_id << 32 | command);
    } else { /* LIMIT: in flat mode Linux addresses the target logically; the writes are the same */
        iov_guest_apic_write(cpu, IOV_APIC_ICR_HIGH, target->apic_id << 24);
        iov_guest_apic_write(cpu, IOV_APIC_ICR, command);
    }
}

/* ---- Routing ---- */

uint8_t iov_guest_request_irq(IovLinuxGuest *guest, bool level,
                              void (*handler)(void *context, struct iov_guest_cpu *cpu),
                              void *context)
{
    if (guest->next_vector >= IOV_GUEST_VECTOR_TIMER)
        return 0;
    uint8_t vector = guest->next_vector++;

    guest->irqs[vector] = (struct iov_guest_irq){ .handler = handler,
                                                  .context = context,
                                                  .level = level,
                                                  .processor = (uint8_t)guest->interrupt_cpu };
    return vector;
}

uint8_t iov_guest_request_queue_irq(IovLinuxGuest *guest, unsigned queue,
                                    void (*handler)(void *context, struct iov_guest_cpu *cpu),
                                    void *context)
{
    uint8_t vector = iov_guest_request_irq(guest, false, handler, context);
    uint64_t processor = guest->interrupt_cpu;

    if (guest->irq_cpus.count > 0)
        processor = guest->irq_cpus.items[queue % guest->irq_cpus.count];
    else if (guest->irq_affinity == IOV_GUEST_SPREAD)
        processor += iov_guest_processor_of(guest, queue);
    guest->irqs[vector].processor = (uint8_t)(processor % iov_guest_processors(guest));
    return vector;
}

void iov_guest_request_upcall(IovLinuxGuest *guest,
                              void (*handler)(void *context, struct iov_guest_cpu *cpu),
                              void *context)
{
    guest->irqs[IOV_GUEST_VECTOR_UPCALL] =
        (struct iov_guest_irq){ .handler = handler, .context = context, .upcall = true };
}

/* The processor that takes `vector`, as the destination field says it. */
static uint32_t destination(const struct iov_guest_cpu *cpu, uint8_t vector)
{
    const IovLinuxGuest *guest = cpu->guest;
    const struct iov_guest_irq *irq = &guest->irqs[vector];
    const struct iov_guest_cpu *target =
        &guest->cpus[irq->handler != NULL ? irq->processor : guest->interrupt_cpu];

    if (target->guest == NULL)
        target = cpu; /* not booted: this one takes them */
    return cpu->x2apic ? target->apic_id : 1u << (target->index & 7);
}

uint64_t iov_guest_msi_address(struct iov_guest_cpu *cpu, uint8_t vector)
{
    return MSI_BASE | (uint64_t)destination(cpu, vector) << MSI_ADDRESS_DESTINATION_SHIFT |
           (cpu->x2apic ? 0 : MSI_ADDRESS_LOGICAL);
}

static void count_ioapic_access(struct iov_guest_cpu *cpu)
{
    cpu->guest->ioapic_accesses++;
    cpu->guest->measure->counters.regions[cpu->guest->region_ioapic].accesses++;
}

static void ioapic_write(struct iov_guest_cpu *cpu, uint32_t index, uint32_t value)
{
    count_ioapic_access(cpu);
    count_ioapic_access(cpu);
    iov_exec_store(cpu->exec, cpu->guest->ioapic + IOAPIC_IOREGSEL, 4, index);
    iov_exec_store(cpu->exec, cpu->guest->ioapic + IOAPIC_IOWIN, 4, value);
}

/* The entry names a table entry; in place of the vector stands the pin, which the EOI register
 * takes. */
static void route_remapped(struct iov_guest_cpu *cpu, uint32_t gsi, uint8_t vector)
{
    unsigned index = iov_guest_remap_alloc(cpu);
    uint32_t entry = IOAPIC_REG_TABLE + 2 * gsi;
    uint32_t high = IOAPIC_REMAPPABLE | (index & 0x7fff) << IOAPIC_REMAP_INDEX_SHIFT;
    uint32_t low = (uint32_t)IOAPIC_ENTRY_LEVEL | gsi;

    for (int i = 0; i < 2; i++) {
        iov_guest_remap_write(cpu, index, vector, destination(cpu, vector), !cpu->x2apic, true,
                              (uint16_t)cpu->guest->ioapic_requester);
        ioapic_write(cpu, entry + 1, high);
        ioapic_write(cpu, entry, low | (uint32_t)IOAPIC_ENTRY_MASKED);
    }
    ioapic_write(cpu, entry, low);
    cpu->guest->irqs[vector].pin = (uint8_t)gsi;
    cpu->guest->irqs[vector].remapped = true;
}

void iov_guest_route_gsi(struct iov_guest_cpu *cpu, uint32_t gsi, uint8_t vector)
{
    uint32_t entry = IOAPIC_REG_TABLE + 2 * gsi;
    uint32_t low =
        (uint32_t)IOAPIC_ENTRY_LEVEL | vector | (cpu->x2apic ? 0 : (uint32_t)IOAPIC_ENTRY_LOGICAL);

    if (iov_guest_remaps_interrupts(cpu)) {
        route_remapped(cpu, gsi, vector);
        return;
    }
    /* Linux writes the masked entry twice (activation, then start-up) and unmasks it. */
    for (int i = 0; i < 2; i++) {
        ioapic_write(cpu, entry + 1, destination(cpu, vector) << 24);
        ioapic_write(cpu, entry, low | (uint32_t)IOAPIC_ENTRY_MASKED);
    }
    ioapic_write(cpu, entry, low);
}

/* ---- The interrupt gate ---- */

static void device_done(struct iov_guest_cpu *cpu)
{
    end_of_interrupt(cpu);
    iov_interrupt_ended(cpu->guest->measure->interrupts, cpu->handler_began, iov_guest_now(cpu));
}

static void device_interrupt(struct iov_guest_cpu *cpu, uint8_t vector)
{
    IovLinuxGuest *guest = cpu->guest;
    const struct iov_guest_irq *irq = &guest->irqs[vector];

    guest->device_interrupts++;
    if (cpu->use != NULL)
        cpu->use->interrupts++;
    guest->measure->counters.interrupts++;
    cpu->handler_began = iov_guest_now(cpu);
    iov_interrupt_taken(guest->measure->interrupts, guest, cpu->handler_began);
    iov_span_note(cpu->exec->span, iov_guest_now(cpu), "interrupt handler");
    if (irq->upcall) {
        irq->handler(irq->context, cpu);
        iov_guest_charge(cpu, guest->costs.irq_flow);
        iov_interrupt_ended(guest->measure->interrupts, cpu->handler_began, iov_guest_now(cpu));
        return;
    }
    if (!irq->level) {
        device_done(cpu);
        irq->handler(irq->context, cpu);
        iov_guest_charge(cpu, guest->costs.irq_flow);
        return;
    }
    irq->handler(irq->context, cpu);
    iov_guest_charge(cpu, guest->costs.irq_flow);
    if (irq->remapped) { /* the vector's EOI means nothing to the I/O APIC */
        device_done(cpu);
        count_ioapic_access(cpu);
        iov_exec_store(cpu->exec, guest->ioapic + IOAPIC_EOI, 4, irq->pin);
        return;
    }
    apic_read(cpu, IOV_APIC_TMR + (vector / 32u) * 0x10);
    device_done(cpu);
}

static struct iov_guest_cpu *find_cpu(IovLinuxGuest *guest, const struct iov_exec *exec)
{
    for (unsigned i = 0; i < IOV_GUEST_CPUS; i++)
        if (guest->cpus[i].exec == exec)
            return &guest->cpus[i];
    return NULL;
}

void iov_guest_program_interrupt(struct iov_program *program, struct iov_exec *exec, uint8_t vector)
{
    IovLinuxGuest *guest = iov_container_of(program, IovLinuxGuest, program);
    struct iov_guest_cpu *cpu = find_cpu(guest, exec);

    if (cpu == NULL) { /* before the kernel has set up anything */
        guest->spurious_interrupts++;
        return;
    }
    struct iov_span *interrupted = cpu->span;
    struct iov_span *announced = exec->span;

    /* Linux counts the time of its tick only here, when the interrupt ends the sleep of the idle
     * loop. */
    bool wakes = cpu->idle && cpu->hardirqs == 0 && !cpu->in_softirq;

    cpu->hardirqs++;
    iov_guest_sched_interrupt_begin(cpu);
    iov_guest_work_for(cpu, announced);
    iov_guest_charge(cpu, guest->costs.irq_entry + (wakes ? guest->costs.irq_idle : 0));
    if (vector == IOV_GUEST_VECTOR_TIMER) {
        uint64_t before = guest->measure->counters.apic_accesses;

        guest->timer_interrupts++;
        guest->measure->counters.timer_interrupts++;
        end_of_interrupt(cpu);
        iov_guest_timer_interrupt(cpu);
        guest->measure->counters.timer_accesses += guest->measure->counters.apic_accesses - before;
    } else if (vector == IOV_GUEST_VECTOR_RESCHEDULE) {
        guest->reschedule_interrupts++;
        if (cpu->use != NULL)
            cpu->use->ipis++;
        end_of_interrupt(cpu);
        iov_guest_charge(cpu, guest->costs.reschedule);
    } else if (guest->irqs[vector].handler != NULL) {
        device_interrupt(cpu, vector);
    } else {
        guest->spurious_interrupts++;
        if (vector != IOV_GUEST_VECTOR_SPURIOUS)
            end_of_interrupt(cpu);
    }
    iov_guest_sched_interrupt_end(cpu);
    cpu->hardirqs--;
    iov_guest_softirq_exit(cpu);
    iov_guest_charge(cpu, guest->costs.irq_exit);
    iov_guest_resume(cpu, interrupted);
}
