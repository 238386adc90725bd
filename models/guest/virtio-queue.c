/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver's side of a ring. The layout here is the split ring's; virtio-queue-packed.c has the
 * other. Ring memory is plain guest RAM, its access time is part of the surrounding work. What the
 * device writes is checked: an index out of range or a buffer that it does not have makes the queue
 * broken.
 */
#include "models/guest/virtio-queue-private.h"

#include "models/virtio/virtio-regs.h"

static void put16(struct iov_guest_cpu *cpu, iov_gpa address, uint16_t value)
{
    iov_exec_put(cpu->exec, address, &value, sizeof value);
}

static uint16_t get16(struct iov_guest_cpu *cpu, iov_gpa address)
{
    uint16_t value;

    iov_exec_get(cpu->exec, address, &value, sizeof value);
    return value;
}

static iov_gpa used_event(const struct virtio_queue *queue)
{
    return queue->available + virtq_used_event_offset(queue->size);
}

bool iov_virtio_queue_init(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t index,
                           uint16_t size, bool packed, bool event)
{
    IovLinuxGuest *guest = cpu->guest;

    *queue = (struct virtio_queue){
        .index = index, .size = size, .packed = packed, .event = event, .free_count = size
    };
    for (uint16_t i = 0; i < size; i++)
        queue->next[i] = (uint16_t)(i + 1);
    if (packed)
        return iov_virtio_packed_init(queue, cpu);
    queue->descriptors = iov_guest_allocate(guest, virtq_desc_bytes(size), 4096);
    queue->available = iov_guest_allocate(guest, virtq_avail_bytes(size), VIRTQ_DESC_ALIGN);
    queue->used = iov_guest_allocate(guest, virtq_used_bytes(size), 64);
    if (queue->descriptors == 0 || queue->available == 0 || queue->used == 0)
        return false;
    put16(cpu, queue->available + VIRTQ_AVAIL_FLAGS, 0);
    put16(cpu, queue->available + VIRTQ_AVAIL_IDX, 0);
    put16(cpu, used_event(queue), 0);
    put16(cpu, queue->used + VIRTQ_USED_FLAGS, 0);
    put16(cpu, queue->used + VIRTQ_USED_IDX, 0);
    put16(cpu, queue->used + virtq_avail_event_offset(size), 0);
    return true;
}

static uint16_t add(struct virtio_queue *queue, struct iov_guest_cpu *cpu, iov_gpa address,
                    uint32_t size, uint16_t flags)
{
    uint16_t head = queue->free_head;
    struct virtq_desc descriptor = { .address = address, .length = size, .flags = flags };

    IOV_REQUIRE(queue->free_count > 0);
    queue->free_head = queue->next[head];
    queue->free_count--;
    queue->busy[head] = true;
    queue->added++;
    if (queue->packed) {
        iov_virtio_packed_add(queue, cpu, head, address, size, flags);
        return head;
    }
    iov_exec_put(cpu->exec, queue->descriptors + head * sizeof descriptor, &descriptor,
                 sizeof descriptor);
    put16(cpu, queue->available + VIRTQ_AVAIL_RING + 2u * (queue->available_index % queue->size),
          head);
    queue->available_index++;
    put16(cpu, queue->available + VIRTQ_AVAIL_IDX, queue->available_index);
    return head;
}

uint16_t iov_virtio_queue_add(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                              iov_gpa address, uint32_t size, bool device_writes)
{
    return add(queue, cpu, address, size, device_writes ? VIRTQ_DESC_WRITE : 0);
}

/* SPEC: 2.7.5.3, 2.8.7: a table of descriptors in memory of its own, which of two forms the ring
 * says. */
void iov_virtio_queue_add_command(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                                  iov_gpa address, uint32_t readable, uint32_t writable)
{
    const struct virtq_desc split[2] = {
        { .address = address, .length = readable, .flags = VIRTQ_DESC_NEXT, .next = 1 },
        { .address = address + readable, .length = writable, .flags = VIRTQ_DESC_WRITE },
    };
    const struct virtq_packed_desc packed[2] = {
        { .address = address, .length = readable },
        { .address = address + readable, .length = writable, .flags = VIRTQ_DESC_WRITE },
    };

    _Static_assert(sizeof split == sizeof packed, "both forms have descriptors of 16 bytes");
    if (queue->table == 0)
        queue->table = iov_guest_allocate(cpu->guest, sizeof split, 16);
    iov_exec_put(cpu->exec, queue->table, queue->packed ? (const void *)packed : split,
                 sizeof split);
    add(queue, cpu, queue->table, sizeof split, VIRTQ_DESC_INDIRECT);
}

static uint16_t used_index(const struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    return get16(cpu, queue->used + VIRTQ_USED_IDX);
}

static void set_broken(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    queue->broken = true;
    cpu->guest->device_errors++;
}

