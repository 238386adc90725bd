/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt-d - a DMA- and interrupt-remapping unit: registers and life.
 *
 * Devices' requests arrive at `upstream` with their requester ID and leave translated at `bus`;
 * interrupt messages leave at `message`, whose address has destination bits 31:8 in bits 63:40. All
 * tables and the invalidation queue lie in the memory behind `bus` and are read with its timing.
 * A fault blocks the access, is recorded and counted.
 *
 * The time a translation takes is in the request's delay and translation. LIMIT: no page requests,
 * no protected memory, no advanced fault log, no performance counters, no abort mode.
 */
#include "models/iommu/vtd-private.h"

enum { PLACEMENT_HARDWARE, PLACEMENT_SOFTWARE };
static const char *const placements[] = { "hardware", "software", NULL };

G_DEFINE_FINAL_TYPE(IovVtd, iov_vt_d, IOV_TYPE_MODEL)

/* ---- Registers ---- */

static uint32_t half(uint64_t value, bool upper)
{
    return (uint32_t)(upper ? value >> 32 : value);
}

static void half_set(uint64_t *value, bool upper, uint32_t word)
{
    *value = upper ? (uint32_t)*value | (uint64_t)word << 32 : (*value & ~0xffffffffull) | word;
}

/* The record that a register belongs to, or false. */
static bool record_find(const IovVtd *self, uint32_t offset, unsigned *ret_index)
{
    *ret_index = (offset - VTD_FRCD) / 16;
    return offset >= VTD_FRCD && *ret_index < self->fault_records;
}

static uint32_t read_wide(const IovVtd *self, uint32_t offset)
{
    bool upper = offset & 4;
    unsigned index;

    if (record_find(self, offset, &index))
        return half(self->records[index][offset >> 3 & 1], upper);
    switch (offset & ~4u) {
    case VTD_CAP:
        return half(self->cap, upper);
    case VTD_ECAP:
        return half(self->ecap, upper);
    case VTD_RTADDR:
        return half(self->rtaddr, upper);
    case VTD_CCMD:
        return half(self->ccmd & ~VTD_CCMD_WO, upper);
    case VTD_IQH:
        return half(self->iqh, upper);
    case VTD_IQT:
        return half(self->iqt, upper);
    case VTD_IQA: /* the base that is in use: what is written counts when the queue is enabled */
        return half(self->queue | (self->iqa & (VTD_IQA_QS | VTD_IQA_DW)), upper);
    case VTD_IRTA:
        return half(self->irta, upper);
    case VTD_IOTLB:
        return half(self->iotlb_command, upper);
    default:
        return 0; /* reserved, write-only, or of a feature that CAP does not declare */
    }
}

static uint32_t read_word(const IovVtd *self, uint32_t offset)
{
    switch (offset) {
    case VTD_VER:
        return 0x10;
    case VTD_GSTS:
        return self->gsts;
    case VTD_FSTS:
        return self->fsts | (vtd_fault_pending(self) ? VTD_FSTS_PPF : 0);
    case VTD_FECTL:
        return self->fectl;
    case VTD_FEDATA:
        return self->fedata;
    case VTD_FEADDR:
        return self->feaddr;
    case VTD_FEUADDR:
        return self->feuaddr;
    case VTD_ICS:
        return self->ics;
    case VTD_IECTL:
        return self->iectl;
    case VTD_IEDATA:
        return self->iedata;
    case VTD_IEADDR:
        return self->ieaddr;
    case VTD_IEUADDR:
        return self->ieuaddr;
    default:
        return read_wide(self, offset);
    }
}

static void command_write(IovVtd *self, uint32_t value)
{
    uint32_t changed = self->gsts ^ value;

    if (value & VTD_G_SRTP) {
        self->root_table = self->rtaddr;
        self->gsts |= VTD_G_SRTP;
        self->scalable =
            self->scalable_mode && (self->root_table & VTD_RTADDR_TTM) == VTD_RTADDR_SCALABLE;
        vtd_drop_contexts(self);
        vtd_drop_pasids(self);
        vtd_drop_translations(self);
    }
    if (value & VTD_G_SIRTP && self->intremap) {
        self->interrupt_table = self->irta & self->address_mask & ~0xfffull;
        self->interrupt_table_size = 2u << (self->irta & VTD_IRTA_S);
        self->extended = self->eim && self->irta & VTD_IRTA_EIME;
        self->gsts |= VTD_G_SIRTP;
        vtd_drop_interrupts(self, 0, 16);
    }
    if (changed & VTD_G_TE && self->dma_translation)
        self->gsts ^= VTD_G_TE;
    if (changed & VTD_G_IRE && self->intremap)
        self->gsts ^= VTD_G_IRE;
    if (changed & VTD_G_CFI && self->intremap)
        self->gsts ^= VTD_G_CFI;
    if (changed & VTD_G_QIE)
        vtd_queue_enable(self, value & VTD_G_QIE);
}

