/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a driver of vmxnet3: the first byte chooses how much of the set-up is done properly, the rest is a list of operations on registers,
 * the shared area, the queues' descriptions and the rings, with frames and time in between. Nothing may end the host, and what the
 * device sends is a frame.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/nic/vmxnet3-regs.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x10000u
#define SHARED 0x1000u
#define QUEUES 0x1400u
#define RINGS 0x2000u /* transmit, its completions, receive, receive 2, their completions */
#define RING_BYTES 0x200u
#define ENTRIES 32u
#define BUFFERS 0x4000u
#define FRAMES_MAX 100000u /* enough for one input */

/* ---- The other ends ---- */

struct cable {
    struct iov_packet_port port;
    struct iov_packet_pool *pool;
    unsigned frames;
};

static iov_time cable_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct cable *cable = iov_container_of(port, struct cable, port);

    if (packet->size < 14 || packet->size > IOV_PACKET_MAX)
        abort();
    cable->frames++;
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops cable_ops = { .receive = cable_receive };

static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table, (void)name, (void)kind, (void)error;
    *ret_cost = 100 * IOV_NS;
    return true;
}

struct machine {
    struct iov_kernel *kernel;
    struct iov_mem_target *registers, *control, *msix, *config, *memory;
    struct cable cable;
};

/* ---- Operations ---- */

static void mem_access(struct iov_mem_target *target, uint64_t address, void *data, unsigned size,
                       bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    if (write)
        target->ops->write(target, &req);
    else
        target->ops->read(target, &req);
}

static void put(struct iov_mem_target *target, uint64_t address, unsigned size, uint64_t value)
{
    mem_access(target, address, &value, size, true);
}

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

    mem_access(machine->memory, SHARED, &shared, sizeof shared, true);
    mem_access(machine->memory, QUEUES, &tx, sizeof tx, true);
    mem_access(machine->memory, QUEUES + sizeof tx, &rx, sizeof rx, true);
    put(machine->control, VMXNET3_DSAL, 4, SHARED);
    for (unsigned i = 0; i < ENTRIES && how & 2; i++) {
        put(machine->memory, rx.rings[0] + 16 * i, 8, BUFFERS + 0x200 * i);
        put(machine->memory, rx.rings[0] + 16 * i + 8, 8, 0x200 | VMXNET3_RX_GENERATION);
    }
    if (how & 4)
        put(machine->control, VMXNET3_CMD, 4, VMXNET3_SET_ACTIVATE);
    for (unsigned i = 0; i < 3 && how & 8; i++)
        put(machine->registers, VMXNET3_IMR + 8 * i, 4, 0);
}

static void frame_arrive(struct machine *machine, struct input *input)
{
    uint32_t size = (uint32_t)take(input, 2) % 20000;
    struct iov_packet *packet = iov_packet_new(machine->cable.pool, size);

    memset(packet->data, (int)take(input, 1), size);
    iov_packet_send(&machine->cable.port, packet);
}

static void write_descriptor(struct machine *machine, struct input *input, unsigned place)
{
    uint64_t at = RINGS + 16 * (take(input, 1) | (place & 1) << 8) % (5 * RING_BYTES);

    put(machine->memory, at, 8, take(input, 2));
    put(machine->memory, at + 8, 8, take(input, 8));
}

static void operation(struct machine *machine, struct input *input)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    static const uint32_t commands[] = { VMXNET3_SET_ACTIVATE, VMXNET3_GET_QUEUE_STATUS };
    unsigned code = (unsigned)take(input, 1);
    unsigned size = sizes[code >> 6];
    struct iov_mem_target *targets[] = { machine->registers, machine->control, machine->msix,
                                         machine->config };
    uint64_t value = 0;

    switch (code & 7) {
    case 0:
        put(machine->control, VMXNET3_CMD, 4, commands[code >> 3 & 1] + take(input, 1) % 20);
        break;
    case 1:
        put(machine->registers, code & 8 ? VMXNET3_TXPROD : 8 * (code >> 4), 4, take(input, 1));
        break;
    case 2:
        put(targets[code >> 3 & 3], take(input, 2) % 0x1100, size, take(input, size));
        break;
    case 3:
        mem_access(targets[code >> 3 & 3], take(input, 2) % 0x1100, &value, size, false);
        break;
    case 4:
        write_descriptor(machine, input, code >> 3);
        break;
    case 5:
        frame_arrive(machine, input);
        break;
    case 6: /* shared area and descriptions of queues */
        put(machine->memory, SHARED + take(input, 2) % 0x600, size, take(input, size));
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
    struct machine machine = { .kernel = run.kernel,
                               .cable = { .port.ops = &cable_ops, .pool = iov_packet_pool_new() } };
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
    machine.cable.port.peer = iov_model_port(nic, "wire", 0);
    machine.cable.port.peer->peer = &machine.cable.port;
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
