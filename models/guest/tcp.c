/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP of the guest's stack: one connection a socket, between the system calls of the task and the
 * softirq that delivers segments.
 *
 *   send:     system call; a segment each time the peer's window and the socket's buffer have room;
 *             then the task blocks
 *   receive:  softirq: sequence and window (core/net/tcp.c), data to the socket's queue
 *   acknowledgements: as core/net/tcp-ack.h says: from the softirq, with data, when the program
 *             reads, or by a timer of the processor that received
 *
 * With GSO a segment may be as large as 44 ordinary ones: the stack is passed once. What the window
 * leaves is used when it is a third of it, or all that is wanted (Linux's tcp_tso_should_defer()),
 * else acknowledgements would cut everything into pairs.
 *
 * Times are rows of the cost table. What is lost is sent again by the task while it sends, after
 * IOV_TCP_RETRANSMIT, else by the softirq, after the time of core/net/tcp-timer.h.
 * LIMIT: no probe for the last segments (TLP); each write is sent at once, so its last
 * segment is short (as with TCP_NODELAY); with windows that grow, nothing but them keeps a sender
 * from filling the queues below (Linux's TCP small queues do). Sums that the device does not take
 * are charged only where GSO or GRO handles the bytes.
 */
#include <glib.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

#define TRIES 5
#define PATTERN (1u << 16) /* of payload: a byte for each sequence number in it */

/* What the socket still has room for is what is offered. */
static void offer_window(struct iov_guest_socket *socket)
{
    iov_tcp_offer(&socket->tcp, iov_tcp_window_room(&socket->window, socket->held));
}

/* Builds and queues a segment; the caller has made sure of room. */
static void send_segment(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket, uint32_t size,
                         struct iov_span *span, iov_time cost)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_frame *frame = iov_guest_net_frame(net, socket);

    if (frame == NULL)
        return; /* an acknowledgement that finds no frame: the next one tells as much */
    uint32_t next = socket->tcp.next;
    const uint8_t *payload = size > 0 ? net->pattern + next % PATTERN : NULL;
    bool large = size > IOV_TCP_MSS, offload = net->checksum_offload || large;

    offer_window(socket);
    if (large) {
        frame->more = payload;
        frame->segment_size = IOV_TCP_MSS;
    } else if (size > 0) {
        memcpy(frame->data + IOV_TCP_PAYLOAD_AT, payload, size);
    }
    frame->size = iov_tcp_build(&socket->tcp, frame->data, size, offload);
    iov_tcp_ack_sent(&socket->ack, size, iov_guest_now(cpu));
    if (socket->tcp.next != next)
        iov_tcp_timer_sent(&socket->again, &socket->tcp, socket->tcp.next - next,
                           iov_guest_now(cpu));
    frame->checksum_start = 0;
    frame->checksum_offset = 0;
    if (offload) {
        frame->checksum_start = ETHERNET_HEADER + IPV4_HEADER;
        frame->checksum_offset = ETHERNET_HEADER + IPV4_HEADER + TCP_CHECKSUM;
    }
    frame->span = span;
    iov_guest_net_transmit(cpu, frame, span, cost);
}

/* ---- How much may be sent ---- */

/* That the send buffer allows on the way; Linux's grows with the congestion window. */
static uint32_t send_most(const struct iov_guest_net *net)
{
    return net->tcp_window != 0 ? net->tcp_window : UINT32_MAX;
}

static uint32_t may_send(const struct iov_guest_net *net, const struct iov_guest_socket *socket)
{
    uint32_t room = iov_tcp_room(&socket->tcp), out = socket->tcp.next - socket->tcp.unacknowledged;
    uint32_t most = send_most(net);

    if (net->free == NULL || out >= most)
        return 0;
    return room < most - out ? room : most - out;
}

/* How much of `left` bytes goes into the next segment now; 0: none yet. */
static uint32_t next_piece(const struct iov_guest_net *net, const struct iov_guest_socket *socket,
                           uint32_t left)
{
    uint32_t largest = net->gso ? IOV_TCP_LARGE : IOV_TCP_MSS;
    uint32_t wanted = left < largest ? left : largest, room = may_send(net, socket);

    if (room >= wanted)
        return wanted;
    return net->gso ? iov_tcp_part(&socket->tcp, room, send_most(net)) : 0;
}

bool iov_guest_tcp_may_go(const struct iov_guest_net *net, const struct iov_guest_socket *socket)
{
    return socket->left == 0 || next_piece(net, socket, socket->left) > 0;
}

/* ---- From the softirq ---- */

/* A server's: the one that is connected with the sender, else one that listens still. */
static struct iov_guest_socket *find_served(struct iov_guest_net *net, const uint8_t *frame)
{
    struct iov_guest_socket *free = NULL;

    for (unsigned i = net->socket_count; i-- > 0;) {
        struct iov_guest_socket *socket = &net->sockets[i];

        if (!socket->listens)
            continue;
        if (iov_tcp_is_with(&socket->tcp, frame))
            return socket;
        if (socket->tcp.state == IOV_TCP_CLOSED)
            free = socket;
    }
    return free;
}

/* Whose segment it may be: by its ports, where they are in a frame without IP options. */
static struct iov_guest_socket *find_socket(struct iov_guest_net *net,
                                            const struct iov_guest_frame *frame)
{
    const uint8_t *ip = frame->data + ETHERNET_HEADER;

    if (frame->size < IOV_TCP_PAYLOAD_AT)
        return NULL;
    if (net->serves)
        return find_served(net, frame->data);
    unsigned index = (unsigned)iov_net_get16(ip + IPV4_HEADER + TCP_DESTINATION) - net->port;

    if (index >= net->socket_count || net->sockets[index].tcp.state == IOV_TCP_CLOSED)
        return NULL;
    return &net->sockets[index];
}

static void answer(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket, uint32_t count)
{
    while (count-- > 0)
        send_segment(cpu, socket, 0, NULL, cpu->guest->costs.tcp_ack);
}

/* What was sent and is not on its way any more, as far as it may go. */
static void resend(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket)
{
    struct iov_tcp *tcp = &socket->tcp;
    uint32_t left, piece;

    while ((left = tcp->highest - tcp->next) > 0 &&
           (piece = next_piece(&cpu->guest->net, socket, left)) > 0) {
        tcp->push = piece == left;
        send_segment(cpu, socket, piece, NULL, cpu->guest->costs.tcp_tx);
    }
}

iov_time iov_guest_tcp_due(const struct iov_guest_socket *socket)
{
    return socket->sending ? socket->ack.due
                           : MIN(socket->ack.due, iov_tcp_timer_due(&socket->again, &socket->tcp));
}

/* What is due of the socket, if anything, is the business of this processor's timer. */
static void set_timer(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket)
{
    const struct iov_guest_net *net = &cpu->guest->net;
    iov_time first = IOV_TIME_MAX;

    if (iov_guest_tcp_due(socket) == IOV_TIME_MAX)
        return;
    socket->timer = cpu;
    for (unsigned i = 0; i < net->socket_count; i++) {
        if (net->sockets[i].timer == cpu)
            first = MIN(first, iov_guest_tcp_due(&net->sockets[i]));
    }
    if (net->dev->ops->poll == NULL) /* who polls looks for himself */
        iov_guest_set_timer(cpu, &cpu->tcp_timer, first);
}

void iov_guest_tcp_timer(struct iov_guest_cpu *cpu)
{
    struct iov_guest_net *net = &cpu->guest->net;

    for (unsigned i = 0; i < net->socket_count; i++) {
        struct iov_guest_socket *socket = &net->sockets[i];

        if (socket->timer != cpu)
            continue;
        if (socket->ack.due <= iov_guest_now(cpu)) {
            iov_tcp_ack_late(&socket->ack, iov_guest_now(cpu));
            answer(cpu, socket, 1);
        }
        if (iov_guest_tcp_due(socket) <= iov_guest_now(cpu)) {
            iov_tcp_timer_expired(&socket->again, &socket->tcp, iov_guest_now(cpu));
            iov_tcp_go_back(&socket->tcp);
            resend(cpu, socket);
        }
        set_timer(cpu, socket);
    }
}

bool iov_guest_tcp_deliver(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_socket *socket = find_socket(net, frame);
    struct iov_tcp_segment segment;
    unsigned result;

    if (socket == NULL || (frame->size > IOV_GUEST_FRAME_MAX && frame->checksum_start == 0) ||
        !iov_tcp_parse(frame->data, frame->size, socket->tcp.own.ip, socket->tcp.own.port,
                       frame->checksum_start != 0, frame->segment_size, &segment))
        return false;
    iov_guest_charge(cpu, cpu->guest->costs.tcp_rx);
    if (segment.size > 0 && net->free == NULL) { /* small ones fill it: as if it had not come */
        iov_measure_drop(net->guest->measure, &net->dropped, NULL);
        iov_span_release(frame->span);
        return true;
    }
    result = iov_tcp_take(&socket->tcp, &segment, frame->data);
    iov_tcp_timer_heard(&socket->again, &socket->tcp, iov_guest_now(cpu));
    result = iov_tcp_ack_take(&socket->ack, result, &segment, socket->tcp.receive_window,
                              iov_guest_now(cpu));
    if (result & IOV_TCP_DATA) {
        iov_tcp_window_arrived(&socket->window, segment.size, iov_guest_now(cpu));
        iov_guest_net_queue(cpu, socket, frame, segment.at, segment.size);
    }
    if (result & IOV_TCP_ANSWER)
        answer(cpu, socket, iov_tcp_answers(result, &segment));
    if (result & (IOV_TCP_ROOM | IOV_TCP_OPENED)) {
        if (!socket->sending)
            resend(cpu, socket);
        if (result & IOV_TCP_OPENED || iov_guest_tcp_may_go(net, socket))
            iov_guest_net_wake_writer(cpu, socket);
        if (socket->on_acknowledged != NULL)
            socket->on_acknowledged(socket->context, cpu, socket->tcp.unacknowledged);
    }
    set_timer(cpu, socket);
    return true;
}

/* ---- System calls ---- */

/* Waits until the peer has done something; goes back to what was not acknowledged if it does not.
 * False: it is gone. */
static bool wait_for_peer(struct iov_guest_cpu *cpu, struct iov_span *span, uint32_t left,
                          unsigned *tries)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    uint32_t before = socket->tcp.unacknowledged;

    socket->left = left;
    bool woken = iov_guest_net_wait_writer(cpu, iov_guest_now(cpu) + IOV_TCP_RETRANSMIT, span);

    socket->left = 0;
    if (woken || socket->tcp.unacknowledged != before) {
        *tries = 0;
        return true;
    }
    if (socket->tcp.unacknowledged != socket->tcp.next)
        iov_tcp_go_back(&socket->tcp);
    return ++*tries < TRIES;
}

