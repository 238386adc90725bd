/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end's TCP: connections of many clients, each with what it still has to send. The peer (peer.c) gives it frames and takes
 * the answers; it paces a stream by the wire.
 */
#ifndef IOV_NIC_PEER_TCP_H
#define IOV_NIC_PEER_TCP_H

#include "core/net/tcp.h"
#include "core/port/packet.h"

#define PEER_TCP_CONNECTIONS 256u

enum peer_tcp_role { PEER_TCP_ECHO, PEER_TCP_SINK, PEER_TCP_SOURCE };

struct peer_connection {
    struct iov_tcp tcp;
    uint32_t owed; /* bytes to send; of a source without end */
};

struct peer_tcp {
    enum peer_tcp_role role;
    struct iov_tcp_address own;
    uint32_t window;
    struct peer_connection *connections; /* PEER_TCP_CONNECTIONS */
    unsigned count, turn;
    uint64_t refused; /* for want of room */
};

void peer_tcp_init(struct peer_tcp *self, enum peer_tcp_role role, const uint8_t *mac, uint32_t ip);
void peer_tcp_clear(struct peer_tcp *self);
/* Takes a frame that holds a TCP segment for this end. Makes it the answer and returns true, or false if there is none (or it is no TCP). */
bool peer_tcp_take(struct peer_tcp *self, struct iov_packet *packet, bool *ret_is_tcp);
/* The next segment of some connection that has to send and may; NULL: none. Each connection in its turn. */
struct iov_packet *peer_tcp_next(struct peer_tcp *self, struct iov_packet_pool *pool);
/* Nothing has moved for long: connections with something on its way send it again. True if any has. */
bool peer_tcp_go_back(struct peer_tcp *self);

#endif
