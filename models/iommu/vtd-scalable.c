/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalable mode of the VT-d model: from a request's function and PASID to its page tables.
 *
 *   root entry (a half) → context entry → PASID directory → PASID's entry
 *       → second stage | first stage | through
 *
 * A request without a PASID has the one that its context entry names (RID_PASID). Context entries
 * and PASIDs' entries are cached, the latter by function and PASID; second stages share IOTLB and
 * paging-structure caches with legacy mode, by domain; translations of first stages have a cache of
 * the IOTLB's size, by PASID, and each says whose domain it is.
 *
 * SPEC: VT-d 5.1, 3.4.3, 3.6, 6.2, 7.1.3, 9.2 to 9.7.
 * LIMIT: no nested translation; a first stage has four levels, no paging-structure cache, and
 * requests of users only (a request says nothing of privilege); no page requests, no host
 * permission tables, no memory types, no accessed and dirty bits of second stages; translated
 * requests carry no PASID.
 */
#include "models/iommu/vtd-private.h"

#define PASID_KEY_SHIFT 20 /* of the function, over the PASID */
#define FIRST_LEVELS 4u
#define FIRST_WIDTH 48u
#define FIRST_LEVEL_SHIFT 36
#define FIRST_PASID_SHIFT 39
#define FIRST_NUMBER ((1ull << FIRST_LEVEL_SHIFT) - 1)
#define FIRST_DOMAIN_SHIFT 16 /* in the line's `high`, over the dirty bit */

/* A request without a PASID is one with its context's. */
static uint32_t effective_pasid(const struct vtd_walk *walk, uint64_t context_high)
{
    return walk->req->pasid != IOV_NO_PASID ? walk->req->pasid
                                            : (uint32_t)(context_high & VTD_SM_CONTEXT_RID_PASID);
}

enum vtd_fault vtd_scalable_reason(enum vtd_fault legacy)
{
    switch (legacy) {
    case VTD_FAULT_CONTEXT_INVALID:
        return VTD_FAULT_SM_ROOT_PAGE;
    case VTD_FAULT_NEXT_TABLE:
        return VTD_FAULT_SM_NEXT_TABLE;
    case VTD_FAULT_PAGE_RESERVED:
        return VTD_FAULT_SM_PAGE_RESERVED;
    case VTD_FAULT_BEYOND_WIDTH:
        return VTD_FAULT_SM_BEYOND_WIDTH;
    case VTD_FAULT_WRITE:
        return VTD_FAULT_SM_WRITE;
    case VTD_FAULT_READ:
        return VTD_FAULT_SM_READ;
    case VTD_FAULT_INTERRUPT_RANGE:
        return VTD_FAULT_SM_INTERRUPT_RANGE;
    default:
        return legacy;
    }
}

/* ---- Context entry ---- */

static bool root_read(struct vtd_walk *walk, uint64_t *ret_contexts)
{
    const IovVtd *self = walk->self;
    uint16_t source = walk->req->requester;
    uint64_t half, table = self->root_table & self->address_mask & ~VTD_PAGE_OFFSET;

    if (!vtd_walk_read(walk, table + (source >> 8) * 16u + (source & 0x80 ? 8u : 0), &half, 1))
        return vtd_walk_fault(walk, VTD_FAULT_SM_ROOT_TABLE);
    if (!(half & VTD_ROOT_P))
        return vtd_walk_fault(walk, VTD_FAULT_SM_ROOT_ABSENT);
    if (half & (VTD_ROOT_RESERVED | ~self->address_mask))
        return vtd_walk_fault(walk, VTD_FAULT_SM_ROOT_RESERVED);
    *ret_contexts = half & ~VTD_PAGE_OFFSET;
    return true;
}

static uint64_t context_reserved(const IovVtd *self)
{
    return VTD_SM_CONTEXT_RESERVED | ~self->address_mask |
           (self->device_iotlb ? 0 : VTD_SM_CONTEXT_DTE) |
           (self->pasid_mode ? 0 : VTD_SM_CONTEXT_PASIDE);
}

static uint64_t pasids_of(uint64_t context_low)
{
    return UINT64_C(1) << ((context_low >> VTD_SM_CONTEXT_PDTS_SHIFT & 7) + 7 + 6);
}

