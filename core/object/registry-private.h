/* SPDX-License-Identifier: Apache-2.0 */
/* The table of built-in kinds, written by the build. */
#ifndef IOV_OBJECT_REGISTRY_PRIVATE_H
#define IOV_OBJECT_REGISTRY_PRIVATE_H

#include <glib-object.h>

typedef GType iov_kind_type_fn(void);
extern iov_kind_type_fn *const iov_builtin_kinds[];

#endif
