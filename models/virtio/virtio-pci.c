/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modern virtio PCI transport: registers of BAR 4, device status, negotiation and queue set-up.
 * Configuration space and MSI-X are in virtio-config.c, rings in virtio-ring.c.
 *
 *     reset → ACKNOWLEDGE → DRIVER → FEATURES_OK → (queues enabled) → DRIVER_OK → live
 *       ↑ status 0, from everywhere                       broken ring → NEEDS_RESET ┘
 *
 * Register accesses take no time here: what is in front of the device (link, emulator) takes it. A
 * write that makes the device act arms an event; nothing leaves through `dma` inside a register
 * access.
 *
 * LIMIT: modern interface only. A transitional device needs an I/O BAR with the legacy registers of
 * virtio-regs.h.
 */
#include "models/virtio/virtio-pci-private.h"

#include "core/trace/measure.h"

G_DEFINE_ABSTRACT_TYPE(IovVirtioPci, iov_virtio_pci, IOV_TYPE_MODEL)

static const char *const setup_names[] = { "reset", "intx", "msi-x", NULL };

/* ---- Mistakes and interrupts ---- */

void iov_virtio_bad_access(IovVirtioPci *pci)
{
    pci->bad_accesses++;
    if (pci->parent_instance.run->measure != NULL)
        pci->parent_instance.run->measure->counters.guest_faults++;
}

void iov_virtio_deliver_soon(IovVirtioPci *pci)
{
    if (!iov_event_armed(&pci->deliver))
        iov_event_in(&pci->deliver, 0);
}

static void on_deliver(struct iov_event *event)
{
    IovVirtioPci *pci = iov_container_of(event, IovVirtioPci, deliver);

    if (pci->config_interrupt) {
        pci->config_interrupt = false;
        iov_virtio_dma_begin(&pci->access);
        if (iov_virtio_msix_enabled(pci)) {
            iov_virtio_msix_raise(pci, pci->config_vector, NULL);
        } else {
            pci->isr |= VIRTIO_ISR_CONFIG;
            pci->interrupts++;
            iov_virtio_intx_update(pci, NULL);
        }
    }
    iov_virtio_msix_flush(pci);
}

void iov_virtio_signal(IovVirtioPci *pci, unsigned queue, struct iov_span *span)
{
    struct iov_virtq *ring = &pci->queues[queue];

    if (!iov_virtq_wants_interrupt(ring, &pci->access)) {
        if (ring->fault == IOV_VIRTQ_OK)
            pci->interrupts_suppressed++;
        return;
    }
    if (iov_virtio_msix_enabled(pci)) {
        iov_virtio_msix_raise(pci, ring->vector, span);
        return;
    }
    pci->isr |= VIRTIO_ISR_QUEUE;
    pci->interrupts++;
    iov_virtio_intx_update(pci, span);
}

void iov_virtio_config_changed(IovVirtioPci *pci)
{
    pci->generation++;
    if ((pci->status & VIRTIO_STATUS_DRIVER_OK) == 0)
        return;
    pci->config_interrupt = true;
    iov_virtio_deliver_soon(pci);
}

void iov_virtio_broken(IovVirtioPci *pci)
{
    if (pci->status & VIRTIO_STATUS_NEEDS_RESET)
        return;
    pci->guest_faults++;
    if (pci->parent_instance.run->measure != NULL)
        pci->parent_instance.run->measure->counters.guest_faults++;
    /* SPEC: 2.1.2: with DRIVER_OK, a configuration change notification goes with NEEDS_RESET. */
    pci->status |= VIRTIO_STATUS_NEEDS_RESET;
    pci->ops->stop(pci);
    if (pci->status & VIRTIO_STATUS_DRIVER_OK) {
        pci->config_interrupt = true;
        iov_virtio_deliver_soon(pci);
    }
}

/* ---- Reset and negotiation ---- */

static void reset_device(IovVirtioPci *pci)
{
    pci->status = 0;
    pci->accepted = 0;
    pci->device_select = 0;
    pci->driver_select = 0;
    pci->queue_select = 0;
    pci->config_vector = VIRTIO_MSI_NO_VECTOR;
    pci->isr = 0;
    pci->config_interrupt = false;
    for (unsigned i = 0; i < pci->queue_count; i++)
        iov_virtq_reset(&pci->queues[i], pci->queues[i].size_max);
    memset(pci->pending, 0, sizeof pci->pending);
    pci->ops->reset(pci);
    iov_virtio_intx_update(pci, NULL);
}

