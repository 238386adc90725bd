/* SPDX-License-Identifier: Apache-2.0 */
/* How long a processor expects to be idle: until its timer, or as it was lately. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/linux/menu.h"

static struct iov_menu menu;

static void begin(void)
{
    iov_menu_init(&menu, 0);
}

TestSuite(menu, .init = begin);

/* It is idle once, for `idle`, with a timer so far away. */
static void be_idle(iov_time timer, iov_time idle)
{
    iov_menu_expect(&menu, timer);
    iov_menu_learn(&menu, idle, 0);
}

/* Idle times of two lengths in turn, which are not alike. */
static void be_idle_in_turn(unsigned times, iov_time timer, iov_time idle, iov_time other)
{
    for (unsigned i = 0; i < times; i++)
        be_idle(timer, i % 2 != 0 ? other : idle);
}

Test(menu, a_kernel_that_boots_expects_no_idle_time_at_all)
{
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 0));
}

Test(menu, one_that_had_nothing_to_do_expects_that_to_go_on)
{
    iov_menu_init(&menu, IOV_MENU_LONGEST);
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), IOV_SEC));
}

Test(menu, idle_times_that_are_alike_are_expected_again)
{
    for (unsigned i = 0; i < 8; i++)
        be_idle(IOV_SEC, (95 + 10 * (i % 2)) * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 100 * IOV_US));
}

Test(menu, the_longest_two_of_eight_are_left_out_even_if_they_are_equal)
{
    for (unsigned i = 0; i < 8; i++)
        be_idle(IOV_SEC, i % 4 == 0 ? 900 * IOV_US : 100 * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 100 * IOV_US));
}

Test(menu, with_three_that_are_longer_nothing_is_typical)
{
    for (unsigned i = 0; i < 8; i++)
        be_idle(IOV_SEC, i % 3 == 0 ? 900 * IOV_US : 100 * IOV_US);
    cr_assert(lt(u64, 200 * IOV_MS, iov_menu_expect(&menu, IOV_SEC)));
}

Test(menu, the_next_timer_is_the_end_of_what_is_expected)
{
    for (unsigned i = 0; i < 8; i++)
        be_idle(IOV_SEC, 400 * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, 30 * IOV_US), 30 * IOV_US));
}

Test(menu, a_timer_that_has_come_each_time_is_expected_to_come)
{
    for (unsigned i = 0; i < 50; i++)
        be_idle(i % 2 != 0 ? 2 * IOV_MS : 6 * IOV_MS, i % 2 != 0 ? 2 * IOV_MS : 6 * IOV_MS);
    cr_assert(lt(u64, 5900 * IOV_US, iov_menu_expect(&menu, 6 * IOV_MS)));
}

Test(menu, who_is_woken_before_its_timer_expects_as_much_of_the_time_to_it_as_lately)
{
    be_idle_in_turn(100, 5 * IOV_MS, 100 * IOV_US, 400 * IOV_US);
    cr_assert(lt(u64, 200 * IOV_US, iov_menu_expect(&menu, 5 * IOV_MS)));
    cr_assert(lt(u64, iov_menu_expect(&menu, 5 * IOV_MS), 300 * IOV_US));
}

Test(menu, a_timer_of_another_length_has_not_been_looked_at_yet)
{
    be_idle_in_turn(100, 5 * IOV_MS, 100 * IOV_US, 400 * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, 20 * IOV_MS), 20 * IOV_MS));
}

Test(menu, the_part_of_a_far_timer_is_never_less_than_seven_8192ths)
{
    be_idle_in_turn(500, IOV_SEC, 100 * IOV_US, 400 * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 854 * IOV_US));
}

Test(menu, who_was_idle_for_more_than_50_ms_was_so_as_foreseen)
{
    for (unsigned i = 0; i < 50; i++)
        be_idle(IOV_SEC, i % 2 != 0 ? 60 * IOV_MS : 200 * IOV_MS);
    cr_assert(lt(u64, 990 * IOV_MS, iov_menu_expect(&menu, IOV_SEC)));
}

Test(menu, without_a_timer_there_is_the_watchdog_s_within_four_seconds)
{
    be_idle_in_turn(8, IOV_MS, 100 * IOV_US, 400 * IOV_US);
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_TIME_MAX), 4 * IOV_SEC));
}

Test(menu, what_it_took_to_leave_the_state_was_not_idle)
{
    for (unsigned i = 0; i < 8; i++) {
        iov_menu_expect(&menu, IOV_SEC);
        iov_menu_learn(&menu, 500 * IOV_US, 133 * IOV_US);
    }
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 367 * IOV_US));
}

Test(menu, of_an_idle_time_no_longer_than_two_such_half_was)
{
    for (unsigned i = 0; i < 8; i++) {
        iov_menu_expect(&menu, IOV_SEC);
        iov_menu_learn(&menu, 200 * IOV_US, 133 * IOV_US);
    }
    cr_assert(eq(u64, iov_menu_expect(&menu, IOV_SEC), 100 * IOV_US));
}
