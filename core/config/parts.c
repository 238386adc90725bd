/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts a tree describes, and what their names mean. Machine parts come first; then, for each
 * VM, the part that is the VM and its own instance of every per-VM part, of the guest and of the
 * workload.
 */
#include <string.h>

#include "core/config/config-private.h"

/* What runs in a VM: a word of the format each, given for one VM or at the top level for all. */
static const struct software {
    const char *name, *kind; /* an example of its kinds */
    bool is_standard;        /* and what it is if nothing is said */
} software[] = {
    { "guest", "linux-guest", true },
    { "workload", "udp-rr", false },
};

static const struct software *find_software(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(software); i++) {
        if (strcmp(software[i].name, name) == 0)
            return &software[i];
    }
    return NULL;
}

static void free_part(void *data)
{
    struct part *part = data;

    g_clear_object(&part->model);
    g_free(part->path);
    g_free(part);
}

static bool is_name(const char *name)
{
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return length > 0 && name[length] == '\0';
}

/* A part without a kind is often another one, whose name was mistyped. */
static void tell_no_kind(const struct parts *parts, const struct part *part)
{
    const struct iov_node *all = iov_node_get(parts->config->root, "parts");
    g_autoptr(GPtrArray) others = g_ptr_array_new();

    for (const struct iov_node *node = all != NULL ? all->children : NULL; node != NULL;
         node = node->next) {
        if (strcmp(node->key, part->name) != 0)
            g_ptr_array_add(others, (gpointer)(guintptr)node->key);
    }
    g_ptr_array_add(others, NULL);
    iov_diagnostics_add_near(parts->config->diagnostics, part->origin, part->name,
                             (const char *const *)others->pdata, "'%s' needs a 'kind'", part->name);
}

/* Looks the kind up; an unknown one is told with the kinds there are. */
static const struct iov_model_info *find_kind(const struct parts *parts, const struct part *part)
{
    GType type = part->kind != NULL ? iov_kind_find(part->kind) : G_TYPE_INVALID;

    if (part->kind == NULL && strcmp(part->name, part->path) == 0 && part->vm >= 0) {
        iov_diagnostics_add(
            parts->config->diagnostics, part->origin,
            "'%s' needs a 'kind'; a strategy gives it for all VMs by 'vm: {kind: …}'", part->name);
        return NULL;
    }
    if (part->kind == NULL) {
        tell_no_kind(parts, part);
        return NULL;
    }
    if (type != G_TYPE_INVALID && !G_TYPE_IS_ABSTRACT(type))
        return iov_kind_info(part->kind);
    char **kinds = iov_kind_list();
    iov_diagnostics_add_near(parts->config->diagnostics, part->origin, part->kind,
                             (const char *const *)kinds, "there is no kind '%s'", part->kind);
    g_strfreev(kinds);
    return NULL;
}

/* Adds a part to the list and to its scope. Takes `path`. */
static void add_part(struct parts *parts, GHashTable *scope, const char *name, char *path, int vm,
                     const struct iov_node *node, const char *standard_kind)
{
    struct iov_diagnostics *diagnostics = parts->config->diagnostics;
    struct part *part = g_new0(struct part, 1);
    const struct iov_node *kind = iov_node_get(node, "kind");

    part->name = name;
    part->path = path;
    part->vm = vm;
    part->node = node;
    part->origin = kind != NULL ? kind->origin : node->key_origin;
    part->kind =
        iov_node_is(kind, IOV_NODE_SCALAR) && !iov_node_is_empty(kind) ? kind->text : standard_kind;
    /* Of two VMs with one name the parts have one path, too: told for the VMs. */
    if (!is_name(name))
        iov_diagnostics_add(diagnostics, node->key_origin,
                            "'%s' is no name: letters, digits, '-' and '_' make one", name);
    else if (g_hash_table_contains(parts->by_path, path) && strchr(path, '/') == NULL)
        iov_diagnostics_add(diagnostics, node->key_origin, "there are two parts '%s'", path);
    if (node->kind != IOV_NODE_MAPPING) {
        if (!node->bad)
            iov_diagnostics_add(diagnostics, node->origin,
                                "'%s' wants a mapping with 'kind' and properties, not %s", name,
                                iov_node_kind_name(node));
    } else if (kind == NULL || !kind->bad) {
        part->info = find_kind(parts, part);
    }
    g_ptr_array_add(parts->list, part);
    g_hash_table_insert(parts->by_path, part->path, part);
    g_hash_table_insert(scope, (gpointer)(guintptr)part->name, part);
}

