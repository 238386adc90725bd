/* SPDX-License-Identifier: Apache-2.0 */
/*
 * card-switch - the switch in a network card that is several functions: one wire for all of them.
 *
 * Each function has one unicast address, the one that its device was given (`station` of the packet
 * port); nothing is learned. A frame goes to the function whose address it has, from the wire or
 * from another function; one to nobody here goes out, or, if it came in, is dropped. Group
 * addresses go to everybody but the sender. A function sends under its own address only.
 *
 * A frame passes in no time: what a card does for a frame is a cost of the function that sends or
 * stores it, and a function that sends is held back by the wire's time until the next frame.
 * LIMIT: no VLANs, no filter of group addresses (functions have their own), no promiscuous
 * functions; a frame between two functions waits for nothing in the card.
 */
#include <string.h>

#include "core/net/ethernet-regs.h"
#include "core/object/model.h"
#include "core/trace/measure.h"

#define IOV_TYPE_CARD_SWITCH (iov_card_switch_get_type())
G_DECLARE_FINAL_TYPE(IovCardSwitch, iov_card_switch, IOV, CARD_SWITCH, IovModel)

enum { FUNCTIONS = 64 };
#define NOBODY UINT64_MAX /* no address has more than 48 bits */

struct function {
    struct iov_packet_port port; /* first: a port row leads here */
    IovCardSwitch *owner;
    uint64_t address;
};

struct _IovCardSwitch {
    IovModel parent_instance;
    /* ports */
    struct iov_packet_port wire;
    struct function functions[FUNCTIONS];
    /* state */
    unsigned count;               /* of functions that are there; places are taken from 0 on */
    struct iov_packet_pool *pool; /* of copies */
    /* statistics */
    uint64_t frames_out, frames_in, frames_local, frames_filtered, copies, spoofed;
};

G_DEFINE_FINAL_TYPE(IovCardSwitch, iov_card_switch, IOV_TYPE_MODEL)

static uint64_t address_at(const uint8_t *bytes)
{
    uint64_t address = 0;

    memcpy(&address, bytes, ETHERNET_ADDRESS);
    return address;
}

static struct function *find(IovCardSwitch *self, const struct iov_packet *packet)
{
    uint64_t address = address_at(packet->data);

    for (unsigned i = 0; i < self->count; i++) {
        if (self->functions[i].address == address)
            return &self->functions[i];
    }
    return NULL;
}

static bool is_group(const struct iov_packet *packet)
{
    return packet->data[0] & 1;
}

/* A copy for each function but the one that has the frame itself. */
static void replicate(IovCardSwitch *self, const struct function *owner,
                      const struct iov_packet *packet)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (&self->functions[i] == owner)
            continue;
        self->copies++;
        iov_packet_send(&self->functions[i].port, iov_packet_copy(self->pool, packet));
    }
}

/* ---- From a function ---- */

static iov_time function_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct function *from = iov_container_of(port, struct function, port), *to;
    IovCardSwitch *self = from->owner;

    if (packet->size < ETHERNET_HEADER ||
        address_at(packet->data + ETHERNET_SOURCE) != from->address) {
        iov_measure_drop(self->parent_instance.run->measure, &self->spoofed, packet);
        return 0;
    }
    if (is_group(packet)) {
        replicate(self, from, packet);
    } else {
        to = find(self, packet);
        if (to != NULL && to != from) {
            self->frames_local++;
            packet->span = iov_span_after_sending(packet->span);
            iov_packet_send(&to->port, packet);
            return 0;
        }
    }
    self->frames_out++;
    return iov_packet_send(&self->wire, packet);
}

static const struct iov_packet_ops function_ops = { .receive = function_receive };

/* ---- From the wire ---- */

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovCardSwitch *self = iov_container_of(port, IovCardSwitch, wire);
    struct function *to = NULL;

    if (packet->size >= ETHERNET_HEADER && is_group(packet) && self->count > 0) {
        to = &self->functions[self->count - 1];
        replicate(self, to, packet);
    } else if (packet->size >= ETHERNET_HEADER) {
        to = find(self, packet);
    }
    if (to == NULL) {
        self->frames_filtered++;
        iov_packet_drop(packet);
        return 0;
    }
    self->frames_in++;
    iov_packet_send(&to->port, packet);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

static bool iov_card_switch_realize(IovModel *model, GError **error)
{
    IovCardSwitch *self = (IovCardSwitch *)(void *)model;

    (void)error;
    self->pool = iov_packet_pool_new();
    for (unsigned i = 0; i < FUNCTIONS; i++)
        self->functions[i].owner = self;
    return true;
}

/* Functions know their addresses by now. */
static void iov_card_switch_start(IovModel *model)
{
    IovCardSwitch *self = (IovCardSwitch *)(void *)model;
    uint8_t bytes[ETHERNET_ADDRESS];

    for (unsigned i = 0; i < FUNCTIONS; i++) {
        struct function *function = &self->functions[i];
        bool known = iov_packet_station(&function->port, bytes);

        function->address = known ? address_at(bytes) : NOBODY;
        if (function->port.peer != NULL)
            self->count = i + 1;
    }
}

static void iov_card_switch_finalize(GObject *object)
{
    iov_packet_pool_unref(((IovCardSwitch *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_card_switch_parent_class)->finalize(object);
}

static void iov_card_switch_class_init(IovCardSwitchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "card-switch",
                             "The switch in a card: several functions on one wire");
    IOV_PORT_PACKET_END(mc, IovCardSwitch, wire, &wire_ops, "The cable");
    IOV_PORT_PACKET_ENDS_SHARED(mc, IovCardSwitch, functions, FUNCTIONS, &function_ops,
                                "The functions' own ends");
    IOV_STAT(mc, IovCardSwitch, frames_out, "Frames of functions that went to the wire");
    IOV_STAT(mc, IovCardSwitch, frames_in, "Frames from the wire that went to functions");
    IOV_STAT(mc, IovCardSwitch, frames_local, "Frames from one function to another");
    IOV_STAT(mc, IovCardSwitch, copies, "Copies of frames to group addresses");
    IOV_STAT(mc, IovCardSwitch, spoofed,
             "Frames dropped whose source was not their function's address");
    IOV_STAT(mc, IovCardSwitch, frames_filtered, "Frames from the wire for nobody here");
    mc->realize = iov_card_switch_realize;
    mc->start = iov_card_switch_start;
    G_OBJECT_CLASS(klass)->finalize = iov_card_switch_finalize;
}

static void iov_card_switch_init(IovCardSwitch *self)
{
    (void)self;
}
