/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the platform that options describe: the machine's file, the parts and wires of each device, and costs of zero unless there
 * is a table. Values are written by the type of the property that they set; what is wrong with them the loader tells.
 */
#include "bindings/qtest/build.h"

#include <stdio.h>
#include <string.h>

#include "bindings/qtest/drives.h"
#include "core/config/diagnostics.h"

#define MEMORY_STANDARD (UINT64_C(128) << 20)
#define PROCESSORS_MAX 255

struct slots {
    char *bus; /* NULL: the root bus */
    bool taken[256];
};

bool refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    g_autofree char *text = NULL;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, IOV_ERROR, IOV_ERROR_CONFIG, text);
    return false;
}

/* ---- Slots ---- */

static struct slots *slots_of(struct machine *machine, const char *bus)
{
    struct slots new = { .bus = g_strdup(bus) };

    for (guint i = 0; i < machine->slots->len; i++) {
        struct slots *slots = &g_array_index(machine->slots, struct slots, i);

        if (g_strcmp0(slots->bus, bus) == 0) {
            g_free(new.bus);
            return slots;
        }
    }
    if (bus == NULL) { /* the machine's own functions */
        memset(new.taken, true, 8);
        if (g_strcmp0(machine->row->alias, "q35") == 0)
            memset(new.taken + 0xf8, true, 8);
        else if (g_strcmp0(machine->row->alias, "pc") == 0)
            memset(new.taken + 8, true, 8);
    }
    g_array_append_val(machine->slots, new);
    return &g_array_index(machine->slots, struct slots, machine->slots->len - 1);
}

static bool slot_is_free(const struct slots *slots, unsigned slot)
{
    for (unsigned function = 0; function < 8; function++) {
        if (slots->taken[slot * 8 + function])
            return false;
    }
    return true;
}

/* "4", "0x1f.2": the numbers are hexadecimal with and without 0x. NULL: the first slot that is free. */
bool slot_take(struct machine *machine, const char *bus, const char *address, guint8 *ret_devfn,
               GError **error)
{
    struct slots *slots = slots_of(machine, bus);
    unsigned slot = bus == NULL ? 1 : 0, function = 0;
    char rest;

    if (address == NULL) {
        while (slot < 32 && !slot_is_free(slots, slot))
            slot++;
        if (slot == 32)
            return refuse(error, "all slots of the bus are taken");
    } else if ((sscanf(address, "%x.%x%c", &slot, &function, &rest) != 2 &&
                sscanf(address, "%x%c", &slot, &rest) != 1) ||
               slot > 31 || function > 7) {
        return refuse(error,
                      "addr=%s is no slot; it is DEVICE or DEVICE.FUNCTION, such as 4 or "
                      "1c.1",
                      address);
    }
    if (slots->taken[slot * 8 + function])
        return refuse(error, "addr=%x.%x is taken", slot, function);
    slots->taken[slot * 8 + function] = true;
    *ret_devfn = (guint8)(slot * 8 + function);
    return true;
}

void slot_give(struct machine *machine, const char *bus, guint8 devfn)
{
    slots_of(machine, bus)->taken[devfn] = false;
}

static void slots_clear(void *data)
{
    g_free(((struct slots *)data)->bus);
}

GArray *slots_new(void)
{
    GArray *slots = g_array_new(FALSE, FALSE, sizeof(struct slots));

    g_array_set_clear_func(slots, slots_clear);
    return slots;
}

void slots_free(GArray *slots)
{
    g_array_unref(slots);
}

/* ---- Properties of a device ---- */

/* Names and values in the order of their first mention; a later value wins. */
struct settings {
    GPtrArray *names, *values;
};

static void settings_put(struct settings *settings, const char *name, char *value)
{
    guint index;

    if (g_ptr_array_find_with_equal_func(settings->names, name, g_str_equal, &index)) {
        g_free(g_ptr_array_index(settings->values, index));
        settings->values->pdata[index] = value;
        return;
    }
    g_ptr_array_add(settings->names, g_strdup(name));
    g_ptr_array_add(settings->values, value);
}

/* A text as YAML that nothing is substituted in. */
char *build_quoted(const char *text)
{
    GString *result = g_string_new("'");

    for (; *text != '\0'; text++) {
        if (*text == '\'' || (text[0] == '$' && text[1] == '{'))
            g_string_append_c(result, *text);
        g_string_append_c(result, *text);
    }
    g_string_append_c(result, '\'');
    return g_string_free(result, FALSE);
}

