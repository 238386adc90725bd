/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML text to tree and back: structure, places, and an error with its place for everything that a
 * configuration must not say.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/config/tree.h"
#include "core/object/file.h"

struct parsed {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    struct iov_node *root;
};

static struct parsed parse_bytes(const char *text, size_t length)
{
    struct parsed parsed = { iov_tree_new(), iov_diagnostics_new(), NULL };

    parsed.root = iov_tree_parse(parsed.tree, "f.yaml", text, length, parsed.diagnostics);
    return parsed;
}

static struct parsed parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void finish(struct parsed *parsed)
{
    iov_tree_free(parsed->tree);
    iov_diagnostics_free(parsed->diagnostics);
}

/* The text must lead to exactly one message, this one. */
static void expect_error_bytes(const char *text, size_t length, const char *message)
{
    struct parsed parsed = parse_bytes(text, length);

    cr_assert(eq(uint, iov_diagnostics_count(parsed.diagnostics), 1), "for: %.60s", text);
    cr_assert_str_eq(iov_diagnostics_message(parsed.diagnostics, 0), message);
    finish(&parsed);
}

static void expect_error(const char *text, const char *message)
{
    expect_error_bytes(text, strlen(text), message);
}

Test(tree, knows_scalars_sequences_and_mappings)
{
    struct parsed p = parse("iovsim: 1\nlist: [a, {b: c}]\nempty:\nquoted: \"\"\n");

    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 0));
    cr_assert_str_eq(iov_node_text(p.root, "iovsim"), "1");
    struct iov_node *list = iov_node_get(p.root, "list");
    cr_assert(eq(uint, list->count, 2));
    cr_assert_str_eq(iov_node_text(iov_node_at(list, 1), "b"), "c");
    cr_assert(iov_node_is_empty(iov_node_get(p.root, "empty")));
    cr_assert_not(iov_node_is_empty(iov_node_get(p.root, "quoted")));
    cr_assert_null(iov_node_get(p.root, "nothing"));
    finish(&p);
}

Test(tree, keeps_the_place_of_key_and_value)
{
    struct parsed p = parse("iovsim: 1\nparts:\n  nic: e1000\n");
    struct iov_node *nic = iov_node_get(iov_node_get(p.root, "parts"), "nic");

    cr_assert_str_eq(nic->origin.file, "f.yaml");
    cr_assert(eq(uint, nic->key_origin.line, 3));
    cr_assert(eq(uint, nic->key_origin.column, 3));
    cr_assert(eq(uint, nic->origin.line, 3));
    cr_assert(eq(uint, nic->origin.column, 8));
    finish(&p);
}

Test(tree, takes_every_scalar_as_text)
{
    struct parsed p = parse("a: no\nb: 1.10\nc: 12:30:00\nd: ~\n");

    cr_assert_str_eq(iov_node_text(p.root, "a"), "no");
    cr_assert_str_eq(iov_node_text(p.root, "b"), "1.10");
    cr_assert_str_eq(iov_node_text(p.root, "c"), "12:30:00");
    cr_assert_str_eq(iov_node_text(p.root, "d"), "~");
    finish(&p);
}

Test(tree, expands_an_alias_into_a_copy)
{
    struct parsed p = parse("a: &x {b: 1}\nc: *x\n");
    struct iov_node *a = iov_node_get(p.root, "a"), *c = iov_node_get(p.root, "c");

    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 0));
    cr_assert(ne(ptr, a->children, c->children));
    cr_assert_str_eq(iov_node_text(c, "b"), "1");
    finish(&p);
}

Test(tree, reports_a_duplicate_key_and_goes_on)
{
    struct parsed p = parse("a: 1\nb: 2\na: {c: 3}\nb: 4\n");

    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 2));
    cr_assert_str_eq(iov_diagnostics_message(p.diagnostics, 0),
                     "f.yaml:3:1: key 'a' is given twice; the first is in line 1");
    cr_assert_str_eq(iov_diagnostics_message(p.diagnostics, 1),
                     "f.yaml:4:1: key 'b' is given twice; the first is in line 2");
    cr_assert_str_eq(iov_node_text(p.root, "a"), "1");
    finish(&p);
}

Test(tree, refuses_a_second_document)
{
    expect_error("a: 1\n---\nb: 2\n",
                 "f.yaml:2:1: a second document begins here; a file holds one");
}

Test(tree, refuses_the_merge_key_and_names_what_to_use)
{
    expect_error(
        "a: {b: 1}\nc: {<<: {d: 1}}\n",
        "f.yaml:2:5: the merge key '<<' is not supported; use 'extends: FILE' or 'include: FILE'");
}

Test(tree, refuses_a_tag)
{
    expect_error("a: !!int 3\n",
                 "f.yaml:1:4: the tag 'tag:yaml.org,2002:int' is not supported; leave it out");
}

Test(tree, refuses_a_key_that_is_a_collection)
{
    expect_error("? [a, b]\n: 1\n", "f.yaml:1:3: a key must be a single word, not a list");
}

Test(tree, refuses_an_alias_as_key)
{
    expect_error("a: &x b\n*x : 1\n", "f.yaml:2:1: an alias cannot be a key");
}

