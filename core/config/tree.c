/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes of a configuration tree. Nodes come from blocks and strings from a chunk, both owned by the
 * tree, so nothing is freed one by one. Recursion here follows trees whose depth is bounded by
 * IOV_TREE_DEPTH_MAX.
 */
#include "core/config/tree.h"

#include <string.h>

#include "core/config/tree-private.h"

#define BLOCK_NODES 256

struct iov_tree {
    GStringChunk *strings;
    GPtrArray *blocks; /* struct iov_node[BLOCK_NODES] */
    unsigned nodes;
};

struct iov_tree *iov_tree_new(void)
{
    struct iov_tree *tree = g_new0(struct iov_tree, 1);

    tree->strings = g_string_chunk_new(4096);
    tree->blocks = g_ptr_array_new_with_free_func(g_free);
    return tree;
}

void iov_tree_free(struct iov_tree *tree)
{
    if (tree == NULL)
        return;
    g_string_chunk_free(tree->strings);
    g_ptr_array_unref(tree->blocks);
    g_free(tree);
}

const char *iov_tree_string(struct iov_tree *tree, const char *text)
{
    return g_string_chunk_insert(tree->strings, text);
}

struct iov_node *iov_node_new(struct iov_tree *tree, enum iov_node_kind kind, const char *text,
                              struct iov_origin origin, struct iov_diagnostics *diagnostics)
{
    if (tree->nodes >= IOV_TREE_NODES_MAX) {
        iov_diagnostics_add(diagnostics, origin,
                            "more than %d values, counting each use of an alias",
                            IOV_TREE_NODES_MAX);
        return NULL;
    }
    unsigned slot = tree->nodes++ % BLOCK_NODES;
    if (slot == 0)
        g_ptr_array_add(tree->blocks, g_new0(struct iov_node, BLOCK_NODES));

    struct iov_node *block = g_ptr_array_index(tree->blocks, tree->blocks->len - 1);
    struct iov_node *node = &block[slot];
    node->kind = kind;
    node->origin = origin;
    node->key_origin = origin;
    if (kind == IOV_NODE_SCALAR)
        node->text = iov_tree_string(tree, text != NULL ? text : "");
    return node;
}

static void add_child(struct iov_node *parent, struct iov_node *child)
{
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->children = child;
    parent->last = child;
    parent->count++;
}

void iov_node_append(struct iov_node *sequence, struct iov_node *child)
{
    g_assert(sequence->kind == IOV_NODE_SEQUENCE);
    child->key = NULL;
    child->key_origin = child->origin;
    add_child(sequence, child);
}

void iov_node_add_new_key(struct iov_tree *tree, struct iov_node *mapping, const char *key,
                          struct iov_origin key_origin, struct iov_node *child)
{
    g_assert(mapping->kind == IOV_NODE_MAPPING);
    child->key = iov_tree_string(tree, key);
    child->key_origin = key_origin;
    add_child(mapping, child);
}

void iov_node_put(struct iov_tree *tree, struct iov_node *mapping, const char *key,
                  struct iov_origin key_origin, struct iov_node *child)
{
    struct iov_node *present = iov_node_get(mapping, key);

    if (present == NULL) {
        iov_node_add_new_key(tree, mapping, key, key_origin, child);
        return;
    }
    iov_node_become(present, child);
    present->key_origin = key_origin;
}

struct iov_node *iov_node_take(struct iov_node *mapping, const char *key)
{
    struct iov_node *previous = NULL;

    if (!iov_node_is(mapping, IOV_NODE_MAPPING))
        return NULL;
    for (struct iov_node *child = mapping->children; child != NULL;
         previous = child, child = child->next) {
        if (strcmp(child->key, key) != 0)
            continue;
        if (previous != NULL)
            previous->next = child->next;
        else
            mapping->children = child->next;
        if (mapping->last == child)
            mapping->last = previous;
        mapping->count--;
        child->next = NULL;
        return child;
    }
    return NULL;
}

void iov_node_become(struct iov_node *node, struct iov_node *source)
{
    node->kind = source->kind;
    node->quoted = source->quoted;
    node->bad = source->bad;
    node->text = source->text;
    node->origin = source->origin;
    node->children = source->children;
    node->last = source->last;
    node->count = source->count;
}

struct iov_node *iov_node_copy(struct iov_tree *tree, const struct iov_node *node, unsigned depth,
                               struct iov_diagnostics *diagnostics)
{
    if (node->kind != IOV_NODE_SCALAR && depth >= IOV_TREE_DEPTH_MAX) {
        iov_diagnostics_add(diagnostics, node->origin,
                            "lists and mappings are nested more than %d deep", IOV_TREE_DEPTH_MAX);
        return NULL;
    }
    struct iov_node *copy = iov_node_new(tree, node->kind, "", node->origin, diagnostics);
    if (copy == NULL)
        return NULL;
    copy->quoted = node->quoted;
    copy->bad = node->bad;
    copy->text = node->text;
    for (const struct iov_node *child = node->children; child != NULL; child = child->next) {
        struct iov_node *twin = iov_node_copy(tree, child, depth + 1, diagnostics);
        if (twin == NULL)
            return NULL;
        twin->key = child->key;
        twin->key_origin = child->key_origin;
        add_child(copy, twin);
    }
    return copy;
}

bool iov_node_is(const struct iov_node *node, enum iov_node_kind kind)
{
    return node != NULL && node->kind == kind;
}

bool iov_node_is_empty(const struct iov_node *node)
{
    return iov_node_is(node, IOV_NODE_SCALAR) && !node->quoted && node->text[0] == '\0';
}

struct iov_node *iov_node_get(const struct iov_node *mapping, const char *key)
{
    if (!iov_node_is(mapping, IOV_NODE_MAPPING))
        return NULL;
    for (struct iov_node *child = mapping->children; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

struct iov_node *iov_node_at(const struct iov_node *sequence, unsigned index)
{
    if (!iov_node_is(sequence, IOV_NODE_SEQUENCE))
        return NULL;
    struct iov_node *child = sequence->children;
    while (child != NULL && index-- > 0)
        child = child->next;
    return child;
}

const char *iov_node_text(const struct iov_node *mapping, const char *key)
{
    const struct iov_node *node = iov_node_get(mapping, key);

    return iov_node_is(node, IOV_NODE_SCALAR) ? node->text : NULL;
}

const char *iov_node_kind_name(const struct iov_node *node)
{
    if (node->kind == IOV_NODE_MAPPING)
        return "a mapping";
    if (node->kind == IOV_NODE_SEQUENCE)
        return "a list";
    return iov_node_is_empty(node) ? "nothing" : "a single value";
}

bool iov_node_equal(const struct iov_node *a, const struct iov_node *b)
{
    if (a->kind != b->kind || a->count != b->count || g_strcmp0(a->text, b->text) != 0 ||
        g_strcmp0(a->key, b->key) != 0 || iov_node_is_empty(a) != iov_node_is_empty(b))
        return false;
    const struct iov_node *y = b->children;
    for (const struct iov_node *x = a->children; x != NULL; x = x->next, y = y->next) {
        if (!iov_node_equal(x, y))
            return false;
    }
    return true;
}
