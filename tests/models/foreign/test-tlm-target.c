/* SPDX-License-Identifier: Apache-2.0 */
/* A tlm-target is a place that somebody in another simulator answers for; without that the run says
 * so. */
#include "core/kernel/backend.h"
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *part;
static struct iov_mem_target *port;
static struct iov_foreign *foreign;

static enum iov_status answer(struct iov_mem_target *target, struct iov_mem_req *req)
{
    (void)target;
    req->delay += 30 * IOV_NS;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops outside_ops = { .read = answer, .write = answer };
static struct iov_mem_target outside = { .ops = &outside_ops };

static void setup(void)
{
    bench = bench_new(NULL);
    part = bench_add(bench, "tlm-target", "timer");
    bench_number(part, "size", 64);
    bench_number(part, "requester", 0x100);
    bench_number(part, "quantum", 100 * IOV_NS);
    bench_prepare(bench);
    port = iov_model_port(part, "port", 0);
    foreign = iov_model_port(part, "foreign", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(tlm_target, .init = setup, .fini = teardown);

static enum iov_status read_at(uint64_t address, uint32_t size, iov_time *ret_delay)
{
    uint8_t bytes[8];
    struct iov_mem_req req = bench_req(address, bytes, size);
    enum iov_status status = port->ops->read(port, &req);

    *ret_delay = req.delay;
    return status;
}

Test(tlm_target, tells_its_host_what_the_file_says)
{
    cr_assert(eq(u64, port->size, 64));
    cr_assert(eq(u64, foreign->size, 64));
    cr_assert(eq(u32, foreign->requester, 0x100));
    cr_assert(eq(u64, foreign->quantum, 100 * IOV_NS));
    cr_assert(foreign->strict);
    cr_assert(foreign->dmi);
    cr_assert(not(foreign->waits));
    cr_assert(ne(ptr, foreign->dma, NULL));
    cr_assert(ne(ptr, foreign->interrupt, NULL));
}

Test(tlm_target, passes_accesses_inside_its_window_to_the_host)
{
    iov_time delay;

    foreign->outside = &outside;
    bench_start(bench);
    cr_assert(eq(int, read_at(60, 4, &delay), IOV_STATUS_OK));
    cr_assert(eq(u64, delay, 30 * IOV_NS));
    cr_assert(eq(int, read_at(62, 4, &delay), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(int, read_at(UINT64_MAX, 4, &delay), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(u64, bench_stat(part, "reads"), 1));
}

Test(tlm_target, without_a_host_ends_the_run_with_an_error)
{
    iov_time delay;

    bench_start(bench);
    cr_assert(not(iov_kernel_run_until(bench->run.kernel, IOV_US)));
    cr_assert(strstr(iov_kernel_failure(bench->run.kernel),
                     "timer: a part of kind tlm-target needs a SystemC program") != NULL);
    cr_assert(eq(int, read_at(0, 4, &delay), IOV_STATUS_UNSUPPORTED));
}
