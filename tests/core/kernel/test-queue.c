/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue keeps the order (time, priority, arming), whatever is armed, disarmed and run in
 * between. The judge is a plain list that is searched for its least entry each time.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>

#include "core/kernel/backend.h"
#include "core/kernel/kernel.h"
#include "core/kernel/random.h"

struct recorder {
    struct iov_event event;
    int name;
    int *log;
    int *count;
};

static void record(struct iov_event *event)
{
    struct recorder *self = iov_container_of(event, struct recorder, event);

    self->log[(*self->count)++] = self->name;
}

static void stop(struct iov_event *event)
{
    iov_kernel_stop(event->kernel);
}

static void ignore(struct iov_event *event)
{
    (void)event;
}

Test(queue, events_of_one_instant_run_by_priority_and_then_in_the_order_of_arming)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder recorders[6];
    const unsigned priorities[6] = { 8, 8, 0, 15, 0, 8 };
    const int expected[6] = { 2, 4, 0, 1, 5, 3 };
    int log[6];
    int count = 0;

    for (int i = 0; i < 6; i++) {
        recorders[i] = (struct recorder){ .name = i, .log = log, .count = &count };
        iov_event_init(&recorders[i].event, kernel, record, priorities[i]);
        iov_event_at(&recorders[i].event, 1000);
    }
    cr_assert(iov_kernel_run(kernel));
    cr_assert(eq(int, count, 6));
    for (int i = 0; i < 6; i++)
        cr_assert(eq(int, log[i], expected[i]));
    cr_assert(eq(u64, iov_now(kernel), 1000));
    cr_assert(eq(u64, iov_kernel_events(kernel), 6));
    iov_kernel_free(kernel);
}

Test(queue, run_until_includes_its_limit_and_leaves_the_clock_there)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder at_limit, after;
    int log[2];
    int count = 0;
    iov_time next;

    at_limit = (struct recorder){ .name = 1, .log = log, .count = &count };
    after = (struct recorder){ .name = 2, .log = log, .count = &count };
    iov_event_init(&at_limit.event, kernel, record, IOV_PRIORITY_DEFAULT);
    iov_event_init(&after.event, kernel, record, IOV_PRIORITY_DEFAULT);
    iov_event_at(&after.event, 70001);
    iov_event_at(&at_limit.event, 70000);
    cr_assert(iov_kernel_run_until(kernel, 70000));
    cr_assert(eq(int, count, 1));
    cr_assert(eq(u64, iov_now(kernel), 70000));
    cr_assert(iov_kernel_next(kernel, &next));
    cr_assert(eq(u64, next, 70001));
    iov_event_disarm(&after.event);
    cr_assert(not(iov_kernel_next(kernel, &next)));
    iov_kernel_free(kernel);
}

Test(queue, an_event_at_the_end_of_time_runs)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event events[2];

    for (int i = 0; i < 2; i++) {
        iov_event_init(&events[i], kernel, ignore, IOV_PRIORITY_DEFAULT);
        iov_event_at(&events[i], IOV_TIME_MAX);
    }
    cr_assert(iov_kernel_run_until(kernel, IOV_TIME_MAX - 1));
    cr_assert(eq(u64, iov_kernel_events(kernel), 0));
    cr_assert(iov_kernel_run_until(kernel, IOV_TIME_MAX));
    cr_assert(eq(u64, iov_kernel_events(kernel), 2));
    cr_assert(eq(u64, iov_now(kernel), IOV_TIME_MAX));
    iov_kernel_free(kernel);
}

Test(queue, stop_ends_the_run_after_the_present_handler_and_the_next_run_goes_on)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event stopper, later;

    iov_event_init(&stopper, kernel, stop, IOV_PRIORITY_DEFAULT);
    iov_event_init(&later, kernel, ignore, IOV_PRIORITY_DEFAULT);
    iov_event_at(&stopper, 5);
    iov_event_at(&later, 5);
    cr_assert(not(iov_kernel_run_until(kernel, 100)));
    cr_assert(eq(u64, iov_now(kernel), 5));
    cr_assert(iov_event_armed(&later));
    cr_assert(iov_kernel_run_until(kernel, 100));
    cr_assert(not(iov_event_armed(&later)));
    cr_assert(eq(u64, iov_now(kernel), 100));
    iov_kernel_free(kernel);
}

