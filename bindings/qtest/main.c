/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iovsim-system-x86_64: a machine that is driven register by register from outside. Reads the
 * command line, connects to who drives it, and then waits for commands, for frames of network
 * peers, and for the end.
 */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bindings/qtest/build.h"
#include "bindings/qtest/channel.h"
#include "bindings/qtest/session.h"

#define PROGRAM "iovsim-system-x86_64"

struct program {
    struct options options;
    struct session *session;
    struct channel lines, messages;
    int signals;
    bool ended;
};

static void print_help(void)
{
    g_autofree char *options = options_help();

    printf("Usage: " PROGRAM " [OPTION...]\n\n"
           "A machine of iovsim models that is driven from outside by the qtest line protocol and "
           "QMP.\n\n%s\n"
           "Example, typed by hand:\n  " PROGRAM " -M q35 -qtest stdio\n  outl 0xcf8 0x80000000\n"
           "  inl 0xcfc\n",
           options);
}

static void print_devices(void)
{
    const struct device_row *row;

    for (unsigned i = 0; (row = device_row_at(i)) != NULL; i++) {
        if (row->flags & DEVICE_LISTED)
            continue;
        printf("%s: %s%s\n", row->name, row->kind != NULL ? "kind " : "accepted, not modelled",
               row->kind != NULL ? row->kind : "");
        for (const struct key_row *key = row->keys; key != NULL && key->key != NULL; key++) {
            if (key->property != NULL)
                printf("  %s: property %s\n", key->key, key->property);
        }
    }
}

/* ---- Who drives ---- */

/* "unix:PATH" or "stdio"; `ret_path` is NULL for the latter. */
static bool place_read(const struct option *option, char **ret_path, GError **error)
{
    const char *head = option->head != NULL ? option->head : "";

    *ret_path = NULL;
    if (strcmp(head, "stdio") == 0)
        return true;
    if (g_str_has_prefix(head, "unix:")) {
        *ret_path = g_strdup(head + strlen("unix:"));
        return true;
    }
    return refuse(error, "-%s %s: unix:PATH or stdio is wanted", option->name, option->text);
}

static bool chardev_read(const struct options *options, const char *id, char **ret_path,
                         GError **error)
{
    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if (strcmp(option->name, "chardev") != 0 || g_strcmp0(option_get(option, "id"), id) != 0)
            continue;
        *ret_path = g_strdup(option_get(option, "path"));
        if (g_strcmp0(option->head, "stdio") == 0 ||
            (g_strcmp0(option->head, "socket") == 0 && *ret_path != NULL))
            return true;
        return refuse(error, "-chardev %s: socket,path=P or stdio is wanted", option->text);
    }
    return refuse(error, "-mon: there is no chardev '%s'", id != NULL ? id : "");
}

static bool open_lines(struct program *self, GError **error)
{
    const struct option *option = options_last(&self->options, "qtest");
    g_autofree char *path = NULL;

    return option == NULL ||
           (place_read(option, &path, error) && channel_open(&self->lines, path, error));
}

static bool open_messages(struct program *self, GError **error)
{
    const struct option *qmp = options_last(&self->options, "qmp");
    const struct option *mon = options_last(&self->options, "mon");
    g_autofree char *path = NULL;

    if (qmp == NULL && mon == NULL)
        return true;
    if (qmp != NULL ? !place_read(qmp, &path, error)
                    : !chardev_read(&self->options,
                                    mon->head != NULL ? mon->head : option_get(mon, "chardev"),
                                    &path, error))
        return false;
    return channel_open(&self->messages, path, error);
}

/* ---- The loop ---- */

static void flush(struct channel *channel, GString *text)
{
    if (channel->output != NULL)
        g_string_append_len(channel->output, text->str, (gssize)text->len);
    g_string_truncate(text, 0);
    if (channel->output != NULL)
        channel_send(channel);
}

