/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk: the virtio block device (virtio 1.2, clause 5.2) in front of a disk. Transport and
 * rings are the family's; here are requests. Each queue has an engine that takes chains; each chain
 * becomes one of `requests` that are worked on side by side:
 *
 *     engine:   IDLE --notification--> FETCH --chain, header read--> FETCH ...
 *               FETCH --no chain--> IDLE, --no free request--> WAITS
 *     request:  BEGIN --from memory (write)--> DISK --done--> MOVE --to memory (read)--> BEGIN for
 *               the next piece, or FINISH: status byte, used ring, interrupt
 *
 * Data moves in pieces of 64 KiB. Requests end in the order in which the disk is done with them.
 *
 * Timing: as virtio-net's: in hardware each step takes what its DMAs take, and a notification and a
 * request the device's own time; in software whoever runs the device pays. The disk's time is the
 * disk's.
 *
 * Answers of the kind "bytes used" count all that is writable, whether the request was good or not,
 * as drivers know it.
 * LIMIT: no secure erase, lifetime and zoned commands, no SCSI passthrough: all unsupported types.
 */
#include "models/virtio/virtio-blk-private.h"

#include <string.h>

G_DEFINE_FINAL_TYPE(IovVirtioBlk, iov_virtio_blk, IOV_TYPE_VIRTIO_PCI)

static const char *const placement_names[] = { "hardware", "software", NULL };

/* ---- The engine of a queue ---- */

static void request_new(struct iov_virtio_blk_engine *engine,
                        struct iov_virtio_blk_request *request)
{
    IovVirtioBlk *blk = engine->blk;
    struct iov_virtq *queue = iov_virtio_blk_queue(blk, engine->queue);
    struct iov_virtio_dma *dma = iov_virtio_blk_dma(blk);

    request->queue = engine->queue;
    request->done = 0;
    request->size = 0;
    request->flushing = false;
    request->span = NULL;
    /* SPEC: 5.2.6: a header to read, at least a status byte to write. */
    if (request->chain.readable_size < IOV_VIRTIO_BLK_HEADER || request->chain.writable_size < 1)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        (void)iov_virtq_chain_read(queue, dma, &request->chain, 0, &request->header,
                                   sizeof request->header, &request->span);
    if (iov_virtio_blk_broken(blk, engine->queue))
        return;
    if (iov_virtio_is_legacy(&blk->parent_instance))
        request->header.type &= ~VIRTIO_BLK_T_BARRIER;
    if (blk->placement == IOV_VIRTIO_BLK_HARDWARE) {
        iov_span_claim(request->span, blk, IOV_PART_QUEUE, iov_virtio_blk_now(blk));
        iov_span_mark(request->span, blk, IOV_PART_PCIE, iov_virtio_blk_now(blk) + dma->delay);
    } else if (request->span != NULL) {
        iov_span_mark(request->span, request->span->holder, IOV_PART_QUEUE,
                      iov_virtio_blk_now(blk));
    }
    blk->free = request->next;
    iov_virtio_blk_step(request, IOV_VIRTIO_BLK_BEGIN, dma->delay + blk->request_time);
    iov_event_in(&engine->event, dma->delay);
}

/* The ring is empty: asks for notifications and looks again, so that no chain is left behind. */
static void engine_rest(struct iov_virtio_blk_engine *engine)
{
    struct iov_virtq *queue = iov_virtio_blk_queue(engine->blk, engine->queue);
    struct iov_virtio_dma *dma = iov_virtio_blk_dma(engine->blk);

    engine->state = IOV_VIRTIO_BLK_ENGINE_IDLE;
    (void)iov_virtq_set_notifications(queue, dma, true);
    if (iov_virtq_peek(queue, dma) == IOV_VIRTQ_CHAIN) {
        engine->state = IOV_VIRTIO_BLK_ENGINE_FETCH;
        iov_event_in(&engine->event, dma->delay);
        return;
    }
    (void)iov_virtio_blk_broken(engine->blk, engine->queue);
}

static void on_engine(struct iov_event *event)
{
    struct iov_virtio_blk_engine *engine =
        iov_container_of(event, struct iov_virtio_blk_engine, event);
    IovVirtioBlk *blk = engine->blk;
    struct iov_virtq *queue = iov_virtio_blk_queue(blk, engine->queue);
    struct iov_virtio_blk_request *request = blk->free;

    if (request == NULL) {
        engine->state = IOV_VIRTIO_BLK_ENGINE_WAITS;
        return;
    }
    iov_virtio_dma_begin(iov_virtio_blk_dma(blk));
    (void)iov_virtq_set_notifications(queue, iov_virtio_blk_dma(blk), false);
    switch (iov_virtq_pop(queue, iov_virtio_blk_dma(blk), &request->chain)) {
    case IOV_VIRTQ_EMPTY:
        engine_rest(engine);
        return;
    case IOV_VIRTQ_BROKEN:
        (void)iov_virtio_blk_broken(blk, engine->queue);
        return;
    default:
        request_new(engine, request);
        return;
    }
}

