/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000e driver for an 82574L with three MSI-X vectors, with the accesses of Linux 6.1 where
 * frames move (the rings are driver-e1000.c's):
 *
 *   transmit:            descriptors, W TDT
 *   transmit interrupt:  take back what was sent, W IMS; the adapter has cleared the cause and
 *                        masked the queue by itself
 *   receive interrupt:   W EITR if the load changed; the rest in a poll
 *   poll:                take frames, W RDT whenever the next free buffer is a multiple of 16, W
 *                        IMS
 *   other interrupt:     R ICR, W IMS
 *
 * LIMIT: setting up makes the accesses that the adapter needs in the order of the driver, not every
 * one of them (semaphores, management firmware, power states, statistics and the pages of the PHY
 * are left out); no watchdog after the link is up; no packet split, no RSS.
 */
#include <glib.h>

#include "models/guest/driver-e1000-private.h"
#include "models/guest/drivers-private.h"
#include "models/nic/e1000-regs.h"

enum { VECTOR_RX, VECTOR_TX, VECTOR_OTHER, VECTORS };

#define MSIX_ENTRY 16
#define MSIX_DATA 8
#define MSIX_CONTROL 12
#define RX_BUFFER_WRITE 16
#define EEPROM_WORDS 0x40
#define TX_DELAY 8
#define TX_DELAY_MAX 32
#define TXDCTL_BURST 0x0145011f /* descriptor granularity, write-back in fives */
#define TARC_ENABLE (1u << 10)
#define TIPG_COPPER 0x00602008
#define RESET_BEFORE (10 * IOV_MS)
#define RESET_AFTER (25 * IOV_MS)
#define LINK_POLLS 8
#define LINK_PERIOD (2 * IOV_SEC)
#define VLAN_ETHERTYPE 0x8100
#define QUEUES (E1000_ICR_RXQ0 | E1000_ICR_TXQ0)
#define OTHER_CAUSES \
    (E1000_ICR_OTHER | E1000_ICR_LSC | E1000_ICR_RXO | E1000_ICR_MDAC | E1000_ICR_SRPD | \
     E1000_ICR_ACK | E1000_ICR_MNG)

struct e1000e_driver {
    struct e1000_driver base;
    uint64_t msix;
    bool set_itr; /* the throttle is to be written in the next interrupt */
};

static struct e1000e_driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct e1000e_driver, base.dev);
}

/* ---- Interrupts and poll ---- */

static void on_rx(void *context, struct iov_guest_cpu *cpu)
{
    struct e1000e_driver *self = context;
    struct e1000_driver *base = &self->base;

    if (self->set_itr) {
        iov_e1000_write(base, cpu, E1000_EITR(VECTOR_RX),
                        iov_e1000_throttle(base->interrupts_per_second));
        self->set_itr = false;
    }
    if (!iov_guest_napi_schedule(cpu, &base->napi))
        return;
    base->tx_total = (struct e1000_totals){ 0 };
    base->rx_total = (struct e1000_totals){ 0 };
}

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct e1000e_driver *self = context;

    self->base.tx_total = (struct e1000_totals){ 0 };
    iov_e1000_clean_tx(&self->base, cpu);
    iov_e1000_write(&self->base, cpu, E1000_IMS, E1000_ICR_TXQ0);
}

/* Reading has taken the queues' causes as well: they are set again. */
static void on_other(void *context, struct iov_guest_cpu *cpu)
{
    struct e1000e_driver *self = context;
    uint32_t causes = iov_e1000_read(&self->base, cpu, E1000_ICR);

    if (causes & QUEUES)
        iov_e1000_write(&self->base, cpu, E1000_ICS, causes & QUEUES);
    iov_e1000_write(&self->base, cpu, E1000_IMS, OTHER_CAUSES);
}

static unsigned e1000e_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct e1000e_driver *self = iov_container_of(napi, struct e1000e_driver, base.napi);
    unsigned done = iov_e1000_clean_rx(&self->base, cpu, budget);

    if (done >= budget)
        return budget;
    if (iov_guest_napi_complete(cpu, napi)) {
        if (iov_e1000_is_dynamic(&self->base) && iov_e1000_next_rate(&self->base) != 0)
            self->set_itr = true;
        iov_e1000_write(&self->base, cpu, E1000_IMS, E1000_ICR_RXQ0);
    }
    return done;
}

/* ---- Probe ---- */

