/* SPDX-License-Identifier: Apache-2.0 */
/* workload - what all workloads share: how long they run, when the measurement opens, what a
 * request is. */
#include "models/guest/workload.h"

#include <glib.h>
#include <string.h>

#include "core/trace/measure.h"
#include "models/guest/guest-private.h"

G_DEFINE_ABSTRACT_TYPE(IovWorkload, iov_workload, IOV_TYPE_MODEL)

static const char *const distribution_names[] = { "constant", "uniform", "exponential", "pareto",
                                                  NULL };

struct iov_span *iov_workload_begin(IovWorkload *self, struct iov_guest_cpu *cpu)
{
    unsigned share = self->span_count / iov_guest_tasks(cpu->guest);

    return iov_workload_begin_at(self, cpu,
                                 cpu->task * share + self->begun_by_task[cpu->task]++ % share);
}

struct iov_span *iov_workload_begin_at(IovWorkload *self, struct iov_guest_cpu *cpu, unsigned place)
{
    struct iov_span *span = &self->spans[place];

    iov_span_begin(span, self->begun++, cpu->exec->holder, iov_guest_now(cpu));
    iov_measure_request_begun(self->measure, span);
    return span;
}

unsigned iov_workload_flows(const IovWorkload *self, const struct iov_guest_cpu *cpu)
{
    unsigned tasks = iov_guest_tasks(cpu->guest);

    return ((unsigned)self->flows - cpu->task + tasks - 1) / tasks;
}

unsigned iov_workload_flow(const struct iov_guest_cpu *cpu, unsigned i)
{
    return cpu->task + i * iov_guest_tasks(cpu->guest);
}

static void warmed_up(IovWorkload *self)
{
    self->ready = true;
    iov_measure_guest_ready(self->measure, self->guest);
}

void iov_workload_start(IovWorkload *self)
{
    if (self->started)
        return;
    self->started = true;
    if (self->warmup == 0)
        warmed_up(self);
}

void iov_workload_finish(IovWorkload *self, struct iov_span *span, uint64_t bytes)
{
    if (self->done)
        return;
    iov_span_mark(span, span->holder, IOV_PART_GUEST, iov_now(self->parent_instance.kernel));
    self->count++;
    if (self->finished < self->operations)
        self->measure->settled++;
    if (!self->measure->open) {
        if (!self->ready && self->count >= self->warmup)
            warmed_up(self);
        return;
    }
    iov_measure_guest_request(self->measure, self->guest, span, bytes);
    if (++self->finished == self->operations)
        iov_measure_guest_finished(self->measure, self->guest);
    self->done = self->measure->ended;
}

void iov_workload_think(IovWorkload *self, struct iov_guest_cpu *cpu)
{
    if (self->think_time == 0)
        return;
    iov_guest_sleep(cpu, iov_random_draw(&self->parent_instance.random,
                                         (enum iov_distribution)self->think_distribution,
                                         self->think_time));
}

/* Guests are called by their VM: "vm0" of "vm0/workload". */
static void join(IovWorkload *self)
{
    const char *path = self->parent_instance.path, *slash = strrchr(path, '/');
    g_autofree char *name = slash != NULL ? g_strndup(path, (gsize)(slash - path)) : g_strdup(path);

    self->guest = iov_measure_join(self->measure, name);
}

static uint64_t workload_connections(const IovModel *model)
{
    return ((const IovWorkload *)(const void *)model)->flows;
}

static bool workload_realize(IovModel *model, GError **error)
{
    IovWorkload *self = IOV_WORKLOAD(model);

    if (self->flows > 1 && IOV_WORKLOAD_GET_CLASS(self)->flows == IOV_WORKLOAD_ONE_FLOW)
        return iov_model_fail(model, error, "flows: this workload has one");
    self->measure = model->run->measure;
    if (self->measure != NULL)
        join(self);
    self->started = false;
    self->span_count = MAX(IOV_WORKLOAD_SPANS,
                           IOV_WORKLOAD_FLOW_SPANS * MIN((unsigned)self->flows, IOV_GUEST_CPUS));
    if (IOV_WORKLOAD_GET_CLASS(self)->one_at_a_time)
        self->span_count = MIN(self->span_count, IOV_WORKLOAD_LATE_SPANS * (unsigned)self->flows);
    self->spans = g_new0(struct iov_span, self->span_count);
    self->begun_by_task = g_new0(uint32_t, IOV_GUEST_CPUS);
    if (self->measure != NULL) { /* pauses vary around their mean */
        iov_measure_expect_silence(self->measure, self->timeout + 100 * self->think_time);
        self->measure->has_operations = true;
    }
    return true;
}

static void workload_unrealize(IovModel *model)
{
    g_clear_pointer(&IOV_WORKLOAD(model)->spans, g_free);
    g_clear_pointer(&IOV_WORKLOAD(model)->begun_by_task, g_free);
}

static void iov_workload_class_init(IovWorkloadClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = workload_realize;
    mc->unrealize = workload_unrealize;
    mc->connections = workload_connections;
    iov_model_class_describe(mc, "workload", "Parent of all workloads: it cannot be made itself");
    IOV_PROP_COUNT(mc, IovWorkload, operations, 1, UINT32_MAX, 10000,
                   "Operations that are measured");
    IOV_PROP_COUNT(mc, IovWorkload, warmup, 0, UINT32_MAX, 500,
                   "Operations before the measurement opens");
    IOV_PROP_SIZE(mc, IovWorkload, size, 1, IOV_GUEST_PAYLOAD_MAX, 64, "Payload of one message");
    IOV_PROP_COUNT(mc, IovWorkload, flows, 1, IOV_WORKLOAD_FLOWS, 1,
                   "Flows, dealt out to tasks on as many processors as there are");
    IOV_PROP_COUNT(mc, IovWorkload, cpu, 0, 63, 0, "Processor of the first task");
    IOV_PROP_TIME(mc, IovWorkload, think_time, 0, IOV_SEC, 0, "Mean pause between two operations");
    IOV_PROP_ENUM(mc, IovWorkload, think_distribution, distribution_names, IOV_CONSTANT,
                  "How the pause varies");
    IOV_PROP_TIME(mc, IovWorkload, timeout, IOV_MS, 100 * IOV_SEC, IOV_SEC,
                  "When an answer counts as lost");
    IOV_STAT(mc, IovWorkload, finished, "Operations finished since the measurement opened");
    IOV_STAT(mc, IovWorkload, lost, "Operations given up");
}

static void iov_workload_init(IovWorkload *self)
{
    (void)self;
}
