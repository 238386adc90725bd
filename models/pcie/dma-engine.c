/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dma-engine - a PCIe device that measures the host: it reads or writes memory at random places of
 * a window, one transfer after the other (latency) or as many as it can (bandwidth), as pcie-bench
 * does on a programmable NIC.
 *
 *     [warm: writes the window once] → issue → link, IOMMU, memory → data through the engine → done
 *
 * It issues the next one after its own time, if fewer than `outstanding` are on their way. The
 * engine takes the cost dma-engine-command and dma-engine-line for each 64 bytes before it can
 * take up the next transfer, and each transfer has the fixed latency dma-engine-latency. A transfer
 * that was written is done when the link has taken it; what memory makes of it is seen by
 * `write-read`, which reads it back. SPEC: Neugebauer et al., Understanding PCIe performance for
 * end host networking, SIGCOMM 2018, section 4.
 */
#include "core/object/model.h"
#include "core/trace/measure.h"

#define OUTSTANDING_MAX 256u
#define TRANSFER_MAX 4096u
#define WARM_SIZE 512u
#define LINE 64u

enum { MODE_LATENCY, MODE_BANDWIDTH };
static const char *const modes[] = { "latency", "bandwidth", NULL };
enum { ACCESS_READ, ACCESS_WRITE, ACCESS_WRITE_READ };
static const char *const accesses[] = { "read", "write", "write-read", NULL };

#define IOV_TYPE_DMA_ENGINE (iov_dma_engine_get_type())
G_DECLARE_FINAL_TYPE(IovDmaEngine, iov_dma_engine, IOV, DMA_ENGINE, IovModel)

struct transfer {
    IovDmaEngine *engine;
    struct iov_event done;
    struct iov_span span;
    struct transfer *next; /* free list */
};

struct _IovDmaEngine {
    IovModel parent_instance;
    int mode, access;                                                        /* properties */
    uint64_t size, window, base, operations, warmup, outstanding, requester; /* properties */
    bool warm;                                                               /* property */
    iov_time command, line, latency;                                         /* costs */
    struct iov_mem_initiator dma;                                            /* port */
    struct iov_measure *measure;
    struct iov_event issue;
    struct transfer *transfers, *idle;
    uint64_t warmed, issued, finished;
    iov_time ready; /* when the engine can take up the next one */
    uint8_t bytes[TRANSFER_MAX];
    uint64_t failed; /* statistic */
};

G_DEFINE_FINAL_TYPE(IovDmaEngine, iov_dma_engine, IOV_TYPE_MODEL)

static iov_time occupancy(const IovDmaEngine *self)
{
    return self->command + self->line * ((self->size + LINE - 1) / LINE);
}

static void dma(IovDmaEngine *self, struct iov_mem_req *req, bool write)
{
    enum iov_status status =
        write ? iov_mem_write_req(&self->dma, req) : iov_mem_read_req(&self->dma, req);

    self->failed += status != IOV_STATUS_OK;
}

/* The whole window once, so that it is in the cache as far as that lets DMA in. */
static bool warm_up(IovDmaEngine *self)
{
    struct iov_mem_req req = { .address = self->base + self->warmed,
                               .data = self->bytes,
                               .size = (uint32_t)MIN(WARM_SIZE, self->window - self->warmed),
                               .requester = (uint16_t)self->requester,
                               .pasid = IOV_NO_PASID };

    if (!self->warm || self->warmed >= self->window)
        return false;
    dma(self, &req, true);
    self->warmed += req.size;
    iov_event_in(&self->issue, MAX(req.delay, self->command));
    return true;
}

static void transfer_start(IovDmaEngine *self, struct transfer *transfer)
{
    uint64_t places = MAX(self->window / MAX(self->size, LINE), 1);
    struct iov_mem_req req = {
        .address = self->base + iov_random_uniform(&self->parent_instance.random, 0, places - 1) *
                                    MAX(self->size, LINE),
        .data = self->bytes,
        .size = (uint32_t)self->size,
        .requester = (uint16_t)self->requester,
        .pasid = IOV_NO_PASID,
        .delay = self->latency
    };
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time at = now + self->latency;

    iov_span_begin(&transfer->span, self->issued++, self, now);
    iov_measure_request_begun(self->measure, &transfer->span);
    iov_span_mark(&transfer->span, self, IOV_PART_DEVICE, at);
    if (self->access != ACCESS_READ)
        dma(self, &req, true);
    if (self->access != ACCESS_WRITE)
        dma(self, &req, false);
    at = now + req.delay - req.translation;
    iov_span_mark(&transfer->span, self, IOV_PART_PCIE, at);
    at += req.translation;
    iov_span_mark(&transfer->span, self, IOV_PART_IOMMU, at);
    at += self->line * ((self->size + LINE - 1) / LINE);
    iov_span_mark(&transfer->span, self, IOV_PART_DEVICE, at);
    iov_event_at(&transfer->done, at);
}

