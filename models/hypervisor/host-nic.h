/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The physical NIC as the host's network software has it: a transmit and a receive ring in memory, one queue, between the software and a wire.
 * bridge, tap, vswitch and poll-switch embed one each.
 */
#ifndef IOV_HYPERVISOR_HOST_NIC_H
#define IOV_HYPERVISOR_HOST_NIC_H

#include "core/object/model.h"
#include "core/port/packet.h"

struct iov_host_nic {
    struct iov_packet_port wire; /* port of the model */
    /* costs */
    iov_time out_latency, in_latency, out_frame, in_frame, dma_kib;
    /* set by the model before iov_host_nic_init() */
    uint64_t ring;                               /* descriptors of each ring */
    uint64_t *drops;                             /* statistic */
    void (*received)(struct iov_host_nic *self); /* frames came to `receive`; an event */
    /* state */
    IovModel *model;
    struct iov_packet_queue transmit; /* in the ring; stamp: when it could be sent */
    struct iov_packet_queue arriving; /* on their way; stamp: when they are in memory */
    struct iov_packet_queue receive;  /* in memory, for the driver */
    struct iov_event sent;
    struct iov_event arrived;
    iov_time wire_busy, fetching, storing; /* until when */
    uint64_t sent_frames;                  /* statistic */
};

/* Rows of costs, of the port `wire` and of the statistic for the NIC at `offset` in the model. */
void iov_host_nic_describe(IovModelClass *mc, size_t offset);
void iov_host_nic_init(struct iov_host_nic *self, IovModel *model);
/* Drops what is on its way. Accepts one that was never initialised. */
void iov_host_nic_clear(struct iov_host_nic *self);
/* A frame into the transmit ring, its driver paid for; one that finds no descriptor is lost. */
void iov_host_nic_send(struct iov_host_nic *self, struct iov_packet *packet);

#endif
