/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm - a virtual machine as KVM runs it: vCPU threads on a Linux host, exits handled in the
 * kernel where KVM does, user space for the rest.
 *
 * This file is the machine's life and the run loop of a vCPU: exit, handler, halted or not,
 * injection, entry. It follows Linux 6.1 in what exits and in which order things are looked at;
 * what each step costs comes from the cost table. LIMIT: all vCPUs start at once (no INIT, no
 * STARTUP IPI); no nested virtualisation, no SMM, no live migration; the guest finds its devices by
 * its configuration, not by enumeration.
 */
#include "models/hypervisor/kvm-private.h"

#include <inttypes.h>
#include <string.h>

#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/vhost.h"

enum { PAGE = 4096, POLL_START_US = 10 };

static const char *const irqchips[] = { "on", "split", NULL };

G_DEFINE_TYPE(IovKvmVm, iov_kvm_vm, IOV_TYPE_MODEL)

/* ---- Trips to user space ---- */

iov_time iov_vcpu_user_leave(struct iov_vcpu *vcpu)
{
    const IovKvmVm *vm = vcpu->vm;

    vm->measure->counters.user_exits++;
    iov_vcpu_compute(vcpu, 0);
    vcpu->user_since = iov_now(vm->parent_instance.kernel);
    if (vm->coalesced_count == 0 &&
        vm->vcpus == 1) /* nothing to replay, nobody who adds to it on the way */
        return vm->costs.user_exit;
    iov_thread_compute(vcpu->thread, vm->costs.user_exit, IOV_PART_EMULATOR);
    iov_kvm_coalesced_flush(vcpu);
    return 0;
}

void iov_vcpu_user_begin(struct iov_vcpu *vcpu)
{
    iov_time owed = iov_vcpu_user_leave(vcpu);

    if (owed > 0)
        iov_thread_compute(vcpu->thread, owed, IOV_PART_EMULATOR);
}

void iov_vcpu_user_end(struct iov_vcpu *vcpu)
{
    iov_thread_compute(vcpu->thread, vcpu->vm->costs.user_entry, IOV_PART_EMULATOR);
    vcpu->vm->user_time += iov_now(vcpu->vm->parent_instance.kernel) - vcpu->user_since;
}

/* ---- HLT ---- */

/* Spins for a while before it sleeps; true if that was enough. */
static bool poll(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;
    struct iov_kernel *kernel = vm->parent_instance.kernel;
    iov_time end = iov_now(kernel) + vcpu->poll;

    while (iov_now(kernel) < end && iov_thread_alone(vcpu->thread)) {
        iov_thread_compute(vcpu->thread, vm->costs.halt_poll_step, IOV_PART_IDLE);
        if (iov_vcpu_wakes(vcpu)) {
            vm->poll_successes++;
            return true;
        }
    }
    return false;
}

/* The window grows while longer polling would have helped, and starts anew when the sleep was
 * long. */
static void poll_adjust(struct iov_vcpu *vcpu, iov_time slept)
{
    iov_time most = vcpu->vm->halt_poll_max;

    if (slept <= vcpu->poll)
        return;
    if (slept > most)
        vcpu->poll = 0;
    else
        vcpu->poll = MIN(vcpu->poll != 0 ? 2 * vcpu->poll : POLL_START_US * IOV_US, most);
}

static void halt(struct iov_vcpu *vcpu)
{
    struct iov_kernel *kernel = vcpu->vm->parent_instance.kernel;
    iov_time begin = iov_now(kernel);
    bool done = iov_vcpu_wakes(vcpu);

    vcpu->halted = false;
    if (done)
        return;
    iov_vcpu_timer_block(vcpu);
    if (vcpu->poll > 0)
        done = poll(vcpu);
    vcpu->blocked = true;
    while (!done && !iov_vcpu_wakes(vcpu))
        iov_thread_block(vcpu->thread);
    vcpu->blocked = false;
    iov_vcpu_timer_unblock(vcpu);
    if (vcpu->vm->halt_poll_max > 0)
        poll_adjust(vcpu, iov_now(kernel) - begin);
}

/* ---- The run loop ---- */

