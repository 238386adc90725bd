/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QMP, as much of it as tests use: JSON objects in, one answer each, events in between. A table
 * maps commands to functions. What is not known, and what is not even JSON, gets an error object.
 */
#include <string.h>

#include "bindings/qtest/announce.h"
#include "bindings/qtest/build.h"
#include "bindings/qtest/session.h"

#define DEPTH_MAX 64
#define OBJECT_MAX ((gsize)16 << 20)

struct call {
    struct session *session;
    JsonObject *arguments; /* never NULL */
    JsonNode *result;      /* NULL: an empty object */
    GError *error;
    const char *error_class; /* NULL: GenericError */
};

typedef void call_fn(struct call *call);

/* ---- Out ---- */

static void send_object(struct session *session, JsonObject *object)
{
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);
    g_autofree char *text = json_to_string(node, FALSE);

    g_string_append(session->messages, text);
    g_string_append(session->messages, "\r\n");
    json_object_unref(object);
}

static void add_version(JsonObject *object)
{
    JsonObject *version = json_object_new(), *numbers = json_object_new();

    json_object_set_int_member(numbers, "major", 7);
    json_object_set_int_member(numbers, "minor", 2);
    json_object_set_int_member(numbers, "micro", 0);
    json_object_set_object_member(version, "qemu", numbers); /* the member that programs look for */
    json_object_set_string_member(version, "package", "iovsim");
    json_object_set_object_member(object, "version", version);
}

void qmp_greet(struct session *session)
{
    JsonObject *greeting = json_object_new(), *inner = json_object_new();

    add_version(inner);
    json_object_set_array_member(inner, "capabilities", json_array_new());
    json_object_set_object_member(greeting, "QMP", inner);
    send_object(session, greeting);
}

void qmp_event(struct session *session, const char *name, JsonObject *data)
{
    JsonObject *event = json_object_new(), *stamp = json_object_new();
    guint64 now = machine_now(session->machine);

    if (!session->negotiated) {
        if (data != NULL)
            json_object_unref(data);
        json_object_unref(event);
        json_object_unref(stamp);
        return;
    }
    json_object_set_int_member(stamp, "seconds", (gint64)(now / 1000000000));
    json_object_set_int_member(stamp, "microseconds", (gint64)(now / 1000 % 1000000));
    json_object_set_string_member(event, "event", name);
    if (data != NULL)
        json_object_set_object_member(event, "data", data);
    json_object_set_object_member(event, "timestamp", stamp);
    send_object(session, event);
}

static void send_error(struct session *session, JsonNode *id, const char *class, const char *text)
{
    JsonObject *answer = json_object_new(), *error = json_object_new();

    json_object_set_string_member(error, "class", class != NULL ? class : "GenericError");
    json_object_set_string_member(error, "desc", text);
    json_object_set_object_member(answer, "error", error);
    if (id != NULL)
        json_object_set_member(answer, "id", json_node_copy(id));
    send_object(session, answer);
}

/* ---- Arguments and results ---- */

