/* SPDX-License-Identifier: Apache-2.0 */
/* The segments of an interrupt's way, and which interrupts one run of a handler serves. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/trace/interrupt-path.h"

enum { NIC = 0x0100, OTHER = 0x0200 };

static struct iov_interrupt_path *path;
static int guest, stranger; /* whose addresses stand for kernels */

static void setup(void)
{
    path = iov_interrupt_path_new();
    iov_interrupt_owned(path, NIC, &guest);
}

static void teardown(void)
{
    iov_interrupt_path_free(path);
}

TestSuite(interrupt_path, .init = setup, .fini = teardown);

static uint64_t count(enum iov_interrupt_segment segment)
{
    return iov_histogram_count(path->segments[segment]);
}

static uint64_t mean(enum iov_interrupt_segment segment)
{
    return iov_histogram_mean(path->segments[segment]);
}

Test(interrupt_path, a_plain_message_has_link_route_delivery_and_eoi)
{
    iov_interrupt_routed(path, NIC, 700, 120, 1820);
    iov_interrupt_taken(path, &guest, 2000);
    iov_interrupt_ended(path, 2000, 2016);
    cr_assert(eq(u64, mean(IOV_INTERRUPT_LINK), 700));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_ROUTE), 120));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_DELIVER), 180));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_EOI), 16));
    cr_assert(eq(u64, count(IOV_INTERRUPT_REMAP), 0));
}

Test(interrupt_path, a_remapped_message_has_one_link_and_one_remap)
{
    iov_interrupt_remapped(path, NIC, 700, 20);
    iov_interrupt_routed(path, NIC, 720, 120, 1840);
    iov_interrupt_taken(path, &guest, 2000);
    cr_assert(eq(u64, count(IOV_INTERRUPT_LINK), 1));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_LINK), 700));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_REMAP), 20));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_DELIVER), 160));
    cr_assert(eq(uint, path->count, 0));
}

Test(interrupt_path, posted_ones_that_notify_nobody_wait_in_the_descriptor)
{
    iov_interrupt_posted(path, NIC, 700, 20, 200, false, 1000);
    iov_interrupt_posted(path, NIC, 700, 20, 200, false, 5000);
    iov_interrupt_taken(path, &guest, 11000);
    cr_assert(eq(u64, path->gathered, 2));
    cr_assert(eq(u64, count(IOV_INTERRUPT_ROUTE), 0));
    cr_assert(eq(u64, mean(IOV_INTERRUPT_DELIVER), 8000));
}

Test(interrupt_path, a_handler_serves_its_own_devices_and_what_has_come_by_then)
{
    iov_interrupt_owned(path, OTHER, &stranger);
    iov_interrupt_routed(path, NIC, 1, 1, 100);
    iov_interrupt_routed(path, OTHER, 1, 1, 100);
    iov_interrupt_routed(path, NIC, 1, 1, 900);
    iov_interrupt_taken(path, &guest, 500);
    cr_assert(eq(u64, count(IOV_INTERRUPT_DELIVER), 1));
    cr_assert(eq(uint, path->count, 2));
}

Test(interrupt_path, what_its_owner_does_not_serve_is_forgotten_from_the_oldest_on)
{
    for (unsigned i = 0; i < IOV_INTERRUPT_RECORDS + 3; i++)
        iov_interrupt_routed(path, NIC, 1, 1, i);
    cr_assert(eq(u64, path->forgotten, 3));
    cr_assert(eq(uint, path->count, IOV_INTERRUPT_RECORDS));
    cr_assert(eq(u64, path->accepted_at[path->first], 3));
}

Test(interrupt_path, ends_with_the_route_where_nobody_owns_the_function)
{
    iov_interrupt_routed(path, OTHER, 1, 1, 100);
    cr_assert(eq(u64, count(IOV_INTERRUPT_ROUTE), 1));
    cr_assert(eq(uint, path->count, 0));
}

Test(interrupt_path, parts_of_a_function_are_told_apart_by_their_table_entries)
{
    iov_interrupt_owned(path, iov_interrupt_source(OTHER, 3), &guest);
    iov_interrupt_owned(path, iov_interrupt_source(OTHER, 4), &stranger);
    iov_interrupt_posted(path, iov_interrupt_source(OTHER, 4), 700, 20, 200, false, 100);
    iov_interrupt_taken(path, &guest, 500);
    cr_assert(eq(u64, count(IOV_INTERRUPT_DELIVER), 0));
    iov_interrupt_taken(path, &stranger, 600);
    cr_assert(eq(u64, mean(IOV_INTERRUPT_DELIVER), 500));
    iov_interrupt_owned(path, OTHER, &guest); /* what has no entry of its own is the function's */
    iov_interrupt_posted(path, iov_interrupt_source(OTHER, 9), 700, 20, 200, false, 1000);
    iov_interrupt_taken(path, &guest, 1500);
    cr_assert(eq(u64, count(IOV_INTERRUPT_DELIVER), 2));
}

Test(interrupt_path, a_function_that_was_given_away_is_served_by_its_owner_only)
{
    iov_interrupt_owned(path, OTHER, &guest);
    iov_interrupt_routed(path, OTHER, 1, 1, 100);
    iov_interrupt_taken(path, &stranger, 500);
    cr_assert(eq(u64, count(IOV_INTERRUPT_DELIVER), 0));
    iov_interrupt_taken(path, &guest, 500);
    cr_assert(eq(u64, count(IOV_INTERRUPT_DELIVER), 1));
}
