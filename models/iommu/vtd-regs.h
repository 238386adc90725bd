/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register map and table formats of VT-d remapping hardware (Intel Virtualization Technology for
 * Directed I/O, legacy and scalable mode), for the model, for host software that programs it and
 * for tests. Marks: RO read-only, RW, WO reads zero, W1C write one to clear. Registers of 64 bits
 * may be accessed whole or as two halves.
 */
#ifndef IOV_IOMMU_VTD_REGS_H
#define IOV_IOMMU_VTD_REGS_H

#include <stdint.h>

#include "models/irq/ioapic-regs.h"

#define VTD_BASE 0xfed90000u /* where chipsets put the first unit */
#define VTD_SIZE 0x1000u

#define VTD_VER 0x000      /* RO */
#define VTD_CAP 0x008      /* RO, 64 */
#define VTD_ECAP 0x010     /* RO, 64 */
#define VTD_GCMD 0x018     /* WO */
#define VTD_GSTS 0x01c     /* RO */
#define VTD_RTADDR 0x020   /* RW, 64 */
#define VTD_CCMD 0x028     /* RW, 64 */
#define VTD_FSTS 0x034     /* W1C and RO bits */
#define VTD_FECTL 0x038    /* RW: bit 31 mask; RO: bit 30 pending */
#define VTD_FEDATA 0x03c   /* RW */
#define VTD_FEADDR 0x040   /* RW */
#define VTD_FEUADDR 0x044  /* RW if extended interrupt mode is supported */
#define VTD_AFLOG 0x058    /* RO, 64: advanced fault logging is not supported */
#define VTD_PMEN 0x064     /* RO: protected memory is not supported, nor are its four bounds */
#define VTD_PLMBASE 0x068  /* RO */
#define VTD_PLMLIMIT 0x06c /* RO */
#define VTD_PHMBASE 0x070  /* RO, 64 */
#define VTD_PHMLIMIT 0x078 /* RO, 64 */
#define VTD_IQH 0x080      /* RO, 64 */
#define VTD_IQT 0x088      /* RW, 64 */
#define VTD_IQA 0x090      /* RW, 64 */
#define VTD_ICS 0x09c      /* W1C */
#define VTD_IECTL 0x0a0    /* as FECTL */
#define VTD_IEDATA 0x0a4   /* RW */
#define VTD_IEADDR 0x0a8   /* RW */
#define VTD_IEUADDR 0x0ac  /* as FEUADDR */
#define VTD_IRTA 0x0b8     /* RW, 64 */
#define VTD_IVA 0x0f0      /* WO, 64: place given by ECAP.IRO */
#define VTD_IOTLB 0x0f8    /* RW, 64 */
#define VTD_FRCD 0x220     /* 128 bits a record: place and number given by CAP */

/* CAP */
#define VTD_CAP_DOMAINS_64K 6u
#define VTD_CAP_CM (1ull << 7)
#define VTD_CAP_SAGAW_39 (1ull << 9)
#define VTD_CAP_SAGAW_48 (1ull << 10)
#define VTD_CAP_MGAW_SHIFT 16
#define VTD_CAP_ZLR (1ull << 22)
#define VTD_CAP_FRO_SHIFT 24
#define VTD_CAP_SLLPS (3ull << 34) /* 2 MiB and 1 GiB */
#define VTD_CAP_PSI (1ull << 39)
#define VTD_CAP_NFR_SHIFT 40
#define VTD_CAP_MAMV_SHIFT 48
#define VTD_CAP_DWD (1ull << 54)
#define VTD_CAP_DRD (1ull << 55)
#define VTD_CAP_FS1GP (1ull << 56) /* pages of 1 GiB in first stages */
#define VTD_CAP_PI (1ull << 59)
#define VTD_MAMV 18u /* largest address mask of a page-selective invalidation */

