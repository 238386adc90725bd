/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of kvm-vm, shared by its files: kvm.c (life, the run loop), kvm-vmcs.c (controls),
 * kvm-mmu.c (EPT, guest memory), kvm-io.c (MMIO and port exits), kvm-exit.c (the other exits),
 * kvm-apic.c (local APIC, injection), kvm-posted.c (posted interrupts), kvm-irq.c (I/O APIC, irqfd,
 * MSI).
 */
#ifndef IOV_HYPERVISOR_KVM_PRIVATE_H
#define IOV_HYPERVISOR_KVM_PRIVATE_H

#include "core/kernel/ratio.h"
#include "core/trace/measure.h"
#include "models/hypervisor/emulator.h"
#include "models/hypervisor/kvm.h"

enum {
    IOV_KVM_GSIS = 24,
    IOV_KVM_COALESCED_MAX = 170, /* entries of the ring: one page */
    IOV_KVM_MSRS = 15,           /* kept and given back */
};

enum iov_kvm_irqchip { IOV_KVM_IRQCHIP_ON, IOV_KVM_IRQCHIP_SPLIT };

struct iov_kvm_costs {
    iov_time exit;
    iov_time inject;
    iov_time cpuid;
    iov_time hypercall;
    iov_time msr;
    iov_time apic;
    iov_time apic_decode;
    iov_time halt;
    iov_time halt_poll_step;
    iov_time window;
    iov_time emulate;
    iov_time pio_fast;
    iov_time mmio_fast;
    iov_time ioeventfd;
    iov_time coalesced;
    iov_time ioapic;
    iov_time ept_violation;
    iov_time irq_route;
    iov_time kick;
    iov_time timer_set;
    iov_time timer_expire;
    iov_time user_exit;
    iov_time user_entry;
    iov_time vcpu_load;
    iov_time pause;
};

struct iov_kvm_gsi {
    struct iov_irq_sink sink;
    IovKvmVm *vm;
    uint8_t index;
};

struct iov_kvm_irqfd {
    struct iov_notify_sink sink;
    IovKvmVm *vm;
    uint8_t index;
};

/* A message of the I/O APIC on its way. */
struct iov_kvm_message {
    uint64_t address;
    uint32_t data;
    uint16_t requester;
    struct iov_span *span;
};

/* A write that waits to be replayed to its device. */
struct iov_kvm_coalesced {
    struct iov_mem_target *target;
    uint64_t offset;
    uint64_t value;
    uint32_t size;
};

struct iov_vcpu;

/* What another monitor does differently; a NULL hook is KVM's way. */
struct _IovKvmVmClass {
    IovModelClass parent_class;
    /* A hypercall: RAX to RDX in `value`. */
    void (*hypercall)(struct iov_vcpu *vcpu, uint64_t value[4]);
    /* CPUID of the hypervisor's leaves. */
    void (*cpuid)(const struct iov_vcpu *vcpu, uint32_t leaf, uint64_t value[4]);
    /* Vector of an interrupt that comes past the local APIC, or -1. */
    int (*upcall)(const struct iov_vcpu *vcpu);
    /* An access to a device that user space answers, instead of a trip there on the vCPU's
     * thread. */
    void (*access)(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                   struct iov_mem_req *req, bool write);
    /* An interrupt line or message on its way: `thread` pays. */
    void (*route)(IovKvmVm *vm, struct iov_thread *thread);
    uint64_t apic_frequency; /* of the local APICs' timers; 0: KVM's */
    bool unmapped_mmio; /* what is no memory is not in the EPT at all: accesses are violations */
};
#define IOV_KVM_VM_GET_CLASS(object) ((IovKvmVmClass *)(void *)G_OBJECT_GET_CLASS(object))

