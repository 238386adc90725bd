/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON Schema (draft 2020-12) of run files, for editors: the keys of the format and, for each
 * kind, its properties with their texts, defaults and choices. LIMIT: ranges, references and wires
 * are checked by the loader only.
 */
#include <json-glib/json-glib.h>
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"

/* What may stand for any value. */
#define PARAMETER "\\$\\{[^}]+\\}"

static void member(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value);
}

static void begin(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_object(json);
}

static void end(JsonBuilder *json)
{
    json_builder_end_object(json);
}

static void list(JsonBuilder *json, const char *name, const char *const *values)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_array(json);
    for (; *values != NULL; values++)
        json_builder_add_string_value(json, *values);
    json_builder_end_array(json);
}

/* A key of the format with the JSON types it may have. */
static void key(JsonBuilder *json, const char *name, const char *const *types, const char *text)
{
    begin(json, name);
    list(json, "type", types);
    member(json, "description", text);
    end(json);
}
#define key(json, name, text, ...) key(json, name, (const char *const[]){ __VA_ARGS__, NULL }, text)

static const char *units_of(enum iov_dimension dimension)
{
    switch (dimension) {
    case IOV_DIMENSION_TIME:
        return "(ps|ns|us|ms|s|cycles)";
    case IOV_DIMENSION_SIZE:
        return "([KMGT]i|[kMGT])?B";
    case IOV_DIMENSION_FREQUENCY:
        return "[kMG]?Hz";
    case IOV_DIMENSION_RATE:
        return "([kMGT]?bps|[kMG]?B/s)";
    default:
        return "";
    }
}

static void add_number(JsonBuilder *json, const struct iov_property *row,
                       enum iov_dimension dimension)
{
    static const char *const types[] = { "string", "integer", NULL };
    char *pattern =
        dimension == IOV_DIMENSION_COUNT
            ? g_strdup("^([0-9]+|0x[0-9a-fA-F]+|" PARAMETER ")$")
            : g_strdup_printf("^(0|[0-9]+(\\.[0-9]+)? ?%s%s%s|" PARAMETER ")$", units_of(dimension),
                              row->word != NULL ? "|" : "", row->word != NULL ? row->word : "");
    char *standard = row->word != NULL && row->standard == 0
                         ? g_strdup(row->word)
                         : iov_quantity_format(dimension, row->standard);
    char *lowest = iov_quantity_format(dimension, row->lowest);
    char *highest = iov_quantity_format(dimension, row->highest);
    char *comment = g_strdup_printf("from %s to %s", lowest, highest);

    list(json, "type", types);
    member(json, "pattern", pattern);
    if (row->type != IOV_VALUE_COUNT_LIST)
        member(json, "default", standard);
    member(json, "$comment", comment);
    g_free(comment);
    g_free(highest);
    g_free(lowest);
    g_free(standard);
    g_free(pattern);
}

/* What one value of a row looks like; lists are this or an array of this. */
static void add_value(JsonBuilder *json, const struct iov_property *row)
{
    static const char *const truth[] = { "string", "boolean", NULL };
    static const char *const text[] = { "string", "number", "boolean", NULL };

    switch (row->type) {
    case IOV_VALUE_BOOL:
        list(json, "type", truth);
        member(json, "pattern", "^(on|off|yes|no|true|false|" PARAMETER ")$");
        member(json, "default", row->standard != 0 ? "on" : "off");
        break;
    case IOV_VALUE_ENUM:
        json_builder_set_member_name(json, "anyOf");
        json_builder_begin_array(json);
        json_builder_begin_object(json);
        list(json, "enum", row->choices);
        end(json);
        json_builder_begin_object(json);
        member(json, "pattern", "^" PARAMETER "$");
        end(json);
        json_builder_end_array(json);
        member(json, "default", row->choices[row->standard]);
        break;
    case IOV_VALUE_STRING:
        list(json, "type", text);
        if (row->standard_text != NULL)
            member(json, "default", row->standard_text);
        break;
    case IOV_VALUE_REF:
    case IOV_VALUE_REF_LIST:
        member(json, "type", "string");
        break;
    case IOV_VALUE_TIME:
        add_number(json, row, IOV_DIMENSION_TIME);
        break;
    case IOV_VALUE_SIZE:
        add_number(json, row, IOV_DIMENSION_SIZE);
        break;
    case IOV_VALUE_FREQUENCY:
        add_number(json, row, IOV_DIMENSION_FREQUENCY);
        break;
    case IOV_VALUE_RATE:
        add_number(json, row, IOV_DIMENSION_RATE);
        break;
    case IOV_VALUE_COUNT:
    case IOV_VALUE_COUNT_LIST:
        add_number(json, row, IOV_DIMENSION_COUNT);
        break;
    }
}

static void add_property(JsonBuilder *json, const struct iov_property *row)
{
    begin(json, row->name);
    member(json, "description", row->text);
    if (row->type != IOV_VALUE_REF_LIST && row->type != IOV_VALUE_COUNT_LIST) {
        add_value(json, row);
    } else {
        json_builder_set_member_name(json, "anyOf");
        json_builder_begin_array(json);
        json_builder_begin_object(json);
        add_value(json, row);
        end(json);
        json_builder_begin_object(json);
        member(json, "type", "array");
        begin(json, "items");
        add_value(json, row);
        end(json);
        end(json);
        json_builder_end_array(json);
    }
    end(json);
}

