/* SPDX-License-Identifier: Apache-2.0 */
/* See segment.h. Frames may come from a guest: every length is checked against the bytes that are
 * there. */
#include "core/net/segment.h"

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"

#define IPV4_FRAGMENTED 0x3fffu /* offset, or more to come */

/* Where the IP header is, and which it is; 0: none. */
static uint32_t network_of(const uint8_t *data, uint32_t held, bool *ret_ipv6)
{
    uint32_t at = ETHERNET_HEADER;
    uint16_t type;

    if (held < ETHERNET_HEADER + ETHERNET_VLAN_TAG)
        return 0;
    type = iov_net_get16(data + ETHERNET_TYPE);
    if (type == ETHERNET_TYPE_VLAN) {
        type = iov_net_get16(data + ETHERNET_TYPE + ETHERNET_VLAN_TAG);
        at += ETHERNET_VLAN_TAG;
    }
    *ret_ipv6 = type == ETHERNET_TYPE_IPV6;
    if (type == ETHERNET_TYPE_IPV4)
        return held >= at + IPV4_HEADER && data[at] >> 4 == 4 ? at : 0;
    return *ret_ipv6 && held >= at + IPV6_HEADER && data[at] >> 4 == 6 ? at : 0;
}

/* Bytes of the IP header and, in `ret_protocol`, what is behind it; 0: a fragment, or broken. */
static uint32_t network_header(const uint8_t *ip, bool ipv6, uint8_t *ret_protocol)
{
    uint32_t header = ipv6 ? IPV6_HEADER : (ip[IPV4_VERSION] & 0xfu) * 4;

    *ret_protocol = ip[ipv6 ? IPV6_NEXT : IPV4_PROTOCOL];
    if (header < IPV4_HEADER || (!ipv6 && iov_net_get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENTED))
        return 0;
    return header;
}

/* The sum of the pseudo header for `length` bytes of `protocol`. */
static uint32_t pseudo_sum(const uint8_t *ip, bool ipv6, uint8_t protocol, uint32_t length)
{
    return iov_net_sum(protocol + length, ip + (ipv6 ? IPV6_SOURCE : IPV4_SOURCE), ipv6 ? 32 : 8);
}

bool iov_segment_plan(const uint8_t *data, uint32_t held, uint32_t size, uint32_t mss,
                      struct iov_segment_plan *ret_plan)
{
    struct iov_segment_plan plan = { .size = mss };
    uint8_t protocol;
    uint32_t header;

    held = held < size ? held : size;
    plan.network = network_of(data, held, &plan.ipv6);
    if (plan.network == 0 || mss < IOV_SEGMENT_MIN)
        return false;
    header = network_header(data + plan.network, plan.ipv6, &protocol);
    plan.transport = plan.network + header;
    if (header == 0 || protocol != IPV4_PROTOCOL_TCP || held < plan.transport + TCP_HEADER)
        return false;
    header = (uint32_t)(data[plan.transport + TCP_OFFSET] >> 4) * 4;
    plan.header = plan.transport + header;
    if (header < TCP_HEADER || plan.header > held)
        return false;
    plan.payload = size - plan.header;
    plan.count = plan.payload > mss ? (plan.payload + mss - 1) / mss : 1;
    *ret_plan = plan;
    return true;
}

uint32_t iov_segment_size(const struct iov_segment_plan *plan, uint32_t index, uint32_t *ret_offset)
{
    uint32_t offset = index * plan->size, left = plan->payload - offset;

    *ret_offset = offset;
    return plan->header + (left < plan->size ? left : plan->size);
}

static void put_lengths(const struct iov_segment_plan *plan, uint8_t *frame, uint32_t size,
                        uint32_t index)
{
    uint8_t *ip = frame + plan->network;

    if (plan->ipv6) {
        iov_net_put16(ip + IPV6_PAYLOAD, size - plan->transport);
        return;
    }
    iov_net_put16(ip + IPV4_LENGTH, size - plan->network);
    iov_net_put16(ip + IPV4_ID, iov_net_get16(ip + IPV4_ID) + index);
    iov_net_put16(ip + IPV4_CHECKSUM, 0);
    iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, plan->transport - plan->network));
}

