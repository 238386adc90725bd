/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a hostile guest does beside another one: the first byte chooses the back end
 * and what is shared, the rest is a script of the workload `hostile`. Nothing may end the host, and
 * the other guest gets what it gets beside a guest that only boots (tests/platforms/neighbours.h).
 */
#include "tests/platforms/neighbours.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct neighbours_reference references[NEIGHBOURS_CASES];
    unsigned index = size > 0 ? data[0] % NEIGHBOURS_CASES : 0;

    while (neighbours_cases[index].slow)
        index = (index + 1) % NEIGHBOURS_CASES;

    g_autofree char *script = size > 0 ? neighbours_script(data + 1, size - 1) : g_strdup("");
    g_autofree char *text = NULL, *difference = NULL;

    neighbours_refer(&references[index], &neighbours_cases[index], true);
    text = neighbours_run(&neighbours_cases[index], references[index].config, script, true, NULL);
    difference = neighbours_difference(references[index].text, text);
    if (difference != NULL)
        neighbours_fail(&neighbours_cases[index], difference);
    return 0;
}
