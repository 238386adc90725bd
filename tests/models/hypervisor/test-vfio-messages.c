/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X of an assigned device and its DMA: through a real remapping unit, from the table that the
 * guest writes to the handler in the guest, with the vCPU running, asleep, preempted, moved.
 */
#include "core/kernel/random.h"
#include "models/hypervisor/host-iommu.h"
#include "models/iommu/vtd-regs.h"
#include "tests/models/hypervisor/guest.h"

#define DEVICE 0x0018u
#define STRANGER 0x0020u
#define TABLE_BASE UINT64_C(0x8000000000)
#define GUEST_TABLE UINT64_C(0xfebd0000)
#define UNIT_TABLES UINT64_C(0x8000000)
enum { VECTOR = 0x41 };

static IovModel *vfio, *unit, *iommu, *table, *router;
static unsigned taken;
static struct iov_event send_event;
static uint16_t sender;
static void (*on_taken)(struct iov_exec *exec);

static void setup(void)
{
    guest_new(3);
    taken = 0;
    sender = DEVICE;
    on_taken = NULL;
    iommu = bench_add(guest.machine.bench, "vt-d", "iommu");
    unit = bench_add(guest.machine.bench, "host-iommu", "unit");
    vfio = bench_add(guest.machine.bench, "vfio", "vfio");
    table = bench_add(guest.machine.bench, "dram", "table");
    router = bench_add(guest.machine.bench, "msi-router", "messages");
    bench_number(iommu, "posting", true);
    bench_number(iommu, "fault-records", 4);
    bench_number(table, "size", 4096);
    bench_number(guest.machine.dram, "size", UINT64_C(1) << 30);
    bench_number(unit, "tables", UNIT_TABLES);
    cr_assert(iov_model_set_ref(unit, "host", (IovModel *)guest.machine.host, NULL));
    cr_assert(iov_model_set_ref(vfio, "vm", guest.vm, NULL));
    cr_assert(iov_model_set_ref(vfio, "iommu", unit, NULL));
    cr_assert(iov_model_set_refs(router, "cpus", guest.machine.cpus, 3, NULL));
    bench_number(unit, "fault-event", false); /* tests look at the records */
    bench_number(vfio, "requester", DEVICE);
    bench_number(vfio, "vectors", 2);
    bench_number(vfio, "host-table", TABLE_BASE);
    bench_number(vfio, "cpu", 2);
    bench_number(guest.vm, "apic-virtualisation", true);
}

static void handler(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    cr_assert(eq(uint, vector, VECTOR));
    taken++;
    if (on_taken != NULL)
        on_taken(exec);
    guest_eoi(exec);
}

static void start(void (*main)(TestProgram *, struct iov_exec *, unsigned))
{
    guest_wire();
    bench_wire_at(guest.machine.bus, "windows", table, "port", TABLE_BASE);
    bench_wire_at(guest.machine.bus, "windows", iommu, "registers", VTD_BASE);
    bench_wire_at(guest.machine.bus, "windows", router, "port", 0xfee00000);
    bench_wire(iommu, "bus", guest.machine.bus, "port");
    bench_wire(iommu, "message", router, "extended");
    bench_wire(unit, "bus", guest.machine.bus, "port");
    bench_wire(vfio, "bus", guest.machine.bus, "port");
    bench_wire(vfio, "msi", guest.vm, "msi");
    bench_wire_at(guest.vm, "mmio", vfio, "table", GUEST_TABLE);
    guest.program->main = main;
    guest.program->interrupt = handler;
    guest_start();
    guest_run(100 * IOV_MS);
}

static void teardown(void)
{
    guest_free();
}

TestSuite(vfio_messages, .init = setup, .fini = teardown);

/* ---- The device ---- */

static uint32_t device_word(unsigned index)
{
    return (uint32_t)bench_read(iov_model_port(table, "port", 0), index * 4, 4);
}

