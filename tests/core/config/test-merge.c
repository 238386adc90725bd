/* SPDX-License-Identifier: Apache-2.0 */
/* From files to one tree: extends, include, parameters and --set, with the errors of each. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/config/merge.h"

/* A folder with files of the test's own, and a loader. */
static char *folder;
static struct iov_sources sources;

static void setup(void)
{
    folder = g_dir_make_tmp("iov-XXXXXX", NULL);
    cr_assert(zero(int, g_chdir(folder)));
    g_mkdir("sub", 0755);
    g_mkdir("lib", 0755);
    sources.tree = iov_tree_new();
    sources.diagnostics = iov_diagnostics_new();
}

static void remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_tree(child);
        g_remove(child);
        g_free(child);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

static void teardown(void)
{
    iov_tree_free(sources.tree);
    iov_diagnostics_free(sources.diagnostics);
    remove_tree(folder);
    g_rmdir(folder);
    g_free(folder);
}

TestSuite(merge, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
    cr_assert(g_file_set_contents(name, text, -1, NULL));
}

static struct iov_node *load(const char *name)
{
    return iov_sources_read(&sources, name, (struct iov_origin){ 0 });
}

static void expect_tree(const struct iov_node *root, const char *text)
{
    if (iov_diagnostics_count(sources.diagnostics) > 0)
        cr_fatal("%s", iov_diagnostics_message(sources.diagnostics, 0));
    char *written = iov_tree_write(root);
    struct iov_node *wanted =
        iov_tree_parse(sources.tree, "wanted", text, strlen(text), sources.diagnostics);
    cr_assert(iov_node_equal(root, wanted), "%s", written);
    g_free(written);
}

static void expect_messages(const char *const *messages)
{
    unsigned count = 0;

    for (; messages[count] != NULL; count++) {
        cr_assert(lt(uint, count, iov_diagnostics_count(sources.diagnostics)), "no: %s",
                  messages[count]);
        cr_assert_str_eq(iov_diagnostics_message(sources.diagnostics, count), messages[count]);
    }
    cr_assert(eq(uint, iov_diagnostics_count(sources.diagnostics), count));
}
#define expect_messages(...) expect_messages((const char *const[]){ __VA_ARGS__, NULL })

Test(merge, lays_the_including_file_over_the_included)
{
    put("base.yaml", "iovsim: 1\nparts: {a: {x: 1, y: 2}, b: {z: 3}}\nlist: [1, 2]\n");
    put("run.yaml", "iovsim: 1\ninclude: base.yaml\nparts: {a: {y: 9}, c: 4}\nlist: [3]\n");
    expect_tree(load("run.yaml"),
                "{iovsim: 1, parts: {a: {x: 1, y: 9}, b: {z: 3}, c: 4}, list: [3]}");
}

Test(merge, includes_a_list_of_files_the_later_over_the_earlier)
{
    put("a.yaml", "iovsim: 1\nx: a\ny: a\n");
    put("b.yaml", "iovsim: 1\ny: b\nz: b\n");
    put("run.yaml", "iovsim: 1\ninclude: [a.yaml, b.yaml]\nz: run\n");
    expect_tree(load("run.yaml"), "{iovsim: 1, x: a, y: b, z: run}");
}

Test(merge, appends_the_lists_that_are_named_when_including_but_not_when_extending)
{
    const char *const appended[] = { "wires", NULL };

    sources.appended = appended;
    put("base.yaml", "iovsim: 1\nwires: [1]\nother: [1]\n");
    put("more.yaml", "iovsim: 1\nwires: [2]\n");
    put("run.yaml", "iovsim: 1\ninclude: [base.yaml, more.yaml]\nwires: [3, 4]\nother: [2]\n");
    expect_tree(load("run.yaml"), "{iovsim: 1, wires: [1, 2, 3, 4], other: [2]}");
    put("top.yaml", "iovsim: 1\nextends: run.yaml\nwires: [5]\n");
    expect_tree(load("top.yaml"), "{iovsim: 1, wires: [5], other: [2]}");
}

Test(merge, puts_the_extended_base_below_the_included)
{
    put("base.yaml", "iovsim: 1\nx: base\ny: base\n");
    put("inc.yaml", "iovsim: 1\ny: inc\n");
    put("run.yaml", "iovsim: 1\nextends: base.yaml\ninclude: inc.yaml\n");
    expect_tree(load("run.yaml"), "{iovsim: 1, x: base, y: inc}");
}

Test(merge, looks_beside_the_file_and_then_in_the_search_path)
{
    const char *const path[] = { "lib", NULL };

    sources.search_path = path;
    put("sub/near.yaml", "iovsim: 1\nnear: sub\n");
    put("lib/near.yaml", "iovsim: 1\nnear: lib\n");
    put("lib/far.yaml", "iovsim: 1\nfar: lib\n");
    put("sub/run.yaml", "iovsim: 1\ninclude: [near.yaml, far.yaml]\n");
    expect_tree(load("sub/run.yaml"), "{iovsim: 1, near: sub, far: lib}");
}

