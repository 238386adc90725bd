/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the igb's physical function sees of its virtual ones: mailbox, resets, switch. Registers of
 * the 82576 show eight pools; the same state for up to 64 is in arrays behind them (IGB_X_*, not in
 * the 82576).
 * SPEC: 82576, 7.8.2.9 (mailbox), 8.14.
 * LIMIT: no mirror rules, no storm control; LVMMC keeps the pool of the last wrong frame only.
 */
#include "models/nic/igb-private.h"

/* ---- Mailbox ---- */

void igb_vt_event(IovIgb *self, uint64_t *where, unsigned vf)
{
    *where |= UINT64_C(1) << vf;
    if (self->mailbox_mask >> vf & 1)
        igb_other_raise(self, IGB_ICR_VMMB);
}

static uint32_t mailbox_read(const struct igb_pool *pool)
{
    return (pool->vf_owns ? IGB_P2V_VFU : 0) | (pool->pf_owns ? IGB_P2V_PFU : 0);
}

static void mailbox_write(IovIgb *self, unsigned vf, uint32_t value)
{
    struct igb_pool *pool = &self->pools[vf];

    if (value & IGB_P2V_RVFU)
        pool->vf_owns = false;
    pool->pf_owns = value & IGB_P2V_PFU && !pool->vf_owns;
    if (value & IGB_P2V_STS) {
        pool->pf_sent = true;
        self->mailbox_messages++;
    }
    if (value & IGB_P2V_ACK)
        pool->pf_acked = true;
    if (value & (IGB_P2V_STS | IGB_P2V_ACK) && vf < self->enabled)
        igb_mailbox_raise(&self->virtual[vf]);
}

void igb_vt_announce(IovIgb *self, uint32_t ctrl_ext)
{
    if (!(ctrl_ext & IGB_CTRL_EXT_PFRSTD) || self->ctrl_ext & IGB_CTRL_EXT_PFRSTD)
        return;
    for (unsigned i = 0; i < self->pool_count; i++)
        self->pools[i].reset_done = true;
}

/* ---- Bits of pools ---- */

/* The set that an offset shows: eight bits of it, or 32 (`*ret_shift` says which). */
static uint64_t *narrow_set(IovIgb *self, uint32_t offset)
{
    switch (offset) {
    case IGB_VFRE:
        return &self->vfre;
    case IGB_VFTE:
        return &self->vfte;
    case IGB_VFLRE:
        return &self->vflre;
    case IGB_MBVFIMR:
        return &self->mailbox_mask;
    default:
        return NULL;
    }
}

static uint64_t *wide_set(IovIgb *self, uint32_t offset, unsigned *ret_shift)
{
    *ret_shift = offset & 4 ? 32 : 0;
    switch (offset & ~4u) {
    case IGB_X_VFRE:
        return &self->vfre;
    case IGB_X_VFTE:
        return &self->vfte;
    case IGB_X_VFLRE:
        return &self->vflre;
    case IGB_X_MBVFREQ:
        return &self->requests;
    case IGB_X_MBVFACK:
        return &self->acks;
    case IGB_X_MBVFIMR:
        return &self->mailbox_mask;
    case IGB_X_MAC_SPOOF:
        return &self->mac_spoof;
    case IGB_X_VLAN_SPOOF:
        return &self->vlan_spoof;
    case IGB_X_LLE:
        return &self->local_loop;
    default:
        break;
    }
    if (offset >= IGB_X_RA_POOLS(0) && offset < IGB_X_RA_POOLS(IGB_X_RA_COUNT))
        return &self->ra_pools[(offset - IGB_X_RA_POOLS(0)) / 8];
    if (offset >= IGB_X_VLVF_POOLS(0) && offset < IGB_X_VLVF_POOLS(IGB_VLVF_COUNT))
        return &self->vlvf_pools[(offset - IGB_X_VLVF_POOLS(0)) / 8];
    return NULL;
}

static bool clears_by_ones(const IovIgb *self, const uint64_t *set)
{
    return set == &self->vflre || set == &self->requests || set == &self->acks;
}

static void set_write(IovIgb *self, uint64_t *set, uint64_t mask, uint64_t value)
{
    if (clears_by_ones(self, set))
        *set &= ~(value & mask);
    else
        *set = (*set & ~mask) | (value & mask);
    if (set != &self->vfte)
        return;
    for (unsigned i = 0; i < self->queue_count; i++)
        igb_tx_kick(&self->queues[i], 0);
}

