/* SPDX-License-Identifier: Apache-2.0 */
/*
 * i8042 - the keyboard controller of a PC with a keyboard and a mouse that nobody touches.
 *
 * Controller commands, the controller's mode byte, output port with A20 and reset, and the answers
 * of both devices to what a driver's probe sends. Answers are there at once.
 *
 * SPEC: IBM PS/2 hardware interface reference, keyboard and auxiliary device controller.
 * LIMIT: no interrupt while the keyboard is off; no keys and no motion; scan code set, rates and
 * lamps are taken and forgotten; status bit 3 (command or data came last) stays set.
 */
#include "core/object/model.h"
#include "models/legacy/i8042-regs.h"
#include "models/legacy/ports-private.h"

#define QUEUE_SIZE 16u
#define OUT_FIXED 0xccu /* output port pins that nothing drives */

#define IOV_TYPE_I8042 (iov_i8042_get_type())
G_DECLARE_FINAL_TYPE(IovI8042, iov_i8042, IOV, I8042, IovModel)

/* What a device has to say, oldest first. */
struct queue {
    uint8_t bytes[QUEUE_SIZE];
    uint8_t first;
    uint8_t count;
};

struct ps2 {
    struct queue queue;
    uint8_t awaits; /* a command whose argument comes next, or 0 */
};

struct _IovI8042 {
    IovModel parent_instance;
    struct iov_mem_target data;               /* port */
    struct iov_mem_target command;            /* port */
    struct iov_irq_source keyboard_interrupt; /* port */
    struct iov_irq_source aux_interrupt;      /* port */
    struct iov_irq_source a20;                /* port */
    struct iov_notify_source reset;           /* port */
    struct ps2 keyboard, aux;
    uint8_t mode;
    uint8_t status; /* without the output bits */
    uint8_t output_port;
    uint8_t awaits; /* controller command whose argument comes next, or 0 */
    uint8_t buffer;
    bool full;
    bool full_of_aux;
    uint64_t commands, resets; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovI8042, iov_i8042, IOV_TYPE_MODEL)

static void say(struct queue *queue, uint8_t byte)
{
    if (queue->count < QUEUE_SIZE)
        queue->bytes[(queue->first + queue->count++) % QUEUE_SIZE] = byte;
}

static uint8_t take(struct queue *queue)
{
    uint8_t byte = queue->bytes[queue->first];

    queue->first = (queue->first + 1) % QUEUE_SIZE;
    queue->count--;
    return byte;
}

/* The buffer takes the next byte of a device that may speak; the interrupts follow the buffer. */
static void update(IovI8042 *self)
{
    if (!self->full && self->keyboard.queue.count > 0 && !(self->mode & I8042_MODE_KEYBOARD_OFF)) {
        self->buffer = take(&self->keyboard.queue);
        self->full = true;
        self->full_of_aux = false;
    } else if (!self->full && self->aux.queue.count > 0 && !(self->mode & I8042_MODE_AUX_OFF)) {
        self->buffer = take(&self->aux.queue);
        self->full = true;
        self->full_of_aux = true;
    }
    self->output_port &= (uint8_t) ~(I8042_OUT_KEYBOARD_FULL | I8042_OUT_AUX_FULL);
    if (self->full)
        self->output_port |= self->full_of_aux ? I8042_OUT_AUX_FULL : I8042_OUT_KEYBOARD_FULL;
    iov_irq_set(&self->keyboard_interrupt,
                self->full && !self->full_of_aux && !(self->mode & I8042_MODE_KEYBOARD_OFF) &&
                    self->mode & I8042_MODE_KEYBOARD_INTERRUPT,
                NULL);
    iov_irq_set(&self->aux_interrupt,
                self->full && self->full_of_aux && self->mode & I8042_MODE_AUX_INTERRUPT, NULL);
}

/* The controller speaks itself, whatever the devices may do. */
static void answer(IovI8042 *self, uint8_t byte, bool aux)
{
    self->buffer = byte;
    self->full = true;
    self->full_of_aux = aux;
}

/* ---- The devices ---- */

