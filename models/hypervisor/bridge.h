/* SPDX-License-Identifier: Apache-2.0 */
/* The host's bridge, as the taps that are its ports see it. */
#ifndef IOV_HYPERVISOR_BRIDGE_H
#define IOV_HYPERVISOR_BRIDGE_H

#include "core/port/packet.h"
#include "models/hypervisor/host.h"

#define IOV_TYPE_BRIDGE (iov_bridge_get_type())
G_DECLARE_FINAL_TYPE(IovBridge, iov_bridge, IOV, BRIDGE, IovModel)

/*
 * A port of the bridge: takes the frames that go out there, on the stream that brings them (NULL in
 * an event), which pays for the way there
 * (`owed`) with whatever the port costs.
 */
struct iov_bridge_port {
    void (*deliver)(struct iov_bridge_port *port, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed);
    int number;
    bool has_address; /* set by the owner before frames flow: the only address that its guest has */
    uint8_t address[6];
};

/* False: all ports are taken. Slow plane. */
bool iov_bridge_attach(IovBridge *bridge, struct iov_bridge_port *port);
/* A frame that came in at `port`. The stream pays what it owes for the way so far, for the bridge,
 * and for the driver of the NIC if it goes there. */
void iov_bridge_send(IovBridge *bridge, const struct iov_bridge_port *port, struct iov_exec *exec,
                     struct iov_packet *packet, iov_time owed);

#endif
