/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User space: which accesses come there, who runs the device, in which order its effects happen.
 * The guest's side of the e1000 is scripted after what Linux's driver was recorded to do for one
 * request on KVM.
 */
#include "models/hypervisor/emulator-private.h"
#include "tests/models/hypervisor/guest.h"

enum {
    TDT = 0x3818,
    RDT = 0x2818,
    ICR = 0xc0,
    IMC = 0xd8,
    IMS = 0xd0,
    STATUS = 0x8,
    KICK = 0x3000
};
enum { LINE = 11, VECTOR = 0x26 };

/* ---- A device that reacts like an e1000 ---- */

/* TDT sends a frame and raises the line, reading ICR lowers it. */

struct card {
    struct iov_mem_target registers;
    struct iov_mem_initiator dma;
    struct iov_irq_source line;
    struct iov_packet_port wire;
    struct iov_packet_pool *pool;
    struct iov_event send;
    struct iov_event late;
    struct {
        uint32_t offset;
        bool write;
        struct iov_thread *thread;
        iov_time when;
    } log[64];
    unsigned accesses;
    unsigned received;
    unsigned room; /* for frames; a write to RDT makes more */
    bool quiet;    /* frames do not interrupt */
    bool message;  /* interrupts by message instead of line */
    struct iov_span *span;
};

static struct card card;
static IovModel *emulator;

static void card_log(const struct iov_mem_req *req, bool write)
{
    if (card.accesses < G_N_ELEMENTS(card.log)) {
        card.log[card.accesses].offset = (uint32_t)req->address;
        card.log[card.accesses].write = write;
        card.log[card.accesses].thread = iov_host_current(guest.machine.host);
        card.log[card.accesses].when = machine_now(&guest.machine);
    }
    card.accesses++;
}

static void card_interrupt(void)
{
    uint32_t data = VECTOR;
    struct iov_mem_req req = { .address = 0xfee00000, .data = &data, .size = 4, .span = card.span };

    if (card.message)
        iov_mem_write_req(&card.dma, &req);
    else
        iov_irq_set(&card.line, true, card.span);
}

static enum iov_status card_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    card_log(req, false);
    if (req->address == ICR)
        iov_irq_set(&card.line, false, NULL);
    iov_mem_set_value(req, 0x83);
    return IOV_STATUS_OK;
}

static enum iov_status card_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    card_log(req, true);
    if (req->address == RDT)
        card.room += (unsigned)iov_mem_value(req);
    if (req->address == TDT || (req->address >= KICK && req->address < KICK + 0x100))
        iov_event_in(&card.send, 0);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops card_ops = { .read = card_read, .write = card_write };

static void on_card_send(struct iov_event *event)
{
    struct iov_packet *packet = iov_packet_new(card.pool, 106);
    uint8_t frame[106];
    struct iov_mem_req req = {
        .address = 0x8000, .data = frame, .size = sizeof frame, .flags = IOV_MEM_PAYLOAD
    };

    (void)event;
    iov_mem_read_req(&card.dma, &req);
    card.span = req.span;
    iov_span_claim(card.span, &card, IOV_PART_QUEUE, machine_now(&guest.machine));
    packet->span = card.span;
    memset(packet->data, 0, packet->size);
    iov_packet_send(&card.wire, packet);
    card.span = NULL;
    card_interrupt();
}

static void on_card_late(struct iov_event *event)
{
    (void)event;
    card_interrupt();
}

static iov_time card_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct iov_mem_req req = {
        .address = 0x9000, .data = packet->data, .size = packet->size, .flags = IOV_MEM_PAYLOAD
    };

    (void)port;
    card.received++;
    card.room--;
    iov_span_claim(packet->span, &card, IOV_PART_QUEUE, machine_now(&guest.machine));
    req.span = packet->span;
    card.span = packet->span;
    iov_mem_write_req(&card.dma, &req);
    if (!card.quiet)
        card_interrupt();
    card.span = NULL;
    iov_packet_free(packet);
    return 0;
}

static bool card_ready(const struct iov_packet_port *port)
{
    (void)port;
    return card.room > 0;
}

static const struct iov_packet_ops card_packet_ops = { .receive = card_receive,
                                                       .ready = card_ready };

