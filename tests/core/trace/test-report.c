/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder: what scripts may rely on, sums that add up as printed, and files that are whole
 * or not there. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "core/trace/report.h"

/* A kind with one statistic of each type, and a child. */
typedef struct {
    IovModel parent_instance;
    uint64_t frames;
    uint64_t bytes;
    iov_time busy;
    struct iov_histogram *sizes;
    struct iov_processor processor;
} IovGauge;
typedef IovModelClass IovGaugeClass;

static GType iov_gauge_get_type(void);
G_DEFINE_TYPE(IovGauge, iov_gauge, IOV_TYPE_MODEL)

static void gauge_update(IovModel *model)
{
    ((IovGauge *)model)->bytes = ((IovGauge *)model)->frames * 64;
}

static void gauge_finalize(GObject *object)
{
    iov_histogram_free(((IovGauge *)(void *)object)->sizes);
    G_OBJECT_CLASS(iov_gauge_parent_class)->finalize(object);
}

static void iov_gauge_class_init(IovGaugeClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = gauge_finalize;
    mc->update_statistics = gauge_update;
    iov_model_class_describe(mc, "gauge", "Shows statistics");
    IOV_STAT(mc, IovGauge, frames, "Frames seen");
    IOV_STAT_BYTES(mc, IovGauge, bytes, "Bytes, headers \"included\", seen");
    IOV_STAT_TIME(mc, IovGauge, busy, "Time at work");
    IOV_PORT_CONTRACT(mc, IovGauge, processor, IOV_PORT_PROCESSOR, "Counts as a processor");
    IOV_STAT_HISTOGRAM(mc, IovGauge, sizes, "Sizes of frames");
}

static void iov_gauge_init(IovGauge *self)
{
    self->sizes = iov_histogram_new();
}

/* ---- A run that is made up ---- */

struct made_up {
    struct iov_kernel *kernel;
    struct iov_measure *measure;
    struct iov_run run;
    IovModel *models[1];
    struct iov_report report;
};

static const char holder[] = "holder";

static void advance(struct made_up *run, iov_time delay)
{
    iov_kernel_run_until(run->kernel, iov_now(run->kernel) + delay);
}

/* Three requests of 1001, 1003 and 1006 ps: no mean is a whole number. */
static void make_requests(struct made_up *run)
{
    static const iov_time steps[3][3] = { { 500, 300, 201 }, { 501, 301, 201 }, { 501, 303, 202 } };
    static const enum iov_part parts[3] = { IOV_PART_GUEST, IOV_PART_EXIT, IOV_PART_WIRE };

    for (unsigned i = 0; i < 3; i++) {
        struct iov_span span;

        iov_span_begin(&span, i, holder, iov_now(run->kernel));
        for (unsigned j = 0; j < 3; j++) {
            advance(run, steps[i][j]);
            iov_span_mark(&span, holder, parts[j], iov_now(run->kernel));
        }
        iov_measure_request(run->measure, &span, 64);
    }
}

static struct made_up *make_run(void)
{
    static const char *const command[] = { "iovsim", "run", "a \"b\".yaml", NULL };
    static const struct iov_report_constant constants[] = {
        { .name = "exit",
          .value = 325500,
          .written = "1300cycles",
          .source = "ovh-01",
          .confidence = "high" },
        { .name = "wire", .value = 7, .source = "estimate", .note = "three lines\nof\ttext" },
    };
    struct made_up *run = g_new0(struct made_up, 1);
    struct iov_counters *counters;
    struct iov_processor *processor;
    unsigned nic;

    g_type_ensure(iov_gauge_get_type());
    run->kernel = iov_kernel_new();
    run->measure = iov_measure_new(run->kernel);
    run->run = (struct iov_run){ .kernel = run->kernel, .seed = 5, .measure = run->measure };
    run->models[0] = iov_model_new("gauge", "vm0/nic", &run->run, NULL);
    iov_model_new_child(run->models[0], "gauge", "phy", NULL);
    ((IovGauge *)run->models[0])->frames = 3;
    ((IovGauge *)run->models[0])->busy = 1234567;
    iov_histogram_record(((IovGauge *)run->models[0])->sizes, 60);

