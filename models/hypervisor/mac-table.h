/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a station was last seen: the table of a learning switch, bounded. An address may stand in
 * any of eight slots; when all are taken a newcomer takes the first. Initialise with zeros.
 */
#ifndef IOV_HYPERVISOR_MAC_TABLE_H
#define IOV_HYPERVISOR_MAC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    IOV_MAC_SLOTS = 1024,
    IOV_MAC_PROBES = 8,
    IOV_MAC_BYTES = 6,
    IOV_MAC_HEADER = 14,
    IOV_MAC_PORTS = 256,
    IOV_MAC_NOWHERE = INT16_MIN
};

struct iov_mac_slot {
    uint8_t mac[IOV_MAC_BYTES];
    bool known;
    int16_t port;
};

struct iov_mac_table {
    struct iov_mac_slot slots[IOV_MAC_SLOTS];
    uint8_t owner[IOV_MAC_PORTS][IOV_MAC_BYTES]; /* the address of a guest's port, once `owned` */
    bool owned[IOV_MAC_PORTS];
};

static inline uint64_t iov_mac_number(const uint8_t *mac)
{
    uint32_t low;
    uint16_t high;

    memcpy(&low, mac, sizeof low);
    memcpy(&high, mac + sizeof low, sizeof high);
    return low | (uint64_t)high << 32;
}

/* Of a frame's destination or source: does it stand for many? */
static inline bool iov_mac_is_group(const uint8_t *mac)
{
    return mac[0] & 1;
}

/* The slot of an address, or the one that it would take. */
static inline struct iov_mac_slot *iov_mac_slot(struct iov_mac_table *table, const uint8_t *mac)
{
    struct iov_mac_slot *room = NULL, *first = NULL;
    uint64_t value = iov_mac_number(mac) * UINT64_C(0x9e3779b97f4a7c15) >> 54;

    for (unsigned i = 0; i < IOV_MAC_PROBES; i++) {
        struct iov_mac_slot *slot = &table->slots[(value + i) % IOV_MAC_SLOTS];

        if (slot->known && memcmp(slot->mac, mac, IOV_MAC_BYTES) == 0)
            return slot;
        if (first == NULL)
            first = slot;
        if (!slot->known && room == NULL)
            room = slot;
    }
    return room != NULL ? room : first;
}

/* The frame that begins with `header` (at least IOV_MAC_HEADER bytes) came in at `port`. A group
 * address is no source. */
static inline void iov_mac_learn(struct iov_mac_table *table, const uint8_t *header, int port)
{
    const uint8_t *source = header + IOV_MAC_BYTES;
    struct iov_mac_slot *slot;

    if (iov_mac_is_group(source))
        return;
    slot = iov_mac_slot(table, source);
    memcpy(slot->mac, source, IOV_MAC_BYTES);
    slot->port = (int16_t)port;
    slot->known = true;
}

/*
 * Whether a guest may send the frame from its port `port`: only under the address `given` to it.
 * Where that is not known (NULL), its address is the first that it sends under, unless somebody
 * else was seen with that one.
 */
static inline bool iov_mac_admit(struct iov_mac_table *table, const uint8_t *header, int port,
                                 const uint8_t *given)
{
    const uint8_t *source = header + IOV_MAC_BYTES;
    const struct iov_mac_slot *slot;

    if (given != NULL)
        return memcmp(given, source, IOV_MAC_BYTES) == 0;
    if (table->owned[port])
        return memcmp(table->owner[port], source, IOV_MAC_BYTES) == 0;
    slot = iov_mac_slot(table, source);
    if (iov_mac_is_group(source) ||
        (slot->known && memcmp(slot->mac, source, IOV_MAC_BYTES) == 0 && slot->port != port))
        return false;
    memcpy(table->owner[port], source, IOV_MAC_BYTES);
    table->owned[port] = true;
    return true;
}

/* Where it goes, or IOV_MAC_NOWHERE: to everybody. */
static inline int iov_mac_find(struct iov_mac_table *table, const uint8_t *header)
{
    const struct iov_mac_slot *slot;

    if (iov_mac_is_group(header))
        return IOV_MAC_NOWHERE;
    slot = iov_mac_slot(table, header);
    if (!slot->known || memcmp(slot->mac, header, IOV_MAC_BYTES) != 0)
        return IOV_MAC_NOWHERE;
    return slot->port;
}

#endif
