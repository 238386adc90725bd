/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost - parent of the back ends that work on a virtio-net device's rings beside the emulator: in
 * a kernel thread (vhost-net) or in a poll-mode process (vhost-user). Registers stay with the
 * emulator; kicks, frames, interrupts and guest memory are here.
 *
 * Each pair of queues belongs to a worker. Transmit: a kick queues the pair's work; a turn lets the
 * device's engine take what is in the ring, pays for copies, frames and interrupts in order, and
 * goes on while the engine says that there may be more; notifications stay off all the while. After
 * `weight` frames or `byte-weight` bytes the rest waits behind other work. A polling worker looks
 * at the ring instead, one burst a look. Receive: frames that wait are given to the device one
 * after the other; their interrupts go out at the end of the batch.
 *
 * The pair that receives a frame is the one that last sent for its flow, as the tap has it: Linux's
 * automatic flow steering.
 *
 * LIMIT: a tap queue counts as attached once the driver has kicked its pair; bytes move and used
 * buffers are published when the device runs, their costs follow; the control queue's interrupt is
 * played by the first pair's worker; frames that find no buffer wait in the device's `backlog`,
 * which stands for the end of the tap's queue.
 */
#include "models/hypervisor/vhost.h"

#include "models/guest/linux-regs.h"
#include "models/hypervisor/vhost-private.h"

G_DEFINE_ABSTRACT_TYPE(IovVhost, iov_vhost, IOV_TYPE_MODEL)

