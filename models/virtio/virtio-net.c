/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net: the virtio network device (virtio 1.2, clause 5.1): pairs of queues, a control queue,
 * checksum offload, mergeable receive buffers. Transport and rings are the family's; here are
 * frames.
 *
 * Each transmit queue and each receive queue is an engine with one event:
 *
 *     transmit:  IDLE --doorbell--> FETCH --frame read--> SEND --used, interrupt--> FETCH ...
 * --empty--> IDLE receive:   IDLE --frame from the wire--> STORE --buffers written--> FINISH
 * --used, interrupt--> STORE ... IDLE
 *
 * A busy transmit engine leaves notifications off; when it finds the ring empty it asks for them
 * and looks once more, as QEMU's and vhost's back ends do. Receive notifications are asked for only
 * when buffers run out.
 *
 * Timing: in hardware each step takes what its DMAs take, and each doorbell and frame the device's
 * own time; in software (a back end in an emulator or host kernel) whoever runs the device pays,
 * and all steps fall into one instant.
 *
 * LIMIT: no segmentation offloads, VLAN filter, RSS (a plain hash of the flow picks the receive
 * queue) and link changes; a frame that finds no buffer is dropped, where a back end on a tap would
 * leave it there.
 */
#include "models/virtio/virtio-net-private.h"

#include "core/trace/measure.h"

#define FRAME_MIN 14 /* an Ethernet header */
#define HEADER_SIZE ((uint32_t)sizeof(struct virtio_net_hdr))

G_DEFINE_FINAL_TYPE(IovVirtioNet, iov_virtio_net, IOV_TYPE_VIRTIO_PCI)

static const char *const placement_names[] = { "hardware", "software", NULL };

static struct iov_virtq *queue_of(const struct iov_virtio_net_engine *engine)
{
    return &engine->net->parent_instance.queues[engine->queue];
}

static struct iov_virtio_dma *dma_of(const struct iov_virtio_net_engine *engine)
{
    return &engine->net->parent_instance.access;
}

static iov_time now_of(const IovVirtioNet *net)
{
    return iov_now(net->parent_instance.parent_instance.kernel);
}

static void count_drop(IovVirtioNet *net, uint64_t *why)
{
    (*why)++;
    if (net->parent_instance.parent_instance.run->measure != NULL)
        net->parent_instance.parent_instance.run->measure->counters.drops++;
}

/* The engine goes on after `delay`; true if that is now and the caller may just continue. */
static bool engine_continue(struct iov_virtio_net_engine *engine, iov_time delay)
{
    if (delay == 0)
        return true;
    iov_event_in(&engine->event, delay);
    return false;
}

/* After any step: a broken ring stops the device until the driver resets it. */
static bool engine_broken(struct iov_virtio_net_engine *engine)
{
    if (queue_of(engine)->fault == IOV_VIRTQ_OK)
        return false;
    iov_virtio_broken(&engine->net->parent_instance);
    return true;
}

/* Nothing in the ring: asks for notifications and looks again. True: idle now, or broken. */
static bool engine_rest(struct iov_virtio_net_engine *engine)
{
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);

    if (!engine->net->poll_mode) {
        (void)iov_virtq_set_notifications(queue, dma, true);
        if (iov_virtq_peek(queue, dma) == IOV_VIRTQ_CHAIN) {
            (void)iov_virtq_set_notifications(queue, dma, false);
            return false;
        }
    }
    engine->state = IOV_VIRTIO_NET_IDLE;
    return true;
}

/* ---- Transmit ---- */

/* Reads header and frame of the chain just taken. A frame that makes no sense is completed unsent.
 */
