/* SPDX-License-Identifier: Apache-2.0 */
/* EPT entries and the EPT pointer: Intel SDM vol. 3C, 29.3 (tables 29-1 to 29-7) and 25.6.11. */
#ifndef IOV_CPU_EPT_REGS_H
#define IOV_CPU_EPT_REGS_H

#include <stdint.h>

#define IOV_EPT_READ (UINT64_C(1) << 0)
#define IOV_EPT_WRITE (UINT64_C(1) << 1)
#define IOV_EPT_EXECUTE (UINT64_C(1) << 2)
#define IOV_EPT_RWX (IOV_EPT_READ | IOV_EPT_WRITE | IOV_EPT_EXECUTE)
#define IOV_EPT_TYPE_SHIFT 3 /* of a leaf: memory type in bits 5:3 */
#define IOV_EPT_TYPE_UC (UINT64_C(0) << IOV_EPT_TYPE_SHIFT)
#define IOV_EPT_TYPE_WB (UINT64_C(6) << IOV_EPT_TYPE_SHIFT)
#define IOV_EPT_IGNORE_PAT (UINT64_C(1) << 6)
#define IOV_EPT_LARGE (UINT64_C(1) << 7) /* of a PDPTE: 1 GiB; of a PDE: 2 MiB */
#define IOV_EPT_ACCESSED (UINT64_C(1) << 8)
#define IOV_EPT_DIRTY (UINT64_C(1) << 9)
#define IOV_EPT_SUPPRESS_VE (UINT64_C(1) << 63)

/* The EPT pointer. */
#define IOV_EPTP_TYPE 0x7u
#define IOV_EPTP_WALK_SHIFT 3 /* levels - 1 */
#define IOV_EPTP_WALK_4 (UINT64_C(3) << IOV_EPTP_WALK_SHIFT)
#define IOV_EPTP_ACCESSED_DIRTY (UINT64_C(1) << 6)
#define IOV_EPTP_WB_WALK_4 (UINT64_C(6) | IOV_EPTP_WALK_4)

#endif
