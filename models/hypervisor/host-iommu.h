/* SPDX-License-Identifier: Apache-2.0 */
/* The host's driver of the remapping unit, as the other parts of this family see it. */
#ifndef IOV_HYPERVISOR_HOST_IOMMU_H
#define IOV_HYPERVISOR_HOST_IOMMU_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_HOST_IOMMU (iov_host_iommu_get_type())
G_DECLARE_FINAL_TYPE(IovHostIommu, iov_host_iommu, IOV, HOST_IOMMU, IovModel)

/*
 * From now on the function `requester` reaches `size` bytes of host memory from `memory` on, at
 * device addresses 0 up, and nothing else. Functions that get the same memory share a domain. Slow
 * plane, while the owner is being realized. False with a GError (IOV_ERROR_CONFIG) if the tables
 * have no room or the function has an owner already.
 */
bool iov_host_iommu_attach(IovHostIommu *iommu, uint16_t requester, iov_hpa memory, uint64_t size,
                           GError **error);

/*
 * In scalable mode: a PASID that nobody else in the machine has; and what attach does, for a
 * function's requests with that PASID only. Slow plane, errors as above.
 */
bool iov_host_iommu_pasid_alloc(IovHostIommu *iommu, uint32_t *ret_pasid, GError **error);
bool iov_host_iommu_attach_pasid(IovHostIommu *iommu, uint16_t requester, uint32_t pasid,
                                 iov_hpa memory, uint64_t size, GError **error);
/* Makes the unit forget what it holds of a PASID that is attached. `exec` does it and pays. False
 * if the unit did not answer. */
bool iov_host_iommu_flush_pasid(IovHostIommu *iommu, struct iov_exec *exec, uint16_t requester,
                                uint32_t pasid);

/* Does it remap interrupts, and can it post them? */
bool iov_host_iommu_remaps(const IovHostIommu *iommu);
bool iov_host_iommu_posts(const IovHostIommu *iommu);
/* A table entry for messages; false if all are taken. Slow plane. */
bool iov_host_iommu_entry_alloc(IovHostIommu *iommu, unsigned *ret_index);
/*
 * Rewrites an entry and makes the unit forget the old one: one write of the queue's tail, and a
 * wait. `exec` does it and pays. False if the unit did not answer.
 */
bool iov_host_iommu_entry_write(IovHostIommu *iommu, struct iov_exec *exec, unsigned index,
                                uint64_t low, uint64_t high);

#endif
