/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires: `{from: part.port, to: part.port, at: place}`. A wire that names a per-VM part is made
 * once for each VM. All wires are checked by the rows of the kinds before one is made, so that all
 * mistakes are told together.
 */
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"

struct end {
    struct part *part;
    char *child;                /* path of the model below the part (owned), or NULL */
    char *port;                 /* owned */
    const struct iov_port *row; /* NULL: not known before there are models, or after a mistake */
};

struct wire {
    const struct iov_node *node;
    struct end from, to;
    bool has_at;
    uint64_t at;
};

/* What is known of the ports when wires are looked at one after another. */
struct check {
    const struct parts *parts;
    struct iov_diagnostics *diagnostics;
    GHashTable *taken; /* "path.port" and "path.port[at]" (owned), a set */
    GHashTable *seen;  /* both ends and the place of a wire to where it was written (both owned) */
    const struct iov_node *twice; /* the last that was told to be there already */
};

static const char *type_name(const struct iov_port *row)
{
    static const char *const names[] = { "mem", "irq",       "packet", "block",   "notify",
                                         "pci", "processor", "apic",   "program", "foreign" };

    return names[row->type];
}

static const char *role_name(const struct iov_port *row)
{
    static const char *const names[] = { "target", "initiator", "end" };

    return names[row->role];
}

static const struct iov_port *find_row(const struct iov_model_info *info, const char *name)
{
    for (guint i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

static void tell_unknown_port(const struct check *check, const struct end *end,
                              struct iov_origin origin)
{
    const GArray *rows = end->part->info->ports;
    const char **names = g_new0(const char *, rows->len + 1);

    for (guint i = 0; i < rows->len; i++)
        names[i] = g_array_index(rows, struct iov_port, i).name;
    iov_diagnostics_add_near(check->diagnostics, origin, end->port, names,
                             "'%s', a part of kind '%s', has no port '%s'", end->part->name,
                             end->part->info->kind, end->port);
    g_free(names);
}

/* Reads "part.port"; false after a mistake. */
static bool read_end(const struct check *check, int vm, const struct iov_node *wire,
                     const char *key, struct end *end)
{
    const struct iov_node *node = iov_node_get(wire, key);
    const char *dot = iov_node_is(node, IOV_NODE_SCALAR) ? strrchr(node->text, '.') : NULL;

    if (node == NULL) {
        iov_diagnostics_add(check->diagnostics, wire->origin, "a wire needs '%s: part.port'", key);
        return false;
    }
    if (node->bad)
        return false;
    if (dot == NULL || dot == node->text || dot[1] == '\0') {
        iov_diagnostics_add(check->diagnostics, node->origin,
                            "'%s' wants part.port, such as nic.registers", key);
        return false;
    }
    char *name = g_strndup(node->text, (gsize)(dot - node->text));
    const char *below;
    end->part = parts_find(check->parts, vm, name, node->origin, &below);
    end->child = g_strdup(below);
    g_free(name);
    end->port = g_strdup(dot + 1);
    if (end->part == NULL || end->part->info == NULL)
        return false;
    if (end->child != NULL)
        return true;
    end->row = find_row(end->part->info, end->port);
    if (end->row == NULL) {
        tell_unknown_port(check, end, node->origin);
    } else if (end->row->type >= IOV_PORT_PROCESSOR) {
        iov_diagnostics_add(
            check->diagnostics, node->origin,
            "'%s' is a %s, which is not wired: the part is referred to by a property", node->text,
            type_name(end->row));
        end->row = NULL;
    }
    return end->row != NULL;
}

static bool read_at(const struct check *check, const struct iov_node *wire, struct wire *ret_wire)
{
    const struct iov_node *at = iov_node_get(wire, "at");
    struct iov_quantity quantity;

    if (at == NULL || iov_node_is_empty(at))
        return true;
    if (at->bad)
        return false;
    if (at->kind != IOV_NODE_SCALAR || !iov_quantity_parse_any(at->text, &quantity, NULL) ||
        (quantity.dimension != IOV_DIMENSION_COUNT && quantity.dimension != IOV_DIMENSION_SIZE)) {
        iov_diagnostics_add(check->diagnostics, at->origin,
                            "'at' wants an address or an index, such as 0xfee00000 or 3");
        return false;
    }
    ret_wire->has_at = true;
    ret_wire->at = quantity.value;
    return true;
}

static void finish_wire(struct wire *wire)
{
    g_free(wire->from.child);
    g_free(wire->from.port);
    g_free(wire->to.child);
    g_free(wire->to.port);
}

/* Both ends are looked at, whatever is wrong with the first. */
static bool read_wire(const struct check *check, int vm, const struct iov_node *node,
                      struct wire *wire)
{
    *wire = (struct wire){ .node = node };
    bool from = read_end(check, vm, node, "from", &wire->from);
    bool to = read_end(check, vm, node, "to", &wire->to);
    bool at = read_at(check, node, wire);

    return from && to && at;
}

static void check_fit(const struct check *check, const struct wire *wire)
{
    const struct iov_port *from = wire->from.row, *to = wire->to.row;
    const char *left = iov_node_text(wire->node, "from"), *right = iov_node_text(wire->node, "to");

    if (from->type != to->type)
        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "'%s' is a port of type %s and '%s' of type %s", left, type_name(from),
                            right, type_name(to));
    else if (from->role == to->role && from->role != IOV_PORT_EQUAL)
        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "'%s' and '%s' are both %ss; a wire joins an initiator and a target",
                            left, right, role_name(from));
    else if ((from->role == IOV_PORT_EQUAL) != (to->role == IOV_PORT_EQUAL))
        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "'%s' (%s) does not fit '%s' (%s)", left, role_name(from), right,
                            role_name(to));
}

