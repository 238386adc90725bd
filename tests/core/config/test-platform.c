/* SPDX-License-Identifier: Apache-2.0 */
/* From a run file to a wired platform: what is made, what names mean, and every mistake, all told
 * together. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "core/config/platform.h"

/* ---- A box with every type of property and port, and a crate derived from it ---- */

typedef struct {
    IovModel parent_instance;
    iov_time delay;
    uint64_t room, limit;
    uint64_t clock;
    uint64_t speed;
    uint32_t depth;
    bool fast;
    int mode;
    char *label;
    IovModel *friend;
    struct iov_model_list others;
    struct iov_count_list places;
    iov_time open_cost, close_cost; /* costs */
    struct iov_mem_target regs;
    struct iov_mem_initiator bus;
    struct iov_mem_map space;
    struct iov_irq_sink pins[2];
    struct iov_irq_source line;
    struct iov_packet_port wire;
    struct iov_notify_source kick, news[3];
    struct iov_notify_sink ear;
    struct iov_processor processor;
} TestBox;
typedef struct {
    IovModelClass parent_class;
} TestBoxClass;
typedef TestBox TestCrate;
typedef TestBoxClass TestCrateClass;
typedef TestBox TestPlug;
typedef TestBoxClass TestPlugClass;

GType test_box_get_type(void);
GType test_crate_get_type(void);
GType test_plug_get_type(void);
G_DEFINE_TYPE(TestBox, test_box, IOV_TYPE_MODEL)
G_DEFINE_TYPE(TestCrate, test_crate, test_box_get_type())
G_DEFINE_TYPE(TestPlug, test_plug, IOV_TYPE_MODEL)

static GString *journal; /* what was realized and started */

static bool box_prepare(IovModel *model, GError **error)
{
    ((TestBox *)model)->regs.size = 0x1000;
    if (((TestBox *)model)->depth == 13)
        return iov_model_fail(model, error, "thirteen is too many");
    return true;
}

static bool box_realize(IovModel *model, GError **error G_GNUC_UNUSED)
{
    g_string_append_printf(journal, "%s ", model->path);
    return true;
}

static void box_start(IovModel *model)
{
    g_string_append_printf(journal, "start:%s ", model->path);
}

static const struct iov_mem_target_ops regs_ops = { 0 };
static const struct iov_irq_sink_ops pin_ops = { 0 };
static const struct iov_packet_ops wire_ops = { 0 };
static const struct iov_notify_sink_ops ear_ops = { 0 };

static void test_box_class_init(TestBoxClass *klass)
{
    static const char *const modes[] = { "slow", "medium", "rapid", NULL };
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "test-box", "A box with everything");
    mc->prepare = box_prepare;
    mc->realize = box_realize;
    mc->start = box_start;
    IOV_PROP_TIME(mc, TestBox, delay, 1 * IOV_NS, IOV_SEC, 100 * IOV_NS, "How late");
    IOV_PROP_SIZE(mc, TestBox, room, 0, UINT64_C(1) << 40, 4096, "How large");
    IOV_PROP_SIZE_OR(mc, TestBox, limit, "none", 4096, 1 << 20, 8192, "How much of it");
    IOV_PROP_FREQUENCY(mc, TestBox, clock, 1, UINT64_MAX, 1000000, "How often");
    IOV_PROP_RATE(mc, TestBox, speed, 0, UINT64_MAX, 1000000, "How many");
    IOV_PROP_COUNT(mc, TestBox, depth, 1, 64, 8, "How deep");
    IOV_PROP_BOOL(mc, TestBox, fast, false, "Hurry");
    IOV_PROP_ENUM(mc, TestBox, mode, modes, 1, "Which way");
    IOV_PROP_STRING(mc, TestBox, label, "none", "What it says");
    IOV_PROP_REF(mc, TestBox, friend, "test-box", false, "A friend");
    IOV_PROP_REF_LIST(mc, TestBox, others, "test-box", false, "More of them");
    IOV_PROP_COUNT_LIST(mc, TestBox, places, 0, 9, "Where");
    IOV_PORT_MEM_TARGET(mc, TestBox, regs, &regs_ops, "Registers");
    IOV_PORT_MEM_INITIATOR(mc, TestBox, bus, "Memory");
    IOV_PORT_MEM_WINDOWS(mc, TestBox, space, "Windows");
    IOV_PORT_IRQ_SINKS(mc, TestBox, pins, 2, &pin_ops, "Interrupts in");
    IOV_PORT_IRQ_SOURCE(mc, TestBox, line, "Interrupt out");
    IOV_PORT_PACKET_END(mc, TestBox, wire, &wire_ops, "Frames");
    IOV_PORT_NOTIFY_SOURCE(mc, TestBox, kick, "Doorbell");
    IOV_PORT_NOTIFY_SOURCE_SHARED(mc, TestBox, news, 3, "For all");
    IOV_PORT_NOTIFY_SINK(mc, TestBox, ear, &ear_ops, "For news");
    IOV_PORT_CONTRACT(mc, TestBox, processor, IOV_PORT_PROCESSOR, "Not wired");
}

static void test_box_init(TestBox *self)
{
    (void)self;
}

static void test_crate_class_init(TestCrateClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "test-crate", "A box that costs");
    IOV_COST(mc, TestCrate, open_cost, "crate-open", "Opening");
    IOV_COST(mc, TestCrate, close_cost, "crate-close", "Closing");
}

static void test_crate_init(TestCrate *self)
{
    (void)self;
}

/* A kind that needs everything. */
static void test_plug_class_init(TestPlugClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "test-plug", "A plug that must be put in");
    IOV_PROP_STRING(mc, TestPlug, label, NULL, "What it is called");
    IOV_PROP_REF(mc, TestPlug, friend, "test-box", true, "Whom it serves");
    IOV_ROW_PORT(mc, TestPlug, bus, IOV_PORT_MEM, IOV_PORT_INITIATOR, IOV_PORT_REQUIRED, 1, 0, NULL,
                 "The way out");
    IOV_ROW_PORT(mc, TestPlug, line, IOV_PORT_IRQ, IOV_PORT_INITIATOR, IOV_PORT_REQUIRED, 1, 0,
                 NULL, "The bell");
}

static void test_plug_init(TestPlug *self)
{
    (void)self;
}

