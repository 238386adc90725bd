/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One device of the command line: its place in a bus, and its properties by the table, written by
 * the type of the property that each option sets. What is wrong with a value the loader tells.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/qtest/build.h"
#include "core/config/diagnostics.h"
#include "core/net/address.h"

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

/* "4", "0x1f.2": the numbers are hexadecimal with and without 0x. NULL: the first slot that is
 * free. */
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
    uint8_t octets[6];

    if (given == NULL) {
        settings_put(settings, "mac",
                     g_strdup_printf("'52:54:00:12:34:%02x'", (0x56u + machine->macs++) & 0xff));
        return true;
    }
    if (!iov_net_address_parse(given, octets))
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
