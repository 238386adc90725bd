/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the guest kernel: its processors, interrupts, softirqs, timers, sleep and memory. One
 * kernel runs on all virtual processors of a VM; each has at most one task of the workload, which
 * stays there, and an idle loop, which share the fiber of the processor: a task that waits runs the
 * idle loop where it stands, and interrupts nest on top.
 *
 * LIMIT: one task a processor, which only ksoftirqd preempts; no work queues.
 */
#ifndef IOV_GUEST_PRIVATE_H
#define IOV_GUEST_PRIVATE_H

#include "core/linux/fair.h"
#include "core/linux/menu.h"
#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/guest/guest-iommu.h"
#include "models/guest/net.h"
#include "models/guest/workload.h"

#define IOV_GUEST_CPUS 64

/* Vectors as Linux gives them out. */
#define IOV_GUEST_VECTOR_DEVICE 0x26 /* the first device's */
#define IOV_GUEST_VECTOR_TIMER 0xec
#define IOV_GUEST_VECTOR_UPCALL 0xf3
#define IOV_GUEST_VECTOR_RESCHEDULE 0xfd
#define IOV_GUEST_VECTOR_SPURIOUS 0xff

enum iov_guest_softirq { IOV_GUEST_TIMER, IOV_GUEST_NET_TX, IOV_GUEST_NET_RX };
enum iov_guest_idle { IOV_GUEST_IDLE_HALT, IOV_GUEST_IDLE_POLL, IOV_GUEST_IDLE_HALTPOLL };
enum iov_guest_tick { IOV_GUEST_TICKLESS, IOV_GUEST_PERIODIC, IOV_GUEST_NO_TICK };
enum iov_guest_affinity { IOV_GUEST_SPREAD, IOV_GUEST_PINNED };
enum iov_guest_apic { IOV_GUEST_APIC_AUTO, IOV_GUEST_XAPIC, IOV_GUEST_X2APIC };

G_DECLARE_FINAL_TYPE(IovLinuxGuest, iov_linux_guest, IOV, LINUX_GUEST, IovModel)

/* Costs of the guest's software: rows of the cost table. */
struct iov_guest_costs {
    iov_time irq_entry;
    iov_time irq_idle;
    iov_time irq_flow;
    iov_time irq_exit;
    iov_time softirq;
    iov_time napi_poll;
    iov_time timer;
    iov_time tick;
    iov_time reschedule;
    iov_time context_switch;
    iov_time idle_entry;
    iov_time idle_exit;
    iov_time idle_poll;
    iov_time wake_up;
    iov_time syscall_entry;
    iov_time syscall_exit;
    iov_time socket_block;
    iov_time socket_receive;
    iov_time application;
    iov_time copy;     /* 1 KiB */
    iov_time checksum; /* 1 KiB */
    iov_time udp_tx;
    iov_time udp_rx;
    iov_time tcp_tx;
    iov_time tcp_rx;
    iov_time tcp_ack;
    iov_time gso;
    iov_time gro;
    iov_time icmp_tx;
    iov_time icmp_rx;
    iov_time tx_return;
    iov_time e1000_tx;
    iov_time e1000_tx_clean;
    iov_time e1000_rx;
    iov_time igb_tx;
    iov_time igb_tx_clean;
    iov_time igb_rx;
    iov_time vmxnet3_tx;
    iov_time vmxnet3_tx_clean;
    iov_time vmxnet3_rx;
    iov_time virtio_tx;
    iov_time virtio_tx_clean;
    iov_time virtio_rx;
    iov_time netfront_tx;
    iov_time netfront_tx_clean;
    iov_time netfront_rx;
    iov_time upcall;
    iov_time pmd_tx;
    iov_time pmd_rx;
    iov_time pmd_poll;
    iov_time pmd_stack;
    iov_time dma_map;
    iov_time dma_unmap;
    iov_time dma_free;
};

struct iov_guest_polls {
    struct iov_guest_napi *first, *last;
};

/* The threads of a processor. */
enum iov_guest_thread { IOV_GUEST_TASK, IOV_GUEST_KSOFTIRQD, IOV_GUEST_NOBODY };

