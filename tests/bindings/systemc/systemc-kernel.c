/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SystemC as the owner of the kernel's time, seen from C. Each test is a process of its own, as
 * SystemC wants it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "bindings/systemc/systemc.h"
#include "core/config/experiment.h"
#include "core/kernel/fiber.h"
#include "tests/bindings/systemc/neighbour.h"

enum { PARTIES = 64, TURNS = 20000 };

/* ---- A schedule whose order leaves a fingerprint ---- */

struct crowd {
    struct iov_kernel *kernel;
    struct iov_event events[PARTIES];
    uint64_t state; /* of the random numbers */
    uint64_t print; /* depends on who ran when */
    unsigned turns;
};

static struct crowd crowd;

static uint64_t draw(void)
{
    crowd.state = crowd.state * UINT64_C(6364136223846793005) + 1;
    return crowd.state >> 33;
}

/* Many coincide: a quarter of all delays are 0. */
static iov_time draw_delay(void)
{
    return draw() % 4 == 0 ? 0 : draw() % 50 * 100;
}

static void on_turn(struct iov_event *event)
{
    unsigned party = (unsigned)(event - crowd.events);

    crowd.print = (crowd.print ^ party ^ iov_now(crowd.kernel)) * UINT64_C(1099511628211);
    if (++crowd.turns == TURNS)
        iov_kernel_stop(crowd.kernel);
    iov_event_in(event, draw_delay());
    party = (unsigned)(draw() % PARTIES);
    if (!iov_event_armed(&crowd.events[party]))
        iov_event_in(&crowd.events[party], draw_delay());
}

static void crowd_open(void)
{
    crowd = (struct crowd){ .kernel = iov_kernel_new(), .state = 7 };
    for (unsigned i = 0; i < PARTIES; i++) {
        iov_event_init(&crowd.events[i], crowd.kernel, on_turn, (unsigned)(draw() % 16));
        iov_event_in(&crowd.events[i], draw_delay());
    }
}

static void crowd_run(void)
{
    while (iov_kernel_run_until(crowd.kernel, iov_now(crowd.kernel) + 1234))
        ;
}

static struct iov_systemc *open_systemc(void)
{
    GError *error = NULL;
    struct iov_systemc *systemc = iov_systemc_new(&error);

    cr_assert(systemc != NULL, "%s", error != NULL ? error->message : "");
    return systemc;
}

static uint64_t print_of_native(iov_time *ret_end)
{
    uint64_t print;

    crowd_open();
    crowd_run();
    print = crowd.print;
    *ret_end = iov_now(crowd.kernel);
    iov_kernel_free(crowd.kernel);
    return print;
}

static void nothing(void *argument)
{
    (void)argument;
}

Test(order, is_that_of_the_native_kernel)
{
    iov_time end;
    uint64_t native = print_of_native(&end);
    struct iov_systemc *systemc = open_systemc();

    crowd_open();
    iov_systemc_attach(systemc, crowd.kernel);
    cr_assert(strcmp(iov_kernel_backend_name(crowd.kernel), "systemc") == 0);
    crowd_run();
    cr_assert(eq(u64, crowd.print, native));
    cr_assert(eq(u64, iov_now(crowd.kernel), end), "the clock stays at the event that stopped it");
    cr_assert(eq(u64, iov_systemc_now(systemc), end), "and SystemC's clock comes there");
    iov_systemc_free(systemc);
    iov_kernel_free(crowd.kernel);
}

Test(order, is_the_same_beside_modules_that_do_something_else)
{
    iov_time end;
    uint64_t native = print_of_native(&end);
    struct iov_systemc *systemc = open_systemc();
    struct neighbour *clock = neighbour_new(DEED_CALL, 0, 100, nothing, NULL);
    struct neighbour *other = neighbour_new(DEED_CALL, 3, 777, nothing, NULL);

    crowd_open();
    iov_systemc_attach(systemc, crowd.kernel);
    crowd_run();
    cr_assert(eq(u64, crowd.print, native));
    cr_assert(eq(u64, iov_now(crowd.kernel), end));
    neighbour_free(clock);
    neighbour_free(other);
    iov_systemc_free(systemc);
    iov_kernel_free(crowd.kernel);
}

