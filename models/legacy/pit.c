/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pit - the 8254 interval timer: three counters in six modes, and port 0x61.
 *
 * A counter is a function of time: ticks of 1193182 Hz since it was loaded, rounded down, in
 * integers. Only the output of counter 0, which is the interrupt line, needs an event, at its next
 * change. At power-on all counters are in mode 3 with the longest count, as firmware leaves them.
 *
 * SPEC: 8254 data sheet. LIMIT: the tick that loads a count is the write itself, so that a read d
 * ticks later shows d less; a count rewritten in mode 3 takes over at the end of the period, not of
 * the half.
 * Modes 1, 2, 4 and 5 hold their output high except for the pulse that they make. With `strobe`
 * high the sense of these outputs is the other way round, as a widely used virtual machine has it;
 * in mode 2 the interrupt line is low until the first terminal count then, and falls just before
 * each further one.
 */
#include "core/object/model.h"
#include "models/legacy/pit-regs.h"
#include "models/legacy/ports-private.h"

#define COUNTERS 3u
#define SPEAKER 2u /* counter 2 has a gate */

#define IOV_TYPE_PIT (iov_pit_get_type())
G_DECLARE_FINAL_TYPE(IovPit, iov_pit, IOV, PIT, IovModel)

struct counter {
    uint8_t control; /* access, mode and BCD as written */
    uint8_t mode;    /* 0 to 5 */
    bool gate;
    bool loaded;     /* a count was written since the control word */
    bool triggered;  /* modes 1 and 5 */
    bool running;    /* ticks pass */
    bool high_write; /* the next byte written is the high one */
    bool high_read;
    uint8_t low_byte;     /* written, its high byte is awaited */
    uint8_t latched_left; /* bytes of the latched count not read yet */
    bool status_latched;
    uint8_t status;
    uint16_t latched;
    uint16_t held;    /* the count while none is loaded */
    uint32_t initial; /* 1 to 65536 */
    uint32_t next;    /* the count for the next load, 0: none waits */
    int64_t start;    /* ticks at `origin`; below 0 after a reload */
    int64_t reload;   /* tick at which `next` takes over, in modes 2 and 3 */
    iov_time origin;
};

struct _IovPit {
    IovModel parent_instance;
    int strobe;                   /* property */
    iov_time refresh;             /* property */
    uint64_t status_writable;     /* property */
    struct iov_mem_target ports;  /* port */
    struct iov_mem_target status; /* port */
    struct iov_irq_source output; /* port */
    struct iov_event change;      /* armed for the next change of the interrupt line */
    struct counter counters[COUNTERS];
    uint8_t nmi;                /* port 0x61, what is written */
    bool toggle;                /* of the refresh bit without a period */
    uint64_t interrupts, loads; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovPit, iov_pit, IOV_TYPE_MODEL)

enum { STROBE_LOW, STROBE_HIGH };
static const char *const strobes[] = { "low", "high", NULL };

/* ---- Ticks and time ---- */

static int64_t ticks_between(iov_time from, iov_time to)
{
    return (int64_t)((unsigned __int128)(to - from) * PIT_FREQUENCY / IOV_SEC);
}

/* When a tick begins. */
static iov_time tick_time(const struct counter *counter, int64_t tick)
{
    unsigned __int128 scaled = (unsigned __int128)(uint64_t)(tick - counter->start) * IOV_SEC;

    return counter->origin + (iov_time)((scaled + PIT_FREQUENCY - 1) / PIT_FREQUENCY);
}

/* Ticks since the count was loaded; a count that waits for the end of the period takes over. */
static int64_t ticks_now(struct counter *counter, iov_time now)
{
    int64_t ticks = counter->start;

    if (counter->running)
        ticks += ticks_between(counter->origin, now);
    if (counter->next != 0 && counter->running && (counter->mode == 2 || counter->mode == 3) &&
        ticks >= counter->reload) {
        counter->start -= counter->reload;
        ticks -= counter->reload;
        counter->initial = counter->next;
        counter->next = 0;
    }
    return ticks;
}

static void counter_run(struct counter *counter, bool running, int64_t ticks, iov_time now)
{
    counter->start = ticks;
    counter->origin = now;
    counter->running = running;
}

/* ---- Output and count ---- */

static uint32_t half_of(const struct counter *counter)
{
    return (counter->initial + 1) / 2;
}

static bool counter_output(const struct counter *counter, int64_t ticks, int strobe)
{
    int64_t initial = counter->initial;
    bool idle = strobe == STROBE_LOW;

    switch (counter->mode) {
    case 0:
        return counter->loaded && ticks >= initial;
    case 1:
        return counter->triggered && ticks < initial ? !idle : idle;
    case 2:
        if (!counter->loaded || !counter->gate)
            return idle;
        if (strobe == STROBE_LOW)
            return ticks % initial != initial - 1;
        return ticks != 0 && ticks % initial == 0;
    case 3:
        return !counter->loaded || !counter->gate || ticks % initial < half_of(counter);
    case 4:
        return counter->loaded && ticks == initial ? !idle : idle;
    default:
        return counter->triggered && ticks == initial ? !idle : idle;
    }
}

