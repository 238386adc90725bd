/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a packed ring: one descriptor a buffer, so every buffer takes one place.
 * Where the next buffer goes and where the next used one will be are places with the laps they are
 * in; the two event suppression structures name such places, too.
 */
#include "models/guest/virtio-queue-private.h"

#define BITS (VIRTQ_PACKED_DESC_AVAIL | VIRTQ_PACKED_DESC_USED)

struct event_suppression {
    uint16_t place;
    uint16_t flags;
};

static iov_gpa place_of(const struct virtio_queue *queue, uint16_t index)
{
    return queue->descriptors + UINT64_C(16) * index;
}

static void put16(struct iov_guest_cpu *cpu, iov_gpa address, uint16_t value)
{
    iov_exec_put(cpu->exec, address, &value, sizeof value);
}

static void advance(const struct virtio_queue *queue, uint16_t *index, bool *wrap)
{
    if (++*index < queue->size)
        return;
    *index = 0;
    *wrap = !*wrap;
}

bool iov_virtio_packed_init(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    static const struct virtq_packed_desc nothing;
    static const struct event_suppression on = { 0, VIRTQ_PACKED_EVENT_ENABLE };
    /* As the first poll leaves it, which Linux makes when the device is opened. */
    const struct event_suppression first = {
        .place = VIRTQ_PACKED_EVENT_WRAP,
        .flags = queue->event ? VIRTQ_PACKED_EVENT_DESC : VIRTQ_PACKED_EVENT_ENABLE,
    };

    queue->available_wrap = true;
    queue->used_wrap = true;
    queue->descriptors = iov_guest_allocate(cpu->guest, virtq_desc_bytes(queue->size), 4096);
    queue->available = iov_guest_allocate(cpu->guest, VIRTQ_PACKED_EVENT_BYTES, 64);
    queue->used = iov_guest_allocate(cpu->guest, VIRTQ_PACKED_EVENT_BYTES, 64);
    if (queue->descriptors == 0 || queue->available == 0 || queue->used == 0)
        return false;
    for (uint16_t i = 0; i < queue->size; i++)
        iov_exec_put(cpu->exec, place_of(queue, i), &nothing, sizeof nothing);
    iov_exec_put(cpu->exec, queue->available, &first, sizeof first);
    iov_exec_put(cpu->exec, queue->used, &on, sizeof on);
    return true;
}

void iov_virtio_packed_add(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t id,
                           iov_gpa address, uint32_t size, uint16_t flags)
{
    /* SPEC: 2.8.1: available: AVAIL is the wrap counter, USED is not. */
    uint16_t lap = queue->available_wrap ? VIRTQ_PACKED_DESC_AVAIL : VIRTQ_PACKED_DESC_USED;
    struct virtq_packed_desc descriptor = {
        .address = address,
        .length = size,
        .id = id,
        .flags = (uint16_t)(lap | flags),
    };

    iov_exec_put(cpu->exec, place_of(queue, queue->available_index), &descriptor,
                 sizeof descriptor);
    advance(queue, &queue->available_index, &queue->available_wrap);
}

bool iov_virtio_packed_used(const struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                            struct virtq_packed_desc *ret_descriptor)
{
    iov_exec_get(cpu->exec, place_of(queue, queue->last_used), ret_descriptor,
                 sizeof *ret_descriptor);
    return (ret_descriptor->flags & BITS) == (queue->used_wrap ? BITS : 0);
}

static void set_event(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t distance)
{
    uint16_t index = queue->last_used;
    bool wrap = queue->used_wrap;

    for (; distance > queue->size - 1u - index; wrap = !wrap) {
        distance = (uint16_t)(distance - (queue->size - index));
        index = 0;
    }
    index = (uint16_t)(index + distance);
    put16(cpu, queue->available + VIRTQ_PACKED_EVENT_PLACE,
          (uint16_t)(index | (wrap ? VIRTQ_PACKED_EVENT_WRAP : 0)));
}

void iov_virtio_packed_taken(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    advance(queue, &queue->last_used, &queue->used_wrap);
    /* While interrupts are wanted the next one is wanted for the next buffer. */
    if (!queue->interrupts_off && queue->event)
        set_event(queue, cpu, 0);
}

/* SPEC: virtio 1.2, 2.8.10: the device's event suppression structure says whether it wants to be
 * notified. */
bool iov_virtio_packed_wants_kick(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    uint16_t before = (uint16_t)(queue->available_index - queue->added);
    struct event_suppression device;

    queue->added = 0;
    iov_exec_get(cpu->exec, queue->used, &device, sizeof device);
    if ((device.flags & 3) != VIRTQ_PACKED_EVENT_DESC || !queue->event)
        return (device.flags & 3) != VIRTQ_PACKED_EVENT_DISABLE;
    uint16_t place = (uint16_t)(device.place & ~VIRTQ_PACKED_EVENT_WRAP);

    if (((device.place & VIRTQ_PACKED_EVENT_WRAP) != 0) != queue->available_wrap)
        place = (uint16_t)(place - queue->size); /* it is of the lap before */
    return virtq_need_event(place, queue->available_index, before) != 0;
}

void iov_virtio_packed_off(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    put16(cpu, queue->available + VIRTQ_PACKED_EVENT_FLAGS, VIRTQ_PACKED_EVENT_DISABLE);
}

void iov_virtio_packed_on(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t distance)
{
    queue->event_triggered = false;
    if (queue->event)
        set_event(queue, cpu, distance);
    if (!queue->interrupts_off)
        return;
    queue->interrupts_off = false;
    put16(cpu, queue->available + VIRTQ_PACKED_EVENT_FLAGS,
          queue->event ? VIRTQ_PACKED_EVENT_DESC : VIRTQ_PACKED_EVENT_ENABLE);
}
