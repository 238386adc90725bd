/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb driver's slow half: reset, filters, MSI-X table, link; the accesses of Linux 6.1's igb
 * for an 82576 with a copper PHY inside, in its order.
 *
 * LIMIT: configuration space is not touched; no wake on LAN, no VLANs, no time stamps, no SR-IOV;
 * the watchdog runs until the link is up and not again.
 */
#include "models/guest/driver-igb-private.h"
#include "models/nic/igb-regs.h"
#include "models/nic/siov-regs.h"

#define EEPROM_TRACK 0x43 /* where newer images have a version */
#define RESET_BEFORE (10 * IOV_MS)
#define RESET_TRIES 10
#define MASTER_TRIES 800
#define MASTER_DELAY (100 * IOV_US)
#define TABLE_WORDS 128
#define RETA_ENTRIES 128u
#define MAX_FRAME 9728
#define FRAME_BUILD 1538 /* what fits into half a page with its frame's head */
#define FLOW_CONTROL_TYPE 0x8808
#define FLOW_CONTROL_HIGH 0x0100
#define FLOW_CONTROL_LOW 0x00c28001
#define FLOW_CONTROL_TIME 0xffff
#define FLOW_CONTROL_XON 0x80000000u
#define VLAN_ETHERTYPE 0x8100
#define COLLISION_DISTANCE 0x0003f000u
#define COLLISION_THRESHOLD 0x000000f0u
#define DTXCTL_VLAN_ADDED 0x8u
#define TIME_INCREMENT 0xb608
#define TIME_INCREMENT_VALUE 0x13e80000 /* 16 ns, 2^-19 ns units */
#define TIME_CAUSES 0xb66c
#define MSIX_ENTRY_SIZE 16
#define MSIX_ADDRESS 0
#define MSIX_DATA 8
#define MSIX_CONTROL 12
#define MSIX_TABLE_ENTRIES 10
#define MASKED_VECTOR 0xef /* what Linux leaves in an entry that is not started */

/* Statistics registers in the order the driver reads them to clear them ... */
static const uint16_t cleared_counters[] = {
    0x4000, 0x4008, 0x4010, 0x4014, 0x4018, 0x401c, 0x4020, 0x4028, 0x4030, 0x4038, 0x4040, 0x4048,
    0x404c, 0x4050, 0x4054, 0x4058, 0x4074, 0x4078, 0x407c, 0x4080, 0x4088, 0x408c, 0x4090, 0x4094,
    0x40a0, 0x40a4, 0x40a8, 0x40ac, 0x40b0, 0x40c0, 0x40c4, 0x40c8, 0x40cc, 0x40d0, 0x40d4, 0x40f0,
    0x40f4, 0x405c, 0x4060, 0x4064, 0x4068, 0x406c, 0x4070, 0x40d8, 0x40dc, 0x40e0, 0x40e4, 0x40e8,
    0x40ec, 0x4004, 0x400c, 0x4034, 0x403c, 0x40f8, 0x40fc, 0x40b4, 0x40b8, 0x40bc, 0x4100, 0x4124,
    0x4104, 0x4108, 0x410c, 0x4110, 0x4118, 0x411c, 0x4120, 0x402c, 0x403c, 0x40fc, 0x4104, 0x4118,
    0x4124, 0x4128, 0x412c, 0x4130, 0x4134, 0x4138,
};
/* ... and to add them up. */
static const uint16_t added_counters[] = {
    0x4000, 0x4074, 0x4088, 0x408c, 0x4078, 0x407c, 0x40ac, 0x405c, 0x4060, 0x4064, 0x4068,
    0x406c, 0x4070, 0x4008, 0x4038, 0x4010, 0x4014, 0x4018, 0x401c, 0x4020, 0x4030, 0x4040,
    0x4048, 0x404c, 0x4050, 0x4054, 0x4058, 0x4080, 0x4090, 0x4094, 0x40a0, 0x40a4, 0x40a8,
    0x40b0, 0x40c4, 0x40cc, 0x40d0, 0x40d8, 0x40dc, 0x40e0, 0x40e4, 0x40e8, 0x40ec, 0x40f0,
    0x40f4, 0x40d4, 0x4028, 0x4004, 0x0018, 0x400c, 0x4034, 0x40f8, 0x40fc, 0x4100, 0x4124,
    0x4104, 0x4108, 0x410c, 0x4110, 0x4118, 0x411c, 0x4120, 0x40bc, 0x40b4, 0x40b8,
};

