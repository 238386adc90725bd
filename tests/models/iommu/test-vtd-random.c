/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Isolation of the vt-d kind: a million random DMAs through random tables, against a walker that is
 * written from the specification in the simplest way, without caches, on a copy of the memory.
 * Tables are full of holes, reserved bits and pointers to nowhere. A DMA must move the same bytes,
 * or be blocked with the same reason; now and then all of memory is compared.
 */
#include "core/kernel/random.h"
#include "tests/models/iommu/vtd-bench.h"

#define COPY_SIZE 0x1000000u /* 16 MiB: tables below 2 MiB, data from 4 MiB on */
#define DATA 0x400000u
#define TABLES 0x120000u
#define TABLE_COUNT 48u
#define DEVICES 12u
#define ADDRESSES 192u
#define DMAS 1000000u
#define EPOCH 2000u /* DMAs between changes of the tables */

struct world {
    struct vtd_bench vtd;
    struct iov_random random;
    uint8_t *copy;
    bool superpages;
    IovModel *port;               /* a link in front of the unit, or NULL */
    struct iov_mem_initiator dma; /* of the function behind it */
    uint64_t addresses[ADDRESSES];
    uint64_t blocked, moved, unclaimed, reasons[16];
};

static uint64_t any(struct world *world, uint64_t bound)
{
    return iov_random_u64(&world->random) % bound;
}

/* ---- Memory and its copy ---- */

static uint64_t copy_get(const struct world *world, uint64_t address)
{
    uint64_t value;

    memcpy(&value, world->copy + address, 8);
    return value;
}

static void both_put(struct world *world, uint64_t address, uint64_t value)
{
    memcpy(world->copy + address, &value, 8);
    memory_write(&world->vtd, address, value);
}

static void check_memory(struct world *world)
{
    static uint8_t bytes[0x10000];

    for (uint64_t at = 0; at < COPY_SIZE; at += sizeof bytes) {
        struct iov_mem_req req = bench_req(at, bytes, sizeof bytes);

        world->vtd.memory->ops->read(world->vtd.memory, &req);
        cr_assert(zero(int, memcmp(bytes, world->copy + at, sizeof bytes)), "at %#" PRIx64, at);
    }
}

/* ---- Random tables ---- */

static uint64_t table(uint64_t index)
{
    return TABLES + 0x1000 * index;
}

static uint64_t random_entry(struct world *world)
{
    uint64_t kind = any(world, 32), rights = any(world, 4) != 0 ? 3 : any(world, 4);
    uint64_t entry = rights | table(any(world, TABLE_COUNT));

    if (kind == 0)
        return entry | 1ull << any(world, 64);
    if (kind == 1)
        return 0;
    if (kind == 2)
        return 0x7000000000 | rights; /* no memory there */
    if (kind == 3)
        return 0xfee00000 | rights;
    if (kind < 8 && world->superpages) /* a large page of data, right for 2 MiB */
        return (DATA + 0x200000 * any(world, 6)) | 0x80 | rights;
    return entry;
}

/* Level 1 is a role, not a place: a table may serve on any level. So leaf entries of one level are
 * tables of another, and what a device may write must hold no table: level 1 has tables of its own.
 */
static uint64_t random_leaf(struct world *world)
{
    uint64_t kind = any(world, 16), rights = any(world, 4) != 0 ? 3 : any(world, 4);

    if (kind == 0)
        return (DATA | rights) | 1ull << any(world, 64);
    if (kind == 1)
        return 0xfee00000 | rights;
    return (DATA + 0x1000 * any(world, (COPY_SIZE - DATA) / 0x1000)) | rights;
}

/*
 * Tables 0 to 15 serve level 1, 16 to 31 level 2, 32 to 39 level 3, 40 to 47 level 4: an entry
 * leads to a table of the level below, and so a write never meets a table.
 */
static const unsigned first_of[] = { 0, 0, 16, 32, 40, 48 };

