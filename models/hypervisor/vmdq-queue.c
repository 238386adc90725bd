/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmdq-queue - the pair of queues of an 82576 that belongs to one VM, as the network below a back
 * end (vhost-net): the card has sorted the frames, so there is no bridge and no tap; the host
 * copies each frame once, between the queue's buffers and the guest's ring.
 *
 * Out: the back end's thread copies the frame to a buffer, writes descriptor and tail, and takes
 * back what was sent before (no interrupt tells). In: the queue's interrupt on processor irq-cpu
 * raises a softirq, which hands frames to the back end (whose worker copies them) and gives their
 * buffers back; the card has masked the vector, the softirq unmasks it at its end. If it does not
 * come to an end within its budget, the rest is ksoftirqd's, which shares the processor with who
 * else runs there.
 *
 * A request that is done when its frame was sent (iov_span.sequel) is done with the copy: the back
 * end gives the guest its buffers back while the card still reads ours.
 *
 * LIMIT: a received buffer is given back when the frame is handed over, while its copy is paid by
 * the back end; no checksum or segmentation offload; no interrupt throttling, so a rate just below
 * what a processor can take leaves it time for little else.
 */
#include <glib.h>

#include "core/net/ethernet-regs.h"
#include "core/net/segment.h"
#include "core/trace/measure.h"
#include "models/hypervisor/igb-vmdq.h"
#include "models/hypervisor/ksoftirqd.h"
#include "models/nic/igb-regs.h"
#include "models/virtio/virtio-regs.h"

#define RING 256u
#define ROOM 2048u
#define RX_GIVE 16u

struct _IovVmdqQueue {
    IovModel parent_instance;
    /* properties */
    IovModel *card_ref;
    uint64_t vlan, irq_cpu, memory;
    /* costs */
    iov_time transmit_cost, receive_cost, copy_fixed, copy_kib, gso_cost;
    /* ports */
    struct iov_packet_port guest;
    struct iov_mem_initiator device;
    /* state */
    IovIgbVmdq *card;
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_packet_pool *packets;
    unsigned pool;
    iov_hpa tx_ring, rx_ring, tx_buffers, rx_buffers;
    uint32_t tx_use, tx_clean, rx_use, rx_clean;
    struct iov_host_irq irq;
    struct iov_ksoftirqd ksoftirqd;
    uint8_t vector;
    struct iov_event set_up;
    /* statistics */
    uint64_t sent_frames, received_frames, interrupts, handovers, drops;
};

#define IOV_TYPE_VMDQ_QUEUE (iov_vmdq_queue_get_type())
G_DECLARE_FINAL_TYPE(IovVmdqQueue, iov_vmdq_queue, IOV, VMDQ_QUEUE, IovModel)
G_DEFINE_FINAL_TYPE(IovVmdqQueue, iov_vmdq_queue, IOV_TYPE_MODEL)

static iov_time now(const IovVmdqQueue *self)
{
    return iov_now(self->parent_instance.kernel);
}

static uint32_t next_index(uint32_t index)
{
    return (index + 1) % RING;
}

static void drop(IovVmdqQueue *self, struct iov_packet *packet)
{
    iov_measure_drop(self->measure, &self->drops, packet);
}

static void reg_write(const IovVmdqQueue *self, struct iov_exec *exec, uint32_t reg, uint32_t value)
{
    iov_exec_store(exec, iov_igb_vmdq_registers(self->card) + reg, 4, value);
}

/* ---- Out ---- */

