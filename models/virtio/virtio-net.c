/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net: the virtio network device (virtio 1.2, clause 5.1): pairs of queues, a control queue,
 * checksum offload, mergeable receive buffers. Transport and rings are the family's; here are
 * frames.
 *
 * Each transmit queue and each receive queue is an engine with one event:
 *
 *     transmit:  IDLE --doorbell--> FETCH --frame read--> SEND --used, interrupt--> FETCH ...
 *                FETCH --nothing there--> IDLE
 *     receive:   IDLE --frame came--> STORE --buffers written--> FINISH --used, interrupt-->
 *                STORE ... --no frame waits--> IDLE
 *
 * A busy transmit engine leaves notifications off; when it finds the ring empty it asks for them
 * and looks once more, as QEMU's and vhost's back ends do. Receive notifications are asked for only
 * when buffers run out. A paced engine comes to a stand after a burst or when it finds the ring
 * empty after sending; the next doorbell, which then comes from its back end, lets it go on. So
 * notifications stay off while the back end's thread works on what was sent.
 *
 * Timing: in hardware each step takes what its DMAs take, and each doorbell and frame the device's
 * own time; in software (a back end in an emulator or host kernel) whoever runs the device pays,
 * and all steps fall into one instant. Hardware goes on with further frames while the first one's
 * DMAs are under way (and, sending, while the wire takes it): one in each of the device's own
 * times, and no more than `fetch-ahead`. Used elements keep the order of frames. Likewise hardware
 * holds the requests that it works on; in software the thread that runs the device does.
 *
 * A large segment stays whole up to here: hardware cuts it at the wire, and one for a driver that
 * does not take it is cut before it is stored.
 * LIMIT: cutting takes no time in hardware, nor for the back end in front of such a driver; no RSS
 * by the driver's key (the device steers by itself: a flow's frames go to the pair that last sent
 * for it) and no link changes; a frame that finds no buffer is dropped unless the device is paced.
 */
#include "models/virtio/virtio-net-private.h"

#include "core/net/address.h"
#include "core/trace/measure.h"

#define CONTROL_QUEUE_SIZE 64 /* as QEMU has it */
#define NET_F_GSO \
    6 /* SPEC: 5.1.3.2: of old drafts; devices still offer it, and it promises nothing without \
         checksum offload */

G_DEFINE_FINAL_TYPE(IovVirtioNet, iov_virtio_net, IOV_TYPE_VIRTIO_PCI)

static const char *const placement_names[] = { "hardware", "software", NULL };

/* ---- What the engines share ---- */

void iov_virtio_net_drop(IovVirtioNet *net, uint64_t *why)
{
    iov_measure_drop(net->parent_instance.parent_instance.run->measure, why, NULL);
}

void iov_virtio_net_take(IovVirtioNet *net, struct iov_span *span, iov_time when)
{
    if (span == NULL)
        return;
    if (net->placement == IOV_VIRTIO_NET_HARDWARE)
        iov_span_claim(span, net, IOV_PART_QUEUE, when);
    else
        iov_span_mark(span, span->holder, IOV_PART_QUEUE, when);
}

/* After any step: a broken ring stops the device until the driver resets it. */
bool iov_virtio_net_broken(struct iov_virtio_net_engine *engine)
{
    if (iov_virtio_net_queue(engine)->fault == IOV_VIRTQ_OK)
        return false;
    iov_virtio_broken(&engine->net->parent_instance);
    return true;
}

/* Nothing in the ring: asks for notifications and looks again. True: idle now, or broken. */
bool iov_virtio_net_rest(struct iov_virtio_net_engine *engine)
{
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);

    if (!engine->net->poll_mode) {
        (void)iov_virtq_set_notifications(queue, dma, true);
        if (iov_virtq_peek(queue, dma) == IOV_VIRTQ_CHAIN)
            return false;
    }
    engine->state = IOV_VIRTIO_NET_IDLE;
    return true;
}

/* ---- What the transport tells ---- */

