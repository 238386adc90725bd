/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi-pm - the ACPI fixed hardware of an ICH9: events, control, power-management timer, general
 * purpose events, SMI control, and the two APM ports.
 *
 * The timer is a function of time, 24 bits at 3.579545 MHz; an event is armed for the next change
 * of its highest bit only while that can interrupt. Where the block lies in I/O space is decided by
 * a register of the LPC bridge, which moves the window of port `registers`.
 *
 * SPEC: ACPI 6, chapter 4.8; I/O Controller Hub 9 data sheet, 13.8. LIMIT: there is no firmware:
 * the values that hand over to ACPI and back (2 and 3 at port 0xB2) act on SCI_EN at once. Reserved
 * bits of enable registers are kept as written; the registers of general purpose SMIs and of device
 * monitors are not there and read as ones.
 */
#include "core/object/model.h"
#include "models/legacy/acpi-pm-regs.h"
#include "models/legacy/acpi-tco-private.h"
#include "models/legacy/ports-private.h"

#define GPES 64u
#define TIMER_MASK 0xffffffu
#define TIMER_HALF 0x800000u
#define APM_ACPI_ON 2
#define APM_ACPI_OFF 3

#define IOV_TYPE_ACPI_PM (iov_acpi_pm_get_type())
G_DECLARE_FINAL_TYPE(IovAcpiPm, iov_acpi_pm, IOV, ACPI_PM, IovModel)

struct gpe {
    struct iov_irq_sink sink; /* port element */
    uint16_t index;
};

struct _IovAcpiPm {
    IovModel parent_instance;
    bool timer_status;               /* property */
    bool sci_always;                 /* property */
    bool watchdog_resets;            /* property */
    struct iov_mem_target registers; /* port */
    struct iov_mem_target apm;       /* port */
    struct iov_irq_sink button;      /* port */
    struct gpe events[GPES];         /* port */
    struct iov_irq_source sci;       /* port */
    struct iov_irq_source smi;       /* port */
    struct iov_notify_source sleep;  /* port */
    struct iov_notify_source reset;  /* port */
    struct acpi_tco tco;
    struct iov_event change; /* of the timer's highest bit */
    uint16_t status;         /* without the timer's */
    uint16_t enable;
    uint16_t control;
    uint64_t change_tick; /* of the next change of the highest bit that sets the status */
    uint64_t gpe_status;
    uint64_t gpe_enable;
    uint32_t smi_enable;
    uint32_t smi_status;
    uint8_t apm_bytes[2];
    uint64_t scis, smis, sleeps, watchdogs; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovAcpiPm, iov_acpi_pm, IOV_TYPE_MODEL)

/* ---- The timer ---- */

static uint64_t timer_ticks(const IovAcpiPm *self)
{
    return (uint64_t)((unsigned __int128)iov_now(self->parent_instance.kernel) * ACPI_PM_FREQUENCY /
                      IOV_SEC);
}

static uint16_t status_now(const IovAcpiPm *self)
{
    return self->status | (timer_ticks(self) >= self->change_tick ? ACPI_TIMER_STATUS : 0);
}

/* SPEC: status and enable of one event together assert the interrupt. */
static void update(IovAcpiPm *self)
{
    uint16_t status = status_now(self);
    bool wanted = (status & self->enable & ACPI_PM1_EVENTS) != 0 ||
                  (self->gpe_status & self->gpe_enable) != 0;
    bool level = wanted && (self->sci_always || self->control & ACPI_CONTROL_SCI);

    iov_event_disarm(&self->change);
    if (self->enable & ACPI_TIMER_STATUS && !(status & ACPI_TIMER_STATUS)) {
        unsigned __int128 scaled = (unsigned __int128)self->change_tick * IOV_SEC;

        iov_event_at(&self->change,
                     (iov_time)((scaled + ACPI_PM_FREQUENCY - 1) / ACPI_PM_FREQUENCY));
    }
    self->scis += level && !self->sci.level;
    iov_irq_set(&self->sci, level, NULL);
}

static void on_change(struct iov_event *event)
{
    update(iov_container_of(event, IovAcpiPm, change));
}

/* ---- Inputs ---- */

static void button_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovAcpiPm *self = iov_container_of(sink, IovAcpiPm, button);

    (void)span;
    if (level)
        self->status |= ACPI_POWER_BUTTON;
    update(self);
}

