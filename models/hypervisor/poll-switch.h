/* SPDX-License-Identifier: Apache-2.0 */
/* The poll-mode switch, as the back ends behind its ports see it. */
#ifndef IOV_HYPERVISOR_POLL_SWITCH_H
#define IOV_HYPERVISOR_POLL_SWITCH_H

#include "models/hypervisor/switch.h"
#include "models/hypervisor/vhost-private.h"

#define IOV_TYPE_POLL_SWITCH (iov_poll_switch_get_type())
G_DECLARE_FINAL_TYPE(IovPollSwitch, iov_poll_switch, IOV, POLL_SWITCH, IovSwitch)

/* A frame that came in at `port`, on the switch's thread: it goes where its destination was last
 * seen, or to all others. */
void iov_poll_switch_forward(IovPollSwitch *self, int port, struct iov_thread *thread,
                             struct iov_packet *packet);
IovIoWorker *iov_poll_switch_worker(const IovPollSwitch *self);

#endif
