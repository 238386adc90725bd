/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bench, tried on two kinds of this file: a doorbell whose write becomes one interrupt message,
 * and a patch panel that has a port of every other type and passes on what comes.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

#include "core/harness/harness.h"

/* ---- doorbell: rings that fall inside the delay merge ---- */

#define DOORBELL_RING 0x00  /* WO, 32 bit: any value rings */
#define DOORBELL_RINGS 0x04 /* RO, 32 bit */

typedef struct {
    IovModel parent_instance;
    iov_time delay;               /* property */
    uint32_t message;             /* property */
    iov_time handling;            /* cost */
    struct iov_mem_target regs;   /* port */
    struct iov_mem_initiator bus; /* port */
    struct iov_event fire;        /* armed while a message is on its way */
    uint64_t rings;               /* statistic */
} IovDoorbell;
typedef IovModelClass IovDoorbellClass;

static GType iov_doorbell_get_type(void);
G_DEFINE_TYPE(IovDoorbell, iov_doorbell, IOV_TYPE_MODEL)

static void on_fire(struct iov_event *event)
{
    IovDoorbell *self = iov_container_of(event, IovDoorbell, fire);
    struct iov_mem_req req = {
        .address = 0xfee00000, .data = &self->message, .size = 4, .pasid = IOV_NO_PASID
    };

    iov_mem_write_req(&self->bus, &req);
}

static enum iov_status regs_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovDoorbell *self = iov_container_of(port, IovDoorbell, regs);

    if (req->address != DOORBELL_RING || req->size != 4)
        return IOV_STATUS_UNSUPPORTED;
    self->rings++;
    if (!iov_event_armed(&self->fire))
        iov_event_in(&self->fire, self->delay + self->handling);
    return IOV_STATUS_OK;
}

static enum iov_status regs_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovDoorbell *self = iov_container_of(port, IovDoorbell, regs);

    if (req->address != DOORBELL_RINGS || req->size != 4)
        return IOV_STATUS_UNSUPPORTED;
    iov_mem_set_value(req, self->rings);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops regs_ops = { .read = regs_read, .write = regs_write };

static bool doorbell_realize(IovModel *model, GError **error)
{
    IovDoorbell *self = (IovDoorbell *)model;

    if (self->message == 13)
        return iov_model_fail(model, error, "13 brings bad luck");
    iov_event_init(&self->fire, model->kernel, on_fire, IOV_PRIORITY_DEFAULT);
    return true;
}

static void iov_doorbell_class_init(IovDoorbellClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = doorbell_realize;
    iov_model_class_describe(mc, "doorbell", "A write becomes one interrupt message");
    IOV_PROP_TIME(mc, IovDoorbell, delay, 0, IOV_SEC, 100 * IOV_NS, "From write to message");
    IOV_PROP_COUNT(mc, IovDoorbell, message, 0, UINT32_MAX, 0x41, "Data of the message");
    IOV_COST(mc, IovDoorbell, handling, "doorbell.handling", "Work on a ring");
    IOV_PORT_MEM_TARGET(mc, IovDoorbell, regs, &regs_ops, "Doorbell page");
    IOV_PORT_MEM_INITIATOR(mc, IovDoorbell, bus, "Interrupt messages");
    IOV_STAT(mc, IovDoorbell, rings, "Writes accepted");
}

static void iov_doorbell_init(IovDoorbell *self)
{
    self->regs.size = 8;
}

/* ---- panel: passes everything on ---- */

typedef struct _IovPanel IovPanel;
typedef IovModelClass IovPanelClass;

/* An element of an array of sinks that knows where it stands. */
struct panel_pin {
    struct iov_irq_sink sink;
    IovPanel *panel;
    unsigned index;
};

struct _IovPanel {
    IovModel parent_instance;
    bool echo; /* properties */
    int colour;
    char *label;
    IovModel *friend;
    struct iov_model_list others;
    struct iov_count_list numbers;
    struct panel_pin irq_in[2]; /* ports */
    struct iov_irq_source irq_out[2];
    struct iov_notify_sink notify_in;
    struct iov_notify_source notify_out;
    struct iov_packet_port wire;
    struct iov_block_target disk_in;
    struct iov_block_initiator disk_out;
    struct iov_mem_target memory_in;
    struct iov_mem_map windows;
};