/* Linux draws a key at boot; this one has published results. */
static const uint32_t rss_key[10] = { 0xda565a6d, 0xc20e5b25, 0x3d256741, 0xb08fa343, 0xcb2bcad0,
                                      0xb4307bae, 0xa32dcb77, 0x0cf23080, 0x3bb7426a, 0xfa01acbe };

/* What an assignable interface has in its page of doorbells is nowhere else. */
uint64_t iov_igb_address(const struct igb_driver *self, uint32_t reg)
{
    uint32_t place = self->doorbells != 0 ? siov_doorbell_of(reg) : SIOV_NOT_FAST;

    return place != SIOV_NOT_FAST ? self->doorbells + place : self->registers + reg;
}

uint32_t iov_igb_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg)
{
    return (uint32_t)iov_guest_read(cpu, iov_igb_address(self, reg), 4);
}

void iov_igb_write(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg, uint32_t value)
{
    iov_guest_write(cpu, iov_igb_address(self, reg), 4, value);
}

void iov_igb_flush(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_read(self, cpu, IGB_STATUS);
}

void iov_igb_write_flushed(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                           uint32_t value)
{
    iov_igb_write(self, cpu, reg, value);
    iov_igb_flush(self, cpu);
}

void iov_igb_set_bits(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                      uint32_t bits)
{
    uint32_t value = iov_igb_read(self, cpu, reg);

    iov_igb_write(self, cpu, reg, value | bits);
}

void iov_igb_clear_bits(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                        uint32_t bits)
{
    uint32_t value = iov_igb_read(self, cpu, reg);

    iov_igb_write(self, cpu, reg, value & ~bits);
}

/* ---- Reset and set-up ---- */

static bool reset_hardware(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t word;

    iov_igb_set_bits(self, cpu, IGB_CTRL, IGB_CTRL_MASTER_DISABLE);
    for (unsigned i = 0; i < MASTER_TRIES; i++) {
        if (!(iov_igb_read(self, cpu, IGB_STATUS) & IGB_STATUS_MASTER))
            break;
        iov_guest_delay(cpu, MASTER_DELAY);
    }
    iov_igb_write(self, cpu, IGB_GCR, iov_igb_read(self, cpu, IGB_GCR));
    iov_igb_write(self, cpu, IGB_LEGACY_IMC, UINT32_MAX);
    iov_igb_write(self, cpu, IGB_RCTL, 0);
    iov_igb_write_flushed(self, cpu, IGB_TCTL, IGB_TCTL_PSP);
    iov_guest_sleep(cpu, RESET_BEFORE);
    iov_igb_set_bits(self, cpu, IGB_CTRL, IGB_CTRL_RST);
    for (unsigned i = 0; i < RESET_TRIES; i++) {
        if (iov_igb_read(self, cpu, IGB_EECD) & IGB_EECD_AUTO_RD)
            break;
        iov_guest_sleep(cpu, IOV_MS);
    }
    if (!(iov_igb_read(self, cpu, IGB_EECD) & IGB_EECD_PRES))
        return false;
    iov_igb_write(self, cpu, IGB_LEGACY_IMC, UINT32_MAX);
    iov_igb_read(self, cpu, IGB_LEGACY_ICR);
    return iov_igb_eeprom_read(self, cpu, IGB_EEPROM_ALTERNATE, &word);
}

