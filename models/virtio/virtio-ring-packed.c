/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device side of the packed ring (virtio 1.2, clause 2.8): one ring of descriptors that both sides
 * write. A descriptor is available when its AVAIL bit is the wrap counter and its USED bit is not,
 * and used when both are. The device writes used descriptors where it took available ones, in the
 * order of completion, and skips as many places as the chain had.
 *
 * Looking costs one read of a whole descriptor, which is kept until the chain is taken: what the
 * driver owns no more is read once. Chains that were taken and not given back are remembered with
 * their number of places, since only the driver's buffer id comes back with them. LIMIT:
 * descriptors are read one at a time, used ones are written one at a time.
 */
#include "models/virtio/virtio-ring-packed.h"

#define FLAGS_OFFSET 14
#define BITS (VIRTQ_PACKED_DESC_AVAIL | VIRTQ_PACKED_DESC_USED)
#define EVENT_FLAGS 3 /* mask of the event suppression's flags */

struct event_suppression {
    uint16_t place; /* of a descriptor, and the wrap counter in bit 15 */
    uint16_t flags;
};

bool iov_virtq_packed_is_good(const struct iov_virtq *queue)
{
    /* SPEC: 2.8.10: alignment and size of the three parts; the size need not be a power of two. */
    return iov_virtq_part_is_good(queue->desc, virtq_desc_bytes(queue->size), VIRTQ_DESC_ALIGN) &&
           iov_virtq_part_is_good(queue->avail, sizeof(struct event_suppression), 4) &&
           iov_virtq_part_is_good(queue->used, sizeof(struct event_suppression), 4);
}

static uint64_t place_of(const struct iov_virtq *queue, uint16_t index)
{
    return queue->desc + UINT64_C(16) * index;
}

/* `count` places on; the counter flips at the end of the ring. count <= size. */
static void advance(const struct iov_virtq *queue, uint16_t *index, bool *wrap, unsigned count)
{
    unsigned next = *index + count;

    if (next >= queue->size) {
        next -= queue->size;
        *wrap = !*wrap;
    }
    *index = (uint16_t)next;
}

static void retreat(const struct iov_virtq *queue, uint16_t *index, bool *wrap, unsigned count)
{
    if (count > *index) {
        *index = (uint16_t)(*index + queue->size - count);
        *wrap = !*wrap;
    } else {
        *index = (uint16_t)(*index - count);
    }
}

/* ---- Available descriptors ---- */

enum iov_virtq_result iov_virtq_packed_peek(struct iov_virtq *queue, struct iov_virtio_dma *dma)
{
    struct virtq_packed_desc desc;

    if (queue->peeked_valid)
        return IOV_VIRTQ_CHAIN;
    if (!iov_virtq_ring_read(queue, dma, place_of(queue, queue->next_avail), &desc, sizeof desc))
        return IOV_VIRTQ_BROKEN;
    if (((desc.flags & VIRTQ_PACKED_DESC_AVAIL) != 0) != queue->avail_wrap ||
        ((desc.flags & VIRTQ_PACKED_DESC_USED) != 0) == queue->avail_wrap)
        return IOV_VIRTQ_EMPTY;
    queue->peeked = desc;
    queue->peeked_valid = true;
    return IOV_VIRTQ_CHAIN;
}

/* SPEC: 2.8.7: a table of buffers in order; in it only WRITE counts. */
static bool walk_table(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                       struct iov_virtq_chain *chain, const struct virtq_packed_desc *desc)
{
    uint32_t count = desc->length / sizeof *desc;

    if (!queue->indirect || (desc->flags & VIRTQ_DESC_NEXT) != 0 || desc->length == 0 ||
        desc->length % sizeof *desc != 0 || count > queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_INDIRECT);
        return false;
    }
    if (!iov_virtq_ring_read(queue, dma, desc->address, chain->table, desc->length))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct virtq_packed_desc entry;

        memcpy(&entry, &chain->table[i], sizeof entry);
        if (entry.flags & VIRTQ_DESC_INDIRECT) {
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_INDIRECT);
            return false;
        }
        if (!iov_virtq_add_segment(queue, chain, entry.address, entry.length, entry.flags))
            return false;
    }
    return true;
}

static bool remember(struct iov_virtq *queue, uint16_t id, uint16_t places)
{
    if ((uint32_t)queue->held_places + places > queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_AVAIL); /* it overwrote what the device still has */
        return false;
    }
    queue->held[(queue->held_first + queue->held_count) % IOV_VIRTQ_SEGMENTS] =
        (struct iov_virtq_held){ id, places };
    queue->held_count++;
    queue->held_places = (uint16_t)(queue->held_places + places);
    return true;
}

bool iov_virtq_packed_walk(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                           struct iov_virtq_chain *chain)
{
    struct virtq_packed_desc desc = queue->peeked;
    uint16_t index = queue->next_avail;
    bool wrap = queue->avail_wrap;
    uint16_t places = 1;

    for (;; places++) {
        if (desc.flags & VIRTQ_DESC_INDIRECT) {
            if (places > 1) { /* SPEC: 2.8.7: a table stands alone */
                iov_virtq_break(queue, IOV_VIRTQ_FAULT_INDIRECT);
                return false;
            }
            if (!walk_table(queue, dma, chain, &desc))
                return false;
        } else if (!iov_virtq_add_segment(queue, chain, desc.address, desc.length, desc.flags)) {
            return false; /* a chain without end, too: it has more buffers than the queue */
        }
        advance(queue, &index, &wrap, 1);
        if ((desc.flags & VIRTQ_DESC_NEXT) == 0)
            break;
        if (!iov_virtq_ring_read(queue, dma, place_of(queue, index), &desc, sizeof desc))
            return false;
    }
    /* SPEC: 2.8.6: the last descriptor of a chain has the buffer id; any number will do. */
    if (!remember(queue, desc.id, places))
        return false;
    chain->head = desc.id;
    queue->next_avail = index;
    queue->avail_wrap = wrap;
    queue->peeked_valid = false;
    return true;
}

