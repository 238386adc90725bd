/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000's EEPROM (a 93C46 behind four pins of EECD, or read by EERD) and its PHY (M88E1000,
 * reached through MDIC).
 * LIMIT: the EEPROM is read only; an MDIC access is ready at once; the PHY knows one result, 1000
 * Mb/s full duplex; an MDIC register that is not listed keeps what is written to it.
 */
#include "models/nic/e1000-private.h"

/* ---- EEPROM ---- */

/* Words from 3 on, as a board for this part has them. SPEC: 5.6. */
static const uint16_t eeprom_words[E1000_EEPROM_CHECKSUM] = {
    [0x04] = 0xffff,                                    /* no SerDes */
    [0x08] = 0x3000,          [0x09] = 0x1000,          /* assembly number */
    [0x0a] = 0x6403,                                    /* initialization control 1 */
    [0x0b] = E1000_DEVICE_ID, [0x0c] = E1000_VENDOR_ID, /* subsystem */
    [0x0d] = E1000_DEVICE_ID, [0x0e] = E1000_VENDOR_ID, /* device */
    [0x0f] = 0x3040,                                    /* initialization control 2 */
    [0x10] = 0x0008,          [0x11] = 0x2000,          [0x12] = 0x7e14,
    [0x13] = 0x0048, /* software pins, PHY, D0/D3 power */
    [0x14] = 0x1000,          [0x15] = 0x00d8,          [0x17] = 0x2700,
    [0x18] = 0x6cc9,          [0x19] = 0x3150,          [0x1a] = 0x0722,
    [0x1b] = 0x040b,          [0x1c] = 0x0984,          [0x1e] = 0xc000,
    [0x1f] = 0x0706,          [0x20] = 0x1008,          [0x22] = 0x0f04,
    [0x23] = 0x7fff,          [0x24] = 0x4d01, /* management, initialization control 3 */
    [0x25] = 0xffff,          [0x26] = 0xffff,          [0x27] = 0xffff,
    [0x28] = 0xffff,          [0x29] = 0xffff,          [0x2a] = 0xffff,
    [0x2b] = 0xffff,          [0x2c] = 0xffff,          [0x2d] = 0xffff,
    [0x2e] = 0xffff,          [0x2f] = 0xffff,          [0x30] = 0x0100,
    [0x31] = 0x4000,          [0x32] = 0x121c, /* boot agent */
    [0x33] = 0xffff,          [0x34] = 0xffff,          [0x35] = 0xffff,
    [0x36] = 0xffff,          [0x37] = 0xffff,          [0x38] = 0xffff,
    [0x39] = 0xffff,          [0x3a] = 0xffff,          [0x3b] = 0xffff,
    [0x3c] = 0xffff,          [0x3d] = 0xffff,          [0x3e] = 0xffff,
};

void e1000_eeprom_init(IovE1000 *self)
{
    uint16_t sum = 0;

    memcpy(self->eeprom, eeprom_words, sizeof eeprom_words);
    self->eeprom[0x0b] = self->eeprom[0x0d] = self->variant->device_id;
    for (unsigned i = 0; i < 3; i++)
        self->eeprom[i] = (uint16_t)(self->address[2 * i] | self->address[2 * i + 1] << 8);
    for (unsigned i = 0; i < E1000_EEPROM_CHECKSUM; i++)
        sum = (uint16_t)(sum + self->eeprom[i]);
    self->eeprom[E1000_EEPROM_CHECKSUM] = (uint16_t)(E1000_EEPROM_SUM - sum);
}

uint32_t e1000_eecd_read(const IovE1000 *self)
{
    uint32_t value = self->eecd | E1000_EECD_PRES | E1000_EECD_GNT;
    uint16_t word = self->eeprom[self->eeprom_out >> 4 & (E1000_EEPROM_WORDS - 1)];

    /* The data pin floats high while no word is shifted out, most significant bit first. */
    if (!self->eeprom_reading || word >> (15 - (self->eeprom_out & 15)) & 1)
        value |= E1000_EECD_DO;
    return value;
}

/* SPEC: 93C46: select, then start bit, two bits of opcode and six of address on rising clocks. */
void e1000_eecd_write(IovE1000 *self, uint32_t value)
{
    uint32_t before = self->eecd;

    self->eecd =
        value & (E1000_EECD_SK | E1000_EECD_CS | E1000_EECD_DI | E1000_EECD_FWE | E1000_EECD_REQ);
    if (!(value & E1000_EECD_CS))
        return;
    if (!(before & E1000_EECD_CS)) {
        self->eeprom_in = 0;
        self->eeprom_bits = 0;
        self->eeprom_out = 0;
        self->eeprom_reading = false;
    }
    if (value & ~before & E1000_EECD_SK) {
        self->eeprom_in = self->eeprom_in << 1 | (value & E1000_EECD_DI ? 1 : 0);
        if (++self->eeprom_bits == 9 && self->eeprom_in >> 6 == E1000_EEPROM_READ) {
            self->eeprom_reading = true;
            /* The clock falls before the first bit. */
            self->eeprom_out = (self->eeprom_in & 0x3f) * 16 - 1;
        }
    } else if (~value & before & E1000_EECD_SK) {
        self->eeprom_out++;
    }
}

