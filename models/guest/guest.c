/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-guest - the kernel of a guest, and of a machine without hypervisor: it boots its
 * processors, drives one network device as Linux 6.1's driver does, and runs a workload. What
 * matters for I/O is executed (accesses, interrupts, timers, HLT); the rest is time from the cost
 * table.
 *
 * LIMIT: no user space, no PCI enumeration (addresses of the device are properties), FS and GS base
 * are not written at a context switch (processors since Ivy Bridge use an instruction that never
 * exits).
 */
#include <stdio.h>
#include <string.h>

#include "core/net/address.h"
#include "models/guest/guest-private.h"

G_DEFINE_FINAL_TYPE(IovLinuxGuest, iov_linux_guest, IOV_TYPE_MODEL)

#define FIRST_ADDRESS 0x0a000001u     /* 10.0.0.1 */
#define FURTHER_ADDRESSES 0x0a000100u /* 10.0.1.0 */

static const char *const driver_names[] = { "none",   "e1000",   "virtio-net", "virtio-pmd",
                                            "igb",    "igbvf",   "igbvf-pmd",  "netfront",
                                            "e1000e", "vmxnet3", NULL };
static const char *const apic_names[] = { "auto", "xapic", "x2apic", NULL };
static const char *const tick_names[] = { "tickless", "periodic", "none", NULL };
static const char *const affinity_names[] = { "spread", "pinned", NULL };
static const char *const iommu_names[] = { "none", "pass-through", "strict", "deferred", NULL };
static const char *const idle_names[] = { "halt", "poll", "haltpoll", NULL };

void iov_guest_work_for(struct iov_guest_cpu *cpu, struct iov_span *span)
{
    cpu->span = span;
    cpu->exec->span = span;
}

