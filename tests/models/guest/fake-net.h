/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of a network device under test: real device models on a fake machine, and a peer
 * that echoes or swallows. */
#ifndef IOV_TEST_FAKE_NET_H
#define IOV_TEST_FAKE_NET_H

#include "core/net/internet.h"
#include "tests/models/guest/fake-machine.h"

struct fake_net {
    struct machine *machine;
    IovModel *nic;
    struct iov_packet_port wire;
    struct iov_event reply;
    struct iov_packet_queue waiting;
    iov_time delay;    /* of the echo */
    iov_time interval; /* a frame takes on the wire */
    bool swallow;
    unsigned frames;
    unsigned bad_frames; /* whose checksums are wrong */
};

static inline uint64_t fake_net_access(struct fake_net *net, const char *port, uint64_t offset,
                                       uint32_t size, uint64_t value, bool write)
{
    struct iov_mem_target *target = iov_model_port(net->nic, port, 0);
    struct iov_mem_req req = {
        .address = offset, .data = &value, .size = size, .pasid = IOV_NO_PASID
    };
    enum iov_status status =
        write ? target->ops->write(target, &req) : target->ops->read(target, &req);

    return status == IOV_STATUS_OK ? value : UINT64_MAX;
}

static inline uint64_t fake_net_read(struct machine *machine, uint64_t address, uint32_t size)
{
    struct fake_net *net = machine->device;

    if (address >= MACHINE_MSIX)
        return fake_net_access(net, "msix", address - MACHINE_MSIX, size, 0, false);
    return fake_net_access(net, "registers", address - MACHINE_REGISTERS, size, 0, false);
}

static inline void fake_net_write(struct machine *machine, uint64_t address, uint32_t size,
                                  uint64_t value)
{
    struct fake_net *net = machine->device;

    if (address >= MACHINE_MSIX)
        fake_net_access(net, "msix", address - MACHINE_MSIX, size, value, true);
    else
        fake_net_access(net, "registers", address - MACHINE_REGISTERS, size, value, true);
}

static inline void fake_net_swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t kept[8];

    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static inline void fake_net_check(struct fake_net *net, const struct iov_packet *packet)
{
    uint8_t pseudo[12] = { 0 };
    uint32_t length = packet->size - 34;

    net->frames++;
    memcpy(pseudo, packet->data + 26, 8);
    pseudo[9] = packet->data[23];
    pseudo[10] = (uint8_t)(length >> 8);
    pseudo[11] = (uint8_t)length;
    bool ping = packet->data[23] == 1; /* its sum has no pseudo header */
    uint32_t sum = ping ? 0 : iov_net_sum(0, pseudo, sizeof pseudo);

    if (iov_net_sum(0, packet->data + 14, 20) != 0xffff ||
        iov_net_sum(sum, packet->data + 34, length) != 0xffff)
        net->bad_frames++;
}

static inline void fake_net_reply(struct iov_event *event)
{
    struct fake_net *net = iov_container_of(event, struct fake_net, reply);
    struct iov_packet *packet = iov_packet_queue_pop(&net->waiting);

    fake_net_swap(packet->data, packet->data + 6, 6);
    fake_net_swap(packet->data + 26, packet->data + 30, 4);
    if (packet->data[23] == 17) {
        fake_net_swap(packet->data + 34, packet->data + 36, 2);
    } else { /* an echo reply: the type is 8 less, the checksum 0x800 more */
        packet->data[34] = 0;
        packet->data[36] = packet->data[37] = 0;
        uint32_t sum = ~iov_net_sum(0, packet->data + 34, packet->size - 34);

        packet->data[36] = (uint8_t)(sum >> 8);
        packet->data[37] = (uint8_t)sum;
    }
    iov_packet_send(&net->wire, packet);
    if (net->waiting.first != NULL)
        iov_event_in(event, 0);
}

static inline iov_time fake_net_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct fake_net *net = iov_container_of(port, struct fake_net, wire);

    fake_net_check(net, packet);
    iov_span_claim(packet->span, net, IOV_PART_WIRE, iov_now(net->machine->kernel));
    if (net->swallow) {
        iov_packet_free(packet);
        return net->interval;
    }
    iov_packet_queue_push(&net->waiting, packet);
    if (!iov_event_armed(&net->reply))
        iov_event_in(&net->reply, net->delay);
    return net->interval;
}

static const struct iov_packet_ops fake_net_ops = { .receive = fake_net_receive };

/* The device is made; set its properties, then fake_net_start(). */
static inline struct fake_net *fake_net_new(struct machine *machine, const char *kind)
{
    struct fake_net *net = g_new0(struct fake_net, 1);
    struct iov_packet_port *device;

    net->machine = machine;
    net->nic = iov_model_new(kind, "nic", &machine->run, NULL);
    cr_assert(ne(ptr, net->nic, NULL));
    net->wire.ops = &fake_net_ops;
    device = iov_model_port(net->nic, "wire", 0);
    net->wire.peer = device;
    device->peer = &net->wire;
    ((struct iov_mem_initiator *)iov_model_port(net->nic, "dma", 0))->peer = &machine->memory;
    ((struct iov_irq_source *)iov_model_port(net->nic, "interrupt", 0))->peer = &machine->line;
    iov_event_init(&net->reply, machine->kernel, fake_net_reply, IOV_PRIORITY_DEFAULT);
    machine->device = net;
    machine->device_read = fake_net_read;
    machine->device_write = fake_net_write;
    machine_choose(machine->guest, "driver", kind);
    machine_set(machine->guest, "registers", MACHINE_REGISTERS);
    return net;
}

static inline void fake_net_start(struct fake_net *net)
{
    machine_realize(net->nic);
    machine_start(net->machine);
}

static inline void fake_net_free(struct fake_net *net)
{
    iov_packet_queue_clear(&net->waiting);
    iov_event_disarm(&net->reply);
    iov_model_unrealize(net->nic);
    g_object_unref(net->nic);
    g_free(net);
}

#endif
