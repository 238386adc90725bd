/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The legacy interface of a transitional virtio PCI device (virtio 1.2,
 * clauses 4.1.4.10, 4.1.5.1.3.1 and 2.7.2): an I/O BAR with 32 feature bits, queues whose size is
 * the device's and whose three parts follow each other from a page of the driver's choice, and the
 * device's configuration behind the registers. With MSI-X enabled two vector registers come in
 * between.
 *
 * Registers are read in any size, written each in its own width.
 */
#include "models/virtio/virtio-pci-private.h"

/* Features that only this interface has. SPEC: 6.3. */
#define LEGACY_FEATURES \
    (VIRTIO_FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) | VIRTIO_FEATURE(VIRTIO_F_ANY_LAYOUT) | \
     VIRTIO_FEATURE(VIRTIO_F_BAD_FEATURE))

static uint32_t offered(const IovVirtioPci *pci)
{
    return (uint32_t)(pci->offered | LEGACY_FEATURES);
}

static uint32_t device_offset(const IovVirtioPci *pci)
{
    return iov_virtio_msix_enabled(pci) ? VIRTIO_PCI_LEGACY_DEVICE_MSIX : VIRTIO_PCI_LEGACY_DEVICE;
}

/* ---- Queues ---- */

/* SPEC: 2.7.2: table, available ring with its event word, and the used ring on the next page. */
static void place_queue(IovVirtioPci *pci, struct iov_virtq *queue, uint32_t page)
{
    uint64_t base = (uint64_t)page * VIRTIO_PCI_LEGACY_PAGE;
    uint64_t end = base + virtq_desc_bytes(queue->size_max) + virtq_avail_bytes(queue->size_max);
    uint16_t vector = queue->vector;

    if (pci->ops->queue_reset != NULL)
        pci->ops->queue_reset(pci, pci->queue_select);
    iov_virtq_reset(queue, queue->size_max);
    queue->vector = vector;
    if (page == 0)
        return; /* the driver is done with it */
    queue->desc = base;
    queue->avail = base + virtq_desc_bytes(queue->size_max);
    queue->used = (end + VIRTIO_PCI_LEGACY_PAGE - 1) & ~(uint64_t)(VIRTIO_PCI_LEGACY_PAGE - 1);
    if (!iov_virtq_enable(queue, iov_virtio_has(pci, VIRTIO_F_EVENT_IDX),
                          iov_virtio_has(pci, VIRTIO_F_INDIRECT_DESC)))
        iov_virtio_broken(pci);
}

/* ---- Registers ---- */

static uint64_t register_value(IovVirtioPci *pci, unsigned offset, bool look)
{
    const struct iov_virtq *queue = iov_virtio_selected_queue(pci);

    switch (offset) {
    case VIRTIO_PCI_LEGACY_DEVICE_FEATURES:
        return offered(pci);
    case VIRTIO_PCI_LEGACY_DRIVER_FEATURES:
        return (uint32_t)pci->accepted;
    case VIRTIO_PCI_LEGACY_QUEUE_PFN:
        return queue != NULL ? (uint32_t)(queue->desc / VIRTIO_PCI_LEGACY_PAGE) : 0;
    case VIRTIO_PCI_LEGACY_QUEUE_SIZE:
        return queue != NULL ? queue->size_max : 0;
    case VIRTIO_PCI_LEGACY_QUEUE_SELECT:
        return pci->queue_select;
    case VIRTIO_PCI_LEGACY_STATUS:
        return pci->status;
    case VIRTIO_PCI_LEGACY_ISR:
        return iov_virtio_take_isr(pci, look);
    case VIRTIO_PCI_LEGACY_CONFIG_VECTOR:
        return pci->config_vector;
    case VIRTIO_PCI_LEGACY_QUEUE_VECTOR:
        return queue != NULL ? queue->vector : VIRTIO_MSI_NO_VECTOR;
    default: /* the notification register */
        return 0;
    }
}

/* Where the register that holds the byte at `offset` begins, and how wide it is. */
static unsigned register_at(unsigned offset, unsigned *ret_size)
{
    static const uint8_t sizes[] = { 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0,
                                     2, 0, 2, 0, 2, 0, 1, 1, 2, 0, 2, 0 };

    while (sizes[offset] == 0)
        offset--;
    *ret_size = sizes[offset];
    return offset;
}

static enum iov_status legacy_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, legacy);
    uint32_t device = device_offset(pci);
    uint8_t *data = req->data;

    if (req->address > port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (req->address >= device) {
        iov_virtio_device_read(pci, req->address - device, req->data, req->size);
        return IOV_STATUS_OK;
    }
    for (uint32_t i = 0; i < req->size;) {
        unsigned offset = (unsigned)req->address + i, size, first;
        uint64_t value;

        if (offset >= device) { /* an access across both: no register is there */
            data[i++] = 0xff;
            continue;
        }
        first = register_at(offset, &size);
        value = register_value(pci, first, req->flags & IOV_MEM_DEBUG);
        for (; i < req->size && (unsigned)req->address + i < first + size; i++)
            data[i] = (uint8_t)(value >> 8 * ((unsigned)req->address + i - first));
    }
    return IOV_STATUS_OK;
}

/* SPEC: 6.3: a driver that accepts the reserved bit accepts without looking: it gets nothing. */
static void write_features(IovVirtioPci *pci, uint32_t value)
{
    if (value & VIRTIO_FEATURE(VIRTIO_F_BAD_FEATURE))
        value = 0;
    pci->accepted = value & offered(pci);
}

static void register_write(IovVirtioPci *pci, unsigned offset, uint32_t value)
{
    struct iov_virtq *queue = iov_virtio_selected_queue(pci);

    switch (offset) {
    case VIRTIO_PCI_LEGACY_DRIVER_FEATURES:
        write_features(pci, value);
        return;
    case VIRTIO_PCI_LEGACY_QUEUE_PFN:
        if (queue != NULL) {
            place_queue(pci, queue, value);
            return;
        }
        break;
    case VIRTIO_PCI_LEGACY_QUEUE_SELECT:
        pci->queue_select = (uint16_t)value;
        return;
    case VIRTIO_PCI_LEGACY_QUEUE_NOTIFY:
        iov_virtio_notify(pci, value);
        return;
    case VIRTIO_PCI_LEGACY_STATUS:
        iov_virtio_write_status(pci, (uint8_t)value);
        return;
    case VIRTIO_PCI_LEGACY_CONFIG_VECTOR:
        pci->config_vector = iov_virtio_usable_vector(pci, value);
        return;
    case VIRTIO_PCI_LEGACY_QUEUE_VECTOR:
        if (queue != NULL) {
            queue->vector = iov_virtio_usable_vector(pci, value);
            return;
        }
        break;
    default: /* read only */
        break;
    }
    iov_virtio_bad_access(pci);
}

static enum iov_status legacy_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, legacy);
    uint32_t device = device_offset(pci);
    unsigned size = 0;

    if (req->address > port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (req->address >= device)
        iov_virtio_device_write(pci, req->address - device, req->data, req->size);
    else if (register_at((unsigned)req->address, &size) == req->address && size == req->size)
        register_write(pci, (unsigned)req->address, (uint32_t)iov_mem_value(req));
    else
        iov_virtio_bad_access(pci);
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops iov_virtio_legacy_ops = { .read = legacy_read,
                                                          .write = legacy_write };
