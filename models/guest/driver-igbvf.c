/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igbvf driver: a virtual function of an 82576, with the accesses of Linux 6.1's igbvf. What
 * concerns the whole port it asks of the physical function's driver through the mailbox; its queue
 * pair and its vectors are its own.
 *
 *   transmit:   descriptors, W TDT
 *   tx interrupt: W EITR if the load has changed; sent frames are taken back here; W EIMS
 *   rx interrupt: W EITR if the load has changed; then a poll as igb's: W RDT, W EIMS
 *
 * igbvf-pmd is the same function under a poll-mode driver, as DPDK's: no vectors, no interrupts; a
 * poll takes what is there and gives buffers back 32 at a time.
 *
 * With `doorbells` the function is an assignable interface: what is touched while frames flow lies
 * in a page of its own, all else, the mailbox included, is emulated by the host's software.
 *
 * LIMIT: throttling follows igb's rule; one queue pair, as Linux's driver has it, of the two that
 * the hardware has; no VLANs, no multicast groups; one look at the link when it opens.
 */
#include <glib.h>

#include "models/guest/driver-igb-private.h"
#include "models/guest/drivers-private.h"
#include "models/nic/igb-regs.h"

enum { ENTRY_TX, ENTRY_RX, ENTRY_MAILBOX, ENTRIES };

#define RESET_TRIES 200
#define RESET_DELAY (5 * IOV_US)
#define MAILBOX_TRIES 2000
#define MAILBOX_DELAY (500 * IOV_US)
#define LINK_TRIES 8
#define LINK_PERIOD (2 * IOV_SEC)
#define ONCE_READ (IGB_V2P_PFSTS | IGB_V2P_PFACK | IGB_V2P_RSTD)
#define FRAME_LONGEST 1522u
#define PMD_BURST 32
#define THRESHOLDS_RX (16u | 8u << 8 | 1u << 16)

static struct igb_driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct igb_driver, dev);
}

/* ---- Mailbox ---- */

/* Is one of `bits` set? Bits that a read clears are remembered until somebody asked for them. */
static bool mailbox_check(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t bits)
{
    uint32_t seen = iov_igb_read(self, cpu, IGB_VF_MBX) | self->mailbox;

    self->mailbox = seen & ONCE_READ & ~bits;
    return seen & bits;
}

static bool mailbox_wait(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t bit)
{
    for (unsigned i = 0; i < MAILBOX_TRIES; i++) {
        if (mailbox_check(self, cpu, bit))
            return true;
        iov_guest_delay(cpu, MAILBOX_DELAY);
    }
    return false;
}

static bool mailbox_lock(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_write(self, cpu, IGB_VF_MBX, IGB_V2P_VFU);
    return mailbox_check(self, cpu, IGB_V2P_VFU);
}

static bool mailbox_send(struct igb_driver *self, struct iov_guest_cpu *cpu, const uint32_t *words,
                         unsigned count)
{
    if (!mailbox_lock(self, cpu))
        return false;
    mailbox_check(self, cpu, IGB_V2P_PFSTS); /* what is older does not count */
    mailbox_check(self, cpu, IGB_V2P_PFACK);
    for (unsigned i = 0; i < count; i++)
        iov_igb_write(self, cpu, IGB_VF_MBMEM + 4 * i, words[i]);
    iov_igb_write(self, cpu, IGB_VF_MBX, IGB_V2P_REQ);
    return mailbox_wait(self, cpu, IGB_V2P_PFACK);
}

static bool mailbox_receive(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t *words,
                            unsigned count)
{
    if (!mailbox_wait(self, cpu, IGB_V2P_PFSTS) || !mailbox_lock(self, cpu))
        return false;
    for (unsigned i = 0; i < count; i++)
        words[i] = iov_igb_read(self, cpu, IGB_VF_MBMEM + 4 * i);
    iov_igb_write(self, cpu, IGB_VF_MBX, IGB_V2P_ACK);
    return true;
}

/* A request of `count` words and an answer of `answer_count`; false if it was refused. */
static bool ask(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t *words, unsigned count,
                unsigned answer_count)
{
    uint32_t kind = words[0] & IGB_MAILBOX_KIND;

    return mailbox_send(self, cpu, words, count) &&
           mailbox_receive(self, cpu, words, answer_count) &&
           (words[0] & ~IGB_MAILBOX_CLEAR) == (kind | IGB_MAILBOX_ACK);
}

/* ---- Probe ---- */

