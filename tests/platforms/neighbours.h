/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two guests on one machine: vm0 asks the far end one thing after the other, vm1 is hostile and
 * does what a script of the workload `hostile` says. What vm0 gets is compared with a run in which
 * vm1 only boots. Where both have processors, back ends and networks of their own (`exact`),
 * everything about vm0 must be the same to the picosecond: statistics, latencies, processor time,
 * frames with their times, memory. Where they share a wire, a core or a card, times are the other's
 * too; what vm0 gets done, and every byte between it and the far end, is the same still
 * (docs/design/isolation.md). Used by a test and by a fuzz target.
 */
#ifndef IOV_TESTS_NEIGHBOURS_H
#define IOV_TESTS_NEIGHBOURS_H

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/experiment.h"
#include "core/net/ethernet-regs.h"
#include "models/guest/guest-private.h"

enum {
    NEIGHBOURS_SETS = 12,
    NEIGHBOURS_ACTION = 8, /* bytes */
    NEIGHBOURS_ACTIONS_MAX = 48,
    NEIGHBOURS_OPERATIONS = 24, /* of vm0 */
    NEIGHBOURS_STATIONS = 16,   /* on a wire */
};
#define NEIGHBOURS_LIMIT \
    (3 * IOV_SEC) /* vm0 takes one or two milliseconds, and to boot up to half a second */

struct neighbours_case {
    const char *name;
    bool exact, slow;   /* slow: long to boot, for the many register accesses of its driver */
    const char *config; /* NULL: net-rr.yaml */
    const char *sets[NEIGHBOURS_SETS];
};

/* Each has a processor for its vCPU, and what its own parts (texts) put on others. Memory of vm0 is
 * 2 GiB behind that of vm1. */
#define NEIGHBOURS_VMS(first, second) \
    "vms=[{ name: vm0, pin: [0], memory-base: 6GiB, parts: { " first \
    " } }, { name: vm1, pin: [2], memory-base: 4GiB, parts: { " second \
    " }, workload: { kind: hostile } }]"
#define NEIGHBOURS_PLAIN NEIGHBOURS_VMS("", "")
#define NEIGHBOURS_OWN_WIRE "parts.wire.per=vm", "parts.peer.per=vm"
#define NEIGHBOURS_OWN_BRIDGE "parts.bridge.per=vm", NEIGHBOURS_OWN_WIRE

