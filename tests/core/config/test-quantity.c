/* SPDX-License-Identifier: Apache-2.0 */
/* Values with units: what they mean, what they must not say, and the shortest way to write them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/config/quantity.h"

static void expect(const char *text, enum iov_dimension dimension, uint64_t value)
{
    uint64_t got = 0;
    GError *error = NULL;

    cr_assert(iov_quantity_parse(text, dimension, "x", &got, &error), "%s: %s", text,
              error ? error->message : "");
    cr_assert(eq(u64, got, value), "%s", text);
}

static void refuse(const char *text, enum iov_dimension dimension, const char *message)
{
    uint64_t got = 77;
    GError *error = NULL;

    cr_assert_not(iov_quantity_parse(text, dimension, "delay", &got, &error), "%s", text);
    cr_assert_str_eq(error->message, message);
    cr_assert(eq(u64, got, 77));
    g_error_free(error);
}

Test(quantity, reads_times_as_picoseconds)
{
    expect("1ps", IOV_DIMENSION_TIME, 1);
    expect("250ns", IOV_DIMENSION_TIME, 250000);
    expect("1.5us", IOV_DIMENSION_TIME, 1500000);
    expect("1.5 us", IOV_DIMENSION_TIME, 1500000);
    expect("0.001ns", IOV_DIMENSION_TIME, 1);
    expect("3s", IOV_DIMENSION_TIME, 3 * IOV_SEC);
    expect("18446744073709551615ps", IOV_DIMENSION_TIME, UINT64_MAX);
}

Test(quantity, reads_sizes_frequencies_rates_cycles_shares_and_counts)
{
    expect("64B", IOV_DIMENSION_SIZE, 64);
    expect("4KiB", IOV_DIMENSION_SIZE, 4096);
    expect("1.5GiB", IOV_DIMENSION_SIZE, UINT64_C(1610612736));
    expect("1kB", IOV_DIMENSION_SIZE, 1000);
    expect("2.4GHz", IOV_DIMENSION_FREQUENCY, UINT64_C(2400000000));
    expect("10Gbps", IOV_DIMENSION_RATE, UINT64_C(10000000000));
    expect("1.25GB/s", IOV_DIMENSION_RATE, UINT64_C(10000000000));
    expect("1300cycles", IOV_DIMENSION_CYCLES, 1300);
    expect("10%", IOV_DIMENSION_SHARE, 100000);
    expect("0.5%", IOV_DIMENSION_SHARE, 5000);
    expect("10000", IOV_DIMENSION_COUNT, 10000);
    expect("0xfee00000", IOV_DIMENSION_COUNT, 0xfee00000);
}

Test(quantity, takes_zero_without_a_unit)
{
    expect("0", IOV_DIMENSION_TIME, 0);
    expect("0", IOV_DIMENSION_SIZE, 0);
    expect("0ns", IOV_DIMENSION_TIME, 0);
}

Test(quantity, says_what_was_given_and_what_is_wanted)
{
    refuse("4KiB", IOV_DIMENSION_TIME, "'4KiB' is a size; 'delay' wants a time such as 250ns");
    refuse("250", IOV_DIMENSION_TIME,
           "'250' is a plain number; 'delay' wants a time such as 250ns");
    refuse("250ns", IOV_DIMENSION_COUNT,
           "'250ns' is a time; 'delay' wants a plain number such as 256");
    refuse("10MHz", IOV_DIMENSION_RATE,
           "'10MHz' is a frequency; 'delay' wants a rate such as 10Gbps");
}

Test(quantity, refuses_what_is_no_number)
{
    refuse("", IOV_DIMENSION_TIME, "'' is not a number; 'delay' wants a time such as 250ns");
    refuse("fast", IOV_DIMENSION_TIME,
           "'fast' is not a number; 'delay' wants a time such as 250ns");
    refuse(".5ns", IOV_DIMENSION_TIME,
           "'.5ns' is not a number; 'delay' wants a time such as 250ns");
    refuse("0x", IOV_DIMENSION_COUNT,
           "'0x' is not a number; 'delay' wants a plain number such as 256");
    refuse("1.ns", IOV_DIMENSION_TIME,
           "'1.ns' has no digit behind the point; 'delay' wants a time such as 250ns");
    refuse("-1ns", IOV_DIMENSION_TIME, "'-1ns' is negative; 'delay' wants a time such as 250ns");
    refuse("1e9ns", IOV_DIMENSION_TIME,
           "'1e9ns' has no known unit; 'delay' wants a time such as 250ns");
}

Test(quantity, suggests_the_unit_that_is_meant)
{
    refuse("250nS", IOV_DIMENSION_TIME, "'250nS' has no known unit; did you mean 'ns'?");
    refuse("2ghz", IOV_DIMENSION_FREQUENCY, "'2ghz' has no known unit; did you mean 'GHz'?");
    refuse("4KB", IOV_DIMENSION_SIZE,
           "'4KB' has no known unit; write KiB for 1024 or kB for 1000 bytes");
    refuse("10k", IOV_DIMENSION_COUNT,
           "'10k' has a prefix but no unit; write the number in full, or with a unit such as kB");
}

Test(quantity, suggests_bits_for_a_rate_and_nothing_of_another_dimension)
{
    refuse("10Gb", IOV_DIMENSION_RATE, "'10Gb' has no known unit; did you mean 'Gbps'?");
    refuse("10Gb/s", IOV_DIMENSION_RATE, "'10Gb/s' has no known unit; did you mean 'Gbps'?");
    refuse("64kbit", IOV_DIMENSION_RATE, "'64kbit' has no known unit; did you mean 'kbps'?");
    refuse("10kb", IOV_DIMENSION_RATE, "'10kb' has no known unit; did you mean 'kbps'?");
    refuse("9600b", IOV_DIMENSION_RATE, "'9600b' has no known unit; did you mean 'bps'?");
    refuse("10G", IOV_DIMENSION_RATE,
           "'10G' has a prefix but no unit; write the number in full, or with a unit such as Gbps");
    refuse("2G", IOV_DIMENSION_FREQUENCY,
           "'2G' has a prefix but no unit; write the number in full, or with a unit such as GHz");
    refuse("10Gb", IOV_DIMENSION_TIME,
           "'10Gb' has no known unit; 'delay' wants a time such as 250ns");
}

Test(quantity, refuses_fractions_that_are_not_exact)
{
    refuse("0.5ps", IOV_DIMENSION_TIME,
           "'0.5ps' is not a whole number of picoseconds; 'delay' wants a time such as 250ns");
    refuse("0.3KiB", IOV_DIMENSION_SIZE,
           "'0.3KiB' is not a whole number of bytes; 'delay' wants a size such as 4KiB");
    refuse("1.5", IOV_DIMENSION_COUNT,
           "'1.5' is not a whole number of units; 'delay' wants a plain number such as 256");
}

Test(quantity, refuses_what_does_not_fit_in_64_bits)
{
    refuse("18446744073709551616", IOV_DIMENSION_COUNT,
           "'18446744073709551616' has too many digits; 'delay' wants a plain number such as 256");
    refuse("18446744074s", IOV_DIMENSION_TIME,
           "'18446744074s' is too large; 'delay' wants a time such as 250ns");
    refuse("0.0000000000000000001s", IOV_DIMENSION_TIME,
           "'0.0000000000000000001s' has too many digits; 'delay' wants a time such as 250ns");
}

static void expect_format(enum iov_dimension dimension, uint64_t value, const char *text)
{
    char *got = iov_quantity_format(dimension, value);

    cr_assert_str_eq(got, text);
    expect(got, dimension, value);
    g_free(got);
}

Test(quantity, writes_the_shortest_exact_text)
{
    expect_format(IOV_DIMENSION_TIME, 0, "0ps");
    expect_format(IOV_DIMENSION_TIME, 250000, "250ns");
    expect_format(IOV_DIMENSION_TIME, 1500000, "1.5us");
    expect_format(IOV_DIMENSION_TIME, 1001, "1001ps");
    expect_format(IOV_DIMENSION_TIME, UINT64_MAX, "18446744073709551615ps");
    expect_format(IOV_DIMENSION_SIZE, 1514, "1514B");
    expect_format(IOV_DIMENSION_SIZE, 4096, "4KiB");
    expect_format(IOV_DIMENSION_SIZE, UINT64_C(1) << 40, "1TiB");
    expect_format(IOV_DIMENSION_FREQUENCY, UINT64_C(2400000000), "2.4GHz");
    expect_format(IOV_DIMENSION_RATE, UINT64_C(10000000000), "10Gbps");
    expect_format(IOV_DIMENSION_CYCLES, 1300, "1300cycles");
    expect_format(IOV_DIMENSION_SHARE, 5000, "0.5%");
    expect_format(IOV_DIMENSION_COUNT, 10000, "10000");
}

Test(quantity, reads_booleans)
{
    bool value = false;

    cr_assert(iov_boolean_parse("on", &value) && value);
    cr_assert(iov_boolean_parse("no", &value) && !value);
    cr_assert(iov_boolean_parse("true", &value) && value);
    cr_assert_not(iov_boolean_parse("On", &value));
    cr_assert_not(iov_boolean_parse("1", &value));
}

Test(quantity, turns_cycles_into_time_to_the_nearest_picosecond)
{
    iov_time time = 0;

    cr_assert(iov_cycles_to_time(2400, UINT64_C(2400000000), &time));
    cr_assert(eq(u64, time, 1000 * IOV_NS));
    cr_assert(iov_cycles_to_time(1, UINT64_C(3000000000), &time));
    cr_assert(eq(u64, time, 333));
    cr_assert(iov_cycles_to_time(2, UINT64_C(3000000000), &time));
    cr_assert(eq(u64, time, 667));
    cr_assert_not(iov_cycles_to_time(1, 0, &time));
    cr_assert_not(iov_cycles_to_time(UINT64_MAX, 1, &time));
}
