/* SPDX-License-Identifier: Apache-2.0 */
/* Bad input, seen through the command: status 2, every mistake with its place, nothing written. */
#include "tests/bindings/cli/command.h"

TestSuite(cli_input, .init = make_folder, .fini = remove_folder, .timeout = 10);

/* Runs bad.yaml: all messages are there, each on a line of its own, and nothing else happens. */
static void is_refused(const char *const *messages)
{
    unsigned count = 0;

    iovsim("run", "bad.yaml", "-o", "out");
    ended_with(2);
    for (; *messages != NULL; messages++, count++)
        says(err, *messages);
    cr_assert(eq(uint, count_lines(err), count), "%s", err);
    is_text(out, "");
    cr_assert(not(has_file("out")));
}
#define refuses(text, ...) \
    do { \
        put_file("bad.yaml", text); \
        is_refused((const char *const[]){ __VA_ARGS__, NULL }); \
    } while (0)

Test(cli_input, a_key_given_twice)
{
    refuses("iovsim: 1\nseed: 1\nseed: 2\n",
            "bad.yaml:3:1: key 'seed' is given twice; the first is in line 2");
}

Test(cli_input, a_second_document)
{
    refuses("iovsim: 1\n---\niovsim: 1\n", "bad.yaml:2:1: a second document begins here");
}

Test(cli_input, unknown_keys_at_every_level)
{
    refuses(TICKER_YAML "sede: 1\n",
            "bad.yaml:5:1: a run file has no key 'sede'; did you mean 'seed'?");
    refuses("iovsim: 1\nparts: {m: {kind: bus, sise: 1MiB}}\n",
            "bad.yaml:2:24: 'm', a part of kind 'bus', has no property 'sise'");
    refuses("iovsim: 1\nwires: [{form: a.b, to: c.d}]\n", "did you mean 'from'?",
            "a wire needs 'from: part.port'", "there is no part 'c'");
    refuses("iovsim: 1\ncosts: {c: {valeu: 1ns, source: estimate}}\n",
            "bad.yaml:2:13: a cost has no key 'valeu'; did you mean 'value'?",
            "cost 'c' has no 'value'");
}

Test(cli_input, an_unknown_kind)
{
    refuses("iovsim: 1\nparts: {m: {kind: drma}}\n",
            "bad.yaml:2:19: there is no kind 'drma'; did you mean 'dram'?");
}

Test(cli_input, a_missing_cost)
{
    refuses("iovsim: 1\ncosts: {dram-aces: 1ns}\nparts: {m: {kind: dram}}\n",
            "bad.yaml:3:19: 'costs' has no entry 'dram-access', which kind 'dram' needs");
    refuses("iovsim: 1\nparts: {m: {kind: dram}}\n",
            "bad.yaml:2:19: kind 'dram' needs 'dram-access' and the file has no 'costs'; write");
}

Test(cli_input, a_wrong_unit)
{
    refuses("iovsim: 1\nvms: [{kind: ticker-vm}]\ncosts: {ticker-turn: {source: x, value: 4KiB}}\n"
            "workload: {kind: ticker, latency: 4KiB, size: 3ns, operations: 2GHz, jitter: 5}\n",
            "bad.yaml:3:41: '4KiB' is a size; 'ticker-turn' wants a time such as 250ns",
            "bad.yaml:4:35: '4KiB' is a size; 'latency' wants a time such as 250ns",
            "bad.yaml:4:47: '3ns' is a time; 'size' wants a size such as 4KiB",
            "bad.yaml:4:64: '2GHz' is a frequency; 'operations' wants a plain number such as 256",
            "bad.yaml:4:78: '5' is a plain number; 'jitter' wants a time such as 250ns");
}

#define TICKER_WITH(workload) \
    "iovsim: 1\nvms: [{kind: ticker-vm}]\ncosts: {ticker-turn: {value: 1ns, source: x}}\n" \
    "workload: {kind: ticker, " workload "}\n"

Test(cli_input, a_value_out_of_range)
{
    refuses(TICKER_WITH("operations: 0, latency: 101s"),
            "bad.yaml:4:38: '0' is out of range; 'operations' of 'workload' goes from 1 to",
            "bad.yaml:4:50: '101s' is out of range; 'latency' of 'workload' goes from 0ps to 100s");
    refuses(TICKER_WITH("operations: -1, latency: 99999999999999999999s, mute: perhaps"),
            "bad.yaml:4:38: '-1' is negative",
            "bad.yaml:4:51: '99999999999999999999s' has too many digits",
            "bad.yaml:4:80: 'perhaps' is neither; 'mute' wants on or off");
}

