/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xen-host - Xen itself, as far as it shares processors: the scheduler of linux-host with vCPUs of
 * domains as its threads, and with Xen's prices for a wake-up, a switch of vCPUs and an interrupt.
 *
 * The credit scheduler's turn of 30 ms and its boost of a vCPU that wakes are settings of the
 * parent (latency and min-granularity, wakeup-granularity 0). The switch to the idle vCPU is lazy:
 * who comes back to where it was before finds its state in place. LIMIT: credits are virtual run
 * time; no weights, caps or rate limit; the idle domain's vCPUs are the parent's idle threads;
 * state that lies on a processor which its vCPU has left costs no IPI there.
 */
#include "models/hypervisor/host-private.h"
#include "models/hypervisor/xen-regs.h"

#define IOV_TYPE_XEN_HOST (iov_xen_host_get_type())
GType iov_xen_host_get_type(void);
typedef struct _IovLinuxHost IovXenHost;
typedef struct _IovLinuxHostClass IovXenHostClass;
G_DEFINE_TYPE(IovXenHost, iov_xen_host, IOV_TYPE_LINUX_HOST)

static void iov_xen_host_class_init(IovXenHostClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "xen-host", "Xen: vCPUs of domains on the machine's processors");
    iov_model_class_drop_property(mc, "irq-time-accounting"); /* Linux's, between run queues */
    IOV_COST(mc, IovXenHost, wake_up, "xen-wake-up", "Making a vCPU runnable, on the waker");
    IOV_COST(mc, IovXenHost, context_switch, "xen-vcpu-switch",
             "Switch to another vCPU, the idle one too, its state apart");
    IOV_COST(mc, IovXenHost, state_load, "xen-vcpu-state",
             "The state of another vCPU than the processor had last, idleness apart");
    IOV_COST(mc, IovXenHost, interrupt, "xen-interrupt", "A device interrupt, up to its domain");
    IOV_COST(mc, IovXenHost, timer_interrupt, "xen-timer-interrupt",
             "A timer interrupt, handlers apart");
    IOV_COST(mc, IovXenHost, reschedule, "xen-ipi", "An event-check IPI");
    IOV_STAT(mc, IovXenHost, domain_switches,
             "Processors that went from a domain, or from idle, to the vCPU of another one");
    IOV_STAT(mc, IovXenHost, state_loads,
             "Switches to another vCPU than the one whose state the processor had");
}

static void iov_xen_host_init(IovXenHost *self)
{
    (void)self;
}
