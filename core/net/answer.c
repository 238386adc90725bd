/* SPDX-License-Identifier: Apache-2.0 */
/* See answer.h. */
#include "core/net/answer.h"

#include "core/net/arp.h"
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"

static void swap(uint8_t *a, uint8_t *b, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = a[i];

        a[i] = b[i];
        b[i] = byte;
    }
}

uint8_t *iov_ipv4_in(const struct iov_packet *packet, uint32_t *ret_length)
{
    uint8_t *ip = packet->data + ETHERNET_HEADER;
    uint32_t length;

    if (packet->size < ETHERNET_HEADER + IPV4_HEADER ||
        iov_net_get16(packet->data + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 ||
        ip[IPV4_VERSION] != 0x45)
        return NULL;
    length = iov_net_get16(ip + IPV4_LENGTH);
    if (length < IPV4_HEADER || length > packet->size - ETHERNET_HEADER ||
        (iov_net_get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
        return NULL;
    *ret_length = length - IPV4_HEADER;
    return ip;
}

uint8_t *iov_datagram_in(const struct iov_packet *packet, uint32_t *ret_length)
{
    uint8_t *ip = iov_ipv4_in(packet, ret_length);

    if (ip == NULL || ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_UDP || *ret_length < UDP_HEADER)
        return NULL;
    return ip;
}

/* Swapping leaves checksums right; one that an offload left open is closed. */
bool iov_answer_datagram(struct iov_packet *packet)
{
    uint32_t length;
    uint8_t *ip = iov_datagram_in(packet, &length);

    if (ip == NULL)
        return false;
    swap(packet->data + ETHERNET_DESTINATION, packet->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    swap(ip + IPV4_SOURCE, ip + IPV4_DESTINATION, 4);
    swap(ip + IPV4_HEADER + UDP_SOURCE, ip + IPV4_HEADER + UDP_DESTINATION, 2);
    if (packet->flags & IOV_PACKET_NEEDS_CHECKSUM)
        iov_net_put_udp_sum(ip, length);
    packet->flags = 0;
    packet->segment_size = 0;
    return true;
}

bool iov_answer_ping(struct iov_packet *packet)
{
    uint32_t length;
    uint8_t *ip = iov_ipv4_in(packet, &length), *icmp;

    if (ip == NULL || ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_ICMP || length < ICMP_HEADER)
        return false;
    icmp = ip + IPV4_HEADER;
    if (icmp[ICMP_TYPE] != ICMP_TYPE_ECHO)
        return false;
    swap(packet->data + ETHERNET_DESTINATION, packet->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    swap(ip + IPV4_SOURCE, ip + IPV4_DESTINATION, 4);
    icmp[ICMP_TYPE] = ICMP_TYPE_ECHO_REPLY;
    iov_net_put16(icmp + ICMP_CHECKSUM, 0);
    iov_net_put16(icmp + ICMP_CHECKSUM, ~iov_net_sum(0, icmp, length));
    return true;
}

bool iov_answer_arp(struct iov_packet *packet, const struct iov_net_end *own)
{
    struct iov_net_end asker;
    uint32_t wanted;

    if (!iov_net_arp_parse(packet->data, packet->size, ARP_REQUEST, &asker, &wanted) ||
        wanted != own->ip)
        return false;
    iov_net_arp_build(packet->data, ARP_REPLY, own, &asker);
    if (packet->size < ETHERNET_MIN)
        packet->size = ETHERNET_MIN;
    return true;
}
