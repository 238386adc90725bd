/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's virtual switch (kind vswitch), as its ports (kind vswitch-port) see it. */
#ifndef IOV_HYPERVISOR_VSWITCH_H
#define IOV_HYPERVISOR_VSWITCH_H

#include "core/port/packet.h"
#include "models/hypervisor/host.h"

#define IOV_TYPE_VSWITCH (iov_vswitch_get_type())
G_DECLARE_FINAL_TYPE(IovVswitch, iov_vswitch, IOV, VSWITCH, IovModel)

/* A port: takes the frames that go out there, on the switch's world, whose span is the frame's. */
struct iov_vswitch_port {
    void (*deliver)(struct iov_vswitch_port *port, struct iov_packet *packet);
    int number;
    bool has_address; /* set by the owner before frames flow: the only address that its guest has */
    uint8_t address[6];
};

/* False: all ports are taken. Slow plane. */
bool iov_vswitch_attach(IovVswitch *vswitch, struct iov_vswitch_port *port);
/* A frame that came in at `port`, on `thread` (NULL in an event), which pays for the switch and the
 * NIC's driver. */
void iov_vswitch_send(IovVswitch *vswitch, const struct iov_vswitch_port *port,
                      struct iov_thread *thread, struct iov_packet *packet);
IovLinuxHost *iov_vswitch_host(IovVswitch *vswitch);

#endif