static iov_time now(const IovVhost *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Playing effects ---- */

static void call(IovVhost *self, struct iov_thread *thread, const struct iov_vhost_call *message)
{
    uint32_t data = message->data;
    struct iov_mem_req req = { .address = message->address,
                               .data = &data,
                               .size = sizeof data,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_INTERRUPT,
                               .span = message->span };
    struct iov_span *own = thread->exec.span;

    if (message->span != NULL)
        thread->exec.span = message->span;
    iov_thread_compute(thread, self->call_cost, IOV_PART_INTERRUPT);
    self->calls++;
    if (iov_mem_write_req(&self->msi, &req) != IOV_STATUS_OK)
        self->faults++;
    thread->exec.span = own;
}

static struct iov_vhost_pair *batch_of(IovVhost *self, const struct iov_thread *thread)
{
    for (unsigned i = 0; i < self->queue_pairs; i++) {
        if (self->pairs[i].batching == thread)
            return &self->pairs[i];
    }
    return NULL;
}

static void play_message(IovVhost *self, struct iov_thread *thread, const struct iov_effect *effect)
{
    struct iov_vhost_pair *pair = batch_of(self, thread);
    struct iov_vhost_call message = { effect->address, effect->data, effect->span };

    for (unsigned i = 0; pair != NULL && i < pair->call_count; i++) {
        if (pair->calls[i].address == effect->address && pair->calls[i].data == effect->data)
            return; /* one interrupt for the batch */
    }
    if (pair != NULL && pair->call_count < IOV_VHOST_CALLS)
        pair->calls[pair->call_count++] = message;
    else
        call(self, thread, &message);
}

static void batch_end(IovVhost *self, struct iov_vhost_pair *pair, struct iov_thread *thread)
{
    for (unsigned i = 0; i < pair->call_count; i++) {
        struct iov_vhost_call message = pair->calls[i]; /* the list may begin anew meanwhile */

        call(self, thread, &message);
    }
    pair->call_count = 0;
}

static void play(struct iov_effect_player *player, struct iov_thread *thread,
                 struct iov_effect *effect)
{
    IovVhost *self = iov_container_of(player, IovVhost, player);
    struct iov_thread *outer = self->sending;

    switch ((enum iov_effect_kind)effect->kind) {
    case IOV_EFFECT_COPY:
        iov_measure_copy(self->measure, effect->size);
        iov_thread_compute(thread, self->copy_fixed + self->copy_kib * effect->size / 1024,
                           IOV_PART_COPY);
        break;
    case IOV_EFFECT_FRAME:
        iov_thread_compute(thread, self->transmit_cost, IOV_PART_HOST);
        self->frames_sent++;
        self->sending = thread;
        IOV_VHOST_GET_CLASS(self)->send(self, thread, effect->packet);
        self->sending = outer;
        break;
    case IOV_EFFECT_MESSAGE:
        play_message(self, thread, effect);
        break;
    case IOV_EFFECT_LINE:
        self->faults++; /* no line is wired here */
        break;
    }
}

static void orphan(struct iov_effect_player *player)
{
    IovVhost *self = iov_container_of(player, IovVhost, player);

    iov_io_worker_queue(self->pairs[0].worker, &self->orphans, NULL, NULL);
}

static void orphans_run(struct iov_work *work, struct iov_thread *thread)
{
    IovVhost *self = iov_container_of(work, IovVhost, orphans);

    iov_effects_play_orphans(&self->player, thread);
}

static const struct iov_effect_ops effect_ops = { .play = play, .orphan = orphan };

/* ---- Transmit ---- */

enum { QUEUE_RECEIVE, QUEUE_TRANSMIT };

/* Rings a doorbell of the pair: the device takes what is in the transmit ring, at most its burst,
 * or stores what waited for receive buffers. Returns how much it did about it. */
static unsigned step(IovVhost *self, struct iov_vhost_pair *pair, unsigned which,
                     struct iov_thread *thread)
{
    uint16_t queue = (uint16_t)(2 * pair->index + which);
    struct iov_mem_req req = { .address = self->kick_register + UINT64_C(4) * queue,
                               .data = &queue,
                               .size = sizeof queue,
                               .pasid = IOV_NO_PASID };
    struct iov_effects *effects = iov_effects_begin(&self->player);
    unsigned count;

    pair->more = false;
    pair->sent = pair->sent_bytes = 0;
    self->stepping = pair;
    if (iov_mem_write_req(&self->device, &req) != IOV_STATUS_OK)
        self->faults++;
    count = iov_effects_play(&self->player, thread, effects);
    if (pair->sent > 0)
        iov_notify_signal(&self->used, NULL);
    return count;
}

/* As vhost's busy loop: a while without sleeping, for the next frame of either side. */
static void busy_wait(IovVhost *self, struct iov_vhost_pair *pair, struct iov_thread *thread)
{
    thread->exec.span = NULL;
    (void)iov_io_worker_busy_wait(pair->worker, self->busy_poll);
}

static bool exceeds_weight(const IovVhost *self, uint64_t frames, uint64_t bytes)
{
    return frames >= self->weight || bytes >= self->byte_weight;
}

static void transmit_run(struct iov_work *work, struct iov_thread *thread)
{
    struct iov_vhost_pair *pair = iov_container_of(work, struct iov_vhost_pair, transmit);
    IovVhost *self = pair->vhost;
    uint64_t sent = 0, bytes = 0; /* not statistics, which begin anew with the measurement */

    thread->exec.span = pair->kicked;
    pair->kicked = NULL;
    iov_span_mark(thread->exec.span, thread->exec.holder, IOV_PART_QUEUE, now(self));
    self->transmit_turns++;
    iov_thread_compute(thread, self->begin_cost, IOV_PART_HOST);
    do {
        step(self, pair, QUEUE_TRANSMIT, thread);
        sent += pair->sent;
        bytes += pair->sent_bytes;
        if (pair->more && self->busy_poll > 0) /* notifications are still off */
            busy_wait(self, pair, thread);
    } while (pair->more && !exceeds_weight(self, sent, bytes));
    if (!pair->more)
        return;
    self->requeues++;
    iov_io_worker_queue(pair->worker, &pair->transmit, &thread->exec, NULL);
}

static bool transmit_poll(struct iov_poll_source *source, struct iov_thread *thread)
{
    struct iov_vhost_pair *pair = iov_container_of(source, struct iov_vhost_pair, source);

    if (step(pair->vhost, pair, QUEUE_TRANSMIT, thread) > 0) {
        pair->vhost->transmit_turns++;
        iov_thread_compute(thread, pair->vhost->begin_cost, IOV_PART_HOST);
    }
    return pair->more;
}

/* ---- Receive ---- */

static void deliver(IovVhost *self, struct iov_vhost_pair *pair, struct iov_thread *thread,
                    struct iov_packet *packet, iov_time owed)
{
    struct iov_effects *effects;

    thread->exec.span = packet->span;
    iov_span_mark(packet->span, thread->exec.holder, IOV_PART_QUEUE, now(self));
    iov_thread_compute(thread, owed + self->receive_cost, IOV_PART_HOST);
    effects = iov_effects_begin(&self->player);
    self->stepping = pair;
    self->frames_received++;
    iov_packet_send(&self->frames, packet);
    iov_effects_play(&self->player, thread, effects);
    iov_notify_signal(&self->used, NULL);
    thread->exec.span = NULL;
}

static void receive_run(struct iov_work *work, struct iov_thread *thread)
{
    struct iov_vhost_pair *pair = iov_container_of(work, struct iov_vhost_pair, receive);
    IovVhost *self = pair->vhost;
    struct iov_packet *packet;
    uint64_t done = 0, bytes = 0;

    self->receive_turns++;
    if (pair->refilled) {
        pair->refilled = false;
        iov_thread_compute(thread, self->begin_cost, IOV_PART_HOST);
        if (step(self, pair, QUEUE_RECEIVE, thread) > 0)
            iov_notify_signal(&self->used, NULL);
    }
    pair->batching = thread;
    while (!exceeds_weight(self, done, bytes) &&
           (packet = iov_packet_queue_pop(&pair->received)) != NULL) {
        bytes += packet->size;
        deliver(self, pair, thread, packet, done == 0 ? self->begin_cost : 0);
        if (++done % self->batch == 0)
            batch_end(self, pair, thread);
    }
    pair->batching = NULL;
    batch_end(self, pair, thread);
    if (pair->received.first == NULL) {
        if (self->busy_poll > 0)
            busy_wait(self, pair, thread);
        return;
    }
    self->requeues++;
    iov_io_worker_queue(pair->worker, &pair->receive, &thread->exec, NULL);
}

/* The tap's queue for a frame: the one that last sent for its flow. */
static unsigned pick_pair(const IovVhost *self, const struct iov_packet *packet)
{
    if (self->queue_pairs == 1)
        return 0;
    return iov_flow_queue(self->flows, iov_flow_hash(packet->data, packet->size), self->active,
                          now(self));
}

void iov_vhost_receive(IovVhost *self, struct iov_packet *packet, struct iov_exec *waker)
{
    struct iov_vhost_pair *pair = &self->pairs[pick_pair(self, packet)];
    struct iov_span *span = packet->span;

    if (pair->received.count >= self->queue_length) {
        iov_measure_drop(self->measure, &self->drops, packet);
        return;
    }
    packet->queue = (uint8_t)(pair->index + 1);
    if (waker == NULL)
        iov_span_claim(span, self, IOV_PART_QUEUE, now(self));
    iov_packet_queue_push(&pair->received, packet);
    iov_io_worker_queue(pair->worker, &pair->receive, waker, span);
}

/* ---- Ports ---- */

static enum iov_status kick_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVhost *self = iov_container_of(port, IovVhost, kick);
    uint64_t queue = req->address / 4;
    struct iov_thread *waker = iov_host_current(self->host);
    struct iov_vhost_pair *pair;

    if (queue >= 2 * self->queue_pairs)
        return IOV_STATUS_UNSUPPORTED;
    self->kicks++;
    self->active = MAX(self->active, (unsigned)(queue / 2 + 1));
    pair = &self->pairs[queue / 2];
    if (queue % 2 == QUEUE_RECEIVE) {
        pair->refilled = true;
        iov_io_worker_queue(pair->worker, &pair->receive, waker != NULL ? &waker->exec : NULL,
                            req->span);
        return IOV_STATUS_OK;
    }
    if (iov_io_worker_polls(pair->worker)) {
        iov_io_worker_changed(pair->worker, &pair->source);
        return IOV_STATUS_OK;
    }
    if (!pair->transmit.queued || req->span != NULL)
        pair->kicked = req->span;
    iov_io_worker_queue(pair->worker, &pair->transmit, waker != NULL ? &waker->exec : NULL,
                        req->span);
    return IOV_STATUS_OK;
}

