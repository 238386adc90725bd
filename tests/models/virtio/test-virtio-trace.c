/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device answers what a recorded one answered to an unmodified Linux driver, from loading to
 * the link being up: capabilities, negotiation, vectors, queues. tests/data/virtio-net-probe.txt
 * holds the accesses. One kind of answer is excepted: the recorded device offered more features, so
 * features are compared, and accepted, as far as both offer them.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#include "tests/models/virtio/virtio-driver.h"

static uint64_t offered;
static uint64_t select_device, select_driver;

/* The part of a feature word that this device offers. */
static uint64_t known(uint64_t select)
{
    return select < 2 ? (offered >> (32 * select)) & UINT32_MAX : 0;
}

static void write_bar(struct iov_harness *bench, uint64_t offset, uint32_t size, uint64_t value)
{
    if (offset == COMMON(DEVICE_FEATURE_SELECT))
        select_device = value;
    if (offset == COMMON(DRIVER_FEATURE_SELECT))
        select_driver = value;
    if (offset == COMMON(DRIVER_FEATURE))
        value &= known(select_driver);
    driver_write(bench, offset, size, value);
}

Test(virtio_trace, it_answers_like_the_recorded_device)
{
    struct iov_harness *bench = iov_harness_new("kind: virtio-net\nsetup: reset\n");
    FILE *file = fopen(IOV_SOURCE_DIR "/tests/data/virtio-net-probe.txt", "r");
    unsigned line_number = 0, reads = 0, different = 0;
    char line[256];

    cr_assert(file != NULL);
    iov_harness_start(bench);
    offered = driver_offered(bench);
    driver_write(bench, COMMON(DEVICE_FEATURE_SELECT), 4, 0);
    iov_harness_write(bench, "config", 0x04, 2, 0x0103); /* as firmware left it */
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned offset, size;
        unsigned long long recorded;
        uint64_t value, mask = UINT64_MAX;
        char region, direction;
        const char *port;

        line_number++;
        if (sscanf(line, "%c %c %x %x %llx", &region, &direction, &offset, &size, &recorded) != 5)
            continue;
        port = region == 'c' ? "config" : region == 'm' ? "msix" : "registers";
        if (direction == 'w' && region == 'b') {
            write_bar(bench, offset, size, recorded);
            continue;
        }
        if (direction == 'w') {
            iov_harness_write(bench, port, offset, size, recorded);
            continue;
        }
        if (region == 'b' && offset == COMMON(DEVICE_FEATURE))
            mask = known(select_device);
        value = iov_harness_read(bench, port, offset, size);
        reads++;
        if ((value & mask) != (recorded & mask)) {
            different++;
            cr_log_error("line %u: %s 0x%x reads 0x%llx, recorded 0x%llx", line_number, port,
                         offset, (unsigned long long)value, recorded);
        }
    }
    fclose(file);
    cr_assert(lt(uint, 100, reads));
    cr_assert(eq(uint, different, 0));
    cr_assert(eq(u64, iov_harness_stat(bench, "bad-accesses"), 0));
    iov_harness_free(bench);
}
