/* SPDX-License-Identifier: Apache-2.0 */
/* Softirqs of the guest kernel, ksoftirqd, and how it shares the processor with the task. */
#include "tests/models/guest/task.h"

/* ---- A device that wants to be polled ---- */

static unsigned polls, polls_wanted;
static iov_time poll_time, first_poll, last_poll;
static struct iov_guest_cpu *wakes; /* by each poll, or NULL */
static const char *tick = "tickless";

/* A full budget as long as more polls are wanted. */
static unsigned poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    iov_guest_charge(cpu, poll_time);
    if (polls++ == 0)
        first_poll = iov_guest_now(cpu);
    last_poll = iov_guest_now(cpu);
    if (wakes != NULL)
        iov_guest_wake(cpu, wakes);
    if (polls < polls_wanted)
        return budget;
    napi->scheduled = false;
    return 0;
}

static struct iov_guest_napi device = { .poll = poll };

static void on_device(void *context, struct iov_guest_cpu *cpu)
{
    (void)context;
    iov_guest_napi_schedule(cpu, &device);
}

static struct machine *boot_with(void (*function)(struct iov_guest_cpu *cpu), unsigned wanted,
                                 iov_time each, iov_time latency)
{
    struct machine *machine = machine_new(100 * IOV_NS);

    polls = 0;
    polls_wanted = wanted;
    poll_time = each;
    wakes = NULL;
    machine_set_task(machine, function);
    machine_choose(machine->guest, "tick", tick);
    machine_set(machine->guest, "sched-latency", latency);
    machine_start(machine);
    return machine;
}

static struct machine *boot(void (*function)(struct iov_guest_cpu *cpu), unsigned wanted,
                            iov_time each)
{
    return boot_with(function, wanted, each, 6 * IOV_MS);
}

static const IovLinuxGuest *guest_of(const struct machine *machine)
{
    return (const IovLinuxGuest *)(const void *)machine->guest;
}

/* ---- Tasks ---- */

#define WORK (100 * IOV_MS)

static iov_time took, counted; /* of the clock; as its own */

/* Work of 100 ms of processor time, in short steps, under a device that is polled all the while. */
static void work(struct iov_guest_cpu *cpu)
{
    iov_time begin;

    iov_guest_request_irq(cpu->guest, false, on_device, NULL);
    iov_guest_charge(cpu, IOV_MS);
    begin = iov_guest_now(cpu);
    for (unsigned i = 0; i < 10000; i++)
        iov_guest_charge(cpu, WORK / 10000);
    took = iov_guest_now(cpu) - begin;
    iov_guest_sched_pick(cpu);
    counted = cpu->sched.vruntime[IOV_GUEST_TASK];
    iov_guest_charge(cpu, 10 * IOV_SEC);
}

static iov_time woken;

static void wait(struct iov_guest_cpu *cpu)
{
    iov_guest_request_irq(cpu->guest, false, on_device, NULL);
    wakes = cpu;
    iov_guest_wait_prepare(cpu);
    iov_guest_wait_block(cpu);
    woken = iov_guest_now(cpu);
    iov_guest_wait_done(cpu);
    iov_guest_charge(cpu, 10 * IOV_SEC);
}

static void interrupt_at(struct machine *machine, iov_time when)
{
    iov_kernel_run_until(machine->kernel, when);
    machine_interrupt(machine, IOV_GUEST_VECTOR_DEVICE);
}

Test(softirq, a_few_rounds_run_at_the_exit_of_the_interrupt)
{
    struct machine *machine = boot(work, 5, 10 * IOV_US);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, 3 * IOV_MS);
    cr_assert(eq(uint, polls, 5));
    cr_assert(lt(u64, last_poll, 2 * IOV_MS + 60 * IOV_US));
    cr_assert(eq(u64, guest_of(machine)->softirq_rounds, 5));
    cr_assert(eq(u64, guest_of(machine)->context_switches, 0));
    machine_free(machine);
}

