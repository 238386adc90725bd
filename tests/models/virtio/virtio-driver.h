/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver for the tests of the virtio family: rings in the memory of the bench, registers through
 * its port. It does what it is told, also what no driver should do.
 */
#ifndef IOV_TEST_VIRTIO_DRIVER_H
#define IOV_TEST_VIRTIO_DRIVER_H

#include "core/harness/harness.h"
#include "models/virtio/virtio-regs.h"

#define COMMON(field) (VIRTIO_PCI_REGION_COMMON + VIRTIO_PCI_COMMON_##field)

/* A ring as the driver sees it. */
struct driver_queue {
    struct iov_fake_mem *mem;
    unsigned number;
    uint16_t size;
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
    uint16_t next_avail;
};

/* Lays out a ring of at most 1024 entries in one block of 32 KiB from `base`. */
static inline struct driver_queue driver_queue_at(struct iov_fake_mem *mem, unsigned number,
                                                  uint16_t size, uint64_t base)
{
    return (struct driver_queue){ .mem = mem,
                                  .number = number,
                                  .size = size,
                                  .desc = base,
                                  .avail = base + 0x4000,
                                  .used = base + 0x5000 };
}

static inline void driver_desc(struct driver_queue *queue, uint16_t index, uint64_t address,
                               uint32_t length, uint16_t flags, uint16_t next)
{
    struct virtq_desc desc = { address, length, flags, next };

    iov_fake_mem_put(queue->mem, queue->desc + 16u * index, &desc, sizeof desc, NULL);
}

/* Makes the chain that begins at `head` available. */
static inline void driver_offer(struct driver_queue *queue, uint16_t head)
{
    iov_fake_mem_set(queue->mem,
                     queue->avail + VIRTQ_AVAIL_RING + 2u * (queue->next_avail % queue->size), 2,
                     head);
    queue->next_avail++;
    iov_fake_mem_set(queue->mem, queue->avail + VIRTQ_AVAIL_IDX, 2, queue->next_avail);
}

/* The device's used index. */
static inline uint16_t driver_used_index(const struct driver_queue *queue)
{
    return (uint16_t)iov_fake_mem_get(queue->mem, queue->used + VIRTQ_USED_IDX, 2);
}

static inline struct virtq_used_elem driver_used_elem(const struct driver_queue *queue,
                                                      uint16_t place)
{
    uint64_t raw =
        iov_fake_mem_get(queue->mem, queue->used + VIRTQ_USED_RING + 8u * (place % queue->size), 8);

    return (struct virtq_used_elem){ .id = (uint32_t)raw, .length = (uint32_t)(raw >> 32) };
}

static inline void driver_set_used_event(struct driver_queue *queue, uint16_t event)
{
    iov_fake_mem_set(queue->mem, queue->avail + virtq_used_event_offset(queue->size), 2, event);
}

static inline uint16_t driver_avail_event(const struct driver_queue *queue)
{
    return (uint16_t)iov_fake_mem_get(queue->mem,
                                      queue->used + virtq_avail_event_offset(queue->size), 2);
}

static inline bool driver_no_notify(const struct driver_queue *queue)
{
    return (iov_fake_mem_get(queue->mem, queue->used + VIRTQ_USED_FLAGS, 2) &
            VIRTQ_USED_NO_NOTIFY) != 0;
}

/* ---- Registers ---- */

static inline uint64_t driver_read(struct iov_harness *bench, uint64_t offset, uint32_t size)
{
    return iov_harness_read(bench, "registers", offset, size);
}

static inline void driver_write(struct iov_harness *bench, uint64_t offset, uint32_t size,
                                uint64_t value)
{
    iov_harness_write(bench, "registers", offset, size, value);
}

static inline uint8_t driver_status(struct iov_harness *bench)
{
    return (uint8_t)driver_read(bench, COMMON(STATUS), 1);
}

