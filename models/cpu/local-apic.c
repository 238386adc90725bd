/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local-apic - the local APIC of a processor (Intel SDM vol. 3A, chapter 11), in xAPIC and x2APIC
 * mode.
 *
 * The registers live in one 4 KiB page, laid out as memory sees them, and every access goes through
 * apic.page: an owner may point it at 4 KiB of simulated memory (after copying the contents) so
 * that a processor's APIC virtualisation works on the same page. Nothing is cached beside the page.
 * The same kind is a processor's hardware and a monitor's emulation; only the owner differs.
 * Timing: none of its own but the timer's; the accesses are charged by who makes them.
 * LIMIT: no ExtINT, LINT0/LINT1 pins, SMI, arbitration or thermal and performance sources;
 * illegal-vector errors are recorded, other errors do not happen. The spurious vector is never
 * delivered: an acknowledge without a pending vector says so instead.
 */
#include <string.h>

#include "models/cpu/local-apic-private.h"

G_DEFINE_FINAL_TYPE(IovLocalApic, iov_local_apic, IOV_TYPE_MODEL)

/* ---- The page ---- */

static unsigned vector_offset(unsigned set, uint8_t vector)
{
    return set + (vector >> 5) * 0x10u;
}

static bool vector_get(const struct iov_apic *apic, unsigned set, uint8_t vector)
{
    return iov_apic_get(apic, vector_offset(set, vector)) >> (vector & 31) & 1;
}

static void vector_put(struct iov_apic *apic, unsigned set, uint8_t vector, bool value)
{
    unsigned offset = vector_offset(set, vector);
    uint32_t bit = UINT32_C(1) << (vector & 31);
    uint32_t word = iov_apic_get(apic, offset);

    iov_apic_put(apic, offset, value ? word | bit : word & ~bit);
}

static bool vectors_empty(const struct iov_apic *apic, unsigned set)
{
    return (iov_apic_get(apic, set) | iov_apic_get(apic, set + 0x10) |
            iov_apic_get(apic, set + 0x20) | iov_apic_get(apic, set + 0x30)) == 0;
}

/* Four registers are looked at together, because most of them are empty most of the time. */
static int vector_highest(const struct iov_apic *apic, unsigned set)
{
    int i = 7;

    if (vectors_empty(apic, set + 0x40)) {
        if (vectors_empty(apic, set))
            return -1;
        i = 3;
    }
    for (;; i--) {
        uint32_t word = iov_apic_get(apic, set + (unsigned)i * 0x10u);

        if (word != 0)
            return i * 32 + 31 - __builtin_clz(word);
    }
}

static bool in_x2apic(const IovLocalApic *self)
{
    return self->base & IOV_APIC_BASE_X2APIC;
}

/* SPEC: SDM vol. 3A, 11.8.3.1: the higher of the task's class and the class in service. */
static uint32_t processor_priority(const struct iov_apic *apic)
{
    uint32_t task = iov_apic_get(apic, IOV_APIC_TPR) & 0xff;
    int service = vector_highest(apic, IOV_APIC_ISR);
    uint32_t class = service < 0 ? 0 : (uint32_t)service & 0xf0;

    return (task & 0xf0) >= class ? task : class;
}

static void tell_changed(struct iov_apic *apic)
{
    if (apic->owner != NULL)
        apic->owner->ops->changed(apic);
}

/* ---- Interrupts ---- */

static void raise_error(IovLocalApic *self, uint32_t error);

static bool apic_accept(struct iov_apic *apic, uint8_t vector, bool level, struct iov_span *span)
{
    IovLocalApic *self = iov_local_apic_of(apic);

    if (vector < 16) {
        self->rejected++;
        raise_error(self, IOV_APIC_ESR_RECEIVE_ILLEGAL);
        return false;
    }
    if (!iov_local_apic_enabled(self)) {
        self->rejected++;
        return false;
    }
    if (span != NULL)
        self->spans[vector] = span;
    if (vector_get(apic, IOV_APIC_IRR, vector)) {
        self->merged++;
        return false;
    }
    vector_put(apic, IOV_APIC_TMR, vector, level);
    vector_put(apic, IOV_APIC_IRR, vector, true);
    self->accepted++;
    tell_changed(apic);
    return true;
}

/* LIMIT: one error at a time; the error interrupt itself cannot fail. */
static void raise_error(IovLocalApic *self, uint32_t error)
{
    uint32_t lvt = iov_apic_get(&self->apic, IOV_APIC_LVT_ERROR);

    if (self->errors & error)
        return;
    self->errors |= error;
    if (!(lvt & IOV_APIC_LVT_MASKED) && (lvt & IOV_APIC_LVT_VECTOR) >= 16)
        apic_accept(&self->apic, (uint8_t)lvt, false, NULL);
}

