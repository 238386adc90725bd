/* SPDX-License-Identifier: Apache-2.0 */
/* What the command answers when it is asked: help, versions, kinds, the schema, wrong usage. */
#include "tests/bindings/cli/command.h"

TestSuite(cli, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* Wrong usage: status 2, nothing on stdout, one line on stderr. */
static void is_wrong_usage(const char *message)
{
    ended_with(2);
    is_text(out, "");
    says(err, message);
    cr_assert(eq(uint, count_lines(err), 1), "%s", err);
    cr_assert(g_str_has_prefix(err, "iovsim: "), "%s", err);
}

Test(cli, help_names_every_command_and_gives_examples)
{
    static const char *const commands[] = { "run",   "compare", "sensitivity", "explain",
                                            "check", "inspect", "schema" };

    iovsim("--help");
    ended_with(0);
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        says(out, commands[i]);
    says(out, "iovsim compare configs/net-rr.yaml");
    is_text(err, "");
}

Test(cli, each_command_has_help_with_its_options_and_an_example)
{
    static const char *const commands[] = { "run",   "compare", "sensitivity", "explain",
                                            "check", "inspect", "schema" };

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *usage = g_strdup_printf("iovsim %s [OPTION", commands[i]);

        iovsim(commands[i], "--help");
        ended_with(0);
        says(out, usage);
        says(out, "Example");
    }
    iovsim("run", "--help");
    says(out, "--set=KEY=VALUE");
    says(out, "--seed=N");
    says(out, "--quiet");
    says(out, "-o, --output=DIR");
}

Test(cli, without_a_command_it_shows_the_help_and_fails)
{
    run_argv((const char *const[]){ IOVSIM, NULL });
    ended_with(2);
    says(out, "Commands:");
}

Test(cli, says_its_version)
{
    iovsim("--version");
    ended_with(0);
    cr_assert(g_str_has_prefix(out, "iovsim 0."), "%s", out);
    cr_assert(eq(uint, count_lines(out), 1));
}

Test(cli, suggests_the_command_that_was_meant)
{
    iovsim("rum");
    is_wrong_usage("there is no command 'rum'; did you mean 'run'?");
    iovsim("--versoin");
    is_wrong_usage("there is no command '--versoin'; did you mean '--version'?");
    iovsim("bananas");
    is_wrong_usage("there is no command 'bananas'; see 'iovsim --help'");
}

Test(cli, suggests_the_option_that_was_meant)
{
    iovsim("run", "ticker.yaml", "--sede", "1");
    is_wrong_usage("--sede; did you mean '--seed'?");
    iovsim("compare", "ticker.yaml", "--ovre", "seed=1");
    is_wrong_usage("--ovre; did you mean '--over'?");
    iovsim("run", "ticker.yaml", "--bananas");
    is_wrong_usage("--bananas; see 'iovsim run --help'");
}

Test(cli, an_option_without_its_value_is_wrong)
{
    iovsim("run", "ticker.yaml", "-o");
    is_wrong_usage("Missing argument for -o");
}

Test(cli, wants_the_right_number_of_arguments)
{
    iovsim("run");
    is_wrong_usage("run takes one file");
    iovsim("run", "ticker.yaml", "other.yaml");
    is_wrong_usage("run takes one file");
    iovsim("compare");
    is_wrong_usage("compare takes one file");
    iovsim("check");
    is_wrong_usage("check takes one file or more");
    iovsim("inspect", "dram", "bus");
    is_wrong_usage("inspect takes one kind at most");
    iovsim("schema", "dram");
    is_wrong_usage("schema takes no argument");
}

Test(cli, inspect_lists_the_kinds_with_their_texts)
{
    iovsim("inspect");
    ended_with(0);
    says(out, "dram ");
    says(out, "Host memory with real bytes");
    says(out, "ticker ");
}

Test(cli, inspect_describes_every_row_of_a_kind)
{
    iovsim("inspect", "ticker");
    ended_with(0);
    says(out, "ticker: A workload that needs nothing");
    says(out, "1us                0ps..100s"); /* default and range in the unit of the row */
    says(out, "ticker-turn");
    says(out, "bell                     notify     initiator");
    says(out, "ticks");
}

Test(cli, inspect_suggests_the_kind_that_was_meant)
{
    iovsim("inspect", "tikcer");
    is_wrong_usage("there is no kind 'tikcer'; did you mean 'ticker'?");
    iovsim("inspect", "bananas");
    is_wrong_usage("there is no kind 'bananas'; 'iovsim inspect' lists them");
}

