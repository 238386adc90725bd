/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace-replay - a program that does again what a recorded Linux guest did: its port and memory
 * accesses, HLT, CPUID, RDMSR and WRMSR, interrupts and idle time, in order. It runs in place of a
 * guest kernel; what each access costs and whether it exits is the processor's and the monitor's
 * affair.
 *
 *   run segment   instructions × `instruction`, then the row
 *   irq           the vector is sent to the VM as an interrupt message, and the program works until
 *                 it is taken
 *   hlt           the message comes after the recorded idle time, and ends the HLT
 *
 * The handler only notes that it was called: what the recorded handler did are the rows after the
 * interrupt, up to its EOI. Phases of the trace are phases of the measurement; exits are counted
 * for the region that a row names.
 *
 * A recording has no memory. Of a remapping unit it names the descriptors that the unit fetched:
 * with `queue` the program turns the unit's queue on and writes each into its place before the tail
 * that leads to it, so that a unit behind the registers works as the recorded one did.
 *
 * LIMIT: the trace does not tell which MSR was written: it is FS base, which does not exit under
 * KVM. CPUID asks for leaf 0. Level interrupts are sent as edges.
 */
#include "core/trace/measure.h"
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/guest/trace-device.h"
#include "models/guest/trace-reader.h"
#include "models/guest/workload.h"
#include "models/iommu/vtd-regs.h"
#include "models/irq/ioapic-regs.h"

#define SVR_SPURIOUS 0xff
#define TIMER_VECTOR 0xec
#define WAIT_STEP (100 * IOV_NS) /* work while an interrupt is on its way */
#define WAIT_STEPS 100000        /* then it counts as lost */

G_DECLARE_FINAL_TYPE(IovTraceReplay, iov_trace_replay, IOV, TRACE_REPLAY, IovWorkload)

struct _IovTraceReplay {
    IovWorkload parent_instance;
    char *trace;          /* properties */
    iov_time instruction; /* time of one */
    iov_time idle_limit;  /* longest idle time that is kept */
    IovModel *device;
    uint64_t queue;
    uint64_t iommu_registers;
    struct iov_program program;        /* port */
    struct iov_mem_initiator messages; /* port */
    uint64_t rows;                     /* statistics */
    uint64_t accesses;
    uint64_t access_exits;
    uint64_t halts;
    uint64_t interrupts_sent;
    uint64_t interrupts_taken;
    uint64_t interrupts_lost;
    uint64_t early_wakes;
    uint64_t different_reads;
    uint64_t descriptors;
    struct iov_trace *recorded; /* state */
    struct iov_measure *measure;
    unsigned regions[IOV_TRACE_REGIONS]; /* in the measurement */
    struct iov_event message;
    uint8_t vector; /* of the message */
    uint32_t taken[256];
};

G_DEFINE_FINAL_TYPE(IovTraceReplay, iov_trace_replay, IOV_TYPE_WORKLOAD)

/* ---- Interrupts ---- */

static void on_message(struct iov_event *event)
{
    IovTraceReplay *self = iov_container_of(event, IovTraceReplay, message);
    uint32_t data = self->vector;
    struct iov_mem_req req = { .address = MSI_BASE,
                               .data = &data,
                               .size = sizeof data,
                               .flags = IOV_MEM_INTERRUPT,
                               .pasid = IOV_NO_PASID };

    self->interrupts_sent++;
    iov_mem_write_req(&self->messages, &req);
}

static void send_after(IovTraceReplay *self, uint8_t vector, iov_time delay)
{
    if (iov_event_armed(&self->message)) { /* a HLT ended before its interrupt came */
        self->early_wakes++;
        iov_event_disarm(&self->message);
    }
    self->vector = vector;
    iov_event_in(&self->message, delay);
}

static void replay_interrupt(struct iov_program *program, struct iov_exec *exec, uint8_t vector)
{
    IovTraceReplay *self = iov_container_of(program, IovTraceReplay, program);

    (void)exec;
    self->taken[vector]++;
    self->interrupts_taken++;
    if (vector == TIMER_VECTOR)
        self->measure->counters.timer_interrupts++;
    else
        self->measure->counters.interrupts++;
}

/* The recorded processor has taken an interrupt here: so does this one, if it has not yet. */
static void take_interrupt(IovTraceReplay *self, struct iov_exec *exec, uint8_t vector)
{
    if (self->taken[vector] == 0)
        send_after(self, vector, 0);
    for (unsigned i = 0; self->taken[vector] == 0; i++) {
        if (i == WAIT_STEPS) {
            self->interrupts_lost++;
            return;
        }
        iov_exec_compute(exec, WAIT_STEP, IOV_PART_GUEST);
    }
    self->taken[vector]--;
}

