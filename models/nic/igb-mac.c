/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's register file: aligned 32-bit registers of the physical function. Offsets that the part
 * does not have read as zero and ignore writes.
 * SPEC: 82576, 8.1.3 (map), 4.2.1.6 (software reset).
 * LIMIT: packet buffer memory, flash, time stamps, management, wake-up and the filters by Ethertype
 * and tuple read as zero or are stored without effect.
 */
#include "models/nic/igb-private.h"

/* ---- Registers that keep what is written to them ---- */

struct plain {
    uint16_t offset;
    uint32_t mask, reset;
};

static const struct plain plain_registers[] = {
    { IGB_FCAL, UINT32_MAX, 0x00c28001 },
    { IGB_FCAH, 0xffff, 0x0100 },
    { IGB_FCT, 0xffff, 0x8808 },
    { IGB_CONNSW, 0x0f, 0 },
    { IGB_FCTTV, 0xffff, 0 },
    { IGB_LEDCTL, UINT32_MAX, 0x07068302 },
    { IGB_FCRTL, 0x8000fff0, 0 },
    { IGB_FCRTH, 0xfff0, 0 },
    { IGB_FCRTV, 0xffff, 0 },
    { IGB_TCTL_EXT, 0x000ffc00, 0x00010000 },
    { IGB_TIPG, 0x3fffffff, 0x00601408 },
    { IGB_DTXCTL, 0xff, 0x4 },
    { IGB_WUC, 0x3f, 0 },
    { IGB_WUFC, 0x00ff80ff, 0 },
    { IGB_MANC, UINT32_MAX, 0 },
    { IGB_GCR, 0x8007ffff, 0x00040000 }, /* capability version 2 */
    { IGB_RPLOLR, 0xc0000000, 0 },
    { IGB_IOVCTL, 1, 0 },
    { 0xb600, UINT32_MAX, 0 }, /* time stamps: SYSTIML ... */
    { 0xb604, UINT32_MAX, 0 },
    { 0xb608, UINT32_MAX, 0 },
    { 0xb60c, UINT32_MAX, 0 },
    { 0xb610, UINT32_MAX, 0 },
    { 0xb614, UINT32_MAX, 0 },
    { 0xb620, UINT32_MAX, 0 },
    { 0x5f50, UINT32_MAX, 0 },
    { IGB_PSRTYPE(0), UINT32_MAX, 0 },
    { IGB_PSRTYPE(1), UINT32_MAX, 0 },
    { IGB_PSRTYPE(2), UINT32_MAX, 0 },
    { IGB_PSRTYPE(3), UINT32_MAX, 0 },
    { IGB_PSRTYPE(4), UINT32_MAX, 0 },
    { IGB_PSRTYPE(5), UINT32_MAX, 0 },
    { IGB_PSRTYPE(6), UINT32_MAX, 0 },
    { IGB_PSRTYPE(7), UINT32_MAX, 0 },
};
static_assert(sizeof plain_registers / sizeof plain_registers[0] <= IGB_PLAIN, "room for all");

static uint32_t *plain_register(IovIgb *self, uint32_t offset, uint32_t *ret_mask)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(plain_registers); i++) {
        if (plain_registers[i].offset == offset) {
            *ret_mask = plain_registers[i].mask;
            return &self->plain[i];
        }
    }
    return NULL;
}

/* The MAC's own, with a part that is kept. */
static uint32_t *mac_register(IovIgb *self, uint32_t offset, uint32_t *ret_mask)
{
    *ret_mask = UINT32_MAX;
    switch (offset) {
    case IGB_EECD:
        *ret_mask = 0x4f;
        return &self->eecd;
    case IGB_CTRL_EXT:
        return &self->ctrl_ext; /* its write has an effect: active_write() */
    case IGB_VET:
        *ret_mask = 0xffff;
        return &self->vet;
    case IGB_RXPBS:
        *ret_mask = 0x7f;
        return &self->rxpbs;
    case IGB_TXPBS:
        *ret_mask = 0x3f;
        return &self->txpbs;
    case IGB_RXCSUM:
        *ret_mask = 0x3bff;
        return &self->rxcsum;
    case IGB_RLPML:
        *ret_mask = 0x3fff;
        return &self->rlpml;
    case IGB_RFCTL:
        return &self->rfctl;
    case IGB_MRQC:
        *ret_mask = 0x01ff003f;
        return &self->mrqc;
    case IGB_QDE:
        return &self->qde;
    case IGB_IAM:
    case IGB_LEGACY_IAM:
        return &self->iam;
    case IGB_SW_FW_SYNC:
        return &self->sw_fw_sync;
    default:
        return NULL;
    }
}

