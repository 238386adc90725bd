/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAPI: a driver's poll collects frames; when it ends, or after eight, they go up the stack, large
 * segments put together before (GRO). A softirq polls each device that asks for it, one budget of
 * frames in all.
 */
#include <glib.h>

#include "models/guest/guest-private.h"
#include "models/guest/linux-regs.h"
#include "models/guest/offload.h"

void iov_guest_napi_init(struct iov_guest_napi *napi, struct iov_guest_netdev *dev,
                         unsigned (*poll)(struct iov_guest_napi *, struct iov_guest_cpu *,
                                          unsigned))
{
    *napi = (struct iov_guest_napi){ .poll = poll, .dev = dev };
    napi->batch = g_new0(struct iov_guest_frame, IOV_GUEST_NAPI_BATCH);
    napi->gro = g_new0(struct iov_guest_frame, 1);
}

void iov_guest_napi_finish(struct iov_guest_napi *napi)
{
    g_clear_pointer(&napi->batch, g_free);
    g_clear_pointer(&napi->gro, g_free);
}

/* Moves all of `more` to the end of `polls`. */
static void append_polls(struct iov_guest_polls *polls, struct iov_guest_polls *more)
{
    if (more->first == NULL)
        return;
    if (polls->first != NULL)
        polls->last->next = more->first;
    else
        polls->first = more->first;
    polls->last = more->last;
    more->first = NULL;
}

static void append_poll(struct iov_guest_polls *polls, struct iov_guest_napi *napi)
{
    struct iov_guest_polls one = { napi, napi };

    napi->next = NULL;
    append_polls(polls, &one);
}

bool iov_guest_napi_schedule(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi)
{
    if (napi->scheduled) {
        napi->missed = true;
        return false;
    }
    napi->scheduled = true;
    append_poll(&cpu->polls, napi);
    iov_guest_raise_softirq(cpu, IOV_GUEST_NET_RX);
    return true;
}

struct iov_guest_frame *iov_guest_napi_frame(struct iov_guest_napi *napi)
{
    struct iov_guest_frame *frame = &napi->batch[napi->batched];

    frame->segment_size = 0;
    return frame;
}

void iov_guest_napi_deliver(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi)
{
    for (unsigned i = 0; i < napi->batched; i++)
        iov_guest_net_deliver(cpu, napi->dev->net, &napi->batch[i]);
    napi->batched = 0;
}

void iov_guest_napi_receive(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi)
{
    if (cpu->use != NULL)
        cpu->use->frames++;
    struct iov_guest_frame *frame = &napi->batch[napi->batched];

    if (!napi->dev->net->rx_checksum && frame->checksum_start != IOV_GUEST_SUM_OPEN)
        frame->checksum_start = 0;
    if (napi->dev->net->gro && iov_guest_gro_take(cpu, napi, frame))
        return;
    napi->batched++;
    /* A large one counts for the segments that it stands for. */
    if (napi->batched == IOV_GUEST_NAPI_BATCH || frame->segment_size != 0)
        iov_guest_napi_deliver(cpu, napi);
}

bool iov_guest_napi_complete(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi)
{
    iov_guest_gro_flush(cpu, napi);
    iov_guest_napi_deliver(cpu, napi);
    if (napi->missed) {
        napi->missed = false;
        append_poll(&cpu->polls, napi);
        iov_guest_raise_softirq(cpu, IOV_GUEST_NET_RX);
        return false;
    }
    napi->scheduled = false;
    return true;
}

/* Each device that wants to be polled at the beginning is polled once; what comes meanwhile is the
 * next round's. */
void iov_guest_net_rx_softirq(struct iov_guest_cpu *cpu)
{
    struct iov_guest_polls now = cpu->polls, again = { NULL, NULL };
    int budget = LINUX_NETDEV_BUDGET;

    cpu->polls.first = NULL;
    while (now.first != NULL && budget > 0) {
        struct iov_guest_napi *napi = now.first;

        now.first = napi->next;
        cpu->guest->napi_polls++;
        iov_guest_charge(cpu, cpu->guest->costs.napi_poll);
        unsigned done = napi->poll(napi, cpu, LINUX_NAPI_POLL_WEIGHT);

        budget -= (int)done;
        if (done >= LINUX_NAPI_POLL_WEIGHT) { /* more to do */
            iov_guest_napi_deliver(cpu, napi);
            append_poll(&again, napi);
        }
    }
    append_polls(&now, &cpu->polls);
    append_polls(&now, &again);
    cpu->polls = now;
    if (cpu->polls.first != NULL)
        iov_guest_raise_softirq(cpu, IOV_GUEST_NET_RX);
}