static const struct iov_property *property_find(const struct device_row *row, const char *name)
{
    const struct iov_model_info *info = iov_kind_info(row->kind);

    for (guint i = 0; info != NULL && i < info->properties->len; i++) {
        const struct iov_property *property =
            &g_array_index(info->properties, struct iov_property, i);

        if (strcmp(property->name, name) == 0)
            return property;
    }
    return NULL;
}

/* The value of an option as the property's type wants it; NULL with an error if it does not fit. */
static char *value_text(const struct device_row *row, const struct pair *pair,
                        const char *property_name, GError **error)
{
    const struct iov_property *property = property_find(row, property_name);
    guint64 number;
    bool boolean;

    for (const char *c = pair->value; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c)) {
            refuse(error, "the value of '%s' has control characters in it", pair->key);
            return NULL;
        }
    }
    if (property == NULL)
        return build_quoted(pair->value);
    switch (property->type) {
    case IOV_VALUE_BOOL:
        if (option_boolean(pair->value, &boolean))
            return g_strdup(boolean ? "on" : "off");
        refuse(error, "%s=%s: '%s' is on or off", pair->key, pair->value, pair->key);
        return NULL;
    case IOV_VALUE_COUNT:
    case IOV_VALUE_SIZE:
        if (option_size(pair->value, 1, &number))
            return g_strdup_printf("%" G_GUINT64_FORMAT "%s", number,
                                   property->type == IOV_VALUE_SIZE ? "B" : "");
        refuse(error, "%s=%s: '%s' wants a number", pair->key, pair->value, pair->key);
        return NULL;
    default:
        return build_quoted(pair->value);
    }
}

static bool unknown_key(const struct device_row *row, const char *key, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *near;

    for (const struct key_row *rows = row->keys; rows != NULL && rows->key != NULL; rows++)
        g_ptr_array_add(names, (gpointer)(guintptr)rows->key);
    g_ptr_array_add(names, NULL);
    near = iov_suggest(key, (const char *const *)names->pdata);
    if (near != NULL)
        return refuse(error, "'%s' has no option '%s'; did you mean '%s'?", row->name, key, near);
    return refuse(error, "'%s' has no option '%s'", row->name, key);
}

/* What the front end itself makes of an option. */
static bool is_own_key(const struct device_row *row, const char *key)
{
    static const char *const pci[] = { "addr", "bus", NULL };

    if (strcmp(key, "id") == 0 || strcmp(key, "driver") == 0)
        return true;
    if ((strcmp(key, "netdev") == 0 || strcmp(key, "mac") == 0) && row->flags & DEVICE_NETWORK)
        return true;
    if (strcmp(key, "drive") == 0 && row->flags & DEVICE_BLOCK)
        return true;
    return (row->flags & DEVICE_PCI && g_strv_contains(pci, key)) ||
           (row->kind == NULL && strcmp(key, "bus") == 0);
}

static bool settings_take(struct settings *settings, const struct device_row *row,
                          const struct pair *pair, GError **error)
{
    const struct key_row *key = device_key_find(row, pair->key);
    char *value;

    if (is_own_key(row, pair->key))
        return true;
    if (key == NULL)
        return unknown_key(row, pair->key, error);
    if (key->property == NULL || strcmp(pair->value, "auto") == 0)
        return true;
    value = value_text(row, pair, key->property, error);
    if (value != NULL)
        settings_put(settings, key->property, value);
    return value != NULL;
}

/* "a: b, c: d" of the table. */
static void settings_take_fixed(struct settings *settings, const char *fixed)
{
    g_auto(GStrv) items = g_strsplit(fixed, ", ", -1);

    for (char **item = items; *item != NULL; item++) {
        g_auto(GStrv) halves = g_strsplit(*item, ": ", 2);

        settings_put(settings, halves[0], g_strdup(halves[1]));
    }
}

/* -global DEVICE.OPTION=VALUE, or driver=D,property=P,value=V. */
static bool settings_take_globals(struct settings *settings, const struct machine *machine,
                                  const struct device_row *row, GError **error)
{
    for (guint i = 0; i < machine->globals->len; i++) {
        const struct option *option = g_ptr_array_index(machine->globals, i);
        const struct pair *first = &g_array_index(option->pairs, struct pair, 0);
        const char *dot = strchr(first->key, '.');
        g_autofree char *name = dot != NULL ? g_strndup(first->key, (gsize)(dot - first->key))
                                            : g_strdup(option_get(option, "driver"));
        struct pair pair = { g_strdup(dot != NULL ? dot + 1 : option_get(option, "property")),
                             g_strdup(dot != NULL ? first->value : option_get(option, "value")) };
        bool fine = true;

        if (name != NULL && pair.key != NULL && pair.value != NULL && device_row_is(row, name))
            fine = settings_take(settings, row, &pair, error);
        g_free(pair.key);
        g_free(pair.value);
        if (!fine)
            return false;
    }
    return true;
}

