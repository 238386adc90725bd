/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paravirtual interface that KVM offers its guests: CPUID leaves, feature bits, MSRs and hypercalls. Facts of the interface's
 * documentation (Linux, Documentation/virt/kvm/x86: cpuid, msr, hypercalls). The guest kernel uses it, a monitor provides it.
 */
#ifndef IOV_PARAVIRT_REGS_H
#define IOV_PARAVIRT_REGS_H

/* CPUID leaf with the signature "KVMKVMKVM\0\0\0" in EBX, ECX, EDX. */
#define KVM_CPUID_SIGNATURE 0x40000000u
#define KVM_SIGNATURE_EBX 0x4b4d564bu
#define KVM_SIGNATURE_ECX 0x564b4d56u
#define KVM_SIGNATURE_EDX 0x0000004du
/* CPUID leaf with the feature bits in EAX. */
#define KVM_CPUID_FEATURES 0x40000001u
#define KVM_FEATURE_PV_EOI 6
#define KVM_FEATURE_POLL_CONTROL 12
#define KVM_FEATURE_PV_SEND_IPI 11

/* Bit 0 enables; the rest is the guest-physical address of a 4-byte flag, aligned to 4. */
#define KVM_MSR_PV_EOI_EN 0x4b564d04u
#define KVM_PV_EOI_ENABLED 1u
/* Bit 0 of the flag: the EOI of the interrupt in service may be left out; the guest clears the bit instead. */
#define KVM_PV_EOI_PENDING 1u
/* Bit 0 clear: the host shall not poll before it puts the processor to sleep, the guest polls itself. */
#define KVM_MSR_POLL_CONTROL 0x4b564d05u

#define KVM_HYPERCALL_SEND_IPI 10

#endif
