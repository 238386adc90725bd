/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs through the command: what they print and write, that they can be repeated, and what happens
 * to them when the disk is full, the folder is wrong or somebody presses Ctrl-C.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bindings/cli/command.h"

TestSuite(cli_run, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* stats.json of a run folder without its last member, the host's time. */
static char *stats_of(const char *run_folder)
{
    g_autofree char *name = g_build_filename(run_folder, "stats.json", NULL);
    g_autofree char *text = get_file(name);
    g_auto(GStrv) halves = g_strsplit(text, "  \"wall_s\"", -1);

    cr_assert(eq(uint, g_strv_length(halves), 2));
    return g_strdup(halves[0]);
}

static bool same_stats(const char *a, const char *b)
{
    g_autofree char *first = stats_of(a), *second = stats_of(b);

    return strcmp(first, second) == 0;
}

static unsigned count_files(const char *name)
{
    g_autofree char *path = in_folder(name);
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned files = 0;

    cr_assert(ne(ptr, dir, NULL), "%s", path);
    while (g_dir_read_name(dir) != NULL)
        files++;
    g_dir_close(dir);
    return files;
}

/* ---- What a run prints and writes ---- */

Test(cli_run, prints_the_statistics)
{
    iovsim("run", "ticker.yaml");
    ended_with(0);
    cr_assert(g_str_has_prefix(out, "workload ticker, seed 1\n"));
    says(out, "1000 operations");
    says(out, "p99.9");
    is_text(err, "");
}

Test(cli_run, quiet_prints_nothing)
{
    iovsim("run", "ticker.yaml", "--quiet", "-o", "out");
    ended_with(0);
    is_text(out, "");
    is_text(err, "");
    cr_assert(has_file("out/stats.json"));
}

Test(cli_run, writes_the_five_files_of_a_run_folder_and_no_other)
{
    static const char *const files[] = { "stats.json", "stats.txt", "stats.csv", "resolved.yaml",
                                         "manifest.json" };
    g_autofree char *stats_text = NULL, *manifest_text = NULL, *printed = NULL, *written = NULL;
    g_autoptr(JsonNode) stats = NULL, manifest = NULL;
    JsonObject *root;

    iovsim("run", "ticker.yaml", "-o", "a/new/folder");
    ended_with(0);
    printed = g_strdup(out);
    cr_assert(eq(uint, count_files("a/new/folder"), G_N_ELEMENTS(files)));
    stats_text = get_file("a/new/folder/stats.json");
    manifest_text = get_file("a/new/folder/manifest.json");
    written = get_file("a/new/folder/stats.txt");
    is_text(printed, written);
    manifest = parse_json(manifest_text);
    stats = parse_json(stats_text);
    root = json_node_get_object(stats);
    cr_assert(json_object_get_boolean_member(root, "complete"));
    cr_assert(eq(i64, json_object_get_int_member(root, "iovsim"), 1));
    cr_assert(eq(i64, json_object_get_int_member(root, "operations"), 1000));
    cr_assert(eq(i64, json_object_get_int_member(root, "seed"), 1));
    is_text(json_object_get_string_member(root, "workload"), "ticker");
}

Test(cli_run, stats_json_has_the_keys_that_scripts_rely_on)
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
        "interrupts_per_op",
        "latency_ns",
        "latency_parts_ns",
        "throughput_ops_per_s",
        "host_cpu_ns_per_op",
        "events",
        "wall_s",
        "phases",
    };
    static const char *const latencies[] = { "mean", "p50", "p99", "p999", "max" };
    g_autofree char *text = NULL;
    g_autoptr(JsonNode) stats = NULL;
    JsonObject *root, *latency, *parts;
    g_autoptr(GList) members = NULL;
    double sum = 0;

    iovsim("run", "ticker.yaml", "-o", "out", "--quiet");
    text = get_file("out/stats.json");
    stats = parse_json(text);
    root = json_node_get_object(stats);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
        cr_assert(json_object_has_member(root, keys[i]), "no '%s'", keys[i]);
    latency = json_object_get_object_member(root, "latency_ns");
    for (unsigned i = 0; i < G_N_ELEMENTS(latencies); i++)
        cr_assert(json_object_has_member(latency, latencies[i]), "no '%s'", latencies[i]);
    parts = json_object_get_object_member(root, "latency_parts_ns");
    members = json_object_get_members(parts);
    for (const GList *member = members; member != NULL; member = member->next)
        sum += json_object_get_double_member(parts, member->data);
    cr_assert(epsilon_eq(dbl, sum, json_object_get_double_member(latency, "mean"), 1e-6));
}

