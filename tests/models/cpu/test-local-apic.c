/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC: priorities, EOI, destinations, timer, IPIs, registers of both modes (SDM vol. 3A,
 * chapter 11). */
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/object/model.h"
#include "models/cpu/apic-regs.h"

struct bench {
    struct iov_kernel *kernel;
    struct iov_run run;
    IovModel *model;
    struct iov_apic *apic;
    struct iov_apic_owner owner;
    unsigned changes;
    unsigned eois;
    uint8_t eoi_vector;
    bool eoi_level;
    unsigned ipis;
    uint64_t icr;
    iov_time timer; /* what the owner is told */
    unsigned timers;
};

static struct bench *of(struct iov_apic *apic)
{
    return iov_container_of(apic->owner, struct bench, owner);
}

static void changed(struct iov_apic *apic)
{
    of(apic)->changes++;
}

static void ipi(struct iov_apic *apic, uint64_t icr)
{
    of(apic)->ipis++;
    of(apic)->icr = icr;
}

static void eoi(struct iov_apic *apic, uint8_t vector, bool level)
{
    of(apic)->eois++;
    of(apic)->eoi_vector = vector;
    of(apic)->eoi_level = level;
}

static void timer(struct iov_apic *apic, iov_time when)
{
    of(apic)->timers++;
    of(apic)->timer = when;
}

static const struct iov_apic_owner_ops hardware_ops = { changed, ipi, eoi, NULL };
static const struct iov_apic_owner_ops emulated_ops = { changed, ipi, eoi, timer };

static struct bench *bench_new(uint32_t id)
{
    struct bench *bench = g_new0(struct bench, 1);

    bench->kernel = iov_kernel_new();
    bench->run = (struct iov_run){ .kernel = bench->kernel, .seed = 1 };
    bench->model = iov_model_new("local-apic", "apic", &bench->run, NULL);
    cr_assert(iov_model_set_number(bench->model, "id", id, NULL));
    cr_assert(iov_model_set_number(bench->model, "tsc-frequency", 1000000000, NULL));
    cr_assert(iov_model_prepare(bench->model, NULL));
    cr_assert(iov_model_realize(bench->model, NULL));
    bench->apic = iov_model_port(bench->model, "apic", 0);
    bench->owner.ops = &hardware_ops;
    bench->apic->owner = &bench->owner;
    return bench;
}

static void bench_free(struct bench *bench)
{
    iov_model_unrealize(bench->model);
    g_object_unref(bench->model);
    iov_kernel_free(bench->kernel);
    g_free(bench);
}

static void write(struct bench *bench, uint32_t offset, uint64_t value)
{
    cr_assert(bench->apic->ops->write(bench->apic, offset, value), "write of %#x", offset);
}

static uint64_t read(struct bench *bench, uint32_t offset)
{
    uint64_t value = 0;

    cr_assert(bench->apic->ops->read(bench->apic, offset, &value), "read of %#x", offset);
    return value;
}

static bool accept(struct bench *bench, uint8_t vector)
{
    return bench->apic->ops->accept(bench->apic, vector, false, NULL);
}

static int pending(struct bench *bench)
{
    return bench->apic->ops->pending(bench->apic);
}

static int acknowledge(struct bench *bench)
{
    return bench->apic->ops->acknowledge(bench->apic);
}

static struct bench *enabled(uint32_t id)
{
    struct bench *bench = bench_new(id);

    write(bench, IOV_APIC_SVR, 0x1ff);
    return bench;
}

static struct bench *in_x2apic(uint32_t id)
{
    struct bench *bench = enabled(id);

    cr_assert(bench->apic->ops->set_base(bench->apic, 0xfee00c00));
    return bench;
}

/* ---- Priorities ---- */

Test(local_apic, delivers_nothing_while_software_disabled)
{
    struct bench *bench = bench_new(0);

    cr_assert(not(accept(bench, 0x41)));
    cr_assert(eq(int, pending(bench), -1));
    bench_free(bench);
}

