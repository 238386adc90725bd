/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To whom a frame goes: address and VLAN filters, receive-side scaling, pools of the embedded
 * switch, anti-spoofing.
 *
 * Without pools a frame passes the filters or not, and RSS picks the queue. With pools (MRQC) every
 * exact address, VLAN entry and VMOLR names the pools that take it; one that nobody takes goes to
 * the default pool.
 *
 * SPEC: 82576, 7.1.1 (queues), 7.1.1.7 (RSS), 7.1.2 (filters), 7.8.3 (switching).
 * LIMIT: no filters by Ethertype, SYN or tuple, no mirroring, no storm control; the hash of IPv6
 * takes no notice of extension headers.
 */
#include "core/net/ethernet-regs.h"
#include "models/nic/igb-private.h"

#define TUPLE_MAX 36u /* two IPv6 addresses and two ports */

/* ---- What kind of frame it is ---- */

bool igb_filter_is_tagged(const IovIgb *self, const struct iov_packet *packet)
{
    return packet->size >= ETHERNET_HEADER + ETHERNET_VLAN_TAG &&
           igb_get16(packet->data + ETHERNET_TYPE) == self->vet;
}

static uint16_t vlan_id(const struct iov_packet *packet)
{
    return igb_get16(packet->data + ETHERNET_TYPE + 2) & 0xfff;
}

static uint16_t types_of_l4(uint8_t protocol, uint32_t room)
{
    if (protocol == IPV4_PROTOCOL_TCP && room >= TCP_HEADER)
        return IGB_RXD_TYPE_TCP;
    if (protocol == IPV4_PROTOCOL_UDP && room >= UDP_HEADER)
        return IGB_RXD_TYPE_UDP;
    return protocol == 132 ? IGB_RXD_TYPE_SCTP : 0;
}

uint16_t igb_filter_types(const struct iov_packet *packet, uint32_t *ret_ip, uint32_t *ret_l4)
{
    const uint8_t *data = packet->data;
    uint32_t at = ETHERNET_HEADER, header;
    uint16_t kind = igb_get16(data + ETHERNET_TYPE), types, l4;

    *ret_ip = *ret_l4 = 0;
    if (kind == ETHERNET_TYPE_VLAN && packet->size >= ETHERNET_HEADER + ETHERNET_VLAN_TAG) {
        at += ETHERNET_VLAN_TAG;
        kind = igb_get16(data + ETHERNET_TYPE + ETHERNET_VLAN_TAG);
    }
    if (kind == ETHERNET_TYPE_IPV6 && packet->size >= at + IPV6_HEADER) {
        *ret_ip = at;
        l4 = types_of_l4(data[at + IPV6_NEXT], packet->size - at - IPV6_HEADER);
        *ret_l4 = l4 != 0 ? at + IPV6_HEADER : 0;
        return IGB_RXD_TYPE_IP6 | l4;
    }
    if (kind != ETHERNET_TYPE_IPV4 || packet->size < at + IPV4_HEADER)
        return 0;
    header = (data[at] & 0xfu) * 4;
    if (data[at] >> 4 != 4 || header < IPV4_HEADER || header > packet->size - at)
        return 0;
    *ret_ip = at;
    types = IGB_RXD_TYPE_IP4;
    if ((igb_get16(data + at + IPV4_FRAGMENT) & 0x3fff) != 0)
        return types; /* a fragment: what follows is not looked at */
    l4 = types_of_l4(data[at + IPV4_PROTOCOL], packet->size - at - header);
    *ret_l4 = l4 != 0 ? at + header : 0;
    return types | l4;
}

/* ---- Receive-side scaling ---- */

/* The hash is a sum over the input's bits: a table a byte makes it a sum over bytes. */
static void toeplitz_make(IovIgb *self)
{
    uint8_t key[sizeof self->rssrk + 8] = { 0 };

    memcpy(key, self->rssrk, sizeof self->rssrk);
    for (unsigned place = 0; place < TUPLE_MAX; place++) {
        uint64_t window = 0;

        for (unsigned i = 0; i < 5; i++)
            window = window << 8 | key[place + i];
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t hash = 0;

            for (unsigned bit = 0; bit < 8; bit++) {
                if (byte & 0x80u >> bit)
                    hash ^= (uint32_t)(window >> (8 - bit));
            }
            self->toeplitz[place][byte] = hash;
        }
    }
    self->toeplitz_valid = true;
}

static uint32_t toeplitz(IovIgb *self, const uint8_t *tuple, uint32_t size)
{
    uint32_t hash = 0;

    if (!self->toeplitz_valid)
        toeplitz_make(self);
    for (uint32_t i = 0; i < size; i++)
        hash ^= self->toeplitz[i][tuple[i]];
    return hash;
}

