/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msi-router - takes interrupt messages to local APICs.
 *
 * A message is a DWORD written to 0xFEEx_xxxx. The router decodes address and data, and hands the
 * vector to every local APIC that the destination addresses (fixed), or to the one of them with the
 * lowest task priority (lowest priority, or a redirection hint in logical mode; equal ones take
 * turns). The APICs are those of the parts in `cpus`: processors, or any part with an `apic`.
 *
 * Port `port` is the window of 1 MiB at 0xFEE0_0000. Port `extended` takes a whole 64-bit message
 * address and is where interrupt remapping delivers: bits 63:40 hold destination bits 31:8, as in
 * VT-d's own fault event (upper address register). Timing: as hardware, the cost interrupt-message
 * after the write arrives; as software, in the same instant. LIMIT: SMI, NMI, INIT and ExtINT
 * messages are counted and dropped.
 */
#include "core/object/model.h"
#include "core/trace/measure.h"
#include "models/irq/ioapic-regs.h"

#define IOV_TYPE_MSI_ROUTER (iov_msi_router_get_type())
G_DECLARE_FINAL_TYPE(IovMsiRouter, iov_msi_router, IOV, MSI_ROUTER, IovModel)

/* A local APIC that messages may address. A processor's is looked up when needed: it may be
 * realized later. */
struct destination {
    struct iov_processor *processor;
    struct iov_apic *apic;
};

struct message {
    struct iov_event event;
    IovMsiRouter *router;
    struct message *next, *prev; /* of those on their way */
    struct iov_span *span;
    uint32_t destination;
    uint16_t data;
    bool logical;
    bool redirect;
};

struct _IovMsiRouter {
    IovModel parent_instance;
    struct iov_model_list cpus;     /* property */
    int placement;                  /* property */
    bool extended_id;               /* property */
    iov_time latency;               /* cost */
    struct iov_mem_target port;     /* port */
    struct iov_mem_target extended; /* port */
    struct destination *destinations;
    unsigned count;
    unsigned turn; /* after whom the search for the lowest priority begins */
    struct iov_pool *pool;
    struct message *flying;
    uint64_t messages, merged, unaddressed, unsupported; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovMsiRouter, iov_msi_router, IOV_TYPE_MODEL)

enum { PLACEMENT_HARDWARE, PLACEMENT_SOFTWARE };
static const char *const placements[] = { "hardware", "software", NULL };

static struct iov_apic *apic_of(const IovMsiRouter *self, unsigned index)
{
    const struct destination *destination = &self->destinations[index];

    return destination->processor != NULL ? destination->processor->apic : destination->apic;
}

static void apic_accept(IovMsiRouter *self, struct iov_apic *apic, const struct message *message)
{
    if (!apic->ops->accept(apic, message->data & MSI_DATA_VECTOR, message->data & MSI_DATA_LEVEL,
                           message->span))
        self->merged++;
}

/* To the addressed APIC with the lowest task priority; equal ones take turns. */
static bool deliver_lowest(IovMsiRouter *self, const struct message *message)
{
    struct iov_apic *best = NULL;
    unsigned best_index = 0;
    uint64_t best_priority = 0;

    for (unsigned i = 1; i <= self->count; i++) {
        unsigned index = (self->turn + i) % self->count;
        struct iov_apic *apic = apic_of(self, index);
        uint64_t priority = 0;

        if (apic == NULL || !apic->ops->addressed(apic, message->destination, message->logical))
            continue;
        apic->ops->read(apic, 0x80, &priority); /* TPR */
        if (best == NULL || priority < best_priority) {
            best = apic;
            best_index = index;
            best_priority = priority;
        }
    }
    if (best == NULL)
        return false;
    self->turn = best_index;
    apic_accept(self, best, message);
    return true;
}

static bool deliver_fixed(IovMsiRouter *self, const struct message *message)
{
    bool addressed = false;

    for (unsigned i = 0; i < self->count; i++) {
        struct iov_apic *apic = apic_of(self, i);

        if (apic != NULL && apic->ops->addressed(apic, message->destination, message->logical)) {
            addressed = true;
            apic_accept(self, apic, message);
        }
    }
    return addressed;
}

static void deliver(IovMsiRouter *self, const struct message *message)
{
    unsigned mode = message->data >> MSI_DATA_MODE_SHIFT & 7;
    bool addressed;

    self->messages++;
    if ((mode != IRQ_MODE_FIXED && mode != IRQ_MODE_LOWEST) ||
        (message->data & MSI_DATA_VECTOR) < 16) {
        self->unsupported++;
        return;
    }
    if (mode == IRQ_MODE_LOWEST || (message->redirect && message->logical))
        addressed = deliver_lowest(self, message);
    else
        addressed = deliver_fixed(self, message);
    if (!addressed)
        self->unaddressed++;
}

static void on_arrival(struct iov_event *event)
{
    struct message *message = iov_container_of(event, struct message, event);
    IovMsiRouter *self = message->router;

    if (message->prev != NULL)
        message->prev->next = message->next;
    else
        self->flying = message->next;
    if (message->next != NULL)
        message->next->prev = message->prev;
    deliver(self, message);
    iov_pool_give(self->pool, message);
}