/* ECAP */
#define VTD_ECAP_QI (1ull << 1)
#define VTD_ECAP_DT (1ull << 2)
#define VTD_ECAP_IR (1ull << 3)
#define VTD_ECAP_EIM (1ull << 4)
#define VTD_ECAP_PT (1ull << 6)
#define VTD_ECAP_SC (1ull << 7)
#define VTD_ECAP_IRO_SHIFT 8
#define VTD_ECAP_MHMV (15ull << 20)
#define VTD_MHMV 15u
/* of scalable mode */
#define VTD_ECAP_SRS (1ull << 31) /* requests of supervisors */
#define VTD_ECAP_PSS_SHIFT 35     /* bits of a PASID, less 1 */
#define VTD_ECAP_PASID (1ull << 40)
#define VTD_ECAP_SMTS (1ull << 43)
#define VTD_ECAP_SSTS (1ull << 46)  /* second stage */
#define VTD_ECAP_FSTS (1ull << 47)  /* first stage */
#define VTD_ECAP_SMPWC (1ull << 48) /* page walks that are coherent */
#define VTD_ECAP_RPS (1ull << 49)   /* RID_PASID */

/* GCMD and GSTS */
#define VTD_G_TE 0x80000000u
#define VTD_G_SRTP 0x40000000u
#define VTD_G_QIE 0x04000000u
#define VTD_G_IRE 0x02000000u
#define VTD_G_SIRTP 0x01000000u
#define VTD_G_CFI 0x00800000u

#define VTD_RTADDR_TTM 0xc00ull /* translation table mode: 0 legacy */
#define VTD_RTADDR_SCALABLE 0x400ull

/* CCMD: granularity asked for at 62:61, done at 60:59 */
#define VTD_CCMD_ICC (1ull << 63)
#define VTD_CCMD_CIRG_SHIFT 61
#define VTD_CCMD_CAIG_SHIFT 59
#define VTD_CCMD_FM_SHIFT 32
#define VTD_CCMD_SID_SHIFT 16
#define VTD_CCMD_RW 0x60000003ffffffffull
#define VTD_CCMD_WO 0x3ffff0000ull /* source ID and function mask read zero */

/* IOTLB: granularity asked for at 61:60, done at 58:57 */
#define VTD_IOTLB_IVT (1ull << 63)
#define VTD_IOTLB_IIRG_SHIFT 60
#define VTD_IOTLB_IAIG_SHIFT 57
#define VTD_IOTLB_DID_SHIFT 32
#define VTD_IOTLB_RW 0x3003ffff00000000ull
#define VTD_IVA_AM 0x3fu
#define VTD_IVA_IH 0x40u

enum { VTD_GRANULARITY_GLOBAL = 1, VTD_GRANULARITY_DOMAIN, VTD_GRANULARITY_SELECTIVE };

/* FSTS */
#define VTD_FSTS_PFO 0x01u
#define VTD_FSTS_PPF 0x02u
#define VTD_FSTS_IQE 0x10u
#define VTD_FSTS_ICE 0x20u
#define VTD_FSTS_ITE 0x40u
#define VTD_FSTS_W1C (VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)
#define VTD_FSTS_FRI_SHIFT 8

/* FECTL and IECTL */
#define VTD_EVENT_IM 0x80000000u
#define VTD_EVENT_IP 0x40000000u

#define VTD_ICS_IWC 0x1u

/* IQA, IQH, IQT */
#define VTD_IQA_QS 0x7u
#define VTD_IQA_DW 0x800u /* descriptors of 256 bits */
#define VTD_IQT_MASK 0x7fff0u
#define VTD_IQT_WIDE_RESERVED 0x10u

/* IRTA */
#define VTD_IRTA_S 0xfu
#define VTD_IRTA_EIME 0x800u

