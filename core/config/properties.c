/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of properties: each scalar is read as its row says, with a message that tells what was
 * wanted. The same code only checks (no model yet) or checks and sets.
 */
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"

bool quantity_of_node(const struct iov_node *node, int dimension, const char *name,
                      struct iov_diagnostics *diagnostics, uint64_t *ret_value)
{
    GError *error = NULL;

    if (node->bad)
        return false;
    if (node->kind != IOV_NODE_SCALAR) {
        iov_diagnostics_add(diagnostics, node->origin, "'%s' wants %s, not %s", name,
                            iov_dimension_wants((enum iov_dimension)dimension),
                            iov_node_kind_name(node));
        return false;
    }
    if (iov_quantity_parse(node->text, (enum iov_dimension)dimension, name, ret_value, &error))
        return true;
    iov_diagnostics_add(diagnostics, node->origin, "%s", error->message);
    g_error_free(error);
    return false;
}

static enum iov_dimension dimension_of(enum iov_value_type type)
{
    switch (type) {
    case IOV_VALUE_TIME:
        return IOV_DIMENSION_TIME;
    case IOV_VALUE_SIZE:
        return IOV_DIMENSION_SIZE;
    case IOV_VALUE_FREQUENCY:
        return IOV_DIMENSION_FREQUENCY;
    case IOV_VALUE_RATE:
        return IOV_DIMENSION_RATE;
    default:
        return IOV_DIMENSION_COUNT;
    }
}

/* One property of one part. */
struct setting {
    const struct value_scope *scope;
    const struct iov_property *row;
    const char *part;
    const struct iov_node *node;
    IovModel *model; /* NULL: only check */
};

static void complain(const struct setting *setting, const struct iov_node *node, GError *error)
{
    iov_diagnostics_add(setting->scope->diagnostics, node->origin, "%s", error->message);
    g_error_free(error);
}

static void check_range(const struct setting *setting, const struct iov_node *node, uint64_t value,
                        bool *ret_fine)
{
    const struct iov_property *row = setting->row;
    enum iov_dimension dimension = dimension_of(row->type);

    *ret_fine = value >= row->lowest && value <= row->highest;
    if (*ret_fine)
        return;
    char *lowest = iov_quantity_format(dimension, row->lowest);
    char *highest = iov_quantity_format(dimension, row->highest);
    if (row->highest == UINT64_MAX)
        iov_diagnostics_add(setting->scope->diagnostics, node->origin,
                            "'%s' is out of range; '%s' of '%s' is at least %s", node->text,
                            row->name, setting->part, lowest);
    else
        iov_diagnostics_add(setting->scope->diagnostics, node->origin,
                            "'%s' is out of range; '%s' of '%s' goes from %s to %s", node->text,
                            row->name, setting->part, lowest, highest);
    g_free(lowest);
    g_free(highest);
}

/* A number in the row's unit and range. Times may be given in cycles where there is a frequency. */
static bool read_number(const struct setting *setting, const struct iov_node *node,
                        uint64_t *ret_value)
{
    struct iov_quantity quantity;
    uint64_t value;
    bool fine;

    if (setting->row->word != NULL && !node->bad && node->kind == IOV_NODE_SCALAR &&
        strcmp(node->text, setting->row->word) == 0) {
        *ret_value = 0;
        return true;
    }
    if (setting->row->type == IOV_VALUE_TIME && setting->scope->frequency_hz != 0 && !node->bad &&
        node->kind == IOV_NODE_SCALAR && iov_quantity_parse_any(node->text, &quantity, NULL) &&
        quantity.dimension == IOV_DIMENSION_CYCLES) {
        if (!iov_cycles_to_time(quantity.value, setting->scope->frequency_hz, &value))
            value = UINT64_MAX;
    } else if (!quantity_of_node(node, (int)dimension_of(setting->row->type), setting->row->name,
                                 setting->scope->diagnostics, &value)) {
        return false;
    }
    check_range(setting, node, value, &fine);
    *ret_value = value;
    return fine;
}

static void set_number(const struct setting *setting, uint64_t value)
{
    GError *error = NULL;

    if (setting->model != NULL &&
        !iov_model_set_number(setting->model, setting->row->name, value, &error))
        complain(setting, setting->node, error);
}

