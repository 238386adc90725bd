/* SPDX-License-Identifier: Apache-2.0 */
/* A guest whose workload is one function of the test. */
#ifndef IOV_TESTS_TASK_H
#define IOV_TESTS_TASK_H

#include "tests/models/guest/fake-machine.h"

/* A task made of a function. */
G_DECLARE_FINAL_TYPE(TestTask, test_task, TEST, TASK, IovWorkload)
struct _TestTask {
    IovWorkload parent_instance;
};
G_DEFINE_FINAL_TYPE(TestTask, test_task, IOV_TYPE_WORKLOAD)

static void (*task)(struct iov_guest_cpu *cpu);

static void run_task(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    (void)workload;
    task(cpu);
}

static void test_task_class_init(TestTaskClass *klass)
{
    IOV_WORKLOAD_CLASS(klass)->run = run_task;
    iov_model_class_describe(IOV_MODEL_CLASS(klass), "test-task", "A function");
}

static void test_task_init(TestTask *self)
{
    (void)self;
}

static inline void machine_set_task(struct machine *machine,
                                    void (*function)(struct iov_guest_cpu *cpu))
{
    task = function;
    g_type_ensure(test_task_get_type());
    machine_set_workload(machine, "test-task");
}

#endif
