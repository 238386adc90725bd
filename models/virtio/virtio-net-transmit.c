/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transmit engine of virtio-net: takes a chain, reads header and frame, and, when they are there,
 * sends the frame and gives the chain back. States and timing: see virtio-net.c.
 */
#include "core/net/segment.h"
#include "models/virtio/virtio-net-private.h"

/*
 * SPEC: 5.1.6.2: offloads only as negotiated; a segment's checksum is left open, its payload is
 * split into pieces of a size that is not 0; the place of the checksum lies in the frame.
 */
static bool is_sound(const IovVirtioNet *net, const struct virtio_net_hdr *header, uint64_t size)
{
    const IovVirtioPci *pci = &net->parent_instance;
    bool open_checksum =
        (header->flags & VIRTIO_NET_HDR_NEEDS_CSUM) != 0 && iov_virtio_has(pci, VIRTIO_NET_F_CSUM);
    bool offered = false;

    if (open_checksum && (uint32_t)header->csum_start + header->csum_offset + 2 > size)
        return false;
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return true;
    if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN && !iov_virtio_has(pci, VIRTIO_NET_F_HOST_ECN))
        return false;
    switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        offered = iov_virtio_has(pci, VIRTIO_NET_F_HOST_TSO4);
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        offered = iov_virtio_has(pci, VIRTIO_NET_F_HOST_TSO6);
        break;
    default:
        break;
    }
    return offered && open_checksum && header->gso_size > 0;
}

static bool can_be_cut(const struct iov_packet *packet)
{
    struct iov_segment_plan plan;

    return iov_segment_plan(packet->data, packet->size, packet->size, packet->segment_size, &plan);
}

/* Reads header and frame of the chain just taken. A frame that makes no sense is completed
 * unsent. */
static void read_frame(struct iov_virtio_net_engine *engine, const struct iov_virtq_chain *chain)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    uint32_t header_size = iov_virtio_net_header(net);
    uint64_t size = chain->readable_size - header_size;
    struct iov_virtio_net_frame *fetched = iov_virtio_net_ahead(engine, engine->ahead++);
    struct virtio_net_hdr header;
    struct iov_span *span = NULL;
    iov_time before, translated;

    *fetched = (struct iov_virtio_net_frame){ .head = chain->head };
    if (size < IOV_VIRTIO_NET_FRAME_MIN || size > IOV_PACKET_MAX) {
        iov_virtio_net_drop(net, &net->tx_malformed);
        return;
    }
    if (!iov_virtq_chain_read(queue, dma, chain, 0, &header, header_size, NULL))
        return;
    if (!is_sound(net, &header, size)) {
        iov_virtio_net_drop(net, &net->tx_malformed);
        return;
    }
    before = dma->delay;
    translated = dma->translation;
    fetched->packet = iov_packet_new(net->pool, (uint32_t)size);
    if (!iov_virtq_chain_read(queue, dma, chain, header_size, fetched->packet->data, (uint32_t)size,
                              &span))
        return;
    if ((header.flags & VIRTIO_NET_HDR_NEEDS_CSUM) != 0 &&
        iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_CSUM)) {
        fetched->packet->flags |= IOV_PACKET_NEEDS_CHECKSUM;
        fetched->packet->checksum_start = header.csum_start;
        fetched->packet->checksum_place = (uint32_t)header.csum_start + header.csum_offset;
    }
    if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        fetched->packet->segment_size = header.gso_size;
        net->tx_large++;
        if (!can_be_cut(fetched->packet)) {
            iov_packet_free(fetched->packet);
            fetched->packet = NULL;
            iov_virtio_net_drop(net, &net->tx_malformed);
            return;
        }
    }
    fetched->packet->span = span;
    iov_virtio_net_take(net, span, iov_virtio_net_now(net) + before);
    iov_span_mark(span, net, IOV_PART_IOMMU,
                  iov_virtio_net_now(net) + before + (dma->translation - translated));
    iov_span_mark(span, net, IOV_PART_PCIE, iov_virtio_net_now(net) + dma->delay);
}

static void send_soon(struct iov_virtio_net_engine *engine)
{
    iov_event_at(&engine->done, MAX(iov_virtio_net_ahead(engine, 0)->ready, engine->wire_free));
}

/* Hardware: the frame will be there when its DMAs are done, and the next is fetched meanwhile. */
static bool tx_ahead(struct iov_virtio_net_engine *engine)
{
    const IovVirtioNet *net = engine->net;
    iov_time ready = iov_virtio_net_now(net) + iov_virtio_net_dma(engine)->delay + net->frame_time;

    iov_virtio_net_ahead(engine, engine->ahead - 1)->ready = ready;
    if (engine->ahead == 1)
        send_soon(engine);
    if (engine->ahead < net->fetch_ahead)
        iov_event_in(&engine->event, net->frame_time);
    return false;
}

