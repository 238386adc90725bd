/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's paravirtual interface, for guests: CPUID leaves, MSRs, hypercalls. Facts of Linux's
 * documentation of it.
 */
#ifndef IOV_HYPERVISOR_KVM_REGS_H
#define IOV_HYPERVISOR_KVM_REGS_H

/* CPUID leaves */
#define KVM_CPUID_SIGNATURE 0x40000000u
#define KVM_CPUID_FEATURES 0x40000001u
#define KVM_SIGNATURE_EBX 0x4b4d564bu /* "KVMKVMKVM" */
#define KVM_SIGNATURE_ECX 0x564b4d56u
#define KVM_SIGNATURE_EDX 0x4du

/* Features: EAX of leaf 0x40000001 */
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_STEAL_TIME (1u << 5)
#define KVM_FEATURE_PV_EOI (1u << 6)
#define KVM_FEATURE_PV_SEND_IPI (1u << 11)

/* CPUID leaf 1, ECX */
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_ECX_DEADLINE (1u << 24)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)

/* MSRs */
#define MSR_KVM_WALL_CLOCK 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u
#define MSR_KVM_STEAL_TIME 0x4b564d03u
#define MSR_KVM_PV_EOI_EN \
    0x4b564d04u /* bit 0: enabled; 63:2: guest-physical address of the flag byte */
#define MSR_KVM_POLL_CONTROL 0x4b564d05u

/*
 * Hypercalls: VMCALL with the number in RAX, arguments in RBX, RCX, RDX, RSI. A struct iov_op has
 * the first four in value[0..3]; RSI is in its `address`.
 */
#define KVM_HC_KICK_CPU 5     /* RCX: APIC ID */
#define KVM_HC_SEND_IPI 10    /* RBX, RCX: bitmap of 128; RDX: APIC ID of its first bit; RSI: ICR */
#define KVM_HC_SCHED_YIELD 11 /* RBX: APIC ID */
#define KVM_ENOSYS 1000

/* Vectors of exceptions that KVM raises in the guest */
#define KVM_EXCEPTION_UD 6
#define KVM_EXCEPTION_GP 13

#endif
