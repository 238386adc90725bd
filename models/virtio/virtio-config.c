/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space of the virtio PCI transport: header, MSI-X and the vendor capabilities, laid
 * out as QEMU's non-transitional devices have them (MSI-X at 0x98, then PCI_CFG, NOTIFY, DEVICE,
 * ISR, COMMON downwards).
 *
 * LIMIT: no PCI Express and power-management capability, no legacy I/O BAR: the transitional IDs
 * would need it. Where the BARs stand is kept but decoding is the bus's business: windows are
 * wired, not moved.
 */
#include "models/virtio/virtio-pci-private.h"

/* PCI local bus specification 3.0, 6.1. */
#define PCI_VENDOR 0x00
#define PCI_DEVICE 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_INTX_OFF 0x0400
#define PCI_COMMAND_WRITABLE 0x0547
#define PCI_STATUS 0x06
#define PCI_STATUS_INTERRUPT 0x08
#define PCI_STATUS_CAPABILITIES 0x10
#define PCI_REVISION 0x08
#define PCI_CLASS 0x09
#define PCI_CACHE_LINE 0x0c
#define PCI_BAR(n) (0x10 + 4 * (n))
#define PCI_BAR_64_PREFETCHABLE 0x0c
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM_DEVICE 0x2e
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d
#define PCI_CAP_ID_VENDOR 0x09
#define PCI_CAP_ID_MSIX 0x11

/* Places of the capabilities. */
#define CAP_COMMON 0x40
#define CAP_ISR 0x50
#define CAP_DEVICE 0x60
#define CAP_NOTIFY 0x70
#define CAP_PCI_CFG 0x84
#define CAP_MSIX 0x98
#define CAP_MSIX_CONTROL (CAP_MSIX + 2)
#define MSIX_ENABLE 0x8000
#define MSIX_FUNCTION_MASK 0x4000
#define CFG_DATA (CAP_PCI_CFG + VIRTIO_PCI_CAP_CFG_DATA)

static void put16(uint8_t *place, uint16_t value)
{
    memcpy(place, &value, sizeof value);
}

static void put32(uint8_t *place, uint32_t value)
{
    memcpy(place, &value, sizeof value);
}

static uint16_t get16(const uint8_t *place)
{
    uint16_t value;

    memcpy(&value, place, sizeof value);
    return value;
}

static uint32_t get32(const uint8_t *place)
{
    uint32_t value;

    memcpy(&value, place, sizeof value);
    return value;
}

static void add_capability(IovVirtioPci *pci, unsigned at, unsigned next, uint8_t length,
                           uint8_t type, uint32_t offset, uint32_t size)
{
    uint8_t *cap = &pci->space[at];

    cap[0] = PCI_CAP_ID_VENDOR;
    cap[1] = (uint8_t)next;
    cap[VIRTIO_PCI_CAP_LENGTH] = length;
    cap[VIRTIO_PCI_CAP_TYPE] = type;
    cap[VIRTIO_PCI_CAP_BAR] = type == VIRTIO_PCI_CAP_PCI_CFG ? 0 : VIRTIO_PCI_BAR_MODERN;
    put32(cap + VIRTIO_PCI_CAP_OFFSET, offset);
    put32(cap + VIRTIO_PCI_CAP_SIZE, size);
}