static void serve(struct program *self)
{
    struct session *session = self->session;

    if (channel_is_open(&self->lines)) {
        char *line;

        channel_receive(&self->lines);
        while ((line = channel_take_line(&self->lines)) != NULL) {
            line_execute(session, line);
            g_free(line);
            flush(&self->lines, session->lines);
        }
    }
    if (channel_is_open(&self->messages)) {
        channel_receive(&self->messages);
        qmp_receive(session, self->messages.input);
    }
    netdevs_receive(session->netdevs, session->machine);
    flush(&self->lines, session->lines);
    flush(&self->messages, session->messages);
    /* Who drives the machine has gone: nothing can happen any more. */
    if (session->quit || (!channel_is_open(&self->lines) && !channel_is_open(&self->messages)))
        self->ended = true;
}

static void poll_channel(const struct channel *channel, GArray *polls)
{
    struct pollfd in = { .fd = channel->in, .events = POLLIN };
    struct pollfd out = { .fd = channel->out, .events = POLLOUT };

    if (!channel_is_open(channel))
        return;
    g_array_append_val(polls, in);
    if (channel->output->len > 0)
        g_array_append_val(polls, out);
}

static void loop(struct program *self)
{
    g_autoptr(GArray) polls = g_array_new(FALSE, FALSE, sizeof(struct pollfd));

    while (!self->ended) {
        struct pollfd signals = { .fd = self->signals, .events = POLLIN };

        g_array_set_size(polls, 0);
        g_array_append_val(polls, signals);
        poll_channel(&self->lines, polls);
        poll_channel(&self->messages, polls);
        netdevs_poll(self->session->netdevs, polls);
        if (poll((struct pollfd *)(void *)polls->data, polls->len, -1) < 0 && errno != EINTR)
            return;
        if (g_array_index(polls, struct pollfd, 0).revents != 0)
            return; /* asked to end: that is no failure */
        serve(self);
    }
}

/* ---- Life ---- */

static void signals_open(struct program *self)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
}

static bool begin(struct program *self, GError **error)
{
    self->session = session_new(&self->options, error);
    if (self->session == NULL)
        return false;
    if (options_last(&self->options, "dump-platform") != NULL) {
        g_autofree char *text = machine_describe(self->session->machine);

        fputs(text, stdout);
        self->ended = true;
        return true;
    }
    if (!open_lines(self, error) || !open_messages(self, error))
        return false;
    if (!channel_is_open(&self->lines) && !channel_is_open(&self->messages))
        return refuse(error, "nobody drives the machine: -qtest or -qmp is wanted; see --help");
    if (channel_is_open(&self->messages))
        qmp_greet(self->session);
    flush(&self->messages, self->session->messages);
    return true;
}

static bool wants_list(const struct options *options)
{
    const struct option *device = options_last(options, "device");

    return device != NULL && device->head != NULL &&
           (strcmp(device->head, "help") == 0 || strcmp(device->head, "?") == 0);
}

static int run(struct program *self, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (!options_parse(&self->options, argc, argv, &error)) {
        fprintf(stderr, PROGRAM ": %s\n", error->message);
        return 1;
    }
    if (self->options.help || self->options.version || wants_list(&self->options)) {
        if (self->options.version)
            puts("iovsim " IOV_VERSION);
        else if (self->options.help)
            print_help();
        else
            print_devices();
        return fflush(stdout) != 0;
    }
    if (!iov_plugins_load(g_getenv("IOVSIM_PLUGIN_PATH"), &error) || !begin(self, &error)) {
        fprintf(stderr, PROGRAM ": %s\n", error->message);
        return 1;
    }
    if (!self->ended)
        loop(self);
    return 0;
}

int main(int argc, char **argv)
{
    struct program program = { 0 };
    int status;

    setlocale(LC_CTYPE, "");
    signals_open(&program);
    status = run(&program, argc, argv);
    channel_close(&program.lines);
    channel_close(&program.messages);
    session_free(program.session);
    options_clear(&program.options);
    return status;
}