static void write_wide(IovVtd *self, uint32_t offset, uint32_t value)
{
    bool upper = offset & 4;
    unsigned index;

    if (record_find(self, offset, &index)) {
        if ((offset & 0xc) == 0xc && value & (uint32_t)(VTD_FRCD_F >> 32))
            vtd_fault_record_clear(self, index);
        return;
    }
    switch (offset & ~4u) {
    case VTD_RTADDR:
        half_set(&self->rtaddr, upper, upper ? value : value & ~0x3ffu);
        return;
    case VTD_CCMD:
        half_set(&self->ccmd, upper, value);
        self->ccmd &= VTD_CCMD_RW | (upper ? VTD_CCMD_ICC : 0);
        if (self->ccmd & VTD_CCMD_ICC)
            vtd_context_command(self);
        return;
    case VTD_IQT:
        half_set(&self->iqt, upper, upper ? 0 : value & VTD_IQT_MASK);
        if (!upper)
            vtd_queue_run(self);
        return;
    case VTD_IQA:
        half_set(&self->iqa, upper,
                 upper ? value
                       : value & (VTD_IQA_QS | (self->scalable_mode ? VTD_IQA_DW : 0) | ~0xfffu));
        return;
    case VTD_IRTA:
        half_set(&self->irta, upper,
                 upper ? value : value & (VTD_IRTA_S | VTD_IRTA_EIME | ~0xfffu));
        return;
    case VTD_IVA:
        half_set(&self->iva, upper, upper ? value : value & ~0xf80u);
        return;
    case VTD_IOTLB:
        half_set(&self->iotlb_command, upper, value);
        self->iotlb_command &= VTD_IOTLB_RW | (upper ? VTD_IOTLB_IVT : 0);
        if (self->iotlb_command & VTD_IOTLB_IVT)
            vtd_iotlb_command(self);
        return;
    default:
        return; /* reserved or read-only */
    }
}

static void write_word(IovVtd *self, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case VTD_GCMD:
        command_write(self, value);
        return;
    case VTD_FSTS:
        vtd_fault_status_write(self, value);
        return;
    case VTD_FECTL:
        vtd_fault_control_write(self, value);
        return;
    case VTD_FEDATA:
        self->fedata = value & 0xffff;
        return;
    case VTD_FEADDR:
        self->feaddr = value & ~3u;
        return;
    case VTD_FEUADDR:
        self->feuaddr = self->eim ? value : 0;
        return;
    case VTD_ICS:
        vtd_completion_status_write(self, value);
        return;
    case VTD_IECTL:
        vtd_completion_control_write(self, value);
        return;
    case VTD_IEDATA:
        self->iedata = value;
        return;
    case VTD_IEADDR:
        self->ieaddr = value & ~3u;
        return;
    case VTD_IEUADDR:
        self->ieuaddr = self->eim ? value : 0;
        return;
    default:
        write_wide(self, offset, value);
    }
}

/* SPEC: registers are accessed in aligned units of 4 or 8 bytes; others read zero, and change
 * nothing. */
