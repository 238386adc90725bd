/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the VT-d model. A DMA goes dma → walk (context cache or, in scalable mode, PASID cache;
 * IOTLB, paging-structure caches, tables in memory) → bus; an interrupt message goes dma →
 * interrupt (entry cache, table) → message or posted descriptor; what is wrong goes to fault.
 * Registers and the invalidation queue empty the caches.
 */
#ifndef IOV_IOMMU_VTD_PRIVATE_H
#define IOV_IOMMU_VTD_PRIVATE_H

#include "core/object/model.h"
#include "models/iommu/vtd-regs.h"

#define VTD_WALKERS_MAX 64u
#define VTD_RECORDS_MAX 128u
#define VTD_POSTS_MAX 32u

/* One line of a cache; key 0 is empty. What low and high hold is the user's. */
struct vtd_line {
    uint64_t key;
    uint64_t low;
    uint64_t high;
    uint64_t used;
};

/* Set-associative, least recently used goes first. */
struct vtd_cache {
    struct vtd_line *lines;
    uint64_t clock;
    unsigned sets; /* a power of two */
    unsigned ways;
};

#define IOV_TYPE_VTD (iov_vt_d_get_type())
G_DECLARE_FINAL_TYPE(IovVtd, iov_vt_d, IOV, VTD, IovModel)

/* A message on its way into a posted-interrupt descriptor. */
struct vtd_post {
    struct iov_event event;
    IovVtd *unit;
    uint64_t low, high; /* its table entry */
    struct iov_span *span;
    iov_time link, remap, time; /* how long it took so far, and the descriptor takes */
    unsigned index;
    uint16_t requester;
    bool used;
};

struct _IovVtd {
    IovModel parent_instance;
    int placement;                                               /* property */
    uint64_t aw_bits, host_address_bits, fault_records, walkers; /* properties */
    uint64_t iotlb_entries, iotlb_ways, paging_entries, paging_ways, context_entries, context_ways,
        interrupt_entries, interrupt_ways;
    bool dma_translation, intremap, eim, posting, caching_mode, snoop_control, device_iotlb,
        dma_drain, pt, zero_length_read, scalable_mode, pasid_mode, first_stage, reads_hold_walkers;
    uint64_t pasid_bits, pasid_entries, pasid_ways;
    iov_time hit, walk_step, invalidation, interrupt_hit, register_read, register_write; /* costs */
    struct iov_mem_target registers;                                                     /* port */
    struct iov_mem_target upstream;                                                      /* port */
    struct iov_mem_initiator bus;                                                        /* port */
    struct iov_mem_initiator message;                                                    /* port */

    /* Registers. What a write does is in vtd.c. */
    uint64_t cap, ecap, rtaddr, ccmd, iqh, iqt, iqa, irta, iva, iotlb_command;
    uint32_t gsts, fsts, fectl, fedata, feaddr, feuaddr, ics, iectl, iedata, ieaddr, ieuaddr;
    uint64_t records[VTD_RECORDS_MAX][2];
    unsigned next_record;

    /* Latched by GCMD. */
    uint64_t root_table, interrupt_table, queue;
    unsigned interrupt_table_size, queue_size; /* entries; bytes */
    bool extended;                             /* EIME */
    bool scalable;                             /* TTM */
    bool wide;                                 /* DW: descriptors of 256 bits */

    uint64_t width_mask;       /* of input addresses */
    uint64_t address_mask;     /* of host addresses */
    uint64_t reserved[5];      /* paging entry of a level that leads to a table */
    uint64_t reserved_page[4]; /* that is a page */

    struct vtd_cache iotlb, paging, contexts, interrupts_cache;
    struct vtd_cache pasids, first; /* entries of PASIDs; translations of first stages */
    unsigned page_levels;           /* bit n: the IOTLB may hold pages of level n */
    iov_time walker_busy[VTD_WALKERS_MAX];
    iov_time *walker; /* of `walker_busy`: taken by the request that is on its way; NULL: it found
                         its page cached */
    struct iov_event queue_event;   /* armed while a descriptor takes its time */
    struct iov_event context_event; /* CCMD */
    struct iov_event iotlb_event;   /* IOTLB register */
    bool queue_running;
    struct vtd_post posts[VTD_POSTS_MAX];

    uint64_t requests, bypassed, iotlb_hits, iotlb_misses, context_misses, paging_hits, walk_reads,
        blocked, faults_recorded, faults_lost, fault_events; /* statistics */
    uint64_t interrupts, interrupts_remapped, interrupts_posted, notifications, interrupts_blocked,
        interrupt_misses;
    uint64_t invalidations_context, invalidations_iotlb, invalidations_device,
        invalidations_interrupt, invalidations_pasid, pasid_misses, waits, queue_errors;
    uint64_t translation_time;
    uint64_t faults_entry, faults_width, faults_write, faults_read, faults_table, faults_interrupt,
        faults_pasid, faults_other; /* recorded or not */
};

/* ---- vtd-cache.c ---- */

void vtd_cache_init(struct vtd_cache *cache, uint64_t entries, uint64_t ways);
void vtd_cache_clear(struct vtd_cache *cache);
/* The line that goes for `key`: empty, or the least recently used of its set. */
struct vtd_line *vtd_cache_fill(struct vtd_cache *cache, uint64_t key);
void vtd_cache_empty(struct vtd_cache *cache);
/* Empties the line of `key`, if there is one. */
void vtd_cache_forget(struct vtd_cache *cache, uint64_t key);
/* Empties the lines with (key & mask) == value. */
void vtd_cache_drop(struct vtd_cache *cache, uint64_t mask, uint64_t value);