/* A request has become free: whoever waits for one goes on. */
void iov_virtio_blk_go_on(IovVirtioBlk *blk)
{
    for (unsigned i = 0; i < blk->num_queues; i++) {
        struct iov_virtio_blk_engine *engine = &blk->engines[i];

        if (engine->state == IOV_VIRTIO_BLK_ENGINE_WAITS) {
            engine->state = IOV_VIRTIO_BLK_ENGINE_FETCH;
            iov_event_in(&engine->event, 0);
        }
    }
}

static void engine_wake(struct iov_virtio_blk_engine *engine)
{
    if (engine->state != IOV_VIRTIO_BLK_ENGINE_IDLE ||
        !iov_virtio_blk_queue(engine->blk, engine->queue)->enabled ||
        !iov_virtio_live(&engine->blk->parent_instance))
        return;
    engine->state = IOV_VIRTIO_BLK_ENGINE_FETCH;
    iov_event_in(&engine->event, engine->blk->doorbell_time);
}

/* ---- What the transport and the disk tell ---- */

static void blk_queue_reset(IovVirtioPci *pci, unsigned queue)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(pci);

    iov_event_disarm(&blk->engines[queue].event);
    blk->engines[queue].state = IOV_VIRTIO_BLK_ENGINE_IDLE;
    for (unsigned i = 0; i < blk->requests; i++) {
        if (blk->pool[i].queue == queue)
            iov_virtio_blk_drop(&blk->pool[i]);
    }
    iov_virtio_blk_go_on(blk);
}

static void blk_stop(IovVirtioPci *pci)
{
    IovVirtioBlk *blk = IOV_VIRTIO_BLK_CAST(pci);

    for (unsigned i = 0; i < blk->num_queues; i++) {
        iov_event_disarm(&blk->engines[i].event);
        blk->engines[i].state = IOV_VIRTIO_BLK_ENGINE_IDLE;
    }
    for (unsigned i = 0; i < blk->requests; i++)
        iov_virtio_blk_drop(&blk->pool[i]);
}

static void blk_reset(IovVirtioPci *pci)
{
    blk_stop(pci);
    iov_virtio_blk_config(IOV_VIRTIO_BLK_CAST(pci))->writeback = 1;
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
        iov_virtio_blk_config(IOV_VIRTIO_BLK_CAST(pci))->writeback = data[0] & 1;
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

/* Capacity, and a geometry that old software may ask for: 16 heads, 63 sectors, as many cylinders
 * as fit. */
static void set_capacity(IovVirtioBlk *blk)
{
    struct virtio_blk_config *config = iov_virtio_blk_config(blk);
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
    blk->pool = g_new0(struct iov_virtio_blk_request, blk->requests);
    for (uint64_t i = blk->requests; i > 0; i--) {
        blk->pool[i - 1].blk = blk;
        iov_event_init(&blk->pool[i - 1].event, kernel, iov_virtio_blk_on_request,
                       IOV_PRIORITY_DEFAULT);
        iov_virtio_blk_free(&blk->pool[i - 1]);
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
        .max_discard_sectors = IOV_VIRTIO_BLK_RANGE_MAX,
        .max_discard_seg = 1,
        .discard_sector_alignment = (uint32_t)blk->logical_block_size / VIRTIO_BLK_SECTOR,
        .max_write_zeroes_sectors = IOV_VIRTIO_BLK_RANGE_MAX,
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
    if (blk->placement == IOV_VIRTIO_BLK_HARDWARE) {
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
        if (blk->pool[i].state == IOV_VIRTIO_BLK_GONE && target->ops->cancel != NULL) {
            target->ops->cancel(target, &blk->pool[i].disk);
            iov_virtio_blk_free(&blk->pool[i]);
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
    IOV_PROP_ENUM(mc, IovVirtioBlk, placement, placement_names, IOV_VIRTIO_BLK_SOFTWARE,
                  "Hardware has times of its own; software's are charged by who runs it");
    IOV_PROP_COUNT(mc, IovVirtioBlk, num_queues, 1, IOV_VIRTIO_BLK_QUEUES_MAX, 1,
                   "Queues of requests");
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
