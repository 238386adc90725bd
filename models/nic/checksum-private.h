/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum's sum (RFC 1071) of many bytes at a time. */
#ifndef IOV_NIC_CHECKSUM_PRIVATE_H
#define IOV_NIC_CHECKSUM_PRIVATE_H

#include <stdint.h>
#include <string.h>

/* Ones' complement sum of big-endian 16-bit words, folded; an odd last byte is the upper half of a
 * word. `sum` is added. */
static inline uint32_t nic_sum(const uint8_t *data, uint32_t size, uint32_t sum)
{
    uint64_t total = 0;
    uint32_t i = 0, folded;

    for (; i + 4 <= size; i += 4) {
        uint32_t word;

        memcpy(&word, data + i, sizeof word);
        total += word;
    }
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    /* The words were read little-endian: the sum of swapped words is the swapped sum. */
    folded = (uint32_t)((total & 0xff) << 8 | total >> 8) + sum;
    for (; i + 2 <= size; i += 2)
        folded += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (i < size)
        folded += (uint32_t)data[i] << 8;
    while (folded >> 16)
        folded = (folded & 0xffff) + (folded >> 16);
    return folded;
}

#endif
