/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcap-source - the far end of a cable plays a capture: what arrived somewhere arrives at the guest, at the times of the file, scaled, or as
 * fast as the wire takes it. It waits for a first datagram, as a source of the peer does; with `address-to-sender` frames go to who sent
 * that: Ethernet and IPv4 destination, and the port of UDP, with sums put right.
 *
 * LIMIT: the whole file in memory, at most 256 MiB; fragments and IPv6 keep their addresses; nothing that the guest says changes what comes.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/object/model.h"
#include "core/port/packet.h"
#include "core/trace/measure.h"
#include "models/nic/pcap-file.h"

#define SPANS 8192 /* more than rings and queues hold */
#define LONGEST (PCAP_DAYS_MAX * UINT64_C(86400) * IOV_SEC)

G_DECLARE_FINAL_TYPE(IovPcapSource, iov_pcap_source, IOV, PCAP_SOURCE, IovModel)

struct _IovPcapSource {
    IovModel parent_instance;
    char *file;                  /* property */
    uint64_t time_scale, repeat; /* properties */
    bool address_to_sender;      /* property */
    struct iov_packet_port wire; /* port */
    struct pcap_file frames;
    struct iov_span *spans; /* of frames on their way: SPANS */
    struct iov_packet_pool *pool;
    struct iov_event next;
    uint64_t index, round, frames_begun;
    iov_time origin, last; /* of this round; when the last frame is due, scaled */
    bool playing;
    uint8_t sender[ETHERNET_ADDRESS];
    uint8_t sender_address[4];
    uint8_t sender_port[2];
    uint64_t frames_sent, bytes_sent, frames_received, oversize, cut_frames,
        late_frames; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovPcapSource, iov_pcap_source, IOV_TYPE_MODEL)

/* ---- Addresses ---- */

/* The sums of a frame that has the right lengths; others stay as they were captured. */
static void address_ip(const IovPcapSource *self, uint8_t *frame, uint32_t size)
{
    uint8_t *ip = frame + ETHERNET_HEADER, *udp = ip + IPV4_HEADER;
    uint32_t total, length, sum;

    if (size < ETHERNET_HEADER + IPV4_HEADER ||
        iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || ip[IPV4_VERSION] != 0x45)
        return;
    total = iov_net_get16(ip + IPV4_LENGTH);
    if (total < IPV4_HEADER || total > size - ETHERNET_HEADER ||
        (iov_net_get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
        return;
    memcpy(ip + IPV4_DESTINATION, self->sender_address, 4);
    iov_net_put16(ip + IPV4_CHECKSUM, 0);
    iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, IPV4_HEADER));
    length = total - IPV4_HEADER;
    if (ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_UDP || length < UDP_HEADER)
        return;
    memcpy(udp + UDP_DESTINATION, self->sender_port, 2);
    iov_net_put16(udp + UDP_LENGTH, length);
    iov_net_put16(udp + UDP_CHECKSUM, 0);
    sum = iov_net_sum(IPV4_PROTOCOL_UDP + length, ip + IPV4_SOURCE, 8);
    sum = ~iov_net_sum(sum, udp, length) & 0xffff;
    iov_net_put16(udp + UDP_CHECKSUM, sum != 0 ? sum : 0xffff);
}

/* ---- Playing ---- */

static const struct pcap_frame *frame_at(const IovPcapSource *self, uint64_t index)
{
    return &g_array_index(self->frames.frames, struct pcap_frame, index);
}

/* When the next frame is due; never in the past. */
static iov_time due(IovPcapSource *self)
{
    iov_time when = frame_at(self, self->index)->when;

    return self->origin + (iov_time)((unsigned __int128)when * self->time_scale / 100);
}

static struct iov_packet *make(IovPcapSource *self, const struct pcap_frame *frame)
{
    struct iov_packet *packet = iov_packet_new(self->pool, MAX(frame->size, ETHERNET_MIN));

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, frame->data, frame->stored);
    if (self->address_to_sender) {
        memcpy(packet->data + ETHERNET_DESTINATION, self->sender, ETHERNET_ADDRESS);
        address_ip(self, packet->data, packet->size);
    }
    return packet;
}

/* A frame is an operation from here on; one that is lost has its place used again. */
static struct iov_span *begin_span(IovPcapSource *self, iov_time now)
{
    struct iov_measure *measure = self->parent_instance.run->measure;
    struct iov_span *span = &self->spans[self->frames_begun % SPANS];

    if (measure == NULL)
        return NULL;
    iov_span_begin(span, self->frames_begun++, self, now);
    iov_measure_request_begun(measure, span);
    return span;
}

static void on_next(struct iov_event *event)
{
    IovPcapSource *self = iov_container_of(event, IovPcapSource, next);
    iov_time now = iov_now(self->parent_instance.kernel), busy;
    struct iov_packet *packet = make(self, frame_at(self, self->index));

    packet->span = begin_span(self, now);
    self->frames_sent++;
    self->bytes_sent += packet->size;
    busy = iov_packet_send(&self->wire, packet);
    if (++self->index == self->frames.frames->len) {
        self->index = 0;
        if (++self->round == self->repeat)
            return;
        self->origin = now + MAX(busy, IOV_NS); /* never without end in one instant */
    }
    iov_event_at(event, MAX(due(self), now + busy));
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovPcapSource *self = iov_container_of(port, IovPcapSource, wire);
    const uint8_t *ip = packet->data + ETHERNET_HEADER;

    self->frames_received++;
    if (!self->playing && packet->size >= ETHERNET_HEADER + IPV4_HEADER + UDP_HEADER &&
        iov_net_get16(packet->data + ETHERNET_TYPE) == ETHERNET_TYPE_IPV4 &&
        ip[IPV4_VERSION] == 0x45 && ip[IPV4_PROTOCOL] == IPV4_PROTOCOL_UDP) {
        self->playing = true;
        memcpy(self->sender, packet->data + ETHERNET_SOURCE, ETHERNET_ADDRESS);
        memcpy(self->sender_address, ip + IPV4_SOURCE, 4);
        memcpy(self->sender_port, ip + IPV4_HEADER + UDP_SOURCE, 2);
        self->origin = iov_now(self->parent_instance.kernel);
        iov_event_in(&self->next, 0);
    }
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
    self->spans = g_renew(struct iov_span, self->spans, SPANS);
    iov_event_init(&self->next, model->kernel, on_next, IOV_PRIORITY_DEFAULT);
    return true;
}

static void iov_pcap_source_unrealize(IovModel *model)
{
    iov_event_disarm(&((IovPcapSource *)(void *)model)->next);
}

static void iov_pcap_source_finalize(GObject *object)
{
    IovPcapSource *self = (IovPcapSource *)(void *)object;

    pcap_file_clear(&self->frames);
    g_free(self->spans);
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
                  "Frames go to who sent the first datagram; off: to whom the file says");
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
    mc->update_statistics = iov_pcap_source_update;
    G_OBJECT_CLASS(klass)->finalize = iov_pcap_source_finalize;
}

static void iov_pcap_source_init(IovPcapSource *self)
{
    self->pool = iov_packet_pool_new();
}