/* The next used element, whatever it says. */
static bool next_used(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                      struct virtq_used_elem *ret_element)
{
    struct virtq_packed_desc descriptor;

    if (queue->packed) {
        if (!iov_virtio_packed_used(queue, cpu, &descriptor))
            return false;
        *ret_element = (struct virtq_used_elem){ descriptor.id, descriptor.length };
        return true;
    }
    if (used_index(queue, cpu) == queue->last_used)
        return false;
    iov_exec_get(cpu->exec,
                 queue->used + VIRTQ_USED_RING +
                     sizeof *ret_element * (queue->last_used % queue->size),
                 ret_element, sizeof *ret_element);
    return true;
}

bool iov_virtio_queue_take(struct virtio_queue *queue, struct iov_guest_cpu *cpu,
                           uint16_t *ret_descriptor, uint32_t *ret_size)
{
    struct virtq_used_elem element;

    if (queue->broken || !next_used(queue, cpu, &element))
        return false;
    if (element.id >= queue->size || !queue->busy[element.id]) {
        set_broken(queue, cpu);
        return false;
    }
    uint16_t head = (uint16_t)element.id;

    queue->busy[head] = false;
    queue->next[head] = queue->free_head;
    queue->free_head = head;
    queue->free_count++;
    if (queue->packed)
        iov_virtio_packed_taken(queue, cpu);
    else
        queue->last_used++;
    /* While interrupts are wanted the next one is wanted for the next buffer. */
    if (!queue->packed && !queue->interrupts_off && queue->event)
        put16(cpu, used_event(queue), queue->last_used);
    *ret_descriptor = head;
    *ret_size = element.length;
    return true;
}

/* SPEC: virtio 1.2, 2.7.10: the device says in avail_event, or in its flags, whether it wants to be
 * notified. */
static bool wants_kick(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    uint16_t before = (uint16_t)(queue->available_index - queue->added);

    if (queue->packed)
        return iov_virtio_packed_wants_kick(queue, cpu);
    queue->added = 0;
    if (queue->event) {
        uint16_t event = get16(cpu, queue->used + virtq_avail_event_offset(queue->size));

        return virtq_need_event(event, queue->available_index, before) != 0;
    }
    return !(get16(cpu, queue->used + VIRTQ_USED_FLAGS) & VIRTQ_USED_NO_NOTIFY);
}

void iov_virtio_queue_kick(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    if (queue->broken)
        return;
    if (wants_kick(queue, cpu))
        iov_guest_kick(cpu, queue->doorbell, 2, queue->index);
    else
        iov_guest_kick_suppressed(cpu);
}

void iov_virtio_queue_disable(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    if (queue->event_triggered || queue->interrupts_off)
        return;
    queue->interrupts_off = true;
    if (queue->packed)
        iov_virtio_packed_off(queue, cpu);
    else if (queue->event)
        put16(cpu, used_event(queue), 0); /* there is no "never": as far away as it gets */
    else
        put16(cpu, queue->available + VIRTQ_AVAIL_FLAGS, VIRTQ_AVAIL_NO_INTERRUPT);
}

static void turn_on(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    queue->event_triggered = false;
    if (!queue->interrupts_off)
        return;
    queue->interrupts_off = false;
    if (!queue->event)
        put16(cpu, queue->available + VIRTQ_AVAIL_FLAGS, 0);
}

uint16_t iov_virtio_queue_enable(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    if (queue->packed) {
        iov_virtio_packed_on(queue, cpu, 0);
        return queue->last_used;
    }
    turn_on(queue, cpu);
    put16(cpu, used_event(queue), queue->last_used);
    return queue->last_used;
}

bool iov_virtio_queue_missed(struct virtio_queue *queue, struct iov_guest_cpu *cpu, uint16_t since)
{
    struct virtq_packed_desc descriptor;

    if (queue->broken)
        return false;
    if (queue->packed) /* nothing was taken since */
        return iov_virtio_packed_used(queue, cpu, &descriptor);
    return used_index(queue, cpu) != since;
}

bool iov_virtio_queue_enable_delayed(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    uint16_t under_way = (uint16_t)(queue->size - queue->free_count);
    uint16_t distance = (uint16_t)(under_way * 3u / 4);
    struct virtq_packed_desc descriptor;

    if (queue->packed) {
        iov_virtio_packed_on(queue, cpu, distance);
        return queue->broken || !iov_virtio_packed_used(queue, cpu, &descriptor);
    }
    turn_on(queue, cpu);

    put16(cpu, used_event(queue), (uint16_t)(queue->last_used + distance));
    if (queue->broken)
        return true;
    return (uint16_t)(used_index(queue, cpu) - queue->last_used) <= distance;
}

bool iov_virtio_queue_interrupt(struct virtio_queue *queue, struct iov_guest_cpu *cpu)
{
    struct virtq_used_elem element;

    if (queue->broken || !next_used(queue, cpu, &element))
        return false;
    if (queue->event)
        queue->event_triggered = true;
    return true;
}
