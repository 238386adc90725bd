/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers and descriptors of the Intel 82576 Gigabit Ethernet controller (kind igb) and of its
 * virtual functions: what the device and its drivers share. Offsets are in the 128 KiB memory BAR
 * of the physical function, IGB_VF_* in the 16 KiB BAR of a virtual one.
 *
 * SPEC: "82576" in a comment of this family is the Intel 82576EB Gigabit Ethernet Controller
 * Datasheet, revision 2.63: chapter 3.3 is the EEPROM, 4.2 resets, 7.1 receive, 7.2 transmit, 7.3
 * interrupts, 7.8 virtualisation, 8 registers, 9 PCIe.
 */
#ifndef IOV_NIC_IGB_REGS_H
#define IOV_NIC_IGB_REGS_H

#include <assert.h>
#include <stdint.h>

#define IGB_VENDOR_ID 0x8086
#define IGB_DEVICE_ID 0x10c9
#define IGB_VF_DEVICE_ID 0x10ca
#define IGB_REVISION 0x01
#define IGB_BAR_SIZE 0x20000u
#define IGB_IO_SIZE 0x20u
#define IGB_MSIX_BAR_SIZE 0x4000u
#define IGB_MSIX_PENDING 0x2000u
#define IGB_VF_BAR_SIZE 0x4000u
#define IGB_IOADDR 0x00
#define IGB_IODATA 0x04

/* ---- General ---- */
#define IGB_CTRL 0x0000
#define IGB_STATUS 0x0008
#define IGB_EECD 0x0010
#define IGB_EERD 0x0014
#define IGB_CTRL_EXT 0x0018
#define IGB_MDIC 0x0020
#define IGB_FCAL 0x0028
#define IGB_FCAH 0x002c
#define IGB_FCT 0x0030
#define IGB_CONNSW 0x0034
#define IGB_VET 0x0038
#define IGB_LEDCTL 0x0e00
#define IGB_EEMNGCTL 0x1010
#define IGB_FCTTV 0x0170
#define IGB_FCRTL 0x2160
#define IGB_FCRTH 0x2168
#define IGB_FCRTV 0x2460
#define IGB_RXPBS 0x2404
#define IGB_TXPBS 0x3404

/* ---- Interrupts ---- */
#define IGB_ICR 0x1500 /* the legacy group is at 0x00c0, too */
#define IGB_ICS 0x1504
#define IGB_IMS 0x1508
#define IGB_IMC 0x150c
#define IGB_IAM 0x1510
#define IGB_GPIE 0x1514
#define IGB_PBACL 0x5b68
#define IGB_EICS 0x1520
#define IGB_EIMS 0x1524
#define IGB_EIMC 0x1528
#define IGB_EIAC 0x152c
#define IGB_EIAM 0x1530
#define IGB_EICR 0x1580
#define IGB_EITR(vector) (0x1680u + 4u * (vector))
#define IGB_IVAR(row) (0x1700u + 4u * (row)) /* rows 0 to 7: both directions of queues n, n + 8 */
#define IGB_IVAR_MISC 0x1740
#define IGB_LEGACY_ICR 0x00c0
#define IGB_LEGACY_ICS 0x00c8
#define IGB_LEGACY_IMS 0x00d0
#define IGB_LEGACY_IMC 0x00d8
#define IGB_LEGACY_IAM 0x00e0
#define IGB_VECTORS_MAX 25u

/* ---- Receive ---- */
#define IGB_RCTL 0x0100
#define IGB_QDE 0x2408
#define IGB_RXCSUM 0x5000
#define IGB_RLPML 0x5004
#define IGB_RFCTL 0x5008
#define IGB_MTA 0x5200 /* 128 entries */
#define IGB_RAL(n) ((n) < 16 ? 0x5400u + 8u * (n) : 0x54e0u + 8u * ((n)-16u))
#define IGB_RAH(n) (IGB_RAL(n) + 4u)
#define IGB_RA 0x5400
#define IGB_RA2 0x54e0
#define IGB_RA_COUNT 24u
#define IGB_PSRTYPE(n) (0x5480u + 4u * (n))
#define IGB_VFTA 0x5600 /* 128 entries */
#define IGB_MRQC 0x5818
#define IGB_RETA 0x5c00  /* 32 words, 128 entries of a byte */
#define IGB_RSSRK 0x5c80 /* 10 words */
#define IGB_UTA 0xa000   /* 128 entries */