/* Up to the point where the processor may enter the guest. */
static void prepare_entry(struct iov_vcpu *vcpu)
{
    struct iov_thread *thread = vcpu->thread;
    const IovKvmVm *vm = vcpu->vm;

    iov_vcpu_compute(vcpu, 0);
    while (vcpu->halted)
        halt(vcpu);
    iov_thread_resched(thread);
    if (iov_vcpu_has_event(vcpu))
        iov_vcpu_compute(vcpu, vcpu->vm->costs.inject);
    thread->exec.interrupts = false;
    iov_vcpu_load(vcpu);
    do { /* what arrives while we write is seen here; afterwards it takes a kick */
        if (vm->apic_virtualisation && iov_vcpu_posted_pending(vcpu))
            vcpu->request_event = true; /* hardware posts without asking for a look */
        if (vcpu->request_event)
            iov_vcpu_inject(vcpu);
        iov_vcpu_arm_preemption_timer(vcpu);
    } while (vcpu->request_event);
    iov_vcpu_direct_choose(vcpu);
    iov_vcpu_pv_eoi_to_guest(vcpu);
    vcpu->guest.processor = thread->exec.processor;
    vcpu->in_guest = true;
    vcpu->entered = iov_now(vcpu->vm->parent_instance.kernel);
}

static enum iov_resume on_vm_exit(struct iov_monitor *monitor, struct iov_exec *guest,
                                  struct iov_exit *exit)
{
    struct iov_vcpu *vcpu = iov_container_of(guest, struct iov_vcpu, guest);
    struct iov_thread *thread = vcpu->thread;
    IovKvmVm *vm = vcpu->vm;
    iov_time begin = iov_now(vm->parent_instance.kernel);
    enum iov_resume resume;

    (void)monitor;
    IOV_REQUIRE(!(exit->reason & IOV_EXIT_ENTRY_FAILURE)); /* our VMCS is wrong, not the guest */
    vcpu->in_guest = false;
    vcpu->skipped = false;
    vcpu->injected = false;
    vm->exits_total++;
    vm->guest_time += begin - vcpu->entered;
    thread->exec.span = guest->span;
    if (!iov_vcpu_direct_exit(vcpu, exit))
        iov_vcpu_requeue(vcpu, exit);
    if (exit->reason == IOV_EXIT_EXTERNAL_INTERRUPT)
        iov_host_interrupt(thread, (uint8_t)(exit->interruption_info & IOV_INTERRUPTION_VECTOR));
    thread->exec.interrupts = true;
    iov_vcpu_pv_eoi_from_guest(vcpu);
    vcpu->owed += vm->costs.exit;
    resume = iov_vcpu_handle(vcpu, exit);
    prepare_entry(vcpu);
    guest->span = thread->exec.span;
    vm->monitor_time += vcpu->entered - begin;
    return resume;
}

static const struct iov_monitor_ops monitor_ops = { .exit = on_vm_exit };

static void vcpu_main(void *argument)
{
    struct iov_vcpu *vcpu = argument;
    struct iov_thread *thread = vcpu->thread;
    bool ready = iov_vcpu_vmcs_init(vcpu);

    IOV_REQUIRE(ready);
    prepare_entry(vcpu);
    thread->exec.processor->ops->vmlaunch(&thread->exec, &vcpu->guest, vcpu->index);
    vcpu->in_guest = false;
}

/* ---- Life ---- */

const IovModel *iov_kvm_program(const IovKvmVm *vm)
{
    return vm->program_ref;
}

void iov_kvm_memory(const IovKvmVm *vm, iov_hpa *ret_base, uint64_t *ret_size)
{
    *ret_base = vm->memory_base;
    *ret_size = vm->memory;
}

IovLinuxHost *iov_kvm_host(IovKvmVm *vm)
{
    return vm->host;
}

