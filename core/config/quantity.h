/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values with units: `250ns`, `4KiB`, `2.4GHz`, `10Gbps`, `1300cycles`, `10%`, `10000`.
 *
 * All arithmetic is on integers and exact: a fraction is accepted where it is a whole number of the
 * base unit (2.4GHz is, 0.5ps is not). Zero needs no unit. Prefixes are SI (k, M, G, T) for
 * everything and binary (Ki, Mi, Gi, Ti) for sizes.
 */
#ifndef IOV_CONFIG_QUANTITY_H
#define IOV_CONFIG_QUANTITY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

/* What a value measures, and its base unit. */
enum iov_dimension {
    IOV_DIMENSION_COUNT,     /* a plain number, decimal or 0x hexadecimal */
    IOV_DIMENSION_TIME,      /* picoseconds */
    IOV_DIMENSION_SIZE,      /* bytes */
    IOV_DIMENSION_FREQUENCY, /* hertz */
    IOV_DIMENSION_RATE,      /* bits per second */
    IOV_DIMENSION_CYCLES,    /* clock cycles */
    IOV_DIMENSION_SHARE,     /* parts per million; 100% is 1000000 */
    IOV_DIMENSION_TOTAL,
};

struct iov_quantity {
    enum iov_dimension dimension;
    uint64_t value; /* in base units */
};

/*
 * Reads a value of any dimension. Fails with IOV_ERROR_CONFIG if it is not a number with a
 * known unit, is negative, does not fit in 64 bits or is not a whole number of base units.
 */
IOV_API IOV_MUST_USE bool iov_quantity_parse_any(const char *text,
                                                 struct iov_quantity *ret_quantity, GError **error);
/* The same for a value that must be of one dimension; `name` is the property's, for the message. */
IOV_API IOV_MUST_USE bool iov_quantity_parse(const char *text, enum iov_dimension wanted,
                                             const char *name, uint64_t *ret_value, GError **error);
/* The shortest text that reads back as the same value. The text is the caller's (g_free). */
IOV_API char *iov_quantity_format(enum iov_dimension dimension, uint64_t value);
/* "a time such as 250ns". */
IOV_API const char *iov_dimension_wants(enum iov_dimension dimension);

/* Reads on, yes, true and off, no, false. */
IOV_API IOV_MUST_USE bool iov_boolean_parse(const char *text, bool *ret_value);

/* How long a number of cycles takes, to the nearest picosecond; false if that does not fit or the
 * frequency is 0. */
IOV_API IOV_MUST_USE bool iov_cycles_to_time(uint64_t cycles, uint64_t frequency_hz,
                                             iov_time *ret_time);

IOV_END_DECLS

#endif
