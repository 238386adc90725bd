/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that cannot go on is no result: the run fails, and says who gave up and why. */
#include "tests/platforms/platform.h"

Test(guest_gives_up, with_too_little_memory_for_its_driver)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=emulated-e1000",
                                              "strategy=xen-pv", "strategy=esxi-vmxnet",
                                              "strategy=vhost-net" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        REFUSED("net-rr.yaml", "vm0/guest gave up at ", strategies[i], "vms[0].memory=1MiB");
        REFUSED("net-rr.yaml", "it ran out of memory", strategies[i], "vms[0].memory=2MiB",
                "guest.memory-size=32KiB");
    }
    REFUSED("net-rr.yaml", "it ran out of memory", "strategy=bare-metal",
            "guest.memory-size=16KiB");
}

Test(guest_gives_up, memory_ends_where_the_machines_ends)
{
    /* The kernel's region, 64 MiB from 1 MiB on, is larger than this; what it takes of it is
     * less. */
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=emulated-e1000", "vms[0].memory=4MiB",
                                     "workload.operations=100");

    cr_assert(eq(u64, counters_of(run)->guest_faults, 0));
    iov_experiment_free(run);
    REFUSED("net-rr.yaml", "it ran out of memory", "strategy=emulated-e1000",
            "vms[0].memory=1280KiB");
}

Test(guest_gives_up, memory_of_a_bare_machine_ends_where_its_dram_does)
{
    static const char *const sizes[] = { "parts.dram.size=8KiB", "parts.dram.size=64KiB",
                                         "parts.dram.size=1MiB", "parts.dram.size=1100KiB" };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
        REFUSED("net-rr.yaml", "it ran out of memory", "strategy=bare-metal", sizes[i]);
    iov_experiment_free(RUN("net-rr.yaml", "strategy=bare-metal", "parts.dram.size=4MiB",
                            "workload.operations=100"));
}

Test(guest_gives_up, without_a_device)
{
    REFUSED("net-rr.yaml", "its driver cannot use the device at 'registers'",
            "strategy=emulated-e1000", "guest.registers=0xfe000000");
}

Test(guest_gives_up, when_nobody_takes_its_connection)
{
    /* The SYN is sent after 0, 1, 3, 7 and 15 s. */
    REFUSED("tcp-rr.yaml",
            "for more than 20s. No TCP connection came about for 'vm0'. 5 frames were dropped",
            "parameters.far-end=e1000");
}

Test(guest_gives_up, with_rings_that_are_too_short_for_its_driver)
{
    static const char *const linux_driver[] = { "strategy=virtio-net", "strategy=virtio-packed",
                                                "strategy=vhost-net", "strategy=vdpa" };

    for (unsigned i = 0; i < G_N_ELEMENTS(linux_driver); i++) {
        REFUSED("net-rr.yaml", "at least 19 descriptors", linux_driver[i],
                "parameters.queue-size=16");
        iov_experiment_free(RUN("udp-stream.yaml", linux_driver[i], "parameters.queue-size=32",
                                "workload.operations=200"));
    }
    REFUSED("udp-stream-rx.yaml", "at least 32 descriptors", "strategy=guest-dpdk",
            "parameters.queue-size=16");
    iov_experiment_free(RUN("udp-stream-rx.yaml", "strategy=guest-dpdk", "parameters.queue-size=32",
                            "workload.operations=200"));
}

/* The side core's thread never gets past the card's interrupts. */
Test(guest_gives_up, and_the_user_is_told_which_processor_works_at_what_and_what_to_do)
{
    REFUSED("multi-queue-rx.yaml",
            "Host processor 3 was busy 100 % of the time, 95 % with 'host'; of the threads "
            "'sidecore' had most, 100 % of a processor. The host's interrupts may leave its "
            "threads no time: moderate them (rx-usecs",
            "strategy=sidecore");
}

Test(guest_gives_up, without_a_remapping_unit)
{
    REFUSED("net-rr.yaml", "it cannot use the remapping unit", "strategy=virtio-net",
            "guest.iommu=strict");
}
