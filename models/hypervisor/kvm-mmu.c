/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: guest memory and the EPT.
 *
 * Guest memory is one range of host memory: gpa 0 is host address memory-base. The tables behind it
 * are real bytes that the processor walks. Memory is mapped in pages of 2 MiB where both addresses
 * allow it. Everything that is not memory is marked as MMIO the way KVM does, by entries that are
 * writable but not readable, so that an access is an EPT misconfiguration; assigned devices'
 * registers are mapped and do not exit.
 * LIMIT: memory ends below 3 GiB (no second range above 4 GiB); MMIO is marked when the VM is made,
 * not at the first access; no dirty logging, no ageing, no merging of pages.
 */
#include <string.h>

#include "models/cpu/apic-regs.h"
#include "models/cpu/ept-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"

enum { LEVELS = 4, PAGE = 4096, ENTRIES = 512 };
#define LARGE_PAGE (UINT64_C(2) << 20)
#define MMIO_ENTRY \
    (IOV_EPT_WRITE | IOV_EPT_EXECUTE) /* SPEC: SDM vol. 3C, 29.3.3.1: misconfigured */
#define MEMORY_ENTRY (IOV_EPT_RWX | IOV_EPT_TYPE_WB)
#define DEVICE_ENTRY (IOV_EPT_READ | IOV_EPT_WRITE | IOV_EPT_TYPE_UC)
#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)

/* ---- Host memory ---- */

static bool host_access(IovKvmVm *vm, iov_hpa hpa, void *data, uint32_t size, bool write)
{
    struct iov_mem_req req = { .address = hpa, .data = data, .size = size, .pasid = IOV_NO_PASID };

    return (write ? iov_mem_write_req(&vm->bus, &req) : iov_mem_read_req(&vm->bus, &req)) ==
           IOV_STATUS_OK;
}

void iov_kvm_host_write(IovKvmVm *vm, iov_hpa hpa, const void *data, uint32_t size)
{
    void *bytes;

    memcpy(&bytes, &data, sizeof bytes); /* a write only reads it */
    host_access(vm, hpa, bytes, size, true);
}

void iov_kvm_host_read(IovKvmVm *vm, iov_hpa hpa, void *data, uint32_t size)
{
    host_access(vm, hpa, data, size, false);
}

iov_hpa iov_kvm_reserve(IovKvmVm *vm, uint64_t size)
{
    iov_hpa hpa = vm->reserve_base + vm->reserve_used;

    size = (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (size > vm->reserve_size - vm->reserve_used)
        return 0;
    vm->reserve_used += size;
    return hpa;
}

static bool in_memory(const IovKvmVm *vm, iov_gpa gpa, uint64_t size)
{
    return size <= vm->memory && gpa <= vm->memory - size;
}

bool iov_kvm_guest_read(IovKvmVm *vm, iov_gpa gpa, void *data, uint32_t size)
{
    return in_memory(vm, gpa, size) && host_access(vm, vm->memory_base + gpa, data, size, false);
}

bool iov_kvm_guest_write(IovKvmVm *vm, iov_gpa gpa, const void *data, uint32_t size)
{
    if (!in_memory(vm, gpa, size))
        return false;
    iov_kvm_host_write(vm, vm->memory_base + gpa, data, size);
    return true;
}

/* ---- Port `ram`: guest-physical memory for user space and the host's drivers ---- */

static enum iov_status ram_access(struct iov_mem_target *port, struct iov_mem_req *req, bool write)
{
    IovKvmVm *vm = iov_container_of(port, IovKvmVm, ram);
    uint64_t gpa = req->address;
    enum iov_status status;

    if (!in_memory(vm, gpa, req->size))
        return IOV_STATUS_UNSUPPORTED;
    req->address = vm->memory_base + gpa;
    status = write ? iov_mem_write_req(&vm->bus, req) : iov_mem_read_req(&vm->bus, req);
    req->address = gpa;
    return status;
}

static enum iov_status ram_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return ram_access(port, req, false);
}

static enum iov_status ram_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return ram_access(port, req, true);
}

static uint8_t *ram_direct(struct iov_mem_target *port, uint64_t gpa, uint64_t *ret_size)
{
    IovKvmVm *vm = iov_container_of(port, IovKvmVm, ram);
    struct iov_mem_target *bus = vm->bus.peer;
    uint64_t size = 0;
    uint8_t *bytes;

    if (gpa >= vm->memory || bus == NULL || bus->ops->direct == NULL)
        return NULL;
    bytes = bus->ops->direct(bus, vm->memory_base + gpa, &size);
    if (bytes != NULL)
        *ret_size = MIN(size, vm->memory - gpa);
    return bytes;
}

const struct iov_mem_target_ops iov_kvm_ram_ops = {
    .read = ram_read,
    .write = ram_write,
    .direct = ram_direct,
};

/* ---- Tables ---- */

