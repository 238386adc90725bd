/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether somebody is at the far end who does what a guest's workload needs, for as many as need
 * it. Without that a run would be busy, or silent, until it is given up.
 *
 * A VM is served by far ends of its own, if it has any that are wired, else by the machine's; and
 * by programs in other VMs and of the host. If one of them has the address that the guest talks to
 * (`peer-address`), what the guest asks for is its business alone. Where there are none, or kinds
 * that say nothing of themselves, nothing is refused. LIMIT: who can be reached is not looked at,
 * and else one of several that does it is enough.
 */
#include <inttypes.h>

#include "core/config/config-private.h"

static const char *const service_names[] = {
    [IOV_SERVICE_PING] = "answers pings",
    [IOV_SERVICE_ECHO] = "answers datagrams",
    [IOV_SERVICE_TCP] = "takes TCP connections",
    [IOV_SERVICE_TCP_ECHO] = "sends back what comes over a TCP connection",
    [IOV_SERVICE_SOURCE] = "sends datagrams",
    [IOV_SERVICE_TCP_SOURCE] = "sends over a TCP connection",
    [IOV_SERVICE_CLIENTS] = "asks servers",
};

/* A far end that nothing leads to serves nobody. */
static bool is_far_end(const struct part *part)
{
    const GArray *ports = part->info->ports;

    if (IOV_MODEL_GET_CLASS(part->model)->serves == NULL)
        return false;
    for (guint i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        if (row->type == IOV_PORT_PACKET && !iov_model_port_is_open(part->model, row))
            return true;
    }
    return false;
}

/* Those of a VM, or of the machine (-1). */
static GPtrArray *far_ends(const struct parts *parts, int vm)
{
    GPtrArray *found = g_ptr_array_new();

    for (guint i = 0; i < parts->list->len; i++) {
        struct part *part = g_ptr_array_index(parts->list, i);

        if (part->vm == vm && is_far_end(part))
            g_ptr_array_add(found, part);
    }
    return found;
}

/* What serves and has no wires of its own: a workload. */
static void add_programs(const struct parts *parts, GPtrArray *found)
{
    for (guint i = 0; i < parts->list->len; i++) {
        struct part *part = g_ptr_array_index(parts->list, i);

        if (IOV_MODEL_GET_CLASS(part->model)->serves != NULL && part->info->ports->len == 0)
            g_ptr_array_add(found, part);
    }
}

static const char *text_of(IovModel *model, const char *name)
{
    const struct iov_property *row = iov_model_find_property(model, name);

    return row != NULL && row->type == IOV_VALUE_STRING
               ? *(char *const *)G_STRUCT_MEMBER_P(model, row->offset)
               : NULL;
}

/* Of the guest's kernel of a VM: whom it talks to ("peer-address"), who it is ("address"). */
static const char *text_of_guest(const struct parts *parts, int vm, const char *name)
{
    for (guint i = 0; i < parts->list->len; i++) {
        const struct part *part = g_ptr_array_index(parts->list, i);

        if (part->vm == vm && text_of(part->model, "peer-address") != NULL)
            return text_of(part->model, name);
    }
    return NULL;
}

static bool is_asked(const struct parts *parts, const struct part *far_end, const char *whom)
{
    const char *own = text_of(far_end->model, "address");

    if (own == NULL && far_end->vm >= 0)
        own = text_of_guest(parts, far_end->vm, "address");
    return g_strcmp0(own, whom) == 0;
}

/* Without the others, if there is somebody of that name. */
static void keep_asked(const struct parts *parts, GPtrArray *found, const char *whom)
{
    g_autoptr(GPtrArray) asked = g_ptr_array_new();

    for (guint i = 0; i < found->len; i++) {
        if (is_asked(parts, g_ptr_array_index(found, i), whom))
            g_ptr_array_add(asked, g_ptr_array_index(found, i));
    }
    if (asked->len == 0)
        return;
    g_ptr_array_set_size(found, 0);
    g_ptr_array_extend(found, asked, NULL, NULL);
}

/* Told where the first far end's property is written, else where the workload is. */
static void refuse(const struct parts *parts, const struct part *workload, enum iov_service service,
                   const struct part *far_end)
{
    const char *property, *remedy;
    const struct iov_node *node;

    IOV_MODEL_GET_CLASS(far_end->model)->serves(far_end->model, service, &property, &remedy);
    node = iov_node_get(far_end->node, property);
    iov_diagnostics_add(parts->config->diagnostics, node != NULL ? node->origin : workload->origin,
                        "'%s' needs a far end that %s, which '%s' does not; write %s",
                        workload->kind, service_names[service], far_end->name, remedy);
}

/* Who does it; NULL: nobody, or any of several. */
static struct part *check(const struct parts *parts, const struct part *workload,
                          enum iov_service service)
{
    g_autoptr(GPtrArray) found = far_ends(parts, workload->vm);
    const char *property, *remedy;
    struct part *server = NULL;
    unsigned count = 0;

    if (found->len == 0) {
        g_ptr_array_unref(found);
        found = far_ends(parts, -1);
    }
    add_programs(parts, found);
    if (service != IOV_SERVICE_SOURCE &&
        service != IOV_SERVICE_CLIENTS) /* these begin themselves */
        keep_asked(parts, found, text_of_guest(parts, workload->vm, "peer-address"));
    for (guint i = 0; i < found->len; i++) {
        struct part *part = g_ptr_array_index(found, i);

        if (!IOV_MODEL_GET_CLASS(part->model)->serves(part->model, service, &property, &remedy))
            continue;
        server = part;
        count++;
    }
    if (count == 0 && found->len > 0)
        refuse(parts, workload, service, g_ptr_array_index(found, 0));
    return count == 1 ? server : NULL;
}

static bool is_tcp(enum iov_service service)
{
    return service == IOV_SERVICE_TCP || service == IOV_SERVICE_TCP_ECHO ||
           service == IOV_SERVICE_TCP_SOURCE;
}

static uint64_t connections_of(const struct part *part, uint64_t otherwise)
{
    const IovModelClass *class = IOV_MODEL_GET_CLASS(part->model);

    return class->connections != NULL ? class->connections(part->model) : otherwise;
}

/* Far ends that are asked for more connections than they take. */
static void check_connections(const struct parts *parts)
{
    for (guint i = 0; i < parts->list->len; i++) {
        const struct part *part = g_ptr_array_index(parts->list, i);
        const struct iov_node *flows = iov_node_get(part->node, "flows");
        bool has_flows = iov_model_find_property(part->model, "flows") != NULL;

        if (part->connections <= connections_of(part, UINT64_MAX))
            continue;
        iov_diagnostics_add(
            parts->config->diagnostics, flows != NULL ? flows->origin : part->origin,
            "'%s' takes %" PRIu64 " TCP connections%s, and the guests ask it for %" PRIu64,
            part->path, connections_of(part, 0), has_flows ? " (flows)" : "", part->connections);
    }
}

void services_check(const struct parts *parts)
{
    for (guint i = 0; i < parts->list->len; i++) {
        const struct part *part = g_ptr_array_index(parts->list, i);
        const IovModelClass *class = IOV_MODEL_GET_CLASS(part->model);
        enum iov_service service =
            class->needs != NULL ? class->needs(part->model) : IOV_SERVICE_NONE;
        struct part *server;

        if (service == IOV_SERVICE_NONE)
            continue;
        server = check(parts, part, service);
        if (server != NULL && is_tcp(service))
            server->connections += connections_of(part, 1);
    }
    check_connections(parts);
}
