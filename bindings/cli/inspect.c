/* SPDX-License-Identifier: Apache-2.0 */
/* `iovsim inspect`: the kinds and their rows, as a table for people or as JSON for programs. */
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "bindings/cli/cli-private.h"
#include "core/config/diagnostics.h"
#include "core/config/quantity.h"
#include "core/object/model.h"

static const char *const value_types[] = { "time",      "size",       "frequency", "rate",
                                           "count",     "bool",       "choice",    "string",
                                           "reference", "references", "numbers" };
static const char *const port_types[] = { "mem", "irq",       "packet", "block",   "notify",
                                          "pci", "processor", "apic",   "program", "foreign" };
static const char *const port_roles[] = { "target", "initiator", "end" };
static const char *const stat_units[] = { "", "ps", "B", "ps (histogram)" };

/* A number of a row in the unit of its type. */
static char *format_number(enum iov_value_type type, uint64_t value)
{
    static const enum iov_dimension dimensions[] = { IOV_DIMENSION_TIME, IOV_DIMENSION_SIZE,
                                                     IOV_DIMENSION_FREQUENCY, IOV_DIMENSION_RATE,
                                                     IOV_DIMENSION_COUNT };

    return iov_quantity_format(dimensions[type], value);
}

static char *format_default(const struct iov_property *row)
{
    if (row->required)
        return g_strdup("(required)");
    switch (row->type) {
    case IOV_VALUE_BOOL:
        return g_strdup(row->standard ? "on" : "off");
    case IOV_VALUE_ENUM:
        return g_strdup(row->choices[row->standard]);
    case IOV_VALUE_STRING:
        return g_strdup(row->standard_text);
    case IOV_VALUE_REF:
    case IOV_VALUE_REF_LIST:
    case IOV_VALUE_COUNT_LIST:
        return g_strdup("-");
    default:
        return row->word != NULL && row->standard == 0 ? g_strdup(row->word)
                                                       : format_number(row->type, row->standard);
    }
}

static char *format_range(const struct iov_property *row)
{
    g_autofree char *low = NULL, *high = NULL;

    switch (row->type) {
    case IOV_VALUE_BOOL:
        return g_strdup("on, off");
    case IOV_VALUE_ENUM:
        return g_strjoinv(", ", (char **)(uintptr_t)row->choices);
    case IOV_VALUE_STRING:
        return g_strdup("");
    case IOV_VALUE_REF:
    case IOV_VALUE_REF_LIST:
        return g_strdup_printf("of kind %s", row->kind != NULL ? row->kind : "any");
    case IOV_VALUE_COUNT_LIST:
        return g_strdup_printf("each %" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT, row->lowest,
                               row->highest);
    default:
        low = format_number(row->type, row->lowest);
        high = format_number(row->type, row->highest);
        return row->word != NULL ? g_strdup_printf("%s, %s..%s", row->word, low, high)
                                 : g_strdup_printf("%s..%s", low, high);
    }
}

static void print_kind(const struct iov_model_info *info)
{
    printf("%s: %s\n", info->kind, info->text);
    if (info->properties->len > 0)
        puts("\nproperties");
    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);
        g_autofree char *standard = format_default(row), *range = format_range(row);

        printf("  %-29s %-10s %-18s %-28s %s\n", row->name, value_types[row->type], standard, range,
               row->text);
    }
    if (info->costs->len > 0)
        puts("\ncosts (from the cost table)");
    for (unsigned i = 0; i < info->costs->len; i++) {
        const struct iov_cost *row = &g_array_index(info->costs, struct iov_cost, i);

        printf("  %-35s %s\n", row->name, row->text);
    }
    if (info->ports->len > 0)
        puts("\nports");
    for (unsigned i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);
        g_autofree char *places =
            row->count > 1 ? g_strdup_printf("[%u]", row->count) : g_strdup("");

        printf("  %-24s %-10s %-10s %-6s %s%s\n", row->name, port_types[row->type],
               port_roles[row->role], places, row->text,
               row->flags & IOV_PORT_REQUIRED ? " (must be wired)" : "");
    }
    if (info->stats->len > 0)
        puts("\nstatistics");
    for (unsigned i = 0; i < info->stats->len; i++) {
        const struct iov_stat *row = &g_array_index(info->stats, struct iov_stat, i);

        printf("  %-24s %-14s %s\n", row->name, stat_units[row->type], row->text);
    }
}

