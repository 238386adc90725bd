/* SPDX-License-Identifier: Apache-2.0 */
/* Extended page tables: the walk, violations and misconfigurations, page sizes, what is cached and
 * how it is invalidated (SDM vol. 3C, 29.3). */
#include "tests/models/cpu/cpu-bench.h"

#define LEAF(hpa) ((hpa) | IOV_EPT_RWX | IOV_EPT_TYPE_WB)

enum { MAPPED = -1 };

struct ept_case {
    const char *name;
    const char *clause;
    uint64_t entries[4]; /* PML4E, PDPTE, PDE, PTE */
    bool write;
    int reason;
    uint64_t qualification;
    uint64_t hpa; /* where the access of guest-physical 0x1008 goes */
};

#define PML4E ((BENCH_EPT + 0x1000) | IOV_EPT_RWX)
#define PDPTE ((BENCH_EPT + 0x2000) | IOV_EPT_RWX)
#define PDE ((BENCH_EPT + 0x3000) | IOV_EPT_RWX)
#define QUAL_READ (IOV_QUAL_EPT_READ | IOV_QUAL_EPT_LINEAR_VALID | IOV_QUAL_EPT_TRANSLATED)
#define QUAL_WRITE (IOV_QUAL_EPT_WRITE | IOV_QUAL_EPT_LINEAR_VALID | IOV_QUAL_EPT_TRANSLATED)
#define RIGHTS(rwx) ((uint64_t)(rwx) << 3)

static const struct ept_case cases[] = {
    { "4 KiB page", "29.3.2", { PML4E, PDPTE, PDE, LEAF(0x51000) }, false, MAPPED, 0, 0x51008 },
    { "2 MiB page", "29.3.2", { PML4E, PDPTE, LEAF(0) | IOV_EPT_LARGE }, false, MAPPED, 0, 0x1008 },
    { "1 GiB page", "29.3.2", { PML4E, LEAF(0) | IOV_EPT_LARGE }, true, MAPPED, 0, 0x1008 },
    /* violations: table 28-7 */
    { "PML4E not present", "29.3.3.2", { 0 }, false, IOV_EXIT_EPT_VIOLATION, QUAL_READ, 0 },
    { "PDE not present, write",
      "29.3.3.2",
      { PML4E, PDPTE, 0 },
      true,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_WRITE,
      0 },
    { "PTE not present",
      "29.3.3.2",
      { PML4E, PDPTE, PDE, 0 },
      false,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_READ,
      0 },
    { "not present: other bits do not matter",
      "29.3.3.2",
      { PML4E, PDPTE, PDE, UINT64_C(0xfffffffffffff8) },
      false,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_READ,
      0 },
    { "write to a read-only page",
      "29.3.3.2",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_READ | IOV_EPT_TYPE_WB },
      true,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_WRITE | RIGHTS(1),
      0 },
    { "read of a read-only page",
      "29.3.3.2",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_READ | IOV_EPT_TYPE_WB },
      false,
      MAPPED,
      0,
      0x51008 },
    { "read of an execute-only page",
      "29.3.3.2",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_EXECUTE | IOV_EPT_TYPE_WB },
      false,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_READ | RIGHTS(4),
      0 },
    { "rights are those of all levels together",
      "28.2.1",
      { PML4E, ((BENCH_EPT + 0x2000) | IOV_EPT_READ), PDE, LEAF(0x51000) },
      true,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_WRITE | RIGHTS(1),
      0 },
    /* misconfigurations: 29.3.3.1 */
    { "write-only",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_WRITE },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "write and execute, as KVM marks MMIO",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_WRITE | IOV_EPT_EXECUTE },
      true,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "address beyond physical memory",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, LEAF(UINT64_C(1) << 50) },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "memory type 2",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_RWX | 2 << IOV_EPT_TYPE_SHIFT },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "memory type 7",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_RWX | 7 << IOV_EPT_TYPE_SHIFT },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "memory type UC",
      "29.3.3.1",
      { PML4E, PDPTE, PDE, 0x51000 | IOV_EPT_RWX | IOV_EPT_TYPE_UC },
      false,
      MAPPED,
      0,
      0x51008 },
    { "PML4E with bit 7", "29.3.3.1", { PML4E | 0x80 }, false, IOV_EXIT_EPT_MISCONFIG, 0, 0 },
    { "PDPTE with bit 3", "29.3.3.1", { PML4E, PDPTE | 8 }, false, IOV_EXIT_EPT_MISCONFIG, 0, 0 },
    { "2 MiB page off its boundary",
      "29.3.3.1",
      { PML4E, PDPTE, LEAF(0x51000) | IOV_EPT_LARGE },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "1 GiB page off its boundary",
      "29.3.3.1",
      { PML4E, LEAF(0x200000) | IOV_EPT_LARGE },
      false,
      IOV_EXIT_EPT_MISCONFIG,
      0,
      0 },
    { "a level above comes first",
      "29.3.3",
      { PML4E, 0, PDE, 0x51000 | IOV_EPT_WRITE },
      false,
      IOV_EXIT_EPT_VIOLATION,
      QUAL_READ,
      0 },
};

