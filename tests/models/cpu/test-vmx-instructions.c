/* SPDX-License-Identifier: Apache-2.0 */
/* VMX instructions of root operation and the checks of VM entry: which succeed, which fail how (SDM
 * vol. 3C, chapters 27 and 31). */
#include "tests/models/cpu/cpu-bench.h"

#define FAILS_INVALID(call) cr_assert(eq(int, (int)(call), IOV_VMX_FAIL_INVALID))
#define SUCCEEDS(call) cr_assert(eq(int, (int)(call), IOV_VMX_SUCCEED))

static void fails_valid(struct bench *bench, enum iov_vmx_status status, uint32_t error)
{
    cr_assert(eq(int, (int)status, IOV_VMX_FAIL_VALID));
    cr_assert(eq(uint, bench->cpu->ops->vm_instruction_error(bench->cpu), error));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_INSTRUCTION_ERROR), error));
}

static void run(bench_fn *body)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, body);
    cr_assert(bench->done);
    bench_free(bench);
}

static void before_vmxon(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    uint64_t value;

    FAILS_INVALID(ops->vmclear(&bench->host, BENCH_VMCS));
    FAILS_INVALID(ops->vmptrld(&bench->host, BENCH_VMCS));
    FAILS_INVALID(ops->vmread(&bench->host, IOV_VMCS_VPID, &value));
    FAILS_INVALID(ops->vmlaunch(&bench->host, &bench->guest, 0));
    FAILS_INVALID(ops->vmxoff(&bench->host));
}

Test(vmx_instructions, nothing_works_before_vmxon)
{
    run(before_vmxon);
}

static void vmxon_regions(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;

    FAILS_INVALID(ops->vmxon(&bench->host, BENCH_VMXON)); /* no revision identifier */
    bench_put32(bench, BENCH_VMXON, IOV_VMX_REVISION);
    FAILS_INVALID(ops->vmxon(&bench->host, BENCH_VMXON + 8));
    FAILS_INVALID(ops->vmxon(&bench->host, UINT64_C(1) << 50));
    SUCCEEDS(ops->vmxon(&bench->host, BENCH_VMXON));
    FAILS_INVALID(ops->vmxon(&bench->host, BENCH_VMXON)); /* no current VMCS to hold the error */
    bench_put32(bench, BENCH_VMCS, IOV_VMX_REVISION);
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS));
    fails_valid(bench, ops->vmxon(&bench->host, BENCH_VMXON), IOV_VMX_ERROR_VMXON_IN_ROOT);
    SUCCEEDS(ops->vmxoff(&bench->host));
    SUCCEEDS(ops->vmxon(&bench->host, BENCH_VMXON));
}

Test(vmx_instructions, vmxon_checks_its_region_and_fails_in_root_operation)
{
    run(vmxon_regions);
}

static void pointers(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    iov_hpa region;

    bench_put32(bench, BENCH_VMXON, IOV_VMX_REVISION);
    bench_put32(bench, BENCH_VMCS, IOV_VMX_REVISION);
    SUCCEEDS(ops->vmxon(&bench->host, BENCH_VMXON));
    SUCCEEDS(ops->vmptrst(&bench->host, &region));
    cr_assert(eq(u64, region, UINT64_MAX));
    FAILS_INVALID(ops->vmclear(&bench->host, BENCH_VMCS + 4));
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS));
    SUCCEEDS(ops->vmptrst(&bench->host, &region));
    cr_assert(eq(u64, region, BENCH_VMCS));
    fails_valid(bench, ops->vmclear(&bench->host, BENCH_VMCS + 4), IOV_VMX_ERROR_VMCLEAR_ADDRESS);
    fails_valid(bench, ops->vmclear(&bench->host, BENCH_VMXON), IOV_VMX_ERROR_VMCLEAR_VMXON);
    fails_valid(bench, ops->vmptrld(&bench->host, BENCH_VMCS + 4), IOV_VMX_ERROR_VMPTRLD_ADDRESS);
    fails_valid(bench, ops->vmptrld(&bench->host, BENCH_VMXON), IOV_VMX_ERROR_VMPTRLD_VMXON);
    bench_put32(bench, BENCH_VMCS2, IOV_VMX_REVISION + 1);
    fails_valid(bench, ops->vmptrld(&bench->host, BENCH_VMCS2), IOV_VMX_ERROR_VMPTRLD_REVISION);
    bench_put32(bench, BENCH_VMCS2,
                IOV_VMX_REVISION | 0x80000000); /* a shadow VMCS: not supported */
    fails_valid(bench, ops->vmptrld(&bench->host, BENCH_VMCS2), IOV_VMX_ERROR_VMPTRLD_REVISION);
    SUCCEEDS(ops->vmclear(&bench->host, BENCH_VMCS));
    SUCCEEDS(ops->vmptrst(&bench->host, &region));
    cr_assert(eq(u64, region, UINT64_MAX), "VMCLEAR of the current VMCS leaves none");
}