Test(cli_run, the_manifest_tells_the_command_and_the_constants_with_their_sources)
{
    g_autofree char *text = NULL;

    iovsim("run", "ticker.yaml", "-o", "out", "--quiet", "--set", "costs.ticker-turn.value=7ns");
    ended_with(0);
    text = get_file("out/manifest.json");
    says(text, "\"costs.ticker-turn.value=7ns\"");
    says(text, "\"ticker-turn\"");
    says(text, "\"set on the command line\"");
}

Test(cli_run, pci_dump_writes_what_lspci_reads)
{
    g_autofree char *path = in_folder("pci.txt");

    iovsim("run", IOV_SOURCE_DIR "/configs/net-rr.yaml", "--set", "strategy=bare-metal", "--set",
           "workload.operations=10", "--pci-dump", "pci.txt", "--quiet");
    ended_with(0);
    run_argv((const char *const[]){ "lspci", "-F", path, "-t", NULL });
    ended_with(0);
    says(out, "-[0000:00]---01.0-[01]----00.0");
    run_argv((const char *const[]){ "lspci", "-F", path, "-vvv", NULL });
    says(out, "Bus: primary=00, secondary=01, subordinate=01");
    says(out, "Advanced Error Reporting");
    says(out, "Region 0: Memory at f0000000 (32-bit, non-prefetchable)");
}

Test(cli_run, pci_dump_of_a_platform_without_slots_is_told)
{
    iovsim("run", "ticker.yaml", "--pci-dump", "pci.txt", "--quiet");
    ended_with(1);
    says(err, "no PCI function of this platform is in a slot");
    cr_assert(not(has_file("pci.txt")));
}

Test(cli_run, set_replaces_values_and_the_last_one_wins)
{
    g_autofree char *resolved = NULL;

    iovsim("run", "ticker.yaml", "--set", "workload.operations=5", "--set", "workload.operations=7",
           "--set", "workload.size=1KiB", "-o", "out");
    ended_with(0);
    says(out, "7 operations");
    resolved = get_file("out/resolved.yaml");
    says(resolved, "operations: 7\n");
    says(resolved, "size: 1KiB\n");
}

Test(cli_run, a_stop_time_ends_the_run_incomplete)
{
    g_autofree char *stats = NULL;

    iovsim("run", "ticker.yaml", "--set", "stop=500us", "-o", "out", "--quiet");
    stats = get_file("out/stats.json");
    says(stats, "\"complete\": false");
}

/* ---- Repeating ---- */

Test(cli_run, the_same_seed_gives_the_same_bytes_and_another_one_others)
{
    iovsim("run", "ticker.yaml", "-o", "a", "--quiet");
    iovsim("run", "ticker.yaml", "-o", "b", "--quiet");
    iovsim("run", "ticker.yaml", "-o", "c", "--quiet", "--seed", "2");
    iovsim("run", "ticker.yaml", "-o", "d", "--quiet", "--set", "seed=2");
    ended_with(0);
    cr_assert(same_stats("a", "b"));
    cr_assert(not(same_stats("a", "c")));
    cr_assert(same_stats("c", "d"));
}

Test(cli_run, the_resolved_file_runs_again_with_the_same_bytes)
{
    put_file("platforms/strategies/slow.yaml",
             "iovsim: 1\nparameters: {wait: 3us}\nworkload: {latency: \"${wait}\"}\n");
    put_file("configs/costs/table.yaml",
             "iovsim: 1\nfrequency: 2GHz\ncosts: {ticker-turn: {value: 300cycles, source: x}}\n");
    put_file("configs/run.yaml", "iovsim: 1\nstrategy: slow\ncosts: costs/table.yaml\n"
                                 "vms: [{kind: ticker-vm}]\nworkload: {kind: ticker}\nseed: 5\n");
    iovsim("run", "configs/run.yaml", "-o", "a", "--quiet", "--set", "workload.operations=50",
           "--seed", "9");
    ended_with(0);
    shell("mkdir elsewhere; cp a/resolved.yaml elsewhere/; rm -r configs platforms;"
          "cd elsewhere; iovsim run resolved.yaml -o ../b --quiet");
    ended_with(0);
    cr_assert(same_stats("a", "b"));
    shell("cmp a/resolved.yaml b/resolved.yaml; cmp a/stats.txt b/stats.txt");
    is_text(out, "");
}

