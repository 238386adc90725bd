/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a driver of virtio-net: the first byte chooses properties and how much of the set-up
 * is done properly, the rest is a list of operations on registers, MSI-X table, configuration space
 * and ring memory, with frames in between. Nothing may end the host, and the simulated machine must
 * come to rest after every operation.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/object/model.h"
#include "models/virtio/virtio-regs.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x10000
#define STEPS_MAX 1000000 /* events after one operation: far more than any queue can cause */

/* ---- Memory: 64 KiB from address 0, interrupt messages vanish, everything else is refused ---- */

struct memory {
    struct iov_mem_target target;
    uint8_t ram[RAM_SIZE];
};

static bool in_ram(const struct iov_mem_req *req)
{
    return req->address < RAM_SIZE && req->size <= RAM_SIZE - req->address;
}

static enum iov_status memory_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct memory *memory = iov_container_of(target, struct memory, target);

    if (!in_ram(req))
        return IOV_STATUS_UNSUPPORTED;
    memcpy(req->data, memory->ram + req->address, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status memory_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct memory *memory = iov_container_of(target, struct memory, target);

    if (!in_ram(req))
        return IOV_STATUS_UNSUPPORTED;
    memcpy(memory->ram + req->address, req->data, req->size);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops memory_ops = { .read = memory_read, .write = memory_write };

/* ---- The wire: frames that come out are freed ---- */

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    (void)port;
    iov_packet_free(packet);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- The device and its driver ---- */

struct bench {
    struct iov_run run;
    struct memory memory;
    struct iov_packet_port wire;
    struct iov_packet_pool *pool;
    IovModel *model;
    struct iov_mem_target *registers;
    struct iov_mem_target *msix;
    struct iov_mem_target *config;
    struct iov_packet_port *end;
    bool packed;
};

static void rest(struct bench *bench)
{
    for (unsigned i = 0; iov_kernel_step(bench->run.kernel); i++)
        g_assert(i < STEPS_MAX);
}

static void put(struct iov_mem_target *target, uint64_t address, uint32_t size, uint64_t value)
{
    uint8_t bytes[16] = { 0 };
    struct iov_mem_req req = {
        .address = address, .data = bytes, .size = size, .pasid = IOV_NO_PASID
    };

    memcpy(bytes, &value, sizeof value);
    (void)target->ops->write(target, &req);
}

static void get(struct iov_mem_target *target, uint64_t address, uint32_t size)
{
    uint8_t bytes[16];
    struct iov_mem_req req = {
        .address = address, .data = bytes, .size = size, .pasid = IOV_NO_PASID
    };

    (void)target->ops->read(target, &req);
}

/* What a good driver does, so that bad ones get somewhere. Rings of 16 at 4 KiB steps. */
static void set_up(struct bench *bench, bool event_index, bool packed)
{
    struct iov_mem_target *regs = bench->registers;
    uint32_t high = 1u << (VIRTIO_F_VERSION_1 - 32), low = 0xffffffff;

    if (packed)
        high |= 1u << (VIRTIO_F_RING_PACKED - 32);

    if (!event_index)
        low &= ~(UINT32_C(1) << VIRTIO_F_EVENT_IDX);
    put(regs, VIRTIO_PCI_COMMON_DRIVER_FEATURE, 4,
        low & ((UINT32_C(1) << VIRTIO_F_EVENT_IDX) | (UINT32_C(1) << VIRTIO_F_INDIRECT_DESC) |
               (UINT32_C(1) << VIRTIO_NET_F_MRG_RXBUF) | (UINT32_C(1) << VIRTIO_NET_F_CTRL_VQ)));
    put(regs, VIRTIO_PCI_COMMON_DRIVER_FEATURE_SELECT, 4, 1);
    put(regs, VIRTIO_PCI_COMMON_DRIVER_FEATURE, 4, high);
    put(regs, VIRTIO_PCI_COMMON_STATUS, 1, 0x0b);
    for (unsigned i = 0; i < 3; i++) {
        put(regs, VIRTIO_PCI_COMMON_QUEUE_SELECT, 2, i);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_SIZE, 2, 16);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_DESC, 8, 0x1000 * i);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_DRIVER, 8, 0x1000 * i + 0x100);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_DEVICE, 8, 0x1000 * i + 0x180);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_VECTOR, 2, i);
        put(regs, VIRTIO_PCI_COMMON_QUEUE_ENABLE, 2, 1);
    }
    put(regs, VIRTIO_PCI_COMMON_STATUS, 1, 0x0f);
    rest(bench);
}

