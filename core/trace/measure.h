/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run measures: counters that models raise directly, the latency of requests and its parts,
 * the phases of a replay. One struct a run, reached as run->measure; the report (stats.json,
 * stats.txt, stats.csv) is written from it and from the statistics rows of the models.
 *
 * A measurement is open from iov_measure_begin() (end of the warm-up, called by the workload) to
 * iov_measure_end(). Before and after, counters are raised all the same; begin sets them to zero.
 */
#ifndef IOV_TRACE_MEASURE_H
#define IOV_TRACE_MEASURE_H

#include <stdbool.h>

#include "core/kernel/kernel.h"
#include "core/port/packet.h"
#include "core/trace/histogram.h"
#include "core/trace/interrupt-path.h"

IOV_BEGIN_DECLS

#define IOV_MEASURE_REASONS 80 /* basic exit reasons, SDM appendix C */
#define IOV_MEASURE_REGIONS 64

/* Accesses to one named region ("nic", "lapic", "ioapic", "serial", ...). */
struct iov_region_count {
    const char *name;  /* interned */
    uint64_t accesses; /* by the guest's software */
    uint64_t exits;    /* of them, those that exited */
};

struct iov_counters {
    uint64_t exits[IOV_MEASURE_REASONS]; /* by basic exit reason */
    uint64_t user_exits;                 /* exits that went on to user space */
    uint64_t device_accesses;  /* the driver's accesses to its device's registers, exit or not */
    uint64_t device_exits;     /* of them, those that exited */
    uint64_t apic_accesses;    /* accesses to the local APIC, exit or not */
    uint64_t timer_accesses;   /* of them, in timer interrupts: no sign of life */
    uint64_t interrupts;       /* device interrupts taken by guests */
    uint64_t timer_interrupts; /* timer interrupts taken by guests */
    uint64_t injections;       /* events injected at VM entry */
    uint64_t posted;           /* interrupts delivered without exit */
    uint64_t kicks;            /* driver → device notifications */
    uint64_t kicks_suppressed; /* notifications that the driver could leave out */
    uint64_t context_switches; /* host */
    uint64_t wakeups;          /* host threads woken */
    uint64_t copies;           /* payload copies by software */
    uint64_t copied_bytes;
    uint64_t hypercalls;      /* of guests and of domains that serve them */
    uint64_t domain_switches; /* processors that went to the vCPU of another domain (Xen) */
    uint64_t drops;           /* frames lost for want of room */
    uint64_t guest_faults;    /* the guest's mistakes: bad descriptors, bad accesses */
    struct iov_region_count regions[IOV_MEASURE_REGIONS];
    unsigned region_count;
};

struct iov_phase {
    char *name;
    uint64_t units;
    struct iov_counters counters;
    iov_time begin;
    iov_time end;
    bool open; /* counters are still those at its begin */
    struct iov_phase *next;
};

struct iov_processor; /* core/port/exec.h */

/* What the watched processors did during the measurement, all together. */
struct iov_processor_use {
    unsigned processors;
    iov_time busy;
    iov_time idle;                 /* the rest of the time */
    iov_time used[IOV_PART_COUNT]; /* of `busy`, by part */
};

/* A thread of the host, or the software of a processor without a host kernel. */
struct iov_thread_use {
    char *name;    /* "vm0/vcpu0" */
    iov_time busy; /* processor time during the measurement */
};

/*
 * Requests that are done when their frame was sent (iov_span.sequel), and those of them
 * whose frame reached the far end: the throughput is made of the latter, since back ends lose what
 * the wire does not take.
 */
struct iov_delivery {
    uint64_t sent, sent_bytes;
    uint64_t arrived, arrived_bytes;
};

/* What one virtual processor of a guest with several took on; whoever counts writes here. */
struct iov_virtual_use {
    char *name;          /* "vm0/vcpu0" */
    uint64_t interrupts; /* of devices */
    uint64_t ipis;       /* interrupts of other processors */
    uint64_t frames;     /* received, that it brought up its stack */
    uint64_t wakeups;    /* tasks of other processors that it woke */
};

/* One guest's share of the measurement. */
struct iov_guest_use {
    char *name; /* "vm0" */
    uint64_t operations;
    uint64_t bytes;
    struct iov_delivery delivery;
    struct iov_histogram *latency; /* ps */
    bool ready;                    /* its warm-up is over */
    bool finished;                 /* it has done what it was asked to; it goes on until all have */
    bool stands_by;                /* it has no operations of its own */
    unsigned connections_missing;  /* of TCP: nobody has answered yet */
};

