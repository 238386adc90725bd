/* SPDX-License-Identifier: Apache-2.0 */
/* Waterfalls: who held a request, when and what for. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/trace/waterfall.h"

static const char software[] = "s";
static const char device[] = "d";

static void expect(const struct iov_waterfall_entry *entry, iov_time from, iov_time to,
                   const void *holder, enum iov_part part)
{
    cr_expect(eq(u64, entry->from, from));
    cr_expect(eq(u64, entry->to, to));
    cr_expect(eq(ptr, (void *)(uintptr_t)entry->holder, (void *)(uintptr_t)holder));
    cr_expect(eq(int, (int)entry->part, (int)part));
}

Test(waterfall, stretches_that_touch_become_one_and_notes_stand_between)
{
    struct iov_waterfall *waterfall = iov_waterfall_new(16);
    struct iov_span span;

    iov_span_begin(&span, 1, software, 5000);
    iov_waterfall_attach(waterfall, &span);
    iov_span_mark(&span, software, IOV_PART_GUEST, 6000);
    iov_span_mark(&span, software, IOV_PART_GUEST, 7500);
    iov_span_note(&span, 7500, "doorbell");
    iov_span_mark(&span, device, IOV_PART_WIRE, 7600); /* does not hold it */
    iov_span_mark(&span, software, IOV_PART_GUEST, 7700);
    iov_span_claim(&span, device, IOV_PART_QUEUE, 8000);
    cr_assert(eq(uint, waterfall->count, 4));
    expect(&waterfall->entries[0], 5000, 7500, software, IOV_PART_GUEST);
    expect(&waterfall->entries[1], 7500, 7500, NULL, 0);
    cr_assert_str_eq(waterfall->entries[1].note, "doorbell");
    expect(&waterfall->entries[2], 7500, 7700, software, IOV_PART_GUEST);
    expect(&waterfall->entries[3], 7700, 8000, device, IOV_PART_QUEUE);
    iov_waterfall_free(waterfall);
}

Test(waterfall, what_finds_no_room_is_counted_and_a_new_span_begins_afresh)
{
    struct iov_waterfall *waterfall = iov_waterfall_new(1);
    struct iov_span span;

    iov_span_begin(&span, 1, software, 0);
    iov_waterfall_attach(waterfall, &span);
    iov_span_mark(&span, software, IOV_PART_GUEST, 10);
    iov_span_mark(&span, software, IOV_PART_EXIT, 20);
    cr_assert(eq(uint, waterfall->lost, 1));
    iov_waterfall_attach(waterfall, &span);
    cr_assert(eq(uint, waterfall->count, 0));
    iov_waterfall_free(waterfall);
}

Test(waterfall, a_span_without_one_takes_notes_of_nothing)
{
    struct iov_span span;

    iov_span_begin(&span, 1, software, 0);
    iov_span_note(&span, 5, "unheard");
    iov_span_note(NULL, 5, "unheard");
    iov_span_mark(&span, software, IOV_PART_GUEST, 10);
    cr_assert(eq(u64, span.parts[IOV_PART_GUEST], 10));
}