Test(local_apic, the_highest_vector_comes_first)
{
    struct bench *bench = enabled(0);

    cr_assert(accept(bench, 0x41));
    cr_assert(accept(bench, 0xec));
    cr_assert(accept(bench, 0x55));
    cr_assert(eq(uint, bench->changes, 3));
    cr_assert(eq(int, acknowledge(bench), 0xec));
    cr_assert(eq(int, pending(bench), -1), "a lower class waits for the EOI");
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(int, acknowledge(bench), 0x55));
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(int, acknowledge(bench), 0x41));
    bench_free(bench);
}

Test(local_apic, a_higher_class_nests)
{
    struct bench *bench = enabled(0);

    accept(bench, 0x41);
    cr_assert(eq(int, acknowledge(bench), 0x41));
    accept(bench, 0x4f);
    cr_assert(eq(int, pending(bench), -1), "the same class");
    accept(bench, 0x50);
    cr_assert(eq(int, acknowledge(bench), 0x50));
    cr_assert(eq(u64, read(bench, IOV_APIC_PPR), 0x50));
    cr_assert(eq(u64, read(bench, IOV_APIC_ISR + 0x20), 1u << 1 | 1u << 16));
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(uint, bench->eoi_vector, 0x50));
    cr_assert(eq(u64, read(bench, IOV_APIC_PPR), 0x40));
    bench_free(bench);
}

Test(local_apic, the_task_priority_holds_back_its_class_and_those_below)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_TPR, 0x45);
    accept(bench, 0x4f);
    cr_assert(eq(int, pending(bench), -1));
    cr_assert(eq(u64, read(bench, IOV_APIC_PPR), 0x45));
    write(bench, IOV_APIC_TPR, 0x3f);
    cr_assert(eq(int, pending(bench), 0x4f));
    bench_free(bench);
}

Test(local_apic, a_vector_that_is_pending_merges)
{
    struct bench *bench = enabled(0);

    cr_assert(accept(bench, 0x41));
    cr_assert(not(accept(bench, 0x41)));
    cr_assert(eq(int, acknowledge(bench), 0x41));
    cr_assert(accept(bench, 0x41), "once in service it can be requested again");
    bench_free(bench);
}

Test(local_apic, vectors_below_16_are_errors)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_LVT_ERROR, 0xfe);
    cr_assert(not(accept(bench, 15)));
    cr_assert(eq(int, pending(bench), 0xfe));
    cr_assert(eq(u64, read(bench, IOV_APIC_ESR), 0), "shown by a write");
    write(bench, IOV_APIC_ESR, 0);
    cr_assert(eq(u64, read(bench, IOV_APIC_ESR), IOV_APIC_ESR_RECEIVE_ILLEGAL));
    write(bench, IOV_APIC_ESR, 0);
    cr_assert(eq(u64, read(bench, IOV_APIC_ESR), 0));
    bench_free(bench);
}

Test(local_apic, an_eoi_tells_whether_the_interrupt_was_level_triggered)
{
    struct bench *bench = enabled(0);

    bench->apic->ops->accept(bench->apic, 0x41, true, NULL);
    acknowledge(bench);
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(bench->eoi_level);
    accept(bench, 0x41);
    acknowledge(bench);
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(not(bench->eoi_level));
    cr_assert(eq(uint, bench->eois, 2));
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(uint, bench->eois, 2), "nothing in service");
    bench_free(bench);
}