Test(vmx_instructions, vmclear_and_vmptrld_check_their_regions)
{
    run(pointers);
}

static void fields(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    uint64_t value;

    bench_vmx_begin(bench);
    vmwrite(bench, IOV_VMCS_VPID, 0x12345);
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_VPID), 0x2345), "a 16-bit field");
    vmwrite(bench, IOV_VMCS_PLE_GAP, UINT64_C(0x123456789));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_PLE_GAP), 0x23456789), "a 32-bit field");
    vmwrite(bench, IOV_VMCS_TSC_OFFSET, UINT64_C(0x1122334455667788));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_TSC_OFFSET + 1), 0x11223344), "the upper half");
    vmwrite(bench, IOV_VMCS_TSC_OFFSET + 1, 0xaabbccdd);
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_TSC_OFFSET), UINT64_C(0xaabbccdd55667788)));
    fails_valid(bench, ops->vmread(&bench->host, 0x0ffe, &value), IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    fails_valid(bench, ops->vmwrite(&bench->host, 0x12345678, 0), IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    fails_valid(bench, ops->vmread(&bench->host, IOV_VMCS_VPID + 1, &value),
                IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    fails_valid(bench, ops->vmread(&bench->host, IOV_VMCS_TERTIARY_CONTROLS, &value),
                IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    fails_valid(bench, ops->vmwrite(&bench->host, IOV_VMCS_EXIT_REASON, 0),
                IOV_VMX_ERROR_FIELD_READ_ONLY);
    SUCCEEDS(ops->vmread(&bench->host, IOV_VMCS_EXIT_REASON, &value));
}

Test(vmx_instructions, vmread_and_vmwrite_know_width_half_and_access_of_a_field)
{
    run(fields);
}

static void every_field(struct bench *bench)
{
    static const uint32_t all[] = {
        IOV_VMCS_GUEST_TR_SELECTOR,
        IOV_VMCS_HOST_TR_SELECTOR,
        IOV_VMCS_EPTP_LIST_ADDRESS,
        IOV_VMCS_XSS_EXITING_BITMAP,
        IOV_VMCS_TSC_MULTIPLIER,
        IOV_VMCS_GUEST_PDPTE3,
        IOV_VMCS_HOST_PERF_GLOBAL_CTRL,
        IOV_VMCS_PLE_WINDOW,
        IOV_VMCS_PREEMPTION_TIMER,
        IOV_VMCS_HOST_SYSENTER_CS,
        IOV_VMCS_CR3_TARGET3,
        IOV_VMCS_GUEST_SYSENTER_EIP,
        IOV_VMCS_HOST_RIP,
    };

    bench_vmx_begin(bench);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        vmwrite(bench, all[i], 0x100 + i);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        cr_assert(eq(u64, vmread(bench, all[i]), 0x100 + i), "field %#x", all[i]);
}

Test(vmx_instructions, fields_do_not_share_storage)
{
    run(every_field);
}

static void vmcs_survives(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;

    bench_vmx_begin(bench);
    vmwrite(bench, IOV_VMCS_GUEST_CR3, 0x777000);
    bench_put32(bench, BENCH_VMCS2, IOV_VMX_REVISION);
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS2));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_CR3), 0), "another VMCS");
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_CR3), 0x777000));
    SUCCEEDS(ops->vmclear(&bench->host, BENCH_VMCS));
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_CR3), 0x777000),
              "VMCLEAR keeps the data in memory");
}

