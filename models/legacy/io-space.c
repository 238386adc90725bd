/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io-space - the I/O address space of a PC: 64 Ki ports, windows of devices, the rest to PCI.
 *
 * An access of one byte looks among `bytes` first: ports inside somebody else's window that only
 * such an access finds, as reset control at 0xCF9. An access that lies in one window goes there
 * whole; one that touches no window goes whole to `beyond`, which is the PCI host bridge. Anything
 * else is cut into bytes, as an 8-bit bus does it. A port that nobody answers reads as ones and
 * takes what is written. Nothing takes time here.
 */
#include "core/object/model.h"

#define IO_SPACE_SIZE 0x10000u

#define IOV_TYPE_IO_SPACE (iov_io_space_get_type())
G_DECLARE_FINAL_TYPE(IovIoSpace, iov_io_space, IOV, IO_SPACE, IovModel)

struct _IovIoSpace {
    IovModel parent_instance;
    struct iov_mem_map windows;      /* port */
    struct iov_mem_map bytes;        /* port */
    struct iov_mem_target port;      /* port */
    struct iov_mem_initiator beyond; /* port */
    uint64_t unclaimed;              /* statistic */
};

G_DEFINE_FINAL_TYPE(IovIoSpace, iov_io_space, IOV_TYPE_MODEL)

static bool touches_window(const IovIoSpace *self, const struct iov_mem_req *req)
{
    for (unsigned i = 0; i < self->windows.count; i++) {
        const struct iov_mem_window *window = &self->windows.windows[i];

        if (req->address < window->base + window->size && window->base < req->address + req->size)
            return true;
    }
    return false;
}

static enum iov_status send_beyond(IovIoSpace *self, struct iov_mem_req *req, bool write)
{
    const struct iov_mem_target_ops *ops =
        self->beyond.peer != NULL ? self->beyond.peer->ops : NULL;
    enum iov_status status = IOV_STATUS_UNSUPPORTED;

    if (ops != NULL)
        status = write ? ops->write(self->beyond.peer, req) : ops->read(self->beyond.peer, req);
    if (status == IOV_STATUS_OK)
        return status;
    if (!(req->flags & IOV_MEM_DEBUG))
        self->unclaimed++;
    if (!write)
        memset(req->data, 0xff, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status byte_access(IovIoSpace *self, struct iov_mem_req *req, bool write)
{
    enum iov_status status = IOV_STATUS_UNSUPPORTED;

    if (iov_mem_map_find(&self->windows, req->address) == NULL)
        return send_beyond(self, req, write);
    status = iov_mem_map_access(&self->windows, req, write);
    if (status != IOV_STATUS_OK && !write)
        memset(req->data, 0xff, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status space_access(IovIoSpace *self, struct iov_mem_req *req, bool write)
{
    const struct iov_mem_window *window;

    if (req->address >= IO_SPACE_SIZE || req->size > IO_SPACE_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (req->size == 1 && iov_mem_map_find(&self->bytes, req->address) != NULL)
        return iov_mem_map_access(&self->bytes, req, write);
    window = iov_mem_map_find(&self->windows, req->address);
    if (window != NULL && req->size <= window->size - (req->address - window->base))
        return byte_access(self, req, write);
    if (!touches_window(self, req))
        return send_beyond(self, req, write);
    for (uint32_t i = 0; i < req->size; i++) {
        struct iov_mem_req byte = *req;

        byte.address += i;
        byte.data = (uint8_t *)req->data + i;
        byte.size = 1;
        byte_access(self, &byte, write);
        req->delay = byte.delay;
    }
    return IOV_STATUS_OK;
}

static enum iov_status space_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return space_access(iov_container_of(port, IovIoSpace, port), req, false);
}

static enum iov_status space_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return space_access(iov_container_of(port, IovIoSpace, port), req, true);
}

static const struct iov_mem_target_ops space_ops = { .read = space_read, .write = space_write };

static void iov_io_space_class_init(IovIoSpaceClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "io-space", "The I/O ports of a PC");
    IOV_PORT_MEM_WINDOWS(mc, IovIoSpace, windows,
                         "Devices at fixed ports: the wire's `at` is the first port");
    IOV_PORT_MEM_WINDOWS(mc, IovIoSpace, bytes,
                         "Ports that an access of one byte finds before it looks at windows");
    IOV_PORT_MEM_TARGET(mc, IovIoSpace, port, &space_ops, "All ports");
    IOV_PORT_MEM_INITIATOR(mc, IovIoSpace, beyond, "What no window claims: the PCI host bridge");
    IOV_STAT(mc, IovIoSpace, unclaimed, "Accesses that nobody claimed");
}

static void iov_io_space_init(IovIoSpace *self)
{
    self->port.size = IO_SPACE_SIZE;
}
