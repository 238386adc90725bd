/* SPDX-License-Identifier: Apache-2.0 */
/*
 * register-loop - a driver of any simple device, written as a file: an operation is a few register
 * writes that start the device, and its interrupt, whose handler reads the status register and
 * acknowledges.
 *
 * An operation is from the program's first instruction to its wake-up by the handler. The device
 * may have written into a buffer meanwhile: it is filled with ones before each operation, and one
 * that still holds ones afterwards is counted.
 * LIMIT: the time from the last register write to the handler is one part (device): nobody knows
 * what happens in there. A level interrupt at one pin of the I/O APIC; no messages.
 */
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovRegisterLoop, iov_register_loop, IOV, REGISTER_LOOP, IovWorkload)

struct _IovRegisterLoop {
    IovWorkload parent_instance;
    uint64_t registers, gsi, status, pending, buffer; /* properties */
    struct iov_count_list start, acknowledge;         /* properties */
    uint64_t untouched, spurious;                     /* statistics */
    struct iov_guest_cpu *waiter;                     /* the processor whose task waits */
    struct iov_span *span;                            /* that the device works for */
    bool done;
};

G_DEFINE_FINAL_TYPE(IovRegisterLoop, iov_register_loop, IOV_TYPE_WORKLOAD)

static void write_pairs(const IovRegisterLoop *self, struct iov_guest_cpu *cpu,
                        const struct iov_count_list *pairs)
{
    for (unsigned i = 0; i + 1 < pairs->count; i += 2)
        iov_guest_write(cpu, self->registers + pairs->items[i], 4, pairs->items[i + 1]);
}

/* ---- The interrupt ---- */

static void on_interrupt(void *context, struct iov_guest_cpu *cpu)
{
    IovRegisterLoop *self = context;

    if (!(iov_guest_read(cpu, self->registers + self->status, 4) & self->pending)) {
        self->spurious++;
        return;
    }
    iov_span_mark(self->span, self, IOV_PART_DEVICE, iov_guest_now(cpu));
    write_pairs(self, cpu, &self->acknowledge);
    self->done = true;
    if (self->waiter != NULL)
        iov_guest_wake(cpu, self->waiter);
}

/* Waits for the interrupt, at most `timeout`. */
static void wait_for_interrupt(IovRegisterLoop *self, struct iov_guest_cpu *cpu, iov_time timeout)
{
    iov_time deadline = iov_guest_now(cpu) + timeout;

    self->waiter = cpu;
    iov_guest_wait_prepare(cpu);
    while (!self->done && iov_guest_now(cpu) < deadline) {
        cpu->sleep = deadline; /* a far one: the tick is earlier */
        iov_guest_wait_block(cpu);
        cpu->sleep = IOV_TIME_MAX;
        if (!self->done)
            iov_guest_wait_prepare(cpu);
    }
    iov_guest_wait_done(cpu);
    self->waiter = NULL;
}

/* ---- The program ---- */

static void operate(IovRegisterLoop *self, struct iov_guest_cpu *cpu, iov_gpa buffer)
{
    IovWorkload *workload = &self->parent_instance;
    struct iov_span *span = iov_workload_begin(workload, cpu);
    uint64_t ones = UINT64_MAX, first;

    iov_guest_work_for(cpu, span);
    iov_guest_charge(cpu, cpu->guest->costs.application);
    iov_exec_put(cpu->exec, buffer, &ones, sizeof ones);
    self->done = false;
    self->span = span;
    write_pairs(self, cpu, &self->start);
    iov_span_mark(span, cpu->exec->holder, IOV_PART_GUEST, iov_guest_now(cpu));
    iov_span_pass(span, cpu->exec->holder,
                  self); /* while it waits its own time is not the request's */
    iov_guest_work_for(cpu, NULL);
    wait_for_interrupt(self, cpu, workload->timeout);
    if (!self->done) {
        workload->lost++;
        return;
    }
    iov_span_pass(span, self, cpu->exec->holder);
    iov_guest_work_for(cpu, span);
    iov_exec_get(cpu->exec, buffer, &first, sizeof first);
    if (first == ones)
        self->untouched++;
    iov_workload_finish(workload, span, workload->size);
    iov_guest_work_for(cpu, NULL);
}

static void register_loop_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovRegisterLoop *self = (IovRegisterLoop *)(void *)workload;
    iov_gpa buffer = iov_guest_allocate(cpu->guest, 4096, 4096);
    uint8_t vector = iov_guest_request_irq(cpu->guest, true, on_interrupt, self);

    if (buffer == 0 || vector == 0) {
        iov_guest_fail(cpu, "there is no memory or no interrupt for the loop");
        return;
    }
    iov_guest_route_gsi(cpu, (uint32_t)self->gsi, vector);
    iov_guest_write(cpu, self->registers + self->buffer, 4, (uint32_t)buffer);
    iov_workload_start(workload);
    while (!workload->done) {
        operate(self, cpu, buffer);
        iov_workload_think(workload, cpu);
    }
}

/* ---- Life ---- */

static bool register_loop_realize(IovModel *model, GError **error)
{
    const IovRegisterLoop *self = (IovRegisterLoop *)(void *)model;

    if (self->start.count == 0 || self->start.count % 2 != 0 || self->acknowledge.count % 2 != 0)
        return iov_model_fail(model, error,
                              "start and acknowledge are pairs of offset and value, such as "
                              "[0x08, 1000, 0x00, 1]");
    return IOV_MODEL_CLASS(iov_register_loop_parent_class)->realize(model, error);
}

static void iov_register_loop_class_init(IovRegisterLoopClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    IOV_WORKLOAD_CLASS(klass)->run = register_loop_run;
    mc->realize = register_loop_realize;
    iov_model_class_describe(mc, "register-loop",
                             "Starts a device by register writes and waits for its interrupt");
    IOV_PROP_COUNT(mc, IovRegisterLoop, registers, 0, UINT64_MAX, 0xfebc0000,
                   "Guest-physical address of the device's registers");
    IOV_PROP_COUNT(mc, IovRegisterLoop, gsi, 0, 23, 21, "I/O APIC pin of the device");
    IOV_PROP_COUNT_LIST(mc, IovRegisterLoop, start, 0, UINT32_MAX,
                        "Writes that start an operation: offset, value, offset, value ...");
    IOV_PROP_COUNT(mc, IovRegisterLoop, status, 0, UINT32_MAX, 0x04,
                   "Offset of the register that the handler reads");
    IOV_PROP_COUNT(mc, IovRegisterLoop, pending, 1, UINT32_MAX, 1,
                   "Its bits that say that the interrupt is the device's");
    IOV_PROP_COUNT_LIST(mc, IovRegisterLoop, acknowledge, 0, UINT32_MAX,
                        "Writes of the handler: offset, value ...");
    IOV_PROP_COUNT(mc, IovRegisterLoop, buffer, 0, UINT32_MAX, 0x10,
                   "Offset of the register that takes the address of a buffer of 4 KiB, once");
    IOV_STAT(mc, IovRegisterLoop, untouched, "Operations after which the buffer was as before");
    IOV_STAT(mc, IovRegisterLoop, spurious, "Interrupts that the status did not explain");
}

static void iov_register_loop_init(IovRegisterLoop *self)
{
    (void)self;
}
