/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind from outside: "blinker" raises and lowers its interrupt wire for ever. Built as a plug-in
 * against the installed headers.
 */
#include <core/object/model.h>

typedef struct {
    IovModel parent_instance;
    iov_time period;            /* property */
    struct iov_irq_source line; /* port */
    struct iov_event blink;     /* always armed */
    uint64_t blinks;            /* statistic */
} IovBlinker;
typedef IovModelClass IovBlinkerClass;

GType iov_blinker_get_type(void);
G_DEFINE_DYNAMIC_TYPE(IovBlinker, iov_blinker, IOV_TYPE_MODEL)

static void on_blink(struct iov_event *event)
{
    IovBlinker *self = iov_container_of(event, IovBlinker, blink);

    self->blinks++;
    iov_irq_set(&self->line, !self->line.level, NULL);
    iov_event_in(&self->blink, self->period);
}

static void blinker_start(IovModel *model)
{
    IovBlinker *self = (IovBlinker *)model;

    iov_event_init(&self->blink, model->kernel, on_blink, IOV_PRIORITY_DEFAULT);
    iov_event_in(&self->blink, self->period);
}

static void iov_blinker_class_init(IovBlinkerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->start = blinker_start;
    iov_model_class_describe(mc, "blinker", "Raises and lowers a wire");
    IOV_PROP_TIME(mc, IovBlinker, period, IOV_NS, IOV_SEC, IOV_US, "Between two changes");
    IOV_PORT_IRQ_SOURCE(mc, IovBlinker, line, "The wire");
    IOV_STAT(mc, IovBlinker, blinks, "Changes");
}

static void iov_blinker_class_finalize(IovBlinkerClass *klass)
{
    (void)klass;
}

static void iov_blinker_init(IovBlinker *self)
{
    (void)self;
}

IOV_API bool iov_plugin_init(GTypeModule *module);

bool iov_plugin_init(GTypeModule *module)
{
    iov_blinker_register_type(module);
    return true;
}
