/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xen's ways to the network: hypercalls, switches between domains and exits of one request in
 * steady state. The reasoning of each figure is in docs/models/netback.md and
 * docs/models/xen-vm.md.
 */
#include "tests/platforms/platform.h"

static void expect_sound(struct iov_experiment *run)
{
    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(eq(u64, counters_of(run)->guest_faults, 0));
    cr_assert(eq(u64, counters_of(run)->drops, 0));
    cr_assert(eq(u64, stat_of(run, "vm0", "bad-grants"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0", "bad-hypercalls"), 0));
}

/* ---- xen-pv ---- */

Test(xen, pv_an_echo_is_one_hypercall_of_the_guest_and_six_of_dom0)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-pv");

    expect_sound(run);
    cr_assert_about(exits_per_op(run, IOV_EXIT_VMCALL), 1);
    cr_assert_about(per_op(run, stat_of(run, "vm0", "hypercalls")), 1);
    cr_assert_about(per_op(run, stat_of(run, "dom0", "hypercalls")), 6);
    cr_assert_about(per_op(run, counters_of(run)->hypercalls), 7);
    iov_experiment_free(run);
}

Test(xen, pv_a_guest_that_sends_without_end_does_not_keep_dom0_from_what_another_is_to_receive)
{
    struct iov_experiment *run = RUN("noisy-neighbour.yaml", "strategy=xen-pv",
                                     "workload.operations=500", "vms[1].workload.service=echo");

    cr_assert(eq(u64, stat_of(run, "quiet/workload", "lost"), 0));
    cr_assert(lt(u64, 0, stat_of(run, "hog/netback", "frames-received")));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    iov_experiment_free(run);
}

Test(xen, pv_each_half_of_an_echo_goes_to_dom0_and_back)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-pv");

    cr_assert_about(per_op(run, stat_of(run, "host", "domain-switches")), 4);
    cr_assert_about(per_op(run, counters_of(run)->domain_switches), 4);
    cr_assert_about(per_op(run, stat_of(run, "dom0", "upcalls")), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 2);
    iov_experiment_free(run);
}

Test(xen, pv_the_guest_touches_no_device_and_ends_no_interrupt)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-pv");

    cr_assert(eq(u64, counters_of(run)->device_accesses, 0));
    cr_assert(eq(u64, counters_of(run)->user_exits, 0));
    cr_assert_about(per_op(run, counters_of(run)->interrupts), 2);
    cr_assert_about(per_op(run, counters_of(run)->apic_accesses), 0); /* but the tick's */
    iov_experiment_free(run);
}

Test(xen, pv_on_one_processor_both_domains_take_turns)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=xen-pv", "parameters.cpus=[cpu0]", "workload.operations=1000");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 1000));
    cr_assert_about(per_op(run, counters_of(run)->hypercalls), 7);
    iov_experiment_free(run);
}

/* As Xen does it: a vCPU's state stays in place while its processor idles. */
Test(xen, pv_only_domains_that_share_a_processor_load_each_others_state)
{
    struct iov_experiment *apart = RUN("net-rr.yaml", "strategy=xen-pv");
    struct iov_experiment *together =
        RUN("net-rr.yaml", "strategy=xen-pv", "parameters.cpus=[cpu0]", "workload.operations=1000");
    struct iov_experiment *free_of_charge =
        RUN("net-rr.yaml", "strategy=xen-pv", "parameters.cpus=[cpu0]", "workload.operations=1000",
            "costs.xen-vcpu-state=0ns");

    cr_assert(eq(u64, stat_of(apart, "host", "state-loads"), 0));
    cr_assert_about(per_op(together, stat_of(together, "host", "state-loads")), 4);
    cr_assert(lt(u64, median_of(free_of_charge), median_of(together)));
    iov_experiment_free(apart);
    iov_experiment_free(together);
    iov_experiment_free(free_of_charge);
}

Test(xen, pv_a_driver_domain_does_what_dom0_did)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=xen-pv", "parameters.backend=driver-domain");

    expect_sound(run);
    cr_assert_about(per_op(run, stat_of(run, "driver-domain", "hypercalls")), 6);
    cr_assert_about(per_op(run, stat_of(run, "host", "domain-switches")), 4);
    cr_assert(eq(u64, stat_of(run, "dom0", "hypercalls"), 0));
    iov_experiment_free(run);
}

