/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's network stack between system calls and driver.
 *
 * Transmit:  system call, copy, UDP/IP, driver; if the driver's ring is full the frame waits in the
 *            queue in front of it, and the sender blocks when the frames in flight fill the
 *            socket's send buffer. A large segment goes to the driver whole, or is cut here, one
 *            piece after the other.
 * Receive:   frames that a poll has collected (napi.c): parse, socket queue, wake-up of the reader.
 *
 * Polling:   a program with a poll-mode driver and a stack of its own (DPDK's shape) does without
 *            system calls, interrupts and copies: it looks at the device whenever it waits.
 *
 * Times are rows of the cost table. LIMIT: no byte queue limits, so e1000's queue is longer than
 * Linux's under load.
 */
#include <glib.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/guest-private.h"
#include "models/guest/offload.h"

/* Linux's default socket buffers, and what a frame counts for in them: its buffer, rounded, and the
 * descriptor of it. */
#define SEND_BUFFER 212992u
#define FRAME_OVERHEAD 576u
#define FRAME_GRAIN 64u

#define PORT 40000

#define SLOW_LOOK IOV_MS /* a program that polls finds what nobody told it of */

/* ---- Frames ---- */

static void push(struct iov_guest_queue *queue, struct iov_guest_frame *frame)
{
    frame->next = NULL;
    if (queue->last != NULL)
        queue->last->next = frame;
    else
        queue->first = frame;
    queue->last = frame;
    queue->count++;
}

static struct iov_guest_frame *pop(struct iov_guest_queue *queue)
{
    struct iov_guest_frame *frame = queue->first;

    if (frame == NULL)
        return NULL;
    queue->first = frame->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    return frame;
}

static struct iov_guest_frame *take_frame(struct iov_guest_net *net)
{
    struct iov_guest_frame *frame = net->free;

    if (frame == NULL)
        return NULL;
    net->free = frame->next;
    frame->segment_size = 0;
    frame->more = NULL;
    return frame;
}

static void give_frame(struct iov_guest_net *net, struct iov_guest_frame *frame)
{
    frame->span = NULL;
    frame->next = net->free;
    net->free = frame;
}

void iov_guest_net_open(struct iov_guest_net *net, unsigned socket)
{
    uint32_t window = net->tcp_window == 0 ? IOV_TCP_WINDOW_GROWN : net->tcp_window;
    unsigned count = IOV_GUEST_FRAMES + (window > IOV_GUEST_WINDOW ? window / IOV_TCP_MSS : 0);
    struct iov_guest_frame *frames = g_new0(struct iov_guest_frame, count);

    net->sockets[socket].frames = frames;
    for (unsigned i = count; i-- > 0;)
        give_frame(net, &frames[i]);
}

void iov_guest_net_init(struct iov_guest_net *net, struct _IovLinuxGuest *guest, unsigned sockets,
                        uint32_t address, uint32_t peer, uint32_t tcp_window)
{
    uint32_t far_end = 0;

    *net = (struct iov_guest_net){
        .guest = guest,
        .address = address,
        .port = PORT,
        .peer = { .ip = peer, .port = IOV_NET_PORT_ECHO },
        .tcp_window = tcp_window,
    };
    net->peer_known = iov_net_ipv4_parse(IOV_NET_FAR_END_ADDRESS, &far_end) && peer == far_end &&
                      iov_net_address_parse(IOV_NET_FAR_END_MAC, net->peer.mac);
    net->socket_count = sockets;
    net->sockets = g_new0(struct iov_guest_socket, sockets);
    for (unsigned i = 0; i < sockets; i++) {
        struct iov_guest_socket *socket = &net->sockets[i];

        socket->index = i;
        socket->port = (uint16_t)(PORT + i);
        socket->peer = &net->peer;
        socket->flow = (uint16_t)i;
        iov_tcp_ack_init(&socket->ack);
    }
    iov_guest_net_open(net, 0);
}

void iov_guest_net_finish(struct iov_guest_net *net)
{
    for (unsigned i = 0; i < net->socket_count; i++)
        g_free(net->sockets[i].frames);
    g_clear_pointer(&net->sockets, g_free);
    for (unsigned i = 0; i < IOV_GUEST_QUEUES; i++)
        g_clear_pointer(&net->cutting[i].piece, g_free);
    g_clear_pointer(&net->pattern, g_free);
    net->socket_count = 0;
    net->free = NULL;
}

struct iov_net_end iov_guest_end(const struct iov_guest_net *net, uint16_t port)
{
    struct iov_net_end own = { .ip = net->address, .port = port };

    memcpy(own.mac, net->dev->mac, sizeof own.mac);
    return own;
}

struct iov_guest_socket *iov_guest_socket(const struct iov_guest_cpu *cpu)
{
    return &cpu->guest->net.sockets[cpu->task];
}

unsigned iov_guest_socket_of(const struct iov_guest_net *net, uint16_t port)
{
    unsigned index = (unsigned)port - net->port;
    unsigned echo = (unsigned)port - IOV_NET_PORT_ECHO;
    unsigned discard = (unsigned)port - IOV_NET_PORT_DISCARD;

    if (net->serves && (echo < IOV_WORKLOAD_FLOWS || discard < IOV_WORKLOAD_FLOWS))
        index = (echo < IOV_WORKLOAD_FLOWS ? echo : discard) % iov_guest_tasks(net->guest);
    if (index >= net->socket_count || net->sockets[index].listens)
        return UINT_MAX;
    return index;
}

void iov_guest_charge_checksum(struct iov_guest_cpu *cpu, uint32_t size)
{
    iov_guest_charge(cpu, cpu->guest->costs.checksum * size / 1024);
}

/* ---- Transmit ---- */

uint32_t iov_guest_frame_memory(uint32_t size)
{
    return (size + FRAME_GRAIN - 1) / FRAME_GRAIN * FRAME_GRAIN + FRAME_OVERHEAD;
}

void iov_guest_net_wake_writer(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket)
{
    struct iov_guest_cpu *writer = socket->writer;

    socket->writer_woken = true;
    if (writer == NULL)
        return;
    socket->writer = NULL;
    iov_guest_wake(cpu, writer);
}

void iov_guest_netdev_sent(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                           const struct iov_guest_sent *sent)
{
    struct iov_guest_net *net = dev->net;
    struct iov_guest_socket *socket = &net->sockets[sent->socket];

    net->sent++;
    socket->send_memory -= iov_guest_frame_memory(sent->size);
    if (2 * socket->send_memory <= SEND_BUFFER && iov_guest_tcp_may_go(net, socket))
        iov_guest_net_wake_writer(cpu, socket);
    if (net->on_sent != NULL)
        net->on_sent(net->sent_context, cpu, sent);
}

/* Gives waiting frames to the driver until it stops. */
static void transmit_waiting(struct iov_guest_net *net, struct iov_guest_cpu *cpu,
                             struct iov_guest_tx_queue *queue)
{
    if (queue->transmitting)
        return; /* whoever does it takes the new frames as well */
    queue->transmitting = true;
    while (queue->waiting.first != NULL && !queue->stopped) {
        struct iov_guest_frame *frame = queue->waiting.first;

        iov_guest_take_up(cpu, frame->span);
        if (frame->segment_size != 0 && !net->tso ? !iov_guest_transmit_pieces(net, cpu, frame)
                                                  : !net->dev->ops->transmit(net->dev, cpu, frame))
            break;
        net->large_sent += frame->segment_size != 0;
        give_frame(net, pop(&queue->waiting));
    }
    queue->transmitting = false;
}

void iov_guest_netdev_wake(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu, unsigned queue)
{
    if (!dev->tx[queue].stopped)
        return;
    dev->tx[queue].stopped = false;
    if (dev->tx[queue].waiting.first != NULL)
        iov_guest_raise_softirq(cpu, IOV_GUEST_NET_TX);
}

void iov_guest_net_tx_softirq(struct iov_guest_cpu *cpu)
{
    struct iov_guest_net *net = &cpu->guest->net;

    for (unsigned i = 0; i < net->dev->queues; i++)
        transmit_waiting(net, cpu, &net->dev->tx[i]);
}

/* ---- Waiting ---- */

static bool has_datagram(const struct iov_guest_cpu *cpu)
{
    return iov_guest_socket(cpu)->received.first != NULL;
}

static bool is_woken(const struct iov_guest_cpu *cpu)
{
    return iov_guest_socket(cpu)->writer_woken;
}

/* Sleeps in `*place` until it is woken or `deadline`, which is a far one: the tick is earlier, and
 * the timer is not programmed. Not at all if `done` by now. */
static void block(struct iov_guest_cpu *cpu, struct iov_guest_cpu **place,
                  bool (*done)(const struct iov_guest_cpu *), iov_time deadline)
{
    iov_guest_wait_prepare(cpu);
    *place = cpu;
    cpu->sleep = deadline;
    iov_guest_charge(cpu, cpu->guest->costs.socket_block);
    if (!done(cpu))
        iov_guest_wait_block(cpu);
    iov_guest_wait_done(cpu);
    cpu->sleep = IOV_TIME_MAX;
    *place = NULL;
}

/* ---- Polling ---- */

static bool is_polled(const struct iov_guest_net *net)
{
    return net->dev->ops->poll != NULL;
}

void iov_guest_net_changed(struct iov_guest_net *net)
{
    net->changed = true;
    iov_spin_end(&net->spin);
}

/* Looks until the device has done something, at most until `deadline`. */
static void poll_device(struct iov_guest_cpu *cpu, struct iov_guest_net *net, iov_time deadline)
{
    for (;;) {
        iov_time now = iov_guest_now(cpu);

        if (iov_guest_tcp_due(iov_guest_socket(cpu)) <= now)
            iov_guest_tcp_timer(cpu);
        net->changed = false;
        cpu->guest->napi_polls++;
        if (net->dev->ops->poll(net->dev, cpu) > 0 || now >= deadline)
            return;
        if (!net->changed)
            iov_exec_spin(cpu->exec, &net->spin, cpu->guest->costs.pmd_poll,
                          deadline - now < SLOW_LOOK ? deadline - now : SLOW_LOOK, IOV_PART_GUEST);
    }
}

bool iov_guest_net_poll_until(struct iov_guest_cpu *cpu, iov_time when)
{
    struct iov_guest_net *net = &cpu->guest->net;

    if (net->dev == NULL || !net->dev->running || !is_polled(net))
        return false;
    while (iov_guest_now(cpu) < when)
        poll_device(cpu, net, when);
    return true;
}

static void poll_send(struct iov_guest_cpu *cpu, struct iov_guest_net *net,
                      struct iov_guest_frame *frame, struct iov_span *span)
{
    net->sockets[frame->socket].send_memory += iov_guest_frame_memory(frame->size);
    iov_guest_charge(cpu, cpu->guest->costs.pmd_stack);
    while (!net->dev->ops->transmit(net->dev, cpu, frame)) {
        iov_guest_work_for(cpu, NULL);
        poll_device(cpu, net, IOV_TIME_MAX);
        iov_guest_take_up(cpu, span);
    }
    give_frame(net, frame);
    iov_guest_work_for(cpu, NULL);
}

bool iov_guest_may_send(const struct iov_guest_cpu *cpu)
{
    const struct iov_guest_net *net = &cpu->guest->net;

    return iov_guest_socket(cpu)->send_memory < SEND_BUFFER && net->free != NULL;
}

static void wait_for_room(struct iov_guest_cpu *cpu, struct iov_guest_net *net,
                          struct iov_span *span)
{
    while (is_polled(net) && !iov_guest_may_send(cpu))
        poll_device(cpu, net, IOV_TIME_MAX);
    while (!iov_guest_may_send(cpu)) {
        block(cpu, &iov_guest_socket(cpu)->writer, iov_guest_may_send, IOV_TIME_MAX);
        iov_guest_take_up(cpu, span);
    }
}

struct iov_guest_frame *iov_guest_net_frame(struct iov_guest_net *net,
                                            const struct iov_guest_socket *socket)
{
    struct iov_guest_frame *frame = take_frame(net);

    if (frame == NULL)
        return NULL;
    frame->socket = (uint16_t)socket->index;
    frame->flow = socket->flow;
    return frame;
}

void iov_guest_net_transmit(struct iov_guest_cpu *cpu, struct iov_guest_frame *frame,
                            struct iov_span *span, iov_time cost)
{
    struct iov_guest_net *net = &cpu->guest->net;

    if (is_polled(net)) {
        poll_send(cpu, net, frame, span);
        return;
    }
    frame->queue = (uint16_t)iov_guest_queue_of(cpu->guest, cpu->index);
    struct iov_guest_tx_queue *queue = &net->dev->tx[frame->queue];

    net->sockets[frame->socket].send_memory += iov_guest_frame_memory(frame->size);
    iov_guest_charge(cpu, cost);
    iov_guest_bottom_half_disable(cpu);
    push(&queue->waiting, frame);
    transmit_waiting(net, cpu, queue);
    iov_guest_work_for(cpu, NULL);
    iov_guest_bottom_half_enable(cpu);
}

/* The frame's way to the driver, and back to the program. */
static void send_frame(struct iov_guest_cpu *cpu, struct iov_guest_frame *frame, iov_time cost)
{
    iov_guest_net_transmit(cpu, frame, frame->span, cost);
    iov_guest_charge(cpu, cpu->guest->costs.tx_return + cpu->guest->costs.syscall_exit);
}

bool iov_guest_net_wait_writer(struct iov_guest_cpu *cpu, iov_time deadline, struct iov_span *span)
{
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_socket *socket = iov_guest_socket(cpu);

    socket->writer_woken = false;
    while (is_polled(net) && !is_woken(cpu) && iov_guest_now(cpu) < deadline)
        poll_device(cpu, net, deadline);
    while (!is_woken(cpu) && iov_guest_now(cpu) < deadline)
        block(cpu, &socket->writer, is_woken, deadline);
    iov_guest_take_up(cpu, span);
    return socket->writer_woken;
}

/* The way into the kernel of every send, up to a frame to fill. */
static struct iov_guest_frame *begin_send(struct iov_guest_cpu *cpu, uint32_t size,
                                          struct iov_span *span)
{
    struct iov_guest_net *net = &cpu->guest->net;

    IOV_REQUIRE(size <= IOV_GUEST_PAYLOAD_MAX);
    iov_guest_work_for(cpu, span);
    if (!is_polled(net))
        iov_guest_charge(cpu, cpu->guest->costs.syscall_entry);
    wait_for_room(cpu, net, span);
    struct iov_guest_frame *frame = iov_guest_net_frame(net, iov_guest_socket(cpu));

    frame->span = span;
    return frame;
}

void iov_guest_send_udp(struct iov_guest_cpu *cpu, const void *payload, uint32_t size,
                        struct iov_span *span)
{
    struct iov_guest_frame *frame = begin_send(cpu, size, span);

    iov_guest_build_udp(&cpu->guest->net, frame, payload, size);
    if (!cpu->guest->net.checksum_offload)
        iov_guest_charge_checksum(cpu, size);
    if (is_polled(&cpu->guest->net)) {
        poll_send(cpu, &cpu->guest->net, frame, span);
        return;
    }
    iov_guest_charge_copy(cpu, size);
    send_frame(cpu, frame, cpu->guest->costs.udp_tx);
}

void iov_guest_send_echo(struct iov_guest_cpu *cpu, uint16_t sequence, uint32_t size,
                         struct iov_span *span)
{
    struct iov_guest_frame *frame = begin_send(cpu, size, span);

    iov_guest_build_echo(&cpu->guest->net, frame, sequence, size);
    if (is_polled(&cpu->guest->net)) {
        poll_send(cpu, &cpu->guest->net, frame, span);
        return;
    }
    iov_guest_charge_copy(cpu, size);
    send_frame(cpu, frame, cpu->guest->costs.icmp_tx);
}

/* ---- Receive ---- */

/* Whose datagram it is that `copy` is made of; its payload is at `offset` in `frame`. */
static void note_asker(struct iov_guest_frame *copy, const struct iov_guest_frame *frame,
                       uint32_t offset)
{
    const uint8_t *udp = frame->data + offset - UDP_HEADER;

    memcpy(copy->from.mac, frame->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    copy->from.ip = iov_net_get32(frame->data + ETHERNET_HEADER + IPV4_SOURCE);
    copy->from.port = iov_net_get16(udp + UDP_SOURCE);
    copy->to_port = iov_net_get16(udp + UDP_DESTINATION);
}

/* A server's next datagram goes to whoever sent this one. */
static void answer_asker(struct iov_guest_socket *socket, const struct iov_guest_frame *frame)
{
    socket->asker = frame->from;
    socket->peer = &socket->asker;
    socket->port = frame->to_port;
    socket->flow = 0;
}

void iov_guest_net_queue(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket,
                         const struct iov_guest_frame *frame, uint32_t offset, uint32_t size)
{
    struct iov_guest_net *net = &cpu->guest->net;
    bool is_connected = socket->tcp.state != IOV_TCP_CLOSED; /* the window is its limit */
    struct iov_guest_frame *copy =
        is_connected || socket->received.count < LINUX_RECEIVE_DATAGRAMS ? take_frame(net) : NULL;

    if (copy == NULL) {
        iov_span_release(frame->span);
        iov_measure_drop(net->guest->measure, &net->dropped, NULL);
        return;
    }
    copy->span = frame->span;
    copy->size = size;
    if (frame->segment_size == 0)
        memcpy(copy->data, frame->data + offset, size);
    if (net->serves)
        note_asker(copy, frame, offset);
    socket->held += size;
    push(&socket->received, copy);
    net->delivered++;
    if (socket->reader == NULL)
        return;
    struct iov_guest_cpu *reader = socket->reader;

    socket->reader = NULL;
    iov_guest_wake(cpu, reader);
}

/* One frame goes up the stack. */
void iov_guest_net_deliver(struct iov_guest_cpu *cpu, struct iov_guest_net *net,
                           const struct iov_guest_frame *frame)
{
    const struct iov_guest_costs *costs = &cpu->guest->costs;
    uint32_t offset, size;

    iov_guest_take_up(cpu, frame->span);
    if (iov_guest_tcp_deliver(cpu, frame))
        return;
    if (frame->size > IOV_GUEST_FRAME_MAX) {
        iov_span_release(frame->span);
        net->bad_frames++;
        return;
    }
    enum iov_guest_frame_kind kind =
        iov_guest_parse(net, frame, frame->checksum_start != 0, &offset, &size);

    bool icmp = kind == IOV_GUEST_FRAME_ECHO || kind == IOV_GUEST_FRAME_PING;

    iov_guest_charge(cpu, is_polled(net) ? costs->pmd_stack
                          : icmp         ? costs->icmp_rx
                                         : costs->udp_rx);
    if (kind == IOV_GUEST_FRAME_UDP && frame->checksum_start == 0)
        iov_guest_charge_checksum(cpu, size);
    if (kind == IOV_GUEST_FRAME_BAD || kind == IOV_GUEST_FRAME_FOREIGN) {
        uint64_t *counter = kind == IOV_GUEST_FRAME_BAD ? &net->bad_frames : &net->foreign_frames;

        (*counter)++;
        iov_span_release(frame->span);
        return;
    }
    if (kind == IOV_GUEST_FRAME_ARP || kind == IOV_GUEST_FRAME_PING) {
        if (kind == IOV_GUEST_FRAME_ARP)
            iov_guest_neighbour_deliver(cpu, frame);
        else
            iov_guest_pinged(cpu, frame, offset, size);
        return;
    }
    unsigned socket = 0; /* an echo's, which has no port */

    if (kind == IOV_GUEST_FRAME_UDP) /* the parser has looked: the port is one of ours */
        socket = iov_guest_socket_of(
            net, iov_net_get16(frame->data + offset - UDP_HEADER + UDP_DESTINATION));
    iov_guest_net_queue(cpu, &net->sockets[socket], frame, offset, size);
}

/* Waits until a datagram is there or `deadline` has passed. */
static void wait_for_datagram(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket,
                              iov_time deadline)
{
    while (!has_datagram(cpu) && iov_guest_now(cpu) < deadline)
        block(cpu, &socket->reader, has_datagram, deadline);
}

/* The datagram is read where the device put it. */
static bool poll_receive(struct iov_guest_cpu *cpu, struct iov_guest_net *net, iov_time deadline,
                         void *data, uint32_t size, uint32_t *ret_size, struct iov_span **ret_span)
{
    struct iov_guest_queue *received = &iov_guest_socket(cpu)->received;

    while (received->first == NULL && iov_guest_now(cpu) < deadline)
        poll_device(cpu, net, deadline);
    struct iov_guest_frame *frame = pop(received);

    if (frame == NULL)
        return false;
    *ret_size = frame->size < size ? frame->size : size;
    *ret_span = frame->span;
    iov_guest_socket(cpu)->held -= frame->size;
    if (data != NULL)
        memcpy(data, frame->data, *ret_size);
    if (net->serves)
        answer_asker(iov_guest_socket(cpu), frame);
    iov_guest_work_for(cpu, frame->span);
    give_frame(net, frame);
    return true;
}

bool iov_guest_receive(struct iov_guest_cpu *cpu, iov_time deadline, void *data, uint32_t size,
                       uint32_t *ret_size, struct iov_span **ret_span)
{
    IovLinuxGuest *guest = cpu->guest;
    struct iov_guest_net *net = &guest->net;
    struct iov_guest_socket *socket = iov_guest_socket(cpu);

    if (is_polled(net))
        return poll_receive(cpu, net, deadline, data, size, ret_size, ret_span);
    if (socket->received.first != NULL) /* up to here it waited for a task that was busy */
        iov_guest_take_up(cpu, socket->received.first->span);
    iov_guest_charge(cpu, guest->costs.syscall_entry);
    wait_for_datagram(cpu, socket, deadline);
    struct iov_guest_frame *frame = pop(&socket->received);

    if (frame == NULL) {
        iov_guest_charge(cpu, guest->costs.syscall_exit);
        return false;
    }
    /* Another processor may have brought it, and woken this one. */
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_WAKEUP, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    iov_guest_charge(cpu, guest->costs.socket_receive);
    uint32_t bytes = frame->size < size ? frame->size : size;

    socket->held -= frame->size;
    if (data != NULL)
        memcpy(data, frame->data, bytes);
    iov_guest_charge_copy(cpu, bytes);
    if (net->serves)
        answer_asker(socket, frame);
    *ret_size = bytes;
    *ret_span = frame->span;
    give_frame(net, frame);
    iov_guest_charge(cpu, guest->costs.syscall_exit);
    return true;
}
