/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local APIC's registers: Intel SDM vol. 3A, 11.4 (table 11-1) and 11.12 (table 11-6). An
 * x2APIC MSR is 0x800 + (offset >> 4).
 */
#ifndef IOV_CPU_APIC_REGS_H
#define IOV_CPU_APIC_REGS_H

#define IOV_APIC_DEFAULT_BASE 0xfee00000u
#define IOV_APIC_SIZE 4096u

#define IOV_APIC_ID 0x020
#define IOV_APIC_VERSION 0x030
#define IOV_APIC_TPR 0x080
#define IOV_APIC_APR 0x090
#define IOV_APIC_PPR 0x0a0
#define IOV_APIC_EOI 0x0b0
#define IOV_APIC_RRD 0x0c0
#define IOV_APIC_LDR 0x0d0
#define IOV_APIC_DFR 0x0e0
#define IOV_APIC_SVR 0x0f0
#define IOV_APIC_ISR 0x100 /* eight registers, 0x10 apart */
#define IOV_APIC_TMR 0x180
#define IOV_APIC_IRR 0x200
#define IOV_APIC_ESR 0x280
#define IOV_APIC_LVT_CMCI 0x2f0
#define IOV_APIC_ICR 0x300
#define IOV_APIC_ICR_HIGH 0x310 /* xAPIC only */
#define IOV_APIC_LVT_TIMER 0x320
#define IOV_APIC_LVT_THERMAL 0x330
#define IOV_APIC_LVT_PMC 0x340
#define IOV_APIC_LVT_LINT0 0x350
#define IOV_APIC_LVT_LINT1 0x360
#define IOV_APIC_LVT_ERROR 0x370
#define IOV_APIC_TIMER_INITIAL 0x380
#define IOV_APIC_TIMER_CURRENT 0x390
#define IOV_APIC_TIMER_DIVIDE 0x3e0
#define IOV_APIC_SELF_IPI 0x3f0 /* x2APIC only */

#define IOV_APIC_VERSION_VALUE 0x00060015u /* seven LVT entries, no EOI-broadcast suppression */

/* Spurious-interrupt vector register */
#define IOV_APIC_SVR_ENABLE (1u << 8)
#define IOV_APIC_SVR_FOCUS (1u << 9)

/* LVT */
#define IOV_APIC_LVT_VECTOR 0xffu
#define IOV_APIC_LVT_MODE_MASK 0x700u
#define IOV_APIC_LVT_PENDING (1u << 12) /* RO */
#define IOV_APIC_LVT_POLARITY (1u << 13)
#define IOV_APIC_LVT_REMOTE_IRR (1u << 14) /* RO */
#define IOV_APIC_LVT_LEVEL (1u << 15)
#define IOV_APIC_LVT_MASKED (1u << 16)
#define IOV_APIC_TIMER_MODE_SHIFT 17
#define IOV_APIC_TIMER_MODE_MASK (3u << IOV_APIC_TIMER_MODE_SHIFT)
enum { IOV_APIC_TIMER_ONE_SHOT = 0, IOV_APIC_TIMER_PERIODIC = 1, IOV_APIC_TIMER_DEADLINE = 2 };

/* Interrupt command register; the destination as iov_apic_owner_ops.ipi gets it is in bits 63:32 */
#define IOV_APIC_ICR_VECTOR 0xffu
#define IOV_APIC_ICR_MODE_SHIFT 8
#define IOV_APIC_ICR_MODE_MASK 0x700u
enum {
    IOV_APIC_MODE_FIXED = 0,
    IOV_APIC_MODE_LOWEST = 1,
    IOV_APIC_MODE_SMI = 2,
    IOV_APIC_MODE_NMI = 4,
    IOV_APIC_MODE_INIT = 5,
    IOV_APIC_MODE_STARTUP = 6,
    IOV_APIC_MODE_EXTINT = 7,
};
#define IOV_APIC_ICR_LOGICAL (1u << 11)
#define IOV_APIC_ICR_PENDING (1u << 12) /* RO, xAPIC */
#define IOV_APIC_ICR_ASSERT (1u << 14)
#define IOV_APIC_ICR_LEVEL (1u << 15)
#define IOV_APIC_ICR_SHORTHAND_SHIFT 18
#define IOV_APIC_ICR_SHORTHAND_MASK (3u << IOV_APIC_ICR_SHORTHAND_SHIFT)
enum {
    IOV_APIC_SHORTHAND_NONE = 0,
    IOV_APIC_SHORTHAND_SELF = 1,
    IOV_APIC_SHORTHAND_ALL = 2,
    IOV_APIC_SHORTHAND_OTHERS = 3,
};

/* Error status */
#define IOV_APIC_ESR_SEND_ILLEGAL (1u << 5)
#define IOV_APIC_ESR_RECEIVE_ILLEGAL (1u << 6)
#define IOV_APIC_ESR_REGISTER (1u << 7) /* illegal register address */

/* IA32_APIC_BASE */
#define IOV_APIC_BASE_BSP (1u << 8)
#define IOV_APIC_BASE_X2APIC (1u << 10)
#define IOV_APIC_BASE_ENABLE (1u << 11)

#endif
