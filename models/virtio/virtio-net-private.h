/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of virtio-net: the device with its engines (virtio-net.c) and what the control queue
 * sets: receive filter and number of active pairs (virtio-net-control.c).
 */
#ifndef IOV_VIRTIO_NET_PRIVATE_H
#define IOV_VIRTIO_NET_PRIVATE_H

#include "core/net/flow.h"
#include "models/virtio/virtio-pci-private.h"

#define IOV_VIRTIO_NET_PAIRS_MAX 16
#define IOV_VIRTIO_NET_FRAME_MIN 14     /* an Ethernet header */
#define IOV_VIRTIO_NET_HEADER_SHORT 10u /* without the number of buffers */
#define IOV_VIRTIO_NET_MACS 64          /* entries of the receive filter's table */
#define IOV_VIRTIO_NET_COMMAND 1024     /* longest control command that is looked at */

/* What a driver may accept for frames that it receives, and switch off later. */
#define IOV_VIRTIO_NET_GUEST_OFFLOADS \
    (VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN))

G_DECLARE_FINAL_TYPE(IovVirtioNet, iov_virtio_net, IOV, VIRTIO_NET, IovVirtioPci)
#define IOV_VIRTIO_NET_CAST(object) ((IovVirtioNet *)(void *)(object))

enum iov_virtio_net_placement { IOV_VIRTIO_NET_HARDWARE, IOV_VIRTIO_NET_SOFTWARE };

enum iov_virtio_net_state {
    IOV_VIRTIO_NET_IDLE,
    IOV_VIRTIO_NET_FETCH, /* transmit, control: next chain */
    IOV_VIRTIO_NET_SEND,
    IOV_VIRTIO_NET_STORE, /* receive: next frame */
    IOV_VIRTIO_NET_FINISH,
};

struct iov_virtio_net_used {
    uint16_t head;
    uint32_t length;
};

#define IOV_VIRTIO_NET_AHEAD_MAX 64u

/* A frame that is under way: transmit, fetched and not sent; receive, stored and not shown. */
struct iov_virtio_net_frame {
    struct iov_packet *packet; /* NULL: it made no sense */
    uint16_t head;             /* transmit */
    uint16_t count;            /* receive: its chains, in the engine's `used` */
    iov_time ready;            /* when its DMAs and the device's own time are over */
};

/* One queue's worker. */
struct iov_virtio_net_engine {
    IovVirtioNet *net;
    unsigned queue;
    enum iov_virtio_net_state state;
    struct iov_event event; /* next step; armed unless IDLE */
    struct iov_virtio_net_frame frames[IOV_VIRTIO_NET_AHEAD_MAX];
    unsigned first, ahead; /* of them, and how many there are */
    struct iov_event done; /* hardware: of the first of them */
    /* transmit */
    iov_time wire_free; /* when the last one has left */
    bool sent;          /* paced: something since the engine was last told to go on */
    /* receive */
    struct iov_packet_queue waiting;
    struct iov_virtio_net_used *used; /* a ring of `queue-size` chains: those of `frames` */
    unsigned used_first, used_count;
};

/* What the driver wants to receive. */
struct iov_virtio_net_filter {
    bool promiscuous;
    bool all_multicast;
    bool all_unicast;
    bool no_multicast;
    bool no_unicast;
    bool no_broadcast;
    bool unicast_overflow; /* more addresses than the table holds: take all */
    bool multicast_overflow;
    uint8_t mac[6];
    unsigned unicasts; /* first in the table, then multicasts */
    unsigned multicasts;
    uint8_t table[IOV_VIRTIO_NET_MACS][6];
    uint64_t vlans[VIRTIO_NET_VLANS / 64]; /* with the VLAN filter: those that are let in */
};

struct _IovVirtioNet {
    IovVirtioPci parent_instance;
    /* properties */
    enum iov_virtio_net_placement placement;
    unsigned queue_pairs;
    bool mergeable_buffers;
    bool extended_control;
    bool checksum;
    bool segmentation;
    bool poll_mode;
    bool paced;
    uint16_t mtu;
    char *mac;
    uint32_t tx_burst;
    uint64_t tx_burst_size;
    uint32_t backlog;
    uint32_t fetch_ahead;
    /* costs */
    iov_time doorbell_cost;
    iov_time frame_cost;
    /* ports */
    struct iov_packet_port wire;
    struct iov_notify_sink poll;
    struct iov_notify_sink announce;
    struct iov_notify_source more;
    /* state */
    iov_time doorbell_time; /* the costs, or 0 in software */
    iov_time frame_time;
    uint8_t address[6]; /* property mac */
    unsigned usable_pairs;
    unsigned active_pairs;        /* that receive */
    struct iov_flow_table *flows; /* with several pairs */
    uint64_t offloads;            /* of IOV_VIRTIO_NET_GUEST_OFFLOADS, those in force */
    struct iov_virtio_net_engine *receive;
    struct iov_virtio_net_engine *transmit;
    struct iov_virtio_net_engine control;
    struct iov_virtio_net_filter filter;
    struct iov_virtq_chain *chain;
    struct iov_virtq_chain *first_chain; /* of a received frame: gets the header */
    struct iov_packet_pool *pool;
    uint8_t command[IOV_VIRTIO_NET_COMMAND];
    /* statistics */
    uint64_t tx_frames;
    uint64_t tx_bytes;
    uint64_t tx_malformed;
    uint64_t tx_large;
    uint64_t tx_segments;
    uint64_t rx_split;
    uint64_t rx_large;
    uint64_t rx_unsplit;
    uint64_t rx_oversize;
    uint64_t rx_frames;
    uint64_t rx_bytes;
    uint64_t rx_buffers;
    uint64_t rx_no_buffer;
    uint64_t rx_overrun;
    uint64_t rx_not_ready;
    uint64_t rx_filtered;
    uint64_t commands;
};

