/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of the virtio PCI transport: the rows of its header, MSI-X and vendor
 * capabilities, laid out as QEMU's devices on a root bus have them (MSI-X at 0x98, then PCI_CFG,
 * NOTIFY, DEVICE, ISR, COMMON downwards), and what is the transport's own about it: the window of
 * PCI_CFG, INTx, the BAR with table and pending bits of MSI-X.
 *
 * LIMIT: no PCI Express and power-management capability.
 */
#include "models/virtio/virtio-pci-private.h"

/* Places of the capabilities. */
#define CAP_COMMON 0x40
#define CAP_ISR 0x50
#define CAP_DEVICE 0x60
#define CAP_NOTIFY 0x70
#define CAP_PCI_CFG 0x84
#define CAP_MSIX 0x98
#define CFG_DATA (CAP_PCI_CFG + VIRTIO_PCI_CAP_CFG_DATA)

/* Content of a vendor capability behind the 2 bytes of the list: length, type, BAR, 3 bytes of
 * nothing, offset, size. */
#define WORD(value) \
    (uint8_t)(value), (uint8_t)((value) >> 8), (uint8_t)((value) >> 16), (uint8_t)((value) >> 24)
#define STRUCTURE(length, type, bar, offset, bytes) \
    length, type, bar, 0, 0, 0, WORD(offset), WORD(bytes)

static const uint8_t common[] = { STRUCTURE(16, VIRTIO_PCI_CAP_COMMON, VIRTIO_PCI_BAR_MODERN,
                                            VIRTIO_PCI_REGION_COMMON, VIRTIO_PCI_REGION_SIZE) };
static const uint8_t isr[] = { STRUCTURE(16, VIRTIO_PCI_CAP_ISR, VIRTIO_PCI_BAR_MODERN,
                                         VIRTIO_PCI_REGION_ISR, VIRTIO_PCI_REGION_SIZE) };
static const uint8_t device[] = { STRUCTURE(16, VIRTIO_PCI_CAP_DEVICE, VIRTIO_PCI_BAR_MODERN,
                                            VIRTIO_PCI_REGION_DEVICE, VIRTIO_PCI_REGION_SIZE) };
static const uint8_t notify[] = { STRUCTURE(20, VIRTIO_PCI_CAP_NOTIFY, VIRTIO_PCI_BAR_MODERN,
                                            VIRTIO_PCI_REGION_NOTIFY, VIRTIO_PCI_REGION_SIZE),
                                  WORD(VIRTIO_PCI_NOTIFY_MULTIPLIER) };
static const uint8_t window[] = { STRUCTURE(20, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0), WORD(0) };
static const uint8_t window_writable[] = {
    0, 0, 0xff, 0, 0, 0, WORD(UINT32_MAX), WORD(UINT32_MAX), WORD(UINT32_MAX)
};

/* What firmware or a kernel has written before the run: part of the reset values. */
static void preset(IovVirtioPci *pci)
{
    uint8_t *sets[] = { pci->space.bytes, pci->space.reset };

    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++) {
        if (pci->setup != IOV_VIRTIO_SETUP_RESET)
            sets[i][PCI_COMMAND] |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
        if (pci->setup != IOV_VIRTIO_SETUP_RESET && pci->interface == IOV_VIRTIO_TRANSITIONAL)
            sets[i][PCI_COMMAND] |= PCI_COMMAND_IO;
        if (pci->setup == IOV_VIRTIO_SETUP_MSIX)
            sets[i][CAP_MSIX + PCI_MSIX_FLAGS + 1] |= PCI_MSIX_FLAGS_ENABLE >> 8;
    }
}

static void on_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                       uint16_t size)
{
    IovVirtioPci *pci = iov_container_of(function, IovVirtioPci, pci);

    (void)offset;
    (void)size;
    if (what & IOV_PCI_CHANGED_MASTER)
        pci->access.enabled = iov_pci_master(&pci->space);
    if (what & (IOV_PCI_CHANGED_INTX | IOV_PCI_CHANGED_MSI))
        iov_virtio_intx_update(pci, NULL);
}

/* SPEC: 4.1.2.1: IDs and revision. 4.1.4: the structures and where they are. */
void iov_virtio_config_init(IovVirtioPci *pci)
{
    bool transitional = pci->interface == IOV_VIRTIO_TRANSITIONAL;
    const struct iov_pci_header header = {
        .vendor = VIRTIO_PCI_VENDOR,
        .device = transitional ? pci->ops->legacy_id
                               : (uint16_t)(VIRTIO_PCI_DEVICE_MODERN + pci->ops->type),
        .subsystem_vendor = VIRTIO_PCI_VENDOR,
        .subsystem = transitional ? pci->ops->type : VIRTIO_PCI_SUBSYSTEM,
        .class_code = pci->ops->class_code,
        .revision = transitional ? 0 : 1,
        .interrupt_pin = 1,
        .conventional = true,
        .scratch = true,
    };
    const struct iov_pci_bar bars[] = {
        { .index = VIRTIO_PCI_BAR_MSIX, .size = VIRTIO_PCI_BAR_MSIX_SIZE, .target = &pci->msix },
        { .index = VIRTIO_PCI_BAR_MODERN,
          .flags = IOV_PCI_BAR_64 | IOV_PCI_BAR_PREFETCH,
          .size = VIRTIO_PCI_BAR_MODERN_SIZE,
          .target = &pci->registers },
        { .index = VIRTIO_PCI_BAR_LEGACY,
          .flags = IOV_PCI_BAR_IO,
          .size = transitional ? pci->legacy.size : 0,
          .target = &pci->legacy },
        { .size = 0 },
    };
    const struct iov_pci_capability capabilities[] = {
        IOV_PCI_MSIX(.at = CAP_MSIX, .vectors = (uint16_t)pci->vector_count,
                     .bar = VIRTIO_PCI_BAR_MSIX, .table = 0, .pending = VIRTIO_PCI_MSIX_PBA),
        IOV_PCI_VENDOR(.at = CAP_PCI_CFG, .size = 20, .bytes = window, .writable = window_writable),
        IOV_PCI_VENDOR(.at = CAP_NOTIFY, .size = 20, .bytes = notify),
        IOV_PCI_VENDOR(.at = CAP_DEVICE, .size = 16, .bytes = device),
        IOV_PCI_VENDOR(.at = CAP_ISR, .size = 16, .bytes = isr),
        IOV_PCI_VENDOR(.at = CAP_COMMON, .size = 16, .bytes = common),
    };

    iov_pci_space_init(&pci->space, &pci->pci, &header, bars, capabilities,
                       G_N_ELEMENTS(capabilities));
    pci->space.changed = on_changed;
    preset(pci);
    pci->pci.requester = pci->requester_id;
    pci->access.requester = pci->requester_id;
    pci->access.enabled = iov_pci_master(&pci->space);
}

