/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp-stream - a TCP connection (each flow has its own) as fast as it goes, in one direction.
 *
 *   tx: an operation is a write of `write` bytes, from the call to the acknowledgement of its last
 *       byte. The program runs ahead until the window or the socket's buffer is full, or WRITES_MAX
 *       writes are on their way: then it blocks.
 *   rx: an operation is a segment received; its latency counts from the call that waits for it.
 */
#include "models/guest/guest-private.h"

#define WRITES_MAX 2048u /* written and not acknowledged, a flow; no more than there are spans */

G_DECLARE_FINAL_TYPE(IovTcpStream, iov_tcp_stream, IOV, TCP_STREAM, IovWorkload)

enum direction { TX, RX };
static const char *const direction_names[] = { "tx", "rx", NULL };

struct written {
    struct iov_span *span;
    uint32_t end; /* sequence number behind its last byte */
};

/* What a flow has on its way. */
struct stream {
    IovWorkload *workload;
    uint64_t size; /* of a write */
    struct written writes[WRITES_MAX];
    unsigned first, count;
};

struct _IovTcpStream {
    IovWorkload parent_instance;
    int direction;          /* property */
    uint64_t write;         /* property */
    struct stream *streams; /* one a flow */
};

G_DEFINE_FINAL_TYPE(IovTcpStream, iov_tcp_stream, IOV_TYPE_WORKLOAD)

/* Everything up to `upto` has arrived at the other end. */
static void on_acknowledged(void *context, struct iov_guest_cpu *cpu, uint32_t upto)
{
    struct stream *self = context;

    while (self->count > 0) {
        struct written *write = &self->writes[self->first % WRITES_MAX];
        iov_time now = iov_guest_now(cpu);

        if ((int32_t)(upto - write->end) < 0)
            return;
        iov_span_claim(write->span, cpu->exec->holder, IOV_PART_QUEUE, now);
        iov_span_mark(write->span, cpu->exec->holder, IOV_PART_QUEUE, now);
        iov_workload_finish(self->workload, write->span, self->size);
        iov_span_release(write->span);
        self->first++;
        self->count--;
    }
}

static bool transmit(IovTcpStream *self, struct iov_guest_cpu *cpu)
{
    IovWorkload *workload = &self->parent_instance;

    struct iov_guest_socket *socket = iov_guest_socket(cpu);
    struct stream *stream = &self->streams[cpu->task];

    unsigned most = MIN(WRITES_MAX, workload->span_count / (unsigned)workload->flows);

    stream->workload = workload;
    stream->size = self->write;
    socket->on_acknowledged = on_acknowledged;
    socket->context = stream;
    while (!workload->done) {
        struct iov_span *span;

        if (stream->count == most) { /* as many small writes as can be followed are on their way */
            if (!iov_guest_tcp_wait(cpu))
                return false;
            continue;
        }
        span = iov_workload_begin(workload, cpu);
        stream->writes[(stream->first + stream->count++) % WRITES_MAX] =
            (struct written){ span, socket->written + (uint32_t)self->write };
        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (!iov_guest_tcp_send(cpu, (uint32_t)self->write, span))
            return false;
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
    }
    return true;
}

static bool receive(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    if (!iov_guest_tcp_send(cpu, 1, NULL)) /* so that the peer begins */
        return false;
    while (!workload->done) {
        struct iov_span *own = iov_workload_begin(workload, cpu), *carried;
        uint32_t size;

        iov_guest_work_for(cpu, NULL);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (!iov_guest_tcp_receive(cpu, iov_guest_now(cpu) + workload->timeout, &size, &carried)) {
            workload->lost++;
            continue;
        }
        iov_workload_finish(workload, carried != NULL ? carried : own, size);
        iov_workload_think(workload, cpu);
    }
    return true;
}

static void tcp_stream_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovTcpStream *self = (IovTcpStream *)(void *)workload;

    iov_workload_start(workload);
    if (!iov_guest_tcp_connect(cpu))
        iov_guest_fail(cpu, "no TCP connection came about");
    else if (!(self->direction == TX ? transmit(self, cpu) : receive(workload, cpu)))
        iov_guest_fail(cpu, "nobody answers over TCP any more");
}

static bool iov_tcp_stream_realize(IovModel *model, GError **error)
{
    IovTcpStream *self = (IovTcpStream *)(void *)model;

    if (!IOV_MODEL_CLASS(iov_tcp_stream_parent_class)->realize(model, error))
        return false;
    if (self->parent_instance.flows > IOV_GUEST_CPUS)
        return iov_model_fail(model, error, "flows: a guest has at most %d processors",
                              IOV_GUEST_CPUS);
    self->streams = g_new0(struct stream, self->parent_instance.flows);
    return true;
}

static void iov_tcp_stream_unrealize(IovModel *model)
{
    g_clear_pointer(&((IovTcpStream *)(void *)model)->streams, g_free);
    IOV_MODEL_CLASS(iov_tcp_stream_parent_class)->unrealize(model);
}

static enum iov_service iov_tcp_stream_needs(const IovModel *model)
{
    const IovTcpStream *self = (const IovTcpStream *)(const void *)model;

    return self->direction == TX ? IOV_SERVICE_TCP : IOV_SERVICE_TCP_SOURCE;
}

static void iov_tcp_stream_class_init(IovTcpStreamClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = iov_tcp_stream_realize;
    mc->unrealize = iov_tcp_stream_unrealize;
    mc->needs = iov_tcp_stream_needs;
    IOV_WORKLOAD_CLASS(klass)->run = tcp_stream_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    IOV_WORKLOAD_CLASS(klass)->flows = IOV_WORKLOAD_FLOW_A_TASK;
    iov_model_class_describe(mc, "tcp-stream",
                             "One TCP connection in one direction, as fast as it goes");
    IOV_PROP_SIZE(mc, IovTcpStream, write, 1, 1 << 20, 16384, "Of one write, when it transmits");
    IOV_PROP_ENUM(mc, IovTcpStream, direction, direction_names, TX, "As the guest sees it");
}

static void iov_tcp_stream_init(IovTcpStream *self)
{
    (void)self;
}
