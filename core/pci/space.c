/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See space.h. The header and its BARs, reading, writing and resetting; capabilities are in
 * capability.c, messages in message.c.
 *
 * A write is taken DWORD by DWORD: masks first, then rules of the register that is meant, then what
 * follows from it. Reserved registers read zero. SPEC: PCI Local Bus 3.0, 6.1 and 6.2; PCI-to-PCI
 * Bridge 1.2, 3.2; PCI Express Base 5.0, 7.5.1.
 * LIMIT: no parity (its response bit is zero), no BIST, no fast back-to-back. A BAR that holds 0,
 * or all ones as during sizing, is not decoded, as on PCs.
 */
#include "core/pci/space.h"

#include <stdlib.h>

#include "core/pci/pci-private.h"

#define BRIDGE_CTL_VGA_16_BIT 0x10 /* not in <linux/pci_regs.h> */
#define ARRAYS 5u                  /* bytes, reset, writable, clearable, sticky */

/* ---- Making ---- */

/* Parity error response is not there: nothing checks parity. */
static void init_common(struct iov_pci_space *space, const struct iov_pci_header *header)
{
    uint8_t *bytes = space->bytes;

    pci_set16(bytes + PCI_VENDOR_ID, header->virtual_function ? 0xffff : header->vendor);
    pci_set16(bytes + PCI_DEVICE_ID, header->virtual_function ? 0xffff : header->device);
    pci_set32(bytes + PCI_CLASS_REVISION, header->class_code << 8 | header->revision);
    bytes[PCI_HEADER_TYPE] = (uint8_t)(header->type | (header->multifunction ? 0x80 : 0));
    if (header->virtual_function) { /* SPEC: PCI Express Base 5.0, 9.3.4.1.3 */
        pci_set16(space->writable + PCI_COMMAND, PCI_COMMAND_MASTER);
    } else {
        pci_set16(space->writable + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                                                     PCI_COMMAND_MASTER | PCI_COMMAND_SERR |
                                                     PCI_COMMAND_INTX_DISABLE);
        bytes[PCI_INTERRUPT_PIN] = header->interrupt_pin;
        space->writable[PCI_CACHE_LINE_SIZE] = 0xff;
        space->writable[PCI_INTERRUPT_LINE] = 0xff;
    }
    pci_set16(space->clearable + PCI_STATUS,
              PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
                  PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
                  PCI_STATUS_DETECTED_PARITY);
}

static void init_bridge(struct iov_pci_space *space)
{
    uint8_t *bytes = space->bytes, *writable = space->writable;

    memset(writable + PCI_PRIMARY_BUS, 0xff, 3);
    bytes[PCI_IO_BASE] = bytes[PCI_IO_LIMIT] = PCI_IO_RANGE_TYPE_16;
    writable[PCI_IO_BASE] = writable[PCI_IO_LIMIT] = PCI_IO_RANGE_MASK & 0xff;
    pci_set16(writable + PCI_MEMORY_BASE, 0xfff0);
    pci_set16(writable + PCI_MEMORY_LIMIT, 0xfff0);
    pci_set16(writable + PCI_PREF_MEMORY_BASE, 0xfff0);
    pci_set16(writable + PCI_PREF_MEMORY_LIMIT, 0xfff0);
    bytes[PCI_PREF_MEMORY_BASE] = bytes[PCI_PREF_MEMORY_LIMIT] = PCI_PREF_RANGE_TYPE_64;
    memset(writable + PCI_PREF_BASE_UPPER32, 0xff, 8);
    pci_set16(writable + PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA |
                                                 PCI_BRIDGE_CTL_VGA | BRIDGE_CTL_VGA_16_BIT |
                                                 PCI_BRIDGE_CTL_BUS_RESET);
    pci_set16(space->clearable + PCI_SEC_STATUS,
              PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
                  PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
                  PCI_STATUS_DETECTED_PARITY);
}

