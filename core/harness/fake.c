/* SPDX-License-Identifier: Apache-2.0 */
/* The fake peers. They keep records without bound and look things up slowly: a bench runs for a few
 * thousand accesses. */
#include "core/harness/fake.h"

#include <glib.h>

#define MESSAGES_BASE UINT64_C(0xfee00000)
#define MESSAGES_SIZE UINT64_C(0x100000)

/* ---- mem ---- */

struct waiting_answer {
    uint64_t address;
    uint64_t value;
};

struct iov_fake_mem_private {
    GArray *accesses;  /* struct iov_fake_access */
    GArray *answers;   /* struct waiting_answer, oldest first */
    GHashTable *spans; /* address of the first payload byte → struct iov_span */
};

static bool in_ram(uint64_t address, uint32_t size)
{
    return address < IOV_FAKE_RAM_SIZE && size <= IOV_FAKE_RAM_SIZE - address;
}

static bool is_message(const struct iov_mem_req *req)
{
    return req->address - MESSAGES_BASE < MESSAGES_SIZE;
}

static struct iov_fake_access *record(struct iov_fake_mem *fake, const struct iov_mem_req *req,
                                      bool write, enum iov_status status)
{
    struct iov_fake_access access = {
        .when = iov_now(fake->kernel),
        .delay = req->delay,
        .address = req->address,
        .value = iov_mem_value(req),
        .size = req->size,
        .pasid = req->pasid,
        .requester = req->requester,
        .flags = req->flags,
        .write = write,
        .status = status,
        .span = req->span,
    };
    GArray *accesses = fake->private_data->accesses;

    g_array_append_val(accesses, access);
    fake->accesses = &g_array_index(accesses, struct iov_fake_access, 0);
    fake->count = accesses->len;
    return &fake->accesses[fake->count - 1];
}

/* Takes the oldest answer that waits for this address. */
static bool take_answer(struct iov_fake_mem *fake, uint64_t address, uint64_t *ret_value)
{
    GArray *answers = fake->private_data->answers;

    for (unsigned i = 0; i < answers->len; i++) {
        struct waiting_answer *answer = &g_array_index(answers, struct waiting_answer, i);

        if (answer->address != address)
            continue;
        *ret_value = answer->value;
        g_array_remove_index(answers, i);
        return true;
    }
    return false;
}

static enum iov_status fake_mem_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct iov_fake_mem *fake = iov_container_of(target, struct iov_fake_mem, target);
    enum iov_status status = fake->status;
    uint64_t value;

    if (status == IOV_STATUS_OK) {
        if (take_answer(fake, req->address, &value))
            iov_mem_set_value(req, value);
        else if (in_ram(req->address, req->size))
            memcpy(req->data, fake->ram + req->address, req->size);
        else
            status = IOV_STATUS_UNSUPPORTED;
    }
    if (status != IOV_STATUS_OK)
        memset(req->data, 0xff, req->size);
    else if (req->flags & IOV_MEM_PAYLOAD)
        req->span = iov_fake_mem_span(fake, req->address);
    if (req->flags & IOV_MEM_DEBUG)
        return status;
    fake->reads++;
    record(fake, req, false, status);
    req->delay += fake->read_delay;
    return status;
}

static enum iov_status fake_mem_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct iov_fake_mem *fake = iov_container_of(target, struct iov_fake_mem, target);
    enum iov_status status = fake->status;
    struct iov_fake_access *access;

    if (status == IOV_STATUS_OK && in_ram(req->address, req->size))
        iov_fake_mem_put(fake, req->address, req->data, req->size,
                         req->flags & IOV_MEM_PAYLOAD ? req->span : NULL);
    else if (status == IOV_STATUS_OK && !is_message(req))
        status = IOV_STATUS_UNSUPPORTED;
    if (req->flags & IOV_MEM_DEBUG)
        return status;
    fake->writes++;
    access = record(fake, req, true, status);
    if (status == IOV_STATUS_OK && is_message(req)) {
        fake->messages++;
        fake->last_message = *access;
    }
    req->delay += fake->write_delay;
    return status;
}

static const struct iov_mem_target_ops fake_mem_ops = {
    .read = fake_mem_read,
    .write = fake_mem_write,
};