static const struct ept_case *present;

static void set_up_case(struct bench *bench)
{
    bench_put64(bench, BENCH_EPT, present->entries[0]);
    bench_put64(bench, BENCH_EPT + 0x1000, present->entries[1]);
    bench_put64(bench, BENCH_EPT + 0x2000, present->entries[2]);
    bench_put64(bench, BENCH_EPT + 0x3000 + 8, present->entries[3]);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_EPT);
}

static void run_case(struct bench *bench)
{
    if (present->write)
        iov_exec_store(&bench->guest, 0x1008, 8, 0x1122334455667788);
    else
        bench->note = iov_exec_load(&bench->guest, 0x1008, 8);
}

Test(ept, every_walk_maps_violates_or_is_misconfigured)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct bench *bench = bench_new();
        const struct ept_case *it = present = &cases[i];

        if (it->reason == MAPPED && !it->write)
            bench_put64(bench, it->hpa, UINT64_C(0xabcdef));
        bench_run_guest(bench, set_up_case, run_case);
        cr_assert(bench->done, "%s", it->name);
        if (it->reason == MAPPED) {
            cr_assert(eq(uint, bench->exit_count, 0), "%s (%s)", it->name, it->clause);
            cr_assert(eq(u64, it->write ? bench_get64(bench, it->hpa) : bench->note,
                         it->write ? UINT64_C(0x1122334455667788) : UINT64_C(0xabcdef)),
                      "%s", it->name);
        } else {
            const struct iov_exit *exit = &bench->exits[0];

            cr_assert(eq(uint, bench->exit_count, 1), "%s (%s)", it->name, it->clause);
            cr_assert(eq(uint, exit->reason, (unsigned)it->reason), "%s (%s)", it->name,
                      it->clause);
            cr_assert(eq(u64, exit->qualification, it->qualification), "%s: %#lx", it->name,
                      (unsigned long)exit->qualification);
            cr_assert(eq(u64, exit->guest_physical, 0x1008), "%s", it->name);
            cr_assert(eq(uint, exit->instruction_length, 3), "%s", it->name);
        }
        bench_free(bench);
    }
}

/* ---- What the monitor does with it ---- */

static void map_on_demand(struct bench *bench)
{
    uint64_t gpa = bench->exits[bench->exit_count - 1].guest_physical & ~UINT64_C(0xfff);

    bench_ept_map(bench, gpa, LEAF(BENCH_RAM + gpa));
    bench->resume = IOV_RESUME_RETRY;
}

static void tables_only(struct bench *bench)
{
    bench_ept_tables(bench);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_EPT);
}

static void write_across_pages(struct bench *bench)
{
    uint8_t data[9000];

    memset(data, 0x5a, sizeof data);
    iov_exec_put(&bench->guest, 0x2800, data, sizeof data);
}

Test(ept, an_access_that_is_retried_goes_on_where_it_faulted)
{
    struct bench *bench = bench_new();

    bench->on_exit = map_on_demand;
    bench_run_guest(bench, tables_only, write_across_pages);
    cr_assert(eq(uint, bench->exit_count, 3));
    cr_assert(eq(u64, bench->exits[0].guest_physical, 0x2800));
    cr_assert(eq(u64, bench->exits[1].guest_physical, 0x3000));
    for (unsigned i = 0; i < 9000; i++)
        cr_assert(eq(uint, bench->memory[BENCH_RAM + 0x2800 + i], 0x5a));
    bench_free(bench);
}

static void emulate_mmio(struct bench *bench)
{
    struct iov_op *op = bench->exits[bench->exit_count - 1].op;

    if (op->kind == IOV_OP_LOAD)
        memcpy(op->data, &(uint32_t){ 0xcafe }, 4);
}

static void mmio_entry(struct bench *bench)
{
    tables_only(bench);
    bench_ept_map(bench, 0x1000, IOV_EPT_WRITE | IOV_EPT_EXECUTE);
}

static void read_mmio(struct bench *bench)
{
    bench->note = iov_exec_load(&bench->guest, 0x1010, 4);
}

Test(ept, the_monitor_emulates_a_misconfigured_page)
{
    struct bench *bench = bench_new();

    bench->on_exit = emulate_mmio;
    bench_run_guest(bench, mmio_entry, read_mmio);
    cr_assert(eq(u64, bench->note, 0xcafe));
    cr_assert(eq(uint, bench->exit_count, 1));
    bench_free(bench);
}

