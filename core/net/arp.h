/* SPDX-License-Identifier: Apache-2.0 */
/* ARP for IPv4 over Ethernet, as bytes of a frame. SPEC: RFC 826. */
#ifndef IOV_NET_ARP_H
#define IOV_NET_ARP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/net/address.h"

IOV_BEGIN_DECLS

/* Whether `size` bytes at `frame` are a message of this operation; and then who sent it, and for
 * which address. Ports have no part in ARP. */
IOV_API bool iov_net_arp_parse(const uint8_t *frame, uint32_t size, unsigned operation,
                               struct iov_net_end *ret_sender, uint32_t *ret_target);
/* Puts a message of ETHERNET_MIN bytes at `frame`: a request goes to everybody, a reply to
 * `target`. */
IOV_API void iov_net_arp_build(uint8_t *frame, unsigned operation, const struct iov_net_end *sender,
                               const struct iov_net_end *target);

IOV_END_DECLS

#endif