static int apic_pending(const struct iov_apic *apic)
{
    int vector = vector_highest(apic, IOV_APIC_IRR);

    if (vector < 0 || ((uint32_t)vector & 0xf0) <= (processor_priority(apic) & 0xf0))
        return -1;
    return vector;
}

static int apic_acknowledge(struct iov_apic *apic)
{
    IovLocalApic *self = iov_local_apic_of(apic);
    int vector = apic_pending(apic);

    if (vector < 0)
        return -1;
    vector_put(apic, IOV_APIC_IRR, (uint8_t)vector, false);
    vector_put(apic, IOV_APIC_ISR, (uint8_t)vector, true);
    apic->span = self->spans[vector];
    self->spans[vector] = NULL;
    return vector;
}

static void end_of_interrupt(IovLocalApic *self)
{
    struct iov_apic *apic = &self->apic;
    int vector = vector_highest(apic, IOV_APIC_ISR);

    self->eois++;
    if (vector < 0)
        return;
    vector_put(apic, IOV_APIC_ISR, (uint8_t)vector, false);

    bool level = vector_get(apic, IOV_APIC_TMR, (uint8_t)vector);
    self->level_eois += level;
    if (apic->owner != NULL && apic->owner->ops->eoi != NULL)
        apic->owner->ops->eoi(apic, (uint8_t)vector, level);
    tell_changed(apic);
}

/* `icr` with the destination in bits 63:32, whatever the mode. */
static void send(IovLocalApic *self, uint64_t icr)
{
    unsigned mode = (icr & IOV_APIC_ICR_MODE_MASK) >> IOV_APIC_ICR_MODE_SHIFT;
    unsigned shorthand = (icr & IOV_APIC_ICR_SHORTHAND_MASK) >> IOV_APIC_ICR_SHORTHAND_SHIFT;
    uint8_t vector = (uint8_t)(icr & IOV_APIC_ICR_VECTOR);

    self->ipis++;
    if ((mode == IOV_APIC_MODE_FIXED || mode == IOV_APIC_MODE_LOWEST) && vector < 16) {
        raise_error(self, IOV_APIC_ESR_SEND_ILLEGAL);
        return;
    }
    if (shorthand == IOV_APIC_SHORTHAND_SELF) {
        if (mode == IOV_APIC_MODE_FIXED)
            apic_accept(&self->apic, vector, false, NULL);
        return;
    }
    if (self->apic.owner != NULL && self->apic.owner->ops->ipi != NULL)
        self->apic.owner->ops->ipi(&self->apic, icr);
}

/* SPEC: SDM vol. 3A, 11.6.2 and 11.12.10. */
static bool apic_addressed(const struct iov_apic *apic, uint32_t destination, bool logical)
{
    const IovLocalApic *self = iov_local_apic_of(apic);

    if (!(self->base & IOV_APIC_BASE_ENABLE))
        return false;
    if (in_x2apic(self)) {
        uint32_t ldr = iov_apic_get(apic, IOV_APIC_LDR);

        if (destination == UINT32_MAX)
            return true;
        if (!logical)
            return destination == self->id;
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff) != 0;
    }
    destination &= 0xff;
    if (destination == 0xff)
        return true;
    if (!logical)
        return destination == iov_apic_get(apic, IOV_APIC_ID) >> 24;

    uint32_t ldr = iov_apic_get(apic, IOV_APIC_LDR) >> 24;
    if (iov_apic_get(apic, IOV_APIC_DFR) >> 28 == 0xf)
        return (destination & ldr) != 0;
    /* Cluster model: cluster 15 is all clusters. */
    return (destination >> 4 == 0xf || destination >> 4 == ldr >> 4) &&
           (destination & ldr & 0xf) != 0;
}

/* ---- Registers ---- */