Test(cli_input, a_reference_to_nothing)
{
    refuses("iovsim: 1\nparts: {cpu0: {kind: bus}, r: {kind: msi-router, cpus: [cpu1]}}\n"
            "costs: {interrupt-message: {value: 1ns, source: x}}\n",
            "bad.yaml:2:57: there is no part 'cpu1'; did you mean 'cpu0'?");
}

Test(cli_input, what_is_missing_is_missing_in_the_run_file_not_in_one_that_it_includes)
{
    put_file("below.yaml", "iovsim: 1\n");
    refuses("# A run.\niovsim: 1\ninclude: below.yaml\nworkload: {kind: ticker}\n",
            "bad.yaml:4:1: there are no 'vms' for what is made once for each");
    refuses("# A run.\niovsim: 1\ninclude: below.yaml\nparts: {b: {kind: bus, per: vm}}\n",
            "bad.yaml:2:1: there are no 'vms' for what is made once for each");
}

Test(cli_input, a_reference_to_a_part_that_does_not_do)
{
    refuses("iovsim: 1\nparts: {b: {kind: bus}, r: {kind: msi-router, cpus: [b]}}\n"
            "costs: {interrupt-message: {value: 1ns, source: x}}\n",
            "bad.yaml:2:35: r: cpus: 'b' is neither a processor nor a local APIC");
}

Test(cli_input, wires_that_do_not_fit)
{
    refuses(
        TICKER_WITH("") "parts: {b: {kind: bus}}\nwires:\n"
                        "- {from: workload.bell, to: b.port}\n- {from: workload.bel, to: b.port}\n"
                        "- {from: b.port, to: b.port}\n- {from: nobody.port, to: b}\n",
        "bad.yaml:7:3: 'workload.bell' is a port of type notify and 'b.port' of type mem",
        "bad.yaml:8:10: 'workload', a part of kind 'ticker', has no port 'bel'; did you mean "
        "'bell'?",
        "bad.yaml:9:3: 'b.port' and 'b.port' are both targets",
        "bad.yaml:10:10: there is no part 'nobody'", "bad.yaml:10:27: 'to' wants part.port");
}

Test(cli_input, windows_that_overlap)
{
    refuses("iovsim: 1\nparts: {b: {kind: bus}, m: {kind: dram, size: 1MiB}}\n"
            "costs: {dram-access: {value: 1ns, source: x}}\n"
            "wires:\n- {from: b.windows, to: m.port, at: 0}\n"
            "- {from: b.windows, to: m.port, at: 0x1000}\n",
            "bad.yaml:6:3: b: port 'windows': the window of 'm.port' at 0x1000 (0x100000 bytes) is "
            "empty or overlaps another");
}

Test(cli_input, all_mistakes_of_a_file_at_once)
{
    refuses("iovsim: 1\nsede: 1\nstop: 5KiB\nseed: many\nseed: 2\nworkload: {kind: tikcer}\n"
            "vms: [{name: a, kind: ticker-vm}, {name: a, kind: ticker-vm}]\n",
            "bad.yaml:5:1: key 'seed' is given twice", "bad.yaml:2:1", "bad.yaml:3:7",
            "bad.yaml:4:7", "bad.yaml:6:18: there is no kind 'tikcer'; did you mean 'ticker'?",
            "there are two parts 'a'");
}

Test(cli_input, a_mistake_on_the_command_line_names_the_option)
{
    iovsim("run", "ticker.yaml", "--set", "workload.opertions=5", "--set", "nonsense", "--seed",
           "many");
    ended_with(2);
    says(err, "--set workload.opertions: ");
    says(err, "did you mean 'operations'?");
    says(err, "--set nonsense");
    says(err, "'many' is not a number");
    cr_assert(eq(uint, count_lines(err), 3), "%s", err);
}

#define PARAMETER_YAML TICKER_YAML "parameters: {about: ticks, idle: 1}\ntitle: \"${about}\"\n"

Test(cli_input, a_parameter_on_the_command_line_that_nothing_uses)
{
    put_file("par.yaml", PARAMETER_YAML);
    iovsim("run", "par.yaml", "--set", "parameters.abuot=x", "--set", "parameters.idle=2", "-o",
           "out");
    ended_with(2);
    says(err, "--set parameters.abuot: nothing uses a parameter 'abuot'; did you mean 'about'?");
    says(err, "--set parameters.idle: nothing uses a parameter 'idle'");
    cr_assert(not(has_file("out")));
    iovsim("check", "par.yaml", "--set", "parameters.about=x");
    ended_with(0);
}

Test(cli_input, a_parameter_of_a_resolved_file_is_in_place)
{
    put_file("par.yaml", PARAMETER_YAML);
    iovsim("run", "par.yaml", "-o", "out", "--quiet");
    ended_with(0);
    iovsim("check", "out/resolved.yaml", "--set", "parameters.about=x");
    ended_with(2);
    says(err, "a resolved file has its parameters in place");
}

