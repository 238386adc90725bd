/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-net on the bench: frames both ways, what interrupts and notifications are left out,
 * control commands, time. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#include "core/net/segment.h"
#include "tests/models/virtio/virtio-driver.h"

#define VECTOR_RX 0x41
#define VECTOR_TX 0x42
#define VECTOR_CTRL 0x43
#define TX_BUFFERS 0x200000
#define RX_BUFFERS 0x400000
#define STRIDE 0x1000
#define HEADER 12u

static struct iov_harness *bench;
static struct iov_fake_mem *mem;
static struct iov_fake_packet *wire;
static struct driver_queue rx, tx, control;

/* Starts the device as a Linux driver would; `without`: features to leave out. */
static void start(const char *text, uint64_t without)
{
    bench = iov_harness_new(text);
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    wire = iov_harness_packet(bench, "wire", 0);
    cr_assert(driver_negotiate(bench, driver_offered(bench) & ~without));
    rx = driver_queue_at(mem, 0, 256, 0x10000);
    tx = driver_queue_at(mem, 1, 256, 0x20000);
    control = driver_queue_at(mem, 2, 64, 0x30000);
    driver_vector(bench, 0, 0x40);
    driver_vector(bench, 1, VECTOR_RX);
    driver_vector(bench, 2, VECTOR_TX);
    driver_vector(bench, 3, VECTOR_CTRL);
    driver_write(bench, COMMON(CONFIG_VECTOR), 2, 0);
    driver_queue_setup(bench, &rx, 1);
    driver_queue_setup(bench, &tx, 2);
    driver_queue_setup(bench, &control, 3);
    driver_ok(bench);
    iov_fake_mem_forget(mem);
}

static void finish(void)
{
    iov_harness_free(bench);
}

static void start_plain(void)
{
    start("kind: virtio-net\n", 0);
}

TestSuite(net, .fini = finish);
TestSuite(net_plain, .init = start_plain, .fini = finish);

/* A frame of `size` bytes whose first byte is `mark`, header before it, in one descriptor. */
static void offer_frame(uint8_t mark, uint32_t size, struct iov_span *span)
{
    uint16_t index = tx.next_avail % tx.size;
    uint64_t address = TX_BUFFERS + (uint64_t)STRIDE * index;
    uint8_t frame[1600];

    memset(frame, 0, sizeof frame);
    frame[0] = mark;
    iov_fake_mem_set(mem, address, 8, 0);
    iov_fake_mem_put(mem, address + HEADER, frame, size, span);
    driver_desc(&tx, index, address, HEADER + size, 0, 0);
    driver_offer(&tx, index);
}

static void send_frame(uint8_t mark)
{
    offer_frame(mark, 100, NULL);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
}

/* `count` receive buffers of `size` bytes. */
static void offer_buffers(unsigned count, uint32_t size)
{
    for (unsigned i = 0; i < count; i++) {
        uint16_t index = rx.next_avail % rx.size;

        driver_desc(&rx, index, RX_BUFFERS + (uint64_t)STRIDE * index, size, VIRTQ_DESC_WRITE, 0);
        driver_offer(&rx, index);
    }
}

static void receive(const void *frame, uint32_t size, struct iov_span *span)
{
    iov_harness_inject(bench, "wire", frame, size, span);
    iov_harness_settle(bench);
}

static uint64_t stat(const char *name)
{
    return iov_harness_stat(bench, name);
}

/* ---- Transmit ---- */

Test(net_plain, a_frame_goes_from_the_ring_to_the_wire)
{
    struct iov_packet *packet;

    send_frame(0xa5);
    packet = iov_fake_packet_take(wire);
    cr_assert(ne(ptr, packet, NULL));
    cr_assert(eq(u32, packet->size, 100));
    cr_assert(eq(u8, packet->data[0], 0xa5));
    iov_packet_free(packet);
    cr_assert(eq(u16, driver_used_index(&tx), 1));
    cr_assert(eq(u32, driver_used_elem(&tx, 0).length, 0));
}

Test(net_plain, header_and_frame_may_lie_in_descriptors_of_their_own)
{
    struct iov_packet *packet;

    iov_fake_mem_put(mem, 0x201000, "0123456789abcdefghij", 20, NULL);
    driver_desc(&tx, 0, 0x200000, HEADER, VIRTQ_DESC_NEXT, 1);
    driver_desc(&tx, 1, 0x201000, 10, VIRTQ_DESC_NEXT, 2);
    driver_desc(&tx, 2, 0x20100a, 10, 0, 0);
    driver_offer(&tx, 0);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    packet = iov_fake_packet_take(wire);
    cr_assert(eq(u32, packet->size, 20));
    cr_assert(eq(int, memcmp(packet->data, "0123456789abcdefghij", 20), 0));
    iov_packet_free(packet);
}

Test(net_plain, one_doorbell_sends_everything_that_is_there)
{
    for (unsigned i = 0; i < 200; i++)
        offer_frame((uint8_t)i, 64, NULL);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(uint, wire->received, 200));
    for (unsigned i = 0; i < 200; i++) {
        struct iov_packet *packet = iov_fake_packet_take(wire);

        cr_assert(eq(u8, packet->data[0], (uint8_t)i), "frames keep their order");
        iov_packet_free(packet);
    }
}

Test(net, a_burst_longer_than_the_limit_is_sent_all_the_same)
{
    start("kind: virtio-net\ntx-burst: 10\n", 0);
    for (unsigned i = 0; i < 200; i++)
        offer_frame((uint8_t)i, 64, NULL);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(uint, wire->received, 200));
}

Test(net, in_hardware_the_payload_read_claims_the_span_and_the_frame_carries_it)
{
    struct iov_packet *packet;
    struct iov_span span;

    start("kind: virtio-net\nplacement: hardware\n", 0);
    iov_span_begin(&span, 1, &span, iov_harness_now(bench));
    offer_frame(1, 100, &span);
    iov_harness_run_for(bench, 500 * IOV_NS);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    packet = iov_fake_packet_take(wire);
    cr_assert(eq(ptr, packet->span, &span));
    cr_assert(iov_span_held(&span, bench->model));
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], 500 * IOV_NS));
    iov_packet_free(packet);
}

