/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, properties, wiring and life of models, with two small kinds made for it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/object/model.h"
#include "core/port/notify.h"

/* ---- A bell with everything a kind can have ---- */

typedef struct {
    IovModel parent_instance;
    iov_time delay;
    uint16_t slots;
    bool loud;
    int tone;
    char *label;
    IovModel *friend;
    struct iov_model_list others;
    struct iov_count_list beats;
    iov_time strike;
    struct iov_mem_target regs;
    struct iov_mem_initiator bus;
    struct iov_mem_map windows;
    struct iov_irq_source line;
    struct iov_irq_sink pins[4];
    struct iov_packet_port wire;
    struct iov_notify_source rung[2];
    struct iov_notify_sink ears[2];
    uint64_t rings;
    unsigned steps;
} TestBell;

typedef struct {
    IovModelClass parent_class;
} TestBellClass;

GType test_bell_get_type(void);
G_DEFINE_TYPE(TestBell, test_bell, IOV_TYPE_MODEL)

static const char *const tones[] = { "low", "high", NULL };
static const struct iov_mem_target_ops regs_ops = { 0 };
static const struct iov_irq_sink_ops pin_ops = { 0 };
static const struct iov_packet_ops wire_ops = { 0 };

static GString *heard; /* which of the ears, in order */

static void ear_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    (void)span;
    g_string_append_printf(heard, "%p ", (void *)sink);
}

static const struct iov_notify_sink_ops ear_ops = { .signal = ear_signal };

static bool bell_prepare(IovModel *model, GError **error)
{
    (void)error;
    ((TestBell *)model)->regs.size = 4096;
    return true;
}

static bool bell_realize(IovModel *model, GError **error)
{
    TestBell *self = (TestBell *)model;

    self->steps++;
    if (self->slots == 13)
        return iov_model_fail(model, error, "thirteen slots bring bad luck");
    return true;
}

static void test_bell_class_init(TestBellClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "test-bell", "A bell");
    mc->prepare = bell_prepare;
    mc->realize = bell_realize;
    IOV_PROP_TIME(mc, TestBell, delay, 0, IOV_SEC, 100 * IOV_NS, "Delay");
    IOV_PROP_COUNT(mc, TestBell, slots, 1, 64, 3, "Slots");
    IOV_PROP_BOOL(mc, TestBell, loud, true, "Loud");
    IOV_PROP_ENUM(mc, TestBell, tone, tones, 1, "Tone");
    IOV_PROP_STRING(mc, TestBell, label, "ding", "Label");
    IOV_PROP_REF(mc, TestBell, friend, "test-bell", false, "A friend");
    IOV_PROP_REF_LIST(mc, TestBell, others, "test-bell", false, "Others");
    IOV_PROP_COUNT_LIST(mc, TestBell, beats, 1, 8, "Beats");
    IOV_COST(mc, TestBell, strike, "bell-strike", "One strike");
    IOV_PORT_MEM_TARGET(mc, TestBell, regs, &regs_ops, "Registers");
    IOV_PORT_MEM_INITIATOR(mc, TestBell, bus, "Bus");
    IOV_PORT_MEM_WINDOWS(mc, TestBell, windows, "Windows");
    IOV_PORT_IRQ_SOURCE(mc, TestBell, line, "Line");
    IOV_PORT_IRQ_SINKS(mc, TestBell, pins, 4, &pin_ops, "Pins");
    IOV_PORT_PACKET_END(mc, TestBell, wire, &wire_ops, "Wire");
    IOV_PORT_NOTIFY_SOURCE_SHARED(mc, TestBell, rung, 2, "It rang");
    IOV_PORT_NOTIFY_SINKS(mc, TestBell, ears, 2, &ear_ops, "Who hears it");
    IOV_STAT(mc, TestBell, rings, "Rings");
}

static void test_bell_init(TestBell *self)
{
    (void)self;
}

static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table;
    (void)kind;
    if (g_str_equal(name, "bell-strike")) {
        *ret_cost = 7 * IOV_NS;
        return true;
    }
    g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG, "no cost %s", name);
    return false;
}

static struct iov_cost_table costs = { lookup };
static struct iov_run run;

static TestBell *bell(const char *path)
{
    GError *error = NULL;
    TestBell *self;

    g_type_ensure(test_bell_get_type());
    if (run.kernel == NULL)
        run = (struct iov_run){ .kernel = iov_kernel_new(), .seed = 1, .costs = &costs };
    self = (TestBell *)iov_model_new("test-bell", path, &run, &error);
    cr_assert_null(error);
    return self;
}