static void clean_sent(IovVmdqQueue *self, struct iov_exec *exec)
{
    while (self->tx_clean != self->tx_use) {
        struct igb_tx_descriptor descriptor;

        iov_exec_get(exec, self->tx_ring + self->tx_clean * IGB_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        if (!(descriptor.status & IGB_TXD_DD))
            return;
        self->tx_clean = next_index(self->tx_clean);
    }
}

static iov_time guest_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVmdqQueue *self = iov_container_of(port, IovVmdqQueue, guest);
    struct iov_thread *thread = iov_host_current(self->host);

    if (packet->segment_size != 0) { /* LIMIT: the NIC could cut it, by a context descriptor */
        struct iov_packet_queue pieces = { 0 };

        if (!iov_segment_cut(self->packets, packet, &pieces))
            iov_measure_drop(self->measure, &self->drops, NULL);
        while (pieces.first != NULL) {
            if (thread != NULL)
                iov_thread_compute(thread, self->gso_cost, IOV_PART_HOST);
            guest_receive(port, iov_packet_queue_pop(&pieces));
        }
        return 0;
    }
    iov_segment_sum(packet); /* LIMIT: likewise */
    iov_hpa buffer = self->tx_buffers + self->tx_use * ROOM;
    struct igb_tx_descriptor descriptor = {
        .address = buffer,
        .command = packet->size | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_IFCS | IGB_TXD_EOP |
                   IGB_TXD_RS,
        .status = packet->size << IGB_TXD_PAYLEN_SHIFT,
    };

    if (thread == NULL || packet->size > ROOM) {
        drop(self, packet);
        return 0;
    }
    iov_thread_compute(thread, self->transmit_cost, IOV_PART_HOST);
    clean_sent(self, &thread->exec);
    if (next_index(self->tx_use) == self->tx_clean) {
        drop(self, packet);
        return 0;
    }
    iov_measure_copy(self->measure, packet->size);
    iov_thread_compute(thread, self->copy_fixed + self->copy_kib * packet->size / 1024,
                       IOV_PART_COPY);
    iov_exec_put_payload(&thread->exec, buffer, packet->data, packet->size,
                         iov_span_after_sending(packet->span));
    iov_exec_put(&thread->exec, self->tx_ring + self->tx_use * IGB_DESCRIPTOR_SIZE, &descriptor,
                 sizeof descriptor);
    self->tx_use = next_index(self->tx_use);
    self->sent_frames++;
    iov_packet_free(packet);
    reg_write(self, &thread->exec, IGB_TX_REG(self->pool, IGB_QUEUE_TAIL), self->tx_use);
    return 0;
}

static const struct iov_packet_ops guest_ops = { .receive = guest_receive };

/* ---- In ---- */

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovVmdqQueue *self = iov_container_of(irq, IovVmdqQueue, irq);

    (void)span;
    self->interrupts++;
    iov_host_softirq_raise(exec, &self->ksoftirqd.softirq);
}

static void buffer_give(IovVmdqQueue *self, struct iov_exec *exec)
{
    struct igb_rx_read descriptor = { .packet = self->rx_buffers + self->rx_use * ROOM };

    iov_exec_put(exec, self->rx_ring + self->rx_use * IGB_DESCRIPTOR_SIZE, &descriptor,
                 sizeof descriptor);
    self->rx_use = next_index(self->rx_use);
    if (self->rx_use % RX_GIVE == 0)
        reg_write(self, exec, IGB_RX_REG(self->pool, IGB_QUEUE_TAIL), self->rx_use);
}

static void frame_take(IovVmdqQueue *self, struct iov_exec *exec,
                       const struct igb_rx_done *descriptor)
{
    uint32_t size = MIN(descriptor->length, ROOM);
    struct iov_packet *packet = iov_packet_new(self->packets, size);

    packet->size = size;
    packet->span =
        iov_exec_get_payload(exec, self->rx_buffers + self->rx_clean * ROOM, packet->data, size);
    iov_span_claim(packet->span, exec->holder, IOV_PART_QUEUE, now(self));
    exec->span = packet->span;
    iov_exec_compute(exec, self->receive_cost, IOV_PART_HOST);
    self->received_frames++;
    if (descriptor->status & IGB_RXD_EOP && !(descriptor->status & IGB_RXD_RXE))
        iov_packet_send(&self->guest, packet);
    else
        drop(self, packet);
}

