/* SPDX-License-Identifier: Apache-2.0 */
/* A foreign judge: lspci reads the configuration space of everything that has one, and finds
 * nothing to complain about. */
#include "tests/models/bench.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "core/harness/fake.h"
#include "core/pci/dump.h"
#include "tests/core/pci/fixture.h"

/* Every capability that a row can declare, on one function. */
static const struct iov_pci_capability everything[] = {
    IOV_PCI_POWER(.at = 0x40, .pm = PCI_PM_CAP_PME_D0 | PCI_PM_CAP_PME_D3hot),
    IOV_PCI_MSI(.at = 0x50, .vectors = 4, .wide = true, .maskable = true),
    IOV_PCI_MSIX(.at = 0x70, .vectors = 10, .bar = 0, .pending = 0x2000),
    IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512, .flr = true,
                    .generation = 3, .lanes = 4),
    IOV_PCI_VENDOR(.at = 0xe0, .size = 8, .bytes = (const uint8_t[]){ 8, 1, 2, 3, 4, 5 }),
    IOV_PCI_ERROR_REPORTING(.at = 0x100),
    IOV_PCI_SERIAL(.at = 0x148, .serial = 0x0011223344556677),
    IOV_PCI_ARI(.at = 0x158, .next_function = 1),
    IOV_PCI_SRIOV(.at = 0x160, .vfs = 8, .vf_offset = 128, .vf_stride = 2, .vf_device = 0x10ca,
                  .vf_bars = { { .index = 0, .flags = IOV_PCI_BAR_64, .size = 0x4000 },
                               { .index = 3, .flags = IOV_PCI_BAR_64, .size = 0x4000 } }),
    IOV_PCI_ACCESS_CONTROL(.at = 0x1a0, .acs = PCI_ACS_SV | PCI_ACS_RR),
    IOV_PCI_ATS(.at = 0x1b0, .queue_depth = 16),
    IOV_PCI_PAGE_REQUEST(.at = 0x1c0, .requests = 32),
    IOV_PCI_PASID(.at = 0x1d0, .pasid_bits = 20),
};

/* What lspci says of them, with what the rows declare. */
static const char *const decoded[] = {
    "[40] Power Management version 3",
    "[50] MSI: Enable- Count=1/4 Maskable+ 64bit+",
    "[70] MSI-X: Enable- Count=10 Masked-",
    "PBA: BAR=0 offset=00002000",
    "[a0] Express (v2) Endpoint, MSI 00",
    "MaxPayload 512 bytes",
    "FLReset+",
    "Speed 8GT/s, Width x4",
    "[e0] Vendor Specific Information: Len=08",
    "[100 v2] Advanced Error Reporting",
    "[148 v1] Device Serial Number 00-11-22-33-44-55-66-77",
    "[158 v1] Alternative Routing-ID Interpretation (ARI)",
    "Next Function: 1",
    "[160 v1] Single Root I/O Virtualization (SR-IOV)",
    "Initial VFs: 8, Total VFs: 8, Number of VFs: 0",
    "VF offset: 128, stride: 2, Device ID: 10ca",
    "[1a0 v1] Access Control Services",
    "SrcValid+",
    "[1b0 v1] Address Translation Service (ATS)",
    "Invalidate Queue Depth: 10",
    "[1c0 v1] Page Request Interface (PRI)",
    "Page Request Capacity: 00000020",
    "[1d0 v1] Process Address Space ID (PASID)",
    "Max PASID Width: 14",
};

/* How lspci words what it cannot make sense of. */
static const char *const complaints[] = {
    "!!!",     "???",   "chain",         "broken",   "truncated", "unreadable", "Unknown",
    "unknown", "error", "access denied", "Reserved", "invalid",   "Illegal",
};

/* Words that are none: a slot's indicators that are not there; virtio's window into BARs, which
 * lspci 3.9 does not know. */
static const char *const harmless[] = { "AttnInd Unknown, PwrInd Unknown", "ParErr", "CorrErr",
                                        "VirtIO: <unknown>" };

static char *lspci(const char *file, const char *options)
{
    g_autofree char *command = g_strdup_printf("lspci -F %s %s 2>&1", file, options);
    FILE *pipe = popen(command, "r");
    GString *text = g_string_new(NULL);
    char line[1024];

    cr_assert(ne(ptr, pipe, NULL));
    while (fgets(line, sizeof line, pipe) != NULL) {
        if (strstr(line, "libkmod") == NULL) /* a machine without kernel modules */
            g_string_append(text, line);
    }
    cr_assert(eq(int, pclose(pipe), 0), "%s: %s", command, text->str);
    return g_string_free(text, FALSE);
}

