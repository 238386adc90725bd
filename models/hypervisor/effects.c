/* SPDX-License-Identifier: Apache-2.0 */
/* The player of effects: recording while the device runs, playing in order afterwards. */
#include "models/hypervisor/effects.h"

#include <string.h>

#include "models/irq/ioapic-regs.h"

void iov_effects_init(struct iov_effect_player *player, struct iov_kernel *kernel,
                      const struct iov_effect_ops *ops)
{
    *player = (struct iov_effect_player){ .ops = ops, .kernel = kernel };
}

static void effects_clear(struct iov_effects *effects)
{
    for (unsigned i = effects->played; i < effects->count; i++)
        iov_packet_free(effects->items[i].packet);
    g_free(effects->items);
    *effects = (struct iov_effects){ 0 };
}

void iov_effects_finish(struct iov_effect_player *player)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(player->spare); i++)
        effects_clear(&player->spare[i]);
    effects_clear(&player->orphans);
    player->recording = NULL;
    player->ops = NULL;
}

static void effects_push(struct iov_effects *effects, const struct iov_effect *effect)
{
    /* Grows to the longest list of the run, then never again. */
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity != 0 ? 2 * effects->capacity : 32;
        effects->items = g_renew(struct iov_effect, effects->items, effects->capacity);
    }
    effects->items[effects->count] = *effect;
    effects->items[effects->count++].holder = effect->span != NULL ? effect->span->holder : NULL;
}

void iov_effects_add(struct iov_effect_player *player, const struct iov_effect *effect)
{
    if (player->recording != NULL) {
        effects_push(player->recording, effect);
        return;
    }
    if (player->ops == NULL) { /* a device that is taken down after its emulator */
        iov_packet_free(effect->packet);
        return;
    }
    effects_push(&player->orphans, effect);
    player->ops->orphan(player);
}

static enum iov_status finish_access(struct iov_effect_player *player, struct iov_mem_req *req,
                                     enum iov_status status, bool copied)
{
    req->delay = 0;
    if (status == IOV_STATUS_OK && copied && req->flags & IOV_MEM_PAYLOAD)
        iov_effects_add(
            player,
            &(struct iov_effect){ .kind = IOV_EFFECT_COPY, .size = req->size, .span = req->span });
    return status;
}

enum iov_status iov_effects_read(struct iov_effect_player *player, struct iov_mem_initiator *memory,
                                 struct iov_mem_req *req, bool copied)
{
    req->delay = 0;
    return finish_access(player, req, iov_mem_read_req(memory, req), copied);
}

enum iov_status iov_effects_write(struct iov_effect_player *player,
                                  struct iov_mem_initiator *memory, struct iov_mem_req *req,
                                  bool copied)
{
    if (req->address - MSI_BASE < MSI_SIZE && req->size == 4) {
        iov_effects_add(player, &(struct iov_effect){ .kind = IOV_EFFECT_MESSAGE,
                                                      .address = req->address,
                                                      .data = (uint32_t)iov_mem_value(req),
                                                      .span = req->span });
        return IOV_STATUS_OK;
    }
    req->delay = 0;
    return finish_access(player, req, iov_mem_write_req(memory, req), copied);
}

struct iov_effects *iov_effects_begin(struct iov_effect_player *player)
{
    unsigned index = 0;

    while (player->recording != NULL)
        iov_fiber_settle(player->kernel);
    while (index < G_N_ELEMENTS(player->spare) - 1 && player->spare_used[index])
        index++;
    IOV_REQUIRE(!player->spare_used[index]); /* more threads in one device than lists */
    player->spare_used[index] = true;
    player->recording = &player->spare[index];
    return player->recording;
}

static void play_one(struct iov_effect_player *player, struct iov_thread *thread,
                     const struct iov_effect *recorded)
{
    struct iov_effect effect = *recorded; /* the list may grow meanwhile */
    struct iov_span *own = thread->exec.span;

    if (effect.span != NULL) {
        bool at_hand = effect.span == own && iov_span_held(own, thread->exec.holder);

        iov_span_pass(effect.span, effect.holder, thread->exec.holder);
        if (!at_hand) /* up to here it waited for the thread */
            iov_span_mark(effect.span, thread->exec.holder, IOV_PART_QUEUE,
                          iov_now(player->kernel));
        thread->exec.span = effect.span;
    }
    player->ops->play(player, thread, &effect);
    thread->exec.span = own;
}

unsigned iov_effects_play(struct iov_effect_player *player, struct iov_thread *thread,
                          struct iov_effects *effects)
{
    unsigned count;

    iov_fiber_settle(player->kernel);
    player->recording = NULL;
    while (effects->played < effects->count)
        play_one(player, thread, &effects->items[effects->played++]);
    count = effects->count;
    effects->count = 0;
    effects->played = 0;
    player->spare_used[effects - player->spare] = false;
    return count;
}

bool iov_effects_play_orphans(struct iov_effect_player *player, struct iov_thread *thread)
{
    struct iov_effects *effects = &player->orphans;

    if (effects->played == effects->count)
        return false;
    while (effects->played < effects->count)
        play_one(player, thread, &effects->items[effects->played++]);
    effects->count = 0;
    effects->played = 0;
    return true;
}

bool iov_effect_message(struct iov_mem_initiator *port, struct iov_effect *effect)
{
    struct iov_mem_req req = { .address = effect->address,
                               .data = &effect->data,
                               .size = sizeof effect->data,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_INTERRUPT,
                               .span = effect->span };

    return iov_mem_write_req(port, &req) == IOV_STATUS_OK;
}