Test(local_apic, shows_the_request_of_the_interrupt_that_is_acknowledged)
{
    struct bench *bench = enabled(0);
    struct iov_span first = { 0 }, second = { 0 };

    bench->apic->ops->accept(bench->apic, 0x41, false, &first);
    bench->apic->ops->accept(bench->apic, 0x61, false, &second);
    accept(bench, 0x71);
    acknowledge(bench);
    cr_assert(eq(ptr, bench->apic->span, NULL));
    write(bench, IOV_APIC_EOI, 0);
    acknowledge(bench);
    cr_assert(eq(ptr, bench->apic->span, &second));
    write(bench, IOV_APIC_EOI, 0);
    acknowledge(bench);
    cr_assert(eq(ptr, bench->apic->span, &first));
    write(bench, IOV_APIC_EOI, 0);
    accept(bench, 0x41);
    acknowledge(bench);
    cr_assert(eq(ptr, bench->apic->span, NULL), "a request is announced once");
    bench_free(bench);
}

Test(local_apic, works_on_the_page_its_owner_gives_it)
{
    struct bench *bench = enabled(0);
    uint8_t page[IOV_APIC_SIZE];

    memcpy(page, bench->apic->page, sizeof page);
    bench->apic->page = page;
    accept(bench, 0x41);
    cr_assert(eq(uint, page[IOV_APIC_IRR + 0x20], 2));
    page[IOV_APIC_TPR] = 0x50; /* as a processor's TPR shadow writes it */
    cr_assert(eq(int, pending(bench), -1));
    bench->apic->page = page;
    bench_free(bench);
}

/* ---- Destinations ---- */

struct destination_case {
    const char *name;
    uint32_t id;
    bool x2apic;
    uint32_t ldr, dfr; /* xAPIC mode */
    uint32_t destination;
    bool logical;
    bool addressed;
};

static const struct destination_case destinations[] = {
    { "physical, its own", 3, false, 0, 0xffffffff, 3, false, true },
    { "physical, another", 3, false, 0, 0xffffffff, 2, false, false },
    { "physical broadcast", 3, false, 0, 0xffffffff, 0xff, false, true },
    { "flat, its bit", 1, false, 0x02000000, 0xffffffff, 0x06, true, true },
    { "flat, another bit", 1, false, 0x02000000, 0xffffffff, 0x05, true, false },
    { "flat broadcast", 1, false, 0x02000000, 0xffffffff, 0xff, true, true },
    { "cluster, its bit", 1, false, 0x21000000, 0x0fffffff, 0x23, true, true },
    { "cluster, another cluster", 1, false, 0x21000000, 0x0fffffff, 0x13, true, false },
    { "cluster, another bit", 1, false, 0x21000000, 0x0fffffff, 0x22, true, false },
    { "all clusters", 1, false, 0x21000000, 0x0fffffff, 0xf1, true, true },
    { "x2APIC physical", 300, true, 0, 0, 300, false, true },
    { "x2APIC physical, low byte only", 300, true, 0, 0, 300 & 0xff, false, false },
    { "x2APIC broadcast", 300, true, 0, 0, 0xffffffff, false, true },
    { "x2APIC: 0xff is an ID", 300, true, 0, 0, 0xff, false, false },
    { "x2APIC logical: cluster 18, bit 12", 300, true, 0, 0, 0x00121000, true, true },
    { "x2APIC logical, another cluster", 300, true, 0, 0, 0x00111000, true, false },
    { "x2APIC logical, another bit", 300, true, 0, 0, 0x00120fff, true, false },
};

Test(local_apic, knows_whether_a_message_is_for_it)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(destinations); i++) {
        const struct destination_case *it = &destinations[i];
        struct bench *bench = it->x2apic ? in_x2apic(it->id) : enabled(it->id);

        if (!it->x2apic) {
            write(bench, IOV_APIC_LDR, it->ldr);
            write(bench, IOV_APIC_DFR, it->dfr);
        }
        cr_assert(eq(int, bench->apic->ops->addressed(bench->apic, it->destination, it->logical),
                     it->addressed),
                  "%s", it->name);
        bench_free(bench);
    }
}

/* ---- IPIs ---- */

