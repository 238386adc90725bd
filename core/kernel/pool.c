/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of records of one size: memory comes in slabs and goes back to the system with the pool.
 * Records whose size is a multiple of IOV_CACHE_LINE do not share cache lines. AddressSanitizer
 * sees the use of a record that was given back.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/kernel/kernel.h"
#include "core/kernel/sanitizer-private.h"

enum { SLAB_HEAD = IOV_CACHE_LINE, SLAB_RECORDS_MIN = 16, SLAB_SIZE = 64 * 1024 };

struct record {
    struct record *next;
};

struct slab {
    struct slab *next;
};

struct iov_pool {
    size_t record_size;
    size_t slab_size;
    struct record *spare;
    char *fresh; /* records of the newest slab never taken */
    char *fresh_end;
    struct slab *slabs;
};

struct iov_pool *iov_pool_new(size_t record_size)
{
    struct iov_pool *pool = calloc(1, sizeof(*pool));

    IOV_REQUIRE(pool != NULL);
    IOV_REQUIRE(record_size > 0 && record_size <= SIZE_MAX / 32);
    pool->record_size = (record_size + 15) & ~(size_t)15;
    pool->slab_size = SLAB_HEAD + pool->record_size * SLAB_RECORDS_MIN;
    if (pool->slab_size < SLAB_SIZE)
        pool->slab_size = SLAB_SIZE;
    pool->slab_size = (pool->slab_size + IOV_CACHE_LINE - 1) & ~(size_t)(IOV_CACHE_LINE - 1);
    return pool;
}

void iov_pool_free(struct iov_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->slabs != NULL) {
        struct slab *slab = pool->slabs;
        pool->slabs = slab->next;
        iov_sanitizer_unpoison(slab, pool->slab_size);
        free(slab);
    }
    free(pool);
}

static void add_slab(struct iov_pool *pool)
{
    struct slab *slab = aligned_alloc(IOV_CACHE_LINE, pool->slab_size);

    IOV_REQUIRE(slab != NULL);
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->fresh = (char *)slab + SLAB_HEAD;
    pool->fresh_end =
        pool->fresh + (pool->slab_size - SLAB_HEAD) / pool->record_size * pool->record_size;
    iov_sanitizer_poison(pool->fresh, (size_t)(pool->fresh_end - pool->fresh));
}

void *iov_pool_take(struct iov_pool *pool)
{
    struct record *record = pool->spare;

    if (record != NULL) {
        iov_sanitizer_unpoison(record, pool->record_size);
        pool->spare = record->next;
        return record;
    }
    if (pool->fresh == pool->fresh_end)
        add_slab(pool);
    char *fresh = pool->fresh;
    pool->fresh += pool->record_size;
    iov_sanitizer_unpoison(fresh, pool->record_size);
    return fresh;
}

void iov_pool_give(struct iov_pool *pool, void *record)
{
    struct record *spare = record;

    if (spare == NULL)
        return;
    spare->next = pool->spare;
    pool->spare = spare;
    iov_sanitizer_poison(spare, pool->record_size);
}
