/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SystemC behind C: a simulation without sc_main, and SystemC as the owner of time.
 *
 *     struct iov_systemc *systemc = iov_systemc_new(&error);
 *     iov_systemc_attach(systemc, kernel);
 *     iov_systemc_advance(systemc, 10 * IOV_US, &error);
 *     iov_systemc_free(systemc);
 *
 * No exception leaves these functions: what SystemC or a module throws or reports as an error comes
 * back as a GError. SystemC knows one simulation a process, in one thread; the time resolution must
 * be its default of 1 ps. The library of this header is libiovsim-systemc.
 */
#ifndef IOV_SYSTEMC_SYSTEMC_H
#define IOV_SYSTEMC_SYSTEMC_H

#include <glib.h>

#include "core/kernel/backend.h"

IOV_BEGIN_DECLS

struct iov_systemc;

/*
 * Begins a simulation. Modules that were made before belong to it; without any a fresh one begins
 * at time 0, as often as wanted, one after the other. SC_FATAL throws from now on instead of ending
 * the program. Errors (IOV_ERROR_RUN): a simulation is open in this process; SystemC has ended; its
 * time resolution is not 1 ps. Free it with iov_systemc_free().
 */
IOV_API struct iov_systemc *iov_systemc_new(GError **error);
/* Detaches the kernel and ends the simulation; modules of the user must be gone if
 * iov_systemc_new() found none. Accepts NULL. Not from a process of SystemC. */
IOV_API void iov_systemc_free(struct iov_systemc *systemc);

/*
 * Makes SystemC the owner of a kernel's time: iov_kernel_run_until() and the like let SystemC's
 * time pass. The present instants of the two are one from then on. The kernel stays the user's and
 * must outlive the attachment. Replaces the kernel attached before; NULL detaches.
 */
IOV_API void iov_systemc_attach(struct iov_systemc *systemc, struct iov_kernel *kernel);

/*
 * The same for a kernel that is a guest in the user's own simulation: the user calls sc_start(),
 * and the kernel runs its events when SystemC comes to their time, or earlier by the quantum. When
 * the kernel stops (its workload is done, or iov_kernel_failure() tells what went wrong)
 * on_end(context) is called once, in a process of SystemC, and may throw; the kernel is not served
 * any more. Neither iov_systemc_advance() nor iov_kernel_run_until() may be called then.
 */
IOV_API void iov_systemc_follow(struct iov_systemc *systemc, struct iov_kernel *kernel,
                                void (*on_end)(void *context), void *context);
/*
 * Promises to a guest that SystemC's time goes on to `until`: it may then run ahead as far as
 * nothing else can happen on the way, as a kernel does that owns time. If the promise is broken by
 * sc_pause(), sc_stop() or an error the kernel may be ahead.
 */
IOV_API void iov_systemc_promise(struct iov_systemc *systemc, iov_time until);
/* How far the kernel may run ahead of SystemC although something may happen there (temporal
 * decoupling). 0 at the beginning: what SystemC sends is never late. */
IOV_API void iov_systemc_set_quantum(struct iov_systemc *systemc, iov_time quantum);

/*
 * Lets time pass up to and including `until` (of the attached kernel, else of SystemC), or until
 * iov_systemc_stop(). Errors: IOV_ERROR_RUN, also for every later call, since SystemC does not go
 * on after an error. Not from an event handler or process.
 */
IOV_API bool iov_systemc_advance(struct iov_systemc *systemc, iov_time until, GError **error);
/* Ends the advance that is going on after the present instant; from processes and event
 * handlers. */
IOV_API void iov_systemc_stop(struct iov_systemc *systemc);
/* SystemC's present time. While the kernel runs ahead of the next activity of SystemC it is behind
 * iov_now(), never before it. */
IOV_API iov_time iov_systemc_now(const struct iov_systemc *systemc);
/* The attached kernel, or NULL; whether one of its events or fibers is running, and not a process
 * of the user. */
IOV_API struct iov_kernel *iov_systemc_kernel(const struct iov_systemc *systemc);
IOV_API bool iov_systemc_serving(const struct iov_systemc *systemc);
/* From a process of SystemC, before it calls a model or arms an event with a delay: brings the
 * kernel's clock to SystemC's present. */
IOV_API void iov_systemc_sync(struct iov_systemc *systemc);
/* How far the kernel is ahead of SystemC. From an event handler or fiber: what happens now, happens
 * that long after SystemC's present; add it to the delay of a notification or transaction. */
IOV_API iov_time iov_systemc_ahead(const struct iov_systemc *systemc);
/* From an event handler or fiber, after it notified something in SystemC: the kernel does not run
 * ahead past it. */
IOV_API void iov_systemc_yield(struct iov_systemc *systemc);
/* Ends the run with an error of this text; the first one counts. From anywhere. */
IOV_API void iov_systemc_fail(struct iov_systemc *systemc, const char *text);
/* What went wrong, or NULL. */
IOV_API const char *iov_systemc_failure(const struct iov_systemc *systemc);
/* The version of SystemC that is in use, such as "2.3.4-Accellera". */
IOV_API const char *iov_systemc_version(void);

IOV_END_DECLS

#endif