/* Whether a part is made for each VM. */
static bool is_per_vm(const struct parts *parts, const struct iov_node *node)
{
    static const char *const choices[] = { "vm", "machine", NULL };
    const struct iov_node *per = iov_node_get(node, "per");

    if (per == NULL)
        return false;
    if (per->kind != IOV_NODE_SCALAR || !g_strv_contains(choices, per->text))
        iov_diagnostics_add(parts->config->diagnostics, per->origin, "'per' is 'vm' or 'machine'");
    return per->kind == IOV_NODE_SCALAR && strcmp(per->text, "vm") == 0;
}

static void add_machine_parts(struct parts *parts)
{
    const struct iov_node *all = iov_node_get(parts->config->root, "parts");

    for (const struct iov_node *node = all != NULL ? all->children : NULL; node != NULL;
         node = node->next) {
        if (strcmp(node->key, "vm") == 0 || find_software(node->key) != NULL)
            iov_diagnostics_add(parts->config->diagnostics, node->key_origin,
                                "'%s' is a word of the format; give the part another name",
                                node->key);
        if (is_per_vm(parts, node))
            g_hash_table_add(parts->per_vm_names, (gpointer)(guintptr)node->key);
        else
            add_part(parts, parts->machine, node->key, g_strdup(node->key), -1, node, NULL);
    }
}

/* What `vm` says of all, under what the entry says of one; with its name. NULL if that is not
 * possible. */
static struct iov_node *complete_vm(struct parts *parts, struct iov_node *entry, int index)
{
    struct iov_config *config = parts->config;
    const struct iov_node *shared = iov_node_get(config->root, "vm");

    if (entry->kind != IOV_NODE_MAPPING && !iov_node_is_empty(entry)) {
        if (!entry->bad)
            iov_diagnostics_add(config->diagnostics, entry->origin,
                                "a VM is a mapping such as {name: vm0}, not %s",
                                iov_node_kind_name(entry));
        return NULL;
    }
    struct iov_node *whole =
        iov_node_new(parts->tree, IOV_NODE_MAPPING, NULL, entry->origin, config->diagnostics);
    struct iov_node *below =
        shared != NULL ? iov_node_copy(parts->tree, shared, 2, config->diagnostics) : whole;
    struct iov_node *above = iov_node_copy(parts->tree, entry, 2, config->diagnostics);
    if (whole == NULL || below == NULL || above == NULL)
        return NULL;
    if (above->kind == IOV_NODE_MAPPING)
        iov_node_merge(parts->tree, whole, above);
    if (below != whole)
        iov_node_merge_under(parts->tree, whole, below);
    whole->key_origin = entry->origin;
    if (iov_node_text(whole, "name") == NULL) {
        char *name = g_strdup_printf("vm%d", index);
        struct iov_node *text =
            iov_node_new(parts->tree, IOV_NODE_SCALAR, name, entry->origin, config->diagnostics);
        g_free(name);
        if (text == NULL)
            return NULL;
        iov_node_put(parts->tree, whole, "name", entry->origin, text);
    }
    return whole;
}

/*
 * What a VM's entry says of a part over what the run says for all, or in its place if it names
 * another kind, whose properties are others.
 */
static const struct iov_node *lay_over(struct parts *parts, struct iov_node *own,
                                       const struct iov_node *shared)
{
    struct iov_config *config = parts->config;

    if (own == NULL || iov_node_is_empty(own))
        return shared;
    const char *kind = iov_node_text(own, "kind"), *shared_kind = iov_node_text(shared, "kind");

    if (own->kind != IOV_NODE_MAPPING || shared == NULL ||
        (kind != NULL && g_strcmp0(kind, shared_kind) != 0))
        return own;
    struct iov_node *below = iov_node_copy(parts->tree, shared, 2, config->diagnostics);

    if (below != NULL)
        iov_node_merge_under(parts->tree, own, below);
    return own;
}