static void change_entry(struct world *world)
{
    unsigned level = 1 + (unsigned)any(world, 4);
    unsigned which = first_of[level] + (unsigned)any(world, first_of[level + 1] - first_of[level]);
    uint64_t at = table(which) + 8 * any(world, 512), entry;

    if (level == 1) {
        both_put(world, at, random_leaf(world));
        return;
    }
    entry = random_entry(world);
    if (entry != 0 && (entry & 0xfffffffff000) < COPY_SIZE && !(level == 2 && entry & 0x80))
        entry = (entry & ~0xfff000ull) |
                table(first_of[level - 1] + any(world, first_of[level] - first_of[level - 1]));
    if (level > 2 && entry & 0x80) /* large pages of 1 GiB reach nothing but holes */
        entry = 0x40000000 | 0x80 | (entry & 3);
    both_put(world, at, entry);
}

/* The domain follows from the tables: caches may take one for the other. */
static void change_context(struct world *world, unsigned device)
{
    uint64_t levels = 3 + any(world, 2);
    uint64_t root = first_of[levels] + any(world, 8), kind = any(world, 16);
    uint64_t low = table(root) | 1, high = (levels - 2) | (root + 1) << 8;

    if (kind == 0)
        low &= ~1ull;
    if (kind == 1)
        low |= 1ull << (4 + any(world, 8));
    if (kind == 2)
        high |= 1ull << (24 + any(world, 40));
    /* Never another valid width: tables would stand a level too low, and be written. */
    if (kind == 3)
        high = (high & ~7ull) | (any(world, 6) + 3) % 8;
    if (kind == 4)
        low |= 4 * any(world, 4);
    if (kind == 5)
        low |= 2;
    if (kind == 6)
        low = 0x7000000001;
    if (kind == 3 || kind == 4 || kind == 6) /* another width, type or table: another domain */
        high = (high & 0xffull) | (0x100 + device) << 8;
    both_put(world, CONTEXTS + 16u * device, low);
    both_put(world, CONTEXTS + 16u * device + 8, high);
}

static void change_world(struct world *world)
{
    for (unsigned i = 0; i < 64; i++)
        change_entry(world);
    change_context(world, (unsigned)any(world, DEVICES));
    for (unsigned i = 0; i < ADDRESSES; i++)
        world->addresses[i] = any(world, 1ull << (any(world, 8) != 0 ? 39 : 49));
    invalidate_all(&world->vtd);
}

/* ---- The naive walker: 0 and the address, or the reason ---- */

static bool bit(uint64_t value, unsigned number)
{
    return value >> number & 1;
}

static unsigned naive_entry(uint64_t entry, unsigned level, bool write, bool *leaf)
{
    *leaf = level == 1 || (level < 4 && bit(entry, 7));
    if (!bit(entry, write ? 1 : 0))
        return write ? 5 : 6;
    for (unsigned number = 0; number < 64; number++) {
        bool reserved = number == 11 || number == 62 || (number >= 48 && number < 52) ||
                        (level == 4 && number == 7) ||
                        (*leaf && number >= 12 && number < 12 + 9 * (level - 1));

        if (reserved && bit(entry, number))
            return 0xc;
    }
    return 0;
}

static unsigned naive_context(const struct world *world, unsigned device, uint64_t *low,
                              uint64_t *high, bool *silent)
{
    *low = copy_get(world, CONTEXTS + 16u * device);
    *high = copy_get(world, CONTEXTS + 16u * device + 8);
    *silent = bit(*low, 1);
    if (!bit(*low, 0))
        return 2;
    if (*low & 0xffff000000000ff0 || *high & 0xffffffffff000080)
        return 0xb;
    if ((*high & 7) != 1 && (*high & 7) != 2)
        return 3;
    return (*low >> 2 & 3) == 1 || (*low >> 2 & 3) == 3 ? 3 : 0;
}

