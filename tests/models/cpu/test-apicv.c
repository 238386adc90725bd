/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APIC virtualisation (SDM vol. 3C, chapter 30): TPR shadow, APIC-access page, virtualised x2APIC
 * mode, APIC-register virtualisation, virtual-interrupt delivery, posted interrupts.
 */
#include "tests/models/cpu/cpu-bench.h"

static uint32_t vapic(const struct bench *bench, uint32_t offset)
{
    return bench_get32(bench, BENCH_VAPIC + offset);
}

static void vapic_set(struct bench *bench, uint32_t offset, uint32_t value)
{
    bench_put32(bench, BENCH_VAPIC + offset, value);
}

static void vapic_request(struct bench *bench, uint32_t set, uint8_t vector)
{
    bench->memory[BENCH_VAPIC + set + vector / 32 * 0x10 + vector % 32 / 8] |=
        (uint8_t)(1u << (vector & 7));
}

/* ---- TPR shadow ---- */

static void tpr_shadow(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_TPR_SHADOW);
    vapic_set(bench, IOV_APIC_TPR, 0x60);
    vmwrite(bench, IOV_VMCS_TPR_THRESHOLD, 4);
}

static void use_cr8(struct bench *bench)
{
    struct iov_op op = { .kind = IOV_OP_MOV_FROM_CR, .index = 8 };

    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(u64, op.value[0], 6));
    op = (struct iov_op){ .kind = IOV_OP_MOV_TO_CR, .index = 8, .value = { 4 } };
    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(uint, vapic(bench, IOV_APIC_TPR), 0x40));
    cr_assert(eq(uint, bench->exit_count, 0), "not below the threshold");
    op.value[0] = 3;
    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(uint, vapic(bench, IOV_APIC_TPR), 0x30), "trap-like: written first");
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_TPR_BELOW_THRESHOLD));
}

/* An entry with the threshold above the TPR would fail (27.2.1.1). */
static void lower_threshold(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_TPR_THRESHOLD, 0);
}

Test(tpr_shadow, cr8_is_virtual_and_exits_below_the_threshold)
{
    struct bench *bench = bench_new();

    bench->on_exit = lower_threshold;
    bench_guest_passes(bench, tpr_shadow, use_cr8);
}

/* ---- The APIC-access page ---- */

enum { V = -1 /* virtualised, no exit */ };

struct access_case {
    const char *name;
    const char *clause;
    uint32_t primary, secondary; /* beyond EPT and APIC accesses */
    uint32_t offset, size;
    bool write;
    uint32_t value;
    int reason;
    uint64_t qualification;
};

#define SHADOW IOV_PRIMARY_TPR_SHADOW
#define REGISTERS IOV_SECONDARY_APIC_REGISTER
#define DELIVERY IOV_SECONDARY_VIRTUAL_INTERRUPT
#define QUAL_W(offset) ((offset) | IOV_QUAL_APIC_WRITE << IOV_QUAL_APIC_TYPE_SHIFT)

