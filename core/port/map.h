/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address map: windows of an address space, each answered by a mem target. Look-ups remember the
 * last two windows, so a register access costs a compare and a call. Windows are added while wiring
 * (`at:` in a wire); they do not overlap.
 */
#ifndef IOV_PORT_MAP_H
#define IOV_PORT_MAP_H

#include <stdbool.h>

#include "core/port/mem.h"

IOV_BEGIN_DECLS

struct iov_mem_window {
    uint64_t base;
    uint64_t size;
    struct iov_mem_target *target;
};

/* Sorted by base. Initialise with zeros; free with iov_mem_map_clear(). */
struct iov_mem_map {
    struct iov_mem_window *windows;
    unsigned count;
    unsigned capacity;
    const struct iov_mem_window *last;
    const struct iov_mem_window *before; /* the one that was last before */
};

/* Adds a window; false if it is empty, wraps, or overlaps another (nothing is changed then). */
IOV_API bool iov_mem_map_add(struct iov_mem_map *map, uint64_t base, uint64_t size,
                             struct iov_mem_target *target);
IOV_API void iov_mem_map_clear(struct iov_mem_map *map);
/* The window that holds `address`, or NULL. */
IOV_API const struct iov_mem_window *iov_mem_map_search(struct iov_mem_map *map, uint64_t address);

static inline const struct iov_mem_window *iov_mem_map_find(struct iov_mem_map *map,
                                                            uint64_t address)
{
    const struct iov_mem_window *window = map->last;

    if (window != NULL && address - window->base < window->size)
        return window;
    return iov_mem_map_search(map, address);
}

/*
 * Sends an access on to the window that holds all of it; the address becomes relative to the window
 * during the call. An access to nobody, or across the end of a window, is UNSUPPORTED.
 */
static inline enum iov_status iov_mem_map_access(struct iov_mem_map *map, struct iov_mem_req *req,
                                                 bool write)
{
    const struct iov_mem_window *window = iov_mem_map_find(map, req->address);
    uint64_t address = req->address;
    enum iov_status status;

    if (window == NULL || req->size > window->size - (address - window->base))
        return IOV_STATUS_UNSUPPORTED;
    req->address = address - window->base;
    status = write ? window->target->ops->write(window->target, req)
                   : window->target->ops->read(window->target, req);
    req->address = address;
    return status;
}

IOV_END_DECLS

#endif
