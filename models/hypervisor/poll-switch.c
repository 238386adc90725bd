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
#include <string.h>

#include "models/hypervisor/host-nic.h"
#include "models/hypervisor/mac-table.h"
#include "models/hypervisor/poll-switch.h"

#define PORTS IOV_MAC_PORTS
#define NIC (-1)

struct _IovPollSwitch {
    IovModel parent_instance;
    /* properties */
    IovModel *worker_ref;
    uint64_t burst;
    uint64_t ring;
    bool anti_spoof;
    /* costs */
    iov_time burst_cost, receive_cost, lookup_cost, transmit_cost;
    struct iov_host_nic nic; /* with its port */
    /* state */
    IovIoWorker *worker;
    struct iov_measure *measure;
    struct iov_poll_source source;
    IovVhost *ports[PORTS];
    int port_count;
    struct iov_packet_pool *pool; /* of copies */
    struct iov_mac_table addresses;
    /* statistics */
    uint64_t forwarded, flooded, received_frames, bursts, drops, spoofed;
};

G_DEFINE_FINAL_TYPE(IovPollSwitch, iov_poll_switch, IOV_TYPE_MODEL)

static iov_time now(const IovPollSwitch *self)
{
    return iov_now(self->parent_instance.kernel);
}

int iov_poll_switch_attach(IovPollSwitch *self, IovVhost *vhost)
{
    if (self->port_count == PORTS)
        return -1;
    self->ports[self->port_count] = vhost;
    return self->port_count++;
}

IovIoWorker *iov_poll_switch_worker(const IovPollSwitch *self)
{
    return self->worker;
}

/* ---- Out ---- */

static void drop(IovPollSwitch *self, struct iov_packet *packet)
{
    iov_measure_drop(self->measure, &self->drops, packet);
}

static void nic_send(IovPollSwitch *self, struct iov_thread *thread, struct iov_packet *packet)
{
    iov_time cutting;
    unsigned frames = iov_host_nic_frames(&self->nic, packet, &cutting);

    iov_thread_compute(thread, cutting + frames * self->transmit_cost, IOV_PART_HOST);
    iov_host_nic_send(&self->nic, packet);
}

static void port_send(IovPollSwitch *self, int port, struct iov_thread *thread,
                      struct iov_packet *packet)
{
    if (port == NIC)
        nic_send(self, thread, packet);
    else
        iov_vhost_receive(self->ports[port], packet, &thread->exec);
}

/* To all ports but the one it came from; the last one gets the frame itself, with its request. */
static void flood(IovPollSwitch *self, int from, struct iov_thread *thread,
                  struct iov_packet *packet)
{
    int last = from == NIC ? self->port_count - 1 : NIC;

    self->flooded++;
    for (int port = 0; port < self->port_count; port++) {
        struct iov_packet *copy;

        if (port == from || port == last)
            continue;
        copy = iov_packet_copy(self->pool, packet);
        port_send(self, port, thread, copy);
    }
    if (last == NIC && from == NIC)
        iov_packet_free(packet);
    else
        port_send(self, last, thread, packet);
}

/* Whether a guest may send this: only under the address that its device was given. */
static bool admit(IovPollSwitch *self, int port, const struct iov_packet *packet)
{
    uint8_t given[IOV_MAC_BYTES];
    bool known = iov_packet_station(&self->ports[port]->frames, given);

    return iov_mac_admit(&self->addresses, packet->data, port, known ? given : NULL);
}

void iov_poll_switch_forward(IovPollSwitch *self, int port, struct iov_thread *thread,
                             struct iov_packet *packet)
{
    int to;

    iov_thread_compute(thread, self->lookup_cost, IOV_PART_HOST);
    self->forwarded++;
    if (packet->size < IOV_MAC_HEADER) {
        drop(self, packet);
        return;
    }
    if (port != NIC && self->anti_spoof && !admit(self, port, packet)) {
        self->spoofed++;
        drop(self, packet);
        return;
    }
    iov_mac_learn(&self->addresses, packet->data, port);
    to = iov_mac_find(&self->addresses, packet->data);
    if (to == IOV_MAC_NOWHERE)
        flood(self, port, thread, packet);
    else if (to == port)
        drop(self, packet); /* its receiver is where it came from */
    else
        port_send(self, to, thread, packet);
}