static bool context_read(struct vtd_walk *walk, uint64_t *words)
{
    const IovVtd *self = walk->self;
    uint64_t contexts = 0;

    if (!root_read(walk, &contexts))
        return false;
    if (!vtd_walk_read(walk, contexts + (walk->req->requester & 0x7fu) * VTD_SM_CONTEXT_SIZE, words,
                       4))
        return vtd_walk_fault(walk, VTD_FAULT_SM_CONTEXT_TABLE);
    walk->silent = words[0] & VTD_SM_ENTRY_FPD;
    if (!(words[0] & VTD_SM_ENTRY_P))
        return vtd_walk_fault(walk, VTD_FAULT_SM_CONTEXT_ABSENT);
    if (words[0] & context_reserved(self) || words[2] != 0 || words[3] != 0 ||
        words[1] & ~(self->pasid_bits > 0 ? VTD_SM_CONTEXT_RID_PASID : 0))
        return vtd_walk_fault(walk, VTD_FAULT_SM_CONTEXT_RESERVED);
    if (words[1] >= pasids_of(words[0]))
        return vtd_walk_fault(walk, VTD_FAULT_SM_CONTEXT_INVALID);
    return true;
}

static bool context_find(struct vtd_walk *walk, uint64_t *words)
{
    IovVtd *self = walk->self;
    uint64_t key = VTD_KEY_VALID | walk->req->requester;
    struct vtd_line *line = vtd_cache_find(&self->contexts, key);

    if (line != NULL) {
        words[0] = line->low;
        words[1] = line->high;
        walk->silent = words[0] & VTD_SM_ENTRY_FPD;
        return true;
    }
    if (!context_read(walk, words))
        return false;
    if (walk->debug)
        return true;
    self->context_misses++;
    line = vtd_cache_fill(&self->contexts, key);
    line->low = words[0];
    line->high = words[1];
    return true;
}

/* May this request use this context at all? */
static bool context_allows(struct vtd_walk *walk, const uint64_t *context)
{
    const IovVtd *self = walk->self;
    uint32_t pasid = walk->req->pasid;
    bool named = pasid != IOV_NO_PASID;

    if (walk->req->flags & IOV_MEM_TRANSLATED) {
        if (!(context[0] & VTD_SM_CONTEXT_DTE))
            return vtd_walk_fault(walk, VTD_FAULT_SM_TRANSLATED);
        return !named || vtd_walk_fault(walk, VTD_FAULT_SM_TRANSLATED_PASID);
    }
    if (!named)
        return true;
    if (!(context[0] & VTD_SM_CONTEXT_PASIDE))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_OFF);
    if (pasid >> MAX(self->pasid_bits, 1) != 0)
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_SIZE);
    if (pasid >= pasids_of(context[0]))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_BEYOND);
    if (pasid == (context[1] & VTD_SM_CONTEXT_RID_PASID))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_OF_RID);
    return true;
}

/* ---- PASID's entry ---- */

/* SPEC: fields of what is not supported are reserved. */
static bool entry_reserved(const IovVtd *self, const uint64_t *words)
{
    uint64_t high = VTD_SM_PASID_DID | (self->snoop_control ? VTD_SM_PASID_PGSNP : 0) |
                    (self->first_stage ? VTD_SM_PASID_PWSNP : 0);
    uint64_t third = VTD_SM_PASID_IGNORED | VTD_SM_PASID_SRE |
                     (self->first_stage ? VTD_SM_PASID_FSPM | VTD_SM_PASID_WPE |
                                              (self->address_mask & ~VTD_PAGE_OFFSET)
                                        : 0);

    return words[0] & (VTD_SM_PASID_RESERVED | ~self->address_mask) || words[1] & ~high ||
           words[2] & ~third || (words[3] | words[4] | words[5] | words[6] | words[7]) != 0;
}

static bool entry_valid(const IovVtd *self, const uint64_t *words)
{
    unsigned width = words[0] >> VTD_SM_PASID_AW_SHIFT & 7;

    switch ((words[0] & VTD_SM_PASID_TYPE) >> VTD_SM_PASID_TYPE_SHIFT) {
    case VTD_SM_FIRST:
        return self->first_stage && !(words[2] & VTD_SM_PASID_FSPM);
    case VTD_SM_SECOND:
        return width < 5 && self->cap >> 8 & 0x1f & 1u << width;
    case VTD_SM_PASS_THROUGH:
        return self->pt;
    default:
        return false;
    }
}

