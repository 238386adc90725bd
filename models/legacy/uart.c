/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uart - a 16550A serial port whose line ends in a file.
 *
 * What software sends leaves byte by byte, each after the time of its bits at the divisor that is
 * set, and is appended to `output` ("-": standard output; empty: nowhere). In loop-back it comes
 * back into the receiver. The two FIFOs hold 16 bytes.
 *
 * SPEC: PC16550D data sheet. LIMIT: nothing is received from outside, so no line errors but
 * overrun; no character timeout; the modem on the other side is always ready.
 */
#include <stdio.h>

#include "core/object/model.h"
#include "models/legacy/ports-private.h"
#include "models/legacy/uart-regs.h"

#define FIFO_SIZE 16u

#define IOV_TYPE_UART (iov_uart_get_type())
G_DECLARE_FINAL_TYPE(IovUart, iov_uart, IOV, UART, IovModel)

struct fifo {
    uint8_t bytes[FIFO_SIZE];
    uint8_t first;
    uint8_t count;
};

struct _IovUart {
    IovModel parent_instance;
    char *output;                    /* property */
    struct iov_mem_target registers; /* port */
    struct iov_irq_source interrupt; /* port */
    struct iov_event sent;           /* armed while a byte is in the shifter */
    FILE *file;
    struct fifo send, receive;
    uint8_t shifter;
    bool empty_pending; /* the interrupt of the empty holding register was not taken yet */
    uint8_t enable, fifo_control, line_control, modem_control, line_status, modem_status, scratch;
    uint16_t divisor;
    uint64_t sent_bytes, overruns; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovUart, iov_uart, IOV_TYPE_MODEL)

static bool loops(const IovUart *self)
{
    return self->modem_control & UART_MCR_LOOP;
}

static unsigned depth_of(const IovUart *self)
{
    return self->fifo_control & UART_FCR_ENABLE ? FIFO_SIZE : 1;
}

static bool fifo_put(struct fifo *fifo, uint8_t byte, unsigned depth)
{
    if (fifo->count >= depth)
        return false;
    fifo->bytes[(fifo->first + fifo->count++) % FIFO_SIZE] = byte;
    return true;
}

static uint8_t fifo_take(struct fifo *fifo)
{
    uint8_t byte = fifo->bytes[fifo->first];

    fifo->first = (fifo->first + 1) % FIFO_SIZE;
    fifo->count--;
    return byte;
}

/* ---- Interrupts ---- */

static unsigned trigger_of(const IovUart *self)
{
    static const uint8_t triggers[] = { 1, 4, 8, 14 };

    return self->fifo_control & UART_FCR_ENABLE
               ? triggers[self->fifo_control >> UART_FCR_TRIGGER_SHIFT]
               : 1;
}

/* SPEC: the order of the causes. LIMIT: below the trigger, what a timeout would tell is told at
 * once. */
static uint8_t cause_of(const IovUart *self)
{
    if (self->enable & UART_IER_LINE && self->line_status & UART_LSR_ERRORS)
        return UART_IIR_LINE;
    if (self->enable & UART_IER_DATA && self->receive.count > 0)
        return self->receive.count >= trigger_of(self) ? UART_IIR_DATA : UART_IIR_TIMEOUT;
    if (self->enable & UART_IER_EMPTY && self->empty_pending)
        return UART_IIR_EMPTY;
    if (self->enable & UART_IER_MODEM && self->modem_status & UART_MSR_CHANGES)
        return UART_IIR_MODEM;
    return UART_IIR_NONE;
}

static void update(IovUart *self)
{
    bool open = self->modem_control & UART_MCR_OUT2 && !loops(self);

    iov_irq_set(&self->interrupt, open && cause_of(self) != UART_IIR_NONE, NULL);
}

/* ---- Sending ---- */

/* Start, data, parity and stop bits; one half bit more or less does not matter here. */
static iov_time byte_time(const IovUart *self)
{
    unsigned bits = 1 + 5 + (self->line_control & 3) + !!(self->line_control & UART_LCR_PARITY) +
                    1 + !!(self->line_control & UART_LCR_STOP);
    uint64_t divisor = self->divisor != 0 ? self->divisor : 1;

    return (iov_time)((unsigned __int128)IOV_SEC * 16 * divisor * bits / UART_CLOCK);
}

