/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assignable interfaces: nothing of the data path exits, each guest's PASID leads to its own memory
 * and nowhere else, several guests share the card, and what a guest does to its emulated registers
 * stays its own.
 */
#include "models/iommu/vtd-regs.h"
#include "models/nic/siov-regs.h"

#include "tests/platforms/platform.h"

#define INTERFACES UINT64_C(0xf0000000)
#define UNIT UINT64_C(0xfed91000)

Test(siov, a_request_and_its_response_exit_for_no_access_and_no_interrupt)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=siov-adi", "guest.idle=poll");
    const struct iov_counters *counters = counters_of(run);

    cr_assert_about(per_op(run, counters->device_accesses), 4); /* TDT, RDT, EIMS twice */
    cr_assert(eq(u64, counters->device_exits, 0));
    cr_assert(eq(u64, counters->user_exits, 0));
    cr_assert_about(per_op(run, counters->interrupts), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 0); /* messages are posted */
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 0);
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "accesses"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/vfio", "interrupts"), 0));
    cr_assert(eq(u64, stat_of(run, "nic", "guest-faults"), 0));
    cr_assert(eq(u64, stat_of(run, "unit", "interrupts"), stat_of(run, "nic", "messages")));
    cr_assert(eq(u64, stat_of(run, "unit", "interrupts-posted"), stat_of(run, "nic", "messages")));
    cr_assert(eq(u64, stat_of(run, "unit", "blocked"), 0));
    iov_experiment_free(run);
}

Test(siov, it_costs_what_a_virtual_function_costs_and_a_dword_of_the_link_for_each_pasid)
{
    struct iov_experiment *adi = RUN("net-rr.yaml", "strategy=siov-adi");
    struct iov_experiment *vf = RUN("net-rr.yaml", "strategy=sriov-vf");
    iov_time a = median_of(adi), b = median_of(vf);

    cr_assert(lt(u64, b, a), "%" G_GUINT64_FORMAT " against %" G_GUINT64_FORMAT, a, b);
    cr_assert(lt(u64, a - b, 50 * IOV_NS));
    iov_experiment_free(adi);
    iov_experiment_free(vf);
}

Test(siov, without_posting_a_message_is_the_host_s)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=siov-adi", "parameters.posting=off",
                                     "workload.operations=500");

    cr_assert_about(per_op(run, stat_of(run, "vm0/vfio", "interrupts")), 2);
    cr_assert(eq(u64, stat_of(run, "unit", "interrupts-posted"), 0));
    cr_assert(eq(u64, counters_of(run)->device_exits, 0));
    iov_experiment_free(run);
}

/* ---- Several guests ---- */

Test(siov, several_guests_get_their_own_answers_and_equal_shares)
{
    g_autofree char *four = vms(4);
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=siov-adi", four, "workload.operations=1000");
    uint64_t first = stat_of(run, "vm0/workload", "finished");

    cr_assert(ge(u64, iov_experiment_measure(run)->operations, 4000));
    check_own_answers(run, 4);
    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);
        uint64_t finished = stat_of(run, workload, "finished");

        cr_assert(le(u64, finished > first ? finished - first : first - finished, 10));
    }
    cr_assert(eq(u64, stat_of(run, "nic", "frames-spoofed"), 0));
    iov_experiment_free(run);
}

Test(siov, sixty_interfaces_fill_the_link_like_one_and_nobody_exits_for_an_access)
{
    check_link_is_shared("strategy=siov-adi", "parameters.adis=63");
}

/* ---- Mistakes of the user ---- */

Test(siov, there_are_no_more_interfaces_than_the_card_has)
{
    g_autofree char *nine = vms(9);

    REFUSED("net-rr.yaml", "all 8 interfaces", "strategy=siov-adi", nine);
}

Test(siov, an_interface_needs_a_unit_in_scalable_mode)
{
    REFUSED("net-rr.yaml", "scalable: PASIDs need it", "strategy=siov-adi",
            "parts.host-iommu.scalable=off");
    REFUSED("net-rr.yaml", "no scalable mode with PASIDs", "strategy=siov-adi",
            "parts.unit.scalable-mode=off", "parts.unit.pasid-mode=off", "parts.unit.pasid-bits=0");
}

