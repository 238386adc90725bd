/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hpet - the high precision event timer: a counter, comparators, and the switch of legacy
 * replacement.
 *
 * The counter is a function of time; a comparator that is enabled has an event at the instant the
 * counter becomes equal. The lines of the PIT and of the RTC come in at `timer` and `clock` and
 * leave on lines 0 and 8, unless legacy replacement gives these lines to comparators 0 and 1.
 *
 * SPEC: IA-PC HPET 1.0a. LIMIT: a comparator and the PIT or RTC that use one line are not or-ed,
 * the last of them counts; stopping a comparator drives its line low. Any route and message
 * delivery can be chosen, allowed or not. Interrupts of a period below 1 us come once in the first
 * whole number of periods above that.
 */
#include "core/object/model.h"
#include "models/legacy/hpet-regs.h"

#define LINES 24u
#define TIMERS 32u
#define PIT_LINE 0u
#define RTC_LINE 8u
#define SHORTEST IOV_US /* between interrupts of one timer */

#define IOV_TYPE_HPET (iov_hpet_get_type())
G_DECLARE_FINAL_TYPE(IovHpet, iov_hpet, IOV, HPET, IovModel)

struct timer {
    struct iov_event match; /* armed for the instant of equality */
    IovHpet *hpet;
    unsigned index;
    uint32_t config; /* bits that can be written */
    uint64_t comparator;
    uint64_t period;
    uint64_t message;
};

struct _IovHpet {
    IovModel parent_instance;
    iov_time period;                    /* property */
    uint64_t timers;                    /* property */
    uint64_t routes;                    /* property */
    bool messages_capable;              /* property */
    bool passed_matches;                /* property */
    uint64_t requester;                 /* property */
    struct iov_mem_target registers;    /* port */
    struct iov_mem_initiator messages;  /* port */
    struct iov_irq_sink timer;          /* port */
    struct iov_irq_sink clock;          /* port */
    struct iov_irq_source lines[LINES]; /* port */
    struct timer timer_state[TIMERS];
    uint32_t config;
    uint32_t status;
    uint64_t counter; /* at `since` */
    iov_time since;
    bool timer_level; /* what comes in */
    bool clock_level;
    uint64_t matches; /* statistic */
};

G_DEFINE_FINAL_TYPE(IovHpet, iov_hpet, IOV_TYPE_MODEL)

static bool enabled(const IovHpet *self)
{
    return self->config & HPET_CFG_ENABLE;
}

static bool replaces_legacy(const IovHpet *self)
{
    return self->config & HPET_CFG_LEGACY;
}

static uint64_t counter_now(const IovHpet *self)
{
    iov_time now = iov_now(self->parent_instance.kernel);

    return enabled(self) ? self->counter + (now - self->since) / self->period : self->counter;
}

/* ---- Interrupts ---- */

static void line_drive(IovHpet *self, unsigned line, bool level)
{
    if (line < LINES)
        iov_irq_set(&self->lines[line], level, NULL);
}

static unsigned timer_line(const struct timer *timer)
{
    if (replaces_legacy(timer->hpet) && timer->index < 2)
        return timer->index == 0 ? PIT_LINE : RTC_LINE;
    return timer->config >> HPET_TN_ROUTE_SHIFT & 0x1f;
}

static void timer_quiet(struct timer *timer)
{
    timer->hpet->status &= ~(1u << timer->index);
    if (!(timer->config & HPET_TN_MESSAGES))
        line_drive(timer->hpet, timer_line(timer), false);
}

static void message_send(struct timer *timer)
{
    uint32_t data = (uint32_t)timer->message;
    struct iov_mem_req req = { .address = timer->message >> 32,
                               .data = &data,
                               .size = sizeof data,
                               .requester = (uint16_t)timer->hpet->requester,
                               .flags = IOV_MEM_INTERRUPT,
                               .pasid = IOV_NO_PASID };

    (void)!iov_mem_write_req(&timer->hpet->messages, &req);
}