/* Which fields are hashed; RSS type, or none. */
static uint8_t rss_type(const IovIgb *self, uint16_t types)
{
    if (types & IGB_RXD_TYPE_IP4) {
        if (types & IGB_RXD_TYPE_TCP && self->mrqc & IGB_MRQC_TCP4)
            return IGB_RSS_TCP4;
        if (types & IGB_RXD_TYPE_UDP && self->mrqc & IGB_MRQC_UDP4)
            return IGB_RSS_UDP4;
        return self->mrqc & IGB_MRQC_IP4 ? IGB_RSS_IP4 : IGB_RSS_NONE;
    }
    if (!(types & IGB_RXD_TYPE_IP6))
        return IGB_RSS_NONE;
    if (types & IGB_RXD_TYPE_TCP && self->mrqc & IGB_MRQC_TCP6)
        return IGB_RSS_TCP6;
    if (types & IGB_RXD_TYPE_UDP && self->mrqc & IGB_MRQC_UDP6)
        return IGB_RSS_UDP6;
    return self->mrqc & IGB_MRQC_IP6 ? IGB_RSS_IP6 : IGB_RSS_NONE;
}

void igb_filter_hash(IovIgb *self, const struct iov_packet *packet, struct igb_route *route)
{
    uint32_t mode = self->mrqc & IGB_MRQC_MODE, ip, l4, size, entry;
    uint16_t types = igb_filter_types(packet, &ip, &l4);
    uint8_t tuple[TUPLE_MAX];

    route->queue = 0;
    route->hash = 0;
    route->rss = IGB_RSS_NONE;
    if (mode != IGB_MRQC_RSS && mode != IGB_MRQC_POOLS_RSS)
        return;
    route->rss = rss_type(self, types);
    if (route->rss == IGB_RSS_NONE)
        return;
    size = types & IGB_RXD_TYPE_IP4 ? 8 : 32;
    memcpy(tuple, packet->data + ip + (size == 8 ? IPV4_SOURCE : IPV6_SOURCE), size);
    if (route->rss != IGB_RSS_IP4 && route->rss != IGB_RSS_IP6) {
        memcpy(tuple + size, packet->data + l4, 4);
        size += 4;
    }
    route->hash = toeplitz(self, tuple, size);
    entry = route->hash & 127;
    route->queue = self->reta[entry / 4] >> (entry % 4 * 8) & 0xf;
}

/* ---- Filters ---- */