/* ---- A folder with files ---- */

static char *folder;
static const char *const search_path[] = { "platforms", "configs", NULL };

static void setup(void)
{
    g_type_ensure(test_crate_get_type());
    g_type_ensure(test_plug_get_type());
    journal = g_string_new(NULL);
    folder = g_dir_make_tmp("iov-XXXXXX", NULL);
    cr_assert(eq(int, g_chdir(folder), 0));
    g_mkdir_with_parents("platforms/strategies", 0755);
    g_mkdir_with_parents("configs/costs", 0755);
}

static void remove_below(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_below(child);
        g_remove(child);
        g_free(child);
    }
    if (dir != NULL)
        g_dir_close(dir);
}

static void teardown(void)
{
    remove_below(folder);
    g_rmdir(folder);
    g_free(folder);
    g_string_free(journal, TRUE);
}

TestSuite(platform, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
    cr_assert(g_file_set_contents(name, text, -1, NULL));
}

struct loaded {
    struct iov_config *config;
    struct iov_platform *platform;
    GError *error;
};

static struct loaded load(const char *name, const char *const *sets)
{
    struct iov_config_options options = { search_path, sets };
    struct loaded loaded = { 0 };

    loaded.config = iov_config_load(name, &options, &loaded.error);
    if (loaded.config != NULL)
        loaded.platform = iov_platform_new(loaded.config, &loaded.error);
    return loaded;
}

static void finish(struct loaded *loaded)
{
    iov_platform_free(loaded->platform);
    iov_config_free(loaded->config);
    g_clear_error(&loaded->error);
}

/* Loads text that has no mistakes. */
static struct loaded good(const char *text, const char *const *sets)
{
    put("run.yaml", text);
    struct loaded loaded = load("run.yaml", sets);
    cr_assert_null(loaded.error, "%s", loaded.error != NULL ? loaded.error->message : "");
    cr_assert_not_null(loaded.platform);
    return loaded;
}
#define good(text, ...) good(text, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static TestBox *box(const struct loaded *loaded, const char *path)
{
    IovModel *model = iov_platform_find(loaded->platform, path);

    cr_assert_not_null(model, "no part %s", path);
    return (TestBox *)model;
}

/* Loads text whose mistakes are exactly these. */
static void bad(const char *text, const char *messages, const char *const *sets)
{
    put("run.yaml", text);
    struct loaded loaded = load("run.yaml", sets);
    cr_assert_null(loaded.platform);
    cr_assert_not_null(loaded.error);
    cr_assert(loaded.error->domain == IOV_ERROR && loaded.error->code == IOV_ERROR_CONFIG);
    cr_assert_str_eq(loaded.error->message, messages);
    finish(&loaded);
}
#define bad(text, messages, ...) \
    bad(text, messages, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

#define HEAD "iovsim: 1\n"

/* ---- What is made ---- */

Test(platform, makes_parts_with_their_properties)
{
    struct loaded l = good(
        HEAD
        "seed: 7\nstop: 3s\nfrequency: 2GHz\nparts:\n"
        "  a: {kind: test-box, delay: 1.5us, room: 1GiB, clock: 2.4GHz, speed: 10Gbps, depth: 0x10,"
        " fast: yes, mode: rapid, label: x y, friend: b, others: [a, b], places: [1, 2], }\n"
        "  b: {kind: test-box, others: a, places: 3, delay: 3000cycles, label: }\n");
    TestBox *a = box(&l, "a"), *b = box(&l, "b");

    cr_assert(eq(u64, a->delay, 1500 * IOV_NS));
    cr_assert(eq(u64, a->room, UINT64_C(1) << 30));
    cr_assert(eq(u64, a->clock, UINT64_C(2400000000)));
    cr_assert(eq(u64, a->speed, UINT64_C(10000000000)));
    cr_assert(eq(u32, a->depth, 16));
    cr_assert(a->fast);
    cr_assert(eq(int, a->mode, 2));
    cr_assert_str_eq(a->label, "x y");
    cr_assert(a->friend == (IovModel *)b);
    cr_assert(eq(uint, a->others.count, 2));
    cr_assert(a->others.items[1] == (IovModel *)b);
    cr_assert(eq(uint, a->places.count, 2));
    cr_assert(eq(uint, b->others.count, 1));
    cr_assert(eq(u64, b->places.items[0], 3));
    cr_assert(eq(u64, b->delay, 1500 * IOV_NS));
    cr_assert_str_eq(b->label, "none");
    cr_assert(eq(u64, iov_platform_run(l.platform)->seed, 7));
    cr_assert(eq(u64, iov_platform_stop(l.platform), 3 * IOV_SEC));
    cr_assert(eq(uint, iov_platform_count(l.platform), 2));
    finish(&l);
}

Test(platform, a_word_may_stand_for_a_number_that_is_outside_the_range)
{
    struct loaded l = good(HEAD "parts: {a: {kind: test-box, limit: none}, b: {kind: test-box}}\n");

    cr_assert(eq(u64, box(&l, "a")->limit, 0));
    cr_assert(eq(u64, box(&l, "b")->limit, 8192));
    finish(&l);
    bad(HEAD "parts: {a: {kind: test-box, limit: 0}, b: {kind: test-box, limit: non}}\n",
        "run.yaml:2:36: '0' is out of range; 'limit' of 'a' goes from 4KiB to 1MiB\n"
        "run.yaml:2:67: 'non' is not a number; 'limit' wants a size such as 4KiB");
}

Test(platform, makes_wires)
{
    struct loaded l = good(HEAD "parts: {a: {kind: test-box}, b: {kind: test-box}}\n"
                                "wires:\n"
                                "  - {from: a.bus, to: b.regs}\n"
                                "  - {from: b.regs, to: a.space, at: 0xfee00000}\n"
                                "  - {from: a.regs, to: a.space, at: 4KiB}\n"
                                "  - {from: a.line, to: b.pins, at: 1}\n"
                                "  - {from: a.wire, to: b.wire}\n");
    TestBox *a = box(&l, "a"), *b = box(&l, "b");

    cr_assert(a->bus.peer == &b->regs);
    cr_assert(eq(uint, a->space.count, 2));
    cr_assert(iov_mem_map_find(&a->space, 0xfee00000)->target == &b->regs);
    cr_assert(iov_mem_map_find(&a->space, 0x1fff)->target == &a->regs);
    cr_assert(a->line.peer == &b->pins[1]);
    cr_assert(a->wire.peer == &b->wire && b->wire.peer == &a->wire);
    finish(&l);
}

Test(platform, wires_of_a_source_for_several_take_its_places_one_after_another)
{
    struct loaded l = good(HEAD "parts: {a: {kind: test-box}, b: {kind: test-box}}\n"
                                "vm: {kind: test-box}\n"
                                "vms: [{name: x, count: 2}]\n"
                                "wires:\n"
                                "  - {from: a.news, to: x1.ear}\n"
                                "  - {from: b.news, to: vm.ear}\n"
                                "  - {from: x0.ear, to: a.news}\n");
    const TestBox *a = box(&l, "a"), *b = box(&l, "b"), *x0 = box(&l, "x0"), *x1 = box(&l, "x1");

    cr_assert(a->news[0].peer == &x1->ear && a->news[1].peer == &x0->ear);
    cr_assert(b->news[0].peer == &x0->ear && b->news[1].peer == &x1->ear);
    cr_assert_null(a->news[2].peer);
    finish(&l);
}

static const char strategy[] = HEAD "title: not the run's\n"
                                    "parameters: {n: 4}\n"
                                    "parts:\n"
                                    "  nic: {kind: test-box, depth: '${n}', friend: vm}\n"
                                    "  tap: {kind: test-box, friend: nic, others: [host, switch]}\n"
                                    "  switch: {kind: test-box, per: machine}\n"
                                    "wires:\n"
                                    "  - {from: vm.bus, to: nic.regs}\n"
                                    "  - {from: nic.bus, to: switch.regs}\n"
                                    "vm: {kind: test-box, depth: 9}\n"
                                    "guest: {kind: test-box, friend: nic}\n"
                                    "describe: {shared: yes}\n";
static const char run[] =
    HEAD "parts: {host: {kind: test-box}, other: {kind: test-box, friend: vm1/tap}}\n"
         "strategy: one\n"
         "vms: [{name: vm0}, {room: 8KiB}]\n"
         "workload: {kind: test-box, friend: guest}\n"
         "wires: [{from: host.bus, to: other.regs}]\n";

Test(platform, makes_the_parts_of_a_strategy_for_each_vm)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l = good(run);
    static const char *const paths[] = { "host",    "other",     "switch",       "vm0", "vm0/nic",
                                         "vm0/tap", "vm0/guest", "vm0/workload", "vm1", "vm1/nic",
                                         "vm1/tap", "vm1/guest", "vm1/workload" };

    cr_assert(eq(uint, iov_platform_count(l.platform), G_N_ELEMENTS(paths)));
    for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
        cr_assert_str_eq(iov_platform_at(l.platform, i)->path, paths[i]);
    cr_assert(eq(u32, box(&l, "vm1/nic")->depth, 4));
    cr_assert(eq(u32, box(&l, "vm0")->depth, 9));
    cr_assert(eq(u64, box(&l, "vm1")->room, 8192));
    finish(&l);
}

