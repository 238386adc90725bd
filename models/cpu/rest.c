/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A processor whose stream has nothing to do: the stream's last steps up to HLT, the halt, and the
 * interrupt that ends it, as times to be reckoned with instead of a fiber that lives through them
 * (struct iov_rest in core/port/exec.h). Most wake-ups of a host's idle processors are like that.
 *
 * Nothing of it can be seen from outside while it goes on: interrupts are off until the halt, and
 * from the wake-up until the handler is over. What is counted on the way is settled when somebody
 * reads it, mostly all at once at the end. LIMIT: an interrupt of a higher vector that comes while
 * the processor leaves the halt waits for the handler's end, too.
 */
#include "models/cpu/cpu-private.h"
#include "models/cpu/local-apic-private.h"

/* What it is at, as far as that is accounted for. All that follows the halt is known when the
 * interrupt comes. */
enum { STEP_BEFORE, STEP_HALT, STEP_WAKING, STEP_DELIVERY, STEP_HANDLER, STEP_OVER };

static void use(IovCpu *self, iov_time cost, enum iov_part part)
{
    self->rest.now->exec->used[part] += cost;
    self->processor.busy += cost;
    self->processor.used[part] += cost;
}

static void idle_end(IovCpu *self, iov_time when)
{
    self->idling = false;
    self->processor.idle += when - self->idle_since;
}

static void account(IovCpu *self, iov_time now)
{
    const struct iov_rest *rest = self->rest.now;

    switch (self->rest.step) {
    case STEP_BEFORE:
        if (now < self->rest.halt)
            return;
        use(self, rest->duration, rest->part);
        rest->exec->operations++; /* HLT */
        self->operations++;
        self->idling = true;
        self->idle_since = self->rest.halt;
        self->rest.step = STEP_HALT;
        /* FALLTHROUGH */
    case STEP_HALT:
        if (now < self->rest.woken)
            return;
        idle_end(self, self->rest.woken);
        self->rest.step = STEP_WAKING;
        /* FALLTHROUGH */
    case STEP_WAKING:
        if (now < self->rest.awake)
            return;
        use(self, self->rest.awake - self->rest.woken, IOV_PART_WAKEUP);
        self->interrupts_taken++;
        self->rest.step = STEP_DELIVERY;
        /* FALLTHROUGH */
    case STEP_DELIVERY:
        if (now < rest->handled)
            return;
        use(self, rest->handled - self->rest.awake, IOV_PART_INTERRUPT);
        self->rest.step = STEP_HANDLER;
        /* FALLTHROUGH */
    case STEP_HANDLER:
        if (now < self->rest.over)
            return;
        use(self, rest->handler, rest->handler_part);
        self->rest.step = STEP_OVER;
        /* FALLTHROUGH */
    default:
        return;
    }
}

void iov_cpu_rest_settle(IovCpu *self)
{
    if (self->rest.now != NULL)
        account(self, iov_cpu_now(self));
}

static bool is_woken(const IovCpu *self)
{
    return self->rest.woken != IOV_TIME_MAX;
}

static bool rest(struct iov_rest *rest)
{
    IovCpu *self = iov_cpu_of(rest->exec);

    if (self->physical || rest->exec->span != NULL)
        return false;
    IOV_REQUIRE(self->waiter == NULL && self->rest.now == NULL);
    self->processor.running = rest->exec;
    self->rest.now = rest;
    self->rest.step = STEP_BEFORE;
    self->rest.halt = iov_cpu_now(self) + rest->duration;
    self->rest.woken = IOV_TIME_MAX;
    rest->handled = IOV_TIME_MAX;
    return true;
}

/*
 * The handler takes time and does nothing that anybody could see before its end, so the interrupt
 * does not go through the local APIC's registers either; whatever comes meanwhile waits there.
 */
bool iov_cpu_rest_pass(IovCpu *self, uint8_t vector)
{
    struct iov_rest *rest = self->rest.now;
    iov_time latency = rest->exec->halt_latency;
    iov_time now = iov_cpu_now(self);

    if (vector != rest->vector || self->physical || is_woken(self) || now < self->rest.halt ||
        !iov_local_apic_pass(iov_local_apic_of(self->apic)))
        return false;
    self->rest.woken = now;
    self->rest.awake = now + (latency != 0 ? latency : self->cost_hlt_wake);
    rest->handled = self->rest.awake + self->cost_interrupt;
    self->rest.over = rest->handled + rest->handler;
    iov_fiber_unpark_at(rest->heir != NULL ? rest->heir : rest->fiber, self->rest.over);
    return true;
}

void iov_cpu_rest_interrupted(IovCpu *self)
{
    if (!is_woken(self)) /* else its turn comes afterwards */
        iov_fiber_unpark(self->rest.now->fiber);
}

static void end(IovCpu *self, iov_time now)
{
    account(self, now);
    if (is_woken(self))
        iov_local_apic_passed(iov_local_apic_of(self->apic));
    self->rest.now = NULL;
}

/* The heir's fiber has been woken, at the handler's end if not by somebody else. */
static bool rest_over(struct iov_rest *rest)
{
    IovCpu *self = iov_cpu_of(rest->exec);
    iov_time now = iov_cpu_now(self);

    if (self->rest.now != rest || !is_woken(self) || now < self->rest.over)
        return false;
    if (self->physical) {
        iov_fiber_unpark(rest->fiber);
        return false;
    }
    self->attention = false;
    end(self, now);
    return true;
}

/* The fiber is there again. */
static bool rested(struct iov_rest *rest)
{
    struct iov_exec *exec = rest->exec;
    IovCpu *self = iov_cpu_of(exec);
    iov_time now = iov_cpu_now(self);

    IOV_REQUIRE(self->rest.now == rest);
    end(self, now);
    self->attention = true;
    if (self->rest.step == STEP_BEFORE) {
        iov_cpu_book(exec, self->rest.halt - rest->duration, rest->part);
        iov_exec_compute(exec, self->rest.halt - now, rest->part);
        return false;
    }
    exec->interrupts = true;
    if (self->idling) {
        idle_end(self, now);
        iov_cpu_halt(exec, true);
    } else {
        iov_cpu_service(exec);
    }
    return true;
}

void iov_cpu_rest_init(IovCpu *self)
{
    self->ops.rest = rest;
    self->ops.rest_over = rest_over;
    self->ops.rested = rested;
}
