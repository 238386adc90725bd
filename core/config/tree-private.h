/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of core/config know about nodes and others need not. */
#ifndef IOV_CONFIG_TREE_PRIVATE_H
#define IOV_CONFIG_TREE_PRIVATE_H

#include "core/config/tree.h"

/* iov_node_put() for a key that is known not to be in the mapping: no search. */
void iov_node_add_new_key(struct iov_tree *tree, struct iov_node *mapping, const char *key,
                          struct iov_origin key_origin, struct iov_node *child);

#endif
