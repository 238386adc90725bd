/* SPDX-License-Identifier: Apache-2.0 */
/* A replay does what was recorded: each access once, each interrupt taken, phases counted by
 * region. */
#include "tests/models/guest/fake-machine.h"

#include "models/guest/trace-reader.h"

struct bench {
    struct machine *machine;
    IovModel *device;
    IovModel *replay;
};

static uint64_t target_read(IovModel *device, const char *port, uint64_t address, uint32_t size)
{
    struct iov_mem_target *target = iov_model_port(device, port, 0);
    uint64_t value = 0;
    struct iov_mem_req req = { .address = address, .data = &value, .size = size };

    return target->ops->read(target, &req) == IOV_STATUS_OK ? value : UINT64_MAX;
}

static uint64_t read_register(struct machine *machine, uint64_t address, uint32_t size)
{
    return target_read(machine->device, "registers", address, size);
}

static uint64_t read_port(struct machine *machine, uint32_t port, uint32_t size)
{
    return target_read(machine->device, "ports", port, size);
}

static struct bench open_bench(const char *trace)
{
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/traces/%s.csv.zst", IOV_SOURCE_DIR, trace);
    struct bench bench = { .machine = machine_new(0) };
    struct machine *machine = bench.machine;

    machine->exits = true;
    bench.device = iov_model_new("trace-device", "device", &machine->run, NULL);
    bench.replay = iov_model_new("trace-replay", "replay", &machine->run, NULL);
    cr_assert(iov_model_set_string(bench.replay, "trace", path, NULL));
    cr_assert(iov_model_set_ref(bench.replay, "device", bench.device, NULL));
    ((struct iov_mem_initiator *)iov_model_port(bench.replay, "messages", 0))->peer =
        &machine->memory;
    machine->device = bench.device;
    machine->device_read = read_register;
    machine->port_read = read_port;
    machine_realize(bench.device);
    machine_realize(bench.replay);
    machine->exec.program = iov_model_port(bench.replay, "program", 0);
    machine->fiber = iov_fiber_new(machine->kernel, "vcpu", machine_main, machine);
    iov_kernel_run_until(machine->kernel, 100 * IOV_SEC);
    return bench;
}

static void close_bench(struct bench *bench)
{
    iov_kernel_free(bench->machine->kernel);
    bench->machine->kernel = iov_kernel_new(); /* the machine frees one */
    iov_event_init(&bench->machine->timer, bench->machine->kernel, machine_timer,
                   IOV_PRIORITY_DEFAULT);
    iov_model_unrealize(bench->replay);
    g_object_unref(bench->replay);
    g_object_unref(bench->device);
    machine_free(bench->machine);
}

static uint64_t statistic(IovModel *model, const char *name)
{
    const GArray *stats = IOV_MODEL_GET_CLASS(model)->info->stats;

    for (guint i = 0; i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

        if (strcmp(row->name, name) == 0)
            return G_STRUCT_MEMBER(uint64_t, model, row->offset);
    }
    cr_fatal("no statistic %s", name);
}

static const struct iov_phase *find_phase(const struct iov_measure *measure, const char *name)
{
    for (const struct iov_phase *phase = measure->phases; phase != NULL; phase = phase->next)
        if (strcmp(phase->name, name) == 0)
            return phase;
    cr_fatal("no phase %s", name);
}

static const struct iov_region_count *find_region(const struct iov_phase *phase, const char *name)
{
    for (unsigned i = 0; i < phase->counters.region_count; i++)
        if (strcmp(phase->counters.regions[i].name, name) == 0)
            return &phase->counters.regions[i];
    cr_fatal("no region %s", name);
}

Test(trace_replay, a_phase_has_the_recorded_accesses_and_interrupts)
{
    struct bench bench = open_bench("e1000");
    const struct iov_measure *measure = bench.machine->measure;
    const struct iov_phase *phase = find_phase(measure, "UDPRR1000");

    cr_assert(measure->complete);
    cr_assert(eq(u64, phase->units, 1000));
    cr_assert(eq(u64, find_region(phase, "e1000-mmio")->accesses, 7078));
    cr_assert(eq(u64, find_region(phase, "e1000-mmio")->exits, 7078));
    cr_assert(eq(u64, find_region(phase, "lapic")->exits, 2155));
    cr_assert(eq(u64, phase->counters.interrupts, 1007));
    cr_assert(eq(u64, phase->counters.timer_interrupts, 50));
    cr_assert(eq(u64, statistic(bench.replay, "different-reads"), 0));
    cr_assert(eq(u64, statistic(bench.replay, "interrupts-lost"), 0));
    cr_assert(eq(u64, statistic(bench.device, "unexpected"), 0));
    close_bench(&bench);
}

/* The counts of a phase straight from the rows. */
static void check_phases(struct bench *bench, const char *name)
{
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/traces/%s.csv.zst", IOV_SOURCE_DIR, name);
    struct iov_trace *trace = iov_trace_load(path, NULL);
    uint64_t expected[IOV_TRACE_REGIONS] = { 0 };
    bool inside = false;

    for (size_t i = 0; i < trace->count; i++) {
        const struct iov_trace_row *row = &trace->rows[i];

        if (row->kind == IOV_TRACE_BEGIN) {
            memset(expected, 0, sizeof expected);
            inside = true;
        } else if (inside && (row->kind == IOV_TRACE_PIO || row->kind == IOV_TRACE_MMIO)) {
            expected[row->name]++;
        } else if (row->kind == IOV_TRACE_END) {
            const char *phase_name = g_ptr_array_index(trace->phases, row->name);
            const struct iov_phase *phase = find_phase(bench->machine->measure, phase_name);

            for (unsigned r = 0; r < trace->region_count; r++)
                cr_expect(eq(u64, find_region(phase, trace->regions[r])->exits, expected[r]),
                          "%s %s %s", name, phase_name, trace->regions[r]);
            inside = false;
        }
    }
    iov_trace_free(trace);
}

Test(trace_replay, every_recording_exits_as_often_as_it_has_accesses)
{
    static const char *const names[] = {
        "e1000", "e1000_iommu_strict", "vnet", "vnet_noevidx", "vblk", "ahci", "nvme", "ide_dma"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct bench bench = open_bench(names[i]);

        cr_assert(bench.machine->measure->complete, "%s", names[i]);
        check_phases(&bench, names[i]);
        cr_expect(eq(u64, statistic(bench.replay, "interrupts-lost"), 0), "%s", names[i]);
        cr_expect(eq(u64, statistic(bench.replay, "different-reads"), 0), "%s", names[i]);
        cr_expect(eq(u64, statistic(bench.replay, "interrupts-sent"),
                     statistic(bench.replay, "interrupts-taken")),
                  "%s", names[i]);
        close_bench(&bench);
    }
}

Test(trace_replay, a_damaged_file_is_refused_before_anything_runs)
{
    struct machine *machine = machine_new(0);
    IovModel *replay = iov_model_new("trace-replay", "replay", &machine->run, NULL);
    g_autoptr(GError) error = NULL;

    cr_assert(iov_model_set_string(replay, "trace", IOV_SOURCE_DIR "/CMakeLists.txt", NULL));
    cr_assert(iov_model_prepare(replay, NULL));
    cr_assert(not(iov_model_realize(replay, &error)));
    cr_assert(ne(ptr, strstr(error->message, "CMakeLists.txt:1:"), NULL), "%s", error->message);
    g_object_unref(replay);
    machine_free(machine);
}
