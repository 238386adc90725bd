/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register map, descriptors, PHY and EEPROM of Intel's 82540EM Gigabit Ethernet controller, for the
 * device, its drivers and tests.
 * SPEC: PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual (8254x),
 * chapters 3, 5, 13. Access marks: RO, RW, WO, RC (cleared by reading), SC (clears itself).
 */
#ifndef IOV_NIC_E1000_REGS_H
#define IOV_NIC_E1000_REGS_H

#include <assert.h>
#include <stdint.h>

#define E1000_VENDOR_ID 0x8086
#define E1000_DEVICE_ID 0x100e
#define E1000_REVISION 0x03
#define E1000_SUBSYSTEM_VENDOR 0x1af4
#define E1000_SUBSYSTEM 0x1100
#define E1000_CONFIG_SIZE 256u
#define E1000_BAR_SIZE 0x20000u /* registers, memory */
#define E1000_IO_SIZE 64u       /* IOADDR and IODATA */
#define E1000_IOADDR 0x00
#define E1000_IODATA 0x04

/* ---- The 82574L. SPEC: 82574 Datasheet, 7.1 (receive), 7.4 (interrupts), 10 (registers) ---- */
#define E1000_82574_DEVICE_ID 0x10d3
#define E1000_82574_IO_SIZE 32u
#define E1000_82574_CONFIG_SIZE 4096u
#define E1000_82574_MSIX_SIZE 0x4000u
#define E1000_82574_MSIX_PENDING 0x2000u
#define E1000_82574_VECTORS 5u
#define E1000_EIAC 0x00dc /* RW: causes that sending clears */
#define E1000_IAM 0x00e0  /* RW: mask bits that sending (EIAME) or reading ICR (IAME) clears */
#define E1000_IVAR 0x00e4 /* RW: four bits for each cause: vector, valid */
#define E1000_EITR(n) (0x00e8 + 4 * (n))
#define E1000_EXTCNF_CTRL 0x0f00
#define E1000_TARC0 0x3840
#define E1000_RFCTL 0x5008
#define E1000_GCR 0x5b00
#define E1000_FWSM 0x5b54
#define E1000_SWSM2 0x5b58
#define E1000_IVAR_VALID 0x8u
#define E1000_IVAR_RXQ0 0 /* shifts */
#define E1000_IVAR_RXQ1 4
#define E1000_IVAR_TXQ0 8
#define E1000_IVAR_TXQ1 12
#define E1000_IVAR_OTHER 16
#define E1000_IVAR_EVERY_WRITEBACK (1u << 31)
#define E1000_CTRL_EXT_EIAME (1u << 24)
#define E1000_CTRL_EXT_IAME (1u << 27)
#define E1000_CTRL_EXT_DRV_LOAD (1u << 28)
#define E1000_CTRL_EXT_PBA_CLR (1u << 31) /* SC */
#define E1000_RFCTL_ACK_DISABLE (1u << 12)
#define E1000_RFCTL_EXTENDED (1u << 15)
#define E1000_82574_EERD_DONE (1u << 1)
#define E1000_82574_EERD_ADDRESS_SHIFT 2
#define E1000_82574_EERD_ADDRESS 0x3fffu

/* What a receive descriptor becomes with RFCTL.EXTEN. */
struct e1000_rx_writeback {
    uint32_t rss_type;
    uint32_t rss;
    uint32_t status; /* low byte: as in a legacy one; high byte: its errors */
    uint16_t length;
    uint16_t vlan;
};
static_assert(sizeof(struct e1000_rx_writeback) == 16, "SPEC: 82574, 7.1.6");
#define E1000_RXD_EXTENDED_ERRORS_SHIFT 24

/* ---- General ---- */
#define E1000_CTRL 0x0000     /* RW */
#define E1000_STATUS 0x0008   /* RO */
#define E1000_EECD 0x0010     /* RW: EEPROM pins */
#define E1000_EERD 0x0014     /* RW: EEPROM read */
#define E1000_CTRL_EXT 0x0018 /* RW */
#define E1000_FLA 0x001c
#define E1000_MDIC 0x0020 /* RW: PHY access */
#define E1000_FCAL 0x0028
#define E1000_FCAH 0x002c
#define E1000_FCT 0x0030
#define E1000_VET 0x0038
#define E1000_FCTTV 0x0170
#define E1000_TXCW 0x0178
#define E1000_RXCW 0x0180
#define E1000_LEDCTL 0x0e00
#define E1000_PBA 0x1000