static unsigned naive_walk(const struct world *world, unsigned device, uint64_t iova, bool write,
                           uint64_t *ret_address, bool *ret_silent)
{
    uint64_t low, high, at;
    unsigned reason = naive_context(world, device, &low, &high, ret_silent), levels;

    if (reason != 0)
        return reason;
    *ret_address = iova;
    if ((low >> 2 & 3) == 2)
        return 0;
    levels = (high & 7) + 2;
    if (iova >> (12 + 9 * levels) != 0)
        return 4;
    at = low & 0xfffffffff000;
    for (unsigned level = levels;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t address = at + 8 * (iova >> shift & 511), entry;
        bool leaf;

        if (address >= COPY_SIZE)
            return level == levels ? 3 : 7;
        entry = copy_get(world, address);
        reason = naive_entry(entry, level, write, &leaf);
        if (reason != 0)
            return reason;
        at = entry & 0xfffffffff000;
        if (leaf) {
            *ret_address = at + iova % (1ull << shift);
            return *ret_address >= 0xfee00000 && *ret_address < 0xfef00000 ? 0xe : 0;
        }
    }
}

/* ---- DMAs ---- */

struct outcome {
    unsigned reason; /* of the first page that is recorded, or 0 */
    uint64_t page;
    bool blocked, unclaimed;
};

/* What must happen, done to the copy (a write) or to `data` (a read). */
static struct outcome expect_dma(struct world *world, unsigned device, uint64_t iova, uint8_t *data,
                                 uint32_t size, bool write)
{
    struct outcome outcome = { .reason = 0 };

    for (uint32_t done = 0, part; done < size; done += part) {
        uint64_t address = 0;
        bool silent = false;
        unsigned reason = naive_walk(world, device, iova + done, write, &address, &silent);

        part = (uint32_t)MIN(size - done, 0x1000 - ((iova + done) & 0xfff));
        if (reason != 0) {
            outcome.blocked = true;
            world->reasons[reason]++;
            if (!silent && outcome.reason == 0) {
                outcome.reason = reason;
                outcome.page = (iova + done) & ~0xfffull;
            }
        } else if (address + part > COPY_SIZE) {
            outcome.unclaimed = true;
        } else if (write) {
            memcpy(world->copy + address, data + done, part);
            continue;
        } else {
            memcpy(data + done, world->copy + address, part);
            continue;
        }
        if (!write)
            memset(data + done, 0xff, part);
    }
    return outcome;
}

static void check_record(struct world *world, unsigned device, bool write, struct outcome expected)
{
    uint64_t high = reg_read_wide(&world->vtd, VTD_FRCD + 8);

    cr_assert(eq(u64, high >> 63, expected.reason != 0));
    if (expected.reason == 0)
        return;
    cr_assert(eq(u64, high >> 32 & 0xff, expected.reason));
    cr_assert(eq(u64, high & 0xffff, device));
    cr_assert(eq(u64, high >> 62 & 1, !write));
    cr_assert(eq(u64, reg_read_wide(&world->vtd, VTD_FRCD), expected.page));
    reg_write(&world->vtd, VTD_FRCD + 12, 0x80000000u);
}

/* The function's own port if there is a link, else straight to the unit. */
static enum iov_status move(struct world *world, unsigned device, uint64_t iova, void *data,
                            uint32_t size, bool write)
{
    struct iov_mem_req req = bench_req(iova, data, size);
    enum iov_status status;

    if (world->port == NULL)
        return dma_by(&world->vtd, (uint16_t)device, iova, data, size, write);
    req.requester = (uint16_t)device;
    if (!write)
        return iov_mem_read_req(&world->dma, &req);
    status = iov_mem_write_req(&world->dma, &req);
    cr_assert(iov_kernel_run_until(world->vtd.bench->run.kernel,
                                   iov_now(world->vtd.bench->run.kernel) + req.arrival));
    return status;
}