/* FRCD, upper half */
#define VTD_FRCD_F (1ull << 63)
#define VTD_FRCD_READ (1ull << 62) /* type: set for a read */
#define VTD_FRCD_PV_SHIFT 40       /* PASID; means something only with PP */
#define VTD_FRCD_PP 0x80000000ull
#define VTD_FRCD_EXE 0x40000000ull  /* the request wanted to execute */
#define VTD_FRCD_PRIV 0x20000000ull /* or was a supervisor's */
#define VTD_FRCD_REASON_SHIFT 32
#define VTD_FRCD_INDEX_SHIFT 48 /* lower half, interrupt faults */

/* SPEC: fault reasons, tables of DMA remapping and interrupt remapping. */
enum vtd_fault {
    VTD_FAULT_NONE = 0x0,
    VTD_FAULT_ROOT_ABSENT = 0x1,
    VTD_FAULT_CONTEXT_ABSENT = 0x2,
    VTD_FAULT_CONTEXT_INVALID = 0x3,
    VTD_FAULT_BEYOND_WIDTH = 0x4,
    VTD_FAULT_WRITE = 0x5,
    VTD_FAULT_READ = 0x6,
    VTD_FAULT_NEXT_TABLE = 0x7,
    VTD_FAULT_ROOT_TABLE = 0x8,
    VTD_FAULT_CONTEXT_TABLE = 0x9,
    VTD_FAULT_ROOT_RESERVED = 0xa,
    VTD_FAULT_CONTEXT_RESERVED = 0xb,
    VTD_FAULT_PAGE_RESERVED = 0xc,
    VTD_FAULT_TRANSLATED = 0xd, /* a translated request where only untranslated ones may come */
    VTD_FAULT_INTERRUPT_RANGE = 0xe, /* the translation leads to the interrupt range */
    VTD_FAULT_IR_REQUEST = 0x20,     /* reserved bits in the message */
    VTD_FAULT_IR_INDEX = 0x21,
    VTD_FAULT_IR_ABSENT = 0x22,
    VTD_FAULT_IR_TABLE = 0x23,
    VTD_FAULT_IR_RESERVED = 0x24,
    VTD_FAULT_IR_COMPATIBILITY = 0x25,
    VTD_FAULT_IR_SOURCE = 0x26,
    VTD_FAULT_PD_ACCESS = 0x27,
    VTD_FAULT_PD_RESERVED = 0x28,
    VTD_FAULT_MODE = 0x30,  /* translation table mode not supported */
    VTD_FAULT_PASID = 0x31, /* a request with PASID in legacy mode */
    /* Scalable mode */
    VTD_FAULT_SM_ROOT_TABLE = 0x38,
    VTD_FAULT_SM_ROOT_ABSENT = 0x39,
    VTD_FAULT_SM_ROOT_RESERVED = 0x3a,
    VTD_FAULT_SM_CONTEXT_TABLE = 0x40,
    VTD_FAULT_SM_CONTEXT_ABSENT = 0x41,
    VTD_FAULT_SM_CONTEXT_RESERVED = 0x42,
    VTD_FAULT_SM_CONTEXT_INVALID = 0x43,
    VTD_FAULT_SM_TRANSLATED = 0x44,   /* a translated request, and DTE is clear */
    VTD_FAULT_SM_PASID_OFF = 0x45,    /* a request with PASID, and PASIDE is clear */
    VTD_FAULT_SM_PASID_BEYOND = 0x46, /* more than the directory has entries for */
    VTD_FAULT_SM_PASID_OF_RID = 0x48, /* it is that of requests without one */
    VTD_FAULT_SM_TRANSLATED_PASID = 0x49,
    VTD_FAULT_SM_DIRECTORY_TABLE = 0x50,
    VTD_FAULT_SM_DIRECTORY_ABSENT = 0x51,
    VTD_FAULT_SM_DIRECTORY_RESERVED = 0x52,
    VTD_FAULT_SM_PASID_TABLE = 0x58,
    VTD_FAULT_SM_PASID_ABSENT = 0x59,
    VTD_FAULT_SM_PASID_RESERVED = 0x5a,
    VTD_FAULT_SM_PASID_INVALID = 0x5b,
    VTD_FAULT_SM_FIRST_TABLE = 0x70, /* first stage: a table below the highest */
    VTD_FAULT_SM_FIRST_ABSENT = 0x71,
    VTD_FAULT_SM_FIRST_RESERVED = 0x72,
    VTD_FAULT_SM_FIRST_ROOT = 0x73,
    VTD_FAULT_SM_NEXT_TABLE = 0x78, /* second stage: a table below the highest */
    VTD_FAULT_SM_NO_RIGHTS = 0x79,  /* neither read nor write */
    VTD_FAULT_SM_PAGE_RESERVED = 0x7a,
    VTD_FAULT_SM_ROOT_PAGE = 0x7b, /* second stage: the highest table */
    VTD_FAULT_SM_CANONICAL = 0x80,
    VTD_FAULT_SM_SUPERVISOR = 0x81,
    VTD_FAULT_SM_BEYOND_HOST = 0x83,
    VTD_FAULT_SM_BEYOND_WIDTH = 0x84,
    VTD_FAULT_SM_WRITE = 0x85,
    VTD_FAULT_SM_READ = 0x86,
    VTD_FAULT_SM_INTERRUPT_RANGE = 0x87,
    VTD_FAULT_SM_PASID_SIZE = 0x89, /* more than ECAP.PSS says */
    VTD_FAULT_SM_ACCESSED = 0x90,   /* accessed or dirty bit without a coherent page walk */
};