Test(cli_run, a_second_run_replaces_the_files_of_the_first)
{
    iovsim("run", "ticker.yaml", "-o", "out", "--quiet");
    iovsim("run", "ticker.yaml", "-o", "out", "--quiet", "--seed", "2");
    ended_with(0);
    iovsim("run", "ticker.yaml", "-o", "two", "--quiet", "--seed", "2");
    cr_assert(same_stats("out", "two"));
    cr_assert(eq(uint, count_files("out"), 5));
}

/* ---- Compare ---- */

Test(cli_run, compare_prints_a_row_for_each_value)
{
    iovsim("compare", "ticker.yaml", "--over", "workload.latency=1us,5us", "-o", "out");
    ended_with(0);
    cr_assert(g_str_has_prefix(out, "workload.latency "), "%s", out);
    says(out, "\n1us ");
    says(out, "\n5us ");
    says(out, "p50 us");
    says(out, "device");
    cr_assert(has_file("out/1us/stats.json"));
    cr_assert(has_file("out/5us/stats.json"));
    cr_assert(has_file("out/compare.csv"));
    cr_assert(has_file("out/compare.txt"));
    cr_assert(eq(uint, count_files("out"), 4));
}

/* 5 us have fewer digits than 5 s, a driver in user space has a longer name than igbvf. */
Test(cli_run, compare_keeps_columns_straight_whatever_stands_in_them)
{
    g_auto(GStrv) wide = NULL, facts = NULL;

    iovsim("compare", "ticker.yaml", "--over", "workload.latency=5us,5s", "--set",
           "workload.operations=10", "--quiet");
    ended_with(0);
    wide = g_strsplit(out, "\n", 4);
    cr_assert(eq(sz, strlen(wide[0]), strlen(wide[1])), "%s", out);
    cr_assert(eq(sz, strlen(wide[0]), strlen(wide[2])), "%s", out);
    iovsim("compare", IOV_SOURCE_DIR "/configs/net-rr.yaml", "--over",
           "strategy=sriov-vf,guest-dpdk-vf", "--set", "workload.operations=10", "--quiet");
    ended_with(0);
    facts = g_strsplit(strstr(out, "what it needs"), "\n", 4);
    cr_assert(eq(sz, strlen(facts[0]), strlen(facts[1])), "%s", out);
    cr_assert(eq(sz, strlen(facts[0]), strlen(facts[2])), "%s", out);
}

Test(cli_run, compare_says_so_where_there_are_no_exits)
{
    g_autofree char *csv = NULL;

    iovsim("compare", "ticker.yaml", "--over", "workload.latency=1us,5us", "-o", "out");
    ended_with(0);
    says(out, "exits/op by reason        none for any reason\n");
    csv = get_file("out/compare.csv");
    cr_assert_null(strstr(csv, "exits_per_op_"));
}

Test(cli_run, compare_writes_below_its_folder_whatever_the_values_are)
{
    iovsim("compare", "ticker.yaml", "--over", "title=..,a/b", "-o", "out");
    ended_with(0);
    cr_assert(has_file("out/_./stats.json"));
    cr_assert(has_file("out/a_b/stats.json"));
    cr_assert(eq(uint, count_files("out"), 4));
}

Test(cli_run, compare_says_where_drops_begin_and_leaves_it_out_where_there_are_none)
{
    const char *rate = IOV_SOURCE_DIR "/configs/udp-rate.yaml";
    g_autofree char *csv = NULL;

    iovsim("compare", rate, "--over", "workload.packet-rate=100000,600000", "--set",
           "workload.operations=2000", "--set", "strategy=vhost-net", "-o", "out");
    ended_with(0);
    says(out, "\nframes dropped ");
    says(out, "\ndrops begin ");
    says(out, " between 100000 and 600000\n");
    says(out, " ops/s and Gb/s are what arrived\n");
    csv = get_file("out/compare.csv");
    says(csv, ",dedicated_cores,drops_per_op,dropped_share,");
    iovsim("compare", rate, "--over", "workload.packet-rate=50000,100000", "--set",
           "workload.operations=2000", "--set", "strategy=vhost-net");
    ended_with(0);
    cr_assert(strstr(out, "drop") == NULL);
}