static void make_pattern(struct iov_guest_net *net)
{
    if (net->pattern != NULL)
        return;
    net->pattern = g_malloc(PATTERN + IOV_TCP_LARGE);
    for (uint32_t i = 0; i < PATTERN + IOV_TCP_LARGE; i++)
        net->pattern[i] = (uint8_t)(i % PATTERN * 2654435761u >> 24);
}

/* A closed connection at `port`. */
static void open_socket(struct iov_guest_net *net, struct iov_guest_socket *socket, uint16_t port)
{
    struct iov_net_end own = iov_guest_end(net, port);

    iov_tcp_window_init(&socket->window, net->tcp_window);
    iov_tcp_init(&socket->tcp, &own, iov_tcp_window_room(&socket->window, 0));
    make_pattern(net);
}

void iov_guest_tcp_accept(struct iov_guest_cpu *cpu)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_socket *socket = iov_guest_socket(cpu);

    open_socket(net, socket, net->peer.port);
    socket->listens = true;
    while (socket->tcp.state != IOV_TCP_ESTABLISHED)
        iov_guest_net_wait_writer(cpu, IOV_TIME_MAX, NULL);
    socket->written = socket->tcp.next;
}

/* False: the SYN's time is over. */
static bool await_connection(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket)
{
    iov_time deadline = iov_tcp_timer_due(&socket->again, &socket->tcp);

    while (socket->tcp.state != IOV_TCP_ESTABLISHED && iov_guest_now(cpu) < deadline)
        iov_guest_net_wait_writer(cpu, deadline, NULL);
    if (socket->tcp.state == IOV_TCP_ESTABLISHED)
        return true;
    iov_tcp_timer_expired(&socket->again, &socket->tcp, iov_guest_now(cpu));
    return false;
}