Test(queue, step_runs_one_event_and_says_when_there_is_none)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event first, second;

    iov_event_init(&first, kernel, ignore, IOV_PRIORITY_DEFAULT);
    iov_event_init(&second, kernel, ignore, IOV_PRIORITY_DEFAULT);
    iov_event_in(&first, 3);
    iov_event_in(&second, 4);
    cr_assert(iov_kernel_step(kernel));
    cr_assert(eq(u64, iov_now(kernel), 3));
    cr_assert(iov_event_armed(&second));
    cr_assert(iov_kernel_step(kernel));
    cr_assert(not(iov_kernel_step(kernel)));
    cr_assert(eq(u64, iov_now(kernel), 4));
    iov_kernel_free(kernel);
}

Test(queue, arming_for_the_past_is_refused, .signal = SIGABRT)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event event;

    cr_assert(iov_kernel_run_until(kernel, 10));
    iov_event_init(&event, kernel, ignore, IOV_PRIORITY_DEFAULT);
    iov_event_at(&event, 9);
}

Test(queue, arming_twice_is_refused, .signal = SIGABRT)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event event;

    iov_event_init(&event, kernel, ignore, IOV_PRIORITY_DEFAULT);
    iov_event_at(&event, 9);
    iov_event_at(&event, 10);
}

Test(queue, a_first_event_that_is_displaced_keeps_its_turn_among_its_equals)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder recorders[4];
    const iov_time times[4] = { 500, 500, 10, 500 };
    const int expected[4] = { 2, 0, 1, 3 };
    int log[4];
    int count = 0;

    for (int i = 0; i < 4; i++) {
        recorders[i] = (struct recorder){ .name = i, .log = log, .count = &count };
        iov_event_init(&recorders[i].event, kernel, record, IOV_PRIORITY_DEFAULT);
        iov_event_at(&recorders[i].event, times[i]);
    }
    cr_assert(iov_kernel_run(kernel));
    for (int i = 0; i < 4; i++)
        cr_assert(eq(int, log[i], expected[i]));
    iov_kernel_free(kernel);
}

/* A back end that serves the kernel in short stretches. */

struct slow_owner {
    struct iov_backend backend;
    iov_time announced;
    int announcements;
};

static bool slow_run(struct iov_backend *backend, struct iov_kernel *kernel, iov_time until)
{
    iov_time next;

    (void)backend;
    while (iov_kernel_next(kernel, &next) && next <= until) {
        if (!iov_kernel_serve(kernel, next))
            return false;
    }
    return until == IOV_TIME_MAX || iov_kernel_serve(kernel, until);
}

static void slow_earlier(struct iov_backend *backend, iov_time when)
{
    struct slow_owner *owner = iov_container_of(backend, struct slow_owner, backend);

    owner->announced = when;
    owner->announcements++;
}

static const struct iov_backend_ops slow_ops = { .name = "slow",
                                                 .run = slow_run,
                                                 .earlier = slow_earlier };

/* Random schedules beside the judge. */

enum { PARTIES = 48, OPERATIONS = 1000000 };

struct expected {
    bool armed;
    iov_time when;
    uint64_t order;
};

struct party {
    struct iov_event event;
    struct contest *contest;
    struct expected expected;
};

struct contest {
    struct iov_kernel *kernel;
    struct iov_random random;
    struct party parties[PARTIES];
    uint64_t order; /* of the next arming, as the judge counts */
    uint64_t operations;
    uint64_t fired;
    uint64_t stops;
    uint64_t advances;
    iov_time limit;
    struct slow_owner owner;
    bool owned; /* a back end owns time: no steps, and its stretches limit an advance */
};

static struct party *judge_first(struct contest *contest)
{
    struct party *best = NULL;

    for (int i = 0; i < PARTIES; i++) {
        struct party *party = &contest->parties[i];
        if (!party->expected.armed)
            continue;
        if (best == NULL || party->expected.when < best->expected.when ||
            (party->expected.when == best->expected.when &&
             (party->event.priority < best->event.priority ||
              (party->event.priority == best->event.priority &&
               party->expected.order < best->expected.order))))
            best = party;
    }
    return best;
}