Test(cli_run, compare_writes_every_block_of_its_table_as_columns_too)
{
    const char *config = IOV_SOURCE_DIR "/configs/net-rr.yaml";
    g_autofree char *csv = NULL;
    g_auto(GStrv) lines = NULL;

    iovsim("compare", config, "--over", "strategy=virtio-net,xen-pv", "--set",
           "workload.operations=50", "--set", "vms[0].count=2", "-o", "out");
    ended_with(0);
    csv = get_file("out/compare.csv");
    lines = g_strsplit(csv, "\n", -1);
    says(lines[0], ",exits_per_op_HLT,");
    says(lines[0], ",exits_per_op_EPT_MISCONFIG");
    says(lines[0], ",cpu_us_per_op_vcpu,");
    says(lines[0], ",cpu_us_per_op_irq_idle_exit,");
    says(lines[0], ",guests,fairness,best_p99_us,worst_p99_us,describe_guest_driver,");
    says(lines[1], "virtio-net,");
    says(lines[1], ",virtio,yes,software,");
    says(lines[2], ",netfront,yes,software,");
    for (unsigned i = 1; i <= 2; i++) {
        g_auto(GStrv) names = g_strsplit(lines[0], ",", -1), cells = g_strsplit(lines[i], ",", -1);

        cr_assert(eq(uint, g_strv_length(cells), g_strv_length(names)));
    }
}

Test(cli_run, compare_takes_all_strategies_if_nothing_is_said)
{
    put_file("platforms/strategies/one.yaml", "iovsim: 1\nworkload: {latency: 1us}\n");
    put_file("platforms/strategies/two.yaml", "iovsim: 1\nworkload: {latency: 2us}\n");
    iovsim("compare", "ticker.yaml");
    ended_with(0);
    says(out, "strategy ");
    says(out, "\none ");
    says(out, "\ntwo ");
}

Test(cli_run, compare_leaves_out_strategies_that_do_not_fit_unless_they_are_asked_for)
{
    put_file("platforms/strategies/one.yaml", "iovsim: 1\nworkload: {latency: 1us}\n");
    put_file("platforms/strategies/two.yaml", "iovsim: 1\nworkload: {latency: 2KiB}\n");
    iovsim("compare", "ticker.yaml");
    ended_with(0);
    says(out, "\none ");
    cr_assert(strstr(out, "\ntwo ") == NULL);
    says(err, "iovsim: two is left out: platforms/strategies/two.yaml:2:");
    iovsim("compare", "ticker.yaml", "--over", "strategy=one,two");
    ended_with(2);
    is_text(out, "");
    says(err, "'2KiB' is a size");
    iovsim("compare", "ticker.yaml", "--set", "workload.opertions=5");
    ended_with(2);
    says(err, "did you mean 'operations'?");
}

Test(cli_run, compare_without_anything_to_compare_is_wrong)
{
    iovsim("compare", "ticker.yaml");
    ended_with(2);
    says(err, "no strategy is in the search path");
    iovsim("compare", "ticker.yaml", "--over", "seed");
    ended_with(2);
    says(err, "--over wants KEY=A,B,...");
    iovsim("compare", "ticker.yaml", "--over", "seed=1,,2");
    ended_with(2);
}

Test(cli_run, compare_tells_the_mistakes_of_all_values_before_it_runs_any)
{
    iovsim("compare", "ticker.yaml", "--over", "workload.mute=off,perhaps,never", "-o", "out");
    ended_with(2);
    cr_assert(not(has_file("out")));
    says(err, "--set workload.mute: 'perhaps' is neither");
    says(err, "--set workload.mute: 'never' is neither");
    cr_assert(eq(uint, count_lines(err), 2));
    iovsim("compare", "ticker.yaml", "--over", "workload.mute=off,on", "--set", "nonsense");
    ended_with(2);
    cr_assert(eq(uint, count_lines(err), 1), "told twice:\n%s", err);
    is_text(out, "");
}

Test(cli_run, compare_tells_of_a_set_that_no_value_has_a_use_for)
{
    static const char *const idle[] = { "parameters.nothing=1", "parameters.odd:name=1" };

    put_file("platforms/strategies/one.yaml", "iovsim: 1\nparameters: {of-one: 1us}\n"
                                              "workload: {latency: \"${of-one}\"}\n");
    put_file("platforms/strategies/two.yaml", "iovsim: 1\nworkload: {latency: 2us}\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(idle); i++) {
        iovsim("compare", "ticker.yaml", "--set", idle[i]);
        ended_with(2);
        says(err, "nothing uses a parameter");
    }
    iovsim("compare", "ticker.yaml", "--set", "parameters.of-one=3us");
    ended_with(0);
}

