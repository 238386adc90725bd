/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks of the command line. Formats other than raw, and protocols other than a file and null-co,
 * are refused. LIMIT: options that tell a host how to cache, poll or throttle are accepted and
 * change nothing.
 */
#include "bindings/qtest/drives.h"

#include <string.h>

#include "bindings/qtest/build.h"
#include "core/config/diagnostics.h"

#define NULL_SIZE "1073741824"
#define NAMES_MAX 16 /* of one node on top of each other */

void drive_free(void *data)
{
    struct drive *drive = data;

    if (drive == NULL)
        return;
    g_clear_object(&drive->hot);
    g_free(drive->id);
    g_free(drive->properties);
    g_free(drive->below);
    g_free(drive->part);
    g_free(drive);
}

static struct drive *find(const struct machine *machine, const char *id)
{
    for (guint i = 0; i < machine->drives->len; i++) {
        struct drive *drive = g_ptr_array_index(machine->drives, i);

        if (strcmp(drive->id, id) == 0)
            return drive;
    }
    return NULL;
}

/* The drive of a name, behind all its other names; NULL with an error. */
static struct drive *drives_find(const struct machine *machine, const char *id, GError **error)
{
    struct drive *drive = find(machine, id);

    for (unsigned i = 0; drive != NULL && drive->below != NULL && i < NAMES_MAX; i++)
        drive = find(machine, drive->below);
    if (drive == NULL || drive->below != NULL) {
        refuse(error, "there is no drive '%s'", id);
        return NULL;
    }
    return drive;
}

void drives_release(const struct machine *machine, const char *id)
{
    struct drive *drive = drives_find(machine, id, NULL);

    if (drive != NULL)
        drive->used = false;
}

/* Options that change nothing here; those with a dot belong to a layer below and are not looked
 * at. */
static bool is_known(const char *key)
{
    static const char *const keys[] = {
        "if",          "id",         "node-name",      "file",          "filename",
        "format",      "driver",     "snapshot",       "media",         "size",
        "readonly",    "read-only",  "auto-read-only", "cache",         "aio",
        "werror",      "rerror",     "discard",        "detect-zeroes", "index",
        "bus",         "unit",       "serial",         "copy-on-read",  "locking",
        "read-zeroes", "throttling", "share-rw",       "force-share",   NULL,
    };

    return g_strv_contains(keys, key) || strchr(key, '.') != NULL;
}

static bool check_keys(const struct option *option, GError **error)
{
    for (guint i = 0; i < option->pairs->len; i++) {
        const char *key = g_array_index(option->pairs, struct pair, i).key;

        if (!is_known(key))
            return refuse(error, "a drive has no option '%s'", key);
    }
    return true;
}

static bool flag(const struct option *option, const char *key, bool *ret_value, GError **error)
{
    const char *text = option_get(option, key);

    return text == NULL || option_boolean(text, ret_value) ||
           refuse(error, "%s=%s: '%s' is on or off", key, text, key);
}

/* The properties of a disk of the bytes of `file` (NULL: zeros). */
static bool image(struct drive *drive, const struct option *option, const char *file,
                  GError **error)
{
    const char *size = option_get(option, "size");
    bool snapshot = false, read_only = g_strcmp0(option_get(option, "media"), "cdrom") == 0;
    GString *text = g_string_new("{ kind: disk-image");
    guint64 bytes = 0;

    if (!flag(option, "snapshot", &snapshot, error) ||
        !flag(option, "readonly", &read_only, error) ||
        !flag(option, "read-only", &read_only, error)) {
        g_string_free(text, TRUE);
        return false;
    }
    if (file == NULL && size == NULL)
        size = NULL_SIZE;
    if (size != NULL && !option_size(size, 1, &bytes)) {
        g_string_free(text, TRUE);
        return refuse(error, "size=%s is no size", size);
    }
    if (file != NULL) {
        g_autofree char *path = g_canonicalize_filename(file, NULL);
        g_autofree char *written = build_quoted(path);

        g_string_append_printf(text, ", file: %s", written);
    }
    if (bytes != 0)
        g_string_append_printf(text, ", size: %" G_GUINT64_FORMAT "B", bytes);
    g_string_append_printf(text, ", snapshot: %s, read-only: %s }", snapshot ? "on" : "off",
                           read_only ? "on" : "off");
    drive->properties = g_string_free(text, FALSE);
    return true;
}

static bool is_null(const char *text)
{
    return text != NULL &&
           (g_str_has_prefix(text, "null-co") || g_str_has_prefix(text, "null-aio"));
}

