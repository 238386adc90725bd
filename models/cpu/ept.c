/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended page tables and the cache of translations.
 *
 * The walk reads four levels of entries from simulated memory (SDM vol. 3C, 29.3) and tells a
 * violation (nothing there, or not permitted) from a misconfiguration (something there that may not
 * be). Cached translations carry the number of a context, which stands for (VPID, EPTP);
 * invalidating a context gives it a new number, so INVEPT and INVVPID cost nothing per entry.
 *
 * LIMIT: accessed and dirty flags, page-modification logging, mode-based execution control, five
 * levels. Pages of 2 MiB and 1 GiB are cached in pieces of 4 KiB. The guest's own paging is not
 * modelled: a linear address only names a cached piece.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

/* ---- The walk ---- */

/* SPEC: 29.3.3.1: what makes a present entry a misconfiguration. `level` 3 is the PML4. */
static bool misconfigured(uint64_t entry, unsigned level, bool leaf)
{
    static const uint64_t reserved_table[] = { 0, 0x78, 0x78,
                                               0xf8 }; /* of entries that point to a table */
    uint64_t type = entry >> IOV_EPT_TYPE_SHIFT & 7;

    if ((entry & IOV_EPT_RWX) == IOV_EPT_WRITE ||
        (entry & IOV_EPT_RWX) == (IOV_EPT_WRITE | IOV_EPT_EXECUTE))
        return true;
    if (entry & ~PHYSICAL_ADDRESS_MASK & ((UINT64_C(1) << 52) - 1))
        return true;
    if (!leaf)
        return entry & reserved_table[level];
    if (type == 2 || type == 3 || type == 7)
        return true;
    return entry & ((UINT64_C(1) << (12 + 9 * level)) - 1) & ~PAGE_MASK;
}

/* SPEC: 29.4.1: paging-structure caches: the levels above need not be read again until they are
 * invalidated. LIMIT: a walk counts and costs its steps as if they were. */
static struct iov_tlb_table *table_slot(IovCpu *self, uint64_t region)
{
    return &self->tables[(region ^ self->context) % TLB_TABLES];
}

static struct iov_tlb_table *table_find(IovCpu *self, iov_gpa address)
{
    struct iov_tlb_table *table = table_slot(self, address >> 30);

    if (table->context != self->context || table->region != address >> 30 || table->entries == NULL)
        return NULL;
    if (table->doubtful) {
        for (unsigned i = 0; i < 2; i++) {
            if (table->above[i] == NULL ||
                memcmp(table->above[i], &table->entry[i], sizeof table->entry[i]) != 0)
                return NULL;
        }
        table->doubtful = false;
    }
    return table;
}

/* `above`: where the entries of the two levels above are. */
static void table_keep(IovCpu *self, iov_gpa address, iov_hpa entries, uint64_t rights,
                       const iov_hpa above[2])
{
    struct iov_tlb_table *table = table_slot(self, address >> 30);

    *table = (struct iov_tlb_table){ .region = address >> 30,
                                     .entries = iov_cpu_pointer(self, entries),
                                     .rights = rights,
                                     .context = self->context };
    for (unsigned i = 0; i < 2; i++) {
        table->above[i] = iov_cpu_pointer(self, above[i]);
        if (table->above[i] != NULL)
            memcpy(&table->entry[i], table->above[i], sizeof table->entry[i]);
    }
}

/* SPEC: 29.4.3.1: a violation invalidates what would be used for its address: the next walk reads
 * all levels again, or sees that they are the same. */
static enum iov_ept_outcome violation(IovCpu *self, iov_gpa address)
{
    struct iov_tlb_table *table = table_slot(self, address >> 30);

    if (table->region == address >> 30)
        table->doubtful = true;
    return IOV_EPT_VIOLATION;
}

enum iov_ept_outcome iov_ept_walk(IovCpu *self, uint64_t eptp, iov_gpa address, uint32_t access,
                                  struct iov_ept_result *ret_result)
{
    iov_hpa table = eptp & PHYSICAL_ADDRESS_MASK & ~PAGE_MASK;
    uint64_t rights = IOV_EPT_RWX;
    iov_hpa above[2] = { 0 };
    struct iov_tlb_table *known = table_find(self, address);
    unsigned level = 3;
    uint64_t entry;

