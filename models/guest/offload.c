/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest kernel does where the device does not: cutting large TCP segments below the
 * transmit queue (GSO), and putting received ones together (GRO).
 *
 * Headers and sums are real (core/net/segment.h); every piece cut, and every segment that becomes
 * part of a large one, costs time.
 * LIMIT: GRO holds one large segment for each poll, where Linux holds eight for each of eight hash
 * buckets; TCP over IPv4 without options only.
 */
#include "models/guest/offload.h"

#include <glib.h>
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/net/segment.h"

void iov_guest_net_opened(struct iov_guest_net *net)
{
    const IovLinuxGuest *guest = net->guest;
    bool kernel = net->dev->ops->poll == NULL; /* a program's own stack does without */

    net->checksum_offload = net->checksum_offload && guest->tx_checksum;
    net->rx_checksum = guest->rx_checksum;
    net->gso = kernel && guest->gso;
    net->gro = kernel && guest->gro;
    /* As the kernel sees to it: without sums and buffers in pieces there is no TSO. */
    net->tso =
        net->gso && net->dev->tso && guest->tso && guest->scatter_gather && net->checksum_offload;
    for (unsigned i = 0; net->gso && i < net->dev->queues && i < IOV_GUEST_QUEUES; i++)
        net->cutting[i].piece = g_new0(struct iov_guest_frame, 1);
}

/* ---- GSO ---- */

/* GSO: makes the next piece of a large segment, which the processor pays for. */
static void cut_piece(struct iov_guest_net *net, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame, const struct iov_segment_plan *plan)
{
    struct iov_guest_cutting *cutting = &net->cutting[frame->queue];
    struct iov_guest_frame *piece = cutting->piece;
    uint32_t offset, size = iov_segment_size(plan, cutting->done, &offset);

    iov_guest_charge(cpu, cpu->guest->costs.gso);
    if (!net->checksum_offload)
        iov_guest_charge_checksum(cpu, size);
    memcpy(piece->data, frame->data, plan->header);
    memcpy(piece->data + plan->header, frame->more + offset, size - plan->header);
    iov_segment_headers(plan, cutting->done, piece->data, size, !net->checksum_offload);
    piece->size = size;
    piece->socket = frame->socket;
    piece->flow = frame->flow;
    piece->queue = frame->queue;
    piece->checksum_start = net->checksum_offload ? frame->checksum_start : 0;
    piece->checksum_offset = net->checksum_offload ? frame->checksum_offset : 0;
    piece->span = cutting->done + 1 == plan->count ? frame->span : NULL;
    net->sockets[frame->socket].send_memory += iov_guest_frame_memory(size);
    net->cut++;
}

/* The driver gets the pieces of a large segment. False: it has no room for all of them; it goes on
 * there later. */
bool iov_guest_transmit_pieces(struct iov_guest_net *net, struct iov_guest_cpu *cpu,
                               const struct iov_guest_frame *frame)
{
    struct iov_guest_cutting *cutting = &net->cutting[frame->queue];
    struct iov_segment_plan plan;

    IOV_REQUIRE(
        iov_segment_plan(frame->data, IOV_TCP_PAYLOAD_AT, frame->size, frame->segment_size, &plan));
    while (cutting->done < plan.count) {
        if (cutting->piece->size == 0)
            cut_piece(net, cpu, frame, &plan);
        if (net->dev->tx[frame->queue].stopped ||
            !net->dev->ops->transmit(net->dev, cpu, cutting->piece))
            return false;
        cutting->piece->size = 0;
        if (++cutting->done < plan.count)
            iov_guest_work_for(cpu, frame->span);
    }
    cutting->done = 0;
    net->sockets[frame->socket].send_memory -= iov_guest_frame_memory(frame->size);
    return true;
}

/* ---- GRO ---- */

/* The large segment goes up, behind what came before it. */
void iov_guest_gro_flush(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi)
{
    struct iov_guest_frame *large = napi->gro;

    if (napi->gro_payload == 0)
        return;
    iov_guest_napi_deliver(cpu, napi);
    if (napi->gro_payload > large->segment_size)
        iov_segment_merged(large->data, napi->gro_payload, false);
    else
        large->segment_size = 0; /* it stayed alone */
    large->size = IOV_TCP_PAYLOAD_AT + napi->gro_payload;
    napi->gro_payload = 0;
    iov_guest_net_deliver(cpu, napi->dev->net, large);
}

/*
 * Linux's tcp_gro_receive(): a segment that goes on where the large one ends becomes part of it;
 * one that is shorter than the others, or is pushed, is its last. False: the frame is none for it.
 * `frame` is a whole received one.
 */
bool iov_guest_gro_take_tcp(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi,
                            const struct iov_guest_frame *frame)
{
    struct iov_guest_frame *large = napi->gro;
    struct iov_segment_data data;
    bool last;

    if (frame->segment_size != 0 || frame->size > IOV_GUEST_FRAME_MAX)
        data.payload = 0;
    else
        data = iov_segment_data(frame->data, frame->size);
    if (data.payload == 0) {
        iov_guest_gro_flush(cpu, napi);
        return false;
    }
    if (napi->gro_payload == 0 && data.last)
        return false;
    if (frame->checksum_start == 0) {
        iov_guest_charge_checksum(cpu, data.payload);
        if (!iov_segment_verify(frame->data, frame->size))
            return false; /* the stack finds out, too */
    }
    last = data.last || (napi->gro_payload != 0 && data.payload < large->segment_size);
    if (napi->gro_payload != 0 &&
        (data.payload > large->segment_size ||
         IOV_TCP_PAYLOAD_AT + napi->gro_payload + data.payload > IOV_SEGMENT_MERGED_MAX ||
         (frame->span != NULL && large->span != NULL) ||
         !iov_segment_follows(large->data, napi->gro_payload, frame->data))) {
        iov_guest_gro_flush(cpu, napi);
        last = data.last;
    }
    if (napi->gro_payload == 0) {
        if (last)
            return false;
        memcpy(large->data, frame->data, frame->size);
        large->segment_size = (uint16_t)data.payload;
        large->checksum_start = 1;
        large->span = frame->span;
        napi->gro_payload = data.payload;
        return true;
    }
    iov_guest_charge(cpu, cpu->guest->costs.gro);
    napi->dev->net->put_together++;
    napi->gro_payload += data.payload;
    if (frame->span != NULL)
        large->span = frame->span;
    if (last)
        iov_guest_gro_flush(cpu, napi);
    return true;
}
