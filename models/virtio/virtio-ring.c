/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device side of the rings: see the header. The layout here is the split ring's; calls for a packed
 * one go on to virtio-ring-packed.c. The order of accesses is that of a device which keeps no
 * copies: index of the available ring (only when the known chains are used up), ring entry, then
 * one descriptor after the other; an indirect table in one read. Timing comes from whoever answers
 * the accesses.
 *
 * LIMIT: no prefetch of descriptors and no combined writes of used elements.
 */
#include "models/virtio/virtio-ring-packed.h"

/* False if memory did not answer with OK; what is read is all ones then. With `span`, which travels
 * with the bytes, they are request data. `flags`: further IOV_MEM_* flags. */
static bool dma_access(struct iov_virtio_dma *dma, uint64_t address, void *data, uint32_t size,
                       bool write, uint16_t flags, struct iov_span **span)
{
    struct iov_mem_req req = {
        .address = address,
        .data = data,
        .size = size,
        .requester = dma->requester,
        .flags = flags | IOV_MEM_AT_ONCE, /* suppression is read with it */
        .pasid = IOV_NO_PASID,
        .delay = dma->delay,
        .span = span != NULL ? *span : NULL,
    };
    enum iov_status status = IOV_STATUS_ABORT;

    if (!dma->enabled || size == 0 || address + (size - 1) < address) {
        if (!write)
            memset(data, 0xff, size);
        return false;
    }
    if (write) {
        dma->writes++;
        status = iov_mem_write_req(dma->port, &req);
    } else {
        dma->reads++;
        status = iov_mem_read_req(dma->port, &req);
        if (span != NULL)
            *span = req.span;
    }
    dma->delay = req.delay;
    dma->translation += req.translation;
    return status == IOV_STATUS_OK;
}

static bool dma_read(struct iov_virtio_dma *dma, uint64_t address, void *data, uint32_t size)
{
    return dma_access(dma, address, data, size, false, 0, NULL);
}

static bool dma_write(struct iov_virtio_dma *dma, uint64_t address, const void *data, uint32_t size)
{
    void *bytes;

    memcpy(&bytes, &data, sizeof bytes); /* the request's pointer serves both directions */
    return dma_access(dma, address, bytes, size, true, 0, NULL);
}

/* ---- Life of a queue ---- */

void iov_virtq_reset(struct iov_virtq *queue, uint16_t size_max)
{
    *queue = (struct iov_virtq){
        .size = size_max,
        .size_max = size_max,
        .vector = VIRTIO_MSI_NO_VECTOR,
        .notifications = true,
        .avail_wrap = true,
        .used_wrap = true,
    };
}

void iov_virtq_break(struct iov_virtq *queue, enum iov_virtq_fault fault)
{
    if (queue->fault == IOV_VIRTQ_OK)
        queue->fault = fault;
}

bool iov_virtq_part_is_good(uint64_t address, uint64_t bytes, unsigned alignment)
{
    return address % alignment == 0 && address + (bytes - 1) >= address;
}

bool iov_virtq_enable(struct iov_virtq *queue, bool event_index, bool indirect)
{
    uint16_t size = queue->size;

    queue->event_index = event_index;
    queue->indirect = indirect;
    queue->enabled = true;
    /* SPEC: 2.7, the queue size is a power of 2; the parts' alignments and sizes (event words
     * included). */
    if (size == 0 || (!queue->packed && (size & (size - 1)) != 0) || size > queue->size_max)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_SIZE);
    else if (queue->packed) {
        if (!iov_virtq_packed_is_good(queue))
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_ADDRESS);
    } else if (!iov_virtq_part_is_good(queue->desc, virtq_desc_bytes(size), VIRTQ_DESC_ALIGN) ||
               !iov_virtq_part_is_good(queue->avail, virtq_avail_bytes(size), VIRTQ_AVAIL_ALIGN) ||
               !iov_virtq_part_is_good(queue->used, virtq_used_bytes(size), VIRTQ_USED_ALIGN))
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_ADDRESS);
    return queue->fault == IOV_VIRTQ_OK;
}

bool iov_virtq_ring_read(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint64_t address,
                         void *data, uint32_t size)
{
    if (dma_read(dma, address, data, size))
        return true;
    iov_virtq_break(queue, IOV_VIRTQ_FAULT_MEMORY);
    return false;
}

bool iov_virtq_ring_write(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint64_t address,
                          const void *data, uint32_t size)
{
    if (dma_write(dma, address, data, size))
        return true;
    iov_virtq_break(queue, IOV_VIRTQ_FAULT_MEMORY);
    return false;
}

/* ---- Available ring and descriptors ---- */

enum iov_virtq_result iov_virtq_peek(struct iov_virtq *queue, struct iov_virtio_dma *dma)
{
    uint16_t index;

