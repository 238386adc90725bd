/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities of a configuration space: for each kind its size, its registers with their masks,
 * and the rules that masks cannot say. MSI and MSI-X have their registers here and their behaviour
 * in message.c; SR-IOV is in sriov.c.
 *
 * SPEC: PCI Power Management 1.2, 3.2; PCI Local Bus 3.0, 6.8; PCI Express Base 5.0, 7.5.2
 * (power), 7.5.3 (express), 7.8.4 (AER), 7.8.8 (ARI), 7.7.8 (ACS), 10.5 (ATS, page requests), 7.8.9
 * (PASID), 7.9.3 (serial number).
 * LIMIT: D1 and D2, slots beyond presence, ACS egress control vectors, ECRC are not there.
 */
#include "core/pci/pci-private.h"

#define EXTENDED_VERSION_SHIFT 16
#define EXTENDED_NEXT_SHIFT 20

/* Names that <linux/pci_regs.h> does not have. */
#define EXP_DEVCTL_RESET (PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN)
#define EXP_VERSION_1_SIZE 0x14
#define EXP_SIZE 0x3c
#define ERR_SIZE 0x48

/* Every uncorrectable error that is defined; those that are fatal by default. */
#define UNCORRECTABLE_ALL 0x03fff030u
#define UNCORRECTABLE_FATAL \
    (PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP | PCI_ERR_UNC_RX_OVER | \
     PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_INTN)
#define CORRECTABLE_ALL 0x0000f1c1u
#define CORRECTABLE_MASKED (PCI_ERR_COR_ADV_NFAT | PCI_ERR_COR_INTERNAL | PCI_ERR_COR_LOG_OVER)

static bool is_port(const struct iov_pci_capability *row)
{
    return row->type == PCI_EXP_TYPE_ROOT_PORT || row->type == PCI_EXP_TYPE_UPSTREAM ||
           row->type == PCI_EXP_TYPE_DOWNSTREAM;
}

/* 128 bytes are 0, 4096 are 5. */
static unsigned size_code(unsigned bytes)
{
    unsigned code = 0;

    while (code < 5 && 128u << code < bytes)
        code++;
    return code;
}

/* ---- Each kind's registers; `at` is the capability's place in all four arrays ---- */

static void init_power(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at;
    unsigned version = row->version != 0 ? row->version : 3;
    uint32_t control = PCI_PM_CTRL_STATE_MASK;

    space->power = row->at;
    pci_set16(at + PCI_PM_PMC, version | row->pm);
    pci_set16(at + PCI_PM_CTRL, row->no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0);
    if (row->pm & PCI_PM_CAP_PME_MASK) {
        control |= PCI_PM_CTRL_PME_ENABLE;
        pci_set16(space->clearable + row->at + PCI_PM_CTRL, PCI_PM_CTRL_PME_STATUS);
        if (row->pm & PCI_PM_CAP_PME_D3cold)
            pci_set16(space->sticky + row->at + PCI_PM_CTRL,
                      PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS);
    }
    pci_set16(space->writable + row->at + PCI_PM_CTRL, control);
}

static unsigned log2_of(unsigned vectors)
{
    unsigned code = 0;

    while (1u << code < vectors)
        code++;
    return code;
}

