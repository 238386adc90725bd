/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the `edu` educational PCI device, facts of its public description: BAR 0, 1 MiB,
 * little-endian. Below EDU_WIDE accesses have 4 bytes, from there on 4 or 8.
 */
#ifndef IOV_EDU_REGS_H
#define IOV_EDU_REGS_H

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_BAR_SIZE 0x100000

#define EDU_ID 0x00               /* RO: 0xRRrr00ed: major and minor version */
#define EDU_LIVENESS 0x04         /* RW: reads the inverse of what was written */
#define EDU_FACTORIAL 0x08        /* RW: n; n! when EDU_STATUS_COMPUTING is clear again */
#define EDU_STATUS 0x20           /* RW */
#define EDU_INTERRUPT_STATUS 0x24 /* RO: what has raised the interrupt */
#define EDU_INTERRUPT_RAISE 0x60  /* WO: ORed into the interrupt status */
#define EDU_INTERRUPT_ACK 0x64    /* WO: these bits are cleared there */
#define EDU_WIDE 0x80
#define EDU_DMA_SOURCE 0x80      /* RW 64 */
#define EDU_DMA_DESTINATION 0x88 /* RW 64 */
#define EDU_DMA_COUNT 0x90       /* RW 64: bytes */
#define EDU_DMA_COMMAND 0x98     /* RW */

#define EDU_ID_VALUE 0x010000edu

#define EDU_STATUS_COMPUTING 0x01u /* RO */
#define EDU_STATUS_INTERRUPT 0x80u /* interrupt after the factorial */

#define EDU_DMA_START 0x01u
#define EDU_DMA_TO_MEMORY 0x02u /* else from memory */
#define EDU_DMA_INTERRUPT 0x04u

#define EDU_INTERRUPT_FACTORIAL 0x001u
#define EDU_INTERRUPT_DMA 0x100u

#define EDU_BUFFER 0x40000 /* the device's end of a transfer: an address of the DMA engine only */
#define EDU_BUFFER_SIZE 4096

#endif
