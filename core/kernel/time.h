/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated time: unsigned 64-bit picoseconds since the start of the run. It never goes back, is
 * never a floating-point number and covers 213 days.
 */
#ifndef IOV_KERNEL_TIME_H
#define IOV_KERNEL_TIME_H

#include <stdint.h>

typedef uint64_t iov_time;

#define IOV_PS ((iov_time)1)
#define IOV_NS (1000 * IOV_PS)
#define IOV_US (1000 * IOV_NS)
#define IOV_MS (1000 * IOV_US)
#define IOV_SEC (1000 * IOV_MS)
#define IOV_TIME_MAX UINT64_MAX

#endif
