/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp-stream - datagrams in one direction, as fast as they go or at an offered rate.
 *
 *   tx: an operation is from the call that sends a datagram to the driver's taking back its buffers
 *       (the device has sent it). The program runs ahead until the socket's send buffer is full:
 *       then it blocks, as under Linux. With a rate (open loop) an operation begins when the
 *       datagram falls due, however late the program comes to it; one that finds the send buffer
 *       full, or the program too far behind, is dropped and counted. The far end's service
 *       takes datagrams and does not answer, unless the other one is asked for.
 *   rx: an operation is a datagram received; its latency counts from the far end, if that began it
 *       there, else from the call that waits for it.
 *
 * Several flows: tasks share the offered rate by their flows, and each sends for its flows in turn.
 */
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovUdpStream, iov_udp_stream, IOV, UDP_STREAM, IovWorkload)

enum direction { TX, RX };
static const char *const direction_names[] = { "tx", "rx", NULL };
enum service { DISCARD, ECHO };
static const char *const service_names[] = { "discard", "echo", NULL };
static const char *const arrival_names[] = { "constant", "uniform", "exponential", "pareto", NULL };

struct _IovUdpStream {
    IovWorkload parent_instance;
    int direction;              /* property */
    int service;                /* property */
    uint64_t rate, packet_rate; /* properties */
    int arrivals;               /* property */
    uint64_t backlog;           /* property */
    struct iov_span sequel;     /* of all that it sends */
    uint64_t offered, dropped;  /* statistics */
};

G_DEFINE_FINAL_TYPE(IovUdpStream, iov_udp_stream, IOV_TYPE_WORKLOAD)

