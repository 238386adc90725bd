/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files inside files, and one mapping laid over another. The chain of files being read is an array,
 * which bounds the recursion and shows a cycle.
 */
#include "core/config/merge.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/tree-private.h"

#define VERSION_KEY "iovsim"
#define VERSION "1"
#define SEARCH_LIST_FROM 16 /* children from which a hash table beats a search */

/* Key to node, for a mapping with many keys; NULL for a small one. */
static GHashTable *index_of(const struct iov_node *mapping)
{
    if (mapping->count < SEARCH_LIST_FROM)
        return NULL;
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
    for (struct iov_node *child = mapping->children; child != NULL; child = child->next)
        g_hash_table_insert(table, (gpointer)(guintptr)child->key, child);
    return table;
}

void iov_node_merge(struct iov_tree *tree, struct iov_node *base, struct iov_node *over)
{
    GHashTable *table = index_of(base);
    struct iov_node *next;

    for (struct iov_node *child = over->children; child != NULL; child = next) {
        next = child->next;
        struct iov_node *below =
            table != NULL ? g_hash_table_lookup(table, child->key) : iov_node_get(base, child->key);
        if (below == NULL) {
            iov_node_add_new_key(tree, base, child->key, child->key_origin, child);
        } else if (below->kind == IOV_NODE_MAPPING && child->kind == IOV_NODE_MAPPING) {
            iov_node_merge(tree, below, child);
        } else {
            below->key_origin = child->key_origin;
            iov_node_become(below, child);
        }
    }
    if (table != NULL)
        g_hash_table_unref(table);
}

void iov_node_merge_under(struct iov_tree *tree, struct iov_node *upper, struct iov_node *base)
{
    GHashTable *table = index_of(upper);
    struct iov_node *next;

    for (struct iov_node *child = base->children; child != NULL; child = next) {
        next = child->next;
        struct iov_node *above = table != NULL ? g_hash_table_lookup(table, child->key)
                                               : iov_node_get(upper, child->key);
        if (above == NULL)
            iov_node_add_new_key(tree, upper, child->key, child->key_origin, child);
        else if (above->kind == IOV_NODE_MAPPING && child->kind == IOV_NODE_MAPPING)
            iov_node_merge_under(tree, above, child);
    }
    if (table != NULL)
        g_hash_table_unref(table);
}

/* Moves the entries of the lists that are appended from the lower mapping to the front of the upper
 * one's. */
static void append_lists(const struct iov_sources *sources, struct iov_node *base,
                         struct iov_node *over)
{
    for (const char *const *key = sources->appended; key != NULL && *key != NULL; key++) {
        struct iov_node *lower = iov_node_get(base, *key);
        struct iov_node *upper = iov_node_get(over, *key);
        if (!iov_node_is(lower, IOV_NODE_SEQUENCE) || !iov_node_is(upper, IOV_NODE_SEQUENCE) ||
            lower->count == 0)
            continue;
        lower->last->next = upper->children;
        if (upper->children == NULL)
            upper->last = lower->last;
        upper->children = lower->children;
        upper->count += lower->count;
    }
}

char *iov_path_tidy(char *path)
{
    char *here = g_get_current_dir();
    char *whole = g_canonicalize_filename(path, NULL);
    char *meant = realpath(path, NULL), *real = realpath(whole, NULL); /* ".." after a link */
    size_t length = strlen(here);

    if (meant != NULL && real != NULL && strcmp(meant, real) == 0) {
        bool is_below = g_str_has_prefix(whole, here) && whole[length] == '/';

        if (is_below || g_path_is_absolute(path)) {
            g_free(path);
            path = g_strdup(is_below ? whole + length + 1 : whole);
        }
    }
    free(meant);
    free(real);
    g_free(whole);
    g_free(here);
    return path;
}

