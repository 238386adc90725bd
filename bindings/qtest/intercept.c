/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching interrupt wires: every change of a watched input or output becomes a line `IRQ raise N`
 * or `IRQ lower N`. A tap is put between each source and its sink; the wire works on as before. An
 * input that several sources share is high while one of them is. Lines count as low when watching
 * begins.
 */
#include <string.h>

#include "bindings/qtest/session.h"

/* One input or output that is watched. */
struct line {
    struct intercept *owner;
    unsigned number;
    unsigned high; /* taps */
};

/* On the wire of one source. */
struct tap {
    struct iov_irq_sink sink; /* in place of the peer */
    struct iov_irq_source *source;
    struct iov_irq_sink *peer; /* may be NULL */
    struct line *line;
    bool level;
};

struct intercept {
    struct session *session;
    GPtrArray *lines; /* struct line * */
    GPtrArray *taps;  /* struct tap * */
    IovModel *model;  /* whose they are, or NULL */
    bool outputs;
};

static void tell(const struct line *line, bool level)
{
    g_string_append_printf(line->owner->session->lines, "IRQ %s %u\n", level ? "raise" : "lower",
                           line->number);
}

static void tap_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct tap *tap = iov_container_of(sink, struct tap, sink);
    struct line *line = tap->line;

    if (tap->peer != NULL)
        tap->peer->ops->set(tap->peer, level, span);
    if (level == tap->level)
        return;
    tap->level = level;
    line->high += level ? 1u : -1u;
    if (line->high == (level ? 1 : 0))
        tell(line, level);
}

static const struct iov_irq_sink_ops tap_ops = { .set = tap_set };

static struct line *line_add(struct intercept *self, unsigned number)
{
    struct line *line = g_new0(struct line, 1);

    line->owner = self;
    line->number = number;
    g_ptr_array_add(self->lines, line);
    return line;
}

static void tap_add(struct intercept *self, struct iov_irq_source *source, struct line *line)
{
    struct tap *tap = g_new0(struct tap, 1);

    tap->sink.ops = &tap_ops;
    tap->source = source;
    tap->peer = source->peer;
    tap->line = line;
    source->peer = &tap->sink;
    g_ptr_array_add(self->taps, tap);
}

/* Calls `visit` for every irq port of a role. */
static void for_each_port(IovModel *model, enum iov_port_role role,
                          void (*visit)(struct intercept *self, void *port, void *context),
                          struct intercept *self, void *context)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(model)->info->ports;

    for (guint i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        if (row->type != IOV_PORT_IRQ || row->role != role)
            continue;
        for (unsigned at = 0; at < row->count; at++)
            visit(self, iov_model_port(model, row->name, at), context);
    }
    for (guint i = 0; i < model->children->len; i++)
        for_each_port(g_ptr_array_index(model->children, i), role, visit, self, context);
}

/* What leads to one sink. */
struct search {
    const struct iov_irq_sink *sink;
    struct line *line;
};

static void source_of_sink(struct intercept *self, void *port, void *context)
{
    const struct search *search = context;
    struct iov_irq_source *source = port;

    if (source->peer == search->sink)
        tap_add(self, source, search->line);
}

static void watch_input(struct intercept *self, void *port, void *context)
{
    const struct machine *machine = self->session->machine;
    unsigned *number = context;
    struct search search = { port, line_add(self, (*number)++) };

    for (unsigned i = 0; i < iov_platform_count(machine->platform); i++)
        for_each_port(iov_platform_at(machine->platform, i), IOV_PORT_INITIATOR, source_of_sink,
                      self, &search);
    for (guint i = 0; i < machine->devices->len; i++) {
        const struct device *device = g_ptr_array_index(machine->devices, i);

        if (device->hot != NULL)
            for_each_port(device->hot, IOV_PORT_INITIATOR, source_of_sink, self, &search);
    }
}

static void watch_output(struct intercept *self, void *port, void *context)
{
    unsigned *number = context;

    tap_add(self, port, line_add(self, (*number)++));
}

const char *intercept_begin(struct intercept *self, const char *path, bool outputs)
{
    IovModel *model = machine_find(self->session->machine, path);
    unsigned number = 0;

    if (model == NULL)
        return "Unknown device";
    if (self->model != NULL)
        return self->model == model && self->outputs == outputs ? NULL
                                                                : "IRQ intercept already enabled";
    self->model = model;
    self->outputs = outputs;
    if (outputs)
        for_each_port(model, IOV_PORT_INITIATOR, watch_output, self, &number);
    else
        for_each_port(model, IOV_PORT_TARGET, watch_input, self, &number);
    return NULL;
}

struct intercept *intercept_new(struct session *session)
{
    struct intercept *self = g_new0(struct intercept, 1);

    self->session = session;
    self->lines = g_ptr_array_new_with_free_func(g_free);
    self->taps = g_ptr_array_new_with_free_func(g_free);
    return self;
}

void intercept_free(struct intercept *self)
{
    if (self == NULL)
        return;
    g_ptr_array_unref(self->taps);
    g_ptr_array_unref(self->lines);
    g_free(self);
}