/* ---- Guests that mean no good ---- */

static struct iov_experiment *two_guests(const char *warmup)
{
    struct iov_experiment *run =
        OPEN("net-rr.yaml", "strategy=siov-adi", "vms=[{ name: vm, count: 2 }]",
             "workload.operations=3000", "parts.host-iommu.fault-event=off", warmup);

    iov_platform_start(iov_experiment_platform(run));
    return run;
}

static void run_for(struct iov_experiment *run, iov_time time)
{
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;

    iov_kernel_run_until(kernel, iov_now(kernel) + time);
}

static void run_until_finished(struct iov_experiment *run, uint64_t count)
{
    for (unsigned i = 0; i < 100000 && (stat_of(run, "vm0/workload", "finished") < count ||
                                        stat_of(run, "vm1/workload", "finished") < count);
         i++)
        run_for(run, 20 * IOV_US);
}

static uint64_t host(struct iov_experiment *run, uint64_t address, uint32_t size, uint64_t value,
                     bool write)
{
    IovModel *bus = iov_platform_find(iov_experiment_platform(run), "bus");
    struct iov_mem_target *port = iov_model_port(bus, "port", 0);
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    cr_assert(
        eq(int, write ? port->ops->write(port, &req) : port->ops->read(port, &req), IOV_STATUS_OK));
    return value;
}

Test(siov, the_pasid_of_one_guest_does_not_reach_the_other_s_memory)
{
    struct iov_experiment *run = two_guests(NULL);
    uint64_t window = INTERFACES + SIOV_WINDOWS(0), record;
    uint64_t target, before;

    run_until_finished(run, 100);
    /* The other's receive ring, where its own interface finds it; and its memory's host address,
     * which is one of no guest's. */
    target = host(run, INTERFACES + SIOV_WINDOWS(1) + IGB_RX_OLD + IGB_QUEUE_BAL, 4, 0, false);
    cr_assert(ne(u64, target, 0));
    before = stat_of(run, "unit", "blocked");
    host(run, window + IGB_TX_OLD + IGB_QUEUE_BAH, 4, 0x40, true); /* far beyond its memory */
    host(run, INTERFACES + SIOV_DOORBELLS(0) + SIOV_DB_TDT, 4, 200, true);
    run_for(run, IOV_MS);
    cr_assert(lt(u64, before, stat_of(run, "unit", "blocked")));
    record = host(run, UNIT + VTD_FRCD + 8, 8, 0, false);
    cr_assert(record & VTD_FRCD_F && record & VTD_FRCD_PP);
    cr_assert(eq(u64, record >> VTD_FRCD_PV_SHIFT & 0xfffff, 1)); /* the first guest's */
    cr_assert(eq(u64, record >> VTD_FRCD_REASON_SHIFT & 0xff, VTD_FAULT_SM_NO_RIGHTS));
    cr_assert(eq(u64, record & 0xffff, 0x100)); /* of the card, whose requests all look alike */
    for (unsigned i = 0; i < 10000 && stat_of(run, "vm1/workload", "finished") < 2000; i++)
        run_for(run, 20 * IOV_US);
    cr_assert(ge(u64, stat_of(run, "vm1/workload", "finished"), 2000));
    cr_assert(eq(u64, stat_of(run, "vm1/workload", "lost"), 0));
    cr_assert(eq(u64, stat_of(run, "vm1/guest", "bad-frames"), 0));
    iov_experiment_free(run);
}

#define TABLES UINT64_C(0xb0000000) /* the first page is the root table */

