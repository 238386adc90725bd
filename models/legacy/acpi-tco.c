/* SPDX-License-Identifier: Apache-2.0 */
/* The TCO watchdog of an ICH9: see acpi-tco-private.h. */
#include "models/legacy/acpi-tco-private.h"

#include <string.h>

static uint16_t word_of(const struct acpi_tco *tco, unsigned port)
{
    return (uint16_t)(tco->bytes[port] | tco->bytes[port + 1] << 8);
}

static void word_put(struct acpi_tco *tco, unsigned port, unsigned value)
{
    tco->bytes[port] = (uint8_t)value;
    tco->bytes[port + 1] = (uint8_t)(value >> 8);
}

static void countdown_begin(struct acpi_tco *tco)
{
    unsigned ticks = word_of(tco, TCO_TIMER) & TCO_TIMER_TICKS;

    iov_event_disarm(&tco->timeout);
    if (ticks == 0 || word_of(tco, TCO_CONTROL1) & TCO_CONTROL1_HALT)
        return;
    word_put(tco, TCO_RELOAD, ticks);
    iov_event_in(&tco->timeout, ticks * TCO_TICK);
}

static void on_timeout(struct iov_event *event)
{
    struct acpi_tco *tco = iov_container_of(event, struct acpi_tco, timeout);

    tco->bytes[TCO_STATUS1] |= TCO_STATUS1_TIMEOUT;
    if (++tco->timeouts == 2) {
        tco->timeouts = 0;
        tco->bytes[TCO_STATUS2] |= TCO_STATUS2_SECOND | TCO_STATUS2_BOOT;
        tco->ops->expired(tco);
    }
    tco->ops->management(tco);
    countdown_begin(tco);
}

/* The ticks that are left, begun ones included. */
static uint16_t reload_now(const struct acpi_tco *tco)
{
    iov_time left;

    if (!iov_event_armed(&tco->timeout))
        return word_of(tco, TCO_RELOAD);
    left = tco->timeout.when - iov_now(tco->timeout.kernel);
    return (uint16_t)(left / TCO_TICK);
}

uint8_t acpi_tco_read(const struct acpi_tco *tco, unsigned port)
{
    if (port == TCO_RELOAD || port == TCO_RELOAD + 1)
        return (uint8_t)(reload_now(tco) >> 8 * (port & 1));
    return tco->bytes[port];
}

static void control1_write(struct acpi_tco *tco, unsigned port, uint8_t value)
{
    uint8_t writable = (uint8_t)(TCO_CONTROL1_WRITABLE >> 8 * (port & 1));
    uint8_t lock = tco->bytes[port] & (port & 1 ? TCO_CONTROL1_LOCK >> 8 : 0);

    tco->bytes[port] = (value & writable) | lock; /* SPEC: the lock stays until reset */
    if (port & 1)
        countdown_begin(tco);
}

void acpi_tco_write(struct acpi_tco *tco, unsigned port, uint8_t value)
{
    switch (port) {
    case TCO_RELOAD: /* SPEC: any value starts it anew */
        tco->timeouts = 0;
        countdown_begin(tco);
        break;
    case TCO_DATA_IN:
        tco->bytes[port] = value;
        tco->bytes[TCO_STATUS1] |= TCO_STATUS1_SMI;
        tco->ops->management(tco);
        break;
    case TCO_DATA_OUT:
        tco->bytes[port] = value;
        tco->bytes[TCO_STATUS1] |= TCO_STATUS1_INTERRUPT;
        break;
    case TCO_STATUS1:
    case TCO_STATUS1 + 1:
    case TCO_STATUS2:
    case TCO_STATUS2 + 1:
        tco->bytes[port] &= (uint8_t)~value;
        break;
    case TCO_CONTROL1:
    case TCO_CONTROL1 + 1:
        control1_write(tco, port, value);
        break;
    case TCO_TIMER + 1:
        tco->bytes[port] = value & (TCO_TIMER_TICKS >> 8);
        break;
    case TCO_CONTROL2:
    case TCO_CONTROL2 + 1:
    case TCO_MESSAGES:
    case TCO_MESSAGES + 1:
    case TCO_WATCHDOG_CODE:
    case TCO_SOFTWARE_IRQ:
    case TCO_TIMER:
        tco->bytes[port] = value;
        break;
    default:
        break;
    }
}

void acpi_tco_init(struct acpi_tco *tco, struct iov_kernel *kernel, const struct acpi_tco_ops *ops)
{
    tco->ops = ops;
    iov_event_init(&tco->timeout, kernel, on_timeout, IOV_PRIORITY_DEFAULT);
    acpi_tco_reset(tco);
}

void acpi_tco_reset(struct acpi_tco *tco)
{
    iov_event_disarm(&tco->timeout);
    tco->timeouts = 0;
    memset(tco->bytes, 0, sizeof tco->bytes);
    tco->bytes[TCO_CONTROL2] = 0x08;
    tco->bytes[TCO_SOFTWARE_IRQ] = 0x03;
    tco->bytes[TCO_TIMER] = 0x04;
}
