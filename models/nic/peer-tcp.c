/* SPDX-License-Identifier: Apache-2.0 */
/* See peer-tcp.h. */
#include "models/nic/peer-tcp.h"

#include <glib.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/segment.h"

void peer_tcp_init(struct peer_tcp *self, enum peer_tcp_role role, const uint8_t *mac, uint32_t ip)
{
    *self = (struct peer_tcp){
        .role = role, .own = { .ip = ip, .port = 7 }, .window = 1u << 20, .segment_max = IOV_TCP_MSS
    };
    memcpy(self->own.mac, mac, sizeof self->own.mac);
    self->connections = g_new0(struct peer_connection, PEER_TCP_CONNECTIONS);
}

void peer_tcp_clear(struct peer_tcp *self)
{
    g_clear_pointer(&self->connections, g_free);
}

/* Clients are told apart by Ethernet address and port: guests of one host may share an IP
 * address. */
static struct peer_connection *connection_find(struct peer_tcp *self, const uint8_t *frame,
                                               bool syn)
{
    uint16_t port = iov_net_get16(frame + ETHERNET_HEADER + IPV4_HEADER + TCP_SOURCE);

    for (unsigned i = 0; i < self->count; i++) {
        const struct iov_net_end *peer = &self->connections[i].tcp.peer;

        if (peer->port == port && memcmp(peer->mac, frame + ETHERNET_SOURCE, ETHERNET_ADDRESS) == 0)
            return &self->connections[i];
    }
    if (!syn)
        return NULL;
    if (self->count == PEER_TCP_CONNECTIONS) {
        self->refused++;
        return NULL;
    }
    iov_tcp_init(&self->connections[self->count].tcp, &self->own, self->window);
    return &self->connections[self->count++];
}

static bool answer_data(struct peer_tcp *self, struct peer_connection *connection,
                        struct iov_packet *packet, const struct iov_tcp_segment *segment,
                        unsigned result)
{
    if (self->role == PEER_TCP_SOURCE && connection->tcp.state == IOV_TCP_ESTABLISHED) {
        connection->owed = UINT32_MAX;
        connection->tcp.push = false; /* what it writes has no end */
    }
    if (self->role == PEER_TCP_ECHO && segment->size <= IOV_TCP_MSS &&
        iov_tcp_room(&connection->tcp) >= segment->size) {
        if (segment->at != IOV_TCP_PAYLOAD_AT)
            memmove(packet->data + IOV_TCP_PAYLOAD_AT, packet->data + segment->at, segment->size);
        iov_segment_next(&connection->tcp, packet, segment->size);
        return true;
    }
    if (!(result & IOV_TCP_ANSWER))
        return false;
    iov_segment_next(&connection->tcp, packet, 0);
    return true;
}

bool peer_tcp_take(struct peer_tcp *self, struct iov_packet *packet, iov_time now, bool *ret_is_tcp)
{
    bool open = packet->flags & (IOV_PACKET_NEEDS_CHECKSUM | IOV_PACKET_CHECKSUM_GOOD);
    struct peer_connection *connection;
    struct iov_tcp_segment segment;
    unsigned result;

    *ret_is_tcp = iov_tcp_parse(packet->data, packet->size, self->own.ip, self->own.port, open,
                                packet->segment_size, &segment);
    if (!*ret_is_tcp)
        return false;
    connection = connection_find(self, packet->data, segment.flags & TCP_FLAG_SYN);
    if (connection == NULL)
        return false;
    connection->heard = now;
    connection->probed = false;
    result = iov_tcp_take(&connection->tcp, &segment, packet->data);
    if (result & IOV_TCP_DATA)
        return answer_data(self, connection, packet, &segment, result);
    if (!(result & IOV_TCP_ANSWER))
        return false;
    iov_segment_next(&connection->tcp, packet, 0);
    return true;
}

/* What the connection sends next, as far as it may; a large one is of whole segments. */
static uint32_t next_size(const struct peer_tcp *self, const struct peer_connection *connection)
{
    uint32_t size = MIN(connection->owed, self->segment_max), room;

    if (size == 0)
        return 0;
    room = iov_tcp_room(&connection->tcp);
    if (size > IOV_TCP_MSS && room < size)
        size = room < IOV_TCP_MSS ? IOV_TCP_MSS : room / IOV_TCP_MSS * IOV_TCP_MSS;
    return size <= room ? size : 0;
}

struct iov_packet *peer_tcp_next(struct peer_tcp *self, struct iov_packet_pool *pool)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct peer_connection *connection = &self->connections[(self->turn + i) % self->count];
        uint32_t size = next_size(self, connection);
        struct iov_packet *packet;

        if (size == 0)
            continue;
        self->turn = (self->turn + i + 1) % self->count;
        packet = iov_packet_new(pool, IOV_TCP_PAYLOAD_AT + size);
        memset(packet->data + IOV_TCP_PAYLOAD_AT, 0, size);
        iov_segment_next(&connection->tcp, packet, size);
        return packet;
    }
    return NULL;
}

static bool is_on_its_way(const struct peer_connection *connection)
{
    return connection->owed != 0 && connection->tcp.next != connection->tcp.unacknowledged;
}

void peer_tcp_probe(struct peer_tcp *self, iov_time now)
{
    if (now < self->probe)
        return;
    self->probe = now + PEER_TCP_PROBE;
    for (unsigned i = 0; i < self->count; i++) {
        struct peer_connection *connection = &self->connections[i];
        iov_time patience = connection->probed ? IOV_TCP_RETRANSMIT : PEER_TCP_PROBE;

        if (!is_on_its_way(connection) || now - connection->heard < patience)
            continue;
        iov_tcp_go_back(&connection->tcp);
        connection->heard = now;
        connection->probed = true;
    }
}

bool peer_tcp_go_back(struct peer_tcp *self)
{
    bool any = false;

    for (unsigned i = 0; i < self->count; i++) {
        if (!is_on_its_way(&self->connections[i]))
            continue;
        iov_tcp_go_back(&self->connections[i].tcp);
        any = true;
    }
    return any;
}