Test(tree, refuses_an_alias_without_anchor)
{
    expect_error("a: *x\n", "f.yaml:1:4: alias '*x' stands for no anchor '&x' above");
}

Test(tree, refuses_an_alias_inside_its_own_anchor)
{
    expect_error("a: &x {b: *x}\n", "f.yaml:1:11: alias '*x' stands inside '&x': a cycle");
}

Test(tree, says_where_the_syntax_is_wrong)
{
    struct parsed p = parse("a: 1\nb: [1, 2\nc: 3\n");

    cr_assert_null(p.root);
    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 1));
    cr_assert(g_str_has_prefix(iov_diagnostics_message(p.diagnostics, 0), "f.yaml:3:"));
    finish(&p);
}

Test(tree, stops_at_an_alias_bomb)
{
    GString *bomb = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");

    for (int i = 1; i < 30; i++)
        g_string_append_printf(bomb, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
                               i - 1, i - 1);
    struct parsed p = parse(bomb->str);
    cr_assert_null(p.root);
    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 1));
    cr_assert(strstr(iov_diagnostics_message(p.diagnostics, 0),
                     "more than 100000 values, counting each use of an alias") != NULL);
    finish(&p);
    g_string_free(bomb, TRUE);
}

Test(tree, stops_at_the_first_level_that_is_too_deep)
{
    char *text = g_strnfill(100000, '[');

    expect_error(text, "f.yaml:1:65: lists and mappings are nested more than 64 deep");
    g_free(text);
}

Test(tree, accepts_64_levels)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; i < 64; i++)
        g_string_append_c(text, '[');
    for (int i = 0; i < 64; i++)
        g_string_append_c(text, ']');
    struct parsed p = parse(text->str);
    cr_assert(eq(uint, iov_diagnostics_count(p.diagnostics), 0));
    finish(&p);
    g_string_free(text, TRUE);
}

Test(tree, counts_the_depth_of_what_an_alias_stands_for)
{
    GString *text = g_string_new("a: &x ");

    for (int i = 0; i < 40; i++)
        g_string_append_c(text, '[');
    for (int i = 0; i < 40; i++)
        g_string_append_c(text, ']');
    g_string_append(text, "\nb: ");
    for (int i = 0; i < 40; i++)
        g_string_append_c(text, '[');
    g_string_append(text, "*x");
    for (int i = 0; i < 40; i++)
        g_string_append_c(text, ']');
    struct parsed p = parse(text->str);
    cr_assert_null(p.root);
    cr_assert(strstr(iov_diagnostics_message(p.diagnostics, 0), "nested more than 64 deep") !=
              NULL);
    finish(&p);
    g_string_free(text, TRUE);
}

Test(tree, refuses_a_file_over_4_mib)
{
    char *text = g_strnfill(4 * 1024 * 1024 + 1, ' ');

    expect_error(text, "f.yaml: larger than 4 MiB");
    g_free(text);
}

Test(tree, refuses_an_empty_text)
{
    expect_error("", "f.yaml:1:1: empty; nothing is said here");
    expect_error("# only a comment\n", "f.yaml:1:1: empty; nothing is said here");
}

Test(tree, refuses_bytes_that_are_not_utf8)
{
    expect_error("a: 1\nb: \xff\n", "f.yaml:2:4: byte 0xff is not UTF-8 text");
    expect_error_bytes("a: b\0c\n", 7, "f.yaml:1:5: byte 0x00 is not UTF-8 text");
    expect_error("\xff\xfe"
                 "a",
                 "f.yaml:1:1: byte 0xff is not UTF-8 text");
}

Test(tree, refuses_an_escaped_nul)
{
    expect_error("a: \"b\\0c\"\n", "f.yaml:1:4: the text contains a NUL character");
}

Test(tree, says_that_a_file_is_missing_or_a_directory)
{
    struct parsed p = { iov_tree_new(), iov_diagnostics_new(), NULL };
    struct iov_origin from = { "run.yaml", 2, 10 };

    cr_assert_null(iov_tree_parse_file(p.tree, "/nonexistent/a.yaml", from, p.diagnostics));
    cr_assert_null(iov_tree_parse_file(p.tree, "/", from, p.diagnostics));
    cr_assert_str_eq(iov_diagnostics_message(p.diagnostics, 0),
                     "run.yaml:2:10: cannot read '/nonexistent/a.yaml': No such file or directory");
    cr_assert_str_eq(iov_diagnostics_message(p.diagnostics, 1),
                     "run.yaml:2:10: cannot read '/': Is a directory");
    finish(&p);
}

Test(tree, does_not_read_an_endless_file_to_its_end)
{
    struct parsed p = { iov_tree_new(), iov_diagnostics_new(), NULL };

    cr_assert(zero(
        ptr, iov_tree_parse_file(p.tree, "/dev/zero", (struct iov_origin){ 0 }, p.diagnostics)));
    cr_assert_str_eq(iov_diagnostics_message(p.diagnostics, 0), "/dev/zero: larger than 4 MiB");
    finish(&p);
}

