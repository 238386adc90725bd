/* SPDX-License-Identifier: Apache-2.0 */
/* The emulator process, as the monitor sees it. */
#ifndef IOV_HYPERVISOR_EMULATOR_H
#define IOV_HYPERVISOR_EMULATOR_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_EMULATOR (iov_emulator_get_type())
G_DECLARE_FINAL_TYPE(IovEmulator, iov_emulator, IOV, EMULATOR, IovModel)

/* Is `target` a register window of an emulator? */
bool iov_emulator_owns(const struct iov_mem_target *target);
/* The process that answers such a target. */
const void *iov_emulator_process(const struct iov_mem_target *target);
/*
 * An access that came to user space on `thread`: takes the big lock, does the access, plays what
 * the device did about it. On the thread's fiber; waits. `owed`: what the way here took and is not
 * charged yet.
 */
void iov_emulator_access(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req, bool write, iov_time owed);
/* The same for a write that was coalesced: no dispatch of its own. */
void iov_emulator_replay(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req);
/* Does user space let writes of `size` bytes at `offset` wait for its next turn? */
bool iov_emulator_coalesces(const struct iov_mem_target *target, uint64_t offset, uint32_t size);
/* Name of the window's region in the statistics. */
const char *iov_emulator_region(const struct iov_mem_target *target);

#endif