Test(platform, a_configuration_makes_any_number_of_platforms_one_after_the_other)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l = good(run);

    for (unsigned i = 0; i < 12000; i++) { /* what each adds to its VMs' entries goes with it */
        iov_platform_free(l.platform);
        l.platform = iov_platform_new(l.config, &l.error);
        cr_assert(ne(ptr, l.platform, NULL), "%u: %s", i, l.error != NULL ? l.error->message : "");
    }
    finish(&l);
}

Test(platform, lays_a_vm_s_own_values_over_its_parts)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l = good(HEAD "strategy: one\nparts: {host: {kind: test-box}}\n"
                                "vms: [{name: a}, {name: b, parts: {tap: {friend: a/nic, depth: "
                                "2}}}, {name: c, parts: }]\n");

    cr_assert(box(&l, "a/tap")->friend == (IovModel *)box(&l, "a/nic"));
    cr_assert(box(&l, "b/tap")->friend == (IovModel *)box(&l, "a/nic"));
    cr_assert(eq(u32, box(&l, "b/tap")->depth, 2));
    cr_assert(box(&l, "b/tap")->others.items[0] == (IovModel *)box(&l, "host"));
    cr_assert(eq(u32, box(&l, "c/tap")->depth, box(&l, "a/tap")->depth));
    finish(&l);
    bad(HEAD "strategy: one\nparts: {host: {kind: test-box}}\n"
             "vms: [{parts: {tpa: {depth: 2}, switch: {depth: 2}}}, {parts: 3}]\n",
        "run.yaml:4:16: no part 'tpa' is made for each VM\n"
        "run.yaml:4:33: no part 'switch' is made for each VM\n"
        "run.yaml:4:63: 'parts' of a VM wants a mapping, not a single value");
}

Test(platform, makes_as_many_vms_of_an_entry_as_it_counts)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l =
        good(HEAD "strategy: one\nparts: {host: {kind: test-box}}\nparameters: {many: 3}\n"
                  "vms: [{name: small, count: '${many}', room: 8KiB}, {name: big}, {count: 2}]\n");
    static const char *const names[] = { "small0", "small1", "small2", "big", "vm4", "vm5" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *tap = g_strconcat(names[i], "/tap", NULL);

        cr_assert(eq(u64, box(&l, names[i])->room, i < 3 ? 8192 : 4096));
        cr_assert(ne(ptr, box(&l, tap), NULL), "%s", tap);
    }
    finish(&l);
}

Test(platform, tells_counts_of_vms_that_cannot_be)
{
    bad(HEAD "parts: {a: {kind: test-box}}\nvm: {kind: test-box}\n"
             "vms: [{name: a, count: 0}, {name: b, count: 5000}, {name: c, count: x}]\n",
        "run.yaml:4:24: 'count' is 0; 1 to 4096 VMs are possible\n"
        "run.yaml:4:45: 'count' is 5000; 1 to 4096 VMs are possible\n"
        "run.yaml:4:69: 'x' is not a number; 'count' wants a plain number such as 256");
}

