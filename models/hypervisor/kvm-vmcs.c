/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: the VMCS of a vCPU, set up and changed the way KVM does: what exits, and what the
 * processor does by itself.
 *
 * Controls are remembered, so that VMWRITE is paid only when something changes.
 * LIMIT: segments, control registers and descriptor tables of guest and host are left as they are:
 * the guest's program is no machine code.
 */
#include <string.h>

#include "models/cpu/apic-regs.h"
#include "models/cpu/ept-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"

enum { PAGE = 4096, PLE_GAP = 128, PLE_WINDOW = 4096, RFLAGS_FIXED = 2 };
#define CR0_DEFAULT UINT64_C(0x80050033)
#define CR4_DEFAULT UINT64_C(0x000626f0)
#define CR0_GUEST_OWNED UINT64_C(0x8) /* TS */
#define CR4_GUEST_OWNED \
    UINT64_C(0x0001078e) /* PVI, TSD, DE, PGE, PCE, OSFXSR, OSXMMEXCPT, FSGSBASE */

void iov_vcpu_write(struct iov_vcpu *vcpu, uint32_t field, uint64_t value)
{
    struct iov_exec *exec = &vcpu->thread->exec;

    iov_vcpu_load(vcpu); /* the thread may have lost its processor since the exit */
    IOV_REQUIRE(exec->processor->ops->vmwrite(exec, field, value) == IOV_VMX_SUCCEED);
}

uint64_t iov_vcpu_read(struct iov_vcpu *vcpu, uint32_t field)
{
    struct iov_exec *exec = &vcpu->thread->exec;
    uint64_t value = 0;

    iov_vcpu_load(vcpu);
    IOV_REQUIRE(exec->processor->ops->vmread(exec, field, &value) == IOV_VMX_SUCCEED);
    return value;
}

/* ---- MSR bitmaps ---- */

static void msr_allow(uint8_t *bitmap, uint32_t msr, bool read, bool write)
{
    uint32_t high = msr >= 0xc0000000 ? 0x400 : 0;
    uint32_t number = msr & 0x1fff;

    if (read)
        bitmap[IOV_MSR_BITMAP_READ_LOW + high + number / 8] &= (uint8_t) ~(1u << (number & 7));
    if (write)
        bitmap[IOV_MSR_BITMAP_WRITE_LOW + high + number / 8] &= (uint8_t) ~(1u << (number & 7));
}

/* Everything exits but what KVM passes through; the second bitmap is for virtualised x2APIC
 * mode. */
void iov_kvm_msr_bitmaps_write(IovKvmVm *vm)
{
    static const uint32_t both[] = { IOV_MSR_SYSENTER_CS,  IOV_MSR_SYSENTER_ESP,
                                     IOV_MSR_SYSENTER_EIP, IOV_MSR_FS_BASE,
                                     IOV_MSR_GS_BASE,      IOV_MSR_KERNEL_GS_BASE,
                                     IOV_MSR_SPEC_CTRL };
    uint8_t bitmap[PAGE];

    memset(bitmap, 0xff, sizeof bitmap);
    for (unsigned i = 0; i < G_N_ELEMENTS(both); i++)
        msr_allow(bitmap, both[i], true, true);
    msr_allow(bitmap, IOV_MSR_TSC, true, false);
    msr_allow(bitmap, IOV_MSR_PRED_CMD, false, true);
    iov_kvm_host_write(vm, vm->msr_bitmap, bitmap, sizeof bitmap);

    for (uint32_t msr = IOV_MSR_X2APIC_FIRST; msr <= IOV_MSR_X2APIC_LAST; msr++)
        msr_allow(bitmap, msr, (msr & 0xff) << 4 != IOV_APIC_TIMER_CURRENT, false);
    msr_allow(bitmap, IOV_MSR_X2APIC_FIRST + (IOV_APIC_TPR >> 4), false, true);
    msr_allow(bitmap, IOV_MSR_X2APIC_FIRST + (IOV_APIC_EOI >> 4), false, true);
    msr_allow(bitmap, IOV_MSR_X2APIC_FIRST + (IOV_APIC_SELF_IPI >> 4), false, true);
    iov_kvm_host_write(vm, vm->msr_bitmap_x2apic, bitmap, sizeof bitmap);
}

/* ---- Controls ---- */

static void write_controls(struct iov_vcpu *vcpu)
{
    iov_vcpu_write(vcpu, IOV_VMCS_PIN_CONTROLS, vcpu->pin);
    iov_vcpu_write(vcpu, IOV_VMCS_PRIMARY_CONTROLS, vcpu->primary);
    iov_vcpu_write(vcpu, IOV_VMCS_SECONDARY_CONTROLS, vcpu->secondary);
}

static bool in_x2apic(const struct iov_vcpu *vcpu)
{
    return vcpu->apic->ops->base(vcpu->apic) & IOV_APIC_BASE_X2APIC;
}

