/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCO watchdog of an ICH9, 32 ports inside the power-management block: a countdown in ticks of
 * 0.6 s, two timeouts to a reset, mailbox bytes. Embedded in acpi-pm, which owns its interrupts.
 *
 * SPEC: I/O Controller Hub 9 data sheet, 13.9. LIMIT: the countdown begins with the first reload or
 * write of the control register, not with reset; no intruder, no interrupt by the mailbox.
 */
#ifndef IOV_LEGACY_ACPI_TCO_PRIVATE_H
#define IOV_LEGACY_ACPI_TCO_PRIVATE_H

#include "core/kernel/kernel.h"

#define TCO_SIZE 0x20u
#define TCO_TICK (600 * IOV_MS)

#define TCO_RELOAD 0x00        /* RW 16: what is left; a write starts anew */
#define TCO_DATA_IN 0x02       /* RW 8: from software to the management firmware */
#define TCO_DATA_OUT 0x03      /* RW 8: back */
#define TCO_STATUS1 0x04       /* W1C 16 */
#define TCO_STATUS2 0x06       /* W1C 16 */
#define TCO_CONTROL1 0x08      /* RW 16 */
#define TCO_CONTROL2 0x0a      /* RW 16 */
#define TCO_MESSAGES 0x0c      /* RW 2 times 8 */
#define TCO_WATCHDOG_CODE 0x0e /* RW 8 */
#define TCO_SOFTWARE_IRQ 0x10  /* RW 8 */
#define TCO_TIMER 0x12         /* RW 16: ticks, bits 9:0 */

#define TCO_STATUS1_SMI 0x0002u /* data-in was written */
#define TCO_STATUS1_INTERRUPT 0x0004u
#define TCO_STATUS1_TIMEOUT 0x0008u
#define TCO_STATUS2_SECOND 0x0002u
#define TCO_STATUS2_BOOT 0x0004u
#define TCO_CONTROL1_HALT 0x0800u
#define TCO_CONTROL1_LOCK 0x1000u
#define TCO_CONTROL1_WRITABLE 0xfeffu
#define TCO_TIMER_TICKS 0x03ffu

struct acpi_tco;

/* What the watchdog asks of its owner. */
struct acpi_tco_ops {
    void (*management)(struct acpi_tco *tco); /* a system management interrupt, if enabled */
    void (*expired)(struct acpi_tco *tco);    /* the second timeout: reset, if allowed */
};

struct acpi_tco {
    const struct acpi_tco_ops *ops;
    struct iov_event timeout; /* armed while it counts down */
    uint8_t bytes[TCO_SIZE];
    uint8_t timeouts; /* since software last reloaded */
};

void acpi_tco_init(struct acpi_tco *tco, struct iov_kernel *kernel, const struct acpi_tco_ops *ops);
void acpi_tco_reset(struct acpi_tco *tco);
uint8_t acpi_tco_read(const struct acpi_tco *tco, unsigned port);
/* A byte write; what a 16-bit register does, it does when its higher byte, or only byte,
 * arrives. */
void acpi_tco_write(struct acpi_tco *tco, unsigned port, uint8_t value);

#endif