/* A second wire on a port that takes only one. All VMs say the same, and diagnostics keep it
 * once. */
static void tell_taken_port(const struct check *check, const struct wire *wire,
                            const struct end *end, int vm)
{
    const char *name = end->row->name;

    if (vm > 0 && end->part->vm < 0)
        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "each of %u VMs has this wire, and port '%s' of '%s' takes one: there "
                            "can be one VM",
                            check->parts->vms->len, name, end->part->path);
    else
        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "port '%s' of '%s' has a wire already%s", name, end->part->path,
                            end->row->count > 1 ? " at this place" : "");
}

/* Notes that a port has a wire. */
static void take_port(struct check *check, const struct wire *wire, const struct end *end, int vm)
{
    const struct iov_port *row = end->row;
    char *key = g_strdup_printf("%s.%s", end->part->path, row->name);

    g_hash_table_add(check->taken, g_strdup(key)); /* it is not open any more */
    if (row->flags & (IOV_PORT_MAP | IOV_PORT_SHARED)) {
        g_free(key);
        return;
    }
    char *place = row->count > 1 ? g_strdup_printf("%s[%" G_GUINT64_FORMAT "]", key, wire->at)
                                 : g_strdup_printf("%s!", key);
    if (g_hash_table_contains(check->taken, place))
        tell_taken_port(check, wire, end, vm);
    g_hash_table_add(check->taken, place);
    g_free(key);
}

static char *place_of(const struct iov_origin *origin)
{
    return origin->line > 0 ? g_strdup_printf("%s:%u", origin->file, origin->line)
                            : g_strdup(origin->file);
}

static char *name_of_end(const struct end *end)
{
    return g_strdup_printf("%s%s%s.%s", end->part->path, end->child != NULL ? "/" : "",
                           end->child != NULL ? end->child : "", end->port);
}

/* Tells a wire that is there already, from whichever end it was written; once for all VMs. */
static bool is_written_twice(struct check *check, const struct wire *wire)
{
    g_autofree char *from = name_of_end(&wire->from), *to = name_of_end(&wire->to);
    bool swap = strcmp(from, to) > 0;
    char *key = g_strdup_printf("%s\n%s%s%" G_GUINT64_FORMAT, swap ? to : from, swap ? from : to,
                                wire->has_at ? "@" : "", wire->at);
    const struct iov_origin *other = g_hash_table_lookup(check->seen, key);

    if (other == NULL) {
        g_hash_table_insert(check->seen, key,
                            g_memdup2(&wire->node->origin, sizeof wire->node->origin));
        return false;
    }
    if (check->twice != wire->node) {
        g_autofree char *place = place_of(other);

        iov_diagnostics_add(check->diagnostics, wire->node->origin,
                            "the wire from '%s' to '%s' is written twice; leave this one out or "
                            "the one at %s",
                            from, to, place);
    }
    check->twice = wire->node;
    g_free(key);
    return true;
}

static bool names_per_vm_part(const struct parts *parts, const struct iov_node *wire,
                              const char *key)
{
    const char *text = iov_node_text(wire, key);

    if (text == NULL)
        return false;
    char *name = g_strndup(text, strcspn(text, "./"));
    bool found = g_hash_table_contains(parts->per_vm_names, name);
    g_free(name);
    return found;
}

/* Calls `visit` for every wire, once for each VM where it names what belongs to a VM. */
static void for_each_wire(const struct parts *parts,
                          void (*visit)(void *context, int vm, const struct iov_node *wire),
                          void *context)
{
    const struct iov_node *wires = iov_node_get(parts->config->root, "wires");

    for (const struct iov_node *wire = wires != NULL ? wires->children : NULL; wire != NULL;
         wire = wire->next) {
        if (g_strcmp0(iov_node_text(wire, "to"), "none") == 0)
            continue; /* a strategy's wire that only some experiments want */
        if (!names_per_vm_part(parts, wire, "from") && !names_per_vm_part(parts, wire, "to")) {
            visit(context, -1, wire);
            continue;
        }
        for (guint vm = 0; vm < parts->vms->len; vm++)
            visit(context, (int)vm, wire);
    }
}