Test(siov, the_host_s_tables_are_those_of_scalable_mode)
{
    struct iov_experiment *run = two_guests(NULL);
    uint64_t contexts, directory, table, first, second;

    run_for(run, IOV_MS);
    cr_assert(eq(u64, host(run, UNIT + VTD_RTADDR, 8, 0, false), TABLES | VTD_RTADDR_SCALABLE));
    cr_assert(eq(u64, host(run, UNIT + VTD_IQA, 8, 0, false) & 0xfff, VTD_IQA_DW));
    contexts = host(run, TABLES + 16, 8, 0, false); /* bus 1, functions 0 to 127 */
    cr_assert(eq(u64, contexts & 0xfff, VTD_ROOT_P));
    cr_assert(eq(u64, host(run, TABLES + 16 + 8, 8, 0, false), 0)); /* and above: nobody */
    directory = host(run, contexts - 1, 8, 0, false);
    cr_assert(eq(u64, directory & 0xfff, VTD_SM_ENTRY_P | VTD_SM_CONTEXT_PASIDE));
    table = host(run, directory & ~UINT64_C(0xfff), 8, 0, false);
    cr_assert(eq(u64, table & 0xfff, VTD_SM_ENTRY_P));
    cr_assert(eq(u64, host(run, table - 1, 8, 0, false), 0)); /* the card itself owns no memory */
    first = host(run, table - 1 + VTD_SM_PASID_SIZE, 8, 0, false);
    second = host(run, table - 1 + 2 * VTD_SM_PASID_SIZE, 8, 0, false);
    cr_assert(eq(u64, first & 0xfff, vtd_pasid_second(0, 4)));
    cr_assert(eq(u64, second & 0xfff, vtd_pasid_second(0, 4)));
    cr_assert(ne(u64, first, second));
    cr_assert(eq(u64, host(run, table - 1 + VTD_SM_PASID_SIZE + 8, 8, 0, false), 1)); /* domain */
    cr_assert(eq(u64, host(run, table - 1 + 2 * VTD_SM_PASID_SIZE + 8, 8, 0, false), 2));
    iov_experiment_free(run);
}

Test(siov, an_interface_with_the_other_s_ring_addresses_works_on_its_own_memory)
{
    struct iov_experiment *run = two_guests(NULL);

    run_until_finished(run, 100);
    /* Both guests have the same guest-physical addresses: what tells them apart is the PASID
     * alone. */
    cr_assert(
        eq(u64, host(run, INTERFACES + SIOV_WINDOWS(0) + IGB_TX_OLD + IGB_QUEUE_BAL, 4, 0, false),
           host(run, INTERFACES + SIOV_WINDOWS(1) + IGB_TX_OLD + IGB_QUEUE_BAL, 4, 0, false)));
    cr_assert(eq(u64, host(run, INTERFACES + SIOV_WINDOWS(0) + SIOV_PASID, 4, 0, false),
                 SIOV_PASID_VALID | 1));
    cr_assert(eq(u64, host(run, INTERFACES + SIOV_WINDOWS(1) + SIOV_PASID, 4, 0, false),
                 SIOV_PASID_VALID | 2));
    run_until_finished(run, 1000);
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "foreign-frames"), 0));
    cr_assert(eq(u64, stat_of(run, "vm1/guest", "foreign-frames"), 0));
    cr_assert(eq(u64, stat_of(run, "unit", "blocked"), 0));
    iov_experiment_free(run);
}

Test(siov, the_host_s_driver_has_the_card_pass_frames_from_one_guest_to_another)
{
    struct iov_experiment *run = two_guests(NULL);
    uint64_t registers = INTERFACES + SIOV_BAR_SIZE;

    run_for(run, IOV_MS);
    cr_assert(ne(u64, host(run, registers + IGB_DTXSWC, 4, 0, false) & IGB_DTXSWC_LOOPBACK, 0));
    cr_assert(ne(u64, host(run, registers + IGB_VT_CTL, 4, 0, false) & IGB_VT_CTL_REPLICATE, 0));
    iov_experiment_free(run);
}

static void emulated_write(struct iov_mem_target *port, uint32_t place, uint32_t value)
{
    struct iov_mem_req req = { .address = place, .data = &value, .size = 4, .pasid = IOV_NO_PASID };

    port->ops->write(port, &req);
}

