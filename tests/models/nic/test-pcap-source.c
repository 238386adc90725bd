/* SPDX-License-Identifier: Apache-2.0 */
/* A capture arrives frame by frame at its times; what is wrong with a file is said before anything
 * runs. */
#include <glib/gstdio.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "tests/models/bench.h"

#define FRAMES 4
#define STEP_US 50 /* between two of them */

static struct bench *bench;
static IovModel *source;
static struct bench_end end;
static char *path;

static void setup(void)
{
    int file = g_file_open_tmp("iovsim-XXXXXX.pcap", &path, NULL);

    cr_assert(ge(int, file, 0));
    g_close(file, NULL);
    bench = bench_new(NULL);
    source = bench_add(bench, "pcap-source", "source");
    bench_string(source, "file", path);
    bench_prepare(bench);
    bench_end_connect(bench, &end, source, "wire");
}

static void teardown(void)
{
    bench_end_free(&end);
    bench_free(bench);
    g_unlink(path);
    g_free(path);
}

TestSuite(pcap_source, .init = setup, .fini = teardown);

/* ---- Files ---- */

static void put32(GByteArray *file, uint32_t value)
{
    g_byte_array_append(file, (const guint8 *)&value, 4);
}

/* A datagram of 8 bytes and `index` to somebody else, without a right sum. */
static void fill(uint8_t *frame, uint32_t size, unsigned index)
{
    memset(frame, (int)index, size);
    memset(frame, 0xaa, 12);
    iov_net_put16(frame + ETHERNET_TYPE, ETHERNET_TYPE_IPV4);
    memset(frame + ETHERNET_HEADER, 0, IPV4_HEADER + UDP_HEADER);
    frame[ETHERNET_HEADER] = 0x45;
    iov_net_put16(frame + ETHERNET_HEADER + IPV4_LENGTH, size - ETHERNET_HEADER);
    frame[ETHERNET_HEADER + IPV4_PROTOCOL] = IPV4_PROTOCOL_UDP;
    iov_net_put16(frame + ETHERNET_HEADER + IPV4_HEADER + UDP_LENGTH,
                  size - ETHERNET_HEADER - IPV4_HEADER);
}

/* `link`: 1 is Ethernet. The times of day do not matter. */
static GByteArray *pcap(uint32_t link, uint32_t size, uint32_t stored)
{
    GByteArray *file = g_byte_array_new();
    uint8_t frame[4096];

    put32(file, 0xa1b2c3d4);
    put32(file, 4 << 16 | 2);
    put32(file, 0);
    put32(file, 0);
    put32(file, 65535);
    put32(file, link);
    for (unsigned i = 0; i < FRAMES; i++) {
        fill(frame, size, i);
        put32(file, 1700000000);
        put32(file, 999 + STEP_US * i);
        put32(file, stored);
        put32(file, size);
        g_byte_array_append(file, frame, stored);
    }
    return file;
}

static GByteArray *pcapng(uint32_t size)
{
    const uint32_t padded = (size + 3) / 4 * 4;
    GByteArray *file = g_byte_array_new();
    uint8_t frame[4096] = { 0 };
    static const uint32_t head[] = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff,
                                     28,         1,  20,         1, 0,          20 };

    g_byte_array_append(file, (const guint8 *)head, sizeof head);
    for (unsigned i = 0; i < FRAMES; i++) {
        memset(frame, 0, sizeof frame);
        fill(frame, size, i);
        put32(file, 6);
        put32(file, 32 + padded);
        put32(file, 0);
        put32(file, 7); /* high half of the microseconds */
        put32(file, 1000 + STEP_US * i);
        put32(file, size);
        put32(file, size);
        g_byte_array_append(file, frame, padded);
        put32(file, 32 + padded);
    }
    return file;
}

/* Writes the first `size` bytes and frees. */
static void store(GByteArray *file, uint32_t size)
{
    cr_assert(g_file_set_contents(path, (const char *)file->data,
                                  size < file->len ? (gssize)size : (gssize)file->len, NULL));
    g_byte_array_unref(file);
}

/* ---- Playing ---- */

