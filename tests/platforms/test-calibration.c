/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost tables against published round trips: a guest does one thing in a loop on a simulated
 * machine, as kvm-unit-tests' vmexit does on a real one, and the time of a round is within a tenth
 * of what was measured there.
 *
 * LIMIT: published figures are of several machines. What was measured on another generation is
 * scaled by the CPUID round trips of the two (ovh-01: 1763 cycles, lut2017-01: 1291 cycles); each
 * such row says so.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/config/experiment.h"
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"

#define ROUNDS 64
#define WARMUP 8
#define TIMER_VECTOR 0xec
#define DEVICE_BASE UINT64_C(0xfebc0000)
#define DOORBELL_BASE UINT64_C(0xfebd0000)
#define DEVICE_PORT 0xc000
#define DOORBELL_PORT 0xc080

/* ---- A guest that does one thing in a loop ---- */

typedef struct {
    IovModel parent_instance;
    struct iov_program program;
    unsigned interrupts;
    iov_time round; /* mean of the rounds */
    bool done;
} IovLoopGuest;
typedef IovModelClass IovLoopGuestClass;

static GType iov_loop_guest_get_type(void);
G_DEFINE_TYPE(IovLoopGuest, iov_loop_guest, IOV_TYPE_MODEL)

/* What it does; set before the platform is made. */
static void (*operation)(IovLoopGuest *self, struct iov_exec *exec);

static void guest_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    IovLoopGuest *self = iov_container_of(program, IovLoopGuest, program);
    struct iov_kernel *kernel = self->parent_instance.kernel;
    iov_time begin = 0;

    (void)index;
    iov_exec_wrmsr(exec, IOV_MSR_APIC_BASE,
                   iov_exec_rdmsr(exec, IOV_MSR_APIC_BASE) | IOV_APIC_BASE_X2APIC);
    iov_exec_wrmsr(exec, 0x800 + (IOV_APIC_SVR >> 4), 0x1ff);
    iov_exec_wrmsr(exec, 0x800 + (IOV_APIC_LVT_TIMER >> 4), 2u << 17 | TIMER_VECTOR);
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    for (unsigned i = 0; i < WARMUP + ROUNDS; i++) {
        if (i == WARMUP)
            begin = iov_now(kernel);
        operation(self, exec);
    }
    self->round = (iov_now(kernel) - begin) / ROUNDS;
    self->done = true;
    iov_exec_do(exec, IOV_OP_CLI);
    iov_exec_do(exec, IOV_OP_HLT);
}

static void guest_interrupt(struct iov_program *program, struct iov_exec *exec, uint8_t vector)
{
    IovLoopGuest *self = iov_container_of(program, IovLoopGuest, program);

    self->interrupts += vector == TIMER_VECTOR;
    iov_exec_wrmsr(exec, 0x800 + (IOV_APIC_EOI >> 4), 0);
}

static const struct iov_program_ops guest_ops = { .start = guest_start,
                                                  .interrupt = guest_interrupt };

static void iov_loop_guest_class_init(IovLoopGuestClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "loop-guest", "Does one thing in a loop");
    IOV_PORT_CONTRACT(mc, IovLoopGuest, program, IOV_PORT_PROGRAM, "The program");
}

static void iov_loop_guest_init(IovLoopGuest *self)
{
    self->program.ops = &guest_ops;
}

/* ---- A device with registers and doorbells that do nothing ---- */

typedef struct {
    IovModel parent_instance;
    struct iov_mem_target registers;
    struct iov_mem_target ports;
    struct iov_mem_target doorbell;
    struct iov_mem_target port_doorbell;
} IovLoopDevice;
typedef IovModelClass IovLoopDeviceClass;

static GType iov_loop_device_get_type(void);
G_DEFINE_TYPE(IovLoopDevice, iov_loop_device, IOV_TYPE_MODEL)

static enum iov_status device_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    (void)target;
    iov_mem_set_value(req, 0);
    return IOV_STATUS_OK;
}

static enum iov_status device_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    (void)target;
    (void)req;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops device_ops = { .read = device_read, .write = device_write };