static GType iov_panel_get_type(void);
G_DEFINE_TYPE(IovPanel, iov_panel, IOV_TYPE_MODEL)

static const char *const colours[] = { "red", "green", NULL };

static void panel_irq(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct panel_pin *pin = iov_container_of(sink, struct panel_pin, sink);

    iov_irq_set(&pin->panel->irq_out[pin->index], level, span);
}
static const struct iov_irq_sink_ops panel_irq_ops = { .set = panel_irq };

static void panel_notify(struct iov_notify_sink *sink, struct iov_span *span)
{
    iov_notify_signal(&iov_container_of(sink, IovPanel, notify_in)->notify_out, span);
}
static const struct iov_notify_sink_ops panel_notify_ops = { .signal = panel_notify };

static iov_time panel_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovPanel *self = iov_container_of(port, IovPanel, wire);

    if (self->echo)
        return iov_packet_send(port, packet);
    iov_packet_free(packet);
    return 7;
}
static const struct iov_packet_ops panel_wire_ops = { .receive = panel_receive };

static void panel_submit(struct iov_block_target *target, struct iov_block_req *req)
{
    IovPanel *self = iov_container_of(target, IovPanel, disk_in);

    self->disk_out.peer->ops->submit(self->disk_out.peer, req);
}
static const struct iov_block_target_ops panel_disk_ops = { .submit = panel_submit };

static enum iov_status panel_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return iov_mem_map_access(&iov_container_of(target, IovPanel, memory_in)->windows, req, false);
}
static enum iov_status panel_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return iov_mem_map_access(&iov_container_of(target, IovPanel, memory_in)->windows, req, true);
}
static const struct iov_mem_target_ops panel_memory_ops = { .read = panel_read,
                                                            .write = panel_write };

static void iov_panel_class_init(IovPanelClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "panel", "Passes on what comes");
    IOV_PROP_BOOL(mc, IovPanel, echo, 0, "Send frames back");
    IOV_PROP_ENUM(mc, IovPanel, colour, colours, 0, "Colour");
    IOV_PROP_STRING(mc, IovPanel, label, "none", "Label");
    IOV_PROP_REF(mc, IovPanel, friend, "doorbell", false, "A doorbell");
    IOV_PROP_REF_LIST(mc, IovPanel, others, NULL, false, "Any parts");
    IOV_PROP_COUNT_LIST(mc, IovPanel, numbers, 0, 100, "Numbers");
    IOV_ROW_PORT(mc, IovPanel, irq_in, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, 2,
                 sizeof(struct panel_pin), &panel_irq_ops, "Wires in");
    IOV_PORT_IRQ_SOURCES(mc, IovPanel, irq_out, 2, "Wires out");
    IOV_PORT_NOTIFY_SINK(mc, IovPanel, notify_in, &panel_notify_ops, "Signals in");
    IOV_PORT_NOTIFY_SOURCE(mc, IovPanel, notify_out, "Signals out");
    IOV_PORT_PACKET_END(mc, IovPanel, wire, &panel_wire_ops, "Frames");
    IOV_PORT_BLOCK_TARGET(mc, IovPanel, disk_in, &panel_disk_ops, "Requests in");
    IOV_PORT_BLOCK_INITIATOR(mc, IovPanel, disk_out, "Requests out");
    IOV_PORT_MEM_TARGET(mc, IovPanel, memory_in, &panel_memory_ops, "Accesses in");
    IOV_PORT_MEM_WINDOWS(mc, IovPanel, windows, "Accesses out");
}

static void iov_panel_init(IovPanel *self)
{
    self->memory_in.size = UINT64_C(1) << 40;
    for (unsigned i = 0; i < 2; i++) {
        self->irq_in[i].panel = self;
        self->irq_in[i].index = i;
    }
}

