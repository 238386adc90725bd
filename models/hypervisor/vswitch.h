/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's virtual switch (kind vswitch), as its ports (kind vswitch-port) see it. */
#ifndef IOV_HYPERVISOR_VSWITCH_H
#define IOV_HYPERVISOR_VSWITCH_H

#include "models/hypervisor/switch.h"

#define IOV_TYPE_VSWITCH (iov_vswitch_get_type())
G_DECLARE_FINAL_TYPE(IovVswitch, iov_vswitch, IOV, VSWITCH, IovSwitch)

/* A frame that came in at `port`, on `thread` (NULL in an event), which pays for the switch and the
 * NIC's driver. */
void iov_vswitch_send(IovVswitch *vswitch, const struct iov_switch_port *port,
                      struct iov_thread *thread, struct iov_packet *packet);
IovLinuxHost *iov_vswitch_host(IovVswitch *vswitch);

#endif
