/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's memory and its accesses to devices. Memory is real guest RAM, given out once
 * and never taken back: drivers allocate rings and buffers when they open. Every access to a
 * device's register is counted here, exit or not.
 */
#include "models/guest/guest-private.h"

iov_gpa iov_guest_allocate(IovLinuxGuest *guest, uint64_t size, uint64_t align)
{
    iov_gpa address = (guest->next_memory + align - 1) & ~(align - 1);
    uint64_t end = guest->memory_base + guest->memory_size;

    if (guest->program.memory != 0)
        end = MIN(end, guest->program.memory);
    if (address + size > end) {
        guest->memory_is_short = true;
        return 0;
    }
    guest->next_memory = address + size;
    return address;
}

static void count_device_access(IovLinuxGuest *guest)
{
    guest->device_accesses++;
    guest->measure->counters.device_accesses++;
    guest->measure->counters.regions[guest->region_nic].accesses++;
}

uint64_t iov_guest_read(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size)
{
    count_device_access(cpu->guest);
    return iov_exec_load(cpu->exec, address, size);
}

void iov_guest_write(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size, uint64_t value)
{
    count_device_access(cpu->guest);
    iov_exec_store(cpu->exec, address, size, value);
}

void iov_guest_out(struct iov_guest_cpu *cpu, uint16_t port, uint32_t size, uint32_t value)
{
    count_device_access(cpu->guest);
    iov_exec_out(cpu->exec, port, size, value);
}

void iov_guest_kick(struct iov_guest_cpu *cpu, uint64_t address, uint32_t size, uint64_t value)
{
    cpu->guest->kicks++;
    cpu->guest->measure->counters.kicks++;
    /* The exit is still the request's; whatever interrupts after it is not. */
    cpu->span = NULL;
    iov_span_note(cpu->exec->span, iov_guest_now(cpu), "doorbell");
    iov_guest_write(cpu, address, size, value);
    iov_guest_work_for(cpu, NULL);
}

void iov_guest_kick_by_call(struct iov_guest_cpu *cpu, uint64_t value[4])
{
    struct iov_op call = { .kind = IOV_OP_VMCALL };

    memcpy(call.value, value, sizeof call.value);
    cpu->guest->kicks++;
    cpu->guest->measure->counters.kicks++;
    cpu->span = NULL; /* as above */
    iov_span_note(cpu->exec->span, iov_guest_now(cpu), "event");
    iov_exec_operate(cpu->exec, &call);
    iov_guest_work_for(cpu, NULL);
    value[0] = call.value[0];
}

void iov_guest_kick_suppressed(struct iov_guest_cpu *cpu)
{
    cpu->guest->kicks_suppressed++;
    cpu->guest->measure->counters.kicks_suppressed++;
    iov_guest_work_for(cpu, NULL);
    iov_notify_signal(&cpu->guest->published, NULL);
}
