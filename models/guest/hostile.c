/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile - a guest whose program has the rights of its kernel and means harm: it writes over its
 * rings and shared pages, into its device's registers, mailbox and doorbells, over its interrupt
 * controllers and MSRs, makes hypercalls and sends frames under false addresses, with honest
 * datagrams in between so that there is always somebody at work to be hurt. What it does is a list
 * of actions of 8 bytes, given or drawn; when it is over, the guest sleeps for ever. It has no
 * operations: a run ends when the others have done theirs.
 *
 *     byte 0     what (bits 0-3), bytes of an access as a power of two (4-5), which window of
 *                registers (6-7)
 *     byte 1     the pause after it: bits 0-4 a time from 100 ns to about 7 us; bit 7: the
 *                processor sleeps meanwhile
 *     bytes 2-3  offset, or number of port, MSR, hypercall
 *     bytes 4-7  value
 *
 * LIMIT: one processor at work; instructions that only spend time are left to other workloads.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/guest/guest-private.h"

#define ACTION 8
#define DESCRIPTOR 16u /* bytes; its address comes first, in every ring but Xen's */
#define SPRAYED 64u    /* descriptors */
#define SCRIPT_MAX (1 << 20)

enum what {
    WRITE_MEMORY,
    WRITE_MEMORY_LAST = 2,
    SPRAY,
    WRITE_REGISTER,
    WRITE_REGISTER_LAST = 6,
    READ_REGISTER,
    HYPERCALL,
    WRITE_MSR,
    WRITE_PORT,
    FORGE,
    SEND,
    SEND_LAST = 13,
    RECEIVE,
    WAIT,
};

struct action {
    unsigned what, size, window;
    iov_time pause;
    bool asleep;
    uint16_t offset;
    uint32_t value;
};

G_DECLARE_FINAL_TYPE(IovHostile, iov_hostile, IOV, HOSTILE, IovWorkload)

struct _IovHostile {
    IovWorkload parent_instance;
    char *script;           /* property */
    uint64_t actions;       /* property */
    GByteArray *bytes;      /* of the script */
    uint64_t acted, frames; /* statistics */
    uint64_t answers;       /* statistic: of honest datagrams */
};

G_DEFINE_FINAL_TYPE(IovHostile, iov_hostile, IOV_TYPE_WORKLOAD)

/* ---- What it does ---- */

static struct action decode(const uint8_t *bytes)
{
    return (struct action){
        .what = bytes[0] & 15,
        .size = 1u << (bytes[0] >> 4 & 3),
        .window = bytes[0] >> 6,
        .pause = (1 + (bytes[1] & 31)) * (bytes[1] & 16 ? 2 : 1) * 100 * IOV_NS,
        .asleep = (bytes[1] & 0x80) != 0,
        .offset = (uint16_t)(bytes[2] | bytes[3] << 8),
        .value = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 |
                 (uint32_t)bytes[7] << 24,
    };
}

/* Any word; an address right behind 2 GiB, where another guest may lie; twice the word. */
static uint64_t wild_value(const struct action *action)
{
    if (action->window == 0)
        return action->value;
    if (action->window == 1)
        return (UINT64_C(2) << 30) + action->value % (UINT32_C(4) << 20);
    return action->value * UINT64_C(0x100000001);
}

/* The rings and the shared pages come first of what the kernel has allocated; buffers follow. */
static void write_memory(struct iov_guest_cpu *cpu, const struct action *action)
{
    const IovLinuxGuest *guest = cpu->guest;
    uint64_t used = guest->next_memory - guest->memory_base;
    uint64_t value = wild_value(action);

    if (action->what == SPRAY) {
        uint64_t begin = action->offset / DESCRIPTOR * DESCRIPTOR;

        for (uint64_t at = begin; at < MIN(begin + SPRAYED * DESCRIPTOR, used); at += DESCRIPTOR)
            iov_exec_put(cpu->exec, guest->memory_base + at, &value, sizeof value);
    } else if (used > action->size)
        iov_exec_put(cpu->exec,
                     guest->memory_base +
                         action->offset % (used - action->size) / action->size * action->size,
                     &value, action->size);
}

