/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software on a processor: what a program may ask of the processor that it runs on, and what the
 * processor calls back.
 *
 * A struct iov_exec is one stream of instructions on a fiber: a host thread, a guest's virtual
 * processor, or a kernel on bare metal. It asks for operations (struct iov_op); the processor
 * executes each, or takes a VM exit first, or both. With `vmcs` set the stream runs in VMX non-root
 * operation: an exit is a nested call of the monitor on the same fiber, an interrupt is a nested
 * call of the program's handler. Every call here may wait (a fiber is needed) unless it says
 * otherwise.
 *
 * Interrupts and exits come at the boundary of operations and anywhere inside iov_exec_compute().
 */
#ifndef IOV_PORT_EXEC_H
#define IOV_PORT_EXEC_H

#include "core/kernel/fiber.h"
#include "core/port/mem.h"

IOV_BEGIN_DECLS

struct iov_exec;
struct iov_op;
struct iov_exit;
struct iov_processor;
struct iov_program;
struct iov_monitor;
struct iov_vmcs; /* belongs to the processor family */

/* ---- What a program asks for ---- */

/* Instructions that can matter: those that cost, touch a device, or can exit (SDM vol. 3C, chapter
 * 26). */
enum iov_op_kind {
    IOV_OP_LOAD,  /* memory at `address` (guest-physical in a guest), `size` bytes into `data` */
    IOV_OP_STORE, /* the same, from `data` */
    IOV_OP_IN,    /* port `index`, size 1, 2, 4; value[0] */
    IOV_OP_OUT,
    IOV_OP_INS, /* string: `count` elements between port `index` and `data`; REP if count > 1 */
    IOV_OP_OUTS,
    IOV_OP_CPUID, /* leaf value[0], subleaf value[2]; results EAX EBX ECX EDX in value[0..3] */
    IOV_OP_RDMSR, /* MSR `index`; value[0] */
    IOV_OP_WRMSR,
    IOV_OP_HLT,
    IOV_OP_PAUSE,
    IOV_OP_MONITOR,
    IOV_OP_MWAIT,
    IOV_OP_VMCALL,    /* RAX RBX RCX RDX in value[0..3]; result in value[0] */
    IOV_OP_MOV_TO_CR, /* control register `index`; value[0]; `reg` = general register number */
    IOV_OP_MOV_FROM_CR,
    IOV_OP_CLTS,
    IOV_OP_LMSW,
    IOV_OP_MOV_TO_DR,
    IOV_OP_MOV_FROM_DR,
    IOV_OP_INVLPG, /* `linear` */
    IOV_OP_INVPCID,
    IOV_OP_INVD,
    IOV_OP_WBINVD,
    IOV_OP_RDTSC, /* value[0] */
    IOV_OP_RDTSCP,
    IOV_OP_RDPMC,
    IOV_OP_RDRAND,
    IOV_OP_RDSEED,
    IOV_OP_XSETBV,
    IOV_OP_XSAVES,
    IOV_OP_XRSTORS,
    IOV_OP_GETSEC,
    IOV_OP_RSM,
    IOV_OP_DESCRIPTOR_TABLE, /* LGDT, SGDT, LIDT, SIDT: GDTR/IDTR access; index = which (SDM
                                instruction identity) */
    IOV_OP_TASK_REGISTER,    /* LLDT, LTR, SLDT, STR */
    IOV_OP_TASK_SWITCH,
    IOV_OP_EXCEPTION, /* the instruction raises exception `index`, error code value[0], CR2 in
                         `linear` */
    IOV_OP_VMX,       /* a VMX instruction in non-root operation: `index` = its basic exit reason */
    IOV_OP_VMFUNC,
    IOV_OP_ENCLS,
    IOV_OP_CLI,
    IOV_OP_STI, /* interrupts stay blocked for one more operation */
    IOV_OP_MOV_SS,
    IOV_OP_POPF, /* value[0] = RFLAGS; only IF counts */
    IOV_OP_IRET,
    IOV_OP_COUNT,
};

