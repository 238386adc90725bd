/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logical processor, as the files of this folder share it.
 *
 *   cpu.c                  the kind: life, time, interrupts of root operation, HLT
 *   messages.c             to and from the local APIC: interrupt messages, IPIs, EOIs
 *   rest.c                 idle processors that need no fiber
 *   operate.c              operations: execute, or exit first
 *   memory.c               loads and stores: TLB, EPT, physical accesses
 *   ept.c                  the walk, contexts of cached translations
 *   vmx-exit.c             which operation exits, with which reason and qualification
 *   vmx-event.c            events of non-root operation: interrupts, windows, timer
 *   vmx-entry.c            VM entries with their checks, VM exits, injection
 *   vmx-check.c            the checks of VM entry
 *   vmcs.c                 VMX instructions and VMCS regions
 *   apic-virtualisation.c  the virtual-APIC page, posted interrupts
 *   msr.c                  RDMSR, WRMSR, CPUID, capabilities
 */
#ifndef IOV_CPU_PRIVATE_H
#define IOV_CPU_PRIVATE_H

#include "core/kernel/ratio.h"
#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/cpu/apic-regs.h"
#include "models/cpu/ept-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"

#define IOV_TYPE_CPU (iov_cpu_get_type())
G_DECLARE_FINAL_TYPE(IovCpu, iov_cpu, IOV, CPU, IovModel)

#define PHYSICAL_ADDRESS_BITS 46
#define PHYSICAL_ADDRESS_MASK ((UINT64_C(1) << PHYSICAL_ADDRESS_BITS) - 1)
#define PAGE_SIZE UINT64_C(4096)
#define PAGE_MASK (PAGE_SIZE - 1)

/* ---- VMCS ---- */

/*
 * Every field of vmx-regs.h without its prefix: order is the layout of a region in memory. Those
 * that nearly every entry or exit looks at come first, close together.
 */