static void shifter_fill(IovUart *self)
{
    if (self->send.count == 0 || iov_event_armed(&self->sent))
        return;
    self->shifter = fifo_take(&self->send);
    iov_event_in(&self->sent, byte_time(self));
    if (self->send.count == 0) {
        self->line_status |= UART_LSR_EMPTY;
        self->empty_pending = true;
    }
}

static void on_sent(struct iov_event *event)
{
    IovUart *self = iov_container_of(event, IovUart, sent);

    self->sent_bytes++;
    if (loops(self)) {
        if (!fifo_put(&self->receive, self->shifter, depth_of(self))) {
            self->line_status |= UART_LSR_OVERRUN;
            self->overruns++;
        }
        self->line_status |= UART_LSR_DATA;
    } else if (self->file != NULL) {
        (void)fputc(self->shifter, self->file);
        (void)fflush(self->file);
    }
    shifter_fill(self);
    if (!iov_event_armed(&self->sent))
        self->line_status |= UART_LSR_IDLE;
    update(self);
}

static void data_write(IovUart *self, uint8_t value)
{
    if (!fifo_put(&self->send, value, depth_of(self))) /* SPEC: the last one is written over */
        self->send.bytes[(self->send.first + self->send.count - 1u) % FIFO_SIZE] = value;
    self->line_status &= (uint8_t) ~(UART_LSR_EMPTY | UART_LSR_IDLE);
    self->empty_pending = false;
    shifter_fill(self);
}

/* ---- Registers ---- */

static uint8_t data_read(IovUart *self)
{
    uint8_t value = self->receive.count > 0 ? fifo_take(&self->receive) : 0;

    if (self->receive.count == 0)
        self->line_status &= (uint8_t)~UART_LSR_DATA;
    return value;
}

/* In loop-back the control outputs are the status inputs. */
static uint8_t modem_lines(const IovUart *self)
{
    uint8_t control = self->modem_control;

    if (!loops(self))
        return UART_MSR_CARRIER | UART_MSR_DSR | UART_MSR_CTS;
    return (control & UART_MCR_DTR ? UART_MSR_DSR : 0) |
           (control & UART_MCR_RTS ? UART_MSR_CTS : 0) |
           (control & UART_MCR_OUT1 ? UART_MSR_RING : 0) |
           (control & UART_MCR_OUT2 ? UART_MSR_CARRIER : 0);
}

static void modem_control_write(IovUart *self, uint8_t value)
{
    uint8_t before = self->modem_status >> 4, after;

    self->modem_control = value & 0x1f;
    after = modem_lines(self) >> 4;
    self->modem_status = (uint8_t)(after << 4 | (self->modem_status & UART_MSR_CHANGES) |
                                   ((before ^ after) & (UART_MSR_CHANGES & ~UART_MSR_RING_ENDED)) |
                                   (before & ~after & UART_MSR_RING_ENDED));
}

static void fifo_control_write(IovUart *self, uint8_t value)
{
    bool changes = (value ^ self->fifo_control) & UART_FCR_ENABLE;

    if (value & UART_FCR_CLEAR_RECEIVE || changes) {
        self->receive.count = 0;
        self->line_status &= (uint8_t)~UART_LSR_DATA;
    }
    if (value & UART_FCR_CLEAR_SEND || changes) {
        self->send.count = 0;
        self->line_status |= UART_LSR_EMPTY;
        self->empty_pending = true;
    }
    self->fifo_control = value & UART_FCR_ENABLE ? value & 0xc9 : 0;
}

static uint8_t cause_read(IovUart *self)
{
    uint8_t cause = cause_of(self);

    if (cause == UART_IIR_EMPTY)
        self->empty_pending = false;
    return cause | (self->fifo_control & UART_FCR_ENABLE ? UART_IIR_FIFO : 0);
}

