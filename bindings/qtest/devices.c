/* SPDX-License-Identifier: Apache-2.0 */
/* The table of machines and devices. */
#include "bindings/qtest/devices.h"

#include <stdint.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)

static const struct machine_row machines[] = {
    { "pc-i440fx-7.2", "pc", "machines/pc.yaml", 7 * GIB / 2, 3 * GIB, true, true },
    { "pc-q35-7.2", "q35", "machines/q35.yaml", 11 * GIB / 4, 2 * GIB, false, true },
    { "none", NULL, "machines/none.yaml", 3 * GIB, 3 * GIB, false, false },
};

/* ---- Options ---- */

/* Options of every PCI device that change nothing here; addr, bus, id, netdev, drive are the front
 * end's own. */
static const struct key_row pci_keys[] = {
    { "romfile", NULL },
    { "rombar", NULL },
    { "bootindex", NULL },
    { "multifunction", NULL },
    { "acpi-index", NULL },
    { "failover_pair_id", NULL },
    { "x-pcie-lnksta-dllla", NULL },
    { "x-pcie-extcap-init", NULL },
    { NULL, NULL },
};
static const struct key_row iommu_keys[] = {
    { "aw-bits", "aw-bits" },
    { "intremap", "intremap" },
    { "eim", "eim" },
    { "pt", "pt" },
    { "caching-mode", "caching-mode" },
    { "snoop-control", "snoop-control" },
    { "device-iotlb", "device-iotlb" },
    { "dma-drain", "dma-drain" },
    { "dma-translation", "dma-translation" },
    { "x-scalable-mode", "scalable-mode" },
    { "x-pasid-mode", "pasid-mode" },
    { "version", NULL },
    { "x-buggy-eim", NULL },
    { NULL, NULL },
};
static const struct key_row net_keys[] = {
    { "mq", NULL },
    { "vectors", NULL },
    { "event_idx", "event-index" },
    { "indirect_desc", "indirect" },
    { "mrg_rxbuf", "mergeable-buffers" },
    { "host_mtu", "mtu" },
    { "iommu_platform", NULL },
    { "ats", NULL },
    { "status", NULL },
    { "rx_queue_size", NULL },
    { "tx_queue_size", NULL },
    { NULL, NULL },
};
static const struct key_row blk_keys[] = {
    { "serial", "serial" },
    { "num-queues", "num-queues" },
    { "queue-size", "queue-size" },
    { "logical_block_size", "logical-block-size" },
    { "event_idx", "event-index" },
    { "indirect_desc", "indirect" },
    { "packed", "packed" },
    { "vectors", NULL },
    { "iothread", NULL },
    { "scsi", NULL },
    { "share-rw", NULL },
    { "write-cache", NULL },
    { "physical_block_size", NULL },
    { "seg-max-adjust", NULL },
    { "iommu_platform", NULL },
    { "ats", NULL },
    { NULL, NULL },
};
static const struct key_row ide_keys[] = {
    { "drive", NULL }, { "serial", NULL }, { "unit", NULL }, { "bootindex", NULL },
    { "ver", NULL },   { "model", NULL },  { NULL, NULL },
};
static const struct key_row port_keys[] = {
    { "port", "number" },       { "slot", NULL },           { "chassis", NULL },
    { "hotplug", NULL },        { "x-speed", NULL },        { "x-width", NULL },
    { "bus-reserve", NULL },    { "io-reserve", NULL },     { "mem-reserve", NULL },
    { "pref32-reserve", NULL }, { "pref64-reserve", NULL }, { NULL, NULL },
};
static const struct key_row stand_in_keys[] = { { "serial", NULL },
                                                { "drive", NULL },
                                                { NULL, NULL } };
static const struct key_row edu_keys[] = { { "dma_mask", "dma-mask" }, { NULL, NULL } };

/* ---- Devices ---- */

