/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block port: requests of a disk front to a disk back. The request is owned by the front and
 * embeds its completion; the back keeps it until it calls done(), later or within submit(). What
 * the back is (size, read-only) stands in its target; a front that sets `front` is told when the
 * size changes.
 */
#ifndef IOV_PORT_BLOCK_H
#define IOV_PORT_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/port/span.h"

enum iov_block_op {
    IOV_BLOCK_READ,
    IOV_BLOCK_WRITE,
    IOV_BLOCK_FLUSH,
    IOV_BLOCK_DISCARD, /* the bytes are not needed any more: what they read as later is the back's
                          choice */
    IOV_BLOCK_WRITE_ZEROES, /* no data: they read as zeros afterwards */
};
enum iov_block_status {
    IOV_BLOCK_OK,
    IOV_BLOCK_IO_ERROR,
    IOV_BLOCK_OUT_OF_RANGE,
    IOV_BLOCK_READ_ONLY
};

struct iov_block_req {
    enum iov_block_op op;
    enum iov_block_status status;
    uint64_t offset; /* bytes */
    uint64_t size;   /* bytes */
    void *data;
    struct iov_span *span;
    void (*done)(struct iov_block_req *req);
    struct iov_block_req *next; /* the back's, while it has the request */
};

struct iov_block_target;
struct iov_block_initiator;

struct iov_block_target_ops {
    void (*submit)(struct iov_block_target *target, struct iov_block_req *req);
    /* The front is going away: the back forgets the request, whose done() is not called. NULL: it
     * cannot. */
    void (*cancel)(struct iov_block_target *target, struct iov_block_req *req);
    /* The user gives the disk another size; false if it cannot have it. NULL: never. Not for
     * guests. */
    bool (*resize)(struct iov_block_target *target, uint64_t size);
};

struct iov_block_target {
    const struct iov_block_target_ops *ops;
    uint64_t size; /* bytes */
    bool read_only;
    struct iov_block_initiator *front; /* that wants to know; NULL: nobody */
};

struct iov_block_initiator_ops {
    /* The target has another size. */
    void (*resized)(struct iov_block_initiator *initiator);
};

struct iov_block_initiator {
    struct iov_block_target *peer;
    const struct iov_block_initiator_ops *ops; /* or NULL */
};

#endif
