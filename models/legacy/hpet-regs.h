/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the high precision event timer. SPEC: IA-PC HPET 1.0a. All are 64 bits, accessed as
 * 32 or 64. */
#ifndef IOV_LEGACY_HPET_REGS_H
#define IOV_LEGACY_HPET_REGS_H

#define HPET_BASE 0xfed00000u
#define HPET_SIZE 0x400u

#define HPET_CAPABILITY 0x000
#define HPET_CAP_REVISION 0x01u
#define HPET_CAP_TIMERS_SHIFT 8 /* number less one */
#define HPET_CAP_64BIT 0x2000u
#define HPET_CAP_LEGACY 0x8000u
#define HPET_CAP_VENDOR 0x80860000u
#define HPET_CAP_PERIOD_SHIFT 32 /* fs */

#define HPET_CONFIGURATION 0x010
#define HPET_CFG_ENABLE 0x1u
#define HPET_CFG_LEGACY 0x2u
#define HPET_STATUS 0x020  /* W1C: level interrupts of the timers */
#define HPET_COUNTER 0x0f0 /* RW while halted */

#define HPET_TIMERS 0x100 /* timer n at 0x100 + 0x20 n */
#define HPET_TIMER_SIZE 0x20
#define HPET_TIMER_CONFIGURATION 0x00
#define HPET_TIMER_COMPARATOR 0x08
#define HPET_TIMER_MESSAGE 0x10 /* bits 63:32 address, 31:0 data */

#define HPET_TN_LEVEL 0x0002u
#define HPET_TN_ENABLE 0x0004u
#define HPET_TN_PERIODIC 0x0008u
#define HPET_TN_PERIODIC_CAP 0x0010u /* RO */
#define HPET_TN_64BIT_CAP 0x0020u    /* RO */
#define HPET_TN_SET 0x0040u          /* the next comparator write sets the accumulator, too */
#define HPET_TN_32BIT 0x0100u
#define HPET_TN_ROUTE_SHIFT 9
#define HPET_TN_MESSAGES 0x4000u
#define HPET_TN_MESSAGES_CAP 0x8000u /* RO */
#define HPET_TN_WRITABLE 0x7f4eu
#define HPET_TN_ROUTES_SHIFT 32 /* RO: lines that can be chosen */

#endif
