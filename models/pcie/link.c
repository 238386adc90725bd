/* SPDX-License-Identifier: Apache-2.0 */
/* See link-private.h. */
#include "models/pcie/link-private.h"

#include <stdlib.h>

#include "core/kernel/macros.h"

/* ---- The rate ---- */

/* One lane and direction, before encoding. */
static const uint64_t lane_rate[] = { 0,          2500000000,  5000000000,
                                      8000000000, 16000000000, 32000000000 };

/* SPEC: 3.6.3.1: the receiver's own time in the Ack latency limit, in symbol times. */
static const unsigned internal_delay[] = { 0, 19, 70, 115, 115, 115 };

/* SPEC: 3.6.3.1, AckFactor in tenths, for MPS 128, 256, 512 and more; x1 to x4, x8, x16. */
static const unsigned ack_factor[][3] = { { 14, 25, 30 }, { 14, 25, 30 }, { 10, 10, 20 },
                                          { 10, 10, 20 }, { 10, 10, 20 }, { 10, 10, 20 } };

#define TLP_OVERHEAD 28u /* the specification's, in the same clause */
#define DLLP_BYTES 8u
#define PARTS 1000000u

static bool is_power(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

/* Symbol times within which a receiver must send an Ack, and by the same formula an UpdateFC. */
static uint64_t ack_limit(const struct pcie_link_settings *settings)
{
    unsigned row = 0, column = settings->lanes >= 16 ? 2 : settings->lanes >= 8 ? 1 : 0;

    while (128u << row < settings->max_payload && row < 5)
        row++;
    return (settings->max_payload + TLP_OVERHEAD) * ack_factor[row][column] /
               (10 * settings->lanes) +
           internal_delay[settings->generation];
}

/*
 * What is left for TLPs of the rate after encoding: an Ack and an UpdateFC each ack_limit(), and
 * SKP ordered sets (4 of 1538 symbols, one of 371 blocks).
 */
static uint64_t tlp_rate(const struct pcie_link_settings *settings)
{
    bool wide = settings->generation >= 3;
    uint64_t raw = lane_rate[settings->generation] * settings->lanes;
    uint64_t taken = 2 * DLLP_BYTES * PARTS / ack_limit(settings);

    raw = wide ? raw / 130 * 128 : raw / 10 * 8;
    taken += wide ? PARTS / 371 : 4 * PARTS / 1538;
    return raw / PARTS * (PARTS - taken);
}

bool pcie_link_init(struct pcie_link *link, const struct pcie_link_settings *settings)
{
    *link = (struct pcie_link){ .settings = *settings };
    if (!is_power(settings->lanes) || !is_power(settings->max_payload) ||
        !is_power(settings->max_read_request) || !is_power(settings->completion_boundary))
        return false;
    link->rate = tlp_rate(settings);
    link->per_byte = (8 * IOV_SEC << 20) / link->rate;
    link->posted.headers = settings->posted_headers;
    link->posted.data = settings->posted_data;
    link->posted.out = calloc(settings->posted_headers, sizeof *link->posted.out);
    link->nonposted.headers = settings->nonposted_headers;
    link->nonposted.out = calloc(settings->nonposted_headers, sizeof *link->nonposted.out);
    link->tags.tags = settings->tags;
    link->tags.ends = calloc(settings->tags, sizeof *link->tags.ends);
    if (link->posted.out == NULL || link->nonposted.out == NULL || link->tags.ends == NULL)
        abort();
    return true;
}

void pcie_link_clear(struct pcie_link *link)
{
    free(link->posted.out);
    free(link->nonposted.out);
    free(link->tags.ends);
    *link = (struct pcie_link){ 0 };
}

/* ---- Bytes ---- */

uint32_t pcie_request_header(uint64_t address)
{
    return address >> 32 != 0 ? 24 : 20;
}

/* Into how many TLPs `size` bytes at `address` fall when none crosses a multiple of `unit`. */
static uint64_t pieces(uint64_t address, uint32_t size, uint64_t unit)
{
    return ((address & (unit - 1)) + size + unit - 1) / unit;
}

uint64_t pcie_write_bytes(const struct pcie_link *link, uint64_t address, uint32_t size)
{
    return ((size + 3u) & ~3u) +
           pieces(address, size, link->settings.max_payload) * pcie_request_header(address);
}

uint64_t pcie_write_prefixes(const struct pcie_link *link, uint64_t address, uint32_t size)
{
    return pieces(address, size, link->settings.max_payload) * PCIE_PASID_PREFIX;
}

uint64_t pcie_completion_bytes(const struct pcie_link *link, uint64_t address, uint32_t size)
{
    uint64_t boundary = link->settings.completion_boundary, payload = link->settings.max_payload;
    uint64_t head = boundary - (address & (boundary - 1)), count;

    if (head < size && head != boundary)
        count = 1 + (size - head + payload - 1) / payload;
    else
        count = (size + payload - 1) / payload;
    return size + count * PCIE_COMPLETION_HEADER;
}

uint32_t pcie_read_piece(const struct pcie_link *link, uint64_t address, uint32_t size)
{
    uint32_t unit = link->settings.max_read_request;
    uint32_t left = unit - (uint32_t)(address & (unit - 1));

    return size < left ? size : left;
}

/* ---- Directions ---- */

/* The function's own account; those that have nothing left to send make room. */
static struct pcie_flow *flow_find(struct pcie_direction *direction, uint16_t requester,
                                   iov_time now)
{
    struct pcie_flow *flow;

    for (unsigned i = 0; i < direction->flow_count;) {
        flow = &direction->flows[i];
        if (flow->requester == requester)
            return flow;
        if (flow->busy <= now)
            *flow = direction->flows[--direction->flow_count];
        else
            i++;
    }
    if (direction->flow_count == PCIE_FLOWS_MAX)
        return &direction->flows[requester % PCIE_FLOWS_MAX]; /* they share an account */
    flow = &direction->flows[direction->flow_count++];
    *flow = (struct pcie_flow){ .requester = requester };
    return flow;
}

iov_time pcie_send(struct pcie_link *link, struct pcie_direction *direction, uint16_t requester,
                   uint64_t bytes, iov_time now, iov_time at)
{
    struct pcie_flow *flow = flow_find(direction, requester, now);
    iov_time taken = bytes * link->per_byte >> 20, turns = taken;
    iov_time start = at > flow->busy ? at : flow->busy;

    for (unsigned i = 0; i < direction->flow_count; i++) {
        struct pcie_flow *other = &direction->flows[i];

        if (other == flow || other->busy <= start)
            continue;
        turns += other->busy - start < taken ? other->busy - start : taken;
        other->busy += taken; /* what it sends next comes that much later */
    }
    direction->bytes += bytes;
    flow->busy = (now > flow->busy ? now : flow->busy) + turns;
    return start + turns;
}

/* ---- Credits ---- */

static void credits_oldest(struct pcie_credits *credits, iov_time *at)
{
    if (*at < credits->out[credits->first].when)
        *at = credits->out[credits->first].when;
    credits->data_out -= credits->out[credits->first].data;
    credits->first = (credits->first + 1) % credits->headers;
    credits->count--;
}

iov_time pcie_credits_take(struct pcie_credits *credits, uint32_t size, iov_time at)
{
    uint32_t data = (size + 15) / 16;

    if (credits->headers == 0)
        return at;
    while (credits->count > 0 && credits->out[credits->first].when <= at)
        credits_oldest(credits, &at);
    while (credits->count == credits->headers ||
           (credits->data != 0 && credits->count > 0 && credits->data_out + data > credits->data))
        credits_oldest(credits, &at);
    return at;
}

void pcie_credits_return(struct pcie_credits *credits, uint32_t size, iov_time when)
{
    unsigned place, last;

    if (credits->headers == 0)
        return;
    IOV_REQUIRE(credits->count < credits->headers);
    place = (credits->first + credits->count) % credits->headers;
    last = (place + credits->headers - 1) % credits->headers;
    if (credits->count > 0 && when < credits->out[last].when)
        when = credits->out[last].when; /* in order */
    credits->out[place].when = when;
    credits->out[place].data = (size + 15) / 16;
    credits->data_out += credits->out[place].data;
    credits->count++;
}

/* ---- Tags ---- */

static void tag_sink(struct pcie_tags *tags)
{
    unsigned at = 0, child;
    iov_time end = tags->ends[--tags->count];

    while ((child = 2 * at + 1) < tags->count) {
        if (child + 1 < tags->count && tags->ends[child + 1] < tags->ends[child])
            child++;
        if (end <= tags->ends[child])
            break;
        tags->ends[at] = tags->ends[child];
        at = child;
    }
    tags->ends[at] = end;
}

iov_time pcie_tag_take(struct pcie_tags *tags, iov_time at)
{
    while (tags->count > 0 && tags->ends[0] <= at)
        tag_sink(tags);
    if (tags->tags != 0 && tags->count == tags->tags) {
        at = tags->ends[0];
        tag_sink(tags);
    }
    return at;
}

void pcie_tag_return(struct pcie_tags *tags, iov_time when)
{
    unsigned at = tags->count;

    if (tags->tags == 0)
        return;
    IOV_REQUIRE(tags->count < tags->tags);
    tags->count++;
    for (unsigned parent; at > 0 && tags->ends[parent = (at - 1) / 2] > when; at = parent)
        tags->ends[at] = tags->ends[parent];
    tags->ends[at] = when;
}
