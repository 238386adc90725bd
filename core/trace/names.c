/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of parts of time and of basic exit reasons, as every output prints them.
 *
 * SPEC: SDM vol. 3D, appendix C, table C-1. The words are those that Linux's trace points and perf
 * use where they have one; reasons that the manual reserves (35, 38, 42, 71) have none.
 */
#include "core/trace/measure.h"

static const char *const part_names[IOV_PART_COUNT] = {
    [IOV_PART_GUEST] = "guest",         [IOV_PART_EXIT] = "exit",
    [IOV_PART_MONITOR] = "monitor",     [IOV_PART_EMULATOR] = "emulator",
    [IOV_PART_WAKEUP] = "wakeup",       [IOV_PART_COPY] = "copy",
    [IOV_PART_HOST] = "host",           [IOV_PART_PCIE] = "pcie",
    [IOV_PART_IOMMU] = "iommu",         [IOV_PART_DEVICE] = "device",
    [IOV_PART_WIRE] = "wire",           [IOV_PART_PEER] = "peer",
    [IOV_PART_INTERRUPT] = "interrupt", [IOV_PART_IDLE] = "idle",
    [IOV_PART_QUEUE] = "queue",
};

/* clang-format off */
static const char *const exit_reason_names[IOV_MEASURE_REASONS] = {
    [0] = "EXCEPTION_NMI",
    [1] = "EXTERNAL_INTERRUPT",
    [2] = "TRIPLE_FAULT",
    [3] = "INIT_SIGNAL",
    [4] = "SIPI_SIGNAL",
    [5] = "IO_SMI",
    [6] = "OTHER_SMI",
    [7] = "INTERRUPT_WINDOW",
    [8] = "NMI_WINDOW",
    [9] = "TASK_SWITCH",
    [10] = "CPUID",
    [11] = "GETSEC",
    [12] = "HLT",
    [13] = "INVD",
    [14] = "INVLPG",
    [15] = "RDPMC",
    [16] = "RDTSC",
    [17] = "RSM",
    [18] = "VMCALL",
    [19] = "VMCLEAR",
    [20] = "VMLAUNCH",
    [21] = "VMPTRLD",
    [22] = "VMPTRST",
    [23] = "VMREAD",
    [24] = "VMRESUME",
    [25] = "VMWRITE",
    [26] = "VMOFF",
    [27] = "VMON",
    [28] = "CR_ACCESS",
    [29] = "DR_ACCESS",
    [30] = "IO_INSTRUCTION",
    [31] = "MSR_READ",
    [32] = "MSR_WRITE",
    [33] = "INVALID_STATE",
    [34] = "MSR_LOAD_FAIL",
    [36] = "MWAIT_INSTRUCTION",
    [37] = "MONITOR_TRAP_FLAG",
    [39] = "MONITOR_INSTRUCTION",
    [40] = "PAUSE_INSTRUCTION",
    [41] = "MCE_DURING_VMENTRY",
    [43] = "TPR_BELOW_THRESHOLD",
    [44] = "APIC_ACCESS",
    [45] = "EOI_INDUCED",
    [46] = "GDTR_IDTR",
    [47] = "LDTR_TR",
    [48] = "EPT_VIOLATION",
    [49] = "EPT_MISCONFIG",
    [50] = "INVEPT",
    [51] = "RDTSCP",
    [52] = "PREEMPTION_TIMER",
    [53] = "INVVPID",
    [54] = "WBINVD",
    [55] = "XSETBV",
    [56] = "APIC_WRITE",
    [57] = "RDRAND",
    [58] = "INVPCID",
    [59] = "VMFUNC",
    [60] = "ENCLS",
    [61] = "RDSEED",
    [62] = "PML_FULL",
    [63] = "XSAVES",
    [64] = "XRSTORS",
    [65] = "PCONFIG",
    [66] = "SPP_EVENT",
    [67] = "UMWAIT",
    [68] = "TPAUSE",
    [69] = "LOADIWKEY",
    [70] = "ENCLV",
    [72] = "ENQCMD_PASID",
    [73] = "ENQCMDS_PASID",
    [74] = "BUS_LOCK",
    [75] = "NOTIFY",
    [76] = "SEAMCALL",
    [77] = "TDCALL",
    [78] = "RDMSRLIST",
    [79] = "WRMSRLIST",
};
/* clang-format on */

const char *iov_part_name(enum iov_part part)
{
    IOV_REQUIRE(part < IOV_PART_COUNT);
    return part_names[part];
}

const char *iov_exit_reason_name(unsigned reason)
{
    return reason < IOV_MEASURE_REASONS ? exit_reason_names[reason] : NULL;
}
