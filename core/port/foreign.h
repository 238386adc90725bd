/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The foreign contract: a part of the platform whose behaviour lives in another simulator. In the
 * platform the part is a place with ports and properties; a host (libiovsim-systemc) finds it
 * through IOV_PORT_FOREIGN before the run and answers for it.
 *
 * The part copies its properties into this struct at prepare; the host reads them, sets `outside`,
 * and counts.
 */
#ifndef IOV_PORT_FOREIGN_H
#define IOV_PORT_FOREIGN_H

#include <stdbool.h>

#include "core/port/irq.h"
#include "core/port/mem.h"

struct iov_foreign {
    /* Set by the host: who answers accesses to the part; NULL: nobody, and the run cannot begin. */
    struct iov_mem_target *outside;
    /* For the host: what the foreign side masters and raises; peers as the platform wired them. */
    struct iov_mem_initiator *dma;
    struct iov_irq_source *interrupt;
    uint64_t size;        /* of the window, bytes */
    uint16_t requester;   /* of its DMA */
    uint16_t outstanding; /* accesses that may wait in the foreign target at once */
    bool dmi;             /* use direct memory where the target grants it */
    bool waits;           /* the target may let time pass before it answers */
    bool strict;          /* an error response ends the run */
    iov_time quantum;     /* how far the platform may run ahead of the other simulator */
    iov_time timeout;     /* after which a target that waits counts as silent */
    /* Counted by the host. */
    uint64_t errors;
    uint64_t waited; /* accesses that let time pass */
    uint64_t dmi_grants;
    uint64_t dmi_accesses;
    uint64_t dmi_invalidations;
};

#endif