static enum iov_status kick_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static const struct iov_mem_target_ops kick_ops = { .read = kick_read, .write = kick_write };

bool iov_vhost_owns(const struct iov_mem_target *target)
{
    return target->ops == &kick_ops;
}

static iov_time frames_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVhost *self = iov_container_of(port, IovVhost, frames);

    if (self->stepping != NULL) {
        self->stepping->sent++;
        self->stepping->sent_bytes += packet->size;
        if (self->queue_pairs > 1)
            iov_flow_sent(self->flows, iov_flow_hash(packet->data, packet->size),
                          self->stepping->index, now(self));
    }
    iov_effects_add(&self->player, &(struct iov_effect){ .kind = IOV_EFFECT_FRAME,
                                                         .packet = packet,
                                                         .size = packet->size,
                                                         .span = packet->span });
    return 0;
}

static const struct iov_packet_ops frames_ops = { .receive = frames_receive };

static iov_time netdev_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVhost *self = iov_container_of(port, IovVhost, netdev);
    struct iov_thread *current = iov_host_current(self->host);

    if (current != NULL && current == self->sending && !iov_host_in_interrupt(current))
        iov_span_claim(packet->span, current->exec.holder, IOV_PART_PEER, now(self));
    iov_vhost_receive(self, packet, current != NULL ? &current->exec : NULL);
    return 0;
}

