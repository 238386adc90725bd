/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's EEPROM (words through EERD), the semaphores that software and firmware share it by, and
 * the PHY inside (IGP03E1000-class, through MDIC).
 *
 * SPEC: 82576, 3.3.1.4, 6 (EEPROM map), 4.7 (semaphores), 8.2.4 (MDIC); IEEE 802.3, 22.2.4 (PHY
 * registers 0 to 15).
 * LIMIT: the EEPROM is read only and not reached through the pins of EECD; EERD and MDIC are ready
 * at once; there is no firmware that takes a semaphore; the PHY knows one result, 1000 Mb/s full
 * duplex, and has one page; registers that are not listed keep what is written to them.
 */
#include "models/nic/igb-private.h"

/* ---- EEPROM ---- */

/* What a board's image holds besides the address. SPEC: 82576, 6.1. */
static const uint16_t eeprom_words[] = {
    [0x03] = 0x0c0c,
    [0x04] = 0xffff,
    [IGB_EEPROM_VERSION] = 0x1208,
    [0x08] = 0xe64e,
    [0x09] = 0x1500, /* assembly number */
    [0x0a] = 0x040b, /* initialisation control 1 */
    [0x0b] = IGB_DEVICE_ID,
    [0x0c] = IGB_VENDOR_ID, /* subsystem */
    [0x0d] = IGB_DEVICE_ID,
    [0x0e] = IGB_VENDOR_ID,
    [IGB_EEPROM_INIT2] = 0x7243,
    [0x11] = IGB_DEVICE_ID,
    [0x14] = 0x2780,
    [0x16] = IGB_VF_DEVICE_ID,
    [0x18] = 0x5bf8,
    [0x1a] = 0x00a0,
    [0x1c] = 0x10ca,
    [IGB_EEPROM_INIT3] = 0x0000,
    [0x25] = 0xffff,
    [0x26] = 0x00fe,
    [IGB_EEPROM_ALTERNATE] = 0xffff,
};

void igb_eeprom_init(IovIgb *self)
{
    uint16_t sum = 0;

    memset(self->eeprom, 0xff, sizeof self->eeprom);
    memset(self->eeprom, 0, 2 * (IGB_EEPROM_CHECKSUM + 1));
    memcpy(self->eeprom, eeprom_words, sizeof eeprom_words);
    for (unsigned i = 0; i < 3; i++)
        self->eeprom[i] = (uint16_t)(self->address[2 * i] | self->address[2 * i + 1] << 8);
    for (unsigned i = 0; i < IGB_EEPROM_CHECKSUM; i++)
        sum = (uint16_t)(sum + self->eeprom[i]);
    self->eeprom[IGB_EEPROM_CHECKSUM] = (uint16_t)(IGB_EEPROM_SUM - sum);
}

/* SPEC: 82576, 8.2.2: present, read at reset, 1 Ki words (2^(4 + 6)); a request is granted at
 * once. */
uint32_t igb_eecd_read(const IovIgb *self)
{
    uint32_t value = self->eecd;

    return value | IGB_EECD_PRES | IGB_EECD_AUTO_RD | 4u << IGB_EECD_SIZE_SHIFT |
           (value & IGB_EECD_REQ ? IGB_EECD_GNT : 0);
}

void igb_eerd_write(IovIgb *self, uint32_t value)
{
    uint32_t address = value >> IGB_EERD_ADDRESS_SHIFT & 0x3fff;
    uint32_t data = address < IGB_EEPROM_WORDS ? self->eeprom[address] : 0xffff;

    self->eerd = value & (0x3fffu << IGB_EERD_ADDRESS_SHIFT);
    if (value & IGB_EERD_START)
        self->eerd |= IGB_EERD_DONE | data << IGB_EERD_DATA_SHIFT;
}

/* SPEC: 82576, 8.16.1: a read takes SMBI. */
uint32_t igb_swsm_read(IovIgb *self, bool peek)
{
    uint32_t value = self->swsm;

    if (!peek)
        self->swsm |= IGB_SWSM_SMBI;
    return value;
}