struct iov_waterfall; /* core/trace/waterfall.h */

struct iov_measure {
    struct iov_kernel *kernel;
    struct iov_counters counters;
    uint64_t operations; /* requests finished since begin */
    uint64_t bytes;      /* payload bytes of them */
    struct iov_delivery delivery;
    iov_time begin;
    iov_time end;
    bool open;
    bool ended;          /* requests that finish now do not count any more */
    bool complete;       /* the workload reached its end */
    iov_time patience;   /* see iov_measure_expect_silence() */
    bool has_operations; /* the workload counts them in `settled` */
    uint64_t settled; /* operations done or lost, warm-up included, of guests that have not done all
                         of theirs */
    struct iov_histogram *latency;         /* ps */
    struct iov_interrupt_path *interrupts; /* of devices in hardware */
    uint64_t parts_high[IOV_PART_COUNT];   /* sums of parts, ps: 128 bits as high and low */
    uint64_t parts_low[IOV_PART_COUNT];
    uint64_t mismatches;      /* requests whose parts did not add up: must be 0 */
    struct iov_phase *phases; /* in order */
    struct iov_phase *last_phase;
    struct iov_processor_use use;   /* from begin to end; filled by iov_measure_end() */
    struct iov_thread_use *threads; /* in the order of their making; filled by iov_measure_end() */
    unsigned thread_count;
    struct iov_guest_use *guests;
    unsigned guest_count;
    struct iov_virtual_use **virtuals; /* in the order of their making */
    unsigned virtual_count;
    struct iov_waterfall *waterfall; /* of one request: iov_measure_explain() */
    uint64_t explained; /* its number, from 1, among those begun since iov_measure_begin() */
    uint64_t begun;     /* requests since then */
    struct iov_measure_private *private_data;
    void (*reset_models)(void *context); /* set by the platform: resets statistics rows at begin */
    void *reset_context;
};

/* Not open yet, with all counters at zero; one a run. The kernel outlives it. */
IOV_API struct iov_measure *iov_measure_new(struct iov_kernel *kernel);
IOV_API void iov_measure_free(struct iov_measure *measure); /* accepts NULL */
/* From now on this processor, which outlives the measurement, counts as one of the host's. Slow
 * plane. */
IOV_API void iov_measure_watch(struct iov_measure *measure, struct iov_processor *processor);
/* Which of them was busy most since the measurement began, and with what (`idle` is not filled in);
 * false: there are none. */
IOV_API bool iov_measure_busiest(const struct iov_measure *measure, unsigned *ret_processor,
                                 struct iov_processor_use *ret_use);
/*
 * From now on this thread's processor time is told apart. `busy` gives what it has used so far, and
 * may go back to less only when the models' statistics are reset. The name is copied. Slow plane.
 */
IOV_API void iov_measure_watch_thread(struct iov_measure *measure, const char *name,
                                      iov_time (*busy)(const void *thread), const void *thread);
/* Its name, NULL if no such thread is watched. */
IOV_API const char *iov_measure_thread_name(const struct iov_measure *measure, const void *thread);
/* Request `number` (from 1) after the warm-up writes its marks into `waterfall`, which outlives the
 * measurement. Before the run. */
IOV_API void iov_measure_explain(struct iov_measure *measure, struct iov_waterfall *waterfall,
                                 uint64_t number);
/* Called by the workload right after iov_span_begin(). */
IOV_API void iov_measure_request_attach(struct iov_measure *measure, struct iov_span *span);
static inline void iov_measure_request_begun(struct iov_measure *measure, struct iov_span *span)
{
    if (++measure->begun == measure->explained)
        iov_measure_request_attach(measure, span);
}
/* The warm-up is over: all counters and statistics to zero, the clock of the measurement starts. */
IOV_API void iov_measure_begin(struct iov_measure *measure);
/* The workload is done (or was cut: `complete` false). */
IOV_API void iov_measure_end(struct iov_measure *measure, bool complete);
/*
 * A guest's workload takes part: the measurement opens when all that do are ready, and the run ends
 * when all have finished, so that every guest works under the load of all others for as long as it
 * is measured. Returns the guest's number. The name is copied. Slow plane.
 */