static void keyboard_write(IovI8042 *self, uint8_t value)
{
    struct ps2 *keyboard = &self->keyboard;
    uint8_t awaits = keyboard->awaits;

    keyboard->awaits = 0;
    if (awaits != 0) {
        say(&keyboard->queue, PS2_ACK);
        if (awaits == 0xf0 && value == 0)
            say(&keyboard->queue, 2); /* the scan code set */
        return;
    }
    switch (value) {
    case 0xee: /* echo */
        say(&keyboard->queue, 0xee);
        break;
    case 0xf2: /* identify: an MF2 keyboard */
        say(&keyboard->queue, PS2_ACK);
        say(&keyboard->queue, 0xab);
        say(&keyboard->queue, self->mode & I8042_MODE_TRANSLATE ? 0x41 : 0x83);
        break;
    case 0xed: /* lamps, scan code set, repetition: an argument follows */
    case 0xf0:
    case 0xf3:
        keyboard->awaits = value;
        say(&keyboard->queue, PS2_ACK);
        break;
    case 0xf4: /* scanning on, off, defaults, key types */
    case 0xf5:
    case 0xf6:
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
        say(&keyboard->queue, PS2_ACK);
        break;
    case 0xff: /* reset */
        keyboard->queue.count = 0;
        say(&keyboard->queue, PS2_ACK);
        say(&keyboard->queue, PS2_TEST_PASSED);
        break;
    default:
        say(&keyboard->queue, PS2_RESEND);
        break;
    }
}

static void aux_write(IovI8042 *self, uint8_t value)
{
    struct ps2 *aux = &self->aux;
    uint8_t awaits = aux->awaits;

    aux->awaits = 0;
    say(&aux->queue, PS2_ACK);
    if (awaits != 0)
        return;
    switch (value) {
    case 0xe8: /* resolution and rate: an argument follows */
    case 0xf3:
        aux->awaits = value;
        break;
    case 0xe9: /* status: off, 4 counts a mm, 100 samples a s */
        say(&aux->queue, 0x00);
        say(&aux->queue, 0x02);
        say(&aux->queue, 0x64);
        break;
    case 0xf2: /* identify: a mouse without a wheel */
        say(&aux->queue, 0x00);
        break;
    case 0xff: /* reset */
        say(&aux->queue, PS2_TEST_PASSED);
        say(&aux->queue, 0x00);
        break;
    default:
        break;
    }
}

/* ---- The controller ---- */

static void machine_reset(IovI8042 *self)
{
    self->resets++;
    iov_notify_signal(&self->reset, NULL);
}

static void output_port_write(IovI8042 *self, uint8_t value)
{
    self->output_port = value;
    iov_irq_set(&self->a20, value & I8042_OUT_A20, NULL);
    if (!(value & I8042_OUT_RUN))
        machine_reset(self);
}

static void command_do(IovI8042 *self, uint8_t value)
{
    switch (value) {
    case I8042_READ_MODE:
        answer(self, self->mode, false);
        break;
    case I8042_WRITE_MODE:
    case I8042_WRITE_OUTPUT:
    case I8042_WRITE_KEYBOARD_BUFFER:
    case I8042_WRITE_AUX_BUFFER:
    case I8042_WRITE_AUX:
        self->awaits = value;
        break;
    case I8042_AUX_DISABLE:
        self->mode |= I8042_MODE_AUX_OFF;
        break;
    case I8042_AUX_ENABLE:
        self->mode &= (uint8_t)~I8042_MODE_AUX_OFF;
        break;
    case I8042_AUX_TEST:
    case I8042_KEYBOARD_TEST:
        answer(self, 0, false);
        break;
    case I8042_SELF_TEST:
        self->status |= I8042_STATUS_SYSTEM;
        answer(self, I8042_SELF_TEST_PASSED, false);
        break;
    case I8042_KEYBOARD_DISABLE:
        self->mode |= I8042_MODE_KEYBOARD_OFF;
        break;
    case I8042_KEYBOARD_ENABLE:
        self->mode &= (uint8_t)~I8042_MODE_KEYBOARD_OFF;
        break;
    case I8042_READ_INPUT:
        answer(self, 0x80, false); /* the lock is open */
        break;
    case I8042_READ_OUTPUT:
        answer(self, self->output_port, false);
        break;
    case I8042_A20_OFF:
        output_port_write(self, self->output_port & (uint8_t)~I8042_OUT_A20);
        break;
    case I8042_A20_ON:
        output_port_write(self, self->output_port | I8042_OUT_A20);
        break;
    default:
        if (value >= I8042_PULSE && !(value & I8042_OUT_RUN))
            machine_reset(self);
        break;
    }
}

