/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform of a run: everything is checked on paper first, so that all mistakes are told
 * together; only a configuration without mistakes becomes models. Then properties, prepare, wires,
 * realize, as core/object/model.h says.
 */
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"
#include "core/trace/measure.h"
#include "core/trace/report.h"

struct iov_platform {
    struct iov_config *config;
    struct iov_run run;
    struct cost_table *costs;
    struct parts parts;
    GPtrArray *order; /* struct part *: referred to before referring */
    uint64_t frequency_hz;
    iov_time stop;
};

/* Keys of a part that are no properties. */
static const char *const part_words[] = { "kind", "per", NULL };
static const char *const vm_words[] = { "kind", "name", NULL };

static const char *const *words_of(const struct part *part)
{
    bool is_vm = part->vm >= 0 && strcmp(part->name, part->path) == 0;

    return is_vm ? vm_words : part_words;
}

/* The context of references: who asks. */
struct reference {
    const struct iov_platform *platform;
    const struct part *from;
    GPtrArray *found; /* struct part *, or NULL: collects what is referred to */
};

static IovModel *refer(const void *context, const char *name, struct iov_origin origin,
                       const char **ret_kind)
{
    const struct reference *reference = context;
    const char *below;
    struct part *part =
        parts_find(&reference->platform->parts, reference->from->vm, name, origin, &below);

    if (part == NULL || part->info == NULL)
        return NULL;
    if (reference->found != NULL)
        g_ptr_array_add(reference->found, part);
    if (below == NULL) {
        *ret_kind = part->info->kind;
        return part->model;
    }
    if (part->model == NULL)
        return NULL;
    IovModel *child = model_child(part->model, below);
    /* LIMIT: children that are made in prepare() come too late to be referred to. */
    if (child == NULL)
        iov_diagnostics_add(reference->platform->config->diagnostics, origin,
                            "'%s' has no part '%s' in it", part->path, below);
    else
        *ret_kind = IOV_MODEL_GET_CLASS(child)->info->kind;
    return child;
}

/* Checks the properties of a part; sets them if there is a model. Collects what it refers to in
 * `found` (may be NULL). */
static void apply_properties(const struct iov_platform *platform, const struct part *part,
                             GPtrArray *found)
{
    struct reference reference = { platform, part, found };
    struct value_scope scope = { platform->config->diagnostics, platform->frequency_hz, refer,
                                 &reference };

    if (part->info != NULL)
        properties_apply(&scope, part->info, part->model, part->node, part->name, words_of(part));
}

static void check_on_paper(struct iov_platform *platform)
{
    struct iov_diagnostics *diagnostics = platform->config->diagnostics;

    for (guint i = 0; i < platform->parts.list->len; i++) {
        const struct part *part = g_ptr_array_index(platform->parts.list, i);
        apply_properties(platform, part, NULL);
        if (part->info != NULL)
            cost_table_check_kind(platform->costs, part->info, part->origin, diagnostics);
    }
    wires_check(&platform->parts);
}

static void tell(struct iov_platform *platform, const struct part *part, GError *error)
{
    iov_diagnostics_add(platform->config->diagnostics, part->origin, "%s", error->message);
    g_error_free(error);
}

static void make_models(struct iov_platform *platform)
{
    for (guint i = 0; i < platform->parts.list->len; i++) {
        struct part *part = g_ptr_array_index(platform->parts.list, i);
        GError *error = NULL;
        part->model = iov_model_new(part->kind, part->path, &platform->run, &error);
        if (part->model == NULL)
            tell(platform, part, error);
    }
}

/* Walks from one part along its references, deepest first, without recursion; `seen` cuts rings. */
static void order_from(struct iov_platform *platform, struct part *first,
                       GPtrArray *const *references, GHashTable *index_of, bool *seen)
{
    /* Of each: the part, the next reference to look at. */
    GArray *stack = g_array_new(FALSE, FALSE, sizeof(guint[2]));
    guint top[2] = { GPOINTER_TO_UINT(g_hash_table_lookup(index_of, first)), 0 };

    if (seen[top[0]]) {
        g_array_unref(stack);
        return;
    }
    seen[top[0]] = true;
    g_array_append_val(stack, top);
    while (stack->len > 0) {
        guint *frame = (guint *)(void *)(stack->data + (stack->len - 1) * sizeof(top));
        const GPtrArray *next = references[frame[0]];
        if (frame[1] == next->len) {
            g_ptr_array_add(platform->order, g_ptr_array_index(platform->parts.list, frame[0]));
            g_array_set_size(stack, stack->len - 1);
            continue;
        }
        guint child[2] = {
            GPOINTER_TO_UINT(g_hash_table_lookup(index_of, g_ptr_array_index(next, frame[1]++))), 0
        };
        if (!seen[child[0]]) {
            seen[child[0]] = true;
            g_array_append_val(stack, child);
        }
    }
    g_array_unref(stack);
}