struct iov_vcpu {
    /* What each exit and entry looks at. */
    IovKvmVm *vm;
    struct iov_thread *thread;
    struct iov_apic *apic;
    uint8_t *posted; /* the bytes of its descriptor */
    struct iov_host_cpu *loaded_on;
    iov_time owed;     /* work of the kernel that is not charged yet */
    iov_time entered;  /* times of the last entry and trip to user space */
    iov_time deadline; /* of the APIC timer, or IOV_TIME_MAX */
    bool injected;     /* the next entry has its event */
    bool direct;       /* interrupts of the guest's devices need no exit now */
    bool in_guest;     /* from the decision to enter until the exit */
    bool blocked;      /* sleeps in HLT */
    bool halted;
    bool request_event; /* look for something to inject before the entry */
    bool skipped;       /* the exit's instruction was emulated: its interrupt shadow is gone */
    bool icr_written;   /* told by the APIC during a call */
    bool eoi_look;      /* the APIC has changed since eoi_by_flag was found out */
    bool eoi_by_flag;   /* the guest's next EOI needs no exit */
    bool pv_eoi_pending;
    uint8_t level_eoi;
    unsigned eoi_exit_generation;
    uint32_t entry_info; /* event that the next entry injects before anything else */
    uint32_t entry_error;
    uint32_t pin; /* controls as they stand in the VMCS */
    uint32_t primary;
    uint32_t secondary;
    unsigned index;
    struct iov_exec guest;
    struct iov_apic_owner owner;
    iov_hpa vmcs; /* the 4 KiB regions */
    iov_hpa virtual_apic;
    iov_hpa descriptor; /* posted interrupts */
    struct iov_host_sleeper sleeper;
    struct iov_ratio ticks; /* of its time-stamp counter in a picosecond */
    struct iov_host_timer timer;
    uint64_t icr;
    uint64_t pv_eoi; /* MSR: guest-physical address of the flag, bit 0 enabled */
    iov_time poll;   /* present halt-polling window */
    iov_time user_since;
    uint64_t msrs[IOV_KVM_MSRS];
};

struct _IovKvmVm {
    IovModel parent_instance;
    const IovKvmVmClass *class;
    /* properties */
    IovModel *host_ref;
    IovModel *program_ref;
    uint64_t vcpus;
    uint64_t memory;
    uint64_t memory_base;
    bool populate;
    bool apic_virtualisation;
    bool exitless_interrupts;
    bool x2apic;
    bool pv_eoi;
    bool ioeventfd;
    bool preemption_timer;
    int kernel_irqchip;
    iov_time halt_poll_max;
    struct iov_count_list pin;
    struct iov_count_list passthrough;
    struct iov_kvm_costs costs;
    /* ports */
    struct iov_mem_initiator bus; /* host memory */
    struct iov_mem_map mmio;
    struct iov_mem_map ports;
    struct iov_mem_map doorbell;
    struct iov_mem_target ram;
    struct iov_mem_target msi;
    struct iov_mem_initiator remapping;
    struct iov_kvm_gsi gsi[IOV_KVM_GSIS];
    struct iov_kvm_irqfd irqfd[IOV_KVM_GSIS];
    struct iov_notify_source resample[IOV_KVM_GSIS];
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_monitor monitor;
    struct iov_vcpu *vcpu;
    IovModel **apics; /* children */
    IovModel *ioapic; /* child */
    struct iov_irq_sink *pins[IOV_KVM_GSIS];
    struct iov_mem_target *ioapic_registers;
    struct iov_mem_target *ioapic_eoi;
    struct iov_mem_target messages; /* of the ioapic */
    struct iov_kvm_message message[2 * IOV_KVM_GSIS];
    unsigned message_count;
    uint32_t irqfds_asserted; /* bits: those with a resampler, until the guest's EOI */
    bool settling;            /* a message of the I/O APIC is on its way through `remapping` */
    iov_hpa reserve_base;     /* tables and regions, behind the guest's memory */
    uint64_t preemption_timer_shift; /* of the processors: VMX_MISC[4:0] */
    uint16_t vpid_base;
    uint64_t reserve_size;
    uint64_t reserve_used;
    iov_hpa ept_root;
    iov_hpa msr_bitmap;
    iov_hpa msr_bitmap_x2apic;
    iov_hpa msr_bitmap_direct, shadow_gates; /* of exit-less interrupts */
    iov_hpa apic_access_page;
    iov_hpa vmxon_regions; /* one page a processor of the host */
    struct iov_kvm_coalesced coalesced[IOV_KVM_COALESCED_MAX];
    unsigned coalesced_count, coalesced_next;
    uint64_t eoi_exit_bitmap[4];
    unsigned eoi_exit_generation;
    unsigned region_lapic, region_ioapic, region_other;
    unsigned *mmio_regions, *port_regions; /* of each window */
    /* statistics */
    uint64_t exits_total, injections, windows, eoi_exits, pv_eois, kicks, posted, halts,
        poll_successes, violations;
    uint64_t posted_sleeps, posted_suppressions, posted_wakeups;
    uint64_t reflections, mode_switches;
    uint64_t coalesced_writes, ioeventfds, unknown_msrs, unknown_exits;
    iov_time guest_time, monitor_time, user_time, vcpu_time;
};

