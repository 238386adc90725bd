/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp-stream - datagrams as fast as they go, in one direction.
 *
 *   tx: an operation is from the call that sends a datagram to the driver's taking back its buffers (the device has sent it). The
 *       program runs ahead until the socket's send buffer is full: then it blocks, as under Linux.
 *   rx: an operation is a datagram received; its latency counts from the peer, if the peer gave it a span, else from the
 *       call that waits for it.
 */
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovUdpStream, iov_udp_stream, IOV, UDP_STREAM, IovWorkload)

enum direction { TX, RX };
static const char *const direction_names[] = { "tx", "rx", NULL };

struct _IovUdpStream {
    IovWorkload parent_instance;
    int direction; /* property */
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
    sent->span->holder = NULL; /* nobody's: late marks of the host's path do not count */
}

static void transmit(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint8_t payload[IOV_GUEST_PAYLOAD_MAX] = { 0 };

    cpu->guest->net.on_sent = on_sent;
    cpu->guest->net.sent_context = workload;
    while (!workload->done) {
        struct iov_span *span = iov_workload_begin(workload, cpu);

        span->ends_at_device = true;
        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        iov_guest_send_udp(cpu, payload, (uint32_t)workload->size, span);
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
    }
}

static void receive(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint8_t payload[IOV_GUEST_PAYLOAD_MAX] = { 0 };

    iov_guest_send_udp(cpu, payload, 1, NULL); /* so that the peer knows where to send */
    while (!workload->done) {
        struct iov_span *own = iov_workload_begin(workload, cpu);
        struct iov_span *carried;
        uint32_t size;

        iov_guest_work_for(cpu, NULL);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (!iov_guest_receive(cpu, iov_guest_now(cpu) + workload->timeout, payload, sizeof payload,
                               &size, &carried))
            workload->lost++;
        else
            iov_workload_finish(workload, carried != NULL ? carried : own, size);
    }
}

static void udp_stream_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    const IovUdpStream *self = (const IovUdpStream *)(const void *)workload;

    iov_workload_start(workload);
    if (self->direction == TX)
        transmit(workload, cpu);
    else
        receive(workload, cpu);
}

static void iov_udp_stream_class_init(IovUdpStreamClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    IOV_WORKLOAD_CLASS(klass)->run = udp_stream_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    iov_model_class_describe(mc, "udp-stream",
                             "UDP datagrams in one direction, as fast as they go");
    IOV_PROP_ENUM(mc, IovUdpStream, direction, direction_names, TX, "As the guest sees it");
}

static void iov_udp_stream_init(IovUdpStream *self)
{
    (void)self;
}
