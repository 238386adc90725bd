/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmxnet3: what accesses to its three BARs do. Whatever needs memory is left to the device's event:
 * no request leaves inside a register access.
 */
#include "models/nic/vmxnet3-private.h"

#include <string.h>

#define LINK (10000u << 16 | 1u)

/* ---- Commands ---- */

static void act(IovVmxnet3 *self)
{
    if (!iov_event_armed(&self->work))
        iov_event_in(&self->work, 0);
}

static uint32_t address_word(const IovVmxnet3 *self, bool high)
{
    const uint8_t *mac = self->address;

    return high ? (uint32_t)mac[5] << 8 | mac[4]
                : (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 | mac[0];
}

static void write_command(IovVmxnet3 *self, uint32_t command)
{
    self->result = 0;
    switch (command) {
    case VMXNET3_SET_ACTIVATE:
    case VMXNET3_SET_QUIESCE:
    case VMXNET3_SET_RESET:
    case VMXNET3_SET_RX_MODE:
    case VMXNET3_SET_FEATURES:
    case VMXNET3_GET_STATISTICS:
        self->command = command;
        act(self);
        break;
    case VMXNET3_SET_MAC_FILTERS:
    case VMXNET3_SET_VLAN_FILTERS:
    case VMXNET3_SET_RSS_TABLE:
    case VMXNET3_SET_MODERATION:
    case VMXNET3_SET_POWER:
        break; /* taken, and of no effect here */
    case VMXNET3_GET_QUEUE_STATUS:
        self->result = (uint32_t)self->tx_stopped | (uint32_t)self->rx_stopped << 1;
        break;
    case VMXNET3_GET_LINK:
        self->result = LINK;
        break;
    case VMXNET3_GET_MAC_LOW:
    case VMXNET3_GET_MAC_HIGH:
        self->result = address_word(self, command == VMXNET3_GET_MAC_HIGH);
        break;
    case VMXNET3_GET_DEVICE_LOW:
        self->result = VMXNET3_DEVICE_ID;
        break;
    case VMXNET3_GET_DEVICE_HIGH:
    case VMXNET3_GET_EXTRA:
        break;
    case VMXNET3_GET_INTERRUPTS:
        self->result =
            (iov_pci_msix_enabled(&self->space) ? VMXNET3_TYPE_MSIX : VMXNET3_TYPE_INTX) |
            VMXNET3_MASK_AUTO << 2;
        break;
    default:
        vmxnet3_guest_fault(self);
        self->result = UINT32_MAX;
        break;
    }
}

/* ---- Registers: aligned words ---- */

/* Anything else is the driver's mistake, reads as ones, changes nothing. */

static bool is_register(IovVmxnet3 *self, const struct iov_mem_req *req)
{
    if (req->size == 4 && req->address % 8 == 0 && req->address < VMXNET3_BAR_SIZE)
        return true;
    if (!(req->flags & IOV_MEM_DEBUG))
        vmxnet3_guest_fault(self);
    return false;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, registers);

    memset(req->data, 0xff, req->size);
    if (!is_register(self, req))
        return IOV_STATUS_OK;
    if (req->address < VMXNET3_IMR + 8 * VMXNET3_VECTORS)
        iov_mem_set_value(req, self->masked >> req->address / 8 & 1);
    else
        iov_mem_set_value(req, 0);
    return IOV_STATUS_OK;
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, registers);
    uint32_t value = (uint32_t)iov_mem_value(req);

    if (!is_register(self, req))
        return IOV_STATUS_OK;
    if (req->address < VMXNET3_IMR + 8 * VMXNET3_VECTORS) {
        uint32_t bit = 1u << req->address / 8;

        self->masked = value & 1 ? self->masked | bit : self->masked & ~bit;
        if (self->pending & ~self->masked)
            act(self);
    } else if (req->address == VMXNET3_TXPROD) {
        self->doorbells_seen++;
        self->doorbell = true;
        act(self);
    } else if (req->address == VMXNET3_RXPROD || req->address == VMXNET3_RXPROD2) {
        if (self->active)
            vmxnet3_want_producer(self, 0);
    } else {
        vmxnet3_guest_fault(self);
    }
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops vmxnet3_registers_ops = { .read = registers_read,
                                                          .write = registers_write };

static enum iov_status control_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, control);
    uint32_t value = 0;

    memset(req->data, 0xff, req->size);
    if (!is_register(self, req))
        return IOV_STATUS_OK;
    switch (req->address) {
    case VMXNET3_VRRS:
    case VMXNET3_UVRS:
        value = 1;
        break;
    case VMXNET3_DSAL:
        value = (uint32_t)self->shared_at;
        break;
    case VMXNET3_DSAH:
        value = (uint32_t)(self->shared_at >> 32);
        break;
    case VMXNET3_CMD:
        value = self->result;
        break;
    case VMXNET3_MACL:
    case VMXNET3_MACH:
        value = address_word(self, req->address == VMXNET3_MACH);
        break;
    case VMXNET3_ICR:
        value = self->line;
        if (self->line && !(req->flags & IOV_MEM_DEBUG)) {
            self->line = false;
            iov_irq_set(&self->interrupt, false, NULL);
        }
        break;
    case VMXNET3_ECR:
        value = self->events;
        break;
    default:
        break;
    }
    iov_mem_set_value(req, value);
    return IOV_STATUS_OK;
}

static enum iov_status control_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, control);
    uint32_t value = (uint32_t)iov_mem_value(req);

    if (!is_register(self, req))
        return IOV_STATUS_OK;
    switch (req->address) {
    case VMXNET3_VRRS:
    case VMXNET3_UVRS:
        if (value != 1)
            vmxnet3_guest_fault(self);
        break;
    case VMXNET3_DSAL:
        self->shared_at = (self->shared_at & ~(uint64_t)UINT32_MAX) | value;
        break;
    case VMXNET3_DSAH:
        self->shared_at = (self->shared_at & UINT32_MAX) | (uint64_t)value << 32;
        break;
    case VMXNET3_CMD:
        write_command(self, value);
        break;
    case VMXNET3_MACL:
        memcpy(self->address, &value, 4);
        break;
    case VMXNET3_MACH:
        memcpy(self->address + 4, &value, 2);
        break;
    case VMXNET3_ECR:
        self->events &= ~value;
        break;
    default:
        vmxnet3_guest_fault(self);
        break;
    }
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops vmxnet3_control_ops = { .read = control_read,
                                                        .write = control_write };

/* BAR 2: table and pending bits of MSI-X. */
static enum iov_status msix_access(IovVmxnet3 *self, struct iov_mem_req *req, bool write)
{
    bool pending = req->address >= VMXNET3_MSIX_PENDING;
    struct iov_mem_target *part = pending ? &self->space.msix_pending : &self->space.msix_table;
    uint64_t base = pending ? VMXNET3_MSIX_PENDING : 0;
    enum iov_status status = IOV_STATUS_OK;

    if (req->address > VMXNET3_BAR_SIZE || req->size > VMXNET3_BAR_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    req->address -= base;
    if (req->address < part->size && req->size <= part->size - req->address)
        status = write ? part->ops->write(part, req) : part->ops->read(part, req);
    else if (!write)
        memset(req->data, 0, req->size);
    req->address += base;
    return status;
}

static enum iov_status msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, IovVmxnet3, msix), req, false);
}

static enum iov_status msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, IovVmxnet3, msix), req, true);
}

const struct iov_mem_target_ops vmxnet3_msix_ops = { .read = msix_read, .write = msix_write };
