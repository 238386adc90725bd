/* SPDX-License-Identifier: Apache-2.0 */
/* The bench: makes parts, puts fakes at open ports, turns the crank, drives targets. */
#include "core/harness/harness-private.h"

#include <string.h>

/* What stands at one end of a port of a part: a fake, or the source that drives an interrupt wire
 * into it. */
struct harness_peer {
    IovModel *model;
    const struct iov_port *row;
    unsigned at;
    union {
        struct iov_fake_mem *mem;
        struct iov_fake_irq *irq;
        struct iov_fake_packet *packet;
        struct iov_fake_notify *notify;
        struct iov_fake_block *block;
        struct iov_irq_source *source; /* of a target */
    };
};

/* A mistake in a test ends it. */
static void give_up(const GError *error) __attribute__((noreturn));

static void give_up(const GError *error)
{
    iov_require_failed(error->message, __FILE__, __LINE__, "iov_harness");
}

/* ---- Fakes ---- */

static void peer_free(void *data)
{
    struct harness_peer *peer = data;

    if (peer->row->role == IOV_PORT_TARGET) {
        g_free(peer->source);
    } else {
        switch (peer->row->type) {
        case IOV_PORT_MEM:
            iov_fake_mem_free(peer->mem);
            break;
        case IOV_PORT_IRQ:
            iov_fake_irq_free(peer->irq);
            break;
        case IOV_PORT_PACKET:
            iov_fake_packet_free(peer->packet);
            break;
        case IOV_PORT_NOTIFY:
            iov_fake_notify_free(peer->notify);
            break;
        case IOV_PORT_BLOCK:
            iov_fake_block_free(peer->block);
            break;
        default:
            break;
        }
    }
    g_free(peer);
}

static struct harness_peer *find_peer(struct iov_harness *harness, IovModel *model,
                                      const struct iov_port *row, unsigned at)
{
    GPtrArray *peers = harness->private_data->peers;

    for (unsigned i = 0; i < peers->len; i++) {
        struct harness_peer *peer = g_ptr_array_index(peers, i);

        if (peer->model == model && peer->row == row && peer->at == at)
            return peer;
    }
    return NULL;
}

static struct harness_peer *add_peer(struct iov_harness *harness, IovModel *model,
                                     const struct iov_port *row, unsigned at)
{
    struct harness_peer *peer = g_new0(struct harness_peer, 1);

    *peer = (struct harness_peer){ .model = model, .row = row, .at = at };
    g_ptr_array_add(harness->private_data->peers, peer);
    return peer;
}

static void attach_mem(struct harness_peer *peer, void *field, struct iov_kernel *kernel)
{
    peer->mem = iov_fake_mem_new(kernel);
    if (peer->row->flags & IOV_PORT_MAP)
        iov_mem_map_add(field, 0, peer->mem->target.size, &peer->mem->target);
    else
        ((struct iov_mem_initiator *)field)->peer = &peer->mem->target;
}

/* Makes the fake at an open port. */
static struct harness_peer *attach_fake(struct iov_harness *harness, IovModel *model,
                                        const struct iov_port *row, unsigned at)
{
    struct harness_peer *peer = add_peer(harness, model, row, at);
    void *field = iov_model_port(model, row->name, at);
    struct iov_kernel *kernel = harness->kernel;

    switch (row->type) {
    case IOV_PORT_MEM:
        attach_mem(peer, field, kernel);
        break;
    case IOV_PORT_IRQ:
        peer->irq = iov_fake_irq_new(kernel);
        ((struct iov_irq_source *)field)->peer = &peer->irq->sink;
        break;
    case IOV_PORT_PACKET:
        peer->packet = iov_fake_packet_new(kernel);
        peer->packet->port.peer = field;
        peer->packet->port.peer->peer = &peer->packet->port;
        break;
    case IOV_PORT_NOTIFY:
        peer->notify = iov_fake_notify_new(kernel);
        ((struct iov_notify_source *)field)->peer = &peer->notify->sink;
        break;
    case IOV_PORT_BLOCK:
        peer->block = iov_fake_block_new(kernel);
        ((struct iov_block_initiator *)field)->peer = &peer->block->target;
        break;
    default:
        break;
    }
    return peer;
}