/* ---- The network: answers at once, or after a while ---- */

struct echo {
    struct iov_packet_port port;
    iov_time delay;
    struct iov_event answer;
    struct iov_packet_queue queue;
    struct iov_event flood; /* a frame each `interval`, `left` of them */
    iov_time interval;
    unsigned left;
};

static struct echo echo;

static void on_answer(struct iov_event *event)
{
    (void)event;
    iov_packet_send(&echo.port, iov_packet_queue_pop(&echo.queue));
}

static iov_time echo_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    iov_span_claim(packet->span, &echo, IOV_PART_WIRE, machine_now(&guest.machine));
    if (echo.delay == 0) {
        iov_packet_send(port, packet);
    } else {
        iov_packet_queue_push(&echo.queue, packet);
        iov_event_in(&echo.answer, echo.delay);
    }
    return 0;
}

static const struct iov_packet_ops echo_ops = { .receive = echo_receive };

static void on_flood(struct iov_event *event)
{
    struct iov_packet *packet = iov_packet_new(card.pool, 64);

    memset(packet->data, 0, packet->size);
    iov_packet_send(&echo.port, packet);
    if (--echo.left > 0)
        iov_event_in(event, echo.interval);
}

static void flood(unsigned frames, iov_time interval)
{
    echo.left = frames;
    echo.interval = interval;
    iov_event_in(&echo.flood, interval);
}

/* ---- Bench ---- */

static unsigned taken;

static void setup(void)
{
    const uint64_t coalesced[] = { RDT, 4 };
    const uint64_t cpus[] = { 1 };

    guest_new(2);
    taken = 0;
    emulator = bench_add(guest.machine.bench, "emulator", "emulator");
    cr_assert(iov_model_set_ref(emulator, "host", (IovModel *)guest.machine.host, NULL));
    cr_assert(iov_model_set_counts(emulator, "coalesced", coalesced, 2, NULL));
    cr_assert(iov_model_set_counts(emulator, "cpus", cpus, 1, NULL));
    bench_number(emulator, "kick-register", KICK);
    bench_number(emulator, "kick-size", 64);
    bench_number(emulator, "io-thread", false);
    card = (struct card){ .registers = { .ops = &card_ops, .size = DEVICE_SIZE },
                          .pool = iov_packet_pool_new(),
                          .room = UINT_MAX };
    echo = (struct echo){ .port.ops = &echo_ops };
    iov_event_init(&card.send, machine_kernel(&guest.machine), on_card_send, IOV_PRIORITY_DEFAULT);
    iov_event_init(&card.late, machine_kernel(&guest.machine), on_card_late, IOV_PRIORITY_DEFAULT);
    iov_event_init(&echo.answer, machine_kernel(&guest.machine), on_answer, IOV_PRIORITY_DEFAULT);
    iov_event_init(&echo.flood, machine_kernel(&guest.machine), on_flood, IOV_PRIORITY_DEFAULT);
}

static void connect_packets(struct iov_packet_port *a, struct iov_packet_port *b)
{
    a->peer = b;
    b->peer = a;
}

static void start(void (*main)(TestProgram *, struct iov_exec *, unsigned),
                  void (*interrupt)(TestProgram *, struct iov_exec *, uint8_t))
{
    guest_wire();
    bench_wire_at(guest.vm, "mmio", emulator, "registers", DEVICE_BASE);
    bench_wire_at(guest.vm, "doorbell", emulator, "kick", DEVICE_BASE + KICK);
    bench_wire(emulator, "ram", guest.vm, "ram");
    bench_wire(emulator, "msi", guest.vm, "msi");
    bench_wire_at(emulator, "interrupt", guest.vm, "gsi", LINE);
    ((struct iov_mem_initiator *)iov_model_port(emulator, "device", 0))->peer = &card.registers;
    card.dma.peer = iov_model_port(emulator, "dma", 0);
    card.line.peer = iov_model_port(emulator, "line", 0);
    card.wire.ops = &card_packet_ops;
    connect_packets(&card.wire, iov_model_port(emulator, "frames", 0));
    connect_packets(&echo.port, iov_model_port(emulator, "netdev", 0));
    guest.program->main = main;
    guest.program->interrupt = interrupt;
    guest_start();
    guest_run(100 * IOV_MS);
}

