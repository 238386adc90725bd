/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp-rr - one UDP request at a time, answered by the peer. An operation is from the program's call that sends the request to the
 * return of the one that receives the answer. A late answer of a request that was given up is dropped.
 */
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovUdpRr, iov_udp_rr, IOV, UDP_RR, IovWorkload)

struct _IovUdpRr {
    IovWorkload parent_instance;
};

G_DEFINE_FINAL_TYPE(IovUdpRr, iov_udp_rr, IOV_TYPE_WORKLOAD)

/* Waits for the answer that carries `span`. */
static bool await_answer(IovWorkload *workload, struct iov_guest_cpu *cpu,
                         const struct iov_span *span, uint32_t *ret_size)
{
    iov_time deadline = iov_guest_now(cpu) + workload->timeout;
    uint8_t answer[IOV_GUEST_PAYLOAD_MAX];
    struct iov_span *carried;

    while (iov_guest_receive(cpu, deadline, answer, sizeof answer, ret_size, &carried))
        if (carried == span)
            return true;
    return false;
}

static void udp_rr_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint8_t request[IOV_GUEST_PAYLOAD_MAX] = { 0 };

    iov_workload_start(workload);
    while (!workload->done) {
        struct iov_span *span = iov_workload_begin(workload, cpu);
        uint32_t size;

        memcpy(request, &span->id,
               workload->size < sizeof span->id ? workload->size : sizeof span->id);
        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        iov_guest_send_udp(cpu, request, (uint32_t)workload->size, span);
        if (await_answer(workload, cpu, span, &size))
            iov_workload_finish(workload, span, size);
        else
            workload->lost++;
        iov_guest_work_for(cpu, NULL);
        iov_workload_think(workload, cpu);
    }
}

static void iov_udp_rr_class_init(IovUdpRrClass *klass)
{
    IOV_WORKLOAD_CLASS(klass)->run = udp_rr_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    iov_model_class_describe(IOV_MODEL_CLASS(klass), "udp-rr",
                             "One UDP request and answer at a time");
}

static void iov_udp_rr_init(IovUdpRr *self)
{
    (void)self;
}