static struct iov_harness *bench_of(const char *text)
{
    g_type_ensure(iov_doorbell_get_type());
    g_type_ensure(iov_panel_get_type());
    return iov_harness_new(text);
}

/* ---- The doorbell's tests read as a model's tests should ---- */

Test(harness, a_ring_becomes_one_message_after_the_delay)
{
    struct iov_harness *bench = bench_of("kind: doorbell\ndelay: 250ns\nmessage: 0x42\n"
                                         "costs: { doorbell.handling: 50ns }");
    struct iov_fake_mem *bus = iov_harness_mem(bench, "bus", 0);

    iov_harness_start(bench);
    iov_harness_write(bench, "regs", DOORBELL_RING, 4, 1);
    iov_harness_run_for(bench, 299 * IOV_NS);
    cr_assert(eq(uint, bus->messages, 0));
    iov_harness_run_for(bench, 1 * IOV_NS);
    cr_assert(eq(uint, bus->messages, 1));
    cr_assert(eq(u64, bus->last_message.value, 0x42));
    cr_assert(eq(u64, bus->last_message.when, 300 * IOV_NS));
    iov_harness_free(bench);
}

Test(harness, rings_inside_the_delay_merge)
{
    struct iov_harness *bench = bench_of("kind: doorbell");

    iov_harness_start(bench);
    for (int i = 0; i < 5; i++) {
        iov_harness_write(bench, "regs", DOORBELL_RING, 4, 1);
        iov_harness_run_for(bench, 10 * IOV_NS);
    }
    cr_assert(iov_harness_run_idle(bench, IOV_US));
    cr_assert(eq(uint, iov_harness_mem(bench, "bus", 0)->messages, 1));
    cr_assert(eq(u64, iov_harness_stat(bench, "rings"), 5));
    cr_assert(eq(u64, iov_harness_read(bench, "regs", DOORBELL_RINGS, 4), 5));
    iov_harness_free(bench);
}

Test(harness, a_refused_read_gives_ones)
{
    struct iov_harness *bench = bench_of("kind: doorbell");
    uint16_t data = 0;
    struct iov_mem_req req = { .address = 0x100, .data = &data, .size = 2 };

    iov_harness_start(bench);
    cr_assert(eq(u64, iov_harness_read(bench, "regs", DOORBELL_RINGS, 2), 0xffff));
    cr_assert(eq(int, iov_harness_access(bench, "regs", false, &req), IOV_STATUS_UNSUPPORTED));
    iov_harness_free(bench);
}

/* ---- Fakes ---- */

Test(harness, irq_fakes_record_edges_of_each_element)
{
    struct iov_harness *bench = bench_of("kind: panel");
    struct iov_fake_irq *wire;
    struct iov_span span = { .id = 4 };

    iov_harness_start(bench);
    wire = iov_harness_irq(bench, "irq-out", 1);
    iov_harness_run_for(bench, 5);
    iov_harness_drive(bench, "irq-in", 1, true, &span);
    iov_harness_drive(bench, "irq-in", 1, true, NULL); /* no change */
    iov_harness_run_for(bench, 5);
    cr_assert(wire->level);
    iov_harness_drive(bench, "irq-in", 1, false, NULL);
    cr_assert(eq(uint, wire->rises, 1));
    cr_assert(eq(uint, wire->falls, 1));
    cr_assert(eq(u64, wire->last_rise, 5));
    cr_assert(eq(u64, wire->last_fall, 10));
    cr_assert(eq(ptr, wire->span, &span));
    cr_assert(eq(uint, iov_harness_irq(bench, "irq-out", 0)->rises, 0));
    iov_harness_free(bench);
}

Test(harness, notify_fakes_count_signals)
{
    struct iov_harness *bench = bench_of("kind: panel");
    struct iov_span span = { .id = 4 };

    iov_harness_start(bench);
    iov_harness_signal(bench, "notify-in", 0, NULL);
    iov_harness_run_for(bench, 9);
    iov_harness_signal(bench, "notify-in", 0, &span);
    cr_assert(eq(uint, iov_harness_notify(bench, "notify-out", 0)->signals, 2));
    cr_assert(eq(u64, iov_harness_notify(bench, "notify-out", 0)->last, 9));
    cr_assert(eq(ptr, iov_harness_notify(bench, "notify-out", 0)->span, &span));
    iov_harness_free(bench);
}