/* `address` is the whole 64-bit address of the message. */
static enum iov_status message_write(IovMsiRouter *self, uint64_t address,
                                     const struct iov_mem_req *req)
{
    struct message message = {
        .router = self,
        .span = req->span,
        .destination = (address >> MSI_ADDRESS_DESTINATION_SHIFT & 0xff) | (uint32_t)(address >> 40)
                                                                               << 8,
        .data = (uint16_t)iov_mem_value(req),
        .logical = address & MSI_ADDRESS_LOGICAL,
        .redirect = address & MSI_ADDRESS_REDIRECTION,
    };
    iov_time delay = req->delay;
    struct iov_measure *measure = self->parent_instance.run->measure;
    struct message *flying;

    if (req->size != 4 || address & 3) {
        self->unsupported++;
        return IOV_STATUS_UNSUPPORTED;
    }
    if (self->extended_id)
        message.destination |= (uint32_t)(address >> MSI_ADDRESS_EXTENDED_SHIFT & 0x7f) << 8;
    /* SPEC: SDM vol. 3A, 11.11.2: level-triggered messages with the assert bit clear mean
     * nothing. */
    if (message.data & MSI_DATA_LEVEL && !(message.data & MSI_DATA_ASSERT))
        return IOV_STATUS_OK;
    if (self->placement == PLACEMENT_HARDWARE)
        delay += self->latency;
    if (req->requester != 0 && measure != NULL)
        iov_interrupt_routed(measure->interrupts, req->requester, req->delay, delay - req->delay,
                             iov_now(self->parent_instance.kernel) + delay);
    if (delay == 0) {
        deliver(self, &message);
        return IOV_STATUS_OK;
    }
    flying = iov_pool_take(self->pool);
    *flying = message;
    flying->next = self->flying;
    if (flying->next != NULL)
        flying->next->prev = flying;
    self->flying = flying;
    iov_event_init(&flying->event, self->parent_instance.kernel, on_arrival, IOV_PRIORITY_DEFAULT);
    iov_event_in(&flying->event, delay);
    return IOV_STATUS_OK;
}

static enum iov_status router_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static enum iov_status window_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovMsiRouter *self = iov_container_of(port, IovMsiRouter, port);

    return message_write(self, MSI_BASE | (req->address & (MSI_SIZE - 1)), req);
}

static enum iov_status extended_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return message_write(iov_container_of(port, IovMsiRouter, extended), req->address, req);
}

static const struct iov_mem_target_ops window_ops = { .read = router_read, .write = window_write };
static const struct iov_mem_target_ops extended_ops = { .read = router_read,
                                                        .write = extended_write };

/* ---- Life ---- */

static bool iov_msi_router_realize(IovModel *model, GError **error)
{
    IovMsiRouter *self = (IovMsiRouter *)(void *)model;

    self->count = self->cpus.count;
    self->destinations = g_new0(struct destination, self->count);
    for (unsigned i = 0; i < self->count; i++) {
        IovModel *cpu = self->cpus.items[i];

        if (iov_model_find_port(cpu, "processor") != NULL)
            self->destinations[i].processor = iov_model_port(cpu, "processor", 0);
        else if (iov_model_find_port(cpu, "apic") != NULL)
            self->destinations[i].apic = iov_model_port(cpu, "apic", 0);
        else
            return iov_model_fail(model, error,
                                  "cpus: '%s' is neither a processor nor a local APIC", cpu->path);
    }
    if (self->count > 0)
        self->turn = self->count - 1;
    return true;
}

static void iov_msi_router_unrealize(IovModel *model)
{
    IovMsiRouter *self = (IovMsiRouter *)(void *)model;

    for (struct message *message = self->flying; message != NULL; message = message->next)
        iov_event_disarm(&message->event);
    self->flying = NULL;
    g_clear_pointer(&self->destinations, g_free);
    self->count = 0;
}

static void iov_msi_router_finalize(GObject *object)
{
    IovMsiRouter *self = (IovMsiRouter *)(void *)object;

    g_free(self->destinations);
    iov_pool_free(self->pool);
    G_OBJECT_CLASS(iov_msi_router_parent_class)->finalize(object);
}

static void iov_msi_router_class_init(IovMsiRouterClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "msi-router", "Takes interrupt messages to local APICs");
    IOV_PROP_REF_LIST(mc, IovMsiRouter, cpus, NULL, false,
                      "Processors, or parts with a local APIC");
    IOV_PROP_ENUM(mc, IovMsiRouter, placement, placements, PLACEMENT_HARDWARE,
                  "hardware: messages take time; software: they arrive in the same instant");
    IOV_PROP_BOOL(mc, IovMsiRouter, extended_id, false,
                  "Address bits 11:5 hold destination bits 14:8, as monitors define it without "
                  "interrupt remapping");
    IOV_COST(mc, IovMsiRouter, latency, "interrupt-message",
             "From the root complex to the local APIC");
    IOV_PORT_MEM_TARGET(mc, IovMsiRouter, port, &window_ops, "The window at 0xFEE00000");
    IOV_PORT_MEM_TARGET(mc, IovMsiRouter, extended, &extended_ops,
                        "Whole message addresses, 32-bit destinations");
    IOV_STAT(mc, IovMsiRouter, messages, "Interrupt messages");
    IOV_STAT(mc, IovMsiRouter, merged, "Accepted while the same vector was pending");
    IOV_STAT(mc, IovMsiRouter, unaddressed, "Messages that addressed no local APIC");
    IOV_STAT(mc, IovMsiRouter, unsupported, "Messages of a form that is not delivered");
    mc->realize = iov_msi_router_realize;
    mc->unrealize = iov_msi_router_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_msi_router_finalize;
}

static void iov_msi_router_init(IovMsiRouter *self)
{
    self->port.size = MSI_SIZE;
    self->pool = iov_pool_new(sizeof(struct message));
}
