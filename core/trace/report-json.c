/* SPDX-License-Identifier: Apache-2.0 */
/* stats.json and manifest.json (RFC 8259). Only texts of users need escapes. */
#include "core/trace/report-private.h"

#include <string.h>
#include <sys/utsname.h>

/* A visitor that appends to a text, two spaces an indentation, a newline at its end. */
struct report_json {
    struct report_visitor visitor;
    GString *text;
    unsigned depth;
    bool first; /* no member of the open group has been written */
};

static void put_string(GString *text, const char *string)
{
    /* What is not UTF-8 cannot stand in JSON: replaced, not refused. */
    g_autofree char *valid = g_utf8_make_valid(string != NULL ? string : "", -1);

    g_string_append_c(text, '"');
    for (const char *at = valid; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_printf(text, "\\%c", *at);
        else if ((unsigned char)*at < 0x20)
            g_string_append_printf(text, "\\u%04x", (unsigned)*at);
        else
            g_string_append_c(text, *at);
    }
    g_string_append_c(text, '"');
}

static void new_line(struct report_json *json)
{
    g_string_append_c(json->text, '\n');
    for (unsigned i = 0; i < json->depth; i++)
        g_string_append(json->text, "  ");
}

static void begin_member(struct report_json *json, const char *name)
{
    if (!json->first)
        g_string_append_c(json->text, ',');
    json->first = false;
    new_line(json);
    if (name != NULL) {
        put_string(json->text, name);
        g_string_append(json->text, ": ");
    }
}

static void json_begin(struct report_visitor *visitor, const char *name, bool list)
{
    struct report_json *json = iov_container_of(visitor, struct report_json, visitor);

    begin_member(json, name);
    g_string_append_c(json->text, list ? '[' : '{');
    json->depth++;
    json->first = true;
}

static void json_end(struct report_visitor *visitor, bool list)
{
    struct report_json *json = iov_container_of(visitor, struct report_json, visitor);

    json->depth--;
    if (!json->first)
        new_line(json);
    g_string_append_c(json->text, list ? ']' : '}');
    json->first = false;
}

static void json_number(struct report_visitor *visitor, const char *name, const char *value,
                        const char *unit G_GNUC_UNUSED, const char *description G_GNUC_UNUSED)
{
    struct report_json *json = iov_container_of(visitor, struct report_json, visitor);

    begin_member(json, name);
    g_string_append(json->text, value);
}

static void json_text(struct report_visitor *visitor, const char *name, const char *value,
                      const char *description G_GNUC_UNUSED)
{
    struct report_json *json = iov_container_of(visitor, struct report_json, visitor);

    begin_member(json, name);
    put_string(json->text, value);
}

static void json_truth(struct report_visitor *visitor, const char *name, bool value,
                       const char *description G_GNUC_UNUSED)
{
    json_number(visitor, name, value ? "true" : "false", NULL, NULL);
}

static void json_init(struct report_json *json)
{
    *json = (struct report_json){
        .visitor = { json_begin, json_end, json_number, json_text, json_truth },
        .text = g_string_new("{"),
        .depth = 1,
        .first = true,
    };
}

/* The text; the visitor is spent. */
static char *json_finish(struct report_json *json)
{
    g_string_append(json->text, json->first ? "}\n" : "\n}\n");
    return g_string_free(json->text, FALSE);
}

char *iov_report_json(const struct iov_report *report)
{
    struct report_json json;

    json_init(&json);
    iov_report_walk(report, &json.visitor);
    return json_finish(&json);
}

/* ---- manifest.json ---- */

/* The first "model name" of /proc/cpuinfo. */
static char *cpu_name(void)
{
    g_autofree char *info = NULL;
    const char *line, *start;

    if (!g_file_get_contents("/proc/cpuinfo", &info, NULL, NULL))
        return g_strdup("unknown");
    line = strstr(info, "model name");
    start = line != NULL ? strchr(line, ':') : NULL;
    if (start == NULL)
        return g_strdup("unknown");
    return g_strstrip(g_strndup(start + 1, strcspn(start + 1, "\n")));
}

static void put_optional(struct report_visitor *visitor, const char *name, const char *value)
{
    if (value != NULL)
        visitor->text(visitor, name, value, NULL);
}

static void walk_host(struct report_visitor *visitor)
{
    struct utsname name = { .sysname = "unknown" };
    g_autofree char *cpu = cpu_name();

    uname(&name);
    visitor->begin(visitor, "host", false);
    visitor->text(visitor, "name", name.nodename, NULL);
    visitor->text(visitor, "cpu", cpu, NULL);
    visitor->text(visitor, "system", name.sysname, NULL);
    visitor->text(visitor, "kernel", name.release, NULL);
    visitor->text(visitor, "machine", name.machine, NULL);
    visitor->end(visitor, false);
}

static void walk_constant(const struct iov_report_constant *constant,
                          struct report_visitor *visitor)
{
    char buffer[REPORT_NUMBER_SIZE];

    visitor->begin(visitor, NULL, false);
    visitor->text(visitor, "name", constant->name, NULL);
    visitor->number(visitor, "ns", iov_report_ns(buffer, constant->value), "ns", NULL);
    put_optional(visitor, "value", constant->written);
    put_optional(visitor, "source", constant->source);
    put_optional(visitor, "year", constant->year);
    put_optional(visitor, "hardware", constant->hardware);
    put_optional(visitor, "confidence", constant->confidence);
    put_optional(visitor, "note", constant->note);
    put_optional(visitor, "adjusted", constant->adjusted);
    visitor->end(visitor, false);
}

char *iov_report_manifest(const struct iov_report *report)
{
    struct report_json json;
    struct report_visitor *visitor = &json.visitor;
    char buffer[REPORT_NUMBER_SIZE];

    json_init(&json);
    visitor->number(visitor, "iovsim", iov_report_ratio(buffer, IOV_REPORT_FORMAT, 1, 0), "", NULL);
    visitor->text(visitor, "version", report->version, NULL);
    put_optional(visitor, "started", report->started);
    visitor->begin(visitor, "command", true);
    for (unsigned i = 0; report->command != NULL && report->command[i] != NULL; i++)
        visitor->text(visitor, NULL, report->command[i], NULL);
    visitor->end(visitor, true);
    visitor->number(visitor, "seed", iov_report_ratio(buffer, report->seed, 1, 0), "", NULL);
    walk_host(visitor);
    visitor->begin(visitor, "constants", true);
    for (unsigned i = 0; i < report->constant_count; i++)
        walk_constant(&report->constants[i], visitor);
    visitor->end(visitor, true);
    return json_finish(&json);
}