static char *settings_write(const struct settings *settings)
{
    GString *text = g_string_new("{ ");

    for (guint i = 0; i < settings->names->len; i++)
        g_string_append_printf(text, "%s%s: %s", i > 0 ? ", " : "",
                               (const char *)g_ptr_array_index(settings->names, i),
                               (const char *)g_ptr_array_index(settings->values, i));
    g_string_append(text, " }");
    return g_string_free(text, FALSE);
}

static bool mac_take(struct settings *settings, struct machine *machine,
                     const struct option *option, GError **error)
{
    const char *given = option_get(option, "mac");
    unsigned octets[6];
    char rest;

    if (given == NULL) {
        settings_put(settings, "mac",
                     g_strdup_printf("'52:54:00:12:34:%02x'", (0x56u + machine->macs++) & 0xff));
        return true;
    }
    if (sscanf(given, "%2x:%2x:%2x:%2x:%2x:%2x%c", &octets[0], &octets[1], &octets[2], &octets[3],
               &octets[4], &octets[5], &rest) != 6)
        return refuse(error, "mac=%s is no Ethernet address", given);
    settings_put(settings, "mac",
                 g_strdup_printf("'%02x:%02x:%02x:%02x:%02x:%02x'", octets[0], octets[1], octets[2],
                                 octets[3], octets[4], octets[5]));
    return true;
}

static bool properties_read(struct machine *machine, const struct device_row *row,
                            const struct option *option, char **ret_text, GError **error)
{
    struct settings settings = { g_ptr_array_new_with_free_func(g_free),
                                 g_ptr_array_new_with_free_func(g_free) };
    bool fine = true;

    if (row->fixed != NULL)
        settings_take_fixed(&settings, row->fixed);
    fine = settings_take_globals(&settings, machine, row, error);
    for (guint i = 0; fine && i < option->pairs->len; i++)
        fine = settings_take(&settings, row, &g_array_index(option->pairs, struct pair, i), error);
    if (fine && row->flags & DEVICE_NETWORK && row->kind != NULL)
        fine = mac_take(&settings, machine, option, error);
    if (fine)
        *ret_text = settings_write(&settings);
    g_ptr_array_unref(settings.names);
    g_ptr_array_unref(settings.values);
    return fine;
}

/* ---- A device ---- */

void device_free(void *data)
{
    struct device *device = data;

    if (device == NULL)
        return;
    g_free(device->id);
    g_free(device->part);
    g_free(device->netdev);
    g_free(device->drive);
    g_free(device->bus);
    g_free(device);
}

static bool unknown_device(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const struct device_row *row;
    const char *near;

    for (unsigned i = 0; (row = device_row_at(i)) != NULL; i++) {
        if (!(row->flags & DEVICE_LISTED))
            g_ptr_array_add(names, (gpointer)(guintptr)row->name);
    }
    g_ptr_array_add(names, NULL);
    near = iov_suggest(name, (const char *const *)names->pdata);
    if (near != NULL)
        return refuse(error, "there is no device '%s'; did you mean '%s'?", name, near);
    return refuse(error, "there is no device '%s'; '-device help' lists those there are", name);
}

/* The part whose slots the option bus means; NULL in `ret_bus` is the root bus. */
static bool bus_find(const struct machine *machine, const char *name, char **ret_bus,
                     GError **error)
{
    const struct device *device;
    g_autofree char *id = NULL;

    *ret_bus = NULL;
    if (name == NULL || strcmp(name, "pcie.0") == 0 || strcmp(name, "pci.0") == 0)
        return true;
    id = g_strdup(name);
    device = machine_device(machine, id);
    if (device == NULL && strchr(id, '.') != NULL) { /* ahci1.0: a place of the device ahci1 */
        *strrchr(id, '.') = '\0';
        device = machine_device(machine, id);
    }
    if (device == NULL || !(device->row->flags & DEVICE_BUS))
        return refuse(error, "there is no bus '%s'", name);
    *ret_bus = g_strdup(device->part);
    return true;
}

