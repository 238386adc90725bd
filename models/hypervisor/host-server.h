/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program on the host and the host's TCP below it, as the two files of host-server see them. Each
 * task is a thread with one connection, or one socket of UDP.
 *
 * What arrives is handled on the stream that brings it, as the softirq of a write to the tap is;
 * what a program asks for, on its thread. Either may find the other in the middle of sending: who
 * sends goes on until nothing is due, so segments leave in their order.
 */
#ifndef IOV_HYPERVISOR_HOST_SERVER_H
#define IOV_HYPERVISOR_HOST_SERVER_H

#include "core/net/tcp-ack.h"
#include "core/net/tcp-timer.h"
#include "core/net/tcp-window.h"
#include "core/trace/measure.h"
#include "models/hypervisor/bridge.h"

#define IOV_HOST_SERVER_TASKS 64

#define IOV_TYPE_HOST_SERVER (iov_host_server_get_type())
G_DECLARE_FINAL_TYPE(IovHostServer, iov_host_server, IOV, HOST_SERVER, IovModel)

/* The guest kernel's rows: it is the same code. */
struct iov_host_server_costs {
    iov_time syscall_entry, syscall_exit, tx_return;
    iov_time socket_block, socket_receive, application;
    iov_time copy, checksum; /* 1 KiB */
    iov_time udp_tx, udp_rx, tcp_tx, tcp_rx, tcp_ack, icmp_tx, icmp_rx;
};

struct iov_host_server_task {
    IovHostServer *server;
    struct iov_thread *thread;
    /* What its thread sleeps for, or NULL. */
    bool (*waits_for)(const struct iov_host_server_task *task);
    struct iov_packet_queue received; /* for its program; of TCP, `payload` says how much */
    /* of TCP */
    struct iov_tcp tcp;
    struct iov_tcp_window window;
    struct iov_tcp_ack ack;
    struct iov_tcp_timer again;
    struct iov_host_timer timer;      /* of both */
    iov_time looks_at;                /* it is armed for then; IOV_TIME_MAX: it is not */
    struct iov_host_softirq by_timer; /* what it leads to */
    uint32_t held;                    /* payload in `received` */
    uint32_t written;                 /* sequence number behind what the program gave it to send */
    unsigned answers;                 /* acknowledgements that are due */
    bool transmitting;                /* somebody sends what is due */
    struct iov_span *asked;           /* the request that came with what is not acknowledged */
    struct iov_span *given;           /* the one that the program's next data answers */
};

struct _IovHostServer {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *bridge_ref;
    struct iov_count_list cpus;
    int role, protocol;
    uint64_t flows, message, tcp_window;
    char *mac, *address;
    struct iov_host_server_costs costs;
    /* state */
    IovLinuxHost *host;
    IovBridge *bridge;
    struct iov_measure *measure;
    struct iov_net_end own;
    struct iov_switch_port port;
    struct iov_packet_pool *pool;
    struct iov_host_server_task tasks[IOV_HOST_SERVER_TASKS];
    /* statistics */
    uint64_t messages, bytes, received_frames, sent_frames, ignored, drops;
    iov_time thread_time;
};

/* ---- host-server.c ---- */

/* Work of the stack on whoever calls it; `exec` may be NULL. */
void iov_host_server_charge(struct iov_exec *exec, iov_time cost);
/* Of the program's own thread. */
void iov_host_server_work(struct iov_host_server_task *task, iov_time cost);
void iov_host_server_copy(struct iov_host_server_task *task, uint32_t size);
/* The sum of a frame that nobody has looked at. */
iov_time iov_host_server_sum(const IovHostServer *self, const struct iov_packet *packet,
                             uint32_t size);
/* A frame from the stack to the bridge. */
void iov_host_server_send(IovHostServer *self, struct iov_exec *exec, struct iov_packet *packet,
                          iov_time owed);
/* The program's thread is woken if what it sleeps for has come, and gets the request; else that
 * lies in the queue. */
void iov_host_server_wake(struct iov_host_server_task *task, struct iov_exec *exec,
                          struct iov_span *span);
/* On the thread: sleeps until `ready`. */
void iov_host_server_wait(struct iov_host_server_task *task,
                          bool (*ready)(const struct iov_host_server_task *task));
/* It sends back what it receives. */
bool iov_host_server_answers(const IovHostServer *self);
/* The thread works for a request that has waited for it, or for none. */
void iov_host_server_take_up(struct iov_host_server_task *task, struct iov_span *span);

/* ---- host-tcp.c ---- */

/* A closed connection, for somebody to connect with; and its end. */
void iov_host_server_tcp_init(struct iov_host_server_task *task);
void iov_host_server_tcp_finish(struct iov_host_server_task *task);
/* Takes the frame, and what it owes, if it is a segment to the server; else false. */
bool iov_host_server_tcp_deliver(IovHostServer *self, struct iov_exec *exec,
                                 struct iov_packet *packet, iov_time owed);
/* System calls of the task's thread. */
void iov_host_server_tcp_accept(struct iov_host_server_task *task);
/* At least one segment, and no more than `message` bytes of several. */
uint32_t iov_host_server_tcp_read(struct iov_host_server_task *task);
/* Returns when all of it is in the send buffer. */
void iov_host_server_tcp_write(struct iov_host_server_task *task, uint32_t size);

#endif
