/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-server - a program on the host that guests talk to, and the host's network stack between it
 * and the bridge: what netserver or iperf3 on the host costs.
 *
 *   in:   whoever brings the frame to the bridge (a write to the tap, the NIC's softirq) goes on
 *         through IP and TCP or UDP to the socket, and wakes the program
 *   out:  the program's system call goes down to the bridge, and to the tap's queue behind it; what
 *         was written and finds no window goes when an acknowledgement makes room, on the stream
 *         that brings that
 *
 * The kernel answers ARP and pings where they arrive. The code is that of the guest's kernel, and
 * so are the costs (guest-*); wake-ups, switches and sleep are the host's.
 * LIMIT: no listener's backlog, sockets' locks or memory; a frame is handled on the stream that
 * brings it while the program is in the socket, too; under Xen there is no such program.
 */
#include "models/hypervisor/host-server.h"

#include "core/net/answer.h"
#include "core/net/internet.h"
#include "models/guest/linux-regs.h"

G_DEFINE_FINAL_TYPE(IovHostServer, iov_host_server, IOV_TYPE_MODEL)

enum { ECHO, SINK, SOURCE };
enum { UDP, TCP };
static const char *const roles[] = { "echo", "sink", "source", NULL };
static const char *const protocols[] = { "udp", "tcp", NULL };

static iov_time now(const IovHostServer *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Time ---- */

void iov_host_server_charge(struct iov_exec *exec, iov_time cost)
{
    if (exec != NULL)
        iov_exec_compute(exec, cost, IOV_PART_HOST);
}

void iov_host_server_work(struct iov_host_server_task *task, iov_time cost)
{
    iov_thread_compute(task->thread, cost, IOV_PART_PEER);
}

void iov_host_server_copy(struct iov_host_server_task *task, uint32_t size)
{
    iov_measure_copy(task->server->measure, size);
    iov_thread_compute(task->thread, task->server->costs.copy * size / 1024, IOV_PART_COPY);
}

iov_time iov_host_server_sum(const IovHostServer *self, const struct iov_packet *packet,
                             uint32_t size)
{
    bool known = packet->flags & (IOV_PACKET_NEEDS_CHECKSUM | IOV_PACKET_CHECKSUM_GOOD);

    return known ? 0 : self->costs.checksum * size / 1024;
}

/* ---- Waiting ---- */

void iov_host_server_wake(struct iov_host_server_task *task, struct iov_exec *exec,
                          struct iov_span *span)
{
    if (task->waits_for == NULL || !task->waits_for(task)) {
        iov_span_claim(span, task->server, IOV_PART_HOST, now(task->server));
        return;
    }
    task->waits_for = NULL;
    iov_thread_wake(exec, task->thread, span);
}

void iov_host_server_wait(struct iov_host_server_task *task,
                          bool (*ready)(const struct iov_host_server_task *task))
{
    while (!ready(task)) {
        iov_host_server_work(task, task->server->costs.socket_block);
        if (ready(task))
            break;
        task->waits_for = ready;
        iov_thread_block(task->thread);
        task->waits_for = NULL;
    }
}

void iov_host_server_take_up(struct iov_host_server_task *task, struct iov_span *span)
{
    iov_span_claim(span, task->thread->exec.holder, IOV_PART_QUEUE, now(task->server));
    task->thread->exec.span = span;
}

/* ---- Frames ---- */

bool iov_host_server_answers(const IovHostServer *self)
{
    return self->role == ECHO;
}

void iov_host_server_send(IovHostServer *self, struct iov_exec *exec, struct iov_packet *packet,
                          iov_time owed)
{
    self->sent_frames++;
    iov_bridge_send(self->bridge, &self->port, exec, packet, owed);
}

/* The task whose socket a datagram's port belongs to, or NULL. */
static struct iov_host_server_task *task_of(IovHostServer *self, uint16_t port)
{
    unsigned first = port < IOV_NET_PORT_DISCARD ? IOV_NET_PORT_ECHO : IOV_NET_PORT_DISCARD;

    return port >= first ? &self->tasks[(port - first) % self->flows] : NULL;
}

static bool deliver_datagram(IovHostServer *self, struct iov_exec *exec, struct iov_packet *packet,
                             iov_time owed)
{
    uint32_t length;
    const uint8_t *ip = iov_datagram_in(packet, &length);
    struct iov_host_server_task *task =
        ip != NULL ? task_of(self, iov_net_get16(ip + IPV4_HEADER + UDP_DESTINATION)) : NULL;

    if (task == NULL)
        return false;
    packet->payload = length - UDP_HEADER;
    iov_host_server_charge(exec, owed + self->costs.udp_rx +
                                     iov_host_server_sum(self, packet, packet->payload));
    if (task->received.count >= LINUX_RECEIVE_DATAGRAMS) {
        iov_measure_drop(self->measure, &self->drops, packet);
        return true;
    }
    iov_packet_queue_push(&task->received, packet);
    iov_host_server_wake(task, exec, packet->span);
    return true;
}

static bool is_for_host(const IovHostServer *self, const struct iov_packet *packet)
{
    return memcmp(packet->data + ETHERNET_DESTINATION, self->own.mac, ETHERNET_ADDRESS) == 0;
}

/* From the bridge. LIMIT: a question for the address costs what a datagram and its answer do. */
static void port_deliver(struct iov_switch_port *port, struct iov_exec *exec,
                         struct iov_packet *packet, iov_time owed)
{
    IovHostServer *self = iov_container_of(port, IovHostServer, port);
    const struct iov_host_server_costs *costs = &self->costs;

    self->received_frames++;
    if (iov_answer_arp(packet, &self->own)) {
        iov_host_server_send(self, exec, packet, owed + costs->udp_rx + costs->udp_tx);
        return;
    }
    if (is_for_host(self, packet)) {
        if (iov_answer_ping(packet)) {
            iov_host_server_send(self, exec, packet, owed + costs->icmp_rx + costs->icmp_tx);
            return;
        }
        if (self->protocol == TCP ? iov_host_server_tcp_deliver(self, exec, packet, owed)
                                  : deliver_datagram(self, exec, packet, owed))
            return;
    }
    self->ignored++;
    iov_host_server_charge(exec, owed);
    iov_packet_drop(packet);
}

/* ---- The program ---- */

static bool has_message(const struct iov_host_server_task *task)
{
    return task->received.first != NULL;
}

static struct iov_packet *receive_datagram(struct iov_host_server_task *task)
{
    const struct iov_host_server_costs *costs = &task->server->costs;
    struct iov_packet *packet;

    iov_host_server_work(task, costs->syscall_entry);
    iov_host_server_wait(task, has_message);
    packet = iov_packet_queue_pop(&task->received);
    iov_host_server_take_up(task, packet->span);
    iov_host_server_work(task, costs->socket_receive);
    iov_host_server_copy(task, packet->payload);
    iov_host_server_work(task, costs->syscall_exit);
    return packet;
}

static void send_datagram(struct iov_host_server_task *task, struct iov_packet *packet)
{
    const struct iov_host_server_costs *costs = &task->server->costs;

    iov_host_server_work(task, costs->syscall_entry);
    iov_host_server_copy(task, packet->payload);
    iov_host_server_send(task->server, &task->thread->exec, packet, costs->udp_tx);
    task->thread->exec.span = NULL;
    iov_host_server_work(task, costs->tx_return + costs->syscall_exit);
}

/* What a sender's operation does not wait for is counted where it arrives. */
static void note_arrival(IovHostServer *self, const struct iov_span *span, uint32_t size)
{
    self->messages++;
    self->bytes += size;
    if (iov_span_ends_when_sent(span))
        iov_measure_arrived(self->measure, span->sequel->guest, size);
}

static bool is_answered(const IovHostServer *self, const struct iov_packet *packet)
{
    const uint8_t *udp = packet->data + ETHERNET_HEADER + IPV4_HEADER;

    return self->role == ECHO && iov_net_get16(udp + UDP_DESTINATION) < IOV_NET_PORT_DISCARD;
}

static void serve_datagrams(struct iov_host_server_task *task)
{
    IovHostServer *self = task->server;

    for (;;) {
        struct iov_packet *packet = receive_datagram(task);

        note_arrival(self, packet->span, packet->payload);
        iov_host_server_work(task, self->costs.application);
        if (is_answered(self, packet) && iov_answer_datagram(packet))
            send_datagram(task, packet);
        else
            iov_packet_drop(packet);
        task->thread->exec.span = NULL;
        iov_thread_resched(task->thread);
    }
}

static void serve_connection(struct iov_host_server_task *task)
{
    IovHostServer *self = task->server;
    uint32_t size;

    iov_host_server_tcp_accept(task);
    for (;;) {
        size = iov_host_server_tcp_read(task);
        note_arrival(self, NULL, size);
        iov_host_server_work(task, self->costs.application);
        while (self->role == SOURCE) { /* whoever has asked gets all there is */
            iov_host_server_tcp_write(task, (uint32_t)self->message);
            iov_host_server_work(task, self->costs.application);
            iov_thread_resched(task->thread);
        }
        if (self->role == ECHO)
            iov_host_server_tcp_write(task, size);
        task->thread->exec.span = NULL;
        iov_thread_resched(task->thread);
    }
}

static void task_main(void *argument)
{
    struct iov_host_server_task *task = argument;

    if (task->server->protocol == TCP)
        serve_connection(task);
    else
        serve_datagrams(task);
}

/* ---- Life ---- */

static bool iov_host_server_serves(const IovModel *model, enum iov_service wanted,
                                   const char **ret_property, const char **ret_remedy)
{
    const IovHostServer *self = (const IovHostServer *)(const void *)model;

    *ret_property = "role";
    switch (wanted) {
    case IOV_SERVICE_PING:
        return true;
    case IOV_SERVICE_ECHO:
        *ret_remedy = "role: echo, protocol: udp";
        return self->protocol == UDP && self->role == ECHO;
    case IOV_SERVICE_TCP:
        *ret_remedy = "role: sink, protocol: tcp";
        return self->protocol == TCP && self->role == SINK;
    case IOV_SERVICE_TCP_ECHO:
        *ret_remedy = "role: echo, protocol: tcp";
        return self->protocol == TCP && self->role == ECHO;
    case IOV_SERVICE_TCP_SOURCE:
        *ret_remedy = "role: source, protocol: tcp";
        return self->protocol == TCP && self->role == SOURCE;
    default: /* it begins nothing */
        *ret_remedy = "the far end's address in place of it as the guest's peer-address";
        return false;
    }
}

static uint64_t iov_host_server_connections(const IovModel *model)
{
    return ((const IovHostServer *)(const void *)model)->flows;
}

static bool check(IovHostServer *self, GError **error)
{
    IovModel *model = &self->parent_instance;

    if (!iov_net_address_choose(self->mac, model->path, IOV_NET_VENDOR_KVM, self->own.mac))
        return iov_model_fail(model, error,
                              "mac: '%s' is neither auto nor an address like 52:54:00:00:00:fe",
                              self->mac);
    if (!iov_net_ipv4_parse(self->address, &self->own.ip))
        return iov_model_fail(model, error, "address: '%s' is not an address like 10.0.0.254",
                              self->address);
    if (self->role == SOURCE && self->protocol == UDP)
        return iov_model_fail(model, error, "role: a source sends over TCP; protocol: tcp");
    if (iov_bridge_is_domains(self->bridge))
        return iov_model_fail(model, error, "bridge: '%s' is a domain's, not the host's",
                              self->bridge_ref->path);
    return true;
}

static bool iov_host_server_realize(IovModel *model, GError **error)
{
    IovHostServer *self = (IovHostServer *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    self->bridge = (IovBridge *)(void *)self->bridge_ref;
    self->own.port = IOV_NET_PORT_ECHO;
    if (!check(self, error) || !iov_model_realize(self->host_ref, error) ||
        !iov_model_realize(self->bridge_ref, error) ||
        !iov_host_has(self->host, &self->cpus, model, "cpus", error))
        return false;
    self->pool = iov_packet_pool_new();
    self->port.deliver = port_deliver;
    self->port.has_address = true;
    memcpy(self->port.address, self->own.mac, ETHERNET_ADDRESS);
    for (unsigned i = 0; i < self->flows; i++) {
        self->tasks[i] = (struct iov_host_server_task){ .server = self };
        iov_host_server_tcp_init(&self->tasks[i]);
    }
    return iov_switch_attach(IOV_SWITCH(self->bridge_ref), &self->port) ||
           iov_model_fail(model, error, "bridge: all ports of '%s' are taken",
                          self->bridge_ref->path);
}

static void iov_host_server_start(IovModel *model)
{
    IovHostServer *self = (IovHostServer *)(void *)model;

    for (unsigned i = 0; i < self->flows; i++) {
        g_autofree char *name =
            self->flows == 1 ? g_strdup(model->path) : g_strdup_printf("%s/%u", model->path, i);

        self->tasks[i].thread = iov_thread_new(
            self->host, name, iov_host_mask(self->host, &self->cpus), task_main, &self->tasks[i]);
    }
}

static void iov_host_server_update_statistics(IovModel *model)
{
    IovHostServer *self = (IovHostServer *)(void *)model;

    self->thread_time = 0;
    for (unsigned i = 0; i < self->flows && self->tasks[i].thread != NULL; i++)
        self->thread_time += iov_thread_cpu_time(self->tasks[i].thread);
}

static void iov_host_server_unrealize(IovModel *model)
{
    IovHostServer *self = (IovHostServer *)(void *)model;

    for (unsigned i = 0; i < self->flows; i++)
        iov_host_server_tcp_finish(&self->tasks[i]);
    iov_packet_pool_unref(self->pool, model->kernel);
    self->pool = NULL;
}

static void describe_costs(IovModelClass *mc)
{
#define COST(field, name, text) IOV_COST(mc, IovHostServer, costs.field, name, text)
    COST(syscall_entry, "guest-syscall-entry", "Entering the kernel, up to the socket layer");
    COST(syscall_exit, "guest-syscall-exit", "Returning to the program");
    COST(tx_return, "guest-tx-return", "From the tap's queue back to the system call");
    COST(socket_block, "guest-socket-block", "Finding an empty socket and preparing to wait");
    COST(socket_receive, "guest-socket-receive", "Taking what has come from a socket");
    COST(application, "guest-application", "The program between two system calls");
    COST(copy, "guest-copy", "Copying 1 KiB between program and kernel");
    COST(checksum, "guest-checksum", "Summing 1 KiB that no device has summed");
    COST(udp_tx, "guest-udp-tx", "UDP and IP of a datagram, up to the bridge");
    COST(udp_rx, "guest-udp-rx", "A datagram from the bridge to its socket");
    COST(tcp_tx, "guest-tcp-tx", "TCP and IP of a segment, up to the bridge");
    COST(tcp_rx, "guest-tcp-rx", "A segment from the bridge to its socket, or an acknowledgement");
    COST(tcp_ack, "guest-tcp-ack", "Building an acknowledgement");
    COST(icmp_tx, "guest-icmp-tx", "An echo reply, up to the bridge");
    COST(icmp_rx, "guest-icmp-rx", "An echo request from the bridge to its answer");
#undef COST
}

static void iov_host_server_class_init(IovHostServerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "host-server",
                             "A program on the host that guests talk to, through the host's stack");
    IOV_PROP_REF(mc, IovHostServer, host_ref, "linux-host", true, "The host whose program it is");
    IOV_PROP_REF(mc, IovHostServer, bridge_ref, "bridge", true,
                 "The bridge whose own interface has its address");
    IOV_PROP_COUNT_LIST(mc, IovHostServer, cpus, 0, 63,
                        "Host processors of its threads; none: any");
    IOV_PROP_ENUM(mc, IovHostServer, role, roles, ECHO,
                  "echo: sends back what it receives; sink: counts it; source: over TCP, sends as "
                  "much as goes to whoever has sent it a byte");
    IOV_PROP_ENUM(mc, IovHostServer, protocol, protocols, UDP,
                  "tcp: a connection for each of `flows`");
    IOV_PROP_COUNT(mc, IovHostServer, flows, 1, IOV_HOST_SERVER_TASKS, 1,
                   "Threads, each with a connection, or its share of UDP's ports");
    IOV_PROP_SIZE(mc, IovHostServer, message, 1, 1 << 20, 128 << 10,
                  "Of a stream: what it writes at once, and reads at most");
    IOV_PROP_SIZE_OR(mc, IovHostServer, tcp_window, "auto", 4096, 1 << 20, 0,
                     "What a connection offers to take; auto: grows as Linux's does");
    IOV_PROP_STRING(mc, IovHostServer, mac, "auto", "Ethernet address; auto: one of its own");
    IOV_PROP_STRING(mc, IovHostServer, address, "10.0.0.254",
                    "IPv4 address: the guests' `peer-address`");
    describe_costs(mc);
    IOV_STAT(mc, IovHostServer, messages, "Datagrams, or pieces of a stream, received");
    IOV_STAT_BYTES(mc, IovHostServer, bytes, "Of payload received");
    IOV_STAT(mc, IovHostServer, received_frames, "Frames from the bridge");
    IOV_STAT(mc, IovHostServer, sent_frames, "Frames to it");
    IOV_STAT(mc, IovHostServer, ignored, "Of the former, for nobody here");
    IOV_STAT(mc, IovHostServer, drops, "Frames that found a socket full");
    IOV_STAT_TIME(mc, IovHostServer, thread_time, "CPU time of its threads");
    mc->serves = iov_host_server_serves;
    mc->connections = iov_host_server_connections;
    mc->realize = iov_host_server_realize;
    mc->start = iov_host_server_start;
    mc->update_statistics = iov_host_server_update_statistics;
    mc->unrealize = iov_host_server_unrealize;
}

static void iov_host_server_init(IovHostServer *self)
{
    (void)self;
}
