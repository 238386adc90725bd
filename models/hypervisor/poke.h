/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that take no time: how the host's drivers of cards set them up before guests start. */
#ifndef IOV_HYPERVISOR_POKE_H
#define IOV_HYPERVISOR_POKE_H

#include "core/port/mem.h"

/* A register of `size` bytes; where nobody answers nothing happens. */
static inline void poke(struct iov_mem_initiator *port, uint64_t address, uint32_t size,
                        uint64_t value)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    (void)iov_mem_write_req(port, &req);
}

#endif