Test(net_plain, in_software_the_span_stays_with_its_holder_and_has_waited_until_now)
{
    struct iov_packet *packet;
    struct iov_span span;

    iov_span_begin(&span, 1, &span, iov_harness_now(bench));
    offer_frame(1, 100, &span);
    iov_harness_run_for(bench, 500 * IOV_NS);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    packet = iov_fake_packet_take(wire);
    cr_assert(eq(ptr, packet->span, &span));
    cr_assert(iov_span_held(&span, &span));
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], 500 * IOV_NS));
    iov_packet_free(packet);
}

Test(net_plain, a_completion_interrupts_by_msi_x)
{
    send_frame(1);
    cr_assert(eq(uint, mem->messages, 1));
    cr_assert(eq(u64, mem->last_message.value, VECTOR_TX));
    cr_assert(eq(u32, mem->last_message.size, 4));
    cr_assert(ne(u16, mem->last_message.flags & IOV_MEM_INTERRUPT, 0));
}

Test(net_plain, the_event_index_leaves_interrupts_out)
{
    driver_set_used_event(&tx, 3);
    for (unsigned i = 0; i < 8; i++)
        send_frame(1);
    /* The first decision after a reset has nothing to compare with and always interrupts. */
    cr_assert(eq(uint, mem->messages, 2));
    cr_assert(eq(u64, stat("interrupts-suppressed"), 6));
}

Test(net_plain, the_event_index_asks_for_the_next_doorbell_when_the_ring_is_empty)
{
    cr_assert(eq(u16, driver_avail_event(&tx), 0));
    send_frame(1);
    cr_assert(eq(u16, driver_avail_event(&tx), 1));
    offer_frame(2, 64, NULL);
    offer_frame(3, 64, NULL);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(u16, driver_avail_event(&tx), 3));
}

Test(net, without_event_index_every_completion_interrupts)
{
    start("kind: virtio-net\n", VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
    for (unsigned i = 0; i < 8; i++)
        send_frame(1);
    cr_assert(eq(uint, mem->messages, 8));
}

Test(net, without_event_index_doorbells_are_off_while_the_device_is_busy)
{
    start("kind: virtio-net\nplacement: hardware\n", VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
    mem->read_delay = 1 * IOV_US;
    cr_assert(not(driver_no_notify(&tx)));
    offer_frame(1, 64, NULL);
    driver_kick(bench, &tx);
    iov_harness_run_for(bench, 2 * IOV_US);
    cr_assert(driver_no_notify(&tx));
    offer_frame(2, 64, NULL); /* no doorbell: the device looks again by itself */
    cr_assert(iov_harness_run_idle(bench, 1 * IOV_MS));
    cr_assert(eq(uint, wire->received, 2));
    cr_assert(not(driver_no_notify(&tx)));
    cr_assert(eq(u64, stat("notifications"), 1));
}

Test(net_plain, a_frame_that_comes_while_the_device_goes_to_rest_is_found)
{
    uint64_t index = tx.avail + VIRTQ_AVAIL_IDX;

    offer_frame(1, 64, NULL);
    /* The device still sees the ring empty; when it has asked for notifications it looks again. */
    iov_fake_mem_answer(mem, index, 0);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(uint, wire->received, 1));
}

Test(net, a_poller_needs_no_doorbells)
{
    start("kind: virtio-net\npoll-mode: on\n", VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX));
    cr_assert(driver_no_notify(&tx));
    cr_assert(driver_no_notify(&rx));
    offer_frame(1, 64, NULL);
    iov_harness_signal(bench, "poll", 0, NULL);
    iov_harness_settle(bench);
    cr_assert(eq(uint, wire->received, 1));
    cr_assert(driver_no_notify(&tx));
}

Test(net_plain, a_transmit_chain_without_a_frame_is_completed_unsent)
{
    offer_frame(1, 13, NULL);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(uint, wire->received, 0));
    cr_assert(eq(u16, driver_used_index(&tx), 1));
    cr_assert(eq(u64, stat("tx-malformed"), 1));
}

Test(net, checksums_are_left_to_the_link_if_negotiated)
{
    struct iov_packet *packet;

    start("kind: virtio-net\nchecksum: on\n", 0);
    offer_frame(1, 100, NULL);
    iov_fake_mem_set(mem, TX_BUFFERS, 1, VIRTIO_NET_HDR_NEEDS_CSUM);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    packet = iov_fake_packet_take(wire);
    cr_assert(ne(u16, packet->flags & IOV_PACKET_NEEDS_CHECKSUM, 0));
    iov_packet_free(packet);
}

/* ---- Segmentation ---- */

static struct virtio_net_hdr large_header(void)
{
    return (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_NEEDS_CSUM,
                                    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                    .hdr_len = 54,
                                    .gso_size = 1448,
                                    .csum_start = 34,
                                    .csum_offset = 16 };
}

/* A frame of 30,000 bytes behind `header`. */
static void send_large(const struct virtio_net_hdr *header)
{
    static const uint8_t headers[] = { [12] = 0x08, 0, 0x45, [23] = 6, [46] = 0x50 };
    uint16_t index = tx.next_avail % tx.size;

    iov_fake_mem_put(mem, 0x300000, header, HEADER, NULL);
    iov_fake_mem_put(mem, 0x300000 + HEADER, headers, sizeof headers, NULL);
    driver_desc(&tx, index, 0x300000, HEADER + 30000, 0, 0);
    driver_offer(&tx, index);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
}

Test(net, a_large_segment_leaves_whole_with_the_size_of_its_pieces)
{
    struct virtio_net_hdr header = large_header();
    struct iov_packet *packet;

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n", 0);
    send_large(&header);
    packet = iov_fake_packet_take(wire);
    cr_assert(ne(ptr, packet, NULL));
    cr_assert(eq(u32, packet->size, 30000));
    cr_assert(eq(u16, packet->segment_size, 1448));
    cr_assert(ne(u16, packet->flags & IOV_PACKET_NEEDS_CHECKSUM, 0));
    cr_assert(eq(u64, stat("tx-large"), 1));
    iov_packet_free(packet);
}

