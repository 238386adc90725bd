/* SPDX-License-Identifier: Apache-2.0 */
/* Announcing: each network device says where it is by a RARP frame, several times, with simulated
 * time in between. */
#ifndef IOV_QTEST_ANNOUNCE_H
#define IOV_QTEST_ANNOUNCE_H

#include "bindings/qtest/session.h"

/* Times in ms. */
struct announcement {
    guint64 initial, max, rounds, step;
};

struct announce *announce_new(struct session *session);
void announce_free(struct announce *announce); /* accepts NULL */
/* The first round is now; a new announcement takes the place of one that is going on, and none of 0
 * rounds ends it. */
void announce_begin(struct announce *announce, const struct announcement *announcement);

#endif