/* ---- kvm.c ---- */
/* Charges the kernel's work to the vCPU's thread. */
static inline void iov_vcpu_compute(struct iov_vcpu *vcpu, iov_time cost)
{
    cost += vcpu->owed;
    vcpu->owed = 0;
    if (cost > 0)
        iov_thread_compute(vcpu->thread, cost, IOV_PART_MONITOR);
}
/* A trip to user space lies between the two. */
void iov_vcpu_user_begin(struct iov_vcpu *vcpu);
/* The same begin, without what it returns: user space pays for that together with its first
 * step. */
iov_time iov_vcpu_user_leave(struct iov_vcpu *vcpu);
void iov_vcpu_user_end(struct iov_vcpu *vcpu);
/* Instruction done: RIP moved on, no interrupt shadow. */
static inline enum iov_resume iov_vcpu_skip(struct iov_vcpu *vcpu)
{
    vcpu->skipped = true;
    return IOV_RESUME_NEXT;
}

/* In user space: the access itself, on `thread`, which owes some time there. */
void iov_kvm_visit(IovKvmVm *vm, struct iov_thread *thread, const struct iov_mem_window *window,
                   struct iov_mem_req *req, bool write, iov_time owed);

/* ---- kvm-vmcs.c ---- */
bool iov_vcpu_vmcs_init(struct iov_vcpu *vcpu);
/* Makes the VMCS current on the thread's processor, if it is not. */
void iov_vcpu_load_now(struct iov_vcpu *vcpu);
static inline void iov_vcpu_load(struct iov_vcpu *vcpu)
{
    if (G_UNLIKELY(vcpu->loaded_on != vcpu->thread->cpu ||
                   *iov_host_vmcs_current(vcpu->thread) != vcpu->vmcs))
        iov_vcpu_load_now(vcpu);
}
void iov_vcpu_write(struct iov_vcpu *vcpu, uint32_t field, uint64_t value);
uint64_t iov_vcpu_read(struct iov_vcpu *vcpu, uint32_t field);
void iov_vcpu_set_window(struct iov_vcpu *vcpu, bool on);
/* The APIC changed its mode: controls and MSR bitmap follow. */
void iov_vcpu_apic_mode(struct iov_vcpu *vcpu);
/* Arms the VMX-preemption timer for the deadline, or takes it out. */
void iov_vcpu_arm_preemption_timer(struct iov_vcpu *vcpu);
void iov_kvm_msr_bitmaps_write(IovKvmVm *vm);

/* ---- kvm-mmu.c ---- */
bool iov_kvm_mmu_init(IovKvmVm *vm, GError **error);
iov_hpa iov_kvm_reserve(IovKvmVm *vm, uint64_t size);
void iov_kvm_host_write(IovKvmVm *vm, iov_hpa hpa, const void *data, uint32_t size);
void iov_kvm_host_read(IovKvmVm *vm, iov_hpa hpa, void *data, uint32_t size);
/* Guest memory as the host sees it. False outside of it. */
bool iov_kvm_guest_read(IovKvmVm *vm, iov_gpa gpa, void *data, uint32_t size);
bool iov_kvm_guest_write(IovKvmVm *vm, iov_gpa gpa, const void *data, uint32_t size);
enum iov_resume iov_vcpu_ept_violation(struct iov_vcpu *vcpu, struct iov_exit *exit);
extern const struct iov_mem_target_ops iov_kvm_ram_ops;

/* ---- kvm-io.c ---- */
void iov_kvm_io_init(IovKvmVm *vm);
enum iov_resume iov_vcpu_mmio(struct iov_vcpu *vcpu, struct iov_exit *exit);
enum iov_resume iov_vcpu_port_io(struct iov_vcpu *vcpu, struct iov_exit *exit);
void iov_kvm_coalesced_flush(struct iov_vcpu *vcpu);

/* ---- kvm-exit.c ---- */
enum iov_resume iov_vcpu_handle(struct iov_vcpu *vcpu, struct iov_exit *exit);