/* SPEC: mode 3 counts by two; of an odd count it loads one less, and the high half is longer. */
static uint32_t square_count(const struct counter *counter, uint32_t within)
{
    uint32_t even = counter->initial & ~1u;

    if (within >= half_of(counter))
        within -= half_of(counter);
    return even - 2 * within;
}

static uint16_t counter_value(struct counter *counter, iov_time now)
{
    int64_t ticks = ticks_now(counter, now);
    uint32_t range = counter->control & PIT_BCD ? 10000 : 65536;
    uint32_t value;

    if (!counter->loaded)
        return counter->held;
    if (counter->mode == 2)
        value = counter->initial - (uint32_t)(ticks % counter->initial);
    else if (counter->mode == 3)
        value = square_count(counter, (uint32_t)(ticks % counter->initial));
    else
        value = counter->initial + range - (uint32_t)(ticks % range);
    value %= range;
    if (!(counter->control & PIT_BCD))
        return (uint16_t)value;
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

/* ---- The interrupt line ---- */

static bool pulses_high(const IovPit *self, const struct counter *counter)
{
    return self->strobe == STROBE_HIGH && counter->mode == 2;
}

static bool line_level(const IovPit *self, const struct counter *counter, int64_t ticks)
{
    if (!pulses_high(self, counter))
        return counter_output(counter, ticks, self->strobe);
    return counter->loaded && ticks >= counter->initial &&
           ticks % counter->initial != counter->initial - 1;
}

/* The tick at which the line changes next, or -1. */
static int64_t next_change(const IovPit *self, const struct counter *counter, int64_t ticks)
{
    int64_t initial = counter->initial;
    int64_t period = ticks - ticks % initial;
    int64_t within = ticks - period;

    if (!counter->running || !counter->loaded)
        return -1;
    switch (counter->mode) {
    case 0:
        return ticks < initial ? initial : -1;
    case 1:
        return counter->triggered && ticks < initial ? initial : -1;
    case 2:
        if (initial == 1)
            return -1;
        if (self->strobe == STROBE_HIGH)
            return ticks < initial         ? initial
                   : within == initial - 1 ? period + initial
                                           : period + initial - 1;
        return within < initial - 1 ? period + initial - 1 : period + initial;
    case 3:
        return initial == 1                ? -1
               : within < half_of(counter) ? period + half_of(counter)
                                           : period + initial;
    default:
        if (counter->mode == 5 && !counter->triggered)
            return -1;
        return ticks < initial ? initial : ticks == initial ? initial + 1 : -1;
    }
}

static void change_arm(IovPit *self)
{
    struct counter *counter = &self->counters[0];
    int64_t ticks = ticks_now(counter, iov_now(self->parent_instance.kernel));
    int64_t next = next_change(self, counter, ticks);

    iov_event_disarm(&self->change);
    if (next >= 0)
        iov_event_at(&self->change, tick_time(counter, next));
}

static void line_update(IovPit *self)
{
    struct counter *counter = &self->counters[0];
    int64_t ticks = ticks_now(counter, iov_now(self->parent_instance.kernel));
    bool level = line_level(self, counter, ticks);

    change_arm(self);
    self->interrupts += level && !self->output.level;
    iov_irq_set(&self->output, level, NULL);
}

static void on_change(struct iov_event *event)
{
    line_update(iov_container_of(event, IovPit, change));
}

/* ---- Writing ---- */

/* The count is complete. */
static void counter_load(struct counter *counter, uint16_t value, iov_time now)
{
    int64_t ticks = ticks_now(counter, now);
    uint32_t count = value;

    if (counter->control & PIT_BCD)
        count = (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u +
                (value & 15);
    if (count == 0)
        count = counter->control & PIT_BCD ? 10000 : 65536;
    if (counter->loaded && (counter->mode == 2 || counter->mode == 3)) {
        counter->next = count;
        counter->reload = ticks - ticks % counter->initial + counter->initial;
        return;
    }
    if (counter->mode == 1 || counter->mode == 5) {
        if (counter->loaded) { /* until the next trigger */
            counter->next = count;
            return;
        }
        counter->triggered = false;
    }
    counter->initial = count;
    counter->next = 0;
    counter->loaded = true;
    counter_run(counter, counter->gate && counter->mode != 1 && counter->mode != 5, 0, now);
}

static void counter_write(struct counter *counter, uint8_t value, iov_time now)
{
    switch (counter->control >> PIT_ACCESS_SHIFT & PIT_ACCESS) {
    case PIT_ACCESS_LOW:
        counter_load(counter, value, now);
        break;
    case PIT_ACCESS_HIGH:
        counter_load(counter, (uint16_t)(value << 8), now);
        break;
    default:
        counter->high_write = !counter->high_write;
        if (!counter->high_write) {
            counter_load(counter, (uint16_t)(value << 8 | counter->low_byte), now);
            break;
        }
        counter->low_byte = value;
        if (counter->mode == 0) { /* SPEC: the first byte stops the count */
            counter->held = counter_value(counter, now);
            counter->loaded = false;
        }
    }
}

static void counter_control(struct counter *counter, uint8_t value, iov_time now)
{
    counter->held = counter_value(counter, now);
    counter->control = value & 0x3f;
    counter->mode = value >> PIT_MODE_SHIFT & PIT_MODE;
    if (counter->mode > 5) /* SPEC: bit 2 of modes 2 and 3 does not count */
        counter->mode -= 4;
    counter->high_write = counter->high_read = false;
    counter->latched_left = 0;
    counter->status_latched = false;
    counter->loaded = counter->triggered = false;
    counter->next = 0;
    counter_run(counter, false, 0, now);
}

static void latch_count(struct counter *counter, iov_time now)
{
    unsigned access = counter->control >> PIT_ACCESS_SHIFT & PIT_ACCESS;

    if (counter->latched_left != 0)
        return; /* SPEC: the first latch stays until it is read */
    counter->latched = counter_value(counter, now);
    counter->latched_left = access == PIT_ACCESS_BOTH ? 2 : 1;
}

static void latch_status(const IovPit *self, struct counter *counter, iov_time now)
{
    int64_t ticks = ticks_now(counter, now);

    if (counter->status_latched)
        return;
    counter->status_latched = true;
    counter->status = counter->control |
                      (counter_output(counter, ticks, self->strobe) ? PIT_STATUS_OUT : 0) |
                      (!counter->loaded || counter->next != 0 ? PIT_STATUS_NULL : 0);
}

/* True if it set counter 0 anew. */
static bool control_write(IovPit *self, uint8_t value)
{
    unsigned select = value >> PIT_SELECT_SHIFT;
    iov_time now = iov_now(self->parent_instance.kernel);

    if (select == PIT_READ_BACK) {
        for (unsigned i = 0; i < COUNTERS; i++) {
            if (!(value >> (i + 1) & 1))
                continue;
            if (!(value & PIT_READ_BACK_NO_COUNT))
                latch_count(&self->counters[i], now);
            if (!(value & PIT_READ_BACK_NO_STATUS))
                latch_status(self, &self->counters[i], now);
        }
        return false;
    }
    if ((value >> PIT_ACCESS_SHIFT & PIT_ACCESS) == PIT_ACCESS_LATCH) {
        latch_count(&self->counters[select], now);
        return false;
    }
    counter_control(&self->counters[select], value, now);
    return select == 0;
}

static void port_write(void *device, unsigned port, uint8_t value)
{
    IovPit *self = device;

    bool changed = port == 0;

    if (port == PIT_CONTROL) {
        changed = control_write(self, value);
    } else {
        self->loads++;
        counter_write(&self->counters[port], value, iov_now(self->parent_instance.kernel));
    }
    if (changed)
        line_update(self);
}

/* ---- Reading ---- */

static uint8_t counter_read(struct counter *counter, iov_time now)
{
    unsigned access = counter->control >> PIT_ACCESS_SHIFT & PIT_ACCESS;
    uint16_t value;
    bool high;

    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->status;
    }
    value = counter->latched_left != 0 ? counter->latched : counter_value(counter, now);
    if (counter->latched_left != 0)
        counter->latched_left--;
    high = access == PIT_ACCESS_HIGH;
    if (access == PIT_ACCESS_BOTH) {
        high = counter->high_read;
        counter->high_read = !high;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t port_read(void *device, unsigned port)
{
    IovPit *self = device;

    if (port == PIT_CONTROL)
        return 0; /* SPEC: no operation */
    return counter_read(&self->counters[port], iov_now(self->parent_instance.kernel));
}

static enum iov_status ports_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, port_read, iov_container_of(port, IovPit, ports));
}

static enum iov_status ports_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, port_write, iov_container_of(port, IovPit, ports));
}

