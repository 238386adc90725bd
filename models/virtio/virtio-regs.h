/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtio 1.2: what driver and device must agree on. Facts of the specification only (OASIS
 * "Virtual I/O Device (VIRTIO) Version 1.2", clauses named below): feature bits, device status,
 * split and packed rings, the PCI transport, the network and the block device. All fields are
 * little-endian.
 *
 * Guest drivers and devices include this file; it is the only thing they share.
 */
#ifndef IOV_VIRTIO_REGS_H
#define IOV_VIRTIO_REGS_H

#include <assert.h>
#include <stdint.h>

/* ---- 2.1 Device status ---- */
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* ---- 5 Device types ---- */
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3 };

/* ---- 6 Feature bits of rings and transports ---- */
#define VIRTIO_F_NOTIFY_ON_EMPTY 24 /* legacy */
#define VIRTIO_F_ANY_LAYOUT 27      /* legacy; implied by VERSION_1 */
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32
#define VIRTIO_F_ACCESS_PLATFORM 33
#define VIRTIO_F_RING_PACKED 34
#define VIRTIO_F_IN_ORDER 35
#define VIRTIO_F_ORDER_PLATFORM 36
#define VIRTIO_F_SR_IOV 37
#define VIRTIO_F_NOTIFICATION_DATA 38
#define VIRTIO_F_RING_RESET 40
/* 6.3: legacy interface: offered so that a driver that accepts everything is found out. */
#define VIRTIO_F_BAD_FEATURE 30

#define VIRTIO_FEATURE(bit) (UINT64_C(1) << (bit))

/* ---- 2.7 Split ring ---- */

/* Descriptor flags, 2.7.5. */
#define VIRTQ_DESC_NEXT 1
#define VIRTQ_DESC_WRITE 2
#define VIRTQ_DESC_INDIRECT 4

#define VIRTQ_AVAIL_NO_INTERRUPT 1 /* 2.7.6: flags of the available ring, driver's */
#define VIRTQ_USED_NO_NOTIFY 1     /* 2.7.8: flags of the used ring, device's */

#define VIRTQ_SIZE_MAX 32768 /* of a split ring; a power of two */
#define VIRTQ_DESC_ALIGN 16
#define VIRTQ_AVAIL_ALIGN 2
#define VIRTQ_USED_ALIGN 4

struct virtq_desc {
    uint64_t address; /* guest-physical */
    uint32_t length;
    uint16_t flags; /* VIRTQ_DESC_* */
    uint16_t next;  /* valid with VIRTQ_DESC_NEXT */
};
static_assert(sizeof(struct virtq_desc) == 16, "a descriptor has 16 bytes");

struct virtq_used_elem {
    uint32_t id;     /* index of the chain's first descriptor */
    uint32_t length; /* bytes that the device wrote */
};
static_assert(sizeof(struct virtq_used_elem) == 8, "a used element has 8 bytes");

/* Offsets inside the available ring: flags, idx, ring[size], used_event. */
#define VIRTQ_AVAIL_FLAGS 0
#define VIRTQ_AVAIL_IDX 2
#define VIRTQ_AVAIL_RING 4
/* Offsets inside the used ring: flags, idx, ring[size], avail_event. */
#define VIRTQ_USED_FLAGS 0
#define VIRTQ_USED_IDX 2
#define VIRTQ_USED_RING 4

static inline uint64_t virtq_desc_bytes(uint32_t size)
{
    return UINT64_C(16) * size;
}

static inline uint64_t virtq_avail_bytes(uint32_t size)
{
    return UINT64_C(6) + UINT64_C(2) * size;
}

static inline uint64_t virtq_used_bytes(uint32_t size)
{
    return UINT64_C(6) + UINT64_C(8) * size;
}

/* Where the driver says when it wants the next interrupt (end of the available ring). */
static inline uint64_t virtq_used_event_offset(uint32_t size)
{
    return VIRTQ_AVAIL_RING + UINT64_C(2) * size;
}

/* Where the device says when it wants the next notification (end of the used ring). */
static inline uint64_t virtq_avail_event_offset(uint32_t size)
{
    return VIRTQ_USED_RING + UINT64_C(8) * size;
}

/*
 * 2.7.7.1, 2.7.10: did the step of an index from `old` to `current` pass `event`? True: notify. The
 * indexes wrap at 65536.
 */
static inline int virtq_need_event(uint16_t event, uint16_t current, uint16_t old)
{
    return (uint16_t)(current - event - 1) < (uint16_t)(current - old);
}

