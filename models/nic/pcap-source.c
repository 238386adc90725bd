/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap-source - the far end of a cable plays a capture: what arrived somewhere arrives at the
 * guest, at the times of the file, scaled, or as fast as the wire takes it. It waits for a first
 * datagram, as a source of the peer does; with `address-to-sender` frames go to who sent that:
 * Ethernet and IPv4 destination, and the port of UDP, with sums put right. Each guest that sends
 * one, told apart by its Ethernet address, has the capture played to it from then on. Without, it
 * is played once.
 *
 * LIMIT: at most 256 guests; the whole file in memory, at most 256 MiB; fragments and IPv6 keep
 * their addresses; nothing that the guest says changes what comes.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/object/model.h"
#include "core/port/packet.h"
#include "core/trace/measure.h"
#include "models/nic/pcap-file.h"

#define SPANS 8192 /* of one showing: more than rings and queues hold */
#define SHOWINGS 256u
#define LONGEST (PCAP_DAYS_MAX * UINT64_C(86400) * IOV_SEC)

G_DECLARE_FINAL_TYPE(IovPcapSource, iov_pcap_source, IOV, PCAP_SOURCE, IovModel)

/* The capture, played from a guest's first datagram on. */
struct showing {
    IovPcapSource *source;
    struct iov_event next;
    uint64_t index, round, frames_begun;
    iov_time origin;                 /* of this round */
    uint8_t guest[ETHERNET_ADDRESS]; /* who sent that datagram */
    uint8_t guest_address[4];
    uint8_t guest_port[2];
    struct iov_span spans[SPANS]; /* of frames on their way */
    unsigned next_span;
};

struct _IovPcapSource {
    IovModel parent_instance;
    char *file;                  /* property */
    uint64_t time_scale, repeat; /* properties */
    bool address_to_sender;      /* property */
    struct iov_packet_port wire; /* port */
    struct pcap_file frames;
    struct iov_packet_pool *pool;
    struct showing *showings[SHOWINGS];
    unsigned count;
    uint64_t frames_sent, bytes_sent, frames_received, oversize, cut_frames,
        late_frames; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovPcapSource, iov_pcap_source, IOV_TYPE_MODEL)

/* ---- Addresses ---- */

/* The sums of a frame that has the right lengths; others stay as they were captured. */
static void address_ip(const struct showing *showing, uint8_t *frame, uint32_t size)
{
    uint8_t *ip = frame + ETHERNET_HEADER, *udp = ip + IPV4_HEADER;
    uint32_t total, length;

    if (size < ETHERNET_HEADER + IPV4_HEADER ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || ip[IPV4_VERSION] != 0x45)
        return;
    total = iov_net_get16(ip + IPV4_LENGTH);
    if (total < IPV4_HEADER || total > size - ETHERNET_HEADER ||
        (iov_net_get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
        return;
    memcpy(ip + IPV4_DESTINATION, showing->guest_address, 4);
    iov_net_put_ipv4_sum(ip);
    length = total - IPV4_HEADER;
    if (ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_UDP || length < UDP_HEADER)
        return;
    memcpy(udp + UDP_DESTINATION, showing->guest_port, 2);
    iov_net_put16(udp + UDP_LENGTH, length);
    iov_net_put_udp_sum(ip, length);
}

/* ---- Playing ---- */

static const struct pcap_frame *frame_at(const IovPcapSource *self, uint64_t index)
{
    return &g_array_index(self->frames.frames, struct pcap_frame, index);
}

/* When the next frame is due; never in the past. */
static iov_time due(const struct showing *showing)
{
    const IovPcapSource *self = showing->source;
    iov_time when = frame_at(self, showing->index)->when;

    return showing->origin + (iov_time)((unsigned __int128)when * self->time_scale / 100);
}

static struct iov_packet *make(const struct showing *showing, const struct pcap_frame *frame)
{
    struct iov_packet *packet =
        iov_packet_new(showing->source->pool, MAX(frame->size, ETHERNET_MIN));

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, frame->data, frame->stored);
    if (showing->source->address_to_sender) {
        memcpy(packet->data + ETHERNET_DESTINATION, showing->guest, ETHERNET_ADDRESS);
        address_ip(showing, packet->data, packet->size);
    }
    return packet;
}

/* A frame is an operation from here on; one that is lost has its place used again. */
static struct iov_span *begin_span(struct showing *showing, iov_time now)
{
    struct iov_measure *measure = showing->source->parent_instance.run->measure;
    struct iov_span *span;

    if (measure == NULL)
        return NULL;
    span = iov_span_take(showing->spans, SPANS, &showing->next_span);
    iov_span_begin(span, showing->frames_begun++, showing->source, now);
    iov_measure_request_begun(measure, span);
    return span;
}

static void on_next(struct iov_event *event)
{
    struct showing *showing = iov_container_of(event, struct showing, next);
    IovPcapSource *self = showing->source;
    iov_time now = iov_now(self->parent_instance.kernel), busy;
    struct iov_packet *packet = make(showing, frame_at(self, showing->index));

    packet->span = begin_span(showing, now);
    self->frames_sent++;
    self->bytes_sent += packet->size;
    busy = iov_packet_send(&self->wire, packet);
    if (++showing->index == self->frames.frames->len) {
        showing->index = 0;
        if (++showing->round == self->repeat)
            return;
        showing->origin = now + MAX(busy, IOV_NS); /* never without end in one instant */
    }
    iov_event_at(event, MAX(due(showing), now + busy));
}

/* Is there one for this guest, or for all? */
static bool is_shown(const IovPcapSource *self, const uint8_t *guest)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (!self->address_to_sender ||
            memcmp(self->showings[i]->guest, guest, ETHERNET_ADDRESS) == 0)
            return true;
    }
    return self->count == SHOWINGS;
}