/* ---- Tables ---- */

static uint32_t *table_register(IovIgb *self, uint32_t offset)
{
#define TABLE(base, field) \
    if (offset >= (base) && offset < (base) + sizeof self->field) \
    return &self->field[(offset - (base)) / 4]
    TABLE(IGB_MTA, mta);
    TABLE(IGB_VFTA, vfta);
    TABLE(IGB_UTA, uta);
    TABLE(IGB_RETA, reta);
#undef TABLE
    return NULL;
}

/* Receive addresses: 24 in the 82576, all of them at the extension's place. -1: none of these. */
static int address_index(uint32_t offset)
{
    if (offset >= IGB_RA && offset < IGB_RA + 128)
        return (int)(offset - IGB_RA) / 4;
    if (offset >= IGB_RA2 && offset < IGB_RA2 + 64)
        return 32 + (int)(offset - IGB_RA2) / 4;
    if (offset >= IGB_X_RAL(0) && offset < IGB_X_RAL(IGB_X_RA_COUNT))
        return (int)(offset - IGB_X_RAL(0)) / 4;
    return -1;
}

static uint32_t address_read(const IovIgb *self, int index)
{
    uint32_t value = self->ra[index];

    if (index & 1)
        value = (value & ~IGB_RAH_POOL_MASK) | (uint32_t)(self->ra_pools[index / 2] & 0xff)
                                                   << IGB_RAH_POOL_SHIFT;
    return value;
}

static void address_write(IovIgb *self, int index, uint32_t value)
{
    igb_filter_addresses_changed(self);
    if (!(index & 1)) {
        self->ra[index] = value;
        return;
    }
    self->ra[index] = value & 0x8000ffff;
    self->ra_pools[index / 2] = (self->ra_pools[index / 2] & ~UINT64_C(0xff)) |
                                (value & IGB_RAH_POOL_MASK) >> IGB_RAH_POOL_SHIFT;
}

/* ---- Queues ---- */

/* The queue that an offset belongs to, and which of its registers it is; NULL if it is none. */
static struct igb_queue *queue_find(IovIgb *self, uint32_t offset, bool *ret_transmit,
                                    uint32_t *ret_reg)
{
    uint32_t number;

    *ret_transmit = offset >= IGB_TX || (offset >= IGB_TX_OLD && offset < IGB_RX);
    if (offset >= IGB_RX && offset < IGB_TX + 0x2000) {
        number = (offset & 0x1fff) >> 6;
        *ret_reg = offset & 0x3f;
    } else if ((offset >= IGB_RX_OLD && offset < IGB_RX_OLD + 0x400) ||
               (offset >= IGB_TX_OLD && offset < IGB_TX_OLD + 0x400)) {
        number = offset >> 8 & 3;
        *ret_reg = offset & 0xff;
        if (*ret_reg >= 0x40)
            return NULL;
    } else {
        return NULL;
    }
    return number < self->queue_count ? &self->queues[number] : NULL;
}

static uint32_t drops_read(struct igb_rx *rx, bool peek)
{
    uint32_t value = rx->drops;

    if (!peek)
        rx->drops = 0;
    return value;
}

