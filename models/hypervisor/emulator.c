/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulator - a QEMU-shaped process: device models in user space, an I/O thread, the big lock.
 *
 * A vCPU's thread that exits to user space comes here with its access; ioeventfds and frames wake
 * the I/O thread. Both run the device and then play what it did: copies, frames, interrupts. The
 * device is the same model as the hardware one with latencies of zero, wired to `device`, `dma`,
 * `frames`, `line` and `kick` instead of a bus. With io-thread off the I/O thread is the main loop
 * and takes the big lock; with it on the thread has a domain of its own. A round reads no more than
 * a number of frames, and none for which the device has no room: else a vCPU might never get the
 * lock. A reply that the network gives inside the call that sends (a local peer) is delivered to
 * the device on the same trip; one that a tap has queued is not.
 * LIMIT: bytes of DMA move when the device runs, their copy is paid when the effect is played; no
 * MMIO from one device to another.
 */
#include "models/guest/linux-regs.h"
#include "models/hypervisor/emulator-private.h"

/* SPEC: QEMU, net/tap.c, tap_send(): frames read from the tap before the main loop goes on. */
#define READ_MAX 50u

G_DEFINE_FINAL_TYPE(IovEmulator, iov_emulator, IOV_TYPE_MODEL)

static iov_time copy_cost(const IovEmulator *self, uint32_t size)
{
    return self->copy_fixed + self->copy_kib * size / 1024;
}

static void charge_copy(IovEmulator *self, struct iov_thread *thread, uint32_t size)
{
    iov_measure_copy(self->measure, size);
    iov_thread_compute(thread, copy_cost(self, size), IOV_PART_COPY);
}

/* ---- Playing effects ---- */

static void play_frame(IovEmulator *self, struct iov_thread *thread, struct iov_packet *packet)
{
    struct iov_thread *outer = self->sending;

    iov_thread_compute(thread, self->frame_cost, IOV_PART_EMULATOR);
    self->frames_sent++;
    self->sending = thread;
    iov_packet_send(&self->netdev, packet);
    self->sending = outer;
}

static void play_message(IovEmulator *self, struct iov_thread *thread, struct iov_effect *effect)
{
    iov_thread_compute(thread, self->message_cost, IOV_PART_INTERRUPT);
    self->interrupts++;
    if (!iov_effect_message(&self->msi, effect))
        self->faults++;
}

static void play(struct iov_effect_player *player, struct iov_thread *thread,
                 struct iov_effect *effect)
{
    IovEmulator *self = iov_container_of(player, IovEmulator, player);

    switch ((enum iov_effect_kind)effect->kind) {
    case IOV_EFFECT_COPY:
        charge_copy(self, thread, effect->size);
        break;
    case IOV_EFFECT_FRAME:
        play_frame(self, thread, effect->packet);
        break;
    case IOV_EFFECT_LINE:
        /* Another thread may have changed the line meanwhile: what counts is how it stands now. */
        if (self->interrupt.level == self->line_level)
            break;
        iov_thread_compute(thread, self->line_cost, IOV_PART_INTERRUPT);
        if (self->line_level)
            self->interrupts++;
        iov_irq_set(&self->interrupt, self->line_level, effect->span);
        break;
    case IOV_EFFECT_MESSAGE:
        play_message(self, thread, effect);
        break;
    }
}

static void orphan(struct iov_effect_player *player)
{
    IovEmulator *self = iov_container_of(player, IovEmulator, player);

    iov_emulator_wake(self, NULL, NULL);
}

static const struct iov_effect_ops effect_ops = { .play = play, .orphan = orphan };

/* ---- Running the device ---- */

static void deliver(IovEmulator *self, struct iov_thread *thread, struct iov_packet *packet)
{
    struct iov_effects *effects = iov_effects_begin(&self->player);

    self->frames_received++;
    iov_packet_send(&self->frames, packet);
    iov_effects_play(&self->player, thread, effects);
}

/* Frames that a local peer answered with while this thread was sending. */
static void deliver_local(IovEmulator *self, struct iov_thread *thread)
{
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->local)) != NULL)
        deliver(self, thread, packet);
}

/* After an access it may have room for the frames that wait: its queue is flushed then. */
static void device_access(IovEmulator *self, struct iov_thread *thread,
                          struct iov_register_window *window, struct iov_mem_req *req, bool write)
{
    struct iov_effects *effects = iov_effects_begin(&self->player);
    enum iov_status status;

