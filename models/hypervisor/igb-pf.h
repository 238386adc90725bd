/* SPDX-License-Identifier: Apache-2.0 */
/* The host's driver of an 82576's physical function, as the other parts of this family see it. */
#ifndef IOV_HYPERVISOR_IGB_PF_H
#define IOV_HYPERVISOR_IGB_PF_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_IGB_PF (iov_igb_pf_get_type())
G_DECLARE_FINAL_TYPE(IovIgbPf, iov_igb_pf, IOV, IGB_PF, IovModel)

struct iov_igb_vf {
    uint16_t requester;
    unsigned index;
    uint64_t registers, msix; /* host addresses of its two BARs */
};

/* Gives a virtual function away. Slow plane, while the owner is being realized. False with a GError
 * (IOV_ERROR_CONFIG) if there is none left. */
bool iov_igb_pf_take(IovIgbPf *pf, struct iov_igb_vf *ret_vf, GError **error);

#endif