static void iov_loop_device_class_init(IovLoopDeviceClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "loop-device", "Does nothing");
    IOV_PORT_MEM_TARGET(mc, IovLoopDevice, registers, &device_ops, "Registers in memory");
    IOV_PORT_MEM_TARGET(mc, IovLoopDevice, ports, &device_ops, "Registers at ports");
    IOV_PORT_MEM_TARGET(mc, IovLoopDevice, doorbell, &device_ops, "A doorbell in memory");
    IOV_PORT_MEM_TARGET(mc, IovLoopDevice, port_doorbell, &device_ops, "A doorbell at a port");
}

static void iov_loop_device_init(IovLoopDevice *self)
{
    self->registers.size = 4096;
    self->ports.size = 64;
    self->doorbell.size = 4096;
    self->port_doorbell.size = 4;
}

/* ---- The machine ---- */

static const char platform_text[] =
    "iovsim: 1\n"
    "costs: costs/%s.yaml\n"
    "parts:\n"
    "  dram: { kind: dram }\n"
    "  bus: { kind: bus }\n"
    "  cpu0: { kind: cpu }\n"
    "  host: { kind: linux-host, cpus: [cpu0] }\n"
    "  device: { kind: loop-device }\n"
    "  emulator: { kind: emulator, host: host, size: 4KiB, io-thread: off "
    "}\n"
    "  program: { kind: loop-guest }\n"
    "  box: { kind: kvm-vm, host: host, program: program, memory: 64MiB, memory-base: 256MiB,\n"
    "         pin: [0], apic-virtualisation: %s }\n"
    "wires:\n"
    "  - { from: cpu0.bus, to: bus.port }\n"
    "  - { from: bus.windows, to: dram.port, at: 0 }\n"
    "  - { from: box.bus, to: bus.port }\n"
    "  - { from: box.mmio, to: emulator.registers, at: 0xfebc0000 }\n"
    "  - { from: box.ports, to: emulator.io, at: 0xc000 }\n"
    "  - { from: box.doorbell, to: device.doorbell, at: 0xfebd0000 }\n"
    "  - { from: box.doorbell, to: device.port-doorbell, at: 0xc080 }\n"
    "  - { from: emulator.device, to: device.registers }\n"
    "  - { from: emulator.device-io, to: device.ports }\n";

/* The mean round of an operation, in cycles of the table's machine. */
static uint64_t measure(const char *table, uint64_t frequency_hz, bool apicv,
                        void (*what)(IovLoopGuest *, struct iov_exec *))
{
    static const char *const path[] = { IOV_SOURCE_DIR "/configs", NULL };
    struct iov_config_options options = { .search_path = path };
    g_autofree char *text = g_strdup_printf(platform_text, table, apicv ? "on" : "off");
    g_autofree char *file = NULL;
    struct iov_experiment *experiment;
    IovLoopGuest *guest;
    GError *error = NULL;
    uint64_t cycles;
    int descriptor = g_file_open_tmp("iovsim-calibration-XXXXXX", &file, NULL);

    g_close(descriptor, NULL);
    g_file_set_contents(file, text, -1, NULL);
    operation = what;
    g_type_ensure(iov_loop_guest_get_type());
    g_type_ensure(iov_loop_device_get_type());
    experiment = iov_experiment_open(file, &options, &error);
    g_unlink(file);
    cr_assert(ne(ptr, experiment, NULL), "%s", error != NULL ? error->message : "");
    iov_platform_start(iov_experiment_platform(experiment));
    iov_kernel_run_until(iov_platform_run(iov_experiment_platform(experiment))->kernel,
                         10 * IOV_MS);
    guest = (IovLoopGuest *)iov_platform_find(iov_experiment_platform(experiment), "program");
    cr_assert(guest->done);
    cycles = (uint64_t)((unsigned __int128)guest->round * frequency_hz / IOV_SEC);
    iov_experiment_free(experiment);
    return cycles;
}

/* Measured on the Skylake table, within a tenth of what was published. */
static void expect_cycles(const char *source, uint64_t published, bool apicv,
                          void (*what)(IovLoopGuest *, struct iov_exec *))
{
    uint64_t cycles = measure("kvm-skylake", UINT64_C(2500000000), apicv, what);

    cr_log_info("%s: published %lu, simulated %lu cycles", source, published, cycles);
    cr_expect(cycles * 10 >= published * 9 && cycles * 10 <= published * 11,
              "%s: published %lu, simulated %lu cycles", source, published, cycles);
}