static void init_msi(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *writable = space->writable + row->at;
    unsigned data = row->wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
    unsigned mask = row->wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
    unsigned vectors = row->vectors != 0 ? row->vectors : 1;

    IOV_REQUIRE(vectors <= 32 && (vectors & (vectors - 1)) == 0);
    space->msi = row->at;
    pci_set16(space->bytes + row->at + PCI_MSI_FLAGS,
              log2_of(vectors) << 1 | (row->wide ? PCI_MSI_FLAGS_64BIT : 0) |
                  (row->maskable ? PCI_MSI_FLAGS_MASKBIT : 0));
    pci_set16(writable + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    pci_set32(writable + PCI_MSI_ADDRESS_LO, 0xfffffffc);
    if (row->wide)
        pci_set32(writable + PCI_MSI_ADDRESS_HI, UINT32_MAX);
    pci_set16(writable + data, 0xffff);
    if (row->maskable)
        pci_set32(writable + mask, (uint32_t)(UINT64_MAX >> (64 - vectors)));
}

static void init_msix(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    unsigned pending_bar = row->pending_bar != 0 ? row->pending_bar : row->bar;
    uint8_t *at = space->bytes + row->at;

    IOV_REQUIRE(row->vectors >= 1 && row->vectors <= IOV_PCI_VECTORS_MAX);
    IOV_REQUIRE(row->bar < IOV_PCI_ROM && pending_bar < IOV_PCI_ROM);
    IOV_REQUIRE(row->table % 8 == 0 && row->pending % 8 == 0);
    IOV_REQUIRE(space->virtual_function ||
                row->table + UINT64_C(16) * row->vectors <= space->bars[row->bar].size);
    IOV_REQUIRE(space->virtual_function || row->pending + (row->vectors + UINT64_C(63)) / 64 * 8 <=
                                               space->bars[pending_bar].size);
    space->msix = row->at;
    pci_set16(at + PCI_MSIX_FLAGS, row->vectors - 1u);
    pci_set32(at + PCI_MSIX_TABLE, row->table | row->bar);
    pci_set32(at + PCI_MSIX_PBA, row->pending | pending_bar);
    pci_set16(space->writable + row->at + PCI_MSIX_FLAGS,
              PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    pci_message_init(space, row);
}

static void init_express_link(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at;
    unsigned generation = row->generation != 0 ? row->generation : 1;
    unsigned link = generation | (row->lanes != 0 ? row->lanes : 1u) << 4;
    bool downstream = row->type == PCI_EXP_TYPE_ROOT_PORT || row->type == PCI_EXP_TYPE_DOWNSTREAM;

    pci_set32(at + PCI_EXP_LNKCAP, link | PCI_EXP_LNKCAP_ASPM_L0S |
                                       (downstream ? PCI_EXP_LNKCAP_DLLLARC : 0) |
                                       (uint32_t)row->port_number << 24);
    pci_set16(at + PCI_EXP_LNKSTA, link | (downstream ? PCI_EXP_LNKSTA_DLLLA : 0));
    if (row->type == PCI_EXP_TYPE_RC_END)
        return;
    pci_set16(space->writable + row->at + PCI_EXP_LNKCTL,
              PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES |
                  (downstream ? PCI_EXP_LNKCTL_LD : 0) | (is_port(row) ? 0 : PCI_EXP_LNKCTL_RCB));
    if (row->version == 1 || generation == 1)
        return;
    pci_set32(at + PCI_EXP_LNKCAP2, ((2u << generation) - 1) & ~1u);
    pci_set16(at + PCI_EXP_LNKCTL2, generation);
    pci_set16(space->writable + row->at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS);
    pci_set16(space->sticky + row->at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS);
}

static void init_express_slot(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at;

    pci_set32(at + PCI_EXP_SLTCAP,
              PCI_EXP_SLTCAP_NCCS | PCI_EXP_SLTCAP_HPC | (uint32_t)row->port_number << 19);
    pci_set16(space->writable + row->at + PCI_EXP_SLTCTL,
              PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_DLLSCE);
    pci_set16(space->clearable + row->at + PCI_EXP_SLTSTA,
              PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
}

static void init_express(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at, *writable = space->writable + row->at;
    unsigned version = row->version != 0 ? row->version : 2;
    bool integrated = row->type == PCI_EXP_TYPE_RC_END;
    unsigned requests = row->max_read_request != 0 ? row->max_read_request : 512;

    space->express = row->at;
    pci_set16(at + PCI_EXP_FLAGS,
              version | (unsigned)row->type << 4 | (row->slot ? PCI_EXP_FLAGS_SLOT : 0));
    pci_set32(at + PCI_EXP_DEVCAP, size_code(row->max_payload) | PCI_EXP_DEVCAP_RBER |
                                       (row->flr ? PCI_EXP_DEVCAP_FLR : 0));
    pci_set16(at + PCI_EXP_DEVCTL,
              size_code(requests) << 12 | (integrated || is_port(row) ? 0 : EXP_DEVCTL_RESET));
    pci_set16(writable + PCI_EXP_DEVCTL,
              PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
                  PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_PAYLOAD |
                  (integrated || is_port(row) ? 0 : EXP_DEVCTL_RESET) |
                  (row->max_read_request == 128 ? 0 : PCI_EXP_DEVCTL_READRQ) |
                  (row->flr ? PCI_EXP_DEVCTL_BCR_FLR : 0));
    pci_set16(space->clearable + row->at + PCI_EXP_DEVSTA,
              PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD);
    init_express_link(space, row);
    if (row->slot)
        init_express_slot(space, row);
    if (row->type == PCI_EXP_TYPE_ROOT_PORT) {
        pci_set16(writable + PCI_EXP_RTCTL, PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE |
                                                PCI_EXP_RTCTL_SEFEE | PCI_EXP_RTCTL_PMEIE);
        pci_set32(space->clearable + row->at + PCI_EXP_RTSTA, PCI_EXP_RTSTA_PME);
    }
    if (version == 1)
        return;
    pci_set32(at + PCI_EXP_DEVCAP2, row->device2 | (row->ari_forwarding ? PCI_EXP_DEVCAP2_ARI : 0) |
                                        (integrated ? 0 : PCI_EXP_DEVCAP2_COMP_TMOUT_DIS));
    pci_set16(writable + PCI_EXP_DEVCTL2, (row->ari_forwarding ? PCI_EXP_DEVCTL2_ARI : 0) |
                                              (integrated ? 0 : PCI_EXP_DEVCTL2_COMP_TMOUT_DIS));
}

static void init_vendor(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    unsigned header = row->extended ? 4 : 2;

    if (row->bytes != NULL)
        memcpy(space->bytes + row->at + header, row->bytes, row->size - header);
    if (row->writable != NULL)
        memcpy(space->writable + row->at + header, row->writable, row->size - header);
}

static void init_error(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at, *writable = space->writable + row->at;
    uint8_t *clearable = space->clearable + row->at, *sticky = space->sticky + row->at;

    space->error = row->at;
    pci_set32(clearable + PCI_ERR_UNCOR_STATUS, UNCORRECTABLE_ALL);
    pci_set32(writable + PCI_ERR_UNCOR_MASK, UNCORRECTABLE_ALL);
    pci_set32(writable + PCI_ERR_UNCOR_SEVER, UNCORRECTABLE_ALL);
    pci_set32(clearable + PCI_ERR_COR_STATUS, CORRECTABLE_ALL);
    pci_set32(writable + PCI_ERR_COR_MASK, CORRECTABLE_ALL);
    pci_set32(at + PCI_ERR_UNCOR_MASK, PCI_ERR_UNC_INTN | PCI_ERR_UNC_TLPPRE);
    pci_set32(at + PCI_ERR_UNCOR_SEVER, UNCORRECTABLE_FATAL);
    pci_set32(at + PCI_ERR_COR_MASK, CORRECTABLE_MASKED);
    memset(sticky + PCI_ERR_UNCOR_STATUS, 0xff, PCI_ERR_HEADER_LOG + 16 - PCI_ERR_UNCOR_STATUS);
}

/* Of a root port: what it hears of others. */
static void init_root_error(struct iov_pci_space *space)
{
    uint16_t at = space->error;

    pci_set32(space->writable + at + PCI_ERR_ROOT_COMMAND,
              PCI_ERR_ROOT_CMD_COR_EN | PCI_ERR_ROOT_CMD_NONFATAL_EN | PCI_ERR_ROOT_CMD_FATAL_EN);
    pci_set32(space->clearable + at + PCI_ERR_ROOT_STATUS, 0x7f);
    pci_set32(space->sticky + at + PCI_ERR_ROOT_STATUS, 0x7f);
    pci_set32(space->sticky + at + PCI_ERR_ROOT_ERR_SRC, UINT32_MAX);
}

static void init_access_control(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    space->access_control = row->at;
    pci_set16(space->bytes + row->at + PCI_ACS_CAP, row->acs);
    pci_set16(space->writable + row->at + PCI_ACS_CTRL, row->acs & 0x7f);
}

static void init_ats(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    space->ats = row->at;
    pci_set16(space->bytes + row->at + PCI_ATS_CAP,
              (row->queue_depth & 0x1fu) | PCI_ATS_CAP_PAGE_ALIGNED);
    pci_set16(space->writable + row->at + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE | 0x1f);
}

static void init_page_request(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    space->page_request = row->at;
    pci_set16(space->bytes + row->at + PCI_PRI_STATUS, PCI_PRI_STATUS_STOPPED);
    pci_set32(space->bytes + row->at + PCI_PRI_MAX_REQ, row->requests);
    pci_set16(space->writable + row->at + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE | PCI_PRI_CTRL_RESET);
    pci_set16(space->clearable + row->at + PCI_PRI_STATUS,
              PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI);
    pci_set32(space->writable + row->at + PCI_PRI_ALLOC_REQ, UINT32_MAX);
}

static void init_pasid(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    IOV_REQUIRE(row->pasid_bits <= 20);
    space->pasid = row->at;
    pci_set16(space->bytes + row->at + PCI_PASID_CAP, (unsigned)row->pasid_bits << 8);
    pci_set16(space->writable + row->at + PCI_PASID_CTRL, PCI_PASID_CTRL_ENABLE);
}

/* ---- All kinds ---- */

static uint16_t msi_size(const struct iov_pci_capability *row)
{
    return (uint16_t)((row->wide ? 0x0e : 0x0a) + (row->maskable ? 10 : 0));
}

uint16_t pci_capability_size(const struct iov_pci_capability *row)
{
    if (row->size != 0)
        return row->size;
    if (row->extended) {
        switch (row->id) {
        case PCI_EXT_CAP_ID_ERR:
            return ERR_SIZE;
        case PCI_EXT_CAP_ID_DSN:
            return 12;
        case PCI_EXT_CAP_ID_PRI:
            return 16;
        case PCI_EXT_CAP_ID_SRIOV:
            return SRIOV_SIZE;
        default:
            return 8;
        }
    }
    switch (row->id) {
    case PCI_CAP_ID_MSI:
        return msi_size(row);
    case PCI_CAP_ID_MSIX:
        return 12;
    case PCI_CAP_ID_EXP:
        return row->version == 1 ? EXP_VERSION_1_SIZE : EXP_SIZE;
    default:
        return 8;
    }
}

static void init_extended(struct iov_pci_space *space, const struct iov_pci_capability *row)
{
    uint8_t *at = space->bytes + row->at;

    switch (row->id) {
    case PCI_EXT_CAP_ID_ERR:
        init_error(space, row);
        break;
    case PCI_EXT_CAP_ID_DSN:
        pci_set32(at + 4, (uint32_t)row->serial);
        pci_set32(at + 8, (uint32_t)(row->serial >> 32));
        break;
    case PCI_EXT_CAP_ID_ARI:
        space->ari = row->at;
        pci_set16(at + PCI_ARI_CAP, (unsigned)row->next_function << 8);
        break;
    case PCI_EXT_CAP_ID_ACS:
        init_access_control(space, row);
        break;
    case PCI_EXT_CAP_ID_ATS:
        init_ats(space, row);
        break;
    case PCI_EXT_CAP_ID_PRI:
        init_page_request(space, row);
        break;
    case PCI_EXT_CAP_ID_PASID:
        init_pasid(space, row);
        break;
    case PCI_EXT_CAP_ID_SRIOV:
        pci_sriov_init(space, row);
        break;
    default:
        init_vendor(space, row);
        break;
    }
}

static unsigned extended_version(const struct iov_pci_capability *row)
{
    if (row->version != 0)
        return row->version;
    return row->id == PCI_EXT_CAP_ID_ERR ? 2 : 1;
}

void pci_capability_init(struct iov_pci_space *space, const struct iov_pci_capability *row,
                         uint16_t next)
{
    uint8_t *at = space->bytes + row->at;

    if (row->extended) {
        pci_set32(at, row->id | extended_version(row) << EXTENDED_VERSION_SHIFT |
                          (uint32_t)next << EXTENDED_NEXT_SHIFT);
        init_extended(space, row);
    } else {
        at[PCI_CAP_LIST_ID] = (uint8_t)row->id;
        at[PCI_CAP_LIST_NEXT] = (uint8_t)next;
        switch (row->id) {
        case PCI_CAP_ID_PM:
            init_power(space, row);
            break;
        case PCI_CAP_ID_MSI:
            init_msi(space, row);
            break;
        case PCI_CAP_ID_MSIX:
            init_msix(space, row);
            break;
        case PCI_CAP_ID_EXP:
            init_express(space, row);
            break;
        default:
            init_vendor(space, row);
            break;
        }
    }
    if (space->error != 0 && space->express != 0 &&
        (space->bytes[space->express + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_TYPE) ==
            PCI_EXP_TYPE_ROOT_PORT << 4)
        init_root_error(space);
}

void pci_capability_derive(struct iov_pci_space *space)
{
    if (space->sriov != 0)
        pci_sriov_derive(space);
}

/* ---- Writes: what masks cannot say ---- */

void pci_capability_filter(struct pci_write *write)
{
    const struct iov_pci_space *space = write->space;

    if (space->power != 0 && write->at == space->power + PCI_PM_CTRL) {
        unsigned state = write->value & PCI_PM_CTRL_STATE_MASK;

        /* SPEC: PCI Power Management 1.2, 3.2.4: a state that is not supported is not entered. */
        if (state == 1 || state == 2)
            pci_keep(write, PCI_PM_CTRL_STATE_MASK);
    } else if (space->sriov != 0 && write->at >= space->sriov &&
               write->at < space->sriov + SRIOV_SIZE) {
        pci_sriov_filter(write, (unsigned)(write->at - space->sriov));
    } else if (space->page_request != 0 && write->at == space->page_request + PCI_PRI_CTRL) {
        if (write->value & PCI_PRI_CTRL_ENABLE)
            write->value &= ~((uint32_t)PCI_PRI_STATUS_STOPPED << 16);
        else
            write->value |= (uint32_t)PCI_PRI_STATUS_STOPPED << 16;
        write->value &= ~(uint32_t)PCI_PRI_CTRL_RESET;
    }
}

static void effect_power(struct pci_write *write)
{
    unsigned before = write->old & PCI_PM_CTRL_STATE_MASK;
    unsigned after = write->value & PCI_PM_CTRL_STATE_MASK;

    write->known = true;
    if (before == after)
        return;
    write->what |= IOV_PCI_CHANGED_POWER;
    if (after == 0 && !(write->value & PCI_PM_CTRL_NO_SOFT_RESET))
        write->what |= IOV_PCI_CHANGED_FLR;
}

/* SPEC: PCI Express Base 5.0, 7.5.3.4: the bit reads zero. */
static void effect_express(struct pci_write *write)
{
    struct iov_pci_space *space = write->space;

    if (!(write->value & PCI_EXP_DEVCTL_BCR_FLR))
        return;
    space->bytes[write->at + 1] &= (uint8_t) ~(PCI_EXP_DEVCTL_BCR_FLR >> 8);
    write->what |= IOV_PCI_CHANGED_FLR;
}

/* The first error pointer means nothing once its status bit is cleared. SPEC: 6.2.4.2. */
static void effect_error(struct pci_write *write)
{
    struct iov_pci_space *space = write->space;
    uint8_t *control = space->bytes + space->error + PCI_ERR_CAP;

    if (write->at == space->error + PCI_ERR_UNCOR_STATUS &&
        !(write->value >> PCI_ERR_CAP_FEP(control[0]) & 1))
        control[0] &= (uint8_t)~0x1f;
}

static unsigned msi_bytes(const struct iov_pci_space *space)
{
    uint16_t flags =
        space->msi != 0 ? iov_pci_get16(space, (uint16_t)(space->msi + PCI_MSI_FLAGS)) : 0;

    return (flags & PCI_MSI_FLAGS_64BIT ? 0x0eu : 0x0au) + (flags & PCI_MSI_FLAGS_MASKBIT ? 10 : 0);
}

static bool within(const struct pci_write *write, uint16_t at, unsigned size)
{
    return at != 0 && write->at >= at && write->at < at + size;
}

void pci_capability_effect(struct pci_write *write)
{
    struct iov_pci_space *space = write->space;

    if (space->power != 0 && write->at == space->power + PCI_PM_CTRL) {
        effect_power(write);
    } else if (within(write, space->msi, msi_bytes(space)) || within(write, space->msix, 4)) {
        write->known = true;
        write->flush = true;
        if (write->old != write->value)
            write->what |= IOV_PCI_CHANGED_MSI;
    } else if (space->express != 0 && write->at == space->express + PCI_EXP_DEVCTL) {
        effect_express(write);
    } else if (within(write, space->error, ERR_SIZE)) {
        effect_error(write);
    } else if (within(write, space->sriov, SRIOV_SIZE)) {
        write->known = true;
        pci_sriov_derive(space);
        if (write->old != write->value)
            write->what |= IOV_PCI_CHANGED_SRIOV;
    }
}