static void device_entry(struct bench *bench)
{
    tables_only(bench);
    bench_ept_map(bench, 0x1000, BENCH_DEVICE | IOV_EPT_RWX | IOV_EPT_TYPE_UC);
}

static void use_device(struct bench *bench)
{
    iov_exec_store(&bench->guest, 0x1010, 4, 77);
    cr_assert(eq(u64, iov_exec_load(&bench->guest, 0x1010, 4), 77));
}

Test(ept, registers_mapped_into_the_guest_are_reached_without_exit)
{
    struct bench *bench = bench_new();

    bench_run_guest(bench, device_entry, use_device);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(uint, bench->device_accesses, 2));
    cr_assert(eq(u64, bench->device_address, BENCH_DEVICE + 0x10));
    cr_assert(eq(u64, bench->guest.used[IOV_PART_PCIE], COST_DEVICE * IOV_NS));
    bench_free(bench);
}

/* ---- Cached translations ---- */

static void with_vpid(struct bench *bench)
{
    bench_ept_ram(bench);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_VPID);
    vmwrite(bench, IOV_VMCS_VPID, 5);
}

static void without_vpid(struct bench *bench)
{
    bench_ept_ram(bench);
}

static iov_time timed_load(struct bench *bench, uint64_t gpa)
{
    iov_time begin = iov_now(bench->kernel);

    iov_exec_load(&bench->guest, gpa, 8);
    return iov_now(bench->kernel) - begin;
}

enum { WALK = 4 * COST_WALK * 1000 };

static void load_twice(struct bench *bench)
{
    cr_assert(eq(u64, timed_load(bench, 0x1000), WALK));
    cr_assert(eq(u64, timed_load(bench, 0x1ff8), 0), "cached");
    cr_assert(eq(u64, timed_load(bench, 0x2000), WALK), "another page");
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    cr_assert(eq(u64, timed_load(bench, 0x1000), 0), "with a VPID it outlives the exit");
}

Test(ept, a_walk_costs_its_steps_once)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, with_vpid, load_twice);
}

static void load_around_exit(struct bench *bench)
{
    timed_load(bench, 0x1000);
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    cr_assert(eq(u64, timed_load(bench, 0x1000), WALK), "without VPIDs an entry forgets");
}

Test(ept, without_a_vpid_every_entry_flushes)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, without_vpid, load_around_exit);
}

static void change_and_invalidate(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    const uint64_t eptp = BENCH_EPT | IOV_EPTP_WB_WALK_4;

    switch (bench->exit_count) {
    case 1: /* changed, not invalidated */
        bench_ept_map(bench, 0x1000, LEAF(BENCH_RAM + 0x3000));
        break;
    case 2:
        ops->invept(&bench->host, IOV_INVEPT_SINGLE, eptp);
        break;
    case 3:
        ops->invvpid(&bench->host, IOV_INVVPID_SINGLE, 6, 0);
        break;
    case 4:
        ops->invvpid(&bench->host, IOV_INVVPID_SINGLE, 5, 0);
        break;
    case 5:
        ops->invvpid(&bench->host, IOV_INVVPID_ADDRESS, 5, 0x1000);
        break;
    case 6:
        ops->invept(&bench->host, IOV_INVEPT_ALL, 0);
        break;
    default:
        break;
    }
}

static void see_stale_and_fresh(struct bench *bench)
{
    struct iov_exec *guest = &bench->guest;

    iov_exec_store(guest, 0x1000, 4, 1);
    iov_exec_store(guest, 0x3000, 4, 3);
    iov_exec_do(guest, IOV_OP_CPUID); /* 1 */
    cr_assert(eq(u64, iov_exec_load(guest, 0x1000, 4), 1),
              "a stale translation is used until it is invalidated");
    iov_exec_do(guest, IOV_OP_CPUID); /* 2: INVEPT */
    cr_assert(eq(u64, iov_exec_load(guest, 0x1000, 4), 3));
    iov_exec_do(guest, IOV_OP_CPUID); /* 3: INVVPID of another */
    cr_assert(eq(u64, timed_load(bench, 0x1000), 0));
    iov_exec_do(guest, IOV_OP_CPUID); /* 4: INVVPID */
    cr_assert(eq(u64, timed_load(bench, 0x1000), WALK));
    timed_load(bench, 0x2000);
    iov_exec_do(guest, IOV_OP_CPUID); /* 5: INVVPID of one address */
    cr_assert(eq(u64, timed_load(bench, 0x2000), 0));
    cr_assert(eq(u64, timed_load(bench, 0x1000), WALK));
    iov_exec_do(guest, IOV_OP_CPUID); /* 6: INVEPT of all */
    cr_assert(eq(u64, timed_load(bench, 0x2000), WALK));
    iov_exec_operate(guest, &(struct iov_op){ .kind = IOV_OP_INVLPG, .linear = 0x2000 });
    cr_assert(eq(u64, timed_load(bench, 0x2000), WALK), "INVLPG");
}

