/* SPDX-License-Identifier: Apache-2.0 */
/*
 * igb-vmdq - the host's driver of an 82576 that sorts frames for guests (VMDq): every guest has a
 * pool of its own, that is a pair of queues, an exact address and an MSI-X vector; frames from one
 * guest to another are passed on by the switch in the card. No virtual function is enabled and the
 * host itself has no queue. What moves a guest's frames is the kind vmdq-queue.
 *
 * LIMIT: setting up the port takes no time (it is over before guests start); no multicast groups
 * but broadcast; one pair of queues a guest; no remapping unit in the card's way.
 */
#include "models/hypervisor/igb-vmdq.h"

#include <linux/pci_regs.h>

#include "models/hypervisor/igb-switch.h"
#include "models/irq/ioapic-regs.h"

#define POOLS 8u
#define MSIX_ENTRY 16
#define MSIX_CAPABILITY 0x70 /* in the configuration space of kind igb */

struct _IovIgbVmdq {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    uint64_t function, registers, msix;
    iov_time rx_usecs;
    /* ports */
    struct iov_mem_initiator config, bus;
    /* state */
    unsigned taken;
    uint8_t addresses[POOLS][6]; /* of the entries of the address table, one for each pool that has
                                    one of its own */
    uint32_t address_pools[POOLS];
    uint16_t vlans[POOLS]; /* of the entries of the VLAN table; 0: free */
    uint32_t vlan_pools[POOLS];
    struct iov_event set_up;
};

G_DEFINE_FINAL_TYPE(IovIgbVmdq, iov_igb_vmdq, IOV_TYPE_MODEL)

bool iov_igb_vmdq_take(IovIgbVmdq *card, unsigned *ret_pool, GError **error)
{
    if (card->taken == POOLS)
        return iov_model_fail(IOV_MODEL(card), error, "all %u pools of the card are taken", POOLS);
    *ret_pool = card->taken++;
    return true;
}

IovLinuxHost *iov_igb_vmdq_host(const IovIgbVmdq *card)
{
    return (IovLinuxHost *)(void *)card->host_ref;
}

uint64_t iov_igb_vmdq_registers(const IovIgbVmdq *card)
{
    return card->registers;
}

void iov_igb_vmdq_poke(IovIgbVmdq *card, iov_hpa address, uint32_t size, uint64_t value)
{
    poke(&card->bus, address, size, value);
}

void iov_igb_vmdq_set(IovIgbVmdq *card, uint32_t reg, uint32_t value)
{
    poke(&card->bus, card->registers + reg, 4, value);
}

/* The entry that has the address already, or the pool's own. */
static void address_open(IovIgbVmdq *card, unsigned pool, const uint8_t address[6])
{
    unsigned entry = 0;
    uint32_t words[2];

    while (entry < POOLS &&
           (card->address_pools[entry] == 0 || memcmp(card->addresses[entry], address, 6) != 0))
        entry++;
    if (entry == POOLS)
        entry = pool;
    memcpy(card->addresses[entry], address, 6);
    card->address_pools[entry] |= 1u << pool;
    igb_address_words(address, 0, words);
    iov_igb_vmdq_set(card, IGB_X_RAL(entry), words[0]);
    iov_igb_vmdq_set(card, IGB_X_RAL(entry) + 4, words[1] | IGB_RAH_VALID);
    iov_igb_vmdq_set(card, IGB_X_RA_POOLS(entry), card->address_pools[entry]);
}

/* SPEC: 82576, 8.10.20 (VLVF: the pools of a VLAN), 8.10.19 (VFTA), 8.14.24 (VMVIR: the tag that a
 * pool sends with). */
static void vlan_open(IovIgbVmdq *card, unsigned pool, unsigned vlan)
{
    unsigned entry = 0;
    uint32_t word = 0;

    while (card->vlans[entry] != 0 && card->vlans[entry] != vlan)
        entry++;
    card->vlans[entry] = (uint16_t)vlan;
    card->vlan_pools[entry] |= 1u << pool;
    for (unsigned i = 0; i < POOLS; i++)
        word |= card->vlans[i] != 0 && card->vlans[i] >> 5 == vlan >> 5
                    ? 1u << (card->vlans[i] & 31)
                    : 0;
    iov_igb_vmdq_set(card, IGB_VFTA + 4 * (vlan >> 5), word);
    iov_igb_vmdq_set(card, IGB_VLVF(entry),
                     IGB_VLVF_ENABLE | vlan | card->vlan_pools[entry] << IGB_VLVF_POOL_SHIFT);
    iov_igb_vmdq_set(card, IGB_VMVIR(pool), IGB_VMVIR_DEFAULT | vlan);
}