/* A first datagram of 10.0.0.`guest`. */
static void greet(uint8_t guest)
{
    uint8_t frame[ETHERNET_MIN];

    fill(frame, sizeof frame, 0);
    memcpy(frame + ETHERNET_SOURCE, "\x52\x54\0\0\0", 5);
    frame[ETHERNET_SOURCE + 5] = guest;
    iov_net_put32(frame + ETHERNET_HEADER + IPV4_SOURCE, 0x0a000000 + guest);
    iov_net_put16(frame + ETHERNET_HEADER + IPV4_HEADER + UDP_SOURCE, 40000);
    iov_packet_send(&end.port, bench_end_frame(&end, frame, sizeof frame));
}

static void begin(void)
{
    bench_start(bench);
    iov_kernel_run_until(bench->run.kernel, 0);
    greet(1);
    iov_kernel_run_until(bench->run.kernel, IOV_SEC);
}

static void expect_frames(unsigned count, uint32_t size, iov_time last)
{
    unsigned index = 0;

    cr_assert(eq(u32, end.queue.count, count));
    cr_assert(eq(u64, end.last, last));
    for (struct iov_packet *packet = end.queue.first; packet != NULL; packet = packet->next) {
        const uint8_t *ip = packet->data + ETHERNET_HEADER;

        cr_assert(eq(u32, packet->size, size));
        cr_assert(eq(u8, packet->data[size - 1], index++ % FRAMES));
        cr_assert_arr_eq(packet->data, "\x52\x54\0\0\0\1", 6);
        cr_assert(eq(u32, iov_net_get32(ip + IPV4_DESTINATION), 0x0a000001));
        cr_assert(eq(u16, iov_net_get16(ip + IPV4_HEADER + UDP_DESTINATION), 40000));
        cr_assert(eq(u32, iov_net_sum(0, ip, IPV4_HEADER), 0xffff));
        cr_assert(eq(u32,
                     iov_net_sum(iov_net_sum(IPV4_PROTOCOL_UDP + size - 34, ip + IPV4_SOURCE, 8),
                                 ip + IPV4_HEADER, size - 34),
                     0xffff));
    }
}

Test(pcap_source, plays_pcap_at_the_times_of_the_file)
{
    store(pcap(1, 200, 200), UINT32_MAX);
    begin();
    expect_frames(FRAMES, 200, (FRAMES - 1) * STEP_US * IOV_US);
}

Test(pcap_source, plays_pcapng_just_so)
{
    store(pcapng(201), UINT32_MAX);
    begin();
    expect_frames(FRAMES, 201, (FRAMES - 1) * STEP_US * IOV_US);
}

Test(pcap_source, scales_times_and_repeats)
{
    store(pcap(1, 200, 200), UINT32_MAX);
    bench_number(source, "time-scale", 10);
    bench_number(source, "repeat", 2);
    end.busy = IOV_US;
    begin();
    expect_frames(2 * FRAMES, 200, 2 * (FRAMES - 1) * STEP_US * IOV_US / 10 + IOV_US);
}

/* Frames that went to 10.0.0.`guest`. */
static unsigned frames_for(uint8_t guest)
{
    unsigned count = 0;

    for (struct iov_packet *packet = end.queue.first; packet != NULL; packet = packet->next)
        count += packet->data[ETHERNET_DESTINATION + 5] == guest &&
                 packet->data[ETHERNET_HEADER + IPV4_DESTINATION + 3] == guest;
    return count;
}

Test(pcap_source, every_guest_that_sends_a_first_datagram_has_it_played_to_it)
{
    store(pcap(1, 200, 200), UINT32_MAX);
    begin();
    greet(2);
    greet(1);
    iov_kernel_run_until(bench->run.kernel, 2 * IOV_SEC);
    cr_assert(eq(u32, end.queue.count, 2 * FRAMES));
    cr_assert(eq(uint, frames_for(1), FRAMES));
    cr_assert(eq(uint, frames_for(2), FRAMES));
    cr_assert(eq(u64, end.last, IOV_SEC + (FRAMES - 1) * STEP_US * IOV_US));
}

Test(pcap_source, frames_that_go_to_whom_the_file_says_are_played_once)
{
    store(pcap(1, 200, 200), UINT32_MAX);
    bench_number(source, "address-to-sender", 0);
    begin();
    greet(2);
    iov_kernel_run_until(bench->run.kernel, 2 * IOV_SEC);
    cr_assert(eq(u32, end.queue.count, FRAMES));
}

