/* SPDX-License-Identifier: Apache-2.0 */
/* A link has the bandwidth that the published model of pcie-bench gives it, and credits, tags and
 * turns hold transfers back. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/time.h"
#include "models/pcie/link-private.h"

#define HIGH UINT64_C(0x100000000) /* an address that takes 64 bits */

static struct pcie_link link;

static struct pcie_link_settings settings(unsigned generation, unsigned lanes, uint32_t payload)
{
    return (struct pcie_link_settings){ .generation = generation,
                                        .lanes = lanes,
                                        .max_payload = payload,
                                        .max_read_request = 512,
                                        .completion_boundary = 64,
                                        .tags = 32,
                                        .posted_headers = 64,
                                        .posted_data = 1024,
                                        .nonposted_headers = 64 };
}

static void make(unsigned generation, unsigned lanes, uint32_t payload)
{
    struct pcie_link_settings how = settings(generation, lanes, payload);

    cr_assert(pcie_link_init(&link, &how));
}

static void teardown(void)
{
    pcie_link_clear(&link);
}

TestSuite(link, .fini = teardown);

/* Within `parts` in a thousand. */
static void assert_near(uint64_t value, uint64_t expected, uint64_t parts)
{
    uint64_t distance = value > expected ? value - expected : expected - value;

    cr_assert(distance * 1000 <= expected * parts, "%lu is not within %lu/1000 of %lu", value,
              parts, expected);
}

Test(link, has_the_bandwidth_for_tlps_that_the_published_model_gives_it)
{
    /* pciemodel-03, Mb/s: Gen2 x8, Gen3 x8, Gen3 x16, Gen4 x16, and the last with MPS 512. */
    static const struct {
        unsigned generation, lanes;
        uint32_t payload;
        uint64_t mbps;
    } published[] = {
        { 2, 8, 256, 28680 },   { 3, 8, 256, 57880 },   { 3, 16, 256, 113700 },
        { 4, 16, 256, 227400 }, { 4, 16, 512, 229250 },
    };

    for (unsigned i = 0; i < sizeof published / sizeof *published; i++) {
        make(published[i].generation, published[i].lanes, published[i].payload);
        assert_near(link.rate / 1000000, published[i].mbps, 1);
        pcie_link_clear(&link);
    }
}

Test(link, headers_have_the_published_sizes)
{
    /* pciemodel-01: 24 bytes a 64-bit request, 20 a 32-bit one, 20 a completion. */
    cr_assert(eq(u32, pcie_request_header(HIGH), 24));
    cr_assert(eq(u32, pcie_request_header(HIGH - 1), 20));
    cr_assert(eq(u32, PCIE_COMPLETION_HEADER, 20));
}

Test(link, a_pasid_is_a_prefix_of_each_request)
{
    make(3, 8, 256);
    cr_assert(eq(u64, pcie_write_prefixes(&link, 0, 64), 4));
    cr_assert(eq(u64, pcie_write_prefixes(&link, 192, 1024), 5 * 4));
    pcie_link_clear(&link);
}

Test(link, a_stream_of_writes_of_any_size_follows_the_formula_within_one_percent)
{
    make(3, 8, 256);
    for (uint32_t size = 4; size <= 4096; size += 60) {
        iov_time end = 0, begin = link.up.flows[0].busy;
        uint64_t model = size * 57880 / (size + 24 * ((size + 255) / 256));

        for (unsigned i = 0; i < 200; i++)
            end = pcie_send(&link, &link.up, 0, pcie_write_bytes(&link, HIGH, size), begin, begin);
        /* Mb/s: bytes * 8 / ps * 10^6; a size that is not a multiple of 4 is padded. */
        cr_assert(size % 4 == 0);
        assert_near(200 * size * 8 * IOV_US / (end - begin), model, 10);
    }
}

Test(link, a_stream_of_completions_of_any_size_follows_the_formula_within_one_percent)
{
    make(3, 8, 256);
    for (uint32_t size = 64; size <= 512; size += 64) {
        iov_time end = 0, begin = link.down.flows[0].busy;
        uint64_t model = size * 57880 / (size + 20 * ((size + 255) / 256));

        for (unsigned i = 0; i < 200; i++)
            end = pcie_send(&link, &link.down, 0, pcie_completion_bytes(&link, HIGH, size), begin,
                            begin);
        assert_near(200 * size * 8 * IOV_US / (end - begin), model, 10);
    }
}

Test(link, reads_are_cut_at_multiples_of_the_largest_read_request)
{
    make(3, 8, 256);
    cr_assert(eq(u32, pcie_read_piece(&link, 0x1000, 2048), 512));
    cr_assert(eq(u32, pcie_read_piece(&link, 0x11f0, 2048), 16));
    cr_assert(eq(u32, pcie_read_piece(&link, 0x1000, 100), 100));
}

