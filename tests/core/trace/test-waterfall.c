/* SPDX-License-Identifier: Apache-2.0 */
/* Waterfalls: who held a request, when and what for. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib.h>
#include <string.h>

#include "core/trace/waterfall.h"

static const char software[] = "s";
static const char device[] = "d";

Test(waterfall, stretches_that_touch_become_one_and_notes_stand_between)
{
    struct iov_waterfall *waterfall = iov_waterfall_new(16);
    struct iov_span span;
    g_autofree char *text = NULL;

    iov_waterfall_name(waterfall, software, "vm0/vcpu0");
    iov_span_begin(&span, 1, software, 5000);
    iov_waterfall_attach(waterfall, &span);
    iov_span_mark(&span, software, IOV_PART_GUEST, 6000);
    iov_span_mark(&span, software, IOV_PART_GUEST, 7500);
    iov_span_note(&span, 7500, "doorbell");
    iov_span_mark(&span, device, IOV_PART_WIRE, 7600); /* does not hold it */
    iov_span_mark(&span, software, IOV_PART_GUEST, 7700);
    iov_span_claim(&span, device, IOV_PART_QUEUE, 8000);
    cr_assert(eq(uint, waterfall->count, 4));
    text = iov_waterfall_text(waterfall);
    cr_assert_str_eq(text, "         0.000          2.500  guest      vm0/vcpu0\n"
                           "         2.500  doorbell\n"
                           "         2.500          0.200  guest      vm0/vcpu0\n"
                           "         2.700          0.300  queue      ?\n");
    iov_waterfall_free(waterfall);
}

Test(waterfall, what_finds_no_room_is_counted_and_a_new_span_begins_afresh)
{
    struct iov_waterfall *waterfall = iov_waterfall_new(1);
    struct iov_span span;
    g_autofree char *text = NULL;

    iov_span_begin(&span, 1, software, 0);
    iov_waterfall_attach(waterfall, &span);
    iov_span_mark(&span, software, IOV_PART_GUEST, 10);
    iov_span_mark(&span, software, IOV_PART_EXIT, 20);
    cr_assert(eq(uint, waterfall->lost, 1));
    text = iov_waterfall_text(waterfall);
    cr_assert_not_null(strstr(text, "1 entries found no room"));
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