Test(cli_input, a_cost_on_the_command_line_that_no_kind_has)
{
    iovsim("run", "ticker.yaml", "--set", "costs.ticker-trun.value=1ns", "-o", "out");
    ended_with(2);
    says(err, "no kind has a cost 'ticker-trun'; did you mean 'ticker-turn'?");
    iovsim("check", "ticker.yaml", "--set", "costs.ticker-turn=1ns", "--set", "costs.vm-exit=1ns");
    ended_with(0);
}

Test(cli_input, a_comparison_sets_what_one_of_its_runs_has)
{
    put_file("a.yaml", "iovsim: 1\nparameters: {about: a}\ntitle: \"${about}\"\n");
    put_file("b.yaml", "iovsim: 1\n");
    iovsim("compare", "ticker.yaml", "--over", "include=a.yaml,b.yaml", "--set",
           "parameters.about=x");
    ended_with(0);
    iovsim("compare", "ticker.yaml", "--over", "include=a.yaml,b.yaml", "--set",
           "parameters.abuot=x");
    ended_with(2);
    is_text(err, "iovsim: --set parameters.abuot: nothing uses a parameter 'abuot'; did you mean "
                 "'about'?\n");
    iovsim("compare", "ticker.yaml", "--over", "parameters.about=on,off");
    ended_with(2);
    says(err, "nothing uses a parameter 'about'");
}

Test(cli_input, a_part_whose_name_is_mistyped)
{
    put_file("one.yaml", TICKER_YAML "parts: {ram: {kind: dram}}\n");
    iovsim("check", "one.yaml", "--set", "parts.rma.size=1MiB");
    ended_with(2);
    says(err, "'rma' needs a 'kind'; did you mean 'ram'?");
}

Test(cli_input, another_version_on_the_command_line)
{
    iovsim("run", "ticker.yaml", "--set", "iovsim=2");
    ended_with(2);
    is_text(err, "iovsim: --set iovsim: format version '2' is not known; this program reads 1\n");
}

Test(cli_input, an_unknown_kernel)
{
    iovsim("run", "ticker.yaml", "--kernel", "systemd", "-o", "out");
    ended_with(2);
    is_text(err, "iovsim: --kernel: there is no kernel 'systemd'; did you mean 'systemc'?\n");
    cr_assert(not(has_file("out")));
    iovsim("compare", "ticker.yaml", "--over", "seed=1,2", "--kernel", "fast", "-o", "out");
    ended_with(2);
    cr_assert(not(has_file("out")));
    is_text(err, "iovsim: --kernel: there is no kernel 'fast'; there are 'native' and 'systemc'\n");
}

Test(cli_input, no_version_and_another_version)
{
    refuses("seed: 1\n", "bad.yaml:1:1: the first key must be 'iovsim: 1'");
    refuses("iovsim: 2\n", "bad.yaml:1:9: format version '2' is not known; this program reads 1");
}

Test(cli_input, files_that_are_no_configuration)
{
    refuses("", "bad.yaml:1:1: empty");
    refuses("- 1\n- 2\n", "bad.yaml:1:1: the file must be a mapping");
    refuses("iovsim: 1\na: [1, 2\n", "bad.yaml:3:1: did not find expected ',' or ']'");
    refuses("iovsim: 1\n\xff\xfe\n", "bad.yaml:2:1: byte 0xff is not UTF-8");
    refuses("iovsim: 1\ntitle: !!python/object x\n", "bad.yaml:2:8: the tag");
    refuses("iovsim: 1\nparts: {<<: {a: b}}\n",
            "bad.yaml:2:9: the merge key '<<' is not supported");
}

Test(cli_input, a_mapping_that_holds_itself)
{
    refuses("a: &x {b: *x}\n", "bad.yaml:1:11: alias '*x' stands inside '&x': a cycle");
}

Test(cli_input, aliases_that_multiply)
{
    GString *bomb = g_string_new("iovsim: 1\nx-0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n");

    for (unsigned i = 1; i < 10; i++) {
        g_string_append_printf(bomb, "x-%u: &a%u [", i, i);
        for (unsigned k = 0; k < 10; k++)
            g_string_append_printf(bomb, "%s*a%u", k > 0 ? ", " : "", i - 1);
        g_string_append(bomb, "]\n");
    }
    refuses(bomb->str, "more than 100000 values");
    g_string_free(bomb, TRUE);
}

Test(cli_input, a_hundred_thousand_brackets)
{
    g_autofree char *brackets = g_strnfill(100000, '[');

    refuses(brackets, "bad.yaml:1:65: lists and mappings are nested more than 64 deep");
}

