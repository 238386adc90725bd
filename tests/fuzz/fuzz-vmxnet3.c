/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a driver of vmxnet3: the first byte chooses how much of the set-up is done properly,
 * the rest is a list of operations on registers, the shared area, the queues' descriptions and the
 * rings, with frames and time in between. Nothing may end the host, and what the device sends is a
 * frame.
 */
#include "models/nic/vmxnet3-regs.h"
#include "tests/fuzz/nic.h"

#define SHARED 0x1000u
#define QUEUES 0x1400u
#define RINGS 0x2000u /* transmit, its completions, receive, receive 2, their completions */
#define RING_BYTES 0x200u
#define ENTRIES 32u
#define BUFFERS 0x4000u

struct machine {
    struct iov_kernel *kernel;
    struct iov_mem_target *registers, *control, *msix, *config, *memory;
    struct cable cable;
};

/* ---- Operations ---- */

static void set_up(struct machine *machine, unsigned how)
{
    struct vmxnet3_shared shared = {
        .magic = VMXNET3_MAGIC,
        .misc = { .queues = QUEUES,
                  .queues_size = 512,
                  .features = VMXNET3_FEATURE_RX_CHECKSUM,
                  .tx_queues = 1,
                  .rx_queues = 1 },
        .interrupts = { .auto_mask = how & 1, .count = 3, .event_vector = 2 },
        .filter = { .mode = VMXNET3_RX_PROMISCUOUS },
    };
    struct vmxnet3_tx_queue tx = { .ring = RINGS,
                                   .completions = RINGS + RING_BYTES,
                                   .ring_size = ENTRIES,
                                   .completions_size = ENTRIES };
    struct vmxnet3_rx_queue rx = { .rings = { RINGS + 2 * RING_BYTES, RINGS + 3 * RING_BYTES },
                                   .completions = RINGS + 4 * RING_BYTES,
                                   .ring_sizes = { ENTRIES, ENTRIES },
                                   .completions_size = ENTRIES,
                                   .vector = 1 };

    mem_move(machine->memory, SHARED, &shared, sizeof shared, true);
    mem_move(machine->memory, QUEUES, &tx, sizeof tx, true);
    mem_move(machine->memory, QUEUES + sizeof tx, &rx, sizeof rx, true);
    mem_access(machine->control, VMXNET3_DSAL, 4, SHARED, true);
    for (unsigned i = 0; i < ENTRIES && how & 2; i++) {
        mem_access(machine->memory, rx.rings[0] + 16 * i, 8, BUFFERS + 0x200 * i, true);
        mem_access(machine->memory, rx.rings[0] + 16 * i + 8, 8, 0x200 | VMXNET3_RX_GENERATION,
                   true);
    }
    if (how & 4)
        mem_access(machine->control, VMXNET3_CMD, 4, VMXNET3_SET_ACTIVATE, true);
    for (unsigned i = 0; i < 3 && how & 8; i++)
        mem_access(machine->registers, VMXNET3_IMR + 8 * i, 4, 0, true);
}

static void write_descriptor(struct machine *machine, struct input *input, unsigned place)
{
    uint64_t at = RINGS + 16 * (take(input, 1) | (place & 1) << 8) % (5 * RING_BYTES);

    mem_access(machine->memory, at, 8, take(input, 2), true);
    mem_access(machine->memory, at + 8, 8, take(input, 8), true);
}

static void operation(struct machine *machine, struct input *input)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    static const uint32_t commands[] = { VMXNET3_SET_ACTIVATE, VMXNET3_GET_QUEUE_STATUS };
    unsigned code = (unsigned)take(input, 1);
    unsigned size = sizes[code >> 6];
    struct iov_mem_target *targets[] = { machine->registers, machine->control, machine->msix,
                                         machine->config };

    switch (code & 7) {
    case 0:
        mem_access(machine->control, VMXNET3_CMD, 4, commands[code >> 3 & 1] + take(input, 1) % 20,
                   true);
        break;
    case 1:
        mem_access(machine->registers, code & 8 ? VMXNET3_TXPROD : 8 * (code >> 4), 4,
                   take(input, 1), true);
        break;
    case 2:
        mem_access(targets[code >> 3 & 3], take(input, 2) % 0x1100, size, take(input, size), true);
        break;
    case 3:
        mem_access(targets[code >> 3 & 3], take(input, 2) % 0x1100, size, 0, false);
        break;
    case 4:
        write_descriptor(machine, input, code >> 3);
        break;
    case 5:
        cable_send(&machine->cable, input, 0);
        break;
    case 6: /* shared area and descriptions of queues */
        mem_access(machine->memory, SHARED + take(input, 2) % 0x600, size, take(input, size), true);
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
    IovModel *nic = iov_model_new("vmxnet3", "nic", &run, NULL);
    IovModel *dram = iov_model_new("dram", "dram", &run, NULL);
    struct machine machine = { .kernel = run.kernel };
    unsigned how = (unsigned)take(&input, 1);

    run.measure = iov_measure_new(run.kernel);
    if (!iov_model_set_string(nic, "setup", how & 16 ? "intx" : "msi-x", NULL) ||
        !iov_model_set_number(dram, "size", RAM_SIZE, NULL) || !iov_model_prepare(dram, NULL) ||
        !iov_model_prepare(nic, NULL) ||
        !iov_model_wire(nic, "dma", dram, "port", false, 0, NULL) || !iov_model_realize(nic, NULL))
        abort();
    machine.registers = iov_model_port(nic, "registers", 0);
    machine.control = iov_model_port(nic, "control", 0);
    machine.msix = iov_model_port(nic, "msix", 0);
    machine.config = iov_model_port(nic, "config", 0);
    machine.memory = iov_model_port(dram, "port", 0);
    cable_plug(&machine.cable, nic, IOV_PACKET_MAX, 0);
    set_up(&machine, how);
    while (input.size > 0 && machine.cable.frames < FRAMES_MAX) {
        operation(&machine, &input);
        iov_kernel_run_until(machine.kernel, iov_now(machine.kernel) + 10 * IOV_US);
    }
    iov_model_unrealize(nic);
    g_object_unref(nic);
    g_object_unref(dram);
    iov_packet_pool_unref(machine.cable.pool, NULL);
    iov_measure_free(run.measure);
    iov_kernel_free(run.kernel);
    return 0;
}