static bool is_open(const struct iov_port *row, const void *field)
{
    switch (row->type) {
    case IOV_PORT_MEM:
        if (row->flags & IOV_PORT_MAP)
            return ((const struct iov_mem_map *)field)->count == 0;
        return ((const struct iov_mem_initiator *)field)->peer == NULL;
    case IOV_PORT_IRQ:
        return ((const struct iov_irq_source *)field)->peer == NULL;
    case IOV_PORT_PACKET:
        return ((const struct iov_packet_port *)field)->peer == NULL;
    case IOV_PORT_NOTIFY:
        return ((const struct iov_notify_source *)field)->peer == NULL;
    case IOV_PORT_BLOCK:
        return ((const struct iov_block_initiator *)field)->peer == NULL;
    default:
        return false;
    }
}

static void attach_fakes(struct iov_harness *harness, IovModel *part)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(part)->info->ports;

    for (unsigned i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        for (unsigned at = 0; row->role != IOV_PORT_TARGET && at < row->count; at++) {
            if (is_open(row, iov_model_port(part, row->name, at)))
                attach_fake(harness, part, row, at);
        }
    }
}

/* ---- Life ---- */

static bool cost_lookup(struct iov_cost_table *table, const char *name,
                        const char *kind G_GNUC_UNUSED, iov_time *ret_cost,
                        GError **error G_GNUC_UNUSED)
{
    struct iov_harness_private *priv = iov_container_of(table, struct iov_harness_private, costs);
    struct given_cost *given = g_hash_table_lookup(priv->given, name);

    *ret_cost = given != NULL ? given->cost : 0;
    if (given != NULL)
        given->used = true;
    return true;
}

static struct iov_harness *make_bench(void)
{
    struct iov_harness *harness = g_new0(struct iov_harness, 1);
    struct iov_harness_private *priv = g_new0(struct iov_harness_private, 1);

    priv->costs.lookup = cost_lookup;
    priv->given = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    priv->tree = iov_tree_new();
    priv->parts = g_ptr_array_new_with_free_func(g_object_unref);
    priv->references = g_array_new(FALSE, FALSE, sizeof(struct pending_ref));
    priv->peers = g_ptr_array_new_with_free_func(peer_free);
    harness->private_data = priv;
    harness->kernel = iov_kernel_new();
    harness->measure = iov_measure_new(harness->kernel);
    harness->run = (struct iov_run){
        .kernel = harness->kernel,
        .seed = 1,
        .measure = harness->measure,
        .costs = &priv->costs,
    };
    return harness;
}

struct iov_harness *iov_harness_try_new(const char *text, GError **error)
{
    struct iov_harness *harness = make_bench();

    harness->model = iov_harness_describe(harness, "dut", text, error);
    if (harness->model != NULL)
        return harness;
    iov_harness_free(harness);
    return NULL;
}

struct iov_harness *iov_harness_new(const char *text)
{
    GError *error = NULL;
    struct iov_harness *harness = iov_harness_try_new(text, &error);

    if (harness == NULL)
        give_up(error);
    return harness;
}

void iov_harness_free(struct iov_harness *harness)
{
    struct iov_harness_private *priv;

    if (harness == NULL)
        return;
    priv = harness->private_data;
    for (unsigned i = priv->parts->len; i > 0; i--)
        iov_model_unrealize(g_ptr_array_index(priv->parts, i - 1));
    g_ptr_array_unref(priv->parts);
    g_ptr_array_unref(priv->peers);
    g_array_unref(priv->references);
    g_hash_table_unref(priv->given);
    iov_tree_free(priv->tree);
    g_free(priv);
    iov_measure_free(harness->measure);
    iov_kernel_free(harness->kernel);
    g_free(harness);
}

IovModel *iov_harness_try_add(struct iov_harness *harness, const char *name, const char *text,
                              GError **error)
{
    IOV_REQUIRE(!harness->private_data->started);
    return iov_harness_describe(harness, name, text, error);
}

IovModel *iov_harness_add(struct iov_harness *harness, const char *name, const char *text)
{
    GError *error = NULL;
    IovModel *part = iov_harness_try_add(harness, name, text, &error);

    if (part == NULL)
        give_up(error);
    return part;
}