static void lvt_write(IovLocalApic *self, unsigned offset, uint32_t value)
{
    static const uint32_t writable[] = {
        [(IOV_APIC_LVT_TIMER - IOV_APIC_LVT_TIMER) >> 4] = 0x700ff,
        [(IOV_APIC_LVT_THERMAL - IOV_APIC_LVT_TIMER) >> 4] = 0x107ff,
        [(IOV_APIC_LVT_PMC - IOV_APIC_LVT_TIMER) >> 4] = 0x107ff,
        [(IOV_APIC_LVT_LINT0 - IOV_APIC_LVT_TIMER) >> 4] = 0x1a7ff,
        [(IOV_APIC_LVT_LINT1 - IOV_APIC_LVT_TIMER) >> 4] = 0x1a7ff,
        [(IOV_APIC_LVT_ERROR - IOV_APIC_LVT_TIMER) >> 4] = 0x100ff,
    };

    value &= offset == IOV_APIC_LVT_CMCI ? 0x107ffu : writable[(offset - IOV_APIC_LVT_TIMER) >> 4];
    if (!(iov_apic_get(&self->apic, IOV_APIC_SVR) & IOV_APIC_SVR_ENABLE))
        value |= IOV_APIC_LVT_MASKED;
    if (offset == IOV_APIC_LVT_TIMER)
        iov_apic_timer_write_lvt(self, value);
    else
        iov_apic_put(&self->apic, offset, value);
}

static void mask_lvts(IovLocalApic *self)
{
    for (unsigned offset = IOV_APIC_LVT_TIMER; offset <= IOV_APIC_LVT_ERROR; offset += 0x10)
        iov_apic_put(&self->apic, offset, iov_apic_get(&self->apic, offset) | IOV_APIC_LVT_MASKED);
    iov_apic_put(&self->apic, IOV_APIC_LVT_CMCI,
                 iov_apic_get(&self->apic, IOV_APIC_LVT_CMCI) | IOV_APIC_LVT_MASKED);
}

static bool illegal(IovLocalApic *self)
{
    if (!in_x2apic(self))
        raise_error(self, IOV_APIC_ESR_REGISTER);
    return false;
}

static bool apic_read(struct iov_apic *apic, uint32_t offset, uint64_t *ret_value)
{
    IovLocalApic *self = iov_local_apic_of(apic);

    switch (offset) {
    case IOV_APIC_PPR:
        *ret_value = processor_priority(apic);
        return true;
    case IOV_APIC_TIMER_CURRENT:
        *ret_value = iov_apic_timer_count(self);
        return true;
    case IOV_APIC_ICR:
        *ret_value = iov_apic_get(apic, IOV_APIC_ICR);
        if (in_x2apic(self))
            *ret_value |= (uint64_t)iov_apic_get(apic, IOV_APIC_ICR_HIGH) << 32;
        return true;
    case IOV_APIC_APR:
    case IOV_APIC_RRD:
    case IOV_APIC_DFR:
    case IOV_APIC_ICR_HIGH:
        if (in_x2apic(self))
            return false;
        break;
    case IOV_APIC_ID:
    case IOV_APIC_VERSION:
    case IOV_APIC_TPR:
    case IOV_APIC_LDR:
    case IOV_APIC_SVR:
    case IOV_APIC_ESR:
    case IOV_APIC_LVT_CMCI:
    case IOV_APIC_TIMER_INITIAL:
    case IOV_APIC_TIMER_DIVIDE:
        break;
    default:
        if ((offset >= IOV_APIC_ISR && offset < IOV_APIC_ESR && (offset & 0xf) == 0) ||
            (offset >= IOV_APIC_LVT_TIMER && offset <= IOV_APIC_LVT_ERROR && (offset & 0xf) == 0))
            break;
        return illegal(self);
    }
    *ret_value = iov_apic_get(apic, offset);
    return true;
}

/* Registers that differ between the modes, or that only one of them has. `ret_done`: this was one
 * of them. */
static bool mode_write(IovLocalApic *self, uint32_t offset, uint64_t value, bool *ret_done)
{
    struct iov_apic *apic = &self->apic;
    bool x2apic = in_x2apic(self);

    *ret_done = true;
    switch (offset) {
    case IOV_APIC_ID:
        if (x2apic)
            return false;
        iov_apic_put(apic, IOV_APIC_ID, (uint32_t)value & 0xff000000u);
        return true;
    case IOV_APIC_LDR:
        if (x2apic)
            return false;
        iov_apic_put(apic, IOV_APIC_LDR, (uint32_t)value & 0xff000000u);
        return true;
    case IOV_APIC_DFR:
        if (x2apic)
            return false;
        iov_apic_put(apic, IOV_APIC_DFR, (uint32_t)value | 0x0fffffffu);
        return true;
    case IOV_APIC_ICR_HIGH:
        if (x2apic)
            return false;
        iov_apic_put(apic, IOV_APIC_ICR_HIGH, (uint32_t)value & 0xff000000u);
        return true;
    case IOV_APIC_ICR:
        iov_apic_put(apic, IOV_APIC_ICR, (uint32_t)value & 0x000ccfffu & ~IOV_APIC_ICR_PENDING);
        if (x2apic)
            iov_apic_put(apic, IOV_APIC_ICR_HIGH, (uint32_t)(value >> 32));
        else
            value = (value & UINT32_MAX) | (uint64_t)(iov_apic_get(apic, IOV_APIC_ICR_HIGH) >> 24)
                                               << 32;
        send(self, value);
        return true;
    case IOV_APIC_SELF_IPI:
        if (!x2apic)
            return illegal(self);
        if (value > 0xff)
            return false;
        send(self, value | (uint64_t)IOV_APIC_SHORTHAND_SELF << IOV_APIC_ICR_SHORTHAND_SHIFT);
        return true;
    default:
        *ret_done = false;
        return true;
    }
}

