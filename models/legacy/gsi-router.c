/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gsi-router - where the interrupt lines of a PC split: a line below 16 goes to the PICs and to the
 * I/O APIC, one above to the I/O APIC only.
 *
 * A line is asserted while one of its sources is. Input 2 has no way to the PICs: their cascade
 * sits there. That the timer (line 0) arrives at pin 2 of the I/O APIC is the I/O APIC's affair
 * (its property timer-pin), so that who listens between the two hears line numbers. Takes no time.
 */
#include "core/object/model.h"

#define LINES 24u
#define ISA_LINES 16u
#define CASCADE 2u

#define IOV_TYPE_GSI_ROUTER (iov_gsi_router_get_type())
G_DECLARE_FINAL_TYPE(IovGsiRouter, iov_gsi_router, IOV, GSI_ROUTER, IovModel)

struct line {
    struct iov_irq_sink sink; /* port element */
    uint16_t index;
    uint16_t asserted; /* by how many sources */
};

struct _IovGsiRouter {
    IovModel parent_instance;
    struct line inputs[LINES];            /* port */
    struct iov_irq_source pic[ISA_LINES]; /* port */
    struct iov_irq_source ioapic[LINES];  /* port */
    uint64_t edges;                       /* statistic */
};

G_DEFINE_FINAL_TYPE(IovGsiRouter, iov_gsi_router, IOV_TYPE_MODEL)

static void line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct line *line = iov_container_of(sink, struct line, sink);
    IovGsiRouter *self = iov_container_of(line - line->index, IovGsiRouter, inputs);

    if (level)
        line->asserted++;
    else if (line->asserted > 0)
        line->asserted--;
    if (line->asserted > 1 || (!level && line->asserted > 0))
        return;
    self->edges += level;
    if (line->index < ISA_LINES && line->index != CASCADE)
        iov_irq_set(&self->pic[line->index], level, span);
    iov_irq_set(&self->ioapic[line->index], level, span);
}

static const struct iov_irq_sink_ops line_ops = { .set = line_set };

static void iov_gsi_router_class_init(IovGsiRouterClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "gsi-router",
                             "Interrupt lines of a PC, to PICs and I/O APIC alike");
    IOV_ROW_PORT(mc, IovGsiRouter, inputs, IOV_PORT_IRQ, IOV_PORT_TARGET, IOV_PORT_SHARED, LINES,
                 sizeof(struct line), &line_ops,
                 "Interrupt lines 0 to 23 (global system interrupts)");
    IOV_PORT_IRQ_SOURCES(mc, IovGsiRouter, pic, ISA_LINES, "Lines 0 to 15, to the PICs");
    IOV_PORT_IRQ_SOURCES(mc, IovGsiRouter, ioapic, LINES, "All lines, to the I/O APIC");
    IOV_STAT(mc, IovGsiRouter, edges, "Lines that became asserted");
}

static void iov_gsi_router_init(IovGsiRouter *self)
{
    for (unsigned i = 0; i < LINES; i++)
        self->inputs[i].index = (uint16_t)i;
}
