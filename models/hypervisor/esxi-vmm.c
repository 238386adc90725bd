/* SPDX-License-Identifier: Apache-2.0 */
/*
 * esxi-vmm - device models inside a monolithic monitor: an access that exits is handled where the
 * exit is, on the vCPU's thread, and no process is ever asked.
 *
 * The device is the same model as the hardware one with latencies of zero, wired to `device`,
 * `dma`, `frames` and `line`. Its effects are played by whoever made it act: the vCPU's thread for
 * an access, the world that brings a frame (the vSwitch's) for a reception. What comes from
 * nobody's thread (a timer of the device, a frame in an event) is done by a world of the VM. A
 * frame that the network answers inside the call that sends (a local peer) is given to the device
 * on the same trip.
 * LIMIT: bytes of DMA move when the device runs, their copy is paid when the effect is played;
 * whoever finds the device busy sleeps instead of spinning; no device reads another's registers.
 */
#include "models/hypervisor/esxi-vmm.h"

#include "core/trace/measure.h"
#include "models/hypervisor/effects.h"
#include "models/hypervisor/register-window.h"

struct _IovEsxiVmm {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    struct iov_count_list cpus;
    bool transmit_copy;
    bool receive_copy;
    char *region;
    /* costs */
    iov_time access_cost, transmit_cost, receive_cost, interrupt_cost, world_cost;
    iov_time copy_fixed, copy_kib;
    /* ports */
    struct iov_register_window windows[IOV_REGISTER_WINDOWS];
    struct iov_mem_target dma;
    struct iov_mem_initiator ram;
    struct iov_mem_initiator msi;
    struct iov_packet_port frames;
    struct iov_packet_port netdev;
    struct iov_irq_sink line;
    struct iov_irq_source interrupt;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_thread *world;
    struct iov_host_lock lock;
    struct iov_effect_player player;
    struct iov_packet_queue received; /* for the world */
    struct iov_packet_queue local;    /* replies of a peer inside the call that sends */
    struct iov_thread *sending;
    bool line_level;
    /* statistics */
    uint64_t accesses, frames_sent, frames_received, interrupts, lock_waits, world_turns, faults;
    iov_time world_time;
};

G_DEFINE_FINAL_TYPE(IovEsxiVmm, iov_esxi_vmm, IOV_TYPE_MODEL)

static iov_time now(const IovEsxiVmm *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Playing effects ---- */

static void play_copy(IovEsxiVmm *self, struct iov_thread *thread, uint32_t size)
{
    iov_measure_copy(self->measure, size);
    iov_thread_compute(thread, self->copy_fixed + self->copy_kib * size / 1024, IOV_PART_COPY);
}

static void play_frame(IovEsxiVmm *self, struct iov_thread *thread, struct iov_packet *packet)
{
    struct iov_thread *outer = self->sending;

    iov_thread_compute(thread, self->transmit_cost, IOV_PART_MONITOR);
    self->frames_sent++;
    self->sending = thread;
    iov_packet_send(&self->netdev, packet);
    self->sending = outer;
}

static void play_message(IovEsxiVmm *self, struct iov_thread *thread, struct iov_effect *effect)
{
    iov_thread_compute(thread, self->interrupt_cost, IOV_PART_INTERRUPT);
    self->interrupts++;
    if (!iov_effect_message(&self->msi, effect))
        self->faults++;
}

static void play_line(IovEsxiVmm *self, struct iov_thread *thread, struct iov_effect *effect)
{
    /* Another thread may have changed the line meanwhile: what counts is how it stands now. */
    if (self->interrupt.level == self->line_level)
        return;
    iov_thread_compute(thread, self->interrupt_cost, IOV_PART_INTERRUPT);
    if (self->line_level)
        self->interrupts++;
    iov_irq_set(&self->interrupt, self->line_level, effect->span);
}

static void play(struct iov_effect_player *player, struct iov_thread *thread,
                 struct iov_effect *effect)
{
    IovEsxiVmm *self = iov_container_of(player, IovEsxiVmm, player);

    switch ((enum iov_effect_kind)effect->kind) {
    case IOV_EFFECT_COPY:
        play_copy(self, thread, effect->size);
        break;
    case IOV_EFFECT_FRAME:
        play_frame(self, thread, effect->packet);
        break;
    case IOV_EFFECT_LINE:
        play_line(self, thread, effect);
        break;
    case IOV_EFFECT_MESSAGE:
        play_message(self, thread, effect);
        break;
    }
}

static void orphan(struct iov_effect_player *player)
{
    IovEsxiVmm *self = iov_container_of(player, IovEsxiVmm, player);

    if (self->world != NULL)
        iov_thread_wake(NULL, self->world, NULL);
}

static const struct iov_effect_ops effect_ops = { .play = play, .orphan = orphan };

/* ---- Running the device ---- */

/* With the device's lock. */
static void give_frame(IovEsxiVmm *self, struct iov_thread *thread, struct iov_packet *packet)
{
    struct iov_effects *effects;

    iov_thread_compute(thread, self->receive_cost, IOV_PART_MONITOR);
    effects = iov_effects_begin(&self->player);
    self->frames_received++;
    iov_packet_send(&self->frames, packet);
    iov_effects_play(&self->player, thread, effects);
}

static void give_local(IovEsxiVmm *self, struct iov_thread *thread)
{
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->local)) != NULL)
        give_frame(self, thread, packet);
}