static void read_frame(struct iov_virtio_net_engine *engine, const struct iov_virtq_chain *chain)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    uint64_t size = chain->readable_size - HEADER_SIZE;
    struct virtio_net_hdr header;
    struct iov_span *span = NULL;
    iov_time before, translated;

    engine->head = chain->head;
    if (size < FRAME_MIN || size > IOV_PACKET_MAX) {
        count_drop(net, &net->tx_malformed);
        return;
    }
    if (!iov_virtq_chain_read(queue, dma, chain, 0, &header, sizeof header, NULL))
        return;
    if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) { /* not offered */
        count_drop(net, &net->tx_malformed);
        return;
    }
    before = dma->delay;
    translated = dma->translation;
    engine->packet = iov_packet_new(net->pool, (uint32_t)size);
    if (!iov_virtq_chain_read(queue, dma, chain, HEADER_SIZE, engine->packet->data, (uint32_t)size,
                              &span))
        return;
    if ((header.flags & VIRTIO_NET_HDR_NEEDS_CSUM) != 0 &&
        iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_CSUM))
        engine->packet->flags |= IOV_PACKET_NEEDS_CHECKSUM;
    engine->packet->span = span;
    iov_span_claim(span, net, IOV_PART_QUEUE, now_of(net) + before);
    iov_span_mark(span, net, IOV_PART_IOMMU,
                  now_of(net) + before + (dma->translation - translated));
    iov_span_mark(span, net, IOV_PART_PCIE, now_of(net) + dma->delay);
}

/* Takes the next chain. True: go on with SEND at once. */
static bool tx_fetch(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtq_chain *chain = net->chain;

    iov_virtio_dma_begin(dma_of(engine));
    (void)iov_virtq_set_notifications(queue, dma_of(engine), false);
    switch (iov_virtq_pop(queue, dma_of(engine), chain)) {
    case IOV_VIRTQ_EMPTY:
        if (!engine_rest(engine))
            return engine_continue(engine, dma_of(engine)->delay);
        (void)engine_broken(engine);
        return false;
    case IOV_VIRTQ_BROKEN:
        (void)engine_broken(engine);
        return false;
    default:
        break;
    }
    /* SPEC: 5.1.6.2: a transmit chain is readable and begins with the header. */
    if (chain->writable != 0 || chain->readable_size < HEADER_SIZE)
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    else
        read_frame(engine, chain);
    if (engine_broken(engine))
        return false;
    engine->state = IOV_VIRTIO_NET_SEND;
    return engine_continue(engine, dma_of(engine)->delay + net->frame_time);
}

/* The frame is here: out on the wire, back to the driver. True: go on with FETCH at once. */
static bool tx_send(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    struct iov_packet *packet = engine->packet;
    iov_time busy = 0;

    if (packet != NULL) {
        engine->packet = NULL;
        net->tx_frames++;
        net->tx_bytes += packet->size;
        iov_span_mark(packet->span, net, IOV_PART_DEVICE, now_of(net));
        busy = iov_packet_send(&net->wire, packet);
    }
    iov_virtio_dma_begin(dma);
    if (iov_virtq_fill(queue, dma, 0, engine->head, 0) && iov_virtq_publish(queue, dma, 1))
        iov_virtio_signal(&net->parent_instance, engine->queue, NULL);
    if (engine_broken(engine))
        return false;
    engine->state = IOV_VIRTIO_NET_FETCH;
    return engine_continue(engine, busy > dma->delay ? busy : dma->delay);
}

static void on_transmit(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, event);
    uint32_t burst = engine->net->tx_burst;

    for (uint32_t sent = 0; sent < burst;) {
        if (engine->state == IOV_VIRTIO_NET_SEND) {
            sent++;
            if (!tx_send(engine))
                return;
        } else if (!tx_fetch(engine)) {
            return;
        }
    }
    iov_event_in(&engine->event, 0); /* others of this instant first */
}

/* ---- Receive ---- */

/*
 * Takes as many chains as the frame needs and writes it there. Returns the number of chains, 0 if
 * there is no room: the chains are given back then.
 */
static uint16_t store_frame(struct iov_virtio_net_engine *engine, const struct iov_packet *packet)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    bool mergeable = iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_MRG_RXBUF);
    struct virtio_net_hdr header = { .num_buffers = 1 };
    uint32_t done = 0;
    uint16_t count = 0;

    while (count == 0 || done < packet->size) {
        struct iov_virtq_chain *chain = count == 0 ? net->first_chain : net->chain;
        uint32_t offset = count == 0 ? HEADER_SIZE : 0;
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
        engine->used[count].head = chain->head;
        engine->used[count].length = offset + part;
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
    if ((packet->flags & (IOV_PACKET_CHECKSUM_GOOD | IOV_PACKET_NEEDS_CHECKSUM)) != 0 &&
        iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_GUEST_CSUM))
        header.flags = VIRTIO_NET_HDR_DATA_VALID;
    if (!iov_virtq_chain_write(queue, dma, net->first_chain, 0, &header, sizeof header, false,
                               NULL))
        return 0;
    return count;
}

