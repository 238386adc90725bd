/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp-rr - one UDP request at a time and flow, answered by the peer. An operation is from the
 * program's call that sends the request to the return of the one that receives the answer. A late
 * answer of a request that was given up is dropped. With several flows each has a request under
 * way; a task sends for all of its flows through one socket, to a port of the peer for each, and
 * serves answers as they come.
 */
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovUdpRr, iov_udp_rr, IOV, UDP_RR, IovWorkload)

/* A request under way. */
struct asked {
    struct iov_span *span;
    iov_time deadline; /* of the answer */
    unsigned begun;
};

struct _IovUdpRr {
    IovWorkload parent_instance;
    struct asked *asked; /* by flow */
    unsigned share; /* of the workload's spans, a flow: a late answer's is not used again soon */
};

G_DEFINE_FINAL_TYPE(IovUdpRr, iov_udp_rr, IOV_TYPE_WORKLOAD)

static void ask(IovUdpRr *self, struct iov_guest_cpu *cpu, unsigned flow)
{
    IovWorkload *workload = &self->parent_instance;
    struct iov_span *span = iov_workload_begin_at(
        workload, cpu, flow * self->share + self->asked[flow].begun++ % self->share);
    uint8_t request[IOV_GUEST_PAYLOAD_MAX];

    memset(request, 0, workload->size);
    memcpy(request, &span->id, workload->size < sizeof span->id ? workload->size : sizeof span->id);
    iov_guest_work_for(cpu, span);
    iov_guest_charge(cpu, cpu->guest->costs.application);
    self->asked[flow].span = span;
    iov_guest_socket(cpu)->flow = (uint16_t)flow;
    iov_guest_send_udp(cpu, request, (uint32_t)workload->size, span);
    self->asked[flow].deadline = iov_guest_now(cpu) + workload->timeout;
}

/* The flow of this task whose request is the oldest. */
static unsigned oldest(const IovUdpRr *self, const struct iov_guest_cpu *cpu)
{
    unsigned flow = iov_workload_flow(cpu, 0);

    for (unsigned i = iov_workload_flows(&self->parent_instance, cpu); i-- > 1;) {
        unsigned other = iov_workload_flow(cpu, i);

        if (self->asked[other].deadline < self->asked[flow].deadline)
            flow = other;
    }
    return flow;
}

/* Waits for an answer to what was asked. False: the flow in *ret_flow had none in time. */
static bool await_answer(IovUdpRr *self, struct iov_guest_cpu *cpu, unsigned *ret_flow,
                         uint32_t *ret_size)
{
    const IovWorkload *workload = &self->parent_instance;
    uint8_t answer[IOV_GUEST_PAYLOAD_MAX];
    struct iov_span *carried;

    *ret_flow = oldest(self, cpu);
    iov_time deadline = self->asked[*ret_flow].deadline;

    while (iov_guest_receive(cpu, deadline, answer, sizeof answer, ret_size, &carried)) {
        if (carried < workload->spans || carried >= workload->spans + workload->span_count)
            continue;
        *ret_flow = (unsigned)(carried - workload->spans) / self->share;
        if (*ret_flow < workload->flows && self->asked[*ret_flow].span == carried)
            return true;
    }
    *ret_flow = oldest(self, cpu);
    return false;
}

static void udp_rr_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovUdpRr *self = (IovUdpRr *)(void *)workload;
    unsigned flow;
    uint32_t size;

    iov_workload_start(workload);
    for (unsigned i = 0; i < iov_workload_flows(workload, cpu) && !workload->done; i++)
        ask(self, cpu, iov_workload_flow(cpu, i));
    while (!workload->done) {
        bool answered = await_answer(self, cpu, &flow, &size);

        if (answered)
            iov_workload_finish(workload, self->asked[flow].span, size);
        else
            workload->lost++;
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
        if (!workload->done)
            ask(self, cpu, flow);
    }
}

static bool iov_udp_rr_realize(IovModel *model, GError **error)
{
    IovUdpRr *self = (IovUdpRr *)(void *)model;

    if (!IOV_MODEL_CLASS(iov_udp_rr_parent_class)->realize(model, error))
        return false;
    self->asked = g_new0(struct asked, self->parent_instance.flows);
    self->share = self->parent_instance.span_count / (unsigned)self->parent_instance.flows;
    return true;
}

static void iov_udp_rr_unrealize(IovModel *model)
{
    IovUdpRr *self = (IovUdpRr *)(void *)model;

    g_clear_pointer(&self->asked, g_free);
    IOV_MODEL_CLASS(iov_udp_rr_parent_class)->unrealize(model);
}

static enum iov_service iov_udp_rr_needs(const IovModel *model)
{
    (void)model;
    return IOV_SERVICE_ECHO;
}

static void iov_udp_rr_class_init(IovUdpRrClass *klass)
{
    IOV_MODEL_CLASS(klass)->realize = iov_udp_rr_realize;
    IOV_MODEL_CLASS(klass)->unrealize = iov_udp_rr_unrealize;
    IOV_MODEL_CLASS(klass)->needs = iov_udp_rr_needs;
    IOV_WORKLOAD_CLASS(klass)->run = udp_rr_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    IOV_WORKLOAD_CLASS(klass)->one_at_a_time = true;
    IOV_WORKLOAD_CLASS(klass)->flows = IOV_WORKLOAD_MANY_FLOWS;
    iov_model_class_describe(IOV_MODEL_CLASS(klass), "udp-rr",
                             "One UDP request and answer at a time");
}

static void iov_udp_rr_init(IovUdpRr *self)
{
    (void)self;
}