    processor = &((IovGauge *)run->models[0])->processor;
    processor->busy = 777; /* of the warm-up */
    iov_report_watch(run->measure, run->models[0]);
    processor->busy += 111;
    processor->used[IOV_PART_GUEST] += 111;

    advance(run, IOV_US);
    nic = iov_measure_region(run->measure, "nic");
    iov_measure_region(run->measure, "lapic");
    iov_measure_begin(run->measure);
    counters = &run->measure->counters;
    iov_measure_phase_begin(run->measure, "probe");
    counters->exits[49] = 6;
    counters->exits[12] = 3;
    counters->exits[35] = 1; /* a reason without a name */
    counters->regions[nic].accesses = 6;
    counters->regions[nic].exits = 6;
    iov_measure_phase_end(run->measure, 2);
    counters->device_accesses = 7;
    counters->device_exits = 6;
    counters->interrupts = 3;
    counters->kicks = 1;
    make_requests(run);
    processor->busy += 10000;
    processor->used[IOV_PART_GUEST] += 5000;
    processor->used[IOV_PART_EXIT] += 4000;
    iov_measure_end(run->measure, true);
    run->report = (struct iov_report){
        .measure = run->measure,
        .strategy = "virtio-net",
        .workload = "udp-rr",
        .seed = 5,
        .wall_ns = 1500000000,
        .models = run->models,
        .model_count = 1,
        .version = "0.1.0",
        .command = command,
        .constants = constants,
        .constant_count = 2,
        .resolved = "iovsim: 1\n",
    };
    return run;
}

static void free_run(struct made_up *run)
{
    g_object_unref(run->models[0]);
    iov_measure_free(run->measure);
    iov_kernel_free(run->kernel);
    g_free(run);
}

/* ---- JSON ---- */

/* The number at a path of member names separated by '.'. */
static double number_at(JsonNode *root, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    JsonNode *node = root;

    for (unsigned i = 0; names[i] != NULL; i++) {
        node = json_object_get_member(json_node_get_object(node), names[i]);
        cr_assert(ne(ptr, node, NULL), "there is no %s", path);
    }
    return json_node_get_double(node);
}

static void expect_number(JsonNode *root, const char *path, double value)
{
    cr_assert(fabs(number_at(root, path) - value) < 1e-9, "%s is %.6f", path,
              number_at(root, path));
}