/* Expects an error whose message holds `words`. */
static void expect(GError *error, const char *words)
{
    cr_assert_not_null(error, "an error is expected: %s", words);
    cr_assert_not_null(strstr(error->message, words), "'%s' does not say '%s'", error->message,
                       words);
    g_error_free(error);
}

Test(model, defaults_come_from_the_rows)
{
    g_autoptr(GObject) object = G_OBJECT(bell("b"));
    TestBell *self = (TestBell *)object;

    cr_assert(eq(u64, self->delay, 100 * IOV_NS));
    cr_assert(eq(u16, self->slots, 3));
    cr_assert(self->loud);
    cr_assert(eq(int, self->tone, 1));
    cr_assert_str_eq(self->label, "ding");
}

Test(model, costs_come_from_the_table)
{
    g_autoptr(GObject) object = G_OBJECT(bell("b"));

    cr_assert(eq(u64, ((TestBell *)object)->strike, 7 * IOV_NS));
}

Test(model, properties_are_set_through_gobject_too)
{
    g_autoptr(GObject) object = G_OBJECT(bell("b"));

    g_object_set(object, "delay", (guint64)5, "loud", FALSE, "tone", "low", NULL);
    cr_assert(eq(u64, ((TestBell *)object)->delay, 5));
    cr_assert(eq(int, ((TestBell *)object)->loud, 0));
    cr_assert(eq(int, ((TestBell *)object)->tone, 0));
}

Test(model, numbers_out_of_range_and_unknown_names_are_errors)
{
    g_autoptr(GObject) object = G_OBJECT(bell("b"));
    IovModel *model = IOV_MODEL(object);
    GError *error = NULL;

    cr_assert(not(iov_model_set_number(model, "slots", 65, &error)));
    expect(error, "out of range 1..64");
    error = NULL;
    cr_assert(not(iov_model_set_number(model, "slotz", 1, &error)));
    expect(error, "no property 'slotz'");
    error = NULL;
    cr_assert(not(iov_model_set_string(model, "tone", "middle", &error)));
    expect(error, "'middle' is not one of low, high");
    cr_assert(eq(u16, ((TestBell *)object)->slots, 3));
}

Test(model, references_check_the_kind)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    IovModel *both[] = { IOV_MODEL(a), IOV_MODEL(b) };
    uint64_t beats[] = { 1, 8 };

    cr_assert(iov_model_set_ref(IOV_MODEL(a), "friend", IOV_MODEL(b), NULL));
    cr_assert(iov_model_set_refs(IOV_MODEL(a), "others", both, 2, NULL));
    cr_assert(iov_model_set_counts(IOV_MODEL(a), "beats", beats, 2, NULL));
    cr_assert(eq(ptr, (void *)((TestBell *)a)->friend, b));
    cr_assert(eq(ptr, (void *)((TestBell *)a)->others.items[1], b));
    cr_assert(eq(u64, ((TestBell *)a)->beats.items[1], 8));
}

Test(model, wires_join_initiator_and_target_from_either_end)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    TestBell *first = (TestBell *)a, *second = (TestBell *)b;

    cr_assert(iov_model_wire(IOV_MODEL(b), "regs", IOV_MODEL(a), "bus", false, 0, NULL));
    cr_assert(eq(ptr, (void *)first->bus.peer, &second->regs));
    cr_assert(iov_model_wire(IOV_MODEL(a), "line", IOV_MODEL(b), "pins", true, 3, NULL));
    cr_assert(eq(ptr, (void *)first->line.peer, &second->pins[3]));
    cr_assert(iov_model_wire(IOV_MODEL(a), "wire", IOV_MODEL(b), "wire", false, 0, NULL));
    cr_assert(eq(ptr, (void *)second->wire.peer, &first->wire));
}

Test(model, wires_that_do_not_fit_are_errors)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    IovModel *first = IOV_MODEL(a), *second = IOV_MODEL(b);
    GError *error = NULL;

    cr_assert(not(iov_model_wire(first, "bus", second, "line", false, 0, &error)));
    expect(error, "is a mem port");
    error = NULL;
    cr_assert(not(iov_model_wire(first, "bus", second, "bus", false, 0, &error)));
    expect(error, "does not fit");
    error = NULL;
    cr_assert(not(iov_model_wire(first, "line", second, "pins", true, 4, &error)));
    expect(error, "'at' from 0 to 3");
    error = NULL;
    cr_assert(not(iov_model_wire(first, "bells", second, "pins", true, 4, &error)));
    expect(error, "no port 'bells'");
    error = NULL;
    cr_assert(iov_model_wire(first, "bus", second, "regs", false, 0, NULL));
    cr_assert(not(iov_model_wire(first, "bus", second, "regs", false, 0, &error)));
    expect(error, "wired already");
}

