/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames from the wire that make no sense, into a guest at work under every back end: each is
 * counted once, by who drops it (NIC, switch, device or the guest's stack), and the guest loses
 * nothing.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/net/internet.h"
#include "tests/platforms/neighbours.h"

#define SIZE_MAX_SENT 4000

/* An answer of the far end, made wrong in one way; `size`: of the frame, 0: as it is. Places count
 * from the Ethernet header. */
static const struct {
    const char *name;
    uint32_t size, place;
    uint16_t value;
} wrongs[] = {
    { "a stump", 10, 0, 0 },
    { "a header and nothing else", ETHERNET_HEADER, 0, 0 },
    { "half an IP header", ETHERNET_HEADER + 10, 0, 0 },
    { "too long", 1600, 0, 0 },
    { "much too long", SIZE_MAX_SENT, 0, 0 },
    { "another type", 0, ETHERNET_TYPE, 0x88cc },
    { "a tag and nothing of it", 0, ETHERNET_TYPE, 0x8100 },
    { "version 6 in an IPv4 frame", 0, ETHERNET_HEADER, 0x6500 },
    { "an IP header of 8 bytes", 0, ETHERNET_HEADER, 0x4200 },
    { "an IP header beyond the frame", 0, ETHERNET_HEADER, 0x4f00 },
    { "more IP than frame", 0, ETHERNET_HEADER + IPV4_LENGTH, 0xffff },
    { "less IP than its header", 0, ETHERNET_HEADER + IPV4_LENGTH, 7 },
    { "a wrong IP sum", 0, ETHERNET_HEADER + IPV4_CHECKSUM, 0x1234 },
    { "more UDP than IP", 0, ETHERNET_HEADER + IPV4_HEADER + UDP_LENGTH, 0xffff },
    { "less UDP than its header", 0, ETHERNET_HEADER + IPV4_HEADER + UDP_LENGTH, 3 },
    { "a wrong UDP sum", 0, ETHERNET_HEADER + IPV4_HEADER + UDP_CHECKSUM, 0x1234 },
};

/* ---- The far end's answer, and who drops ---- */

struct copier {
    struct iov_packet_port port; /* in place of the spy's inner end */
    struct neighbours_spy *spy;
    uint8_t bytes[ETHERNET_MAX];
    uint32_t size;
    uint8_t mac[ETHERNET_ADDRESS];
};

/* From the far end, on its way to the spy: the last frame for vm0 is remembered. */
static iov_time copier_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct copier *self = iov_container_of(port, struct copier, port);

    if (packet->size <= sizeof self->bytes &&
        memcmp(packet->data, self->mac, ETHERNET_ADDRESS) == 0) {
        self->size = packet->size;
        memcpy(self->bytes, packet->data, packet->size);
    }
    return self->spy->far.ops->receive(&self->spy->far, packet);
}

static const struct iov_packet_ops copier_ops = { .receive = copier_receive };

static uint64_t dropped(struct iov_platform *platform)
{
    static const char *const names[] = { "drops",        "frames-dropped", "frames-filtered",
                                         "rx-filtered",  "rx-no-buffer",   "rx-overrun",
                                         "rx-not-ready", "rx-unsplit",     "rx-oversize",
                                         "bad-frames",   "foreign-frames", NULL };
    uint64_t sum = 0;

    for (unsigned i = 0; i < iov_platform_count(platform); i++) {
        IovModel *model = iov_platform_at(platform, i);
        const GArray *rows = IOV_MODEL_GET_CLASS(model)->info->stats;

        for (guint j = 0; j < rows->len; j++) {
            const struct iov_stat *row = &g_array_index(rows, struct iov_stat, j);

            if (g_strv_contains(names, row->name))
                sum += G_STRUCT_MEMBER(uint64_t, model, row->offset);
        }
    }
    return sum;
}

/* ---- Runs ---- */

static void inject(struct copier *copier, struct iov_packet_pool *pool, unsigned wrong)
{
    uint32_t size = wrongs[wrong].size != 0 ? wrongs[wrong].size : copier->size;
    struct iov_packet *packet = iov_packet_new(pool, size);
    uint8_t *data = packet->data;

    memset(data, 0, size);
    memcpy(data, copier->bytes, MIN(copier->size, size));
    if (wrongs[wrong].place != 0)
        iov_net_put16(data + wrongs[wrong].place, wrongs[wrong].value);
    if (wrongs[wrong].place >= ETHERNET_HEADER &&
        wrongs[wrong].place < ETHERNET_HEADER + IPV4_CHECKSUM) {
        iov_net_put16(data + ETHERNET_HEADER + IPV4_CHECKSUM, 0);
        iov_net_put16(data + ETHERNET_HEADER + IPV4_CHECKSUM,
                      ~iov_net_sum(0, data + ETHERNET_HEADER, IPV4_HEADER));
    }
    iov_packet_send(&copier->spy->near, packet);
}

static void expect_counted(const struct neighbours_case *what)
{
    struct iov_config *config = neighbours_load(what);
    struct iov_platform *platform = iov_platform_new(config, NULL);
    IovModel *workload = iov_platform_find(platform, "vm0/workload");
    struct iov_kernel *kernel = iov_platform_run(platform)->kernel;
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct neighbours_spy spy = { 0 };
    struct copier copier = { .port.ops = &copier_ops, .spy = &spy };

    iov_model_set_number(iov_platform_find(platform, "vm1/workload"), "actions", 0, NULL);
    iov_model_set_number(workload, "operations", 1000000, NULL);
    cr_assert(iov_platform_realize(platform, NULL));
    neighbours_tap(&spy, platform);
    spy.far.peer->peer = &copier.port;
    iov_platform_start(platform);
    for (unsigned i = 0; i < 30000 && copier.size == 0; i++) {
        const IovLinuxGuest *guest =
            (IovLinuxGuest *)(void *)iov_platform_find(platform, "vm0/guest");

        memcpy(copier.mac, guest->net.dev->mac, ETHERNET_ADDRESS);
        iov_kernel_run_until(kernel, iov_now(kernel) + 100 * IOV_US);
    }
    cr_assert(lt(u32, 0, copier.size), "%s", what->name);
    for (unsigned wrong = 0; wrong < G_N_ELEMENTS(wrongs); wrong++) {
        uint64_t before = dropped(platform), finished = neighbours_stat(workload, "finished");

        inject(&copier, pool, wrong);
        iov_kernel_run_until(kernel, iov_now(kernel) + IOV_MS);
        cr_expect(eq(u64, dropped(platform) - before, 1), "%s: %s", what->name, wrongs[wrong].name);
        cr_expect(lt(u64, finished, neighbours_stat(workload, "finished")), "%s: %s", what->name,
                  wrongs[wrong].name);
    }
    cr_expect(eq(u64, neighbours_stat(workload, "lost"), 0), "%s", what->name);
    iov_platform_free(platform);
    iov_packet_pool_unref(pool, NULL);
    iov_config_free(config);
}

Test(malformed, every_frame_is_counted_once_and_the_guest_goes_on)
{
    for (unsigned i = 0; i < NEIGHBOURS_CASES; i++)
        expect_counted(&neighbours_cases[i]);
}
