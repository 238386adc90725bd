/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's kernel says by itself: ARP, and answers to pings.
 *
 * SPEC: RFC 826 (ARP), RFC 792 (echo). A question that nobody answers is repeated as Linux does by
 * default (mcast_solicit, retrans_time_ms).
 * LIMIT: what was learned stays for good; messages cost what a datagram of their kind does.
 */
#include <glib.h>
#include <string.h>

#include "core/net/arp.h"
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

#define QUESTIONS 3
#define QUESTION_TIME IOV_SEC

static struct iov_guest_frame *empty_frame(struct iov_guest_net *net)
{
    struct iov_guest_frame *frame = iov_guest_net_frame(net, &net->sockets[0]);

    if (frame != NULL) {
        frame->span = NULL;
        frame->checksum_start = frame->checksum_offset = 0;
    }
    return frame;
}

static void send_arp(struct iov_guest_cpu *cpu, unsigned operation, const struct iov_net_end *to)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_net_end own = iov_guest_end(net, 0);
    struct iov_guest_frame *frame = empty_frame(net);

    if (frame == NULL)
        return;
    iov_net_arp_build(frame->data, operation, &own, to);
    frame->size = ETHERNET_MIN;
    iov_guest_net_transmit(cpu, frame, NULL, cpu->guest->costs.udp_tx);
}

bool iov_guest_neighbour_find(struct iov_guest_cpu *cpu)
{
    struct iov_guest_net *net = &cpu->guest->net;

    for (unsigned i = 0; i < QUESTIONS && !net->peer_known; i++) {
        iov_time deadline = iov_guest_now(cpu) + QUESTION_TIME;

        send_arp(cpu, ARP_REQUEST, &(struct iov_net_end){ .ip = net->peer.ip });
        while (!net->peer_known && iov_guest_now(cpu) < deadline)
            iov_guest_net_wait_writer(cpu, deadline, NULL);
    }
    return net->peer_known;
}

static void learn(struct iov_guest_cpu *cpu, const struct iov_net_end *sender)
{
    struct iov_guest_net *net = &cpu->guest->net;

    if (net->peer_known || sender->ip != net->peer.ip)
        return;
    memcpy(net->peer.mac, sender->mac, sizeof net->peer.mac);
    net->peer_known = true;
    for (unsigned i = 0; i < net->socket_count; i++)
        iov_guest_net_wake_writer(cpu, &net->sockets[i]);
}

void iov_guest_neighbour_deliver(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame)
{
    struct iov_net_end sender;
    uint32_t wanted;

    if (iov_net_arp_parse(frame->data, frame->size, ARP_REPLY, &sender, &wanted))
        learn(cpu, &sender);
    else if (iov_net_arp_parse(frame->data, frame->size, ARP_REQUEST, &sender, &wanted) &&
             wanted == cpu->guest->net.address)
        send_arp(cpu, ARP_REPLY, &sender);
}

void iov_guest_pinged(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame,
                      uint32_t offset, uint32_t size)
{
    struct iov_guest_frame *reply = empty_frame(&cpu->guest->net);

    if (reply == NULL)
        return;
    uint8_t *ip = reply->data + ETHERNET_HEADER, *icmp = reply->data + offset - ICMP_HEADER;

    memcpy(reply->data, frame->data, frame->size);
    memcpy(reply->data + ETHERNET_DESTINATION, frame->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    memcpy(reply->data + ETHERNET_SOURCE, cpu->guest->netdev->mac, ETHERNET_ADDRESS);
    memcpy(ip + IPV4_DESTINATION, frame->data + ETHERNET_HEADER + IPV4_SOURCE, 4);
    iov_net_put32(ip + IPV4_SOURCE, cpu->guest->net.address); /* the header's sum stays */
    icmp[ICMP_TYPE] = ICMP_TYPE_ECHO_REPLY;
    iov_net_put16(icmp + ICMP_CHECKSUM, 0);
    iov_net_put16(icmp + ICMP_CHECKSUM, ~iov_net_sum(0, icmp, size + ICMP_HEADER));
    reply->size = frame->size;
    reply->span = frame->span;
    iov_guest_net_transmit(cpu, reply, frame->span, cpu->guest->costs.icmp_tx);
}
