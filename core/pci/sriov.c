/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SR-IOV capability of a physical function: its registers, those that follow from others, and
 * where its virtual functions and their BARs are.
 *
 * SPEC: PCI Express Base 5.0, 9.3.3. LIMIT: no VF migration.
 */
#include "core/pci/pci-private.h"

#define SRIOV_PAGE_SIZES 0x553u /* 4K, 8K, 64K, 256K, 1M, 4M: what every PF supports */

static void init_sriov_bar(struct iov_pci_space *space, uint16_t sriov,
                           const struct iov_pci_bar *bar)
{
    uint16_t at = (uint16_t)(sriov + PCI_SRIOV_BAR + DWORD * bar->index);

    IOV_REQUIRE((bar->size & (bar->size - 1)) == 0 && !(bar->flags & IOV_PCI_BAR_IO));
    IOV_REQUIRE(bar->index + (bar->flags & IOV_PCI_BAR_64 ? 1u : 0u) < PCI_SRIOV_NUM_BARS);
    if (bar->flags & IOV_PCI_BAR_PREFETCH)
        space->bytes[at] |= PCI_BASE_ADDRESS_MEM_PREFETCH;
    if (bar->flags & IOV_PCI_BAR_64)
        space->bytes[at] |= PCI_BASE_ADDRESS_MEM_TYPE_64;
}

void pci_sriov_init(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at, *writable = space->writable + row->at;

    IOV_REQUIRE(row->vfs >= 1 && row->vfs <= 255);
    space->sriov = row->at;
    pci_set16(at + PCI_SRIOV_INITIAL_VF, row->vfs);
    pci_set16(at + PCI_SRIOV_TOTAL_VF, row->vfs);
    pci_set16(at + PCI_SRIOV_VF_STRIDE, row->vf_stride);
    pci_set16(at + PCI_SRIOV_VF_DID, row->vf_device);
    pci_set32(at + PCI_SRIOV_SUP_PGSIZE, SRIOV_PAGE_SIZES);
    pci_set32(at + PCI_SRIOV_SYS_PGSIZE, 1);
    pci_set16(writable + PCI_SRIOV_CTRL,
              PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE | PCI_SRIOV_CTRL_ARI);
    pci_set16(writable + PCI_SRIOV_NUM_VF, 0xffff);
    pci_set32(writable + PCI_SRIOV_SYS_PGSIZE, SRIOV_PAGE_SIZES);
    for (unsigned i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
        if (row->vf_bars[i].size != 0)
            init_sriov_bar(space, row->at, &row->vf_bars[i]);
    }
    /* SPEC: 9.3.3.3.5: "ARI capable hierarchy" survives an FLR, NumVFs and VF enable do not. */
    pci_set16(space->sticky + row->at + PCI_SRIOV_CTRL, PCI_SRIOV_CTRL_ARI);
}

static const struct iov_pci_capability *sriov_row(const struct iov_pci_space *space)
{
    for (unsigned i = 0; i < space->capability_count; i++) {
        if (space->capabilities[i].extended && space->capabilities[i].id == PCI_EXT_CAP_ID_SRIOV)
            return &space->capabilities[i];
    }
    return NULL;
}

static uint16_t sriov_control(const struct iov_pci_space *space)
{
    return iov_pci_get16(space, (uint16_t)(space->sriov + PCI_SRIOV_CTRL));
}

/* SPEC: 9.3.3.13: a VF takes at least a system page. */
uint64_t iov_pci_vf_bar_size(const struct iov_pci_space *space, unsigned index)
{
    const struct iov_pci_capability *row = sriov_row(space);
    uint64_t size, page;

    if (row == NULL || index >= PCI_SRIOV_NUM_BARS)
        return 0;
    size = 0;
    for (unsigned i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
        if (row->vf_bars[i].size != 0 && row->vf_bars[i].index == index)
            size = row->vf_bars[i].size;
    }
    page = (uint64_t)iov_pci_get32(space, (uint16_t)(space->sriov + PCI_SRIOV_SYS_PGSIZE)) << 12;
    return size != 0 && size < page ? page : size;
}

