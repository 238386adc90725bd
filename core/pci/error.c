/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advanced error reporting: a function notes an error, the root port above hears of it.
 *
 * SPEC: PCI Express Base 5.0, 6.2.4 (logging), 6.2.5 (order of checks), 6.2.6 (what root ports do).
 * LIMIT: error messages take no time; a root port announces them by MSI only, not by INTx; without
 * AER only the device status shows.
 */
#include "core/pci/pci-private.h"

static void set_bits16(struct iov_pci_space *space, unsigned at, unsigned bits)
{
    pci_set16(space->bytes + at, iov_pci_get16(space, (uint16_t)at) | bits);
}

static void set_bits32(struct iov_pci_space *space, unsigned at, uint32_t bits)
{
    pci_set32(space->bytes + at, iov_pci_get32(space, (uint16_t)at) | bits);
}

/* The root port of the hierarchy that `function` is in, or NULL. */
static struct iov_pci_space *root_port(const struct iov_pci_function *function)
{
    const struct iov_pci_function *above = function;

    while (above->bus != NULL && above->bus->bridge != NULL)
        above = above->bus->bridge;
    return above->space != NULL && above->space->bytes != NULL && above->secondary != NULL &&
                   above->space->error != 0
               ? above->space
               : NULL;
}

static void tell_root(const struct iov_pci_space *space, bool correctable, bool fatal)
{
    struct iov_pci_space *root = root_port(space->function);
    uint32_t status, received, multiple, wanted;
    uint16_t at;

    if (root == NULL)
        return;
    at = (uint16_t)(root->error + PCI_ERR_ROOT_STATUS);
    status = iov_pci_get32(root, at);
    received = correctable ? PCI_ERR_ROOT_COR_RCV : PCI_ERR_ROOT_UNCOR_RCV;
    multiple = correctable ? PCI_ERR_ROOT_MULTI_COR_RCV : PCI_ERR_ROOT_MULTI_UNCOR_RCV;
    if (status & received) {
        set_bits32(root, at, multiple);
    } else {
        pci_set16(root->bytes + root->error + PCI_ERR_ROOT_ERR_SRC + (correctable ? 0 : 2),
                  space->function->requester);
        if (!correctable && fatal)
            received |= PCI_ERR_ROOT_FIRST_FATAL;
        set_bits32(root, at, received);
    }
    if (!correctable)
        set_bits32(root, at, fatal ? PCI_ERR_ROOT_FATAL_RCV : PCI_ERR_ROOT_NONFATAL_RCV);
    wanted = correctable ? PCI_ERR_ROOT_CMD_COR_EN
             : fatal     ? PCI_ERR_ROOT_CMD_FATAL_EN
                         : PCI_ERR_ROOT_CMD_NONFATAL_EN;
    if (iov_pci_get32(root, (uint16_t)(root->error + PCI_ERR_ROOT_COMMAND)) & wanted)
        iov_pci_message(root, 0, 0, NULL);
}

static void note_correctable(struct iov_pci_space *space, uint32_t bit)
{
    uint16_t control =
        space->express != 0 ? iov_pci_get16(space, (uint16_t)(space->express + PCI_EXP_DEVCTL)) : 0;

    if (space->express != 0)
        set_bits16(space, space->express + PCI_EXP_DEVSTA, PCI_EXP_DEVSTA_CED);
    if (space->error != 0) {
        set_bits32(space, space->error + PCI_ERR_COR_STATUS, bit);
        if (iov_pci_get32(space, (uint16_t)(space->error + PCI_ERR_COR_MASK)) & bit)
            return;
    }
    if (control & PCI_EXP_DEVCTL_CERE)
        tell_root(space, true, false);
}

/* First error pointer and header log belong to the first unmasked error that is not cleared. */
static void log_first(struct iov_pci_space *space, uint32_t bit, const uint32_t *header)
{
    uint8_t *control = space->bytes + space->error + PCI_ERR_CAP;

    *control = (uint8_t)((*control & ~0x1f) | __builtin_ctz(bit));
    for (unsigned i = 0; i < 4; i++)
        pci_set32(space->bytes + space->error + PCI_ERR_HEADER_LOG + DWORD * i,
                  header != NULL ? header[i] : 0);
}

static void note_uncorrectable(struct iov_pci_space *space, uint32_t bit, const uint32_t *header)
{
    bool fatal = false;
    unsigned status = bit == PCI_ERR_UNC_UNSUP ? PCI_EXP_DEVSTA_URD : 0, enabled;
    uint16_t at = space->error;

    if (at != 0)
        fatal = iov_pci_get32(space, (uint16_t)(at + PCI_ERR_UNCOR_SEVER)) & bit;
    if (space->express != 0)
        set_bits16(space, space->express + PCI_EXP_DEVSTA,
                   status | (fatal ? PCI_EXP_DEVSTA_FED : PCI_EXP_DEVSTA_NFED));
    if (at != 0) {
        uint32_t mask = iov_pci_get32(space, (uint16_t)(at + PCI_ERR_UNCOR_MASK));
        uint32_t before = iov_pci_get32(space, (uint16_t)(at + PCI_ERR_UNCOR_STATUS));

        set_bits32(space, at + PCI_ERR_UNCOR_STATUS, bit);
        if (mask & bit)
            return;
        if (!(before & ~mask))
            log_first(space, bit, header);
    }
    if (space->express == 0)
        return;
    enabled = iov_pci_get16(space, (uint16_t)(space->express + PCI_EXP_DEVCTL));
    if (bit == PCI_ERR_UNC_UNSUP && !(enabled & PCI_EXP_DEVCTL_URRE))
        return;
    if (enabled & (fatal ? PCI_EXP_DEVCTL_FERE : PCI_EXP_DEVCTL_NFERE))
        tell_root(space, false, fatal);
}

void iov_pci_error(struct iov_pci_space *space, bool correctable, uint32_t bit,
                   const uint32_t *header)
{
    IOV_REQUIRE(bit != 0 && (bit & (bit - 1)) == 0);
    if (correctable)
        note_correctable(space, bit);
    else
        note_uncorrectable(space, bit, header);
}
