/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siov-pf - the host's driver of a card with assignable interfaces (kind siov-nic): it sets up the
 * card and the switch in it, gives interfaces away, and does for the software that presents one to
 * a guest (kind vdcm) what concerns the whole card.
 *
 * Addresses are those that firmware chooses for a card that is alone behind its port: the
 * interfaces' BAR, which is the largest, then the registers.
 * LIMIT: setting up the port takes no time (it is over before guests start); the card moves no
 * frames of the host and interrupts nobody itself; no VLANs, no multicast groups.
 */
#include "models/hypervisor/siov-pf.h"
#include "core/net/address.h"

#include <linux/pci_regs.h>
#include <stdio.h>

#include "models/hypervisor/igb-switch.h"
#include "models/nic/siov-regs.h"

#define PASID_CAPABILITY 0x150 /* in the configuration space of kind siov-nic */

struct _IovSiovPf {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    uint64_t function, interfaces, adis;
    char *mac;
    /* ports */
    struct iov_mem_initiator config, bus;
    /* state */
    uint8_t address[6]; /* of interface 0; the others count up */
    unsigned taken;
    uint64_t open;
    bool locked;
    struct iov_event set_up;
    /* statistics */
    uint64_t opened;
};

G_DEFINE_FINAL_TYPE(IovSiovPf, iov_siov_pf, IOV_TYPE_MODEL)

static uint64_t registers(const IovSiovPf *self)
{
    return self->interfaces + SIOV_BAR_SIZE;
}

bool iov_siov_pf_take(IovSiovPf *pf, struct iov_siov_adi *ret_adi, GError **error)
{
    unsigned index = pf->taken;

    if (index == pf->adis)
        return iov_model_fail(IOV_MODEL(pf), error,
                              "adis: all %u interfaces are given away; a siov-nic has up to %u",
                              index, SIOV_ADIS_MAX);
    *ret_adi = (struct iov_siov_adi){ .requester = (uint16_t)pf->function,
                                      .index = index,
                                      .doorbells = pf->interfaces + SIOV_DOORBELLS(index),
                                      .messages = pf->interfaces + SIOV_IMS(index),
                                      .window = pf->interfaces + SIOV_WINDOWS(index) };
    pf->taken++;
    return true;
}

/* ---- Set-up: accesses that take no time ---- */

static void set(IovSiovPf *self, uint32_t reg, uint32_t value)
{
    poke(&self->bus, registers(self) + reg, 4, value);
}

/* SPEC: PCI Express Base 5.0, 7.8.9.3: the enable bit is set before the function sends a PASID. */
static void on_set_up(struct iov_event *event)
{
    IovSiovPf *self = iov_container_of(event, IovSiovPf, set_up);
    uint64_t space = self->function << 12;

    poke(&self->config, space | PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    poke(&self->config, space | (PASID_CAPABILITY + PCI_PASID_CTRL), 2, PCI_PASID_CTRL_ENABLE);
    igb_switch_set_up(&self->bus, registers(self), 0, 0);
    set(self, IGB_X_MAC_SPOOF, UINT32_MAX);
    set(self, IGB_X_MAC_SPOOF + 4, UINT32_MAX);
    set(self, IGB_CTRL_EXT, IGB_CTRL_EXT_PFRSTD | IGB_CTRL_EXT_DRV_LOAD);
}

/* ---- For the owners of interfaces ---- */

static void reg_write(const IovSiovPf *self, struct iov_exec *exec, uint32_t reg, uint32_t value)
{
    iov_exec_store(exec, registers(self) + reg, 4, value);
}

void iov_siov_pf_open(IovSiovPf *pf, struct iov_exec *exec, unsigned adi, uint8_t ret_mac[6])
{
    uint32_t words[2], half = adi / 32 * 4;

    igb_address_words(pf->address, adi, words);
    memcpy(ret_mac, words, 6);
    reg_write(pf, exec, IGB_X_VMOLR(adi), igb_pool_takes(IGB_FRAME_LONGEST));
    reg_write(pf, exec, IGB_X_RAL(adi), words[0]);
    reg_write(pf, exec, IGB_X_RAL(adi) + 4, words[1] | IGB_RAH_VALID);
    reg_write(pf, exec, IGB_X_RA_POOLS(adi) + half, 1u << adi % 32);
    while (pf->locked) /* a register with the bits of several owners */
        iov_exec_do(exec, IOV_OP_PAUSE);
    pf->locked = true;
    pf->open |= UINT64_C(1) << adi;
    reg_write(pf, exec, IGB_X_VFTE + half, (uint32_t)(pf->open >> 8 * half));
    reg_write(pf, exec, IGB_X_VFRE + half, (uint32_t)(pf->open >> 8 * half));
    pf->locked = false;
    pf->opened++;
}

void iov_siov_pf_set_length(IovSiovPf *pf, struct iov_exec *exec, unsigned adi, uint32_t length)
{
    reg_write(pf, exec, IGB_X_VMOLR(adi), igb_pool_takes(length) | IGB_VMOLR_LPE);
}

/* ---- Life ---- */

static bool iov_siov_pf_realize(IovModel *model, GError **error)
{
    IovSiovPf *self = (IovSiovPf *)(void *)model;

    if (!iov_model_realize(self->host_ref, error))
        return false;
    if (!iov_net_address_parse(self->mac, self->address))
        return iov_model_fail(model, error, "mac: '%s' is no address like 52:54:00:80:00:00",
                              self->mac);
    iov_event_init(&self->set_up, model->kernel, on_set_up, IOV_PRIORITY_DEFAULT);
    return true;
}

static void iov_siov_pf_start(IovModel *model)
{
    IovSiovPf *self = (IovSiovPf *)(void *)model;

    iov_event_in(&self->set_up, 0); /* firmware has been there by then */
}

static void iov_siov_pf_unrealize(IovModel *model)
{
    IovSiovPf *self = (IovSiovPf *)(void *)model;

    if (self->set_up.kernel != NULL)
        iov_event_disarm(&self->set_up);
    self->taken = 0;
}

static void iov_siov_pf_class_init(IovSiovPfClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "siov-pf", "Host's driver of a card with assignable interfaces");
    IOV_PROP_REF(mc, IovSiovPf, host_ref, "linux-host", true, "The host kernel");
    IOV_PROP_COUNT(mc, IovSiovPf, function, 0, 0xffff, 0x0100, "Bus, device, function of the card");
    IOV_PROP_COUNT(mc, IovSiovPf, interfaces, 0, UINT64_MAX, 0xf0000000,
                   "Host address of the interfaces' BAR; the registers follow");
    IOV_PROP_COUNT(mc, IovSiovPf, adis, 1, SIOV_ADIS_MAX, 8, "Interfaces of the card");
    IOV_PROP_STRING(mc, IovSiovPf, mac, "52:54:00:80:00:00",
                    "Address of the first interface; the others count up");
    IOV_PORT_MEM_INITIATOR(mc, IovSiovPf, config, "To the root complex's ECAM window");
    IOV_PORT_MEM_INITIATOR(mc, IovSiovPf, bus, "To the host's address space");
    IOV_STAT(mc, IovSiovPf, opened, "Times an interface was let into the switch");
    mc->realize = iov_siov_pf_realize;
    mc->start = iov_siov_pf_start;
    mc->unrealize = iov_siov_pf_unrealize;
}

static void iov_siov_pf_init(IovSiovPf *self)
{
    (void)self;
}