/* SPEC: SDM vol. 3A, 11.12.1.2: in x2APIC mode a set reserved bit, and anything but zero in EOI and
 * ESR, raises #GP. */
static bool reserved_bits(const IovLocalApic *self, uint32_t offset, uint64_t value)
{
    if (!in_x2apic(self) || offset == IOV_APIC_ICR)
        return false;
    if (offset == IOV_APIC_EOI || offset == IOV_APIC_ESR)
        return value != 0;
    return offset == IOV_APIC_TPR ? value > 0xff : value > UINT32_MAX;
}

static bool apic_write(struct iov_apic *apic, uint32_t offset, uint64_t value)
{
    IovLocalApic *self = iov_local_apic_of(apic);
    bool done;
    bool ok = mode_write(self, offset, value, &done);

    if (done)
        return ok;
    if (reserved_bits(self, offset, value))
        return false;
    switch (offset) {
    case IOV_APIC_TPR:
        iov_apic_put(apic, IOV_APIC_TPR, (uint32_t)value & 0xff);
        tell_changed(apic);
        return true;
    case IOV_APIC_EOI:
        end_of_interrupt(self);
        return true;
    case IOV_APIC_SVR:
        iov_apic_put(apic, IOV_APIC_SVR, (uint32_t)value & 0x3ff);
        if (!(value & IOV_APIC_SVR_ENABLE))
            mask_lvts(self);
        return true;
    case IOV_APIC_ESR:
        iov_apic_put(apic, IOV_APIC_ESR, self->errors);
        self->errors = 0;
        return true;
    case IOV_APIC_TIMER_INITIAL:
        iov_apic_timer_start(self, (uint32_t)value);
        return true;
    case IOV_APIC_TIMER_DIVIDE:
        iov_apic_put(apic, IOV_APIC_TIMER_DIVIDE, (uint32_t)value & 0xb);
        return true;
    case IOV_APIC_LVT_CMCI:
    case IOV_APIC_LVT_TIMER:
    case IOV_APIC_LVT_THERMAL:
    case IOV_APIC_LVT_PMC:
    case IOV_APIC_LVT_LINT0:
    case IOV_APIC_LVT_LINT1:
    case IOV_APIC_LVT_ERROR:
        lvt_write(self, offset, (uint32_t)value);
        return true;
    default:
        return illegal(self);
    }
}

/* ---- IA32_APIC_BASE and reset ---- */

static void set_identity(IovLocalApic *self)
{
    struct iov_apic *apic = &self->apic;

    apic->id = self->id;
    if (in_x2apic(self)) {
        iov_apic_put(apic, IOV_APIC_ID, self->id);
        iov_apic_put(apic, IOV_APIC_LDR, (self->id >> 4) << 16 | UINT32_C(1) << (self->id & 15));
    } else {
        iov_apic_put(apic, IOV_APIC_ID, self->id << 24);
        iov_apic_put(apic, IOV_APIC_LDR, 0);
    }
}

static void apic_reset(struct iov_apic *apic)
{
    IovLocalApic *self = iov_local_apic_of(apic);

    iov_apic_timer_stop(self);
    memset(apic->page, 0, IOV_APIC_SIZE);
    iov_apic_put(apic, IOV_APIC_VERSION, IOV_APIC_VERSION_VALUE);
    iov_apic_put(apic, IOV_APIC_DFR, UINT32_MAX);
    iov_apic_put(apic, IOV_APIC_SVR, 0xff);
    mask_lvts(self);
    set_identity(self);
    apic->span = NULL;
    memset(self->spans, 0, sizeof self->spans);
    self->errors = 0;
    self->deadline = 0;
    self->period = 0;
    tell_changed(apic);
}

static uint64_t apic_base(const struct iov_apic *apic)
{
    return iov_local_apic_of(apic)->base;
}

/* SPEC: SDM vol. 3A, 11.12.5: x2APIC mode is entered from xAPIC mode and left only by disabling the
 * APIC. */
