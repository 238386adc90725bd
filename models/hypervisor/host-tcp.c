/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-server: TCP of the host's kernel.
 *
 *   read:   what the softirq has queued, up to `message` bytes; the window follows what is read
 *   write:  a copy into the send buffer, and from there what the windows allow, in segments of up
 *           to IOV_TCP_LARGE; the program blocks while more than two thirds of the buffer are used
 *   arrival: acknowledgements at once (core/net/tcp.h); what they make room for goes out on the
 *           stream that brought them
 *
 * SPEC: Linux 6.1: tcp_sndbuf_expand(), sk_stream_write_space(), tcp_nagle_test().
 * LIMIT: what it sends is zeros; a retransmission by time needs a program that waits to write; a
 * connection lasts to the end of the run.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/segment.h"
#include "models/guest/linux-regs.h"
#include "models/hypervisor/host-server.h"

static iov_time now(const struct iov_host_server_task *task)
{
    return iov_now(task->server->parent_instance.kernel);
}

/* ---- How much may be sent ---- */

static uint32_t on_its_way(const struct iov_host_server_task *task)
{
    return task->tcp.next - task->tcp.unacknowledged;
}

static uint32_t next_piece(const struct iov_host_server_task *task)
{
    uint32_t wanted = MIN(task->written - task->tcp.next, IOV_TCP_LARGE), room;

    if (wanted == 0 || (wanted < IOV_TCP_MSS && on_its_way(task) > 0))
        return 0;
    if (wanted > IOV_TCP_MSS)
        wanted -= wanted % IOV_TCP_MSS;
    room = iov_tcp_room(&task->tcp);
    return room >= wanted ? wanted : iov_tcp_part(&task->tcp, room, UINT32_MAX);
}

static uint32_t send_buffer(const struct iov_host_server_task *task)
{
    return MIN(2 * MAX(task->tcp.congestion_window, IOV_TCP_FIRST), LINUX_TCP_WMEM_MAX);
}

static uint32_t buffered(const struct iov_host_server_task *task)
{
    return task->written - task->tcp.unacknowledged;
}

static bool has_room(const struct iov_host_server_task *task)
{
    return buffered(task) <= send_buffer(task) / 3 * 2;
}

static bool is_open(const struct iov_host_server_task *task)
{
    return task->tcp.state == IOV_TCP_ESTABLISHED;
}

static bool has_data(const struct iov_host_server_task *task)
{
    return task->received.first != NULL;
}

/* ---- Sending ---- */

/* The request that an answer takes along: with data the program's, with none the one that came. */
static struct iov_span *take_request(struct iov_host_server_task *task, uint32_t size)
{
    bool last = size > 0 && task->tcp.next + size == task->written;
    struct iov_span **from = size == 0 ? &task->asked : last ? &task->given : NULL, *span;

    if (from == NULL)
        return NULL;
    span = *from;
    *from = NULL;
    return span;
}

static void send_segment(struct iov_host_server_task *task, struct iov_exec *exec, uint32_t size)
{
    IovHostServer *self = task->server;
    struct iov_packet *packet = iov_packet_new(self->pool, IOV_TCP_PAYLOAD_AT + size);
    iov_time cost = size > 0 ? self->costs.tcp_tx : self->costs.tcp_ack;

    packet->span = take_request(task, size);
    if (exec != NULL)
        iov_span_claim(packet->span, exec->holder, IOV_PART_QUEUE, now(task));
    memset(packet->data + IOV_TCP_PAYLOAD_AT, 0, size);
    iov_tcp_offer(&task->tcp, iov_tcp_window_room(&task->window, task->held));
    task->tcp.push = task->tcp.next + size == task->written;
    task->answers = size > 0 || task->answers == 0 ? 0 : task->answers - 1;
    iov_segment_next(&task->tcp, packet, size);
    iov_host_server_send(self, exec, packet, cost);
}

/* What is due and may go, unless somebody is at it. */
static void transmit(struct iov_host_server_task *task, struct iov_exec *exec)
{
    uint32_t size;

    if (task->transmitting)
        return;
    task->transmitting = true;
    while ((size = next_piece(task)) > 0 || task->answers > 0)
        send_segment(task, exec, size);
    task->transmitting = false;
}

/* ---- What arrives ---- */

static struct iov_host_server_task *find_task(IovHostServer *self, const uint8_t *ip)
{
    uint32_t address = iov_net_get32(ip + IPV4_SOURCE);
    uint16_t port = iov_net_get16(ip + IPV4_HEADER + TCP_SOURCE);
    struct iov_host_server_task *free = NULL;

    for (unsigned i = (unsigned)self->flows; i-- > 0;) {
        struct iov_host_server_task *task = &self->tasks[i];

        if (task->tcp.state == IOV_TCP_CLOSED)
            free = task;
        else if (task->tcp.peer.ip == address && task->tcp.peer.port == port)
            return task;
    }
    return free;
}

/* Whoever only takes has answered when it acknowledges. */
static struct iov_span *queue_data(struct iov_host_server_task *task, struct iov_packet *packet,
                                   uint32_t size)
{
    struct iov_span *span = packet->span;

    iov_tcp_window_arrived(&task->window, size, now(task));
    packet->payload = size;
    task->held += size;
    iov_packet_queue_push(&task->received, packet);
    if (iov_host_server_answers(task->server))
        return span;
    packet->span = NULL;
    if (span != NULL)
        task->asked = span;
    return NULL;
}