static bool drive_read(struct drive *drive, const struct option *option, GError **error)
{
    const char *file = option_get(option, "file");
    const char *format = option_get(option, "format");

    if (format == NULL)
        format = option_get(option, "driver");
    if (is_null(format) || is_null(file))
        return image(drive, option, NULL, error);
    if (format != NULL && strcmp(format, "raw") != 0)
        return refuse(error, "format '%s' is not read; raw is", format);
    if (file == NULL) /* an empty slot of a changer */
        return image(drive, option, NULL, error);
    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return refuse(error, "cannot open '%s': there is no such file", file);
    return image(drive, option, file, error);
}

static bool blockdev_read(struct drive *drive, const struct option *option, GError **error)
{
    const char *driver = option->head != NULL ? option->head : option_get(option, "driver");
    const char *file = option_get(option, "filename");

    if (is_null(driver))
        return image(drive, option, NULL, error);
    if (g_strcmp0(driver, "file") == 0) {
        if (file == NULL || !g_file_test(file, G_FILE_TEST_EXISTS))
            return refuse(error, "cannot open '%s': there is no such file",
                          file != NULL ? file : "");
        return image(drive, option, file, error);
    }
    if (g_strcmp0(driver, "raw") != 0)
        return refuse(error, "driver '%s' is not there; file, raw and null-co are",
                      driver != NULL ? driver : "");
    if (option_get(option, "file") != NULL) {
        drive->below = g_strdup(option_get(option, "file"));
        return true;
    }
    file = option_get(option, "file.filename");
    if (is_null(option_get(option, "file.driver")))
        return image(drive, option, NULL, error);
    if (file == NULL || !g_file_test(file, G_FILE_TEST_EXISTS))
        return refuse(error, "'file' is wanted: the name of a node, or file.filename");
    return image(drive, option, file, error);
}

bool drives_read(struct machine *machine, const struct option *option, GError **error)
{
    bool blockdev = strcmp(option->name, "blockdev") == 0;
    const char *id = option_get(option, blockdev ? "node-name" : "id");
    struct drive *drive = g_new0(struct drive, 1);

    drive->id = id != NULL ? g_strdup(id) : g_strdup_printf("drive%u", machine->drives->len);
    drive->part = g_strdup_printf("drive-%u", machine->drives->len);
    if (blockdev && id == NULL)
        refuse(error, "'node-name' is wanted");
    else if (find(machine, drive->id) != NULL)
        refuse(error, "there is a drive '%s' already", drive->id);
    else if (check_keys(option, error) &&
             (blockdev ? blockdev_read(drive, option, error) : drive_read(drive, option, error))) {
        g_ptr_array_add(machine->drives, drive);
        return true;
    }
    drive_free(drive);
    return false;
}

/* ---- While the machine runs ---- */

bool machine_add_drive(struct machine *machine, const struct option *option, GError **error)
{
    guint before = machine->drives->len;
    struct drive *drive;

    if (!drives_read(machine, option, error))
        return false;
    drive = g_ptr_array_index(machine->drives, before);
    if (drive->properties == NULL)
        return true;
    drive->hot = iov_model_new("disk-image", drive->part, machine->run, error);
    if (drive->hot != NULL) {
        /* The mapping names the kind first, which is no property. */
        g_autofree char *text = g_strdup_printf("{%s", strchr(drive->properties, ',') + 1);

        if (iov_model_configure(drive->hot, text, error) && iov_model_prepare(drive->hot, error) &&
            iov_model_realize(drive->hot, error)) {
            iov_model_start(drive->hot);
            return true;
        }
    }
    g_ptr_array_remove_index(machine->drives, before);
    return false;
}

static IovModel *model_of(const struct machine *machine, const struct drive *drive)
{
    return drive->hot != NULL ? drive->hot : iov_platform_find(machine->platform, drive->part);
}

bool machine_join_drive(struct machine *machine, const struct device *device, GError **error)
{
    IovModel *model = machine_model(machine, device);
    struct drive *drive;

    if (device->row->block == NULL || model == NULL)
        return true;
    drive = device->drive != NULL ? drives_find(machine, device->drive, error) : NULL;
    if (drive == NULL)
        return device->drive != NULL ? false : refuse(error, "a drive is wanted");
    if (drive->used)
        return refuse(error, "drive '%s' has a device already", device->drive);
    drive->used = true;
    return iov_model_wire(model, device->row->block, model_of(machine, drive), "port", false, 0,
                          error);
}

bool machine_resize_drive(struct machine *machine, const char *name, guint64 size, GError **error)
{
    struct device *device = machine_device(machine, name);
    struct drive *drive =
        drives_find(machine, device != NULL && device->drive != NULL ? device->drive : name, error);
    struct iov_block_target *target;

    if (drive == NULL)
        return false;
    target = iov_model_port(model_of(machine, drive), "port", 0);
    if (size % 512 != 0 || target->ops->resize == NULL || !target->ops->resize(target, size))
        return refuse(error, "drive '%s' cannot have this size", name);
    return true;
}
