/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM on the test machine, a device in it that records what it is asked, and the shorthand of a
 * small guest: APIC, EOI, idle.
 */
#ifndef IOV_TESTS_HYPERVISOR_GUEST_H
#define IOV_TESTS_HYPERVISOR_GUEST_H

#include "models/hypervisor/kvm-private.h"
#include "models/irq/ioapic-regs.h"
#include "tests/models/hypervisor/machine.h"

#define GUEST_MEMORY (UINT64_C(64) << 20)
#define GUEST_BASE (UINT64_C(256) << 20)
#define DEVICE_BASE UINT64_C(0xfebc0000)
#define DEVICE_SIZE UINT64_C(0x20000)
#define PV_EOI_ADDRESS UINT64_C(0x5000)

static const struct bench_cost guest_costs[] = {
    { "vm-exit", 300 * IOV_NS },
    { "interrupt-flag", 100 * IOV_NS },
    { "vm-entry", 200 * IOV_NS },
    { "interrupt-delivery", 50 * IOV_NS },
    { "hlt-wake", 1000 * IOV_NS },
    { "kvm-exit", 100 * IOV_NS },
    { "kvm-emulate", 400 * IOV_NS },
    { "kvm-apic", 120 * IOV_NS },
    { "kvm-halt", 200 * IOV_NS },
    { "kvm-user-exit", 600 * IOV_NS },
    { "kvm-user-entry", 500 * IOV_NS },
    { "kvm-mmio-fast", 90 * IOV_NS },
    { "kvm-irq-route", 150 * IOV_NS },
    { "host-wake-up", 800 * IOV_NS },
    { "host-context-switch", 500 * IOV_NS },
    { "host-interrupt", 300 * IOV_NS },
    { "host-reschedule-interrupt", 100 * IOV_NS },
    { "emulator-dispatch", 300 * IOV_NS },
    { "emulator-device", 200 * IOV_NS },
    { "emulator-kick", 2000 * IOV_NS },
    { "tap-read", 1000 * IOV_NS },
    { "kvm-irq-line", 250 * IOV_NS },
    { "kvm-kick", 100 * IOV_NS },
    { NULL, 0 },
};

struct guest {
    struct machine machine;
    IovModel *vm;
    TestProgram *program;
    struct iov_counters *counters;
    bool done;
};

static struct guest guest;

/* One vCPU on host processor 0 unless the test changes it before guest_start(). */
static inline void guest_new(unsigned cpus)
{
    const uint64_t pin[] = { 0, 1 };

    machine_new(&guest.machine, guest_costs, cpus);
    guest.program = machine_program(&guest.machine);
    guest.vm = bench_add(guest.machine.bench, "kvm-vm", "vm");
    guest.done = false;
    cr_assert(iov_model_set_ref(guest.vm, "host", (IovModel *)guest.machine.host, NULL));
    cr_assert(iov_model_set_ref(guest.vm, "program", (IovModel *)guest.program, NULL));
    bench_number(guest.vm, "memory", GUEST_MEMORY);
    bench_number(guest.vm, "memory-base", GUEST_BASE);
    cr_assert(iov_model_set_counts(guest.vm, "pin", pin, cpus > 1 ? 2 : 1, NULL));
    guest.counters = &guest.machine.bench->run.measure->counters;
}

static inline void guest_wire(void)
{
    machine_wire(&guest.machine);
    bench_wire(guest.vm, "bus", guest.machine.bus, "port");
}

static inline void guest_start(void)
{
    bench_start(guest.machine.bench);
}

static inline void guest_run(iov_time duration)
{
    machine_run(&guest.machine, duration);
}

static inline void guest_free(void)
{
    bench_free(guest.machine.bench);
}

static inline uint64_t exits(unsigned reason)
{
    return guest.counters->exits[reason];
}

static inline uint64_t all_exits(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        sum += guest.counters->exits[i];
    return sum;
}

static inline void clear_counters(void)
{
    memset(guest.counters->exits, 0, sizeof guest.counters->exits);
    guest.counters->user_exits = guest.counters->device_exits = guest.counters->injections = 0;
}

static inline struct iov_vcpu *vcpu(unsigned index)
{
    return &((IovKvmVm *)(void *)guest.vm)->vcpu[index];
}

/* ---- What a guest's kernel does ---- */

static inline void x2apic_write(struct iov_exec *exec, unsigned offset, uint64_t value)
{
    iov_exec_wrmsr(exec, 0x800 + (offset >> 4), value);
}

/* x2APIC mode, APIC enabled; with paravirtual EOI if asked. Counters start afterwards. */
static inline void guest_boot(struct iov_exec *exec, bool pv_eoi)
{
    iov_exec_wrmsr(exec, IOV_MSR_APIC_BASE,
                   iov_exec_rdmsr(exec, IOV_MSR_APIC_BASE) | IOV_APIC_BASE_X2APIC);
    x2apic_write(exec, IOV_APIC_SVR, 0x1ff);
    if (pv_eoi)
        iov_exec_wrmsr(exec, MSR_KVM_PV_EOI_EN, PV_EOI_ADDRESS | 1);
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    clear_counters();
}

/* The flag first, the register if it is not set. */
static inline void guest_eoi(struct iov_exec *exec)
{
    uint8_t flag = 0;
    uint8_t zero = 0;

    iov_exec_get(exec, PV_EOI_ADDRESS, &flag, 1);
    if (flag & 1)
        iov_exec_put(exec, PV_EOI_ADDRESS, &zero, 1);
    else
        x2apic_write(exec, IOV_APIC_EOI, 0);
}

/* Sleeps until `*condition`: looks with interrupts off, halts in the shadow of STI. */
static inline void guest_idle(struct iov_exec *exec, const volatile unsigned *condition,
                              unsigned value)
{
    for (;;) {
        iov_exec_do(exec, IOV_OP_CLI);
        if (*condition >= value)
            break;
        iov_exec_do(exec, IOV_OP_STI);
        iov_exec_do(exec, IOV_OP_HLT);
    }
    iov_exec_do(exec, IOV_OP_STI);
}

/* Redirection entry of an I/O APIC pin. */
static inline void guest_ioapic(struct iov_exec *exec, unsigned pin, uint64_t entry)
{
    iov_exec_store(exec, IOAPIC_BASE + IOAPIC_IOREGSEL, 4, IOAPIC_REG_TABLE + 2 * pin + 1);
    iov_exec_store(exec, IOAPIC_BASE + IOAPIC_IOWIN, 4, entry >> 32);
    iov_exec_store(exec, IOAPIC_BASE + IOAPIC_IOREGSEL, 4, IOAPIC_REG_TABLE + 2 * pin);
    iov_exec_store(exec, IOAPIC_BASE + IOAPIC_IOWIN, 4, (uint32_t)entry);
}

/* ---- From outside ---- */

struct later {
    struct iov_event event;
    uint32_t address;
    uint32_t data;
};

static inline void send_msi(uint32_t data)
{
    struct iov_mem_target *msi = iov_model_port(guest.vm, "msi", 0);

    bench_write(msi, 0xfee00000, 4, data);
}

static inline void on_later(struct iov_event *event)
{
    send_msi(iov_container_of(event, struct later, event)->data);
}

static inline void msi_at(struct later *later, iov_time when, uint8_t vector)
{
    later->data = vector;
    iov_event_init(&later->event, machine_kernel(&guest.machine), on_later, IOV_PRIORITY_DEFAULT);
    iov_event_at(&later->event, when);
}

#endif
