/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All times come from the cost table: with every cost of software at zero a request takes what
 * wires, devices, links and the far end take, to the picosecond. The names are read from the parts
 * of the table, so that a new cost is zero here, too.
 */
#include "tests/platforms/platform.h"

/* 64 bytes and 42 of headers; checksum, preamble and gap: 130 bytes at 10 Gb/s; 500 ns of cable;
 * there and back. */
#define WIRE (2 * (104 * IOV_NS + 500 * IOV_NS))
#define PEER (10 * IOV_US)
#define POLLING 10 /* ps: a look takes one at the least */

/* What a table calls its costs: keys two spaces in. */
static void add_costs(GPtrArray *sets, const char *part)
{
    g_autofree char *name = g_strconcat(part, ".yaml", NULL);
    g_autofree char *path =
        g_build_filename(IOV_SOURCE_DIR, "configs", "costs", "parts", name, NULL);
    g_autofree char *text = NULL;
    unsigned count = 0;

    cr_assert(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
    g_auto(GStrv) lines = g_strsplit(strstr(text, "\ncosts:\n") + 1, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        const char *end = strchr(*line, ':');

        if (!g_str_has_prefix(*line, "  ") || !g_ascii_isalpha((*line)[2]) || end == NULL)
            continue;
        g_autofree char *cost = g_strndup(*line + 2, (gsize)(end - *line - 2));

        count++;
        if (strcmp(cost, "host-nic-out") != 0 && strcmp(cost, "host-nic-in") != 0)
            g_ptr_array_add(sets, g_strdup_printf("costs.%s.value=0ns", cost));
    }
    cr_assert(ne(uint, count, 0), "%s", path);
}

static struct iov_experiment *run_without_software(const char *strategy)
{
    /* The processor's own costs, exits and the like, are here as well: they are there for software
     * only. */
    static const char *const parts[] = { "cpu", "guest", "hypervisor", "esxi", "xen" };
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(g_free);
    struct iov_experiment *run;

    g_ptr_array_add(sets, g_strconcat("strategy=", strategy, NULL));
    g_ptr_array_add(sets, g_strdup("workload.operations=200"));
    g_ptr_array_add(sets, g_strdup("workload.warmup=50"));
    g_ptr_array_add(sets, g_strdup("costs.host-nic-out.value=700ns")); /* below the bridge */
    g_ptr_array_add(sets, g_strdup("costs.host-nic-in.value=700ns"));
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        add_costs(sets, parts[i]);
    g_ptr_array_add(sets, NULL);
    run = run_file("net-rr.yaml", (const char *const *)sets->pdata);
    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 200), "%s", strategy);
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s", strategy);
    return run;
}

static void expect_no_software(const struct iov_experiment *run, const char *strategy)
{
    static const enum iov_part software[] = { IOV_PART_GUEST,    IOV_PART_EXIT,   IOV_PART_MONITOR,
                                              IOV_PART_EMULATOR, IOV_PART_WAKEUP, IOV_PART_COPY,
                                              IOV_PART_HOST,     IOV_PART_IDLE };

    for (unsigned i = 0; i < G_N_ELEMENTS(software); i++)
        cr_assert(eq(u64, part_sum(run, software[i]), 0), "%s: %s", strategy,
                  iov_part_name(software[i]));
    cr_assert(eq(u64, part_sum(run, IOV_PART_WIRE), 200 * WIRE), "%s", strategy);
    cr_assert(eq(u64, part_sum(run, IOV_PART_PEER), 200 * PEER), "%s", strategy);
}

Test(zero_costs, leave_wire_peer_and_the_host_s_nic_where_devices_are_software)
{
    static const char *const strategies[] = {
        "emulated-e1000", "emulated-e1000-iommu", "emulated-e1000e", "virtio-net", "virtio-packed",
        "vhost-net",      "vhost-user",           "sidecore",        "guest-dpdk", "xen-hvm",
        "xen-pv",         "esxi-e1000",           "esxi-vmxnet"
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = run_without_software(strategies[i]);
        const iov_time hardware = WIRE + PEER + 2 * 700 * IOV_NS;

        expect_no_software(run, strategies[i]);
        cr_assert(eq(u64, part_sum(run, IOV_PART_DEVICE), 200 * 2 * 700 * IOV_NS), "%s",
                  strategies[i]);
        cr_assert(le(u64, hardware, median_of(run)), "%s", strategies[i]);
        cr_assert(le(u64, median_of(run), hardware + POLLING), "%s", strategies[i]);
        cr_assert(le(u64, part_sum(run, IOV_PART_QUEUE), 200 * POLLING), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

Test(zero_costs, leave_links_devices_and_interrupt_messages_where_devices_are_hardware)
{
    static const char *const strategies[] = { "assigned-nic",
                                              "assigned-nic-remapped",
                                              "assigned-nic-dma",
                                              "assigned-nic-unsafe",
                                              "assigned-e1000",
                                              "eli",
                                              "sriov-vf",
                                              "guest-dpdk-vf",
                                              "bare-metal-igb",
                                              "bare-metal",
                                              "vdpa",
                                              "siov-adi" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = run_without_software(strategies[i]);
        const struct iov_measure *measure = iov_experiment_measure(run);
        iov_time sum = 0;

        expect_no_software(run, strategies[i]);
        cr_assert(lt(u64, 0, part_sum(run, IOV_PART_PCIE)), "%s", strategies[i]);
        cr_assert(lt(u64, 0, part_sum(run, IOV_PART_DEVICE)), "%s", strategies[i]);
        for (unsigned part = 0; part < IOV_PART_COUNT; part++)
            sum += part_sum(run, part);
        /* Nothing lies between two operations: together they are the run. */
        cr_assert(le(u64, sum, measure->end - measure->begin), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

/* The host's driver unmasks the card's interrupt while the guest waits for the processor: a posted
 * write of 100 ns, or two, that is no software. */
Test(zero_costs, leave_the_host_s_own_register_writes_where_it_drives_a_sorting_card)
{
    struct iov_experiment *run = run_without_software("vmdq");

    cr_assert(le(u64, part_sum(run, IOV_PART_GUEST), 200 * 2 * 100 * IOV_NS));
    for (unsigned part = IOV_PART_EXIT; part <= IOV_PART_HOST; part++)
        cr_assert(eq(u64, part_sum(run, (enum iov_part)part), 0), "%s",
                  iov_part_name((enum iov_part)part));
    cr_assert(eq(u64, part_sum(run, IOV_PART_WIRE), 200 * WIRE));
    cr_assert(lt(u64, 0, part_sum(run, IOV_PART_PCIE)));
    iov_experiment_free(run);
}