static void reset_hardware(struct e1000_driver *base, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(base, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_write(base, cpu, E1000_RCTL, 0);
    iov_e1000_write(base, cpu, E1000_TCTL, E1000_TCTL_PSP);
    iov_e1000_flush(base, cpu);
    iov_guest_sleep(cpu, RESET_BEFORE);
    iov_e1000_write(base, cpu, E1000_CTRL, iov_e1000_read(base, cpu, E1000_CTRL) | E1000_CTRL_RST);
    iov_guest_sleep(cpu, RESET_AFTER);
    iov_e1000_write(base, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_read(base, cpu, E1000_ICR);
}

static uint16_t eeprom_read(struct e1000_driver *base, struct iov_guest_cpu *cpu, uint32_t word)
{
    uint32_t value;

    iov_e1000_write(base, cpu, E1000_EERD,
                    word << E1000_82574_EERD_ADDRESS_SHIFT | E1000_EERD_START);
    value = iov_e1000_read(base, cpu, E1000_EERD);
    return value & E1000_82574_EERD_DONE ? (uint16_t)(value >> E1000_EERD_DATA_SHIFT) : 0xffff;
}

static bool e1000e_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct e1000e_driver *self = from_dev(dev);
    struct e1000_driver *base = &self->base;
    uint16_t sum = 0;

    if (self->msix == 0 || iov_e1000_read(base, cpu, E1000_STATUS) == UINT32_MAX)
        return false; /* nothing answers */
    for (unsigned i = 0; i < E1000_82574_VECTORS; i++)
        iov_guest_write(cpu, self->msix + i * MSIX_ENTRY + MSIX_CONTROL, 4, 1);
    reset_hardware(base, cpu);
    for (uint32_t word = 0; word < EEPROM_WORDS; word++)
        sum = (uint16_t)(sum + eeprom_read(base, cpu, word));
    if (sum != E1000_EEPROM_SUM)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t word = eeprom_read(base, cpu, i);

        dev->mac[2 * i] = (uint8_t)word;
        dev->mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    reset_hardware(base, cpu);
    iov_e1000_init_filters(base, cpu);
    uint32_t control = iov_e1000_read(base, cpu, E1000_CTRL);

    iov_e1000_write(base, cpu, E1000_CTRL, control | E1000_CTRL_SLU | E1000_CTRL_VME);
    iov_e1000_write(base, cpu, E1000_VET, VLAN_ETHERTYPE);
    return true;
}

/* ---- Open ---- */

static void configure_tx(struct e1000_driver *base, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(base, cpu, E1000_TDBAL, (uint32_t)base->tx_device);
    iov_e1000_write(base, cpu, E1000_TDBAH, (uint32_t)(base->tx_device >> 32));
    iov_e1000_write(base, cpu, E1000_TDLEN, E1000_RING * E1000_DESCRIPTOR_SIZE);
    iov_e1000_write(base, cpu, E1000_TDH, 0);
    iov_e1000_write(base, cpu, E1000_TDT, 0);
    iov_e1000_write(base, cpu, E1000_TIDV, TX_DELAY);
    iov_e1000_write(base, cpu, E1000_TADV, TX_DELAY_MAX);
    iov_e1000_write(base, cpu, E1000_TXDCTL, TXDCTL_BURST);
    iov_e1000_write(base, cpu, E1000_TIPG, TIPG_COPPER);
    iov_e1000_write(base, cpu, E1000_TARC0, iov_e1000_read(base, cpu, E1000_TARC0) | TARC_ENABLE);
    iov_e1000_write(base, cpu, E1000_TCTL,
                    iov_e1000_read(base, cpu, E1000_TCTL) | E1000_TCTL_PSP | E1000_TCTL_EN);
}

static void configure_rx(struct e1000_driver *base, struct iov_guest_cpu *cpu)
{
    uint32_t filter = iov_e1000_read(base, cpu, E1000_RFCTL);

    iov_e1000_write(base, cpu, E1000_RFCTL, filter | E1000_RFCTL_EXTENDED);
    iov_e1000_write(base, cpu, E1000_RDTR, 0);
    iov_e1000_write(base, cpu, E1000_RADV, 0);
    uint32_t control = iov_e1000_read(base, cpu, E1000_CTRL_EXT);

    iov_e1000_write(base, cpu, E1000_IAM, UINT32_MAX);
    iov_e1000_write(base, cpu, E1000_CTRL_EXT, control | E1000_CTRL_EXT_IAME);
    iov_e1000_flush(base, cpu);
    iov_e1000_write(base, cpu, E1000_RDBAL, (uint32_t)base->rx_device);
    iov_e1000_write(base, cpu, E1000_RDBAH, (uint32_t)(base->rx_device >> 32));
    iov_e1000_write(base, cpu, E1000_RDLEN, E1000_RING * E1000_DESCRIPTOR_SIZE);
    iov_e1000_write(base, cpu, E1000_RDH, 0);
    iov_e1000_write(base, cpu, E1000_RDT, 0);
    iov_e1000_write(base, cpu, E1000_RXCSUM,
                    iov_e1000_read(base, cpu, E1000_RXCSUM) | E1000_RXCSUM_TUOFL);
    iov_e1000_write(base, cpu, E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_SECRC);
}

static bool request_interrupts(struct e1000e_driver *self, struct iov_guest_cpu *cpu)
{
    static void (*const handlers[VECTORS])(void *, struct iov_guest_cpu *) = {
        [VECTOR_RX] = on_rx, [VECTOR_TX] = on_tx, [VECTOR_OTHER] = on_other
    };

    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t at = self->msix + i * MSIX_ENTRY, message;
        uint8_t vector = iov_guest_request_irq(self->base.guest, false, handlers[i], self);

        if (vector == 0)
            return false;
        message = iov_guest_msi_address(cpu, vector);
        iov_guest_write(cpu, at, 4, (uint32_t)message);
        iov_guest_write(cpu, at + 4, 4, message >> 32);
        iov_guest_write(cpu, at + MSIX_DATA, 4, vector);
        iov_guest_write(cpu, at + MSIX_CONTROL, 4, 0);
    }
    return true;
}

