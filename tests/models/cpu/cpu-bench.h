/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for the processor: 1 MiB of memory, a page of device registers, I/O ports, a host stream,
 * a guest stream under a monitor that writes down its exits. A test gives the guest's program as a
 * function.
 */
#ifndef IOV_TESTS_CPU_BENCH_H
#define IOV_TESTS_CPU_BENCH_H

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/cpu/apic-regs.h"
#include "models/cpu/ept-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"

enum {
    BENCH_MEMORY = 1024 * 1024,
    BENCH_VMXON = 0x1000,
    BENCH_VMCS = 0x2000,
    BENCH_IO_A = 0x3000,
    BENCH_IO_B = 0x4000,
    BENCH_MSR = 0x5000,
    BENCH_VAPIC = 0x6000,
    BENCH_POSTED = 0x7000,
    BENCH_EPT = 0x8000, /* PML4, PDPT, PD, PT */
    BENCH_APIC_ACCESS = 0xc000,
    BENCH_VMCS2 = 0xd000,
    BENCH_RAM = 0x40000, /* guest-physical 0 is here: 256 KiB */
    BENCH_DEVICE = 0xf0000000,
    BENCH_LOG = 64,
};

struct bench;
typedef void bench_fn(struct bench *bench);

/* An interrupt that is to come. */
struct bench_arrival {
    struct iov_event event;
    struct bench *bench;
    uint8_t vector;
    struct iov_span *span;
};

/* Costs of the bench, all different so that a test sees which were charged. */
enum {
    COST_EXIT = 500,
    COST_ENTRY = 400,
    COST_INTERRUPT = 100,
    COST_POSTED = 70,
    COST_WALK = 10,
    COST_WAKE = 1000,
    COST_DEVICE = 300,
};

struct bench {
    struct iov_kernel *kernel;
    struct iov_run run;
    struct iov_measure measure;
    struct iov_cost_table costs;
    IovModel *model;
    struct iov_processor *cpu;
    struct iov_mem_target bus;
    struct iov_mem_target ports;
    uint8_t *memory;
    uint64_t device_register; /* the last access to a device register or a port */
    uint64_t device_address;
    unsigned device_accesses;
    unsigned messages; /* interrupt messages seen on the bus */
    uint64_t message_address;
    uint32_t message_data;
    unsigned payloads; /* requests that carried payload: the last one's address and span */
    uint64_t payload_address;
    struct iov_span *payload;
    struct iov_exec host;
    struct iov_exec guest;
    struct iov_program host_program;
    struct iov_program guest_program;
    struct iov_monitor monitor;
    bench_fn *body;    /* the guest's program, or the host's */
    bench_fn *on_exit; /* what the monitor does, or NULL */
    bench_fn *handler; /* of guest interrupts, or NULL */
    enum iov_resume resume;
    struct iov_exit exits[BENCH_LOG];
    iov_time exit_times[BENCH_LOG];
    unsigned exit_count;
    uint8_t vectors[BENCH_LOG]; /* handlers entered: guest or host in order */
    iov_time vector_times[BENCH_LOG];
    unsigned vector_count;
    uint8_t exceptions[BENCH_LOG];
    uint32_t exception_errors[BENCH_LOG];
    unsigned exception_count;
    unsigned host_interrupts;
    struct bench_arrival arrivals[2];
    unsigned arrival_count;
    bool eoi; /* handlers write EOI to the physical APIC */
    bool done;
    uint64_t note; /* for the test */
};

static inline struct bench *bench_of_exec(struct iov_exec *exec)
{
    return exec->owner;
}

/* ---- Fake memory ---- */

static inline bool bench_inside(const struct iov_mem_req *req)
{
    return req->size <= BENCH_MEMORY && req->address <= BENCH_MEMORY - req->size;
}

