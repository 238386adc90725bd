/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of netback, shared by its files: netback.c (rings, connecting, life),
 * netback-transmit.c and netback-receive.c, as the guest sees it. */
#ifndef IOV_HYPERVISOR_NETBACK_PRIVATE_H
#define IOV_HYPERVISOR_NETBACK_PRIVATE_H

#include "core/net/segment.h"
#include "core/trace/measure.h"
#include "models/hypervisor/bridge.h"
#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

enum { NETBACK_BATCH = 64 };
enum { NETBACK_COPY, NETBACK_MAP }; /* property `grant` */

#define IOV_TYPE_NETBACK (iov_netback_get_type())
G_DECLARE_FINAL_TYPE(IovNetback, iov_netback, IOV, NETBACK, IovModel)

/* A ring as this end sees it. */
struct netback_ring {
    uint8_t *bytes; /* the granted page; NULL: not connected */
    unsigned entry;
    uint32_t consumed; /* requests */
    uint32_t produced; /* responses */
};

/* A transmit request of the present batch. */
struct netback_request {
    struct xen_netif_tx_request wire;
    iov_gpa page;
    int status; /* of the grant */
    /* of a frame's first request; the others are behind it */
    uint32_t total; /* bytes of the frame */
    uint16_t mss;   /* of a large segment */
    uint8_t pieces; /* requests; 0: one of the others */
    bool extra;     /* a slot with extra information belongs to it */
    bool open;      /* its sum is */
};

struct _IovNetback {
    IovModel parent_instance;
    /* properties */
    IovModel *domain_ref, *vm_ref, *bridge_ref;
    uint64_t store;
    uint64_t queue_length;
    int grant;
    /* costs */
    iov_time transmit_cost, receive_cost, queue_cost, copy_cost, map_cost, unmap_cost, copy_kib,
        gso_cost;
    struct iov_packet_port netdev; /* port */
    /* state */
    struct iov_measure *measure;
    struct iov_thread *sending; /* to `netdev` */
    IovXenDomain *domain;
    IovXenVm *vm;
    IovBridge *bridge;
    struct iov_switch_port port;
    struct iov_packet_pool *pool;
    unsigned tx_port, rx_port; /* of the domain */
    struct iov_xen_work transmit, receive, release;
    struct iov_span *kicked;
    struct xen_store offer;
    struct netback_ring tx, rx;
    bool broken;
    struct iov_packet_queue received;
    struct netback_request batch[NETBACK_BATCH + XEN_NETTX_SLOTS];
    struct xen_netif_tx_request mapped[XEN_NET_RING_SIZE]; /* waiting to be unmapped */
    unsigned mapped_first, mapped_count;
    /* statistics */
    uint64_t frames_sent, frames_received, copies, maps, unmaps, batches, events_sent, bad_requests,
        bad_rings, drops;
};

static inline iov_time netback_now(const IovNetback *self)
{
    return iov_now(self->parent_instance.kernel);
}

static inline uint8_t *netback_slot(struct netback_ring *ring, uint32_t index)
{
    return ring->bytes + XEN_RING_ENTRIES + index % XEN_NET_RING_SIZE * ring->entry;
}

/* ---- netback.c ---- */

/* Requests that wait; an index that cannot be stops the interface. */
uint32_t netback_waiting(IovNetback *self, struct netback_ring *ring);
/* Nothing waits: asks for an event with the next request. What came meanwhile is returned. */
uint32_t netback_final_check(IovNetback *self, struct netback_ring *ring);
/* Publishes responses up to ring->produced; true if the front end wants to hear of it. */
bool netback_push(struct netback_ring *ring);
void netback_notify(IovNetback *self, struct iov_thread *thread, unsigned port,
                    struct iov_span *span);
/* Maps the rings, if the front end has written down where they are. False: it has not, or they are
 * no good. */
bool netback_connect(IovNetback *self, struct iov_thread *thread);

/* ---- netback-transmit.c ---- */

void netback_transmit_init(IovNetback *self);
void netback_on_tx_event(struct iov_xen_channel *channel, struct iov_thread *thread);

/* ---- netback-receive.c ---- */

extern const struct iov_packet_ops netback_netdev_ops;
void netback_receive_init(IovNetback *self);
void netback_on_rx_event(struct iov_xen_channel *channel, struct iov_thread *thread);

#endif
