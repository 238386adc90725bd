/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register map of the kind siov-nic beyond what it shares with an igb, for the model, for host
 * software and for drivers. BAR 4 has three kinds of page:
 *
 *   doorbells   one page an ADI: all that a driver touches while frames flow. The host gives it to
 *               a guest.
 *   IMS         interrupt message storage: four entries an ADI, of which it uses three. The host's.
 *   windows     16 KiB an ADI: the registers of an igb's virtual function, and the ADI's PASID. The
 *               host's.
 *
 * SPEC: Scalable I/O Virtualization Technical Specification 1.1, 3.2 (capability), 3.3 (interrupt
 * message storage); the pages are this part's own.
 */
#ifndef IOV_NIC_SIOV_REGS_H
#define IOV_NIC_SIOV_REGS_H

#include <stdint.h>

#include "models/nic/igb-regs.h"

#define SIOV_VENDOR_ID 0x1234u /* nobody sells this part */
#define SIOV_DEVICE_ID 0x5107u
#define SIOV_ADIS_MAX 63u

#define SIOV_BAR 4u
#define SIOV_BAR_SIZE 0x200000u
#define SIOV_DOORBELL_SIZE 0x1000u
#define SIOV_DOORBELLS(adi) (0x1000u * (adi))
#define SIOV_IMS(adi) (0x40000u + 64u * (adi))
#define SIOV_WINDOW_SIZE IGB_VF_BAR_SIZE
#define SIOV_WINDOWS(adi) (0x100000u + SIOV_WINDOW_SIZE * (adi))

/* An entry of the IMS: 16 bytes */
#define SIOV_IMS_ENTRY 16u
#define SIOV_IMS_ENTRIES 4u
#define SIOV_IMS_ADDRESS 0x0
#define SIOV_IMS_UPPER 0x4
#define SIOV_IMS_DATA 0x8
#define SIOV_IMS_CONTROL 0xc
#define SIOV_IMS_MASKED (1u << 0)
#define SIOV_IMS_PENDING (1u << 1) /* RO */

/* In an ADI's window */
#define SIOV_PASID 0x3f00 /* RW: 19:0; bit 31: it has one */
#define SIOV_PASID_VALID 0x80000000u

/* In its doorbell page; interrupt registers at the low 12 bits of where a virtual function has
 * them */
#define SIOV_DB_RDT 0x818
#define SIOV_DB_TDT 0x918

/* The DVSEC of Scalable IOV, ID 5 of vendor 8086h */
#define SIOV_DVSEC_VENDOR 0x8086u
#define SIOV_DVSEC_ID 5u
#define SIOV_DVSEC_SIZE 24u
#define SIOV_DVSEC_FLAGS \
    0x0b /* RO: bit 0: functions that depend on each other are enabled together */
#define SIOV_DVSEC_PAGES 0x0c /* RO: supported page sizes, bit n: 2 to the power of (n + 12) */
#define SIOV_DVSEC_PAGE 0x10  /* RW: the one in use */
#define SIOV_DVSEC_CAP 0x14   /* RO: bit 0, interrupt message storage */

#define SIOV_NOT_FAST UINT32_MAX

/* Where a virtual function's register is in the doorbell page, and back; SIOV_NOT_FAST: it is
 * not. */
static inline uint32_t siov_doorbell_of(uint32_t reg)
{
    if (reg == IGB_RX_OLD + IGB_QUEUE_TAIL)
        return SIOV_DB_RDT;
    if (reg == IGB_TX_OLD + IGB_QUEUE_TAIL)
        return SIOV_DB_TDT;
    if ((reg >= IGB_VF_EICS && reg <= IGB_VF_EIMC) || reg == IGB_VF_EICR ||
        (reg >= IGB_VF_EITR(0) && reg < IGB_VF_EITR(IGB_VF_VECTORS)))
        return reg & 0xfff;
    return SIOV_NOT_FAST;
}

static inline uint32_t siov_register_of(uint32_t place)
{
    if (place == SIOV_DB_RDT)
        return IGB_RX_OLD + IGB_QUEUE_TAIL;
    if (place == SIOV_DB_TDT)
        return IGB_TX_OLD + IGB_QUEUE_TAIL;
    return siov_doorbell_of(place + 0x1000) == place ? place + 0x1000 : SIOV_NOT_FAST;
}

#endif
