/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb family's own header: its structs, and what its files ask of each other. siov-nic.c has
 * the kind siov-nic, whose parts are no virtual functions but assignable interfaces (ADIs); all
 * else is both kinds'. igb.c describes parent and kind igb and answers the ports, igb-mac.c is the
 * register file, igb-phy.c EEPROM, semaphores and PHY, igb-irq.c causes, vectors and throttling,
 * igb-rx.c, igb-tx.c and igb-wire.c move frames, igb-filter.c says to whom a frame goes, igb-vf.c
 * has the virtual functions and their registers, igb-vt.c what the physical one sees of them.
 *
 *   struct igb_function: the physical function or a virtual one: a PCI function with its interrupts
 *                        and its share of the queues
 *   struct igb_queue:    a receive and a transmit queue of the same number, owned by a function
 */
#ifndef IOV_NIC_IGB_PRIVATE_H
#define IOV_NIC_IGB_PRIVATE_H

#include "core/object/model.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"
#include "models/nic/igb-regs.h"

#define IOV_TYPE_IGB_FAMILY (iov_igb_family_get_type())
GType iov_igb_family_get_type(void);
typedef struct _IovIgb IovIgb;
typedef struct _IovIgbClass IovIgbClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovIgb, g_object_unref)

struct _IovIgbClass {
    IovModelClass parent_class;
};

#define IGB_CACHE 64u          /* descriptors that a queue holds */
#define IGB_FLIGHT 32u         /* descriptors whose data is on its way, a queue */
#define IGB_FRAME_MAX 9728u    /* SPEC: 82576, 1.6: longest frame */
#define IGB_HEADER_MAX 1024u   /* of a frame that is segmented: MACLEN + IPLEN + L4LEN */
#define IGB_STEPS_MAX 0x10000u /* steps of one engine in one instant */
#define IGB_QUEUES_MAX (2 * IGB_POOLS_MAX)
#define IGB_PLAIN 64u

struct igb_function;

/* In what the kinds of the family differ. */
struct igb_variant {
    void (*space_init)(IovIgb *self);
    /* With assignable interfaces instead of virtual functions; else NULL. */
    void (*message)(struct igb_function *function, unsigned vector, iov_time delay,
                    struct iov_span *span);
    void (*reset)(IovIgb *self);
};

/* ---- Interrupts of a function ---- */

struct igb_vector {
    struct iov_event throttle; /* armed while an interrupt waits for EITR */
    struct igb_function *function;
    uint32_t eitr;
    iov_time last; /* when it was last sent */
    bool ever;
    uint8_t index;
    struct iov_span *span; /* of the newest frame that it announces */
};

struct igb_causes {
    uint32_t eicr, eims, eiac, eiam;
    uint32_t told; /* bits of EICR that were sent and are still set */
    uint32_t ivar[8], ivar_misc;
    struct igb_vector vectors[IGB_VECTORS_MAX];
};

struct igb_function {
    struct iov_pci_function *pci; /* a port of the model, or `slot` */
    struct iov_pci_space space;
    struct iov_pci_function slot; /* these four: of a virtual function */
    struct iov_mem_initiator dma;
    struct iov_mem_target registers, msix;
    IovIgb *nic;
    struct igb_causes causes;
    bool physical;
    bool plugged;    /* of a virtual function: it is on the bus */
    bool assignable; /* an ADI: its requests are the physical function's, with `pasid` */
    uint32_t pasid;  /* or IOV_NO_PASID */
    uint8_t pool;
    uint32_t received, sent, multicast, received_loop, sent_loop;
    uint64_t received_bytes, sent_bytes, received_loop_bytes, sent_loop_bytes;
};

/* ---- Queues ---- */

enum igb_rx_state { IGB_RX_IDLE, IGB_RX_NEXT, IGB_RX_STORE };