/* ---- Transmit ---- */
#define IGB_TCTL 0x0400
#define IGB_TCTL_EXT 0x0404
#define IGB_TIPG 0x0410
#define IGB_DTXCTL 0x3590

/* ---- Queues: four at the old places, all at the new ones ---- */
#define IGB_RX_OLD 0x2800u /* + 0x100 a queue */
#define IGB_RX 0xc000u     /* + 0x40 a queue */
#define IGB_TX_OLD 0x3800u
#define IGB_TX 0xe000u
#define IGB_RX_REG(queue, reg) \
    ((queue) < 4 ? IGB_RX_OLD + 0x100u * (queue) + (reg) : IGB_RX + 0x40u * (queue) + (reg))
#define IGB_TX_REG(queue, reg) \
    ((queue) < 4 ? IGB_TX_OLD + 0x100u * (queue) + (reg) : IGB_TX + 0x40u * (queue) + (reg))
#define IGB_QUEUE_BAL 0x00
#define IGB_QUEUE_BAH 0x04
#define IGB_QUEUE_LEN 0x08
#define IGB_QUEUE_SRRCTL 0x0c /* receive */
#define IGB_QUEUE_HEAD 0x10
#define IGB_QUEUE_DCA 0x14 /* RXCTL, TXCTL */
#define IGB_QUEUE_TAIL 0x18
#define IGB_QUEUE_DCTL 0x28  /* RXDCTL, TXDCTL */
#define IGB_QUEUE_DROPS 0x30 /* RQDPC */
#define IGB_QUEUE_WBAL 0x38  /* transmit: head write-back */
#define IGB_QUEUE_WBAH 0x3c
#define IGB_QUEUES 16u

/* ---- Management, semaphores, PCIe ---- */
#define IGB_WUC 0x5800
#define IGB_WUFC 0x5808
#define IGB_MANC 0x5820
#define IGB_GCR 0x5b00
#define IGB_FACTPS 0x5b30
#define IGB_SWSM 0x5b50
#define IGB_FWSM 0x5b54
#define IGB_SW_FW_SYNC 0x5b5c

/* ---- Virtualisation ---- */
#define IGB_VMBMEM(vf) (0x0800u + 64u * (vf))
#define IGB_P2VMAILBOX(vf) (0x0c00u + 4u * (vf))
#define IGB_MBVFICR 0x0c80
#define IGB_MBVFIMR 0x0c84
#define IGB_VFLRE 0x0c88
#define IGB_VFRE 0x0c8c
#define IGB_VFTE 0x0c90
#define IGB_DTXSWC 0x3500
#define IGB_LVMMC 0x3548
#define IGB_WVBR 0x3554
#define IGB_VMVIR(pool) (0x3700u + 4u * (pool))
#define IGB_VT_CTL 0x581c
#define IGB_VMOLR(pool) (0x5ad0u + 4u * (pool))
#define IGB_RPLOLR 0x5af0
#define IGB_IOVCTL 0x5bbc
#define IGB_VLVF(n) (0x5d00u + 4u * (n))
#define IGB_VLVF_COUNT 32u

