/* SPDX-License-Identifier: Apache-2.0 */
/* See arp.h. */
#include "core/net/arp.h"

#include "core/net/internet.h"

bool iov_net_arp_parse(const uint8_t *frame, uint32_t size, unsigned operation,
                       struct iov_net_end *ret_sender, uint32_t *ret_target)
{
    const uint8_t *arp = frame + ETHERNET_HEADER;

    if (size < ETHERNET_HEADER + ARP_SIZE ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_ARP ||
        iov_net_get16(arp + ARP_OPERATION) != operation)
        return false;
    memcpy(ret_sender->mac, arp + ARP_SENDER_HARDWARE, ETHERNET_ADDRESS);
    ret_sender->ip = iov_net_get32(arp + ARP_SENDER_PROTOCOL);
    *ret_target = iov_net_get32(arp + ARP_TARGET_PROTOCOL);
    return true;
}

void iov_net_arp_build(uint8_t *frame, unsigned operation, const struct iov_net_end *sender,
                       const struct iov_net_end *target)
{
    uint8_t *arp = frame + ETHERNET_HEADER;

    memset(frame, 0, ETHERNET_MIN);
    if (operation == ARP_REQUEST)
        memset(frame + ETHERNET_DESTINATION, 0xff, ETHERNET_ADDRESS);
    else
        memcpy(frame + ETHERNET_DESTINATION, target->mac, ETHERNET_ADDRESS);
    memcpy(frame + ETHERNET_SOURCE, sender->mac, ETHERNET_ADDRESS);
    iov_net_put16(frame + ETHERNET_TYPE, ETHERNET_TYPE_ARP);
    iov_net_put16(arp + ARP_HARDWARE, 1);
    iov_net_put16(arp + ARP_PROTOCOL, ETHERNET_TYPE_IPV4);
    arp[ARP_HARDWARE_SIZE] = ETHERNET_ADDRESS;
    arp[ARP_PROTOCOL_SIZE] = 4;
    iov_net_put16(arp + ARP_OPERATION, operation);
    memcpy(arp + ARP_SENDER_HARDWARE, sender->mac, ETHERNET_ADDRESS);
    iov_net_put32(arp + ARP_SENDER_PROTOCOL, sender->ip);
    memcpy(arp + ARP_TARGET_HARDWARE, target->mac, ETHERNET_ADDRESS);
    iov_net_put32(arp + ARP_TARGET_PROTOCOL, target->ip);
}