static void data_do(IovI8042 *self, uint8_t value)
{
    uint8_t awaits = self->awaits;

    self->awaits = 0;
    switch (awaits) {
    case I8042_WRITE_MODE:
        self->mode = value;
        break;
    case I8042_WRITE_OUTPUT:
        output_port_write(self, value);
        break;
    case I8042_WRITE_KEYBOARD_BUFFER:
        answer(self, value, false);
        break;
    case I8042_WRITE_AUX_BUFFER:
        answer(self, value, true);
        break;
    case I8042_WRITE_AUX:
        self->mode &= (uint8_t)~I8042_MODE_AUX_OFF;
        aux_write(self, value);
        break;
    default:
        self->mode &= (uint8_t)~I8042_MODE_KEYBOARD_OFF; /* SPEC: a byte to it opens its clock */
        keyboard_write(self, value);
        break;
    }
}

/* ---- Ports ---- */

static uint8_t data_byte(void *device, unsigned port)
{
    IovI8042 *self = device;

    uint8_t value = self->buffer; /* an empty buffer keeps its last byte */

    (void)port;
    self->full = false;
    update(self);
    return value;
}

static void data_set(void *device, unsigned port, uint8_t value)
{
    (void)port;
    data_do(device, value);
    update(device);
}

static uint8_t command_byte(void *device, unsigned port)
{
    const IovI8042 *self = device;

    (void)port;
    return self->status |
           (self->full ? I8042_STATUS_OUTPUT | (self->full_of_aux ? I8042_STATUS_AUX : 0) : 0);
}

static void command_set(void *device, unsigned port, uint8_t value)
{
    IovI8042 *self = device;

    (void)port;
    self->commands++;
    self->awaits = 0;
    command_do(self, value);
    update(self);
}

static enum iov_status data_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, data_byte, iov_container_of(port, IovI8042, data));
}

static enum iov_status data_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, data_set, iov_container_of(port, IovI8042, data));
}

static enum iov_status command_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, command_byte, iov_container_of(port, IovI8042, command));
}

static enum iov_status command_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, command_set, iov_container_of(port, IovI8042, command));
}

static const struct iov_mem_target_ops data_ops = { .read = data_read, .write = data_write };
static const struct iov_mem_target_ops command_ops = { .read = command_read,
                                                       .write = command_write };

/* ---- Life ---- */

static void iov_i8042_reset(IovModel *model)
{
    IovI8042 *self = (IovI8042 *)(void *)model;

    self->keyboard = self->aux = (struct ps2){ 0 };
    self->mode = I8042_MODE_KEYBOARD_INTERRUPT | I8042_MODE_AUX_INTERRUPT;
    self->status = I8042_STATUS_COMMAND | I8042_STATUS_UNLOCKED;
    self->output_port = OUT_FIXED | I8042_OUT_RUN | I8042_OUT_A20;
    self->awaits = self->buffer = 0;
    self->full = self->full_of_aux = false;
    iov_irq_set(&self->a20, true, NULL);
    update(self);
}

static void iov_i8042_class_init(IovI8042Class *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "i8042", "Keyboard controller of a PC");
    IOV_PORT_MEM_TARGET(mc, IovI8042, data, &data_ops, "Port 0x60");
    IOV_PORT_MEM_TARGET(mc, IovI8042, command, &command_ops, "Port 0x64");
    IOV_PORT_IRQ_SOURCE(mc, IovI8042, keyboard_interrupt, "Interrupt line 1");
    IOV_PORT_IRQ_SOURCE(mc, IovI8042, aux_interrupt, "Interrupt line 12");
    IOV_PORT_IRQ_SOURCE(mc, IovI8042, a20, "Address line 20 is let through");
    IOV_PORT_NOTIFY_SOURCE(mc, IovI8042, reset, "Software asks for a reset of the machine");
    IOV_STAT(mc, IovI8042, commands, "Controller commands");
    IOV_STAT(mc, IovI8042, resets, "Resets asked for");
    mc->start = iov_i8042_reset;
    mc->reset = iov_i8042_reset;
}

static void iov_i8042_init(IovI8042 *self)
{
    self->data.size = 1;
    self->command.size = 1;
}