/* Takes the next chain. True: go on with SEND at once. */
static bool tx_fetch(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtq_chain *chain = net->chain;

    iov_virtio_dma_begin(iov_virtio_net_dma(engine));
    (void)iov_virtq_set_notifications(queue, iov_virtio_net_dma(engine), false);
    switch (iov_virtq_pop(queue, iov_virtio_net_dma(engine), chain)) {
    case IOV_VIRTQ_EMPTY:
        if (engine->ahead > 0)
            return false; /* busy still: it looks again when it has sent one */
        if (net->paced && engine->sent) {
            iov_virtio_net_pause(engine);
            return false;
        }
        if (!iov_virtio_net_rest(engine))
            return iov_virtio_net_continue(engine, iov_virtio_net_dma(engine)->delay);
        (void)iov_virtio_net_broken(engine);
        return false;
    case IOV_VIRTQ_BROKEN:
        (void)iov_virtio_net_broken(engine);
        return false;
    default:
        break;
    }
    /* SPEC: 5.1.6.2: a transmit chain is readable and begins with the header. */
    if (chain->writable != 0 || chain->readable_size < iov_virtio_net_header(net))
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        read_frame(engine, chain);
    if (iov_virtio_net_broken(engine))
        return false;
    if (net->placement == IOV_VIRTIO_NET_HARDWARE)
        return tx_ahead(engine);
    engine->state = IOV_VIRTIO_NET_SEND;
    return iov_virtio_net_continue(engine, iov_virtio_net_dma(engine)->delay);
}

/* The first frame that was fetched goes out on the wire and back to the driver. Returns how long
 * the wire takes it. */
static iov_time send_frame(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    struct iov_virtio_net_frame fetched = iov_virtio_net_take_ahead(engine);
    struct iov_packet *packet = fetched.packet;
    iov_time busy = 0;

    if (packet != NULL) {
        net->tx_frames++;
        net->tx_bytes += packet->size;
        iov_span_mark(packet->span, net, IOV_PART_DEVICE, fetched.ready);
        iov_span_mark(packet->span, net, IOV_PART_QUEUE, iov_virtio_net_now(net)); /* the wire's */
        if (net->active_pairs > 1)
            iov_flow_sent(net->flows, iov_flow_hash(packet->data, packet->size), engine->queue / 2,
                          iov_virtio_net_now(net));
        /* Hardware has the wire behind it; software a back end that may take it as it is. */
        busy = net->placement == IOV_VIRTIO_NET_HARDWARE
                   ? iov_segment_send(&net->wire, net->pool, packet, &net->tx_segments)
                   : iov_packet_send(&net->wire, packet);
    }
    iov_virtio_dma_begin(dma);
    if (iov_virtq_fill(queue, dma, 0, fetched.head, 0) && iov_virtq_publish(queue, dma, 1))
        iov_virtio_signal(&net->parent_instance, engine->queue, NULL);
    return busy;
}

/* Software. True: go on with FETCH at once. */
static bool tx_send(struct iov_virtio_net_engine *engine)
{
    iov_time busy = send_frame(engine);

    if (iov_virtio_net_broken(engine))
        return false;
    engine->state = IOV_VIRTIO_NET_FETCH;
    engine->sent = true;
    return iov_virtio_net_continue(engine, MAX(busy, iov_virtio_net_dma(engine)->delay));
}

/* Hardware. A queue that had fetched as much as it can goes on. */
void iov_virtio_net_on_send(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, done);

    engine->wire_free = iov_virtio_net_now(engine->net) + send_frame(engine);
    if (iov_virtio_net_broken(engine))
        return;
    if (engine->ahead > 0)
        send_soon(engine);
    if (engine->state == IOV_VIRTIO_NET_FETCH && !iov_event_armed(&engine->event))
        iov_event_in(&engine->event, 0);
}

/* What was sent is to be paid for before the ring is looked at again. */
void iov_virtio_net_pause(struct iov_virtio_net_engine *engine)
{
    engine->sent = false;
    iov_notify_signal(&engine->net->more, NULL);
}

static bool burst_over(const IovVirtioNet *net, uint32_t frames, uint64_t bytes)
{
    return frames >= net->tx_burst || (net->tx_burst_size > 0 && bytes >= net->tx_burst_size);
}

void iov_virtio_net_on_transmit(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, event);
    uint64_t before = engine->net->tx_bytes;

    for (uint32_t sent = 0; !burst_over(engine->net, sent, engine->net->tx_bytes - before);) {
        if (engine->state == IOV_VIRTIO_NET_SEND) {
            sent++;
            if (!tx_send(engine))
                return;
        } else if (!tx_fetch(engine)) {
            return;
        }
    }
    if (engine->net->paced)
        iov_virtio_net_pause(engine);
    else
        iov_event_in(&engine->event, 0); /* others of this instant first */
}
