/* SPDX-License-Identifier: Apache-2.0 */
/* The modern virtio PCI transport as a driver uses it (virtio 1.2, 4.1): negotiation, queues, MSI-X
 * vectors. */
#ifndef IOV_GUEST_VIRTIO_TRANSPORT_PRIVATE_H
#define IOV_GUEST_VIRTIO_TRANSPORT_PRIVATE_H

#include "models/guest/virtio-queue-private.h"

struct virtio_transport {
    uint64_t registers; /* BAR with the structures */
    uint64_t msix;      /* MSI-X table, or 0: the interrupt is a wire */
    uint64_t features;  /* negotiated */
};

/* Reset, acknowledge, negotiate `wanted`. False: no device, or it refuses. */
bool iov_virtio_negotiate(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                          uint64_t wanted);
/* The same; what is wanted depends on whether the device offers `feature`. */
bool iov_virtio_negotiate_either(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                 unsigned feature, uint64_t with, uint64_t without);
uint64_t iov_virtio_config_read(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                uint32_t offset, uint32_t size);
uint8_t iov_virtio_generation(struct virtio_transport *transport, struct iov_guest_cpu *cpu);
/* Prepares `count` MSI-X vectors of a table of `entries`, as Linux does when it enables MSI-X: all
 * are masked. */
void iov_virtio_enable_msix(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                            unsigned count, unsigned entries);
/* Entry `entry` sends `vector` from now on. */
void iov_virtio_set_vector(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                           unsigned entry, uint8_t vector);
void iov_virtio_set_config_vector(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                  uint16_t entry);
/* Ring memory for queue `index`, told to the device, with MSI-X entry `entry`
 * (VIRTIO_MSI_NO_VECTOR: none). False: it cannot be. */
bool iov_virtio_set_up_queue(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                             struct virtio_queue *queue, uint16_t index, uint16_t entry);
void iov_virtio_enable_queue(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                             uint16_t index);
void iov_virtio_driver_ok(struct virtio_transport *transport, struct iov_guest_cpu *cpu);
/* With a wire: reads, and so clears, what the interrupt was for. */
uint8_t iov_virtio_isr(struct virtio_transport *transport, struct iov_guest_cpu *cpu);

#endif
