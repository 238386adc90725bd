/* SPDX-License-Identifier: Apache-2.0 */
/* The answers a target gives to an access: what a bus would answer, never a host error. */
#ifndef IOV_PORT_STATUS_H
#define IOV_PORT_STATUS_H

enum iov_status {
    IOV_STATUS_OK,
    IOV_STATUS_UNSUPPORTED, /* nobody claims it, or not in this size: PCIe UR, reads give all ones
                             */
    IOV_STATUS_ABORT,       /* the target refuses it: PCIe CA */
    IOV_STATUS_FAULT,       /* blocked by a translation */
};

#endif
