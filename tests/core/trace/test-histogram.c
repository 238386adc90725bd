/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms: exact where they promise it, three digits everywhere else. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "core/kernel/random.h"
#include "core/trace/histogram.h"

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;

    return (*left > *right) - (*left < *right);
}

Test(histogram, an_empty_one_answers_zero)
{
    struct iov_histogram *histogram = iov_histogram_new();

    cr_assert(eq(u64, iov_histogram_count(histogram), 0));
    cr_assert(eq(u64, iov_histogram_mean(histogram), 0));
    cr_assert(eq(u64, iov_histogram_min(histogram), 0));
    cr_assert(eq(u64, iov_histogram_max(histogram), 0));
    cr_assert(eq(u64, iov_histogram_quantile(histogram, 500000), 0));
    iov_histogram_record(NULL, 1);
    iov_histogram_reset(NULL);
    iov_histogram_free(histogram);
    iov_histogram_free(NULL);
}

Test(histogram, values_below_2048_are_exact)
{
    struct iov_histogram *histogram = iov_histogram_new();

    for (uint64_t value = 0; value < 2000; value++)
        iov_histogram_record(histogram, value);
    for (uint32_t i = 1; i <= 2000; i++)
        cr_assert(eq(u64, iov_histogram_quantile(histogram, i * 500), i - 1));
    cr_assert(eq(u64, iov_histogram_mean(histogram), 1000)); /* 999.5, rounded up */
    iov_histogram_free(histogram);
}

Test(histogram, any_quantile_is_within_half_a_thousandth_of_the_sorted_list)
{
    enum { COUNT = 20000 };
    struct iov_histogram *histogram = iov_histogram_new();
    uint64_t *values = calloc(COUNT, sizeof *values);
    struct iov_random random;

    iov_random_init(&random, 7, "histogram");
    for (int i = 0; i < COUNT; i++) {
        values[i] = iov_random_u64(&random) >> (1 + iov_random_uniform(&random, 0, 60));
        iov_histogram_record(histogram, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    for (uint32_t rank = 1; rank <= COUNT; rank++) {
        uint64_t exact = values[rank - 1];
        uint64_t answer = iov_histogram_quantile(histogram, rank * (1000000 / COUNT));

        uint64_t error = answer > exact ? answer - exact : exact - answer;

        cr_assert(le(u64, error, exact / 2000), "rank %u", rank);
    }
    free(values);
    iov_histogram_free(histogram);
}

Test(histogram, every_power_of_two_and_its_neighbours_fit)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        struct iov_histogram *histogram = iov_histogram_new();
        uint64_t value = UINT64_C(1) << bit;

        iov_histogram_record(histogram, value - 1);
        iov_histogram_record(histogram, value);
        iov_histogram_record(histogram, value + 1);
        cr_assert(eq(u64, iov_histogram_min(histogram), value - 1));
        cr_assert(eq(u64, iov_histogram_max(histogram), value + 1));
        cr_assert(le(u64, iov_histogram_quantile(histogram, 500000), value + 1));
        cr_assert(ge(u64, iov_histogram_quantile(histogram, 500000), value - 1));
        cr_assert(eq(u64, iov_histogram_mean(histogram), value));
        iov_histogram_free(histogram);
    }
}

Test(histogram, the_sum_does_not_overflow)
{
    struct iov_histogram *histogram = iov_histogram_new();
    uint64_t high;
    uint64_t low;

    for (int i = 0; i < 4; i++)
        iov_histogram_record(histogram, UINT64_MAX);
    iov_histogram_sum(histogram, &high, &low);
    cr_assert(eq(u64, high, 3));
    cr_assert(eq(u64, low, UINT64_MAX - 3));
    cr_assert(eq(u64, iov_histogram_mean(histogram), UINT64_MAX));
    cr_assert(eq(u64, iov_histogram_quantile(histogram, 1000000), UINT64_MAX));
    iov_histogram_free(histogram);
}

Test(histogram, a_sum_of_two_is_the_one_of_all_records)
{
    struct iov_histogram *parts[2] = { iov_histogram_new(), iov_histogram_new() };
    struct iov_histogram *all = iov_histogram_new();

    for (uint64_t value = 1; value < 5000000; value = value * 5 / 4 + 1) {
        iov_histogram_record(parts[value % 2], value);
        iov_histogram_record(all, value);
    }
    iov_histogram_record(parts[1], UINT64_MAX);
    iov_histogram_record(all, UINT64_MAX);
    iov_histogram_record(parts[1], UINT64_MAX / 3);
    iov_histogram_record(all, UINT64_MAX / 3);
    iov_histogram_add(parts[0], parts[1]);
    cr_assert(eq(u64, iov_histogram_count(parts[0]), iov_histogram_count(all)));
    cr_assert(eq(u64, iov_histogram_mean(parts[0]), iov_histogram_mean(all)));
    for (uint32_t at = 0; at <= 1000000; at += 10000)
        cr_assert(eq(u64, iov_histogram_quantile(parts[0], at), iov_histogram_quantile(all, at)));
    iov_histogram_free(parts[0]);
    iov_histogram_free(parts[1]);
    iov_histogram_free(all);
}

Test(histogram, a_reset_forgets_every_record)
{
    struct iov_histogram *histogram = iov_histogram_new();

    iov_histogram_record(histogram, 5);
    iov_histogram_record(histogram, UINT64_MAX);
    iov_histogram_reset(histogram);
    cr_assert(eq(u64, iov_histogram_count(histogram), 0));
    for (uint64_t value = 100; value < 103; value++)
        iov_histogram_record(histogram, value);
    cr_assert(eq(u64, iov_histogram_min(histogram), 100));
    cr_assert(eq(u64, iov_histogram_quantile(histogram, 500000), 101));
    cr_assert(eq(u64, iov_histogram_max(histogram), 102));
    iov_histogram_reset(histogram);
    iov_histogram_record(histogram, 10);
    iov_histogram_record(histogram, 110);
    iov_histogram_record(histogram, 120);
    cr_assert(eq(u64, iov_histogram_quantile(histogram, 500000), 110)); /* 102 is gone */
    iov_histogram_free(histogram);
}
