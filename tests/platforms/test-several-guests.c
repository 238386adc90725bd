/* SPDX-License-Identifier: Apache-2.0 */
/* Several guests on one host and one wire: each has its own memory and address, and the switch
 * below brings everybody what is his. */
#include "tests/platforms/platform.h"

#define THREE "vms=[{ name: vm0 }, { name: vm1 }, { name: vm2 }]"

static const char *const strategies[] = {
    "strategy=virtio-net",      "strategy=vhost-net",
    "strategy=vhost-user",      "strategy=xen-pv",
    "strategy=xen-hvm",         "strategy=vmdq",
    "strategy=emulated-e1000e", "strategy=siov-adi",
    "strategy=emulated-e1000",  "strategy=emulated-e1000-iommu",
    "strategy=esxi-e1000",      "strategy=esxi-vmxnet",
    "strategy=sidecore",        "strategy=guest-dpdk",
    "strategy=sriov-vf",        "strategy=vdpa"
};

Test(several_guests, get_their_own_answers)
{
    static const char *const guests[] = { "vm0", "vm1", "vm2" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run =
            RUN("net-rr.yaml", strategies[i], THREE, "workload.operations=1000");

        cr_assert(ge(u64, iov_experiment_measure(run)->operations, 3000), "%s", strategies[i]);
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
        cr_assert(eq(u64, counters_of(run)->drops, 0));
        for (unsigned j = 0; j < G_N_ELEMENTS(guests); j++) {
            g_autofree char *guest = g_strconcat(guests[j], "/guest", NULL);
            g_autofree char *workload = g_strconcat(guests[j], "/workload", NULL);

            cr_assert(eq(u64, stat_of(run, guest, "foreign-frames"), 0));
            cr_assert(eq(u64, stat_of(run, guest, "bad-frames"), 0));
            cr_assert(eq(u64, stat_of(run, workload, "lost"), 0));
            cr_assert(ge(u64, stat_of(run, workload, "finished"), 1000), "%s of %s", guests[j],
                      strategies[i]);
        }
        iov_experiment_free(run);
    }
}

Test(several_guests, are_told_apart_by_address_once_they_have_been_seen)
{
    struct iov_experiment *kernel =
        RUN("net-rr.yaml", "strategy=vhost-net", THREE, "workload.operations=1000");
    struct iov_experiment *process =
        RUN("net-rr.yaml", "strategy=vhost-user", THREE, "workload.operations=1000");

    /* The warm-up taught the switch: nothing is sent to everybody any more. */
    cr_assert(eq(u64, stat_of(kernel, "bridge", "flooded"), 0));
    cr_assert(eq(u64, stat_of(process, "switch", "flooded"), 0));
    cr_assert(eq(u64, stat_of(kernel, "bridge", "drops"), 0));
    iov_experiment_free(kernel);
    iov_experiment_free(process);
}

Test(several_guests, do_not_hear_what_others_send_to_somebody_who_only_listens)
{
    static const char *const names[][3] = { { "strategy=vhost-net", "bridge" },
                                            { "strategy=virtio-net", "bridge" },
                                            { "strategy=xen-pv", "bridge" },
                                            { "strategy=vhost-user", "switch" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct iov_experiment *run =
            RUN("udp-stream.yaml", names[i][0], THREE, "workload.operations=1000");

        cr_assert(eq(u64, stat_of(run, names[i][1], "flooded"), 0), "%s", names[i][0]);
        cr_assert(eq(u64, stat_of(run, "vm1/guest", "foreign-frames"), 0), "%s", names[i][0]);
        iov_experiment_free(run);
    }
}

Test(several_guests, have_memory_of_their_own)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vhost-net", THREE, "workload.operations=10");
    uint64_t base[3];

    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *vm = g_strdup_printf("vm%u", i);
        IovModel *model = iov_platform_find(iov_experiment_platform(run), vm);
        const struct iov_property *row = iov_model_find_property(model, "memory-base");

        base[i] = G_STRUCT_MEMBER(uint64_t, model, row->offset);
    }
    cr_assert(le(u64, base[0] + (UINT64_C(1) << 30), base[1]));
    cr_assert(le(u64, base[1] + (UINT64_C(1) << 30), base[2]));
    iov_experiment_free(run);
}

