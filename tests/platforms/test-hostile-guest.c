/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that writes rubbish into its own rings while another one works beside it, under every
 * virtio back end: the host goes on, the mistakes are counted, and the other guest gets all its
 * answers.
 */
#include "core/kernel/random.h"
#include "tests/platforms/platform.h"

#define RINGS 0x100000 /* where the guest kernel's memory begins: its rings come first */
#define RINGS_SIZE 0x10000

/* Random words over the rings of `vm`, as its own processor could write them. */
static void corrupt(struct iov_experiment *run, const char *vm, struct iov_random *random)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(run), vm);
    struct iov_mem_target *ram = iov_model_port(model, "ram", 0);

    for (unsigned i = 0; i < 20; i++) {
        uint64_t draw = iov_random_u64(random);
        uint16_t word = (uint16_t)(draw >> 40);
        struct iov_mem_req req = { .address = RINGS + draw % RINGS_SIZE / 2 * 2,
                                   .data = &word,
                                   .size = sizeof word,
                                   .pasid = IOV_NO_PASID,
                                   .flags = IOV_MEM_DEBUG };

        cr_assert(eq(int, ram->ops->write(ram, &req), IOV_STATUS_OK));
    }
}

static uint64_t answers_of(struct iov_experiment *run, const char *guest)
{
    return stat_of(run, guest, "messages-delivered");
}

/* What the honest guest got in 200 ms of simulated time, and how often the hostile one was found
 * out. */
static uint64_t answers_beside(const char *strategy, const char *packed, bool hostile,
                               uint64_t *ret_faults)
{
    struct iov_experiment *experiment =
        OPEN("net-rr.yaml", strategy, packed, "vms=[{ name: vm, count: 2 }]",
             "workload.operations=1000000", "workload.warmup=0");
    struct iov_run *run;
    struct iov_random random;
    uint64_t answers;

    run = iov_platform_run(iov_experiment_platform(experiment));
    iov_platform_start(iov_experiment_platform(experiment));
    iov_random_init(&random, 3, "hostile guest");
    for (unsigned i = 0; i < 100; i++) {
        iov_kernel_run_until(run->kernel, iov_now(run->kernel) + 2 * IOV_MS);
        if (hostile && i >= 5)
            corrupt(experiment, "vm1", &random);
    }
    *ret_faults = counters_of(experiment)->guest_faults +
                  stat_of(experiment, "vm1/nic", "guest-faults") +
                  stat_of(experiment, "vm1/guest", "device-errors");
    cr_assert(eq(u64, stat_of(experiment, "vm0/nic", "guest-faults"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/guest", "device-errors"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/guest", "bad-frames"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/workload", "lost"), 0));
    answers = answers_of(experiment, "vm0/guest");
    iov_experiment_free(experiment);
    return answers;
}

Test(hostile_guest, harms_nobody_beside_it)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                              "strategy=vhost-user", "strategy=sidecore",
                                              "strategy=guest-dpdk", "strategy=vdpa" };
    static const char *const layouts[] = { "parameters.packed=off", "parameters.packed=on" };
    uint64_t found = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(layouts); j++) {
            uint64_t faults, none;
            uint64_t beside = answers_beside(strategies[i], layouts[j], true, &faults);
            uint64_t alone = answers_beside(strategies[i], layouts[j], false, &none);

            cr_assert(eq(u64, none, 0));
            found += faults > 0;
            /* A neighbour that breaks down leaves it more of the host, never less. */
            cr_assert(le(u64, alone / 100 * 97, beside), "%s %s: %u of %u", strategies[i],
                      layouts[j], (unsigned)beside, (unsigned)alone);
        }
    }
    cr_assert(lt(u64, 4, found), "only %u of 12 were found out", (unsigned)found);
}
