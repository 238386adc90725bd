/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histograms, HdrHistogram's scheme. Values below 2048 have a slot each. Above, every
 * doubling of the value (an octave) is cut into 1024 slots of equal width, so a slot is at most
 * 1/1024 of the values in it.
 *
 * The counts stand in one array of fixed size that the system fills with zeros on first touch: what
 * is not recorded takes no memory. Values above 2^63 - 1 count as 2^63 - 1 in the slots; sum,
 * smallest and largest stay exact.
 */
#include "core/trace/histogram.h"

#include <glib.h>
#include <string.h>

#define LINEAR_BITS 11 /* 2^11 = 2048 values of their own: three digits need 2000 */
#define OCTAVE_SLOTS (1U << (LINEAR_BITS - 1))
#define OCTAVES (63 - LINEAR_BITS)
#define SLOTS ((OCTAVES + 2) * OCTAVE_SLOTS)
#define LARGEST_SLOTTED ((uint64_t)INT64_MAX)

struct iov_histogram {
    uint64_t count;
    unsigned __int128 sum;
    uint64_t smallest;
    uint64_t largest;
    unsigned first; /* slots outside first..last are 0 */
    unsigned last;
    uint64_t *slots;
};

static unsigned slot_of(uint64_t value)
{
    unsigned shift;

    if (value > LARGEST_SLOTTED)
        value = LARGEST_SLOTTED;
    if (value < (1U << LINEAR_BITS))
        return (unsigned)value;
    shift = 64 - LINEAR_BITS - (unsigned)__builtin_clzll(value);
    return shift * OCTAVE_SLOTS + (unsigned)(value >> shift);
}

/* The value in the middle of the slot: half as far from the farthest record as either end. */
static uint64_t slot_middle(unsigned slot)
{
    unsigned shift;

    if (slot < (1U << LINEAR_BITS))
        return slot;
    shift = slot / OCTAVE_SLOTS - 1;
    return ((uint64_t)(slot - shift * OCTAVE_SLOTS) << shift) + (UINT64_C(1) << shift) / 2;
}

struct iov_histogram *iov_histogram_new(void)
{
    struct iov_histogram *histogram = g_new0(struct iov_histogram, 1);

    histogram->slots = g_new0(uint64_t, SLOTS);
    histogram->smallest = UINT64_MAX;
    histogram->first = SLOTS - 1;
    return histogram;
}

void iov_histogram_free(struct iov_histogram *histogram)
{
    if (histogram == NULL)
        return;
    g_free(histogram->slots);
    g_free(histogram);
}

void iov_histogram_record(struct iov_histogram *histogram, uint64_t value)
{
    unsigned slot;

    if (histogram == NULL)
        return;
    slot = slot_of(value);
    histogram->slots[slot]++;
    histogram->count++;
    histogram->sum += value;
    histogram->smallest = MIN(histogram->smallest, value);
    histogram->largest = MAX(histogram->largest, value);
    histogram->first = MIN(histogram->first, slot);
    histogram->last = MAX(histogram->last, slot);
}

void iov_histogram_reset(struct iov_histogram *histogram)
{
    uint64_t *slots;

    if (histogram == NULL)
        return;
    slots = histogram->slots;
    if (histogram->count > 0)
        memset(slots + histogram->first, 0,
               (histogram->last - histogram->first + 1) * sizeof *slots);
    *histogram =
        (struct iov_histogram){ .slots = slots, .smallest = UINT64_MAX, .first = SLOTS - 1 };
}

void iov_histogram_add(struct iov_histogram *into, const struct iov_histogram *from)
{
    if (from->count == 0)
        return;
    for (unsigned slot = from->first; slot <= from->last; slot++)
        into->slots[slot] += from->slots[slot];
    into->count += from->count;
    into->sum += from->sum;
    into->smallest = MIN(into->smallest, from->smallest);
    into->largest = MAX(into->largest, from->largest);
    into->first = MIN(into->first, from->first);
    into->last = MAX(into->last, from->last);
}

uint64_t iov_histogram_count(const struct iov_histogram *histogram)
{
    return histogram->count;
}

void iov_histogram_sum(const struct iov_histogram *histogram, uint64_t *ret_high, uint64_t *ret_low)
{
    *ret_high = (uint64_t)(histogram->sum >> 64);
    *ret_low = (uint64_t)histogram->sum;
}

uint64_t iov_histogram_mean(const struct iov_histogram *histogram)
{
    if (histogram->count == 0)
        return 0;
    return (uint64_t)((histogram->sum + histogram->count / 2) / histogram->count);
}

uint64_t iov_histogram_min(const struct iov_histogram *histogram)
{
    return histogram->count > 0 ? histogram->smallest : 0;
}

uint64_t iov_histogram_max(const struct iov_histogram *histogram)
{
    return histogram->largest;
}

uint64_t iov_histogram_quantile(const struct iov_histogram *histogram, uint32_t millionths)
{
    unsigned __int128 rank;
    uint64_t seen = 0;

    IOV_REQUIRE(millionths <= 1000000);
    if (histogram->count == 0)
        return 0;
    /* The rank is rounded up, at least 1: that many records must lie at or below the answer. */
    rank = ((unsigned __int128)histogram->count * millionths + 999999) / 1000000;
    if (rank <= 1)
        return histogram->smallest;
    if (rank >= histogram->count)
        return histogram->largest;
    for (unsigned slot = histogram->first; slot <= histogram->last; slot++) {
        seen += histogram->slots[slot];
        if (seen >= rank)
            return CLAMP(slot_middle(slot), histogram->smallest, histogram->largest);
    }
    return histogram->largest;
}