uint32_t igb_queue_register_read(struct igb_queue *queue, bool transmit, uint32_t reg, bool peek)
{
    struct igb_rx *rx = &queue->rx;
    const struct igb_tx *tx = &queue->tx;

    switch (reg) {
    case IGB_QUEUE_BAL:
        return transmit ? tx->bal : rx->bal;
    case IGB_QUEUE_BAH:
        return transmit ? tx->bah : rx->bah;
    case IGB_QUEUE_LEN:
        return transmit ? tx->len : rx->len;
    case IGB_QUEUE_SRRCTL:
        return transmit ? 0 : rx->srrctl;
    case IGB_QUEUE_HEAD:
        return transmit ? tx->head : rx->head;
    case IGB_QUEUE_DCA:
        return transmit ? tx->dca : rx->dca;
    case IGB_QUEUE_TAIL:
        return transmit ? tx->tail : rx->tail;
    case IGB_QUEUE_DCTL:
        return transmit ? tx->dctl : rx->dctl;
    case IGB_QUEUE_DROPS:
        return transmit ? 0 : drops_read(rx, peek);
    case IGB_QUEUE_WBAL:
        return transmit ? tx->wbal : 0;
    case IGB_QUEUE_WBAH:
        return transmit ? tx->wbah : 0;
    default:
        return 0;
    }
}

static void rx_register_write(struct igb_queue *queue, uint32_t reg, uint32_t value,
                              iov_time arrival)
{
    struct igb_rx *rx = &queue->rx;

    switch (reg) {
    case IGB_QUEUE_TAIL:
        rx->tail = value & 0xffff;
        igb_rx_kick(queue, arrival);
        break;
    case IGB_QUEUE_BAL:
        rx->bal = value & ~0x7fu;
        break;
    case IGB_QUEUE_BAH:
        rx->bah = value;
        break;
    case IGB_QUEUE_LEN:
        rx->len = value & 0xfff80;
        break;
    case IGB_QUEUE_SRRCTL:
        rx->srrctl = value;
        break;
    case IGB_QUEUE_HEAD: /* SPEC: 82576, 8.10.10: written while the queue is off */
        if (!(rx->dctl & IGB_DCTL_ENABLE))
            rx->head = value & 0xffff;
        break;
    case IGB_QUEUE_DCA:
        rx->dca = value;
        break;
    case IGB_QUEUE_DCTL:
        igb_rx_set_control(queue, value, arrival);
        break;
    default:
        break;
    }
}

static void tx_register_write(struct igb_queue *queue, uint32_t reg, uint32_t value,
                              iov_time arrival)
{
    struct igb_tx *tx = &queue->tx;

    switch (reg) {
    case IGB_QUEUE_TAIL:
        tx->tail = value & 0xffff;
        igb_tx_kick(queue, arrival);
        break;
    case IGB_QUEUE_BAL:
        tx->bal = value & ~0x7fu;
        break;
    case IGB_QUEUE_BAH:
        tx->bah = value;
        break;
    case IGB_QUEUE_LEN:
        tx->len = value & 0xfff80;
        break;
    case IGB_QUEUE_HEAD:
        if (!(tx->dctl & IGB_DCTL_ENABLE))
            tx->head = tx->next = value & 0xffff;
        break;
    case IGB_QUEUE_DCA:
        tx->dca = value;
        break;
    case IGB_QUEUE_DCTL:
        igb_tx_set_control(queue, value, arrival);
        break;
    case IGB_QUEUE_WBAL:
        tx->wbal = value & ~2u;
        break;
    case IGB_QUEUE_WBAH:
        tx->wbah = value;
        break;
    default:
        break;
    }
}

void igb_queue_register_write(struct igb_queue *queue, bool transmit, uint32_t reg, uint32_t value,
                              iov_time arrival)
{
    if (transmit)
        tx_register_write(queue, reg, value, arrival);
    else
        rx_register_write(queue, reg, value, arrival);
}

/* ---- Statistics ---- */

/* SPEC: 82576, 8.18: reading clears; a 64-bit counter is cleared when its upper half is read. */
static uint32_t statistic_read(IovIgb *self, uint32_t offset, bool peek)
{
    uint32_t *counter = &self->statistics[(offset - IGB_STATISTICS) / 4];
    uint32_t value = *counter;

    if (peek)
        return value;
    switch (offset) {
    case IGB_GORCL:
    case IGB_GOTCL:
    case IGB_TORL:
    case IGB_TOTL:
    case IGB_HGORCL:
    case IGB_HGOTCL:
        return value;
    case IGB_GORCH:
    case IGB_GOTCH:
    case IGB_TORH:
    case IGB_TOTH:
    case IGB_HGORCH:
    case IGB_HGOTCH:
        counter[-1] = 0;
        break;
    default:
        break;
    }
    *counter = 0;
    return value;
}