struct iov_op {
    uint8_t kind; /* enum iov_op_kind */
    /* Of the instruction, bytes; 0 lets the processor take the usual one of the kind. */
    uint8_t length;
    uint8_t reg;
    uint8_t flags;  /* IOV_OP_* below */
    uint32_t size;  /* operand, bytes */
    uint32_t index; /* port, MSR, register, exception */
    uint32_t count; /* elements of a string operation */
    uint64_t address;
    uint64_t linear; /* guest-linear address of the operand */
    void *data;
    uint64_t value[4];
    struct iov_span *span;  /* LOAD: out, STORE: in, with IOV_OP_PAYLOAD */
    enum iov_status status; /* out, of LOAD, STORE, IN, OUT: what the bus answered */
};

enum {
    IOV_OP_PAYLOAD = 1 << 0,   /* the bytes are request data: the span travels with them */
    IOV_OP_FREE = 1 << 1,      /* plain memory whose time is part of the surrounding compute */
    IOV_OP_IMMEDIATE = 1 << 2, /* IN/OUT with the port in the instruction */
};

/* ---- Who runs ---- */

/* A program: what the processor calls. Embedded in the model that is the program (guest kernel,
 * host kernel). */
struct iov_program_ops {
    /* First instruction of processor `index` of the program's machine. It need not return. */
    void (*start)(struct iov_program *program, struct iov_exec *exec, unsigned index);
    /* The interrupt gate of `vector`: runs with interrupts off, IRET on return. A nested call on
     * the fiber. */
    void (*interrupt)(struct iov_program *program, struct iov_exec *exec, uint8_t vector);
    /* An exception that was injected or raised. May be NULL: then it is counted and dropped. */
    void (*exception)(struct iov_program *program, struct iov_exec *exec, uint8_t vector,
                      uint32_t error_code);
    /* Why the program cannot run on so many processors, or NULL. Asked before the run. May be
     * NULL. */
    const char *(*refuses)(struct iov_program *program);
};

struct iov_program {
    const struct iov_program_ops *ops;
    unsigned processors; /* of its machine, which says so when it is realized; 0: one */
    uint64_t memory;     /* the same: it ends there; 0: nobody has said */
};

struct iov_exec {
    struct iov_processor *processor; /* where it runs now; NULL while it is not scheduled */
    struct iov_program *program;
    struct iov_vmcs *vmcs;       /* not NULL: VMX non-root operation under this VMCS */
    struct iov_monitor *monitor; /* takes the exits */
    struct iov_span *span;       /* the request it works for, or NULL */
    /* Its name as a holder of spans: a vCPU and the host thread below it share one. */
    const void *holder;
    bool interrupts;  /* RFLAGS.IF */
    uint8_t blocking; /* IOV_BLOCKING_*: by STI, by MOV SS; cleared after the next operation */
    uint8_t depth;    /* nested handlers */
    uint8_t part; /* of its operations' own time: IOV_PART_GUEST (0), or a host's IOV_PART_HOST */
    bool halted;  /* activity state HLT */
    bool pending; /* the processor's: used since begin for pending_part, and not booked */
    uint8_t pending_part;
    iov_time begin;
    iov_time halt_latency; /* of leaving the idle state it asked for (MWAIT); 0: that of HLT */
    uint64_t operations;   /* executed */
    iov_time used[IOV_PART_COUNT]; /* processor time by part */
    void *owner;                   /* for the program or monitor */
    void *guest_state;             /* for the processor family */
};

enum { IOV_BLOCKING_STI = 1 << 0, IOV_BLOCKING_MOV_SS = 1 << 1 };

/* ---- Exits ---- */

/* What the VMCS's exit-information fields say (SDM vol. 3C, 28.2). The processor writes them to the
 * VMCS as well. */
struct iov_exit {
    uint32_t reason; /* basic reason; bit 31: the entry failed */
    uint32_t instruction_length;
    uint32_t instruction_info;
    uint32_t interruption_info;
    uint32_t interruption_error;
    uint32_t idt_vectoring_info;
    uint64_t qualification;
    uint64_t guest_physical;
    uint64_t guest_linear;
    /* The instruction, as the monitor's decoder would find it; NULL for an event. */
    struct iov_op *op;
};

