/* SPDX-License-Identifier: Apache-2.0 */
/* The host's driver of an 82576 whose queues are given to guests (kind igb-vmdq), as the driver of
 * one such queue sees it. */
#ifndef IOV_HYPERVISOR_IGB_VMDQ_H
#define IOV_HYPERVISOR_IGB_VMDQ_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_IGB_VMDQ (iov_igb_vmdq_get_type())
G_DECLARE_FINAL_TYPE(IovIgbVmdq, iov_igb_vmdq, IOV, IGB_VMDQ, IovModel)

/* Gives a pool away. Slow plane, while the owner is being realized. False with a GError
 * (IOV_ERROR_CONFIG) if there is none left. */
bool iov_igb_vmdq_take(IovIgbVmdq *card, unsigned *ret_pool, GError **error);
IovLinuxHost *iov_igb_vmdq_host(const IovIgbVmdq *card);
/* Host address of the card's registers. */
uint64_t iov_igb_vmdq_registers(const IovIgbVmdq *card);
/* Sets a register, or an address of host memory, in no time: for set-up. */
void iov_igb_vmdq_set(IovIgbVmdq *card, uint32_t reg, uint32_t value);
void iov_igb_vmdq_poke(IovIgbVmdq *card, iov_hpa address, uint32_t size, uint64_t value);
/*
 * Frames for `address` in VLAN `vlan` (0: untagged ones) go to `pool`, which sends in it and has no
 * tags itself; several pools may share an address in different VLANs. Its receive queue's interrupt
 * is `vector` of host processor `cpu`.
 */
void iov_igb_vmdq_open(IovIgbVmdq *card, unsigned pool, const uint8_t address[6], unsigned vlan,
                       unsigned cpu, uint8_t vector);

#endif