static inline enum iov_status bench_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct bench *bench = iov_container_of(target, struct bench, bus);

    if (bench_inside(req)) {
        memcpy(req->data, bench->memory + req->address, req->size);
        if (req->flags & IOV_MEM_PAYLOAD && bench->payload_address == req->address)
            req->span = bench->payload;
        return IOV_STATUS_OK;
    }
    if (req->address - BENCH_DEVICE >= 0x1000)
        return IOV_STATUS_UNSUPPORTED;
    bench->device_accesses++;
    bench->device_address = req->address;
    iov_mem_set_value(req, bench->device_register);
    req->delay += COST_DEVICE * IOV_NS;
    return IOV_STATUS_OK;
}

static inline enum iov_status bench_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct bench *bench = iov_container_of(target, struct bench, bus);

    if (bench_inside(req)) {
        memcpy(bench->memory + req->address, req->data, req->size);
        if (req->flags & IOV_MEM_PAYLOAD) {
            bench->payloads++;
            bench->payload_address = req->address;
            bench->payload = req->span;
        }
        return IOV_STATUS_OK;
    }
    if (req->flags & IOV_MEM_INTERRUPT) {
        bench->messages++;
        bench->message_address = req->address;
        bench->message_data = (uint32_t)iov_mem_value(req);
        return IOV_STATUS_OK;
    }
    if (req->address - BENCH_DEVICE >= 0x1000)
        return IOV_STATUS_UNSUPPORTED;
    bench->device_accesses++;
    bench->device_address = req->address;
    bench->device_register = iov_mem_value(req);
    return IOV_STATUS_OK;
}

static inline uint8_t *bench_direct(struct iov_mem_target *target, uint64_t address,
                                    uint64_t *ret_size)
{
    struct bench *bench = iov_container_of(target, struct bench, bus);

    if (address >= BENCH_MEMORY)
        return NULL;
    *ret_size = BENCH_MEMORY - address;
    return bench->memory + address;
}

static const struct iov_mem_target_ops bench_bus_ops = { bench_read, bench_write, bench_direct };

static inline enum iov_status bench_in(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct bench *bench = iov_container_of(target, struct bench, ports);

    bench->device_accesses++;
    bench->device_address = req->address;
    iov_mem_set_value(req, bench->device_register);
    return IOV_STATUS_OK;
}

static inline enum iov_status bench_out(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct bench *bench = iov_container_of(target, struct bench, ports);

    bench->device_accesses++;
    bench->device_address = req->address;
    bench->device_register = iov_mem_value(req);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops bench_ports_ops = { bench_in, bench_out, NULL };

static inline void bench_put64(struct bench *bench, uint64_t address, uint64_t value)
{
    memcpy(bench->memory + address, &value, 8);
}

static inline uint64_t bench_get64(const struct bench *bench, uint64_t address)
{
    uint64_t value;

    memcpy(&value, bench->memory + address, 8);
    return value;
}

static inline uint32_t bench_get32(const struct bench *bench, uint64_t address)
{
    return (uint32_t)bench_get64(bench, address);
}

static inline void bench_put32(struct bench *bench, uint64_t address, uint32_t value)
{
    memcpy(bench->memory + address, &value, 4);
}

/* ---- Software ---- */

static inline void bench_note_vector(struct bench *bench, uint8_t vector)
{
    cr_assert(lt(uint, bench->vector_count, BENCH_LOG));
    bench->vector_times[bench->vector_count] = iov_now(bench->kernel);
    bench->vectors[bench->vector_count++] = vector;
    if (bench->eoi)
        bench->cpu->apic->ops->write(bench->cpu->apic, IOV_APIC_EOI, 0);
}

static inline void bench_host_interrupt(struct iov_program *program, struct iov_exec *exec,
                                        uint8_t vector)
{
    struct bench *bench = bench_of_exec(exec);

    (void)program;
    bench->host_interrupts++;
    bench_note_vector(bench, vector);
    if (bench->handler != NULL)
        bench->handler(bench);
}

static inline void bench_guest_interrupt(struct iov_program *program, struct iov_exec *exec,
                                         uint8_t vector)
{
    struct bench *bench = bench_of_exec(exec);

    (void)program;
    cr_assert(not(exec->interrupts), "a handler begins with interrupts off");
    bench_note_vector(bench, vector);
    if (bench->handler != NULL)
        bench->handler(bench);
}

static inline void bench_exception(struct iov_program *program, struct iov_exec *exec,
                                   uint8_t vector, uint32_t error_code)
{
    struct bench *bench = bench_of_exec(exec);

    (void)program;
    bench->exceptions[bench->exception_count] = vector;
    bench->exception_errors[bench->exception_count++] = error_code;
}

static inline void bench_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    struct bench *bench = bench_of_exec(exec);

    (void)program;
    (void)index;
    bench->body(bench);
}