static uint8_t register_byte(void *device, unsigned port)
{
    IovUart *self = device;
    bool divisor = self->line_control & UART_LCR_DLAB;
    uint8_t value = 0;

    switch (port) {
    case UART_DATA:
        value = divisor ? (uint8_t)self->divisor : data_read(self);
        break;
    case UART_IER:
        value = divisor ? self->divisor >> 8 : self->enable;
        break;
    case UART_IIR:
        value = cause_read(self);
        break;
    case UART_LCR:
        value = self->line_control;
        break;
    case UART_MCR:
        value = self->modem_control;
        break;
    case UART_LSR:
        value = self->line_status;
        self->line_status &= (uint8_t)~UART_LSR_ERRORS;
        break;
    case UART_MSR:
        value = self->modem_status;
        self->modem_status &= (uint8_t)~UART_MSR_CHANGES;
        break;
    default:
        value = self->scratch;
        break;
    }
    update(self);
    return value;
}

static void enable_write(IovUart *self, uint8_t value)
{
    uint8_t risen = value & (uint8_t)~self->enable;

    self->enable = value & 0x0f;
    if (risen & UART_IER_EMPTY && self->line_status & UART_LSR_EMPTY)
        self->empty_pending = true; /* SPEC: enabling it tells of an empty register */
}

static void register_set(void *device, unsigned port, uint8_t value)
{
    IovUart *self = device;
    bool divisor = self->line_control & UART_LCR_DLAB;

    switch (port) {
    case UART_DATA:
        if (divisor)
            self->divisor = (self->divisor & 0xff00) | value;
        else
            data_write(self, value);
        break;
    case UART_IER:
        if (divisor)
            self->divisor = (uint16_t)((self->divisor & 0xff) | value << 8);
        else
            enable_write(self, value);
        break;
    case UART_FCR:
        fifo_control_write(self, value);
        break;
    case UART_LCR:
        self->line_control = value;
        break;
    case UART_MCR:
        modem_control_write(self, value);
        break;
    case UART_SCRATCH:
        self->scratch = value;
        break;
    default: /* status registers */
        break;
    }
    update(self);
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, register_byte, iov_container_of(port, IovUart, registers));
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, register_set, iov_container_of(port, IovUart, registers));
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- Life ---- */

static void iov_uart_reset(IovModel *model)
{
    IovUart *self = (IovUart *)(void *)model;

    iov_event_disarm(&self->sent);
    self->send.count = self->receive.count = 0;
    self->empty_pending = false;
    self->enable = self->fifo_control = self->line_control = self->scratch = 0;
    self->modem_control = UART_MCR_OUT2;
    self->line_status = UART_LSR_EMPTY | UART_LSR_IDLE;
    self->modem_status = modem_lines(self);
    self->divisor = 12; /* 9600 bit/s */
    update(self);
}

static bool iov_uart_realize(IovModel *model, GError **error)
{
    IovUart *self = (IovUart *)(void *)model;

    iov_event_init(&self->sent, model->kernel, on_sent, IOV_PRIORITY_DEFAULT);
    if (strcmp(self->output, "-") == 0)
        self->file = stdout;
    else if (self->output[0] != '\0' && (self->file = fopen(self->output, "ab")) == NULL)
        return iov_model_fail(model, error, "output: cannot open '%s'", self->output);
    iov_uart_reset(model);
    return true;
}

static void iov_uart_unrealize(IovModel *model)
{
    IovUart *self = (IovUart *)(void *)model;

    iov_event_disarm(&self->sent);
    if (self->file != NULL && self->file != stdout)
        (void)fclose(self->file);
    self->file = NULL;
}

static void iov_uart_class_init(IovUartClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "uart", "A 16550A serial port that writes to a file");
    IOV_PROP_STRING(mc, IovUart, output, "", "File it appends to; - is standard output");
    IOV_PORT_MEM_TARGET(mc, IovUart, registers, &registers_ops, "Eight ports, at 0x3F8 for COM1");
    IOV_PORT_IRQ_SOURCE(mc, IovUart, interrupt, "Interrupt line 4 for COM1");
    IOV_STAT(mc, IovUart, sent_bytes, "Bytes sent");
    IOV_STAT(mc, IovUart, overruns, "Bytes lost in loop-back");
    mc->realize = iov_uart_realize;
    mc->unrealize = iov_uart_unrealize;
    mc->reset = iov_uart_reset;
}

static void iov_uart_init(IovUart *self)
{
    self->registers.size = UART_SIZE;
}
