/* SPDX-License-Identifier: Apache-2.0 */
/* Moved: see core/net/ethernet-regs.h. */
#include "core/net/ethernet-regs.h"