static bool access_allowed(const struct iov_mem_req *req)
{
    return (req->size == 4 || req->size == 8) && (req->address & (req->size - 1)) == 0 &&
           req->address < VTD_SIZE;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    const IovVtd *self = iov_container_of(port, IovVtd, registers);
    uint32_t offset = (uint32_t)req->address;
    uint64_t value = 0;

    if (access_allowed(req)) {
        value = read_word(self, offset);
        if (req->size == 8)
            value |= (uint64_t)read_word(self, offset + 4) << 32;
    }
    iov_mem_set_value(req, value);
    if (!(req->flags & IOV_MEM_DEBUG))
        req->delay += self->register_read;
    return IOV_STATUS_OK;
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVtd *self = iov_container_of(port, IovVtd, registers);
    uint32_t offset = (uint32_t)req->address;
    uint64_t value = iov_mem_value(req);

    if (!access_allowed(req) || req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_OK;
    write_word(self, offset, (uint32_t)value);
    if (req->size == 8)
        write_word(self, offset + 4, (uint32_t)(value >> 32));
    req->delay += self->register_write;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- Life ---- */

static void capabilities_set(IovVtd *self)
{
    self->cap =
        VTD_CAP_DOMAINS_64K | VTD_CAP_SLLPS | VTD_CAP_PSI |
        (self->aw_bits - 1) << VTD_CAP_MGAW_SHIFT | (uint64_t)(VTD_FRCD / 16) << VTD_CAP_FRO_SHIFT |
        (self->fault_records - 1) << VTD_CAP_NFR_SHIFT | (uint64_t)VTD_MAMV << VTD_CAP_MAMV_SHIFT;
    if (self->dma_translation)
        self->cap |= VTD_CAP_SAGAW_39 | (self->aw_bits == 48 ? VTD_CAP_SAGAW_48 : 0);
    self->cap |= self->caching_mode ? VTD_CAP_CM : 0;
    self->cap |= self->zero_length_read ? VTD_CAP_ZLR : 0;
    self->cap |= self->dma_drain ? VTD_CAP_DWD | VTD_CAP_DRD : 0;
    self->cap |= self->intremap && self->posting ? VTD_CAP_PI : 0;
    self->cap |= self->first_stage ? VTD_CAP_FS1GP : 0;
    self->ecap = VTD_ECAP_QI | (uint64_t)(VTD_IVA / 16) << VTD_ECAP_IRO_SHIFT;
    self->ecap |= self->intremap ? VTD_ECAP_IR | VTD_ECAP_MHMV : 0;
    self->ecap |= self->intremap && self->eim ? VTD_ECAP_EIM : 0;
    self->ecap |= self->device_iotlb ? VTD_ECAP_DT : 0;
    self->ecap |= self->pt ? VTD_ECAP_PT : 0;
    self->ecap |= self->snoop_control ? VTD_ECAP_SC : 0;
    self->ecap |= self->scalable_mode ? VTD_ECAP_SMTS | VTD_ECAP_SSTS | VTD_ECAP_SRS : 0;
    self->ecap |= self->first_stage ? VTD_ECAP_FSTS | VTD_ECAP_SMPWC : 0;
    self->ecap |= self->pasid_mode ? VTD_ECAP_PASID : 0;
    self->ecap |=
        self->pasid_bits > 0 ? (self->pasid_bits - 1) << VTD_ECAP_PSS_SHIFT | VTD_ECAP_RPS : 0;
}

/* SPEC: reserved bits of paging entries: address bits above the host's, low address bits of large
 * pages, snoop and transient-mapping bits where the capability is missing. */
static void masks_set(IovVtd *self)
{
    uint64_t high;

    self->width_mask = (1ull << self->aw_bits) - 1;
    self->address_mask =
        (1ull << (self->host_address_bits != 0 ? self->host_address_bits : self->aw_bits)) - 1;
    high = ~(self->address_mask | VTD_PAGE_IGNORED);
    for (unsigned level = 1; level <= 4; level++)
        self->reserved[level] = high | VTD_PAGE_SNP | (level == 4 ? VTD_PAGE_SUPER : 0);
    for (unsigned level = 1; level <= 3; level++) {
        uint64_t low = (1ull << (3 + 9 * level)) - 1;

        self->reserved_page[level] = high | (low & ~0xfffull);
        if (self->device_iotlb)
            self->reserved_page[level] &= ~VTD_PAGE_TM;
        if (!self->snoop_control)
            self->reserved_page[level] |= VTD_PAGE_SNP;
    }
}

static bool cache_sound(uint64_t entries, uint64_t ways)
{
    uint64_t sets = entries / ways;

    return entries % ways == 0 && sets != 0 && (sets & (sets - 1)) == 0;
}

static bool iov_vt_d_prepare(IovModel *model, GError **error)
{
    IovVtd *self = (IovVtd *)(void *)model;

    if (self->placement == PLACEMENT_SOFTWARE)
        self->hit = self->walk_step = self->invalidation = self->interrupt_hit =
            self->register_read = self->register_write = 0;

    if (self->aw_bits != 39 && self->aw_bits != 48)
        return iov_model_fail(model, error, "aw-bits is 39 or 48");
    if (self->pasid_mode && !self->scalable_mode)
        return iov_model_fail(model, error, "pasid-mode needs scalable-mode");
    if ((self->first_stage || self->pasid_bits > 0) && !self->scalable_mode)
        return iov_model_fail(model, error, "first-stage and pasid-bits need scalable-mode");
    if (!cache_sound(self->iotlb_entries, self->iotlb_ways) ||
        !cache_sound(self->paging_entries, self->paging_ways) ||
        !cache_sound(self->context_entries, self->context_ways) ||
        !cache_sound(self->interrupt_entries, self->interrupt_ways) ||
        !cache_sound(self->pasid_entries, self->pasid_ways))
        return iov_model_fail(model, error, "entries divided by ways is a power of two");
    self->registers.size = VTD_SIZE;
    capabilities_set(self);
    masks_set(self);
    return true;
}

/* The capabilities stay; what is latched, recorded or cached goes. */
static void iov_vt_d_reset(IovModel *model)
{
    IovVtd *self = (IovVtd *)(void *)model;

    iov_event_disarm(&self->queue_event);
    iov_event_disarm(&self->context_event);
    iov_event_disarm(&self->iotlb_event);
    vtd_posts_drop(self);
    self->queue_running = false;
    self->rtaddr = self->ccmd = self->iqh = self->iqt = self->iqa = self->irta = self->iva = 0;
    self->iotlb_command = self->root_table = self->interrupt_table = self->queue = 0;
    self->gsts = self->fsts = self->fedata = self->feaddr = self->feuaddr = self->ics = 0;
    self->iedata = self->ieaddr = self->ieuaddr = 0;
    self->fectl = self->iectl = VTD_EVENT_IM;
    self->interrupt_table_size = self->queue_size = self->next_record = 0;
    self->extended = self->scalable = self->wide = false;
    memset(self->records, 0, sizeof self->records);
    vtd_cache_empty(&self->iotlb);
    vtd_cache_empty(&self->paging);
    vtd_cache_empty(&self->contexts);
    vtd_cache_empty(&self->interrupts_cache);
    vtd_cache_empty(&self->pasids);
    vtd_cache_empty(&self->first);
}

static bool iov_vt_d_realize(IovModel *model, GError **error)
{
    IovVtd *self = (IovVtd *)(void *)model;

    (void)error;
    vtd_cache_init(&self->iotlb, self->iotlb_entries, self->iotlb_ways);
    vtd_cache_init(&self->paging, self->paging_entries, self->paging_ways);
    vtd_cache_init(&self->contexts, self->context_entries, self->context_ways);
    vtd_cache_init(&self->interrupts_cache, self->interrupt_entries, self->interrupt_ways);
    if (self->scalable_mode)
        vtd_cache_init(&self->pasids, self->pasid_entries, self->pasid_ways);
    if (self->first_stage)
        vtd_cache_init(&self->first, self->iotlb_entries, self->iotlb_ways);
    self->fectl = VTD_EVENT_IM;
    self->iectl = VTD_EVENT_IM;
    vtd_queue_init(self);
    vtd_posts_init(self);
    return true;
}

static void iov_vt_d_unrealize(IovModel *model)
{
    IovVtd *self = (IovVtd *)(void *)model;

    iov_event_disarm(&self->queue_event);
    iov_event_disarm(&self->context_event);
    iov_event_disarm(&self->iotlb_event);
    vtd_posts_drop(self);
}

static void iov_vt_d_finalize(GObject *object)
{
    IovVtd *self = (IovVtd *)(void *)object;

    vtd_cache_clear(&self->iotlb);
    vtd_cache_clear(&self->paging);
    vtd_cache_clear(&self->contexts);
    vtd_cache_clear(&self->interrupts_cache);
    vtd_cache_clear(&self->pasids);
    vtd_cache_clear(&self->first);
    G_OBJECT_CLASS(iov_vt_d_parent_class)->finalize(object);
}

static void describe_properties(IovModelClass *mc)
{
    IOV_PROP_ENUM(mc, IovVtd, placement, placements, PLACEMENT_HARDWARE,
                  "hardware: it takes time; software: whoever emulates it pays");
    IOV_PROP_COUNT(mc, IovVtd, aw_bits, 39, 48, 48, "Width of device addresses: 39 or 48");
    IOV_PROP_COUNT(mc, IovVtd, host_address_bits, 0, 52, 0,
                   "Width of host addresses in tables; 0: as aw-bits");
    IOV_PROP_COUNT(mc, IovVtd, fault_records, 1, VTD_RECORDS_MAX, 1, "Fault recording registers");
    IOV_PROP_COUNT(mc, IovVtd, walkers, 1, VTD_WALKERS_MAX, 4, "Page walks at the same time");
    IOV_PROP_BOOL(
        mc, IovVtd, reads_hold_walkers, false,
        "The walker of a read is free again when memory has answered, not when the walk ends");
    IOV_PROP_COUNT(mc, IovVtd, iotlb_entries, 1, 1 << 20, 64, "Translations in the IOTLB");
    IOV_PROP_COUNT(mc, IovVtd, iotlb_ways, 1, 1024, 8, "Ways of the IOTLB");
    IOV_PROP_COUNT(mc, IovVtd, paging_entries, 1, 1 << 20, 64,
                   "Tables in the paging-structure cache");
    IOV_PROP_COUNT(mc, IovVtd, paging_ways, 1, 1024, 4, "Ways of the paging-structure cache");
    IOV_PROP_COUNT(mc, IovVtd, context_entries, 1, 1 << 16, 32, "Devices in the context cache");
    IOV_PROP_COUNT(mc, IovVtd, context_ways, 1, 1024, 4, "Ways of the context cache");
    IOV_PROP_COUNT(mc, IovVtd, interrupt_entries, 1, 1 << 16, 64,
                   "Table entries in the interrupt entry cache");
    IOV_PROP_COUNT(mc, IovVtd, interrupt_ways, 1, 1024, 4, "Ways of the interrupt entry cache");
    IOV_PROP_BOOL(mc, IovVtd, dma_translation, true,
                  "Address translation; off: interrupts only, no width in CAP.SAGAW");
    IOV_PROP_BOOL(mc, IovVtd, intremap, true, "Interrupt remapping (ECAP.IR)");
    IOV_PROP_BOOL(mc, IovVtd, eim, false, "32-bit interrupt destinations (ECAP.EIM)");
    IOV_PROP_BOOL(mc, IovVtd, posting, false, "Interrupt posting (CAP.PI)");
    IOV_PROP_BOOL(mc, IovVtd, caching_mode, false,
                  "CAP.CM; what is not present is never cached anyway");
    IOV_PROP_BOOL(mc, IovVtd, snoop_control, false, "Snoop bit of pages (ECAP.SC)");
    IOV_PROP_BOOL(mc, IovVtd, device_iotlb, false, "Translated requests (ECAP.DT)");
    IOV_PROP_BOOL(mc, IovVtd, dma_drain, true, "Drain of reads and writes (CAP.DRD, DWD)");
    IOV_PROP_BOOL(mc, IovVtd, pt, true, "Pass-through (ECAP.PT)");
    IOV_PROP_BOOL(mc, IovVtd, zero_length_read, false,
                  "Zero-length reads of write-only pages (CAP.ZLR)");
    IOV_PROP_BOOL(mc, IovVtd, scalable_mode, false,
                  "Scalable mode with second stages (ECAP.SMTS, SSTS, SRS)");
    IOV_PROP_BOOL(mc, IovVtd, pasid_mode, false, "Requests with PASID (ECAP.PASID)");
    IOV_PROP_COUNT(mc, IovVtd, pasid_bits, 0, 20, 0,
                   "Width of a PASID (ECAP.PSS), and RID_PASID (ECAP.RPS); 0: neither is declared");
    IOV_PROP_BOOL(mc, IovVtd, first_stage, false,
                  "First stages with coherent page walks (ECAP.FSTS, SMPWC)");
    IOV_PROP_COUNT(mc, IovVtd, pasid_entries, 1, 1 << 20, 64, "Entries in the PASID cache");
    IOV_PROP_COUNT(mc, IovVtd, pasid_ways, 1, 1024, 4, "Ways of the PASID cache");
}

static void describe_statistics(IovModelClass *mc)
{
    IOV_STAT(mc, IovVtd, requests, "DMA requests");
    IOV_STAT(mc, IovVtd, bypassed, "Of these with translation off");
    IOV_STAT(mc, IovVtd, iotlb_hits, "Translations found in the IOTLB");
    IOV_STAT(mc, IovVtd, iotlb_misses, "Page walks");
    IOV_STAT(mc, IovVtd, context_misses, "Context entries read");
    IOV_STAT(mc, IovVtd, pasid_misses, "Entries of PASIDs read");
    IOV_STAT(mc, IovVtd, paging_hits, "Walks shortened by the paging-structure cache");
    IOV_STAT(mc, IovVtd, walk_reads, "Reads of tables and descriptors");
    IOV_STAT(mc, IovVtd, blocked, "DMA that a fault blocked");
    IOV_STAT(mc, IovVtd, faults_entry, "Blocked: root or context entry absent or malformed");
    IOV_STAT(mc, IovVtd, faults_width, "Blocked: address beyond the domain's width");
    IOV_STAT(mc, IovVtd, faults_write, "Blocked: a write where none is allowed");
    IOV_STAT(mc, IovVtd, faults_read, "Blocked: a read where none is allowed");
    IOV_STAT(mc, IovVtd, faults_table, "Blocked: paging entry malformed or out of reach");
    IOV_STAT(mc, IovVtd, faults_interrupt, "Blocked: interrupt messages");
    IOV_STAT(mc, IovVtd, faults_pasid, "Blocked: tables of scalable mode absent or malformed");
    IOV_STAT(mc, IovVtd, faults_other, "Blocked: for other reasons");
    IOV_STAT(mc, IovVtd, faults_recorded, "Faults recorded");
    IOV_STAT(mc, IovVtd, faults_lost, "Faults not recorded: overflow, or collapsed");
    IOV_STAT(mc, IovVtd, fault_events, "Fault event messages");
    IOV_STAT(mc, IovVtd, interrupts, "Interrupt messages from devices");
    IOV_STAT(mc, IovVtd, interrupts_remapped, "Of these remapped");
    IOV_STAT(mc, IovVtd, interrupts_posted, "Of these posted");
    IOV_STAT(mc, IovVtd, notifications, "Notifications of posted ones");
    IOV_STAT(mc, IovVtd, interrupts_blocked, "Interrupt messages that a fault blocked");
    IOV_STAT(mc, IovVtd, interrupt_misses, "Interrupt table entries read");
    IOV_STAT(mc, IovVtd, invalidations_context, "Context-cache invalidations");
    IOV_STAT(mc, IovVtd, invalidations_iotlb, "IOTLB invalidations");
    IOV_STAT(mc, IovVtd, invalidations_pasid, "PASID-cache invalidations");
    IOV_STAT(mc, IovVtd, invalidations_device, "Device-TLB invalidations");
    IOV_STAT(mc, IovVtd, invalidations_interrupt, "Interrupt-entry invalidations");
    IOV_STAT(mc, IovVtd, waits, "Wait descriptors");
    IOV_STAT(mc, IovVtd, queue_errors, "Errors of the invalidation queue");
    IOV_STAT_TIME(mc, IovVtd, translation_time, "Time that requests spent in translation");
}

static void iov_vt_d_class_init(IovVtdClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vt-d", "A DMA- and interrupt-remapping unit");
    describe_properties(mc);
    IOV_COST(mc, IovVtd, hit, "vtd-iotlb-hit", "A translation that the IOTLB holds");
    IOV_COST(mc, IovVtd, walk_step, "vtd-walk-step",
             "A read of a table, beside the memory's own time");
    IOV_COST(mc, IovVtd, invalidation, "vtd-invalidation",
             "An invalidation command or descriptor, from its fetch to its completion");
    IOV_COST(mc, IovVtd, interrupt_hit, "vtd-interrupt-entry",
             "An interrupt whose table entry is cached");
    IOV_COST(mc, IovVtd, register_read, "vtd-register-read", "A read of a register");
    IOV_COST(mc, IovVtd, register_write, "vtd-register-write",
             "What a write of a register costs the processor");
    IOV_PORT_MEM_TARGET(mc, IovVtd, registers, &registers_ops, "The register page");
    IOV_PORT_MEM_TARGET(mc, IovVtd, upstream, &vtd_upstream_ops,
                        "DMA and interrupt messages of devices and of the I/O APIC");
    IOV_PORT_MEM_INITIATOR(mc, IovVtd, bus, "Translated requests, tables, queue");
    IOV_PORT_MEM_INITIATOR(
        mc, IovVtd, message,
        "Interrupt messages at their 64-bit address; if open they go to the bus");
    describe_statistics(mc);
    mc->prepare = iov_vt_d_prepare;
    mc->realize = iov_vt_d_realize;
    mc->unrealize = iov_vt_d_unrealize;
    mc->reset = iov_vt_d_reset;
    G_OBJECT_CLASS(klass)->finalize = iov_vt_d_finalize;
}

static void iov_vt_d_init(IovVtd *self)
{
    (void)self;
}