void iov_guest_take_up(struct iov_guest_cpu *cpu, struct iov_span *span)
{
    if (span != cpu->span)
        iov_span_claim(span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_resume(cpu, span);
}

void iov_guest_resume(struct iov_guest_cpu *cpu, struct iov_span *span)
{
    if (span != cpu->span)
        iov_span_mark(span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, span);
}

void iov_guest_charge(struct iov_guest_cpu *cpu, iov_time cost)
{
    if (cost == 0)
        return;
    iov_exec_compute(cpu->exec, cost, IOV_PART_GUEST);
}

void iov_guest_charge_copy(struct iov_guest_cpu *cpu, uint32_t bytes)
{
    iov_exec_compute(cpu->exec, cpu->guest->costs.copy * bytes / 1024, IOV_PART_COPY);
    iov_measure_copy(cpu->guest->measure, bytes);
}

void iov_guest_fail(struct iov_guest_cpu *cpu, const char *why)
{
    const IovModel *model = &cpu->guest->parent_instance;
    char text[256];

    iov_measure_guest_fault(cpu->guest->measure, &cpu->guest->faults);
    iov_measure_end(cpu->guest->measure, false);
    snprintf(text, sizeof text, "the workload did not finish: %.64s gave up at %.1f us: %s%s",
             model->path, (double)iov_guest_now(cpu) / (double)IOV_US, why,
             cpu->guest->memory_is_short ? "; it ran out of memory" : "");
    iov_kernel_fail(model->kernel, text);
}

static bool start_network(struct iov_guest_cpu *cpu)
{
    struct iov_guest_netdev *dev = cpu->guest->netdev;

    if (dev == NULL)
        return true;
    if (!dev->ops->probe(dev, cpu) || !dev->ops->open(dev, cpu)) {
        iov_guest_fail(cpu, dev->trouble ?: "its driver cannot use the device at 'registers'");
        return false;
    }
    iov_guest_net_opened(&cpu->guest->net);
    dev->running = true;
    if (cpu->guest->workload == NULL || cpu->guest->net.serves || iov_guest_neighbour_find(cpu))
        return true;
    iov_guest_fail(cpu, "nobody answers for the address in 'peer-address'");
    return false;
}

/* ---- Processors, queues, tasks ---- */

unsigned iov_guest_processors(const IovLinuxGuest *guest)
{
    return guest->program.processors != 0 ? guest->program.processors : 1;
}

void iov_guest_wait_processors(struct iov_guest_cpu *cpu)
{
    for (unsigned i = 0; i < iov_guest_processors(cpu->guest); i++) {
        while (!cpu->guest->cpus[i].booted) {
            iov_exec_do(cpu->exec, IOV_OP_PAUSE);
            iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
        }
    }
}

unsigned iov_guest_queue_pairs(const IovLinuxGuest *guest, unsigned most)
{
    unsigned limit = guest->queues != 0 ? (unsigned)guest->queues : IOV_GUEST_QUEUES;

    most = MIN(most, limit);
    return MAX(MIN(iov_guest_processors(guest), most), 1);
}

/* As Linux deals out processors: groups of neighbours, the first ones larger by one if they cannot
 * be equal. */
unsigned iov_guest_processor_of(const IovLinuxGuest *guest, unsigned queue)
{
    unsigned processors = iov_guest_processors(guest), queues = guest->netdev->queues;
    unsigned stride = processors / queues, larger = processors % queues;

    if (processors < queues)
        return queue % processors;
    return queue * stride + MIN(queue, larger);
}

unsigned iov_guest_queue_of(const IovLinuxGuest *guest, unsigned index)
{
    unsigned queue = guest->netdev->queues - 1;

    while (queue > 0 && iov_guest_processor_of(guest, queue) > index)
        queue--;
    return queue;
}

unsigned iov_guest_tasks(const IovLinuxGuest *guest)
{
    uint64_t flows = guest->workload != NULL ? IOV_WORKLOAD(guest->workload)->flows : 1;

    return MIN((unsigned)flows, iov_guest_processors(guest));
}

static bool has_task(const IovLinuxGuest *guest, unsigned index, unsigned *ret_task)
{
    unsigned processors = iov_guest_processors(guest);

    if (guest->workload == NULL || index >= processors)
        return false;
    uint64_t first = IOV_WORKLOAD(guest->workload)->cpu % processors;

    *ret_task = (index + processors - (unsigned)first) % processors;
    return *ret_task < iov_guest_tasks(guest);
}

/* The network works: tasks on other processors may begin. */
static void start_tasks(struct iov_guest_cpu *cpu)
{
    IovLinuxGuest *guest = cpu->guest;
    unsigned task;

    guest->tasks_started = true;
    for (unsigned i = 1; i < iov_guest_processors(guest); i++) {
        if (has_task(guest, i, &task) && guest->cpus[i].booted)
            iov_guest_wake(cpu, &guest->cpus[i]);
    }
}

static void wait_for_start(struct iov_guest_cpu *cpu)
{
    while (!cpu->guest->tasks_started) {
        iov_guest_wait_prepare(cpu);
        if (!cpu->guest->tasks_started)
            iov_guest_wait_block(cpu);
        iov_guest_wait_done(cpu);
    }
}

/* Processors are called as the VM's threads are: "vm0/vcpu1" of "vm0/guest". */
static struct iov_virtual_use *join(const IovLinuxGuest *self, unsigned index)
{
    const char *path = self->parent_instance.path, *slash = strrchr(path, '/');
    g_autofree char *name =
        g_strdup_printf("%.*svcpu%u", slash != NULL ? (int)(slash - path) + 1 : 0, path, index);

    return iov_measure_virtual(self->measure, name);
}

/* As a machine with its processors shares them out. */
static struct iov_fair fair_of(const IovLinuxGuest *self)
{
    struct iov_fair fair = { self->sched_latency, self->sched_min_granularity,
                             self->sched_wakeup_granularity };

    iov_fair_scale(&fair, IOV_FAIR_LOGARITHMIC, iov_guest_processors(self));
    return fair;
}

static void program_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    IovLinuxGuest *self = iov_container_of(program, IovLinuxGuest, program);

    IOV_REQUIRE(index < IOV_GUEST_CPUS);
    self->fair = fair_of(self);
    struct iov_guest_cpu *cpu = &self->cpus[index];

    *cpu = (struct iov_guest_cpu){
        .guest = self,
        .exec = exec,
        .index = index,
        .sleep = IOV_TIME_MAX,
        .flush = IOV_TIME_MAX,
    };
    iov_menu_init(&cpu->menu, 0);
    iov_exec_do(exec, IOV_OP_CLI);
    iov_guest_boot_apic(cpu);
    iov_guest_start_timer(cpu);
    iov_exec_do(exec, IOV_OP_STI);
    if (iov_guest_processors(self) > 1)
        cpu->use = join(self, index);
    cpu->booted = true;
    unsigned task = 0;
    bool runs = has_task(self, index, &task);

    cpu->task = runs ? task : 0;
    if (cpu->task != 0 && self->netdev != NULL)
        iov_guest_net_open(&self->net, cpu->task);
    if (index != 0) {
        if (runs)
            wait_for_start(cpu);
    } else if (!iov_guest_iommu_boot(cpu)) {
        iov_guest_fail(cpu, "it cannot use the remapping unit at 'iommu-registers'");
        runs = false;
    } else if (!start_network(cpu)) {
        runs = false;
    } else {
        start_tasks(cpu);
    }
    if (runs)
        IOV_WORKLOAD_GET_CLASS(self->workload)->run(IOV_WORKLOAD(self->workload), cpu);
    iov_guest_idle_for_ever(cpu);
}

