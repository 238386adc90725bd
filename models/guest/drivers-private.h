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

/*
 * How much of a frame, no large segment, the vmxnet3 driver copies into its data ring. SPEC: Linux,
 * vmxnet3_parse_hdr(): a short one as it is; of one whose sum is left open the headers, UDP's or
 * TCP's with its options; else what there is room for.
 */
uint32_t iov_guest_vmxnet3_copied(const struct iov_guest_frame *frame);

#endif
