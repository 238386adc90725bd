/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa-dma - the two 8237 DMA controllers of a PC, as registers: what software sets up is there to
 * be read back.
 *
 * SPEC: 8237A data sheet. LIMIT: no part of ours asks for ISA DMA, so nothing is transferred, and a
 * request by software stays pending.
 */
#include "core/object/model.h"
#include "models/legacy/isa-dma-regs.h"
#include "models/legacy/ports-private.h"

#define CHANNELS 4u

#define IOV_TYPE_ISA_DMA (iov_isa_dma_get_type())
G_DECLARE_FINAL_TYPE(IovIsaDma, iov_isa_dma, IOV, ISA_DMA, IovModel)

struct controller {
    uint16_t words[2 * CHANNELS]; /* address and count of each channel; base and current are one */
    uint8_t mode[CHANNELS];
    uint8_t command;
    uint8_t request;
    uint8_t mask;
    bool high; /* the next byte is the high one */
};

struct _IovIsaDma {
    IovModel parent_instance;
    struct iov_mem_target first;  /* port */
    struct iov_mem_target second; /* port */
    struct controller controllers[2];
};

G_DEFINE_FINAL_TYPE(IovIsaDma, iov_isa_dma, IOV_TYPE_MODEL)

static void controller_clear(struct controller *self)
{
    self->command = self->request = 0;
    self->mask = 0x0f;
    self->high = false;
}

static uint8_t with_bit(uint8_t bits, uint8_t value)
{
    uint8_t bit = (uint8_t)(1u << (value & ISA_DMA_CHANNEL));

    return value & ISA_DMA_SET ? bits | bit : bits & (uint8_t)~bit;
}

static uint8_t controller_read(struct controller *self, unsigned port)
{
    uint8_t value;

    if (port < 2 * CHANNELS) {
        value = (uint8_t)(self->words[port] >> (self->high ? 8 : 0));
        self->high = !self->high;
        return value;
    }
    if (port == ISA_DMA_STATUS)
        return (uint8_t)(self->request << 4);
    return port == ISA_DMA_MASK ? self->mask : 0;
}

static void controller_write(struct controller *self, unsigned port, uint8_t value)
{
    switch (port) {
    case ISA_DMA_COMMAND:
        self->command = value;
        break;
    case ISA_DMA_REQUEST:
        self->request = with_bit(self->request, value);
        break;
    case ISA_DMA_MASK_ONE:
        self->mask = with_bit(self->mask, value);
        break;
    case ISA_DMA_MODE:
        self->mode[value & ISA_DMA_CHANNEL] = value;
        break;
    case ISA_DMA_CLEAR_FLIP_FLOP:
        self->high = false;
        break;
    case ISA_DMA_CLEAR:
        controller_clear(self);
        break;
    case ISA_DMA_CLEAR_MASK:
        self->mask = 0;
        break;
    case ISA_DMA_MASK:
        self->mask = value & 0x0f;
        break;
    default:
        if (self->high)
            self->words[port] = (uint16_t)((self->words[port] & 0xff) | value << 8);
        else
            self->words[port] = (self->words[port] & 0xff00) | value;
        self->high = !self->high;
        break;
    }
}

static uint8_t first_byte(void *device, unsigned port)
{
    return controller_read(&((IovIsaDma *)device)->controllers[0], port);
}

static void first_set(void *device, unsigned port, uint8_t value)
{
    controller_write(&((IovIsaDma *)device)->controllers[0], port, value);
}

static uint8_t second_byte(void *device, unsigned port)
{
    return port % 2 == 0 ? controller_read(&((IovIsaDma *)device)->controllers[1], port / 2) : 0xff;
}

static void second_set(void *device, unsigned port, uint8_t value)
{
    if (port % 2 == 0) /* the other ports are empty: a 16-bit access is one, not two */
        controller_write(&((IovIsaDma *)device)->controllers[1], port / 2, value);
}

static enum iov_status first_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, first_byte, iov_container_of(port, IovIsaDma, first));
}

static enum iov_status first_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, first_set, iov_container_of(port, IovIsaDma, first));
}

static enum iov_status second_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, second_byte, iov_container_of(port, IovIsaDma, second));
}

static enum iov_status second_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, second_set, iov_container_of(port, IovIsaDma, second));
}

static const struct iov_mem_target_ops first_ops = { .read = first_read, .write = first_write };
static const struct iov_mem_target_ops second_ops = { .read = second_read, .write = second_write };

static void iov_isa_dma_reset(IovModel *model)
{
    IovIsaDma *self = (IovIsaDma *)(void *)model;

    for (unsigned i = 0; i < 2; i++) {
        self->controllers[i] = (struct controller){ 0 };
        controller_clear(&self->controllers[i]);
    }
}

static void iov_isa_dma_class_init(IovIsaDmaClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "isa-dma", "The two 8237 DMA controllers of a PC, as registers");
    IOV_PORT_MEM_TARGET(mc, IovIsaDma, first, &first_ops, "16 ports at 0x00");
    IOV_PORT_MEM_TARGET(mc, IovIsaDma, second, &second_ops, "32 ports at 0xC0");
    mc->start = iov_isa_dma_reset;
    mc->reset = iov_isa_dma_reset;
}

static void iov_isa_dma_init(IovIsaDma *self)
{
    self->first.size = 16;
    self->second.size = 32;
}
