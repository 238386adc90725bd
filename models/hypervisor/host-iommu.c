/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-iommu - the host kernel's driver of a VT-d unit, for devices that guests own.
 *
 * A guest's memory is pinned and mapped once, in pages of `page-size`, at device addresses that are
 * its guest-physical ones: root, context and paging entries are bytes in host memory (from `tables`
 * on), written when the device's owner is made. When the run starts the unit is programmed. From
 * then on only interrupt entries change: each change is a descriptor in the invalidation queue with
 * a wait behind it, one write of the tail, and polling of the status.
 *
 * With `scalable` the tables are those of scalable mode: each function has a PASID directory, a
 * whole function that is given away is its PASID 0 (RID_PASID), and parts of a function get PASIDs
 * of their own, which are the machine's; descriptors have 256 bits.
 *
 * A fault is an interrupt of processor `fault-cpu`: its handler reads the records and clears them,
 * one after the other, as the real one does before it writes to its log. SPEC:
 * VT-d 3.4, 5.1, 6.5.2, 7.3, 9.2 to 9.6, 10.4. LIMIT: programming the unit at the start takes no
 * time; nothing is unmapped; a function that faults is not taken from its guest.
 */
#include "models/hypervisor/host-iommu.h"

#include <inttypes.h>

#include "models/iommu/vtd-regs.h"

#define PAGE UINT64_C(4096)
#define LARGE_PAGE (UINT64_C(2) << 20)
#define ENTRIES 512u
#define PASIDS (128u * VTD_SM_TABLE_ENTRIES) /* the smallest directory */
#define REMAP_ENTRIES 256u
#define REMAP_SIZE_FIELD 7u /* 2 to the power of this plus 1 */
#define STATUS_DONE 2u
#define TRIES 100000u

struct domain {
    iov_hpa memory;
    uint64_t size;
    iov_hpa table;
};

struct _IovHostIommu {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    uint64_t registers;
    uint64_t tables;
    uint64_t tables_size;
    uint64_t page_size;
    bool interrupt_remapping;
    bool interrupt_posting;
    bool fault_event;
    uint64_t fault_cpu;
    bool scalable;
    /* costs */
    iov_time entry_cost, fault_cost;
    /* ports */
    struct iov_mem_initiator bus;
    /* state */
    IovLinuxHost *host;
    uint64_t used; /* bytes of tables */
    iov_hpa root, queue, status, entries;
    unsigned levels;
    bool remaps, posts;
    struct iov_host_irq fault_irq;
    uint8_t fault_vector;
    unsigned records;       /* of the unit */
    uint32_t record_offset; /* of the first */
    uint32_t tail;          /* of the queue */
    bool locked;
    unsigned next_entry;
    uint32_t next_pasid;
    GArray *domains; /* struct domain; number 1 is the first */
    /* statistics */
    uint64_t mapped_bytes, pasids, entry_writes, waits, polls, failures, fault_interrupts, faults,
        fault_overflows;
};

G_DEFINE_FINAL_TYPE(IovHostIommu, iov_host_iommu, IOV_TYPE_MODEL)

/* ---- Memory and registers, without time ---- */

static bool access_memory(IovHostIommu *self, iov_hpa address, void *data, uint32_t size,
                          bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    return (write ? iov_mem_write_req(&self->bus, &req) : iov_mem_read_req(&self->bus, &req)) ==
           IOV_STATUS_OK;
}

static uint64_t get(IovHostIommu *self, iov_hpa address, uint32_t size)
{
    uint64_t value = 0;

    access_memory(self, address, &value, size, false);
    return value;
}

static void put(IovHostIommu *self, iov_hpa address, uint32_t size, uint64_t value)
{
    access_memory(self, address, &value, size, true);
}

/* A zeroed page for a table; 0 if there is no room. */
static iov_hpa table_new(IovHostIommu *self)
{
    uint64_t zeros[ENTRIES] = { 0 };
    iov_hpa table = self->tables + self->used;

    if (self->tables_size - self->used < PAGE ||
        !access_memory(self, table, zeros, sizeof zeros, true))
        return 0;
    self->used += PAGE;
    return table;
}

/* ---- Domains ---- */

static unsigned level_shift(unsigned level)
{
    return 3 + 9 * level;
}