bool iov_guest_tcp_connect(struct iov_guest_cpu *cpu)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_socket *socket = iov_guest_socket(cpu);

    unsigned number = IOV_WORKLOAD(net->guest->workload)->guest;
    unsigned *missing = &net->guest->measure->guests[number].connections_missing;

    open_socket(net, socket, socket->port);
    iov_tcp_connect(&socket->tcp, &net->peer);
    socket->again = (struct iov_tcp_timer){ .since = iov_guest_now(cpu) };
    socket->sending = true;
    (*missing)++;
    do {
        send_segment(cpu, socket, 0, NULL, cpu->guest->costs.tcp_tx);
    } while (!await_connection(cpu, socket) &&
             iov_tcp_timer_due(&socket->again, &socket->tcp) != IOV_TIME_MAX);
    if (socket->tcp.state != IOV_TCP_ESTABLISHED)
        return false;
    (*missing)--;
    socket->sending = false;
    socket->written = socket->tcp.next;
    return true;
}

/* The next segment of what is written, or a wait until it may go: where the connection went back,
 * from there on. False: the peer is gone. */
static bool send_or_wait(struct iov_guest_cpu *cpu, struct iov_span *span, unsigned *tries)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    uint32_t left = socket->written - socket->tcp.next;
    uint32_t piece = next_piece(&cpu->guest->net, socket, left);

    if (piece == 0)
        return wait_for_peer(cpu, span, left, tries);
    socket->tcp.push = piece == left;
    send_segment(cpu, socket, piece, piece == left ? span : NULL, cpu->guest->costs.tcp_tx);
    if (piece != left)
        iov_guest_work_for(cpu, span);
    return true;
}