/* ---- Statistics: RC, 0x4000 to 0x413c ---- */
#define IGB_STATISTICS 0x4000
#define IGB_STATISTICS_COUNT 80
#define IGB_CRCERRS 0x4000
#define IGB_RLEC 0x4040
#define IGB_MPC 0x4010
#define IGB_PRC64 0x405c
#define IGB_PRC127 0x4060
#define IGB_PRC255 0x4064
#define IGB_PRC511 0x4068
#define IGB_PRC1023 0x406c
#define IGB_PRC1522 0x4070
#define IGB_GPRC 0x4074
#define IGB_BPRC 0x4078
#define IGB_MPRC 0x407c
#define IGB_GPTC 0x4080
#define IGB_GORCL 0x4088
#define IGB_GORCH 0x408c
#define IGB_GOTCL 0x4090
#define IGB_GOTCH 0x4094
#define IGB_RNBC 0x40a0
#define IGB_RUC 0x40a4
#define IGB_ROC 0x40ac
#define IGB_TORL 0x40c0
#define IGB_TORH 0x40c4
#define IGB_TOTL 0x40c8
#define IGB_TOTH 0x40cc
#define IGB_TPR 0x40d0
#define IGB_TPT 0x40d4
#define IGB_PTC64 0x40d8
#define IGB_PTC127 0x40dc
#define IGB_PTC255 0x40e0
#define IGB_PTC511 0x40e4
#define IGB_PTC1023 0x40e8
#define IGB_PTC1522 0x40ec
#define IGB_MPTC 0x40f0
#define IGB_BPTC 0x40f4
#define IGB_TSCTC 0x40f8
#define IGB_IAC 0x4100
#define IGB_RPTHC 0x4104
#define IGB_HGPTC 0x4118
#define IGB_HGORCL 0x4128
#define IGB_HGORCH 0x412c
#define IGB_HGOTCL 0x4130
#define IGB_HGOTCH 0x4134

/* CTRL */
#define IGB_CTRL_FD (1u << 0)
#define IGB_CTRL_MASTER_DISABLE (1u << 2)
#define IGB_CTRL_SLU (1u << 6)
#define IGB_CTRL_SPEED_1000 (2u << 8)
#define IGB_CTRL_FRCSPD (1u << 11)
#define IGB_CTRL_FRCDPX (1u << 12)
#define IGB_CTRL_RST (1u << 26) /* SC */
#define IGB_CTRL_RFCE (1u << 27)
#define IGB_CTRL_TFCE (1u << 28)
#define IGB_CTRL_VME (1u << 30)
#define IGB_CTRL_PHY_RST (1u << 31)
#define IGB_CTRL_RESET (IGB_CTRL_FD | IGB_CTRL_SPEED_1000 | IGB_CTRL_SLU)

/* STATUS */
#define IGB_STATUS_FD (1u << 0)
#define IGB_STATUS_LU (1u << 1)
#define IGB_STATUS_FUNCTION_SHIFT 2
#define IGB_STATUS_SPEED_1000 (2u << 6)
#define IGB_STATUS_PHYRA (1u << 10)
#define IGB_STATUS_VFS_SHIFT 14
#define IGB_STATUS_IOV (1u << 18)
#define IGB_STATUS_MASTER (1u << 19)
#define IGB_STATUS_RF_DONE (1u << 31)

/* CTRL_EXT */
#define IGB_CTRL_EXT_PFRSTD (1u << 14)
#define IGB_CTRL_EXT_IAME (1u << 27)
#define IGB_CTRL_EXT_DRV_LOAD (1u << 28)

/* EECD, EERD, EEPROM words */
#define IGB_EECD_REQ (1u << 6)
#define IGB_EECD_GNT (1u << 7)     /* RO */
#define IGB_EECD_PRES (1u << 8)    /* RO */
#define IGB_EECD_AUTO_RD (1u << 9) /* RO */
#define IGB_EECD_SIZE_SHIFT 11
#define IGB_EERD_START (1u << 0)
#define IGB_EERD_DONE (1u << 1)
#define IGB_EERD_ADDRESS_SHIFT 2
#define IGB_EERD_DATA_SHIFT 16
#define IGB_EEPROM_WORDS 1024u
#define IGB_EEPROM_LED 0x04
#define IGB_EEPROM_VERSION 0x05
#define IGB_EEPROM_INIT2 0x0f
#define IGB_EEPROM_INIT3 0x24
#define IGB_EEPROM_ALTERNATE 0x37
#define IGB_EEPROM_CHECKSUM 0x3f
#define IGB_EEPROM_SUM 0xbaba
#define IGB_EEMNGCTL_CFG_DONE (1u << 18) /* port 0 */

/* MDIC */
#define IGB_MDIC_DATA 0xffffu
#define IGB_MDIC_REGISTER_SHIFT 16
#define IGB_MDIC_PHY_SHIFT 21
#define IGB_MDIC_WRITE (1u << 26)
#define IGB_MDIC_READ (2u << 26)
#define IGB_MDIC_READY (1u << 28)
#define IGB_MDIC_INTERRUPT (1u << 29)
#define IGB_MDIC_ERROR (1u << 30)