struct igb_rx {
    struct iov_event event;
    uint32_t bal, bah, len, head, tail, srrctl, dca, dctl, drops;
    enum igb_rx_state state;
    struct igb_rx_read cache[IGB_CACHE]; /* read from `cached_at` on */
    uint32_t cached, used;               /* descriptors in the cache, and of them handled */
    struct iov_packet_queue fifo;        /* frames for this queue */
    uint32_t stored;                     /* bytes of the first frame that are in memory */
    bool begun;                          /* the first frame is in work */
    bool tagged;                         /* its VLAN tag `tag` was taken out */
    uint16_t tag;
    uint32_t steps;
    iov_time steps_at;
};

/* A descriptor on its way through the transmit pipeline; a frame hangs on the one that completes
 * it. */
struct igb_flight {
    iov_time ready;
    struct iov_packet *packet; /* a frame that is complete, or NULL */
    uint32_t descriptors;      /* that end here */
    bool report;               /* the last of them is written back */
};

/* Offload state that a context descriptor leaves for the data descriptors after it. */
struct igb_context {
    uint16_t ip, mss, vlan;
    uint8_t mac, l4;
    bool ipv4, tcp, sctp;
};

struct igb_tx {
    struct iov_event event;    /* fetch and issue */
    struct iov_event complete; /* the first of `flight` is ready */
    uint32_t bal, bah, len, head, tail, dca, dctl, wbal, wbah;
    bool busy;
    bool waiting;  /* for room in the packet buffer */
    bool fetching; /* descriptors are on their way */
    bool fresh;    /* nothing was issued since the queue was woken */
    uint32_t next; /* descriptor to be issued next: between head and tail */
    struct igb_tx_descriptor cache[IGB_CACHE];
    uint32_t cached, used;
    uint32_t contexts_seen; /* and not counted in `head` yet */
    struct igb_context contexts[2];
    struct igb_flight flight[IGB_FLIGHT];
    uint32_t first, flying;
    iov_time last_ready;
    iov_time since; /* when work on the queue began: what a frame waited for before */
    /* The frame that is being put together; meaningful while `open`. */
    bool open, broken, segment, insert_vlan;
    uint32_t options; /* POPTS of the first descriptor, bits 8 and 9 of its status */
    struct igb_context context;
    struct iov_packet *packet;
    uint8_t *header; /* of a frame that is segmented; allocated at realize */
    uint32_t header_size, header_got;
    uint32_t payload, sent_bytes, segments;
    struct iov_span *span;
    uint32_t steps;
    iov_time steps_at;
};

struct igb_queue {
    IovIgb *nic;
    struct igb_function *owner;
    uint16_t index;
    struct igb_rx rx;
    struct igb_tx tx;
};

/* ---- Pools (of the embedded switch) ---- */

struct igb_pool {
    uint32_t vmolr, vmvir;
    uint32_t mailbox[IGB_MAILBOX_WORDS];
    bool vf_owns, pf_owns;              /* the mailbox's buffer */
    bool pf_sent, pf_acked, reset_done; /* read-to-clear bits of V2PMAILBOX */
    uint32_t psrtype;
};

/* What a search of the address filters has found; a write of one of them forgets it. */
enum { IGB_LOOKED_UP = 64 };
struct igb_address_place {
    uint64_t filter; /* RAH and RAL; 0: nothing is known */
    int place;       /* of the filter, or -1 */
};

/* Where a frame goes. */
struct igb_route {
    uint64_t pools; /* in the modes with pools */
    uint32_t hash;
    uint16_t queue; /* without pools; with them: which of the pool's queues */
    uint8_t rss;
};