/* Why this kernel does not run on the machine, or NULL. */
static const char *program_refuses(struct iov_program *program)
{
    const IovLinuxGuest *self = iov_container_of(program, IovLinuxGuest, program);

    if (program->processors > IOV_GUEST_CPUS)
        return "this guest kernel runs on 64 processors at most";
    if (self->workload != NULL &&
        IOV_WORKLOAD_GET_CLASS(self->workload)->flows == IOV_WORKLOAD_FLOW_A_TASK &&
        IOV_WORKLOAD(self->workload)->flows > program->processors)
        return "workload: each flow of its kind takes a virtual processor of its own";
    if (self->netdev != NULL && self->netdev->ops->poll != NULL && iov_guest_tasks(self) > 1)
        return "workload: a poll-mode driver has one task, so one flow or one virtual processor";
    return NULL;
}

static const struct iov_program_ops program_ops = {
    .start = program_start,
    .refuses = program_refuses,
    .interrupt = iov_guest_program_interrupt,
};

/* A device that is polled has written something. */
static void changed_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    (void)span;
    iov_guest_net_changed(&iov_container_of(sink, IovLinuxGuest, changed)->net);
}

static const struct iov_notify_sink_ops changed_ops = { .signal = changed_signal };

/* ---- Life cycle ---- */

/* One a task; how many processors there are nobody has told yet. */
static unsigned sockets_wanted(const IovLinuxGuest *self)
{
    uint64_t flows = self->workload != NULL ? IOV_WORKLOAD(self->workload)->flows : 1;

    return MIN((unsigned)flows, IOV_GUEST_CPUS);
}

/* Guests are counted as their workloads are. */
static bool choose_address(const IovLinuxGuest *self, uint32_t *ret_address)
{
    unsigned number = self->workload != NULL ? IOV_WORKLOAD(self->workload)->guest : 0;

    if (strcmp(self->address, "auto") != 0)
        return iov_net_ipv4_parse(self->address, ret_address);
    *ret_address = number == 0 ? FIRST_ADDRESS : FURTHER_ADDRESSES + number;
    return true;
}

