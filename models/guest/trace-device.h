/* SPDX-License-Identifier: Apache-2.0 */
/* What trace-replay tells the device that answers its accesses. */
#ifndef IOV_GUEST_TRACE_DEVICE_H
#define IOV_GUEST_TRACE_DEVICE_H

#include "core/object/model.h"

/* The next read of the device gives `value`. The model is of kind "trace-device". */
void iov_trace_device_expect(IovModel *device, uint64_t value);

#endif
