/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timer of the local APIC: one-shot, periodic, TSC deadline (Intel SDM vol. 3A, 11.5.4). It is
 * an event of its own, or, when the owner has a timer hook, the owner is told when it is due and
 * says when it has expired.
 */
#include "models/cpu/local-apic-private.h"

static iov_time ratio(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    unsigned __int128 product = (unsigned __int128)value * numerator;
    unsigned __int128 result = (product + denominator - 1) / denominator;

    return result >= IOV_TIME_MAX ? IOV_TIME_MAX : (iov_time)result;
}

static unsigned timer_mode(const IovLocalApic *self)
{
    return (iov_apic_get(&self->apic, IOV_APIC_LVT_TIMER) & IOV_APIC_TIMER_MODE_MASK) >>
           IOV_APIC_TIMER_MODE_SHIFT;
}

static unsigned timer_divider(const IovLocalApic *self)
{
    uint32_t code = iov_apic_get(&self->apic, IOV_APIC_TIMER_DIVIDE);
    unsigned shift = (code & 3) | (code >> 1 & 4);

    return shift == 7 ? 1 : 2u << shift;
}

static void timer_arm(IovLocalApic *self, iov_time due)
{
    struct iov_apic_owner *owner = self->apic.owner;

    self->due = due;
    if (owner != NULL && owner->ops->timer != NULL) {
        owner->ops->timer(&self->apic, due);
        return;
    }
    iov_event_disarm(&self->timer);
    if (due != IOV_TIME_MAX)
        iov_event_at(&self->timer, due);
}

void iov_apic_timer_stop(IovLocalApic *self)
{
    if (self->due != IOV_TIME_MAX)
        timer_arm(self, IOV_TIME_MAX);
}

static iov_time count_time(const IovLocalApic *self, uint32_t count)
{
    return ratio((uint64_t)count * timer_divider(self), IOV_SEC, self->timer_frequency);
}

void iov_apic_timer_start(IovLocalApic *self, uint32_t count)
{
    iov_apic_put(&self->apic, IOV_APIC_TIMER_INITIAL, count);
    if (timer_mode(self) == IOV_APIC_TIMER_DEADLINE)
        return;
    if (count == 0) {
        iov_apic_timer_stop(self);
        return;
    }
    self->period = count_time(self, count);
    timer_arm(self, iov_now(self->parent_instance.kernel) + self->period);
}

uint32_t iov_apic_timer_count(const IovLocalApic *self)
{
    iov_time now = iov_now(self->parent_instance.kernel);

    if (self->due == IOV_TIME_MAX || self->due <= now ||
        timer_mode(self) == IOV_APIC_TIMER_DEADLINE)
        return 0;
    return (uint32_t)ratio(self->due - now, self->timer_frequency, IOV_SEC * timer_divider(self));
}

void iov_apic_timer_expire(struct iov_apic *apic)
{
    IovLocalApic *self = iov_local_apic_of(apic);
    uint32_t lvt = iov_apic_get(apic, IOV_APIC_LVT_TIMER);
    iov_time due = self->due;

    self->due = IOV_TIME_MAX;
    self->expirations++;
    if (timer_mode(self) == IOV_APIC_TIMER_DEADLINE)
        self->deadline = 0;
    else if (timer_mode(self) == IOV_APIC_TIMER_PERIODIC && self->period > 0 &&
             due != IOV_TIME_MAX) {
        /* An owner that is late loses rounds, it does not queue them. */
        iov_time now = iov_now(self->parent_instance.kernel);

        due += self->period;
        if (due <= now)
            due += (now - due) / self->period * self->period + self->period;
        timer_arm(self, due);
    }
    if (!(lvt & IOV_APIC_LVT_MASKED))
        apic->ops->accept(apic, (uint8_t)(lvt & IOV_APIC_LVT_VECTOR), false, NULL);
}

void iov_apic_timer_on_event(struct iov_event *event)
{
    IovLocalApic *self = iov_container_of(event, IovLocalApic, timer);

    iov_apic_timer_expire(&self->apic);
}

uint64_t iov_apic_timer_deadline(const struct iov_apic *apic)
{
    const IovLocalApic *self = iov_local_apic_of(apic);

    return timer_mode(self) == IOV_APIC_TIMER_DEADLINE ? self->deadline : 0;
}

/* SPEC: SDM vol. 3A, 11.5.4.1: ignored in the other modes; zero disarms; a time gone by fires at
 * once. */
void iov_apic_timer_set_deadline(struct iov_apic *apic, uint64_t tsc)
{
    IovLocalApic *self = iov_local_apic_of(apic);
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time due;

    if (timer_mode(self) != IOV_APIC_TIMER_DEADLINE)
        return;
    self->deadline = tsc;
    if (tsc == 0) {
        iov_apic_timer_stop(self);
        return;
    }
    due = ratio(tsc, IOV_SEC, self->tsc_frequency);
    timer_arm(self, due > now ? due : now);
}

void iov_apic_timer_write_lvt(IovLocalApic *self, uint32_t value)
{
    unsigned old = timer_mode(self);

    iov_apic_put(&self->apic, IOV_APIC_LVT_TIMER, value);
    if ((old == IOV_APIC_TIMER_DEADLINE) != (timer_mode(self) == IOV_APIC_TIMER_DEADLINE)) {
        self->deadline = 0;
        iov_apic_timer_stop(self);
    }
}