static bool iov_kvm_vm_prepare(IovModel *model, GError **error)
{
    IovKvmVm *self = (IovKvmVm *)(void *)model;
    uint64_t frequency = IOV_KVM_VM_GET_CLASS(self)->apic_frequency;

    self->ram.size = self->memory;
    self->msi.size = UINT64_C(1) << 32;
    self->apics = g_new0(IovModel *, self->vcpus);
    for (unsigned i = 0; i < self->vcpus; i++) {
        g_autofree char *name = g_strdup_printf("apic%u", i);

        self->apics[i] = iov_model_new_child(model, "local-apic", name, error);
        if (self->apics[i] == NULL || !iov_model_set_number(self->apics[i], "id", i, error) ||
            !iov_model_set_number(self->apics[i], "bootstrap", i == 0, error) ||
            !iov_model_set_number(self->apics[i], "x2apic", self->x2apic, error) ||
            (frequency != 0 &&
             !iov_model_set_number(self->apics[i], "timer-frequency", frequency, error)))
            return false;
    }
    self->ioapic = iov_model_new_child(model, "ioapic", "ioapic", error);
    return self->ioapic != NULL;
}

/* Room behind the guest's memory: tables for it and for the holes, regions of the vCPUs and
 * processors. */
static void reserve_plan(IovKvmVm *self)
{
    uint64_t tables = 64 + self->memory / (UINT64_C(2) << 20) + self->passthrough.count;

    if (self->memory_base % (UINT64_C(2) << 20) == 0 && self->populate)
        tables = 64 + self->passthrough.count + self->memory / (UINT64_C(1) << 30);
    self->reserve_size = (tables + 64 + 4 * self->vcpus + iov_host_cpu_count(self->host)) * PAGE;
    self->memory_base =
        iov_host_claim_memory(self->host, self->memory_base, self->memory + self->reserve_size);
    self->reserve_base = self->memory_base + self->memory;
}

static bool vcpu_realize(IovKvmVm *self, unsigned index, GError **error)
{
    struct iov_vcpu *vcpu = &self->vcpu[index];
    struct iov_program *program = iov_model_port(self->program_ref, "program", 0);

    if (program == NULL)
        return iov_model_fail(&self->parent_instance, error, "program: '%s' is not a program",
                              self->program_ref->path);
    program->processors = (unsigned)self->vcpus;
    program->memory = self->memory;
    if (program->ops->refuses != NULL && program->ops->refuses(program) != NULL)
        return iov_model_fail(&self->parent_instance, error, "vcpus: %s",
                              program->ops->refuses(program));
    vcpu->vm = self;
    vcpu->index = index;
    vcpu->vmcs = iov_kvm_reserve(self, PAGE);
    vcpu->virtual_apic = iov_kvm_reserve(self, PAGE);
    vcpu->descriptor = iov_kvm_reserve(self, PAGE);
    vcpu->owner.ops = &iov_kvm_apic_owner_ops;
    vcpu->apic = iov_model_port(self->apics[index], "apic", 0);
    vcpu->apic->owner = &vcpu->owner;
    vcpu->guest.program = program;
    vcpu->guest.monitor = &self->monitor;
    vcpu->eoi_look = true;
    return iov_model_set_number(self->apics[index], "tsc-frequency",
                                iov_host_processor(self->host, 0)->frequency_hz, error);
}

/* What the guest runs on may be any of the host's processors: all have VMX, and what one lacks is
 * not used. */
static bool look_at_processors(IovKvmVm *self, GError **error)
{
    for (unsigned i = 0; i < iov_host_cpu_count(self->host); i++) {
        const struct iov_processor *processor = iov_host_processor(self->host, i);

        if (!processor->vmx)
            return iov_model_fail(&self->parent_instance, error,
                                  "host: its processor %u has no VMX", i);
        self->apic_virtualisation = self->apic_virtualisation && processor->apic_virtualisation;
    }
    return true;
}

static bool has_memory(const IovKvmVm *self, iov_hpa hpa)
{
    struct iov_mem_target *bus = self->bus.peer;
    uint64_t size;

    return bus->ops->direct != NULL && bus->ops->direct(bus, hpa, &size) != NULL;
}

/* Whether the host has memory where the guest's is to be, and the tables behind it. LIMIT: a hole
 * in the middle is not seen. */
