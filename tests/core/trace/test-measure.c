/* SPDX-License-Identifier: Apache-2.0 */
/* The measurement: what counts, what does not, and that parts that do not add up are noticed. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#include "core/trace/measure.h"

static const char software[] = "software";
static const char device[] = "device";

static void advance(struct iov_kernel *kernel, iov_time delay)
{
    iov_kernel_run_until(kernel, iov_now(kernel) + delay);
}

Test(measure, a_request_that_three_parties_hold_adds_up)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    struct iov_span span;

    iov_measure_begin(measure);
    iov_span_begin(&span, 1, software, iov_now(kernel));
    advance(kernel, 100);
    iov_span_mark(&span, software, IOV_PART_GUEST, iov_now(kernel));
    advance(kernel, 50);
    iov_span_claim(&span, device, IOV_PART_QUEUE, iov_now(kernel));
    advance(kernel, 5);
    iov_span_mark(&span, software, IOV_PART_GUEST, iov_now(kernel)); /* not the holder any more */
    advance(kernel, 2);
    iov_span_mark(&span, device, IOV_PART_WIRE, iov_now(kernel));
    iov_span_pass(&span, device, software);
    advance(kernel, 3);
    iov_span_mark(&span, software, IOV_PART_INTERRUPT, iov_now(kernel));
    iov_measure_request(measure, &span, 64);
    iov_measure_end(measure, true);

    cr_assert(eq(u64, measure->operations, 1));
    cr_assert(eq(u64, measure->bytes, 64));
    cr_assert(eq(u64, measure->mismatches, 0));
    cr_assert(eq(u64, iov_histogram_max(measure->latency), 160));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_GUEST], 100));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_QUEUE], 50));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_WIRE], 7));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_INTERRUPT], 3));
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, a_lost_frame_counts_with_its_loser_and_with_the_run_and_frees_its_request)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct iov_packet *packet = iov_packet_new(pool, 60);
    struct iov_span span;
    uint64_t mine = 0;

    iov_span_begin(&span, 1, software, iov_now(kernel));
    packet->span = &span;
    iov_measure_drop(measure, &mine, packet);
    cr_assert(not(iov_span_held(&span, software)));
    iov_measure_drop(measure, &mine, NULL);
    iov_measure_drop(NULL, &mine, NULL);
    cr_assert(eq(u64, mine, 3));
    cr_assert(eq(u64, measure->counters.drops, 2));
    iov_packet_pool_unref(pool, NULL);
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, time_that_nobody_marked_is_a_mismatch)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    struct iov_span span;

    iov_measure_begin(measure);
    iov_span_begin(&span, 1, software, iov_now(kernel));
    advance(kernel, 10);
    iov_span_mark(&span, software, IOV_PART_GUEST, iov_now(kernel));
    advance(kernel, 1);
    iov_measure_request(measure, &span, 0);
    cr_assert(eq(u64, measure->mismatches, 1));
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, sums_of_parts_carry_into_128_bits)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    struct iov_span span = { .parts = { [IOV_PART_IDLE] = UINT64_MAX } };

    iov_measure_request(measure, &span, 0);
    iov_measure_request(measure, &span, 0);
    cr_assert(eq(u64, measure->parts_high[IOV_PART_IDLE], 1));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_IDLE], UINT64_MAX - 1));
    cr_assert(eq(u64, measure->mismatches, 2));
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