static void timer_interrupt(struct timer *timer)
{
    IovHpet *self = timer->hpet;

    if (timer->config & HPET_TN_MESSAGES) {
        message_send(timer);
    } else if (timer->config & HPET_TN_LEVEL) {
        self->status |= 1u << timer->index;
        line_drive(self, timer_line(timer), true);
    } else {
        line_drive(self, timer_line(timer), true);
        line_drive(self, timer_line(timer), false);
    }
}

/* ---- Comparators ---- */

static uint64_t width_of(const struct timer *timer)
{
    return timer->config & HPET_TN_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* Is the comparator at or behind the counter, by less than half of the way round? One that was
 * never set is ahead. */
static bool timer_passed(const struct timer *timer, uint64_t left)
{
    return left == 0 || (left > width_of(timer) / 2 && timer->comparator != width_of(timer));
}

/* Arms the event for the next time the counter becomes equal. SPEC: a comparator that was passed
 * matches after the counter has gone all the way round. */
static void timer_arm(struct timer *timer, bool has_matched)
{
    IovHpet *self = timer->hpet;
    uint64_t counter = counter_now(self);
    uint64_t left = (timer->comparator - counter) & width_of(timer);
    unsigned __int128 when;

    iov_event_disarm(&timer->match);
    if (!enabled(self) || !(timer->config & HPET_TN_ENABLE))
        return;
    if (self->passed_matches && !has_matched && timer_passed(timer, left))
        left = 1;
    if (left == 0) {
        if (!(timer->config & HPET_TN_32BIT))
            return;
        left = UINT64_C(1) << 32;
    }
    when = ((unsigned __int128)(counter - self->counter) + left) * self->period + self->since;
    if (when < IOV_TIME_MAX)
        iov_event_at(&timer->match, (iov_time)when);
}

static void on_match(struct iov_event *event)
{
    struct timer *timer = iov_container_of(event, struct timer, match);
    uint64_t step = timer->period, behind;

    timer->hpet->matches++;
    if (timer->config & HPET_TN_PERIODIC && step != 0) {
        uint64_t shortest = SHORTEST / timer->hpet->period;

        if (step < shortest)
            step *= (shortest + step - 1) / step;
        behind = (counter_now(timer->hpet) - timer->comparator) & width_of(timer);
        timer->comparator = (timer->comparator + (behind / step + 1) * step) & width_of(timer);
    }
    timer_arm(timer, true);
    timer_interrupt(timer);
}

/* ---- The lines that pass through ---- */

static void timer_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovHpet *self = iov_container_of(sink, IovHpet, timer);

    (void)span;
    self->timer_level = level;
    if (!replaces_legacy(self))
        line_drive(self, PIT_LINE, level);
}

static void clock_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovHpet *self = iov_container_of(sink, IovHpet, clock);

    (void)span;
    self->clock_level = level;
    if (!replaces_legacy(self))
        line_drive(self, RTC_LINE, level);
}

static const struct iov_irq_sink_ops timer_ops = { .set = timer_set };
static const struct iov_irq_sink_ops clock_ops = { .set = clock_set };

/* ---- Registers: 64 bits at multiples of 8 ---- */

static struct timer *timer_at(IovHpet *self, unsigned offset)
{
    unsigned index = (offset - HPET_TIMERS) / HPET_TIMER_SIZE;

    return offset >= HPET_TIMERS && index < self->timers ? &self->timer_state[index] : NULL;
}

static uint64_t timer_register(const struct timer *timer, unsigned offset)
{
    const IovHpet *self = timer->hpet;

    switch (offset % HPET_TIMER_SIZE) {
    case HPET_TIMER_CONFIGURATION:
        return self->routes << HPET_TN_ROUTES_SHIFT | timer->config | HPET_TN_PERIODIC_CAP |
               HPET_TN_64BIT_CAP | (self->messages_capable ? HPET_TN_MESSAGES_CAP : 0);
    case HPET_TIMER_COMPARATOR:
        return timer->comparator;
    case HPET_TIMER_MESSAGE:
        return timer->message;
    default:
        return 0;
    }
}

