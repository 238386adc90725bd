/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost tables: complete for every built-in kind, without dead entries, and with a source that can
 * be looked up in docs/validation/measurements.yaml.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/config/merge.h"
#include "core/config/quantity.h"

static const char *const tables[] = { "kvm-skylake", "kvm-haswell", "kvm-skylake-mitigated" };

struct files {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    struct iov_node *costs;
    struct iov_node *measurements;
};

static struct iov_node *read_file(struct files *files, const char *path)
{
    struct iov_sources sources = { .tree = files->tree, .diagnostics = files->diagnostics };
    struct iov_node *root = iov_sources_read(&sources, path, (struct iov_origin){ 0 });

    for (unsigned i = 0; i < iov_diagnostics_count(files->diagnostics); i++)
        cr_log_error("%s", iov_diagnostics_message(files->diagnostics, i));
    cr_assert(eq(uint, iov_diagnostics_count(files->diagnostics), 0));
    return root;
}

static struct files open_files(const char *table)
{
    struct files files = { .tree = iov_tree_new(), .diagnostics = iov_diagnostics_new() };
    g_autofree char *path = g_strdup_printf("%s/configs/costs/%s.yaml", IOV_SOURCE_DIR, table);
    g_autofree char *text = NULL;
    gsize length;

    files.costs = iov_node_get(read_file(&files, path), "costs");
    cr_assert(ne(ptr, files.costs, NULL));
    cr_assert(g_file_get_contents(IOV_SOURCE_DIR "/docs/validation/measurements.yaml", &text,
                                  &length, NULL));
    files.measurements = iov_node_get(
        iov_tree_parse(files.tree, "measurements.yaml", text, length, files.diagnostics),
        "measurements");
    cr_assert(ne(ptr, files.measurements, NULL));
    return files;
}

static void close_files(struct files *files)
{
    iov_tree_free(files->tree);
    iov_diagnostics_free(files->diagnostics);
}

static bool is_measured(const struct files *files, const char *id)
{
    for (const struct iov_node *entry = files->measurements->children; entry != NULL;
         entry = entry->next) {
        if (strcmp(iov_node_text(entry, "id"), id) == 0)
            return true;
    }
    return false;
}

/* A kind that needs the cost, or NULL. */
static const char *user_of(const char *cost)
{
    g_auto(GStrv) kinds = iov_kind_list();

    for (unsigned i = 0; kinds[i] != NULL; i++) {
        const struct iov_model_info *info = iov_kind_info(kinds[i]);

        for (unsigned j = 0; j < info->costs->len; j++) {
            if (strcmp(g_array_index(info->costs, struct iov_cost, j).name, cost) == 0)
                return info->kind;
        }
    }
    return NULL;
}

static void check_text(const struct iov_node *entry, const char *key)
{
    const char *text = iov_node_text(entry, key);

    cr_expect(text != NULL && *text != '\0', "%s has no '%s'", entry->key, key);
}

static void check_source(const struct files *files, const struct iov_node *entry)
{
    const char *source = iov_node_text(entry, "source");
    const char *note = iov_node_text(entry, "note");
    g_auto(GStrv) words = g_strsplit_set(source != NULL ? source : "", " ,;()", -1);

    if (source == NULL || g_str_has_prefix(source, "estimate")) {
        cr_expect(note != NULL && strlen(note) > 10, "%s is an estimate and does not say why",
                  entry->key);
        return;
    }
    cr_expect(is_measured(files, words[0]), "%s: there is no measurement '%s'", entry->key,
              words[0]);
}

static void check_provenance(const struct files *files, const struct iov_node *entry)
{
    const char *confidence = iov_node_text(entry, "confidence");

    check_text(entry, "source");
    check_text(entry, "year");
    check_text(entry, "hardware");
    cr_expect(
        confidence != NULL &&
            g_strv_contains((const char *const[]){ "high", "medium", "low", NULL }, confidence),
        "%s: confidence is high, medium or low", entry->key);
    check_source(files, entry);
}

static void check_entry(const struct files *files, const struct iov_node *entry)
{
    const char *value = iov_node_text(entry, "value");
    struct iov_quantity quantity = { .value = 0 };
    bool parsed = value != NULL && iov_quantity_parse_any(value, &quantity, NULL);

    cr_expect(parsed && (quantity.dimension == IOV_DIMENSION_TIME ||
                         quantity.dimension == IOV_DIMENSION_CYCLES || quantity.value == 0),
              "%s: '%s' is neither a time nor cycles", entry->key, value);
    check_provenance(files, entry);
}

Test(costs, every_entry_has_a_value_and_a_source_that_exists)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        struct files files = open_files(tables[i]);

        for (const struct iov_node *entry = files.costs->children; entry != NULL;
             entry = entry->next) {
            if (strcmp(entry->key, "adjust") != 0)
                check_entry(&files, entry);
        }
        close_files(&files);
    }
}

Test(costs, what_adjusts_others_has_a_source_that_exists)
{
    struct files files = open_files("kvm-skylake-mitigated");
    const struct iov_node *all = iov_node_get(files.costs, "adjust");

    cr_assert(lt(uint, 1, all->count));
    for (const struct iov_node *node = all->children; node != NULL; node = node->next)
        check_provenance(&files, node);
    close_files(&files);
}

Test(costs, every_cost_of_every_kind_is_in_the_tables)
{
    g_auto(GStrv) kinds = iov_kind_list();

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        struct files files = open_files(tables[i]);

        for (unsigned k = 0; kinds[k] != NULL; k++) {
            const GArray *costs = iov_kind_info(kinds[k])->costs;

            for (unsigned j = 0; j < costs->len; j++) {
                const char *name = g_array_index(costs, struct iov_cost, j).name;

                cr_expect(iov_node_get(files.costs, name) != NULL,
                          "%s.yaml lacks '%s' of kind '%s'", tables[i], name, kinds[k]);
            }
        }
        close_files(&files);
    }
}

Test(costs, no_entry_is_without_a_user)
{
    struct files files = open_files(tables[0]);

    for (const struct iov_node *entry = files.costs->children; entry != NULL; entry = entry->next)
        cr_expect(user_of(entry->key) != NULL, "no kind has the cost '%s'", entry->key);
    close_files(&files);
}
