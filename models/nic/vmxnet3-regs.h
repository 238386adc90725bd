/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmxnet3 as a driver sees it: registers of its two BARs, commands, the memory that driver and
 * device share, descriptors. Revision 1 of the interface, which every driver knows. Everything is
 * little-endian.
 *
 * SPEC: the interface's only public description is the header of the drivers that its vendor
 * publishes; clauses here name its structures.
 */
#ifndef IOV_NIC_VMXNET3_REGS_H
#define IOV_NIC_VMXNET3_REGS_H

#include <assert.h>
#include <stdint.h>

#define VMXNET3_VENDOR_ID 0x15ad
#define VMXNET3_DEVICE_ID 0x07b0
#define VMXNET3_BAR_SIZE 4096u /* of BAR 0 and BAR 1 */
#define VMXNET3_MSIX_PENDING 0x800u

/* ---- BAR 0: what the data path touches; registers are 8 bytes apart ---- */

#define VMXNET3_IMR 0x000u     /* RW: bit 0 masks the vector, one register each */
#define VMXNET3_TXPROD 0x600u  /* WO: index behind the last descriptor, one register a queue */
#define VMXNET3_RXPROD 0x800u  /* WO: the same for the first receive ring */
#define VMXNET3_RXPROD2 0xa00u /* WO: and for the second */

/* ---- BAR 1: control ---- */

#define VMXNET3_VRRS 0x00u /* R: revisions of the device, a bit each; W: the one chosen */
#define VMXNET3_UVRS 0x08u /* the same for the pass-through interface */
#define VMXNET3_DSAL 0x10u /* RW: address of the shared area */
#define VMXNET3_DSAH 0x18u
#define VMXNET3_CMD 0x20u /* W: command; R: its result */
#define VMXNET3_MACL 0x28u
#define VMXNET3_MACH 0x30u
#define VMXNET3_ICR 0x38u /* RO: with INTx: is it this device? Read clears */
#define VMXNET3_ECR 0x40u /* W1C: events of the shared area */

enum vmxnet3_command {
    VMXNET3_SET_ACTIVATE = 0xcafe0000,
    VMXNET3_SET_QUIESCE,
    VMXNET3_SET_RESET,
    VMXNET3_SET_RX_MODE,
    VMXNET3_SET_MAC_FILTERS,
    VMXNET3_SET_VLAN_FILTERS,
    VMXNET3_SET_RSS_TABLE,
    VMXNET3_SET_MODERATION,
    VMXNET3_SET_POWER,
    VMXNET3_SET_FEATURES,
    VMXNET3_GET_QUEUE_STATUS = 0xf00d0000,
    VMXNET3_GET_STATISTICS,
    VMXNET3_GET_LINK, /* speed in Mb/s << 16, bit 0: up */
    VMXNET3_GET_MAC_LOW,
    VMXNET3_GET_MAC_HIGH,
    VMXNET3_GET_DEVICE_LOW,
    VMXNET3_GET_DEVICE_HIGH,
    VMXNET3_GET_EXTRA,
    VMXNET3_GET_INTERRUPTS, /* type | mask mode << 2 */
};

enum { VMXNET3_TYPE_AUTO, VMXNET3_TYPE_INTX, VMXNET3_TYPE_MSI, VMXNET3_TYPE_MSIX };
enum { VMXNET3_MASK_AUTO, VMXNET3_MASK_ACTIVE, VMXNET3_MASK_LAZY };

/* ---- The shared area ---- */

#define VMXNET3_MAGIC 0xbabefee1u
#define VMXNET3_VECTORS 25u

struct vmxnet3_misc {
    uint32_t driver_version, guest, revisions, pass_through_versions;
    uint64_t features;
    uint64_t driver_data;
    uint64_t queues; /* transmit queues' descriptions, then the receive queues' */
    uint32_t driver_data_size, queues_size;
    uint32_t mtu;
    uint16_t rx_pieces;
    uint8_t tx_queues, rx_queues;
    uint32_t reserved[4];
};

struct vmxnet3_interrupts {
    uint8_t auto_mask; /* the device masks a vector when it fires */
    uint8_t count;
    uint8_t event_vector;
    uint8_t moderation[VMXNET3_VECTORS];
    uint32_t control;
    uint32_t reserved[2];
};

struct vmxnet3_filter {
    uint32_t mode;
    uint16_t groups_size, reserved;
    uint64_t groups;
    uint32_t vlans[128];
};

struct vmxnet3_shared {
    uint32_t magic, reserved;
    struct vmxnet3_misc misc;
    struct vmxnet3_interrupts interrupts;
    struct vmxnet3_filter filter;
    uint64_t rss[2], power[2], plug_in[2];
    uint32_t events;
    uint32_t reserved2[5];
};
static_assert(sizeof(struct vmxnet3_misc) == 72, "SPEC: MiscConf");
static_assert(sizeof(struct vmxnet3_interrupts) == 40, "SPEC: IntrConf");
static_assert(sizeof(struct vmxnet3_shared) == 720, "SPEC: DriverShared");

#define VMXNET3_DISABLE_ALL 1u /* interrupts.control */

enum { /* features */
       VMXNET3_FEATURE_RX_CHECKSUM = 1 << 0,
};

enum { /* filter.mode */
       VMXNET3_RX_UNICAST = 1 << 0,
       VMXNET3_RX_MULTICAST = 1 << 1,
       VMXNET3_RX_BROADCAST = 1 << 2,
       VMXNET3_RX_ALL_MULTICAST = 1 << 3,
       VMXNET3_RX_PROMISCUOUS = 1 << 4,
};

