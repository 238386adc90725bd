/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources that turn a resolved tree into a platform share. */
#ifndef IOV_CONFIG_CONFIG_PRIVATE_H
#define IOV_CONFIG_CONFIG_PRIVATE_H

#include "core/config/merge.h"
#include "core/config/platform.h"

struct iov_config {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    struct iov_diagnostics *idle; /* what --set says in vain */
    struct iov_node *root;
};

/* ---- costs.c ---- */

struct cost_table;
/* Reads the mapping `costs` (may be NULL); mistakes are added to the diagnostics. */
struct cost_table *cost_table_new(const struct iov_node *costs, uint64_t frequency_hz,
                                  struct iov_diagnostics *diagnostics);
void cost_table_free(struct cost_table *table);
struct iov_cost_table *cost_table_interface(struct cost_table *table);
unsigned cost_table_count(const struct cost_table *table);
const struct iov_cost_use *cost_table_at(const struct cost_table *table, unsigned index);
/* Adds a diagnostic for every cost that a kind needs and the table lacks. */
void cost_table_check_kind(struct cost_table *table, const struct iov_model_info *info,
                           struct iov_origin origin, struct iov_diagnostics *diagnostics);

/* Tells every cost from the command line that nobody asked for and no kind has. */
void cost_table_tell_idle(const struct cost_table *table, const struct iov_node *costs,
                          struct iov_diagnostics *idle);

/* ---- properties.c ---- */

/* Where values of properties get what they need from around them. */
struct value_scope {
    struct iov_diagnostics *diagnostics;
    uint64_t frequency_hz; /* for times given in cycles; 0: there is none */
    /*
     * The model that `name` refers to for the part of `context`, or NULL with a diagnostic at
     * `origin`. `*ret_kind` gets its kind. While only checking there are no models: then the result
     * is NULL and `*ret_kind` is set. NULL: no references.
     */
    IovModel *(*refer)(const void *context, const char *name, struct iov_origin origin,
                       const char **ret_kind);
    const void *context;
};

/*
 * Checks the keys of a mapping against the rows of a kind, and sets them if `model` is not NULL.
 * `name` is the part's, for messages; keys in `skip` (NULL-terminated) are somebody else's.
 */
void properties_apply(const struct value_scope *scope, const struct iov_model_info *info,
                      IovModel *model, const struct iov_node *mapping, const char *name,
                      const char *const *skip);

/* Reads a scalar of a dimension for the key `name`; false, with a diagnostic, if it cannot be. */
bool quantity_of_node(const struct iov_node *node, int dimension, const char *name,
                      struct iov_diagnostics *diagnostics, uint64_t *ret_value);

/* ---- parts.c ---- */

struct part {
    const char *name; /* in its scope */
    char *path;
    const char *kind;
    const struct iov_model_info *info; /* NULL: the kind is unknown, which was reported */
    const struct iov_node *node;       /* kind and properties */
    struct iov_origin origin;
    int vm; /* index, or -1: the machine's */
    IovModel *model;
    uint64_t connections; /* of TCP, that workloads ask it for */
};

/* All parts that the tree describes, before there is a model. */
struct parts {
    struct iov_config *config;
    struct iov_tree *tree;    /* of what the entries of VMs say together with what holds for all */
    GPtrArray *list;          /* struct part *, in the order of declaration */
    GHashTable *by_path;      /* path to part */
    GHashTable *machine;      /* name to part: machine parts and VMs */
    GPtrArray *vms;           /* GHashTable *, name to part, one for each VM */
    GHashTable *per_vm_names; /* names that mean a part of the same VM */
};

void parts_init(struct parts *parts, struct iov_config *config);
void parts_finish(struct parts *parts);
/*
 * The part that `name` means for a part of VM `vm` (-1: of the machine). A name such as `vm/vcpu0`
 * means a child of a part: `*ret_child` gets the path below it, else NULL. NULL, with a diagnostic,
 * if there is none.
 */
struct part *parts_find(const struct parts *parts, int vm, const char *name,
                        struct iov_origin origin, const char **ret_child);
/* The child of a model at a path below it ("vcpu0"), or NULL. */
IovModel *model_child(IovModel *model, const char *below);

/* ---- wires.c ---- */

/* Checks all wires by the rows of the kinds; if there are mistakes already, open ports are told as
 * well. */
void wires_check(const struct parts *parts);
/* Makes all wires between the models, and then looks for open ports. */
void wires_connect(const struct parts *parts);

/* ---- services.c ---- */

/* Compares what workloads need with what the far ends do that are wired. */
void services_check(const struct parts *parts);

/* ---- blame.c ---- */

struct iov_measure;

/* Sentences about who works in a run that is given up now and has ended: host processor, thread,
 * vCPU, likely cause and what to do. May be empty. */
char *blame(const struct iov_measure *measure, iov_time now);

#endif
