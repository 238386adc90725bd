/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the guest kernel: the network stack reduced to a UDP socket for each task, ICMP echo, and
 * ARP (neighbour.c).
 * Frames are real Ethernet/IPv4 bytes with right checksums; layers are costs. A socket has Linux's
 * limits: a send buffer that blocks the sender, a receive queue that drops, a queue in front of a
 * driver whose ring is full.
 *
 * TCP, a connection for each task, is in tcp.c.
 *
 * Large segments: TCP hands down up to IOV_TCP_LARGE bytes as one frame; a driver takes it as it is
 * (TSO), or it is cut below the queue (GSO). What a poll receives of one connection is put together
 * (GRO), one large segment at a time.
 *
 * LIMIT: one socket a task, no fragments, one network, one peer. The far end's station is a
 * permanent neighbour; any other address is asked for once, at the beginning.
 */
#ifndef IOV_GUEST_NET_H
#define IOV_GUEST_NET_H

#include "core/net/tcp-ack.h"
#include "core/net/tcp-timer.h"
#include "core/net/tcp-window.h"
#include "core/net/tcp.h"
#include "core/port/exec.h"
#include "models/guest/linux-regs.h"
#include "models/guest/netdev.h"

#define IOV_GUEST_PAYLOAD_MAX 1472  /* of a UDP datagram in one frame: MTU 1500 */
#define IOV_GUEST_FRAMES 640        /* in the socket's queues, sent and received */
#define IOV_GUEST_WINDOW (1u << 19) /* one that is larger brings frames for its segments */

struct _IovLinuxGuest;

/* A task's end of the network: one UDP socket, one TCP connection. Its own port is the first one's
 * and its index. */
struct iov_guest_socket {
    unsigned index;
    uint16_t port;                  /* of UDP; a server's: that the request came to */
    const struct iov_net_end *peer; /* the guest's; a server's: who asked */
    struct iov_net_end asker;
    uint16_t flow; /* that the next datagram belongs to: each has a port of the peer */
    struct iov_guest_frame *frames;  /* that it brought into the pool */
    struct iov_guest_queue received; /* for the task */
    uint32_t send_memory;            /* bytes in flight, as the socket accounts them */
    struct iov_guest_cpu *reader;    /* whose task waits for a datagram */
    struct iov_guest_cpu *writer;    /* and for room to send */
    bool writer_woken;               /* since it last began to wait */
    /* Everything before sequence number `upto` is acknowledged. */
    void (*on_acknowledged)(void *context, struct iov_guest_cpu *cpu, uint32_t upto);
    void *context;
    struct iov_tcp tcp;           /* the connection */
    struct iov_tcp_window window; /* what it offers */
    struct iov_tcp_ack ack;       /* when it acknowledges */
    struct iov_tcp_timer again;   /* when it takes what it sent for lost */
    struct iov_guest_cpu *timer;  /* whose timer will see to both */
    bool sending;                 /* its task does, and sends again what was lost */
    bool listens;                 /* a server's: for one, or has it */
    uint32_t written;             /* sequence number behind what the program gave it to send */
    uint32_t left; /* its writer waits for room for some of this; 0: for whatever comes */
    uint32_t held; /* payload in `received` */
};

/* GSO: what a transmit queue's first frame is cut into. */
struct iov_guest_cutting {
    struct iov_guest_frame *piece; /* for the driver next; size 0: not made yet */
    uint32_t done;                 /* pieces that the driver has */
};

