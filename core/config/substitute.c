/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `${name}`: parameters into scalars. Parameters are made ready first, each once, whatever order
 * they stand in; a chain of parameters is bounded, and so is the text they can make.
 */
#include <string.h>

#include "core/config/merge.h"

#define TEXT_BYTES_MAX (64 * 1024)            /* one scalar */
#define ALL_TEXT_BYTES_MAX (16 * 1024 * 1024) /* all that substitution makes */

struct substitution {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    const struct iov_node *parameters; /* a mapping or NULL */
    GPtrArray *names;                  /* const char *, NULL-terminated: for suggestions */
    GHashTable *by_name;               /* name to node */
    GHashTable *ready;                 /* nodes of parameters that hold no `${` any more */
    GHashTable *used;                  /* nodes of parameters that something asked for */
    const struct iov_node *chain[IOV_PARAMETER_DEPTH_MAX];
    unsigned depth; /* of the chain */
    size_t bytes;
    bool full;
};

static void substitute(struct substitution *s, struct iov_node *node, unsigned depth);

/* Makes the parameter ready to be used; false, with a diagnostic at `origin`, if it uses itself. */
static bool prepare(struct substitution *s, struct iov_node *parameter, struct iov_origin origin)
{
    if (g_hash_table_contains(s->ready, parameter))
        return true;
    for (unsigned i = 0; i < s->depth; i++) {
        if (s->chain[i] == parameter) {
            iov_diagnostics_add(s->diagnostics, origin, "parameter '%s' is made of itself",
                                parameter->key);
            return false;
        }
    }
    if (s->depth == IOV_PARAMETER_DEPTH_MAX) {
        iov_diagnostics_add(s->diagnostics, origin,
                            "parameters are made of parameters more than %d deep",
                            IOV_PARAMETER_DEPTH_MAX);
        return false;
    }
    s->chain[s->depth++] = parameter;
    substitute(s, parameter, 2); /* below the root and `parameters` */
    s->depth--;
    g_hash_table_add(s->ready, parameter);
    return true;
}

/* The parameter of a name, ready to be used, or NULL with a diagnostic. */
static const struct iov_node *find(struct substitution *s, const char *name,
                                   struct iov_origin origin)
{
    struct iov_node *parameter = g_hash_table_lookup(s->by_name, name);

    if (parameter == NULL) {
        iov_diagnostics_add_near(s->diagnostics, origin, name, (const char *const *)s->names->pdata,
                                 "there is no parameter '%s'", name);
        return NULL;
    }
    g_hash_table_add(s->used, parameter);
    return prepare(s, parameter, origin) ? parameter : NULL;
}

/* Whether the text is one parameter and nothing else. */
static char *lone_name(const char *text)
{
    const char *end = g_str_has_prefix(text, "${") ? strchr(text, '}') : NULL;

    return end != NULL && end[1] == '\0' ? g_strndup(text + 2, (gsize)(end - text - 2)) : NULL;
}

static void replace_whole(struct substitution *s, struct iov_node *node, const char *name,
                          unsigned depth)
{
    const struct iov_node *parameter = find(s, name, node->origin);

    if (parameter == NULL)
        return;
    struct iov_node *copy = iov_node_copy(s->tree, parameter, depth, s->diagnostics);
    if (copy != NULL)
        iov_node_become(node, copy);
    else
        s->full = true;
}

/* Appends the value of `${name}`, which begins at `text`, and returns what follows it; NULL after a
 * mistake. */
static const char *append_parameter(struct substitution *s, struct iov_node *node, const char *text,
                                    GString *out)
{
    const char *end = strchr(text, '}');

    if (end == NULL) {
        iov_diagnostics_add(s->diagnostics, node->origin,
                            "'${' without '}'; for the text '${' write '$${'");
        return NULL;
    }
    char *name = g_strndup(text + 2, (gsize)(end - text - 2));
    const struct iov_node *parameter = find(s, name, node->origin);
    if (parameter != NULL && parameter->kind != IOV_NODE_SCALAR) {
        iov_diagnostics_add(s->diagnostics, node->origin,
                            "parameter '%s' is %s and cannot be a part of a text", name,
                            iov_node_kind_name(parameter));
        parameter = NULL;
    }
    g_free(name);
    if (parameter == NULL)
        return NULL;
    node->bad |= parameter->bad;
    g_string_append(out, parameter->text);
    return end + 1;
}