static void take(struct iov_host_server_task *task, struct iov_exec *exec,
                 struct iov_packet *packet, const struct iov_tcp_segment *segment)
{
    unsigned result = iov_tcp_take(&task->tcp, segment, packet->data);
    struct iov_span *span = NULL;

    if (result & IOV_TCP_OPENED)
        task->written = task->tcp.next;
    if (result & IOV_TCP_ANSWER)
        task->answers =
            result & IOV_TCP_GAP ? iov_tcp_answers(result, segment) : MAX(task->answers, 1);
    if (result & IOV_TCP_DATA)
        span = queue_data(task, packet, segment->size);
    else
        iov_packet_drop(packet);
    transmit(task, exec);
    iov_span_claim(task->asked, task->server, IOV_PART_HOST, now(task));
    iov_host_server_wake(task, exec, span);
}

bool iov_host_server_tcp_deliver(IovHostServer *self, struct iov_exec *exec,
                                 struct iov_packet *packet, iov_time owed)
{
    bool summed = packet->flags & (IOV_PACKET_NEEDS_CHECKSUM | IOV_PACKET_CHECKSUM_GOOD);
    struct iov_tcp_segment segment;
    struct iov_host_server_task *task;

    if (!iov_tcp_parse(packet->data, packet->size, self->own.ip, self->own.port, summed,
                       packet->segment_size, &segment))
        return false;
    iov_host_server_charge(exec, owed + self->costs.tcp_rx +
                                     iov_host_server_sum(self, packet, segment.size));
    task = find_task(self, packet->data + ETHERNET_HEADER);
    if (task == NULL) {
        self->ignored++;
        iov_packet_drop(packet);
    } else if (segment.size > 0 && iov_tcp_window_room(&task->window, task->held) == 0) {
        iov_measure_drop(self->measure, &self->drops, packet); /* more than was offered */
    } else {
        take(task, exec, packet, &segment);
    }
    return true;
}

/* ---- System calls ---- */

void iov_host_server_tcp_init(struct iov_host_server_task *task)
{
    iov_tcp_window_init(&task->window, (uint32_t)task->server->tcp_window);
    iov_tcp_init(&task->tcp, &task->server->own, iov_tcp_window_room(&task->window, 0));
}

void iov_host_server_tcp_accept(struct iov_host_server_task *task)
{
    iov_host_server_wait(task, is_open, IOV_TIME_MAX);
}

/* The peer may go on: it knows of less than half of what there is again. */
static bool is_window_news(const struct iov_host_server_task *task)
{
    uint32_t half = iov_tcp_window_room(&task->window, 0) / 2;

    return task->tcp.receive_window < half &&
           iov_tcp_window_room(&task->window, task->held) >= half;
}

static void read_segment(struct iov_host_server_task *task)
{
    struct iov_packet *packet = iov_packet_queue_pop(&task->received);

    if (packet->span != NULL) {
        iov_host_server_take_up(task, packet->span);
        task->given = packet->span;
        packet->span = NULL;
    }
    iov_host_server_copy(task, packet->payload);
    task->held -= packet->payload;
    iov_tcp_window_read(&task->window, packet->payload, now(task));
    iov_packet_free(packet);
}

uint32_t iov_host_server_tcp_read(struct iov_host_server_task *task)
{
    const IovHostServer *self = task->server;
    uint32_t size = 0, next;

    iov_host_server_work(task, self->costs.syscall_entry);
    iov_host_server_wait(task, has_data, IOV_TIME_MAX);
    iov_host_server_work(task, self->costs.socket_receive);
    while (task->received.first != NULL) {
        next = task->received.first->payload;
        if (size > 0 && size + next > self->message)
            break;
        read_segment(task);
        size += next;
    }
    if (is_window_news(task))
        task->answers = MAX(task->answers, 1);
    transmit(task, &task->thread->exec);
    iov_host_server_work(task, self->costs.syscall_exit);
    return size;
}

/* Nothing was acknowledged for too long: from there again. */
static void wait_for_room(struct iov_host_server_task *task)
{
    uint32_t before = task->tcp.unacknowledged;

    if (iov_host_server_wait(task, has_room, now(task) + IOV_TCP_RETRANSMIT) ||
        task->tcp.unacknowledged != before || on_its_way(task) == 0)
        return;
    iov_tcp_go_back(&task->tcp);
    transmit(task, &task->thread->exec);
}

void iov_host_server_tcp_write(struct iov_host_server_task *task, uint32_t size)
{
    const IovHostServer *self = task->server;

    iov_host_server_work(task, self->costs.syscall_entry);
    while (size > 0) {
        uint32_t piece;

        if (!has_room(task)) {
            wait_for_room(task);
            continue;
        }
        piece = MIN(MIN(size, IOV_TCP_LARGE), send_buffer(task) - buffered(task));
        iov_host_server_copy(task, piece);
        task->written += piece;
        size -= piece;
        transmit(task, &task->thread->exec);
    }
    task->thread->exec.span = NULL;
    iov_host_server_work(task, self->costs.tx_return + self->costs.syscall_exit);
}