Test(platform, resolves_names_in_the_same_vm_before_the_machine)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l = good(run);

    cr_assert(box(&l, "vm1/nic")->friend == (IovModel *)box(&l, "vm1"));
    cr_assert(box(&l, "vm1/tap")->friend == (IovModel *)box(&l, "vm1/nic"));
    cr_assert(box(&l, "vm1/tap")->others.items[0] == (IovModel *)box(&l, "host"));
    cr_assert(box(&l, "vm1/workload")->friend == (IovModel *)box(&l, "vm1/guest"));
    cr_assert(box(&l, "other")->friend == (IovModel *)box(&l, "vm1/tap"));
    cr_assert(box(&l, "vm1")->bus.peer == &box(&l, "vm1/nic")->regs);
    cr_assert(box(&l, "vm1/nic")->bus.peer == &box(&l, "switch")->regs);
    cr_assert(box(&l, "host")->bus.peer == &box(&l, "other")->regs);
    finish(&l);
}

Test(platform, lets_the_run_override_what_the_strategy_says)
{
    put("platforms/strategies/one.yaml", strategy);
    struct loaded l =
        good(HEAD "strategy: one\nparameters: {n: 5}\nvms: [{name: a}]\nguest: {depth: 3}\n"
                  "parts: {host: {kind: test-box}, tap: {mode: slow}}\n",
             "parts.nic.mode=rapid", "vms[0].depth=2");

    cr_assert(eq(u32, box(&l, "a/nic")->depth, 5));
    cr_assert(eq(int, box(&l, "a/nic")->mode, 2));
    cr_assert(eq(int, box(&l, "a/tap")->mode, 0));
    cr_assert(eq(u32, box(&l, "a/guest")->depth, 3));
    cr_assert(eq(u32, box(&l, "a")->depth, 2));
    cr_assert_null(iov_node_text(iov_config_root(l.config), "title"));
    finish(&l);
}

Test(platform, takes_the_strategy_and_its_parameters_from_the_command_line)
{
    put("platforms/strategies/one.yaml", strategy);
    put("platforms/strategies/two.yaml",
        HEAD "parameters: {m: 1}\nvm: {kind: test-box, depth: '${m}'}\n");
    struct loaded l = good(HEAD "strategy: one\nvms: [{}]\n", "strategy=two", "parameters.m=11",
                           "parameters.m=12");

    cr_assert(eq(uint, iov_platform_count(l.platform), 1));
    cr_assert(eq(u32, box(&l, "vm0")->depth, 12));
    finish(&l);
}

Test(platform, realizes_what_is_referred_to_first_and_starts_in_order)
{
    struct loaded l = good(HEAD "parts:\n"
                                "  a: {kind: test-box, friend: c}\n"
                                "  b: {kind: test-box, others: [d, a]}\n"
                                "  c: {kind: test-box, friend: d}\n"
                                "  d: {kind: test-box, friend: a}\n");

    cr_assert(iov_platform_realize(l.platform, &l.error));
    cr_assert_str_eq(journal->str, "d c a b ");
    g_string_truncate(journal, 0);
    iov_platform_start(l.platform);
    cr_assert_str_eq(journal->str, "start:a start:b start:c start:d ");
    finish(&l);
}

Test(platform, lists_the_strategies)
{
    put("platforms/strategies/b.yaml", HEAD);
    put("platforms/strategies/a.yaml", HEAD);
    put("platforms/strategies/readme.txt", "");
    char **names = iov_strategy_list(search_path);
    char *all = g_strjoinv(" ", names);

    cr_assert_str_eq(all, "a b");
    g_free(all);
    g_strfreev(names);
}

/* ---- Costs ---- */

#define COSTS \
    HEAD "frequency: 2GHz\ncosts:\n" \
         "  crate-open: {value: 1300cycles, source: book, year: 2019, hardware: big, confidence: " \
         "high, note: seen}\n" \
         "  crate-close: {value: 5ns, source: estimate, note: a guess}\n" \
         "  unused: {value: 1ns, source: estimate}\n"

Test(platform, fills_costs_and_remembers_which_were_used)
{
    put("configs/costs/c.yaml", COSTS);
    struct loaded l = good(HEAD "costs: costs/c.yaml\nparts: {c: {kind: test-crate}}\n");

    cr_assert(eq(u64, box(&l, "c")->open_cost, 650 * IOV_NS));
    cr_assert(eq(u64, box(&l, "c")->close_cost, 5 * IOV_NS));
    cr_assert(eq(uint, iov_platform_cost_count(l.platform), 3));
    const struct iov_cost_use *use = iov_platform_cost_at(l.platform, 0);
    cr_assert_str_eq(use->name, "crate-open");
    cr_assert_str_eq(use->text, "1300cycles");
    cr_assert_str_eq(use->source, "book");
    cr_assert_str_eq(use->year, "2019");
    cr_assert_str_eq(use->hardware, "big");
    cr_assert_str_eq(use->confidence, "high");
    cr_assert_str_eq(use->note, "seen");
    cr_assert(use->used);
    cr_assert_not(iov_platform_cost_at(l.platform, 2)->used);
    finish(&l);
}

Test(platform, converts_cycles_by_the_frequency_of_the_run)
{
    put("configs/costs/c.yaml", COSTS);
    struct loaded l =
        good(HEAD "frequency: 1GHz\ncosts: costs/c.yaml\nparts: {c: {kind: test-crate}}\n");

    cr_assert(eq(u64, box(&l, "c")->open_cost, 1300 * IOV_NS));
    finish(&l);
}

Test(platform, takes_costs_inline_and_from_the_command_line)
{
    put("configs/costs/c.yaml", COSTS);
    put("run.yaml", "");
    struct loaded l = good(
        HEAD "costs: {include: costs/c.yaml, crate-close: 9ns}\nparts: {c: {kind: test-crate}}\n",
        "costs.crate-open.value=7ns");

    cr_assert(eq(u64, box(&l, "c")->open_cost, 7 * IOV_NS));
    cr_assert(eq(u64, box(&l, "c")->close_cost, 9 * IOV_NS));
    cr_assert_str_eq(iov_platform_cost_at(l.platform, 0)->source, "set on the command line");
    cr_assert_str_eq(iov_platform_cost_at(l.platform, 0)->confidence, "");
    cr_assert_str_eq(iov_platform_cost_at(l.platform, 1)->source, "given in the run file");
    finish(&l);
}