Test(vmx_instructions, a_vmcs_keeps_its_fields_through_vmclear_and_vmptrld)
{
    run(vmcs_survives);
}

static void moved(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    IovModel *other;
    struct iov_mem_initiator *bus;
    struct iov_exec there = bench->host;
    uint64_t value = 0;

    bench_vmx_begin(bench);
    vmwrite(bench, IOV_VMCS_GUEST_CR3, 0x777000);
    SUCCEEDS(ops->vmclear(&bench->host, BENCH_VMCS));
    other = iov_model_new("cpu", "cpu1", &bench->run, NULL);
    cr_assert(iov_model_prepare(other, NULL));
    bus = iov_model_port(other, "bus", 0);
    bus->peer = &bench->bus;
    cr_assert(iov_model_realize(other, NULL));
    there.processor = iov_model_port(other, "processor", 0);
    SUCCEEDS(there.processor->ops->vmxon(&there, BENCH_VMXON));
    SUCCEEDS(there.processor->ops->vmptrld(&there, BENCH_VMCS));
    SUCCEEDS(there.processor->ops->vmread(&there, IOV_VMCS_GUEST_CR3, &value));
    cr_assert(eq(u64, value, 0x777000));
    iov_model_unrealize(other);
    g_object_unref(other);
}

Test(vmx_instructions, a_vmcs_moves_to_another_processor_through_memory)
{
    run(moved);
}

static void invalidations(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;
    struct iov_exec *host = &bench->host;
    const uint64_t eptp = BENCH_EPT | IOV_EPTP_WB_WALK_4;

    bench_vmx_begin(bench);
    SUCCEEDS(ops->invept(host, IOV_INVEPT_SINGLE, eptp));
    SUCCEEDS(ops->invept(host, IOV_INVEPT_ALL, 0));
    fails_valid(bench, ops->invept(host, 0, eptp), IOV_VMX_ERROR_INVALIDATION_OPERAND);
    fails_valid(bench, ops->invept(host, 3, eptp), IOV_VMX_ERROR_INVALIDATION_OPERAND);
    fails_valid(bench, ops->invept(host, IOV_INVEPT_SINGLE, BENCH_EPT),
                IOV_VMX_ERROR_INVALIDATION_OPERAND);
    SUCCEEDS(ops->invvpid(host, IOV_INVVPID_ADDRESS, 1, 0x1000));
    SUCCEEDS(ops->invvpid(host, IOV_INVVPID_SINGLE, 1, 0));
    SUCCEEDS(ops->invvpid(host, IOV_INVVPID_ALL, 0, 0));
    fails_valid(bench, ops->invvpid(host, IOV_INVVPID_SINGLE, 0, 0),
                IOV_VMX_ERROR_INVALIDATION_OPERAND);
    fails_valid(bench, ops->invvpid(host, 4, 1, 0), IOV_VMX_ERROR_INVALIDATION_OPERAND);
    fails_valid(bench, ops->invvpid(host, IOV_INVVPID_ADDRESS, 1, UINT64_C(1) << 60),
                IOV_VMX_ERROR_INVALIDATION_OPERAND);
}

Test(vmx_instructions, invept_and_invvpid_check_type_and_descriptor)
{
    run(invalidations);
}

/* ---- VM entry ---- */

enum outcome { ENTERS, FAILS_CONTROLS, FAILS_STATE };

struct entry_case {
    const char *name;
    const char *clause;
    enum outcome outcome;
    uint64_t qualification;
    struct {
        uint32_t field;
        uint64_t value; /* of controls: bits to add (or, with `whole`, the value) */
        bool whole;
    } writes[5];
};

