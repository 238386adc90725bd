/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a configuration: scalars, sequences and mappings that remember where they were
 * written.
 *
 * YAML comes in through libyaml's events, so every bound below holds before anything is built. A
 * tree owns its nodes and strings; they live until iov_tree_free(). Aliases are expanded into
 * copies: a tree is a tree, never a graph. All scalars are text; units and numbers are read by who
 * knows what a value should be (core/config/quantity.h). LIMIT: tags (`!!int`) and the merge key
 * `<<` are errors.
 */
#ifndef IOV_CONFIG_TREE_H
#define IOV_CONFIG_TREE_H

#include <stddef.h>

#include "core/config/diagnostics.h"

IOV_BEGIN_DECLS

/* Bounds on the input. */
enum {
    IOV_TREE_BYTES_MAX = 4 * 1024 * 1024, /* one file */
    IOV_TREE_DEPTH_MAX = 64,              /* sequences and mappings inside each other */
    IOV_TREE_NODES_MAX = 100000, /* one tree, all its files and expanded aliases together */
};

enum iov_node_kind { IOV_NODE_SCALAR, IOV_NODE_SEQUENCE, IOV_NODE_MAPPING };

struct iov_node {
    enum iov_node_kind kind;
    bool quoted;                  /* a scalar that was written in quotes or as a block */
    const char *text;             /* a scalar's text, "" if it has no value; NULL for the others */
    bool bad;                     /* a mistake in it was reported: who reads it says no more */
    const char *key;              /* in a mapping; NULL elsewhere */
    struct iov_origin key_origin; /* of the key, or of the value where there is no key */
    struct iov_origin origin;     /* of the value */
    struct iov_node *children;    /* the first child; the others follow by `next` */
    struct iov_node *last;
    struct iov_node *next;
    unsigned count; /* of children */
};

struct iov_tree;

/* Owns all nodes and texts that are made in it; they go with it. */
IOV_API struct iov_tree *iov_tree_new(void);
IOV_API void iov_tree_free(struct iov_tree *tree); /* accepts NULL */
/* A copy of a text, as long-lived as the tree. */
IOV_API const char *iov_tree_string(struct iov_tree *tree, const char *text);

/*
 * Reads one YAML document into new nodes of the tree. `name` stands in the origins. Mistakes are
 * added to the diagnostics; the result is NULL if the text has no structure to go on with, else its
 * root, even if there were mistakes.
 */
IOV_API struct iov_node *iov_tree_parse(struct iov_tree *tree, const char *name, const char *text,
                                        size_t length, struct iov_diagnostics *diagnostics);
/* The same from a file. A file that cannot be read is a mistake at `from`, the place that names
 * it. */
IOV_API struct iov_node *iov_tree_parse_file(struct iov_tree *tree, const char *path,
                                             struct iov_origin from,
                                             struct iov_diagnostics *diagnostics);

/* A new node without children, or NULL, with a diagnostic, if the tree is full. `text` (copied)
 * only for scalars. */
IOV_API struct iov_node *iov_node_new(struct iov_tree *tree, enum iov_node_kind kind,
                                      const char *text, struct iov_origin origin,
                                      struct iov_diagnostics *diagnostics);
/*
 * A deep copy that stands at `depth` collections below the root, without key; NULL, with a
 * diagnostic, if it does not fit in the bounds.
 */
IOV_API struct iov_node *iov_node_copy(struct iov_tree *tree, const struct iov_node *node,
                                       unsigned depth, struct iov_diagnostics *diagnostics);
/* Appends a node to a sequence. */
IOV_API void iov_node_append(struct iov_node *sequence, struct iov_node *child);
/* Puts a node into a mapping; what was under this key is replaced where it stands. `key` is
 * copied. */
IOV_API void iov_node_put(struct iov_tree *tree, struct iov_node *mapping, const char *key,
                          struct iov_origin key_origin, struct iov_node *child);
/* Takes a key out of a mapping and returns its node, or NULL if it is not there. */
IOV_API struct iov_node *iov_node_take(struct iov_node *mapping, const char *key);
/* Gives `node` the kind, text, children and origin of `source`, which must not be used any more;
 * keeps its key. */
IOV_API void iov_node_become(struct iov_node *node, struct iov_node *source);

/* A child by key or by index; NULL if there is none or the node (which may be NULL) is of another
 * kind. */
IOV_API struct iov_node *iov_node_get(const struct iov_node *mapping, const char *key);
IOV_API struct iov_node *iov_node_at(const struct iov_node *sequence, unsigned index);
/* Whether a node is there and is of a kind. */
IOV_API bool iov_node_is(const struct iov_node *node, enum iov_node_kind kind);
/* Whether a node has no value: `key:` with nothing behind it. */
IOV_API bool iov_node_is_empty(const struct iov_node *node);
/* The text of a scalar under a key of a mapping, or NULL. */
IOV_API const char *iov_node_text(const struct iov_node *mapping, const char *key);
/* What a node is, in words: "a list". */
IOV_API const char *iov_node_kind_name(const struct iov_node *node);
/* Whether two trees say the same, wherever they were written. The order of keys counts. */
IOV_API bool iov_node_equal(const struct iov_node *a, const struct iov_node *b);

/*
 * A mapping as YAML, which reads back as an equal tree. `${` is written as `$${`, so this is for
 * trees whose parameters are substituted. The text is the caller's (g_free).
 */
IOV_API char *iov_tree_write(const struct iov_node *root);

IOV_END_DECLS

#endif
