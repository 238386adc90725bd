/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kinds from outside, small enough to test the command with: `ticker`, a workload that finishes
 * one request after the other, each after a fixed latency, a cost and a random jitter; and
 * `ticker-vm`, a VM without anything in it.
 */
#include "core/object/model.h"
#include "core/trace/measure.h"

typedef struct {
    IovModel parent_instance;
    uint64_t operations; /* properties */
    uint64_t warmup;
    uint64_t size;
    iov_time latency;
    iov_time jitter;
    bool mute;
    iov_time turn;                 /* cost */
    struct iov_notify_source bell; /* port */
    struct iov_event tick;         /* armed while a request is on its way */
    struct iov_span span;
    uint64_t number; /* of the request */
    uint64_t ticks;  /* statistic */
} IovTicker;
typedef IovModelClass IovTickerClass;
typedef IovModel IovTickerVm;
typedef IovModelClass IovTickerVmClass;

GType iov_ticker_get_type(void);
GType iov_ticker_vm_get_type(void);
G_DEFINE_DYNAMIC_TYPE(IovTicker, iov_ticker, IOV_TYPE_MODEL)
G_DEFINE_DYNAMIC_TYPE(IovTickerVm, iov_ticker_vm, IOV_TYPE_MODEL)

static void next_request(IovTicker *self)
{
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time jitter = iov_random_uniform(&self->parent_instance.random, 0, self->jitter);

    iov_span_begin(&self->span, self->number++, self, now);
    iov_span_mark(&self->span, self, IOV_PART_GUEST, now + self->turn);
    iov_event_in(&self->tick, self->turn + self->latency + jitter);
}

static void on_tick(struct iov_event *event)
{
    IovTicker *self = iov_container_of(event, IovTicker, tick);
    struct iov_measure *measure = self->parent_instance.run->measure;

    self->ticks++;
    iov_span_mark(&self->span, self, IOV_PART_DEVICE, iov_now(self->parent_instance.kernel));
    iov_measure_request(measure, &self->span, self->size);
    if (self->number == self->warmup)
        iov_measure_begin(measure);
    if (self->number < self->warmup + self->operations) {
        next_request(self);
    } else {
        iov_measure_end(measure, true);
        iov_kernel_stop(self->parent_instance.kernel);
    }
}

static void ticker_start(IovModel *model)
{
    IovTicker *self = (IovTicker *)model;

    iov_event_init(&self->tick, model->kernel, on_tick, IOV_PRIORITY_DEFAULT);
    if (self->warmup == 0)
        iov_measure_begin(model->run->measure);
    if (!self->mute)
        next_request(self);
}

static void iov_ticker_class_init(IovTickerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->start = ticker_start;
    iov_model_class_describe(mc, "ticker", "A workload that needs nothing");
    IOV_PROP_COUNT(mc, IovTicker, operations, 1, UINT64_C(1) << 40, 1000, "Requests to measure");
    IOV_PROP_COUNT(mc, IovTicker, warmup, 0, UINT64_C(1) << 40, 0, "Requests before them");
    IOV_PROP_SIZE(mc, IovTicker, size, 0, 65536, 64, "Payload of a request");
    IOV_PROP_TIME(mc, IovTicker, latency, 0, 100 * IOV_SEC, IOV_US, "Of a request, at least");
    IOV_PROP_TIME(mc, IovTicker, jitter, 0, IOV_SEC, 500 * IOV_NS, "What may come on top");
    IOV_PROP_BOOL(mc, IovTicker, mute, false, "Never begin");
    IOV_COST(mc, IovTicker, turn, "ticker-turn", "To begin a request");
    IOV_PORT_NOTIFY_SOURCE(mc, IovTicker, bell, "Never rung");
    IOV_STAT(mc, IovTicker, ticks, "Requests finished");
}

static void iov_ticker_class_finalize(IovTickerClass *klass)
{
    (void)klass;
}

static void iov_ticker_init(IovTicker *self)
{
    (void)self;
}

static void iov_ticker_vm_class_init(IovTickerVmClass *klass)
{
    iov_model_class_describe(IOV_MODEL_CLASS(klass), "ticker-vm", "A VM with nothing in it");
}

static void iov_ticker_vm_class_finalize(IovTickerVmClass *klass)
{
    (void)klass;
}

static void iov_ticker_vm_init(IovTickerVm *self)
{
    (void)self;
}

IOV_API bool iov_plugin_init(GTypeModule *module);

bool iov_plugin_init(GTypeModule *module)
{
    iov_ticker_register_type(module);
    iov_ticker_vm_register_type(module);
    return true;
}