/* ---- Interrupts ---- */
#define E1000_ICR 0x00c0 /* RC */
#define E1000_ITR 0x00c4 /* RW: least time between interrupts, 256 ns units */
#define E1000_ICS 0x00c8 /* WO: sets causes */
#define E1000_IMS 0x00d0 /* RW: sets mask bits */
#define E1000_IMC 0x00d8 /* WO: clears mask bits */

/* ---- Receive ---- */
#define E1000_RCTL 0x0100
#define E1000_FCRTL 0x2160
#define E1000_FCRTH 0x2168
#define E1000_RDBAL 0x2800
#define E1000_RDBAH 0x2804
#define E1000_RDLEN 0x2808
#define E1000_RDH 0x2810
#define E1000_RDT 0x2818
#define E1000_RDTR 0x2820 /* receive delay, 1.024 us units */
#define E1000_RXDCTL 0x2828
#define E1000_RADV 0x282c /* absolute receive delay */
#define E1000_RSRPD 0x2c00
#define E1000_RXCSUM 0x5000
#define E1000_MTA 0x5200 /* 128 entries: multicast hash */
#define E1000_RAL 0x5400 /* 16 pairs: RAL at 0x5400 + 8n, RAH at 0x5404 + 8n */
#define E1000_RAH 0x5404
#define E1000_VFTA 0x5600 /* 128 entries: VLAN filter */

/* ---- Transmit ---- */
#define E1000_TCTL 0x0400
#define E1000_TIPG 0x0410
#define E1000_AIT 0x0458
#define E1000_TDFH 0x3410
#define E1000_TDFT 0x3418
#define E1000_TDFHS 0x3420
#define E1000_TDFTS 0x3428
#define E1000_TDFPC 0x3430
#define E1000_TDBAL 0x3800
#define E1000_TDBAH 0x3804
#define E1000_TDLEN 0x3808
#define E1000_TDH 0x3810
#define E1000_TDT 0x3818
#define E1000_TIDV 0x3820 /* transmit interrupt delay, 1.024 us units */
#define E1000_TXDCTL 0x3828
#define E1000_TADV 0x382c
#define E1000_TSPMT 0x3830

/* ---- Management, wake-up ---- */
#define E1000_WUC 0x5800
#define E1000_WUFC 0x5808
#define E1000_WUS 0x5810
#define E1000_IPAV 0x5838
#define E1000_MANC 0x5820
#define E1000_SWSM 0x5b50

/* ---- Statistics: RC, 0x4000 to 0x40fc ---- */
#define E1000_STATISTICS 0x4000
#define E1000_STATISTICS_COUNT 64
#define E1000_CRCERRS 0x4000
#define E1000_RLEC 0x4040
#define E1000_MPC 0x4010
#define E1000_PRC64 0x405c
#define E1000_PRC127 0x4060
#define E1000_PRC255 0x4064
#define E1000_PRC511 0x4068
#define E1000_PRC1023 0x406c
#define E1000_PRC1522 0x4070
#define E1000_GPRC 0x4074
#define E1000_BPRC 0x4078
#define E1000_MPRC 0x407c
#define E1000_GPTC 0x4080
#define E1000_GORCL 0x4088
#define E1000_GORCH 0x408c
#define E1000_GOTCL 0x4090
#define E1000_GOTCH 0x4094
#define E1000_RNBC 0x40a0
#define E1000_RUC 0x40a4
#define E1000_ROC 0x40ac
#define E1000_TORL 0x40c0
#define E1000_TORH 0x40c4
#define E1000_TOTL 0x40c8
#define E1000_TOTH 0x40cc
#define E1000_TPR 0x40d0
#define E1000_TPT 0x40d4
#define E1000_PTC64 0x40d8
#define E1000_PTC127 0x40dc
#define E1000_PTC255 0x40e0
#define E1000_PTC511 0x40e4
#define E1000_PTC1023 0x40e8
#define E1000_PTC1522 0x40ec
#define E1000_MPTC 0x40f0
#define E1000_BPTC 0x40f4
#define E1000_TSCTC 0x40f8
#define E1000_TSCTFC 0x40fc

/* CTRL */
#define E1000_CTRL_FD (1u << 0)
#define E1000_CTRL_LRST (1u << 3)
#define E1000_CTRL_ASDE (1u << 5)
#define E1000_CTRL_SLU (1u << 6)
#define E1000_CTRL_SPEED_1000 (2u << 8)
#define E1000_CTRL_RST (1u << 26) /* SC */
#define E1000_CTRL_RFCE (1u << 27)
#define E1000_CTRL_TFCE (1u << 28)
#define E1000_CTRL_VME (1u << 30)
#define E1000_CTRL_PHY_RST (1u << 31)
#define E1000_CTRL_RESET 0x00140240u

