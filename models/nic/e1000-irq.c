/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000's interrupt causes, mask and moderation.
 *
 * The line is high while a cause is set that the mask lets through. ITR keeps rises apart;
 * RDTR/RADV and TIDV/TADV hold receive and transmit causes back (in hardware; an emulation raises
 * them at once, and only ITR counts). SPEC: 3.2.7, 3.4.3, 13.4.17 to 13.4.21.
 */
#include "models/nic/e1000-private.h"

#define DELAY_UNIT (1024 * IOV_NS) /* of RDTR, RADV, TIDV, TADV */
#define ITR_UNIT (256 * IOV_NS)

static void line_raise(IovE1000 *self)
{
    struct iov_span *span = self->irq.span;

    self->irq.span = NULL;
    self->irq.last = e1000_now(self);
    self->irq.ever = true;
    self->interrupts++;
    if (!e1000_is_software(self))
        iov_span_mark(span, self, IOV_PART_IDLE, e1000_now(self));
    iov_irq_set(&self->interrupt, true, span);
}

void e1000_irq_update(IovE1000 *self)
{
    iov_time interval = MAX(self->itr * ITR_UNIT, self->interval_floor);

    if (self->variant->announce != NULL && self->variant->announce(self))
        return;
    if ((self->icr & self->ims) == 0) {
        iov_event_disarm(&self->irq.throttle);
        iov_irq_set(&self->interrupt, false, NULL);
        return;
    }
    if (self->interrupt.level || iov_event_armed(&self->irq.throttle))
        return;
    if (self->irq.ever && e1000_now(self) - self->irq.last < interval) {
        self->throttled++;
        iov_event_at(&self->irq.throttle, self->irq.last + interval);
        return;
    }
    line_raise(self);
}

void e1000_irq_raise(IovE1000 *self, uint32_t causes)
{
    if (self->variant->further_causes != NULL)
        causes |= self->variant->further_causes(self, causes);
    self->icr |= causes & self->variant->causes;
    e1000_irq_update(self);
}

uint32_t e1000_icr_read(IovE1000 *self, bool peek)
{
    uint32_t causes = self->icr;

    if (!peek) {
        self->icr = 0;
        e1000_irq_update(self);
    }
    return causes;
}

static void on_throttle(struct iov_event *event)
{
    IovE1000 *self = iov_container_of(event, IovE1000, irq.throttle);

    if (self->variant->announce != NULL && self->variant->announce(self))
        return;
    if (self->icr & self->ims && !self->interrupt.level)
        line_raise(self);
}

/* ---- Delayed causes ---- */

static void receive_now(IovE1000 *self)
{
    iov_event_disarm(&self->irq.rx_delay);
    iov_event_disarm(&self->irq.rx_absolute);
    e1000_irq_raise(self, E1000_ICR_RXT0);
}

static void transmit_now(IovE1000 *self)
{
    iov_event_disarm(&self->irq.tx_delay);
    iov_event_disarm(&self->irq.tx_absolute);
    e1000_irq_raise(self, E1000_ICR_TXDW);
}

static void on_rx_delay(struct iov_event *event)
{
    receive_now(iov_container_of(event, IovE1000, irq.rx_delay));
}

static void on_rx_absolute(struct iov_event *event)
{
    receive_now(iov_container_of(event, IovE1000, irq.rx_absolute));
}

static void on_tx_delay(struct iov_event *event)
{
    transmit_now(iov_container_of(event, IovE1000, irq.tx_delay));
}

static void on_tx_absolute(struct iov_event *event)
{
    transmit_now(iov_container_of(event, IovE1000, irq.tx_absolute));
}

/* The packet timer starts anew with each event, the absolute one with the first. */
static void timers_start(struct iov_event *packet, uint32_t delay, struct iov_event *absolute,
                         uint32_t limit)
{
    iov_event_disarm(packet);
    iov_event_in(packet, delay * DELAY_UNIT);
    if (limit != 0 && !iov_event_armed(absolute))
        iov_event_in(absolute, limit * DELAY_UNIT);
}

void e1000_irq_received(IovE1000 *self)
{
    uint32_t delay = self->rdtr & 0xffff;

    if (delay == 0 || e1000_is_software(self))
        receive_now(self);
    else
        timers_start(&self->irq.rx_delay, delay, &self->irq.rx_absolute, self->radv & 0xffff);
}

void e1000_irq_flush_receive(IovE1000 *self)
{
    if (iov_event_armed(&self->irq.rx_delay))
        receive_now(self);
}

void e1000_irq_transmitted(IovE1000 *self, bool delayed, uint32_t causes)
{
    uint32_t delay = self->tidv & 0xffff;

    if (causes & E1000_ICR_TXDW && delayed && delay != 0 && !e1000_is_software(self)) {
        causes &= ~E1000_ICR_TXDW;
        timers_start(&self->irq.tx_delay, delay, &self->irq.tx_absolute, self->tadv & 0xffff);
    }
    if (causes != 0)
        e1000_irq_raise(self, causes);
}

/* ---- Life ---- */

void e1000_irq_init(IovE1000 *self)
{
    struct iov_kernel *kernel = self->parent_instance.kernel;

    iov_event_init(&self->irq.throttle, kernel, on_throttle, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->irq.rx_delay, kernel, on_rx_delay, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->irq.rx_absolute, kernel, on_rx_absolute, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->irq.tx_delay, kernel, on_tx_delay, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->irq.tx_absolute, kernel, on_tx_absolute, IOV_PRIORITY_DEFAULT);
}

void e1000_irq_reset(IovE1000 *self)
{
    iov_event_disarm(&self->irq.throttle);
    iov_event_disarm(&self->irq.rx_delay);
    iov_event_disarm(&self->irq.rx_absolute);
    iov_event_disarm(&self->irq.tx_delay);
    iov_event_disarm(&self->irq.tx_absolute);
    self->irq.ever = false;
    self->irq.span = NULL;
    self->icr = 0;
    self->ims = 0;
    iov_irq_set(&self->interrupt, false, NULL);
}
