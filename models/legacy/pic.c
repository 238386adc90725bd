/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pic - the two 8259A interrupt controllers of a PC, the second cascaded at input 2 of the first,
 * with the chipset's edge/level registers (ELCR).
 *
 * Initialisation words, end of interrupt in all its forms, rotation, automatic end of interrupt,
 * special mask, special fully nested mode and polling are there. A processor acknowledges by a read
 * of port `acknowledge`, which answers with the vector; without a request that is the spurious one
 * (input 7). SPEC: 8259A data sheet; ELCR: I/O controller hub data sheet.
 * LIMIT: an edge stays requested when its input falls before the acknowledge; MCS-80 mode, the
 * buffered mode's pin and the LTIM bit (chipsets have the ELCR instead) mean nothing. No time.
 */
#include "core/object/model.h"
#include "models/legacy/pic-regs.h"
#include "models/legacy/ports-private.h"

#define INPUTS 16u
#define NONE 8u /* no priority */

#define IOV_TYPE_PIC (iov_pic_get_type())
G_DECLARE_FINAL_TYPE(IovPic, iov_pic, IOV, PIC, IovModel)

/* What the next byte at the odd port is. */
enum expect { EXPECT_MASK, EXPECT_ICW2, EXPECT_ICW3, EXPECT_ICW4 };

struct chip {
    uint8_t request;   /* IRR */
    uint8_t service;   /* ISR */
    uint8_t mask;      /* IMR */
    uint8_t levels;    /* of the inputs */
    uint8_t trigger;   /* ELCR: level triggered */
    uint8_t vectors;   /* base */
    uint8_t highest;   /* input of highest priority */
    uint8_t expect;    /* enum expect */
    bool read_service; /* the even port reads ISR, not IRR */
    bool poll;         /* the next read is the poll word */
    bool special_mask;
    bool nested; /* special fully nested mode */
    bool automatic_end;
    bool rotate_automatic;
    bool single; /* by ICW1: no ICW3 */
    bool wants_icw4;
};

struct pin {
    struct iov_irq_sink sink; /* port element */
    uint16_t index;
};

struct _IovPic {
    IovModel parent_instance;
    struct iov_mem_target first;       /* port */
    struct iov_mem_target second;      /* port */
    struct iov_mem_target trigger;     /* port */
    struct iov_mem_target acknowledge; /* port */
    struct iov_irq_source output;      /* port */
    struct pin pins[INPUTS];           /* port */
    struct chip chips[2];
    uint64_t requests, acknowledged, spurious; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovPic, iov_pic, IOV_TYPE_MODEL)

static const uint8_t trigger_writable[2] = { PIC_ELCR1_WRITABLE, PIC_ELCR2_WRITABLE };

/* ---- Priority ---- */

/* The highest priority in a set of inputs, counted from the input that is highest now. */
static unsigned priority_of(const struct chip *chip, uint8_t set)
{
    for (unsigned i = 0; i < 8; i++) {
        if (set >> ((i + chip->highest) & 7) & 1)
            return i;
    }
    return NONE;
}

/* The input that requests service and may have it, or -1. */
static int chip_pending(const IovPic *self, const struct chip *chip)
{
    unsigned wanted = priority_of(chip, (uint8_t)(chip->request & ~chip->mask));
    uint8_t blocking = chip->service;

    if (chip->special_mask)
        blocking = (uint8_t)(blocking & ~chip->mask);
    if (chip->nested && chip == &self->chips[0])
        blocking = (uint8_t)(blocking & ~(1u << PIC_CASCADE));
    if (wanted >= priority_of(chip, blocking))
        return -1;
    return (int)((wanted + chip->highest) & 7);
}

static void input_set(struct chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (level && (chip->trigger & bit || !(chip->levels & bit)))
        chip->request |= bit;
    else if (!level && chip->trigger & bit)
        chip->request &= (uint8_t)~bit;
    chip->levels = level ? chip->levels | bit : chip->levels & (uint8_t)~bit;
}

/* The second chip's output is an input of the first, whose output is the pair's. */
static void update(IovPic *self)
{
    input_set(&self->chips[0], PIC_CASCADE, chip_pending(self, &self->chips[1]) >= 0);
    iov_irq_set(&self->output, chip_pending(self, &self->chips[0]) >= 0, NULL);
}

static void pin_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct pin *pin = iov_container_of(sink, struct pin, sink);
    IovPic *self = iov_container_of(pin - pin->index, IovPic, pins);

    (void)span;
    if (pin->index == PIC_CASCADE)
        return;
    self->requests += level;
    input_set(&self->chips[pin->index / 8], pin->index & 7u, level);
    update(self);
}

