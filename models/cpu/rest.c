/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A processor whose stream has nothing to do: the stream's last steps up to HLT, the halt, and the interrupt that ends it, as times to be reckoned with
 * instead of a fiber that lives through them (struct iov_rest in core/port/exec.h). Most wake-ups of a host's idle processors are like that.
 *
 * Nothing of it can be seen from outside while it goes on: interrupts are off until the halt, and from the wake-up until the handler is over. What is counted on the
 * way is settled when somebody reads it. LIMIT: an interrupt of a higher vector that comes while the processor leaves the halt waits for the handler's end, too.
 */
#include "models/cpu/cpu-private.h"

/* What the processor is used for, one after the other; those after the halt are known when the interrupt comes. */
enum { STEP_BEFORE, STEP_WAKE, STEP_DELIVERY, STEP_HANDLER };

static void step_set(IovCpu *self, unsigned step, iov_time end, iov_time cost)
{
    self->rest.step[step].end = end;
    self->rest.step[step].cost = cost;
}

static void step_end(IovCpu *self, unsigned step, enum iov_part part)
{
    struct iov_exec *exec = self->rest.now->exec;
    iov_time cost = self->rest.step[step].cost;

    self->rest.done = step + 1;
    exec->used[part] += cost;
    self->processor.busy += cost;
    self->processor.used[part] += cost;
}

static bool step_is_over(const IovCpu *self, unsigned step)
{
    return self->rest.done == step && self->rest.step[step].end <= iov_cpu_now(self);
}

void iov_cpu_rest_settle(IovCpu *self)
{
    const struct iov_rest *rest = self->rest.now;

    if (rest == NULL)
        return;
    if (step_is_over(self, STEP_BEFORE)) {
        step_end(self, STEP_BEFORE, rest->part);
        rest->exec->operations++; /* HLT */
        self->operations++;
        self->idling = true;
        self->idle_since = self->rest.step[STEP_BEFORE].end;
    }
    if (rest->handled == IOV_TIME_MAX)
        return;
    if (step_is_over(self, STEP_WAKE)) {
        step_end(self, STEP_WAKE, IOV_PART_WAKEUP);
        self->interrupts_taken++;
    }
    if (step_is_over(self, STEP_DELIVERY))
        step_end(self, STEP_DELIVERY, IOV_PART_INTERRUPT);
    if (step_is_over(self, STEP_HANDLER))
        step_end(self, STEP_HANDLER, rest->handler_part);
}

static void idle_end(IovCpu *self)
{
    self->idling = false;
    self->processor.idle += iov_cpu_now(self) - self->idle_since;
}

static bool rest(struct iov_rest *rest)
{
    IovCpu *self = iov_cpu_of(rest->exec);

    if (self->physical || rest->exec->span != NULL)
        return false;
    IOV_REQUIRE(self->waiter == NULL && self->rest.now == NULL);
    self->processor.running = rest->exec;
    self->rest.now = rest;
    self->rest.done = 0;
    rest->handled = IOV_TIME_MAX;
    step_set(self, STEP_BEFORE, iov_cpu_now(self) + rest->duration, rest->duration);
    return true;
}

/*
 * The handler takes time and does nothing that anybody could see before its end, so the interrupt does not go through the local APIC's registers either; whatever comes
 * meanwhile waits there.
 */
bool iov_cpu_rest_pass(IovCpu *self, uint8_t vector)
{
    struct iov_rest *rest = self->rest.now;
    iov_time latency = rest->exec->halt_latency;
    iov_time now = iov_cpu_now(self);

    if (vector != rest->vector || self->physical || iov_event_armed(&self->rest.over))
        return false;
    iov_cpu_rest_settle(self);
    if (!self->idling || self->apic->ops->pass == NULL || !self->apic->ops->pass(self->apic, false))
        return false;
    idle_end(self);
    if (latency == 0)
        latency = self->cost_hlt_wake;
    step_set(self, STEP_WAKE, now + latency, latency);
    rest->handled = now + latency + self->cost_interrupt;
    step_set(self, STEP_DELIVERY, rest->handled, self->cost_interrupt);
    step_set(self, STEP_HANDLER, rest->handled + rest->handler, rest->handler);
    iov_event_at(&self->rest.over, rest->handled);
    return true;
}

void iov_cpu_rest_interrupted(IovCpu *self)
{
    if (!iov_event_armed(&self->rest.over)) /* else its turn comes afterwards */
        iov_fiber_unpark(self->rest.now->fiber);
}

/* The handler begins, and ends: among equals in time its end comes as if it had been waited for from the beginning. */
static void on_rest_over(struct iov_event *event)
{
    IovCpu *self = iov_container_of(event, IovCpu, rest.over);
    struct iov_rest *rest = self->rest.now;
    iov_time left = self->rest.step[STEP_HANDLER].end - iov_cpu_now(self);

    if (left > 0 && !iov_kernel_advance(self->parent_instance.kernel, left)) {
        iov_event_in(event, left);
        return;
    }
    iov_cpu_rest_settle(self);
    self->apic->ops->pass(self->apic, true);
    self->attention = self->physical;
    self->rest.now = NULL;
    if (!self->physical && rest->over(rest))
        return;
    self->rest.now = rest;
    iov_fiber_unpark(rest->fiber);
}

/* The fiber is there again. */
static bool rested(struct iov_rest *rest)
{
    struct iov_exec *exec = rest->exec;
    IovCpu *self = iov_cpu_of(exec);
    iov_time now = iov_cpu_now(self);

    IOV_REQUIRE(self->rest.now == rest);
    iov_cpu_rest_settle(self);
    self->rest.now = NULL;
    self->attention = true;
    if (self->rest.done == 0) {
        iov_time end = self->rest.step[STEP_BEFORE].end;

        iov_cpu_book(exec, end - rest->duration, rest->part);
        iov_exec_compute(exec, end - now, rest->part);
        return false;
    }
    exec->interrupts = true;
    if (self->idling) {
        idle_end(self);
        iov_cpu_halt(exec, true);
    } else {
        iov_cpu_service(exec);
    }
    return true;
}

static void settle(struct iov_processor *processor)
{
    iov_cpu_rest_settle(iov_container_of(processor, IovCpu, processor));
}

void iov_cpu_rest_init(IovCpu *self)
{
    self->ops.rest = rest;
    self->ops.rested = rested;
    self->ops.settle = settle;
    iov_event_init(&self->rest.over, self->parent_instance.kernel, on_rest_over,
                   IOV_PRIORITY_DEFAULT);
}
