/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - the machine at the far end of a cable.
 *
 * Role echo sends UDP datagrams back to where they came from; role sink counts them, and answers
 * every `acknowledge`th with an empty one; role clients asks servers in guests (peer-clients.c);
 * role source sends datagrams at random or fixed distances to every guest that has sent it a first
 * one (peer-source.c). Every role answers ARP requests for its address and ICMP echo requests, and
 * takes datagrams to its discard service as a sink does.
 * Answers come after `turn-round`, one after the other, as drawn from its distribution; with
 * `local` they are given in the call that brings the frame, as a peer in the same host's memory
 * would. Frames are real: addresses and ports are swapped, checksums right. TCP connections
 * (peer-tcp.c) are echoed, counted and acknowledged as Linux does, or sent to as fast as window and
 * wire allow.
 * LIMIT: IPv4 without options only; no fragments.
 */
#include "core/net/address.h"
#include "core/net/answer.h"
#include "core/net/arp.h"
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/nic/peer-clients.h"
#include "models/nic/peer-source.h"
#include "models/nic/peer-tcp.h"

#define IOV_TYPE_PEER (iov_peer_get_type())
G_DECLARE_FINAL_TYPE(IovPeer, iov_peer, IOV, PEER, IovModel)

struct _IovPeer {
    IovModel parent_instance;
    int role;                         /* property */
    char *mac, *address;              /* properties */
    iov_time turn_round;              /* property */
    int turn_round_distribution;      /* property */
    bool local, gso;                  /* properties */
    uint64_t acknowledge;             /* property */
    iov_time source_interval;         /* property */
    int source_interval_distribution; /* property */
    uint64_t source_size;             /* property */
    int source_size_distribution;     /* property */
    uint64_t source_count;            /* property */
    uint64_t connections;             /* property */
    uint64_t value_size, set_share;   /* properties */
    int value_distribution;           /* property */
    struct iov_packet_port wire;      /* port */
    struct iov_net_end own;
    struct iov_packet_pool *pool;
    struct iov_packet_queue answers; /* stamp: when to send */
    struct iov_event answer;         /* armed for the first of them */
    iov_time last_answer;
    struct peer_source source;
    struct peer_clients clients;
    struct peer_tcp tcp;
    struct iov_event
        stream;            /* of TCP: the wire takes the next segment; not armed: nothing may go */
    struct iov_event look; /* whether a connection has lost something */
    bool introduced;
    uint64_t since_acknowledge;                                                 /* datagrams */
    uint64_t frames_received, frames_sent, bytes_received, bytes_sent, ignored; /* statistics */
    uint64_t requests, requests_lost;                                           /* statistics */
};

G_DEFINE_FINAL_TYPE(IovPeer, iov_peer, IOV_TYPE_MODEL)

enum { ROLE_ECHO, ROLE_SINK, ROLE_SOURCE, ROLE_CLIENTS };
static const char *const roles[] = { "echo", "sink", "source", "clients", NULL };
static const char *const distributions[] = { "constant", "uniform", "exponential", "pareto", NULL };

/* ---- Frames ---- */

/* A datagram that wants no answer. */
static bool is_discarded(const struct iov_packet *packet)
{
    uint32_t length;
    const uint8_t *ip = iov_datagram_in(packet, &length);

    return ip != NULL && iov_net_get16(ip + IPV4_HEADER + UDP_DESTINATION) >= IOV_NET_PORT_DISCARD;
}

/* An empty datagram back to the sender of `packet`, in its place. */
static bool make_acknowledgement(IovPeer *self, struct iov_packet *packet)
{
    uint8_t *ip = packet->data + ETHERNET_HEADER;

    if (self->acknowledge == 0 || ++self->since_acknowledge < self->acknowledge ||
        !iov_answer_datagram(packet))
        return false;
    self->since_acknowledge = 0;
    iov_net_put16(ip + IPV4_LENGTH, IPV4_HEADER + UDP_HEADER);
    iov_net_put16(ip + IPV4_HEADER + UDP_LENGTH, UDP_HEADER);
    iov_net_put_ipv4_sum(ip);
    iov_net_put_udp_sum(ip, UDP_HEADER);
    memset(ip + IPV4_HEADER + UDP_HEADER, 0,
           ETHERNET_MIN - ETHERNET_HEADER - IPV4_HEADER - UDP_HEADER);
    packet->size = ETHERNET_MIN;
    return true;
}