static bool guest_realize(IovModel *model, GError **error)
{
    IovLinuxGuest *self = IOV_LINUX_GUEST(model);
    uint32_t address, peer;

    self->measure = model->run->measure;
    iov_interrupt_owned(self->measure->interrupts, (uint32_t)self->requester, self);
    iov_interrupt_owned(self->measure->interrupts, (uint32_t)self->ioapic_requester, self);
    self->region_nic = iov_measure_region(self->measure, "nic");
    self->region_lapic = iov_measure_region(self->measure, "lapic");
    self->region_ioapic = iov_measure_region(self->measure, "ioapic");
    self->region_iommu = iov_measure_region(self->measure, "intel_iommu");
    self->next_memory = self->memory_base;
    self->memory_is_short = false;
    self->tasks_started = false;
    memset(self->cpus, 0, sizeof self->cpus);
    if (self->workload != NULL && IOV_WORKLOAD_GET_CLASS(self->workload)->run == NULL)
        return iov_model_fail(model, error, "workload '%s' is not a program of this guest kernel",
                              self->workload->path);
    if (self->driver == 0)
        return self->workload == NULL || !IOV_WORKLOAD_GET_CLASS(self->workload)->needs_network ||
               iov_model_fail(model, error, "the workload needs a network driver: set 'driver'");
    if (self->registers == 0)
        return iov_model_fail(model, error, "driver %s needs the address of its 'registers'",
                              driver_names[self->driver]);
    const struct iov_guest_netdev_ops *ops = iov_guest_netdev_find(driver_names[self->driver]);

    if (!choose_address(self, &address))
        return iov_model_fail(model, error, "address: '%s' is not an address like 10.0.0.1",
                              self->address);
    if (!iov_net_ipv4_parse(self->peer_address, &peer) || peer == address)
        return iov_model_fail(model, error, "peer-address: '%s' is not another's, like 10.0.0.2",
                              self->peer_address);
    iov_guest_net_init(&self->net, self, sockets_wanted(self), address, peer,
                       (uint32_t)self->tcp_window);
    self->net.serves =
        self->workload != NULL && IOV_MODEL_GET_CLASS(self->workload)->serves != NULL;
    self->netdev = ops->create(&self->net);
    self->net.dev = self->netdev;
    self->netdev->queues = 1;
    return true;
}

static void guest_unrealize(IovModel *model)
{
    IovLinuxGuest *self = IOV_LINUX_GUEST(model);

    if (self->netdev != NULL) {
        self->netdev->ops->destroy(self->netdev);
        iov_guest_net_finish(&self->net);
    }
    self->netdev = NULL;
    g_clear_pointer(&self->iommu, iov_guest_iommu_free);
}