enum iov_resume {
    IOV_RESUME_NEXT, /* the monitor emulated the instruction: results are in op, RIP was advanced */
    IOV_RESUME_RETRY, /* execute it again (or nothing, for an event) */
};

struct iov_monitor_ops {
    /*
     * Root operation after an exit of `guest`, on the same fiber; the entry follows when it
     * returns. `guest->processor` may have changed meanwhile (the thread moved).
     */
    enum iov_resume (*exit)(struct iov_monitor *monitor, struct iov_exec *guest,
                            struct iov_exit *exit);
};

struct iov_monitor {
    const struct iov_monitor_ops *ops;
};

/* ---- The processor ---- */

/*
 * Looking at something again and again, in vain, until somebody says that it has changed: what a
 * program that polls does, without an event for each look. Initialise with zeros.
 */
struct iov_spin {
    struct iov_processor *processor; /* that spins; NULL: nobody does */
    iov_time begin;
    iov_time period;
    iov_time until; /* when the look that finds it is over */
    bool found;
    bool pauses; /* each look has a PAUSE (SDM vol. 3C, 26.1.3): where loops of them exit, the spin
                    is over at once */
};

/*
 * A stream whose next steps are: to compute `duration` with interrupts off, then STI; HLT; and, if
 * the interrupt that ends the halt is `vector`, a handler that does nothing but use the processor
 * for `handler`. None of that needs its fiber, which is parked. When the handler is over it is the
 * turn of `heir`, a parked fiber too, which calls rest_over(): true: the rest is over, and the
 * stream gives its processor away. In all other cases, and if there is no heir, `fiber` is unparked
 * and calls rested() first of all. That returns false, with interrupts still off, when the duration
 * is over and the stream has not halted yet; true when the halt is, interrupts handled.
 */
struct iov_rest {
    struct iov_exec *exec;
    struct iov_fiber *fiber;
    struct iov_fiber *heir; /* known when the interrupt comes; NULL: none */
    iov_time duration;
    enum iov_part part;
    uint8_t vector;
    iov_time handler;
    enum iov_part handler_part;
    iov_time handled; /* out: since when the handler runs; IOV_TIME_MAX: it does not */
};

/* Outcomes of VMX instructions (SDM vol. 3C, 31.2): the error numbers of VMfailValid are in
 * vmx-regs.h. */
enum iov_vmx_status { IOV_VMX_SUCCEED, IOV_VMX_FAIL_INVALID, IOV_VMX_FAIL_VALID };

