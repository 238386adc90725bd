/* SPDX-License-Identifier: Apache-2.0 */
/* A bus sends an access to the window that holds it. */
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *bus, *low, *high;
static struct iov_mem_target *port;

static void setup(void)
{
    bench = bench_new(NULL);
    bus = bench_add(bench, "bus", "bus");
    low = bench_add(bench, "dram", "low");
    high = bench_add(bench, "dram", "high");
    bench_number(low, "size", 1 << 20);
    bench_number(high, "size", 1 << 20);
    bench_prepare(bench);
    bench_wire_at(bus, "windows", low, "port", 0);
    bench_wire_at(bus, "windows", high, "port", UINT64_C(0x100000000));
    bench_start(bench);
    port = iov_model_port(bus, "port", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(bus, .init = setup, .fini = teardown);

Test(bus, each_window_is_answered_by_its_target_at_relative_addresses)
{
    bench_write(port, 0x1000, 4, 0x11111111);
    bench_write(port, UINT64_C(0x100001000), 4, 0x22222222);
    cr_assert(eq(u64, bench_read(iov_model_port(low, "port", 0), 0x1000, 4), 0x11111111));
    cr_assert(eq(u64, bench_read(iov_model_port(high, "port", 0), 0x1000, 4), 0x22222222));
}

Test(bus, the_address_of_the_request_is_the_same_afterwards)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(UINT64_C(0x100000040), &value, 4);

    port->ops->read(port, &req);
    cr_assert(eq(u64, req.address, UINT64_C(0x100000040)));
}

Test(bus, an_access_to_nobody_or_across_a_windows_end_is_unsupported_and_counted)
{
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(0x80000000, &value, 8);

    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
    req.address = (1 << 20) - 4;
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(u64, bench_stat(bus, "unclaimed"), 2));
}

Test(bus, direct_access_goes_through_to_memory_and_stops_at_its_end)
{
    uint64_t room = 0;
    uint8_t *bytes = port->ops->direct(port, UINT64_C(0x1000ffff0), &room);

    cr_assert(ne(ptr, bytes, NULL));
    cr_assert(eq(u64, room, 16));
    bytes[0] = 0x5a;
    cr_assert(eq(u64, bench_read(port, UINT64_C(0x1000ffff0), 1), 0x5a));
    cr_assert(eq(ptr, port->ops->direct(port, 0x80000000, &room), NULL));
}