static uint16_t bar_offset(const struct iov_pci_space *space, unsigned index)
{
    if (index == IOV_PCI_ROM)
        return (space->bytes[PCI_HEADER_TYPE] & 0x7f) == 1 ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
    return (uint16_t)(PCI_BASE_ADDRESS_0 + DWORD * index);
}

static void init_bar(struct iov_pci_space *space, const struct iov_pci_bar *bar)
{
    unsigned last = (space->bytes[PCI_HEADER_TYPE] & 0x7f) == 1 ? 1 : 5;
    uint64_t mask = ~(bar->size - 1);
    uint16_t at;

    IOV_REQUIRE((bar->size & (bar->size - 1)) == 0);
    IOV_REQUIRE(bar->index == IOV_PCI_ROM ||
                bar->index + (bar->flags & IOV_PCI_BAR_64 ? 1u : 0u) <= last);
    IOV_REQUIRE(space->bars[bar->index].size == 0);
    space->bars[bar->index] = *bar;
    at = bar_offset(space, bar->index);
    if (bar->index == IOV_PCI_ROM) {
        pci_set32(space->writable + at,
                  ((uint32_t)mask & (uint32_t)PCI_ROM_ADDRESS_MASK) | PCI_ROM_ADDRESS_ENABLE);
        return;
    }
    if (bar->flags & IOV_PCI_BAR_IO) {
        IOV_REQUIRE(bar->size >= 4);
        space->bytes[at] = PCI_BASE_ADDRESS_SPACE_IO;
        pci_set32(space->writable + at, (uint32_t)mask & (uint32_t)PCI_BASE_ADDRESS_IO_MASK);
        return;
    }
    IOV_REQUIRE(bar->size >= 16);
    if (bar->flags & IOV_PCI_BAR_PREFETCH)
        space->bytes[at] |= PCI_BASE_ADDRESS_MEM_PREFETCH;
    pci_set32(space->writable + at, (uint32_t)mask & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
    if (bar->flags & IOV_PCI_BAR_64) {
        space->bytes[at] |= PCI_BASE_ADDRESS_MEM_TYPE_64;
        pci_set32(space->writable + at + DWORD, (uint32_t)(mask >> 32));
    } else {
        IOV_REQUIRE(bar->size <= UINT64_C(1) << 31);
    }
}

/* Places of the rows; two on the same bytes are a mistake of the model. */
static void place_capabilities(struct iov_pci_space *space, bool scratch)
{
    uint16_t next_plain = PCI_STD_HEADER_SIZEOF, next_extended = EXTENDED_BASE;
    uint8_t *taken = calloc(1, space->size);

    IOV_REQUIRE(taken != NULL);
    memset(taken, 1, PCI_STD_HEADER_SIZEOF);
    for (unsigned i = 0; i < space->capability_count; i++) {
        struct iov_pci_capability *row = &space->capabilities[i];
        uint16_t *next = row->extended ? &next_extended : &next_plain;
        unsigned limit = row->extended ? space->size : EXTENDED_BASE;

        if (row->at == 0)
            row->at = *next;
        row->size = pci_capability_size(row);
        IOV_REQUIRE(row->at % DWORD == 0 && (row->at >= EXTENDED_BASE) == row->extended);
        IOV_REQUIRE(row->at + (unsigned)row->size <= limit);
        for (unsigned byte = row->at; byte < row->at + (unsigned)row->size; byte++) {
            IOV_REQUIRE(!taken[byte]); /* capabilities overlap */
            taken[byte] = 1;
        }
        *next = (uint16_t)((row->at + row->size + 7u) & ~7u);
        if (!row->extended)
            *next = (uint16_t)((row->at + row->size + 3u) & ~3u);
    }
    for (unsigned byte = PCI_STD_HEADER_SIZEOF; scratch && byte < EXTENDED_BASE; byte++) {
        if (!taken[byte])
            space->writable[byte] = 0xff;
    }
    free(taken);
}

static void init_capabilities(struct iov_pci_space *space, bool scratch)
{
    bool first_extended = true;
    uint8_t *link = &space->bytes[PCI_CAPABILITY_LIST];

    place_capabilities(space, scratch);
    for (unsigned i = 0; i < space->capability_count; i++) {
        const struct iov_pci_capability *row = &space->capabilities[i];
        uint16_t next = 0;

        for (unsigned j = i + 1; j < space->capability_count && next == 0; j++) {
            if (space->capabilities[j].extended == row->extended)
                next = space->capabilities[j].at;
        }
        if (row->extended) {
            IOV_REQUIRE(!first_extended || row->at == EXTENDED_BASE);
            first_extended = false;
        } else if (link != NULL) {
            *link = (uint8_t)row->at;
            link = NULL;
            space->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
        }
        pci_capability_init(space, row, next);
    }
}

void iov_pci_space_init(struct iov_pci_space *space, struct iov_pci_function *function,
                        const struct iov_pci_header *header, const struct iov_pci_bar *bars,
                        const struct iov_pci_capability *capabilities, unsigned count)
{
    uint16_t size = header->conventional ? 256 : IOV_PCI_CONFIG_SIZE;
    uint8_t *block = calloc(ARRAYS, size);

    IOV_REQUIRE(block != NULL && header->type <= 1);
    *space = (struct iov_pci_space){ .function = function,
                                     .changed = space->changed,
                                     .size = size,
                                     .bytes = block,
                                     .reset = block + size,
                                     .writable = block + 2u * size,
                                     .clearable = block + 3u * size,
                                     .sticky = block + 4u * size,
                                     .conventional = header->conventional,
                                     .virtual_function = header->virtual_function };
    init_common(space, header);
    if (header->type == 1) {
        init_bridge(space);
    } else {
        pci_set16(space->bytes + PCI_SUBSYSTEM_VENDOR_ID, header->subsystem_vendor);
        pci_set16(space->bytes + PCI_SUBSYSTEM_ID, header->subsystem);
    }
    for (const struct iov_pci_bar *bar = bars; bar != NULL && bar->size != 0; bar++)
        init_bar(space, bar);
    if (count > 0) {
        space->capabilities = malloc(count * sizeof *capabilities);
        IOV_REQUIRE(space->capabilities != NULL);
        memcpy(space->capabilities, capabilities, count * sizeof *capabilities);
        space->capability_count = count;
    }
    init_capabilities(space, header->scratch);
    memcpy(space->reset, space->bytes, size);
    pci_capability_derive(space);
    pci_message_reset(space);
    function->space = space;
    iov_pci_decode_changed(function);
}

void iov_pci_space_clear(struct iov_pci_space *space)
{
    free(space->bytes);
    free(space->capabilities);
    pci_message_clear(space);
    *space = (struct iov_pci_space){ .function = space->function, .changed = space->changed };
}

uint16_t iov_pci_space_find(const struct iov_pci_space *space, uint16_t id, bool extended)
{
    for (unsigned i = 0; i < space->capability_count; i++) {
        if (space->capabilities[i].id == id && space->capabilities[i].extended == extended)
            return space->capabilities[i].at;
    }
    return 0;
}

/* ---- Windows ---- */

/* Address in a BAR-like register, or UINT64_MAX if it is not assigned or being sized. */
static uint64_t register_address(const struct iov_pci_space *space, uint16_t at, bool wide,
                                 uint32_t mask, uint64_t size)
{
    uint64_t address = iov_pci_get32(space, at) & mask;
    uint64_t highest = wide ? UINT64_MAX : UINT32_MAX;

    if (wide)
        address |= (uint64_t)iov_pci_get32(space, (uint16_t)(at + DWORD)) << 32;
    if (address == 0 || address > highest - size) /* the end would be all ones or beyond */
        return UINT64_MAX;
    return address;
}

uint64_t iov_pci_bar_address(const struct iov_pci_space *space, unsigned index)
{
    const struct iov_pci_bar *bar = &space->bars[index];
    uint16_t command = iov_pci_get16(space, PCI_COMMAND);
    uint16_t at = bar_offset(space, index);

    if (bar->size == 0 || !pci_is_on(space))
        return UINT64_MAX;
    if (!(command & (bar->flags & IOV_PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return UINT64_MAX;
    if (index == IOV_PCI_ROM) {
        if (!(iov_pci_get32(space, at) & PCI_ROM_ADDRESS_ENABLE))
            return UINT64_MAX;
        return register_address(space, at, false, (uint32_t)PCI_ROM_ADDRESS_MASK, bar->size);
    }
    if (bar->flags & IOV_PCI_BAR_IO)
        return register_address(space, at, false, (uint32_t)PCI_BASE_ADDRESS_IO_MASK, bar->size);
    return register_address(space, at, bar->flags & IOV_PCI_BAR_64,
                            (uint32_t)PCI_BASE_ADDRESS_MEM_MASK, bar->size);
}

unsigned iov_pci_space_windows(struct iov_pci_function *function, struct iov_pci_window *windows)
{
    const struct iov_pci_space *space = function->space;
    unsigned count = 0;

    if (space == NULL || space->bytes == NULL)
        return 0;
    for (unsigned i = 0; i < IOV_PCI_BARS; i++) {
        const struct iov_pci_bar *bar = &space->bars[i];
        uint64_t address = bar->size != 0 ? iov_pci_bar_address(space, i) : UINT64_MAX;

        if (address == UINT64_MAX || bar->target == NULL)
            continue;
        windows[count++] = (struct iov_pci_window){
            .base = address,
            .size = bar->size,
            .target = bar->target,
            .io = bar->flags & IOV_PCI_BAR_IO,
        };
    }
    return count;
}

/* ---- Reading and writing ---- */

static bool inside(const struct iov_pci_space *space, const struct iov_mem_req *req)
{
    return space != NULL && space->bytes != NULL && req->address < space->size &&
           req->size <= space->size - req->address;
}

enum iov_status iov_pci_space_read(struct iov_pci_function *function, struct iov_mem_req *req)
{
    const struct iov_pci_space *space = function->space;

    if (!inside(space, req))
        return IOV_STATUS_UNSUPPORTED;
    iov_mem_copy(req->data, space->bytes + req->address, req->size);
    return IOV_STATUS_OK;
}

static bool is_bar(const struct iov_pci_space *space, uint16_t at)
{
    if ((space->bytes[PCI_HEADER_TYPE] & 0x7f) == 1)
        return at == PCI_BASE_ADDRESS_0 || at == PCI_BASE_ADDRESS_1 || at == PCI_ROM_ADDRESS1;
    return (at >= PCI_BASE_ADDRESS_0 && at <= PCI_BASE_ADDRESS_5) || at == PCI_ROM_ADDRESS;
}

static void command_effect(struct pci_write *write)
{
    uint32_t changed = write->old ^ write->value;
    struct iov_pci_function *function = write->space->function;
    const struct iov_irq_source *interrupt = function->interrupt;

    write->known = true;
    if (changed & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
        write->what |= IOV_PCI_CHANGED_DECODE;
    if (changed & PCI_COMMAND_MASTER) {
        write->what |= IOV_PCI_CHANGED_MASTER;
        write->flush = true;
    }
    if (changed & PCI_COMMAND_INTX_DISABLE) {
        write->what |= IOV_PCI_CHANGED_INTX;
        if (interrupt != NULL && interrupt->peer == &function->intx && interrupt->level)
            pci_intx_tell(function, !(write->value & PCI_COMMAND_INTX_DISABLE), NULL);
    }
}

static void write_effect(struct pci_write *write)
{
    if (write->at == PCI_COMMAND) {
        command_effect(write);
    } else if (is_bar(write->space, write->at)) {
        write->known = true;
        if (write->old != write->value)
            write->what |= IOV_PCI_CHANGED_DECODE;
    } else {
        pci_capability_effect(write);
    }
}

static void write_dword(struct pci_write *write, uint32_t value)
{
    struct iov_pci_space *space = write->space;
    uint32_t writable = pci_peek32(space->writable + write->at) & write->written;
    uint32_t clearable = pci_peek32(space->clearable + write->at) & write->written;

    write->known = false;
    if ((writable | clearable) == 0) {
        write->known = true;
        return;
    }
    write->old = pci_peek32(space->bytes + write->at);
    write->value = (write->old & ~writable) | (value & writable);
    write->value &= ~(value & clearable);
    pci_capability_filter(write);
    pci_set32(space->bytes + write->at, write->value);
    write_effect(write);
}

enum iov_status iov_pci_space_write(struct iov_pci_function *function, struct iov_mem_req *req)
{
    struct iov_pci_space *space = function->space;
    const uint8_t *data = req->data;
    struct pci_write write = { .space = space, .delay = req->delay };
    bool all_known = true;

    if (!inside(space, req))
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t done = 0; done < req->size;) {
        uint32_t address = (uint32_t)req->address + done, first = address % DWORD;
        uint32_t count = DWORD - first, value = 0;

        if (count > req->size - done)
            count = req->size - done;
        write.at = (uint16_t)(address - first);
        write.written = 0;
        for (uint32_t i = 0; i < count; i++) {
            value |= (uint32_t)data[done + i] << 8 * (first + i);
            write.written |= UINT32_C(0xff) << 8 * (first + i);
        }
        write_dword(&write, value);
        all_known = all_known && write.known;
        done += count;
    }
    if (!all_known)
        write.what |= IOV_PCI_CHANGED_OTHER;
    if (write.what & (IOV_PCI_CHANGED_DECODE | IOV_PCI_CHANGED_POWER | IOV_PCI_CHANGED_SRIOV))
        iov_pci_decode_changed(function);
    if (write.flush)
        pci_message_flush(space, req->delay);
    if (write.what != 0 && space->changed != NULL)
        space->changed(function, write.what, (uint16_t)req->address, (uint16_t)req->size);
    return IOV_STATUS_OK;
}

/* ---- Reset ---- */

/* SPEC: PCI Express Base 5.0, 6.6.2: what a function level reset leaves alone, beside sticky
 * bits. */
static uint8_t kept_bits(const struct iov_pci_space *space, unsigned at, enum iov_pci_reset kind)
{
    uint8_t kept = space->sticky[at];

    if (kind != IOV_PCI_RESET_FUNCTION || space->express == 0)
        return kept;
    if (at == (unsigned)space->express + PCI_EXP_DEVCTL)
        kept |= PCI_EXP_DEVCTL_PAYLOAD;
    if (at / 2 == (space->express + PCI_EXP_LNKCTL) / 2u)
        kept = 0xff;
    return kept;
}

void iov_pci_space_reset(struct iov_pci_space *space, enum iov_pci_reset kind)
{
    struct iov_pci_function *function = space->function;
    const struct iov_irq_source *interrupt = function->interrupt;
    bool disabled = iov_pci_get16(space, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;

    for (unsigned at = 0; at < space->size; at++) {
        uint8_t kept = kind == IOV_PCI_RESET_COLD ? 0 : kept_bits(space, at, kind);

        space->bytes[at] = (uint8_t)((space->bytes[at] & kept) | (space->reset[at] & ~kept));
    }
    pci_capability_derive(space);
    pci_message_reset(space);
    if (interrupt != NULL && interrupt->peer == &function->intx && interrupt->level) {
        space->bytes[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
        if (disabled)
            pci_intx_tell(function, true, NULL);
    }
    iov_pci_decode_changed(function);
}
