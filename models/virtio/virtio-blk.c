/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk: the virtio block device (virtio 1.2, clause 5.2) in front of a disk. Transport and rings are the family's; here are
 * requests. Each queue has an engine that takes chains; each chain becomes one of `requests` that are worked on side by side:
 *
 *     engine:   IDLE --notification--> FETCH --chain, header read--> FETCH ...; no chain: IDLE; no free request: WAITS
 *     request:  BEGIN --from memory (write)--> DISK --done--> MOVE --to memory (read)--> BEGIN for the next piece, or
 *               FINISH: status byte, used ring, interrupt
 *
 * Data moves in pieces of 64 KiB. Requests end in the order in which the disk is done with them.
 *
 * Timing: as virtio-net's: in hardware each step takes what its DMAs take, and a notification and a request the device's own time; in
 * software whoever runs the device pays. The disk's time is the disk's.
 *
 * Answers of the kind "bytes used" count all that is writable, whether the request was good or not, as drivers know it.
 * LIMIT: no secure erase, lifetime and zoned commands, no SCSI passthrough: all unsupported types.
 */
#include <string.h>

#include "core/trace/measure.h"
#include "models/virtio/virtio-pci-private.h"

#define QUEUES_MAX 64u
#define PIECE (64u * 1024u)
#define RANGE_SECTORS_MAX 0x3fffffu /* of one discard: 2 GiB less a sector */
#define HEADER ((uint64_t)sizeof(struct virtio_blk_header))

G_DECLARE_FINAL_TYPE(IovVirtioBlk, iov_virtio_blk, IOV, VIRTIO_BLK, IovVirtioPci)
#define IOV_VIRTIO_BLK_CAST(object) ((IovVirtioBlk *)(void *)(object))

enum placement { HARDWARE, SOFTWARE };

static const char *const placement_names[] = { "hardware", "software", NULL };

enum request_state {
    REQUEST_FREE,
    REQUEST_BEGIN,  /* header is here; or the next piece begins */
    REQUEST_STORED, /* a piece to write is here: to the disk with it */
    REQUEST_DISK,   /* the disk has it */
    REQUEST_MOVE,   /* the disk is done with this piece */
    REQUEST_FINISH,
    REQUEST_GONE, /* the disk has it, the driver does not know it any more */
};

struct request {
    IovVirtioBlk *blk;
    unsigned queue;
    enum request_state state;
    struct iov_event event;    /* next step; armed unless FREE, DISK or GONE */
    struct iov_block_req disk; /* the piece that the disk has */
    struct virtio_blk_header header;
    uint8_t status;
    bool flushing;       /* a write is done, now the disk's buffer */
    uint64_t size, done; /* data bytes of the request; of them, those moved */
    struct iov_span *span;
    struct request *next; /* free ones */
    struct iov_virtq_chain chain;
    uint8_t buffer[PIECE];
};

enum engine_state { ENGINE_IDLE, ENGINE_FETCH, ENGINE_WAITS };

struct engine {
    IovVirtioBlk *blk;
    unsigned queue;
    enum engine_state state;
    struct iov_event event; /* armed while FETCH */
};

struct _IovVirtioBlk {
    IovVirtioPci parent_instance;
    enum placement placement;             /* property */
    uint64_t num_queues, requests;        /* properties */
    uint64_t logical_block_size;          /* property */
    char *serial;                         /* property */
    iov_time doorbell_cost, request_cost; /* costs */
    struct iov_block_initiator disk;      /* port */
    iov_time doorbell_time, request_time;
    struct engine engines[QUEUES_MAX];
    struct request *pool; /* `requests` of them */
    struct request *free;
    uint64_t reads, writes, flushes, discards, ids, bytes_read, bytes_written; /* statistics */
    uint64_t errors, unsupported;                                              /* statistics */
};

G_DEFINE_FINAL_TYPE(IovVirtioBlk, iov_virtio_blk, IOV_TYPE_VIRTIO_PCI)

static struct iov_virtio_dma *dma_of(IovVirtioBlk *blk)
{
    return &blk->parent_instance.access;
}

static struct iov_virtq *queue_of(IovVirtioBlk *blk, unsigned queue)
{
    return &blk->parent_instance.queues[queue];
}

static iov_time now_of(const IovVirtioBlk *blk)
{
    return iov_now(blk->parent_instance.parent_instance.kernel);
}

