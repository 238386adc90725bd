/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows by which a kind describes itself, and the GParamSpecs made from them.
 *
 * A class begins with a copy of its parent's rows, so a derived kind has all that it does not drop.
 * Numbers are uint64 properties of GObject; enums and strings are string properties; references and
 * lists are pointers that only the typed setters of model.h reach.
 */
#include "core/object/model.h"

#include <string.h>

static GArray *copy_rows(const GArray *rows, unsigned size)
{
    GArray *copy = g_array_new(FALSE, FALSE, size);

    if (rows != NULL)
        g_array_append_vals(copy, rows->data, rows->len);
    return copy;
}

void iov_model_class_describe(IovModelClass *klass, const char *kind, const char *text)
{
    const struct iov_model_info *parent = klass->info;
    /* Lives as long as the class: for ever. */
    struct iov_model_info *info = g_new0(struct iov_model_info, 1);

    info->kind = kind;
    info->text = text;
    info->properties =
        copy_rows(parent != NULL ? parent->properties : NULL, sizeof(struct iov_property));
    info->costs = copy_rows(parent != NULL ? parent->costs : NULL, sizeof(struct iov_cost));
    info->ports = copy_rows(parent != NULL ? parent->ports : NULL, sizeof(struct iov_port));
    info->stats = copy_rows(parent != NULL ? parent->stats : NULL, sizeof(struct iov_stat));
    klass->info = info;
}

const char *iov_row_name(const char *field)
{
    g_autofree char *name = g_strdelimit(g_strdup(field), "_", '-');
    char *ending = g_str_has_suffix(name, "-ref") ? strrchr(name, '-') : NULL;

    if (ending != NULL)
        *ending = '\0';
    return g_intern_string(name);
}

/* The field that a row describes. */
static void *row_field(IovModel *model, unsigned offset)
{
    return G_STRUCT_MEMBER_P(model, offset);
}

/* The row that a property was made from: the class has it that added it, whatever a derived one
 * dropped. */
static const struct iov_property *row_of_pspec(const GParamSpec *pspec)
{
    const IovModelClass *owner = g_type_class_peek(pspec->owner_type);
    const GArray *rows = owner->info->properties;

    for (unsigned i = 0; i < rows->len; i++) {
        const struct iov_property *row = &g_array_index(rows, struct iov_property, i);

        if (row->pspec == pspec)
            return row;
    }
    return NULL;
}

static void store_number(void *field, unsigned width, uint64_t value)
{
    switch (width) {
    case 1: {
        uint8_t narrow = (uint8_t)value;
        memcpy(field, &narrow, 1);
        break;
    }
    case 2: {
        uint16_t narrow = (uint16_t)value;
        memcpy(field, &narrow, 2);
        break;
    }
    case 4: {
        uint32_t narrow = (uint32_t)value;
        memcpy(field, &narrow, 4);
        break;
    }
    default:
        memcpy(field, &value, 8);
    }
}

static uint64_t load_number(const void *field, unsigned width)
{
    uint64_t value = 0;

    memcpy(&value, field, width); /* little-endian hosts only, as the rest of the library */
    return value;
}

static int choice_index(const struct iov_property *row, const char *choice)
{
    for (int i = 0; choice != NULL && row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], choice) == 0)
            return i;
    }
    return -1;
}

static void set_property(GObject *object, guint id G_GNUC_UNUSED, const GValue *value,
                         GParamSpec *pspec)
{
    const struct iov_property *row = row_of_pspec(pspec);
    void *field = row_field(IOV_MODEL(object), row->offset);

    switch (row->type) {
    case IOV_VALUE_BOOL:
        store_number(field, row->width, g_value_get_boolean(value));
        break;
    case IOV_VALUE_ENUM: {
        int index = choice_index(row, g_value_get_string(value));

        if (index >= 0)
            store_number(field, row->width, (uint64_t)index);
        break;
    }
    case IOV_VALUE_STRING:
        g_free(*(char **)field);
        *(char **)field = g_value_dup_string(value);
        break;
    case IOV_VALUE_REF:
        *(IovModel **)field = g_value_get_object(value);
        break;
    case IOV_VALUE_REF_LIST:
    case IOV_VALUE_COUNT_LIST:
        break; /* by iov_model_set_refs() and iov_model_set_counts() */
    default:
        store_number(field, row->width, g_value_get_uint64(value));
    }
}

