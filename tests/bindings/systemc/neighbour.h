/* SPDX-License-Identifier: Apache-2.0 */
/* Modules of SystemC beside the kernel, for tests in C: each does one thing at one time. */
#ifndef TESTS_BINDINGS_SYSTEMC_NEIGHBOUR_H
#define TESTS_BINDINGS_SYSTEMC_NEIGHBOUR_H

#include "core/kernel/kernel.h"

IOV_BEGIN_DECLS

enum deed {
    DEED_FATAL,     /* SC_REPORT_FATAL */
    DEED_ERROR,     /* SC_REPORT_ERROR */
    DEED_EXCEPTION, /* a std::exception */
    DEED_TEXT,      /* a char pointer is thrown */
    DEED_NUMBER,    /* an int is thrown */
    DEED_STOP,      /* sc_stop() */
    DEED_PAUSE,     /* sc_pause() */
    DEED_CALL,      /* `call` below */
};

/* A thread that does its deed at `when` and, with a period, again and again. */
struct neighbour;
struct neighbour *neighbour_new(enum deed deed, iov_time when, iov_time period,
                                void (*call)(void *argument), void *argument);
void neighbour_free(struct neighbour *neighbour);

IOV_END_DECLS

#endif
