/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt remapping and posting of the VT-d model.
 *
 * A message in remappable format names a table entry. A remapped entry becomes an ordinary message;
 * a posted entry leads to a posted-interrupt descriptor (vtd-post.c). The entry cache holds entries
 * that are present and well formed; the source is checked each time.
 */
#include "models/iommu/vtd-private.h"

#include "core/trace/measure.h"

#define KEY_VALID (1ull << 63)

struct interrupt {
    IovVtd *self;
    const struct iov_mem_req *req;
    unsigned index;
    uint64_t low, high; /* the table entry */
    iov_time delay;     /* since the message came */
};

static enum iov_status interrupt_block(struct interrupt *interrupt, enum vtd_fault reason,
                                       bool disabled)
{
    IovVtd *self = interrupt->self;

    self->interrupts_blocked++;
    vtd_fault_count(self, reason);
    if (!disabled)
        vtd_fault_record(self, reason, interrupt->req->requester, IOV_NO_PASID,
                         (uint64_t)interrupt->index << VTD_FRCD_INDEX_SHIFT, true,
                         interrupt->req->delay + interrupt->delay);
    return IOV_STATUS_FAULT;
}

static bool entry_well_formed(const IovVtd *self, uint64_t low, uint64_t high)
{
    uint64_t destination = low >> VTD_IRTE_DST_SHIFT;

    if ((high >> VTD_IRTE_SVT_SHIFT & 3) == 3)
        return false;
    if (low & VTD_IRTE_IM)
        return self->posting && !(low & VTD_IRTE_POSTED_RESERVED) &&
               !(high & VTD_IRTE_POSTED_RESERVED_HIGH);
    return !(low & VTD_IRTE_RESERVED) && !(high & VTD_IRTE_RESERVED_HIGH) &&
           (self->extended || !(destination & 0xffff00ff));
}

/* SPEC: source validation: the whole ID less some function bits, or a range of buses. */
static bool source_valid(uint64_t high, uint16_t source)
{
    static const uint16_t ignored[] = { 0, 4, 6, 7 };
    uint16_t expected = (uint16_t)high;
    uint16_t mask = (uint16_t)~ignored[high >> VTD_IRTE_SQ_SHIFT & 3];
    unsigned bus = source >> 8;

    switch (high >> VTD_IRTE_SVT_SHIFT & 3) {
    case 1:
        return (source & mask) == (expected & mask);
    case 2:
        return bus >= expected >> 8 && bus <= (expected & 0xffu);
    default:
        return true;
    }
}

static enum vtd_fault entry_read(struct interrupt *interrupt)
{
    IovVtd *self = interrupt->self;
    iov_time delay = interrupt->req->delay + interrupt->delay;
    uint64_t words[2];
    bool read = vtd_table_read(self, self->interrupt_table + 16ull * interrupt->index, words, 2,
                               false, &delay);

    interrupt->delay = delay - interrupt->req->delay;
    if (!read)
        return VTD_FAULT_IR_TABLE;
    interrupt->low = words[0];
    interrupt->high = words[1];
    if (!(words[0] & VTD_IRTE_P))
        return VTD_FAULT_IR_ABSENT;
    return entry_well_formed(self, words[0], words[1]) ? VTD_FAULT_NONE : VTD_FAULT_IR_RESERVED;
}

static enum vtd_fault entry_find(struct interrupt *interrupt)
{
    IovVtd *self = interrupt->self;
    struct vtd_line *line = vtd_cache_find(&self->interrupts_cache, KEY_VALID | interrupt->index);
    enum vtd_fault fault;

    if (line != NULL) {
        interrupt->low = line->low;
        interrupt->high = line->high;
        return VTD_FAULT_NONE;
    }
    self->interrupt_misses++;
    fault = entry_read(interrupt);
    if (fault == VTD_FAULT_NONE) {
        line = vtd_cache_fill(&self->interrupts_cache, KEY_VALID | interrupt->index);
        line->low = interrupt->low;
        line->high = interrupt->high;
    }
    return fault;
}

/* A message to an APIC ID: the upper address takes what does not fit into 8 bits. */
static uint64_t message_address(uint32_t destination)
{
    return MSI_BASE | (destination & 0xffull) << MSI_ADDRESS_DESTINATION_SHIFT |
           (uint64_t)(destination >> 8) << 40;
}

static uint32_t apic_id(const IovVtd *self, uint32_t field)
{
    return self->extended ? field : field >> 8 & 0xff;
}