Test(cli_input, a_file_that_is_too_large)
{
    g_autofree char *filler = g_strnfill(5 << 20, '#');

    refuses(filler, "bad.yaml: larger than 4 MiB");
}

Test(cli_input, files_that_include_each_other)
{
    put_file("a.yaml", "iovsim: 1\ninclude: bad.yaml\n");
    refuses("iovsim: 1\ninclude: a.yaml\n",
            "a.yaml:2:10: files include each other: bad.yaml includes a.yaml includes bad.yaml");
    refuses("iovsim: 1\nextends: bad.yaml\n",
            "bad.yaml:2:10: files include each other: bad.yaml includes bad.yaml");
}

Test(cli_input, files_that_include_too_deep)
{
    for (unsigned i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("f%u.yaml", i);
        g_autofree char *text = g_strdup_printf("iovsim: 1\ninclude: f%u.yaml\n", i + 1);

        put_file(name, text);
    }
    put_file("f20.yaml", "iovsim: 1\n");
    refuses("iovsim: 1\ninclude: f0.yaml\n", "16");
}

Test(cli_input, parameters_that_are_not_there_or_use_each_other)
{
    refuses("iovsim: 1\nparameters: {size: 1}\ntitle: \"${sise}\"\n",
            "bad.yaml:3:8: there is no parameter 'sise'; did you mean 'size'?");
    refuses("iovsim: 1\nparameters: {a: \"${b}\", b: \"${a}\"}\ntitle: \"${a}\"\n",
            "bad.yaml:2:28: parameter 'a' is made of itself");
}

Test(cli_input, a_file_that_is_not_there)
{
    iovsim("run", "nowhere.yaml", "-o", "out");
    ended_with(2);
    is_text(err, "iovsim: cannot read 'nowhere.yaml': No such file or directory\n");
    refuses("iovsim: 1\ninclude: nowhere.yaml\n",
            "bad.yaml:2:10: no file 'nowhere.yaml'; looked in");
    refuses("iovsim: 1\ncosts: nowhere.yaml\n", "bad.yaml:2:8: no file 'nowhere.yaml'; looked in");
    refuses("iovsim: 1\nstrategy: nowhere\n",
            "bad.yaml:2:11: there is no strategy 'nowhere'; there are: none in the search path");
}

/* The first `size` bytes of a capture, with its link type changed. */
static void put_capture(gsize size, char link)
{
    g_autofree char *bytes = NULL, *path = in_folder("x.pcap");
    gsize length;

    cr_assert(
        g_file_get_contents(IOV_SOURCE_DIR "/tests/data/datagrams.pcap", &bytes, &length, NULL));
    bytes[20] = link;
    cr_assert(g_file_set_contents(path, bytes, (gssize)MIN(size, length), NULL));
}

Test(cli_input, a_capture_that_is_cut_off_or_of_another_link_type)
{
    const char *const text = "iovsim: 1\nparts: {far: {kind: pcap-source, file: ./x.pcap}}\n";

    put_capture(5000, 1);
    refuses(text, "bad.yaml:2:21: far: file: ");
    refuses(text, "x.pcap: after 11 frames: truncated dump file");
    put_capture(5000, 113);
    refuses(text, "its link type is LINUX_SLL; only Ethernet (EN10MB) can arrive at a NIC");
}

Test(cli_input, a_strategy_that_is_nearly_there)
{
    put_file("platforms/strategies/fast-lane.yaml", "iovsim: 1\n");
    refuses("iovsim: 1\nstrategy: fats-lane\n",
            "bad.yaml:2:11: there is no strategy 'fats-lane'; there are: fast-lane; did you mean "
            "'fast-lane'?");
}

Test(cli_input, a_folder_instead_of_a_file)
{
    put_file("sub/x", "");
    iovsim("run", "sub");
    ended_with(2);
    is_text(err, "iovsim: cannot read 'sub': Is a directory\n");
    refuses("iovsim: 1\ninclude: sub\n", "bad.yaml:2:10: cannot read 'sub': Is a directory");
}

Test(cli_input, a_device_that_never_ends)
{
    iovsim("run", "/dev/zero");
    ended_with(2);
    says(err, "/dev/zero: larger than 4 MiB");
}

Test(cli_input, a_file_far_away_is_named_by_the_shortest_path)
{
    put_file("platforms/parts/base.yaml", "iovsim: 1\nsede: 1\n");
    put_file("platforms/strategies/lane.yaml",
             "iovsim: 1\ninclude: ../parts/base.yaml\nparst: 1\n");
    refuses("iovsim: 1\nstrategy: lane\n", "iovsim: platforms/parts/base.yaml:2:1: ",
            "iovsim: platforms/strategies/lane.yaml:3:1: ");
}
