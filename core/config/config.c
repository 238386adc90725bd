/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a run file: its own files, then its strategy and its costs, then --set, then parameters.
 * The result says everything in itself; written with `resolved: on` it is read again without any
 * other file.
 */
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"

static const char *const top_keys[] = {
    "iovsim", "resolved",  "title",      "strategy", "hypervisor", "seed",
    "stop",   "frequency", "parameters", "parts",    "wires",      "vm",
    "vms",    "guest",     "workload",   "costs",    "describe",   NULL,
};
static const char *const strategy_keys[] = { "iovsim",     "title", "parameters", "parts",
                                             "wires",      "vm",    "guest",      "workload",
                                             "hypervisor", "costs", "describe",   NULL };
static const char *const cost_file_keys[] = { "iovsim",    "title",    "costs",
                                              "frequency", "describe", NULL };
enum { VMS_MAX = 4096 };
static const char *const appended_keys[] = { "wires", NULL };

/* Whether a key is the user's own: a place for anchors. */
static bool is_private(const char *key)
{
    return g_str_has_prefix(key, "x-");
}

/* Tells unknown keys and takes them out, so that they are told once. */
static void check_top_keys(struct iov_diagnostics *diagnostics, struct iov_node *root,
                           const char *const *keys, const char *what)
{
    const struct iov_node *next;

    for (const struct iov_node *node = root->children; node != NULL; node = next) {
        next = node->next;
        if (g_strv_contains(keys, node->key) || is_private(node->key))
            continue;
        iov_diagnostics_add_near(diagnostics, node->key_origin, node->key, keys,
                                 "%s has no key '%s'", what, node->key);
        iov_node_take(root, node->key);
    }
}

static bool check_kind_of_node(struct iov_diagnostics *diagnostics, const struct iov_node *node,
                               enum iov_node_kind kind, const char *wanted)
{
    if (node == NULL || node->kind == kind || iov_node_is_empty(node) || node->bad)
        return true;
    iov_diagnostics_add(diagnostics, node->origin, "'%s' wants %s, not %s", node->key, wanted,
                        iov_node_kind_name(node));
    return false;
}

/* Values of the wrong kind are taken out, so that who comes later need not look. */
static void check_top_values(struct iov_diagnostics *diagnostics, struct iov_node *root)
{
    static const struct {
        const char *key;
        enum iov_node_kind kind;
        const char *wanted;
    } rules[] = {
        { "title", IOV_NODE_SCALAR, "a text" },
        { "strategy", IOV_NODE_SCALAR, "the name of a strategy" },
        { "hypervisor", IOV_NODE_SCALAR, "a text" },
        { "parts", IOV_NODE_MAPPING, "a mapping of names to parts" },
        { "wires", IOV_NODE_SEQUENCE, "a list of wires" },
        { "vm", IOV_NODE_MAPPING, "a mapping of what all VMs share" },
        { "vms", IOV_NODE_SEQUENCE, "a list of VMs" },
        { "guest", IOV_NODE_MAPPING, "a mapping" },
        { "workload", IOV_NODE_MAPPING, "a mapping" },
        { "costs", IOV_NODE_MAPPING, "a file, or a mapping of names to costs" },
        { "describe", IOV_NODE_MAPPING, "a mapping" },
    };
    uint64_t number;

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        struct iov_node *node = iov_node_get(root, rules[i].key);
        if (!check_kind_of_node(diagnostics, node, rules[i].kind, rules[i].wanted) ||
            iov_node_is_empty(node))
            iov_node_take(root, rules[i].key);
    }
    const struct iov_node *version = iov_node_get(root, "iovsim"),
                          *seed = iov_node_get(root, "seed"), *stop = iov_node_get(root, "stop"),
                          *frequency = iov_node_get(root, "frequency");
    if (version != NULL && !version->bad)
        (void)iov_version_is_known(version, diagnostics);
    if (seed != NULL)
        (void)quantity_of_node(seed, IOV_DIMENSION_COUNT, "seed", diagnostics, &number);
    if (stop != NULL)
        (void)quantity_of_node(stop, IOV_DIMENSION_TIME, "stop", diagnostics, &number);
    if (frequency != NULL &&
        quantity_of_node(frequency, IOV_DIMENSION_FREQUENCY, "frequency", diagnostics, &number) &&
        number == 0)
        iov_diagnostics_add(diagnostics, frequency->origin, "'frequency' cannot be 0");
}