/* The device's. */
static bool netdev_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    return iov_packet_station(&iov_container_of(port, IovVhost, netdev)->frames, ret_address);
}

static const struct iov_packet_ops netdev_ops = { .receive = netdev_receive,
                                                  .station = netdev_station };

static enum iov_status dma_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVhost *self = iov_container_of(port, IovVhost, dma);

    return iov_effects_read(&self->player, &self->ram, req, self->transmit_copy);
}

static enum iov_status dma_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVhost *self = iov_container_of(port, IovVhost, dma);

    return iov_effects_write(&self->player, &self->ram, req, self->receive_copy);
}

static const struct iov_mem_target_ops dma_ops = { .read = dma_read, .write = dma_write };

/* From the device's engine: it stands still. */
static void more_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    IovVhost *self = iov_container_of(sink, IovVhost, more);

    (void)span;
    if (self->stepping != NULL)
        self->stepping->more = true;
}

static const struct iov_notify_sink_ops more_ops = { .signal = more_signal };

/* A driver has published buffers without a kick: a poller's next look finds them. */
static void published_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    IovVhost *self = iov_container_of(sink, IovVhost, published);

    (void)span;
    for (unsigned i = 0; i < self->queue_pairs; i++) {
        if (iov_io_worker_polls(self->pairs[i].worker) || self->busy_poll > 0)
            iov_io_worker_changed(self->pairs[i].worker, &self->pairs[i].source);
    }
}

static const struct iov_notify_sink_ops published_ops = { .signal = published_signal };

/* ---- Life ---- */

static bool iov_vhost_prepare(IovModel *model, GError **error)
{
    IovVhost *self = IOV_VHOST(model);

    (void)error;
    self->kick.size = 2 * self->queue_pairs * 4;
    return true;
}

/* The worker of pair `index`: the one that is named, or one of its own. */
static IovIoWorker *worker_for(IovVhost *self, unsigned index, GError **error)
{
    g_autofree char *name = g_strdup_printf("worker%u", index);
    IovModel *worker = self->worker_ref;

    if (worker == NULL) {
        worker = iov_model_new_child(&self->parent_instance, "io-worker", name, error);
        if (worker == NULL || !iov_model_set_ref(worker, "host", self->host_ref, error) ||
            !iov_model_set_counts(worker, "cpus", self->cpus.items, self->cpus.count, error) ||
            !iov_model_prepare(worker, error))
            return NULL;
    }
    return iov_model_realize(worker, error) ? IOV_IO_WORKER(worker) : NULL;
}

static bool iov_vhost_realize(IovModel *model, GError **error)
{
    IovVhost *self = IOV_VHOST(model);

    self->measure = model->run->measure;
    if (self->worker_ref == NULL && self->host_ref == NULL)
        return iov_model_fail(model, error, "host or worker: one of them must be named");
    for (unsigned i = 0; i < self->queue_pairs; i++) {
        struct iov_vhost_pair *pair = &self->pairs[i];

        pair->vhost = self;
        pair->index = i;
        pair->transmit.run = transmit_run;
        pair->receive.run = receive_run;
        pair->source.poll = transmit_poll;
        pair->worker = worker_for(self, i, error);
        if (pair->worker == NULL)
            return false;
        if (iov_io_worker_polls(pair->worker))
            iov_io_worker_add_source(pair->worker, &pair->source);
    }
    self->active = 1;
    if (self->queue_pairs > 1 && self->flows == NULL)
        self->flows = g_new0(struct iov_flow_table, 1);
    self->host = iov_io_worker_host(self->pairs[0].worker);
    self->orphans.run = orphans_run;
    iov_effects_init(&self->player, model->kernel, &effect_ops);
    return true;
}

