/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel under load: bench-kernel CASE EVENTS. The cases are
 *   hold-N       N events pending, each arms itself again after an exponential delay
 *   ping-pong    two events arm each other in turn
 *   chain        the same beside 16 timers that are far away, as in a machine with one request on
 * its way churn        a tick arms a timer and disarms nine of ten before they expire fiber two
 * fibers wake each other in turn, in one instant fiber-sleep  two fibers sleep in turn, so that
 * neither can go on alone fiber-alone  one fiber sleeps bench-systemc does the same with SystemC.
 */
#include "core/kernel/fiber.h"
#include "tests/bench/cases.h"

struct bench {
    struct iov_kernel *kernel;
    const uint64_t *delays;
    unsigned next_delay;
    uint64_t left;
    struct iov_event *a;
    struct iov_event *b;
    struct iov_fiber *fibers[2];
    struct iov_event *timers;
    uint64_t tick;
};

/* Events in the handlers below know their bench by this. */
struct bench_event {
    struct iov_event event;
    struct bench *bench;
    struct bench_event *other;
};

static void on_hold(struct iov_event *event)
{
    struct bench *bench = iov_container_of(event, struct bench_event, event)->bench;

    iov_event_in(event, bench->delays[bench->next_delay++ % BENCH_DELAYS]);
    if (--bench->left == 0)
        iov_kernel_stop(bench->kernel);
}

static void hold(struct bench *bench, unsigned pending)
{
    struct bench_event *events = calloc(pending, sizeof(*events));

    for (unsigned i = 0; i < pending; i++) {
        events[i].bench = bench;
        iov_event_init(&events[i].event, bench->kernel, on_hold, IOV_PRIORITY_DEFAULT);
        iov_event_in(&events[i].event, bench->delays[bench->next_delay++ % BENCH_DELAYS]);
    }
    iov_kernel_run(bench->kernel);
    free(events);
}

static void on_ping(struct iov_event *event)
{
    struct bench_event *self = iov_container_of(event, struct bench_event, event);

    iov_event_in(&self->other->event, BENCH_STEP);
    if (--self->bench->left == 0)
        iov_kernel_stop(self->bench->kernel);
}

static void ping_pong(struct bench *bench)
{
    struct bench_event events[2] = { { .bench = bench, .other = &events[1] },
                                     { .bench = bench, .other = &events[0] } };

    for (int i = 0; i < 2; i++)
        iov_event_init(&events[i].event, bench->kernel, on_ping, IOV_PRIORITY_DEFAULT);
    iov_event_in(&events[0].event, BENCH_STEP);
    iov_kernel_run(bench->kernel);
}

static void on_expiry(struct iov_event *event)
{
    (void)event;
}

static void chain(struct bench *bench)
{
    struct iov_event timers[16];

    for (unsigned i = 0; i < 16; i++) {
        iov_event_init(&timers[i], bench->kernel, on_expiry, IOV_PRIORITY_DEFAULT);
        iov_event_at(&timers[i], IOV_SEC * 3600 + bench->delays[i]);
    }
    ping_pong(bench);
}

static void on_tick(struct iov_event *event)
{
    struct bench *bench = iov_container_of(event, struct bench_event, event)->bench;
    uint64_t tick = bench->tick++;

    if (tick % 10 != 0) /* the timer armed BENCH_TIMERS - 1 ticks ago would expire next */
        iov_event_disarm(&bench->timers[(tick + 1) % BENCH_TIMERS]);
    struct iov_event *timer = &bench->timers[tick % BENCH_TIMERS];
    iov_event_disarm(timer);
    iov_event_in(timer, BENCH_TIMERS * (uint64_t)BENCH_STEP - BENCH_STEP / 2);
    iov_event_in(event, BENCH_STEP);
    if (--bench->left == 0)
        iov_kernel_stop(bench->kernel);
}

static void churn(struct bench *bench)
{
    struct bench_event tick = { .bench = bench };

    bench->timers = calloc(BENCH_TIMERS, sizeof(*bench->timers));
    for (unsigned i = 0; i < BENCH_TIMERS; i++)
        iov_event_init(&bench->timers[i], bench->kernel, on_expiry, IOV_PRIORITY_DEFAULT);
    iov_event_init(&tick.event, bench->kernel, on_tick, IOV_PRIORITY_DEFAULT);
    iov_event_in(&tick.event, BENCH_STEP);
    iov_kernel_run(bench->kernel);
    free(bench->timers);
}

static void wake_the_other(void *argument)
{
    struct bench *bench = argument;
    struct iov_fiber *self = iov_fiber_current(bench->kernel);
    struct iov_fiber *other = bench->fibers[self == bench->fibers[0]];

    while (bench->left-- > 0) {
        iov_fiber_unpark(other);
        iov_fiber_park(bench->kernel);
    }
    iov_kernel_stop(bench->kernel);
    iov_fiber_park(bench->kernel);
}

static void sleep_often(void *argument)
{
    struct bench *bench = argument;

    while (bench->left-- > 0)
        iov_fiber_sleep(bench->kernel, BENCH_STEP);
    iov_kernel_stop(bench->kernel);
    iov_fiber_park(bench->kernel);
}

static void fibers(struct bench *bench, iov_fiber_fn *function, int count)
{
    for (int i = 0; i < count; i++)
        bench->fibers[i] = iov_fiber_new(bench->kernel, "bench", function, bench);
    iov_kernel_run(bench->kernel);
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: bench-kernel CASE EVENTS\n");
        return 2;
    }
    const char *name = arguments[1];
    uint64_t events = strtoull(arguments[2], NULL, 10);
    struct bench bench = { .kernel = iov_kernel_new(), .left = events };
    uint64_t *delays = bench_delays();

    bench.delays = delays;
    double start = bench_cpu_seconds();
    if (strncmp(name, "hold-", 5) == 0)
        hold(&bench, (unsigned)strtoul(name + 5, NULL, 10));
    else if (strcmp(name, "ping-pong") == 0)
        ping_pong(&bench);
    else if (strcmp(name, "chain") == 0)
        chain(&bench);
    else if (strcmp(name, "churn") == 0)
        churn(&bench);
    else if (strcmp(name, "fiber") == 0)
        fibers(&bench, wake_the_other, 2);
    else if (strcmp(name, "fiber-sleep") == 0)
        fibers(&bench, sleep_often, 2);
    else if (strcmp(name, "fiber-alone") == 0)
        fibers(&bench, sleep_often, 1);
    else {
        fprintf(stderr, "bench-kernel: unknown case '%s'\n", name);
        return 2;
    }
    bench_report(name, bench_cpu_seconds() - start, events);
    iov_kernel_free(bench.kernel);
    free(delays);
    return 0;
}
