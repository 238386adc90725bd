/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost table against the measurements that it cites: round trips of kvm-unit-tests' vmexit on
 * KVM 4.11 (calibration entries lut2017-01 to -06), executed here by a guest, in cycles.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "core/config/platform.h"
#include "tests/models/hypervisor/guest.h"

enum { CYCLES_PER_US = 2500 };

static struct bench_cost table[256];
static struct iov_config *config;
static struct iov_platform *platform;
static struct bench_recorder device;
static IovModel *emulator;
static iov_time took[6];

/* The costs of configs/costs/kvm-skylake.yaml, read as a run reads them. */
static void read_table(void)
{
    const char *const roots[] = { IOV_SOURCE_DIR "/configs", IOV_SOURCE_DIR "/platforms", NULL };
    const struct iov_config_options options = { .search_path = roots };
    const char *text = "iovsim: 1\ncosts: costs/kvm-skylake.yaml\nparts:\n  bus: { kind: bus }\n";
    g_autofree char *file = NULL;
    GError *error = NULL;
    int handle = g_file_open_tmp("iovsim-costs-XXXXXX.yaml", &file, NULL);

    close(handle);
    cr_assert(g_file_set_contents(file, text, -1, NULL));
    config = iov_config_load(file, &options, &error);
    cr_assert(ne(ptr, config, NULL), "%s", error != NULL ? error->message : "");
    platform = iov_platform_new(config, &error);
    g_unlink(file);
    cr_assert(ne(ptr, platform, NULL), "%s", error != NULL ? error->message : "");
    cr_assert(lt(uint, iov_platform_cost_count(platform), G_N_ELEMENTS(table) - 1));
    for (unsigned i = 0; i < iov_platform_cost_count(platform); i++) {
        const struct iov_cost_use *use = iov_platform_cost_at(platform, i);

        table[i] = (struct bench_cost){ use->name, use->value };
    }
}

static void setup(void)
{
    read_table();
    machine_new(&guest.machine, table, 1);
    guest.program = machine_program(&guest.machine);
    guest.vm = bench_add(guest.machine.bench, "kvm-vm", "vm");
    emulator = bench_add(guest.machine.bench, "emulator", "emulator");
    cr_assert(iov_model_set_ref(guest.vm, "host", (IovModel *)guest.machine.host, NULL));
    cr_assert(iov_model_set_ref(guest.vm, "program", (IovModel *)guest.program, NULL));
    cr_assert(iov_model_set_ref(emulator, "host", (IovModel *)guest.machine.host, NULL));
    bench_number(guest.vm, "memory", GUEST_MEMORY);
    bench_number(guest.vm, "memory-base", GUEST_BASE);
    guest.counters = &guest.machine.bench->run.measure->counters;
    guest.done = false;
}

static void teardown(void)
{
    guest_free();
    iov_platform_free(platform);
    iov_config_free(config);
}

TestSuite(kvm_costs, .init = setup, .fini = teardown);

static iov_time operation(struct iov_exec *exec, struct iov_op *op)
{
    iov_time begin = machine_now(&guest.machine);

    iov_exec_operate(exec, op);
    return machine_now(&guest.machine) - begin;
}

static void main_measure(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op cpuid = { .kind = IOV_OP_CPUID };
    struct iov_op vmcall = { .kind = IOV_OP_VMCALL, .value = { 999 } };
    struct iov_op in = { .kind = IOV_OP_IN, .index = 0xc000, .size = 4 };
    struct iov_op eoi = { .kind = IOV_OP_WRMSR, .index = 0x80b };

    (void)self;
    (void)index;
    guest_boot(exec, false);
    took[0] = operation(exec, &cpuid);
    took[1] = operation(exec, &vmcall);
    took[2] = operation(exec, &in);
    took[3] = operation(exec, &eoi);
    guest.done = true;
}

static uint64_t cycles(iov_time time)
{
    return (time * CYCLES_PER_US + IOV_US / 2) / IOV_US;
}

Test(kvm_costs, round_trips_add_up_to_what_was_measured)
{
    guest_wire();
    bench_wire_at(guest.vm, "ports", emulator, "io", 0xc000);
    device = (struct bench_recorder){ .port = { .ops = &bench_recorder_ops, .size = 64 } };
    ((struct iov_mem_initiator *)iov_model_port(emulator, "device-io", 0))->peer = &device.port;
    guest.program->main = main_measure;
    guest_start();
    guest_run(100 * IOV_MS);
    cr_assert(guest.done);
    cr_assert(eq(u64, cycles(took[0]), 1291), "CPUID");
    cr_assert(eq(u64, cycles(took[1]), 1181), "null hypercall");
    cr_assert(eq(u64, cycles(took[2]), 6209), "port read in user space");
    cr_assert(lt(u64, cycles(took[3]), 1600), "EOI: 1556 on Sandy Bridge");
    cr_assert(lt(u64, 1300, cycles(took[3])));
}
