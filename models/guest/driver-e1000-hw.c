/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000 driver's slow half: reset, EEPROM, PHY, address filters, link. Every access is made in
 * the order of the recorded driver (tests/data/e1000-probe.txt); delays are the driver's own.
 *
 * LIMIT: configuration space is not touched; no wake on LAN, no VLANs; the watchdog runs until the
 * link is up and not again.
 */
#include "models/guest/driver-e1000-private.h"
#include "models/nic/e1000-regs.h"

#define EEPROM_DELAY (50 * IOV_US) /* half a clock of the serial EEPROM */
#define EEPROM_ADDRESS_BITS 6
#define EEPROM_ID_LED 4
#define EEPROM_INIT_CONTROL2 15
#define EEPROM_INIT_CONTROL3 36
#define EEPROM_GRANT_TRIES 1000
#define PHY_READ_DELAY (50 * IOV_US)
#define PHY_WRITE_DELAY (5 * IOV_US)
#define PHY_TRIES 64
#define RESET_BEFORE (20 * IOV_MS)
#define RESET_AFTER (16 * IOV_MS)
#define LINK_TRIES 10
#define LINK_DELAY (10 * IOV_US)
#define MANC_ARP (1u << 13)
#define PACKET_BUFFER_KIB 48
#define RX_ADDRESSES 15
#define TABLE_WORDS 128
#define TXDCTL_FULL_WRITEBACK 0x01010000
#define FLOW_CONTROL_TYPE 0x8808
#define FLOW_CONTROL_HIGH 0x0100
#define FLOW_CONTROL_LOW 0x00c28001
#define FLOW_CONTROL_TIME 0xffff
#define FLOW_CONTROL_XON 0x80000000u
#define FLOW_LOW 0xacc0
#define FLOW_HIGH 0xacc8
#define VLAN_ETHERTYPE 0x8100
#define PHY_M88_ASSERT_CRS 0x0800
#define PHY_M88_AUTO_CROSSOVER 0x0060
#define PHY_M88_DOWNSHIFT 0x0c00
#define PHY_M88_DOWNSHIFT_ONCE 0x0100
#define PHY_M88_CLOCK_25 0x0070
#define TCTL_COLLISION_MASK 0x003ff000u
#define TCTL_COLLISION_FULL 0x0003f000u

/* Statistics registers in the order the driver reads them to clear them ... */
static const uint8_t cleared_counters[] = {
    0x00, 0x08, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x4c, 0x50, 0x54,
    0x58, 0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70, 0x74, 0x78, 0x7c, 0x80, 0x88, 0x8c, 0x90, 0x94,
    0xa0, 0xa4, 0xa8, 0xac, 0xb0, 0xc0, 0xc4, 0xc8, 0xcc, 0xd0, 0xd4, 0xd8, 0xdc, 0xe0, 0xe4,
    0xe8, 0xec, 0xf0, 0xf4, 0x04, 0x0c, 0x34, 0x3c, 0xf8, 0xfc, 0xb4, 0xb8, 0xbc,
};
/* ... and to add them up. */
static const uint8_t added_counters[] = {
    0x00, 0x74, 0x88, 0x8c, 0x78, 0x7c, 0xac, 0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70, 0x08,
    0x10, 0x14, 0x18, 0x1c, 0x20, 0x30, 0x38, 0x40, 0x48, 0x4c, 0x50, 0x54, 0x58, 0x80,
    0x90, 0x94, 0xa0, 0xa4, 0xa8, 0xb0, 0xc0, 0xc8, 0xcc, 0xd0, 0xd8, 0xdc, 0xe0, 0xe4,
    0xe8, 0xec, 0xf0, 0xf4, 0xd4, 0x28, 0x04, 0x0c, 0x34, 0x3c, 0xf8, 0xfc,
};
static const uint8_t management_counters[] = { 0xbc, 0xb4, 0xb8 };

uint32_t iov_e1000_read(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg)
{
    return (uint32_t)iov_guest_read(cpu, self->registers + reg, 4);
}

void iov_e1000_write(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                     uint32_t value)
{
    iov_guest_write(cpu, self->registers + reg, 4, value);
}

void iov_e1000_flush(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_read(self, cpu, E1000_STATUS);
}

/* ---- EEPROM: Microwire, bit by bit (SPEC: 8254x manual, 5.6) ---- */

