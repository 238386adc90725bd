/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control commands of virtio-net (virtio 1.2, clause 5.1.6.5): receive modes, address and VLAN
 * filter, active queue pairs, announcements, receive offloads. Anything else is answered with an
 * error, as the clause wants it.
 */
#include "models/virtio/virtio-net-private.h"

#define TAGGED_SIZE 18u /* an Ethernet header with a VLAN tag */
#define IS_MULTICAST(address) (((address)[0] & 1) != 0)

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

void iov_virtio_net_filter_reset(IovVirtioNet *net)
{
    net->filter = (struct iov_virtio_net_filter){ .promiscuous = true };
    net->parent_instance.device_config[VIRTIO_NET_CONFIG_STATUS] &=
        (uint8_t)~VIRTIO_NET_STATUS_ANNOUNCE;
    memcpy(net->filter.mac, net->address, sizeof net->filter.mac);
    memcpy(net->parent_instance.device_config + VIRTIO_NET_CONFIG_MAC, net->address, 6);
}

static bool in_table(const struct iov_virtio_net_filter *filter, const uint8_t *address,
                     unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        if (memcmp(filter->table[i], address, 6) == 0)
            return true;
    }
    return false;
}

/* SPEC: 5.1.6.5.3: frames without a tag pass. */
static bool vlan_passes(const IovVirtioNet *net, const uint8_t *frame)
{
    unsigned vlan = (unsigned)(frame[14] << 8 | frame[15]) % VIRTIO_NET_VLANS;

    return frame[12] != 0x81 || frame[13] != 0 ||
           !iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_CTRL_VLAN) ||
           (net->filter.vlans[vlan / 64] >> vlan % 64 & 1);
}

bool iov_virtio_net_accepts(const IovVirtioNet *net, const uint8_t *frame, uint32_t size)
{
    const struct iov_virtio_net_filter *filter = &net->filter;

    if (filter->promiscuous)
        return true;
    if (size >= TAGGED_SIZE && !vlan_passes(net, frame))
        return false;
    if (IS_MULTICAST(frame)) {
        if (memcmp(frame, broadcast, sizeof broadcast) == 0)
            return !filter->no_broadcast;
        return !filter->no_multicast &&
               (filter->all_multicast || filter->multicast_overflow ||
                in_table(filter, frame, filter->unicasts, filter->multicasts));
    }
    return !filter->no_unicast && (filter->all_unicast || filter->unicast_overflow ||
                                   memcmp(frame, filter->mac, sizeof filter->mac) == 0 ||
                                   in_table(filter, frame, 0, filter->unicasts));
}

static uint8_t set_receive_mode(struct iov_virtio_net_filter *filter, uint8_t command,
                                const uint8_t *data, uint32_t size)
{
    bool on;

    if (size < 1)
        return VIRTIO_NET_ERR;
    on = data[0] != 0;
    switch (command) {
    case VIRTIO_NET_CTRL_RX_PROMISC:
        filter->promiscuous = on;
        return VIRTIO_NET_OK;
    case VIRTIO_NET_CTRL_RX_ALLMULTI:
        filter->all_multicast = on;
        return VIRTIO_NET_OK;
    case VIRTIO_NET_CTRL_RX_ALLUNI:
        filter->all_unicast = on;
        return VIRTIO_NET_OK;
    case VIRTIO_NET_CTRL_RX_NOMULTI:
        filter->no_multicast = on;
        return VIRTIO_NET_OK;
    case VIRTIO_NET_CTRL_RX_NOUNI:
        filter->no_unicast = on;
        return VIRTIO_NET_OK;
    case VIRTIO_NET_CTRL_RX_NOBCAST:
        filter->no_broadcast = on;
        return VIRTIO_NET_OK;
    default:
        return VIRTIO_NET_ERR;
    }
}

/* One of the two lists of MAC_TABLE_SET: a count, then addresses. Moves `data` behind it. */
static bool take_addresses(struct iov_virtio_net_filter *filter, const uint8_t **data,
                           uint32_t *size, unsigned *ret_count, bool *ret_overflow)
{
    unsigned used = filter->unicasts + filter->multicasts;
    uint32_t count;

    if (*size < sizeof count)
        return false;
    memcpy(&count, *data, sizeof count);
    *data += sizeof count;
    *size -= (uint32_t)sizeof count;
    if (count > *size / 6)
        return false;
    if (count > IOV_VIRTIO_NET_MACS - used) {
        *ret_overflow = true;
    } else {
        memcpy(filter->table[used], *data, count * 6u);
        *ret_count = count;
    }
    *data += count * 6u;
    *size -= count * 6u;
    return true;
}

static uint8_t set_addresses(IovVirtioNet *net, uint8_t command, const uint8_t *data, uint32_t size)
{
    struct iov_virtio_net_filter filter = net->filter;

    if (command == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
        if (size != 6 || IS_MULTICAST(data))
            return VIRTIO_NET_ERR;
        memcpy(net->filter.mac, data, 6);
        memcpy(net->parent_instance.device_config + VIRTIO_NET_CONFIG_MAC, data, 6);
        return VIRTIO_NET_OK;
    }
    if (command != VIRTIO_NET_CTRL_MAC_TABLE_SET)
        return VIRTIO_NET_ERR;
    filter.unicasts = 0;
    filter.multicasts = 0;
    filter.unicast_overflow = false;
    filter.multicast_overflow = false;
    if (!take_addresses(&filter, &data, &size, &filter.unicasts, &filter.unicast_overflow) ||
        !take_addresses(&filter, &data, &size, &filter.multicasts, &filter.multicast_overflow))
        return VIRTIO_NET_ERR;
    net->filter = filter;
    return VIRTIO_NET_OK;
}

