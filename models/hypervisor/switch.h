/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IovSwitch: what the switches of hosts (bridge, vswitch, poll-switch) do alike. Ports with guests
 * behind them, a NIC below, a table of addresses; what a frame is refused for and where it goes.
 * The kinds differ in whose time it takes, and in how frames come in.
 */
#ifndef IOV_HYPERVISOR_SWITCH_H
#define IOV_HYPERVISOR_SWITCH_H

#include "core/trace/measure.h"
#include "models/hypervisor/host-nic.h"
#include "models/hypervisor/host.h"
#include "models/hypervisor/mac-table.h"

#define IOV_TYPE_SWITCH (iov_switch_get_type())
GType iov_switch_get_type(void);
typedef struct _IovSwitch IovSwitch;
typedef struct _IovSwitchClass IovSwitchClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovSwitch, g_object_unref)
#define IOV_SWITCH(object) ((IovSwitch *)(void *)(object))
#define IOV_SWITCH_CLASS(klass) ((IovSwitchClass *)(void *)(klass))
#define IOV_SWITCH_GET_CLASS(object) IOV_SWITCH_CLASS(G_OBJECT_GET_CLASS(object))

#define IOV_SWITCH_NIC (-1) /* the number of the NIC's port */

struct iov_switch_port {
    /* A frame goes out here, on the stream that brings it (NULL in an event), which pays for the
     * way so far (`owed`) with whatever the port costs. */
    void (*deliver)(struct iov_switch_port *port, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed);
    int number;
    bool has_address; /* set by the owner before frames flow: the only address that its guest has */
    uint8_t address[IOV_MAC_BYTES];
};

struct _IovSwitchClass {
    IovModelClass parent_class;
    /* It knows the stations at its ports and takes all others to be behind the NIC; else it learns
     * where they are, and sends to all ports what is for somebody unknown. */
    bool knows_stations;
    /* Out at a port that is not the NIC's. The parent's: the port's deliver(). */
    void (*port_send)(IovSwitch *self, int port, struct iov_exec *exec, struct iov_packet *packet,
                      iov_time owed);
};

struct _IovSwitch {
    IovModel parent_instance;
    bool anti_spoof;         /* property */
    iov_time transmit_cost;  /* the NIC's driver, one frame out: a row of the kinds */
    struct iov_host_nic nic; /* with its port; the kinds set `ring` and `received` */
    /* state */
    struct iov_switch_port *ports[IOV_MAC_PORTS];
    int port_count;
    struct iov_mac_table addresses;
    struct iov_packet_pool *pool; /* of copies */
    /* statistics */
    uint64_t forwarded, flooded, received_frames, drops, spoofed;
};

/* False: all ports are taken. Slow plane. */
bool iov_switch_attach(IovSwitch *self, struct iov_switch_port *port);
void iov_switch_drop(IovSwitch *self, struct iov_packet *packet);
/* A frame that came in at port `from`. The stream pays what it owes so far, and for the driver of
 * the NIC if it goes there. */
void iov_switch_forward(IovSwitch *self, int from, struct iov_exec *exec, struct iov_packet *packet,
                        iov_time owed);

#endif