static struct iov_interrupt_path *path_of(const IovVtd *self)
{
    const struct iov_measure *measure = self->parent_instance.run->measure;

    return measure != NULL ? measure->interrupts : NULL;
}

static enum iov_status interrupt_remap(struct interrupt *interrupt)
{
    IovVtd *self = interrupt->self;
    uint64_t low = interrupt->low;
    uint64_t address = message_address(apic_id(self, (uint32_t)(low >> VTD_IRTE_DST_SHIFT)));
    uint32_t data =
        (uint32_t)(low >> VTD_IRTE_V_SHIFT & 0xff) | (uint32_t)(low >> VTD_IRTE_DLM_SHIFT & 7) << 8;

    if (low & VTD_IRTE_TM)
        data |= 0xc000; /* level, asserted */
    if (low & VTD_IRTE_DM)
        address |= 0x4;
    if (low & VTD_IRTE_RH)
        address |= 0x8;
    self->interrupts_remapped++;
    iov_interrupt_remapped(path_of(self),
                           iov_interrupt_source(interrupt->req->requester, interrupt->index),
                           interrupt->req->delay, interrupt->delay);
    return vtd_message_send(self, address, data, interrupt->req->requester,
                            interrupt->req->delay + interrupt->delay, interrupt->req->span);
}

static enum iov_status interrupt_post(struct interrupt *interrupt)
{
    const struct iov_mem_req *req = interrupt->req;

    return vtd_post(interrupt->self, &(struct vtd_post){ .low = interrupt->low,
                                                         .high = interrupt->high,
                                                         .index = interrupt->index,
                                                         .requester = req->requester,
                                                         .span = req->span,
                                                         .link = req->delay,
                                                         .remap = interrupt->delay });
}

uint64_t vtd_notification_address(const IovVtd *self, uint32_t destination)
{
    return message_address(apic_id(self, destination));
}

static enum iov_status remappable(struct interrupt *interrupt, uint32_t data)
{
    IovVtd *self = interrupt->self;
    uint32_t address = (uint32_t)interrupt->req->address;
    enum vtd_fault fault;
    bool silent;

    interrupt->index = (address >> 5 & 0x7fff) | (address & 4) << 13;
    interrupt->delay = self->interrupt_hit;
    if (address & VTD_MSI_SHV) {
        if (data >> 16 != 0)
            return interrupt_block(interrupt, VTD_FAULT_IR_REQUEST, false);
        interrupt->index += data;
    }
    if (interrupt->index >= self->interrupt_table_size) {
        interrupt->index &= 0xffff;
        return interrupt_block(interrupt, VTD_FAULT_IR_INDEX, false);
    }
    fault = entry_find(interrupt);
    if (fault == VTD_FAULT_IR_TABLE)
        return interrupt_block(interrupt, fault, false);
    silent = interrupt->low & VTD_IRTE_FPD;
    if (fault != VTD_FAULT_NONE)
        return interrupt_block(interrupt, fault, silent);
    if (!source_valid(interrupt->high, interrupt->req->requester))
        return interrupt_block(interrupt, VTD_FAULT_IR_SOURCE, silent);
    return interrupt->low & VTD_IRTE_IM ? interrupt_post(interrupt) : interrupt_remap(interrupt);
}

enum iov_status vtd_interrupt(IovVtd *self, struct iov_mem_req *req)
{
    struct interrupt interrupt = { .self = self, .req = req };
    uint32_t data;

    if (req->size != 4 || req->address & 3)
        return IOV_STATUS_UNSUPPORTED;
    data = (uint32_t)iov_mem_value(req);
    self->interrupts++;
    if (!(self->gsts & VTD_G_IRE))
        return vtd_message_send(self, req->address, data, req->requester, req->delay, req->span);
    if (req->address & MSI_ADDRESS_REMAPPABLE)
        return remappable(&interrupt, data);
    /* SPEC: compatibility format passes if it is enabled, never in extended mode. */
    if (self->extended || !(self->gsts & VTD_G_CFI))
        return interrupt_block(&interrupt, VTD_FAULT_IR_COMPATIBILITY, false);
    return vtd_message_send(self, req->address, data, req->requester, req->delay, req->span);
}

void vtd_drop_interrupts(IovVtd *self, unsigned index, unsigned mask)
{
    uint64_t kept = KEY_VALID | (0xffffull & ~((1ull << mask) - 1));

    vtd_cache_drop(&self->interrupts_cache, kept, (KEY_VALID | index) & kept);
}