static const struct iov_mem_target_ops ports_ops = { .read = ports_read, .write = ports_write };

/* ---- Port 0x61 ---- */

static void gate_set(struct counter *counter, bool gate, iov_time now)
{
    int64_t ticks = ticks_now(counter, now);
    bool rises = gate && !counter->gate;

    if (gate == counter->gate)
        return;
    counter->gate = gate;
    if (!counter->loaded)
        return;
    switch (counter->mode) {
    case 0:
    case 4: /* level: counting stands still */
        counter_run(counter, gate, ticks, now);
        break;
    case 1:
    case 5: /* edge: the count begins anew */
        if (!rises)
            break;
        counter->initial = counter->next != 0 ? counter->next : counter->initial;
        counter->next = 0;
        counter->triggered = true;
        counter_run(counter, true, 0, now);
        break;
    default: /* both */
        if (rises) {
            counter->initial = counter->next != 0 ? counter->next : counter->initial;
            counter->next = 0;
            ticks = 0;
        }
        counter_run(counter, gate, ticks, now);
        break;
    }
}

static uint8_t status_byte(void *device, unsigned port)
{
    IovPit *self = device;
    struct counter *counter = &self->counters[SPEAKER];
    iov_time now = iov_now(self->parent_instance.kernel);
    bool refresh = self->refresh != 0 ? now / self->refresh & 1 : !self->toggle;

    (void)port;
    self->toggle = refresh;
    return self->nmi | (refresh ? NMI_STATUS_REFRESH : 0) |
           (counter_output(counter, ticks_now(counter, now), self->strobe) ? NMI_STATUS_OUT : 0);
}