struct iov_guest_net {
    struct _IovLinuxGuest *guest;
    struct iov_guest_netdev *dev;
    uint32_t address;
    uint16_t port;           /* of the first socket */
    struct iov_net_end peer; /* whom it talks to */
    bool peer_known;         /* the station, too */
    bool serves;             /* it answers whoever asks, at the port of a service */
    uint16_t identification;
    struct iov_guest_frame *free;
    struct iov_guest_socket *sockets;
    unsigned socket_count;
    void (*on_sent)(void *context, struct iov_guest_cpu *cpu, const struct iov_guest_sent *sent);
    void *sent_context;
    bool checksum_offload; /* set by the driver */
    /* Bytes that a connection may have on its way, and not yet read; 0: windows of both ends
     * grow. */
    uint32_t tcp_window;
    bool gso, tso, gro, rx_checksum;
    uint8_t *pattern; /* what TCP sends, by sequence number */
    struct iov_guest_cutting cutting[IOV_GUEST_QUEUES];
    struct iov_spin spin; /* of a program that polls */
    bool changed;         /* the device has done something since it last looked */
    uint64_t sent;
    uint64_t delivered;
    uint64_t dropped;        /* for want of room */
    uint64_t bad_frames;     /* malformed or with a wrong checksum */
    uint64_t foreign_frames; /* for nobody here */
    uint64_t large_sent, cut, put_together;
};

/* A program that polls does so until `when`, and hands what arrives to its socket. False: nobody
 * polls here. */
bool iov_guest_net_poll_until(struct iov_guest_cpu *cpu, iov_time when);
/* A device that is polled has changed what the program looks at. From any context. */
void iov_guest_net_changed(struct iov_guest_net *net);
/* With `sockets` sockets: one for each task. `address`: the guest's; `peer`: whom it talks to;
 * `tcp_window`: as above. */
void iov_guest_net_init(struct iov_guest_net *net, struct _IovLinuxGuest *guest, unsigned sockets,
                        uint32_t address, uint32_t peer, uint32_t tcp_window);
/* The device is open: what it offers and the guest's keys allow is used from now on. */
void iov_guest_net_opened(struct iov_guest_net *net);
/* The task of a socket begins: frames for it. The first socket is open. Not while packets flow. */
void iov_guest_net_open(struct iov_guest_net *net, unsigned socket);
/* That of the task on `cpu`. */
struct iov_guest_socket *iov_guest_socket(const struct iov_guest_cpu *cpu);
/* The guest's end of what it sends from `port`. */
struct iov_net_end iov_guest_end(const struct iov_guest_net *net, uint16_t port);
void iov_guest_net_finish(struct iov_guest_net *net);

/* ---- The kernel's own messages: neighbour.c ---- */

/* Finds the peer's station. From the task of the first processor, before any other; may wait.
 * False: nobody has the address. */
bool iov_guest_neighbour_find(struct iov_guest_cpu *cpu);
/* An ARP message. From the softirq. */
void iov_guest_neighbour_deliver(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame);
/* An echo request with `size` bytes at `offset`; it is answered. From the softirq. */
void iov_guest_pinged(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame,
                      uint32_t offset, uint32_t size);

/* ---- Frames; no processor needed ---- */

/* A UDP datagram, of the frame's socket and flow; the checksum is complete, or left to the device
 * (checksum_start is set then). */
void iov_guest_build_udp(struct iov_guest_net *net, struct iov_guest_frame *frame,
                         const void *payload, uint32_t size);
/* An ICMP echo request. */
void iov_guest_build_echo(struct iov_guest_net *net, struct iov_guest_frame *frame,
                          uint16_t sequence, uint32_t size);
enum iov_guest_frame_kind {
    IOV_GUEST_FRAME_BAD,
    IOV_GUEST_FRAME_FOREIGN,
    IOV_GUEST_FRAME_UDP,
    IOV_GUEST_FRAME_ECHO,
    IOV_GUEST_FRAME_PING,
    IOV_GUEST_FRAME_ARP
};
/* What arrived: payload's place in the frame and, of an echo reply, its sequence number.
 * `verified`: by the device. */
enum iov_guest_frame_kind iov_guest_parse(const struct iov_guest_net *net,
                                          const struct iov_guest_frame *frame, bool verified,
                                          uint32_t *ret_offset, uint32_t *ret_size);