Test(net, segments_that_make_no_sense_are_dropped)
{
    struct virtio_net_hdr cases[7];

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n", 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        cases[i] = large_header();
    cases[0].gso_size = 0;
    cases[1].flags = 0;
    cases[2].gso_type = VIRTIO_NET_HDR_GSO_UDP; /* not offered */
    cases[3].gso_type = 0x7f;
    cases[4].csum_start = 29999;
    cases[5].csum_offset = UINT16_MAX;
    cases[6].gso_size = 47; /* 639 segments of one frame */
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        send_large(&cases[i]);
        cr_assert(eq(u64, stat("tx-malformed"), i + 1), "case %u", i);
    }
    cr_assert(eq(uint, wire->received, 0));
    cr_assert(eq(u16, driver_used_index(&tx), G_N_ELEMENTS(cases)));
}

Test(net, a_large_frame_without_tcp_headers_is_dropped)
{
    struct virtio_net_hdr header = large_header();
    uint16_t index;

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n", 0);
    index = tx.next_avail % tx.size;
    iov_fake_mem_put(mem, 0x310000, &header, HEADER, NULL);
    driver_desc(&tx, index, 0x310000, HEADER + 30000, 0, 0);
    driver_offer(&tx, index);
    driver_kick(bench, &tx);
    iov_harness_settle(bench);
    cr_assert(eq(u64, stat("tx-malformed"), 1));
    cr_assert(eq(uint, wire->received, 0));
    cr_assert(eq(u16, driver_used_index(&tx), 1));
}

Test(net, hardware_cuts_at_its_wire_and_sums_every_piece)
{
    struct virtio_net_hdr header = large_header();
    struct iov_packet *packet;

    start("kind: virtio-net\nplacement: hardware\nchecksum: on\nsegmentation: on\n", 0);
    send_large(&header);
    cr_assert(eq(u64, stat("tx-segments"), 21));
    for (unsigned i = 0; (packet = iov_fake_packet_take(wire)) != NULL; i++) {
        cr_assert(eq(u32, packet->size, i < 20 ? 54 + 1448 : 54 + (30000 - 54) % 1448));
        cr_assert(iov_segment_verify(packet->data, packet->size));
        iov_packet_free(packet);
    }
}

Test(net, segmentation_is_not_offered_without_checksums)
{
    struct virtio_net_hdr header = large_header();

    start("kind: virtio-net\nsegmentation: on\n", 0);
    cr_assert(eq(u64, driver_offered(bench) & VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4), 0));
    send_large(&header);
    cr_assert(eq(u64, stat("tx-malformed"), 1));
}

static void inject_large(uint16_t type)
{
    struct iov_packet_port *end = iov_model_port(bench->model, "wire", 0);
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct iov_packet *packet = iov_packet_new(pool, 20000);

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, (const uint8_t[]){ 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, 6);
    packet->data[12] = (uint8_t)(type >> 8);
    packet->data[13] = (uint8_t)type;
    packet->segment_size = 1448;
    end->ops->receive(end, packet);
    iov_harness_settle(bench);
    iov_packet_pool_unref(pool, NULL);
}

Test(net, segments_that_belong_together_arrive_as_one_over_merged_buffers)
{
    struct virtio_net_hdr header;

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n", 0);
    offer_buffers(32, 1526);
    inject_large(0x0800);
    memcpy(&header, mem->ram + RX_BUFFERS, sizeof header);
    cr_assert(eq(u8, header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4));
    cr_assert(eq(u16, header.gso_size, 1448));
    cr_assert(eq(u16, header.num_buffers, 14));
    cr_assert(eq(u64, stat("rx-large"), 1));
}

Test(net, a_large_frame_is_dropped_for_a_driver_that_takes_none)
{
    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n",
          VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4));
    offer_buffers(32, 1526);
    inject_large(0x0800);
    inject_large(0x1234);
    cr_assert(eq(u64, stat("rx-unsplit"), 2));
    cr_assert(eq(u16, driver_used_index(&rx), 0));
}

static void inject_tcp(uint16_t segment)
{
    static const uint8_t headers[] = {
        0x52, 0x54, 0, 0x12, 0x34, 0x56, [12] = 0x08, 0, 0x45, [23] = 6, [46] = 0x50
    };
    struct iov_packet_port *end = iov_model_port(bench->model, "wire", 0);
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct iov_packet *packet = iov_packet_new(pool, 54 + 2500);

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, headers, sizeof headers);
    packet->data[16] = (uint8_t)((40 + 2500) >> 8);
    packet->data[17] = (uint8_t)(40 + 2500);
    packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    packet->checksum_start = 34;
    packet->checksum_place = 50;
    packet->segment_size = segment;
    end->ops->receive(end, packet);
    iov_harness_settle(bench);
    iov_packet_pool_unref(pool, NULL);
}

Test(net, a_large_frame_is_cut_for_a_driver_that_takes_none)
{
    struct virtio_net_hdr header;

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n",
          VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4));
    offer_buffers(32, 1526);
    inject_tcp(1000);
    cr_assert(eq(u64, stat("rx-split"), 1));
    cr_assert(eq(u64, stat("rx-frames"), 3));
    cr_assert(eq(u32, driver_used_elem(&rx, 0).length, HEADER + 1054));
    cr_assert(eq(u32, driver_used_elem(&rx, 2).length, HEADER + 554));
    memcpy(&header, mem->ram + RX_BUFFERS, sizeof header);
    cr_assert(eq(u8, header.gso_type, VIRTIO_NET_HDR_GSO_NONE));
    cr_assert(iov_segment_verify(mem->ram + RX_BUFFERS + HEADER, 1054));
}

