/* SPDX-License-Identifier: Apache-2.0 */
/* From a text to a part on the bench: kind, costs, properties; references wait until all parts are
 * there. */
#include "core/harness/harness-private.h"

#include <string.h>

#include "core/config/quantity.h"

static bool complain(const struct iov_node *node, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool complain(const struct iov_node *node, GError **error, const char *format, ...)
{
    va_list arguments;
    g_autofree char *text = NULL;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "%s:%u:%u: %s", node->origin.file,
                node->origin.line, node->origin.column, text);
    return false;
}

/* Children count too: "cpu/apic". */
static IovModel *find_among(const GPtrArray *parts, const char *path)
{
    for (unsigned i = 0; i < parts->len; i++) {
        IovModel *part = g_ptr_array_index(parts, i);
        IovModel *found = strcmp(part->path, path) == 0 ? part : find_among(part->children, path);

        if (found != NULL)
            return found;
    }
    return NULL;
}

IovModel *iov_harness_find(struct iov_harness *harness, const char *name)
{
    return find_among(harness->private_data->parts, name);
}

/* ---- Properties ---- */

static bool parse_number(const struct iov_property *row, const struct iov_node *node,
                         uint64_t *ret_value, GError **error)
{
    static const enum iov_dimension dimensions[] = {
        [IOV_VALUE_TIME] = IOV_DIMENSION_TIME,           [IOV_VALUE_SIZE] = IOV_DIMENSION_SIZE,
        [IOV_VALUE_FREQUENCY] = IOV_DIMENSION_FREQUENCY, [IOV_VALUE_RATE] = IOV_DIMENSION_RATE,
        [IOV_VALUE_COUNT] = IOV_DIMENSION_COUNT,
    };
    enum iov_dimension dimension =
        row->type < G_N_ELEMENTS(dimensions) ? dimensions[row->type] : IOV_DIMENSION_COUNT;
    bool truth;

    if (node->kind != IOV_NODE_SCALAR)
        return complain(node, error, "%s: %s where a value is wanted", row->name,
                        iov_node_kind_name(node));
    if (row->word != NULL && strcmp(node->text, row->word) == 0) {
        *ret_value = 0;
        return true;
    }
    if (row->type != IOV_VALUE_BOOL)
        return iov_quantity_parse(node->text, dimension, row->name, ret_value, error);
    if (!iov_boolean_parse(node->text, &truth))
        return complain(node, error, "%s: '%s' is not on or off", row->name, node->text);
    *ret_value = truth;
    return true;
}

static bool set_counts(IovModel *model, const struct iov_property *row, const struct iov_node *node,
                       GError **error)
{
    g_autofree uint64_t *values = g_new0(uint64_t, node->count + 1);
    unsigned count = 0;

    if (node->kind != IOV_NODE_SEQUENCE)
        return complain(node, error, "%s: a list is wanted", row->name);
    for (const struct iov_node *item = node->children; item != NULL; item = item->next) {
        if (!parse_number(row, item, &values[count++], error))
            return false;
    }
    return iov_model_set_counts(model, row->name, values, count, error);
}

static bool set_property(struct iov_harness *harness, IovModel *model, const struct iov_node *node,
                         GError **error)
{
    const struct iov_property *row = iov_model_find_property(model, node->key);
    struct pending_ref pending = { model, row, node };
    uint64_t value;

    if (row == NULL)
        return complain(node, error, "%s has no property '%s'",
                        IOV_MODEL_GET_CLASS(model)->info->kind, node->key);
    switch (row->type) {
    case IOV_VALUE_REF:
    case IOV_VALUE_REF_LIST:
        g_array_append_val(harness->private_data->references, pending);
        return true;
    case IOV_VALUE_COUNT_LIST:
        return set_counts(model, row, node, error);
    case IOV_VALUE_ENUM:
    case IOV_VALUE_STRING:
        if (node->kind != IOV_NODE_SCALAR)
            return complain(node, error, "%s: a text is wanted", row->name);
        return iov_model_set_string(model, row->name, node->text, error);
    default:
        return parse_number(row, node, &value, error) &&
               iov_model_set_number(model, row->name, value, error);
    }
}