Test(ept, cached_translations_go_with_invept_invvpid_and_invlpg)
{
    struct bench *bench = bench_new();

    bench->on_exit = change_and_invalidate;
    bench_guest_passes(bench, with_vpid, see_stale_and_fresh);
}

static void lose_directory_then_invalidate(struct bench *bench)
{
    if (bench->exit_count == 1)
        bench_put64(bench, BENCH_EPT + 0x1000, 0); /* no INVEPT yet */
    else if (bench->exit_count == 2)
        bench->cpu->ops->invept(&bench->host, IOV_INVEPT_SINGLE, BENCH_EPT | IOV_EPTP_WB_WALK_4);
}

static void walk_through_the_old_directory(struct bench *bench)
{
    iov_exec_load(&bench->guest, 0x1000, 8);
    iov_exec_do(&bench->guest, IOV_OP_CPUID); /* 1: the directory is gone */
    iov_exec_load(&bench->guest, 0x2000, 8);
    cr_assert(eq(uint, bench->exit_count, 1), "a cached directory leads to other pages, too");
    iov_exec_do(&bench->guest, IOV_OP_CPUID); /* 2: INVEPT */
    iov_exec_load(&bench->guest, 0x3000, 8);
    cr_assert(eq(uint, bench->exit_count, 3));
    cr_assert(eq(uint, bench->exits[2].reason, IOV_EXIT_EPT_VIOLATION));
}

/* SPEC: 29.4.1, 29.4.3 */
Test(ept, a_cached_directory_is_used_until_invept)
{
    struct bench *bench = bench_new();

    bench->on_exit = lose_directory_then_invalidate;
    bench_guest_passes(bench, with_vpid, walk_through_the_old_directory);
}

static void emulate_and_move(struct bench *bench)
{
    bench_ept_map(bench, 0x1000, LEAF(BENCH_RAM + 0x3000)); /* no INVEPT: the violation is enough */
}

static void read_write_read(struct bench *bench)
{
    bench_put64(bench, BENCH_RAM + 0x1000, 1);
    bench_put64(bench, BENCH_RAM + 0x3000, 3);
    cr_assert(eq(u64, iov_exec_load(&bench->guest, 0x1000, 8), 1));
    iov_exec_store(&bench->guest, 0x1000, 8, 42);
    cr_assert(eq(u64, iov_exec_load(&bench->guest, 0x1000, 8), 3));
}

static void read_only_first(struct bench *bench)
{
    with_vpid(bench);
    bench_ept_map(bench, 0x1000, (BENCH_RAM + 0x1000) | IOV_EPT_READ | IOV_EPT_TYPE_WB);
}

static void make_writable(struct bench *bench)
{
    bench_ept_map(bench, 0x1000, LEAF(BENCH_RAM + 0x1000));
    bench->resume = IOV_RESUME_RETRY;
}

static void read_then_write(struct bench *bench)
{
    iov_exec_load(&bench->guest, 0x1000, 8);
    iov_exec_store(&bench->guest, 0x1000, 8, 42);
}

Test(ept, a_write_protected_page_becomes_writable_without_invept)
{
    struct bench *bench = bench_new();

    bench->on_exit = make_writable;
    bench_run_guest(bench, read_only_first, read_then_write);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(u64, bench_get64(bench, BENCH_RAM + 0x1000), 42));
    bench_free(bench);
}

/* SPEC: 29.4.3.1 */
Test(ept, a_violation_invalidates_what_is_cached_for_its_address)
{
    struct bench *bench = bench_new();

    bench->on_exit = emulate_and_move;
    bench_run_guest(bench, read_only_first, read_write_read);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exit_count, 1));
    bench_free(bench);
}

static void lose_directory_and_find_it(struct bench *bench)
{
    bench_put64(bench, BENCH_EPT + 0x1000, bench->exit_count == 1 ? 0 : PDPTE); /* no INVEPT */
}

static void write_and_walk(struct bench *bench)
{
    iov_exec_store(&bench->guest, 0x1000, 8, 42);
    cr_assert(eq(uint, bench->exit_count, 1));
    iov_exec_load(&bench->guest, 0x2000, 8);
    cr_assert(eq(uint, bench->exit_count, 2),
              "the directory that a violation was found through is gone");
    cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_EPT_VIOLATION));
    iov_exec_load(&bench->guest, 0x3000, 8);
    cr_assert(eq(uint, bench->exit_count, 2), "it is there again");
}

/* SPEC: 29.4.3.1 */
Test(ept, a_violation_invalidates_cached_directories_of_its_address)
{
    struct bench *bench = bench_new();

    bench->on_exit = lose_directory_and_find_it;
    bench_guest_passes(bench, read_only_first, write_and_walk);
}