Test(measure, the_warm_up_is_forgotten_and_stragglers_are_ignored)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    unsigned nic = iov_measure_region(measure, "nic");
    struct iov_span span = { .id = 0 };
    int resets = 0;

    measure->reset_models = count_call;
    measure->reset_context = &resets;
    iov_span_begin(&span, 0, software, 0);
    measure->counters.exits[10] = 9;
    measure->counters.regions[nic].accesses = 4;
    iov_measure_phase_begin(measure, "boot");
    iov_measure_request(measure, &span, 1);
    advance(kernel, 1000);
    iov_measure_begin(measure);
    cr_assert(eq(int, resets, 1));
    cr_assert(eq(u64, measure->operations, 0));
    cr_assert(eq(u64, measure->counters.exits[10], 0));
    cr_assert(eq(u64, measure->counters.regions[nic].accesses, 0));
    cr_assert_str_eq(measure->counters.regions[nic].name, "nic");
    cr_assert_null(measure->phases);
    advance(kernel, 500);
    iov_measure_end(measure, true);
    iov_measure_request(measure, &span, 1);
    iov_measure_end(measure, false);
    cr_assert(eq(u64, measure->operations, 0));
    cr_assert(eq(u64, measure->end - measure->begin, 500));
    cr_assert(measure->complete);
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, a_phase_holds_the_difference)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    unsigned nic = iov_measure_region(measure, "nic");
    struct iov_phase *phase;
    unsigned late;

    iov_measure_begin(measure);
    measure->counters.exits[30] = 5;
    measure->counters.regions[nic].exits = 3;
    iov_measure_phase_begin(measure, "probe");
    advance(kernel, 20);
    measure->counters.exits[30] += 2;
    measure->counters.regions[nic].exits += 4;
    measure->counters.kicks++;
    late = iov_measure_region(measure, "lapic");
    measure->counters.regions[late].exits = 6;
    iov_measure_phase_end(measure, 8);
    measure->counters.exits[30]++;
    iov_measure_phase_begin(measure, "run");
    iov_measure_phase_end(measure, 1);
    iov_measure_phase_end(measure, 2); /* nothing is open */

    phase = measure->phases;
    cr_assert_str_eq(phase->name, "probe");
    cr_assert(eq(u64, phase->units, 8));
    cr_assert(eq(u64, phase->end - phase->begin, 20));
    cr_assert(eq(u64, phase->counters.exits[30], 2));
    cr_assert(eq(u64, phase->counters.regions[nic].exits, 4));
    cr_assert(eq(u64, phase->counters.regions[late].exits, 6));
    cr_assert(eq(u64, phase->counters.kicks, 1));
    phase = phase->next;
    cr_assert(eq(u64, phase->counters.exits[30], 0));
    cr_assert(eq(u64, phase->units, 1));
    cr_assert_null(phase->next);
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, a_region_has_one_index_and_the_last_one_takes_the_rest)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    char name[8];

    for (unsigned i = 0; i < IOV_MEASURE_REGIONS + 3; i++) {
        unsigned expected = i < IOV_MEASURE_REGIONS ? i : IOV_MEASURE_REGIONS - 1;

        snprintf(name, sizeof name, "r%u", i);
        cr_assert(eq(uint, iov_measure_region(measure, name), expected));
    }
    cr_assert(eq(uint, iov_measure_region(measure, "r7"), 7));
    cr_assert_str_eq(measure->counters.regions[IOV_MEASURE_REGIONS - 1].name, "other");
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, every_part_has_a_name_and_exits_are_called_as_perf_calls_them)
{
    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        cr_assert_not_null(iov_part_name((enum iov_part)part));
    cr_assert_str_eq(iov_exit_reason_name(1), "EXTERNAL_INTERRUPT");
    cr_assert_str_eq(iov_exit_reason_name(12), "HLT");
    cr_assert_str_eq(iov_exit_reason_name(30), "IO_INSTRUCTION");
    cr_assert_str_eq(iov_exit_reason_name(49), "EPT_MISCONFIG");
    cr_assert_null(iov_exit_reason_name(35));
    cr_assert_null(iov_exit_reason_name(1000));
}

static void guest_does(struct iov_measure *measure, unsigned guest, unsigned operations)
{
    struct iov_span span;

    for (unsigned i = 0; i < operations; i++) {
        iov_span_begin(&span, i, NULL, iov_now(measure->kernel));
        iov_measure_guest_request(measure, guest, &span, 1);
    }
}

Test(measure, of_several_guests_opens_when_all_are_ready_and_ends_when_all_have_finished)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    unsigned a = iov_measure_join(measure, "vm0"), b = iov_measure_join(measure, "vm1");

    iov_measure_guest_ready(measure, a);
    cr_assert(not(measure->open));
    iov_measure_guest_ready(measure, b);
    cr_assert(measure->open);
    iov_measure_guest_finished(measure, b);
    cr_assert(measure->open);
    iov_measure_guest_finished(measure, a);
    cr_assert(measure->ended);
    cr_assert(measure->complete);
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(measure, fairness_is_one_for_equals_and_one_of_n_for_a_hog)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);

    for (unsigned i = 0; i < 4; i++)
        iov_measure_join(measure, "vm");
    for (unsigned i = 0; i < 4; i++)
        iov_measure_guest_ready(measure, i);
    guest_does(measure, 0, 100);
    cr_assert(eq(u32, iov_measure_fairness(measure), 250000));
    for (unsigned i = 1; i < 4; i++)
        guest_does(measure, i, 100);
    cr_assert(eq(u32, iov_measure_fairness(measure), 1000000));
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}