void iov_virtio_pci_setup(IovVirtioPci *pci, unsigned queues, unsigned vectors, uint64_t features,
                          const void *device_config, uint32_t size)
{
    IOV_REQUIRE(queues > 0 && vectors > 0 && vectors <= IOV_VIRTIO_VECTORS_MAX);
    IOV_REQUIRE(size <= sizeof pci->device_config);
    pci->queue_count = queues;
    pci->vector_count = vectors;
    pci->offered = features | VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
    if (pci->event_index)
        pci->offered |= VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);
    if (pci->indirect)
        pci->offered |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
    memcpy(pci->device_config, device_config, size);
    pci->device_config_size = size;
    g_free(pci->queues);
    pci->queues = g_new0(struct iov_virtq, queues);
    for (unsigned i = 0; i < queues; i++)
        pci->queues[i].size_max = pci->queue_size;
    pci->access.port = &pci->dma;
    pci->access.kernel = pci->parent_instance.kernel;
    pci->access.requester = pci->requester_id;
    iov_virtio_config_init(pci);
    iov_virtio_msix_reset(pci);
    reset_device(pci);
}

/* SPEC: 3.1.1: FEATURES_OK stays only if the device can work with the driver's choice. */
static bool features_are_good(const IovVirtioPci *pci)
{
    return (pci->accepted & ~pci->offered) == 0 && iov_virtio_has(pci, VIRTIO_F_VERSION_1);
}

static void write_status(IovVirtioPci *pci, uint8_t value)
{
    uint8_t old = pci->status;

    if (value == 0) {
        reset_device(pci);
        return;
    }
    if ((value & VIRTIO_STATUS_FEATURES_OK) != 0 && (old & VIRTIO_STATUS_FEATURES_OK) == 0 &&
        !features_are_good(pci))
        value &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    if ((value & VIRTIO_STATUS_DRIVER_OK) != 0 && (value & VIRTIO_STATUS_FEATURES_OK) == 0) {
        value &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
        iov_virtio_bad_access(pci);
    }
    /* SPEC: 2.1.1: bits are not taken back but by a reset. */
    pci->status = value | old;
    if ((pci->status & ~old & VIRTIO_STATUS_DRIVER_OK) != 0)
        pci->ops->start(pci);
}

static void write_driver_feature(IovVirtioPci *pci, uint32_t value)
{
    unsigned shift = 32 * pci->driver_select;

    if (pci->driver_select > 1 || (pci->status & VIRTIO_STATUS_FEATURES_OK) != 0)
        return;
    pci->accepted = (pci->accepted & ~((uint64_t)UINT32_MAX << shift)) | ((uint64_t)value << shift);
}

/* ---- Common configuration ---- */

static struct iov_virtq *selected_queue(IovVirtioPci *pci)
{
    return pci->queue_select < pci->queue_count ? &pci->queues[pci->queue_select] : NULL;
}

/* The registers as they stand: any byte of it can be read in any size. */
static void common_image(IovVirtioPci *pci, uint8_t *image)
{
    const struct iov_virtq *queue = selected_queue(pci);
    uint32_t offered =
        pci->device_select < 2 ? (uint32_t)(pci->offered >> (32 * pci->device_select)) : 0;
    uint32_t accepted =
        pci->driver_select < 2 ? (uint32_t)(pci->accepted >> (32 * pci->driver_select)) : 0;
    uint16_t queues = (uint16_t)pci->queue_count;
    uint16_t enabled = queue != NULL && queue->enabled;
    uint16_t none = VIRTIO_MSI_NO_VECTOR;

    memset(image, 0, VIRTIO_PCI_COMMON_SIZE);
    memcpy(image + VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT, &pci->device_select, 4);
    memcpy(image + VIRTIO_PCI_COMMON_DEVICE_FEATURE, &offered, 4);
    memcpy(image + VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, &pci->driver_select, 4);
    memcpy(image + VIRTIO_PCI_COMMON_DRIVER_FEATURE, &accepted, 4);
    memcpy(image + VIRTIO_PCI_COMMON_CONFIG_VECTOR, &pci->config_vector, 2);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUES, &queues, 2);
    image[VIRTIO_PCI_COMMON_STATUS] = pci->status;
    image[VIRTIO_PCI_COMMON_GENERATION] = pci->generation;
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_SELECT, &pci->queue_select, 2);
    if (queue == NULL) {
        memcpy(image + VIRTIO_PCI_COMMON_QUEUE_VECTOR, &none, 2);
        return;
    }
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_SIZE, &queue->size, 2);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_VECTOR, &queue->vector, 2);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_ENABLE, &enabled, 2);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF, &pci->queue_select, 2);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_DESC, &queue->desc, 8);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_DRIVER, &queue->avail, 8);
    memcpy(image + VIRTIO_PCI_COMMON_QUEUE_DEVICE, &queue->used, 8);
}

