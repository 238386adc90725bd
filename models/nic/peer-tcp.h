/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end's TCP: connections of many clients, each with what it still has to send. The peer
 * (peer.c) gives it frames and takes the answers; it paces a stream by the wire.
 */
#ifndef IOV_NIC_PEER_TCP_H
#define IOV_NIC_PEER_TCP_H

#include "core/net/tcp.h"
#include "core/port/packet.h"

#define PEER_TCP_CONNECTIONS 256u
/*
 * Silence after which the source takes the end of what it sent for lost: nothing came behind it
 * that would be acknowledged twice.
 * SPEC: RFC 8985, 7.2: two round trips, here with the least that a tick of 1 ms gives. LIMIT: all
 * is sent again, not the last segment.
 */
#define PEER_TCP_PROBE (2 * IOV_MS)

enum peer_tcp_role { PEER_TCP_ECHO, PEER_TCP_SINK, PEER_TCP_SOURCE };

struct peer_connection {
    struct iov_tcp tcp;
    uint32_t owed;  /* bytes to send; of a source without end */
    iov_time heard; /* when its client last sent something, or it last sent again */
    bool probed;    /* and nothing came back since */
};

struct peer_tcp {
    enum peer_tcp_role role;
    struct iov_net_end own;
    uint32_t window;
    uint32_t segment_max;                /* a source's, IOV_TCP_MSS or IOV_TCP_LARGE */
    struct peer_connection *connections; /* PEER_TCP_CONNECTIONS */
    unsigned count, turn;
    iov_time probe;   /* when to look again who is silent */
    uint64_t refused; /* for want of room */
};

void peer_tcp_init(struct peer_tcp *self, enum peer_tcp_role role, const uint8_t *mac, uint32_t ip);
void peer_tcp_clear(struct peer_tcp *self);
/* Takes a frame that holds a TCP segment for this end. Makes it the answer and returns true, or
 * false if there is none (or it is no TCP). */
bool peer_tcp_take(struct peer_tcp *self, struct iov_packet *packet, iov_time now,
                   bool *ret_is_tcp);
/* The next segment of some connection that has to send and may; NULL: none. Each connection in its
 * turn. */
struct iov_packet *peer_tcp_next(struct peer_tcp *self, struct iov_packet_pool *pool);
/*
 * Some send, but a client that has something on its way may have been silent for long: its
 * connection sends it again. Else one that lost the end of its window would wait as long as others
 * go on.
 */
void peer_tcp_probe(struct peer_tcp *self, iov_time now);
/* Nothing has moved for long: connections with something on its way send it again. True if any
 * has. */
bool peer_tcp_go_back(struct peer_tcp *self);

#endif