/* SPEC: 4.1.4: the structures and where they are. */
static void add_capabilities(IovVirtioPci *pci)
{
    uint8_t *msix = &pci->space[CAP_MSIX];

    add_capability(pci, CAP_COMMON, 0, 16, VIRTIO_PCI_CAP_COMMON, VIRTIO_PCI_REGION_COMMON,
                   VIRTIO_PCI_REGION_SIZE);
    add_capability(pci, CAP_ISR, CAP_COMMON, 16, VIRTIO_PCI_CAP_ISR, VIRTIO_PCI_REGION_ISR,
                   VIRTIO_PCI_REGION_SIZE);
    add_capability(pci, CAP_DEVICE, CAP_ISR, 16, VIRTIO_PCI_CAP_DEVICE, VIRTIO_PCI_REGION_DEVICE,
                   VIRTIO_PCI_REGION_SIZE);
    add_capability(pci, CAP_NOTIFY, CAP_DEVICE, 20, VIRTIO_PCI_CAP_NOTIFY, VIRTIO_PCI_REGION_NOTIFY,
                   VIRTIO_PCI_REGION_SIZE);
    put32(&pci->space[CAP_NOTIFY + VIRTIO_PCI_CAP_NOTIFY_MULTIPLIER], VIRTIO_PCI_NOTIFY_MULTIPLIER);
    add_capability(pci, CAP_PCI_CFG, CAP_NOTIFY, 20, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
    pci->writable[CAP_PCI_CFG + VIRTIO_PCI_CAP_BAR] = 0xff;
    memset(&pci->writable[CAP_PCI_CFG + VIRTIO_PCI_CAP_OFFSET], 0xff, 12);
    msix[0] = PCI_CAP_ID_MSIX;
    msix[1] = CAP_PCI_CFG;
    put16(msix + 2, (uint16_t)(pci->vector_count - 1));
    put16(&pci->writable[CAP_MSIX_CONTROL], MSIX_ENABLE | MSIX_FUNCTION_MASK);
    put32(msix + 4, VIRTIO_PCI_BAR_MSIX);
    put32(msix + 8, VIRTIO_PCI_MSIX_PBA | VIRTIO_PCI_BAR_MSIX);
}

void iov_virtio_config_init(IovVirtioPci *pci)
{
    uint8_t *space = pci->space;

    memset(space, 0, sizeof pci->space);
    memset(pci->writable, 0, sizeof pci->writable);
    put16(space + PCI_VENDOR, VIRTIO_PCI_VENDOR);
    put16(space + PCI_DEVICE, (uint16_t)(VIRTIO_PCI_DEVICE_MODERN + pci->ops->type));
    put16(space + PCI_STATUS, PCI_STATUS_CAPABILITIES);
    space[PCI_REVISION] = 1; /* SPEC: 4.1.2.1, non-transitional */
    memcpy(space + PCI_CLASS, &pci->ops->class_code, 3);
    put32(space + PCI_BAR(VIRTIO_PCI_BAR_MODERN), PCI_BAR_64_PREFETCHABLE);
    put16(space + PCI_SUBSYSTEM_VENDOR, VIRTIO_PCI_VENDOR);
    put16(space + PCI_SUBSYSTEM_DEVICE, VIRTIO_PCI_SUBSYSTEM);
    space[PCI_CAPABILITIES] = CAP_MSIX;
    space[PCI_INTERRUPT_PIN] = 1;
    put16(pci->writable + PCI_COMMAND, PCI_COMMAND_WRITABLE);
    pci->writable[PCI_CACHE_LINE] = 0xff;
    pci->writable[PCI_INTERRUPT_LINE] = 0xff;
    put32(pci->writable + PCI_BAR(VIRTIO_PCI_BAR_MSIX), ~(uint32_t)(VIRTIO_PCI_BAR_MSIX_SIZE - 1));
    put32(pci->writable + PCI_BAR(VIRTIO_PCI_BAR_MODERN),
          ~(uint32_t)(VIRTIO_PCI_BAR_MODERN_SIZE - 1));
    put32(pci->writable + PCI_BAR(VIRTIO_PCI_BAR_MODERN + 1), UINT32_MAX);
    add_capabilities(pci);
    if (pci->setup != IOV_VIRTIO_SETUP_RESET)
        put16(space + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    if (pci->setup == IOV_VIRTIO_SETUP_MSIX)
        put16(space + CAP_MSIX_CONTROL, get16(space + CAP_MSIX_CONTROL) | MSIX_ENABLE);
    pci->access.enabled = pci->setup != IOV_VIRTIO_SETUP_RESET;
}

/* ---- Interrupts: which way ---- */

bool iov_virtio_msix_enabled(const IovVirtioPci *pci)
{
    return (get16(pci->space + CAP_MSIX_CONTROL) & MSIX_ENABLE) != 0;
}

static bool vector_masked(const IovVirtioPci *pci, unsigned vector)
{
    const uint8_t *entry = &pci->table[vector * VIRTIO_MSIX_ENTRY_SIZE];

    return (get16(pci->space + CAP_MSIX_CONTROL) & MSIX_FUNCTION_MASK) != 0 ||
           (entry[VIRTIO_MSIX_ENTRY_CONTROL] & VIRTIO_MSIX_ENTRY_MASKED) != 0;
}

void iov_virtio_intx_update(IovVirtioPci *pci, struct iov_span *span)
{
    bool wanted = pci->isr != 0 && !iov_virtio_msix_enabled(pci);

    if (wanted)
        pci->space[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    else
        pci->space[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
    if (get16(pci->space + PCI_COMMAND) & PCI_COMMAND_INTX_OFF)
        wanted = false;
    iov_irq_set(&pci->interrupt, wanted, span);
}

/* A message is a DWORD write; only one into the interrupt range is an interrupt to the fabric. */
static void send_message(IovVirtioPci *pci, unsigned vector, struct iov_span *span)
{
    const uint8_t *entry = &pci->table[vector * VIRTIO_MSIX_ENTRY_SIZE];
    uint32_t data = get32(entry + VIRTIO_MSIX_ENTRY_DATA);
    uint64_t address;
    bool is_interrupt;

    memcpy(&address, entry + VIRTIO_MSIX_ENTRY_ADDRESS, sizeof address);
    is_interrupt = address >> 20 == 0xfee;
    pci->interrupts++;
    /* A message to nowhere is lost, as on a real bus. */
    (void)iov_virtio_dma_access(&pci->access, address, &data, sizeof data, true,
                                is_interrupt ? IOV_MEM_INTERRUPT : 0, &span);
}

void iov_virtio_msix_raise(IovVirtioPci *pci, uint16_t vector, struct iov_span *span)
{
    if (vector >= pci->vector_count)
        return;
    if (!vector_masked(pci, vector)) {
        send_message(pci, vector, span);
        return;
    }
    /*
     * SPEC: PCIe base specification, 6.1.4.5: masked vectors become pending. The request may be
     * over when the vector is unmasked: the late message announces none.
     */
    pci->pending[vector / 64] |= UINT64_C(1) << (vector % 64);
}

void iov_virtio_msix_reset(IovVirtioPci *pci)
{
    memset(pci->table, 0, sizeof pci->table);
    memset(pci->pending, 0, sizeof pci->pending);
    for (unsigned i = 0; i < pci->vector_count; i++)
        pci->table[i * VIRTIO_MSIX_ENTRY_SIZE + VIRTIO_MSIX_ENTRY_CONTROL] =
            VIRTIO_MSIX_ENTRY_MASKED;
}

void iov_virtio_msix_flush(IovVirtioPci *pci)
{
    if (!iov_virtio_msix_enabled(pci))
        return;
    iov_virtio_dma_begin(&pci->access);
    for (unsigned i = 0; i < pci->vector_count; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);

        if ((pci->pending[i / 64] & bit) == 0 || vector_masked(pci, i))
            continue;
        pci->pending[i / 64] &= ~bit;
        send_message(pci, i, NULL);
    }
}

/* ---- Accesses to configuration space ---- */

/* SPEC: 4.1.4.9: a window into BAR 4 for software that cannot map it. */
static void cfg_window(IovVirtioPci *pci, bool write)
{
    const uint8_t *cap = &pci->space[CAP_PCI_CFG];
    uint32_t offset = get32(cap + VIRTIO_PCI_CAP_OFFSET);
    uint32_t size = get32(cap + VIRTIO_PCI_CAP_SIZE);
    struct iov_mem_req req = {
        .address = offset, .data = &pci->space[CFG_DATA], .size = size, .pasid = IOV_NO_PASID
    };

    if (cap[VIRTIO_PCI_CAP_BAR] != VIRTIO_PCI_BAR_MODERN || (size != 1 && size != 2 && size != 4) ||
        offset % size != 0)
        return;
    if (write)
        (void)iov_virtio_registers_write(&pci->registers, &req);
    else
        (void)iov_virtio_registers_read(&pci->registers, &req);
}

static bool touches(const struct iov_mem_req *req, uint64_t offset, uint32_t size)
{
    return req->address < offset + size && req->address + req->size > offset;
}

static enum iov_status config_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, config);

    if (req->address > sizeof pci->space || req->size > sizeof pci->space - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (touches(req, CFG_DATA, 4) && (req->flags & IOV_MEM_DEBUG) == 0)
        cfg_window(pci, false);
    memcpy(req->data, &pci->space[req->address], req->size);
    return IOV_STATUS_OK;
}

static enum iov_status config_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, config);
    const uint8_t *data = req->data;

    if (req->address > sizeof pci->space || req->size > sizeof pci->space - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint8_t mask = pci->writable[req->address + i];
        uint8_t *byte = &pci->space[req->address + i];

        *byte = (uint8_t)((*byte & ~mask) | (data[i] & mask));
    }
    if (touches(req, PCI_COMMAND, 2)) {
        pci->access.enabled = (get16(pci->space + PCI_COMMAND) & PCI_COMMAND_MASTER) != 0;
        iov_virtio_intx_update(pci, NULL);
    }
    if (touches(req, CAP_MSIX_CONTROL, 2)) {
        iov_virtio_intx_update(pci, NULL);
        iov_virtio_deliver_soon(pci);
    }
    if (touches(req, CFG_DATA, 4))
        cfg_window(pci, true);
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops iov_virtio_config_ops = { .read = config_read,
                                                          .write = config_write };

/* ---- Accesses to the MSI-X table and pending bits ---- */

static enum iov_status msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, msix);
    uint8_t *data = req->data;

    if (req->address > VIRTIO_PCI_BAR_MSIX_SIZE ||
        req->size > VIRTIO_PCI_BAR_MSIX_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t at = req->address + i;
        uint64_t bits = at - VIRTIO_PCI_MSIX_PBA;

        if (at < VIRTIO_PCI_MSIX_PBA)
            data[i] = pci->table[at];
        else if (bits < sizeof pci->pending)
            data[i] = (uint8_t)(pci->pending[bits / 8] >> (8 * (bits % 8)));
        else
            data[i] = 0;
    }
    return IOV_STATUS_OK;
}

static enum iov_status msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovVirtioPci *pci = iov_container_of(port, IovVirtioPci, msix);
    uint64_t end = (uint64_t)pci->vector_count * VIRTIO_MSIX_ENTRY_SIZE;
    const uint8_t *data = req->data;

    if (req->address > VIRTIO_PCI_BAR_MSIX_SIZE ||
        req->size > VIRTIO_PCI_BAR_MSIX_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t at = req->address + i;
        uint64_t field = at % VIRTIO_MSIX_ENTRY_SIZE;

        if (at >= end)
            continue; /* pending bits are read only, and there are no more vectors */
        if (field < VIRTIO_MSIX_ENTRY_CONTROL)
            pci->table[at] = data[i];
        else if (field == VIRTIO_MSIX_ENTRY_CONTROL)
            pci->table[at] = data[i] & VIRTIO_MSIX_ENTRY_MASKED;
    }
    iov_virtio_deliver_soon(pci);
    return IOV_STATUS_OK;
}

const struct iov_mem_target_ops iov_virtio_msix_ops = { .read = msix_read, .write = msix_write };
