/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and stores: from the program's address to the bytes.
 *
 * A cached translation of plain memory holds a host pointer, so an ordinary access is a look-up and
 * a copy. Everything else is a request on the bus, whose delay the stream waits for; the
 * processor's own xAPIC page is answered here. In non-root operation the APIC-access page goes to
 * apic-virtualisation.c and faults of the EPT become exits. Timing: plain memory takes no time of
 * its own (it is part of the surrounding compute); a walk costs a step for each entry read, unless
 * the access is free. LIMIT: no caches; the access to a page that is not plain memory is one
 * request, whatever its size.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

/* Whoever refers to plain memory by pointer relies on it staying in place; sizes up to a page. */
static uint8_t *direct_page(IovCpu *self, iov_hpa page)
{
    struct iov_mem_target *peer = self->bus.peer;
    uint64_t size = 0;
    uint8_t *bytes;

    if (peer == NULL || peer->ops->direct == NULL)
        return NULL;
    bytes = peer->ops->direct(peer, page, &size);
    return bytes != NULL && size >= PAGE_SIZE ? bytes : NULL;
}

/* Caches a translation in `way` of the page's set, or where another gives way; it is the set's last
 * one then. */
static void keep(IovCpu *self, struct iov_tlb_set *set, int way, uint64_t page, uint64_t linear,
                 iov_hpa address, uint32_t context, uint32_t rights)
{
    unsigned place = way >= 0 ? (unsigned)way : self->tlb_turn++ % TLB_WAYS;

    set->page[place] = page;
    set->context[place] = context;
    set->rights[place] = (uint8_t)rights;
    set->last = (uint8_t)place;
    set->direct[place] = rights & TLB_APIC_ACCESS ? NULL : direct_page(self, address);
    set->address[place] = address;
    self->tlb_linear[(set - self->tlb) * TLB_WAYS + place] = linear;
}

static G_GNUC_NO_INLINE void root_keep(IovCpu *self, struct iov_tlb_set *set, uint64_t page)
{
    keep(self, set, -1, page, page, page << 12, TLB_ROOT_CONTEXT,
         TLB_READ | TLB_WRITE | TLB_EXECUTE);
}

/* The set whose last way is the page of `address`. */
static struct iov_tlb_set *root_entry(IovCpu *self, iov_hpa address)
{
    uint64_t page = address >> 12;
    struct iov_tlb_set *set = iov_tlb_set(self, page);

    if (G_UNLIKELY(iov_tlb_find(set, TLB_ROOT_CONTEXT, page) < 0))
        root_keep(self, set, page);
    return set;
}

uint8_t *iov_cpu_pointer(IovCpu *self, iov_hpa address)
{
    const struct iov_tlb_set *set = root_entry(self, address);
    uint8_t *bytes = set->direct[set->last];

    return bytes != NULL ? bytes + (address & PAGE_MASK) : NULL;
}

bool iov_cpu_copy_from(IovCpu *self, iov_hpa address, void *data, uint32_t size)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    return iov_mem_read_req(&self->bus, &req) == IOV_STATUS_OK;
}

bool iov_cpu_copy_to(IovCpu *self, iov_hpa address, const void *data, uint32_t size)
{
    struct iov_mem_req req = { .address = address, .size = size, .pasid = IOV_NO_PASID };

    memcpy(&req.data, &data, sizeof data); /* a write only reads it */
    return iov_mem_write_req(&self->bus, &req) == IOV_STATUS_OK;
}

uint64_t iov_cpu_read64(IovCpu *self, iov_hpa address)
{
    const uint8_t *bytes = iov_cpu_pointer(self, address);
    uint64_t value;

    if (G_LIKELY(bytes != NULL))
        memcpy(&value, bytes, 8);
    else
        iov_cpu_copy_from(self, address, &value, 8);
    return value;
}

uint8_t iov_cpu_read8(IovCpu *self, iov_hpa address)
{
    const uint8_t *bytes = iov_cpu_pointer(self, address);
    uint8_t value;

    if (G_LIKELY(bytes != NULL))
        return *bytes;
    iov_cpu_copy_from(self, address, &value, 1);
    return value;
}

/* ---- Physical accesses ---- */

/* The xAPIC page of the processor itself: SDM vol. 3A, 11.4.1: 32-bit accesses on 16-byte
 * boundaries. */
