/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a BIOS does to PCI before it starts an operating system, in no time: numbers buses, assigns
 * addresses, enables.
 *
 * Buses are numbered depth first in the order of function numbers. A bus takes three kinds of
 * address: memory below 4 GiB, 64-bit prefetchable memory, I/O. On each bus what needs an address
 * is placed by falling alignment, then falling size, then function number, then register; so a
 * single device's largest BAR lies at the very beginning of its bridge's window, and the first
 * bridge's window at the beginning of the host's. A bridge's window is a multiple of 1 MiB (I/O: 4
 * KiB). VF BARs get room for all VFs. ROMs get an address but stay disabled. Unlike most BIOSes it
 * enables bus mastering and ARI forwarding, too: drivers here touch neither.
 */
#include "models/pcie/pci-host-private.h"

enum { SPACE_MEMORY, SPACE_PREFETCH, SPACE_IO, SPACES };

#define BRIDGE_MEMORY_UNIT (UINT64_C(1) << 20)
#define BRIDGE_IO_UNIT UINT64_C(0x1000)

/* One register that wants an address: a BAR, or the window of a bridge (`at` 0). */
struct want {
    struct iov_pci_function *function;
    uint64_t size, align;
    uint16_t at;
    bool wide;
};

static void put(struct iov_pci_function *function, uint16_t at, uint32_t size, uint32_t value)
{
    uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                         (uint8_t)(value >> 24) };
    struct iov_mem_req req = { .address = at, .data = bytes, .size = size, .pasid = IOV_NO_PASID };

    (void)function->ops->config_write(function, &req);
}

static bool has_space(const struct iov_pci_function *function)
{
    return function != NULL && function->ops != NULL && function->space != NULL &&
           function->space->bytes != NULL;
}

/* ---- Bus numbers ---- */

static void number_bus(struct iov_pci_bus *bus, unsigned *last)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *bridge = bus->functions[i];

        if (!has_space(bridge) || bridge->secondary == NULL || *last == 255)
            continue;
        ++*last;
        put(bridge, PCI_PRIMARY_BUS, 1, bus->number);
        put(bridge, PCI_SECONDARY_BUS, 1, *last);
        put(bridge, PCI_SUBORDINATE_BUS, 1, 255);
        number_bus(bridge->secondary, last);
        put(bridge, PCI_SUBORDINATE_BUS, 1, *last);
    }
}

/* ---- Addresses ---- */

static unsigned space_of(uint8_t flags)
{
    const uint8_t high = IOV_PCI_BAR_64 | IOV_PCI_BAR_PREFETCH;

    if (flags & IOV_PCI_BAR_IO)
        return SPACE_IO;
    return (flags & high) == high ? SPACE_PREFETCH : SPACE_MEMORY;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const struct want *x = a, *y = b;

    if (x->align != y->align)
        return x->align > y->align ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->function->devfn != y->function->devfn)
        return x->function->devfn < y->function->devfn ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static GArray *wants_of(struct iov_pci_bus *bus, unsigned space);

/* What a bus needs of one kind of address, and the alignment. */
static uint64_t need(struct iov_pci_bus *bus, unsigned space, uint64_t *ret_align)
{
    GArray *wants = wants_of(bus, space);
    uint64_t end = 0;

    *ret_align = 1;
    for (guint i = 0; i < wants->len; i++) {
        const struct want *want = &g_array_index(wants, struct want, i);

        end = align_up(end, want->align) + want->size;
        if (want->align > *ret_align)
            *ret_align = want->align;
    }
    g_array_unref(wants);
    return end;
}

static void add_bars(GArray *wants, struct iov_pci_function *function, unsigned space)
{
    const struct iov_pci_space *config = function->space;
    bool bridge = function->secondary != NULL;

    for (unsigned i = 0; i < IOV_PCI_BARS; i++) {
        const struct iov_pci_bar *bar = &config->bars[i];
        uint16_t at = (uint16_t)(PCI_BASE_ADDRESS_0 + 4 * i);

        if (bar->size == 0 || config->virtual_function || space_of(bar->flags) != space)
            continue;
        if (i == IOV_PCI_ROM)
            at = bridge ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
        struct want want = { function, bar->size, bar->size, at, bar->flags & IOV_PCI_BAR_64 };
        g_array_append_val(wants, want);
    }
    for (unsigned i = 0; config->sriov != 0 && i < PCI_SRIOV_NUM_BARS; i++) {
        uint64_t size = iov_pci_vf_bar_size(config, i);
        uint16_t at = (uint16_t)(config->sriov + PCI_SRIOV_BAR + 4 * i);
        uint8_t low = config->bytes[at];
        uint8_t flags = (uint8_t)((low & PCI_BASE_ADDRESS_MEM_TYPE_64 ? IOV_PCI_BAR_64 : 0) |
                                  (low & PCI_BASE_ADDRESS_MEM_PREFETCH ? IOV_PCI_BAR_PREFETCH : 0));

        if (size == 0 || space_of(flags) != space)
            continue;
        struct want want = {
            function, size * iov_pci_get16(config, (uint16_t)(config->sriov + PCI_SRIOV_TOTAL_VF)),
            size, at, flags & IOV_PCI_BAR_64
        };
        g_array_append_val(wants, want);
    }
}