/* SWSM */
#define IGB_SWSM_SMBI (1u << 0) /* set by every read */
#define IGB_SWSM_SWESMBI (1u << 1)

#define IGB_FWSM_MODE (7u << 1)

/* GPIE */
#define IGB_GPIE_NSICR (1u << 0)
#define IGB_GPIE_MULTIPLE_MSIX (1u << 4)
#define IGB_GPIE_EIAME (1u << 30)
#define IGB_GPIE_PBA (1u << 31)

/* ICR, ICS, IMS, IMC */
#define IGB_ICR_TXDW (1u << 0)
#define IGB_ICR_LSC (1u << 2)
#define IGB_ICR_RXDMT0 (1u << 4)
#define IGB_ICR_RXO (1u << 6)
#define IGB_ICR_RXDW (1u << 7)
#define IGB_ICR_VMMB (1u << 8)
#define IGB_ICR_DOUTSYNC (1u << 28)
#define IGB_ICR_DRSTA (1u << 30)
#define IGB_ICR_ASSERTED (1u << 31) /* RO */
#define IGB_ICR_ALL 0x7fffffffu

/* EICR and its relatives: MSI-X vectors, or causes in the other modes */
#define IGB_EICR_MSIX ((1u << IGB_VECTORS_MAX) - 1)
#define IGB_EICR_OTHER (1u << 31)
#define IGB_EICR_LEGACY 0xc000ffffu

#define IGB_IVAR_VALID 0x80u
#define IGB_IVAR_VECTOR 0x1fu

/* EITR */
#define IGB_EITR_INTERVAL 0x7ffcu /* microseconds << 2 */
#define IGB_EITR_SHIFT 2
#define IGB_EITR_KEEP (1u << 31) /* WO: the counter goes on */

/* RCTL */
#define IGB_RCTL_EN (1u << 1)
#define IGB_RCTL_SBP (1u << 2)
#define IGB_RCTL_UPE (1u << 3)
#define IGB_RCTL_MPE (1u << 4)
#define IGB_RCTL_LPE (1u << 5)
#define IGB_RCTL_MO_SHIFT 12
#define IGB_RCTL_BAM (1u << 15)
#define IGB_RCTL_BSIZE_SHIFT 16
#define IGB_RCTL_VFE (1u << 18)
#define IGB_RCTL_SECRC (1u << 26)

/* RAH */
#define IGB_RAH_POOL_SHIFT 18
#define IGB_RAH_POOL_MASK 0x03fc0000u
#define IGB_RAH_VALID (1u << 31)

/* SRRCTL */
#define IGB_SRRCTL_PACKET_MASK 0x7fu /* KiB */
#define IGB_SRRCTL_HEADER_SHIFT 8    /* units of 64 bytes, 4 bits */
#define IGB_SRRCTL_TYPE_SHIFT 25
#define IGB_SRRCTL_TYPE_LEGACY 0u
#define IGB_SRRCTL_TYPE_ONE_BUFFER 1u
#define IGB_SRRCTL_DROP (1u << 31)

/* RXDCTL, TXDCTL */
#define IGB_DCTL_ENABLE (1u << 25)
#define IGB_DCTL_FLUSH (1u << 26) /* SC */

/* TDWBAL */
#define IGB_WBAL_ENABLE (1u << 0)

/* RXCSUM */
#define IGB_RXCSUM_IPOFL (1u << 8)
#define IGB_RXCSUM_TUOFL (1u << 9)
#define IGB_RXCSUM_CRCOFL (1u << 11)
#define IGB_RXCSUM_IPPCSE (1u << 12)
#define IGB_RXCSUM_PCSD (1u << 13)

/* TCTL */
#define IGB_TCTL_EN (1u << 1)
#define IGB_TCTL_PSP (1u << 3)
#define IGB_TCTL_CT 0x00000ff0u
#define IGB_TCTL_COLD 0x003ff000u
#define IGB_TCTL_RTLC (1u << 24)

