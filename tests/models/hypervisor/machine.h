/* SPDX-License-Identifier: Apache-2.0 */
/* A machine for tests of the hypervisor: processors, memory, a host kernel; a guest whose program
 * is a C function. */
#ifndef IOV_TESTS_HYPERVISOR_MACHINE_H
#define IOV_TESTS_HYPERVISOR_MACHINE_H

#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/host-private.h"
#include "models/hypervisor/kvm-regs.h"
#include "tests/models/bench.h"

#define MACHINE_CPUS 16

struct machine {
    struct bench *bench;
    IovModel *cpus[MACHINE_CPUS];
    IovModel *dram;
    IovModel *bus;
    IovLinuxHost *host;
};

/* Processors and memory, nothing that runs on them. */
static inline void machine_new_bare(struct machine *machine, const struct bench_cost *costs,
                                    unsigned cpus)
{
    *machine = (struct machine){ .bench = bench_new(costs) };
    machine->dram = bench_add(machine->bench, "dram", "dram");
    machine->bus = bench_add(machine->bench, "bus", "bus");
    for (unsigned i = 0; i < cpus; i++) {
        g_autofree char *name = g_strdup_printf("cpu%u", i);

        machine->cpus[i] = bench_add(machine->bench, "cpu", name);
        bench_number(machine->cpus[i], "apic-id", i);
    }
}

static inline void machine_new(struct machine *machine, const struct bench_cost *costs,
                               unsigned cpus)
{
    machine_new_bare(machine, costs, cpus);
    machine->host = (IovLinuxHost *)(void *)bench_add(machine->bench, "linux-host", "host");
    cr_assert(iov_model_set_refs((IovModel *)machine->host, "cpus", machine->cpus, cpus, NULL));
}

/* After all parts are made and their properties set. */
static inline void machine_wire(struct machine *machine)
{
    bench_prepare(machine->bench);
    bench_wire_at(machine->bus, "windows", machine->dram, "port", 0);
    for (unsigned i = 0; i < MACHINE_CPUS && machine->cpus[i] != NULL; i++)
        bench_wire(machine->cpus[i], "bus", machine->bus, "port");
}

static inline struct iov_kernel *machine_kernel(const struct machine *machine)
{
    return machine->bench->run.kernel;
}

static inline iov_time machine_now(const struct machine *machine)
{
    return iov_now(machine_kernel(machine));
}

static inline void machine_run(struct machine *machine, iov_time duration)
{
    iov_kernel_run_until(machine_kernel(machine), machine_now(machine) + duration);
}

/* ---- A program ---- */

#define TEST_TYPE_PROGRAM (test_program_get_type())
G_DECLARE_FINAL_TYPE(TestProgram, test_program, TEST, PROGRAM, IovModel)

struct _TestProgram {
    IovModel parent_instance;
    struct iov_program program;
    void (*main)(TestProgram *self, struct iov_exec *exec, unsigned index);
    void (*interrupt)(TestProgram *self, struct iov_exec *exec, uint8_t vector);
    unsigned interrupts;
    unsigned by_vector[256];
    unsigned exceptions;
    uint8_t last_exception;
};

G_DEFINE_FINAL_TYPE(TestProgram, test_program, IOV_TYPE_MODEL)

static void test_program_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    TestProgram *self = iov_container_of(program, TestProgram, program);

    if (self->main != NULL)
        self->main(self, exec, index);
}

static void test_program_interrupt(struct iov_program *program, struct iov_exec *exec,
                                   uint8_t vector)
{
    TestProgram *self = iov_container_of(program, TestProgram, program);

    self->interrupts++;
    self->by_vector[vector]++;
    if (self->interrupt != NULL)
        self->interrupt(self, exec, vector);
}

static void test_program_exception(struct iov_program *program, struct iov_exec *exec,
                                   uint8_t vector, uint32_t error_code)
{
    TestProgram *self = iov_container_of(program, TestProgram, program);

    (void)exec;
    (void)error_code;
    self->exceptions++;
    self->last_exception = vector;
}

static const struct iov_program_ops test_program_ops = {
    .start = test_program_start,
    .interrupt = test_program_interrupt,
    .exception = test_program_exception,
};

static void test_program_class_init(TestProgramClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "test-program", "A C function as a guest");
    IOV_PORT_CONTRACT(mc, TestProgram, program, IOV_PORT_PROGRAM, "The program");
}

static void test_program_init(TestProgram *self)
{
    self->program.ops = &test_program_ops;
}

static inline TestProgram *machine_program(struct machine *machine)
{
    TestProgram *program = g_object_new(TEST_TYPE_PROGRAM, NULL);
    IovModel *model = (IovModel *)program;

    model->run = &machine->bench->run;
    model->kernel = machine->bench->run.kernel;
    model->path = g_strdup("program");
    g_ptr_array_add(machine->bench->parts, model);
    return program;
}

#endif
