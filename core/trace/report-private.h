/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over everything a report says, for several writers: a visitor gets objects, numbers and
 * texts in their fixed order. So JSON and CSV cannot disagree.
 */
#ifndef IOV_TRACE_REPORT_PRIVATE_H
#define IOV_TRACE_REPORT_PRIVATE_H

#include "core/trace/report.h"

struct report_visitor {
    /* A group of members (`list`: of unnamed groups, numbered by their order); `name` is NULL
     * inside a list. */
    void (*begin)(struct report_visitor *visitor, const char *name, bool list);
    void (*end)(struct report_visitor *visitor, bool list);
    /* A number as decimal text. `unit` may be "". */
    void (*number)(struct report_visitor *visitor, const char *name, const char *value,
                   const char *unit, const char *description);
    void (*text)(struct report_visitor *visitor, const char *name, const char *value,
                 const char *description);
    void (*truth)(struct report_visitor *visitor, const char *name, bool value,
                  const char *description);
};

/* Everything of stats.json. */
void iov_report_walk(const struct iov_report *report, struct report_visitor *visitor);

/* Decimals of exact quotients, rounded half up. The buffer takes any of them. */
#define REPORT_NUMBER_SIZE 48
const char *iov_report_ratio(char *buffer, unsigned __int128 numerator, uint64_t denominator,
                             unsigned decimals);
/* Picoseconds as nanoseconds with three decimals. */
const char *iov_report_ns(char *buffer, iov_time time);

#endif
