/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the command line apart by the table of options. */
#include "bindings/qtest/options.h"

#include <string.h>

#include "core/config/diagnostics.h"

enum arity { ALONE, WITH_VALUE };
/* Passed over: accepted, because it changes nothing that is modelled. */
enum use { USED, PASSED_OVER };

static const struct rule {
    const char *name;
    enum arity arity;
    enum use use;
    const char *text;
} rules[] = {
    { "machine", WITH_VALUE, USED, "pc, q35, none, or a file such as ./mine.yaml; -M is the same" },
    { "M", WITH_VALUE, USED, NULL },
    { "m", WITH_VALUE, USED, "size of memory in MiB, or with a unit: 256, 1G" },
    { "smp", WITH_VALUE, USED, "number of processors, whose local APICs are modelled" },
    { "device", WITH_VALUE, USED, "a device with its options; -device help lists them" },
    { "global", WITH_VALUE, USED, "DEVICE.OPTION=VALUE for all devices of a name" },
    { "drive", WITH_VALUE, USED, "file=F,if=none,id=I,format=raw,snapshot=on" },
    { "blockdev", WITH_VALUE, USED, "a block node: driver=file|raw|null-co,node-name=N,..." },
    { "netdev", WITH_VALUE, USED, "dgram, socket,fd=N, hubport or user" },
    { "object", WITH_VALUE, USED, "memory-backend-ram,id=I,size=S" },
    { "rtc", WITH_VALUE, USED, "base=DATE,clock=vm" },
    { "qtest", WITH_VALUE, USED, "unix:PATH or stdio: who drives the machine" },
    { "chardev", WITH_VALUE, USED, "socket,path=P,id=I or stdio,id=I" },
    { "mon", WITH_VALUE, USED, "chardev=I,mode=control: QMP" },
    { "qmp", WITH_VALUE, USED, "unix:PATH or stdio: QMP" },
    { "costs", WITH_VALUE, USED, "a table of costs: hardware then takes its time" },
    { "dump-platform", ALONE, USED, "print the platform as YAML and end" },
    { "S", ALONE, USED, "begin stopped" },
    { "nodefaults", ALONE, PASSED_OVER, "no default devices: there are none anyway" },
    { "qtest-log", WITH_VALUE, PASSED_OVER, NULL },
    { "display", WITH_VALUE, PASSED_OVER, NULL },
    { "accel", WITH_VALUE, PASSED_OVER, NULL },
    { "cpu", WITH_VALUE, PASSED_OVER, NULL },
    { "no-shutdown", ALONE, PASSED_OVER, NULL },
    { "no-reboot", ALONE, PASSED_OVER, NULL },
    { "no-user-config", ALONE, PASSED_OVER, NULL },
    { "nographic", ALONE, PASSED_OVER, NULL },
    { "no-acpi", ALONE, PASSED_OVER, NULL },
    { "no-hpet", ALONE, PASSED_OVER, NULL },
    { "enable-kvm", ALONE, PASSED_OVER, NULL },
    { "vga", WITH_VALUE, PASSED_OVER, NULL },
    { "net", WITH_VALUE, USED, "none: there are no default network cards anyway" },
    { "nic", WITH_VALUE, USED, NULL },
    { "audio", WITH_VALUE, PASSED_OVER, NULL },
    { "audiodev", WITH_VALUE, PASSED_OVER, NULL },
    { "name", WITH_VALUE, PASSED_OVER, NULL },
    { "uuid", WITH_VALUE, PASSED_OVER, NULL },
    { "boot", WITH_VALUE, PASSED_OVER, NULL },
    { "bios", WITH_VALUE, PASSED_OVER, NULL },
    { "serial", WITH_VALUE, PASSED_OVER, NULL },
    { "parallel", WITH_VALUE, PASSED_OVER, NULL },
    { "monitor", WITH_VALUE, PASSED_OVER, NULL },
    { "numa", WITH_VALUE, PASSED_OVER, NULL },
    { "overcommit", WITH_VALUE, PASSED_OVER, NULL },
    { "msg", WITH_VALUE, PASSED_OVER, NULL },
    { "sandbox", WITH_VALUE, PASSED_OVER, NULL },
    { "run-with", WITH_VALUE, PASSED_OVER, NULL },
    { "action", WITH_VALUE, PASSED_OVER, NULL },
    { "smbios", WITH_VALUE, PASSED_OVER, NULL },
    { "trace", WITH_VALUE, PASSED_OVER, NULL },
    { "d", WITH_VALUE, PASSED_OVER, NULL },
    { "D", WITH_VALUE, PASSED_OVER, NULL },
    { "L", WITH_VALUE, PASSED_OVER, NULL },
};

