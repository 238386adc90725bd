/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's driver of a VT-d unit, as Linux's: tables are bytes in guest memory, commands
 * go through the invalidation queue, each batch ends with a wait descriptor whose status is polled.
 *
 *   map      a free device address (the one given back last), leaf entries written
 *   unmap    entries cleared; strict: invalidate these pages, wait, give the address back
 *            deferred: into a list; full or old: one invalidation of the domain, all of them back
 *
 * The first look at the status is memory; while the unit works on, each further look also reads the
 * fault status register. A unit in software is done when the write of the tail returns, so a batch
 * is one access.
 * SPEC: VT-d 3.4 (tables), 6.5.2 (queued invalidation), 10.4 (registers). LIMIT: one device; no
 * fault handler, an access that faults is the unit's affair; device addresses end below 4 GiB and
 * are given back page by page.
 */
#include "models/guest/guest-iommu.h"
#include "models/guest/guest-private.h"
#include "models/iommu/vtd-regs.h"

#define PAGE 4096u
#define ENTRIES 512u
#define QUEUE_ENTRIES 256u /* a page of descriptors */
#define STATUS_DONE 2u
#define DOMAIN 1u
#define TOP \
    UINT64_C(0xfffff000) /* the highest page below 4 GiB: addresses are given from there down */
#define BOTTOM UINT64_C(0x80000000)
#define TRIES 100000u /* looks at a register before the unit counts as dead */
#define REMAP_ENTRIES 256u
#define REMAP_SIZE_FIELD 7u /* 2 to the power of this plus 1 */

struct iov_guest_iommu {
    IovLinuxGuest *guest;
    uint64_t registers;
    unsigned levels;
    bool extended;
    iov_gpa root, queue, status, interrupts;
    iov_gpa top_table;     /* second stage */
    iov_gpa leaf_table;    /* the one used last, and */
    uint64_t leaf_address; /* what it translates */
    uint32_t tail;         /* of the queue, in descriptors */
    bool locked;
    uint64_t next;    /* the lowest address that was given out */
    GArray *free;     /* addresses of pages, the last one goes first */
    GArray *deferred; /* those that are to be given back */
    bool flushing;    /* some processor does that with the first of them */
    unsigned remap_count;
};

static struct iov_guest_iommu *iommu_of(const struct iov_guest_cpu *cpu)
{
    return cpu->guest->iommu;
}

/* ---- Registers ---- */

static void count_access(struct iov_guest_cpu *cpu)
{
    cpu->guest->iommu_accesses++;
    cpu->guest->measure->counters.device_accesses++;
    cpu->guest->measure->counters.regions[cpu->guest->region_iommu].accesses++;
}

static uint64_t reg_read(struct iov_guest_cpu *cpu, uint32_t reg, uint32_t size)
{
    count_access(cpu);
    return iov_exec_load(cpu->exec, iommu_of(cpu)->registers + reg, size);
}

static void reg_write(struct iov_guest_cpu *cpu, uint32_t reg, uint32_t size, uint64_t value)
{
    count_access(cpu);
    iov_exec_store(cpu->exec, iommu_of(cpu)->registers + reg, size, value);
}

static bool status_wait(struct iov_guest_cpu *cpu, uint32_t bit)
{
    for (unsigned i = 0; i < TRIES; i++) {
        if (reg_read(cpu, VTD_GSTS, 4) & bit)
            return true;
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
    }
    return false;
}

/* One-shot bits of the status are left out of the command. */
static bool command(struct iov_guest_cpu *cpu, uint32_t bit)
{
    uint32_t status = (uint32_t)reg_read(cpu, VTD_GSTS, 4) & ~(uint32_t)(VTD_G_SRTP | VTD_G_SIRTP);

    reg_write(cpu, VTD_GCMD, 4, status | bit);
    return status_wait(cpu, bit);
}

/* ---- The invalidation queue ---- */

static void descriptor_put(struct iov_guest_cpu *cpu, uint64_t low, uint64_t high)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    const uint64_t words[2] = { low, high };

    iov_exec_put(cpu->exec, iommu->queue + iommu->tail * sizeof words, words, sizeof words);
    iommu->tail = (iommu->tail + 1) % QUEUE_ENTRIES;
}

/* A descriptor and a wait for it: one write of the tail. Interrupts are off meanwhile, as under
 * Linux's lock. */
