/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000 driver: what its two halves share. driver-e1000-hw.c sets the adapter up,
 * driver-e1000.c moves frames; so it does for the e1000e driver, which has its own way of setting
 * up and of taking interrupts.
 */
#ifndef IOV_GUEST_DRIVER_E1000_PRIVATE_H
#define IOV_GUEST_DRIVER_E1000_PRIVATE_H

#include "models/guest/guest-private.h"
#include "models/guest/large-buffers.h"

#define E1000_RING 256u
#define E1000_RX_BUFFER 2048u
#define E1000_TX_BUFFER 2048u
#define E1000_TX_PIECE 4096u /* of a large segment, in one descriptor */

enum e1000_latency { E1000_LOWEST_LATENCY, E1000_LOW_LATENCY, E1000_BULK_LATENCY };

struct e1000_totals {
    uint32_t packets;
    uint32_t bytes;
};

struct e1000_driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    struct iov_guest_napi napi;
    uint64_t registers;
    /* transmit ring: next_to_clean .. next_to_use are the device's */
    iov_gpa tx_ring;
    iov_gpa tx_buffers;
    uint32_t tx_use;
    uint32_t tx_clean;
    struct {
        struct iov_guest_sent sent;
        uint64_t address; /* for the device */
        uint16_t last;    /* index of the frame's last descriptor, in its first one */
        uint16_t frames;  /* that it becomes, likewise */
        uint8_t large;    /* number of its large buffer, likewise; 0: none */
        bool first;
    } tx_info[E1000_RING];
    struct iov_guest_large large;
    /* receive ring */
    iov_gpa rx_ring;
    iov_gpa rx_buffers;
    uint64_t rx_address[E1000_RING]; /* for the device */
    uint64_t tx_device, rx_device;   /* the rings, for the device */
    uint32_t rx_use;
    uint32_t rx_clean;
    /* interrupt throttling, as the driver adapts it */
    uint32_t interrupts_per_second;
    uint8_t tx_latency;
    uint8_t rx_latency;
    struct e1000_totals tx_total;
    struct e1000_totals rx_total;
    bool extended;     /* receive descriptors are written back in the extended format */
    uint32_t rx_write; /* RDT is written at multiples of this */
    bool gigabit;      /* the link is up at 1000 Mb/s */
    bool opened;
};

uint32_t iov_e1000_read(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg);
void iov_e1000_write(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg,
                     uint32_t value);
/* A read that makes sure that the writes before it have arrived. */
void iov_e1000_flush(struct e1000_driver *self, struct iov_guest_cpu *cpu);

bool iov_e1000_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu);
/* Addresses that are received. */
void iov_e1000_set_rx_mode(struct e1000_driver *self, struct iov_guest_cpu *cpu);
void iov_e1000_power_up_phy(struct e1000_driver *self, struct iov_guest_cpu *cpu);
/* One run of the watchdog: is the link up? Then the transmitter is turned on. */
bool iov_e1000_check_link(struct e1000_driver *self, struct iov_guest_cpu *cpu);
/* The throttle for what was seen since the last interrupt; 0: as it is. For the test. */
uint32_t iov_e1000_next_rate(struct e1000_driver *self);

/* driver-e1000.c */
void iov_e1000_init(struct e1000_driver *self, struct iov_guest_net *net);
bool iov_e1000_open_rings(struct e1000_driver *self, struct iov_guest_cpu *cpu);
bool iov_e1000_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                        const struct iov_guest_frame *frame);
/* Takes back what was sent; takes received frames, at most `budget`, and gives buffers. */
void iov_e1000_clean_tx(struct e1000_driver *self, struct iov_guest_cpu *cpu);
unsigned iov_e1000_clean_rx(struct e1000_driver *self, struct iov_guest_cpu *cpu, unsigned budget);
void iov_e1000_give_buffers(struct e1000_driver *self, struct iov_guest_cpu *cpu);
bool iov_e1000_is_dynamic(const struct e1000_driver *self);
/* What ITR holds for a number of interrupts a second; 0: no limit. */
uint32_t iov_e1000_throttle(uint32_t rate);
/* driver-e1000-hw.c */
uint16_t iov_e1000_phy_read(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t reg);
void iov_e1000_init_filters(struct e1000_driver *self, struct iov_guest_cpu *cpu);

#endif