static void get_property(GObject *object, guint id G_GNUC_UNUSED, GValue *value, GParamSpec *pspec)
{
    const struct iov_property *row = row_of_pspec(pspec);
    void *field = row_field(IOV_MODEL(object), row->offset);

    switch (row->type) {
    case IOV_VALUE_BOOL:
        g_value_set_boolean(value, load_number(field, row->width) != 0);
        break;
    case IOV_VALUE_ENUM:
        g_value_set_static_string(value, row->choices[load_number(field, row->width)]);
        break;
    case IOV_VALUE_STRING:
        g_value_set_string(value, *(char **)field);
        break;
    case IOV_VALUE_REF:
        g_value_set_object(value, *(IovModel **)field);
        break;
    case IOV_VALUE_REF_LIST:
    case IOV_VALUE_COUNT_LIST:
        g_value_set_pointer(value, field);
        break;
    default:
        g_value_set_uint64(value, load_number(field, row->width));
    }
}

static GParamSpec *make_pspec(const struct iov_property *row)
{
    GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS;

    switch (row->type) {
    case IOV_VALUE_BOOL:
        return g_param_spec_boolean(row->name, NULL, row->text, row->standard != 0, flags);
    case IOV_VALUE_ENUM:
        return g_param_spec_string(row->name, NULL, row->text, row->choices[row->standard], flags);
    case IOV_VALUE_STRING:
        return g_param_spec_string(row->name, NULL, row->text, row->standard_text, flags);
    case IOV_VALUE_REF:
        return g_param_spec_object(row->name, NULL, row->text, IOV_TYPE_MODEL,
                                   G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
    case IOV_VALUE_REF_LIST:
    case IOV_VALUE_COUNT_LIST:
        return g_param_spec_pointer(row->name, NULL, row->text,
                                    G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    default:
        return g_param_spec_uint64(row->name, NULL, row->text, row->word != NULL ? 0 : row->lowest,
                                   row->highest, row->standard, flags);
    }
}

void iov_model_class_add_property(IovModelClass *klass, const struct iov_property *row)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    struct iov_property copy = *row;

    g_assert(klass->info != NULL && klass->info->kind != NULL);
    g_assert(copy.type != IOV_VALUE_ENUM || copy.choices != NULL);
    /* GObject clears these in every subclass. */
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    copy.pspec = make_pspec(&copy);
    g_array_append_val(klass->info->properties, copy);
    g_object_class_install_property(object_class, klass->info->properties->len, copy.pspec);
}

void iov_model_class_drop_property(IovModelClass *klass, const char *name)
{
    GArray *rows = klass->info->properties;

    for (unsigned i = 0; i < rows->len; i++) {
        if (strcmp(g_array_index(rows, struct iov_property, i).name, name) == 0) {
            g_array_remove_index(rows, i);
            return;
        }
    }
    g_assert_not_reached();
}

/* A kind that is derived from another may have another price for the same thing. */
void iov_model_class_add_cost(IovModelClass *klass, const struct iov_cost *row)
{
    GArray *costs = klass->info->costs;

    for (unsigned i = 0; i < costs->len; i++) {
        struct iov_cost *inherited = &g_array_index(costs, struct iov_cost, i);

        if (inherited->offset == row->offset) {
            *inherited = *row;
            return;
        }
    }
    g_array_append_val(costs, *row);
}

void iov_model_class_add_port(IovModelClass *klass, const struct iov_port *row)
{
    g_array_append_val(klass->info->ports, *row);
}

void iov_model_class_add_stat(IovModelClass *klass, const struct iov_stat *row)
{
    g_array_append_val(klass->info->stats, *row);
}

const struct iov_property *iov_model_find_property(IovModel *model, const char *name)
{
    const GArray *rows = IOV_MODEL_GET_CLASS(model)->info->properties;

    for (unsigned i = 0; i < rows->len; i++) {
        const struct iov_property *row = &g_array_index(rows, struct iov_property, i);

        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

/* The row for a setter, or an error: no such property, or one of another type. */
static const struct iov_property *row_to_set(IovModel *model, const char *name, GError **error)
{
    const struct iov_property *row = iov_model_find_property(model, name);

    if (row == NULL)
        iov_model_fail(model, error, "%s has no property '%s'",
                       IOV_MODEL_GET_CLASS(model)->info->kind, name);
    return row;
}

bool iov_model_set_number(IovModel *model, const char *name, uint64_t value, GError **error)
{
    const struct iov_property *row = row_to_set(model, name, error);

    if (row == NULL)
        return false;
    if (row->type > IOV_VALUE_BOOL)
        return iov_model_fail(model, error, "'%s' is not a number", name);
    if ((value < row->lowest || value > row->highest) && (value != 0 || row->word == NULL))
        return iov_model_fail(model, error,
                              "%s: %" G_GUINT64_FORMAT " is out of range %" G_GUINT64_FORMAT
                              "..%" G_GUINT64_FORMAT,
                              name, value, row->lowest, row->highest);
    store_number(row_field(model, row->offset), row->width, value);
    return true;
}

bool iov_model_set_string(IovModel *model, const char *name, const char *value, GError **error)
{
    const struct iov_property *row = row_to_set(model, name, error);

    if (row == NULL)
        return false;
    if (row->type == IOV_VALUE_ENUM) {
        int index = choice_index(row, value);
        g_autofree char *choices = g_strjoinv(", ", (char **)(uintptr_t)row->choices);

        if (index < 0)
            return iov_model_fail(model, error, "%s: '%s' is not one of %s", name, value, choices);
        store_number(row_field(model, row->offset), row->width, (uint64_t)index);
        return true;
    }
    if (row->type != IOV_VALUE_STRING)
        return iov_model_fail(model, error, "'%s' is not a text", name);
    g_object_set(model, row->name, value, NULL);
    return true;
}

bool iov_model_set_ref(IovModel *model, const char *name, IovModel *value, GError **error)
{
    const struct iov_property *row = row_to_set(model, name, error);

    if (row == NULL)
        return false;
    if (row->type != IOV_VALUE_REF)
        return iov_model_fail(model, error, "'%s' is not a reference", name);
    if (value != NULL && row->kind != NULL && !iov_model_is_kind(value, row->kind))
        return iov_model_fail(model, error, "%s: '%s' is a %s; wanted is a %s", name, value->path,
                              IOV_MODEL_GET_CLASS(value)->info->kind, row->kind);
    *(IovModel **)row_field(model, row->offset) = value;
    return true;
}

bool iov_model_set_refs(IovModel *model, const char *name, IovModel *const *values, unsigned count,
                        GError **error)
{
    const struct iov_property *row = row_to_set(model, name, error);
    struct iov_model_list *list;

    if (row == NULL)
        return false;
    if (row->type != IOV_VALUE_REF_LIST)
        return iov_model_fail(model, error, "'%s' is not a list of references", name);
    for (unsigned i = 0; i < count; i++) {
        if (row->kind != NULL && !iov_model_is_kind(values[i], row->kind))
            return iov_model_fail(model, error, "%s: '%s' is a %s; wanted is a %s", name,
                                  values[i]->path, IOV_MODEL_GET_CLASS(values[i])->info->kind,
                                  row->kind);
    }
    list = row_field(model, row->offset);
    g_free(list->items);
    list->items = g_memdup2(values, count * sizeof *values);
    list->count = count;
    return true;
}

bool iov_model_set_counts(IovModel *model, const char *name, const uint64_t *values, unsigned count,
                          GError **error)
{
    const struct iov_property *row = row_to_set(model, name, error);
    struct iov_count_list *list;

    if (row == NULL)
        return false;
    if (row->type != IOV_VALUE_COUNT_LIST)
        return iov_model_fail(model, error, "'%s' is not a list of numbers", name);
    for (unsigned i = 0; i < count; i++) {
        if (values[i] < row->lowest || values[i] > row->highest)
            return iov_model_fail(model, error,
                                  "%s: %" G_GUINT64_FORMAT " is out of range %" G_GUINT64_FORMAT
                                  "..%" G_GUINT64_FORMAT,
                                  name, values[i], row->lowest, row->highest);
    }
    list = row_field(model, row->offset);
    g_free(list->items);
    list->items = g_memdup2(values, count * sizeof *values);
    list->count = count;
    return true;
}