Test(net, an_open_sum_is_told_to_a_driver_that_takes_it)
{
    struct virtio_net_hdr header;

    start("kind: virtio-net\nchecksum: on\nsegmentation: on\n", 0);
    offer_buffers(32, 3000);
    inject_tcp(0);
    memcpy(&header, mem->ram + RX_BUFFERS, sizeof header);
    cr_assert(eq(u8, header.flags, VIRTIO_NET_HDR_NEEDS_CSUM));
    cr_assert(eq(u16, header.csum_start, 34));
    cr_assert(eq(u16, header.csum_offset, 16));
}

Test(net, an_open_sum_is_completed_for_a_driver_that_takes_none)
{
    struct virtio_net_hdr header;

    start("kind: virtio-net\nchecksum: off\n", 0);
    offer_buffers(32, 3000);
    inject_tcp(0);
    memcpy(&header, mem->ram + RX_BUFFERS, sizeof header);
    cr_assert(zero(u8, header.flags));
    cr_assert(ne(u64, iov_fake_mem_get(mem, RX_BUFFERS + HEADER + 50, 2), 0));
}

/* ---- Receive ---- */

Test(net_plain, a_frame_goes_from_the_wire_into_a_buffer)
{
    uint8_t frame[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 7 };

    offer_buffers(4, 1526);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u16, driver_used_index(&rx), 1));
    cr_assert(eq(u32, driver_used_elem(&rx, 0).id, 0));
    cr_assert(eq(u32, driver_used_elem(&rx, 0).length, HEADER + 60));
    cr_assert(eq(u64, iov_fake_mem_get(mem, RX_BUFFERS + 10, 2), 1), "num_buffers");
    cr_assert(eq(int, memcmp(mem->ram + RX_BUFFERS + HEADER, frame, sizeof frame), 0));
    cr_assert(eq(u64, mem->last_message.value, VECTOR_RX));
}

Test(net_plain, a_long_frame_is_merged_over_buffers)
{
    uint8_t frame[3000];

    for (unsigned i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 7);
    offer_buffers(8, 1024);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u16, driver_used_index(&rx), 3));
    cr_assert(eq(u64, iov_fake_mem_get(mem, RX_BUFFERS + 10, 2), 3));
    cr_assert(eq(u32, driver_used_elem(&rx, 0).length, 1024));
    cr_assert(eq(u32, driver_used_elem(&rx, 2).length, HEADER + 3000 - 2048));
    cr_assert(eq(int, memcmp(mem->ram + RX_BUFFERS + STRIDE, frame + 1012, 1024), 0));
    cr_assert(eq(uint, mem->messages, 1));
}

Test(net, a_paced_device_keeps_frames_until_the_driver_gives_buffers)
{
    uint8_t frame[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 7 };

    start("kind: virtio-net\npaced: on\nbacklog: 2\n", 0);
    for (unsigned i = 0; i < 3; i++)
        receive(frame, sizeof frame, NULL);
    cr_assert(eq(u64, stat("rx-no-buffer"), 0));
    cr_assert(eq(u64, stat("rx-overrun"), 1));
    cr_assert(eq(u16, driver_avail_event(&rx), 0), "it asks for a kick");
    offer_buffers(1, 1526);
    driver_kick(bench, &rx);
    iov_harness_settle(bench);
    cr_assert(eq(u16, driver_used_index(&rx), 1));
    cr_assert(eq(u16, driver_avail_event(&rx), 1));
    offer_buffers(4, 1526);
    driver_kick(bench, &rx);
    iov_harness_settle(bench);
    cr_assert(eq(u16, driver_used_index(&rx), 2));
    cr_assert(eq(u64, stat("rx-frames"), 2));
}

Test(net, a_frame_that_fits_into_no_buffer_does_not_hold_up_the_others)
{
    uint8_t frame[1600] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 7 };

    start("kind: virtio-net\npaced: on\nmergeable-buffers: off\n", 0);
    offer_buffers(4, 200);
    receive(frame, sizeof frame, NULL);
    receive(frame, 60, NULL);
    cr_assert(eq(u64, stat("rx-no-buffer"), 1));
    cr_assert(eq(u16, driver_used_index(&rx), 1));
}

Test(net, without_mergeable_buffers_a_frame_that_does_not_fit_is_dropped)
{
    uint8_t frame[3000] = { 0 };

    start("kind: virtio-net\n", VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF));
    offer_buffers(8, 1024);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u16, driver_used_index(&rx), 0));
    cr_assert(eq(u64, stat("rx-no-buffer"), 1));
    receive(frame, 1000, NULL);
    cr_assert(eq(u16, driver_used_index(&rx), 1));
    cr_assert(eq(u32, driver_used_elem(&rx, 0).id, 0));
}

Test(net_plain, a_frame_without_a_buffer_is_dropped_and_counted)
{
    uint8_t frame[60] = { 0 };

    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u64, stat("rx-no-buffer"), 1));
    cr_assert(eq(u64, bench->measure->counters.drops, 1));
    offer_buffers(1, 1526);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 1));
}

Test(net, frames_that_wait_too_many_are_dropped)
{
    uint8_t frame[60] = { 0 };

    start("kind: virtio-net\nbacklog: 4\n", 0);
    offer_buffers(16, 1526);
    for (unsigned i = 0; i < 6; i++)
        iov_harness_inject(bench, "wire", frame, sizeof frame, NULL);
    iov_harness_settle(bench);
    cr_assert(eq(u64, stat("rx-frames"), 4));
    cr_assert(eq(u64, stat("rx-overrun"), 2));
}

Test(net_plain, receive_doorbells_are_wanted_only_when_buffers_ran_out)
{
    uint8_t frame[60] = { 0 };

    offer_buffers(2, 1526);
    receive(frame, sizeof frame, NULL);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u16, driver_avail_event(&rx), 0));
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u16, driver_avail_event(&rx), 2));
}