void iov_esxi_vmm_access(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req, bool write)
{
    struct iov_register_window *window =
        iov_container_of(target, struct iov_register_window, target);
    IovEsxiVmm *self = window->owner;
    struct iov_effects *effects;
    enum iov_status status;

    self->accesses++;
    iov_thread_compute(thread, self->access_cost, IOV_PART_MONITOR);
    iov_host_lock(thread, &self->lock);
    effects = iov_effects_begin(&self->player);
    status =
        write ? iov_mem_write_req(&window->device, req) : iov_mem_read_req(&window->device, req);
    if (status != IOV_STATUS_OK)
        self->faults++;
    iov_effects_play(&self->player, thread, effects);
    give_local(self, thread);
    iov_host_unlock(thread, &self->lock);
}

/* A frame from the network on a thread that may wait. */
static void receive_on(IovEsxiVmm *self, struct iov_thread *thread, struct iov_packet *packet)
{
    struct iov_span *own = thread->exec.span;

    iov_host_lock(thread, &self->lock);
    thread->exec.span = packet->span;
    give_frame(self, thread, packet);
    give_local(self, thread);
    thread->exec.span = own;
    iov_host_unlock(thread, &self->lock);
}

/* ---- The VM's world ---- */

static bool has_work(const IovEsxiVmm *self)
{
    return self->received.first != NULL ||
           self->player.orphans.played != self->player.orphans.count;
}

static void world_turn(IovEsxiVmm *self)
{
    struct iov_thread *thread = self->world;
    struct iov_packet *packet;

    self->world_turns++;
    iov_thread_compute(thread, self->world_cost, IOV_PART_MONITOR);
    if (self->player.orphans.played != self->player.orphans.count) {
        iov_host_lock(thread, &self->lock);
        iov_effects_play_orphans(&self->player, thread);
        give_local(self, thread);
        iov_host_unlock(thread, &self->lock);
    }
    packet = iov_packet_queue_pop(&self->received);
    if (packet != NULL) {
        iov_span_mark(packet->span, self, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, self, thread->exec.holder);
        receive_on(self, thread, packet);
    }
}

static void world_main(void *argument)
{
    IovEsxiVmm *self = argument;

    for (;;) {
        while (!has_work(self))
            iov_thread_block(self->world);
        world_turn(self);
        self->world->exec.span = NULL;
        iov_thread_resched(self->world);
    }
}

/* ---- Ports: frames ---- */

/* The device sends. */
static iov_time frames_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovEsxiVmm *self = iov_container_of(port, IovEsxiVmm, frames);

    iov_effects_add(&self->player, &(struct iov_effect){ .kind = IOV_EFFECT_FRAME,
                                                         .packet = packet,
                                                         .size = packet->size,
                                                         .span = packet->span });
    return 0;
}