static void on_issue(struct iov_event *event)
{
    IovDmaEngine *self = iov_container_of(event, IovDmaEngine, issue);
    struct transfer *transfer = self->idle;

    if (warm_up(self) || transfer == NULL)
        return;
    self->idle = transfer->next;
    transfer_start(self, transfer);
    self->ready = iov_now(self->parent_instance.kernel) + occupancy(self);
    if (self->mode == MODE_BANDWIDTH && self->idle != NULL)
        iov_event_at(event, self->ready);
}

static void on_done(struct iov_event *event)
{
    struct transfer *transfer = iov_container_of(event, struct transfer, done);
    IovDmaEngine *self = transfer->engine;
    iov_time now = iov_now(self->parent_instance.kernel);

    transfer->next = self->idle;
    self->idle = transfer;
    self->finished++;
    if (self->finished > self->warmup)
        iov_measure_request(self->measure, &transfer->span, self->size);
    else if (self->finished == self->warmup)
        iov_measure_begin(self->measure);
    if (self->finished == self->warmup + self->operations) {
        iov_measure_end(self->measure, true);
        iov_kernel_stop(self->parent_instance.kernel);
    }
    if (!iov_event_armed(&self->issue))
        iov_event_at(&self->issue, MAX(now, self->ready));
}

static bool iov_dma_engine_realize(IovModel *model, GError **error)
{
    IovDmaEngine *self = (IovDmaEngine *)(void *)model;
    uint64_t slots = self->mode == MODE_LATENCY ? 1 : self->outstanding;

    if (self->window < MAX(self->size, LINE))
        return iov_model_fail(model, error, "window: smaller than one transfer");
    self->measure = model->run->measure;
    self->transfers = g_new0(struct transfer, slots);
    for (uint64_t i = 0; i < slots; i++) {
        struct transfer *transfer = &self->transfers[i];

        transfer->engine = self;
        transfer->next = self->idle;
        self->idle = transfer;
        iov_event_init(&transfer->done, model->kernel, on_done, IOV_PRIORITY_DEFAULT);
    }
    iov_event_init(&self->issue, model->kernel, on_issue, IOV_PRIORITY_DEFAULT);
    return true;
}

static void iov_dma_engine_start(IovModel *model)
{
    IovDmaEngine *self = (IovDmaEngine *)(void *)model;

    if (self->warmup == 0)
        iov_measure_begin(self->measure);
    iov_event_in(&self->issue, 0);
}

static void iov_dma_engine_unrealize(IovModel *model)
{
    IovDmaEngine *self = (IovDmaEngine *)(void *)model;
    uint64_t slots = self->mode == MODE_LATENCY ? 1 : self->outstanding;

    iov_event_disarm(&self->issue);
    for (uint64_t i = 0; i < slots && self->transfers != NULL; i++)
        iov_event_disarm(&self->transfers[i].done);
    g_clear_pointer(&self->transfers, g_free);
    self->idle = NULL;
}

static void iov_dma_engine_class_init(IovDmaEngineClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "dma-engine", "A PCIe device that measures DMA");
    IOV_PROP_ENUM(mc, IovDmaEngine, mode, modes, MODE_LATENCY,
                  "One transfer at a time, or as many as possible");
    IOV_PROP_ENUM(mc, IovDmaEngine, access, accesses, ACCESS_READ, "What a transfer is");
    IOV_PROP_SIZE(mc, IovDmaEngine, size, 1, TRANSFER_MAX, 64, "Of one transfer");
    IOV_PROP_SIZE(mc, IovDmaEngine, window, 64, UINT64_C(1) << 40, 1 << 20,
                  "Transfers go to random places in so much memory");
    IOV_PROP_COUNT(mc, IovDmaEngine, base, 0, UINT64_MAX, 0, "Address of the window");
    IOV_PROP_COUNT(mc, IovDmaEngine, operations, 1, UINT32_MAX, 20000,
                   "Transfers that are measured");
    IOV_PROP_COUNT(mc, IovDmaEngine, warmup, 0, UINT32_MAX, 2000,
                   "Transfers before the measurement opens");
    IOV_PROP_COUNT(mc, IovDmaEngine, outstanding, 1, OUTSTANDING_MAX, 64,
                   "Transfers on their way at the same time, when it measures bandwidth");
    IOV_PROP_COUNT(mc, IovDmaEngine, requester, 0, UINT16_MAX, 0x0100, "Its requester ID");
    IOV_PROP_BOOL(mc, IovDmaEngine, warm, false, "Writes the whole window before it begins");
    IOV_COST(mc, IovDmaEngine, command, "dma-engine-command", "Taking up one transfer");
    IOV_COST(mc, IovDmaEngine, line, "dma-engine-line", "Moving 64 bytes inside the engine");
    IOV_COST(mc, IovDmaEngine, latency, "dma-engine-latency",
             "Of every transfer: from the program to the link and back");
    IOV_PORT_MEM_INITIATOR(mc, IovDmaEngine, dma, "Towards the root complex");
    IOV_STAT(mc, IovDmaEngine, failed, "Transfers that were refused or blocked");
    mc->realize = iov_dma_engine_realize;
    mc->start = iov_dma_engine_start;
    mc->unrealize = iov_dma_engine_unrealize;
}

static void iov_dma_engine_init(IovDmaEngine *self)
{
    (void)self;
}