static void eeprom_settle(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_flush(self, cpu);
    iov_guest_delay(cpu, EEPROM_DELAY);
}

static void eeprom_set(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t *eecd,
                       uint32_t set, uint32_t clear)
{
    *eecd = (*eecd & ~clear) | set;
    iov_e1000_write(self, cpu, E1000_EECD, *eecd);
}

static void eeprom_pulse(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t *eecd)
{
    eeprom_set(self, cpu, eecd, E1000_EECD_SK, 0);
    eeprom_settle(self, cpu);
    eeprom_set(self, cpu, eecd, 0, E1000_EECD_SK);
    eeprom_settle(self, cpu);
}

static void eeprom_shift_out(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t bits,
                             unsigned count)
{
    uint32_t eecd = iov_e1000_read(self, cpu, E1000_EECD) & ~E1000_EECD_DO;

    while (count-- > 0) {
        uint32_t bit = bits >> count & 1 ? E1000_EECD_DI : 0;

        eeprom_set(self, cpu, &eecd, bit, E1000_EECD_DI);
        eeprom_settle(self, cpu);
        eeprom_pulse(self, cpu, &eecd);
    }
    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_DI);
}

static uint16_t eeprom_shift_in(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t eecd = iov_e1000_read(self, cpu, E1000_EECD) & ~(E1000_EECD_DO | E1000_EECD_DI);
    uint16_t data = 0;

    for (unsigned i = 0; i < 16; i++) {
        eeprom_set(self, cpu, &eecd, E1000_EECD_SK, 0);
        eeprom_settle(self, cpu);
        eecd = iov_e1000_read(self, cpu, E1000_EECD) & ~E1000_EECD_DI;
        data = (uint16_t)(data << 1 | (eecd & E1000_EECD_DO ? 1 : 0));
        eeprom_set(self, cpu, &eecd, 0, E1000_EECD_SK);
        eeprom_settle(self, cpu);
    }
    return data;
}

static bool eeprom_acquire(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t eecd = iov_e1000_read(self, cpu, E1000_EECD);

    eeprom_set(self, cpu, &eecd, E1000_EECD_REQ, 0);
    eecd = iov_e1000_read(self, cpu, E1000_EECD);
    for (unsigned i = 0; !(eecd & E1000_EECD_GNT); i++) {
        if (i == EEPROM_GRANT_TRIES)
            return false;
        iov_guest_delay(cpu, 5 * IOV_US);
        eecd = iov_e1000_read(self, cpu, E1000_EECD);
    }
    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_DI | E1000_EECD_SK);
    eeprom_set(self, cpu, &eecd, E1000_EECD_CS, 0);
    return true;
}

static void eeprom_standby(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t eecd = iov_e1000_read(self, cpu, E1000_EECD);

    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_CS | E1000_EECD_SK);
    eeprom_settle(self, cpu);
    eeprom_set(self, cpu, &eecd, E1000_EECD_SK, 0);
    eeprom_settle(self, cpu);
    eeprom_set(self, cpu, &eecd, E1000_EECD_CS, 0);
    eeprom_settle(self, cpu);
    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_SK);
    eeprom_settle(self, cpu);
}

static void eeprom_release(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t eecd = iov_e1000_read(self, cpu, E1000_EECD);

    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_CS | E1000_EECD_DI);
    eeprom_pulse(self, cpu, &eecd);
    eeprom_set(self, cpu, &eecd, 0, E1000_EECD_REQ);
}

static bool eeprom_read(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t word,
                        uint16_t *ret_data)
{
    if (!eeprom_acquire(self, cpu))
        return false;
    eeprom_shift_out(self, cpu, E1000_EEPROM_READ, 3);
    eeprom_shift_out(self, cpu, word, EEPROM_ADDRESS_BITS);
    *ret_data = eeprom_shift_in(self, cpu);
    eeprom_standby(self, cpu);
    eeprom_release(self, cpu);
    return true;
}

static bool eeprom_checksum_good(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t sum = 0;

    for (uint32_t word = 0; word <= E1000_EEPROM_CHECKSUM; word++) {
        uint16_t data;

        if (!eeprom_read(self, cpu, word, &data))
            return false;
        sum = (uint16_t)(sum + data);
    }
    return sum == E1000_EEPROM_SUM;
}

/* ---- PHY ---- */

