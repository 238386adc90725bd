/* SPDX-License-Identifier: Apache-2.0 */
/* A whole platform as a module of the user's simulation. Each test is a process of its own. */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string>

#include "bindings/systemc/platform.hpp"

#define NET_RR IOV_SOURCE_DIR "/configs/net-rr.yaml"
static const std::vector<std::string> few = { "workload.operations=200", "workload.warmup=20" };

/* The results of a run folder, without the host's time. */
static std::string results_of(const std::string &folder)
{
    std::string path = folder + "/stats.json", kept;
    gchar *text = nullptr;

    cr_assert(g_file_get_contents(path.c_str(), &text, nullptr, nullptr));
    char **lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != nullptr; line++)
        if (strstr(*line, "wall_s") == nullptr)
            kept += std::string(*line) + "\n";
    g_strfreev(lines);
    g_free(text);
    return kept;
}

static std::string native_results(const std::string &folder)
{
    char **path = iov_data_path(NET_RR);
    const char *sets[] = { few[0].c_str(), few[1].c_str(), nullptr };
    struct iov_config_options options = { path, sets };
    struct iov_experiment *experiment = iov_experiment_open(NET_RR, &options, nullptr);

    cr_assert(iov_experiment_run(experiment, nullptr, nullptr));
    cr_assert(iov_experiment_write(experiment, folder.c_str(), nullptr, nullptr));
    iov_experiment_free(experiment);
    g_strfreev(path);
    return results_of(folder);
}

struct heart : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    unsigned beats = 0;

    SC_HAS_PROCESS(heart);
    explicit heart(sc_core::sc_module_name)
    {
        SC_METHOD(beat);
        sensitive << clock.pos();
    }
    void beat()
    {
        beats++;
    }
};

/* Looks at each clock whether the kernel has passed it. */
struct spectator : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    struct iov_kernel *kernel;
    unsigned looks = 0, early = 0;

    SC_HAS_PROCESS(spectator);
    spectator(sc_core::sc_module_name, struct iov_kernel *watched) : kernel(watched)
    {
        SC_METHOD(look);
        sensitive << clock.pos();
    }
    void look()
    {
        looks++;
        early += iov_now(kernel) > sc_core::sc_time_stamp().value();
    }
};

/* Runs beside a clocked module by `start` until the workload is done; the results must be those of
 * iovsim alone. */
static void expect_native_results(void (*start)(iovsim::platform &))
{
    char *folder = g_dir_make_tmp("iovsim-XXXXXX", nullptr);
    std::string native = native_results(std::string(folder) + "/native");
    iovsim::platform machine("machine", NET_RR, few);
    sc_core::sc_clock clock("clock", 3, sc_core::SC_US);
    heart heart("heart");

    heart.clock(clock);
    for (unsigned i = 0; i < 1000 && !machine.is_finished(); i++)
        start(machine);
    cr_assert(machine.is_finished());
    cr_assert_eq(machine.measure().operations, 200u);
    cr_assert_gt(heart.beats, 100u);
    machine.write(std::string(folder) + "/guest");
    cr_assert(results_of(std::string(folder) + "/guest") == native);
    gchar *remove = g_strdup_printf("rm -r '%s'", folder);
    cr_assert(g_spawn_command_line_sync(remove, nullptr, nullptr, nullptr, nullptr));
    g_free(remove);
    g_free(folder);
}

Test(platform, in_the_users_simulation_gives_the_results_of_a_run_of_its_own)
{
    expect_native_results([](iovsim::platform &) { sc_core::sc_start(100, sc_core::SC_US); });
}

Test(platform, that_knows_how_far_time_goes_gives_the_same_results)
{
    expect_native_results([](iovsim::platform &machine) { machine.start(100, sc_core::SC_US); });
}

/* How many activations it takes to let 1 ms pass. */
static uint64_t activations(void (*start)(iovsim::platform &))
{
    iovsim::platform machine("machine", NET_RR, few);
    uint64_t before;

    sc_core::sc_start(1, sc_core::SC_NS);
    before = sc_core::sc_delta_count();
    start(machine);
    return sc_core::sc_delta_count() - before;
}

Test(platform, that_knows_how_far_time_goes_runs_ahead)
{
    cr_assert_leq(activations([](iovsim::platform &machine) { machine.start(1, sc_core::SC_MS); }),
                  3u);
}

Test(platform, that_does_not_know_is_activated_at_each_event)
{
    cr_assert_gt(activations([](iovsim::platform &) { sc_core::sc_start(1, sc_core::SC_MS); }),
                 500u);
}

Test(platform, that_runs_ahead_never_passes_another_module)
{
    iovsim::platform machine("machine", NET_RR, few);
    struct iov_kernel *kernel = iov_platform_run(machine.parts())->kernel;
    sc_core::sc_clock clock("clock", 1, sc_core::SC_US);
    spectator spectator("spectator", kernel);

    spectator.clock(clock);
    machine.start(5, sc_core::SC_MS);
    cr_assert_gt(spectator.looks, 4900u);
    cr_assert_eq(spectator.early, 0u);
}

