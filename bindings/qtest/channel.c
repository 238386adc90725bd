/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and standard streams, read and written as far as they go without waiting. */
#include "bindings/qtest/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/object/model.h"

#define PIECE 65536
#define PIECES_MAX 64 /* read in one go, so that others have their turn */

static int connect_to(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "the path of socket '%s' is too long", path);
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "cannot connect to '%s': %s", path,
                g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool channel_open(struct channel *channel, const char *path, GError **error)
{
    *channel = (struct channel){ .in = STDIN_FILENO, .out = STDOUT_FILENO };
    if (path != NULL)
        channel->in = channel->out = connect_to(path, error);
    channel->input = g_string_new(NULL);
    channel->output = g_string_new(NULL);
    if (channel->in < 0)
        return false;
    make_nonblocking(channel->in);
    if (path != NULL) /* a terminal is written like a file: waiting is right there */
        make_nonblocking(channel->out);
    return true;
}

bool channel_is_open(const struct channel *channel)
{
    return channel->input != NULL && channel->in >= 0 && !channel->closed;
}

void channel_close(struct channel *channel)
{
    if (channel->input == NULL)
        return;
    if (channel->in > STDERR_FILENO)
        close(channel->in);
    channel->in = channel->out = -1;
    g_string_free(channel->input, TRUE);
    g_string_free(channel->output, TRUE);
    channel->input = channel->output = NULL;
}

void channel_receive(struct channel *channel)
{
    for (unsigned i = 0; i < PIECES_MAX && channel_is_open(channel); i++) {
        gsize old = channel->input->len;
        ssize_t got;

        g_string_set_size(channel->input, old + PIECE);
        got = read(channel->in, channel->input->str + old, PIECE);
        g_string_set_size(channel->input, old + (got > 0 ? (gsize)got : 0));
        if (got > 0)
            continue;
        if (got < 0 && errno == EINTR)
            continue;
        channel->closed = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        return;
    }
}

void channel_send(struct channel *channel)
{
    gsize sent = 0;

    while (channel->output != NULL && sent < channel->output->len && channel->out >= 0) {
        ssize_t got = write(channel->out, channel->output->str + sent, channel->output->len - sent);

        if (got > 0) {
            sent += (gsize)got;
        } else if (errno != EINTR) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                channel->closed = true;
                sent = channel->output->len; /* nobody will read it */
            }
            break;
        }
    }
    if (sent > 0)
        g_string_erase(channel->output, 0, (gssize)sent);
}

char *channel_take_line(struct channel *channel)
{
    GString *input = channel->input;
    const char *end = memchr(input->str + channel->searched, '\n', input->len - channel->searched);
    gsize length;
    char *line;

    if (end == NULL) {
        channel->searched = input->len;
        return NULL;
    }
    length = (gsize)(end - input->str);
    line = g_strndup(input->str, length);
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    g_string_erase(input, 0, (gssize)length + 1);
    channel->searched = 0;
    return line;
}