static const struct iov_irq_sink_ops pin_ops = { .set = pin_set };

/* ---- Acknowledge ---- */

static void chip_acknowledge(struct chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!chip->automatic_end)
        chip->service |= bit;
    else if (chip->rotate_automatic)
        chip->highest = (input + 1) & 7;
    if (!(chip->trigger & bit))
        chip->request &= (uint8_t)~bit;
}

/* Both cycles of an interrupt acknowledge; the vector. */
static uint8_t pair_acknowledge(IovPic *self)
{
    struct chip *first = &self->chips[0], *second = &self->chips[1];
    int input = chip_pending(self, first);
    uint8_t vector;

    if (input < 0) {
        self->spurious++;
        return first->vectors + 7;
    }
    self->acknowledged++;
    vector = (uint8_t)(first->vectors + input);
    if (input == PIC_CASCADE) {
        int behind = chip_pending(self, second);

        if (behind >= 0)
            chip_acknowledge(second, (unsigned)behind);
        else
            self->spurious++;
        vector = (uint8_t)(second->vectors + (behind >= 0 ? behind : 7));
        input_set(first, PIC_CASCADE, false); /* INT falls at the acknowledge, and may rise again */
    }
    chip_acknowledge(first, (unsigned)input);
    update(self);
    return vector;
}

static enum iov_status acknowledge_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    iov_mem_set_value(req, pair_acknowledge(iov_container_of(port, IovPic, acknowledge)));
    return IOV_STATUS_OK;
}

static enum iov_status acknowledge_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static const struct iov_mem_target_ops acknowledge_ops = { .read = acknowledge_read,
                                                           .write = acknowledge_write };

/* ---- Command words ---- */

/* SPEC: what ICW1 clears; the ELCR stays, and with it requests that are levels. */
static void chip_initialise(struct chip *chip, uint8_t value)
{
    *chip = (struct chip){
        .request = chip->request & chip->trigger,
        .trigger = chip->trigger,
        .expect = EXPECT_ICW2,
        .single = value & PIC_ICW1_SINGLE,
        .wants_icw4 = value & PIC_ICW1_ICW4,
    };
}

static void chip_end(struct chip *chip, unsigned input, bool rotate)
{
    chip->service &= (uint8_t) ~(1u << input);
    if (rotate)
        chip->highest = (input + 1) & 7;
}

static void chip_ocw2(struct chip *chip, uint8_t value)
{
    unsigned input = value & PIC_OCW2_INPUT;
    unsigned priority;

    switch (value & PIC_OCW2_COMMAND) {
    case PIC_OCW2_ROTATE_AUTOMATIC_OFF:
    case PIC_OCW2_ROTATE_AUTOMATIC_ON:
        chip->rotate_automatic = value & PIC_OCW2_ROTATE_AUTOMATIC_ON;
        break;
    case PIC_OCW2_EOI:
    case PIC_OCW2_EOI_ROTATE:
        priority = priority_of(chip, chip->service);
        if (priority != NONE)
            chip_end(chip, (priority + chip->highest) & 7,
                     (value & PIC_OCW2_COMMAND) == PIC_OCW2_EOI_ROTATE);
        break;
    case PIC_OCW2_SPECIFIC_EOI:
    case PIC_OCW2_SPECIFIC_EOI_ROTATE:
        chip_end(chip, input, (value & PIC_OCW2_COMMAND) == PIC_OCW2_SPECIFIC_EOI_ROTATE);
        break;
    case PIC_OCW2_SET_PRIORITY:
        chip->highest = (input + 1) & 7;
        break;
    default:
        break;
    }
}

static void chip_ocw3(struct chip *chip, uint8_t value)
{
    if (value & PIC_OCW3_POLL)
        chip->poll = true;
    if (value & PIC_OCW3_READ)
        chip->read_service = value & PIC_OCW3_SERVICE;
    if (value & PIC_OCW3_MASK_COMMAND)
        chip->special_mask = value & PIC_OCW3_SPECIAL_MASK;
}

static void odd_write(struct chip *chip, uint8_t value)
{
    switch (chip->expect) {
    case EXPECT_ICW2:
        chip->vectors = value & PIC_ICW2_VECTORS;
        chip->expect = !chip->single ? EXPECT_ICW3 : chip->wants_icw4 ? EXPECT_ICW4 : EXPECT_MASK;
        break;
    case EXPECT_ICW3: /* the cascade is wired */
        chip->expect = chip->wants_icw4 ? EXPECT_ICW4 : EXPECT_MASK;
        break;
    case EXPECT_ICW4:
        chip->nested = value & PIC_ICW4_NESTED;
        chip->automatic_end = value & PIC_ICW4_AUTOMATIC_END;
        chip->expect = EXPECT_MASK;
        break;
    default:
        chip->mask = value;
        break;
    }
}