/* Sets all properties, and finds the order in which parts come to life. */
static void set_properties(struct iov_platform *platform)
{
    guint count = platform->parts.list->len;
    GPtrArray **references = g_new0(GPtrArray *, count + 1);
    GHashTable *index_of = g_hash_table_new(NULL, NULL);
    bool *seen = g_new0(bool, count + 1);

    for (guint i = 0; i < count; i++) {
        g_hash_table_insert(index_of, g_ptr_array_index(platform->parts.list, i),
                            GUINT_TO_POINTER(i));
        references[i] = g_ptr_array_new();
        apply_properties(platform, g_ptr_array_index(platform->parts.list, i), references[i]);
    }
    for (guint i = 0; i < count; i++)
        order_from(platform, g_ptr_array_index(platform->parts.list, i), references, index_of,
                   seen);
    for (guint i = 0; i < count; i++)
        g_ptr_array_unref(references[i]);
    g_free(seen);
    g_hash_table_unref(index_of);
    g_free(references);
}

static void prepare(struct iov_platform *platform)
{
    for (guint i = 0; i < platform->order->len; i++) {
        struct part *part = g_ptr_array_index(platform->order, i);
        GError *error = NULL;
        if (!iov_model_prepare(part->model, &error))
            tell(platform, part, error);
    }
}

/* Runs the steps that need models, as long as nothing is wrong. */
static bool build(struct iov_platform *platform, GError **error)
{
    const struct iov_diagnostics *diagnostics = platform->config->diagnostics;

    check_on_paper(platform);
    if (iov_diagnostics_count(diagnostics) == 0)
        make_models(platform);
    if (iov_diagnostics_count(diagnostics) == 0)
        set_properties(platform);
    if (iov_diagnostics_count(diagnostics) == 0)
        prepare(platform);
    if (iov_diagnostics_count(diagnostics) == 0)
        wires_connect(&platform->parts);
    if (iov_diagnostics_count(diagnostics) == 0)
        services_check(&platform->parts);
    return iov_diagnostics_clear_or_raise(diagnostics, error);
}

static void reset_models(void *context)
{
    const struct iov_platform *platform = context;

    for (guint i = 0; i < platform->parts.list->len; i++)
        iov_model_reset_statistics(
            ((const struct part *)g_ptr_array_index(platform->parts.list, i))->model);
}

/* A number of the top level that was checked when the file was read. */
static uint64_t top_number(const struct iov_config *config, const char *key,
                           enum iov_dimension dimension, uint64_t standard)
{
    const char *text = iov_node_text(config->root, key);
    uint64_t value;

    return text != NULL && iov_quantity_parse(text, dimension, key, &value, NULL) ? value
                                                                                  : standard;
}

/* 0: nobody says. A wrong one was told of; then any will do, so that not each cost in cycles is
 * told of, too. */
static uint64_t frequency_of(const struct iov_config *config)
{
    uint64_t frequency_hz = top_number(config, "frequency", IOV_DIMENSION_FREQUENCY, 0);

    if (frequency_hz == 0 && iov_node_get(config->root, "frequency") != NULL)
        return 1000000000;
    return frequency_hz;
}

struct iov_platform *iov_platform_new(struct iov_config *config, GError **error)
{
    struct iov_platform *platform = g_new0(struct iov_platform, 1);

