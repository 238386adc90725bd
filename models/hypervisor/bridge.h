/* SPDX-License-Identifier: Apache-2.0 */
/* The host's bridge, as the taps that are its ports see it. */
#ifndef IOV_HYPERVISOR_BRIDGE_H
#define IOV_HYPERVISOR_BRIDGE_H

#include "models/hypervisor/switch.h"

#define IOV_TYPE_BRIDGE (iov_bridge_get_type())
G_DECLARE_FINAL_TYPE(IovBridge, iov_bridge, IOV, BRIDGE, IovSwitch)

/* A frame that came in at `port`. The stream pays what it owes for the way so far, for the bridge,
 * and for the driver of the NIC if it goes there. */
void iov_bridge_send(IovBridge *bridge, const struct iov_switch_port *port, struct iov_exec *exec,
                     struct iov_packet *packet, iov_time owed);
/* It is in the kernel of a domain of Xen. */
bool iov_bridge_is_domains(const IovBridge *bridge);

#endif
