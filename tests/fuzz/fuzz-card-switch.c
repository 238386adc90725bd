/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what happens at the ports of a card's switch: functions with or without an address
 * of their own, that come and go, and frames of any size from any of them or from the wire, to and
 * from addresses that are known, almost known, groups or chosen byte by byte. Each frame reaches
 * exactly those that it is for, as it was; and whatever the others do, the neighbour, function 0,
 * and the far end exchange theirs.
 */
#include "core/net/ethernet-regs.h"
#include "tests/fuzz/nic.h"

#define PLACES 64u
#define CABLE PLACES

struct end {
    struct iov_packet_port port;
    struct machine *machine;
    struct iov_packet_port *card;
    uint8_t address[ETHERNET_ADDRESS];
    bool has_address;
    unsigned expected; /* of the frame that is on its way; less each time it comes */
};

struct machine {
    struct end ends[PLACES + 1]; /* the last one is the cable */
    struct iov_packet_pool *pool;
    const struct iov_packet *sent; /* a copy */
    unsigned count;
};

static iov_time end_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct end *end = iov_container_of(port, struct end, port);
    const struct iov_packet *sent = end->machine->sent;

    if (end->expected-- == 0 || packet->size != sent->size || packet->flags != sent->flags ||
        packet->segment_size != sent->segment_size ||
        memcmp(packet->data, sent->data, sent->size) != 0)
        abort();
    iov_packet_free(packet);
    return 100 * IOV_NS;
}

static bool end_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    const struct end *end = iov_container_of(port, struct end, port);

    memcpy(ret_address, end->address, ETHERNET_ADDRESS);
    return end->has_address;
}

static const struct iov_packet_ops end_ops = { .receive = end_receive, .station = end_station };

static void end_plug(struct end *end, bool in)
{
    end->port.peer = in ? end->card : NULL;
    end->card->peer = in ? &end->port : NULL;
}

static bool is_own(const struct end *end, const uint8_t *address)
{
    return end->has_address && memcmp(end->address, address, ETHERNET_ADDRESS) == 0;
}

/* Says who gets the frame. True: the cable does, whose time holds the sender back. */
static bool expect(struct machine *machine, unsigned from, const uint8_t *frame, uint32_t size)
{
    bool group = size > 0 && (frame[0] & 1);
    unsigned to = CABLE;

    if (size < ETHERNET_HEADER ||
        (from != CABLE && !is_own(&machine->ends[from], frame + ETHERNET_SOURCE)))
        return false;
    for (unsigned i = machine->count; i-- > 0;) {
        if (group ? i != from : is_own(&machine->ends[i], frame)) {
            to = i; /* of several with one address the first */
            machine->ends[i].expected = group && machine->ends[i].port.peer != NULL;
        }
    }
    if (!group && to != from && to != CABLE) {
        machine->ends[to].expected = machine->ends[to].port.peer != NULL;
        return false;
    }
    machine->ends[CABLE].expected = from != CABLE;
    return from != CABLE;
}

static void send(struct machine *machine, unsigned from, struct iov_packet *packet)
{
    struct end *end = &machine->ends[from];
    struct iov_packet *copy = iov_packet_copy(machine->pool, packet);
    bool held_back = expect(machine, from, packet->data, packet->size);

    machine->sent = copy;
    if (iov_packet_send(&end->port, packet) != (held_back ? 100 * IOV_NS : 0))
        abort();
    for (unsigned i = 0; i <= CABLE; i++) {
        if (machine->ends[i].expected != 0)
            abort();
    }
    iov_packet_free(copy);
}

/* ---- Operations ---- */

/* An address of somebody, one that differs in a bit, or any. */
static void choose_address(struct machine *machine, struct input *input, uint8_t *ret_address)
{
    unsigned code = (unsigned)take(input, 1);
    const struct end *end = &machine->ends[(code >> 2) % machine->count];

    memcpy(ret_address, end->address, ETHERNET_ADDRESS);
    if (code & 1)
        ret_address[take(input, 1) % ETHERNET_ADDRESS] ^= (uint8_t)(1u << (code >> 5));
    if (code & 2)
        for (unsigned i = 0; i < ETHERNET_ADDRESS; i++)
            ret_address[i] = (uint8_t)take(input, 1);
}