/* The guest may change the mode of its APIC at any time; each has its own virtualisation. */
static uint32_t apic_controls(const struct iov_vcpu *vcpu)
{
    const IovKvmVm *vm = vcpu->vm;
    uint32_t controls = 0;

    if (vm->apic_virtualisation)
        controls |= IOV_SECONDARY_VIRTUAL_INTERRUPT | IOV_SECONDARY_APIC_REGISTER;
    if (!in_x2apic(vcpu))
        controls |= IOV_SECONDARY_APIC_ACCESSES;
    else if (vm->apic_virtualisation)
        controls |= IOV_SECONDARY_X2APIC;
    return controls;
}

void iov_vcpu_apic_mode(struct iov_vcpu *vcpu)
{
    const uint32_t all = IOV_SECONDARY_VIRTUAL_INTERRUPT | IOV_SECONDARY_APIC_REGISTER |
                         IOV_SECONDARY_X2APIC | IOV_SECONDARY_APIC_ACCESSES;
    IovKvmVm *vm = vcpu->vm;

    vcpu->secondary = (vcpu->secondary & ~all) | apic_controls(vcpu);
    iov_vcpu_write(vcpu, IOV_VMCS_SECONDARY_CONTROLS, vcpu->secondary);
    iov_vcpu_write(vcpu, IOV_VMCS_MSR_BITMAP,
                   vcpu->secondary & IOV_SECONDARY_X2APIC ? vm->msr_bitmap_x2apic : vm->msr_bitmap);
}

void iov_vcpu_set_window(struct iov_vcpu *vcpu, bool on)
{
    uint32_t primary = on ? vcpu->primary | IOV_PRIMARY_INTERRUPT_WINDOW
                          : vcpu->primary & ~IOV_PRIMARY_INTERRUPT_WINDOW;

    if (primary == vcpu->primary)
        return;
    vcpu->primary = primary;
    iov_vcpu_write(vcpu, IOV_VMCS_PRIMARY_CONTROLS, primary);
}

void iov_vcpu_arm_preemption_timer(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;
    bool on = vm->preemption_timer && vcpu->deadline != IOV_TIME_MAX;
    uint32_t pin =
        on ? vcpu->pin | IOV_PIN_PREEMPTION_TIMER : vcpu->pin & ~IOV_PIN_PREEMPTION_TIMER;

    if (pin != vcpu->pin) {
        vcpu->pin = pin;
        iov_vcpu_write(vcpu, IOV_VMCS_PIN_CONTROLS, pin);
    }
    if (on) {
        iov_time now = iov_now(vm->parent_instance.kernel);
        iov_time left = vcpu->deadline > now ? vcpu->deadline - now : 0;
        uint64_t ticks = iov_ratio_of(vcpu->ticks, left);

        ticks = (ticks + (1u << vm->preemption_timer_shift) - 1) >> vm->preemption_timer_shift;
        iov_vcpu_write(vcpu, IOV_VMCS_PREEMPTION_TIMER, MIN(ticks, UINT32_MAX));
    }
}

static void choose_controls(struct iov_vcpu *vcpu)
{
    const IovKvmVm *vm = vcpu->vm;

    vcpu->pin = IOV_PIN_DEFAULT1 | IOV_PIN_EXTERNAL_INTERRUPT | IOV_PIN_NMI | IOV_PIN_VIRTUAL_NMIS |
                (vm->apic_virtualisation ? IOV_PIN_POSTED_INTERRUPTS : 0);
    vcpu->primary = IOV_PRIMARY_TRUE_DEFAULT1 | IOV_PRIMARY_HLT | IOV_PRIMARY_MWAIT |
                    IOV_PRIMARY_MONITOR | IOV_PRIMARY_RDPMC | IOV_PRIMARY_TPR_SHADOW |
                    IOV_PRIMARY_UNCONDITIONAL_IO | IOV_PRIMARY_TSC_OFFSETTING |
                    IOV_PRIMARY_MSR_BITMAPS | IOV_PRIMARY_SECONDARY;
    vcpu->secondary = IOV_SECONDARY_EPT | IOV_SECONDARY_VPID | IOV_SECONDARY_UNRESTRICTED_GUEST |
                      IOV_SECONDARY_RDTSCP | IOV_SECONDARY_INVPCID | IOV_SECONDARY_WBINVD |
                      IOV_SECONDARY_PAUSE_LOOP | apic_controls(vcpu);
}

/* ---- Loading ---- */

static void enable_vmx(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;
    iov_hpa region = vm->vmxon_regions + (uint64_t)iov_host_cpu_index(vcpu->thread->cpu) * PAGE;
    uint32_t revision = IOV_VMX_REVISION;

    iov_kvm_host_write(vm, region, &revision, sizeof revision);
    IOV_REQUIRE(iov_host_vmx_enable(vcpu->thread, region));
}