static void on_sent(void *context, struct iov_guest_cpu *cpu, const struct iov_guest_sent *sent)
{
    IovWorkload *workload = context;

    if (sent->span == NULL)
        return;
    iov_span_claim(sent->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    /* A back end in software may have left it with this processor: then it waited here. */
    iov_span_mark(sent->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_workload_finish(workload, sent->span, workload->size);
    iov_span_release(sent->span); /* the host's path is not part of it */
}

static struct iov_span *begin_datagram(IovUdpStream *self, struct iov_guest_cpu *cpu)
{
    struct iov_span *span = iov_workload_begin(&self->parent_instance, cpu);

    span->sequel = &self->sequel;
    return span;
}

/* A task's flows take turns. */
static void next_flow(const IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    unsigned flow = socket->flow + iov_guest_tasks(cpu->guest);

    socket->flow = (uint16_t)(flow < workload->flows ? flow : iov_workload_flow(cpu, 0));
}

static void transmit(IovUdpStream *self, struct iov_guest_cpu *cpu)
{
    IovWorkload *workload = &self->parent_instance;
    uint8_t payload[IOV_GUEST_PAYLOAD_MAX] = { 0 };

    cpu->guest->net.on_sent = on_sent;
    cpu->guest->net.sent_context = workload;
    while (!workload->done) {
        struct iov_span *span = begin_datagram(self, cpu);

        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        next_flow(workload, cpu);
        iov_guest_send_udp(cpu, payload, (uint32_t)workload->size, span);
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
    }
}

/* ---- Open loop ---- */

/* Mean time between two datagrams of a task, which offers its flows' share; 0: closed loop. */
static iov_time interval_of(const IovUdpStream *self, const struct iov_guest_cpu *cpu)
{
    const IovWorkload *workload = &self->parent_instance;
    iov_time all = self->rate != 0 ? workload->size * 8 * IOV_SEC / self->rate : 0;

    if (self->packet_rate != 0)
        all = IOV_SEC / self->packet_rate;
    return all * workload->flows / iov_workload_flows(workload, cpu);
}

static void offer(IovUdpStream *self, struct iov_guest_cpu *cpu, iov_time due, iov_time interval)
{
    IovWorkload *workload = &self->parent_instance;
    uint8_t payload[IOV_GUEST_PAYLOAD_MAX] = { 0 };
    struct iov_span *span;

    self->offered++;
    bool late = iov_guest_now(cpu) - due > self->backlog * interval;

    if (late || !iov_guest_may_send(cpu)) {
        iov_measure_drop(workload->measure, &self->dropped, NULL);
        if (!late) /* the call that says so */
            iov_guest_charge(cpu, cpu->guest->costs.syscall_entry + cpu->guest->costs.syscall_exit);
        return;
    }
    span = begin_datagram(self, cpu);
    span->begin = span->cursor = due;
    iov_span_mark(span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, span);
    iov_guest_charge(cpu, cpu->guest->costs.application);
    next_flow(workload, cpu);
    iov_guest_send_udp(cpu, payload, (uint32_t)workload->size, span);
    iov_guest_work_for(cpu, NULL);
}

static void transmit_at_rate(IovUdpStream *self, struct iov_guest_cpu *cpu, iov_time interval)
{
    IovWorkload *workload = &self->parent_instance;
    iov_time due = iov_guest_now(cpu);

    cpu->guest->net.on_sent = on_sent;
    cpu->guest->net.sent_context = workload;
    while (!workload->done) {
        due += iov_random_draw(&workload->parent_instance.random,
                               (enum iov_distribution)self->arrivals, interval);
        if (due > iov_guest_now(cpu))
            iov_guest_sleep_until(cpu, due);
        offer(self, cpu, due, interval);
    }
}

/* ---- */

static void receive(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint8_t payload[IOV_GUEST_PAYLOAD_MAX] = { 0 };
    bool spans_come = false; /* the far end begins the operations */

    for (unsigned i = 0; i < iov_workload_flows(workload, cpu); i++) {
        iov_guest_socket(cpu)->flow = (uint16_t)iov_workload_flow(cpu, i);
        iov_guest_send_udp(cpu, payload, 1, NULL); /* so that the peer knows where to send */
    }
    while (!workload->done) {
        struct iov_span *own = NULL, *carried;
        uint32_t size;

        if (!spans_come)
            own = iov_workload_begin(workload, cpu);
        iov_guest_work_for(cpu, NULL);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (!iov_guest_receive(cpu, iov_guest_now(cpu) + workload->timeout, payload, sizeof payload,
                               &size, &carried)) {
            workload->lost++;
            continue;
        }
        spans_come |= carried != NULL;
        if (carried != NULL || own != NULL)
            iov_workload_finish(workload, carried != NULL ? carried : own, size);
        iov_span_release(carried); /* the source may use it again */
        iov_workload_think(workload, cpu);
    }
}

static void udp_stream_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovUdpStream *self = (IovUdpStream *)(void *)workload;

    self->sequel = (struct iov_span){ .sequel = &self->sequel,
                                      .payload = (uint32_t)workload->size,
                                      .guest = workload->guest };
    iov_workload_start(workload);
    if (self->direction == TX && self->service == DISCARD)
        cpu->guest->net.peer.port = IOV_NET_PORT_DISCARD;
    if (self->direction == TX && interval_of(self, cpu) != 0)
        transmit_at_rate(self, cpu, interval_of(self, cpu));
    else if (self->direction == TX)
        transmit(self, cpu);
    else
        receive(workload, cpu);
}

/* Datagrams may be sent to anybody, heard or not. */
static enum iov_service iov_udp_stream_needs(const IovModel *model)
{
    const IovUdpStream *self = (const IovUdpStream *)(const void *)model;

    return self->direction == TX ? IOV_SERVICE_NONE : IOV_SERVICE_SOURCE;
}

static void iov_udp_stream_class_init(IovUdpStreamClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->needs = iov_udp_stream_needs;
    IOV_WORKLOAD_CLASS(klass)->run = udp_stream_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    IOV_WORKLOAD_CLASS(klass)->flows = IOV_WORKLOAD_MANY_FLOWS;
    iov_model_class_describe(mc, "udp-stream",
                             "UDP datagrams in one direction, as fast as they go or at a rate");
    IOV_PROP_ENUM(mc, IovUdpStream, direction, direction_names, TX, "As the guest sees it");
    IOV_PROP_ENUM(mc, IovUdpStream, service, service_names, DISCARD,
                  "tx: the far end takes them; or sends them back, if its role is to, to a guest "
                  "that does not read");
    IOV_PROP_RATE(mc, IovUdpStream, rate, 0, UINT64_C(1600000000000), 0,
                  "tx: offered bits of payload a second; 0: as fast as they go");
    IOV_PROP_COUNT(mc, IovUdpStream, packet_rate, 0, 1000000000, 0,
                   "tx: offered datagrams a second, in place of `rate`");
    IOV_PROP_ENUM(mc, IovUdpStream, arrivals, arrival_names, IOV_CONSTANT,
                  "How the time between two offered datagrams varies");
    IOV_PROP_COUNT(mc, IovUdpStream, backlog, 1, 1000000, 64,
                   "Datagrams at the rate's pace that the program may be behind before it drops");
    IOV_STAT(mc, IovUdpStream, offered, "Datagrams that fell due");
    IOV_STAT(mc, IovUdpStream, dropped, "Of them, dropped by the program");
}

static void iov_udp_stream_init(IovUdpStream *self)
{
    (void)self;
}
