/* SPDX-License-Identifier: Apache-2.0 */
/* Bare metal: a program on each processor, interrupts without exits. */
#include "tests/models/hypervisor/machine.h"

static struct machine machine;
static TestProgram *program;
static IovModel *bare;
static unsigned started;
static iov_time taken_at;

static void setup(void)
{
    machine_new_bare(&machine, NULL, 2);
    program = machine_program(&machine);
    bare = bench_add(machine.bench, "bare-machine", "bare");
    cr_assert(iov_model_set_refs(bare, "cpus", machine.cpus, 2, NULL));
    cr_assert(iov_model_set_ref(bare, "program", (IovModel *)program, NULL));
    started = 0;
    machine_wire(&machine);
}

static void teardown(void)
{
    bench_free(machine.bench);
}

TestSuite(bare_machine, .init = setup, .fini = teardown);

static void main_count(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    started |= 1u << index;
    iov_exec_wrmsr(exec, IOV_MSR_APIC_BASE,
                   iov_exec_rdmsr(exec, IOV_MSR_APIC_BASE) | IOV_APIC_BASE_X2APIC);
    iov_exec_wrmsr(exec, 0x80f, 0x1ff);
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, 10 * IOV_US, IOV_PART_GUEST);
}

static void take(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken_at = machine_now(&machine);
    iov_exec_wrmsr(exec, 0x80b, 0);
}

Test(bare_machine, a_program_starts_on_every_processor_and_halts_when_it_returns)
{
    program->main = main_count;
    bench_start(machine.bench);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(uint, started, 3));
    IOV_MODEL_GET_CLASS(machine.cpus[0])->update_statistics(machine.cpus[0]);
    IOV_MODEL_GET_CLASS(machine.cpus[1])->update_statistics(machine.cpus[1]);
    IOV_MODEL_GET_CLASS(bare)->update_statistics(bare);
    cr_assert(eq(u64, bench_stat(bare, "busy-time"), 20 * IOV_US));
    cr_assert(eq(u64, bench_stat(bare, "idle-time"), 2 * IOV_MS - 20 * IOV_US));
}

Test(bare_machine, an_interrupt_reaches_the_program_without_an_exit)
{
    struct iov_processor *processor = iov_model_port(machine.cpus[0], "processor", 0);

    program->main = main_count;
    program->interrupt = take;
    bench_start(machine.bench);
    machine_run(&machine, IOV_MS);
    processor->ops->interrupt(processor, 0x31, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(uint, program->by_vector[0x31], 1));
    cr_assert(eq(u64, taken_at, IOV_MS));
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        cr_assert(eq(u64, machine.bench->run.measure->counters.exits[i], 0));
}
