/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for device tests: a run with its kernel, a cost table the test fills, and small fakes for
 * the ports of a device: an interrupt line that records, an end of a cable that keeps its frames, a
 * memory target that records accesses. Everything here ends the test if it fails.
 */
#ifndef IOV_TESTS_MODELS_BENCH_H
#define IOV_TESTS_MODELS_BENCH_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/object/model.h"
#include "core/trace/measure.h"

struct bench_cost {
    const char *name;
    iov_time value;
};

struct bench {
    struct iov_cost_table table;
    struct iov_run run;
    const struct bench_cost *costs; /* ends with a NULL name; costs that are not listed are zero */
    GPtrArray *parts;
};

static inline bool bench_lookup(struct iov_cost_table *table, const char *name, const char *kind,
                                iov_time *ret_cost, GError **error)
{
    struct bench *bench = iov_container_of(table, struct bench, table);

    (void)kind;
    (void)error;
    *ret_cost = 0;
    for (const struct bench_cost *cost = bench->costs; cost != NULL && cost->name != NULL; cost++) {
        if (strcmp(cost->name, name) == 0)
            *ret_cost = cost->value;
    }
    return true;
}

static inline struct bench *bench_new(const struct bench_cost *costs)
{
    struct bench *bench = g_new0(struct bench, 1);

    bench->table.lookup = bench_lookup;
    bench->costs = costs;
    bench->run.kernel = iov_kernel_new();
    bench->run.seed = 1;
    bench->run.measure = iov_measure_new(bench->run.kernel);
    bench->run.costs = &bench->table;
    bench->parts = g_ptr_array_new();
    return bench;
}

static inline IovModel *bench_add(struct bench *bench, const char *kind, const char *path)
{
    GError *error = NULL;
    IovModel *model = iov_model_new(kind, path, &bench->run, &error);

    cr_assert(ne(ptr, model, NULL), "%s", error != NULL ? error->message : "");
    g_ptr_array_add(bench->parts, model);
    return model;
}