/* The software of one VM, taken out of its entry. */
static const struct iov_node *software_of(struct parts *parts, struct iov_node *vm, const char *key)
{
    return lay_over(parts, iov_node_take(vm, key), iov_node_get(parts->config->root, key));
}

/* The VM's own values for its parts, taken out of its entry; NULL if there are none. */
static struct iov_node *own_parts(struct parts *parts, struct iov_node *vm)
{
    struct iov_node *own = iov_node_take(vm, "parts");

    if (own == NULL || iov_node_is_empty(own))
        return NULL;
    if (own->kind != IOV_NODE_MAPPING) {
        iov_diagnostics_add(parts->config->diagnostics, own->origin,
                            "'parts' of a VM wants a mapping, not %s", iov_node_kind_name(own));
        return NULL;
    }
    for (const struct iov_node *node = own->children; node != NULL; node = node->next) {
        if (!g_hash_table_contains(parts->per_vm_names, node->key) ||
            iov_node_get(iov_node_get(parts->config->root, "parts"), node->key) == NULL)
            iov_diagnostics_add(parts->config->diagnostics, node->key_origin,
                                "no part '%s' is made for each VM", node->key);
    }
    return own;
}

static void add_vm(struct parts *parts, struct iov_node *entry, int index)
{
    const struct iov_node *root = parts->config->root;
    const struct iov_node *machine = iov_node_get(root, "parts");
    GHashTable *scope = g_hash_table_new(g_str_hash, g_str_equal);
    struct iov_node *vm = complete_vm(parts, entry, index);

    g_ptr_array_add(parts->vms, scope);
    if (vm == NULL)
        return;
    const struct iov_node *programs[G_N_ELEMENTS(software)];
    for (unsigned i = 0; i < G_N_ELEMENTS(software); i++)
        programs[i] = software_of(parts, vm, software[i].name);
    struct iov_node *own = own_parts(parts, vm);
    const char *name = iov_node_text(vm, "name");
    add_part(parts, parts->machine, name, g_strdup(name), index, vm, NULL);
    g_hash_table_insert(scope, (gpointer)(guintptr) "vm",
                        g_ptr_array_index(parts->list, parts->list->len - 1));
    for (const struct iov_node *node = machine != NULL ? machine->children : NULL; node != NULL;
         node = node->next) {
        if (g_hash_table_contains(parts->per_vm_names, node->key))
            add_part(parts, scope, node->key, g_strconcat(name, "/", node->key, NULL), index,
                     lay_over(parts, own != NULL ? iov_node_take(own, node->key) : NULL, node),
                     NULL);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(software); i++) {
        if (programs[i] != NULL)
            add_part(parts, scope, software[i].name, g_strconcat(name, "/", software[i].name, NULL),
                     index, programs[i], software[i].is_standard ? software[i].kind : NULL);
    }
}

void parts_init(struct parts *parts, struct iov_config *config)
{
    const struct iov_node *vms = iov_node_get(config->root, "vms");
    int index = 0;

    parts->config = config;
    parts->tree = iov_tree_new();
    parts->list = g_ptr_array_new_with_free_func(free_part);
    parts->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    parts->machine = g_hash_table_new(g_str_hash, g_str_equal);
    parts->vms = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    parts->per_vm_names = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_add(parts->per_vm_names, (gpointer)(guintptr) "vm");
    for (unsigned i = 0; i < G_N_ELEMENTS(software); i++)
        g_hash_table_add(parts->per_vm_names, (gpointer)(guintptr)software[i].name);
    guint words = g_hash_table_size(parts->per_vm_names);
    add_machine_parts(parts);
    for (struct iov_node *entry = vms != NULL ? vms->children : NULL; entry != NULL;
         entry = entry->next)
        add_vm(parts, entry, index++);

    const struct iov_node *lonely = iov_node_get(config->root, "workload");
    if (index == 0 && (lonely != NULL || g_hash_table_size(parts->per_vm_names) > words))
        iov_diagnostics_add(
            config->diagnostics, lonely != NULL ? lonely->key_origin : config->root->origin,
            "there are no 'vms' for what is made once for each; write vms: [{name: vm0}]");
}

