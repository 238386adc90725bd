/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu - a logical processor: it runs one stream of software at a time and takes interrupts.
 *
 * Software runs on fibers (core/port/exec.h). compute() passes time; whatever arrives cuts it: in
 * root operation the program's interrupt handler is called on the same fiber, in non-root operation
 * the VMCS decides (vmx-event.c). When nothing else happens on the way time passes without a switch
 * of stacks. The local APIC is a child, kind local-apic.
 *
 * Timing: every cost is a row of the cost table. LIMIT: caches, frequency changes and sibling
 * threads are not modelled; C-states are one wake-up cost. What does not arrive: messages.c.
 */
#include <string.h>

#include "core/kernel/fiber-wait-private.h"
#include "models/cpu/cpu-private.h"

G_DEFINE_FINAL_TYPE(IovCpu, iov_cpu, IOV_TYPE_MODEL)

/* ---- Time ---- */

/* The processor was used from `begin` to now. */
static inline __attribute__((always_inline)) void book(struct iov_exec *exec, IovCpu *self,
                                                       iov_time begin, enum iov_part part)
{
    iov_time now = iov_cpu_now(self);

    exec->used[part] += now - begin;
    self->processor.busy += now - begin;
    self->processor.used[part] += now - begin;
    iov_span_mark(exec->span, exec->holder, part, now);
}

void iov_cpu_book(struct iov_exec *exec, iov_time begin, enum iov_part part)
{
    book(exec, iov_cpu_of(exec), begin, part);
}

/* Others run until the next call, and may ask how long the processor was used. */
static inline void use_begin(struct iov_exec *exec, enum iov_part part)
{
    exec->begin = iov_cpu_now(iov_cpu_of(exec));
    exec->pending_part = (uint8_t)part;
    exec->pending = true;
}

static inline void use_end(struct iov_exec *exec)
{
    exec->pending = false;
    book(exec, iov_cpu_of(exec), exec->begin, (enum iov_part)exec->pending_part);
}

static void settle(struct iov_processor *processor)
{
    struct iov_exec *exec = processor->running;

    iov_cpu_rest_settle(iov_container_of(processor, IovCpu, processor));
    if (exec != NULL && exec->pending && exec->processor == processor) {
        use_end(exec);
        use_begin(exec, (enum iov_part)exec->pending_part);
    }
}

static __attribute__((noinline)) void charge_among_others(struct iov_exec *exec, iov_time cost,
                                                          enum iov_part part)
{
    use_begin(exec, part);
    iov_fiber_sleep_inline(iov_cpu_of(exec)->parent_instance.kernel, cost);
    use_end(exec);
}

void iov_cpu_charge(struct iov_exec *exec, iov_time cost, enum iov_part part)
{
    IovCpu *self = iov_cpu_of(exec);
    iov_time begin = iov_cpu_now(self);

    if (cost == 0)
        return;
    if (iov_kernel_advance_quick(self->parent_instance.kernel, cost))
        book(exec, self, begin, part);
    else
        charge_among_others(exec, cost, part);
}

static inline void wait_until(IovCpu *self, iov_time until)
{
    struct iov_kernel *kernel = self->parent_instance.kernel;

    IOV_REQUIRE(self->waiter == NULL); /* one stream at a time */
    self->waiter = iov_fiber_current(kernel);
    iov_fiber_park_inline(kernel, until);
    self->waiter = NULL;
}

void iov_cpu_poke(IovCpu *self)
{
    self->attention = true;
    if (self->waiter != NULL)
        iov_fiber_unpark(self->waiter);
}

uint64_t iov_cpu_tsc(const IovCpu *self, iov_time when)
{
    return (uint64_t)((unsigned __int128)when * self->frequency / IOV_SEC);
}

/* SPEC: SDM vol. 3C, 26.3: offset and multiplier of RDTSC, RDTSCP and RDMSR in non-root
 * operation. */
uint64_t iov_cpu_guest_tsc(const IovCpu *self, const struct iov_exec *exec)
{
    uint64_t tsc = iov_cpu_tsc(self, iov_cpu_now(self));
    const struct iov_vmcs *vmcs = exec->vmcs;

    if (vmcs == NULL || !iov_vmcs_primary(vmcs, IOV_PRIMARY_TSC_OFFSETTING))
        return tsc;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_TSC_SCALING))
        tsc = (uint64_t)((unsigned __int128)tsc * vmcs->field[VMCS_TSC_MULTIPLIER] >> 48);
    return tsc + vmcs->field[VMCS_TSC_OFFSET];
}