/* The answer may come while Dom0 works on an access of the guest: then it waits, whatever Dom0 does
 * meanwhile. */
Test(xen, hvm_a_request_pays_for_the_copies_that_the_same_process_makes_elsewhere_and_no_more)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-hvm");
    struct iov_experiment *process = RUN("net-rr.yaml", "strategy=emulated-e1000");

    cr_assert_about(part_ns(run, IOV_PART_COPY), part_ns(process, IOV_PART_COPY));
    cr_assert(lt(dbl, 1000, part_ns(run, IOV_PART_QUEUE)));
    iov_experiment_free(run);
    iov_experiment_free(process);
}

/* What a request waits for Dom0 while others have the processor is no work of Dom0's kernel. */
Test(xen, pv_the_kernel_s_work_for_a_request_does_not_grow_with_the_crowd)
{
    struct iov_experiment *alone = RUN("net-rr.yaml", "strategy=xen-pv");
    struct iov_experiment *crowd =
        RUN("net-rr.yaml", "strategy=xen-pv", "vms=[{ name: vm, count: 4, pin: [0] }]",
            "parts.dom0.pin=[0]", "workload.operations=1000");

    cr_assert(lt(dbl, part_ns(crowd, IOV_PART_HOST), 1.5 * part_ns(alone, IOV_PART_HOST)));
    cr_assert(lt(dbl, 3 * part_ns(alone, IOV_PART_HOST), part_ns(crowd, IOV_PART_QUEUE)));
    iov_experiment_free(alone);
    iov_experiment_free(crowd);
}

Test(xen, pv_maps_large_frames_and_gives_every_page_back)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=xen-pv", "parameters.grant=map");
    uint64_t maps = stat_of(run, "vm0/netback", "maps");
    uint64_t unmaps = stat_of(run, "vm0/netback", "unmaps");

    expect_sound(run);
    cr_assert(lt(u64, 9800, maps));
    cr_assert(le(u64, maps - MIN(maps, unmaps), 256)); /* the rest is on its way */
    cr_assert(lt(dbl, per_op(run, counters_of(run)->hypercalls), 1));
    iov_experiment_free(run);
}

Test(xen, pv_maps_every_page_of_a_large_segment_and_copies_its_headers_once)
{
    struct iov_experiment *run = RUN("tcp-stream.yaml", "strategy=xen-pv", "parameters.grant=map",
                                     "workload.operations=10000");
    uint64_t sent = stat_of(run, "vm0/netback", "frames-sent");
    uint64_t received = stat_of(run, "vm0/netback", "frames-received");
    uint64_t copies = stat_of(run, "vm0/netback", "copies");

    expect_sound(run);
    cr_assert(lt(u64, 3 * sent, stat_of(run, "vm0/netback", "maps")));
    cr_assert(le(u64, sent + received, copies + 64)); /* a batch is on its way */
    cr_assert(le(u64, copies, sent + received + 64));
    iov_experiment_free(run);
}

Test(xen, pv_small_frames_are_copied_even_where_pages_are_mapped)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-pv", "parameters.grant=map");

    expect_sound(run);
    cr_assert(eq(u64, stat_of(run, "vm0/netback", "maps"), 0));
    cr_assert_about(per_op(run, counters_of(run)->hypercalls), 7);
    iov_experiment_free(run);
}

Test(xen, pv_a_stream_shares_events_and_hypercalls)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=xen-pv");

    expect_sound(run);
    cr_assert(lt(dbl, per_op(run, counters_of(run)->kicks), 0.5));
    cr_assert(lt(u64, stat_of(run, "vm0/netback", "batches"), 9000));
    iov_experiment_free(run);
}

/* ---- xen-hvm ---- */