static void engine_wake(struct iov_virtio_net_engine *engine)
{
    bool paused = engine->net->paced && engine->state == IOV_VIRTIO_NET_FETCH &&
                  !iov_event_armed(&engine->event);

    if ((engine->state != IOV_VIRTIO_NET_IDLE && !paused) ||
        !iov_virtio_net_queue(engine)->enabled || !iov_virtio_live(&engine->net->parent_instance))
        return;
    engine->state = IOV_VIRTIO_NET_FETCH;
    iov_event_in(&engine->event, engine->net->doorbell_time);
}

static void engine_stop(struct iov_virtio_net_engine *engine)
{
    iov_event_disarm(&engine->event);
    engine->state = IOV_VIRTIO_NET_IDLE;
    engine->sent = false;
    iov_event_disarm(&engine->done);
    while (engine->ahead > 0)
        iov_packet_free(iov_virtio_net_take_ahead(engine).packet);
    engine->used_count = 0;
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
    if (net->flows != NULL)
        memset(net->flows, 0, sizeof *net->flows);
}

/* Looks into queues that the driver filled before DRIVER_OK. */
static void net_start(IovVirtioPci *pci)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);
    /* SPEC: 5.1.2: without MQ there is one pair and the control queue is number 2. */
    bool multiqueue = iov_virtio_has(pci, VIRTIO_NET_F_MQ);

    net->control.queue = multiqueue ? 2 * net->queue_pairs : 2;
    net->usable_pairs = multiqueue ? net->queue_pairs : 1;
    net->offloads = pci->accepted & IOV_VIRTIO_NET_GUEST_OFFLOADS;
    for (unsigned i = 0; i < net->usable_pairs; i++) {
        engine_wake(&net->transmit[i]);
        if (net->poll_mode)
            engine_wake(&net->receive[i]); /* only to switch notifications off */
    }
    if (iov_virtio_has(pci, VIRTIO_NET_F_CTRL_VQ))
        engine_wake(&net->control);
}

/* New receive buffers: for a frame that waits for one; else the next frame finds them. */
static void receive_wake(struct iov_virtio_net_engine *engine)
{
    if (engine->state != IOV_VIRTIO_NET_IDLE || engine->waiting.first == NULL)
        return;
    engine->state = IOV_VIRTIO_NET_STORE;
    iov_event_in(&engine->event, 0);
}

static void net_kick(IovVirtioPci *pci, unsigned queue)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    if (queue == net->control.queue && iov_virtio_has(pci, VIRTIO_NET_F_CTRL_VQ))
        engine_wake(&net->control);
    else if (queue % 2 == 1 && queue / 2 < net->usable_pairs)
        engine_wake(&net->transmit[queue / 2]);
    else if (queue % 2 == 0 && queue / 2 < net->usable_pairs)
        receive_wake(&net->receive[queue / 2]);
}

static void net_queue_reset(IovVirtioPci *pci, unsigned queue)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    if (queue == net->control.queue)
        engine_stop(&net->control);
    else if (queue / 2 < net->queue_pairs)
        engine_stop(queue % 2 == 1 ? &net->transmit[queue / 2] : &net->receive[queue / 2]);
}