static bool phy_wait(struct e1000_driver *self, struct iov_guest_cpu *cpu, iov_time delay,
                     uint32_t *ret_mdic)
{
    for (unsigned i = 0; i < PHY_TRIES; i++) {
        iov_guest_delay(cpu, delay);
        *ret_mdic = iov_e1000_read(self, cpu, E1000_MDIC);
        if (*ret_mdic & E1000_MDIC_READY)
            return !(*ret_mdic & E1000_MDIC_ERROR);
    }
    return false;
}

uint16_t iov_e1000_phy_read(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg)
{
    uint32_t mdic;

    iov_e1000_write(self, cpu, E1000_MDIC,
                    E1000_MDIC_READ | reg << E1000_MDIC_REGISTER_SHIFT |
                        E1000_PHY_ADDRESS << E1000_MDIC_PHY_SHIFT);
    return phy_wait(self, cpu, PHY_READ_DELAY, &mdic) ? (uint16_t)mdic : 0xffff;
}

static void phy_write(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                      uint16_t value)
{
    uint32_t mdic;

    iov_e1000_write(self, cpu, E1000_MDIC,
                    E1000_MDIC_WRITE | value | reg << E1000_MDIC_REGISTER_SHIFT |
                        E1000_PHY_ADDRESS << E1000_MDIC_PHY_SHIFT);
    phy_wait(self, cpu, PHY_WRITE_DELAY, &mdic);
}

/* The status latches a lost link: the second read tells the present. */
static uint16_t phy_status(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_phy_read(self, cpu, E1000_PHY_STATUS);
    return iov_e1000_phy_read(self, cpu, E1000_PHY_STATUS);
}

static void set_up_phy(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_phy_read(self, cpu, E1000_PHY_ID1);
    iov_e1000_phy_read(self, cpu, E1000_PHY_ID2);
    uint32_t control = iov_e1000_phy_read(self, cpu, E1000_PHY_M88_CONTROL);

    phy_write(self, cpu, E1000_PHY_M88_CONTROL,
              (uint16_t)((control | PHY_M88_ASSERT_CRS | PHY_M88_AUTO_CROSSOVER) & ~2u));
    uint32_t extended = iov_e1000_phy_read(self, cpu, E1000_PHY_M88_EXT_CONTROL);

    extended &= ~(uint32_t)(PHY_M88_DOWNSHIFT | 0x0300u);
    phy_write(self, cpu, E1000_PHY_M88_EXT_CONTROL,
              (uint16_t)(extended | PHY_M88_DOWNSHIFT_ONCE | PHY_M88_CLOCK_25));
    control = iov_e1000_phy_read(self, cpu, E1000_PHY_CONTROL);
    phy_write(self, cpu, E1000_PHY_CONTROL, (uint16_t)(control | E1000_PHY_CONTROL_RESET));
    uint16_t advertise = iov_e1000_phy_read(self, cpu, E1000_PHY_ADVERTISE);
    uint16_t gigabit = iov_e1000_phy_read(self, cpu, E1000_PHY_1000T_CONTROL);

    phy_write(self, cpu, E1000_PHY_ADVERTISE, advertise);
    phy_write(self, cpu, E1000_PHY_1000T_CONTROL, gigabit);
    control = iov_e1000_phy_read(self, cpu, E1000_PHY_CONTROL);
    phy_write(self, cpu, E1000_PHY_CONTROL,
              (uint16_t)(control | E1000_PHY_CONTROL_AUTONEG | E1000_PHY_CONTROL_RESTART));
    for (unsigned i = 0; i < LINK_TRIES; i++) {
        if (phy_status(self, cpu) & E1000_PHY_STATUS_LINK)
            break;
        iov_guest_delay(cpu, LINK_DELAY);
    }
}

void iov_e1000_power_up_phy(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t control = iov_e1000_phy_read(self, cpu, E1000_PHY_CONTROL);

    phy_write(self, cpu, E1000_PHY_CONTROL, (uint16_t)(control & ~0x0800u));
}

/* ---- Reset and set-up ---- */

