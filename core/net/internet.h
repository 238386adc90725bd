/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian fields of frames and the Internet checksum, for everybody who builds or reads
 * frames. */
#ifndef IOV_NET_INTERNET_H
#define IOV_NET_INTERNET_H

#include <stdint.h>
#include <string.h>

#include "core/net/ethernet-regs.h"

/*
 * Services of the machine at the far end: what it answers, and what it takes without a word, each
 * at the port of a guest's first flow, those of its other flows behind it.
 */
#define IOV_NET_PORT_ECHO 7       /* RFC 862 */
#define IOV_NET_PORT_DISCARD 5001 /* as RFC 863, whose port a third flow's echo has */

static inline uint16_t iov_net_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t iov_net_get32(const uint8_t *at)
{
    return (uint32_t)iov_net_get16(at) << 16 | iov_net_get16(at + 2);
}

static inline void iov_net_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void iov_net_put32(uint8_t *at, uint32_t value)
{
    iov_net_put16(at, value >> 16);
    iov_net_put16(at + 2, value);
}

/*
 * The Internet checksum of `size` bytes, starting from `sum`; folded, not inverted. SPEC: RFC 1071,
 * 2 (B) and (C): it depends neither on the byte order nor on the width of the words that are added,
 * as long as carries come back in.
 */
static inline uint32_t iov_net_sum(uint32_t sum, const void *data, uint32_t size)
{
    const uint8_t *bytes = (const uint8_t *)data;
    uint64_t total = 0;
    uint16_t folded;
    uint32_t word;
    uint8_t order[2];

    for (; size >= 4; size -= 4, bytes += 4) {
        memcpy(&word, bytes, 4);
        total += word;
    }
    word = 0;
    memcpy(&word, bytes, size);
    total += word;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    folded = (uint16_t)total;
    memcpy(order, &folded, 2);
    total = (uint64_t)sum + iov_net_get16(order);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint32_t)total;
}

/* Puts the checksum of an IPv4 header without options right. */
static inline void iov_net_put_ipv4_sum(uint8_t *ip)
{
    iov_net_put16(ip + IPV4_CHECKSUM, 0);
    iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, IPV4_HEADER));
}

/* That of the UDP datagram behind it, of `length` bytes with its header. SPEC: RFC 768: 0 would say
 * that there is none. */
static inline void iov_net_put_udp_sum(uint8_t *ip, uint32_t length)
{
    uint8_t *udp = ip + IPV4_HEADER;
    uint32_t sum;

    iov_net_put16(udp + UDP_CHECKSUM, 0);
    sum = iov_net_sum(IPV4_PROTOCOL_UDP + length, ip + IPV4_SOURCE, 8);
    sum = ~iov_net_sum(sum, udp, length) & 0xffff;
    iov_net_put16(udp + UDP_CHECKSUM, sum != 0 ? sum : 0xffff);
}

#endif
