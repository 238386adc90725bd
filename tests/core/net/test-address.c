/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as they are written, and the messages that ask for them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/net/arp.h"
#include "core/net/internet.h"

Test(address, of_ipv4_is_four_numbers_below_256)
{
    static const char *const wrong[] = { "",          "10.0.0",    "10.0.0.2.1", "10.0.0.256",
                                         "10.0.0.2 ", "10.0..0.2", "-1.0.0.1",   "10.0.0.0002" };
    uint32_t address = 7;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert(not(iov_net_ipv4_parse(wrong[i], &address)), "'%s'", wrong[i]);
    cr_assert(eq(u32, address, 7));
    cr_assert(iov_net_ipv4_parse("10.0.0.2", &address));
    cr_assert(eq(u32, address, 0x0a000002));
    cr_assert(iov_net_ipv4_parse("255.255.255.255", &address));
    cr_assert(eq(u32, address, 0xffffffff));
}

Test(arp, a_request_goes_to_everybody_and_its_reply_to_who_asked)
{
    struct iov_net_end asker = { .mac = { 2, 0, 0, 0, 0, 1 }, .ip = 0x0a000001 };
    struct iov_net_end owner = { .mac = { 2, 0, 0, 0, 0, 2 }, .ip = 0x0a000002 };
    uint8_t frame[ETHERNET_MIN];
    struct iov_net_end sender;
    uint32_t target;

    iov_net_arp_build(frame, ARP_REQUEST, &asker, &(struct iov_net_end){ .ip = owner.ip });
    cr_assert(zero(int, memcmp(frame, "\xff\xff\xff\xff\xff\xff", 6)));
    cr_assert(not(iov_net_arp_parse(frame, sizeof frame, ARP_REPLY, &sender, &target)));
    cr_assert(iov_net_arp_parse(frame, sizeof frame, ARP_REQUEST, &sender, &target));
    cr_assert(eq(u32, sender.ip, asker.ip));
    cr_assert(eq(u32, target, owner.ip));
    iov_net_arp_build(frame, ARP_REPLY, &owner, &sender);
    cr_assert(zero(int, memcmp(frame, asker.mac, 6)));
    cr_assert(iov_net_arp_parse(frame, sizeof frame, ARP_REPLY, &sender, &target));
    cr_assert(zero(int, memcmp(sender.mac, owner.mac, 6)));
    cr_assert(eq(u32, target, asker.ip));
}

Test(arp, what_is_too_short_is_none)
{
    struct iov_net_end end = { .ip = 1 }, sender;
    uint8_t frame[ETHERNET_MIN];
    uint32_t target;

    iov_net_arp_build(frame, ARP_REQUEST, &end, &end);
    cr_assert(not(
        iov_net_arp_parse(frame, ETHERNET_HEADER + ARP_SIZE - 1, ARP_REQUEST, &sender, &target)));
}
