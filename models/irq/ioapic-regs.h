/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register map of the I/O APIC (82093AA and its successors in chipsets) and the layout of interrupt
 * messages, for the device, for guest software that programs it and for tests.
 */
#ifndef IOV_IRQ_IOAPIC_REGS_H
#define IOV_IRQ_IOAPIC_REGS_H

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_SIZE 0x1000u
#define IOAPIC_PINS 24u

/* Memory-mapped registers; the chip decodes these address bits, so they come again every 256. */
#define IOAPIC_DECODED 0xffu
#define IOAPIC_IOREGSEL 0x00 /* RW: index of the register behind IOWIN, bits 7:0 */
#define IOAPIC_IOWIN 0x10    /* RW: that register */
#define IOAPIC_EOI 0x40      /* WO, version 0x20: vector whose level entries are done */

/* Registers behind IOWIN. */
#define IOAPIC_REG_ID 0x00          /* RW: bits 27:24 */
#define IOAPIC_REG_VERSION 0x01     /* RO: bits 7:0 version, 23:16 highest entry */
#define IOAPIC_REG_ARBITRATION 0x02 /* RO: bits 27:24 */
#define IOAPIC_REG_TABLE 0x10       /* RW: entry n low half at 0x10 + 2n, high half at 0x11 + 2n */

/* Redirection entry, 64 bits. */
#define IOAPIC_ENTRY_VECTOR 0xffull
#define IOAPIC_ENTRY_MODE_SHIFT 8
#define IOAPIC_ENTRY_MODE (7ull << 8)
#define IOAPIC_ENTRY_LOGICAL (1ull << 11)
#define IOAPIC_ENTRY_STATUS (1ull << 12) /* RO: a message waits to be sent */
#define IOAPIC_ENTRY_LOW (1ull << 13)    /* active low */
#define IOAPIC_ENTRY_REMOTE_IRR \
    (1ull << 14) /* RO: a level interrupt was accepted, EOI is awaited */
#define IOAPIC_ENTRY_LEVEL (1ull << 15)
#define IOAPIC_ENTRY_MASKED (1ull << 16)
#define IOAPIC_ENTRY_DESTINATION_SHIFT 56
/* In the upper half of an entry in remappable format. */
#define IOAPIC_REMAPPABLE (1u << 16)
#define IOAPIC_REMAP_INDEX_SHIFT 17
/* Reserved bits keep what is written, as in virtual machines; the data sheet leaves it open. */
#define IOAPIC_ENTRY_WRITABLE (~(IOAPIC_ENTRY_STATUS | IOAPIC_ENTRY_REMOTE_IRR))

/* Interrupt messages. SPEC: SDM vol. 3A, 11.11 (address and data formats). */
#define MSI_BASE 0xfee00000u
#define MSI_SIZE 0x100000u
#define MSI_ADDRESS_DESTINATION_SHIFT 12
#define MSI_ADDRESS_EXTENDED_SHIFT \
    5 /* bits 11:5: destination bits 14:8, where the platform says so */
#define MSI_ADDRESS_REMAPPABLE (1u << 4)
#define MSI_ADDRESS_REDIRECTION (1u << 3)
#define MSI_ADDRESS_LOGICAL (1u << 2)
#define MSI_DATA_VECTOR 0xffu
#define MSI_DATA_MODE_SHIFT 8
#define MSI_DATA_ASSERT (1u << 14)
#define MSI_DATA_LEVEL (1u << 15)

/* Delivery modes of both. */
#define IRQ_MODE_FIXED 0
#define IRQ_MODE_LOWEST 1
#define IRQ_MODE_SMI 2
#define IRQ_MODE_NMI 4
#define IRQ_MODE_INIT 5
#define IRQ_MODE_EXTINT 7

#endif