static struct virtio_blk_config *config_of(IovVirtioBlk *blk)
{
    return (struct virtio_blk_config *)(void *)blk->parent_instance.device_config;
}

/* After any step: a broken ring stops the device until the driver resets it. */
static bool is_broken(IovVirtioBlk *blk, unsigned queue)
{
    if (queue_of(blk, queue)->fault == IOV_VIRTQ_OK)
        return false;
    iov_virtio_broken(&blk->parent_instance);
    return true;
}

/* ---- Requests come and go ---- */

static void engine_go_on(IovVirtioBlk *blk);

static void request_free(struct request *request)
{
    request->state = REQUEST_FREE;
    request->span = NULL;
    request->next = request->blk->free;
    request->blk->free = request;
}

/* The driver forgets it: what the disk has comes back to nobody. */
static void request_drop(struct request *request)
{
    switch (request->state) {
    case REQUEST_FREE:
    case REQUEST_GONE:
        return;
    case REQUEST_DISK:
        request->state = REQUEST_GONE;
        return;
    default:
        iov_event_disarm(&request->event);
        request_free(request);
    }
}

static void request_step(struct request *request, enum request_state state, iov_time delay)
{
    request->state = state;
    iov_event_in(&request->event, delay);
}

static void request_end(struct request *request, uint8_t status, iov_time delay)
{
    IovVirtioBlk *blk = request->blk;

    request->status = status;
    if (status == VIRTIO_BLK_S_UNSUPP)
        blk->unsupported++;
    else if (status != VIRTIO_BLK_S_OK)
        blk->errors++;
    request_step(request, REQUEST_FINISH, delay);
}

/* Status byte, used ring, interrupt. */
static void request_finish(struct request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtq *queue = queue_of(blk, request->queue);
    struct iov_virtio_dma *dma = dma_of(blk);
    uint64_t used = request->chain.writable_size;
    unsigned number = request->queue;

    iov_virtio_dma_begin(dma);
    if (iov_virtq_chain_write(queue, dma, &request->chain, used - 1, &request->status, 1, true,
                              request->span) &&
        iov_virtq_fill(queue, dma, 0, request->chain.head,
                       used < UINT32_MAX ? (uint32_t)used : UINT32_MAX) &&
        iov_virtq_publish(queue, dma, 1)) {
        iov_span_mark(request->span, blk, IOV_PART_PCIE, now_of(blk) + dma->delay);
        iov_virtio_signal(&blk->parent_instance, number, request->span);
    }
    request_free(request);
    if (!is_broken(blk, number))
        engine_go_on(blk);
}

/* ---- The disk ---- */

static void on_disk_done(struct iov_block_req *disk)
{
    struct request *request = iov_container_of(disk, struct request, disk);

    if (request->state == REQUEST_GONE) {
        IovVirtioBlk *blk = request->blk;

        request_free(request);
        engine_go_on(blk);
        return;
    }
    iov_span_mark(request->span, request->blk, IOV_PART_DEVICE, now_of(request->blk));
    request_step(request, REQUEST_MOVE, 0);
}

static void to_disk(struct request *request, enum iov_block_op op, uint64_t offset, uint64_t size)
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
    request->state = REQUEST_DISK;
    target->ops->submit(target, &request->disk);
}

/* SPEC: 5.2.5.1: without FLUSH, or when the driver has chosen so, a write that is done is on the medium. */
static bool writes_through(IovVirtioBlk *blk)
{
    if (iov_virtio_has(&blk->parent_instance, VIRTIO_BLK_F_CONFIG_WCE))
        return config_of(blk)->writeback == 0;
    return !iov_virtio_has(&blk->parent_instance, VIRTIO_BLK_F_FLUSH);
}

static uint64_t place_of(const struct request *request)
{
    return request->header.sector * VIRTIO_BLK_SECTOR + request->done;
}

static uint32_t piece_of(const struct request *request)
{
    return (uint32_t)MIN(request->size - request->done, PIECE);
}

/* The next piece of a read or write, or the end. */
static void piece_begin(struct request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtio_dma *dma = dma_of(blk);

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
    if (!iov_virtq_chain_read(queue_of(blk, request->queue), dma, &request->chain,
                              HEADER + request->done, request->buffer, piece_of(request), NULL)) {
        (void)is_broken(blk, request->queue);
        return;
    }
    iov_span_mark(request->span, blk, IOV_PART_PCIE, now_of(blk) + dma->delay);
    request_step(request, REQUEST_STORED, dma->delay);
}

