/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the drivers of an igb and its virtual functions, or of a siov-nic and its
 * interfaces: the first byte chooses how much of the set-up is done properly, the rest is a list of
 * operations on registers, MSI-X tables, configuration spaces and memory, with frames and time in
 * between. Nothing may end the host, what the device sends is a frame, and a function's DMA carries
 * a number of the device.
 */
#include "core/pci/bus.h"
#include "core/pci/space.h"
#include "models/nic/igb-regs.h"
#include "models/nic/siov-regs.h"
#include "tests/fuzz/nic.h"

#define TX_RING 0x1000u
#define RX_RING 0x2000u
#define VF_BAR0 0xd0000000u
#define VF_BAR3 0xd1000000u
#define SRIOV 0x160u

/* ---- The other ends ---- */

struct machine {
    struct iov_kernel *kernel;
    struct iov_pci_bus bus;
    struct iov_mem_target fabric;
    struct iov_mem_target *registers, *msix, *memory;
    struct cable cable;
    bool assignable; /* the card is a siov-nic */
};

static enum iov_status fabric_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    struct machine *machine = iov_container_of(port, struct machine, fabric);

    if (req->requester != 0 && (req->requester < 0x80 || req->requester & 1))
        abort();
    return machine->memory->ops->read(machine->memory, req);
}

static enum iov_status fabric_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    struct machine *machine = iov_container_of(port, struct machine, fabric);

    if (req->requester != 0 && (req->requester < 0x80 || req->requester & 1))
        abort();
    return machine->memory->ops->write(machine->memory, req);
}

static const struct iov_mem_target_ops fabric_ops = { .read = fabric_read, .write = fabric_write };

static void no_intx(struct iov_pci_bus *bus, struct iov_pci_function *function, unsigned pin,
                    bool level, struct iov_span *span)
{
    (void)bus, (void)function, (void)pin, (void)level, (void)span;
}

static const struct iov_pci_bus_ops bus_ops = { .intx = no_intx };

/* ---- Operations ---- */

/* Registers with effects, so that few bytes reach them. */
static const uint16_t interesting[] = {
    IGB_CTRL,          IGB_CTRL_EXT,      IGB_EERD,     IGB_MDIC,          IGB_ICR,
    IGB_IMS,           IGB_GPIE,          IGB_EICS,     IGB_EIMS,          IGB_EIMC,
    IGB_EIAC,          IGB_EICR,          IGB_EITR(0),  IGB_IVAR(0),       IGB_IVAR_MISC,
    IGB_RCTL,          IGB_TCTL,          IGB_MRQC,     IGB_VT_CTL,        IGB_DTXSWC,
    IGB_VFRE,          IGB_VFTE,          IGB_VMOLR(0), IGB_VMVIR(0),      IGB_VLVF(0),
    IGB_RAH(1),        IGB_P2VMAILBOX(0), IGB_RXPBS,    IGB_RX_OLD + 0x18, IGB_TX_OLD + 0x18,
    IGB_RX_OLD + 0x28, IGB_TX_OLD + 0x28,
};

static void config_write(struct machine *machine, unsigned devfn, uint32_t at, unsigned size,
                         uint64_t value)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = size, .pasid = IOV_NO_PASID };

    iov_pci_config_access(&machine->bus, 0, devfn, &req, true);
}

static void virtual_access(struct machine *machine, uint64_t address, unsigned size, uint64_t value,
                           bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    iov_mem_map_access(&machine->bus.memory, &req, write);
}