static const struct access_case accesses[] = {
    { "read of TPR, no TPR shadow", "30.4.2", 0, 0, IOV_APIC_TPR, 4, false, 0, IOV_EXIT_APIC_ACCESS,
      IOV_APIC_TPR },
    { "read of TPR", "30.4.2", SHADOW, 0, IOV_APIC_TPR, 4, false, 0, V, 0 },
    { "read of TPR, 8 bytes", "30.4.2", SHADOW, 0, IOV_APIC_TPR, 8, false, 0, IOV_EXIT_APIC_ACCESS,
      IOV_APIC_TPR },
    { "read of TPR, 1 byte", "30.4.2", SHADOW, 0, IOV_APIC_TPR, 1, false, 0, V, 0 },
    { "read across the 4 bytes", "30.4.2", SHADOW, 0, IOV_APIC_TPR + 2, 4, false, 0,
      IOV_EXIT_APIC_ACCESS, IOV_APIC_TPR + 2 },
    { "read of ISR, no register virtualisation", "30.4.2", SHADOW, 0, IOV_APIC_ISR, 4, false, 0,
      IOV_EXIT_APIC_ACCESS, IOV_APIC_ISR },
    { "read of ISR", "30.4.2", SHADOW, REGISTERS, IOV_APIC_ISR, 4, false, 0, V, 0 },
    { "read of IRR", "30.4.2", SHADOW, REGISTERS, IOV_APIC_IRR + 0x70, 4, false, 0, V, 0 },
    { "read of ID", "30.4.2", SHADOW, REGISTERS, IOV_APIC_ID, 4, false, 0, V, 0 },
    { "read of the current count", "30.4.2", SHADOW, REGISTERS, IOV_APIC_TIMER_CURRENT, 4, false, 0,
      IOV_EXIT_APIC_ACCESS, IOV_APIC_TIMER_CURRENT },
    { "read of PPR", "30.4.2", SHADOW, REGISTERS, IOV_APIC_PPR, 4, false, 0, IOV_EXIT_APIC_ACCESS,
      IOV_APIC_PPR },
    { "write of TPR, no TPR shadow", "30.4.3", 0, 0, IOV_APIC_TPR, 4, true, 0x20,
      IOV_EXIT_APIC_ACCESS, QUAL_W(IOV_APIC_TPR) },
    { "write of TPR", "30.4.3", SHADOW, 0, IOV_APIC_TPR, 4, true, 0x20, V, 0 },
    { "write of EOI, nothing virtual", "30.4.3.1", SHADOW, 0, IOV_APIC_EOI, 4, true, 0,
      IOV_EXIT_APIC_ACCESS, QUAL_W(IOV_APIC_EOI) },
    { "write of EOI, register virtualisation", "30.4.3.2", SHADOW, REGISTERS, IOV_APIC_EOI, 4, true,
      0, IOV_EXIT_APIC_WRITE, IOV_APIC_EOI },
    { "write of EOI, virtual-interrupt delivery", "30.4.3.2", SHADOW, DELIVERY, IOV_APIC_EOI, 4,
      true, 0, V, 0 },
    { "write of ICR, virtual-interrupt delivery", "30.4.3.2", SHADOW, DELIVERY, IOV_APIC_ICR, 4,
      true, 0xfd, IOV_EXIT_APIC_WRITE, IOV_APIC_ICR },
    { "self-IPI", "30.4.3.2", SHADOW, DELIVERY, IOV_APIC_ICR, 4, true, 0x40041, V, 0 },
    { "self-IPI, vector below 16", "30.4.3.2", SHADOW, DELIVERY, IOV_APIC_ICR, 4, true, 0x4000f,
      IOV_EXIT_APIC_WRITE, IOV_APIC_ICR },
    { "self-IPI as NMI", "30.4.3.2", SHADOW, DELIVERY, IOV_APIC_ICR, 4, true, 0x40441,
      IOV_EXIT_APIC_WRITE, IOV_APIC_ICR },
    { "write of ICR high", "30.4.3.2", SHADOW, REGISTERS, IOV_APIC_ICR_HIGH, 4, true, 0x01ffffff, V,
      0 },
    { "write of the timer's count, delivery only", "30.4.3.1", SHADOW, DELIVERY,
      IOV_APIC_TIMER_INITIAL, 4, true, 1, IOV_EXIT_APIC_ACCESS, QUAL_W(IOV_APIC_TIMER_INITIAL) },
    { "write of the timer's count", "30.4.3.2", SHADOW, REGISTERS, IOV_APIC_TIMER_INITIAL, 4, true,
      1, IOV_EXIT_APIC_WRITE, IOV_APIC_TIMER_INITIAL },
    { "write of ISR", "30.4.3.1", SHADOW, REGISTERS, IOV_APIC_ISR, 4, true, 1, IOV_EXIT_APIC_ACCESS,
      QUAL_W(IOV_APIC_ISR) },
};

static const struct access_case *present;

static void set_up_access(struct bench *bench)
{
    bench_ept_ram(bench);
    bench_ept_map(bench, 0x5000, BENCH_APIC_ACCESS | IOV_EPT_RWX | IOV_EPT_TYPE_WB);
    vmwrite(bench, IOV_VMCS_APIC_ACCESS_ADDRESS, BENCH_APIC_ACCESS);
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, present->primary);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_APIC_ACCESSES | present->secondary);
    vapic_set(bench, present->offset & ~0xfu, 0x80);
}

