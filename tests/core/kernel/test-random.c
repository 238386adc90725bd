/* SPDX-License-Identifier: Apache-2.0 */
/* Random streams repeat with seed and path, differ otherwise, and have the distributions they
 * claim. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "core/kernel/random.h"

enum { DRAWS = 1000000 };

Test(random, the_same_seed_and_path_give_the_same_numbers)
{
    struct iov_random a, b;

    iov_random_init(&a, 42, "host/nic0");
    iov_random_init(&b, 42, "host/nic0");
    for (int i = 0; i < 1000; i++)
        cr_assert(eq(u64, iov_random_u64(&a), iov_random_u64(&b)));
}

Test(random, another_seed_or_path_gives_other_numbers)
{
    const char *const paths[] = { "host/nic0", "host/nic1", "", "host/nic0/", "tsoh/nic0" };
    struct iov_random streams[10];

    for (unsigned i = 0; i < 10; i++)
        iov_random_init(&streams[i], i / 5, paths[i % 5]);
    for (int draw = 0; draw < 100; draw++) {
        uint64_t values[10];
        for (unsigned i = 0; i < 10; i++) {
            values[i] = iov_random_u64(&streams[i]);
            for (unsigned k = 0; k < i; k++)
                cr_assert(ne(u64, values[i], values[k]));
        }
    }
}

/* Fixed numbers: they must be the same on every machine and in every later version. */
Test(random, the_numbers_never_change)
{
    struct iov_random random = { { 1, 2, 3, 4 } };

    /* The published first outputs of xoshiro256** for this state. */
    cr_assert(eq(u64, iov_random_u64(&random), 11520));
    cr_assert(eq(u64, iov_random_u64(&random), 0));
    cr_assert(eq(u64, iov_random_u64(&random), 1509978240));
    cr_assert(eq(u64, iov_random_u64(&random), UINT64_C(1215971899390074240)));

    uint64_t sum = 0;
    iov_random_init(&random, 7, "fixed");
    for (int i = 0; i < 10000; i++) {
        sum = sum * 31 + iov_random_draw(&random, IOV_EXPONENTIAL, 1000000000);
        sum = sum * 31 + iov_random_draw(&random, IOV_PARETO, 1000000000);
        sum = sum * 31 + iov_random_draw(&random, IOV_UNIFORM, 1000000000);
    }
    cr_assert(eq(u64, sum, UINT64_C(12805232492175301972)));
}

static void measure(enum iov_distribution distribution, uint64_t mean, double *ret_mean,
                    double *ret_deviation)
{
    struct iov_random random;
    double sum = 0, squares = 0;

    iov_random_init(&random, 1, "measure");
    for (int i = 0; i < DRAWS; i++) {
        double value = (double)iov_random_draw(&random, distribution, mean);
        sum += value;
        squares += value * value;
    }
    *ret_mean = sum / DRAWS;
    *ret_deviation = sqrt(squares / DRAWS - *ret_mean * *ret_mean);
}

static bool near(double value, double expected, double relative)
{
    return fabs(value - expected) <= relative * expected;
}

Test(random, draws_keep_the_mean_they_are_given)
{
    const uint64_t means[] = { 1, 3, 1000, UINT64_C(1000000000000) };

    for (unsigned i = 0; i < 4; i++) {
        double m = (double)means[i];
        double mean, deviation;
        measure(IOV_CONSTANT, means[i], &mean, &deviation);
        cr_assert(near(mean, m, 1e-12));
        measure(IOV_UNIFORM, means[i], &mean, &deviation);
        cr_assert(near(mean, m, 0.01));
        measure(IOV_EXPONENTIAL, means[i], &mean, &deviation);
        cr_assert(near(mean, m, 0.01));
        measure(IOV_PARETO, means[i], &mean, &deviation);
        cr_assert(near(mean, m, 0.02));
    }
}

Test(random, draws_have_the_shape_of_their_distribution)
{
    double mean, deviation;

    measure(IOV_UNIFORM, 1000000, &mean, &deviation);
    cr_assert(near(deviation, 2000000 / sqrt(12), 0.01));
    measure(IOV_EXPONENTIAL, 1000000, &mean, &deviation);
    cr_assert(near(deviation, 1000000, 0.01));
}

Test(random, a_pareto_draw_is_never_below_its_scale_and_has_the_right_median)
{
    struct iov_random random;
    int above = 0;

    iov_random_init(&random, 3, "pareto");
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = iov_random_pareto(&random, 1000, 2.5);
        cr_assert(ge(u64, value, 1000));
        above += (double)value > 1000 * exp2(1 / 2.5);
    }
    cr_assert(near(above, DRAWS / 2, 0.01));
}

Test(random, a_uniform_range_includes_both_ends_and_favours_none)
{
    struct iov_random random;
    int seen[7] = { 0 };

    iov_random_init(&random, 3, "uniform");
    for (int i = 0; i < DRAWS; i++)
        seen[iov_random_uniform(&random, 10, 16) - 10]++;
    for (int i = 0; i < 7; i++)
        cr_assert(near(seen[i], DRAWS / 7.0, 0.01));
    cr_assert(eq(u64, iov_random_uniform(&random, 5, 5), 5));
    iov_random_uniform(&random, 0, UINT64_MAX);

    uint64_t lower_third = 0; /* a range that does not divide 2^64 well */
    for (int i = 0; i < DRAWS; i++)
        lower_third += iov_random_uniform(&random, 0, UINT64_MAX / 4 * 3 - 1) < UINT64_MAX / 4;
    cr_assert(near((double)lower_third, DRAWS / 3.0, 0.01));
}

Test(random, a_real_lies_in_the_half_open_unit_interval)
{
    struct iov_random random;
    double sum = 0;

    iov_random_init(&random, 3, "real");
    for (int i = 0; i < DRAWS; i++) {
        double value = iov_random_real(&random);
        cr_assert(value >= 0 && value < 1);
        sum += value;
    }
    cr_assert(near(sum / DRAWS, 0.5, 0.01));
}