Test(platform, goes_no_further_than_sc_start)
{
    iovsim::platform machine("machine", NET_RR, few);
    struct iov_kernel *kernel = iov_platform_run(machine.parts())->kernel;

    for (unsigned i = 1; i <= 20; i++) {
        iov_time next;

        sc_core::sc_start(123, sc_core::SC_US);
        cr_assert_leq(iov_now(kernel), i * 123 * IOV_US);
        cr_assert(iov_kernel_next(kernel, &next));
        cr_assert_geq(next, i * 123 * IOV_US, "and all that is due has run");
    }
}

Test(platform, is_not_finished_before_its_workload_is)
{
    iovsim::platform machine("machine", NET_RR, few);
    char *folder = g_dir_make_tmp("iovsim-XXXXXX", nullptr);

    sc_core::sc_start(1, sc_core::SC_MS);
    cr_assert_not(machine.is_finished());
    machine.write(folder);
    cr_assert_neq(results_of(folder).find("\"complete\": false"), std::string::npos);
    gchar *remove = g_strdup_printf("rm -r '%s'", folder);
    cr_assert(g_spawn_command_line_sync(remove, nullptr, nullptr, nullptr, nullptr));
    g_free(remove);
    g_free(folder);
}

Test(platform, lets_the_user_stop_and_pause)
{
    iovsim::platform machine("machine", NET_RR, few);

    sc_core::sc_spawn([] {
        sc_core::wait(100, sc_core::SC_US);
        sc_core::sc_pause();
        sc_core::wait(100, sc_core::SC_US);
        sc_core::sc_stop();
    });
    sc_core::sc_start(1, sc_core::SC_MS);
    cr_assert_eq(sc_core::sc_time_stamp().value(), 100 * IOV_US);
    cr_assert_leq(iov_now(iov_platform_run(machine.parts())->kernel), 100 * IOV_US);
    sc_core::sc_start(1, sc_core::SC_MS);
    cr_assert_eq(sc_core::sc_time_stamp().value(), 200 * IOV_US);
    cr_assert_not(machine.is_finished());
}

/* What the constructor, or a look for a port, throws. */
template <typename Act> static std::string thrown_by(Act act)
{
    try {
        act();
    } catch (const std::exception &exception) {
        return exception.what();
    }
    return "";
}

static void expect_in(const std::string &text, const char *wanted)
{
    cr_assert(text.find(wanted) != std::string::npos, "'%s' is not in '%s'", wanted, text.c_str());
}

Test(mistakes, in_the_file_are_told_all_together)
{
    std::string text = thrown_by([] {
        iovsim::platform machine("machine", NET_RR, { "workload.sise=3", "seeed=1" });
    });

    expect_in(text, "iovsim: ");
    expect_in(text, "sise");
    expect_in(text, "seeed");
    text = thrown_by([] { iovsim::platform machine("machine2", "/no/such/file.yaml"); });
    expect_in(text, "/no/such/file.yaml");
}

Test(mistakes, in_names_are_told)
{
    iovsim::platform machine("machine", NET_RR);

    expect_in(thrown_by([&] { machine.target_socket("dram"); }), "'dram' is not part.port");
    expect_in(thrown_by([&] { machine.target_socket("ram.port"); }),
              "'ram.port' names no part of the platform");
    expect_in(thrown_by([&] { machine.target_socket("dram.pork"); }),
              "'dram.pork' names no port of the part");
    expect_in(thrown_by([&] { machine.target_socket("bus.windows"); }), "is no mem target");
    expect_in(thrown_by([&] { machine.initiator_socket("cpu0.bus"); }), "is wired");
    expect_in(thrown_by([&] { machine.initiator_socket("dram.port"); }), "is no mem initiator");
    expect_in(thrown_by([&] { machine.interrupt_in("ioapic.pins[99]"); }),
              "has an index that the port does not have");
    expect_in(thrown_by([&] { machine.interrupt_out("dram.port"); }), "is no irq source");
}

Test(mistakes, a_second_platform_is_told)
{
    iovsim::platform machine("machine", NET_RR, few);

    expect_in(thrown_by([] { iovsim::platform other("other", NET_RR); }),
              "a simulation is open in this process already");
    sc_core::sc_start(1, sc_core::SC_MS); /* the first is none the worse for it */
    cr_assert_gt(iov_kernel_events(iov_platform_run(machine.parts())->kernel), 100u);
}

Test(mistakes, a_platform_after_the_simulation_has_begun_is_told)
{
    {
        iovsim::platform machine("machine", NET_RR, few);
        sc_core::sc_start(1, sc_core::SC_MS);
    }
    expect_in(thrown_by([] { iovsim::platform other("other", NET_RR); }), "insert module failed");
}

Test(mistakes, a_tlm_target_that_nobody_is_bound_to_ends_the_run)
{
    iovsim::platform machine("machine", IOV_SOURCE_DIR "/tests/bindings/systemc/foreign.yaml");

    expect_in(thrown_by([] { sc_core::sc_start(1, sc_core::SC_MS); }),
              "device: a part of kind tlm-target needs a SystemC program");
}
