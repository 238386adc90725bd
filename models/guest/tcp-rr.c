/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp-rr - one request at a time over a TCP connection (each flow has its own), answered by the
 * peer. An operation is from the program's call that sends the request to the return of the one
 * that has received all of the answer. What still comes of one that was given up is read and thrown
 * away.
 */
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovTcpRr, iov_tcp_rr, IOV, TCP_RR, IovWorkload)

struct _IovTcpRr {
    IovWorkload parent_instance;
};

G_DEFINE_FINAL_TYPE(IovTcpRr, iov_tcp_rr, IOV_TYPE_WORKLOAD)

/* `*due`: bytes that the peer still has to send, those of requests given up before included. */
static bool await_answer(const IovWorkload *workload, struct iov_guest_cpu *cpu,
                         struct iov_span *span, uint64_t *due)
{
    iov_time deadline = iov_guest_now(cpu) + workload->timeout;

    while (*due > 0) {
        struct iov_span *carried;
        uint32_t size;

        if (!iov_guest_tcp_receive(cpu, deadline, &size, &carried))
            return false;
        *due -= MIN(size, *due);
    }
    iov_guest_work_for(cpu, span);
    return true;
}

static void tcp_rr_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint64_t due = 0;

    iov_workload_start(workload);
    if (!iov_guest_tcp_connect(cpu)) {
        iov_guest_fail(cpu, "no TCP connection came about");
        return;
    }
    while (!workload->done) {
        struct iov_span *span = iov_workload_begin(workload, cpu);

        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        if (!iov_guest_tcp_send(cpu, (uint32_t)workload->size, span)) {
            iov_guest_fail(cpu, "nobody answers over TCP any more");
            return;
        }
        due += workload->size;
        if (await_answer(workload, cpu, span, &due))
            iov_workload_finish(workload, span, workload->size);
        else
            workload->lost++;
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
    }
}

static enum iov_service iov_tcp_rr_needs(const IovModel *model)
{
    (void)model;
    return IOV_SERVICE_TCP_ECHO;
}

static void iov_tcp_rr_class_init(IovTcpRrClass *klass)
{
    IOV_MODEL_CLASS(klass)->needs = iov_tcp_rr_needs;
    IOV_WORKLOAD_CLASS(klass)->run = tcp_rr_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    IOV_WORKLOAD_CLASS(klass)->one_at_a_time = true;
    IOV_WORKLOAD_CLASS(klass)->flows = IOV_WORKLOAD_FLOW_A_TASK;
    iov_model_class_describe(IOV_MODEL_CLASS(klass), "tcp-rr",
                             "One request and answer at a time over TCP");
}

static void iov_tcp_rr_init(IovTcpRr *self)
{
    (void)self;
}
