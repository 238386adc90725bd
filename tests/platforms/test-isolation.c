/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest keeps of its results beside a hostile one, under every back end: all, or all but its
 * times. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/random.h"
#include "tests/platforms/neighbours.h"

/* Kinds of actions of the workload, as it numbers them. */
static const struct {
    const char *name;
    uint8_t what[16]; /* each as likely */
    unsigned count;
    bool aimed; /* at the memory of the other guest, by descriptors */
} attacks[] = {
    { "rings", { 0, 1, 2, 3, 12, 12, 14 }, 7, false },
    { "descriptors that point at the other guest's memory", { 12 }, 1, true },
    { "registers", { 4, 5, 6, 7, 12, 15 }, 6, false },
    { "privileged", { 8, 9, 10, 12 }, 4, false },
    { "forged frames", { 11, 11, 12, 14 }, 4, false },
    { "everything", { 0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 12, 13, 14, 15, 15 }, 16, false },
};

static char *script(unsigned attack, uint64_t seed)
{
    uint8_t bytes[NEIGHBOURS_ACTIONS_MAX * NEIGHBOURS_ACTION];
    struct iov_random random;

    iov_random_init(&random, seed, attacks[attack].name);
    for (unsigned i = 0; i < NEIGHBOURS_ACTIONS_MAX; i++) {
        uint64_t drawn = iov_random_u64(&random);
        uint8_t *action = bytes + i * NEIGHBOURS_ACTION;

        memcpy(action, &drawn, sizeof drawn);
        action[0] = (uint8_t)((action[0] & 0xf0) |
                              attacks[attack].what[(drawn >> 40) % attacks[attack].count]);
        if (attacks[attack].aimed && i % 3 == 0) {
            action[0] = 0x43;  /* 64 addresses right behind 2 GiB ... */
            action[3] &= 0x3f; /* ... in the first rings */
        } else if (attacks[attack].aimed) {
            action[1] = 0x9f; /* time for answers to arrive */
            action[3] = 0;
        }
    }
    return neighbours_script(bytes, sizeof bytes);
}

static void expect_the_same(const struct neighbours_case *what)
{
    struct neighbours_reference reference = { 0 };

    neighbours_refer(&reference, what, true);
    cr_assert(
        g_str_has_prefix(reference.text, "ended\noperations 24 bytes 1536 finished 24 lost 0"),
        "%s: %s", what->name, reference.text);
    for (unsigned attack = 0; attack < G_N_ELEMENTS(attacks); attack++) {
        for (uint64_t seed = 1; seed <= (what->slow ? 1 : 2); seed++) {
            g_autofree char *actions = script(attack, seed);
            uint64_t acted;
            g_autofree char *text = neighbours_run(what, reference.config, actions, true, &acted);
            g_autofree char *difference = neighbours_difference(reference.text, text);

            cr_expect_null(difference, "%s beside %s (%u): %s", what->name, attacks[attack].name,
                           (unsigned)seed, difference);
            cr_expect(lt(u64, 20, acted), "%s beside %s", what->name, attacks[attack].name);
        }
    }
    iov_config_free(reference.config);
    g_free(reference.text);
}

Test(isolation, with_back_ends_of_its_own_nothing_at_all_changes)
{
    for (unsigned i = 0; i < NEIGHBOURS_CASES; i++) {
        if (neighbours_cases[i].exact)
            expect_the_same(&neighbours_cases[i]);
    }
}

Test(isolation, on_shared_switches_cores_and_cards_only_times_change)
{
    for (unsigned i = 0; i < NEIGHBOURS_CASES; i++) {
        if (!neighbours_cases[i].exact)
            expect_the_same(&neighbours_cases[i]);
    }
}