/* ---- One value ---- */

static void pair_clear(void *data)
{
    struct pair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
}

static struct option *option_empty(const char *name, const char *text)
{
    struct option *option = g_new0(struct option, 1);

    option->name = name;
    option->text = g_strdup(text);
    option->pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    g_array_set_clear_func(option->pairs, pair_clear);
    return option;
}

void option_free(void *data)
{
    struct option *option = data;

    if (option == NULL)
        return;
    g_free(option->text);
    g_free(option->head);
    g_array_unref(option->pairs);
    g_free(option);
}

static void option_add(struct option *option, const char *key, const char *value)
{
    struct pair pair = { g_strdup(key), g_strdup(value) };

    g_array_append_val(option->pairs, pair);
}

/* The text up to a single comma; `*text` moves behind it. */
static char *take_piece(const char **text)
{
    GString *piece = g_string_new(NULL);
    const char *c = *text;

    for (; *c != '\0'; c++) {
        if (*c == ',' && *++c != ',')
            break;
        g_string_append_c(piece, *c);
    }
    *text = c;
    return g_string_free(piece, FALSE);
}

static void take_pieces(struct option *option, const char *text)
{
    bool first = true;

    while (*text != '\0') {
        g_autofree char *piece = take_piece(&text);
        char *equals = strchr(piece, '=');

        if (equals != NULL)
            *equals = '\0';
        if (equals == NULL && first)
            option->head = g_strdup(piece);
        else if (piece[0] != '\0')
            option_add(option, piece, equals != NULL ? equals + 1 : "on");
        first = false;
    }
}

/* The depth of JSON is bounded by its parser. */
static bool take_json(struct option *option, const char *prefix, JsonObject *object, GError **error)
{
    JsonObjectIter iter;
    const char *member;
    JsonNode *node;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &member, &node)) {
        g_autofree char *key = g_strconcat(prefix, member, NULL);
        g_autofree char *inner = g_strconcat(key, ".", NULL);

        if (JSON_NODE_HOLDS_OBJECT(node)) {
            if (!take_json(option, inner, json_node_get_object(node), error))
                return false;
        } else if (!JSON_NODE_HOLDS_VALUE(node)) {
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "'%s' wants a single value", key);
            return false;
        } else if (json_node_get_value_type(node) == G_TYPE_STRING) {
            option_add(option, key, json_node_get_string(node));
        } else if (json_node_get_value_type(node) == G_TYPE_BOOLEAN) {
            option_add(option, key, json_node_get_boolean(node) ? "on" : "off");
        } else {
            g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));

            option_add(option, key, number);
        }
    }
    return true;
}

struct option *option_from_json(const char *name, JsonObject *object, GError **error)
{
    struct option *option = option_empty(name, name);

    if (take_json(option, "", object, error))
        return option;
    option_free(option);
    return NULL;
}

struct option *option_new(const char *name, const char *text, GError **error)
{
    struct option *option;