Test(harness, packet_fakes_send_and_collect)
{
    struct iov_harness *bench = bench_of("kind: panel\necho: on");
    struct iov_fake_packet *wire;
    struct iov_packet *packet;
    struct iov_span span = { .id = 4 };

    iov_harness_start(bench);
    wire = iov_harness_packet(bench, "wire", 0);
    wire->interval = 67 * IOV_NS;
    iov_harness_run_for(bench, 3);
    cr_assert(eq(u64, iov_harness_inject(bench, "wire", "hello", 6, &span), 67 * IOV_NS));
    iov_harness_inject(bench, "wire", "again", 6, NULL);
    packet = iov_fake_packet_take(wire);
    cr_assert_str_eq((char *)packet->data, "hello");
    cr_assert(eq(ptr, packet->span, &span));
    cr_assert(eq(u64, packet->stamp, 3));
    iov_packet_free(packet);
    cr_assert(eq(uint, wire->received, 2));
    iov_harness_free(bench); /* the second frame goes with it */
}

static unsigned done_calls;

static void on_done(struct iov_block_req *req)
{
    (void)req;
    done_calls++;
}

Test(harness, block_fakes_answer_in_order_with_delay)
{
    struct iov_harness *bench = bench_of("kind: panel");
    struct iov_fake_block *disk;
    char out[] = "sector", in[8] = "";
    struct iov_block_req write = {
        .op = IOV_BLOCK_WRITE, .offset = 512, .size = 7, .data = out, .done = on_done
    };
    struct iov_block_req read = {
        .op = IOV_BLOCK_READ, .offset = 512, .size = 7, .data = in, .done = on_done
    };
    struct iov_block_req far = {
        .op = IOV_BLOCK_READ, .offset = UINT64_MAX, .size = 2, .data = in, .done = on_done
    };

    iov_harness_start(bench);
    disk = iov_harness_block(bench, "disk-out", 0);
    disk->delay = 10;
    iov_harness_submit(bench, "disk-in", &write);
    iov_harness_submit(bench, "disk-in", &read);
    iov_harness_submit(bench, "disk-in", &far);
    iov_harness_run_for(bench, 20);
    cr_assert(eq(uint, done_calls, 2));
    cr_assert_str_eq(in, "sector");
    iov_harness_run_for(bench, 10);
    cr_assert(eq(uint, done_calls, 3));
    cr_assert(eq(int, far.status, IOV_BLOCK_OUT_OF_RANGE));
    iov_harness_free(bench);
}

Test(harness, memory_fakes_hold_bytes_spans_and_answers)
{
    struct iov_harness *bench = bench_of("kind: panel");
    struct iov_fake_mem *memory;
    struct iov_span span = { .id = 4 };
    uint32_t data = 0x12345678;
    struct iov_mem_req req = { .address = 0x1000,
                               .data = &data,
                               .size = 4,
                               .delay = 5,
                               .flags = IOV_MEM_PAYLOAD,
                               .span = &span };

    iov_harness_start(bench);
    memory = iov_harness_mem(bench, "windows", 0);
    memory->read_delay = 90 * IOV_NS;
    iov_harness_access(bench, "memory-in", true, &req);
    cr_assert(eq(u64, req.delay, 5));
    req.span = NULL;
    iov_harness_access(bench, "memory-in", false, &req);
    cr_assert(eq(ptr, req.span, &span));
    cr_assert(eq(u64, req.delay, 90 * IOV_NS + 5));
    cr_assert(eq(u64, iov_fake_mem_get(memory, 0x1002, 2), 0x1234));
    iov_fake_mem_answer(memory, 0x900000000, 7);
    cr_assert(eq(u64, iov_harness_read(bench, "memory-in", 0x900000000, 4), 7));
    cr_assert(eq(u64, iov_harness_read(bench, "memory-in", 0x900000000, 4), 0xffffffff));
    memory->status = IOV_STATUS_ABORT;
    cr_assert(eq(u64, iov_harness_read(bench, "memory-in", 0x1000, 1), 0xff));
    cr_assert(eq(uint, memory->reads, 4));
    cr_assert(eq(uint, memory->writes, 1));
    cr_assert(eq(uint, memory->count, 5));
    cr_assert(memory->accesses[0].write);
    cr_assert(eq(u64, memory->accesses[0].value, 0x12345678));
    cr_assert(eq(int, memory->accesses[4].status, IOV_STATUS_ABORT));
    iov_harness_free(bench);
}