static void teardown(void)
{
    guest_free();
    iov_packet_pool_unref(card.pool, NULL);
}

TestSuite(emulator, .init = setup, .fini = teardown);

/* ---- What an operation led to ---- */

struct outcome {
    uint64_t exits[IOV_MEASURE_REASONS];
    uint64_t user;
};

static struct outcome before;

static void begin(void)
{
    memcpy(before.exits, guest.counters->exits, sizeof before.exits);
    before.user = guest.counters->user_exits;
}

/* Exactly one exit since begin(), for `reason`, that went to user space or not. */
static void expect(unsigned reason, bool user)
{
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        cr_assert(eq(u64, guest.counters->exits[i] - before.exits[i], i == reason), "reason %u", i);
    cr_assert(eq(u64, guest.counters->user_exits - before.user, user));
}

static void store(struct iov_exec *exec, uint32_t offset, uint32_t value)
{
    iov_exec_store(exec, DEVICE_BASE + offset, 4, value);
}

static void load(struct iov_exec *exec, uint32_t offset)
{
    iov_exec_load(exec, DEVICE_BASE + offset, 4);
}

/* The handler, step by step: five accesses, one read of ISR, one EOI, and the ring's new buffer. */
static void e1000_handler(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    cr_assert(eq(u8, vector, VECTOR));
    taken++;
    begin();
    load(exec, ICR);
    expect(IOV_EXIT_EPT_MISCONFIG, true);
    begin();
    store(exec, IMC, 0xffffffff);
    expect(IOV_EXIT_EPT_MISCONFIG, true);
    begin();
    load(exec, STATUS);
    expect(IOV_EXIT_EPT_MISCONFIG, true);
    begin();
    iov_exec_rdmsr(exec, 0x800 + ((IOV_APIC_ISR + 0x10) >> 4));
    expect(IOV_EXIT_MSR_READ, false);
    begin();
    guest_eoi(exec);
    expect(IOV_EXIT_MSR_WRITE, false);
    begin();
    store(exec, RDT, 0x9f);
    expect(IOV_EXIT_EPT_MISCONFIG, false);
    begin();
    store(exec, IMS, 0x9d);
    expect(IOV_EXIT_EPT_MISCONFIG, true);
    begin();
    load(exec, STATUS);
    expect(IOV_EXIT_EPT_MISCONFIG, true);
}

static void boot(struct iov_exec *exec)
{
    guest_ioapic(exec, LINE, IOAPIC_ENTRY_LEVEL | VECTOR);
    guest_boot(exec, true);
}

static void main_local(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    store(exec, TDT, 0xf3);
    iov_exec_compute(exec, 10 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(emulator, one_e1000_request_with_a_local_peer_is_the_recorded_nine_exits)
{
    start(main_local, e1000_handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(uint, card.received, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 7));
    cr_assert(eq(u64, all_exits(), 9));
    cr_assert(eq(u64, guest.counters->user_exits, 6));
    cr_assert(eq(u64, guest.counters->device_exits, 7));
    cr_assert(eq(u64, guest.counters->injections, 1));
}

static void main_remote(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    store(exec, TDT, 0xf3);
    guest_idle(exec, &taken, 2);
    guest.done = true;
}

Test(emulator, a_reply_that_comes_later_takes_a_second_interrupt_and_five_accesses)
{
    echo.delay = 100 * IOV_US;
    start(main_remote, e1000_handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 2));
    /* both handlers put a buffer back in this script: 1 + 2 * 6 */
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 13));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 2));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_READ), 2));
}

/* ---- Coalesced writes ---- */

static void main_coalesced(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    store(exec, RDT, 1);
    store(exec, RDT, 2);
    cr_assert(eq(uint, card.accesses, 0));
    load(exec, STATUS);
    cr_assert(eq(uint, card.accesses, 3));
    guest.done = true;
}

Test(emulator, coalesced_writes_wait_and_come_before_the_next_access)
{
    start(main_coalesced, NULL);
    cr_assert(guest.done);
    cr_assert(eq(u64, guest.counters->user_exits, 1));
    cr_assert(eq(u32, card.log[0].offset, RDT));
    cr_assert(eq(u32, card.log[1].offset, RDT));
    cr_assert(eq(u32, card.log[2].offset, STATUS));
}

