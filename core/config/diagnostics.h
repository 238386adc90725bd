/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: every mistake found in the user's input, collected so that all are reported in one
 * go.
 *
 * A message is one line, `file:line:column: text; suggestion`. The whole list turns into one GError
 * of the domain IOV_ERROR. Nothing here is called from an event handler.
 */
#ifndef IOV_CONFIG_DIAGNOSTICS_H
#define IOV_CONFIG_DIAGNOSTICS_H

#include <glib.h>
#include <stdbool.h>

#include "core/object/model.h"

IOV_BEGIN_DECLS

/* The place a key or a value was written. */
struct iov_origin {
    const char *file; /* owned by the tree; NULL: no place is known */
    /* From 1; 0: `file` is not a file but says what the origin is, as `--set seed`. */
    unsigned line;
    unsigned column; /* from 1, in characters */
};

struct iov_diagnostics;

/* A new, empty list. Free it with iov_diagnostics_free(), which accepts NULL. */
IOV_API struct iov_diagnostics *iov_diagnostics_new(void);
IOV_API void iov_diagnostics_free(struct iov_diagnostics *diagnostics);

/* Adds one message about a place. The text is a phrase without a full stop; a repeated message is
 * kept once. */
IOV_API void iov_diagnostics_add(struct iov_diagnostics *diagnostics, struct iov_origin origin,
                                 const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same, with `; did you mean '…'?` at its end when one of the NULL-terminated candidates is
 * near to `word`. */
IOV_API void iov_diagnostics_add_near(struct iov_diagnostics *diagnostics, struct iov_origin origin,
                                      const char *word, const char *const *candidates,
                                      const char *format, ...) G_GNUC_PRINTF(5, 6);
/* How many messages there are; the text of one of them and the place that it is about (both owned
 * by the list). */
IOV_API unsigned iov_diagnostics_count(const struct iov_diagnostics *diagnostics);
IOV_API const char *iov_diagnostics_message(const struct iov_diagnostics *diagnostics,
                                            unsigned index);
IOV_API struct iov_origin iov_diagnostics_origin(const struct iov_diagnostics *diagnostics,
                                                 unsigned index);
/*
 * True if the list is empty. Otherwise sets IOV_ERROR_CONFIG, one line a message, and
 * returns false. A very long list is cut with a line that says how many messages were left out.
 */
IOV_API IOV_MUST_USE bool iov_diagnostics_clear_or_raise(const struct iov_diagnostics *diagnostics,
                                                         GError **error);

/*
 * The candidate that `word` is probably meant to be, by edit distance, or NULL. Among equals the
 * first wins. The candidates end with NULL; the result is one of them.
 */
IOV_API const char *iov_suggest(const char *word, const char *const *candidates);

IOV_END_DECLS

#endif