/* ---- kvm-apic.c ---- */
extern const struct iov_apic_owner_ops iov_kvm_apic_owner_ops;
/* An interrupt for this vCPU, from any context. */
void iov_vcpu_interrupt(struct iov_vcpu *vcpu, uint8_t vector, bool level, struct iov_span *span);
/* The hook `upcall` has one for it now. */
void iov_vcpu_upcall(struct iov_vcpu *vcpu, struct iov_span *span);
void iov_vcpu_kick(struct iov_vcpu *vcpu, struct iov_span *span);
/* Is there an interrupt that a halted vCPU would wake for? */
bool iov_vcpu_wakes(struct iov_vcpu *vcpu);
/* What to inject is decided right before the entry; no time passes. */
void iov_vcpu_inject(struct iov_vcpu *vcpu);
bool iov_vcpu_has_event(struct iov_vcpu *vcpu);
void iov_vcpu_pv_eoi_from_guest(struct iov_vcpu *vcpu);
void iov_vcpu_pv_eoi_to_guest(struct iov_vcpu *vcpu);
void iov_vcpu_requeue(struct iov_vcpu *vcpu, const struct iov_exit *exit);
/* A register of the local APIC by xAPIC offset, in kernel. False: no such register. */
bool iov_vcpu_apic_read(struct iov_vcpu *vcpu, uint32_t offset, uint64_t *ret_value);
bool iov_vcpu_apic_write(struct iov_vcpu *vcpu, uint32_t offset, uint64_t value);
/* Sends a fixed interrupt to all vCPUs that `destination` addresses. */
void iov_kvm_deliver(IovKvmVm *vm, uint32_t destination, bool logical, bool lowest, uint8_t vector,
                     bool level, struct iov_span *span);
void iov_vcpu_timer_check(struct iov_vcpu *vcpu);
void iov_vcpu_timer_expire(struct iov_vcpu *vcpu);
void iov_vcpu_timer_init(struct iov_vcpu *vcpu);
/* The timer's turn between VMX and the host's timer: a sleeping vCPU needs the latter. */
void iov_vcpu_timer_block(struct iov_vcpu *vcpu);
void iov_vcpu_timer_unblock(struct iov_vcpu *vcpu);

/* ---- kvm-direct.c: of VMs with exit-less interrupts; these do nothing in others ---- */
bool iov_kvm_direct_init(IovKvmVm *vm, GError **error);
/* Before the first entry. */
void iov_vcpu_direct_init(struct iov_vcpu *vcpu);
/* Before each entry, once it is known what is injected: direct mode, or injection mode. */
void iov_vcpu_direct_choose(struct iov_vcpu *vcpu);
/* Was the exit an interrupt of the host that met a gate which is not present? Then the host has
 * handled it. */
bool iov_vcpu_direct_exit(struct iov_vcpu *vcpu, const struct iov_exit *exit);
/* An EOI that exited and belongs to no virtual interrupt; true if it was the physical APIC's. */
bool iov_vcpu_direct_eoi(struct iov_vcpu *vcpu);

/* ---- kvm-posted.c: of VMs with APIC virtualisation ---- */
void iov_vcpu_posted_init(struct iov_vcpu *vcpu);
/* The vCPU is on a processor again: notifications go there. Does nothing without APIC
 * virtualisation. */
void iov_vcpu_posted_load(struct iov_vcpu *vcpu);
bool iov_vcpu_posted_pending(const struct iov_vcpu *vcpu);
/* Software posts; true if it is to send a notification. */
bool iov_vcpu_posted_request(struct iov_vcpu *vcpu, uint8_t vector);
/* What was posted, if anything was; it is no longer. */
bool iov_vcpu_posted_take(struct iov_vcpu *vcpu, uint32_t ret_pir[8]);

/* Vector that is to be injected: an upcall before the local APIC's; -1: none. */
static inline int iov_vcpu_pending(const struct iov_vcpu *vcpu)
{
    const IovKvmVmClass *class = vcpu->vm->class;
    int vector = class->upcall != NULL ? class->upcall(vcpu) : -1;

    return vector >= 0 ? vector : vcpu->apic->ops->pending(vcpu->apic);
}

/* ---- kvm-irq.c ---- */
bool iov_kvm_irq_init(IovKvmVm *vm, GError **error);
/* Sends what the I/O APIC said during a call. */
void iov_kvm_ioapic_settle(IovKvmVm *vm);
void iov_kvm_eoi(struct iov_vcpu *vcpu, uint8_t vector);
extern const struct iov_mem_target_ops iov_kvm_msi_ops;
extern const struct iov_irq_sink_ops iov_kvm_gsi_ops;
extern const struct iov_notify_sink_ops iov_kvm_irqfd_ops;

#endif