static void describe_costs(IovModelClass *mc)
{
#define COST(field, name, text) IOV_COST(mc, IovLinuxGuest, costs.field, name, text)
    COST(irq_entry, "guest-irq-entry", "From the interrupt gate to the handler");
    COST(irq_idle, "guest-irq-idle",
         "More of that when the interrupt ends idle: the clock is brought up to date");
    COST(irq_flow, "guest-irq-flow",
         "A device's handler besides its accesses, and the flow around it");
    COST(irq_exit, "guest-irq-exit", "Leaving an interrupt");
    COST(softirq, "guest-softirq", "One round of softirqs besides the work in it");
    COST(napi_poll, "guest-napi-poll", "One poll of a device besides the frames in it");
    COST(timer, "guest-timer", "Timer interrupt that ends a sleep");
    COST(tick, "guest-tick", "Timer interrupt with a tick: clock, scheduler, RCU");
    COST(reschedule, "guest-reschedule", "Handler of the reschedule interrupt");
    COST(context_switch, "guest-context-switch", "From one task to another, or to and from idle");
    COST(idle_entry, "guest-idle-entry", "One pass of the idle loop up to HLT");
    COST(idle_exit, "guest-idle-exit", "Leaving the idle loop");
    COST(idle_poll, "guest-idle-poll", "One round of polling in idle, besides the PAUSE");
    COST(wake_up, "guest-wake-up", "Waking a task");
    COST(syscall_entry, "guest-syscall-entry", "Entering the kernel, up to the socket layer");
    COST(syscall_exit, "guest-syscall-exit", "Returning to the program");
    COST(socket_block, "guest-socket-block", "Finding an empty socket and preparing to wait");
    COST(socket_receive, "guest-socket-receive", "Taking a datagram from a socket");
    COST(application, "guest-application", "The program between two system calls");
    COST(copy, "guest-copy", "Copying 1 KiB between program and kernel");
    COST(checksum, "guest-checksum", "Summing 1 KiB where the device does not");
    COST(gso, "guest-gso", "GSO: cutting one piece off a large segment");
    COST(gro, "guest-gro", "GRO: adding one received segment to a large one");
    COST(udp_tx, "guest-udp-tx", "UDP, IP and queueing of a datagram, up to the driver");
    COST(udp_rx, "guest-udp-rx", "A received datagram from the driver to its socket");
    COST(tcp_tx, "guest-tcp-tx", "TCP, IP and queueing of a segment, up to the driver");
    COST(tcp_rx, "guest-tcp-rx",
         "A received segment from the driver to its socket, or an acknowledgement");
    COST(tcp_ack, "guest-tcp-ack", "Building and queueing an acknowledgement");
    COST(icmp_tx, "guest-icmp-tx", "An echo request, up to the driver");
    COST(icmp_rx, "guest-icmp-rx", "An echo reply from the driver to its socket");
    COST(tx_return, "guest-tx-return", "From the doorbell back to the system call");
    COST(e1000_tx, "guest-e1000-tx", "e1000: descriptors of one frame, up to the doorbell");
    COST(e1000_tx_clean, "guest-e1000-tx-clean", "e1000: taking back one sent frame");
    COST(e1000_rx, "guest-e1000-rx", "e1000: one received frame and its new buffer");
    COST(igb_tx, "guest-igb-tx", "igb: descriptors of one frame, up to the doorbell");
    COST(igb_tx_clean, "guest-igb-tx-clean", "igb: taking back one sent frame");
    COST(igb_rx, "guest-igb-rx", "igb: one received frame and its new buffer");
    COST(vmxnet3_tx, "guest-vmxnet3-tx", "vmxnet3: descriptors of one frame, up to the doorbell");
    COST(vmxnet3_tx_clean, "guest-vmxnet3-tx-clean", "vmxnet3: taking back one sent frame");
    COST(vmxnet3_rx, "guest-vmxnet3-rx", "vmxnet3: one received frame and its new buffer");
    COST(virtio_tx, "guest-virtio-tx", "virtio-net: descriptors of one frame, up to the doorbell");
    COST(virtio_tx_clean, "guest-virtio-tx-clean", "virtio-net: taking back one sent frame");
    COST(virtio_rx, "guest-virtio-rx", "virtio-net: one received frame and its new buffer");
    COST(dma_map, "guest-dma-map", "Mapping a buffer for the device: address, table entries");
    COST(dma_unmap, "guest-dma-unmap", "Taking a buffer back, up to the invalidation");
    COST(dma_free, "guest-dma-free", "Giving its device address back after the invalidation");
    COST(netfront_tx, "guest-netfront-tx", "netfront: grant and request of one frame");
    COST(netfront_tx_clean, "guest-netfront-tx-clean", "netfront: taking back one sent frame");
    COST(netfront_rx, "guest-netfront-rx", "netfront: one received frame and its new grant");
    COST(upcall, "guest-event-upcall", "From the event upcall to a channel's handler");
    COST(pmd_tx, "guest-pmd-tx", "Poll-mode driver: one frame into the ring");
    COST(pmd_rx, "guest-pmd-rx", "Poll-mode driver: one frame out of the ring and its new buffer");
    COST(pmd_poll, "guest-pmd-poll", "Poll-mode driver: a look at its rings");
    COST(pmd_stack, "guest-pmd-stack", "A program's own UDP and IP for one datagram");
#undef COST
}

static void net_statistic(IovModelClass *mc, const char *name, size_t offset, const char *text)
{
    iov_model_class_add_stat(mc, &(struct iov_stat){ .name = name,
                                                     .type = IOV_STAT_TYPE_COUNT,
                                                     .offset = (uint16_t)offset,
                                                     .text = text });
}

