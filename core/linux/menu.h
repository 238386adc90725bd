/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's idle governor "menu": how long a processor that goes idle will be so. Host and guest ask
 * it alike, the one for the state to go to, the other for the tick. Arithmetic: the owner says how
 * far its next timer is, and afterwards how long it was idle.
 *
 * The shorter of two times: the time to the next timer, by the part of such times that it was idle
 * lately; and the mean of the last eight idle times without the longest one or two, if the rest are
 * alike. SPEC: Linux 6.1, drivers/cpuidle/governors/menu.c: menu_select(), menu_update(),
 * get_typical_interval(); kernel/watchdog.c.
 *
 * LIMIT: nobody waits for a disk. Of idle times that are equal to the microsecond, Linux leaves out
 * all or none; here, where those of a load repeat exactly, one at a time, as of times that differ.
 */
#ifndef IOV_LINUX_MENU_H
#define IOV_LINUX_MENU_H

#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

enum { IOV_MENU_PAST = 8, IOV_MENU_BUCKETS = 6 };

/* What counts as an idle time that only the tick has ended. */
#define IOV_MENU_LONG (45 * IOV_MS)
/* The longest: each processor has a timer of the watchdog's. */
#define IOV_MENU_LONGEST (4 * IOV_SEC)

struct iov_menu {
    iov_time timer;                     /* was so far away when it went idle */
    unsigned factors[IOV_MENU_BUCKETS]; /* by how far that is: the part it was idle, in 8192ths */
    uint32_t past_us[IOV_MENU_PAST];    /* the last idle times, in a ring */
    unsigned count;                     /* of all */
};

/* All idle times were `past` so far: 0 of a kernel that boots, the longest of one that had nothing
 * to do. */
IOV_API void iov_menu_init(struct iov_menu *menu, iov_time past);
/* How long it will be idle. The next timer, but for the tick, is `timer` away (IOV_TIME_MAX: none
 * but the watchdog's). */
IOV_API iov_time iov_menu_expect(struct iov_menu *menu, iov_time timer);
/* It was idle for `idle` since then; of it, `exit_latency` is what it takes to leave its state. */
IOV_API void iov_menu_learn(struct iov_menu *menu, iov_time idle, iov_time exit_latency);

IOV_END_DECLS

#endif
