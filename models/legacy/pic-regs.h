/* SPDX-License-Identifier: Apache-2.0 */
/* Command words of the 8259A interrupt controller and the edge/level registers of PC chipsets. */
#ifndef IOV_LEGACY_PIC_REGS_H
#define IOV_LEGACY_PIC_REGS_H

#define PIC_FIRST 0x20u  /* port of the first chip; the odd port follows */
#define PIC_SECOND 0xa0u /* port of the second */
#define PIC_ELCR \
    0x4d0u            /* RW: bit n set: input n of the first chip is level triggered; +1: second */
#define PIC_CASCADE 2 /* input of the first chip where the second sits */

/* Even port, bit 4 set: initialisation begins. */
#define PIC_ICW1 0x10u
#define PIC_ICW1_SINGLE 0x02u /* no ICW3 follows */
#define PIC_ICW1_ICW4 0x01u   /* ICW4 follows */
#define PIC_ICW2_VECTORS 0xf8u
#define PIC_ICW4_NESTED 0x10u /* special fully nested */
#define PIC_ICW4_AUTOMATIC_END 0x02u
#define PIC_ICW4_8086 0x01u

/* Even port, bits 4:3 = 00: OCW2. */
#define PIC_OCW2_COMMAND 0xe0u
#define PIC_OCW2_INPUT 0x07u
#define PIC_OCW2_ROTATE_AUTOMATIC_OFF 0x00u
#define PIC_OCW2_EOI 0x20u
#define PIC_OCW2_NOTHING 0x40u
#define PIC_OCW2_SPECIFIC_EOI 0x60u
#define PIC_OCW2_ROTATE_AUTOMATIC_ON 0x80u
#define PIC_OCW2_EOI_ROTATE 0xa0u
#define PIC_OCW2_SET_PRIORITY 0xc0u
#define PIC_OCW2_SPECIFIC_EOI_ROTATE 0xe0u

/* Even port, bits 4:3 = 01: OCW3. */
#define PIC_OCW3 0x08u
#define PIC_OCW3_MASK_COMMAND 0x40u
#define PIC_OCW3_SPECIAL_MASK 0x20u
#define PIC_OCW3_POLL 0x04u
#define PIC_OCW3_READ 0x02u
#define PIC_OCW3_SERVICE 0x01u /* read ISR, not IRR */

#define PIC_POLL_REQUEST 0x80u

/* SPEC: timer, keyboard, cascade, RTC and coprocessor are always edge triggered. */
#define PIC_ELCR1_WRITABLE 0xf8u
#define PIC_ELCR2_WRITABLE 0xdeu

#endif
