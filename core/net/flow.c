/* SPDX-License-Identifier: Apache-2.0 */
/* Automatic receive steering: a table of flows and the queues that last sent for them. */
#include "core/net/flow.h"

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"

static uint32_t mix(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    hash ^= hash >> 15;
    hash *= 0x846ca68bu;
    return hash ^ hash >> 16;
}

uint32_t iov_flow_hash(const uint8_t *frame, uint32_t size)
{
    const uint8_t *ip = frame + ETHERNET_HEADER, *l4 = ip + IPV4_HEADER;
    uint64_t source, destination, low, high;
    uint32_t hash;

    if (size < ETHERNET_HEADER + IPV4_HEADER + 4 ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || ip[0] != 0x45 ||
        (ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_UDP && ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_TCP) ||
        (iov_net_get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
        return 0;
    source = (uint64_t)iov_net_get32(ip + IPV4_SOURCE) << 16 | iov_net_get16(l4);
    destination = (uint64_t)iov_net_get32(ip + IPV4_DESTINATION) << 16 | iov_net_get16(l4 + 2);
    low = source < destination ? source : destination; /* whoever sends */
    high = source < destination ? destination : source;
    hash = mix((uint32_t)low + mix((uint32_t)(low >> 32) + ip[IPV4_PROTOCOL]));
    hash = mix((uint32_t)high + mix((uint32_t)(high >> 32) + hash));
    return hash != 0 ? hash : 1;
}

void iov_flow_sent(struct iov_flow_table *table, uint32_t hash, unsigned queue, iov_time now)
{
    unsigned set = hash % IOV_FLOW_SETS, way = 0;

    if (hash == 0)
        return;
    for (unsigned i = 0; i < IOV_FLOW_WAYS; i++) {
        if (table->places[set][i].hash == hash) {
            way = i;
            break;
        }
        if (table->places[set][i].seen < table->places[set][way].seen)
            way = i; /* a free one was seen at time 0 */
    }
    table->places[set][way].hash = hash;
    table->places[set][way].queue = queue;
    table->places[set][way].seen = now;
}

unsigned iov_flow_queue(const struct iov_flow_table *table, uint32_t hash, unsigned queues,
                        iov_time now)
{
    unsigned set = hash % IOV_FLOW_SETS;

    for (unsigned i = 0; i < IOV_FLOW_WAYS && hash != 0; i++) {
        if (table->places[set][i].hash == hash && table->places[set][i].queue < queues &&
            now - table->places[set][i].seen <= IOV_FLOW_AGE)
            return table->places[set][i].queue;
    }
    return (unsigned)((uint64_t)hash * queues >> 32);
}