static void run_access(struct bench *bench)
{
    if (present->write)
        iov_exec_store(&bench->guest, 0x5000 + present->offset, present->size, present->value);
    else
        bench->note = iov_exec_load(&bench->guest, 0x5000 + present->offset, present->size);
}

Test(apic_access, every_access_is_virtualised_or_exits)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(accesses); i++) {
        struct bench *bench = bench_new();
        const struct access_case *it = present = &accesses[i];

        bench_run_guest(bench, set_up_access, run_access);
        cr_assert(bench->done, "%s", it->name);
        cr_assert(eq(uint, bench->exit_count, it->reason == V ? 0 : 1), "%s (%s): exit %u",
                  it->name, it->clause, bench->exits[0].reason);
        if (it->reason == V && !it->write)
            cr_assert(eq(u64, bench->note, 0x80), "%s", it->name);
        if (it->reason != V) {
            cr_assert(eq(uint, bench->exits[0].reason, (unsigned)it->reason), "%s (%s)", it->name,
                      it->clause);
            cr_assert(eq(u64, bench->exits[0].qualification, it->qualification), "%s (%s)",
                      it->name, it->clause);
        }
        if (it->write && it->reason == IOV_EXIT_APIC_WRITE)
            cr_assert(eq(uint, vapic(bench, it->offset), it->value),
                      "%s: the write is done when it exits", it->name);
        for (unsigned k = 0; k < 4096; k++)
            cr_assert(eq(uint, bench->memory[BENCH_APIC_ACCESS + k], 0),
                      "the access page itself is never touched");
        bench_free(bench);
    }
}

/* ---- Virtualised x2APIC mode ---- */

struct msr_case {
    const char *name;
    uint32_t secondary;
    uint32_t msr;
    bool write;
    uint64_t value;
    bool virtual; /* or it reaches the physical APIC, which is in xAPIC mode: #GP */
    int reason;   /* 0: none */
};

static const struct msr_case msrs[] = {
    { "TPR read", 0, 0x808, false, 0, true, 0 },
    { "TPR write", 0, 0x808, true, 0x20, true, 0 },
    { "TPR write, reserved bits", 0, 0x808, true, 0x100, false, 0 },
    { "ISR read, no register virtualisation", 0, 0x810, false, 0, false, 0 },
    { "ISR read", REGISTERS, 0x810, false, 0, true, 0 },
    { "EOI write, no delivery", REGISTERS, 0x80b, true, 0, false, 0 },
    { "EOI write", DELIVERY, 0x80b, true, 0, true, 0 },
    { "EOI write, not zero", DELIVERY, 0x80b, true, 1, false, 0 },
    { "self-IPI", DELIVERY, 0x83f, true, 0x41, true, 0 },
    { "self-IPI, vector below 16", DELIVERY, 0x83f, true, 0xf, true, IOV_EXIT_APIC_WRITE },
    { "ICR write", DELIVERY | REGISTERS, 0x830, true, 0xfd, false, 0 },
};

static const struct msr_case *present_msr;

static void set_up_msr(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_TPR_SHADOW | IOV_PRIMARY_MSR_BITMAPS);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_X2APIC | present_msr->secondary);
    vapic_set(bench, (present_msr->msr & 0xff) << 4, 0x70);
}

static void run_msr(struct bench *bench)
{
    if (present_msr->write)
        iov_exec_wrmsr(&bench->guest, present_msr->msr, present_msr->value);
    else
        bench->note = iov_exec_rdmsr(&bench->guest, present_msr->msr);
}

Test(x2apic, every_msr_is_virtual_or_physical)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(msrs); i++) {
        struct bench *bench = bench_new();

        present_msr = &msrs[i];
        bench_run_guest(bench, set_up_msr, run_msr);
        cr_assert(eq(uint, bench->exit_count, present_msr->reason != 0), "%s", present_msr->name);
        cr_assert(eq(uint, bench->exception_count, present_msr->virtual ? 0 : 1), "%s",
                  present_msr->name);
        if (present_msr->virtual && !present_msr->write)
            cr_assert(eq(u64, bench->note, 0x70), "%s", present_msr->name);
        if (present_msr->reason != 0)
            cr_assert(eq(uint, bench->exits[0].reason, (unsigned)present_msr->reason), "%s",
                      present_msr->name);
        bench_free(bench);
    }
}