static void reset_hardware(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(self, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_write(self, cpu, E1000_RCTL, 0);
    iov_e1000_write(self, cpu, E1000_TCTL, E1000_TCTL_PSP);
    iov_e1000_flush(self, cpu);
    iov_guest_sleep(cpu, RESET_BEFORE);
    uint32_t control = iov_e1000_read(self, cpu, E1000_CTRL) | E1000_CTRL_RST;

    /* The part cannot answer the write that resets it: Linux goes through its I/O ports. */
    if (self->guest->ports != 0) {
        iov_guest_out(cpu, (uint16_t)(self->guest->ports + E1000_IOADDR), 4, E1000_CTRL);
        iov_guest_out(cpu, (uint16_t)(self->guest->ports + E1000_IODATA), 4, control);
    } else {
        iov_e1000_write(self, cpu, E1000_CTRL, control);
    }
    iov_guest_sleep(cpu, RESET_AFTER);
    uint32_t management = iov_e1000_read(self, cpu, E1000_MANC);

    iov_e1000_write(self, cpu, E1000_MANC, management & ~MANC_ARP);
    iov_e1000_write(self, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_read(self, cpu, E1000_ICR);
}

static void write_flushed(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                          uint32_t value)
{
    iov_e1000_write(self, cpu, reg, value);
    iov_e1000_flush(self, cpu);
}

void iov_e1000_init_filters(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t low, high = 0;

    for (unsigned i = 0; i < TABLE_WORDS; i++)
        write_flushed(self, cpu, E1000_VFTA + 4 * i, 0);
    memcpy(&low, self->dev.mac, 4);
    memcpy(&high, self->dev.mac + 4, 2);
    write_flushed(self, cpu, E1000_RAL, low);
    write_flushed(self, cpu, E1000_RAH, high | E1000_RAH_VALID);
    for (unsigned i = 1; i < RX_ADDRESSES; i++) {
        write_flushed(self, cpu, E1000_RAL + 8 * i, 0);
        write_flushed(self, cpu, E1000_RAH + 8 * i, 0);
    }
    for (unsigned i = 0; i < TABLE_WORDS; i++)
        write_flushed(self, cpu, E1000_MTA + 4 * i, 0);
}

static void init_flow_control(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(self, cpu, E1000_FCT, FLOW_CONTROL_TYPE);
    iov_e1000_write(self, cpu, E1000_FCAH, FLOW_CONTROL_HIGH);
    iov_e1000_write(self, cpu, E1000_FCAL, FLOW_CONTROL_LOW);
    iov_e1000_write(self, cpu, E1000_FCTTV, FLOW_CONTROL_TIME);
    iov_e1000_write(self, cpu, E1000_FCRTL, FLOW_CONTROL_XON | FLOW_LOW);
    iov_e1000_write(self, cpu, E1000_FCRTH, FLOW_HIGH);
}

static void read_counters(struct e1000_driver *self, struct iov_guest_cpu *cpu,
                          const uint8_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        iov_e1000_read(self, cpu, E1000_STATISTICS + offsets[i]);
}

static bool reset_adapter(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t word;

    iov_e1000_write(self, cpu, E1000_PBA, PACKET_BUFFER_KIB);
    reset_hardware(self, cpu);
    iov_e1000_write(self, cpu, E1000_WUC, 0);
    iov_e1000_read(self, cpu, E1000_LEDCTL);
    if (!eeprom_read(self, cpu, EEPROM_ID_LED, &word))
        return false;
    iov_e1000_read(self, cpu, E1000_STATUS); /* what bus it is on */
    iov_e1000_write(self, cpu, E1000_VET, 0);
    iov_e1000_init_filters(self, cpu);
    if (!eeprom_read(self, cpu, EEPROM_INIT_CONTROL2, &word))
        return false;
    uint32_t control = iov_e1000_read(self, cpu, E1000_CTRL);

    iov_e1000_write(self, cpu, E1000_CTRL, control | E1000_CTRL_SLU);
    set_up_phy(self, cpu);
    init_flow_control(self, cpu);
    uint32_t txdctl = iov_e1000_read(self, cpu, E1000_TXDCTL);

    iov_e1000_write(self, cpu, E1000_TXDCTL, txdctl | TXDCTL_FULL_WRITEBACK);
    read_counters(self, cpu, cleared_counters, sizeof cleared_counters);
    iov_e1000_write(self, cpu, E1000_VET, VLAN_ETHERTYPE);
    iov_e1000_write(self, cpu, E1000_AIT, 0);
    phy_status(self, cpu);
    return true;
}

static void set_up_vlan(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t control = iov_e1000_read(self, cpu, E1000_CTRL);

    iov_e1000_write(self, cpu, E1000_CTRL, control | E1000_CTRL_VME);
    uint32_t receive = iov_e1000_read(self, cpu, E1000_RCTL);

    iov_e1000_write(self, cpu, E1000_RCTL, receive & ~E1000_RCTL_VFE);
}

bool iov_e1000_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct e1000_driver *self = iov_container_of(dev, struct e1000_driver, dev);
    uint16_t word;

    if (iov_e1000_read(self, cpu, E1000_STATUS) == UINT32_MAX)
        return false; /* nothing answers */
    iov_e1000_read(self, cpu, E1000_STATUS);
    iov_e1000_write(self, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_flush(self, cpu);
    if (!(iov_e1000_read(self, cpu, E1000_EECD) & E1000_EECD_PRES))
        return false;
    reset_hardware(self, cpu);
    if (!eeprom_checksum_good(self, cpu))
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        if (!eeprom_read(self, cpu, i, &word))
            return false;
        dev->mac[2 * i] = (uint8_t)word;
        dev->mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    if (!eeprom_read(self, cpu, EEPROM_INIT_CONTROL3, &word) || !reset_adapter(self, cpu))
        return false;
    set_up_vlan(self, cpu);
    return true;
}

void iov_e1000_set_rx_mode(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    /* All-nodes multicast, as IPv6 joins it on every interface. */
    static const uint32_t group[2] = { 0x00003333, 0x0100 | E1000_RAH_VALID };
    uint32_t receive = iov_e1000_read(self, cpu, E1000_RCTL);

    iov_e1000_write(self, cpu, E1000_RCTL, receive & ~(E1000_RCTL_UPE | E1000_RCTL_MPE));
    for (unsigned i = 1; i < RX_ADDRESSES; i++) {
        write_flushed(self, cpu, E1000_RAL + 8 * i, i == 1 ? group[0] : 0);
        write_flushed(self, cpu, E1000_RAH + 8 * i, i == 1 ? group[1] : 0);
    }
    for (unsigned i = TABLE_WORDS; i-- > 0;)
        iov_e1000_write(self, cpu, E1000_MTA + 4 * i, 0);
    iov_e1000_flush(self, cpu);
}

/* ---- Link ---- */

static void set_up_link(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_phy_read(self, cpu, E1000_PHY_M88_STATUS);
    uint32_t transmit = iov_e1000_read(self, cpu, E1000_TCTL);

    iov_e1000_write(self, cpu, E1000_TCTL, (transmit & ~TCTL_COLLISION_MASK) | TCTL_COLLISION_FULL);
    iov_e1000_flush(self, cpu);
    phy_status(self, cpu);
    iov_e1000_phy_read(self, cpu, E1000_PHY_ADVERTISE);
    iov_e1000_phy_read(self, cpu, E1000_PHY_PARTNER);
    iov_e1000_read(self, cpu, E1000_STATUS); /* speed and duplex */
    uint32_t control = iov_e1000_read(self, cpu, E1000_CTRL);

    iov_e1000_write(self, cpu, E1000_CTRL, (control & ~E1000_CTRL_TFCE) | E1000_CTRL_RFCE);
    iov_e1000_read(self, cpu, E1000_STATUS);
    iov_e1000_read(self, cpu, E1000_CTRL);
    transmit = iov_e1000_read(self, cpu, E1000_TCTL);
    iov_e1000_write(self, cpu, E1000_TCTL, transmit | E1000_TCTL_EN);
    self->gigabit = true;
}

static void update_statistics(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    read_counters(self, cpu, added_counters, sizeof added_counters);
    iov_e1000_phy_read(self, cpu, E1000_PHY_1000T_STATUS);
    iov_e1000_phy_read(self, cpu, E1000_PHY_M88_RX_ERRORS);
    read_counters(self, cpu, management_counters, sizeof management_counters);
}

bool iov_e1000_check_link(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_read(self, cpu, E1000_CTRL);
    iov_e1000_read(self, cpu, E1000_STATUS);
    bool up = (phy_status(self, cpu) & E1000_PHY_STATUS_LINK) != 0;

    if (up) {
        set_up_link(self, cpu);
        update_statistics(self, cpu);
    }
    /* An interrupt of its own sees to it that nothing was left in the receive ring. */
    iov_e1000_write(self, cpu, E1000_ICS, E1000_ICR_RXDMT0);
    return up;
}
