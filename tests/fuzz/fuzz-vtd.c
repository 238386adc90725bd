/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as host software and as a device of a VT-d unit: writes of every size to registers,
 * tables and queue anywhere, DMAs and interrupt messages, time. Nothing may end the host. The
 * memory behind has the unit's own registers in it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/object/model.h"
#include "models/iommu/vtd-regs.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x20000u
#define PAGE 0x1000u

static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table, (void)kind, (void)error;
    *ret_cost = strcmp(name, "vtd-invalidation") == 0 ? 0 : 100 * IOV_NS;
    return true;
}

static bool lookup_timed(struct iov_cost_table *table, const char *name, const char *kind,
                         iov_time *ret_cost, GError **error)
{
    (void)table, (void)name, (void)kind, (void)error;
    *ret_cost = 100 * IOV_NS;
    return true;
}

struct machine {
    struct iov_kernel *kernel;
    struct iov_mem_target *registers, *upstream, *memory;
};

static void access_do(struct iov_mem_target *target, uint64_t address, unsigned size, void *data,
                      bool write, uint16_t requester, uint32_t pasid)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .requester = requester, .pasid = pasid
    };

    if (write)
        target->ops->write(target, &req);
    else
        target->ops->read(target, &req);
}

static void put(struct iov_mem_target *target, uint64_t address, unsigned size, uint64_t value)
{
    access_do(target, address, size, &value, true, 0, IOV_NO_PASID);
}

/* In scalable mode: functions 0 to 3, PASIDs 1 (second stage) and 2 (first stage). */
static void set_up_scalable(struct machine *machine)
{
    uint64_t pasids = 11 * PAGE;

    for (unsigned device = 0; device < 4; device++)
        put(machine->memory, PAGE + 32 * device, 8, (10 * PAGE) | VTD_SM_CONTEXT_PASIDE | 1);
    put(machine->memory, 10 * PAGE, 8, pasids | 1);
    put(machine->memory, pasids + 64, 8, vtd_pasid_second(2 * PAGE, 3));
    put(machine->memory, pasids + 64 + 8, 8, 1);
    put(machine->memory, pasids + 128, 8, VTD_SM_FIRST << VTD_SM_PASID_TYPE_SHIFT | 1);
    put(machine->memory, pasids + 128 + 8, 8, 1 | VTD_SM_PASID_PWSNP);
    put(machine->memory, pasids + 128 + 16, 8, 2 * PAGE);
    for (unsigned level = 0; level < 4; level++)
        put(machine->memory, PAGE * (2 + level), 8, (PAGE * (3 + level)) | 7);
}

/* Valid tables on the first pages, so that few bytes lead far. */
static void set_up(struct machine *machine, bool scalable)
{
    put(machine->memory, 0, 8, PAGE | 1);
    for (unsigned device = 0; device < 4; device++) {
        put(machine->memory, PAGE + 16 * device, 8, (2 * PAGE) | 1);
        put(machine->memory, PAGE + 16 * device + 8, 8, 0x102);
    }
    for (unsigned level = 0; level < 4; level++)
        for (unsigned i = 0; i < 4; i++)
            put(machine->memory, PAGE * (2 + level) + 8 * i, 8, (PAGE * (3 + level)) | 3);
    for (unsigned i = 0; i < 8; i++)
        put(machine->memory, 8 * PAGE + 16 * i, 8, 1 | 0x45 << 16 | (i & 1 ? VTD_IRTE_IM : 0));
    if (scalable)
        set_up_scalable(machine);
    put(machine->registers, VTD_RTADDR, 8, scalable ? VTD_RTADDR_SCALABLE : 0);
    put(machine->registers, VTD_IRTA, 8, (8 * PAGE) | 4);
    put(machine->registers, VTD_IQA, 8, 9 * PAGE | (scalable ? VTD_IQA_DW : 0));
    put(machine->registers, VTD_GCMD, 4, VTD_G_SRTP | VTD_G_SIRTP);
    put(machine->registers, VTD_GCMD, 4, VTD_G_TE | VTD_G_IRE | VTD_G_QIE);
}