bool iov_harness_try_start(struct iov_harness *harness, GError **error)
{
    GPtrArray *parts = harness->private_data->parts;

    IOV_REQUIRE(!harness->private_data->started);
    if (!iov_harness_resolve(harness, error))
        return false;
    for (unsigned i = 0; i < parts->len; i++) {
        if (!iov_model_prepare(g_ptr_array_index(parts, i), error))
            return false;
    }
    for (unsigned i = 0; i < parts->len; i++) {
        attach_fakes(harness, g_ptr_array_index(parts, i));
        if (!iov_model_check_complete(g_ptr_array_index(parts, i), error))
            return false;
    }
    for (unsigned i = 0; i < parts->len; i++) {
        if (!iov_model_realize(g_ptr_array_index(parts, i), error))
            return false;
    }
    harness->private_data->started = true;
    for (unsigned i = 0; i < parts->len; i++)
        iov_model_start(g_ptr_array_index(parts, i));
    iov_harness_settle(harness);
    return true;
}

void iov_harness_start(struct iov_harness *harness)
{
    GError *error = NULL;

    if (!iov_harness_try_start(harness, &error))
        give_up(error);
}

/* ---- The clock ---- */

void iov_harness_run_until(struct iov_harness *harness, iov_time until)
{
    IOV_REQUIRE(harness->private_data->started);
    iov_kernel_run_until(harness->kernel, until);
}

void iov_harness_run_for(struct iov_harness *harness, iov_time duration)
{
    iov_harness_run_until(harness, iov_harness_now(harness) + duration);
}

void iov_harness_settle(struct iov_harness *harness)
{
    iov_harness_run_for(harness, 0);
}

bool iov_harness_run_idle(struct iov_harness *harness, iov_time limit)
{
    iov_time end = iov_harness_now(harness) + limit;
    iov_time when;

    while (iov_kernel_next(harness->kernel, &when)) {
        if (when > end)
            return false;
        iov_kernel_step(harness->kernel);
    }
    return true;
}

/* ---- Ports by name ---- */

/* The part and row that "port" or "part.port" names; ends the test if it does not have this type
 * and side. */
static const struct iov_port *find_port(struct iov_harness *harness, const char *name,
                                        enum iov_port_type type, bool target, IovModel **ret_model)
{
    const char *dot = strrchr(name, '.');
    g_autofree char *part = dot != NULL ? g_strndup(name, (size_t)(dot - name)) : g_strdup("dut");
    IovModel *model = iov_harness_find(harness, part);
    const struct iov_port *row =
        model != NULL ? iov_model_find_port(model, dot != NULL ? dot + 1 : name) : NULL;

    if (row == NULL || row->type != type || (row->role == IOV_PORT_TARGET) != target) {
        g_autofree char *message = g_strdup_printf("port '%s' of this type and side exists", name);

        iov_require_failed(message, __FILE__, __LINE__, "iov_harness");
    }
    *ret_model = model;
    return row;
}

static struct harness_peer *fake_at(struct iov_harness *harness, const char *name,
                                    enum iov_port_type type, unsigned at)
{
    IovModel *model;
    const struct iov_port *row = find_port(harness, name, type, false, &model);
    struct harness_peer *peer = find_peer(harness, model, row, at);

    IOV_REQUIRE(at < row->count);
    if (peer == NULL) {
        IOV_REQUIRE(
            is_open(row, iov_model_port(model, row->name, at))); /* else it is wired to a part */
        peer = attach_fake(harness, model, row, at);
    }
    return peer;
}

static void *target_at(struct iov_harness *harness, const char *name, enum iov_port_type type,
                       unsigned at)
{
    IovModel *model;
    const struct iov_port *row = find_port(harness, name, type, true, &model);

    IOV_REQUIRE(at < row->count);
    IOV_REQUIRE(harness->private_data->started);
    return iov_model_port(model, row->name, at);
}

/* The part of "part.port", with its ports sized, and the port's name. */
static IovModel *wire_end(struct iov_harness *harness, const char *end, const char **ret_port)
{
    const char *dot = strrchr(end, '.');
    g_autofree char *part = g_strndup(end, dot != NULL ? (size_t)(dot - end) : 0);
    IovModel *model = iov_harness_find(harness, part);
    GError *error = NULL;

    IOV_REQUIRE(model != NULL); /* the end of a wire is "part.port" */
    if (!iov_model_prepare(model, &error))
        give_up(error);
    *ret_port = dot + 1;
    return model;
}

void iov_harness_wire(struct iov_harness *harness, const char *from, const char *to, int64_t at)
{
    const char *port, *peer_port;
    IovModel *part = wire_end(harness, from, &port);
    IovModel *peer = wire_end(harness, to, &peer_port);
    GError *error = NULL;

    if (!iov_model_wire(part, port, peer, peer_port, at >= 0, at >= 0 ? (uint64_t)at : 0, &error))
        give_up(error);
}