static void main_coalesced_full(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    for (unsigned i = 0; i <= IOV_KVM_COALESCED_MAX; i++)
        store(exec, RDT, i);
    guest.done = true;
}

Test(emulator, a_full_ring_of_coalesced_writes_goes_to_user_space)
{
    start(main_coalesced_full, NULL);
    cr_assert(guest.done);
    cr_assert(eq(uint, card.accesses, IOV_KVM_COALESCED_MAX + 1));
    cr_assert(eq(u64, guest.counters->user_exits, 1));
}

/* ---- ioeventfd ---- */

static iov_time doorbell_done;

static void simple_handler(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest_eoi(exec);
}

static void main_doorbell(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    begin();
    iov_exec_store(exec, DEVICE_BASE + KICK + 4, 2, 1);
    doorbell_done = machine_now(&guest.machine);
    guest_idle(exec, &taken, 1);
    guest.done = true;
}

Test(emulator, an_ioeventfd_wakes_the_io_thread_and_returns)
{
    card.message = true;
    echo.delay = IOV_SEC;
    start(main_doorbell, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 1));
    cr_assert(eq(u64, guest.counters->user_exits, 0));
    cr_assert(eq(u64, guest.counters->device_exits, 1));
    cr_assert(eq(uint, card.accesses, 1));
    cr_assert(eq(u32, card.log[0].offset, KICK + 4));
    cr_assert(lt(u64, doorbell_done, card.log[0].when),
              "the guest goes on before the device sees it");
    cr_assert(ne(ptr, card.log[0].thread, vcpu(0)->thread));
}

Test(emulator, without_ioeventfd_the_device_works_before_the_guest_re_enters)
{
    bench_number(guest.vm, "ioeventfd", false);
    card.message = true;
    echo.delay = IOV_SEC;
    start(main_doorbell, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 1), "the same exits");
    cr_assert(eq(u64, guest.counters->user_exits, 1));
    cr_assert(lt(u64, card.log[0].when, doorbell_done));
    cr_assert(eq(ptr, card.log[0].thread, vcpu(0)->thread));
    cr_assert(eq(uint, taken, 1));
}

/* ---- The recorded sequences of virtio-net: transmit interrupt and reply by message ---- */

static void main_virtio_request(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    begin();
    iov_exec_store(exec, DEVICE_BASE + KICK + 4, 2, 1);
    expect(IOV_EXIT_EPT_MISCONFIG, false);
    begin();
    guest_idle(exec, &taken, 1);
    expect(IOV_EXIT_HLT, false);
    begin();
    guest_idle(exec, &taken, 2);
    expect(IOV_EXIT_HLT, false);
    guest.done = true;
}

Test(emulator, one_virtio_request_with_a_distant_peer_is_the_recorded_three_exits)
{
    card.message = true;
    echo.delay = 50 * IOV_US;
    start(main_virtio_request, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 3));
    cr_assert(eq(u64, guest.counters->injections, 2));
    cr_assert(eq(u64, bench_stat(guest.vm, "pv-eois"), 1),
              "KVM hears of the second at the next exit");
    cr_assert(eq(u64, bench_stat(guest.vm, "eoi-exits"), 0));
}

static void main_virtio_user(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    static struct later second;

    (void)self;
    (void)index;
    guest_boot(exec, true);
    begin();
    iov_exec_store(exec, DEVICE_BASE + STATUS, 2, 1); /* a register that goes to user space */
    expect(IOV_EXIT_EPT_MISCONFIG, true);
    iov_event_in(&card.late, 50 * IOV_US);
    begin();
    guest_idle(exec, &taken, 1);
    expect(IOV_EXIT_HLT, false);
    /* The reply comes on the way to idle, with interrupts off. */
    iov_exec_do(exec, IOV_OP_CLI);
    msi_at(&second, machine_now(&guest.machine) + IOV_US, VECTOR + 1);
    begin();
    iov_exec_compute(exec, 5 * IOV_US, IOV_PART_GUEST);
    expect(IOV_EXIT_EXTERNAL_INTERRUPT, false);
    iov_exec_do(exec, IOV_OP_STI);
    begin();
    iov_exec_do(exec, IOV_OP_HLT);
    expect(IOV_EXIT_HLT, false);
    begin();
    iov_exec_compute(exec, 5 * IOV_US, IOV_PART_GUEST);
    expect(IOV_EXIT_INTERRUPT_WINDOW, false);
    cr_assert(eq(uint, taken, 2));
    guest.done = true;
}