    status =
        write ? iov_mem_write_req(&window->device, req) : iov_mem_read_req(&window->device, req);
    if (status != IOV_STATUS_OK)
        self->faults++;
    iov_effects_play(&self->player, thread, effects);
    deliver_local(self, thread);
    if (self->full && iov_emulator_readable(self)) {
        self->full = false;
        iov_emulator_wake(self, &thread->exec, NULL);
    }
}

void iov_emulator_access(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req, bool write, iov_time owed)
{
    struct iov_register_window *window =
        iov_container_of(target, struct iov_register_window, target);
    IovEmulator *self = window->owner;

    self->accesses++;
    iov_thread_compute(thread, owed + self->dispatch_cost + self->device_cost, IOV_PART_EMULATOR);
    iov_host_lock(thread, &self->lock);
    device_access(self, thread, window, req, write);
    iov_host_unlock(thread, &self->lock);
}

void iov_emulator_replay(struct iov_mem_target *target, struct iov_thread *thread,
                         struct iov_mem_req *req)
{
    struct iov_register_window *window =
        iov_container_of(target, struct iov_register_window, target);
    IovEmulator *self = window->owner;

    iov_thread_compute(thread, self->device_cost, IOV_PART_EMULATOR);
    iov_host_lock(thread, &self->lock);
    device_access(self, thread, window, req, true);
    iov_host_unlock(thread, &self->lock);
}

/* ---- The I/O thread ---- */

static void handle_kick(IovEmulator *self, unsigned slot)
{
    uint64_t value = self->kicks[slot].value;
    struct iov_mem_req req = { .address = self->kick_register + slot * self->kick_stride,
                               .data = &value,
                               .size = self->kicks[slot].size,
                               .pasid = IOV_NO_PASID };

    self->kicked &= ~(UINT64_C(1) << slot);
    self->thread->exec.span = self->kicks[slot].span;
    iov_span_mark(self->thread->exec.span, self->thread->exec.holder, IOV_PART_QUEUE,
                  iov_now(self->parent_instance.kernel));
    self->kicks_handled++;
    iov_thread_compute(self->thread, self->kick_cost, IOV_PART_EMULATOR);
    device_access(self, self->thread, &self->windows[0], &req, true);
    self->thread->exec.span = NULL;
}

static void handle_frame(IovEmulator *self, struct iov_packet *packet)
{
    struct iov_thread *thread = self->thread;

    thread->exec.span = packet->span;
    iov_span_pass(packet->span, self, thread->exec.holder); /* it waited for room */
    iov_span_mark(packet->span, thread->exec.holder, IOV_PART_QUEUE,
                  iov_now(self->parent_instance.kernel));
    iov_thread_compute(thread, self->read_cost, IOV_PART_HOST);
    charge_copy(self, thread, packet->size);
    deliver(self, thread, packet);
    deliver_local(self, thread);
    thread->exec.span = NULL;
}

bool iov_emulator_readable(const IovEmulator *self)
{
    return self->received.first != NULL && iov_packet_ready(&self->frames);
}

static bool has_work(const IovEmulator *self)
{
    return self->kicked != 0 || iov_emulator_readable(self) ||
           self->player.orphans.played != self->player.orphans.count;
}

/*
 * What is ready, and no more frames than a round may have. Then the lock is free for as long as a
 * poll takes.
 * LIMIT: a kick that comes meanwhile is handled at once, not after the next poll.
 */
static void io_round(IovEmulator *self)
{
    unsigned frames = 0;

    self->io_rounds++;
    if (!self->io_thread)
        iov_host_lock(self->thread, &self->lock);
    while (frames < READ_MAX && has_work(self)) {
        iov_effects_play_orphans(&self->player, self->thread);
        if (self->kicked != 0)
            handle_kick(self, (unsigned)__builtin_ctzll(self->kicked));
        if (iov_emulator_readable(self)) {
            handle_frame(self, iov_packet_queue_pop(&self->received));
            frames++;
        }
    }
    self->full = self->received.first != NULL && !iov_emulator_readable(self);
    if (!self->io_thread)
        iov_host_unlock(self->thread, &self->lock);
}

/* The same in a domain of Xen, whose kernel has switched to the process. */
static void work_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    IovEmulator *self = iov_container_of(work, IovEmulator, work);

    self->thread = thread;
    iov_thread_compute(thread, self->poll_cost, IOV_PART_EMULATOR);
    io_round(self);
    if (has_work(self))
        iov_emulator_wake(self, &thread->exec, NULL);
}