struct iov_fake_mem *iov_harness_mem(struct iov_harness *harness, const char *port, unsigned at)
{
    return fake_at(harness, port, IOV_PORT_MEM, at)->mem;
}

struct iov_fake_irq *iov_harness_irq(struct iov_harness *harness, const char *port, unsigned at)
{
    return fake_at(harness, port, IOV_PORT_IRQ, at)->irq;
}

struct iov_fake_packet *iov_harness_packet(struct iov_harness *harness, const char *port,
                                           unsigned at)
{
    return fake_at(harness, port, IOV_PORT_PACKET, at)->packet;
}

struct iov_fake_notify *iov_harness_notify(struct iov_harness *harness, const char *port,
                                           unsigned at)
{
    return fake_at(harness, port, IOV_PORT_NOTIFY, at)->notify;
}

struct iov_fake_block *iov_harness_block(struct iov_harness *harness, const char *port, unsigned at)
{
    return fake_at(harness, port, IOV_PORT_BLOCK, at)->block;
}

/* ---- Driving ---- */

enum iov_status iov_harness_access(struct iov_harness *harness, const char *port, bool write,
                                   struct iov_mem_req *req)
{
    struct iov_mem_initiator initiator = { .peer = target_at(harness, port, IOV_PORT_MEM, 0) };

    return write ? iov_mem_write_req(&initiator, req) : iov_mem_read_req(&initiator, req);
}

uint64_t iov_harness_read(struct iov_harness *harness, const char *port, uint64_t address,
                          uint32_t size)
{
    uint64_t value = 0;
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    IOV_REQUIRE(size >= 1 && size <= sizeof value);
    iov_harness_access(harness, port, false, &req);
    return value;
}

void iov_harness_write(struct iov_harness *harness, const char *port, uint64_t address,
                       uint32_t size, uint64_t value)
{
    struct iov_mem_req req = {
        .address = address, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };

    IOV_REQUIRE(size >= 1 && size <= sizeof value);
    iov_harness_access(harness, port, true, &req);
}

void iov_harness_drive(struct iov_harness *harness, const char *port, unsigned at, bool level,
                       struct iov_span *span)
{
    struct iov_irq_sink *sink = target_at(harness, port, IOV_PORT_IRQ, at);
    IovModel *model;
    const struct iov_port *row = find_port(harness, port, IOV_PORT_IRQ, true, &model);
    struct harness_peer *peer = find_peer(harness, model, row, at);

    if (peer == NULL) {
        peer = add_peer(harness, model, row, at);
        peer->source = g_new0(struct iov_irq_source, 1);
        peer->source->peer = sink;
    }
    iov_irq_set(peer->source, level, span);
}

void iov_harness_signal(struct iov_harness *harness, const char *port, unsigned at,
                        struct iov_span *span)
{
    struct iov_notify_source source = { .peer = target_at(harness, port, IOV_PORT_NOTIFY, at) };

    iov_notify_signal(&source, span);
}

iov_time iov_harness_inject(struct iov_harness *harness, const char *port, const void *data,
                            uint32_t size, struct iov_span *span)
{
    return iov_fake_packet_inject(iov_harness_packet(harness, port, 0), data, size, span);
}

void iov_harness_submit(struct iov_harness *harness, const char *port, struct iov_block_req *req)
{
    struct iov_block_target *target = target_at(harness, port, IOV_PORT_BLOCK, 0);

    target->ops->submit(target, req);
}

/* ---- What the model says ---- */

uint64_t iov_harness_stat(struct iov_harness *harness, const char *name)
{
    IovModelClass *klass = IOV_MODEL_GET_CLASS(harness->model);
    const GArray *stats = klass->info->stats;

    if (klass->update_statistics != NULL)
        klass->update_statistics(harness->model);
    for (unsigned i = 0; i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);
        const void *field = G_STRUCT_MEMBER_P(harness->model, row->offset);

        if (strcmp(row->name, name) != 0)
            continue;
        if (row->type == IOV_STAT_TYPE_HISTOGRAM)
            return iov_histogram_count(*(struct iov_histogram *const *)field);
        return *(const uint64_t *)field;
    }
    iov_require_failed("the statistic exists", __FILE__, __LINE__, name);
}
