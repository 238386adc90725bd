/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end's TCP: connections of many clients, each with what it still has to send. The peer
 * (peer.c) gives it frames and takes the answers; it paces a stream by the wire.
 */
#ifndef IOV_NIC_PEER_TCP_H
#define IOV_NIC_PEER_TCP_H

#include "core/net/tcp-ack.h"
#include "core/net/tcp-timer.h"
#include "core/port/packet.h"

#define PEER_TCP_CONNECTIONS 256u

enum peer_tcp_role { PEER_TCP_ECHO, PEER_TCP_SINK, PEER_TCP_SOURCE };

struct peer_connection {
    struct iov_tcp tcp;
    struct iov_tcp_timer timer;
    struct iov_tcp_ack ack;
    bool owes;        /* an acknowledgement that has waited for long enough */
    bool endless;     /* a source's: there is always more */
    uint32_t written; /* else: sequence number behind what is to be sent */
    uint32_t leaving; /* sequence numbers of the segment that was made last */
};

struct peer_tcp {
    enum peer_tcp_role role;
    struct iov_net_end own;
    uint32_t window;
    uint32_t segment_max;                /* a source's, IOV_TCP_MSS or IOV_TCP_LARGE */
    struct peer_connection *connections; /* PEER_TCP_CONNECTIONS */
    unsigned count, turn;
    uint64_t refused; /* for want of room */
};

void peer_tcp_init(struct peer_tcp *self, enum peer_tcp_role role, const uint8_t *mac, uint32_t ip);
void peer_tcp_clear(struct peer_tcp *self);
/*
 * Takes a frame that holds a TCP segment for this end. Makes it the answer and returns true, or
 * false if there is none (or it is no TCP). `*ret_connection`: whose it is, or NULL.
 */
bool peer_tcp_take(struct peer_tcp *self, struct iov_packet *packet, iov_time now, bool *ret_is_tcp,
                   struct peer_connection **ret_connection);
/* The connection's segment that was made last, an answer or the next, leaves at `when`. */
void peer_tcp_left(struct peer_connection *connection, iov_time when);
/* When the connection takes what it sent for lost, or has put off an acknowledgement for long
 * enough; or IOV_TIME_MAX. */
iov_time peer_tcp_due(const struct peer_connection *connection);
/* The connection has to send, and may. */
bool peer_tcp_may_go(const struct peer_tcp *self, const struct peer_connection *connection);
/* The next segment of some connection that does; NULL: none. Each connection in its turn. LIMIT: of
 * zeros, what is echoed once more too. */
struct iov_packet *peer_tcp_next(struct peer_tcp *self, struct iov_packet_pool *pool,
                                 struct peer_connection **ret_connection);
/* Connections whose time has come go back, or acknowledge: peer_tcp_next() sends that. Returns when
 * the next one's does. */
iov_time peer_tcp_look(struct peer_tcp *self, iov_time now);

#endif
