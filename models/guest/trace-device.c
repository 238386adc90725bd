/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace-device - stands for every device of a recorded machine: writes are taken, reads give what
 * the recorded device gave (the replay says it before each read). It takes no time: whoever runs it
 * pays.
 *
 * LIMIT: it does nothing by itself; interrupts come from the replay.
 */
#include "models/guest/trace-device.h"

#define MEMORY_SIZE (UINT64_C(1) << 52)
#define PORTS_SIZE 0x10000u

G_DECLARE_FINAL_TYPE(IovTraceDevice, iov_trace_device, IOV, TRACE_DEVICE, IovModel)

struct _IovTraceDevice {
    IovModel parent_instance;
    struct iov_mem_target registers; /* port */
    struct iov_mem_target ports;     /* port */
    uint64_t reads;                  /* statistics */
    uint64_t writes;
    uint64_t unexpected;
    uint64_t next; /* answer of the next read */
    bool expected; /* it was told */
};

G_DEFINE_FINAL_TYPE(IovTraceDevice, iov_trace_device, IOV_TYPE_MODEL)

void iov_trace_device_expect(IovModel *device, uint64_t value)
{
    IovTraceDevice *self = (IovTraceDevice *)(void *)device;

    self->next = value;
    self->expected = true;
}

static enum iov_status answer(IovTraceDevice *self, struct iov_mem_req *req)
{
    self->reads++;
    if (!self->expected) {
        self->unexpected++;
        return IOV_STATUS_UNSUPPORTED;
    }
    iov_mem_set_value(req, self->next);
    self->expected = false;
    return IOV_STATUS_OK;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return answer(iov_container_of(port, IovTraceDevice, registers), req);
}

static enum iov_status ports_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return answer(iov_container_of(port, IovTraceDevice, ports), req);
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)req;
    iov_container_of(port, IovTraceDevice, registers)->writes++;
    return IOV_STATUS_OK;
}

static enum iov_status ports_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)req;
    iov_container_of(port, IovTraceDevice, ports)->writes++;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };
static const struct iov_mem_target_ops ports_ops = { .read = ports_read, .write = ports_write };

static void iov_trace_device_class_init(IovTraceDeviceClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "trace-device",
                             "All devices of a recorded machine, for trace-replay");
    IOV_PORT_MEM_TARGET(mc, IovTraceDevice, registers, &registers_ops,
                        "Memory-mapped registers, any address");
    IOV_PORT_MEM_TARGET(mc, IovTraceDevice, ports, &ports_ops, "I/O ports");
    IOV_STAT(mc, IovTraceDevice, reads, "Reads answered");
    IOV_STAT(mc, IovTraceDevice, writes, "Writes taken");
    IOV_STAT(mc, IovTraceDevice, unexpected, "Reads that the trace does not know");
}

static void iov_trace_device_init(IovTraceDevice *self)
{
    self->registers.size = MEMORY_SIZE;
    self->ports.size = PORTS_SIZE;
}