Test(several_guests, are_measured_from_when_all_are_warm_until_all_have_done_their_part)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vhost-net", THREE, "workload.operations=1000");
    const struct iov_measure *measure = iov_experiment_measure(run);
    uint64_t operations = 0;

    cr_assert(eq(uint, measure->guest_count, 3));
    for (unsigned i = 0; i < measure->guest_count; i++) {
        cr_assert(ge(u64, measure->guests[i].operations, 1000));
        cr_assert(eq(u64, iov_histogram_count(measure->guests[i].latency),
                     measure->guests[i].operations));
        operations += measure->guests[i].operations;
    }
    cr_assert(eq(u64, operations, measure->operations));
    cr_assert(lt(u32, 990000, iov_measure_fairness(measure)));
    iov_experiment_free(run);
}

Test(several_guests, more_than_there_are_processors_all_get_their_turns)
{
    GString *vms = g_string_new("vms=[");

    for (unsigned i = 0; i < 24; i++)
        g_string_append_printf(vms, "%s{ name: vm%u }", i > 0 ? ", " : "", i);
    g_string_append(vms, "]");
    for (unsigned i = 1; i < 3; i++) {
        struct iov_experiment *run = RUN("net-rr.yaml", strategies[i], vms->str,
                                         "workload.operations=50", "workload.warmup=10");

        cr_assert(le(u64, 24 * 50, iov_experiment_measure(run)->operations));
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
        iov_experiment_free(run);
    }
    g_string_free(vms, true);
}

/* Each got what it was to get before the run was stopped, and the wire carried no more than it
 * can. */
static void check_all_received(const struct iov_experiment *run, unsigned guests,
                               uint64_t operations, const char *strategy)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(measure->complete, "%s with %u guests", strategy, guests);
    cr_assert(eq(uint, measure->guest_count, guests));
    cr_assert(eq(u64, measure->mismatches, 0));
    for (unsigned i = 0; i < guests; i++)
        cr_assert(ge(u64, measure->guests[i].operations, operations), "%s", strategy);
    /* A frame under way when the measurement opened or closed counts as a whole. */
    cr_assert(lt(dbl, wire_bits_per_second(run), 1.001e10), "%s", strategy);
}

Test(several_guests, all_receive_a_stream_of_their_own)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned guests = 2; guests <= 3; guests++) {
            g_autofree char *list = vms(guests);
            struct iov_experiment *run =
                RUN("udp-stream-rx.yaml", strategies[i], list, "workload.operations=500",
                    "workload.warmup=50", "stop=5s");

            check_all_received(run, guests, 500, strategies[i]);
            iov_experiment_free(run);
        }
    }
}

Test(several_guests, are_offered_as_much_as_one_alone)
{
    for (unsigned guests = 1; guests <= 3; guests++) {
        g_autofree char *list = vms(guests);
        struct iov_experiment *run = RUN("udp-stream-rx.yaml", "strategy=sriov-vf", list,
                                         "workload.operations=1000", "stop=5s");
        const struct iov_measure *measure = iov_experiment_measure(run);

        /* A datagram each 12 us for each of them. */
        cr_assert(eq(u64, (measure->end - measure->begin) / IOV_US, UINT64_C(12) * 1000));
        cr_assert(eq(u64, counters_of(run)->drops, 0));
        for (unsigned i = 0; i < guests; i++)
            cr_assert(le(u64, measure->guests[i].operations - 1000, 1));
        iov_experiment_free(run);
    }
}

Test(several_guests, share_the_wire_by_turns_when_all_want_it_whole)
{
    struct iov_experiment *run =
        RUN("udp-stream-rx.yaml", "strategy=sriov-vf", THREE, "parts.peer.source-interval=0ns",
            "parts.wire.rate=1Gbps", "workload.operations=1000", "stop=5s");

    check_all_received(run, 3, 1000, "sriov-vf");
    cr_assert(lt(dbl, 0.99e9, wire_bits_per_second(run)));
    cr_assert(eq(u64, counters_of(run)->drops, 0));
    cr_assert(lt(u32, 999990, iov_measure_fairness(iov_experiment_measure(run))));
    iov_experiment_free(run);
}

Test(several_guests, all_receive_by_tcp_although_one_loses_what_was_sent_last)
{
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned guests = 2; guests <= 3; guests++) {
            g_autofree char *list = vms(guests);
            struct iov_experiment *run =
                RUN("tcp-stream.yaml", "workload.direction=rx", "parts.peer.role=source",
                    strategies[i], list, "workload.operations=500", "stop=5s");

            check_all_received(run, guests, 500, strategies[i]);
            iov_experiment_free(run);
        }
    }
}