static void replace_parts(struct substitution *s, struct iov_node *node)
{
    GString *out = g_string_new(NULL);
    const char *text = node->text;

    while (text != NULL && *text != '\0' && out->len <= TEXT_BYTES_MAX) {
        if (g_str_has_prefix(text, "$${")) {
            g_string_append(out, "${");
            text += 3;
        } else if (g_str_has_prefix(text, "${")) {
            text = append_parameter(s, node, text, out);
        } else {
            g_string_append_c(out, *text++);
        }
    }
    s->bytes += out->len;
    if (out->len > TEXT_BYTES_MAX || s->bytes > ALL_TEXT_BYTES_MAX) {
        iov_diagnostics_add(
            s->diagnostics, node->origin, "the parameters make a text of more than %d KiB",
            (out->len > TEXT_BYTES_MAX ? TEXT_BYTES_MAX : ALL_TEXT_BYTES_MAX) / 1024);
        s->full = true;
    } else if (text != NULL) {
        node->text = iov_tree_string(s->tree, out->str);
    }
    g_string_free(out, TRUE);
}

static void substitute(struct substitution *s, struct iov_node *node, unsigned depth)
{
    if (node->kind == IOV_NODE_SCALAR) {
        if (s->full || strstr(node->text, "${") == NULL)
            return;
        unsigned before = iov_diagnostics_count(s->diagnostics);
        char *name = lone_name(node->text);
        if (name != NULL)
            replace_whole(s, node, name, depth);
        else
            replace_parts(s, node);
        node->bad |= iov_diagnostics_count(s->diagnostics) != before;
        g_free(name);
        return;
    }
    for (struct iov_node *child = node->children; child != NULL && !s->full; child = child->next)
        substitute(s, child, depth + 1);
}

/* A parameter from the command line that nothing uses is a slip, whether a file has one of that
 * name or not. */
static void tell_idle(const struct substitution *s, const struct iov_node *root,
                      struct iov_diagnostics *idle)
{
    g_autoptr(GPtrArray) others = g_ptr_array_new();

    if (iov_node_text(root, "resolved") == NULL) {
        for (guint i = 0; i + 1 < s->names->len; i++) {
            const char *name = g_ptr_array_index(s->names, i);

            if (g_hash_table_contains(s->used, g_hash_table_lookup(s->by_name, name)))
                g_ptr_array_add(others, g_ptr_array_index(s->names, i));
        }
    }
    g_ptr_array_add(others, NULL);
    for (const struct iov_node *child = s->parameters != NULL ? s->parameters->children : NULL;
         child != NULL; child = child->next) {
        if (iov_origin_is_set(child->key_origin) && !g_hash_table_contains(s->used, child))
            iov_diagnostics_add_near(idle, child->key_origin, child->key,
                                     (const char *const *)others->pdata,
                                     iov_node_text(root, "resolved") != NULL
                                         ? "a resolved file has its parameters in place; set '%s' "
                                           "in the original file"
                                         : "nothing uses a parameter '%s'",
                                     child->key);
    }
}

void iov_tree_substitute(struct iov_tree *tree, struct iov_node *root,
                         struct iov_diagnostics *diagnostics, struct iov_diagnostics *idle)
{
    struct iov_node *parameters = iov_node_get(root, "parameters");
    struct substitution s = { .tree = tree, .diagnostics = diagnostics };

    if (parameters != NULL && parameters->kind != IOV_NODE_MAPPING &&
        !iov_node_is_empty(parameters)) {
        iov_diagnostics_add(diagnostics, parameters->origin,
                            "'parameters' must be a mapping, not %s",
                            iov_node_kind_name(parameters));
        return;
    }
    s.parameters = parameters;
    s.names = g_ptr_array_new();
    s.by_name = g_hash_table_new(g_str_hash, g_str_equal);
    s.ready = g_hash_table_new(NULL, NULL);
    s.used = g_hash_table_new(NULL, NULL);
    for (struct iov_node *child = parameters != NULL ? parameters->children : NULL; child != NULL;
         child = child->next) {
        g_ptr_array_add(s.names, (gpointer)(guintptr)child->key);
        g_hash_table_insert(s.by_name, (gpointer)(guintptr)child->key, child);
    }
    g_ptr_array_add(s.names, NULL);
    for (struct iov_node *child = parameters != NULL ? parameters->children : NULL; child != NULL;
         child = child->next)
        prepare(&s, child, child->origin);
    for (struct iov_node *child = root->children; child != NULL && !s.full; child = child->next) {
        if (child != parameters)
            substitute(&s, child, 1);
    }
    if (idle != NULL)
        tell_idle(&s, root, idle);
    g_hash_table_unref(s.used);
    g_hash_table_unref(s.ready);
    g_hash_table_unref(s.by_name);
    g_ptr_array_unref(s.names);
}