/* The interrupt that ends a HLT: the next one in the trace. */
static const struct iov_trace_row *next_interrupt(const IovTraceReplay *self, size_t index)
{
    for (size_t i = index; i < self->recorded->count; i++)
        if (self->recorded->rows[i].kind == IOV_TRACE_IRQ)
            return &self->recorded->rows[i];
    return NULL;
}

static void halt(IovTraceReplay *self, struct iov_exec *exec, size_t index)
{
    const struct iov_trace_row *row = &self->recorded->rows[index];
    const struct iov_trace_row *wake = next_interrupt(self, index);

    if (wake == NULL)
        return; /* the last one: nothing would ever wake the processor */
    iov_time idle = (wake->time_ns - row->time_ns) * IOV_NS;

    self->halts++;
    if (self->taken[wake->value] == 0)
        send_after(self, (uint8_t)wake->value, idle < self->idle_limit ? idle : self->idle_limit);
    iov_exec_do(exec, IOV_OP_HLT);
}

/* ---- Accesses ---- */

static uint64_t count_exits(const struct iov_measure *measure)
{
    const uint64_t *exits = measure->counters.exits;

    return exits[IOV_EXIT_IO_INSTRUCTION] + exits[IOV_EXIT_APIC_ACCESS] +
           exits[IOV_EXIT_EPT_VIOLATION] + exits[IOV_EXIT_EPT_MISCONFIG] +
           exits[IOV_EXIT_APIC_WRITE];
}

static void access_port(const struct iov_trace_row *row, struct iov_exec *exec, uint64_t *ret_value)
{
    if (row->write)
        iov_exec_out(exec, (uint16_t)row->address, row->size, (uint32_t)row->value);
    else
        *ret_value = iov_exec_in(exec, (uint16_t)row->address, row->size);
}

static void access_memory(const struct iov_trace_row *row, struct iov_exec *exec,
                          uint64_t *ret_value)
{
    if (row->write)
        iov_exec_store(exec, row->address, row->size, row->value);
    else
        *ret_value = iov_exec_load(exec, row->address, row->size);
}

static bool is_controller(const struct iov_trace_row *row)
{
    return row->kind == IOV_TRACE_MMIO && (row->address >> 12 == IOV_APIC_DEFAULT_BASE >> 12 ||
                                           row->address >> 12 == IOAPIC_BASE >> 12);
}

static void execute_access(IovTraceReplay *self, struct iov_exec *exec,
                           const struct iov_trace_row *row)
{
    struct iov_counters *counters = &self->measure->counters;
    struct iov_region_count regions[IOV_MEASURE_REGIONS];
    uint64_t before = count_exits(self->measure);
    uint64_t value = row->value;

    memcpy(regions, counters->regions, sizeof regions);
    if (!row->write && self->device != NULL && !is_controller(row))
        iov_trace_device_expect(self->device, row->value);
    if (row->kind == IOV_TRACE_PIO)
        access_port(row, exec, &value);
    else
        access_memory(row, exec, &value);
    uint64_t caused = count_exits(self->measure) - before;

    self->accesses++;
    self->access_exits += caused;
    if (value != row->value && !is_controller(row))
        self->different_reads++;
    /* The access belongs to the region that the row names, and to no other that a monitor may have
     * counted it for. */
    memcpy(counters->regions, regions, sizeof regions);
    counters->regions[self->regions[row->name]].accesses++;
    counters->regions[self->regions[row->name]].exits += caused;
    if (row->kind == IOV_TRACE_MMIO && row->address >> 12 == IOV_APIC_DEFAULT_BASE >> 12)
        counters->apic_accesses++;
    else
        counters->device_accesses++;
}

/* ---- The invalidation queue of a remapping unit ---- */

enum { QUEUE_ENTRIES = 256 };

static void put_descriptor(const IovTraceReplay *self, struct iov_exec *exec, unsigned slot,
                           uint64_t low, uint64_t high)
{
    const uint64_t words[2] = { low, high };

    iov_exec_put(exec, self->queue + slot % QUEUE_ENTRIES * sizeof words, words, sizeof words);
}