/* ---- Delivery ---- */

uint8_t iov_cpu_acknowledge(IovCpu *self)
{
    uint8_t vector = (uint8_t)self->apic->ops->acknowledge(self->apic);

    self->physical = self->apic->ops->pending(self->apic) >= 0;
    return vector;
}

/* The stream takes over the request that an interrupt announces. */
void iov_cpu_claim(struct iov_exec *exec, IovCpu *self, struct iov_span *span)
{
    iov_time now = iov_cpu_now(self);

    if (span == NULL)
        return;
    iov_span_claim(span, exec->holder, IOV_PART_INTERRUPT, self->woken ? self->woken_at : now);
    if (self->woken)
        iov_span_mark(span, exec->holder, IOV_PART_WAKEUP, now);
    /* Software of a host takes it from the APIC; a guest on bare metal works for it from here
     * on. */
    if (exec->part == IOV_PART_GUEST && !iov_span_held(exec->span, exec->holder))
        exec->span = span;
}

void iov_cpu_deliver_interrupt(struct iov_exec *exec, uint8_t vector, struct iov_span *span)
{
    IovCpu *self = iov_cpu_of(exec);

    iov_cpu_claim(exec, self, span);
    self->woken = false;
    self->interrupts_taken++;
    exec->halted = false;
    exec->blocking = 0;
    exec->interrupts = false;
    exec->depth++;
    iov_cpu_charge(exec, self->cost_interrupt, IOV_PART_INTERRUPT);
    iov_span_mark(span, exec->holder, IOV_PART_INTERRUPT, iov_cpu_now(self));
    if (exec->program != NULL && exec->program->ops->interrupt != NULL)
        exec->program->ops->interrupt(exec->program, exec, vector);
    exec->depth--;
    exec->interrupts = true; /* IRET */
    iov_cpu_of(exec)->attention = true;
}

void iov_cpu_deliver_exception(struct iov_exec *exec, uint8_t vector, uint32_t error_code)
{
    IovCpu *self = iov_cpu_of(exec);
    bool interrupts = exec->interrupts;

    self->exceptions++;
    exec->halted = false;
    exec->blocking = 0;
    if (exec->program == NULL || exec->program->ops->exception == NULL) {
        self->exceptions_dropped++;
        return;
    }
    exec->interrupts = false;
    exec->depth++;
    iov_cpu_charge(exec, self->cost_exception, (enum iov_part)exec->part);
    exec->program->ops->exception(exec->program, exec, vector, error_code);
    exec->depth--;
    exec->interrupts = interrupts;
    iov_cpu_of(exec)->attention = true;
}

/* ---- Boundaries ---- */

static bool root_deliverable(const IovCpu *self, const struct iov_exec *exec)
{
    return exec->interrupts && exec->blocking == 0 && self->physical;
}

static bool deliverable(IovCpu *self, const struct iov_exec *exec)
{
    return exec->vmcs != NULL ? iov_vmx_deliverable(self, exec) : root_deliverable(self, exec);
}

/* One event; false if there is none. */
static bool deliver_one(struct iov_exec *exec)
{
    IovCpu *self = iov_cpu_of(exec);
    uint8_t vector;

    if (exec->vmcs != NULL)
        return iov_vmx_service(exec);
    if (!root_deliverable(self, exec))
        return false;
    vector = iov_cpu_acknowledge(self);
    iov_cpu_deliver_interrupt(exec, vector, self->apic->span);
    return true;
}

static bool looks_needed(const IovCpu *self)
{
    return self->attention || iov_cpu_now(self) >= self->timer_due;
}

static void deliver_all(struct iov_exec *exec)
{
    while (looks_needed(iov_cpu_of(exec))) {
        IovCpu *self;

        if (deliver_one(exec))
            continue;
        self = iov_cpu_of(exec);
        /* What is masked now may become open without a call of the processor. */
        self->attention = exec->vmcs != NULL ? iov_vmx_watchful(self, exec) : self->physical;
        return;
    }
}