/* ---- PHY ---- */

static const uint16_t phy_values[32] = {
    [IGB_PHY_CONTROL] = 0x1140,
    [IGB_PHY_STATUS] = 0x7949, /* without link and negotiation */
    [IGB_PHY_ID1] = IGB_PHY_ID >> 16,
    [IGB_PHY_ID2] = IGB_PHY_ID & 0xffff,
    [IGB_PHY_ADVERTISE] = 0x01e1,
    [IGB_PHY_PARTNER] = 0xcde1,
    [IGB_PHY_1000T_CONTROL] = 0x0e00,
    [IGB_PHY_1000T_STATUS] = 0x7c00,
    [15] = 0x3000, /* can do 1000BASE-T */
    [IGB_PHY_PORT_CONFIG] = 0x0080,
    [IGB_PHY_PORT_STATUS] = 0xc000, /* 1000 Mb/s */
    [IGB_PHY_POWER] = 0x0000,
};

#define PHY_READ_ONLY \
    (1u << IGB_PHY_STATUS | 1u << IGB_PHY_ID1 | 1u << IGB_PHY_ID2 | 1u << IGB_PHY_PARTNER | \
     1u << IGB_PHY_1000T_STATUS | 1u << 15 | 1u << IGB_PHY_PORT_STATUS | \
     1u << IGB_PHY_LINK_HEALTH)

static void link_set(IovIgb *self, bool up)
{
    bool before = self->link;
    uint16_t done = IGB_PHY_STATUS_LINK | IGB_PHY_STATUS_AUTONEG_DONE;

    self->link = up;
    if (up)
        self->phy[IGB_PHY_STATUS] |= done;
    else
        self->phy[IGB_PHY_STATUS] &= (uint16_t)~done;
    if (before != up)
        igb_other_raise(self, IGB_ICR_LSC);
}

void igb_on_link_up(struct iov_event *event)
{
    link_set(iov_container_of(event, IovIgb, link_up), true);
}

static void negotiate(IovIgb *self)
{
    iov_event_disarm(&self->link_up);
    link_set(self, false);
    if (!(self->phy[IGB_PHY_CONTROL] & IGB_PHY_CONTROL_POWER_DOWN))
        iov_event_in(&self->link_up, self->negotiation);
}

void igb_phy_reset(IovIgb *self)
{
    memcpy(self->phy, phy_values, sizeof self->phy);
    negotiate(self);
}

static void phy_write(IovIgb *self, uint32_t number, uint16_t value)
{
    if (PHY_READ_ONLY >> number & 1)
        return;
    if (number != IGB_PHY_CONTROL) {
        self->phy[number] = value;
        return;
    }
    if (value & IGB_PHY_CONTROL_RESET) {
        igb_phy_reset(self);
        return;
    }
    bool power = (self->phy[number] ^ value) & IGB_PHY_CONTROL_POWER_DOWN;

    self->phy[number] = (uint16_t)(value & ~IGB_PHY_CONTROL_RESTART);
    if (value & IGB_PHY_CONTROL_RESTART || power)
        negotiate(self);
}

void igb_mdic_write(IovIgb *self, uint32_t value)
{
    uint32_t number = value >> IGB_MDIC_REGISTER_SHIFT & 31;
    uint32_t phy = value >> IGB_MDIC_PHY_SHIFT & 31;

    self->mdic = (value & ~(IGB_MDIC_READY | IGB_MDIC_ERROR)) | IGB_MDIC_READY;
    if (phy != IGB_PHY_ADDRESS) {
        self->mdic |= IGB_MDIC_ERROR;
    } else if (value & IGB_MDIC_WRITE) {
        phy_write(self, number, (uint16_t)value);
    } else if (value & IGB_MDIC_READ) {
        self->mdic = (self->mdic & ~IGB_MDIC_DATA) | self->phy[number];
    }
}