static const struct iov_packet_ops frames_ops = { .receive = frames_receive };

/* The network sends: a local peer's reply, a world that brings a frame, or nobody's thread. */
static iov_time netdev_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovEsxiVmm *self = iov_container_of(port, IovEsxiVmm, netdev);
    struct iov_thread *current = iov_host_current(self->host);

    if (current == NULL || iov_host_in_interrupt(current)) {
        iov_span_claim(packet->span, self, IOV_PART_QUEUE, now(self));
        iov_packet_queue_push(&self->received, packet);
        iov_thread_wake(current != NULL ? &current->exec : NULL, self->world, NULL);
    } else if (current == self->sending) {
        iov_span_claim(packet->span, current->exec.holder, IOV_PART_PEER, now(self));
        iov_packet_queue_push(&self->local, packet);
    } else {
        receive_on(self, current, packet);
    }
    return 0;
}

/* The device's. */
static bool netdev_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    return iov_packet_station(&iov_container_of(port, IovEsxiVmm, netdev)->frames, ret_address);
}

static const struct iov_packet_ops netdev_ops = { .receive = netdev_receive,
                                                  .station = netdev_station };

/* ---- Ports: the device's memory, interrupts, registers ---- */

static enum iov_status dma_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEsxiVmm *self = iov_container_of(port, IovEsxiVmm, dma);

    return iov_effects_read(&self->player, &self->ram, req, self->transmit_copy);
}

static enum iov_status dma_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEsxiVmm *self = iov_container_of(port, IovEsxiVmm, dma);

    return iov_effects_write(&self->player, &self->ram, req, self->receive_copy);
}

static const struct iov_mem_target_ops dma_ops = { .read = dma_read, .write = dma_write };

static void line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovEsxiVmm *self = iov_container_of(sink, IovEsxiVmm, line);

    self->line_level = level;
    iov_effects_add(&self->player,
                    &(struct iov_effect){ .kind = IOV_EFFECT_LINE, .level = level, .span = span });
}

static const struct iov_irq_sink_ops line_ops = { .set = line_set };

static const struct iov_mem_target_ops window_ops = { .read = iov_register_window_read,
                                                      .write = iov_register_window_write };

bool iov_esxi_vmm_owns(const struct iov_mem_target *target)
{
    return target->ops == &window_ops;
}

const char *iov_esxi_vmm_region(const struct iov_mem_target *target)
{
    return ((const IovEsxiVmm *)iov_register_window_of(target)->owner)->region;
}

/* ---- Life ---- */

static bool iov_esxi_vmm_prepare(IovModel *model, GError **error)
{
    IovEsxiVmm *self = (IovEsxiVmm *)(void *)model;

    (void)error;
    iov_register_windows_prepare(self->windows, self);
    return true;
}

static bool iov_esxi_vmm_realize(IovModel *model, GError **error)
{
    IovEsxiVmm *self = (IovEsxiVmm *)(void *)model;

    self->measure = model->run->measure;
    self->lock.part = IOV_PART_MONITOR;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    iov_effects_init(&self->player, model->kernel, &effect_ops);
    return iov_model_realize(self->host_ref, error) &&
           iov_host_has(self->host, &self->cpus, model, "cpus", error);
}

static void iov_esxi_vmm_start(IovModel *model)
{
    IovEsxiVmm *self = (IovEsxiVmm *)(void *)model;

    self->world = iov_thread_new(self->host, model->path, iov_host_mask(self->host, &self->cpus),
                                 world_main, self);
}

static void iov_esxi_vmm_update_statistics(IovModel *model)
{
    IovEsxiVmm *self = (IovEsxiVmm *)(void *)model;

    if (self->world != NULL)
        self->world_time = iov_thread_cpu_time(self->world);
    self->lock_waits = self->lock.contentions;
}

static void iov_esxi_vmm_reset_statistics(IovModel *model)
{
    ((IovEsxiVmm *)(void *)model)->lock.contentions = 0;
}

