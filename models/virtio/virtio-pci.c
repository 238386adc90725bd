/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio PCI transport: registers of BAR 4, device status, negotiation and queue set-up.
 * Configuration space and MSI-X are in virtio-config.c, the legacy registers in virtio-legacy.c,
 * rings in virtio-ring.c.
 *
 *     reset → ACKNOWLEDGE → DRIVER → FEATURES_OK → (queues enabled) → DRIVER_OK → live
 *       ↑ status 0, from everywhere                       broken ring → NEEDS_RESET ┘
 *
 * Register accesses take no time here: what is in front of the device (link, emulator) takes it. A
 * write that makes the device act arms an event; no request leaves through `dma` inside a register
 * access.
 */
#include "models/virtio/virtio-pci-private.h"

#include "core/trace/measure.h"

G_DEFINE_ABSTRACT_TYPE(IovVirtioPci, iov_virtio_pci, IOV_TYPE_MODEL)

static const char *const interface_names[] = { "modern", "transitional", NULL };
static const char *const setup_names[] = { "reset", "intx", "msi-x", NULL };

/* ---- Mistakes and interrupts ---- */

void iov_virtio_bad_access(IovVirtioPci *pci)
{
    iov_measure_guest_fault(pci->parent_instance.run->measure, &pci->bad_accesses);
}

/*
 * SPEC: 4.1.4.5.1: a configuration change always shows in the ISR status, that of a queue without
 * MSI-X. With it, it does no harm, and some drivers look.
 */
static void interrupt_send(IovVirtioPci *pci, uint8_t cause, uint16_t vector, struct iov_span *span)
{
    pci->isr |= cause;
    if (iov_virtio_msix_enabled(pci)) {
        if (vector != VIRTIO_MSI_NO_VECTOR)
            iov_pci_message(&pci->space, vector, pci->access.delay, span);
    } else {
        pci->wire_interrupts++;
    }
    iov_virtio_intx_update(pci, span);
}

static void on_deliver(struct iov_event *event)
{
    IovVirtioPci *pci = iov_container_of(event, IovVirtioPci, deliver);

    iov_virtio_dma_begin(&pci->access);
    /* With both causes, as drivers know it: one that looks into its queues for nothing loses
     * nothing. */
    interrupt_send(pci, VIRTIO_ISR_CONFIG | VIRTIO_ISR_QUEUE, pci->config_vector, NULL);
}

static void config_interrupt_soon(IovVirtioPci *pci)
{
    if (!iov_event_armed(&pci->deliver))
        iov_event_in(&pci->deliver, 0);
}

void iov_virtio_signal(IovVirtioPci *pci, unsigned queue, struct iov_span *span)
{
    struct iov_virtq *ring = &pci->queues[queue];
    bool wanted = iov_virtq_wants_interrupt(ring, &pci->access);

    /* SPEC: 6.3: with NOTIFY_ON_EMPTY, a legacy driver hears of an empty ring whatever it said. */
    if (!wanted && ring->fault == IOV_VIRTQ_OK && iov_virtio_has(pci, VIRTIO_F_NOTIFY_ON_EMPTY) &&
        ring->next_used == ring->next_avail &&
        iov_virtq_peek(ring, &pci->access) == IOV_VIRTQ_EMPTY)
        wanted = true;
    if (wanted)
        interrupt_send(pci, VIRTIO_ISR_QUEUE, ring->vector, span);
    else if (ring->fault == IOV_VIRTQ_OK)
        pci->interrupts_suppressed++;
}

void iov_virtio_config_changed(IovVirtioPci *pci)
{
    pci->generation++;
    if ((pci->status & VIRTIO_STATUS_DRIVER_OK) != 0)
        config_interrupt_soon(pci);
}

void iov_virtio_broken(IovVirtioPci *pci)
{
    if (pci->broken)
        return;
    pci->broken = true;
    iov_measure_guest_fault(pci->parent_instance.run->measure, &pci->guest_faults);
    pci->ops->stop(pci);
    if (iov_virtio_is_legacy(pci))
        return; /* SPEC: 2.1: such a driver does not know the bit */
    /* SPEC: 2.1.2: with DRIVER_OK, a configuration change notification goes with NEEDS_RESET. */
    pci->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (pci->status & VIRTIO_STATUS_DRIVER_OK)
        config_interrupt_soon(pci);
}

/* ---- Reset and negotiation ---- */