Test(local_apic, an_ipi_goes_to_the_owner_with_its_destination)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_ICR_HIGH, 0x05000000);
    write(bench, IOV_APIC_ICR, 0x000008fd);
    cr_assert(eq(uint, bench->ipis, 1));
    cr_assert(eq(u64, bench->icr, UINT64_C(5) << 32 | 0x8fd));
    cr_assert(eq(u64, read(bench, IOV_APIC_ICR), 0x8fd));
    bench_free(bench);
}

Test(local_apic, an_x2apic_ipi_is_one_write_of_64_bits)
{
    struct bench *bench = in_x2apic(0);

    write(bench, IOV_APIC_ICR, UINT64_C(0x12345) << 32 | 0xfd);
    cr_assert(eq(u64, bench->icr, UINT64_C(0x12345) << 32 | 0xfd));
    cr_assert(eq(u64, read(bench, IOV_APIC_ICR), UINT64_C(0x12345) << 32 | 0xfd));
    bench_free(bench);
}

Test(local_apic, an_ipi_to_itself_does_not_leave_it)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_ICR, 0x00040041);
    cr_assert(eq(uint, bench->ipis, 0));
    cr_assert(eq(int, pending(bench), 0x41));
    bench_free(bench);
    bench = in_x2apic(0);
    write(bench, IOV_APIC_SELF_IPI, 0x51);
    cr_assert(eq(int, pending(bench), 0x51));
    bench_free(bench);
}

Test(local_apic, an_ipi_with_an_illegal_vector_is_not_sent)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_ICR, 0x0000000f);
    cr_assert(eq(uint, bench->ipis, 0));
    write(bench, IOV_APIC_ESR, 0);
    cr_assert(eq(u64, read(bench, IOV_APIC_ESR), IOV_APIC_ESR_SEND_ILLEGAL));
    bench_free(bench);
}

/* ---- The timer ---- */

static void run_for(struct bench *bench, iov_time duration)
{
    iov_kernel_run_until(bench->kernel, iov_now(bench->kernel) + duration);
}

Test(local_apic_timer, one_shot_counts_down_once)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_TIMER_DIVIDE, 0xb); /* by 1: a count is 1 ns */
    write(bench, IOV_APIC_LVT_TIMER, 0xec);
    write(bench, IOV_APIC_TIMER_INITIAL, 1000);
    run_for(bench, 400 * IOV_NS);
    cr_assert(eq(u64, read(bench, IOV_APIC_TIMER_CURRENT), 600));
    cr_assert(eq(int, pending(bench), -1));
    run_for(bench, 600 * IOV_NS);
    cr_assert(eq(int, acknowledge(bench), 0xec));
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(u64, read(bench, IOV_APIC_TIMER_CURRENT), 0));
    run_for(bench, 5000 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1));
    bench_free(bench);
}

Test(local_apic_timer, the_divider_slows_it)
{
    struct bench *bench = enabled(0);
    static const struct {
        uint32_t code;
        unsigned divider;
    } dividers[] = { { 0x0, 2 },  { 0x1, 4 },  { 0x2, 8 },   { 0x3, 16 },
                     { 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 } };

    write(bench, IOV_APIC_LVT_TIMER, 0xec);
    for (unsigned i = 0; i < G_N_ELEMENTS(dividers); i++) {
        write(bench, IOV_APIC_TIMER_DIVIDE, dividers[i].code);
        write(bench, IOV_APIC_TIMER_INITIAL, 100);
        run_for(bench, 100 * dividers[i].divider * IOV_NS - 1);
        cr_assert(eq(int, pending(bench), -1), "by %u", dividers[i].divider);
        run_for(bench, 1);
        cr_assert(eq(int, acknowledge(bench), 0xec), "by %u", dividers[i].divider);
        write(bench, IOV_APIC_EOI, 0);
    }
    bench_free(bench);
}

