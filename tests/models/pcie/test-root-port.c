/* SPDX-License-Identifier: Apache-2.0 */
/* A root port takes the time of link and root complex, and its directions carry no more than their
 * rate. */
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *root, *dram;
static struct iov_mem_target *port, *upstream;
static struct bench_recorder device;
static struct bench_line line;
static struct iov_irq_source intx;

/* The values of configs/costs/parts. */
static const struct bench_cost costs[] = {
    { "dram-access", 85 * IOV_NS },
    { "pcie-link-latency", 55 * IOV_NS },
    { "pcie-root-complex", 312 * IOV_NS },
    { "pcie-posted-write", 100 * IOV_NS },
    { NULL, 0 },
};

static void setup(void)
{
    struct iov_mem_map *devices;

    bench = bench_new(costs);
    root = bench_add(bench, "root-port", "port");
    dram = bench_add(bench, "dram", "dram");
    bench_number(dram, "size", 1 << 20);
    bench_prepare(bench);
    bench_wire(root, "bus", dram, "port");
    bench_line_connect(bench, &line, root, "interrupt");
    device = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    devices = iov_model_port(root, "devices", 0);
    cr_assert(iov_mem_map_add(devices, 0, 0x20000, &device.port));
    intx = (struct iov_irq_source){ .peer = iov_model_port(root, "interrupt-in", 0) };
    bench_start(bench);
    port = iov_model_port(root, "port", 0);
    upstream = iov_model_port(root, "upstream", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(root_port, .init = setup, .fini = teardown);

static iov_time access_delay(struct iov_mem_target *target, uint64_t address, uint32_t size,
                             bool write)
{
    static uint8_t bytes[65536];
    struct iov_mem_req req = bench_req(address, bytes, size);

    cr_assert(eq(int, write ? target->ops->write(target, &req) : target->ops->read(target, &req),
                 IOV_STATUS_OK));
    return req.delay;
}

static iov_time delay_with_pasid(uint32_t pasid, uint32_t size, bool write)
{
    static uint8_t bytes[4096];
    struct iov_mem_req req = bench_req(0x1000, bytes, size);

    req.pasid = pasid;
    cr_assert(eq(int,
                 write ? upstream->ops->write(upstream, &req) : upstream->ops->read(upstream, &req),
                 IOV_STATUS_OK));
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + IOV_MS);
    return req.delay;
}

Test(root_port, a_dma_with_pasid_is_a_dword_longer)
{
    iov_time read = delay_with_pasid(IOV_NO_PASID, 64, false);
    iov_time write = delay_with_pasid(IOV_NO_PASID, 64, true);
    iov_time longer = delay_with_pasid(5, 64, false) - read;

    cr_assert(lt(u64, 0, longer));
    cr_assert(eq(u64, delay_with_pasid(5, 64, true) - write, longer));
}

Test(root_port, a_dma_read_of_64_bytes_takes_what_was_measured)
{
    iov_time delay = access_delay(upstream, 0, 64, false);

    cr_assert(ge(u64, delay, 482 * IOV_NS));
    cr_assert(le(u64, delay, 557 * IOV_NS));
}

Test(root_port, a_register_read_takes_what_was_measured)
{
    iov_time delay = access_delay(port, 0, 4, false);

    cr_assert(ge(u64, delay, 731 * IOV_NS));
    cr_assert(le(u64, delay, 751 * IOV_NS));
}

Test(root_port, a_register_write_costs_the_processor_little_and_arrives_later)
{
    cr_assert(eq(u64, access_delay(port, 0x18, 4, true), 100 * IOV_NS));
    cr_assert(eq(uint, device.count, 1));
    cr_assert(eq(u64, device.records[0].address, 0x18));
    cr_assert(lt(u64, 367 * IOV_NS, device.records[0].delay));
    cr_assert(lt(u64, device.records[0].delay, 373 * IOV_NS));
}

Test(root_port, reads_add_a_completion_header_for_each_payload_and_requests_for_each_512_bytes)
{
    access_delay(upstream, 0, 1024, false);
    cr_assert(eq(u64, bench_stat(root, "bytes-up"), 2 * 20));
    cr_assert(eq(u64, bench_stat(root, "bytes-down"), 1024 + 4 * 20));
}

Test(root_port, a_read_from_the_middle_of_a_line_has_a_short_first_completion)
{
    access_delay(upstream, 48, 256, false);
    cr_assert(eq(u64, bench_stat(root, "bytes-down"), 256 + 2 * 20));
}

Test(root_port, writes_are_cut_at_the_largest_payload)
{
    access_delay(upstream, 128, 512, true);
    cr_assert(eq(u64, bench_stat(root, "bytes-up"), 512 + 3 * 20));
}

Test(root_port, a_posted_dma_write_lets_the_device_go_on_when_the_link_has_taken_it)
{
    iov_time delay = access_delay(upstream, 0, 256, true);

    cr_assert(lt(u64, delay, UINT64_C(276) * 8 * IOV_US / 57880 + 100));
    cr_assert(lt(u64, UINT64_C(276) * 8 * IOV_US / 57880, delay + 100));
}

Test(root_port, a_direction_carries_its_rate_and_no_more)
{
    iov_time delay = 0;
    uint64_t bytes;

    for (unsigned i = 0; i < 1000; i++)
        delay = access_delay(upstream, 0, 256, true);
    bytes = bench_stat(root, "bytes-up");
    cr_assert(eq(u64, bytes, 276000));
    cr_assert(ge(u64, delay * 57885 / (8 * IOV_US) + 100, bytes));
}

Test(root_port, a_read_on_its_way_does_not_block_register_writes_meanwhile)
{
    access_delay(upstream, 0, 4096, false); /* its completions come half a microsecond later */
    access_delay(port, 0, 4, true);
    cr_assert(lt(u64, device.records[0].delay, 1100 * IOV_NS));
}

Test(root_port, an_interrupt_message_arrives_after_the_writes_before_it)
{
    iov_time taken = access_delay(upstream, 0, 4096, true);

    iov_irq_set(&intx, true, NULL);
    cr_assert(not(line.level));
    iov_kernel_run(bench->run.kernel);
    cr_assert(line.level);
    cr_assert(ge(u64, line.last, taken + 367 * IOV_NS));
}

Test(root_port, a_level_that_flickers_ends_as_the_device_left_it)
{
    for (unsigned i = 0; i < 101; i++)
        iov_irq_set(&intx, i % 2 == 0, NULL);
    iov_kernel_run(bench->run.kernel);
    cr_assert(line.level);
    for (unsigned i = 0; i < 101; i++)
        iov_irq_set(&intx, i % 2 != 0, NULL);
    iov_kernel_run(bench->run.kernel);
    cr_assert(not(line.level));
}

Test(root_port, an_access_to_no_device_or_no_memory_is_unsupported)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(0x30000, &value, 4);

    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
    req.address = 1 << 30;
    cr_assert(eq(int, upstream->ops->read(upstream, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(int, upstream->ops->write(upstream, &req), IOV_STATUS_UNSUPPORTED));
}

Test(root_port, a_message_on_its_way_does_not_outlive_the_port)
{
    iov_irq_set(&intx, true, NULL);
}