/* SPEC: 5.1.4.2: legacy drivers without the command for it write the station address. */
static void net_config_write(IovVirtioPci *pci, uint32_t offset, const uint8_t *data, uint32_t size)
{
    IovVirtioNet *net = IOV_VIRTIO_NET_CAST(pci);

    if (!iov_virtio_is_legacy(pci) || iov_virtio_has(pci, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
        offset + size > VIRTIO_NET_CONFIG_MAC + sizeof net->filter.mac) {
        iov_virtio_bad_access(pci);
        return;
    }
    memcpy(pci->device_config + offset, data, size);
    memcpy(net->filter.mac, pci->device_config + VIRTIO_NET_CONFIG_MAC, sizeof net->filter.mac);
}

static const struct iov_virtio_device_ops device_ops = {
    .type = VIRTIO_ID_NET,
    .legacy_id = VIRTIO_PCI_DEVICE_LEGACY_NET,
    .class_code = 0x020000, /* Ethernet controller */
    .reset = net_reset,
    .start = net_start,
    .kick = net_kick,
    .stop = net_stop,
    .queue_reset = net_queue_reset,
    .config_write = net_config_write,
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

/* SPEC: 5.1.6.5.4: the driver is asked to tell the network where it is; it acknowledges by a
 * command. */
static void announce_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    IovVirtioNet *net = iov_container_of(sink, IovVirtioNet, announce);
    IovVirtioPci *pci = &net->parent_instance;

    (void)span;
    if (!iov_virtio_has(pci, VIRTIO_NET_F_GUEST_ANNOUNCE) ||
        !iov_virtio_has(pci, VIRTIO_NET_F_CTRL_VQ))
        return;
    pci->device_config[VIRTIO_NET_CONFIG_STATUS] |= VIRTIO_NET_STATUS_ANNOUNCE;
    iov_virtio_config_changed(pci);
}

static const struct iov_notify_sink_ops announce_ops = { .signal = announce_signal };

/* ---- Life cycle and description ---- */

static void engine_init(IovVirtioNet *net, struct iov_virtio_net_engine *engine, unsigned queue,
                        iov_event_fn *handler, iov_event_fn *done)
{
    struct iov_kernel *kernel = net->parent_instance.parent_instance.kernel;

    engine->net = net;
    engine->queue = queue;
    engine->state = IOV_VIRTIO_NET_IDLE;
    iov_event_init(&engine->event, kernel, handler, IOV_PRIORITY_DEFAULT);
    iov_event_init(&engine->done, kernel, done, IOV_PRIORITY_DEFAULT);
}

static void make_engines(IovVirtioNet *net)
{
    net->receive = g_new0(struct iov_virtio_net_engine, net->queue_pairs);
    net->transmit = g_new0(struct iov_virtio_net_engine, net->queue_pairs);
    for (unsigned i = 0; i < net->queue_pairs; i++) {
        engine_init(net, &net->receive[i], VIRTIO_NET_RECEIVEQ(i), iov_virtio_net_on_receive,
                    iov_virtio_net_on_stored);
        engine_init(net, &net->transmit[i], VIRTIO_NET_TRANSMITQ(i), iov_virtio_net_on_transmit,
                    iov_virtio_net_on_send);
        net->receive[i].used = g_new(struct iov_virtio_net_used, net->parent_instance.queue_size);
    }
    engine_init(net, &net->control, 2 * net->queue_pairs, iov_virtio_net_on_control, NULL);
    net->chain = g_new(struct iov_virtq_chain, 1);
    net->first_chain = g_new(struct iov_virtq_chain, 1);
    net->pool = iov_packet_pool_new();
    if (net->queue_pairs > 1)
        net->flows = g_new0(struct iov_flow_table, 1);
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
    if (!iov_net_address_choose(net->mac, model->path, IOV_NET_VENDOR_KVM, net->address))
        return iov_model_fail(model, error, "mac: '%s' is not a unicast address aa:bb:cc:dd:ee:ff",
                              net->mac);
    if (net->mergeable_buffers)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
    if (net->checksum)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM);
    /* SPEC: 5.1.3.1: segmentation needs checksum offload. */
    if (net->checksum && net->segmentation)
        features |=
            VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) |
            VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |
            VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN);
    if (net->extended_control)
        features |= VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VLAN) |
                    VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) |
                    VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_FEATURE(NET_F_GSO);
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
    iov_virtq_reset(&net->parent_instance.queues[2 * net->queue_pairs], CONTROL_QUEUE_SIZE);
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
    g_free(net->flows);
    g_free(net->chain);
    g_free(net->first_chain);
    iov_packet_pool_unref(net->pool, IOV_MODEL(object)->kernel);
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
    IOV_PROP_BOOL(mc, IovVirtioNet, extended_control, 0,
                  "Offer VLAN filter, announcements and control of receive offloads");
    IOV_PROP_BOOL(mc, IovVirtioNet, checksum, 0, "Offer checksum offload, both ways");
    IOV_PROP_BOOL(mc, IovVirtioNet, segmentation, 0,
                  "Offer TCP segments of up to 64 KiB, both ways; needs checksum");
    IOV_PROP_COUNT(mc, IovVirtioNet, mtu, 0, 65535, 0, "MTU told to the driver; 0: not told");
    IOV_PROP_STRING(mc, IovVirtioNet, mac, "52:54:00:12:34:56",
                    "Station address; auto: one that the part's path gives");
    IOV_PROP_COUNT(mc, IovVirtioNet, tx_burst, 1, 65536, 256,
                   "Frames sent before others of the same instant have a turn");
    IOV_PROP_SIZE_OR(mc, IovVirtioNet, tx_burst_size, "none", 1, UINT32_MAX, 0,
                     "So have they when this much was sent");
    IOV_PROP_COUNT(mc, IovVirtioNet, backlog, 1, 65536, 256,
                   "Received frames that may wait for the device, a pair");
    IOV_PROP_COUNT(mc, IovVirtioNet, fetch_ahead, 1, IOV_VIRTIO_NET_AHEAD_MAX, 8,
                   "Frames of a queue that are under way before the first of them is sent, or "
                   "shown to the driver (hardware)");
    IOV_PROP_BOOL(mc, IovVirtioNet, poll_mode, 0,
                  "Never ask for notifications: a poller signals the port poll");
    IOV_PROP_BOOL(mc, IovVirtioNet, paced, 0,
                  "A transmit queue that sent something waits for its next doorbell: whoever runs "
                  "the device pays first, and `more` says that there may be more to do");
    IOV_COST(mc, IovVirtioNet, doorbell_cost, "virtio-device-doorbell",
             "From a doorbell's arrival to the first fetch (hardware)");
    IOV_COST(mc, IovVirtioNet, frame_cost, "virtio-device-frame",
             "The device's own time for a frame, DMA apart (hardware)");
    IOV_PORT_PACKET_END(mc, IovVirtioNet, wire, &iov_virtio_net_wire_ops, "Frames");
    IOV_PORT_NOTIFY_SINK(mc, IovVirtioNet, announce, &announce_ops,
                         "Ask the driver to announce itself");
    IOV_PORT_NOTIFY_SINK(mc, IovVirtioNet, poll, &poll_ops, "Look at the transmit queues now");
    IOV_PORT_NOTIFY_SOURCE(mc, IovVirtioNet, more,
                           "Paced: a transmit queue stands still and may have more");
    IOV_STAT(mc, IovVirtioNet, tx_frames, "Frames sent");
    IOV_STAT_BYTES(mc, IovVirtioNet, tx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVirtioNet, tx_malformed, "Transmit chains without a frame in them");
    IOV_STAT(mc, IovVirtioNet, tx_large, "Frames sent that are to be segmented");
    IOV_STAT(mc, IovVirtioNet, tx_segments, "Segments of them, where the device cuts (hardware)");
    IOV_STAT(mc, IovVirtioNet, rx_frames, "Frames stored");
    IOV_STAT(mc, IovVirtioNet, rx_large, "Of them, segments that belong together as one");
    IOV_STAT(mc, IovVirtioNet, rx_split, "Large frames cut for a driver that does not take them");
    IOV_STAT(mc, IovVirtioNet, rx_unsplit, "Large frames dropped that cannot be cut");
    IOV_STAT(mc, IovVirtioNet, rx_oversize,
             "Frames dropped that are too long for a cable (hardware)");
    IOV_STAT_BYTES(mc, IovVirtioNet, rx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVirtioNet, rx_buffers, "Receive buffers they took");
    IOV_STAT(mc, IovVirtioNet, rx_no_buffer, "Frames dropped for want of a buffer");
    IOV_STAT(mc, IovVirtioNet, rx_overrun, "Frames dropped because too many waited");
    IOV_STAT(mc, IovVirtioNet, rx_not_ready, "Frames dropped while no driver was there");
    IOV_STAT(mc, IovVirtioNet, rx_filtered, "Frames for others");
    IOV_STAT(mc, IovVirtioNet, commands, "Control commands");
}