static void operation(struct machine *machine, struct input *input)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    static uint8_t data[0x4000];
    unsigned code = (unsigned)take(input, 1), size = sizes[code >> 6];
    uint64_t value;

    switch (code & 7) {
    case 0: /* a register, aligned */
        value = take(input, 1) * 4 % 0x240;
        put(machine->registers, value, size < 4 ? 4 : size, take(input, 8));
        break;
    case 1: /* anywhere in the page and behind */
        value = take(input, 2);
        put(machine->registers, value, size, take(input, size));
        access_do(machine->registers, value, size, data, false, 0, IOV_NO_PASID);
        break;
    case 2: /* a table or the queue */
        value = take(input, 2) * 8;
        put(machine->memory, value, 8, take(input, 8));
        break;
    case 3: /* a DMA near, with tables */
        value = take(input, 3);
        access_do(machine->upstream, value, 1 + (unsigned)take(input, 2) % 0x3fff, data, code & 8,
                  code >> 4 & 3, code >> 6 == 0 ? IOV_NO_PASID : code >> 6);
        break;
    case 4: /* a DMA anywhere, of any source */
        value = take(input, 8);
        access_do(machine->upstream, value, (unsigned)take(input, 1), data, code & 8,
                  (uint16_t)take(input, 2), (uint32_t)take(input, 2));
        break;
    case 5: /* a message */
        value = MSI_BASE | take(input, 3) % MSI_SIZE;
        memset(data, (int)(code >> 3), 8);
        access_do(machine->upstream, value, size, data, code & 8, code >> 4 & 3, IOV_NO_PASID);
        break;
    case 6: /* a descriptor, and the tail behind it */
        value = take(input, 1) * 16;
        put(machine->memory, 9 * PAGE + value, 8, take(input, 8));
        put(machine->memory, 9 * PAGE + value + 8, 8, take(input, 8));
        put(machine->registers, VTD_IQT, 8, value + 16);
        break;
    default:
        iov_kernel_run_until(machine->kernel,
                             iov_now(machine->kernel) + take(input, 2) * 10 * IOV_NS);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    unsigned how = (unsigned)take(&input, 1);
    struct iov_cost_table table = { .lookup = how & 1 ? lookup_timed : lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *unit = iov_model_new("vt-d", "iommu", &run, NULL);
    IovModel *bus = iov_model_new("bus", "bus", &run, NULL);
    IovModel *dram = iov_model_new("dram", "dram", &run, NULL);
    struct machine machine = { .kernel = run.kernel };

    if (!iov_model_set_number(unit, "eim", how >> 1 & 1, NULL) ||
        !iov_model_set_number(unit, "posting", how >> 2 & 1, NULL) ||
        !iov_model_set_number(unit, "device-iotlb", how >> 3 & 1, NULL) ||
        !iov_model_set_number(unit, "fault-records", 1 + (how >> 4 & 3), NULL) ||
        !iov_model_set_number(unit, "scalable-mode", how >> 7, NULL) ||
        !iov_model_set_number(unit, "pasid-mode", how >> 7, NULL) ||
        !iov_model_set_number(unit, "first-stage", how >> 7, NULL) ||
        !iov_model_set_number(unit, "pasid-bits", how & 0x80 ? 20 : 0, NULL) ||
        !iov_model_set_number(dram, "size", RAM_SIZE, NULL) || !iov_model_prepare(unit, NULL) ||
        !iov_model_prepare(bus, NULL) || !iov_model_prepare(dram, NULL) ||
        !iov_model_wire(bus, "windows", dram, "port", true, 0, NULL) ||
        !iov_model_wire(bus, "windows", unit, "registers", true, VTD_BASE, NULL) ||
        !iov_model_wire(unit, "bus", bus, "port", false, 0, NULL) || !iov_model_realize(unit, NULL))
        abort();
    machine.registers = iov_model_port(unit, "registers", 0);
    machine.upstream = iov_model_port(unit, "upstream", 0);
    machine.memory = iov_model_port(dram, "port", 0);
    if (how & 0x40)
        set_up(&machine, how & 0x80);
    while (input.size > 0)
        operation(&machine, &input);
    iov_model_unrealize(unit);
    g_object_unref(unit);
    g_object_unref(bus);
    g_object_unref(dram);
    iov_kernel_free(run.kernel);
    return 0;
}