Test(report, stats_json_holds_the_keys_that_scripts_rely_on)
{
    static const char *const keys[] = {
        "iovsim",
        "strategy",
        "workload",
        "seed",
        "complete",
        "operations",
        "simulated_ns",
        "exits",
        "exits_per_op",
        "device_accesses_per_op",
        "device_exits_per_op",
        "user_exits_per_op",
        "apic_accesses_per_op",
        "interrupts_per_op",
        "injections_per_op",
        "context_switches_per_op",
        "wakeups_per_op",
        "copies_per_op",
        "kicks_per_op",
        "latency_ns",
        "latency_parts_ns",
        "throughput_ops_per_s",
        "host_cpu_ns_per_op",
        "host_cpu_split_ns_per_op",
        "regions",
        "phases",
        "models",
        "events",
        "wall_s",
    };
    struct made_up *run = make_run();
    g_autofree char *text = iov_report_json(&run->report);
    JsonNode *root = json_from_string(text, NULL);
    JsonObject *object = json_node_get_object(root);
    g_autoptr(GList) members = json_object_get_members(object);

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
        cr_assert(json_object_has_member(object, keys[i]), "there is no %s", keys[i]);
    cr_assert_str_eq(g_list_last(members)->data, "wall_s");
    cr_assert_str_eq(json_object_get_string_member(object, "strategy"), "virtio-net");
    cr_assert(json_object_get_boolean_member(object, "complete"));
    expect_number(root, "iovsim", 1);
    expect_number(root, "operations", 3);
    expect_number(root, "simulated_ns", 3.010);
    expect_number(root, "exits.total", 10);
    expect_number(root, "exits.by_reason.EPT_MISCONFIG", 6);
    expect_number(root, "exits.by_reason.REASON_35", 1);
    expect_number(root, "exits_per_op.total", 3.3333);
    expect_number(root, "exits_per_op.by_reason.HLT", 1);
    expect_number(root, "device_accesses_per_op", 2.3333);
    expect_number(root, "device_exits_per_op", 2);
    expect_number(root, "latency_ns.p50", 1.003);
    expect_number(root, "latency_ns.max", 1.006);
    expect_number(root, "throughput_ops_per_s", 996677740.864);
    expect_number(root, "regions.nic.exits", 6);
    expect_number(root, "regions.lapic.accesses", 0);
    expect_number(root, "models.vm0/nic.frames", 3);
    expect_number(root, "models.vm0/nic.bytes", 192);
    expect_number(root, "models.vm0/nic.busy-ns", 1234.567);
    expect_number(root, "models.vm0/nic.sizes.p50", 60);
    expect_number(root, "models.vm0/nic/phy.frames", 0);
    expect_number(root, "wall_s", 1.5);
    json_node_unref(root);
    free_run(run);
}

/* Picoseconds of all members of a group, as printed. */
static int64_t sum_of(JsonNode *root, const char *group)
{
    JsonObject *object = json_object_get_object_member(json_node_get_object(root), group);
    g_autoptr(GList) names = json_object_get_members(object);
    int64_t sum = 0;

    for (GList *name = names; name != NULL; name = name->next)
        sum += llround(1000 * json_object_get_double_member(object, name->data));
    return sum;
}

Test(report, parts_as_printed_add_up_to_the_mean_as_printed)
{
    struct made_up *run = make_run();
    g_autofree char *text = iov_report_json(&run->report);
    JsonNode *root = json_from_string(text, NULL);

    expect_number(root, "latency_ns.mean", 1.003); /* 3010 / 3 */
    cr_assert(eq(i64, sum_of(root, "latency_parts_ns"), 1003));
    expect_number(root, "latency_parts_ns.guest",
                  0.501); /* 500.67: the largest rest gets the missing ps */
    expect_number(root, "latency_parts_ns.exit", 0.301); /* 301.33 */
    expect_number(root, "latency_parts_ns.wire", 0.201); /* 201.33 */
    expect_number(root, "host_cpu_ns_per_op", 3.333);
    expect_number(root, "host_cpu_split_ns_per_op.other", 0.333);
    cr_assert(eq(i64, sum_of(root, "host_cpu_split_ns_per_op"), 3333));
    expect_number(root, "host_processors", 2); /* the part and its child */
    json_node_unref(root);
    free_run(run);
}

Test(report, a_phase_says_which_region_caused_exits)
{
    struct made_up *run = make_run();
    g_autofree char *text = iov_report_json(&run->report);
    JsonNode *root = json_from_string(text, NULL);
    JsonArray *phases = json_object_get_array_member(json_node_get_object(root), "phases");
    JsonNode *phase;

    cr_assert(eq(uint, json_array_get_length(phases), 1));
    phase = json_array_get_element(phases, 0);
    cr_assert_str_eq(json_object_get_string_member(json_node_get_object(phase), "name"), "probe");
    expect_number(phase, "units", 2);
    expect_number(phase, "exits.total", 10);
    expect_number(phase, "exits.by_reason.EPT_MISCONFIG", 6);
    expect_number(phase, "device_exits.nic", 6);
    cr_assert(not(json_object_has_member(
        json_object_get_object_member(json_node_get_object(phase), "device_exits"), "lapic")));
    json_node_unref(root);
    free_run(run);
}

