/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back ends: who lets time pass.
 *
 * By default the kernel does it itself. A back end lets another simulator own time: it decides how
 * far the kernel may go, and the kernel runs its events up to there, in its own order. Nothing but
 * time crosses this interface, so results do not depend on the back end.
 */
#ifndef IOV_KERNEL_BACKEND_H
#define IOV_KERNEL_BACKEND_H

#include "core/kernel/kernel.h"

IOV_BEGIN_DECLS

/* The first member of a back end's own struct. */
struct iov_backend {
    const struct iov_backend_ops *ops;
};

struct iov_backend_ops {
    const char *name;
    /*
     * Lets time pass up to and including `until`, or as long as there is anything to do if it is
     * IOV_TIME_MAX, and calls iov_kernel_serve() for each stretch. Returns false as soon as that
     * does, or if the owner of time failed; the back end then keeps the reason.
     */
    bool (*run)(struct iov_backend *backend, struct iov_kernel *kernel, iov_time until);
    /*
     * Outside of iov_kernel_serve() an event was armed for `when`, earlier than everything that was
     * queued before: the back end must serve the kernel at that time. It must not serve it from
     * this call.
     */
    void (*earlier)(struct iov_backend *backend, iov_time when);
    /* Why the owner of time failed, or NULL if it did not; the text belongs to the back end. The
     * pointer may be NULL: such a back end cannot fail. */
    const char *(*failure)(const struct iov_backend *backend);
};

/* Chooses the back end of a kernel that is not running; NULL is the native one. The kernel does not
 * own it. */
IOV_API void iov_kernel_set_backend(struct iov_kernel *kernel, struct iov_backend *backend);
IOV_API const char *iov_kernel_backend_name(const struct iov_kernel *kernel);
/* After a run that returned false: the text of iov_kernel_fail(), or why its back end failed, or
 * NULL if iov_kernel_stop() ended it. */
IOV_API const char *iov_kernel_failure(const struct iov_kernel *kernel);

/*
 * For back ends only: runs every event up to and including `until` and sets the clock to it; with
 * IOV_TIME_MAX the clock stays at the last event. Returns false if iov_kernel_stop() ended it
 * earlier. iov_kernel_next() then tells when to come back.
 */
IOV_API bool iov_kernel_serve(struct iov_kernel *kernel, iov_time until);

/*
 * For back ends only, from an event handler: the serving that is going on ends at `until`, if that
 * is sooner; what is due later waits.
 */
IOV_API void iov_kernel_cut(struct iov_kernel *kernel, iov_time until);
/*
 * For back ends only, outside of iov_kernel_serve(): moves the clock to `when` without running
 * anything, at most to the next event.
 */
IOV_API void iov_kernel_skip(struct iov_kernel *kernel, iov_time when);

IOV_END_DECLS

#endif
