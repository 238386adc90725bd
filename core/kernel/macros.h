/* SPDX-License-Identifier: Apache-2.0 */
/* Small macros every file may use: visibility, C linkage, owner of an embedded struct, cache
 * line. */
#ifndef IOV_KERNEL_MACROS_H
#define IOV_KERNEL_MACROS_H

#include <stddef.h>

#ifdef __cplusplus
#define IOV_BEGIN_DECLS extern "C" {
#define IOV_END_DECLS }
#else
#define IOV_BEGIN_DECLS
#define IOV_END_DECLS
#endif

/* A public function of the library. */
#define IOV_API __attribute__((visibility("default")))
/* A check whose result must be used. */
#define IOV_MUST_USE __attribute__((warn_unused_result))

/* Ends the program if a precondition of a public call does not hold; stays on in release builds. */
#define IOV_REQUIRE(condition) \
    (__builtin_expect(!!(condition), 1) \
         ? (void)0 \
         : iov_require_failed(#condition, __FILE__, __LINE__, __func__))

IOV_BEGIN_DECLS
IOV_API void iov_require_failed(const char *condition, const char *file, int line,
                                const char *function) __attribute__((noreturn, cold));
IOV_END_DECLS

/* The struct of `type` that embeds `pointer` as its member `member`. */
#define iov_container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Bytes of a line of the cache of whoever runs this program; what is simulated has lines of its
 * own. */
#define IOV_CACHE_LINE 64u

#endif
