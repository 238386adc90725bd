/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration: the first line is a --set, the rest YAML. What can be read is
 * substituted, written and read again, and must be the same. Run with -max_len=4096: libyaml takes
 * quadratic time for some long inputs.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/config/merge.h"
#include "core/config/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_scalars(const struct iov_node *node)
{
    struct iov_quantity quantity;

    if (node->kind == IOV_NODE_SCALAR && iov_quantity_parse_any(node->text, &quantity, NULL)) {
        char *text = iov_quantity_format(quantity.dimension, quantity.value);
        struct iov_quantity back = { 0 };
        bool same = iov_quantity_parse_any(text, &back, NULL) && back.value == quantity.value;
        g_assert(same);
        g_free(text);
    }
    for (const struct iov_node *child = node->children; child != NULL; child = child->next)
        read_scalars(child);
}

static void check_round_trip(struct iov_tree *tree, const struct iov_node *root)
{
    struct iov_diagnostics *diagnostics = iov_diagnostics_new();
    char *written = iov_tree_write(root);
    struct iov_node *again = iov_tree_parse(tree, "written", written, strlen(written), diagnostics);

    if (again != NULL) {
        iov_tree_substitute(tree, again, diagnostics, NULL);
        g_assert(iov_node_equal(root, again));
    } else {
        g_assert(strstr(iov_diagnostics_message(diagnostics, 0), "more than") != NULL);
    }
    g_free(written);
    iov_diagnostics_free(diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iov_tree *tree = iov_tree_new();
    struct iov_diagnostics *diagnostics = iov_diagnostics_new();
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = end != NULL ? (size_t)(end - data) : 0;
    char *assignment = g_strndup((const char *)data, first);
    struct iov_node *root =
        iov_tree_parse(tree, "fuzz", (const char *)data + first, size - first, diagnostics);

    if (root != NULL && root->kind == IOV_NODE_MAPPING) {
        iov_tree_set(tree, root, assignment, diagnostics);
        iov_tree_substitute(tree, root, diagnostics, NULL);
        read_scalars(root);
    }
    if (root != NULL && root->kind == IOV_NODE_MAPPING && iov_diagnostics_count(diagnostics) == 0)
        check_round_trip(tree, root);
    g_free(assignment);
    iov_diagnostics_free(diagnostics);
    iov_tree_free(tree);
    return 0;
}