/* Many ties, all digits of the time, and now and then the distance between two powers of 256. */
static iov_time some_delay(struct contest *contest)
{
    struct iov_random *random = &contest->random;

    switch (iov_random_uniform(random, 0, 7)) {
    case 0:
        return 0;
    case 1:
        return iov_random_uniform(random, 0, 3);
    case 2:
        return 256 - (iov_now(contest->kernel) & 255); /* to the next slot's base */
    case 3:
        return 100 * iov_random_uniform(random, 1, 4);
    case 4:
        return UINT64_C(1) << iov_random_uniform(random, 0, 40);
    case 5:
        return iov_random_draw(random, IOV_EXPONENTIAL, 1000);
    case 6:
        return (UINT64_C(65536) << iov_random_uniform(random, 0, 16)) -
               (iov_now(contest->kernel) & 65535);
    default:
        return iov_random_uniform(random, 0, UINT64_C(1) << iov_random_uniform(random, 0, 40));
    }
}

static void arm_or_disarm_some(struct contest *contest)
{
    uint64_t times = iov_random_uniform(&contest->random, 0, 4);

    for (uint64_t i = 0; i < times; i++) {
        struct party *party =
            &contest->parties[iov_random_uniform(&contest->random, 0, PARTIES - 1)];
        contest->operations++;
        cr_assert(eq(int, iov_event_armed(&party->event), party->expected.armed));
        if (party->expected.armed) {
            if (iov_random_uniform(&contest->random, 0, 3) == 0) {
                iov_event_disarm(&party->event);
                party->expected.armed = false;
            }
            continue;
        }
        iov_time when = iov_now(contest->kernel) + some_delay(contest);
        iov_event_at(&party->event, when);
        party->expected = (struct expected){ true, when, contest->order++ };
    }
}

static void try_to_advance(struct contest *contest)
{
    iov_time now = iov_now(contest->kernel);
    iov_time target = now + some_delay(contest);
    const struct party *first = judge_first(contest);
    bool expected = target <= contest->limit && (first == NULL || first->expected.when > target);

    contest->operations++;
    cr_assert(eq(int, iov_kernel_advance(contest->kernel, target - now), expected));
    cr_assert(eq(u64, iov_now(contest->kernel), expected ? target : now));
    contest->advances += expected;
}

static void on_turn(struct iov_event *event)
{
    struct party *party = iov_container_of(event, struct party, event);
    struct contest *contest = party->contest;

    contest->operations++;
    contest->fired++;
    cr_assert(judge_first(contest) == party);
    cr_assert(eq(u64, iov_now(contest->kernel), party->expected.when));
    party->expected.armed = false;
    if (!contest->owned && iov_random_uniform(&contest->random, 0, 3) == 0)
        try_to_advance(contest);
    arm_or_disarm_some(contest);
    if (iov_random_uniform(&contest->random, 0, 99) == 0) {
        iov_kernel_stop(contest->kernel);
        contest->stops++;
        cr_assert(not(iov_kernel_advance(contest->kernel, 1)));
    }
}

static void compare_next(struct contest *contest)
{
    const struct party *first = judge_first(contest);
    iov_time next;
    bool any = iov_kernel_next(contest->kernel, &next);

    cr_assert(eq(int, any, first != NULL));
    if (any)
        cr_assert(eq(u64, next, first->expected.when));
}

static void hold_contest(uint64_t seed, unsigned priorities, bool owned)
{
    struct contest *contest = calloc(1, sizeof(*contest));

    contest->kernel = iov_kernel_new();
    contest->owner.backend.ops = &slow_ops;
    contest->owned = owned;
    if (owned)
        iov_kernel_set_backend(contest->kernel, &contest->owner.backend);
    iov_random_init(&contest->random, seed, "contest");
    for (int i = 0; i < PARTIES; i++) {
        contest->parties[i].contest = contest;
        iov_event_init(&contest->parties[i].event, contest->kernel, on_turn,
                       (unsigned)iov_random_uniform(&contest->random, 0, priorities - 1));
    }
    /* Start anywhere, so that carries run through the high digits too. */
    iov_kernel_run_until(contest->kernel, iov_random_u64(&contest->random) / 2);
    while (contest->operations < OPERATIONS) {
        uint64_t stops = contest->stops;
        arm_or_disarm_some(contest);
        compare_next(contest);
        if (!owned && iov_random_uniform(&contest->random, 0, 9) == 0) {
            contest->limit = 0;
            cr_assert(eq(int, iov_kernel_step(contest->kernel), judge_first(contest) != NULL));
            continue;
        }
        contest->limit = iov_now(contest->kernel) + some_delay(contest);
        bool arrived = iov_kernel_run_until(contest->kernel, contest->limit);
        cr_assert(eq(int, arrived, stops == contest->stops));
        if (arrived) {
            const struct party *first = judge_first(contest);
            cr_assert(eq(u64, iov_now(contest->kernel), contest->limit));
            cr_assert(first == NULL || first->expected.when > contest->limit);
        }
    }
    cr_assert(eq(u64, iov_kernel_events(contest->kernel), contest->fired + contest->advances));
    cr_assert(lt(u64, OPERATIONS / 20, contest->fired));
    cr_assert(eq(int, contest->advances == 0, owned));
    iov_kernel_free(contest->kernel);
    free(contest);
}