/* ---- Strategy ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **iov_strategy_list(const char *const *search_path)
{
    GPtrArray *names = g_ptr_array_new();

    for (; search_path != NULL && *search_path != NULL; search_path++) {
        char *folder = g_build_filename(*search_path, "strategies", NULL);
        GDir *dir = g_dir_open(folder, 0, NULL);
        const char *file;
        while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
            if (!g_str_has_suffix(file, ".yaml"))
                continue;
            char *name = g_strndup(file, strlen(file) - strlen(".yaml"));
            if (g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                g_free(name);
            else
                g_ptr_array_add(names, name);
        }
        if (dir != NULL)
            g_dir_close(dir);
        g_free(folder);
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

/* The file of a strategy: a path if it looks like one, else a name in the search path. */
static char *find_strategy(struct iov_sources *sources, const struct iov_node *strategy)
{
    if (strchr(strategy->text, '/') != NULL || g_str_has_suffix(strategy->text, ".yaml"))
        return iov_sources_find(sources, strategy->text, strategy->origin);

    char *file = g_strdup_printf("%s.yaml", strategy->text);
    char *path = NULL;
    for (const char *const *place = sources->search_path;
         place != NULL && *place != NULL && path == NULL; place++) {
        path = g_build_filename(*place, "strategies", file, NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            g_clear_pointer(&path, g_free);
    }
    if (path == NULL) {
        char **names = iov_strategy_list(sources->search_path);
        char *all = g_strjoinv(", ", names);
        iov_diagnostics_add_near(sources->diagnostics, strategy->origin, strategy->text,
                                 (const char *const *)names,
                                 "there is no strategy '%s'; there are: %s", strategy->text,
                                 all[0] != '\0' ? all : "none in the search path");
        g_free(all);
        g_strfreev(names);
    }
    g_free(file);
    return path != NULL ? iov_path_tidy(path) : NULL;
}

/* The strategy's parts are made once for each VM if they do not say otherwise. */
static void mark_parts(struct iov_sources *sources, struct iov_node *run, struct iov_node *strategy)
{
    const struct iov_node *mine = iov_node_get(run, "parts"),
                          *parts = iov_node_get(strategy, "parts");

    if (!iov_node_is(parts, IOV_NODE_MAPPING))
        return;
    for (struct iov_node *part = parts->children; part != NULL; part = part->next) {
        const struct iov_node *same = iov_node_get(mine, part->key);
        if (iov_node_get(same, "kind") != NULL)
            iov_diagnostics_add(
                sources->diagnostics, same->key_origin,
                "'%s' is also a part of the strategy (%s:%u); give this one another name",
                part->key, part->key_origin.file, part->key_origin.line);
        if (part->kind != IOV_NODE_MAPPING || iov_node_get(part, "per") != NULL)
            continue;
        struct iov_node *per =
            iov_node_new(sources->tree, IOV_NODE_SCALAR, "vm", part->origin, sources->diagnostics);
        if (per != NULL)
            iov_node_put(sources->tree, part, "per", part->key_origin, per);
    }
}

/* Wires of both count: the run's (the machine's) first. */
static void join_wires(struct iov_node *run, struct iov_node *strategy)
{
    struct iov_node *upper = iov_node_get(run, "wires");
    const struct iov_node *lower = iov_node_get(strategy, "wires");

    if (!iov_node_is(upper, IOV_NODE_SEQUENCE) || !iov_node_is(lower, IOV_NODE_SEQUENCE))
        return;
    struct iov_node *next;
    for (struct iov_node *wire = lower->children; wire != NULL; wire = next) {
        next = wire->next;
        iov_node_append(upper, wire);
    }
}

static void merge_strategy(struct iov_sources *sources, struct iov_node *run)
{
    const struct iov_node *name = iov_node_get(run, "strategy");

    if (name == NULL || name->kind != IOV_NODE_SCALAR || iov_node_is_empty(name))
        return;
    char *path = find_strategy(sources, name);
    struct iov_node *strategy = path != NULL ? iov_sources_read(sources, path, name->origin) : NULL;
    g_free(path);
    if (strategy == NULL) {
        sources->failed = true;
        return;
    }
    check_top_keys(sources->diagnostics, strategy, strategy_keys, "a strategy");
    mark_parts(sources, run, strategy);
    join_wires(run, strategy);
    iov_node_take(strategy, "title");
    iov_node_merge_under(sources->tree, run, strategy);
}

/* ---- Costs ---- */

/* Reads one cost file and lays it on what the files before it said. */
static void read_cost_file(struct iov_sources *sources, struct iov_node *run,
                           const struct iov_node *name, struct iov_node **below)
{
    if (name->kind != IOV_NODE_SCALAR) {
        iov_diagnostics_add(sources->diagnostics, name->origin,
                            "the name of a cost file is wanted, not %s", iov_node_kind_name(name));
        return;
    }
    char *path = iov_sources_find(sources, name->text, name->origin);
    struct iov_node *file = path != NULL ? iov_sources_read(sources, path, name->origin) : NULL;
    g_free(path);
    if (file == NULL) {
        sources->failed = true;
        return;
    }
    check_top_keys(sources->diagnostics, file, cost_file_keys, "a cost file");
    struct iov_node *costs = iov_node_take(file, "costs"),
                    *frequency = iov_node_take(file, "frequency");
    if (frequency != NULL && iov_node_get(run, "frequency") == NULL)
        iov_node_put(sources->tree, run, "frequency", frequency->key_origin, frequency);
    if (!iov_node_is(costs, IOV_NODE_MAPPING))
        iov_diagnostics_add(sources->diagnostics, file->origin,
                            "a cost file has the mapping 'costs'");
    else if (*below == NULL)
        *below = costs;
    else
        iov_node_merge(sources->tree, *below, costs);
}

/* `costs: FILE`, `costs: [FILE, …]` and `costs: {include: FILE, …}` become one mapping. */
static void merge_costs(struct iov_sources *sources, struct iov_node *run)
{
    struct iov_node *costs = iov_node_get(run, "costs");
    struct iov_node *names = costs;
    struct iov_node *below = NULL;

    if (iov_node_is(costs, IOV_NODE_MAPPING))
        names = iov_node_take(costs, "include");
    if (names == NULL || iov_node_is_empty(names))
        return;
    if (names->kind == IOV_NODE_SEQUENCE) {
        for (const struct iov_node *name = names->children; name != NULL; name = name->next)
            read_cost_file(sources, run, name, &below);
    } else {
        read_cost_file(sources, run, names, &below);
    }
    if (below == NULL) {
        costs->bad = true; /* told */
        return;
    }
    if (costs->kind == IOV_NODE_MAPPING)
        iov_node_merge(sources->tree, below, costs);
    iov_node_become(costs, below);
}

/* A value from the command line does not have the source that the table names. */
static void correct_sources(struct iov_sources *sources, struct iov_node *run)
{
    const struct iov_node *costs = iov_node_get(run, "costs");

    for (struct iov_node *cost = iov_node_is(costs, IOV_NODE_MAPPING) ? costs->children : NULL;
         cost != NULL; cost = cost->next) {
        const struct iov_node *value = iov_node_get(cost, "value");
        if (value == NULL || value->origin.line > 0)
            continue;
        struct iov_node *source =
            iov_node_new(sources->tree, IOV_NODE_SCALAR, "set on the command line", value->origin,
                         sources->diagnostics);
        if (source != NULL)
            iov_node_put(sources->tree, cost, "source", value->origin, source);
        iov_node_take(cost, "confidence");
    }
}

/* ---- The whole ---- */

/* A text that begins with `./` or `../` is a path beside the file that says it. Depth is bounded by
 * the tree's. */
static void make_paths_absolute(struct iov_tree *tree, struct iov_node *node)
{
    if (node->kind == IOV_NODE_SCALAR &&
        (g_str_has_prefix(node->text, "./") || g_str_has_prefix(node->text, "../"))) {
        char *folder =
            node->origin.line > 0 ? g_path_get_dirname(node->origin.file) : g_strdup(".");
        char *base = g_canonicalize_filename(folder, NULL);
        char *path = g_canonicalize_filename(node->text, base);
        node->text = iov_tree_string(tree, path);
        g_free(path);
        g_free(base);
        g_free(folder);
    }
    for (struct iov_node *child = node->children; child != NULL; child = child->next)
        make_paths_absolute(tree, child);
}

/* Whether a --set says which files are read and so must come before them. `include=` comes before
 * all (merge.c). */
static bool chooses_files(const char *assignment)
{
    return g_str_has_prefix(assignment, "strategy=") || g_str_has_prefix(assignment, "costs=");
}

static void apply_sets(struct iov_sources *sources, struct iov_node *run, const char *const *sets,
                       bool files)
{
    for (; sets != NULL && *sets != NULL; sets++) {
        if (chooses_files(*sets) == files && !iov_set_is_include(*sets))
            iov_tree_set(sources->tree, run, *sets, sources->diagnostics);
    }
}

static void refuse_other_files(struct iov_sources *sources, const char *const *sets)
{
    for (; sets != NULL && *sets != NULL; sets++) {
        if (chooses_files(*sets) || iov_set_is_include(*sets))
            iov_diagnostics_add(sources->diagnostics, (struct iov_origin){ 0 },
                                "--set %s: a resolved file has all its files in it; start "
                                "from the original file",
                                *sets);
    }
}

/* ---- Many VMs of one kind ---- */

/* A copy of an entry of `vms` with its number behind its name; NULL if the tree is full. */
static struct iov_node *numbered_vm(struct iov_sources *sources, const struct iov_node *entry,
                                    unsigned number)
{
    struct iov_node *vm = iov_node_copy(sources->tree, entry, 2, sources->diagnostics);
    const char *name = vm != NULL ? iov_node_text(vm, "name") : NULL;

    if (name != NULL && *name != '\0') {
        struct iov_origin origin = iov_node_get(vm, "name")->origin;
        char *text = g_strdup_printf("%s%u", name, number);
        struct iov_node *node =
            iov_node_new(sources->tree, IOV_NODE_SCALAR, text, origin, sources->diagnostics);
        g_free(text);
        if (node != NULL)
            iov_node_put(sources->tree, vm, "name", origin, node);
    }
    return vm;
}

/* `{name: vm, count: 3}` becomes vm0, vm1 and vm2. */
static void count_vms(struct iov_sources *sources, struct iov_node *run)
{
    struct iov_node *vms = iov_node_get(run, "vms");
    struct iov_node *entry = vms != NULL ? vms->children : NULL;

    if (vms == NULL)
        return;
    vms->children = vms->last = NULL;
    vms->count = 0;
    for (struct iov_node *next; entry != NULL; entry = next) {
        const struct iov_node *count = iov_node_get(entry, "count");
        uint64_t number = 0;

        next = entry->next;
        entry->next = NULL;
        if (count == NULL) {
            iov_node_append(vms, entry);
            continue;
        }
        if (quantity_of_node(count, IOV_DIMENSION_COUNT, "count", sources->diagnostics, &number) &&
            (number < 1 || number > VMS_MAX)) {
            iov_diagnostics_add(sources->diagnostics, count->origin,
                                "'count' is %s; 1 to %d VMs are possible", count->text, VMS_MAX);
            number = 1;
        }
        iov_node_take(entry, "count");
        for (unsigned i = 0; i < MAX(1, number); i++) {
            struct iov_node *vm = numbered_vm(sources, entry, i);
            if (vm == NULL)
                return; /* told */
            iov_node_append(vms, vm);
        }
    }
}

static void mark_resolved(struct iov_sources *sources, struct iov_node *run)
{
    struct iov_node *mark =
        iov_node_new(sources->tree, IOV_NODE_SCALAR, "on", run->origin, sources->diagnostics);

    if (mark != NULL)
        iov_node_put(sources->tree, run, "resolved", run->origin, mark);
}

/* Everything below the run file, on it, and over it. */
static void resolve(struct iov_sources *sources, struct iov_node *run, const char *const *sets,
                    struct iov_diagnostics *idle)
{
    bool resolved = false;
    const char *mark = iov_node_text(run, "resolved");

    if (mark != NULL && !iov_boolean_parse(mark, &resolved))
        iov_diagnostics_add(sources->diagnostics, iov_node_get(run, "resolved")->origin,
                            "'%s' is neither; 'resolved' wants on or off", mark);
    if (resolved) {
        refuse_other_files(sources, sets);
    } else {
        apply_sets(sources, run, sets, true);
        merge_strategy(sources, run);
        merge_costs(sources, run);
    }
    apply_sets(sources, run, sets, false);
    if (!resolved)
        make_paths_absolute(sources->tree, run);
    correct_sources(sources, run);
    iov_tree_substitute(sources->tree, run, sources->diagnostics, idle);
    check_top_keys(sources->diagnostics, run, top_keys, "a run file");
    check_top_values(sources->diagnostics, run);
    count_vms(sources, run);
    if (!resolved)
        mark_resolved(sources, run);
}

/* `text` NULL: what stands in the file `path`. */
static struct iov_config *load(const char *path, const char *text,
                               const struct iov_config_options *options, GError **error)
{
    static const struct iov_config_options no_options = { 0 };
    struct iov_config *config = g_new0(struct iov_config, 1);

    options = options != NULL ? options : &no_options;
    config->tree = iov_tree_new();
    config->diagnostics = iov_diagnostics_new();
    config->idle = iov_diagnostics_new();
    struct iov_sources sources = { .tree = config->tree,
                                   .diagnostics = config->diagnostics,
                                   .search_path = options->search_path,
                                   .sets = options->sets,
                                   .appended = appended_keys };
    config->root = text != NULL ? iov_sources_read_text(&sources, path, text)
                                : iov_sources_read(&sources, path, (struct iov_origin){ 0 });
    if (config->root != NULL)
        resolve(&sources, config->root, options->sets, config->idle);
    if (sources.failed) {
        bool clean = iov_diagnostics_clear_or_raise(config->diagnostics, error);
        g_assert(!clean); /* what failed was told */
        iov_config_free(config);
        return NULL;
    }
    return config;
}

struct iov_config *iov_config_load(const char *path, const struct iov_config_options *options,
                                   GError **error)
{
    return load(path, NULL, options, error);
}

struct iov_config *iov_config_load_text(const char *name, const char *text,
                                        const struct iov_config_options *options, GError **error)
{
    return load(name, text, options, error);
}

void iov_config_free(struct iov_config *config)
{
    if (config == NULL)
        return;
    iov_tree_free(config->tree);
    iov_diagnostics_free(config->diagnostics);
    iov_diagnostics_free(config->idle);
    g_free(config);
}

const struct iov_node *iov_config_root(const struct iov_config *config)
{
    return config->root;
}

const struct iov_diagnostics *iov_config_idle_sets(const struct iov_config *config)
{
    return config->idle;
}

char *iov_config_write(const struct iov_config *config)
{
    return iov_tree_write(config->root);
}
