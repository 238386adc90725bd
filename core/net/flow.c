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
    uint32_t low, high, ports;

    if (size < ETHERNET_HEADER + IPV4_HEADER + 4 ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || ip[0] != 0x45 ||
        (ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_UDP && ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_TCP) ||
        (iov_net_get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
        return 0;
    /* Sums and differences that do not depend on who sends. */
    low = iov_net_get32(ip + IPV4_SOURCE) + iov_net_get32(ip + IPV4_DESTINATION);
    high = iov_net_get32(ip + IPV4_SOURCE) ^ iov_net_get32(ip + IPV4_DESTINATION);
    ports = (uint32_t)(iov_net_get16(l4) + iov_net_get16(l4 + 2)) << 15 ^
            (uint32_t)(iov_net_get16(l4) ^ iov_net_get16(l4 + 2));
    low = mix(mix(mix(low) + high) + ports + ip[IPV4_PROTOCOL]);
    return low != 0 ? low : 1;
}

void iov_flow_sent(struct iov_flow_table *table, uint32_t hash, unsigned queue, iov_time now)
{
    unsigned place = hash % IOV_FLOW_PLACES;

    if (hash == 0)
        return;
    table->places[place].hash = hash;
    table->places[place].queue = queue;
    table->places[place].seen = now;
}

unsigned iov_flow_queue(const struct iov_flow_table *table, uint32_t hash, unsigned queues,
                        iov_time now)
{
    unsigned place = hash % IOV_FLOW_PLACES;

    if (hash != 0 && table->places[place].hash == hash && table->places[place].queue < queues &&
        now - table->places[place].seen <= IOV_FLOW_AGE)
        return table->places[place].queue;
    return (unsigned)((uint64_t)hash * queues >> 32);
}