static void status_set(void *device, unsigned port, uint8_t value)
{
    IovPit *self = device;

    (void)port;
    self->nmi = value & (uint8_t)self->status_writable;
    gate_set(&self->counters[SPEAKER], value & NMI_STATUS_GATE,
             iov_now(self->parent_instance.kernel));
}

static enum iov_status status_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, status_byte, iov_container_of(port, IovPit, status));
}

static enum iov_status status_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, status_set, iov_container_of(port, IovPit, status));
}

static const struct iov_mem_target_ops status_ops = { .read = status_read, .write = status_write };

/* ---- Life ---- */

static void counters_reset(IovPit *self)
{
    self->nmi = 0;
    self->toggle = false;
    for (unsigned i = 0; i < COUNTERS; i++) {
        struct counter *counter = &self->counters[i];

        *counter =
            (struct counter){ .control = PIT_ACCESS_BOTH << PIT_ACCESS_SHIFT | 3 << PIT_MODE_SHIFT,
                              .mode = 3,
                              .gate = i != SPEAKER,
                              .loaded = true,
                              .initial = 65536 };
        counter_run(counter, counter->gate, 0, iov_now(self->parent_instance.kernel));
    }
}

static bool iov_pit_realize(IovModel *model, GError **error)
{
    IovPit *self = (IovPit *)(void *)model;

    (void)error;
    iov_event_init(&self->change, model->kernel, on_change, IOV_PRIORITY_DEFAULT);
    counters_reset(self);
    return true;
}

/* The line stays as it is until it changes: nothing rises by power-on. */
static void iov_pit_start(IovModel *model)
{
    change_arm((IovPit *)(void *)model);
}

static void iov_pit_reset(IovModel *model)
{
    counters_reset((IovPit *)(void *)model);
    change_arm((IovPit *)(void *)model);
}

static void iov_pit_unrealize(IovModel *model)
{
    iov_event_disarm(&((IovPit *)(void *)model)->change);
}

static void iov_pit_class_init(IovPitClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "pit", "The 8254 interval timer of a PC, with port 0x61");
    IOV_PROP_ENUM(mc, IovPit, strobe, strobes, STROBE_LOW,
                  "Sense of the pulses of modes 1, 2, 4 and 5: low by the data sheet");
    IOV_PROP_TIME(mc, IovPit, refresh, 0, IOV_MS, 15085 * IOV_NS,
                  "Half period of port 0x61's refresh bit; 0: it toggles with every read");
    IOV_PROP_COUNT(mc, IovPit, status_writable, NMI_STATUS_GATE | NMI_STATUS_SPEAKER,
                   NMI_STATUS_WRITABLE, NMI_STATUS_WRITABLE,
                   "Bits of port 0x61 that are kept; above the speaker are enables of NMI sources");
    IOV_PORT_MEM_TARGET(mc, IovPit, ports, &ports_ops, "Four ports at 0x40");
    IOV_PORT_MEM_TARGET(mc, IovPit, status, &status_ops, "Port 0x61");
    IOV_PORT_IRQ_SOURCE(mc, IovPit, output, "Output of counter 0: interrupt line 0");
    IOV_STAT(mc, IovPit, interrupts, "Rising edges of the output of counter 0");
    IOV_STAT(mc, IovPit, loads, "Bytes written to counters");
    mc->realize = iov_pit_realize;
    mc->start = iov_pit_start;
    mc->unrealize = iov_pit_unrealize;
    mc->reset = iov_pit_reset;
}

static void iov_pit_init(IovPit *self)
{
    self->ports.size = 4;
    self->status.size = 1;
}