#define SET(f, v) \
    { \
        IOV_VMCS_##f, (v), true \
    }
#define ADD(f, v) \
    { \
        IOV_VMCS_##f##_CONTROLS, (v), false \
    }
#define INJECT(type, vector) SET(ENTRY_INTERRUPTION_INFO, IOV_INTERRUPTION(type, vector))

static const struct entry_case entry_cases[] = {
    { "the least controls", "27.2", ENTERS, 0, { { 0 } } },
    /* 27.2.1.1: VM-execution controls */
    { "pin: a bit that must be 1", "27.2.1.1", FAILS_CONTROLS, 0, { SET(PIN_CONTROLS, 0) } },
    { "pin: a bit that must be 0", "27.2.1.1", FAILS_CONTROLS, 0, { ADD(PIN, 1u << 9) } },
    { "primary: tertiary controls are not offered",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TERTIARY) } },
    { "secondary: PML is not offered",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_PML) } },
    { "secondary controls are not checked when inactive",
      "27.2.1.1",
      ENTERS,
      0,
      { SET(PRIMARY_CONTROLS, IOV_PRIMARY_TRUE_DEFAULT1), ADD(SECONDARY, IOV_SECONDARY_PML) } },
    { "five CR3 targets", "27.2.1.1", FAILS_CONTROLS, 0, { SET(CR3_TARGET_COUNT, 5) } },
    { "I/O bitmap not on a page",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_IO_BITMAPS), SET(IO_BITMAP_B, 0x3800) } },
    { "MSR bitmap beyond physical memory",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_MSR_BITMAPS), SET(MSR_BITMAP, UINT64_C(1) << 48) } },
    { "bitmap addresses do not matter when unused",
      "27.2.1.1",
      ENTERS,
      0,
      { SET(IO_BITMAP_A, 1), SET(MSR_BITMAP, 1) } },
    { "virtual NMIs without NMI exiting",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PIN, IOV_PIN_VIRTUAL_NMIS) } },
    { "NMI window without virtual NMIs",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PIN, IOV_PIN_NMI), ADD(PRIMARY, IOV_PRIMARY_NMI_WINDOW) } },
    { "VPID 0", "27.2.1.1", FAILS_CONTROLS, 0, { ADD(SECONDARY, IOV_SECONDARY_VPID) } },
    { "VPID 1", "27.2.1.1", ENTERS, 0, { ADD(SECONDARY, IOV_SECONDARY_VPID), SET(VPID, 1) } },
    { "unrestricted guest without EPT",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_UNRESTRICTED_GUEST) } },
    { "EPTP: memory type 1",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_EPT), SET(EPT_POINTER, BENCH_EPT | 0x19) } },
    { "EPTP: three levels",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_EPT), SET(EPT_POINTER, BENCH_EPT | 0x16) } },
    { "EPTP: accessed and dirty flags are not offered",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_EPT), SET(EPT_POINTER, BENCH_EPT | 0x5e) } },
    { "EPTP: beyond physical memory",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_EPT), SET(EPT_POINTER, UINT64_C(1) << 47 | 0x1e) } },
    { "EPTP", "27.2.1.1", ENTERS, 0, { ADD(SECONDARY, IOV_SECONDARY_EPT) } },
    { "TPR shadow: page not aligned",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), SET(VIRTUAL_APIC_ADDRESS, 0x6010) } },
    { "TPR threshold above 15",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), SET(TPR_THRESHOLD, 16) } },
    { "TPR threshold above the TPR",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), SET(TPR_THRESHOLD, 1) } },
    { "virtualised x2APIC without TPR shadow",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_X2APIC) } },
    { "register virtualisation without TPR shadow",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_APIC_REGISTER) } },
    { "x2APIC mode and APIC accesses",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW),
        ADD(SECONDARY, IOV_SECONDARY_X2APIC | IOV_SECONDARY_APIC_ACCESSES) } },
    { "APIC-access page not aligned",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(SECONDARY, IOV_SECONDARY_APIC_ACCESSES), SET(APIC_ACCESS_ADDRESS, 8) } },
    { "virtual interrupts without external-interrupt exiting",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(SECONDARY, IOV_SECONDARY_VIRTUAL_INTERRUPT),
        SET(PIN_CONTROLS, IOV_PIN_DEFAULT1) } },
    { "posted interrupts without virtual interrupts",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(PIN, IOV_PIN_POSTED_INTERRUPTS) } },
    { "posted interrupts without acknowledge on exit",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(SECONDARY, IOV_SECONDARY_VIRTUAL_INTERRUPT),
        ADD(PIN, IOV_PIN_POSTED_INTERRUPTS), SET(EXIT_CONTROLS, IOV_EXITCTL_TRUE_DEFAULT1) } },
    { "posted interrupts: vector above 255",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(SECONDARY, IOV_SECONDARY_VIRTUAL_INTERRUPT),
        ADD(PIN, IOV_PIN_POSTED_INTERRUPTS), SET(POSTED_INTERRUPT_VECTOR, 0x1f2) } },
    { "posted interrupts: descriptor not aligned",
      "27.2.1.1",
      FAILS_CONTROLS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(SECONDARY, IOV_SECONDARY_VIRTUAL_INTERRUPT),
        ADD(PIN, IOV_PIN_POSTED_INTERRUPTS), SET(POSTED_INTERRUPT_DESCRIPTOR, BENCH_POSTED + 8) } },
    { "posted interrupts",
      "27.2.1.1",
      ENTERS,
      0,
      { ADD(PRIMARY, IOV_PRIMARY_TPR_SHADOW), ADD(SECONDARY, IOV_SECONDARY_VIRTUAL_INTERRUPT),
        ADD(PIN, IOV_PIN_POSTED_INTERRUPTS), SET(POSTED_INTERRUPT_VECTOR, 0xf2) } },
    /* 27.2.1.2: VM-exit controls */
    { "save the timer that is not active",
      "27.2.1.2",
      FAILS_CONTROLS,
      0,
      { ADD(EXIT, IOV_EXITCTL_SAVE_TIMER) } },
    { "MSR-store area not aligned",
      "27.2.1.2",
      FAILS_CONTROLS,
      0,
      { SET(EXIT_MSR_STORE_COUNT, 1), SET(EXIT_MSR_STORE_ADDRESS, 8) } },
    { "entry to SMM", "27.2.1.3", FAILS_CONTROLS, 0, { ADD(ENTRY, IOV_ENTRYCTL_SMM) } },
    /* 27.2.1.3: event injection */
    { "inject: type 1 is reserved", "27.2.1.3", FAILS_CONTROLS, 0, { INJECT(1, 0x30) } },
    { "inject: an NMI with another vector",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { INJECT(IOV_EVENT_NMI, 3) } },
    { "inject: exception 32",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { INJECT(IOV_EVENT_HARDWARE_EXCEPTION, 32) } },
    { "inject: #PF without error code",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { INJECT(IOV_EVENT_HARDWARE_EXCEPTION, 14) } },
    { "inject: #UD with error code",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { SET(ENTRY_INTERRUPTION_INFO,
            IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, 6) | IOV_INTERRUPTION_ERROR_CODE) } },
    { "inject: error code with bit 15",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { SET(ENTRY_INTERRUPTION_INFO,
            IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, 14) | IOV_INTERRUPTION_ERROR_CODE),
        SET(ENTRY_EXCEPTION_ERROR, 0x8000) } },
    { "inject: reserved bits",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { SET(ENTRY_INTERRUPTION_INFO, IOV_INTERRUPTION_VALID | 0x2030u) } },
    { "inject: other event with a vector",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { INJECT(IOV_EVENT_OTHER, 1) } },
    { "inject: a software exception 16 bytes long",
      "27.2.1.3",
      FAILS_CONTROLS,
      0,
      { INJECT(IOV_EVENT_SOFTWARE_EXCEPTION, 3), SET(ENTRY_INSTRUCTION_LENGTH, 16) } },
    { "inject: nothing is checked without the valid bit",
      "27.2.1.3",
      ENTERS,
      0,
      { SET(ENTRY_INTERRUPTION_INFO, 0x7ffff1ff) } },
    { "inject: an interrupt with IF set",
      "27.3.1.4",
      ENTERS,
      0,
      { INJECT(IOV_EVENT_EXTERNAL, 0x30), SET(GUEST_RFLAGS, 0x202) } },
    /* 27.3.1.4: RFLAGS */
    { "RFLAGS: bit 1 clear", "27.3.1.4", FAILS_STATE, 0, { SET(GUEST_RFLAGS, 0) } },
    { "RFLAGS: bit 3 set", "27.3.1.4", FAILS_STATE, 0, { SET(GUEST_RFLAGS, 0xa) } },
    { "inject: an interrupt with IF clear",
      "27.3.1.4",
      FAILS_STATE,
      0,
      { INJECT(IOV_EVENT_EXTERNAL, 0x30) } },
    /* 27.3.1.5: non-register state */
    { "activity state 4", "27.3.1.5", FAILS_STATE, 0, { SET(GUEST_ACTIVITY, 4) } },
    { "HLT in the shadow of STI",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { SET(GUEST_ACTIVITY, 1), SET(GUEST_INTERRUPTIBILITY, 1), SET(GUEST_RFLAGS, 0x202) } },
    { "HLT and #GP to inject",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { SET(GUEST_ACTIVITY, 1),
        SET(ENTRY_INTERRUPTION_INFO,
            IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, 13) | IOV_INTERRUPTION_ERROR_CODE) } },
    { "HLT and an interrupt to inject",
      "27.3.1.5",
      ENTERS,
      0,
      { SET(GUEST_ACTIVITY, 1), INJECT(IOV_EVENT_EXTERNAL, 0x30), SET(GUEST_RFLAGS, 0x202) } },
    { "interruptibility: reserved bit",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { SET(GUEST_INTERRUPTIBILITY, 0x20) } },
    { "shadow of STI and of MOV SS",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { SET(GUEST_INTERRUPTIBILITY, 3), SET(GUEST_RFLAGS, 0x202) } },
    { "shadow of STI with IF clear",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { SET(GUEST_INTERRUPTIBILITY, 1) } },
    { "shadow of MOV SS", "27.3.1.5", ENTERS, 0, { SET(GUEST_INTERRUPTIBILITY, 2) } },
    { "inject: an interrupt in the shadow of STI",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { INJECT(IOV_EVENT_EXTERNAL, 0x30), SET(GUEST_RFLAGS, 0x202),
        SET(GUEST_INTERRUPTIBILITY, 1) } },
    { "inject: an NMI in the shadow of MOV SS",
      "27.3.1.5",
      FAILS_STATE,
      IOV_QUAL_ENTRY_NMI,
      { INJECT(IOV_EVENT_NMI, 2), SET(GUEST_INTERRUPTIBILITY, 2) } },
    { "inject: an NMI while NMIs are blocked",
      "27.3.1.5",
      FAILS_STATE,
      0,
      { INJECT(IOV_EVENT_NMI, 2), SET(GUEST_INTERRUPTIBILITY, 8),
        ADD(PIN, IOV_PIN_NMI | IOV_PIN_VIRTUAL_NMIS) } },
    { "VMCS link pointer",
      "27.3.1.5",
      FAILS_STATE,
      IOV_QUAL_ENTRY_LINK,
      { SET(LINK_POINTER, BENCH_VMCS2) } },
};