static inline struct vtd_line *vtd_cache_set(const struct vtd_cache *cache, uint64_t key)
{
    uint64_t hash = key ^ key >> 40;

    return &cache->lines[(unsigned)(hash & (cache->sets - 1)) * cache->ways];
}

static inline struct vtd_line *vtd_cache_find(struct vtd_cache *cache, uint64_t key)
{
    struct vtd_line *line = vtd_cache_set(cache, key);

    for (unsigned way = 0; way < cache->ways; way++, line++) {
        if (line->key == key) {
            line->used = ++cache->clock;
            return line;
        }
    }
    return NULL;
}

/* ---- vtd-dma.c ---- */

extern const struct iov_mem_target_ops vtd_upstream_ops;

/* ---- vtd-walk.c ---- */

/* A translation: where the DMA goes, how many bytes may follow there, the time it took. */
struct vtd_translation {
    uint64_t address;
    uint64_t left;
    iov_time delay;
};

/* One translation on its way. */
struct vtd_walk {
    IovVtd *self;
    const struct iov_mem_req *req;
    bool write;
    bool debug;
    bool silent; /* faults from here on are not recorded */
    iov_time delay;
    uint64_t context_low, context_high; /* in scalable mode what a PASID's entry says, in the form
                                           of a legacy context */
};

#define VTD_KEY_VALID (1ull << 63)
#define VTD_PAGE_OFFSET 0xfffull

/* Counts and records; always false. */
bool vtd_walk_fault(struct vtd_walk *walk, enum vtd_fault reason);
bool vtd_walk_read(struct vtd_walk *walk, uint64_t address, uint64_t *words, unsigned count);
/* Where the page of `size` bytes at `page` leads, or a fault. */
bool vtd_walk_reach(struct vtd_walk *walk, uint64_t page, uint64_t size,
                    struct vtd_translation *ret_translation);

/* Reads a table through the bus; adds its time. */
bool vtd_table_read(IovVtd *self, uint64_t address, uint64_t *words, unsigned count, bool debug,
                    iov_time *delay);
/* Translates the address of `req` (its size is at least 1, or 0 for a zero-length read); on false
 * the fault has been recorded. */
bool vtd_translate(IovVtd *self, const struct iov_mem_req *req, bool write,
                   struct vtd_translation *ret_translation);
void vtd_drop_contexts(IovVtd *self);
void vtd_drop_device(IovVtd *self, uint16_t source, unsigned function_mask);
void vtd_drop_translations(IovVtd *self);
void vtd_drop_domain(IovVtd *self, uint16_t domain);
void vtd_drop_pages(IovVtd *self, uint16_t domain, uint64_t address, unsigned mask,
                    bool leaves_only);

/* ---- vtd-scalable.c ---- */

enum vtd_found { VTD_FOUND_NOTHING, VTD_FOUND_TABLES, VTD_FOUND_TRANSLATION };

/*
 * What the tables of scalable mode say of a request: tables of a second stage, which are in
 * context_low and context_high then, a translation, or nothing: then the fault has been recorded.
 */
enum vtd_found vtd_scalable_find(struct vtd_walk *walk, struct vtd_translation *ret_translation);
/* The reason in scalable mode of a fault in second-stage tables. */
enum vtd_fault vtd_scalable_reason(enum vtd_fault legacy);
void vtd_drop_pasids(IovVtd *self);
void vtd_drop_pasids_of(IovVtd *self, uint16_t domain);
void vtd_drop_pasid(IovVtd *self, uint16_t domain, uint32_t pasid);
/* First-stage translations: of a domain, of a PASID in it, or of a range of that. */
void vtd_drop_first_of(IovVtd *self, uint16_t domain);
void vtd_drop_first(IovVtd *self, uint16_t domain, uint32_t pasid, uint64_t address, unsigned mask);

/* ---- vtd-interrupt.c ---- */

enum iov_status vtd_interrupt(IovVtd *self, struct iov_mem_req *req);
void vtd_drop_interrupts(IovVtd *self, unsigned index, unsigned mask);

/* Where a notification to `destination`, the field of a descriptor, goes. */
uint64_t vtd_notification_address(const IovVtd *self, uint32_t destination);

/* ---- vtd-post.c ---- */

/* Posts a message whose entry, source, span, link and remap are filled in. */
enum iov_status vtd_post(IovVtd *self, const struct vtd_post *message);
void vtd_posts_init(IovVtd *self);
void vtd_posts_drop(IovVtd *self);

/* ---- vtd-fault.c ---- */

/* Counts a blocked request by its reason; recording it is another question. */
void vtd_fault_count(IovVtd *self, enum vtd_fault reason);
/* `pasid` or IOV_NO_PASID. */
void vtd_fault_record(IovVtd *self, enum vtd_fault reason, uint16_t source, uint32_t pasid,
                      uint64_t information, bool write, iov_time delay);
void vtd_queue_error(IovVtd *self);
void vtd_fault_status_write(IovVtd *self, uint32_t value);
void vtd_fault_record_clear(IovVtd *self, unsigned index);
void vtd_fault_control_write(IovVtd *self, uint32_t value);
bool vtd_fault_pending(const IovVtd *self);
/* Sends an interrupt message to the message port, or to the bus if that is open. */
enum iov_status vtd_message_send(IovVtd *self, uint64_t address, uint32_t data, uint16_t source,
                                 iov_time delay, struct iov_span *span);

/* ---- vtd-queue.c ---- */

void vtd_queue_enable(IovVtd *self, bool enable);
void vtd_queue_run(IovVtd *self);
void vtd_completion_control_write(IovVtd *self, uint32_t value);
void vtd_completion_status_write(IovVtd *self, uint32_t value);
void vtd_queue_init(IovVtd *self);
void vtd_context_command(IovVtd *self);
void vtd_iotlb_command(IovVtd *self);

#endif
