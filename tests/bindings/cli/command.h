/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command as its users have it: a program, run in a scratch folder, with the plug-in of this
 * folder. For the tests beside it only.
 */
#ifndef TESTS_BINDINGS_CLI_COMMAND_H
#define TESTS_BINDINGS_CLI_COMMAND_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#define IOVSIM IOV_BINARY_DIR "/bindings/cli/iovsim"
#define PLUGINS IOV_BINARY_DIR "/tests/bindings/cli/plugins"

/* A run that needs nothing but the plug-in. */
#define TICKER_YAML \
    "iovsim: 1\n" \
    "vms: [{name: vm0, kind: ticker-vm}]\n" \
    "workload: {kind: ticker, operations: 1000, warmup: 10}\n" \
    "costs: {ticker-turn: {value: 100ns, source: estimate}}\n"

static char *folder; /* of the test, with ticker.yaml in it */

/* What came of the last command. */
static int status;
static char *out;
static char *err;

static inline char *in_folder(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static inline void put_file(const char *name, const char *text)
{
    g_autofree char *path = in_folder(name);
    g_autofree char *above = g_path_get_dirname(path);

    cr_assert(eq(int, g_mkdir_with_parents(above, 0777), 0));
    cr_assert(g_file_set_contents(path, text, -1, NULL));
}

static inline bool has_file(const char *name)
{
    g_autofree char *path = in_folder(name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static inline char *get_file(const char *name)
{
    g_autofree char *path = in_folder(name);
    char *text = NULL;

    cr_assert(g_file_get_contents(path, &text, NULL, NULL), "%s is not there", path);
    return text;
}

static inline GSubprocessLauncher *launcher_new(GSubprocessFlags flags)
{
    GSubprocessLauncher *launcher = g_subprocess_launcher_new(flags);

    g_subprocess_launcher_set_cwd(launcher, folder);
    g_subprocess_launcher_setenv(launcher, "IOVSIM_PLUGIN_PATH", PLUGINS, TRUE);
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C.UTF-8", TRUE);
    g_subprocess_launcher_unsetenv(launcher, "IOVSIM_DATA_PATH");
    return launcher;
}

/* Runs any program to its end; its exit status, -1 for a signal. */
static inline int run_argv(const char *const *argv)
{
    g_autoptr(GSubprocessLauncher) launcher =
        launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process = g_subprocess_launcher_spawnv(launcher, argv, &error);

    g_clear_pointer(&out, g_free);
    g_clear_pointer(&err, g_free);
    cr_assert(ne(ptr, process, NULL), "%s", error != NULL ? error->message : "");
    cr_assert(g_subprocess_communicate_utf8(process, NULL, NULL, &out, &err, &error));
    status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process) : -1;
    return status;
}

/* Runs `iovsim` with these arguments. */
#define iovsim(...) run_argv((const char *const[]){ IOVSIM, __VA_ARGS__, NULL })

/* The same in a shell of the scratch folder; `iovsim` is in its path. */
static inline int shell(const char *line)
{
    g_autofree char *script =
        g_strdup_printf("PATH=%s:$PATH; %s", IOV_BINARY_DIR "/bindings/cli", line);

    return run_argv((const char *const[]){ "bash", "-c", script, NULL });
}

static inline unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* `text` is `wanted`. */
static inline void is_text(const char *text, const char *wanted)
{
    cr_assert(eq(int, strcmp(text, wanted), 0), "wanted '%s', got '%s'", wanted, text);
}

/* `text` has `part` in it. */
#define says(text, part) cr_assert(strstr(text, part) != NULL, "wanted '%s' in:\n%s", part, text)
#define ended_with(wanted) cr_assert(eq(int, status, wanted), "out:\n%s\nerr:\n%s", out, err)

static inline JsonNode *parse_json(const char *text)
{
    g_autoptr(GError) error = NULL;
    JsonNode *node = json_from_string(text, &error);

    cr_assert(ne(ptr, node, NULL), "%s", error != NULL ? error->message : "empty");
    return node;
}

static inline void make_folder(void)
{
    folder = g_dir_make_tmp("iovsim-cli-XXXXXX", NULL);
    cr_assert(ne(ptr, folder, NULL));
    put_file("ticker.yaml", TICKER_YAML);
}

static inline void remove_folder(void)
{
    run_argv((const char *const[]){ "rm", "-rf", folder, NULL });
    g_clear_pointer(&folder, g_free);
    g_clear_pointer(&out, g_free);
    g_clear_pointer(&err, g_free);
}

#endif