Test(net, the_span_goes_with_payload_and_interrupt)
{
    uint8_t frame[60] = { 0 };
    struct iov_span span;

    start("kind: virtio-net\nplacement: hardware\n", 0);
    iov_span_begin(&span, 1, "sender", iov_harness_now(bench));
    offer_buffers(1, 1526);
    receive(frame, sizeof frame, &span);
    cr_assert(eq(ptr, mem->last_message.span, &span));
    cr_assert(eq(ptr, iov_fake_mem_span(mem, RX_BUFFERS + HEADER), &span));
    cr_assert(iov_span_held(&span, bench->model));
}

Test(net_plain, a_frame_of_no_request_clears_the_buffer_s_old_span)
{
    uint8_t frame[60] = { 0 };
    struct iov_span span;

    iov_span_begin(&span, 1, "sender", iov_harness_now(bench));
    offer_buffers(1, 1526);
    iov_fake_mem_put(mem, RX_BUFFERS + HEADER, "x", 1, &span);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(ptr, iov_fake_mem_span(mem, RX_BUFFERS + HEADER), NULL));
}

Test(net, frames_that_come_before_the_driver_are_dropped)
{
    uint8_t frame[60] = { 0 };

    bench = iov_harness_new("kind: virtio-net\n");
    iov_harness_start(bench);
    receive(frame, sizeof frame, NULL);
    cr_assert(eq(u64, stat("rx-not-ready"), 1));
}

/* ---- Time of hardware ---- */

Test(net, hardware_takes_its_time_and_the_span_says_where)
{
    struct iov_packet *packet;
    struct iov_span span;
    iov_time sent;

    start("kind: virtio-net\nplacement: hardware\n"
          "costs: { virtio-device-doorbell: 100ns, virtio-device-frame: 200ns }\n",
          0);
    mem->read_delay = 400 * IOV_NS;
    iov_span_begin(&span, 1, &span, iov_harness_now(bench));
    offer_frame(1, 100, &span);
    sent = iov_harness_now(bench);
    driver_kick(bench, &tx);
    cr_assert(iov_harness_run_idle(bench, 1 * IOV_MS));
    packet = iov_fake_packet_take(wire);
    /* doorbell; index, entry, descriptor, header, frame; the device */
    cr_assert(eq(u64, packet->stamp - sent, (100 + 5 * 400 + 200) * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], (100 + 4 * 400) * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_PCIE], 400 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], 200 * IOV_NS));
    cr_assert(eq(u64, span.cursor, packet->stamp));
    iov_packet_free(packet);
}

Test(net, a_received_frame_shows_when_its_bytes_have_arrived)
{
    uint8_t frame[60] = { 0 };
    struct iov_span span;

    start("kind: virtio-net\nplacement: hardware\n"
          "costs: { virtio-device-doorbell: 100ns, virtio-device-frame: 200ns }\n",
          0);
    mem->read_delay = 400 * IOV_NS;
    mem->write_delay = 50 * IOV_NS;
    offer_buffers(1, 1526);
    iov_span_begin(&span, 1, "sender", iov_harness_now(bench));
    iov_harness_inject(bench, "wire", frame, sizeof frame, &span);
    /* index, entry, descriptor; payload, header; the device */
    iov_harness_run_for(bench, (3 * 400 + 2 * 50 + 200) * IOV_NS - 1);
    cr_assert(eq(u16, driver_used_index(&rx), 0));
    iov_harness_run_for(bench, 1);
    cr_assert(eq(u16, driver_used_index(&rx), 1));
    cr_assert(eq(u64, span.parts[IOV_PART_PCIE], (3 * 400 + 2 * 50) * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], 200 * IOV_NS));
    /* The message follows the used element, the index and a read of the event index. */
    cr_assert(eq(u64, mem->last_message.delay, (50 + 50 + 400) * IOV_NS));
}

Test(net, the_wire_paces_hardware)
{
    start("kind: virtio-net\nplacement: hardware\n", 0);
    struct iov_span spans[4];

    wire->interval = 10 * IOV_US;
    for (unsigned i = 0; i < 4; i++) {
        iov_span_begin(&spans[i], i, "driver", iov_harness_now(bench));
        offer_frame(1, 64, &spans[i]);
    }
    driver_kick(bench, &tx);
    iov_harness_run_for(bench, 30 * IOV_US - 1);
    cr_assert(eq(uint, wire->received, 3));
    iov_harness_run_for(bench, 1);
    cr_assert(eq(uint, wire->received, 4));
    cr_assert(eq(u64, spans[3].parts[IOV_PART_QUEUE], 30 * IOV_US));
    cr_assert(eq(u64, spans[3].parts[IOV_PART_DEVICE], 0));
}

Test(net, hardware_fetches_frames_while_others_are_under_way)
{
    start("kind: virtio-net\nplacement: hardware\n"
          "costs: { virtio-device-doorbell: 0ns, virtio-device-frame: 200ns }\n",
          0);
    mem->read_delay = 1 * IOV_US;
    for (unsigned i = 0; i < 4; i++)
        offer_frame(1, 64, NULL);
    driver_kick(bench, &tx);
    while (wire->received == 0)
        iov_harness_run_for(bench, 10 * IOV_NS);
    cr_assert(ge(u64, iov_harness_now(bench), 3 * IOV_US)); /* entry, descriptor, frame */
    iov_harness_run_for(bench, 3 * 200 * IOV_NS);
    cr_assert(eq(uint, wire->received, 4));
}

Test(net, hardware_fetches_no_more_than_it_holds_and_forgets_it_with_a_reset)
{
    unsigned reads;

    start("kind: virtio-net\nplacement: hardware\n", 0);
    wire->interval = 10 * IOV_US;
    for (unsigned i = 0; i < 16; i++)
        offer_frame(1, 64, NULL);
    driver_kick(bench, &tx);
    iov_harness_run_for(bench, 5 * IOV_US);
    reads = mem->reads;
    iov_harness_run_for(bench, 4 * IOV_US);
    cr_assert(eq(uint, mem->reads, reads)); /* full, until the wire has taken one */
    iov_harness_run_for(bench, 2 * IOV_US);
    cr_assert(lt(uint, reads, mem->reads));
    driver_write(bench, COMMON(STATUS), 1, 0);
    iov_harness_run_for(bench, IOV_MS);
    cr_assert(eq(uint, wire->received, 2));
}