void iov_igb_set_address(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t low, high = 0;

    memcpy(&low, self->dev.mac, 4);
    memcpy(&high, self->dev.mac + 4, 2);
    iov_igb_write_flushed(self, cpu, IGB_RAL(0), low);
    iov_igb_write_flushed(self, cpu, IGB_RAH(0), high | IGB_RAH_VALID | 1u << IGB_RAH_POOL_SHIFT);
}

static void init_filters(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    for (uint32_t i = 0; i < TABLE_WORDS; i++)
        iov_igb_write_flushed(self, cpu, IGB_VFTA + 4 * i, 0);
    iov_igb_set_address(self, cpu);
    for (uint32_t i = 1; i < IGB_RA_COUNT; i++) {
        iov_igb_write_flushed(self, cpu, IGB_RAL(i), 0);
        iov_igb_write_flushed(self, cpu, IGB_RAH(i), 0);
    }
    for (uint32_t i = 0; i < TABLE_WORDS; i++)
        iov_igb_write(self, cpu, IGB_MTA + 4 * i, 0);
    for (uint32_t i = 0; i < TABLE_WORDS; i++)
        iov_igb_write(self, cpu, IGB_UTA + 4 * i, 0);
}

static void set_up_link(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t high = ((64u << 10) - (1522 + MAX_FRAME)) & ~0xfu;
    uint16_t word;

    iov_igb_read(self, cpu, IGB_MANC);
    if (!self->flow_control_known)
        self->flow_control_known = iov_igb_eeprom_read(self, cpu, IGB_EEPROM_INIT2, &word);
    uint32_t control = iov_igb_read(self, cpu, IGB_CTRL);

    iov_igb_write(self, cpu, IGB_CTRL,
                  (control | IGB_CTRL_SLU) & ~(IGB_CTRL_FRCSPD | IGB_CTRL_FRCDPX));
    iov_igb_phy_set_up(self, cpu);
    iov_igb_write(self, cpu, IGB_FCT, FLOW_CONTROL_TYPE);
    iov_igb_write(self, cpu, IGB_FCAH, FLOW_CONTROL_HIGH);
    iov_igb_write(self, cpu, IGB_FCAL, FLOW_CONTROL_LOW);
    iov_igb_write(self, cpu, IGB_FCTTV, FLOW_CONTROL_TIME);
    iov_igb_write(self, cpu, IGB_FCRTL, FLOW_CONTROL_XON | (high - 16));
    iov_igb_write(self, cpu, IGB_FCRTH, high);
}

static void power_down_phy(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_read(self, cpu, IGB_MANC); /* does management need the link? */
    iov_igb_read(self, cpu, IGB_MANC); /* is a reset blocked? */
    iov_igb_phy_write(self, cpu, IGB_PHY_CONTROL,
                      iov_igb_phy_read(self, cpu, IGB_PHY_CONTROL) | IGB_PHY_CONTROL_POWER_DOWN);
    iov_guest_sleep(cpu, IOV_MS);
}

static bool reset_adapter(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t word;

    iov_igb_read(self, cpu, IGB_RXPBS);
    if (!reset_hardware(self, cpu))
        return false;
    iov_igb_write(self, cpu, IGB_WUC, 0);
    if (!iov_igb_eeprom_read(self, cpu, IGB_EEPROM_LED, &word))
        return false;
    iov_igb_read(self, cpu, IGB_LEDCTL);
    init_filters(self, cpu);
    set_up_link(self, cpu);
    for (size_t i = 0; i < sizeof cleared_counters / sizeof cleared_counters[0]; i++)
        iov_igb_read(self, cpu, cleared_counters[i]);
    iov_igb_set_address(self, cpu);
    power_down_phy(self, cpu);
    iov_igb_write(self, cpu, IGB_VET, VLAN_ETHERTYPE);
    iov_igb_phy_has_link(self, cpu, 1);
    return true;
}

