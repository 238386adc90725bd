/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invalidation of the VT-d model, by registers and by the queue in memory.
 *
 *   idle --tail written--> fetch, do, take its time (queue_event) --> next ... head = tail --> idle
 *   bad descriptor: IQE, head stays on it; software repairs, clears IQE, and it is fetched again.
 *
 * Bytes move in the call, so a request is over when an invalidation begins: drain has nothing to
 * wait for. Device-TLB invalidations are counted and complete. Descriptors have 128 bits or, with
 * IQA.DW, 256; scalable mode takes the latter only. LIMIT: no page group responses.
 */
#include "models/iommu/vtd-private.h"

/* ---- Registers ---- */

static unsigned done_context(IovVtd *self)
{
    unsigned granularity = self->ccmd >> VTD_CCMD_CIRG_SHIFT & 3;

    switch (granularity) {
    case VTD_GRANULARITY_GLOBAL:
    case VTD_GRANULARITY_DOMAIN: /* SPEC: hardware may do more than it is asked for, and says so */
        vtd_drop_contexts(self);
        return VTD_GRANULARITY_GLOBAL;
    case VTD_GRANULARITY_SELECTIVE:
        vtd_drop_device(self, (uint16_t)(self->ccmd >> VTD_CCMD_SID_SHIFT),
                        self->ccmd >> VTD_CCMD_FM_SHIFT & 3);
        return granularity;
    default:
        return 0; /* reserved: ignored, and reported so */
    }
}

static void context_done(IovVtd *self)
{
    uint64_t done = done_context(self);

    self->invalidations_context++;
    self->ccmd =
        (self->ccmd & ~(VTD_CCMD_ICC | 3ull << VTD_CCMD_CAIG_SHIFT)) | done << VTD_CCMD_CAIG_SHIFT;
}

static unsigned done_iotlb(IovVtd *self)
{
    unsigned granularity = self->iotlb_command >> VTD_IOTLB_IIRG_SHIFT & 3;
    uint16_t domain = (uint16_t)(self->iotlb_command >> VTD_IOTLB_DID_SHIFT);

    switch (granularity) {
    case VTD_GRANULARITY_GLOBAL:
        vtd_drop_translations(self);
        return granularity;
    case VTD_GRANULARITY_DOMAIN:
        vtd_drop_domain(self, domain);
        return granularity;
    case VTD_GRANULARITY_SELECTIVE:
        if ((self->iva & VTD_IVA_AM) > VTD_MAMV)
            return 0;
        vtd_drop_pages(self, domain, self->iva & ~0xfffull, self->iva & VTD_IVA_AM,
                       self->iva & VTD_IVA_IH);
        return granularity;
    default:
        return 0;
    }
}

static void iotlb_done(IovVtd *self)
{
    uint64_t done = done_iotlb(self);

    self->invalidations_iotlb++;
    self->iotlb_command = (self->iotlb_command & ~(VTD_IOTLB_IVT | 3ull << VTD_IOTLB_IAIG_SHIFT)) |
                          done << VTD_IOTLB_IAIG_SHIFT;
}

static void on_context_done(struct iov_event *event)
{
    context_done(iov_container_of(event, IovVtd, context_event));
}

static void on_iotlb_done(struct iov_event *event)
{
    iotlb_done(iov_container_of(event, IovVtd, iotlb_event));
}

/* Without a cost a command is done when the write is: nobody has to step time. */
void vtd_context_command(IovVtd *self)
{
    if (self->invalidation == 0)
        context_done(self);
    else if (!iov_event_armed(&self->context_event))
        iov_event_in(&self->context_event, self->invalidation);
}

void vtd_iotlb_command(IovVtd *self)
{
    if (self->invalidation == 0)
        iotlb_done(self);
    else if (!iov_event_armed(&self->iotlb_event))
        iov_event_in(&self->iotlb_event, self->invalidation);
}

/* ---- Completion event ---- */

static void completion_send(IovVtd *self)
{
    self->iectl &= ~VTD_EVENT_IP;
    vtd_message_send(self, (uint64_t)self->ieuaddr << 32 | self->ieaddr, self->iedata, 0, 0, NULL);
}

static void completion_raise(IovVtd *self)
{
    if (self->ics & VTD_ICS_IWC)
        return;
    self->ics |= VTD_ICS_IWC;
    self->iectl |= VTD_EVENT_IP;
    if (!(self->iectl & VTD_EVENT_IM))
        completion_send(self);
}

void vtd_completion_control_write(IovVtd *self, uint32_t value)
{
    self->iectl = (self->iectl & VTD_EVENT_IP) | (value & VTD_EVENT_IM);
    if (self->iectl == VTD_EVENT_IP)
        completion_send(self);
}

