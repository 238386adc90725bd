/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files to one tree: `extends`, `include`, `--set` and `${parameter}`.
 *
 * Merging lays one mapping over another: keys of both are mappings are merged in turn, anything
 * else of the upper one replaces the lower. The order, lowest first: the base that `extends` names,
 * the files that `include` names, the file itself, `--set` from left to right. Parameters are
 * substituted at the end, once, when everything is in place.
 */
#ifndef IOV_CONFIG_MERGE_H
#define IOV_CONFIG_MERGE_H

#include <string.h>

#include "core/config/tree.h"

IOV_BEGIN_DECLS

enum {
    IOV_INCLUDE_DEPTH_MAX = 16,  /* files inside each other */
    IOV_INCLUDE_FILES_MAX = 256, /* files read for one tree */
    IOV_PARAMETER_DEPTH_MAX = 16,
};

/* Where files are found and what is special in them. */
struct iov_sources {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    const char *const *search_path; /* directories, tried after the including file's own;
                                       NULL-terminated or NULL */
    const char *const
        *appended; /* top-level lists to which an `include` adds; others are replaced; or NULL */
    const char *const *sets; /* those with `include=` change the first file; or NULL */
    bool failed; /* set when a file could not be found or read: what follows from that is not worth
                    telling */
    const char *chain[IOV_INCLUDE_DEPTH_MAX];     /* private: files being read, as shown */
    char *chain_canonical[IOV_INCLUDE_DEPTH_MAX]; /* private */
    unsigned depth;                               /* private */
    unsigned files;                               /* private */
};

/*
 * Finds a file: as it is if absolute, else beside the file of `from`, then in the search path.
 * Returns its path (g_free), or NULL with a diagnostic at `from` that names the places looked in.
 */
IOV_API char *iov_sources_find(const struct iov_sources *sources, const char *name,
                               struct iov_origin from);
/* Whether the value of a file's first key is the version that is read here; if not, a
 * diagnostic. */
IOV_API bool iov_version_is_known(const struct iov_node *version,
                                  struct iov_diagnostics *diagnostics);
/*
 * Reads a file with all it extends and includes, and checks that each begins with `iovsim: 1` (one
 * with nothing but `costs`, a fragment of a table that another file names, may leave that out).
 * `path` is opened as it is; `from` is the place that names it. The result is a mapping without the
 * keys `include` and `extends`, or NULL.
 */
IOV_API struct iov_node *iov_sources_read(struct iov_sources *sources, const char *path,
                                          struct iov_origin from);

/* The same for a text that is not in a file; messages call it `name`. */
IOV_API struct iov_node *iov_sources_read_text(struct iov_sources *sources, const char *name,
                                               const char *text);

/* Lays the mapping `over` on the mapping `base`, which becomes the result. `over` must not be used
 * any more. */
IOV_API void iov_node_merge(struct iov_tree *tree, struct iov_node *base, struct iov_node *over);

/* The same, but `upper` becomes the result and keeps its keys in front. `base` must not be used any
 * more. */
IOV_API void iov_node_merge_under(struct iov_tree *tree, struct iov_node *upper,
                                  struct iov_node *base);

/* Whether a --set says what the run file includes. */
static inline bool iov_set_is_include(const char *assignment)
{
    return strncmp(assignment, "include=", 8) == 0;
}

/*
 * Applies one `path=value`, as in `vms[0].memory=2GiB` or `vms.0.memory=2GiB`. The value is YAML.
 * Mappings on the way that do not exist are made; entries of lists must exist. What it sets has the
 * origin `--set path`.
 */
IOV_API void iov_tree_set(struct iov_tree *tree, struct iov_node *root, const char *assignment,
                          struct iov_diagnostics *diagnostics);

/*
 * Substitutes `${name}` in every scalar below `root` by what the mapping `parameters` under `root`
 * says; `$${` becomes `${`. Parameters may use each other. A scalar that is nothing but `${name}`
 * becomes the parameter's value, of whatever kind. `idle` (may be NULL) is told what the command
 * line says of parameters that nothing uses.
 */
IOV_API void iov_tree_substitute(struct iov_tree *tree, struct iov_node *root,
                                 struct iov_diagnostics *diagnostics, struct iov_diagnostics *idle);

/* Whether it was the command line that said it (iov_tree_set()), and no file. */
static inline bool iov_origin_is_set(struct iov_origin origin)
{
    return origin.line == 0 && origin.file != NULL;
}

/* Takes a path and gives it back as messages name it: relative, without "..", if it lies below the
 * present folder. */
IOV_API char *iov_path_tidy(char *path);

IOV_END_DECLS

#endif
