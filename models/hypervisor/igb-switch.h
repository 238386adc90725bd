/* SPDX-License-Identifier: Apache-2.0 */
/* What the host's drivers of an 82576 and of its relatives have in common: the switch between the
 * pools of the card, and what a pool takes. */
#ifndef IOV_HYPERVISOR_IGB_SWITCH_H
#define IOV_HYPERVISOR_IGB_SWITCH_H

#include <string.h>

#include "models/hypervisor/poke.h"
#include "models/nic/igb-regs.h"

/* Frames go to pools, from pool to pool in the card, and to none but those that want them; all
 * queues, and MSI-X. In no time. `filters`: of RCTL. */
static inline void igb_switch_set_up(struct iov_mem_initiator *bus, uint64_t registers,
                                     unsigned default_pool, uint32_t filters)
{
    poke(bus, registers + IGB_RCTL, 4, IGB_RCTL_EN | IGB_RCTL_BAM | IGB_RCTL_SECRC | filters);
    poke(bus, registers + IGB_TCTL, 4, IGB_TCTL_EN | IGB_TCTL_PSP);
    poke(bus, registers + IGB_VT_CTL, 4,
         (default_pool & 7) << IGB_VT_CTL_POOL_SHIFT | IGB_VT_CTL_REPLICATE |
             IGB_VT_CTL_NO_DEFAULT);
    poke(bus, registers + IGB_DTXSWC, 4, IGB_DTXSWC_LOOPBACK);
    poke(bus, registers + IGB_MRQC, 4, IGB_MRQC_POOLS);
    poke(bus, registers + IGB_QDE, 4, UINT32_MAX);
    poke(bus, registers + IGB_GPIE, 4,
         IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_PBA | IGB_GPIE_EIAME | IGB_GPIE_NSICR);
}

#define IGB_FRAME_LONGEST 1522u /* with FCS and a tag */

/* VMOLR of a guest's pool. A `longest` that is not the usual one goes with IGB_VMOLR_LPE. */
static inline uint32_t igb_pool_takes(uint32_t longest)
{
    return IGB_VMOLR_AUPE | IGB_VMOLR_BAM | IGB_VMOLR_STRCRC |
           (longest < IGB_VMOLR_RLPML ? longest : IGB_FRAME_LONGEST);
}

/* The address that is `index` after `first`, as RAL and RAH take it. */
static inline void igb_address_words(const uint8_t first[6], unsigned index, uint32_t ret_words[2])
{
    uint8_t bytes[8] = { 0 };

    memcpy(bytes, first, 6);
    bytes[5] = (uint8_t)(bytes[5] + index);
    memcpy(ret_words, bytes, sizeof bytes);
}

#endif
