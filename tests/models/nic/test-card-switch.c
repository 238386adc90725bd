/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of a card: each function gets what is addressed to it and sends as itself only. */
#include "core/net/ethernet-regs.h"
#include "tests/models/bench.h"

enum { FUNCTIONS = 3, PLACES = 64 };

/* A function whose address ends with its number. */
struct function {
    struct bench_end end;
    uint8_t number;
};

static struct bench *bench;
static IovModel *card;
static struct bench_end wire;
static struct function functions[FUNCTIONS];

#define GROUP UINT64_C(0xffffffffffff)
#define STRANGER UINT64_C(0x0200000000aa)

static void address_write(uint8_t *bytes, uint64_t address)
{
    for (unsigned i = 0; i < ETHERNET_ADDRESS; i++)
        bytes[i] = (uint8_t)(address >> 8 * (ETHERNET_ADDRESS - 1 - i));
}

static uint64_t address_of(unsigned function)
{
    return UINT64_C(0x525400000000) + function;
}

static bool station(struct iov_packet_port *port, uint8_t *ret_address)
{
    const struct function *self = iov_container_of(port, struct function, end.port);

    address_write(ret_address, address_of(self->number));
    return true;
}

static const struct iov_packet_ops function_ops = { .receive = bench_end_receive,
                                                    .station = station };

static void setup(void)
{
    bench = bench_new(NULL);
    card = bench_add(bench, "card-switch", "card");
    bench_prepare(bench);
    bench_end_connect(bench, &wire, card, "wire");
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        struct iov_packet_port *peer = iov_model_port(card, "functions", i);

        functions[i] = (struct function){
            .end = { .port = { .ops = &function_ops, .peer = peer },
                     .pool = iov_packet_pool_new(),
                     .kernel = bench->run.kernel },
            .number = (uint8_t)i,
        };
        peer->peer = &functions[i].end.port;
    }
    bench_start(bench);
}

static void teardown(void)
{
    for (unsigned i = 0; i < FUNCTIONS; i++)
        bench_end_free(&functions[i].end);
    bench_end_free(&wire);
    bench_free(bench);
}

TestSuite(card_switch, .init = setup, .fini = teardown);

static iov_time send(struct bench_end *end, uint64_t to, uint64_t from)
{
    struct iov_packet *packet = iov_packet_new(end->pool, ETHERNET_MIN);

    memset(packet->data, 0, packet->size);
    address_write(packet->data, to);
    address_write(packet->data + ETHERNET_SOURCE, from);
    return iov_packet_send(&end->port, packet);
}

/* How many frames the wire and the functions have got. */
static void expect_frames(unsigned on_wire, unsigned first, unsigned second, unsigned third)
{
    cr_assert(eq(u32, wire.queue.count, on_wire));
    cr_assert(eq(u32, functions[0].end.queue.count, first));
    cr_assert(eq(u32, functions[1].end.queue.count, second));
    cr_assert(eq(u32, functions[2].end.queue.count, third));
}

Test(card_switch, a_frame_from_the_wire_goes_to_the_function_with_its_address)
{
    send(&wire, address_of(1), STRANGER);
    expect_frames(0, 0, 1, 0);
    send(&wire, address_of(2), STRANGER);
    expect_frames(0, 0, 1, 1);
    cr_assert(eq(u64, bench_stat(card, "frames-in"), 2));
}

Test(card_switch, a_frame_for_nobody_is_dropped_from_the_wire_and_goes_out_from_a_function)
{
    send(&wire, STRANGER, STRANGER + 1);
    expect_frames(0, 0, 0, 0);
    cr_assert(eq(u64, bench_stat(card, "frames-filtered"), 1));
    send(&functions[0].end, STRANGER, address_of(0));
    expect_frames(1, 0, 0, 0);
}

Test(card_switch, a_function_that_sends_is_held_back_by_the_wire)
{
    wire.busy = 7 * IOV_NS;
    cr_assert(eq(u64, send(&functions[0].end, STRANGER, address_of(0)), 7 * IOV_NS));
    cr_assert(eq(u64, send(&functions[0].end, address_of(1), address_of(0)), 0));
}

Test(card_switch, a_frame_from_one_function_to_another_stays_in_the_card)
{
    send(&functions[0].end, address_of(2), address_of(0));
    expect_frames(0, 0, 0, 1);
    cr_assert(eq(u64, bench_stat(card, "frames-local"), 1));
}

Test(card_switch, a_group_is_everybody_but_the_sender)
{
    send(&wire, GROUP, STRANGER);
    expect_frames(0, 1, 1, 1);
    send(&functions[1].end, GROUP, address_of(1));
    expect_frames(1, 2, 1, 2);
    cr_assert(eq(u64, bench_stat(card, "copies"), 4)); /* the last one gets the frame itself */
}

Test(card_switch, a_function_sends_under_its_own_address_only)
{
    send(&functions[0].end, STRANGER, address_of(1));
    send(&functions[0].end, address_of(2), STRANGER);
    send(&functions[0].end, GROUP, GROUP);
    expect_frames(0, 0, 0, 0);
    cr_assert(eq(u64, bench_stat(card, "spoofed"), 3));
    cr_assert(eq(u64, bench->run.measure->counters.drops, 3));
}

Test(card_switch, a_frame_without_a_header_goes_nowhere)
{
    for (uint32_t size = 0; size < ETHERNET_HEADER; size++) {
        iov_packet_send(&wire.port, iov_packet_new(wire.pool, size));
        iov_packet_send(&functions[0].end.port, iov_packet_new(functions[0].end.pool, size));
    }
    expect_frames(0, 0, 0, 0);
}

Test(card_switch, each_wire_takes_the_next_place_from_whichever_end_it_is_written)
{
    IovModel *other = bench_add(bench, "card-switch", "other");
    IovModel *cables[PLACES + 1];
    GError *error = NULL;

    for (unsigned i = 0; i <= PLACES; i++)
        cables[i] = bench_add(bench, "wire", "cable");
    bench_prepare(bench);
    for (unsigned i = 0; i < PLACES; i += 2) {
        bench_wire(other, "functions", cables[i], "a");
        bench_wire(cables[i + 1], "a", other, "functions");
    }
    for (unsigned i = 0; i < PLACES; i++) {
        const struct iov_packet_port *place = iov_model_port(other, "functions", i);

        cr_assert(eq(ptr, place->peer, iov_model_port(cables[i], "a", 0)));
        cr_assert(eq(ptr, place->peer->peer, (void *)(uintptr_t)place));
    }
    cr_assert(not(iov_model_wire(other, "functions", cables[PLACES], "a", false, 0, &error)));
    cr_assert_not_null(strstr(error->message, "64 places, and all are wired"));
    g_error_free(error);
}
