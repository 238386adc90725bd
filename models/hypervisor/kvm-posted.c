/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: the posted-interrupt descriptor of a vCPU, which software and remapping hardware write
 * alike.
 *
 *   runs        NV is the notification vector, NDST the processor: a notification is processed in
 *               the guest, without an exit
 *   preempted   SN: requests gather in PIR, nobody is disturbed; the next load finds them
 *   sleeps      NV is the wake-up vector of the processor that it slept on; its handler wakes whom
 *               ON says
 *
 * SPEC: SDM vol. 3C, 30.6; VT-d 5.2.3 to 5.2.8. LIMIT: no urgent interrupts: KVM asks for none.
 */
#include <string.h>

#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"

static uint32_t control_get(const struct iov_vcpu *vcpu)
{
    uint32_t control;

    memcpy(&control, vcpu->posted + IOV_PID_CONTROL, sizeof control);
    return control;
}

static void control_put(struct iov_vcpu *vcpu, uint32_t control)
{
    memcpy(vcpu->posted + IOV_PID_CONTROL, &control, sizeof control);
}

static bool requested(const struct iov_vcpu *vcpu)
{
    uint64_t pir[4];

    memcpy(pir, vcpu->posted + IOV_PID_PIR, sizeof pir);
    return (pir[0] | pir[1] | pir[2] | pir[3]) != 0;
}

bool iov_vcpu_posted_pending(const struct iov_vcpu *vcpu)
{
    return control_get(vcpu) & IOV_PID_ON;
}

bool iov_vcpu_posted_request(struct iov_vcpu *vcpu, uint8_t vector)
{
    uint32_t control = control_get(vcpu);

    vcpu->posted[IOV_PID_PIR + vector / 8] |= (uint8_t)(1u << (vector & 7));
    if (control & IOV_PID_ON)
        return false;
    control_put(vcpu, control | IOV_PID_ON);
    return true;
}

bool iov_vcpu_posted_take(struct iov_vcpu *vcpu, uint32_t ret_pir[8])
{
    uint32_t control = control_get(vcpu);

    if (!(control & IOV_PID_ON))
        return false;
    control_put(vcpu, control & ~IOV_PID_ON);
    memcpy(ret_pir, vcpu->posted + IOV_PID_PIR, 32);
    memset(vcpu->posted + IOV_PID_PIR, 0, 32);
    return true;
}

/* ---- Running, preempted, asleep ---- */

/* The processor's local APIC is in xAPIC mode: the ID is in bits 15:8. */
static void destination_set(struct iov_vcpu *vcpu)
{
    uint32_t destination =
        iov_host_processor(vcpu->vm->host, iov_host_cpu_index(vcpu->thread->cpu))->apic_id << 8;

    memcpy(vcpu->posted + IOV_PID_NDST, &destination, sizeof destination);
}

static uint8_t vector_of(const struct iov_vcpu *vcpu)
{
    return (uint8_t)(control_get(vcpu) >> IOV_PID_NV_SHIFT);
}

static void vector_set(struct iov_vcpu *vcpu, uint8_t vector, uint32_t flags)
{
    uint32_t control = control_get(vcpu) & IOV_PID_ON;

    control_put(vcpu, control | flags | (uint32_t)vector << IOV_PID_NV_SHIFT);
}

void iov_vcpu_posted_load(struct iov_vcpu *vcpu)
{
    if (!vcpu->vm->apic_virtualisation)
        return;
    if (vector_of(vcpu) == IOV_HOST_VECTOR_POSTED_WAKEUP && vcpu->sleeper.cpu == NULL)
        vcpu->vm->posted_wakeups++; /* the vector's handler has taken it off its list */
    iov_host_sleeper_remove(&vcpu->sleeper);
    destination_set(vcpu);
    vector_set(vcpu, IOV_HOST_VECTOR_POSTED, 0);
    if (requested(vcpu)) /* what came while notifications were suppressed */
        control_put(vcpu, control_get(vcpu) | IOV_PID_ON);
}

static void on_sched_in(struct iov_thread *thread)
{
    iov_vcpu_posted_load(thread->owner);
}

static void on_sched_out(struct iov_thread *thread, bool preempted)
{
    struct iov_vcpu *vcpu = thread->owner;

    if (!preempted && vcpu->blocked) {
        destination_set(vcpu);
        vector_set(vcpu, IOV_HOST_VECTOR_POSTED_WAKEUP, 0);
        iov_host_sleeper_add(&vcpu->sleeper, thread);
        vcpu->vm->posted_sleeps++;
        return;
    }
    if (!preempted)
        return; /* a short sleep in the kernel or in user space */
    vector_set(vcpu, IOV_HOST_VECTOR_POSTED, IOV_PID_SN);
    vcpu->vm->posted_suppressions++;
}

/* From the handler of the wake-up vector: one look in memory for each that sleeps there. */
static bool sleeper_wanted(struct iov_host_sleeper *sleeper)
{
    return iov_vcpu_posted_pending(iov_container_of(sleeper, struct iov_vcpu, sleeper));
}

void iov_vcpu_posted_init(struct iov_vcpu *vcpu)
{
    if (!vcpu->vm->apic_virtualisation)
        return;
    vcpu->sleeper.wanted = sleeper_wanted;
    vcpu->thread->owner = vcpu;
    vcpu->thread->sched_in = on_sched_in;
    vcpu->thread->sched_out = on_sched_out;
}