bool iov_guest_tcp_send(struct iov_guest_cpu *cpu, uint32_t size, struct iov_span *span)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    unsigned tries = 0;

    socket->written += size;
    iov_guest_work_for(cpu, span);
    iov_guest_charge(cpu, cpu->guest->costs.syscall_entry);
    iov_guest_charge_copy(cpu, size);
    socket->sending = true;
    while (socket->tcp.next != socket->written) {
        if (!send_or_wait(cpu, span, &tries))
            return false;
    }
    socket->sending = false;
    set_timer(cpu, socket);
    iov_guest_charge(cpu, cpu->guest->costs.tx_return + cpu->guest->costs.syscall_exit);
    return true;
}

bool iov_guest_tcp_wait(struct iov_guest_cpu *cpu)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    uint32_t before = socket->tcp.unacknowledged;
    unsigned tries = 0;

    socket->sending = true;
    while (socket->tcp.unacknowledged == before) {
        if (!send_or_wait(cpu, NULL, &tries))
            return false;
    }
    socket->sending = false;
    return true;
}

bool iov_guest_tcp_receive(struct iov_guest_cpu *cpu, iov_time deadline, uint32_t *ret_size,
                           struct iov_span **ret_span)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);

    if (!iov_guest_receive(cpu, deadline, NULL, UINT32_MAX, ret_size, ret_span))
        return false;
    iov_tcp_window_read(&socket->window, *ret_size, iov_guest_now(cpu));
    if (iov_tcp_window_is_news(&socket->window, socket->tcp.receive_window, socket->held) ||
        iov_tcp_ack_read(&socket->ack, socket->held))
        send_segment(cpu, socket, 0, NULL, cpu->guest->costs.tcp_ack);
    return true;
}