static const struct entry_case *present;

static void set_up_entry(struct bench *bench)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(present->writes) &&
                         (present->writes[i].field != 0 || present->writes[i].whole);
         i++) {
        uint32_t field = present->writes[i].field;

        if (present->writes[i].whole)
            vmwrite(bench, field, present->writes[i].value);
        else
            bench_add(bench, field, present->writes[i].value);
    }
}

static void entered(struct bench *bench)
{
    bench->note++;
}

/* The monitor sees the failure and repairs its VMCS. */
static void repair(struct bench *bench)
{
    const struct iov_exit *exit = &bench->exits[0];

    cr_assert(eq(uint, bench->exit_count, 1), "%s", present->name);
    cr_assert(eq(uint, exit->reason, IOV_EXIT_ENTRY_FAILURE | IOV_EXIT_INVALID_STATE), "%s",
              present->name);
    cr_assert(eq(u64, exit->qualification, present->qualification), "%s (%s)", present->name,
              present->clause);
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_EXIT_REASON), exit->reason), "%s", present->name);
    cr_assert(eq(u64, bench->note, 0), "%s", present->name);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 2);
    vmwrite(bench, IOV_VMCS_GUEST_ACTIVITY, 0);
    vmwrite(bench, IOV_VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmwrite(bench, IOV_VMCS_LINK_POINTER, UINT64_MAX);
}

