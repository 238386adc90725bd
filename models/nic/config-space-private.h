/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration space of a conventional PCI function: 256 bytes, which of their bits software may write or clear, and its base
 * address registers, whose size software finds out by writing ones. SPEC: PCI Local Bus 3.0, chapter 6.
 * LIMIT: what firmware would have set up (addresses, command) is there after reset; nothing moves when a BAR is written.
 */
#ifndef IOV_NIC_CONFIG_SPACE_PRIVATE_H
#define IOV_NIC_CONFIG_SPACE_PRIVATE_H

#include <stdbool.h>

#include "core/port/mem.h"

#define NIC_CONFIG_SIZE 256u
#define NIC_CONFIG_COMMAND 0x04
#define NIC_CONFIG_COMMAND_MASTER (1u << 2)
#define NIC_CONFIG_BAR 0x10
#define NIC_CONFIG_PM 0xdc

struct nic_config {
    uint8_t bytes[NIC_CONFIG_SIZE];
    uint8_t writable[NIC_CONFIG_SIZE];  /* RW bits */
    uint8_t clearable[NIC_CONFIG_SIZE]; /* W1C bits */
};

/* A type 0 header: IDs, class code (24 bits), interrupt pin A. */
void nic_config_init(struct nic_config *config, uint16_t vendor, uint16_t device, uint8_t revision,
                     uint32_t class_code);
/* BAR `index` of `size` bytes (a power of two) at `address`; `io` for I/O space, else 32-bit memory. */
void nic_config_bar(struct nic_config *config, unsigned index, uint32_t address, uint32_t size,
                    bool io);
/* The power management capability, D0 and D3hot, at NIC_CONFIG_PM. */
void nic_config_power_management(struct nic_config *config);
enum iov_status nic_config_read(const struct nic_config *config, struct iov_mem_req *req);
enum iov_status nic_config_write(struct nic_config *config, const struct iov_mem_req *req);

static inline bool nic_config_may_master(const struct nic_config *config)
{
    return config->bytes[NIC_CONFIG_COMMAND] & NIC_CONFIG_COMMAND_MASTER;
}

#endif