static uint16_t usable_vector(const IovVirtioPci *pci, uint32_t vector)
{
    return vector < pci->vector_count ? (uint16_t)vector : VIRTIO_MSI_NO_VECTOR;
}

static void set_half(uint64_t *field, bool high, uint32_t value)
{
    unsigned shift = high ? 32 : 0;

    *field = (*field & ~((uint64_t)UINT32_MAX << shift)) | ((uint64_t)value << shift);
}

static void enable_queue(IovVirtioPci *pci, struct iov_virtq *queue, uint32_t value)
{
    /* SPEC: 4.1.4.3.2: the driver must not write 0. */
    if (value != 1 || queue->enabled) {
        iov_virtio_bad_access(pci);
        return;
    }
    if (!iov_virtq_enable(queue, iov_virtio_has(pci, VIRTIO_F_EVENT_IDX),
                          iov_virtio_has(pci, VIRTIO_F_INDIRECT_DESC)))
        iov_virtio_broken(pci);
}

/* Registers of the selected queue; size and addresses are settled once it is enabled. */
static void write_queue(IovVirtioPci *pci, uint64_t offset, uint32_t size, uint32_t value)
{
    struct iov_virtq *queue = selected_queue(pci);
    bool is_address = offset >= VIRTIO_PCI_COMMON_QUEUE_DESC && offset < VIRTIO_PCI_COMMON_SIZE;
    bool high = (offset & 4) != 0;

    if (queue == NULL || size != (is_address ? 4 : 2) ||
        (queue->enabled && (is_address || offset == VIRTIO_PCI_COMMON_QUEUE_SIZE))) {
        iov_virtio_bad_access(pci);
        return;
    }
    switch (offset & ~UINT64_C(4)) {
    case VIRTIO_PCI_COMMON_QUEUE_DESC:
        set_half(&queue->desc, high, value);
        return;
    case VIRTIO_PCI_COMMON_QUEUE_DRIVER:
        set_half(&queue->avail, high, value);
        return;
    case VIRTIO_PCI_COMMON_QUEUE_DEVICE:
        set_half(&queue->used, high, value);
        return;
    default:
        break;
    }
    switch (offset) {
    case VIRTIO_PCI_COMMON_QUEUE_SIZE:
        queue->size = (uint16_t)value;
        return;
    case VIRTIO_PCI_COMMON_QUEUE_VECTOR:
        queue->vector = usable_vector(pci, value);
        return;
    case VIRTIO_PCI_COMMON_QUEUE_ENABLE:
        enable_queue(pci, queue, value);
        return;
    default:
        iov_virtio_bad_access(pci);
        return;
    }
}