/* ---- 2.8 Packed ring ---- */
#define VIRTQ_PACKED_DESC_AVAIL (1 << 7)
#define VIRTQ_PACKED_DESC_USED (1 << 15)
#define VIRTQ_PACKED_EVENT_ENABLE 0
#define VIRTQ_PACKED_EVENT_DISABLE 1
#define VIRTQ_PACKED_EVENT_DESC 2
#define VIRTQ_PACKED_EVENT_WRAP 0x8000 /* in an event's place: the lap it is in */
#define VIRTQ_PACKED_EVENT_BYTES 4     /* of an event suppression structure: place, flags */
#define VIRTQ_PACKED_EVENT_PLACE 0
#define VIRTQ_PACKED_EVENT_FLAGS 2

struct virtq_packed_desc {
    uint64_t address;
    uint32_t length;
    uint16_t id;
    uint16_t flags;
};
static_assert(sizeof(struct virtq_packed_desc) == 16, "a packed descriptor has 16 bytes");

/* ---- 4.1 PCI transport ---- */
#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_DEVICE_MODERN 0x1040 /* plus the device type */
#define VIRTIO_PCI_DEVICE_LEGACY_NET 0x1000
#define VIRTIO_PCI_DEVICE_LEGACY_BLOCK 0x1001
#define VIRTIO_PCI_SUBSYSTEM 0x1100

/* 4.1.4: cfg_type of the vendor capabilities. */
enum {
    VIRTIO_PCI_CAP_COMMON = 1,
    VIRTIO_PCI_CAP_NOTIFY = 2,
    VIRTIO_PCI_CAP_ISR = 3,
    VIRTIO_PCI_CAP_DEVICE = 4,
    VIRTIO_PCI_CAP_PCI_CFG = 5,
    VIRTIO_PCI_CAP_SHARED_MEMORY = 8,
};
/* Offsets inside a vendor capability. */
#define VIRTIO_PCI_CAP_LENGTH 2
#define VIRTIO_PCI_CAP_TYPE 3
#define VIRTIO_PCI_CAP_BAR 4
#define VIRTIO_PCI_CAP_OFFSET 8
#define VIRTIO_PCI_CAP_SIZE 12
#define VIRTIO_PCI_CAP_NOTIFY_MULTIPLIER 16
#define VIRTIO_PCI_CAP_CFG_DATA 16

/* 4.1.4.3: common configuration. */
#define VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT 0x00 /* RW 32 */
#define VIRTIO_PCI_COMMON_DEVICE_FEATURE 0x04        /* RO 32 */
#define VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT 0x08 /* RW 32 */
#define VIRTIO_PCI_COMMON_DRIVER_FEATURE 0x0c        /* RW 32 */
#define VIRTIO_PCI_COMMON_CONFIG_VECTOR 0x10         /* RW 16 */
#define VIRTIO_PCI_COMMON_QUEUES 0x12                /* RO 16 */
#define VIRTIO_PCI_COMMON_STATUS 0x14                /* RW 8 */
#define VIRTIO_PCI_COMMON_GENERATION 0x15            /* RO 8 */
#define VIRTIO_PCI_COMMON_QUEUE_SELECT 0x16          /* RW 16 */
#define VIRTIO_PCI_COMMON_QUEUE_SIZE 0x18            /* RW 16 */
#define VIRTIO_PCI_COMMON_QUEUE_VECTOR 0x1a          /* RW 16 */
#define VIRTIO_PCI_COMMON_QUEUE_ENABLE 0x1c          /* RW 16 */
#define VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF 0x1e      /* RO 16 */
#define VIRTIO_PCI_COMMON_QUEUE_DESC 0x20            /* RW 64, as two of 32 */
#define VIRTIO_PCI_COMMON_QUEUE_DRIVER 0x28          /* RW 64: available ring */
#define VIRTIO_PCI_COMMON_QUEUE_DEVICE 0x30          /* RW 64: used ring */
#define VIRTIO_PCI_COMMON_QUEUE_NOTIFY_DATA 0x38     /* RO 16: with NOTIFICATION_DATA */
#define VIRTIO_PCI_COMMON_QUEUE_RESET 0x3a           /* RW 16: with RING_RESET */
#define VIRTIO_PCI_COMMON_SIZE 0x3c

#define VIRTIO_MSI_NO_VECTOR 0xffff

/* 4.1.4.5: ISR status; reading clears. */
#define VIRTIO_ISR_QUEUE 1
#define VIRTIO_ISR_CONFIG 2

