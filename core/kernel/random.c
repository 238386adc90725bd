/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams: xoshiro256** by Blackman and Vigna, seeded through splitmix64. Logarithm and
 * exponential are series of our own, because those of the C library differ in the last bit from
 * version to version. This file is compiled without fused multiply-add.
 */
#include "core/kernel/random.h"

#include <string.h>

static const double LN2 = 0x1.62e42fefa39efp-1;

static uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void iov_random_init(struct iov_random *random, uint64_t seed, const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (const char *at = path; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    /* The seed is mixed before it meets the path: near seeds and near paths share nothing. */
    uint64_t state = hash ^ splitmix(&seed);
    for (unsigned i = 0; i < 4; i++)
        random->state[i] = splitmix(&state);
}

uint64_t iov_random_u64(struct iov_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t iov_random_uniform(struct iov_random *random, uint64_t lowest, uint64_t highest)
{
    IOV_REQUIRE(lowest <= highest);
    uint64_t values = highest - lowest + 1; /* 0 stands for all 2^64 */
    if (values == 0)
        return iov_random_u64(random);

    /* The high half of a 128-bit product is the result; low halves under 2^64 mod values would
     * favour some. */
    unsigned __int128 product = (unsigned __int128)iov_random_u64(random) * values;
    if ((uint64_t)product < values) {
        uint64_t unfair = -values % values;
        while ((uint64_t)product < unfair)
            product = (unsigned __int128)iov_random_u64(random) * values;
    }
    return lowest + (uint64_t)(product >> 64);
}

double iov_random_real(struct iov_random *random)
{
    return (double)(iov_random_u64(random) >> 11) * 0x1p-53;
}

/* Natural logarithm of a normal number in (0, 1], good to a few units in the last place. */
static double logarithm(double x)
{
    uint64_t bits;
    double m;

    memcpy(&bits, &x, sizeof(bits));
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & UINT64_C(0xfffffffffffff)) | (UINT64_C(1023) << 52);
    memcpy(&m, &bits, sizeof(m));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    /* ln m = 2 artanh((m - 1) / (m + 1)), whose argument is below 0.172 */
    double s = (m - 1.0) / (m + 1.0);
    double square = s * s;
    double sum = 0.0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * square + 1.0 / (double)k;
    return 2.0 * s * sum + (double)exponent * LN2;
}

/* e to the power x, for 0 <= x < 700. */
static double power_of_e(double x)
{
    int exponent = (int)(x / LN2 + 0.5);
    double r = x - (double)exponent * LN2;
    double sum = 1.0;
    double scale;

    for (int k = 14; k >= 1; k--)
        sum = 1.0 + sum * r / (double)k;
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

/* Exponential with mean 1: at most 53 ln 2, about 36.7. */
static double exponential(struct iov_random *random)
{
    double u = (double)((iov_random_u64(random) >> 11) + 1) * 0x1p-53; /* in (0, 1] */

    return -logarithm(u);
}

/* Rounds up or down by chance, so that the mean is kept even for small values. */
static uint64_t to_integer(struct iov_random *random, double value)
{
    if (value >= 0x1p63)
        return UINT64_C(1) << 63;
    return (uint64_t)(value + iov_random_real(random));
}

static double pareto_factor(struct iov_random *random, double shape)
{
    return power_of_e(exponential(random) / shape);
}

uint64_t iov_random_pareto(struct iov_random *random, uint64_t lowest, double shape)
{
    IOV_REQUIRE(shape > 1.0);
    return to_integer(random, (double)lowest * pareto_factor(random, shape));
}

uint64_t iov_random_draw(struct iov_random *random, enum iov_distribution distribution,
                         uint64_t mean)
{
    switch (distribution) {
    case IOV_CONSTANT:
        break;
    case IOV_UNIFORM:
        return iov_random_uniform(random, 0, mean > UINT64_MAX / 2 ? UINT64_MAX : 2 * mean);
    case IOV_EXPONENTIAL:
        return to_integer(random, (double)mean * exponential(random));
    case IOV_PARETO: /* the mean is lowest * 2.5 / 1.5 */
        return to_integer(random, (double)mean * 0.6 * pareto_factor(random, 2.5));
    }
    return mean;
}