Test(local_apic_timer, periodic_comes_again)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_TIMER_DIVIDE, 0xb);
    write(bench, IOV_APIC_LVT_TIMER, 0xec | IOV_APIC_TIMER_PERIODIC << IOV_APIC_TIMER_MODE_SHIFT);
    write(bench, IOV_APIC_TIMER_INITIAL, 1000);
    for (unsigned i = 0; i < 3; i++) {
        run_for(bench, 1000 * IOV_NS);
        cr_assert(eq(int, acknowledge(bench), 0xec));
        write(bench, IOV_APIC_EOI, 0);
    }
    write(bench, IOV_APIC_TIMER_INITIAL, 0);
    run_for(bench, 5000 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1), "zero stops it");
    bench_free(bench);
}

Test(local_apic_timer, deadline_fires_at_its_tsc_and_disarms)
{
    struct bench *bench = enabled(0);
    const struct iov_apic_ops *ops = bench->apic->ops;

    ops->set_deadline(bench->apic, 500);
    cr_assert(eq(u64, ops->deadline(bench->apic), 0), "ignored in another mode");
    write(bench, IOV_APIC_LVT_TIMER, 0xec | IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT);
    ops->set_deadline(bench->apic, 500);
    write(bench, IOV_APIC_TIMER_INITIAL, 10);
    cr_assert(eq(u64, read(bench, IOV_APIC_TIMER_CURRENT), 0));
    run_for(bench, 499 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1));
    cr_assert(eq(u64, ops->deadline(bench->apic), 500));
    run_for(bench, IOV_NS);
    cr_assert(eq(int, acknowledge(bench), 0xec));
    write(bench, IOV_APIC_EOI, 0);
    cr_assert(eq(u64, ops->deadline(bench->apic), 0));
    ops->set_deadline(bench->apic, 3);
    run_for(bench, 0);
    cr_assert(eq(int, pending(bench), 0xec), "a time gone by fires at once");
    bench_free(bench);
}

Test(local_apic_timer, zero_or_another_mode_disarms_a_deadline)
{
    struct bench *bench = enabled(0);
    const uint32_t deadline = 0xec | IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT;

    write(bench, IOV_APIC_LVT_TIMER, deadline);
    bench->apic->ops->set_deadline(bench->apic, 500);
    bench->apic->ops->set_deadline(bench->apic, 0);
    run_for(bench, 1000 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1));
    bench->apic->ops->set_deadline(bench->apic, 2000);
    write(bench, IOV_APIC_LVT_TIMER, 0xec);
    run_for(bench, 2000 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1));
    bench_free(bench);
}

Test(local_apic_timer, masked_it_runs_in_silence)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_TIMER_DIVIDE, 0xb);
    write(bench, IOV_APIC_LVT_TIMER, 0xec | IOV_APIC_LVT_MASKED);
    write(bench, IOV_APIC_TIMER_INITIAL, 100);
    run_for(bench, 200 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1));
    bench_free(bench);
}

Test(local_apic_timer, an_owner_that_drives_it_is_told_when)
{
    struct bench *bench = enabled(0);

    bench->owner.ops = &emulated_ops;
    write(bench, IOV_APIC_LVT_TIMER, 0xec | IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT);
    bench->apic->ops->set_deadline(bench->apic, 700);
    cr_assert(eq(u64, bench->timer, 700 * IOV_NS));
    run_for(bench, 1000 * IOV_NS);
    cr_assert(eq(int, pending(bench), -1), "no event of its own");
    bench->apic->ops->expire(bench->apic);
    cr_assert(eq(int, pending(bench), 0xec));
    bench->apic->ops->set_deadline(bench->apic, 5000);
    bench->apic->ops->set_deadline(bench->apic, 0);
    cr_assert(eq(u64, bench->timer, IOV_TIME_MAX));
    bench_free(bench);
}