static bool submit(struct iov_guest_cpu *cpu, uint64_t low, uint64_t high)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    bool interrupts = cpu->exec->interrupts;
    uint32_t status = 0;
    iov_gpa place;

    if (interrupts)
        iov_exec_do(cpu->exec, IOV_OP_CLI);
    while (iommu->locked)
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
    iommu->locked = true;
    descriptor_put(cpu, low, high);
    place = iommu->status + iommu->tail * sizeof status;
    iov_exec_put(cpu->exec, place, &status, sizeof status);
    descriptor_put(cpu, vtd_inv_wait(STATUS_DONE), place);
    cpu->guest->iommu_batches++;
    reg_write(cpu, VTD_IQT, 4, iommu->tail << 4);
    for (unsigned i = 0; i < TRIES; i++) {
        iov_exec_get(cpu->exec, place, &status, sizeof status);
        if (status == STATUS_DONE || reg_read(cpu, VTD_FSTS, 4) & VTD_FSTS_IQE)
            break;
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
    }
    iommu->locked = false;
    if (interrupts)
        iov_exec_do(cpu->exec, IOV_OP_STI);
    if (status != STATUS_DONE)
        cpu->guest->device_errors++;
    return status == STATUS_DONE;
}

/* ---- Tables ---- */

static iov_gpa table_new(struct iov_guest_cpu *cpu)
{
    static const uint8_t zeros[PAGE];
    iov_gpa table = iov_guest_allocate(cpu->guest, PAGE, PAGE);

    if (table != 0)
        iov_exec_put(cpu->exec, table, zeros, sizeof zeros);
    return table;
}

static unsigned index_at(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (3 + 9 * level)) & (ENTRIES - 1);
}

/* The leaf table of an address, made if it is missing; 0 without memory. */
static iov_gpa leaf_find(struct iov_guest_cpu *cpu, uint64_t address)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    iov_gpa table = iommu->top_table;

    if (iommu->leaf_table != 0 && iommu->leaf_address == address >> 21)
        return iommu->leaf_table;
    for (unsigned level = iommu->levels; level > 1; level--) {
        iov_gpa place = table + 8u * index_at(address, level);
        uint64_t entry = 0;

        iov_exec_get(cpu->exec, place, &entry, sizeof entry);
        if (!(entry & VTD_PAGE_RW)) {
            entry = table_new(cpu);
            if (entry == 0)
                return 0;
            entry |= VTD_PAGE_RW;
            iov_exec_put(cpu->exec, place, &entry, sizeof entry);
        }
        table = entry & ~(uint64_t)(PAGE - 1);
    }
    iommu->leaf_table = table;
    iommu->leaf_address = address >> 21;
    return table;
}

static bool entry_put(struct iov_guest_cpu *cpu, uint64_t address, uint64_t entry)
{
    iov_gpa table = leaf_find(cpu, address);

    if (table == 0)
        return false;
    iov_exec_put(cpu->exec, table + 8u * index_at(address, 1), &entry, sizeof entry);
    return true;
}

/* ---- Mapping ---- */

static uint64_t pages_of(uint64_t address, uint64_t size)
{
    return ((address & (PAGE - 1)) + size + PAGE - 1) / PAGE;
}

/* The first of `count` pages of device addresses; 0 if there are none left. */
static uint64_t address_take(struct iov_guest_iommu *iommu, uint64_t count)
{
    if (count == 1 && iommu->free->len > 0) {
        uint64_t page = g_array_index(iommu->free, uint64_t, iommu->free->len - 1);

        g_array_set_size(iommu->free, iommu->free->len - 1);
        return page;
    }
    if (iommu->next - BOTTOM < count * PAGE)
        return 0;
    iommu->next -= count * PAGE;
    return iommu->next;
}

static void address_give(struct iov_guest_iommu *iommu, uint64_t page)
{
    g_array_append_val(iommu->free, page);
}

bool iov_guest_dma_translates(const struct iov_guest_cpu *cpu)
{
    return cpu->guest->iommu_mode >= IOV_GUEST_IOMMU_STRICT;
}

static uint64_t map(struct iov_guest_cpu *cpu, iov_gpa memory, uint64_t size)
{
    uint64_t count = pages_of(memory, size);
    uint64_t address = address_take(iommu_of(cpu), count);

    if (address == 0)
        return UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        if (!entry_put(cpu, address + i * PAGE,
                       ((memory & ~(uint64_t)(PAGE - 1)) + i * PAGE) | VTD_PAGE_RW))
            return UINT64_MAX;
    }
    return address | (memory & (PAGE - 1));
}