static void function_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    IovVirtioPci *pci = iov_container_of(function, IovVirtioPci, pci);

    iov_virtio_reset(pci);
    iov_pci_space_reset(&pci->space, kind);
    pci->access.enabled = iov_pci_master(&pci->space);
}

/* In a slot core/pci sees to the status bit and to "interrupt disable". */
void iov_virtio_intx_update(IovVirtioPci *pci, struct iov_span *span)
{
    bool wanted = pci->isr != 0 && !iov_virtio_msix_enabled(pci);

    if (pci->interrupt.peer != &pci->pci.intx) {
        uint8_t *status = &pci->space.bytes[PCI_STATUS];

        *status =
            (uint8_t)((*status & ~PCI_STATUS_INTERRUPT) | (wanted ? PCI_STATUS_INTERRUPT : 0));
        if (iov_pci_get16(&pci->space, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)
            wanted = false;
    }
    iov_irq_set(&pci->interrupt, wanted, span);
}

/* ---- Accesses to configuration space ---- */

/* SPEC: 4.1.4.9: a window into BAR 4 for software that cannot map it. */
static void cfg_window(IovVirtioPci *pci, bool write)
{
    uint32_t offset = iov_pci_get32(&pci->space, CAP_PCI_CFG + VIRTIO_PCI_CAP_OFFSET);
    uint32_t size = iov_pci_get32(&pci->space, CAP_PCI_CFG + VIRTIO_PCI_CAP_SIZE);
    struct iov_mem_req req = {
        .address = offset, .data = &pci->space.bytes[CFG_DATA], .size = size, .pasid = IOV_NO_PASID
    };

    if (pci->space.bytes[CAP_PCI_CFG + VIRTIO_PCI_CAP_BAR] != VIRTIO_PCI_BAR_MODERN ||
        (size != 1 && size != 2 && size != 4) || offset % size != 0)
        return;
    if (write)
        (void)iov_virtio_registers_write(&pci->registers, &req);
    else
        (void)iov_virtio_registers_read(&pci->registers, &req);
}

static bool touches(const struct iov_mem_req *req, uint64_t offset, uint32_t size)
{
    return req->address < offset + size && req->address + req->size > offset;
}

static enum iov_status function_read(struct iov_pci_function *function, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(function, IovVirtioPci, pci);

    if (touches(req, CFG_DATA, 4) && (req->flags & IOV_MEM_DEBUG) == 0)
        cfg_window(pci, false);
    return iov_pci_space_read(function, req);
}

/* SPEC: PCI Express Base 5.0, 2.2.6.2: a function learns its bus number from writes to its
 * configuration. */
static enum iov_status function_write(struct iov_pci_function *function, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(function, IovVirtioPci, pci);
    enum iov_status status = iov_pci_space_write(function, req);

    pci->access.requester = function->requester;
    if (status == IOV_STATUS_OK && touches(req, CFG_DATA, 4))
        cfg_window(pci, true);
    return status;
}

const struct iov_pci_function_ops iov_virtio_function_ops = {
    .config_read = function_read,
    .config_write = function_write,
    .windows = iov_pci_space_windows,
    .reset = function_reset,
};

static enum iov_status config_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return function_read(&iov_container_of(port, IovVirtioPci, config)->pci, req);
}

static enum iov_status config_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return function_write(&iov_container_of(port, IovVirtioPci, config)->pci, req);
}

const struct iov_mem_target_ops iov_virtio_config_ops = { .read = config_read,
                                                          .write = config_write };

/* ---- BAR 1: the MSI-X table and the pending bits ---- */

static enum iov_status msix_access(IovVirtioPci *pci, struct iov_mem_req *req, bool write)
{
    bool pending = req->address >= VIRTIO_PCI_MSIX_PBA;
    struct iov_mem_target *part = pending ? &pci->space.msix_pending : &pci->space.msix_table;
    uint64_t base = pending ? VIRTIO_PCI_MSIX_PBA : 0;
    enum iov_status status = IOV_STATUS_OK;

    if (req->address > VIRTIO_PCI_BAR_MSIX_SIZE ||
        req->size > VIRTIO_PCI_BAR_MSIX_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    req->address -= base;
    if (req->address < part->size && req->size <= part->size - req->address)
        status = write ? part->ops->write(part, req) : part->ops->read(part, req);
    else if (!write) /* behind the last vector */
        memset(req->data, 0, req->size);
    req->address += base;
    return status;
}

static enum iov_status msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, IovVirtioPci, msix), req, false);
}

static enum iov_status msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, IovVirtioPci, msix), req, true);
}

const struct iov_mem_target_ops iov_virtio_msix_ops = { .read = msix_read, .write = msix_write };