/* ---- Virtual-interrupt delivery ---- */

static void delivery(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_TPR_SHADOW | IOV_PRIMARY_MSR_BITMAPS);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_X2APIC | REGISTERS | DELIVERY);
    bench->eoi = false; /* of the physical APIC */
}

static void request_two(struct bench *bench)
{
    delivery(bench);
    vapic_request(bench, IOV_APIC_IRR, 0x31);
    vapic_request(bench, IOV_APIC_IRR, 0x52);
    vmwrite(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS, 0x52);
}

static void write_eoi(struct bench *bench)
{
    uint8_t vector = bench->vectors[bench->vector_count - 1];

    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS) >> 8, vector), "SVI");
    cr_assert(eq(uint, vapic(bench, IOV_APIC_PPR), vector & 0xf0u));
    cr_assert(eq(uint, vapic(bench, IOV_APIC_ISR + vector / 32 * 0x10) >> (vector & 31) & 1, 1));
    cr_assert(eq(uint, vapic(bench, IOV_APIC_IRR + vector / 32 * 0x10) >> (vector & 31) & 1, 0));
    iov_exec_wrmsr(&bench->guest, 0x80b, 0);
    cr_assert(eq(uint, vapic(bench, IOV_APIC_ISR + vector / 32 * 0x10) >> (vector & 31) & 1, 0));
}

static void take_both(struct bench *bench)
{
    struct iov_exec *guest = &bench->guest;

    iov_exec_do(guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 0), "IF is clear");
    iov_exec_operate(guest, &(struct iov_op){ .kind = IOV_OP_POPF, .value = { 0x202 } });
    iov_exec_do(guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 2));
    cr_assert(eq(uint, bench->vectors[0], 0x52));
    cr_assert(eq(uint, bench->vectors[1], 0x31));
    cr_assert(eq(uint, bench->exit_count, 0), "no exit for delivery or EOI");
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS), 0));
    cr_assert(eq(u64, bench->measure.counters.posted, 2));
}

Test(virtual_interrupts, are_delivered_by_priority_without_exits)
{
    struct bench *bench = bench_new();

    bench->handler = write_eoi;
    bench_guest_passes(bench, request_two, take_both);
}

static void request_low_tpr_high(struct bench *bench)
{
    delivery(bench);
    vapic_request(bench, IOV_APIC_IRR, 0x31);
    vapic_set(bench, IOV_APIC_TPR, 0x40);
    vmwrite(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS, 0x31);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
}

static void lower_tpr(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 0), "held back by the TPR");
    iov_exec_wrmsr(&bench->guest, 0x808, 0);
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->exit_count, 0), "no threshold with virtual-interrupt delivery");
}

Test(virtual_interrupts, wait_for_the_virtual_tpr)
{
    struct bench *bench = bench_new();

    bench->handler = write_eoi;
    bench_guest_passes(bench, request_low_tpr_high, lower_tpr);
}

static void request_with_eoi_exit(struct bench *bench)
{
    request_two(bench);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
    vmwrite(bench, IOV_VMCS_EOI_EXIT_BITMAP0, UINT64_C(1) << 0x31); /* a level-triggered one */
}

static void take_and_end(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 2));
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_EOI_INDUCED));
    cr_assert(eq(u64, bench->exits[0].qualification, 0x31));
    cr_assert(eq(uint, bench->exits[0].instruction_length, 0));
}

Test(virtual_interrupts, an_eoi_exits_if_its_bitmap_says_so)
{
    struct bench *bench = bench_new();

    bench->handler = write_eoi;
    bench_guest_passes(bench, request_with_eoi_exit, take_and_end);
}

static void request_with_window(struct bench *bench)
{
    request_two(bench);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_INTERRUPT_WINDOW);
}