static bool entry_read(struct vtd_walk *walk, const uint64_t *context, uint64_t *words)
{
    const IovVtd *self = walk->self;
    uint32_t pasid = effective_pasid(walk, context[1]);
    uint64_t directory, entry;

    directory = context[0] & self->address_mask & ~VTD_PAGE_OFFSET;
    if (!vtd_walk_read(walk, directory + pasid / VTD_SM_TABLE_ENTRIES * 8ull, &entry, 1)) {
        walk->silent = false; /* SPEC: an error of the access is not qualified */
        return vtd_walk_fault(walk, VTD_FAULT_SM_DIRECTORY_TABLE);
    }
    walk->silent |= (entry & VTD_SM_ENTRY_FPD) != 0;
    if (!(entry & VTD_SM_ENTRY_P))
        return vtd_walk_fault(walk, VTD_FAULT_SM_DIRECTORY_ABSENT);
    if (entry & (VTD_SM_DIRECTORY_RESERVED | ~self->address_mask))
        return vtd_walk_fault(walk, VTD_FAULT_SM_DIRECTORY_RESERVED);
    if (!vtd_walk_read(
            walk, (entry & ~VTD_PAGE_OFFSET) + pasid % VTD_SM_TABLE_ENTRIES * VTD_SM_PASID_SIZE,
            words, 8)) {
        walk->silent = false;
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_TABLE);
    }
    walk->silent |= (words[0] & VTD_SM_ENTRY_FPD) != 0;
    if (!(words[0] & VTD_SM_ENTRY_P))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_ABSENT);
    if (entry_reserved(self, words))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_RESERVED);
    if (!entry_valid(self, words))
        return vtd_walk_fault(walk, VTD_FAULT_SM_PASID_INVALID);
    return true;
}

/* A line holds the first quadword, with the pointer to the tables that count and FPD of all that
 * led there, and the second one. */
static bool entry_find(struct vtd_walk *walk, const uint64_t *context, uint64_t *ret_low,
                       uint64_t *ret_high)
{
    IovVtd *self = walk->self;
    uint64_t words[8];
    uint64_t key = VTD_KEY_VALID | (uint64_t)walk->req->requester << PASID_KEY_SHIFT |
                   effective_pasid(walk, context[1]);
    struct vtd_line *line = vtd_cache_find(&self->pasids, key);

    if (line == NULL) {
        if (!entry_read(walk, context, words))
            return false;
        if ((words[0] & VTD_SM_PASID_TYPE) >> VTD_SM_PASID_TYPE_SHIFT == VTD_SM_FIRST)
            words[0] = (words[0] & VTD_PAGE_OFFSET) | (words[2] & ~VTD_PAGE_OFFSET);
        *ret_low = words[0] | (walk->silent ? VTD_SM_ENTRY_FPD : 0);
        *ret_high = words[1];
        if (walk->debug)
            return true;
        self->pasid_misses++;
        line = vtd_cache_fill(&self->pasids, key);
        line->low = *ret_low;
        line->high = *ret_high;
        return true;
    }
    walk->silent |= (line->low & VTD_SM_ENTRY_FPD) != 0;
    *ret_low = line->low;
    *ret_high = line->high;
    return true;
}

/* ---- First stage ---- */

static uint64_t first_key(uint32_t pasid, unsigned level, uint64_t address)
{
    return VTD_KEY_VALID | (uint64_t)pasid << FIRST_PASID_SHIFT |
           (uint64_t)(level - 1) << FIRST_LEVEL_SHIFT |
           (address & ((1ull << FIRST_WIDTH) - 1)) >> (3 + 9 * level);
}

/* A line serves if it is of this domain, and for a write if its dirty bit is set already. */
static const struct vtd_line *first_find(struct vtd_walk *walk, uint32_t pasid, uint16_t domain,
                                         unsigned *ret_level)
{
    for (unsigned level = 1; level <= 3; level++) {
        const struct vtd_line *line =
            vtd_cache_find(&walk->self->first, first_key(pasid, level, walk->req->address));

        if (line == NULL || line->high >> FIRST_DOMAIN_SHIFT != domain ||
            (walk->write && !(line->high & VTD_FIRST_D)))
            continue;
        *ret_level = level;
        return line;
    }
    return NULL;
}

