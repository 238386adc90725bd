/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients at the far end. Each server has an event for the next arrival and a window of requests;
 * one that is still unanswered when its place in the window is needed again is lost. Spans live as
 * long as the model.
 *
 * LIMIT: UDP, one frame a request and a value; lost requests are not asked again.
 */
#include "models/nic/peer-clients.h"

#include "core/net/internet.h"
#include "core/trace/measure.h"

#define HEADERS (ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER)
#define PAYLOAD_MAX (ETHERNET_MAX - HEADERS)
#define FIRST_PORT 20000u /* of the connections */

struct peer_server {
    struct peer_clients *clients;
    uint8_t headers[HEADERS]; /* of a frame to it */
    unsigned guest;
    uint64_t operations, warmup, count, finished;
    bool ready;
    uint32_t number;
    struct iov_event next;
    struct iov_span spans[PEER_CLIENT_OUTSTANDING];
    bool outstanding[PEER_CLIENT_OUTSTANDING];
};

static uint64_t draw(struct peer_clients *self, int distribution, uint64_t mean)
{
    return iov_random_draw(&self->model->random, (enum iov_distribution)distribution, mean);
}

/* ---- Progress ---- */

/* A request is answered, or lost. */
static void settle(struct peer_server *server)
{
    struct iov_measure *measure = server->clients->model->run->measure;

    server->count++;
    if (server->finished < server->operations)
        measure->settled++;
    if (measure->open) {
        if (++server->finished == server->operations)
            iov_measure_guest_finished(measure, server->guest);
    } else if (!server->ready && server->count >= server->warmup) {
        server->ready = true;
        iov_measure_guest_ready(measure, server->guest);
    }
}

/* ---- Requests ---- */

static void fill(struct peer_server *server, struct iov_packet *packet, uint32_t payload,
                 unsigned verb, uint32_t answer)
{
    struct peer_clients *self = server->clients;
    uint8_t *ip = packet->data + ETHERNET_HEADER, *udp = ip + IPV4_HEADER, *data = udp + UDP_HEADER;
    uint32_t length = UDP_HEADER + payload;

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, server->headers, HEADERS);
    iov_net_put32(data + SERVICE_NUMBER, server->number);
    iov_net_put16(data + SERVICE_ANSWER, answer);
    iov_net_put16(data + SERVICE_VERB, verb);
    iov_net_put16(ip + IPV4_LENGTH, IPV4_HEADER + length);
    iov_net_put16(ip + IPV4_ID, server->number);
    iov_net_put_ipv4_sum(ip);
    iov_net_put16(udp + UDP_SOURCE,
                  FIRST_PORT +
                      (uint32_t)iov_random_uniform(&self->model->random, 0, self->connections - 1));
    iov_net_put16(udp + UDP_LENGTH, length);
    iov_net_put_udp_sum(ip, length);
}

static struct iov_span *begin(struct peer_server *server)
{
    unsigned place = server->number % PEER_CLIENT_OUTSTANDING;
    struct iov_span *span = &server->spans[place];
    IovModel *model = server->clients->model;

    if (server->outstanding[place]) {
        (*server->clients->lost)++;
        settle(server);
    }
    server->outstanding[place] = true;
    iov_span_begin(span, server->number, model, iov_now(model->kernel));
    iov_measure_request_begun(model->run->measure, span);
    return span;
}

static void on_next(struct iov_event *event)
{
    struct peer_server *server = iov_container_of(event, struct peer_server, next);
    struct peer_clients *self = server->clients;
    bool set = iov_random_uniform(&self->model->random, 0, 99) < self->set_share;
    uint64_t drawn = draw(self, self->value_distribution, self->value_size);
    uint32_t value = (uint32_t)MIN(drawn, PAYLOAD_MAX - SERVICE_HEADER);
    uint32_t request = SERVICE_HEADER + (uint32_t)MIN(self->request_size + (set ? value : 0),
                                                      PAYLOAD_MAX - SERVICE_HEADER);
    struct iov_packet *packet =
        iov_packet_new(self->pool, MAX((uint32_t)HEADERS + request, ETHERNET_MIN));
    iov_time interval = draw(self, self->interval_distribution, self->interval);

    fill(server, packet, request, set ? SERVICE_VERB_SET : SERVICE_VERB_GET,
         SERVICE_HEADER + (set ? 0 : value));
    packet->span = begin(server);
    server->number++;
    (*self->requests)++;
    self->send(self->context, packet);
    iov_event_in(event, MAX(interval, 1));
}