static bool apic_set_base(struct iov_apic *apic, uint64_t value)
{
    const uint32_t mode_bits = IOV_APIC_BASE_ENABLE | IOV_APIC_BASE_X2APIC;
    IovLocalApic *self = iov_local_apic_of(apic);
    uint32_t old = (uint32_t)self->base & mode_bits;
    uint32_t new = (uint32_t)value &mode_bits;

    if ((value & ~(UINT64_C(0xffffff000) | mode_bits | IOV_APIC_BASE_BSP)) != 0)
        return false;
    if (new &IOV_APIC_BASE_X2APIC && (!self->x2apic || !(new &IOV_APIC_BASE_ENABLE)))
        return false;
    if (old == mode_bits && new == IOV_APIC_BASE_ENABLE)
        return false;
    if (old == 0 && new == mode_bits)
        return false;
    self->base = value;
    if (new == 0 && old != 0)
        apic_reset(apic);
    else if (new != old)
        set_identity(self);
    tell_changed(apic);
    return true;
}

static const struct iov_apic_ops apic_ops = {
    .accept = apic_accept,
    .pending = apic_pending,
    .acknowledge = apic_acknowledge,
    .read = apic_read,
    .write = apic_write,
    .addressed = apic_addressed,
    .base = apic_base,
    .set_base = apic_set_base,
    .deadline = iov_apic_timer_deadline,
    .set_deadline = iov_apic_timer_set_deadline,
    .expire = iov_apic_timer_expire,
    .reset = apic_reset,
};

/* ---- Life ---- */

static void iov_local_apic_reset(IovModel *model)
{
    IovLocalApic *self = (IovLocalApic *)(void *)model;

    self->base =
        IOV_APIC_DEFAULT_BASE | IOV_APIC_BASE_ENABLE | (self->bootstrap ? IOV_APIC_BASE_BSP : 0);
    apic_reset(&self->apic);
}

static bool iov_local_apic_prepare(IovModel *model, GError **error)
{
    IovLocalApic *self = (IovLocalApic *)(void *)model;

    (void)error;
    iov_event_init(&self->timer, model->kernel, iov_apic_timer_on_event, IOV_PRIORITY_DEFAULT);
    iov_local_apic_reset(model);
    return true;
}

static void iov_local_apic_unrealize(IovModel *model)
{
    IovLocalApic *self = (IovLocalApic *)(void *)model;

    iov_event_disarm(&self->timer);
}

static void iov_local_apic_class_init(IovLocalApicClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "local-apic", "The local APIC of a processor, real or emulated");
    IOV_PROP_COUNT(mc, IovLocalApic, id, 0, UINT32_MAX - 1, 0, "APIC ID");
    IOV_PROP_BOOL(mc, IovLocalApic, x2apic, true, "x2APIC mode can be entered");
    IOV_PROP_BOOL(mc, IovLocalApic, bootstrap, false, "It belongs to the bootstrap processor");
    IOV_PROP_FREQUENCY(mc, IovLocalApic, timer_frequency, 1, UINT64_C(100000000000),
                       UINT64_C(1000000000),
                       "Of the timer before its divider (1 GHz is what KVM emulates)");
    IOV_PROP_FREQUENCY(mc, IovLocalApic, tsc_frequency, 1, UINT64_C(100000000000),
                       UINT64_C(2000000000),
                       "Of the time-stamp counter that deadlines are given in");
    IOV_PORT_CONTRACT(mc, IovLocalApic, apic, IOV_PORT_APIC, "The local APIC");
    IOV_STAT(mc, IovLocalApic, accepted, "Interrupts taken into the request register");
    IOV_STAT(mc, IovLocalApic, merged, "Interrupts that found their vector pending");
    IOV_STAT(mc, IovLocalApic, rejected, "Interrupts refused: disabled, or vector below 16");
    IOV_STAT(mc, IovLocalApic, eois, "Writes of the EOI register");
    IOV_STAT(mc, IovLocalApic, level_eois, "EOIs of level-triggered interrupts");
    IOV_STAT(mc, IovLocalApic, expirations, "Expirations of the timer");
    IOV_STAT(mc, IovLocalApic, ipis, "Interprocessor interrupts sent");
    mc->prepare = iov_local_apic_prepare;
    mc->unrealize = iov_local_apic_unrealize;
    mc->reset = iov_local_apic_reset;
}

static void iov_local_apic_init(IovLocalApic *self)
{
    self->apic.ops = &apic_ops;
    self->apic.page = self->registers;
    self->due = IOV_TIME_MAX;
}
