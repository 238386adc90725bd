/* SPDX-License-Identifier: Apache-2.0 */
/* The igb driver makes the accesses of Linux's driver, in its order and number. */
#include "tests/models/guest/fake-net.h"

#include "models/guest/driver-igb-private.h"
#include "models/nic/igb-regs.h"

enum { ENTRY_RX = 1, ENTRY_TX }; /* of the MSI-X table, with one pair */

static struct machine *machine;
static struct fake_net *net;

static void make(iov_time cost, iov_time delay)
{
    machine = machine_new(cost);
    net = fake_net_new(machine, "igb");
    net->delay = delay;
    machine_set(machine->guest, "msix", MACHINE_MSIX);
    machine_set(machine->guest, "interrupt-throttle-rate", 0);
}

static void run_udp_rr(uint64_t operations)
{
    machine_set_workload(machine, "udp-rr");
    machine_set(machine->workload, "operations", operations);
    machine_set(machine->workload, "warmup", 100);
    fake_net_start(net);
    iov_kernel_run_until(machine->kernel, 100 * IOV_SEC);
}

static void finish(void)
{
    fake_net_free(net);
    machine_free(machine);
}

TestSuite(driver_igb, .fini = finish);

static bool is_register(const struct machine_access *access)
{
    return (access->direction == 'r' || access->direction == 'w') &&
           access->address >= MACHINE_REGISTERS &&
           access->address < MACHINE_REGISTERS + IGB_BAR_SIZE;
}

Test(driver_igb, a_remote_echo_costs_four_writes_no_read_and_two_interrupts)
{
    make(100 * IOV_NS, 50 * IOV_US);
    run_udp_rr(1000);
    cr_assert(eq(u64, machine->measure->operations, 1000));
    cr_assert(eq(u64, machine->measure->mismatches, 0));
    cr_assert(eq(u64, machine->measure->counters.device_accesses, 4000));
    cr_assert(eq(u64, machine->measure->counters.interrupts, 2000));
    cr_assert(eq(u64, machine->measure->counters.kicks, 1000));
    cr_assert(eq(uint, net->bad_frames, 0));
}

Test(driver_igb, a_request_writes_tail_mask_tail_mask)
{
    static const struct {
        uint32_t reg, value; /* value 0: any */
    } wanted[] = {
        { IGB_TX_OLD + IGB_QUEUE_TAIL, 0 },
        { IGB_EIMS, 1u << ENTRY_TX },
        { IGB_RX_OLD + IGB_QUEUE_TAIL, 0 },
        { IGB_EIMS, 1u << ENTRY_RX },
    };
    unsigned device = 0;

    make(100 * IOV_NS, 50 * IOV_US);
    run_udp_rr(50);
    unsigned first = machine->logged;

    while (machine->log[first - 1].address != MACHINE_REGISTERS + wanted[0].reg)
        first--;
    for (unsigned i = first - 1; i < machine->logged; i++) {
        if (!is_register(&machine->log[i]))
            continue;
        cr_assert(lt(uint, device, G_N_ELEMENTS(wanted)));
        cr_expect(eq(chr, machine->log[i].direction, 'w'));
        cr_expect(eq(u64, machine->log[i].address, MACHINE_REGISTERS + wanted[device].reg));
        if (wanted[device].value != 0)
            cr_expect(eq(u64, machine->log[i].value, wanted[device].value));
        device++;
    }
    cr_assert(eq(uint, device, G_N_ELEMENTS(wanted)));
}

