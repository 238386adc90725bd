/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - an address space: windows, each answered by the target that is wired to it.
 *
 * The host-physical address space of a machine is one: DRAM, the windows of root ports, the IOAPIC,
 * interrupt messages. The bus takes no time of its own; a hop that does (link, root complex) is a
 * part of its own. An access to no window, or across the end of one, goes to whoever is wired to
 * `rest` at its full address (a root complex, as on PCs), else it is unsupported.
 */
#include "core/object/model.h"

#define IOV_TYPE_BUS (iov_bus_get_type())
G_DECLARE_FINAL_TYPE(IovBus, iov_bus, IOV, BUS, IovModel)

struct _IovBus {
    IovModel parent_instance;
    struct iov_mem_map windows;    /* port */
    struct iov_mem_target port;    /* port */
    struct iov_mem_initiator rest; /* port */
    uint64_t unclaimed;            /* statistic */
};

G_DEFINE_FINAL_TYPE(IovBus, iov_bus, IOV_TYPE_MODEL)

static inline enum iov_status bus_access(IovBus *self, struct iov_mem_req *req, bool write)
{
    const struct iov_mem_window *window = iov_mem_map_find(&self->windows, req->address);
    enum iov_status status;

    if (G_LIKELY(window != NULL && req->size <= window->size - (req->address - window->base)))
        status = iov_mem_map_access(&self->windows, req, write);
    else if (write)
        status = iov_mem_write_req(&self->rest, req);
    else
        status = iov_mem_read_req(&self->rest, req);
    if (G_UNLIKELY(status == IOV_STATUS_UNSUPPORTED) && !(req->flags & IOV_MEM_DEBUG))
        self->unclaimed++;
    return status;
}

static enum iov_status bus_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return bus_access(iov_container_of(port, IovBus, port), req, false);
}

static enum iov_status bus_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return bus_access(iov_container_of(port, IovBus, port), req, true);
}

static uint8_t *bus_direct(struct iov_mem_target *port, uint64_t address, uint64_t *ret_size)
{
    IovBus *self = iov_container_of(port, IovBus, port);
    const struct iov_mem_window *window = iov_mem_map_find(&self->windows, address);
    uint64_t size = 0;
    uint8_t *bytes;

    if (window == NULL || window->target->ops->direct == NULL)
        return NULL;
    bytes = window->target->ops->direct(window->target, address - window->base, &size);
    if (bytes == NULL)
        return NULL;
    *ret_size = MIN(size, window->size - (address - window->base));
    return bytes;
}

static const struct iov_mem_target_ops bus_ops = {
    .read = bus_read,
    .write = bus_write,
    .direct = bus_direct,
};

static void iov_bus_class_init(IovBusClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "bus", "An address space with windows");
    IOV_PORT_MEM_WINDOWS(mc, IovBus, windows,
                         "Who answers where: the wire's `at` is the base address");
    IOV_PORT_MEM_TARGET(mc, IovBus, port, &bus_ops, "The whole address space");
    IOV_PORT_MEM_INITIATOR(mc, IovBus, rest, "Who gets what no window claims, at its full address");
    IOV_STAT(mc, IovBus, unclaimed, "Accesses that nobody claimed");
}

static void iov_bus_init(IovBus *self)
{
    (void)self;
}