void parts_finish(struct parts *parts)
{
    if (parts->list == NULL)
        return;
    g_hash_table_unref(parts->per_vm_names);
    g_ptr_array_unref(parts->vms);
    g_hash_table_unref(parts->machine);
    g_hash_table_unref(parts->by_path);
    g_ptr_array_unref(parts->list);
    iov_tree_free(parts->tree);
}

static struct part *find_quietly(const struct parts *parts, int vm, const char *name)
{
    struct part *part = NULL;

    if (vm >= 0)
        part = g_hash_table_lookup(g_ptr_array_index(parts->vms, (guint)vm), name);
    if (part == NULL)
        part = g_hash_table_lookup(parts->machine, name);
    return part != NULL ? part : g_hash_table_lookup(parts->by_path, name);
}

/* The names that would have meant something, in the order of declaration. */
static GPtrArray *names_in_scope(const struct parts *parts, int vm)
{
    GPtrArray *names = g_ptr_array_new();

    if (vm >= 0)
        g_ptr_array_add(names, (gpointer)(guintptr) "vm");
    for (guint i = 0; i < parts->list->len; i++) {
        const struct part *part = g_ptr_array_index(parts->list, i);
        bool near = part->vm == vm || part->vm < 0 || strcmp(part->name, part->path) == 0;
        g_ptr_array_add(names, (gpointer)(guintptr)(near ? part->name : part->path));
    }
    g_ptr_array_add(names, NULL);
    return names;
}

/* There is no such part. Software of a VM is mostly referred to in a file that is not the user's:
 * that one is told where the VM is named. */
static void tell_missing(const struct parts *parts, int vm, const char *name,
                         struct iov_origin origin)
{
    const struct software *missing = find_software(name);
    const struct part *machine = vm >= 0 ? find_quietly(parts, vm, "vm") : NULL;

    if (missing != NULL && machine != NULL) {
        iov_diagnostics_add(parts->config->diagnostics, machine->node->origin,
                            "'%s' has no %s; write %s: { kind: %s }, or another", machine->name,
                            name, name, missing->kind);
        return;
    }
    GPtrArray *names = names_in_scope(parts, vm);
    iov_diagnostics_add_near(parts->config->diagnostics, origin, name,
                             (const char *const *)names->pdata, "there is no part '%s'", name);
    g_ptr_array_unref(names);
}

struct part *parts_find(const struct parts *parts, int vm, const char *name,
                        struct iov_origin origin, const char **ret_child)
{
    struct part *part = find_quietly(parts, vm, name);
    const char *slash = part == NULL ? strrchr(name, '/') : NULL;

    *ret_child = NULL;
    /* "vm/vcpu0" and "vm0/nic/queue0": the part is the longest name that is one. */
    while (slash != NULL && part == NULL) {
        char *front = g_strndup(name, (gsize)(slash - name));
        part = find_quietly(parts, vm, front);
        if (part != NULL)
            *ret_child = slash + 1;
        else
            slash = g_strrstr_len(name, slash - name, "/");
        g_free(front);
    }
    if (part == NULL)
        tell_missing(parts, vm, name, origin);
    return part;
}

IovModel *model_child(IovModel *model, const char *below)
{
    size_t prefix = strlen(model->path) + 1;

    for (guint i = 0; i < model->children->len; i++) {
        IovModel *child = g_ptr_array_index(model->children, i);
        const char *name = child->path + prefix;
        if (strcmp(name, below) == 0)
            return child;
        if (g_str_has_prefix(below, name) && below[strlen(name)] == '/')
            return model_child(child, below + strlen(name) + 1);
    }
    return NULL;
}
