/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll-switch - a switch in user space that polls (the shape of Open vSwitch with DPDK): ports with
 * guests behind them (vhost-user) and a physical NIC whose queues it reads itself. It runs on a
 * polling io-worker.
 *
 * A look at the NIC takes a burst of frames; each is paid for, looked up by its destination address
 * and given to the guest's back end, or sent. Source addresses are learned; frames to unknown,
 * broadcast and multicast addresses go to all other ports. Timing: rows dpdk-*. LIMIT: one queue of
 * the NIC; no flow rules, no ageing, no VLANs; a bounded table of addresses.
 */
#include "models/hypervisor/poll-switch.h"

struct _IovPollSwitch {
    IovSwitch parent_instance;
    /* properties */
    IovModel *worker_ref;
    uint64_t burst;
    uint64_t ring;
    /* costs */
    iov_time burst_cost, receive_cost, lookup_cost;
    /* state */
    IovIoWorker *worker;
    struct iov_poll_source source;
    uint64_t bursts; /* statistic */
};

G_DEFINE_FINAL_TYPE(IovPollSwitch, iov_poll_switch, IOV_TYPE_SWITCH)

static iov_time now(const IovPollSwitch *self)
{
    return iov_now(self->parent_instance.parent_instance.kernel);
}

IovIoWorker *iov_poll_switch_worker(const IovPollSwitch *self)
{
    return self->worker;
}

void iov_poll_switch_forward(IovPollSwitch *self, int port, struct iov_thread *thread,
                             struct iov_packet *packet)
{
    iov_thread_compute(thread, self->lookup_cost, IOV_PART_HOST);
    iov_switch_forward(&self->parent_instance, port, &thread->exec, packet, 0);
}

/* ---- In ---- */

static void nic_received(struct iov_host_nic *nic)
{
    IovPollSwitch *self = iov_container_of(nic, IovPollSwitch, parent_instance.nic);

    iov_io_worker_changed(self->worker, &self->source);
}

/* A look at the NIC's receive ring. */
static bool nic_poll(struct iov_poll_source *source, struct iov_thread *thread)
{
    IovPollSwitch *self = iov_container_of(source, IovPollSwitch, source);

    if (self->parent_instance.nic.receive.first != NULL) {
        self->bursts++;
        iov_thread_compute(thread, self->burst_cost, IOV_PART_HOST);
    }
    for (uint64_t i = 0; i < self->burst && self->parent_instance.nic.receive.first != NULL; i++) {
        struct iov_packet *packet = iov_packet_queue_pop(&self->parent_instance.nic.receive);

        iov_span_mark(packet->span, &self->parent_instance.nic, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, &self->parent_instance.nic, thread->exec.holder);
        thread->exec.span = packet->span;
        self->parent_instance.received_frames++;
        iov_thread_compute(thread, self->receive_cost, IOV_PART_HOST);
        iov_poll_switch_forward(self, IOV_SWITCH_NIC, thread, packet);
        thread->exec.span = NULL;
    }
    return self->parent_instance.nic.receive.first != NULL;
}

/* ---- Life ---- */

static bool iov_poll_switch_realize(IovModel *model, GError **error)
{
    IovPollSwitch *self = (IovPollSwitch *)(void *)model;

    self->worker = IOV_IO_WORKER(self->worker_ref);
    if (!iov_model_realize(self->worker_ref, error))
        return false;
    if (!iov_io_worker_polls(self->worker))
        return iov_model_fail(model, error, "worker: '%s' does not poll", self->worker_ref->path);
    self->source.poll = nic_poll;
    iov_io_worker_add_source(self->worker, &self->source);
    self->parent_instance.nic.ring = self->ring;
    self->parent_instance.nic.received = nic_received;
    return IOV_MODEL_CLASS(iov_poll_switch_parent_class)->realize(model, error);
}

static void iov_poll_switch_class_init(IovPollSwitchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "poll-switch",
                             "Learning switch in user space that polls its ports and its NIC");
    IOV_PROP_REF(mc, IovPollSwitch, worker_ref, "io-worker", true,
                 "The polling thread that it runs on");
    IOV_PROP_COUNT(mc, IovPollSwitch, burst, 1, 1024, 32, "Frames of one look at the NIC");
    IOV_PROP_COUNT(mc, IovPollSwitch, ring, 1, 65536, 2048, "Frames that the NIC holds each way");
    IOV_COST(mc, IovPollSwitch, burst_cost, "dpdk-burst", "A burst besides the frames in it");
    IOV_COST(mc, IovPollSwitch, receive_cost, "dpdk-nic-receive",
             "One frame out of the NIC's receive ring");
    IOV_COST(mc, IovPollSwitch, lookup_cost, "dpdk-switch",
             "Looking up where one frame goes, and grouping it with others");
    IOV_COST(mc, IovPollSwitch, parent_instance.transmit_cost, "dpdk-nic-transmit",
             "One frame into the NIC's transmit ring");
    IOV_STAT(mc, IovPollSwitch, bursts, "Looks at the NIC that found frames");
    mc->realize = iov_poll_switch_realize;
}

static void iov_poll_switch_init(IovPollSwitch *self)
{
    (void)self;
}
