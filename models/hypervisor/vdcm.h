/* SPDX-License-Identifier: Apache-2.0 */
/* What presents an assignable interface to a guest (kind vdcm), as the part that has its interrupts
 * (vfio) sees it. */
#ifndef IOV_HYPERVISOR_VDCM_H
#define IOV_HYPERVISOR_VDCM_H

#include "models/hypervisor/siov-pf.h"

#define IOV_TYPE_VDCM (iov_vdcm_get_type())
G_DECLARE_FINAL_TYPE(IovVdcm, iov_vdcm, IOV, VDCM, IovModel)

/* The interface, known from realize on. */
const struct iov_siov_adi *iov_vdcm_adi(const IovVdcm *vdcm);

#endif
