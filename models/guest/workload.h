/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is asked to do: the parent of the kinds ping, udp-rr and udp-stream (run as a
 * program of the guest kernel) and trace-replay (which is a program of its own). It counts
 * operations and tells the measurement when the warm-up is over and when enough are done; among
 * several guests it goes on until all have done theirs.
 */
#ifndef IOV_GUEST_WORKLOAD_H
#define IOV_GUEST_WORKLOAD_H

#include "core/object/model.h"

#define IOV_WORKLOAD_FLOWS 1024
#define IOV_WORKLOAD_SPANS 4096     /* requests that may be on their way at once, with few flows */
#define IOV_WORKLOAD_FLOW_SPANS 512 /* and with many, for each: more than a socket holds */
#define IOV_WORKLOAD_LATE_SPANS \
    64 /* a flow whose requests wait for each other: what of older ones is still somewhere */

struct iov_guest_cpu;
struct iov_measure;

#define IOV_TYPE_WORKLOAD (iov_workload_get_type())
GType iov_workload_get_type(void);
typedef struct _IovWorkload IovWorkload;
typedef struct _IovWorkloadClass IovWorkloadClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovWorkload, g_object_unref)
#define IOV_WORKLOAD(object) ((IovWorkload *)(void *)(object))
#define IOV_WORKLOAD_GET_CLASS(object) \
    ((IovWorkloadClass *)(void *)((GTypeInstance *)(void *)(object))->g_class)
#define IOV_WORKLOAD_CLASS(klass) ((IovWorkloadClass *)(void *)(klass))

struct _IovWorkload {
    IovModel parent_instance;
    /* properties */
    uint64_t operations;
    uint64_t warmup;
    uint64_t size;
    uint64_t flows;
    uint64_t cpu;
    iov_time think_time;
    int think_distribution;
    iov_time timeout;
    /* statistics */
    uint64_t finished; /* operations since the measurement opened */
    uint64_t lost;     /* given up after the timeout */
    /* state */
    struct iov_measure *measure;
    struct iov_span *spans;
    unsigned span_count;
    uint64_t begun;
    uint32_t *begun_by_task;
    uint64_t count; /* finished, warm-up included */
    unsigned guest; /* its number in the measurement */
    bool started;
    bool ready; /* the warm-up is over */
    bool done;  /* the run is over */
};

/* How many flows a workload may have. */
enum iov_workload_flows {
    IOV_WORKLOAD_ONE_FLOW,
    IOV_WORKLOAD_FLOW_A_TASK, /* so each wants a processor of its own */
    IOV_WORKLOAD_MANY_FLOWS
};

struct _IovWorkloadClass {
    IovModelClass parent_class;
    /* The program: runs on the task of `cpu`, of which there may be several, returns when the
     * workload is done. NULL: not a program of the guest kernel. */
    void (*run)(IovWorkload *self, struct iov_guest_cpu *cpu);
    bool needs_network;
    bool one_at_a_time; /* a flow's next request waits for the answer to the last, or for its time
                           to be over */
    enum iov_workload_flows flows;
};

/* Flows of the task on `cpu`. Task t has flows t, t + tasks, t + 2 * tasks ... */
unsigned iov_workload_flows(const IovWorkload *self, const struct iov_guest_cpu *cpu);
/* Number of the i-th of them among the workload's. */
unsigned iov_workload_flow(const struct iov_guest_cpu *cpu, unsigned i);
/* Before a task's first operation: without a warm-up the measurement opens here. */
void iov_workload_start(IovWorkload *self);
/* A new request, begun now and held by the processor. Of the task's share of the spans the oldest
 * is used again. */
struct iov_span *iov_workload_begin(IovWorkload *self, struct iov_guest_cpu *cpu);
/* The same in a place, below span_count, that the caller chose. */
struct iov_span *iov_workload_begin_at(IovWorkload *self, struct iov_guest_cpu *cpu,
                                       unsigned place);
/* The request is done: counts it, moves from warm-up to measurement, ends the run. The caller holds
 * the span. */
void iov_workload_finish(IovWorkload *self, struct iov_span *span, uint64_t bytes);
/* Sleeps the think time. */
void iov_workload_think(IovWorkload *self, struct iov_guest_cpu *cpu);

#endif