/* ---- Fibers ---- */

static void sleep_a_while(void *argument)
{
    iov_time *ends = argument;

    for (unsigned i = 0; i < 100; i++)
        iov_fiber_sleep(crowd.kernel, 10);
    *ends = iov_now(crowd.kernel);
}

Test(fibers, sleep_and_end_on_systemc_time)
{
    struct iov_systemc *systemc = open_systemc();
    struct neighbour *clock = neighbour_new(DEED_CALL, 0, 7, nothing, NULL);
    iov_time ends[3] = { 0, 0, 0 };
    GError *error = NULL;

    crowd.kernel = iov_kernel_new();
    iov_systemc_attach(systemc, crowd.kernel);
    for (unsigned i = 0; i < 3; i++)
        iov_fiber_new(crowd.kernel, "sleeper", sleep_a_while, &ends[i]);
    cr_assert(iov_systemc_advance(systemc, 5000, &error));
    for (unsigned i = 0; i < 3; i++)
        cr_assert(eq(u64, ends[i], 1000));
    neighbour_free(clock);
    iov_systemc_free(systemc);
    iov_kernel_free(crowd.kernel);
}

/* ---- Time ---- */

static void count(struct iov_event *event)
{
    crowd.turns++;
    (void)event;
}

/* One kernel with one event at 100 ps and one at 250 ps. */
static struct iov_systemc *open_two_events(void)
{
    struct iov_systemc *systemc = open_systemc();

    crowd = (struct crowd){ .kernel = iov_kernel_new() };
    iov_event_init(&crowd.events[0], crowd.kernel, count, IOV_PRIORITY_DEFAULT);
    iov_event_init(&crowd.events[1], crowd.kernel, count, IOV_PRIORITY_DEFAULT);
    iov_event_at(&crowd.events[0], 100);
    iov_event_at(&crowd.events[1], 250);
    iov_systemc_attach(systemc, crowd.kernel);
    return systemc;
}

static void close_two_events(struct iov_systemc *systemc)
{
    iov_systemc_free(systemc);
    iov_kernel_free(crowd.kernel);
}

Test(time, includes_the_end_of_a_run)
{
    struct iov_systemc *systemc = open_two_events();

    cr_assert(iov_kernel_run_until(crowd.kernel, 99));
    cr_assert(eq(u32, crowd.turns, 0));
    cr_assert(iov_kernel_run_until(crowd.kernel, 100));
    cr_assert(eq(u32, crowd.turns, 1));
    cr_assert(iov_kernel_run_until(crowd.kernel, 1000));
    cr_assert(eq(u32, crowd.turns, 2));
    cr_assert(eq(u64, iov_now(crowd.kernel), 1000));
    cr_assert(eq(u64, iov_systemc_now(systemc), 1000));
    close_two_events(systemc);
}

Test(time, of_a_run_without_end_stays_at_the_last_event)
{
    struct iov_systemc *systemc = open_two_events();

    cr_assert(iov_kernel_run(crowd.kernel));
    cr_assert(eq(u64, iov_now(crowd.kernel), 250));
    cr_assert(eq(u64, iov_systemc_now(systemc), 250));
    close_two_events(systemc);
}

Test(time, goes_on_when_a_kernel_is_attached_later)
{
    struct iov_systemc *systemc = open_systemc();
    GError *error = NULL;

    cr_assert(iov_systemc_advance(systemc, 5000, &error));
    crowd = (struct crowd){ .kernel = iov_kernel_new() };
    iov_event_init(&crowd.events[0], crowd.kernel, count, IOV_PRIORITY_DEFAULT);
    iov_event_at(&crowd.events[0], 100);
    iov_systemc_attach(systemc, crowd.kernel);
    cr_assert(iov_systemc_advance(systemc, 100, &error));
    cr_assert(eq(u32, crowd.turns, 1));
    cr_assert(eq(u64, iov_systemc_now(systemc), 5100));
    close_two_events(systemc);
}