static void gpe_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct gpe *gpe = iov_container_of(sink, struct gpe, sink);
    IovAcpiPm *self = iov_container_of(gpe - gpe->index, IovAcpiPm, events);

    (void)span;
    if (level)
        self->gpe_status |= UINT64_C(1) << gpe->index;
    update(self);
}

static const struct iov_irq_sink_ops button_ops = { .set = button_set };
static const struct iov_irq_sink_ops gpe_ops = { .set = gpe_set };

/* ---- Management interrupts and the watchdog ---- */

static void management_interrupt(IovAcpiPm *self, uint32_t cause)
{
    if (!(self->smi_enable & cause))
        return;
    self->smis++;
    self->smi_status |= cause;
    iov_irq_set(&self->smi, true, NULL);
    iov_irq_set(&self->smi, false, NULL);
}

static void tco_management(struct acpi_tco *tco)
{
    management_interrupt(iov_container_of(tco, IovAcpiPm, tco), ACPI_SMI_TCO);
}

static void tco_expired(struct acpi_tco *tco)
{
    IovAcpiPm *self = iov_container_of(tco, IovAcpiPm, tco);

    self->watchdogs++;
    if (self->watchdog_resets)
        iov_notify_signal(&self->reset, NULL);
}

static const struct acpi_tco_ops tco_ops = { .management = tco_management, .expired = tco_expired };

/* ---- Registers, byte by byte ---- */

static uint8_t register_byte(void *device, unsigned port)
{
    const IovAcpiPm *self = device;
    uint64_t value = 0;
    unsigned first = port & ~7u;

    switch (first) {
    case ACPI_PM1_STATUS:
        value = status_now(self) | (uint32_t)self->enable << 16 | (uint64_t)self->control << 32;
        break;
    case ACPI_PM1_TIMER:
        value = timer_ticks(self) & TIMER_MASK;
        break;
    case ACPI_GPE0_STATUS:
        value = self->gpe_status;
        break;
    case ACPI_GPE0_ENABLE:
        value = self->gpe_enable;
        break;
    case ACPI_SMI_ENABLE:
        value = self->smi_enable | (uint64_t)self->smi_status << 32;
        break;
    default:
        return port >= ACPI_TCO ? acpi_tco_read(&self->tco, port - ACPI_TCO) : 0xff;
    }
    return (uint8_t)(value >> (port & 7) * 8);
}

static void status_clear(IovAcpiPm *self, uint16_t bits)
{
    if (bits & ACPI_TIMER_STATUS && status_now(self) & ACPI_TIMER_STATUS)
        self->change_tick = (timer_ticks(self) & ~(uint64_t)(TIMER_HALF - 1)) + TIMER_HALF;
    self->status &= (uint16_t)~bits;
}

static void control_set(IovAcpiPm *self, uint16_t value)
{
    self->control = value & (uint16_t)~ACPI_CONTROL_SLEEP;
    if (value & ACPI_CONTROL_SLEEP) {
        self->sleeps++;
        iov_notify_signal(&self->sleep, NULL);
    }
}

static void register_set(void *device, unsigned port, uint8_t value)
{
    IovAcpiPm *self = device;
    unsigned shift = (port & 7) * 8;
    uint64_t mask = UINT64_C(0xff) << shift, bits = (uint64_t)value << shift;

    switch (port & ~7u) {
    case ACPI_PM1_STATUS:
        status_clear(self, (uint16_t)bits);
        self->enable = (uint16_t)((self->enable & ~(mask >> 16)) | bits >> 16);
        if ((uint16_t)(mask >> 32) != 0)
            control_set(self, (uint16_t)((self->control & ~(mask >> 32)) | bits >> 32));
        break;
    case ACPI_GPE0_STATUS:
        self->gpe_status &= ~bits;
        break;
    case ACPI_GPE0_ENABLE:
        self->gpe_enable = (self->gpe_enable & ~mask) | bits;
        break;
    case ACPI_SMI_ENABLE:
        self->smi_enable = (uint32_t)((self->smi_enable & ~mask) | bits);
        self->smi_status &= (uint32_t) ~(bits >> 32);
        break;
    default:
        if (port >= ACPI_TCO)
            acpi_tco_write(&self->tco, port - ACPI_TCO, value);
        break;
    }
    update(self);
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, register_byte, iov_container_of(port, IovAcpiPm, registers));
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, register_set, iov_container_of(port, IovAcpiPm, registers));
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- The APM ports: control at 0xB2, status at 0xB3 ---- */

static uint8_t apm_byte(void *device, unsigned port)
{
    return ((IovAcpiPm *)device)->apm_bytes[port];
}