static void window_off(struct bench *bench)
{
    cr_assert(eq(uint, bench->vector_count, 0), "the window comes first");
    vmwrite(bench, IOV_VMCS_PRIMARY_CONTROLS,
            vmread(bench, IOV_VMCS_PRIMARY_CONTROLS) & ~(uint64_t)IOV_PRIMARY_INTERRUPT_WINDOW);
}

static void one_instruction(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_INTERRUPT_WINDOW));
    cr_assert(eq(uint, bench->vector_count, 2));
}

Test(virtual_interrupts, are_not_recognised_while_a_window_is_asked_for)
{
    struct bench *bench = bench_new();

    bench->on_exit = window_off;
    bench->handler = write_eoi;
    bench_guest_passes(bench, request_with_window, one_instruction);
}

static void self_ipi(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_VPID, 0);
    iov_exec_wrmsr(&bench->guest, 0x83f, 0x61);
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vectors[0], 0x61));
    cr_assert(eq(uint, bench->exit_count, 0));
}

static void nested_handlers(struct bench *bench)
{
    unsigned depth = bench->vector_count;
    uint8_t mine = bench->vectors[depth - 1];

    if (depth == 1) { /* in the handler of 0x31 */
        iov_exec_wrmsr(&bench->guest, 0x83f, 0x61);
        iov_exec_wrmsr(&bench->guest, 0x83f, 0x52); /* lower: 0x61 stays requested */
        cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS) & 0xff, 0x61));
        iov_exec_do(&bench->guest, IOV_OP_STI);
        iov_exec_compute(&bench->guest, 10 * IOV_NS, IOV_PART_GUEST);
        cr_assert(eq(uint, bench->vector_count, 3));
        iov_exec_do(&bench->guest, IOV_OP_CLI);
    }
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS) >> 8, mine), "SVI is back");
    iov_exec_wrmsr(&bench->guest, 0x80b, 0);
}

static void self_ipi_and_nest(struct bench *bench)
{
    iov_exec_wrmsr(&bench->guest, 0x83f, 0x31);
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vectors[0], 0x31));
    cr_assert(eq(uint, bench->vectors[1], 0x61));
    cr_assert(eq(uint, bench->vectors[2], 0x52));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS), 0));
    cr_assert(eq(uint, bench->exit_count, 0));
}

static void delivery_flag_on(struct bench *bench)
{
    delivery(bench);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
}

Test(virtual_interrupts, a_self_ipi_needs_no_exit)
{
    struct bench *bench = bench_new();

    bench->handler = write_eoi;
    bench_guest_passes(bench, delivery_flag_on, self_ipi);
}

Test(virtual_interrupts, nest_and_an_eoi_returns_to_the_interrupted_one)
{
    struct bench *bench = bench_new();

    bench->handler = nested_handlers;
    bench_guest_passes(bench, delivery_flag_on, self_ipi_and_nest);
}

/* ---- Posted interrupts ---- */

enum { NOTIFICATION = 0xf2 };

static void posting(struct bench *bench)
{
    delivery_flag_on(bench);
    bench_add(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_POSTED_INTERRUPTS);
    vmwrite(bench, IOV_VMCS_POSTED_INTERRUPT_VECTOR, NOTIFICATION);
}

struct poster {
    struct iov_event event;
    struct bench *bench;
    uint8_t vector;
    uint8_t notify;
};

static void on_post(struct iov_event *event)
{
    struct poster *poster = iov_container_of(event, struct poster, event);
    struct bench *bench = poster->bench;

    bench->memory[BENCH_POSTED + poster->vector / 8] |= (uint8_t)(1u << (poster->vector & 7));
    bench->memory[BENCH_POSTED + IOV_PID_CONTROL] |= IOV_PID_ON;
    bench->cpu->ops->interrupt(bench->cpu, poster->notify, NULL);
}

static void post_at(struct bench *bench, struct poster *poster, iov_time when, uint8_t vector,
                    uint8_t notify)
{
    poster->bench = bench;
    poster->vector = vector;
    poster->notify = notify;
    iov_event_init(&poster->event, bench->kernel, on_post, IOV_PRIORITY_DEFAULT);
    iov_event_at(&poster->event, when);
}