#define ADJUSTED \
    "costs:\n" \
    "  include: costs/c.yaml\n" \
    "  adjust:\n" \
    "    doors: {costs: [crate-*], factor: 150%, source: a book}\n" \
    "    hinges: {costs: [crate-close], plus: 20cycles, source: another}\n"

Test(platform, adjusts_costs_by_a_factor_and_by_what_is_added)
{
    const struct iov_cost_use *use;

    put("configs/costs/c.yaml", COSTS);
    struct loaded l = good(HEAD ADJUSTED "parts: {c: {kind: test-crate}}\n");

    cr_assert(eq(u64, box(&l, "c")->open_cost, 975 * IOV_NS));
    cr_assert(eq(u64, box(&l, "c")->close_cost, 17500 * IOV_PS)); /* 5 * 1.5 + 10 */
    use = iov_platform_cost_at(l.platform, 1);
    cr_assert_str_eq(use->text, "5ns");
    cr_assert_str_eq(use->adjusted, "doors: a book; hinges: another");
    cr_assert_str_eq(iov_platform_cost_at(l.platform, 2)->adjusted, "");
    finish(&l);
}

Test(platform, an_adjustment_can_be_switched_off_and_leaves_bare_values_alone)
{
    put("configs/costs/c.yaml", COSTS);
    struct loaded l = good(HEAD ADJUSTED "parts: {c: {kind: test-crate}}\n",
                           "costs.adjust.doors.factor=100%", "costs.crate-close=7ns");

    cr_assert(eq(u64, box(&l, "c")->open_cost, 650 * IOV_NS));
    cr_assert(eq(u64, box(&l, "c")->close_cost, 7 * IOV_NS));
    finish(&l);
}

Test(platform, an_adjustment_is_read_again_from_the_resolved_file)
{
    put("configs/costs/c.yaml", COSTS);
    struct loaded l = good(HEAD ADJUSTED "parts: {c: {kind: test-crate}}\n");
    g_autofree char *resolved = iov_config_write(l.config);
    struct loaded again = good(resolved);

    cr_assert(eq(u64, box(&again, "c")->close_cost, 17500 * IOV_PS));
    finish(&again);
    finish(&l);
}

Test(platform, reports_mistakes_in_adjustments)
{
    bad(HEAD "costs:\n"
             "  a-cost: {value: 1ns, source: x}\n"
             "  adjust:\n"
             "    one: {costs: [a-cots], factor: 2%, source: x}\n"
             "    two: {costs: [a-cost], source: x}\n"
             "    three: {costs: [a-cost], plus: 4KiB, source: x}\n"
             "    four: {costs: [a-cost], factor: 1ns, source: x, sourec: y}\n"
             "    five: {costs: [[a-cost]], plus: 1ns, source: x}\n",
        "run.yaml:5:19: 'adjust' names a cost 'a-cots', which there is not; did you mean "
        "'a-cost'?\n"
        "run.yaml:6:10: an adjustment has a list 'costs', a 'factor' such as 145% or a 'plus' such "
        "as 80ns, and a 'source'\n"
        "run.yaml:7:36: '4KiB' is a size; 'plus' wants a time such as 250ns\n"
        "run.yaml:8:53: an adjustment has no key 'sourec'; did you mean 'source'?\n"
        "run.yaml:8:37: '1ns' is a time; 'factor' wants a share such as 10%\n"
        "run.yaml:9:20: the name of a cost is wanted, or a pattern, not a list");
    bad(HEAD "costs: {a: {value: 1ns, source: x}, adjust: [b]}\n",
        "run.yaml:2:45: 'adjust' wants a mapping of names to adjustments, not a list");
}

Test(platform, says_once_which_kind_needs_a_missing_cost)
{
    bad(HEAD
        "costs: {crate-opn: {value: 1ns, source: estimate}}\nparts:\n  c: {kind: test-crate}\n  "
        "d: {kind: test-crate}\n",
        "run.yaml:4:13: 'costs' has no entry 'crate-open', which kind 'test-crate' needs; did you "
        "mean 'crate-opn'?\n"
        "run.yaml:4:13: 'costs' has no entry 'crate-close', which kind 'test-crate' needs");
}

Test(platform, a_run_file_needs_its_version_even_with_nothing_but_costs)
{
    bad("costs:\n", "run.yaml:1:1: the first key must be 'iovsim: 1', the version of the format");
}

Test(platform, costs_that_are_no_mapping_are_a_mistake)
{
    bad(HEAD "costs: [{from: a, to: b}]\n",
        "run.yaml:2:9: the name of a cost file is wanted, not a mapping");
}

Test(platform, tells_a_wrong_frequency_once_and_not_with_each_cost_in_cycles)
{
    bad(HEAD "frequency: 4KiB\n"
             "costs: { a: {value: 100cycles, source: x}, b: {value: 5cycles, source: x} }\n",
        "run.yaml:2:12: '4KiB' is a size; 'frequency' wants a frequency such as 2.4GHz");
    bad(HEAD "frequency: 0\n"
             "costs: { a: {value: 100cycles, source: x} }\n",
        "run.yaml:2:12: 'frequency' cannot be 0");
}

Test(platform, reports_mistakes_in_costs)
{
    bad(HEAD "costs:\n"
             "  a: {value: 4KiB, source: x}\n"
             "  b: {source: x}\n"
             "  c: {value: 1ns}\n"
             "  d: {value: 100cycles, source: x}\n"
             "  e: {value: 1ns, source: x, confidence: hihg}\n"
             "  f: {value: 1ns, sourc: x, source: y}\n"
             "  g: [1ns]\n",
        "run.yaml:3:14: '4KiB' is a size; 'a' wants a time such as 250ns\n"
        "run.yaml:4:6: cost 'b' has no 'value'\n"
        "run.yaml:5:3: cost 'c' names no source; write 'source: estimate' and say why in 'note'\n"
        "run.yaml:6:14: 'd' is in cycles, and no 'frequency' says how long one is\n"
        "run.yaml:7:42: 'hihg' is no choice for 'confidence': high, medium, low; did you mean "
        "'high'?\n"
        "run.yaml:8:19: a cost has no key 'sourc'; did you mean 'source'?\n"
        "run.yaml:9:6: cost 'g' has no 'value'");
}

/* ---- Mistakes ---- */