Test(link, a_read_from_the_middle_of_a_line_has_a_short_first_completion)
{
    make(3, 8, 256);
    cr_assert(eq(u64, pcie_completion_bytes(&link, 48, 64), 64 + 2 * 20));
    cr_assert(eq(u64, pcie_completion_bytes(&link, 64, 64), 64 + 20));
    cr_assert(eq(u64, pcie_completion_bytes(&link, 0, 512), 512 + 2 * 20));
}

Test(link, a_write_waits_for_a_header_credit_and_they_come_back_in_order)
{
    struct pcie_link_settings how = settings(3, 8, 256);

    how.posted_headers = 2;
    cr_assert(pcie_link_init(&link, &how));
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 64, 10), 10));
    pcie_credits_return(&link.posted, 64, 1000);
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 64, 20), 20));
    pcie_credits_return(&link.posted, 64, 500); /* behind the first: not before it */
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 64, 30), 1000));
    pcie_credits_return(&link.posted, 64, 2000);
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 64, 1500), 1500));
}

Test(link, a_write_waits_for_data_credits_too_and_one_too_large_for_all_of_them_waits_for_all)
{
    struct pcie_link_settings how = settings(3, 8, 256);

    how.posted_data = 32; /* 512 bytes */
    cr_assert(pcie_link_init(&link, &how));
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(eq(u64, pcie_credits_take(&link.posted, 256, 0), 0));
        pcie_credits_return(&link.posted, 256, 100 + i);
    }
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 16, 0), 100));
    pcie_credits_return(&link.posted, 16, 200);
    cr_assert(eq(u64, pcie_credits_take(&link.posted, 4096, 0), 200));
}

Test(link, a_read_waits_for_the_tag_of_the_read_that_ends_first)
{
    struct pcie_link_settings how = settings(3, 8, 256);
    static const iov_time ends[] = { 700, 300, 900, 500 };

    how.tags = 4;
    cr_assert(pcie_link_init(&link, &how));
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(eq(u64, pcie_tag_take(&link.tags, 0), 0));
        pcie_tag_return(&link.tags, ends[i]);
    }
    cr_assert(eq(u64, pcie_tag_take(&link.tags, 0), 300));
    pcie_tag_return(&link.tags, 1000);
    cr_assert(eq(u64, pcie_tag_take(&link.tags, 0), 500));
    pcie_tag_return(&link.tags, 1000);
    cr_assert(eq(u64, pcie_tag_take(&link.tags, 950), 950));
}

/* Each function always has one transfer waiting; what each sent from `from` to `until`. */
static void take_turns(unsigned functions, uint32_t size, iov_time from, iov_time until,
                       uint64_t *bytes)
{
    iov_time next[100] = { 0 };

    memset(bytes, 0, functions * sizeof *bytes);
    for (;;) {
        unsigned first = 0;

        for (unsigned i = 1; i < functions; i++)
            first = next[i] < next[first] ? i : first;
        if (next[first] >= until)
            return;
        if (next[first] >= from)
            bytes[first] += size;
        next[first] = pcie_send(&link, &link.up, (uint16_t)first, size, next[first], next[first]);
    }
}

Test(link, functions_get_equal_shares_and_together_no_more_than_the_link)
{
    uint64_t bytes[60], sum;

    make(3, 8, 256);
    for (unsigned functions = 1; functions <= 60; functions += 7) {
        memset(&link.up, 0, sizeof link.up);
        take_turns(functions, 280, 10 * IOV_US, 110 * IOV_US, bytes);
        sum = 0;
        for (unsigned i = 0; i < functions; i++) {
            assert_near(bytes[i], bytes[0], 40);
            sum += bytes[i];
        }
        assert_near(sum * 8 / 100, 57880, 10); /* in 100 us */
    }
}

Test(link, a_function_that_sends_little_does_not_wait_for_the_backlog_of_another)
{
    make(3, 8, 256);
    for (unsigned i = 0; i < 1000; i++)
        pcie_send(&link, &link.up, 1, 280, 0, 0);
    cr_assert(lt(u64, pcie_send(&link, &link.up, 2, 280, 0, 0),
                 80 * IOV_NS)); /* two transfers, not 1001 */
}

Test(link, more_functions_than_accounts_still_carry_no_more_than_the_link)
{
    uint64_t bytes[100], sum = 0;

    make(3, 8, 256);
    take_turns(100, 280, 10 * IOV_US, 110 * IOV_US, bytes);
    for (unsigned i = 0; i < 100; i++)
        sum += bytes[i];
    cr_assert(lt(u64, sum * 8 / 100, 58500)); /* Mb/s */
}

Test(link, numbers_that_are_no_powers_of_two_are_refused)
{
    struct pcie_link_settings how = settings(3, 8, 256);

    how.lanes = 3;
    cr_assert(not(pcie_link_init(&link, &how)));
    how = settings(3, 8, 300);
    cr_assert(not(pcie_link_init(&link, &how)));
}