/* The disk is done with a piece. */
static void piece_done(struct request *request)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtio_dma *dma = dma_of(blk);
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
        !iov_virtq_chain_write(queue_of(blk, request->queue), dma, &request->chain, request->done,
                               request->buffer, size, false, NULL)) {
        (void)is_broken(blk, request->queue);
        return;
    }
    request->done += size;
    request_step(request, REQUEST_BEGIN, dma->delay);
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

static void begin_data(struct request *request, bool write, uint64_t size)
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

/* As many bytes of the name as there are, with a zero behind them; what follows in the buffer stays. */
static void begin_id(struct request *request)
{
    IovVirtioBlk *blk = request->blk;
    char id[VIRTIO_BLK_ID_SIZE] = { 0 };
    uint32_t length = (uint32_t)strlen(blk->serial) + 1;

    memcpy(id, blk->serial, MIN(length, VIRTIO_BLK_ID_SIZE));
    length = MIN(length, VIRTIO_BLK_ID_SIZE);
    length = (uint32_t)MIN(length, request->chain.writable_size - 1);
    blk->ids++;
    iov_virtio_dma_begin(dma_of(blk));
    if (length == 0 || iov_virtq_chain_write(queue_of(blk, request->queue), dma_of(blk),
                                             &request->chain, 0, id, length, false, NULL))
        request_end(request, VIRTIO_BLK_S_OK, dma_of(blk)->delay);
    else
        (void)is_broken(blk, request->queue);
}