/* A figure of the machine of ovh-01, in cycles of the machine of lut2017-01. */
static uint64_t scaled(uint64_t cycles)
{
    return cycles * 1291 / 1763;
}

/* ---- The rounds ---- */

static void do_vmcall(IovLoopGuest *self, struct iov_exec *exec)
{
    struct iov_op op = { .kind = IOV_OP_VMCALL, .value = { 9999 } };

    (void)self;
    iov_exec_operate(exec, &op);
}

Test(calibration, null_hypercall)
{
    expect_cycles("lut2017-02", 1181, false, do_vmcall);
    expect_cycles("isca16-01", 1300, false, do_vmcall);
}

static void do_cpuid(IovLoopGuest *self, struct iov_exec *exec)
{
    struct iov_op op = { .kind = IOV_OP_CPUID };

    (void)self;
    iov_exec_operate(exec, &op);
}

Test(calibration, cpuid)
{
    expect_cycles("lut2017-01", 1291, false, do_cpuid);
}

static void do_wrmsr(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_wrmsr(exec, IOV_MSR_MISC_ENABLE, 1);
}

Test(calibration, model_specific_register)
{
    expect_cycles("ovh-20, scaled", scaled(1730), false, do_wrmsr);
}

static void do_port_read(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_in(exec, DEVICE_PORT, 4);
}

Test(calibration, port_read_from_user_space)
{
    expect_cycles("lut2017-04", 6209, false, do_port_read);
    expect_cycles("lut2017-03", 6457, false, do_port_read);
    expect_cycles("isca16-03", 6732, false, do_port_read);
}

static void do_port_doorbell(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_out(exec, DOORBELL_PORT, 2, 0);
}

Test(calibration, doorbell_at_a_port)
{
    expect_cycles("lut2017-06 (an eventfd adds nothing: ovh-08, ovh-10)", 1391, false,
                  do_port_doorbell);
    expect_cycles("ovh-10, scaled", scaled(1949), false, do_port_doorbell);
}

static void do_memory_doorbell(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_store(exec, DOORBELL_BASE, 2, 0);
}

Test(calibration, doorbell_in_memory_without_decoding_costs_what_one_at_a_port_does)
{
    uint64_t port = measure("kvm-skylake", UINT64_C(2500000000), false, do_port_doorbell);

    expect_cycles("doorbell at a port", port, false, do_memory_doorbell);
}

static void do_memory_read(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_load(exec, DEVICE_BASE, 4);
}

/* LIMIT: on the machine of ovh-12 an access in memory takes 2800 cycles more than a port write
 * (ovh-09); here decoding takes what it does for a port (lut2017-05), and the sum stays below that
 * of a port read. */
Test(calibration, register_in_memory_from_user_space)
{
    expect_cycles("isca16-03", 6732, false, do_memory_read);
}

static void do_eoi(IovLoopGuest *self, struct iov_exec *exec)
{
    (void)self;
    iov_exec_wrmsr(exec, 0x800 + (IOV_APIC_EOI >> 4), 0);
}

Test(calibration, end_of_interrupt)
{
    expect_cycles("isca16-06", 1556, false, do_eoi);
}

static void do_timer(IovLoopGuest *self, struct iov_exec *exec)
{
    struct iov_op tsc = { .kind = IOV_OP_RDTSC };
    unsigned before = self->interrupts;

    iov_exec_operate(exec, &tsc);
    iov_exec_wrmsr(exec, IOV_MSR_TSC_DEADLINE, tsc.value[0]); /* has passed when it is written */
    while (self->interrupts == before)
        iov_exec_do(exec, IOV_OP_PAUSE);
}

/* LIMIT: without APICv 4781 cycles were published (fastpath-04), here it is about 3950: how that
 * test signals EOI is not known. */
Test(calibration, timer_that_expires_at_once)
{
    uint64_t haswell = measure("kvm-haswell", UINT64_C(2400000000), true, do_timer);

    expect_cycles("fastpath-06", 2919, true, do_timer);
    cr_log_info("kut2017-03: published 2500, simulated %lu cycles", haswell);
    cr_expect(haswell >= 2250 && haswell <= 2750,
              "kut2017-03: published 2500, simulated %lu cycles", haswell);
}
