/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the guest's network stack: Ethernet II, IPv4 without options, UDP and ICMP echo, built
 * and checked byte by byte. What arrives may be anything: every length is checked against the frame
 * before it is used.
 */
#include <limits.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/net.h"

/* SPEC: RFC 894 (Ethernet), RFC 791 (IPv4), RFC 768 (UDP), RFC 792 (ICMP). */
#define IPV4_TIME_TO_LIVE 64
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_FRAGMENT_MASK 0x3fff /* offset, or more to come */
#define ECHO_IDENTIFIER 0x6f69

/* The pseudo header of UDP: addresses, protocol, length. */
static uint32_t pseudo_sum(const uint8_t *ip, uint32_t protocol, uint32_t size)
{
    return iov_net_sum(protocol + size, ip + 12, 8);
}

/* Ethernet and IP headers for `size` bytes of `protocol`. Returns where they go. */
static uint8_t *build_headers(struct iov_guest_net *net, struct iov_guest_frame *frame,
                              const struct iov_net_end *to, uint8_t protocol, uint32_t size)
{
    uint8_t *ip = frame->data + ETHERNET_HEADER;

    memcpy(frame->data, to->mac, 6);
    memcpy(frame->data + 6, net->dev->mac, 6);
    iov_net_put16(frame->data + 12, ETHERNET_TYPE_IPV4);
    memset(ip, 0, IPV4_HEADER);
    ip[0] = 0x45;
    iov_net_put16(ip + 2, IPV4_HEADER + size);
    iov_net_put16(ip + 4, net->identification++);
    iov_net_put16(ip + 6, IPV4_DONT_FRAGMENT);
    ip[8] = IPV4_TIME_TO_LIVE;
    ip[9] = protocol;
    iov_net_put32(ip + 12, net->address);
    iov_net_put32(ip + 16, to->ip);
    iov_net_put16(ip + 10, ~iov_net_sum(0, ip, IPV4_HEADER));
    frame->size = (uint16_t)(ETHERNET_HEADER + IPV4_HEADER + size);
    frame->checksum_start = 0;
    frame->checksum_offset = 0;
    return ip + IPV4_HEADER;
}

void iov_guest_build_udp(struct iov_guest_net *net, struct iov_guest_frame *frame,
                         const void *payload, uint32_t size)
{
    const struct iov_guest_socket *socket = &net->sockets[frame->socket];
    uint32_t length = UDP_HEADER + size;
    uint8_t *udp = build_headers(net, frame, socket->peer, IPV4_PROTOCOL_UDP, length);

    iov_net_put16(udp, socket->port);
    iov_net_put16(udp + 2, (uint32_t)socket->peer->port + frame->flow);
    iov_net_put16(udp + 4, length);
    iov_net_put16(udp + UDP_CHECKSUM, 0);
    memcpy(udp + UDP_HEADER, payload, size);
    uint32_t sum = pseudo_sum(frame->data + ETHERNET_HEADER, IPV4_PROTOCOL_UDP, length);

    if (net->checksum_offload) { /* the device adds the rest to the pseudo header's sum */
        iov_net_put16(udp + UDP_CHECKSUM, sum);
        frame->checksum_start = ETHERNET_HEADER + IPV4_HEADER;
        frame->checksum_offset = ETHERNET_HEADER + IPV4_HEADER + UDP_CHECKSUM;
        return;
    }
    sum = ~iov_net_sum(sum, udp, length) & 0xffff;
    iov_net_put16(udp + UDP_CHECKSUM, sum == 0 ? 0xffff : sum); /* 0 means: no checksum */
}

void iov_guest_build_echo(struct iov_guest_net *net, struct iov_guest_frame *frame,
                          uint16_t sequence, uint32_t size)
{
    uint32_t length = ICMP_HEADER + size;
    uint8_t *icmp = build_headers(net, frame, &net->peer, IPV4_PROTOCOL_ICMP, length);

    icmp[0] = ICMP_TYPE_ECHO;
    icmp[1] = 0;
    iov_net_put16(icmp + 2, 0);
    iov_net_put16(icmp + 4, ECHO_IDENTIFIER);
    iov_net_put16(icmp + 6, sequence);
    for (uint32_t i = 0; i < size; i++)
        icmp[ICMP_HEADER + i] = (uint8_t)i;
    iov_net_put16(icmp + 2, ~iov_net_sum(0, icmp, length));
}