static void apm_set(void *device, unsigned port, uint8_t value)
{
    IovAcpiPm *self = device;

    self->apm_bytes[port] = value;
    if (port != 0)
        return;
    if (value == APM_ACPI_ON)
        self->control |= ACPI_CONTROL_SCI;
    else if (value == APM_ACPI_OFF)
        self->control &= (uint16_t)~ACPI_CONTROL_SCI;
    else
        management_interrupt(self, ACPI_SMI_APM);
    update(self);
}

static enum iov_status apm_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, apm_byte, iov_container_of(port, IovAcpiPm, apm));
}

static enum iov_status apm_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, apm_set, iov_container_of(port, IovAcpiPm, apm));
}

static const struct iov_mem_target_ops apm_ops = { .read = apm_read, .write = apm_write };

/* ---- Life ---- */

static void iov_acpi_pm_reset(IovModel *model)
{
    IovAcpiPm *self = (IovAcpiPm *)(void *)model;

    self->status = self->enable = self->control = 0;
    self->change_tick =
        self->timer_status ? 0 : (timer_ticks(self) & ~(uint64_t)(TIMER_HALF - 1)) + TIMER_HALF;
    self->gpe_status = self->gpe_enable = 0;
    self->smi_enable = self->smi_status = 0;
    memset(self->apm_bytes, 0, sizeof self->apm_bytes);
    acpi_tco_reset(&self->tco);
    update(self);
}

static bool iov_acpi_pm_realize(IovModel *model, GError **error)
{
    IovAcpiPm *self = (IovAcpiPm *)(void *)model;

    (void)error;
    iov_event_init(&self->change, model->kernel, on_change, IOV_PRIORITY_DEFAULT);
    acpi_tco_init(&self->tco, model->kernel, &tco_ops);
    self->change_tick = self->timer_status ? 0 : TIMER_HALF;
    return true;
}

static void iov_acpi_pm_unrealize(IovModel *model)
{
    iov_event_disarm(&((IovAcpiPm *)(void *)model)->change);
    iov_event_disarm(&((IovAcpiPm *)(void *)model)->tco.timeout);
}

static void iov_acpi_pm_class_init(IovAcpiPmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "acpi-pm", "ACPI power management of an ICH9");
    IOV_PROP_BOOL(mc, IovAcpiPm, timer_status, false,
                  "The timer's status bit is set after reset, until software clears it");
    IOV_PROP_BOOL(mc, IovAcpiPm, sci_always, false, "Events interrupt even while SCI_EN is clear");
    IOV_PROP_BOOL(mc, IovAcpiPm, watchdog_resets, false,
                  "The watchdog's second timeout asks for a reset");
    IOV_PORT_MEM_TARGET(mc, IovAcpiPm, registers, &registers_ops, "128 ports at PMBASE");
    IOV_PORT_MEM_TARGET(mc, IovAcpiPm, apm, &apm_ops, "Two ports at 0xB2");
    IOV_PORT_IRQ_SINK(mc, IovAcpiPm, button, &button_ops, "Power button, pressed");
    IOV_ROW_PORT(mc, IovAcpiPm, events, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, GPES, sizeof(struct gpe),
                 &gpe_ops, "General purpose events");
    IOV_PORT_IRQ_SOURCE(mc, IovAcpiPm, sci, "System control interrupt: line 9");
    IOV_PORT_IRQ_SOURCE(mc, IovAcpiPm, smi, "System management interrupt: a pulse");
    IOV_PORT_NOTIFY_SOURCE(mc, IovAcpiPm, sleep, "Software asked for a sleep state");
    IOV_PORT_NOTIFY_SOURCE(mc, IovAcpiPm, reset, "The watchdog asks for a reset of the machine");
    IOV_STAT(mc, IovAcpiPm, scis, "System control interrupts");
    IOV_STAT(mc, IovAcpiPm, smis, "System management interrupts");
    IOV_STAT(mc, IovAcpiPm, sleeps, "Requests to sleep");
    IOV_STAT(mc, IovAcpiPm, watchdogs, "Second timeouts of the watchdog");
    mc->realize = iov_acpi_pm_realize;
    mc->unrealize = iov_acpi_pm_unrealize;
    mc->reset = iov_acpi_pm_reset;
}

static void iov_acpi_pm_init(IovAcpiPm *self)
{
    self->registers.size = ACPI_PM_SIZE;
    self->apm.size = 2;
    for (unsigned i = 0; i < GPES; i++)
        self->events[i].index = (uint16_t)i;
}