/* ---- Answers ---- */

/* A frame that came with a tag is answered with it: the peer is in every VLAN. */
static void tag_remove(struct iov_packet *packet)
{
    uint8_t *type = packet->data + ETHERNET_TYPE;

    packet->vlan = 0;
    if (packet->size < ETHERNET_HEADER + ETHERNET_VLAN_TAG ||
        iov_net_get16(type) != ETHERNET_TYPE_VLAN)
        return;
    packet->vlan = (uint16_t)iov_net_get16(type + 2);
    packet->size -= ETHERNET_VLAN_TAG;
    memmove(type, type + ETHERNET_VLAN_TAG, packet->size - ETHERNET_TYPE);
}

static void tag_insert(struct iov_packet *packet)
{
    uint8_t *type = packet->data + ETHERNET_TYPE;
    uint32_t room = packet->is_large ? IOV_PACKET_MAX : IOV_PACKET_INLINE;

    if (packet->vlan == 0 || packet->size + ETHERNET_VLAN_TAG > room)
        return;
    memmove(type + ETHERNET_VLAN_TAG, type, packet->size - ETHERNET_TYPE);
    iov_net_put16(type, ETHERNET_TYPE_VLAN);
    iov_net_put16(type + 2, packet->vlan);
    packet->size += ETHERNET_VLAN_TAG;
    packet->vlan = 0;
}

static iov_time send(IovPeer *self, struct iov_packet *packet)
{
    tag_insert(packet);
    self->frames_sent++;
    self->bytes_sent += packet->size;
    return iov_packet_send(&self->wire, packet);
}

/* Returns when it leaves. */
static iov_time answer(IovPeer *self, struct iov_packet *packet)
{
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time due;

    if (self->local) {
        send(self, packet);
        return now;
    }
    due = now + iov_random_draw(&self->parent_instance.random,
                                (enum iov_distribution)self->turn_round_distribution,
                                self->turn_round);
    self->last_answer = MAX(self->last_answer, due);
    packet->stamp = self->last_answer;
    iov_span_claim(packet->span, self, IOV_PART_WIRE, now);
    iov_packet_queue_push(&self->answers, packet);
    if (!iov_event_armed(&self->answer))
        iov_event_at(&self->answer, packet->stamp);
    return packet->stamp;
}

static void on_answer(struct iov_event *event)
{
    IovPeer *self = iov_container_of(event, IovPeer, answer);
    struct iov_packet *packet = iov_packet_queue_pop(&self->answers);

    if (self->answers.first != NULL)
        iov_event_at(event, self->answers.first->stamp);
    iov_span_mark(packet->span, self, IOV_PART_PEER, iov_now(self->parent_instance.kernel));
    send(self, packet);
}

/*
 * Guests know the peer's address and do not ask for it; a peer that only listens would never be
 * heard of, and switches would send what is for it everywhere. So it answers the first sender as if
 * it had asked.
 */