void iov_cpu_service(struct iov_exec *exec)
{
    if (G_UNLIKELY(looks_needed(iov_cpu_of(exec))))
        deliver_all(exec);
    if (G_UNLIKELY(exec->halted)) /* the monitor put its guest into HLT */
        iov_cpu_halt(exec, false);
}

/* ---- HLT ---- */

static void halt_wait(struct iov_exec *exec, IovCpu *self)
{
    iov_time begin = iov_cpu_now(self);

    self->processor.running = exec;
    if (exec->vmcs != NULL) {
        use_begin(exec, IOV_PART_IDLE);
        wait_until(self, self->timer_due);
        use_end(exec);
        return;
    }
    self->idling = true;
    self->idle_since = begin;
    wait_until(self, IOV_TIME_MAX);
    self->idling = false;
    self->processor.idle += iov_cpu_now(self) - self->idle_since;
}

void iov_cpu_halt(struct iov_exec *exec, bool slept)
{
    exec->halted = true;
    exec->blocking = 0;
    while (exec->halted) {
        IovCpu *self = iov_cpu_of(exec);

        if (!deliverable(self, exec)) {
            halt_wait(exec, self);
            slept = true;
            continue;
        }
        if (slept) {
            self->woken = true;
            self->woken_at = iov_cpu_now(self);
            iov_cpu_charge(exec, exec->halt_latency != 0 ? exec->halt_latency : self->cost_hlt_wake,
                           IOV_PART_WAKEUP);
            slept = false;
        }
        self->attention = true;
        deliver_all(exec);
        self->woken = false;
    }
}

/* ---- Compute ---- */

/* Runs for `left` at most, or until something arrives; returns how long. */
static iov_time slice(struct iov_exec *exec, iov_time left, enum iov_part part)
{
    IovCpu *self = iov_cpu_of(exec);
    iov_time begin = iov_cpu_now(self);
    iov_time until = begin + left;

    if (until > self->timer_due)
        until = self->timer_due;
    self->processor.running = exec;
    use_begin(exec, part);
    if (!iov_kernel_advance(self->parent_instance.kernel, until - begin))
        wait_until(self, until);
    use_end(exec);
    return iov_cpu_now(self) - begin;
}

static __attribute__((noinline)) void compute_among_others(struct iov_exec *exec, iov_time duration,
                                                           enum iov_part part)
{
    iov_time left = duration;

    for (;;) {
        if (looks_needed(iov_cpu_of(exec)) || exec->halted)
            iov_cpu_service(exec);
        if (left == 0)
            return;
        left -= slice(exec, left, part);
    }
}

/* The common case first: nothing waits and nothing comes. */
static void compute(struct iov_exec *exec, iov_time duration, enum iov_part part)
{
    IovCpu *self = iov_cpu_of(exec);
    iov_time begin = iov_cpu_now(self);

    if (exec->blocking != 0 && duration > 0)
        exec->blocking = 0; /* its first instruction ends the shadow */
    if (!self->attention && !exec->halted && begin + duration < self->timer_due) {
        if (duration == 0) {
            iov_cpu_step(self);
            return;
        }
        if (iov_kernel_advance_quick(self->parent_instance.kernel, duration)) {
            self->processor.running = exec;
            book(exec, self, begin, part);
            return;
        }
    }
    compute_among_others(exec, duration, part);
}

/* One look after another, none of them an event. */
static void spin(struct iov_exec *exec, struct iov_spin *look, enum iov_part part)
{
    if (exec->blocking != 0)
        exec->blocking = 0;
    look->processor = exec->processor;
    if (look->pauses && exec->vmcs != NULL &&
        iov_vmx_pauses_exit(iov_cpu_of(exec), exec->vmcs, look->period))
        return;
    for (;;) {
        IovCpu *self;

        if (looks_needed(iov_cpu_of(exec)) || exec->halted)
            iov_cpu_service(exec);
        self = iov_cpu_of(exec); /* it may have moved */
        look->processor = &self->processor;
        if (iov_cpu_now(self) >= look->until)
            return;
        slice(exec, look->until - iov_cpu_now(self), part);
    }
}

static void poke(struct iov_processor *processor)
{
    iov_cpu_poke(iov_container_of(processor, IovCpu, processor));
}

/* ---- Life ---- */

