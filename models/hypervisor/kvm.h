/* SPDX-License-Identifier: Apache-2.0 */
/* kvm-vm, as the other parts of this family see it: what user space asks of the kernel's side. */
#ifndef IOV_HYPERVISOR_KVM_H
#define IOV_HYPERVISOR_KVM_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_KVM_VM (iov_kvm_vm_get_type())
G_DECLARE_FINAL_TYPE(IovKvmVm, iov_kvm_vm, IOV, KVM_VM, IovModel)

/*
 * Maps `size` bytes of host address space at guest-physical `gpa`: accesses to them do not exit.
 * Slow plane, while the VM is being realized. False if it is not page-aligned, overlaps memory, or
 * the tables are full.
 */
bool iov_kvm_map_passthrough(IovKvmVm *vm, iov_gpa gpa, iov_hpa hpa, uint64_t size);
/* The host that the VM runs on. */
IovLinuxHost *iov_kvm_host(IovKvmVm *vm);

#endif