void e1000_eerd_write(IovE1000 *self, uint32_t value)
{
    uint32_t address = value >> E1000_EERD_ADDRESS_SHIFT & 0xff;

    self->eerd = value & (E1000_EERD_START | 0xffu << E1000_EERD_ADDRESS_SHIFT);
    if (!(value & E1000_EERD_START))
        return;
    self->eerd |= E1000_EERD_DONE;
    if (address < E1000_EEPROM_WORDS)
        self->eerd |= (uint32_t)self->eeprom[address] << E1000_EERD_DATA_SHIFT;
}

/* ---- PHY ---- */

static void link_set(IovE1000 *self, bool up)
{
    bool was_up = self->status & E1000_STATUS_LU;

    if (up) {
        self->status |= E1000_STATUS_LU;
        self->phy[E1000_PHY_STATUS] |= E1000_PHY_STATUS_LINK | E1000_PHY_STATUS_AUTONEG_DONE;
        self->phy[E1000_PHY_M88_STATUS] |= E1000_PHY_M88_STATUS_LINK;
        /* Acknowledged: 10 and 100 Mb/s, both duplex modes. */
        self->phy[E1000_PHY_PARTNER] = 0x41e0;
        /* Both receivers fine, partner does 1000BASE-T full duplex. */
        self->phy[E1000_PHY_1000T_STATUS] = 0x3c00;
    } else {
        self->status &= ~E1000_STATUS_LU;
        self->phy[E1000_PHY_STATUS] &=
            (uint16_t) ~(E1000_PHY_STATUS_LINK | E1000_PHY_STATUS_AUTONEG_DONE);
        self->phy[E1000_PHY_M88_STATUS] &= (uint16_t)~E1000_PHY_M88_STATUS_LINK;
    }
    if (up != was_up)
        e1000_irq_raise(self, E1000_ICR_LSC);
}

void e1000_on_link_up(struct iov_event *event)
{
    link_set(iov_container_of(event, IovE1000, link_up), true);
}

static void negotiate(IovE1000 *self)
{
    link_set(self, false);
    iov_event_disarm(&self->link_up);
    iov_event_in(&self->link_up, self->negotiation);
}

static void phy_defaults(IovE1000 *self)
{
    memset(self->phy, 0, sizeof self->phy);
    self->phy[E1000_PHY_CONTROL] = 0x1140; /* negotiate; 1000 Mb/s, full duplex */
    self->phy[E1000_PHY_STATUS] = 0x7949;  /* what it can do */
    self->phy[E1000_PHY_ID1] = 0x0141;     /* Marvell */
    self->phy[E1000_PHY_ID2] = self->variant->phy_id;
    self->phy[E1000_PHY_ADVERTISE] = 0x0de1;       /* 10 and 100 Mb/s, pause */
    self->phy[E1000_PHY_EXPANSION] = 0x0001;       /* the partner negotiates */
    self->phy[E1000_PHY_1000T_CONTROL] = 0x0e00;   /* advertises 1000 Mb/s */
    self->phy[E1000_PHY_EXTENDED_STATUS] = 0x3000; /* 1000BASE-T, both duplex modes */
    self->phy[E1000_PHY_M88_CONTROL] = 0x0360;
    self->phy[E1000_PHY_M88_STATUS] = 0xac00; /* 1000 Mb/s, full duplex, resolved, link */
    self->phy[E1000_PHY_M88_EXT_CONTROL] = 0x0d60;
}

void e1000_phy_reset(IovE1000 *self)
{
    phy_defaults(self);
    iov_event_disarm(&self->link_up);
    link_set(self, true);
}

static bool phy_read_only(unsigned reg)
{
    return reg == E1000_PHY_STATUS || reg == E1000_PHY_ID1 || reg == E1000_PHY_ID2 ||
           reg == E1000_PHY_PARTNER || reg == E1000_PHY_EXPANSION ||
           reg == E1000_PHY_1000T_STATUS || reg == E1000_PHY_EXTENDED_STATUS ||
           reg == E1000_PHY_M88_STATUS || reg == E1000_PHY_M88_RX_ERRORS;
}

static void phy_write(IovE1000 *self, unsigned reg, uint16_t value)
{
    if (phy_read_only(reg))
        return;
    if (reg != E1000_PHY_CONTROL) {
        self->phy[reg] = value;
        return;
    }
    if (value & E1000_PHY_CONTROL_RESET)
        phy_defaults(self);
    else
        self->phy[reg] = value & (uint16_t) ~(E1000_PHY_CONTROL_RESTART | 0x3f);
    if (value & E1000_PHY_CONTROL_RESET ||
        (value & E1000_PHY_CONTROL_RESTART && value & E1000_PHY_CONTROL_AUTONEG))
        negotiate(self);
}

void e1000_mdic_write(IovE1000 *self, uint32_t value)
{
    unsigned reg = value >> E1000_MDIC_REGISTER_SHIFT & 0x1f;

    value &= ~(E1000_MDIC_READY | E1000_MDIC_ERROR);
    if ((value >> E1000_MDIC_PHY_SHIFT & 0x1f) != E1000_PHY_ADDRESS)
        value |= E1000_MDIC_ERROR;
    else if (value & E1000_MDIC_READ)
        value = (value & ~E1000_MDIC_DATA) | self->phy[reg];
    else if (value & E1000_MDIC_WRITE)
        phy_write(self, reg, (uint16_t)value);
    self->mdic = value | E1000_MDIC_READY;
    if (value & E1000_MDIC_INTERRUPT)
        e1000_irq_raise(self, E1000_ICR_MDAC);
}