static IovModel *named_part(struct iov_harness *harness, const struct iov_node *node,
                            GError **error)
{
    IovModel *part = node->kind == IOV_NODE_SCALAR ? iov_harness_find(harness, node->text) : NULL;

    if (part == NULL)
        complain(node, error, "there is no part '%s' on the bench",
                 node->kind == IOV_NODE_SCALAR ? node->text : iov_node_kind_name(node));
    return part;
}

static bool resolve_one(struct iov_harness *harness, const struct pending_ref *pending,
                        GError **error)
{
    const struct iov_node *node = pending->node;
    g_autoptr(GPtrArray) parts = g_ptr_array_new();

    if (pending->row->type == IOV_VALUE_REF) {
        IovModel *part = named_part(harness, node, error);

        return part != NULL && iov_model_set_ref(pending->model, pending->row->name, part, error);
    }
    if (node->kind != IOV_NODE_SEQUENCE)
        return complain(node, error, "%s: a list is wanted", pending->row->name);
    for (const struct iov_node *item = node->children; item != NULL; item = item->next) {
        IovModel *part = named_part(harness, item, error);

        if (part == NULL)
            return false;
        g_ptr_array_add(parts, part);
    }
    return iov_model_set_refs(pending->model, pending->row->name, (IovModel *const *)parts->pdata,
                              parts->len, error);
}

/* ---- Costs ---- */

static bool read_costs(struct iov_harness *harness, const struct iov_node *costs, GError **error)
{
    if (costs == NULL)
        return true;
    if (costs->kind != IOV_NODE_MAPPING)
        return complain(costs, error, "costs: a mapping is wanted");
    for (const struct iov_node *node = costs->children; node != NULL; node = node->next) {
        struct given_cost *given = g_new0(struct given_cost, 1);

        g_hash_table_insert(harness->private_data->given, g_strdup(node->key), given);
        if (node->kind != IOV_NODE_SCALAR)
            return complain(node, error, "%s: a time is wanted", node->key);
        if (!iov_quantity_parse(node->text, IOV_DIMENSION_TIME, node->key, &given->cost, error))
            return false;
    }
    return true;
}

/* A cost that nobody asked for is a slip of the pen in the test. */
static bool costs_are_used(struct iov_harness *harness, GError **error)
{
    GHashTableIter iter;
    gpointer name, given;

    g_hash_table_iter_init(&iter, harness->private_data->given);
    while (g_hash_table_iter_next(&iter, &name, &given)) {
        if (!((struct given_cost *)given)->used) {
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                        "no part on the bench uses the cost '%s'", (char *)name);
            return false;
        }
    }
    return true;
}

/* ---- Whole texts ---- */

static bool fill_part(struct iov_harness *harness, IovModel *part, const struct iov_node *root,
                      GError **error)
{
    for (const struct iov_node *node = root->children; node != NULL; node = node->next) {
        if (strcmp(node->key, "kind") == 0 || strcmp(node->key, "costs") == 0)
            continue;
        if (!set_property(harness, part, node, error))
            return false;
    }
    return true;
}

IovModel *iov_harness_describe(struct iov_harness *harness, const char *name, const char *text,
                               GError **error)
{
    struct iov_harness_private *priv = harness->private_data;
    struct iov_diagnostics *diagnostics = iov_diagnostics_new();
    struct iov_node *root = iov_tree_parse(priv->tree, name, text, strlen(text), diagnostics);
    bool well_formed = iov_diagnostics_clear_or_raise(diagnostics, error);
    const char *kind = iov_node_text(root, "kind");
    IovModel *part;

    iov_diagnostics_free(diagnostics);
    if (!well_formed)
        return NULL;
    if (kind == NULL) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "%s: 'kind: …' is missing", name);
        return NULL;
    }
    if (iov_harness_find(harness, name) != NULL) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "there is a part '%s' already", name);
        return NULL;
    }
    if (!read_costs(harness, iov_node_get(root, "costs"), error))
        return NULL;
    part = iov_model_new(kind, name, &harness->run, error);
    if (part == NULL)
        return NULL;
    g_ptr_array_add(priv->parts, part);
    return fill_part(harness, part, root, error) ? part : NULL;
}

bool iov_harness_resolve(struct iov_harness *harness, GError **error)
{
    GArray *references = harness->private_data->references;

    for (unsigned i = 0; i < references->len; i++) {
        if (!resolve_one(harness, &g_array_index(references, struct pending_ref, i), error))
            return false;
    }
    return costs_are_used(harness, error);
}
