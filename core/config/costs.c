/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost table of a run: `costs` of the resolved tree as times. All entries are checked, used or
 * not; which were used is remembered for the manifest. `adjust` in it says what makes several of
 * them dearer or cheaper.
 */
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"

#define ADJUST "adjust"
#define WHOLE 1000000u /* parts per million */

struct cost_table {
    struct iov_cost_table base; /* must be first */
    GArray *entries;            /* struct iov_cost_use, in the order of the file */
    GHashTable *by_name;        /* name to index + 1 */
    GPtrArray *names;           /* for suggestions, NULL-terminated */
    GHashTable *missing;        /* names that the user was told of */
    GPtrArray *adjusted;        /* owns the texts of that name */
};

static struct iov_cost_use *find(const struct cost_table *table, const char *name)
{
    unsigned index = GPOINTER_TO_UINT(g_hash_table_lookup(table->by_name, name));

    return index > 0 ? &g_array_index(table->entries, struct iov_cost_use, index - 1) : NULL;
}

/* "; did you mean 'x'?" or nothing. */
static char *hint(const struct cost_table *table, const char *name)
{
    const char *near = iov_suggest(name, (const char *const *)table->names->pdata);

    return near != NULL ? g_strdup_printf("; did you mean '%s'?", near) : g_strdup("");
}

static bool lookup(struct iov_cost_table *base, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    struct cost_table *table = iov_container_of(base, struct cost_table, base);
    struct iov_cost_use *use = find(table, name);

    if (use == NULL) {
        char *nearest = hint(table, name);
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "'costs' has no entry '%s', which kind '%s' needs%s", name, kind, nearest);
        g_free(nearest);
        return false;
    }
    use->used = true;
    *ret_cost = use->value;
    return true;
}

static const char *text_of(const struct iov_node *entry, const char *key)
{
    const char *text = iov_node_text(entry, key);

    return text != NULL ? text : "";
}

static void read_value(const struct iov_node *value, const char *name, uint64_t frequency_hz,
                       struct iov_diagnostics *diagnostics, iov_time *ret_time)
{
    struct iov_quantity quantity;

    if (value->bad)
        return;
    if (value->kind != IOV_NODE_SCALAR || !iov_quantity_parse_any(value->text, &quantity, NULL) ||
        quantity.dimension != IOV_DIMENSION_CYCLES) {
        (void)quantity_of_node(value, IOV_DIMENSION_TIME, name, diagnostics, ret_time);
        return;
    }
    if (frequency_hz == 0)
        iov_diagnostics_add(diagnostics, value->origin,
                            "'%s' is in cycles, and no 'frequency' says how long one is", name);
    else if (!iov_cycles_to_time(quantity.value, frequency_hz, ret_time))
        iov_diagnostics_add(diagnostics, value->origin, "'%s' is too many cycles", value->text);
}

static void check_keys(const struct iov_node *entry, struct iov_diagnostics *diagnostics)
{
    static const char *const keys[] = { "value",      "source", "year", "hardware",
                                        "confidence", "note",   NULL };
    static const char *const levels[] = { "high", "medium", "low", NULL };
    const struct iov_node *confidence = iov_node_get(entry, "confidence");

    for (const struct iov_node *node = entry->children; node != NULL; node = node->next) {
        if (!g_strv_contains(keys, node->key))
            iov_diagnostics_add_near(diagnostics, node->key_origin, node->key, keys,
                                     "a cost has no key '%s'", node->key);
        else if (node->kind != IOV_NODE_SCALAR)
            iov_diagnostics_add(diagnostics, node->origin, "'%s' wants a text, not %s", node->key,
                                iov_node_kind_name(node));
    }
    if (iov_node_is(confidence, IOV_NODE_SCALAR) && !g_strv_contains(levels, confidence->text))
        iov_diagnostics_add_near(diagnostics, confidence->origin, confidence->text, levels,
                                 "'%s' is no choice for 'confidence': high, medium, low",
                                 confidence->text);
    if (iov_node_get(entry, "source") == NULL)
        iov_diagnostics_add(
            diagnostics, entry->key_origin,
            "cost '%s' names no source; write 'source: estimate' and say why in 'note'",
            entry->key);
}

static void add_entry(struct cost_table *table, const struct iov_node *entry, uint64_t frequency_hz,
                      struct iov_diagnostics *diagnostics)
{
    const struct iov_node *value =
        entry->kind == IOV_NODE_SCALAR ? entry : iov_node_get(entry, "value");
    struct iov_cost_use use = { .name = entry->key, .adjusted = "" };

