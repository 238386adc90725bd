/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address translation of the VT-d model: root and context entry by requester ID, second-stage
 * tables of three or four levels with pages of 4 KiB, 2 MiB and 1 GiB.
 *
 * A request costs the IOTLB look-up; a miss waits for a free walker and then reads, each step at
 * the cost of a read plus the memory's own time, only what no paging-structure cache holds. What
 * faults is not cached, caching mode or not. What comes before the second stage in scalable mode is
 * in vtd-scalable.c.
 */
#include "models/iommu/vtd-private.h"

#define KEY_DOMAIN_SHIFT 44
#define KEY_LEVEL_SHIFT 41
#define KEY_NUMBERS (1ull << KEY_LEVEL_SHIFT)
#define KEY_DOMAIN_MASK (VTD_KEY_VALID | 0xffffull << KEY_DOMAIN_SHIFT)

enum { LEVELS_MOST = 4, PAGES_FEW = 4 };

static unsigned level_shift(unsigned level)
{
    return 3 + 9 * level;
}

/* The tag of a page of `level`, or of the table of `level` that translates the address. */
static uint64_t domain_key(uint16_t domain, unsigned level, uint64_t number)
{
    return VTD_KEY_VALID | (uint64_t)domain << KEY_DOMAIN_SHIFT |
           (uint64_t)level << KEY_LEVEL_SHIFT | number;
}

static uint16_t walk_domain(const struct vtd_walk *walk)
{
    return (uint16_t)(walk->context_high >> VTD_CONTEXT_DID_SHIFT);
}

bool vtd_walk_fault(struct vtd_walk *walk, enum vtd_fault reason)
{
    IovVtd *self = walk->self;

    if (walk->debug)
        return false;
    self->blocked++;
    vtd_fault_count(self, reason);
    if (!walk->silent)
        vtd_fault_record(self, reason, walk->req->requester, walk->req->pasid,
                         walk->req->address & ~VTD_PAGE_OFFSET, walk->write,
                         walk->req->delay + walk->delay);
    return false;
}

/* A fault in paging tables, or of what a context entry says of all requests. */
static bool paging_fault(struct vtd_walk *walk, enum vtd_fault reason)
{
    return vtd_walk_fault(walk, walk->self->scalable ? vtd_scalable_reason(reason) : reason);
}

bool vtd_table_read(IovVtd *self, uint64_t address, uint64_t *words, unsigned count, bool debug,
                    iov_time *delay)
{
    struct iov_mem_req req = { .address = address,
                               .data = words,
                               .size = 8 * count,
                               .flags = debug ? IOV_MEM_DEBUG : 0,
                               .pasid = IOV_NO_PASID,
                               .delay = *delay };
    enum iov_status status = iov_mem_read_req(&self->bus, &req);

    if (!debug) {
        self->walk_reads++;
        *delay = req.delay + self->walk_step;
    }
    return status == IOV_STATUS_OK;
}

bool vtd_walk_read(struct vtd_walk *walk, uint64_t address, uint64_t *words, unsigned count)
{
    iov_time delay = walk->req->delay + walk->delay;
    bool read = vtd_table_read(walk->self, address, words, count, walk->debug, &delay);

    walk->delay = delay - walk->req->delay;
    return read;
}

/* ---- Context ---- */

static bool context_valid(const IovVtd *self, uint64_t low, uint64_t high)
{
    unsigned width = high & VTD_CONTEXT_AW, type = low >> VTD_CONTEXT_TYPE_SHIFT & 3;

    if (!(self->cap >> 8 & 0x1f & 1u << width)) /* SAGAW has a bit for each width code */
        return false;
    switch (type) {
    case VTD_TYPE_UNTRANSLATED:
        return true;
    case VTD_TYPE_DEVICE_TLB:
        return self->device_iotlb;
    case VTD_TYPE_PASS_THROUGH:
        return self->pt;
    default:
        return false;
    }
}