static uint64_t entry_get(IovKvmVm *vm, iov_hpa table, unsigned index)
{
    uint64_t entry = 0;

    iov_kvm_host_read(vm, table + index * 8, &entry, sizeof entry);
    return entry;
}

static void entry_set(IovKvmVm *vm, iov_hpa table, unsigned index, uint64_t entry)
{
    iov_kvm_host_write(vm, table + index * 8, &entry, sizeof entry);
}

/* A table whose entries all are `fill`; 0 if there is no room. */
static iov_hpa table_new(IovKvmVm *vm, uint64_t fill)
{
    iov_hpa table = iov_kvm_reserve(vm, PAGE);

    if (table == 0)
        return 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        entry_set(vm, table, i, fill);
    return table;
}

static unsigned index_of(iov_gpa gpa, unsigned level)
{
    return (unsigned)(gpa >> (12 + 9 * (level - 1))) & (ENTRIES - 1);
}

/* Sets the entry that maps `gpa` at `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), making the tables above
 * it. */
static bool map(IovKvmVm *vm, iov_gpa gpa, unsigned level, uint64_t entry)
{
    iov_hpa table = vm->ept_root;

    for (unsigned at = LEVELS; at > level; at--) {
        unsigned index = index_of(gpa, at);
        uint64_t upper = entry_get(vm, table, index);

        if ((upper & IOV_EPT_RWX) != IOV_EPT_RWX) {
            /* Not a table yet: it takes over what it stood for. */
            iov_hpa lower = table_new(vm, upper);

            if (lower == 0)
                return false;
            upper = lower | IOV_EPT_RWX;
            entry_set(vm, table, index, upper);
        }
        table = upper & ADDRESS_MASK;
    }
    entry_set(vm, table, index_of(gpa, level), entry);
    return true;
}

static bool map_range(IovKvmVm *vm, iov_gpa gpa, iov_hpa hpa, uint64_t size, uint64_t flags)
{
    for (uint64_t done = 0; done < size;) {
        bool large = ((gpa | hpa) & (LARGE_PAGE - 1)) == 0 && size - done >= LARGE_PAGE;
        uint64_t step = large ? LARGE_PAGE : PAGE;

        if (!map(vm, gpa, large ? 2 : 1,
                 flags == 0 ? 0 : hpa | flags | (large ? IOV_EPT_LARGE : 0)))
            return false;
        gpa += step;
        hpa += step;
        done += step;
    }
    return true;
}

bool iov_kvm_map_passthrough(IovKvmVm *vm, iov_gpa gpa, iov_hpa hpa, uint64_t size)
{
    if (((gpa | hpa | size) & (PAGE - 1)) != 0 || size == 0 || gpa < vm->memory)
        return false;
    return map_range(vm, gpa, hpa, size, DEVICE_ENTRY);
}

bool iov_kvm_mmu_init(IovKvmVm *vm, GError **error)
{
    IovModel *model = &vm->parent_instance;
    bool ok;

    vm->ept_root = table_new(vm, vm->class->unmapped_mmio ? 0 : MMIO_ENTRY);
    ok = vm->ept_root != 0 &&
         map_range(vm, 0, vm->memory_base, vm->memory, vm->populate ? MEMORY_ENTRY : 0) &&
         map_range(vm, IOV_APIC_DEFAULT_BASE, vm->apic_access_page, PAGE, MEMORY_ENTRY);
    if (!ok)
        return iov_model_fail(model, error, "the EPT does not fit");
    for (unsigned i = 0; i + 2 < vm->passthrough.count; i += 3) {
        if (!iov_kvm_map_passthrough(vm, vm->passthrough.items[i], vm->passthrough.items[i + 1],
                                     vm->passthrough.items[i + 2]))
            return iov_model_fail(model, error, "passthrough: window %u cannot be mapped", i / 3);
    }
    return true;
}

/* The first touch of a page of memory; anything else that faults is not mapped for a reason. */
enum iov_resume iov_vcpu_ept_violation(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    IovKvmVm *vm = vcpu->vm;
    iov_gpa gpa = exit->guest_physical & ~(uint64_t)(PAGE - 1);
    iov_gpa large = gpa & ~(uint64_t)(LARGE_PAGE - 1);
    bool fits = in_memory(vm, large, LARGE_PAGE) && (vm->memory_base & (LARGE_PAGE - 1)) == 0;

    if (!in_memory(vm, gpa, PAGE))
        return iov_vcpu_mmio(vcpu, exit);
    vm->violations++;
    iov_vcpu_compute(vcpu, vm->costs.ept_violation);
    if (fits)
        map_range(vm, large, vm->memory_base + large, LARGE_PAGE, MEMORY_ENTRY);
    else
        map_range(vm, gpa, vm->memory_base + gpa, PAGE, MEMORY_ENTRY);
    return IOV_RESUME_RETRY;
}
