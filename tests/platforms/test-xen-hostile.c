/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest of Xen that writes rubbish where Dom0 and the hypervisor read: ring pages, grant table,
 * shared info page, arguments of hypercalls. The host goes on, what is refused is counted, and the
 * guest beside it gets all its answers.
 */
#include "core/kernel/random.h"
#include "models/hypervisor/kvm-private.h"
#include "models/hypervisor/xen-regs.h"
#include "tests/platforms/platform.h"

/* Where the guest kernel's pages come to lie: argument, shared info, grant table, rings. */
enum { MEMORY = 0x100000, SHARED = 0x101000, GRANTS = 0x102000, RINGS = 0x104000, END = 0x106000 };

static struct iov_experiment *open_run(const char *set, const char *guests)
{
    struct iov_experiment *run = OPEN("net-rr.yaml", "strategy=xen-pv", set, guests,
                                      "workload.operations=1000000", "workload.warmup=0");

    iov_platform_start(iov_experiment_platform(run));
    return run;
}

static void run_for(struct iov_experiment *run, iov_time duration)
{
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;

    iov_kernel_run_until(kernel, iov_now(kernel) + duration);
}

static void poke(struct iov_experiment *run, const char *vm, uint64_t address, const void *data,
                 uint32_t size)
{
    struct iov_mem_target *ram =
        iov_model_port(iov_platform_find(iov_experiment_platform(run), vm), "ram", 0);
    uint8_t bytes[64];
    struct iov_mem_req req = { .address = address,
                               .data = bytes,
                               .size = size,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_DEBUG };

    memcpy(bytes, data, size);
    cr_assert(eq(int, ram->ops->write(ram, &req), IOV_STATUS_OK));
}

static uint64_t answers_of(struct iov_experiment *run, const char *guest)
{
    return stat_of(run, guest, "messages-delivered");
}

static void expect_untouched(struct iov_experiment *run)
{
    cr_assert(eq(u64, stat_of(run, "vm0", "bad-grants"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0", "bad-hypercalls"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/netback", "bad-rings"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/netback", "bad-requests"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "device-errors"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
}

static uint64_t found_out(struct iov_experiment *run)
{
    return counters_of(run)->guest_faults + stat_of(run, "vm1", "bad-grants") +
           stat_of(run, "vm1", "bad-hypercalls") + stat_of(run, "vm1/guest", "device-errors") +
           stat_of(run, "vm1/guest", "spurious-interrupts");
}

/* Random words from `first` to `last` while the guest works. */
static uint64_t rubbish(const char *set, uint64_t seed, uint64_t first, uint64_t last)
{
    struct iov_experiment *run = open_run(set, "vms=[{ name: vm0 }, { name: vm1 }]");
    struct iov_random random;
    uint64_t before, faults;

    iov_random_init(&random, seed, "hostile guest");
    run_for(run, 5 * IOV_MS);
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned j = 0; j < 8; j++) {
            uint64_t draw = iov_random_u64(&random);

            poke(run, "vm1", first + draw % (last - first) / 4 * 4, (const char *)&draw + 4, 4);
        }
        run_for(run, 500 * IOV_US);
    }
    before = answers_of(run, "vm0/guest");
    run_for(run, 5 * IOV_MS);
    cr_assert(lt(u64, before + 60, answers_of(run, "vm0/guest"))); /* it takes 40 us */
    expect_untouched(run);
    faults = found_out(run);
    iov_experiment_free(run);
    return faults;
}

Test(xen_hostile, rubbish_in_rings_is_found_out_and_harms_nobody)
{
    uint64_t found = 0;

    for (uint64_t seed = 1; seed <= 6; seed++) {
        found += rubbish("parameters.grant=copy", seed, RINGS, END) > 0;
        found += rubbish("parameters.grant=map", seed, RINGS, END) > 0;
    }
    cr_assert(lt(u64, 8, found), "only %u of 12 were found out", (unsigned)found);
}

Test(xen_hostile, rubbish_in_grants_events_and_arguments_harms_nobody)
{
    uint64_t found = 0;

    for (uint64_t seed = 1; seed <= 6; seed++)
        found += rubbish("parameters.grant=copy", seed, MEMORY, END) > 0;
    cr_assert(lt(u64, 3, found), "only %u of 6 were found out", (unsigned)found);
}

Test(xen_hostile, a_producer_index_beyond_the_ring_stops_the_interface)
{
    struct iov_experiment *run =
        open_run("parameters.grant=copy", "vms=[{ name: vm0 }, { name: vm1 }]");
    const uint32_t wild = 0x12345678;
    uint64_t before;

    run_for(run, 5 * IOV_MS);
    for (unsigned i = 0; i < 1000 && stat_of(run, "vm1/netback", "bad-rings") == 0; i++) {
        poke(run, "vm1", RINGS + XEN_RING_REQ_PROD, &wild, sizeof wild);
        run_for(run, 100 * IOV_NS);
    }
    cr_assert(eq(u64, stat_of(run, "vm1/netback", "bad-rings"), 1));
    before = answers_of(run, "vm1/guest");
    run_for(run, 5 * IOV_MS);
    cr_assert(eq(u64, answers_of(run, "vm1/guest"), before));
    expect_untouched(run);
    iov_experiment_free(run);
}

/* Requests of a hostile guest one by one: what is in the ring when the event comes. */
static void expect_answer(struct xen_netif_tx_request request, struct xen_grant_entry entry,
                          bool refused_grant)
{
    struct iov_experiment *run =
        open_run("parameters.grant=copy", "vms=[{ name: vm0 }, { name: vm1 }]");
    uint64_t bad;

    run_for(run, 5 * IOV_MS);
    /* All slots and entries of transmit buffers: the guest's next frame meets one of them. */
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned j = 0; request.gref != 0 && j < XEN_NET_RING_SIZE && i % 10 == 0; j++)
            poke(run, "vm1", GRANTS + (XEN_GRANT_RESERVED + 2 + j) * sizeof entry, &entry,
                 sizeof entry);
        for (unsigned j = 0; request.gref == 0 && j < XEN_NET_RING_SIZE; j++)
            poke(run, "vm1", RINGS + XEN_RING_ENTRIES + j * XEN_NETIF_TX_ENTRY, &request,
                 sizeof request);
        run_for(run, 100 * IOV_NS);
        bad = stat_of(run, "vm1/netback", "bad-requests");
        if (bad > 0)
            break;
    }
    cr_assert(lt(u64, 0, bad));
    cr_assert(eq(int, stat_of(run, "vm1", "bad-grants") > 0, refused_grant));
    expect_untouched(run);
    iov_experiment_free(run);
}