char *iov_sources_find(const struct iov_sources *sources, const char *name, struct iov_origin from)
{
    GString *places = g_string_new(NULL);
    char *path = NULL;

    if (g_path_is_absolute(name)) {
        g_string_free(places, TRUE);
        return g_strdup(name);
    }
    char *directory =
        from.file != NULL && from.line > 0 ? g_path_get_dirname(from.file) : g_strdup(".");
    const char *const none[] = { NULL };
    const char *const *next = sources->search_path != NULL ? sources->search_path : none;
    for (const char *place = directory; place != NULL; place = *next++) {
        g_free(path);
        path = strcmp(place, ".") == 0 ? g_strdup(name) : g_build_filename(place, name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            g_string_free(places, TRUE);
            g_free(directory);
            return iov_path_tidy(path);
        }
        g_string_append_printf(places, "%s'%s'", places->len > 0 ? ", " : "", place);
    }
    iov_diagnostics_add(sources->diagnostics, from, "no file '%s'; looked in %s", name,
                        places->str);
    g_string_free(places, TRUE);
    g_free(directory);
    g_free(path);
    return NULL;
}

bool iov_version_is_known(const struct iov_node *version, struct iov_diagnostics *diagnostics)
{
    if (iov_node_is(version, IOV_NODE_SCALAR) && strcmp(version->text, VERSION) == 0)
        return true;
    iov_diagnostics_add(diagnostics, version->origin,
                        "format version '%s' is not known; this program reads %s",
                        iov_node_is(version, IOV_NODE_SCALAR) ? version->text : "", VERSION);
    return false;
}

/* A file that another one names may be a fragment of a cost table. */
static bool check_version(struct iov_diagnostics *diagnostics, const struct iov_node *root,
                          bool is_named)
{
    const struct iov_node *version = iov_node_get(root, VERSION_KEY);

    if (!iov_node_is(root, IOV_NODE_MAPPING)) {
        iov_diagnostics_add(diagnostics, root->origin,
                            "the file must be a mapping that begins with '%s: %s'; it is %s",
                            VERSION_KEY, VERSION, iov_node_kind_name(root));
        return false;
    }
    if (version == NULL && is_named && root->count == 1 &&
        strcmp(root->children->key, "costs") == 0)
        return true;
    if (version == NULL || version != root->children) {
        iov_diagnostics_add(diagnostics, root->origin,
                            "the first key must be '%s: %s', the version of the format",
                            VERSION_KEY, VERSION);
        return version != NULL;
    }
    return iov_version_is_known(version, diagnostics);
}

static struct iov_node *read_named(struct iov_sources *sources, const struct iov_node *name)
{
    if (!iov_node_is(name, IOV_NODE_SCALAR) || name->text[0] == '\0') {
        iov_diagnostics_add(sources->diagnostics, name->origin,
                            "the name of a file is wanted here, not %s", iov_node_kind_name(name));
        return NULL;
    }
    char *path = iov_sources_find(sources, name->text, name->origin);
    if (path == NULL) {
        sources->failed = true;
        return NULL;
    }
    struct iov_node *root = iov_sources_read(sources, path, name->origin);
    g_free(path);
    return root;
}

/* Lays `upper` on `*lower`; the one that is NULL does not count. */
static void stack_up(struct iov_sources *sources, struct iov_node **lower, struct iov_node *upper,
                     bool append)
{
    if (*lower == NULL) {
        *lower = upper;
    } else if (upper != NULL) {
        if (append)
            append_lists(sources, *lower, upper);
        iov_node_merge(sources->tree, *lower, upper);
    }
}

/* Makes a node, which may be NULL, the first of a mapping. */
static void put_first(struct iov_node *mapping, struct iov_node *node)
{
    if (node == NULL)
        return;
    node->next = mapping->children;
    mapping->children = node;
    if (mapping->last == NULL)
        mapping->last = node;
    mapping->count++;
}

/* The file under all that it extends and includes. What is missing in the whole is missing in the
 * file. */
