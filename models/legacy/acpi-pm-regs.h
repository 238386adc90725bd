/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI power-management block of the ICH9: offsets from PMBASE, and its bits. */
#ifndef IOV_LEGACY_ACPI_PM_REGS_H
#define IOV_LEGACY_ACPI_PM_REGS_H

#define ACPI_PM_SIZE 0x80u
#define ACPI_PM_FREQUENCY 3579545u /* Hz */

#define ACPI_PM1_STATUS 0x00  /* W1C, 16 bits */
#define ACPI_PM1_ENABLE 0x02  /* RW, 16 bits */
#define ACPI_PM1_CONTROL 0x04 /* RW, 32 bits */
#define ACPI_PM1_TIMER 0x08   /* RO, 32 bits of which 24 count */
#define ACPI_GPE0_STATUS 0x20 /* W1C, 64 bits */
#define ACPI_GPE0_ENABLE 0x28 /* RW, 64 bits */
#define ACPI_SMI_ENABLE 0x30  /* RW, 32 bits */
#define ACPI_SMI_STATUS 0x34  /* W1C, 32 bits */
#define ACPI_TCO 0x60         /* the watchdog: acpi-tco-private.h */

#define ACPI_TIMER_STATUS 0x0001u /* the timer's highest bit changed */
#define ACPI_GLOBAL_STATUS 0x0020u
#define ACPI_POWER_BUTTON 0x0100u
#define ACPI_RTC_STATUS 0x0400u
#define ACPI_PM1_EVENTS \
    (ACPI_TIMER_STATUS | ACPI_GLOBAL_STATUS | ACPI_POWER_BUTTON | ACPI_RTC_STATUS)

#define ACPI_CONTROL_SCI 0x0001u
#define ACPI_CONTROL_SLEEP_TYPE_SHIFT 10
#define ACPI_CONTROL_SLEEP 0x2000u /* WO */

#define ACPI_SMI_APM 0x0020u /* a write of port 0xB2 */
#define ACPI_SMI_TCO 0x2000u

#endif