static const char *text_argument(const struct call *call, const char *name)
{
    JsonNode *node = json_object_get_member(call->arguments, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                   json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

static const char *need_text(struct call *call, const char *name)
{
    const char *text = text_argument(call, name);

    if (text == NULL)
        refuse(&call->error, "Parameter '%s' is missing", name);
    return text;
}

/* A number that is not negative; `standard` if it is missing. */
static guint64 number_argument(const struct call *call, const char *name, guint64 standard)
{
    JsonNode *node = json_object_get_member(call->arguments, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) &&
                   json_node_get_value_type(node) == G_TYPE_INT64 && json_node_get_int(node) >= 0
               ? (guint64)json_node_get_int(node)
               : standard;
}

static void result_take_array(struct call *call, JsonArray *array)
{
    call->result = json_node_init_array(json_node_alloc(), array);
    json_array_unref(array);
}

static void result_take_object(struct call *call, JsonObject *object)
{
    call->result = json_node_init_object(json_node_alloc(), object);
    json_object_unref(object);
}

/* ---- What there is ---- */

static void do_capabilities(struct call *call)
{
    call->session->negotiated = true;
}

static void do_query_version(struct call *call)
{
    JsonObject *inner = json_object_new();

    add_version(inner);
    result_take_object(call, json_object_ref(json_object_get_object_member(inner, "version")));
    json_object_unref(inner);
}

static void do_query_machines(struct call *call)
{
    JsonArray *list = json_array_new();
    const struct machine_row *row;

    for (unsigned i = 0; (row = machine_row_at(i)) != NULL; i++) {
        JsonObject *machine = json_object_new();

        json_object_set_string_member(machine, "name", row->name);
        if (row->alias != NULL)
            json_object_set_string_member(machine, "alias", row->alias);
        if (row->is_default)
            json_object_set_boolean_member(machine, "is-default", TRUE);
        json_object_set_int_member(machine, "cpu-max", row->pci ? 255 : 1);
        json_object_set_boolean_member(machine, "hotpluggable-cpus", FALSE);
        json_object_set_boolean_member(machine, "numa-mem-supported", FALSE);
        json_object_set_boolean_member(machine, "deprecated", FALSE);
        if (row->pci)
            json_object_set_string_member(machine, "default-ram-id", "pc.ram");
        json_array_add_object_element(list, machine);
    }
    result_take_array(call, list);
}

static bool is_abstract(const struct device_row *row)
{
    return row->flags & DEVICE_LISTED;
}

static void do_qom_list_types(struct call *call)
{
    const char *implements = text_argument(call, "implements");
    bool abstract = !json_object_has_member(call->arguments, "abstract") ||
                    json_object_get_boolean_member_with_default(call->arguments, "abstract", TRUE);
    JsonArray *list = json_array_new();
    const struct device_row *row;

    for (unsigned i = 0; (row = device_row_at(i)) != NULL; i++) {
        JsonObject *type;

        /* Who asks wants to try what there is: a configuration space alone is not enough. */
        if (g_strcmp0(row->kind, "stand-in") == 0)
            continue;
        if ((implements != NULL && !device_row_is(row, implements)) ||
            (is_abstract(row) && !abstract))
            continue;
        type = json_object_new();
        json_object_set_string_member(type, "name", row->name);
        if (row->parent != NULL)
            json_object_set_string_member(type, "parent", row->parent);
        if (is_abstract(row))
            json_object_set_boolean_member(type, "abstract", TRUE);
        json_array_add_object_element(list, type);
    }
    result_take_array(call, list);
}

static void add_property(JsonArray *list, const char *name)
{
    JsonObject *property = json_object_new();

    json_object_set_string_member(property, "name", name);
    json_object_set_string_member(property, "type", "str");
    json_array_add_object_element(list, property);
}

static void do_device_list_properties(struct call *call)
{
    const char *name = need_text(call, "typename");
    const struct device_row *row = name != NULL ? device_row_find(name) : NULL;
    JsonArray *list;

    if (name == NULL)
        return;
    if (row == NULL || is_abstract(row)) {
        call->error_class = row == NULL ? "DeviceNotFound" : NULL;
        refuse(&call->error, "Device '%s' not found", name);
        return;
    }
    list = json_array_new();
    for (const struct key_row *key = row->keys; key != NULL && key->key != NULL; key++)
        add_property(list, key->key);
    if (row->flags & DEVICE_PCI)
        add_property(list, "addr");
    if (row->flags & DEVICE_NETWORK)
        add_property(list, "netdev");
    if (row->flags & DEVICE_BLOCK)
        add_property(list, "drive");
    result_take_array(call, list);
}

static void do_query_target(struct call *call)
{
    JsonObject *target = json_object_new();

    json_object_set_string_member(target, "arch", "x86_64");
    result_take_object(call, target);
}

/* ---- Running ---- */

static void do_query_status(struct call *call)
{
    JsonObject *status = json_object_new();

    json_object_set_string_member(status, "status", call->session->stopped ? "paused" : "running");
    json_object_set_boolean_member(status, "singlestep", FALSE);
    json_object_set_boolean_member(status, "running", !call->session->stopped);
    result_take_object(call, status);
}

static void do_stop(struct call *call)
{
    if (!call->session->stopped)
        qmp_event(call->session, "STOP", NULL);
    call->session->stopped = true;
}

static void do_cont(struct call *call)
{
    if (call->session->stopped)
        qmp_event(call->session, "RESUME", NULL);
    call->session->stopped = false;
}

static JsonObject *by_host(const char *reason)
{
    JsonObject *data = json_object_new();

    json_object_set_boolean_member(data, "guest", FALSE);
    json_object_set_string_member(data, "reason", reason);
    return data;
}

static void do_system_reset(struct call *call)
{
    machine_reset(call->session->machine);
    qmp_event(call->session, "RESET", by_host("host-qmp-system-reset"));
}

static void do_quit(struct call *call)
{
    qmp_event(call->session, "SHUTDOWN", by_host("host-qmp-quit"));
    call->session->quit = true;
}

static void do_announce_self(struct call *call)
{
    struct announcement announcement = {
        .initial = number_argument(call, "initial", 50),
        .max = number_argument(call, "max", 550),
        .rounds = number_argument(call, "rounds", 5),
        .step = number_argument(call, "step", 100),
    };

    announce_begin(call->session->announce, &announcement);
}

static void do_human_monitor(struct call *call)
{
    const char *line = need_text(call, "command-line");
    g_autofree char *text = line != NULL ? monitor_execute(call->session, line) : NULL;

    if (text == NULL)
        return;
    call->result = json_node_init_string(json_node_alloc(), text);
}

/* ---- Devices ---- */

static bool device_ready(void *context, struct device *device, GError **error)
{
    struct session *session = context;

    return machine_join_drive(session->machine, device, error) &&
           netdevs_join(session->netdevs, session->machine, device, error);
}

static void do_device_add(struct call *call)
{
    struct option *option = option_from_json("device_add", call->arguments, &call->error);

    if (option != NULL)
        machine_plug(call->session->machine, option, device_ready, call->session, &call->error);
    option_free(option);
}

static void set_path(JsonObject *data, const char *name)
{
    g_autofree char *path = g_strconcat("/machine/peripheral/", name, NULL);

    json_object_set_string_member(data, "path", path);
}

/* No guest runs that would have to agree. */
static void do_device_del(struct call *call)
{
    const char *id = need_text(call, "id");
    const char *name = id != NULL && strrchr(id, '/') != NULL ? strrchr(id, '/') + 1 : id;
    struct device *device = name != NULL ? machine_device(call->session->machine, name) : NULL;
    JsonObject *data;

    if (id == NULL)
        return;
    if (device == NULL) {
        call->error_class = "DeviceNotFound";
        refuse(&call->error, "Device '%s' not found", id);
        return;
    }
    if (!(device->row->flags & DEVICE_PCI) && device->part != NULL) {
        refuse(&call->error, "Device '%s' cannot be unplugged", id);
        return;
    }
    data = json_object_new();
    json_object_set_string_member(data, "device", name);
    set_path(data, name);
    netdevs_leave(call->session->netdevs, device);
    machine_unplug(call->session->machine, device);
    qmp_event(call->session, "DEVICE_DELETED", data);
}

static void do_netdev_add(struct call *call)
{
    struct option *option = option_from_json("netdev_add", call->arguments, &call->error);

    if (option != NULL)
        netdevs_add(call->session->netdevs, option, &call->error);
    option_free(option);
}

static void do_netdev_del(struct call *call)
{
    const char *id = need_text(call, "id");

    if (id != NULL)
        netdevs_remove(call->session->netdevs, id, &call->error);
}

static void do_blockdev_add(struct call *call)
{
    struct option *option = option_from_json("blockdev", call->arguments, &call->error);

    if (option != NULL)
        machine_add_drive(call->session->machine, option, &call->error);
    option_free(option);
}

static void do_block_resize(struct call *call)
{
    const char *name = text_argument(call, "node-name");

    if (name == NULL)
        name = text_argument(call, "device");
    if (name == NULL || !json_object_has_member(call->arguments, "size"))
        refuse(&call->error, "'device' or 'node-name', and 'size' are wanted");
    else
        machine_resize_drive(call->session->machine, name,
                             number_argument(call, "size", UINT64_MAX), &call->error);
}

/* ---- The table ---- */

static call_fn do_query_commands;

static const struct call_row {
    const char *name;
    call_fn *run;
} rows[] = {
    { "qmp_capabilities", do_capabilities },
    { "query-version", do_query_version },
    { "query-commands", do_query_commands },
    { "query-machines", do_query_machines },
    { "query-target", do_query_target },
    { "query-status", do_query_status },
    { "qom-list-types", do_qom_list_types },
    { "device-list-properties", do_device_list_properties },
    { "system_reset", do_system_reset },
    { "stop", do_stop },
    { "cont", do_cont },
    { "quit", do_quit },
    { "device_add", do_device_add },
    { "device_del", do_device_del },
    { "netdev_add", do_netdev_add },
    { "netdev_del", do_netdev_del },
    { "blockdev-add", do_blockdev_add },
    { "block_resize", do_block_resize },
    { "announce-self", do_announce_self },
    { "human-monitor-command", do_human_monitor },
};

static void do_query_commands(struct call *call)
{
    JsonArray *list = json_array_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        JsonObject *command = json_object_new();

        json_object_set_string_member(command, "name", rows[i].name);
        json_array_add_object_element(list, command);
    }
    result_take_array(call, list);
}

static const struct call_row *row_find(const struct session *session, const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].name, name) == 0)
            return session->negotiated == (rows[i].run != do_capabilities) ? &rows[i] : NULL;
    }
    return NULL;
}