static uint64_t first_reserved(const IovVtd *self, unsigned level, bool page)
{
    uint64_t reserved = ~(self->address_mask | VTD_FIRST_IGNORED);

    if (page && level > 1) /* bit 12 is of the memory type */
        return reserved | (((1ull << (3 + 9 * level)) - 1) & ~0x1fffull);
    return reserved | (level == 4 ? VTD_FIRST_SUPER : 0);
}

/* Checks an entry and sets its accessed bit, in a page that is written to the dirty bit as well. */
static bool first_entry(struct vtd_walk *walk, uint64_t address, unsigned level, bool coherent,
                        uint64_t *entry)
{
    IovVtd *self = walk->self;
    bool page = level == 1 || (level < 4 && *entry & VTD_FIRST_SUPER);
    uint64_t used = *entry | VTD_FIRST_A | (page && walk->write ? VTD_FIRST_D : 0);
    struct iov_mem_req req = {
        .address = address, .data = &used, .size = sizeof used, .pasid = IOV_NO_PASID
    };

    if (!(*entry & VTD_FIRST_P))
        return vtd_walk_fault(walk, VTD_FAULT_SM_FIRST_ABSENT);
    if (*entry & first_reserved(self, level, page))
        return vtd_walk_fault(walk, VTD_FAULT_SM_FIRST_RESERVED);
    if (!(*entry & VTD_FIRST_U))
        return vtd_walk_fault(walk, VTD_FAULT_SM_SUPERVISOR);
    if (walk->write && !(*entry & VTD_FIRST_W))
        return vtd_walk_fault(walk, VTD_FAULT_SM_WRITE);
    if (used == *entry || walk->debug)
        return true;
    if (!coherent)
        return vtd_walk_fault(walk, VTD_FAULT_SM_ACCESSED);
    iov_mem_write_req(&self->bus, &req);
    *entry = used;
    return true;
}

static bool first_walk(struct vtd_walk *walk, uint32_t pasid, uint64_t table, uint64_t high,
                       struct vtd_translation *ret_translation)
{
    IovVtd *self = walk->self;
    bool coherent = high & VTD_SM_PASID_PWSNP;
    uint64_t entry, address;
    unsigned level = FIRST_LEVELS;
    struct vtd_line *line;

    for (;; level--) {
        address = table + 8u * (walk->req->address >> (3 + 9 * level) & 0x1ff);
        if (!vtd_walk_read(walk, address, &entry, 1))
            return vtd_walk_fault(walk, level == FIRST_LEVELS ? VTD_FAULT_SM_FIRST_ROOT
                                                              : VTD_FAULT_SM_FIRST_TABLE);
        if (!first_entry(walk, address, level, coherent, &entry))
            return false;
        table = entry & self->address_mask & ~VTD_PAGE_OFFSET;
        if (level == 1 || (level < 4 && entry & VTD_FIRST_SUPER))
            break;
    }
    table &= ~((1ull << (3 + 9 * level)) - 1); /* without bit 12 of a large page */
    if (!walk->debug) {
        uint64_t key = first_key(pasid, level, walk->req->address);

        self->iotlb_misses++;
        line = vtd_cache_find(&self->first, key); /* of another domain, or not dirty */
        if (line == NULL)
            line = vtd_cache_fill(&self->first, key);
        line->low = table;
        line->high = (high & VTD_SM_PASID_DID) << FIRST_DOMAIN_SHIFT | (entry & VTD_FIRST_D);
    }
    return vtd_walk_reach(walk, table, 1ull << (3 + 9 * level), ret_translation);
}

static bool first_stage(struct vtd_walk *walk, uint32_t pasid, uint64_t low, uint64_t high,
                        struct vtd_translation *ret_translation)
{
    const struct vtd_line *line;
    uint64_t top = walk->req->address >> (FIRST_WIDTH - 1);
    unsigned level;

    if (top != 0 && top != (1ull << (64 - FIRST_WIDTH + 1)) - 1)
        return vtd_walk_fault(walk, VTD_FAULT_SM_CANONICAL);
    line = first_find(walk, pasid, (uint16_t)(high & VTD_SM_PASID_DID), &level);
    if (line == NULL)
        return first_walk(walk, pasid, low & ~VTD_PAGE_OFFSET, high, ret_translation);
    walk->self->iotlb_hits += !walk->debug;
    return vtd_walk_reach(walk, line->low, 1ull << (3 + 9 * level), ret_translation);
}