static bool look_at_memory(IovKvmVm *self, GError **error)
{
    if (has_memory(self, self->memory_base) && has_memory(self, self->reserve_base) &&
        has_memory(self, self->reserve_base + self->reserve_size - 1))
        return true;
    return iov_model_fail(&self->parent_instance, error,
                          "memory: the host has less than the guest's %" PRIu64 " KiB and %" PRIu64
                          " KiB of tables at its address 0x%" PRIx64,
                          self->memory / 1024, self->reserve_size / 1024, self->memory_base);
}

/* A back end beside the emulator hears of a doorbell by its ioeventfd only: user space would take
 * it for a register. */
static bool look_at_doorbells(IovKvmVm *self, GError **error)
{
    for (unsigned i = 0; i < self->doorbell.count && !self->ioeventfd; i++) {
        if (iov_vhost_owns(self->doorbell.windows[i].target))
            return iov_model_fail(&self->parent_instance, error,
                                  "ioeventfd: off, but the back end that the doorbell at 0x%" PRIx64
                                  " is wired to hears of it by an ioeventfd only; leave it on",
                                  self->doorbell.windows[i].base);
    }
    return true;
}

static bool iov_kvm_vm_realize(IovModel *model, GError **error)
{
    IovKvmVm *self = (IovKvmVm *)(void *)model;

    self->class = IOV_KVM_VM_GET_CLASS(self);
    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (!iov_model_realize(self->host_ref, error))
        return false;
    if (self->memory % PAGE != 0 || self->memory_base % PAGE != 0)
        return iov_model_fail(model, error, "memory, memory-base: whole pages of 4 KiB, please");
    if (self->passthrough.count % 3 != 0)
        return iov_model_fail(
            model, error, "passthrough: windows are triples: guest address, host address, size");
    if (self->bus.peer == NULL)
        return iov_model_fail(model, error, "port 'bus' must be wired");
    self->monitor.ops = &monitor_ops;
    if (!iov_host_has(self->host, &self->pin, model, "pin", error) ||
        !look_at_processors(self, error) || !look_at_doorbells(self, error))
        return false;
    self->vpid_base = iov_host_vpids(self->host, (unsigned)self->vcpus);
    reserve_plan(self);
    if (!look_at_memory(self, error))
        return false;
    self->msr_bitmap = iov_kvm_reserve(self, PAGE);
    self->msr_bitmap_x2apic = iov_kvm_reserve(self, PAGE);
    self->apic_access_page = iov_kvm_reserve(self, PAGE);
    self->vmxon_regions = iov_kvm_reserve(self, (uint64_t)iov_host_cpu_count(self->host) * PAGE);
    iov_kvm_msr_bitmaps_write(self);
    if (!iov_kvm_direct_init(self, error))
        return false;
    self->vcpu = g_new0(struct iov_vcpu, self->vcpus);
    for (unsigned i = 0; i < self->vcpus; i++) {
        if (!vcpu_realize(self, i, error))
            return false;
    }
    iov_kvm_io_init(self);
    return iov_kvm_irq_init(self, error) && iov_kvm_mmu_init(self, error);
}

/* The APIC's registers move to the page that the processor works on. */
static void share_page(struct iov_vcpu *vcpu)
{
    struct iov_mem_target *bus = vcpu->vm->bus.peer;
    uint64_t size = 0;
    uint8_t *page =
        bus->ops->direct != NULL ? bus->ops->direct(bus, vcpu->virtual_apic, &size) : NULL;

    IOV_REQUIRE(page != NULL && size >= PAGE);
    memcpy(page, vcpu->apic->page, PAGE);
    vcpu->apic->page = page;
    vcpu->posted = bus->ops->direct != NULL ? bus->ops->direct(bus, vcpu->descriptor, &size) : NULL;
    IOV_REQUIRE(vcpu->posted != NULL && size >= 64);
}

static void iov_kvm_vm_start(IovModel *model)
{
    IovKvmVm *self = (IovKvmVm *)(void *)model;

    for (unsigned i = 0; i < self->vcpus; i++) {
        struct iov_vcpu *vcpu = &self->vcpu[i];
        g_autofree char *name = g_strdup_printf("%s/vcpu%u", model->path, i);
        const struct iov_count_list all = { self->pin.items, self->pin.count };
        const struct iov_count_list one = {
            self->pin.count > 0 ? self->pin.items + i % self->pin.count : NULL, 1
        };

        share_page(vcpu);
        iov_vcpu_timer_init(vcpu);
        vcpu->thread = iov_thread_new(self->host, name,
                                      iov_host_mask(self->host, self->pin.count > 0 ? &one : &all),
                                      vcpu_main, vcpu);
        vcpu->guest.holder = vcpu->thread->exec.holder;
        iov_vcpu_posted_init(vcpu);
    }
}