struct iov_processor_ops {
    void (*compute)(struct iov_exec *exec, iov_time duration, enum iov_part part);
    void (*operate)(struct iov_exec *exec, struct iov_op *op);
    /* Delivers what is pending now (interrupts, exits); an empty operation boundary. */
    void (*boundary)(struct iov_exec *exec);
    /* See iov_exec_spin(). NULL: the processor cannot. */
    void (*spin)(struct iov_exec *exec, struct iov_spin *spin, enum iov_part part);
    /* See struct iov_rest. rest() returns false, and does nothing, if something is pending. NULL:
     * the processor cannot. */
    bool (*rest)(struct iov_rest *rest);
    bool (*rest_over)(struct iov_rest *rest);
    bool (*rested)(struct iov_rest *rest);
    /* `busy` and `used` below count all that has happened until now. NULL: they always do. */
    void (*settle)(struct iov_processor *processor);
    /* Whoever waits inside an operation of the processor looks about him. */
    void (*poke)(struct iov_processor *processor);
    /* Arrival of interrupt `vector` at the physical local APIC. From any context; does not wait. */
    void (*interrupt)(struct iov_processor *processor, uint8_t vector, struct iov_span *span);
    /* VMX instructions of root operation, executed by `exec`. Fields and error numbers:
     * vmx-regs.h. */
    enum iov_vmx_status (*vmxon)(struct iov_exec *exec, iov_hpa region);
    enum iov_vmx_status (*vmxoff)(struct iov_exec *exec);
    enum iov_vmx_status (*vmclear)(struct iov_exec *exec, iov_hpa region);
    enum iov_vmx_status (*vmptrld)(struct iov_exec *exec, iov_hpa region);
    enum iov_vmx_status (*vmptrst)(struct iov_exec *exec, iov_hpa *ret_region);
    enum iov_vmx_status (*vmread)(struct iov_exec *exec, uint32_t field, uint64_t *ret_value);
    enum iov_vmx_status (*vmwrite)(struct iov_exec *exec, uint32_t field, uint64_t value);
    enum iov_vmx_status (*invept)(struct iov_exec *exec, uint64_t type, uint64_t eptp);
    enum iov_vmx_status (*invvpid)(struct iov_exec *exec, uint64_t type, uint16_t vpid,
                                   uint64_t linear);
    /*
     * VMLAUNCH of the current VMCS: `guest` becomes the non-root stream (its vmcs is set here) and
     * guest->program is started with `index`. On VMfail returns at once; otherwise it returns when
     * the program's start() does. VMRESUME is implicit after every exit.
     */
    enum iov_vmx_status (*vmlaunch)(struct iov_exec *host, struct iov_exec *guest, unsigned index);
    /* The number of the last VMfailValid (VM-instruction error field). */
    uint32_t (*vm_instruction_error)(const struct iov_processor *processor);
};

/* A logical processor, embedded in its model (kind "cpu", port "processor"). */
struct iov_processor {
    const struct iov_processor_ops *ops;
    struct iov_kernel *kernel;
    struct iov_apic *apic; /* its local APIC: apic.h */
    uint32_t apic_id;
    uint64_t frequency_hz;         /* of the TSC and of cycle costs */
    bool vmx;                      /* has it */
    bool apic_virtualisation;      /* has it for both modes, with delivery and posting */
    struct iov_exec *running;      /* the stream that has it, or NULL */
    iov_time idle;                 /* time in HLT/MWAIT of root operation */
    iov_time busy;                 /* everything else while a stream had it */
    iov_time used[IOV_PART_COUNT]; /* of `busy`, by part: what compute() was asked for */
};

/* ---- Shorthand ---- */

/* Before `busy` and `used` are read. */
static inline void iov_processor_settle(struct iov_processor *processor)
{
    if (processor->ops != NULL && processor->ops->settle != NULL)
        processor->ops->settle(processor);
}

static inline struct iov_kernel *iov_exec_kernel(const struct iov_exec *exec)
{
    return exec->processor->kernel;
}

/* Uses the processor for `duration`, which ends up in `part` of the stream and of its request.
 * Interrupts may come in between. */
static inline void iov_exec_compute(struct iov_exec *exec, iov_time duration, enum iov_part part)
{
    exec->processor->ops->compute(exec, duration, part);
}

/*
 * Looks at something every `period` until iov_spin_end(), at most for `limit`; true if it was
 * ended. The look after that finds it. Interrupts come in between, as in iov_exec_compute().
 */
static inline bool iov_exec_spin(struct iov_exec *exec, struct iov_spin *spin, iov_time period,
                                 iov_time limit, enum iov_part part)
{
    spin->begin = iov_now(exec->processor->kernel);
    spin->period = period > 0 ? period : 1;
    spin->until = spin->begin + limit;
    spin->found = false;
    exec->processor->ops->spin(exec, spin, part);
    spin->processor = NULL;
    return spin->found;
}

/* What `spin` looks at has changed. From any context; nothing happens if nobody spins. */
static inline void iov_spin_end(struct iov_spin *spin)
{
    struct iov_processor *processor = spin->processor;
    iov_time passed, until;

    if (processor == NULL || spin->found)
        return;
    passed = iov_now(processor->kernel) - spin->begin;
    until = spin->begin + (passed / spin->period + 1) * spin->period;
    spin->found = true;
    if (until < spin->until)
        spin->until = until;
    processor->ops->poke(processor);
}