static const struct iov_program_ops bench_host_ops = { .start = bench_start,
                                                       .interrupt = bench_host_interrupt,
                                                       .exception = bench_exception };
static const struct iov_program_ops bench_guest_ops = { .start = bench_start,
                                                        .interrupt = bench_guest_interrupt,
                                                        .exception = bench_exception };

static inline enum iov_resume bench_exit(struct iov_monitor *monitor, struct iov_exec *guest,
                                         struct iov_exit *exit)
{
    struct bench *bench = iov_container_of(monitor, struct bench, monitor);

    (void)guest;
    cr_assert(lt(uint, bench->exit_count, BENCH_LOG), "too many exits, the last of reason %u",
              exit->reason);
    bench->exit_times[bench->exit_count] = iov_now(bench->kernel);
    bench->exits[bench->exit_count++] = *exit;
    bench->resume = exit->op != NULL ? IOV_RESUME_NEXT : IOV_RESUME_RETRY;
    if (bench->on_exit != NULL)
        bench->on_exit(bench);
    return bench->resume;
}

static const struct iov_monitor_ops bench_monitor_ops = { bench_exit };

static inline void bench_on_arrival(struct iov_event *event)
{
    struct bench_arrival *arrival = iov_container_of(event, struct bench_arrival, event);

    arrival->bench->cpu->ops->interrupt(arrival->bench->cpu, arrival->vector, arrival->span);
}

/* Interrupts the processor then; the interrupt announces `span`. */
static inline void bench_interrupt_at(struct bench *bench, iov_time when, uint8_t vector,
                                      struct iov_span *span)
{
    struct bench_arrival *arrival = &bench->arrivals[bench->arrival_count++];

    cr_assert(le(uint, bench->arrival_count, G_N_ELEMENTS(bench->arrivals)));
    *arrival = (struct bench_arrival){ .bench = bench, .vector = vector, .span = span };
    iov_event_init(&arrival->event, bench->kernel, bench_on_arrival, IOV_PRIORITY_DEFAULT);
    iov_event_at(&arrival->event, when);
}

static inline uint64_t vmread(struct bench *bench, uint32_t field)
{
    uint64_t value = 0;

    cr_assert(eq(int, (int)bench->cpu->ops->vmread(&bench->host, field, &value), IOV_VMX_SUCCEED),
              "VMREAD of %#x", field);
    return value;
}

static inline void vmwrite(struct bench *bench, uint32_t field, uint64_t value)
{
    cr_assert(eq(int, (int)bench->cpu->ops->vmwrite(&bench->host, field, value), IOV_VMX_SUCCEED),
              "VMWRITE of %#x", field);
}

/* ---- Set-up ---- */

static inline bool bench_cost(struct iov_cost_table *table, const char *name, const char *kind,
                              iov_time *ret_cost, GError **error)
{
    static const struct {
        const char *name;
        unsigned ns;
    } costs[] = {
        { "vm-exit", COST_EXIT },
        { "vm-entry", COST_ENTRY },
        { "interrupt-delivery", COST_INTERRUPT },
        { "posted-interrupt-processing", COST_POSTED },
        { "ept-walk-step", COST_WALK },
        { "hlt-wake", COST_WAKE },
    };

    (void)table;
    (void)kind;
    (void)error;
    *ret_cost = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(costs); i++) {
        if (strcmp(costs[i].name, name) == 0)
            *ret_cost = costs[i].ns * IOV_NS;
    }
    return true;
}