    if (queue->fault != IOV_VIRTQ_OK)
        return IOV_VIRTQ_BROKEN;
    if (!queue->enabled)
        return IOV_VIRTQ_EMPTY;
    if (queue->packed)
        return iov_virtq_packed_peek(queue, dma);
    if (queue->next_avail != queue->seen_avail)
        return IOV_VIRTQ_CHAIN;
    if (!iov_virtq_ring_read(queue, dma, queue->avail + VIRTQ_AVAIL_IDX, &index, sizeof index))
        return IOV_VIRTQ_BROKEN;
    if ((uint16_t)(index - queue->next_avail) > queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_AVAIL);
        return IOV_VIRTQ_BROKEN;
    }
    queue->seen_avail = index;
    return index != queue->next_avail ? IOV_VIRTQ_CHAIN : IOV_VIRTQ_EMPTY;
}

bool iov_virtq_add_segment(struct iov_virtq *queue, struct iov_virtq_chain *chain, uint64_t address,
                           uint32_t length, uint16_t flags)
{
    unsigned count = chain->readable + chain->writable;

    /* SPEC: 2.7.5.3.1, a chain is no longer than the queue (indirect ones included). */
    if (count >= queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_LOOP);
        return false;
    }
    if (length == 0 || address + (length - 1) < address ||
        ((flags & VIRTQ_DESC_WRITE) == 0 && chain->writable != 0)) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_DESCRIPTOR);
        return false;
    }
    chain->segments[count] = (struct iov_virtq_segment){ address, length };
    if (flags & VIRTQ_DESC_WRITE) {
        chain->writable++;
        chain->writable_size += length;
    } else {
        chain->readable++;
        chain->readable_size += length;
    }
    return true;
}

/* SPEC: 2.7.5.3: a table of descriptors elsewhere; no table in a table, never together with
 * NEXT. */
static bool open_table(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                       struct iov_virtq_chain *chain, const struct virtq_desc *desc, bool in_table)
{
    if (!queue->indirect || in_table || (desc->flags & VIRTQ_DESC_NEXT) != 0 || desc->length == 0 ||
        desc->length % sizeof *desc != 0 || desc->length / sizeof *desc > queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_INDIRECT);
        return false;
    }
    return iov_virtq_ring_read(queue, dma, desc->address, chain->table, desc->length);
}

/* Follows the chain from chain->head through the ring's table and at most one indirect table. */
static bool walk_chain(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                       struct iov_virtq_chain *chain)
{
    uint32_t table_size = queue->size;
    uint32_t index = chain->head;
    uint32_t visited = 0; /* in the present table */
    bool in_table = false;

    for (;;) {
        struct virtq_desc desc;

        if (index >= table_size) {
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_HEAD);
            return false;
        }
        if (++visited > table_size) {
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_LOOP);
            return false;
        }
        if (in_table)
            desc = chain->table[index];
        else if (!iov_virtq_ring_read(queue, dma, queue->desc + index * sizeof desc, &desc,
                                      sizeof desc))
            return false;
        if (desc.flags & VIRTQ_DESC_INDIRECT) {
            if (!open_table(queue, dma, chain, &desc, in_table))
                return false;
            in_table = true;
            table_size = desc.length / sizeof desc;
            index = 0;
            visited = 0;
            continue;
        }
        if (!iov_virtq_add_segment(queue, chain, desc.address, desc.length, desc.flags))
            return false;
        if ((desc.flags & VIRTQ_DESC_NEXT) == 0)
            return true;
        index = desc.next;
    }
}

/* Does time stand still while the ring goes round? */
static bool feeds_itself(struct iov_virtq *queue, iov_time now)
{
    if (queue->instant != now) {
        queue->instant = now;
        queue->of_instant = 0;
    }
    if (++queue->of_instant <= IOV_VIRTQ_INSTANT_MAX)
        return false;
    iov_virtq_break(queue, IOV_VIRTQ_FAULT_LOOP);
    return true;
}

enum iov_virtq_result iov_virtq_pop(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                                    struct iov_virtq_chain *chain)
{
    enum iov_virtq_result result = iov_virtq_peek(queue, dma);
    uint64_t entry;

    if (result != IOV_VIRTQ_CHAIN)
        return result;
    chain->readable = 0;
    chain->writable = 0;
    chain->readable_size = 0;
    chain->writable_size = 0;
    if (feeds_itself(queue, iov_now(dma->kernel)))
        return IOV_VIRTQ_BROKEN;
    if (queue->packed)
        return iov_virtq_packed_walk(queue, dma, chain) ? IOV_VIRTQ_CHAIN : IOV_VIRTQ_BROKEN;
    /* Each chain that was not given back has a descriptor of its own. */
    if ((uint16_t)(queue->next_avail - queue->next_used) >= queue->size) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_AVAIL);
        return IOV_VIRTQ_BROKEN;
    }
    entry = queue->avail + VIRTQ_AVAIL_RING + 2u * (queue->next_avail & (queue->size - 1u));
    if (!iov_virtq_ring_read(queue, dma, entry, &chain->head, sizeof chain->head) ||
        !walk_chain(queue, dma, chain))
        return IOV_VIRTQ_BROKEN;
    queue->next_avail++;
    return IOV_VIRTQ_CHAIN;
}