    if (value == NULL || iov_node_is_empty(value)) {
        iov_diagnostics_add(diagnostics, entry->origin, "cost '%s' has no 'value'", entry->key);
    } else {
        read_value(value, entry->key, frequency_hz, diagnostics, &use.value);
        use.text = value->text;
    }
    if (entry->kind == IOV_NODE_MAPPING)
        check_keys(entry, diagnostics);
    use.source =
        entry->kind == IOV_NODE_SCALAR ? "given in the run file" : text_of(entry, "source");
    use.year = text_of(entry, "year");
    use.hardware = text_of(entry, "hardware");
    use.confidence = text_of(entry, "confidence");
    use.note = text_of(entry, "note");
    g_array_append_val(table->entries, use);
    g_hash_table_insert(table->by_name, (gpointer)(guintptr)use.name,
                        GUINT_TO_POINTER(table->entries->len));
    g_ptr_array_add(table->names, (gpointer)(guintptr)use.name);
}

/* ---- Adjustments ---- */

/* What makes costs dearer or cheaper, and how. */
struct adjustment {
    const char *name;
    const char *source;
    uint64_t factor; /* parts per million */
    iov_time plus;
};

static void adjust_entry(struct cost_table *table, struct iov_cost_use *use,
                         const struct adjustment *adjustment)
{
    const char *before = use->adjusted;
    char *text = g_strdup_printf("%s%s%s: %s", before, before[0] != '\0' ? "; " : "",
                                 adjustment->name, adjustment->source);

    use->value =
        (iov_time)((unsigned __int128)use->value * adjustment->factor / WHOLE) + adjustment->plus;
    use->adjusted = text;
    g_ptr_array_add(table->adjusted, text);
}

/* All entries that the pattern fits but those that are a bare value: that is what it says. */
static void adjust_matching(struct cost_table *table, const struct iov_node *costs,
                            const struct iov_node *pattern, const struct adjustment *adjustment,
                            struct iov_diagnostics *diagnostics)
{
    bool found = false;

    if (pattern->kind != IOV_NODE_SCALAR) {
        iov_diagnostics_add(diagnostics, pattern->origin,
                            "the name of a cost is wanted, or a pattern, not %s",
                            iov_node_kind_name(pattern));
        return;
    }
    for (guint i = 0; i < table->entries->len; i++) {
        struct iov_cost_use *use = &g_array_index(table->entries, struct iov_cost_use, i);

        if (!g_pattern_match_simple(pattern->text, use->name))
            continue;
        found = true;
        if (iov_node_get(costs, use->name)->kind == IOV_NODE_MAPPING)
            adjust_entry(table, use, adjustment);
    }
    if (!found)
        iov_diagnostics_add_near(
            diagnostics, pattern->origin, pattern->text, (const char *const *)table->names->pdata,
            "'" ADJUST "' names a cost '%s', which there is not", pattern->text);
}

static void adjust(struct cost_table *table, const struct iov_node *costs,
                   const struct iov_node *node, uint64_t frequency_hz,
                   struct iov_diagnostics *diagnostics)
{
    static const char *const keys[] = { "costs", "factor",   "plus",       "source", "year",
                                        "note",  "hardware", "confidence", NULL };
    const struct iov_node *factor = iov_node_get(node, "factor"),
                          *plus = iov_node_get(node, "plus"), *names = iov_node_get(node, "costs");
    struct adjustment adjustment = { node->key, text_of(node, "source"), WHOLE, 0 };

    for (const struct iov_node *key = node->children; key != NULL; key = key->next) {
        if (!g_strv_contains(keys, key->key))
            iov_diagnostics_add_near(diagnostics, key->key_origin, key->key, keys,
                                     "an adjustment has no key '%s'", key->key);
    }
    if (!iov_node_is(names, IOV_NODE_SEQUENCE) || (factor == NULL && plus == NULL) ||
        adjustment.source[0] == '\0') {
        iov_diagnostics_add(diagnostics, node->origin,
                            "an adjustment has a list 'costs', a 'factor' such as 145%% or a "
                            "'plus' such as 80ns, and a 'source'");
        return;
    }
    if (factor != NULL &&
        !quantity_of_node(factor, IOV_DIMENSION_SHARE, "factor", diagnostics, &adjustment.factor))
        return;
    if (plus != NULL)
        read_value(plus, "plus", frequency_hz, diagnostics, &adjustment.plus);
    for (const struct iov_node *name = names->children; name != NULL; name = name->next)
        adjust_matching(table, costs, name, &adjustment, diagnostics);
}

static void adjust_all(struct cost_table *table, const struct iov_node *costs,
                       uint64_t frequency_hz, struct iov_diagnostics *diagnostics)
{
    const struct iov_node *all = iov_node_get(costs, ADJUST);

    if (all != NULL && all->kind != IOV_NODE_MAPPING) {
        iov_diagnostics_add(diagnostics, all->origin,
                            "'" ADJUST "' wants a mapping of names to adjustments, not %s",
                            iov_node_kind_name(all));
        return;
    }
    for (const struct iov_node *node = all != NULL ? all->children : NULL; node != NULL;
         node = node->next)
        adjust(table, costs, node, frequency_hz, diagnostics);
}