static struct iov_node *with_files_below(struct iov_sources *sources, struct iov_node *root)
{
    struct iov_origin origin = root->origin;
    struct iov_node *extends = iov_node_take(root, "extends");
    struct iov_node *include = iov_node_take(root, "include");
    struct iov_node *result = NULL;
    struct iov_node *included = NULL;

    if (include != NULL && include->kind == IOV_NODE_SEQUENCE) {
        for (struct iov_node *name = include->children; name != NULL; name = name->next)
            stack_up(sources, &included, read_named(sources, name), true);
    } else if (include != NULL) {
        included = read_named(sources, include);
    }
    stack_up(sources, &included, root, true);
    if (extends != NULL)
        result = read_named(sources, extends);
    stack_up(sources, &result, included, false);
    put_first(result, iov_node_take(result, VERSION_KEY)); /* what is below may have none */
    result->origin = origin;
    return result;
}

/* Whether the file may be read below those that are being read. */
static bool enter(struct iov_sources *sources, const char *path, struct iov_origin from)
{
    char *real = realpath(path, NULL);
    char *canonical = g_strdup(real != NULL ? real : path);

    free(real);
    for (unsigned i = 0; i < sources->depth; i++) {
        if (strcmp(sources->chain_canonical[i], canonical) != 0)
            continue;
        GString *chain = g_string_new(NULL);
        for (unsigned j = i; j < sources->depth; j++)
            g_string_append_printf(chain, "%s includes ", sources->chain[j]);
        iov_diagnostics_add(sources->diagnostics, from, "files include each other: %s%s",
                            chain->str, path);
        g_string_free(chain, TRUE);
        g_free(canonical);
        return false;
    }
    if (sources->depth == IOV_INCLUDE_DEPTH_MAX || sources->files == IOV_INCLUDE_FILES_MAX) {
        if (sources->depth == IOV_INCLUDE_DEPTH_MAX)
            iov_diagnostics_add(sources->diagnostics, from, "files include files more than %d deep",
                                IOV_INCLUDE_DEPTH_MAX);
        else
            iov_diagnostics_add(sources->diagnostics, from, "more than %d files are included",
                                IOV_INCLUDE_FILES_MAX);
        g_free(canonical);
        return false;
    }
    sources->files++;
    sources->chain[sources->depth] = path;
    sources->chain_canonical[sources->depth++] = canonical;
    return true;
}

static void leave(struct iov_sources *sources)
{
    g_free(sources->chain_canonical[--sources->depth]);
}

/* The first file is the run file: --set include=FILE puts it on other files. */
static void set_include(struct iov_sources *sources, struct iov_node *root)
{
    for (const char *const *set = sources->sets; set != NULL && *set != NULL; set++) {
        if (iov_set_is_include(*set))
            iov_tree_set(sources->tree, root, *set, sources->diagnostics);
    }
    sources->sets = NULL;
}

/* `text` NULL: what stands in the file. */
static struct iov_node *read_one(struct iov_sources *sources, const char *path, const char *text,
                                 struct iov_origin from)
{
    struct iov_node *root;

    if (!enter(sources, path, from)) {
        sources->failed = true;
        return NULL;
    }
    if (text != NULL)
        root = iov_tree_parse(sources->tree, path, text, strlen(text), sources->diagnostics);
    else
        root = iov_tree_parse_file(sources->tree, path, from, sources->diagnostics);
    if (root != NULL)
        set_include(sources, root);
    if (root != NULL && check_version(sources->diagnostics, root, from.file != NULL))
        root = with_files_below(sources, root);
    else
        root = NULL;
    sources->failed |= root == NULL;
    leave(sources);
    return root;
}

struct iov_node *iov_sources_read(struct iov_sources *sources, const char *path,
                                  struct iov_origin from)
{
    return read_one(sources, path, NULL, from);
}

struct iov_node *iov_sources_read_text(struct iov_sources *sources, const char *name,
                                       const char *text)
{
    return read_one(sources, name, text, (struct iov_origin){ 0 });
}
