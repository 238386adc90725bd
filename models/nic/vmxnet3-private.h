/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of vmxnet3, shared by its files: vmxnet3.c (commands, interrupts, life),
 * vmxnet3-registers.c (BARs), vmxnet3-queues.c (frames). */
#ifndef IOV_NIC_VMXNET3_PRIVATE_H
#define IOV_NIC_VMXNET3_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/space.h"
#include "models/nic/vmxnet3-regs.h"

#define IOV_TYPE_VMXNET3 (iov_vmxnet3_get_type())
G_DECLARE_FINAL_TYPE(IovVmxnet3, iov_vmxnet3, IOV, VMXNET3, IovModel)

struct vmxnet3_ring {
    uint64_t base;
    uint32_t size;
    uint32_t next;
    bool generation;
};

struct _IovVmxnet3 {
    IovModel parent_instance;
    /* properties */
    char *mac;
    int setup;
    uint64_t requester;
    uint64_t defer;
    iov_time defer_time;
    /* ports */
    struct iov_pci_function pci;
    struct iov_mem_target config;
    struct iov_mem_target registers;
    struct iov_mem_target control;
    struct iov_mem_target msix;
    struct iov_irq_source interrupt;
    struct iov_mem_initiator dma;
    struct iov_packet_port wire;
    /* state */
    struct iov_pci_space space;
    struct iov_packet_pool *pool;
    struct iov_packet_queue waiting;
    struct iov_event work;
    struct iov_event look;
    uint8_t address[6];
    uint64_t shared_at, queues_at;
    uint32_t command, result; /* the command that the event is to do, 0: none; what CMD reads */
    uint32_t events;
    uint32_t features, rx_mode;
    bool active, doorbell, looking, want_producer, tx_stopped, rx_stopped, auto_mask;
    uint8_t tx_vector, rx_vector, event_vector;
    uint32_t masked, pending; /* vectors */
    bool line;
    uint32_t threshold, doorbells;
    iov_time last_doorbell;
    struct vmxnet3_ring tx, tx_done, rx[2], rx_done;
    /* statistics */
    uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes, doorbells_seen, looks, tx_malformed,
        rx_filtered, rx_no_buffer, rx_not_ready, interrupts, guest_faults;
};

static inline iov_time vmxnet3_now(const IovVmxnet3 *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- vmxnet3.c ---- */
void vmxnet3_guest_fault(IovVmxnet3 *self);
void vmxnet3_drop(IovVmxnet3 *self, uint64_t *statistic);
/* False if memory did not answer, or the device may not ask it. `span`: the request that the bytes
 * belong to, in or out; or NULL. */
bool vmxnet3_dma(IovVmxnet3 *self, uint64_t address, void *data, uint32_t size, bool write,
                 uint16_t flags, struct iov_span **span);
/* An interrupt, or a pending one while it is masked. */
void vmxnet3_raise(IovVmxnet3 *self, unsigned vector, struct iov_span *span);
/* Something for the event vector: bits of VMXNET3_EVENT_*. */
void vmxnet3_tell_event(IovVmxnet3 *self, uint32_t event);

/* ---- vmxnet3-registers.c ---- */
extern const struct iov_mem_target_ops vmxnet3_registers_ops; /* BAR 0 */
extern const struct iov_mem_target_ops vmxnet3_control_ops;   /* BAR 1 */
extern const struct iov_mem_target_ops vmxnet3_msix_ops;      /* BAR 2 */

/* ---- vmxnet3-queues.c; all from the device's event ---- */
/* Reads the descriptions of the queues; false if they make no sense. */
bool vmxnet3_queues_read(IovVmxnet3 *self, unsigned vectors);
/* The driver has written TXPROD. */
void vmxnet3_doorbell(IovVmxnet3 *self);
/* The device looks by itself. */
void vmxnet3_look(IovVmxnet3 *self);
void vmxnet3_receive(IovVmxnet3 *self);
/* Says whether the driver is to write RXPROD. */
void vmxnet3_want_producer(IovVmxnet3 *self, uint8_t want);

static inline bool vmxnet3_get(IovVmxnet3 *self, uint64_t address, void *data, uint32_t size)
{
    return vmxnet3_dma(self, address, data, size, false, 0, NULL);
}

/* Of data that is ours to change: requests hold what is written by a plain pointer. */
static inline bool vmxnet3_put(IovVmxnet3 *self, uint64_t address, void *data, uint32_t size)
{
    return vmxnet3_dma(self, address, data, size, true, 0, NULL);
}

static inline uint64_t vmxnet3_tx_queue(const IovVmxnet3 *self, size_t field)
{
    return self->queues_at + field;
}

static inline uint64_t vmxnet3_rx_queue(const IovVmxnet3 *self, size_t field)
{
    return self->queues_at + sizeof(struct vmxnet3_tx_queue) + field;
}

#endif
