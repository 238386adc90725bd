/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space of a hierarchy as text: what `lspci -xxxx` prints and `lspci -F FILE`
 * reads. */
#ifndef IOV_PCI_DUMP_H
#define IOV_PCI_DUMP_H

#include <stdio.h>

#include "core/port/pci.h"

IOV_BEGIN_DECLS

/* Writes every function of the bus and of the numbered buses behind it; returns how many. No side
 * effects, no time. */
IOV_API unsigned iov_pci_dump(FILE *file, unsigned domain, const struct iov_pci_bus *bus);

IOV_END_DECLS

#endif
