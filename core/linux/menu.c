/* SPDX-License-Identifier: Apache-2.0 */
/* See menu.h. */
#include "core/linux/menu.h"

#include <stdbool.h>

#include <glib.h>

enum {
    ALIKE_LEAST = 6, /* fewer than these that are alike say nothing */
    RESOLUTION = 1024,
    DECAY = 8,
    WHOLE = RESOLUTION * DECAY, /* a factor: idle until the timer */
};
#define BUCKET_LEAST (10 * IOV_US) /* to the next timer; the next bucket begins at ten times that */
#define INTERESTING (50 * IOV_MS)  /* who was idle longer was so as foreseen */

void iov_menu_init(struct iov_menu *menu, iov_time past)
{
    *menu = (struct iov_menu){ 0 };
    for (unsigned i = 0; i < IOV_MENU_BUCKETS; i++)
        menu->factors[i] = WHOLE;
    for (unsigned i = 0; i < IOV_MENU_PAST; i++)
        menu->past_us[i] = (uint32_t)(past / IOV_US);
}

/* That of all timers that are about as far away. */
static unsigned *factor(struct iov_menu *menu)
{
    unsigned bucket = 0;

    for (iov_time end = BUCKET_LEAST; bucket < IOV_MENU_BUCKETS - 1 && menu->timer >= end;
         end *= 10)
        bucket++;
    return &menu->factors[bucket];
}

/* Whether the deviation of `n` times is 20 us or a sixth of their mean at most, and then that. */
static bool are_alike(const uint32_t *times_us, unsigned n, iov_time *ret_mean)
{
    uint64_t mean = 0, variance = 0;

    for (unsigned i = 0; i < n; i++)
        mean += times_us[i];
    mean /= n;
    for (unsigned i = 0; i < n; i++) {
        int64_t distance = (int64_t)times_us[i] - (int64_t)mean;

        variance += (uint64_t)(distance * distance);
    }
    variance /= n;
    *ret_mean = mean * IOV_US;
    return variance <= 400 || mean * mean > 36 * variance;
}

/* The mean of the last idle times, or IOV_TIME_MAX. */
static iov_time typical(const struct iov_menu *menu)
{
    uint32_t sorted[IOV_MENU_PAST];
    iov_time mean;

    for (unsigned i = 0; i < IOV_MENU_PAST; i++) {
        unsigned place = i;

        for (; place > 0 && sorted[place - 1] > menu->past_us[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = menu->past_us[i];
    }
    for (unsigned n = IOV_MENU_PAST; n >= ALIKE_LEAST; n--) {
        if (are_alike(sorted, n, &mean))
            return mean;
    }
    return IOV_TIME_MAX;
}

iov_time iov_menu_expect(struct iov_menu *menu, iov_time timer)
{
    iov_time us;

    menu->timer = MIN(timer, IOV_MENU_LONGEST);
    us = (menu->timer * *factor(menu) + WHOLE * IOV_US / 2) / (WHOLE * IOV_US);
    return MIN(us * IOV_US, typical(menu));
}

void iov_menu_learn(struct iov_menu *menu, iov_time idle, iov_time exit_latency)
{
    unsigned *part = factor(menu);

    idle = idle > 2 * exit_latency ? idle - exit_latency : idle / 2;
    idle = MIN(idle, menu->timer);
    *part -= *part / DECAY;
    *part += menu->timer > 0 && idle < INTERESTING ? RESOLUTION * idle / menu->timer : RESOLUTION;
    menu->past_us[menu->count++ % IOV_MENU_PAST] = (uint32_t)(idle / IOV_US);
}
