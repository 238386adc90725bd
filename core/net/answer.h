/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that become their own answer: what any station does with a datagram to its echo service, a
 * ping, the question for its address. Each returns false, with nothing changed, if the frame is
 * nothing of the kind.
 *
 * SPEC: RFC 862, RFC 792, RFC 826. LIMIT: IPv4 without options, no fragments.
 */
#ifndef IOV_NET_ANSWER_H
#define IOV_NET_ANSWER_H

#include "core/net/address.h"
#include "core/port/packet.h"

IOV_BEGIN_DECLS

/* The IPv4 header of a frame whose lengths hold, and in `ret_length` the bytes after it; NULL for
 * anything else. */
IOV_API uint8_t *iov_ipv4_in(const struct iov_packet *packet, uint32_t *ret_length);
/* The same of a UDP datagram: `ret_length` counts UDP's header. */
IOV_API uint8_t *iov_datagram_in(const struct iov_packet *packet, uint32_t *ret_length);
/* Back to its sender; a sum that an offload left open is completed. */
IOV_API bool iov_answer_datagram(struct iov_packet *packet);
IOV_API bool iov_answer_ping(struct iov_packet *packet);
/* Who has `own`'s address? */
IOV_API bool iov_answer_arp(struct iov_packet *packet, const struct iov_net_end *own);

IOV_END_DECLS

#endif