Test(cli_run, compare_goes_on_after_a_run_that_failed)
{
    iovsim("compare", "ticker.yaml", "--over", "workload.mute=on,off");
    ended_with(1);
    says(err, "workload.mute=on: the workload did not finish");
    says(out, "\noff ");
    cr_assert(strstr(out, "\non ") == NULL);
}

/* ---- What goes wrong ---- */

Test(cli_run, a_workload_that_does_nothing_is_a_failed_run)
{
    g_autofree char *stats = NULL;

    iovsim("run", "ticker.yaml", "--set", "workload.mute=on", "-o", "out");
    ended_with(1);
    says(err, "the workload did not finish");
    stats = get_file("out/stats.json");
    says(stats, "\"complete\": false");
}

Test(cli_run, a_folder_that_cannot_be_written_is_told_before_the_run)
{
    static const char *const folders[] = { "ticker.yaml", "ticker.yaml/out", "/proc/nowhere" };

    for (unsigned i = 0; i < G_N_ELEMENTS(folders); i++) {
        iovsim("run", "ticker.yaml", "-o", folders[i]);
        ended_with(2);
        says(err, folders[i]);
        is_text(out, "");
        iovsim("compare", "ticker.yaml", "--over", "seed=1,2", "-o", folders[i]);
        ended_with(2);
        is_text(out, "");
    }
    cr_assert(eq(uint, count_files("."), 1));
}

Test(cli_run, a_file_of_the_run_that_is_a_folder_leaves_the_others_alone)
{
    put_file("out/stats.csv/x", "");
    iovsim("run", "ticker.yaml", "-o", "out", "--quiet");
    ended_with(1);
    says(err, "out/stats.csv: cannot be replaced: Is a directory");
    cr_assert(eq(uint, count_files("out"), 1));
}

/* Mounts `size` of memory as a disk where nobody else sees it; true if that is allowed here. */
static bool on_small_disk(const char *size, const char *commands)
{
    g_autofree char *line = g_strdup_printf("mkdir -p disk; unshare -m%s sh -c 'mount -t tmpfs -o "
                                            "size=%s,mode=777 none disk || exit 99; %s'",
                                            geteuid() == 0 ? "" : "r", size, commands);

    shell(line);
    if (status != 99 && strstr(err, "unshare:") == NULL)
        return true;
    fprintf(stderr, "no private mount is allowed here; the full disk is not tested: %s", err);
    return false;
}

Test(cli_run, a_full_disk_leaves_nothing_half_written)
{
    if (!on_small_disk("8k",
                       "iovsim run ticker.yaml -o disk/out --quiet; echo $?; find disk -type f"))
        return;
    says(err, "No space left on device");
    is_text(out, "1\n");
}

Test(cli_run, a_full_disk_leaves_an_earlier_run_as_it_was)
{
    if (!on_small_disk(
            "32k", "iovsim run ticker.yaml -o disk/out --quiet || exit 98; cp -r disk/out before;"
                   "iovsim run ticker.yaml -o disk/out --quiet --seed 2; echo $?; diff -r disk/out "
                   "before"))
        return;
    says(err, "No space left on device");
    is_text(out, "1\n");
}

/* ---- Ctrl-C and the terminal ---- */

/* A run that never ends by itself, with its standard error on `terminal` (-1: on a pipe). */
static GSubprocess *start(const char *const *argv, int terminal)
{
    GSubprocessLauncher *launcher =
        launcher_new(terminal < 0 ? G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE
                                  : G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    GSubprocess *process;

    if (terminal >= 0)
        g_subprocess_launcher_take_stderr_fd(launcher, terminal);
    process = g_subprocess_launcher_spawnv(launcher, argv, NULL);
    cr_assert(ne(ptr, process, NULL));
    g_object_unref(launcher);
    return process;
}

static GSubprocess *start_endless(int terminal)
{
    static const char *const argv[] = {
        IOVSIM, "run", "ticker.yaml", "-o", "out", "--set", "workload.operations=1000000000000",
        NULL
    };

    return start(argv, terminal);
}

/* Whether a process has a handler for SIGINT, as /proc tells. */
static bool catches_interrupt(GSubprocess *process)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%s/status", g_subprocess_get_identifier(process));
    g_autofree char *text = NULL;
    const char *caught;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    caught = strstr(text, "SigCgt:");
    return caught != NULL &&
           g_ascii_strtoull(caught + strlen("SigCgt:"), NULL, 16) & 1u << (SIGINT - 1);
}