static bool is_scalar(const struct setting *setting, const struct iov_node *node,
                      const char *wanted)
{
    if (node->kind == IOV_NODE_SCALAR)
        return true;
    iov_diagnostics_add(setting->scope->diagnostics, node->origin, "'%s' wants %s, not %s",
                        setting->row->name, wanted, iov_node_kind_name(node));
    return false;
}

static void apply_bool(const struct setting *setting)
{
    bool value;

    if (!is_scalar(setting, setting->node, "on or off"))
        return;
    if (iov_boolean_parse(setting->node->text, &value))
        set_number(setting, value);
    else
        iov_diagnostics_add(setting->scope->diagnostics, setting->node->origin,
                            "'%s' is neither; '%s' wants on or off", setting->node->text,
                            setting->row->name);
}

static void apply_text(const struct setting *setting)
{
    const struct iov_property *row = setting->row;
    const char *text = setting->node->text;
    GError *error = NULL;

    if (!is_scalar(setting, setting->node, "a text"))
        return;
    if (row->type == IOV_VALUE_ENUM && !g_strv_contains(row->choices, text)) {
        GString *choices = g_string_new(NULL);
        for (unsigned i = 0; row->choices[i] != NULL; i++)
            g_string_append_printf(choices, "%s%s", i > 0 ? ", " : "", row->choices[i]);
        iov_diagnostics_add_near(setting->scope->diagnostics, setting->node->origin, text,
                                 row->choices, "'%s' is no choice for '%s': %s", text, row->name,
                                 choices->str);
        g_string_free(choices, TRUE);
    } else if (setting->model != NULL &&
               !iov_model_set_string(setting->model, row->name, text, &error)) {
        complain(setting, setting->node, error);
    }
}

/* Whether a kind is another or derived from it. */
static bool kind_is(const char *kind, const char *wanted)
{
    GType type = iov_kind_find(kind), parent = iov_kind_find(wanted);

    return type != G_TYPE_INVALID && parent != G_TYPE_INVALID && g_type_is_a(type, parent);
}

/* The part that a scalar names; NULL while only checking, or after a mistake. */
static IovModel *refer(const struct setting *setting, const struct iov_node *node)
{
    const struct value_scope *scope = setting->scope;
    const struct iov_property *row = setting->row;
    const char *kind = NULL;

    if (node->bad || !is_scalar(setting, node, "the name of a part"))
        return NULL;
    if (scope->refer == NULL) {
        iov_diagnostics_add(scope->diagnostics, node->origin,
                            "'%s' refers to a part, and here is only one", row->name);
        return NULL;
    }
    IovModel *model = scope->refer(scope->context, node->text, node->origin, &kind);
    if (kind != NULL && row->kind != NULL && !kind_is(kind, row->kind)) {
        iov_diagnostics_add(scope->diagnostics, node->origin,
                            "'%s' is a part of kind '%s'; '%s' of '%s' wants kind '%s'", node->text,
                            kind, row->name, setting->part, row->kind);
        return NULL;
    }
    return model;
}

static void apply_reference(const struct setting *setting)
{
    IovModel *model = refer(setting, setting->node);
    GError *error = NULL;

    if (setting->model != NULL && model != NULL &&
        !iov_model_set_ref(setting->model, setting->row->name, model, &error))
        complain(setting, setting->node, error);
}