/* The vector is unmasked when fewer than a budget were there. */
static bool receive(struct iov_ksoftirqd *ksoftirqd, struct iov_exec *exec)
{
    IovVmdqQueue *self = iov_container_of(ksoftirqd, IovVmdqQueue, ksoftirqd);
    unsigned frames = 0;

    for (; frames < LINUX_NETDEV_BUDGET; frames++) {
        struct igb_rx_done descriptor;

        iov_exec_get(exec, self->rx_ring + self->rx_clean * IGB_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        if (!(descriptor.status & IGB_RXD_DD) || self->rx_clean == self->rx_use)
            break;
        frame_take(self, exec, &descriptor);
        buffer_give(self, exec);
        self->rx_clean = next_index(self->rx_clean);
    }
    exec->span = NULL;
    if (frames == LINUX_NETDEV_BUDGET)
        return true;
    reg_write(self, exec, IGB_EIMS, 1u << self->pool); /* what came meanwhile is told at once */
    return false;
}

/* ---- Set-up ---- */

static void ring_open(IovVmdqQueue *self, uint32_t base, iov_hpa ring)
{
    iov_igb_vmdq_set(self->card, base + IGB_QUEUE_BAL, (uint32_t)ring);
    iov_igb_vmdq_set(self->card, base + IGB_QUEUE_BAH, (uint32_t)(ring >> 32));
    iov_igb_vmdq_set(self->card, base + IGB_QUEUE_LEN, RING * IGB_DESCRIPTOR_SIZE);
    iov_igb_vmdq_set(self->card, base + IGB_QUEUE_HEAD, 0);
    iov_igb_vmdq_set(self->card, base + IGB_QUEUE_TAIL, 0);
}

/* The guest's address, from its NIC: who has made the VM knows it. */
static void address_read(IovVmdqQueue *self, uint8_t address[6])
{
    for (unsigned i = 0; i < 6; i++) {
        struct iov_mem_req req = { .address = VIRTIO_PCI_REGION_DEVICE + VIRTIO_NET_CONFIG_MAC + i,
                                   .data = &address[i],
                                   .size = 1,
                                   .pasid = IOV_NO_PASID,
                                   .flags = IOV_MEM_DEBUG };

        (void)iov_mem_read_req(&self->device, &req);
    }
}

static void on_set_up(struct iov_event *event)
{
    IovVmdqQueue *self = iov_container_of(event, IovVmdqQueue, set_up);
    uint32_t tx = IGB_TX_REG(self->pool, 0), rx = IGB_RX_REG(self->pool, 0);
    uint8_t address[6] = { 0 };

    address_read(self, address);
    for (uint32_t i = 0; i < RING - 1; i++) {
        iov_igb_vmdq_poke(self->card, self->rx_ring + i * IGB_DESCRIPTOR_SIZE, 8,
                          self->rx_buffers + i * ROOM);
        iov_igb_vmdq_poke(self->card, self->rx_ring + i * IGB_DESCRIPTOR_SIZE + 8, 8, 0);
    }
    ring_open(self, tx, self->tx_ring);
    iov_igb_vmdq_set(self->card, tx + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    ring_open(self, rx, self->rx_ring);
    iov_igb_vmdq_set(self->card, rx + IGB_QUEUE_SRRCTL,
                     ROOM / 1024 | IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT |
                         IGB_SRRCTL_DROP);
    iov_igb_vmdq_set(self->card, rx + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    self->rx_use = RING - 1;
    iov_igb_vmdq_set(self->card, rx + IGB_QUEUE_TAIL, self->rx_use);
    iov_igb_vmdq_open(self->card, self->pool, address, (unsigned)self->vlan,
                      (unsigned)self->irq_cpu, self->vector);
}

/* ---- Life ---- */

static bool iov_vmdq_queue_realize(IovModel *model, GError **error)
{
    IovVmdqQueue *self = (IovVmdqQueue *)(void *)model;

    if (!iov_model_realize(self->card_ref, error))
        return false;
    self->card = (IovIgbVmdq *)(void *)self->card_ref;
    self->host = iov_igb_vmdq_host(self->card);
    self->measure = model->run->measure;
    if (self->irq_cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "irq-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (!iov_igb_vmdq_take(self->card, &self->pool, error))
        return false;
    self->irq.handle = irq_handle;
    iov_ksoftirqd_init(&self->ksoftirqd, receive, &self->handovers);
    if (!iov_host_irq_alloc(self->host, (unsigned)self->irq_cpu, &self->irq, &self->vector))
        return iov_model_fail(model, error, "irq-cpu: no vector is left");
    self->tx_ring = iov_host_claim_memory(self->host, self->memory, 4 * 4096);
    self->rx_ring = self->tx_ring + 2 * 4096;
    self->tx_buffers = iov_host_claim_memory(self->host, self->memory, 2 * RING * ROOM);
    self->rx_buffers = self->tx_buffers + RING * ROOM;
    iov_event_init(&self->set_up, model->kernel, on_set_up, IOV_PRIORITY_DEFAULT);
    return true;
}

/* Behind the card's own set-up, which is due in the first instant. */
static void iov_vmdq_queue_start(IovModel *model)
{
    IovVmdqQueue *self = (IovVmdqQueue *)(void *)model;
    g_autofree char *name = g_strdup_printf("%s/ksoftirqd", model->path);

    iov_ksoftirqd_start(&self->ksoftirqd, self->host, name, (unsigned)self->irq_cpu);
    iov_event_in(&self->set_up, IOV_NS);
}

static void iov_vmdq_queue_unrealize(IovModel *model)
{
    IovVmdqQueue *self = (IovVmdqQueue *)(void *)model;

    if (self->set_up.kernel != NULL)
        iov_event_disarm(&self->set_up);
}

static void iov_vmdq_queue_finalize(GObject *object)
{
    IovVmdqQueue *self = (IovVmdqQueue *)(void *)object;

    iov_packet_pool_unref(self->packets, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_vmdq_queue_parent_class)->finalize(object);
}

static void iov_vmdq_queue_class_init(IovVmdqQueueClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vmdq-queue", "A VM's pair of queues of an 82576, for a back end");
    IOV_PROP_REF(mc, IovVmdqQueue, card_ref, "igb-vmdq", true, "The card's driver");
    IOV_PROP_COUNT(mc, IovVmdqQueue, vlan, 0, 4094, 0,
                   "The VM's VLAN: the card selects by address and VLAN, and puts in and takes out "
                   "tags; 0: untagged frames");
    IOV_PROP_COUNT(mc, IovVmdqQueue, irq_cpu, 0, 63, 0,
                   "Host processor that takes the queue's interrupts");
    IOV_PROP_COUNT(mc, IovVmdqQueue, memory, 0, UINT64_MAX, 0xa0000000,
                   "Host memory of rings and buffers: there, or behind what is taken there");
    IOV_COST(mc, IovVmdqQueue, gso_cost, "host-gso", "Each segment that the kernel cuts");
    IOV_COST(mc, IovVmdqQueue, transmit_cost, "host-nic-transmit", "NIC driver, one frame out");
    IOV_COST(mc, IovVmdqQueue, receive_cost, "host-nic-receive", "NIC driver, one frame in");
    IOV_COST(mc, IovVmdqQueue, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovVmdqQueue, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    IOV_PORT_PACKET_END(mc, IovVmdqQueue, guest, &guest_ops, "The back end: vhost.netdev");
    IOV_PORT_MEM_INITIATOR(mc, IovVmdqQueue, device,
                           "Registers of the guest's virtio NIC, which say its address");
    IOV_STAT(mc, IovVmdqQueue, sent_frames, "Frames to the card");
    IOV_STAT(mc, IovVmdqQueue, received_frames, "Frames from the card");
    IOV_STAT(mc, IovVmdqQueue, interrupts, "Interrupts of the receive queue");
    IOV_STAT(mc, IovVmdqQueue, handovers, "Times that ksoftirqd took over");
    IOV_STAT(mc, IovVmdqQueue, drops, "Frames lost");
    mc->realize = iov_vmdq_queue_realize;
    mc->start = iov_vmdq_queue_start;
    mc->unrealize = iov_vmdq_queue_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_vmdq_queue_finalize;
}

static void iov_vmdq_queue_init(IovVmdqQueue *self)
{
    self->packets = iov_packet_pool_new();
}
