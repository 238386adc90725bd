/* SPDX-License-Identifier: Apache-2.0 */
/* The machine under test: life, accesses, clock, devices that come and go. */
#include "bindings/qtest/machine.h"

#include <string.h>
#include <unistd.h>

#include "bindings/qtest/build.h"
#include "bindings/qtest/drives.h"
#include "core/config/experiment.h"
#include "core/pci/bus.h"

#define PS_PER_NS UINT64_C(1000)
#define TEXT_NAME "options"

/* ---- Life ---- */

/* Beside the places where every program looks: the folders above this one, which is where a build
 * lies. */
static char **data_path(void)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);

    return iov_data_path(program);
}

/* The loader's places are those of a text that nobody sees: the first mistake without its place
 * will do. */
static void tidy_message(GError **error)
{
    g_auto(GStrv) lines = NULL;
    const char *text;

    if (error == NULL || *error == NULL)
        return;
    lines = g_strsplit((*error)->message, "\n", 2);
    text = lines[0];
    if (g_str_has_prefix(text, TEXT_NAME ":")) {
        const char *behind = strstr(text, ": ");

        text = behind != NULL ? behind + 2 : text;
    }
    text = g_strdup(text);
    g_free((*error)->message);
    (*error)->message = g_strdelimit((char *)(guintptr)text, "\n", ' ');
}

static bool globals_read(struct machine *machine, const struct options *options, GError **error)
{
    for (guint i = 0; i < options->list->len; i++) {
        struct option *option = g_ptr_array_index(options->list, i);

        if (strcmp(option->name, "global") != 0)
            continue;
        if (option->pairs->len == 0)
            return refuse(error, "-global %s: DEVICE.OPTION=VALUE is wanted", option->text);
        g_ptr_array_add(machine->globals, option);
    }
    return true;
}

static bool row_choose(struct machine *machine, const struct options *options, GError **error)
{
    const struct option *option = options_last(options, "machine");
    const char *name = option == NULL         ? "pc"
                       : option->head != NULL ? option->head
                                              : option_get(option, "type");

    if (name != NULL && g_str_has_suffix(name, ".yaml")) {
        machine->own = (struct machine_row){ .name = "of a file", .pci = true };
        machine->own.file = machine->own_file = g_canonicalize_filename(name, NULL);
        machine->own.low_memory = machine->own.low_split = machine_row_find("q35")->low_split;
        machine->row = &machine->own;
        return true;
    }
    machine->row = machine_row_find(name != NULL ? name : "pc");
    if (machine->row == NULL)
        return refuse(error, "there is no machine '%s'; there are pc, q35 and none", name);
    return true;
}

static bool platform_make(struct machine *machine, const struct options *options, GError **error)
{
    g_autofree char *text = build_text(machine, options, error);
    g_auto(GStrv) path = data_path();
    struct iov_config_options places = { .search_path = (const char *const *)path };

    if (text == NULL)
        return false;
    machine->config = iov_config_load_text(TEXT_NAME, text, &places, error);
    if (machine->config != NULL)
        machine->platform = iov_platform_new(machine->config, error);
    if (machine->platform != NULL)
        return true;
    tidy_message(error);
    return false;
}

/* ---- What software asks for ---- */

static void reset_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    (void)span;
    iov_container_of(sink, struct machine, reset_sink)->reset_wanted = true;
}

static void sleep_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    (void)span;
    iov_container_of(sink, struct machine, sleep_sink)->sleep_wanted = true;
}

static const struct iov_notify_sink_ops reset_ops = { .signal = reset_signal };
static const struct iov_notify_sink_ops sleep_ops = { .signal = sleep_signal };

static void wire_request(IovModel *model, const char *name, struct iov_notify_sink *sink)
{
    const struct iov_port *row = iov_model_find_port(model, name);
    struct iov_notify_source *source;

    if (row == NULL || row->type != IOV_PORT_NOTIFY || row->role != IOV_PORT_INITIATOR)
        return;
    source = iov_model_port(model, name, 0);
    if (source->peer == NULL)
        source->peer = sink;
}

/* Every open port `reset` or `sleep` of a part. */
static void wire_requests(struct machine *machine)
{
    machine->reset_sink.ops = &reset_ops;
    machine->sleep_sink.ops = &sleep_ops;
    for (unsigned i = 0; i < iov_platform_count(machine->platform); i++) {
        IovModel *model = iov_platform_at(machine->platform, i);

        wire_request(model, "reset", &machine->reset_sink);
        wire_request(model, "sleep", &machine->sleep_sink);
    }
}

struct machine *machine_new(const struct options *options, GError **error)
{
    static const char *const names[] = { [SPACE_MEMORY] = "bus", [SPACE_IO] = "io" };
    struct machine *machine = g_new0(struct machine, 1);

