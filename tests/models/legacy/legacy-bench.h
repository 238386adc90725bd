/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a PC's old devices share: one device on a bench, time by hand, random
 * accesses. */
#ifndef IOV_TESTS_LEGACY_BENCH_H
#define IOV_TESTS_LEGACY_BENCH_H

#include "tests/models/bench.h"

static inline void run_for(struct bench *bench, iov_time time)
{
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + time);
}

static inline void run_until(struct bench *bench, iov_time time)
{
    iov_kernel_run_until(bench->run.kernel, time);
}

/* Accesses of all sizes, at and around the target, with time passing. Nothing is expected but that
 * it ends. */
static inline void disturb(struct bench *bench, struct iov_mem_target *target, uint64_t accesses)
{
    uint64_t chance = 88172645463325252u;

    for (uint64_t i = 0; i < accesses; i++) {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        uint64_t address = (chance >> 8) % (target->size + 2);
        uint32_t size = 1u << (chance >> 50 & 3);

        if (chance >> 60 < 6)
            bench_read(target, address, size);
        else
            bench_write(target, address, size, chance >> (chance >> 55 & 31));
        if ((chance >> 44 & 63) < 8)
            run_for(bench, (chance >> 20 & 0xfffff) * IOV_NS);
    }
}

#endif