/* MRQC */
#define IGB_MRQC_MODE 7u
#define IGB_MRQC_RSS 2u
#define IGB_MRQC_POOLS 3u
#define IGB_MRQC_POOLS_RSS 5u
#define IGB_MRQC_TCP4 (1u << 16)
#define IGB_MRQC_IP4 (1u << 17)
#define IGB_MRQC_TCP6EX (1u << 18)
#define IGB_MRQC_IP6EX (1u << 19)
#define IGB_MRQC_IP6 (1u << 20)
#define IGB_MRQC_TCP6 (1u << 21)
#define IGB_MRQC_UDP4 (1u << 22)
#define IGB_MRQC_UDP6 (1u << 23)

/* VT_CTL, VMOLR, VLVF, DTXSWC, VMVIR */
#define IGB_VT_CTL_POOL_SHIFT 7
#define IGB_VT_CTL_IGNORE_MAC (1u << 28)
#define IGB_VT_CTL_NO_DEFAULT (1u << 29)
#define IGB_VT_CTL_REPLICATE (1u << 30)
#define IGB_VMOLR_RLPML 0x3fffu
#define IGB_VMOLR_LPE (1u << 16)
#define IGB_VMOLR_RSSE (1u << 17)
#define IGB_VMOLR_AUPE (1u << 24)
#define IGB_VMOLR_ROMPE (1u << 25)
#define IGB_VMOLR_ROPE (1u << 26)
#define IGB_VMOLR_BAM (1u << 27)
#define IGB_VMOLR_MPME (1u << 28)
#define IGB_VMOLR_STRVLAN (1u << 30)
#define IGB_VMOLR_STRCRC (1u << 31)
#define IGB_VMOLR_RESET 0x8000271cu /* longest packet 0x271c, strip CRC */
#define IGB_VLVF_ID 0xfffu
#define IGB_VLVF_POOL_SHIFT 12
#define IGB_VLVF_POOLS 0x000ff000u
#define IGB_VLVF_LOCAL (1u << 20)
#define IGB_VLVF_ENABLE (1u << 31)
#define IGB_DTXSWC_MAC_SPOOF 0xffu
#define IGB_DTXSWC_VLAN_SPOOF_SHIFT 8
#define IGB_DTXSWC_LLE_SHIFT 16
#define IGB_DTXSWC_LOOPBACK (1u << 31)
#define IGB_VMVIR_DEFAULT (1u << 30)
#define IGB_VMVIR_NEVER (1u << 31)

/* P2VMAILBOX; MBVFICR: requests in bits 7:0, acknowledgements in 23:16 */
#define IGB_P2V_STS (1u << 0)
#define IGB_P2V_ACK (1u << 1)
#define IGB_P2V_VFU (1u << 2) /* RO */
#define IGB_P2V_PFU (1u << 3)
#define IGB_P2V_RVFU (1u << 4)
#define IGB_MBVFICR_ACK_SHIFT 16

/* ---- Receive descriptors, 16 bytes, little-endian. SPEC: 82576, 7.1.5. ---- */
#define IGB_DESCRIPTOR_SIZE 16u

/* As the driver hands it over ... */
struct igb_rx_read {
    uint64_t packet;
    uint64_t header;
};
static_assert(sizeof(struct igb_rx_read) == 16, "SPEC: 82576, 7.1.5.1");

/* ... and as it comes back. */
struct igb_rx_done {
    uint16_t types;  /* RSS type [3:0], packet type [15:4] */
    uint16_t header; /* length and flag of a split header */
    uint32_t hash;   /* or fragment checksum and IP identification */
    uint32_t status; /* and errors */
    uint16_t length;
    uint16_t vlan;
};
static_assert(sizeof(struct igb_rx_done) == 16, "SPEC: 82576, 7.1.5.2");

#define IGB_RXD_DD (1u << 0)
#define IGB_RXD_EOP (1u << 1)
#define IGB_RXD_VP (1u << 3)
#define IGB_RXD_UDPCS (1u << 4)
#define IGB_RXD_L4CS (1u << 5)
#define IGB_RXD_IPCS (1u << 6)
#define IGB_RXD_PIF (1u << 7)
#define IGB_RXD_LB (1u << 18) /* from another pool */
#define IGB_RXD_L4E (1u << 29)
#define IGB_RXD_IPE (1u << 30)
#define IGB_RXD_RXE (1u << 31)
#define IGB_RXD_TYPE_IP4 (1u << 4)
#define IGB_RXD_TYPE_IP6 (1u << 6)
#define IGB_RXD_TYPE_TCP (1u << 8)
#define IGB_RXD_TYPE_UDP (1u << 9)
#define IGB_RXD_TYPE_SCTP (1u << 10)

