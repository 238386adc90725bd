/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space as text that `lspci -F` reads: see dump.h. */
#include "core/pci/dump.h"

#include "core/pci/pci-private.h"

#define LINE_BYTES 16u

static bool read_dword(struct iov_pci_function *function, unsigned at, uint8_t *bytes)
{
    struct iov_mem_req req = {
        .address = at, .data = bytes, .size = DWORD, .pasid = IOV_NO_PASID, .flags = IOV_MEM_DEBUG
    };

    return function->ops->config_read(function, &req) == IOV_STATUS_OK;
}

static bool read_line(struct iov_pci_function *function, unsigned at, uint8_t *bytes)
{
    for (unsigned i = 0; i < LINE_BYTES; i += DWORD) {
        if (!read_dword(function, at + i, bytes + i))
            return false;
    }
    return true;
}

/* The physical function of a virtual one, or NULL. */
static const struct iov_pci_space *physical_of(const struct iov_pci_bus *bus,
                                               const struct iov_pci_function *function)
{
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        const struct iov_pci_function *candidate = bus->functions[i];
        const struct iov_pci_space *space = candidate != NULL ? candidate->space : NULL;

        if (space == NULL || space->bytes == NULL || space->sriov == 0)
            continue;
        for (unsigned vf = 0; vf < iov_pci_vfs_enabled(space); vf++) {
            if (iov_pci_vf_devfn(space, vf) == function->devfn)
                return space;
        }
    }
    return NULL;
}

/* A virtual function's IDs read as ones; operating systems show those that its physical function
 * gives it, and so does the dump. */
static void show_identity(const struct iov_pci_bus *bus, const struct iov_pci_function *function,
                          uint8_t *bytes)
{
    const struct iov_pci_space *physical;

    if (function->space == NULL || !function->space->virtual_function)
        return;
    physical = physical_of(bus, function);
    if (physical == NULL)
        return;
    memcpy(bytes + PCI_VENDOR_ID, physical->bytes + PCI_VENDOR_ID, 2);
    memcpy(bytes + PCI_DEVICE_ID, physical->bytes + physical->sriov + PCI_SRIOV_VF_DID, 2);
}

static void dump_function(FILE *file, unsigned domain, const struct iov_pci_bus *bus,
                          struct iov_pci_function *function)
{
    uint8_t bytes[LINE_BYTES];

    if (!read_line(function, 0, bytes))
        return;
    show_identity(bus, function, bytes);
    fprintf(file, "%04x:%02x:%02x.%x Class %02x%02x: %02x%02x:%02x%02x\n", domain, bus->number,
            function->devfn >> 3, function->devfn & 7, bytes[11], bytes[10], bytes[1], bytes[0],
            bytes[3], bytes[2]);
    for (unsigned at = 0; at < IOV_PCI_CONFIG_SIZE && read_line(function, at, bytes);
         at += LINE_BYTES) {
        if (at == 0)
            show_identity(bus, function, bytes);
        fprintf(file, "%02x:", at);
        for (unsigned i = 0; i < LINE_BYTES; i++)
            fprintf(file, " %02x", bytes[i]);
        fputc('\n', file);
    }
    fputc('\n', file);
}

unsigned iov_pci_dump(FILE *file, unsigned domain, const struct iov_pci_bus *bus)
{
    unsigned count = 0;

    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        struct iov_pci_function *function = bus->functions[i];

        if (function == NULL || function->ops == NULL || function->ops->config_read == NULL)
            continue;
        dump_function(file, domain, bus, function);
        count++;
        /* A bus without a number cannot be reached by software either. */
        if (function->secondary != NULL && function->secondary->number != 0)
            count += iov_pci_dump(file, domain, function->secondary);
    }
    return count;
}