void iov_virtq_packed_rewind(struct iov_virtq *queue, uint16_t count)
{
    for (; count > 0 && queue->held_count > 0; count--) {
        uint16_t places;

        queue->held_count--;
        places = queue->held[(queue->held_first + queue->held_count) % IOV_VIRTQ_SEGMENTS].places;
        queue->held_places = (uint16_t)(queue->held_places - places);
        retreat(queue, &queue->next_avail, &queue->avail_wrap, places);
    }
    queue->peeked_valid = false;
}

/* ---- Used descriptors ---- */

/* Forgets a chain; returns its number of places. Mostly it is the oldest. */
static uint16_t forget(struct iov_virtq *queue, uint16_t id)
{
    unsigned i = 0;
    uint16_t places;

    while (i < queue->held_count &&
           queue->held[(queue->held_first + i) % IOV_VIRTQ_SEGMENTS].id != id)
        i++;
    IOV_REQUIRE(i < queue->held_count);
    places = queue->held[(queue->held_first + i) % IOV_VIRTQ_SEGMENTS].places;
    for (; i > 0; i--)
        queue->held[(queue->held_first + i) % IOV_VIRTQ_SEGMENTS] =
            queue->held[(queue->held_first + i - 1) % IOV_VIRTQ_SEGMENTS];
    queue->held_first = (uint16_t)((queue->held_first + 1) % IOV_VIRTQ_SEGMENTS);
    queue->held_count--;
    queue->held_places = (uint16_t)(queue->held_places - places);
    return places;
}

static uint16_t used_flags(bool wrap, uint32_t written)
{
    return (uint16_t)((wrap ? BITS : 0) | (written > 0 ? VIRTQ_DESC_WRITE : 0));
}

/* All but the flags of the first, which show them all: iov_virtq_packed_publish(). */
bool iov_virtq_packed_fill(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t place,
                           uint16_t head, uint32_t written)
{
    struct {
        uint32_t length;
        uint16_t id;
        uint16_t flags;
    } used = { .length = written, .id = head };
    uint64_t address;

    if (place == 0) {
        queue->fill_index = queue->next_used;
        queue->fill_wrap = queue->used_wrap;
        queue->first_flags = used_flags(queue->used_wrap, written);
    }
    used.flags = used_flags(queue->fill_wrap, written);
    address = place_of(queue, queue->fill_index) + 8;
    advance(queue, &queue->fill_index, &queue->fill_wrap, forget(queue, head));
    return iov_virtq_ring_write(queue, dma, address, &used,
                                place == 0 ? (uint32_t)sizeof used - 2u : (uint32_t)sizeof used);
}

bool iov_virtq_packed_publish(struct iov_virtq *queue, struct iov_virtio_dma *dma)
{
    if (!iov_virtq_ring_write(queue, dma, place_of(queue, queue->next_used) + FLAGS_OFFSET,
                              &queue->first_flags, sizeof queue->first_flags))
        return false;
    queue->next_used = queue->fill_index;
    queue->used_wrap = queue->fill_wrap;
    return true;
}

/* ---- Events ---- */

bool iov_virtq_packed_wants_interrupt(struct iov_virtq *queue, struct iov_virtio_dma *dma)
{
    uint16_t old = queue->signalled;
    uint16_t current = queue->next_used;
    bool known = queue->signalled_valid;
    struct event_suppression driver;
    uint16_t place;

    if (!iov_virtq_ring_read(queue, dma, queue->avail, &driver, sizeof driver))
        return false;
    queue->signalled = current;
    queue->signalled_valid = true;
    if ((driver.flags & EVENT_FLAGS) != VIRTQ_PACKED_EVENT_DESC || !queue->event_index)
        return (driver.flags & EVENT_FLAGS) != VIRTQ_PACKED_EVENT_DISABLE;
    if (!known)
        return true;
    /* SPEC: 2.8.10.1: the place counts from the lap that its wrap counter names. */
    place = (uint16_t)(driver.place & ~VIRTQ_PACKED_EVENT_WRAP);
    if (current <= old)
        old = (uint16_t)(old - queue->size);
    if (((driver.place & VIRTQ_PACKED_EVENT_WRAP) != 0) != queue->used_wrap)
        place = (uint16_t)(place - queue->size);
    return virtq_need_event(place, current, old) != 0;
}

bool iov_virtq_packed_notify(struct iov_virtq *queue, struct iov_virtio_dma *dma, bool on)
{
    struct event_suppression device = {
        .place = (uint16_t)(queue->next_avail | (queue->avail_wrap ? VIRTQ_PACKED_EVENT_WRAP : 0)),
        .flags = !on                  ? VIRTQ_PACKED_EVENT_DISABLE
                 : queue->event_index ? VIRTQ_PACKED_EVENT_DESC
                                      : VIRTQ_PACKED_EVENT_ENABLE,
    };

    if (on && queue->event_index)
        return iov_virtq_ring_write(queue, dma, queue->used, &device, sizeof device);
    return iov_virtq_ring_write(queue, dma, queue->used + 2, &device.flags, sizeof device.flags);
}