static inline uint64_t driver_offered(struct iov_harness *bench)
{
    uint64_t features;

    driver_write(bench, COMMON(DEVICE_FEATURE_SELECT), 4, 0);
    features = driver_read(bench, COMMON(DEVICE_FEATURE), 4);
    driver_write(bench, COMMON(DEVICE_FEATURE_SELECT), 4, 1);
    return features | driver_read(bench, COMMON(DEVICE_FEATURE), 4) << 32;
}

/* Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. True if FEATURES_OK stayed. */
static inline bool driver_negotiate(struct iov_harness *bench, uint64_t features)
{
    driver_write(bench, COMMON(STATUS), 1, 0);
    driver_write(bench, COMMON(STATUS), 1, VIRTIO_STATUS_ACKNOWLEDGE);
    driver_write(bench, COMMON(STATUS), 1, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    driver_write(bench, COMMON(DRIVER_FEATURE_SELECT), 4, 0);
    driver_write(bench, COMMON(DRIVER_FEATURE), 4, features & UINT32_MAX);
    driver_write(bench, COMMON(DRIVER_FEATURE_SELECT), 4, 1);
    driver_write(bench, COMMON(DRIVER_FEATURE), 4, features >> 32);
    driver_write(bench, COMMON(STATUS), 1,
                 VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK);
    return (driver_status(bench) & VIRTIO_STATUS_FEATURES_OK) != 0;
}

static inline void driver_queue_setup(struct iov_harness *bench, const struct driver_queue *queue,
                                      uint16_t vector)
{
    driver_write(bench, COMMON(QUEUE_SELECT), 2, queue->number);
    driver_write(bench, COMMON(QUEUE_SIZE), 2, queue->size);
    driver_write(bench, COMMON(QUEUE_DESC), 4, queue->desc & UINT32_MAX);
    driver_write(bench, COMMON(QUEUE_DESC) + 4, 4, queue->desc >> 32);
    driver_write(bench, COMMON(QUEUE_DRIVER), 4, queue->avail & UINT32_MAX);
    driver_write(bench, COMMON(QUEUE_DRIVER) + 4, 4, queue->avail >> 32);
    driver_write(bench, COMMON(QUEUE_DEVICE), 4, queue->used & UINT32_MAX);
    driver_write(bench, COMMON(QUEUE_DEVICE) + 4, 4, queue->used >> 32);
    driver_write(bench, COMMON(QUEUE_VECTOR), 2, vector);
    driver_write(bench, COMMON(QUEUE_ENABLE), 2, 1);
}

static inline void driver_ok(struct iov_harness *bench)
{
    driver_write(bench, COMMON(STATUS), 1, driver_status(bench) | VIRTIO_STATUS_DRIVER_OK);
    iov_harness_settle(bench);
}

static inline void driver_kick(struct iov_harness *bench, const struct driver_queue *queue)
{
    driver_write(bench, VIRTIO_PCI_REGION_NOTIFY + VIRTIO_PCI_NOTIFY_MULTIPLIER * queue->number, 2,
                 queue->number);
}

/* Vector `vector` of the MSI-X table: message `data` to local APIC 0, not masked. */
static inline void driver_vector(struct iov_harness *bench, unsigned vector, uint32_t data)
{
    uint64_t entry = VIRTIO_MSIX_ENTRY_SIZE * (uint64_t)vector;

    iov_harness_write(bench, "msix", entry + VIRTIO_MSIX_ENTRY_ADDRESS, 4, 0xfee00000);
    iov_harness_write(bench, "msix", entry + VIRTIO_MSIX_ENTRY_ADDRESS + 4, 4, 0);
    iov_harness_write(bench, "msix", entry + VIRTIO_MSIX_ENTRY_DATA, 4, data);
    iov_harness_write(bench, "msix", entry + VIRTIO_MSIX_ENTRY_CONTROL, 4, 0);
}

#endif
