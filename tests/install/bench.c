/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else's test: loads the plug-ins of IOVSIM_PLUGIN_PATH and puts the kind "blinker" on the
 * installed bench. */
#include <core/harness/harness.h>
#include <stdio.h>

int main(void)
{
    GError *error = NULL;
    struct iov_harness *bench;

    if (!iov_plugins_load(g_getenv("IOVSIM_PLUGIN_PATH"), &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    bench = iov_harness_new("kind: blinker\nperiod: 250ns");
    iov_harness_start(bench);
    iov_harness_run_for(bench, 10 * IOV_US);
    printf("bench: %u rises, %llu blinks\n", iov_harness_irq(bench, "line", 0)->rises,
           (unsigned long long)iov_harness_stat(bench, "blinks"));
    iov_harness_free(bench);
    return 0;
}
