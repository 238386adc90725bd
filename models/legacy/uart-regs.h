/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of the 16550A serial port. */
#ifndef IOV_LEGACY_UART_REGS_H
#define IOV_LEGACY_UART_REGS_H

#define UART_COM1 0x3f8u
#define UART_SIZE 8u
#define UART_CLOCK 1843200u /* Hz; a bit takes 16 times the divisor */

#define UART_DATA 0    /* RO received, WO to send; with DLAB: low byte of the divisor */
#define UART_IER 1     /* RW; with DLAB: high byte of the divisor */
#define UART_IIR 2     /* RO */
#define UART_FCR 2     /* WO */
#define UART_LCR 3     /* RW */
#define UART_MCR 4     /* RW */
#define UART_LSR 5     /* RO */
#define UART_MSR 6     /* RO */
#define UART_SCRATCH 7 /* RW */

#define UART_IER_DATA 0x01u
#define UART_IER_EMPTY 0x02u
#define UART_IER_LINE 0x04u
#define UART_IER_MODEM 0x08u

#define UART_IIR_NONE 0x01u
#define UART_IIR_MODEM 0x00u
#define UART_IIR_EMPTY 0x02u
#define UART_IIR_DATA 0x04u
#define UART_IIR_LINE 0x06u
#define UART_IIR_TIMEOUT 0x0cu
#define UART_IIR_FIFO 0xc0u

#define UART_FCR_ENABLE 0x01u
#define UART_FCR_CLEAR_RECEIVE 0x02u
#define UART_FCR_CLEAR_SEND 0x04u
#define UART_FCR_TRIGGER_SHIFT 6

#define UART_LCR_STOP 0x04u
#define UART_LCR_PARITY 0x08u
#define UART_LCR_BREAK 0x40u
#define UART_LCR_DLAB 0x80u

#define UART_MCR_DTR 0x01u
#define UART_MCR_RTS 0x02u
#define UART_MCR_OUT1 0x04u
#define UART_MCR_OUT2 0x08u /* opens the way of the interrupt in a PC */
#define UART_MCR_LOOP 0x10u

#define UART_LSR_DATA 0x01u
#define UART_LSR_OVERRUN 0x02u
#define UART_LSR_ERRORS 0x1eu
#define UART_LSR_EMPTY 0x20u /* the holding register or FIFO */
#define UART_LSR_IDLE 0x40u  /* and the shifter */

#define UART_MSR_CHANGES 0x0fu
#define UART_MSR_RING_ENDED 0x04u
#define UART_MSR_CTS 0x10u
#define UART_MSR_DSR 0x20u
#define UART_MSR_RING 0x40u
#define UART_MSR_CARRIER 0x80u

#endif
