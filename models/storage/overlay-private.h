/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a disk image: a file below, pages in memory above it. With copy-on-write all writes
 * stay in the pages; without, they go into the file. A disk without a file is all pages. Sparse: a
 * page that was never written, or was written with zeros as a whole, takes no memory.
 */
#ifndef IOV_STORAGE_OVERLAY_PRIVATE_H
#define IOV_STORAGE_OVERLAY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#define IOV_OVERLAY_PAGE 4096u
#define IOV_OVERLAY_LEAF 512u /* pages */

struct iov_overlay {
    int file;           /* descriptor, or -1 */
    uint64_t file_size; /* how much of the file counts; behind it are zeros */
    bool copy_on_write;
    uint64_t size;
    uint8_t ***leaves; /* each IOV_OVERLAY_LEAF pages; NULL: nothing above the file */
    uint64_t leaf_count;
    uint64_t pages; /* with memory of their own */
};

/* `file` may be -1; the overlay owns it from now on. */
void iov_overlay_init(struct iov_overlay *overlay, int file, uint64_t file_size, bool copy_on_write,
                      uint64_t size);
void iov_overlay_clear(struct iov_overlay *overlay);
/* [offset, offset + size) lies inside the disk. False: the host could not read or write the
 * file. */
bool iov_overlay_read(struct iov_overlay *overlay, uint64_t offset, void *data, uint64_t size);
bool iov_overlay_write(struct iov_overlay *overlay, uint64_t offset, const void *data,
                       uint64_t size);
bool iov_overlay_zero(struct iov_overlay *overlay, uint64_t offset, uint64_t size);
/* What is cut off reads as zeros if the disk grows again. False: the file cannot have that size. */
bool iov_overlay_resize(struct iov_overlay *overlay, uint64_t size);

#endif
