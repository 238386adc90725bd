/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian fields of frames and the Internet checksum, for everybody who builds or reads frames. */
#ifndef IOV_NET_INTERNET_H
#define IOV_NET_INTERNET_H

#include <stdint.h>
#include <string.h>

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
 * The Internet checksum of `size` bytes, starting from `sum`; folded, not inverted. SPEC: RFC 1071, 2 (B) and (C): it depends neither
 * on the byte order nor on the width of the words that are added, as long as carries come back in.
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

#endif
