/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a disk image: see the header. Pages are allocated when they are first written, which is
 * the only allocation that a disk makes during a run; a run that writes what it wrote before
 * allocates nothing.
 */
#include "models/storage/overlay-private.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

static uint8_t zero_page[IOV_OVERLAY_PAGE]; /* never written: stands for a page of zeros */

static uint64_t leaves_of(uint64_t size)
{
    uint64_t leaf = (uint64_t)IOV_OVERLAY_PAGE * IOV_OVERLAY_LEAF;

    return size / leaf + (size % leaf != 0);
}

void iov_overlay_init(struct iov_overlay *overlay, int file, uint64_t file_size, bool copy_on_write,
                      uint64_t size)
{
    *overlay = (struct iov_overlay){
        .file = file,
        .file_size = MIN(file_size, size),
        .copy_on_write = copy_on_write || file < 0,
        .size = size,
    };
    if (overlay->copy_on_write) {
        overlay->leaf_count = leaves_of(size);
        overlay->leaves = g_new0(uint8_t **, overlay->leaf_count);
    }
}

static void page_free(struct iov_overlay *overlay, uint8_t *page)
{
    if (page == NULL || page == zero_page)
        return;
    g_free(page);
    overlay->pages--;
}

static void leaf_free(struct iov_overlay *overlay, uint64_t leaf)
{
    if (overlay->leaves[leaf] == NULL)
        return;
    for (unsigned i = 0; i < IOV_OVERLAY_LEAF; i++)
        page_free(overlay, overlay->leaves[leaf][i]);
    g_clear_pointer(&overlay->leaves[leaf], g_free);
}

void iov_overlay_clear(struct iov_overlay *overlay)
{
    for (uint64_t i = 0; i < overlay->leaf_count; i++)
        leaf_free(overlay, i);
    g_clear_pointer(&overlay->leaves, g_free);
    overlay->leaf_count = 0;
    if (overlay->file >= 0)
        close(overlay->file);
    overlay->file = -1;
}

/* ---- The file ---- */

