/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - a full-duplex cable between two packet ends.
 *
 * Each direction carries one frame at a time: a frame waits until the one before it has left, takes
 * its bytes and the overhead of preamble, FCS and gap at the rate, and arrives, complete, the delay
 * later. Bytes that wait are bounded by `queue`; a frame beyond is lost. A sender that heeds the
 * time it is told (until the wire takes the next frame) never waits here. A frame that an offload
 * left to be segmented takes the time of its segments. With `capture` all frames of both directions
 * go into a pcap file, stamped with the time at which they begin.
 * LIMIT: no errors, no flow control, store and forward only.
 */
#include <errno.h>
#include <stdio.h>

#include "core/net/ethernet-regs.h"
#include "core/object/model.h"
#include "core/trace/measure.h"

#define IOV_TYPE_WIRE (iov_wire_get_type())
G_DECLARE_FINAL_TYPE(IovWire, iov_wire, IOV, WIRE, IovModel)

#define SEGMENT_HEADERS 54u /* Ethernet, IPv4, TCP: repeated in each segment */

struct direction {
    struct iov_event arrival; /* armed for the first frame of `queue` */
    struct iov_packet_queue queue;
    struct iov_packet_port *to; /* our end towards the receiver */
    iov_time busy_until;
    struct iov_measure *measure;
};

struct _IovWire {
    IovModel parent_instance;
    uint64_t rate;            /* property */
    iov_time delay;           /* property */
    uint64_t queue;           /* property */
    iov_time longest;         /* the time that `queue` bytes take */
    struct iov_packet_port a; /* port */
    struct iov_packet_port b; /* port */
    char *capture;            /* property */
    FILE *file;               /* of it, or NULL */
    struct direction from_a, from_b;
    uint64_t frames, bytes, drops, busy, capture_failures; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovWire, iov_wire, IOV_TYPE_MODEL)

/* Bytes that the frame takes on the cable. */
static uint64_t line_bytes(const struct iov_packet *packet)
{
    uint64_t bytes = MAX(packet->size, ETHERNET_MIN) + ETHERNET_OVERHEAD;
    uint64_t payload = packet->size > SEGMENT_HEADERS ? packet->size - SEGMENT_HEADERS : 0;

    if (packet->segment_size != 0 && payload > packet->segment_size)
        bytes += ((payload - 1) / packet->segment_size) * (SEGMENT_HEADERS + ETHERNET_OVERHEAD);
    return bytes;
}

static iov_time serialisation(const IovWire *self, uint64_t bytes)
{
    return self->rate == 0 ? 0 : (bytes * 8 * IOV_SEC + self->rate - 1) / self->rate;
}

/* pcap with nanoseconds, in the byte order of the machine. */
struct capture_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, longest, type;
};
struct capture_record {
    uint32_t seconds, nanoseconds, kept, size;
};

static bool capture_open(IovWire *self, GError **error)
{
    static const struct capture_header header = { 0xa1b23c4d, 2, 4, 0, 0, IOV_PACKET_MAX, 1 };

    self->file = fopen(self->capture, "wb");
    if (self->file == NULL || fwrite(&header, sizeof header, 1, self->file) != 1)
        return iov_model_fail(&self->parent_instance, error, "capture: '%s': %s", self->capture,
                              g_strerror(errno));
    return true;
}

static void capture_frame(IovWire *self, const struct iov_packet *packet, iov_time when)
{
    struct capture_record record = { .seconds = (uint32_t)(when / IOV_SEC),
                                     .nanoseconds = (uint32_t)(when % IOV_SEC / IOV_NS),
                                     .kept = packet->size,
                                     .size = packet->size };

    if (fwrite(&record, sizeof record, 1, self->file) != 1 ||
        fwrite(packet->data, packet->size, 1, self->file) != 1) { /* a full disk */
        fclose(self->file);
        self->file = NULL;
        self->capture_failures++;
    }
}