static void chip_write(IovPic *self, struct chip *chip, unsigned port, uint8_t value)
{
    if (port != 0)
        odd_write(chip, value);
    else if (value & PIC_ICW1)
        chip_initialise(chip, value);
    else if (value & PIC_OCW3)
        chip_ocw3(chip, value);
    else
        chip_ocw2(chip, value);
    update(self);
}

static uint8_t chip_read(IovPic *self, struct chip *chip, unsigned port)
{
    if (chip->poll) {
        int input = chip_pending(self, chip);

        chip->poll = false;
        if (input < 0)
            return 0;
        chip_acknowledge(chip, (unsigned)input);
        update(self);
        return (uint8_t)(PIC_POLL_REQUEST | input);
    }
    if (port != 0)
        return chip->mask;
    return chip->read_service ? chip->service : chip->request;
}

/* ---- Ports ---- */

static uint8_t first_byte(void *device, unsigned port)
{
    return chip_read(device, &((IovPic *)device)->chips[0], port);
}

static uint8_t second_byte(void *device, unsigned port)
{
    return chip_read(device, &((IovPic *)device)->chips[1], port);
}

static uint8_t trigger_byte(void *device, unsigned port)
{
    return ((IovPic *)device)->chips[port].trigger;
}

static void first_set(void *device, unsigned port, uint8_t value)
{
    chip_write(device, &((IovPic *)device)->chips[0], port, value);
}

static void second_set(void *device, unsigned port, uint8_t value)
{
    chip_write(device, &((IovPic *)device)->chips[1], port, value);
}

static void trigger_set(void *device, unsigned port, uint8_t value)
{
    ((IovPic *)device)->chips[port].trigger = value & trigger_writable[port];
}

#define PIC_PORT(name) \
    static enum iov_status name##_read(struct iov_mem_target *port, struct iov_mem_req *req) \
    { \
        return iov_ports_read(port, req, name##_byte, iov_container_of(port, IovPic, name)); \
    } \
    static enum iov_status name##_write(struct iov_mem_target *port, struct iov_mem_req *req) \
    { \
        return iov_ports_write(port, req, name##_set, iov_container_of(port, IovPic, name)); \
    } \
    static const struct iov_mem_target_ops name##_ops = { .read = name##_read, \
                                                          .write = name##_write };

PIC_PORT(first)
PIC_PORT(second)
PIC_PORT(trigger)

/* ---- Life ---- */

/* The inputs keep their levels; what is level triggered is edge triggered again. */
static void iov_pic_reset(IovModel *model)
{
    IovPic *self = (IovPic *)(void *)model;

    for (unsigned i = 0; i < 2; i++)
        self->chips[i] = (struct chip){ .levels = self->chips[i].levels };
    update(self);
}

static void iov_pic_class_init(IovPicClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "pic", "The two 8259A interrupt controllers of a PC");
    IOV_PORT_MEM_TARGET(mc, IovPic, first, &first_ops, "Two ports at 0x20");
    IOV_PORT_MEM_TARGET(mc, IovPic, second, &second_ops, "Two ports at 0xA0");
    IOV_PORT_MEM_TARGET(mc, IovPic, trigger, &trigger_ops, "Edge or level, two ports at 0x4D0");
    IOV_PORT_MEM_TARGET(mc, IovPic, acknowledge, &acknowledge_ops,
                        "Read of one byte: an interrupt acknowledge, which gives the vector");
    IOV_PORT_IRQ_SOURCE(mc, IovPic, output, "INTR of the first chip");
    IOV_ROW_PORT(mc, IovPic, pins, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, INPUTS, sizeof(struct pin),
                 &pin_ops, "Inputs 0 to 15; input 2 is the cascade and hears nothing");
    IOV_STAT(mc, IovPic, requests, "Rising inputs");
    IOV_STAT(mc, IovPic, acknowledged, "Interrupts acknowledged");
    IOV_STAT(mc, IovPic, spurious, "Acknowledges without a request");
    mc->reset = iov_pic_reset;
}

static void iov_pic_init(IovPic *self)
{
    self->first.size = 2;
    self->second.size = 2;
    self->trigger.size = 2;
    self->acknowledge.size = 1;
    for (unsigned i = 0; i < INPUTS; i++)
        self->pins[i].index = (uint16_t)i;
}