/* What a guest may write into the registers that are emulated for it, and into its doorbells. */
static void scribble(struct iov_experiment *run, uint32_t seed)
{
    IovModel *vdcm = iov_platform_find(iov_experiment_platform(run), "vm0/vdcm");
    struct iov_mem_target *port = iov_model_port(vdcm, "registers", 0);

    for (unsigned i = 0; i < 8; i++) {
        uint32_t value = seed = seed * 1664525u + 1013904223u;
        uint32_t place = seed >> 18 & 0x3ffc;
        struct iov_mem_req req = {
            .address = place, .data = &value, .size = 4, .pasid = IOV_NO_PASID
        };

        emulated_write(port, place, value);
        port->ops->read(port, &req);
        host(run, INTERFACES + SIOV_DOORBELLS(0) + (seed >> 8 & 0xffc), 4, seed, true);
    }
}

Test(siov, a_guest_cannot_give_itself_the_other_s_pasid)
{
    struct iov_experiment *run = two_guests(NULL);
    IovModel *vdcm = iov_platform_find(iov_experiment_platform(run), "vm0/vdcm");
    struct iov_mem_target *port = iov_model_port(vdcm, "registers", 0);
    uint64_t before;

    run_until_finished(run, 100);
    before = stat_of(run, "vm0/vdcm", "refused");
    emulated_write(port, SIOV_PASID, SIOV_PASID_VALID | 2);
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "refused"), before + 1));
    cr_assert(eq(u64, host(run, INTERFACES + SIOV_WINDOWS(0) + SIOV_PASID, 4, 0, false),
                 SIOV_PASID_VALID | 1));
    iov_experiment_free(run);
}

static void send_reset(struct iov_experiment *run)
{
    IovModel *vdcm = iov_platform_find(iov_experiment_platform(run), "vm0/vdcm");

    emulated_write(iov_model_port(vdcm, "registers", 0), IGB_VF_CTRL, IGB_CTRL_RST);
}

Test(siov, nonsense_of_one_guest_is_refused_and_the_other_goes_on)
{
    struct iov_experiment *run = two_guests(NULL);

    run_until_finished(run, 100);
    for (unsigned i = 0; i < 4000; i++) {
        run_for(run, 20 * IOV_US);
        scribble(run, i);
    }
    cr_assert(lt(u64, 5000, stat_of(run, "vm0/vdcm", "refused")));
    send_reset(run);
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "resets"), 1));
    cr_assert(ge(u64, stat_of(run, "vm1/workload", "finished"), 2000));
    cr_assert(eq(u64, stat_of(run, "vm1/workload", "lost"), 0));
    cr_assert(eq(u64, stat_of(run, "vm1/guest", "foreign-frames"), 0));
    /* Neither its PASID nor anybody's messages are among what it can reach. */
    cr_assert(eq(u64, host(run, INTERFACES + SIOV_WINDOWS(0) + SIOV_PASID, 4, 0, false),
                 SIOV_PASID_VALID | 1));
    iov_experiment_free(run);
}

Test(siov, a_guest_sees_its_device_through_what_exits_at_set_up)
{
    struct iov_experiment *run = two_guests("workload.warmup=1000000"); /* nothing is forgotten */

    run_for(run, 10 * IOV_SEC);
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "resets"), 1));
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "messages"), 3)); /* reset, groups, length */
    cr_assert(eq(u64, stat_of(run, "vm0/vdcm", "refused"), 0));
    cr_assert(lt(u64, 40, stat_of(run, "vm0/vdcm", "accesses")));
    cr_assert(eq(u64, stat_of(run, "pf", "opened"), 2));
    cr_assert(eq(u64, stat_of(run, "host-iommu", "pasids"), 2));
    cr_assert(eq(u64, stat_of(run, "host-iommu", "failures"), 0));
    cr_assert(
        eq(u64, stat_of(run, "unit", "invalidations-pasid"), 3)); /* all, and one for each reset */
    cr_assert(eq(u64, stat_of(run, "unit", "queue-errors"), 0));
    iov_experiment_free(run);
}
