/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message-signalled interrupts of a function: MSI and MSI-X. A message is a DWORD write that leaves
 * by the function's DMA; one that is masked becomes pending and goes when the mask does. The late
 * message announces no request: that may be over.
 *
 * SPEC: PCI Local Bus 3.0, 6.8.1 (MSI), 6.8.2 (MSI-X), 6.8.3 (masks and pending bits).
 * LIMIT: the MSI-X table takes accesses of every size and alignment; the standard defines aligned
 * DWORDs and QWORDs only.
 */
#include <stdlib.h>

#include "core/pci/pci-private.h"

#define INTERRUPT_RANGE 0xfeeu /* address bits 31:20 of what the fabric takes as an interrupt */

static uint16_t msix_flags(const struct iov_pci_space *space)
{
    return iov_pci_get16(space, (uint16_t)(space->msix + PCI_MSIX_FLAGS));
}

static uint16_t msi_flags(const struct iov_pci_space *space)
{
    return iov_pci_get16(space, (uint16_t)(space->msi + PCI_MSI_FLAGS));
}

bool iov_pci_msix_enabled(const struct iov_pci_space *space)
{
    return space->msix != 0 && (msix_flags(space) & PCI_MSIX_FLAGS_ENABLE);
}

bool iov_pci_msi_enabled(const struct iov_pci_space *space)
{
    return space->msi != 0 && (msi_flags(space) & PCI_MSI_FLAGS_ENABLE);
}

/*
 * A message may be addressed to the function itself and make it send another: that one waits in its
 * pending bit (MSI-X) or is lost (MSI), so that software cannot make a loop of calls. LIMIT:
 * hardware would go on for ever, in time.
 */
static void send(struct iov_pci_space *space, uint64_t address, uint32_t data, iov_time delay,
                 struct iov_span *span)
{
    struct iov_mem_req req = {
        .address = address,
        .data = &data,
        .size = sizeof data,
        .requester = space->function->requester,
        .flags = address >> 20 == INTERRUPT_RANGE ? IOV_MEM_INTERRUPT : 0,
        .pasid = IOV_NO_PASID,
        .delay = delay,
        .span = span,
    };

    space->interrupts++;
    space->sending = true;
    /* Posted: a message to nowhere is lost. */
    if (space->function->dma != NULL)
        (void)iov_mem_write_req(space->function->dma, &req);
    space->sending = false;
}

/* ---- MSI ---- */

static unsigned msi_granted(const struct iov_pci_space *space)
{
    unsigned flags = msi_flags(space);
    unsigned capable = flags >> 1 & 7, granted = flags >> 4 & 7;

    return 1u << (granted < capable ? granted : capable);
}

static bool msi_maskable(const struct iov_pci_space *space)
{
    return msi_flags(space) & PCI_MSI_FLAGS_MASKBIT;
}

/* Place of the mask bits; the pending bits follow. */
static uint16_t msi_mask_at(const struct iov_pci_space *space)
{
    bool wide = msi_flags(space) & PCI_MSI_FLAGS_64BIT;

    return (uint16_t)(space->msi + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32));
}

static void msi_send(struct iov_pci_space *space, unsigned vector, iov_time delay,
                     struct iov_span *span)
{
    bool wide = msi_flags(space) & PCI_MSI_FLAGS_64BIT;
    uint64_t address = iov_pci_get32(space, (uint16_t)(space->msi + PCI_MSI_ADDRESS_LO));
    uint32_t data =
        iov_pci_get16(space, (uint16_t)(space->msi + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32)));

    if (wide)
        address |= (uint64_t)iov_pci_get32(space, (uint16_t)(space->msi + PCI_MSI_ADDRESS_HI))
                   << 32;
    data = (data & ~(msi_granted(space) - 1)) | vector;
    send(space, address, data, delay, span);
}

static void msi_message(struct iov_pci_space *space, unsigned vector, iov_time delay,
                        struct iov_span *span)
{
    vector %= msi_granted(space);
    if (msi_maskable(space)) {
        uint16_t at = msi_mask_at(space);
        uint32_t pending = iov_pci_get32(space, (uint16_t)(at + DWORD));

        if (iov_pci_get32(space, at) >> vector & 1) {
            pci_set32(space->bytes + at + DWORD, pending | UINT32_C(1) << vector);
            space->interrupts_pending++;
            return;
        }
    }
    if (!space->sending)
        msi_send(space, vector, delay, span);
}

static void msi_flush(struct iov_pci_space *space, iov_time delay)
{
    uint16_t at = msi_mask_at(space);
    uint32_t pending;

    if (!msi_maskable(space))
        return;
    pending = iov_pci_get32(space, (uint16_t)(at + DWORD));
    for (unsigned vector = 0; vector < 32 && pending != 0; vector++) {
        uint32_t bit = UINT32_C(1) << vector;

        if (!(pending & bit) || (iov_pci_get32(space, at) & bit))
            continue;
        pending &= ~bit;
        pci_set32(space->bytes + at + DWORD, pending);
        msi_send(space, vector % msi_granted(space), delay, NULL);
    }
}

/* ---- MSI-X ---- */