void iov_emulator_wake(IovEmulator *self, struct iov_exec *waker, struct iov_span *span)
{
    if (self->domain_ref != NULL)
        iov_xen_domain_queue((IovXenDomain *)(void *)self->domain_ref, &self->work, waker, span);
    else if (self->thread != NULL)
        iov_thread_wake(waker, self->thread, span);
}

static void io_main(void *argument)
{
    IovEmulator *self = argument;

    for (;;) {
        while (!has_work(self))
            iov_thread_block(self->thread);
        iov_thread_compute(self->thread, self->poll_cost, IOV_PART_EMULATOR);
        io_round(self);
        iov_thread_resched(self->thread);
        self->thread->exec.span = NULL;
    }
}

/* ---- Life ---- */

static bool iov_emulator_prepare(IovModel *model, GError **error)
{
    IovEmulator *self = (IovEmulator *)(void *)model;

    (void)error;
    iov_register_windows_prepare(self->windows, self);
    self->kick.size = self->kick_size;
    return true;
}

static bool iov_emulator_realize(IovModel *model, GError **error)
{
    IovEmulator *self = (IovEmulator *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (!iov_model_realize(self->host_ref, error) ||
        !iov_host_has(self->host, &self->cpus, model, "cpus", error))
        return false;
    if (self->coalesced.count % 2 != 0)
        return iov_model_fail(model, error, "coalesced: zones are pairs of offset and size");
    if (self->domain_ref != NULL && !iov_model_realize(self->domain_ref, error))
        return false;
    self->work = (struct iov_xen_work){ .run = work_run, .task = self };
    iov_effects_init(&self->player, model->kernel, &effect_ops);
    return true;
}

static void iov_emulator_start(IovModel *model)
{
    IovEmulator *self = (IovEmulator *)(void *)model;
    g_autofree char *name = g_strdup_printf("%s/io", model->path);

    if (self->domain_ref != NULL)
        return;
    self->thread =
        iov_thread_new(self->host, name, iov_host_mask(self->host, &self->cpus), io_main, self);
}

static void iov_emulator_update_statistics(IovModel *model)
{
    IovEmulator *self = (IovEmulator *)(void *)model;

    if (self->thread != NULL && self->domain_ref == NULL)
        self->io_thread_time = iov_thread_cpu_time(self->thread);
    self->lock_waits = self->lock.contentions;
}

static void iov_emulator_reset_statistics(IovModel *model)
{
    ((IovEmulator *)(void *)model)->lock.contentions = 0;
}

static void iov_emulator_unrealize(IovModel *model)
{
    IovEmulator *self = (IovEmulator *)(void *)model;

    iov_packet_queue_clear(&self->received);
    iov_packet_queue_clear(&self->local);
    iov_effects_finish(&self->player);
}

static void describe_costs(IovModelClass *mc)
{
    IOV_COST(mc, IovEmulator, dispatch_cost, "emulator-dispatch",
             "From the return of KVM_RUN to the device's handler");
    IOV_COST(mc, IovEmulator, device_cost, "emulator-device", "The device's handler of one access");
    IOV_COST(mc, IovEmulator, poll_cost, "emulator-poll", "A round of the I/O thread's event loop");
    IOV_COST(mc, IovEmulator, kick_cost, "emulator-kick",
             "Reading an ioeventfd and calling its handler");
    IOV_COST(mc, IovEmulator, frame_cost, "emulator-frame",
             "From the device's frame to the network back end");
    IOV_COST(mc, IovEmulator, read_cost, "tap-read", "Reading one frame from the tap, copy apart");
    IOV_COST(mc, IovEmulator, line_cost, "kvm-irq-line", "Changing an interrupt line by ioctl");
    IOV_COST(mc, IovEmulator, message_cost, "kvm-irqfd-write", "Writing an irqfd, routing apart");
    IOV_COST(mc, IovEmulator, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovEmulator, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_MEM_TARGET(mc, IovEmulator, kick, &iov_emulator_kick_ops,
                        "ioeventfds: from vm.doorbell");
    IOV_PORT_MEM_TARGET(mc, IovEmulator, dma, &iov_emulator_dma_ops,
                        "The device's memory accesses and messages");
    IOV_PORT_MEM_INITIATOR(mc, IovEmulator, ram, "Guest memory: vm.ram");
    IOV_PORT_MEM_INITIATOR(mc, IovEmulator, msi, "Interrupt messages: vm.msi");
    IOV_PORT_PACKET_END(mc, IovEmulator, frames, &iov_emulator_frames_ops,
                        "The device's network side");
    IOV_PORT_PACKET_END(mc, IovEmulator, netdev, &iov_emulator_netdev_ops,
                        "The network back end: a tap, a local peer");
    IOV_PORT_IRQ_SINK(mc, IovEmulator, line, &iov_emulator_line_ops, "The device's interrupt line");
    IOV_PORT_IRQ_SOURCE(mc, IovEmulator, interrupt, "To vm.gsi");
}

static void iov_emulator_class_init(IovEmulatorClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "emulator",
                             "User-space process with device models, an I/O thread and a big lock");
    IOV_PROP_REF(mc, IovEmulator, host_ref, "linux-host", true, "The host whose threads it uses");
    IOV_PROP_REF(mc, IovEmulator, domain_ref, "xen-domain", false,
                 "Under Xen: the domain it is a process of, instead of threads of its own");
    IOV_PROP_COUNT_LIST(mc, IovEmulator, cpus, 0, 63,
                        "Host processors of the I/O thread; none: any");
    IOV_PROP_BOOL(mc, IovEmulator, io_thread, true,
                  "The I/O thread has a domain of its own instead of the big lock");
    IOV_PROP_BOOL(mc, IovEmulator, transmit_copy, true,
                  "The device copies what it sends before the back end does");
    IOV_PROP_BOOL(mc, IovEmulator, receive_copy, true,
                  "What was read is copied on into guest memory");
    IOV_PROP_COUNT_LIST(
        mc, IovEmulator, coalesced, 0, UINT64_C(1) << 32,
        "Zones of `registers` whose writes may wait: offset, size, offset, size, ...");
    IOV_PROP_COUNT(mc, IovEmulator, queue_length, 1, 65536, LINUX_TX_QUEUE_LENGTH,
                   "Frames that wait in the tap for the I/O thread");
    IOV_PROP_COUNT(mc, IovEmulator, kick_register, 0, UINT32_MAX, 0,
                   "Offset in `device` that the first ioeventfd stands for");
    IOV_PROP_COUNT(mc, IovEmulator, kick_stride, 1, 4096, 4,
                   "Bytes from one ioeventfd's register to the next");
    IOV_PROP_SIZE(mc, IovEmulator, kick_size, 1, 1 << 20, 4096,
                  "Bytes of the window of ioeventfds");
    IOV_PROP_STRING(mc, IovEmulator, region, "nic", "Name of the registers in the statistics");
    IOV_PROP_STRING(mc, IovEmulator, region_1, "",
                    "Name of those of registers-1, if it is another");
    iov_register_windows_describe(mc, G_STRUCT_OFFSET(IovEmulator, windows),
                                  &iov_emulator_window_ops);
    describe_costs(mc);
    describe_ports(mc);
    IOV_STAT(mc, IovEmulator, accesses, "Register accesses that came to user space");
    IOV_STAT(mc, IovEmulator, kicks_handled, "ioeventfds handled by the I/O thread");
    IOV_STAT(mc, IovEmulator, frames_sent, "Frames handed to the back end");
    IOV_STAT(mc, IovEmulator, frames_received, "Frames given to the device");
    IOV_STAT(mc, IovEmulator, interrupts, "Interrupts raised for the guest");
    IOV_STAT(mc, IovEmulator, drops, "Frames lost, as the tap's queue was full");
    IOV_STAT(mc, IovEmulator, lock_waits, "Threads that found the big lock taken");
    IOV_STAT(mc, IovEmulator, io_rounds, "Rounds of the event loop");
    IOV_STAT(mc, IovEmulator, faults, "Accesses that nobody answered");
    IOV_STAT_TIME(mc, IovEmulator, io_thread_time, "CPU time of the I/O thread");
    mc->prepare = iov_emulator_prepare;
    mc->realize = iov_emulator_realize;
    mc->start = iov_emulator_start;
    mc->update_statistics = iov_emulator_update_statistics;
    mc->reset_statistics = iov_emulator_reset_statistics;
    mc->unrealize = iov_emulator_unrealize;
}

static void iov_emulator_init(IovEmulator *self)
{
    (void)self;
}