/* SPEC: 4.1.3.1: each field in its own width; anything else is ignored and counted. */
static void common_write(IovVirtioPci *pci, uint64_t offset, uint32_t size, uint32_t value)
{
    static const uint8_t widths[] = {
        [VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT] = 4,
        [VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT] = 4,
        [VIRTIO_PCI_COMMON_DRIVER_FEATURE] = 4,
        [VIRTIO_PCI_COMMON_CONFIG_VECTOR] = 2,
        [VIRTIO_PCI_COMMON_STATUS] = 1,
        [VIRTIO_PCI_COMMON_QUEUE_SELECT] = 2,
    };

    if (offset > VIRTIO_PCI_COMMON_QUEUE_SELECT) {
        write_queue(pci, offset, size, value);
        return;
    }
    if (widths[offset] != size) {
        iov_virtio_bad_access(pci);
        return;
    }
    switch (offset) {
    case VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT:
        pci->device_select = value;
        return;
    case VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT:
        pci->driver_select = value;
        return;
    case VIRTIO_PCI_COMMON_DRIVER_FEATURE:
        write_driver_feature(pci, value);
        return;
    case VIRTIO_PCI_COMMON_CONFIG_VECTOR:
        pci->config_vector = usable_vector(pci, value);
        return;
    case VIRTIO_PCI_COMMON_STATUS:
        write_status(pci, (uint8_t)value);
        return;
    default:
        pci->queue_select = (uint16_t)value;
        return;
    }
}

/* ---- The register BAR ---- */

static void read_isr(IovVirtioPci *pci, struct iov_mem_req *req)
{
    iov_mem_set_value(req, pci->isr);
    if (req->flags & IOV_MEM_DEBUG)
        return;
    pci->isr = 0;
    iov_virtio_intx_update(pci, NULL);
}

/* Copies what lies inside [0, size) of `image`; the rest of the answer is `filler`. */
static void read_image(struct iov_mem_req *req, const uint8_t *image, uint32_t size,
                       uint64_t offset, int filler)
{
    uint32_t length = offset < size ? size - (uint32_t)offset : 0;

    memset(req->data, filler, req->size);
    if (length > 0)
        memcpy(req->data, image + offset, length < req->size ? length : req->size);
}

enum iov_status iov_virtio_registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, registers);
    uint64_t offset = req->address % VIRTIO_PCI_REGION_SIZE;
    uint8_t image[VIRTIO_PCI_COMMON_SIZE];

    if (req->address > VIRTIO_PCI_BAR_MODERN_SIZE ||
        req->size > VIRTIO_PCI_BAR_MODERN_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    switch (req->address - offset) {
    case VIRTIO_PCI_REGION_COMMON:
        common_image(pci, image);
        read_image(req, image, sizeof image, offset, 0);
        break;
    case VIRTIO_PCI_REGION_ISR:
        if (offset == 0)
            read_isr(pci, req);
        else
            memset(req->data, 0, req->size);
        break;
    case VIRTIO_PCI_REGION_DEVICE:
        read_image(req, pci->device_config, pci->device_config_size, offset, 0xff);
        break;
    default: /* the notification region reads as 0 */
        memset(req->data, 0, req->size);
        break;
    }
    return IOV_STATUS_OK;
}

static void ring_doorbell(IovVirtioPci *pci, uint64_t offset)
{
    uint64_t queue = offset / VIRTIO_PCI_NOTIFY_MULTIPLIER;

    /* SPEC: 3.1.1: no notification before DRIVER_OK. One into the void is ignored. */
    if (queue >= pci->queue_count || (pci->status & VIRTIO_STATUS_DRIVER_OK) == 0) {
        iov_virtio_bad_access(pci);
        return;
    }
    pci->notifications++;
    if (iov_virtio_live(pci) && pci->queues[queue].enabled)
        pci->ops->kick(pci, (unsigned)queue);
}

enum iov_status iov_virtio_registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, registers);
    uint64_t offset = req->address % VIRTIO_PCI_REGION_SIZE;
    uint64_t value = iov_mem_value(req);

    if (req->address > VIRTIO_PCI_BAR_MODERN_SIZE ||
        req->size > VIRTIO_PCI_BAR_MODERN_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    switch (req->address - offset) {
    case VIRTIO_PCI_REGION_COMMON:
        if (req->size == 8 && offset % 8 == 0) { /* a bus may join the halves of an address */
            common_write(pci, offset, 4, (uint32_t)value);
            common_write(pci, offset + 4, 4, (uint32_t)(value >> 32));
        } else {
            common_write(pci, offset, req->size, (uint32_t)value);
        }
        break;
    case VIRTIO_PCI_REGION_NOTIFY:
        ring_doorbell(pci, offset);
        break;
    default: /* ISR status and device configuration are read only (modern drivers do not write the
                MAC) */
        iov_virtio_bad_access(pci);
        break;
    }
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = iov_virtio_registers_read,
                                                         .write = iov_virtio_registers_write };

