/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb driver's way to what it shares with firmware: semaphores, EEPROM through EERD, and the
 * PHY through MDIC, each access of which takes and gives back the semaphores.
 */
#include "models/guest/driver-igb-private.h"
#include "models/nic/igb-regs.h"

#define SEMAPHORE_TRIES 1025
#define SEMAPHORE_DELAY (50 * IOV_US)
#define SYNC_TRIES 200
#define SYNC_DELAY (5 * IOV_MS)
#define SYNC_PHY0 0x2u
#define EEPROM_TRIES 100000
#define EEPROM_DELAY (5 * IOV_US)
#define PHY_DELAY (50 * IOV_US)
#define PHY_TRIES 64
#define PHY_PAGED 0x0fu /* registers above this one are behind a page select */
#define PHY_CROSSOVER_AUTO 0x1000
#define PHY_LPLU 0x0002
#define LINK_TRIES 10
#define LINK_DELAY (10 * IOV_US)

/* ---- Semaphores: software's own, then the one shared with firmware ---- */

static bool semaphore_get(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    unsigned i = 0;

    while (iov_igb_read(self, cpu, IGB_SWSM) & IGB_SWSM_SMBI) {
        if (++i == SEMAPHORE_TRIES)
            return false;
        iov_guest_delay(cpu, SEMAPHORE_DELAY);
    }
    for (i = 0; i < SEMAPHORE_TRIES; i++) {
        iov_igb_set_bits(self, cpu, IGB_SWSM, IGB_SWSM_SWESMBI);
        if (iov_igb_read(self, cpu, IGB_SWSM) & IGB_SWSM_SWESMBI)
            return true;
        iov_guest_delay(cpu, SEMAPHORE_DELAY);
    }
    return false;
}

static void semaphore_put(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_clear_bits(self, cpu, IGB_SWSM, IGB_SWSM_SMBI | IGB_SWSM_SWESMBI);
}

static bool phy_acquire(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    for (unsigned i = 0; i < SYNC_TRIES; i++) {
        if (!semaphore_get(self, cpu))
            return false;
        uint32_t sync = iov_igb_read(self, cpu, IGB_SW_FW_SYNC);
        bool free = !(sync & (SYNC_PHY0 | SYNC_PHY0 << 16));

        if (free)
            iov_igb_write(self, cpu, IGB_SW_FW_SYNC, sync | SYNC_PHY0);
        semaphore_put(self, cpu);
        if (free)
            return true;
        iov_guest_delay(cpu, SYNC_DELAY);
    }
    return false;
}

static void phy_release(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    if (!semaphore_get(self, cpu))
        return;
    iov_igb_clear_bits(self, cpu, IGB_SW_FW_SYNC, SYNC_PHY0);
    semaphore_put(self, cpu);
}

/* ---- EEPROM ---- */

bool iov_igb_eeprom_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t word,
                         uint16_t *ret_data)
{
    iov_igb_write(self, cpu, IGB_EERD, word << IGB_EERD_ADDRESS_SHIFT | IGB_EERD_START);
    for (unsigned i = 0; !(iov_igb_read(self, cpu, IGB_EERD) & IGB_EERD_DONE); i++) {
        if (i == EEPROM_TRIES)
            return false;
        iov_guest_delay(cpu, EEPROM_DELAY);
    }
    *ret_data = (uint16_t)(iov_igb_read(self, cpu, IGB_EERD) >> IGB_EERD_DATA_SHIFT);
    return true;
}

bool iov_igb_eeprom_checksum_good(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t sum = 0;

    for (uint32_t word = 0; word <= IGB_EEPROM_CHECKSUM; word++) {
        uint16_t data;

        if (!iov_igb_eeprom_read(self, cpu, word, &data))
            return false;
        sum = (uint16_t)(sum + data);
    }
    return sum == IGB_EEPROM_SUM;
}

/* ---- PHY ---- */

static bool phy_wait(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t *ret_mdic)
{
    for (unsigned i = 0; i < PHY_TRIES; i++) {
        iov_guest_delay(cpu, PHY_DELAY);
        *ret_mdic = iov_igb_read(self, cpu, IGB_MDIC);
        if (*ret_mdic & IGB_MDIC_READY)
            return !(*ret_mdic & IGB_MDIC_ERROR);
    }
    return false;
}