/* Registers, MSI-X table, I/O APIC, or any place below 4 GiB. */
static uint64_t register_address(const struct iov_guest_cpu *cpu, const struct action *action)
{
    const IovLinuxGuest *guest = cpu->guest;
    const uint64_t windows[] = { guest->registers,
                                 guest->msix != 0 ? guest->msix : guest->registers, guest->ioapic,
                                 (uint64_t)action->offset << 16 };
    uint64_t offset = action->offset / action->size * action->size;

    return windows[action->window] + (action->window == 3 ? action->value & 0xfff8 : offset);
}

static void call(struct iov_guest_cpu *cpu, const struct action *action)
{
    struct iov_op op = { .kind = IOV_OP_VMCALL,
                         .value = { action->offset % 64, action->value % 32,
                                    cpu->guest->memory_base + (action->value >> 8) % 0x1000,
                                    1 + action->value % 3 } };

    iov_exec_operate(cpu->exec, &op);
}

/* The x2APIC's, or any. */
static uint32_t msr_of(const struct action *action)
{
    return action->window < 2 ? 0x800u + action->offset % 0x100u : action->offset * 0x10001u;
}

/* One of the addresses that matter: its own, the far end's, a neighbour's, everybody's. */
static void put_address(const struct iov_guest_net *net, uint8_t *place, unsigned choice)
{
    switch (choice & 3) {
    case 0:
        memcpy(place, net->dev->mac, 6);
        break;
    case 1:
        memcpy(place, net->peer.mac, 6);
        break;
    case 2:
        memcpy(place, net->dev->mac, 6);
        place[5] ^= 1 + (choice >> 2 & 3);
        break;
    default:
        memset(place, 0xff, 6);
        break;
    }
}

/* A frame as a program with a raw socket makes it: any addresses, any type, any length. */
static void forge(IovHostile *self, struct iov_guest_cpu *cpu, const struct action *action)
{
    static const uint16_t types[] = { ETHERNET_TYPE_IPV4, 0x8100, 0x88cc, 0x0000 };
    struct iov_guest_net *net = &cpu->guest->net;
    struct iov_guest_frame *frame = iov_guest_net_frame(net, iov_guest_socket(cpu));

    if (frame == NULL)
        return;
    frame->span = NULL;
    frame->checksum_start = frame->checksum_offset = 0;
    frame->size =
        (uint16_t)(ETHERNET_HEADER + action->offset % (IOV_GUEST_FRAME_MAX - ETHERNET_HEADER + 1));
    memset(frame->data, (int)(action->value >> 24), frame->size);
    put_address(net, frame->data + ETHERNET_DESTINATION, action->value);
    put_address(net, frame->data + ETHERNET_SOURCE, action->value >> 4);
    iov_net_put16(frame->data + ETHERNET_TYPE, types[action->value >> 8 & 3]);
    self->frames++;
    iov_guest_net_transmit(cpu, frame, NULL, cpu->guest->costs.udp_tx);
}