static void enable_functions(struct machine *machine)
{
    config_write(machine, 0, SRIOV + PCI_SRIOV_NUM_VF, 2, 3);
    config_write(machine, 0, SRIOV + PCI_SRIOV_BAR, 4, VF_BAR0);
    config_write(machine, 0, SRIOV + PCI_SRIOV_BAR + 12, 4, VF_BAR3);
    config_write(machine, 0, SRIOV + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE);
    for (unsigned i = 0; i < 3; i++)
        config_write(machine, 0x80 + 2 * i, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    mem_access(machine->registers, IGB_VFRE, 4, 7, true);
    mem_access(machine->registers, IGB_VFTE, 4, 7, true);
    mem_access(machine->registers, IGB_MRQC, 4, IGB_MRQC_POOLS, true);
    mem_access(machine->registers, IGB_DTXSWC, 4, IGB_DTXSWC_LOOPBACK, true);
    mem_access(machine->registers, IGB_VT_CTL, 4, IGB_VT_CTL_REPLICATE, true);
}

static void enable_interfaces(struct machine *machine)
{
    config_write(machine, 0, PCI_BASE_ADDRESS_4, 4, VF_BAR0);
    config_write(machine, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    config_write(machine, 0, 0x156, 2, PCI_PASID_CTRL_ENABLE);
    for (unsigned i = 0; i < 3; i++) {
        virtual_access(machine, VF_BAR0 + SIOV_WINDOWS(i) + SIOV_PASID, 4, SIOV_PASID_VALID | i,
                       true);
        virtual_access(machine, VF_BAR0 + SIOV_IMS(i) + SIOV_IMS_CONTROL, 4, 0, true);
    }
}

static void set_up(struct machine *machine, unsigned how)
{
    struct iov_mem_target *registers = machine->registers;

    if (how & 1 && machine->assignable)
        enable_interfaces(machine);
    if (how & 1)
        enable_functions(machine);
    for (unsigned queue = 0; queue < 4; queue++) {
        if (how & 2) {
            mem_access(registers, IGB_TX_REG(queue, IGB_QUEUE_BAL), 4, TX_RING + 0x100 * queue,
                       true);
            mem_access(registers, IGB_TX_REG(queue, IGB_QUEUE_LEN), 4, 128, true);
            mem_access(registers, IGB_TX_REG(queue, IGB_QUEUE_DCTL), 4, IGB_DCTL_ENABLE, true);
            mem_access(registers, IGB_TCTL, 4, IGB_TCTL_EN | IGB_TCTL_PSP, true);
        }
        if (how & 4) {
            for (unsigned i = 0; i < 8; i++)
                mem_access(machine->memory, RX_RING + 0x100 * queue + 16 * i, 8, 0x4000 + 0x800 * i,
                           true);
            mem_access(registers, IGB_RX_REG(queue, IGB_QUEUE_BAL), 4, RX_RING + 0x100 * queue,
                       true);
            mem_access(registers, IGB_RX_REG(queue, IGB_QUEUE_LEN), 4, 128, true);
            mem_access(registers, IGB_RX_REG(queue, IGB_QUEUE_DCTL), 4, IGB_DCTL_ENABLE, true);
            mem_access(registers, IGB_RX_REG(queue, IGB_QUEUE_TAIL), 4, 7, true);
            mem_access(registers, IGB_VMOLR(queue), 4,
                       IGB_VMOLR_AUPE | IGB_VMOLR_BAM | IGB_VMOLR_RSSE | 1522, true);
        }
    }
    if (how & 4)
        mem_access(registers, IGB_RCTL, 4, IGB_RCTL_EN | IGB_RCTL_UPE | IGB_RCTL_BAM, true);
    if (how & 8) {
        mem_access(registers, IGB_GPIE, 4, IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_EIAME, true);
        mem_access(registers, IGB_IVAR(0), 4, 0x81808180, true);
        mem_access(registers, IGB_EIMS, 4, UINT32_MAX, true);
        mem_access(machine->msix, 0, 8, 0x8000, true);
        mem_access(machine->msix, 12, 4, 0, true);
    }
}

static void operation(struct machine *machine, struct input *input)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    unsigned code = (unsigned)take(input, 1);
    unsigned size = sizes[code >> 6];
    uint32_t where;

    switch (code & 7) {
    case 0:
    case 1:
        mem_access(machine->registers, interesting[code >> 3 & 31], 4, take(input, 4), true);
        break;
    case 2:
        where = (uint32_t)take(input, 3);
        mem_access(where & 0x800000 ? machine->msix : machine->registers, where & 0x1ffff, size,
                   take(input, size), code & 8);
        break;
    case 3: /* a virtual function's registers or its table */
        where = (uint32_t)take(input, 2);
        if (machine->assignable) {
            where = code & 16 ? SIOV_IMS(0) + where % 0x400 : where & 0x1ffff;
            where += code & 32 && !(code & 16) ? SIOV_WINDOWS(0) : 0;
            virtual_access(machine, VF_BAR0 + where, 4, take(input, 4), code & 8);
            break;
        }
        virtual_access(machine, (code & 16 ? VF_BAR3 : VF_BAR0) + where, code & 32 ? size : 4,
                       take(input, 4), code & 8);
        break;
    case 4: /* a descriptor */
        for (unsigned i = 0, at = TX_RING + 16 * (code >> 3 & 31); i < 2; i++)
            mem_access(machine->memory, at + 8 * i, 8, take(input, i == 0 ? 2 : 8), true);
        break;
    case 5:
        cable_send(&machine->cable, input, 24);
        break;
    case 6:
        where = (uint32_t)take(input, 2);
        config_write(machine, code & 8 ? 0x80 + 2 * (code >> 4 & 3) : 0, where & 0xffc, 4,
                     take(input, 4));
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
    unsigned how = (unsigned)take(&input, 1);
    IovModel *nic = iov_model_new(how & 0x80 ? "siov-nic" : "igb", "nic", &run, NULL);
    IovModel *dram = iov_model_new("dram", "dram", &run, NULL);
    struct machine machine = { .kernel = run.kernel,
                               .fabric.ops = &fabric_ops,
                               .assignable = how & 0x80 };

    run.measure = iov_measure_new(run.kernel);
    machine.bus = (struct iov_pci_bus){ .ops = &bus_ops, .upstream = &machine.fabric };
    machine.memory = iov_model_port(dram, "port", 0);
    if (!iov_model_set_number(dram, "size", RAM_SIZE, NULL) || !iov_model_prepare(dram, NULL) ||
        !iov_model_realize(dram, NULL) ||
        !iov_pci_plug(&machine.bus, iov_model_port(nic, "pci", 0), 0) ||
        !iov_model_realize(nic, NULL))
        abort();
    machine.registers = iov_model_port(nic, "registers", 0);
    machine.msix = iov_model_port(nic, "msix", 0);
    cable_plug(&machine.cable, nic, 16384, 700 * IOV_NS);
    set_up(&machine, how);
    while (input.size > 0 && machine.cable.frames < FRAMES_MAX) {
        operation(&machine, &input);
        iov_kernel_run_until(machine.kernel, iov_now(machine.kernel) + 10 * IOV_US);
    }
    iov_model_unrealize(nic);
    g_object_unref(nic);
    g_object_unref(dram);
    iov_pci_bus_clear(&machine.bus);
    iov_packet_pool_unref(machine.cable.pool, NULL);
    iov_measure_free(run.measure);
    iov_kernel_free(run.kernel);
    return 0;
}
