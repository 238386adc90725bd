/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IovVhost: what the back ends of virtio-net share that work on rings without the emulator
 * (vhost-net, vhost-user). The rings are the device model's own engines, paced by the back end; the
 * kinds differ in their costs and in the network below.
 */
#ifndef IOV_HYPERVISOR_VHOST_PRIVATE_H
#define IOV_HYPERVISOR_VHOST_PRIVATE_H

#include "core/net/flow.h"
#include "core/trace/measure.h"
#include "models/hypervisor/effects.h"
#include "models/hypervisor/io-worker.h"

enum { IOV_VHOST_PAIRS = 16, IOV_VHOST_CALLS = 4 };

#define IOV_TYPE_VHOST (iov_vhost_get_type())
GType iov_vhost_get_type(void);
typedef struct _IovVhost IovVhost;
typedef struct _IovVhostClass IovVhostClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovVhost, g_object_unref)
#define IOV_VHOST(object) ((IovVhost *)(void *)(object))
#define IOV_VHOST_CLASS(klass) ((IovVhostClass *)(void *)(klass))
#define IOV_VHOST_GET_CLASS(object) IOV_VHOST_CLASS(G_OBJECT_GET_CLASS(object))

struct _IovVhostClass {
    IovModelClass parent_class;
    /* A frame of the guest goes to the network below. */
    void (*send)(IovVhost *vhost, struct iov_thread *thread, struct iov_packet *packet);
};

/* An interrupt that waits for the end of its batch. */
struct iov_vhost_call {
    uint64_t address;
    uint32_t data;
    struct iov_span *span;
};

/* A pair of queues. */
struct iov_vhost_pair {
    IovVhost *vhost;
    unsigned index;
    IovIoWorker *worker;
    struct iov_work transmit;
    struct iov_work receive;
    struct iov_poll_source source; /* the transmit queue, for a polling worker */
    struct iov_span *kicked;       /* request of the last kick */
    bool refilled;                 /* the driver was asked for receive buffers, and gave some */
    bool more;                     /* the device stands still and may have more to send */
    uint64_t sent, sent_bytes;     /* frames of the present step */
    struct iov_packet_queue received;
    struct iov_thread *batching; /* this thread's interrupts wait for the end of a batch */
    struct iov_vhost_call calls[IOV_VHOST_CALLS];
    unsigned call_count;
};

struct _IovVhost {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *worker_ref;
    struct iov_count_list cpus;
    uint64_t queue_pairs;
    uint64_t weight, byte_weight;
    uint64_t batch;
    bool transmit_copy;
    bool receive_copy;
    uint64_t kick_register;
    uint64_t queue_length;
    iov_time busy_poll;
    /* costs: rows of the kinds */
    iov_time begin_cost, transmit_cost, receive_cost, call_cost;
    iov_time copy_fixed, copy_kib;
    /* ports */
    struct iov_mem_target kick;
    struct iov_mem_initiator device;
    struct iov_mem_target dma;
    struct iov_mem_initiator ram;
    struct iov_mem_initiator msi;
    struct iov_packet_port frames;
    struct iov_packet_port netdev;
    struct iov_notify_sink more;
    struct iov_notify_sink published;
    struct iov_notify_source used;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_effect_player player;
    struct iov_work orphans;
    struct iov_vhost_pair pairs[IOV_VHOST_PAIRS];
    unsigned active;                 /* pairs whose queues the driver has ever kicked */
    struct iov_flow_table *flows;    /* of the tap, with several pairs */
    struct iov_vhost_pair *stepping; /* whose device engine runs in this instant */
    struct iov_thread *sending;
    /* statistics */
    uint64_t kicks, transmit_turns, receive_turns, requeues, frames_sent, frames_received, calls,
        faults, drops;
};

/* Rows of the costs that a kind names. */
struct iov_vhost_cost_names {
    const char *begin, *transmit, *receive, *call;
};
void iov_vhost_describe(IovModelClass *mc, const struct iov_vhost_cost_names *names);
/* A frame from the network below, from any context; `waker` as in iov_thread_wake(). */
void iov_vhost_receive(IovVhost *vhost, struct iov_packet *packet, struct iov_exec *waker);

#endif