uint64_t iov_guest_dma_map(struct iov_guest_cpu *cpu, iov_gpa buffer, uint32_t size)
{
    if (!iov_guest_dma_translates(cpu))
        return buffer;
    cpu->guest->dma_maps++;
    iov_guest_charge(cpu, cpu->guest->costs.dma_map);
    return map(cpu, buffer, size);
}

uint64_t iov_guest_dma_share(struct iov_guest_cpu *cpu, iov_gpa memory, uint64_t size)
{
    return iov_guest_dma_translates(cpu) ? map(cpu, memory, size) : memory;
}

static void flush_deferred(struct iov_guest_cpu *cpu)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    unsigned count = iommu->deferred->len;

    if (count == 0 || iommu->flushing)
        return;
    iommu->flushing = true;
    cpu->guest->iommu_flushes++;
    submit(cpu, vtd_inv_iotlb(VTD_GRANULARITY_DOMAIN, DOMAIN), 0);
    /* What came into the list meanwhile is not covered: it stays. */
    for (unsigned i = 0; i < count; i++)
        address_give(iommu, g_array_index(iommu->deferred, uint64_t, i));
    g_array_remove_range(iommu->deferred, 0, count);
    iommu->flushing = false;
    cpu->flush =
        iommu->deferred->len > 0 ? iov_guest_now(cpu) + cpu->guest->iommu_flush_time : IOV_TIME_MAX;
}

static void defer(struct iov_guest_cpu *cpu, uint64_t page)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);

    if (iommu->deferred->len == 0)
        cpu->flush = iov_guest_now(cpu) + cpu->guest->iommu_flush_time;
    g_array_append_val(iommu->deferred, page);
    if (iommu->deferred->len >= cpu->guest->iommu_flush_entries)
        flush_deferred(cpu);
}

void iov_guest_dma_timer(struct iov_guest_cpu *cpu)
{
    if (cpu->flush > iov_guest_now(cpu))
        return;
    cpu->flush = IOV_TIME_MAX;
    if (iommu_of(cpu) != NULL)
        flush_deferred(cpu);
}

void iov_guest_dma_unmap(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    uint64_t first = address & ~(uint64_t)(PAGE - 1);
    uint64_t count = pages_of(address, size);
    unsigned mask = 0;

    if (!iov_guest_dma_translates(cpu))
        return;
    cpu->guest->dma_unmaps++;
    iov_guest_charge(cpu, cpu->guest->costs.dma_unmap);
    for (uint64_t i = 0; i < count; i++)
        entry_put(cpu, first + i * PAGE, 0);
    if (cpu->guest->iommu_mode == IOV_GUEST_IOMMU_DEFERRED) {
        iov_guest_charge(cpu, cpu->guest->costs.dma_free); /* into the list instead */
        for (uint64_t i = 0; i < count; i++)
            defer(cpu, first + i * PAGE);
        return;
    }
    /* SPEC: 6.5.2.3: the mask covers an aligned power of two of pages. */
    while ((first & ~((UINT64_C(0x1000) << mask) - 1)) + (UINT64_C(0x1000) << mask) <
           first + count * PAGE)
        mask++;
    submit(cpu, vtd_inv_iotlb(VTD_GRANULARITY_SELECTIVE, DOMAIN), first | VTD_IVA_IH | mask);
    iov_guest_charge(cpu, cpu->guest->costs.dma_free);
    for (uint64_t i = 0; i < count; i++)
        address_give(iommu, first + i * PAGE);
}

/* ---- Interrupt remapping ---- */

bool iov_guest_remaps_interrupts(const struct iov_guest_cpu *cpu)
{
    return iommu_of(cpu) != NULL && iommu_of(cpu)->interrupts != 0;
}

unsigned iov_guest_remap_alloc(struct iov_guest_cpu *cpu)
{
    return iommu_of(cpu)->remap_count++ % REMAP_ENTRIES;
}

void iov_guest_remap_write(struct iov_guest_cpu *cpu, unsigned index, uint8_t vector,
                           uint32_t destination, bool logical, bool level, uint16_t source)
{
    const struct iov_guest_iommu *iommu = iommu_of(cpu);
    uint32_t field = iommu->extended ? destination : destination << 8;
    uint64_t words[2] = { vtd_irte_remapped(vector, field) | (logical ? VTD_IRTE_DM : 0) |
                              (level ? VTD_IRTE_TM : 0),
                          vtd_irte_source(source) };

    iov_exec_put(cpu->exec, iommu->interrupts + 16u * index, words, sizeof words);
    submit(cpu, vtd_inv_entry(index), 0);
}

