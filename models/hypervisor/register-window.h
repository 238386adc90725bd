/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register windows of a device that is software: a VM's accesses come in at one port, the
 * device's registers are behind another. Who owns them has `struct iov_register_window
 * windows[IOV_REGISTER_WINDOWS]` and decides whose thread does an access, and what it costs.
 */
#ifndef IOV_HYPERVISOR_REGISTER_WINDOW_H
#define IOV_HYPERVISOR_REGISTER_WINDOW_H

#include "core/object/model.h"

enum { IOV_REGISTER_WINDOWS = 4 }; /* three in memory, one of I/O ports */

struct iov_register_window {
    struct iov_mem_target target;    /* port: registers, registers-1, registers-2, io */
    struct iov_mem_initiator device; /* port: device, device-1, device-2, device-io */
    uint64_t size;                   /* property: size, size-1, size-2, size-io; bytes */
    void *owner;
};

/* The rows of the windows at `offset` of a model; `ops` are the owner's, by whom it knows them. */
void iov_register_windows_describe(IovModelClass *mc, size_t offset,
                                   const struct iov_mem_target_ops *ops);
/* From the owner's prepare(). */
void iov_register_windows_prepare(struct iov_register_window *windows, void *owner);

/* Ready for `ops`: an access that does not come from a vCPU's thread (a tool) goes straight to the
 * device. */
enum iov_status iov_register_window_read(struct iov_mem_target *port, struct iov_mem_req *req);
enum iov_status iov_register_window_write(struct iov_mem_target *port, struct iov_mem_req *req);

static inline const struct iov_register_window *iov_register_window_of(
    const struct iov_mem_target *target)
{
    return (const struct iov_register_window *)(const void *)((const char *)target -
                                                              offsetof(struct iov_register_window,
                                                                       target));
}

#endif