Test(local_apic_timer, a_late_owner_loses_periods_and_does_not_queue_them)
{
    struct bench *bench = enabled(0);

    bench->owner.ops = &emulated_ops;
    write(bench, IOV_APIC_TIMER_DIVIDE, 0xb);
    write(bench, IOV_APIC_LVT_TIMER, 0xec | IOV_APIC_TIMER_PERIODIC << IOV_APIC_TIMER_MODE_SHIFT);
    write(bench, IOV_APIC_TIMER_INITIAL, 1000);
    cr_assert(eq(u64, bench->timer, 1000 * IOV_NS));
    run_for(bench, 3500 * IOV_NS);
    bench->apic->ops->expire(bench->apic);
    cr_assert(eq(u64, bench->timer, 4000 * IOV_NS));
    bench_free(bench);
}

/* ---- Registers ---- */

enum { READ = 1, WRITE = 2 };

static const struct {
    uint32_t offset;
    unsigned xapic, x2apic; /* legal accesses */
} registers[] = {
    { 0x000, 0, 0 },
    { 0x010, 0, 0 },
    { IOV_APIC_ID, READ | WRITE, READ },
    { IOV_APIC_VERSION, READ, READ },
    { 0x040, 0, 0 },
    { 0x070, 0, 0 },
    { IOV_APIC_TPR, READ | WRITE, READ | WRITE },
    { IOV_APIC_APR, READ, 0 },
    { IOV_APIC_PPR, READ, READ },
    { IOV_APIC_EOI, WRITE, WRITE },
    { IOV_APIC_RRD, READ, 0 },
    { IOV_APIC_LDR, READ | WRITE, READ },
    { IOV_APIC_DFR, READ | WRITE, 0 },
    { IOV_APIC_SVR, READ | WRITE, READ | WRITE },
    { IOV_APIC_ISR, READ, READ },
    { IOV_APIC_ISR + 0x70, READ, READ },
    { IOV_APIC_TMR, READ, READ },
    { IOV_APIC_IRR + 0x70, READ, READ },
    { IOV_APIC_ESR, READ | WRITE, READ | WRITE },
    { 0x290, 0, 0 },
    { IOV_APIC_LVT_CMCI, READ | WRITE, READ | WRITE },
    { IOV_APIC_ICR_HIGH, READ | WRITE, 0 },
    { IOV_APIC_LVT_TIMER, READ | WRITE, READ | WRITE },
    { IOV_APIC_LVT_ERROR, READ | WRITE, READ | WRITE },
    { IOV_APIC_TIMER_INITIAL, READ | WRITE, READ | WRITE },
    { IOV_APIC_TIMER_CURRENT, READ, READ },
    { 0x3a0, 0, 0 },
    { IOV_APIC_TIMER_DIVIDE, READ | WRITE, READ | WRITE },
    { IOV_APIC_SELF_IPI, 0, 0 },
    { 0x104, 0, 0 },
    { 0xff0, 0, 0 },
};

Test(local_apic, every_register_has_its_accesses_in_each_mode)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
            struct bench *bench = mode == 0 ? enabled(0) : in_x2apic(0);
            unsigned legal = mode == 0 ? registers[i].xapic : registers[i].x2apic;
            uint64_t value;

            cr_assert(eq(int, bench->apic->ops->read(bench->apic, registers[i].offset, &value),
                         (legal & READ) != 0),
                      "read of %#x, mode %u", registers[i].offset, mode);
            if (registers[i].offset != IOV_APIC_SELF_IPI)
                cr_assert(eq(int, bench->apic->ops->write(bench->apic, registers[i].offset, 0),
                             (legal & WRITE) != 0),
                          "write of %#x, mode %u", registers[i].offset, mode);
            bench_free(bench);
        }
    }
}

Test(local_apic, a_reserved_register_of_xapic_mode_is_an_error)
{
    struct bench *bench = enabled(0);
    uint64_t value;

    cr_assert(not(bench->apic->ops->read(bench->apic, 0x290, &value)));
    write(bench, IOV_APIC_ESR, 0);
    cr_assert(eq(u64, read(bench, IOV_APIC_ESR), IOV_APIC_ESR_REGISTER));
    bench_free(bench);
}

