/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of vfio: vfio.c is registers, line and life, vfio-messages.c the device's MSI-X
 * table. */
#ifndef IOV_HYPERVISOR_VFIO_PRIVATE_H
#define IOV_HYPERVISOR_VFIO_PRIVATE_H

#include "models/hypervisor/host-iommu.h"
#include "models/hypervisor/igb-pf.h"
#include "models/hypervisor/kvm.h"
#include "models/hypervisor/vdcm.h"

#define IOV_TYPE_VFIO (iov_vfio_get_type())
G_DECLARE_FINAL_TYPE(IovVfio, iov_vfio, IOV, VFIO, IovModel)

enum { IOV_VFIO_MESSAGES = 32, IOV_VFIO_VECTORS = 64, IOV_VFIO_CPUS = 64 };

struct iov_vfio_message {
    uint64_t address;
    uint32_t data;
    struct iov_span *span;
};

/* A vector of the device: what the guest wrote into its table, and what stands in the real one. */
struct iov_vfio_vector {
    struct iov_host_irq irq;
    IovVfio *vfio;
    uint32_t words[4]; /* the guest's: address, upper address, data, control */
    uint8_t host_vectors[IOV_VFIO_CPUS];
    uint8_t cpu;    /* that takes it now */
    unsigned entry; /* of the remapping table */
    bool enabled;
    bool posted;
};

struct _IovVfio {
    IovModel parent_instance;
    /* properties */
    IovModel *vm_ref;
    IovModel *iommu_ref;
    IovModel *pf_ref;
    IovModel *adi_ref;
    IovModel *device_ref;
    uint64_t bar;
    uint64_t offset;
    uint64_t cpu;
    uint64_t guest_address;
    uint64_t host_address;
    uint64_t size;
    uint64_t requester;
    uint64_t host_table;
    uint64_t table_size;
    uint64_t vectors;
    iov_time balance;
    /* costs */
    iov_time interrupt_cost, unmask_cost, vector_cost;
    /* ports */
    struct iov_irq_sink line;
    struct iov_mem_target messages;
    struct iov_mem_target table;
    struct iov_mem_target registers;
    struct iov_notify_source irqfd;
    struct iov_notify_sink resample;
    struct iov_mem_initiator msi;
    struct iov_mem_initiator bus;
    /* state */
    IovKvmVm *vm;
    IovHostIommu *iommu;
    IovLinuxHost *host;
    uint64_t bar_address, bar_size; /* of `device` */
    struct iov_host_irq line_irq;
    struct iov_host_irq message_irq;
    uint8_t line_vector;
    uint8_t message_vector;
    bool level;
    bool masked;
    struct iov_span *span;
    struct iov_vfio_message queue[IOV_VFIO_MESSAGES];
    unsigned queued;
    struct iov_vfio_vector vector[IOV_VFIO_VECTORS];
    struct iov_host_timer balance_timer;
    /* statistics */
    uint64_t interrupts, unmasks, lost, vector_changes, moves;
};

/* ---- vfio-messages.c ---- */

extern const struct iov_mem_target_ops iov_vfio_table_ops;
bool iov_vfio_vectors_init(IovVfio *self, GError **error);
void iov_vfio_vectors_start(IovVfio *self);
/* Passes a message on to the guest's routing. In a host interrupt. */
void iov_vfio_inject(IovVfio *self, struct iov_exec *exec, const struct iov_vfio_message *message);

#endif