Test(vmx_entry, every_check_of_controls_and_guest_state)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(entry_cases); i++) {
        struct bench *bench = bench_new();
        enum iov_vmx_status status;
        uint32_t error;

        present = &entry_cases[i];
        bench->on_exit = repair;
        status = bench_run_guest(bench, set_up_entry, entered);
        cr_assert(bench->done, "%s (%s)", present->name, present->clause);
        error = bench->cpu->ops->vm_instruction_error(bench->cpu);
        if (present->outcome == FAILS_CONTROLS) {
            cr_assert(eq(int, (int)status, IOV_VMX_FAIL_VALID), "%s (%s)", present->name,
                      present->clause);
            cr_assert(eq(uint, error, IOV_VMX_ERROR_ENTRY_CONTROLS), "%s", present->name);
            cr_assert(eq(u64, bench->note, 0), "%s", present->name);
        } else {
            cr_assert(eq(int, (int)status, IOV_VMX_SUCCEED), "%s (%s): error %u", present->name,
                      present->clause, error);
            cr_assert(eq(u64, bench->note, 1), "%s", present->name);
            cr_assert(eq(uint, bench->exit_count, present->outcome == FAILS_STATE), "%s (%s)",
                      present->name, present->clause);
        }
        bench_free(bench);
    }
}

