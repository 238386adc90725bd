/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tlm-target - the place of a foreign SystemC module in a platform: a window of addresses that its
 * TLM-2.0 target answers, DMA that its initiator masters with a requester ID of its own, and an
 * interrupt line.
 *
 * The part has no behaviour and no time of its own: a host in SystemC (bindings/systemc) is found
 * through the contract `foreign` and answers, with the delay that b_transport annotates. Without a
 * host the run ends at once with an error that says so.
 */
#include "core/object/model.h"

#define IOV_TYPE_TLM_TARGET (iov_tlm_target_get_type())
G_DECLARE_FINAL_TYPE(IovTlmTarget, iov_tlm_target, IOV, TLM_TARGET, IovModel)

enum { ERRORS_END_RUN, ERRORS_ANSWER };

struct _IovTlmTarget {
    IovModel parent_instance;
    uint64_t size, requester, outstanding; /* properties */
    iov_time quantum, timeout;             /* properties */
    bool dmi, waits;                       /* properties */
    int errors;                            /* property */
    struct iov_mem_target port;            /* port */
    struct iov_mem_initiator dma;          /* port */
    struct iov_irq_source interrupt;       /* port */
    struct iov_foreign foreign;            /* port */
    uint64_t reads, writes;                /* statistics; more in `foreign` */
};

G_DEFINE_FINAL_TYPE(IovTlmTarget, iov_tlm_target, IOV_TYPE_MODEL)

static const char *const error_names[] = { "end-run", "answer", NULL };

/* ---- Accesses ---- */

static bool lies_inside(const IovTlmTarget *self, const struct iov_mem_req *req)
{
    return req->address < self->size && req->size <= self->size - req->address;
}

static enum iov_status port_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovTlmTarget *self = iov_container_of(port, IovTlmTarget, port);
    struct iov_mem_target *outside = self->foreign.outside;

    if (outside == NULL || !lies_inside(self, req))
        return IOV_STATUS_UNSUPPORTED;
    if (!(req->flags & IOV_MEM_DEBUG))
        self->reads++;
    return outside->ops->read(outside, req);
}

static enum iov_status port_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovTlmTarget *self = iov_container_of(port, IovTlmTarget, port);
    struct iov_mem_target *outside = self->foreign.outside;

    if (outside == NULL || !lies_inside(self, req))
        return IOV_STATUS_UNSUPPORTED;
    if (!(req->flags & IOV_MEM_DEBUG))
        self->writes++;
    return outside->ops->write(outside, req);
}

/* Direct memory of the foreign side may be taken back at any time: nobody may keep a pointer into
 * it. */
static const struct iov_mem_target_ops port_ops = { .read = port_read, .write = port_write };

/* ---- Life ---- */

static bool iov_tlm_target_prepare(IovModel *model, GError **error)
{
    IovTlmTarget *self = (IovTlmTarget *)(void *)model;

    (void)error;
    self->port.size = self->size;
    self->foreign = (struct iov_foreign){
        .dma = &self->dma,
        .interrupt = &self->interrupt,
        .size = self->size,
        .requester = (uint16_t)self->requester,
        .outstanding = (uint16_t)self->outstanding,
        .dmi = self->dmi,
        .waits = self->waits,
        .strict = self->errors == ERRORS_END_RUN,
        .quantum = self->quantum,
        .timeout = self->timeout,
    };
    return true;
}

static void iov_tlm_target_start(IovModel *model)
{
    const IovTlmTarget *self = (IovTlmTarget *)(void *)model;
    g_autofree char *text = NULL;

    if (self->foreign.outside != NULL)
        return;
    text = g_strdup_printf("%s: a part of kind tlm-target needs a SystemC program around it that "
                           "binds a module to its socket; 'iovsim' alone has none "
                           "(iovsim::platform in bindings/systemc/platform.hpp)",
                           model->path);
    iov_kernel_fail(model->kernel, text);
}

static void foreign_statistic(IovModelClass *mc, const char *name, size_t offset, const char *text)
{
    iov_model_class_add_stat(mc, &(struct iov_stat){ .name = name,
                                                     .type = IOV_STAT_TYPE_COUNT,
                                                     .offset = (uint16_t)offset,
                                                     .text = text });
}

static void describe_properties(IovModelClass *mc)
{
    IOV_PROP_SIZE(mc, IovTlmTarget, size, 1, UINT64_C(1) << 48, 4096, "Bytes of its window");
    IOV_PROP_COUNT(mc, IovTlmTarget, requester, 0, 65535, 0,
                   "Requester ID of its DMA: bus, device, function");
    IOV_PROP_BOOL(mc, IovTlmTarget, dmi, true,
                  "Use direct memory (DMI) where the target grants it");
    IOV_PROP_BOOL(mc, IovTlmTarget, waits, false,
                  "The target may call wait(): accesses are made by SystemC threads");
    IOV_PROP_COUNT(mc, IovTlmTarget, outstanding, 1, 64, 4,
                   "With waits: accesses that may be in the target at once");
    IOV_PROP_TIME(mc, IovTlmTarget, timeout, IOV_NS, 100 * IOV_SEC, IOV_MS,
                  "With waits: a target that has not answered by then ends the run");
    IOV_PROP_TIME(mc, IovTlmTarget, quantum, 0, IOV_SEC, 0,
                  "How far iovsim may run ahead of SystemC's next activity; 0: not at all");
    IOV_PROP_ENUM(mc, IovTlmTarget, errors, error_names, ERRORS_END_RUN,
                  "An error response ends the run, or is the hardware's answer to the guest");
}

static void iov_tlm_target_class_init(IovTlmTargetClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "tlm-target", "A foreign SystemC module, by its TLM-2.0 sockets");
    describe_properties(mc);
    IOV_PORT_MEM_TARGET(mc, IovTlmTarget, port, &port_ops, "Its window: a TLM-2.0 target socket");
    IOV_PORT_MEM_INITIATOR(mc, IovTlmTarget, dma, "What its TLM-2.0 initiator socket masters");
    IOV_PORT_IRQ_SOURCE(mc, IovTlmTarget, interrupt, "Its interrupt: a signal");
    IOV_PORT_CONTRACT(mc, IovTlmTarget, foreign, IOV_PORT_FOREIGN, "For the host in SystemC");
    IOV_STAT(mc, IovTlmTarget, reads, "Reads of the window");
    IOV_STAT(mc, IovTlmTarget, writes, "Writes to the window");
    foreign_statistic(mc, "error-responses", G_STRUCT_OFFSET(IovTlmTarget, foreign.errors),
                      "Of these answered with an error");
    foreign_statistic(mc, "waited", G_STRUCT_OFFSET(IovTlmTarget, foreign.waited),
                      "Of these made by a thread, for a target that may wait");
    foreign_statistic(mc, "dmi-accesses", G_STRUCT_OFFSET(IovTlmTarget, foreign.dmi_accesses),
                      "Of these to direct memory");
    foreign_statistic(mc, "dmi-grants", G_STRUCT_OFFSET(IovTlmTarget, foreign.dmi_grants),
                      "Regions of direct memory granted");
    foreign_statistic(mc, "dmi-invalidations",
                      G_STRUCT_OFFSET(IovTlmTarget, foreign.dmi_invalidations),
                      "Regions taken back");
    mc->prepare = iov_tlm_target_prepare;
    mc->start = iov_tlm_target_start;
}

static void iov_tlm_target_init(IovTlmTarget *self)
{
    (void)self;
}
