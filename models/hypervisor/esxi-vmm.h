/* SPDX-License-Identifier: Apache-2.0 */
/* Device models inside a monolithic monitor (kind esxi-vmm), as the run loop of a VM sees them. */
#ifndef IOV_HYPERVISOR_ESXI_VMM_H
#define IOV_HYPERVISOR_ESXI_VMM_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_ESXI_VMM (iov_esxi_vmm_get_type())
G_DECLARE_FINAL_TYPE(IovEsxiVmm, iov_esxi_vmm, IOV, ESXI_VMM, IovModel)

/* Is `target` a register window of a device in the monitor? */
bool iov_esxi_vmm_owns(const struct iov_mem_target *target);
/* Name of the window's region in the statistics. */
const char *iov_esxi_vmm_region(const struct iov_mem_target *target);
/*
 * An access that exited on `thread`: does it and plays what the device did about it, without
 * leaving the monitor. On the thread's fiber; waits.
 */
void iov_esxi_vmm_access(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req, bool write);

#endif