    machine->devices = g_ptr_array_new_with_free_func(device_free);
    machine->drives = g_ptr_array_new_with_free_func(drive_free);
    machine->slots = slots_new();
    machine->globals = g_ptr_array_new();
    if (!row_choose(machine, options, error) || !globals_read(machine, options, error) ||
        !platform_make(machine, options, error)) {
        machine_free(machine);
        return NULL;
    }
    machine->run = iov_platform_run(machine->platform);
    machine->kernel = machine->run->kernel;
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        machine->spaces[i].peer =
            iov_model_port(iov_platform_find(machine->platform, names[i]), "port", 0);
    wire_requests(machine);
    return machine;
}

/* No firmware runs that would switch the local APICs on; messages to them are to be seen. */
static void apics_enable(struct machine *machine)
{
    struct iov_apic *apic;

    for (unsigned i = 0; (apic = machine_apic(machine, i)) != NULL; i++)
        apic->ops->write(apic, 0xf0, 0x1ff);
}

bool machine_start(struct machine *machine, GError **error)
{
    if (!iov_platform_realize(machine->platform, error)) {
        tidy_message(error);
        return false;
    }
    iov_platform_start(machine->platform);
    apics_enable(machine);
    machine_settle(machine);
    return true;
}

void machine_free(struct machine *machine)
{
    if (machine == NULL)
        return;
    for (guint i = machine->devices->len; i-- > 0;) {
        struct device *device = g_ptr_array_index(machine->devices, i);

        if (device->hot != NULL)
            machine_unplug(machine, device);
    }
    iov_platform_free(machine->platform);
    iov_config_free(machine->config);
    g_ptr_array_unref(machine->devices);
    g_ptr_array_unref(machine->drives);
    g_ptr_array_unref(machine->globals);
    g_free(machine->own_file);
    slots_free(machine->slots);
    g_free(machine);
}

char *machine_describe(const struct machine *machine)
{
    return iov_config_write(machine->config);
}

/* ---- Accesses ---- */

static enum iov_status request(struct machine *machine, enum space space, guint64 address,
                               void *data, unsigned size, bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    return write ? iov_mem_write_req(&machine->spaces[space], &req)
                 : iov_mem_read_req(&machine->spaces[space], &req);
}

/* An access that nobody takes whole is made in halves, as a bus does that is narrower. */
static void access_halves(struct machine *machine, enum space space, guint64 address, guint8 *data,
                          unsigned size, bool write)
{
    enum iov_status status = request(machine, space, address, data, size, write);

    if (status == IOV_STATUS_OK)
        return;
    if (status == IOV_STATUS_UNSUPPORTED && size > 1) {
        access_halves(machine, space, address, data, size / 2, write);
        access_halves(machine, space, address + size / 2, data + size / 2, size / 2, write);
    } else if (!write) {
        /* The architecture leaves open what memory space gives; LIMIT: PCI's master abort would
         * give ones there, too. */
        memset(data, space == SPACE_IO ? 0xff : 0, size);
    }
}

guint64 machine_read(struct machine *machine, enum space space, guint64 address, unsigned size)
{
    guint64 value = 0;

    access_halves(machine, space, address, (guint8 *)&value, size, false);
    return GUINT64_FROM_LE(value);
}

void machine_write(struct machine *machine, enum space space, guint64 address, unsigned size,
                   guint64 value)
{
    value = GUINT64_TO_LE(value);
    access_halves(machine, space, address, (guint8 *)&value, size, true);
}

/* Plain memory is copied; what lies between is accessed in the largest aligned pieces of up to 8
 * bytes. */
static void bytes_move(struct machine *machine, guint64 address, guint8 *bytes, gsize count,
                       bool write)
{
    struct iov_mem_target *target = machine->spaces[SPACE_MEMORY].peer;

    while (count > 0) {
        guint64 there = 0;
        guint8 *direct =
            target->ops->direct != NULL ? target->ops->direct(target, address, &there) : NULL;
        gsize piece = direct != NULL ? MIN(there, count) : 8;

        if (direct != NULL && write) {
            memcpy(direct, bytes, piece);
        } else if (direct != NULL) {
            memcpy(bytes, direct, piece);
        } else {
            while (piece > count || (address & (piece - 1)) != 0)
                piece /= 2;
            access_halves(machine, SPACE_MEMORY, address, bytes, (unsigned)piece, write);
        }
        address += piece;
        bytes += piece;
        count -= piece;
    }
}

void machine_read_bytes(struct machine *machine, guint64 address, guint8 *bytes, gsize count)
{
    bytes_move(machine, address, bytes, count, false);
}

void machine_write_bytes(struct machine *machine, guint64 address, const guint8 *bytes, gsize count)
{
    bytes_move(machine, address, (guint8 *)(guintptr)bytes, count, true);
}

/* ---- Clock ---- */

