/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of core/pci share: see space.h and bus.h. */
#ifndef IOV_PCI_PCI_PRIVATE_H
#define IOV_PCI_PCI_PRIVATE_H

#include "core/pci/bus.h"
#include "core/pci/space.h"

#define EXTENDED_BASE 0x100u
#define DWORD 4u
#define SRIOV_SIZE 0x40

static inline void pci_set16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void pci_set32(uint8_t *at, uint32_t value)
{
    pci_set16(at, value);
    pci_set16(at + 2, value >> 16);
}

static inline uint32_t pci_peek32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A write to one DWORD, with the registers before and after; `written` has ones where software
 * wrote. */
struct pci_write {
    struct iov_pci_space *space;
    uint16_t at;
    uint32_t old, value, written; /* `value`: what will be stored; a rule may change it */
    iov_time delay;               /* until the write reaches the function */
    unsigned what;                /* IOV_PCI_CHANGED_* */
    bool known;                   /* `what` says all there is to say */
    bool flush;                   /* masked messages may go now */
};

/* These bits stay as they were. */
static inline void pci_keep(struct pci_write *write, uint32_t bits)
{
    write->value = (write->value & ~bits) | (write->old & bits);
}

/* capability.c: fills in one row at `at`; how large a row is; what a write to its registers may do;
 * what follows from it. */
uint16_t pci_capability_size(const struct iov_pci_capability *row);
void pci_capability_init(struct iov_pci_space *space, const struct iov_pci_capability *row,
                         uint16_t next);
void pci_capability_filter(struct pci_write *write);
void pci_capability_effect(struct pci_write *write);
/* After any reset: registers that follow from others. */
void pci_capability_derive(struct iov_pci_space *space);

/* sriov.c: the same for this one; `reg` counts from its place. */
void pci_sriov_init(struct iov_pci_space *space, const struct iov_pci_capability *row);
void pci_sriov_filter(struct pci_write *write, unsigned reg);
void pci_sriov_derive(struct iov_pci_space *space);

/* message.c */
void pci_message_init(struct iov_pci_space *space, const struct iov_pci_capability *row);
void pci_message_clear(struct iov_pci_space *space);
void pci_message_reset(struct iov_pci_space *space);
void pci_message_flush(struct iov_pci_space *space, iov_time delay);

/* bus.c: tells the bus of the function's pin. */
void pci_intx_tell(struct iov_pci_function *function, bool level, struct iov_span *span);

/* In D0, or without power management. */
static inline bool pci_is_on(const struct iov_pci_space *space)
{
    return space->power == 0 ||
           (space->bytes[space->power + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK) == 0;
}

#endif