/* Events that a command causes come before its answer, those of `quit` too. */
static void run(struct session *session, const struct call_row *row, JsonObject *arguments,
                JsonNode *id)
{
    struct call call = { .session = session, .arguments = arguments };
    JsonObject *answer;

    row->run(&call);
    machine_settle(session->machine);
    if (call.error != NULL) {
        send_error(session, id, call.error_class, call.error->message);
        g_error_free(call.error);
        g_clear_pointer(&call.result, json_node_unref);
        return;
    }
    answer = json_object_new();
    if (call.result != NULL)
        json_object_set_member(answer, "return", call.result);
    else
        json_object_set_object_member(answer, "return", json_object_new());
    if (id != NULL)
        json_object_set_member(answer, "id", json_node_copy(id));
    send_object(session, answer);
}

static void execute(struct session *session, JsonObject *object)
{
    JsonNode *name = json_object_get_member(object, "execute");
    JsonNode *arguments = json_object_get_member(object, "arguments");
    JsonNode *id = json_object_get_member(object, "id");
    g_autoptr(JsonObject) nothing = json_object_new();
    const struct call_row *row;
    g_autofree char *text = NULL;

    if (name == NULL || !JSON_NODE_HOLDS_VALUE(name) ||
        json_node_get_value_type(name) != G_TYPE_STRING) {
        send_error(session, id, NULL, "QMP input lacks member 'execute'");
        return;
    }
    if (arguments != NULL && !JSON_NODE_HOLDS_OBJECT(arguments)) {
        send_error(session, id, NULL, "QMP input member 'arguments' must be an object");
        return;
    }
    row = row_find(session, json_node_get_string(name));
    if (row != NULL) {
        run(session, row, arguments != NULL ? json_node_get_object(arguments) : nothing, id);
        return;
    }
    text = g_strdup_printf("The command %.64s has not been found%s", json_node_get_string(name),
                           session->negotiated ? "" : "; say qmp_capabilities first");
    send_error(session, id, "CommandNotFound", text);
}