static bool phy_command(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t command,
                        uint32_t reg, uint16_t data, uint32_t *ret_mdic)
{
    iov_igb_write(self, cpu, IGB_MDIC,
                  command | data | (reg & 0x1f) << IGB_MDIC_REGISTER_SHIFT |
                      IGB_PHY_ADDRESS << IGB_MDIC_PHY_SHIFT);
    return phy_wait(self, cpu, ret_mdic);
}

static bool phy_access(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t command,
                       uint32_t reg, uint16_t *data)
{
    uint32_t mdic = 0;
    bool done = phy_acquire(self, cpu);

    if (!done)
        return false;
    if (reg > PHY_PAGED)
        done = phy_command(self, cpu, IGB_MDIC_WRITE, IGB_PHY_PAGE, (uint16_t)reg, &mdic);
    done = done && phy_command(self, cpu, command, reg, *data, &mdic);
    phy_release(self, cpu);
    *data = (uint16_t)mdic;
    return done;
}

uint16_t iov_igb_phy_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg)
{
    uint16_t data = 0;

    return phy_access(self, cpu, IGB_MDIC_READ, reg, &data) ? data : 0;
}

void iov_igb_phy_write(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                       uint32_t value)
{
    uint16_t data = (uint16_t)value;

    phy_access(self, cpu, IGB_MDIC_WRITE, reg, &data);
}

/* The status latches a lost link: the second read tells the present. */
bool iov_igb_phy_has_link(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned tries)
{
    for (unsigned i = 0; i < tries; i++) {
        iov_igb_phy_read(self, cpu, IGB_PHY_STATUS);
        if (iov_igb_phy_read(self, cpu, IGB_PHY_STATUS) & IGB_PHY_STATUS_LINK)
            return true;
        iov_guest_delay(cpu, LINK_DELAY);
    }
    return false;
}

void iov_igb_phy_reset(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_read(self, cpu, IGB_MANC); /* is a reset blocked? */
    if (!phy_acquire(self, cpu))
        return;
    uint32_t control = iov_igb_read(self, cpu, IGB_CTRL);

    iov_igb_write_flushed(self, cpu, IGB_CTRL, control | IGB_CTRL_PHY_RST);
    iov_guest_delay(cpu, 100 * IOV_US);
    iov_igb_write_flushed(self, cpu, IGB_CTRL, control);
    iov_guest_delay(cpu, 150 * IOV_US);
    phy_release(self, cpu);
    for (unsigned i = 0; i < 100; i++) {
        if (iov_igb_read(self, cpu, IGB_EEMNGCTL) & IGB_EEMNGCTL_CFG_DONE)
            break;
        iov_guest_sleep(cpu, IOV_MS);
    }
    iov_igb_read(self, cpu, IGB_EECD);
}

void iov_igb_phy_set_up(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_igb_phy_reset(self, cpu);
    iov_guest_sleep(cpu, 100 * IOV_MS); /* the MAC configures the PHY from the EEPROM */
    uint32_t power = iov_igb_phy_read(self, cpu, IGB_PHY_POWER);

    iov_igb_phy_write(self, cpu, IGB_PHY_POWER, power & ~(uint32_t)PHY_LPLU);
    uint32_t control = iov_igb_phy_read(self, cpu, IGB_PHY_PORT_CONTROL);

    iov_igb_phy_write(self, cpu, IGB_PHY_PORT_CONTROL, control | PHY_CROSSOVER_AUTO);
    iov_igb_phy_write(self, cpu, IGB_PHY_1000T_CONTROL,
                      iov_igb_phy_read(self, cpu, IGB_PHY_1000T_CONTROL));
    /* Negotiation. */
    uint16_t advertise = iov_igb_phy_read(self, cpu, IGB_PHY_ADVERTISE);
    uint16_t gigabit = iov_igb_phy_read(self, cpu, IGB_PHY_1000T_CONTROL);

    iov_igb_phy_write(self, cpu, IGB_PHY_ADVERTISE, advertise);
    iov_igb_phy_write(self, cpu, IGB_PHY_1000T_CONTROL, gigabit);
    control = iov_igb_phy_read(self, cpu, IGB_PHY_CONTROL);
    iov_igb_phy_write(self, cpu, IGB_PHY_CONTROL,
                      control | IGB_PHY_CONTROL_AUTONEG | IGB_PHY_CONTROL_RESTART);
    iov_igb_phy_has_link(self, cpu, LINK_TRIES);
}
