/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See bus.h. A bus keeps two maps of what its functions decode. They are made anew when a
 * function's windows change, in the order of function numbers: where windows overlap, which only a
 * mistake of software can bring about, the lower function number answers and the other window is
 * not decoded at all. LIMIT: real functions would answer both.
 */
#include "core/pci/bus.h"

#include "core/pci/pci-private.h"

/* ---- Decoding ---- */

static void add_windows(struct iov_pci_bus *bus, const struct iov_pci_function *function)
{
    for (unsigned i = 0; i < function->claimed_count; i++) {
        const struct iov_pci_window *window = &function->claimed[i];

        (void)iov_mem_map_add(window->io ? &bus->io : &bus->memory, window->base, window->size,
                              window->target);
    }
}

static void map_empty(struct iov_mem_map *map)
{
    map->count = 0;
    map->last = NULL;
    map->before = NULL;
}

static void decode_anew(struct iov_pci_bus *bus)
{
    map_empty(&bus->memory);
    map_empty(&bus->io);
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        if (bus->functions[i] != NULL)
            add_windows(bus, bus->functions[i]);
    }
}

static bool same_windows(const struct iov_pci_function *function,
                         const struct iov_pci_window *windows, unsigned count)
{
    if (count != function->claimed_count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const struct iov_pci_window *a = &windows[i], *b = &function->claimed[i];

        if (a->base != b->base || a->size != b->size || a->target != b->target || a->io != b->io)
            return false;
    }
    return true;
}

void iov_pci_decode_changed(struct iov_pci_function *function)
{
    struct iov_pci_window windows[IOV_PCI_WINDOWS_MAX];
    unsigned count = 0;

    if (function->bus == NULL)
        return;
    if (function->ops != NULL && function->ops->windows != NULL)
        count = function->ops->windows(function, windows);
    IOV_REQUIRE(count <= IOV_PCI_WINDOWS_MAX);
    if (same_windows(function, windows, count))
        return;
    memcpy(function->claimed, windows, count * sizeof *windows);
    function->claimed_count = count;
    decode_anew(function->bus);
}

/* ---- INTx ---- */

void pci_intx_tell(struct iov_pci_function *function, bool level, struct iov_span *span)
{
    struct iov_pci_bus *bus = function->bus;
    unsigned pin = 1;

    if (function->space != NULL && function->space->bytes != NULL)
        pin = function->space->bytes[PCI_INTERRUPT_PIN];
    if (bus != NULL && bus->ops != NULL && bus->ops->intx != NULL && pin >= 1 && pin <= 4)
        bus->ops->intx(bus, function, pin, level, span);
}

/* SPEC: PCI Local Bus 3.0, 6.2.3: the status bit shows the request; "interrupt disable" keeps it
 * from the pin. */
static void intx_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct iov_pci_function *function = iov_container_of(sink, struct iov_pci_function, intx);
    struct iov_pci_space *space = function->space;

    if (space != NULL && space->bytes != NULL) {
        if (level)
            space->bytes[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
        else
            space->bytes[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
        if (iov_pci_get16(space, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)
            return;
    }
    pci_intx_tell(function, level, span);
}

static const struct iov_irq_sink_ops intx_ops = { .set = intx_set };

/* ---- Plugging ---- */

bool iov_pci_plug(struct iov_pci_bus *bus, struct iov_pci_function *function, uint8_t devfn)
{
    if (bus->functions[devfn] != NULL || function->bus != NULL)
        return false;
    bus->functions[devfn] = function;
    function->bus = bus;
    function->devfn = devfn;
    function->requester = (uint16_t)(bus->number << 8 | devfn);
    function->intx.ops = &intx_ops;
    function->claimed_count = 0;
    if (function->dma != NULL && function->dma->peer == NULL)
        function->dma->peer = bus->upstream;
    if (function->interrupt != NULL && function->interrupt->peer == NULL) {
        function->interrupt->peer = &function->intx;
        if (function->interrupt->level)
            intx_set(&function->intx, true, NULL);
    }
    iov_pci_decode_changed(function);
    if (bus->ops != NULL && bus->ops->plugged != NULL)
        bus->ops->plugged(bus, function, true);
    return true;
}

static void detach(struct iov_pci_function *function)
{
    struct iov_pci_bus *bus = function->bus;

    bus->functions[function->devfn] = NULL;
    if (function->dma != NULL && function->dma->peer == bus->upstream)
        function->dma->peer = NULL;
    if (function->interrupt != NULL && function->interrupt->peer == &function->intx)
        function->interrupt->peer = NULL;
    function->bus = NULL;
    function->claimed_count = 0;
}

void iov_pci_function_clear(struct iov_pci_function *function)
{
    struct iov_pci_bus *bus = function->bus;

    if (bus == NULL)
        return;
    detach(function);
    decode_anew(bus);
}

void iov_pci_unplug(struct iov_pci_function *function)
{
    struct iov_pci_bus *bus = function->bus;

    if (bus == NULL)
        return;
    if (function->interrupt != NULL && function->interrupt->peer == &function->intx &&
        function->interrupt->level)
        pci_intx_tell(function, false, NULL);
    iov_pci_function_clear(function);
    if (bus->ops != NULL && bus->ops->plugged != NULL)
        bus->ops->plugged(bus, function, false);
}

void iov_pci_bus_clear(struct iov_pci_bus *bus)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        if (bus->functions[i] != NULL)
            detach(bus->functions[i]);
    }
    iov_mem_map_clear(&bus->memory);
    iov_mem_map_clear(&bus->io);
}

