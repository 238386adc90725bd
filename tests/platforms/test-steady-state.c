/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No memory comes from the heap while requests go round: the allocator is counted between two
 * points of a run, for each strategy, after rings, pools and lists have grown to their size.
 *
 * Without sanitizers this program's own malloc() counts and hands on to the C library's; with
 * AddressSanitizer its hook does.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

#include "core/kernel/sanitizer-private.h"
#include "tests/platforms/platform.h"

static bool counting;
static uint64_t allocations;

#if IOV_ASAN

extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *,
                                                                       size_t),
                                                     void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *block, size_t size)
{
    (void)block, (void)size;
    allocations += counting;
}

static void on_free(const volatile void *block)
{
    (void)block;
}

static void count_install(void)
{
    cr_assert(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
}

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* The program's own come before the C library's, for the libraries that it uses, too. */
IOV_API void *malloc(size_t size)
{
    allocations += counting;
    return __libc_malloc(size);
}

IOV_API void *calloc(size_t count, size_t size)
{
    allocations += counting;
    return __libc_calloc(count, size);
}

IOV_API void *realloc(void *block, size_t size)
{
    allocations += counting;
    return __libc_realloc(block, size);
}

IOV_API void *aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __libc_memalign(alignment, size);
}

static void count_install(void)
{
}

#endif

/* Runs until the workload has done so many operations. */
static void run_to(struct iov_run *run, uint64_t operations)
{
    while (run->measure->operations < operations)
        cr_assert(iov_kernel_run_until(run->kernel, iov_now(run->kernel) + IOV_MS));
}

struct run_case {
    char config[32];
    char strategy[32];
    bool allocates; /* once, on purpose */
};

static uint64_t steady_allocations(const struct run_case *test)
{
    g_autofree char *strategy = g_strconcat("strategy=", test->strategy, NULL);
    g_autofree char *config = g_strconcat(test->config, ".yaml", NULL);
    struct iov_experiment *experiment = OPEN(config, strategy, "workload.operations=10000");
    struct iov_run *run;

    run = iov_platform_run(iov_experiment_platform(experiment));
    iov_platform_start(iov_experiment_platform(experiment));
    run_to(run, 4000);
    allocations = 0;
    counting = true;
    if (test->allocates)
        g_free(g_malloc(100));
    run_to(run, 9000);
    counting = false;
    iov_experiment_free(experiment);
    return allocations;
}

ParameterizedTestParameters(steady_state, requests_go_round_without_the_heap)
{
    static struct run_case cases[] = {
        { "net-rr", "sriov-vf", false },
        { "net-rr", "siov-adi", false },
        { "udp-stream", "siov-adi", false },
        { "net-rr", "guest-dpdk-vf", false },
        { "udp-stream", "sriov-vf", false },
        { "net-rr", "bare-metal-igb", false },
        { "udp-stream", "bare-metal-igb", false },
        { "net-rr", "bare-metal", false },
        { "net-rr", "assigned-nic", false },
        { "net-rr", "assigned-nic-dma", false },
        { "udp-stream", "assigned-nic", false },
        { "net-rr-local", "emulated-e1000-iommu", false },
        { "net-rr", "assigned-e1000", false },
        { "net-rr", "virtio-net", false },
        { "net-rr", "emulated-e1000", false },
        { "net-rr-local", "virtio-net", false },
        { "net-rr-local", "emulated-e1000", false },
        { "udp-stream", "virtio-net", false },
        { "udp-stream", "emulated-e1000", false },
        { "net-rr", "emulated-e1000e", false },
        { "net-rr", "vmdq", false },
        { "net-rr", "eli", false },
        { "udp-stream", "eli", false },
        { "udp-stream", "vmdq", false },
        { "udp-stream", "emulated-e1000e", false },
        { "udp-stream", "assigned-e1000", false },
        { "udp-stream", "bare-metal", false },
        { "net-rr", "vdpa", false },
        { "udp-stream", "vdpa", false },
        { "net-rr", "sidecore", false },
        { "udp-stream", "sidecore", false },
        { "net-rr", "guest-dpdk", false },
        { "net-rr", "vhost-user", false },
        { "udp-stream", "vhost-user", false },
        { "net-rr", "esxi-e1000", false },
        { "net-rr", "esxi-vmxnet", false },
        { "udp-stream", "esxi-vmxnet", false },
        { "net-rr-local", "esxi-e1000", false },
        { "udp-stream", "esxi-e1000", false },
        { "net-rr", "vhost-net", false },
        { "udp-stream", "vhost-net", false },
        { "net-rr", "xen-pv", false },
        { "udp-stream", "xen-pv", false },
        { "net-rr", "xen-hvm", false },
        { "udp-stream", "xen-hvm", false },
    };

    return cr_make_param_array(struct run_case, cases, G_N_ELEMENTS(cases));
}

ParameterizedTest(struct run_case *test, steady_state, requests_go_round_without_the_heap)
{
    uint64_t count;

    count_install();
    count = steady_allocations(test);
    cr_assert(count == 0, "%s with %s: %" G_GUINT64_FORMAT " allocations in 5000 operations",
              test->config, test->strategy, count);
}

Test(steady_state, an_allocation_would_have_been_seen)
{
    struct run_case test = { "net-rr", "virtio-net", true };

    count_install();
    cr_assert(eq(u64, steady_allocations(&test), 1));
}