/* ---- A request ---- */

static enum vtd_found pass(struct vtd_walk *walk, struct vtd_translation *ret_translation)
{
    if (walk->req->address & ~walk->self->address_mask) {
        vtd_walk_fault(walk, VTD_FAULT_SM_BEYOND_HOST);
        return VTD_FOUND_NOTHING;
    }
    return vtd_walk_reach(walk, walk->req->address & ~VTD_PAGE_OFFSET, VTD_PAGE_OFFSET + 1,
                          ret_translation)
               ? VTD_FOUND_TRANSLATION
               : VTD_FOUND_NOTHING;
}

enum vtd_found vtd_scalable_find(struct vtd_walk *walk, struct vtd_translation *ret_translation)
{
    uint64_t context[4], low, high;

    if (!context_find(walk, context) || !context_allows(walk, context))
        return VTD_FOUND_NOTHING;
    if (walk->req->flags & IOV_MEM_TRANSLATED)
        return pass(walk, ret_translation);
    if (!entry_find(walk, context, &low, &high))
        return VTD_FOUND_NOTHING;
    switch ((low & VTD_SM_PASID_TYPE) >> VTD_SM_PASID_TYPE_SHIFT) {
    case VTD_SM_FIRST:
        return first_stage(walk, effective_pasid(walk, context[1]), low, high, ret_translation)
                   ? VTD_FOUND_TRANSLATION
                   : VTD_FOUND_NOTHING;
    case VTD_SM_SECOND:
        walk->context_low = low & ~VTD_PAGE_OFFSET;
        walk->context_high = (high & VTD_SM_PASID_DID) << VTD_CONTEXT_DID_SHIFT |
                             (low >> VTD_SM_PASID_AW_SHIFT & VTD_CONTEXT_AW);
        return VTD_FOUND_TABLES;
    default:
        return pass(walk, ret_translation);
    }
}

/* ---- Invalidation ---- */

void vtd_drop_pasids(IovVtd *self)
{
    vtd_cache_empty(&self->pasids);
}

static void pasids_drop(IovVtd *self, uint16_t domain, uint64_t mask, uint64_t pasid)
{
    for (unsigned i = 0; i < self->pasids.sets * self->pasids.ways; i++) {
        struct vtd_line *line = &self->pasids.lines[i];

        if ((line->high & VTD_SM_PASID_DID) == domain && (line->key & mask) == pasid)
            line->key = 0;
    }
}

void vtd_drop_pasids_of(IovVtd *self, uint16_t domain)
{
    pasids_drop(self, domain, 0, 0);
}

void vtd_drop_pasid(IovVtd *self, uint16_t domain, uint32_t pasid)
{
    pasids_drop(self, domain, VTD_SM_CONTEXT_RID_PASID, pasid);
}

void vtd_drop_first_of(IovVtd *self, uint16_t domain)
{
    for (unsigned i = 0; i < self->first.sets * self->first.ways; i++) {
        if (self->first.lines[i].high >> FIRST_DOMAIN_SHIFT == domain)
            self->first.lines[i].key = 0;
    }
}

void vtd_drop_first(IovVtd *self, uint16_t domain, uint32_t pasid, uint64_t address, unsigned mask)
{
    uint64_t size = mask >= FIRST_WIDTH - 12 ? 1ull << FIRST_WIDTH : 0x1000ull << mask;
    uint64_t first = address & ((1ull << FIRST_WIDTH) - 1) & ~(size - 1);

    for (unsigned i = 0; i < self->first.sets * self->first.ways; i++) {
        struct vtd_line *line = &self->first.lines[i];
        unsigned shift = 3 + 9 * ((line->key >> FIRST_LEVEL_SHIFT & 3) + 1);
        uint64_t begin = (line->key & FIRST_NUMBER) << shift;

        if (line->key != 0 && line->high >> FIRST_DOMAIN_SHIFT == domain &&
            (line->key >> FIRST_PASID_SHIFT & VTD_SM_CONTEXT_RID_PASID) == pasid &&
            begin < first + size && begin + (1ull << shift) > first)
            line->key = 0;
    }
}
