/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames come from free lists, one for frames of ordinary size and one for large ones; a pool lives
 * until its last frame is back, so models may go in any order.
 */
#include "core/port/packet.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct iov_packet_pool {
    struct iov_packet *small;
    struct iov_packet *large;
    uint64_t out;  /* frames that are not on a list */
    bool orphaned; /* the owner is gone */
};

struct iov_packet_pool *iov_packet_pool_new(void)
{
    struct iov_packet_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        abort();
    return pool;
}

static void free_list(struct iov_packet *packet)
{
    while (packet != NULL) {
        struct iov_packet *next = packet->next;

        free(packet);
        packet = next;
    }
}

static void pool_destroy(struct iov_packet_pool *pool)
{
    free_list(pool->small);
    free_list(pool->large);
    free(pool);
}

void iov_packet_pool_unref(struct iov_packet_pool *pool)
{
    if (pool == NULL)
        return;
    pool->orphaned = true;
    if (pool->out == 0)
        pool_destroy(pool);
}

struct iov_packet *iov_packet_new(struct iov_packet_pool *pool, uint32_t size)
{
    bool is_large = size > IOV_PACKET_INLINE;
    struct iov_packet **list = is_large ? &pool->large : &pool->small;
    struct iov_packet *packet = *list;
    uint8_t *data;

    assert(size <= IOV_PACKET_MAX);
    if (packet != NULL) {
        *list = packet->next;
    } else {
        packet = malloc(sizeof *packet + (is_large ? IOV_PACKET_MAX : IOV_PACKET_INLINE));
        if (packet == NULL)
            abort();
    }
    data = (uint8_t *)(packet + 1);
    *packet = (struct iov_packet){ .size = size, .pool = pool, .data = data, .is_large = is_large };
    pool->out++;
    return packet;
}

void iov_packet_free(struct iov_packet *packet)
{
    struct iov_packet_pool *pool;
    struct iov_packet **list;

    if (packet == NULL)
        return;
    pool = packet->pool;
    list = packet->is_large ? &pool->large : &pool->small;
    packet->next = *list;
    *list = packet;
    if (--pool->out == 0 && pool->orphaned)
        pool_destroy(pool);
}