enum { /* events */
       VMXNET3_EVENT_RX_ERROR = 1 << 0,
       VMXNET3_EVENT_TX_ERROR = 1 << 1,
       VMXNET3_EVENT_LINK = 1 << 2,
};

/* ---- Descriptions of queues ---- */

#define VMXNET3_QUEUES_ALIGN 128u
#define VMXNET3_RING_ALIGN 512u
#define VMXNET3_RING_STEP 32u /* sizes are multiples of it */
#define VMXNET3_RING_MAX 4096u
#define VMXNET3_RX_COMPLETIONS_MAX 8192u

struct vmxnet3_queue_status {
    uint8_t stopped, reserved[3];
    uint32_t error;
};

struct vmxnet3_tx_queue {
    uint32_t deferred;  /* the driver's: frames since it last wrote TXPROD */
    uint32_t threshold; /* the device's: it wants TXPROD from that many on */
    uint64_t reserved;
    uint64_t ring, data, completions, driver_data, reserved2;
    uint32_t ring_size, data_size, completions_size, driver_data_size;
    uint8_t vector, reserved3;
    uint16_t data_descriptor_size;
    uint8_t reserved4[4];
    struct vmxnet3_queue_status status;
    uint64_t statistics[10];
    uint8_t reserved5[88];
};

struct vmxnet3_rx_queue {
    uint8_t want_producer; /* the device's: it wants RXPROD */
    uint8_t reserved[7];
    uint64_t reserved2;
    uint64_t rings[2], completions, driver_data, data;
    uint32_t ring_sizes[2], completions_size, driver_data_size;
    uint8_t vector, reserved3;
    uint16_t data_descriptor_size;
    uint8_t reserved4[4];
    struct vmxnet3_queue_status status;
    uint64_t statistics[10];
    uint8_t reserved5[88];
};
static_assert(sizeof(struct vmxnet3_tx_queue) == 256, "SPEC: TxQueueDesc");
static_assert(sizeof(struct vmxnet3_rx_queue) == 256, "SPEC: RxQueueDesc");

enum { /* vmxnet3_queue_status.error */
       VMXNET3_ERROR_NO_END = 0x80000000,
       VMXNET3_ERROR_REUSED = 0x80000001,
       VMXNET3_ERROR_TOO_LONG = 0x80000002,
       VMXNET3_ERROR_UNSUPPORTED = 0x80000003,
       VMXNET3_ERROR_SMALL_BUFFER = 0x80000004,
       VMXNET3_ERROR_INVALID = 0x80000007,
};

/* ---- Descriptors: four words ---- */

/* One is new when its generation bit is the ring's, which turns at each lap. */

struct vmxnet3_descriptor {
    uint64_t address; /* of a completion: words 0 and 1 */
    uint32_t word2, word3;
};
static_assert(sizeof(struct vmxnet3_descriptor) == 16, "SPEC: GenericDesc");

#define VMXNET3_LENGTH 0x3fffu /* word 2, bits 13:0; of a transmit descriptor 0 is 16384 */
#define VMXNET3_INDEX 0xfffu   /* completion, word 0, bits 11:0 */
/* Transmit */
#define VMXNET3_TX_GENERATION (1u << 14) /* word 2 */
#define VMXNET3_TX_TYPE (3u << 16)       /* word 2: must be 0 */
#define VMXNET3_TX_OFFSET_SHIFT 18       /* word 2: place of the checksum, or MSS */
#define VMXNET3_TX_HEADER 0x3ffu         /* word 3: where the checksum begins */
#define VMXNET3_TX_MODE_SHIFT 10         /* word 3: 0 none, 2 checksum, 3 segmentation */
#define VMXNET3_TX_MODE_CHECKSUM 2u
#define VMXNET3_TX_MODE_SEGMENTS 3u
#define VMXNET3_TX_END (1u << 12)      /* word 3: last of a frame */
#define VMXNET3_TX_COMPLETE (1u << 13) /* word 3: tell when it is sent */
#define VMXNET3_TX_PIECES 16u          /* descriptors of a frame */
#define VMXNET3_TX_DATA 128u           /* bytes of a data ring's entry */
/* Receive */
#define VMXNET3_RX_BODY (1u << 14)       /* word 2: for what follows the first buffer */
#define VMXNET3_RX_GENERATION (1u << 31) /* word 2 */
/* Completions: word 3 */
#define VMXNET3_DONE_GENERATION (1u << 31)
#define VMXNET3_DONE_TYPE_SHIFT 24
#define VMXNET3_DONE_TX 0u
#define VMXNET3_DONE_RX 3u
/* ... of receive: word 0 */
#define VMXNET3_DONE_END (1u << 14)
#define VMXNET3_DONE_BEGIN (1u << 15)
#define VMXNET3_DONE_RING_SHIFT 16
#define VMXNET3_DONE_UNCHECKED (1u << 30)
#define VMXNET3_DONE_ERROR (1u << 14)       /* word 2 */
#define VMXNET3_DONE_CHECKSUM_OK (1u << 16) /* word 3: of TCP or UDP */
#define VMXNET3_DONE_UDP (1u << 17)
#define VMXNET3_DONE_TCP (1u << 18)
#define VMXNET3_DONE_IP_OK (1u << 19) /* the header's sum, which IPv6 has none of */
#define VMXNET3_DONE_IPV6 (1u << 20)
#define VMXNET3_DONE_IPV4 (1u << 21)

#endif
