/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare-machine - no hypervisor: a kernel that has the processors to itself. The lower bound that
 * every strategy is compared with.
 *
 * Memory, I/O APIC and devices are reached over the processors' own bus; physical addresses are
 * what the program uses. Program `program` is started on each of `cpus`, each on a fiber of its
 * own.
 */
#include "core/object/model.h"
#include "core/trace/measure.h"

#define IOV_TYPE_BARE_MACHINE (iov_bare_machine_get_type())
G_DECLARE_FINAL_TYPE(IovBareMachine, iov_bare_machine, IOV, BARE_MACHINE, IovModel)

struct bare_cpu {
    struct iov_exec exec;
    IovBareMachine *machine;
    unsigned index;
};

struct _IovBareMachine {
    IovModel parent_instance;
    struct iov_model_list cpus; /* property */
    IovModel *program;          /* property */
    struct bare_cpu *streams;
    iov_time busy_time; /* statistics */
    iov_time idle_time;
    iov_time busy_base, idle_base;
};

G_DEFINE_FINAL_TYPE(IovBareMachine, iov_bare_machine, IOV_TYPE_MODEL)

static void stream_main(void *argument)
{
    struct bare_cpu *stream = argument;
    struct iov_exec *exec = &stream->exec;

    exec->program->ops->start(exec->program, exec, stream->index);
    for (;;)
        iov_exec_do(exec, IOV_OP_HLT);
}

/*
 * Where the memory that begins at address 0 ends, as firmware tells a kernel; 0: not below 4 GiB,
 * or there is none.
 * LIMIT: a hole in it is not seen.
 */
static uint64_t memory_end(const struct iov_mem_initiator *bus)
{
    uint64_t end = 0, beyond = UINT64_C(1) << 32, size;

    if (bus == NULL || bus->peer == NULL || bus->peer->ops->direct == NULL)
        return 0;
    if (bus->peer->ops->direct(bus->peer, beyond - 1, &size) != NULL)
        return 0;
    while (end < beyond) {
        uint64_t middle = end + (beyond - end) / 2;

        if (bus->peer->ops->direct(bus->peer, middle, &size) != NULL)
            end = middle + size;
        else
            beyond = middle;
    }
    return end;
}

static bool iov_bare_machine_realize(IovModel *model, GError **error)
{
    IovBareMachine *self = (IovBareMachine *)(void *)model;
    struct iov_program *program = iov_model_port(self->program, "program", 0);

    if (program == NULL)
        return iov_model_fail(model, error, "program: '%s' is not a program", self->program->path);
    if (self->cpus.count == 0)
        return iov_model_fail(model, error, "cpus: a machine has one at least");
    program->processors = self->cpus.count;
    program->memory = memory_end(iov_model_port(self->cpus.items[0], "bus", 0));
    if (program->ops->refuses != NULL && program->ops->refuses(program) != NULL)
        return iov_model_fail(model, error, "cpus: %s", program->ops->refuses(program));
    self->streams = g_new0(struct bare_cpu, self->cpus.count);
    for (unsigned i = 0; i < self->cpus.count; i++) {
        struct bare_cpu *stream = &self->streams[i];

        stream->machine = self;
        stream->index = i;
        stream->exec.program = program;
        stream->exec.holder = stream;
    }
    return true;
}

static iov_time busy_of_stream(const void *stream)
{
    return ((const struct bare_cpu *)stream)->exec.processor->busy;
}

static void iov_bare_machine_start(IovModel *model)
{
    IovBareMachine *self = (IovBareMachine *)(void *)model;

    for (unsigned i = 0; i < self->cpus.count; i++) {
        struct bare_cpu *stream = &self->streams[i];
        struct iov_processor *processor = iov_model_port(self->cpus.items[i], "processor", 0);

        stream->exec.processor = processor;
        processor->running = &stream->exec;
        if (model->run->measure != NULL) {
            g_autofree char *name = g_strdup_printf("%s/cpu%u", model->path, i);

            iov_measure_watch_thread(model->run->measure, name, busy_of_stream, stream);
        }
        iov_fiber_new(model->kernel, model->path, stream_main, stream);
    }
}

static void processors_sum(const IovBareMachine *self, iov_time *ret_busy, iov_time *ret_idle)
{
    iov_time busy = 0;
    iov_time idle = 0;

    for (unsigned i = 0; i < self->cpus.count; i++) {
        const struct iov_processor *processor = iov_model_port(self->cpus.items[i], "processor", 0);

        busy += processor->busy;
        idle += processor->idle;
    }
    *ret_busy = busy;
    *ret_idle = idle;
}

static void iov_bare_machine_reset_statistics(IovModel *model)
{
    IovBareMachine *self = (IovBareMachine *)(void *)model;

    processors_sum(self, &self->busy_base, &self->idle_base);
}

static void iov_bare_machine_update_statistics(IovModel *model)
{
    IovBareMachine *self = (IovBareMachine *)(void *)model;

    processors_sum(self, &self->busy_time, &self->idle_time);
    self->busy_time -= MIN(self->busy_time, self->busy_base);
    self->idle_time -= MIN(self->idle_time, self->idle_base);
}

static void iov_bare_machine_finalize(GObject *object)
{
    g_free(((IovBareMachine *)(void *)object)->streams);
    G_OBJECT_CLASS(iov_bare_machine_parent_class)->finalize(object);
}

static void iov_bare_machine_class_init(IovBareMachineClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "bare-machine", "A kernel on bare metal");
    IOV_PROP_REF_LIST(mc, IovBareMachine, cpus, "cpu", true, "Processors of the machine");
    IOV_PROP_REF(mc, IovBareMachine, program, NULL, true, "The kernel that runs on them");
    IOV_STAT_TIME(mc, IovBareMachine, busy_time, "Processors in use");
    IOV_STAT_TIME(mc, IovBareMachine, idle_time, "Processors idle");
    mc->realize = iov_bare_machine_realize;
    mc->start = iov_bare_machine_start;
    mc->reset_statistics = iov_bare_machine_reset_statistics;
    mc->update_statistics = iov_bare_machine_update_statistics;
    G_OBJECT_CLASS(klass)->finalize = iov_bare_machine_finalize;
}

static void iov_bare_machine_init(IovBareMachine *self)
{
    (void)self;
}