/* Hardware with a microsecond between it and memory; its own time for a frame is 200 ns. */
static void start_far(const char *more)
{
    char text[200];

    snprintf(text, sizeof text, "kind: virtio-net\nplacement: hardware\n%scosts: { %s, %s }\n",
             more, "virtio-device-doorbell: 0ns", "virtio-device-frame: 200ns");
    start(text, 0);
    mem->read_delay = 1 * IOV_US;
}

static void inject(uint32_t size, struct iov_span *span)
{
    uint8_t frame[1514] = { 0 };

    iov_harness_inject(bench, "wire", frame, size, span);
}

Test(net, hardware_stores_frames_while_others_are_under_way)
{
    start_far("");
    offer_buffers(4, 1526);
    for (unsigned i = 0; i < 4; i++)
        inject(60, NULL);
    iov_harness_run_for(bench, (3 * 1000 + 200) * IOV_NS - 1); /* index, entry, descriptor */
    cr_assert(eq(u16, driver_used_index(&rx), 0));
    iov_harness_run_for(bench, 1 + 3 * 200 * IOV_NS);
    cr_assert(eq(u16, driver_used_index(&rx), 4));
}

Test(net, a_frame_is_shown_after_those_before_it)
{
    struct iov_span span;

    start_far("");
    offer_buffers(5, 500);
    inject(1000, NULL); /* three buffers: two reads of each */
    iov_span_begin(&span, 1, "sender", iov_harness_now(bench));
    inject(60, &span);
    iov_harness_run_for(bench, (7 * 1000 + 200) * IOV_NS - 1);
    cr_assert(eq(u16, driver_used_index(&rx), 0));
    iov_harness_run_for(bench, 1);
    cr_assert(eq(u16, driver_used_index(&rx), 4));
    for (uint16_t i = 0; i < 4; i++)
        cr_assert(eq(u32, driver_used_elem(&rx, i).id, i));
    cr_assert(eq(u32, driver_used_elem(&rx, 3).length, HEADER + 60));
    /* 200 ns until the device begins with it, and from when its bytes are there until its turn. */
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], (200 + 7 * 1000 - 2 * 1000 - 200) * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_PCIE], 2 * IOV_US));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], 200 * IOV_NS));
}

Test(net, hardware_has_no_more_frames_under_way_than_it_holds_and_forgets_them_with_a_reset)
{
    unsigned reads;

    start_far("fetch-ahead: 2\n");
    offer_buffers(4, 1526);
    for (unsigned i = 0; i < 4; i++)
        inject(60, NULL);
    iov_harness_run_for(bench, 1 * IOV_US);
    reads = mem->reads;
    iov_harness_run_for(bench, 2 * IOV_US);
    cr_assert(eq(uint, mem->reads, reads));
    iov_harness_run_for(bench, 200 * IOV_NS);
    cr_assert(eq(u16, driver_used_index(&rx), 2));
    cr_assert(lt(uint, reads, mem->reads));
    driver_write(bench, COMMON(STATUS), 1, 0);
    cr_assert(iov_harness_run_idle(bench, IOV_MS));
    cr_assert(eq(u64, stat("rx-frames"), 2));
}

Test(net, hardware_that_runs_out_of_buffers_shows_what_is_under_way)
{
    start_far("");
    offer_buffers(2, 1526);
    for (unsigned i = 0; i < 4; i++)
        inject(60, NULL);
    cr_assert(iov_harness_run_idle(bench, IOV_MS));
    cr_assert(eq(u16, driver_used_index(&rx), 2));
    cr_assert(eq(u64, stat("rx-frames"), 2));
    cr_assert(eq(u64, stat("rx-no-buffer"), 2));
    offer_buffers(2, 1526);
    inject(60, NULL);
    cr_assert(iov_harness_run_idle(bench, IOV_MS));
    cr_assert(eq(u16, driver_used_index(&rx), 3));
    cr_assert(eq(u32, driver_used_elem(&rx, 2).id, 2));
}

Test(net, software_has_no_time_of_its_own)
{
    start("kind: virtio-net\n"
          "costs: { virtio-device-doorbell: 100ns, virtio-device-frame: 200ns }\n",
          0);
    send_frame(1);
    cr_assert(eq(uint, wire->received, 1));
}

/* ---- Control queue ---- */

static uint8_t command(uint8_t class, uint8_t number, const void *data, uint32_t size)
{
    uint8_t bytes[1024] = { class, number };

    memcpy(bytes + 2, data, size);
    iov_fake_mem_put(mem, 0x300000, bytes, 2 + size, NULL);
    iov_fake_mem_set(mem, 0x301000, 1, 0xee);
    driver_desc(&control, 0, 0x300000, 2, VIRTQ_DESC_NEXT, 1);
    driver_desc(&control, 1, 0x300002, size, VIRTQ_DESC_NEXT, 2);
    driver_desc(&control, 2, 0x301000, 1, VIRTQ_DESC_WRITE, 0);
    driver_offer(&control, 0);
    driver_kick(bench, &control);
    iov_harness_settle(bench);
    return (uint8_t)iov_fake_mem_get(mem, 0x301000, 1);
}

Test(net_plain, a_command_is_answered_and_interrupts)
{
    uint8_t off = 0;

    cr_assert(
        eq(u8, command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), VIRTIO_NET_OK));
    cr_assert(eq(u16, driver_used_index(&control), 1));
    cr_assert(eq(u32, driver_used_elem(&control, 0).length, 1));
    cr_assert(eq(u64, mem->last_message.value, VECTOR_CTRL));
}