Test(pcap_source, without_times_the_wire_sets_the_pace)
{
    store(pcap(1, 200, 200), UINT32_MAX);
    bench_number(source, "time-scale", 0);
    end.busy = 3 * IOV_US;
    begin();
    expect_frames(FRAMES, 200, (FRAMES - 1) * 3 * IOV_US);
}

Test(pcap_source, frames_captured_in_part_have_their_length_and_those_too_long_are_left_out)
{
    GByteArray *file = pcap(1, 200, 64), *longer = pcap(1, 3000, 3000);

    g_byte_array_append(file, longer->data + 24, longer->len - 24);
    g_byte_array_unref(longer);
    store(file, UINT32_MAX);
    begin();
    cr_assert(eq(u32, end.queue.count, FRAMES));
    cr_assert(eq(u32, end.queue.first->size, 200));
    cr_assert(eq(u8, end.queue.last->data[199], 0));
    cr_assert(eq(u64, bench_stat(source, "cut-frames"), FRAMES));
    cr_assert(eq(u64, bench_stat(source, "oversize"), FRAMES));
}

/* One frame at each of these times. */
static GByteArray *timed(const uint32_t (*times)[2])
{
    GByteArray *file = pcap(1, 200, 200);

    for (unsigned i = 0; i < FRAMES; i++)
        memcpy(file->data + 24 + i * (16 + 200), times[i], sizeof times[i]);
    return file;
}

Test(pcap_source, a_frame_older_than_the_one_before_comes_right_after_it)
{
    const uint32_t times[FRAMES][2] = { { 100, 50 }, { 99, 0 }, { 100, 60 }, { 0, 0 } };

    store(timed(times), UINT32_MAX);
    end.busy = IOV_US;
    begin();
    expect_frames(FRAMES, 200, 11 * IOV_US);
    cr_assert(eq(u64, bench_stat(source, "late-frames"), 2));
}

/* ---- Files that are no good ---- */

static void expect_refusal(const char *why)
{
    GError *error = NULL;

    cr_assert_not(IOV_MODEL_GET_CLASS(source)->realize(source, &error));
    cr_assert_not_null(strstr(error->message, why), "%s", error->message);
    cr_assert_not_null(strstr(error->message, path), "%s", error->message);
    g_clear_error(&error);
}

Test(pcap_source, a_file_that_is_cut_off_is_refused)
{
    GByteArray *whole = pcap(1, 200, 200);
    const uint32_t size = whole->len;

    g_byte_array_unref(whole);
    store(pcap(1, 200, 200), size - 1);
    expect_refusal("after 3 frames: truncated");
    store(pcap(1, 200, 200), 24 + 5);
    expect_refusal("truncated");
    store(pcapng(200), 48 + 100);
    expect_refusal("truncated");
    store(pcap(1, 200, 200), 10);
    expect_refusal("truncated");
}

Test(pcap_source, times_that_no_run_reaches_are_refused)
{
    const uint32_t far[FRAMES][2] = { { 0, 0 }, { 1, 0 }, { 2000000000, 0 }, { 2000000000, 0 } };
    const uint32_t weeks[FRAMES][2] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 1000000, 0 } };

    store(timed(far), UINT32_MAX);
    expect_refusal("frame 3 is more than 50 days later");
    store(timed(weeks), UINT32_MAX);
    bench_number(source, "time-scale", 1000);
    cr_assert_not(IOV_MODEL_GET_CLASS(source)->realize(source, NULL));
}

Test(pcap_source, another_link_type_is_refused_by_name)
{
    store(pcap(113, 200, 200), UINT32_MAX);
    expect_refusal("LINUX_SLL");
    store(pcap(105, 200, 200), UINT32_MAX);
    expect_refusal("IEEE802_11");
}

Test(pcap_source, what_is_no_capture_or_holds_nothing_is_refused)
{
    g_file_set_contents(path, "hello, this is a text and no capture", -1, NULL);
    expect_refusal("unknown file format");
    store(pcap(1, 200, 200), 24);
    expect_refusal("no frame");
    g_unlink(path);
    expect_refusal("No such file");
}