/* Fills one table of `level` with what lies at `address` of the domain; its page, or 0. */
static iov_hpa table_fill(IovHostIommu *self, const struct domain *domain, uint64_t address,
                          unsigned level)
{
    unsigned page_level = self->page_size == PAGE ? 1 : 2;
    uint64_t words[ENTRIES] = { 0 };
    iov_hpa table = table_new(self);

    for (unsigned i = 0; i < ENTRIES && table != 0 && address < domain->size; i++) {
        if (level > page_level) {
            words[i] = table_fill(self, domain, address, level - 1);
            if (words[i] == 0)
                return 0;
            words[i] |= VTD_PAGE_RW;
        } else {
            words[i] = (domain->memory + address) | VTD_PAGE_RW | (level > 1 ? VTD_PAGE_SUPER : 0);
        }
        address += UINT64_C(1) << level_shift(level);
    }
    if (table == 0 || !access_memory(self, table, words, sizeof words, true))
        return 0;
    return table;
}

static unsigned domain_find(IovHostIommu *self, iov_hpa memory, uint64_t size)
{
    struct domain domain = { .memory = memory, .size = size };

    for (unsigned i = 0; i < self->domains->len; i++) {
        const struct domain *other = &g_array_index(self->domains, struct domain, i);

        if (other->memory == memory && other->size == size)
            return i + 1;
    }
    domain.table = table_fill(self, &domain, 0, self->levels);
    if (domain.table == 0)
        return 0;
    self->mapped_bytes += size;
    g_array_append_val(self->domains, domain);
    return self->domains->len;
}

/* The page that an entry leads to, which is made if there is none; 0 if there is no room. */
static iov_hpa page_behind(IovHostIommu *self, iov_hpa entry, uint64_t bits)
{
    iov_hpa page = get(self, entry, 8) & ~(PAGE - 1);

    if (page == 0) {
        page = table_new(self);
        if (page != 0)
            put(self, entry, 8, page | bits);
    }
    return page;
}

/* Of a function in legacy mode. */
static iov_hpa context_find(IovHostIommu *self, uint16_t requester)
{
    iov_hpa contexts = page_behind(self, self->root + 16u * (requester >> 8), VTD_ROOT_P);

    return contexts == 0 ? 0 : contexts + 16u * (requester & 0xff);
}

/* The entry of a PASID of a function, in scalable mode; 0 if there is no room. */
static iov_hpa pasid_find(IovHostIommu *self, uint16_t requester, uint32_t pasid)
{
    iov_hpa half = self->root + 16u * (requester >> 8) + (requester & 0x80 ? 8u : 0);
    iov_hpa contexts = page_behind(self, half, VTD_ROOT_P), directory, table;

    if (contexts == 0)
        return 0;
    directory = page_behind(self, contexts + (requester & 0x7fu) * VTD_SM_CONTEXT_SIZE,
                            VTD_SM_CONTEXT_PASIDE | VTD_SM_ENTRY_P);
    if (directory == 0)
        return 0;
    table = page_behind(self, directory + 8 * (pasid / VTD_SM_TABLE_ENTRIES), VTD_SM_ENTRY_P);
    return table == 0 ? 0 : table + pasid % VTD_SM_TABLE_ENTRIES * VTD_SM_PASID_SIZE;
}

bool iov_host_iommu_attach_pasid(IovHostIommu *self, uint16_t requester, uint32_t pasid,
                                 iov_hpa memory, uint64_t size, GError **error)
{
    IovModel *model = &self->parent_instance;
    iov_hpa entry, table;
    unsigned number;

    if (!iov_model_realize(model, error))
        return false;
    if ((memory | size) & (self->page_size - 1))
        return iov_model_fail(model, error,
                              "page-size: memory at %#" PRIx64 " is not aligned to it", memory);
    number = domain_find(self, memory, size);
    entry = self->scalable ? pasid_find(self, requester, pasid) : context_find(self, requester);
    if (number == 0 || entry == 0)
        return iov_model_fail(model, error, "tables-size: the tables do not fit");
    if (get(self, entry, 8) & VTD_CONTEXT_P)
        return iov_model_fail(model, error, "function %04x has two owners", requester);
    table = g_array_index(self->domains, struct domain, number - 1).table;
    put(self, entry + 8, 8,
        self->scalable ? number : vtd_context_high((uint16_t)number, self->levels));
    put(self, entry, 8,
        self->scalable ? vtd_pasid_second(table, self->levels) : table | VTD_CONTEXT_P);
    return true;
}

bool iov_host_iommu_attach(IovHostIommu *self, uint16_t requester, iov_hpa memory, uint64_t size,
                           GError **error)
{
    return iov_host_iommu_attach_pasid(self, requester, 0, memory, size, error);
}

