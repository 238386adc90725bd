/* SPDX-License-Identifier: Apache-2.0 */
/* An assigned device: registers without exits, interrupts through the host, the line masked until
 * the guest's EOI. */
#include "tests/models/hypervisor/guest.h"

enum { LINE = 11, VECTOR = 0x26 };

static struct bench_recorder device;
static IovModel *vfio;
static struct iov_irq_source line;
static unsigned taken;
static unsigned line_falls_after; /* the handler lowers the line when it has run this often */

static void setup(void)
{
    guest_new(3);
    taken = 0;
    line_falls_after = 1;
    vfio = bench_add(guest.machine.bench, "vfio", "vfio");
    cr_assert(iov_model_set_ref(vfio, "vm", guest.vm, NULL));
    bench_number(vfio, "cpu", 2);
    bench_number(vfio, "guest-address", DEVICE_BASE);
    bench_number(vfio, "host-address", UINT64_C(0x8000000000));
    bench_number(vfio, "size", DEVICE_SIZE);
    device = (struct bench_recorder){ .port = { .ops = &bench_recorder_ops, .size = DEVICE_SIZE } };
}

static void start(void (*main)(TestProgram *, struct iov_exec *, unsigned),
                  void (*interrupt)(TestProgram *, struct iov_exec *, uint8_t))
{
    guest_wire();
    cr_assert(iov_mem_map_add(iov_model_port(guest.machine.bus, "windows", 0),
                              UINT64_C(0x8000000000), DEVICE_SIZE, &device.port));
    bench_wire_at(vfio, "irqfd", guest.vm, "irqfd", LINE);
    bench_wire_at(guest.vm, "resample", vfio, "resample", LINE);
    bench_wire(vfio, "msi", guest.vm, "msi");
    line = (struct iov_irq_source){ .peer = iov_model_port(vfio, "line", 0) };
    guest.program->main = main;
    guest.program->interrupt = interrupt;
    guest_start();
    guest_run(100 * IOV_MS);
}

static void teardown(void)
{
    guest_free();
}

TestSuite(vfio, .init = setup, .fini = teardown);

static void main_registers(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    iov_exec_store(exec, DEVICE_BASE + 0x3818, 4, 9);
    iov_exec_load(exec, DEVICE_BASE + 8, 4);
    guest.done = true;
}

Test(vfio, registers_are_reached_without_exits)
{
    start(main_registers, NULL);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 0));
    cr_assert(eq(uint, device.count, 1));
    cr_assert(eq(u64, device.records[0].address, 0x3818));
}

static void handler(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    if (taken >= line_falls_after)
        iov_irq_set(&line, false, NULL);
    guest_eoi(exec);
}

static struct iov_event raise_event;

static void on_raise(struct iov_event *event)
{
    (void)event;
    iov_irq_set(&line, true, NULL);
}

static void raise_soon(void)
{
    iov_event_init(&raise_event, machine_kernel(&guest.machine), on_raise, IOV_PRIORITY_DEFAULT);
    iov_event_in(&raise_event, 20 * IOV_US);
}

static void main_line(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_ioapic(exec, LINE, IOAPIC_ENTRY_LEVEL | VECTOR);
    guest_boot(exec, true);
    raise_soon();
    guest_idle(exec, &taken, line_falls_after);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(vfio, a_line_interrupt_is_hlt_and_eoi_for_the_guest)
{
    start(main_line, handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, all_exits(), 2));
    cr_assert(eq(u64, bench_stat(vfio, "interrupts"), 1));
    cr_assert(eq(u64, bench_stat(vfio, "unmasks"), 1));
}

Test(vfio, a_line_that_stays_up_interrupts_again_after_the_unmask)
{
    line_falls_after = 3;
    start(main_line, handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 3));
    cr_assert(eq(u64, bench_stat(vfio, "interrupts"), 3));
    cr_assert(eq(u64, bench_stat(vfio, "unmasks"), 3));
}

static struct later messages[2];

static void on_message(struct iov_event *event)
{
    bench_write(iov_model_port(vfio, "messages", 0), 0, 4,
                iov_container_of(event, struct later, event)->data);
}

static void main_messages(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    for (unsigned i = 0; i < 2; i++) {
        messages[i].data = 0x27 - i;
        iov_event_init(&messages[i].event, machine_kernel(&guest.machine), on_message,
                       IOV_PRIORITY_DEFAULT);
        iov_event_in(&messages[i].event, 20 * IOV_US);
    }
    guest_idle(exec, &taken, 2);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(vfio, two_messages_at_once_leave_hlt_eoi_and_window)
{
    line_falls_after = 100;
    start(main_messages, handler);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, all_exits(), 3));
}

static void main_same_processor(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    messages[0].data = 0x31;
    iov_event_init(&messages[0].event, machine_kernel(&guest.machine), on_message,
                   IOV_PRIORITY_DEFAULT);
    iov_event_in(&messages[0].event, 20 * IOV_US);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(vfio, the_device_s_interrupt_on_the_vcpu_s_processor_is_the_kick)
{
    line_falls_after = 100;
    bench_number(vfio, "cpu", 0);
    start(main_same_processor, handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, all_exits(), 1));
    cr_assert(eq(u64, bench_stat((IovModel *)guest.machine.host, "reschedules"), 1),
              "none but the one that started the vCPU");
}