static bool msix_masked(const struct iov_pci_space *space, unsigned vector)
{
    const uint8_t *entry = space->table + vector * PCI_MSIX_ENTRY_SIZE;

    return (msix_flags(space) & PCI_MSIX_FLAGS_MASKALL) ||
           (entry[PCI_MSIX_ENTRY_VECTOR_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void msix_send(struct iov_pci_space *space, unsigned vector, iov_time delay,
                      struct iov_span *span)
{
    const uint8_t *entry = space->table + vector * PCI_MSIX_ENTRY_SIZE;
    uint64_t address = pci_peek32(entry + PCI_MSIX_ENTRY_LOWER_ADDR) & ~UINT32_C(3);

    address |= (uint64_t)pci_peek32(entry + PCI_MSIX_ENTRY_UPPER_ADDR) << 32;
    send(space, address, pci_peek32(entry + PCI_MSIX_ENTRY_DATA), delay, span);
}

static void msix_message(struct iov_pci_space *space, unsigned vector, iov_time delay,
                         struct iov_span *span)
{
    if (vector >= space->vectors)
        return;
    if (!msix_masked(space, vector) && !space->sending) {
        msix_send(space, vector, delay, span);
        return;
    }
    space->pending[vector / 64] |= UINT64_C(1) << vector % 64;
    space->interrupts_pending++;
}

/* Messages that were pending and are not masked any more; `count` words of pending bits. */
static void msix_flush(struct iov_pci_space *space, iov_time delay)
{
    for (unsigned word = 0; word < (space->vectors + 63u) / 64; word++) {
        uint64_t bits = space->pending[word];

        while (bits != 0) {
            unsigned vector = word * 64 + (unsigned)__builtin_ctzll(bits);

            bits &= bits - 1;
            if (msix_masked(space, vector) || !iov_pci_msix_enabled(space))
                continue;
            space->pending[word] &= ~(UINT64_C(1) << vector % 64);
            msix_send(space, vector, delay, NULL);
        }
    }
}

static enum iov_status table_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    const struct iov_pci_space *space = iov_container_of(port, struct iov_pci_space, msix_table);

    if (req->address >= port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    iov_mem_copy(req->data, space->table + req->address, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status table_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    struct iov_pci_space *space = iov_container_of(port, struct iov_pci_space, msix_table);
    const uint8_t *data = req->data;

    if (req->address >= port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t at = req->address + i;
        unsigned field = at % PCI_MSIX_ENTRY_SIZE;

        if (field < PCI_MSIX_ENTRY_VECTOR_CTRL)
            space->table[at] = data[i];
        else if (field == PCI_MSIX_ENTRY_VECTOR_CTRL)
            space->table[at] = data[i] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
    pci_message_flush(space, req->delay);
    return IOV_STATUS_OK;
}

/* Beyond the last vector of the last QWORD, and on: zero. */
static enum iov_status pending_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    const struct iov_pci_space *space = iov_container_of(port, struct iov_pci_space, msix_pending);
    uint8_t *data = req->data;

    if (req->address >= port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint64_t at = req->address + i;

        data[i] = (uint8_t)(space->pending[at / 8] >> 8 * (at % 8));
    }
    return IOV_STATUS_OK;
}

static enum iov_status pending_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    if (req->address >= port->size || req->size > port->size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    return IOV_STATUS_OK; /* read only */
}

static const struct iov_mem_target_ops table_ops = { .read = table_read, .write = table_write };
static const struct iov_mem_target_ops pending_ops = { .read = pending_read,
                                                       .write = pending_write };

/* ---- Both ---- */

void pci_message_init(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    size_t words = (row->vectors + 63u) / 64;

    space->vectors = row->vectors;
    space->table = calloc(row->vectors, PCI_MSIX_ENTRY_SIZE);
    space->pending = calloc(words, sizeof *space->pending);
    IOV_REQUIRE(space->table != NULL && space->pending != NULL);
    space->msix_table =
        (struct iov_mem_target){ .ops = &table_ops,
                                 .size = row->vectors * (uint64_t)PCI_MSIX_ENTRY_SIZE };
    space->msix_pending = (struct iov_mem_target){ .ops = &pending_ops, .size = words * 8 };
}

void pci_message_clear(struct iov_pci_space *space)
{
    free(space->table);
    free(space->pending);
}

void pci_message_reset(struct iov_pci_space *space)
{
    if (space->vectors == 0)
        return;
    memset(space->table, 0, space->vectors * (size_t)PCI_MSIX_ENTRY_SIZE);
    memset(space->pending, 0, (space->vectors + 63u) / 64 * sizeof *space->pending);
    for (unsigned i = 0; i < space->vectors; i++)
        space->table[i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL] =
            PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void iov_pci_message(struct iov_pci_space *space, unsigned vector, iov_time delay,
                     struct iov_span *span)
{
    if (!iov_pci_master(space))
        return;
    if (iov_pci_msix_enabled(space))
        msix_message(space, vector, delay, span);
    else if (iov_pci_msi_enabled(space))
        msi_message(space, vector, delay, span);
}

void pci_message_flush(struct iov_pci_space *space, iov_time delay)
{
    if (!iov_pci_master(space) || space->sending)
        return;
    if (iov_pci_msix_enabled(space))
        msix_flush(space, delay);
    else if (iov_pci_msi_enabled(space))
        msi_flush(space, delay);
}

void iov_pci_message_flush(struct iov_pci_space *space)
{
    pci_message_flush(space, 0);
}
