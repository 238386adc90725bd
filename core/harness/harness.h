/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bench for one model: a kernel whose clock is cranked by hand, the model, and a fake peer at
 * every port that is left open.
 *
 *     struct iov_harness *bench = iov_harness_new("kind: doorbell\n"
 *                                                 "delay: 100ns\n"
 *                                                 "costs: { irq.dispatch: 40ns }");
 *     iov_harness_start(bench);                           // fakes wired, realized, started,
 * settled iov_harness_write(bench, "regs", 0x00, 4, 1);       // a register access through the port
 *     iov_harness_run_for(bench, 100 * IOV_NS);
 *     cr_assert(eq(uint, iov_harness_mem(bench, "bus", 0)->messages, 1));
 *     iov_harness_free(bench);
 *
 * The text is YAML: `kind`, then properties as in a platform file; `costs` gives costs as times; a
 * cost that is not given is 0. A reference is the name of another part of the bench
 * (iov_harness_add(), before or after); the model under test is "dut". Between new and start a test
 * may set properties with iov_model_set_*(), wire parts with iov_harness_wire() or set up a fake.
 *
 * A port is named "regs", or "peer.regs" for the part "peer".
 *
 * This is test equipment: what cannot work (unknown kind, bad value, unknown port) ends the program
 * with a message. Tests of mistakes use the iov_harness_try_*() forms. Nothing here is called from
 * an event handler of a model; fakes' records may be read at any time.
 */
#ifndef IOV_HARNESS_HARNESS_H
#define IOV_HARNESS_HARNESS_H

#include "core/harness/fake.h"
#include "core/object/model.h"
#include "core/trace/measure.h"

IOV_BEGIN_DECLS

struct iov_harness {
    struct iov_kernel *kernel;
    struct iov_run run;
    struct iov_measure *measure; /* = run.measure */
    IovModel *model;             /* the one under test: path "dut" */
    struct iov_harness_private *private_data;
};

/* A bench with one model that is made, not started. Seed 1. Free it with iov_harness_free(), which
 * accepts NULL. */
IOV_API struct iov_harness *iov_harness_new(const char *text);
/* The same; NULL and IOV_ERROR_CONFIG on a mistake in the text. */
IOV_API struct iov_harness *iov_harness_try_new(const char *text, GError **error);
IOV_API void iov_harness_free(struct iov_harness *harness);
/* Another part: a neighbour that is not faked, or what a reference of the model needs. Owned by the
 * bench. */
IOV_API IovModel *iov_harness_add(struct iov_harness *harness, const char *name, const char *text);
IOV_API IovModel *iov_harness_try_add(struct iov_harness *harness, const char *name,
                                      const char *text, GError **error);
/* Wires two parts: "dut.wire", "peer.port"; `at` as in iov_model_wire(), a negative number for
 * none. */
IOV_API void iov_harness_wire(struct iov_harness *harness, const char *from, const char *to,
                              int64_t at);
/* Fakes at open ports, then prepare, realize and start of every part, then everything that is due
 * at time 0. */
IOV_API void iov_harness_start(struct iov_harness *harness);
IOV_API IOV_MUST_USE bool iov_harness_try_start(struct iov_harness *harness, GError **error);

/* ---- The clock ---- */

static inline iov_time iov_harness_now(const struct iov_harness *harness)
{
    return iov_now(harness->kernel);
}
/* Runs all events of the next `duration`, its end included. */
IOV_API void iov_harness_run_for(struct iov_harness *harness, iov_time duration);
IOV_API void iov_harness_run_until(struct iov_harness *harness, iov_time until);
/* Runs what is due in the present instant. */
IOV_API void iov_harness_settle(struct iov_harness *harness);
/* Runs until no event is left; false if that takes longer than `limit` (a model that ticks for
 * ever). */
IOV_API bool iov_harness_run_idle(struct iov_harness *harness, iov_time limit);

/* ---- The fakes at initiators and packet ends ---- */

/* At the model's port `port`; `at` is the element of an array of ports, else 0. Owned by the
 * harness. That there is no such port fails the test. */
IOV_API struct iov_fake_mem *iov_harness_mem(struct iov_harness *harness, const char *port,
                                             unsigned at);
IOV_API struct iov_fake_irq *iov_harness_irq(struct iov_harness *harness, const char *port,
                                             unsigned at);
IOV_API struct iov_fake_packet *iov_harness_packet(struct iov_harness *harness, const char *port,
                                                   unsigned at);
IOV_API struct iov_fake_notify *iov_harness_notify(struct iov_harness *harness, const char *port,
                                                   unsigned at);
IOV_API struct iov_fake_block *iov_harness_block(struct iov_harness *harness, const char *port,
                                                 unsigned at);

/* ---- Driving the targets ---- */

/* A register or memory access of 1, 2, 4 or 8 bytes, little-endian; a read that is refused gives
 * ones. Takes no time. */
IOV_API uint64_t iov_harness_read(struct iov_harness *harness, const char *port, uint64_t address,
                                  uint32_t size);
IOV_API void iov_harness_write(struct iov_harness *harness, const char *port, uint64_t address,
                               uint32_t size, uint64_t value);
/* The same with everything a request can say; gives the status, and the delay in req->delay. */
IOV_API enum iov_status iov_harness_access(struct iov_harness *harness, const char *port,
                                           bool write, struct iov_mem_req *req);
/* Drives an interrupt wire into the model; nothing happens if the level is the same as before. */
IOV_API void iov_harness_drive(struct iov_harness *harness, const char *port, unsigned at,
                               bool level, struct iov_span *span);
IOV_API void iov_harness_signal(struct iov_harness *harness, const char *port, unsigned at,
                                struct iov_span *span);
/* Sends a frame into the model; returns the time until it takes another. */
IOV_API iov_time iov_harness_inject(struct iov_harness *harness, const char *port, const void *data,
                                    uint32_t size, struct iov_span *span);
/* Submits a block request (its done() is the caller's). */
IOV_API void iov_harness_submit(struct iov_harness *harness, const char *port,
                                struct iov_block_req *req);

/* ---- What the model under test says ---- */

/* A statistics row by name: a count, bytes or ps; of a histogram the number of records. Derived
 * figures are brought up to date first. */
IOV_API uint64_t iov_harness_stat(struct iov_harness *harness, const char *name);

IOV_END_DECLS

#endif
