/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a register access takes on this machine: through an address space of eight windows to a
 * register of the I/O APIC, and to memory. Prints nanoseconds an access; asserts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/object/model.h"

#define ROUNDS 20000000u

static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table, (void)name, (void)kind, (void)error;
    *ret_cost = 0;
    return true;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void measure(const char *what, struct iov_mem_initiator *initiator, uint64_t address,
                    uint64_t other)
{
    double begin = seconds();
    uint64_t sum = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t value = 0;
        struct iov_mem_req req = { .address = i & 1 ? other : address,
                                   .data = &value,
                                   .size = sizeof value,
                                   .pasid = IOV_NO_PASID };

        if (iov_mem_read_req(initiator, &req) != IOV_STATUS_OK)
            abort();
        sum += value;
    }
    printf("%-34s %6.2f ns an access (sum %llu)\n", what, (seconds() - begin) * 1e9 / ROUNDS,
           (unsigned long long)sum);
}

static IovModel *part(struct iov_run *run, const char *kind, const char *path)
{
    IovModel *model = iov_model_new(kind, path, run, NULL);

    if (model == NULL || !iov_model_prepare(model, NULL))
        abort();
    return model;
}

int main(void)
{
    struct iov_cost_table table = { .lookup = lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *bus = part(&run, "bus", "bus");
    IovModel *dram = part(&run, "dram", "dram");
    IovModel *ioapics[7];
    struct iov_mem_initiator initiator = { iov_model_port(bus, "port", 0) };

    if (!iov_model_wire(bus, "windows", dram, "port", true, 0x1000000000, NULL))
        abort();
    for (unsigned i = 0; i < 7; i++) {
        ioapics[i] = part(&run, "ioapic", "ioapic");
        if (!iov_model_wire(bus, "windows", ioapics[i], "registers", true, 0xfec00000 + 0x10000 * i,
                            NULL))
            abort();
    }
    measure("register, same window", &initiator, 0xfec00010, 0xfec00010);
    measure("register, window alternates", &initiator, 0xfec00010, 0xfec50010);
    measure("memory", &initiator, 0x1000000000, 0x1000000040);
    for (unsigned i = 0; i < 7; i++)
        g_object_unref(ioapics[i]);
    g_object_unref(dram);
    g_object_unref(bus);
    iov_kernel_free(run.kernel);
    return 0;
}