static inline struct bench *bench_new(void)
{
    struct bench *bench = g_new0(struct bench, 1);
    struct iov_mem_initiator *bus, *ports;
    GError *error = NULL;

    bench->kernel = iov_kernel_new();
    bench->costs.lookup = bench_cost;
    bench->run = (struct iov_run){
        .kernel = bench->kernel, .seed = 1, .measure = &bench->measure, .costs = &bench->costs
    };
    bench->memory = calloc(1, BENCH_MEMORY);
    bench->bus.ops = &bench_bus_ops;
    bench->ports.ops = &bench_ports_ops;
    bench->model = iov_model_new("cpu", "cpu0", &bench->run, &error);
    cr_assert(ne(ptr, bench->model, NULL));
    cr_assert(iov_model_set_number(bench->model, "frequency", 1000000000,
                                   &error)); /* a tick is a nanosecond */
    cr_assert(iov_model_set_number(bench->model, "preemption-timer-rate", 0, &error));
    cr_assert(iov_model_prepare(bench->model, &error));
    bus = iov_model_port(bench->model, "bus", 0);
    bus->peer = &bench->bus;
    ports = iov_model_port(bench->model, "ports", 0);
    ports->peer = &bench->ports;
    cr_assert(iov_model_realize(bench->model, &error));
    bench->cpu = iov_model_port(bench->model, "processor", 0);
    bench->host_program.ops = &bench_host_ops;
    bench->guest_program.ops = &bench_guest_ops;
    bench->monitor.ops = &bench_monitor_ops;
    bench->host = (struct iov_exec){ .processor = bench->cpu,
                                     .program = &bench->host_program,
                                     .owner = bench,
                                     .holder = bench,
                                     .part = IOV_PART_HOST };
    bench->guest = (struct iov_exec){ .program = &bench->guest_program,
                                      .monitor = &bench->monitor,
                                      .owner = bench,
                                      .holder = bench };
    bench->eoi = true;
    /* As firmware leaves it: enabled, with a spurious vector. */
    bench->cpu->apic->ops->write(bench->cpu->apic, IOV_APIC_SVR, 0x1ff);
    return bench;
}

static inline void bench_free(struct bench *bench)
{
    iov_model_unrealize(bench->model);
    g_object_unref(bench->model);
    iov_kernel_free(bench->kernel);
    free(bench->memory);
    g_free(bench);
}

static inline void bench_host_fiber(void *argument)
{
    struct bench *bench = argument;

    bench->body(bench);
    bench->done = true;
}

/* Runs `body` as software of root operation until nothing is left to do. */
static inline void bench_run_host(struct bench *bench, bench_fn *body)
{
    bench->body = body;
    bench->done = false;
    iov_fiber_new(bench->kernel, "host", bench_host_fiber, bench);
    iov_kernel_run(bench->kernel);
}

