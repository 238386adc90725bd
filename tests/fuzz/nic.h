/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds a network card that a fuzz target drives: its cable, costs, and accesses to its
 * registers and rings. */
#ifndef IOV_TESTS_FUZZ_NIC_H
#define IOV_TESTS_FUZZ_NIC_H

#include <stdlib.h>
#include <string.h>

#include "core/object/model.h"
#include "core/trace/measure.h"
#include "tests/fuzz/input.h"

#define RAM_SIZE 0x10000u
#define FRAMES_MAX 100000u /* enough for one input: segmentation multiplies */

struct cable {
    struct iov_packet_port port;
    struct iov_packet_pool *pool;
    uint32_t longest; /* what the card may send */
    iov_time busy;    /* after every other frame */
    unsigned frames;
};

static inline iov_time cable_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct cable *cable = iov_container_of(port, struct cable, port);

    if (packet->size < 14 || packet->size > cable->longest)
        abort();
    cable->frames++;
    iov_packet_free(packet);
    return cable->frames & 1 ? cable->busy : 0;
}

static const struct iov_packet_ops cable_ops = { .receive = cable_receive };

static inline void cable_plug(struct cable *cable, IovModel *nic, uint32_t longest, iov_time busy)
{
    *cable = (struct cable){ .port = { .ops = &cable_ops, .peer = iov_model_port(nic, "wire", 0) },
                             .pool = iov_packet_pool_new(),
                             .longest = longest,
                             .busy = busy };
    cable->port.peer->peer = &cable->port;
}

/* A frame for the card; the input chooses its first `chosen` bytes one by one. */
static inline void cable_send(struct cable *cable, struct input *input, uint32_t chosen)
{
    uint32_t size = (uint32_t)take(input, 2) % 20000;
    struct iov_packet *packet = iov_packet_new(cable->pool, size);

    memset(packet->data, (int)take(input, 1), size);
    for (uint32_t i = 0; i < MIN(size, chosen); i++)
        packet->data[i] = (uint8_t)take(input, 1);
    iov_packet_send(&cable->port, packet);
}

/* Every cost is 100 ns. */
static inline bool lookup(struct iov_cost_table *table, const char *name, const char *kind,
                          iov_time *ret_cost, GError **error)
{
    (void)table, (void)name, (void)kind, (void)error;
    *ret_cost = 100 * IOV_NS;
    return true;
}

static inline void mem_move(struct iov_mem_target *target, uint64_t address, void *data,
                            unsigned size, bool write)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .pasid = IOV_NO_PASID
    };

    if (write)
        target->ops->write(target, &req);
    else
        target->ops->read(target, &req);
}

static inline void mem_access(struct iov_mem_target *target, uint64_t address, unsigned size,
                              uint64_t value, bool write)
{
    mem_move(target, address, &value, size, write);
}

#endif