/* Puts the first waiting frame into buffers, or drops it. True: go on at once. */
static bool rx_store(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    struct iov_packet *packet = engine->waiting.first;

    iov_virtio_dma_begin(dma);
    (void)iov_virtq_set_notifications(queue, dma, false);
    if (packet == NULL) {
        engine->state = IOV_VIRTIO_NET_IDLE;
        (void)engine_broken(engine);
        return false;
    }
    iov_span_mark(packet->span, net, IOV_PART_QUEUE, now_of(net));
    engine->count = store_frame(engine, packet);
    /* Out of buffers: says so to the driver and looks again, once. */
    if (engine->count == 0 && queue->fault == IOV_VIRTQ_OK && !net->poll_mode) {
        (void)iov_virtq_set_notifications(queue, dma, true);
        engine->count = store_frame(engine, packet);
    }
    if (engine_broken(engine))
        return false;
    if (engine->count == 0) {
        iov_packet_free(iov_packet_queue_pop(&engine->waiting));
        count_drop(net, &net->rx_no_buffer);
    } else {
        iov_span_mark(packet->span, net, IOV_PART_IOMMU, now_of(net) + dma->translation);
        iov_span_mark(packet->span, net, IOV_PART_PCIE, now_of(net) + dma->delay);
        engine->state = IOV_VIRTIO_NET_FINISH;
    }
    return engine_continue(engine, dma->delay + net->frame_time);
}

/* The bytes are in memory: used elements, index, interrupt. True: go on at once. */
static bool rx_finish(struct iov_virtio_net_engine *engine)
{
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    struct iov_packet *packet = iov_packet_queue_pop(&engine->waiting);
    bool done = true;

    iov_span_mark(packet->span, net, IOV_PART_DEVICE, now_of(net));
    iov_virtio_dma_begin(dma);
    for (uint16_t i = 0; i < engine->count && done; i++)
        done = iov_virtq_fill(queue, dma, i, engine->used[i].head, engine->used[i].length);
    net->rx_frames++;
    net->rx_bytes += packet->size;
    net->rx_buffers += engine->count;
    if (done && iov_virtq_publish(queue, dma, engine->count))
        iov_virtio_signal(&net->parent_instance, engine->queue, packet->span);
    iov_packet_free(packet);
    engine->state = IOV_VIRTIO_NET_STORE;
    if (engine_broken(engine))
        return false;
    return engine_continue(engine, dma->delay);
}

static void on_receive(struct iov_event *event)
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