static bool place(struct machine *machine, struct device *device, const struct option *option,
                  GError **error)
{
    if (device->row->flags & DEVICE_ONCE) {
        for (guint i = 0; i < machine->devices->len; i++) {
            if (((const struct device *)g_ptr_array_index(machine->devices, i))->row == device->row)
                return refuse(error, "there is one '%s' already", device->row->name);
        }
    }
    if (!machine->row->pci)
        return refuse(error, "machine '%s' has no place for it", machine->row->name);
    if (!bus_find(machine, option_get(option, "bus"), &device->bus, error))
        return false;
    return !(device->row->flags & DEVICE_PCI) ||
           slot_take(machine, device->bus, option_get(option, "addr"), &device->devfn, error);
}

struct device *build_device(struct machine *machine, const struct option *option,
                            char **ret_properties, GError **error)
{
    const char *name = option->head != NULL ? option->head : option_get(option, "driver");
    const struct device_row *row = name != NULL ? device_row_find(name) : NULL;
    struct device *device;

    if (name == NULL) {
        refuse(error, "a device needs the name of what it is");
        return NULL;
    }
    if (row == NULL || row->flags & DEVICE_LISTED) {
        unknown_device(name, error);
        return NULL;
    }
    if (row->kind != NULL && iov_kind_info(row->kind) == NULL) {
        refuse(error, "device '%s' needs kind '%s', which is not built in", name, row->kind);
        return NULL;
    }
    device = g_new0(struct device, 1);
    device->row = row;
    device->id = g_strdup(option_get(option, "id"));
    device->netdev = row->flags & DEVICE_NETWORK ? g_strdup(option_get(option, "netdev")) : NULL;
    device->drive = row->flags & DEVICE_BLOCK ? g_strdup(option_get(option, "drive")) : NULL;
    if (device->id != NULL && machine_device(machine, device->id) != NULL)
        refuse(error, "there is a device '%s' already", device->id);
    else if (properties_read(machine, row, option, ret_properties, error)) {
        if (place(machine, device, option, error)) {
            device->part = row->kind == NULL ? NULL
                           : row->flags & DEVICE_ONCE
                               ? g_strdup(row->name)
                               : g_strdup_printf("device-%u", ++machine->parts);
            return device;
        }
        g_clear_pointer(ret_properties, g_free);
    }
    device_free(device);
    return NULL;
}

/* ---- The platform ---- */

struct builder {
    struct machine *machine;
    GString *parameters, *parts, *wires;
};

/* The table's text with the part's name in it. */
static char *with_part(const char *text, const char *part)
{
    g_auto(GStrv) pieces = g_strsplit(text, "@", -1);

    return g_strjoinv(part, pieces);
}

static void add_wires(struct builder *builder, const struct device *device)
{
    g_autofree char *text =
        device->row->wires != NULL ? with_part(device->row->wires, device->part) : g_strdup("");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL && **line != '\0'; line++)
        g_string_append_printf(builder->wires, "  - %s\n", *line);
    if (device->row->flags & DEVICE_PCI)
        g_string_append_printf(builder->wires, "  - { from: %s.slots, to: %s.pci, at: %u }\n",
                               device->bus != NULL ? device->bus : "pci", device->part,
                               device->devfn);
}

static bool add_device(struct builder *builder, const struct option *option, GError **error)
{
    g_autofree char *properties = NULL;
    struct device *device = build_device(builder->machine, option, &properties, error);

    if (device == NULL) {
        g_prefix_error(error, "-device %s: ", option->text);
        return false;
    }
    g_ptr_array_add(builder->machine->devices, device);
    if (device->part == NULL)
        return true;
    g_string_append_printf(builder->parts, "  %s: { kind: %s%s%s\n", device->part,
                           device->row->kind, strcmp(properties, "{  }") == 0 ? "" : ",",
                           properties + 1);
    add_wires(builder, device);
    if (device->row->parameters != NULL) {
        g_autofree char *text = with_part(device->row->parameters, device->part);

        g_string_append_printf(builder->parameters, "  %s\n", text);
    }
    return true;
}