void vtd_completion_status_write(IovVtd *self, uint32_t value)
{
    self->ics &= ~(value & VTD_ICS_IWC);
    if (self->ics == 0)
        self->iectl &= ~VTD_EVENT_IP;
}

/* ---- Descriptors: false if one is malformed ---- */

static bool do_context(IovVtd *self, uint64_t low, uint64_t high)
{
    uint16_t source = (uint16_t)(low >> VTD_INV_SID_SHIFT);

    if (low & 0xfffc00000000f1c0ull || high != 0)
        return false;
    switch (low >> VTD_INV_GRANULARITY_SHIFT & 3) {
    case VTD_GRANULARITY_GLOBAL:
    case VTD_GRANULARITY_DOMAIN:
        vtd_drop_contexts(self);
        break;
    case VTD_GRANULARITY_SELECTIVE:
        vtd_drop_device(self, source, low >> VTD_INV_FM_SHIFT & 3);
        break;
    default:
        return false;
    }
    self->invalidations_context++;
    return true;
}

static bool do_iotlb(IovVtd *self, uint64_t low, uint64_t high)
{
    uint16_t domain = (uint16_t)(low >> VTD_INV_DID_SHIFT);

    if (low & 0xffffffff0000f100ull || high & 0xf80ull)
        return false;
    switch (low >> VTD_INV_GRANULARITY_SHIFT & 3) {
    case VTD_GRANULARITY_GLOBAL:
        vtd_drop_translations(self);
        break;
    case VTD_GRANULARITY_DOMAIN:
        vtd_drop_domain(self, domain);
        break;
    case VTD_GRANULARITY_SELECTIVE:
        if ((high & VTD_IVA_AM) > VTD_MAMV)
            return false;
        vtd_drop_pages(self, domain, high & ~0xfffull, high & VTD_IVA_AM, high & VTD_IVA_IH);
        break;
    default:
        return false;
    }
    self->invalidations_iotlb++;
    return true;
}

static bool do_device(IovVtd *self, uint64_t low, uint64_t high)
{
    if (!self->device_iotlb || low & 0xffff0000ffe0f1f0ull || high & 0xffeull)
        return false;
    self->invalidations_device++;
    return true;
}

static bool do_interrupt(IovVtd *self, uint64_t low, uint64_t high)
{
    unsigned mask = low >> VTD_INV_IEC_IM_SHIFT & 0x1f;

    if (!self->intremap || low & 0xffff000007fff1e0ull || high != 0)
        return false;
    if (!(low & VTD_INV_IEC_INDEX))
        vtd_drop_interrupts(self, 0, 16);
    else if (mask <= VTD_MHMV)
        vtd_drop_interrupts(self, (uint16_t)(low >> VTD_INV_IEC_IIDX_SHIFT), mask);
    else
        return false;
    self->invalidations_interrupt++;
    return true;
}

static bool do_wait(IovVtd *self, uint64_t low, uint64_t high)
{
    uint32_t data = (uint32_t)(low >> 32);

    if (low & 0xfffff180ull || high & 3)
        return false;
    if (low & VTD_INV_WAIT_SW) {
        struct iov_mem_req req = {
            .address = high, .data = &data, .size = sizeof data, .pasid = IOV_NO_PASID
        };

        iov_mem_write_req(&self->bus, &req);
    }
    if (low & VTD_INV_WAIT_IF)
        completion_raise(self);
    self->waits++;
    return true;
}

#define PASID_DESCRIPTOR_RESERVED 0xfff000000000f1c0ull

static uint32_t descriptor_pasid(uint64_t low)
{
    return (uint32_t)(low >> VTD_INV_PASID_SHIFT & VTD_SM_CONTEXT_RID_PASID);
}

static bool do_pasid_cache(IovVtd *self, uint64_t low, uint64_t high)
{
    uint16_t domain = (uint16_t)(low >> VTD_INV_DID_SHIFT);

    if (low & PASID_DESCRIPTOR_RESERVED || high != 0)
        return false;
    switch (low >> VTD_INV_GRANULARITY_SHIFT & 3) {
    case VTD_PASID_CACHE_DOMAIN:
        vtd_drop_pasids_of(self, domain);
        break;
    case VTD_PASID_CACHE_SELECTIVE:
        vtd_drop_pasid(self, domain, descriptor_pasid(low));
        break;
    case VTD_PASID_CACHE_GLOBAL:
        vtd_drop_pasids(self);
        break;
    default:
        return false;
    }
    self->invalidations_pasid++;
    return true;
}

/* SPEC: with G PASID-selective second stages of the PASID go as well: here they are known by
 * domain, and more goes than was asked for. */