static void show(IovPcapSource *self, const uint8_t *frame)
{
    struct showing *showing = g_new0(struct showing, 1);
    const uint8_t *ip = frame + ETHERNET_HEADER;

    showing->source = self;
    memcpy(showing->guest, frame + ETHERNET_SOURCE, ETHERNET_ADDRESS);
    memcpy(showing->guest_address, ip + IPV4_SOURCE, 4);
    memcpy(showing->guest_port, ip + IPV4_HEADER + UDP_SOURCE, 2);
    showing->origin = iov_now(self->parent_instance.kernel);
    self->showings[self->count++] = showing;
    iov_event_init(&showing->next, self->parent_instance.kernel, on_next, IOV_PRIORITY_DEFAULT);
    iov_event_in(&showing->next, 0);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovPcapSource *self = iov_container_of(port, IovPcapSource, wire);
    const uint8_t *ip = packet->data + ETHERNET_HEADER;

    self->frames_received++;
    if (packet->size >= ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER &&
        iov_net_get16(packet->data + ETHERNET_TYPE) == ETHERNET_TYPE_IPV4 &&
        ip[IPV4_VERSION] == 0x45 && ip[IPV4_PROTOCOL] == IPV4_PROTOCOL_UDP &&
        !is_shown(self, packet->data + ETHERNET_SOURCE))
        show(self, packet->data);
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

static void iov_pcap_source_update(IovModel *model)
{
    IovPcapSource *self = (IovPcapSource *)(void *)model;

    self->oversize = self->frames.oversize;
    self->cut_frames = self->frames.cut;
    self->late_frames = self->frames.late;
}

static bool iov_pcap_source_realize(IovModel *model, GError **error)
{
    IovPcapSource *self = (IovPcapSource *)(void *)model;
    GError *problem = NULL;

    if (!pcap_file_read(&self->frames, self->file, &problem)) {
        iov_model_fail(model, error, "file: %s", problem->message);
        g_error_free(problem);
        return false;
    }
    if ((unsigned __int128)frame_at(self, self->frames.frames->len - 1)->when * self->time_scale /
            100 >
        LONGEST)
        return iov_model_fail(model, error, "time-scale: %s would take more than %u days",
                              self->file, PCAP_DAYS_MAX);
    return true;
}

static bool iov_pcap_source_serves(const IovModel *model, enum iov_service wanted,
                                   const char **ret_property, const char **ret_remedy)
{
    (void)model;
    *ret_property = "kind";
    *ret_remedy = "kind: peer";
    return wanted == IOV_SERVICE_SOURCE;
}

static void iov_pcap_source_unrealize(IovModel *model)
{
    IovPcapSource *self = (IovPcapSource *)(void *)model;

    for (unsigned i = 0; i < self->count; i++) {
        iov_event_disarm(&self->showings[i]->next);
        g_free(self->showings[i]);
    }
    self->count = 0;
}

static void iov_pcap_source_finalize(GObject *object)
{
    IovPcapSource *self = (IovPcapSource *)(void *)object;

    pcap_file_clear(&self->frames);
    iov_packet_pool_unref(self->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_pcap_source_parent_class)->finalize(object);
}

static void iov_pcap_source_class_init(IovPcapSourceClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "pcap-source", "A far end that plays a capture");
    IOV_PROP_STRING(mc, IovPcapSource, file, NULL, "A pcap or pcapng file of Ethernet frames");
    IOV_PROP_COUNT(mc, IovPcapSource, time_scale, 0, 1000000, 100,
                   "Times of the file in percent: 50 is twice as fast, 0 as fast as the wire goes");
    IOV_PROP_COUNT(mc, IovPcapSource, repeat, 0, UINT32_MAX, 1, "How often; 0: without end");
    IOV_PROP_BOOL(mc, IovPcapSource, address_to_sender, true,
                  "Frames go to each who sent a first datagram; off: to whom the file says");
    IOV_PORT_PACKET_END(mc, IovPcapSource, wire, &wire_ops, "Its end of the cable");
    IOV_STAT(mc, IovPcapSource, frames_sent, "Frames sent");
    IOV_STAT_BYTES(mc, IovPcapSource, bytes_sent, "Bytes of frames sent");
    IOV_STAT(mc, IovPcapSource, frames_received, "Frames that arrived");
    IOV_STAT(mc, IovPcapSource, oversize,
             "Frames of the file left out: longer than a frame can be, or without a whole header");
    IOV_STAT(mc, IovPcapSource, cut_frames, "Frames of the file that were not captured as a whole");
    IOV_STAT(mc, IovPcapSource, late_frames,
             "Frames of the file that are older than the one before: played right after it");
    mc->realize = iov_pcap_source_realize;
    mc->unrealize = iov_pcap_source_unrealize;
    mc->serves = iov_pcap_source_serves;
    mc->update_statistics = iov_pcap_source_update;
    G_OBJECT_CLASS(klass)->finalize = iov_pcap_source_finalize;
}

static void iov_pcap_source_init(IovPcapSource *self)
{
    self->pool = iov_packet_pool_new();
}
