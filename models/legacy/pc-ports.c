/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pc-ports - the odd ports of a PC chipset: fast A20 at 0x92, reset control at 0xCF9, the page
 * registers of the DMA controllers and the port of POST codes at 0x80 to 0x8F.
 *
 * SPEC: I/O Controller Hub 9 data sheet, 13.2 and 13.7. LIMIT: of 0x80 to 0x8F the ports without a
 * channel keep what is written for a tool to look at, and read as ones. Nothing takes time.
 */
#include "core/object/model.h"
#include "models/legacy/ports-private.h"

#define FAST_A20 0x02u
#define FAST_RESET 0x01u
#define RESET_SYSTEM 0x02u
#define RESET_NOW 0x04u
#define RESET_FULL 0x08u
#define PAGES 16u

#define IOV_TYPE_PC_PORTS (iov_pc_ports_get_type())
G_DECLARE_FINAL_TYPE(IovPcPorts, iov_pc_ports, IOV, PC_PORTS, IovModel)

struct _IovPcPorts {
    IovModel parent_instance;
    struct iov_mem_target fast_a20;      /* port */
    struct iov_mem_target reset_control; /* port */
    struct iov_mem_target pages;         /* port */
    struct iov_irq_source a20;           /* port */
    struct iov_notify_source reset;      /* port */
    uint8_t control;
    uint8_t reset_bits;
    uint8_t page[PAGES];
    uint64_t resets; /* statistic */
};

G_DEFINE_FINAL_TYPE(IovPcPorts, iov_pc_ports, IOV_TYPE_MODEL)

static void machine_reset(IovPcPorts *self)
{
    self->resets++;
    iov_notify_signal(&self->reset, NULL);
}

static uint8_t fast_a20_byte(void *device, unsigned port)
{
    (void)port;
    return ((IovPcPorts *)device)->control;
}

static void fast_a20_set(void *device, unsigned port, uint8_t value)
{
    IovPcPorts *self = device;
    bool rises = value & (uint8_t)~self->control & FAST_RESET;

    (void)port;
    self->control = value;
    iov_irq_set(&self->a20, value & FAST_A20, NULL);
    if (rises)
        machine_reset(self);
}

static uint8_t reset_control_byte(void *device, unsigned port)
{
    (void)port;
    return ((IovPcPorts *)device)->reset_bits;
}

static void reset_control_set(void *device, unsigned port, uint8_t value)
{
    IovPcPorts *self = device;

    (void)port;
    self->reset_bits = value & (RESET_SYSTEM | RESET_FULL);
    if (value & RESET_NOW)
        machine_reset(self);
}

/* Pages of channels 2, 3, 1, 0 and 6, 7, 5, and of refresh. */
static bool is_page(unsigned port)
{
    return (port & 7) == 1 || (port & 7) == 2 || (port & 7) == 3 || (port & 7) == 7;
}

static uint8_t pages_byte(void *device, unsigned port)
{
    return is_page(port) ? ((IovPcPorts *)device)->page[port] : 0xff;
}

static void pages_set(void *device, unsigned port, uint8_t value)
{
    ((IovPcPorts *)device)->page[port] = value;
}

#define PC_PORT(name) \
    static enum iov_status name##_read(struct iov_mem_target *port, struct iov_mem_req *req) \
    { \
        return iov_ports_read(port, req, name##_byte, iov_container_of(port, IovPcPorts, name)); \
    } \
    static enum iov_status name##_write(struct iov_mem_target *port, struct iov_mem_req *req) \
    { \
        return iov_ports_write(port, req, name##_set, iov_container_of(port, IovPcPorts, name)); \
    } \
    static const struct iov_mem_target_ops name##_ops = { .read = name##_read, \
                                                          .write = name##_write };

PC_PORT(fast_a20)
PC_PORT(reset_control)
PC_PORT(pages)

static void iov_pc_ports_reset(IovModel *model)
{
    IovPcPorts *self = (IovPcPorts *)(void *)model;

    self->control = self->reset_bits = 0;
    memset(self->page, 0, sizeof self->page);
    iov_irq_set(&self->a20, false, NULL);
}

static void iov_pc_ports_class_init(IovPcPortsClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "pc-ports", "Fast A20, reset control and page registers of a PC");
    IOV_PORT_MEM_TARGET(mc, IovPcPorts, fast_a20, &fast_a20_ops, "Port 0x92");
    IOV_PORT_MEM_TARGET(mc, IovPcPorts, reset_control, &reset_control_ops, "Port 0xCF9");
    IOV_PORT_MEM_TARGET(mc, IovPcPorts, pages, &pages_ops, "16 ports at 0x80");
    IOV_PORT_IRQ_SOURCE(mc, IovPcPorts, a20, "Address line 20 is let through by port 0x92");
    IOV_PORT_NOTIFY_SOURCE(mc, IovPcPorts, reset, "Software asks for a reset of the machine");
    IOV_STAT(mc, IovPcPorts, resets, "Resets asked for");
    mc->reset = iov_pc_ports_reset;
}

static void iov_pc_ports_init(IovPcPorts *self)
{
    self->fast_a20.size = 1;
    self->reset_control.size = 1;
    self->pages.size = PAGES;
}
