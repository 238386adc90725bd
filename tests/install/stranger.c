/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else's program: it uses the event kernel and fibers of the installed library for a story
 * of its own. */
#include <core/kernel/fiber.h>
#include <core/trace/histogram.h>
#include <stdio.h>

struct shop {
    struct iov_kernel *kernel;
    struct iov_signal bell;
    struct iov_histogram *waits;
};

static void keeper(void *argument)
{
    struct shop *shop = argument;

    for (;;) {
        iov_fiber_sleep(shop->kernel, 10 * IOV_NS);
        iov_signal_one(&shop->bell);
    }
}

static void customer(void *argument)
{
    struct shop *shop = argument;

    for (int i = 0; i < 100; i++) {
        iov_time came = iov_now(shop->kernel);

        iov_signal_wait(shop->kernel, &shop->bell);
        iov_histogram_record(shop->waits, iov_now(shop->kernel) - came);
    }
    iov_kernel_stop(shop->kernel);
}

int main(void)
{
    struct shop shop = { .kernel = iov_kernel_new(), .waits = iov_histogram_new() };

    iov_fiber_new(shop.kernel, "customer", customer, &shop);
    iov_fiber_new(shop.kernel, "keeper", keeper, &shop);
    iov_kernel_run(shop.kernel);
    printf("stranger: %llu ns, median wait %llu ns\n",
           (unsigned long long)(iov_now(shop.kernel) / IOV_NS),
           (unsigned long long)(iov_histogram_quantile(shop.waits, 500000) / IOV_NS));
    iov_histogram_free(shop.waits);
    iov_kernel_free(shop.kernel);
    return 0;
}
