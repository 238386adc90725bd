/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC as local-apic.c (registers, priorities, IPIs) and local-apic-timer.c share it. */
#ifndef IOV_CPU_LOCAL_APIC_PRIVATE_H
#define IOV_CPU_LOCAL_APIC_PRIVATE_H

#include <string.h>

#include "core/object/model.h"
#include "models/cpu/apic-regs.h"

#define IOV_TYPE_LOCAL_APIC (iov_local_apic_get_type())
G_DECLARE_FINAL_TYPE(IovLocalApic, iov_local_apic, IOV, LOCAL_APIC, IovModel)

struct _IovLocalApic {
    IovModel parent_instance;
    uint32_t id;                 /* property */
    bool x2apic;                 /* property: capability */
    bool bootstrap;              /* property */
    uint64_t timer_frequency;    /* property */
    uint64_t tsc_frequency;      /* property */
    struct iov_apic apic;        /* contract */
    struct iov_event timer;      /* unless the owner drives it */
    uint64_t base;               /* IA32_APIC_BASE */
    uint64_t deadline;           /* IA32_TSC_DEADLINE */
    iov_time due;                /* of the timer; IOV_TIME_MAX: not armed */
    iov_time period;             /* periodic mode: of one round */
    uint32_t errors;             /* since the last write of ESR */
    struct iov_span *spans[256]; /* of pending interrupts, by vector */
    uint64_t accepted, merged, rejected, eois, level_eois, expirations, ipis; /* statistics */
    uint8_t registers[IOV_APIC_SIZE];
};

static inline IovLocalApic *iov_local_apic_of(const struct iov_apic *apic)
{
    union {
        const struct iov_apic *in;
        struct iov_apic *out;
    } port = { .in = apic };

    return iov_container_of(port.out, IovLocalApic, apic);
}

/* Registers in the page. */

static inline uint32_t iov_apic_get(const struct iov_apic *apic, unsigned offset)
{
    uint32_t value;

    memcpy(&value, apic->page + offset, 4);
    return value;
}

static inline void iov_apic_put(struct iov_apic *apic, unsigned offset, uint32_t value)
{
    memcpy(apic->page + offset, &value, 4);
}

static inline bool iov_local_apic_enabled(const IovLocalApic *self)
{
    return self->base & IOV_APIC_BASE_ENABLE &&
           iov_apic_get(&self->apic, IOV_APIC_SVR) & IOV_APIC_SVR_ENABLE;
}

/*
 * An interrupt for which nothing else is pending or in service, and whose handler nobody sees, is
 * accepted and, when its handler is over, ended: counted, without a trace in the registers. False:
 * the APIC is disabled.
 */
static inline bool iov_local_apic_pass(IovLocalApic *self)
{
    bool accepted = iov_local_apic_enabled(self);

    self->accepted += accepted;
    return accepted;
}

static inline void iov_local_apic_passed(IovLocalApic *self)
{
    self->eois++;
}

/* local-apic-timer.c */
void iov_apic_timer_on_event(struct iov_event *event);
void iov_apic_timer_expire(struct iov_apic *apic);
void iov_apic_timer_stop(IovLocalApic *self);
/* A write of the initial count, a read of the current one. */
void iov_apic_timer_start(IovLocalApic *self, uint32_t count);
uint32_t iov_apic_timer_count(const IovLocalApic *self);
/* IA32_TSC_DEADLINE */
uint64_t iov_apic_timer_deadline(const struct iov_apic *apic);
void iov_apic_timer_set_deadline(struct iov_apic *apic, uint64_t tsc);
/* A write of the timer's LVT entry, which may change the mode. */
void iov_apic_timer_write_lvt(IovLocalApic *self, uint32_t value);

#endif
