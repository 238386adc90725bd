/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-server: TCP of the host's kernel.
 *
 *   read:   what the softirq has queued, up to `message` bytes; the window follows what is read
 *   write:  a copy into the send buffer, and from there what the windows allow, in segments of up
 *           to IOV_TCP_LARGE; the program blocks while more than two thirds of the buffer are used
 *   arrival: acknowledgements as core/net/tcp-ack.h says; what they make room for goes out on the
 *           stream that brought them
 *   timer:  what has waited for long enough, and what is lost (core/net/tcp-timer.h), by softirq
 *
 * SPEC: Linux 6.1: tcp_sndbuf_expand(), sk_stream_write_space(), tcp_nagle_test().
 * LIMIT: what it sends is zeros; no probe for the last segments (TLP); a connection lasts to the
 * end of the run.
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
    uint32_t next;

    packet->span = take_request(task, size);
    if (exec != NULL)
        iov_span_claim(packet->span, exec->holder, IOV_PART_QUEUE, now(task));
    memset(packet->data + IOV_TCP_PAYLOAD_AT, 0, size);
    iov_tcp_offer(&task->tcp, iov_tcp_window_room(&task->window, task->held));
    task->tcp.push = task->tcp.next + size == task->written;
    task->answers = size > 0 || task->answers == 0 ? 0 : task->answers - 1;
    iov_tcp_ack_sent(&task->ack, size, now(task));
    next = task->tcp.next;
    iov_segment_next(&task->tcp, packet, size);
    if (task->tcp.next != next)
        iov_tcp_timer_sent(&task->again, &task->tcp, task->tcp.next - next, now(task));
    iov_host_server_send(self, exec, packet, cost);
}

static iov_time due(const struct iov_host_server_task *task)
{
    return MIN(task->ack.due, iov_tcp_timer_due(&task->again, &task->tcp));
}

/* On this processor. As Linux's it is not put off: it finds out that it is early. */
static void set_timer(struct iov_host_server_task *task)
{
    const struct iov_thread *current = iov_host_current(task->server->host);

    if (due(task) >= task->looks_at)
        return;
    task->looks_at = due(task);
    iov_host_timer_arm(&task->timer, iov_host_cpu_index((current ?: task->thread)->cpu),
                       task->looks_at);
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
    set_timer(task);
}

static void on_timer(struct iov_host_timer *timer, struct iov_exec *exec)
{
    iov_host_softirq_raise(exec,
                           &iov_container_of(timer, struct iov_host_server_task, timer)->by_timer);
}

static void on_softirq(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    struct iov_host_server_task *task =
        iov_container_of(softirq, struct iov_host_server_task, by_timer);

    task->looks_at = IOV_TIME_MAX;
    if (task->ack.due <= now(task)) {
        iov_tcp_ack_late(&task->ack, now(task));
        task->answers = MAX(task->answers, 1);
    }
    if (due(task) <= now(task)) {
        iov_tcp_timer_expired(&task->again, &task->tcp, now(task));
        iov_tcp_go_back(&task->tcp);
    }
    transmit(task, exec);
}

/* ---- What arrives ---- */

static struct iov_host_server_task *find_task(IovHostServer *self, const uint8_t *frame)
{
    struct iov_host_server_task *free = NULL;

    for (unsigned i = (unsigned)self->flows; i-- > 0;) {
        struct iov_host_server_task *task = &self->tasks[i];

        if (iov_tcp_is_with(&task->tcp, frame))
            return task;
        if (task->tcp.state == IOV_TCP_CLOSED)
            free = task;
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

    iov_tcp_timer_heard(&task->again, &task->tcp, now(task));
    result = iov_tcp_ack_take(&task->ack, result, segment, task->tcp.receive_window, now(task));
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
    task = find_task(self, packet->data);
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
    iov_tcp_ack_init(&task->ack);
    iov_host_timer_init(&task->timer, task->server->host, on_timer);
    task->looks_at = IOV_TIME_MAX;
    task->by_timer.run = on_softirq;
}

void iov_host_server_tcp_finish(struct iov_host_server_task *task)
{
    iov_host_timer_cancel(&task->timer);
    iov_packet_queue_clear(&task->received);
}

void iov_host_server_tcp_accept(struct iov_host_server_task *task)
{
    iov_host_server_wait(task, is_open);
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
    iov_host_server_wait(task, has_data);
    iov_host_server_work(task, self->costs.socket_receive);
    while (task->received.first != NULL) {
        next = task->received.first->payload;
        if (size > 0 && size + next > self->message)
            break;
        read_segment(task);
        size += next;
    }
    if (iov_tcp_window_is_news(&task->window, task->tcp.receive_window, task->held) ||
        iov_tcp_ack_read(&task->ack, task->held))
        task->answers = MAX(task->answers, 1);
    transmit(task, &task->thread->exec);
    iov_host_server_work(task, self->costs.syscall_exit);
    return size;
}

void iov_host_server_tcp_write(struct iov_host_server_task *task, uint32_t size)
{
    const IovHostServer *self = task->server;

    iov_host_server_work(task, self->costs.syscall_entry);
    while (size > 0) {
        uint32_t piece;

        iov_host_server_wait(task, has_room);
        piece = MIN(MIN(size, IOV_TCP_LARGE), send_buffer(task) - buffered(task));
        iov_host_server_copy(task, piece);
        task->written += piece;
        size -= piece;
        transmit(task, &task->thread->exec);
    }
    task->thread->exec.span = NULL;
    iov_host_server_work(task, self->costs.tx_return + self->costs.syscall_exit);
}