static void own_apic(struct iov_exec *exec, struct iov_op *op, iov_hpa address, uint8_t *data,
                     uint32_t size, bool write)
{
    IovCpu *self = iov_cpu_of(exec);
    uint32_t offset = (uint32_t)(address & PAGE_MASK);
    uint64_t value = 0;

    iov_cpu_charge(exec, self->cost_apic_access, (enum iov_part)exec->part);
    op->status = IOV_STATUS_OK;
    if (write) {
        memcpy(&value, data, MIN(size, 4));
        self->apic->ops->write(self->apic, offset, value);
        return;
    }
    self->apic->ops->read(self->apic, offset & ~UINT32_C(0xf), &value);
    memset(data, 0, size);
    if ((offset & 0xf) < 4)
        value >>= (offset & 0xf) * 8;
    memcpy(data, &value, MIN(size, 4));
}

/* A request on the bus; the stream waits for its delay. */
static void request(struct iov_exec *exec, struct iov_op *op, iov_hpa address, uint8_t *data,
                    uint32_t size, bool write, bool payload)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_mem_req req = {
        .address = address,
        .data = data,
        .size = size,
        .flags = payload ? IOV_MEM_PAYLOAD : 0,
        .pasid = IOV_NO_PASID,
        .span = payload && write ? op->span : NULL,
    };

    iov_time begin = iov_cpu_now(self);

    op->status = write ? iov_mem_write_req(&self->bus, &req) : iov_mem_read_req(&self->bus, &req);
    if (G_UNLIKELY(iov_cpu_now(self) != begin)) /* a target of another simulator let time pass */
        iov_cpu_book(exec, begin, IOV_PART_PCIE);
    if (op->status != IOV_STATUS_OK)
        self->unclaimed++;
    if (payload && !write)
        op->span = req.span;
    if (!(op->flags & IOV_OP_FREE))
        iov_cpu_charge(exec, req.delay, IOV_PART_PCIE);
}

/* One page's part of an access at host-physical `address`. */
static void physical(struct iov_exec *exec, struct iov_op *op, iov_hpa address, uint8_t *data,
                     uint32_t size, bool write, bool payload)
{
    const IovCpu *self = iov_cpu_of(exec);

    if ((address & ~PAGE_MASK) == self->apic_page)
        own_apic(exec, op, address, data, size, write);
    else
        request(exec, op, address, data, size, write, payload);
}

/* ---- Faults ---- */

static void fill_fault(struct iov_exit *exit, struct iov_op *op, iov_gpa address, uint32_t access,
                       enum iov_ept_outcome outcome, uint32_t rights)
{
    *exit = (struct iov_exit){
        .reason = outcome == IOV_EPT_VIOLATION ? IOV_EXIT_EPT_VIOLATION : IOV_EXIT_EPT_MISCONFIG,
        .guest_physical = address,
        .guest_linear = op->linear != 0 ? op->linear + (address - op->address) : address,
        .instruction_length = iov_op_length(op),
        .op = op,
    };
    /* SPEC: table 28-7; a misconfiguration has no qualification. */
    if (outcome == IOV_EPT_VIOLATION)
        exit->qualification = (access & TLB_WRITE ? IOV_QUAL_EPT_WRITE : IOV_QUAL_EPT_READ) |
                              rights << 3 | IOV_QUAL_EPT_LINEAR_VALID | IOV_QUAL_EPT_TRANSLATED;
}

/*
 * The translation of guest-physical `address`, from the cache or by a walk: the set whose last way
 * it is. NULL: an exit was taken; `ret_resume` says what the monitor made of it.
 */
