/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's DMA mapping: what a driver calls before and after a device works on a buffer.
 * Without an IOMMU, and in pass-through mode, device addresses are guest-physical addresses and
 * nothing costs anything.
 *
 * Mapped buffers live at device addresses of their own. Taking one back ends in an invalidation:
 * `strict` waits for it at once, `deferred` collects some and does them together.
 */
#ifndef IOV_GUEST_IOMMU_H
#define IOV_GUEST_IOMMU_H

#include <stdbool.h>
#include <stdint.h>

#include "core/port/mem.h"

struct iov_guest_cpu;
struct iov_guest_iommu;
struct _IovLinuxGuest;

enum iov_guest_iommu_mode {
    IOV_GUEST_IOMMU_NONE, /* there is none, or it is left alone */
    IOV_GUEST_IOMMU_PASS_THROUGH,
    IOV_GUEST_IOMMU_STRICT,
    IOV_GUEST_IOMMU_DEFERRED,
};

/* Finds the unit and sets it up. False: it is not there or lacks what is needed. */
bool iov_guest_iommu_boot(struct iov_guest_cpu *cpu);
void iov_guest_iommu_free(struct iov_guest_iommu *iommu); /* accepts NULL */

/* A buffer for one transfer, at most 64 KiB; the device address, or UINT64_MAX if there is no
 * room. */
uint64_t iov_guest_dma_map(struct iov_guest_cpu *cpu, iov_gpa buffer, uint32_t size);
/* The transfer is over. `size` as at the mapping. */
void iov_guest_dma_unmap(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size);
/* Memory that device and driver share for ever: rings. Device address, or UINT64_MAX. */
uint64_t iov_guest_dma_share(struct iov_guest_cpu *cpu, iov_gpa memory, uint64_t size);
/* Does a device address differ from a physical one, so that every transfer is mapped? */
bool iov_guest_dma_translates(const struct iov_guest_cpu *cpu);
/* In deferred mode: the time has come. From the timer interrupt. */
void iov_guest_dma_timer(struct iov_guest_cpu *cpu);

/* ---- Interrupt remapping, if it is on ---- */

bool iov_guest_remaps_interrupts(const struct iov_guest_cpu *cpu);
/* An entry for `vector` to `destination` (APIC ID, or logical); its index. */
unsigned iov_guest_remap_alloc(struct iov_guest_cpu *cpu);
void iov_guest_remap_write(struct iov_guest_cpu *cpu, unsigned index, uint8_t vector,
                           uint32_t destination, bool logical, bool level, uint16_t source);

#endif
