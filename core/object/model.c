/* SPDX-License-Identifier: Apache-2.0 */
/* The base class of all parts: making, costs, children and the steps of life. */
#include "core/object/model.h"

#include "core/pci/bus.h"
#include "core/trace/histogram.h"

G_DEFINE_QUARK(iov - error - quark, iov_error)
G_DEFINE_ABSTRACT_TYPE(IovModel, iov_model, G_TYPE_OBJECT)

static void *row_field(IovModel *model, unsigned offset)
{
    return G_STRUCT_MEMBER_P(model, offset);
}

static void init_port(IovModel *model, const struct iov_port *row)
{
    if (row->ops == NULL || (row->role == IOV_PORT_INITIATOR && row->type != IOV_PORT_PCI))
        return;
    for (unsigned i = 0; i < row->count;
         i++) /* ops come first in every target, packet end and bus */
        *(const void **)row_field(model, row->offset + i * row->stride) = row->ops;
}

static void constructed(GObject *object)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(object)->info->ports;

    for (unsigned i = 0; i < ports->len; i++)
        init_port(IOV_MODEL(object), &g_array_index(ports, struct iov_port, i));
    G_OBJECT_CLASS(iov_model_parent_class)->constructed(object);
}

static void free_rows(IovModel *self)
{
    const struct iov_model_info *info = IOV_MODEL_GET_CLASS(self)->info;

    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);

        if (row->type >= IOV_VALUE_REF_LIST ||
            row->type == IOV_VALUE_STRING) /* items come first in the lists */
            g_clear_pointer((void **)row_field(self, row->offset), g_free);
    }
    for (unsigned i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);

        if (row->type == IOV_PORT_PCI && row->role == IOV_PORT_INITIATOR)
            iov_pci_bus_clear(row_field(self, row->offset));
        else if (row->type == IOV_PORT_PCI)
            iov_pci_function_clear(row_field(self, row->offset));
        else if (row->flags & IOV_PORT_MAP)
            iov_mem_map_clear(row_field(self, row->offset));
    }
}

static void finalize(GObject *object)
{
    IovModel *self = IOV_MODEL(object);

    iov_model_unrealize(self);
    g_clear_pointer(&self->children, g_ptr_array_unref);
    free_rows(self);
    g_free(self->path);
    G_OBJECT_CLASS(iov_model_parent_class)->finalize(object);
}

static void iov_model_class_init(IovModelClass *klass)
{
    G_OBJECT_CLASS(klass)->constructed = constructed;
    G_OBJECT_CLASS(klass)->finalize = finalize;
    iov_model_class_describe(klass, NULL, "A part of a platform");
}

static void iov_model_init(IovModel *self)
{
    self->children = g_ptr_array_new_with_free_func(g_object_unref);
}

static bool fill_costs(IovModel *self, GError **error)
{
    const struct iov_model_info *info = IOV_MODEL_GET_CLASS(self)->info;
    struct iov_cost_table *table = self->run->costs;

    for (unsigned i = 0; table != NULL && i < info->costs->len; i++) {
        const struct iov_cost *row = &g_array_index(info->costs, struct iov_cost, i);
        iov_time cost;

        if (!table->lookup(table, row->name, info->kind, &cost, error))
            return false;
        *(iov_time *)row_field(self, row->offset) = cost;
    }
    return true;
}

IovModel *iov_model_new(const char *kind, const char *path, struct iov_run *run, GError **error)
{
    GType type = iov_kind_find(kind);
    IovModel *self;

    if (type == G_TYPE_INVALID || G_TYPE_IS_ABSTRACT(type)) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "%s: there is no kind '%s'", path, kind);
        return NULL;
    }
    self = g_object_new(type, NULL);
    self->run = run;
    self->kernel = run->kernel;
    self->path = g_strdup(path);
    iov_random_init(&self->random, run->seed, path);
    if (!fill_costs(self, error))
        g_clear_object(&self);
    return self;
}

IovModel *iov_model_new_child(IovModel *parent, const char *kind, const char *name, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s", parent->path, name);
    IovModel *child = iov_model_new(kind, path, parent->run, error);

    if (child != NULL)
        g_ptr_array_add(parent->children, child);
    return child;
}

bool iov_model_fail(IovModel *model, GError **error, const char *format, ...)
{
    va_list arguments;
    g_autofree char *message = NULL;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "%s: %s", model->path, message);
    return false;
}

bool iov_model_prepare(IovModel *self, GError **error)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);

    if (self->prepared)
        return true;
    self->prepared = true;
    if (klass->prepare != NULL && !klass->prepare(self, error))
        return false;
    for (unsigned i = 0; i < self->children->len; i++) {
        if (!iov_model_prepare(g_ptr_array_index(self->children, i), error))
            return false;
    }
    return true;
}

bool iov_model_realize(IovModel *self, GError **error)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);

    if (self->realized)
        return true;
    self->realized = true; /* before the call: parts may refer to each other in a ring */
    if (klass->realize != NULL && !klass->realize(self, error))
        return false;
    for (unsigned i = 0; i < self->children->len; i++) {
        IovModel *child = g_ptr_array_index(self->children, i);

        if (!iov_model_prepare(child, error) || !iov_model_realize(child, error))
            return false;
    }
    return true;
}

void iov_model_start(IovModel *self)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);

    for (unsigned i = 0; i < self->children->len; i++)
        iov_model_start(g_ptr_array_index(self->children, i));
    if (klass->start != NULL)
        klass->start(self);
}

void iov_model_unrealize(IovModel *self)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);

    if (!self->realized)
        return;
    self->realized = false;
    if (klass->unrealize != NULL)
        klass->unrealize(self);
    for (unsigned i = self->children->len; i > 0; i--)
        iov_model_unrealize(g_ptr_array_index(self->children, i - 1));
}

void iov_model_reset(IovModel *self)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);

    if (klass->reset != NULL)
        klass->reset(self);
    for (unsigned i = 0; i < self->children->len; i++)
        iov_model_reset(g_ptr_array_index(self->children, i));
}

void iov_model_reset_statistics(IovModel *self)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(self);
    const GArray *stats = klass->info->stats;

    for (unsigned i = 0; i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

        if (row->type != IOV_STAT_TYPE_HISTOGRAM)
            *(uint64_t *)row_field(self, row->offset) = 0;
        else if (*(struct iov_histogram **)row_field(self, row->offset) != NULL)
            iov_histogram_reset(*(struct iov_histogram **)row_field(self, row->offset));
    }
    if (klass->reset_statistics != NULL)
        klass->reset_statistics(self);
    for (unsigned i = 0; i < self->children->len; i++)
        iov_model_reset_statistics(g_ptr_array_index(self->children, i));
}

bool iov_model_is_kind(IovModel *model, const char *kind)
{
    GType type = iov_kind_find(kind);

    return type != G_TYPE_INVALID && g_type_is_a(G_TYPE_FROM_INSTANCE(model), type);
}
