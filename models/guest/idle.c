/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle - a guest that does nothing for a while. An operation is `duration` of sleep, so that
 * figures per operation are what a quiet guest costs its host in that time: exits, timer
 * interrupts, processor time. The task's own wake-up is among them.
 */
#include "core/trace/measure.h"
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovIdle, iov_idle, IOV, IDLE, IovWorkload)

struct _IovIdle {
    IovWorkload parent_instance;
    iov_time duration; /* property */
};

G_DEFINE_FINAL_TYPE(IovIdle, iov_idle, IOV_TYPE_WORKLOAD)

static void idle_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    const IovIdle *self = (const IovIdle *)(const void *)workload;

    iov_workload_start(workload);
    while (!workload->done) {
        struct iov_span *span = iov_workload_begin(workload, cpu);

        iov_guest_work_for(cpu, NULL);
        iov_guest_sleep(cpu, self->duration);
        iov_span_claim(span, cpu->exec->holder, IOV_PART_IDLE, iov_guest_now(cpu));
        iov_span_mark(span, cpu->exec->holder, IOV_PART_IDLE, iov_guest_now(cpu));
        iov_workload_finish(workload, span, 0);
    }
}

static bool iov_idle_realize(IovModel *model, GError **error)
{
    const IovIdle *self = (const IovIdle *)(const void *)model;

    if (!IOV_MODEL_CLASS(iov_idle_parent_class)->realize(model, error))
        return false;
    if (model->run->measure != NULL)
        iov_measure_expect_silence(model->run->measure, 2 * self->duration);
    return true;
}

static void iov_idle_class_init(IovIdleClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = iov_idle_realize;
    IOV_WORKLOAD_CLASS(klass)->run = idle_run;
    iov_model_class_describe(mc, "idle", "Nothing, for a while");
    IOV_PROP_TIME(mc, IovIdle, duration, IOV_US, 1000 * IOV_SEC, IOV_SEC, "Of one operation");
}

static void iov_idle_init(IovIdle *self)
{
    (void)self;
}