static bool listen(TestBell *source, TestBell *sink, uint64_t ear, GError **error)
{
    return iov_model_wire(IOV_MODEL(source), "rung", IOV_MODEL(sink), "ears", true, ear, error);
}

/* Which ears hear a source. */
static void expect_heard(TestBell *source, const struct iov_notify_sink *first,
                         const struct iov_notify_sink *second)
{
    g_autofree char *wanted = g_strdup_printf("%p %p ", (const void *)first, (const void *)second);

    heard = g_string_new(NULL);
    iov_notify_signal_all(source->rung, 2, NULL);
    cr_assert_str_eq(heard->str, wanted);
    g_string_free(heard, TRUE);
}

Test(model, a_source_for_several_tells_all_in_the_order_of_the_wires_crosswise_too)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    TestBell *first = (TestBell *)a, *second = (TestBell *)b;

    iov_notify_signal_all(first->rung, 2, NULL); /* nobody listens */
    cr_assert(listen(first, first, 1, NULL));
    cr_assert(listen(first, second, 0, NULL));
    cr_assert(listen(second, second, 0, NULL));
    cr_assert(listen(second, first, 1, NULL));
    expect_heard(first, &first->ears[1], &second->ears[0]);
    expect_heard(second, &second->ears[0], &first->ears[1]);
}

Test(model, a_source_for_several_tells_nobody_twice_and_no_more_than_its_places)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    TestBell *first = (TestBell *)a, *second = (TestBell *)b;
    GError *error = NULL;

    cr_assert(not(iov_model_wire(IOV_MODEL(a), "rung", IOV_MODEL(b), "ears", false, 0, &error)));
    expect(error, "port 'ears' has 2 places: the wire needs 'at' from 0 to 1");
    error = NULL;
    cr_assert(listen(first, second, 0, NULL));
    cr_assert(not(listen(first, second, 0, &error)));
    expect(error, "port 'rung' is wired to 'b.ears' already");
    error = NULL;
    cr_assert(listen(first, second, 1, NULL));
    cr_assert(not(listen(first, first, 0, &error)));
    expect(error, "port 'rung' has 2 places, and all are wired");
    expect_heard(first, &second->ears[0], &second->ears[1]);
}

Test(model, windows_need_a_place_and_do_not_overlap)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("b"));
    GError *error = NULL;

    cr_assert(iov_model_prepare(IOV_MODEL(b), NULL));
    cr_assert(not(iov_model_wire(IOV_MODEL(a), "windows", IOV_MODEL(b), "regs", false, 0, &error)));
    expect(error, "needs 'at'");
    cr_assert(iov_model_wire(IOV_MODEL(a), "windows", IOV_MODEL(b), "regs", true, 0x1000, NULL));
    error = NULL;
    cr_assert(
        not(iov_model_wire(IOV_MODEL(a), "windows", IOV_MODEL(b), "regs", true, 0x1fff, &error)));
    expect(error, "overlaps");
    cr_assert_not_null(iov_mem_map_find(&((TestBell *)a)->windows, 0x1fff));
    cr_assert_null(iov_mem_map_find(&((TestBell *)a)->windows, 0x2000));
}

Test(model, realize_happens_once_and_may_fail)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    g_autoptr(GObject) b = G_OBJECT(bell("vm/b"));
    GError *error = NULL;

    cr_assert(iov_model_realize(IOV_MODEL(a), NULL));
    cr_assert(iov_model_realize(IOV_MODEL(a), NULL));
    cr_assert(eq(uint, ((TestBell *)a)->steps, 1));
    ((TestBell *)b)->slots = 13;
    cr_assert(not(iov_model_realize(IOV_MODEL(b), &error)));
    expect(error, "vm/b: thirteen slots");
}

Test(model, children_live_and_count_with_their_parent)
{
    g_autoptr(GObject) a = G_OBJECT(bell("a"));
    IovModel *child = iov_model_new_child(IOV_MODEL(a), "test-bell", "small", NULL);

    cr_assert_str_eq(child->path, "a/small");
    cr_assert(iov_model_realize(IOV_MODEL(a), NULL));
    cr_assert(child->prepared);
    cr_assert(child->realized);
    ((TestBell *)child)->rings = 4;
    iov_model_reset_statistics(IOV_MODEL(a));
    cr_assert(eq(u64, ((TestBell *)child)->rings, 0));
}

Test(model, kinds_are_found_by_name)
{
    g_auto(GStrv) kinds = NULL;

    g_object_unref(bell("a"));
    kinds = iov_kind_list();
    cr_assert(g_strv_contains((const char *const *)kinds, "test-bell"));
    cr_assert_str_eq(iov_kind_info("test-bell")->text, "A bell");
    cr_assert_null(iov_kind_info("test-gong"));
}