static void iov_kvm_vm_update_statistics(IovModel *model)
{
    IovKvmVm *self = (IovKvmVm *)(void *)model;

    self->vcpu_time = 0;
    for (unsigned i = 0; i < self->vcpus; i++) {
        if (self->vcpu[i].thread != NULL)
            self->vcpu_time += iov_thread_cpu_time(self->vcpu[i].thread);
    }
}

static void iov_kvm_vm_finalize(GObject *object)
{
    IovKvmVm *self = (IovKvmVm *)(void *)object;

    g_free(self->vcpu);
    g_free(self->apics);
    g_free(self->mmio_regions);
    g_free(self->port_regions);
    G_OBJECT_CLASS(iov_kvm_vm_parent_class)->finalize(object);
}

static void describe_properties(IovModelClass *mc)
{
    IOV_PROP_REF(mc, IovKvmVm, host_ref, "linux-host", true, "The host that runs it");
    IOV_PROP_REF(mc, IovKvmVm, program_ref, NULL, true, "The guest's software");
    IOV_PROP_COUNT(mc, IovKvmVm, vcpus, 1, 255, 1, "Virtual processors");
    IOV_PROP_SIZE(mc, IovKvmVm, memory, 1 << 20, UINT64_C(3) << 30, UINT64_C(1) << 30,
                  "Guest memory, from address 0");
    IOV_PROP_SIZE(mc, IovKvmVm, memory_base, 0, UINT64_C(1) << 45, UINT64_C(1) << 32,
                  "Host address of guest memory, or behind another VM that lies there; the VM's "
                  "tables lie behind it");
    IOV_PROP_BOOL(mc, IovKvmVm, populate, true,
                  "Memory is mapped from the start, not at the first touch");
    IOV_PROP_BOOL(mc, IovKvmVm, apic_virtualisation, false,
                  "APIC-register virtualisation, virtual-interrupt delivery, posted interrupts, if "
                  "the processors have them");
    IOV_PROP_BOOL(mc, IovKvmVm, exitless_interrupts, 0,
                  "Assigned devices interrupt the guest without an exit (ELI)");
    IOV_PROP_BOOL(mc, IovKvmVm, x2apic, true, "The guest may use x2APIC mode");
    IOV_PROP_BOOL(mc, IovKvmVm, pv_eoi, true, "Paravirtual EOI is offered");
    IOV_PROP_BOOL(mc, IovKvmVm, ioeventfd, true, "Doorbells are handled in the kernel");
    IOV_PROP_BOOL(mc, IovKvmVm, preemption_timer, true, "APIC timers use the VMX-preemption timer");
    IOV_PROP_COUNT(mc, IovKvmVm, preemption_timer_shift, 0, 31, 5,
                   "Ticks of that timer: TSC shifted right by this");
    IOV_PROP_ENUM(mc, IovKvmVm, kernel_irqchip, irqchips, IOV_KVM_IRQCHIP_ON,
                  "Where the I/O APIC is: kernel or user space");
    IOV_PROP_TIME(mc, IovKvmVm, halt_poll_max, 0, IOV_MS, 0,
                  "Longest polling of a halted vCPU; Linux's default is 200us");
    IOV_PROP_COUNT_LIST(mc, IovKvmVm, pin, 0, 63, "Host processor of each vCPU in turn; none: any");
    IOV_PROP_COUNT_LIST(mc, IovKvmVm, passthrough, 0, UINT64_MAX,
                        "Windows mapped into the guest: guest address, host address, size, ...");
}

