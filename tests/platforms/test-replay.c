/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay of recorded drivers: in every phase, each port or memory access of the recording exits
 * exactly once, and is counted for its region. The recording is counted here by its own few lines,
 * not by the reader that is tested.
 */
#include "tests/platforms/platform.h"

#include <zstd.h>

#define REGIONS 64

struct phase_count {
    char name[64];
    struct {
        char name[128];
        uint64_t accesses;
    } regions[REGIONS];
    unsigned region_count;
};

static char *unpack(const char *path)
{
    g_autofree char *packed = NULL;
    gsize size;
    unsigned long long room;
    char *text;

    cr_assert(g_file_get_contents(path, &packed, &size, NULL), "%s", path);
    room = 64u << 20;
    text = g_malloc(room + 1);
    size = ZSTD_decompress(text, room, packed, size);
    cr_assert(eq(int, (int)ZSTD_isError(size), 0));
    text[size] = '\0';
    return text;
}

static void count_access(struct phase_count *phase, const char *region)
{
    unsigned i = 0;

    while (i < phase->region_count && strcmp(phase->regions[i].name, region) != 0)
        i++;
    if (i == phase->region_count) {
        cr_assert(lt(uint, i, REGIONS));
        g_strlcpy(phase->regions[i].name, region, sizeof phase->regions[i].name);
        phase->region_count++;
    }
    phase->regions[i].accesses++;
}

/* Port and memory rows between BEGIN_x and END_x; returns the number of phases. */
static unsigned count_rows(const char *path, struct phase_count *phases, unsigned room)
{
    g_autofree char *text = unpack(path);
    char *state = NULL;
    unsigned count = 0;
    struct phase_count *open = NULL;

    for (char *line = strtok_r(text, "\n", &state); line != NULL;
         line = strtok_r(NULL, "\n", &state)) {
        g_auto(GStrv) field = g_strsplit(line, ",", 8);

        if (line[0] == '#' || g_strv_length(field) != 8)
            continue;
        if (strcmp(field[2], "note") == 0 && g_str_has_prefix(field[7], "BEGIN_")) {
            cr_assert(lt(uint, count, room));
            open = &phases[count++];
            g_strlcpy(open->name, field[7] + 6, sizeof open->name);
        } else if (strcmp(field[2], "note") == 0 && g_str_has_prefix(field[7], "END_")) {
            open = NULL;
        } else if (open != NULL &&
                   (strcmp(field[2], "pio") == 0 || strcmp(field[2], "mmio") == 0)) {
            count_access(open, field[7]);
        }
    }
    return count;
}

static const struct iov_region_count *region_of(const struct iov_phase *phase, const char *name)
{
    for (unsigned i = 0; i < phase->counters.region_count; i++) {
        if (strcmp(phase->counters.regions[i].name, name) == 0)
            return &phase->counters.regions[i];
    }
    return NULL;
}

static const struct iov_phase *phase_of(const struct iov_experiment *experiment, const char *name)
{
    const struct iov_phase *phase = iov_experiment_measure(experiment)->phases;

    while (phase != NULL && strcmp(phase->name, name) != 0)
        phase = phase->next;
    return phase;
}

static void expect_exact(const char *trace)
{
    g_autofree char *path =
        g_strdup_printf("%s/tests/data/traces/%s.csv.zst", IOV_SOURCE_DIR, trace);
    g_autofree char *set = g_strdup_printf("workload.trace=%s", path);
    g_autofree struct phase_count *phases = g_new0(struct phase_count, 16);
    unsigned count = count_rows(path, phases, 16);
    struct iov_experiment *run = RUN("replay.yaml", set);

    cr_assert(lt(uint, 0, count));
    for (unsigned i = 0; i < count; i++) {
        const struct iov_phase *phase = phase_of(run, phases[i].name);

        cr_assert_not_null(phase, "%s: no phase %s", trace, phases[i].name);
        for (unsigned j = 0; j < phases[i].region_count; j++) {
            const struct iov_region_count *region = region_of(phase, phases[i].regions[j].name);

            cr_assert_not_null(region, "%s %s: no region %s", trace, phases[i].name,
                               phases[i].regions[j].name);
            cr_assert(eq(u64, region->exits, phases[i].regions[j].accesses), "%s %s %s", trace,
                      phases[i].name, region->name);
        }
    }
    iov_experiment_free(run);
}

Test(replay, e1000_exits_once_for_each_recorded_access)
{
    expect_exact("e1000");
}

Test(replay, e1000_behind_an_iommu_too)
{
    expect_exact("e1000_iommu_strict");
}

Test(replay, virtio_net_with_and_without_event_index_too)
{
    expect_exact("vnet");
    expect_exact("vnet_noevidx");
}

Test(replay, disks_too)
{
    expect_exact("vblk");
    expect_exact("ahci");
    expect_exact("nvme");
    expect_exact("ide_dma");
}

Test(replay, what_was_recorded_is_its_guests_work)
{
    struct iov_experiment *run = RUN("replay.yaml");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(lt(u64, 0, measure->operations));
    cr_assert(eq(u64, measure->guests[0].operations, measure->operations));
    iov_experiment_free(run);
}

Test(replay, apic_virtualisation_takes_eoi_and_apic_read_exits_away)
{
    struct iov_experiment *without = RUN("replay.yaml");
    struct iov_experiment *with = RUN("replay.yaml", "vm.apic-virtualisation=on");
    const struct iov_region_count *before = region_of(phase_of(without, "UDPRR1000"), "lapic");
    const struct iov_region_count *after = region_of(phase_of(with, "UDPRR1000"), "lapic");
    const struct iov_region_count *nic_before =
        region_of(phase_of(without, "UDPRR1000"), "e1000-mmio");
    const struct iov_region_count *nic_after = region_of(phase_of(with, "UDPRR1000"), "e1000-mmio");

    /* EOI and ISR reads, two a request, vanish; the timer's initial count is still written with an
     * exit. */
    cr_assert(lt(u64, after->exits, before->exits / 10));
    cr_assert(eq(u64, nic_after->exits, nic_before->exits));
    iov_experiment_free(without);
    iov_experiment_free(with);
}