/* Where this project's PCI transport (and QEMU's) puts the structures in BAR 4. */
#define VIRTIO_PCI_BAR_MODERN 4
#define VIRTIO_PCI_BAR_MODERN_SIZE 0x4000
#define VIRTIO_PCI_BAR_LEGACY 0 /* I/O */
#define VIRTIO_PCI_BAR_MSIX 1
#define VIRTIO_PCI_BAR_MSIX_SIZE 0x1000
#define VIRTIO_PCI_REGION_COMMON 0x0000
#define VIRTIO_PCI_REGION_ISR 0x1000
#define VIRTIO_PCI_REGION_DEVICE 0x2000
#define VIRTIO_PCI_REGION_NOTIFY 0x3000
#define VIRTIO_PCI_REGION_SIZE 0x1000
#define VIRTIO_PCI_NOTIFY_MULTIPLIER 4
#define VIRTIO_PCI_MSIX_PBA 0x800

/* MSI-X table entry: address low, address high, data, control (PCIe base specification, 7.7.2). */
#define VIRTIO_MSIX_ENTRY_SIZE 16
#define VIRTIO_MSIX_ENTRY_ADDRESS 0
#define VIRTIO_MSIX_ENTRY_DATA 8
#define VIRTIO_MSIX_ENTRY_CONTROL 12
#define VIRTIO_MSIX_ENTRY_MASKED 1

/* 4.1.4.10: legacy registers of BAR 0 (I/O), for a transitional device. */
#define VIRTIO_PCI_LEGACY_DEVICE_FEATURES 0x00
#define VIRTIO_PCI_LEGACY_DRIVER_FEATURES 0x04
#define VIRTIO_PCI_LEGACY_QUEUE_PFN 0x08
#define VIRTIO_PCI_LEGACY_QUEUE_SIZE 0x0c
#define VIRTIO_PCI_LEGACY_QUEUE_SELECT 0x0e
#define VIRTIO_PCI_LEGACY_QUEUE_NOTIFY 0x10
#define VIRTIO_PCI_LEGACY_STATUS 0x12
#define VIRTIO_PCI_LEGACY_ISR 0x13
#define VIRTIO_PCI_LEGACY_CONFIG_VECTOR 0x14 /* with MSI-X enabled */
#define VIRTIO_PCI_LEGACY_QUEUE_VECTOR 0x16
#define VIRTIO_PCI_LEGACY_DEVICE 0x14      /* device configuration without MSI-X */
#define VIRTIO_PCI_LEGACY_DEVICE_MSIX 0x18 /* and with it */
#define VIRTIO_PCI_LEGACY_PAGE \
    4096 /* unit of the queue's address, and alignment of its used ring */

/* ---- 5.1 Network device ---- */
#define VIRTIO_NET_F_CSUM 0
#define VIRTIO_NET_F_GUEST_CSUM 1
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS 2
#define VIRTIO_NET_F_MTU 3
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_GUEST_TSO4 7
#define VIRTIO_NET_F_GUEST_TSO6 8
#define VIRTIO_NET_F_GUEST_ECN 9
#define VIRTIO_NET_F_HOST_TSO4 11
#define VIRTIO_NET_F_HOST_TSO6 12
#define VIRTIO_NET_F_HOST_ECN 13
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_NET_F_STATUS 16
#define VIRTIO_NET_F_CTRL_VQ 17
#define VIRTIO_NET_F_CTRL_RX 18
#define VIRTIO_NET_F_CTRL_VLAN 19
#define VIRTIO_NET_F_CTRL_RX_EXTRA 20
#define VIRTIO_NET_F_GUEST_ANNOUNCE 21
#define VIRTIO_NET_F_MQ 22
#define VIRTIO_NET_F_CTRL_MAC_ADDR 23

/* 5.1.4: device configuration. */
#define VIRTIO_NET_CONFIG_MAC 0
#define VIRTIO_NET_CONFIG_STATUS 6
#define VIRTIO_NET_CONFIG_MAX_PAIRS 8
#define VIRTIO_NET_CONFIG_MTU 10
#define VIRTIO_NET_CONFIG_SIZE 12
#define VIRTIO_NET_STATUS_LINK_UP 1
#define VIRTIO_NET_STATUS_ANNOUNCE 2

/* 5.1.2: queues. The control queue comes after all pairs. */
#define VIRTIO_NET_RECEIVEQ(pair) (2u * (pair))
#define VIRTIO_NET_TRANSMITQ(pair) (2u * (pair) + 1u)

/* 5.1.6: header before every frame. */
struct virtio_net_hdr {
    uint8_t flags;    /* VIRTIO_NET_HDR_* */
    uint8_t gso_type; /* VIRTIO_NET_HDR_GSO_* */
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers; /* receive: descriptor chains that this frame takes */
};
static_assert(sizeof(struct virtio_net_hdr) == 12, "the header has 12 bytes");