/* Root entry (128 bits) */
#define VTD_ROOT_P 0x1ull
#define VTD_ROOT_RESERVED 0xffeull

/* Context entry (128 bits) */
#define VTD_CONTEXT_P 0x1ull
#define VTD_CONTEXT_FPD 0x2ull
#define VTD_CONTEXT_TYPE_SHIFT 2
#define VTD_CONTEXT_RESERVED_LOW 0xff0ull
#define VTD_CONTEXT_RESERVED_HIGH 0xffffffffff000080ull
#define VTD_CONTEXT_AW 0x7ull /* upper half: levels minus 2 */
#define VTD_CONTEXT_DID_SHIFT 8
enum { VTD_TYPE_UNTRANSLATED, VTD_TYPE_DEVICE_TLB, VTD_TYPE_PASS_THROUGH };

/*
 * Scalable mode. A root entry has two halves (functions 0 to 127, 128 to 255), each of the form of
 * a legacy one's lower half; a context entry has 256 bits, and leads to a directory of tables of
 * PASID entries of 512 bits.
 */
#define VTD_SM_ENTRY_P 0x1ull
#define VTD_SM_ENTRY_FPD 0x2ull
#define VTD_SM_CONTEXT_SIZE 32u
#define VTD_SM_CONTEXT_DTE 0x4ull
#define VTD_SM_CONTEXT_PASIDE 0x8ull
#define VTD_SM_CONTEXT_RESERVED 0x1f0ull /* PRE, HPTE and EPTR are not supported */
#define VTD_SM_CONTEXT_PDTS_SHIFT 9 /* the directory has 2 to the power of this plus 7 entries */
#define VTD_SM_CONTEXT_RID_PASID 0xfffffull /* second quadword */
#define VTD_SM_DIRECTORY_RESERVED 0xffcull
#define VTD_SM_TABLE_ENTRIES 64u
#define VTD_SM_PASID_SIZE 64u
#define VTD_SM_PASID_AW_SHIFT 2
#define VTD_SM_PASID_AW 0x1cull
#define VTD_SM_PASID_TYPE_SHIFT 6
#define VTD_SM_PASID_TYPE 0x1c0ull
#define VTD_SM_PASID_RESERVED 0xe20ull /* SSADE is not supported */
/* second quadword */
#define VTD_SM_PASID_DID 0xffffull
#define VTD_SM_PASID_PWSNP (1ull << 23)
#define VTD_SM_PASID_PGSNP (1ull << 24)
/* third quadword */
#define VTD_SM_PASID_SRE 0x1ull
#define VTD_SM_PASID_FSPM 0xcull
#define VTD_SM_PASID_WPE 0x10ull
#define VTD_SM_PASID_IGNORED 0x60ull
enum { VTD_SM_FIRST = 1, VTD_SM_SECOND, VTD_SM_NESTED, VTD_SM_PASS_THROUGH };