static void introduce(IovPeer *self, const struct iov_packet *to)
{
    struct iov_packet *packet = iov_packet_new(self->pool, ETHERNET_MIN);
    struct iov_net_end sender = { .ip = 0 };

    memcpy(sender.mac, to->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    if (iov_ipv4_in(to, &(uint32_t){ 0 }) != NULL)
        sender.ip = iov_net_get32(to->data + ETHERNET_HEADER + IPV4_SOURCE);
    iov_net_arp_build(packet->data, ARP_REPLY, &self->own, &sender);
    self->introduced = true;
    packet->vlan = to->vlan;
    answer(self, packet);
}

/* A datagram that nobody sends back. */
static void sink_take(IovPeer *self, struct iov_packet *packet)
{
    if (!self->introduced && self->acknowledge == 0 && packet->size >= ETHERNET_HEADER)
        introduce(self, packet);
    if (make_acknowledgement(self, packet))
        answer(self, packet);
    else
        iov_packet_free(packet);
}

/* ---- The source ---- */

static iov_time source_send(void *context, struct iov_packet *packet)
{
    return send(context, packet);
}

static void source_init(IovPeer *self)
{
    struct peer_source *source = &self->source;

    source->model = &self->parent_instance;
    source->pool = self->pool;
    source->send = source_send;
    source->context = self;
    source->interval = self->source_interval;
    source->interval_distribution = self->source_interval_distribution;
    source->size = self->source_size;
    source->size_distribution = self->source_size_distribution;
    source->datagrams = self->source_count;
}

/* ---- Clients ---- */

static void clients_send(void *context, struct iov_packet *packet)
{
    send(context, packet);
}

static void clients_take(IovPeer *self, const struct iov_packet *packet)
{
    uint32_t length;

    if (iov_datagram_in(packet, &length) == NULL ||
        !peer_clients_take(&self->clients, packet, length - UDP_HEADER))
        self->ignored++;
}

static void clients_init(IovPeer *self)
{
    struct peer_clients *clients = &self->clients;

    clients->model = &self->parent_instance;
    clients->pool = self->pool;
    clients->send = clients_send;
    clients->context = self;
    clients->requests = &self->requests;
    clients->lost = &self->requests_lost;
    clients->interval = self->source_interval;
    clients->interval_distribution = self->source_interval_distribution;
    clients->request_size = self->source_size;
    clients->connections = self->connections;
    clients->value_size = self->value_size;
    clients->value_distribution = self->value_distribution;
    clients->set_share = self->set_share;
}

/* ---- TCP ---- */

/* While the wire sets the pace, the next segment is on its way anyway. */
static void stream_go_on(IovPeer *self)
{
    if (!iov_event_armed(&self->stream))
        iov_event_in(&self->stream, 0);
}

/* The connection may be the first that has to be looked at. */
static void look_later(IovPeer *self, const struct peer_connection *connection)
{
    iov_time due = peer_tcp_due(connection);

    if (due == IOV_TIME_MAX || (iov_event_armed(&self->look) && self->look.when <= due))
        return;
    iov_event_disarm(&self->look);
    iov_event_at(&self->look, due);
}

static void on_look(struct iov_event *event)
{
    IovPeer *self = iov_container_of(event, IovPeer, look);
    iov_time next = peer_tcp_look(&self->tcp, iov_now(self->parent_instance.kernel));

    if (next != IOV_TIME_MAX)
        iov_event_at(event, next);
    stream_go_on(self);
}

static void on_stream(struct iov_event *event)
{
    IovPeer *self = iov_container_of(event, IovPeer, stream);
    struct peer_connection *connection;
    struct iov_packet *packet = peer_tcp_next(&self->tcp, self->pool, &connection);
    iov_time busy = 0;

    if (packet == NULL)
        return;
    if (self->role == ROLE_SOURCE) {
        peer_tcp_left(connection, iov_now(self->parent_instance.kernel));
        busy = send(self, packet);
    } else {
        peer_tcp_left(connection, answer(self, packet));
    }
    iov_event_disarm(event); /* what was sent may have brought an answer: the wire is busy */
    iov_event_in(event, MAX(busy, IOV_NS));
    look_later(self, connection);
}

/* True if the frame was a segment; it is answered or freed then. */
static bool take_tcp(IovPeer *self, struct iov_packet *packet)
{
    struct peer_connection *connection;
    bool is_tcp,
        has_answer = peer_tcp_take(&self->tcp, packet, iov_now(self->parent_instance.kernel),
                                   &is_tcp, &connection);

    if (!is_tcp)
        return false;
    if (connection != NULL && peer_tcp_may_go(&self->tcp, connection))
        stream_go_on(self);
    if (has_answer)
        peer_tcp_left(connection, answer(self, packet));
    else
        iov_packet_free(packet);
    if (connection != NULL)
        look_later(self, connection);
    return true;
}

/* ---- Ports ---- */

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovPeer *self = iov_container_of(port, IovPeer, wire);

    self->frames_received++;
    self->bytes_received += packet->size;
    tag_remove(packet);
    if (iov_span_ends_when_sent(packet->span)) { /* no wire between */
        iov_measure_arrived(self->parent_instance.run->measure, packet->span->sequel->guest,
                            packet->span->sequel->payload);
        packet->span = NULL;
    }
    if (iov_answer_arp(packet, &self->own) || iov_answer_ping(packet)) {
        answer(self, packet);
        return 0;
    }
    if (take_tcp(self, packet))
        return 0;
    if (self->role == ROLE_SINK || is_discarded(packet)) {
        sink_take(self, packet);
        return 0;
    }
    switch (self->role) {
    case ROLE_ECHO:
        if (iov_answer_datagram(packet)) {
            answer(self, packet);
            return 0;
        }
        self->ignored++;
        break;
    case ROLE_CLIENTS:
        clients_take(self, packet);
        break;
    default:
        if (iov_answer_datagram(packet))
            peer_source_greet(&self->source, packet->data, packet->vlan);
        break;
    }
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

static bool iov_peer_realize(IovModel *model, GError **error)
{
    IovPeer *self = (IovPeer *)(void *)model;

    if (!iov_net_address_parse(self->mac, self->own.mac) || self->own.mac[0] & 1)
        return iov_model_fail(
            model, error, "mac: '%s' is not a unicast address like 52:54:00:00:00:02", self->mac);
    if (!iov_net_ipv4_parse(self->address, &self->own.ip))
        return iov_model_fail(model, error, "address: '%s' is not an address like 10.0.0.2",
                              self->address);
    if (self->gso && !self->local)
        return iov_model_fail(model, error, "gso: large segments do not go over a wire; local: on");
    iov_event_init(&self->answer, model->kernel, on_answer, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->stream, model->kernel, on_stream, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->look, model->kernel, on_look, IOV_PRIORITY_DEFAULT);
    source_init(self);
    clients_init(self);
    self->introduced = false;
    peer_tcp_clear(&self->tcp);
    peer_tcp_init(&self->tcp,
                  self->role == ROLE_CLIENTS ? PEER_TCP_ECHO : (enum peer_tcp_role)self->role,
                  self->own.mac, self->own.ip);
    if (self->gso)
        self->tcp.segment_max = IOV_TCP_LARGE;
    return true;
}

static bool iov_peer_serves(const IovModel *model, enum iov_service wanted,
                            const char **ret_property, const char **ret_remedy)
{
    const IovPeer *self = (const IovPeer *)(const void *)model;

    *ret_property = "role";
    switch (wanted) {
    case IOV_SERVICE_ECHO: /* an empty answer is one */
        *ret_remedy = "role: echo";
        return self->role == ROLE_ECHO || (self->role == ROLE_SINK && self->acknowledge > 0);
    case IOV_SERVICE_TCP_ECHO:
        *ret_remedy = "role: echo";
        return self->role == ROLE_ECHO || self->role == ROLE_CLIENTS;
    case IOV_SERVICE_SOURCE:
    case IOV_SERVICE_TCP_SOURCE:
        *ret_remedy = "role: source";
        return self->role == ROLE_SOURCE;
    case IOV_SERVICE_CLIENTS:
        *ret_remedy = "role: clients";
        return self->role == ROLE_CLIENTS;
    default:
        return true;
    }
}

static uint64_t iov_peer_connections(const IovModel *model)
{
    (void)model;
    return PEER_TCP_CONNECTIONS;
}

static void iov_peer_unrealize(IovModel *model)
{
    IovPeer *self = (IovPeer *)(void *)model;

    iov_event_disarm(&self->answer);
    iov_event_disarm(&self->stream);
    iov_event_disarm(&self->look);
    peer_source_clear(&self->source);
    peer_clients_clear(&self->clients);
    iov_packet_queue_clear(&self->answers);
}

static void iov_peer_finalize(GObject *object)
{
    peer_tcp_clear(&((IovPeer *)(void *)object)->tcp);
    iov_packet_pool_unref(((IovPeer *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_peer_parent_class)->finalize(object);
}

static void iov_peer_class_init(IovPeerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "peer", "The machine at the far end of a cable");
    IOV_PROP_ENUM(
        mc, IovPeer, role, roles, ROLE_ECHO,
        "echo: sends datagrams back; sink: counts them; source: sends to whoever has sent to it; "
        "clients: ask servers in guests");
    IOV_PROP_STRING(mc, IovPeer, mac, IOV_NET_FAR_END_MAC, "Ethernet address");
    IOV_PROP_STRING(mc, IovPeer, address, IOV_NET_FAR_END_ADDRESS, "IPv4 address");
    IOV_PROP_TIME(mc, IovPeer, turn_round, 0, IOV_SEC, 10 * IOV_US, "From a frame to its answer");
    IOV_PROP_ENUM(mc, IovPeer, turn_round_distribution, distributions, IOV_CONSTANT,
                  "How it varies");
    IOV_PROP_BOOL(mc, IovPeer, local, false, "Answers in the call that brings the frame");
    IOV_PROP_BOOL(mc, IovPeer, gso, false,
                  "Source of TCP, local: large segments, for devices that take them");
    IOV_PROP_COUNT(mc, IovPeer, acknowledge, 0, 1 << 20, 0,
                   "Answers every n-th datagram that it takes with an empty one; 0: none");
    IOV_PROP_TIME(mc, IovPeer, source_interval, 0, IOV_SEC, 12 * IOV_US,
                  "Source: mean time between frames, to each guest");
    IOV_PROP_ENUM(mc, IovPeer, source_interval_distribution, distributions, IOV_CONSTANT,
                  "How it varies");
    IOV_PROP_SIZE(mc, IovPeer, source_size, 0, 1472, 1472, "Source: mean payload of a datagram");
    IOV_PROP_ENUM(mc, IovPeer, source_size_distribution, distributions, IOV_CONSTANT,
                  "How it varies");
    IOV_PROP_COUNT(mc, IovPeer, source_count, 0, UINT64_MAX, 0,
                   "Source: frames to send to each guest; 0: without end");
    IOV_PROP_COUNT(mc, IovPeer, connections, 1, 40000, 100,
                   "Clients: connections of each server, a port each");
    IOV_PROP_SIZE(mc, IovPeer, value_size, 0, 1464, 330, "Clients: mean size of a value");
    IOV_PROP_ENUM(mc, IovPeer, value_distribution, distributions, IOV_CONSTANT, "How it varies");
    IOV_PROP_COUNT(
        mc, IovPeer, set_share, 0, 100, 0,
        "Clients: of a hundred requests, those that bring a value; the others ask for one");
    IOV_PORT_PACKET_END(mc, IovPeer, wire, &wire_ops, "Its end of the cable");
    IOV_STAT(mc, IovPeer, frames_received, "Frames that arrived");
    IOV_STAT(mc, IovPeer, frames_sent, "Frames sent");
    IOV_STAT_BYTES(mc, IovPeer, bytes_received, "Bytes of frames that arrived");
    IOV_STAT_BYTES(mc, IovPeer, bytes_sent, "Bytes of frames sent");
    IOV_STAT(mc, IovPeer, ignored, "Frames that its role has no use for");
    IOV_STAT(mc, IovPeer, requests, "Clients: requests sent");
    IOV_STAT(mc, IovPeer, requests_lost, "Clients: requests that nobody answered in time");
    mc->realize = iov_peer_realize;
    mc->unrealize = iov_peer_unrealize;
    mc->serves = iov_peer_serves;
    mc->connections = iov_peer_connections;
    G_OBJECT_CLASS(klass)->finalize = iov_peer_finalize;
}

static void iov_peer_init(IovPeer *self)
{
    self->pool = iov_packet_pool_new();
}