bool iov_host_iommu_pasid_alloc(IovHostIommu *self, uint32_t *ret_pasid, GError **error)
{
    IovModel *model = &self->parent_instance;

    if (!iov_model_realize(model, error))
        return false;
    if (!self->scalable)
        return iov_model_fail(model, error, "scalable: PASIDs need it");
    if (self->next_pasid == PASIDS)
        return iov_model_fail(model, error, "all PASIDs are taken");
    *ret_pasid = ++self->next_pasid;
    self->pasids++;
    return true;
}

/* ---- Interrupt entries ---- */

bool iov_host_iommu_remaps(const IovHostIommu *self)
{
    return self->remaps;
}

bool iov_host_iommu_posts(const IovHostIommu *self)
{
    return self->posts;
}

bool iov_host_iommu_entry_alloc(IovHostIommu *self, unsigned *ret_index)
{
    if (self->next_entry == REMAP_ENTRIES)
        return false;
    *ret_index = self->next_entry++;
    return true;
}

static unsigned descriptor_size(const IovHostIommu *self)
{
    return self->scalable ? 32 : 16;
}

static void descriptor_put(IovHostIommu *self, struct iov_exec *exec, uint64_t low, uint64_t high)
{
    const uint64_t words[4] = { low, high };
    unsigned size = descriptor_size(self);

    iov_exec_put(exec, self->queue + self->tail * size, words, size);
    self->tail = (self->tail + 1) % ((unsigned)PAGE / size);
}

/* `count` descriptors and a wait, with interrupts off, as under the real one's lock. */
static bool submit(IovHostIommu *self, struct iov_exec *exec, const uint64_t (*words)[2],
                   unsigned count)
{
    bool interrupts = exec->interrupts;
    uint32_t status = 0;
    iov_hpa place;

    exec->interrupts = false;
    while (self->locked)
        iov_exec_do(exec, IOV_OP_PAUSE);
    self->locked = true;
    for (unsigned i = 0; i < count; i++)
        descriptor_put(self, exec, words[i][0], words[i][1]);
    place = self->status + self->tail * sizeof status;
    iov_exec_put(exec, place, &status, sizeof status);
    descriptor_put(self, exec, vtd_inv_wait(STATUS_DONE), place);
    self->waits++;
    iov_exec_store(exec, self->registers + VTD_IQT, 4, self->tail * descriptor_size(self));
    for (unsigned i = 0; i < TRIES; i++) {
        iov_exec_get(exec, place, &status, sizeof status);
        if (status == STATUS_DONE ||
            iov_exec_load(exec, self->registers + VTD_FSTS, 4) & VTD_FSTS_IQE)
            break;
        self->polls++;
        iov_exec_do(exec, IOV_OP_PAUSE);
    }
    self->locked = false;
    exec->interrupts = interrupts;
    if (interrupts)
        exec->processor->ops->boundary(exec);
    self->failures += status != STATUS_DONE;
    return status == STATUS_DONE;
}

/* SPEC: VT-d 5.1.5: both halves change together; the present bit of an entry in use is never
 * cleared. */
bool iov_host_iommu_entry_write(IovHostIommu *self, struct iov_exec *exec, unsigned index,
                                uint64_t low, uint64_t high)
{
    const uint64_t words[2] = { low, high };

    self->entry_writes++;
    iov_exec_compute(exec, self->entry_cost, IOV_PART_HOST);
    iov_exec_put(exec, self->entries + index * sizeof words, words, sizeof words);
    return submit(self, exec, &(const uint64_t[2]){ vtd_inv_entry(index), 0 }, 1);
}

bool iov_host_iommu_flush_pasid(IovHostIommu *self, struct iov_exec *exec, uint16_t requester,
                                uint32_t pasid)
{
    iov_hpa entry = pasid_find(self, requester, pasid);
    uint16_t domain = (uint16_t)get(self, entry + 8, 8);
    const uint64_t words[][2] = {
        { vtd_inv_pasid_cache(VTD_PASID_CACHE_SELECTIVE, domain, pasid), 0 },
        { vtd_inv_pasid_iotlb(VTD_GRANULARITY_DOMAIN, domain, pasid), 0 },
    };

    return submit(self, exec, words, G_N_ELEMENTS(words));
}

/* ---- Faults ---- */

static uint32_t unit_read(const IovHostIommu *self, struct iov_exec *exec, uint32_t offset)
{
    return (uint32_t)iov_exec_load(exec, self->registers + offset, 4);
}

