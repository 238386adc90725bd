/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The apic port: a local APIC (SDM vol. 3A, chapter 11) and whoever it belongs to. The kind
 * "local-apic" is the same model whether a processor owns it as hardware or a monitor owns it as
 * its emulation; only the owner differs.
 *
 * Nothing here waits.
 */
#ifndef IOV_PORT_APIC_H
#define IOV_PORT_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/time.h"
#include "core/port/span.h"

struct iov_apic;
struct iov_apic_owner;

struct iov_apic_ops {
    /* An interrupt message arrives: sets IRR (and TMR if level). False if it was pending
     * already. */
    bool (*accept)(struct iov_apic *apic, uint8_t vector, bool level, struct iov_span *span);
    /* The highest vector in IRR whose class is above the processor priority, or -1. */
    int (*pending)(const struct iov_apic *apic);
    /* Interrupt acknowledge: moves that vector from IRR to ISR and returns it, or -1. */
    int (*acknowledge)(struct iov_apic *apic);
    /* Registers by xAPIC offset (0x20 .. 0x3f0). False: reserved or read only; the caller raises
     * what its access mode demands. */
    bool (*read)(struct iov_apic *apic, uint32_t offset, uint64_t *ret_value);
    bool (*write)(struct iov_apic *apic, uint32_t offset, uint64_t value);
    /* Does a message with this destination address it? */
    bool (*addressed)(const struct iov_apic *apic, uint32_t destination, bool logical);
    /* IA32_APIC_BASE and IA32_TSC_DEADLINE. */
    uint64_t (*base)(const struct iov_apic *apic);
    bool (*set_base)(struct iov_apic *apic, uint64_t value);
    uint64_t (*deadline)(const struct iov_apic *apic);
    void (*set_deadline)(struct iov_apic *apic, uint64_t tsc);
    /* The timer the owner drives (see owner->timer) has expired. */
    void (*expire)(struct iov_apic *apic);
    /* INIT: back to reset state. */
    void (*reset)(struct iov_apic *apic);
};

struct iov_apic {
    const struct iov_apic_ops *ops;
    /*
     * The 4 KiB of registers as they stand in memory. An owner may move them (copy, then point
     * here): in simulated memory they serve as virtual-APIC page.
     */
    uint8_t *page;
    uint32_t id;
    struct iov_apic_owner *owner;
    /* The request announced by the interrupt that was acknowledged last, or NULL. Take it and set
     * NULL. */
    struct iov_span *span;
};

struct iov_apic_owner_ops {
    /* IRR, ISR or TPR changed: there may be something to deliver. */
    void (*changed)(struct iov_apic *apic);
    /* An IPI was written to ICR; those to itself alone do not come here. Bits 63:32 of `icr` are
     * the destination in either mode. */
    void (*ipi)(struct iov_apic *apic, uint64_t icr);
    /* EOI of `vector`; `level`: its TMR bit was set, the IOAPICs must hear of it. */
    void (*eoi)(struct iov_apic *apic, uint8_t vector, bool level);
    /*
     * The timer is to expire at `when` (IOV_TIME_MAX: not at all). NULL: the APIC uses an event of
     * its own, as hardware does.
     */
    void (*timer)(struct iov_apic *apic, iov_time when);
};

struct iov_apic_owner {
    const struct iov_apic_owner_ops *ops;
};

#endif