/* ---- The table ---- */

struct cost_table *cost_table_new(const struct iov_node *costs, uint64_t frequency_hz,
                                  struct iov_diagnostics *diagnostics)
{
    struct cost_table *table = g_new0(struct cost_table, 1);

    table->base.lookup = lookup;
    table->entries = g_array_new(FALSE, TRUE, sizeof(struct iov_cost_use));
    table->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    table->names = g_ptr_array_new();
    table->missing = g_hash_table_new(g_str_hash, g_str_equal);
    table->adjusted = g_ptr_array_new_with_free_func(g_free);
    /* Anything but a mapping was told to the user where the keys of the file were checked. */
    if (iov_node_is(costs, IOV_NODE_MAPPING)) {
        for (const struct iov_node *entry = costs->children; entry != NULL; entry = entry->next) {
            if (strcmp(entry->key, ADJUST) != 0)
                add_entry(table, entry, frequency_hz, diagnostics);
        }
    }
    g_ptr_array_add(table->names, NULL);
    if (iov_node_is(costs, IOV_NODE_MAPPING))
        adjust_all(table, costs, frequency_hz, diagnostics);
    return table;
}

void cost_table_free(struct cost_table *table)
{
    if (table == NULL)
        return;
    g_array_unref(table->entries);
    g_hash_table_unref(table->by_name);
    g_ptr_array_unref(table->names);
    g_hash_table_unref(table->missing);
    g_ptr_array_unref(table->adjusted);
    g_free(table);
}

struct iov_cost_table *cost_table_interface(struct cost_table *table)
{
    return &table->base;
}

unsigned cost_table_count(const struct cost_table *table)
{
    return table->entries->len;
}

const struct iov_cost_use *cost_table_at(const struct cost_table *table, unsigned index)
{
    return index < table->entries->len ? &g_array_index(table->entries, struct iov_cost_use, index)
                                       : NULL;
}

static void say_missing(struct cost_table *table, const char *name, const char *kind,
                        struct iov_origin origin, struct iov_diagnostics *diagnostics)
{
    g_autofree char *nearest = hint(table, name);

    if (table->entries->len > 0)
        iov_diagnostics_add(diagnostics, origin,
                            "'costs' has no entry '%s', which kind '%s' needs%s", name, kind,
                            nearest);
    else if (g_hash_table_size(table->missing) == 1)
        iov_diagnostics_add(diagnostics, origin,
                            "kind '%s' needs '%s' and the file has no 'costs'; write, say, "
                            "costs: costs/kvm-skylake.yaml",
                            kind, name);
}

void cost_table_check_kind(struct cost_table *table, const struct iov_model_info *info,
                           struct iov_origin origin, struct iov_diagnostics *diagnostics)
{
    for (unsigned i = 0; i < info->costs->len; i++) {
        const char *name = g_array_index(info->costs, struct iov_cost, i).name;

        if (find(table, name) == NULL && g_hash_table_add(table->missing, (gpointer)(guintptr)name))
            say_missing(table, name, info->kind, origin, diagnostics);
    }
}

static bool any_kind_has(const char *name)
{
    g_auto(GStrv) kinds = iov_kind_list();

    for (char **kind = kinds; *kind != NULL; kind++) {
        const GArray *costs = iov_kind_info(*kind)->costs;

        for (guint i = 0; i < costs->len; i++) {
            if (strcmp(g_array_index(costs, struct iov_cost, i).name, name) == 0)
                return true;
        }
    }
    return false;
}

void cost_table_tell_idle(const struct cost_table *table, const struct iov_node *costs,
                          struct iov_diagnostics *idle)
{
    if (!iov_node_is(costs, IOV_NODE_MAPPING))
        return;
    for (const struct iov_node *entry = costs->children; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key, ADJUST) == 0 || !iov_origin_is_set(entry->key_origin) ||
            find(table, entry->key)->used || any_kind_has(entry->key))
            continue;
        g_autoptr(GPtrArray) others = g_ptr_array_new();

        for (guint i = 0; i < table->entries->len; i++) {
            const struct iov_cost_use *use = &g_array_index(table->entries, struct iov_cost_use, i);

            if (strcmp(use->name, entry->key) != 0)
                g_ptr_array_add(others, (gpointer)(guintptr)use->name);
        }
        g_ptr_array_add(others, NULL);
        iov_diagnostics_add_near(idle, entry->key_origin, entry->key,
                                 (const char *const *)others->pdata, "no kind has a cost '%s'",
                                 entry->key);
    }
}