/* ---- Several parts ---- */

Test(harness, parts_refer_to_each_other_and_are_wired)
{
    struct iov_harness *bench =
        bench_of("kind: panel\nlabel: left\ncolour: green\nfriend: bell\nothers: [right, bell]\n"
                 "numbers: [1, 0x10]");
    IovPanel *panel = (IovPanel *)bench->model;
    IovModel *right = iov_harness_add(bench, "right", "kind: panel\necho: on");
    IovModel *bell = iov_harness_add(bench, "bell", "kind: doorbell\nmessage: 9");

    iov_harness_wire(bench, "dut.wire", "right.wire", -1);
    iov_harness_wire(bench, "dut.windows", "bell.regs", 0x5000);
    iov_harness_start(bench);
    cr_assert(eq(ptr, panel->friend, bell));
    cr_assert(eq(uint, panel->others.count, 2));
    cr_assert(eq(ptr, panel->others.items[0], right));
    cr_assert(eq(u64, panel->numbers.items[1], 16));
    cr_assert_str_eq(panel->label, "left");
    cr_assert(eq(int, panel->colour, 1));
    iov_harness_write(bench, "memory-in", 0x5000, 4, 1);
    iov_harness_run_for(bench, IOV_US);
    cr_assert(eq(u64, iov_harness_mem(bench, "bell.bus", 0)->last_message.value, 9));
    iov_harness_free(bench);
}

/* ---- Mistakes ---- */

static void expect_mistake(const char *text, const char *words)
{
    GError *error = NULL;
    struct iov_harness *bench;

    g_type_ensure(iov_doorbell_get_type());
    g_type_ensure(iov_panel_get_type());
    bench = iov_harness_try_new(text, &error);
    if (bench != NULL) {
        bool started = iov_harness_try_start(bench, &error);

        cr_assert(not(started), "'%s' was accepted", text);
        iov_harness_free(bench);
    }
    cr_assert(error->domain == IOV_ERROR);
    cr_assert(strstr(error->message, words) != NULL, "'%s' says: %s", text, error->message);
    g_error_free(error);
}

Test(harness, mistakes_in_the_text_are_named)
{
    expect_mistake("delay: 5ns", "kind");
    expect_mistake("kind: dorbell", "dorbell");
    expect_mistake("kind: doorbell\ndeley: 5ns", "deley");
    expect_mistake("kind: doorbell\ndelay: 5KiB", "delay");
    expect_mistake("kind: doorbell\ndelay: 2s", "range");
    expect_mistake("kind: doorbell\ndelay: [1]", "delay");
    expect_mistake("kind: doorbell\nmessage: 13", "bad luck");
    expect_mistake("kind: doorbell\ncosts: { doorbell.handlink: 1ns }", "handlink");
    expect_mistake("kind: panel\necho: perhaps", "perhaps");
    expect_mistake("kind: panel\ncolour: blue", "blue");
    expect_mistake("kind: panel\nfriend: nobody", "nobody");
    expect_mistake("kind: panel\nfriend: dut", "wanted is a doorbell");
    expect_mistake("kind: panel\nnumbers: 5", "list");
    expect_mistake("kind: [", "");
}

Test(harness, a_port_that_does_not_exist_ends_the_test, .signal = SIGABRT)
{
    struct iov_harness *bench = bench_of("kind: doorbell");

    iov_harness_start(bench);
    iov_harness_irq(bench, "line", 0);
}
