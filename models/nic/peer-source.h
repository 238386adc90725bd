/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end as a source of datagrams: every guest that has sent a first one gets a stream of its
 * own, at the source's interval whatever others get, in turn to the flows from which it greeted. A
 * datagram is an operation from where it is sent.
 *
 * Guests are told apart by their Ethernet address: guests of one host may share an IP address.
 */
#ifndef IOV_NIC_PEER_SOURCE_H
#define IOV_NIC_PEER_SOURCE_H

#include "core/object/model.h"
#include "core/port/packet.h"

#define PEER_SOURCE_GUESTS 256u
#define PEER_SOURCE_FLOWS 64u /* of a guest */

struct peer_target; /* one guest and what is sent to it */

struct peer_source {
    /* By the owner. */
    IovModel *model; /* holds the spans at this end */
    struct iov_packet_pool *pool;
    /* Returns the time until the wire takes the next frame. */
    iov_time (*send)(void *context, struct iov_packet *packet);
    void *context;
    iov_time interval;
    int interval_distribution;
    uint64_t size; /* mean payload */
    int size_distribution;
    uint64_t datagrams; /* for each guest; 0: without end */
    /* Its own. */
    struct peer_target *targets[PEER_SOURCE_GUESTS];
    unsigned count;
};

void peer_source_clear(struct peer_source *self);
/*
 * A guest's datagram, already turned round: its first begins the stream, more between other ports
 * add flows. `vlan`: the tag of what goes there, 0: none. Allocates for what is new.
 */
void peer_source_greet(struct peer_source *self, const uint8_t *frame, uint16_t vlan);

#endif
