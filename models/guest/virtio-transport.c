/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modern virtio PCI transport, driver's side, in the order of accesses of Linux 6.1's
 * virtio_pci_modern (tests/data/virtio-net-probe.txt).
 *
 * LIMIT: capabilities are not searched for: the structures are where virtio-regs.h says, and MSI-X
 * is enabled in configuration space by whoever sets up the platform.
 */
#include "models/guest/virtio-transport-private.h"

#include "models/virtio/virtio-regs.h"

#define RESET_TRIES 100
#define MASKED_VECTOR 0xef /* what Linux leaves in an entry that is not started */

static uint64_t common_read(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                            uint32_t offset, uint32_t size)
{
    return iov_guest_read(cpu, transport->registers + VIRTIO_PCI_REGION_COMMON + offset, size);
}

static void common_write(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                         uint32_t offset, uint32_t size, uint64_t value)
{
    iov_guest_write(cpu, transport->registers + VIRTIO_PCI_REGION_COMMON + offset, size, value);
}

static uint8_t get_status(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    return (uint8_t)common_read(transport, cpu, VIRTIO_PCI_COMMON_STATUS, 1);
}

static void add_status(struct virtio_transport *transport, struct iov_guest_cpu *cpu, uint8_t bits)
{
    uint8_t status = get_status(transport, cpu);

    common_write(transport, cpu, VIRTIO_PCI_COMMON_STATUS, 1, status | bits);
}

static bool reset(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    common_write(transport, cpu, VIRTIO_PCI_COMMON_STATUS, 1, 0);
    for (unsigned i = 0; i < RESET_TRIES; i++) {
        if (get_status(transport, cpu) == 0)
            return true;
        iov_guest_sleep(cpu, IOV_MS);
    }
    return false;
}

static uint64_t get_features(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    uint64_t features = 0;

    for (uint32_t half = 0; half < 2; half++) {
        common_write(transport, cpu, VIRTIO_PCI_COMMON_DEVICE_FEATURE_SELECT, 4, half);
        features |= common_read(transport, cpu, VIRTIO_PCI_COMMON_DEVICE_FEATURE, 4) << (32 * half);
    }
    return features;
}

static void set_features(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                         uint64_t features)
{
    for (uint32_t half = 0; half < 2; half++) {
        common_write(transport, cpu, VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, 4, half);
        common_write(transport, cpu, VIRTIO_PCI_COMMON_DRIVER_FEATURE, 4,
                     (uint32_t)(features >> (32 * half)));
    }
}

bool iov_virtio_negotiate(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                          uint64_t wanted)
{
    return iov_virtio_negotiate_either(transport, cpu, 0, wanted, wanted);
}