/* What the device does to raise vector 0: the message that its own table holds. */
static enum iov_status device_raise(void)
{
    struct iov_mem_target *upstream = iov_model_port(iommu, "upstream", 0);
    uint32_t data = device_word(2);
    struct iov_mem_req req = { .address = (uint64_t)device_word(1) << 32 | device_word(0),
                               .data = &data,
                               .size = 4,
                               .requester = sender,
                               .flags = IOV_MEM_INTERRUPT,
                               .pasid = IOV_NO_PASID };

    if (device_word(3) & 1)
        return IOV_STATUS_ABORT;
    return upstream->ops->write(upstream, &req);
}

static enum iov_status last_status;

static void on_send(struct iov_event *event)
{
    (void)event;
    last_status = device_raise();
}

static void raise_in(iov_time delay)
{
    iov_event_init(&send_event, machine_kernel(&guest.machine), on_send, IOV_PRIORITY_DEFAULT);
    iov_event_in(&send_event, delay);
}

/* ---- The guest ---- */

static void set_vector(struct iov_exec *exec, uint8_t vector)
{
    iov_exec_store(exec, GUEST_TABLE + 0, 4, 0xfee00000);
    iov_exec_store(exec, GUEST_TABLE + 4, 4, 0);
    iov_exec_store(exec, GUEST_TABLE + 8, 4, vector);
    iov_exec_store(exec, GUEST_TABLE + 12, 4, 0);
}

static void boot(struct iov_exec *exec)
{
    guest_boot(exec, false);
    set_vector(exec, VECTOR);
    clear_counters();
}

static void main_running(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    raise_in(20 * IOV_US);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

static void main_asleep(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    raise_in(20 * IOV_US);
    guest_idle(exec, &taken, 1);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

Test(vfio_messages, posting_to_a_running_vcpu_exits_neither_for_the_interrupt_nor_for_its_eoi)
{
    start(main_running);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, all_exits(), 0));
    cr_assert(eq(u64, bench_stat(vfio, "interrupts"), 0));
    cr_assert(eq(u64, bench_stat(iommu, "interrupts-posted"), 1));
    cr_assert(eq(u64, bench_stat(iommu, "notifications"), 1));
}

Test(vfio_messages, posting_to_a_sleeping_vcpu_wakes_it_and_only_its_hlt_has_exited)
{
    start(main_asleep);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, all_exits(), 1));
    cr_assert(eq(u64, bench_stat(guest.vm, "posted-sleeps"), 1));
    cr_assert(eq(u64, bench_stat(guest.vm, "posted-wakeups"), 1));
}

static void burn(void *argument)
{
    struct iov_thread *thread = iov_host_current(guest.machine.host);

    (void)argument;
    iov_thread_compute(thread, 30 * IOV_MS, IOV_PART_HOST);
}

static void on_rival(struct iov_event *event)
{
    (void)event;
    iov_thread_new(guest.machine.host, "rival", 1, burn, NULL);
}

static struct iov_event rival;

static void main_preempted(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    iov_event_init(&rival, machine_kernel(&guest.machine), on_rival, IOV_PRIORITY_DEFAULT);
    iov_event_in(&rival, 10 * IOV_US);
    raise_in(10 * IOV_MS); /* the rival has the processor then */
    iov_exec_compute(exec, 20 * IOV_MS, IOV_PART_GUEST);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

static iov_time taken_at;

static void note_time(struct iov_exec *exec)
{
    (void)exec;
    taken_at = machine_now(&guest.machine);
}

Test(vfio_messages, posting_to_a_preempted_vcpu_disturbs_nobody_and_waits_for_its_turn)
{
    on_taken = note_time;
    start(main_preempted);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(lt(u64, 10 * IOV_MS + 100 * IOV_US, taken_at));
    cr_assert(eq(u64, bench_stat(iommu, "interrupts-posted"), 1));
    cr_assert(eq(u64, bench_stat(iommu, "notifications"), 0));
    cr_assert(lt(u64, 0, bench_stat(guest.vm, "posted-suppressions")));
    cr_assert(eq(u64, bench_stat(vfio, "interrupts"), 0));
}

Test(vfio_messages, a_message_of_another_function_is_blocked_and_recorded)
{
    struct iov_mem_target *registers;

    sender = STRANGER;
    start(main_running);
    registers = iov_model_port(iommu, "registers", 0);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 0));
    cr_assert(eq(int, (int)last_status, IOV_STATUS_FAULT));
    cr_assert(eq(u64, bench_read(registers, VTD_FRCD + 8, 8) >> VTD_FRCD_REASON_SHIFT & 0xff,
                 VTD_FAULT_IR_SOURCE));
    cr_assert(eq(u64, bench_read(registers, VTD_FRCD + 8, 4) & 0xffff, STRANGER));
}