struct _IovIgb {
    IovModel parent_instance;
    const struct igb_variant *variant; /* set by the kind */
    /* properties */
    char *mac;
    uint64_t requester, vectors, vfs, cache, reads;
    bool ats, enabled_at_start;
    iov_time negotiation;
    /* costs */
    iov_time processing;
    /* ports */
    struct iov_mem_target registers, io, msix, config;
    struct iov_mem_initiator dma;
    struct iov_irq_source interrupt;
    struct iov_packet_port wire;
    struct iov_pci_function pci;
    struct iov_notify_source changed[IGB_POOLS_MAX]; /* a program a function */
    struct iov_event tell_changed;                   /* what was written is in memory */
    iov_time written, changed_until; /* when the last write is there; when the last told of is */
    /* statistics */
    uint64_t frames_sent, frames_received, bytes_sent, bytes_received, frames_looped;
    uint64_t frames_dropped, frames_filtered, frames_spoofed, interrupts, throttled, guest_faults;
    uint64_t segments, register_reads, register_writes, descriptor_fetches, mailbox_messages;
    /* registers */
    uint8_t address[6];
    uint32_t ctrl, status, ctrl_ext, eerd, mdic, icr, ims, iam, gpie;
    uint32_t rctl, tctl, rxcsum, rlpml, rfctl, mrqc, qde, vet;
    uint32_t swsm, sw_fw_sync, io_address;
    uint32_t rxpbs, txpbs;           /* KiB */
    uint32_t eecd, plain[IGB_PLAIN]; /* registers without effect, in the order of igb-mac.c */
    uint32_t ra[2 * IGB_X_RA_COUNT], mta[128], vfta[128], uta[128], reta[32], rssrk[10];
    uint64_t ra_pools[IGB_X_RA_COUNT];
    struct igb_address_place looked_up[IGB_LOOKED_UP];
    uint64_t untagged; /* pools whose VMOLR has AUPE */
    uint32_t statistics[IGB_STATISTICS_COUNT];
    uint16_t eeprom[IGB_EEPROM_WORDS];
    uint16_t phy[32];
    struct iov_event link_up; /* armed while the PHY negotiates */
    bool link;
    /* virtualisation */
    uint32_t vt_ctl, dtxswc, vlvf[IGB_VLVF_COUNT], lvmmc, wvbr;
    uint64_t vlvf_pools[IGB_VLVF_COUNT];
    uint64_t vfre, vfte, vflre, requests, acks, mailbox_mask, mac_spoof, vlan_spoof, local_loop;
    unsigned pool_count;   /* 8 in the 82576 */
    unsigned default_pool; /* with more than 8 */
    unsigned enabled;      /* virtual functions that are on the bus */
    struct igb_pool pools[IGB_POOLS_MAX];
    struct igb_function physical;
    struct igb_function *virtual; /* `vfs` of them */
    /* Toeplitz by byte: table[i][b] is the hash of byte b at place i of the input. */
    uint32_t (*toeplitz)[256];
    bool toeplitz_valid;
    /* frames */
    unsigned queue_count;
    struct igb_queue *queues;
    uint32_t rx_bytes, tx_bytes; /* in the packet buffers */
    unsigned waiting;            /* transmit queues that wait for room */
    unsigned turn;               /* who gets it next */
    struct iov_packet_queue wire_fifo;
    iov_time wire_free;
    struct iov_event wire_event;
    struct iov_packet_pool *pool;
};

static inline iov_time igb_now(const IovIgb *self)
{
    return iov_now(self->parent_instance.kernel);
}

static inline bool igb_has_pools(const IovIgb *self)
{
    uint32_t mode = self->mrqc & IGB_MRQC_MODE;

    return mode == IGB_MRQC_POOLS || mode == IGB_MRQC_POOLS_RSS;
}

static inline bool igb_is_multiple_msix(const IovIgb *self)
{
    return self->gpie & IGB_GPIE_MULTIPLE_MSIX;
}

static inline uint16_t igb_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void igb_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* ---- igb.c ---- */

/*
 * DMA of a function; on failure the fault is counted and false returned. `delay` goes in and comes
 * out as in struct iov_mem_req. With `span` not NULL the bytes are a frame's: the span travels with
 * them (read: out, write: in).
 */
