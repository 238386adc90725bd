/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's interrupts: causes, vectors, throttling.
 *
 * With several MSI-X vectors (GPIE.Multiple_MSIX) a queue's write-back sets the bit of EICR that
 * IVAR names, and a bit that EIMS lets through becomes that vector's message, EITR after the last
 * one at the earliest. Sending clears the bits in EIAC and, with GPIE.EIAME, masks the bits in
 * EIAM: a driver in a poll loop touches nothing but EIMS, when it is done. Causes of ICR go out as
 * one vector (IVAR_MISC). Otherwise one message, or INTA, says that ICR and IMS, or EICR and EIMS,
 * have a bit in common.
 *
 * SPEC: 82576, 7.3; 8.8.
 * LIMIT: no low-latency interrupts (EITR counts time only), no TCP timer; the vectors of virtual
 * functions have EITRs of their own and do not show among the physical function's.
 */
#include "models/nic/igb-private.h"

static uint32_t vector_bits(const struct igb_function *function)
{
    return function->physical ? IGB_EICR_MSIX : (1u << IGB_VF_VECTORS) - 1;
}

static iov_time interval(const struct igb_vector *vector)
{
    return ((vector->eitr & IGB_EITR_INTERVAL) >> IGB_EITR_SHIFT) * IOV_US;
}

/* A request that somebody else has meanwhile is not announced any more. */
static struct iov_span *announced(const IovIgb *self, struct igb_vector *vector)
{
    struct iov_span *span = iov_span_held(vector->span, self) ? vector->span : NULL;

    vector->span = NULL;
    iov_span_mark(span, self, IOV_PART_IDLE, igb_now(self)); /* by EITR */
    return span;
}

/* May it be sent now? Otherwise its event is armed. */
static bool throttle_passes(IovIgb *self, struct igb_vector *vector)
{
    iov_time now = igb_now(self);

    if (iov_event_armed(&vector->throttle))
        return false;
    if (vector->ever && now - vector->last < interval(vector)) {
        self->throttled++;
        iov_event_at(&vector->throttle, vector->last + interval(vector));
        return false;
    }
    vector->last = now;
    vector->ever = true;
    self->interrupts++;
    igb_count(self, IGB_IAC, 1);
    return true;
}

/* ---- Several MSI-X vectors ---- */

static void message_send(struct igb_vector *vector, iov_time delay, struct iov_span *span)
{
    struct igb_function *function = vector->function;

    if (function->assignable)
        function->nic->variant->message(function, vector->index, delay, span);
    else
        iov_pci_message(&function->space, vector->index, delay, span);
}

static void vector_try(struct igb_vector *vector, iov_time delay)
{
    struct igb_function *function = vector->function;
    struct igb_causes *causes = &function->causes;
    uint32_t bit = 1u << vector->index;

    if (!(causes->eicr & causes->eims & ~causes->told & bit)) {
        iov_event_disarm(&vector->throttle);
        return;
    }
    if (!throttle_passes(function->nic, vector))
        return;
    if (causes->eiac & bit)
        causes->eicr &= ~bit;
    else
        causes->told |= bit;
    if (function->nic->gpie & IGB_GPIE_EIAME)
        causes->eims &= ~(causes->eiam & bit);
    message_send(vector, delay, announced(function->nic, vector));
}

static void vectors_try(struct igb_function *function, uint32_t bits)
{
    bits &= vector_bits(function);
    while (bits != 0) {
        unsigned index = (unsigned)__builtin_ctz(bits);

        bits &= bits - 1;
        vector_try(&function->causes.vectors[index], 0);
    }
}

/* ---- One message, or the line ---- */

static bool is_pending(const IovIgb *self)
{
    const struct igb_causes *causes = &self->physical.causes;

    return (self->icr & self->ims) != 0 || (causes->eicr & causes->eims) != 0;
}

