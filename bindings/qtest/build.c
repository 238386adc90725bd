/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the platform that options describe: the machine's file, the parts and wires of each
 * device, and costs of zero unless there is a table.
 */
#include "bindings/qtest/build.h"

#include <string.h>

#include "bindings/qtest/drives.h"

#define MEMORY_STANDARD (UINT64_C(128) << 20)
#define PROCESSORS_MAX 255

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

/* -rtc base=2006-06-17T16:01:21,clock=vm. utc and localtime would be the host's time: a run is not
 * to depend on it. */
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