/* ---- Interrupts ---- */

static uint64_t entry_address(const struct igb_driver *self, unsigned entry)
{
    return self->msix + entry * MSIX_ENTRY_SIZE;
}

static void write_message(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned entry,
                          uint8_t vector)
{
    uint64_t at = entry_address(self, entry), message = iov_guest_msi_address(cpu, vector);

    iov_guest_write(cpu, at + MSIX_ADDRESS, 4, (uint32_t)message);
    iov_guest_write(cpu, at + MSIX_ADDRESS + 4, 4, message >> 32);
    iov_guest_write(cpu, at + MSIX_DATA, 4, vector);
    iov_guest_read(cpu, at + MSIX_DATA, 4);
}

void iov_igb_enable_msix(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned count,
                         unsigned entries)
{
    for (unsigned i = 0; i < count; i++)
        iov_guest_read(cpu, entry_address(self, i) + MSIX_CONTROL, 4);
    for (unsigned i = 0; i < count; i++)
        write_message(self, cpu, i, MASKED_VECTOR);
    for (unsigned i = 0; i < entries; i++)
        iov_guest_write(cpu, entry_address(self, i) + MSIX_CONTROL, 4, 1);
}

void iov_igb_start_vector(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned entry,
                          uint8_t vector)
{
    /* Activation and start-up each write the message. */
    write_message(self, cpu, entry, vector);
    write_message(self, cpu, entry, vector);
    iov_guest_write(cpu, entry_address(self, entry) + MSIX_CONTROL, 4, 0);
}

static void disable_interrupts(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_write(self, cpu, IGB_EIAM, iov_igb_read(self, cpu, IGB_EIAM));
    iov_igb_write(self, cpu, IGB_EIMC, 0);
    iov_igb_write(self, cpu, IGB_EIAC, iov_igb_read(self, cpu, IGB_EIAC));
    iov_igb_write(self, cpu, IGB_LEGACY_IAM, 0);
    iov_igb_write_flushed(self, cpu, IGB_LEGACY_IMC, UINT32_MAX);
}

/* ---- Probe ---- */

/* What the part is: media, EEPROM, PHY. */
static bool identify(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    if (iov_igb_read(self, cpu, IGB_CTRL_EXT) == UINT32_MAX)
        return false; /* nothing answers */
    iov_igb_read(self, cpu, IGB_FWSM);
    iov_igb_read(self, cpu, IGB_EECD);
    iov_igb_clear_bits(self, cpu, IGB_CTRL_EXT, 1u << 25); /* I2C */
    iov_igb_read(self, cpu, IGB_STATUS);
    uint32_t id = (uint32_t)iov_igb_phy_read(self, cpu, IGB_PHY_ID1) << 16;

    iov_guest_delay(cpu, 20 * IOV_US);
    id |= iov_igb_phy_read(self, cpu, IGB_PHY_ID2);
    return (id & ~0xfu) == (IGB_PHY_ID & ~0xfu);
}

static bool read_address(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t word;

    if (!iov_igb_eeprom_read(self, cpu, IGB_EEPROM_ALTERNATE, &word))
        return false;
    uint32_t high = iov_igb_read(self, cpu, IGB_RAH(0));
    uint32_t low = iov_igb_read(self, cpu, IGB_RAL(0));

    memcpy(self->dev.mac, &low, 4);
    memcpy(self->dev.mac + 4, &high, 2);
    return true;
}

static void take_control(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_set_bits(self, cpu, IGB_CTRL_EXT, IGB_CTRL_EXT_DRV_LOAD);
}