static enum iov_guest_frame_kind parse_udp(const struct iov_guest_net *net, const uint8_t *ip,
                                           const uint8_t *udp, uint32_t room, bool verified,
                                           uint32_t *ret_size)
{
    if (room < UDP_HEADER)
        return IOV_GUEST_FRAME_BAD;
    uint32_t length = iov_net_get16(udp + 4);

    if (length < UDP_HEADER || length > room)
        return IOV_GUEST_FRAME_BAD;
    if (!verified && iov_net_get16(udp + UDP_CHECKSUM) != 0 &&
        iov_net_sum(pseudo_sum(ip, IPV4_PROTOCOL_UDP, length), udp, length) != 0xffff)
        return IOV_GUEST_FRAME_BAD;
    if (iov_guest_socket_of(net, iov_net_get16(udp + 2)) == UINT_MAX)
        return IOV_GUEST_FRAME_FOREIGN;
    *ret_size = length - UDP_HEADER;
    return IOV_GUEST_FRAME_UDP;
}

static enum iov_guest_frame_kind parse_echo(const uint8_t *icmp, uint32_t room, uint32_t *ret_size)
{
    if (room < ICMP_HEADER || iov_net_sum(0, icmp, room) != 0xffff)
        return IOV_GUEST_FRAME_BAD;
    *ret_size = room - ICMP_HEADER;
    if (icmp[0] == ICMP_TYPE_ECHO)
        return IOV_GUEST_FRAME_PING;
    return icmp[0] == ICMP_TYPE_ECHO_REPLY && iov_net_get16(icmp + 4) == ECHO_IDENTIFIER
               ? IOV_GUEST_FRAME_ECHO
               : IOV_GUEST_FRAME_FOREIGN;
}

enum iov_guest_frame_kind iov_guest_parse(const struct iov_guest_net *net,
                                          const struct iov_guest_frame *frame, bool verified,
                                          uint32_t *ret_offset, uint32_t *ret_size)
{
    const uint8_t *ip = frame->data + ETHERNET_HEADER;

    if (frame->size < ETHERNET_HEADER)
        return IOV_GUEST_FRAME_BAD;
    if (iov_net_get16(frame->data + 12) == ETHERNET_TYPE_ARP)
        return IOV_GUEST_FRAME_ARP;
    if (iov_net_get16(frame->data + 12) != ETHERNET_TYPE_IPV4)
        return IOV_GUEST_FRAME_FOREIGN;
    if (frame->size < ETHERNET_HEADER + IPV4_HEADER || ip[0] >> 4 != 4)
        return IOV_GUEST_FRAME_BAD;
    uint32_t header = (ip[0] & 0xfu) * 4;
    uint32_t total = iov_net_get16(ip + 2); /* the frame may be padded */

    if (header < IPV4_HEADER || total < header || ETHERNET_HEADER + total > frame->size)
        return IOV_GUEST_FRAME_BAD;
    if (iov_net_sum(0, ip, header) != 0xffff)
        return IOV_GUEST_FRAME_BAD;
    if (iov_net_get32(ip + 16) != net->address || iov_net_get16(ip + 6) & IPV4_FRAGMENT_MASK)
        return IOV_GUEST_FRAME_FOREIGN;
    const uint8_t *inner = ip + header;

    *ret_offset = ETHERNET_HEADER + header + UDP_HEADER; /* ICMP's header is as long */
    if (ip[9] == IPV4_PROTOCOL_UDP)
        return parse_udp(net, ip, inner, total - header, verified, ret_size);
    if (ip[9] == IPV4_PROTOCOL_ICMP)
        return parse_echo(inner, total - header, ret_size);
    return IOV_GUEST_FRAME_FOREIGN;
}