static void add_kind(JsonBuilder *json, const struct iov_model_info *info)
{
    static const char *const truth[] = { "vm", "machine", NULL };

    begin(json, info->kind);
    member(json, "type", "object");
    member(json, "description", info->text);
    begin(json, "properties");
    begin(json, "kind");
    member(json, "const", info->kind);
    end(json);
    begin(json, "per");
    list(json, "enum", truth);
    end(json);
    begin(json, "name");
    member(json, "type", "string");
    end(json);
    begin(json, "count"); /* of VMs */
    end(json);
    for (guint i = 0; i < info->properties->len; i++)
        add_property(json, &g_array_index(info->properties, struct iov_property, i));
    end(json);
    json_builder_set_member_name(json, "additionalProperties");
    json_builder_add_boolean_value(json, FALSE);
    end(json);
}

/* Something with a kind: if the kind is this, then what this kind's definition says. Without a kind
 * anything may be overridden. */
static void add_part_rule(JsonBuilder *json, char *const *kinds)
{
    static const char *const types[] = { "object", "null", NULL };
    static const char *const required[] = { "kind", NULL };

    begin(json, "part");
    list(json, "type", types);
    begin(json, "properties");
    begin(json, "kind");
    list(json, "enum", (const char *const *)kinds);
    end(json);
    end(json);
    json_builder_set_member_name(json, "allOf");
    json_builder_begin_array(json);
    for (; *kinds != NULL; kinds++) {
        char *reference = g_strdup_printf("#/$defs/kinds/%s", *kinds);
        json_builder_begin_object(json);
        begin(json, "if");
        begin(json, "properties");
        begin(json, "kind");
        member(json, "const", *kinds);
        end(json);
        end(json);
        list(json, "required", required);
        end(json);
        begin(json, "then");
        member(json, "$ref", reference);
        end(json);
        end(json);
        g_free(reference);
    }
    json_builder_end_array(json);
    end(json);
}

static void add_definitions(JsonBuilder *json)
{
    char **kinds = iov_kind_list();

    begin(json, "$defs");
    add_part_rule(json, kinds);
    begin(json, "kinds");
    for (char **kind = kinds; *kind != NULL; kind++)
        add_kind(json, iov_kind_info(*kind));
    end(json);
    end(json);
    g_strfreev(kinds);
}

static void add_part_reference(JsonBuilder *json, const char *name, const char *text)
{
    begin(json, name);
    member(json, "$ref", "#/$defs/part");
    member(json, "description", text);
    end(json);
}

static void add_wires(JsonBuilder *json)
{
    static const char *const required[] = { "from", "to", NULL };

    begin(json, "wires");
    member(json, "type", "array");
    member(json, "description", "What is connected to what");
    begin(json, "items");
    member(json, "type", "object");
    list(json, "required", required);
    begin(json, "properties");
    key(json, "from", "part.port", "string");
    key(json, "to", "part.port", "string");
    key(json, "at", "Base address in a map, or index in an array of ports", "string", "integer");
    end(json);
    json_builder_set_member_name(json, "additionalProperties");
    json_builder_add_boolean_value(json, FALSE);
    end(json);
    end(json);
}

static void add_keys(JsonBuilder *json)
{
    begin(json, "properties");
    begin(json, "iovsim");
    json_builder_set_member_name(json, "const");
    json_builder_add_int_value(json, 1);
    member(json, "description", "Version of the format; the first key");
    end(json);
    key(json, "include", "Files below this one; mappings are merged, wires are added", "string",
        "array");
    key(json, "extends", "One file below this one; mappings are merged, lists replaced", "string");
    key(json, "resolved", "Written by the program: everything is in this file", "string",
        "boolean");
    key(json, "title", "One line for people", "string");
    key(json, "strategy",
        "How the guest gets its I/O: a file of platforms/strategies without .yaml", "string");
    key(json, "hypervisor", "A word for the report", "string");
    key(json, "seed", "Of all random streams", "integer", "string");
    key(json, "stop", "Simulated time at which the run ends at the latest, such as 10s", "string");
    key(json, "frequency", "How long a cycle of a cost is, such as 2.4GHz", "string");
    key(json, "parameters", "Values for ${name}", "object", "null");
    key(json, "costs", "Cost files, or a mapping of names to costs", "string", "array", "object");
    key(json, "describe", "Facts about a strategy for people", "object", "null");
    begin(json, "parts");
    member(json, "type", "object");
    member(json, "description", "Names to parts");
    begin(json, "additionalProperties");
    member(json, "$ref", "#/$defs/part");
    end(json);
    end(json);
    add_wires(json);
    add_part_reference(json, "vm", "What all VMs share");
    begin(json, "vms");
    member(json, "type", "array");
    begin(json, "items");
    member(json, "$ref", "#/$defs/part");
    end(json);
    end(json);
    add_part_reference(json, "guest", "The software of each VM");
    add_part_reference(json, "workload", "What each VM does");
    end(json);
}

char *iov_schema_json(void)
{
    static const char *const required[] = { "iovsim", NULL };
    JsonBuilder *json = json_builder_new();
    JsonGenerator *generator = json_generator_new();

    json_builder_begin_object(json);
    member(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    member(json, "title", "iovsim run file");
    member(json, "type", "object");
    list(json, "required", required);
    add_keys(json);
    begin(json, "patternProperties");
    begin(json, "^x-");
    end(json);
    end(json);
    json_builder_set_member_name(json, "additionalProperties");
    json_builder_add_boolean_value(json, FALSE);
    add_definitions(json);
    end(json);

    JsonNode *root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    char *text = json_generator_to_data(generator, NULL);
    json_node_unref(root);
    g_object_unref(generator);
    g_object_unref(json);
    return text;
}