Test(vfio_messages, without_posting_the_entry_holds_a_host_vector_and_the_handler_injects)
{
    bench_number(unit, "interrupt-posting", false);
    bench_number(vfio, "cpu", 0);
    bench_number(guest.vm, "apic-virtualisation", false);
    start(main_running);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, bench_stat(iommu, "interrupts-remapped"), 1));
    cr_assert(eq(u64, bench_stat(vfio, "interrupts"), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, all_exits(), 2));
    cr_assert(eq(uint, device_word(0), (uint32_t)vtd_message_address(0)));
}

Test(vfio_messages, without_remapping_the_device_holds_address_and_vector_of_the_host)
{
    bench_number(unit, "interrupt-remapping", false);
    bench_number(guest.vm, "apic-virtualisation", false);
    start(main_running);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(uint, device_word(0), 0xfee02000));
    cr_assert(eq(u64, bench_stat(iommu, "interrupts-remapped"), 0));
}

static void main_changes(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, false);
    set_vector(exec, VECTOR + 1);
    iov_exec_store(exec, GUEST_TABLE + 12, 4, 1); /* masks it */
    raise_in(10 * IOV_US);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 0));
    set_vector(exec, VECTOR);
    cr_assert(eq(u64, iov_exec_load(exec, GUEST_TABLE + 8, 4), VECTOR));
    raise_in(10 * IOV_US);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

Test(vfio_messages, each_change_of_a_vector_is_one_invalidation)
{
    start(main_changes);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, bench_stat(unit, "entry-writes"), 2));
    cr_assert(eq(u64, bench_stat(iommu, "invalidations-interrupt"), 3)); /* one at the start */
    cr_assert(eq(u64, bench_stat(unit, "failures"), 0));
}

static void main_wanders(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    vcpu(0)->thread->affinity = 2; /* the next wake-up goes to processor 1 */
    raise_in(20 * IOV_US);
    guest_idle(exec, &taken, 1);
    raise_in(20 * IOV_MS);
    iov_exec_compute(exec, 40 * IOV_MS, IOV_PART_GUEST);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

Test(vfio_messages, posted_interrupts_follow_a_vcpu_to_another_processor)
{
    start(main_wanders);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 2));
    cr_assert(eq(uint, vcpu(0)->posted[IOV_PID_NDST + 1], 1), "APIC ID of the new processor");
    cr_assert(eq(u64, bench_stat(unit, "entry-writes"), 1));
}

Test(vfio_messages, remapped_interrupts_move_by_rewriting_their_entry)
{
    bench_number(unit, "interrupt-posting", false);
    bench_number(guest.vm, "apic-virtualisation", false);
    bench_number(vfio, "balance", 5 * IOV_MS);
    start(main_wanders);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 2));
    cr_assert(lt(u64, 0, bench_stat(vfio, "moves")));
    cr_assert(eq(u64, bench_stat(vfio, "moves") + 1, bench_stat(unit, "entry-writes")));
    cr_assert(eq(u64, bench_stat(unit, "failures"), 0));
}