    platform->config = config;
    platform->frequency_hz = frequency_of(config);
    platform->stop = top_number(config, "stop", IOV_DIMENSION_TIME, IOV_TIME_MAX);
    platform->costs = cost_table_new(iov_node_get(config->root, "costs"), platform->frequency_hz,
                                     config->diagnostics);
    platform->order = g_ptr_array_new();
    platform->run.kernel = iov_kernel_new();
    platform->run.seed = top_number(config, "seed", IOV_DIMENSION_COUNT, 1);
    platform->run.measure = iov_measure_new(platform->run.kernel);
    platform->run.measure->reset_models = reset_models;
    platform->run.measure->reset_context = platform;
    platform->run.costs = cost_table_interface(platform->costs);
    parts_init(&platform->parts, config);
    if (!build(platform, error)) {
        iov_platform_free(platform);
        return NULL;
    }
    cost_table_tell_idle(platform->costs, iov_node_get(config->root, "costs"), config->idle);
    return platform;
}

void iov_platform_free(struct iov_platform *platform)
{
    if (platform == NULL)
        return;
    for (guint i = platform->order->len; i > 0; i--)
        iov_model_unrealize(
            ((const struct part *)g_ptr_array_index(platform->order, i - 1))->model);
    parts_finish(&platform->parts);
    g_ptr_array_unref(platform->order);
    iov_measure_free(platform->run.measure);
    iov_kernel_free(platform->run.kernel);
    cost_table_free(platform->costs);
    g_free(platform);
}

bool iov_platform_realize(struct iov_platform *platform, GError **error)
{
    for (guint i = 0; i < platform->order->len; i++) {
        const struct part *part = g_ptr_array_index(platform->order, i);
        GError *problem = NULL;
        if (iov_model_realize(part->model, &problem))
            continue;
        /* What comes after builds on it: one message is enough. */
        if (part->origin.file != NULL && part->origin.line > 0)
            g_prefix_error(&problem, "%s:%u:%u: ", part->origin.file, part->origin.line,
                           part->origin.column);
        g_propagate_error(error, problem);
        return false;
    }
    return true;
}

void iov_platform_start(struct iov_platform *platform)
{
    for (guint i = 0; i < platform->parts.list->len; i++) {
        IovModel *model = ((const struct part *)g_ptr_array_index(platform->parts.list, i))->model;

        iov_report_watch(platform->run.measure, model);
        iov_model_start(model);
    }
}

struct iov_run *iov_platform_run(struct iov_platform *platform)
{
    return &platform->run;
}

iov_time iov_platform_stop(const struct iov_platform *platform)
{
    return platform->stop;
}

unsigned iov_platform_count(const struct iov_platform *platform)
{
    return platform->parts.list->len;
}

IovModel *iov_platform_at(const struct iov_platform *platform, unsigned index)
{
    g_return_val_if_fail(index < platform->parts.list->len, NULL);
    return ((const struct part *)g_ptr_array_index(platform->parts.list, index))->model;
}

static IovModel *model_with(IovModel *model, const char *address)
{
    GTypeQuery query;

    g_type_query(G_TYPE_FROM_INSTANCE(model), &query);
    if (address >= (const char *)model && address < (const char *)model + query.instance_size)
        return model;
    for (unsigned i = 0; i < model->children->len; i++) {
        IovModel *found = model_with(g_ptr_array_index(model->children, i), address);

        if (found != NULL)
            return found;
    }
    return NULL;
}

IovModel *iov_platform_with(const struct iov_platform *platform, const void *address)
{
    IovModel *model = NULL;

    for (unsigned i = 0; model == NULL && i < iov_platform_count(platform); i++)
        model = model_with(iov_platform_at(platform, i), address);
    return model;
}

IovModel *iov_platform_find(const struct iov_platform *platform, const char *path)
{
    for (guint i = 0; i < platform->parts.list->len; i++) {
        const struct part *part = g_ptr_array_index(platform->parts.list, i);
        size_t length = strlen(part->path);
        if (strcmp(part->path, path) == 0)
            return part->model;
        IovModel *child = strncmp(part->path, path, length) == 0 && path[length] == '/'
                              ? model_child(part->model, path + length + 1)
                              : NULL;
        if (child != NULL)
            return child;
    }
    return NULL;
}

unsigned iov_platform_cost_count(const struct iov_platform *platform)
{
    return cost_table_count(platform->costs);
}

const struct iov_cost_use *iov_platform_cost_at(const struct iov_platform *platform, unsigned index)
{
    return cost_table_at(platform->costs, index);
}