/* A place to count in, as long as the measurement lives; it begins anew with it. The name is
 * copied. Slow plane. */
IOV_API struct iov_virtual_use *iov_measure_virtual(struct iov_measure *measure, const char *name);
IOV_API unsigned iov_measure_join(struct iov_measure *measure, const char *name);
IOV_API void iov_measure_guest_ready(struct iov_measure *measure, unsigned guest);
IOV_API void iov_measure_guest_finished(struct iov_measure *measure, unsigned guest);
/* It has nothing to do that is measured: nobody waits for it. */
IOV_API void iov_measure_guest_stands_by(struct iov_measure *measure, unsigned guest);
/* How many guests do not stand by. */
IOV_API unsigned iov_measure_guests_at_work(const struct iov_measure *measure);
/* iov_measure_request() for a request of this guest. */
IOV_API void iov_measure_guest_request(struct iov_measure *measure, unsigned guest,
                                       struct iov_span *span, uint64_t bytes);
/* Jain's index of the guests' operations in millionths: 1000000 if all did as many, 1000000 / n if
 * one of n did all. */
IOV_API uint32_t iov_measure_fairness(const struct iov_measure *measure);
/*
 * The workload may show no sign of life for so long: a run is given up only after more than the
 * longest silence that was expected (20 s if nobody expects more).
 */
IOV_API void iov_measure_expect_silence(struct iov_measure *measure, iov_time silence);
/*
 * One request is done now: the time since iov_span_begin() is its latency; its parts and `bytes` of
 * payload are added. Time that nobody has marked by now makes it a mismatch. After
 * iov_measure_end() requests are ignored. From any context.
 */
IOV_API void iov_measure_request(struct iov_measure *measure, struct iov_span *span,
                                 uint64_t bytes);
/* The frame of a request that ends at the device has reached the far end; `payload` 0: it was none.
 * Fast plane. */
IOV_API void iov_measure_arrived(struct iov_measure *measure, unsigned guest, uint32_t payload);
/*
 * A frame is lost: one more in `statistic`, the loser's own, and among the run's (without a
 * `measure`: only the former). `packet` is dropped; NULL: nothing is left of it, or its owner does
 * that. Fast plane.
 */
static inline void iov_measure_drop(struct iov_measure *measure, uint64_t *statistic,
                                    struct iov_packet *packet)
{
    (*statistic)++;
    if (measure != NULL)
        measure->counters.drops++;
    if (packet != NULL)
        iov_packet_drop(packet);
}
/* A mistake of the guest's: likewise. */
static inline void iov_measure_guest_fault(struct iov_measure *measure, uint64_t *statistic)
{
    (*statistic)++;
    if (measure != NULL)
        measure->counters.guest_faults++;
}
/* Software has copied `size` bytes of payload. Fast plane. */
static inline void iov_measure_copy(struct iov_measure *measure, uint64_t size)
{
    measure->counters.copies++;
    measure->counters.copied_bytes += size;
}
/* Requests and bytes that the throughput counts: those that are done, sent ones only where they
 * arrived. */
static inline uint64_t iov_delivered(uint64_t operations, const struct iov_delivery *delivery)
{
    return operations - delivery->sent + delivery->arrived;
}
static inline uint64_t iov_delivered_bytes(uint64_t bytes, const struct iov_delivery *delivery)
{
    return bytes - delivery->sent_bytes + delivery->arrived_bytes;
}
/* Index of a named region, added on first use. Slow plane: ask at realize. The name is copied. */
IOV_API unsigned iov_measure_region(struct iov_measure *measure, const char *name);
/*
 * Opens a phase: its counters are the difference from here to iov_measure_phase_end(). Phases do
 * not nest, and those of the warm-up are forgotten by iov_measure_begin().
 */
IOV_API void iov_measure_phase_begin(struct iov_measure *measure, const char *name);
IOV_API void iov_measure_phase_end(struct iov_measure *measure, uint64_t units);
/* "guest", "exit", ... as printed. */
IOV_API const char *iov_part_name(enum iov_part part);
/* "EPT_MISCONFIG", ... as Linux's perf names them; NULL if unknown. */
IOV_API const char *iov_exit_reason_name(unsigned reason);

IOV_END_DECLS

#endif
