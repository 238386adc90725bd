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

/* The packet becomes the connection's next segment. */
static bool make_segment(struct peer_connection *connection, struct iov_packet *packet,
                         uint32_t size)
{
    uint32_t next = connection->tcp.next;

    iov_segment_next(&connection->tcp, packet, size);
    connection->leaving = connection->tcp.next - next;
    connection->owes = false;
    return true;
}

void peer_tcp_left(struct peer_connection *connection, iov_time when)
{
    iov_tcp_ack_sent(&connection->ack, connection->leaving, when);
    if (connection->leaving > 0)
        iov_tcp_timer_sent(&connection->timer, &connection->tcp, connection->leaving, when);
}

/*
 * What came goes back, in the packet if nothing older waits; else, or if it is lost, as
 * peer_tcp_next() says. LIMIT: not at all if the client has no room left for it; a program would
 * stop reading.
 */
static bool echo(struct peer_connection *connection, struct iov_packet *packet,
                 const struct iov_tcp_segment *segment)
{
    struct iov_tcp *tcp = &connection->tcp;
    bool is_next = tcp->next == connection->written;

    if (connection->written - tcp->unacknowledged + segment->size > tcp->send_window)
        return false;
    connection->written += segment->size;
    if (!is_next || segment->size > IOV_TCP_MSS || iov_tcp_room(tcp) < segment->size)
        return false;
    if (segment->at != IOV_TCP_PAYLOAD_AT)
        memmove(packet->data + IOV_TCP_PAYLOAD_AT, packet->data + segment->at, segment->size);
    return make_segment(connection, packet, segment->size);
}

static bool answer_data(struct peer_tcp *self, struct peer_connection *connection,
                        struct iov_packet *packet, const struct iov_tcp_segment *segment,
                        unsigned result)
{
    if (self->role == PEER_TCP_SOURCE && connection->tcp.state == IOV_TCP_ESTABLISHED) {
        connection->endless = true;
        connection->tcp.push = false; /* what it writes has no end */
    }
    if (self->role == PEER_TCP_ECHO && echo(connection, packet, segment))
        return true;
    if (connection->endless && peer_tcp_may_go(self, connection))
        return false; /* what it sends takes the acknowledgement along */
    /* Its program reads at once. */
    return (result & IOV_TCP_ANSWER || iov_tcp_ack_read(&connection->ack, 0)) &&
           make_segment(connection, packet, 0);
}

bool peer_tcp_take(struct peer_tcp *self, struct iov_packet *packet, iov_time now, bool *ret_is_tcp,
                   struct peer_connection **ret_connection)
{
    bool open = packet->flags & (IOV_PACKET_NEEDS_CHECKSUM | IOV_PACKET_CHECKSUM_GOOD);
    struct peer_connection *connection;
    struct iov_tcp_segment segment;
    unsigned result;

    *ret_connection = NULL;
    *ret_is_tcp = iov_tcp_parse(packet->data, packet->size, self->own.ip, self->own.port, open,
                                packet->segment_size, &segment);
    if (!*ret_is_tcp)
        return false;
    connection = connection_find(self, packet->data, segment.flags & TCP_FLAG_SYN);
    if (connection == NULL)
        return false;
    *ret_connection = connection;
    result = iov_tcp_take(&connection->tcp, &segment, packet->data);
    if (segment.flags & TCP_FLAG_SYN) {
        connection->timer = (struct iov_tcp_timer){ .probes = true };
        iov_tcp_ack_init(&connection->ack);
    }
    iov_tcp_timer_heard(&connection->timer, &connection->tcp, now);
    result =
        iov_tcp_ack_take(&connection->ack, result, &segment, connection->tcp.receive_window, now);
    if (result & IOV_TCP_OPENED)
        connection->written = connection->tcp.next;
    if (result & IOV_TCP_DATA)
        return answer_data(self, connection, packet, &segment, result);
    return result & IOV_TCP_ANSWER && make_segment(connection, packet, 0);
}

/* What the connection sends next, as far as it may; a large one is of whole segments. */
static uint32_t next_size(const struct peer_tcp *self, const struct peer_connection *connection)
{
    uint32_t owed = connection->endless ? UINT32_MAX : connection->written - connection->tcp.next;
    uint32_t size = MIN(owed, self->segment_max), room;

    if (size == 0 || connection->tcp.state != IOV_TCP_ESTABLISHED)
        return 0;
    room = iov_tcp_room(&connection->tcp);
    if (size > IOV_TCP_MSS && room < size)
        size = room < IOV_TCP_MSS ? IOV_TCP_MSS : room / IOV_TCP_MSS * IOV_TCP_MSS;
    return size <= room ? size : 0;
}

bool peer_tcp_may_go(const struct peer_tcp *self, const struct peer_connection *connection)
{
    return connection->owes || next_size(self, connection) > 0;
}

struct iov_packet *peer_tcp_next(struct peer_tcp *self, struct iov_packet_pool *pool,
                                 struct peer_connection **ret_connection)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct peer_connection *connection = &self->connections[(self->turn + i) % self->count];
        uint32_t size = next_size(self, connection);
        struct iov_packet *packet;

        if (!peer_tcp_may_go(self, connection))
            continue;
        self->turn = (self->turn + i + 1) % self->count;
        packet = iov_packet_new(pool, IOV_TCP_PAYLOAD_AT + size);
        memset(packet->data + IOV_TCP_PAYLOAD_AT, 0, size);
        make_segment(connection, packet, size);
        *ret_connection = connection;
        return packet;
    }
    return NULL;
}

iov_time peer_tcp_due(const struct peer_connection *connection)
{
    return MIN(connection->ack.due, iov_tcp_timer_due(&connection->timer, &connection->tcp));
}

iov_time peer_tcp_look(struct peer_tcp *self, iov_time now)
{
    iov_time next = IOV_TIME_MAX;

    for (unsigned i = 0; i < self->count; i++) {
        struct peer_connection *connection = &self->connections[i];

        if (connection->ack.due <= now) {
            iov_tcp_ack_late(&connection->ack, now);
            connection->owes = true;
        }
        if (peer_tcp_due(connection) <= now) {
            iov_tcp_timer_expired(&connection->timer, &connection->tcp, now);
            iov_tcp_go_back(&connection->tcp);
        }
        next = MIN(next, peer_tcp_due(connection));
    }
    return next;
}
