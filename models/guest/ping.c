/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping - ICMP echo requests at an interval, or the next as soon as the reply is there. An operation
 * is one echo: from the system call that sends it to the return of the one that receives the reply.
 */
#include "core/trace/measure.h"
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovPing, iov_ping, IOV, PING, IovWorkload)

struct _IovPing {
    IovWorkload parent_instance;
    iov_time interval; /* property */
};

G_DEFINE_FINAL_TYPE(IovPing, iov_ping, IOV_TYPE_WORKLOAD)

/* As ping has it, a wait for the reply ends when the next request is due: that is the timer which
 * the governor sees, unless a tick comes before. LIMIT: it then waits on, and does not send. */
static bool wait_for_reply(const IovPing *self, struct iov_guest_cpu *cpu, iov_time begin,
                           uint32_t *ret_size, struct iov_span **ret_answer)
{
    iov_time deadline = iov_guest_now(cpu) + self->parent_instance.timeout;
    iov_time due = begin + self->interval;
    uint8_t reply[IOV_GUEST_PAYLOAD_MAX];

    if (self->interval > IOV_SEC / cpu->guest->hz && due > iov_guest_now(cpu) && due < deadline &&
        iov_guest_receive(cpu, due, reply, sizeof reply, ret_size, ret_answer))
        return true;
    return iov_guest_receive(cpu, deadline, reply, sizeof reply, ret_size, ret_answer);
}

static void ping_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovPing *self = (IovPing *)(void *)workload;
    uint16_t sequence = 0;

    iov_workload_start(workload);
    while (!workload->done) {
        struct iov_span *span = iov_workload_begin(workload, cpu);
        iov_time begin = iov_guest_now(cpu);
        uint32_t size;

        iov_guest_work_for(cpu, span);
        iov_guest_charge(cpu, cpu->guest->costs.application);
        iov_guest_send_echo(cpu, sequence++, (uint32_t)workload->size, span);
        struct iov_span *answer;

        if (!wait_for_reply(self, cpu, begin, &size, &answer))
            workload->lost++;
        else if (answer == span)
            iov_workload_finish(workload, span, size);
        iov_guest_work_for(cpu, NULL);
        if (begin + self->interval > iov_guest_now(cpu))
            iov_guest_sleep_until(cpu, begin + self->interval);
        iov_workload_think(workload, cpu);
    }
}

static bool iov_ping_realize(IovModel *model, GError **error)
{
    IovPing *self = (IovPing *)(void *)model;

    if (!IOV_MODEL_CLASS(iov_ping_parent_class)->realize(model, error))
        return false;
    if (model->run->measure != NULL)
        iov_measure_expect_silence(model->run->measure,
                                   self->interval + self->parent_instance.timeout);
    return true;
}

static enum iov_service iov_ping_needs(const IovModel *model)
{
    (void)model;
    return IOV_SERVICE_PING;
}

static void iov_ping_class_init(IovPingClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = iov_ping_realize;
    mc->needs = iov_ping_needs;
    IOV_WORKLOAD_CLASS(klass)->run = ping_run;
    IOV_WORKLOAD_CLASS(klass)->one_at_a_time = true;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    iov_model_class_describe(mc, "ping", "ICMP echo at an interval");
    IOV_PROP_TIME(mc, IovPing, interval, 0, 100 * IOV_SEC, IOV_MS,
                  "From one request to the next; 0: at once");
}

static void iov_ping_init(IovPing *self)
{
    (void)self;
}
