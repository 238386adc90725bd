/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the guest kernel: the line between its network stack and a driver. A driver is a struct
 * iov_guest_netdev_ops and a struct that begins with struct iov_guest_netdev; it is found by name
 * in iov_guest_netdev_find().
 *
 * All calls come from a processor of the guest and may wait.
 */
#ifndef IOV_GUEST_NETDEV_H
#define IOV_GUEST_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/time.h"
#include "core/net/address.h"
#include "core/port/span.h"

struct iov_guest_cpu;
struct iov_guest_net;
struct iov_guest_netdev;

#define IOV_GUEST_FRAME_MAX 1536 /* a full Ethernet frame, with some room */
#define IOV_GUEST_QUEUES 16      /* transmit queues of a device, as many receive queues */
#define IOV_GUEST_NAPI_BATCH 8   /* frames a poll collects before the stack sees them */

/* A frame on its way through the stack. */
struct iov_guest_frame {
    struct iov_guest_frame *next;
    struct iov_span *span;
    uint32_t size;
    uint16_t socket;          /* whose it is: index */
    uint16_t flow;            /* of the workload */
    uint16_t queue;           /* transmit: that the stack chose */
    uint16_t checksum_start;  /* transmit: the device sums from here to the end ... */
    uint16_t checksum_offset; /* ... and puts the result here; 0: nothing to do */
    uint16_t segment_size;    /* a large segment: payload of each that it stands for; 0: none */
    /*
     * Transmit, of a large segment: `data` holds the headers, IOV_TCP_PAYLOAD_AT bytes, and this
     * the rest; NULL: all is in `data`. A received one is kept no further than `data` goes:
     * programs do not look at what they read of a stream.
     */
    const uint8_t *more;
    struct iov_net_end from; /* received, of a server: who sent it */
    uint16_t to_port;        /* ... and to which port */
    uint8_t data[IOV_GUEST_FRAME_MAX];
};

/* Values of a received frame's checksum_start: the device says that the sum is right; or nobody has
 * made it yet, the frame never was on a wire. */
enum { IOV_GUEST_SUM_GOOD = 1, IOV_GUEST_SUM_OPEN = 2 };

/* What a driver remembers of a frame until the device has sent it. */
struct iov_guest_sent {
    struct iov_span *span;
    uint32_t size;
    uint16_t socket;
};

/* A source of work that is polled with interrupts of its device off. */
struct iov_guest_napi {
    /* Does at most `budget` frames; returns how many. If fewer, it called
     * iov_guest_napi_complete(). */
    unsigned (*poll)(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget);
    struct iov_guest_netdev *dev;
    struct iov_guest_napi *next; /* in the processor's list */
    bool scheduled;
    bool missed; /* scheduled again while it was polled */
    unsigned batched;
    struct iov_guest_frame *batch; /* IOV_GUEST_NAPI_BATCH frames */
    struct iov_guest_frame *gro;   /* the large segment that is put together */
    uint32_t gro_payload;          /* of it; 0: there is none */
};

struct iov_guest_netdev_ops {
    const char *name;
    struct iov_guest_netdev *(*create)(struct iov_guest_net *net);
    void (*destroy)(struct iov_guest_netdev *dev);
    /* Finds and resets the device, reads its address. False: it is not there or does not work. */
    bool (*probe)(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu);
    /* Rings, buffers, interrupts, link. False: the link did not come up. */
    bool (*open)(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu);
    /* Queues a frame for the device and tells it. False: no room (the queue is stopped). */
    bool (*transmit)(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                     const struct iov_guest_frame *frame);
    /*
     * A driver without interrupts, of a program that has the device and a stack of its own: takes
     * back what was sent, hands in what arrived, and returns how much that was. NULL: the driver is
     * the kernel's.
     */
    unsigned (*poll)(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu);
};

struct iov_guest_queue {
    struct iov_guest_frame *first;
    struct iov_guest_frame *last;
    unsigned count;
};

/* What stands in front of a transmit queue of the device. */
struct iov_guest_tx_queue {
    struct iov_guest_queue waiting;
    bool transmitting; /* some processor is emptying it */
    bool stopped;      /* the stack must not transmit until iov_guest_netdev_wake() */
};

struct iov_guest_netdev {
    const struct iov_guest_netdev_ops *ops;
    struct iov_guest_net *net;
    uint8_t mac[6];
    bool running;
    bool tso;            /* it takes large segments; the driver says so */
    unsigned queues;     /* pairs in use; the driver says so when it probes */
    const char *trouble; /* why it does not work, if the driver can tell */
    struct iov_guest_tx_queue tx[IOV_GUEST_QUEUES];
};

/* From a driver's `poll`: everything handed in goes up the program's stack. */
void iov_guest_napi_deliver(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi);

/* A driver by its name, or NULL. */
const struct iov_guest_netdev_ops *iov_guest_netdev_find(const char *name);

/* From an interrupt handler: the softirq will poll. False if it was scheduled already. */
bool iov_guest_napi_schedule(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi);
/* From poll: everything collected goes up the stack, and the polling ends. False if it was
 * scheduled again meanwhile. */
bool iov_guest_napi_complete(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi);
void iov_guest_napi_init(struct iov_guest_napi *napi, struct iov_guest_netdev *dev,
                         unsigned (*poll)(struct iov_guest_napi *, struct iov_guest_cpu *,
                                          unsigned));
void iov_guest_napi_finish(struct iov_guest_napi *napi);

/* From poll: room for the next received frame; then hand it in with its size and span set. */
struct iov_guest_frame *iov_guest_napi_frame(struct iov_guest_napi *napi);
void iov_guest_napi_receive(struct iov_guest_cpu *cpu, struct iov_guest_napi *napi);
/* The device has sent a frame. */
void iov_guest_netdev_sent(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                           const struct iov_guest_sent *sent);
/* There is room again in `queue`: the stack goes on transmitting (in a softirq). */
void iov_guest_netdev_wake(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu, unsigned queue);

#endif