Test(report, two_equal_runs_give_equal_bytes_but_for_the_last_member)
{
    struct made_up *runs[2] = { make_run(), make_run() };
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;
    size_t length;

    runs[1]->report.wall_ns = 7;
    first = iov_report_json(&runs[0]->report);
    second = iov_report_json(&runs[1]->report);
    length = (size_t)(strstr(first, "\"wall_s\"") - first);
    cr_assert(ne(str, first, second));
    cr_assert(eq(int, memcmp(first, second, length), 0));
    cr_assert_str_eq(strchr(first + length, '\n'), "\n}\n");
    free_run(runs[0]);
    free_run(runs[1]);
}

static iov_time time_of(const void *thread)
{
    return *(const iov_time *)thread;
}

Test(report, a_run_without_operations_divides_by_nothing)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_measure *measure = iov_measure_new(kernel);
    struct iov_report report = { .measure = measure, .strategy = "none", .workload = NULL };
    iov_time busy = 0;

    iov_measure_watch_thread(measure, "worker", time_of, &busy);
    iov_measure_begin(measure);
    busy = IOV_US;
    iov_measure_end(measure, true);
    g_autofree char *json = iov_report_json(&report);
    g_autofree char *text = iov_report_text(&report);
    g_autofree char *csv = iov_report_csv(&report);
    JsonNode *root = json_from_string(json, NULL);

    cr_assert(ne(ptr, root, NULL));
    expect_number(root, "exits_per_op.total", 0);
    expect_number(root, "throughput_ops_per_s", 0);
    expect_number(root, "latency_ns.p999", 0);
    expect_number(root, "host_thread_ns_per_op.worker", 0);
    json_node_unref(root);
    iov_measure_free(measure);
    iov_kernel_free(kernel);
}

Test(report, the_manifest_names_the_source_of_every_constant)
{
    struct made_up *run = make_run();
    g_autofree char *text = iov_report_manifest(&run->report);
    JsonNode *root = json_from_string(text, NULL);
    JsonObject *object = json_node_get_object(root);
    JsonArray *constants = json_object_get_array_member(object, "constants");
    JsonNode *first = json_array_get_element(constants, 0);
    JsonObject *second = json_array_get_object_element(constants, 1);

    cr_assert(eq(uint, json_array_get_length(constants), 2));
    cr_assert_str_eq(json_object_get_string_member(json_node_get_object(first), "source"),
                     "ovh-01");
    cr_assert_str_eq(json_object_get_string_member(json_node_get_object(first), "value"),
                     "1300cycles");
    expect_number(first, "ns", 325.5);
    cr_assert_str_eq(json_object_get_string_member(second, "note"), "three lines\nof\ttext");
    cr_assert_not_null(strstr(text, "lines\\u000aof\\u0009text"));
    cr_assert_str_eq(
        json_array_get_string_element(json_object_get_array_member(object, "command"), 2),
        "a \"b\".yaml");
    cr_assert(json_object_has_member(json_object_get_object_member(object, "host"), "cpu"));
    json_node_unref(root);
    free_run(run);
}

/* ---- CSV and text ---- */

Test(report, csv_has_the_same_figures_with_units)
{
    struct made_up *run = make_run();
    g_autofree char *csv = iov_report_csv(&run->report);

    cr_assert(g_str_has_prefix(csv, "name,value,unit,description\n"));
    cr_assert_not_null(strstr(csv, "\nlatency_ns.mean,1.003,ns,Mean latency\n"));
    cr_assert_not_null(strstr(csv, "\nexits.by_reason.EPT_MISCONFIG,6,,"));
    cr_assert_not_null(strstr(csv, "\nphases.0.exits.by_reason.HLT,3,,"));
    cr_assert_not_null(
        strstr(csv, "\nmodels.vm0/nic.bytes,192,B,\"Bytes, headers \"\"included\"\", seen\"\n"));
    free_run(run);
}

