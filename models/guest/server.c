/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - what another guest on the same network talks to: it sends back what it receives, or only
 * counts it, as netserver does. The other guest's `peer-address` is this one's `address`. With
 * `protocol: udp` each of `flows` tasks serves whoever sends to its ports, one datagram after the
 * other (what comes to the discard service is not answered); with `protocol: tcp` each accepts one
 * connection.
 *
 * It has no operations: a run ends when the others have done theirs. A request's time here is part
 * of the time of who asked.
 *
 * LIMIT: a connection lasts to the end of the run.
 */
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovServer, iov_server, IOV, SERVER, IovWorkload)

struct _IovServer {
    IovWorkload parent_instance;
    int role, protocol;       /* properties */
    uint64_t messages, bytes; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovServer, iov_server, IOV_TYPE_WORKLOAD)

enum { ECHO, SINK };
enum { UDP, TCP };
static const char *const roles[] = { "echo", "sink", NULL };
static const char *const protocols[] = { "udp", "tcp", NULL };

/* What a sender's operation does not wait for is counted where it arrives. */
static void note_arrival(IovServer *self, struct iov_span *span, uint32_t size)
{
    self->messages++;
    self->bytes += size;
    if (iov_span_ends_when_sent(span))
        iov_measure_arrived(self->parent_instance.measure, span->sequel->guest, size);
}

static void serve_udp(IovServer *self, struct iov_guest_cpu *cpu)
{
    uint8_t data[IOV_GUEST_PAYLOAD_MAX];
    struct iov_span *span;
    uint32_t size;

    for (;;) {
        if (!iov_guest_receive(cpu, IOV_TIME_MAX, data, sizeof data, &size, &span))
            continue;
        note_arrival(self, span, size);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (self->role == ECHO && iov_guest_socket(cpu)->port < IOV_NET_PORT_DISCARD)
            iov_guest_send_udp(cpu, data, size, span);
        iov_guest_work_for(cpu, NULL);
    }
}

static void serve_tcp(IovServer *self, struct iov_guest_cpu *cpu)
{
    struct iov_span *span;
    uint32_t size;

    iov_guest_tcp_accept(cpu);
    for (;;) {
        if (!iov_guest_tcp_receive(cpu, IOV_TIME_MAX, &size, &span))
            continue;
        note_arrival(self, span, size);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (self->role == ECHO && !iov_guest_tcp_send(cpu, size, span))
            return; /* who asked has gone */
        iov_guest_work_for(cpu, NULL);
    }
}

static void server_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovServer *self = (IovServer *)(void *)workload;

    if (cpu->task == 0)
        iov_measure_guest_stands_by(workload->measure, workload->guest);
    if (self->protocol == UDP)
        serve_udp(self, cpu);
    else
        serve_tcp(self, cpu);
}

static bool iov_server_serves(const IovModel *model, enum iov_service wanted,
                              const char **ret_property, const char **ret_remedy)
{
    const IovServer *self = (const IovServer *)(const void *)model;
    bool tcp = wanted == IOV_SERVICE_TCP || wanted == IOV_SERVICE_TCP_ECHO;
    bool echo = wanted == IOV_SERVICE_ECHO || wanted == IOV_SERVICE_TCP_ECHO;

    *ret_property = "role";
    *ret_remedy = "role: echo";
    if (wanted == IOV_SERVICE_PING)
        return true;
    if (!tcp && !echo)
        return false;
    if ((self->protocol == TCP) != tcp) {
        *ret_property = "protocol";
        *ret_remedy = tcp ? "protocol: tcp" : "protocol: udp";
        return false;
    }
    return !echo || self->role == ECHO;
}

static void iov_server_class_init(IovServerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->serves = iov_server_serves;
    IOV_WORKLOAD_CLASS(klass)->run = server_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    IOV_WORKLOAD_CLASS(klass)->flows = IOV_WORKLOAD_FLOW_A_TASK;
    iov_model_class_describe(mc, "server", "What another guest talks to");
    IOV_PROP_ENUM(mc, IovServer, role, roles, ECHO,
                  "echo: sends back what it receives; sink: counts it");
    IOV_PROP_ENUM(mc, IovServer, protocol, protocols, UDP, "tcp: a connection for each of `flows`");
    IOV_STAT(mc, IovServer, messages, "Datagrams, or pieces of a stream, received");
    IOV_STAT_BYTES(mc, IovServer, bytes, "Of payload received");
}

static void iov_server_init(IovServer *self)
{
    (void)self;
}