static uint64_t register_get(IovHpet *self, unsigned offset)
{
    const struct timer *timer = timer_at(self, offset);

    if (timer != NULL)
        return timer_register(timer, offset);
    switch (offset) {
    case HPET_CAPABILITY:
        return (self->period / IOV_PS * 1000) << HPET_CAP_PERIOD_SHIFT | HPET_CAP_VENDOR |
               HPET_CAP_LEGACY | HPET_CAP_64BIT | (self->timers - 1) << HPET_CAP_TIMERS_SHIFT |
               HPET_CAP_REVISION;
    case HPET_CONFIGURATION:
        return self->config;
    case HPET_STATUS:
        return self->status;
    case HPET_COUNTER:
        return counter_now(self);
    default:
        return 0;
    }
}

static void timer_configure(struct timer *timer, uint32_t value)
{
    uint32_t config = value & HPET_TN_WRITABLE;
    uint32_t changed = config ^ timer->config;

    if (changed & timer->config & HPET_TN_ENABLE || changed & config & HPET_TN_MESSAGES)
        timer_quiet(timer); /* on the line that it had */
    timer->config = config;
    timer->comparator &= width_of(timer);
    timer->period &= width_of(timer);
    timer_arm(timer, !(changed & config & HPET_TN_ENABLE));
}

/* SPEC: in periodic mode a write is the period, and the accumulator as well after the set bit. */
static void comparator_write(struct timer *timer, uint64_t value, uint64_t mask)
{
    bool periodic = timer->config & HPET_TN_PERIODIC;

    mask &= width_of(timer);
    if (!periodic || timer->config & HPET_TN_SET)
        timer->comparator = (timer->comparator & ~mask) | (value & mask);
    if (periodic)
        timer->period = (timer->period & ~mask) | (value & mask);
    timer->config &= ~HPET_TN_SET;
    timer_arm(timer, false);
}

static void timer_register_set(struct timer *timer, unsigned offset, uint64_t value, uint64_t mask)
{
    switch (offset % HPET_TIMER_SIZE) {
    case HPET_TIMER_CONFIGURATION:
        if (mask & UINT32_MAX)
            timer_configure(timer, (uint32_t)value);
        break;
    case HPET_TIMER_COMPARATOR:
        comparator_write(timer, value, mask);
        break;
    case HPET_TIMER_MESSAGE:
        timer->message = (timer->message & ~mask) | (value & mask);
        break;
    default:
        break;
    }
}

static void configure(IovHpet *self, uint32_t value)
{
    uint32_t config = value & (HPET_CFG_ENABLE | HPET_CFG_LEGACY);
    uint32_t changed = config ^ self->config;

    if (changed & HPET_CFG_ENABLE) {
        self->counter = counter_now(self);
        self->since = iov_now(self->parent_instance.kernel);
    }
    self->config = config;
    if (changed & HPET_CFG_ENABLE) {
        for (unsigned i = 0; i < self->timers; i++) {
            timer_arm(&self->timer_state[i], false);
            if (!enabled(self))
                timer_quiet(&self->timer_state[i]);
        }
    }
    if (changed & HPET_CFG_LEGACY) {
        line_drive(self, PIT_LINE, !replaces_legacy(self) && self->timer_level);
        line_drive(self, RTC_LINE, !replaces_legacy(self) && self->clock_level);
    }
}

static void register_set(IovHpet *self, unsigned offset, uint64_t value, uint64_t mask)
{
    struct timer *timer = timer_at(self, offset);
    uint32_t done;

    if (timer != NULL) {
        timer_register_set(timer, offset, value, mask);
        return;
    }
    switch (offset) {
    case HPET_CONFIGURATION:
        if (mask & UINT32_MAX)
            configure(self, (uint32_t)value);
        break;
    case HPET_STATUS:
        done = (uint32_t)(value & mask) & self->status;
        for (unsigned i = 0; i < self->timers; i++) {
            if (done >> i & 1)
                timer_quiet(&self->timer_state[i]);
        }
        break;
    case HPET_COUNTER:
        if (!enabled(self))
            self->counter = (self->counter & ~mask) | (value & mask);
        break;
    default:
        break;
    }
}