Test(net_plain, without_promiscuous_mode_frames_for_others_are_filtered)
{
    uint8_t off = 0;
    uint8_t mine[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
    uint8_t other[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x57 };
    uint8_t all[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint8_t group[60] = { 0x33, 0x33, 0, 0, 0, 1 };
    uint8_t table[4 + 4 + 6] = { 0, 0, 0, 0, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1 };

    command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
    offer_buffers(8, 1526);
    receive(mine, 60, NULL);
    receive(all, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 2));
    receive(other, 60, NULL);
    receive(group, 60, NULL);
    cr_assert(eq(u64, stat("rx-filtered"), 2));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 14),
                 VIRTIO_NET_OK));
    receive(group, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 3));
    memset(table, 0, 8);
    command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 8);
    receive(group, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 3), "a new table replaces the old one");
}

Test(net_plain, a_table_may_hold_single_stations_too)
{
    uint8_t off = 0;
    uint8_t other[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x57 };
    uint8_t groups[4 + 4 + 6] = { 0, 0, 0, 0, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1 };
    uint8_t stations[4 + 6 + 4] = { 1, 0, 0, 0, 0x52, 0x54, 0, 0x12, 0x34, 0x57 };

    command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
    command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, groups, sizeof groups);
    command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, stations, sizeof stations);
    offer_buffers(1, 1526);
    receive(other, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 1));
}

Test(net_plain, the_driver_may_set_the_address)
{
    uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };

    cr_assert(
        eq(u8, command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), VIRTIO_NET_OK));
    cr_assert(eq(u64, driver_read(bench, VIRTIO_PCI_REGION_DEVICE + 5, 1), 9));
}

Test(net_plain, commands_that_make_no_sense_get_an_error)
{
    uint8_t data[1000];

    memset(data, 0xff, sizeof data);
    cr_assert(eq(u8, command(99, 0, data, 4), VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_RX, 99, data, 1), VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, data, 1000),
                 VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, data, 5),
                 VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, data, 2),
                 VIRTIO_NET_ERR));
}

Test(net_plain, a_table_with_too_many_addresses_lets_all_of_them_in)
{
    uint8_t off = 0, data[4 + 65 * 6 + 4] = { 65 };
    uint8_t other[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x57 };

    command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, data, sizeof data),
                 VIRTIO_NET_OK));
    offer_buffers(1, 1526);
    receive(other, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 1));
}

Test(net, tagged_frames_of_vlans_that_were_not_added_are_filtered)
{
    uint8_t off = 0, frame[60] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
    uint16_t vlan = 0x123, wild = 4096;

    start("kind: virtio-net\nextended-control: on\n", 0);
    frame[12] = 0x81;
    frame[14] = 0xe1; /* priority bits are not the VLAN's */
    frame[15] = 0x23;
    offer_buffers(4, 1526);
    receive(frame, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 1), "promiscuous");
    command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
    receive(frame, 60, NULL);
    cr_assert(eq(u64, stat("rx-filtered"), 1));
    cr_assert(
        eq(u8, command(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vlan, 2), VIRTIO_NET_OK));
    receive(frame, 60, NULL);
    cr_assert(eq(u64, stat("rx-frames"), 2));
    cr_assert(
        eq(u8, command(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &vlan, 2), VIRTIO_NET_OK));
    receive(frame, 60, NULL);
    cr_assert(eq(u64, stat("rx-filtered"), 2));
    cr_assert(
        eq(u8, command(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &wild, 2), VIRTIO_NET_ERR));
}

Test(net, an_announcement_is_asked_for_and_acknowledged)
{
    uint64_t status_at = VIRTIO_PCI_REGION_DEVICE + VIRTIO_NET_CONFIG_STATUS;

    start("kind: virtio-net\nextended-control: on\n", 0);
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 1),
                 VIRTIO_NET_ERR));
    iov_harness_signal(bench, "announce", 0, NULL);
    iov_harness_settle(bench);
    cr_assert(eq(u64, driver_read(bench, status_at, 2),
                 VIRTIO_NET_STATUS_LINK_UP | VIRTIO_NET_STATUS_ANNOUNCE));
    cr_assert(eq(u64, driver_read(bench, COMMON(GENERATION), 1), 1));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 1),
                 VIRTIO_NET_OK));
    cr_assert(eq(u64, driver_read(bench, status_at, 2), VIRTIO_NET_STATUS_LINK_UP));
}

Test(net, receive_offloads_are_chosen_among_those_negotiated)
{
    uint64_t none = 0, checksum = VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);
    uint64_t more = checksum | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4);

    start("kind: virtio-net\nextended-control: on\nchecksum: on\nsegmentation: off\n", 0);
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFLOADS_SET, &none, 8),
                 VIRTIO_NET_OK));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFLOADS_SET, &checksum, 8),
                 VIRTIO_NET_OK));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_OFFLOADS, VIRTIO_NET_CTRL_OFFLOADS_SET, &more, 8),
                 VIRTIO_NET_ERR));
}

/* ---- Several pairs ---- */

static struct driver_queue tx1, rx1;

/* Two pairs; `active` of them in use. */
static void start_pairs(uint16_t active)
{
    bench = iov_harness_new("kind: virtio-net\nqueue-pairs: 2\n");
    iov_harness_start(bench);
    mem = iov_harness_mem(bench, "dma", 0);
    wire = iov_harness_packet(bench, "wire", 0);
    cr_assert(driver_negotiate(bench, driver_offered(bench)));
    cr_assert(eq(u64, driver_read(bench, COMMON(QUEUES), 2), 5));
    rx = driver_queue_at(mem, 0, 256, 0x10000);
    tx = driver_queue_at(mem, 1, 256, 0x20000);
    rx1 = driver_queue_at(mem, 2, 256, 0x40000);
    tx1 = driver_queue_at(mem, 3, 256, 0x50000);
    control = driver_queue_at(mem, 4, 64, 0x30000);
    driver_queue_setup(bench, &rx, 1);
    driver_queue_setup(bench, &tx, 2);
    driver_queue_setup(bench, &rx1, 3);
    driver_queue_setup(bench, &tx1, 4);
    driver_queue_setup(bench, &control, 5);
    driver_ok(bench);
    for (uint16_t i = 0; i < 8; i++) {
        driver_desc(&rx, i, RX_BUFFERS + (uint64_t)STRIDE * i, 1526, VIRTQ_DESC_WRITE, 0);
        driver_offer(&rx, i);
        driver_desc(&rx1, i, RX_BUFFERS + (uint64_t)STRIDE * (100 + i), 1526, VIRTQ_DESC_WRITE, 0);
        driver_offer(&rx1, i);
    }
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &active, 2),
                 VIRTIO_NET_OK));
}

