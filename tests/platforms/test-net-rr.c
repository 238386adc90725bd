/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request/response: how often each strategy's driver touches its device, how often that exits, and
 * how many interrupts it takes. The wanted figures are those of recorded Linux drivers
 * (tests/data/README.md) and of KVM's exit rules (docs/models/kvm-vm.md).
 */
#include "tests/platforms/platform.h"

static void expect_accesses(struct iov_experiment *experiment, double accesses, double exits,
                            double to_user, double interrupts)
{
    const struct iov_counters *counters = counters_of(experiment);

    cr_assert(eq(u64, iov_experiment_measure(experiment)->operations, 10000));
    cr_assert_about(per_op(experiment, counters->device_accesses), accesses);
    cr_assert_about(per_op(experiment, counters->device_exits), exits);
    cr_assert_about(per_op(experiment, counters->user_exits), to_user);
    cr_assert_about(per_op(experiment, counters->interrupts), interrupts);
}

Test(net_rr, e1000_with_a_local_peer_takes_seven_accesses_and_one_interrupt)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=emulated-e1000");

    expect_accesses(run, 7, 7, 6, 1);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EPT_MISCONFIG), 7);
    iov_experiment_free(run);
}

Test(net_rr, e1000_with_a_remote_peer_takes_twelve_accesses_and_two_interrupts)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=emulated-e1000");

    expect_accesses(run, 12, 12, 11, 2);
    iov_experiment_free(run);
}

Test(net_rr, virtio_kicks_once_and_takes_two_interrupts_near_and_far)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *run = RUN(configs[i], "strategy=virtio-net");

        expect_accesses(run, 1, 1, 0, 2);
        iov_experiment_free(run);
    }
}

Test(net_rr, without_ioeventfd_the_kick_goes_to_user_space_and_exits_as_often)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=virtio-net", "parameters.ioeventfd=off");

    expect_accesses(run, 1, 1, 1, 2);
    iov_experiment_free(run);
}

Test(net_rr, assigned_registers_and_bare_metal_do_not_exit)
{
    struct iov_experiment *assigned = RUN("net-rr.yaml", "strategy=assigned-e1000");
    struct iov_experiment *bare = RUN("net-rr.yaml", "strategy=bare-metal");

    cr_assert(eq(u64, counters_of(assigned)->device_exits, 0));
    cr_assert(lt(u64, 0, counters_of(assigned)->device_accesses));
    for (unsigned reason = 0; reason < IOV_MEASURE_REASONS; reason++)
        cr_assert(eq(u64, counters_of(bare)->exits[reason], 0));
    iov_experiment_free(assigned);
    iov_experiment_free(bare);
}

Test(net_rr, a_level_interrupt_costs_one_isr_read_and_one_eoi_exit)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=emulated-e1000");

    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_READ), 1);
    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 1);
    iov_experiment_free(run);
}

Test(net_rr, without_paravirtual_eoi_every_injection_has_its_eoi_exit)
{
    struct iov_experiment *with = RUN("net-rr.yaml", "strategy=virtio-net");
    struct iov_experiment *without = RUN("net-rr.yaml", "strategy=virtio-net", "vm.pv-eoi=off");
    const struct iov_counters *counters = counters_of(without);

    cr_assert_about(exits_per_op(without, IOV_EXIT_MSR_WRITE) -
                        exits_per_op(with, IOV_EXIT_MSR_WRITE),
                    per_op(without, counters->injections));
    iov_experiment_free(with);
    iov_experiment_free(without);
}

Test(net_rr, apic_virtualisation_takes_eoi_and_apic_reads_away)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=emulated-e1000",
                                     "vm.apic-virtualisation=on", "vm.pv-eoi=off");

    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_READ), 0);
    cr_assert_about(exits_per_op(run, IOV_EXIT_INTERRUPT_WINDOW), 0);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EOI_INDUCED), 1); /* the line is level */
    iov_experiment_free(run);
}