static void fault_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovHostIommu *self = iov_container_of(irq, IovHostIommu, fault_irq);
    uint32_t status = unit_read(self, exec, VTD_FSTS);
    unsigned index = status >> VTD_FSTS_FRI_SHIFT & 0xff;

    (void)span;
    self->fault_interrupts++;
    for (unsigned i = 0; status & VTD_FSTS_PPF && i < self->records; i++) {
        uint32_t record = self->record_offset + 16 * ((index + i) % self->records);

        if (!(unit_read(self, exec, record + 12) & (uint32_t)(VTD_FRCD_F >> 32)))
            break;
        self->faults++;
        unit_read(self, exec, record + 8); /* source, reason and address, for the log */
        iov_exec_load(exec, self->registers + record, 8);
        iov_exec_compute(exec, self->fault_cost, IOV_PART_HOST);
        iov_exec_store(exec, self->registers + record + 12, 4, VTD_FRCD_F >> 32);
    }
    self->fault_overflows += status & VTD_FSTS_PFO;
    iov_exec_store(exec, self->registers + VTD_FSTS, 4, VTD_FSTS_PFO);
}

/* ---- Life ---- */

static bool iov_host_iommu_realize(IovModel *model, GError **error)
{
    IovHostIommu *self = (IovHostIommu *)(void *)model;
    uint64_t cap, ecap;

    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (self->page_size != PAGE && self->page_size != LARGE_PAGE)
        return iov_model_fail(model, error, "page-size is 4KiB or 2MiB");
    if (self->bus.peer == NULL)
        return iov_model_fail(model, error, "port 'bus' must be wired");
    cap = get(self, self->registers + VTD_CAP, 8);
    ecap = get(self, self->registers + VTD_ECAP, 8);
    if (cap == UINT64_MAX || !(ecap & VTD_ECAP_QI) ||
        !(cap & (VTD_CAP_SAGAW_39 | VTD_CAP_SAGAW_48)))
        return iov_model_fail(model, error, "registers: there is no remapping unit at %#" PRIx64,
                              self->registers);
    if (self->scalable && (~ecap & (VTD_ECAP_SMTS | VTD_ECAP_PASID)) != 0)
        return iov_model_fail(model, error,
                              "scalable: the remapping unit has no scalable mode with PASIDs");
    self->levels = cap & VTD_CAP_SAGAW_48 ? 4 : 3;
    self->remaps = self->interrupt_remapping && ecap & VTD_ECAP_IR;
    self->posts = self->remaps && self->interrupt_posting && cap & VTD_CAP_PI;
    self->records = (unsigned)(cap >> VTD_CAP_NFR_SHIFT & 0xff) + 1;
    self->record_offset = (uint32_t)(cap >> VTD_CAP_FRO_SHIFT & 0x3ff) * 16;
    self->fault_irq.handle = fault_handle;
    if (!iov_model_realize(self->host_ref, error))
        return false;
    if (self->fault_cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "fault-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (!iov_host_irq_alloc(self->host, (unsigned)self->fault_cpu, &self->fault_irq,
                            &self->fault_vector))
        return iov_model_fail(model, error, "the host has no vector left for faults");
    self->root = table_new(self);
    self->queue = table_new(self);
    self->status = table_new(self);
    self->entries = table_new(self);
    if (self->entries == 0)
        return iov_model_fail(model, error, "tables, tables-size: no memory for the tables");
    return true;
}

static void command(IovHostIommu *self, uint32_t bit)
{
    put(self, self->registers + VTD_GCMD, 4,
        (get(self, self->registers + VTD_GSTS, 4) & ~(uint64_t)(VTD_G_SRTP | VTD_G_SIRTP)) | bit);
}

static void queue_add(IovHostIommu *self, uint64_t low, uint64_t high)
{
    iov_hpa at = self->queue + self->tail * descriptor_size(self);

    put(self, at, 8, low);
    put(self, at + 8, 8, high);
    self->tail++;
}