Test(platform, tells_all_mistakes_of_a_file_at_once)
{
    bad(HEAD
        "sead: 1\n"
        "seed: many\n"
        "parts:\n"
        "  a: {kind: test-bx}\n"
        "  b: {kind: test-box, deph: 3, depth: 0, delay: 4KiB, mode: medum, fast: maybe}\n"
        "  c: {kind: test-box, friend: x, others: [b, p], room: [1], places: [1, 10], label: {}}\n"
        "  p: {kind: test-plug, label: l}\n"
        "  q: [x]\n"
        "wires:\n"
        "  - {from: b.bus, to: c.line}\n"
        "  - {from: b.kick, to: c.kick}\n"
        "  - {from: b.bux, to: d.regs}\n"
        "  - {from: b.bus, to: c.regs}\n"
        "  - {from: b.processor, too: c.regs}\n"
        "  - {from: b, to: .x, at: far}\n",
        "run.yaml:2:1: a run file has no key 'sead'; did you mean 'seed'?\n"
        "run.yaml:3:7: 'many' is not a number; 'seed' wants a plain number such as 256\n"
        "run.yaml:5:13: there is no kind 'test-bx'; did you mean 'test-box'?\n"
        "run.yaml:9:6: 'q' wants a mapping with 'kind' and properties, not a list\n"
        "run.yaml:6:23: 'b', a part of kind 'test-box', has no property 'deph'; did you mean "
        "'depth'?\n"
        "run.yaml:6:39: '0' is out of range; 'depth' of 'b' goes from 1 to 64\n"
        "run.yaml:6:49: '4KiB' is a size; 'delay' wants a time such as 250ns\n"
        "run.yaml:6:61: 'medum' is no choice for 'mode': slow, medium, rapid; did you mean "
        "'medium'?\n"
        "run.yaml:6:74: 'maybe' is neither; 'fast' wants on or off\n"
        "run.yaml:7:31: there is no part 'x'\n"
        "run.yaml:7:46: 'p' is a part of kind 'test-plug'; 'others' of 'c' wants kind 'test-box'\n"
        "run.yaml:7:56: 'room' wants a size such as 4KiB, not a list\n"
        "run.yaml:7:73: '10' is out of range; 'places' of 'c' goes from 0 to 9\n"
        "run.yaml:7:85: 'label' wants a text, not a mapping\n"
        "run.yaml:8:6: 'p', a part of kind 'test-plug', needs the property 'friend': Whom it "
        "serves\n"
        "run.yaml:11:5: 'b.bus' is a port of type mem and 'c.line' of type irq\n"
        "run.yaml:12:5: 'b.kick' and 'c.kick' are both initiators; a wire joins an initiator and a "
        "target\n"
        "run.yaml:13:12: 'b', a part of kind 'test-box', has no port 'bux'; did you mean 'bus'?\n"
        "run.yaml:13:23: there is no part 'd'\n"
        "run.yaml:14:5: port 'bus' of 'b' has a wire already\n"
        "run.yaml:15:25: a wire has no key 'too'; did you mean 'to'?\n"
        "run.yaml:15:12: 'b.processor' is a processor, which is not wired: the part is referred to "
        "by a property\n"
        "run.yaml:15:5: a wire needs 'to: part.port'\n"
        "run.yaml:16:12: 'from' wants part.port, such as nic.registers\n"
        "run.yaml:16:19: 'to' wants part.port, such as nic.registers\n"
        "run.yaml:16:27: 'at' wants an address or an index, such as 0xfee00000 or 3\n"
        "run.yaml:8:13: port 'bus' of 'p', a part of kind 'test-plug', must be wired: The way out\n"
        "run.yaml:8:13: port 'line' of 'p', a part of kind 'test-plug', must be wired: The bell");
}

Test(platform, tells_all_open_ports_when_nothing_else_is_wrong)
{
    bad(HEAD "parts:\n  b: {kind: test-box}\n  p: {kind: test-plug, label: l, friend: b}\n",
        "run.yaml:4:13: port 'bus' of 'p', a part of kind 'test-plug', must be wired: The way out\n"
        "run.yaml:4:13: port 'line' of 'p', a part of kind 'test-plug', must be wired: The bell");
}

Test(platform, tells_a_second_wire_at_a_place_but_not_at_two_places)
{
    bad(HEAD "parts: {a: {kind: test-box}, b: {kind: test-box}, c: {kind: test-box}}\n"
             "wires:\n"
             "  - {from: a.line, to: c.pins, at: 1}\n"
             "  - {from: b.line, to: c.pins, at: 0}\n"
             "  - {from: c.line, to: c.pins, at: 0}\n",
        "run.yaml:6:5: port 'pins' of 'c' has a wire already at this place");
}

Test(platform, tells_a_wire_that_is_written_twice_from_either_end)
{
    bad(HEAD "parts: {a: {kind: test-box}, b: {kind: test-box}}\n"
             "wires:\n"
             "  - {from: a.bus, to: b.regs}\n"
             "  - {from: a.space, to: b.regs, at: 4KiB}\n"
             "  - {from: a.space, to: b.regs, at: 8KiB}\n"
             "  - {from: a.wire, to: b.wire}\n"
             "  - {from: b.regs, to: a.bus}\n"
             "  - {from: b.wire, to: a.wire}\n"
             "  - {from: a.space, to: b.regs, at: 0x1000}\n",
        "run.yaml:8:5: the wire from 'b.regs' to 'a.bus' is written twice; leave this one out or "
        "the one at run.yaml:4\n"
        "run.yaml:9:5: the wire from 'b.wire' to 'a.wire' is written twice; leave this one out or "
        "the one at run.yaml:7\n"
        "run.yaml:10:5: the wire from 'a.space' to 'b.regs' is written twice; leave this one out "
        "or the one at run.yaml:5");
}

