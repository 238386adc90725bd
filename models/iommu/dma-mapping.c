/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dma-mapping - the host software of a measurement: before the run it maps one window of memory for
 * one device, address for address, by 4 KiB or 2 MiB pages, and switches translation on. Tables are
 * real bytes in memory, registers are written as a driver writes them. It takes no time: nothing is
 * measured yet.
 *
 * Layout from `tables`: root table, context table, then the second-stage tables from the top down.
 * SPEC: VT-d 3.3: 9.1, 9.3, 9.8, 10.4.
 */
#include "core/object/model.h"
#include "models/iommu/vtd-regs.h"

#define TABLE UINT64_C(4096)
#define PRESENT 1u
#define READ_WRITE 3u
#define SUPER_PAGE (1u << 7)

enum { PAGES_OFF, PAGES_4K, PAGES_2M };
static const char *const page_names[] = { "off", "4K", "2M", NULL };

#define IOV_TYPE_DMA_MAPPING (iov_dma_mapping_get_type())
G_DECLARE_FINAL_TYPE(IovDmaMapping, iov_dma_mapping, IOV, DMA_MAPPING, IovModel)

struct _IovDmaMapping {
    IovModel parent_instance;
    int pages;                              /* property */
    uint64_t base, size, requester, tables; /* properties */
    struct iov_mem_initiator memory;        /* port */
    struct iov_mem_initiator registers;     /* port */
    uint64_t next;                          /* table that is still free */
    uint64_t mapped;                        /* statistic */
};

G_DEFINE_FINAL_TYPE(IovDmaMapping, iov_dma_mapping, IOV_TYPE_MODEL)

static bool memory_access(struct iov_mem_initiator *port, uint64_t address, void *data,
                          uint32_t size, bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    return (write ? iov_mem_write_req(port, &req) : iov_mem_read_req(port, &req)) == IOV_STATUS_OK;
}

static bool entry_set(IovDmaMapping *self, uint64_t address, uint64_t entry)
{
    return memory_access(&self->memory, address, &entry, sizeof entry, true);
}

/* The table that entry `index` of `table` leads to; it is made if there is none. */
static bool table_below(IovDmaMapping *self, uint64_t *table, unsigned index)
{
    uint64_t entry;

    if (!memory_access(&self->memory, *table + 8u * index, &entry, sizeof entry, false))
        return false;
    if (entry == 0) {
        entry = self->next | READ_WRITE;
        self->next += TABLE;
        if (!entry_set(self, *table + 8u * index, entry))
            return false;
    }
    *table = entry & ~(TABLE - 1);
    return true;
}

static bool page_map(IovDmaMapping *self, uint64_t top, uint64_t address, unsigned leaf)
{
    uint64_t table = top;

    for (unsigned level = 4; level > leaf; level--) {
        if (!table_below(self, &table, address >> (3 + 9 * level) & 0x1ff))
            return false;
    }
    self->mapped++;
    return entry_set(self, table + 8 * (address >> (3 + 9 * leaf) & 0x1ff),
                     address | READ_WRITE | (leaf == 2 ? SUPER_PAGE : 0));
}

static bool register_write(IovDmaMapping *self, uint32_t offset, uint64_t value, uint32_t size)
{
    return memory_access(&self->registers, offset, &value, size, true);
}

static bool tables_make(IovDmaMapping *self, unsigned leaf)
{
    uint64_t root = self->tables, context = root + TABLE, top = context + TABLE;
    uint64_t page = UINT64_C(1) << (3 + 9 * leaf);
    uint64_t entry = context + (self->requester & 0xff) * 16;

    self->next = top + TABLE;
    if (!entry_set(self, root + (self->requester >> 8) * 16, context | PRESENT) ||
        !entry_set(self, entry, top | PRESENT) ||                     /* second stage */
        !entry_set(self, entry + 8, 2 | 1u << VTD_CONTEXT_DID_SHIFT)) /* 4 levels, domain 1 */
        return false;
    for (uint64_t at = self->base & ~(page - 1); at < self->base + self->size; at += page) {
        if (!page_map(self, top, at, leaf))
            return false;
    }
    return true;
}

static bool translation_on(IovDmaMapping *self)
{
    return register_write(self, VTD_RTADDR, self->tables, 8) &&
           register_write(self, VTD_GCMD, VTD_G_SRTP, 4) &&
           register_write(self, VTD_GCMD, VTD_G_TE, 4);
}

static void iov_dma_mapping_start(IovModel *model)
{
    IovDmaMapping *self = (IovDmaMapping *)(void *)model;

    if (self->pages == PAGES_OFF)
        return;
    if (!tables_make(self, self->pages == PAGES_4K ? 1 : 2) || !translation_on(self))
        iov_kernel_fail(model->kernel, "dma-mapping: no memory at `tables`, or no remapping unit");
}

static void iov_dma_mapping_class_init(IovDmaMappingClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "dma-mapping",
                             "Maps a window of memory for a device before the run");
    IOV_PROP_ENUM(mc, IovDmaMapping, pages, page_names, PAGES_OFF,
                  "Translation off, or the size of the pages");
    IOV_PROP_COUNT(mc, IovDmaMapping, base, 0, UINT64_MAX, 0, "Address of the window");
    IOV_PROP_SIZE(mc, IovDmaMapping, size, 4096, UINT64_C(1) << 40, 64 << 20, "Of the window");
    IOV_PROP_COUNT(mc, IovDmaMapping, requester, 0, UINT16_MAX, 0x0100,
                   "Requester ID of the device");
    IOV_PROP_COUNT(mc, IovDmaMapping, tables, 0, UINT64_MAX, 0x40000000,
                   "Where the tables go: at a multiple of 4 KiB");
    IOV_PORT_MEM_INITIATOR(mc, IovDmaMapping, memory, "To the host's memory");
    IOV_PORT_MEM_INITIATOR(mc, IovDmaMapping, registers, "To the remapping unit's registers");
    IOV_STAT(mc, IovDmaMapping, mapped, "Pages mapped");
    mc->start = iov_dma_mapping_start;
}

static void iov_dma_mapping_init(IovDmaMapping *self)
{
    (void)self;
}