void iov_virtq_rewind(struct iov_virtq *queue, uint16_t count)
{
    if (queue->packed)
        iov_virtq_packed_rewind(queue, count);
    else
        queue->next_avail = (uint16_t)(queue->next_avail - count);
}

/* ---- Used ring, interrupts, notifications ---- */

bool iov_virtq_fill(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t place,
                    uint16_t head, uint32_t written)
{
    struct virtq_used_elem element = { .id = head, .length = written };
    uint16_t slot = (uint16_t)(queue->next_used + place) & (queue->size - 1u);

    if (queue->packed)
        return iov_virtq_packed_fill(queue, dma, place, head, written);
    return iov_virtq_ring_write(queue, dma, queue->used + VIRTQ_USED_RING + UINT64_C(8) * slot,
                                &element, sizeof element);
}

bool iov_virtq_publish(struct iov_virtq *queue, struct iov_virtio_dma *dma, uint16_t count)
{
    uint16_t index = (uint16_t)(queue->next_used + count);

    if (queue->packed)
        return iov_virtq_packed_publish(queue, dma);
    if (!iov_virtq_ring_write(queue, dma, queue->used + VIRTQ_USED_IDX, &index, sizeof index))
        return false;
    queue->next_used = index;
    return true;
}

bool iov_virtq_wants_interrupt(struct iov_virtq *queue, struct iov_virtio_dma *dma)
{
    uint16_t old = queue->signalled;
    bool known = queue->signalled_valid;
    uint16_t word;

    if (queue->packed)
        return iov_virtq_packed_wants_interrupt(queue, dma);
    if (!queue->event_index) {
        if (!iov_virtq_ring_read(queue, dma, queue->avail + VIRTQ_AVAIL_FLAGS, &word, sizeof word))
            return false;
        return (word & VIRTQ_AVAIL_NO_INTERRUPT) == 0;
    }
    if (!iov_virtq_ring_read(queue, dma, queue->avail + virtq_used_event_offset(queue->size), &word,
                             sizeof word))
        return false;
    queue->signalled = queue->next_used;
    queue->signalled_valid = true;
    return !known || virtq_need_event(word, queue->next_used, old);
}

bool iov_virtq_set_notifications(struct iov_virtq *queue, struct iov_virtio_dma *dma, bool on)
{
    uint16_t word;

    if (queue->notifications == on || !queue->enabled || queue->fault != IOV_VIRTQ_OK)
        return queue->fault == IOV_VIRTQ_OK;
    queue->notifications = on;
    if (queue->packed)
        return iov_virtq_packed_notify(queue, dma, on);
    if (queue->event_index) {
        word = queue->seen_avail;
        return !on ||
               iov_virtq_ring_write(queue, dma, queue->used + virtq_avail_event_offset(queue->size),
                                    &word, sizeof word);
    }
    word = on ? 0 : VIRTQ_USED_NO_NOTIFY;
    return iov_virtq_ring_write(queue, dma, queue->used + VIRTQ_USED_FLAGS, &word, sizeof word);
}

/* ---- Buffers ---- */

/* One run of a chain's segments, seen as a string of bytes. */
static bool copy_bytes(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                       const struct iov_virtq_segment *segments, unsigned count, uint64_t offset,
                       uint8_t *data, uint32_t size, bool write, struct iov_span **span)
{
    struct iov_span *found = NULL;

    for (unsigned i = 0; i < count && size > 0; i++) {
        const struct iov_virtq_segment *segment = &segments[i];
        struct iov_span *travelling = span != NULL && write ? *span : NULL;
        uint32_t part;

        if (offset >= segment->size) {
            offset -= segment->size;
            continue;
        }
        part = segment->size - (uint32_t)offset;
        if (part > size)
            part = size;
        if (!dma_access(dma, segment->address + offset, data, part, write,
                        span != NULL ? IOV_MEM_PAYLOAD : 0, span != NULL ? &travelling : NULL)) {
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_MEMORY);
            return false;
        }
        if (found == NULL)
            found = travelling;
        data += part;
        size -= part;
        offset = 0;
    }
    if (span != NULL && !write)
        *span = found;
    return size == 0;
}

bool iov_virtq_chain_read(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                          const struct iov_virtq_chain *chain, uint64_t offset, void *data,
                          uint32_t size, struct iov_span **ret_span)
{
    return copy_bytes(queue, dma, chain->segments, chain->readable, offset, data, size, false,
                      ret_span);
}

bool iov_virtq_chain_write(struct iov_virtq *queue, struct iov_virtio_dma *dma,
                           const struct iov_virtq_chain *chain, uint64_t offset, const void *data,
                           uint32_t size, bool payload, struct iov_span *span)
{
    void *bytes;

    memcpy(&bytes, &data, sizeof bytes);
    return copy_bytes(queue, dma, chain->segments + chain->readable, chain->writable, offset, bytes,
                      size, true, payload ? &span : NULL);
}