struct iov_fake_mem *iov_fake_mem_new(struct iov_kernel *kernel)
{
    struct iov_fake_mem *fake = g_new0(struct iov_fake_mem, 1);

    fake->target.ops = &fake_mem_ops;
    fake->target.size = UINT64_C(1) << 52;
    fake->kernel = kernel;
    fake->ram = g_malloc0(IOV_FAKE_RAM_SIZE);
    fake->private_data = g_new0(struct iov_fake_mem_private, 1);
    fake->private_data->accesses = g_array_new(FALSE, FALSE, sizeof(struct iov_fake_access));
    fake->private_data->answers = g_array_new(FALSE, FALSE, sizeof(struct waiting_answer));
    fake->private_data->spans = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return fake;
}

void iov_fake_mem_free(struct iov_fake_mem *fake)
{
    if (fake == NULL)
        return;
    g_array_unref(fake->private_data->accesses);
    g_array_unref(fake->private_data->answers);
    g_hash_table_unref(fake->private_data->spans);
    g_free(fake->private_data);
    g_free(fake->ram);
    g_free(fake);
}

void iov_fake_mem_answer(struct iov_fake_mem *fake, uint64_t address, uint64_t value)
{
    struct waiting_answer answer = { address, value };

    g_array_append_val(fake->private_data->answers, answer);
}

void iov_fake_mem_put(struct iov_fake_mem *fake, uint64_t address, const void *data, uint32_t size,
                      struct iov_span *span)
{
    IOV_REQUIRE(in_ram(address, size));
    memcpy(fake->ram + address, data, size);
    if (span != NULL)
        g_hash_table_replace(fake->private_data->spans, g_memdup2(&address, sizeof address), span);
    else
        g_hash_table_remove(fake->private_data->spans, &address);
}

uint64_t iov_fake_mem_get(const struct iov_fake_mem *fake, uint64_t address, uint32_t size)
{
    uint64_t value = 0;

    IOV_REQUIRE(in_ram(address, size) && size <= 8);
    memcpy(&value, fake->ram + address, size);
    return value;
}

void iov_fake_mem_set(struct iov_fake_mem *fake, uint64_t address, uint32_t size, uint64_t value)
{
    IOV_REQUIRE(size <= 8);
    iov_fake_mem_put(fake, address, &value, size, NULL);
}

struct iov_span *iov_fake_mem_span(const struct iov_fake_mem *fake, uint64_t address)
{
    return g_hash_table_lookup(fake->private_data->spans, &address);
}

void iov_fake_mem_forget(struct iov_fake_mem *fake)
{
    g_array_set_size(fake->private_data->accesses, 0);
    fake->accesses = NULL;
    fake->count = 0;
    fake->reads = 0;
    fake->writes = 0;
    fake->messages = 0;
}

/* ---- irq ---- */

static void fake_irq_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct iov_fake_irq *fake = iov_container_of(sink, struct iov_fake_irq, sink);

    fake->level = level;
    if (level) {
        fake->rises++;
        fake->last_rise = iov_now(fake->kernel);
        fake->span = span;
    } else {
        fake->falls++;
        fake->last_fall = iov_now(fake->kernel);
    }
}

static const struct iov_irq_sink_ops fake_irq_ops = { .set = fake_irq_set };

struct iov_fake_irq *iov_fake_irq_new(struct iov_kernel *kernel)
{
    struct iov_fake_irq *fake = g_new0(struct iov_fake_irq, 1);

    fake->sink.ops = &fake_irq_ops;
    fake->kernel = kernel;
    return fake;
}

void iov_fake_irq_free(struct iov_fake_irq *fake)
{
    g_free(fake);
}

/* ---- packet ---- */

static iov_time fake_packet_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct iov_fake_packet *fake = iov_container_of(port, struct iov_fake_packet, port);

    packet->stamp = iov_now(fake->kernel);
    iov_packet_queue_push(&fake->frames, packet);
    fake->received++;
    return fake->interval;
}

static const struct iov_packet_ops fake_packet_ops = { .receive = fake_packet_receive };

struct iov_fake_packet *iov_fake_packet_new(struct iov_kernel *kernel)
{
    struct iov_fake_packet *fake = g_new0(struct iov_fake_packet, 1);

