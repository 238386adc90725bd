/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics and the "did you mean" helper. Messages are formatted when they are added, so a list
 * outlives the tree it speaks about.
 */
#include "core/config/diagnostics.h"

#include <string.h>

#define MESSAGES_SHOWN 50
#define WORD_MAX 64

struct message {
    char *text;               /* with the place before it */
    struct iov_origin origin; /* owns its file */
};

struct iov_diagnostics {
    GPtrArray *messages; /* struct message */
};

static void free_message(void *data)
{
    struct message *message = data;

    g_free(message->text);
    g_free((char *)(uintptr_t)message->origin.file);
    g_free(message);
}

struct iov_diagnostics *iov_diagnostics_new(void)
{
    struct iov_diagnostics *diagnostics = g_new0(struct iov_diagnostics, 1);

    diagnostics->messages = g_ptr_array_new_with_free_func(free_message);
    return diagnostics;
}

void iov_diagnostics_free(struct iov_diagnostics *diagnostics)
{
    if (diagnostics == NULL)
        return;
    g_ptr_array_unref(diagnostics->messages);
    g_free(diagnostics);
}

/* Takes the text; a line break in it would look like a second message. */
static void add_line(struct iov_diagnostics *diagnostics, struct iov_origin origin, char *text)
{
    GString *line = g_string_new(NULL);

    if (origin.file != NULL)
        g_string_append(line, origin.file);
    if (origin.file != NULL && origin.line > 0)
        g_string_append_printf(line, ":%u:%u", origin.line, origin.column);
    if (origin.file != NULL)
        g_string_append(line, ": ");
    g_string_append(line, text);
    g_free(text);
    g_strdelimit(line->str, "\n\r", ' ');

    for (unsigned i = 0; i < diagnostics->messages->len; i++) {
        if (strcmp(iov_diagnostics_message(diagnostics, i), line->str) == 0) {
            g_string_free(line, TRUE);
            return;
        }
    }
    struct message *message = g_new0(struct message, 1);
    message->text = g_string_free(line, FALSE);
    message->origin = origin;
    message->origin.file = g_strdup(origin.file);
    g_ptr_array_add(diagnostics->messages, message);
}

void iov_diagnostics_add(struct iov_diagnostics *diagnostics, struct iov_origin origin,
                         const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_line(diagnostics, origin, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void iov_diagnostics_add_near(struct iov_diagnostics *diagnostics, struct iov_origin origin,
                              const char *word, const char *const *candidates, const char *format,
                              ...)
{
    const char *near = iov_suggest(word, candidates);
    va_list arguments;

    va_start(arguments, format);
    char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (near != NULL) {
        char *longer = g_strdup_printf("%s; did you mean '%s'?", text, near);
        g_free(text);
        text = longer;
    }
    add_line(diagnostics, origin, text);
}

unsigned iov_diagnostics_count(const struct iov_diagnostics *diagnostics)
{
    return diagnostics->messages->len;
}

const char *iov_diagnostics_message(const struct iov_diagnostics *diagnostics, unsigned index)
{
    g_return_val_if_fail(index < diagnostics->messages->len, NULL);
    return ((const struct message *)g_ptr_array_index(diagnostics->messages, index))->text;
}

struct iov_origin iov_diagnostics_origin(const struct iov_diagnostics *diagnostics, unsigned index)
{
    g_return_val_if_fail(index < diagnostics->messages->len, (struct iov_origin){ 0 });
    return ((const struct message *)g_ptr_array_index(diagnostics->messages, index))->origin;
}

bool iov_diagnostics_clear_or_raise(const struct iov_diagnostics *diagnostics, GError **error)
{
    unsigned count = diagnostics->messages->len;

    if (count == 0)
        return true;

    GString *all = g_string_new(NULL);
    for (unsigned i = 0; i < count && i < MESSAGES_SHOWN; i++)
        g_string_append_printf(all, "%s%s", i > 0 ? "\n" : "",
                               iov_diagnostics_message(diagnostics, i));
    if (count > MESSAGES_SHOWN)
        g_string_append_printf(all, "\n... and %u more", count - MESSAGES_SHOWN);
    g_set_error_literal(error, IOV_ERROR, IOV_ERROR_CONFIG, all->str);
    g_string_free(all, TRUE);
    return false;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    return MIN(MIN(a, b), c);
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours; case is
 * ignored. */
static unsigned edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_length; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) && y == g_ascii_tolower(a[i - 2]))
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b_length];
}

const char *iov_suggest(const char *word, const char *const *candidates)
{
    size_t length = strlen(word);
    const char *best = NULL;
    unsigned best_distance = 0;

    if (length > WORD_MAX || candidates == NULL)
        return NULL;
    for (; *candidates != NULL; candidates++) {
        size_t other = strlen(*candidates);
        if (other > WORD_MAX || strcmp(word, *candidates) == 0)
            continue;
        unsigned distance = edit_distance(word, length, *candidates, other);
        if (distance > MAX(1, MAX(length, other) / 3) || distance >= MAX(length, other))
            continue;
        if (best == NULL || distance < best_distance) {
            best = *candidates;
            best_distance = distance;
        }
    }
    return best;
}
