/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream for each guest: its event is armed for its next datagram, an interval after the one
 * before, or when the wire takes it if that is later. So guests whose datagrams fall due together,
 * or who all want the whole wire, stand in its queue in turn.
 *
 * LIMIT: greetings of more guests or flows than there is room for are ignored. Of 32768 datagrams
 * that wait or were lost without a word, the next one takes the place of one.
 */
#include "models/nic/peer-source.h"

#include <glib.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/trace/measure.h"

#define HEADERS (ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER)
#define PAYLOAD_MAX (ETHERNET_MAX - HEADERS)
#define PORTS (ETHERNET_HEADER + IPV4_HEADER) /* where the two of UDP are */
/*
 * Of a guest: more than are on their way at once, in rings and queues and, lost without a word, in
 * a guest. Pages of them are taken as datagrams are sent.
 */
#define SPANS 32768u

struct peer_flow {
    uint8_t headers[HEADERS]; /* of a frame to it */
    uint16_t vlan;
};

struct peer_target {
    struct peer_source *source;
    struct peer_flow flows[PEER_SOURCE_FLOWS];
    unsigned flow_count;
    uint64_t sent;
    bool sending;
    struct iov_event next;
    struct iov_span spans[SPANS]; /* of datagrams on their way */
    unsigned next_span;
};

static uint64_t draw(struct peer_source *self, int distribution, uint64_t mean)
{
    return iov_random_draw(&self->model->random, (enum iov_distribution)distribution, mean);
}

static iov_time draw_interval(struct peer_source *self)
{
    return draw(self, self->interval_distribution, self->interval);
}

/* ---- Datagrams ---- */

/* A datagram is an operation from here on; one that is lost has its place used again. */
static struct iov_span *begin(struct peer_target *target)
{
    IovModel *model = target->source->model;
    struct iov_measure *measure = model->run->measure;
    struct iov_span *span;

    if (measure == NULL)
        return NULL;
    span = iov_span_take(target->spans, SPANS, &target->next_span);
    iov_span_begin(span, target->sent, model, iov_now(model->kernel));
    iov_measure_request_begun(measure, span);
    return span;
}

static void fill(const struct peer_target *target, struct iov_packet *packet, uint32_t length)
{
    const struct peer_flow *flow = &target->flows[target->sent % target->flow_count];
    uint8_t *ip = packet->data + ETHERNET_HEADER, *udp = ip + IPV4_HEADER;

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, flow->headers, HEADERS);
    packet->vlan = flow->vlan;
    iov_net_put16(ip + IPV4_LENGTH, IPV4_HEADER + length);
    iov_net_put16(ip + IPV4_ID, (uint32_t)target->sent);
    iov_net_put_ipv4_sum(ip);
    iov_net_put16(udp + UDP_LENGTH, length);
    iov_net_put_udp_sum(ip, length);
}

static void on_next(struct iov_event *event)
{
    struct peer_target *target = iov_container_of(event, struct peer_target, next);
    struct peer_source *self = target->source;
    uint64_t payload = draw(self, self->size_distribution, self->size);
    uint32_t length = UDP_HEADER + (uint32_t)MIN(payload, PAYLOAD_MAX);
    uint32_t size = MAX((uint32_t)(ETHERNET_HEADER + IPV4_HEADER) + length, ETHERNET_MIN);
    struct iov_packet *packet = iov_packet_new(self->pool, size);
    iov_time interval = draw_interval(self), busy;

    fill(target, packet, length);
    packet->span = begin(target);
    target->sent++;
    busy = self->send(self->context, packet);
    target->sending = self->datagrams == 0 || target->sent < self->datagrams;
    if (target->sending) /* never twice in one instant */
        iov_event_in(event, MAX(MAX(interval, busy), IOV_NS));
}

/* ---- Guests ---- */

static struct peer_target *find(struct peer_source *self, const uint8_t *mac)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (memcmp(self->targets[i]->flows[0].headers + ETHERNET_DESTINATION, mac,
                   ETHERNET_ADDRESS) == 0)
            return self->targets[i];
    }
    return NULL;
}

static struct peer_target *add(struct peer_source *self)
{
    struct peer_target *target;

    if (self->count == PEER_SOURCE_GUESTS)
        return NULL;
    target = g_new0(struct peer_target, 1);
    target->source = self;
    iov_event_init(&target->next, self->model->kernel, on_next, IOV_PRIORITY_DEFAULT);
    self->targets[self->count++] = target;
    return target;
}

static bool is_new_flow(const struct peer_target *target, const uint8_t *frame)
{
    for (unsigned i = 0; i < target->flow_count; i++) {
        if (memcmp(target->flows[i].headers + PORTS, frame + PORTS, 4) == 0)
            return false;
    }
    return target->flow_count < PEER_SOURCE_FLOWS;
}

static void add_flow(struct peer_target *target, const uint8_t *frame, uint16_t vlan)
{
    struct peer_flow *flow = &target->flows[target->flow_count++];

    memcpy(flow->headers, frame, HEADERS);
    flow->vlan = vlan;
}

void peer_source_greet(struct peer_source *self, const uint8_t *frame, uint16_t vlan)
{
    struct peer_target *target = find(self, frame + ETHERNET_DESTINATION);

    if (target == NULL)
        target = add(self);
    if (target == NULL)
        return;
    if (!target->sending) /* the first, or all is sent: it begins anew */
        target->flow_count = 0;
    if (!is_new_flow(target, frame))
        return;
    add_flow(target, frame, vlan);
    if (target->sending)
        return;
    target->sending = true;
    target->sent = 0;
    iov_event_in(&target->next, draw_interval(self));
}

void peer_source_clear(struct peer_source *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct peer_target *target = self->targets[i];

        iov_event_disarm(&target->next);
        g_free(target);
    }
    self->count = 0;
}