static bool reset(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t control = iov_igb_read(self, cpu, IGB_VF_CTRL);
    uint32_t words[3] = { IGB_MAILBOX_RESET };
    unsigned i = 0;

    if (control == UINT32_MAX)
        return false; /* nothing answers */
    iov_igb_write(self, cpu, IGB_VF_CTRL, control | IGB_CTRL_RST);
    while (mailbox_check(self, cpu, IGB_V2P_RSTD | IGB_V2P_RSTI)) {
        if (++i == RESET_TRIES)
            return false;
        iov_guest_delay(cpu, RESET_DELAY);
    }
    if (!ask(self, cpu, words, 1, 3))
        return false;
    memcpy(self->dev.mac, words + 1, 6);
    return true;
}

static bool igbvf_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = from_dev(dev);

    if (self->msix == 0)
        return false;
    iov_igb_enable_msix(self, cpu, ENTRIES, IGB_VF_VECTORS);
    iov_igb_write(self, cpu, IGB_VF_EIMC, UINT32_MAX);
    iov_igb_write(self, cpu, IGB_VF_EIAC, 0);
    return reset(self, cpu);
}

/* ---- Interrupts ---- */

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = context;

    iov_igb_write_itr(self, cpu, &self->rings[0].tx_vector);
    iov_igb_clean_tx(&self->rings[0], cpu);
    iov_igb_enable_vector(self, cpu, &self->rings[0].tx_vector);
}

static void on_rx(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = context;

    iov_igb_write_itr(self, cpu, &self->rings[0].rx_vector);
    iov_guest_napi_schedule(cpu, &self->rings[0].rx_vector.napi);
}

static void on_mailbox(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = context;

    iov_igb_read(self, cpu, IGB_VF_EICR);
    iov_igb_write(self, cpu, IGB_VF_EIMS, 1u << ENTRY_MAILBOX);
}

static bool request_interrupts(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    static void (*const handlers[ENTRIES])(void *, struct iov_guest_cpu *) = {
        [ENTRY_TX] = on_tx, [ENTRY_RX] = on_rx, [ENTRY_MAILBOX] = on_mailbox
    };
    uint32_t all = (1u << ENTRIES) - 1;
    struct igb_ring *ring = &self->rings[0];

    for (unsigned i = 0; i < ENTRIES; i++) {
        uint8_t vector = iov_guest_request_irq(self->guest, false, handlers[i], self);

        if (vector == 0)
            return false;
        iov_igb_start_vector(self, cpu, i, vector);
    }
    uint32_t row = iov_igb_read(self, cpu, IGB_VF_IVAR);

    row |= (IGB_IVAR_VALID | ENTRY_TX) << 8;
    iov_igb_write(self, cpu, IGB_VF_IVAR, row);
    iov_igb_read(self, cpu, IGB_VF_IVAR);
    iov_igb_write(self, cpu, IGB_VF_IVAR, row | IGB_IVAR_VALID | ENTRY_RX);
    ring->tx_vector.set_itr = ring->rx_vector.set_itr = true;
    iov_igb_write_itr(self, cpu, &ring->tx_vector);
    iov_igb_write_itr(self, cpu, &ring->rx_vector);
    iov_igb_write(self, cpu, IGB_VF_IVAR_MISC, IGB_IVAR_VALID | ENTRY_MAILBOX);
    iov_igb_write(self, cpu, IGB_VF_EIAC, all);
    iov_igb_write(self, cpu, IGB_VF_EIAM, all);
    iov_igb_write(self, cpu, IGB_VF_EIMS, all);
    return true;
}

/* ---- Open ---- */

static void queue_off(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t base)
{
    uint32_t control = iov_igb_read(self, cpu, base + IGB_QUEUE_DCTL);

    iov_igb_write(self, cpu, base + IGB_QUEUE_DCTL, control & ~IGB_DCTL_ENABLE);
    iov_igb_read(self, cpu, IGB_VF_STATUS);
    iov_guest_sleep(cpu, 10 * IOV_MS);
}

static void queue_place(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t base,
                        uint64_t address)
{
    iov_igb_write(self, cpu, base + IGB_QUEUE_LEN, IGB_RING * IGB_DESCRIPTOR_SIZE);
    iov_igb_write(self, cpu, base + IGB_QUEUE_BAL, (uint32_t)address);
    iov_igb_write(self, cpu, base + IGB_QUEUE_BAH, (uint32_t)(address >> 32));
    iov_igb_write(self, cpu, base + IGB_QUEUE_HEAD, 0);
    iov_igb_write(self, cpu, base + IGB_QUEUE_TAIL, 0);
}

