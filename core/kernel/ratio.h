/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number to multiply whole numbers by, such as the picoseconds of a clock's tick. It is kept in
 * lowest terms, so that the product nearly always fits 64 bits, and the division is a
 * multiplication by the reciprocal; if it does not fit, 128 bits give the same result.
 */
#ifndef IOV_KERNEL_RATIO_H
#define IOV_KERNEL_RATIO_H

#include <stdint.h>

struct iov_ratio {
    uint64_t up;
    uint64_t down;
    uint64_t reciprocal; /* (2^64 - 1) / down */
};

/* up / down; `down` is not 0. */
static inline struct iov_ratio iov_ratio_make(uint64_t up, uint64_t down)
{
    uint64_t divisor = down;

    for (uint64_t rest = up; rest != 0;) {
        uint64_t next = divisor % rest;

        divisor = rest;
        rest = next;
    }
    down /= divisor;
    return (struct iov_ratio){ up / divisor, down, UINT64_MAX / down };
}

/* value * ratio, rounded down, modulo 2^64. */
static inline uint64_t iov_ratio_of(struct iov_ratio ratio, uint64_t value)
{
    uint64_t product;

    if (!__builtin_mul_overflow(value, ratio.up, &product)) {
        /* What the reciprocal gives is right or, as it was rounded down, one too low. */
        uint64_t quotient = (uint64_t)((unsigned __int128)product * ratio.reciprocal >> 64);

        return quotient + (product - quotient * ratio.down >= ratio.down);
    }
    return (uint64_t)((unsigned __int128)value * ratio.up / ratio.down);
}

#endif