/* clang-format off */
#define IOV_VMCS_FIELDS(X) \
    X(PIN_CONTROLS) X(PRIMARY_CONTROLS) X(SECONDARY_CONTROLS) X(EXIT_CONTROLS) X(ENTRY_CONTROLS) \
    X(ENTRY_INTERRUPTION_INFO) X(GUEST_RFLAGS) X(GUEST_INTERRUPTIBILITY) X(GUEST_ACTIVITY) \
    X(GUEST_INTERRUPT_STATUS) X(TPR_THRESHOLD) X(PREEMPTION_TIMER) X(ENTRY_MSR_LOAD_COUNT) \
    X(EXIT_MSR_STORE_COUNT) X(EXIT_MSR_LOAD_COUNT) X(EXIT_REASON) X(EXIT_QUALIFICATION) \
    X(EXIT_INSTRUCTION_LENGTH) X(EXIT_INSTRUCTION_INFO) X(EXIT_INTERRUPTION_INFO) \
    X(EXIT_INTERRUPTION_ERROR) X(IDT_VECTORING_INFO) X(IDT_VECTORING_ERROR) \
    X(GUEST_PHYSICAL_ADDRESS) X(GUEST_LINEAR_ADDRESS) X(VPID) X(EPT_POINTER) \
    X(VIRTUAL_APIC_ADDRESS) X(POSTED_INTERRUPT_VECTOR) X(POSTED_INTERRUPT_DESCRIPTOR) \
    X(MSR_BITMAP) X(LINK_POINTER) X(APIC_ACCESS_ADDRESS) X(EPTP_INDEX) X(GUEST_ES_SELECTOR) \
    X(GUEST_CS_SELECTOR) X(GUEST_SS_SELECTOR) X(GUEST_DS_SELECTOR) X(GUEST_FS_SELECTOR) \
    X(GUEST_GS_SELECTOR) X(GUEST_LDTR_SELECTOR) X(GUEST_TR_SELECTOR) X(PML_INDEX) \
    X(HOST_ES_SELECTOR) X(HOST_CS_SELECTOR) X(HOST_SS_SELECTOR) X(HOST_DS_SELECTOR) \
    X(HOST_FS_SELECTOR) X(HOST_GS_SELECTOR) X(HOST_TR_SELECTOR) X(IO_BITMAP_A) X(IO_BITMAP_B) \
    X(EXIT_MSR_STORE_ADDRESS) X(EXIT_MSR_LOAD_ADDRESS) X(ENTRY_MSR_LOAD_ADDRESS) \
    X(EXECUTIVE_VMCS_POINTER) X(PML_ADDRESS) X(TSC_OFFSET) X(VM_FUNCTION_CONTROLS) \
    X(EOI_EXIT_BITMAP0) X(EOI_EXIT_BITMAP1) X(EOI_EXIT_BITMAP2) X(EOI_EXIT_BITMAP3) \
    X(EPTP_LIST_ADDRESS) X(XSS_EXITING_BITMAP) X(ENCLS_EXITING_BITMAP) X(TSC_MULTIPLIER) \
    X(GUEST_DEBUGCTL) X(GUEST_PAT) X(GUEST_EFER) X(GUEST_PERF_GLOBAL_CTRL) X(GUEST_PDPTE0) \
    X(GUEST_PDPTE1) X(GUEST_PDPTE2) X(GUEST_PDPTE3) X(HOST_PAT) X(HOST_EFER) \
    X(HOST_PERF_GLOBAL_CTRL) X(EXCEPTION_BITMAP) X(PFEC_MASK) X(PFEC_MATCH) X(CR3_TARGET_COUNT) \
    X(ENTRY_EXCEPTION_ERROR) X(ENTRY_INSTRUCTION_LENGTH) X(PLE_GAP) X(PLE_WINDOW) \
    X(INSTRUCTION_ERROR) X(GUEST_ES_LIMIT) X(GUEST_CS_LIMIT) X(GUEST_SS_LIMIT) X(GUEST_DS_LIMIT) \
    X(GUEST_FS_LIMIT) X(GUEST_GS_LIMIT) X(GUEST_LDTR_LIMIT) X(GUEST_TR_LIMIT) \
    X(GUEST_GDTR_LIMIT) X(GUEST_IDTR_LIMIT) X(GUEST_ES_RIGHTS) X(GUEST_CS_RIGHTS) \
    X(GUEST_SS_RIGHTS) X(GUEST_DS_RIGHTS) X(GUEST_FS_RIGHTS) X(GUEST_GS_RIGHTS) \
    X(GUEST_LDTR_RIGHTS) X(GUEST_TR_RIGHTS) X(GUEST_SMBASE) X(GUEST_SYSENTER_CS) \
    X(HOST_SYSENTER_CS) X(CR0_MASK) X(CR4_MASK) X(CR0_SHADOW) X(CR4_SHADOW) X(CR3_TARGET0) \
    X(CR3_TARGET1) X(CR3_TARGET2) X(CR3_TARGET3) X(IO_RCX) X(IO_RSI) X(IO_RDI) X(IO_RIP) \
    X(GUEST_CR0) X(GUEST_CR3) X(GUEST_CR4) X(GUEST_ES_BASE) X(GUEST_CS_BASE) X(GUEST_SS_BASE) \
    X(GUEST_DS_BASE) X(GUEST_FS_BASE) X(GUEST_GS_BASE) X(GUEST_LDTR_BASE) X(GUEST_TR_BASE) \
    X(GUEST_GDTR_BASE) X(GUEST_IDTR_BASE) X(GUEST_DR7) X(GUEST_RSP) X(GUEST_RIP) \
    X(GUEST_PENDING_DEBUG) X(GUEST_SYSENTER_ESP) X(GUEST_SYSENTER_EIP) X(HOST_CR0) X(HOST_CR3) \
    X(HOST_CR4) X(HOST_FS_BASE) X(HOST_GS_BASE) X(HOST_TR_BASE) X(HOST_GDTR_BASE) \
    X(HOST_IDTR_BASE) X(HOST_SYSENTER_ESP) X(HOST_SYSENTER_EIP) X(HOST_RSP) X(HOST_RIP)
/* clang-format on */

#define IOV_VMCS_SLOT(name) VMCS_##name,
enum iov_vmcs_slot { VMCS_NONE, IOV_VMCS_FIELDS(IOV_VMCS_SLOT) VMCS_SLOTS };
#undef IOV_VMCS_SLOT

/* The working copy of a VMCS that is active on a processor; VMCLEAR writes it back to its
 * region. */