static void describe_statistics(IovModelClass *mc)
{
    IOV_STAT(mc, IovLinuxGuest, device_interrupts, "Device interrupts taken");
    IOV_STAT(mc, IovLinuxGuest, timer_interrupts, "Timer interrupts taken");
    IOV_STAT(mc, IovLinuxGuest, reschedule_interrupts, "Reschedule interrupts taken");
    IOV_STAT(mc, IovLinuxGuest, spurious_interrupts, "Interrupts nobody had asked for");
    IOV_STAT(mc, IovLinuxGuest, eois, "EOI written to the local APIC");
    IOV_STAT(mc, IovLinuxGuest, eois_avoided, "EOI left out: the paravirtual flag was set");
    IOV_STAT(mc, IovLinuxGuest, apic_accesses, "Accesses to the local APIC");
    IOV_STAT(mc, IovLinuxGuest, ioapic_accesses, "Accesses to the I/O APIC");
    IOV_STAT(mc, IovLinuxGuest, device_accesses, "Accesses to the device's registers");
    IOV_STAT(mc, IovLinuxGuest, kicks, "Notifications of the device");
    IOV_STAT(mc, IovLinuxGuest, kicks_suppressed, "Notifications the device did not want");
    IOV_STAT(mc, IovLinuxGuest, halts, "HLT executed");
    IOV_STAT(mc, IovLinuxGuest, idle_polls, "Rounds of polling in idle");
    IOV_STAT(mc, IovLinuxGuest, timer_writes, "Times the timer was programmed");
    IOV_STAT(mc, IovLinuxGuest, context_switches, "Context switches");
    IOV_STAT(mc, IovLinuxGuest, softirq_rounds, "Rounds of softirqs");
    IOV_STAT(mc, IovLinuxGuest, napi_polls, "Polls of the device");
    net_statistic(mc, "frames-sent", G_STRUCT_OFFSET(IovLinuxGuest, net.sent),
                  "Frames the device has sent");
    net_statistic(mc, "messages-delivered", G_STRUCT_OFFSET(IovLinuxGuest, net.delivered),
                  "Datagrams and echo replies put into the socket");
    net_statistic(mc, "frames-dropped", G_STRUCT_OFFSET(IovLinuxGuest, net.dropped),
                  "Frames lost for want of room in the guest");
    net_statistic(mc, "large-segments", G_STRUCT_OFFSET(IovLinuxGuest, net.large_sent),
                  "Frames that stood for several segments when they left the stack (GSO)");
    net_statistic(mc, "gso-segments", G_STRUCT_OFFSET(IovLinuxGuest, net.cut),
                  "Segments cut by the kernel because the device does not");
    net_statistic(mc, "gro-segments", G_STRUCT_OFFSET(IovLinuxGuest, net.put_together),
                  "Received segments that became part of a large one (GRO)");
    net_statistic(mc, "bad-frames", G_STRUCT_OFFSET(IovLinuxGuest, net.bad_frames),
                  "Received frames that were malformed");
    net_statistic(mc, "foreign-frames", G_STRUCT_OFFSET(IovLinuxGuest, net.foreign_frames),
                  "Received frames for nobody here");
    IOV_STAT(mc, IovLinuxGuest, iommu_accesses, "Accesses to the remapping unit's registers");
    IOV_STAT(mc, IovLinuxGuest, iommu_batches,
             "Batches of invalidations: writes of the queue's tail");
    IOV_STAT(mc, IovLinuxGuest, iommu_flushes, "Of them, of mappings that had been collected");
    IOV_STAT(mc, IovLinuxGuest, dma_maps, "Buffers mapped for the device");
    IOV_STAT(mc, IovLinuxGuest, dma_unmaps, "Buffers taken back");
    IOV_STAT(mc, IovLinuxGuest, device_errors, "Answers of the device that cannot be right");
    IOV_STAT(mc, IovLinuxGuest, faults, "Reasons the guest kernel gave up");
}

static void describe_iommu(IovModelClass *mc)
{
    iov_model_class_add_property(
        mc,
        &(struct iov_property){ .name = "iommu",
                                .type = IOV_VALUE_ENUM,
                                .offset = G_STRUCT_OFFSET(IovLinuxGuest, iommu_mode),
                                .width = sizeof(int),
                                .choices = iommu_names,
                                .text = "Policy for the device's DMA; none: there is no unit" });
    IOV_PROP_COUNT(mc, IovLinuxGuest, iommu_registers, 0, UINT64_MAX, 0xfed90000,
                   "Guest-physical address of the remapping unit");
    IOV_PROP_COUNT(mc, IovLinuxGuest, iommu_flush_entries, 1, 1 << 20, 250,
                   "iommu: deferred: as many pages are invalidated together");
    IOV_PROP_TIME(mc, IovLinuxGuest, iommu_flush_time, IOV_US, IOV_SEC, 10 * IOV_MS,
                  "iommu: deferred: or those of this long");
    IOV_PROP_BOOL(mc, IovLinuxGuest, interrupt_remapping, false,
                  "Interrupts go through the remapping unit");
    IOV_PROP_COUNT(mc, IovLinuxGuest, requester, 0, 0xffff, 0x0008,
                   "Bus, device and function of the device, for the unit's tables");
    IOV_PROP_COUNT(mc, IovLinuxGuest, ioapic_requester, 0, 0xffff, 0xf0f8,
                   "The same of the I/O APIC");
}

