/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Effects: what a device model did inside a software back end, kept in order, to be paid for and
 * done by the thread that runs it.
 *
 * A device is written as hardware: an access or a frame lets its zero-delay events of this instant
 * run. Behind software each of their outputs (bytes copied, a frame, an interrupt) is work of the
 * thread. The player records them while the device runs and then plays them one after the other:
 * charge the cost, then do it. The emulator, vhost and Xen's back ends differ in the costs and in
 * what "do" means, so both are the user's ops.
 */
#ifndef IOV_HYPERVISOR_EFFECTS_H
#define IOV_HYPERVISOR_EFFECTS_H

#include "core/port/packet.h"
#include "models/hypervisor/host.h"

/* Threads that may play at once: two for each of 16 queue pairs, and some. */
enum { IOV_EFFECT_LISTS = 36 };

enum iov_effect_kind {
    IOV_EFFECT_COPY,  /* `size` bytes of payload between guest memory and back end; they have moved
                         already */
    IOV_EFFECT_FRAME, /* send `packet` */
    IOV_EFFECT_LINE,  /* interrupt line `index` to `level` */
    IOV_EFFECT_MESSAGE, /* interrupt message: write `data` to `address` */
};

struct iov_effect {
    uint8_t kind;
    bool level;
    uint16_t index;
    uint32_t size;
    uint64_t address;
    uint32_t data;
    struct iov_packet *packet;
    struct iov_span *span;
    /* Of the span when it was recorded: the player takes it over only from this one. */
    const void *holder;
};

/* A list of effects that grows as needed and is reused. Initialise with zeros; iov_effects_clear()
 * frees. */
struct iov_effects {
    struct iov_effect *items;
    unsigned count;
    unsigned capacity;
    unsigned played;
};

struct iov_effect_player;
struct iov_effect_ops {
    /* Pays for one effect on `thread` and does it. The thread holds the effect's span if the device
     * did. */
    void (*play)(struct iov_effect_player *player, struct iov_thread *thread,
                 struct iov_effect *effect);
    /* An effect that no thread's access caused (a timer of the device): some thread must play
     * it. */
    void (*orphan)(struct iov_effect_player *player);
};

struct iov_effect_player {
    const struct iov_effect_ops *ops;
    struct iov_kernel *kernel;
    struct iov_effects *recording; /* of the thread that runs the device in this instant */
    struct iov_effects orphans;
    struct iov_effects spare[IOV_EFFECT_LISTS]; /* that are not in use */
    bool spare_used[IOV_EFFECT_LISTS];
};

void iov_effects_init(struct iov_effect_player *player, struct iov_kernel *kernel,
                      const struct iov_effect_ops *ops);
/* Nobody plays any more: what a device still does goes nowhere. */
void iov_effects_finish(struct iov_effect_player *player);
/* Adds an effect of the device; from any context. */
void iov_effects_add(struct iov_effect_player *player, const struct iov_effect *effect);
/*
 * The device's accesses of memory: done at once and without delay, for the thread pays and not the
 * device. Interrupt messages become effects, and so does payload if it is `copied`.
 */
enum iov_status iov_effects_read(struct iov_effect_player *player, struct iov_mem_initiator *memory,
                                 struct iov_mem_req *req, bool copied);
enum iov_status iov_effects_write(struct iov_effect_player *player,
                                  struct iov_mem_initiator *memory, struct iov_mem_req *req,
                                  bool copied);
/* Writes the message of an IOV_EFFECT_MESSAGE; false if nobody takes it. */
bool iov_effect_message(struct iov_mem_initiator *port, struct iov_effect *effect);
/* The device is about to run for `thread`; iov_effects_play() ends it. Waits while another thread
 * is between the two in this instant. */
struct iov_effects *iov_effects_begin(struct iov_effect_player *player);
/* Lets the device's events of this instant run, then plays what they did; returns how much that
 * was. */
unsigned iov_effects_play(struct iov_effect_player *player, struct iov_thread *thread,
                          struct iov_effects *effects);
/* Plays what came without an access; false if there was nothing. */
bool iov_effects_play_orphans(struct iov_effect_player *player, struct iov_thread *thread);

#endif
