/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as software that configures PCI: the first byte chooses whether firmware ran, the rest
 * is a list of accesses to configuration space by ports and by ECAM, to memory and to I/O, with
 * time in between. Behind the root complex are a chipset, a root port with a switch and two cards,
 * and DMA reaches everything that processors reach. Nothing may end the host, and identities stay
 * what they are.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/object/model.h"
#include "core/trace/measure.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x10000u
#define STEPS_MAX 4096u
#define MODELS_MAX 16u

struct board {
    struct iov_run run;
    IovModel *models[MODELS_MAX];
    unsigned count;
    struct iov_mem_target *ports, *ecam, *bus, *io;
};

static IovModel *add(struct board *board, const char *kind, const char *name)
{
    IovModel *model = iov_model_new(kind, name, &board->run, NULL);

    if (model == NULL || board->count == MODELS_MAX)
        abort();
    board->models[board->count++] = model;
    return model;
}

static void wire(IovModel *a, const char *from, IovModel *b, const char *to, int at)
{
    if (!iov_model_wire(a, from, b, to, at >= 0, (uint64_t)at, NULL))
        abort();
}

static void build(struct board *board, bool firmware)
{
    IovModel *bus = add(board, "bus", "bus"), *ram = add(board, "dram", "ram");
    IovModel *host = add(board, "pci-host", "host"), *mch = add(board, "q35-mch", "mch");
    IovModel *lpc = add(board, "ich9-lpc", "lpc"), *edge = add(board, "edu", "edu");
    IovModel *port = add(board, "root-port", "port"), *up = add(board, "switch-upstream", "up");
    IovModel *left = add(board, "switch-downstream", "left");
    IovModel *right = add(board, "switch-downstream", "right");
    IovModel *igb = add(board, "igb", "igb"), *e1000 = add(board, "e1000", "e1000");

    if (!iov_model_set_number(ram, "size", RAM_SIZE, NULL) ||
        !iov_model_set_number(host, "firmware", firmware, NULL))
        abort();
    for (unsigned i = 0; i < board->count; i++) {
        if (!iov_model_prepare(board->models[i], NULL))
            abort();
    }
    wire(bus, "windows", ram, "port", 0);
    wire(bus, "rest", host, "memory", -1);
    wire(host, "bus", bus, "port", -1);
    wire(host, "slots", mch, "pci", 0x00);
    wire(host, "slots", port, "pci", 0x08);
    wire(host, "slots", edge, "pci", 0x18);
    wire(host, "slots", lpc, "pci", 0xf8);
    wire(mch, "ecam", host, "ecam", -1);
    wire(port, "slots", up, "pci", 0);
    wire(up, "slots", left, "pci", 0x00);
    wire(up, "slots", right, "pci", 0x08);
    wire(left, "slots", igb, "pci", 0);
    wire(right, "slots", e1000, "pci", 0);
    for (unsigned i = 0; i < board->count; i++) {
        if (!iov_model_realize(board->models[i], NULL))
            abort();
    }
    for (unsigned i = 0; i < board->count; i++)
        iov_model_start(board->models[i]);
    board->ports = iov_model_port(host, "config-io", 0);
    board->ecam = iov_model_port(host, "ecam", 0);
    board->bus = iov_model_port(bus, "port", 0);
    board->io = iov_model_port(host, "io", 0);
}

static uint64_t access(struct iov_mem_target *target, uint64_t address, uint32_t size, bool write,
                       uint64_t value)
{
    uint8_t bytes[16] = { 0 };
    struct iov_mem_req req = {
        .address = address, .data = bytes, .size = size, .pasid = IOV_NO_PASID
    };
    struct iov_mem_initiator initiator = { target };

    memcpy(bytes, &value, sizeof value);
    if (write)
        (void)iov_mem_write_req(&initiator, &req);
    else
        (void)iov_mem_read_req(&initiator, &req);
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Buses are few, and small numbers meet them. */
static void step(struct board *board, struct input *input)
{
    static const uint64_t bases[] = { 0,          0xf0000000, 0xf0100000,     0xfee00000,
                                      0xb0000000, 0xfeb00000, 0x380000000000, 0xfed1c000 };
    unsigned what = (unsigned)take(input, 1);
    uint32_t size = 1u << (what >> 3 & 3);
    bool write = what & 0x20;
    uint64_t address, value;

    switch (what & 7) {
    case 0: /* by ports */
        (void)access(board->ports, 0, 4, true, 0x80000000 | take(input, 3));
        (void)access(board->ports, 4 + (what >> 6), size > 4 ? 4 : size, write, take(input, size));
        break;
    case 1:
    case 2:
    case 3: /* by ECAM: bus, device and function, register */
        address = (take(input, 1) & 7) << 20;
        address |= take(input, 1) << 12;
        address |= take(input, 2) & 0xfff;
        (void)access(board->ecam, address, size, write, take(input, size));
        break;
    case 4:
    case 5:
        address = bases[take(input, 1) % G_N_ELEMENTS(bases)] + take(input, 3);
        value = take(input, size);
        (void)access(board->bus, address, size, write, value);
        break;
    case 6:
        (void)access(board->io, take(input, 2), size, write, take(input, size));
        break;
    default:
        iov_kernel_run_until(board->run.kernel,
                             iov_now(board->run.kernel) + take(input, 2) * IOV_NS);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct board board = { .run.kernel = iov_kernel_new(), .run.seed = 1 };

    board.run.measure = iov_measure_new(board.run.kernel);
    build(&board, take(&input, 1) & 1);
    for (unsigned i = 0; i < STEPS_MAX && input.size > 0; i++)
        step(&board, &input);
    if ((uint32_t)access(board.ecam, 0, 4, false, 0) != 0x29c08086 ||
        (uint32_t)access(board.ecam, 0x8000, 4, false, 0) != 0x34208086)
        abort();
    for (unsigned i = board.count; i > 0; i--)
        iov_model_unrealize(board.models[i - 1]);
    for (unsigned i = board.count; i > 0; i--)
        g_object_unref(board.models[i - 1]);
    iov_measure_free(board.run.measure);
    iov_kernel_free(board.run.kernel);
    return 0;
}