/* ---- Reads ---- */

static uint32_t status_read(const IovIgb *self)
{
    bool master = iov_pci_master(&self->physical.space) && !(self->ctrl & IGB_CTRL_MASTER_DISABLE);

    return self->status | (self->link ? IGB_STATUS_LU : 0) | (master ? IGB_STATUS_MASTER : 0) |
           (self->enabled != 0 && !self->virtual[0].assignable
                ? IGB_STATUS_IOV | (self->enabled & 15) << IGB_STATUS_VFS_SHIFT
                : 0);
}

static bool active_read(IovIgb *self, uint32_t offset, bool peek, uint32_t *ret_value)
{
    switch (offset) {
    case IGB_STATUS:
        *ret_value = status_read(self);
        return true;
    case IGB_CTRL:
        *ret_value = self->ctrl;
        return true;
    case IGB_EECD:
        *ret_value = igb_eecd_read(self);
        return true;
    case IGB_EERD:
        *ret_value = self->eerd;
        return true;
    case IGB_MDIC:
        *ret_value = self->mdic;
        return true;
    case IGB_ICR:
    case IGB_LEGACY_ICR:
        *ret_value = igb_icr_read(self, peek);
        return true;
    case IGB_ICS:
    case IGB_LEGACY_ICS:
        *ret_value = self->icr;
        return true;
    case IGB_IMS:
    case IGB_LEGACY_IMS:
        *ret_value = self->ims;
        return true;
    case IGB_GPIE:
        *ret_value = self->gpie;
        return true;
    case IGB_RCTL:
        *ret_value = self->rctl;
        return true;
    case IGB_TCTL:
        *ret_value = self->tctl;
        return true;
    case IGB_SWSM:
        *ret_value = igb_swsm_read(self, peek);
        return true;
    case IGB_EEMNGCTL:
        *ret_value = IGB_EEMNGCTL_CFG_DONE | 1u << 31;
        return true;
    default:
        return false;
    }
}

uint32_t igb_register_read(IovIgb *self, uint32_t offset, bool peek)
{
    uint32_t value = 0, mask, reg;
    const uint32_t *kept;
    struct igb_queue *queue;
    bool transmit;
    int index;

    if (active_read(self, offset, peek, &value) ||
        igb_causes_read(&self->physical, offset, peek, &value))
        return value;
    if (offset >= IGB_STATISTICS && offset < IGB_STATISTICS + sizeof self->statistics)
        return statistic_read(self, offset, peek);
    queue = queue_find(self, offset, &transmit, &reg);
    if (queue != NULL)
        return igb_queue_register_read(queue, transmit, reg, peek);
    if (igb_vt_read(self, offset, peek, &value))
        return value;
    index = address_index(offset);
    if (index >= 0)
        return address_read(self, index);
    kept = mac_register(self, offset, &mask);
    if (kept == NULL)
        kept = plain_register(self, offset, &mask);
    if (kept == NULL)
        kept = table_register(self, offset);
    return kept != NULL ? *kept : 0; /* RSSRK is write only */
}

/* ---- Writes ---- */

static void ctrl_write(IovIgb *self, uint32_t value)
{
    if (value & IGB_CTRL_RST) {
        igb_reset(self);
        return;
    }
    if (value & IGB_CTRL_PHY_RST)
        igb_phy_reset(self);
    self->ctrl = value & ~(IGB_CTRL_RST | IGB_CTRL_PHY_RST);
}

static void engines_kick(IovIgb *self, bool transmit, iov_time arrival)
{
    for (unsigned i = 0; i < self->queue_count; i++) {
        if (transmit)
            igb_tx_kick(&self->queues[i], arrival);
        else
            igb_rx_kick(&self->queues[i], arrival);
    }
}