static bool do_pasid_iotlb(IovVtd *self, uint64_t low, uint64_t high)
{
    uint16_t domain = (uint16_t)(low >> VTD_INV_DID_SHIFT);

    if (low & PASID_DESCRIPTOR_RESERVED || high & 0xf80ull)
        return false;
    switch (low >> VTD_INV_GRANULARITY_SHIFT & 3) {
    case VTD_GRANULARITY_DOMAIN: /* PASID-selective */
        vtd_drop_domain(self, domain);
        break;
    case VTD_GRANULARITY_SELECTIVE:
        if ((high & VTD_IVA_AM) > VTD_MAMV)
            return false;
        vtd_drop_first(self, domain, descriptor_pasid(low), high & ~0xfffull, high & VTD_IVA_AM);
        break;
    default:
        return false;
    }
    self->invalidations_iotlb++;
    return true;
}

/* SPEC: 6.5.2.11, which descriptors are valid in which mode. */
static bool do_wide(IovVtd *self, uint64_t low, uint64_t high)
{
    switch (low & VTD_INV_TYPE) {
    case VTD_INV_PASID_IOTLB:
        return do_pasid_iotlb(self, low, high);
    case VTD_INV_PASID_CACHE:
        return do_pasid_cache(self, low, high);
    case VTD_INV_PASID_DEVICE_TLB:
        self->invalidations_device += self->device_iotlb;
        return self->device_iotlb;
    default:
        return false;
    }
}

static bool do_descriptor(IovVtd *self, uint64_t low, uint64_t high)
{
    if (self->scalable && !self->wide)
        return false;
    switch (low & VTD_INV_TYPE) {
    case VTD_INV_CONTEXT:
        return do_context(self, low, high);
    case VTD_INV_IOTLB:
        return do_iotlb(self, low, high);
    case VTD_INV_DEVICE_TLB:
        return do_device(self, low, high);
    case VTD_INV_IEC:
        return do_interrupt(self, low, high);
    case VTD_INV_WAIT:
        return do_wait(self, low, high);
    default:
        return self->scalable && do_wide(self, low, high);
    }
}

/* ---- Queue ---- */

static bool queue_open(const IovVtd *self)
{
    return self->gsts & VTD_G_QIE && !(self->fsts & VTD_FSTS_IQE);
}

static unsigned descriptor_size(const IovVtd *self)
{
    return self->wide ? 32 : 16;
}

/* Fetches and does the descriptor at the head; false if the queue stops. */
static bool head_do(IovVtd *self, iov_time *delay)
{
    uint64_t words[4] = { 0 };
    struct iov_mem_req req = { .address = self->queue + self->iqh,
                               .data = words,
                               .size = descriptor_size(self),
                               .pasid = IOV_NO_PASID };

    if (self->iqt >= self->queue_size || (self->wide && self->iqt & VTD_IQT_WIDE_RESERVED) ||
        iov_mem_read_req(&self->bus, &req) != IOV_STATUS_OK || (words[2] | words[3]) != 0 ||
        !do_descriptor(self, words[0], words[1])) {
        vtd_queue_error(self);
        return false;
    }
    *delay = self->invalidation > 0 ? req.delay + self->invalidation : 0;
    return true;
}

static void head_advance(IovVtd *self)
{
    self->iqh = (self->iqh + descriptor_size(self)) & (self->queue_size - 1);
}

/* A status write may land on our own registers and come back here: it finds the queue running. */
void vtd_queue_run(IovVtd *self)
{
    iov_time delay;

    if (self->queue_running || iov_event_armed(&self->queue_event))
        return;
    self->queue_running = true;
    while (queue_open(self) && self->iqh != self->iqt) {
        if (!head_do(self, &delay))
            break;
        if (delay > 0) {
            iov_event_in(&self->queue_event, delay);
            break;
        }
        head_advance(self);
    }
    self->queue_running = false;
}

static void on_queue(struct iov_event *event)
{
    IovVtd *self = iov_container_of(event, IovVtd, queue_event);

    head_advance(self);
    vtd_queue_run(self);
}

void vtd_queue_enable(IovVtd *self, bool enable)
{
    iov_event_disarm(&self->queue_event);
    self->iqh = 0;
    if (!enable) {
        self->gsts &= ~VTD_G_QIE;
        return;
    }
    self->gsts |= VTD_G_QIE;
    self->queue = self->iqa & self->address_mask & ~0xfffull;
    self->wide = self->iqa & VTD_IQA_DW;
    self->queue_size = 0x1000u << (self->iqa & VTD_IQA_QS);
    vtd_queue_run(self);
}

void vtd_queue_init(IovVtd *self)
{
    struct iov_kernel *kernel = self->parent_instance.kernel;

    iov_event_init(&self->queue_event, kernel, on_queue, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->context_event, kernel, on_context_done, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->iotlb_event, kernel, on_iotlb_done, IOV_PRIORITY_DEFAULT);
}