static void describe_costs(IovModelClass *mc)
{
    IOV_COST(mc, IovKvmVm, costs.exit, "kvm-exit", "Common path of an exit, from exit to entry");
    IOV_COST(mc, IovKvmVm, costs.inject, "kvm-inject", "Choosing and injecting an interrupt");
    IOV_COST(mc, IovKvmVm, costs.cpuid, "kvm-cpuid", "CPUID");
    IOV_COST(mc, IovKvmVm, costs.hypercall, "kvm-hypercall", "A hypercall");
    IOV_COST(mc, IovKvmVm, costs.msr, "kvm-msr", "RDMSR or WRMSR of a plain register");
    IOV_COST(mc, IovKvmVm, costs.apic, "kvm-apic", "A local APIC register by MSR or known offset");
    IOV_COST(mc, IovKvmVm, costs.apic_decode, "kvm-apic-decode",
             "A local APIC register by decoded instruction");
    IOV_COST(mc, IovKvmVm, costs.halt, "kvm-halt", "HLT, up to sleeping");
    IOV_COST(mc, IovKvmVm, costs.halt_poll_step, "kvm-halt-poll-step", "One look while polling");
    IOV_COST(mc, IovKvmVm, costs.window, "kvm-interrupt-window", "An interrupt window");
    IOV_COST(mc, IovKvmVm, costs.emulate, "kvm-emulate", "Decoding and emulating one instruction");
    IOV_COST(mc, IovKvmVm, costs.pio_fast, "kvm-port-fast", "A port access without emulator");
    IOV_COST(mc, IovKvmVm, costs.mmio_fast, "kvm-mmio-fast",
             "Looking up who answers an address in memory");
    IOV_COST(mc, IovKvmVm, costs.ioeventfd, "kvm-ioeventfd",
             "Signalling an eventfd, wake-up apart");
    IOV_COST(mc, IovKvmVm, costs.coalesced, "kvm-coalesced", "Queueing a coalesced write");
    IOV_COST(mc, IovKvmVm, costs.ioapic, "kvm-ioapic",
             "A register or EOI of the in-kernel I/O APIC");
    IOV_COST(mc, IovKvmVm, costs.ept_violation, "kvm-ept-violation",
             "Mapping a page at its first touch");
    IOV_COST(mc, IovKvmVm, costs.irq_route, "kvm-irq-route",
             "From an irqfd or line to the local APIC");
    IOV_COST(mc, IovKvmVm, costs.kick, "kvm-kick",
             "Kicking a vCPU that runs, or notifying it of a posted interrupt");
    IOV_COST(mc, IovKvmVm, costs.timer_set, "kvm-timer-set", "A write of the TSC deadline");
    IOV_COST(mc, IovKvmVm, costs.timer_expire, "kvm-timer-expire", "The APIC timer's expiry");
    IOV_COST(mc, IovKvmVm, costs.user_exit, "kvm-user-exit", "From the handler to user space");
    IOV_COST(mc, IovKvmVm, costs.user_entry, "kvm-user-entry", "From user space back to the entry");
    IOV_COST(mc, IovKvmVm, costs.vcpu_load, "kvm-vcpu-load",
             "Loading a vCPU's state on another processor");
    IOV_COST(mc, IovKvmVm, costs.pause, "kvm-pause", "A PAUSE exit");
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_MEM_INITIATOR(mc, IovKvmVm, bus, "Host memory");
    IOV_PORT_MEM_WINDOWS(mc, IovKvmVm, mmio, "Guest-physical windows that user space answers");
    IOV_PORT_MEM_WINDOWS(mc, IovKvmVm, ports, "Ports that user space answers");
    IOV_PORT_MEM_WINDOWS(mc, IovKvmVm, doorbell,
                         "ioeventfds: a write in the window is a signal to its target");
    IOV_PORT_MEM_TARGET(mc, IovKvmVm, ram, &iov_kvm_ram_ops,
                        "Guest memory by guest-physical address");
    IOV_PORT_MEM_TARGET(mc, IovKvmVm, msi, &iov_kvm_msi_ops,
                        "Interrupt messages to the guest, at their full address");
    IOV_PORT_MEM_INITIATOR(mc, IovKvmVm, remapping,
                           "Messages of the I/O APIC, to an emulated remapping unit; open: none");
    IOV_ROW_PORT(mc, IovKvmVm, gsi, IOV_PORT_IRQ, IOV_PORT_TARGET, IOV_PORT_SHARED, IOV_KVM_GSIS,
                 sizeof(struct iov_kvm_gsi), &iov_kvm_gsi_ops,
                 "Interrupt lines: pins of the I/O APIC");
    IOV_ROW_PORT(mc, IovKvmVm, irqfd, IOV_PORT_NOTIFY, IOV_PORT_TARGET, IOV_PORT_SHARED,
                 IOV_KVM_GSIS, sizeof(struct iov_kvm_irqfd), &iov_kvm_irqfd_ops,
                 "irqfds: a signal is an interrupt of that line");
    IOV_ROW_PORT(mc, IovKvmVm, resample, IOV_PORT_NOTIFY, IOV_PORT_INITIATOR, 0, IOV_KVM_GSIS,
                 sizeof(struct iov_notify_source), NULL,
                 "The guest's EOI of a line whose irqfd holds it asserted");
}