static bool configure(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t groups[2] = { IGB_MAILBOX_SET_MULTICAST };
    uint32_t length[2] = { IGB_MAILBOX_SET_LENGTH, FRAME_LONGEST };

    if (!ask(self, cpu, groups, 2, 1))
        return false;
    queue_off(self, cpu, IGB_TX_OLD);
    queue_place(self, cpu, IGB_TX_OLD, self->rings[0].tx_device);
    iov_igb_write(self, cpu, IGB_TX_OLD + IGB_QUEUE_DCA,
                  iov_igb_read(self, cpu, IGB_TX_OLD + IGB_QUEUE_DCA));
    iov_igb_write(self, cpu, IGB_TX_OLD + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    iov_igb_write(self, cpu, IGB_RX_OLD + IGB_QUEUE_SRRCTL,
                  IGB_RX_ROOM / 1024 | IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT |
                      IGB_SRRCTL_DROP);
    queue_off(self, cpu, IGB_RX_OLD);
    queue_place(self, cpu, IGB_RX_OLD, self->rings[0].rx_device);
    if (!ask(self, cpu, length, 2, 1))
        return false;
    iov_igb_write(self, cpu, IGB_RX_OLD + IGB_QUEUE_DCTL, THRESHOLDS_RX | IGB_DCTL_ENABLE);
    return true;
}

static bool igbvf_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = from_dev(dev);

    if (!iov_igb_allocate_rings(self, cpu) || !configure(self, cpu) ||
        !request_interrupts(self, cpu))
        return false;
    iov_igb_give_buffers(&self->rings[0], cpu);
    for (unsigned i = 0; i < LINK_TRIES; i++) {
        if (iov_igb_read(self, cpu, IGB_VF_STATUS) & IGB_STATUS_LU) {
            self->gigabit = true;
            return true;
        }
        iov_guest_sleep(cpu, LINK_PERIOD);
    }
    return false;
}

/* ---- The poll-mode driver ---- */

static bool pmd_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    return reset(from_dev(dev), cpu);
}

static bool pmd_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = from_dev(dev);

    if (!iov_igb_allocate_rings(self, cpu) || !configure(self, cpu))
        return false;
    iov_igb_give_buffers(&self->rings[0], cpu);
    return iov_igb_read(self, cpu, IGB_VF_STATUS) & IGB_STATUS_LU;
}

static bool pmd_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                         const struct iov_guest_frame *frame)
{
    iov_igb_clean_tx(&from_dev(dev)->rings[0], cpu);
    iov_guest_work_for(cpu, frame->span);
    return iov_igb_transmit(dev, cpu, frame);
}

static unsigned pmd_poll(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_ring *self = &from_dev(dev)->rings[0];
    uint32_t before = self->tx_clean;

    iov_guest_charge(cpu, cpu->guest->costs.pmd_poll);
    iov_igb_clean_tx(self, cpu);
    unsigned done = iov_igb_clean_rx(self, cpu, PMD_BURST, PMD_BURST);

    iov_guest_napi_deliver(cpu, &self->rx_vector.napi);
    return done + (self->tx_clean != before);
}

/* ---- Life cycle ---- */

static struct iov_guest_netdev *create(struct iov_guest_net *net,
                                       const struct iov_guest_netdev_ops *ops)
{
    struct igb_driver *self = g_new0(struct igb_driver, 1);

    self->dev = (struct iov_guest_netdev){ .ops = ops, .net = net };
    self->guest = net->guest;
    self->registers = self->guest->registers;
    self->msix = self->guest->msix;
    self->doorbells = self->guest->doorbells;
    net->checksum_offload = true;
    iov_igb_make_rings(self, 1);
    self->rings[0].rx_vector.entry = ENTRY_RX;
    self->rings[0].tx_vector.entry = ENTRY_TX;
    return &self->dev;
}

static struct iov_guest_netdev *igbvf_create(struct iov_guest_net *net)
{
    return create(net, &iov_guest_igbvf_ops);
}

static struct iov_guest_netdev *pmd_create(struct iov_guest_net *net)
{
    return create(net, &iov_guest_igbvf_pmd_ops);
}

static void igbvf_destroy(struct iov_guest_netdev *dev)
{
    struct igb_driver *self = from_dev(dev);

    iov_igb_free_rings(self);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_igbvf_ops = {
    .name = "igbvf",
    .create = igbvf_create,
    .destroy = igbvf_destroy,
    .probe = igbvf_probe,
    .open = igbvf_open,
    .transmit = iov_igb_transmit,
};

const struct iov_guest_netdev_ops iov_guest_igbvf_pmd_ops = {
    .name = "igbvf-pmd",
    .create = pmd_create,
    .destroy = igbvf_destroy,
    .probe = pmd_probe,
    .open = pmd_open,
    .transmit = pmd_transmit,
    .poll = pmd_poll,
};
