/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose workload has nothing to do for long is not given up before the workload has said so. */
#include "tests/platforms/platform.h"

Test(silence, a_ping_each_hundred_seconds_is_no_reason_to_give_up)
{
    struct iov_experiment *run =
        RUN("ping.yaml", "workload.interval=100s", "workload.operations=5", "workload.warmup=1");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 5));
    cr_assert(ge(u64, iov_experiment_measure(run)->end, 500 * IOV_SEC));
    iov_experiment_free(run);
}
