/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames come from free lists, one for frames of ordinary size and one for large ones. A pool knows
 * every frame it made. It lives until its last frame is back, so models may go in any order; or, if
 * its owner left while frames were out, until the kernel goes.
 */
#include "core/port/packet.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct iov_packet_pool {
    struct iov_packet *all;
    struct iov_packet *small;
    struct iov_packet *large;
    uint64_t out;     /* frames that are not on a list */
    bool orphaned;    /* the owner is gone */
    bool with_kernel; /* the kernel will free it */
};

struct iov_packet_pool *iov_packet_pool_new(void)
{
    struct iov_packet_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        abort();
    return pool;
}

static void pool_destroy(void *argument)
{
    struct iov_packet_pool *pool = argument;

    while (pool->all != NULL) {
        struct iov_packet *packet = pool->all;

        pool->all = packet->next_of_pool;
        free(packet);
    }
    free(pool);
}

void iov_packet_pool_unref(struct iov_packet_pool *pool, struct iov_kernel *kernel)
{
    if (pool == NULL)
        return;
    pool->orphaned = true;
    if (pool->out == 0) {
        pool_destroy(pool);
    } else if (kernel != NULL) {
        pool->with_kernel = true;
        iov_kernel_at_free(kernel, pool_destroy, pool);
    }
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
        packet->next_of_pool = pool->all;
        pool->all = packet;
    }
    data = (uint8_t *)(packet + 1);
    *packet = (struct iov_packet){ .size = size,
                                   .pool = pool,
                                   .next_of_pool = packet->next_of_pool,
                                   .data = data,
                                   .is_large = is_large };
    pool->out++;
    return packet;
}

struct iov_packet *iov_packet_copy(struct iov_packet_pool *pool, const struct iov_packet *packet)
{
    struct iov_packet *copy = iov_packet_new(pool, packet->size);

    memcpy(copy->data, packet->data, packet->size);
    copy->segment_size = packet->segment_size;
    copy->flags = packet->flags;
    copy->checksum_start = packet->checksum_start;
    copy->checksum_place = packet->checksum_place;
    return copy;
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
    if (--pool->out == 0 && pool->orphaned && !pool->with_kernel)
        pool_destroy(pool);
}

void iov_packet_queue_clear(struct iov_packet_queue *queue)
{
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(queue)) != NULL)
        iov_packet_free(packet);
}