/* STATUS: full duplex, link up, 1000 Mb/s, as the part reports them on a 32-bit bus. */
#define E1000_STATUS_FD (1u << 0)
#define E1000_STATUS_LU (1u << 1)
#define E1000_STATUS_RESET 0x80080783u

/* EECD */
#define E1000_EECD_SK (1u << 0)
#define E1000_EECD_CS (1u << 1)
#define E1000_EECD_DI (1u << 2)
#define E1000_EECD_DO (1u << 3) /* RO */
#define E1000_EECD_FWE (3u << 4)
#define E1000_EECD_REQ (1u << 6)
#define E1000_EECD_GNT (1u << 7)  /* RO */
#define E1000_EECD_PRES (1u << 8) /* RO */

/* EERD */
#define E1000_EERD_START (1u << 0)
#define E1000_EERD_DONE (1u << 4)
#define E1000_EERD_ADDRESS_SHIFT 8
#define E1000_EERD_DATA_SHIFT 16

/* EEPROM words */
#define E1000_EEPROM_WORDS 64u
#define E1000_EEPROM_CHECKSUM 0x3f
#define E1000_EEPROM_SUM 0xbaba
#define E1000_EEPROM_READ 6u /* start bit and opcode */

/* MDIC */
#define E1000_MDIC_DATA 0xffffu
#define E1000_MDIC_REGISTER_SHIFT 16
#define E1000_MDIC_PHY_SHIFT 21
#define E1000_MDIC_WRITE (1u << 26)
#define E1000_MDIC_READ (2u << 26)
#define E1000_MDIC_READY (1u << 28)
#define E1000_MDIC_INTERRUPT (1u << 29)
#define E1000_MDIC_ERROR (1u << 30)

/* ICR, ICS, IMS, IMC */
#define E1000_ICR_TXDW (1u << 0)
#define E1000_ICR_TXQE (1u << 1)
#define E1000_ICR_LSC (1u << 2)
#define E1000_ICR_RXSEQ (1u << 3)
#define E1000_ICR_RXDMT0 (1u << 4)
#define E1000_ICR_RXO (1u << 6)
#define E1000_ICR_RXT0 (1u << 7)
#define E1000_ICR_MDAC (1u << 9)
#define E1000_ICR_RXCFG (1u << 10)
#define E1000_ICR_TXD_LOW (1u << 15)
#define E1000_ICR_SRPD (1u << 16)
#define E1000_ICR_ALL 0x0001ffffu

/* ICR of the 82574: queues, and everything else as one cause */
#define E1000_ICR_ACK (1u << 17)
#define E1000_ICR_MNG (1u << 18)
#define E1000_ICR_RXQ0 (1u << 20)
#define E1000_ICR_RXQ1 (1u << 21)
#define E1000_ICR_TXQ0 (1u << 22)
#define E1000_ICR_TXQ1 (1u << 23)
#define E1000_ICR_OTHER (1u << 24)
#define E1000_ICR_ASSERTED (1u << 31)
#define E1000_ICR_82574 0x81ffffffu
#define E1000_ICR_QUEUES (E1000_ICR_RXQ0 | E1000_ICR_RXQ1 | E1000_ICR_TXQ0 | E1000_ICR_TXQ1)

/* RCTL */
#define E1000_RCTL_EN (1u << 1)
#define E1000_RCTL_SBP (1u << 2)
#define E1000_RCTL_UPE (1u << 3) /* every unicast */
#define E1000_RCTL_MPE (1u << 4) /* every multicast */
#define E1000_RCTL_LPE (1u << 5) /* frames above 1522 bytes */
#define E1000_RCTL_RDMTS_SHIFT 8
#define E1000_RCTL_MO_SHIFT 12
#define E1000_RCTL_BAM (1u << 15)
#define E1000_RCTL_BSIZE_SHIFT 16
#define E1000_RCTL_VFE (1u << 18)
#define E1000_RCTL_BSEX (1u << 25)
#define E1000_RCTL_SECRC (1u << 26)

#define E1000_RAH_VALID (1u << 31)

#define E1000_RDTR_FLUSH (1u << 31)

/* RXCSUM */
#define E1000_RXCSUM_IPOFL (1u << 8)
#define E1000_RXCSUM_TUOFL (1u << 9)

/* TCTL */
#define E1000_TCTL_EN (1u << 1)
#define E1000_TCTL_PSP (1u << 3)

/* ---- Descriptors, 16 bytes, little-endian ---- */
#define E1000_DESCRIPTOR_SIZE 16u

struct e1000_rx_descriptor {
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    uint8_t status;
    uint8_t errors;
    uint16_t special;
};
static_assert(sizeof(struct e1000_rx_descriptor) == 16, "SPEC: 3.2.3");

