/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical NIC as the host's network software has it: a transmit and a receive ring in memory,
 * one queue, between the software and a wire. bridge, vswitch and poll-switch embed one each.
 */
#ifndef IOV_HYPERVISOR_HOST_NIC_H
#define IOV_HYPERVISOR_HOST_NIC_H

#include "core/object/model.h"
#include "core/port/packet.h"

struct iov_host_nic {
    struct iov_packet_port wire; /* port of the model */
    /* properties */
    bool tso, rx_checksum;
    iov_time rx_usecs;
    /* costs */
    iov_time out_latency, in_latency, out_frame, in_frame, dma_kib, gso, gro;
    /* set by the model before iov_host_nic_init() */
    uint64_t ring;                               /* descriptors of each ring */
    uint64_t *drops;                             /* statistic */
    void (*received)(struct iov_host_nic *self); /* frames came to `receive`; an event */
    /* state */
    IovModel *model;
    struct iov_packet_queue transmit; /* in the ring; stamp: when it could be sent */
    struct iov_packet_queue arriving; /* on their way; stamp: when they are in memory */
    struct iov_packet_queue receive;  /* in memory, for the driver */
    struct iov_packet *stored;        /* first of `arriving` that is still in the NIC's buffer */
    uint64_t buffered;                /* bytes there */
    struct iov_event sent;
    struct iov_event arrived;
    struct iov_event moderated;            /* the driver is told of what has come meanwhile */
    iov_time told;                         /* when it was last */
    iov_time wire_busy, fetching, storing; /* until when */
    struct iov_packet_pool *pool;          /* of what is cut and put together */
    uint64_t sent_frames, tso_segments, gso_segments, gro_segments; /* statistics */
};

/* Rows of costs, of the port `wire` and of the statistic for the NIC at `offset` in the model. */
void iov_host_nic_describe(IovModelClass *mc, size_t offset);
void iov_host_nic_init(struct iov_host_nic *self, IovModel *model);
/* Drops what is on its way. Accepts one that was never initialised. */
void iov_host_nic_clear(struct iov_host_nic *self);
/*
 * Frames that the driver is going to handle for this one, which are more than one if it is a large
 * segment and the NIC does not cut it; then the kernel does, and
 * `*ret_cost` is the price of that.
 */
unsigned iov_host_nic_frames(const struct iov_host_nic *self, const struct iov_packet *packet,
                             iov_time *ret_cost);
/*
 * GRO: takes the first frame of `queue` (`receive`, or one that its frames were dealt out to) and
 * all that go on with it, as one. NULL: there is none. `*ret_merged`: how many did; each costs the
 * driver its price and `gro`.
 */
struct iov_packet *iov_host_nic_gro(struct iov_host_nic *self, struct iov_packet_queue *queue,
                                    unsigned *ret_merged);
/* The interrupt is sent now: what `frames` (`receive`, or of those dealt out) have waited for it is
 * the moderation's. */
void iov_host_nic_announced(const struct iov_host_nic *self, const struct iov_packet_queue *frames);
/* A frame into the transmit ring, its driver paid for; one that finds no descriptor is lost. */
void iov_host_nic_send(struct iov_host_nic *self, struct iov_packet *packet);

#endif