Test(report, the_text_warns_of_what_is_wrong)
{
    struct made_up *run = make_run();
    g_autofree char *good = iov_report_text(&run->report);
    g_autofree char *bad = NULL;

    cr_assert_not_null(strstr(good, "EPT_MISCONFIG"));
    cr_assert_null(strstr(good, "WARNING"));
    cr_assert_null(strstr(good, "INCOMPLETE"));
    run->measure->mismatches = 1;
    run->measure->complete = false;
    bad = iov_report_text(&run->report);
    cr_assert_not_null(strstr(bad, "WARNING"));
    cr_assert_not_null(strstr(bad, "INCOMPLETE"));
    free_run(run);
}

/* ---- Files ---- */

static unsigned entries(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned count = 0;

    while (g_dir_read_name(dir) != NULL)
        count++;
    g_dir_close(dir);
    return count;
}

static char *new_folder(void)
{
    return g_dir_make_tmp("iovsim-report-XXXXXX", NULL);
}

static void remove_folder(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_DIR))
            remove_folder(path);
        else
            g_unlink(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
}

Test(report, the_folder_is_made_and_holds_five_files)
{
    struct made_up *run = make_run();
    g_autofree char *base = new_folder();
    g_autofree char *folder = g_build_filename(base, "deep", "er", NULL);
    g_autofree char *path = g_build_filename(folder, "resolved.yaml", NULL);
    g_autofree char *text = NULL;
    GError *error = NULL;

    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        bool written = iov_report_write(&run->report, folder, &error);

        cr_assert(written);
    }
    cr_assert(eq(uint, entries(folder), 5));
    g_file_get_contents(path, &text, NULL, NULL);
    cr_assert_str_eq(text, "iovsim: 1\n");
    remove_folder(base);
    free_run(run);
}

static void expect_failure(struct made_up *run, const char *folder, const char *words)
{
    GError *error = NULL;
    bool written = iov_report_write(&run->report, folder, &error);

    cr_assert(not(written));
    cr_assert(g_error_matches(error, IOV_ERROR, IOV_ERROR_FILE));
    cr_assert(ne(ptr, strstr(error->message, words), NULL), "it says: %s", error->message);
    g_error_free(error);
}

Test(report, a_folder_that_cannot_be_made_is_an_error)
{
    struct made_up *run = make_run();
    g_autofree char *base = new_folder();
    g_autofree char *file = g_build_filename(base, "file", NULL);
    g_autofree char *below = g_build_filename(file, "out", NULL);

    g_file_set_contents(file, "", 0, NULL);
    expect_failure(run, below, below);
    expect_failure(run, file, file);
    remove_folder(base);
    free_run(run);
}

Test(report, a_disk_that_fills_up_leaves_what_was_there)
{
    struct made_up *run = make_run();
    g_autofree char *base = new_folder();
    g_autofree char *fresh = g_build_filename(base, "fresh", NULL);
    g_autofree char *old = g_build_filename(base, "stats.txt", NULL);
    g_autofree char *text = NULL;
    struct rlimit limit, tight;

    g_file_set_contents(old, "old", 3, NULL);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    tight = limit;
    tight.rlim_cur = 1200; /* bytes a file: some of the five fit */
    setrlimit(RLIMIT_FSIZE, &tight);
    expect_failure(run, base, "cannot be written");
    expect_failure(run, fresh, "cannot be written");
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_assert(eq(uint, entries(base), 1));
    g_file_get_contents(old, &text, NULL, NULL);
    cr_assert_str_eq(text, "old");
    remove_folder(base);
    free_run(run);
}

Test(report, a_folder_in_the_place_of_a_file_is_an_error_before_anything_changes)
{
    struct made_up *run = make_run();
    g_autofree char *base = new_folder();
    g_autofree char *obstacle = g_build_filename(base, "stats.json", NULL);

    g_mkdir(obstacle, 0777);
    expect_failure(run, base, "stats.json");
    cr_assert(eq(uint, entries(base), 1));
    remove_folder(base);
    free_run(run);
}