#define VIRTIO_NET_HDR_NEEDS_CSUM 1
#define VIRTIO_NET_HDR_DATA_VALID 2
#define VIRTIO_NET_HDR_GSO_NONE 0
#define VIRTIO_NET_HDR_GSO_TCPV4 1
#define VIRTIO_NET_HDR_GSO_UDP 3
#define VIRTIO_NET_HDR_GSO_TCPV6 4
#define VIRTIO_NET_HDR_GSO_ECN 0x80

/* 5.1.6.5: control commands: class, command, data; the device answers with one byte. */
#define VIRTIO_NET_OK 0
#define VIRTIO_NET_ERR 1
#define VIRTIO_NET_CTRL_RX 0
#define VIRTIO_NET_CTRL_RX_PROMISC 0
#define VIRTIO_NET_CTRL_RX_ALLMULTI 1
#define VIRTIO_NET_CTRL_RX_ALLUNI 2
#define VIRTIO_NET_CTRL_RX_NOMULTI 3
#define VIRTIO_NET_CTRL_RX_NOUNI 4
#define VIRTIO_NET_CTRL_RX_NOBCAST 5
#define VIRTIO_NET_CTRL_MAC 1
#define VIRTIO_NET_CTRL_MAC_TABLE_SET 0
#define VIRTIO_NET_CTRL_MAC_ADDR_SET 1
#define VIRTIO_NET_CTRL_VLAN 2
#define VIRTIO_NET_CTRL_VLAN_ADD 0
#define VIRTIO_NET_CTRL_VLAN_DEL 1
#define VIRTIO_NET_VLANS 4096
#define VIRTIO_NET_CTRL_ANNOUNCE 3
#define VIRTIO_NET_CTRL_ANNOUNCE_ACK 0
#define VIRTIO_NET_CTRL_MQ 4
#define VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET 0
#define VIRTIO_NET_CTRL_MQ_PAIRS_MAX 0x8000
#define VIRTIO_NET_CTRL_OFFLOADS 5
#define VIRTIO_NET_CTRL_OFFLOADS_SET 0

/* ---- 5.2 Block device ---- */
#define VIRTIO_BLK_F_SIZE_MAX 1
#define VIRTIO_BLK_F_SEG_MAX 2
#define VIRTIO_BLK_F_GEOMETRY 4
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_BLK_SIZE 6
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_TOPOLOGY 10
#define VIRTIO_BLK_F_CONFIG_WCE 11
#define VIRTIO_BLK_F_MQ 12
#define VIRTIO_BLK_F_DISCARD 13
#define VIRTIO_BLK_F_WRITE_ZEROES 14

/* 5.2.4: device configuration. */
struct virtio_blk_config {
    uint64_t capacity; /* sectors of 512 bytes */
    uint32_t size_max;
    uint32_t seg_max;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint32_t blk_size;
    uint8_t physical_block_exp;
    uint8_t alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback;
    uint8_t unused0;
    uint16_t num_queues;
    uint32_t max_discard_sectors;
    uint32_t max_discard_seg;
    uint32_t discard_sector_alignment;
    uint32_t max_write_zeroes_sectors;
    uint32_t max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t unused1[7];
};
static_assert(sizeof(struct virtio_blk_config) == 0x40, "configuration of a block device");
#define VIRTIO_BLK_CONFIG_SIZE 0x39 /* up to write_zeroes_may_unmap */
#define VIRTIO_BLK_CONFIG_WRITEBACK 0x20

#define VIRTIO_BLK_SECTOR 512u
#define VIRTIO_BLK_ID_SIZE 20u

/* 5.2.6: a request: this header, data, one byte of status. */
struct virtio_blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
};
static_assert(sizeof(struct virtio_blk_header) == 16, "header of a block request");

enum {
    VIRTIO_BLK_T_IN = 0,
    VIRTIO_BLK_T_OUT = 1,
    VIRTIO_BLK_T_FLUSH = 4,
    VIRTIO_BLK_T_GET_ID = 8,
    VIRTIO_BLK_T_DISCARD = 11,
    VIRTIO_BLK_T_WRITE_ZEROES = 13,
};
#define VIRTIO_BLK_T_BARRIER 0x80000000u /* legacy, ignored */
enum { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };

/* 5.2.6: data of discard and write zeroes. */
struct virtio_blk_range {
    uint64_t sector;
    uint32_t num_sectors;
    uint32_t flags;
};
static_assert(sizeof(struct virtio_blk_range) == 16, "a range of sectors");
#define VIRTIO_BLK_RANGE_UNMAP 1u

#endif