void iov_virtio_reset(IovVirtioPci *pci)
{
    pci->status = 0;
    pci->started = false;
    pci->early = false;
    pci->broken = false;
    pci->accepted = 0;
    pci->device_select = 0;
    pci->driver_select = 0;
    pci->queue_select = 0;
    pci->config_vector = VIRTIO_MSI_NO_VECTOR;
    pci->isr = 0;
    iov_event_disarm(&pci->deliver);
    memset(pci->space.pending, 0, (pci->vector_count + 63) / 64 * sizeof *pci->space.pending);
    for (unsigned i = 0; i < pci->queue_count; i++)
        iov_virtq_reset(&pci->queues[i], pci->queues[i].size_max);
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
    if (pci->ops->queue_reset != NULL)
        pci->offered |= VIRTIO_FEATURE(VIRTIO_F_RING_RESET);
    if (pci->packed)
        pci->offered |= VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
    memcpy(pci->device_config, device_config, size);
    pci->device_config_size = size;
    g_free(pci->queues);
    pci->queues = g_new0(struct iov_virtq, queues);
    for (unsigned i = 0; i < queues; i++)
        pci->queues[i].size_max = pci->queue_size;
    pci->legacy.size = 1;
    while (pci->legacy.size < VIRTIO_PCI_LEGACY_DEVICE_MSIX + size)
        pci->legacy.size *= 2;
    pci->access.port = &pci->dma;
    pci->access.kernel = pci->parent_instance.kernel;
    iov_virtio_config_init(pci);
    iov_virtio_reset(pci);
}

/*
 * SPEC: 3.1.1: FEATURES_OK stays only if the device can work with the driver's choice. 6.2: it may
 * do so without VERSION_1, and then has the legacy form.
 */
static bool features_are_good(const IovVirtioPci *pci)
{
    return (pci->accepted & ~pci->offered) == 0;
}

/* Features are settled, the device begins to work. */
static void start_device(IovVirtioPci *pci)
{
    if (pci->started)
        return;
    pci->started = true;
    for (unsigned i = 0; i < pci->queue_count; i++) { /* a legacy driver may set up queues first */
        pci->queues[i].event_index = iov_virtio_has(pci, VIRTIO_F_EVENT_IDX);
        pci->queues[i].indirect = iov_virtio_has(pci, VIRTIO_F_INDIRECT_DESC);
    }
    pci->ops->start(pci);
}

void iov_virtio_write_status(IovVirtioPci *pci, uint8_t value)
{
    uint8_t old = pci->status;

    if (value == 0) {
        iov_virtio_reset(pci);
        return;
    }
    if ((value & VIRTIO_STATUS_FEATURES_OK) != 0 && (old & VIRTIO_STATUS_FEATURES_OK) == 0 &&
        !features_are_good(pci))
        value &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    if ((value & VIRTIO_STATUS_DRIVER_OK) != 0 && (value & VIRTIO_STATUS_FEATURES_OK) == 0 &&
        !iov_virtio_is_legacy(pci)) {
        value &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
        iov_virtio_bad_access(pci);
    }
    /* SPEC: 2.1.1: bits are not taken back but by a reset. */
    pci->status = value | old;
    if ((pci->status & ~old & VIRTIO_STATUS_DRIVER_OK) != 0)
        start_device(pci);
}

static void write_driver_feature(IovVirtioPci *pci, uint32_t value)
{
    unsigned shift = 32 * pci->driver_select;

    if (pci->driver_select > 1 || (pci->status & VIRTIO_STATUS_FEATURES_OK) != 0)
        return;
    pci->accepted = (pci->accepted & ~((uint64_t)UINT32_MAX << shift)) | ((uint64_t)value << shift);
}

/* ---- Common configuration ---- */

/* The registers as they stand: any byte of it can be read in any size. */
static void common_image(IovVirtioPci *pci, uint8_t *image)
{
    const struct iov_virtq *queue = iov_virtio_selected_queue(pci);
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
    queue->packed = iov_virtio_has(pci, VIRTIO_F_RING_PACKED);
    if (!iov_virtq_enable(queue, iov_virtio_has(pci, VIRTIO_F_EVENT_IDX),
                          iov_virtio_has(pci, VIRTIO_F_INDIRECT_DESC)))
        iov_virtio_broken(pci);
}

/* SPEC: 2.6.1: the reset is over at once; the queue is as after a reset of the device. */
static void reset_queue(IovVirtioPci *pci, struct iov_virtq *queue, uint32_t value)
{
    if (value != 1 || !iov_virtio_has(pci, VIRTIO_F_RING_RESET)) {
        iov_virtio_bad_access(pci);
        return;
    }
    pci->ops->queue_reset(pci, pci->queue_select);
    iov_virtq_reset(queue, queue->size_max);
}

