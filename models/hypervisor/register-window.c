/* SPDX-License-Identifier: Apache-2.0 */
/* See register-window.h: rows, and accesses by nobody's thread. */
#include "models/hypervisor/register-window.h"

enum iov_status iov_register_window_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_read_req(&iov_container_of(port, struct iov_register_window, target)->device,
                            req);
}

enum iov_status iov_register_window_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_write_req(&iov_container_of(port, struct iov_register_window, target)->device,
                             req);
}

void iov_register_windows_prepare(struct iov_register_window *windows, void *owner)
{
    for (unsigned i = 0; i < IOV_REGISTER_WINDOWS; i++) {
        windows[i].target.size = windows[i].size;
        windows[i].owner = owner;
    }
}

void iov_register_windows_describe(IovModelClass *mc, size_t offset,
                                   const struct iov_mem_target_ops *ops)
{
    static const struct {
        const char *target, *device, *size;
        uint64_t standard;
    } rows[IOV_REGISTER_WINDOWS] = {
        { "registers", "device", "size", 128 << 10 },
        { "registers-1", "device-1", "size-1", 4096 },
        { "registers-2", "device-2", "size-2", 4096 },
        { "io", "device-io", "size-io", 64 },
    };

    for (unsigned i = 0; i < IOV_REGISTER_WINDOWS; i++) {
        size_t base = offset + i * sizeof(struct iov_register_window);

        iov_model_class_add_property(
            mc, &(struct iov_property){
                    .name = rows[i].size,
                    .type = IOV_VALUE_SIZE,
                    .width = sizeof(uint64_t),
                    .offset = (uint16_t)(base + G_STRUCT_OFFSET(struct iov_register_window, size)),
                    .lowest = 1,
                    .highest = UINT64_C(1) << 32,
                    .standard = rows[i].standard,
                    .text = "Bytes of the register window" });
        iov_model_class_add_port(
            mc,
            &(struct iov_port){
                .name = rows[i].target,
                .type = IOV_PORT_MEM,
                .role = IOV_PORT_TARGET,
                .flags = IOV_PORT_SHARED,
                .count = 1,
                .offset = (uint16_t)(base + G_STRUCT_OFFSET(struct iov_register_window, target)),
                .ops = ops,
                .text = "Register window: from vm.mmio, or vm.ports for io" });
        iov_model_class_add_port(
            mc,
            &(struct iov_port){
                .name = rows[i].device,
                .type = IOV_PORT_MEM,
                .role = IOV_PORT_INITIATOR,
                .count = 1,
                .offset = (uint16_t)(base + G_STRUCT_OFFSET(struct iov_register_window, device)),
                .text = "The device's registers behind the window" });
    }
}