/* A UDP datagram between 10.0.0.1:`port` and 10.0.0.2:7. */
static void make_datagram(uint8_t frame[60], uint16_t port, bool from_guest)
{
    const uint8_t own[4] = { 10, 0, 0, 1 }, peer[4] = { 10, 0, 0, 2 };
    const uint8_t ports[2][2] = { { (uint8_t)(port >> 8), (uint8_t)port }, { 0, 7 } };

    memset(frame, 0, 60);
    frame[12] = 0x08;
    frame[14] = 0x45;
    frame[17] = 46;
    frame[23] = 17;
    memcpy(frame + 26, from_guest ? own : peer, 4);
    memcpy(frame + 30, from_guest ? peer : own, 4);
    memcpy(frame + 34, ports[!from_guest], 2);
    memcpy(frame + 36, ports[from_guest], 2);
}

static void send_datagram(struct driver_queue *queue, uint16_t port)
{
    uint16_t index = queue->next_avail % queue->size;
    uint8_t frame[60];

    make_datagram(frame, port, true);
    iov_fake_mem_set(mem, TX_BUFFERS + (uint64_t)STRIDE * index, 8, 0);
    iov_fake_mem_set(mem, TX_BUFFERS + (uint64_t)STRIDE * index + 8, 4, 0);
    iov_fake_mem_put(mem, TX_BUFFERS + (uint64_t)STRIDE * index + HEADER, frame, sizeof frame,
                     NULL);
    driver_desc(queue, index, TX_BUFFERS + (uint64_t)STRIDE * index, HEADER + 60, 0, 0);
    driver_offer(queue, index);
    driver_kick(bench, queue);
    iov_harness_settle(bench);
}

static void receive_datagram(uint16_t port)
{
    uint8_t frame[60];

    make_datagram(frame, port, false);
    receive(frame, sizeof frame, NULL);
}

Test(net, a_flow_comes_back_to_the_pair_that_last_sent_for_it)
{
    start_pairs(2);
    for (uint16_t port = 40000; port < 40008; port++)
        send_datagram(port & 1 ? &tx1 : &tx, port);
    for (uint16_t i = 0; i < 8; i++) {
        receive_datagram((uint16_t)(40000 + i));
        cr_assert(eq(int, driver_used_index(&rx), i / 2 + 1));
        cr_assert(eq(int, driver_used_index(&rx1), (i + 1) / 2));
    }
    send_datagram(&tx1, 40000); /* its sender has moved */
    receive_datagram(40000);
    cr_assert(eq(u16, driver_used_index(&rx), 4));
    cr_assert(eq(u16, driver_used_index(&rx1), 5));
}

Test(net, flows_that_nobody_sent_for_are_spread_and_each_keeps_to_one_pair)
{
    start_pairs(2);
    for (uint16_t i = 0; i < 8; i++)
        receive_datagram((uint16_t)(50000 + i % 4));
    cr_assert(eq(int, driver_used_index(&rx) + driver_used_index(&rx1), 8));
    cr_assert(eq(int, driver_used_index(&rx) % 2, 0));
    cr_assert(gt(u16, driver_used_index(&rx), 0));
    cr_assert(gt(u16, driver_used_index(&rx1), 0));
}

Test(net, pairs_that_are_not_in_use_receive_nothing)
{
    start_pairs(1);
    for (uint16_t port = 40000; port < 40008; port++)
        receive_datagram(port);
    cr_assert(eq(u16, driver_used_index(&rx), 8));
    cr_assert(eq(u16, driver_used_index(&rx1), 0));
}

Test(net, a_count_of_pairs_that_cannot_be_is_refused_and_changes_nothing)
{
    const uint16_t bad[] = { 0, 3, VIRTIO_NET_CTRL_MQ_PAIRS_MAX, VIRTIO_NET_CTRL_MQ_PAIRS_MAX + 1,
                             UINT16_MAX };
    uint16_t good = 2;

    start_pairs(1);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &bad[i], 2),
                     VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &good, 1),
                 VIRTIO_NET_ERR));
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET + 1, &good, 2),
                 VIRTIO_NET_ERR));
    for (uint16_t port = 40000; port < 40008; port++)
        receive_datagram(port);
    cr_assert(eq(u16, driver_used_index(&rx1), 0));
}

Test(net, any_bytes_as_a_command_leave_a_device_that_works)
{
    uint8_t data[64];
    uint32_t random = 1;
    uint16_t one = 1;

    start_pairs(2);
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned k = 0; k < sizeof data; k++)
            data[k] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
        uint8_t answer = command(i % 7, data[0] % 8, data + 2, 1 + data[1] % 60);

        cr_assert(answer == VIRTIO_NET_OK || answer == VIRTIO_NET_ERR);
    }
    data[0] = 1; /* whatever is filtered now: everything */
    command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, data, 1);
    cr_assert(eq(u8, command(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &one, 2),
                 VIRTIO_NET_OK));
    receive_datagram(40000);
    cr_assert(eq(u16, driver_used_index(&rx), 1));
}

/* ---- The user's mistakes ---- */

Test(net, bad_properties_are_errors)
{
    static const char texts[][64] = { "kind: virtio-net\nqueue-size: 100\n",
                                      "kind: virtio-net\nmac: 52:54:00\n",
                                      "kind: virtio-net\nmac: \"01:54:00:12:34:56\"\n" };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        struct iov_harness *trial = iov_harness_try_new(texts[i], &error);

        cr_assert(trial == NULL || !iov_harness_try_start(trial, &error), "case %u", i);
        cr_assert(g_error_matches(error, IOV_ERROR, IOV_ERROR_CONFIG));
        iov_harness_free(trial);
    }
    bench = NULL;
}
