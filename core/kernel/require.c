/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when a precondition does not hold: one line on stderr, then abort(). */
#include "core/kernel/macros.h"

#include <stdio.h>
#include <stdlib.h>

void iov_require_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: required: %s\n", file, line, function, condition);
    abort();
}