/* ---- In ---- */

static void nic_received(struct iov_host_nic *nic)
{
    IovPollSwitch *self = iov_container_of(nic, IovPollSwitch, nic);

    iov_io_worker_changed(self->worker, &self->source);
}

/* A look at the NIC's receive ring. */
static bool nic_poll(struct iov_poll_source *source, struct iov_thread *thread)
{
    IovPollSwitch *self = iov_container_of(source, IovPollSwitch, source);

    if (self->nic.receive.first != NULL) {
        self->bursts++;
        iov_thread_compute(thread, self->burst_cost, IOV_PART_HOST);
    }
    for (uint64_t i = 0; i < self->burst && self->nic.receive.first != NULL; i++) {
        struct iov_packet *packet = iov_packet_queue_pop(&self->nic.receive);

        iov_span_mark(packet->span, &self->nic, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, &self->nic, thread->exec.holder);
        thread->exec.span = packet->span;
        self->received_frames++;
        iov_thread_compute(thread, self->receive_cost, IOV_PART_HOST);
        iov_poll_switch_forward(self, NIC, thread, packet);
        thread->exec.span = NULL;
    }
    return self->nic.receive.first != NULL;
}

/* ---- Life ---- */

static bool iov_poll_switch_realize(IovModel *model, GError **error)
{
    IovPollSwitch *self = (IovPollSwitch *)(void *)model;

    self->measure = model->run->measure;
    self->worker = IOV_IO_WORKER(self->worker_ref);
    if (!iov_model_realize(self->worker_ref, error))
        return false;
    if (!iov_io_worker_polls(self->worker))
        return iov_model_fail(model, error, "worker: '%s' does not poll", self->worker_ref->path);
    self->pool = iov_packet_pool_new();
    self->source.poll = nic_poll;
    iov_io_worker_add_source(self->worker, &self->source);
    self->nic.ring = self->ring;
    self->nic.drops = &self->drops;
    self->nic.received = nic_received;
    iov_host_nic_init(&self->nic, model);
    return true;
}

static void iov_poll_switch_unrealize(IovModel *model)
{
    iov_host_nic_clear(&((IovPollSwitch *)(void *)model)->nic);
}

static void iov_poll_switch_finalize(GObject *object)
{
    iov_packet_pool_unref(((IovPollSwitch *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_poll_switch_parent_class)->finalize(object);
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
    IOV_PROP_BOOL(mc, IovPollSwitch, anti_spoof, true,
                  "A guest sends under the address of its device only");
    IOV_COST(mc, IovPollSwitch, burst_cost, "dpdk-burst", "A burst besides the frames in it");
    IOV_COST(mc, IovPollSwitch, receive_cost, "dpdk-nic-receive",
             "One frame out of the NIC's receive ring");
    IOV_COST(mc, IovPollSwitch, lookup_cost, "dpdk-switch",
             "Looking up where one frame goes, and grouping it with others");
    IOV_COST(mc, IovPollSwitch, transmit_cost, "dpdk-nic-transmit",
             "One frame into the NIC's transmit ring");
    iov_host_nic_describe(mc, G_STRUCT_OFFSET(IovPollSwitch, nic));
    IOV_STAT(mc, IovPollSwitch, forwarded, "Frames looked up");
    IOV_STAT(mc, IovPollSwitch, flooded, "Of them, sent to all other ports");
    IOV_STAT(mc, IovPollSwitch, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovPollSwitch, bursts, "Looks at the NIC that found frames");
    IOV_STAT(mc, IovPollSwitch, drops, "Frames lost");
    IOV_STAT(mc, IovPollSwitch, spoofed, "Of them, for a source that is not the guest\'s");
    mc->realize = iov_poll_switch_realize;
    mc->unrealize = iov_poll_switch_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_poll_switch_finalize;
}

static void iov_poll_switch_init(IovPollSwitch *self)
{
    (void)self;
}