static bool context_read(struct vtd_walk *walk)
{
    IovVtd *self = walk->self;
    uint16_t source = walk->req->requester;
    uint64_t root[2], context[2];

    if (self->root_table & VTD_RTADDR_TTM)
        return vtd_walk_fault(walk, VTD_FAULT_MODE);
    if (!vtd_walk_read(
            walk, (self->root_table & self->address_mask & ~VTD_PAGE_OFFSET) + (source >> 8) * 16u,
            root, 2))
        return vtd_walk_fault(walk, VTD_FAULT_ROOT_TABLE);
    if (!(root[0] & VTD_ROOT_P))
        return vtd_walk_fault(walk, VTD_FAULT_ROOT_ABSENT);
    if (root[0] & (VTD_ROOT_RESERVED | ~self->address_mask) || root[1] != 0)
        return vtd_walk_fault(walk, VTD_FAULT_ROOT_RESERVED);
    if (!vtd_walk_read(walk, (root[0] & ~VTD_PAGE_OFFSET) + (source & 0xffu) * 16u, context, 2))
        return vtd_walk_fault(walk, VTD_FAULT_CONTEXT_TABLE);
    /* SPEC: fault processing disable silences the faults of an entry and of what it leads to. */
    walk->silent = context[0] & VTD_CONTEXT_FPD;
    if (!(context[0] & VTD_CONTEXT_P))
        return vtd_walk_fault(walk, VTD_FAULT_CONTEXT_ABSENT);
    if (context[0] & (VTD_CONTEXT_RESERVED_LOW | ~self->address_mask) ||
        context[1] & VTD_CONTEXT_RESERVED_HIGH)
        return vtd_walk_fault(walk, VTD_FAULT_CONTEXT_RESERVED);
    if (!context_valid(self, context[0], context[1]))
        return vtd_walk_fault(walk, VTD_FAULT_CONTEXT_INVALID);
    walk->context_low = context[0];
    walk->context_high = context[1];
    return true;
}

static bool context_find(struct vtd_walk *walk)
{
    IovVtd *self = walk->self;
    uint64_t key = VTD_KEY_VALID | walk->req->requester;
    struct vtd_line *line = vtd_cache_find(&self->contexts, key);

    if (line != NULL) {
        walk->context_low = line->low;
        walk->context_high = line->high;
        walk->silent = line->low & VTD_CONTEXT_FPD;
        return true;
    }
    if (!context_read(walk))
        return false;
    if (walk->debug)
        return true;
    self->context_misses++;
    line = vtd_cache_fill(&self->contexts, key);
    line->low = walk->context_low;
    line->high = walk->context_high;
    return true;
}

/* ---- Pages ---- */

static bool rights_suffice(const struct vtd_walk *walk, uint64_t rights)
{
    if (walk->write)
        return rights & VTD_PAGE_W;
    if (walk->req->size == 0 && walk->self->zero_length_read)
        return rights & VTD_PAGE_RW;
    return rights & VTD_PAGE_R;
}

static bool rights_fault(struct vtd_walk *walk, uint64_t rights)
{
    if (walk->self->scalable && !(rights & VTD_PAGE_RW))
        return vtd_walk_fault(walk, VTD_FAULT_SM_NO_RIGHTS);
    return paging_fault(walk, walk->write ? VTD_FAULT_WRITE : VTD_FAULT_READ);
}

/* SPEC: a translation to the interrupt range is a fault. */
bool vtd_walk_reach(struct vtd_walk *walk, uint64_t page, uint64_t size,
                    struct vtd_translation *ret_translation)
{
    uint64_t offset = walk->req->address & (size - 1), address = page | offset;

    if (G_UNLIKELY(address - MSI_BASE < MSI_SIZE))
        return paging_fault(walk, VTD_FAULT_INTERRUPT_RANGE);
    ret_translation->address = address;
    ret_translation->left = size - offset;
    if (address < MSI_BASE)
        ret_translation->left = MIN(ret_translation->left, MSI_BASE - address);
    ret_translation->delay = walk->delay;
    return true;
}

static bool page_reach(struct vtd_walk *walk, uint64_t page, unsigned level,
                       struct vtd_translation *ret_translation)
{
    return vtd_walk_reach(walk, page, 1ull << level_shift(level), ret_translation);
}

/* The lowest table that a paging-structure cache knows, or the highest table of the domain. */
static unsigned table_find(struct vtd_walk *walk, uint64_t *table, uint64_t *rights)
{
    IovVtd *self = walk->self;
    unsigned levels = (unsigned)(walk->context_high & VTD_CONTEXT_AW) + 2;
    uint64_t address = walk->req->address;

    for (unsigned level = 1; level < levels; level++) {
        uint64_t key = domain_key(walk_domain(walk), level, address >> level_shift(level + 1));
        const struct vtd_line *line = vtd_cache_find(&self->paging, key);

        if (line != NULL) {
            *table = line->low;
            *rights = line->high;
            self->paging_hits += !walk->debug;
            return level;
        }
    }
    *table = walk->context_low & self->address_mask & ~VTD_PAGE_OFFSET;
    *rights = VTD_PAGE_RW;
    return levels;
}

