/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receive engine of virtio-net: frames wait, are written into as many buffers as they need, and are
 * shown to the driver when the bytes are in memory. States and timing: see virtio-net.c.
 *
 * Frames overlap as far as PCI Express lets them. SPEC: PCI Express Base 5.0, 2.4.1: a posted write
 * does not pass another (A2), so it is enough that a used element leaves after the frame's bytes
 * and those of the frames before it, the index after the element and the message after the index. A
 * read does not pass a posted write (B2), so the look at the event index sees what the driver wrote
 * before it saw the index: no interrupt is missed, however many looks are under way.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/segment.h"
#include "models/virtio/virtio-net-private.h"

/* Is the frame of this IP version? */
static bool is_version(const struct iov_packet *packet, uint16_t type)
{
    return packet->data[12] == type >> 8 && packet->data[13] == (type & 0xff);
}

/* Must a large frame be split for this driver? SPEC: 5.1.6.4. */
static bool must_be_split(const IovVirtioNet *net, const struct iov_packet *packet)
{
    if (packet->segment_size == 0)
        return false;
    if (is_version(packet, ETHERNET_TYPE_IPV4))
        return !iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_TSO4);
    return !is_version(packet, ETHERNET_TYPE_IPV6) ||
           !iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_TSO6);
}

/* Of the chains that frames under way have, the one at `place`. */
static struct iov_virtio_net_used *used_at(struct iov_virtio_net_engine *engine, unsigned place)
{
    return &engine->used[(engine->used_first + place) % engine->net->parent_instance.queue_size];
}

/*
 * Takes as many chains as the frame needs and writes it there. Returns the number of chains, 0 if
 * there is no room: the chains are given back then.
 */
static uint16_t store_frame(struct iov_virtio_net_engine *engine, const struct iov_packet *packet)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    bool mergeable = iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_MRG_RXBUF);
    struct virtio_net_hdr header = { .num_buffers = 1 };
    uint32_t done = 0;
    uint16_t count = 0;

    while (count == 0 || done < packet->size) {
        struct iov_virtq_chain *chain = count == 0 ? net->first_chain : net->chain;
        uint32_t offset = count == 0 ? iov_virtio_net_header(net) : 0;
        uint32_t part = packet->size - done;

        if (iov_virtq_pop(queue, dma, chain) != IOV_VIRTQ_CHAIN)
            break;
        /* SPEC: 5.1.6.3: a receive buffer is writable and holds at least the header. */
        if (chain->readable != 0 || chain->writable_size < offset + 1u) {
            iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
            break;
        }
        if (part > chain->writable_size - offset)
            part = (uint32_t)(chain->writable_size - offset);
        *used_at(engine, engine->used_count + count) =
            (struct iov_virtio_net_used){ chain->head, offset + part };
        count++;
        if (part < packet->size - done && !mergeable)
            break; /* the buffer is too small for this frame */
        if (!iov_virtq_chain_write(queue, dma, chain, offset, packet->data + done, part, true,
                                   packet->span))
            break;
        done += part;
    }
    if (queue->fault != IOV_VIRTQ_OK)
        return 0;
    if (done < packet->size) {
        iov_virtq_rewind(queue, count);
        return 0;
    }
    header.num_buffers = count;
    if (packet->flags & IOV_PACKET_NEEDS_CHECKSUM && packet->checksum_place != 0 &&
        iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_CSUM)) {
        header.flags = VIRTIO_NET_HDR_NEEDS_CSUM;
        header.csum_start = packet->checksum_start;
        header.csum_offset = (uint16_t)(packet->checksum_place - packet->checksum_start);
    } else if ((packet->flags & (IOV_PACKET_CHECKSUM_GOOD | IOV_PACKET_NEEDS_CHECKSUM)) != 0 &&
               iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_CSUM)) {
        header.flags = VIRTIO_NET_HDR_DATA_VALID;
    }
    if (packet->segment_size != 0) {
        header.hdr_len = packet->checksum_start + TCP_HEADER; /* a hint: options are left out */
        header.gso_type = is_version(packet, ETHERNET_TYPE_IPV4) ? VIRTIO_NET_HDR_GSO_TCPV4
                                                                 : VIRTIO_NET_HDR_GSO_TCPV6;
        header.gso_size = packet->segment_size;
    }
    if (!iov_virtq_chain_write(queue, dma, net->first_chain, 0, &header, iov_virtio_net_header(net),
                               false, NULL))
        return 0;
    return count;
}