static inline void iov_exec_operate(struct iov_exec *exec, struct iov_op *op)
{
    exec->processor->ops->operate(exec, op);
}

static inline uint64_t iov_exec_load(struct iov_exec *exec, uint64_t address, uint32_t size)
{
    uint64_t value = 0;
    struct iov_op op = { .kind = IOV_OP_LOAD, .size = size, .address = address, .data = &value };

    iov_exec_operate(exec, &op);
    return value;
}

static inline void iov_exec_store(struct iov_exec *exec, uint64_t address, uint32_t size,
                                  uint64_t value)
{
    struct iov_op op = { .kind = IOV_OP_STORE, .size = size, .address = address, .data = &value };

    iov_exec_operate(exec, &op);
}

/* Plain memory whose time is in the surrounding compute: descriptors, rings, buffers. */
static inline void iov_exec_get(struct iov_exec *exec, uint64_t address, void *data, uint32_t size)
{
    struct iov_op op = {
        .kind = IOV_OP_LOAD, .flags = IOV_OP_FREE, .size = size, .address = address, .data = data
    };

    iov_exec_operate(exec, &op);
}

static inline void iov_exec_put(struct iov_exec *exec, uint64_t address, const void *data,
                                uint32_t size)
{
    struct iov_op op = {
        .kind = IOV_OP_STORE, .flags = IOV_OP_FREE, .size = size, .address = address
    };

    memcpy(&op.data, &data, sizeof data); /* a store only reads it */
    iov_exec_operate(exec, &op);
}

/* Request data: the span goes into memory with the bytes, or comes out with them. */
static inline void iov_exec_put_payload(struct iov_exec *exec, uint64_t address, const void *data,
                                        uint32_t size, struct iov_span *span)
{
    struct iov_op op = { .kind = IOV_OP_STORE,
                         .flags = IOV_OP_FREE | IOV_OP_PAYLOAD,
                         .size = size,
                         .address = address,
                         .span = span };

    memcpy(&op.data, &data, sizeof data);
    iov_exec_operate(exec, &op);
}

static inline struct iov_span *iov_exec_get_payload(struct iov_exec *exec, uint64_t address,
                                                    void *data, uint32_t size)
{
    struct iov_op op = { .kind = IOV_OP_LOAD,
                         .flags = IOV_OP_FREE | IOV_OP_PAYLOAD,
                         .size = size,
                         .address = address,
                         .data = data };

    iov_exec_operate(exec, &op);
    return op.span;
}

static inline uint64_t iov_exec_in(struct iov_exec *exec, uint16_t port, uint32_t size)
{
    struct iov_op op = { .kind = IOV_OP_IN, .size = size, .index = port };

    iov_exec_operate(exec, &op);
    return op.value[0];
}

static inline void iov_exec_out(struct iov_exec *exec, uint16_t port, uint32_t size, uint32_t value)
{
    struct iov_op op = { .kind = IOV_OP_OUT, .size = size, .index = port, .value = { value } };

    iov_exec_operate(exec, &op);
}

static inline uint64_t iov_exec_rdmsr(struct iov_exec *exec, uint32_t msr)
{
    struct iov_op op = { .kind = IOV_OP_RDMSR, .index = msr };

    iov_exec_operate(exec, &op);
    return op.value[0];
}

static inline void iov_exec_wrmsr(struct iov_exec *exec, uint32_t msr, uint64_t value)
{
    struct iov_op op = { .kind = IOV_OP_WRMSR, .index = msr, .value = { value } };

    iov_exec_operate(exec, &op);
}

/* An operation without operands: HLT, CLI, STI, PAUSE, ... */
static inline void iov_exec_do(struct iov_exec *exec, enum iov_op_kind kind)
{
    struct iov_op op = { .kind = (uint8_t)kind };

    iov_exec_operate(exec, &op);
}

IOV_END_DECLS

#endif