void iov_igb_vmdq_open(IovIgbVmdq *card, unsigned pool, const uint8_t address[6], unsigned vlan,
                       unsigned cpu, uint8_t vector)
{
    uint32_t id = iov_host_processor(iov_igb_vmdq_host(card), cpu)->apic_id;
    uint64_t entry = card->msix + pool * MSIX_ENTRY;

    address_open(card, pool, address);
    if (vlan != 0)
        vlan_open(card, pool, vlan);
    iov_igb_vmdq_set(card, IGB_VMOLR(pool),
                     IGB_VMOLR_RESET | IGB_VMOLR_BAM |
                         (vlan != 0 ? IGB_VMOLR_STRVLAN : IGB_VMOLR_AUPE));
    poke(&card->bus, entry, 8, MSI_BASE | id << MSI_ADDRESS_DESTINATION_SHIFT);
    poke(&card->bus, entry + 8, 4, vector);
    poke(&card->bus, entry + 12, 4, 0);
    iov_igb_vmdq_set(card, IGB_EITR(pool), (uint32_t)(card->rx_usecs / IOV_US) << IGB_EITR_SHIFT);
    iov_igb_vmdq_set(card, IGB_IVAR(pool), pool | IGB_IVAR_VALID);
    iov_igb_vmdq_set(card, IGB_EIMS, 1u << pool);
}

static void on_set_up(struct iov_event *event)
{
    IovIgbVmdq *self = iov_container_of(event, IovIgbVmdq, set_up);
    uint64_t space = self->function << 12;
    uint32_t all = (1u << POOLS) - 1;

    poke(&self->config, space | PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    poke(&self->config, space | (MSIX_CAPABILITY + PCI_MSIX_FLAGS), 2, PCI_MSIX_FLAGS_ENABLE);
    igb_switch_set_up(&self->bus, self->registers, 0, IGB_RCTL_VFE);
    iov_igb_vmdq_set(self, IGB_EIAC, all);
    iov_igb_vmdq_set(self, IGB_EIAM, all);
    iov_igb_vmdq_set(self, IGB_CTRL_EXT, IGB_CTRL_EXT_DRV_LOAD);
}

/* ---- Life ---- */

static bool iov_igb_vmdq_realize(IovModel *model, GError **error)
{
    IovIgbVmdq *self = (IovIgbVmdq *)(void *)model;

    iov_event_init(&self->set_up, model->kernel, on_set_up, IOV_PRIORITY_DEFAULT);
    if (self->rx_usecs % IOV_US != 0)
        return iov_model_fail(model, error, "rx-usecs: the card counts whole microseconds");
    return iov_model_realize(self->host_ref, error);
}

static void iov_igb_vmdq_start(IovModel *model)
{
    IovIgbVmdq *self = (IovIgbVmdq *)(void *)model;

    iov_event_in(&self->set_up, 0); /* firmware has been there by then */
}

static void iov_igb_vmdq_unrealize(IovModel *model)
{
    IovIgbVmdq *self = (IovIgbVmdq *)(void *)model;

    if (self->set_up.kernel != NULL)
        iov_event_disarm(&self->set_up);
    self->taken = 0;
    memset(self->address_pools, 0, sizeof self->address_pools);
    memset(self->vlan_pools, 0, sizeof self->vlan_pools);
    memset(self->vlans, 0, sizeof self->vlans);
}

static void iov_igb_vmdq_class_init(IovIgbVmdqClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "igb-vmdq", "Host's driver of an 82576 with a pool for each VM");
    IOV_PROP_REF(mc, IovIgbVmdq, host_ref, "linux-host", true, "The host kernel");
    IOV_PROP_COUNT(mc, IovIgbVmdq, function, 0, 0xffff, 0x0100,
                   "Bus, device, function of the card");
    IOV_PROP_COUNT(mc, IovIgbVmdq, registers, 0, UINT64_MAX, 0xf0000000,
                   "Host address of the card's registers");
    IOV_PROP_COUNT(mc, IovIgbVmdq, msix, 0, UINT64_MAX, 0xf0060000,
                   "Host address of its MSI-X table");
    IOV_PROP_TIME(mc, IovIgbVmdq, rx_usecs, 0, (IGB_EITR_INTERVAL >> IGB_EITR_SHIFT) * IOV_US, 0,
                  "Shortest time between two interrupts of a queue, in whole microseconds; 0: each "
                  "frame is told of");
    IOV_PORT_MEM_INITIATOR(mc, IovIgbVmdq, config, "To the root complex's ECAM window");
    IOV_PORT_MEM_INITIATOR(mc, IovIgbVmdq, bus, "To the host's address space");
    mc->realize = iov_igb_vmdq_realize;
    mc->start = iov_igb_vmdq_start;
    mc->unrealize = iov_igb_vmdq_unrealize;
}

static void iov_igb_vmdq_init(IovIgbVmdq *self)
{
    (void)self;
}