bool igb_dma_read(struct igb_function *function, uint64_t address, void *data, uint32_t size,
                  iov_time *delay, iov_time *translation, struct iov_span **span);
bool igb_dma_write(struct igb_function *function, uint64_t address, const void *data, uint32_t size,
                   iov_time *delay, struct iov_span *const *span);
void igb_guest_fault(IovIgb *self);
/* `what` as in iov_pci_space.changed. */
void igb_pci_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                     uint16_t size);
/* Accesses to the registers of a function, or of a part of it. */
enum iov_status igb_function_read(struct igb_function *function, struct iov_mem_req *req,
                                  uint32_t bar_size);
enum iov_status igb_function_write(struct igb_function *function, const struct iov_mem_req *req,
                                   uint32_t bar_size);
/* `packet` as for iov_measure_drop(). */
void igb_drop(IovIgb *self, struct iov_packet *packet);
extern const struct iov_mem_target_ops igb_registers_ops, igb_virtual_registers_ops,
    igb_virtual_msix_ops;
void igb_reset(IovIgb *self);
void igb_count(IovIgb *self, uint32_t reg, uint32_t by);
void igb_count64(IovIgb *self, uint32_t low_reg, uint64_t by);
void igb_count_size(IovIgb *self, uint32_t first, uint32_t size);
/* False once too many steps have been taken in one instant: the guest made an endless ring. */
bool igb_step_allowed(IovIgb *self, uint32_t *steps, iov_time *steps_at);

/* ---- igb-mac.c: aligned 32-bit registers ---- */

/* `arrival`: time from now until the access is at the device. */
uint32_t igb_register_read(IovIgb *self, uint32_t offset, bool peek);
void igb_register_write(IovIgb *self, uint32_t offset, uint32_t value, iov_time arrival);
uint32_t igb_queue_register_read(struct igb_queue *queue, bool transmit, uint32_t reg, bool peek);
void igb_queue_register_write(struct igb_queue *queue, bool transmit, uint32_t reg, uint32_t value,
                              iov_time arrival);
void igb_mac_reset(IovIgb *self);

/* ---- igb-phy.c ---- */
void igb_eeprom_init(IovIgb *self);
uint32_t igb_eecd_read(const IovIgb *self);
void igb_eerd_write(IovIgb *self, uint32_t value);
void igb_mdic_write(IovIgb *self, uint32_t value);
uint32_t igb_swsm_read(IovIgb *self, bool peek);
void igb_phy_reset(IovIgb *self);
void igb_on_link_up(struct iov_event *event);

/* ---- igb-irq.c ---- */
void igb_causes_init(struct igb_function *function, unsigned vectors);
void igb_causes_reset(struct igb_function *function);
/* Registers EICS to EICR, EITR and IVAR of a function; `offset` as in the physical function. */
bool igb_causes_read(struct igb_function *function, uint32_t offset, bool peek,
                     uint32_t *ret_value);
bool igb_causes_write(struct igb_function *function, uint32_t offset, uint32_t value);
/* Sets bits of ICR: "other" causes. */
void igb_other_raise(IovIgb *self, uint32_t causes);
void igb_other_update(IovIgb *self);
uint32_t igb_icr_read(IovIgb *self, bool peek);
/* What pollers look at is in memory. */
void igb_on_changed(struct iov_event *event);
/* A queue wrote a descriptor back; `delay`: until the write has left. */
void igb_queue_raise(struct igb_queue *queue, bool transmit, iov_time delay, struct iov_span *span);
/* The mailbox's vector of a virtual function. */
void igb_mailbox_raise(struct igb_function *function);

/* ---- igb-tx.c ---- */
void igb_tx_init(struct igb_queue *queue);
void igb_tx_kick(struct igb_queue *queue, iov_time arrival);
void igb_tx_reset(struct igb_queue *queue);
void igb_tx_set_control(struct igb_queue *queue, uint32_t value, iov_time arrival);