/* First-stage paging entry: as a processor's */
#define VTD_FIRST_P 0x1ull
#define VTD_FIRST_W 0x2ull
#define VTD_FIRST_U 0x4ull
#define VTD_FIRST_A 0x20ull
#define VTD_FIRST_D 0x40ull
#define VTD_FIRST_SUPER 0x80ull
#define VTD_FIRST_IGNORED 0xfff0000000000000ull

/* Second-stage paging entry */
#define VTD_PAGE_R 0x1ull
#define VTD_PAGE_W 0x2ull
#define VTD_PAGE_RW 0x3ull
#define VTD_PAGE_SUPER 0x80ull
#define VTD_PAGE_SNP 0x800ull
#define VTD_PAGE_TM (1ull << 62)
#define VTD_PAGE_IGNORED 0xbff0000000000000ull

/* Interrupt-remapping table entry, lower half */
#define VTD_IRTE_P 0x1ull
#define VTD_IRTE_FPD 0x2ull
#define VTD_IRTE_DM 0x4ull /* logical destination */
#define VTD_IRTE_RH 0x8ull
#define VTD_IRTE_TM 0x10ull /* level */
#define VTD_IRTE_DLM_SHIFT 5
#define VTD_IRTE_URG (1ull << 14) /* posted */
#define VTD_IRTE_IM (1ull << 15)  /* posted */
#define VTD_IRTE_V_SHIFT 16
#define VTD_IRTE_DST_SHIFT 32
#define VTD_IRTE_RESERVED 0xff007000ull
#define VTD_IRTE_POSTED_RESERVED 0x3fff0030fcull
/* upper half */
#define VTD_IRTE_SQ_SHIFT 16
#define VTD_IRTE_SVT_SHIFT 18
#define VTD_IRTE_RESERVED_HIGH 0xfffffffffff00000ull
#define VTD_IRTE_POSTED_RESERVED_HIGH 0xfff00000ull

/* Interrupt message in remappable format */
#define VTD_MSI_SHV 0x8u

/* Posted-interrupt descriptor, 64 bytes: PIR in the first 32 */
#define VTD_PD_ON 0x1ull /* quadword 4 */
#define VTD_PD_SN 0x2ull
#define VTD_PD_NV_SHIFT 16
#define VTD_PD_NDST_SHIFT 32
#define VTD_PD_RESERVED 0xff00fffcull

/* Invalidation descriptor, type in bits 3:0 and 11:9 of the lower half */
enum {
    VTD_INV_CONTEXT = 1,
    VTD_INV_IOTLB = 2,
    VTD_INV_DEVICE_TLB = 3,
    VTD_INV_IEC = 4,
    VTD_INV_WAIT = 5,
    VTD_INV_PASID_IOTLB = 6, /* these need descriptors of 256 bits */
    VTD_INV_PASID_CACHE = 7,
    VTD_INV_PASID_DEVICE_TLB = 8,
};
enum { VTD_PASID_CACHE_DOMAIN, VTD_PASID_CACHE_SELECTIVE, VTD_PASID_CACHE_GLOBAL = 3 };
#define VTD_INV_TYPE 0xe0full
#define VTD_INV_GRANULARITY_SHIFT 4
#define VTD_INV_DRAIN 0xc0ull /* of reads and writes */
#define VTD_INV_DID_SHIFT 16
#define VTD_INV_SID_SHIFT 32
#define VTD_INV_PASID_SHIFT 32
#define VTD_INV_FM_SHIFT 48
#define VTD_INV_IEC_INDEX 0x10ull
#define VTD_INV_IEC_IM_SHIFT 27
#define VTD_INV_IEC_IIDX_SHIFT 32
#define VTD_INV_WAIT_IF 0x10ull
#define VTD_INV_WAIT_SW 0x20ull
#define VTD_INV_WAIT_FN 0x40ull

