/* SPDX-License-Identifier: Apache-2.0 */
/* The command `iovsim`: finds the command's function by name and loads plug-ins before it runs. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "bindings/cli/cli-private.h"
#include "core/config/diagnostics.h"
#include "core/object/model.h"

static const struct command {
    const char *name;
    const char *text;
    command_fn *run;
} commands[] = {
    { "run", "run one experiment and write its results", command_run },
    { "compare", "run an experiment once for each value of a key and print a table",
      command_compare },
    { "sensitivity", "tell on which costs a result hangs", command_sensitivity },
    { "explain", "tell where the time of one request went", command_explain },
    { "check", "check files without running them", command_check },
    { "inspect", "list the kinds, or describe one", command_inspect },
    { "schema", "print the JSON Schema of experiment files, for editors", command_schema },
};

int usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("iovsim: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return STATUS_USAGE;
}

int report_error(GError *error)
{
    int status = g_error_matches(error, IOV_ERROR, IOV_ERROR_RUN) ? STATUS_FAILED : STATUS_USAGE;
    g_auto(GStrv) lines = g_strsplit(g_strchomp(error->message), "\n", -1);

    for (unsigned i = 0; lines[i] != NULL; i++)
        fprintf(stderr, "iovsim: %s\n", lines[i]);
    g_error_free(error);
    return status;
}

/* GLib's message, with the option that was probably meant. */
static void option_error(const GError *error, const GOptionEntry *entries, const char *name)
{
    g_autoptr(GPtrArray) options = g_ptr_array_new_with_free_func(g_free);
    const char *given = strrchr(error->message, ' ');
    const char *near = NULL;

    for (; entries->long_name != NULL; entries++)
        g_ptr_array_add(options, g_strconcat("--", entries->long_name, NULL));
    g_ptr_array_add(options, g_strdup("--help"));
    g_ptr_array_add(options, NULL);
    if (g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION) && given != NULL)
        near = iov_suggest(given + 1, (const char *const *)options->pdata);
    if (near != NULL)
        usage_error("%s; did you mean '%s'?", error->message, near);
    else
        usage_error("%s; see '%s --help'", error->message, name);
}

gboolean parse_options(int *argc, char ***argv, const char *parameters, const char *summary,
                       const char *examples, const GOptionEntry *entries)
{
    g_autoptr(GOptionContext) context = g_option_context_new(parameters);
    g_autofree char *name = g_strdup_printf("iovsim %s", (*argv)[0]);
    g_autoptr(GError) error = NULL;

    g_set_prgname(name);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, examples);
    g_option_context_add_main_entries(context, entries, NULL);
    if (g_option_context_parse(context, argc, argv, &error))
        return TRUE;
    option_error(error, entries, name);
    return FALSE;
}

static void print_help(void)
{
    puts("Usage: iovsim COMMAND [OPTION...]\n\n"
         "What does each way of giving a guest its I/O cost, in VM exits, latency and host CPU?\n\n"
         "Commands:");
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        printf("  %-11s %s\n", commands[i].name, commands[i].text);
    puts("\n'iovsim COMMAND --help' tells its options. Start with:\n"
         "  iovsim compare configs/net-rr.yaml\n"
         "  iovsim run configs/net-rr.yaml --set strategy=virtio-net -o out\n"
         "\nPlug-ins with further kinds are read from the folders in IOVSIM_PLUGIN_PATH.");
}

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[G_N_ELEMENTS(commands) + 3] = { NULL };
    const char *near;

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        names[i] = commands[i].name;
    names[G_N_ELEMENTS(commands)] = "--help";
    names[G_N_ELEMENTS(commands) + 1] = "--version";
    near = iov_suggest(name, names);
    if (near != NULL)
        return usage_error("there is no command '%s'; did you mean '%s'?", name, near);
    return usage_error("there is no command '%s'; see 'iovsim --help'", name);
}

/* What a full disk or a closed pipe swallowed is a failure, whatever the command thought of it. */
static int close_output(int status)
{
    bool was_bad = ferror(stdout) != 0;

    errno = 0;
    if (fclose(stdout) == 0 && !was_bad)
        return status;
    fprintf(stderr, "iovsim: standard output: %s\n",
            errno != 0 ? g_strerror(errno) : "cannot be written");
    return status == STATUS_OK ? STATUS_FAILED : status;
}

int main(int argc, char **argv)
{
    const struct command *command;
    GError *error = NULL;

    iov_cli_enlarge_heap();
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        print_help();
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return close_output(STATUS_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("iovsim " IOV_VERSION);
        return close_output(STATUS_OK);
    }
    command = find_command(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    if (!iov_plugins_load(g_getenv("IOVSIM_PLUGIN_PATH"), &error))
        return report_error(error);
    return close_output(command->run(argc - 1, argv + 1));
}