static inline void bench_number(IovModel *model, const char *name, uint64_t value)
{
    GError *error = NULL;

    cr_assert(iov_model_set_number(model, name, value, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void bench_string(IovModel *model, const char *name, const char *value)
{
    GError *error = NULL;

    cr_assert(iov_model_set_string(model, name, value, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void bench_prepare(struct bench *bench)
{
    for (unsigned i = 0; i < bench->parts->len; i++)
        cr_assert(iov_model_prepare(g_ptr_array_index(bench->parts, i), NULL));
}

static inline void bench_wire(IovModel *a, const char *port_a, IovModel *b, const char *port_b)
{
    GError *error = NULL;

    cr_assert(iov_model_wire(a, port_a, b, port_b, false, 0, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void bench_wire_at(IovModel *a, const char *port_a, IovModel *b, const char *port_b,
                                 uint64_t at)
{
    GError *error = NULL;

    cr_assert(iov_model_wire(a, port_a, b, port_b, true, at, &error), "%s",
              error != NULL ? error->message : "");
}

static inline void bench_start(struct bench *bench)
{
    GError *error = NULL;

    for (unsigned i = 0; i < bench->parts->len; i++)
        cr_assert(iov_model_realize(g_ptr_array_index(bench->parts, i), &error), "%s",
                  error != NULL ? error->message : "");
    for (unsigned i = 0; i < bench->parts->len; i++)
        iov_model_start(g_ptr_array_index(bench->parts, i));
}

static inline void bench_free(struct bench *bench)
{
    for (unsigned i = bench->parts->len; i > 0; i--)
        iov_model_unrealize(g_ptr_array_index(bench->parts, i - 1));
    for (unsigned i = bench->parts->len; i > 0; i--)
        g_object_unref(g_ptr_array_index(bench->parts, i - 1));
    g_ptr_array_free(bench->parts, TRUE);
    iov_measure_free(bench->run.measure);
    iov_kernel_free(bench->run.kernel);
    g_free(bench);
}

static inline uint64_t bench_stat(IovModel *model, const char *name)
{
    const GArray *stats = IOV_MODEL_GET_CLASS(model)->info->stats;

    if (IOV_MODEL_GET_CLASS(model)->update_statistics != NULL)
        IOV_MODEL_GET_CLASS(model)->update_statistics(model);
    for (unsigned i = 0; i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

        if (strcmp(row->name, name) == 0)
            return *(uint64_t *)G_STRUCT_MEMBER_P(model, row->offset);
    }
    cr_fail("no statistic '%s'", name);
    return 0;
}

/* ---- Memory requests ---- */

static inline struct iov_mem_req bench_req(uint64_t address, void *data, uint32_t size)
{
    return (struct iov_mem_req){
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };
}

static inline uint64_t bench_read(struct iov_mem_target *target, uint64_t address, uint32_t size)
{
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(address, &value, size);

    if (target->ops->read(target, &req) != IOV_STATUS_OK)
        return UINT64_MAX >> (64 - 8 * size);
    return value;
}

static inline void bench_write(struct iov_mem_target *target, uint64_t address, uint32_t size,
                               uint64_t value)
{
    struct iov_mem_req req = bench_req(address, &value, size);

    target->ops->write(target, &req);
}

/* ---- A target that records what is written to it ---- */

struct bench_record {
    uint64_t address;
    uint64_t value;
    uint32_t size;
    iov_time delay;
    struct iov_span *span;
};

struct bench_recorder {
    struct iov_mem_target port;
    struct bench_record records[64];
    unsigned count;
};

static inline enum iov_status bench_recorder_read(struct iov_mem_target *port,
                                                  struct iov_mem_req *req)
{
    (void)port;
    memset(req->data, 0, req->size);
    return IOV_STATUS_OK;
}

static inline enum iov_status bench_recorder_write(struct iov_mem_target *port,
                                                   struct iov_mem_req *req)
{
    struct bench_recorder *self = iov_container_of(port, struct bench_recorder, port);

    if (self->count < G_N_ELEMENTS(self->records))
        self->records[self->count] = (struct bench_record){ .address = req->address,
                                                            .value = iov_mem_value(req),
                                                            .size = req->size,
                                                            .delay = req->delay,
                                                            .span = req->span };
    self->count++;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops bench_recorder_ops = {
    .read = bench_recorder_read,
    .write = bench_recorder_write,
};

/* ---- An interrupt line that records ---- */

struct bench_line {
    struct iov_irq_sink sink;
    bool level;
    unsigned rises;
    iov_time last; /* when it last rose */
    struct iov_span *span;
    struct iov_kernel *kernel;
};

static inline void bench_line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct bench_line *self = iov_container_of(sink, struct bench_line, sink);

    self->level = level;
    if (level) {
        self->rises++;
        self->span = span;
        self->last = iov_now(self->kernel);
    }
}

static const struct iov_irq_sink_ops bench_line_ops = { .set = bench_line_set };

static inline void bench_line_connect(struct bench *bench, struct bench_line *line, IovModel *model,
                                      const char *port)
{
    struct iov_irq_source *source = iov_model_port(model, port, 0);

    *line = (struct bench_line){ .sink.ops = &bench_line_ops, .kernel = bench->run.kernel };
    source->peer = &line->sink;
}

/* ---- An end of a cable that keeps what it gets ---- */

struct bench_end {
    struct iov_packet_port port;
    struct iov_packet_pool *pool;
    struct iov_packet_queue queue;
    struct iov_kernel *kernel;
    iov_time busy; /* what it answers: time until it takes the next frame */
    iov_time last; /* when the last frame came */
};

static inline iov_time bench_end_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct bench_end *self = iov_container_of(port, struct bench_end, port);

    self->last = iov_now(self->kernel);
    iov_packet_queue_push(&self->queue, packet);
    return self->busy;
}

static const struct iov_packet_ops bench_end_ops = { .receive = bench_end_receive };

static inline void bench_end_connect(struct bench *bench, struct bench_end *end, IovModel *model,
                                     const char *port)
{
    struct iov_packet_port *peer = iov_model_port(model, port, 0);

    *end = (struct bench_end){ .port = { .ops = &bench_end_ops, .peer = peer },
                               .pool = iov_packet_pool_new(),
                               .kernel = bench->run.kernel };
    peer->peer = &end->port;
}

static inline void bench_end_free(struct bench_end *end)
{
    iov_packet_queue_clear(&end->queue);
    iov_packet_pool_unref(end->pool, NULL);
}

static inline struct iov_packet *bench_end_frame(struct bench_end *end, const void *data,
                                                 uint32_t size)
{
    struct iov_packet *packet = iov_packet_new(end->pool, size);

    memcpy(packet->data, data, size);
    return packet;
}

#endif