struct iov_vmcs {
    iov_hpa region;
    bool active;            /* the slot is in use */
    bool launched;          /* launch state */
    bool checked;           /* controls passed the checks of VM entry since they last changed */
    bool guest_checked;     /* so did what only VMWRITE changes of the guest's state */
    bool trap_pending;      /* an MTF exit is pending */
    bool threshold_pending; /* VM entry found the TPR below its threshold */
    uint64_t secondary;     /* controls in force: none if the primary ones do not activate them */
    struct iov_exec *guest;
    unsigned slot;         /* its place among those of the processor */
    uint8_t *virtual_apic; /* host pointers into memory, resolved at entry; NULL: not used */
    uint8_t *posted;
    iov_time pause_first; /* PAUSE-loop exiting: first and newest PAUSE of the loop */
    iov_time pause_last;
    uint64_t field[VMCS_SLOTS];
};

/* ---- Cached translations ---- */

enum { TLB_WAYS = 4, TLB_CONTEXTS = 256, VMCS_ACTIVE = 64, MSR_COUNT = 24 };
enum { TLB_TABLES = 16 };
enum {
    TLB_READ = 1 << 0,
    TLB_WRITE = 1 << 1,
    TLB_EXECUTE = 1 << 2,
    TLB_APIC_ACCESS = 1 << 3, /* the page is the APIC-access page */
};

/* What a look-up compares fills one line of the host's cache, what it finds the next. */
struct iov_tlb_set {
    _Alignas(IOV_CACHE_LINE) uint64_t page[TLB_WAYS]; /* >> 12, guest's; host's in root operation */
    uint32_t context[TLB_WAYS];                       /* 0: invalid */
    uint8_t rights[TLB_WAYS];                         /* TLB_* */
    uint8_t last;                                     /* the way that was used last */
    _Alignas(IOV_CACHE_LINE) uint8_t *direct[TLB_WAYS]; /* the bytes, or NULL: registers */
    iov_hpa address[TLB_WAYS];                          /* host-physical */
};

/* A paging-structure cache: the page directory of a GiB of guest-physical addresses. */
struct iov_tlb_table {
    uint64_t region;        /* guest-physical >> 30 */
    const uint8_t *entries; /* the bytes; NULL: nothing */
    uint64_t rights;        /* of the levels above */
    uint32_t context;
    bool doubtful;           /* not to be used unless the levels above are as they were: */
    const uint8_t *above[2]; /* their entries in memory; NULL: no plain memory */
    uint64_t entry[2];       /* as they were */
};

/* A tag (VPID, EPTP) has a number; invalidating the tag gives it a new one. */
struct iov_tlb_context {
    uint64_t eptp;
    uint16_t vpid;
    uint32_t number; /* 0: free */
};

enum { TLB_ROOT_CONTEXT = 1 };

struct iov_msr {
    uint32_t index;
    uint64_t value;
};

/* ---- The processor ---- */