Test(net_rr, the_order_of_medians_is_bare_assigned_virtio_emulated)
{
    static const char *const order[] = { "strategy=bare-metal", "strategy=assigned-e1000",
                                         "strategy=virtio-net", "strategy=emulated-e1000" };
    iov_time last = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        struct iov_experiment *run = RUN("net-rr.yaml", order[i]);

        cr_assert(lt(u64, last, median_of(run)), "%s", order[i]);
        last = median_of(run);
        iov_experiment_free(run);
    }
}

Test(net_rr, the_parts_of_every_request_add_up)
{
    static const char *const strategies[] = { "strategy=bare-metal", "strategy=assigned-e1000",
                                              "strategy=virtio-net", "strategy=emulated-e1000" };
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml", "udp-stream.yaml",
                                           "ping.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(configs); j++) {
            struct iov_experiment *run = RUN(configs[j], strategies[i], "workload.operations=1000");

            cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s %s", configs[j],
                      strategies[i]);
            iov_experiment_free(run);
        }
    }
}

Test(net_rr, a_stream_kicks_each_packet_without_event_index_and_less_with_it)
{
    struct iov_experiment *with =
        RUN("udp-stream.yaml", "strategy=virtio-net", "parameters.event-index=on");
    struct iov_experiment *without =
        RUN("udp-stream.yaml", "strategy=virtio-net", "parameters.event-index=off");

    cr_assert_about(per_op(without, counters_of(without)->kicks), 1);
    cr_assert(lt(dbl, per_op(with, counters_of(with)->kicks), 0.7));
    iov_experiment_free(with);
    iov_experiment_free(without);
}

Test(net_rr, throughput_stays_under_the_wire)
{
    static const char *const strategies[] = { "strategy=bare-metal", "strategy=virtio-net" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("udp-stream.yaml", strategies[i], "parts.wire.rate=1Gbps");
        double rate = wire_bits_per_second(run);

        cr_assert(le(dbl, rate, 1.001e9), "%s: %.4g bit/s", strategies[i], rate);
        cr_assert(lt(dbl, 0.9e9, rate), "%s: %.4g bit/s", strategies[i], rate);
        iov_experiment_free(run);
    }
}

Test(net_rr, a_guest_in_xapic_mode_exits_by_apic_access_whatever_modes_are_offered)
{
    static const char *const offers[] = { "vm.x2apic=on", "vm.x2apic=off" };

    for (unsigned i = 0; i < G_N_ELEMENTS(offers); i++) {
        struct iov_experiment *without =
            RUN("net-rr-local.yaml", "strategy=emulated-e1000", "guest.apic=xapic", offers[i]);
        struct iov_experiment *with =
            RUN("net-rr-local.yaml", "strategy=emulated-e1000", "guest.apic=xapic",
                "vm.apic-virtualisation=on", offers[i]);

        cr_assert_about(exits_per_op(without, IOV_EXIT_APIC_ACCESS), 2);
        cr_assert_about(exits_per_op(without, IOV_EXIT_EPT_MISCONFIG), 7);
        cr_assert_about(exits_per_op(with, IOV_EXIT_APIC_ACCESS), 0);
        cr_assert_about(exits_per_op(with, IOV_EXIT_EOI_INDUCED), 1);
        iov_experiment_free(without);
        iov_experiment_free(with);
    }
}

Test(net_rr, every_strategy_does_without_apic_virtualisation_where_processors_have_none)
{
    g_autofree char *folder = g_build_filename(IOV_SOURCE_DIR, "platforms", "strategies", NULL);
    g_autoptr(GDir) strategies = g_dir_open(folder, 0, NULL);
    const char *file;
    unsigned count = 0;

    cr_assert_not_null(strategies);
    while ((file = g_dir_read_name(strategies)) != NULL) {
        g_autofree char *strategy = g_strdup_printf("strategy=%.*s", (int)strcspn(file, "."), file);
        struct iov_experiment *run =
            RUN("net-rr.yaml", strategy, "parameters.apic-virtualisation=off",
                "parameters.interrupt-posting=off", "workload.operations=100");

        cr_assert(eq(u64, counters_of(run)->posted, 0), "%s", strategy);
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s", strategy);
        iov_experiment_free(run);
        count++;
    }
    cr_assert(lt(uint, 20, count));
}