static void iov_esxi_vmm_unrealize(IovModel *model)
{
    IovEsxiVmm *self = (IovEsxiVmm *)(void *)model;

    iov_packet_queue_clear(&self->received);
    iov_packet_queue_clear(&self->local);
    iov_effects_finish(&self->player);
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_MEM_TARGET(mc, IovEsxiVmm, dma, &dma_ops, "The device's memory accesses and messages");
    IOV_PORT_MEM_INITIATOR(mc, IovEsxiVmm, ram, "Guest memory: vm.ram");
    IOV_PORT_MEM_INITIATOR(mc, IovEsxiVmm, msi, "Interrupt messages: vm.msi");
    IOV_PORT_PACKET_END(mc, IovEsxiVmm, frames, &frames_ops, "The device's network side");
    IOV_PORT_PACKET_END(mc, IovEsxiVmm, netdev, &netdev_ops,
                        "The network: a port of the vSwitch, a local peer");
    IOV_PORT_IRQ_SINK(mc, IovEsxiVmm, line, &line_ops, "The device's interrupt line");
    IOV_PORT_IRQ_SOURCE(mc, IovEsxiVmm, interrupt, "To vm.gsi");
}

static void iov_esxi_vmm_class_init(IovEsxiVmmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "esxi-vmm",
                             "Device models inside a monolithic monitor, without a process");
    IOV_PROP_REF(mc, IovEsxiVmm, host_ref, "linux-host", true,
                 "The scheduler whose threads (worlds) it uses");
    IOV_PROP_COUNT_LIST(mc, IovEsxiVmm, cpus, 0, 63, "Host processors of its world; none: any");
    IOV_PROP_BOOL(mc, IovEsxiVmm, transmit_copy, false,
                  "What the guest sends is copied instead of mapped for the NIC");
    IOV_PROP_BOOL(mc, IovEsxiVmm, receive_copy, true, "What is received is copied to guest memory");
    IOV_PROP_STRING(mc, IovEsxiVmm, region, "nic", "Name of the registers in the statistics");
    iov_register_windows_describe(mc, G_STRUCT_OFFSET(IovEsxiVmm, windows), &window_ops);
    IOV_COST(mc, IovEsxiVmm, access_cost, "esxi-access",
             "From a decoded exit to the end of the device's handler");
    IOV_COST(mc, IovEsxiVmm, transmit_cost, "esxi-transmit",
             "A frame out of the device, up to the vSwitch");
    IOV_COST(mc, IovEsxiVmm, receive_cost, "esxi-receive",
             "A frame from the vSwitch into the device, copy apart");
    IOV_COST(mc, IovEsxiVmm, interrupt_cost, "esxi-interrupt",
             "Raising a virtual interrupt, routing apart");
    IOV_COST(mc, IovEsxiVmm, world_cost, "esxi-world", "A turn of a monitor's world");
    IOV_COST(mc, IovEsxiVmm, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovEsxiVmm, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    describe_ports(mc);
    IOV_STAT(mc, IovEsxiVmm, accesses, "Register accesses handled");
    IOV_STAT(mc, IovEsxiVmm, frames_sent, "Frames handed to the network");
    IOV_STAT(mc, IovEsxiVmm, frames_received, "Frames given to the device");
    IOV_STAT(mc, IovEsxiVmm, interrupts, "Interrupts raised for the guest");
    IOV_STAT(mc, IovEsxiVmm, lock_waits, "Threads that found the device busy");
    IOV_STAT(mc, IovEsxiVmm, world_turns, "Turns of the VM's world");
    IOV_STAT(mc, IovEsxiVmm, faults, "Accesses that nobody answered");
    IOV_STAT_TIME(mc, IovEsxiVmm, world_time, "CPU time of the VM's world");
    mc->prepare = iov_esxi_vmm_prepare;
    mc->realize = iov_esxi_vmm_realize;
    mc->start = iov_esxi_vmm_start;
    mc->update_statistics = iov_esxi_vmm_update_statistics;
    mc->reset_statistics = iov_esxi_vmm_reset_statistics;
    mc->unrealize = iov_esxi_vmm_unrealize;
}

static void iov_esxi_vmm_init(IovEsxiVmm *self)
{
    (void)self;
}
