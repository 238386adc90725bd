/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the guest kernel: large segments where the device does not help, see offload.c. */
#ifndef IOV_GUEST_OFFLOAD_H
#define IOV_GUEST_OFFLOAD_H

#include "core/net/ethernet-regs.h"
#include "models/guest/guest-private.h"

/* The driver gets the pieces of a large segment. False: it has no room for all of them; the next
 * call goes on there. */
bool iov_guest_transmit_pieces(struct iov_guest_net *net, struct iov_guest_cpu *cpu,
                               const struct iov_guest_frame *frame);
/* The large segment that a poll has put together goes up, behind what came before it. */
void iov_guest_gro_flush(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi);
bool iov_guest_gro_take_tcp(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi,
                            const struct iov_guest_frame *frame);
/* GRO takes a received frame. False: it goes up as it is. */
static inline bool iov_guest_gro_take(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi,
                                      const struct iov_guest_frame *frame)
{
    return frame->data[ETHERNET_HEADER + IPV4_PROTOCOL] == IPV4_PROTOCOL_TCP &&
           iov_guest_gro_take_tcp(cpu, napi, frame);
}

/* ---- net.c ---- */

/* What a frame counts for in a socket's send buffer. */
uint32_t iov_guest_frame_memory(uint32_t size);
/* One frame goes up the stack. */
void iov_guest_net_deliver(struct iov_guest_cpu *cpu, struct iov_guest_net *net,
                           const struct iov_guest_frame *frame);

#endif