static void add_window(GArray *wants, struct iov_pci_function *bridge, unsigned space)
{
    uint64_t unit = space == SPACE_IO ? BRIDGE_IO_UNIT : BRIDGE_MEMORY_UNIT, align;
    uint64_t size = need(bridge->secondary, space, &align);
    struct want want = { bridge, align_up(size, unit), MAX(align, unit), 0, false };

    if (size > 0)
        g_array_append_val(wants, want);
}

static GArray *wants_of(struct iov_pci_bus *bus, unsigned space)
{
    GArray *wants = g_array_new(FALSE, FALSE, sizeof(struct want));

    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        if (!has_space(bus->functions[i]))
            continue;
        add_bars(wants, bus->functions[i], space);
        if (bus->functions[i]->secondary != NULL)
            add_window(wants, bus->functions[i], space);
    }
    g_array_sort(wants, compare);
    return wants;
}

/* A window from `first` to `last`; closed if first > last. */
static void set_window(struct iov_pci_function *bridge, unsigned space, uint64_t first,
                       uint64_t last)
{
    if (space == SPACE_IO) {
        put(bridge, PCI_IO_BASE, 1, (uint32_t)(first >> 8) & 0xf0);
        put(bridge, PCI_IO_LIMIT, 1, (uint32_t)(last >> 8) & 0xf0);
    } else if (space == SPACE_MEMORY) {
        put(bridge, PCI_MEMORY_BASE, 2, (uint32_t)(first >> 16) & 0xfff0);
        put(bridge, PCI_MEMORY_LIMIT, 2, (uint32_t)(last >> 16) & 0xfff0);
    } else {
        put(bridge, PCI_PREF_MEMORY_BASE, 2, (uint32_t)(first >> 16) & 0xfff0);
        put(bridge, PCI_PREF_MEMORY_LIMIT, 2, (uint32_t)(last >> 16) & 0xfff0);
        put(bridge, PCI_PREF_BASE_UPPER32, 4, (uint32_t)(first >> 32));
        put(bridge, PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(last >> 32));
    }
}

static unsigned assign(struct iov_pci_bus *bus, unsigned space, struct pci_range *range)
{
    GArray *wants = wants_of(bus, space);
    unsigned failed = 0;

    for (guint i = 0; i < wants->len; i++) {
        const struct want *want = &g_array_index(wants, struct want, i);
        uint64_t base = align_up(range->next, want->align);
        uint64_t taken = base - range->next + want->size;

        if (taken > range->left) {
            failed++;
            continue;
        }
        range->next += taken;
        range->left -= taken;
        if (want->at == 0) {
            struct pci_range inside = { base, want->size };

            set_window(want->function, space, base, base + want->size - 1);
            failed += assign(want->function->secondary, space, &inside);
            continue;
        }
        put(want->function, want->at, 4, (uint32_t)base);
        if (want->wide)
            put(want->function, (uint16_t)(want->at + 4), 4, (uint32_t)(base >> 32));
    }
    g_array_unref(wants);
    return failed;
}

/* ---- Enabling ---- */

static void close_windows(struct iov_pci_bus *bus)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *bridge = bus->functions[i];

        if (!has_space(bridge) || bridge->secondary == NULL)
            continue;
        for (unsigned space = 0; space < SPACES; space++)
            set_window(bridge, space, space == SPACE_IO ? 0xf000 : UINT64_C(0xfff00000), 0);
        close_windows(bridge->secondary);
    }
}

/* Functions beyond 7 are reached only if the port above forwards the ARI way. */
static void forward_ari(struct iov_pci_function *bridge)
{
    const struct iov_pci_space *port = bridge->space;
    const struct iov_pci_function *first = bridge->secondary->functions[0];
    uint16_t control = (uint16_t)(port->express + PCI_EXP_DEVCTL2);

    if (port->express == 0 || !has_space(first) || first->space->ari == 0)
        return;
    put(bridge, control, 2, iov_pci_get16(port, control) | PCI_EXP_DEVCTL2_ARI);
}

static void enable(struct iov_pci_bus *bus)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *function = bus->functions[i];

        if (!has_space(function))
            continue;
        put(function, PCI_COMMAND, 2,
            PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
        if (function->secondary == NULL)
            continue;
        forward_ari(function);
        enable(function->secondary);
    }
}

unsigned pci_firmware_run(struct pci_firmware *firmware, struct iov_pci_bus *root)
{
    unsigned last = root->number, failed;

    number_bus(root, &last);
    close_windows(root);
    failed = assign(root, SPACE_MEMORY, &firmware->memory);
    failed += assign(root, SPACE_PREFETCH, &firmware->prefetch);
    failed += assign(root, SPACE_IO, &firmware->io);
    enable(root);
    return failed;
}