Test(platform, tells_a_wire_of_the_run_that_the_strategy_has_too)
{
    put("platforms/strategies/one.yaml", HEAD "parts: {nic: {kind: test-box, per: machine}}\n"
                                              "vm: {kind: test-box}\n"
                                              "guest: {kind: test-box}\n"
                                              "wires:\n"
                                              "  - {from: nic.news, to: guest.ear}\n");
    bad(HEAD "strategy: one\n"
             "vms: [{name: x, count: 3}]\n"
             "wires:\n"
             "  - {from: nic.news, to: x1/guest.ear}\n",
        "platforms/strategies/one.yaml:6:5: the wire from 'nic.news' to 'x1/guest.ear' is written "
        "twice; leave this one out or the one at run.yaml:5");
    bad(HEAD "strategy: one\n"
             "vms: [{name: x, count: 3}]\n"
             "wires:\n"
             "  - {from: nic.news, to: guest.ear}\n",
        "platforms/strategies/one.yaml:6:5: the wire from 'nic.news' to 'x0/guest.ear' is written "
        "twice; leave this one out or the one at run.yaml:5");
    bad(HEAD "strategy: one\nvms: [{name: x}]\n",
        "--set wires: the wire from 'nic.news' to 'x/guest.ear' is written twice; leave this one "
        "out or the one at --set wires",
        "wires=[{from: nic.news, to: guest.ear}, {from: nic.news, to: x/guest.ear}]");
}

Test(platform, tells_once_that_a_source_for_several_has_no_place_left)
{
    bad(HEAD "parts: {a: {kind: test-box}}\n"
             "vm: {kind: test-box}\n"
             "vms: [{name: x, count: 5}]\n"
             "wires:\n"
             "  - {from: a.news, to: vm.ear}\n",
        "run.yaml:6:5: a: port 'news' has 3 places, and all are wired: a second part of kind "
        "'test-box' has as many");
}

Test(platform, tells_once_that_the_machine_has_a_port_for_one_vm_only)
{
    bad(HEAD "parts: {a: {kind: test-box}}\n"
             "vm: {kind: test-box}\n"
             "vms: [{name: x, count: 3}]\n"
             "wires:\n"
             "  - {from: a.bus, to: vm.regs}\n",
        "run.yaml:6:5: each of 3 VMs has this wire, and port 'bus' of 'a' takes one: there can be "
        "one VM");
}

Test(platform, tells_wires_that_only_the_models_can_judge)
{
    bad(HEAD "parts: {a: {kind: test-box}, b: {kind: test-box}}\n"
             "wires:\n"
             "  - {from: a.space, to: b.regs}\n"
             "  - {from: a.line, to: b.pins, at: 2}\n"
             "  - {from: a.bus, to: b/x.regs}\n",
        "run.yaml:4:5: a: port 'space' is an address map: the wire to 'b.regs' needs 'at'\n"
        "run.yaml:5:5: b: port 'pins' has 2 places: the wire needs 'at' from 0 to 1\n"
        "run.yaml:6:23: 'b' has no part 'x' in it");
}

Test(platform, tells_what_prepare_says)
{
    bad(HEAD "parts:\n  a: {kind: test-box, depth: 13}\n  b: {kind: test-box, depth: 13}\n",
        "run.yaml:3:13: a: thirteen is too many\nrun.yaml:4:13: b: thirteen is too many");
}

Test(platform, tells_an_unknown_strategy_with_those_there_are)
{
    put("platforms/strategies/virtio-net.yaml", HEAD);
    put("platforms/strategies/bare-metal.yaml", HEAD);
    bad(HEAD "strategy: virtio-nte\n", "run.yaml:2:11: there is no strategy 'virtio-nte'; there "
                                       "are: bare-metal, virtio-net; did you mean 'virtio-net'?");
    bad(HEAD "strategy: virtio-net\n",
        "--set strategy: there is no strategy 'x'; there are: bare-metal, virtio-net",
        "strategy=x");
}

Test(platform, tells_a_name_that_the_machine_and_the_strategy_both_use)
{
    put("platforms/strategies/one.yaml", strategy);
    bad(HEAD "strategy: one\nvms: [{name: vm0}]\nparts: {host: {kind: test-box}, tap: {kind: "
             "test-box}}\n",
        "run.yaml:4:33: 'tap' is also a part of the strategy (platforms/strategies/one.yaml:6); "
        "give this one another name");
}

Test(platform, tells_mistakes_of_vms)
{
    bad(HEAD "parts: {vm: {kind: test-box}, a: {kind: test-box}, n: {kind: test-box, per: core}}\n"
             "vms: [{name: a, kind: test-box}, {name: b c, kind: test-box}, {name: d}, x]\n",
        "run.yaml:2:9: 'vm' is a word of the format; give the part another name\n"
        "run.yaml:2:77: 'per' is 'vm' or 'machine'\n"
        "run.yaml:3:7: there are two parts 'a'\n"
        "run.yaml:3:34: 'b c' is no name: letters, digits, '-' and '_' make one\n"
        "run.yaml:3:63: 'd' needs a 'kind'; a strategy gives it for all VMs by 'vm: {kind: …}'\n"
        "run.yaml:3:74: a VM is a mapping such as {name: vm0}, not a single value");
    bad(HEAD "workload: {kind: test-box}\n", "run.yaml:2:1: there are no 'vms' for what is made "
                                             "once for each; write vms: [{name: vm0}]");
}

Test(platform, a_missing_workload_is_told_where_the_vm_is_named)
{
    bad(HEAD "guest: {kind: test-box, friend: workload}\nvms: [{name: a, kind: test-box}]\n",
        "run.yaml:3:7: 'a' has no workload; write workload: { kind: udp-rr }, or another");
}

Test(platform, tells_top_level_values_of_the_wrong_kind)
{
    bad(HEAD "parts: [a]\nwires: {a: b}\nstop: 3GHz\nfrequency: 0\ntitle: [x]\nvms: 3\n",
        "run.yaml:6:8: 'title' wants a text, not a list\n"
        "run.yaml:2:8: 'parts' wants a mapping of names to parts, not a list\n"
        "run.yaml:3:8: 'wires' wants a list of wires, not a mapping\n"
        "run.yaml:7:6: 'vms' wants a list of VMs, not a single value\n"
        "run.yaml:4:7: '3GHz' is a frequency; 'stop' wants a time such as 250ns\n"
        "run.yaml:5:12: 'frequency' cannot be 0");
}

Test(platform, says_nothing_twice_about_a_parameter_that_is_not_there)
{
    bad(HEAD
        "parameters: {depth: 3}\nparts: {a: {kind: test-box, depth: '${dept}', mode: 'x${y}'}}\n",
        "run.yaml:3:36: there is no parameter 'dept'; did you mean 'depth'?\n"
        "run.yaml:3:53: there is no parameter 'y'");
}