Test(xen_hostile, a_frame_across_the_end_of_its_page_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .offset = 4090, .size = 100 },
                  (struct xen_grant_entry){ 0 }, false);
}

Test(xen_hostile, a_wild_grant_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .gref = 0, .size = 100 },
                  (struct xen_grant_entry){ 0 }, true);
}

Test(xen_hostile, a_frame_whose_pieces_never_end_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .size = 100, .flags = XEN_NETTXF_MORE_DATA },
                  (struct xen_grant_entry){ 0 }, false);
}

Test(xen_hostile, a_large_segment_without_a_word_how_to_cut_it_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .size = 100, .flags = XEN_NETTXF_EXTRA_INFO },
                  (struct xen_grant_entry){ 0 }, false);
}

Test(xen_hostile, a_page_granted_to_somebody_else_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .gref = 1 },
                  (struct xen_grant_entry){ XEN_GTF_PERMIT_ACCESS, 5, 0x200 }, true);
}

Test(xen_hostile, a_page_beyond_the_guest_s_memory_is_refused)
{
    expect_answer((struct xen_netif_tx_request){ .gref = 1 },
                  (struct xen_grant_entry){ XEN_GTF_PERMIT_ACCESS, 0, 0xffffffff }, true);
}

Test(xen_hostile, a_guest_that_names_other_rings_is_not_connected)
{
    struct iov_experiment *run =
        open_run("parameters.grant=copy", "vms=[{ name: vm0 }, { name: vm1 }]");
    const uint32_t wild[3] = { 0xffffffff, 7, 1 };

    for (unsigned i = 0; i < 2000 && stat_of(run, "vm1", "events-sent") == 0; i++) {
        run_for(run, 1 * IOV_US);
        poke(run, "vm1", 0x2000 + offsetof(struct xen_store, tx_ring), wild, sizeof wild);
    }
    run_for(run, 5 * IOV_MS);
    cr_assert(lt(u64, 50, answers_of(run, "vm0/guest")));
    cr_assert(eq(u64, answers_of(run, "vm1/guest"), 0));
    expect_untouched(run);
    iov_experiment_free(run);
}

/* A hypercall of vm0, whose argument lies at `argument`. */
static int64_t call(struct iov_experiment *run, uint64_t number, uint64_t command,
                    uint64_t argument)
{
    IovKvmVm *vm = (IovKvmVm *)(void *)iov_platform_find(iov_experiment_platform(run), "vm0");
    uint64_t value[4] = { number, command, argument, 1 };

    vm->class->hypercall(&vm->vcpu[0], value);
    return (int64_t)value[0];
}

Test(xen_hostile, hypercalls_with_wild_arguments_are_refused)
{
    struct iov_experiment *run = open_run("parameters.grant=copy", "vms=[{ name: vm0 }]");
    const struct xen_add_to_physmap beyond = { .domid = XEN_DOMID_SELF,
                                               .space = XENMAPSPACE_SHARED_INFO,
                                               .gpfn = UINT64_C(1) << 40 };
    const struct xen_add_to_physmap foreign = { .domid = 3, .gpfn = 5 };
    const struct xen_add_to_physmap table = {
        .domid = XEN_DOMID_SELF, .space = XENMAPSPACE_GRANT_TABLE, .index = 1u << 31, .gpfn = 5
    };
    const struct xen_hvm_param vector = { .domid = XEN_DOMID_SELF,
                                          .index = XEN_HVM_PARAM_CALLBACK_IRQ,
                                          .value = XEN_HVM_CALLBACK_VECTOR | 3 };

    cr_assert(eq(i64, call(run, 99, 0, 0), -XEN_ENOSYS));
    cr_assert(eq(i64, call(run, XEN_HYPERCALL_GRANT_TABLE_OP, 0, 0), -XEN_ENOSYS));
    cr_assert(eq(i64, call(run, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, UINT64_MAX - 4),
                 -XEN_EFAULT));
    poke(run, "vm0", 0x3000, &beyond, sizeof beyond);
    cr_assert(
        eq(i64, call(run, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, 0x3000), -XEN_EINVAL));
    poke(run, "vm0", 0x3000, &foreign, sizeof foreign);
    cr_assert(
        eq(i64, call(run, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, 0x3000), -XEN_EINVAL));
    poke(run, "vm0", 0x3000, &table, sizeof table);
    cr_assert(
        eq(i64, call(run, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, 0x3000), -XEN_EINVAL));
    poke(run, "vm0", 0x3000, &vector, sizeof vector); /* an exception's */
    cr_assert(eq(i64, call(run, XEN_HYPERCALL_HVM_OP, XEN_HVMOP_SET_PARAM, 0x3000), -XEN_EINVAL));
    cr_assert(eq(u64, stat_of(run, "vm0", "bad-hypercalls"), 7));
    iov_experiment_free(run);
}
