/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a virtio ring, split or packed (virtio 1.2, 2.7 and 2.8), with Linux's
 * habits of asking for and doing without interrupts and notifications. One descriptor a buffer; a
 * buffer is known by a number below the ring's size.
 */
#ifndef IOV_GUEST_VIRTIO_QUEUE_PRIVATE_H
#define IOV_GUEST_VIRTIO_QUEUE_PRIVATE_H

#include "models/guest/guest-private.h"
#include "models/virtio/virtio-regs.h"

#define VIRTIO_QUEUE_MAX 1024

struct virtio_queue {
    uint16_t index;
    uint16_t size;
    uint64_t doorbell; /* where notifications are written */
    iov_gpa descriptors;
    iov_gpa available;
    iov_gpa used;
    bool packed;   /* VIRTIO_F_RING_PACKED was: `available` and `used` are the event suppression
                      structures */
    bool event;    /* VIRTIO_F_EVENT_IDX was negotiated */
    iov_gpa table; /* of the command under way; 0: none was ever added */
    bool broken;   /* the device wrote what cannot be: the queue is no longer used */
    uint16_t free_head;
    uint16_t free_count;
    uint16_t available_index; /* packed: places in the ring, and the laps they are in */
    uint16_t last_used;
    bool available_wrap;
    bool used_wrap;
    uint16_t added; /* since the last kick */
    bool interrupts_off;
    bool event_triggered; /* with event index: an interrupt came, no other will until they are
                             turned on */
    uint16_t next[VIRTIO_QUEUE_MAX];
    bool busy[VIRTIO_QUEUE_MAX]; /* the device has it */
};

/* Memory for the three parts of a ring of `size` entries. False: none is left. */
bool iov_virtio_queue_init(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t index,
                           uint16_t size, bool packed, bool event);
/* Gives the device a buffer; returns its descriptor, which says which buffer comes back. There must
 * be a free one. */
uint16_t iov_virtio_queue_add(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                              iov_gpa address, uint32_t size, bool device_writes);
/* A command: `readable` bytes from `address` on, then `writable` ones for the answer, in one
 * indirect table. */
void iov_virtio_queue_add_command(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                                  iov_gpa address, uint32_t readable, uint32_t writable);
/* Takes a used buffer back: its descriptor and the bytes written. False: there is none. */
bool iov_virtio_queue_take(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                           uint16_t *ret_descriptor, uint32_t *ret_size);
/* Tells the device of the buffers added since the last time, unless it does not want to know. */
void iov_virtio_queue_kick(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* Interrupts are not wanted (a hint only). */
void iov_virtio_queue_disable(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* They are wanted again from the next used buffer on. The result is for
 * iov_virtio_queue_missed(). */
uint16_t iov_virtio_queue_enable(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* Has a buffer been used since enable? Then no interrupt may come for it. */
bool iov_virtio_queue_missed(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t since);
/* They are wanted when three quarters of the buffers on their way are used. False: that is the case
 * already. */
bool iov_virtio_queue_enable_delayed(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* An interrupt of this queue was taken. False: nothing to do. */
bool iov_virtio_queue_interrupt(struct virtio_queue *queue, struct iov_guest_cpu *cpu);

/* ---- virtio-queue-packed.c, for virtio-queue.c only ---- */

bool iov_virtio_packed_init(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* Makes the buffer `id` available; VIRTQ_DESC_WRITE and VIRTQ_DESC_INDIRECT in `flags`. */
void iov_virtio_packed_add(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t id,
                           iov_gpa address, uint32_t size, uint16_t flags);
/* The next used buffer, if there is one. */
bool iov_virtio_packed_used(const struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                            struct virtq_packed_desc *ret_descriptor);
void iov_virtio_packed_taken(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
bool iov_virtio_packed_wants_kick(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
void iov_virtio_packed_off(struct virtio_queue *queue, struct iov_guest_cpu *cpu);
/* Interrupts on, for the used buffer `distance` from the next one. */
void iov_virtio_packed_on(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t distance);

#endif