/* ---- How software forms them ---- */

/* Upper half of a context entry: `levels` of paging tables. */
static inline uint64_t vtd_context_high(uint16_t domain, unsigned levels)
{
    return (uint64_t)domain << VTD_CONTEXT_DID_SHIFT | (levels - 2);
}

/* First quadword of a PASID's entry with a second stage of `levels` paging tables. */
static inline uint64_t vtd_pasid_second(uint64_t table, unsigned levels)
{
    return table | (uint64_t)VTD_SM_SECOND << VTD_SM_PASID_TYPE_SHIFT |
           (uint64_t)(levels - 2) << VTD_SM_PASID_AW_SHIFT | VTD_SM_ENTRY_P;
}

/* Where the message of a function goes that names table entry `index`. */
static inline uint64_t vtd_message_address(unsigned index)
{
    return MSI_BASE | (index & 0x7fffull) << 5 | MSI_ADDRESS_REMAPPABLE | VTD_MSI_SHV |
           (index >> 15 & 1) << 2;
}

/* Upper half of an interrupt entry that takes messages of `source` only. */
static inline uint64_t vtd_irte_source(uint16_t source)
{
    return 1ull << VTD_IRTE_SVT_SHIFT | source;
}

/* `destination`: the field as the mode wants it (bits 15:8 are an xAPIC ID). */
static inline uint64_t vtd_irte_remapped(uint8_t vector, uint32_t destination)
{
    return VTD_IRTE_P | (uint64_t)vector << VTD_IRTE_V_SHIFT |
           (uint64_t)destination << VTD_IRTE_DST_SHIFT;
}

static inline uint64_t vtd_irte_posted(uint8_t vector, uint64_t descriptor)
{
    return VTD_IRTE_P | VTD_IRTE_IM | (uint64_t)vector << VTD_IRTE_V_SHIFT |
           (descriptor & 0xffffffc0ull) << 32;
}

static inline uint64_t vtd_irte_posted_high(uint16_t source, uint64_t descriptor)
{
    return vtd_irte_source(source) | (descriptor & ~0xffffffffull);
}

/* Lower halves of invalidation descriptors. */
static inline uint64_t vtd_inv_iotlb(unsigned granularity, uint16_t domain)
{
    return VTD_INV_IOTLB | granularity << VTD_INV_GRANULARITY_SHIFT | VTD_INV_DRAIN |
           (uint64_t)domain << VTD_INV_DID_SHIFT;
}

static inline uint64_t vtd_inv_pasid_cache(unsigned granularity, uint16_t domain, uint32_t pasid)
{
    return VTD_INV_PASID_CACHE | granularity << VTD_INV_GRANULARITY_SHIFT |
           (uint64_t)domain << VTD_INV_DID_SHIFT | (uint64_t)pasid << VTD_INV_PASID_SHIFT;
}

static inline uint64_t vtd_inv_pasid_iotlb(unsigned granularity, uint16_t domain, uint32_t pasid)
{
    return VTD_INV_PASID_IOTLB | granularity << VTD_INV_GRANULARITY_SHIFT |
           (uint64_t)domain << VTD_INV_DID_SHIFT | (uint64_t)pasid << VTD_INV_PASID_SHIFT;
}

static inline uint64_t vtd_inv_entry(unsigned index)
{
    return VTD_INV_IEC | VTD_INV_IEC_INDEX | (uint64_t)index << VTD_INV_IEC_IIDX_SHIFT;
}

static inline uint64_t vtd_inv_wait(uint32_t status)
{
    return VTD_INV_WAIT | VTD_INV_WAIT_SW | (uint64_t)status << 32;
}

#endif