static void is_cut_but_whole(GSubprocess *process)
{
    g_autofree char *stats_text = NULL;
    g_autoptr(JsonNode) stats = NULL;

    cr_assert(g_subprocess_get_if_exited(process));
    cr_assert(eq(int, g_subprocess_get_exit_status(process), 1));
    cr_assert(eq(uint, count_files("out"), 5));
    stats_text = get_file("out/stats.json");
    stats = parse_json(stats_text);
    cr_assert(not(json_object_get_boolean_member(json_node_get_object(stats), "complete")));
}

static void interrupt_with(int number)
{
    g_autoptr(GSubprocess) process = start_endless(-1);

    while (!catches_interrupt(process))
        g_usleep(1000);
    g_subprocess_send_signal(process, number);
    cr_assert(g_subprocess_communicate_utf8(process, NULL, NULL, &out, &err, NULL));
    is_cut_but_whole(process);
    says(out, "(INCOMPLETE)");
    is_text(err, ""); /* no progress where there is no terminal */
}

Test(cli_run, ctrl_c_ends_a_run_with_its_statistics_so_far)
{
    interrupt_with(SIGINT);
}

Test(cli_run, a_polite_kill_is_like_ctrl_c)
{
    interrupt_with(SIGTERM);
}

/* A guest that polls with looks of a picosecond: simulated time hardly moves, and no slice of the
 * run ends. */
Test(cli_run, a_polite_kill_ends_a_run_whose_time_hardly_moves)
{
    static const char *const argv[] = { IOVSIM,
                                        "run",
                                        IOV_SOURCE_DIR "/configs/net-rr.yaml",
                                        "-o",
                                        "out",
                                        "--set",
                                        "strategy=eli",
                                        "--set",
                                        "workload.think-time=1s",
                                        "--set",
                                        "costs.pause.value=0ns",
                                        "--set",
                                        "costs.guest-idle-poll.value=1ps",
                                        NULL };
    g_autoptr(GSubprocess) process = start(argv, -1);

    while (!catches_interrupt(process))
        g_usleep(1000);
    g_subprocess_send_signal(process, SIGTERM);
    cr_assert(g_subprocess_communicate_utf8(process, NULL, NULL, &out, &err, NULL));
    is_cut_but_whole(process);
}

Test(cli_run, progress_is_shown_on_a_terminal)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal;
    g_autoptr(GSubprocess) process = NULL;
    GString *shown = g_string_new(NULL);
    char bytes[256];
    ssize_t count;

    cr_assert(ge(int, master, 0));
    cr_assert(eq(int, grantpt(master), 0));
    cr_assert(eq(int, unlockpt(master), 0));
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(ge(int, terminal, 0));
    process = start_endless(terminal);
    while (strstr(shown->str, "\033[K") == NULL && (count = read(master, bytes, sizeof bytes)) > 0)
        g_string_append_len(shown, bytes, count);
    g_subprocess_send_signal(process, SIGINT);
    while ((count = read(master, bytes, sizeof bytes)) > 0) /* EIO once the other side is closed */
        g_string_append_len(shown, bytes, count);
    cr_assert(g_subprocess_communicate_utf8(process, NULL, NULL, &out, NULL, NULL));
    is_cut_but_whole(process);
    says(shown->str, "s simulated, ");
    says(shown->str, "M events/s, ");
    says(shown->str, "x real time");
    says(shown->str, " %, ");
    says(shown->str, " s left");
    cr_assert(g_str_has_suffix(shown->str, "\r\033[K"), "the line is not cleared at the end");
    g_string_free(shown, TRUE);
    close(master);
}

Test(cli_run, progress_is_not_shown_where_there_is_no_terminal)
{
    iovsim("run", "ticker.yaml", "--set", "workload.operations=10000000"); /* half a second */
    ended_with(0);
    is_text(err, "");
}

Test(cli_run, ctrl_c_ends_a_comparison)
{
    static const char *const argv[] = { IOVSIM,
                                        "compare",
                                        "ticker.yaml",
                                        "--over",
                                        "seed=1,2",
                                        "--set",
                                        "workload.operations=1000000000000",
                                        NULL };
    g_autoptr(GSubprocessLauncher) launcher =
        launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GSubprocess) process = g_subprocess_launcher_spawnv(launcher, argv, NULL);

    while (!catches_interrupt(process))
        g_usleep(1000);
    g_subprocess_send_signal(process, SIGINT);
    cr_assert(g_subprocess_communicate_utf8(process, NULL, NULL, &out, &err, NULL));
    cr_assert(eq(int, g_subprocess_get_exit_status(process), 1));
}