static void act(IovHostile *self, struct iov_guest_cpu *cpu, const struct action *action)
{
    bool has_network = cpu->guest->net.dev != NULL;
    uint8_t data[IOV_GUEST_PAYLOAD_MAX] = { 0 };
    struct iov_span *span;
    uint32_t size;

    self->acted++;
    if (action->what <= SPRAY) {
        write_memory(cpu, action);
    } else if (action->what <= WRITE_REGISTER_LAST) {
        iov_guest_write(cpu, register_address(cpu, action), action->size, action->value);
    } else if (action->what == READ_REGISTER) {
        iov_guest_read(cpu, register_address(cpu, action), action->size);
    } else if (action->what == HYPERCALL) {
        call(cpu, action);
    } else if (action->what == WRITE_MSR) {
        iov_exec_wrmsr(cpu->exec, msr_of(action), action->value);
    } else if (action->what == WRITE_PORT) {
        iov_guest_out(cpu, action->offset, MIN(action->size, 4), action->value);
    } else if (has_network && action->what == FORGE) {
        forge(self, cpu, action);
    } else if (has_network && action->what == RECEIVE) {
        if (iov_guest_receive(cpu, iov_guest_now(cpu) + action->pause, data, sizeof data, &size,
                              &span))
            self->answers++;
    } else if (has_network && action->what <= SEND_LAST && iov_guest_may_send(cpu)) {
        iov_guest_send_udp(cpu, data, 1 + action->offset % (uint32_t)sizeof data, NULL);
    }
    iov_guest_work_for(cpu, NULL);
    if (action->asleep)
        iov_guest_sleep(cpu, action->pause);
    else
        iov_guest_delay(cpu, action->pause);
}

static void hostile_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovHostile *self = (IovHostile *)(void *)workload;
    uint64_t count = self->bytes != NULL ? self->bytes->len / ACTION : self->actions;

    if (cpu->index != 0)
        return;
    workload->ready = true;
    iov_measure_guest_stands_by(workload->measure, workload->guest);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t drawn =
            self->bytes == NULL ? iov_random_u64(&workload->parent_instance.random) : 0;
        struct action action =
            decode(self->bytes != NULL ? self->bytes->data + ACTION * i : (const uint8_t *)&drawn);

        act(self, cpu, &action);
    }
}

/* ---- Life ---- */

static bool hostile_realize(IovModel *model, GError **error)
{
    IovHostile *self = (IovHostile *)(void *)model;
    size_t length = strlen(self->script);

    if (length % (2 * ACTION) != 0 || length > SCRIPT_MAX)
        return iov_model_fail(model, error, "script: it has %zu digits; an action has %d", length,
                              2 * ACTION);
    if (length > 0)
        self->bytes = g_byte_array_sized_new((guint)length / 2);
    for (size_t i = 0; i < length; i += 2) {
        int high = g_ascii_xdigit_value(self->script[i]);
        int low = g_ascii_xdigit_value(self->script[i + 1]);
        uint8_t byte = (uint8_t)(high << 4 | low);

        if (high < 0 || low < 0)
            return iov_model_fail(model, error, "script: '%c%c' is no byte in hexadecimal digits",
                                  self->script[i], self->script[i + 1]);
        g_byte_array_append(self->bytes, &byte, 1);
    }
    return IOV_MODEL_CLASS(iov_hostile_parent_class)->realize(model, error);
}

static void hostile_unrealize(IovModel *model)
{
    g_clear_pointer(&((IovHostile *)(void *)model)->bytes, g_byte_array_unref);
    IOV_MODEL_CLASS(iov_hostile_parent_class)->unrealize(model);
}

static void iov_hostile_class_init(IovHostileClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    IOV_WORKLOAD_CLASS(klass)->run = hostile_run;
    mc->realize = hostile_realize;
    mc->unrealize = hostile_unrealize;
    iov_model_class_describe(mc, "hostile", "A guest that does harm where it can");
    IOV_PROP_STRING(mc, IovHostile, script, "",
                    "Its actions, 16 hexadecimal digits each; none: they are drawn");
    IOV_PROP_COUNT(mc, IovHostile, actions, 0, UINT32_MAX, 1000, "How many are drawn");
    IOV_STAT(mc, IovHostile, acted, "Actions done");
    IOV_STAT(mc, IovHostile, frames, "Frames sent past the stack");
    IOV_STAT(mc, IovHostile, answers, "Datagrams received");
}

static void iov_hostile_init(IovHostile *self)
{
    (void)self;
}
