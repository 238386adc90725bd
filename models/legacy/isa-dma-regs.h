/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the 8237 DMA controller. The second controller of a PC has them at every other
 * port. */
#ifndef IOV_LEGACY_ISA_DMA_REGS_H
#define IOV_LEGACY_ISA_DMA_REGS_H

#define ISA_DMA_FIRST 0x00u
#define ISA_DMA_SECOND 0xc0u

/* Channel n: address at 2n, count at 2n + 1, low byte first (a flip-flop tells which is next). */
#define ISA_DMA_COMMAND 0x08  /* WO; read: status */
#define ISA_DMA_STATUS 0x08   /* 3:0 terminal counts, cleared by reading; 7:4 requests */
#define ISA_DMA_REQUEST 0x09  /* WO: bit 2 sets or clears the request of channel 1:0 */
#define ISA_DMA_MASK_ONE 0x0a /* WO: the same for a mask bit */
#define ISA_DMA_MODE 0x0b     /* WO: mode of channel 1:0 */
#define ISA_DMA_CLEAR_FLIP_FLOP 0x0c
#define ISA_DMA_CLEAR 0x0d /* WO; read: temporary register */
#define ISA_DMA_CLEAR_MASK 0x0e
#define ISA_DMA_MASK 0x0f /* RW: mask bits 3:0 */

#define ISA_DMA_CHANNEL 0x03u
#define ISA_DMA_SET 0x04u

#endif
