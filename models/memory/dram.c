/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dram - host memory with real bytes.
 *
 * Memory is sparse: chunks come into being when they are first written or asked for directly; what
 * was never written reads as zero. A write of payload leaves a tag with the request's span at its
 * first byte, and the payload read that starts at that byte takes it, so a request can be followed
 * through buffers. Tags live in a table of fixed size; when a set is full its oldest tag gives way.
 * Timing: a read takes the cost dram-access, a write is posted and takes none. What a device writes
 * of up to 64 bytes (descriptors, indices: what software polls) is there when it has arrived, and
 * until then only for devices whose reads arrive later.
 * LIMIT: no banks, channels or caches; a tag is found by its exact first byte only; longer writes
 * of devices are there at once, behind those before them.
 */
#include <string.h>

#include "core/object/model.h"
#include "core/trace/measure.h"

#define CHUNK_SHIFT 16 /* 64 KiB */
#define CHUNK_SIZE (UINT64_C(1) << CHUNK_SHIFT)
#define GROUP_SHIFT 9 /* chunks of a group: 32 MiB, whose pointers fill a page */
#define GROUP_CHUNKS (UINT64_C(1) << GROUP_SHIFT)
#define TAG_SETS 1024u /* a power of two */
#define TAG_WAYS 8u
#define HELD_MAX 64u /* bytes of a write that waits for its arrival */

#define IOV_TYPE_DRAM (iov_dram_get_type())
G_DECLARE_FINAL_TYPE(IovDram, iov_dram, IOV, DRAM, IovModel)

struct tag {
    uint64_t address;
    struct iov_span *span;
};

/* Few tags live at once, so nearly always the first line of a set has all there is to see. */
struct tag_set {
    _Alignas(IOV_CACHE_LINE) uint8_t used; /* a bit for each way */
    uint8_t next;                          /* the way that gives way next */
    struct tag ways[TAG_WAYS];
};

/* A device's write on its way. */
struct held {
    struct held *next;
    iov_time due;
    uint64_t address;
    uint32_t size;
    uint16_t requester;
    uint8_t bytes[HELD_MAX];
};

struct _IovDram {
    IovModel parent_instance;
    uint64_t size;              /* property */
    iov_time access;            /* cost */
    struct iov_mem_target port; /* port */
    uint8_t ***groups;          /* of pointers to chunks; NULL: none of its chunks is there */
    GPtrArray *present;         /* the groups and chunks that are there */
    struct tag_set *tags;
    struct iov_pool *pool;
    struct held *held, *last_held;                     /* in the order of their arrival */
    struct iov_event arrival;                          /* armed for the first */
    uint64_t reads, writes, read_bytes, written_bytes; /* statistics */
    uint64_t tags_lost;
};

G_DEFINE_FINAL_TYPE(IovDram, iov_dram, IOV_TYPE_MODEL)

/* The chunk of an address, or NULL. */
static inline uint8_t *chunk_find(const IovDram *self, uint64_t address)
{
    uint64_t chunk = address >> CHUNK_SHIFT;
    uint8_t **group = self->groups[chunk >> GROUP_SHIFT];

    return group != NULL ? group[chunk & (GROUP_CHUNKS - 1)] : NULL;
}

static void *present_add(IovDram *self, void *memory)
{
    g_ptr_array_add(self->present, memory);
    return memory;
}

static uint8_t *chunk_get(IovDram *self, uint64_t address)
{
    uint64_t number = address >> CHUNK_SHIFT;
    uint8_t ***group = &self->groups[number >> GROUP_SHIFT], **chunk;

    if (*group == NULL)
        *group = present_add(self, g_new0(uint8_t *, GROUP_CHUNKS));
    chunk = &(*group)[number & (GROUP_CHUNKS - 1)];
    if (*chunk == NULL) { /* its lines are lines */
        uint8_t *memory = present_add(self, g_malloc0(CHUNK_SIZE + IOV_CACHE_LINE));

        *chunk = memory + (IOV_CACHE_LINE - (uintptr_t)memory % IOV_CACHE_LINE) % IOV_CACHE_LINE;
    }
    return *chunk;
}

static struct tag_set *tag_set_of(IovDram *self, uint64_t address)
{
    return &self->tags[(address * UINT64_C(0x9e3779b97f4a7c15)) >> 54 & (TAG_SETS - 1)];
}

/* The way of an address in its set, or -1. */
static int tag_find(const struct tag_set *set, uint64_t address)
{
    for (unsigned left = set->used; left != 0; left &= left - 1) {
        int way = __builtin_ctz(left);

        if (set->ways[way].address == address)
            return way;
    }
    return -1;
}

static void tag_store(IovDram *self, uint64_t address, struct iov_span *span)
{
    struct tag_set *set = tag_set_of(self, address);
    int way = tag_find(set, address);

    if (span == NULL) {
        if (way >= 0)
            set->used &= (uint8_t) ~(1u << way);
        return;
    }
    if (way < 0) {
        way = __builtin_ctz(~(unsigned)set->used); /* the first that is free */
        if (way == TAG_WAYS) {
            way = set->next;
            set->next = (uint8_t)((set->next + 1) % TAG_WAYS);
            self->tags_lost++;
        }
        set->used |= (uint8_t)(1u << way);
    }
    set->ways[way] = (struct tag){ address, span };
}