/* Registers of the selected queue; size and addresses are settled once it is enabled. */
static void write_queue(IovVirtioPci *pci, uint64_t offset, uint32_t size, uint32_t value)
{
    struct iov_virtq *queue = iov_virtio_selected_queue(pci);
    bool is_address =
        offset >= VIRTIO_PCI_COMMON_QUEUE_DESC && offset < VIRTIO_PCI_COMMON_QUEUE_NOTIFY_DATA;
    bool high = (offset & 4) != 0;

    if (queue == NULL || size != (is_address ? 4 : 2) ||
        (queue->enabled && (is_address || offset == VIRTIO_PCI_COMMON_QUEUE_SIZE))) {
        iov_virtio_bad_access(pci);
        return;
    }
    switch (is_address ? offset & ~UINT64_C(4) : 0) {
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
        queue->vector = iov_virtio_usable_vector(pci, value);
        return;
    case VIRTIO_PCI_COMMON_QUEUE_ENABLE:
        enable_queue(pci, queue, value);
        return;
    case VIRTIO_PCI_COMMON_QUEUE_RESET:
        reset_queue(pci, queue, value);
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
        pci->config_vector = iov_virtio_usable_vector(pci, value);
        return;
    case VIRTIO_PCI_COMMON_STATUS:
        iov_virtio_write_status(pci, (uint8_t)value);
        return;
    default:
        pci->queue_select = (uint16_t)value;
        return;
    }
}

/* ---- The register BAR ---- */

uint8_t iov_virtio_take_isr(IovVirtioPci *pci, bool look)
{
    uint8_t isr = pci->isr;

    if (!look) {
        pci->isr = 0;
        iov_virtio_intx_update(pci, NULL);
    }
    return isr;
}

void iov_virtio_device_read(const IovVirtioPci *pci, uint64_t offset, void *data, uint32_t size)
{
    if (offset > pci->device_config_size || size > pci->device_config_size - offset)
        memset(data, 0xff, size);
    else
        memcpy(data, pci->device_config + offset, size);
}

void iov_virtio_device_write(IovVirtioPci *pci, uint64_t offset, const void *data, uint32_t size)
{
    if (pci->ops->config_write == NULL || offset > pci->device_config_size ||
        size > pci->device_config_size - offset)
        iov_virtio_bad_access(pci);
    else
        pci->ops->config_write(pci, (uint32_t)offset, data, size);
}

/* Copies what lies inside the common registers; the rest of the answer is zeros. */
static void read_common(IovVirtioPci *pci, uint64_t offset, struct iov_mem_req *req)
{
    uint8_t image[VIRTIO_PCI_COMMON_SIZE];
    uint32_t length = offset < sizeof image ? (uint32_t)(sizeof image - offset) : 0;

    memset(req->data, 0, req->size);
    if (length == 0)
        return;
    common_image(pci, image);
    memcpy(req->data, image + offset, MIN(length, req->size));
}

enum iov_status iov_virtio_registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, registers);
    uint64_t offset = req->address % VIRTIO_PCI_REGION_SIZE;

    if (req->address > VIRTIO_PCI_BAR_MODERN_SIZE ||
        req->size > VIRTIO_PCI_BAR_MODERN_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    switch (req->address - offset) {
    case VIRTIO_PCI_REGION_COMMON:
        read_common(pci, offset, req);
        break;
    case VIRTIO_PCI_REGION_ISR:
        memset(req->data, 0, req->size);
        if (offset == 0)
            iov_mem_set_value(req, iov_virtio_take_isr(pci, req->flags & IOV_MEM_DEBUG));
        break;
    case VIRTIO_PCI_REGION_DEVICE:
        iov_virtio_device_read(pci, offset, req->data, req->size);
        break;
    default: /* the notification region reads as 0 */
        memset(req->data, 0, req->size);
        break;
    }
    return IOV_STATUS_OK;
}

/*
 * SPEC: 3.1.1: no notification before DRIVER_OK; one into the void is ignored. 3.1.2: legacy
 * drivers have been seen to use queues before, so for them the device begins with the first
 * notification.
 */