Test(emulator, one_virtio_request_without_ioeventfd_is_the_recorded_five_exits)
{
    card.message = true;
    start(main_virtio_user, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 5));
    cr_assert(eq(u64, bench_stat(guest.vm, "eoi-exits"), 0));
}

/* ---- Who waits for whom ---- */

static unsigned late_taken_before;
static iov_time late_at;

static void main_late(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    late_taken_before = taken;
    late_at = machine_now(&guest.machine) + 50 * IOV_US;
    iov_event_at(&card.late, late_at);
    guest_idle(exec, &taken, 1);
    guest.done = true;
}

Test(emulator, what_a_device_does_by_itself_is_played_by_the_io_thread)
{
    card.message = true;
    start(main_late, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, guest.counters->wakeups >= 2, 1), "I/O thread and vCPU");
}

static iov_time access_time[2];

static void main_contend(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    iov_time begin_at;

    (void)self;
    (void)index;
    guest_boot(exec, true);
    begin_at = machine_now(&guest.machine);
    load(exec, STATUS);
    access_time[0] = machine_now(&guest.machine) - begin_at;
    iov_exec_store(exec, DEVICE_BASE + KICK, 2, 1);
    iov_exec_compute(exec, 500 * IOV_NS, IOV_PART_GUEST); /* the I/O thread is at it now */
    begin_at = machine_now(&guest.machine);
    load(exec, STATUS);
    access_time[1] = machine_now(&guest.machine) - begin_at;
    guest.done = true;
}

Test(emulator, an_access_waits_while_the_main_loop_has_the_big_lock)
{
    start(main_contend, NULL);
    cr_assert(guest.done);
    IOV_MODEL_GET_CLASS(emulator)->update_statistics(emulator);
    cr_assert(eq(u64, bench_stat(emulator, "lock-waits"), 1));
    cr_assert(lt(u64, access_time[0], access_time[1]));
}

Test(emulator, an_io_thread_of_its_own_holds_nobody_up)
{
    bench_number(emulator, "io-thread", true);
    start(main_contend, NULL);
    cr_assert(guest.done);
    IOV_MODEL_GET_CLASS(emulator)->update_statistics(emulator);
    cr_assert(eq(u64, bench_stat(emulator, "lock-waits"), 0));
    cr_assert(eq(u64, access_time[1], access_time[0]));
}

/* ---- More frames than the main loop can take ---- */

#define READ_TIME IOV_US /* "tap-read" */
#define RING 300

/* How long who waits for the big lock has to get there first. */
static void set_poll(iov_time poll)
{
    ((IovEmulator *)(void *)emulator)->poll_cost = poll;
}

static void main_flooded(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    iov_time begin_at;

    (void)self;
    (void)index;
    guest_boot(exec, true);
    flood(20000, READ_TIME / 2);
    iov_exec_compute(exec, 120 * IOV_US, IOV_PART_GUEST);
    begin_at = machine_now(&guest.machine);
    load(exec, STATUS);
    access_time[0] = machine_now(&guest.machine) - begin_at;
    guest.done = true;
}

Test(emulator, an_access_waits_for_the_frames_of_one_round_when_they_do_not_end)
{
    set_poll(5 * IOV_US);
    card.quiet = true;
    start(main_flooded, NULL);
    cr_assert(guest.done);
    cr_assert(lt(u64, access_time[0], 50 * READ_TIME + 10 * IOV_US));
    cr_assert(lt(u64, 19900, card.received + bench_stat(emulator, "drops")));
}

