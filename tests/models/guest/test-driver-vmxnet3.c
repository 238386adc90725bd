/* SPDX-License-Identifier: Apache-2.0 */
/* What the vmxnet3 driver copies of a frame; the rest of it is seen in whole experiments. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/ethernet-regs.h"
#include "models/guest/drivers-private.h"

#define TRANSPORT (ETHERNET_HEADER + IPV4_HEADER)

static struct iov_guest_frame frame;

/* One of `size` bytes whose sum is left to the device; with a TCP header of `words`. */
static uint32_t copied(uint16_t size, uint8_t protocol, uint8_t words)
{
    frame.size = size;
    frame.checksum_start = TRANSPORT;
    frame.checksum_offset = TRANSPORT + 6;
    frame.data[ETHERNET_HEADER + IPV4_PROTOCOL] = protocol;
    frame.data[TRANSPORT + TCP_OFFSET] = (uint8_t)(words << 4);
    return iov_guest_vmxnet3_copied(&frame);
}

Test(driver_vmxnet3, copies_the_headers_of_a_frame_whose_sum_the_device_makes)
{
    cr_assert(eq(u32, copied(1000, IPV4_PROTOCOL_UDP, 0), 42));
    cr_assert(eq(u32, copied(1000, IPV4_PROTOCOL_TCP, 5), 54));
    cr_assert(eq(u32, copied(1000, IPV4_PROTOCOL_TCP, 8), 66), "with time stamps");
}

Test(driver_vmxnet3, copies_short_frames_as_they_are_and_of_others_what_there_is_room_for)
{
    cr_assert(eq(u32, copied(128, IPV4_PROTOCOL_TCP, 5), 128));
    copied(1000, IPV4_PROTOCOL_TCP, 5);
    frame.checksum_offset = 0;
    cr_assert(eq(u32, iov_guest_vmxnet3_copied(&frame), 128));
}
