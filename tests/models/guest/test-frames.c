/* SPDX-License-Identifier: Apache-2.0 */
/* Frames have right lengths and checksums, and nothing that arrives is trusted. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/net.h"

static struct iov_guest_netdev dev = { .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };

static const struct iov_net_end peer = { { 0x52, 0x54, 0, 0, 0, 2 }, 0x0a000002, 7 };
static struct iov_guest_socket socket = { .port = 40000, .peer = &peer };

static struct iov_guest_net make_net(bool offload)
{
    return (struct iov_guest_net){ .dev = &dev,
                                   .peer = peer,
                                   .address = 0x0a000001,
                                   .port = 40000,
                                   .sockets = &socket,
                                   .socket_count = 1,
                                   .checksum_offload = offload };
}

/* As the peer would answer: addresses and ports exchanged. No checksum changes by that. */
static void turn_round(struct iov_guest_frame *frame)
{
    uint8_t kept[4];
    uint8_t *ip = frame->data + ETHERNET_HEADER;

    memcpy(kept, ip + IPV4_SOURCE, 4);
    memcpy(ip + IPV4_SOURCE, ip + IPV4_DESTINATION, 4);
    memcpy(ip + IPV4_DESTINATION, kept, 4);
    memcpy(kept, ip + IPV4_HEADER, 2);
    memcpy(ip + IPV4_HEADER, ip + IPV4_HEADER + 2, 2);
    memcpy(ip + IPV4_HEADER + 2, kept, 2);
    frame->checksum_start = 0;
}

static enum iov_guest_frame_kind parse(const struct iov_guest_net *net,
                                       const struct iov_guest_frame *frame)
{
    uint32_t offset, size;

    return iov_guest_parse(net, frame, false, &offset, &size);
}

Test(frames, the_checksum_is_that_of_rfc_1071)
{
    const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
    const uint8_t odd[] = { 0x12 };

    cr_assert(eq(u32, iov_net_sum(0, example, sizeof example), 0xddf2));
    cr_assert(eq(u32, iov_net_sum(0, odd, 1), 0x1200));
    cr_assert(eq(u32, iov_net_sum(0xffff, odd, 1), 0x1200));
}

Test(frames, a_datagram_comes_back_as_it_was_sent)
{
    for (uint32_t size = 0; size <= IOV_GUEST_PAYLOAD_MAX; size += size < 70 ? 1 : 333) {
        struct iov_guest_net net = make_net(false);
        struct iov_guest_frame frame = { 0 };
        uint8_t payload[IOV_GUEST_PAYLOAD_MAX];
        uint32_t offset, got;

        for (uint32_t i = 0; i < size; i++)
            payload[i] = (uint8_t)(i * 7);
        iov_guest_build_udp(&net, &frame, payload, size);
        cr_assert(eq(u32, frame.size, 42 + size));
        turn_round(&frame);
        cr_assert(
            eq(int, iov_guest_parse(&net, &frame, false, &offset, &got), IOV_GUEST_FRAME_UDP));
        cr_assert(eq(u32, got, size));
        cr_assert(eq(int, memcmp(frame.data + offset, payload, size), 0));
    }
}

Test(frames, a_datagram_for_offload_holds_the_sum_of_its_pseudo_header)
{
    struct iov_guest_net net = make_net(true);
    struct iov_guest_frame frame = { 0 };
    uint8_t payload[100] = { 1, 2, 3 };

    iov_guest_build_udp(&net, &frame, payload, sizeof payload);
    cr_assert(eq(u16, frame.checksum_start, 34));
    cr_assert(eq(u16, frame.checksum_offset, 40));
    /* What the device does: sum from start to end, inverted, at the offset. */
    uint32_t sum = ~iov_net_sum(0, frame.data + 34, frame.size - 34u) & 0xffff;

    frame.data[40] = (uint8_t)(sum >> 8);
    frame.data[41] = (uint8_t)sum;
    turn_round(&frame);
    cr_assert(eq(int, parse(&net, &frame), IOV_GUEST_FRAME_UDP));
}

Test(frames, an_echo_request_is_right_and_its_reply_is_known)
{
    struct iov_guest_net net = make_net(true);
    struct iov_guest_frame frame = { 0 };
    uint32_t offset, size;

    iov_guest_build_echo(&net, &frame, 3, 56);
    cr_assert(eq(u32, iov_net_sum(0, frame.data + 34, 64), 0xffff));
    cr_assert(eq(int, frame.data[34], ICMP_TYPE_ECHO));
    frame.data[34] = ICMP_TYPE_ECHO_REPLY;
    frame.data[36] = (uint8_t)(frame.data[36] + 8); /* the type is 8 less in the high byte */
    memcpy(frame.data + ETHERNET_HEADER + IPV4_DESTINATION,
           frame.data + ETHERNET_HEADER + IPV4_SOURCE, 4);
    frame.data[ETHERNET_HEADER + IPV4_SOURCE + 3] = 2;
    cr_assert(eq(int, iov_guest_parse(&net, &frame, false, &offset, &size), IOV_GUEST_FRAME_ECHO));
    cr_assert(eq(u32, size, 56));
}

Test(frames, every_changed_byte_after_the_addresses_is_noticed)
{
    struct iov_guest_net net = make_net(false);
    struct iov_guest_frame good = { 0 };
    const uint8_t payload[32] = { 9 };

    iov_guest_build_udp(&net, &good, payload, sizeof payload);
    turn_round(&good);
    for (unsigned i = ETHERNET_TYPE; i < good.size; i++) {
        struct iov_guest_frame frame = good;

        frame.data[i] ^= 0x11;
        cr_expect(ne(int, parse(&net, &frame), IOV_GUEST_FRAME_UDP), "byte %u", i);
    }
}

Test(frames, a_frame_cut_anywhere_is_not_a_datagram)
{
    struct iov_guest_net net = make_net(false);
    struct iov_guest_frame frame = { 0 };
    const uint8_t payload[32] = { 9 };

    iov_guest_build_udp(&net, &frame, payload, sizeof payload);
    turn_round(&frame);
    for (uint16_t size = 0; size < 74; size++) {
        frame.size = size;
        cr_expect(ne(int, parse(&net, &frame), IOV_GUEST_FRAME_UDP), "%u bytes", size);
    }
    frame.size = 80; /* padding is no mistake */
    cr_assert(eq(int, parse(&net, &frame), IOV_GUEST_FRAME_UDP));
}

Test(frames, what_is_for_others_is_foreign)
{
    struct iov_guest_net net = make_net(false);
    struct iov_guest_frame frame = { 0 };
    const uint8_t payload[1] = { 9 };

    iov_guest_build_udp(&net, &frame, payload, 1); /* to the peer's address */
    cr_assert(eq(int, parse(&net, &frame), IOV_GUEST_FRAME_FOREIGN));
    frame.data[12] = 0x86;
    frame.data[13] = 0xdd;
    cr_assert(eq(int, parse(&net, &frame), IOV_GUEST_FRAME_FOREIGN));
}