/* ---- igb-wire.c ---- */
void igb_wire_init(IovIgb *self);
void igb_wire_reset(IovIgb *self);
/* `size` bytes leave the packet buffer without going to the cable, or were never there: a queue
 * that waits goes on. */
void igb_wire_leave(IovIgb *self, uint32_t size);
/* A frame that is complete leaves its queue. */
void igb_wire_forward(struct igb_queue *queue, struct iov_packet *packet);

/* ---- igb-rx.c ---- */
void igb_rx_init(struct igb_queue *queue);
void igb_rx_kick(struct igb_queue *queue, iov_time arrival);
void igb_rx_reset(struct igb_queue *queue);
void igb_rx_set_control(struct igb_queue *queue, uint32_t value, iov_time arrival);
iov_time igb_rx_frame(IovIgb *self, struct iov_packet *packet);
/* A frame of one pool to others. */
void igb_rx_deliver(IovIgb *self, struct iov_packet *packet, uint64_t pools);

/* ---- igb-filter.c ---- */
/* Registers that decide were written: what is remembered of the addresses, of the pools. */
void igb_filter_addresses_changed(IovIgb *self);
void igb_filter_pools_changed(IovIgb *self);
/* False: the frame is for nobody here. */
bool igb_filter_route(IovIgb *self, const struct iov_packet *packet, struct igb_route *ret_route);
void igb_filter_hash(IovIgb *self, const struct iov_packet *packet, struct igb_route *route);
/* Packet type bits of the descriptor, and where IPv4/IPv6 and TCP/UDP begin (0: not there). */
uint16_t igb_filter_types(const struct iov_packet *packet, uint32_t *ret_ip, uint32_t *ret_l4);
bool igb_filter_is_tagged(const IovIgb *self, const struct iov_packet *packet);
/* What the switch does with a frame that pool `pool` sends. */
bool igb_filter_may_send(IovIgb *self, const struct iov_packet *packet, unsigned pool);
/* Other pools that get it, and in `ret_outside` whether the wire does. */
uint64_t igb_filter_local(IovIgb *self, const struct iov_packet *packet, unsigned pool,
                          bool *ret_outside);

/* The pools that may receive and send: those of virtual functions with leave of the physical
 * one. */
static inline uint64_t igb_pools_allowed(const IovIgb *self, uint64_t mask)
{
    return mask | ~((UINT64_C(1) << self->enabled) - 1);
}

/* ---- igb-vf.c: virtual functions ---- */
void igb_virtual_init(IovIgb *self);
void igb_virtual_finish(IovIgb *self);
/* The SR-IOV capability of the physical function was written: functions come, go, or their windows
 * move. */
void igb_virtual_changed(IovIgb *self);
uint32_t igb_virtual_read(struct igb_function *function, uint32_t offset, bool peek);
void igb_virtual_write(struct igb_function *function, uint32_t offset, uint32_t value,
                       iov_time arrival);

/* ---- igb-vt.c: the physical function's registers for them ---- */
void igb_vt_reset(IovIgb *self);
bool igb_vt_read(IovIgb *self, uint32_t offset, bool peek, uint32_t *ret_value);
bool igb_vt_write(IovIgb *self, uint32_t offset, uint32_t value);
/* CTRL_EXT is written: PFRSTD tells the virtual functions that the physical one is there. */
void igb_vt_announce(IovIgb *self, uint32_t ctrl_ext);
/* Something of virtual function `vf` for the physical one: its bit in `*where`, and an
 * interrupt. */
void igb_vt_event(IovIgb *self, uint64_t *where, unsigned vf);

static inline struct igb_queue *igb_pool_queue(IovIgb *self, unsigned pool, unsigned number)
{
    return &self->queues[pool + number * self->pool_count];
}

static inline unsigned igb_queue_pool(const struct igb_queue *queue)
{
    return queue->index % queue->nic->pool_count;
}

#endif