static uint8_t set_pairs(IovVirtioNet *net, uint8_t command, const uint8_t *data, uint32_t size)
{
    uint16_t pairs;

    if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || size < sizeof pairs ||
        !iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_MQ))
        return VIRTIO_NET_ERR;
    memcpy(&pairs, data, sizeof pairs);
    if (pairs == 0 || pairs > net->queue_pairs)
        return VIRTIO_NET_ERR;
    net->active_pairs = pairs;
    return VIRTIO_NET_OK;
}

/* SPEC: 5.1.6.5.3 */
static uint8_t set_vlan(IovVirtioNet *net, uint8_t command, const uint8_t *data, uint32_t size)
{
    uint64_t *word, bit;
    uint16_t vlan;

    if (size < sizeof vlan || !iov_virtio_has(&net->parent_instance, VIRTIO_NET_F_CTRL_VLAN))
        return VIRTIO_NET_ERR;
    memcpy(&vlan, data, sizeof vlan);
    if (vlan >= VIRTIO_NET_VLANS)
        return VIRTIO_NET_ERR;
    word = &net->filter.vlans[vlan / 64];
    bit = UINT64_C(1) << vlan % 64;
    if (command == VIRTIO_NET_CTRL_VLAN_ADD)
        *word |= bit;
    else if (command == VIRTIO_NET_CTRL_VLAN_DEL)
        *word &= ~bit;
    else
        return VIRTIO_NET_ERR;
    return VIRTIO_NET_OK;
}

/* SPEC: 5.1.6.5.4: the driver has seen the wish. */
static uint8_t acknowledge(IovVirtioNet *net, uint8_t command)
{
    uint8_t *status = net->parent_instance.device_config + VIRTIO_NET_CONFIG_STATUS;

    if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !(*status & VIRTIO_NET_STATUS_ANNOUNCE))
        return VIRTIO_NET_ERR;
    *status &= (uint8_t)~VIRTIO_NET_STATUS_ANNOUNCE;
    return VIRTIO_NET_OK;
}

/* SPEC: 5.1.6.5.6: a choice among the receive offloads that were negotiated. */
static uint8_t set_offloads(IovVirtioNet *net, uint8_t command, const uint8_t *data, uint32_t size)
{
    const IovVirtioPci *pci = &net->parent_instance;
    uint64_t offloads;

    if (command != VIRTIO_NET_CTRL_OFFLOADS_SET || size < sizeof offloads ||
        !iov_virtio_has(pci, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS))
        return VIRTIO_NET_ERR;
    memcpy(&offloads, data, sizeof offloads);
    if (offloads & ~(pci->accepted & IOV_VIRTIO_NET_GUEST_OFFLOADS))
        return VIRTIO_NET_ERR;
    net->offloads = offloads;
    return VIRTIO_NET_OK;
}

static uint8_t execute(IovVirtioNet *net, const uint8_t *command, uint32_t size)
{
    const uint8_t *data = command + 2;

    size -= 2;
    switch (command[0]) {
    case VIRTIO_NET_CTRL_RX:
        return set_receive_mode(&net->filter, command[1], data, size);
    case VIRTIO_NET_CTRL_MAC:
        return set_addresses(net, command[1], data, size);
    case VIRTIO_NET_CTRL_VLAN:
        return set_vlan(net, command[1], data, size);
    case VIRTIO_NET_CTRL_ANNOUNCE:
        return acknowledge(net, command[1]);
    case VIRTIO_NET_CTRL_OFFLOADS:
        return set_offloads(net, command[1], data, size);
    case VIRTIO_NET_CTRL_MQ:
        return set_pairs(net, command[1], data, size);
    default:
        return VIRTIO_NET_ERR;
    }
}

/* ---- The queue ---- */

void iov_virtio_net_on_control(struct iov_event *event)
{
    struct iov_virtio_net_engine *engine =
        iov_container_of(event, struct iov_virtio_net_engine, event);
    IovVirtioNet *net = engine->net;
    struct iov_virtq *queue = iov_virtio_net_queue(engine);
    struct iov_virtio_dma *dma = iov_virtio_net_dma(engine);
    struct iov_virtq_chain *chain = net->chain;
    uint8_t answer;

    iov_virtio_dma_begin(dma);
    (void)iov_virtq_set_notifications(queue, dma, false);
    switch (iov_virtq_pop(queue, dma, chain)) {
    case IOV_VIRTQ_EMPTY:
        if (!iov_virtio_net_rest(engine))
            iov_event_in(&engine->event, dma->delay);
        else
            (void)iov_virtio_net_broken(engine);
        return;
    case IOV_VIRTQ_BROKEN:
        (void)iov_virtio_net_broken(engine);
        return;
    default:
        break;
    }
    /* SPEC: 5.1.6.5: class and command to read, one byte to write. */
    if (chain->readable_size < 2 || chain->writable_size < 1) {
        iov_virtq_break(queue, IOV_VIRTQ_FAULT_CHAIN);
    } else {
        uint32_t size = chain->readable_size < sizeof net->command ? (uint32_t)chain->readable_size
                                                                   : sizeof net->command;

        net->commands++;
        if (iov_virtq_chain_read(queue, dma, chain, 0, net->command, size, NULL)) {
            answer = execute(net, net->command, size);
            if (iov_virtq_chain_write(queue, dma, chain, 0, &answer, 1, false, NULL) &&
                iov_virtq_fill(queue, dma, 0, chain->head, 1) && iov_virtq_publish(queue, dma, 1))
                iov_virtio_signal(&net->parent_instance, engine->queue, NULL);
        }
    }
    if (!iov_virtio_net_broken(engine))
        iov_event_in(&engine->event, dma->delay);
}
