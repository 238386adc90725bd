/* SPDX-License-Identifier: Apache-2.0 */
/* The disk-image kind: bytes of a raw file, what a snapshot keeps to itself, times, sizes,
 * mistakes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "core/harness/harness.h"
#include "models/storage/overlay-private.h"

#define SECTORS 20u

/* A request with what became of it. */
struct asked {
    struct iov_block_req req;
    struct iov_kernel *kernel;
    bool ended;
    iov_time when;
};

static void on_done(struct iov_block_req *req)
{
    struct asked *asked = iov_container_of(req, struct asked, req);

    asked->ended = true;
    asked->when = iov_now(asked->kernel);
}

static void ask(struct iov_harness *bench, struct asked *asked, enum iov_block_op op,
                uint64_t offset, void *data, uint64_t size)
{
    *asked = (struct asked){
        .req = { .op = op, .offset = offset, .size = size, .data = data, .done = on_done },
        .kernel = bench->kernel,
    };
    iov_harness_submit(bench, "port", &asked->req);
}

static enum iov_block_status answer(struct iov_harness *bench, enum iov_block_op op,
                                    uint64_t offset, void *data, uint64_t size)
{
    struct asked asked;

    ask(bench, &asked, op, offset, data, size);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(asked.ended);
    return asked.req.status;
}

static uint8_t byte_at(struct iov_harness *bench, uint64_t offset)
{
    uint8_t byte = 0xcc;

    cr_assert(eq(int, answer(bench, IOV_BLOCK_READ, offset, &byte, 1), IOV_BLOCK_OK));
    return byte;
}

/* A raw file where each byte has its sector's number. */
static char *image(uint64_t size)
{
    g_autofree uint8_t *bytes = g_malloc(size);
    char *path = NULL;
    int file = g_file_open_tmp("iovsim-disk-XXXXXX", &path, NULL);

    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i / 512);
    cr_assert(eq(i64, write(file, bytes, size), (int64_t)size));
    close(file);
    return path;
}

static struct iov_harness *disk(const char *path, const char *more)
{
    g_autofree char *text = g_strdup_printf("kind: disk-image\nfile: '%s'\n%s", path, more);
    struct iov_harness *bench = iov_harness_new(text);

    iov_harness_start(bench);
    return bench;
}

static uint8_t byte_of_file(const char *path, uint64_t offset)
{
    g_autofree char *bytes = NULL;
    gsize length;

    cr_assert(g_file_get_contents(path, &bytes, &length, NULL));
    cr_assert(offset < length);
    return (uint8_t)bytes[offset];
}

static void away(char *path)
{
    g_unlink(path);
    g_free(path);
}

Test(disk_image, reads_the_bytes_of_its_file)
{
    char *path = image(SECTORS * 512);
    struct iov_harness *bench = disk(path, "");
    uint8_t data[1024];

    cr_assert(eq(int, answer(bench, IOV_BLOCK_READ, 6 * 512 + 256, data, 1024), IOV_BLOCK_OK));
    cr_assert(eq(u8, data[0], 6));
    cr_assert(eq(u8, data[256], 7));
    cr_assert(eq(u8, data[1023], 8));
    iov_harness_free(bench);
    away(path);
}

Test(disk_image, writes_reach_the_file)
{
    char *path = image(SECTORS * 512);
    struct iov_harness *bench = disk(path, "");
    uint8_t data[512];

    memset(data, 0xab, sizeof data);
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, 512, data, 512), IOV_BLOCK_OK));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE_ZEROES, 1024, NULL, 512), IOV_BLOCK_OK));
    cr_assert(eq(u8, byte_at(bench, 512), 0xab));
    iov_harness_free(bench);
    cr_assert(eq(u8, byte_of_file(path, 511), 0));
    cr_assert(eq(u8, byte_of_file(path, 512), 0xab));
    cr_assert(eq(u8, byte_of_file(path, 1024), 0));
    cr_assert(eq(u8, byte_of_file(path, 1536), 3));
    away(path);
}

Test(disk_image, a_snapshot_keeps_writes_to_itself)
{
    char *path = image(SECTORS * 512);
    struct iov_harness *bench = disk(path, "snapshot: on");
    uint8_t data[512];

    memset(data, 0xab, sizeof data);
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, 7 * 512, data, 512), IOV_BLOCK_OK));
    cr_assert(eq(u8, byte_at(bench, 7 * 512), 0xab));
    cr_assert(eq(u8, byte_at(bench, 7 * 512 - 1), 6));
    cr_assert(eq(u8, byte_at(bench, 8 * 512), 8));
    cr_assert(eq(u64, iov_harness_stat(bench, "pages"), 1));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE_ZEROES, 4096, NULL, 4096), IOV_BLOCK_OK));
    cr_assert(eq(u8, byte_at(bench, 4096 + 100), 0));
    cr_assert(eq(u64, iov_harness_stat(bench, "pages"), 1));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, 4096 + 512, data, 1), IOV_BLOCK_OK));
    cr_assert(eq(u8, byte_at(bench, 4096 + 512), 0xab));
    cr_assert(eq(u8, byte_at(bench, 4096 + 513), 0));
    iov_harness_free(bench);
    cr_assert(eq(u8, byte_of_file(path, 7 * 512), 7));
    away(path);
}

