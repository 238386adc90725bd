/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of virtio-blk from the header to the status byte: what each type asks for, its errors,
 * data in pieces. States and timing: see virtio-blk.c.
 */
#include "models/virtio/virtio-blk-private.h"

#include <string.h>

/* ---- Requests come and go ---- */

void iov_virtio_blk_free(struct iov_virtio_blk_request *request)
{
    request->state = IOV_VIRTIO_BLK_FREE;
    request->span = NULL;
    request->next = request->blk->free;
    request->blk->free = request;
}

/* The driver forgets it: what the disk has comes back to nobody. */
void iov_virtio_blk_drop(struct iov_virtio_blk_request *request)
{
    switch (request->state) {
    case IOV_VIRTIO_BLK_FREE:
    case IOV_VIRTIO_BLK_GONE:
        return;
    case IOV_VIRTIO_BLK_DISK:
        request->state = IOV_VIRTIO_BLK_GONE;
        return;
    default:
        iov_event_disarm(&request->event);
        iov_virtio_blk_free(request);
    }
}

void iov_virtio_blk_step(struct iov_virtio_blk_request *request, enum iov_virtio_blk_state state,
                         iov_time delay)
{
    request->state = state;
    iov_event_in(&request->event, delay);
}

static void request_end(struct iov_virtio_blk_request *request, uint8_t status, iov_time delay)
{
    IovVirtioBlk *blk = request->blk;

    request->status = status;
    if (status == VIRTIO_BLK_S_UNSUPP)
        blk->unsupported++;
    else if (status != VIRTIO_BLK_S_OK)
        blk->errors++;
    iov_virtio_blk_step(request, IOV_VIRTIO_BLK_FINISH, delay);
}

/* Status byte, used ring, interrupt. */
static void request_finish(struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtq *queue = iov_virtio_blk_queue(blk, request->queue);
    struct iov_virtio_dma *dma = iov_virtio_blk_dma(blk);
    uint64_t used = request->chain.writable_size;
    unsigned number = request->queue;

    iov_virtio_dma_begin(dma);
    if (iov_virtq_chain_write(queue, dma, &request->chain, used - 1, &request->status, 1, true,
                              request->span) &&
        iov_virtq_fill(queue, dma, 0, request->chain.head,
                       used < UINT32_MAX ? (uint32_t)used : UINT32_MAX) &&
        iov_virtq_publish(queue, dma, 1)) {
        iov_span_mark(request->span, blk, IOV_PART_PCIE, iov_virtio_blk_now(blk) + dma->delay);
        iov_virtio_signal(&blk->parent_instance, number, request->span);
    }
    iov_virtio_blk_free(request);
    if (!iov_virtio_blk_broken(blk, number))
        iov_virtio_blk_go_on(blk);
}

/* ---- The disk ---- */

static void on_disk_done(struct iov_block_req *disk)
{
    struct iov_virtio_blk_request *request =
        iov_container_of(disk, struct iov_virtio_blk_request, disk);

    if (request->state == IOV_VIRTIO_BLK_GONE) {
        IovVirtioBlk *blk = request->blk;

        iov_virtio_blk_free(request);
        iov_virtio_blk_go_on(blk);
        return;
    }
    iov_span_mark(request->span, request->blk, IOV_PART_DEVICE, iov_virtio_blk_now(request->blk));
    iov_virtio_blk_step(request, IOV_VIRTIO_BLK_MOVE, 0);
}

static void to_disk(struct iov_virtio_blk_request *request, enum iov_block_op op, uint64_t offset,
                    uint64_t size)
{
    struct iov_block_target *target = request->blk->disk.peer;

    request->disk = (struct iov_block_req){
        .op = op,
        .offset = offset,
        .size = size,
        .data = request->buffer,
        .span = request->span,
        .done = on_disk_done,
    };
    request->state = IOV_VIRTIO_BLK_DISK;
    target->ops->submit(target, &request->disk);
}

/* SPEC: 5.2.5.1: without FLUSH, or when the driver has chosen so, a write that is done is on the
 * medium. */