/* Every access is an exit, a request to Dom0, and a switch there and back. */
static void expect_accesses(struct iov_experiment *run, double accesses)
{
    expect_sound(run);
    cr_assert_about(per_op(run, counters_of(run)->device_accesses), accesses);
    cr_assert_about(per_op(run, counters_of(run)->device_exits), accesses);
    cr_assert_about(per_op(run, counters_of(run)->user_exits), accesses);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EPT_VIOLATION), accesses);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EPT_MISCONFIG), 0);
    cr_assert_about(per_op(run, stat_of(run, "vm0", "ioreqs")), accesses);
    cr_assert_about(per_op(run, stat_of(run, "host", "domain-switches")), 2 * accesses);
}

Test(xen, hvm_each_of_twelve_accesses_goes_to_dom0_and_back)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-hvm");

    expect_accesses(run, 12);
    cr_assert_about(per_op(run, counters_of(run)->interrupts), 2);
    iov_experiment_free(run);
}

Test(xen, hvm_a_local_peer_saves_one_interrupt_and_five_accesses)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=xen-hvm");

    expect_accesses(run, 7);
    cr_assert_about(per_op(run, counters_of(run)->interrupts), 1);
    iov_experiment_free(run);
}

Test(xen, pv_a_local_peer_spares_nic_and_wire_and_no_hypercall_of_the_guest)
{
    struct iov_experiment *far = RUN("net-rr.yaml", "strategy=xen-pv");
    struct iov_experiment *near = RUN("net-rr-local.yaml", "strategy=xen-pv");
    const struct iov_measure *measure = iov_experiment_measure(near);

    cr_assert(eq(u64, measure->mismatches, 0));
    cr_assert(eq(u64,
                 measure->parts_low[IOV_PART_DEVICE] + measure->parts_low[IOV_PART_WIRE] +
                     measure->parts_low[IOV_PART_PEER],
                 0));
    cr_assert(eq(u64, stat_of(near, "bridge", "forwarded"), 0));
    cr_assert(eq(u64, counters_of(near)->device_accesses, 0));
    cr_assert_about(per_op(near, stat_of(near, "vm0", "hypercalls")),
                    per_op(far, stat_of(far, "vm0", "hypercalls")));
    cr_assert(lt(u64, median_of(near) + 12 * IOV_US, median_of(far)));
    iov_experiment_free(far);
    iov_experiment_free(near);
}

Test(xen, hvm_dom0_makes_a_hypercall_for_each_answer_each_line_and_each_sleep)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=xen-hvm");

    /* 7 answers, 7 sleeps, the line up and down. */
    cr_assert_about(per_op(run, stat_of(run, "dom0", "hypercalls")), 16);
    cr_assert(eq(u64, stat_of(run, "vm0", "hypercalls"), 0));
    iov_experiment_free(run);
}

Test(xen, timers_of_guests_are_timers_of_xen)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=xen-hvm", "guest.tick=periodic");

    cr_assert(eq(u64, counters_of(run)->exits[IOV_EXIT_PREEMPTION_TIMER], 0));
    cr_assert(lt(u64, 0, stat_of(run, "host", "timers")));
    iov_experiment_free(run);
}

Test(xen, hvm_is_the_slowest_way_and_pv_far_from_it)
{
    struct iov_experiment *hvm = RUN("net-rr.yaml", "strategy=xen-hvm");
    struct iov_experiment *kvm = RUN("net-rr.yaml", "strategy=emulated-e1000");
    struct iov_experiment *pv = RUN("net-rr.yaml", "strategy=xen-pv");

    cr_assert(lt(u64, median_of(kvm), median_of(hvm)));
    cr_assert(lt(u64, median_of(pv), median_of(kvm)));
    iov_experiment_free(hvm);
    iov_experiment_free(kvm);
    iov_experiment_free(pv);
}

Test(xen, keys_of_what_only_kvm_and_linux_have_are_refused)
{
    static const char *const sets[] = { "vms[0].apic-virtualisation=on",
                                        "vms[0].exitless-interrupts=on",
                                        "vms[0].pv-eoi=off",
                                        "vms[0].ioeventfd=off",
                                        "vms[0].preemption-timer=off",
                                        "vms[0].preemption-timer-shift=3",
                                        "vms[0].kernel-irqchip=split",
                                        "vms[0].halt-poll-max=200us",
                                        "parts.host.irq-time-accounting=on" };

    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
        REFUSED("net-rr.yaml", "has no property", "strategy=xen-pv", sets[i]);
}