static void iov_kvm_vm_class_init(IovKvmVmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "kvm-vm", "A virtual machine as KVM runs it");
    describe_properties(mc);
    describe_costs(mc);
    describe_ports(mc);
    IOV_STAT(mc, IovKvmVm, exits_total, "VM exits");
    IOV_STAT(mc, IovKvmVm, injections, "Events injected at entries");
    IOV_STAT(mc, IovKvmVm, windows, "Interrupt windows");
    IOV_STAT(mc, IovKvmVm, eoi_exits, "EOIs that exited");
    IOV_STAT(mc, IovKvmVm, pv_eois, "EOIs by the paravirtual flag");
    IOV_STAT(mc, IovKvmVm, kicks, "vCPUs kicked or woken");
    IOV_STAT(mc, IovKvmVm, posted, "Notifications of posted interrupts to running vCPUs");
    IOV_STAT(mc, IovKvmVm, reflections, "Interrupts of the host that met no gate in direct mode");
    IOV_STAT(mc, IovKvmVm, mode_switches, "Switches between direct and injection mode");
    IOV_STAT(mc, IovKvmVm, posted_sleeps,
             "Sleeps of vCPUs whose posted interrupts were to wake them");
    IOV_STAT(mc, IovKvmVm, posted_wakeups, "Of them, ended by the wake-up vector");
    IOV_STAT(mc, IovKvmVm, posted_suppressions,
             "Times a vCPU lost its processor and notifications were suppressed");
    IOV_STAT(mc, IovKvmVm, halts, "HLT exits");
    IOV_STAT(mc, IovKvmVm, poll_successes, "Of them, ended while polling");
    IOV_STAT(mc, IovKvmVm, violations, "Pages mapped at their first touch");
    IOV_STAT(mc, IovKvmVm, coalesced_writes, "Writes that waited for a trip to user space");
    IOV_STAT(mc, IovKvmVm, ioeventfds, "Doorbells handled in the kernel");
    IOV_STAT(mc, IovKvmVm, unknown_msrs, "Accesses of MSRs that do not exist");
    IOV_STAT(mc, IovKvmVm, unknown_exits, "Exits that KVM would give up at");
    IOV_STAT_TIME(mc, IovKvmVm, guest_time, "vCPUs in the guest, entries apart");
    IOV_STAT_TIME(mc, IovKvmVm, monitor_time, "vCPUs in exits, asleep or not");
    IOV_STAT_TIME(mc, IovKvmVm, user_time, "Of it, in user space");
    IOV_STAT_TIME(mc, IovKvmVm, vcpu_time, "Processor time of the vCPUs' threads");
    mc->prepare = iov_kvm_vm_prepare;
    mc->realize = iov_kvm_vm_realize;
    mc->start = iov_kvm_vm_start;
    mc->update_statistics = iov_kvm_vm_update_statistics;
    G_OBJECT_CLASS(klass)->finalize = iov_kvm_vm_finalize;
}

static void iov_kvm_vm_init(IovKvmVm *self)
{
    for (unsigned i = 0; i < IOV_KVM_GSIS; i++) {
        self->gsi[i].vm = self;
        self->gsi[i].index = (uint8_t)i;
        self->irqfd[i].vm = self;
        self->irqfd[i].index = (uint8_t)i;
    }
}