/* The pair that takes a frame: flows keep to one pair (IPv4 addresses and ports, XORed). */
static unsigned pick_pair(const IovVirtioNet *net, const struct iov_packet *packet)
{
    unsigned hash = 0;

    if (net->active_pairs <= 1 || packet->size < 38)
        return 0;
    for (unsigned i = 26; i < 38; i++)
        hash ^= packet->data[i];
    return hash % net->active_pairs;
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVirtioNet *net = iov_container_of(port, IovVirtioNet, wire);
    IovVirtioPci *pci = &net->parent_instance;
    struct iov_virtio_net_engine *engine = &net->receive[pick_pair(net, packet)];

    iov_span_claim(packet->span, net, IOV_PART_QUEUE, now_of(net));
    if (!iov_virtio_live(pci) || !pci->queues[engine->queue].enabled) {
        count_drop(net, &net->rx_not_ready);
    } else if (packet->size < FRAME_MIN || !iov_virtio_net_accepts(net, packet->data)) {
        net->rx_filtered++;
    } else if (engine->waiting.count >= net->backlog) {
        count_drop(net, &net->rx_overrun);
    } else {
        iov_packet_queue_push(&engine->waiting, packet);
        if (engine->state == IOV_VIRTIO_NET_IDLE) {
            engine->state = IOV_VIRTIO_NET_STORE;
            iov_event_in(&engine->event, 0);
        }
        return 0;
    }
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Control queue ---- */

static void on_control(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, event);
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = queue_of(engine);
    struct iov_virtio_dma *dma = dma_of(engine);
    struct iov_virtq_chain *chain = net->chain;
    uint8_t answer;

    iov_virtio_dma_begin(dma);
    (void)iov_virtq_set_notifications(queue, dma, false);
    switch (iov_virtq_pop(queue, dma, chain)) {
    case IOV_VIRTQ_EMPTY:
        if (!engine_rest(engine))
            iov_event_in(&engine->event, dma->delay);
        else
            (void)engine_broken(engine);
        return;
    case IOV_VIRTQ_BROKEN:
        (void)engine_broken(engine);
        return;
    default:
        break;
    }
    /* SPEC: 5.1.6.5: class and command to read, one byte to write. */
    if (chain->readable_size < 2 || chain->writable_size < 1) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    } else {
        uint32_t size = chain->readable_size < sizeof net->command ? (uint32_t)chain->readable_size
                                                                   : sizeof net->command;

        net->commands++;
        if (iov_virtq_chain_read(queue, dma, chain, 0, net->command, size, NULL)) {
            answer = iov_virtio_net_command(net, net->command, size);
            if (iov_virtq_chain_write(queue, dma, chain, 0, &answer, 1, false, NULL) &&
                iov_virtq_fill(queue, dma, 0, chain->head, 1) && iov_virtq_publish(queue, dma, 1))
                iov_virtio_signal(&net->parent_instance, engine->queue, NULL);
        }
    }
    if (!engine_broken(engine))
        iov_event_in(&engine->event, dma->delay);
}

/* ---- What the transport tells ---- */

static void engine_wake(struct iov_virtio_net_engine *engine)
{
    if (engine->state != IOV_VIRTIO_NET_IDLE || !queue_of(engine)->enabled ||
        !iov_virtio_live(&engine->net->parent_instance))
        return;
    engine->state = IOV_VIRTIO_NET_FETCH;
    iov_event_in(&engine->event, engine->net->doorbell_time);
}

static void engine_stop(struct iov_virtio_net_engine *engine)
{
    iov_event_disarm(&engine->event);
    engine->state = IOV_VIRTIO_NET_IDLE;
    iov_packet_free(engine->packet);
    engine->packet = NULL;
    while (engine->waiting.first != NULL)
        iov_packet_free(iov_packet_queue_pop(&engine->waiting));
}

static void net_stop(IovVirtioPci *pci)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    for (unsigned i = 0; i < net->queue_pairs; i++) {
        engine_stop(&net->receive[i]);
        engine_stop(&net->transmit[i]);
    }
    engine_stop(&net->control);
}

static void net_reset(IovVirtioPci *pci)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    net_stop(pci);
    iov_virtio_net_filter_reset(net);
    net->active_pairs = 1;
}

/* Looks into queues that the driver filled before DRIVER_OK. */
static void net_start(IovVirtioPci *pci)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);
    /* SPEC: 5.1.2: without MQ there is one pair and the control queue is number 2. */
    bool multiqueue = iov_virtio_has(pci, VIRTIO_NET_F_MQ);

    net->control.queue = multiqueue ? 2 * net->queue_pairs : 2;
    net->usable_pairs = multiqueue ? net->queue_pairs : 1;
    for (unsigned i = 0; i < net->usable_pairs; i++) {
        engine_wake(&net->transmit[i]);
        if (net->poll_mode)
            engine_wake(&net->receive[i]); /* only to switch notifications off */
    }
    if (iov_virtio_has(pci, VIRTIO_NET_F_CTRL_VQ))
        engine_wake(&net->control);
}

static void net_kick(IovVirtioPci *pci, unsigned queue)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    if (queue == net->control.queue && iov_virtio_has(pci, VIRTIO_NET_F_CTRL_VQ))
        engine_wake(&net->control);
    else if (queue % 2 == 1 && queue / 2 < net->usable_pairs)
        engine_wake(&net->transmit[queue / 2]);
    /* New receive buffers need nothing: the next frame finds them. */
}

static const struct iov_virtio_device_ops device_ops = {
    .type = VIRTIO_ID_NET,
    .class_code = 0x020000, /* Ethernet controller */
    .reset = net_reset,
    .start = net_start,
    .kick = net_kick,
    .stop = net_stop,
};