unsigned iov_pci_vfs_enabled(const struct iov_pci_space *space)
{
    unsigned count, total;

    if (space->sriov == 0 || !(sriov_control(space) & PCI_SRIOV_CTRL_VFE))
        return 0;
    count = iov_pci_get16(space, (uint16_t)(space->sriov + PCI_SRIOV_NUM_VF));
    total = iov_pci_get16(space, (uint16_t)(space->sriov + PCI_SRIOV_TOTAL_VF));
    return count <= total ? count : 0;
}

unsigned iov_pci_vf_devfn(const struct iov_pci_space *space, unsigned vf)
{
    unsigned offset = iov_pci_get16(space, (uint16_t)(space->sriov + PCI_SRIOV_VF_OFFSET));
    unsigned stride = iov_pci_get16(space, (uint16_t)(space->sriov + PCI_SRIOV_VF_STRIDE));

    return space->function->devfn + offset + stride * vf;
}

uint64_t iov_pci_vf_bar_address(const struct iov_pci_space *space, unsigned index, unsigned vf)
{
    uint64_t size = iov_pci_vf_bar_size(space, index), address;
    uint16_t at = (uint16_t)(space->sriov + PCI_SRIOV_BAR + DWORD * index);
    bool wide;

    if (size == 0 || vf >= iov_pci_vfs_enabled(space) || !pci_is_on(space) ||
        !(sriov_control(space) & PCI_SRIOV_CTRL_MSE))
        return UINT64_MAX;
    wide = space->bytes[at] & PCI_BASE_ADDRESS_MEM_TYPE_64;
    address = iov_pci_get32(space, at) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
    if (wide)
        address |= (uint64_t)iov_pci_get32(space, (uint16_t)(at + DWORD)) << 32;
    if (address == 0 || address > (wide ? UINT64_MAX : UINT32_MAX) - size * (vf + 1))
        return UINT64_MAX;
    return address + size * vf;
}

void pci_sriov_derive(struct iov_pci_space *space)
{
    const struct iov_pci_capability *row = sriov_row(space);
    bool ari = sriov_control(space) & PCI_SRIOV_CTRL_ARI;
    uint8_t *at = space->bytes + space->sriov, *writable = space->writable + space->sriov;

    pci_set16(at + PCI_SRIOV_VF_OFFSET,
              ari || row->vf_offset_flat == 0 ? row->vf_offset : row->vf_offset_flat);
    for (unsigned i = 0; i < PCI_SRIOV_NUM_BARS; i++) {
        uint64_t mask = ~(iov_pci_vf_bar_size(space, i) - 1);
        uint8_t *bar = writable + PCI_SRIOV_BAR + DWORD * i;

        if (iov_pci_vf_bar_size(space, i) == 0)
            continue;
        pci_set32(bar, (uint32_t)mask & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
        pci_set32(at + PCI_SRIOV_BAR + DWORD * i,
                  pci_peek32(at + PCI_SRIOV_BAR + DWORD * i) &
                      ((uint32_t)mask | ~(uint32_t)PCI_BASE_ADDRESS_MEM_MASK));
        if (at[PCI_SRIOV_BAR + DWORD * i] & PCI_BASE_ADDRESS_MEM_TYPE_64)
            pci_set32(bar + DWORD, (uint32_t)(mask >> 32));
    }
}

void pci_sriov_filter(struct pci_write *write, unsigned reg)
{
    const struct iov_pci_space *space = write->space;
    uint32_t pages = write->value;

    bool enabled = sriov_control(space) & PCI_SRIOV_CTRL_VFE;

    /* SPEC: 9.3.3.3.5: only the PF with the lowest number has it, and not while VFs are on. */
    if (reg == PCI_SRIOV_CTRL && (enabled || space->function->devfn != 0))
        pci_keep(write, PCI_SRIOV_CTRL_ARI);
    if (enabled && (reg == PCI_SRIOV_NUM_VF || reg == PCI_SRIOV_SYS_PGSIZE))
        write->value = write->old;
    if (reg == PCI_SRIOV_SYS_PGSIZE && (pages == 0 || (pages & (pages - 1)) != 0))
        write->value = write->old;
}