static struct iov_span *tag_take(IovDram *self, uint64_t address)
{
    struct tag_set *set = tag_set_of(self, address);
    int way = tag_find(set, address);

    if (way < 0)
        return NULL;
    set->used &= (uint8_t) ~(1u << way);
    return set->ways[way].span;
}

static bool inside(const IovDram *self, const struct iov_mem_req *req)
{
    return req->size <= self->size && req->address <= self->size - req->size;
}

/* Copies that cross the end of a chunk. */
static __attribute__((noinline)) void read_pieces(const IovDram *self, uint64_t address,
                                                  uint8_t *to, uint32_t left)
{
    while (left > 0) {
        uint64_t offset = address & (CHUNK_SIZE - 1);
        uint32_t part = left < CHUNK_SIZE - offset ? left : (uint32_t)(CHUNK_SIZE - offset);
        const uint8_t *chunk = chunk_find(self, address);

        if (chunk != NULL)
            memcpy(to, chunk + offset, part);
        else
            memset(to, 0, part);
        to += part;
        address += part;
        left -= part;
    }
}

static __attribute__((noinline)) void write_pieces(IovDram *self, uint64_t address,
                                                   const uint8_t *from, uint32_t left)
{
    while (left > 0) {
        uint64_t offset = address & (CHUNK_SIZE - 1);
        uint32_t part = left < CHUNK_SIZE - offset ? left : (uint32_t)(CHUNK_SIZE - offset);

        memcpy(chunk_get(self, address) + offset, from, part);
        from += part;
        address += part;
        left -= part;
    }
}

/* Where all the bytes of a request lie together, or NULL. */
static inline uint8_t *whole(const IovDram *self, const struct iov_mem_req *req)
{
    uint64_t offset = req->address & (CHUNK_SIZE - 1);
    uint8_t *chunk = chunk_find(self, req->address);

    return chunk != NULL && req->size <= CHUNK_SIZE - offset ? chunk + offset : NULL;
}

static void write_bytes(IovDram *self, const struct iov_mem_req *req)
{
    uint8_t *bytes = whole(self, req);

    if (G_LIKELY(bytes != NULL))
        iov_mem_copy(bytes, req->data, req->size);
    else
        write_pieces(self, req->address, req->data, req->size);
}

/* ---- Writes on their way ---- */

static void held_land(IovDram *self, struct held *held)
{
    struct iov_mem_req req = { .address = held->address, .data = held->bytes, .size = held->size };

    write_bytes(self, &req);
    iov_pool_give(self->pool, held);
}

static void on_arrival(struct iov_event *event)
{
    IovDram *self = iov_container_of(event, IovDram, arrival);

    while (self->held != NULL && self->held->due <= event->when) {
        struct held *held = self->held;

        self->held = held->next;
        held_land(self, held);
    }
    if (self->held != NULL)
        iov_event_at(event, self->held->due);
}

static void hold(IovDram *self, const struct iov_mem_req *req)
{
    struct held *held = iov_pool_take(self->pool), **place = &self->held;

    held->due = iov_now(self->parent_instance.kernel) + req->delay;
    held->address = req->address;
    held->size = req->size;
    held->requester = req->requester;
    memcpy(held->bytes, req->data, req->size);
    if (self->held != NULL && self->last_held->due <= held->due)
        place = &self->last_held->next;
    while (*place != NULL && (*place)->due <= held->due)
        place = &(*place)->next;
    held->next = *place;
    *place = held;
    if (held->next == NULL)
        self->last_held = held;
    if (self->held == held) {
        iov_event_disarm(&self->arrival);
        iov_event_at(&self->arrival, held->due);
    }
}

static bool overlap(const struct held *held, const struct iov_mem_req *req)
{
    return held->address < req->address + req->size && req->address < held->address + held->size;
}

/* A write that does not wait comes behind those of the same bytes that do. */
static __attribute__((noinline)) void land_before(IovDram *self, const struct iov_mem_req *req)
{
    struct held **place = &self->held;

    self->last_held = NULL;
    while (*place != NULL) {
        struct held *held = *place;

        if (overlap(held, req)) {
            *place = held->next;
            held_land(self, held);
        } else {
            self->last_held = held;
            place = &held->next;
        }
    }
    if (self->held == NULL)
        iov_event_disarm(&self->arrival);
}

/* What will have arrived before a read that is on its way. SPEC: PCI Express 5.0, 2.4.1: it does
 * not pass its own function's writes. */
static __attribute__((noinline)) void add_held(const IovDram *self, const struct iov_mem_req *req)
{
    iov_time until = iov_now(self->parent_instance.kernel) + req->delay;

    for (const struct held *held = self->held; held != NULL; held = held->next) {
        uint64_t first = MAX(held->address, req->address);
        uint64_t end = MIN(held->address + held->size, req->address + req->size);

        if (first < end && (held->due <= until || held->requester == req->requester))
            memcpy((uint8_t *)req->data + (first - req->address),
                   held->bytes + (first - held->address), end - first);
    }
}