/* A polling thread says "look now". */
static void poll_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    IovVirtioNet *net = iov_container_of(sink, IovVirtioNet, poll);

    (void)span;
    if (!iov_virtio_live(&net->parent_instance))
        return;
    for (unsigned i = 0; i < net->usable_pairs; i++)
        engine_wake(&net->transmit[i]);
}

static const struct iov_notify_sink_ops poll_ops = { .signal = poll_signal };

/* ---- Life cycle and description ---- */

static bool parse_mac(const char *text, uint8_t *ret_mac)
{
    uint8_t mac[6];

    for (unsigned i = 0; i < 6; i++) {
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]) ||
            text[2] != (i < 5 ? ':' : '\0'))
            return false;
        mac[i] = (uint8_t)(g_ascii_xdigit_value(text[0]) * 16 + g_ascii_xdigit_value(text[1]));
        text += 3;
    }
    if (mac[0] & 1)
        return false;
    memcpy(ret_mac, mac, sizeof mac);
    return true;
}

static void engine_init(IovVirtioNet *net, struct iov_virtio_net_engine *engine, unsigned queue,
                        iov_event_fn *handler)
{
    engine->net = net;
    engine->queue = queue;
    engine->state = IOV_VIRTIO_NET_IDLE;
    iov_event_init(&engine->event, net->parent_instance.parent_instance.kernel, handler,
                   IOV_PRIORITY_DEFAULT);
}

static void make_engines(IovVirtioNet *net)
{
    net->receive = g_new0(struct iov_virtio_net_engine, net->queue_pairs);
    net->transmit = g_new0(struct iov_virtio_net_engine, net->queue_pairs);
    for (unsigned i = 0; i < net->queue_pairs; i++) {
        engine_init(net, &net->receive[i], VIRTIO_NET_RECEIVEQ(i), on_receive);
        engine_init(net, &net->transmit[i], VIRTIO_NET_TRANSMITQ(i), on_transmit);
        net->receive[i].used = g_new(struct iov_virtio_net_used, net->parent_instance.queue_size);
    }
    engine_init(net, &net->control, 2 * net->queue_pairs, on_control);
    net->chain = g_new(struct iov_virtq_chain, 1);
    net->first_chain = g_new(struct iov_virtq_chain, 1);
    net->pool = iov_packet_pool_new();
}

static bool virtio_net_prepare(IovModel *model, GError **error)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(model);
    uint8_t config[VIRTIO_NET_CONFIG_SIZE] = { 0 };
    uint16_t status = VIRTIO_NET_STATUS_LINK_UP, pairs = (uint16_t)net->queue_pairs;
    uint64_t features =
        VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) |
        VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX_EXTRA) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR);

    if (!IOV_MODEL_CLASS(iov_virtio_net_parent_class)->prepare(model, error))
        return false;
    if (!parse_mac(net->mac, net->address))
        return iov_model_fail(model, error, "mac: '%s' is not a unicast address aa:bb:cc:dd:ee:ff",
                              net->mac);
    if (net->mergeable_buffers)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
    if (net->checksum)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);
    if (net->queue_pairs > 1)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MQ);
    if (net->mtu != 0)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MTU);
    memcpy(config + VIRTIO_NET_CONFIG_MAC, net->address, 6);
    memcpy(config + VIRTIO_NET_CONFIG_STATUS, &status, 2);
    memcpy(config + VIRTIO_NET_CONFIG_MAX_PAIRS, &pairs, 2);
    memcpy(config + VIRTIO_NET_CONFIG_MTU, &net->mtu, 2);
    if (net->placement == IOV_VIRTIO_NET_HARDWARE) {
        net->doorbell_time = net->doorbell_cost;
        net->frame_time = net->frame_cost;
    }
    make_engines(net);
    /* A vector for each queue and one for the configuration, and one to spare, as QEMU has it. */
    iov_virtio_pci_setup(&net->parent_instance, 2 * net->queue_pairs + 1, 2 * net->queue_pairs + 2,
                         features, config,
                         net->mtu != 0          ? VIRTIO_NET_CONFIG_SIZE
                         : net->queue_pairs > 1 ? VIRTIO_NET_CONFIG_MTU
                                                : VIRTIO_NET_CONFIG_MAX_PAIRS);
    return true;
}

