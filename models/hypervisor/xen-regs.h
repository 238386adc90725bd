/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of Xen's public interface: how a guest finds the hypervisor, hypercalls, event channels
 * (two-level ABI), grant tables (version 1) and the network rings. The names follow the public
 * headers; layouts are those of 64-bit x86.
 *
 * LIMIT: there is no xenstore: what front end and back end would read there is in one page of guest
 * memory (struct xen_store).
 */
#ifndef IOV_HYPERVISOR_XEN_REGS_H
#define IOV_HYPERVISOR_XEN_REGS_H

#include <assert.h>
#include <stdint.h>

#define XEN_PAGE 4096u

/* CPUID leaf 0x40000000: "XenVMMXenVMM" in EBX, ECX, EDX */
#define XEN_CPUID_SIGNATURE 0x40000000u
#define XEN_SIGNATURE_EBX 0x566e6558u
#define XEN_SIGNATURE_ECX 0x65584d4du
#define XEN_SIGNATURE_EDX 0x4d4d566eu

/*
 * Hypercalls: VMCALL with the number in RAX, arguments in RBX, RCX, RDX, as a 32-bit guest passes
 * them: command, address of the argument, count. LIMIT: addresses are guest-physical.
 */
#define XEN_HYPERCALL_MEMORY_OP 12
#define XEN_HYPERCALL_GRANT_TABLE_OP 20
#define XEN_HYPERCALL_EVENT_CHANNEL_OP 32
#define XEN_HYPERCALL_HVM_OP 34

#define XEN_EINVAL 22
#define XEN_ENOSYS 38
#define XEN_EFAULT 14

/* memory_op */
#define XENMEM_ADD_TO_PHYSMAP 7
#define XENMAPSPACE_SHARED_INFO 0
#define XENMAPSPACE_GRANT_TABLE 1

struct xen_add_to_physmap {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint64_t index;
    uint64_t gpfn;
};

/* hvm_op */
#define XEN_HVMOP_SET_PARAM 0
#define XEN_HVM_PARAM_CALLBACK_IRQ 0
#define XEN_HVM_CALLBACK_VECTOR (UINT64_C(2) << 56) /* the low byte is the vector */

struct xen_hvm_param {
    uint16_t domid;
    uint16_t pad;
    uint32_t index;
    uint64_t value;
};

#define XEN_DOMID_SELF 0x7ff0u

/* event_channel_op */
#define XEN_EVTCHNOP_SEND 4

struct xen_evtchn_send {
    uint32_t port;
};

/* The shared info page: vcpu_info of processor n at n * 64, then the bitmaps of 4096 ports. */
#define XEN_VCPU_INFO_SIZE 64u
#define XEN_VCPU_UPCALL_PENDING 0u /* one byte */
#define XEN_VCPU_UPCALL_MASK 1u    /* one byte */
#define XEN_VCPU_PENDING_SELECT 8u /* 64 bits: a bit for each word of pending bits */
#define XEN_VCPUS 32u
#define XEN_EVTCHN_PENDING (XEN_VCPUS * XEN_VCPU_INFO_SIZE)
#define XEN_EVTCHN_MASK (XEN_EVTCHN_PENDING + 512u)
#define XEN_EVTCHN_PORTS 4096u

/* Grant entries */
#define XEN_GTF_TYPE_MASK 3u
#define XEN_GTF_PERMIT_ACCESS 1u
#define XEN_GTF_READONLY (1u << 2)
#define XEN_GTF_READING (1u << 3)
#define XEN_GTF_WRITING (1u << 4)
#define XEN_GRANT_RESERVED 8u /* entries with a meaning of their own */
#define XEN_GRANTS_PER_PAGE (XEN_PAGE / 8u)

struct xen_grant_entry {
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};

/* Outcomes of grant operations */
#define XEN_GNTST_OKAY 0
#define XEN_GNTST_BAD_GNTREF (-3)
#define XEN_GNTST_PERMISSION_DENIED (-8)
#define XEN_GNTST_BAD_PAGE (-9)
#define XEN_GNTST_BAD_COPY_ARG (-10)

/* Shared rings: indices run freely, entries begin at 64. */
#define XEN_RING_REQ_PROD 0u
#define XEN_RING_REQ_EVENT 4u
#define XEN_RING_RSP_PROD 8u
#define XEN_RING_RSP_EVENT 12u
#define XEN_RING_ENTRIES 64u

/* Network rings: 256 entries each, of 12 and 8 bytes. */
#define XEN_NET_RING_SIZE 256u
#define XEN_NETIF_TX_ENTRY 12u
#define XEN_NETIF_RX_ENTRY 8u
#define XEN_NETTXF_CSUM_BLANK 1u
#define XEN_NETTXF_DATA_VALIDATED 2u
#define XEN_NETTXF_MORE_DATA 4u
#define XEN_NETTXF_EXTRA_INFO 8u
#define XEN_NETRXF_DATA_VALIDATED 1u
#define XEN_NETTX_SLOTS 18u  /* that a frame may take, without the extra one */
#define XEN_NETIF_RSP_NULL 1 /* of a slot with extra information */
#define XEN_NETIF_RSP_OKAY 0
#define XEN_NETIF_RSP_ERROR (-1)
#define XEN_NETIF_RSP_DROPPED (-2)

struct xen_netif_tx_request {
    uint32_t gref;
    uint16_t offset;
    uint16_t flags;
    uint16_t id;
    uint16_t size;
};

/* In a slot of its own behind the first of a frame with XEN_NETTXF_EXTRA_INFO: how a large segment
 * is cut. */
#define XEN_NETIF_EXTRA_GSO 1u
#define XEN_NETIF_EXTRA_MORE 1u /* flags */
#define XEN_NETIF_GSO_TCPV4 1u
struct xen_netif_extra_info {
    uint8_t type;
    uint8_t flags;
    uint16_t gso_size;
    uint8_t gso_type;
    uint8_t pad;
    uint16_t features;
    uint32_t unused;
};
static_assert(sizeof(struct xen_netif_extra_info) == XEN_NETIF_TX_ENTRY, "it fills a slot");

struct xen_netif_tx_response {
    uint16_t id;
    int16_t status;
};

struct xen_netif_rx_request {
    uint16_t id;
    uint16_t pad;
    uint32_t gref;
};

struct xen_netif_rx_response {
    uint16_t id;
    uint16_t offset;
    uint16_t flags;
    int16_t status; /* bytes, or an error */
};

/* What both ends of a device know of each other. */
struct xen_store {
    uint8_t mac[6];   /* from the back end */
    uint16_t backend; /* its domain's number */
    uint32_t tx_port; /* the front end's event channels */
    uint32_t rx_port;
    uint32_t tx_ring; /* grant references, from the front end */
    uint32_t rx_ring;
    uint32_t connected; /* by the front end */
};

/* An access of a guest that a process in Dom0 answers: one of these for each vCPU in a page. */
#define XEN_IOREQ_NONE 0
#define XEN_IOREQ_READY 1
#define XEN_IOREQ_INPROCESS 2
#define XEN_IOREQ_RESPONSE 3
#define XEN_IOREQ_TYPE_PIO 0
#define XEN_IOREQ_TYPE_COPY 1

struct xen_ioreq {
    uint64_t address;
    uint64_t data;
    uint32_t count;
    uint32_t size;
    uint32_t vp_eport;
    uint16_t pad;
    uint8_t state;
    uint8_t flags; /* bit 0: a read */
};

#endif