static void offer(struct bench *bench, struct input *input)
{
    unsigned queue = take(input, 1) % 3, index = take(input, 1) % 16;
    uint64_t base = UINT64_C(0x1000) * queue;
    struct virtq_desc desc = { .address = take(input, 2), .length = (uint32_t)take(input, 2) };
    uint16_t head = (uint16_t)index, next;

    desc.flags = (uint16_t)take(input, 1);
    desc.next = (uint16_t)(take(input, 1) % 17);
    if (bench->packed) { /* any flags, the lap among them */
        struct virtq_packed_desc packed = { desc.address, desc.length, desc.next,
                                            (uint16_t)(desc.flags | take(input, 1) << 8) };

        memcpy(bench->memory.ram + base + 16 * index, &packed, sizeof packed);
        put(bench->registers, VIRTIO_PCI_REGION_NOTIFY + 4 * queue, 2, queue);
        return;
    }
    memcpy(bench->memory.ram + base + 16 * index, &desc, sizeof desc);
    memcpy(&next, bench->memory.ram + base + 0x102, 2);
    memcpy(bench->memory.ram + base + 0x104 + 2 * (next % 16u), &head, 2);
    next++;
    memcpy(bench->memory.ram + base + 0x102, &next, 2);
    put(bench->registers, VIRTIO_PCI_REGION_NOTIFY + 4 * queue, 2, queue);
}

static void inject(struct bench *bench, struct input *input)
{
    struct iov_packet *packet = iov_packet_new(bench->pool, 1 + take(input, 2) % 4096);

    memset(packet->data, (int)take(input, 1), packet->size);
    if (packet->size % 4 == 3) { /* a large segment, or what says so */
        packet->segment_size = (uint16_t)(packet->size / 5);
        packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
    }
    iov_packet_send(&bench->wire, packet);
}

static void operate(struct bench *bench, struct input *input)
{
    static const uint8_t sizes[] = { 1, 2, 3, 4, 5, 8, 12, 16 };
    uint8_t code = (uint8_t)take(input, 1);
    uint32_t size = sizes[code >> 5];
    uint64_t place;

    switch (code & 0x0f) {
    case 0:
        put(bench->registers, take(input, 2) % 0x4008, size, take(input, 8));
        break;
    case 1:
        get(bench->registers, take(input, 2) % 0x4008, size);
        break;
    case 2:
        put(bench->msix, take(input, 2) % 0x1008, size, take(input, 8));
        break;
    case 3:
        get(bench->msix, take(input, 2) % 0x1008, size);
        break;
    case 4:
        put(bench->config, take(input, 1), size, take(input, 4));
        break;
    case 5:
        get(bench->config, take(input, 1), size);
        break;
    case 6:
        inject(bench, input);
        break;
    case 7: /* common configuration, natural width */
        put(bench->registers, take(input, 1) % 0x38, size, take(input, 2));
        break;
    case 8:
        place = take(input, 2) % (RAM_SIZE - 8);
        memcpy(bench->memory.ram + place, &(uint64_t){ take(input, 4) }, 4);
        break;
    default:
        offer(bench, input);
        break;
    }
    if (code & 0x10)
        rest(bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct bench bench = { .memory.target.ops = &memory_ops, .wire.ops = &wire_ops };
    uint8_t options = (uint8_t)take(&input, 1);
    bool ready;

    bench.run.kernel = iov_kernel_new();
    bench.run.seed = 1;
    bench.pool = iov_packet_pool_new();
    bench.model = iov_model_new("virtio-net", "dut", &bench.run, NULL);
    bench.packed = (options & 128) != 0;
    iov_model_set_number(bench.model, "queue-pairs", 1 + (options >> 6 & 1), NULL);
    iov_model_set_number(bench.model, "packed", bench.packed, NULL);
    iov_model_set_string(bench.model, "setup",
                         options & 4   ? "msi-x"
                         : options & 8 ? "intx"
                                       : "reset",
                         NULL);
    iov_model_set_string(bench.model, "placement", options & 16 ? "hardware" : "software", NULL);
    iov_model_set_number(bench.model, "checksum", 1, NULL);
    iov_model_set_number(bench.model, "segmentation", 1, NULL);
    iov_model_set_number(bench.model, "poll-mode", (options & 32) != 0, NULL);
    bench.registers = iov_model_port(bench.model, "registers", 0);
    bench.msix = iov_model_port(bench.model, "msix", 0);
    bench.config = iov_model_port(bench.model, "config", 0);
    bench.end = iov_model_port(bench.model, "wire", 0);
    bench.wire.peer = bench.end;
    bench.end->peer = &bench.wire;
    ((struct iov_mem_initiator *)iov_model_port(bench.model, "dma", 0))->peer =
        &bench.memory.target;
    ready = iov_model_prepare(bench.model, NULL) && iov_model_realize(bench.model, NULL);
    g_assert(ready);
    iov_model_start(bench.model);
    if (options & 1)
        set_up(&bench, (options & 2) != 0, bench.packed);
    while (input.size > 0)
        operate(&bench, &input);
    rest(&bench);
    iov_model_unrealize(bench.model);
    g_object_unref(bench.model);
    iov_packet_pool_unref(bench.pool, NULL);
    iov_kernel_free(bench.run.kernel);
    return 0;
}