static bool is_broadcast(const uint8_t *address)
{
    return memcmp(address, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0;
}

/* The place of an address among those that are received exactly, or -1. */
static int exact_search(const IovIgb *self, uint64_t filter)
{
    unsigned count = self->pool_count > 8 ? IGB_X_RA_COUNT : IGB_RA_COUNT;

    for (unsigned i = 0; i < count; i++) {
        if (self->ra[2 * i + 1] == filter >> 32 && self->ra[2 * i] == (uint32_t)filter)
            return (int)i;
    }
    return -1;
}

static int exact_find(IovIgb *self, const uint8_t *address)
{
    struct igb_address_place *known = &self->looked_up[address[5] % IGB_LOOKED_UP];
    uint64_t filter = (uint64_t)IGB_RAH_VALID << 32;

    for (unsigned i = 0; i < 6; i++)
        filter |= (uint64_t)address[i] << (8 * i);
    if (known->filter != filter)
        *known = (struct igb_address_place){ filter, exact_search(self, filter) };
    return known->place;
}

void igb_filter_addresses_changed(IovIgb *self)
{
    memset(self->looked_up, 0, sizeof self->looked_up);
}

/* SPEC: 82576, 7.1.2.1.2: MO picks which twelve of the address's last sixteen bits index the
 * table. */
static bool hash_accepts(const IovIgb *self, const uint32_t *table, const uint8_t *address)
{
    static const uint8_t shifts[4] = { 4, 3, 2, 0 };
    uint32_t bits = (uint32_t)address[4] | (uint32_t)address[5] << 8;
    uint32_t hash = bits >> shifts[self->rctl >> IGB_RCTL_MO_SHIFT & 3] & 0xfff;

    return table[hash >> 5] >> (hash & 31) & 1;
}

static bool vlan_accepts(const IovIgb *self, const struct iov_packet *packet)
{
    uint16_t id;

    if (!(self->rctl & IGB_RCTL_VFE) || !igb_filter_is_tagged(self, packet))
        return true;
    id = vlan_id(packet);
    return self->vfta[id >> 5] >> (id & 31) & 1;
}

static bool address_accepts(IovIgb *self, const uint8_t *address)
{
    if (is_broadcast(address))
        return self->rctl & (IGB_RCTL_BAM | IGB_RCTL_MPE);
    if (address[0] & 1 ? self->rctl & IGB_RCTL_MPE : self->rctl & IGB_RCTL_UPE)
        return true;
    return exact_find(self, address) >= 0 ||
           hash_accepts(self, address[0] & 1 ? self->mta : self->uta, address);
}

/* ---- Pools ---- */

static uint64_t pools_with(const IovIgb *self, uint32_t flag)
{
    uint64_t pools = 0;

    for (unsigned i = 0; i < self->pool_count; i++)
        pools |= (uint64_t)((self->pools[i].vmolr & flag) != 0) << i;
    return pools;
}

void igb_filter_pools_changed(IovIgb *self)
{
    self->untagged = pools_with(self, IGB_VMOLR_AUPE);
}

static uint64_t pools_of_address(IovIgb *self, const uint8_t *address)
{
    uint64_t pools = 0;
    int exact;

    if (is_broadcast(address))
        return pools_with(self, IGB_VMOLR_BAM);
    exact = exact_find(self, address);
    if (exact >= 0)
        pools |= self->ra_pools[exact];
    if (address[0] & 1) {
        if (hash_accepts(self, self->mta, address))
            pools |= pools_with(self, IGB_VMOLR_ROMPE);
        pools |= pools_with(self, IGB_VMOLR_MPME);
    } else if (hash_accepts(self, self->uta, address)) {
        pools |= pools_with(self, IGB_VMOLR_ROPE);
    }
    return pools;
}

/* Pools in the VLAN of a tagged frame; those that take untagged ones. */
static uint64_t pools_of_vlan(const IovIgb *self, const struct iov_packet *packet)
{
    uint64_t pools = 0;

    if (!igb_filter_is_tagged(self, packet))
        return self->untagged;
    if (!(self->rctl & IGB_RCTL_VFE))
        return UINT64_MAX;
    for (unsigned i = 0; i < IGB_VLVF_COUNT; i++) {
        if (self->vlvf[i] & IGB_VLVF_ENABLE && (self->vlvf[i] & IGB_VLVF_ID) == vlan_id(packet))
            pools |= self->vlvf_pools[i];
    }
    return pools;
}

static uint64_t pools_of(IovIgb *self, const struct iov_packet *packet)
{
    bool group = packet->data[0] & 1;
    uint64_t pools = pools_of_address(self, packet->data) & pools_of_vlan(self, packet);

    if (group && !(self->vt_ctl & IGB_VT_CTL_REPLICATE))
        pools &= ~pools + 1; /* SPEC: 82576, 7.8.3.4: without replication the first one only */
    return pools;
}

static uint64_t default_pool(const IovIgb *self)
{
    unsigned pool =
        self->pool_count > 8 ? self->default_pool : self->vt_ctl >> IGB_VT_CTL_POOL_SHIFT & 7;

    return self->vt_ctl & IGB_VT_CTL_NO_DEFAULT ? 0 : UINT64_C(1) << pool;
}

bool igb_filter_route(IovIgb *self, const struct iov_packet *packet, struct igb_route *ret_route)
{
    *ret_route = (struct igb_route){ 0 };
    if (!vlan_accepts(self, packet) && !igb_has_pools(self))
        return false;
    if (!igb_has_pools(self)) {
        if (!address_accepts(self, packet->data))
            return false;
    } else {
        ret_route->pools = pools_of(self, packet) & igb_pools_allowed(self, self->vfre);
        if (ret_route->pools == 0 && vlan_accepts(self, packet) &&
            address_accepts(self, packet->data))
            ret_route->pools = default_pool(self) & igb_pools_allowed(self, self->vfre);
        if (ret_route->pools == 0)
            return false;
    }
    igb_filter_hash(self, packet, ret_route);
    return true;
}

/* ---- Sending from a pool ---- */

/* SPEC: 82576, 7.8.3.8.1: a pool that is watched sends with its own addresses and in its own VLANs
 * only. */
bool igb_filter_may_send(IovIgb *self, const struct iov_packet *packet, unsigned pool)
{
    uint64_t bit = UINT64_C(1) << pool;
    int exact;

    if (self->mac_spoof & bit) {
        exact = exact_find(self, packet->data + ETHERNET_SOURCE);
        if (exact < 0 || !(self->ra_pools[exact] & bit))
            return false;
    }
    if (self->vlan_spoof & bit && igb_filter_is_tagged(self, packet)) {
        uint64_t pools = 0;

        for (unsigned i = 0; i < IGB_VLVF_COUNT; i++) {
            if (self->vlvf[i] & IGB_VLVF_ENABLE && (self->vlvf[i] & IGB_VLVF_ID) == vlan_id(packet))
                pools |= self->vlvf_pools[i];
        }
        return pools & bit;
    }
    return true;
}

uint64_t igb_filter_local(IovIgb *self, const struct iov_packet *packet, unsigned pool,
                          bool *ret_outside)
{
    uint64_t pools;

    *ret_outside = true;
    if (!igb_has_pools(self) || !(self->dtxswc & IGB_DTXSWC_LOOPBACK))
        return 0;
    pools = pools_of(self, packet) & igb_pools_allowed(self, self->vfre);
    if (!(self->local_loop >> pool & 1))
        pools &= ~(UINT64_C(1) << pool);
    *ret_outside = packet->data[0] & 1 || pools == 0;
    return pools;
}