static void member(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, value);
}

static void begin_list(JsonBuilder *builder, const char *name)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
}

static void build_kind(JsonBuilder *builder, const struct iov_model_info *info)
{
    json_builder_begin_object(builder);
    member(builder, "kind", info->kind);
    member(builder, "text", info->text);
    begin_list(builder, "properties");
    for (unsigned i = 0; i < info->properties->len; i++) {
        const struct iov_property *row = &g_array_index(info->properties, struct iov_property, i);
        g_autofree char *standard = format_default(row), *range = format_range(row);

        json_builder_begin_object(builder);
        member(builder, "name", row->name);
        member(builder, "type", value_types[row->type]);
        member(builder, "default", standard);
        member(builder, "range", range);
        member(builder, "text", row->text);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    begin_list(builder, "costs");
    for (unsigned i = 0; i < info->costs->len; i++) {
        const struct iov_cost *row = &g_array_index(info->costs, struct iov_cost, i);

        json_builder_begin_object(builder);
        member(builder, "name", row->name);
        member(builder, "text", row->text);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    begin_list(builder, "ports");
    for (unsigned i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);

        json_builder_begin_object(builder);
        member(builder, "name", row->name);
        member(builder, "type", port_types[row->type]);
        member(builder, "role", port_roles[row->role]);
        json_builder_set_member_name(builder, "places");
        json_builder_add_int_value(builder, row->count);
        member(builder, "text", row->text);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    begin_list(builder, "statistics");
    for (unsigned i = 0; i < info->stats->len; i++) {
        const struct iov_stat *row = &g_array_index(info->stats, struct iov_stat, i);

        json_builder_begin_object(builder);
        member(builder, "name", row->name);
        member(builder, "unit", stat_units[row->type]);
        member(builder, "text", row->text);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
    json_builder_end_object(builder);
}

static void print_json(char **kinds)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_begin_array(builder);
    for (unsigned i = 0; kinds[i] != NULL; i++)
        build_kind(builder, iov_kind_info(kinds[i]));
    json_builder_end_array(builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, TRUE);
    puts(text);
}

int command_inspect(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_auto(GStrv) kinds = NULL;

    if (!parse_options(
            &argc, &argv, "[KIND]",
            "Lists the kinds, or describes one: properties, costs, ports, statistics.",
            "Examples:\n  iovsim inspect\n  iovsim inspect e1000\n  iovsim inspect --json",
            entries))
        return STATUS_USAGE;
    if (argc > 2)
        return usage_error("inspect takes one kind at most");
    kinds = iov_kind_list();
    if (argc == 2 && !g_strv_contains((const char *const *)kinds, argv[1])) {
        const char *near = iov_suggest(argv[1], (const char *const *)kinds);

        if (near != NULL)
            return usage_error("there is no kind '%s'; did you mean '%s'?", argv[1], near);
        return usage_error("there is no kind '%s'; 'iovsim inspect' lists them", argv[1]);
    }
    if (as_json) {
        char *one[] = { argc == 2 ? argv[1] : NULL, NULL };

        print_json(argc == 2 ? one : kinds);
    } else if (argc == 2) {
        print_kind(iov_kind_info(argv[1]));
    } else {
        for (unsigned i = 0; kinds[i] != NULL; i++)
            printf("%-18s %s\n", kinds[i], iov_kind_info(kinds[i])->text);
    }
    return STATUS_OK;
}