static void expect_round_trip(const char *text)
{
    struct parsed first = parse(text);
    cr_assert(eq(uint, iov_diagnostics_count(first.diagnostics), 0), "for: %s", text);
    char *written = iov_tree_write(first.root);
    struct parsed second = parse(written);
    cr_assert(eq(uint, iov_diagnostics_count(second.diagnostics), 0), "written: %s", written);
    cr_assert(iov_node_equal(first.root, second.root), "written: %s", written);
    char *again = iov_tree_write(second.root);
    cr_assert_str_eq(written, again);
    g_free(again);
    g_free(written);
    finish(&first);
    finish(&second);
}

Test(tree, writes_what_reads_back_as_the_same)
{
    expect_round_trip("a: {b: [1, [2, {}], []], c: , d: ''}\ne: \"x: y # z\"\n");
    expect_round_trip("a: |\n  two\n  lines\nb: \"tab\\t\\e\\u2028\\x85\"\nc: \" padded \"\n");
    expect_round_trip("\"\": 1\n\" \": 2\n\"a: b\": '- c'\n? \"line\\nbreak\"\n: 3\n\"<<\": 4\n");
    expect_round_trip(
        "a: \"*x\"\nb: '&y'\nc: '!z'\nd: '%'\ne: '---'\nf: '...'\ng: \"'\"\nh: '\"'\n");
    expect_round_trip("plain");
    expect_round_trip("''");
    expect_round_trip("\xc3\xa4: \xe2\x82\xac\nb: \xf0\x9f\x98\x80\n");
}

Test(tree, suggests_the_nearest_word)
{
    const char *const words[] = { "frequency", "cores", "memory", "queue-size", NULL };

    cr_assert_str_eq(iov_suggest("frequenzy", words), "frequency");
    cr_assert_str_eq(iov_suggest("memroy", words), "memory");
    cr_assert_str_eq(iov_suggest("Cores", words), "cores");
    cr_assert_str_eq(iov_suggest("queue_size", words), "queue-size");
    cr_assert_null(iov_suggest("wire", words));
    cr_assert_null(iov_suggest("", words));
}

Test(tree, turns_all_messages_into_one_error)
{
    struct iov_diagnostics *d = iov_diagnostics_new();
    const char *const words[] = { "kind", NULL };
    GError *error = NULL;

    cr_assert(iov_diagnostics_clear_or_raise(d, &error));
    iov_diagnostics_add(d, (struct iov_origin){ "a.yaml", 1, 2 }, "wrong %d", 7);
    iov_diagnostics_add(d, (struct iov_origin){ "a.yaml", 1, 2 }, "wrong %d", 7);
    iov_diagnostics_add_near(d, (struct iov_origin){ "--set x", 0, 0 }, "knid", words, "no '%s'",
                             "knid");
    iov_diagnostics_add(d, (struct iov_origin){ 0 }, "two\nlines");
    cr_assert_not(iov_diagnostics_clear_or_raise(d, &error));
    cr_assert(error->domain == IOV_ERROR && error->code == IOV_ERROR_CONFIG);
    cr_assert_str_eq(error->message,
                     "a.yaml:1:2: wrong 7\n--set x: no 'knid'; did you mean 'kind'?\ntwo lines");
    g_error_free(error);
    iov_diagnostics_free(d);
}

Test(file, is_written_whole_or_not_at_all)
{
    char *folder = g_dir_make_tmp("iov-XXXXXX", NULL);
    char *path = g_build_filename(folder, "out.yaml", NULL);
    char *below = g_build_filename(path, "x", NULL);
    char *text = NULL;
    GError *error = NULL;

    cr_assert(iov_write_file_atomically(path, "one", 3, &error));
    cr_assert(iov_write_file_atomically(path, "second", 6, &error));
    cr_assert(g_file_get_contents(path, &text, NULL, NULL));
    cr_assert_str_eq(text, "second");
    cr_assert_not(iov_write_file_atomically(below, "x", 1, &error));
    cr_assert(g_str_has_prefix(error->message, "cannot write '"));
    g_clear_error(&error);
    cr_assert_not(
        iov_write_file_atomically(folder, "x", 1, &error)); /* a directory cannot be replaced */
    g_clear_error(&error);

    GDir *dir = g_dir_open(folder, 0, NULL);
    cr_assert_str_eq(g_dir_read_name(dir), "out.yaml");
    cr_assert_null(g_dir_read_name(dir));
    g_dir_close(dir);
    g_unlink(path);
    g_rmdir(folder);
    g_free(text);
    g_free(below);
    g_free(path);
    g_free(folder);
}

Test(file, reports_a_full_device_and_leaves_nothing_behind)
{
    GError *error = NULL;

    if (!g_file_test("/dev/full", G_FILE_TEST_EXISTS))
        cr_skip_test("no /dev/full");
    /* The temporary file of a path in /dev/full cannot exist; a full tmpfs is tested with the
     * command. */
    cr_assert_not(iov_write_file_atomically("/dev/full/x", "x", 1, &error));
    cr_assert(error->domain == G_FILE_ERROR);
    g_error_free(error);
}