static bool active_write(IovIgb *self, uint32_t offset, uint32_t value, iov_time arrival)
{
    switch (offset) {
    case IGB_CTRL:
        ctrl_write(self, value);
        return true;
    case IGB_CTRL_EXT:
        igb_vt_announce(self, value);
        self->ctrl_ext = value;
        return true;
    case IGB_EERD:
        igb_eerd_write(self, value);
        return true;
    case IGB_MDIC:
        igb_mdic_write(self, value);
        return true;
    case IGB_ICR:
    case IGB_LEGACY_ICR:
        self->icr &= ~value;
        igb_other_update(self);
        return true;
    case IGB_ICS:
    case IGB_LEGACY_ICS:
        igb_other_raise(self, value);
        return true;
    case IGB_IMS:
    case IGB_LEGACY_IMS:
        self->ims |= value & IGB_ICR_ALL;
        igb_other_update(self);
        return true;
    case IGB_IMC:
    case IGB_LEGACY_IMC:
        self->ims &= ~value;
        igb_other_update(self);
        return true;
    case IGB_GPIE:
        self->gpie = value & 0xc0000f91;
        return true;
    case IGB_RCTL:
        self->rctl = value;
        engines_kick(self, false, arrival);
        return true;
    case IGB_TCTL:
        self->tctl = value;
        engines_kick(self, true, arrival);
        return true;
    case IGB_SWSM:
        self->swsm = value & (IGB_SWSM_SMBI | IGB_SWSM_SWESMBI);
        return true;
    default:
        return false;
    }
}

static bool key_write(IovIgb *self, uint32_t offset, uint32_t value)
{
    if (offset < IGB_RSSRK || offset >= IGB_RSSRK + sizeof self->rssrk)
        return false;
    self->rssrk[(offset - IGB_RSSRK) / 4] = value;
    self->toeplitz_valid = false;
    return true;
}

void igb_register_write(IovIgb *self, uint32_t offset, uint32_t value, iov_time arrival)
{
    bool transmit;
    uint32_t reg, mask;
    struct igb_queue *queue = queue_find(self, offset, &transmit, &reg);
    uint32_t *kept;
    int index;

    if (queue != NULL) {
        igb_queue_register_write(queue, transmit, reg, value, arrival);
        return;
    }
    if (igb_causes_write(&self->physical, offset, value) ||
        active_write(self, offset, value, arrival) || igb_vt_write(self, offset, value) ||
        key_write(self, offset, value))
        return;
    index = address_index(offset);
    if (index >= 0) {
        address_write(self, index, value);
        return;
    }
    kept = mac_register(self, offset, &mask);
    if (kept == NULL)
        kept = plain_register(self, offset, &mask);
    if (kept != NULL) {
        *kept = (*kept & ~mask) | (value & mask);
        return;
    }
    kept = table_register(self, offset);
    if (kept != NULL)
        *kept = value;
}

/* What power-on and CTRL.RST leave. SPEC: 82576, 8: initial values. */
void igb_mac_reset(IovIgb *self)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(plain_registers); i++)
        self->plain[i] = plain_registers[i].reset;
    self->ctrl = IGB_CTRL_RESET;
    self->status = IGB_STATUS_FD | IGB_STATUS_SPEED_1000 | IGB_STATUS_RF_DONE;
    self->eecd = self->eerd = self->mdic = self->ctrl_ext = 0;
    self->icr = self->ims = self->iam = self->gpie = 0;
    self->rctl = 0;
    self->tctl = IGB_TCTL_PSP;
    self->rxcsum = IGB_RXCSUM_IPOFL | IGB_RXCSUM_TUOFL;
    self->rlpml = 0x2600;
    self->rfctl = self->mrqc = self->qde = 0;
    self->vet = 0x8100;
    self->rxpbs = 64;
    self->txpbs = 40;
    self->swsm = self->sw_fw_sync = 0;
    memset(self->ra, 0, sizeof self->ra);
    memset(self->ra_pools, 0, sizeof self->ra_pools);
    memset(self->uta, 0, sizeof self->uta);
    memset(self->reta, 0, sizeof self->reta);
    memset(self->rssrk, 0, sizeof self->rssrk);
    memset(self->statistics, 0, sizeof self->statistics);
    self->toeplitz_valid = false;
    self->ra[0] = (uint32_t)self->eeprom[1] << 16 | self->eeprom[0];
    self->ra[1] = IGB_RAH_VALID | self->eeprom[2];
    igb_filter_addresses_changed(self);
}