static void line_store(struct vtd_walk *walk, struct vtd_cache *cache, unsigned level,
                       unsigned shift, uint64_t address, uint64_t rights)
{
    struct vtd_line *line;

    if (walk->debug)
        return;
    line = vtd_cache_fill(cache, domain_key(walk_domain(walk), level, walk->req->address >> shift));
    line->low = address;
    line->high = rights;
}

static bool page_walk(struct vtd_walk *walk, struct vtd_translation *ret_translation)
{
    IovVtd *self = walk->self;
    unsigned levels = (unsigned)(walk->context_high & VTD_CONTEXT_AW) + 2;
    uint64_t table, rights, entry, address;
    unsigned level = table_find(walk, &table, &rights);

    if (!rights_suffice(walk, rights))
        return rights_fault(walk, rights);
    for (;; level--) {
        unsigned index = walk->req->address >> level_shift(level) & 0x1ff;
        bool page;

        if (!vtd_walk_read(walk, table + 8u * index, &entry, 1))
            return paging_fault(walk,
                                level == levels ? VTD_FAULT_CONTEXT_INVALID : VTD_FAULT_NEXT_TABLE);
        rights &= entry;
        if (!rights_suffice(walk, rights))
            return rights_fault(walk, rights);
        page = level == 1 || (level < 4 && entry & VTD_PAGE_SUPER);
        if (entry & (page ? self->reserved_page[level] : self->reserved[level]))
            return paging_fault(walk, VTD_FAULT_PAGE_RESERVED);
        address = entry & self->address_mask & ~VTD_PAGE_OFFSET;
        if (page)
            break;
        table = address;
        line_store(walk, &self->paging, level - 1, level_shift(level), table, rights);
    }
    line_store(walk, &self->iotlb, level, level_shift(level), address, rights);
    if (!walk->debug)
        self->page_levels |= 1u << level;
    return page_reach(walk, address, level, ret_translation);
}

/* A walker is taken from when it is free until the walk ends. */
static bool walker_run(struct vtd_walk *walk, struct vtd_translation *ret_translation)
{
    IovVtd *self = walk->self;
    iov_time arrival = iov_now(self->parent_instance.kernel) + walk->req->delay;
    iov_time *walker = &self->walker_busy[0];
    bool found;

    if (walk->debug)
        return page_walk(walk, ret_translation);
    self->iotlb_misses++;
    for (unsigned i = 1; i < self->walkers; i++) {
        if (self->walker_busy[i] < *walker)
            walker = &self->walker_busy[i];
    }
    if (*walker > arrival + walk->delay)
        walk->delay = *walker - arrival;
    found = page_walk(walk, ret_translation);
    *walker = arrival + walk->delay;
    self->walker = walker;
    return found;
}

static const struct vtd_line *iotlb_find(struct vtd_walk *walk, unsigned *ret_level)
{
    IovVtd *self = walk->self;
    uint16_t domain = walk_domain(walk);

    for (unsigned level = 1; level <= 3; level++) {
        const struct vtd_line *line;

        if (!(self->page_levels & 1u << level))
            continue;
        line = vtd_cache_find(&self->iotlb,
                              domain_key(domain, level, walk->req->address >> level_shift(level)));
        if (line != NULL) {
            *ret_level = level;
            return line;
        }
    }
    return NULL;
}

/* What the context entry says of a request: translate it, let it through (`*ret_through`), or a
 * fault. */
static bool context_allows(struct vtd_walk *walk, bool *ret_through)
{
    bool translated = walk->req->flags & IOV_MEM_TRANSLATED;

    switch (walk->context_low >> VTD_CONTEXT_TYPE_SHIFT & 3) {
    case VTD_TYPE_PASS_THROUGH:
        *ret_through = true;
        return true;
    case VTD_TYPE_DEVICE_TLB:
        *ret_through = translated;
        return true;
    default:
        *ret_through = false;
        return !translated || paging_fault(walk, VTD_FAULT_TRANSLATED);
    }
}

static bool second_stage(struct vtd_walk *walk, struct vtd_translation *ret_translation)
{
    IovVtd *self = walk->self;
    const struct vtd_line *line;
    unsigned level, width = 30 + 9 * (unsigned)(walk->context_high & VTD_CONTEXT_AW);

    if (walk->req->address & ~self->width_mask || walk->req->address >> width != 0)
        return paging_fault(walk, VTD_FAULT_BEYOND_WIDTH);
    line = iotlb_find(walk, &level);
    if (line == NULL)
        return walker_run(walk, ret_translation);
    self->iotlb_hits += !walk->debug;
    if (!rights_suffice(walk, line->high))
        return rights_fault(walk, line->high);
    return page_reach(walk, line->low, level, ret_translation);
}