/* ---- Numbers and configuration accesses ---- */

void iov_pci_bus_renumber(struct iov_pci_bus *bus, uint8_t number)
{
    bus->number = number;
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        if (bus->functions[i] != NULL)
            bus->functions[i]->requester = (uint16_t)(number << 8 | i);
    }
}

/* The bridge on `from` behind which bus `number` lies. */
static struct iov_pci_function *find_bridge(const struct iov_pci_bus *from, unsigned number)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *bridge = from->functions[i];
        const uint8_t *bytes;

        if (bridge == NULL || bridge->secondary == NULL || bridge->space == NULL ||
            bridge->space->bytes == NULL)
            continue;
        bytes = bridge->space->bytes;
        /* A bridge that nobody has numbered leads nowhere: bus 0 is a root bus. */
        if (bytes[PCI_SECONDARY_BUS] != 0 && bytes[PCI_SECONDARY_BUS] <= number &&
            number <= bytes[PCI_SUBORDINATE_BUS])
            return bridge;
    }
    return NULL;
}

static enum iov_status access_function(struct iov_pci_function *function, struct iov_mem_req *req,
                                       bool write)
{
    if (function == NULL || function->ops == NULL)
        return IOV_STATUS_UNSUPPORTED;
    return write ? function->ops->config_write(function, req)
                 : function->ops->config_read(function, req);
}

/* The depth is that of the wired tree, whatever the bus numbers say. */
enum iov_status iov_pci_config_access(struct iov_pci_bus *from, unsigned bus, unsigned devfn,
                                      struct iov_mem_req *req, bool write)
{
    enum iov_status status = IOV_STATUS_UNSUPPORTED;
    struct iov_pci_function *bridge;

    if (bus == from->number) {
        if (devfn < IOV_PCI_FUNCTIONS)
            status = access_function(from->functions[devfn], req, write);
    } else {
        bridge = find_bridge(from, bus);
        if (bridge != NULL && bridge->ops->forward != NULL)
            status = bridge->ops->forward(bridge, bus, devfn, req, write);
        else if (bridge != NULL)
            status = iov_pci_config_access(bridge->secondary, bus, devfn, req, write);
    }
    if (status != IOV_STATUS_OK && !write)
        memset(req->data, 0xff, req->size);
    return status;
}

void iov_pci_bus_reset(struct iov_pci_bus *bus, enum iov_pci_reset kind)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *function = bus->functions[i];

        if (function == NULL)
            continue;
        if (function->secondary != NULL)
            iov_pci_bus_reset(function->secondary, kind);
        if (function->ops != NULL && function->ops->reset != NULL)
            function->ops->reset(function, kind);
        else if (function->space != NULL && function->space->bytes != NULL)
            iov_pci_space_reset(function->space, kind);
    }
}
