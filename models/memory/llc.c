/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llc - the last-level cache as DMA sees it, in front of memory.
 *
 * A DMA write puts its lines into the cache (direct cache access, DDIO), but only into `dma-ways`
 * of each set; a DMA read that finds all its lines takes the cost llc-hit instead of the memory's
 * time, one that misses takes both and allocates nothing. Only tags are kept, and only of the ways
 * that DMA may fill: the bytes are the memory's. LIMIT: the processors' accesses do not pass here
 * and change nothing; writing back takes no time.
 */
#include "core/object/model.h"

#define LINE_SHIFT 6
#define WAYS_MAX 64u

#define IOV_TYPE_LLC (iov_llc_get_type())
G_DECLARE_FINAL_TYPE(IovLlc, iov_llc, IOV, LLC, IovModel)

struct _IovLlc {
    IovModel parent_instance;
    uint64_t size, ways, dma_ways; /* properties */
    iov_time hit;                  /* cost */
    struct iov_mem_target port;    /* port */
    struct iov_mem_initiator bus;  /* port */
    uint64_t *lines; /* sets × dma-ways, most recently used first; line number + 1, 0: empty */
    uint64_t sets;
    uint64_t hits, misses, allocations; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovLlc, iov_llc, IOV_TYPE_MODEL)

/* Finds a line in its set and makes it the most recently used one. */
static bool line_find(IovLlc *self, uint64_t line)
{
    uint64_t *set = &self->lines[line % self->sets * self->dma_ways];

    for (unsigned way = 0; way < self->dma_ways; way++) {
        if (set[way] != line + 1)
            continue;
        memmove(&set[1], &set[0], way * sizeof *set);
        set[0] = line + 1;
        return true;
    }
    return false;
}

static void line_allocate(IovLlc *self, uint64_t line)
{
    uint64_t *set = &self->lines[line % self->sets * self->dma_ways];

    if (self->dma_ways == 0)
        return;
    memmove(&set[1], &set[0], (self->dma_ways - 1) * sizeof *set);
    set[0] = line + 1;
    self->allocations++;
}

static enum iov_status port_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovLlc *self = iov_container_of(port, IovLlc, port);
    uint64_t last = (req->address + MAX(req->size, 1) - 1) >> LINE_SHIFT;
    iov_time begin = req->delay;
    enum iov_status status = iov_mem_read_req(&self->bus, req);
    bool found = true;

    if (req->flags & IOV_MEM_DEBUG)
        return status;
    for (uint64_t line = req->address >> LINE_SHIFT; line <= last; line++) {
        bool here = line_find(self, line);

        self->hits += here;
        self->misses += !here;
        found &= here;
    }
    req->delay = (found ? begin : req->delay) + self->hit;
    return status;
}

static enum iov_status port_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovLlc *self = iov_container_of(port, IovLlc, port);
    uint64_t last = (req->address + MAX(req->size, 1) - 1) >> LINE_SHIFT;
    enum iov_status status = iov_mem_write_req(&self->bus, req);

    if (status != IOV_STATUS_OK || req->flags & (IOV_MEM_DEBUG | IOV_MEM_INTERRUPT))
        return status;
    for (uint64_t line = req->address >> LINE_SHIFT; line <= last; line++) {
        if (!line_find(self, line))
            line_allocate(self, line);
    }
    return status;
}

static uint8_t *port_direct(struct iov_mem_target *port, uint64_t address, uint64_t *ret_size)
{
    struct iov_mem_target *memory = iov_container_of(port, IovLlc, port)->bus.peer;

    return memory != NULL && memory->ops->direct != NULL
               ? memory->ops->direct(memory, address, ret_size)
               : NULL;
}

static const struct iov_mem_target_ops port_ops = { .read = port_read,
                                                    .write = port_write,
                                                    .direct = port_direct };

static bool iov_llc_realize(IovModel *model, GError **error)
{
    IovLlc *self = (IovLlc *)(void *)model;

    if (self->dma_ways > self->ways)
        return iov_model_fail(model, error, "dma-ways: there are only %" G_GUINT64_FORMAT " ways",
                              self->ways);
    self->sets = self->size / self->ways >> LINE_SHIFT;
    if (self->sets == 0)
        return iov_model_fail(model, error, "size: less than a line for each way");
    self->lines = g_new0(uint64_t, self->sets * self->dma_ways);
    return true;
}

static void iov_llc_unrealize(IovModel *model)
{
    g_clear_pointer(&((IovLlc *)(void *)model)->lines, g_free);
}

static void iov_llc_class_init(IovLlcClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "llc", "The last-level cache as DMA sees it");
    IOV_PROP_SIZE(mc, IovLlc, size, 4096, 1 << 30, 15 << 20, "Of the whole cache");
    IOV_PROP_COUNT(mc, IovLlc, ways, 1, WAYS_MAX, 20, "Ways of a set");
    IOV_PROP_COUNT(mc, IovLlc, dma_ways, 0, WAYS_MAX, 2, "Of these, ways that DMA may fill");
    IOV_COST(mc, IovLlc, hit, "llc-hit", "Looking a DMA read up");
    IOV_PORT_MEM_TARGET(mc, IovLlc, port, &port_ops, "DMA, translated");
    IOV_PORT_MEM_INITIATOR(mc, IovLlc, bus, "Towards memory");
    IOV_STAT(mc, IovLlc, hits, "Lines of DMA reads found");
    IOV_STAT(mc, IovLlc, misses, "Lines of DMA reads not found");
    IOV_STAT(mc, IovLlc, allocations, "Lines that DMA writes brought in");
    mc->realize = iov_llc_realize;
    mc->unrealize = iov_llc_unrealize;
}

static void iov_llc_init(IovLlc *self)
{
    (void)self;
}