/* RSS types */
#define IGB_RSS_NONE 0u
#define IGB_RSS_TCP4 1u
#define IGB_RSS_IP4 2u
#define IGB_RSS_TCP6 3u
#define IGB_RSS_IP6 5u
#define IGB_RSS_UDP4 7u
#define IGB_RSS_UDP6 8u

/* ---- Transmit descriptors. SPEC: 82576, 7.2.2. ---- */
struct igb_tx_descriptor {
    uint64_t address;
    uint32_t command; /* DTALEN, DTYP, DCMD */
    uint32_t status;  /* STA, CC, IDX, POPTS, PAYLEN */
};
static_assert(sizeof(struct igb_tx_descriptor) == 16, "SPEC: 82576, 7.2.2.3");

struct igb_tx_context {
    uint32_t lengths;  /* IPLEN [8:0], MACLEN [15:9], VLAN [31:16] */
    uint32_t sequence; /* launch time, security: not used here */
    uint32_t command;  /* TUCMD, MKRLOC, DTYP, DEXT */
    uint32_t mss;      /* IDX [6:4], L4LEN [15:8], MSS [31:16] */
};
static_assert(sizeof(struct igb_tx_context) == 16, "SPEC: 82576, 7.2.2.2");

#define IGB_TXD_LENGTH 0xffffu
#define IGB_TXD_TYPE (0xfu << 20)
#define IGB_TXD_TYPE_CONTEXT (2u << 20)
#define IGB_TXD_TYPE_DATA (3u << 20)
#define IGB_TXD_EOP (1u << 24)
#define IGB_TXD_IFCS (1u << 25)
#define IGB_TXD_IC (1u << 26) /* legacy: insert checksum */
#define IGB_TXD_RS (1u << 27)
#define IGB_TXD_DEXT (1u << 29)
#define IGB_TXD_VLE (1u << 30)
#define IGB_TXD_TSE (1u << 31)
#define IGB_TXD_DD (1u << 0)
#define IGB_TXD_CC (1u << 7)
#define IGB_TXD_IDX_SHIFT 4
#define IGB_TXD_IXSM (1u << 8)
#define IGB_TXD_TXSM (1u << 9)
#define IGB_TXD_PAYLEN_SHIFT 14
#define IGB_TXC_MACLEN_SHIFT 9
#define IGB_TXC_VLAN_SHIFT 16
#define IGB_TXC_IPV4 (1u << 10)
#define IGB_TXC_TCP (1u << 11)
#define IGB_TXC_SCTP (2u << 11)
#define IGB_TXC_L4LEN_SHIFT 8
#define IGB_TXC_MSS_SHIFT 16

/* ---- PHY: the one inside, IGP03E1000-class, at address 1 ---- */
#define IGB_PHY_ADDRESS 1u
#define IGB_PHY_CONTROL 0x00
#define IGB_PHY_STATUS 0x01
#define IGB_PHY_ID1 0x02
#define IGB_PHY_ID2 0x03
#define IGB_PHY_ADVERTISE 0x04
#define IGB_PHY_PARTNER 0x05
#define IGB_PHY_1000T_CONTROL 0x09
#define IGB_PHY_1000T_STATUS 0x0a
#define IGB_PHY_PORT_CONFIG 0x10
#define IGB_PHY_PORT_STATUS 0x11
#define IGB_PHY_PORT_CONTROL 0x12
#define IGB_PHY_LINK_HEALTH 0x13
#define IGB_PHY_POWER 0x19
#define IGB_PHY_PAGE 0x1f
#define IGB_PHY_ID 0x02a80391u
#define IGB_PHY_CONTROL_RESTART (1u << 9) /* SC */
#define IGB_PHY_CONTROL_POWER_DOWN (1u << 11)
#define IGB_PHY_CONTROL_AUTONEG (1u << 12)
#define IGB_PHY_CONTROL_RESET (1u << 15) /* SC */
#define IGB_PHY_STATUS_LINK (1u << 2)
#define IGB_PHY_STATUS_AUTONEG_DONE (1u << 5)