struct iov_guest_sched {
    enum iov_guest_thread current;
    iov_time vruntime[IOV_GUEST_NOBODY];
    iov_time least;       /* of those that want to run; never falls */
    iov_time began;       /* the present turn, in virtual run time */
    iov_time accounted;   /* up to when its time is in vruntime */
    unsigned interrupts;  /* nested, and softirqs */
    iov_time interrupted; /* when the outermost began */
};

struct iov_guest_cpu {
    IovLinuxGuest *guest;
    struct iov_virtual_use *use; /* counts of a processor that is one of several, or NULL */
    struct iov_exec *exec;
    struct iov_span *span; /* the request this processor works for now */
    unsigned index;
    uint32_t apic_id;
    bool booted;
    bool x2apic;
    bool tsc_deadline;
    bool ipi_by_call; /* IPIs are hypercalls */
    uint8_t hardirqs; /* nested interrupt handlers */
    bool in_softirq;
    uint8_t bottom_half_off;
    uint32_t softirqs;   /* raised, bit per enum iov_guest_softirq */
    bool softirq_thread; /* ksoftirqd is runnable: softirqs are its business */
    struct iov_guest_sched sched;
    unsigned task; /* number of its task among the workload's; 0 as well if it has none */
    bool waiting;  /* the task waits for a wake-up */
    struct iov_spin idle_spin;
    iov_time idle_look;           /* the shortest look so far; 0: none yet */
    bool need_resched;            /* another thread is to have the processor */
    bool idle;                    /* the idle loop has the processor */
    bool asleep;                  /* and is about to HLT, or has */
    iov_time handler_began;       /* of a device's interrupt */
    iov_gpa eoi_flag;             /* of paravirtual EOI; 0: not used */
    struct iov_guest_polls polls; /* to be polled */

    bool tick_stopped;
    bool tick_woke;       /* the tick came while the processor was asleep */
    iov_time tick;        /* when the next is due */
    iov_time sleep;       /* end of the task's sleep, or IOV_TIME_MAX */
    iov_time flush;       /* of mappings that are given back later */
    iov_time tcp_timer;   /* the first of iov_guest_tcp_due() */
    iov_time programmed;  /* what the timer is set to, or IOV_TIME_MAX */
    struct iov_menu menu; /* expects how long it will be idle */
    iov_time poll_limit;  /* of halt polling, now */
};

struct iov_guest_irq {
    void (*handler)(void *context, struct iov_guest_cpu *cpu);
    void *context;
    bool level;
    bool upcall;       /* of a hypervisor's events: no EOI */
    bool remapped;     /* level, through a remapping unit: */
    uint8_t pin;       /* the I/O APIC's, which its EOI register takes */
    uint8_t processor; /* that takes it */
};

struct _IovLinuxGuest {
    IovModel parent_instance;
    /* properties */
    int driver;
    uint64_t registers;
    uint64_t ports;
    uint64_t msix;
    uint64_t doorbells;
    uint64_t gsi;
    uint64_t ioapic;
    uint64_t memory_base;
    uint64_t memory_size;
    int apic;
    int tick;
    uint64_t hz;
    int idle;
    iov_time haltpoll;
    bool cpuidle;
    iov_time sched_latency;
    iov_time sched_min_granularity;
    iov_time sched_wakeup_granularity;
    uint32_t interrupt_throttle_rate;
    bool paravirtual_eoi;
    uint64_t interrupt_cpu;
    uint64_t queues;
    int irq_affinity;
    bool rss_udp;
    struct iov_count_list irq_cpus;
    uint64_t apic_timer;
    int iommu_mode;
    uint64_t iommu_registers;
    uint64_t iommu_flush_entries;
    iov_time iommu_flush_time;
    bool interrupt_remapping;
    uint64_t tcp_window;
    bool tx_checksum, rx_checksum, scatter_gather, tso, gso, gro;
    uint64_t requester;
    uint64_t ioapic_requester;
    char *address, *peer_address;
    IovModel *workload;
    struct iov_guest_costs costs;
    /* ports */
    struct iov_program program;
    struct iov_notify_source published;
    struct iov_notify_sink changed;
    /* indices of regions in the measurement: their accesses are counted here, their exits by the
     * monitor */
    unsigned region_nic, region_lapic, region_ioapic, region_iommu;
    /* statistics */
    uint64_t device_interrupts;
    uint64_t timer_interrupts;
    uint64_t reschedule_interrupts;
    uint64_t spurious_interrupts;
    uint64_t eois;
    uint64_t eois_avoided;
    uint64_t apic_accesses;
    uint64_t ioapic_accesses;
    uint64_t device_accesses;
    uint64_t kicks;
    uint64_t kicks_suppressed;
    uint64_t halts;
    uint64_t idle_polls;
    uint64_t timer_writes;
    uint64_t context_switches;
    uint64_t softirq_rounds;
    uint64_t napi_polls;
    uint64_t iommu_accesses;
    uint64_t iommu_batches;
    uint64_t iommu_flushes;
    uint64_t dma_maps;
    uint64_t dma_unmaps;
    uint64_t device_errors;
    bool memory_is_short; /* there was not enough for something */
    uint64_t faults;
    /* state */
    struct iov_measure *measure;
    struct iov_fair fair; /* on this machine */
    struct iov_guest_netdev *netdev;
    bool tasks_started;
    struct iov_guest_iommu *iommu;
    iov_gpa next_memory;
    uint8_t next_vector;
    struct iov_guest_net net; /* rows point into it: before the large arrays */
    struct iov_guest_cpu cpus[IOV_GUEST_CPUS];
    struct iov_guest_irq irqs[256];
};

