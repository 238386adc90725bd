/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring: which ports fit, and how each type of port is connected. */
#include "core/object/model.h"

#include <string.h>

#include "core/pci/bus.h"
#include "core/port/notify.h"

const struct iov_port *iov_model_find_port(IovModel *model, const char *name)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(model)->info->ports;

    for (unsigned i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

static void *port_field(IovModel *model, const struct iov_port *row, unsigned at)
{
    return G_STRUCT_MEMBER_P(model, row->offset + at * row->stride);
}

void *iov_model_port(IovModel *model, const char *name, unsigned at)
{
    const struct iov_port *row = iov_model_find_port(model, name);

    return row != NULL && at < row->count ? port_field(model, row, at) : NULL;
}

static const char *type_name(enum iov_port_type type)
{
    static const char *const names[] = { "mem", "irq",       "packet", "block",   "notify",
                                         "pci", "processor", "apic",   "program", "foreign" };

    return names[type];
}

static const char *role_name(enum iov_port_role role)
{
    static const char *const names[] = { "target", "initiator", "end" };

    return names[role];
}

/* One end of a wire, resolved. */
struct wire_end {
    IovModel *model;
    const struct iov_port *row;
    unsigned index; /* of an array */
};

/* The peer pointer of an initiator or packet end. */
static void **peer_of(const struct wire_end *end)
{
    char *field = port_field(end->model, end->row, end->index);

    switch (end->row->type) {
    case IOV_PORT_MEM:
        return (void **)&((struct iov_mem_initiator *)(void *)field)->peer;
    case IOV_PORT_IRQ:
        return (void **)&((struct iov_irq_source *)(void *)field)->peer;
    case IOV_PORT_NOTIFY:
        return (void **)&((struct iov_notify_source *)(void *)field)->peer;
    case IOV_PORT_BLOCK:
        return (void **)&((struct iov_block_initiator *)(void *)field)->peer;
    case IOV_PORT_PACKET:
        return (void **)&((struct iov_packet_port *)(void *)field)->peer;
    default:
        return NULL;
    }
}

static bool connect_window(const struct wire_end *map, const struct wire_end *target, bool has_at,
                           uint64_t at, GError **error)
{
    struct iov_mem_map *windows = port_field(map->model, map->row, 0);
    struct iov_mem_target *port = port_field(target->model, target->row, target->index);

    if (!has_at)
        return iov_model_fail(map->model, error,
                              "port '%s' is an address map: the wire to '%s.%s' needs 'at'",
                              map->row->name, target->model->path, target->row->name);
    if (!iov_mem_map_add(windows, at, port->size, port))
        return iov_model_fail(map->model, error,
                              "port '%s': the window of '%s.%s' at 0x%" G_GINT64_MODIFIER
                              "x (0x%" G_GINT64_MODIFIER "x bytes) is empty or overlaps another",
                              map->row->name, target->model->path, target->row->name, at,
                              port->size);
    return true;
}

static bool connect_slot(const struct wire_end *bus, const struct wire_end *function, bool has_at,
                         uint64_t at, GError **error)
{
    struct iov_pci_bus *slots = port_field(bus->model, bus->row, 0);

    for (unsigned i = 0; !has_at && i < IOV_PCI_FUNCTIONS; i++) { /* the next free one */
        has_at = slots->functions[i] == NULL;
        at = i;
    }
    if (!has_at || at >= IOV_PCI_FUNCTIONS)
        return iov_model_fail(bus->model, error,
                              "port '%s' has 256 slots: there is none for '%s.%s'; 'at' is device "
                              "* 8 + function",
                              bus->row->name, function->model->path, function->row->name);
    if (!iov_pci_plug(slots, port_field(function->model, function->row, 0), (uint8_t)at))
        return iov_model_fail(
            bus->model, error, "port '%s': slot 0x%x is taken, or '%s.%s' is plugged in already",
            bus->row->name, (unsigned)at, function->model->path, function->row->name);
    return true;
}

/* What a slot connected by itself gives way to a wire. */
static bool is_from_slot(const struct wire_end *end)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(end->model)->info->ports;

    for (unsigned i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);
        const struct iov_pci_function *function;

        if (row->type != IOV_PORT_PCI || row->role != IOV_PORT_TARGET)
            continue;
        function = port_field(end->model, row, 0);
        if (function->bus != NULL &&
            (*peer_of(end) == function->bus->upstream || *peer_of(end) == &function->intx))
            return true;
    }
    return false;
}

static bool connect(const struct wire_end *from, const struct wire_end *to, GError **error)
{
    void **peer = peer_of(from);

    if (*peer != NULL && !is_from_slot(from))
        return iov_model_fail(from->model, error, "port '%s' is wired already", from->row->name);
    if (from->row->role == IOV_PORT_EQUAL) {
        void **back = peer_of(to);

        if (*back != NULL)
            return iov_model_fail(to->model, error, "port '%s' is wired already", to->row->name);
        *back = port_field(from->model, from->row, from->index);
    }
    *peer = port_field(to->model, to->row, to->index);
    return true;
}