/* ---- Life cycle and description ---- */

static bool virtio_pci_prepare(IovModel *model, GError **error)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    if ((pci->queue_size & (pci->queue_size - 1)) != 0)
        return iov_model_fail(model, error, "queue-size: %u is not a power of two",
                              (unsigned)pci->queue_size);
    pci->config.size = IOV_VIRTIO_CONFIG_SPACE;
    pci->registers.size = VIRTIO_PCI_BAR_MODERN_SIZE;
    pci->msix.size = VIRTIO_PCI_BAR_MSIX_SIZE;
    iov_event_init(&pci->deliver, model->kernel, on_deliver, IOV_PRIORITY_DEFAULT);
    return true;
}

static void virtio_pci_update_statistics(IovModel *model)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    pci->dma_reads = pci->access.reads;
    pci->dma_writes = pci->access.writes;
}

static void virtio_pci_reset_statistics(IovModel *model)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    pci->access.reads = 0;
    pci->access.writes = 0;
}

static void virtio_pci_unrealize(IovModel *model)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    if (pci->deliver.kernel != NULL)
        iov_event_disarm(&pci->deliver);
}

static void virtio_pci_finalize(GObject *object)
{
    g_free(IOV_VIRTIO_PCI(object)->queues);
    G_OBJECT_CLASS(iov_virtio_pci_parent_class)->finalize(object);
}

static void iov_virtio_pci_init(IovVirtioPci *pci)
{
    (void)pci;
}

static void iov_virtio_pci_class_init(IovVirtioPciClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_pci_finalize;
    mc->prepare = virtio_pci_prepare;
    mc->unrealize = virtio_pci_unrealize;
    mc->update_statistics = virtio_pci_update_statistics;
    mc->reset_statistics = virtio_pci_reset_statistics;
    iov_model_class_describe(mc, "virtio-pci", "A virtio device behind the modern PCI transport");
    IOV_PROP_ENUM(mc, IovVirtioPci, setup, setup_names, IOV_VIRTIO_SETUP_MSIX,
                  "Set up as by: nobody; firmware, interrupts by wire; a kernel, MSI-X on");
    IOV_PROP_COUNT(mc, IovVirtioPci, queue_size, 2, IOV_VIRTQ_SEGMENTS, 256,
                   "Descriptors a queue, a power of two");
    IOV_PROP_BOOL(mc, IovVirtioPci, event_index, 1, "Offer the event index (VIRTIO_F_EVENT_IDX)");
    IOV_PROP_BOOL(mc, IovVirtioPci, indirect, 1, "Offer indirect descriptors");
    IOV_PROP_COUNT(mc, IovVirtioPci, requester_id, 0, UINT16_MAX, 8,
                   "PCIe requester ID: bus, device, function");
    IOV_PORT_MEM_TARGET(mc, IovVirtioPci, config, &iov_virtio_config_ops, "Configuration space");
    IOV_PORT_MEM_TARGET(mc, IovVirtioPci, registers, &registers_ops,
                        "BAR 4: common, ISR, device and notification registers");
    IOV_PORT_MEM_TARGET(mc, IovVirtioPci, msix, &iov_virtio_msix_ops,
                        "BAR 1: MSI-X table and pending bits");
    IOV_PORT_IRQ_SOURCE(mc, IovVirtioPci, interrupt, "INTx, while MSI-X is off");
    IOV_PORT_MEM_INITIATOR(mc, IovVirtioPci, dma, "Rings, buffers and interrupt messages");
    IOV_STAT(mc, IovVirtioPci, notifications, "Doorbell writes received");
    IOV_STAT(mc, IovVirtioPci, interrupts, "Interrupts sent, configuration changes included");
    IOV_STAT(mc, IovVirtioPci, interrupts_suppressed, "Interrupts that the driver did not want");
    IOV_STAT(mc, IovVirtioPci, guest_faults, "Broken rings: the device needed a reset");
    IOV_STAT(mc, IovVirtioPci, bad_accesses, "Register accesses that make no sense");
    IOV_STAT(mc, IovVirtioPci, dma_reads, "Read requests to memory");
    IOV_STAT(mc, IovVirtioPci, dma_writes, "Write requests to memory, messages included");
}
