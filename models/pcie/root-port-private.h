/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI Express port that leads downwards: a root port, or a port of a switch. root-port.c has the
 * transfers and their time, bridge.c the configuration space and what follows from it.
 */
#ifndef IOV_PCIE_ROOT_PORT_PRIVATE_H
#define IOV_PCIE_ROOT_PORT_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"
#include "models/pcie/link-private.h"

#define IOV_TYPE_ROOT_PORT (iov_root_port_get_type())
GType iov_root_port_get_type(void);
typedef struct _IovRootPort IovRootPort;
typedef struct _IovRootPortClass IovRootPortClass;

#define PCIE_MESSAGES_MAX 16u /* INTx messages on their way, a line */
#define PCIE_LINES 5u         /* INTA to INTD of the bus behind it, and the port `interrupt-in` */
#define PCIE_LINE_PORT 0u

typedef IovRootPort PciePort;

/* Changes of one INTx line, on their way up. */
struct pcie_line {
    struct iov_event arrival; /* armed for the first of `messages` */
    PciePort *owner;
    struct {
        iov_time when;
        bool level;
        struct iov_span *span;
    } messages[PCIE_MESSAGES_MAX];
    unsigned first, count;
};

/* What the bridge decodes for the bus behind it. */
enum pcie_window { PCIE_MEMORY, PCIE_PREFETCH, PCIE_IO, PCIE_WINDOWS };
struct pcie_passage {
    struct iov_mem_target target;
    PciePort *owner;
    uint64_t base;
    bool io;
};

struct _IovRootPortClass {
    IovModelClass parent_class;
    uint8_t type; /* PCI_EXP_TYPE_ROOT_PORT, _UPSTREAM, _DOWNSTREAM */
    uint16_t vendor, device;
};

struct _IovRootPort {
    IovModel parent_instance;
    uint64_t generation, lanes;                                       /* properties */
    uint64_t max_payload, max_read_request, read_completion_boundary; /* properties */
    uint64_t tags, posted_headers, posted_data, nonposted_headers;    /* properties */
    uint64_t window;                                                  /* property */
    uint64_t number;                                                  /* property */
    uint64_t vendor_id, device_id;                                    /* properties */
    iov_time link_latency, root_complex, posted_write;                /* costs */
    iov_time switch_latency;                                          /* cost of switches */
    struct iov_mem_target port;                                       /* port */
    struct iov_mem_map devices;                                       /* port */
    struct iov_mem_target upstream;                                   /* port */
    struct iov_mem_initiator bus;                                     /* port */
    struct iov_irq_sink interrupt_in;                                 /* port */
    struct iov_irq_source interrupt;                                  /* port */
    struct iov_pci_function pci;                                      /* port */
    struct iov_pci_bus slots;                                         /* port */
    struct pcie_link link;
    struct iov_pci_space space;
    struct pcie_passage passages[PCIE_WINDOWS];
    struct pcie_line lines[PCIE_LINES];
    uint64_t bytes_down, bytes_up, tlp_rate; /* statistics */
    uint64_t register_reads, register_writes, dma_reads, dma_writes, intx_messages;
    uint64_t config_accesses, blocked;
};

static inline uint8_t pcie_type(PciePort *self)
{
    return ((struct _IovRootPortClass *)(void *)IOV_MODEL_GET_CLASS(self))->type;
}

/* The link below belongs to root ports and to downstream ports; an upstream port has the inside of
 * its switch there. */
static inline bool pcie_has_link(PciePort *self)
{
    return pcie_type(self) != PCI_EXP_TYPE_UPSTREAM;
}

/* ---- root-port.c: transfers ---- */

/* An access to what `map` holds: down the link, and for reads back. */
enum iov_status pcie_down_read(PciePort *self, struct iov_mem_map *map, struct iov_mem_req *req);
enum iov_status pcie_down_write(PciePort *self, struct iov_mem_map *map, struct iov_mem_req *req);
/* A configuration access to the bus behind, or beyond it: both kinds are answered. */
enum iov_status pcie_down_config(PciePort *self, unsigned bus, unsigned devfn,
                                 struct iov_mem_req *req, bool write);
/* A change of INTA to INTD (1 to 4) of the bus behind goes up as a message. */
void pcie_intx_send(PciePort *self, unsigned line, bool level, struct iov_span *span);

/* ---- bridge.c: configuration ---- */

extern const struct iov_pci_function_ops pcie_bridge_ops;
extern const struct iov_pci_bus_ops pcie_slots_ops;
void pcie_bridge_init(PciePort *self);
void pcie_bridge_prepare(PciePort *self);
/* Everything is plugged in: presence of a card shows. */
void pcie_bridge_realize(PciePort *self);
/* May a request of `requester` go up? Bus mastering of the bridge; the source it names. Counted and
 * reported if not. */
bool pcie_bridge_admits(PciePort *self, uint16_t requester);

#endif