/* ---- guest-memory.c: memory and devices ---- */

/* `size` bytes of guest memory, for ever; 0 if it is used up. */
iov_gpa iov_guest_allocate(IovLinuxGuest *guest, uint64_t size, uint64_t align);
/* An access to a register of a device: counted, and timed by the processor. */
uint64_t iov_guest_read(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size);
void iov_guest_write(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size, uint64_t value);
void iov_guest_out(struct iov_guest_cpu *cpu, uint16_t port, uint32_t size, uint32_t value);
/* A doorbell: a write that notifies the device. The request goes with it: the processor no longer
 * works for it. */
void iov_guest_kick(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size, uint64_t value);
/* The same by a hypercall: RAX to RDX in `value`, the result in value[0]. */
void iov_guest_kick_by_call(struct iov_guest_cpu *cpu, uint64_t value[4]);
void iov_guest_kick_suppressed(struct iov_guest_cpu *cpu);

/* ---- guest.c ---- */

/* Works for `cost`; interrupts may come in between. */
void iov_guest_charge(struct iov_guest_cpu *cpu, iov_time cost);
/* Copying `bytes` between user and kernel. */
void iov_guest_charge_copy(struct iov_guest_cpu *cpu, uint32_t bytes);
/* The processor works for `span` from now on (NULL: for no request). */
void iov_guest_work_for(struct iov_guest_cpu *cpu, struct iov_span *span);
/* The same for one that may have waited while this processor worked for others, or lain with
 * another one. */
void iov_guest_take_up(struct iov_guest_cpu *cpu, struct iov_span *span);
/* The same for one that an interrupt held up; a device may have taken it since. */
void iov_guest_resume(struct iov_guest_cpu *cpu, struct iov_span *span);
/* The guest cannot go on, for a reason of which the user is told; the run ends. */
void iov_guest_fail(struct iov_guest_cpu *cpu, const char *why);
iov_time iov_guest_now(const struct iov_guest_cpu *cpu);
/* Processors of the machine. */
unsigned iov_guest_processors(const IovLinuxGuest *guest);
/* Waits until all of them have booted. */
void iov_guest_wait_processors(struct iov_guest_cpu *cpu);
/* Pairs that a driver uses of a device with `most`: one a processor, and no more than `queues`. */
unsigned iov_guest_queue_pairs(const IovLinuxGuest *guest, unsigned most);
/* Queue of processor `index`, and the first processor of a queue: neighbours share one when there
 * are more processors than queues. */
unsigned iov_guest_queue_of(const IovLinuxGuest *guest, unsigned index);
unsigned iov_guest_processor_of(const IovLinuxGuest *guest, unsigned queue);
/* Tasks of the workload: one a processor, if there are flows for all. */
unsigned iov_guest_tasks(const IovLinuxGuest *guest);

/* ---- guest-irq.c ---- */

void iov_guest_boot_apic(struct iov_guest_cpu *cpu);
void iov_guest_program_interrupt(struct iov_program *program, struct iov_exec *exec,
                                 uint8_t vector);
/* A free vector with this handler; 0 if there is none left. */
uint8_t iov_guest_request_irq(IovLinuxGuest *guest, bool level,
                              void (*handler)(void *context, struct iov_guest_cpu *cpu),
                              void *context);
