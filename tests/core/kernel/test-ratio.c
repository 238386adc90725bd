/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios: the same as with 128 bits, whether or not the product fits 64. */
#include "core/kernel/ratio.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(ratio, is_kept_in_lowest_terms)
{
    struct iov_ratio tick = iov_ratio_make(UINT64_C(1000000000000), UINT64_C(2600000000));
    struct iov_ratio none = iov_ratio_make(0, 7);

    cr_assert(eq(u64, tick.up, 5000));
    cr_assert(eq(u64, tick.down, 13));
    cr_assert(eq(u64, none.up, 0));
    cr_assert(eq(u64, none.down, 1));
}

Test(ratio, rounds_down_as_with_128_bits)
{
    static const uint64_t numbers[] = {
        1, 2, 3, 13, 1000, 4096, 2600000000, 2999999999, UINT64_C(1000000000000), UINT64_MAX
    };
    const unsigned count = sizeof numbers / sizeof numbers[0];

    for (unsigned i = 0; i < count * count * count; i++) {
        uint64_t up = numbers[i % count], down = numbers[i / count % count];
        uint64_t value = numbers[i / count / count];

        cr_assert(eq(u64, iov_ratio_of(iov_ratio_make(up, down), value),
                     (uint64_t)((unsigned __int128)value * up / down)));
    }
}