Test(cli, inspect_prints_json_that_a_program_can_read)
{
    g_autoptr(JsonNode) all = NULL, one = NULL;
    JsonArray *kinds;
    JsonObject *ticker;

    iovsim("inspect", "--json");
    ended_with(0);
    all = parse_json(out);
    cr_assert(json_node_get_node_type(all) == JSON_NODE_ARRAY);
    cr_assert(lt(uint, 5, json_array_get_length(json_node_get_array(all))));

    iovsim("inspect", "ticker", "--json");
    ended_with(0);
    one = parse_json(out);
    kinds = json_node_get_array(one);
    cr_assert(eq(uint, json_array_get_length(kinds), 1));
    ticker = json_array_get_object_element(kinds, 0);
    is_text(json_object_get_string_member(ticker, "kind"), "ticker");
    cr_assert(
        eq(uint, json_array_get_length(json_object_get_array_member(ticker, "properties")), 6));
    cr_assert(eq(uint, json_array_get_length(json_object_get_array_member(ticker, "ports")), 1));
}

Test(cli, schema_is_json_and_knows_the_kinds_of_plug_ins)
{
    g_autoptr(JsonNode) schema = NULL;

    iovsim("schema");
    ended_with(0);
    schema = parse_json(out);
    cr_assert(json_object_has_member(json_node_get_object(schema), "$schema"));
    says(out, "\"ticker\"");
    says(out, "\"dram\"");
}

Test(cli, a_missing_plug_in_folder_is_told)
{
    shell("IOVSIM_PLUGIN_PATH=/nowhere iovsim inspect");
    is_wrong_usage("plug-in folder /nowhere cannot be read");
}

Test(cli, a_file_that_is_no_plug_in_is_told)
{
    put_file("plugins/rubbish.so", "not a program");
    shell("IOVSIM_PLUGIN_PATH=plugins iovsim inspect");
    is_wrong_usage("rubbish.so");
}

Test(cli, output_that_cannot_be_written_is_a_failure)
{
    static const char *const lines[] = { "--version", "--help", "inspect", "schema",
                                         "run ticker.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *line = g_strdup_printf("iovsim %s > /dev/full", lines[i]);

        shell(line);
        ended_with(1);
        says(err, "iovsim: standard output: ");
    }
}

Test(cli, check_says_ok_for_a_good_file)
{
    iovsim("check", "ticker.yaml");
    ended_with(0);
    is_text(out, "ticker.yaml: ok\n");
    is_text(err, "");
}

Test(cli, check_goes_on_after_a_bad_file)
{
    put_file("bad.yaml", "iovsim: 1\nsede: 1\n");
    put_file("worse.yaml", "iovsim: 7\n");
    iovsim("check", "bad.yaml", "ticker.yaml", "worse.yaml");
    ended_with(2);
    is_text(out, "ticker.yaml: ok\n");
    says(err, "bad.yaml:2:1: a run file has no key 'sede'; did you mean 'seed'?");
    says(err, "worse.yaml:1:9: format version '7' is not known");
}

Test(cli, check_applies_set)
{
    iovsim("check", "ticker.yaml", "--set", "workload.operations=0");
    ended_with(2);
    says(err, "--set workload.operations: '0' is out of range");
}

Test(cli, the_manual_page_and_the_completion_know_every_command_and_option)
{
    g_autofree char *page = NULL, *completion = NULL;
    static const char *const words[] = { "run", "compare", "check", "inspect", "schema",
                                         "set", "seed",    "quiet", "over",    "json" };

    cr_assert(g_file_get_contents(IOV_SOURCE_DIR "/bindings/cli/iovsim.1", &page, NULL, NULL));
    cr_assert(
        g_file_get_contents(IOV_SOURCE_DIR "/bindings/cli/iovsim.bash", &completion, NULL, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        says(page, words[i]);
        says(completion, words[i]);
    }
}

Test(cli, the_completion_completes)
{
    shell("source " IOV_SOURCE_DIR "/bindings/cli/iovsim.bash;"
          "COMP_WORDS=(iovsim ins) COMP_CWORD=1; _iovsim; echo ${COMPREPLY[@]};"
          "COMP_WORDS=(iovsim inspect tick) COMP_CWORD=2; _iovsim; echo ${COMPREPLY[@]};"
          "COMP_WORDS=(iovsim run --se) COMP_CWORD=2; _iovsim; echo ${COMPREPLY[@]}");
    ended_with(0);
    is_text(out, "inspect\nticker ticker-vm\n--set --seed\n");
}
