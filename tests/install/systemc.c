/* SPDX-License-Identifier: Apache-2.0 */
/* A stranger's program in C whose kernel runs on SystemC's time, and that is refused a second
 * one. */
#include "bindings/systemc/systemc.h"

#include <stdio.h>

static void ring(struct iov_event *event)
{
    printf("systemc: rings at %llu ps", (unsigned long long)iov_now(event->kernel));
}

int main(void)
{
    struct iov_systemc *systemc = iov_systemc_new(NULL);
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event bell;
    GError *error = NULL;

    if (systemc == NULL)
        return 1;
    iov_systemc_attach(systemc, kernel);
    iov_event_init(&bell, kernel, ring, IOV_PRIORITY_DEFAULT);
    iov_event_in(&bell, 3 * IOV_NS);
    if (!iov_systemc_advance(systemc, 5 * IOV_NS, &error))
        return 1;
    printf(", ends at %llu ps", (unsigned long long)iov_systemc_now(systemc));
    if (iov_systemc_new(&error) != NULL)
        return 1;
    puts(", one at a time");
    g_error_free(error);
    iov_systemc_free(systemc);
    iov_kernel_free(kernel);
    return 0;
}