static void configure_msix(struct e1000e_driver *self, struct iov_guest_cpu *cpu)
{
    struct e1000_driver *base = &self->base;
    uint32_t rate = base->interrupts_per_second;
    uint32_t interval = rate != 0 ? iov_e1000_throttle(rate) : 1;

    iov_e1000_write(base, cpu, E1000_RFCTL,
                    iov_e1000_read(base, cpu, E1000_RFCTL) | E1000_RFCTL_ACK_DISABLE);
    iov_e1000_write(base, cpu, E1000_EITR(VECTOR_RX), interval);
    iov_e1000_write(base, cpu, E1000_EITR(VECTOR_TX), interval);
    iov_e1000_write(base, cpu, E1000_EITR(VECTOR_OTHER), 1);
    iov_e1000_write(base, cpu, E1000_IVAR,
                    (E1000_IVAR_VALID | VECTOR_RX) << E1000_IVAR_RXQ0 |
                        (E1000_IVAR_VALID | VECTOR_TX) << E1000_IVAR_TXQ0 |
                        (E1000_IVAR_VALID | VECTOR_OTHER) << E1000_IVAR_OTHER |
                        E1000_IVAR_EVERY_WRITEBACK);
    uint32_t control = iov_e1000_read(base, cpu, E1000_CTRL_EXT);

    iov_e1000_write(base, cpu, E1000_CTRL_EXT,
                    control | E1000_CTRL_EXT_EIAME | E1000_CTRL_EXT_PBA_CLR);
    iov_e1000_flush(base, cpu);
    iov_e1000_write(base, cpu, E1000_EIAC, QUEUES);
    iov_e1000_write(base, cpu, E1000_IMS, QUEUES | OTHER_CAUSES);
    iov_e1000_flush(base, cpu);
}

static bool e1000e_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct e1000e_driver *self = from_dev(dev);
    struct e1000_driver *base = &self->base;

    if (!iov_e1000_open_rings(base, cpu))
        return false;
    iov_e1000_power_up_phy(base, cpu);
    iov_e1000_set_rx_mode(base, cpu);
    configure_tx(base, cpu);
    configure_rx(base, cpu);
    iov_e1000_give_buffers(base, cpu);
    if (!request_interrupts(self, cpu))
        return false;
    configure_msix(self, cpu);
    iov_e1000_write(base, cpu, E1000_ICS, E1000_ICR_LSC | E1000_ICR_OTHER);
    for (unsigned i = 0; i < LINK_POLLS; i++) {
        iov_e1000_phy_read(base, cpu, E1000_PHY_STATUS);
        if (iov_e1000_phy_read(base, cpu, E1000_PHY_STATUS) & E1000_PHY_STATUS_LINK) {
            iov_e1000_flush(base, cpu); /* speed and duplex */
            base->gigabit = true;
            return true;
        }
        iov_guest_sleep(cpu, LINK_PERIOD);
    }
    return false;
}

/* ---- Life cycle ---- */

static struct iov_guest_netdev *e1000e_create(struct iov_guest_net *net)
{
    struct e1000e_driver *self = g_new0(struct e1000e_driver, 1);

    self->base.dev.ops = &iov_guest_e1000e_ops;
    iov_e1000_init(&self->base, net);
    self->base.extended = true;
    self->base.rx_write = RX_BUFFER_WRITE;
    self->msix = self->base.guest->msix;
    iov_guest_napi_init(&self->base.napi, &self->base.dev, e1000e_poll);
    return &self->base.dev;
}

static void e1000e_destroy(struct iov_guest_netdev *dev)
{
    struct e1000e_driver *self = from_dev(dev);

    iov_guest_napi_finish(&self->base.napi);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_e1000e_ops = {
    .name = "e1000e",
    .create = e1000e_create,
    .destroy = e1000e_destroy,
    .probe = e1000e_probe,
    .open = e1000e_open,
    .transmit = iov_e1000_transmit,
};