/* ---- A virtual function. SPEC: 82576, 8.27. ---- */
#define IGB_VF_CTRL 0x0000
#define IGB_VF_STATUS 0x0008
#define IGB_VF_FRTIMER 0x1048
#define IGB_VF_MBX 0x0c40
#define IGB_VF_MBMEM 0x0800
#define IGB_VF_EICS 0x1520
#define IGB_VF_EIMS 0x1524
#define IGB_VF_EIMC 0x1528
#define IGB_VF_EIAC 0x152c
#define IGB_VF_EIAM 0x1530
#define IGB_VF_EICR 0x1580
#define IGB_VF_EITR(vector) (0x1680u + 4u * (vector))
#define IGB_VF_IVAR 0x1700 /* receive and transmit queue 0, then 1 */
#define IGB_VF_IVAR_MISC 0x1740
#define IGB_VF_PSRTYPE 0x0f0c
#define IGB_VF_GPRC 0x0f10
#define IGB_VF_GPTC 0x0f14
#define IGB_VF_GORC 0x0f18
#define IGB_VF_GOTC 0x0f34
#define IGB_VF_MPRC 0x0f3c
#define IGB_VF_GPRLBC 0x0f40
#define IGB_VF_GPTLBC 0x0f44
#define IGB_VF_GORLBC 0x0f48
#define IGB_VF_GOTLBC 0x0f50
#define IGB_VF_VECTORS 3u
#define IGB_VF_QUEUES 2u
/* V2PMAILBOX */
#define IGB_V2P_REQ (1u << 0)
#define IGB_V2P_ACK (1u << 1)
#define IGB_V2P_VFU (1u << 2)
#define IGB_V2P_PFU (1u << 3)   /* RO */
#define IGB_V2P_PFSTS (1u << 4) /* RC */
#define IGB_V2P_PFACK (1u << 5) /* RC */
#define IGB_V2P_RSTI (1u << 6)  /* RO */
#define IGB_V2P_RSTD (1u << 7)  /* RC */
#define IGB_MAILBOX_WORDS 16u
/* What is said in the mailbox: a request, and the same with an answer's bits. SPEC: none; what
 * Linux's drivers have agreed on. */
#define IGB_MAILBOX_RESET 0x01u
#define IGB_MAILBOX_SET_ADDRESS 0x02u
#define IGB_MAILBOX_SET_MULTICAST 0x03u
#define IGB_MAILBOX_SET_VLAN 0x04u
#define IGB_MAILBOX_SET_LENGTH 0x05u
#define IGB_MAILBOX_KIND 0xffffu
#define IGB_MAILBOX_CLEAR 0x20000000u /* the virtual function may go on sending requests */
#define IGB_MAILBOX_NACK 0x40000000u
#define IGB_MAILBOX_ACK 0x80000000u

/*
 * ---- More than eight pools: not in the 82576, whose registers end there ----
 * The same state as above in arrays of 64 pools, so that a part with more functions keeps the shape
 * of this one.
 */
#define IGB_POOLS_MAX 64u
#define IGB_X_RA_COUNT 128u
#define IGB_X_RAL(n) (0x14000u + 8u * (n)) /* RAH follows */
#define IGB_X_RA_POOLS(n) (0x14800u + 8u * (n))
#define IGB_X_VLVF_POOLS(n) (0x15000u + 8u * (n))
#define IGB_X_VMOLR(pool) (0x15400u + 4u * (pool))
#define IGB_X_VMVIR(pool) (0x15600u + 4u * (pool))
#define IGB_X_P2VMAILBOX(vf) (0x15800u + 4u * (vf))
#define IGB_X_VFRE 0x15a00 /* and so on: 64 bits each */
#define IGB_X_VFTE 0x15a08
#define IGB_X_VFLRE 0x15a10
#define IGB_X_MBVFREQ 0x15a18
#define IGB_X_MBVFACK 0x15a20
#define IGB_X_MBVFIMR 0x15a28
#define IGB_X_MAC_SPOOF 0x15a30
#define IGB_X_VLAN_SPOOF 0x15a38
#define IGB_X_LLE 0x15a40
#define IGB_X_DEFAULT_POOL 0x15a48
#define IGB_X_VMBMEM(vf) (0x16000u + 64u * (vf))

#endif