static bool file_read(const struct iov_overlay *overlay, uint64_t offset, uint8_t *data,
                      uint64_t size)
{
    while (size > 0) {
        uint64_t left = offset < overlay->file_size ? overlay->file_size - offset : 0;
        ssize_t got = 0;

        if (left > 0 && overlay->file >= 0)
            got = pread(overlay->file, data, MIN(size, left), (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0) { /* behind the end */
            memset(data, 0, size);
            return true;
        }
        data += got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

static bool file_write(struct iov_overlay *overlay, uint64_t offset, const uint8_t *data,
                       uint64_t size)
{
    while (size > 0) {
        ssize_t put = pwrite(overlay->file, data, size, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        data += put;
        offset += (uint64_t)put;
        size -= (uint64_t)put;
        overlay->file_size = MAX(overlay->file_size, offset);
    }
    return true;
}

/* ---- Pages ---- */

static uint8_t **page_at(struct iov_overlay *overlay, uint64_t offset, bool make)
{
    uint64_t page = offset / IOV_OVERLAY_PAGE;
    uint8_t ***leaf = &overlay->leaves[page / IOV_OVERLAY_LEAF];

    if (*leaf == NULL) {
        if (!make)
            return NULL;
        *leaf = g_new0(uint8_t *, IOV_OVERLAY_LEAF);
    }
    return &(*leaf)[page % IOV_OVERLAY_LEAF];
}

/* How much of `size` bytes at `offset` lies in one page. */
static uint32_t part_of(uint64_t offset, uint64_t size)
{
    uint32_t left = IOV_OVERLAY_PAGE - (uint32_t)(offset % IOV_OVERLAY_PAGE);

    return size < left ? (uint32_t)size : left;
}

/* The page at `offset` with memory of its own; its old bytes are in it unless all of it will be
 * written. */
static uint8_t *own_page(struct iov_overlay *overlay, uint64_t offset, bool whole)
{
    uint8_t **page = page_at(overlay, offset, true);
    uint8_t *fresh;

    if (*page != NULL && *page != zero_page)
        return *page;
    fresh = g_malloc(IOV_OVERLAY_PAGE);
    if (*page == zero_page)
        memset(fresh, 0, IOV_OVERLAY_PAGE);
    else if (!whole &&
             !file_read(overlay, offset - offset % IOV_OVERLAY_PAGE, fresh, IOV_OVERLAY_PAGE)) {
        g_free(fresh);
        return NULL;
    }
    overlay->pages++;
    *page = fresh;
    return fresh;
}

bool iov_overlay_read(struct iov_overlay *overlay, uint64_t offset, void *data, uint64_t size)
{
    uint8_t *to = data;

    if (!overlay->copy_on_write)
        return file_read(overlay, offset, data, size);
    while (size > 0) {
        uint32_t part = part_of(offset, size);
        uint8_t **page = page_at(overlay, offset, false);

        if (page != NULL && *page != NULL)
            memcpy(to, *page + offset % IOV_OVERLAY_PAGE, part);
        else if (!file_read(overlay, offset, to, part))
            return false;
        to += part;
        offset += part;
        size -= part;
    }
    return true;
}

bool iov_overlay_write(struct iov_overlay *overlay, uint64_t offset, const void *data,
                       uint64_t size)
{
    const uint8_t *from = data;

    if (!overlay->copy_on_write)
        return file_write(overlay, offset, data, size);
    while (size > 0) {
        uint32_t part = part_of(offset, size);
        uint8_t *page = own_page(overlay, offset, part == IOV_OVERLAY_PAGE);

        if (page == NULL)
            return false;
        memcpy(page + offset % IOV_OVERLAY_PAGE, from, part);
        from += part;
        offset += part;
        size -= part;
    }
    return true;
}

bool iov_overlay_zero(struct iov_overlay *overlay, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        uint32_t part = part_of(offset, size);

        if (!overlay->copy_on_write) {
            if (!file_write(overlay, offset, zero_page, part))
                return false;
        } else if (part == IOV_OVERLAY_PAGE) {
            uint8_t **page = page_at(overlay, offset, true);

            page_free(overlay, *page);
            *page = zero_page;
        } else {
            uint8_t *page = own_page(overlay, offset, false);

            if (page == NULL)
                return false;
            memset(page + offset % IOV_OVERLAY_PAGE, 0, part);
        }
        offset += part;
        size -= part;
    }
    return true;
}

bool iov_overlay_resize(struct iov_overlay *overlay, uint64_t size)
{
    uint64_t leaves = leaves_of(size);
    uint64_t pages = size / IOV_OVERLAY_PAGE + (size % IOV_OVERLAY_PAGE != 0);

    if (!overlay->copy_on_write) {
        if (ftruncate(overlay->file, (off_t)size) != 0)
            return false;
        overlay->size = size;
        overlay->file_size = size;
        return true;
    }
    if (size < overlay->size && size % IOV_OVERLAY_PAGE != 0) { /* the end of the last page */
        uint8_t **page = page_at(overlay, size, false);
        uint32_t keep = (uint32_t)(size % IOV_OVERLAY_PAGE);

        if (page != NULL && *page != NULL && *page != zero_page)
            memset(*page + keep, 0, IOV_OVERLAY_PAGE - keep);
    }
    for (uint64_t i = pages; i < overlay->leaf_count * IOV_OVERLAY_LEAF; i++) {
        uint8_t **leaf = overlay->leaves[i / IOV_OVERLAY_LEAF];

        if (leaf == NULL) {
            i |= IOV_OVERLAY_LEAF - 1;
            continue;
        }
        page_free(overlay, leaf[i % IOV_OVERLAY_LEAF]);
        leaf[i % IOV_OVERLAY_LEAF] = NULL;
    }
    for (uint64_t i = leaves; i < overlay->leaf_count; i++)
        leaf_free(overlay, i);
    overlay->leaves = g_renew(uint8_t **, overlay->leaves, leaves);
    for (uint64_t i = overlay->leaf_count; i < leaves; i++)
        overlay->leaves[i] = NULL;
    overlay->leaf_count = leaves;
    overlay->size = size;
    overlay->file_size = MIN(overlay->file_size, size);
    return true;
}