Test(local_apic, x2apic_mode_refuses_reserved_bits)
{
    struct bench *bench = in_x2apic(0);
    const struct iov_apic_ops *ops = bench->apic->ops;

    cr_assert(not(ops->write(bench->apic, IOV_APIC_EOI, 1)));
    cr_assert(not(ops->write(bench->apic, IOV_APIC_ESR, 1)));
    cr_assert(not(ops->write(bench->apic, IOV_APIC_TPR, 0x100)));
    cr_assert(not(ops->write(bench->apic, IOV_APIC_SELF_IPI, 0x100)));
    cr_assert(not(ops->write(bench->apic, IOV_APIC_SVR, UINT64_C(1) << 32)));
    bench_free(bench);
}

Test(local_apic, the_identity_follows_the_mode)
{
    struct bench *bench = enabled(0x23);

    cr_assert(eq(u64, read(bench, IOV_APIC_ID), 0x23000000));
    cr_assert(bench->apic->ops->set_base(bench->apic, 0xfee00c00));
    cr_assert(eq(u64, read(bench, IOV_APIC_ID), 0x23));
    cr_assert(eq(u64, read(bench, IOV_APIC_LDR), 0x00020008));
    bench_free(bench);
}

/* SPEC: SDM vol. 3A, figure 11-27. */
Test(local_apic, modes_change_only_along_the_legal_ways)
{
    static const struct {
        uint32_t from, to;
        bool legal;
    } ways[] = {
        { 0x800, 0xc00, true },  { 0x800, 0x000, true }, { 0x800, 0x400, false },
        { 0xc00, 0x800, false }, { 0xc00, 0x000, true }, { 0xc00, 0x400, false },
        { 0x000, 0xc00, false }, { 0x000, 0x800, true }, { 0xc00, 0xc00, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        struct bench *bench = bench_new(0);
        const struct iov_apic_ops *ops = bench->apic->ops;

        if (ways[i].from != 0x800)
            cr_assert(ops->set_base(bench->apic, 0xfee00000 | ways[i].from));
        cr_assert(eq(int, ops->set_base(bench->apic, 0xfee00000 | ways[i].to), ways[i].legal),
                  "%#x to %#x", ways[i].from, ways[i].to);
        bench_free(bench);
    }
}

Test(local_apic, software_disabling_masks_the_local_vector_table)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_LVT_TIMER, 0xec);
    cr_assert(eq(u64, read(bench, IOV_APIC_LVT_TIMER) & IOV_APIC_LVT_MASKED, 0));
    write(bench, IOV_APIC_SVR, 0xff);
    cr_assert(eq(u64, read(bench, IOV_APIC_LVT_TIMER) & IOV_APIC_LVT_MASKED, IOV_APIC_LVT_MASKED));
    write(bench, IOV_APIC_LVT_TIMER, 0xec);
    cr_assert(eq(u64, read(bench, IOV_APIC_LVT_TIMER) & IOV_APIC_LVT_MASKED, IOV_APIC_LVT_MASKED));
    bench_free(bench);
}

Test(local_apic, init_resets_it)
{
    struct bench *bench = enabled(0);

    write(bench, IOV_APIC_TPR, 0x30);
    accept(bench, 0x41);
    bench->apic->ops->reset(bench->apic);
    cr_assert(eq(u64, read(bench, IOV_APIC_TPR), 0));
    cr_assert(eq(u64, read(bench, IOV_APIC_IRR + 0x20), 0));
    cr_assert(eq(u64, read(bench, IOV_APIC_SVR), 0xff));
    cr_assert(eq(u64, read(bench, IOV_APIC_LVT_LINT0), IOV_APIC_LVT_MASKED));
    bench_free(bench);
}