static void start_queue(const IovTraceReplay *self, struct iov_exec *exec)
{
    for (unsigned slot = 0; slot < QUEUE_ENTRIES; slot++) /* what came before the recording */
        put_descriptor(self, exec, slot, VTD_INV_WAIT, 0);
    iov_exec_store(exec, self->iommu_registers + VTD_IQA, 8, self->queue);
    iov_exec_store(exec, self->iommu_registers + VTD_GCMD, 4, VTD_G_QIE);
}

/* The descriptors stand in the rows behind the write of the tail. */
static void fill_queue(IovTraceReplay *self, struct iov_exec *exec, size_t index)
{
    const struct iov_trace *recorded = self->recorded;
    unsigned tail = (unsigned)(recorded->rows[index].value >> 4);
    unsigned count = 0;
    size_t end = index + 1;

    for (; end < recorded->count && recorded->rows[end].kind >= IOV_TRACE_DESCRIPTOR &&
           recorded->rows[end].kind <= IOV_TRACE_DEVICE;
         end++)
        count += recorded->rows[end].kind == IOV_TRACE_DESCRIPTOR;
    for (size_t i = index + 1; i < end && count <= QUEUE_ENTRIES; i++) {
        const struct iov_trace_row *row = &recorded->rows[i];

        if (row->kind != IOV_TRACE_DESCRIPTOR)
            continue;
        put_descriptor(self, exec, tail + QUEUE_ENTRIES - count--, row->address, row->value);
        self->descriptors++;
    }
}

static bool is_tail(const IovTraceReplay *self, const struct iov_trace_row *row)
{
    return self->queue != 0 && row->kind == IOV_TRACE_MMIO && row->write &&
           row->address == self->iommu_registers + VTD_IQT;
}

/* ---- The program ---- */

static void execute(IovTraceReplay *self, struct iov_exec *exec, size_t index)
{
    const struct iov_trace_row *row = &self->recorded->rows[index];
    struct iov_op cpuid = { .kind = IOV_OP_CPUID };
    const char *phase;

    switch ((enum iov_trace_kind)row->kind) {
    case IOV_TRACE_PIO:
    case IOV_TRACE_MMIO:
        if (is_tail(self, row))
            fill_queue(self, exec, index);
        execute_access(self, exec, row);
        break;
    case IOV_TRACE_IRQ:
        take_interrupt(self, exec, (uint8_t)row->value);
        break;
    case IOV_TRACE_HLT:
        halt(self, exec, index);
        break;
    case IOV_TRACE_CPUID:
        iov_exec_operate(exec, &cpuid);
        break;
    case IOV_TRACE_RDMSR:
        iov_exec_rdmsr(exec, IOV_MSR_FS_BASE);
        break;
    case IOV_TRACE_WRMSR:
        iov_exec_wrmsr(exec, IOV_MSR_FS_BASE, 0);
        break;
    case IOV_TRACE_BEGIN:
        iov_measure_phase_end(self->measure, 0); /* of what lies before the first phase */
        iov_measure_phase_begin(self->measure,
                                g_ptr_array_index(self->recorded->phases, row->name));
        break;
    case IOV_TRACE_END:
        phase = g_ptr_array_index(self->recorded->phases, row->name);
        iov_measure_phase_end(self->measure, iov_trace_phase_units(phase));
        self->measure->operations += iov_trace_phase_units(phase);
        self->measure->guests[self->parent_instance.guest].operations +=
            iov_trace_phase_units(phase);
        break;
    case IOV_TRACE_MSI:
    case IOV_TRACE_GSI:
    case IOV_TRACE_DESCRIPTOR:
    case IOV_TRACE_DEVICE:
    case IOV_TRACE_NOTE:
        break;
    }
}

static void replay_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    IovTraceReplay *self = iov_container_of(program, IovTraceReplay, program);
    const struct iov_trace *recorded = self->recorded;
    uint64_t instructions = 0;

    if (index != 0) { /* recorded machines have one processor */
        for (;;)
            iov_exec_do(exec, IOV_OP_HLT);
    }
    iov_exec_store(exec, IOV_APIC_DEFAULT_BASE + IOV_APIC_SVR, 4,
                   IOV_APIC_SVR_ENABLE | SVR_SPURIOUS);
    iov_exec_do(exec, IOV_OP_STI);
    if (self->queue != 0)
        start_queue(self, exec);
    iov_measure_begin(self->measure);
    iov_measure_phase_begin(self->measure, "boot");
    for (size_t i = 0; i < recorded->count; i++) {
        const struct iov_trace_row *row = &recorded->rows[i];

        if (row->instructions > instructions)
            iov_exec_compute(exec, (row->instructions - instructions) * self->instruction,
                             IOV_PART_GUEST);
        instructions = row->instructions;
        self->rows++;
        execute(self, exec, i);
    }
    iov_measure_phase_end(self->measure, 0);
    iov_measure_end(self->measure, true);
    iov_kernel_stop(self->measure->kernel);
    for (;;)
        iov_exec_do(exec, IOV_OP_HLT);
}