/* SPEC: accesses are of 32 or 64 bits and aligned; others read as 0 and write nothing. */
static bool access_valid(const struct iov_mem_req *req)
{
    return (req->size == 4 || req->size == 8) && req->address % req->size == 0 &&
           req->address < HPET_SIZE;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovHpet *self = iov_container_of(port, IovHpet, registers);
    unsigned shift = (req->address & 4) * 8;

    if (access_valid(req))
        iov_mem_set_value(req, register_get(self, (unsigned)req->address & ~7u) >> shift);
    else
        memset(req->data, 0, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovHpet *self = iov_container_of(port, IovHpet, registers);
    unsigned shift = (req->address & 4) * 8;
    uint64_t mask = req->size == 8 ? UINT64_MAX : UINT64_C(0xffffffff) << shift;

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    if (access_valid(req))
        register_set(self, (unsigned)req->address & ~7u, iov_mem_value(req) << shift, mask);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- Life ---- */

static void iov_hpet_reset(IovModel *model)
{
    IovHpet *self = (IovHpet *)(void *)model;

    configure(self, 0);
    for (unsigned i = 0; i < self->timers; i++) {
        struct timer *timer = &self->timer_state[i];

        timer_quiet(timer);
        timer->config = 0;
        timer->comparator = UINT64_MAX;
        timer->period = timer->message = 0;
    }
    self->counter = 0;
}

static bool iov_hpet_realize(IovModel *model, GError **error)
{
    IovHpet *self = (IovHpet *)(void *)model;

    (void)error;
    for (unsigned i = 0; i < TIMERS; i++) {
        struct timer *timer = &self->timer_state[i];

        timer->hpet = self;
        timer->index = i;
        timer->comparator = UINT64_MAX;
        iov_event_init(&timer->match, model->kernel, on_match, IOV_PRIORITY_DEFAULT);
    }
    return true;
}

static void iov_hpet_unrealize(IovModel *model)
{
    IovHpet *self = (IovHpet *)(void *)model;

    for (unsigned i = 0; i < TIMERS; i++)
        iov_event_disarm(&self->timer_state[i].match);
}

static void iov_hpet_class_init(IovHpetClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "hpet", "High precision event timer");
    IOV_PROP_TIME(mc, IovHpet, period, IOV_NS, 100 * IOV_NS, 10 * IOV_NS, "Of the main counter");
    IOV_PROP_COUNT(mc, IovHpet, timers, 3, TIMERS, 3, "Comparators");
    IOV_PROP_COUNT(mc, IovHpet, routes, 0, UINT32_MAX, 0xff0104,
                   "Lines that a comparator says it can use, a bit each");
    IOV_PROP_BOOL(mc, IovHpet, messages_capable, false,
                  "Comparators say that they can send interrupt messages");
    IOV_PROP_BOOL(mc, IovHpet, passed_matches, false,
                  "A comparator that is set behind the counter matches with the next tick");
    IOV_PROP_COUNT(mc, IovHpet, requester, 0, UINT16_MAX, 0, "Requester ID of messages");
    IOV_PORT_MEM_TARGET(mc, IovHpet, registers, &registers_ops, "1 KiB at 0xFED00000");
    IOV_PORT_MEM_INITIATOR(mc, IovHpet, messages, "Interrupt messages, at their full address");
    IOV_PORT_IRQ_SINK(mc, IovHpet, timer, &timer_ops, "The PIT's output");
    IOV_PORT_IRQ_SINK(mc, IovHpet, clock, &clock_ops, "The RTC's interrupt");
    IOV_PORT_IRQ_SOURCES(mc, IovHpet, lines, LINES, "Interrupt lines 0 to 23");
    IOV_STAT(mc, IovHpet, matches, "Matches of enabled comparators");
    mc->realize = iov_hpet_realize;
    mc->unrealize = iov_hpet_unrealize;
    mc->reset = iov_hpet_reset;
}

static void iov_hpet_init(IovHpet *self)
{
    self->registers.size = HPET_SIZE;
}
