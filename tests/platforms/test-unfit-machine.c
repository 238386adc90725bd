/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that a monitor cannot work on is the user's mistake: he is told before anything
 * runs. */
#include "tests/platforms/platform.h"

Test(unfit_machine, every_processor_of_the_host_has_vmx)
{
    REFUSED("net-rr.yaml", "vm0: host: its processor 2 has no VMX", "parts.cpu2.vmx=off");
    REFUSED("net-rr.yaml", "vm0: host: its processor 0 has no VMX", "strategy=xen-pv",
            "parts.cpu0.vmx=off");
}

Test(unfit_machine, processors_that_somebody_is_bound_to_are_there)
{
    REFUSED("net-rr.yaml", "vm0: pin: 4 is none of the host's processors, 0 to 3",
            "vms[0].pin=[4]");
    REFUSED("net-rr.yaml", "vm0: pin: 4 is none", "vms[0].pin=[4]", "strategy=xen-hvm");
    REFUSED("net-rr.yaml", "vm0/emulator: cpus: 9 is none", "parts.emulator.cpus=[0, 9]");
    REFUSED("net-rr.yaml", "vm0/vhost/worker0: cpus: 9 is none", "parts.vhost.cpus=[9]",
            "strategy=vhost-net");
    REFUSED("net-rr.yaml", "vswitch: cpus: 9 is none", "parts.vswitch.cpus=[9]",
            "strategy=esxi-vmxnet");
    REFUSED("net-rr.yaml", "host: isolate: 9 is none", "parts.host.isolate=[9]");
}

Test(unfit_machine, a_bare_machine_has_a_processor)
{
    REFUSED("net-rr.yaml", "vm0: cpus: a machine has one at least", "strategy=bare-metal",
            "vm.cpus=[]");
}

Test(unfit_machine, a_bare_machine_needs_no_vmx)
{
    iov_experiment_free(
        RUN("net-rr.yaml", "strategy=bare-metal", "parts.cpu0.vmx=off", "workload.operations=10"));
}

Test(unfit_machine, memory_of_the_guest_and_the_tables_behind_it_is_there)
{
    static const char *const strategies[] = { "strategy=emulated-e1000", "strategy=esxi-vmxnet",
                                              "strategy=xen-hvm", "strategy=sriov-vf" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        REFUSED("net-rr.yaml", "vm0: memory: the host has less than the guest's 1048576 KiB",
                strategies[i], "parts.dram-high.size=1GiB");
        REFUSED("net-rr.yaml", "vm0: memory:", strategies[i], "parts.dram-high.size=64KiB");
        iov_experiment_free(RUN("net-rr.yaml", strategies[i], "parts.dram-high.size=1040MiB",
                                "workload.operations=10"));
    }
    REFUSED("net-rr.yaml", "vm01: memory:", "vms[0].count=2", "parts.dram-high.size=2GiB");
}

Test(unfit_machine, what_one_processor_lacks_is_not_used_on_any)
{
    static const char *const lacks[] = { "parts.cpu1.posted-interrupts=off",
                                         "parts.cpu3.virtual-interrupt-delivery=off",
                                         "parts.cpu2.apic-register-virtualisation=off",
                                         "parts.cpu1.x2apic=off" };

    for (unsigned i = 0; i < G_N_ELEMENTS(lacks); i++) {
        struct iov_experiment *run = RUN("net-rr.yaml", "strategy=sriov-vf", lacks[i]);

        cr_assert(eq(u64, counters_of(run)->posted, 0), "%s", lacks[i]);
        cr_assert(lt(u64, 0, counters_of(run)->injections), "%s", lacks[i]);
        iov_experiment_free(run);
    }
}