static bool memory_size(const struct options *options, guint64 *ret_bytes, GError **error)
{
    const struct option *option = options_last(options, "m");
    const struct option *machine = options_last(options, "machine");
    const char *backend = machine != NULL ? option_get(machine, "memory-backend") : NULL;
    const char *size = option == NULL         ? NULL
                       : option->head != NULL ? option->head
                                              : option_get(option, "size");

    *ret_bytes = MEMORY_STANDARD;
    if (size != NULL) {
        if (!option_size(size, UINT64_C(1) << 20, ret_bytes) || *ret_bytes == 0 ||
            *ret_bytes > UINT64_C(1) << 40 || *ret_bytes % 4096 != 0)
            return refuse(error, "-m %s: a size of memory such as 256 (MiB) or 1G is wanted", size);
        return true;
    }
    for (guint i = 0; backend != NULL && i < options->list->len; i++) {
        const struct option *object = g_ptr_array_index(options->list, i);

        if (strcmp(object->name, "object") == 0 &&
            g_strcmp0(option_get(object, "id"), backend) == 0)
            return option_size(option_get(object, "size"), 1, ret_bytes);
    }
    if (backend != NULL)
        return refuse(error, "-machine memory-backend=%s: there is no such object", backend);
    return true;
}

static bool check_objects(const struct options *options, GError **error)
{
    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);
        const char *type = option->head != NULL ? option->head : option_get(option, "qom-type");
        const char *size = option_get(option, "size");
        guint64 bytes;

        if (strcmp(option->name, "object") != 0)
            continue;
        if (g_strcmp0(type, "memory-backend-ram") != 0)
            return refuse(error, "-object %s: there is no object '%s' but memory-backend-ram",
                          option->text, type != NULL ? type : "");
        if (option_get(option, "id") == NULL || size == NULL || !option_size(size, 1, &bytes) ||
            bytes == 0 || bytes % 4096 != 0)
            return refuse(error, "-object %s: 'id' and 'size' are wanted", option->text);
    }
    return true;
}

static bool add_processors(struct builder *builder, const struct options *options, GError **error)
{
    const struct option *option = options_last(options, "smp");
    const char *count = option == NULL         ? "1"
                        : option->head != NULL ? option->head
                                               : option_get(option, "cpus");
    guint64 number = 1;

    if (count != NULL &&
        (!option_size(count, 1, &number) || number == 0 || number > PROCESSORS_MAX))
        return refuse(error, "-smp %s: 1 to %d processors are wanted", option->text,
                      PROCESSORS_MAX);
    g_string_append_printf(builder->parameters, "  processors: %u\n  apics: [", (unsigned)number);
    for (guint64 i = 0; i < number; i++) {
        g_string_append_printf(builder->parameters, "%sapic%u", i > 0 ? ", " : "", (unsigned)i);
        g_string_append_printf(builder->parts, "  apic%u: { kind: local-apic, id: %u%s }\n",
                               (unsigned)i, (unsigned)i, i == 0 ? ", bootstrap: on" : "");
    }
    g_string_append(builder->parameters, "]\n");
    return true;
}

static bool add_memory(struct builder *builder, const struct options *options, GError **error)
{
    const struct machine_row *row = builder->machine->row;
    guint64 bytes, low;

    if (!memory_size(options, &bytes, error))
        return false;
    low = bytes <= row->low_memory ? bytes : row->low_split;
    g_string_append_printf(builder->parameters, "  memory: %" G_GUINT64_FORMAT "B\n", low);
    g_string_append_printf(builder->parameters, "  memory-high: %" G_GUINT64_FORMAT "B\n",
                           bytes - low);
    if (bytes > low) {
        g_string_append_printf(builder->parts,
                               "  dram-high: { kind: dram, size: %" G_GUINT64_FORMAT "B }\n",
                               bytes - low);
        g_string_append(builder->wires,
                        "  - { from: bus.windows, to: dram-high.port, at: 0x100000000 }\n");
    }
    return true;
}

/* -rtc base=2006-06-17T16:01:21,clock=vm. utc and localtime would be the host's time: a run is not to depend on it. */
static bool add_clock(struct builder *builder, const struct options *options, GError **error)
{
    const struct option *option = options_last(options, "rtc");
    const char *base = option != NULL ? option_get(option, "base") : NULL;
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *text = NULL;

    if (base == NULL || strcmp(base, "utc") == 0 || strcmp(base, "localtime") == 0)
        return true;
    time = strchr(base, 'T') != NULL ? g_date_time_new_from_iso8601(base, zone) : NULL;
    if (time == NULL) {
        g_autofree char *day = g_strconcat(base, "T00:00:00", NULL);

        time = g_date_time_new_from_iso8601(day, zone);
    }
    if (time == NULL)
        return refuse(error, "-rtc base=%s is no date such as 2006-06-17T16:01:21", base);
    text = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
    g_string_append_printf(builder->parameters, "  date: %s\n", text);
    return true;
}