static void single_update(IovIgb *self)
{
    struct igb_function *function = &self->physical;
    struct igb_vector *vector = &function->causes.vectors[0];
    bool message = iov_pci_msi_enabled(&function->space) || iov_pci_msix_enabled(&function->space);

    if (!is_pending(self)) {
        function->causes.told &= ~IGB_EICR_OTHER;
        iov_event_disarm(&vector->throttle);
        iov_irq_set(&self->interrupt, false, NULL);
        return;
    }
    if (message ? function->causes.told & IGB_EICR_OTHER : self->interrupt.level)
        return;
    if (!throttle_passes(self, vector))
        return;
    self->icr |= IGB_ICR_ASSERTED;
    if (message) {
        function->causes.told |= IGB_EICR_OTHER;
        iov_pci_message(&function->space, 0, 0, announced(self, vector));
    } else if (!(iov_pci_get16(&function->space, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)) {
        iov_irq_set(&self->interrupt, true, announced(self, vector));
    }
}

static void update(struct igb_function *function, uint32_t bits)
{
    function->causes.told &= function->causes.eicr | IGB_EICR_OTHER;
    if (function->physical && !igb_is_multiple_msix(function->nic))
        single_update(function->nic);
    else
        vectors_try(function, bits);
}

static void on_throttle(struct iov_event *event)
{
    struct igb_vector *vector = iov_container_of(event, struct igb_vector, throttle);

    if (vector->function->physical && !igb_is_multiple_msix(vector->function->nic))
        single_update(vector->function->nic);
    else
        vector_try(vector, 0);
}

/* ---- Causes ---- */

static void bits_raise(struct igb_function *function, uint32_t bits)
{
    function->causes.eicr |= bits;
    update(function, bits);
}

void igb_other_update(IovIgb *self)
{
    uint32_t entry = self->physical.causes.ivar_misc >> 8 & 0xff;

    if (!igb_is_multiple_msix(self))
        single_update(self);
    else if ((self->icr & self->ims) != 0 && entry & IGB_IVAR_VALID)
        bits_raise(&self->physical, 1u << (entry & IGB_IVAR_VECTOR) & IGB_EICR_MSIX);
}

void igb_other_raise(IovIgb *self, uint32_t causes)
{
    self->icr |= causes & IGB_ICR_ALL;
    if (causes & self->ims)
        igb_other_update(self);
}

/* SPEC: 82576, 8.8.8: reading clears unless an interrupt is asserted by somebody else; IAM masks
 * with it. */
uint32_t igb_icr_read(IovIgb *self, bool peek)
{
    uint32_t causes = self->icr;

    if (peek)
        return causes;
    if (self->gpie & IGB_GPIE_NSICR || self->ims == 0 || causes & IGB_ICR_ASSERTED)
        self->icr = 0;
    if (self->ctrl_ext & IGB_CTRL_EXT_IAME && causes & IGB_ICR_ASSERTED)
        self->ims &= ~self->iam;
    if (!igb_is_multiple_msix(self))
        single_update(self);
    return causes;
}

/* The entry of IVAR for a queue; 0 if it has none. */
static uint32_t queue_entry(const struct igb_queue *queue, bool transmit)
{
    const struct igb_function *owner = queue->owner;
    unsigned column = queue->index / queue->nic->pool_count;

    if (!owner->physical)
        return owner->causes.ivar[0] >> (16 * column + (transmit ? 8 : 0)) & 0xff;
    return owner->causes.ivar[queue->index & 7] >> (16 * (column & 1) + (transmit ? 8 : 0)) & 0xff;
}

/* A program that polls finds what was written when it is in memory. */
void igb_on_changed(struct iov_event *event)
{
    IovIgb *self = iov_container_of(event, IovIgb, tell_changed);

    iov_notify_signal_all(self->changed, IGB_POOLS_MAX, NULL);
    if (self->changed_until > igb_now(self))
        iov_event_at(event, self->changed_until);
}

static void tell_changed(IovIgb *self)
{
    if (self->changed[0].peer == NULL)
        return;
    self->changed_until = self->written;
    if (!iov_event_armed(&self->tell_changed))
        iov_event_at(&self->tell_changed, self->written);
}

void igb_queue_raise(struct igb_queue *queue, bool transmit, iov_time delay, struct iov_span *span)
{
    struct igb_function *owner = queue->owner;
    uint32_t entry = queue_entry(queue, transmit);
    struct igb_vector *vector = &owner->causes.vectors[entry & IGB_IVAR_VECTOR];
    uint32_t bit = 1u << (entry & IGB_IVAR_VECTOR);

    tell_changed(queue->nic);
    if (owner->physical && !igb_is_multiple_msix(queue->nic)) {
        if (span != NULL)
            owner->causes.vectors[0].span = span;
        if (entry & IGB_IVAR_VALID)
            owner->causes.eicr |= bit & 0xffff;
        queue->nic->icr |= transmit ? IGB_ICR_TXDW : IGB_ICR_RXDW;
        single_update(queue->nic);
        return;
    }
    if (!(entry & IGB_IVAR_VALID) || !(bit & vector_bits(owner)))
        return;
    if (span != NULL)
        vector->span = span;
    owner->causes.eicr |= bit;
    vector_try(vector, delay);
}

void igb_mailbox_raise(struct igb_function *function)
{
    uint32_t entry = function->causes.ivar_misc & 0xff;

    if (entry & IGB_IVAR_VALID)
        bits_raise(function, 1u << (entry & IGB_IVAR_VECTOR) & vector_bits(function));
}

/* ---- Registers ---- */

static uint32_t eicr_read(struct igb_function *function, bool peek)
{
    struct igb_causes *causes = &function->causes;
    uint32_t value = causes->eicr;

    if (peek)
        return value;
    causes->eicr = 0;
    if (function->physical && !igb_is_multiple_msix(function->nic))
        causes->eims &= ~causes->eiam;
    update(function, 0);
    return value;
}

bool igb_causes_read(struct igb_function *function, uint32_t offset, bool peek, uint32_t *ret_value)
{
    const struct igb_causes *causes = &function->causes;
    unsigned vectors = function->physical ? IGB_VECTORS_MAX : IGB_VF_VECTORS;

    switch (offset) {
    case IGB_EICS:
    case IGB_EICR:
        *ret_value = offset == IGB_EICR ? eicr_read(function, peek) : causes->eicr;
        return true;
    case IGB_EIMS:
    case IGB_EIMC:
        *ret_value = causes->eims;
        return true;
    case IGB_EIAC:
        *ret_value = causes->eiac;
        return true;
    case IGB_EIAM:
        *ret_value = causes->eiam;
        return true;
    case IGB_IVAR_MISC:
        *ret_value = causes->ivar_misc;
        return true;
    default:
        break;
    }
    if (offset >= IGB_EITR(0) && offset < IGB_EITR(vectors)) {
        *ret_value = causes->vectors[(offset - IGB_EITR(0)) / 4].eitr;
        return true;
    }
    if (offset >= IGB_IVAR(0) && offset < IGB_IVAR(function->physical ? 8u : 1u)) {
        *ret_value = causes->ivar[(offset - IGB_IVAR(0)) / 4];
        return true;
    }
    return false;
}

static void eitr_write(struct igb_vector *vector, uint32_t value)
{
    vector->eitr = value & ~IGB_EITR_KEEP;
    if (!(value & IGB_EITR_KEEP))
        vector->ever = false;
    if (iov_event_armed(&vector->throttle)) { /* waits by the new interval */
        iov_event_disarm(&vector->throttle);
        update(vector->function, 1u << vector->index);
    }
}

bool igb_causes_write(struct igb_function *function, uint32_t offset, uint32_t value)
{
    struct igb_causes *causes = &function->causes;
    uint32_t valid = vector_bits(function) | (function->physical ? IGB_EICR_LEGACY : 0);
    unsigned vectors = function->physical ? IGB_VECTORS_MAX : IGB_VF_VECTORS;

    switch (offset) {
    case IGB_EICS:
        bits_raise(function, value & valid);
        return true;
    case IGB_EICR:
        causes->eicr &= ~value;
        update(function, 0);
        return true;
    case IGB_EIMS:
        causes->eims |= value & valid;
        update(function, value);
        return true;
    case IGB_EIMC:
        causes->eims &= ~value;
        update(function, value);
        return true;
    case IGB_EIAC:
        causes->eiac = value & vector_bits(function);
        return true;
    case IGB_EIAM:
        causes->eiam = value & valid;
        return true;
    case IGB_IVAR_MISC:
        causes->ivar_misc = value & (function->physical ? 0x9f9fu : 0x83u);
        return true;
    default:
        break;
    }
    if (offset >= IGB_EITR(0) && offset < IGB_EITR(vectors)) {
        eitr_write(&causes->vectors[(offset - IGB_EITR(0)) / 4], value);
        return true;
    }
    if (offset >= IGB_IVAR(0) && offset < IGB_IVAR(function->physical ? 8u : 1u)) {
        causes->ivar[(offset - IGB_IVAR(0)) / 4] =
            value & (function->physical ? 0x9f9f9f9fu : 0x83838383u);
        return true;
    }
    return false;
}

/* ---- Life ---- */

void igb_causes_init(struct igb_function *function, unsigned vectors)
{
    for (unsigned i = 0; i < vectors; i++) {
        struct igb_vector *vector = &function->causes.vectors[i];

        vector->function = function;
        vector->index = (uint8_t)i;
        iov_event_init(&vector->throttle, function->nic->parent_instance.kernel, on_throttle,
                       IOV_PRIORITY_DEFAULT);
    }
}

void igb_causes_reset(struct igb_function *function)
{
    struct igb_causes *causes = &function->causes;

    causes->eicr = causes->eims = causes->eiac = causes->eiam = causes->told = 0;
    causes->ivar_misc = 0;
    memset(causes->ivar, 0, sizeof causes->ivar);
    for (unsigned i = 0; i < IGB_VECTORS_MAX && causes->vectors[i].function != NULL; i++) {
        struct igb_vector *vector = &causes->vectors[i];

        iov_event_disarm(&vector->throttle);
        vector->eitr = 0;
        vector->ever = false;
        vector->span = NULL;
    }
    if (function->physical)
        iov_irq_set(&function->nic->interrupt, false, NULL);
}
