/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual functions: no access of a guest exits, several guests share the port, and the host's
 * driver is asked at set-up only. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "tests/platforms/platform.h"

Test(sriov, a_request_and_its_response_exit_for_no_access_and_no_interrupt)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=sriov-vf", "guest.idle=poll");
    const struct iov_counters *counters = counters_of(run);

    cr_assert_about(per_op(run, counters->device_accesses), 4);
    cr_assert(eq(u64, counters->device_exits, 0));
    cr_assert(eq(u64, counters->user_exits, 0));
    cr_assert_about(per_op(run, counters->interrupts), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 0); /* messages are posted */
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 0);
    cr_assert(eq(u64, stat_of(run, "pf", "interrupts"), 0));
    cr_assert(eq(u64, stat_of(run, "nic", "guest-faults"), 0));
    iov_experiment_free(run);
}

Test(sriov, it_costs_what_the_whole_function_costs)
{
    struct iov_experiment *part = RUN("net-rr.yaml", "strategy=sriov-vf");
    struct iov_experiment *whole = RUN("net-rr.yaml", "strategy=assigned-nic");
    iov_time a = median_of(part), b = median_of(whole);

    cr_assert(lt(u64, a > b ? a - b : b - a, 500 * IOV_NS),
              "%" G_GUINT64_FORMAT " against %" G_GUINT64_FORMAT, a, b);
    iov_experiment_free(part);
    iov_experiment_free(whole);
}

Test(sriov, a_card_of_any_number_of_virtual_functions_is_found_where_firmware_put_it)
{
    static const char *const sizes[] = { "parameters.vfs=1", "parameters.vfs=2", "parameters.vfs=3",
                                         "parameters.vfs=63" };
    struct iov_experiment *usual =
        RUN("net-rr.yaml", "strategy=sriov-vf", "workload.operations=50");

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct iov_experiment *run =
            RUN("net-rr.yaml", "strategy=sriov-vf", sizes[i], "workload.operations=50");

        cr_assert(eq(u64, median_of(run), median_of(usual)), "%s", sizes[i]);
        cr_assert(eq(u64, stat_of(run, "nic", "guest-faults"), 0), "%s", sizes[i]);
        iov_experiment_free(run);
    }
    iov_experiment_free(usual);
}

Test(sriov, several_guests_get_their_own_answers)
{
    g_autofree char *four = vms(4);
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=sriov-vf", four, "workload.operations=1000");

    cr_assert(ge(u64, iov_experiment_measure(run)->operations, 4000));
    check_own_answers(run, 4);
    cr_assert(eq(u64, stat_of(run, "nic", "frames-spoofed"), 0));
    iov_experiment_free(run);
}

Test(sriov, sixty_functions_fill_the_link_like_one_and_nobody_exits_for_an_access)
{
    check_link_is_shared("strategy=sriov-vf", "parameters.vfs=63");
}

Test(sriov, there_are_no_more_functions_than_the_card_has)
{
    g_autofree char *nine = vms(9);

    REFUSED("net-rr.yaml", "all 8 virtual functions", "strategy=sriov-vf", nine);
}

/* What a guest that means no good may write into its function's mailbox and queues. */
static void scribble(struct iov_experiment *run, uint64_t registers, uint32_t seed)
{
    IovModel *bus = iov_platform_find(iov_experiment_platform(run), "bus");
    struct iov_mem_target *port = iov_model_port(bus, "port", 0);
    static const uint32_t places[] = { 0x0c40, 0x0800, 0x0804, 0x1524, 0x1520, 0x2818, 0x3818 };

    for (unsigned i = 0; i < 8; i++) {
        uint32_t value = seed = seed * 1664525u + 1013904223u;
        uint32_t place = places[(seed >> 16) % G_N_ELEMENTS(places)];

        if (place == 0x0c40)
            value = 1u << (value >> 28 & 3); /* request, acknowledge, take, let go */
        struct iov_mem_req req = {
            .address = registers + place, .data = &value, .size = 4, .pasid = IOV_NO_PASID
        };

        port->ops->write(port, &req);
    }
}