/* The controls a monitor needs at least; a test adds to them before bench_run_guest(). */
static inline void bench_vmx_begin(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;

    bench_put32(bench, BENCH_VMXON, IOV_VMX_REVISION);
    bench_put32(bench, BENCH_VMCS, IOV_VMX_REVISION);
    cr_assert(eq(int, (int)ops->vmxon(&bench->host, BENCH_VMXON), IOV_VMX_SUCCEED));
    cr_assert(eq(int, (int)ops->vmclear(&bench->host, BENCH_VMCS), IOV_VMX_SUCCEED));
    cr_assert(eq(int, (int)ops->vmptrld(&bench->host, BENCH_VMCS), IOV_VMX_SUCCEED));
    vmwrite(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_DEFAULT1 | IOV_PIN_EXTERNAL_INTERRUPT);
    vmwrite(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_TRUE_DEFAULT1 | IOV_PRIMARY_SECONDARY);
    vmwrite(bench, IOV_VMCS_EXIT_CONTROLS, IOV_EXITCTL_TRUE_DEFAULT1 | IOV_EXITCTL_ACKNOWLEDGE);
    vmwrite(bench, IOV_VMCS_ENTRY_CONTROLS, IOV_ENTRYCTL_TRUE_DEFAULT1);
    vmwrite(bench, IOV_VMCS_LINK_POINTER, UINT64_MAX);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 2);
    vmwrite(bench, IOV_VMCS_IO_BITMAP_A, BENCH_IO_A);
    vmwrite(bench, IOV_VMCS_IO_BITMAP_B, BENCH_IO_B);
    vmwrite(bench, IOV_VMCS_MSR_BITMAP, BENCH_MSR);
    vmwrite(bench, IOV_VMCS_VIRTUAL_APIC_ADDRESS, BENCH_VAPIC);
    vmwrite(bench, IOV_VMCS_POSTED_INTERRUPT_DESCRIPTOR, BENCH_POSTED);
    vmwrite(bench, IOV_VMCS_EPT_POINTER, BENCH_EPT | IOV_EPTP_WB_WALK_4);
}

/* Adds bits to a control field. */
static inline void bench_add(struct bench *bench, uint32_t field, uint64_t bits)
{
    vmwrite(bench, field, vmread(bench, field) | bits);
}

/* The chain of tables that leads to the page table of guest-physical 0 to 2 MiB. */
static inline void bench_ept_tables(struct bench *bench)
{
    bench_put64(bench, BENCH_EPT, (BENCH_EPT + 0x1000) | IOV_EPT_RWX);
    bench_put64(bench, BENCH_EPT + 0x1000, (BENCH_EPT + 0x2000) | IOV_EPT_RWX);
    bench_put64(bench, BENCH_EPT + 0x2000, (BENCH_EPT + 0x3000) | IOV_EPT_RWX);
}

static inline void bench_ept_map(struct bench *bench, uint64_t gpa, uint64_t entry)
{
    bench_put64(bench, BENCH_EPT + 0x3000 + (gpa >> 12) * 8, entry);
}

/* Guest-physical 0 to 256 KiB in memory, EPT on. */
static inline void bench_ept_ram(struct bench *bench)
{
    bench_ept_tables(bench);
    for (uint64_t gpa = 0; gpa < 0x40000; gpa += 4096)
        bench_ept_map(bench, gpa, (BENCH_RAM + gpa) | IOV_EPT_RWX | IOV_EPT_TYPE_WB);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_EPT);
}

struct bench_guest {
    struct bench *bench;
    bench_fn *setup;
    enum iov_vmx_status status;
};

static inline void bench_guest_fiber(void *argument)
{
    struct bench_guest *guest = argument;
    struct bench *bench = guest->bench;

    bench_vmx_begin(bench);
    if (guest->setup != NULL)
        guest->setup(bench);
    guest->status = bench->cpu->ops->vmlaunch(&bench->host, &bench->guest, 0);
    bench->done = true;
}

/* VMXON, a VMCS with the least controls, `setup` in root operation, then `body` in non-root
 * operation. */
static inline enum iov_vmx_status bench_run_guest(struct bench *bench, bench_fn *setup,
                                                  bench_fn *body)
{
    struct bench_guest guest = { .bench = bench, .setup = setup };

    bench->body = body;
    bench->done = false;
    iov_fiber_new(bench->kernel, "vcpu", bench_guest_fiber, &guest);
    iov_kernel_run(bench->kernel);
    return guest.status;
}

/* The same where `body`, which looks itself whether all is right, is all there is to the test. */
static inline void bench_guest_passes(struct bench *bench, bench_fn *setup, bench_fn *body)
{
    bench_run_guest(bench, setup, body);
    cr_assert(bench->done, "the guest's program has not come to its end");
    bench_free(bench);
}

#endif
