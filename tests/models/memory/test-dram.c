/* SPDX-License-Identifier: Apache-2.0 */
/* DRAM keeps bytes, takes its time, and carries payload tags from writer to reader. */
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *dram;
static struct iov_mem_target *port;

static const struct bench_cost costs[] = { { "dram-access", 80 * IOV_NS }, { NULL, 0 } };

static void setup(void)
{
    bench = bench_new(costs);
    dram = bench_add(bench, "dram", "dram");
    bench_number(dram, "size", 1 << 20);
    bench_prepare(bench);
    bench_start(bench);
    port = iov_model_port(dram, "port", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(dram, .init = setup, .fini = teardown);

Test(dram, memory_that_was_never_written_reads_as_zero)
{
    cr_assert(eq(u64, bench_read(port, 0x12345, 8), 0));
}

Test(dram, bytes_come_back_across_the_border_of_chunks)
{
    uint8_t out[200000], in[200000];
    struct iov_mem_req req = bench_req(1000, out, sizeof out);

    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7 + i / 251);
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_OK));
    req.data = in;
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_OK));
    cr_assert(zero(int, memcmp(in, out, sizeof in)));
}

Test(dram, the_end_of_memory_is_the_end)
{
    uint64_t value = 0, room = 0;
    struct iov_mem_req req = bench_req((1 << 20) - 4, &value, 8);

    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_UNSUPPORTED));
    req.address = UINT64_MAX;
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
    req.address = (1 << 20) - 8;
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_OK));
    cr_assert(eq(ptr, port->ops->direct(port, 1 << 20, &room), NULL));
}

Test(dram, a_read_takes_the_access_time_and_a_write_is_posted)
{
    uint64_t value = 1;
    struct iov_mem_req req = bench_req(64, &value, 8);

    req.delay = 5 * IOV_NS;
    port->ops->write(port, &req);
    cr_assert(eq(u64, req.delay, 5 * IOV_NS));
    port->ops->read(port, &req);
    cr_assert(eq(u64, req.delay, 85 * IOV_NS));
    req.flags = IOV_MEM_DEBUG;
    port->ops->read(port, &req);
    cr_assert(eq(u64, req.delay, 85 * IOV_NS));
    cr_assert(eq(u64, bench_stat(dram, "reads"), 1));
}

Test(dram, direct_access_sees_and_makes_the_same_bytes)
{
    uint64_t room = 0;
    uint8_t *bytes = port->ops->direct(port, 0x10010, &room);

    cr_assert(ne(ptr, bytes, NULL));
    cr_assert(eq(u64, room, 0x10000 - 0x10));
    bytes[3] = 0xab;
    cr_assert(eq(u64, bench_read(port, 0x10010, 4), 0xab000000));
}

Test(dram, a_payload_read_takes_the_span_that_a_payload_write_left)
{
    struct iov_span span;
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(0x4002, &value, 8);

    iov_span_begin(&span, 1, NULL, 0);
    req.flags = IOV_MEM_PAYLOAD;
    req.span = &span;
    port->ops->write(port, &req);
    req.span = NULL;
    req.flags = 0;
    port->ops->read(port, &req);
    cr_assert(eq(ptr, req.span, NULL), "an ordinary read takes nothing");
    req.flags = IOV_MEM_PAYLOAD;
    port->ops->read(port, &req);
    cr_assert(eq(ptr, req.span, &span));
    port->ops->read(port, &req);
    cr_assert(eq(ptr, req.span, NULL), "it was taken");
}

Test(dram, a_payload_write_replaces_the_tag_even_by_none)
{
    struct iov_span first, second;
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(0x8000, &value, 8);

    iov_span_begin(&first, 1, NULL, 0);
    iov_span_begin(&second, 2, NULL, 0);
    req.flags = IOV_MEM_PAYLOAD;
    req.span = &first;
    port->ops->write(port, &req);
    req.span = &second;
    port->ops->write(port, &req);
    port->ops->read(port, &req);
    cr_assert(eq(ptr, req.span, &second));
    port->ops->write(port, &req);
    req.span = NULL;
    port->ops->write(port, &req);
    port->ops->read(port, &req);
    cr_assert(eq(ptr, req.span, NULL));
}

