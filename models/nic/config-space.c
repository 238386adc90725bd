/* SPDX-License-Identifier: Apache-2.0 */
/* See config-space-private.h. */
#include "models/nic/config-space-private.h"

static void set16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void set32(uint8_t *at, uint32_t value)
{
    set16(at, (uint16_t)value);
    set16(at + 2, (uint16_t)(value >> 16));
}

void nic_config_init(struct nic_config *config, uint16_t vendor, uint16_t device, uint8_t revision,
                     uint32_t class_code)
{
    *config = (struct nic_config){ 0 };
    set16(&config->bytes[0x00], vendor);
    set16(&config->bytes[0x02], device);
    set16(&config->bytes[NIC_CONFIG_COMMAND],
          0x0107); /* I/O, memory, master, SERR: as firmware and driver leave it */
    set16(&config->writable[NIC_CONFIG_COMMAND], 0x0547);
    set16(&config->clearable[0x06], 0xf900); /* status: errors */
    config->bytes[0x08] = revision;
    set32(&config->bytes[0x08], class_code << 8 | revision);
    config->writable[0x0c] = 0xff; /* cache line size */
    config->writable[0x0d] = 0xff; /* latency timer */
    set16(&config->bytes[0x2c], vendor);
    set16(&config->bytes[0x2e], device);
    config->writable[0x3c] = 0xff; /* interrupt line */
    config->bytes[0x3d] = 1;       /* INTA */
}

void nic_config_bar(struct nic_config *config, unsigned index, uint32_t address, uint32_t size,
                    bool io)
{
    uint8_t *bar = &config->bytes[NIC_CONFIG_BAR + 4 * index];

    set32(&config->writable[NIC_CONFIG_BAR + 4 * index], ~(size - 1));
    set32(bar, (address & ~(size - 1)) | (io ? 1 : 0));
}

void nic_config_power_management(struct nic_config *config)
{
    config->bytes[0x06] |= 0x10; /* status: there are capabilities */
    config->bytes[0x34] = NIC_CONFIG_PM;
    config->bytes[NIC_CONFIG_PM] = 0x01;
    config->bytes[NIC_CONFIG_PM + 1] = 0;
    set16(&config->bytes[NIC_CONFIG_PM + 2], 0x0002); /* version 2 */
    config->writable[NIC_CONFIG_PM + 4] = 0x03;
}

enum iov_status nic_config_read(const struct nic_config *config, struct iov_mem_req *req)
{
    if (req->address >= NIC_CONFIG_SIZE || req->size > NIC_CONFIG_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    memcpy(req->data, &config->bytes[req->address], req->size);
    return IOV_STATUS_OK;
}

enum iov_status nic_config_write(struct nic_config *config, const struct iov_mem_req *req)
{
    const uint8_t *from = req->data;

    if (req->address >= NIC_CONFIG_SIZE || req->size > NIC_CONFIG_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    for (uint32_t i = 0; i < req->size; i++) {
        uint8_t *byte = &config->bytes[req->address + i];
        uint8_t writable = config->writable[req->address + i];

        *byte = (uint8_t)((*byte & ~writable) | (from[i] & writable));
        *byte &= (uint8_t) ~(from[i] & config->clearable[req->address + i]);
    }
    return IOV_STATUS_OK;
}