    if (text[0] == '{') {
        g_autoptr(JsonParser) parser = json_parser_new();
        JsonNode *root;

        if (!json_parser_load_from_data(parser, text, -1, error)) {
            g_prefix_error(error, "-%s: ", name);
            return NULL;
        }
        root = json_parser_get_root(parser);
        if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "-%s wants a JSON object", name);
            return NULL;
        }
        option = option_from_json(name, json_node_get_object(root), error);
        if (option != NULL) {
            g_free(option->text);
            option->text = g_strdup(text);
        }
        return option;
    }
    option = option_empty(name, text);
    take_pieces(option, text);
    return option;
}

const char *option_get(const struct option *option, const char *key)
{
    for (guint i = option->pairs->len; i-- > 0;) {
        const struct pair *pair = &g_array_index(option->pairs, struct pair, i);

        if (strcmp(pair->key, key) == 0)
            return pair->value;
    }
    return NULL;
}

bool option_boolean(const char *text, bool *ret_value)
{
    static const char *const yes[] = { "on", "yes", "true", "y", "1", NULL };
    static const char *const no[] = { "off", "no", "false", "n", "0", NULL };

    if (g_strv_contains(yes, text))
        *ret_value = true;
    else if (g_strv_contains(no, text))
        *ret_value = false;
    else
        return false;
    return true;
}

bool option_size(const char *text, guint64 unit, guint64 *ret_bytes)
{
    static const char units[] = "bkmgtp";
    char *end;
    guint64 number = g_ascii_strtoull(text, &end, 0);
    guint64 bytes;

    if (end == text || text[0] == '-')
        return false;
    if (*end != '\0') {
        const char *letter = strchr(units, g_ascii_tolower(*end));

        if (letter == NULL || end[1] != '\0')
            return false;
        unit = UINT64_C(1) << (10 * (letter - units));
    }
    if (__builtin_mul_overflow(number, unit, &bytes))
        return false;
    *ret_bytes = bytes;
    return true;
}

/* ---- The line ---- */

static const struct rule *rule_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    }
    return NULL;
}

static bool unknown(const char *word, GError **error)
{
    const char *names[G_N_ELEMENTS(rules) + 1] = { NULL };
    const char *near;

    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++)
        names[i] = rules[i].name;
    near = word[0] == '-' ? iov_suggest(word + 1, names) : NULL;
    if (near != NULL)
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "there is no option '%s'; did you mean '-%s'?", word, near);
    else
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "there is no option '%s'; see --help",
                    word);
    return false;
}

bool options_parse(struct options *options, int argc, char **argv, GError **error)
{
    *options = (struct options){ .list = g_ptr_array_new_with_free_func(option_free) };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i] + (argv[i][0] == '-') + g_str_has_prefix(argv[i], "--");
        const struct rule *rule = argv[i][0] == '-' ? rule_find(name) : NULL;
        const char *text = "";
        struct option *option;

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            strcmp(argv[i], "-help") == 0) {
            options->help = true;
            continue;
        }
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-version") == 0) {
            options->version = true;
            continue;
        }
        if (rule == NULL)
            return unknown(argv[i], error);
        if (rule->arity == WITH_VALUE && ++i == argc) {
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "option '-%s' wants a value",
                        rule->name);
            return false;
        }
        if (rule->arity == WITH_VALUE)
            text = argv[i];
        if (rule->use == PASSED_OVER)
            continue;
        option = option_new(strcmp(rule->name, "M") == 0 ? "machine" : rule->name, text, error);
        if (option == NULL)
            return false;
        g_ptr_array_add(options->list, option);
    }
    return true;
}

void options_clear(struct options *options)
{
    if (options->list != NULL)
        g_ptr_array_unref(options->list);
    options->list = NULL;
}

const struct option *options_last(const struct options *options, const char *name)
{
    for (guint i = options->list->len; i-- > 0;) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

char *options_help(void)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i].text != NULL)
            g_string_append_printf(text, "  -%-14s %s\n", rules[i].name, rules[i].text);
    }
    g_string_append(text, "Accepted, without effect:");
    for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i].use == PASSED_OVER)
            g_string_append_printf(text, " -%s", rules[i].name);
    }
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}