struct _IovCpu {
    IovModel parent_instance;
    /* properties */
    uint64_t frequency;
    uint32_t apic_id;
    bool x2apic;
    bool bootstrap;
    bool vmx;
    bool apic_register_virtualisation;
    bool virtual_interrupt_delivery;
    bool posted_interrupts;
    uint32_t preemption_timer_rate;
    uint32_t tlb_entries;
    uint64_t apic_timer_frequency;
    /* costs */
    iov_time cost_exit, cost_entry, cost_interrupt, cost_exception, cost_posted;
    iov_time cost_walk_step, cost_hlt_wake;
    iov_time cost_cpuid, cost_rdmsr, cost_wrmsr, cost_port, cost_pause, cost_rdtsc, cost_control,
        cost_flags;
    iov_time cost_invlpg, cost_wbinvd, cost_rdrand, cost_apic_access, cost_x2apic_read,
        cost_x2apic_write;
    iov_time cost_virtual_apic, cost_vmread, cost_vmwrite, cost_vmptrld, cost_vmclear, cost_invept;
    iov_time cost_of[IOV_OP_COUNT]; /* of operations that execute, from the rows above */
    /* ports */
    struct iov_processor processor;
    struct iov_processor_ops ops;
    struct iov_ratio tick; /* picoseconds of the time-stamp counter's */
    struct iov_mem_target interrupts;
    struct iov_mem_initiator bus;
    struct iov_mem_initiator ports;
    struct iov_mem_initiator messages;
    struct iov_mem_initiator eoi;
    /* the local APIC */
    struct iov_apic_owner apic_owner;
    struct iov_apic *apic;
    iov_hpa apic_page; /* of xAPIC mode; UINT64_MAX: none */
    /* time */
    struct iov_fiber *waiter; /* the fiber that has the processor and waits in time */
    bool attention;           /* there may be something to deliver */
    bool physical;            /* the local APIC has an interrupt above its priority */
    bool idling;              /* in HLT of root operation since idle_since */
    iov_time idle_since;
    struct {                               /* rest.c */
        struct iov_rest *now;              /* NULL: nobody rests */
        iov_time halt, woken, awake, over; /* when its steps end; handled: see struct iov_rest */
        unsigned step;                     /* up to which it is accounted for */
    } rest;
    bool woken; /* HLT ended at woken_at, for the interrupt that comes next */
    iov_time woken_at;
    /* VMX */
    bool vmx_on;
    bool non_root;
    iov_hpa vmxon_region;
    struct iov_vmcs *current;
    struct iov_vmcs **vmcses; /* slots: VMCS_ACTIVE, and more when as many have a guest */
    iov_hpa *vmcs_regions;    /* of the active ones, with bit 0 set; 0: not in use */
    unsigned vmcs_slots;
    iov_time timer_due; /* VMX-preemption timer; IOV_TIME_MAX: off */
    /* translations */
    struct iov_tlb_set *tlb;
    uint64_t *tlb_linear; /* sets × ways: linear page of the access that filled it */
    struct iov_tlb_table tables[TLB_TABLES];
    uint32_t tlb_sets; /* a power of two */
    uint32_t tlb_turn;
    uint32_t context; /* of what runs now */
    uint32_t next_context;
    struct iov_tlb_context contexts[TLB_CONTEXTS];
    struct iov_tlb_context *last_context; /* that was found last, or NULL */
    /* registers of root operation and of what a guest shares with it */
    uint64_t control[16];
    uint64_t debug[8];
    struct iov_msr msrs[MSR_COUNT];
    unsigned msr_count;
    /* statistics */
    uint64_t steps;     /* since it was made */
    iov_time last_step; /* see iov_cpu_step() */
    uint64_t operations, interrupts_taken, exceptions, exceptions_dropped, exits, entries,
        injections, virtual_interrupts;
    uint64_t notifications, tlb_hits, tlb_misses, walk_steps, unclaimed, ipis_unsupported;
    uint64_t busy, idle;
};

static inline IovCpu *iov_cpu_of(const struct iov_exec *exec)
{
    return iov_container_of(exec->processor, IovCpu, processor);
}