/* Hardware: the frame is shown when its DMAs are done, and the next is stored meanwhile. */
static bool rx_ahead(struct iov_virtio_net_engine *engine)
{
    if (engine->ahead == 1)
        iov_event_at(&engine->done, iov_virtio_net_ahead(engine, 0)->ready);
    if (engine->ahead < engine->net->fetch_ahead)
        iov_event_in(&engine->event, engine->net->frame_time);
    return false;
}

/* Puts the first waiting frame into buffers, or drops it. True: go on at once. */
static bool rx_store(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    struct iov_packet *packet = engine->waiting.first;
    uint16_t count;
    iov_time ready;

    iov_virtio_dma_begin(dma);
    (void)iov_virtq_set_notifications(queue, dma, false);
    if (packet == NULL) {
        engine->state = IOV_VIRTIO_NET_IDLE;
        (void)iov_virtio_net_broken(engine);
        return false;
    }
    iov_span_mark(packet->span, net, IOV_PART_QUEUE, iov_virtio_net_now(net));
    count = store_frame(engine, packet);
    /* Out of buffers: says so to the driver and looks again, once. */
    if (count == 0 && queue->fault == IOV_VIRTQ_OK && !net->poll_mode) {
        (void)iov_virtq_set_notifications(queue, dma, true);
        count = store_frame(engine, packet);
    }
    if (iov_virtio_net_broken(engine))
        return false;
    /* Paced: it stays where it is, as on a tap, until the driver has given buffers. */
    if (count == 0 && net->paced && !net->poll_mode &&
        iov_virtq_peek(queue, dma) == IOV_VIRTQ_EMPTY) {
        engine->state = IOV_VIRTIO_NET_IDLE;
        return false;
    }
    (void)iov_packet_queue_pop(&engine->waiting);
    ready = iov_virtio_net_now(net) + dma->delay + net->frame_time;
    if (count == 0) {
        iov_packet_drop(packet);
        iov_virtio_net_drop(net, &net->rx_no_buffer);
        return iov_virtio_net_continue(engine, dma->delay + net->frame_time);
    }
    iov_span_mark(packet->span, net, IOV_PART_IOMMU, iov_virtio_net_now(net) + dma->translation);
    iov_span_mark(packet->span, net, IOV_PART_PCIE, iov_virtio_net_now(net) + dma->delay);
    *iov_virtio_net_ahead(engine, engine->ahead++) =
        (struct iov_virtio_net_frame){ .packet = packet, .count = count, .ready = ready };
    engine->used_count += count;
    if (net->placement == IOV_VIRTIO_NET_HARDWARE)
        return rx_ahead(engine);
    engine->state = IOV_VIRTIO_NET_FINISH;
    return iov_virtio_net_continue(engine, dma->delay);
}

/* The first frame's bytes are in memory: used elements, index, interrupt. */
static void show_frame(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    struct iov_virtio_net_frame frame = iov_virtio_net_take_ahead(engine);
    struct iov_packet *packet = frame.packet;
    bool done = true;

    iov_span_mark(packet->span, net, IOV_PART_DEVICE, frame.ready);
    iov_span_mark(packet->span, net, IOV_PART_QUEUE, iov_virtio_net_now(net)); /* its turn */
    iov_virtio_dma_begin(dma);
    for (uint16_t i = 0; i < frame.count && done; i++)
        done = iov_virtq_fill(queue, dma, i, used_at(engine, i)->head, used_at(engine, i)->length);
    engine->used_first += frame.count;
    engine->used_count -= frame.count;
    net->rx_frames++;
    net->rx_bytes += packet->size;
    net->rx_large += packet->segment_size != 0;
    net->rx_buffers += frame.count;
    if (done && iov_virtq_publish(queue, dma, frame.count))
        iov_virtio_signal(&net->parent_instance, engine->queue, packet->span);
    iov_packet_free(packet);
}

