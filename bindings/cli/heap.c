/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's heap, on huge pages where the system gives them on request.
 *
 * What many guests touch lies on thousands of pages, more than a processor remembers translations
 * for. The heap is made large once, as address space only, and marked; what is not touched takes no
 * memory. Without the GNU library, with another malloc or on a system without such pages nothing
 * happens, and results never depend on it.
 */
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bindings/cli/cli-private.h"

#if defined __GLIBC__ && defined MADV_HUGEPAGE
#include <malloc.h>

#define HEAP_SIZE (256 << 20)
#define BLOCK_SIZE \
    (100 << 10) /* malloc does not map it by itself, and has no room for two at first */
#define HUGE_PAGE ((uintptr_t)2 << 20)

void iov_cli_enlarge_heap(void)
{
    uintptr_t begin = (uintptr_t)sbrk(0), end;
    void *blocks[2];

    mallopt(M_TOP_PAD, HEAP_SIZE);
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++)
        blocks[i] = g_try_malloc(BLOCK_SIZE);
    for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++)
        g_free(blocks[i]);
    mallopt(M_TOP_PAD, 128 << 10); /* what it is without this */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    begin = (begin + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    end = (uintptr_t)sbrk(0) & ~(HUGE_PAGE - 1);
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}
#else
void iov_cli_enlarge_heap(void)
{
}
#endif