static void no_complaint(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        GString *rest = g_string_new(*line);

        for (size_t i = 0; i < G_N_ELEMENTS(harmless); i++)
            g_string_replace(rest, harmless[i], "", 0);
        for (size_t i = 0; i < G_N_ELEMENTS(complaints); i++)
            cr_assert(eq(ptr, strstr(rest->str, complaints[i]), NULL), "%s", *line);
        g_string_free(rest, TRUE);
    }
}

static char *dump(const struct iov_pci_bus *bus)
{
    char *path = g_build_filename(g_get_tmp_dir(), "iovsim-lspci-XXXXXX", NULL);
    int descriptor = g_mkstemp(path);
    FILE *file = fdopen(descriptor, "w");

    cr_assert(ne(ptr, file, NULL));
    cr_assert(gt(uint, iov_pci_dump(file, 0, bus), 0));
    fclose(file);
    return path;
}

Test(lspci, decodes_every_capability_that_rows_can_declare)
{
    struct iov_mem_target target = { .ops = &registers_ops };
    struct iov_pci_bar bars[] = { { .index = 0, .size = 0x4000, .target = &target },
                                  { .size = 0 } };
    struct slot_bus slots = { .bus.ops = &slot_bus_ops };
    struct card card;
    g_autofree char *path = NULL, *text = NULL;

    card_init(&card, &card_header, bars, everything, G_N_ELEMENTS(everything));
    cr_assert(iov_pci_plug(&slots.bus, &card.function, 0x18));
    path = dump(&slots.bus);
    text = lspci(path, "-vvv");
    for (size_t i = 0; i < G_N_ELEMENTS(decoded); i++)
        cr_assert(ne(ptr, strstr(text, decoded[i]), NULL), "no '%s' in\n%s", decoded[i], text);
    no_complaint(text);
    g_unlink(path);
    card_clear(&card);
    iov_pci_bus_clear(&slots.bus);
}

/* ---- Every kind that goes into a slot ---- */

static bool goes_into_a_slot(const struct iov_model_info *info)
{
    for (guint i = 0; i < info->ports->len; i++) {
        const struct iov_port *row = &g_array_index(info->ports, struct iov_port, i);

        if (row->type == IOV_PORT_PCI && row->role == IOV_PORT_TARGET)
            return true;
    }
    return false;
}

/* Block devices look at their disk before they start. */
static void give_a_disk(IovModel *model, struct iov_fake_block *disk)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(model)->info->ports;

    for (guint i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        if (row->type == IOV_PORT_BLOCK && row->role == IOV_PORT_INITIATOR)
            ((struct iov_block_initiator *)iov_model_port(model, row->name, 0))->peer =
                &disk->target;
    }
}

Test(lspci, has_no_complaint_about_any_kind_that_goes_into_a_slot)
{
    struct bench *bench = bench_new(NULL);
    IovModel *host = bench_add(bench, "pci-host", "host");
    g_auto(GStrv) kinds = iov_kind_list();
    g_autofree char *path = NULL, *text = NULL, *tree = NULL;
    struct iov_fake_block *disk = iov_fake_block_new(bench->run.kernel);
    unsigned device = 0;
    GError *error = NULL;

    bench_number(host, "firmware", true);
    bench_prepare(bench);
    for (char **kind = kinds; *kind != NULL; kind++) {
        IovModel *model;

        if (!goes_into_a_slot(iov_kind_info(*kind)))
            continue;
        model = bench_add(bench, *kind, *kind);
        cr_assert(iov_model_prepare(model, &error), "%s", error != NULL ? error->message : "");
        bench_wire_at(host, "slots", model, "pci", 8 * device++);
        give_a_disk(model, disk);
    }
    cr_assert(ge(uint, device, 10));
    bench_start(bench);
    path = dump(iov_model_port(host, "slots", 0));
    text = lspci(path, "-vvv");
    no_complaint(text);
    /* Of the card with assignable interfaces: Scalable IOV, and PASIDs of 20 bits. */
    cr_assert(ne(
        ptr, strstr(text, "[160 v1] Designated Vendor-Specific: Vendor=8086 ID=0005 Rev=0 Len=24"),
        NULL));
    cr_assert(ne(ptr, strstr(text, "[150 v1] Process Address Space ID (PASID)"), NULL));
    tree = lspci(path, "-t");
    cr_assert(ne(ptr, strstr(tree, "[0000:00]"), NULL), "%s", tree);
    g_unlink(path);
    bench_free(bench);
    iov_fake_block_free(disk);
}

