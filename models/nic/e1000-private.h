/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000 family's own header: the struct IovE1000, parent of the kinds e1000 (82540EM) and
 * e1000e (82574L), and what its files ask of each other. e1000.c describes parent and kind e1000
 * and answers the ports, e1000-mac.c is the register file, e1000-phy.c PHY and EEPROM, e1000-irq.c
 * causes and moderation, e1000-tx.c and e1000-rx.c move frames; what the 82574L does differently is
 * in e1000e.c.
 */
#ifndef IOV_NIC_E1000_PRIVATE_H
#define IOV_NIC_E1000_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"
#include "models/nic/e1000-regs.h"

#define IOV_TYPE_E1000_FAMILY (iov_e1000_family_get_type())
GType iov_e1000_family_get_type(void);
typedef struct _IovE1000 IovE1000;
typedef struct _IovE1000Class IovE1000Class;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovE1000, g_object_unref)

struct _IovE1000Class {
    IovModelClass parent_class;
};

#define E1000_CACHE 64u            /* descriptors the part holds for each direction */
#define E1000_FRAME_MAX 16288u     /* SPEC: 3.2: longest frame */
#define E1000_STEPS_MAX (1u << 20) /* steps of one engine in one instant */

enum { E1000_HARDWARE, E1000_SOFTWARE }; /* placement */

/* What an engine does when its event fires. */
enum e1000_tx_state { E1000_TX_IDLE, E1000_TX_NEXT, E1000_TX_DATA, E1000_TX_SEND, E1000_TX_REPORT };
enum e1000_rx_state { E1000_RX_IDLE, E1000_RX_NEXT, E1000_RX_STORE, E1000_RX_REPORT };

/* Offload state that a context descriptor leaves for the data descriptors after it. */
struct e1000_context {
    uint8_t ipcss, ipcso, tucss, tucso;
    uint16_t ipcse, tucse;
    uint32_t payload;
    uint16_t header, mss;
    bool tcp, ip;
};

struct e1000_tx {
    struct iov_event event;
    enum e1000_tx_state state;
    struct e1000_tx_descriptor cache[E1000_CACHE];
    uint32_t cached, used;                 /* descriptors in the cache, and of them handled */
    struct e1000_tx_descriptor descriptor; /* the present one */
    uint32_t taken;                        /* bytes of it that were read */
    struct e1000_context plain, tso;       /* contexts without and with segmentation */
    /* The frame that is being put together; meaningful from its first descriptor on. */
    bool open;       /* it has begun */
    bool broken;     /* it is dropped when it ends */
    bool segment;    /* it is segmented */
    uint8_t options; /* POPTS of the first descriptor */
    uint16_t vlan;
    bool insert_vlan;
    uint32_t size;       /* bytes in `staging` */
    uint32_t sent_bytes; /* payload of segments that went out */
    uint32_t segments;
    struct iov_span *span;
    iov_time since;     /* when work on the present descriptor began */
    iov_time wire_free; /* when the wire takes the next frame */
    uint32_t report;    /* causes to raise once the descriptor is written back */
    uint32_t steps;     /* in the instant `steps_at` */
    iov_time steps_at;
    uint8_t *staging;
};

struct e1000_rx {
    struct iov_event event;
    enum e1000_rx_state state;
    struct e1000_rx_descriptor cache[E1000_CACHE];
    uint32_t cached, used;
    struct iov_packet_queue fifo;
    uint32_t fifo_bytes;
    bool begun;      /* the first frame is in work */
    uint32_t stored; /* bytes of the first frame that are in memory */
    uint16_t tag;    /* VLAN tag that was taken out of it */
    uint8_t tag_status;
    bool below; /* fewer free descriptors than RDMTS says */
    uint32_t steps;
    iov_time steps_at;
};

struct e1000_irq {
    struct iov_event throttle; /* armed while an interrupt waits for ITR */
    struct iov_event rx_delay, rx_absolute, tx_delay, tx_absolute;
    iov_time last; /* when the line last rose */
    bool ever;
    struct iov_span *span; /* of the newest frame that was stored */
};

/* What a part of the family is. Members that are NULL: as the 82540EM. */
struct e1000_variant {
    uint32_t causes; /* bits of ICR, IMS */
    uint16_t device_id, phy_id;
    uint32_t io_size, config_size;
    /* The rows of configuration space. */
    void (*config_rows)(IovE1000 *self);
    /* What firmware and driver leave there, outside a slot; the BARs and the command register
     * apart. */
    void (*config_enable)(IovE1000 *self);
    /* Registers that it has beside the others, or instead of them; false: none of these. */
    bool (*read)(IovE1000 *self, uint32_t offset, bool peek, uint32_t *ret_value);
    bool (*write)(IovE1000 *self, uint32_t offset, uint32_t value);
    /* Further causes that these bring. */
    uint32_t (*further_causes)(const IovE1000 *self, uint32_t causes);
    /* Causes or mask have changed: tells by message. False: the line tells. */
    bool (*announce)(IovE1000 *self);
    void (*reset)(IovE1000 *self);
};

