/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000's register file: aligned 32-bit registers. Offsets that the part does not have read as
 * zero and ignore writes.
 * LIMIT: packet buffer memory, flash and FIFO pointers read as zero; wake-up registers are stored
 * without effect.
 */
#include "models/nic/e1000-private.h"

/* Registers that keep what is written to them, under a mask. */
static const struct plain {
    uint16_t offset, field;
    uint32_t mask;
} plain_registers[] = {
    { E1000_CTRL_EXT, offsetof(IovE1000, ctrl_ext), UINT32_MAX },
    { E1000_FCAL, offsetof(IovE1000, fcal), UINT32_MAX },
    { E1000_FCAH, offsetof(IovE1000, fcah), 0xffff },
    { E1000_FCT, offsetof(IovE1000, fct), 0xffff },
    { E1000_VET, offsetof(IovE1000, vet), 0xffff },
    { E1000_FCTTV, offsetof(IovE1000, fcttv), 0xffff },
    { E1000_TXCW, offsetof(IovE1000, txcw), UINT32_MAX },
    { E1000_LEDCTL, offsetof(IovE1000, ledctl), UINT32_MAX },
    { E1000_PBA, offsetof(IovE1000, pba), 0xffff },
    { E1000_ITR, offsetof(IovE1000, itr), 0xffff },
    { E1000_FCRTL, offsetof(IovE1000, fcrtl), 0x8000fff8 },
    { E1000_FCRTH, offsetof(IovE1000, fcrth), 0xfff8 },
    { E1000_RADV, offsetof(IovE1000, radv), 0xffff },
    { E1000_RXDCTL, offsetof(IovE1000, rxdctl), UINT32_MAX },
    { E1000_RSRPD, offsetof(IovE1000, rsrpd), 0xfff },
    { E1000_RXCSUM, offsetof(IovE1000, rxcsum), 0x3ff },
    { E1000_TIPG, offsetof(IovE1000, tipg), UINT32_MAX },
    { E1000_AIT, offsetof(IovE1000, ait), 0xffff },
    { E1000_TIDV, offsetof(IovE1000, tidv), 0xffff },
    { E1000_TXDCTL, offsetof(IovE1000, txdctl), UINT32_MAX },
    { E1000_TADV, offsetof(IovE1000, tadv), 0xffff },
    { E1000_TSPMT, offsetof(IovE1000, tspmt), UINT32_MAX },
    { E1000_WUC, offsetof(IovE1000, wuc), UINT32_MAX },
    { E1000_WUFC, offsetof(IovE1000, wufc), UINT32_MAX },
    { E1000_MANC, offsetof(IovE1000, manc), UINT32_MAX },
    { E1000_SWSM, offsetof(IovE1000, swsm), UINT32_MAX },
};

/* NULL: the offset is none of these. */
static uint32_t *plain_register(IovE1000 *self, uint32_t offset, uint32_t *ret_mask)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(plain_registers); i++) {
        if (plain_registers[i].offset == offset) {
            *ret_mask = plain_registers[i].mask;
            return G_STRUCT_MEMBER_P(self, plain_registers[i].field);
        }
    }
    return NULL;
}

/* Registers of a ring: changing where the ring is voids the descriptors held. */
static uint32_t *ring_register(IovE1000 *self, uint32_t offset, uint32_t *ret_mask)
{
    *ret_mask = UINT32_MAX;
    switch (offset) {
    case E1000_RDBAL:
        *ret_mask = ~0xfu;
        return &self->rdbal;
    case E1000_RDBAH:
        return &self->rdbah;
    case E1000_RDLEN:
        *ret_mask = 0xfff80;
        return &self->rdlen;
    case E1000_RDH:
        *ret_mask = 0xffff;
        return &self->rdh;
    case E1000_TDBAL:
        *ret_mask = ~0xfu;
        return &self->tdbal;
    case E1000_TDBAH:
        return &self->tdbah;
    case E1000_TDLEN:
        *ret_mask = 0xfff80;
        return &self->tdlen;
    case E1000_TDH:
        *ret_mask = 0xffff;
        return &self->tdh;
    default:
        return NULL;
    }
}

/* Receive addresses and filter tables. */
static uint32_t *table_register(IovE1000 *self, uint32_t offset)
{
    if (offset >= E1000_MTA && offset < E1000_MTA + sizeof self->mta)
        return &self->mta[(offset - E1000_MTA) / 4];
    if (offset >= E1000_RAL && offset < E1000_RAL + sizeof self->ra)
        return &self->ra[(offset - E1000_RAL) / 4];
    if (offset >= E1000_VFTA && offset < E1000_VFTA + sizeof self->vfta)
        return &self->vfta[(offset - E1000_VFTA) / 4];
    return NULL;
}