Test(softirq, after_ten_rounds_ksoftirqd_goes_on_at_once_because_it_has_slept)
{
    struct machine *machine = boot(work, 15, 10 * IOV_US);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, 3 * IOV_MS);
    cr_assert(eq(uint, polls, 15));
    cr_assert(lt(u64, last_poll, 2 * IOV_MS + 200 * IOV_US));
    cr_assert(eq(u64, guest_of(machine)->context_switches, 2)); /* to it and back */
    machine_free(machine);
}

Test(softirq, two_milliseconds_are_enough_as_well)
{
    struct machine *machine = boot(work, 4, 900 * IOV_US);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, 8 * IOV_MS);
    cr_assert(eq(uint, polls, 4));
    cr_assert(eq(u64, guest_of(machine)->context_switches, 2));
    machine_free(machine);
}

Test(softirq, a_device_that_always_wants_to_be_polled_takes_half_of_the_processor)
{
    struct machine *machine = boot(work, UINT_MAX, 100 * IOV_US);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(lt(u64, 17 * WORK / 10, took), "%" PRIu64, took);
    cr_assert(lt(u64, took, 23 * WORK / 10), "%" PRIu64, took);
    /* Turns end at ticks, of which a second has 250. */
    cr_assert(le(u64, guest_of(machine)->context_switches, 250 + 2));
    machine_free(machine);
}

Test(softirq, with_a_longer_period_turns_are_longer)
{
    struct machine *machine = boot_with(work, UINT_MAX, 100 * IOV_US, 60 * IOV_MS);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(lt(u64, WORK, took));
    cr_assert(le(u64, guest_of(machine)->context_switches, 1000 / 30 + 2));
    machine_free(machine);
}

Test(softirq, turns_end_without_a_tick_too)
{
    tick = "none";
    struct machine *machine = boot(work, UINT_MAX, 100 * IOV_US);

    interrupt_at(machine, 2 * IOV_MS);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(lt(u64, WORK, took));
    machine_free(machine);
}

Test(softirq, ksoftirqd_does_not_make_up_for_a_long_sleep)
{
    struct machine *machine = boot(work, UINT_MAX, 100 * IOV_US);

    interrupt_at(machine, 61 * IOV_MS);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(lt(u64, 60 * IOV_MS + 17 * (40 * IOV_MS) / 10, took), "%" PRIu64, took);
    cr_assert(lt(u64, took, 60 * IOV_MS + 25 * (40 * IOV_MS) / 10), "%" PRIu64, took);
    machine_free(machine);
}

Test(softirq, the_time_of_interrupts_is_nobodys)
{
    struct machine *machine = boot(work, 0, 10 * IOV_US);

    for (iov_time when = 2 * IOV_MS; took == 0; when += 50 * IOV_US)
        interrupt_at(machine, when);
    cr_assert(lt(u64, 12 * WORK / 10, took), "%" PRIu64, took);
    cr_assert(lt(u64, counted, 103 * WORK / 100), "%" PRIu64, counted);
    machine_free(machine);
}

Test(softirq, a_task_that_is_woken_waits_for_ksoftirqd_which_has_run_less)
{
    struct machine *machine = boot(wait, 3, 10 * IOV_US);

    interrupt_at(machine, 20 * IOV_MS);
    iov_kernel_run_until(machine->kernel, 30 * IOV_MS);
    /* The first round ends when it wakes the task; the others are ksoftirqd's. */
    cr_assert(eq(uint, polls, 3));
    cr_assert(lt(u64, last_poll, woken));
    cr_assert(eq(u64, guest_of(machine)->context_switches, 3));
    machine_free(machine);
}

Test(softirq, ksoftirqd_that_never_ends_gives_the_processor_to_the_task_that_it_wakes)
{
    struct machine *machine = boot(wait, UINT_MAX, 10 * IOV_US);

    woken = 0;
    interrupt_at(machine, 20 * IOV_MS);
    iov_kernel_run_until(machine->kernel, 40 * IOV_MS);
    cr_assert(lt(u64, 20 * IOV_MS, woken));
    cr_assert(lt(u64, woken, 30 * IOV_MS));
    machine_free(machine);
}
