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

static void dump_function(FILE *file, unsigned domain, unsigned bus,
                          struct iov_pci_function *function)
{
    uint8_t bytes[LINE_BYTES];

    if (!read_line(function, 0, bytes))
        return;
    fprintf(file, "%04x:%02x:%02x.%x Class %02x%02x: %02x%02x:%02x%02x\n", domain, bus,
            function->devfn >> 3, function->devfn & 7, bytes[11], bytes[10], bytes[1], bytes[0],
            bytes[3], bytes[2]);
    for (unsigned at = 0; at < IOV_PCI_CONFIG_SIZE && read_line(function, at, bytes);
         at += LINE_BYTES) {
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
        dump_function(file, domain, bus->number, function);
        count++;
        /* A bus without a number cannot be reached by software either. */
        if (function->secondary != NULL && function->secondary->number != 0)
            count += iov_pci_dump(file, domain, function->secondary);
    }
    return count;
}
