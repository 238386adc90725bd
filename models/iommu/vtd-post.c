/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt posting of the VT-d model: the update of a posted-interrupt descriptor when the message
 * has arrived.
 *
 *   message → entry → descriptor read, its time known → (that time passes)
 *       → request bit, ON, notification
 *
 * Whoever looks at the descriptor sees a request when hardware would have written it, not when the
 * device began to send; memory sees the update in one piece.
 * SPEC: VT-d 5.2.3 (processing of posted interrupts). LIMIT: at most VTD_POSTS_MAX are on their way
 * at once; one more is there at once.
 */
#include "core/trace/measure.h"
#include "models/iommu/vtd-private.h"

static uint64_t descriptor_address(const struct vtd_post *post)
{
    return (post->high & ~0xffffffffull) | (post->low >> 32 & 0xffffffc0ull);
}

static enum iov_status post_block(const struct vtd_post *post, enum vtd_fault reason,
                                  iov_time delay)
{
    IovVtd *self = post->unit;

    self->interrupts_blocked++;
    vtd_fault_count(self, reason);
    if (!(post->low & VTD_IRTE_FPD))
        vtd_fault_record(self, reason, post->requester, IOV_NO_PASID,
                         (uint64_t)post->index << VTD_FRCD_INDEX_SHIFT, true, delay);
    return IOV_STATUS_FAULT;
}

static bool descriptor_move(const struct vtd_post *post, uint64_t words[8], bool write)
{
    struct iov_mem_req req = { .address = descriptor_address(post),
                               .data = words,
                               .size = 8 * sizeof words[0],
                               .pasid = IOV_NO_PASID };

    return (write ? iov_mem_write_req(&post->unit->bus, &req)
                  : iov_mem_read_req(&post->unit->bus, &req)) == IOV_STATUS_OK;
}

static enum iov_status post_do(const struct vtd_post *post)
{
    IovVtd *self = post->unit;
    const struct iov_measure *measure = self->parent_instance.run->measure;
    unsigned vector = post->low >> VTD_IRTE_V_SHIFT & 0xff;
    uint64_t words[8];
    bool notify;

    if (!descriptor_move(post, words, false))
        return post_block(post, VTD_FAULT_PD_ACCESS, 0);
    if (words[4] & VTD_PD_RESERVED)
        return post_block(post, VTD_FAULT_PD_RESERVED, 0);
    words[vector / 64] |= 1ull << (vector % 64);
    notify = !(words[4] & VTD_PD_ON) && (post->low & VTD_IRTE_URG || !(words[4] & VTD_PD_SN));
    if (notify)
        words[4] |= VTD_PD_ON;
    if (!descriptor_move(post, words, true))
        return post_block(post, VTD_FAULT_PD_ACCESS, 0);
    self->interrupts_posted++;
    iov_interrupt_posted(measure != NULL ? measure->interrupts : NULL,
                         iov_interrupt_source(post->requester, post->index), post->link,
                         post->remap, post->time, notify, iov_now(self->parent_instance.kernel));
    if (!notify)
        return IOV_STATUS_OK;
    self->notifications++;
    return vtd_message_send(
        self, vtd_notification_address(self, (uint32_t)(words[4] >> VTD_PD_NDST_SHIFT)),
        words[4] >> VTD_PD_NV_SHIFT & 0xff, post->requester, 0, post->span);
}

static void on_post(struct iov_event *event)
{
    struct vtd_post *post = iov_container_of(event, struct vtd_post, event);

    post->used = false;
    post_do(post);
}

enum iov_status vtd_post(IovVtd *self, const struct vtd_post *message)
{
    iov_time delay = message->link + message->remap, before = delay;
    struct vtd_post post = *message;
    uint64_t words[8];

    post.unit = self;
    if (!vtd_table_read(self, descriptor_address(&post), words, 8, false, &delay))
        return post_block(&post, VTD_FAULT_PD_ACCESS, before);
    post.time = delay - before;
    for (unsigned i = 0; delay > 0 && i < VTD_POSTS_MAX; i++) {
        struct vtd_post *slot = &self->posts[i];
        struct iov_event event = slot->event;

        if (slot->used)
            continue;
        *slot = post;
        slot->event = event;
        slot->used = true;
        iov_event_in(&slot->event, delay);
        return IOV_STATUS_OK;
    }
    return post_do(&post);
}

void vtd_posts_init(IovVtd *self)
{
    for (unsigned i = 0; i < VTD_POSTS_MAX; i++)
        iov_event_init(&self->posts[i].event, self->parent_instance.kernel, on_post,
                       IOV_PRIORITY_DEFAULT);
}

void vtd_posts_drop(IovVtd *self)
{
    for (unsigned i = 0; i < VTD_POSTS_MAX; i++) {
        iov_event_disarm(&self->posts[i].event);
        self->posts[i].used = false;
    }
}
