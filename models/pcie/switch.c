/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch-upstream, switch-downstream - the ports of a PCIe switch: an upstream port in the slot
 * behind a root port, and on the bus inside the switch (its `slots`) one downstream port for each
 * link that goes on.
 *
 * They are what a root port is (root-port.c), but for the root complex: a downstream port has a
 * link, an upstream port the inside of the switch. Each port that a TLP passes takes the cost
 * pcie-switch-port, beside the links.
 * LIMIT: cut-through and store-and-forward are not told apart; the switch has room for everything
 * but what the ports' credits say.
 */
#include "models/pcie/root-port-private.h"

GType iov_switch_upstream_get_type(void);
GType iov_switch_downstream_get_type(void);

typedef IovRootPort IovSwitchUpstream;
typedef IovRootPortClass IovSwitchUpstreamClass;
typedef IovRootPort IovSwitchDownstream;
typedef IovRootPortClass IovSwitchDownstreamClass;

G_DEFINE_TYPE(IovSwitchUpstream, iov_switch_upstream, IOV_TYPE_ROOT_PORT)
G_DEFINE_TYPE(IovSwitchDownstream, iov_switch_downstream, IOV_TYPE_ROOT_PORT)

static void iov_switch_upstream_class_init(IovSwitchUpstreamClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "switch-upstream", "The upstream port of a PCIe switch");
    IOV_COST(mc, IovSwitchUpstream, switch_latency, "pcie-switch-port", "One way through the port");
    klass->type = PCI_EXP_TYPE_UPSTREAM;
    klass->vendor = 0x104c;
    klass->device = 0x8232;
}

static void iov_switch_upstream_init(IovSwitchUpstream *self)
{
    (void)self;
}

static void iov_switch_downstream_class_init(IovSwitchDownstreamClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "switch-downstream", "A downstream port of a PCIe switch");
    IOV_COST(mc, IovSwitchDownstream, switch_latency, "pcie-switch-port",
             "One way through the port");
    klass->type = PCI_EXP_TYPE_DOWNSTREAM;
    klass->vendor = 0x104c;
    klass->device = 0x8233;
}

static void iov_switch_downstream_init(IovSwitchDownstream *self)
{
    (void)self;
}
