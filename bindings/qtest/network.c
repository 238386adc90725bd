/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers of network devices: datagrams on a unix socket (one frame each), a socket that was handed
 * over (a stream with the frame's length in four bytes, big endian, before each; or datagrams),
 * hubs that join several, and `user`, which swallows what it gets. Frames come in between commands
 * and reach the device at the present instant.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bindings/qtest/build.h"
#include "bindings/qtest/session.h"

#define STREAM_MAX \
    (UINT32_C(1) << 20) /* a frame of a stream that is longer than this is a mistake */
#define FRAMES_MAX 256  /* taken in one go */

enum type { TYPE_DGRAM, TYPE_STREAM, TYPE_HUB, TYPE_NONE };

struct netdev {
    struct netdevs *owner;
    enum type type;
    char *id;
    int fd;      /* -1: none */
    char *local; /* path that was bound, or NULL */
    struct sockaddr_un remote;
    socklen_t remote_size; /* 0: the socket is connected */
    guint64 hub;           /* of a port of a hub */
    char *behind;          /* netdev that a port of a hub leads to, instead of a device */
    GByteArray *input;     /* of a stream */
    struct iov_packet_port port;
    const struct device *device; /* that is joined to it */
};

struct netdevs {
    GPtrArray *list;
    struct iov_packet_pool *pool;
};

/* ---- Out ---- */

static void netdev_send(struct netdev *self, const guint8 *bytes, gsize size);

static void deliver(struct netdev *self, const guint8 *bytes, gsize size)
{
    struct iov_packet *packet;

    if (self->port.peer == NULL || size == 0 || size > IOV_PACKET_MAX)
        return;
    packet = iov_packet_new(self->owner->pool, (uint32_t)size);
    memcpy(packet->data, bytes, size);
    iov_packet_send(&self->port, packet);
}

static struct netdev *find(const struct netdevs *netdevs, const char *id)
{
    for (guint i = 0; i < netdevs->list->len; i++) {
        struct netdev *netdev = g_ptr_array_index(netdevs->list, i);

        if (g_strcmp0(netdev->id, id) == 0)
            return netdev;
    }
    return NULL;
}

/* To all ports of the hub but the one where it came in. */
static void hub_send(const struct netdev *from, const guint8 *bytes, gsize size)
{
    for (guint i = 0; i < from->owner->list->len; i++) {
        struct netdev *to = g_ptr_array_index(from->owner->list, i);
        struct netdev *behind = to->behind != NULL ? find(from->owner, to->behind) : NULL;

        if (to == from || to->type != TYPE_HUB || to->hub != from->hub)
            continue;
        if (behind != NULL && behind->type != TYPE_HUB)
            netdev_send(behind, bytes, size);
        else
            deliver(to, bytes, size);
    }
}

/* A frame that cannot be sent now is lost, as on a wire. */
static void socket_send(const struct netdev *self, const guint8 *bytes, gsize size)
{
    guint32 length = GUINT32_TO_BE((guint32)size);
    struct iovec pieces[2] = { { &length, sizeof length }, { (void *)(guintptr)bytes, size } };
    bool stream = self->type == TYPE_STREAM;
    struct msghdr message = { .msg_iov = stream ? pieces : pieces + 1,
                              .msg_iovlen = stream ? 2 : 1 };

    if (self->remote_size != 0) {
        message.msg_name = (void *)(guintptr)&self->remote;
        message.msg_namelen = self->remote_size;
    }
    /* A stream must not be cut: it waits. */
    while (sendmsg(self->fd, &message, MSG_NOSIGNAL | (stream ? 0 : MSG_DONTWAIT)) < 0 &&
           errno == EINTR)
        ;
}

static void netdev_send(struct netdev *self, const guint8 *bytes, gsize size)
{
    if (self->type == TYPE_HUB)
        hub_send(self, bytes, size);
    else if (self->fd >= 0)
        socket_send(self, bytes, size);
}

static iov_time port_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct netdev *self = iov_container_of(port, struct netdev, port);

    netdev_send(self, packet->data, packet->size);
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops port_ops = { .receive = port_receive };

void netdevs_send(struct netdevs *netdevs, const char *id, const guint8 *bytes, gsize size)
{
    struct netdev *netdev = find(netdevs, id);

    if (netdev != NULL)
        netdev_send(netdev, bytes, size);
}

/* ---- In ---- */

/* What a peer sent goes to the device, or into the hub that the peer is behind of. */
static void incoming(struct netdev *self, const guint8 *bytes, gsize size)
{
    for (guint i = 0; i < self->owner->list->len; i++) {
        const struct netdev *port = g_ptr_array_index(self->owner->list, i);

        if (port->behind != NULL && strcmp(port->behind, self->id) == 0) {
            hub_send(port, bytes, size);
            return;
        }
    }
    deliver(self, bytes, size);
}

static void receive_datagrams(struct netdev *self, struct machine *machine)
{
    guint8 bytes[IOV_PACKET_MAX];

    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        ssize_t got = recv(self->fd, bytes, sizeof bytes, MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return;
        incoming(self, bytes, (gsize)got);
        machine_settle(machine);
    }
}

static void stream_end(struct netdev *self)
{
    close(self->fd);
    self->fd = -1;
}

static void take_frames(struct netdev *self, struct machine *machine)
{
    gsize done = 0;

    while (self->input->len - done >= 4) {
        guint32 size;

        memcpy(&size, self->input->data + done, 4);
        size = GUINT32_FROM_BE(size);
        if (size > STREAM_MAX) { /* out of step for ever */
            stream_end(self);
            done = self->input->len;
            break;
        }
        if (self->input->len - done - 4 < size)
            break;
        incoming(self, self->input->data + done + 4, size);
        machine_settle(machine);
        done += 4 + size;
    }
    g_byte_array_remove_range(self->input, 0, (guint)done);
}

static void receive_stream(struct netdev *self, struct machine *machine)
{
    guint8 bytes[65536];
    ssize_t got = recv(self->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got > 0) {
        g_byte_array_append(self->input, bytes, (guint)got);
        take_frames(self, machine);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        stream_end(self);
    }
}

void netdevs_poll(const struct netdevs *netdevs, GArray *polls)
{
    for (guint i = 0; i < netdevs->list->len; i++) {
        const struct netdev *netdev = g_ptr_array_index(netdevs->list, i);
        struct pollfd entry = { .fd = netdev->fd, .events = POLLIN };

        if (netdev->fd >= 0)
            g_array_append_val(polls, entry);
    }
}

void netdevs_receive(struct netdevs *netdevs, struct machine *machine)
{
    for (guint i = 0; i < netdevs->list->len; i++) {
        struct netdev *netdev = g_ptr_array_index(netdevs->list, i);

        if (netdev->fd < 0)
            continue;
        if (netdev->type == TYPE_STREAM)
            receive_stream(netdev, machine);
        else
            receive_datagrams(netdev, machine);
    }
}

/* ---- Options ---- */

static void netdev_free(void *data)
{
    struct netdev *self = data;

    if (self->fd >= 0)
        close(self->fd);
    if (self->local != NULL)
        unlink(self->local);
    if (self->port.peer != NULL)
        self->port.peer->peer = NULL;
    if (self->input != NULL)
        g_byte_array_unref(self->input);
    g_free(self->local);
    g_free(self->behind);
    g_free(self->id);
    g_free(self);
}

static bool address_set(struct sockaddr_un *address, const char *path, GError **error)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address->sun_path)
        return refuse(error, "the path '%s' is too long for a socket", path);
    strcpy(address->sun_path, path);
    return true;
}