/* SPEC: 5.2.6.2: unknown flags, and unmap where it says nothing, are not supported; nor is more than one range. */
static void begin_range(struct request *request, bool zeroes)
{
    IovVirtioBlk *blk = request->blk;
    struct iov_virtq *queue = queue_of(blk, request->queue);
    struct virtio_blk_range range;
    uint64_t bytes;

    if (request->chain.readable_size > HEADER + sizeof range) {
        request_end(request, VIRTIO_BLK_S_UNSUPP, 0);
        return;
    }
    iov_virtio_dma_begin(dma_of(blk));
    if (request->chain.readable_size < HEADER + sizeof range)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        (void)iov_virtq_chain_read(queue, dma_of(blk), &request->chain, HEADER, &range,
                                   sizeof range, NULL);
    if (is_broken(blk, request->queue))
        return;
    bytes = (uint64_t)range.num_sectors * VIRTIO_BLK_SECTOR;
    if (range.num_sectors > RANGE_SECTORS_MAX || !range_is_good(blk, range.sector, bytes) ||
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

static void request_begin(struct request *request)
{
    IovVirtioBlk *blk = request->blk;

    switch (request->header.type) {
    case VIRTIO_BLK_T_IN:
        begin_data(request, false, request->chain.writable_size - 1);
        return;
    case VIRTIO_BLK_T_OUT:
        begin_data(request, true, request->chain.readable_size - HEADER);
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

static void on_request(struct iov_event *event)
{
    struct request *request = iov_container_of(event, struct request, event);

    switch (request->state) {
    case REQUEST_BEGIN:
        if (request->done > 0)
            piece_begin(request);
        else
            request_begin(request);
        return;
    case REQUEST_STORED:
        to_disk(request, IOV_BLOCK_WRITE, place_of(request), piece_of(request));
        return;
    case REQUEST_MOVE:
        piece_done(request);
        return;
    default:
        request_finish(request);
        return;
    }
}

/* ---- The engine of a queue ---- */

static void request_new(struct engine *engine, struct request *request)
{
    IovVirtioBlk *blk = engine->blk;
    struct iov_virtq *queue = queue_of(blk, engine->queue);
    struct iov_virtio_dma *dma = dma_of(blk);

    request->queue = engine->queue;
    request->done = 0;
    request->size = 0;
    request->flushing = false;
    request->span = NULL;
    /* SPEC: 5.2.6: a header to read, at least a status byte to write. */
    if (request->chain.readable_size < HEADER || request->chain.writable_size < 1)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        (void)iov_virtq_chain_read(queue, dma, &request->chain, 0, &request->header,
                                   sizeof request->header, &request->span);
    if (is_broken(blk, engine->queue))
        return;
    if (iov_virtio_is_legacy(&blk->parent_instance))
        request->header.type &= ~VIRTIO_BLK_T_BARRIER;
    if (blk->placement == HARDWARE) {
        iov_span_claim(request->span, blk, IOV_PART_QUEUE, now_of(blk));
        iov_span_mark(request->span, blk, IOV_PART_PCIE, now_of(blk) + dma->delay);
    } else if (request->span != NULL) {
        iov_span_mark(request->span, request->span->holder, IOV_PART_QUEUE, now_of(blk));
    }
    blk->free = request->next;
    request_step(request, REQUEST_BEGIN, dma->delay + blk->request_time);
    iov_event_in(&engine->event, dma->delay);
}

/* The ring is empty: asks for notifications and looks again, so that no chain is left behind. */
static void engine_rest(struct engine *engine)
{
    struct iov_virtq *queue = queue_of(engine->blk, engine->queue);
    struct iov_virtio_dma *dma = dma_of(engine->blk);

    engine->state = ENGINE_IDLE;
    (void)iov_virtq_set_notifications(queue, dma, true);
    if (iov_virtq_peek(queue, dma) == IOV_VIRTQ_CHAIN) {
        engine->state = ENGINE_FETCH;
        iov_event_in(&engine->event, dma->delay);
        return;
    }
    (void)is_broken(engine->blk, engine->queue);
}

static void on_engine(struct iov_event *event)
{
    struct engine *engine = iov_container_of(event, struct engine, event);
    IovVirtioBlk *blk = engine->blk;
    struct iov_virtq *queue = queue_of(blk, engine->queue);
    struct request *request = blk->free;

    if (request == NULL) {
        engine->state = ENGINE_WAITS;
        return;
    }
    iov_virtio_dma_begin(dma_of(blk));
    (void)iov_virtq_set_notifications(queue, dma_of(blk), false);
    switch (iov_virtq_pop(queue, dma_of(blk), &request->chain)) {
    case IOV_VIRTQ_EMPTY:
        engine_rest(engine);
        return;
    case IOV_VIRTQ_BROKEN:
        (void)is_broken(blk, engine->queue);
        return;
    default:
        request_new(engine, request);
        return;
    }
}

/* A request has become free: whoever waits for one goes on. */
static void engine_go_on(IovVirtioBlk *blk)
{
    for (unsigned i = 0; i < blk->num_queues; i++) {
        struct engine *engine = &blk->engines[i];

        if (engine->state == ENGINE_WAITS) {
            engine->state = ENGINE_FETCH;
            iov_event_in(&engine->event, 0);
        }
    }
}

static void engine_wake(struct engine *engine)
{
    if (engine->state != ENGINE_IDLE || !queue_of(engine->blk, engine->queue)->enabled ||
        !iov_virtio_live(&engine->blk->parent_instance))
        return;
    engine->state = ENGINE_FETCH;
    iov_event_in(&engine->event, engine->blk->doorbell_time);
}

/* ---- What the transport and the disk tell ---- */

static void blk_queue_reset(IovVirtioPci *pci, unsigned queue)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(pci);

    iov_event_disarm(&blk->engines[queue].event);
    blk->engines[queue].state = ENGINE_IDLE;
    for (unsigned i = 0; i < blk->requests; i++) {
        if (blk->pool[i].queue == queue)
            request_drop(&blk->pool[i]);
    }
    engine_go_on(blk);
}

static void blk_stop(IovVirtioPci *pci)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(pci);

    for (unsigned i = 0; i < blk->num_queues; i++) {
        iov_event_disarm(&blk->engines[i].event);
        blk->engines[i].state = ENGINE_IDLE;
    }
    for (unsigned i = 0; i < blk->requests; i++)
        request_drop(&blk->pool[i]);
}

static void blk_reset(IovVirtioPci *pci)
{
    blk_stop(pci);
    config_of(IOV_VIRTIO_BLK_CAST(pci))->writeback = 1;
}

/* Looks into queues that the driver filled before DRIVER_OK. */
static void blk_start(IovVirtioPci *pci)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(pci);

    for (unsigned i = 0; i < blk->num_queues; i++)
        engine_wake(&blk->engines[i]);
}

static void blk_kick(IovVirtioPci *pci, unsigned queue)
{
    engine_wake(&IOV_VIRTIO_BLK_CAST(pci)->engines[queue]);
}

/* SPEC: 5.2.4: the driver's choice of the cache mode is all that it may write. */
static void blk_config_write(IovVirtioPci *pci, uint32_t offset, const uint8_t *data, uint32_t size)
{
    if (offset == VIRTIO_BLK_CONFIG_WRITEBACK && size == 1 &&
        iov_virtio_has(pci, VIRTIO_BLK_F_CONFIG_WCE))
        config_of(IOV_VIRTIO_BLK_CAST(pci))->writeback = data[0] & 1;
    else
        iov_virtio_bad_access(pci);
}

static const struct iov_virtio_device_ops device_ops = {
    .type = VIRTIO_ID_BLOCK,
    .legacy_id = VIRTIO_PCI_DEVICE_LEGACY_BLOCK,
    .class_code = 0x010000, /* SCSI controller, as it has always been */
    .reset = blk_reset,
    .start = blk_start,
    .kick = blk_kick,
    .stop = blk_stop,
    .queue_reset = blk_queue_reset,
    .config_write = blk_config_write,
};

/* Capacity, and a geometry that old software may ask for: 16 heads, 63 sectors, as many cylinders as fit. */
static void set_capacity(IovVirtioBlk *blk)
{
    struct virtio_blk_config *config = config_of(blk);
    uint64_t sectors = blk->disk.peer->size / VIRTIO_BLK_SECTOR;

    config->capacity = sectors;
    config->heads = 16;
    config->sectors = 63;
    config->cylinders = (uint16_t)CLAMP(sectors / (16 * 63), 2, 16383);
}

static void on_resized(struct iov_block_initiator *disk)
{
    IovVirtioBlk *blk = iov_container_of(disk, IovVirtioBlk, disk);

    set_capacity(blk);
    iov_virtio_config_changed(&blk->parent_instance);
}

static const struct iov_block_initiator_ops disk_ops = { .resized = on_resized };

/* ---- Life cycle and description ---- */

static void make_workers(IovVirtioBlk *blk)
{
    struct iov_kernel *kernel = blk->parent_instance.parent_instance.kernel;

    for (unsigned i = 0; i < blk->num_queues; i++) {
        blk->engines[i].blk = blk;
        blk->engines[i].queue = i;
        iov_event_init(&blk->engines[i].event, kernel, on_engine, IOV_PRIORITY_DEFAULT);
    }
    blk->pool = g_new0(struct request, blk->requests);
    for (uint64_t i = blk->requests; i > 0; i--) {
        blk->pool[i - 1].blk = blk;
        iov_event_init(&blk->pool[i - 1].event, kernel, on_request, IOV_PRIORITY_DEFAULT);
        request_free(&blk->pool[i - 1]);
    }
}

static bool virtio_blk_prepare(IovModel *model, GError **error)
{
    static const unsigned offered[] = {
        VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_F_GEOMETRY,     VIRTIO_BLK_F_BLK_SIZE,
        VIRTIO_BLK_F_FLUSH,   VIRTIO_BLK_F_TOPOLOGY,     VIRTIO_BLK_F_CONFIG_WCE,
        VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES,
    };
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(model);
    struct virtio_blk_config config = {
        .seg_max = blk->parent_instance.queue_size - 2u, /* header and status apart */
        .blk_size = (uint32_t)blk->logical_block_size,
        .writeback = 1,
        .num_queues = (uint16_t)blk->num_queues,
        .max_discard_sectors = RANGE_SECTORS_MAX,
        .max_discard_seg = 1,
        .discard_sector_alignment = (uint32_t)blk->logical_block_size / VIRTIO_BLK_SECTOR,
        .max_write_zeroes_sectors = RANGE_SECTORS_MAX,
        .max_write_zeroes_seg = 1,
        .write_zeroes_may_unmap = 1,
    };
    uint64_t features = 0;

    if (!IOV_MODEL_CLASS(iov_virtio_blk_parent_class)->prepare(model, error))
        return false;
    if ((blk->logical_block_size & (blk->logical_block_size - 1)) != 0)
        return iov_model_fail(model, error, "logical-block-size: not a power of two");
    if (blk->parent_instance.queue_size < 4)
        return iov_model_fail(model, error, "queue-size: a request takes 3 descriptors");
    for (unsigned i = 0; i < G_N_ELEMENTS(offered); i++)
        features |= VIRTIO_FEATURE(offered[i]);
    if (blk->num_queues > 1)
        features |= VIRTIO_FEATURE(VIRTIO_BLK_F_MQ);
    if (blk->placement == HARDWARE) {
        blk->doorbell_time = blk->doorbell_cost;
        blk->request_time = blk->request_cost;
    }
    make_workers(blk);
    blk->disk.ops = &disk_ops;
    iov_virtio_pci_setup(&blk->parent_instance, (unsigned)blk->num_queues,
                         (unsigned)blk->num_queues + 1, features, &config, VIRTIO_BLK_CONFIG_SIZE);
    return true;
}

/* The disk is known: what it can. */
static bool virtio_blk_realize(IovModel *model, GError **error)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(model);

    if (!IOV_MODEL_CLASS(iov_virtio_blk_parent_class)->realize(model, error))
        return false;
    if (blk->disk.peer == NULL)
        return iov_model_fail(model, error, "port 'disk' needs a wire to a disk");
    if (blk->disk.peer->read_only)
        blk->parent_instance.offered |= VIRTIO_FEATURE(VIRTIO_BLK_F_RO);
    blk->disk.peer->front = &blk->disk;
    set_capacity(blk);
    return true;
}