static inline iov_time iov_cpu_now(const IovCpu *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* An operation, which may take no time: software that goes round in those for ever ends the run. */
static inline void iov_cpu_step(IovCpu *self)
{
    if (__builtin_expect((++self->steps & (IOV_KERNEL_PATIENCE - 1)) == 0, 0))
        iov_kernel_expect_progress(self->parent_instance.kernel, &self->last_step, NULL);
}

static inline bool iov_vmcs_pin(const struct iov_vmcs *vmcs, uint32_t bit)
{
    return vmcs->field[VMCS_PIN_CONTROLS] & bit;
}

static inline bool iov_vmcs_primary(const struct iov_vmcs *vmcs, uint32_t bit)
{
    return vmcs->field[VMCS_PRIMARY_CONTROLS] & bit;
}

static inline bool iov_vmcs_secondary(const struct iov_vmcs *vmcs, uint32_t bit)
{
    return vmcs->secondary & bit;
}

static inline struct iov_tlb_set *iov_tlb_set(const IovCpu *self, uint64_t page)
{
    return &self->tlb[(page ^ page >> 9) & (self->tlb_sets - 1)];
}

/* The way of a page, or -1. */
static inline int iov_tlb_find(struct iov_tlb_set *set, uint32_t context, uint64_t page)
{
    unsigned last = set->last;

    if (set->page[last] == page && set->context[last] == context)
        return (int)last;
    for (unsigned i = 0; i < TLB_WAYS; i++) {
        if (set->page[i] == page && set->context[i] == context)
            return set->last = (uint8_t)i;
    }
    return -1;
}

/* cpu.c */
/* Uses the processor for `cost` without interruption. */
void iov_cpu_charge(struct iov_exec *exec, iov_time cost, enum iov_part part);
/* The stream takes over the request that an interrupt announces; NULL: none. */
void iov_cpu_claim(struct iov_exec *exec, IovCpu *self, struct iov_span *span);
/* The processor was used from `begin` to now. */
void iov_cpu_book(struct iov_exec *exec, iov_time begin, enum iov_part part);
/* Delivers everything that is pending; the stream may be on another processor afterwards. */
void iov_cpu_service(struct iov_exec *exec);
/* HLT, until something ends it; `slept`: the stream has been in it for a while already. */
void iov_cpu_halt(struct iov_exec *exec, bool slept);
/* A nested call of the program's handler of `vector`: interrupts off, IRET on return. */
void iov_cpu_deliver_interrupt(struct iov_exec *exec, uint8_t vector, struct iov_span *span);
void iov_cpu_deliver_exception(struct iov_exec *exec, uint8_t vector, uint32_t error_code);
/* Acknowledges the interrupt that is pending (self->physical). */
uint8_t iov_cpu_acknowledge(IovCpu *self);
/* Something may be deliverable: look at the next boundary, wake the one who waits. */
void iov_cpu_poke(IovCpu *self);
uint64_t iov_cpu_tsc(const IovCpu *self, iov_time when);
uint64_t iov_cpu_guest_tsc(const IovCpu *self, const struct iov_exec *exec);

/* messages.c */
extern const struct iov_apic_owner_ops iov_cpu_apic_owner_ops;
extern const struct iov_mem_target_ops iov_cpu_interrupts_ops;
/* iov_processor_ops.interrupt: for a stream of root operation. */
void iov_cpu_interrupt(struct iov_processor *processor, uint8_t vector, struct iov_span *span);
/* The physical APIC's page has moved or gone. */
void iov_cpu_apic_mode_changed(IovCpu *self);

/* rest.c */
void iov_cpu_rest_init(IovCpu *self);
/* What has happened until now to a stream that rests is accounted for. */
void iov_cpu_rest_settle(IovCpu *self);
/* An interrupt for the stream that rests: true if it is the one whose handler need not run, which
 * is all of it; else it goes to the local APIC, ... */
bool iov_cpu_rest_pass(IovCpu *self, uint8_t vector);
/* ... which has something for the stream. */
void iov_cpu_rest_interrupted(IovCpu *self);

/* operate.c */
void iov_cpu_operate(struct iov_exec *exec, struct iov_op *op);
/* Raises an exception: exits if the bitmap says so, else calls the program's handler. */
void iov_cpu_raise(struct iov_exec *exec, uint8_t vector, uint32_t error_code, uint64_t linear);

/* memory.c */
void iov_cpu_access_memory(struct iov_exec *exec, struct iov_op *op);
/* The same for plain memory inside one page whose translation was used lately; false: not done. */
bool iov_cpu_access_cached(struct iov_exec *exec, struct iov_op *op);
/* Host pointer to plain memory at `address` (not across the end of its page), or NULL. */
uint8_t *iov_cpu_pointer(IovCpu *self, iov_hpa address);
/* Memory reads of the processor itself: paging structures, bitmaps. All ones where nothing
 * answers. */
uint64_t iov_cpu_read64(IovCpu *self, iov_hpa address);
uint8_t iov_cpu_read8(IovCpu *self, iov_hpa address);
bool iov_cpu_copy_from(IovCpu *self, iov_hpa address, void *data, uint32_t size);
bool iov_cpu_copy_to(IovCpu *self, iov_hpa address, const void *data, uint32_t size);

/* ept.c */
enum iov_ept_outcome { IOV_EPT_MAPPED, IOV_EPT_VIOLATION, IOV_EPT_MISCONFIGURED };
struct iov_ept_result {
    iov_hpa page;    /* of 4 KiB */
    uint32_t rights; /* TLB_*: of all levels together */
    uint32_t steps;  /* entries read */
    unsigned shift;  /* 12, 21, 30 */
};
enum iov_ept_outcome iov_ept_walk(IovCpu *self, uint64_t eptp, iov_gpa address, uint32_t access,
                                  struct iov_ept_result *ret_result);
bool iov_ept_pointer_valid(uint64_t eptp);
uint32_t iov_tlb_context(IovCpu *self, uint16_t vpid, uint64_t eptp);
void iov_tlb_renew_context(IovCpu *self, uint16_t vpid, uint64_t eptp);
void iov_tlb_flush_eptp(IovCpu *self, uint64_t eptp, bool all);
void iov_tlb_flush_vpid(IovCpu *self, uint16_t vpid, bool all);
void iov_tlb_flush_linear(IovCpu *self, uint16_t vpid, uint64_t linear);

/* vmx-exit.c */
enum iov_vmx_decision {
    IOV_VMX_EXECUTE,
    IOV_VMX_EXITS,      /* `exit` is filled */
    IOV_VMX_UNDEFINED,  /* #UD */
    IOV_VMX_PROTECTION, /* #GP(0) */
};
enum iov_vmx_decision iov_vmx_decide(IovCpu *self, struct iov_vmcs *vmcs, struct iov_op *op,
                                     struct iov_exit *exit);
/* Does exception `vector` exit? Fills `exit` then. */
bool iov_vmx_exception_exits(const struct iov_vmcs *vmcs, uint8_t vector, uint32_t error_code,
                             uint64_t linear, struct iov_exit *exit);
/* Does a loop with one PAUSE each `period` exit, now or later? */
bool iov_vmx_pauses_exit(const IovCpu *self, const struct iov_vmcs *vmcs, iov_time period);
bool iov_exception_has_error(uint8_t vector);
uint32_t iov_op_length(const struct iov_op *op);

/* vmx-event.c */
/* Delivers or exits for the event of highest priority; false if there is none. */
bool iov_vmx_service(struct iov_exec *exec);
/* Would iov_vmx_service() do something? */
bool iov_vmx_deliverable(IovCpu *self, const struct iov_exec *exec);
/* Can something become deliverable without a new arrival, so that every boundary has to look? */
bool iov_vmx_watchful(const IovCpu *self, const struct iov_exec *exec);

/* vmx-entry.c */
/* A VM exit, the monitor, the VM entry after it and what that injects. */
enum iov_resume iov_vmx_exit(struct iov_exec *exec, struct iov_exit *exit);
enum iov_vmx_status iov_vmx_launch(struct iov_exec *host, struct iov_exec *guest, unsigned index);

/* vmcs.c */
void iov_vmcs_set_ops(struct iov_processor_ops *ops);
/* More places for VMCSs that are active. */
void iov_vmcs_slots_add(IovCpu *self, unsigned count);
void iov_vmcs_slots_free(IovCpu *self);
enum iov_vmx_status iov_vmx_fail(IovCpu *self, uint32_t error);
/* 0, or the VM-instruction error of the checks on controls and host state. */
uint32_t iov_vmcs_check_controls(IovCpu *self, struct iov_vmcs *vmcs);
/* It would find nothing: no control has changed, nothing is injected, the TPR has no threshold. */
static inline bool iov_vmcs_controls_hold(const struct iov_vmcs *vmcs)
{
    return vmcs->checked && !(vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO] & IOV_INTERRUPTION_VALID) &&
           vmcs->field[VMCS_TPR_THRESHOLD] == 0;
}