static const struct iov_program_ops program_ops = { .start = replay_start,
                                                    .interrupt = replay_interrupt };

/* ---- Life cycle ---- */

static bool replay_realize(IovModel *model, GError **error)
{
    IovTraceReplay *self = (IovTraceReplay *)(void *)model;

    if (!IOV_MODEL_CLASS(iov_trace_replay_parent_class)->realize(model, error))
        return false;
    self->measure = model->run->measure;
    self->recorded = iov_trace_load(self->trace, error);
    if (self->recorded == NULL) {
        IOV_MODEL_CLASS(iov_trace_replay_parent_class)->unrealize(model);
        return false;
    }
    for (unsigned i = 0; i < self->recorded->region_count; i++)
        self->regions[i] = iov_measure_region(self->measure, self->recorded->regions[i]);
    iov_event_init(&self->message, model->kernel, on_message, IOV_PRIORITY_DEFAULT);
    return true;
}

static void replay_unrealize(IovModel *model)
{
    IovTraceReplay *self = (IovTraceReplay *)(void *)model;

    iov_event_disarm(&self->message);
    iov_trace_free(self->recorded);
    self->recorded = NULL;
    IOV_MODEL_CLASS(iov_trace_replay_parent_class)->unrealize(model);
}

static void iov_trace_replay_class_init(IovTraceReplayClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->realize = replay_realize;
    mc->unrealize = replay_unrealize;
    iov_model_class_describe(mc, "trace-replay",
                             "Does again what a recorded Linux guest did to its devices");
    IOV_PROP_STRING(mc, IovTraceReplay, trace, NULL, "The recording, a file: CSV packed with zstd");
    IOV_PROP_TIME(mc, IovTraceReplay, instruction, 0, IOV_US, 2 * IOV_NS,
                  "Time of one recorded instruction");
    IOV_PROP_TIME(mc, IovTraceReplay, idle_limit, 0, 100 * IOV_SEC, 100 * IOV_SEC,
                  "Idle times longer than this are cut to it");
    IOV_PROP_REF(mc, IovTraceReplay, device, "trace-device", false,
                 "The device that answers the reads");
    IOV_PROP_COUNT(mc, IovTraceReplay, queue, 0, UINT64_MAX, 0,
                   "Guest-physical page for the invalidation queue of a remapping unit; 0: none");
    IOV_PROP_COUNT(mc, IovTraceReplay, iommu_registers, 0, UINT64_MAX, VTD_BASE,
                   "Guest-physical address of that unit");
    IOV_PORT_CONTRACT(mc, IovTraceReplay, program, IOV_PORT_PROGRAM,
                      "The program, for the virtual processor");
    IOV_PORT_MEM_INITIATOR(mc, IovTraceReplay, messages, "Interrupt messages to the VM");
    IOV_STAT(mc, IovTraceReplay, rows, "Rows of the trace done");
    IOV_STAT(mc, IovTraceReplay, accesses, "Accesses to ports and registers");
    IOV_STAT(mc, IovTraceReplay, access_exits, "VM exits that they caused");
    IOV_STAT(mc, IovTraceReplay, halts, "HLT executed");
    IOV_STAT(mc, IovTraceReplay, interrupts_sent, "Interrupt messages sent to the VM");
    IOV_STAT(mc, IovTraceReplay, interrupts_taken, "Interrupts that the program has taken");
    IOV_STAT(mc, IovTraceReplay, interrupts_lost, "Interrupts that never came");
    IOV_STAT(mc, IovTraceReplay, early_wakes, "HLT that ended before the interrupt that ends it");
    IOV_STAT(mc, IovTraceReplay, descriptors,
             "Descriptors put into the invalidation queue as recorded");
    IOV_STAT(mc, IovTraceReplay, different_reads, "Reads that gave something else than recorded");
}

static void iov_trace_replay_init(IovTraceReplay *self)
{
    self->program.ops = &program_ops;
}
