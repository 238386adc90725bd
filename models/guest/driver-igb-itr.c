/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb drivers' interrupt throttling, by the rules of Linux 6.1's igb: each vector's interval
 * follows the mean size of the frames that it saw since its last interrupt, or is fixed.
 */
#include "core/net/ethernet-regs.h"
#include "models/guest/driver-igb-private.h"
#include "models/nic/igb-regs.h"

#define THROTTLE_DYNAMIC 1 /* values of the parameter InterruptThrottleRate */
#define THROTTLE_CONSERVATIVE 3
#define FIRST_ITR 648 /* about 6000 interrupts a second */
#define ITR_4K 980
#define ITR_20K 196

static bool is_dynamic(const struct igb_driver *self)
{
    return self->guest->interrupt_throttle_rate == THROTTLE_DYNAMIC ||
           self->guest->interrupt_throttle_rate == THROTTLE_CONSERVATIVE;
}

static uint32_t mean(const struct igb_totals *total)
{
    return total->packets != 0 ? total->bytes / total->packets : 0;
}

uint32_t iov_igb_next_itr(const struct igb_driver *self, const struct igb_vector_state *vector)
{
    uint32_t size = MAX(mean(&vector->rx), mean(&vector->tx));
    uint32_t itr;

    if (!self->gigabit)
        return ITR_4K;
    if (size == 0)
        return vector->itr;
    /* By the mean size on the wire, with checksum, preamble and gap, of that direction which has
     * the larger frames; those of middle size are favoured. */
    size += ETHERNET_OVERHEAD;
    size = size < 3000 ? size : 3000;
    itr = size > 300 && size < 1200 ? size / 3 : size / 2;
    if (itr < ITR_20K && self->guest->interrupt_throttle_rate == THROTTLE_CONSERVATIVE)
        itr = ITR_20K;
    return itr;
}

static uint32_t first_itr(const struct igb_driver *self)
{
    uint32_t rate = self->guest->interrupt_throttle_rate;

    if (is_dynamic(self))
        return FIRST_ITR;
    return rate != 0 ? 1000000 / rate << IGB_EITR_SHIFT : 0;
}

void iov_igb_write_itr(struct igb_driver *self, struct iov_guest_cpu *cpu,
                       struct igb_vector_state *vector)
{
    uint32_t value = vector->itr & IGB_EITR_INTERVAL;

    if (!vector->set_itr)
        return;
    iov_igb_write(self, cpu, IGB_EITR(vector->entry),
                  (value != 0 ? value : 1u << IGB_EITR_SHIFT) | IGB_EITR_KEEP);
    vector->set_itr = false;
}

void iov_igb_enable_vector(struct igb_driver *self, struct iov_guest_cpu *cpu,
                           struct igb_vector_state *vector)
{
    if (is_dynamic(self)) {
        uint32_t itr = iov_igb_next_itr(self, vector);

        vector->set_itr = vector->set_itr || itr != vector->itr;
        vector->itr = itr;
        vector->rx = vector->tx = (struct igb_totals){ 0 };
    }
    iov_igb_write(self, cpu, IGB_EIMS, 1u << vector->entry);
}

void iov_igb_vector_init(struct igb_driver *self, struct igb_vector_state *vector, unsigned entry,
                         unsigned (*poll)(struct iov_guest_napi *, struct iov_guest_cpu *,
                                          unsigned))
{
    vector->entry = entry;
    vector->itr = first_itr(self);
    iov_guest_napi_init(&vector->napi, &self->dev, poll);
}