guint64 machine_now(const struct machine *machine)
{
    return iov_now(machine->kernel) / PS_PER_NS;
}

void machine_settle(struct machine *machine)
{
    iov_kernel_run_until(machine->kernel, iov_now(machine->kernel));
}

void machine_run_to(struct machine *machine, guint64 when)
{
    const guint64 last = IOV_TIME_MAX / 4 / PS_PER_NS; /* 53 days: models may still arm far ahead */

    when = MIN(when, last) * PS_PER_NS;
    if (when >= iov_now(machine->kernel))
        iov_kernel_run_until(machine->kernel, when);
}

guint64 machine_next(const struct machine *machine)
{
    iov_time when;

    if (!iov_kernel_next(machine->kernel, &when))
        return machine_now(machine);
    return when / PS_PER_NS + (when % PS_PER_NS != 0);
}

/* ---- Parts ---- */

struct device *machine_device(const struct machine *machine, const char *id)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        struct device *device = g_ptr_array_index(machine->devices, i);

        if (g_strcmp0(device->id, id) == 0)
            return device;
    }
    return NULL;
}

IovModel *machine_model(const struct machine *machine, const struct device *device)
{
    if (device->hot != NULL || device->part == NULL)
        return device->hot;
    return iov_platform_find(machine->platform, device->part);
}

IovModel *machine_find(const struct machine *machine, const char *path)
{
    const char *name = strrchr(path, '/');
    const struct device *device;
    IovModel *model = iov_platform_find(machine->platform, path);

    name = name != NULL ? name + 1 : path;
    if (model != NULL)
        return model;
    device = machine_device(machine, name);
    if (device != NULL)
        return machine_model(machine, device);
    for (guint i = 0; i < machine->devices->len; i++) { /* of several the first, by what it is */
        device = g_ptr_array_index(machine->devices, i);
        if (strcmp(device->row->name, name) == 0)
            return machine_model(machine, device);
    }
    return iov_platform_find(machine->platform, name);
}

struct iov_apic *machine_apic(const struct machine *machine, unsigned index)
{
    g_autofree char *name = g_strdup_printf("apic%u", index);
    IovModel *model = iov_platform_find(machine->platform, name);

    return model != NULL ? iov_model_port(model, "apic", 0) : NULL;
}

void machine_reset(struct machine *machine)
{
    for (unsigned i = 0; i < iov_platform_count(machine->platform); i++)
        iov_model_reset(iov_platform_at(machine->platform, i));
    for (guint i = 0; i < machine->devices->len; i++) {
        const struct device *device = g_ptr_array_index(machine->devices, i);

        if (device->hot != NULL)
            iov_model_reset(device->hot);
    }
    apics_enable(machine);
    machine_settle(machine);
    machine->reset_wanted = machine->sleep_wanted = false;
}

/* ---- Devices that come and go ---- */

static bool plug_model(struct machine *machine, struct device *device, const char *properties,
                       GError **error)
{
    IovModel *bus = iov_platform_find(machine->platform, device->bus != NULL ? device->bus : "pci");

    if (!(device->row->flags & DEVICE_PCI))
        return refuse(error, "'%s' cannot be plugged while the machine runs", device->row->name);
    device->hot = iov_model_new(device->row->kind, device->part, machine->run, error);
    if (device->hot == NULL)
        return false;
    return iov_model_configure(device->hot, properties, error) &&
           iov_model_prepare(device->hot, error) &&
           iov_model_wire(bus, "slots", device->hot, "pci", true, device->devfn, error);
}

bool machine_plug(struct machine *machine, const struct option *option,
                  bool (*ready)(void *context, struct device *device, GError **error),
                  void *context, GError **error)
{
    g_autofree char *properties = NULL;
    struct device *device = build_device(machine, option, &properties, error);

    if (device == NULL)
        return false;
    g_ptr_array_add(machine->devices, device);
    if (device->part == NULL)
        return true;
    if (plug_model(machine, device, properties, error) && ready(context, device, error) &&
        iov_model_realize(device->hot, error)) {
        iov_model_start(device->hot);
        machine_settle(machine);
        return true;
    }
    tidy_message(error);
    machine_unplug(machine, device);
    return false;
}

void machine_unplug(struct machine *machine, struct device *device)
{
    IovModel *model = machine_model(machine, device);

    if (device->row->flags & DEVICE_PCI && model != NULL) {
        struct iov_pci_function *function = iov_model_port(model, "pci", 0);

        if (function->bus != NULL)
            iov_pci_unplug(function);
        slot_give(machine, device->bus, device->devfn);
    }
    if (model != NULL)
        iov_model_unrealize(model);
    g_clear_object(&device->hot);
    if (device->drive != NULL)
        drives_release(machine, device->drive);
    g_ptr_array_remove(machine->devices, device);
}