Test(disk_image, a_disk_without_a_file_is_zeros_and_sparse)
{
    struct iov_harness *bench = disk("", "size: 1TiB");
    uint8_t data[8192];

    memset(data, 0x11, sizeof data);
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, (UINT64_C(1) << 39) + 4000, data, 8192),
                 IOV_BLOCK_OK));
    cr_assert(eq(u8, byte_at(bench, (UINT64_C(1) << 39) + 3999), 0));
    cr_assert(eq(u8, byte_at(bench, (UINT64_C(1) << 39) + 4000 + 8191), 0x11));
    cr_assert(eq(u8, byte_at(bench, (UINT64_C(1) << 39) + 4000 + 8192), 0));
    cr_assert(eq(u64, iov_harness_stat(bench, "pages"), 3));
    iov_harness_free(bench);
}

Test(disk_image, a_last_sector_that_the_file_does_not_fill_ends_in_zeros)
{
    char *path = image(3 * 512 + 100);
    struct iov_harness *bench = disk(path, "snapshot: on");

    cr_assert(eq(u8, byte_at(bench, 3 * 512 + 99), 3));
    cr_assert(eq(u8, byte_at(bench, 3 * 512 + 100), 0));
    cr_assert(eq(u8, byte_at(bench, 4 * 512 - 1), 0));
    iov_harness_free(bench);
    away(path);
}

Test(disk_image, requests_outside_and_forbidden_writes_are_answers)
{
    char *path = image(SECTORS * 512);
    struct iov_harness *bench = disk(path, "read-only: on");
    uint8_t data[512] = { 0 };

    cr_assert(eq(int, answer(bench, IOV_BLOCK_READ, SECTORS * 512 - 511, data, 512),
                 IOV_BLOCK_OUT_OF_RANGE));
    cr_assert(
        eq(int, answer(bench, IOV_BLOCK_READ, UINT64_MAX - 10, data, 512), IOV_BLOCK_OUT_OF_RANGE));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, 0, data, 512), IOV_BLOCK_READ_ONLY));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_DISCARD, 0, NULL, 512), IOV_BLOCK_READ_ONLY));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_FLUSH, 0, NULL, 0), IOV_BLOCK_OK));
    cr_assert(eq(u64, iov_harness_stat(bench, "errors"), 4));
    iov_harness_free(bench);
    away(path);
}

Test(disk_image, each_operation_takes_its_cost_and_data_its_rate)
{
    struct iov_harness *bench = disk("", "size: 1MiB\nchannels: 1\nrate: 8Gbps\n"
                                         "costs: { disk-read: 5us, disk-flush: 1us }");
    uint8_t data[1000];
    struct asked read, second, flush;

    ask(bench, &read, IOV_BLOCK_READ, 0, data, 1000);
    ask(bench, &second, IOV_BLOCK_READ, 0, data, 500);
    ask(bench, &flush, IOV_BLOCK_FLUSH, 0, NULL, 0);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(eq(u64, read.when, 6 * IOV_US));
    cr_assert(eq(u64, second.when, 11500 * IOV_NS));
    cr_assert(eq(u64, flush.when, 12500 * IOV_NS));
    iov_harness_free(bench);
}

Test(disk_image, channels_work_side_by_side_and_the_rest_waits)
{
    struct iov_harness *bench = disk("", "size: 1MiB\nchannels: 2\ncosts: { disk-read: 5us }");
    uint8_t data[4];
    struct asked asked[5];

    for (unsigned i = 0; i < 5; i++)
        ask(bench, &asked[i], IOV_BLOCK_READ, 0, data, 4);
    cr_assert(not(asked[0].ended), "never within submit");
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    for (unsigned i = 0; i < 5; i++)
        cr_assert(eq(u64, asked[i].when, (1 + i / 2) * 5 * IOV_US));
    iov_harness_free(bench);
}

struct front {
    struct iov_block_initiator port;
    unsigned told;
};

static void on_resized(struct iov_block_initiator *port)
{
    iov_container_of(port, struct front, port)->told++;
}