Test(sriov, nonsense_in_one_mailbox_is_refused_and_the_other_guest_goes_on)
{
    struct iov_experiment *run = OPEN("net-rr.yaml", "strategy=sriov-vf",
                                      "vms=[{ name: vm, count: 2 }]", "workload.operations=3000");
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;

    iov_platform_start(iov_experiment_platform(run));
    for (unsigned i = 0; i < 8000; i++) {
        iov_kernel_run_until(kernel, iov_now(kernel) + 20 * IOV_US);
        if (stat_of(run, "vm0/workload", "finished") > 100) /* both are under way */
            scribble(run, 0xf0020000 + 0x4000, i);
    }
    cr_assert(lt(u64, 500, stat_of(run, "pf", "refused")));
    cr_assert(lt(u64, 2500, stat_of(run, "vm0/workload", "finished")), "%" G_GUINT64_FORMAT,
              stat_of(run, "vm0/workload", "finished"));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
    iov_experiment_free(run);
}

Test(sriov, a_program_that_polls_its_function_does_without_exits_and_interrupts)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=guest-dpdk-vf");
    const struct iov_counters *counters = counters_of(run);

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    for (unsigned reason = 0; reason < IOV_MEASURE_REASONS; reason++)
        cr_assert(eq(u64, counters->exits[reason], 0));
    cr_assert(eq(u64, counters->interrupts, 0));
    /* The transmit tail of each frame, and the receive tail of every 32. */
    cr_assert_about(per_op(run, counters->device_accesses), 1 + 1.0 / 32);
    iov_experiment_free(run);
}

Test(sriov, programs_that_poll_functions_of_one_card_do_not_disturb_each_other)
{
    struct iov_experiment *run =
        RUN("scaling.yaml", "strategy=guest-dpdk-vf", "vms[0].count=3", "workload.operations=1000");

    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);

        cr_assert(le(u64, 1000, stat_of(run, workload, "finished")), "%s", workload);
        cr_assert(eq(u64, stat_of(run, workload, "lost"), 0), "%s", workload);
    }
    cr_assert(eq(u64, counters_of(run)->interrupts, 0));
    /* Each is told of each frame: it does not find one a millisecond later. */
    cr_assert(lt(u64, iov_histogram_max(iov_experiment_measure(run)->latency), 2 * median_of(run)));
    iov_experiment_free(run);
}

/* A second card that tells the guests of the first one, in the other order. */
static const char crosswise[] = "iovsim: 1\n"
                                "include: %s\n"
                                "strategy: guest-dpdk-vf\n"
                                "vms: [{ name: vm, count: 2 }]\n"
                                "parts: { other: { kind: igb } }\n"
                                "workload: { operations: 1000 }\n"
                                "wires:\n"
                                "  - { from: other.changed, to: vm1/guest.changed }\n"
                                "  - { from: other.changed, to: vm0/guest.changed }\n";

Test(sriov, two_cards_wired_crosswise_to_two_programs_that_poll_are_as_good_as_one)
{
    g_autofree char *scaling = g_build_filename(IOV_SOURCE_DIR, "configs", "scaling.yaml", NULL);
    g_autofree char *text = g_strdup_printf(crosswise, scaling), *file = NULL;
    struct iov_experiment *one =
        RUN("scaling.yaml", "strategy=guest-dpdk-vf", "vms[0].count=2", "workload.operations=1000");
    struct iov_experiment *two;

    g_close(g_file_open_tmp("iovsim-crosswise-XXXXXX.yaml", &file, NULL), NULL);
    cr_assert(g_file_set_contents(file, text, -1, NULL));
    two = run_file(file, (const char *const[]){ NULL });
    g_unlink(file);
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);

        cr_assert(eq(u64, stat_of(two, workload, "finished"), stat_of(one, workload, "finished")));
    }
    cr_assert(eq(u64, iov_histogram_max(iov_experiment_measure(two)->latency),
                 iov_histogram_max(iov_experiment_measure(one)->latency)));
    iov_experiment_free(one);
    iov_experiment_free(two);
}

Test(sriov, the_parts_of_every_request_add_up)
{
    static const char *const strategies[] = { "strategy=sriov-vf", "strategy=guest-dpdk-vf" };
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml", "udp-stream.yaml",
                                           "ping.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(configs); j++) {
            struct iov_experiment *run = RUN(configs[j], strategies[i], "workload.operations=1000");

            cr_assert(eq(u64, iov_experiment_measure(run)->operations, 1000));
            cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s %s", configs[j],
                      strategies[i]);
            iov_experiment_free(run);
        }
    }
}