/* A list may be written as one scalar. */
static void apply_list(const struct setting *setting)
{
    const struct iov_node *list = setting->node;
    unsigned count = list->kind == IOV_NODE_SCALAR ? 1 : list->count;
    bool of_parts = setting->row->type == IOV_VALUE_REF_LIST;
    GError *error = NULL;

    if (list->kind == IOV_NODE_MAPPING) {
        iov_diagnostics_add(setting->scope->diagnostics, list->origin,
                            "'%s' wants a list, not a mapping", setting->row->name);
        return;
    }
    IovModel **models = g_new0(IovModel *, count + 1);
    uint64_t *numbers = g_new0(uint64_t, count + 1);
    const struct iov_node *entry = list->kind == IOV_NODE_SCALAR ? list : list->children;
    bool fine = true;
    for (unsigned i = 0; i < count; i++, entry = entry->next) {
        if (of_parts)
            fine &= (models[i] = refer(setting, entry)) != NULL;
        else
            fine &= read_number(setting, entry, &numbers[i]);
    }
    if (setting->model != NULL && fine) {
        if (of_parts)
            fine = iov_model_set_refs(setting->model, setting->row->name, models, count, &error);
        else
            fine = iov_model_set_counts(setting->model, setting->row->name, numbers, count, &error);
        if (!fine)
            complain(setting, list, error);
    }
    g_free(numbers);
    g_free(models);
}

static void apply_one(const struct setting *setting)
{
    uint64_t value;

    if (setting->node->bad)
        return;
    switch (setting->row->type) {
    case IOV_VALUE_BOOL:
        apply_bool(setting);
        break;
    case IOV_VALUE_ENUM:
    case IOV_VALUE_STRING:
        apply_text(setting);
        break;
    case IOV_VALUE_REF:
        apply_reference(setting);
        break;
    case IOV_VALUE_REF_LIST:
    case IOV_VALUE_COUNT_LIST:
        apply_list(setting);
        break;
    default:
        if (read_number(setting, setting->node, &value))
            set_number(setting, value);
    }
}

/* Names of the rows of a kind, NULL-terminated, with `extra` in front; g_free() it. */
static const char **property_names(const struct iov_model_info *info, const char *const *extra)
{
    unsigned extras = 0;

    while (extra[extras] != NULL)
        extras++;
    const char **names = g_new0(const char *, extras + info->properties->len + 1);
    memcpy(names, extra, extras * sizeof(*names));
    for (unsigned i = 0; i < info->properties->len; i++)
        names[extras + i] = g_array_index(info->properties, struct iov_property, i).name;
    return names;
}

static const struct iov_property *find_row(const struct iov_model_info *info, const char *name)
{
    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

void properties_apply(const struct value_scope *scope, const struct iov_model_info *info,
                      IovModel *model, const struct iov_node *mapping, const char *name,
                      const char *const *skip)
{
    for (const struct iov_node *node = mapping->children; node != NULL; node = node->next) {
        if (g_strv_contains(skip, node->key))
            continue;
        const struct iov_property *row = find_row(info, node->key);
        if (row == NULL) {
            const char **names = property_names(info, skip);
            iov_diagnostics_add_near(scope->diagnostics, node->key_origin, node->key, names,
                                     "'%s', a part of kind '%s', has no property '%s'", name,
                                     info->kind, node->key);
            g_free(names);
        } else if (!iov_node_is_empty(node)) { /* an empty value leaves the default */
            apply_one(&(struct setting){ scope, row, name, node, model });
        }
    }
    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);
        const struct iov_node *given = iov_node_get(mapping, row->name);
        if (row->required && (given == NULL || iov_node_is_empty(given)))
            iov_diagnostics_add(scope->diagnostics, mapping->origin,
                                "'%s', a part of kind '%s', needs the property '%s': %s", name,
                                info->kind, row->name, row->text);
    }
}

bool iov_model_configure(IovModel *model, const char *yaml, GError **error)
{
    static const char *const nothing[] = { NULL };
    struct iov_tree *tree = iov_tree_new();
    struct iov_diagnostics *diagnostics = iov_diagnostics_new();
    struct value_scope scope = { .diagnostics = diagnostics };
    struct iov_node *root = iov_tree_parse(tree, "text", yaml, strlen(yaml), diagnostics);

    if (root != NULL && root->kind != IOV_NODE_MAPPING)
        iov_diagnostics_add(diagnostics, root->origin, "properties are a mapping, not %s",
                            iov_node_kind_name(root));
    else if (root != NULL)
        properties_apply(&scope, IOV_MODEL_GET_CLASS(model)->info, model, root, model->path,
                         nothing);
    bool fine = iov_diagnostics_clear_or_raise(diagnostics, error);
    iov_diagnostics_free(diagnostics);
    iov_tree_free(tree);
    return fine;
}
