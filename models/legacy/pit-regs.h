/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the 8254 interval timer of a PC, and of port 0x61 that goes with it. */
#ifndef IOV_LEGACY_PIT_REGS_H
#define IOV_LEGACY_PIT_REGS_H

#define PIT_BASE 0x40u
#define PIT_FREQUENCY 1193182u /* Hz */

#define PIT_COUNTER 0 /* RW: counters 0 to 2 at ports 0 to 2 */
#define PIT_CONTROL 3 /* WO */

/* Control word. */
#define PIT_SELECT_SHIFT 6 /* counter, or 3: read-back command */
#define PIT_READ_BACK 3u
#define PIT_ACCESS_SHIFT 4
#define PIT_ACCESS 3u
#define PIT_ACCESS_LATCH 0u
#define PIT_ACCESS_LOW 1u
#define PIT_ACCESS_HIGH 2u
#define PIT_ACCESS_BOTH 3u
#define PIT_MODE_SHIFT 1
#define PIT_MODE 7u
#define PIT_BCD 1u

/* Read-back command: bits 3:1 choose counters. */
#define PIT_READ_BACK_NO_COUNT 0x20u
#define PIT_READ_BACK_NO_STATUS 0x10u

/* Status byte; bits 5:0 as in the control word. */
#define PIT_STATUS_OUT 0x80u
#define PIT_STATUS_NULL 0x40u

/* Port 0x61. */
#define NMI_STATUS 0x61u
#define NMI_STATUS_GATE 0x01u    /* RW: gate of counter 2 */
#define NMI_STATUS_SPEAKER 0x02u /* RW */
#define NMI_STATUS_WRITABLE 0x0fu
#define NMI_STATUS_REFRESH 0x10u /* RO: toggles */
#define NMI_STATUS_OUT 0x20u     /* RO: output of counter 2 */

#endif