static iov_time carry(IovWire *self, struct direction *direction, struct iov_packet *packet)
{
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time begin = MAX(now, direction->busy_until);
    iov_time taken = serialisation(self, line_bytes(packet));

    if (begin - now > self->longest) {
        iov_measure_drop(self->parent_instance.run->measure, &self->drops, packet);
        return direction->busy_until - now;
    }
    self->frames++;
    self->bytes += packet->size;
    self->busy += taken;
    if (self->file != NULL)
        capture_frame(self, packet, begin);
    direction->busy_until = begin + taken;
    packet->stamp = direction->busy_until + self->delay;
    if (iov_span_ends_when_sent(packet->span)) {
        packet->payload = packet->span->sequel->payload;
        packet->guest = packet->span->sequel->guest;
        packet->span = NULL;
    }
    iov_span_claim(packet->span, direction, IOV_PART_QUEUE, begin);
    iov_span_mark(packet->span, direction, IOV_PART_QUEUE, begin);
    iov_span_mark(packet->span, direction, IOV_PART_WIRE, packet->stamp);
    iov_packet_queue_push(&direction->queue, packet);
    if (!iov_event_armed(&direction->arrival))
        iov_event_at(&direction->arrival, direction->queue.first->stamp);
    return direction->busy_until - now;
}

static void on_arrival(struct iov_event *event)
{
    struct direction *direction = iov_container_of(event, struct direction, arrival);
    struct iov_packet *packet = iov_packet_queue_pop(&direction->queue);

    if (packet->payload != 0) {
        iov_measure_arrived(direction->measure, packet->guest, packet->payload);
        packet->payload = 0; /* the far end may send it back */
    }
    if (direction->queue.first != NULL)
        iov_event_at(event, direction->queue.first->stamp);
    iov_packet_send(direction->to, packet);
}

static iov_time a_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovWire *self = iov_container_of(port, IovWire, a);

    return carry(self, &self->from_a, packet);
}

static iov_time b_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovWire *self = iov_container_of(port, IovWire, b);

    return carry(self, &self->from_b, packet);
}

static const struct iov_packet_ops a_ops = { .receive = a_receive };
static const struct iov_packet_ops b_ops = { .receive = b_receive };

static void direction_init(IovWire *self, struct direction *direction, struct iov_packet_port *to)
{
    iov_event_init(&direction->arrival, self->parent_instance.kernel, on_arrival,
                   IOV_PRIORITY_DEFAULT);
    direction->to = to;
    direction->measure = self->parent_instance.run->measure;
}

static bool iov_wire_realize(IovModel *model, GError **error)
{
    IovWire *self = (IovWire *)(void *)model;

    if (self->capture[0] != '\0' && !capture_open(self, error))
        return false;
    if (self->rate != 0)
        self->longest = (iov_time)((unsigned __int128)self->queue * 8 * IOV_SEC / self->rate);
    direction_init(self, &self->from_a, &self->b);
    direction_init(self, &self->from_b, &self->a);
    return true;
}

static void direction_clear(struct direction *direction)
{
    iov_event_disarm(&direction->arrival);
    iov_packet_queue_clear(&direction->queue);
}

static void iov_wire_unrealize(IovModel *model)
{
    IovWire *self = (IovWire *)(void *)model;

    direction_clear(&self->from_a);
    direction_clear(&self->from_b);
    if (self->file != NULL)
        fclose(self->file);
    self->file = NULL;
}

static void iov_wire_class_init(IovWireClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "wire", "A full-duplex Ethernet cable");
    IOV_PROP_RATE(mc, IovWire, rate, 0, UINT64_C(1600000000000), UINT64_C(1000000000),
                  "Bits a second; 0: no limit");
    IOV_PROP_TIME(mc, IovWire, delay, 0, IOV_SEC, 500 * IOV_NS,
                  "Propagation and both transceivers");
    IOV_PROP_SIZE(mc, IovWire, queue, 0, 1 << 30, 1 << 20, "Bytes that may wait in one direction");
    IOV_PROP_STRING(mc, IovWire, capture, "", "A pcap file for all frames; none if empty");
    IOV_PORT_PACKET_END(mc, IovWire, a, &a_ops, "One end");
    IOV_PORT_PACKET_END(mc, IovWire, b, &b_ops, "The other end");
    IOV_STAT(mc, IovWire, frames, "Frames carried, both directions");
    IOV_STAT_BYTES(mc, IovWire, bytes, "Bytes of frames, without overhead");
    IOV_STAT(mc, IovWire, drops, "Frames lost because too many waited");
    IOV_STAT_TIME(mc, IovWire, busy, "Time of serialisation, both directions added");
    IOV_STAT(mc, IovWire, capture_failures, "Captures that ended because the file took no more");
    mc->realize = iov_wire_realize;
    mc->unrealize = iov_wire_unrealize;
}

static void iov_wire_init(IovWire *self)
{
    (void)self;
}