struct _IovE1000 {
    IovModel parent_instance;
    const struct e1000_variant *variant;
    /* properties */
    int placement;
    char *mac;
    uint64_t requester;
    uint64_t cache;
    uint64_t registers_at, io_at;
    uint64_t rom;
    iov_time negotiation;
    iov_time interval_floor;
    /* costs */
    iov_time processing;
    /* ports */
    struct iov_mem_target registers, io, config;
    struct iov_mem_initiator dma;
    struct iov_irq_source interrupt;
    struct iov_packet_port wire;
    struct iov_pci_function pci;
    /* statistics */
    uint64_t frames_sent, frames_received, bytes_sent, bytes_received;
    uint64_t frames_dropped, frames_filtered, interrupts, throttled, guest_faults, segments;
    uint64_t register_reads, register_writes, descriptor_fetches;
    /* state */
    struct iov_pci_space space;
    uint8_t address[6];
    uint32_t ctrl, status, ctrl_ext, eerd, mdic, icr, ims, itr, rctl, tctl, tipg, pba, ledctl, manc;
    uint32_t fcal, fcah, fct, fcttv, fcrtl, fcrth, vet, txcw, ait, rxcsum, wuc, wufc, swsm, rsrpd;
    uint32_t rdbal, rdbah, rdlen, rdh, rdt, rdtr, radv, rxdctl;
    uint32_t tdbal, tdbah, tdlen, tdh, tdt, tidv, tadv, txdctl, tspmt;
    uint32_t ra[32], mta[128], vfta[128];
    uint32_t statistics[E1000_STATISTICS_COUNT];
    uint32_t io_address;
    /* EEPROM pins and PHY */
    uint16_t eeprom[E1000_EEPROM_WORDS];
    uint32_t eecd, eeprom_in, eeprom_bits, eeprom_out;
    bool eeprom_reading;
    uint16_t phy[32];
    struct iov_event link_up; /* armed while the PHY negotiates */
    bool extended;            /* receive descriptors are written back in the extended format */
    struct e1000_tx tx;
    struct e1000_rx rx;
    struct e1000_irq irq;
    struct iov_packet_pool *pool;
};

static inline iov_time e1000_now(const IovE1000 *self)
{
    return iov_now(self->parent_instance.kernel);
}

static inline bool e1000_is_software(const IovE1000 *self)
{
    return self->placement == E1000_SOFTWARE;
}

/* e1000.c: a register of configuration space, as software writes it. */
void e1000_config_put(IovE1000 *self, uint16_t at, uint32_t value);
/* DMA; on failure the fault is counted and false returned. `delay` goes in and comes out as in
 * struct iov_mem_req. */
bool e1000_dma_read(IovE1000 *self, uint64_t address, void *data, uint32_t size, iov_time *delay);
bool e1000_dma_write(IovE1000 *self, uint64_t address, const void *data, uint32_t size,
                     iov_time *delay);
/* The same for frames: the span travels with the bytes. */
bool e1000_dma_read_payload(IovE1000 *self, uint64_t address, void *data, uint32_t size,
                            iov_time *delay, iov_time *translation, struct iov_span **span);
bool e1000_dma_write_payload(IovE1000 *self, uint64_t address, const void *data, uint32_t size,
                             iov_time *delay, struct iov_span *span);
void e1000_guest_fault(IovE1000 *self);
/* `packet` as for iov_measure_drop(). */
void e1000_drop(IovE1000 *self, struct iov_packet *packet);
void e1000_reset(IovE1000 *self);
/* Raises a statistics register that sticks at its highest value. */
void e1000_count(IovE1000 *self, uint32_t reg, uint32_t by);
void e1000_count64(IovE1000 *self, uint32_t low_reg, uint64_t by);
/* Raises the PRC or PTC size class (`first`: E1000_PRC64 or E1000_PTC64) of a frame of `size` bytes
 * with FCS. */
void e1000_count_size(IovE1000 *self, uint32_t first, uint32_t size);
/* False once too many steps have been taken in one instant: the guest made an endless ring. */
bool e1000_step_allowed(IovE1000 *self, uint32_t *steps, iov_time *steps_at);

/* e1000-mac.c: aligned 32-bit registers. `arrival`: time from now until the access is at the
 * device. */
uint32_t e1000_register_read(IovE1000 *self, uint32_t offset, bool peek);
void e1000_register_write(IovE1000 *self, uint32_t offset, uint32_t value, iov_time arrival);

/* e1000-phy.c */
void e1000_eeprom_init(IovE1000 *self);
uint32_t e1000_eecd_read(const IovE1000 *self);
void e1000_eecd_write(IovE1000 *self, uint32_t value);
void e1000_eerd_write(IovE1000 *self, uint32_t value);
void e1000_mdic_write(IovE1000 *self, uint32_t value);
void e1000_phy_reset(IovE1000 *self);
void e1000_on_link_up(struct iov_event *event);

/* e1000-irq.c */
void e1000_irq_init(IovE1000 *self);
void e1000_irq_raise(IovE1000 *self, uint32_t causes);
void e1000_irq_update(IovE1000 *self);
uint32_t e1000_icr_read(IovE1000 *self, bool peek);
/* A descriptor was written back: raises TXDW or RXT0 as the delay registers say. */
void e1000_irq_transmitted(IovE1000 *self, bool delayed, uint32_t causes);
void e1000_irq_received(IovE1000 *self);
void e1000_irq_flush_receive(IovE1000 *self);
void e1000_irq_reset(IovE1000 *self);

/* e1000-tx.c, e1000-rx.c */
void e1000_tx_init(IovE1000 *self);
void e1000_tx_kick(IovE1000 *self, iov_time arrival);
void e1000_tx_forget(IovE1000 *self); /* ring registers changed: cached descriptors are void */
void e1000_tx_reset(IovE1000 *self);
void e1000_rx_init(IovE1000 *self);
void e1000_rx_kick(IovE1000 *self, iov_time arrival);
void e1000_rx_forget(IovE1000 *self);
void e1000_rx_reset(IovE1000 *self);
iov_time e1000_rx_frame(IovE1000 *self, struct iov_packet *packet);

#endif