/* ---- A hierarchy ---- */

Test(lspci, draws_the_tree_of_root_port_and_switch)
{
    static const struct {
        const char *name, *kind, *above;
        unsigned at;
    } parts[] = {
        { "port", "root-port", "host", 0x10 },
        { "up", "switch-upstream", "port", 0 },
        { "left", "switch-downstream", "up", 0x00 },
        { "right", "switch-downstream", "up", 0x08 },
        { "nic", "e1000", "left", 0 },
        { "igb", "igb", "right", 0 },
    };
    struct bench *bench = bench_new(NULL);
    IovModel *models[G_N_ELEMENTS(parts)];
    IovModel *host = bench_add(bench, "pci-host", "host");
    g_autofree char *path = NULL, *text = NULL, *tree = NULL;

    bench_number(host, "firmware", true);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        models[i] = bench_add(bench, parts[i].kind, parts[i].name);
    bench_prepare(bench);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        IovModel *above = host;

        for (size_t j = 0; j < i; j++) {
            if (strcmp(parts[j].name, parts[i].above) == 0)
                above = models[j];
        }
        bench_wire_at(above, "slots", models[i], "pci", parts[i].at);
    }
    bench_start(bench);
    path = dump(iov_model_port(host, "slots", 0));
    tree = lspci(path, "-t");
    cr_assert(ne(ptr,
                 strstr(tree, "-[0000:00]---02.0-[01-04]----00.0-[02-04]--+-00.0-[03]----00.0"),
                 NULL),
              "%s", tree);
    cr_assert(ne(ptr, strstr(tree, "\\-01.0-[04]----00.0"), NULL), "%s", tree);
    text = lspci(path, "-vvv");
    no_complaint(text);
    cr_assert(ne(ptr, strstr(text, "Express (v2) Upstream Port, MSI 00"), NULL));
    cr_assert(ne(ptr, strstr(text, "Express (v2) Downstream Port (Slot+), MSI 00"), NULL));
    g_unlink(path);
    bench_free(bench);
}

Test(lspci, knows_virtual_functions_by_the_identity_that_their_physical_one_gives_them)
{
    struct bench *bench = bench_new(NULL);
    IovModel *host = bench_add(bench, "pci-host", "host");
    IovModel *port = bench_add(bench, "root-port", "port");
    IovModel *igb = bench_add(bench, "igb", "igb");
    struct iov_pci_function *function;
    g_autofree char *path = NULL, *text = NULL;

    bench_number(host, "firmware", true);
    bench_prepare(bench);
    bench_wire_at(host, "slots", port, "pci", 0x08);
    bench_wire_at(port, "slots", igb, "pci", 0);
    bench_start(bench);
    function = iov_model_port(igb, "pci", 0);
    for (unsigned step = 0; step < 3; step++) {
        static const struct {
            unsigned at;
            uint16_t value;
        } writes[] = { { PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_ARI },
                       { PCI_SRIOV_NUM_VF, 2 },
                       { PCI_SRIOV_CTRL,
                         PCI_SRIOV_CTRL_ARI | PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE } };
        uint16_t value = writes[step].value;
        struct iov_mem_req req =
            bench_req(function->space->sriov + writes[step].at, &value, sizeof value);

        cr_assert(eq(int, function->ops->config_write(function, &req), IOV_STATUS_OK));
    }
    path = dump(iov_model_port(host, "slots", 0));
    text = lspci(path, "-nn -vvv");
    no_complaint(text);
    cr_assert(ne(ptr,
                 strstr(text, "01:10.0 Ethernet controller [0200]: Intel Corporation 82576 "
                              "Virtual Function [8086:10ca]"),
                 NULL),
              "%s", text);
    cr_assert(ne(ptr, strstr(text, "01:10.2 "), NULL));
    cr_assert(
        ne(ptr, strstr(text, "IOVCtl:\tEnable+ Migration- Interrupt- MSE+ ARIHierarchy+"), NULL));
    g_unlink(path);
    bench_free(bench);
}
