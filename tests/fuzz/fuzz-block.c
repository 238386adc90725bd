/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a driver of virtio-blk, or of edu: the first byte chooses properties and how much of
 * the set-up is done properly, the rest is a list of operations on registers of both interfaces,
 * MSI-X table, configuration space and ring memory. Nothing may end the host. A ring that feeds
 * itself may keep the machine busy for ever, so each operation gets a number of events.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/object/model.h"
#include "models/virtio/virtio-regs.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x10000
#define STEPS 2000

struct bench {
    struct iov_run run;
    struct iov_cost_table costs;
    struct iov_mem_target memory;
    uint8_t ram[RAM_SIZE];
    IovModel *model;
    struct iov_mem_target *registers, *legacy, *msix;
    struct iov_pci_function *function;
};

/* 64 KiB from address 0; everything else is refused. */
static enum iov_status memory_access(struct iov_mem_target *target, struct iov_mem_req *req,
                                     bool write)
{
    struct bench *bench = iov_container_of(target, struct bench, memory);

    if (req->address >= RAM_SIZE || req->size > RAM_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (write)
        memcpy(bench->ram + req->address, req->data, req->size);
    else
        memcpy(req->data, bench->ram + req->address, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status memory_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return memory_access(target, req, false);
}

static enum iov_status memory_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return memory_access(target, req, true);
}

static const struct iov_mem_target_ops memory_ops = { .read = memory_read, .write = memory_write };

/* Every cost is a microsecond. */
static bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error)
{
    (void)table;
    (void)name;
    (void)kind;
    (void)error;
    *ret_cost = IOV_US;
    return true;
}

static void rest(struct bench *bench)
{
    for (unsigned i = 0; i < STEPS && iov_kernel_step(bench->run.kernel); i++)
        ;
}

static void access_target(struct iov_mem_target *target, uint64_t address, uint32_t size,
                          uint64_t value, bool write)
{
    uint8_t bytes[16] = { 0 };
    struct iov_mem_req req = {
        .address = address, .data = bytes, .size = size, .pasid = IOV_NO_PASID
    };

    if (target == NULL)
        return;
    memcpy(bytes, &value, sizeof value);
    (void)(write ? target->ops->write(target, &req) : target->ops->read(target, &req));
}

static void access_config(struct bench *bench, uint64_t address, uint32_t size, uint64_t value,
                          bool write)
{
    uint8_t bytes[16] = { 0 };
    struct iov_mem_req req = {
        .address = address, .data = bytes, .size = size, .pasid = IOV_NO_PASID
    };

    memcpy(bytes, &value, sizeof value);
    (void)(write ? bench->function->ops->config_write(bench->function, &req)
                 : bench->function->ops->config_read(bench->function, &req));
}

static void put(struct bench *bench, uint64_t address, uint32_t size, uint64_t value)
{
    access_target(bench->registers, address, size, value, true);
}

/* What a good driver does, so that bad ones get somewhere: rings of 16 at 4 KiB steps. */
static void set_up(struct bench *bench, uint32_t features)
{
    put(bench, VIRTIO_PCI_COMMON_DRIVER_FEATURE, 4, features);
    put(bench, VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, 4, 1);
    put(bench, VIRTIO_PCI_COMMON_DRIVER_FEATURE, 4,
        1u << (VIRTIO_F_VERSION_1 - 32) | 1u << (VIRTIO_F_RING_RESET - 32));
    put(bench, VIRTIO_PCI_COMMON_STATUS, 1, 0x0b);
    for (unsigned i = 0; i < 2; i++) {
        put(bench, VIRTIO_PCI_COMMON_QUEUE_SELECT, 2, i);
        put(bench, VIRTIO_PCI_COMMON_QUEUE_SIZE, 2, 16);
        put(bench, VIRTIO_PCI_COMMON_QUEUE_DESC, 8, 0x1000 * i);
        put(bench, VIRTIO_PCI_COMMON_QUEUE_DRIVER, 8, 0x1000 * i + 0x100);
        put(bench, VIRTIO_PCI_COMMON_QUEUE_DEVICE, 8, 0x1000 * i + 0x180);
        put(bench, VIRTIO_PCI_COMMON_QUEUE_ENABLE, 2, 1);
    }
    put(bench, VIRTIO_PCI_COMMON_STATUS, 1, 0x0f);
}