Test(dram, the_table_of_tags_is_bounded_and_keeps_the_newest)
{
    struct iov_span span;
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(0, &value, 1);
    unsigned found = 0;

    iov_span_begin(&span, 1, NULL, 0);
    req.flags = IOV_MEM_PAYLOAD;
    for (unsigned i = 0; i < 20000; i++) {
        req.address = i * 16;
        req.span = &span;
        port->ops->write(port, &req);
    }
    for (unsigned i = 20000 - 256; i < 20000; i++) {
        req.address = i * 16;
        port->ops->read(port, &req);
        found += req.span != NULL;
    }
    cr_assert(eq(uint, found, 256));
    cr_assert(ge(u64, bench_stat(dram, "tags-lost"), 20000 - 8192));
}

/* ---- Writes on their way ---- */

static void pass(iov_time duration)
{
    cr_assert(iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + duration));
}

static uint64_t now_is(uint64_t address)
{
    uint64_t size = 0, value;

    memcpy(&value, port->ops->direct(port, address, &size), sizeof value);
    return value;
}

static void device_write(uint64_t address, uint64_t value, iov_time delay, uint16_t flags)
{
    struct iov_mem_req req = bench_req(address, &value, 8);

    req.requester = 0x0100;
    req.delay = delay;
    req.flags = flags;
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_OK));
    cr_assert(eq(u64, req.arrival, delay));
}

static uint64_t device_read(uint16_t requester, uint64_t address, iov_time delay)
{
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(address, &value, 8);

    req.requester = requester;
    req.delay = delay;
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_OK));
    return value;
}

Test(dram, what_a_device_writes_is_there_when_it_has_arrived)
{
    device_write(0x1000, 7, 300 * IOV_NS, 0);
    pass(299 * IOV_NS);
    cr_assert(eq(u64, now_is(0x1000), 0));
    pass(IOV_NS);
    cr_assert(eq(u64, now_is(0x1000), 7));
}

Test(dram, a_device_s_read_sees_the_writes_that_arrive_before_it)
{
    device_write(0x1004, 7, 300 * IOV_NS, 0);
    cr_assert(eq(u64, device_read(0x0200, 0x1000, 299 * IOV_NS), 0));
    cr_assert(eq(u64, device_read(0x0200, 0x1000, 300 * IOV_NS), UINT64_C(7) << 32));
    cr_assert(eq(u64, device_read(0x0100, 0x1000, 200 * IOV_NS), UINT64_C(7) << 32)); /* its own */
    cr_assert(eq(u64, now_is(0x1000), 0));
}

Test(dram, writes_arrive_in_the_order_of_their_time)
{
    device_write(0x1000, 3, 300 * IOV_NS, 0);
    device_write(0x1000, 1, 100 * IOV_NS, 0);
    device_write(0x1000, 2, 200 * IOV_NS, 0);
    for (unsigned i = 1; i <= 3; i++) {
        pass(100 * IOV_NS);
        cr_assert(eq(u64, now_is(0x1000), i));
    }
}

Test(dram, a_write_that_does_not_wait_is_behind_those_of_its_bytes_that_did)
{
    uint8_t block[128];
    struct iov_mem_req req = bench_req(0x1000, block, sizeof block);

    memset(block, 0x55, sizeof block);
    req.requester = 0x0100;
    req.delay = 400 * IOV_NS;
    device_write(0x1000, 3, 300 * IOV_NS, 0);
    device_write(0x2000, 4, 300 * IOV_NS, 0);
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_OK));
    device_write(0x2008, 5, 300 * IOV_NS, IOV_MEM_AT_ONCE);
    cr_assert(eq(u64, now_is(0x2008), 5));
    cr_assert(eq(u64, now_is(0x2000), 0));
    pass(IOV_US);
    cr_assert(eq(u64, now_is(0x1000), UINT64_C(0x5555555555555555)));
    cr_assert(eq(u64, now_is(0x2000), 4));
}
