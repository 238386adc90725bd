/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--set path=value`: walks the path, makes the mappings that are missing and puts the value, read
 * as YAML, at its end. Whether the keys mean anything is checked where all keys are checked.
 */
#include <string.h>

#include "core/config/merge.h"

struct assignment {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    struct iov_origin origin; /* `--set path` */
    unsigned depth;           /* of the node the path has come to */
};

/* "3" or "[3]" is an entry of a list. */
static bool read_index(const char *word, unsigned *ret_index)
{
    size_t length = strlen(word);
    guint64 index;
    char *digits =
        word[0] == '[' ? g_strndup(word + 1, length > 2 ? length - 2 : 0) : g_strdup(word);
    bool fine = g_ascii_string_to_unsigned(digits, 10, 0, IOV_TREE_NODES_MAX, &index, NULL);

    g_free(digits);
    if (fine)
        *ret_index = (unsigned)index;
    return fine;
}

/* One step down; NULL, with a diagnostic, where there is no way on. */
static struct iov_node *step(struct assignment *set, struct iov_node *node, const char *word,
                             bool is_last)
{
    unsigned index;

    if (node->kind == IOV_NODE_SEQUENCE) {
        if (!read_index(word, &index))
            iov_diagnostics_add(set->diagnostics, set->origin,
                                "'%s' is no index, and this is a list of %u", word, node->count);
        else if (index >= node->count)
            iov_diagnostics_add(set->diagnostics, set->origin,
                                "there is no entry %u; the list has %u, counted from 0", index,
                                node->count);
        else
            return iov_node_at(node, index);
        return NULL;
    }
    if (node->kind == IOV_NODE_SCALAR || word[0] == '[') {
        iov_diagnostics_add(set->diagnostics, set->origin, "'%s' cannot be reached: above it is %s",
                            word, iov_node_kind_name(node));
        return NULL;
    }
    struct iov_node *child = iov_node_get(node, word);
    if (child == NULL || (iov_node_is_empty(child) && !is_last)) {
        struct iov_node *fresh =
            iov_node_new(set->tree, IOV_NODE_MAPPING, NULL, set->origin, set->diagnostics);
        if (fresh == NULL)
            return NULL;
        iov_node_put(set->tree, node, word, set->origin, fresh);
        child = iov_node_get(node, word);
    }
    return child;
}

/* Every value from the command line has the command line as its origin. */
static void relabel(struct iov_node *node, struct iov_origin origin)
{
    node->origin = origin;
    node->key_origin = origin;
    for (struct iov_node *child = node->children; child != NULL; child = child->next)
        relabel(child, origin);
}

static struct iov_node *read_value(struct assignment *set, const char *text)
{
    struct iov_node *value;

    if (text[0] == '\0')
        return iov_node_new(set->tree, IOV_NODE_SCALAR, "", set->origin, set->diagnostics);
    value = iov_tree_parse(set->tree, set->origin.file, text, strlen(text), set->diagnostics);
    if (value == NULL)
        return NULL;
    relabel(value, set->origin);
    return iov_node_copy(set->tree, value, set->depth,
                         set->diagnostics); /* checks its depth in the whole */
}

/* Splits "a[0].b" into "a", "[0]", "b"; NULL if a word is missing. */
static char **split_path(const char *path)
{
    GString *dotted = g_string_new(path);

    g_string_replace(dotted, "[", ".[", 0);
    char **words = g_strsplit(dotted->str, ".", -1);
    g_string_free(dotted, TRUE);
    for (char **word = words; *word != NULL; word++) {
        bool opened = (*word)[0] == '[';
        if (**word == '\0' || opened != g_str_has_suffix(*word, "]")) {
            g_strfreev(words);
            return NULL;
        }
    }
    return words;
}

void iov_tree_set(struct iov_tree *tree, struct iov_node *root, const char *assignment,
                  struct iov_diagnostics *diagnostics)
{
    const char *equals = strchr(assignment, '=');
    char *path =
        equals != NULL ? g_strndup(assignment, (gsize)(equals - assignment)) : g_strdup(assignment);
    char *label = g_strdup_printf("--set %s", path);
    char *valid = g_utf8_make_valid(label, -1);
    struct assignment set = { tree, diagnostics, { iov_tree_string(tree, valid), 0, 0 }, 0 };
    char **words = split_path(path);

    if (equals == NULL || words == NULL || words[0] == NULL || strcmp(label, valid) != 0) {
        iov_diagnostics_add(diagnostics, set.origin,
                            "write PATH=VALUE, as in --set vms[0].memory=2GiB");
    } else if (g_strv_length(words) >= IOV_TREE_DEPTH_MAX) {
        iov_diagnostics_add(diagnostics, set.origin, "the path has more than %d words",
                            IOV_TREE_DEPTH_MAX - 1);
    } else {
        struct iov_node *node = root;
        for (char **word = words; *word != NULL && node != NULL; word++) {
            node = step(&set, node, *word, word[1] == NULL);
            set.depth++;
        }
        struct iov_node *value = node != NULL ? read_value(&set, equals + 1) : NULL;
        if (value != NULL) {
            iov_node_become(node, value);
            node->key_origin = set.origin;
        }
    }
    g_strfreev(words);
    g_free(valid);
    g_free(label);
    g_free(path);
}
