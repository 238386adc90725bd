/* SPDX-License-Identifier: Apache-2.0 */
/* stats.csv (RFC 4180): one line a figure, groups joined to its name by dots, entries of lists by
 * their number. */
#include "core/trace/report-private.h"

#include <string.h>

#define GROUPS_MAX 8

struct report_csv {
    struct report_visitor visitor;
    GString *text;
    GString *path;                /* of the open groups, with a dot at its end */
    size_t starts[GROUPS_MAX];    /* where each open group begins in it */
    unsigned entries[GROUPS_MAX]; /* of an open list, so far */
    unsigned depth;
};

static void put_field(GString *text, const char *field)
{
    if (strpbrk(field, ",\"\r\n") == NULL) {
        g_string_append(text, field);
        return;
    }
    g_string_append_c(text, '"');
    for (const char *at = field; *at != '\0'; at++) {
        if (*at == '"')
            g_string_append_c(text, '"');
        g_string_append_c(text, *at);
    }
    g_string_append_c(text, '"');
}

static void csv_begin(struct report_visitor *visitor, const char *name, bool list G_GNUC_UNUSED)
{
    struct report_csv *csv = iov_container_of(visitor, struct report_csv, visitor);

    IOV_REQUIRE(csv->depth < GROUPS_MAX);
    csv->starts[csv->depth] = csv->path->len;
    if (name != NULL)
        g_string_append_printf(csv->path, "%s.", name);
    else
        g_string_append_printf(csv->path, "%u.", csv->entries[csv->depth - 1]++);
    csv->entries[csv->depth++] = 0;
}

static void csv_end(struct report_visitor *visitor, bool list G_GNUC_UNUSED)
{
    struct report_csv *csv = iov_container_of(visitor, struct report_csv, visitor);

    g_string_truncate(csv->path, csv->starts[--csv->depth]);
}

static void put_line(struct report_csv *csv, const char *name, const char *value, const char *unit,
                     const char *description)
{
    g_autofree char *full = g_strconcat(csv->path->str, name, NULL);

    put_field(csv->text, full);
    g_string_append_c(csv->text, ',');
    put_field(csv->text, value != NULL ? value : "");
    g_string_append_c(csv->text, ',');
    put_field(csv->text, unit);
    g_string_append_c(csv->text, ',');
    put_field(csv->text, description != NULL ? description : "");
    g_string_append(csv->text, "\n");
}

static void csv_number(struct report_visitor *visitor, const char *name, const char *value,
                       const char *unit, const char *description)
{
    put_line(iov_container_of(visitor, struct report_csv, visitor), name, value, unit, description);
}

static void csv_text(struct report_visitor *visitor, const char *name, const char *value,
                     const char *description)
{
    put_line(iov_container_of(visitor, struct report_csv, visitor), name, value, "", description);
}

static void csv_truth(struct report_visitor *visitor, const char *name, bool value,
                      const char *description)
{
    csv_text(visitor, name, value ? "true" : "false", description);
}

char *iov_report_csv(const struct iov_report *report)
{
    struct report_csv csv = {
        .visitor = { csv_begin, csv_end, csv_number, csv_text, csv_truth },
        .text = g_string_new("name,value,unit,description\n"),
        .path = g_string_new(NULL),
    };

    iov_report_walk(report, &csv.visitor);
    g_string_free(csv.path, TRUE);
    return g_string_free(csv.text, FALSE);
}