void iov_segment_headers(const struct iov_segment_plan *plan, uint32_t index, uint8_t *frame,
                         uint32_t frame_size, bool sum)
{
    uint8_t *tcp = frame + plan->transport;
    uint32_t length = frame_size - plan->transport, pseudo;

    put_lengths(plan, frame, frame_size, index);
    iov_net_put32(tcp + TCP_SEQUENCE, iov_net_get32(tcp + TCP_SEQUENCE) + index * plan->size);
    if (index + 1 < plan->count)
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
    if (index > 0)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
    pseudo = pseudo_sum(frame + plan->network, plan->ipv6, IPV4_PROTOCOL_TCP, length);
    iov_net_put16(tcp + TCP_CHECKSUM, sum ? 0 : pseudo);
    if (sum)
        iov_net_put16(tcp + TCP_CHECKSUM, ~iov_net_sum(pseudo, tcp, length));
}

/* ---- Sums ---- */

/* Where TCP or UDP begins, how long it is and where its sum goes; false: neither, or broken. */
static bool transport_of(const uint8_t *frame, uint32_t size, uint32_t *ret_start,
                         uint32_t *ret_length, uint32_t *ret_place, uint32_t *ret_pseudo)
{
    bool ipv6;
    uint8_t protocol;
    uint32_t network = network_of(frame, size, &ipv6), header, total;

    if (network == 0)
        return false;
    header = network_header(frame + network, ipv6, &protocol);
    total = ipv6 ? IPV6_HEADER + iov_net_get16(frame + network + IPV6_PAYLOAD)
                 : iov_net_get16(frame + network + IPV4_LENGTH);
    if (header == 0 || total < header || total > size - network ||
        total - header < (protocol == IPV4_PROTOCOL_TCP ? TCP_HEADER : UDP_HEADER) ||
        (protocol != IPV4_PROTOCOL_TCP && protocol != IPV4_PROTOCOL_UDP))
        return false;
    *ret_start = network + header;
    *ret_length = total - header;
    *ret_place = *ret_start + (protocol == IPV4_PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
    *ret_pseudo = pseudo_sum(frame + network, ipv6, protocol, total - header);
    return true;
}

bool iov_segment_verify(const uint8_t *frame, uint32_t size)
{
    uint32_t start, length, place, pseudo;

    return transport_of(frame, size, &start, &length, &place, &pseudo) &&
           iov_net_sum(pseudo, frame + start, length) == 0xffff;
}

void iov_segment_next(struct iov_tcp *tcp, struct iov_packet *packet, uint32_t size)
{
    bool large = size > IOV_TCP_MSS;

    packet->size = iov_tcp_build(tcp, packet->data, size, large);
    packet->flags = large ? IOV_PACKET_NEEDS_CHECKSUM : 0;
    packet->segment_size = large ? IOV_TCP_MSS : 0;
    packet->checksum_start = ETHERNET_HEADER + IPV4_HEADER;
    packet->checksum_place = ETHERNET_HEADER + IPV4_HEADER + TCP_CHECKSUM;
    if (packet->size < ETHERNET_MIN) {
        memset(packet->data + packet->size, 0, ETHERNET_MIN - packet->size);
        packet->size = ETHERNET_MIN;
    }
}

void iov_segment_sum(struct iov_packet *packet)
{
    uint32_t start = packet->checksum_start, place = packet->checksum_place, sum;
    uint32_t length, pseudo;

    if (!(packet->flags & IOV_PACKET_NEEDS_CHECKSUM))
        return;
    packet->flags &= (uint16_t)~IOV_PACKET_NEEDS_CHECKSUM;
    if (place == 0) { /* nobody said where: the headers do */
        if (!transport_of(packet->data, packet->size, &start, &length, &place, &pseudo))
            return;
        iov_net_put16(packet->data + place, pseudo);
    }
    if (start >= packet->size || place + 2 > packet->size)
        return;
    sum = ~iov_net_sum(0, packet->data + start, packet->size - start) & 0xffff;
    iov_net_put16(packet->data + place, sum != 0 ? sum : 0xffff);
}

/* ---- Cutting packets ---- */

static struct iov_packet *piece_new(struct iov_packet_pool *pool, const struct iov_packet *packet,
                                    const struct iov_segment_plan *plan, uint32_t index)
{
    uint32_t offset, size = iov_segment_size(plan, index, &offset);
    struct iov_packet *piece = iov_packet_new(pool, size);

    memcpy(piece->data, packet->data, plan->header);
    memcpy(piece->data + plan->header, packet->data + plan->header + offset, size - plan->header);
    iov_segment_headers(plan, index, piece->data, size, true);
    piece->stamp = packet->stamp;
    return piece;
}

bool iov_segment_cut(struct iov_packet_pool *pool, struct iov_packet *packet,
                     struct iov_packet_queue *queue)
{
    struct iov_segment_plan plan;
    bool sound =
        iov_segment_plan(packet->data, packet->size, packet->size, packet->segment_size, &plan);

    for (uint32_t i = 0; sound && i < plan.count; i++) {
        struct iov_packet *piece = piece_new(pool, packet, &plan, i);

        if (i + 1 == plan.count)
            piece->span = packet->span;
        iov_packet_queue_push(queue, piece);
    }
    if (sound)
        iov_packet_free(packet);
    else
        iov_packet_drop(packet);
    return sound;
}

iov_time iov_segment_send_slowly(struct iov_packet_port *port, struct iov_packet_pool *pool,
                                 struct iov_packet *packet, uint64_t *segments)
{
    struct iov_packet_queue queue = { 0 };
    iov_time busy = 0;

    if (packet->segment_size == 0) {
        iov_segment_sum(packet);
        return iov_packet_send(port, packet);
    }
    if (!iov_segment_cut(pool, packet, &queue))
        return 0;
    if (segments != NULL)
        *segments += queue.count;
    while (queue.first != NULL)
        busy = iov_packet_send(port, iov_packet_queue_pop(&queue));
    return busy;
}

/* ---- Putting together ---- */

struct iov_segment_data iov_segment_data(const uint8_t *frame, uint32_t size)
{
    const uint8_t *ip = frame + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;
    struct iov_segment_data nothing = { 0 }, data;
    uint32_t total;

    if (size < ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER ||
        ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_TCP ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || ip[IPV4_VERSION] != 0x45 ||
        iov_net_get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENTED)
        return nothing;
    total = iov_net_get16(ip + IPV4_LENGTH);
    data.header = ETHERNET_HEADER + IPV4_HEADER + (uint32_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (data.header != ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER ||
        total + ETHERNET_HEADER <= data.header || total + ETHERNET_HEADER > size ||
        (tcp[TCP_FLAGS] & ~TCP_FLAG_PSH) != TCP_FLAG_ACK ||
        iov_net_sum(0, ip, IPV4_HEADER) != 0xffff)
        return nothing;
    data.payload = total + ETHERNET_HEADER - data.header;
    data.last = tcp[TCP_FLAGS] & TCP_FLAG_PSH;
    return data;
}

bool iov_segment_follows(const uint8_t *first, uint32_t payload, const uint8_t *next)
{
    const uint8_t *ip = first + ETHERNET_HEADER, *next_ip = next + ETHERNET_HEADER;
    const uint8_t *tcp = ip + IPV4_HEADER, *next_tcp = next_ip + IPV4_HEADER;

    return memcmp(first, next, ETHERNET_HEADER) == 0 &&
           memcmp(ip + IPV4_SOURCE, next_ip + IPV4_SOURCE, 12) == 0 && /* addresses, ports */
           iov_net_get32(next_tcp + TCP_SEQUENCE) == iov_net_get32(tcp + TCP_SEQUENCE) + payload &&
           memcmp(tcp + TCP_ACKNOWLEDGE, next_tcp + TCP_ACKNOWLEDGE, 5) == 0 && /* and the offset */
           memcmp(tcp + TCP_WINDOW, next_tcp + TCP_WINDOW, 2) == 0;
}

void iov_segment_merged(uint8_t *first, uint32_t payload, bool last)
{
    uint8_t *ip = first + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;

    iov_net_put16(ip + IPV4_LENGTH, IPV4_HEADER + TCP_HEADER + payload);
    iov_net_put16(ip + IPV4_CHECKSUM, 0);
    iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, IPV4_HEADER));
    if (last)
        tcp[TCP_FLAGS] |= TCP_FLAG_PSH;
    iov_net_put16(tcp + TCP_CHECKSUM,
                  pseudo_sum(ip, false, IPV4_PROTOCOL_TCP, TCP_HEADER + payload));
}