/* Every cost that a kind may ask for, as nothing. */
static void add_costs(GString *text, const struct options *options)
{
    const struct option *option = options_last(options, "costs");
    g_auto(GStrv) kinds = iov_kind_list();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    if (option != NULL) {
        g_autofree char *file = build_quoted(option->text);

        g_string_append_printf(text, "costs: %s\n", file);
        return;
    }
    g_string_append(text, "costs:\n");
    for (char **kind = kinds; *kind != NULL; kind++) {
        const GArray *costs = iov_kind_info(*kind)->costs;

        for (guint i = 0; i < costs->len; i++) {
            const char *name = g_array_index(costs, struct iov_cost, i).name;

            if (g_hash_table_add(seen, (gpointer)(guintptr)name))
                g_string_append_printf(text, "  %s: 0ns\n", name);
        }
    }
}

/* Disks, also those that no device has. */
static bool add_drives(struct builder *builder, const struct options *options, GError **error)
{
    GPtrArray *drives = builder->machine->drives;

    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if ((strcmp(option->name, "drive") == 0 || strcmp(option->name, "blockdev") == 0) &&
            !drives_read(builder->machine, option, error)) {
            g_prefix_error(error, "-%s %s: ", option->name, option->text);
            return false;
        }
    }
    for (guint i = 0; i < drives->len; i++) {
        struct drive *drive = g_ptr_array_index(drives, i);

        if (drive->properties != NULL)
            g_string_append_printf(builder->parts, "  %s: %s\n", drive->part, drive->properties);
    }
    return true;
}

/* -net and -nic make network cards in ways of their own. */
static bool check_network(const struct options *options, GError **error)
{
    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if ((strcmp(option->name, "net") == 0 || strcmp(option->name, "nic") == 0) &&
            strcmp(option->text, "none") != 0)
            return refuse(error, "-%s %s: write -netdev and -device instead", option->name,
                          option->text);
    }
    return true;
}

/* A drive of if=virtio is a disk with its controller. */
static bool add_virtio_drives(struct builder *builder, const struct options *options,
                              GError **error)
{
    unsigned number = 0;

    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);
        const struct drive *drive;
        struct option *device;
        bool fine;

        if (strcmp(option->name, "drive") != 0 && strcmp(option->name, "blockdev") != 0)
            continue;
        drive = g_ptr_array_index(builder->machine->drives, number++);
        if (g_strcmp0(option_get(option, "if"), "virtio") != 0)
            continue;
        g_autofree char *text = g_strdup_printf("virtio-blk-pci,drive=%s", drive->id);

        device = option_new("device", text, NULL);
        fine = add_device(builder, device, error);
        option_free(device);
        if (!fine)
            return false;
    }
    return true;
}

static bool add_all(struct builder *builder, const struct options *options, GError **error)
{
    if (!check_objects(options, error) || !check_network(options, error) ||
        !add_processors(builder, options, error) || !add_memory(builder, options, error) ||
        !add_clock(builder, options, error))
        return false;
    if (!add_drives(builder, options, error))
        return false;
    for (guint i = 0; i < options->list->len; i++) {
        const struct option *option = g_ptr_array_index(options->list, i);

        if (strcmp(option->name, "device") == 0 && !add_device(builder, option, error))
            return false;
    }
    return add_virtio_drives(builder, options, error);
}

char *build_text(struct machine *machine, const struct options *options, GError **error)
{
    struct builder builder = { machine, g_string_new(NULL), g_string_new(NULL),
                               g_string_new(NULL) };
    GString *text = NULL;

    if (add_all(&builder, options, error)) {
        text = g_string_new("iovsim: 1\n");
        g_string_append_printf(text, "include: %s\n", machine->row->file);
        g_string_append_printf(text, "parameters:\n%s", builder.parameters->str);
        g_string_append_printf(text, "parts:\n%s", builder.parts->str);
        if (builder.wires->len > 0)
            g_string_append_printf(text, "wires:\n%s", builder.wires->str);
        add_costs(text, options);
    }
    g_string_free(builder.parameters, TRUE);
    g_string_free(builder.parts, TRUE);
    g_string_free(builder.wires, TRUE);
    return text != NULL ? g_string_free(text, FALSE) : NULL;
}