static void stop_from_outside(void *argument)
{
    iov_systemc_stop(argument);
}

Test(time, stops_when_a_module_asks)
{
    struct iov_systemc *systemc = open_two_events();
    struct neighbour *neighbour = neighbour_new(DEED_CALL, 170, 0, stop_from_outside, systemc);
    GError *error = NULL;

    cr_assert(iov_systemc_advance(systemc, 1000, &error));
    cr_assert(eq(u32, crowd.turns, 1));
    cr_assert(eq(u64, iov_systemc_now(systemc), 170));
    cr_assert(iov_systemc_advance(systemc, 1000, &error), "and goes on");
    cr_assert(eq(u32, crowd.turns, 2));
    cr_assert(eq(u64, iov_systemc_now(systemc), 1000));
    neighbour_free(neighbour);
    close_two_events(systemc);
}

Test(time, stops_at_sc_pause)
{
    struct iov_systemc *systemc = open_two_events();
    struct neighbour *neighbour = neighbour_new(DEED_PAUSE, 170, 0, NULL, NULL);

    cr_assert(not(iov_kernel_run_until(crowd.kernel, 1000)));
    cr_assert(iov_kernel_failure(crowd.kernel) == NULL);
    cr_assert(eq(u64, iov_systemc_now(systemc), 170));
    cr_assert(iov_kernel_run_until(crowd.kernel, 1000));
    cr_assert(eq(u32, crowd.turns, 2));
    neighbour_free(neighbour);
    close_two_events(systemc);
}

static void look(void *argument)
{
    (void)argument;
    crowd.print = crowd.print * 10 + crowd.turns;
}

Test(time, of_the_kernel_never_passes_what_a_module_is_to_see)
{
    struct iov_systemc *systemc = open_two_events();
    struct neighbour *neighbour = neighbour_new(DEED_CALL, 99, 2, look, NULL); /* 99, 101 ... */
    GError *error = NULL;

    cr_assert(iov_systemc_advance(systemc, 103, &error));
    cr_assert(eq(u64, crowd.print, 11), "at 99 nothing has happened, at 101 and 103 one event");
    neighbour_free(neighbour);
    close_two_events(systemc);
}

static void arm_another(void *argument)
{
    (void)argument;
    iov_event_at(&crowd.events[2], 180);
}

Test(time, serves_what_a_module_arms)
{
    struct iov_systemc *systemc = open_two_events();
    struct neighbour *neighbour = neighbour_new(DEED_CALL, 170, 0, arm_another, NULL);
    struct neighbour *witness = neighbour_new(DEED_CALL, 181, 0, look, NULL);
    GError *error = NULL;

    iov_event_init(&crowd.events[2], crowd.kernel, count, IOV_PRIORITY_DEFAULT);
    cr_assert(iov_systemc_advance(systemc, 1000, &error));
    cr_assert(eq(u64, crowd.print, 2), "at 181 it has run");
    cr_assert(eq(u32, crowd.turns, 3));
    neighbour_free(neighbour);
    neighbour_free(witness);
    close_two_events(systemc);
}

Test(time, is_that_of_the_modules_that_were_there_before)
{
    struct neighbour *neighbour = neighbour_new(DEED_CALL, 101, 2, look, NULL);
    GError *error = NULL;

    for (unsigned i = 1; i <= 2; i++) { /* another may follow in the same simulation */
        struct iov_systemc *systemc = open_two_events();

        cr_assert(iov_systemc_advance(systemc, 105, &error));
        cr_assert(eq(u32, crowd.turns, 1));
        cr_assert(ne(u64, crowd.print, 0), "the module lives in our simulation");
        cr_assert(eq(u64, iov_systemc_now(systemc), 105 * i));
        close_two_events(systemc);
    }
    neighbour_free(neighbour);
}

