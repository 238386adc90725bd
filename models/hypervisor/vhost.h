/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor must know of back ends beside the emulator: which doorbells are theirs, for those
 * come by an eventfd or not at all.
 */
#ifndef IOV_HYPERVISOR_VHOST_H
#define IOV_HYPERVISOR_VHOST_H

#include "core/object/model.h"

/* Whether this is the port `kick` of one. */
bool iov_vhost_owns(const struct iov_mem_target *target);

#endif