static bool dgram_open(struct netdev *self, const struct option *option, GError **error)
{
    const char *local = option_get(option, "local.path"),
               *remote = option_get(option, "remote.path");
    struct sockaddr_un address;

    if (g_strcmp0(option_get(option, "local.type"), "unix") != 0 || local == NULL)
        return refuse(error, "local.type=unix,local.path=P is wanted");
    if (!address_set(&address, local, error) ||
        (remote != NULL && !address_set(&self->remote, remote, error)))
        return false;
    self->remote_size = remote != NULL ? sizeof self->remote : 0;
    self->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unlink(local);
    if (self->fd < 0 || bind(self->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return refuse(error, "cannot bind '%s': %s", local, g_strerror(errno));
    self->local = g_strdup(local);
    return true;
}

static bool fd_open(struct netdev *self, const struct option *option, GError **error)
{
    const char *text = option_get(option, "fd");
    guint64 fd;
    int type;
    socklen_t size = sizeof type;

    if (text == NULL || !option_size(text, 1, &fd) || fd > 65535)
        return refuse(error, "fd=N is wanted");
    if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return refuse(error, "fd=%s is no socket", text);
    self->fd = (int)fd;
    self->type = type == SOCK_STREAM ? TYPE_STREAM : TYPE_DGRAM;
    self->input = g_byte_array_new();
    return true;
}

static bool hub_open(struct netdev *self, const struct option *option, GError **error)
{
    const char *hub = option_get(option, "hubid");

    self->type = TYPE_HUB;
    self->behind = g_strdup(option_get(option, "netdev"));
    if (hub == NULL || !option_size(hub, 1, &self->hub))
        return refuse(error, "hubid=N is wanted");
    return true;
}

bool netdevs_add(struct netdevs *netdevs, const struct option *option, GError **error)
{
    const char *type = option->head != NULL ? option->head : option_get(option, "type");
    const char *id = option_get(option, "id");
    struct netdev *self;
    bool fine = true;

    if (id == NULL || find(netdevs, id) != NULL)
        return refuse(error, id == NULL ? "'id' is wanted" : "there is a netdev '%s' already", id);
    self = g_new0(struct netdev, 1);
    self->owner = netdevs;
    self->id = g_strdup(id);
    self->fd = -1;
    self->type = TYPE_NONE;
    self->port.ops = &port_ops;
    if (g_strcmp0(type, "dgram") == 0) {
        self->type = TYPE_DGRAM;
        fine = dgram_open(self, option, error);
    } else if (g_strcmp0(type, "socket") == 0) {
        fine = fd_open(self, option, error);
    } else if (g_strcmp0(type, "hubport") == 0) {
        fine = hub_open(self, option, error);
    } else if (g_strcmp0(type, "user") != 0) {
        fine = refuse(error, "there is no netdev '%s'; there are dgram, socket, hubport and user",
                      type != NULL ? type : "");
    }
    if (fine)
        g_ptr_array_add(netdevs->list, self);
    else
        netdev_free(self);
    return fine;
}

bool netdevs_remove(struct netdevs *netdevs, const char *id, GError **error)
{
    struct netdev *netdev = find(netdevs, id);

    if (netdev == NULL)
        return refuse(error, "there is no netdev '%s'", id);
    g_ptr_array_remove(netdevs->list, netdev);
    return true;
}

struct netdevs *netdevs_new(const struct options *options, GError **error)
{
    struct netdevs *self = g_new0(struct netdevs, 1);

    self->list = g_ptr_array_new_with_free_func(netdev_free);
    self->pool = iov_packet_pool_new();
    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if (strcmp(option->name, "netdev") != 0 || netdevs_add(self, option, error))
            continue;
        g_prefix_error(error, "-netdev %s: ", option->text);
        netdevs_free(self);
        return NULL;
    }
    return self;
}

void netdevs_free(struct netdevs *netdevs)
{
    if (netdevs == NULL)
        return;
    g_ptr_array_unref(netdevs->list);
    iov_packet_pool_unref(netdevs->pool, NULL);
    g_free(netdevs);
}

bool netdevs_join(struct netdevs *netdevs, struct machine *machine, const struct device *device,
                  GError **error)
{
    IovModel *model = machine_model(machine, device);
    struct netdev *netdev;
    struct iov_packet_port *port;

    if (device->netdev == NULL || model == NULL || device->row->packet == NULL)
        return true;
    netdev = find(netdevs, device->netdev);
    if (netdev == NULL)
        return refuse(error, "there is no netdev '%s'", device->netdev);
    if (netdev->device != NULL)
        return refuse(error, "netdev '%s' has a device already", device->netdev);
    port = iov_model_port(model, device->row->packet, 0);
    port->peer = &netdev->port;
    netdev->port.peer = port;
    netdev->device = device;
    return true;
}

void netdevs_leave(struct netdevs *netdevs, const struct device *device)
{
    for (guint i = 0; i < netdevs->list->len; i++) {
        struct netdev *netdev = g_ptr_array_index(netdevs->list, i);

        if (netdev->device != device)
            continue;
        if (netdev->port.peer != NULL)
            netdev->port.peer->peer = NULL;
        netdev->port.peer = NULL;
        netdev->device = NULL;
    }
}
