/* SPDX-License-Identifier: Apache-2.0 */
/* What the build's sanitizers want to know about memory that we manage; empty functions without
 * them. */
#ifndef IOV_KERNEL_SANITIZER_PRIVATE_H
#define IOV_KERNEL_SANITIZER_PRIVATE_H

#include <stddef.h>

#if defined(__has_feature)
#define IOV_HAS_FEATURE(name) __has_feature(name)
#else
#define IOV_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || IOV_HAS_FEATURE(address_sanitizer)
#define IOV_ASAN 1
#include <sanitizer/asan_interface.h>
#else
#define IOV_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || IOV_HAS_FEATURE(thread_sanitizer)
#define IOV_TSAN 1
#else
#define IOV_TSAN 0
#endif

/* valgrind takes a jump to a nearby stack for growth, unless it knows the stack. */
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define IOV_VALGRIND 1
#endif
#endif
#ifndef IOV_VALGRIND
#define IOV_VALGRIND 0
#endif

static inline unsigned iov_sanitizer_stack_register(void *start, void *end)
{
#if IOV_VALGRIND
    return VALGRIND_STACK_REGISTER(start, end);
#else
    (void)start;
    (void)end;
    return 0;
#endif
}

static inline void iov_sanitizer_stack_deregister(unsigned id)
{
#if IOV_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

static inline void iov_sanitizer_poison(void *memory, size_t size)
{
#if IOV_ASAN
    __asan_poison_memory_region(memory, size);
#else
    (void)memory;
    (void)size;
#endif
}

static inline void iov_sanitizer_unpoison(void *memory, size_t size)
{
#if IOV_ASAN
    __asan_unpoison_memory_region(memory, size);
#else
    (void)memory;
    (void)size;
#endif
}

#endif
