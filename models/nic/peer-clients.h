/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A population of clients at the far end: for each server that has told of itself, requests that
 * arrive when they arrive (open loop), over many connections, any number of them outstanding. A
 * request is measured from here to here: it begins when its frame is sent and ends when its answer
 * is back.
 *
 * A server tells of itself by a datagram of struct registration's shape; requests and answers begin
 * with the request's number, so that an answer finds its request whoever carried it. Numbers are
 * big-endian.
 */
#ifndef IOV_NIC_PEER_CLIENTS_H
#define IOV_NIC_PEER_CLIENTS_H

#include "core/net/ethernet-regs.h"
#include "core/net/service-regs.h"
#include "core/object/model.h"
#include "core/port/packet.h"

#define PEER_CLIENT_SERVERS 256u
#define PEER_CLIENT_OUTSTANDING 8192u /* of one server; a power of two */

struct peer_server; /* one server and those who ask it */

struct peer_clients {
    /* By the owner. */
    IovModel *model; /* holds the spans at this end */
    struct iov_packet_pool *pool;
    void (*send)(void *context, struct iov_packet *packet);
    void *context;
    uint64_t *requests, *lost; /* statistics */
    iov_time interval;
    int interval_distribution;
    uint64_t request_size, value_size, set_share, connections;
    int value_distribution;
    /* Its own. */
    struct peer_server *servers[PEER_CLIENT_SERVERS];
    unsigned count;
};

void peer_clients_clear(struct peer_clients *self);
/* A UDP frame whose lengths hold: a server's first word, or an answer. False: neither. `payload`
 * bytes of UDP payload. */
bool peer_clients_take(struct peer_clients *self, const struct iov_packet *packet,
                       uint32_t payload);

#endif
