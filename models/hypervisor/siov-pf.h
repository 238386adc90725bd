/* SPDX-License-Identifier: Apache-2.0 */
/* The host's driver of a card with assignable interfaces, as the other parts of this family see
 * it. */
#ifndef IOV_HYPERVISOR_SIOV_PF_H
#define IOV_HYPERVISOR_SIOV_PF_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_SIOV_PF (iov_siov_pf_get_type())
G_DECLARE_FINAL_TYPE(IovSiovPf, iov_siov_pf, IOV, SIOV_PF, IovModel)

struct iov_siov_adi {
    uint16_t requester; /* the card's: its parts have none of their own */
    unsigned index;
    uint64_t doorbells, messages, window; /* host addresses */
};

/* Gives an interface away. Slow plane, while the owner is being realized. False with a GError
 * (IOV_ERROR_CONFIG) if there is none left. */
bool iov_siov_pf_take(IovSiovPf *pf, struct iov_siov_adi *ret_adi, GError **error);
/* The interface may send and receive, under the address that comes back. `exec` does it and pays;
 * from fibers only. */
void iov_siov_pf_open(IovSiovPf *pf, struct iov_exec *exec, unsigned adi, uint8_t ret_mac[6]);
/* Its longest frame. */
void iov_siov_pf_set_length(IovSiovPf *pf, struct iov_exec *exec, unsigned adi, uint32_t length);

#endif