/* The device is taken out: nothing must come back to it. */
static void disk_leave(IovVirtioBlk *blk)
{
    struct iov_block_target *target = blk->disk.peer;

    for (unsigned i = 0; i < blk->requests; i++) {
        if (blk->pool[i].state == REQUEST_GONE && target->ops->cancel != NULL) {
            target->ops->cancel(target, &blk->pool[i].disk);
            request_free(&blk->pool[i]);
        }
    }
}

static void virtio_blk_unrealize(IovModel *model)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(model);

    if (blk->pool != NULL) {
        blk_stop(&blk->parent_instance);
        disk_leave(blk);
    }
    if (blk->disk.peer != NULL && blk->disk.peer->front == &blk->disk)
        blk->disk.peer->front = NULL;
    IOV_MODEL_CLASS(iov_virtio_blk_parent_class)->unrealize(model);
}

static void virtio_blk_finalize(GObject *object)
{
    g_free(IOV_VIRTIO_BLK_CAST(object)->pool);
    G_OBJECT_CLASS(iov_virtio_blk_parent_class)->finalize(object);
}

static void iov_virtio_blk_init(IovVirtioBlk *blk)
{
    blk->parent_instance.ops = &device_ops;
}

static void iov_virtio_blk_class_init(IovVirtioBlkClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_blk_finalize;
    mc->prepare = virtio_blk_prepare;
    mc->realize = virtio_blk_realize;
    mc->unrealize = virtio_blk_unrealize;
    iov_model_class_describe(mc, "virtio-blk", "Virtio block device behind PCI");
    IOV_PROP_ENUM(mc, IovVirtioBlk, placement, placement_names, SOFTWARE,
                  "Hardware has times of its own; software's are charged by who runs it");
    IOV_PROP_COUNT(mc, IovVirtioBlk, num_queues, 1, QUEUES_MAX, 1, "Queues of requests");
    IOV_PROP_COUNT(mc, IovVirtioBlk, requests, 1, 1024, 64, "Requests worked on at the same time");
    IOV_PROP_SIZE(mc, IovVirtioBlk, logical_block_size, 512, 32768, 512,
                  "Smallest unit of a request, a power of two");
    IOV_PROP_STRING(mc, IovVirtioBlk, serial, "", "Name that the device gives itself, 20 bytes");
    IOV_COST(mc, IovVirtioBlk, doorbell_cost, "virtio-device-doorbell",
             "From a doorbell's arrival to the first fetch (hardware)");
    IOV_COST(mc, IovVirtioBlk, request_cost, "virtio-device-request",
             "The device's own time for a request, DMA and disk apart (hardware)");
    IOV_PORT_BLOCK_INITIATOR(mc, IovVirtioBlk, disk, "The disk");
    IOV_STAT(mc, IovVirtioBlk, reads, "Reads begun");
    IOV_STAT(mc, IovVirtioBlk, writes, "Writes begun");
    IOV_STAT(mc, IovVirtioBlk, flushes, "Flushes begun");
    IOV_STAT(mc, IovVirtioBlk, discards, "Discards and writes of zeros begun");
    IOV_STAT(mc, IovVirtioBlk, ids, "Questions for the name");
    IOV_STAT_BYTES(mc, IovVirtioBlk, bytes_read, "Bytes of reads");
    IOV_STAT_BYTES(mc, IovVirtioBlk, bytes_written, "Bytes of writes");
    IOV_STAT(mc, IovVirtioBlk, errors, "Requests answered with an I/O error");
    IOV_STAT(mc, IovVirtioBlk, unsupported, "Requests that the device does not know");
}