void iov_virtio_notify(IovVirtioPci *pci, uint64_t queue)
{
    if (queue < pci->queue_count && (pci->status & VIRTIO_STATUS_DRIVER_OK) == 0 &&
        (pci->status & VIRTIO_STATUS_DRIVER) != 0 && pci->interface == IOV_VIRTIO_TRANSITIONAL &&
        iov_virtio_is_legacy(pci)) {
        pci->early = true;
        start_device(pci);
    }
    if (queue >= pci->queue_count ||
        ((pci->status & VIRTIO_STATUS_DRIVER_OK) == 0 && !pci->early)) {
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
        iov_virtio_notify(pci, offset / VIRTIO_PCI_NOTIFY_MULTIPLIER);
        break;
    case VIRTIO_PCI_REGION_DEVICE:
        iov_virtio_device_write(pci, offset, req->data, req->size);
        break;
    default: /* ISR status is read only */
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
    if (pci->interface == IOV_VIRTIO_TRANSITIONAL && pci->ops->legacy_id == 0)
        return iov_model_fail(model, error, "interface: this device has no transitional form");
    pci->config.size = IOV_VIRTIO_CONFIG_SPACE;
    pci->registers.size = VIRTIO_PCI_BAR_MODERN_SIZE;
    pci->msix.size = VIRTIO_PCI_BAR_MSIX_SIZE;
    iov_event_init(&pci->deliver, model->kernel, on_deliver, IOV_PRIORITY_DEFAULT);
    return true;
}

/* Plugged in or not: whose requests they are. */
static bool virtio_pci_realize(IovModel *model, GError **error)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    (void)error;
    pci->access.requester = pci->pci.requester;
    return true;
}

static void virtio_pci_reset(IovModel *model)
{
    iov_virtio_function_ops.reset(&IOV_VIRTIO_PCI(model)->pci, IOV_PCI_RESET_COLD);
}

static void virtio_pci_update_statistics(IovModel *model)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    pci->interrupts = pci->wire_interrupts + pci->space.interrupts;
    pci->dma_reads = pci->access.reads;
    pci->dma_writes = pci->access.writes + pci->space.interrupts;
}

static void virtio_pci_reset_statistics(IovModel *model)
{
    IovVirtioPci *pci = IOV_VIRTIO_PCI(model);

    pci->wire_interrupts = 0;
    pci->space.interrupts = 0;
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
    iov_pci_space_clear(&IOV_VIRTIO_PCI(object)->space);
    G_OBJECT_CLASS(iov_virtio_pci_parent_class)->finalize(object);
}

static void iov_virtio_pci_init(IovVirtioPci *pci)
{
    pci->pci.space = &pci->space;
    pci->pci.dma = &pci->dma;
    pci->pci.interrupt = &pci->interrupt;
}

static void iov_virtio_pci_class_init(IovVirtioPciClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_pci_finalize;
    mc->prepare = virtio_pci_prepare;
    mc->realize = virtio_pci_realize;
    mc->reset = virtio_pci_reset;
    mc->unrealize = virtio_pci_unrealize;
    mc->update_statistics = virtio_pci_update_statistics;
    mc->reset_statistics = virtio_pci_reset_statistics;
    iov_model_class_describe(mc, "virtio-pci", "A virtio device behind the PCI transport");
    IOV_PROP_ENUM(mc, IovVirtioPci, interface, interface_names, IOV_VIRTIO_MODERN,
                  "For drivers of version 1 only, or with the legacy I/O BAR for older ones");
    IOV_PROP_ENUM(mc, IovVirtioPci, setup, setup_names, IOV_VIRTIO_SETUP_MSIX,
                  "Set up as by: nobody; firmware, interrupts by wire; a kernel, MSI-X on");
    IOV_PROP_COUNT(mc, IovVirtioPci, queue_size, 2, IOV_VIRTQ_SEGMENTS, 256,
                   "Descriptors a queue, a power of two");
    IOV_PROP_BOOL(mc, IovVirtioPci, event_index, 1, "Offer the event index (VIRTIO_F_EVENT_IDX)");
    IOV_PROP_BOOL(mc, IovVirtioPci, indirect, 1, "Offer indirect descriptors");
    IOV_PROP_BOOL(mc, IovVirtioPci, packed, 0, "Offer packed rings (VIRTIO_F_RING_PACKED)");
    IOV_PROP_COUNT(mc, IovVirtioPci, requester_id, 0, UINT16_MAX, 8,
                   "PCIe requester ID when it is not plugged in: bus, device, function");
    IOV_PORT_PCI_FUNCTION(mc, IovVirtioPci, pci, &iov_virtio_function_ops, "Slot");
    IOV_PORT_MEM_TARGET(mc, IovVirtioPci, config, &iov_virtio_config_ops, "Configuration space");
    IOV_PORT_MEM_TARGET(mc, IovVirtioPci, legacy, &iov_virtio_legacy_ops,
                        "BAR 0: legacy registers, in I/O space");
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
