/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IovVirtioPci: the PCI transport (virtio 1.2, clause 4.1), modern and transitional, once for all
 * virtio devices. A device is a subclass: it says which queues, features and configuration it has
 * (iov_virtio_pci_setup() in its prepare()) and reacts to the events in struct
 * iov_virtio_device_ops.
 */
#ifndef IOV_VIRTIO_PCI_PRIVATE_H
#define IOV_VIRTIO_PCI_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/space.h"
#include "models/virtio/virtio-ring-private.h"

#define IOV_VIRTIO_CONFIG_SPACE 256 /* bytes */
#define IOV_VIRTIO_VECTORS_MAX 128  /* the table ends where the pending bits begin */
#define IOV_VIRTIO_DEVICE_CONFIG_MAX 64

#define IOV_TYPE_VIRTIO_PCI (iov_virtio_pci_get_type())
GType iov_virtio_pci_get_type(void);
typedef struct _IovVirtioPci IovVirtioPci;
typedef struct _IovVirtioPciClass IovVirtioPciClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovVirtioPci, g_object_unref)
#define IOV_VIRTIO_PCI(object) ((IovVirtioPci *)(void *)(object))

/* What a device does; called from register accesses. */
struct iov_virtio_device_ops {
    uint16_t type;       /* VIRTIO_ID_* */
    uint16_t legacy_id;  /* PCI device ID of its transitional form; 0: it has none */
    uint32_t class_code; /* PCI base class, subclass, interface */
    /* The driver wrote status 0, or the device is new: forget everything. */
    void (*reset)(IovVirtioPci *pci);
    /* DRIVER_OK: features and queues are settled. */
    void (*start)(IovVirtioPci *pci);
    /* An available buffer notification for a live queue. */
    void (*kick)(IovVirtioPci *pci, unsigned queue);
    /* The queue broke: stop every engine until the reset. */
    void (*stop)(IovVirtioPci *pci);
    /* The driver resets one queue: forget what is under way there. NULL: the device does not offer
     * it. */
    void (*queue_reset)(IovVirtioPci *pci, unsigned queue);
    /* The driver writes into the device's configuration. NULL: all of it is read only. */
    void (*config_write)(IovVirtioPci *pci, uint32_t offset, const uint8_t *data, uint32_t size);
};

/* Which drivers the device is for. */
enum iov_virtio_interface {
    IOV_VIRTIO_MODERN,       /* non-transitional: version 1 and later */
    IOV_VIRTIO_TRANSITIONAL, /* and those of before, by an I/O BAR */
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
    enum iov_virtio_interface interface;
    enum iov_virtio_setup setup;
    uint16_t queue_size;
    bool event_index;
    bool indirect;
    bool packed;
    uint16_t requester_id;
    /* ports */
    struct iov_pci_function pci;
    struct iov_mem_target config;
    struct iov_mem_target legacy;
    struct iov_mem_target registers;
    struct iov_mem_target msix;
    struct iov_irq_source interrupt;
    struct iov_mem_initiator dma;
    /* what the device is */
    unsigned queue_count;
    unsigned vector_count;
    uint64_t offered; /* features */
    uint32_t device_config_size;
    _Alignas(8) uint8_t device_config[IOV_VIRTIO_DEVICE_CONFIG_MAX];
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
    bool started; /* the device's start() was called */
    bool early;   /* a legacy driver uses its queues before DRIVER_OK */
    bool broken;  /* until the next reset */
    struct iov_virtio_dma access;
    struct iov_pci_space space;
    struct iov_event deliver; /* a configuration interrupt leaves: never inside a register access */
    uint64_t wire_interrupts; /* by INTx */
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
/* Has the driver left version 1 out? Then rings and headers are those of the legacy interface. */
static inline bool iov_virtio_is_legacy(const IovVirtioPci *pci)
{
    return !iov_virtio_has(pci, VIRTIO_F_VERSION_1);
}
/* May the device work: DRIVER_OK, not broken, allowed to master the bus. */
static inline bool iov_virtio_live(const IovVirtioPci *pci)
{
    return ((pci->status & VIRTIO_STATUS_DRIVER_OK) != 0 || pci->early) && !pci->broken &&
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
extern const struct iov_pci_function_ops iov_virtio_function_ops;
extern const struct iov_mem_target_ops iov_virtio_config_ops;
extern const struct iov_mem_target_ops iov_virtio_legacy_ops;
extern const struct iov_mem_target_ops iov_virtio_msix_ops;
/* Makes header and capabilities; reset values. */
void iov_virtio_config_init(IovVirtioPci *pci);
/* The reset of the device alone: status 0. */
void iov_virtio_reset(IovVirtioPci *pci);
/* Driver's side of the registers that both interfaces have. */
void iov_virtio_write_status(IovVirtioPci *pci, uint8_t value);
void iov_virtio_notify(IovVirtioPci *pci, uint64_t queue);
uint8_t iov_virtio_take_isr(IovVirtioPci *pci, bool look);
/* Device configuration: an access that does not lie inside it reads as ones. */
void iov_virtio_device_read(const IovVirtioPci *pci, uint64_t offset, void *data, uint32_t size);
void iov_virtio_device_write(IovVirtioPci *pci, uint64_t offset, const void *data, uint32_t size);
/* The vector that the driver gets if it asks for `vector`. */
static inline uint16_t iov_virtio_usable_vector(const IovVirtioPci *pci, uint32_t vector)
{
    return vector < pci->vector_count ? (uint16_t)vector : VIRTIO_MSI_NO_VECTOR;
}
static inline struct iov_virtq *iov_virtio_selected_queue(IovVirtioPci *pci)
{
    return pci->queue_select < pci->queue_count ? &pci->queues[pci->queue_select] : NULL;
}
static inline bool iov_virtio_msix_enabled(const IovVirtioPci *pci)
{
    return iov_pci_msix_enabled(&pci->space);
}
/* Drives the wire from ISR status, MSI-X and the command register. */
void iov_virtio_intx_update(IovVirtioPci *pci, struct iov_span *span);
/* A mistake of the driver that the device just ignores. */
void iov_virtio_bad_access(IovVirtioPci *pci);

#endif