#define E1000_RXD_STATUS_DD (1u << 0)
#define E1000_RXD_STATUS_EOP (1u << 1)
#define E1000_RXD_STATUS_IXSM (1u << 2)
#define E1000_RXD_STATUS_VP (1u << 3)
#define E1000_RXD_STATUS_TCPCS (1u << 5)
#define E1000_RXD_STATUS_IPCS (1u << 6)
#define E1000_RXD_STATUS_PIF (1u << 7)
#define E1000_RXD_ERROR_TCPE (1u << 5)
#define E1000_RXD_ERROR_IPE (1u << 6)

/* Legacy, data and context descriptors share 16 bytes; `lower` and `upper` tell them apart. */
struct e1000_tx_descriptor {
    uint64_t address;
    uint32_t lower; /* length, command */
    uint32_t upper; /* status, options, special */
};
static_assert(sizeof(struct e1000_tx_descriptor) == 16, "SPEC: 3.3.3");

struct e1000_context_descriptor {
    uint8_t ipcss;
    uint8_t ipcso;
    uint16_t ipcse;
    uint8_t tucss;
    uint8_t tucso;
    uint16_t tucse;
    uint32_t lower; /* payload length, type, command */
    uint8_t status;
    uint8_t header_length;
    uint16_t mss;
};
static_assert(sizeof(struct e1000_context_descriptor) == 16, "SPEC: 3.3.6");

/* lower, all types */
#define E1000_TXD_EOP (1u << 24)
#define E1000_TXD_IFCS (1u << 25)
#define E1000_TXD_RS (1u << 27)
#define E1000_TXD_RPS (1u << 28)
#define E1000_TXD_DEXT (1u << 29)
#define E1000_TXD_VLE (1u << 30)
#define E1000_TXD_IDE (1u << 31)
#define E1000_TXD_TYPE (0xfu << 20) /* with DEXT */
#define E1000_TXD_TYPE_CONTEXT (0u << 20)
#define E1000_TXD_TYPE_DATA (1u << 20)
#define E1000_TXD_LENGTH 0xfffffu /* with DEXT: data length or payload length */
/* lower, legacy */
#define E1000_TXD_LEGACY_LENGTH 0xffffu
#define E1000_TXD_CSO_SHIFT 16
#define E1000_TXD_IC (1u << 26)
/* lower, data */
#define E1000_TXD_TSE (1u << 26)
/* lower, context */
#define E1000_TXD_CONTEXT_TCP (1u << 24)
#define E1000_TXD_CONTEXT_IP (1u << 25)
#define E1000_TXD_CONTEXT_TSE (1u << 26)
/* upper */
#define E1000_TXD_STATUS_DD (1u << 0)
#define E1000_TXD_CSS_SHIFT 8          /* legacy */
#define E1000_TXD_POPTS_IXSM (1u << 8) /* data: insert IP checksum */
#define E1000_TXD_POPTS_TXSM (1u << 9) /* data: insert TCP/UDP checksum */
#define E1000_TXD_SPECIAL_SHIFT 16

/* ---- PHY, M88E1000, at address 1 ---- */
#define E1000_PHY_ADDRESS 1u
#define E1000_PHY_M88E1000 0x0c20 /* ID2 */
#define E1000_PHY_82574 0x0cb1
#define E1000_PHY_CONTROL 0x00
#define E1000_PHY_STATUS 0x01
#define E1000_PHY_ID1 0x02
#define E1000_PHY_ID2 0x03
#define E1000_PHY_ADVERTISE 0x04
#define E1000_PHY_PARTNER 0x05
#define E1000_PHY_EXPANSION 0x06
#define E1000_PHY_1000T_CONTROL 0x09
#define E1000_PHY_1000T_STATUS 0x0a
#define E1000_PHY_EXTENDED_STATUS 0x0f
#define E1000_PHY_M88_CONTROL 0x10
#define E1000_PHY_M88_STATUS 0x11
#define E1000_PHY_M88_INTERRUPT_ENABLE 0x12
#define E1000_PHY_M88_EXT_CONTROL 0x14
#define E1000_PHY_M88_RX_ERRORS 0x15
#define E1000_PHY_CONTROL_RESTART (1u << 9) /* SC */
#define E1000_PHY_CONTROL_AUTONEG (1u << 12)
#define E1000_PHY_CONTROL_RESET (1u << 15) /* SC */
#define E1000_PHY_STATUS_LINK (1u << 2)
#define E1000_PHY_STATUS_AUTONEG_DONE (1u << 5)
#define E1000_PHY_M88_STATUS_LINK (1u << 10)

#endif