/* Software. True: go on with STORE at once. */
static bool rx_finish(struct iov_virtio_net_engine *engine)
{
    show_frame(engine);
    engine->state = IOV_VIRTIO_NET_STORE;
    if (iov_virtio_net_broken(engine))
        return false;
    return iov_virtio_net_continue(engine, iov_virtio_net_dma(engine)->delay);
}

/* Hardware. A queue that had as much under way as it can goes on. */
void iov_virtio_net_on_stored(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, done);

    show_frame(engine);
    if (iov_virtio_net_broken(engine))
        return;
    if (engine->ahead > 0)
        iov_event_at(event, MAX(iov_virtio_net_ahead(engine, 0)->ready, event->when));
    if (engine->state == IOV_VIRTIO_NET_STORE && !iov_event_armed(&engine->event))
        iov_event_in(&engine->event, 0);
}

void iov_virtio_net_on_receive(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, event);

    /* Bounded by the frames that wait: none arrives during this call. */
    for (;;) {
        bool again = engine->state == IOV_VIRTIO_NET_FINISH ? rx_finish(engine) : rx_store(engine);

        if (!again)
            return;
    }
}

/* The pair that takes a frame: the tap's choice if there is one, else the pair that last sent for
 * its flow. */
static unsigned pick_pair(const IovVirtioNet *net, const struct iov_packet *packet)
{
    if (net->active_pairs <= 1)
        return 0;
    if (packet->queue != 0)
        return (packet->queue - 1u) % net->active_pairs;
    return iov_flow_queue(net->flows, iov_flow_hash(packet->data, packet->size), net->active_pairs,
                          iov_virtio_net_now(net));
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVirtioNet *net = iov_container_of(port, IovVirtioNet, wire);
    IovVirtioPci *pci = &net->parent_instance;
    struct iov_virtio_net_engine *engine = &net->receive[pick_pair(net, packet)];

    iov_virtio_net_take(net, packet->span, iov_virtio_net_now(net));
    if (!iov_virtio_live(pci) || !pci->queues[engine->queue].enabled) {
        iov_virtio_net_drop(net, &net->rx_not_ready);
    } else if (packet->size < IOV_VIRTIO_NET_FRAME_MIN ||
               !iov_virtio_net_accepts(net, packet->data, packet->size)) {
        net->rx_filtered++;
    } else if (net->placement == IOV_VIRTIO_NET_HARDWARE && packet->segment_size == 0 &&
               packet->size > ETHERNET_MAX + ETHERNET_VLAN_TAG) {
        iov_virtio_net_drop(net, &net->rx_oversize);
    } else if (engine->waiting.count >= net->backlog) {
        iov_virtio_net_drop(net, &net->rx_overrun);
    } else {
        if (net->placement == IOV_VIRTIO_NET_HARDWARE &&
            iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_CSUM) && packet->flags == 0 &&
            iov_segment_verify(packet->data, packet->size))
            packet->flags = IOV_PACKET_CHECKSUM_GOOD;
        if (must_be_split(net, packet)) {
            net->rx_split++;
            if (!iov_segment_cut(net->pool, packet, &engine->waiting))
                iov_virtio_net_drop(net, &net->rx_unsplit);
            if (engine->waiting.first == NULL)
                return 0;
        } else {
            if (!iov_virtio_net_offload(net, VIRTIO_NET_F_GUEST_CSUM))
                iov_segment_sum(packet);
            iov_packet_queue_push(&engine->waiting, packet);
        }
        if (engine->state == IOV_VIRTIO_NET_IDLE) {
            engine->state = IOV_VIRTIO_NET_STORE;
            iov_event_in(&engine->event, 0);
        }
        return 0;
    }
    iov_packet_drop(packet);
    return 0;
}

static bool wire_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    const IovVirtioNet *self = iov_container_of(port, IovVirtioNet, wire);

    memcpy(ret_address, self->address, 6);
    return true;
}

const struct iov_packet_ops iov_virtio_net_wire_ops = { .receive = wire_receive,
                                                        .station = wire_station };