Test(driver_igb, the_receive_tail_is_written_every_sixteen_frames_of_a_burst)
{
    make(100 * IOV_NS, 0);
    run_udp_rr(10);
    uint64_t before =
        machine_count(machine, 0, 'w', MACHINE_REGISTERS + IGB_RX_OLD + IGB_QUEUE_TAIL);
    static const uint8_t own[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    struct iov_packet_pool *pool = iov_packet_pool_new();

    for (unsigned i = 0; i < 48; i++) {
        struct iov_packet *packet = iov_packet_new(pool, 64);

        memset(packet->data, 0, 64);
        memcpy(packet->data, own, 6);
        iov_packet_send(&net->wire, packet);
    }
    iov_kernel_run_until(machine->kernel, iov_now(machine->kernel) + IOV_SEC);
    uint64_t writes =
        machine_count(machine, 0, 'w', MACHINE_REGISTERS + IGB_RX_OLD + IGB_QUEUE_TAIL) - before;

    cr_assert(le(u64, 3, writes));
    cr_assert(lt(u64, writes, 30));
    iov_packet_pool_unref(pool, NULL);
}

Test(driver_igb, loading_reads_the_eeprom_once_for_its_sum_and_gives_the_semaphores_back)
{
    unsigned reads = 0;

    make(0, 0);
    run_udp_rr(1);
    for (unsigned i = 0; i < machine->logged; i++)
        reads += machine->log[i].direction == 'w' &&
                 machine->log[i].address == MACHINE_REGISTERS + IGB_EERD;
    /* 64 for the sum; alternate address three times, versions two, then LED, flow control,
     * wake-up. */
    cr_assert(eq(uint, reads, 64 + 3 + 2 + 3));
    cr_assert(eq(u64, fake_net_access(net, "registers", IGB_SW_FW_SYNC, 4, 0, false), 0));
    cr_assert(eq(u64, fake_net_access(net, "registers", IGB_SWSM, 4, 0, false), 0));
    cr_assert(eq(u64, machine->measure->counters.guest_faults, 0));
}

Test(driver_igb, a_stream_is_sent_whole_and_its_ring_stops_and_wakes)
{
    make(10 * IOV_NS, 0);
    net->swallow = true;
    net->interval = 12 * IOV_US;
    machine_set_workload(machine, "udp-stream");
    machine_set(machine->workload, "operations", 2000);
    machine_set(machine->workload, "warmup", 100);
    fake_net_start(net);
    iov_kernel_run_until(machine->kernel, 100 * IOV_SEC);
    cr_assert(eq(u64, machine->measure->operations, 2000));
    cr_assert(lt(uint, 1500, net->frames)); /* the rest is in the ring */
    cr_assert(eq(u64, machine->measure->counters.guest_faults, 0));
    cr_assert(eq(uint, net->bad_frames, 0));
}

/* ---- Throttling ---- */

Test(driver_igb, throttling_follows_the_size_of_frames)
{
    IovLinuxGuest guest = { .interrupt_throttle_rate = 1 };
    struct igb_driver driver = { .guest = &guest };
    struct igb_vector_state vector = { .itr = 648, .tx = { 1, 60 } };

    make(0, 0);
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 980)); /* no gigabit link yet */
    driver.gigabit = true;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 42));
    guest.interrupt_throttle_rate = 3;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 196));
    vector.tx = (struct igb_totals){ 10, 10 * 600 };
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 208));
    vector.tx.bytes = 10 * 1514;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 769));
    vector.tx.bytes = 10 * 9000;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 1500));
    vector.tx.packets = 0;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 648));
}

/* Requests come in, what was asked for goes out. */
Test(driver_igb, of_a_vector_for_both_directions_that_with_the_larger_frames_counts)
{
    IovLinuxGuest guest = { .interrupt_throttle_rate = 3 };
    struct igb_driver driver = { .guest = &guest, .gigabit = true };
    struct igb_vector_state vector = { .rx = { 40, 40 * 66 }, .tx = { 4, 4 * 1514 } };

    make(0, 0);
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 769));
    vector.tx.packets = 0;
    cr_assert(eq(u32, iov_igb_next_itr(&driver, &vector), 196));
}

Test(driver_igb, throttling_reaches_the_adapter_at_the_next_interrupt)
{
    make(100 * IOV_NS, 50 * IOV_US);
    machine_set(machine->guest, "interrupt-throttle-rate", 3);
    run_udp_rr(100);
    cr_assert(eq(u64, machine->measure->operations, 100));
    cr_assert(eq(u64, fake_net_access(net, "registers", IGB_EITR(ENTRY_RX), 4, 0, false), 196));
}

Test(driver_igb, a_device_that_is_not_there_ends_the_run)
{
    make(0, 0);
    machine_set(machine->guest, "registers", 0xf0000000);
    machine_set_workload(machine, "udp-rr");
    fake_net_start(net);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(not(machine->measure->complete));
    cr_assert(eq(u64, ((IovLinuxGuest *)(void *)machine->guest)->faults, 1));
}