Test(emulator, one_that_is_never_quick_enough_for_the_lock_gets_it_when_the_ring_is_full)
{
    set_poll(500 * IOV_NS); /* a wake-up takes longer */
    card.quiet = true;
    card.room = RING;
    start(main_flooded, NULL);
    cr_assert(guest.done);
    cr_assert(lt(u64, 100 * READ_TIME, access_time[0]), "it lost more than one round");
    cr_assert(lt(u64, access_time[0], RING * READ_TIME + 10 * IOV_US));
    cr_assert(eq(uint, card.received, RING));
}

static unsigned received_before;

static void main_without_room(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, true);
    flood(10, 100 * IOV_NS);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    received_before = card.received;
    store(exec, RDT, 4);
    load(exec, STATUS); /* takes the write along */
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(emulator, frames_without_room_wait_in_the_tap_until_an_access_makes_some)
{
    card.quiet = true;
    card.room = 3;
    start(main_without_room, NULL);
    cr_assert(guest.done);
    cr_assert(eq(uint, received_before, 3));
    cr_assert(eq(uint, card.received, 7));
    cr_assert(eq(u64, bench_stat(emulator, "drops"), 0));
    IOV_MODEL_GET_CLASS(emulator)->update_statistics(emulator);
    cr_assert(lt(u64, bench_stat(emulator, "io-thread-time"), 30 * IOV_US), "it sleeps");
}

Test(emulator, a_full_tap_loses_what_comes)
{
    bench_number(emulator, "queue-length", 5);
    card.quiet = true;
    card.room = 0;
    start(main_without_room, NULL);
    cr_assert(guest.done);
    cr_assert(eq(u64, bench_stat(emulator, "drops"), 5));
    cr_assert(eq(u64, guest.counters->drops, 5));
    cr_assert(eq(uint, card.received, 4));
}

/* ---- The request's time ---- */

static struct iov_span span;

static void spans_handler(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    uint8_t frame[106];
    struct iov_span *found;

    (void)self;
    (void)vector;
    taken++;
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    found = iov_exec_get_payload(exec, 0x9000, frame, sizeof frame);
    if (found != NULL) {
        iov_span_claim(found, exec->holder, IOV_PART_QUEUE, machine_now(&guest.machine));
        exec->span = found;
    }
    guest_eoi(exec);
}

static void main_spans(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    uint8_t frame[106] = { 0 };

    (void)self;
    (void)index;
    guest_boot(exec, true);
    iov_span_begin(&span, 1, exec->holder, machine_now(&guest.machine));
    exec->span = &span;
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    iov_exec_put_payload(exec, 0x8000, frame, sizeof frame, &span);
    iov_exec_store(exec, DEVICE_BASE + KICK, 2, 1);
    exec->span = NULL;
    guest_idle(exec, &taken, 2);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    iov_span_mark(&span, exec->holder, IOV_PART_GUEST, machine_now(&guest.machine));
    guest.done = true;
}

Test(emulator, a_request_s_parts_add_up_across_threads_and_back)
{
    iov_time sum = 0;

    card.message = true;
    echo.delay = 30 * IOV_US;
    start(main_spans, spans_handler);
    cr_assert(guest.done);
    for (unsigned i = 0; i < IOV_PART_COUNT; i++)
        sum += span.parts[i];
    cr_assert(eq(u64, sum, span.cursor - span.begin));
    cr_assert(eq(ptr, (void *)(uintptr_t)span.holder, (void *)(uintptr_t)vcpu(0)->thread));
    cr_assert(lt(u64, 4 * IOV_US, span.parts[IOV_PART_WAKEUP]), "I/O thread, I/O thread, vCPU");
    cr_assert(eq(u64, span.parts[IOV_PART_QUEUE], 30 * IOV_US), "the echo holds it unmarked");
    cr_assert(eq(u64, span.parts[IOV_PART_EXIT] % 100000, 0));
}

/* ---- A line that changed before its turn ---- */

static void main_stale(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    boot(exec);
    iov_irq_set(&card.line, true, NULL); /* nobody plays it in this instant */
    iov_irq_set(&card.line, false, NULL);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(emulator, a_line_that_fell_before_it_was_played_does_not_interrupt)
{
    start(main_stale, simple_handler);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 0));
    cr_assert(eq(u64, bench_stat(emulator, "interrupts"), 0));
}