/* Index of the UDP socket that a port belongs to, or UINT_MAX. */
unsigned iov_guest_socket_of(const struct iov_guest_net *net, uint16_t port);

/* ---- For tcp.c ---- */

/* A free frame for the socket, or NULL. */
struct iov_guest_frame *iov_guest_net_frame(struct iov_guest_net *net,
                                            const struct iov_guest_socket *socket);
/* A built frame's way to the driver, from a task or a softirq. */
void iov_guest_net_transmit(struct iov_guest_cpu *cpu, struct iov_guest_frame *frame,
                            struct iov_span *span, iov_time cost);
/* `size` bytes of a frame go to the socket; the reader is woken. */
void iov_guest_net_queue(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket,
                         const struct iov_guest_frame *frame, uint32_t offset, uint32_t size);
void iov_guest_net_wake_writer(struct iov_guest_cpu *cpu, struct iov_guest_socket *socket);
/* Waits until somebody wakes the writer (true) or `deadline`. */
bool iov_guest_net_wait_writer(struct iov_guest_cpu *cpu, iov_time deadline, struct iov_span *span);
/* What is acknowledged, or given back by the driver, is worth waking the writer for. */
bool iov_guest_tcp_may_go(const struct iov_guest_net *net, const struct iov_guest_socket *socket);
/* Summing `size` bytes, where the device does not. */
void iov_guest_charge_checksum(struct iov_guest_cpu *cpu, uint32_t size);
/* A segment of the connection: false if the frame is none. */
bool iov_guest_tcp_deliver(struct iov_guest_cpu *cpu, const struct iov_guest_frame *frame);

/* When an acknowledgement has waited for long enough, or what was sent must be sent again. */
iov_time iov_guest_tcp_due(const struct iov_guest_socket *socket);
/* Does so. From the softirq, or a program that polls. */
void iov_guest_tcp_timer(struct iov_guest_cpu *cpu);

/* ---- System calls of the task on `cpu`: may block ---- */

/* The span is the request that the datagram carries, or NULL; the processor works for it until it
 * is with the device. */
void iov_guest_send_udp(struct iov_guest_cpu *cpu, const void *payload, uint32_t size,
                        struct iov_span *span);
/* Whether a send would not block, as one that asks not to be blocked sees it. */
bool iov_guest_may_send(const struct iov_guest_cpu *cpu);
void iov_guest_send_echo(struct iov_guest_cpu *cpu, uint16_t sequence, uint32_t size,
                         struct iov_span *span);
/*
 * Waits for a datagram (or an echo reply) until `deadline` (IOV_TIME_MAX: for ever). False: the
 * time is over. On success the processor works for *ret_span, and it holds it. `data` may be NULL:
 * nobody looks at the bytes.
 */
bool iov_guest_receive(struct iov_guest_cpu *cpu, iov_time deadline, void *data, uint32_t size,
                       uint32_t *ret_size, struct iov_span **ret_span);

/* ---- TCP ---- */

/* Opens the connection to the peer. False: it does not answer. */
bool iov_guest_tcp_connect(struct iov_guest_cpu *cpu);
/* Waits for somebody to connect with a server's socket. */
void iov_guest_tcp_accept(struct iov_guest_cpu *cpu);
/* Sends `size` bytes; the last segment carries the span.  False: the peer is gone. */
bool iov_guest_tcp_send(struct iov_guest_cpu *cpu, uint32_t size, struct iov_span *span);
/* Waits until more of what was sent is acknowledged; what was lost goes again. False: as above. */
bool iov_guest_tcp_wait(struct iov_guest_cpu *cpu);
/* One segment's data; as iov_guest_receive(). */
bool iov_guest_tcp_receive(struct iov_guest_cpu *cpu, iov_time deadline, uint32_t *ret_size,
                           struct iov_span **ret_span);

#endif