/* A request of three descriptors from the input, offered and announced. */
static void offer(struct bench *bench, struct input *input)
{
    unsigned queue = (unsigned)take(input, 1) & 1, first = (unsigned)take(input, 1) % 14;
    uint8_t *ring = bench->ram + 0x1000 * queue;
    struct virtio_blk_header header = { .type = (uint32_t)take(input, 1),
                                        .sector = take(input, 2) };
    uint32_t size = (uint32_t)take(input, 2);
    bool writable = take(input, 1) & 1;
    struct virtq_desc chain[3] = {
        { 0x8000 + 16 * first, 16, VIRTQ_DESC_NEXT, (uint16_t)(first + 1) },
        { 0x9000, size, (uint16_t)(VIRTQ_DESC_NEXT | (writable ? VIRTQ_DESC_WRITE : 0)),
          (uint16_t)(first + 2) },
        { 0x8800 + first, 1, VIRTQ_DESC_WRITE, 0 },
    };
    uint16_t index, head = (uint16_t)first;

    memcpy(bench->ram + chain[0].address, &header, sizeof header);
    memcpy(ring + 16 * first, chain, sizeof chain);
    memcpy(&index, ring + 0x102, 2);
    memcpy(ring + 0x104 + 2 * (index % 16u), &head, 2);
    index++;
    memcpy(ring + 0x102, &index, 2);
    put(bench, VIRTIO_PCI_REGION_NOTIFY + 4 * queue, 2, queue);
}

static void operate(struct bench *bench, struct input *input)
{
    static const uint8_t sizes[] = { 1, 2, 3, 4, 5, 8, 12, 16 };
    uint8_t code = (uint8_t)take(input, 1);
    uint32_t size = sizes[code >> 5], word;
    bool write = code & 1;

    switch (code >> 1 & 7) {
    case 0:
        access_target(bench->registers, take(input, 2) % 0x4008, size, take(input, 8), write);
        break;
    case 1: /* common configuration, or edu's registers */
        access_target(bench->registers, take(input, 1), size, take(input, 4), write);
        break;
    case 2:
        access_target(bench->msix, take(input, 2) % 0x1008, size, take(input, 8), write);
        break;
    case 3:
        access_target(bench->legacy, take(input, 1) % 0x88, size, take(input, 4), write);
        break;
    case 4:
        access_config(bench, take(input, 1), size, take(input, 4), write);
        break;
    case 5:
        word = (uint32_t)take(input, 4);
        memcpy(bench->ram + take(input, 2) % (RAM_SIZE - 4), &word, 4);
        break;
    default:
        if (bench->msix != NULL)
            offer(bench, input);
        break;
    }
    if (code & 0x10)
        rest(bench);
}

static IovModel *make(struct bench *bench, const char *kind, const char *path)
{
    return iov_model_new(kind, path, &bench->run, NULL);
}

static void live(IovModel *model)
{
    bool ready = iov_model_prepare(model, NULL) && iov_model_realize(model, NULL);

    g_assert(ready);
    iov_model_start(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct bench bench = { .memory.ops = &memory_ops, .costs.lookup = lookup };
    uint8_t options = (uint8_t)take(&input, 1);
    bool edu = options & 128;
    IovModel *disk;

    bench.run.kernel = iov_kernel_new();
    bench.run.seed = 1;
    bench.run.costs = &bench.costs;
    disk = make(&bench, "disk-image", "disk");
    iov_model_set_number(disk, "size", 1 << 20, NULL);
    iov_model_set_number(disk, "read-only", (options & 64) != 0, NULL);
    bench.model = make(&bench, edu ? "edu" : "virtio-blk", "dut");
    if (!edu) {
        iov_model_set_string(bench.model, "interface", "transitional", NULL);
        iov_model_set_string(bench.model, "setup", options & 4 ? "msi-x" : "intx", NULL);
        iov_model_set_string(bench.model, "placement", options & 8 ? "hardware" : "software", NULL);
        iov_model_set_number(bench.model, "num-queues", 2, NULL);
        iov_model_set_number(bench.model, "requests", options & 16 ? 1 : 5, NULL);
        bench.legacy = iov_model_port(bench.model, "legacy", 0);
        bench.msix = iov_model_port(bench.model, "msix", 0);
        ((struct iov_block_initiator *)iov_model_port(bench.model, "disk", 0))->peer =
            iov_model_port(disk, "port", 0);
    }
    bench.registers = iov_model_port(bench.model, "registers", 0);
    bench.function = iov_model_port(bench.model, "pci", 0);
    ((struct iov_mem_initiator *)iov_model_port(bench.model, "dma", 0))->peer = &bench.memory;
    live(disk);
    live(bench.model);
    if (!edu && options & 1)
        set_up(&bench, options & 2 ? 0x6e54 : 0x30006e54);
    if (edu)
        access_config(&bench, 4, 2, 6, true);
    while (input.size > 0)
        operate(&bench, &input);
    rest(&bench);
    iov_model_unrealize(bench.model);
    rest(&bench);
    iov_model_unrealize(disk);
    g_object_unref(bench.model);
    g_object_unref(disk);
    iov_kernel_free(bench.run.kernel);
    return 0;
}