static void compute(struct bench *bench)
{
    iov_exec_compute(&bench->guest, 2000 * IOV_NS, IOV_PART_GUEST);
    bench->note = iov_now(bench->kernel);
}

Test(posted_interrupts, reach_a_running_guest_without_exit)
{
    struct bench *bench = bench_new();
    struct poster poster = { 0 };

    bench->handler = write_eoi;
    post_at(bench, &poster, 1000 * IOV_NS, 0x45, NOTIFICATION);
    bench_run_guest(bench, posting, compute);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(uint, bench->vectors[0], 0x45));
    cr_assert(eq(u64, bench->vector_times[0], (1000 + COST_POSTED + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, bench->note, (COST_ENTRY + 2000 + COST_POSTED + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(uint, bench->memory[BENCH_POSTED + IOV_PID_CONTROL] & IOV_PID_ON, 0));
    cr_assert(eq(uint, bench->memory[BENCH_POSTED + 0x45 / 8], 0));
    cr_assert(eq(int, bench->cpu->apic->ops->pending(bench->cpu->apic), -1));
    bench->cpu->ops->interrupt(bench->cpu, 0x31, NULL);
    cr_assert(eq(int, bench->cpu->apic->ops->pending(bench->cpu->apic), 0x31),
              "its physical EOI was sent");
    bench_free(bench);
}

static void halt_and_count(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_HLT);
    bench->note = bench->vectors[0]; /* the handler has run when the HLT is over */
}

static void hlt_exits(struct bench *bench)
{
    delivery_flag_on(bench);
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_HLT);
}

static void request_in_exit(struct bench *bench)
{
    bench->memory[BENCH_VAPIC + IOV_APIC_IRR + 0x20] |= 0x20;
    vmwrite(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS, 0x45);
}

Test(posted_interrupts, that_end_a_hlt_are_taken_before_the_program_goes_on)
{
    struct bench *bench = bench_new();

    bench->handler = write_eoi;
    bench->on_exit = request_in_exit;
    bench_run_guest(bench, hlt_exits, halt_and_count);
    cr_assert(bench->done);
    cr_assert(eq(u64, bench->note, 0x45));
    bench_free(bench);
}

static void end_physical(struct bench *bench)
{
    bench->cpu->apic->ops->write(bench->cpu->apic, IOV_APIC_EOI, 0);
}

Test(posted_interrupts, another_vector_exits_as_ever)
{
    struct bench *bench = bench_new();
    struct poster poster = { 0 };

    bench->on_exit = end_physical;
    post_at(bench, &poster, 1000 * IOV_NS, 0x45, 0x41);
    bench_run_guest(bench, posting, compute);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(
        eq(uint, bench->exits[0].interruption_info, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x41)));
    cr_assert(eq(uint, bench->vector_count, 0), "nothing was processed");
    bench_free(bench);
}

static void halt_in_guest(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_HLT);
    bench->note = iov_now(bench->kernel);
}

Test(posted_interrupts, wake_a_guest_that_halts_without_exiting)
{
    struct bench *bench = bench_new();
    struct poster poster = { 0 };

    bench->handler = write_eoi;
    post_at(bench, &poster, 5000 * IOV_NS, 0x45, NOTIFICATION);
    bench_run_guest(bench, posting, halt_in_guest);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(u64, bench->note, (5000 + COST_WAKE + COST_POSTED + COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

static void masked(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_CLI);
    iov_exec_compute(&bench->guest, 2000 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, bench->vector_count, 0));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPT_STATUS) & 0xff, 0x45),
              "processed, not delivered");
    iov_exec_do(&bench->guest, IOV_OP_STI);
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 0));
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->exit_count, 0), "no window is needed");
}

Test(posted_interrupts, wait_for_the_guests_flag)
{
    struct bench *bench = bench_new();
    struct poster poster = { 0 };

    bench->handler = write_eoi;
    post_at(bench, &poster, 1000 * IOV_NS, 0x45, NOTIFICATION);
    bench_guest_passes(bench, posting, masked);
}
