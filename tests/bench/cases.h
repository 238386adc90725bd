/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both sides of a comparison share: the arguments `CASE EVENTS`, the random delays, the clock
 * and the form of the result, one line `CASE NANOSECONDS` with the CPU time per event of the
 * measured section.
 */
#ifndef IOV_BENCH_CASES_H
#define IOV_BENCH_CASES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BENCH_DELAYS = 65536,
    BENCH_MEAN_DELAY = 1000000, /* ps */
    BENCH_STEP = 1000,          /* ps: a tick, a hop of the ping-pong */
    BENCH_TIMERS = 1024,        /* of the churn, armed for that many ticks */
};

/* Exponential delays in whole picoseconds, drawn before the measurement. */
static inline uint64_t *bench_delays(void)
{
    uint64_t *delays = (uint64_t *)malloc(BENCH_DELAYS * sizeof(*delays));
    uint64_t state = 1;

    for (unsigned i = 0; i < BENCH_DELAYS; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double u = ((double)(state >> 11) + 1) * 0x1p-53;
        delays[i] = (uint64_t)(-log(u) * BENCH_MEAN_DELAY) + 1;
    }
    return delays;
}

static inline double bench_cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void bench_report(const char *name, double seconds, uint64_t events)
{
    printf("%s %.2f\n", name, seconds * 1e9 / (double)events);
}

#endif
