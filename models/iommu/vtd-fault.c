/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primary fault recording of the VT-d model, and the messages the unit sends itself.
 *
 * A fault goes into the next record if that is free; if not, it is lost and overflow is set, and
 * nothing is recorded until software clears overflow. A second fault of a requester whose fault is
 * still recorded (with a PASID: of the same) collapses into it. The first condition that becomes
 * pending sends the fault event, or leaves it pending while masked.
 */
#include "models/iommu/vtd-private.h"

enum iov_status vtd_message_send(IovVtd *self, uint64_t address, uint32_t data, uint16_t source,
                                 iov_time delay, struct iov_span *span)
{
    struct iov_mem_req req = { .address = address,
                               .data = &data,
                               .size = sizeof data,
                               .requester = source,
                               .flags = IOV_MEM_INTERRUPT,
                               .pasid = IOV_NO_PASID,
                               .delay = delay,
                               .span = span };

    return iov_mem_write_req(self->message.peer != NULL ? &self->message : &self->bus, &req);
}

bool vtd_fault_pending(const IovVtd *self)
{
    for (unsigned i = 0; i < self->fault_records; i++) {
        if (self->records[i][1] & VTD_FRCD_F)
            return true;
    }
    return false;
}

static bool status_pending(const IovVtd *self)
{
    return self->fsts & VTD_FSTS_W1C || vtd_fault_pending(self);
}

static void event_send(IovVtd *self, iov_time delay)
{
    self->fectl &= ~VTD_EVENT_IP;
    self->fault_events++;
    vtd_message_send(self, (uint64_t)self->feuaddr << 32 | self->feaddr, self->fedata, 0, delay,
                     NULL);
}

/* `before`: something was pending already, and software knows. */
static void event_raise(IovVtd *self, bool before, iov_time delay)
{
    if (before)
        return;
    self->fectl |= VTD_EVENT_IP;
    if (!(self->fectl & VTD_EVENT_IM))
        event_send(self, delay);
}

/* Pending ends when the message is sent, or when software has dealt with all of its reasons. */
static void event_settle(IovVtd *self)
{
    if (!status_pending(self))
        self->fectl &= ~VTD_EVENT_IP;
}

/* A request's source as a record has it: requester, and PASID with its flag. */
#define SOURCE_MASK (0xffffull | VTD_FRCD_PP)
#define PASID_MASK (0xfffffull << VTD_FRCD_PV_SHIFT)

static bool source_recorded(const IovVtd *self, uint64_t source)
{
    uint64_t mask = SOURCE_MASK | (source & VTD_FRCD_PP ? PASID_MASK : 0);

    for (unsigned i = 0; i < self->fault_records; i++) {
        if (self->records[i][1] & VTD_FRCD_F && (self->records[i][1] & mask) == source)
            return true;
    }
    return false;
}

/* The PASID field means nothing while PP is clear: paging faults leave ones in 16 of its bits. */
static uint64_t unused_pasid(enum vtd_fault reason)
{
    switch (reason) {
    case VTD_FAULT_BEYOND_WIDTH:
    case VTD_FAULT_WRITE:
    case VTD_FAULT_READ:
    case VTD_FAULT_NEXT_TABLE:
    case VTD_FAULT_PAGE_RESERVED:
    case VTD_FAULT_INTERRUPT_RANGE:
        return 0xffffull << VTD_FRCD_PV_SHIFT;
    default:
        return 0;
    }
}

void vtd_fault_count(IovVtd *self, enum vtd_fault reason)
{
    switch (reason) {
    case VTD_FAULT_ROOT_ABSENT:
    case VTD_FAULT_CONTEXT_ABSENT:
    case VTD_FAULT_CONTEXT_INVALID:
    case VTD_FAULT_ROOT_TABLE:
    case VTD_FAULT_CONTEXT_TABLE:
    case VTD_FAULT_ROOT_RESERVED:
    case VTD_FAULT_CONTEXT_RESERVED:
        self->faults_entry++;
        break;
    case VTD_FAULT_BEYOND_WIDTH:
        self->faults_width++;
        break;
    case VTD_FAULT_WRITE:
        self->faults_write++;
        break;
    case VTD_FAULT_READ:
        self->faults_read++;
        break;
    case VTD_FAULT_NEXT_TABLE:
    case VTD_FAULT_PAGE_RESERVED:
        self->faults_table++;
        break;
    case VTD_FAULT_SM_WRITE:
        self->faults_write++;
        break;
    case VTD_FAULT_SM_READ:
    case VTD_FAULT_SM_NO_RIGHTS:
        self->faults_read++;
        break;
    default:
        if (reason > VTD_FAULT_PASID) {
            self->faults_pasid++;
            break;
        }
        *(reason >= VTD_FAULT_IR_REQUEST && reason <= VTD_FAULT_PD_RESERVED
              ? &self->faults_interrupt
              : &self->faults_other) += 1;
    }
}

void vtd_fault_record(IovVtd *self, enum vtd_fault reason, uint16_t requester, uint32_t pasid,
                      uint64_t information, bool write, iov_time delay)
{
    bool before = status_pending(self);
    uint64_t *record = self->records[self->next_record];
    uint64_t source = requester;

    if (pasid != IOV_NO_PASID)
        source |= VTD_FRCD_PP | ((uint64_t)pasid << VTD_FRCD_PV_SHIFT & PASID_MASK);

    if (self->fsts & VTD_FSTS_PFO || source_recorded(self, source)) {
        self->faults_lost++;
        return;
    }
    if (record[1] & VTD_FRCD_F) {
        self->fsts |= VTD_FSTS_PFO;
        self->faults_lost++;
        return;
    }
    self->faults_recorded++;
    if (!vtd_fault_pending(self)) /* FRI: the record that made PPF become set */
        self->fsts = (self->fsts & 0xffu) | self->next_record << VTD_FSTS_FRI_SHIFT;
    record[0] = information;
    record[1] = VTD_FRCD_F | (write ? 0 : VTD_FRCD_READ) |
                (pasid == IOV_NO_PASID ? unused_pasid(reason) : 0) |
                (uint64_t)reason << VTD_FRCD_REASON_SHIFT | source;
    self->next_record = (self->next_record + 1) % (unsigned)self->fault_records;
    event_raise(self, before, delay);
}

void vtd_queue_error(IovVtd *self)
{
    bool before = status_pending(self);

    self->queue_errors++;
    self->fsts |= VTD_FSTS_IQE;
    event_raise(self, before, 0);
}

void vtd_fault_status_write(IovVtd *self, uint32_t value)
{
    bool queue_stopped = self->fsts & VTD_FSTS_IQE;

    self->fsts &= ~(value & VTD_FSTS_W1C);
    event_settle(self);
    if (queue_stopped && !(self->fsts & VTD_FSTS_IQE))
        vtd_queue_run(self);
}

void vtd_fault_record_clear(IovVtd *self, unsigned index)
{
    self->records[index][1] &= ~VTD_FRCD_F;
    if (!vtd_fault_pending(self))
        self->fsts &= 0xffu;
    event_settle(self);
}

void vtd_fault_control_write(IovVtd *self, uint32_t value)
{
    self->fectl = (self->fectl & VTD_EVENT_IP) | (value & VTD_EVENT_IM);
    if (self->fectl == VTD_EVENT_IP)
        event_send(self, 0);
}
