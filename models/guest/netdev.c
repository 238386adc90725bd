/* SPDX-License-Identifier: Apache-2.0 */
/* The drivers that the guest kernel knows. */
#include <string.h>

#include "models/guest/drivers-private.h"

static const struct iov_guest_netdev_ops *const drivers[] = {
    &iov_guest_e1000_ops,     &iov_guest_igb_ops,        &iov_guest_igbvf_ops,
    &iov_guest_igbvf_pmd_ops, &iov_guest_virtio_net_ops, &iov_guest_virtio_pmd_ops,
    &iov_guest_netfront_ops,  &iov_guest_e1000e_ops,     &iov_guest_vmxnet3_ops,
};

const struct iov_guest_netdev_ops *iov_guest_netdev_find(const char *name)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    return NULL;
}