Test(queue, a_million_random_operations_agree_with_a_plain_list)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        hold_contest(seed, IOV_PRIORITY_COUNT, false);
}

Test(queue, a_million_random_operations_of_one_priority_agree_with_a_plain_list)
{
    hold_contest(11, 1, false);
}

Test(queue, a_million_random_operations_under_a_back_end_agree_with_a_plain_list)
{
    hold_contest(21, IOV_PRIORITY_COUNT, true);
}

Test(queue, a_back_end_owns_time_and_hears_of_earlier_events_only)
{
    struct slow_owner owner = { .backend = { &slow_ops } };
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder recorders[3];
    const iov_time times[3] = { 50, 60, 40 };
    int log[3];
    int count = 0;

    cr_assert_str_eq(iov_kernel_backend_name(kernel), "native");
    iov_kernel_set_backend(kernel, &owner.backend);
    cr_assert_str_eq(iov_kernel_backend_name(kernel), "slow");
    for (int i = 0; i < 3; i++) {
        recorders[i] = (struct recorder){ .name = i, .log = log, .count = &count };
        iov_event_init(&recorders[i].event, kernel, record, IOV_PRIORITY_DEFAULT);
        iov_event_at(&recorders[i].event, times[i]);
    }
    cr_assert(eq(int, owner.announcements, 2));
    cr_assert(eq(u64, owner.announced, 40));
    cr_assert(iov_kernel_run_until(kernel, 55));
    cr_assert(eq(int, count, 2));
    cr_assert(eq(int, log[0], 2));
    cr_assert(eq(int, log[1], 0));
    cr_assert(eq(u64, iov_now(kernel), 55));
    cr_assert(iov_kernel_run(kernel));
    cr_assert(eq(int, count, 3));
    cr_assert(eq(u64, iov_now(kernel), 60));
    iov_kernel_free(kernel);
}

Test(queue, a_pool_gives_records_back_and_keeps_them_apart)
{
    struct iov_pool *pool = iov_pool_new(100);
    uint64_t *records[2000];

    for (int i = 0; i < 2000; i++) {
        records[i] = iov_pool_take(pool);
        records[i][0] = records[i][11] = (uint64_t)i;
    }
    for (int i = 0; i < 2000; i++) {
        cr_assert(eq(u64, records[i][0], (uint64_t)i));
        cr_assert(eq(u64, records[i][11], (uint64_t)i));
    }
    iov_pool_give(pool, records[7]);
    cr_assert(iov_pool_take(pool) == records[7]);
    iov_pool_free(pool);
}

static void cut_at_15(struct iov_event *event)
{
    cr_assert(iov_kernel_advance(event->kernel, 2));
    iov_kernel_cut(event->kernel, 15);
    iov_kernel_cut(event->kernel, 50); /* later than the first: nothing changes */
    cr_assert(not(iov_kernel_advance(event->kernel, 5)), "nothing goes past the cut");
}

static void forbid(struct iov_event *event)
{
    (void)event;
    cr_fail("this event was to wait");
}

Test(backend, may_cut_a_stretch_short_and_skip_to_the_next_event)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event cut, later;

    iov_event_init(&cut, kernel, cut_at_15, IOV_PRIORITY_DEFAULT);
    iov_event_init(&later, kernel, forbid, IOV_PRIORITY_DEFAULT);
    iov_event_at(&cut, 10);
    iov_event_at(&later, 20);
    cr_assert(iov_kernel_serve(kernel, 100));
    cr_assert(eq(u64, iov_now(kernel), 15));
    iov_kernel_skip(kernel, 12);
    cr_assert(eq(u64, iov_now(kernel), 15), "never back");
    iov_kernel_skip(kernel, 18);
    cr_assert(eq(u64, iov_now(kernel), 18));
    iov_kernel_skip(kernel, 30);
    cr_assert(eq(u64, iov_now(kernel), 20), "not past an event");
    iov_event_disarm(&later);
    iov_kernel_skip(kernel, 30);
    cr_assert(eq(u64, iov_now(kernel), 30));
    iov_kernel_free(kernel);
}
