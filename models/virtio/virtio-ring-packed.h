/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed ring behind virtio-ring.c: the same calls, for queues with `packed` set. For
 * virtio-ring.c only.
 */
#ifndef IOV_VIRTIO_RING_PACKED_H
#define IOV_VIRTIO_RING_PACKED_H

#include "models/virtio/virtio-ring-private.h"

bool iov_virtq_packed_is_good(const struct iov_virtq *queue);
enum iov_virtq_result iov_virtq_packed_peek(struct iov_virtq *queue, struct iov_virtio_dma *dma);
bool iov_virtq_packed_walk(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                           struct iov_virtq_chain *chain);
void iov_virtq_packed_rewind(struct iov_virtq *queue, uint16_t count);
bool iov_virtq_packed_fill(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t place,
                           uint16_t head, uint32_t written);
bool iov_virtq_packed_publish(struct iov_virtq *queue, struct iov_virtio_dma *dma);
bool iov_virtq_packed_wants_interrupt(struct iov_virtq *queue, struct iov_virtio_dma *dma);
bool iov_virtq_packed_notify(struct iov_virtq *queue, struct iov_virtio_dma *dma, bool on);

/* What both layouts share: virtio-ring.c. */
bool iov_virtq_ring_read(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint64_t address,
                         void *data, uint32_t size);
bool iov_virtq_ring_write(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint64_t address,
                          const void *data, uint32_t size);
bool iov_virtq_part_is_good(uint64_t address, uint64_t bytes, unsigned alignment);
/* Adds a buffer to the chain; `flags`: VIRTQ_DESC_WRITE or 0. False: the ring is broken now. */
bool iov_virtq_add_segment(struct iov_virtq *queue, struct iov_virtq_chain *chain, uint64_t address,
                           uint32_t length, uint16_t flags);

#endif
