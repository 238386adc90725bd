/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for tests of the vt-d kind: the unit between a device and 64 MiB of memory, its registers
 * on the same bus, messages kept by a recorder. Small helpers write tables, make DMAs and read
 * fault records; the device is 00:03.0 unless a test says otherwise.
 */
#ifndef IOV_TESTS_MODELS_IOMMU_VTD_BENCH_H
#define IOV_TESTS_MODELS_IOMMU_VTD_BENCH_H

#include "models/iommu/vtd-regs.h"
#include "tests/models/bench.h"

#define RAM_SIZE 0x10000000u
#define DEVICE 0x18u
#define ROOT 0x100000u
#define CONTEXTS 0x101000u
#define TABLE 0x110000u /* highest table; one page a level follows */
#define IRT 0x180000u
#define QUEUE 0x190000u

struct vtd_bench {
    struct bench *bench;
    IovModel *unit, *bus, *dram;
    struct iov_mem_target *registers, *upstream, *memory;
    struct bench_recorder messages;
    unsigned levels;
};

static inline void vtd_bench_init(struct vtd_bench *vtd, const struct bench_cost *costs)
{
    *vtd = (struct vtd_bench){ .bench = bench_new(costs), .levels = 3 };
    vtd->unit = bench_add(vtd->bench, "vt-d", "iommu");
    vtd->bus = bench_add(vtd->bench, "bus", "bus");
    vtd->dram = bench_add(vtd->bench, "dram", "dram");
    vtd->messages.port.ops = &bench_recorder_ops;
    bench_number(vtd->dram, "size", RAM_SIZE);
}

static inline void vtd_bench_start(struct vtd_bench *vtd)
{
    struct iov_mem_initiator *message;

    bench_prepare(vtd->bench);
    bench_wire_at(vtd->bus, "windows", vtd->dram, "port", 0);
    bench_wire_at(vtd->bus, "windows", vtd->unit, "registers", VTD_BASE);
    bench_wire(vtd->unit, "bus", vtd->bus, "port");
    message = iov_model_port(vtd->unit, "message", 0);
    message->peer = &vtd->messages.port;
    vtd->registers = iov_model_port(vtd->unit, "registers", 0);
    vtd->upstream = iov_model_port(vtd->unit, "upstream", 0);
    vtd->memory = iov_model_port(vtd->dram, "port", 0);
    bench_start(vtd->bench);
}

static inline void vtd_bench_free(struct vtd_bench *vtd)
{
    bench_free(vtd->bench);
}

static inline uint64_t memory_read(struct vtd_bench *vtd, uint64_t address)
{
    return bench_read(vtd->memory, address, 8);
}

static inline void memory_write(struct vtd_bench *vtd, uint64_t address, uint64_t value)
{
    bench_write(vtd->memory, address, 8, value);
}

static inline uint32_t reg_read(struct vtd_bench *vtd, uint32_t offset)
{
    return (uint32_t)bench_read(vtd->registers, offset, 4);
}

static inline uint64_t reg_read_wide(struct vtd_bench *vtd, uint32_t offset)
{
    return bench_read(vtd->registers, offset, 8);
}

static inline void reg_write(struct vtd_bench *vtd, uint32_t offset, uint32_t value)
{
    bench_write(vtd->registers, offset, 4, value);
}

static inline void reg_write_wide(struct vtd_bench *vtd, uint32_t offset, uint64_t value)
{
    bench_write(vtd->registers, offset, 8, value);
}

/* A command bit on top of what is on. */
static inline void command(struct vtd_bench *vtd, uint32_t bits)
{
    uint32_t on = reg_read(vtd, VTD_GSTS) & (VTD_G_TE | VTD_G_QIE | VTD_G_IRE | VTD_G_CFI);

    reg_write(vtd, VTD_GCMD, on | bits);
}

/* ---- Tables ---- */

static inline void context_set(struct vtd_bench *vtd, uint16_t source, uint64_t low, uint64_t high)
{
    memory_write(vtd, ROOT + 16u * (source >> 8), CONTEXTS | 1);
    memory_write(vtd, CONTEXTS + 16u * (source & 0xff), low);
    memory_write(vtd, CONTEXTS + 16u * (source & 0xff) + 8, high);
}

static inline void context_set_domain(struct vtd_bench *vtd, uint16_t source, uint16_t domain)
{
    context_set(vtd, source, TABLE | 1, (uint64_t)domain << 8 | (vtd->levels - 2));
}

/* Writes an entry of a level, with tables of the levels above at TABLE, TABLE + 4 KiB, … (one table
 * a level: all mappings of a test lie under the same upper entries, or share them). */
static inline uint64_t entry_address(struct vtd_bench *vtd, uint64_t iova, unsigned level)
{
    return TABLE + 0x1000u * (vtd->levels - level) + 8u * (iova >> (3 + 9 * level) & 0x1ff);
}

static inline void entry_set(struct vtd_bench *vtd, uint64_t iova, unsigned level, uint64_t entry)
{
    for (unsigned l = vtd->levels; l > level; l--)
        memory_write(vtd, entry_address(vtd, iova, l),
                     (TABLE + 0x1000u * (vtd->levels - l + 1)) | 3);
    memory_write(vtd, entry_address(vtd, iova, level), entry);
}

static inline void translation_on(struct vtd_bench *vtd)
{
    reg_write_wide(vtd, VTD_RTADDR, ROOT);
    command(vtd, VTD_G_SRTP);
    command(vtd, VTD_G_TE);
}

static inline void invalidate_all(struct vtd_bench *vtd)
{
    reg_write_wide(vtd, VTD_CCMD, VTD_CCMD_ICC | 1ull << VTD_CCMD_CIRG_SHIFT);
    reg_write_wide(vtd, VTD_IOTLB, VTD_IOTLB_IVT | 1ull << VTD_IOTLB_IIRG_SHIFT);
}

/* ---- Requests ---- */

static inline enum iov_status dma_by(struct vtd_bench *vtd, uint16_t source, uint64_t address,
                                     void *data, uint32_t size, bool write)
{
    struct iov_mem_req req = bench_req(address, data, size);

    req.requester = source;
    return write ? vtd->upstream->ops->write(vtd->upstream, &req)
                 : vtd->upstream->ops->read(vtd->upstream, &req);
}

static inline enum iov_status dma_read(struct vtd_bench *vtd, uint64_t address)
{
    uint32_t data;

    return dma_by(vtd, DEVICE, address, &data, sizeof data, false);
}

static inline enum iov_status dma_write(struct vtd_bench *vtd, uint64_t address, uint32_t value)
{
    return dma_by(vtd, DEVICE, address, &value, sizeof value, true);
}

/* ---- Faults ---- */

/* The reason in the first record, which is cleared; 0 if there is none. */
static inline unsigned fault_take(struct vtd_bench *vtd)
{
    uint64_t high = reg_read_wide(vtd, VTD_FRCD + 8);

    reg_write(vtd, VTD_FRCD + 12, 0x80000000u);
    reg_write(vtd, VTD_FSTS, VTD_FSTS_PFO);
    return high & VTD_FRCD_F ? high >> VTD_FRCD_REASON_SHIFT & 0xff : 0;
}

#endif