static bool writes_through(IovVirtioBlk *blk)
{
    if (iov_virtio_has(&blk->parent_instance, VIRTIO_BLK_F_CONFIG_WCE))
        return iov_virtio_blk_config(blk)->writeback == 0;
    return !iov_virtio_has(&blk->parent_instance, VIRTIO_BLK_F_FLUSH);
}

static uint64_t place_of(const struct iov_virtio_blk_request *request)
{
    return request->header.sector * VIRTIO_BLK_SECTOR + request->done;
}

static uint32_t piece_of(const struct iov_virtio_blk_request *request)
{
    return (uint32_t)MIN(request->size - request->done, IOV_VIRTIO_BLK_PIECE);
}

/* The next piece of a read or write, or the end. */
static void piece_begin(struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtio_dma *dma = iov_virtio_blk_dma(blk);

    if (request->done == request->size) {
        if (request->header.type == VIRTIO_BLK_T_OUT && writes_through(blk) && !request->flushing) {
            request->flushing = true;
            to_disk(request, IOV_BLOCK_FLUSH, 0, 0);
        } else {
            request_end(request, VIRTIO_BLK_S_OK, 0);
        }
        return;
    }
    if (request->header.type == VIRTIO_BLK_T_IN) {
        to_disk(request, IOV_BLOCK_READ, place_of(request), piece_of(request));
        return;
    }
    iov_virtio_dma_begin(dma);
    if (!iov_virtq_chain_read(iov_virtio_blk_queue(blk, request->queue), dma, &request->chain,
                              IOV_VIRTIO_BLK_HEADER + request->done, request->buffer,
                              piece_of(request), NULL)) {
        (void)iov_virtio_blk_broken(blk, request->queue);
        return;
    }
    iov_span_mark(request->span, blk, IOV_PART_PCIE, iov_virtio_blk_now(blk) + dma->delay);
    iov_virtio_blk_step(request, IOV_VIRTIO_BLK_STORED, dma->delay);
}

/* The disk is done with a piece. */
static void piece_done(struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtio_dma *dma = iov_virtio_blk_dma(blk);
    uint32_t size = piece_of(request);

    if (request->disk.status != IOV_BLOCK_OK) {
        request_end(request, VIRTIO_BLK_S_IOERR, 0);
        return;
    }
    if (request->disk.op != IOV_BLOCK_READ && request->disk.op != IOV_BLOCK_WRITE) {
        request_end(request, VIRTIO_BLK_S_OK, 0);
        return;
    }
    iov_virtio_dma_begin(dma);
    if (request->disk.op == IOV_BLOCK_READ &&
        !iov_virtq_chain_write(iov_virtio_blk_queue(blk, request->queue), dma, &request->chain,
                               request->done, request->buffer, size, false, NULL)) {
        (void)iov_virtio_blk_broken(blk, request->queue);
        return;
    }
    request->done += size;
    iov_virtio_blk_step(request, IOV_VIRTIO_BLK_BEGIN, dma->delay);
}

/* ---- What the request asks for ---- */

/* SPEC: 5.2.6.2: sectors that are not there, and parts of a block, are errors. */
static bool range_is_good(const IovVirtioBlk *blk, uint64_t sector, uint64_t bytes)
{
    uint64_t sectors = blk->disk.peer->size / VIRTIO_BLK_SECTOR;

    return bytes % blk->logical_block_size == 0 &&
           sector % (blk->logical_block_size / VIRTIO_BLK_SECTOR) == 0 && sector <= sectors &&
           bytes / VIRTIO_BLK_SECTOR <= sectors - sector;
}

static void begin_data(struct iov_virtio_blk_request *request, bool write, uint64_t size)
{
    IovVirtioBlk *blk = request->blk;

    request->size = size;
    if (!range_is_good(blk, request->header.sector, size) || (write && blk->disk.peer->read_only)) {
        request_end(request, VIRTIO_BLK_S_IOERR, 0);
        return;
    }
    *(write ? &blk->writes : &blk->reads) += 1;
    *(write ? &blk->bytes_written : &blk->bytes_read) += size;
    piece_begin(request);
}

/* As many bytes of the name as there are, with a zero behind them; what follows in the buffer
 * stays. */