/* vmx-check.c */
/* Checks on the guest-state area; false: entry fails with `ret_qualification`. */
bool iov_vmcs_check_guest(struct iov_vmcs *vmcs, uint64_t *ret_qualification);

/* apic-virtualisation.c */
/* Access of the APIC-access page: virtualised, or APIC_ACCESS exit. NEXT: it is done; RETRY:
 * again. */
enum iov_resume iov_vapic_access(struct iov_exec *exec, struct iov_op *op, uint32_t offset);
/* RDMSR and WRMSR of 0x800-0x8ff under virtualised x2APIC mode: true if it was virtualised (or
 * faulted). */
bool iov_vapic_read_msr(struct iov_exec *exec, struct iov_op *op);
bool iov_vapic_write_msr(struct iov_exec *exec, struct iov_op *op);
void iov_vapic_write_tpr(struct iov_exec *exec, uint8_t value);
uint8_t iov_vapic_read_tpr(const struct iov_vmcs *vmcs);
/* Virtual-interrupt delivery: is one recognised; deliver it. */
bool iov_vapic_recognised(const struct iov_vmcs *vmcs);
void iov_vapic_deliver(struct iov_exec *exec);
/* PPR virtualisation and evaluation, as VM entry does them. */
void iov_vapic_enter(struct iov_vmcs *vmcs);
/* Processes the posted-interrupt descriptor after the notification vector came. */
void iov_vapic_process_posted(IovCpu *self, struct iov_vmcs *vmcs);

/* msr.c */
void iov_msr_init(IovCpu *self);
uint64_t iov_vmx_capability(const IovCpu *self, uint32_t msr);
/* False: #GP. */
bool iov_msr_read(IovCpu *self, struct iov_exec *exec, uint32_t index, uint64_t *ret_value);
bool iov_msr_write(IovCpu *self, struct iov_exec *exec, uint32_t index, uint64_t value);
void iov_cpuid(IovCpu *self, struct iov_op *op);

#endif
