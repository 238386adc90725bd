/* SPDX-License-Identifier: Apache-2.0 */
/* The network drivers, one line each. */
#ifndef IOV_GUEST_DRIVERS_PRIVATE_H
#define IOV_GUEST_DRIVERS_PRIVATE_H

#include "models/guest/netdev.h"

extern const struct iov_guest_netdev_ops iov_guest_e1000_ops;
extern const struct iov_guest_netdev_ops iov_guest_e1000e_ops;
extern const struct iov_guest_netdev_ops iov_guest_igb_ops;
extern const struct iov_guest_netdev_ops iov_guest_igbvf_ops;
extern const struct iov_guest_netdev_ops iov_guest_igbvf_pmd_ops;
extern const struct iov_guest_netdev_ops iov_guest_netfront_ops;
extern const struct iov_guest_netdev_ops iov_guest_virtio_net_ops;
extern const struct iov_guest_netdev_ops iov_guest_virtio_pmd_ops;
extern const struct iov_guest_netdev_ops iov_guest_vmxnet3_ops;

#endif
