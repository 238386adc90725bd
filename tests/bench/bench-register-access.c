/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register accesses through an address space of eight windows: bench-register-access CASE ACCESSES.
 *   same-window    a register of an I/O APIC, again and again
 *   two-windows    registers of two I/O APICs in turn
 *   memory         four bytes of DRAM, two places in turn
 */
#include "core/object/model.h"
#include "tests/bench/cases.h"

enum { IOAPICS = 7 };

static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table, (void)name, (void)kind, (void)error;
    *ret_cost = 0;
    return true;
}

static void access_in_turn(struct iov_mem_initiator *initiator, uint64_t address, uint64_t other,
                           uint64_t accesses)
{
    for (uint64_t i = 0; i < accesses; i++) {
        uint32_t value = 0;
        struct iov_mem_req req = { .address = i & 1 ? other : address,
                                   .data = &value,
                                   .size = sizeof value,
                                   .pasid = IOV_NO_PASID };

        if (iov_mem_read_req(initiator, &req) != IOV_STATUS_OK)
            abort();
    }
}

static IovModel *part(struct iov_run *run, const char *kind, const char *path)
{
    IovModel *model = iov_model_new(kind, path, run, NULL);

    if (model == NULL || !iov_model_prepare(model, NULL))
        abort();
    return model;
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        uint64_t address, other;
    } cases[] = {
        { "same-window", 0xfec00010, 0xfec00010 },
        { "two-windows", 0xfec00010, 0xfec50010 },
        { "memory", 0x1000000000, 0x1000000040 },
    };
    struct iov_cost_table table = { .lookup = lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *bus = part(&run, "bus", "bus");
    IovModel *dram = part(&run, "dram", "dram");
    IovModel *ioapics[IOAPICS];
    struct iov_mem_initiator initiator = { iov_model_port(bus, "port", 0) };
    unsigned chosen = 0;

    if (count != 3) {
        fprintf(stderr, "usage: bench-register-access CASE ACCESSES\n");
        return 2;
    }
    while (chosen < G_N_ELEMENTS(cases) && strcmp(cases[chosen].name, arguments[1]) != 0)
        chosen++;
    if (chosen == G_N_ELEMENTS(cases)) {
        fprintf(stderr, "bench-register-access: unknown case '%s'\n", arguments[1]);
        return 2;
    }
    if (!iov_model_wire(bus, "windows", dram, "port", true, 0x1000000000, NULL))
        abort();
    for (unsigned i = 0; i < IOAPICS; i++) {
        ioapics[i] = part(&run, "ioapic", "ioapic");
        if (!iov_model_wire(bus, "windows", ioapics[i], "registers", true, 0xfec00000 + 0x10000 * i,
                            NULL))
            abort();
    }
    uint32_t something = 1; /* memory that nobody has written is not there yet */
    struct iov_mem_req req = {
        .address = 0x1000000000, .data = &something, .size = sizeof something, .pasid = IOV_NO_PASID
    };
    if (iov_mem_write_req(&initiator, &req) != IOV_STATUS_OK)
        abort();
    uint64_t accesses = strtoull(arguments[2], NULL, 10);
    double start = bench_cpu_seconds();

    access_in_turn(&initiator, cases[chosen].address, cases[chosen].other, accesses);
    bench_report(cases[chosen].name, bench_cpu_seconds() - start, accesses);
    for (unsigned i = 0; i < IOAPICS; i++)
        g_object_unref(ioapics[i]);
    g_object_unref(dram);
    g_object_unref(bus);
    iov_kernel_free(run.kernel);
    return 0;
}
