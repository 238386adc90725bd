/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caches of the VT-d model: context cache, IOTLB, paging-structure cache, interrupt entry
 * cache. All are set-associative with replacement of the least recently used line; what a line
 * means is its user's. Memory is fixed at realize and does not grow with the number of mappings.
 */
#include "models/iommu/vtd-private.h"

void vtd_cache_init(struct vtd_cache *cache, uint64_t entries, uint64_t ways)
{
    *cache = (struct vtd_cache){ .lines = g_aligned_alloc0(entries, sizeof(struct vtd_line),
                                                           IOV_CACHE_LINE),
                                 .sets = (unsigned)(entries / ways),
                                 .ways = (unsigned)ways };
}

void vtd_cache_clear(struct vtd_cache *cache)
{
    g_clear_pointer(&cache->lines, g_aligned_free);
}

struct vtd_line *vtd_cache_fill(struct vtd_cache *cache, uint64_t key)
{
    struct vtd_line *set = vtd_cache_set(cache, key), *victim = set;

    for (unsigned way = 0; way < cache->ways; way++) {
        if (set[way].key == 0) {
            victim = &set[way];
            break;
        }
        if (set[way].used < victim->used)
            victim = &set[way];
    }
    victim->key = key;
    victim->used = ++cache->clock;
    return victim;
}

void vtd_cache_empty(struct vtd_cache *cache)
{
    if (cache->lines != NULL) /* of a mode that is not there */
        memset(cache->lines, 0, sizeof *cache->lines * cache->sets * cache->ways);
}

void vtd_cache_forget(struct vtd_cache *cache, uint64_t key)
{
    struct vtd_line *set = vtd_cache_set(cache, key);

    for (unsigned way = 0; way < cache->ways; way++) {
        if (set[way].key == key)
            set[way].key = 0;
    }
}

void vtd_cache_drop(struct vtd_cache *cache, uint64_t mask, uint64_t value)
{
    for (unsigned i = 0; i < cache->sets * cache->ways; i++) {
        if ((cache->lines[i].key & mask) == value)
            cache->lines[i].key = 0;
    }
}
