/* SPDX-License-Identifier: Apache-2.0 */
/* kvm-vm, as the other parts of this family see it: what user space asks of the kernel's side. */
#ifndef IOV_HYPERVISOR_KVM_H
#define IOV_HYPERVISOR_KVM_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_KVM_VM (iov_kvm_vm_get_type())
GType iov_kvm_vm_get_type(void);
typedef struct _IovKvmVm IovKvmVm; /* kinds are derived from it: kvm-private.h */
typedef struct _IovKvmVmClass IovKvmVmClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovKvmVm, g_object_unref)

/*
 * Maps `size` bytes of host address space at guest-physical `gpa`: accesses to them do not exit.
 * Slow plane, while the VM is being realized. False if it is not page-aligned, overlaps memory, or
 * the tables are full.
 */
bool iov_kvm_map_passthrough(IovKvmVm *vm, iov_gpa gpa, iov_hpa hpa, uint64_t size);
/* The guest's kernel. */
const IovModel *iov_kvm_program(const IovKvmVm *vm);
/* Where the guest's memory is in the host's. */
void iov_kvm_memory(const IovKvmVm *vm, iov_hpa *ret_base, uint64_t *ret_size);
/*
 * Where interrupts for a guest's message are posted: the posted-interrupt descriptor of the one
 * vCPU that it addresses. False if it addresses more or none, is not fixed, or the VM has no APIC
 * virtualisation.
 */
bool iov_kvm_posting(IovKvmVm *vm, uint64_t address, uint32_t data, iov_hpa *ret_descriptor,
                     uint8_t *ret_vector);
/* The host processor where the first vCPU that a message addresses runs, or ran last. False:
 * none. */
bool iov_kvm_runs_on(IovKvmVm *vm, uint64_t address, unsigned *ret_cpu);
/*
 * From now on vector `host_vector` of the processor that the VM's vCPU is pinned to is the guest's
 * message `data`, and needs no exit. Does nothing in a VM without exit-less interrupts, or if the
 * message is not a fixed one.
 */
void iov_kvm_direct(IovKvmVm *vm, uint8_t host_vector, uint32_t data);
/* The host that the VM runs on. */
IovLinuxHost *iov_kvm_host(IovKvmVm *vm);

#endif