static const struct neighbours_case neighbours_cases[] = {
    /* Nothing but the machine in common. */
    { "emulated-e1000",
      true,
      true,
      NULL,
      { "strategy=emulated-e1000", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "emulated-e1000e",
      true,
      false,
      NULL,
      { "strategy=emulated-e1000e", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "virtio-net",
      true,
      false,
      NULL,
      { "strategy=virtio-net", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "virtio-packed",
      true,
      false,
      NULL,
      { "strategy=virtio-packed", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "vhost-net",
      true,
      false,
      NULL,
      { "strategy=vhost-net", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("vhost: { cpus: [1] }, emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "vhost: { cpus: [3] }, emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "vhost-net, packed",
      true,
      false,
      NULL,
      { "strategy=vhost-net", "parameters.packed=on", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("vhost: { cpus: [1] }, emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "vhost: { cpus: [3] }, emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "vhost-user",
      true,
      false,
      NULL,
      { "strategy=vhost-user", "parts.switch.per=vm", "parts.pmd.per=vm", NEIGHBOURS_OWN_WIRE,
        "parts.host.isolate=[1, 3]",
        NEIGHBOURS_VMS("pmd: { cpus: [1] }, emulator: { cpus: [0] }",
                       "pmd: { cpus: [3] }, emulator: { cpus: [2] }") } },
    { "sidecore",
      true,
      false,
      NULL,
      { "strategy=sidecore", "parts.sidecore.per=vm", NEIGHBOURS_OWN_BRIDGE,
        "parts.host.isolate=[1, 3]",
        NEIGHBOURS_VMS("sidecore: { cpus: [1] }, emulator: { cpus: [0] }, bridge: { irq-cpu: 1 }",
                       "sidecore: { cpus: [3] }, emulator: { cpus: [2] }, bridge: { irq-cpu: 3 "
                       "}") } },
    { "guest-dpdk",
      true,
      false,
      NULL,
      { "strategy=guest-dpdk", "parts.switch.per=vm", "parts.pmd.per=vm", NEIGHBOURS_OWN_WIRE,
        "parts.host.isolate=[1, 3]",
        NEIGHBOURS_VMS("pmd: { cpus: [1] }, emulator: { cpus: [0] }",
                       "pmd: { cpus: [3] }, emulator: { cpus: [2] }") } },
    { "xen-hvm",
      true,
      true,
      NULL,
      { "strategy=xen-hvm", "parts.dom0.per=vm", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("dom0: { pin: [1] }, bridge: { irq-cpu: 1 }",
                       "dom0: { pin: [3] }, bridge: { irq-cpu: 3 }") } },
    { "xen-pv",
      true,
      false,
      NULL,
      { "strategy=xen-pv", "parts.dom0.per=vm", "parts.driver-domain.per=vm", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("dom0: { pin: [1] }, driver-domain: { pin: [1] }, bridge: { irq-cpu: 1 }",
                       "dom0: { pin: [3] }, driver-domain: { pin: [3] }, bridge: { irq-cpu: 3 "
                       "}") } },
    { "esxi-e1000",
      true,
      true,
      NULL,
      { "strategy=esxi-e1000", "parts.vswitch.per=vm", NEIGHBOURS_OWN_WIRE,
        NEIGHBOURS_VMS("vmm: { cpus: [1] }, vswitch: { cpus: [1], irq-cpu: 1 }",
                       "vmm: { cpus: [3] }, vswitch: { cpus: [3], irq-cpu: 3 }") } },
    { "esxi-vmxnet",
      true,
      false,
      NULL,
      { "strategy=esxi-vmxnet", "parts.vswitch.per=vm", NEIGHBOURS_OWN_WIRE,
        NEIGHBOURS_VMS("vmm: { cpus: [1] }, vswitch: { cpus: [1], irq-cpu: 1 }",
                       "vmm: { cpus: [3] }, vswitch: { cpus: [3], irq-cpu: 3 }") } },
    { "vdpa", true, false, "../tests/data/neighbours/vdpa.yaml", { NULL } },
    { "assigned-nic", true, false, "../tests/data/neighbours/assigned.yaml", { NULL } },
    /* The same with one switch and one wire, or one core, for both. */
    { "emulated-e1000e, one bridge",
      false,
      false,
      NULL,
      { "strategy=emulated-e1000e", NEIGHBOURS_PLAIN } },
    { "virtio-net, one bridge", false, false, NULL, { "strategy=virtio-net", NEIGHBOURS_PLAIN } },
    { "vhost-net, one bridge", false, false, NULL, { "strategy=vhost-net", NEIGHBOURS_PLAIN } },
    { "vhost-user, one core", false, false, NULL, { "strategy=vhost-user", NEIGHBOURS_PLAIN } },
    { "sidecore, one core", false, false, NULL, { "strategy=sidecore", NEIGHBOURS_PLAIN } },
    { "vmdq, one card", false, false, NULL, { "strategy=vmdq", NEIGHBOURS_PLAIN } },
    { "sriov-vf, one card", false, false, NULL, { "strategy=sriov-vf", NEIGHBOURS_PLAIN } },
    { "siov-adi, one card", false, false, NULL, { "strategy=siov-adi", NEIGHBOURS_PLAIN } },
    { "vdpa, one card", false, false, NULL, { "strategy=vdpa", NEIGHBOURS_PLAIN } },
    { "xen-hvm, one Dom0", false, true, NULL, { "strategy=xen-hvm", NEIGHBOURS_PLAIN } },
    { "xen-pv, one Dom0", false, false, NULL, { "strategy=xen-pv", NEIGHBOURS_PLAIN } },
    { "esxi-vmxnet, one vSwitch",
      false,
      false,
      NULL,
      { "strategy=esxi-vmxnet", NEIGHBOURS_PLAIN } },
    /* Variants of the first ones. */
    { "emulated-e1000-iommu",
      true,
      true,
      NULL,
      { "strategy=emulated-e1000-iommu", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("emulator: { cpus: [1] }, bridge: { irq-cpu: 1 }",
                       "emulator: { cpus: [3] }, bridge: { irq-cpu: 3 }") } },
    { "xen-pv, mapped",
      true,
      false,
      NULL,
      { "strategy=xen-pv", "parameters.grant=map", "parts.dom0.per=vm",
        "parts.driver-domain.per=vm", NEIGHBOURS_OWN_BRIDGE,
        NEIGHBOURS_VMS("dom0: { pin: [1] }, driver-domain: { pin: [1] }, bridge: { irq-cpu: 1 }",
                       "dom0: { pin: [3] }, driver-domain: { pin: [3] }, bridge: { irq-cpu: 3 "
                       "}") } },
};
#define NEIGHBOURS_CASES G_N_ELEMENTS(neighbours_cases)

/* ---- What goes over the wire ---- */

struct neighbours_station {
    uint8_t mac[ETHERNET_ADDRESS];
    uint64_t frames[2], hash[2]; /* from it; to it */
};

struct neighbours_spy {
    struct iov_packet_port near, far; /* towards the wire; towards the far end */
    struct iov_kernel *kernel;
    bool timed;
    struct neighbours_station stations[NEIGHBOURS_STATIONS];
    unsigned count;
};

/* FNV-1a, word by word: a fuzzer watches each comparison, so there are few. */
static inline void neighbours_hash(uint64_t *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (; size >= 32; bytes += 32, size -= 32) {
        uint64_t word[4];

        memcpy(word, bytes, sizeof word);
        *hash = (*hash ^ word[0]) * UINT64_C(0x100000001b3);
        *hash = (*hash ^ *hash >> 29 ^ word[1]) * UINT64_C(0x100000001b3);
        *hash = (*hash ^ *hash >> 29 ^ word[2]) * UINT64_C(0x100000001b3);
        *hash = (*hash ^ *hash >> 29 ^ word[3]) * UINT64_C(0x100000001b3);
    }
    for (; size > 0; size--)
        *hash = (*hash ^ *hash >> 29 ^ *bytes++) * UINT64_C(0x100000001b3);
}

/* The station with this address; those beyond the last place share it. */
static inline struct neighbours_station *neighbours_find(struct neighbours_spy *spy,
                                                         const uint8_t *mac)
{
    unsigned i = 0;

    while (i < spy->count && memcmp(spy->stations[i].mac, mac, ETHERNET_ADDRESS) != 0)
        i++;
    i = MIN(i, NEIGHBOURS_STATIONS - 1);
    if (i == spy->count) {
        spy->count++;
        memcpy(spy->stations[i].mac, mac, ETHERNET_ADDRESS);
    }
    return &spy->stations[i];
}

static inline void neighbours_note(struct neighbours_spy *spy, const struct iov_packet *packet,
                                   bool outward)
{
    struct neighbours_station *station;
    iov_time now = iov_now(spy->kernel);

    if (packet->size < ETHERNET_HEADER)
        return;
    station =
        neighbours_find(spy, packet->data + (outward ? ETHERNET_SOURCE : ETHERNET_DESTINATION));
    station->frames[!outward]++;
    neighbours_hash(&station->hash[!outward], packet->data, packet->size);
    if (spy->timed)
        neighbours_hash(&station->hash[!outward], &now, sizeof now);
}

static inline iov_time neighbours_outward(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct neighbours_spy *spy = iov_container_of(port, struct neighbours_spy, near);

    neighbours_note(spy, packet, true);
    return iov_packet_send(&spy->far, packet);
}

static inline iov_time neighbours_inward(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct neighbours_spy *spy = iov_container_of(port, struct neighbours_spy, far);

    neighbours_note(spy, packet, false);
    return iov_packet_send(&spy->near, packet);
}

static const struct iov_packet_ops neighbours_near_ops = { .receive = neighbours_outward };
static const struct iov_packet_ops neighbours_far_ops = { .receive = neighbours_inward };

/* Between the wire that vm0 uses and its far end. */
static inline void neighbours_tap(struct neighbours_spy *spy, struct iov_platform *platform)
{
    IovModel *peer = iov_platform_find(platform, "vm0/peer") ?: iov_platform_find(platform, "peer");
    struct iov_packet_port *port = iov_model_port(peer, "wire", 0);

    spy->kernel = iov_platform_run(platform)->kernel;
    spy->near = (struct iov_packet_port){ .ops = &neighbours_near_ops, .peer = port->peer };
    spy->far = (struct iov_packet_port){ .ops = &neighbours_far_ops, .peer = port };
    port->peer->peer = &spy->near;
    port->peer = &spy->far;
}

/* ---- What vm0 got ---- */

static inline uint64_t neighbours_stat(IovModel *model, const char *name)
{
    const GArray *rows = IOV_MODEL_GET_CLASS(model)->info->stats;

    for (guint i = 0; i < rows->len; i++) {
        const struct iov_stat *row = &g_array_index(rows, struct iov_stat, i);

        if (strcmp(row->name, name) == 0)
            return G_STRUCT_MEMBER(uint64_t, model, row->offset);
    }
    abort();
}

/* Every statistic of vm0, its parts and its processors. */
static inline void neighbours_tell_models(GString *text, struct iov_platform *platform)
{
    for (unsigned i = 0; i < iov_platform_count(platform); i++) {
        IovModel *model = iov_platform_at(platform, i);
        const IovModelClass *class = IOV_MODEL_GET_CLASS(model);

        if (strcmp(model->path, "vm0") != 0 && !g_str_has_prefix(model->path, "vm0/") &&
            strcmp(model->path, "cpu0") != 0 && strcmp(model->path, "cpu1") != 0)
            continue;
        if (class->update_statistics != NULL)
            class->update_statistics(model);
        for (guint j = 0; j < class->info->stats->len; j++) {
            const struct iov_stat *row = &g_array_index(class->info->stats, struct iov_stat, j);

            g_string_append_printf(text, "%s %s %" G_GUINT64_FORMAT "\n", model->path, row->name,
                                   G_STRUCT_MEMBER(uint64_t, model, row->offset));
        }
    }
}

static inline void neighbours_tell_times(GString *text, const struct iov_measure *measure)
{
    const struct iov_histogram *latency = measure->guests[0].latency;

    g_string_append_printf(text, "end %" G_GUINT64_FORMAT "\nlatency", iov_now(measure->kernel));
    for (uint32_t i = 0; i <= 1000000; i += 50000)
        g_string_append_printf(text, " %" G_GUINT64_FORMAT, iov_histogram_quantile(latency, i));
    g_string_append_printf(text, "\nmean latency %" G_GUINT64_FORMAT "\n",
                           iov_histogram_mean(latency));
    for (unsigned i = 0; i < measure->thread_count; i++) {
        if (g_str_has_prefix(measure->threads[i].name, "vm0/"))
            g_string_append_printf(text, "%s %" G_GUINT64_FORMAT "\n", measure->threads[i].name,
                                   measure->threads[i].busy);
    }
}

/* What its kernel has allocated: rings, shared pages, buffers. */
static inline void neighbours_tell_memory(GString *text, struct iov_platform *platform,
                                          const IovLinuxGuest *guest)
{
    struct iov_mem_target *ram = iov_model_port(iov_platform_find(platform, "vm0"), "ram", 0);
    uint64_t hash = 0;

    for (uint64_t at = guest->memory_base; at < guest->next_memory; at += 4096) {
        uint8_t page[4096];
        struct iov_mem_req req = { .address = at,
                                   .data = page,
                                   .size = sizeof page,
                                   .pasid = IOV_NO_PASID,
                                   .flags = IOV_MEM_DEBUG };

        if (ram->ops->read(ram, &req) != IOV_STATUS_OK)
            abort();
        neighbours_hash(&hash, page, sizeof page);
    }
    g_string_append_printf(text, "memory %" G_GINT64_MODIFIER "x\n", hash);
}

static inline char *neighbours_tell(const struct neighbours_case *what, bool memory,
                                    struct iov_platform *platform, struct neighbours_spy *spy)
{
    const struct iov_measure *measure = iov_platform_run(platform)->measure;
    IovModel *guest = iov_platform_find(platform, "vm0/guest");
    IovModel *workload = iov_platform_find(platform, "vm0/workload");
    const IovLinuxGuest *kernel = (const IovLinuxGuest *)(const void *)guest;
    const struct neighbours_station *station = neighbours_find(spy, kernel->net.dev->mac);
    GString *text = g_string_new(NULL);

    g_string_append_printf(
        text,
        "%s\noperations %" G_GUINT64_FORMAT " bytes %" G_GUINT64_FORMAT
        " finished %" G_GUINT64_FORMAT " lost %" G_GUINT64_FORMAT
        " device-errors %" G_GUINT64_FORMAT "\nframes out %" G_GUINT64_FORMAT " %" G_GINT64_MODIFIER
        "x in %" G_GUINT64_FORMAT " %" G_GINT64_MODIFIER "x\n",
        measure->ended ? "ended" : "did not end", measure->guests[0].operations,
        measure->guests[0].bytes, neighbours_stat(workload, "finished"),
        neighbours_stat(workload, "lost"), neighbours_stat(guest, "device-errors"),
        station->frames[0], station->hash[0], station->frames[1], station->hash[1]);
    if (what->exact) {
        neighbours_tell_models(text, platform);
        neighbours_tell_times(text, measure);
    }
    if (what->exact && memory)
        neighbours_tell_memory(text, platform, kernel);
    return g_string_free(text, FALSE);
}

/* ---- Runs ---- */

/* g_error() ends in a trap, which a fuzzer does not take for a crash. */
G_NORETURN static inline void neighbours_fail(const struct neighbours_case *what, const char *why)
{
    g_printerr("%s: %s\n", what->name, why);
    abort();
}

static inline struct iov_config *neighbours_load(const struct neighbours_case *what)
{
    g_autofree char *file =
        g_build_filename(IOV_SOURCE_DIR, "configs", what->config ?: "net-rr.yaml", NULL);
    g_autofree char *operations = g_strdup_printf("workload.operations=%d", NEIGHBOURS_OPERATIONS);
    g_auto(GStrv) path = iov_data_path(file);
    g_autoptr(GPtrArray) sets = g_ptr_array_new();
    struct iov_config_options options;
    g_autoptr(GError) error = NULL;
    struct iov_config *config;

    for (unsigned i = 0; i < NEIGHBOURS_SETS && what->sets[i] != NULL; i++)
        g_ptr_array_add(sets, (gpointer)(guintptr)what->sets[i]);
    g_ptr_array_add(sets, operations);
    g_ptr_array_add(sets, (gpointer)(guintptr) "workload.warmup=0");
    g_ptr_array_add(sets, (gpointer)(guintptr) "workload.timeout=5ms");
    g_ptr_array_add(sets, NULL);
    options =
        (struct iov_config_options){ (const char *const *)path, (const char *const *)sets->pdata };
    config = iov_config_load(file, &options, &error);
    if (config == NULL)
        neighbours_fail(what, error->message);
    return config;
}

/*
 * What vm0 gets beside a neighbour with this script (none: one that only boots), and how many of
 * its actions that had done by then. `ret_acted` may be NULL.
 */
static inline char *neighbours_run(const struct neighbours_case *what, struct iov_config *config,
                                   const char *script, bool memory, uint64_t *ret_acted)
{
    g_autoptr(GError) error = NULL;
    struct iov_platform *platform = iov_platform_new(config, &error);
    IovModel *hostile = platform != NULL ? iov_platform_find(platform, "vm1/workload") : NULL;
    struct neighbours_spy spy = { .timed = what->exact };
    struct iov_kernel *kernel;
    char *text;

    if (platform == NULL || !iov_model_set_string(hostile, "script", script, &error) ||
        !iov_model_set_number(hostile, "actions", 0, &error) ||
        !iov_platform_realize(platform, &error))
        neighbours_fail(what, error->message);
    neighbours_tap(&spy, platform);
    iov_platform_start(platform);
    kernel = iov_platform_run(platform)->kernel;
    iov_kernel_run_until(kernel, NEIGHBOURS_LIMIT);
    text = neighbours_tell(what, memory, platform, &spy);
    if (ret_acted != NULL)
        *ret_acted = neighbours_stat(hostile, "acted");
    iov_platform_free(platform);
    return text;
}

/* The first line in which two texts differ, and what it was; NULL if there is none. */
static inline char *neighbours_difference(const char *wanted, const char *got)
{
    g_auto(GStrv) was = g_strsplit(wanted, "\n", -1), is = g_strsplit(got, "\n", -1);

    for (unsigned i = 0; was[i] != NULL && is[i] != NULL; i++) {
        if (strcmp(was[i], is[i]) != 0)
            return g_strdup_printf("'%s' instead of '%s'", is[i], was[i]);
    }
    return strcmp(wanted, got) == 0 ? NULL : g_strdup("more or fewer lines");
}

/* The script as the workload's property. At most NEIGHBOURS_ACTIONS_MAX actions count. */
static inline char *neighbours_script(const uint8_t *bytes, size_t size)
{
    size_t count = MIN(size / NEIGHBOURS_ACTION, (size_t)NEIGHBOURS_ACTIONS_MAX);
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < count * NEIGHBOURS_ACTION; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

/* The configuration of a case, and what vm0 gets undisturbed: made once. */
struct neighbours_reference {
    struct iov_config *config;
    unsigned uses; /* of the configuration: each platform leaves something in it, up to its limit of
                      values */
    char *text;
};

static inline void neighbours_refer(struct neighbours_reference *reference,
                                    const struct neighbours_case *what, bool memory)
{
    if (reference->config == NULL || ++reference->uses % 256 == 0) {
        iov_config_free(reference->config);
        reference->config = neighbours_load(what);
    }
    if (reference->text == NULL)
        reference->text = neighbours_run(what, reference->config, "", memory, NULL);
}

#endif
