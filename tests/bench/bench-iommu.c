/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a DMA through the vt-d kind takes on this machine: translation off, pass-through, IOTLB
 * hit, and a miss that walks all four levels. Prints nanoseconds an access; asserts nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/object/model.h"
#include "models/iommu/vtd-regs.h"

#define ROUNDS 5000000u
#define RAM_SIZE 0x1000000u

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

/* `count` addresses in turn, `step` apart. */
static void measure(const char *what, struct iov_mem_target *upstream, uint64_t address,
                    uint64_t step, unsigned count)
{
    double begin = seconds();

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t value[8];
        struct iov_mem_req req = { .address = address + step * (i % count),
                                   .data = value,
                                   .size = sizeof value,
                                   .requester = 0x18,
                                   .pasid = IOV_NO_PASID };

        if (upstream->ops->read(upstream, &req) != IOV_STATUS_OK)
            abort();
    }
    printf("%-34s %6.2f ns an access\n", what, (seconds() - begin) * 1e9 / ROUNDS);
}

static IovModel *part(struct iov_run *run, const char *kind)
{
    IovModel *model = iov_model_new(kind, kind, run, NULL);

    if (model == NULL ||
        (strcmp(kind, "dram") == 0 && !iov_model_set_number(model, "size", RAM_SIZE, NULL)) ||
        !iov_model_prepare(model, NULL))
        abort();
    return model;
}

static void put(struct iov_mem_target *target, uint64_t address, uint64_t value)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = sizeof value, .pasid = IOV_NO_PASID
    };

    target->ops->write(target, &req);
}

int main(void)
{
    struct iov_cost_table table = { .lookup = lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *bus = part(&run, "bus"), *dram = part(&run, "dram"), *unit = part(&run, "vt-d");
    struct iov_mem_target *memory, *registers, *upstream;

    if (!iov_model_wire(bus, "windows", dram, "port", true, 0, NULL) ||
        !iov_model_wire(unit, "bus", bus, "port", false, 0, NULL) || !iov_model_realize(unit, NULL))
        abort();
    memory = iov_model_port(dram, "port", 0);
    registers = iov_model_port(unit, "registers", 0);
    upstream = iov_model_port(unit, "upstream", 0);

    measure("translation off", upstream, 0x200000, 0x1000, 4);
    put(memory, 0x100000, 0x101001);
    put(memory, 0x101180, 0x102001);
    put(memory, 0x101188, 0x502);
    for (unsigned i = 0; i < 512; i++) { /* all addresses lead through the same tables */
        put(memory, 0x102000 + 8 * i, 0x103003);
        put(memory, 0x103000 + 8 * i, 0x104003);
        put(memory, 0x104000 + 8 * i, 0x105003);
        put(memory, 0x105000 + 8 * i, (0x200000 + 0x1000 * i) | 3);
    }
    put(registers, VTD_RTADDR, 0x100000);
    put(registers, VTD_GCMD & ~7u, (uint64_t)VTD_G_SRTP);
    put(registers, VTD_GCMD & ~7u, (uint64_t)VTD_G_TE);
    measure("hit, one page", upstream, 0x40000000, 0, 1);
    measure("hit, 64 pages", upstream, 0x40000000, 0x1000, 64);
    measure("miss, tables cached: one step", upstream, 0x40000000, 0x1000, 512);
    measure("miss, four levels", upstream, 0x40000000, 1ull << 39, 256);
    g_object_unref(unit);
    g_object_unref(dram);
    g_object_unref(bus);
    iov_kernel_free(run.kernel);
    return 0;
}
