/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of the ISA time have 8-bit registers at I/O ports: an access of any size is a row of
 * byte accesses at rising ports, as the bus bridge makes of it, lowest first. A tool's look
 * (IOV_MEM_DEBUG) is refused: reading has side effects in most of them.
 */
#ifndef IOV_LEGACY_PORTS_PRIVATE_H
#define IOV_LEGACY_PORTS_PRIVATE_H

#include "core/port/mem.h"

/* One byte register; `port` is below the target's size. */
typedef uint8_t iov_port_read_fn(void *device, unsigned port);
typedef void iov_port_write_fn(void *device, unsigned port, uint8_t value);

static inline enum iov_status iov_ports_read(const struct iov_mem_target *target,
                                             struct iov_mem_req *req, iov_port_read_fn *read,
                                             void *device)
{
    uint8_t *data = req->data;

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t port = req->address + i;

        data[i] = port < target->size ? read(device, (unsigned)port) : 0xff;
    }
    return IOV_STATUS_OK;
}

static inline enum iov_status iov_ports_write(const struct iov_mem_target *target,
                                              struct iov_mem_req *req, iov_port_write_fn *write,
                                              void *device)
{
    const uint8_t *data = req->data;

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t port = req->address + i;

        if (port < target->size)
            write(device, (unsigned)port, data[i]);
    }
    return IOV_STATUS_OK;
}

#endif