bool iov_virtio_negotiate_either(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                 unsigned feature, uint64_t with, uint64_t without)
{
    uint64_t offered;

    if (!reset(transport, cpu))
        return false;
    add_status(transport, cpu, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(transport, cpu, VIRTIO_STATUS_DRIVER);
    offered = get_features(transport, cpu);
    transport->features = offered & (offered & VIRTIO_FEATURE(feature) ? with : without);
    if (!(transport->features & VIRTIO_FEATURE(VIRTIO_F_VERSION_1)))
        return false;
    set_features(transport, cpu, transport->features);
    add_status(transport, cpu, VIRTIO_STATUS_FEATURES_OK);
    return (get_status(transport, cpu) & VIRTIO_STATUS_FEATURES_OK) != 0;
}

uint64_t iov_virtio_config_read(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                uint32_t offset, uint32_t size)
{
    return iov_guest_read(cpu, transport->registers + VIRTIO_PCI_REGION_DEVICE + offset, size);
}

uint8_t iov_virtio_generation(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    return (uint8_t)common_read(transport, cpu, VIRTIO_PCI_COMMON_GENERATION, 1);
}

/* ---- MSI-X ---- */

static uint64_t entry_address(const struct virtio_transport *transport, unsigned entry)
{
    return transport->msix + entry * VIRTIO_MSIX_ENTRY_SIZE;
}

static void write_message(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                          unsigned entry, uint8_t vector)
{
    uint64_t at = entry_address(transport, entry);
    uint64_t message = iov_guest_msi_address(cpu, vector);

    iov_guest_write(cpu, at + VIRTIO_MSIX_ENTRY_ADDRESS, 4, (uint32_t)message);
    iov_guest_write(cpu, at + VIRTIO_MSIX_ENTRY_ADDRESS + 4, 4, message >> 32);
    iov_guest_write(cpu, at + VIRTIO_MSIX_ENTRY_DATA, 4, vector);
    iov_guest_read(cpu, at + VIRTIO_MSIX_ENTRY_DATA, 4);
}

void iov_virtio_enable_msix(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                            unsigned count, unsigned entries)
{
    for (unsigned i = 0; i < count; i++)
        iov_guest_read(cpu, entry_address(transport, i) + VIRTIO_MSIX_ENTRY_CONTROL, 4);
    for (unsigned i = 0; i < count; i++)
        write_message(transport, cpu, i, MASKED_VECTOR);
    for (unsigned i = 0; i < entries; i++)
        iov_guest_write(cpu, entry_address(transport, i) + VIRTIO_MSIX_ENTRY_CONTROL, 4,
                        VIRTIO_MSIX_ENTRY_MASKED);
}

void iov_virtio_set_vector(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                           unsigned entry, uint8_t vector)
{
    /* Activation and start-up each write the message. */
    write_message(transport, cpu, entry, vector);
    write_message(transport, cpu, entry, vector);
    iov_guest_write(cpu, entry_address(transport, entry) + VIRTIO_MSIX_ENTRY_CONTROL, 4, 0);
}

void iov_virtio_set_config_vector(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                                  uint16_t entry)
{
    common_write(transport, cpu, VIRTIO_PCI_COMMON_CONFIG_VECTOR, 2, entry);
    common_read(transport, cpu, VIRTIO_PCI_COMMON_CONFIG_VECTOR, 2);
}

/* ---- Queues ---- */

static void select_queue(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                         uint16_t index)
{
    common_write(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_SELECT, 2, index);
}

static void write_address(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                          uint32_t offset, uint64_t address)
{
    common_write(transport, cpu, offset, 4, (uint32_t)address);
    common_write(transport, cpu, offset + 4, 4, address >> 32);
}

bool iov_virtio_set_up_queue(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                             struct virtio_queue *queue, uint16_t index, uint16_t entry)
{
    if (index >= common_read(transport, cpu, VIRTIO_PCI_COMMON_QUEUES, 2))
        return false;
    select_queue(transport, cpu, index);
    uint64_t size = common_read(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_SIZE, 2);

    select_queue(transport, cpu, index);
    bool enabled = common_read(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_ENABLE, 2) != 0;

    bool packed = (transport->features & VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)) != 0;

    /* SPEC: 2.7: the size of a split ring is a power of two. */
    if (size == 0 || size > VIRTQ_SIZE_MAX || (!packed && (size & (size - 1)) != 0) || enabled)
        return false;
    if (size > VIRTIO_QUEUE_MAX)
        size = VIRTIO_QUEUE_MAX;
    if (!iov_virtio_queue_init(queue, cpu, index, (uint16_t)size, packed,
                               (transport->features & VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)) != 0))
        return false;
    select_queue(transport, cpu, index);
    common_write(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_SIZE, 2, size);
    select_queue(transport, cpu, index);
    write_address(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_DESC, queue->descriptors);
    write_address(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_DRIVER, queue->available);
    write_address(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_DEVICE, queue->used);
    if (entry != VIRTIO_MSI_NO_VECTOR) {
        select_queue(transport, cpu, index);
        common_write(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_VECTOR, 2, entry);
        if (common_read(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_VECTOR, 2) != entry)
            return false;
    }
    select_queue(transport, cpu, index);
    uint64_t offset = common_read(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF, 2);

    queue->doorbell =
        transport->registers + VIRTIO_PCI_REGION_NOTIFY + offset * VIRTIO_PCI_NOTIFY_MULTIPLIER;
    return true;
}

void iov_virtio_enable_queue(struct virtio_transport *transport, struct iov_guest_cpu *cpu,
                             uint16_t index)
{
    select_queue(transport, cpu, index);
    common_write(transport, cpu, VIRTIO_PCI_COMMON_QUEUE_ENABLE, 2, 1);
}

void iov_virtio_driver_ok(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    add_status(transport, cpu, VIRTIO_STATUS_DRIVER_OK);
    get_status(transport, cpu); /* the bus code makes sure that the driver did this */
}

uint8_t iov_virtio_isr(struct virtio_transport *transport, struct iov_guest_cpu *cpu)
{
    return (uint8_t)iov_guest_read(cpu, transport->registers + VIRTIO_PCI_REGION_ISR, 1);
}