static void set_operation_costs(IovCpu *self)
{
    const struct {
        enum iov_op_kind kind;
        iov_time cost;
    } rows[] = {
        { IOV_OP_CPUID, self->cost_cpuid },         { IOV_OP_PAUSE, self->cost_pause },
        { IOV_OP_RDTSC, self->cost_rdtsc },         { IOV_OP_RDTSCP, self->cost_rdtsc },
        { IOV_OP_RDPMC, self->cost_rdtsc },         { IOV_OP_MOV_TO_CR, self->cost_control },
        { IOV_OP_MOV_FROM_CR, self->cost_control }, { IOV_OP_CLTS, self->cost_control },
        { IOV_OP_LMSW, self->cost_control },        { IOV_OP_MOV_TO_DR, self->cost_control },
        { IOV_OP_MOV_FROM_DR, self->cost_control }, { IOV_OP_INVLPG, self->cost_invlpg },
        { IOV_OP_INVPCID, self->cost_invlpg },      { IOV_OP_WBINVD, self->cost_wbinvd },
        { IOV_OP_INVD, self->cost_wbinvd },         { IOV_OP_RDRAND, self->cost_rdrand },
        { IOV_OP_RDSEED, self->cost_rdrand },       { IOV_OP_CLI, self->cost_flags },
        { IOV_OP_STI, self->cost_flags },           { IOV_OP_POPF, self->cost_flags },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        self->cost_of[rows[i].kind] = rows[i].cost;
}

static bool make_apic(IovCpu *self, GError **error)
{
    IovModel *apic = iov_model_new_child(&self->parent_instance, "local-apic", "apic", error);

    if (apic == NULL || !iov_model_set_number(apic, "id", self->apic_id, error) ||
        !iov_model_set_number(apic, "x2apic", self->x2apic, error) ||
        !iov_model_set_number(apic, "bootstrap", self->bootstrap, error) ||
        !iov_model_set_number(apic, "timer-frequency", self->apic_timer_frequency, error) ||
        !iov_model_set_number(apic, "tsc-frequency", self->frequency, error))
        return false;
    self->apic = iov_model_port(apic, "apic", 0);
    self->apic->owner = &self->apic_owner;
    return iov_model_prepare(apic, error);
}

static bool iov_cpu_prepare(IovModel *model, GError **error)
{
    IovCpu *self = (IovCpu *)(void *)model;

    if (!make_apic(self, error))
        return false;
    self->processor.kernel = model->kernel;
    iov_cpu_rest_init(self);
    self->processor.apic = self->apic;
    self->processor.apic_id = self->apic_id;
    self->processor.frequency_hz = self->frequency;
    self->tick = iov_ratio_make(IOV_SEC, self->frequency);
    self->processor.vmx = self->vmx;
    self->processor.apic_virtualisation = self->apic_register_virtualisation &&
                                          self->virtual_interrupt_delivery &&
                                          self->posted_interrupts && self->x2apic;
    for (self->tlb_sets = 1; self->tlb_sets * TLB_WAYS < self->tlb_entries; self->tlb_sets *= 2)
        ;
    self->tlb = g_aligned_alloc0(self->tlb_sets, sizeof *self->tlb, sizeof *self->tlb);
    self->tlb_linear = g_new0(uint64_t, (gsize)self->tlb_sets * TLB_WAYS);
    iov_vmcs_slots_add(self, VMCS_ACTIVE);
    iov_msr_init(self);
    iov_cpu_apic_mode_changed(self);
    set_operation_costs(self);
    return true;
}

static void iov_cpu_reset_statistics(IovModel *model)
{
    IovCpu *self = (IovCpu *)(void *)model;

    iov_processor_settle(&self->processor);
    self->operations = 0;
    self->interrupts_taken = 0;
    self->processor.idle = 0;
    self->processor.busy = 0;
    memset(self->processor.used, 0, sizeof self->processor.used);
    self->idle_since = iov_cpu_now(self);
}

static void iov_cpu_update_statistics(IovModel *model)
{
    IovCpu *self = (IovCpu *)(void *)model;

    iov_processor_settle(&self->processor);
    if (self->idling) {
        self->processor.idle += iov_cpu_now(self) - self->idle_since;
        self->idle_since = iov_cpu_now(self);
    }
    self->idle = self->processor.idle;
    self->busy = self->processor.busy;
}

static void iov_cpu_finalize(GObject *object)
{
    IovCpu *self = (IovCpu *)(void *)object;

    g_aligned_free(self->tlb);
    g_free(self->tlb_linear);
    iov_vmcs_slots_free(self);
    G_OBJECT_CLASS(iov_cpu_parent_class)->finalize(object);
}

static void describe_costs(IovModelClass *mc)
{
    IOV_COST(mc, IovCpu, cost_exit, "vm-exit",
             "VM exit: saving the guest's state, loading the host's");
    IOV_COST(mc, IovCpu, cost_entry, "vm-entry", "VM entry: checks, loading the guest's state");
    IOV_COST(mc, IovCpu, cost_interrupt, "interrupt-delivery",
             "Through the gate to the handler's first instruction, and IRET");
    IOV_COST(mc, IovCpu, cost_exception, "exception-delivery", "The same of an exception");
    IOV_COST(mc, IovCpu, cost_posted, "posted-interrupt-processing",
             "Notification vector to requested virtual interrupt");
    IOV_COST(mc, IovCpu, cost_walk_step, "ept-walk-step", "One entry of an EPT walk");
    IOV_COST(mc, IovCpu, cost_hlt_wake, "hlt-wake", "Leaving HLT: exit latency of C1");
    IOV_COST(mc, IovCpu, cost_cpuid, "cpuid", "CPUID");
    IOV_COST(mc, IovCpu, cost_rdmsr, "rdmsr", "RDMSR");
    IOV_COST(mc, IovCpu, cost_wrmsr, "wrmsr", "WRMSR");
    IOV_COST(mc, IovCpu, cost_port, "port-io", "IN or OUT, apart from what the port answers in");
    IOV_COST(mc, IovCpu, cost_pause, "pause", "PAUSE");
    IOV_COST(mc, IovCpu, cost_rdtsc, "rdtsc", "RDTSC, RDTSCP, RDPMC");
    IOV_COST(mc, IovCpu, cost_control, "mov-cr", "Moves to and from control and debug registers");
    IOV_COST(mc, IovCpu, cost_flags, "interrupt-flag", "CLI, STI, POPF");
    IOV_COST(mc, IovCpu, cost_invlpg, "invlpg", "INVLPG, INVPCID");
    IOV_COST(mc, IovCpu, cost_wbinvd, "wbinvd", "WBINVD, INVD");
    IOV_COST(mc, IovCpu, cost_rdrand, "rdrand", "RDRAND, RDSEED");
    IOV_COST(mc, IovCpu, cost_apic_access, "xapic-access", "Access of the local APIC's page");
    IOV_COST(mc, IovCpu, cost_x2apic_read, "x2apic-read", "RDMSR of an APIC register");
    IOV_COST(mc, IovCpu, cost_x2apic_write, "x2apic-write", "WRMSR of an APIC register");
    IOV_COST(mc, IovCpu, cost_virtual_apic, "virtual-apic-access",
             "APIC access that the processor virtualises");
    IOV_COST(mc, IovCpu, cost_vmread, "vmread", "VMREAD");
    IOV_COST(mc, IovCpu, cost_vmwrite, "vmwrite", "VMWRITE");
    IOV_COST(mc, IovCpu, cost_vmptrld, "vmptrld", "VMPTRLD");
    IOV_COST(mc, IovCpu, cost_vmclear, "vmclear", "VMCLEAR");
    IOV_COST(mc, IovCpu, cost_invept, "invept", "INVEPT, INVVPID");
}

static void describe_statistics(IovModelClass *mc)
{
    IOV_STAT(mc, IovCpu, operations, "Operations executed or exited, free ones apart");
    IOV_STAT(mc, IovCpu, interrupts_taken, "Interrupts delivered through a gate");
    IOV_STAT(mc, IovCpu, exceptions, "Exceptions raised or injected");
    IOV_STAT(mc, IovCpu, exceptions_dropped, "Exceptions that no handler took");
    IOV_STAT(mc, IovCpu, exits, "VM exits");
    IOV_STAT(mc, IovCpu, entries, "VM entries");
    IOV_STAT(mc, IovCpu, injections, "Events injected by VM entries");
    IOV_STAT(mc, IovCpu, virtual_interrupts, "Virtual interrupts delivered without an exit");
    IOV_STAT(mc, IovCpu, notifications, "Posted-interrupt notifications processed");
    IOV_STAT(mc, IovCpu, tlb_hits, "Accesses whose translation was cached");
    IOV_STAT(mc, IovCpu, tlb_misses, "Guest accesses whose translation was not cached");
    IOV_STAT(mc, IovCpu, walk_steps, "EPT entries read");
    IOV_STAT(mc, IovCpu, unclaimed, "Accesses that nobody answered");
    IOV_STAT(mc, IovCpu, ipis_unsupported, "IPIs of a form that is not delivered");
    IOV_STAT_TIME(mc, IovCpu, busy, "Time that streams used");
    IOV_STAT_TIME(mc, IovCpu, idle, "Time in HLT of root operation");
}

static void iov_cpu_class_init(IovCpuClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "cpu", "A logical processor with VMX and a local APIC");
    IOV_PROP_FREQUENCY(mc, IovCpu, frequency, 1000000, UINT64_C(100000000000), UINT64_C(2000000000),
                       "Of the time-stamp counter and of cycle costs");
    IOV_PROP_COUNT(mc, IovCpu, apic_id, 0, UINT32_MAX - 1, 0, "APIC ID");
    IOV_PROP_BOOL(mc, IovCpu, bootstrap, false, "It is the bootstrap processor");
    IOV_PROP_BOOL(mc, IovCpu, x2apic, true, "x2APIC mode, and its virtualisation");
    IOV_PROP_BOOL(mc, IovCpu, vmx, true, "VMX");
    IOV_PROP_BOOL(mc, IovCpu, apic_register_virtualisation, true,
                  "APIC registers are read without exits");
    IOV_PROP_BOOL(mc, IovCpu, virtual_interrupt_delivery, true,
                  "Virtual interrupts and EOIs without exits");
    IOV_PROP_BOOL(mc, IovCpu, posted_interrupts, true, "Posted-interrupt processing");
    IOV_PROP_COUNT(mc, IovCpu, preemption_timer_rate, 0, 31, 5,
                   "The VMX-preemption timer ticks with this bit of the TSC");
    IOV_PROP_COUNT(mc, IovCpu, tlb_entries, 16, 65536, 1536,
                   "Cached translations, rounded up to a power of two");
    IOV_PROP_FREQUENCY(mc, IovCpu, apic_timer_frequency, 1, UINT64_C(100000000000),
                       UINT64_C(100000000), "Of the local APIC's timer before its divider");
    IOV_PORT_CONTRACT(mc, IovCpu, processor, IOV_PORT_PROCESSOR,
                      "The processor, for software that runs on it");
    IOV_PORT_MEM_TARGET(mc, IovCpu, interrupts, &iov_cpu_interrupts_ops,
                        "Interrupt messages for this processor");
    IOV_PORT_MEM_INITIATOR(mc, IovCpu, bus, "Host-physical address space");
    IOV_PORT_MEM_INITIATOR(mc, IovCpu, ports, "I/O space; open: reads give ones");
    IOV_PORT_MEM_INITIATOR(mc, IovCpu, messages,
                           "IPIs with whole 64-bit addresses; open: IPIs go to the bus");
    IOV_PORT_MEM_INITIATOR(mc, IovCpu, eoi, "EOIs of level interrupts, to the I/O APIC's `eoi`");
    describe_costs(mc);
    describe_statistics(mc);
    mc->prepare = iov_cpu_prepare;
    mc->reset_statistics = iov_cpu_reset_statistics;
    mc->update_statistics = iov_cpu_update_statistics;
    G_OBJECT_CLASS(klass)->finalize = iov_cpu_finalize;
}

static struct iov_processor_ops processor_ops(void)
{
    struct iov_processor_ops ops = {
        .compute = compute,
        .spin = spin,
        .poke = poke,
        .operate = iov_cpu_operate,
        .boundary = iov_cpu_service,
        .interrupt = iov_cpu_interrupt,
        .settle = settle,
    };

    iov_vmcs_set_ops(&ops);
    return ops;
}

static void iov_cpu_init(IovCpu *self)
{
    self->ops = processor_ops();
    self->processor.ops = &self->ops;
    self->apic_owner.ops = &iov_cpu_apic_owner_ops;
    self->interrupts.size = 4096;
    self->timer_due = IOV_TIME_MAX;
    self->context = TLB_ROOT_CONTEXT;
    self->next_context = TLB_ROOT_CONTEXT;
    self->control[0] = 0x80050033;
    self->control[4] = 0x2020;
}