static inline bool waits(const struct iov_mem_req *req)
{
    return req->requester != 0 && req->delay > 0 && req->size <= HELD_MAX &&
           !(req->flags & (IOV_MEM_AT_ONCE | IOV_MEM_DEBUG));
}

/* ---- Port ---- */

static enum iov_status dram_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovDram *self = iov_container_of(port, IovDram, port);
    const uint8_t *bytes;

    if (!inside(self, req))
        return IOV_STATUS_UNSUPPORTED;
    bytes = whole(self, req);
    if (G_LIKELY(bytes != NULL))
        iov_mem_copy(req->data, bytes, req->size);
    else
        read_pieces(self, req->address, req->data, req->size);
    if (G_UNLIKELY(self->held != NULL))
        add_held(self, req);
    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_OK;
    if (req->flags & IOV_MEM_PAYLOAD)
        req->span = tag_take(self, req->address);
    req->delay += self->access;
    self->reads++;
    self->read_bytes += req->size;
    return IOV_STATUS_OK;
}

static enum iov_status dram_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovDram *self = iov_container_of(port, IovDram, port);

    if (!inside(self, req))
        return IOV_STATUS_UNSUPPORTED;
    req->arrival = req->delay;
    if (waits(req)) {
        hold(self, req);
    } else {
        if (G_UNLIKELY(self->held != NULL) && req->requester != 0)
            land_before(self, req);
        write_bytes(self, req);
    }
    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_OK;
    if (req->flags & IOV_MEM_PAYLOAD)
        tag_store(self, req->address, req->span);
    self->writes++;
    self->written_bytes += req->size;
    return IOV_STATUS_OK;
}

static uint8_t *dram_direct(struct iov_mem_target *port, uint64_t address, uint64_t *ret_size)
{
    IovDram *self = iov_container_of(port, IovDram, port);
    uint64_t offset = address & (CHUNK_SIZE - 1);
    uint64_t size = CHUNK_SIZE - offset;

    if (address >= self->size)
        return NULL;
    *ret_size = size < self->size - address ? size : self->size - address;
    return chunk_get(self, address) + offset;
}

static const struct iov_mem_target_ops dram_ops = {
    .read = dram_read,
    .write = dram_write,
    .direct = dram_direct,
};

/* ---- Life ---- */

static bool iov_dram_prepare(IovModel *model, GError **error)
{
    IovDram *self = (IovDram *)(void *)model;

    (void)error;
    self->port.size = self->size;
    if (self->pool == NULL)
        self->pool = iov_pool_new(sizeof(struct held));
    iov_event_init(&self->arrival, model->kernel, on_arrival, IOV_PRIORITY_FIRST);
    if (self->groups == NULL) {
        self->groups = g_new0(uint8_t **, (self->size >> CHUNK_SHIFT >> GROUP_SHIFT) + 1);
        self->tags = g_aligned_alloc0(TAG_SETS, sizeof *self->tags, IOV_CACHE_LINE);
    }
    return true;
}

static void iov_dram_unrealize(IovModel *model)
{
    IovDram *self = (IovDram *)(void *)model;

    if (self->pool == NULL)
        return;
    iov_event_disarm(&self->arrival);
    while (self->held != NULL) { /* they land; time is over */
        struct held *held = self->held;

        self->held = held->next;
        held_land(self, held);
    }
}

static void iov_dram_finalize(GObject *object)
{
    IovDram *self = (IovDram *)(void *)object;

    if (self->pool != NULL)
        iov_pool_free(self->pool);
    g_ptr_array_unref(self->present);
    g_free(self->groups);
    g_aligned_free(self->tags);
    G_OBJECT_CLASS(iov_dram_parent_class)->finalize(object);
}

static void iov_dram_class_init(IovDramClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "dram", "Host memory with real bytes");
    IOV_PROP_SIZE(mc, IovDram, size, 4096, UINT64_C(1) << 40, UINT64_C(8) << 30,
                  "Bytes of memory; only what is used takes room");
    IOV_COST(mc, IovDram, access, "dram-access", "From a read's arrival to its data");
    IOV_PORT_MEM_TARGET(mc, IovDram, port, &dram_ops, "The bytes");
    IOV_STAT(mc, IovDram, reads, "Read requests");
    IOV_STAT(mc, IovDram, writes, "Write requests");
    IOV_STAT_BYTES(mc, IovDram, read_bytes, "Bytes read");
    IOV_STAT_BYTES(mc, IovDram, written_bytes, "Bytes written");
    IOV_STAT(mc, IovDram, tags_lost, "Payload tags that gave way to newer ones");
    mc->prepare = iov_dram_prepare;
    mc->unrealize = iov_dram_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_dram_finalize;
}

static void iov_dram_init(IovDram *self)
{
    self->present = g_ptr_array_new_with_free_func(g_free);
}