    fake->port.ops = &fake_packet_ops;
    fake->kernel = kernel;
    fake->pool = iov_packet_pool_new();
    return fake;
}

void iov_fake_packet_free(struct iov_fake_packet *fake)
{
    if (fake == NULL)
        return;
    iov_packet_queue_clear(&fake->frames);
    iov_packet_pool_unref(fake->pool, NULL);
    g_free(fake);
}

struct iov_packet *iov_fake_packet_take(struct iov_fake_packet *fake)
{
    return iov_packet_queue_pop(&fake->frames);
}

iov_time iov_fake_packet_inject(struct iov_fake_packet *fake, const void *data, uint32_t size,
                                struct iov_span *span)
{
    struct iov_packet *packet = iov_packet_new(fake->pool, size);

    memcpy(packet->data, data, size);
    packet->span = span;
    return iov_packet_send(&fake->port, packet);
}

/* ---- notify ---- */

static void fake_notify_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    struct iov_fake_notify *fake = iov_container_of(sink, struct iov_fake_notify, sink);

    fake->signals++;
    fake->last = iov_now(fake->kernel);
    fake->span = span;
}

static const struct iov_notify_sink_ops fake_notify_ops = { .signal = fake_notify_signal };

struct iov_fake_notify *iov_fake_notify_new(struct iov_kernel *kernel)
{
    struct iov_fake_notify *fake = g_new0(struct iov_fake_notify, 1);

    fake->sink.ops = &fake_notify_ops;
    fake->kernel = kernel;
    return fake;
}

void iov_fake_notify_free(struct iov_fake_notify *fake)
{
    g_free(fake);
}

/* ---- block ---- */

static enum iov_block_status move_blocks(struct iov_fake_block *fake,
                                         const struct iov_block_req *req)
{
    if (fake->status != IOV_BLOCK_OK)
        return fake->status;
    if (req->offset > IOV_FAKE_DISK_SIZE || req->size > IOV_FAKE_DISK_SIZE - req->offset)
        return IOV_BLOCK_OUT_OF_RANGE;
    switch (req->op) {
    case IOV_BLOCK_READ:
        memcpy(req->data, fake->disk + req->offset, req->size);
        break;
    case IOV_BLOCK_WRITE:
        memcpy(fake->disk + req->offset, req->data, req->size);
        break;
    case IOV_BLOCK_FLUSH:
        fake->flushes++;
        break;
    case IOV_BLOCK_DISCARD:
    case IOV_BLOCK_WRITE_ZEROES:
        memset(fake->disk + req->offset, 0, req->size);
        break;
    }
    return IOV_BLOCK_OK;
}

static void on_block_end(struct iov_event *event)
{
    struct iov_fake_block *fake = iov_container_of(event, struct iov_fake_block, end);
    struct iov_block_req *req = g_queue_pop_head(fake->waiting);

    if (!g_queue_is_empty(fake->waiting))
        iov_event_in(&fake->end, fake->delay);
    req->status = move_blocks(fake, req);
    fake->finished++;
    req->done(req);
}

static void fake_block_submit(struct iov_block_target *target, struct iov_block_req *req)
{
    struct iov_fake_block *fake = iov_container_of(target, struct iov_fake_block, target);

    fake->submitted++;
    g_queue_push_tail(fake->waiting, req);
    if (!iov_event_armed(&fake->end))
        iov_event_in(&fake->end, fake->delay);
}

static const struct iov_block_target_ops fake_block_ops = { .submit = fake_block_submit };

struct iov_fake_block *iov_fake_block_new(struct iov_kernel *kernel)
{
    struct iov_fake_block *fake = g_new0(struct iov_fake_block, 1);

    fake->target.ops = &fake_block_ops;
    fake->target.size = IOV_FAKE_DISK_SIZE;
    fake->kernel = kernel;
    fake->disk = g_malloc0(IOV_FAKE_DISK_SIZE);
    fake->waiting = g_queue_new();
    iov_event_init(&fake->end, kernel, on_block_end, IOV_PRIORITY_DEFAULT);
    return fake;
}

void iov_fake_block_free(struct iov_fake_block *fake)
{
    if (fake == NULL)
        return;
    iov_event_disarm(&fake->end);
    g_queue_free(fake->waiting);
    g_free(fake->disk);
    g_free(fake);
}
