/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a device's request through the unit: translated page by page, passed on, or blocked;
 * interrupt messages go to vtd-interrupt.c. */
#include "models/iommu/vtd-private.h"

static enum iov_status forward(IovVtd *self, struct iov_mem_req *req, bool write)
{
    return write ? iov_mem_write_req(&self->bus, req) : iov_mem_read_req(&self->bus, req);
}

/* SPEC: 3.15: with a PASID an address in the interrupt range is one like any other, as far as it is
 * translated. */
static bool is_interrupt(const IovVtd *self, const struct iov_mem_req *req)
{
    return req->address - MSI_BASE < MSI_SIZE &&
           (req->pasid == IOV_NO_PASID || !(self->gsts & VTD_G_TE));
}

/* One piece that one translation covers; in `ret_size` how long it is. */
static enum iov_status piece_move(IovVtd *self, struct iov_mem_req *req, bool write,
                                  uint32_t *ret_size)
{
    struct vtd_translation to;

    *ret_size = req->size;
    if (is_interrupt(self, req)) {
        *ret_size = (uint32_t)MIN(req->size, MSI_BASE + MSI_SIZE - req->address);
        return IOV_STATUS_UNSUPPORTED;
    }
    if (!vtd_translate(self, req, write, &to)) {
        *ret_size = MIN(req->size, 0x1000u - (uint32_t)(req->address & 0xfff));
        return IOV_STATUS_FAULT;
    }
    if (req->address < MSI_BASE)
        to.left = MIN(to.left, MSI_BASE - req->address);
    req->size = (uint32_t)MIN(req->size, MAX(to.left, 1));
    *ret_size = req->size;
    req->address = to.address;
    req->delay += to.delay;
    req->translation += to.delay;
    return forward(self, req, write);
}

/* A request that no single page covers: each piece stands for itself, as in requests that a link
 * has cut at pages. */
static enum iov_status pieces_move(IovVtd *self, struct iov_mem_req *req, bool write)
{
    enum iov_status result = IOV_STATUS_OK;
    struct iov_mem_req whole = *req;

    for (uint32_t done = 0, size; done < whole.size; done += size) {
        struct iov_mem_req piece = whole;
        enum iov_status status;

        piece.address = whole.address + done;
        piece.data = (uint8_t *)whole.data + done;
        piece.size = whole.size - done;
        if (done > 0)
            piece.flags &= (uint16_t)~IOV_MEM_PAYLOAD;
        status = piece_move(self, &piece, write, &size);
        if (status != IOV_STATUS_OK && !write)
            memset((uint8_t *)whole.data + done, 0xff, size);
        if (result == IOV_STATUS_OK)
            result = status;
        if (done == 0)
            req->span = piece.span;
        req->delay = MAX(req->delay, piece.delay);
        req->translation = MAX(req->translation, piece.translation);
        req->arrival = MAX(req->arrival, piece.arrival);
    }
    return result;
}

static enum iov_status request_translate(IovVtd *self, struct iov_mem_req *req, bool write)
{
    uint64_t address = req->address;
    struct vtd_translation to;
    enum iov_status status;

    if (G_UNLIKELY((address & 0xfff) + req->size > 0x1000))
        return pieces_move(self, req, write);
    self->walker = NULL;
    if (!vtd_translate(self, req, write, &to))
        return IOV_STATUS_FAULT;
    if (req->size == 0)
        return IOV_STATUS_OK;
    req->address = to.address;
    req->delay += to.delay;
    req->translation += to.delay;
    status = forward(self, req, write);
    req->address = address;
    if (self->reads_hold_walkers && !write && self->walker != NULL)
        *self->walker = iov_now(self->parent_instance.kernel) + req->delay;
    return status;
}

static enum iov_status request_move(IovVtd *self, struct iov_mem_req *req, bool write)
{
    bool debug = req->flags & IOV_MEM_DEBUG;
    iov_time before = req->translation;
    enum iov_status status;

    if (is_interrupt(self, req))
        return write && !debug ? vtd_interrupt(self, req) : IOV_STATUS_UNSUPPORTED;
    if (debug)
        return self->gsts & VTD_G_TE ? request_translate(self, req, write)
                                     : forward(self, req, write);
    self->requests++;
    if (!(self->gsts & VTD_G_TE)) {
        self->bypassed++;
        return forward(self, req, write);
    }
    status = request_translate(self, req, write);
    self->translation_time += req->translation - before;
    return status;
}

static enum iov_status upstream_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return request_move(iov_container_of(port, IovVtd, upstream), req, false);
}

static enum iov_status upstream_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return request_move(iov_container_of(port, IovVtd, upstream), req, true);
}

const struct iov_mem_target_ops vtd_upstream_ops = { .read = upstream_read,
                                                     .write = upstream_write };