static void virtio_net_unrealize(IovModel *model)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(model);

    if (net->receive != NULL)
        net_stop(&net->parent_instance);
    IOV_MODEL_CLASS(iov_virtio_net_parent_class)->unrealize(model);
}

static void virtio_net_finalize(GObject *object)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(object);

    for (unsigned i = 0; net->receive != NULL && i < net->queue_pairs; i++)
        g_free(net->receive[i].used);
    g_free(net->receive);
    g_free(net->transmit);
    g_free(net->chain);
    g_free(net->first_chain);
    iov_packet_pool_unref(net->pool);
    G_OBJECT_CLASS(iov_virtio_net_parent_class)->finalize(object);
}

static void iov_virtio_net_init(IovVirtioNet *net)
{
    net->parent_instance.ops = &device_ops;
}

static void iov_virtio_net_class_init(IovVirtioNetClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = virtio_net_finalize;
    mc->prepare = virtio_net_prepare;
    mc->unrealize = virtio_net_unrealize;
    iov_model_class_describe(mc, "virtio-net", "Virtio network device behind PCI");
    IOV_PROP_ENUM(mc, IovVirtioNet, placement, placement_names, IOV_VIRTIO_NET_SOFTWARE,
                  "Hardware has times of its own; software's are charged by who runs it");
    IOV_PROP_COUNT(mc, IovVirtioNet, queue_pairs, 1, IOV_VIRTIO_NET_PAIRS_MAX, 1,
                   "Pairs of a receive and a transmit queue");
    IOV_PROP_BOOL(mc, IovVirtioNet, mergeable_buffers, 1,
                  "Offer frames that span several receive buffers");
    IOV_PROP_BOOL(mc, IovVirtioNet, checksum, 0, "Offer checksum offload, both ways");
    IOV_PROP_COUNT(mc, IovVirtioNet, mtu, 0, 65535, 0, "MTU told to the driver; 0: not told");
    IOV_PROP_STRING(mc, IovVirtioNet, mac, "52:54:00:12:34:56", "Station address");
    IOV_PROP_COUNT(mc, IovVirtioNet, tx_burst, 1, 65536, 256,
                   "Frames sent before others of the same instant have a turn");
    IOV_PROP_COUNT(mc, IovVirtioNet, backlog, 1, 65536, 256,
                   "Received frames that may wait for the device, a pair");
    IOV_PROP_BOOL(mc, IovVirtioNet, poll_mode, 0,
                  "Never ask for notifications: a poller signals the port poll");
    IOV_COST(mc, IovVirtioNet, doorbell_cost, "virtio-device-doorbell",
             "From a doorbell's arrival to the first fetch (hardware)");
    IOV_COST(mc, IovVirtioNet, frame_cost, "virtio-device-frame",
             "The device's own time for a frame, DMA apart (hardware)");
    IOV_PORT_PACKET_END(mc, IovVirtioNet, wire, &wire_ops, "Frames");
    IOV_PORT_NOTIFY_SINK(mc, IovVirtioNet, poll, &poll_ops, "Look at the transmit queues now");
    IOV_STAT(mc, IovVirtioNet, tx_frames, "Frames sent");
    IOV_STAT_BYTES(mc, IovVirtioNet, tx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVirtioNet, tx_malformed, "Transmit chains without a frame in them");
    IOV_STAT(mc, IovVirtioNet, rx_frames, "Frames stored");
    IOV_STAT_BYTES(mc, IovVirtioNet, rx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVirtioNet, rx_buffers, "Receive buffers they took");
    IOV_STAT(mc, IovVirtioNet, rx_no_buffer, "Frames dropped for want of a buffer");
    IOV_STAT(mc, IovVirtioNet, rx_overrun, "Frames dropped because too many waited");
    IOV_STAT(mc, IovVirtioNet, rx_not_ready, "Frames dropped while no driver was there");
    IOV_STAT(mc, IovVirtioNet, rx_filtered, "Frames for others");
    IOV_STAT(mc, IovVirtioNet, commands, "Control commands");
}
