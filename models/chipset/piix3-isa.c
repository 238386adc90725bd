/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piix3-isa - the ISA bridge 00:01.0 of Intel's PIIX3: which ISA interrupts the four PIRQ lines are
 * routed to.
 *
 * SPEC: Intel 82371SB (PIIX3), 2.2. LIMIT: X-bus, DMA and SMI control are registers only.
 */
#include "models/chipset/chipset-private.h"

#define PIRQRC 0x60
#define PIRQRC_OFF 0x80
#define PIRQS 4u
#define ISA_IRQS 16u

GType iov_piix3_isa_get_type(void);

struct pirq {
    struct iov_irq_sink sink;
    unsigned index;
    bool level;
};

typedef struct {
    ChipsetFunction parent_instance;
    struct pirq pirq[PIRQS];             /* port */
    struct iov_irq_source isa[ISA_IRQS]; /* port */
} IovPiix3Isa;
typedef ChipsetFunctionClass IovPiix3IsaClass;

G_DEFINE_TYPE(IovPiix3Isa, iov_piix3_isa, CHIPSET_TYPE_FUNCTION)

static const struct chipset_register registers[] = {
    { PCI_COMMAND, 2, 0x0007, 0x0008 }, /* it cannot be told not to decode */
    { 0x07, 1, 0x02, 0 },               /* status: medium decode */
    { 0x4c, 1, 0x4d, 0xff },            /* IORT */
    { 0x4e, 2, 0x0003, 0xffff },        /* XBCS */
    { PIRQRC, 4, 0x80808080, 0x8f8f8f8f },
    { 0x69, 1, 0x02, 0xfe },     /* TOM */
    { 0x6a, 2, 0, 0x00f1 },      /* MSTAT */
    { 0x70, 2, 0x0080, 0xefef }, /* MBIRQ */
    { 0x76, 2, 0x0c0c, 0x8f8f }, /* MBDMA */
    { 0x78, 2, 0x0002, 0xffff }, /* PCSC */
    { 0x80, 1, 0, 0x7f },        /* APICBASE */
    { 0x82, 1, 0, 0x0f },        /* DLC */
    { 0xa0, 1, 0x08, 0x1f },     /* SMICNTL */
    { 0xa2, 2, 0, 0x00ff },      /* SMIEN */
    { 0xa4, 4, 0, 0xe000ffff },  /* SEE */
    { 0xa8, 1, 0x0f, 0xff },     /* FTMR */
    { 0xaa, 2, 0, 0x00ff },      /* SMIREQ */
    { 0xac, 1, 0, 0xff },        /* CTLTMR */
    { 0xae, 1, 0, 0xff },        /* CTHTMR */
    { 0 },
};

/* An ISA interrupt is the sum of the lines routed to it. */
static void update_isa(IovPiix3Isa *self, struct iov_span *span)
{
    const uint8_t *bytes = self->parent_instance.space.bytes;
    bool levels[ISA_IRQS] = { false };

    for (unsigned i = 0; i < PIRQS; i++) {
        uint8_t route = bytes[PIRQRC + i];

        if (!(route & PIRQRC_OFF) && self->pirq[i].level)
            levels[route & 0xf] = true;
    }
    for (unsigned i = 0; i < ISA_IRQS; i++)
        iov_irq_set(&self->isa[i], levels[i], span);
}

static void pirq_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct pirq *pirq = iov_container_of(sink, struct pirq, sink);
    IovPiix3Isa *self = iov_container_of(pirq - pirq->index, IovPiix3Isa, pirq);

    pirq->level = level;
    update_isa(self, span);
}

static const struct iov_irq_sink_ops pirq_ops = { .set = pirq_set };

static void isa_changed(ChipsetFunction *function, unsigned offset, unsigned size)
{
    (void)offset;
    (void)size;
    update_isa((IovPiix3Isa *)(void *)function, NULL);
}

static void iov_piix3_isa_class_init(IovPiix3IsaClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "piix3-isa", "The ISA bridge of a PIIX3: configuration space");
    IOV_ROW_PORT(mc, IovPiix3Isa, pirq, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, PIRQS,
                 sizeof(struct pirq), &pirq_ops, "PIRQA (0) to PIRQD (3)");
    IOV_PORT_IRQ_SOURCES(mc, IovPiix3Isa, isa, ISA_IRQS, "ISA interrupts that PIRQs are routed to");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x7000,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x060100,
                                             .multifunction = true,
                                             .conventional = true };
    klass->registers = registers;
    klass->changed = isa_changed;
}

static void iov_piix3_isa_init(IovPiix3Isa *self)
{
    for (unsigned i = 0; i < PIRQS; i++)
        self->pirq[i].index = i;
}