static void check_wire(void *context, int vm, const struct iov_node *node)
{
    static const char *const keys[] = { "from", "to", "at", NULL };
    struct check *check = context;
    struct wire wire;

    if (node->kind != IOV_NODE_MAPPING) {
        iov_diagnostics_add(check->diagnostics, node->origin,
                            "a wire is a mapping such as {from: a.x, to: b.y}, not %s",
                            iov_node_kind_name(node));
        return;
    }
    for (const struct iov_node *key = node->children; key != NULL; key = key->next) {
        if (!g_strv_contains(keys, key->key))
            iov_diagnostics_add_near(check->diagnostics, key->key_origin, key->key, keys,
                                     "a wire has no key '%s'", key->key);
    }
    bool fine = read_wire(check, vm, node, &wire);
    if (fine && is_written_twice(check, &wire)) {
        finish_wire(&wire);
        return;
    }
    if (fine && wire.from.row != NULL && wire.to.row != NULL)
        check_fit(check, &wire);
    if (wire.from.row != NULL)
        take_port(check, &wire, &wire.from, vm);
    if (wire.to.row != NULL)
        take_port(check, &wire, &wire.to, vm);
    finish_wire(&wire);
}

static void tell_open_port(struct iov_diagnostics *diagnostics, const struct part *part,
                           const struct iov_port *row)
{
    iov_diagnostics_add(diagnostics, part->origin,
                        "port '%s' of '%s', a part of kind '%s', must be wired: %s", row->name,
                        part->name, part->kind, row->text);
}

/*
 * Without another mistake there will be models, and initiators know themselves whether they are
 * open (prepare() may wire them); targets never do.
 */
static void check_open_ports(const struct check *check, const struct part *part,
                             bool also_initiators)
{
    for (guint i = 0; part->info != NULL && i < part->info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(part->info->ports, struct iov_port, i);
        char *key = g_strdup_printf("%s.%s", part->path, row->name);
        if ((row->flags & IOV_PORT_REQUIRED) && !g_hash_table_contains(check->taken, key) &&
            (also_initiators || row->role == IOV_PORT_TARGET))
            tell_open_port(check->diagnostics, part, row);
        g_free(key);
    }
}

void wires_check(const struct parts *parts)
{
    struct check check = { parts, parts->config->diagnostics,
                           g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                           g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free), NULL };

    for_each_wire(parts, check_wire, &check);
    bool mistakes = iov_diagnostics_count(check.diagnostics) > 0;
    for (guint i = 0; i < parts->list->len; i++)
        check_open_ports(&check, g_ptr_array_index(parts->list, i), mistakes);
    g_hash_table_unref(check.taken);
    g_hash_table_unref(check.seen);
}

static IovModel *model_of_end(const struct check *check, const struct end *end,
                              struct iov_origin origin)
{
    if (end->child == NULL)
        return end->part->model;
    IovModel *child = model_child(end->part->model, end->child);
    if (child == NULL)
        iov_diagnostics_add(check->diagnostics, origin, "'%s' has no part '%s' in it",
                            end->part->path, end->child);
    return child;
}

static void make_wire(void *context, int vm, const struct iov_node *node)
{
    struct check *check = context;
    struct wire wire;
    GError *error = NULL;

    if (read_wire(check, vm, node, &wire)) {
        IovModel *from = model_of_end(check, &wire.from, iov_node_get(node, "from")->origin);
        IovModel *to = model_of_end(check, &wire.to, iov_node_get(node, "to")->origin);
        if (from != NULL && to != NULL &&
            !iov_model_wire(from, wire.from.port, to, wire.to.port, wire.has_at, wire.at, &error)) {
            iov_diagnostics_add(check->diagnostics, node->origin, "%s", error->message);
            g_error_free(error);
        }
    }
    finish_wire(&wire);
}

void wires_connect(const struct parts *parts)
{
    struct check check = { parts, parts->config->diagnostics, NULL, NULL, NULL };

    for_each_wire(parts, make_wire, &check);
    for (guint i = 0; i < parts->list->len; i++) {
        const struct part *part = g_ptr_array_index(parts->list, i);
        for (guint j = 0; j < part->info->ports->len; j++) {
            const struct iov_port *row = &g_array_index(part->info->ports, struct iov_port, j);
            if ((row->flags & IOV_PORT_REQUIRED) && iov_model_port_is_open(part->model, row))
                tell_open_port(check.diagnostics, part, row);
        }
    }
}