/* Two arrays of one length, place by place. */
static bool connect_all(struct wire_end *from, struct wire_end *to, GError **error)
{
    for (unsigned i = 0; i < from->row->count; i++) {
        from->index = to->index = i;
        if (!connect(from, to, error))
            return false;
    }
    return true;
}

static bool resolve(IovModel *model, const char *name, struct wire_end *ret_end, GError **error)
{
    const struct iov_port *row = iov_model_find_port(model, name);

    if (row == NULL)
        return iov_model_fail(model, error, "%s has no port '%s'",
                              IOV_MODEL_GET_CLASS(model)->info->kind, name);
    if (row->type >= IOV_PORT_PROCESSOR)
        return iov_model_fail(model, error, "'%s' (%s) is not wired but referred to", name,
                              type_name(row->type));
    *ret_end = (struct wire_end){ model, row, 0 };
    return true;
}

/* Which element of an array the wire means. */
static bool take_index(struct wire_end *end, bool has_at, uint64_t at, GError **error)
{
    if (end->row->count == 1)
        return true;
    if (!has_at || at >= end->row->count)
        return iov_model_fail(end->model, error,
                              "port '%s' has %u places: the wire needs 'at' from 0 to %u",
                              end->row->name, end->row->count, end->row->count - 1u);
    end->index = (unsigned)at;
    return true;
}

/* The next free place of a source that tells several. */
static bool take_next(struct wire_end *from, const struct wire_end *to, GError **error)
{
    const void *target = port_field(to->model, to->row, to->index);

    for (from->index = 0; from->index < from->row->count; from->index++) {
        const void *peer = *peer_of(from);

        if (peer == NULL)
            return true;
        if (peer == target)
            return iov_model_fail(from->model, error, "port '%s' is wired to '%s.%s' already",
                                  from->row->name, to->model->path, to->row->name);
    }
    return iov_model_fail(from->model, error,
                          "port '%s' has %u places, and all are wired: a second part of kind '%s' "
                          "has as many",
                          from->row->name, from->row->count,
                          IOV_MODEL_GET_CLASS(from->model)->info->kind);
}

bool iov_model_wire(IovModel *a, const char *port_a, IovModel *b, const char *port_b, bool has_at,
                    uint64_t at, GError **error)
{
    struct wire_end from = { 0 }, to = { 0 };

    if (!resolve(a, port_a, &from, error) || !resolve(b, port_b, &to, error))
        return false;
    if (from.row->role == IOV_PORT_TARGET || /* a wire may be written from either end */
        (from.row->role == IOV_PORT_EQUAL && to.row->flags & IOV_PORT_SHARED)) {
        struct wire_end swap = from;

        from = to;
        to = swap;
    }
    if (from.row->type != to.row->type)
        return iov_model_fail(a, error, "port '%s' is a %s port; '%s.%s' is a %s port", port_a,
                              type_name(from.row->type), b->path, port_b, type_name(to.row->type));
    if ((from.row->role == IOV_PORT_EQUAL) != (to.row->role == IOV_PORT_EQUAL) ||
        (from.row->role != IOV_PORT_EQUAL && from.row->role == to.row->role))
        return iov_model_fail(a, error, "port '%s' (%s) does not fit '%s.%s' (%s)", port_a,
                              role_name(from.row->role), b->path, port_b, role_name(to.row->role));
    if (from.row->type == IOV_PORT_PCI)
        return connect_slot(&from, &to, has_at, at, error);
    if (from.row->flags & IOV_PORT_MAP)
        return connect_window(&from, &to, has_at, at, error);
    if (from.row->flags & IOV_PORT_SHARED)
        return take_index(&to, has_at, at, error) && take_next(&from, &to, error) &&
               connect(&from, &to, error);
    if (!has_at && from.row->count > 1 && from.row->count == to.row->count)
        return connect_all(&from, &to, error);
    if (!take_index(&from, has_at, at, error) || !take_index(&to, has_at, at, error))
        return false;
    return connect(&from, &to, error);
}

bool iov_model_port_is_open(IovModel *model, const struct iov_port *row)
{
    struct wire_end end = { model, row, 0 };

    if (row->type == IOV_PORT_PCI) /* an empty bus is as good as a full one */
        return row->role == IOV_PORT_TARGET &&
               ((struct iov_pci_function *)port_field(model, row, 0))->bus == NULL;
    if (row->flags & IOV_PORT_MAP)
        return ((struct iov_mem_map *)port_field(model, row, 0))->count == 0;
    return row->role != IOV_PORT_TARGET && *peer_of(&end) == NULL;
}

bool iov_model_check_complete(IovModel *model, GError **error)
{
    const struct iov_model_info *info = IOV_MODEL_GET_CLASS(model)->info;

    for (unsigned i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);

        if ((row->flags & IOV_PORT_REQUIRED) && iov_model_port_is_open(model, row))
            return iov_model_fail(model, error, "port '%s' must be wired", row->name);
    }
    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);

        if (row->required && *(void **)G_STRUCT_MEMBER_P(model, row->offset) == NULL)
            return iov_model_fail(model, error, "property '%s' must be given", row->name);
    }
    return true;
}