bool iov_igb_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = iov_container_of(dev, struct igb_driver, dev);
    uint16_t word;

    if (self->msix == 0 || !identify(self, cpu))
        return false;
    iov_igb_make_rings(self, iov_guest_queue_pairs(self->guest, IGB_RINGS));
    if (self->count > 1) /* their interrupts have addresses */
        iov_guest_wait_processors(cpu);
    iov_igb_enable_msix(self, cpu, 1 + self->count * (self->paired ? 1 : 2), MSIX_TABLE_ENTRIES);
    disable_interrupts(self, cpu);
    iov_igb_read(self, cpu, IGB_STATUS); /* which port it is */
    iov_igb_read(self, cpu, IGB_MANC);
    iov_igb_read(self, cpu, IGB_MANC);
    if (!reset_hardware(self, cpu) || !iov_igb_eeprom_checksum_good(self, cpu) ||
        !read_address(self, cpu))
        return false;
    iov_igb_set_address(self, cpu);
    if (!iov_igb_eeprom_read(self, cpu, EEPROM_TRACK, &word) ||
        !iov_igb_eeprom_read(self, cpu, IGB_EEPROM_VERSION, &word) ||
        !iov_igb_eeprom_read(self, cpu, IGB_EEPROM_INIT3, &word) || !reset_adapter(self, cpu))
        return false;
    take_control(self, cpu);
    iov_igb_write(self, cpu, TIME_INCREMENT, TIME_INCREMENT_VALUE);
    return true;
}

/* ---- Open ---- */

void iov_igb_power_up_link(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_phy_reset(self, cpu);
    iov_igb_phy_write(self, cpu, IGB_PHY_CONTROL,
                      iov_igb_phy_read(self, cpu, IGB_PHY_CONTROL) & ~IGB_PHY_CONTROL_POWER_DOWN);
    set_up_link(self, cpu);
}

static void set_rx_mode(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    for (uint32_t i = TABLE_WORDS; i-- > 0;)
        iov_igb_write(self, cpu, IGB_MTA + 4 * i, 0);
    iov_igb_flush(self, cpu);
    uint32_t control = iov_igb_read(self, cpu, IGB_RCTL) & ~(IGB_RCTL_UPE | IGB_RCTL_MPE);

    iov_igb_write(self, cpu, IGB_RCTL, control | IGB_RCTL_VFE);
    iov_igb_write(self, cpu, IGB_RLPML, FRAME_BUILD);
    uint32_t pool = iov_igb_read(self, cpu, IGB_VMOLR(0)) &
                    ~(IGB_VMOLR_ROPE | IGB_VMOLR_MPME | IGB_VMOLR_ROMPE | IGB_VMOLR_RLPML);

    iov_igb_write(self, cpu, IGB_VMOLR(0), pool | FRAME_BUILD | IGB_VMOLR_LPE);
}

static void set_up_tctl(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_write(self, cpu, IGB_TX_REG(0, IGB_QUEUE_DCTL), 0); /* of the first queue only */
    uint32_t control = iov_igb_read(self, cpu, IGB_TCTL) & ~IGB_TCTL_CT;
    uint32_t collision = iov_igb_read(self, cpu, IGB_TCTL) & ~IGB_TCTL_COLD;

    iov_igb_write_flushed(self, cpu, IGB_TCTL, collision | COLLISION_DISTANCE);
    iov_igb_write(self, cpu, IGB_TCTL,
                  control | IGB_TCTL_PSP | IGB_TCTL_RTLC | COLLISION_THRESHOLD | IGB_TCTL_EN);
}

/* Four entries of the redirection table: each queue has a block of them. */
static uint32_t reta_word(const struct igb_driver *self, uint32_t first)
{
    uint32_t word = 0;

    for (uint32_t i = 0; i < 4; i++)
        word |= (first + i) * self->count / RETA_ENTRIES << (8 * i);
    return word;
}