/* ---- Answers ---- */

static bool take_answer(struct peer_server *server, const struct iov_packet *packet,
                        uint32_t payload)
{
    struct peer_clients *self = server->clients;
    iov_time now = iov_now(self->model->kernel);
    uint32_t number, place;

    if (payload < SERVICE_HEADER)
        return false;
    number = iov_net_get32(packet->data + HEADERS + SERVICE_NUMBER);
    place = number % PEER_CLIENT_OUTSTANDING;
    if (!server->outstanding[place] || (uint32_t)server->spans[place].id != number)
        return false; /* given up, or never asked */
    server->outstanding[place] = false;
    iov_span_claim(&server->spans[place], self->model, IOV_PART_WIRE, now);
    iov_span_mark(&server->spans[place], self->model, IOV_PART_WIRE, now);
    if (self->model->run->measure->open)
        iov_measure_guest_request(self->model->run->measure, server->guest, &server->spans[place],
                                  payload);
    settle(server);
    return true;
}

/* ---- Servers ---- */

static struct peer_server *find(struct peer_clients *self, const uint8_t *mac)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (memcmp(self->servers[i]->headers + ETHERNET_DESTINATION, mac, ETHERNET_ADDRESS) == 0)
            return self->servers[i];
    }
    return NULL;
}

/* Who it is, and the headers of what goes to it: its own, turned round. */
static bool take_hello(struct peer_clients *self, const struct iov_packet *packet, uint32_t payload)
{
    const uint8_t *data = packet->data + HEADERS, *ip = packet->data + ETHERNET_HEADER;
    const struct iov_measure *measure = self->model->run->measure;
    struct peer_server *server;
    uint8_t *to;

    if (payload < SERVICE_HELLO_SIZE ||
        iov_net_get32(data + SERVICE_HELLO_MAGIC) != SERVICE_HELLO || measure == NULL ||
        iov_net_get32(data + SERVICE_HELLO_GUEST) >= measure->guest_count ||
        self->count == PEER_CLIENT_SERVERS)
        return false;
    server = g_new0(struct peer_server, 1);
    server->clients = self;
    server->guest = iov_net_get32(data + SERVICE_HELLO_GUEST);
    server->operations = iov_net_get32(data + SERVICE_HELLO_OPERATIONS);
    server->warmup = iov_net_get32(data + SERVICE_HELLO_WARMUP);
    to = server->headers;
    memcpy(to, packet->data, HEADERS);
    memcpy(to + ETHERNET_DESTINATION, packet->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    memcpy(to + ETHERNET_SOURCE, packet->data + ETHERNET_DESTINATION, ETHERNET_ADDRESS);
    to += ETHERNET_HEADER;
    memcpy(to + IPV4_SOURCE, ip + IPV4_DESTINATION, 4);
    memcpy(to + IPV4_DESTINATION, ip + IPV4_SOURCE, 4);
    memcpy(to + IPV4_HEADER + UDP_DESTINATION, ip + IPV4_HEADER + UDP_SOURCE, 2);
    self->servers[self->count++] = server;
    iov_event_init(&server->next, self->model->kernel, on_next, IOV_PRIORITY_DEFAULT);
    iov_event_in(&server->next, draw(self, self->interval_distribution, self->interval) + 1);
    return true;
}

bool peer_clients_take(struct peer_clients *self, const struct iov_packet *packet, uint32_t payload)
{
    struct peer_server *server = find(self, packet->data + ETHERNET_SOURCE);

    return server != NULL ? take_answer(server, packet, payload)
                          : take_hello(self, packet, payload);
}

void peer_clients_clear(struct peer_clients *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        iov_event_disarm(&self->servers[i]->next);
        g_free(self->servers[i]);
    }
    self->count = 0;
}