Test(merge, says_where_it_looked_for_a_missing_file)
{
    const char *const path[] = { "lib", NULL };

    sources.search_path = path;
    put("sub/run.yaml", "iovsim: 1\ninclude: gone.yaml\n");
    load("sub/run.yaml");
    expect_messages("sub/run.yaml:2:10: no file 'gone.yaml'; looked in 'sub', 'lib'");
}

Test(merge, shows_the_chain_of_an_include_cycle)
{
    put("a.yaml", "iovsim: 1\ninclude: b.yaml\n");
    put("b.yaml", "iovsim: 1\ninclude: sub/../a.yaml\n");
    load("a.yaml");
    expect_messages(
        "b.yaml:2:10: files include each other: a.yaml includes b.yaml includes a.yaml");
}

Test(merge, bounds_the_depth_of_includes)
{
    for (int i = 0; i < 20; i++) {
        char *name = g_strdup_printf("f%d.yaml", i);
        char *text = g_strdup_printf("iovsim: 1\ninclude: f%d.yaml\n", i + 1);
        put(name, text);
        g_free(name);
        g_free(text);
    }
    load("f0.yaml");
    expect_messages("f15.yaml:2:10: files include files more than 16 deep");
}

Test(merge, bounds_the_number_of_files)
{
    put("f9.yaml", "iovsim: 1\n");
    for (int i = 0; i < 9; i++) {
        char *name = g_strdup_printf("f%d.yaml", i);
        char *text = g_strdup_printf("iovsim: 1\ninclude: [f%d.yaml, f%d.yaml]\n", i + 1, i + 1);
        put(name, text);
        g_free(name);
        g_free(text);
    }
    load("f0.yaml");
    cr_assert(ge(uint, iov_diagnostics_count(sources.diagnostics), 1));
    cr_assert(strstr(iov_diagnostics_message(sources.diagnostics, 0),
                     "more than 256 files are included") != NULL);
}

Test(merge, wants_the_version_of_the_format_on_top)
{
    put("none.yaml", "seed: 1\n");
    put("late.yaml", "seed: 1\niovsim: 1\n");
    put("new.yaml", "iovsim: 2\n");
    put("list.yaml", "[iovsim]\n");
    load("none.yaml");
    load("late.yaml");
    load("new.yaml");
    load("list.yaml");
    expect_messages(
        "none.yaml:1:1: the first key must be 'iovsim: 1', the version of the format",
        "late.yaml:1:1: the first key must be 'iovsim: 1', the version of the format",
        "new.yaml:1:9: format version '2' is not known; this program reads 1",
        "list.yaml:1:1: the file must be a mapping that begins with 'iovsim: 1'; it is a list");
}

Test(merge, takes_a_fragment_of_a_cost_table_without_version)
{
    put("part.yaml", "costs: {a: 1ns}\n");
    put("run.yaml", "iovsim: 1\ninclude: part.yaml\ncosts: {b: 2ns}\n");
    expect_tree(load("run.yaml"), "{iovsim: 1, costs: {a: 1ns, b: 2ns}}");
}

static struct iov_node *text_tree(const char *text)
{
    return iov_tree_parse(sources.tree, "f.yaml", text, strlen(text), sources.diagnostics);
}

static void set(struct iov_node *root, const char *assignment)
{
    iov_tree_set(sources.tree, root, assignment, sources.diagnostics);
}

Test(merge, sets_values_by_path_the_last_one_winning)
{
    struct iov_node *root = text_tree("{vms: [{memory: 1GiB}, {memory: 1GiB}], seed: 1}");

    set(root, "vms[0].memory=2GiB");
    set(root, "vms.1.memory=3GiB");
    set(root, "seed=4");
    set(root, "seed=5");
    set(root, "workload.kind=ping");
    set(root, "list=[a, {b: c}]");
    set(root, "title=a = b");
    set(root, "nothing=");
    expect_tree(root, "{vms: [{memory: 2GiB}, {memory: 3GiB}], seed: 5, workload: {kind: ping}, "
                      "list: [a, {b: c}],"
                      " title: a = b, nothing: }");
    cr_assert_str_eq(iov_node_get(root, "seed")->origin.file, "--set seed");
    cr_assert(eq(uint, iov_node_get(root, "seed")->origin.line, 0));
}

Test(merge, says_why_a_path_cannot_be_set)
{
    struct iov_node *root = text_tree("{vms: [{memory: 1GiB}], seed: 1}");

    set(root, "vms[1].memory=2GiB");
    set(root, "vms.first=2GiB");
    set(root, "seed.x=1");
    set(root, "seed");
    set(root, "=1");
    set(root, "a..b=1");
    set(root, "vms[0=1");
    expect_messages("--set vms[1].memory: there is no entry 1; the list has 1, counted from 0",
                    "--set vms.first: 'first' is no index, and this is a list of 1",
                    "--set seed.x: 'x' cannot be reached: above it is a single value",
                    "--set seed: write PATH=VALUE, as in --set vms[0].memory=2GiB",
                    "--set : write PATH=VALUE, as in --set vms[0].memory=2GiB",
                    "--set a..b: write PATH=VALUE, as in --set vms[0].memory=2GiB",
                    "--set vms[0: write PATH=VALUE, as in --set vms[0].memory=2GiB");
}

