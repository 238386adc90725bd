/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb and igbvf drivers: what they share. driver-igb-phy.c and driver-igb-hw.c set the adapter
 * up, driver-igb.c moves frames, driver-igb-itr.c says how often they interrupt, driver-igbvf.c is
 * the driver of a virtual function, whose queues and vectors have their registers at the same
 * places.
 */
#ifndef IOV_GUEST_DRIVER_IGB_PRIVATE_H
#define IOV_GUEST_DRIVER_IGB_PRIVATE_H

#include "models/guest/guest-private.h"
#include "models/guest/large-buffers.h"

#define IGB_RING 256u
#define IGB_RX_ROOM 2048u
#define IGB_TX_ROOM 2048u
#define IGB_TX_PIECE 32768u /* of a large segment, in one descriptor */

#define IGB_RINGS 8u /* pairs that the driver takes of an 82576 */
/* Entries of the MSI-X table: one for the link, then those of the receive queues, then those of the
 * transmit queues; if queues are many a pair shares one. */
#define IGB_ENTRY_OTHER 0u

struct igb_totals {
    uint32_t packets, bytes;
};

/* A vector with its share of the queues, and how often it may interrupt. */
struct igb_vector_state {
    struct iov_guest_napi napi;
    uint32_t entry;           /* its bit is 1 << entry */
    uint32_t itr;             /* as EITR takes it: microseconds << 2 */
    bool set_itr;             /* to be written at the next interrupt */
    struct igb_totals rx, tx; /* since the last time it was looked at */
};

struct igb_driver;

/* A pair of queues. */
struct igb_ring {
    struct igb_driver *driver;
    unsigned index;
    struct igb_vector_state rx_vector, tx_vector;
    /* transmit ring: tx_clean .. tx_use are the device's */
    iov_gpa tx_ring, tx_buffers;
    uint64_t tx_device; /* the ring as the device sees it */
    uint32_t tx_use, tx_clean;
    struct {
        struct iov_guest_sent sent;
        uint64_t address; /* of the buffer, for the device */
        uint16_t last;    /* index of the frame's last descriptor, in its first one */
        uint16_t frames;  /* that it becomes, likewise */
        uint8_t large;    /* number of its large buffer, likewise; 0: none */
        bool first;
    } tx_info[IGB_RING];
    struct iov_guest_large large;
    /* receive ring */
    iov_gpa rx_ring, rx_buffers;
    uint64_t rx_device;
    uint64_t rx_address[IGB_RING];
    uint32_t rx_use, rx_clean;
};

struct igb_driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    uint64_t registers, msix;
    uint64_t doorbells;     /* page of an assignable interface; 0: none */
    struct igb_ring *rings; /* `count` of them: dev.queues */
    unsigned count;
    bool paired;             /* both queues of a pair have the vector of the receive queue */
    bool gigabit;            /* the link is up at 1000 Mb/s */
    bool link_asked;         /* somebody wants to know whether there is a link */
    bool flow_control_known; /* the EEPROM's default was read */
    struct iov_guest_cpu *waiter;
    uint32_t mailbox; /* of a virtual function: bits that a read has cleared */
};

/* Guest-physical address of a register. */
uint64_t iov_igb_address(const struct igb_driver *self, uint32_t reg);
uint32_t iov_igb_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg);
void iov_igb_write(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                   uint32_t value);
/* A read that makes sure that the writes before it have arrived. */
void iov_igb_flush(struct igb_driver *self, struct iov_guest_cpu *cpu);

void iov_igb_write_flushed(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                           uint32_t value);
void iov_igb_set_bits(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                      uint32_t bits);
void iov_igb_clear_bits(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                        uint32_t bits);

/* ---- driver-igb-phy.c: EEPROM and PHY ---- */
bool iov_igb_eeprom_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t word,
                         uint16_t *ret_data);
bool iov_igb_eeprom_checksum_good(struct igb_driver *self, struct iov_guest_cpu *cpu);
uint16_t iov_igb_phy_read(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg);
void iov_igb_phy_write(struct igb_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                       uint32_t value);
bool iov_igb_phy_has_link(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned tries);
void iov_igb_phy_reset(struct igb_driver *self, struct iov_guest_cpu *cpu);
/* Reset, crossover, negotiation. */
void iov_igb_phy_set_up(struct igb_driver *self, struct iov_guest_cpu *cpu);

/* ---- driver-igb-hw.c ---- */
bool iov_igb_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu);
void iov_igb_power_up_link(struct igb_driver *self, struct iov_guest_cpu *cpu);
/* Everything between power-up and interrupts but the rings. */
void iov_igb_configure(struct igb_driver *self, struct iov_guest_cpu *cpu);
void iov_igb_set_address(struct igb_driver *self, struct iov_guest_cpu *cpu);
/* One run of the watchdog: is the link up? */
bool iov_igb_check_link(struct igb_driver *self, struct iov_guest_cpu *cpu);
/* MSI-X as the kernel enables it: `count` entries used, a table of `entries`. */
void iov_igb_enable_msix(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned count,
                         unsigned entries);
/* Entry `entry` of the MSI-X table to `vector`, unmasked. */
void iov_igb_start_vector(struct igb_driver *self, struct iov_guest_cpu *cpu, unsigned entry,
                          uint8_t vector);
/* What EITR should hold after what was seen since the last time. For the test. */
uint32_t iov_igb_next_itr(const struct igb_driver *self, const struct igb_vector_state *vector);

/* ---- What moves frames, for both drivers ---- */

/* `count` pairs, in no memory yet; vectors as igb has them. */
void iov_igb_make_rings(struct igb_driver *self, unsigned count);
void iov_igb_free_rings(struct igb_driver *self);
bool iov_igb_allocate_rings(struct igb_driver *self, struct iov_guest_cpu *cpu);
bool iov_igb_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame);
/* Takes back what was sent. */
void iov_igb_clean_tx(struct igb_ring *self, struct iov_guest_cpu *cpu);
/* Gives the adapter all free buffers. */
void iov_igb_give_buffers(struct igb_ring *self, struct iov_guest_cpu *cpu);
/* Takes received frames; buffers go back `batch` at a time. */
unsigned iov_igb_clean_rx(struct igb_ring *self, struct iov_guest_cpu *cpu, unsigned budget,
                          unsigned batch);
void iov_igb_vector_init(struct igb_driver *self, struct igb_vector_state *vector, unsigned entry,
                         unsigned (*poll)(struct iov_guest_napi *, struct iov_guest_cpu *,
                                          unsigned));
/* EITR, if it is to change; at the beginning of an interrupt. */
void iov_igb_write_itr(struct igb_driver *self, struct iov_guest_cpu *cpu,
                       struct igb_vector_state *vector);
/* The vector may interrupt again. */
void iov_igb_enable_vector(struct igb_driver *self, struct iov_guest_cpu *cpu,
                           struct igb_vector_state *vector);

#endif