/* In the order of the manual: queue, interrupts, translation; the unit forgets what it may hold. */
static void iov_host_iommu_start(IovModel *model)
{
    IovHostIommu *self = (IovHostIommu *)(void *)model;

    put(self, self->registers + VTD_IQT, 8, 0);
    put(self, self->registers + VTD_IQA, 8, self->queue | (self->scalable ? VTD_IQA_DW : 0));
    command(self, VTD_G_QIE);
    put(self, self->registers + VTD_RTADDR, 8,
        self->root | (self->scalable ? VTD_RTADDR_SCALABLE : 0));
    command(self, VTD_G_SRTP);
    queue_add(self, VTD_INV_CONTEXT | VTD_GRANULARITY_GLOBAL << VTD_INV_GRANULARITY_SHIFT, 0);
    if (self->scalable)
        queue_add(self, vtd_inv_pasid_cache(VTD_PASID_CACHE_GLOBAL, 0, 0), 0);
    queue_add(self, vtd_inv_iotlb(VTD_GRANULARITY_GLOBAL, 0), 0);
    if (self->remaps) {
        put(self, self->registers + VTD_IRTA, 8, self->entries | REMAP_SIZE_FIELD);
        command(self, VTD_G_SIRTP);
        queue_add(self, VTD_INV_IEC, 0);
        command(self, VTD_G_IRE);
    }
    queue_add(self, vtd_inv_wait(STATUS_DONE), self->status);
    put(self, self->registers + VTD_IQT, 4, self->tail * descriptor_size(self));
    command(self, VTD_G_TE);
    if (!self->fault_event)
        return;
    put(self, self->registers + VTD_FEDATA, 4, self->fault_vector);
    put(self, self->registers + VTD_FEADDR, 4,
        MSI_BASE | iov_host_processor(self->host, (unsigned)self->fault_cpu)->apic_id
                       << MSI_ADDRESS_DESTINATION_SHIFT);
    put(self, self->registers + VTD_FECTL, 4, 0);
}

static void iov_host_iommu_finalize(GObject *object)
{
    IovHostIommu *self = (IovHostIommu *)(void *)object;

    g_array_unref(self->domains);
    G_OBJECT_CLASS(iov_host_iommu_parent_class)->finalize(object);
}

static void iov_host_iommu_class_init(IovHostIommuClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "host-iommu", "The host's driver of a VT-d unit");
    IOV_PROP_REF(mc, IovHostIommu, host_ref, "linux-host", true,
                 "The host kernel that it belongs to");
    IOV_PROP_COUNT(mc, IovHostIommu, registers, 0, UINT64_MAX, VTD_BASE,
                   "Host address of the unit's registers");
    IOV_PROP_COUNT(mc, IovHostIommu, tables, 0, UINT64_MAX, 0xb0000000,
                   "Host memory for tables and queue");
    IOV_PROP_SIZE(mc, IovHostIommu, tables_size, 0x4000, UINT64_C(1) << 32, 32 << 20,
                  "And how much of it");
    IOV_PROP_SIZE(mc, IovHostIommu, page_size, PAGE, LARGE_PAGE, LARGE_PAGE,
                  "Of the mappings: 4KiB or 2MiB");
    IOV_PROP_BOOL(mc, IovHostIommu, interrupt_remapping, true, "Remap interrupts, if the unit can");
    IOV_PROP_BOOL(mc, IovHostIommu, interrupt_posting, true, "Post them, if the unit can");
    IOV_PROP_BOOL(mc, IovHostIommu, fault_event, true,
                  "Faults interrupt the host; off: they stay in their records");
    IOV_PROP_COUNT(mc, IovHostIommu, fault_cpu, 0, 63, 0,
                   "Host processor that takes fault interrupts");
    IOV_PROP_BOOL(mc, IovHostIommu, scalable, false,
                  "Tables of scalable mode: parts of a function get PASIDs");
    IOV_COST(mc, IovHostIommu, fault_cost, "host-iommu-fault", "Logging one fault");
    IOV_COST(mc, IovHostIommu, entry_cost, "host-iommu-entry",
             "Changing an interrupt entry, its invalidation apart");
    IOV_PORT_MEM_INITIATOR(mc, IovHostIommu, bus, "Host memory and the unit's registers");
    IOV_STAT_BYTES(mc, IovHostIommu, mapped_bytes, "Memory mapped for devices");
    IOV_STAT(mc, IovHostIommu, pasids, "PASIDs given away");
    IOV_STAT(mc, IovHostIommu, entry_writes, "Interrupt entries written");
    IOV_STAT(mc, IovHostIommu, waits, "Batches of invalidations: writes of the queue's tail");
    IOV_STAT(mc, IovHostIommu, polls, "Looks at the status that came too early");
    IOV_STAT(mc, IovHostIommu, failures, "Batches that the unit did not do");
    IOV_STAT(mc, IovHostIommu, fault_interrupts, "Fault interrupts handled");
    IOV_STAT(mc, IovHostIommu, faults, "Faults logged");
    IOV_STAT(mc, IovHostIommu, fault_overflows, "Times that records had run out");
    mc->realize = iov_host_iommu_realize;
    mc->start = iov_host_iommu_start;
    G_OBJECT_CLASS(klass)->finalize = iov_host_iommu_finalize;
}

static void iov_host_iommu_init(IovHostIommu *self)
{
    self->domains = g_array_new(FALSE, FALSE, sizeof(struct domain));
}