Test(merge, says_that_a_set_value_is_no_yaml)
{
    struct iov_node *root = text_tree("{seed: 1}");

    set(root, "seed=[1");
    cr_assert(eq(uint, iov_diagnostics_count(sources.diagnostics), 1));
    cr_assert(g_str_has_prefix(iov_diagnostics_message(sources.diagnostics, 0), "--set seed:"));
}

static void substitute(struct iov_node *root)
{
    iov_tree_substitute(sources.tree, root, sources.diagnostics, NULL);
}

Test(merge, substitutes_parameters_in_whole_and_in_part)
{
    struct iov_node *root =
        text_tree("parameters: {n: 3, unit: ns, both: '${n}${unit}', list: [1, '${n}'], e: }\n"
                  "a: '${n}'\nb: x${n}y${unit}\nc: ${list}\nd: ['${both}']\nf: ${e}\n");

    substitute(root);
    expect_tree(
        root,
        "{parameters: {n: 3, unit: ns, both: 3ns, list: [1, 3], e: }, a: 3, b: x3yns, c: [1, 3],"
        " d: [3ns], f: }");
}

Test(merge, keeps_an_escaped_dollar_as_text_also_when_written_and_read_again)
{
    struct iov_node *root =
        text_tree("parameters: {n: 3, d: 'a$${n}'}\na: $${n}\nb: $$${n}\nc: ${d}\ne: $5 {}\n");

    substitute(root);
    cr_assert_str_eq(iov_node_text(root, "a"), "${n}");
    cr_assert_str_eq(iov_node_text(root, "b"), "$${n}");
    cr_assert_str_eq(iov_node_text(root, "c"), "a${n}");
    char *written = iov_tree_write(root);
    struct iov_node *again = text_tree(written);
    substitute(again);
    cr_assert(iov_node_equal(root, again), "%s", written);
    g_free(written);
    cr_assert(eq(uint, iov_diagnostics_count(sources.diagnostics), 0));
}

Test(merge, reports_the_mistakes_of_parameters)
{
    struct iov_node *root = text_tree("parameters: {queue-size: 1, a: '${b}', b: 'x${a}', l: [1]}\n"
                                      "p: '${queue-sise}'\n"
                                      "q: '${queue-size'\n"
                                      "r: 'x${l}'\n");

    substitute(root);
    expect_messages("f.yaml:1:43: parameter 'a' is made of itself",
                    "f.yaml:2:4: there is no parameter 'queue-sise'; did you mean 'queue-size'?",
                    "f.yaml:3:4: '${' without '}'; for the text '${' write '$${'",
                    "f.yaml:4:4: parameter 'l' is a list and cannot be a part of a text");
}

Test(merge, bounds_the_text_that_parameters_make)
{
    GString *text = g_string_new("parameters:\n  p0: xxxxxxxxxxxxxxxx\n");

    for (int i = 1; i < 15; i++) {
        g_string_append_printf(text, "  p%d: 'a", i);
        for (int j = 0; j < 8; j++)
            g_string_append_printf(text, "${p%d}", i - 1);
        g_string_append(text, "'\n");
    }
    struct iov_node *root = text_tree(text->str);
    substitute(root);
    cr_assert(ge(uint, iov_diagnostics_count(sources.diagnostics), 1));
    cr_assert(strstr(iov_diagnostics_message(sources.diagnostics, 0),
                     "make a text of more than 64 KiB") != NULL);
    g_string_free(text, TRUE);
}

Test(merge, bounds_the_values_that_parameters_make)
{
    GString *text = g_string_new("parameters:\n  p0: [x, x, x, x, x, x, x, x]\n");

    for (int i = 1; i < 12; i++)
        g_string_append_printf(text, "  p%d: ['${p%d}', '${p%d}', '${p%d}', '${p%d}']\n", i, i - 1,
                               i - 1, i - 1, i - 1);
    struct iov_node *root = text_tree(text->str);
    substitute(root);
    cr_assert(eq(uint, iov_diagnostics_count(sources.diagnostics), 1));
    cr_assert(strstr(iov_diagnostics_message(sources.diagnostics, 0), "more than 100000 values") !=
              NULL);
    g_string_free(text, TRUE);
}

Test(merge, bounds_the_chain_of_parameters)
{
    GString *text = g_string_new("parameters:\n");

    for (int i = 0; i < 30; i++)
        g_string_append_printf(text, "  p%d: '${p%d}'\n", i, i + 1);
    g_string_append(text, "  p30: end\n");
    struct iov_node *root = text_tree(text->str);
    substitute(root);
    cr_assert(ge(uint, iov_diagnostics_count(sources.diagnostics), 1));
    cr_assert(strstr(iov_diagnostics_message(sources.diagnostics, 0), "more than 16 deep") != NULL);
    g_string_free(text, TRUE);
}
