/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as people write them, and Ethernet's that nobody wrote. */
#ifndef IOV_NET_ADDRESS_H
#define IOV_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"

IOV_BEGIN_DECLS

#define IOV_NET_VENDOR_KVM 0x525400u
#define IOV_NET_VENDOR_VMWARE 0x000c29u
#define IOV_NET_VENDOR_XEN 0x00163eu

/* The machine at the far end, unless somebody says otherwise; guests know its station. */
#define IOV_NET_FAR_END_MAC "52:54:00:00:00:02"
#define IOV_NET_FAR_END_ADDRESS "10.0.0.2"

/* One end of what is sent over a network. */
struct iov_net_end {
    uint8_t mac[6];
    uint32_t ip;
    uint16_t port; /* of UDP or TCP */
};

/* Reads six pairs of hexadecimal digits like "52:54:00:12:34:56"; false, with nothing changed, if
 * `text` is anything else. */
IOV_API bool iov_net_address_parse(const char *text, uint8_t ret_address[6]);

/* Reads an IPv4 address like "10.0.0.2"; false, with nothing changed, if `text` is anything
 * else. */
IOV_API bool iov_net_ipv4_parse(const char *text, uint32_t *ret_address);

/* An address of `vendor` that depends on a part's path alone: several guests of one run have
 * different ones. */
IOV_API void iov_net_address_of_path(const char *path, uint32_t vendor, uint8_t ret_address[6]);

/* What a property says: "auto" for the address of the path, or the address of one station; false if
 * it is neither. */
IOV_API bool iov_net_address_choose(const char *text, const char *path, uint32_t vendor,
                                    uint8_t ret_address[6]);

IOV_END_DECLS

#endif