static void iov_vhost_unrealize(IovModel *model)
{
    IovVhost *self = IOV_VHOST(model);

    for (unsigned i = 0; i < IOV_VHOST_PAIRS; i++)
        iov_packet_queue_clear(&self->pairs[i].received);
    g_clear_pointer(&self->flows, g_free);
    iov_effects_finish(&self->player);
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_MEM_TARGET(mc, IovVhost, kick, &kick_ops,
                        "ioeventfds of the data queues: from vm.doorbell");
    IOV_PORT_MEM_INITIATOR(mc, IovVhost, device, "The device's registers: its doorbells");
    IOV_PORT_MEM_TARGET(mc, IovVhost, dma, &dma_ops, "The device's memory accesses and messages");
    IOV_PORT_MEM_INITIATOR(mc, IovVhost, ram, "Guest memory: vm.ram");
    IOV_PORT_MEM_INITIATOR(mc, IovVhost, msi, "Interrupt messages: vm.msi");
    IOV_PORT_PACKET_END(mc, IovVhost, frames, &frames_ops, "The device's network side");
    IOV_PORT_NOTIFY_SINK(mc, IovVhost, more, &more_ops, "From the device's `more`");
    IOV_PORT_NOTIFY_SINK(mc, IovVhost, published, &published_ops,
                         "From the guest: buffers that no kick told of, for a polling worker");
    IOV_PORT_NOTIFY_SOURCE(mc, IovVhost, used, "Buffers were given back: for a guest that polls");
}

void iov_vhost_describe(IovModelClass *mc, const struct iov_vhost_cost_names *names)
{
    IOV_COST(mc, IovVhost, begin_cost, names->begin, "Beginning with a queue");
    IOV_COST(mc, IovVhost, transmit_cost, names->transmit,
             "A frame out of the ring, up to the network below");
    IOV_COST(mc, IovVhost, receive_cost, names->receive,
             "A frame from the network below into the ring, copy apart");
    IOV_COST(mc, IovVhost, call_cost, names->call, "Signalling the irqfd, routing apart");
}

static void iov_vhost_class_init(IovVhostClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vhost", "Parent of the back ends beside the emulator");
    IOV_PROP_REF(mc, IovVhost, host_ref, "linux-host", false,
                 "The host whose threads it uses, for workers of its own");
    IOV_PROP_REF(mc, IovVhost, worker_ref, "io-worker", false,
                 "A worker shared with others; none: one of its own for each pair");
    IOV_PROP_COUNT_LIST(mc, IovVhost, cpus, 0, 63, "Host processors of its own workers; none: any");
    IOV_PROP_COUNT(mc, IovVhost, queue_pairs, 1, IOV_VHOST_PAIRS, 1, "Pairs of queues");
    IOV_PROP_COUNT(mc, IovVhost, weight, 1, UINT32_MAX, 256,
                   "Frames of one turn; the rest waits behind other work (VHOST_NET_PKT_WEIGHT)");
    IOV_PROP_SIZE(mc, IovVhost, byte_weight, 1, UINT32_MAX, 0x80000,
                  "Bytes of one turn, likewise (VHOST_NET_WEIGHT)");
    IOV_PROP_COUNT(mc, IovVhost, batch, 1, UINT32_MAX, 64,
                   "Received frames that share an interrupt while more wait");
    IOV_PROP_COUNT(mc, IovVhost, queue_length, 1, 65536, LINUX_TX_QUEUE_LENGTH,
                   "Frames that wait for the worker, for each pair: the length of a tap's queue");
    IOV_PROP_BOOL(mc, IovVhost, transmit_copy, 0, "What the guest sends is copied here");
    IOV_PROP_BOOL(mc, IovVhost, receive_copy, 1, "What is received is copied here");
    IOV_PROP_COUNT(mc, IovVhost, kick_register, 0, UINT32_MAX, 0x3000,
                   "Offset of the doorbells in the device's registers");
    IOV_PROP_TIME(mc, IovVhost, busy_poll, 0, IOV_SEC, 0,
                  "A worker that sleeps looks for more this long before it does; 0: it does not");
    IOV_COST(mc, IovVhost, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovVhost, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    describe_ports(mc);
    IOV_STAT(mc, IovVhost, kicks, "Kicks of the guest");
    IOV_STAT(mc, IovVhost, transmit_turns, "Turns of transmit queues");
    IOV_STAT(mc, IovVhost, receive_turns, "Turns of receive queues");
    IOV_STAT(mc, IovVhost, requeues, "Turns that ended before the work did");
    IOV_STAT(mc, IovVhost, frames_sent, "Frames out of the guest");
    IOV_STAT(mc, IovVhost, frames_received, "Frames for the guest");
    IOV_STAT(mc, IovVhost, calls, "Interrupts sent");
    IOV_STAT(mc, IovVhost, faults, "Accesses that nobody answered");
    IOV_STAT(mc, IovVhost, drops, "Frames lost because too many waited");
    mc->prepare = iov_vhost_prepare;
    mc->realize = iov_vhost_realize;
    mc->unrealize = iov_vhost_unrealize;
}

static void iov_vhost_init(IovVhost *self)
{
    self->netdev.ops = &netdev_ops;
}
