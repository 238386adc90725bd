/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the bench share. */
#ifndef IOV_HARNESS_HARNESS_PRIVATE_H
#define IOV_HARNESS_HARNESS_PRIVATE_H

#include "core/config/tree.h"
#include "core/harness/harness.h"

/* A reference property that is resolved at start, when all parts are there. */
struct pending_ref {
    IovModel *model;
    const struct iov_property *row;
    const struct iov_node *node;
};

/* A cost that a text gave. */
struct given_cost {
    iov_time cost;
    bool used;
};

struct iov_harness_private {
    struct iov_cost_table costs;
    GHashTable *given; /* name → struct given_cost */
    struct iov_tree *tree;
    GPtrArray *parts;   /* IovModel */
    GArray *references; /* struct pending_ref */
    GPtrArray *peers;   /* struct harness_peer: fakes and what drives interrupt wires */
    bool started;
};

/* describe.c */
IovModel *iov_harness_find(struct iov_harness *harness, const char *name);
IovModel *iov_harness_describe(struct iov_harness *harness, const char *name, const char *text,
                               GError **error);
bool iov_harness_resolve(struct iov_harness *harness, GError **error);

#endif
