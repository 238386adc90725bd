/* SPDX-License-Identifier: Apache-2.0 */
/* Writing files so that nobody ever sees half of one. */
#ifndef IOV_OBJECT_FILE_H
#define IOV_OBJECT_FILE_H

#include <glib.h>
#include <stdbool.h>

#include "core/kernel/macros.h"

IOV_BEGIN_DECLS

/*
 * Writes a whole file: under a temporary name beside it, which is renamed when all bytes are there.
 * On failure the error (G_FILE_ERROR) names the path, the temporary file is gone and what was under
 * the path before is untouched.
 */
IOV_API IOV_MUST_USE bool iov_write_file_atomically(const char *path, const char *bytes,
                                                    size_t length, GError **error);

IOV_END_DECLS

#endif