/* SPEC: 13.7: reading clears; a 64-bit counter is cleared when its upper half is read. */
static uint32_t statistic_read(IovE1000 *self, uint32_t offset, bool peek)
{
    uint32_t *counter = &self->statistics[(offset - E1000_STATISTICS) / 4];
    uint32_t value = *counter;

    if (peek)
        return value;
    switch (offset) {
    case E1000_GORCL:
    case E1000_GOTCL:
    case E1000_TORL:
    case E1000_TOTL:
        return value;
    case E1000_GORCH:
    case E1000_GOTCH:
    case E1000_TORH:
    case E1000_TOTH:
        counter[-1] = 0;
        break;
    default:
        break;
    }
    *counter = 0;
    return value;
}

uint32_t e1000_register_read(IovE1000 *self, uint32_t offset, bool peek)
{
    uint32_t *plain, mask, value;

    if (self->variant->read != NULL && self->variant->read(self, offset, peek, &value))
        return value;
    switch (offset) {
    case E1000_STATUS:
        return self->status;
    case E1000_ICR:
        return e1000_icr_read(self, peek);
    case E1000_CTRL:
        return self->ctrl;
    case E1000_EECD:
        return e1000_eecd_read(self);
    case E1000_EERD:
        return self->eerd;
    case E1000_MDIC:
        return self->mdic;
    case E1000_ICS:
        return self->icr;
    case E1000_IMS:
        return self->ims;
    case E1000_RCTL:
        return self->rctl;
    case E1000_TCTL:
        return self->tctl;
    case E1000_RDT:
        return self->rdt;
    case E1000_TDT:
        return self->tdt;
    case E1000_RDTR:
        return self->rdtr;
    default:
        break;
    }
    if (offset >= E1000_STATISTICS && offset < E1000_STATISTICS + sizeof self->statistics)
        return statistic_read(self, offset, peek);
    plain = plain_register(self, offset, &mask);
    if (plain == NULL)
        plain = ring_register(self, offset, &mask);
    if (plain == NULL)
        plain = table_register(self, offset);
    return plain != NULL ? *plain : 0;
}

static void ctrl_write(IovE1000 *self, uint32_t value)
{
    if (value & E1000_CTRL_RST) {
        e1000_reset(self);
        return;
    }
    if (value & E1000_CTRL_PHY_RST)
        e1000_phy_reset(self);
    self->ctrl = value & ~(E1000_CTRL_RST | E1000_CTRL_PHY_RST);
}

static void rctl_write(IovE1000 *self, uint32_t value, iov_time arrival)
{
    self->rctl = value;
    if (value & E1000_RCTL_EN)
        e1000_rx_kick(self, arrival);
}

static bool active_write(IovE1000 *self, uint32_t offset, uint32_t value, iov_time arrival)
{
    switch (offset) {
    case E1000_TDT:
        self->tdt = value & 0xffff;
        e1000_tx_kick(self, arrival);
        return true;
    case E1000_RDT:
        self->rdt = value & 0xffff;
        e1000_rx_kick(self, arrival);
        return true;
    case E1000_IMC:
        self->ims &= ~value;
        e1000_irq_update(self);
        return true;
    case E1000_IMS:
        self->ims |= value & self->variant->causes;
        e1000_irq_update(self);
        return true;
    case E1000_ICS:
        e1000_irq_raise(self, value);
        return true;
    case E1000_ICR:
        self->icr &= ~value; /* SPEC: 13.4.17: ones clear as well */
        e1000_irq_update(self);
        return true;
    case E1000_CTRL:
        ctrl_write(self, value);
        return true;
    case E1000_EECD:
        e1000_eecd_write(self, value);
        return true;
    case E1000_EERD:
        e1000_eerd_write(self, value);
        return true;
    case E1000_MDIC:
        e1000_mdic_write(self, value);
        return true;
    case E1000_RCTL:
        rctl_write(self, value, arrival);
        return true;
    case E1000_TCTL:
        self->tctl = value;
        e1000_tx_kick(self, arrival);
        return true;
    case E1000_RDTR:
        self->rdtr = value & 0xffff;
        if (value & E1000_RDTR_FLUSH)
            e1000_irq_flush_receive(self);
        return true;
    default:
        return false;
    }
}

void e1000_register_write(IovE1000 *self, uint32_t offset, uint32_t value, iov_time arrival)
{
    uint32_t *plain, mask;

    if (self->variant->write != NULL && self->variant->write(self, offset, value))
        return;
    if (active_write(self, offset, value, arrival))
        return;
    plain = ring_register(self, offset, &mask);
    if (plain != NULL) {
        *plain = value & mask;
        if (offset >= E1000_TDBAL)
            e1000_tx_forget(self);
        else
            e1000_rx_forget(self);
        return;
    }
    plain = plain_register(self, offset, &mask);
    if (plain != NULL) {
        *plain = (*plain & ~mask) | (value & mask);
        return;
    }
    plain = table_register(self, offset);
    if (plain != NULL)
        *plain = value;
}