    *ret_result = (struct iov_ept_result){ .steps = 0 };
    if (address >> 48 != 0)
        return IOV_EPT_VIOLATION;
    if (known != NULL) {
        memcpy(&entry, known->entries + (address >> 21 & 511) * 8, sizeof entry);
        if (!(entry & IOV_EPT_RWX)) { /* as where devices are that the monitor emulates */
            ret_result->steps = 3;
            known->doubtful = true;
            return IOV_EPT_VIOLATION;
        }
        ret_result->steps = 2;
        rights = known->rights;
        level = 1;
    }
    for (;; level--) {
        unsigned shift = 12 + 9 * level;
        uint64_t place = (address >> shift & 511) * 8;
        bool leaf;

        if (known == NULL)
            entry = iov_cpu_read64(self, table + place);
        if (level >= 2)
            above[level - 2] = table + place;
        known = NULL;
        leaf = level == 0 || ((level == 1 || level == 2) && entry & IOV_EPT_LARGE);
        ret_result->steps++;
        if (!(entry & IOV_EPT_RWX)) {
            ret_result->rights = 0;
            return violation(self, address);
        }
        if (misconfigured(entry, level, leaf))
            return IOV_EPT_MISCONFIGURED;
        rights &= entry;
        if (leaf) {
            uint64_t offset_mask = (UINT64_C(1) << shift) - 1;

            ret_result->rights = (uint32_t)rights;
            ret_result->shift = shift;
            ret_result->page =
                ((entry & PHYSICAL_ADDRESS_MASK & ~offset_mask) | (address & offset_mask)) &
                ~PAGE_MASK;
            return (rights & access) == access ? IOV_EPT_MAPPED : violation(self, address);
        }
        table = entry & PHYSICAL_ADDRESS_MASK & ~PAGE_MASK;
        if (level == 2)
            table_keep(self, address, table, rights, above);
    }
}

/* SPEC: 27.2.1.1: memory type, length of walk, reserved bits. */
bool iov_ept_pointer_valid(uint64_t eptp)
{
    uint64_t type = eptp & IOV_EPTP_TYPE;

    return (type == 0 || type == 6) && (eptp & 0x38) == IOV_EPTP_WALK_4 && !(eptp & 0xfc0) &&
           !(eptp & ~PHYSICAL_ADDRESS_MASK);
}

/* ---- Cached translations ---- */

static uint32_t new_number(IovCpu *self)
{
    if (++self->next_context == 0) {
        /* Numbers have run out after 2^32 invalidations: everything goes. */
        for (uint32_t i = 0; i < self->tlb_sets; i++)
            memset(self->tlb[i].context, 0, sizeof self->tlb[i].context);
        for (unsigned i = 0; i < TLB_CONTEXTS; i++)
            self->contexts[i].number = 0;
        for (unsigned i = 0; i < TLB_TABLES; i++)
            self->tables[i].entries = NULL;
        self->next_context = TLB_ROOT_CONTEXT + 1;
    }
    return self->next_context;
}

/* Its place is by its VPID, or behind; there are no gaps. If none is left, whoever has the place
 * gives way. */
static struct iov_tlb_context *context_find(IovCpu *self, uint16_t vpid, uint64_t eptp)
{
    struct iov_tlb_context *context;

    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        context = &self->contexts[(vpid + i) % TLB_CONTEXTS];
        if (context->number == 0)
            break;
        if (context->vpid == vpid && context->eptp == eptp)
            return context;
    }
    if (context->number != 0)
        context = &self->contexts[vpid % TLB_CONTEXTS];
    *context = (struct iov_tlb_context){ .eptp = eptp, .vpid = vpid };
    context->number = new_number(self);
    return context;
}

uint32_t iov_tlb_context(IovCpu *self, uint16_t vpid, uint64_t eptp)
{
    const struct iov_tlb_context *last = self->last_context;

    if (last == NULL || last->eptp != eptp || last->vpid != vpid || last->number == 0)
        last = self->last_context = context_find(self, vpid, eptp);
    return last->number;
}

void iov_tlb_renew_context(IovCpu *self, uint16_t vpid, uint64_t eptp)
{
    context_find(self, vpid, eptp)->number = new_number(self);
}

void iov_tlb_flush_eptp(IovCpu *self, uint64_t eptp, bool all)
{
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct iov_tlb_context *context = &self->contexts[i];

        if (context->number != 0 && (all || context->eptp == eptp))
            context->number = new_number(self);
    }
}

void iov_tlb_flush_vpid(IovCpu *self, uint16_t vpid, bool all)
{
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        struct iov_tlb_context *context = &self->contexts[i];

        if (context->number != 0 && (all ? context->vpid != 0 : context->vpid == vpid))
            context->number = new_number(self);
    }
}

void iov_tlb_flush_linear(IovCpu *self, uint16_t vpid, uint64_t linear)
{
    for (unsigned i = 0; i < TLB_CONTEXTS; i++) {
        const struct iov_tlb_context *context = &self->contexts[i];

        if (context->number == 0 || context->vpid != vpid)
            continue;
        for (uint32_t k = 0; k < self->tlb_sets * TLB_WAYS; k++) {
            uint32_t *number = &self->tlb[k / TLB_WAYS].context[k % TLB_WAYS];

            if (self->tlb_linear[k] == linear >> 12 && *number == context->number)
                *number = 0;
        }
    }
}