static void launch_twice(struct bench *bench)
{
    fails_valid(bench, bench->cpu->ops->vmlaunch(&bench->host, &bench->guest, 0),
                IOV_VMX_ERROR_VMLAUNCH_NOT_CLEAR);
}

static void launch_state(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;

    bench_vmx_begin(bench);
    bench->body = entered;
    bench->host.blocking = IOV_BLOCKING_MOV_SS;
    fails_valid(bench, ops->vmlaunch(&bench->host, &bench->guest, 0), IOV_VMX_ERROR_ENTRY_MOV_SS);
    bench->host.blocking = 0;
    SUCCEEDS(ops->vmlaunch(&bench->host, &bench->guest, 0));
    launch_twice(bench);
    SUCCEEDS(ops->vmclear(&bench->host, BENCH_VMCS));
    SUCCEEDS(ops->vmptrld(&bench->host, BENCH_VMCS));
    SUCCEEDS(ops->vmlaunch(&bench->host, &bench->guest, 0));
    cr_assert(eq(u64, bench->note, 2));
}

Test(vmx_entry, vmlaunch_wants_a_clear_vmcs_and_no_shadow_of_mov_ss)
{
    run(launch_state);
}

static void launch_bad_controls(struct bench *bench)
{
    const struct iov_processor_ops *ops = bench->cpu->ops;

    bench_vmx_begin(bench);
    bench->body = entered;
    vmwrite(bench, IOV_VMCS_CR3_TARGET_COUNT, 5);
    fails_valid(bench, ops->vmlaunch(&bench->host, &bench->guest, 0), IOV_VMX_ERROR_ENTRY_CONTROLS);
    fails_valid(bench, ops->vmlaunch(&bench->host, &bench->guest, 0), IOV_VMX_ERROR_ENTRY_CONTROLS);
    vmwrite(bench, IOV_VMCS_CR3_TARGET_COUNT, 4);
    SUCCEEDS(ops->vmlaunch(&bench->host, &bench->guest, 0));
}