Test(platform, says_where_a_value_from_the_command_line_comes_from)
{
    bad(HEAD "parts: {a: {kind: test-box}}\n",
        "--set parts.a.dpth: 'a', a part of kind 'test-box', has no property 'dpth'; did you mean "
        "'depth'?\n"
        "--set parts.a.delay: '3' is a plain number; 'delay' wants a time such as 250ns",
        "parts.a.dpth=3", "parts.a.delay=3");
}

Test(platform, tells_a_missing_cost_file_and_a_missing_run_file)
{
    bad(HEAD "costs: costs/none.yaml\n",
        "run.yaml:2:8: no file 'costs/none.yaml'; looked in '.', 'platforms', 'configs'");
    struct loaded l = load("none.yaml", NULL);
    cr_assert_str_eq(l.error->message, "cannot read 'none.yaml': No such file or directory");
    finish(&l);
}

/* ---- The resolved configuration ---- */

Test(platform, writes_a_resolved_file_that_makes_the_same_platform_alone)
{
    put("platforms/strategies/one.yaml", strategy);
    put("configs/costs/c.yaml", COSTS);
    put("more.yaml", HEAD "x-mine: [1]\nparts: {crate: {kind: test-crate, label: ./trace.zst}}\n");
    put("run.yaml", HEAD "include: more.yaml\ncosts: costs/c.yaml\nstrategy: one\nvms: [{}]\n"
                         "parts: {host: {kind: test-box, label: '$${n}'}}\n");
    const char *const sets[] = { "parameters.n=6", "costs.unused.value=2ns", NULL };
    struct loaded first = load("run.yaml", sets);
    cr_assert_null(first.error, "%s", first.error != NULL ? first.error->message : "");
    char *text = iov_config_write(first.config);

    remove_below("platforms");
    remove_below("configs");
    g_mkdir("elsewhere", 0755);
    put("elsewhere/resolved.yaml", text);
    struct loaded second = load("elsewhere/resolved.yaml", NULL);
    cr_assert_null(second.error, "%s", second.error != NULL ? second.error->message : "");
    char *again = iov_config_write(second.config);
    cr_assert_str_eq(text, again);
    cr_assert(iov_node_equal(iov_config_root(first.config), iov_config_root(second.config)));
    cr_assert(eq(uint, iov_platform_count(first.platform), iov_platform_count(second.platform)));
    cr_assert_str_eq(box(&second, "host")->label, "${n}");
    cr_assert_str_eq(box(&second, "crate")->label, box(&first, "crate")->label);
    cr_assert(g_path_is_absolute(box(&second, "crate")->label));
    cr_assert(eq(u32, box(&second, "vm0/nic")->depth, 6));
    g_free(again);
    g_free(text);
    finish(&second);
    finish(&first);
}

Test(platform, changes_values_but_not_the_strategy_of_a_resolved_file)
{
    bad(HEAD "resolved: on\nstrategy: one\nparts: {a: {kind: test-box}}\n",
        "--set strategy=two: a resolved file has all its files in it; start from the "
        "original file",
        "strategy=two", "parts.a.depth=3");
    struct loaded l =
        good(HEAD "resolved: on\nstrategy: one\nparts: {a: {kind: test-box}}\n", "parts.a.depth=3");
    cr_assert(eq(u32, box(&l, "a")->depth, 3));
    finish(&l);
}

/* ---- One model, and the schema ---- */

Test(platform, configures_one_model_from_text)
{
    struct iov_run bench = { .kernel = iov_kernel_new() };
    IovModel *model = iov_model_new("test-box", "box", &bench, NULL);
    GError *error = NULL;

    cr_assert(iov_model_configure(model, "{depth: 4, delay: 250ns}", &error));
    cr_assert(eq(u64, ((TestBox *)model)->delay, 250 * IOV_NS));
    cr_assert_not(iov_model_configure(model, "depht: 4\ndelay: 1\nfriend: x", &error));
    cr_assert_str_eq(error->message,
                     "text:1:1: 'box', a part of kind 'test-box', has no property 'depht'; did you "
                     "mean 'depth'?\n"
                     "text:2:8: '1' is a plain number; 'delay' wants a time such as 250ns\n"
                     "text:3:9: 'friend' refers to a part, and here is only one");
    g_error_free(error);
    g_object_unref(model);
    iov_kernel_free(bench.kernel);
}

Test(platform, writes_a_json_schema_of_all_kinds)
{
    char *text = iov_schema_json();
    JsonParser *parser = json_parser_new();

    cr_assert(json_parser_load_from_data(parser, text, -1, NULL));
    JsonObject *schema = json_node_get_object(json_parser_get_root(parser));
    cr_assert_str_eq(json_object_get_string_member(schema, "$schema"),
                     "https://json-schema.org/draft/2020-12/schema");
    JsonObject *kinds =
        json_object_get_object_member(json_object_get_object_member(schema, "$defs"), "kinds");
    JsonObject *properties = json_object_get_object_member(
        json_object_get_object_member(kinds, "test-box"), "properties");
    JsonObject *delay = json_object_get_object_member(properties, "delay");
    cr_assert_str_eq(json_object_get_string_member(delay, "default"), "100ns");
    cr_assert_str_eq(json_object_get_string_member(delay, "description"), "How late");
    cr_assert(json_object_has_member(properties, "others"));
    g_object_unref(parser);
    g_free(text);
}

Test(platform, loads_a_text_that_is_in_no_file)
{
    struct iov_config_options options = { search_path, NULL };
    struct loaded l = { 0 };

    put("below.yaml", HEAD "parts:\n  a: {kind: test-box, depth: 3}\n");
    l.config = iov_config_load_text("made",
                                    "iovsim: 1\ninclude: below.yaml\nparts:\n  b: {kind: "
                                    "test-box, depth: 4}\n",
                                    &options, &l.error);
    l.platform = iov_platform_new(l.config, &l.error);
    cr_assert_not_null(l.platform, "%s", l.error != NULL ? l.error->message : "");
    cr_assert(eq(u32, box(&l, "a")->depth, 3));
    cr_assert(eq(u32, box(&l, "b")->depth, 4));
    finish(&l);
}