static void random_dma(struct world *world)
{
    unsigned device = (unsigned)any(world, DEVICES);
    uint64_t iova = world->addresses[any(world, ADDRESSES)] ^ any(world, 4096);
    uint32_t size = 1 + (uint32_t)any(world, 64);
    bool write = any(world, 2);
    uint8_t data[64], expected[64];
    struct outcome outcome;
    enum iov_status status;

    if (iova < 0xff000000) /* not into the interrupt range, and no pass-through write to tables */
        iova += 0x100000000;
    for (unsigned i = 0; i < sizeof data; i++)
        expected[i] = data[i] = (uint8_t)iov_random_u64(&world->random);
    outcome = expect_dma(world, device, iova, expected, size, write);
    status = move(world, device, iova, data, size, write);
    cr_assert(eq(int, status != IOV_STATUS_OK, outcome.blocked || outcome.unclaimed));
    if (!write && world->port != NULL && status != IOV_STATUS_OK)
        memset(expected, 0xff, size); /* the link answers as a whole */
    if (!write && (status == IOV_STATUS_OK || (iova & 0xfff) + size > 0x1000))
        cr_assert(zero(int, memcmp(data, expected, size)));
    check_record(world, device, write, outcome);
    world->blocked += outcome.blocked;
    world->unclaimed += outcome.unclaimed;
    world->moved += status == IOV_STATUS_OK;
}

static void world_init(struct world *world, uint64_t seed, bool superpages, bool behind_port)
{
    *world = (struct world){ .superpages = superpages, .copy = g_malloc0(COPY_SIZE) };
    iov_random_init(&world->random, seed, "world");
    vtd_bench_init(&world->vtd, NULL);
    bench_number(world->vtd.dram, "size", COPY_SIZE);
    bench_number(world->vtd.unit, "iotlb-ways", 2);
    bench_number(world->vtd.unit, "context-entries", 8);
    if (behind_port)
        world->port = bench_add(world->vtd.bench, "root-port", "port");
    vtd_bench_start(&world->vtd);
    if (behind_port) {
        bench_wire(world->port, "bus", world->vtd.unit, "upstream");
        world->dma.peer = iov_model_port(world->port, "upstream", 0);
    }
    both_put(world, ROOT, CONTEXTS | 1);
    for (unsigned i = 0; i < 60000; i++)
        change_entry(world);
    for (unsigned device = 0; device < DEVICES; device++)
        change_context(world, device);
    translation_on(&world->vtd);
}

static void world_free(struct world *world)
{
    vtd_bench_free(&world->vtd);
    g_free(world->copy);
}

static void run(uint64_t seed, bool superpages, bool behind_port, unsigned dmas)
{
    static struct world world;
    static const unsigned reasons[] = { 2, 3, 4, 5, 6, 7, 0xb, 0xc, 0xe };

    world_init(&world, seed, superpages, behind_port);
    for (unsigned i = 0; i < dmas; i++) {
        if (i % EPOCH == 0) {
            check_memory(&world);
            change_world(&world);
        }
        random_dma(&world);
    }
    check_memory(&world);
    for (unsigned i = 0; i < G_N_ELEMENTS(reasons); i++)
        cr_expect(gt(u64, world.reasons[reasons[i]], 100), "reason %#x", reasons[i]);
    cr_expect(eq(u64, bench_stat(world.vtd.unit, "faults-write"), world.reasons[5]));
    cr_expect(eq(u64, bench_stat(world.vtd.unit, "faults-read"), world.reasons[6]));
    cr_expect(eq(u64, bench_stat(world.vtd.unit, "faults-width"), world.reasons[4]));
    cr_expect(
        eq(u64, bench_stat(world.vtd.unit, "faults-table"), world.reasons[7] + world.reasons[0xc]));
    cr_expect(lt(u64, DMAS / 20, world.moved));
    cr_expect(gt(u64, world.blocked, DMAS / 20));
    cr_expect(gt(u64, bench_stat(world.vtd.unit, "iotlb-hits"), DMAS / 100));
    world_free(&world);
}

Test(vtd_random, half_a_million_dmas_through_small_pages)
{
    run(1, false, false, DMAS / 2);
}

Test(vtd_random, half_a_million_dmas_through_pages_of_all_sizes)
{
    run(2, true, false, DMAS / 2);
}

Test(vtd_random, a_million_dmas_of_functions_behind_a_link)
{
    run(3, true, true, DMAS);
}
