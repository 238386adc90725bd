/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a station was last seen: the table of a learning switch, bounded and direct-mapped; a newcomer takes the slot of whoever was there. Initialise with zeros.
 */
#ifndef IOV_HYPERVISOR_MAC_TABLE_H
#define IOV_HYPERVISOR_MAC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { IOV_MAC_SLOTS = 1024, IOV_MAC_BYTES = 6, IOV_MAC_HEADER = 14, IOV_MAC_NOWHERE = INT16_MIN };

struct iov_mac_table {
    struct iov_mac_slot {
        uint8_t mac[IOV_MAC_BYTES];
        bool known;
        int16_t port;
    } slots[IOV_MAC_SLOTS];
};

static inline struct iov_mac_slot *iov_mac_slot(struct iov_mac_table *table, const uint8_t *mac)
{
    uint64_t value = 0;

    memcpy(&value, mac, IOV_MAC_BYTES);
    return &table->slots[value * UINT64_C(0x9e3779b97f4a7c15) >> 54 & (IOV_MAC_SLOTS - 1)];
}

/* The frame that begins with `header` (at least IOV_MAC_HEADER bytes) came in at `port`. A group address is no source. */
static inline void iov_mac_learn(struct iov_mac_table *table, const uint8_t *header, int port)
{
    const uint8_t *source = header + IOV_MAC_BYTES;
    struct iov_mac_slot *slot = iov_mac_slot(table, source);

    if (source[0] & 1)
        return;
    memcpy(slot->mac, source, IOV_MAC_BYTES);
    slot->port = (int16_t)port;
    slot->known = true;
}

/* Where it goes, or IOV_MAC_NOWHERE: to everybody. */
static inline int iov_mac_find(struct iov_mac_table *table, const uint8_t *header)
{
    const struct iov_mac_slot *slot = iov_mac_slot(table, header);

    if (header[0] & 1 || !slot->known || memcmp(slot->mac, header, IOV_MAC_BYTES) != 0)
        return IOV_MAC_NOWHERE;
    return slot->port;
}

#endif
