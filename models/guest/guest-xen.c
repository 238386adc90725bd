/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel as a guest of Xen (hardware-virtualised with an upcall vector, as Linux's
 * PVHVM): bits of the shared info page are its interrupt controller, a hypercall is its doorbell,
 * the grant table says who may use which page.
 */
#include "models/guest/guest-xen.h"

static bool call(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint64_t number,
                 uint64_t command, const void *argument, uint32_t size)
{
    struct iov_op op = { .kind = IOV_OP_VMCALL, .value = { number, command, xen->argument, 1 } };

    iov_exec_put(cpu->exec, xen->argument, argument, size);
    iov_exec_operate(cpu->exec, &op);
    return op.value[0] == 0;
}

static bool is_xen(struct iov_guest_cpu *cpu)
{
    struct iov_op op = { .kind = IOV_OP_CPUID, .value = { XEN_CPUID_SIGNATURE } };

    iov_exec_operate(cpu->exec, &op);
    return op.value[1] == XEN_SIGNATURE_EBX && op.value[2] == XEN_SIGNATURE_ECX &&
           op.value[3] == XEN_SIGNATURE_EDX;
}

/* ---- Events ---- */

static uint64_t word(struct iov_guest_cpu *cpu, iov_gpa address)
{
    uint64_t value;

    iov_exec_get(cpu->exec, address, &value, sizeof value);
    return value;
}

static void scan(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, unsigned index)
{
    iov_gpa pending = xen->shared + XEN_EVTCHN_PENDING + 8 * index;
    uint64_t bits = word(cpu, pending) & ~word(cpu, xen->shared + XEN_EVTCHN_MASK + 8 * index);

    for (; bits != 0; bits &= bits - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        uint64_t left = word(cpu, pending) & ~(UINT64_C(1) << bit);

        iov_exec_put(cpu->exec, pending, &left, sizeof left);
        if (index == 0 && xen->ports[bit].handler != NULL)
            xen->ports[bit].handler(xen->ports[bit].context, cpu);
        else
            cpu->guest->spurious_interrupts++;
    }
}

static void on_upcall(void *context, struct iov_guest_cpu *cpu)
{
    struct iov_guest_xen *xen = context;
    iov_gpa select = xen->shared + XEN_VCPU_PENDING_SELECT;
    const uint64_t none = 0;
    uint8_t again;

    iov_guest_charge(cpu, cpu->guest->costs.upcall);
    do {
        uint64_t words;

        iov_exec_put(cpu->exec, xen->shared + XEN_VCPU_UPCALL_PENDING, &none, 1);
        words = word(cpu, select);
        iov_exec_put(cpu->exec, select, &none, sizeof none);
        for (; words != 0; words &= words - 1)
            scan(xen, cpu, (unsigned)__builtin_ctzll(words));
        iov_exec_get(cpu->exec, xen->shared + XEN_VCPU_UPCALL_PENDING, &again, 1);
    } while (again != 0);
}

void iov_guest_xen_bind(struct iov_guest_xen *xen, uint32_t port,
                        void (*handler)(void *context, struct iov_guest_cpu *cpu), void *context)
{
    xen->ports[port].handler = handler;
    xen->ports[port].context = context;
}

void iov_guest_xen_send(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t port)
{
    const struct xen_evtchn_send argument = { port };
    uint64_t value[4] = { XEN_HYPERCALL_EVENT_CHANNEL_OP, XEN_EVTCHNOP_SEND, xen->argument, 1 };

    iov_exec_put(cpu->exec, xen->argument, &argument, sizeof argument);
    iov_guest_kick_by_call(cpu, value);
}

/* ---- Grants ---- */

void iov_guest_grant(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t ref,
                     uint16_t domain, iov_gpa page, bool readonly)
{
    const struct xen_grant_entry entry = {
        .flags = (uint16_t)(XEN_GTF_PERMIT_ACCESS | (readonly ? XEN_GTF_READONLY : 0)),
        .domid = domain,
        .frame = (uint32_t)(page / XEN_PAGE),
    };

    iov_exec_put(cpu->exec, xen->grants + ref * sizeof entry, &entry, sizeof entry);
}

void iov_guest_grant_end(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t ref)
{
    const uint16_t none = 0;

    iov_exec_put(cpu->exec, xen->grants + ref * sizeof(struct xen_grant_entry), &none, sizeof none);
}

/* ---- Boot ---- */

bool iov_guest_xen_boot(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu)
{
    struct xen_add_to_physmap map = { .domid = XEN_DOMID_SELF };
    const struct xen_hvm_param param = { .domid = XEN_DOMID_SELF,
                                         .index = XEN_HVM_PARAM_CALLBACK_IRQ,
                                         .value =
                                             XEN_HVM_CALLBACK_VECTOR | IOV_GUEST_VECTOR_UPCALL };
    bool ok = is_xen(cpu);

    xen->argument = iov_guest_allocate(cpu->guest, 64, 64);
    xen->shared = iov_guest_allocate(cpu->guest, XEN_PAGE, XEN_PAGE);
    xen->grants = iov_guest_allocate(cpu->guest, IOV_GUEST_XEN_GRANT_PAGES * XEN_PAGE, XEN_PAGE);
    if (!ok || xen->grants == 0)
        return false;
    map.space = XENMAPSPACE_SHARED_INFO;
    map.gpfn = xen->shared / XEN_PAGE;
    ok = call(xen, cpu, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &map, sizeof map);
    map.space = XENMAPSPACE_GRANT_TABLE;
    for (; ok && map.index < IOV_GUEST_XEN_GRANT_PAGES; map.index++) {
        map.gpfn = xen->grants / XEN_PAGE + map.index;
        ok = call(xen, cpu, XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &map, sizeof map);
    }
    iov_guest_request_upcall(cpu->guest, on_upcall, xen);
    return ok && call(xen, cpu, XEN_HYPERCALL_HVM_OP, XEN_HVMOP_SET_PARAM, &param, sizeof param);
}