static void send_any(struct machine *machine, struct input *input, unsigned from)
{
    uint32_t size = (uint32_t)take(input, 2) % 20000;
    struct iov_packet *packet = iov_packet_new(machine->pool, size);
    uint8_t header[ETHERNET_HEADER] = { 0 };

    choose_address(machine, input, header);
    choose_address(machine, input, header + ETHERNET_SOURCE);
    packet->segment_size = (uint16_t)take(input, 1);
    packet->flags = packet->segment_size & IOV_PACKET_NEEDS_CHECKSUM;
    memset(packet->data, (int)take(input, 1), size);
    memcpy(packet->data, header, MIN(size, sizeof header));
    send(machine, from, packet);
}

static void operation(struct machine *machine, struct input *input)
{
    unsigned code = (unsigned)take(input, 1);
    unsigned function = (code >> 2) % machine->count;
    const struct end *end = &machine->ends[function];

    switch (code & 3) {
    case 0:
        if (function > 0)
            end_plug(&machine->ends[function], end->port.peer == NULL);
        break;
    case 1:
        send_any(machine, input, CABLE);
        break;
    default:
        if (end->port.peer != NULL)
            send_any(machine, input, function);
        break;
    }
}

/* One frame each way between the neighbour and somebody out there: nobody else gets it. */
static void exchange(struct machine *machine)
{
    static const uint8_t far[ETHERNET_ADDRESS] = { 0x02, 0xfa, 0x12 };
    struct end *neighbour = &machine->ends[0];
    struct iov_packet *packet;

    packet = iov_packet_new(machine->pool, ETHERNET_MIN);
    memset(packet->data, 0, packet->size);
    memcpy(packet->data, neighbour->address, ETHERNET_ADDRESS);
    memcpy(packet->data + ETHERNET_SOURCE, far, ETHERNET_ADDRESS);
    send(machine, CABLE, packet);
    packet = iov_packet_new(machine->pool, ETHERNET_MIN);
    memset(packet->data, 0, packet->size);
    memcpy(packet->data, far, ETHERNET_ADDRESS);
    memcpy(packet->data + ETHERNET_SOURCE, neighbour->address, ETHERNET_ADDRESS);
    send(machine, 0, packet);
}

/* Places that are taken, all but the neighbour's perhaps not yet, and the addresses there. */
static void set_up(struct machine *machine, struct input *input, IovModel *card)
{
    machine->count = 2 + (unsigned)take(input, 1) % (PLACES - 1);
    for (unsigned i = 0; i <= CABLE; i++) {
        struct end *end = &machine->ends[i];
        unsigned how = i > 0 && i < machine->count ? (unsigned)take(input, 1) : 0;

        end->machine = machine;
        end->port.ops = &end_ops;
        end->card =
            i < CABLE ? iov_model_port(card, "functions", i) : iov_model_port(card, "wire", 0);
        memcpy(end->address, (const uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)i }, 6);
        if ((how & 7) == 7)
            memcpy(end->address, machine->ends[how >> 3].address, 6);
        end_plug(end, i == CABLE || (i < machine->count && (how & 3) != 1));
        end->has_address = i < machine->count && end->port.peer != NULL && (how & 3) != 2;
    }
    while (machine->ends[machine->count - 1].port.peer == NULL)
        machine->count--; /* nothing behind the last one that is there when the card starts */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct iov_cost_table table = { .lookup = lookup };
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1, .costs = &table };
    IovModel *card = iov_model_new("card-switch", "card", &run, NULL);
    struct machine machine = { .pool = iov_packet_pool_new() };

    run.measure = iov_measure_new(run.kernel);
    if (!iov_model_prepare(card, NULL) || !iov_model_realize(card, NULL))
        abort();
    set_up(&machine, &input, card);
    iov_model_start(card);
    exchange(&machine);
    while (input.size > 0) {
        operation(&machine, &input);
        exchange(&machine);
    }
    iov_model_unrealize(card);
    g_object_unref(card);
    iov_packet_pool_unref(machine.pool, NULL);
    iov_measure_free(run.measure);
    iov_kernel_free(run.kernel);
    return 0;
}