/* The old processor writes the VMCS back. LIMIT: the interrupt that KVM sends there for it costs
 * the old processor nothing. */
static void clear_on(struct iov_vcpu *vcpu, unsigned cpu)
{
    struct iov_exec exec = vcpu->thread->exec;

    exec.processor = iov_host_processor(vcpu->vm->host, cpu);
    exec.processor->ops->vmclear(&exec, vcpu->vmcs);
}

void iov_vcpu_load_now(struct iov_vcpu *vcpu)
{
    struct iov_thread *thread = vcpu->thread;
    struct iov_exec *exec = &thread->exec;

    iov_vcpu_compute(vcpu, vcpu->vm->costs.vcpu_load); /* it may move meanwhile */
    enable_vmx(vcpu);
    if (vcpu->loaded_on != NULL && vcpu->loaded_on != thread->cpu) {
        clear_on(vcpu, iov_host_cpu_index(vcpu->loaded_on));
        if (*iov_host_vmcs_current_of(vcpu->loaded_on) == vcpu->vmcs)
            *iov_host_vmcs_current_of(vcpu->loaded_on) = 0;
    }
    IOV_REQUIRE(exec->processor->ops->vmptrld(exec, vcpu->vmcs) == IOV_VMX_SUCCEED);
    *iov_host_vmcs_current(thread) = vcpu->vmcs;
    if (vcpu->loaded_on != thread->cpu)
        vcpu->ticks = iov_ratio_make(exec->processor->frequency_hz, IOV_SEC);
    vcpu->loaded_on = thread->cpu;
    iov_vcpu_posted_load(vcpu);
}

static void write_state(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;
    const struct {
        uint32_t field;
        uint64_t value;
    } fields[] = {
        { IOV_VMCS_EXIT_CONTROLS,
          IOV_EXITCTL_TRUE_DEFAULT1 | IOV_EXITCTL_HOST_64 | IOV_EXITCTL_ACKNOWLEDGE },
        { IOV_VMCS_ENTRY_CONTROLS, IOV_ENTRYCTL_TRUE_DEFAULT1 | IOV_ENTRYCTL_GUEST_64 },
        { IOV_VMCS_VPID, vm->vpid_base + vcpu->index },
        { IOV_VMCS_EPT_POINTER, vm->ept_root | IOV_EPTP_WB_WALK_4 },
        { IOV_VMCS_MSR_BITMAP,
          vcpu->secondary & IOV_SECONDARY_X2APIC ? vm->msr_bitmap_x2apic : vm->msr_bitmap },
        { IOV_VMCS_LINK_POINTER, UINT64_MAX },
        { IOV_VMCS_VIRTUAL_APIC_ADDRESS, vcpu->virtual_apic },
        { IOV_VMCS_APIC_ACCESS_ADDRESS, vm->apic_access_page },
        { IOV_VMCS_PLE_GAP, PLE_GAP },
        { IOV_VMCS_PLE_WINDOW, PLE_WINDOW },
        { IOV_VMCS_CR0_MASK, ~CR0_GUEST_OWNED },
        { IOV_VMCS_CR4_MASK, ~CR4_GUEST_OWNED },
        { IOV_VMCS_CR0_SHADOW, CR0_DEFAULT },
        { IOV_VMCS_CR4_SHADOW, CR4_DEFAULT },
        { IOV_VMCS_GUEST_CR0, CR0_DEFAULT },
        { IOV_VMCS_GUEST_CR4, CR4_DEFAULT | UINT64_C(0x2000) },
        { IOV_VMCS_GUEST_RFLAGS, RFLAGS_FIXED },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
        iov_vcpu_write(vcpu, fields[i].field, fields[i].value);
    if (vm->apic_virtualisation) {
        iov_vcpu_write(vcpu, IOV_VMCS_POSTED_INTERRUPT_VECTOR, IOV_HOST_VECTOR_POSTED);
        iov_vcpu_write(vcpu, IOV_VMCS_POSTED_INTERRUPT_DESCRIPTOR, vcpu->descriptor);
    }
}

/* On the vCPU's thread, before the first entry. */
bool iov_vcpu_vmcs_init(struct iov_vcpu *vcpu)
{
    struct iov_exec *exec = &vcpu->thread->exec;
    uint32_t revision = IOV_VMX_REVISION;

    iov_kvm_host_write(vcpu->vm, vcpu->vmcs, &revision, sizeof revision);
    enable_vmx(vcpu);
    if (exec->processor->ops->vmclear(exec, vcpu->vmcs) != IOV_VMX_SUCCEED)
        return false;
    iov_vcpu_load(vcpu);
    choose_controls(vcpu);
    write_controls(vcpu);
    write_state(vcpu);
    iov_vcpu_direct_init(vcpu);
    return true;
}
