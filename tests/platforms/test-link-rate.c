/* SPDX-License-Identifier: Apache-2.0 */
/* No strategy sends or receives more payload than its link carries, and each fills a link that is
 * slow enough. */
#include "tests/platforms/platform.h"

/* Ethernet, IPv4 and UDP; checksum, preamble and gap. */
#define HEADERS (42 + 24)

static char **strategies(void)
{
    g_autofree char *file = g_build_filename(IOV_SOURCE_DIR, "configs", "udp-stream.yaml", NULL);
    g_auto(GStrv) path = iov_data_path(file);
    char **list = iov_strategy_list((const char *const *)path);

    cr_assert(lt(uint, 20, g_strv_length(list)));
    return list;
}

static struct iov_experiment *stream(const char *strategy, const char *direction, unsigned size,
                                     unsigned mbps, unsigned operations)
{
    bool receive = strcmp(direction, "rx") == 0;
    g_autofree char *of = g_strconcat("strategy=", strategy, NULL);
    g_autofree char *way = g_strconcat("workload.direction=", direction, NULL);
    g_autofree char *payload = g_strdup_printf("workload.size=%uB", size);
    g_autofree char *sent = g_strdup_printf("parts.peer.source-size=%uB", size);
    g_autofree char *rate = g_strdup_printf("parts.wire.rate=%uMbps", mbps);
    g_autofree char *count = g_strdup_printf("workload.operations=%u", operations);

    return RUN("udp-stream.yaml", of, way, payload, sent, rate, count, "workload.warmup=300",
               "parts.peer.source-interval=0ns",
               receive ? "parts.peer.role=source" : "parts.peer.role=sink");
}

/* Part of the link's time that the payload's frames took; the first one may have begun before the
 * measurement. */
static double share_of_link(const struct iov_experiment *run, unsigned size, unsigned mbps)
{
    const struct iov_measure *measure = iov_experiment_measure(run);
    uint64_t frames = iov_delivered(measure->operations, &measure->delivery);
    double bits = 8.0 * (MAX(size, 18) + HEADERS) * (double)(frames - 1);

    cr_assert(eq(u64, iov_delivered_bytes(measure->bytes, &measure->delivery), frames * size));
    return bits / (mbps * 1e6) / ((double)(measure->end - measure->begin) / (double)IOV_SEC);
}

Test(link_rate, is_not_exceeded_by_what_guests_send)
{
    static const unsigned sizes[] = { 1, 64, 700, 1472 }, rates[] = { 100, 1000, 10000 };
    g_auto(GStrv) list = strategies();

    for (unsigned i = 0; list[i] != NULL; i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(sizes); j++) {
            for (unsigned k = 0; k < G_N_ELEMENTS(rates); k++) {
                struct iov_experiment *run = stream(list[i], "tx", sizes[j], rates[k], 1500);

                cr_assert(le(dbl, share_of_link(run, sizes[j], rates[k]), 1.0), "%s, %u B, %u Mb/s",
                          list[i], sizes[j], rates[k]);
                iov_experiment_free(run);
            }
        }
    }
}

Test(link_rate, is_reached_both_ways_where_the_link_is_slow)
{
    static const char *const directions[] = { "tx", "rx" };
    g_auto(GStrv) list = strategies();

    for (unsigned i = 0; list[i] != NULL; i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(directions); j++) {
            struct iov_experiment *run = stream(list[i], directions[j], 1472, 100, 10000);
            double share = share_of_link(run, 1472, 100);

            cr_assert(le(dbl, share, 1.0), "%s %s: %.4f", list[i], directions[j], share);
            cr_assert(lt(dbl, 0.96, share), "%s %s: %.4f", list[i], directions[j], share);
            iov_experiment_free(run);
        }
    }
}

/* What was sent and what arrived differ by what was dropped and by what a ring holds at either end
 * of the measurement. */
Test(link_rate, what_does_not_arrive_was_dropped_or_waits)
{
    static const char *const lossy[] = { "vhost-net",   "vhost-user", "guest-dpdk",
                                         "esxi-vmxnet", "xen-pv",     "virtio-net" };

    for (unsigned i = 0; i < G_N_ELEMENTS(lossy); i++) {
        struct iov_experiment *run = stream(lossy[i], "tx", 1400, 1000, 10000);
        const struct iov_delivery *delivery = &iov_experiment_measure(run)->delivery;
        uint64_t drops = counters_of(run)->drops;

        cr_assert(eq(u64, delivery->sent, 10000));
        cr_assert(lt(u64, 1000, drops), "%s", lossy[i]);
        cr_assert(le(u64, delivery->arrived + drops, delivery->sent + 2048), "%s", lossy[i]);
        cr_assert(le(u64, delivery->sent, delivery->arrived + drops + 2100), "%s", lossy[i]);
        iov_experiment_free(run);
    }
}

/* Mean time that an operation spends in a NIC and on the way to it. */
static double nic_us(const char *strategy)
{
    g_autofree char *of = g_strconcat("strategy=", strategy, NULL);
    struct iov_experiment *run = RUN("net-rr.yaml", of, "workload.operations=500");
    const struct iov_measure *measure = iov_experiment_measure(run);
    double us = (double)(measure->parts_low[IOV_PART_DEVICE] + measure->parts_low[IOV_PART_PCIE]) /
                500 / (double)IOV_US;

    iov_experiment_free(run);
    return us;
}

Test(link_rate, the_host_s_own_nic_is_no_better_than_an_assigned_one)
{
    double assigned = nic_us("guest-dpdk-vf"); /* no register but the doorbell */

    cr_assert(lt(dbl, fabs(nic_us("vhost-user") / assigned - 1), 0.02), "%.3f", assigned);
    cr_assert(lt(dbl, fabs(nic_us("vhost-net") / assigned - 1), 0.02));
    cr_assert(lt(dbl, fabs(nic_us("esxi-vmxnet") / assigned - 1), 0.02));
}

/* Both are limited by their slot, not by the 10 Gb/s wire. */
Test(link_rate, the_host_s_own_nic_has_the_assigned_one_s_pace)
{
    struct iov_experiment *host = stream("guest-dpdk", "tx", 1400, 10000, 20000);
    struct iov_experiment *assigned = stream("guest-dpdk-vf", "tx", 1400, 10000, 20000);
    double ratio = share_of_link(host, 1400, 10000) / share_of_link(assigned, 1400, 10000);

    cr_assert(lt(dbl, fabs(ratio - 1), 0.02), "%.4f", ratio);
    iov_experiment_free(host);
    iov_experiment_free(assigned);
}

/* A program that polls finds a descriptor when it has crossed the link, not before. */
Test(link_rate, parts_add_up_when_a_polling_program_receives)
{
    static const char *const polling[] = { "guest-dpdk-vf", "guest-dpdk" };

    for (unsigned i = 0; i < G_N_ELEMENTS(polling); i++) {
        for (unsigned mbps = 1000; mbps <= 10000; mbps += 4500) {
            struct iov_experiment *run = stream(polling[i], "rx", 700, mbps, 3000);

            cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s at %u", polling[i],
                      mbps);
            iov_experiment_free(run);
        }
    }
}