/* The vector of the hypervisor's event upcall. */
void iov_guest_request_upcall(IovLinuxGuest *guest,
                              void (*handler)(void *context, struct iov_guest_cpu *cpu),
                              void *context);
/* The same for a vector of queue `queue`: it goes to the processor that irq-affinity gives it. */
uint8_t iov_guest_request_queue_irq(IovLinuxGuest *guest, unsigned queue,
                                    void (*handler)(void *context, struct iov_guest_cpu *cpu),
                                    void *context);
/* Address of an interrupt message for `vector`, which its handler was requested for. */
uint64_t iov_guest_msi_address(struct iov_guest_cpu *cpu, uint8_t vector);
/* Sends the level interrupt of I/O APIC pin `gsi` to `vector`. */
void iov_guest_route_gsi(struct iov_guest_cpu *cpu, uint32_t gsi, uint8_t vector);
void iov_guest_send_ipi(struct iov_guest_cpu *cpu, const struct iov_guest_cpu *target,
                        uint8_t vector);
void iov_guest_apic_write(struct iov_guest_cpu *cpu, uint32_t offset, uint32_t value);

/* ---- guest-sched.c ---- */

void iov_guest_sched_switch(struct iov_guest_cpu *cpu, enum iov_guest_thread thread);
/* Around time that is no thread's. */
void iov_guest_sched_interrupt_begin(struct iov_guest_cpu *cpu);
void iov_guest_sched_interrupt_end(struct iov_guest_cpu *cpu);
/* `thread` is runnable from now on; need_resched if it goes before the one that runs. */
void iov_guest_sched_wake(struct iov_guest_cpu *cpu, enum iov_guest_thread thread);
void iov_guest_sched_tick(struct iov_guest_cpu *cpu);
/* Whose turn it is. */
enum iov_guest_thread iov_guest_sched_pick(struct iov_guest_cpu *cpu);

/* ---- guest-softirq.c ---- */

void iov_guest_raise_softirq(struct iov_guest_cpu *cpu, enum iov_guest_softirq softirq);
/* At the exit of an interrupt, with interrupts off: runs what was raised, or lets ksoftirqd have
 * its turn. */
void iov_guest_softirq_exit(struct iov_guest_cpu *cpu);
/* ksoftirqd runs until it has nothing to do or the task's turn has come. With the switch to it.
 * Interrupts are off before and after. */
void iov_guest_softirq_thread(struct iov_guest_cpu *cpu);
/* Bottom halves off and on; on runs the softirqs that were raised. */
void iov_guest_bottom_half_disable(struct iov_guest_cpu *cpu);
void iov_guest_bottom_half_enable(struct iov_guest_cpu *cpu);
/* Runs the network receive softirq: napi.c polls. */
void iov_guest_net_rx_softirq(struct iov_guest_cpu *cpu);
void iov_guest_net_tx_softirq(struct iov_guest_cpu *cpu);

/* ---- guest-idle.c ---- */

void iov_guest_start_timer(struct iov_guest_cpu *cpu);
void iov_guest_timer_interrupt(struct iov_guest_cpu *cpu);
/*
 * How a task waits: prepare; if the condition does not hold yet, block; check again; at the end
 * done. A wake-up between prepare and block is not lost.
 */
void iov_guest_wait_prepare(struct iov_guest_cpu *cpu);
void iov_guest_wait_block(struct iov_guest_cpu *cpu);
void iov_guest_wait_done(struct iov_guest_cpu *cpu);
/* Wakes the task of `target`, if it waits; `cpu` executes this. */
void iov_guest_wake(struct iov_guest_cpu *cpu, struct iov_guest_cpu *target);
/* The task sleeps until `when`. */
void iov_guest_sleep_until(struct iov_guest_cpu *cpu, iov_time when);
void iov_guest_sleep(struct iov_guest_cpu *cpu, iov_time duration);
/* One of the processor's timers is due at `when`. */
void iov_guest_set_timer(struct iov_guest_cpu *cpu, iov_time *timer, iov_time when);
/* Busy waiting, as udelay() does. */
void iov_guest_delay(struct iov_guest_cpu *cpu, iov_time duration);
/* The idle loop, for ever. */
void iov_guest_idle_for_ever(struct iov_guest_cpu *cpu);

#endif