Test(vmx_entry, bad_controls_stay_bad_until_they_change)
{
    run(launch_bad_controls);
}

static void two_exits(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    bench->note++;
}

static void spoil_and_repair(struct bench *bench)
{
    if (bench->exit_count == 2)
        vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0xa);
    else if (bench->exit_count == 3)
        vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 2);
}

Test(vmx_entry, guest_state_that_was_good_is_checked_again_when_it_changes)
{
    struct bench *bench = bench_new();

    bench->on_exit = spoil_and_repair;
    bench_run_guest(bench, NULL, two_exits);
    cr_assert(eq(uint, bench->exit_count, 3));
    cr_assert(eq(uint, bench->exits[2].reason, IOV_EXIT_ENTRY_FAILURE | IOV_EXIT_INVALID_STATE));
    cr_assert(eq(u64, bench->note, 1));
    bench_free(bench);
}

static void load_msrs(struct bench *bench)
{
    bench_put32(bench, BENCH_RAM, IOV_MSR_KERNEL_GS_BASE);
    bench_put64(bench, BENCH_RAM + 8, 0x1234);
    bench_put32(bench, BENCH_RAM + 16, IOV_MSR_FS_BASE); /* SPEC: 27.4: not allowed there */
    vmwrite(bench, IOV_VMCS_ENTRY_MSR_LOAD_ADDRESS, BENCH_RAM);
    vmwrite(bench, IOV_VMCS_ENTRY_MSR_LOAD_COUNT, 2);
}

static void msrs_failed(struct bench *bench)
{
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_ENTRY_FAILURE | IOV_EXIT_MSR_LOAD_FAIL));
    cr_assert(eq(u64, bench->exits[0].qualification, 2), "the number of the entry");
    vmwrite(bench, IOV_VMCS_ENTRY_MSR_LOAD_COUNT, 1);
}

static void see_msr(struct bench *bench)
{
    struct iov_op op = { .kind = IOV_OP_RDMSR, .index = IOV_MSR_KERNEL_GS_BASE };

    bench->on_exit = NULL;
    iov_exec_operate(&bench->host, &op);
    cr_assert(eq(u64, op.value[0], 0x1234));
}

Test(vmx_entry, a_bad_entry_of_the_msr_area_fails_the_entry)
{
    struct bench *bench = bench_new();

    bench->on_exit = msrs_failed;
    bench_guest_passes(bench, load_msrs, see_msr);
}

static void read_capabilities(struct bench *bench)
{
    struct iov_exec *host = &bench->host;

    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_VMX_BASIC) & 0x7fffffff, IOV_VMX_REVISION));
    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_VMX_TRUE_PINBASED_CTLS) & UINT32_MAX,
                 IOV_PIN_DEFAULT1));
    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_VMX_PROCBASED_CTLS) & UINT32_MAX,
                 IOV_PRIMARY_DEFAULT1));
    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_VMX_TRUE_PROCBASED_CTLS) & UINT32_MAX,
                 IOV_PRIMARY_TRUE_DEFAULT1));
    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_VMX_PROCBASED_CTLS2) >> 32 & IOV_SECONDARY_EPT,
                 IOV_SECONDARY_EPT));
    cr_assert(eq(u64, iov_exec_rdmsr(host, IOV_MSR_FEATURE_CONTROL), 5));
    cr_assert(eq(uint, bench->exception_count, 0));
}

Test(vmx_instructions, the_capability_msrs_say_what_may_be_set)
{
    run(read_capabilities);
}