static const struct device_row devices[] = {
    { .name = "object", .flags = DEVICE_LISTED },
    { .name = "device", .parent = "object", .flags = DEVICE_LISTED },
    { .name = "bus", .parent = "object", .flags = DEVICE_LISTED },
    { .name = "sys-bus-device", .parent = "device", .flags = DEVICE_LISTED },
    { .name = "pci-device", .parent = "device", .flags = DEVICE_LISTED },
    { .name = "virtio-pci", .parent = "pci-device", .flags = DEVICE_LISTED },
    { .name = "PCI", .parent = "bus", .flags = DEVICE_LISTED },
    { .name = "PCIE", .parent = "PCI", .flags = DEVICE_LISTED },
    { .name = "pci-host-bridge", .parent = "sys-bus-device", .flags = DEVICE_LISTED },
    { .name = "q35-pcihost", .parent = "pci-host-bridge", .flags = DEVICE_LISTED },
    { .name = "i440FX-pcihost", .parent = "pci-host-bridge", .flags = DEVICE_LISTED },
    { .name = "memory-backend-ram", .parent = "object", .flags = DEVICE_LISTED },
    {
        .name = "intel-iommu",
        .parent = "sys-bus-device",
        .kind = "vt-d",
        .flags = DEVICE_ONCE,
        .fixed = "aw-bits: 39",
        .wires = "{ from: @.bus, to: bus.port }\n"
                 "{ from: @.message, to: messages.extended }\n"
                 "{ from: bus.windows, to: @.registers, at: 0xfed90000 }",
        .parameters = "dma: @.upstream",
        .keys = iommu_keys,
    },
    {
        .name = "edu",
        .parent = "pci-device",
        .kind = "edu",
        .flags = DEVICE_PCI,
        .keys = edu_keys,
    },
    {
        .name = "virtio-net-pci",
        .parent = "virtio-pci",
        .kind = "virtio-net",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "interface: transitional, setup: reset, extended-control: on",
        .packet = "wire",
        .keys = net_keys,
    },
    {
        .name = "virtio-net-pci-transitional",
        .parent = "virtio-net-pci",
        .kind = "virtio-net",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "interface: transitional, setup: reset, extended-control: on",
        .packet = "wire",
        .keys = net_keys,
    },
    {
        .name = "virtio-net-pci-non-transitional",
        .parent = "virtio-net-pci",
        .kind = "virtio-net",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "interface: modern, setup: reset, extended-control: on",
        .packet = "wire",
        .keys = net_keys,
    },
    {
        .name = "e1000",
        .parent = "pci-device",
        .kind = "e1000",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "placement: software",
        .packet = "wire",
    },
    {
        .name = "igb",
        .parent = "pci-device",
        .kind = "igb",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "enabled-at-start: off",
        .packet = "wire",
    },
    {
        .name = "virtio-blk-pci",
        .parent = "virtio-pci",
        .kind = "virtio-blk",
        .flags = DEVICE_PCI | DEVICE_BLOCK,
        .fixed = "interface: transitional, setup: reset",
        .block = "disk",
        .keys = blk_keys,
    },
    {
        .name = "virtio-blk-pci-transitional",
        .parent = "virtio-blk-pci",
        .kind = "virtio-blk",
        .flags = DEVICE_PCI | DEVICE_BLOCK,
        .fixed = "interface: transitional, setup: reset",
        .block = "disk",
        .keys = blk_keys,
    },
    {
        .name = "virtio-blk-pci-non-transitional",
        .parent = "virtio-blk-pci",
        .kind = "virtio-blk",
        .flags = DEVICE_PCI | DEVICE_BLOCK,
        .fixed = "interface: modern, setup: reset",
        .block = "disk",
        .keys = blk_keys,
    },
    {
        .name = "pcie-root-port",
        .parent = "pci-device",
        .kind = "root-port",
        .flags = DEVICE_PCI | DEVICE_BUS,
        .fixed = "vendor-id: 0x1b36, device-id: 0x000c",
        .keys = port_keys,
    },
    {
        .name = "ioh3420",
        .parent = "pci-device",
        .kind = "root-port",
        .flags = DEVICE_PCI | DEVICE_BUS,
        .keys = port_keys,
    },
    {
        .name = "x3130-upstream",
        .parent = "pci-device",
        .kind = "switch-upstream",
        .flags = DEVICE_PCI | DEVICE_BUS,
        .keys = port_keys,
    },
    {
        .name = "xio3130-downstream",
        .parent = "pci-device",
        .kind = "switch-downstream",
        .flags = DEVICE_PCI | DEVICE_BUS,
        .keys = port_keys,
    },
    { .name = "ahci", .parent = "pci-device", .kind = "ahci", .flags = DEVICE_PCI | DEVICE_BUS },
    { .name = "ide-hd", .parent = "device", .keys = ide_keys },
    { .name = "ide-cd", .parent = "device", .keys = ide_keys },
    {
        .name = "e1000e",
        .parent = "pci-device",
        .kind = "e1000e",
        .flags = DEVICE_PCI | DEVICE_NETWORK,
        .fixed = "placement: software",
        .packet = "wire",
    },
    {
        .name = "nvme",
        .parent = "pci-device",
        .kind = "stand-in",
        .flags = DEVICE_PCI | DEVICE_BLOCK,
        .fixed = "identity: nvme",
        .keys = stand_in_keys,
    },
};

const struct machine_row *machine_row_at(unsigned index)
{
    return index < G_N_ELEMENTS(machines) ? &machines[index] : NULL;
}

/* `pc-q35-6.0` is q35 as well: versions of a machine do not differ here. */
const struct machine_row *machine_row_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
        const char *dash = strrchr(machines[i].name, '-');

        if (g_strcmp0(machines[i].alias, name) == 0 || strcmp(machines[i].name, name) == 0)
            return &machines[i];
        if (dash != NULL &&
            strncmp(machines[i].name, name, (gsize)(dash - machines[i].name) + 1) == 0 &&
            g_ascii_isdigit(name[dash - machines[i].name + 1]))
            return &machines[i];
    }
    return NULL;
}

const struct device_row *device_row_at(unsigned index)
{
    return index < G_N_ELEMENTS(devices) ? &devices[index] : NULL;
}

const struct device_row *device_row_find(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
        if (strcmp(devices[i].name, name) == 0)
            return &devices[i];
    }
    return NULL;
}

static const struct key_row *key_find(const struct key_row *rows, const char *key)
{
    for (; rows != NULL && rows->key != NULL; rows++) {
        if (strcmp(rows->key, key) == 0)
            return rows;
    }
    return NULL;
}

const struct key_row *device_key_find(const struct device_row *row, const char *key)
{
    const struct key_row *found = key_find(row->keys, key);

    return found == NULL && row->flags & DEVICE_PCI ? key_find(pci_keys, key) : found;
}

bool device_row_is(const struct device_row *row, const char *type)
{
    for (unsigned depth = 0; row != NULL && depth < 16; depth++) {
        if (strcmp(row->name, type) == 0)
            return true;
        row = row->parent != NULL ? device_row_find(row->parent) : NULL;
    }
    return false;
}