bool vtd_translate(IovVtd *self, const struct iov_mem_req *req, bool write,
                   struct vtd_translation *ret_translation)
{
    struct vtd_walk walk = { .self = self,
                             .req = req,
                             .write = write,
                             .debug = req->flags & IOV_MEM_DEBUG,
                             .delay = req->flags & IOV_MEM_DEBUG ? 0 : self->hit };
    bool through;

    if (self->scalable) {
        enum vtd_found found = vtd_scalable_find(&walk, ret_translation);

        if (found != VTD_FOUND_TABLES)
            return found == VTD_FOUND_TRANSLATION;
        return second_stage(&walk, ret_translation);
    }
    if (req->pasid != IOV_NO_PASID)
        return vtd_walk_fault(&walk,
                              self->root_table & VTD_RTADDR_TTM ? VTD_FAULT_MODE : VTD_FAULT_PASID);
    if (!context_find(&walk) || !context_allows(&walk, &through))
        return false;
    if (!through)
        return second_stage(&walk, ret_translation);
    *ret_translation =
        (struct vtd_translation){ req->address, UINT64_MAX - req->address, walk.delay };
    return true;
}

/* ---- Invalidation ---- */

void vtd_drop_contexts(IovVtd *self)
{
    vtd_cache_empty(&self->contexts);
}

/* SPEC: the function mask says how many of the low bits of the function are not compared. */
void vtd_drop_device(IovVtd *self, uint16_t source, unsigned function_mask)
{
    static const uint16_t ignored[] = { 0, 4, 6, 7 };
    uint16_t mask = (uint16_t)~ignored[function_mask & 3];

    vtd_cache_drop(&self->contexts, VTD_KEY_VALID | mask, VTD_KEY_VALID | (source & mask));
}

void vtd_drop_translations(IovVtd *self)
{
    vtd_cache_empty(&self->iotlb);
    vtd_cache_empty(&self->paging);
    vtd_cache_empty(&self->first);
    self->page_levels = 0;
}

void vtd_drop_domain(IovVtd *self, uint16_t domain)
{
    uint64_t value = VTD_KEY_VALID | (uint64_t)domain << KEY_DOMAIN_SHIFT;

    vtd_cache_drop(&self->iotlb, KEY_DOMAIN_MASK, value);
    vtd_cache_drop(&self->paging, KEY_DOMAIN_MASK, value);
    vtd_drop_first_of(self, domain);
}

/* A few pages at most, and what larger pages and tables lie over them: each can be in one set only.
 * False: they are many. */
static bool pages_drop(struct vtd_cache *cache, uint16_t domain, unsigned extra, uint64_t first,
                       uint64_t last)
{
    if ((last >> level_shift(1 + extra)) - (first >> level_shift(1 + extra)) >= PAGES_FEW)
        return false;
    for (unsigned level = 1; level <= LEVELS_MOST; level++) {
        unsigned shift = level_shift(level + extra);

        for (uint64_t number = first >> shift; number <= last >> shift; number++) {
            if (number < KEY_NUMBERS)
                vtd_cache_forget(cache, domain_key(domain, level, number));
        }
    }
    return true;
}

/* Lines of the domain whose range meets [first, last]; a line of a table covers a level more. */
static void range_drop(struct vtd_cache *cache, uint16_t domain, unsigned extra, uint64_t first,
                       uint64_t last)
{
    uint64_t value = VTD_KEY_VALID | (uint64_t)domain << KEY_DOMAIN_SHIFT;

    if (pages_drop(cache, domain, extra, first, last))
        return;
    for (unsigned i = 0; i < cache->sets * cache->ways; i++) {
        uint64_t key = cache->lines[i].key, begin;
        unsigned shift;

        if ((key & KEY_DOMAIN_MASK) != value)
            continue;
        shift = level_shift((key >> KEY_LEVEL_SHIFT & 7) + extra);
        begin = (key & (KEY_NUMBERS - 1)) << shift;
        if (begin <= last && begin + (1ull << shift) - 1 >= first)
            cache->lines[i].key = 0;
    }
}

void vtd_drop_pages(IovVtd *self, uint16_t domain, uint64_t address, unsigned mask,
                    bool leaves_only)
{
    uint64_t size = 0x1000ull << mask, first = address & ~(size - 1);

    range_drop(&self->iotlb, domain, 0, first, first + size - 1);
    if (!leaves_only)
        range_drop(&self->paging, domain, 1, first, first + size - 1);
    vtd_drop_first_of(self, domain); /* SPEC: not selective for first stages */
}
