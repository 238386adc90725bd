/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histograms after HdrHistogram's scheme: values from 0 to 2^63, three significant
 * digits (relative error at most 1/2000 at any quantile), fixed memory, O(1) to record.
 */
#ifndef IOV_TRACE_HISTOGRAM_H
#define IOV_TRACE_HISTOGRAM_H

#include <stdint.h>

#include "core/kernel/macros.h"

IOV_BEGIN_DECLS

struct iov_histogram;

/* An empty one, for values of any size; 442 KiB of address space. */
IOV_API struct iov_histogram *iov_histogram_new(void);
IOV_API void iov_histogram_free(struct iov_histogram *histogram); /* accepts NULL */
/* From any context; allocates nothing. Accepts NULL. */
IOV_API void iov_histogram_record(struct iov_histogram *histogram, uint64_t value);
IOV_API void iov_histogram_reset(struct iov_histogram *histogram);
/* As if all that was recorded in `from` had been recorded in `into`, too. */
IOV_API void iov_histogram_add(struct iov_histogram *into, const struct iov_histogram *from);
IOV_API uint64_t iov_histogram_count(const struct iov_histogram *histogram);
/* Exact: sum / count (rounded to nearest), smallest, largest; 0 when empty. */
IOV_API uint64_t iov_histogram_mean(const struct iov_histogram *histogram);
IOV_API uint64_t iov_histogram_min(const struct iov_histogram *histogram);
IOV_API uint64_t iov_histogram_max(const struct iov_histogram *histogram);
/* The exact sum of all records, 128 bits. */
IOV_API void iov_histogram_sum(const struct iov_histogram *histogram, uint64_t *ret_high,
                               uint64_t *ret_low);
/* The value below or at which `millionths` / 1,000,000 of the records lie (500000: median), within
   the error. Exact below 2048; never outside of smallest and largest. */
IOV_API uint64_t iov_histogram_quantile(const struct iov_histogram *histogram, uint32_t millionths);

IOV_END_DECLS

#endif