static void begin_id(struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = request->blk;
    char id[VIRTIO_BLK_ID_SIZE] = { 0 };
    uint32_t length = (uint32_t)strlen(blk->serial) + 1;

    memcpy(id, blk->serial, MIN(length, VIRTIO_BLK_ID_SIZE));
    length = MIN(length, VIRTIO_BLK_ID_SIZE);
    length = (uint32_t)MIN(length, request->chain.writable_size - 1);
    blk->ids++;
    iov_virtio_dma_begin(iov_virtio_blk_dma(blk));
    if (length == 0 ||
        iov_virtq_chain_write(iov_virtio_blk_queue(blk, request->queue), iov_virtio_blk_dma(blk),
                              &request->chain, 0, id, length, false, NULL))
        request_end(request, VIRTIO_BLK_S_OK, iov_virtio_blk_dma(blk)->delay);
    else
        (void)iov_virtio_blk_broken(blk, request->queue);
}

/* SPEC: 5.2.6.2: unknown flags, and unmap where it says nothing, are not supported; nor is more
 * than one range. */
static void begin_range(struct iov_virtio_blk_request *request, bool zeroes)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtq *queue = iov_virtio_blk_queue(blk, request->queue);
    struct virtio_blk_range range;
    uint64_t bytes;

    if (request->chain.readable_size > IOV_VIRTIO_BLK_HEADER + sizeof range) {
        request_end(request, VIRTIO_BLK_S_UNSUPP, 0);
        return;
    }
    iov_virtio_dma_begin(iov_virtio_blk_dma(blk));
    if (request->chain.readable_size < IOV_VIRTIO_BLK_HEADER + sizeof range)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        (void)iov_virtq_chain_read(queue, iov_virtio_blk_dma(blk), &request->chain,
                                   IOV_VIRTIO_BLK_HEADER, &range, sizeof range, NULL);
    if (iov_virtio_blk_broken(blk, request->queue))
        return;
    bytes = (uint64_t)range.num_sectors * VIRTIO_BLK_SECTOR;
    if (range.num_sectors > IOV_VIRTIO_BLK_RANGE_MAX || !range_is_good(blk, range.sector, bytes) ||
        blk->disk.peer->read_only)
        request_end(request, VIRTIO_BLK_S_IOERR, 0);
    else if ((range.flags & ~(zeroes ? VIRTIO_BLK_RANGE_UNMAP : 0)) != 0)
        request_end(request, VIRTIO_BLK_S_UNSUPP, 0);
    else {
        blk->discards++;
        to_disk(request, zeroes ? IOV_BLOCK_WRITE_ZEROES : IOV_BLOCK_DISCARD,
                range.sector * VIRTIO_BLK_SECTOR, bytes);
    }
}

static void request_begin(struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = request->blk;

    switch (request->header.type) {
    case VIRTIO_BLK_T_IN:
        begin_data(request, false, request->chain.writable_size - 1);
        return;
    case VIRTIO_BLK_T_OUT:
        begin_data(request, true, request->chain.readable_size - IOV_VIRTIO_BLK_HEADER);
        return;
    case VIRTIO_BLK_T_FLUSH:
        blk->flushes++;
        to_disk(request, IOV_BLOCK_FLUSH, 0, 0);
        return;
    case VIRTIO_BLK_T_GET_ID:
        begin_id(request);
        return;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        begin_range(request, request->header.type == VIRTIO_BLK_T_WRITE_ZEROES);
        return;
    default:
        request_end(request, VIRTIO_BLK_S_UNSUPP, 0);
        return;
    }
}

void iov_virtio_blk_on_request(struct iov_event *event)
{
    struct iov_virtio_blk_request *request =
        iov_container_of(event, struct iov_virtio_blk_request, event);

    switch (request->state) {
    case IOV_VIRTIO_BLK_BEGIN:
        if (request->done > 0)
            piece_begin(request);
        else
            request_begin(request);
        return;
    case IOV_VIRTIO_BLK_STORED:
        to_disk(request, IOV_BLOCK_WRITE, place_of(request), piece_of(request));
        return;
    case IOV_VIRTIO_BLK_MOVE:
        piece_done(request);
        return;
    default:
        request_finish(request);
        return;
    }
}