Test(vfio_messages, the_device_reaches_the_guest_s_memory_at_guest_addresses_and_nothing_else)
{
    static const uint64_t sizes[] = { 4096, 2 << 20 };
    struct iov_mem_target *upstream, *registers;
    uint64_t value = UINT64_C(0x1122334455667788);
    struct iov_mem_req req = {
        .address = 0x123450, .data = &value, .size = 8, .requester = DEVICE, .pasid = IOV_NO_PASID
    };

    for (unsigned i = 0; i < 2; i++) {
        if (i > 0) {
            teardown();
            setup();
        }
        bench_number(unit, "page-size", sizes[i]);
        start(main_running);
        upstream = iov_model_port(iommu, "upstream", 0);
        registers = iov_model_port(iommu, "registers", 0);
        req.address = 0x123450;
        cr_assert(eq(int, (int)upstream->ops->write(upstream, &req), IOV_STATUS_OK));
        cr_assert(
            eq(u64,
               bench_read(iov_model_port(guest.machine.dram, "port", 0), GUEST_BASE + 0x123450, 8),
               value));
        req.address = GUEST_MEMORY;
        cr_assert(eq(int, (int)upstream->ops->write(upstream, &req), IOV_STATUS_FAULT));
        cr_assert(eq(u64, bench_read(registers, VTD_FRCD, 8), GUEST_MEMORY));
        cr_assert(eq(u64, bench_read(registers, VTD_FRCD + 8, 8) >> VTD_FRCD_REASON_SHIFT & 0xff,
                     VTD_FAULT_WRITE));
    }
}

static void main_scribbles(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_random random;

    (void)self;
    (void)index;
    iov_random_init(&random, 7, "guest");
    boot(exec);
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t size = 1u << iov_random_u64(&random) % 4;
        uint64_t address = GUEST_TABLE + iov_random_u64(&random) % (4096 - 8);
        uint64_t value = iov_random_u64(&random);

        if (i % 3 == 0)
            iov_exec_load(exec, address, size);
        else if (i % 64 == 1)
            iov_exec_store(exec, GUEST_TABLE + 12, 4, 0); /* unmasked with whatever stands there */
        else
            iov_exec_store(exec, address, size, value);
    }
    set_vector(exec, VECTOR);
    raise_in(10 * IOV_US);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

Test(vfio_messages, whatever_a_guest_scribbles_into_its_table_it_hurts_itself_only)
{
    start(main_scribbles);
    guest_run(500 * IOV_MS);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, bench_stat(unit, "failures"), 0));
    cr_assert(eq(uint, device_word(0), (uint32_t)vtd_message_address(0)));
}

static void main_faults(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_mem_target *upstream = iov_model_port(iommu, "upstream", 0);

    (void)self;
    (void)index;
    boot(exec);
    for (unsigned i = 0; i < 40; i++) { /* ten at a time, which is more than there are records */
        uint32_t value = i;
        struct iov_mem_req req = { .address = GUEST_MEMORY + 4096 * i,
                                   .data = &value,
                                   .size = 4,
                                   .requester = (uint16_t)(DEVICE + i % 10 * 8),
                                   .pasid = IOV_NO_PASID };

        cr_assert(eq(int, (int)upstream->ops->write(upstream, &req), IOV_STATUS_FAULT));
        if (i % 10 == 9)
            iov_exec_compute(exec, 500 * IOV_US, IOV_PART_GUEST);
    }
    guest.done = true;
    iov_exec_do(exec, IOV_OP_CLI);
}

Test(vfio_messages, faults_interrupt_the_host_which_logs_them_and_makes_room_for_more)
{
    struct iov_mem_target *registers;

    bench_number(unit, "fault-event", true);
    start(main_faults);
    registers = iov_model_port(iommu, "registers", 0);
    cr_assert(guest.done);
    cr_assert(eq(u64, bench_stat(unit, "fault-interrupts"), 4));
    cr_assert(eq(u64, bench_stat(unit, "faults"), 16)); /* four records each time */
    cr_assert(eq(u64, bench_stat(unit, "fault-overflows"), 4));
    cr_assert(eq(u64, bench_read(registers, VTD_FSTS, 4) & 0xff, 0));
    cr_assert(lt(u64, 0, exits(IOV_EXIT_EXTERNAL_INTERRUPT)));
}