static void set_up_queues(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t fields = IGB_MRQC_IP4 | IGB_MRQC_TCP4 | IGB_MRQC_IP6 | IGB_MRQC_TCP6 | IGB_MRQC_TCP6EX;

    for (uint32_t i = 0; i < sizeof rss_key / sizeof rss_key[0]; i++)
        iov_igb_write(self, cpu, IGB_RSSRK + 4 * i, rss_key[i]);
    for (uint32_t i = 0; i < RETA_ENTRIES; i += 4)
        iov_igb_write(self, cpu, IGB_RETA + i, reta_word(self, i));
    iov_igb_set_bits(self, cpu, IGB_RXCSUM, IGB_RXCSUM_PCSD | IGB_RXCSUM_CRCOFL);
    iov_igb_set_bits(self, cpu, IGB_DTXCTL, DTXCTL_VLAN_ADDED);
    iov_igb_set_bits(self, cpu, IGB_RPLOLR, 1u << 30);
    iov_igb_clear_bits(self, cpu, IGB_DTXSWC, IGB_DTXSWC_LOOPBACK);
    iov_igb_clear_bits(self, cpu, IGB_VT_CTL, IGB_VT_CTL_REPLICATE);
    iov_igb_write(self, cpu, IGB_MRQC,
                  IGB_MRQC_RSS | fields |
                      (self->guest->rss_udp ? IGB_MRQC_UDP4 | IGB_MRQC_UDP6 : 0));
}

static void set_up_rctl(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t control = iov_igb_read(self, cpu, IGB_RCTL) & ~(IGB_RCTL_SBP | 0x000330c0u);

    iov_igb_write(self, cpu, IGB_RX_REG(0, IGB_QUEUE_DCTL), 0);
    iov_igb_write(self, cpu, IGB_RCTL,
                  control | IGB_RCTL_EN | IGB_RCTL_BAM | IGB_RCTL_SECRC | IGB_RCTL_LPE);
}

void iov_igb_configure(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    take_control(self, cpu);
    set_rx_mode(self, cpu);
    set_up_tctl(self, cpu);
    set_up_queues(self, cpu);
    set_up_rctl(self, cpu);
}

/* ---- Link ---- */

static void force_flow_control(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_set_bits(self, cpu, IGB_CTRL, IGB_CTRL_TFCE | IGB_CTRL_RFCE);
}

static void link_up(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_phy_read(self, cpu, IGB_PHY_LINK_HEALTH); /* was the speed lowered? */
    uint32_t transmit = iov_igb_read(self, cpu, IGB_TCTL) & ~IGB_TCTL_COLD;

    iov_igb_write_flushed(self, cpu, IGB_TCTL, transmit | COLLISION_DISTANCE);
    force_flow_control(self, cpu);
    iov_igb_phy_has_link(self, cpu, 1);
    iov_igb_phy_read(self, cpu, IGB_PHY_ADVERTISE);
    iov_igb_phy_read(self, cpu, IGB_PHY_PARTNER);
    iov_igb_read(self, cpu, IGB_STATUS);
    force_flow_control(self, cpu);
    iov_igb_read(self, cpu, IGB_STATUS); /* speed and duplex */
    iov_igb_read(self, cpu, IGB_CTRL);
    iov_igb_phy_read(self, cpu, IGB_PHY_1000T_STATUS);
    self->gigabit = true;
}

bool iov_igb_check_link(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    bool up = iov_igb_phy_has_link(self, cpu, 1);

    if (up)
        link_up(self, cpu);
    for (size_t i = 0; i < sizeof added_counters / sizeof added_counters[0]; i++)
        iov_igb_read(self, cpu, added_counters[i]);
    for (unsigned i = 0; i < self->count; i++)
        iov_igb_read(self, cpu, IGB_RX + 0x40 * i + IGB_QUEUE_DROPS);
    /* An interrupt of its own sees to it that nothing was left in the rings. */
    iov_igb_write(self, cpu, IGB_EICS,
                  (1u << (1 + self->count * (self->paired ? 1 : 2))) - 1 - (1u << IGB_ENTRY_OTHER));
    return up;
}