static struct iov_tlb_set *translate(struct iov_exec *exec, struct iov_op *op, iov_gpa address,
                                     uint32_t access, enum iov_resume *ret_resume)
{
    IovCpu *self = iov_cpu_of(exec);
    const struct iov_vmcs *vmcs = exec->vmcs;
    uint64_t page = address >> 12;
    struct iov_tlb_set *set = iov_tlb_set(self, page);
    int way = iov_tlb_find(set, self->context, page);
    struct iov_ept_result result = { .page = page << 12, .rights = IOV_EPT_RWX };
    enum iov_ept_outcome outcome = IOV_EPT_MAPPED;
    struct iov_exit exit;

    if (G_LIKELY(way >= 0 && (set->rights[way] & access) == access)) {
        self->tlb_hits++;
        return set;
    }
    self->tlb_misses++;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_EPT))
        outcome = iov_ept_walk(self, vmcs->field[VMCS_EPT_POINTER], address, access, &result);
    self->walk_steps += result.steps;
    if (!(op->flags & IOV_OP_FREE))
        iov_cpu_charge(exec, result.steps * self->cost_walk_step, (enum iov_part)exec->part);
    if (outcome != IOV_EPT_MAPPED) {
        /* SPEC: 29.4.3.1: a violation invalidates what is cached for the address. */
        if (way >= 0)
            set->context[way] = 0;
        fill_fault(&exit, op, address, access, outcome, result.rights);
        *ret_resume = iov_vmx_exit(exec, &exit);
        return NULL;
    }
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_ACCESSES) &&
        result.page == vmcs->field[VMCS_APIC_ACCESS_ADDRESS])
        result.rights |= TLB_APIC_ACCESS;
    keep(self, set, way, page,
         op->linear != 0 ? (op->linear + (address - op->address)) >> 12 : page, result.page,
         self->context, result.rights);
    return set;
}

/* ---- An access ---- */

/* The part of `op` from byte `done` to the end of its page. False: the monitor has emulated the
 * whole instruction. */
static bool access_page(struct iov_exec *exec, struct iov_op *op, uint32_t done, uint32_t size,
                        bool write)
{
    uint32_t access = write ? TLB_WRITE : TLB_READ;
    uint64_t address = op->address + done;
    uint8_t *data = (uint8_t *)op->data + done;
    bool payload = op->flags & IOV_OP_PAYLOAD && done == 0;

    for (;;) {
        IovCpu *self = iov_cpu_of(exec);
        const struct iov_tlb_set *set;
        unsigned way;
        enum iov_resume resume = IOV_RESUME_RETRY;

        set = exec->vmcs != NULL ? translate(exec, op, address, access, &resume)
                                 : root_entry(self, address);
        if (set == NULL) {
            if (resume == IOV_RESUME_NEXT)
                return false;
            iov_cpu_service(exec);
            continue;
        }
        way = set->last;
        if (G_LIKELY(set->direct[way] != NULL && !payload)) {
            uint8_t *bytes = set->direct[way] + (address & PAGE_MASK);

            memcpy(write ? bytes : data, write ? data : bytes, size);
            return true;
        }
        if (set->rights[way] & TLB_APIC_ACCESS) {
            if (iov_vapic_access(exec, op, (uint32_t)(address & PAGE_MASK)) == IOV_RESUME_NEXT)
                return false;
            iov_cpu_service(exec);
            continue;
        }
        physical(exec, op, set->address[way] | (address & PAGE_MASK), data, size, write, payload);
        return true;
    }
}

bool iov_cpu_access_cached(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    bool write = op->kind == IOV_OP_STORE;
    uint64_t page = op->address >> 12;
    uint64_t offset = op->address & PAGE_MASK;
    struct iov_tlb_set *set = iov_tlb_set(self, page);
    int way = iov_tlb_find(set, self->context, page);
    uint8_t *bytes;

    if (way < 0 || (bytes = set->direct[way]) == NULL ||
        !(set->rights[way] & (write ? TLB_WRITE : TLB_READ)) || op->flags & IOV_OP_PAYLOAD ||
        op->size > PAGE_SIZE - offset)
        return false;
    op->status = IOV_STATUS_OK;
    self->tlb_hits += exec->vmcs != NULL;
    if (write)
        iov_mem_copy(bytes + offset, op->data, op->size);
    else
        iov_mem_copy(op->data, bytes + offset, op->size);
    return true;
}

void iov_cpu_access_memory(struct iov_exec *exec, struct iov_op *op)
{
    bool write = op->kind == IOV_OP_STORE;
    uint32_t done = 0;

    op->status = IOV_STATUS_OK;
    if (op->flags & IOV_OP_PAYLOAD && !write)
        op->span = NULL;
    while (done < op->size) {
        uint64_t left = PAGE_SIZE - ((op->address + done) & PAGE_MASK);
        uint32_t size = op->size - done < left ? op->size - done : (uint32_t)left;

        if (!access_page(exec, op, done, size, write))
            return;
        done += size;
    }
}