Test(disk_image, a_new_size_is_told_to_the_front_and_what_was_cut_off_is_gone)
{
    static const struct iov_block_initiator_ops ops = { .resized = on_resized };
    char *path = image(SECTORS * 512);
    struct iov_harness *bench = disk(path, "snapshot: on");
    struct iov_block_target *target = iov_model_port(bench->model, "port", 0);
    struct front front = { .port.ops = &ops };
    uint8_t data[512];

    memset(data, 0xab, sizeof data);
    target->front = &front.port;
    cr_assert(eq(int, answer(bench, IOV_BLOCK_WRITE, 9 * 512, data, 512), IOV_BLOCK_OK));
    cr_assert(target->ops->resize(target, 9 * 512));
    cr_assert(eq(u64, target->size, 9 * 512));
    cr_assert(eq(int, answer(bench, IOV_BLOCK_READ, 9 * 512, data, 1), IOV_BLOCK_OUT_OF_RANGE));
    cr_assert(target->ops->resize(target, 16 * 1024 * 1024));
    cr_assert(eq(u8, byte_at(bench, 8 * 512), 8));
    cr_assert(eq(u8, byte_at(bench, 9 * 512), 0));
    cr_assert(eq(u8, byte_at(bench, 15 * 512), 0));
    cr_assert(eq(u8, byte_at(bench, 16 * 1024 * 1024 - 1), 0));
    cr_assert(not(target->ops->resize(target, 100)));
    cr_assert(eq(u32, front.told, 2));
    iov_harness_free(bench);
    away(path);
}

Test(disk_image, a_request_that_is_cancelled_is_forgotten)
{
    struct iov_harness *bench = disk("", "size: 1MiB\nchannels: 1\ncosts: { disk-read: 5us }");
    struct iov_block_target *target = iov_model_port(bench->model, "port", 0);
    uint8_t data[4];
    struct asked asked[4];

    for (unsigned i = 0; i < 4; i++)
        ask(bench, &asked[i], IOV_BLOCK_READ, 0, data, 4);
    target->ops->cancel(target, &asked[3].req);
    target->ops->cancel(target, &asked[1].req);
    iov_harness_run_for(bench, 2 * IOV_US);
    target->ops->cancel(target, &asked[0].req);
    cr_assert(iov_harness_run_idle(bench, IOV_SEC));
    cr_assert(not(asked[0].ended || asked[1].ended || asked[3].ended));
    cr_assert(eq(u64, asked[2].when, 7 * IOV_US));
    iov_harness_free(bench);
}

Test(disk_image, requests_on_their_way_at_the_end_are_dropped)
{
    struct iov_harness *bench = disk("", "size: 1MiB\nchannels: 1\ncosts: { disk-read: 5us }");
    uint8_t data[4];
    struct asked asked[3];

    for (unsigned i = 0; i < 3; i++)
        ask(bench, &asked[i], IOV_BLOCK_READ, 0, data, 4);
    iov_harness_free(bench);
    cr_assert(not(asked[0].ended));
}

Test(disk_image, what_the_user_got_wrong_is_said)
{
    static const char *const texts[][2] = {
        { "kind: disk-image\nfile: /nowhere/at/all.raw", "cannot open" },
        { "kind: disk-image\nfile: /tmp", "'/tmp'" },
        { "kind: disk-image", "needs one" },
        { "kind: disk-image\nsize: 1000B", "512" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        struct iov_harness *bench = iov_harness_new(texts[i][0]);

        cr_assert(not(iov_harness_try_start(bench, &error)));
        cr_assert(strstr(error->message, texts[i][1]) != NULL, "%s", error->message);
        iov_harness_free(bench);
    }
}

/* Random operations, judged by a plain array. */
Test(disk_image, many_random_operations_agree_with_an_array)
{
    enum { SIZE = 64 * 1024 };
    static uint8_t naive[SIZE], data[SIZE];
    struct iov_overlay overlay;
    g_autoptr(GRand) random = g_rand_new_with_seed(4);
    uint64_t size = SIZE;

    iov_overlay_init(&overlay, -1, 0, true, SIZE);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t offset = (uint64_t)g_rand_int_range(random, 0, (gint32)size);
        uint64_t length =
            (uint64_t)g_rand_int_range(random, 0, (gint32)MIN(size - offset, 9000) + 1);

        switch (g_rand_int_range(random, 0, 10)) {
        case 0:
            cr_assert(iov_overlay_zero(&overlay, offset, length));
            memset(naive + offset, 0, length);
            break;
        case 1:
            if (i % 10 != 0)
                break;
            size = (uint64_t)g_rand_int_range(random, 1, SIZE + 1);
            cr_assert(iov_overlay_resize(&overlay, size));
            memset(naive + size, 0, SIZE - size);
            break;
        case 2:
        case 3:
        case 4:
            memset(data, (int)i, length);
            cr_assert(iov_overlay_write(&overlay, offset, data, length));
            memcpy(naive + offset, data, length);
            break;
        default:
            cr_assert(iov_overlay_read(&overlay, offset, data, length));
            cr_assert(memcmp(data, naive + offset, length) == 0, "step %u", i);
        }
    }
    iov_overlay_clear(&overlay);
    cr_assert(eq(u64, overlay.pages, 0));
}