static bool remapping_start(struct iov_guest_cpu *cpu)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    uint64_t ecap = reg_read(cpu, VTD_ECAP, 8);

    if (!(ecap & VTD_ECAP_IR))
        return false;
    iommu->extended = cpu->x2apic && ecap & VTD_ECAP_EIM;
    iommu->interrupts = table_new(cpu);
    if (iommu->interrupts == 0)
        return false;
    reg_write(cpu, VTD_IRTA, 8,
              iommu->interrupts | (iommu->extended ? VTD_IRTA_EIME : 0) | REMAP_SIZE_FIELD);
    return command(cpu, VTD_G_SIRTP) && submit(cpu, VTD_INV_IEC, 0) && command(cpu, VTD_G_IRE);
}

/* ---- Life ---- */

static bool queue_start(struct iov_guest_cpu *cpu)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);

    iommu->queue = table_new(cpu);
    iommu->status = table_new(cpu);
    if (iommu->queue == 0 || iommu->status == 0)
        return false;
    reg_write(cpu, VTD_IQT, 4, 0);
    reg_write(cpu, VTD_IQA, 8, iommu->queue);
    return command(cpu, VTD_G_QIE);
}

/* Root and context entry of the one device; in pass-through mode there are no paging tables. */
static bool tables_make(struct iov_guest_cpu *cpu)
{
    struct iov_guest_iommu *iommu = iommu_of(cpu);
    bool through = cpu->guest->iommu_mode == IOV_GUEST_IOMMU_PASS_THROUGH;
    uint16_t source = (uint16_t)cpu->guest->requester;
    iov_gpa contexts;
    uint64_t words[2] = { 0, 0 };

    iommu->root = table_new(cpu);
    contexts = table_new(cpu);
    iommu->top_table = through ? 0 : table_new(cpu);
    if (iommu->root == 0 || contexts == 0 || (!through && iommu->top_table == 0))
        return false;
    words[0] = contexts | VTD_ROOT_P;
    iov_exec_put(cpu->exec, iommu->root + 16u * (source >> 8), words, sizeof words);
    words[0] = iommu->top_table | VTD_CONTEXT_P |
               (uint64_t)(through ? VTD_TYPE_PASS_THROUGH : VTD_TYPE_UNTRANSLATED)
                   << VTD_CONTEXT_TYPE_SHIFT;
    words[1] = vtd_context_high(DOMAIN, iommu->levels);
    iov_exec_put(cpu->exec, contexts + 16u * (source & 0xff), words, sizeof words);
    return true;
}

bool iov_guest_iommu_boot(struct iov_guest_cpu *cpu)
{
    IovLinuxGuest *guest = cpu->guest;
    struct iov_guest_iommu *iommu;
    uint64_t cap;

    if (guest->iommu_mode == IOV_GUEST_IOMMU_NONE)
        return true;
    iommu = g_new0(struct iov_guest_iommu, 1);
    guest->iommu = iommu;
    iommu->guest = guest;
    iommu->registers = guest->iommu_registers;
    iommu->next = TOP + PAGE;
    iommu->free = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    iommu->deferred = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    if (reg_read(cpu, VTD_VER, 4) == UINT32_MAX)
        return false;
    cap = reg_read(cpu, VTD_CAP, 8);
    if (!(reg_read(cpu, VTD_ECAP, 8) & VTD_ECAP_QI) ||
        !(cap & (VTD_CAP_SAGAW_39 | VTD_CAP_SAGAW_48)))
        return false;
    iommu->levels = cap & VTD_CAP_SAGAW_48 ? 4 : 3;
    if (!queue_start(cpu) || (guest->interrupt_remapping && !remapping_start(cpu)) ||
        !tables_make(cpu))
        return false;
    reg_write(cpu, VTD_RTADDR, 8, iommu->root);
    return command(cpu, VTD_G_SRTP) &&
           submit(cpu, VTD_INV_CONTEXT | VTD_GRANULARITY_GLOBAL << VTD_INV_GRANULARITY_SHIFT, 0) &&
           submit(cpu, vtd_inv_iotlb(VTD_GRANULARITY_GLOBAL, 0), 0) && command(cpu, VTD_G_TE);
}

void iov_guest_iommu_free(struct iov_guest_iommu *iommu)
{
    if (iommu == NULL)
        return;
    g_array_unref(iommu->free);
    g_array_unref(iommu->deferred);
    g_free(iommu);
}