/* After a reset everything is received, until the driver says what it wants. */
void iov_virtio_net_filter_reset(IovVirtioNet *net);
/* Is a frame that begins with these bytes (at least 6) for this station? */
bool iov_virtio_net_accepts(const IovVirtioNet *net, const uint8_t *frame, uint32_t size);
/* ---- What the engines share ---- */

static inline struct iov_virtq *iov_virtio_net_queue(const struct iov_virtio_net_engine *engine)
{
    return &engine->net->parent_instance.queues[engine->queue];
}

static inline struct iov_virtio_dma *iov_virtio_net_dma(const struct iov_virtio_net_engine *engine)
{
    return &engine->net->parent_instance.access;
}

static inline iov_time iov_virtio_net_now(const IovVirtioNet *net)
{
    return iov_now(net->parent_instance.parent_instance.kernel);
}

/* The engine goes on after `delay`; true if that is now and the caller may just continue. */
static inline bool iov_virtio_net_continue(struct iov_virtio_net_engine *engine, iov_time delay)
{
    if (delay == 0)
        return true;
    iov_event_in(&engine->event, delay);
    return false;
}

/* Of the frames under way the one at `place`, counted from the first. */
static inline struct iov_virtio_net_frame *iov_virtio_net_ahead(
    struct iov_virtio_net_engine *engine, unsigned place)
{
    return &engine->frames[(engine->first + place) % IOV_VIRTIO_NET_AHEAD_MAX];
}

static inline struct iov_virtio_net_frame iov_virtio_net_take_ahead(
    struct iov_virtio_net_engine *engine)
{
    struct iov_virtio_net_frame frame = *iov_virtio_net_ahead(engine, 0);

    engine->first = (engine->first + 1) % IOV_VIRTIO_NET_AHEAD_MAX;
    engine->ahead--;
    return frame;
}

/* A frame is lost; `why` is the statistic that says so. */
void iov_virtio_net_drop(IovVirtioNet *net, uint64_t *why);
/*
 * A request is here: up to `when` it waited. Hardware becomes its holder, so that later marks
 * count; software leaves it with the thread that runs the device, and the device's marks do not
 * count.
 */
void iov_virtio_net_take(IovVirtioNet *net, struct iov_span *span, iov_time when);
/* After any step: true if the ring is broken. The device has stopped then. */
bool iov_virtio_net_broken(struct iov_virtio_net_engine *engine);
/* The ring is empty: asks for notifications and looks again. True: the engine is idle now, or its
 * ring broke. */
bool iov_virtio_net_rest(struct iov_virtio_net_engine *engine);
/* Paced: the transmit engine stands still in FETCH until the next doorbell. */
void iov_virtio_net_pause(struct iov_virtio_net_engine *engine);

/* The engines' events and the wire's end. */
void iov_virtio_net_on_transmit(struct iov_event *event);
void iov_virtio_net_on_send(struct iov_event *event);
void iov_virtio_net_on_receive(struct iov_event *event);
void iov_virtio_net_on_stored(struct iov_event *event);
void iov_virtio_net_on_control(struct iov_event *event);
extern const struct iov_packet_ops iov_virtio_net_wire_ops;

/* SPEC: 5.1.6.1: the legacy header has no number of buffers unless frames may take several. */
static inline uint32_t iov_virtio_net_header(const IovVirtioNet *net)
{
    const IovVirtioPci *pci = &net->parent_instance;

    return iov_virtio_is_legacy(pci) && !iov_virtio_has(pci, VIRTIO_NET_F_MRG_RXBUF)
               ? IOV_VIRTIO_NET_HEADER_SHORT
               : (uint32_t)sizeof(struct virtio_net_hdr);
}

static inline bool iov_virtio_net_offload(const IovVirtioNet *net, unsigned feature)
{
    return (net->offloads & VIRTIO_FEATURE(feature)) != 0;
}

#endif