/* ---- Registers of one pool ---- */

/* A word of a mailbox's memory, or NULL. */
static uint32_t *memory_word(IovIgb *self, uint32_t offset)
{
    uint32_t at;

    if (offset >= IGB_VMBMEM(0) && offset < IGB_VMBMEM(8))
        at = offset - IGB_VMBMEM(0);
    else if (offset >= IGB_X_VMBMEM(0) && offset < IGB_X_VMBMEM(IGB_POOLS_MAX))
        at = offset - IGB_X_VMBMEM(0);
    else
        return NULL;
    return &self->pools[at / 64].mailbox[at % 64 / 4];
}

/* The pool that an offset in an array belongs to; -1: in none of the two. */
static int pool_index(uint32_t offset, uint32_t narrow, uint32_t wide)
{
    if (offset >= narrow && offset < narrow + 32)
        return (int)(offset - narrow) / 4;
    if (offset >= wide && offset < wide + 4 * IGB_POOLS_MAX)
        return (int)(offset - wide) / 4;
    return -1;
}

static uint32_t *pool_register(IovIgb *self, uint32_t offset)
{
    int pool = pool_index(offset, IGB_VMOLR(0), IGB_X_VMOLR(0));

    if (pool >= 0)
        return &self->pools[pool].vmolr;
    pool = pool_index(offset, IGB_VMVIR(0), IGB_X_VMVIR(0));
    return pool >= 0 ? &self->pools[pool].vmvir : memory_word(self, offset);
}

/* ---- The switch ---- */

static uint32_t vlvf_read(const IovIgb *self, unsigned index)
{
    return self->vlvf[index] | (uint32_t)(self->vlvf_pools[index] & 0xff) << IGB_VLVF_POOL_SHIFT;
}

static void vlvf_write(IovIgb *self, unsigned index, uint32_t value)
{
    self->vlvf[index] = value & (IGB_VLVF_ENABLE | IGB_VLVF_LOCAL | IGB_VLVF_ID);
    self->vlvf_pools[index] = (self->vlvf_pools[index] & ~UINT64_C(0xff)) |
                              (value & IGB_VLVF_POOLS) >> IGB_VLVF_POOL_SHIFT;
}

static uint32_t dtxswc_read(const IovIgb *self)
{
    return self->dtxswc | (uint32_t)(self->mac_spoof & 0xff) |
           (uint32_t)(self->vlan_spoof & 0xff) << IGB_DTXSWC_VLAN_SPOOF_SHIFT |
           (uint32_t)(self->local_loop & 0xff) << IGB_DTXSWC_LLE_SHIFT;
}

static void dtxswc_write(IovIgb *self, uint32_t value)
{
    set_write(self, &self->mac_spoof, 0xff, value);
    set_write(self, &self->vlan_spoof, 0xff, value >> IGB_DTXSWC_VLAN_SPOOF_SHIFT);
    set_write(self, &self->local_loop, 0xff, value >> IGB_DTXSWC_LLE_SHIFT);
    self->dtxswc = value & IGB_DTXSWC_LOOPBACK;
}

/* A register of a virtual function, as the physical one may reach it; false: it is none of
 * these. */
static bool mirror_find(IovIgb *self, uint32_t offset, struct igb_function **ret_function,
                        uint32_t *ret_offset)
{
    uint32_t vf = (offset - 0x10000) >> 8, place = offset & 0xff;

    if (offset < 0x10000 || offset >= 0x14000 || vf >= self->enabled)
        return false;
    *ret_function = &self->virtual[vf];
    if (place == 0)
        *ret_offset = IGB_VF_CTRL;
    else if ((place >= 0x20 && place <= 0x30) || place == 0x80)
        *ret_offset = 0x1500 + place;
    else if (place >= 0x10 && place <= 0x50)
        *ret_offset = 0x0f00 + place;
    else
        return false;
    return true;
}

/* ---- Reads and writes ---- */

static uint32_t wrong_read(uint32_t *reg, bool peek)
{
    uint32_t value = *reg;

    if (!peek)
        *reg = 0;
    return value;
}

