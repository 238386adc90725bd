/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a driver of the e1000: the first byte chooses placement and how much of the set-up
 * is done properly, the rest is a list of operations on registers, I/O BAR, configuration space and
 * ring memory, with frames and time in between. Nothing may end the host, and what the device sends
 * is a frame.
 */
#include "models/nic/e1000-regs.h"
#include "tests/fuzz/nic.h"

#define TX_RING 0x1000u
#define RX_RING 0x2000u

/* ---- Operations ---- */

/* Registers with effects, so that few bytes reach them. */
static const uint16_t interesting[] = {
    E1000_CTRL, E1000_EECD, E1000_EERD, E1000_MDIC,  E1000_ICR,   E1000_ITR,   E1000_ICS,
    E1000_IMS,  E1000_IMC,  E1000_RCTL, E1000_TCTL,  E1000_RDBAL, E1000_RDBAH, E1000_RDLEN,
    E1000_RDH,  E1000_RDT,  E1000_RDTR, E1000_RADV,  E1000_TDBAL, E1000_TDBAH, E1000_TDLEN,
    E1000_TDH,  E1000_TDT,  E1000_TIDV, E1000_TADV,  E1000_VET,   E1000_PBA,   E1000_RXCSUM,
    E1000_RAL,  E1000_MTA,  E1000_VFTA, E1000_GORCH,
};

static void set_up(struct iov_mem_target *registers, struct iov_mem_target *memory, unsigned how)
{
    if (how & 2) {
        mem_access(registers, E1000_TDBAL, 4, TX_RING, true);
        mem_access(registers, E1000_TDLEN, 4, 128, true);
        mem_access(registers, E1000_TCTL, 4, E1000_TCTL_EN | E1000_TCTL_PSP, true);
    }
    if (how & 4) {
        for (unsigned i = 0; i < 8; i++)
            mem_access(memory, RX_RING + 16 * i, 8, 0x4000 + 0x800 * i, true);
        mem_access(registers, E1000_RDBAL, 4, RX_RING, true);
        mem_access(registers, E1000_RDLEN, 4, 128, true);
        mem_access(registers, E1000_RDT, 4, 7, true);
        mem_access(registers, E1000_RCTL, 4, E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_BAM, true);
        mem_access(registers, E1000_IMS, 4, 0xffff, true);
    }
}

struct machine {
    struct iov_kernel *kernel;
    struct iov_mem_target *registers, *io, *config, *memory;
    struct cable cable;
};

static void operation(struct machine *machine, struct input *input)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    unsigned code = (unsigned)take(input, 1);
    unsigned size = sizes[code >> 6];

    switch (code & 7) {
    case 0:
    case 1:
        mem_access(machine->registers, interesting[code >> 3 & 31], 4, take(input, 4), true);
        break;
    case 2:
        mem_access(machine->registers, take(input, 3), size, take(input, size), true);
        break;
    case 3:
        mem_access(machine->registers, take(input, 3), size, 0, false);
        break;
    case 4: /* a descriptor */
        for (unsigned i = 0, at = TX_RING + 16 * (code >> 3 & 7); i < 2; i++)
            mem_access(machine->memory, at + 8 * i, 8, take(input, i == 0 ? 2 : 8), true);
        break;
    case 5:
        cable_send(&machine->cable, input, 24);
        break;
    case 6:
        mem_access(code & 8 ? machine->io : machine->config, take(input, 1), size,
                   take(input, size), code & 16);
        break;
    default:
        iov_kernel_run_until(machine->kernel,
                             iov_now(machine->kernel) + (take(input, 1) << (code >> 3)) * IOV_NS);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct iov_cost_table table = { .lookup = lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *nic = iov_model_new("e1000", "nic", &run, NULL);
    IovModel *dram = iov_model_new("dram", "dram", &run, NULL);
    struct machine machine = { .kernel = run.kernel };
    unsigned how = (unsigned)take(&input, 1);

    run.measure = iov_measure_new(run.kernel);
    if (!iov_model_set_string(nic, "placement", how & 1 ? "software" : "hardware", NULL) ||
        !iov_model_set_number(dram, "size", RAM_SIZE, NULL) || !iov_model_prepare(dram, NULL) ||
        !iov_model_wire(nic, "dma", dram, "port", false, 0, NULL) || !iov_model_realize(nic, NULL))
        abort();
    machine.registers = iov_model_port(nic, "registers", 0);
    machine.io = iov_model_port(nic, "io", 0);
    machine.config = iov_model_port(nic, "config", 0);
    machine.memory = iov_model_port(dram, "port", 0);
    cable_plug(&machine.cable, nic, E1000_BAR_SIZE, 700 * IOV_NS);
    set_up(machine.registers, machine.memory, how);
    while (input.size > 0 && machine.cable.frames < FRAMES_MAX) {
        operation(&machine, &input);
        iov_kernel_run_until(machine.kernel, iov_now(machine.kernel) + 10 * IOV_US);
    }
    g_object_unref(nic);
    g_object_unref(dram);
    iov_packet_pool_unref(machine.cable.pool, NULL);
    iov_measure_free(run.measure);
    iov_kernel_free(run.kernel);
    return 0;
}