/* As ethtool names them. What the device does not offer stays off. */
static void describe_offloads(IovModelClass *mc)
{
    IOV_PROP_BOOL(mc, IovLinuxGuest, tx_checksum, true, "The device sums what is sent");
    IOV_PROP_BOOL(mc, IovLinuxGuest, rx_checksum, true,
                  "What the device says of the sums of received frames is believed");
    IOV_PROP_BOOL(mc, IovLinuxGuest, scatter_gather, true,
                  "The device takes frames in several pieces; needed for tso");
    IOV_PROP_BOOL(mc, IovLinuxGuest, tso, true,
                  "The device cuts large TCP segments; needs tx-checksum, scatter-gather and gso");
    IOV_PROP_BOOL(mc, IovLinuxGuest, gso, true,
                  "TCP makes large segments; cut below the stack if the device does not");
    IOV_PROP_BOOL(mc, IovLinuxGuest, gro, true, "Received segments of a poll are put together");
}

static void iov_linux_guest_class_init(IovLinuxGuestClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = guest_realize;
    mc->unrealize = guest_unrealize;
    iov_model_class_describe(mc, "linux-guest", "A guest kernel with Linux's drivers and habits");
    IOV_PROP_ENUM(mc, IovLinuxGuest, driver, driver_names, 0, "Driver of the network device");
    IOV_PROP_COUNT(mc, IovLinuxGuest, registers, 0, UINT64_MAX, 0,
                   "Guest-physical address of the device's registers");
    IOV_PROP_COUNT(mc, IovLinuxGuest, ports, 0, 0xffff, 0xc000,
                   "I/O ports of the device, for a reset through them");
    IOV_PROP_COUNT(mc, IovLinuxGuest, msix, 0, UINT64_MAX, 0,
                   "Guest-physical address of the device's MSI-X table");
    IOV_PROP_COUNT(mc, IovLinuxGuest, doorbells, 0, UINT64_MAX, 0,
                   "Guest-physical address of the page with an assignable interface's doorbells "
                   "(driver igbvf); 0: they are among the registers");
    IOV_PROP_STRING(
        mc, IovLinuxGuest, address, "auto",
        "IPv4 address of the guest; auto: 10.0.0.1, of further guests 10.0.1.1, 10.0.1.2 ...");
    IOV_PROP_STRING(mc, IovLinuxGuest, peer_address, IOV_NET_FAR_END_ADDRESS,
                    "Whom it talks to; not the far end's: the guest asks for the station (ARP)");
    IOV_PROP_SIZE_OR(
        mc, IovLinuxGuest, tcp_window, "auto", 4096, 1 << 20, 1 << 17,
        "What a connection offers to take, and sends at most, before it is acknowledged; "
        "auto: the first grows as Linux's does, the second is for the congestion window to say");
    IOV_PROP_COUNT(mc, IovLinuxGuest, gsi, 0, 23, 21, "I/O APIC pin of the device");
    IOV_PROP_COUNT(mc, IovLinuxGuest, ioapic, 0, UINT64_MAX, 0xfec00000,
                   "Guest-physical address of the I/O APIC");
    IOV_PROP_COUNT(mc, IovLinuxGuest, memory_base, 4096, UINT64_MAX / 2, 0x100000,
                   "Guest-physical address of the memory the kernel uses");
    IOV_PROP_SIZE(mc, IovLinuxGuest, memory_size, 4096, UINT64_MAX / 2, 64 * 1024 * 1024,
                  "And how much of it");
    IOV_PROP_ENUM(mc, IovLinuxGuest, apic, apic_names, IOV_GUEST_APIC_AUTO,
                  "How the local APIC is reached; auto: as CPUID offers");
    IOV_PROP_ENUM(mc, IovLinuxGuest, tick, tick_names, IOV_GUEST_TICKLESS, "The timer tick");
    IOV_PROP_COUNT(mc, IovLinuxGuest, hz, 1, 10000, 250, "Ticks a second");
    IOV_PROP_ENUM(mc, IovLinuxGuest, idle, idle_names, IOV_GUEST_IDLE_HALT,
                  "What an idle processor does");
    IOV_PROP_COUNT(mc, IovLinuxGuest, interrupt_throttle_rate, 0, 100000, 3,
                   "e1000, igb: interrupts a second; 0: no limit, 1: adapts to the load, 3: that, "
                   "conservatively");
    IOV_PROP_TIME(mc, IovLinuxGuest, haltpoll, 0, IOV_SEC, 200 * IOV_US,
                  "Longest polling before HLT with idle: haltpoll");
    IOV_PROP_BOOL(mc, IovLinuxGuest, cpuidle, true,
                  "A driver of cpuidle, so a governor that expects a sleep before the tick stops");
    IOV_PROP_TIME(mc, IovLinuxGuest, sched_latency, 10 * IOV_US, IOV_SEC, IOV_FAIR_LATENCY,
                  "Task and ksoftirqd share this out between them; like the next two it grows by "
                  "one for each doubling of the processors, up to eight");
    IOV_PROP_TIME(mc, IovLinuxGuest, sched_min_granularity, 10 * IOV_US, IOV_SEC,
                  IOV_FAIR_MIN_GRANULARITY, "Least turn of one while the other waits");
    IOV_PROP_TIME(mc, IovLinuxGuest, sched_wakeup_granularity, 0, IOV_SEC,
                  IOV_FAIR_WAKEUP_GRANULARITY,
                  "Who is woken preempts the other if that has run this much longer");
    IOV_PROP_BOOL(mc, IovLinuxGuest, paravirtual_eoi, true,
                  "Use KVM's paravirtual EOI if it is offered");
    IOV_PROP_COUNT(mc, IovLinuxGuest, interrupt_cpu, 0, IOV_GUEST_CPUS - 1, 0,
                   "Processor that takes device interrupts, the first one of several");
    IOV_PROP_COUNT(
        mc, IovLinuxGuest, queues, 0, IOV_GUEST_QUEUES, 0,
        "Queue pairs that the driver uses at most, one a processor; 0: as many as the device has");
    IOV_PROP_ENUM(mc, IovLinuxGuest, irq_affinity, affinity_names, IOV_GUEST_SPREAD,
                  "Processors of the queues' interrupts: spread: those that use the queue, counted "
                  "from interrupt-cpu; pinned: that one takes all");
    IOV_PROP_COUNT_LIST(mc, IovLinuxGuest, irq_cpus, 0, IOV_GUEST_CPUS - 1,
                        "Processor of each queue's interrupts in turn, in place of irq-affinity");
    IOV_PROP_BOOL(mc, IovLinuxGuest, rss_udp, false,
                  "igb: ports of UDP count in the adapter's hash, as ethtool's rx-flow-hash udp4 "
                  "sdfn has it");
    IOV_PROP_FREQUENCY(mc, IovLinuxGuest, apic_timer, 1000000, 10000000000, 1000000000,
                       "Input of the APIC timer, where there is no TSC deadline");
    describe_iommu(mc);
    describe_offloads(mc);
    IOV_PROP_REF(mc, IovLinuxGuest, workload, "workload", false, "What the guest does");
    describe_costs(mc);
    IOV_PORT_CONTRACT(mc, IovLinuxGuest, program, IOV_PORT_PROGRAM,
                      "The kernel, for the virtual processors");
    IOV_PORT_NOTIFY_SOURCE(mc, IovLinuxGuest, published,
                           "A driver gave its device buffers without telling: for one that polls");
    IOV_PORT_NOTIFY_SINK(mc, IovLinuxGuest, changed, &changed_ops,
                         "A device without interrupts did something: for a driver that polls");
    describe_statistics(mc);
}

static void iov_linux_guest_init(IovLinuxGuest *self)
{
    self->program.ops = &program_ops;
    self->next_vector = IOV_GUEST_VECTOR_DEVICE;
}
