/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IovVirtioPci: the modern PCI transport (virtio 1.2, clause 4.1), once for all virtio devices. A
 * device is a subclass: it says which queues, features and configuration it has
 * (iov_virtio_pci_setup() in its prepare()) and reacts to the four events in struct
 * iov_virtio_device_ops.
 */
#ifndef IOV_VIRTIO_PCI_PRIVATE_H
#define IOV_VIRTIO_PCI_PRIVATE_H

#include "core/object/model.h"
#include "models/virtio/virtio-ring-private.h"

#define IOV_VIRTIO_CONFIG_SPACE 256
#define IOV_VIRTIO_VECTORS_MAX 128 /* the table ends where the pending bits begin */
#define IOV_VIRTIO_DEVICE_CONFIG_MAX 64

#define IOV_TYPE_VIRTIO_PCI (iov_virtio_pci_get_type())
GType iov_virtio_pci_get_type(void);
typedef struct _IovVirtioPci IovVirtioPci;
typedef struct _IovVirtioPciClass IovVirtioPciClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovVirtioPci, g_object_unref)
#define IOV_VIRTIO_PCI(object) ((IovVirtioPci *)(void *)(object))
#define IOV_VIRTIO_PCI_CLASS(klass) ((IovVirtioPciClass *)(void *)(klass))

/* What a device does; called from register accesses. None of them may be NULL. */
struct iov_virtio_device_ops {
    uint16_t type;       /* VIRTIO_ID_* */
    uint32_t class_code; /* PCI base class, subclass, interface */
    /* The driver wrote status 0, or the device is new: forget everything. */
    void (*reset)(IovVirtioPci *pci);
    /* DRIVER_OK: features and queues are settled. */
    void (*start)(IovVirtioPci *pci);
    /* An available buffer notification for a live queue. */
    void (*kick)(IovVirtioPci *pci, unsigned queue);
    /* The queue broke: stop every engine until the reset. */
    void (*stop)(IovVirtioPci *pci);
};

/* How far the device is set up when the run begins. */
enum iov_virtio_setup {
    IOV_VIRTIO_SETUP_RESET, /* as after power-on: software does it all through `config` */
    IOV_VIRTIO_SETUP_INTX,  /* decoding and bus mastering on, as firmware leaves it; interrupts by
                               wire */
    IOV_VIRTIO_SETUP_MSIX, /* and MSI-X on, every vector masked, as a kernel's PCI core leaves it */
};

struct _IovVirtioPci {
    IovModel parent_instance;
    const struct iov_virtio_device_ops *ops; /* set by the device's init */
    /* properties */
    enum iov_virtio_setup setup;
    uint16_t queue_size;
    bool event_index;
    bool indirect;
    uint16_t requester_id;
    /* ports */
    struct iov_mem_target config;
    struct iov_mem_target registers;
    struct iov_mem_target msix;
    struct iov_irq_source interrupt;
    struct iov_mem_initiator dma;
    /* what the device is */
    unsigned queue_count;
    unsigned vector_count;
    uint64_t offered; /* features */
    uint32_t device_config_size;
    uint8_t device_config[IOV_VIRTIO_DEVICE_CONFIG_MAX];
    /* state */
    struct iov_virtq *queues;
    uint64_t accepted; /* features */
    uint32_t device_select;
    uint32_t driver_select;
    uint16_t queue_select;
    uint16_t config_vector;
    uint8_t status;
    uint8_t generation;
    uint8_t isr;
    struct iov_virtio_dma access;
    uint8_t space[IOV_VIRTIO_CONFIG_SPACE];
    uint8_t writable[IOV_VIRTIO_CONFIG_SPACE]; /* mask of bits that software may write */
    uint8_t table[IOV_VIRTIO_VECTORS_MAX * VIRTIO_MSIX_ENTRY_SIZE];
    uint64_t pending[IOV_VIRTIO_VECTORS_MAX / 64];
    struct iov_event deliver; /* pending interrupts leave: never inside a register access */
    bool config_interrupt;    /* one of them is a change of configuration */
    /* statistics */
    uint64_t notifications;
    uint64_t interrupts;
    uint64_t interrupts_suppressed;
    uint64_t guest_faults;
    uint64_t bad_accesses;
    uint64_t dma_reads;
    uint64_t dma_writes;
};

struct _IovVirtioPciClass {
    IovModelClass parent_class;
};

/* ---- For devices ---- */

/*
 * In the device's prepare(): number of queues and MSI-X vectors, features beside the ring's own,
 * and the first bytes of its configuration. Makes the queues and puts the device into its reset
 * state.
 */
void iov_virtio_pci_setup(IovVirtioPci *pci, unsigned queues, unsigned vectors, uint64_t features,
                          const void *device_config, uint32_t size);
/* Is the feature in force? */
static inline bool iov_virtio_has(const IovVirtioPci *pci, unsigned feature)
{
    return (pci->accepted & VIRTIO_FEATURE(feature)) != 0;
}
/* May the device work: DRIVER_OK, not broken, allowed to master the bus. */
static inline bool iov_virtio_live(const IovVirtioPci *pci)
{
    return (pci->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
               VIRTIO_STATUS_DRIVER_OK &&
           pci->access.enabled;
}
/*
 * Used buffers were published in `queue`: interrupts the driver if it wants that, with `span` as
 * the request that it announces. Part of the present DMA step.
 */
void iov_virtio_signal(IovVirtioPci *pci, unsigned queue, struct iov_span *span);
/* A queue is broken: counts it, sets NEEDS_RESET, tells the driver, stops the device. */
void iov_virtio_broken(IovVirtioPci *pci);
/* The device changed its configuration: new generation and a configuration interrupt. */
void iov_virtio_config_changed(IovVirtioPci *pci);

/* ---- Between the files of the transport ---- */

enum iov_status iov_virtio_registers_read(struct iov_mem_target *port, struct iov_mem_req *req);
enum iov_status iov_virtio_registers_write(struct iov_mem_target *port, struct iov_mem_req *req);
extern const struct iov_mem_target_ops iov_virtio_config_ops;
extern const struct iov_mem_target_ops iov_virtio_msix_ops;
/* Writes header and capabilities; reset values. */
void iov_virtio_config_init(IovVirtioPci *pci);
bool iov_virtio_msix_enabled(const IovVirtioPci *pci);
/* Sends or marks vector `vector`. */
void iov_virtio_msix_raise(IovVirtioPci *pci, uint16_t vector, struct iov_span *span);
/* All vectors masked and none pending. */
void iov_virtio_msix_reset(IovVirtioPci *pci);
/* Sends what is pending and not masked any more. A DMA step of its own. */
void iov_virtio_msix_flush(IovVirtioPci *pci);
/* Later in this instant: iov_virtio_msix_flush() and a configuration interrupt if there is one. */
void iov_virtio_deliver_soon(IovVirtioPci *pci);
/* Drives the wire from ISR status, MSI-X and the command register. */
void iov_virtio_intx_update(IovVirtioPci *pci, struct iov_span *span);
/* A mistake of the driver that the device just ignores. */
void iov_virtio_bad_access(IovVirtioPci *pci);

#endif