/* ---- What goes wrong ---- */

/* Runs into a module's deed at 170 ps; its text must be in the error, and stay. */
static void expect_failure(enum deed deed, const char *text)
{
    struct iov_systemc *systemc = open_two_events();
    struct neighbour *neighbour = neighbour_new(deed, 170, 0, NULL, NULL);

    for (unsigned i = 0; i < 2; i++) {
        GError *error = NULL;

        cr_assert(not(iov_systemc_advance(systemc, 1000, &error)));
        cr_assert(g_error_matches(error, IOV_ERROR, IOV_ERROR_RUN));
        cr_assert(strstr(error->message, text) != NULL, "'%s' is not in '%s'", text,
                  error->message);
        g_error_free(error);
    }
    cr_assert(not(iov_kernel_run_until(crowd.kernel, 1000)));
    cr_assert(iov_kernel_failure(crowd.kernel) != NULL);
    cr_assert(eq(u32, crowd.turns, 1), "the event at 250 ps did not run");
    neighbour_free(neighbour);
    close_two_events(systemc);
    systemc = open_two_events(); /* the next simulation is sound */
    cr_assert(iov_kernel_run_until(crowd.kernel, 1000));
    cr_assert(eq(u32, crowd.turns, 2));
    close_two_events(systemc);
}

Test(failure, a_fatal_report_is_an_error)
{
    expect_failure(DEED_FATAL, "neighbour: the roof is off, in process neighbour_0.live");
}

Test(failure, an_error_report_is_an_error)
{
    expect_failure(DEED_ERROR, "neighbour: the door is open");
}

Test(failure, an_exception_is_an_error)
{
    expect_failure(DEED_EXCEPTION, "no such room");
}

Test(failure, a_thrown_text_is_an_error)
{
    expect_failure(DEED_TEXT, "out of paint");
}

Test(failure, anything_thrown_is_an_error)
{
    expect_failure(DEED_NUMBER, "UNKNOWN EXCEPTION");
}

Test(failure, sc_stop_is_an_error)
{
    expect_failure(DEED_STOP, "sc_stop() ended the simulation");
}

Test(failure, a_second_simulation_is_an_error)
{
    struct iov_systemc *systemc = open_two_events();
    GError *error = NULL;

    cr_assert(iov_systemc_new(&error) == NULL);
    cr_assert(g_error_matches(error, IOV_ERROR, IOV_ERROR_RUN));
    cr_assert(strstr(error->message, "a simulation is open in this process") != NULL);
    g_clear_error(&error);
    cr_assert(iov_systemc_advance(systemc, 1000, &error), "the first is none the worse for it");
    cr_assert(eq(u32, crowd.turns, 2));
    close_two_events(systemc);
}

Test(failure, ends_an_experiment_with_an_error)
{
    struct iov_systemc *systemc = open_systemc();
    struct neighbour *neighbour = neighbour_new(DEED_FATAL, IOV_MS, 0, NULL, NULL);
    GError *error = NULL;
    g_auto(GStrv) path = iov_data_path(IOV_SOURCE_DIR "/configs/ping.yaml");
    struct iov_config_options options = { .search_path = (const char *const *)path };
    struct iov_experiment *experiment;

    experiment = iov_experiment_open(IOV_SOURCE_DIR "/configs/ping.yaml", &options, &error);
    cr_assert(experiment != NULL, "%s", error != NULL ? error->message : "");
    iov_systemc_attach(systemc, iov_platform_run(iov_experiment_platform(experiment))->kernel);
    cr_assert(not(iov_experiment_run(experiment, NULL, &error)));
    cr_assert(g_error_matches(error, IOV_ERROR, IOV_ERROR_RUN));
    cr_assert(strstr(error->message, "the roof is off") != NULL);
    g_error_free(error);
    neighbour_free(neighbour);
    iov_systemc_free(systemc);
    iov_experiment_free(experiment);
}