/* ---- In ---- */

/*
 * The length of the object that the text begins with, 0 if it is not complete, or that of something
 * else, which `ret_bad` says. Depth and length are bounded before a parser sees it.
 */
static gsize object_length(const char *text, gsize size, bool *ret_bad)
{
    unsigned depth = 0;
    bool quoted = false;

    *ret_bad = false;
    for (gsize i = 0; i < size; i++) {
        char c = text[i];

        if (quoted) {
            quoted = c != '"';
            if (c == '\\')
                i++;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
        *ret_bad |= depth > DEPTH_MAX || (i == 0 && c != '{');
        if ((depth == 0 && !quoted && !*ret_bad) || (*ret_bad && c == '\n'))
            return MIN(i + 1, size);
    }
    *ret_bad |= size > OBJECT_MAX;
    return size > OBJECT_MAX ? size : 0;
}

static void take_one(struct session *session, const char *text, gsize length)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root;

    if (!g_utf8_validate(text, (gssize)length, NULL) ||
        !json_parser_load_from_data(parser, text, (gssize)length, NULL) ||
        (root = json_parser_get_root(parser)) == NULL || !JSON_NODE_HOLDS_OBJECT(root)) {
        send_error(session, NULL, NULL, "Invalid JSON syntax");
        return;
    }
    execute(session, json_node_get_object(root));
}

void qmp_receive(struct session *session, GString *input)
{
    while (!session->quit) {
        gsize space = strspn(input->str, " \t\r\n"), length;
        bool bad;

        g_string_erase(input, 0, (gssize)space);
        if (input->len > 0 && input->str[0] == '\0') {
            g_string_erase(input, 0, 1);
            continue;
        }
        length = object_length(input->str, input->len, &bad);
        if (length == 0)
            return;
        if (bad)
            send_error(session, NULL, NULL, "Invalid JSON syntax");
        else
            take_one(session, input->str, length);
        g_string_erase(input, 0, (gssize)length);
    }
}