static bool single_read(IovIgb *self, uint32_t offset, bool peek, uint32_t *ret_value)
{
    switch (offset) {
    case IGB_VT_CTL:
        *ret_value = self->vt_ctl;
        return true;
    case IGB_DTXSWC:
        *ret_value = dtxswc_read(self);
        return true;
    case IGB_MBVFICR:
        *ret_value = (uint32_t)(self->requests & 0xff) | (uint32_t)(self->acks & 0xff)
                                                             << IGB_MBVFICR_ACK_SHIFT;
        return true;
    case IGB_LVMMC:
        *ret_value = wrong_read(&self->lvmmc, peek);
        return true;
    case IGB_WVBR:
        *ret_value = wrong_read(&self->wvbr, peek);
        return true;
    case IGB_X_DEFAULT_POOL:
        *ret_value = self->default_pool;
        return true;
    default:
        return false;
    }
}

bool igb_vt_read(IovIgb *self, uint32_t offset, bool peek, uint32_t *ret_value)
{
    struct igb_function *function;
    const uint64_t *set = narrow_set(self, offset);
    const uint32_t *kept = pool_register(self, offset);
    uint32_t there;
    unsigned shift;
    int vf = pool_index(offset, IGB_P2VMAILBOX(0), IGB_X_P2VMAILBOX(0));

    if (single_read(self, offset, peek, ret_value))
        return true;
    if (set != NULL) {
        *ret_value = (uint32_t)(*set & 0xff);
    } else if ((set = wide_set(self, offset, &shift)) != NULL) {
        *ret_value = (uint32_t)(*set >> shift);
    } else if (kept != NULL) {
        *ret_value = *kept;
    } else if (vf >= 0) {
        *ret_value = mailbox_read(&self->pools[vf]);
    } else if (offset >= IGB_VLVF(0) && offset < IGB_VLVF(IGB_VLVF_COUNT)) {
        *ret_value = vlvf_read(self, (offset - IGB_VLVF(0)) / 4);
    } else if (mirror_find(self, offset, &function, &there)) {
        *ret_value = igb_virtual_read(function, there, peek);
    } else {
        return false;
    }
    return true;
}

static bool single_write(IovIgb *self, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case IGB_VT_CTL:
        self->vt_ctl = value & 0x70000380;
        return true;
    case IGB_DTXSWC:
        dtxswc_write(self, value);
        return true;
    case IGB_MBVFICR:
        self->requests &= ~(uint64_t)(value & 0xff);
        self->acks &= ~(uint64_t)(value >> IGB_MBVFICR_ACK_SHIFT & 0xff);
        return true;
    case IGB_X_DEFAULT_POOL:
        self->default_pool = value % self->pool_count;
        return true;
    default:
        return false;
    }
}

bool igb_vt_write(IovIgb *self, uint32_t offset, uint32_t value)
{
    struct igb_function *function;
    uint64_t *set = narrow_set(self, offset);
    uint32_t *kept = pool_register(self, offset), there;
    unsigned shift;
    int vf = pool_index(offset, IGB_P2VMAILBOX(0), IGB_X_P2VMAILBOX(0));

    if (single_write(self, offset, value))
        return true;
    if (set != NULL) {
        set_write(self, set, 0xff, value);
    } else if ((set = wide_set(self, offset, &shift)) != NULL) {
        set_write(self, set, (uint64_t)UINT32_MAX << shift, (uint64_t)value << shift);
    } else if (kept != NULL) {
        *kept = value;
        igb_filter_pools_changed(self);
    } else if (vf >= 0) {
        mailbox_write(self, (unsigned)vf, value);
    } else if (offset >= IGB_VLVF(0) && offset < IGB_VLVF(IGB_VLVF_COUNT)) {
        vlvf_write(self, (offset - IGB_VLVF(0)) / 4, value);
    } else if (mirror_find(self, offset, &function, &there)) {
        igb_virtual_write(function, there, value, 0);
    } else {
        return false;
    }
    return true;
}

void igb_vt_reset(IovIgb *self)
{
    self->vt_ctl = self->dtxswc = self->lvmmc = self->wvbr = 0;
    self->default_pool = 0;
    self->vfre = self->vfte = self->vflre = self->requests = self->acks = self->mailbox_mask = 0;
    self->mac_spoof = self->vlan_spoof = self->local_loop = 0;
    memset(self->vlvf, 0, sizeof self->vlvf);
    memset(self->vlvf_pools, 0, sizeof self->vlvf_pools);
    for (unsigned i = 0; i < IGB_POOLS_MAX; i++)
        self->pools[i] = (struct igb_pool){ .vmolr = IGB_VMOLR_RESET };
    igb_filter_pools_changed(self);
}
