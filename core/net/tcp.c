/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp.h. */
#include "core/net/tcp.h"

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"

#define WINDOW_MAX \
    (4u << 20)   /* a congestion window grows no further: Linux's largest socket buffer */
#define SCALE 7u /* of the windows that are told: Linux's for buffers of its usual size */
#define DONT_FRAGMENT 0x4000u
#define TIME_TO_LIVE 64u
#define SYN_OPTIONS 8u /* MSS, NOP, window scale */

/* a comes before b. SPEC: RFC 9293 3.4: modulo 2^32. */
static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void iov_tcp_init(struct iov_tcp *tcp, const struct iov_net_end *own, uint32_t window)
{
    *tcp = (struct iov_tcp){ .own = *own,
                             .receive_window = window,
                             .acknowledge_every = 2,
                             .push = true,
                             .congestion_window = IOV_TCP_FIRST,
                             .threshold = UINT32_MAX };
}

void iov_tcp_connect(struct iov_tcp *tcp, const struct iov_net_end *peer)
{
    tcp->peer = *peer;
    tcp->state = IOV_TCP_SYN_SENT;
    /* The initial sequence number is the same in every run. */
    tcp->unacknowledged = tcp->next = 1u << 16;
}

/* ---- Reading ---- */

static uint32_t pseudo_sum(const uint8_t *ip, uint32_t length)
{
    return iov_net_sum(IPV4_PROTOCOL_TCP + length, ip + IPV4_SOURCE, 8);
}

/* The window scale of a SYN's options; 0 if there is none, or they are broken. */
static uint8_t scale_of(const uint8_t *tcp, uint32_t header)
{
    for (uint32_t at = TCP_HEADER; at < header && tcp[at] != TCP_OPTION_END;) {
        if (tcp[at] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= header || tcp[at + 1] < 2 || tcp[at + 1] > header - at)
            return 0;
        if (tcp[at] == TCP_OPTION_SCALE && tcp[at + 1] == 3)
            return tcp[at + 2] <= 14 ? tcp[at + 2] : 14;
        at += tcp[at + 1];
    }
    return 0;
}

bool iov_tcp_parse(const uint8_t *frame, uint32_t size, uint32_t address, uint16_t port,
                   bool verified, uint32_t segment_size, struct iov_tcp_segment *ret_segment)
{
    const uint8_t *ip = frame + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;
    uint32_t total, length, header;

    if (size < IOV_TCP_PAYLOAD_AT || iov_net_get16(frame + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 ||
        ip[IPV4_VERSION] != 0x45 || ip[IPV4_PROTOCOL] != IPV4_PROTOCOL_TCP)
        return false;
    total = iov_net_get16(ip + IPV4_LENGTH);
    if (total < IPV4_HEADER + TCP_HEADER || total > size - ETHERNET_HEADER ||
        iov_net_sum(0, ip, IPV4_HEADER) != 0xffff)
        return false;
    length = total - IPV4_HEADER;
    header = (uint32_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_HEADER || header > length || iov_net_get32(ip + IPV4_DESTINATION) != address ||
        iov_net_get16(tcp + TCP_DESTINATION) != port)
        return false;
    if (!verified && iov_net_sum(pseudo_sum(ip, length), tcp, length) != 0xffff)
        return false;
    *ret_segment = (struct iov_tcp_segment){
        .sequence = iov_net_get32(tcp + TCP_SEQUENCE),
        .acknowledge = iov_net_get32(tcp + TCP_ACKNOWLEDGE),
        .window = iov_net_get16(tcp + TCP_WINDOW),
        .flags = tcp[TCP_FLAGS],
        .size = length - header,
        .segments = segment_size > 0 ? (length - header + segment_size - 1) / segment_size : 1,
        .at = ETHERNET_HEADER + IPV4_HEADER + header,
        .scale = tcp[TCP_FLAGS] & TCP_FLAG_SYN ? scale_of(tcp, header) : 0,
    };
    return true;
}

/* ---- Taking ---- */

static void open_from(struct iov_tcp *tcp, const struct iov_tcp_segment *segment)
{
    tcp->expected = segment->sequence + 1;
    tcp->send_scale = segment->scale;
    tcp->send_window = segment->window; /* SPEC: RFC 7323 2.2: not scaled in a SYN */
}

static unsigned take_syn(struct iov_tcp *tcp, const struct iov_tcp_segment *segment,
                         const uint8_t *frame)
{
    const uint8_t *ip = frame + ETHERNET_HEADER;

    if (tcp->state == IOV_TCP_SYN_SENT && segment->flags & TCP_FLAG_ACK &&
        segment->acknowledge == tcp->next) {
        open_from(tcp, segment);
        tcp->unacknowledged = segment->acknowledge;
        tcp->state = IOV_TCP_ESTABLISHED;
        return IOV_TCP_OPENED | IOV_TCP_ROOM | IOV_TCP_ANSWER;
    }
    if (segment->flags & TCP_FLAG_ACK) {
        tcp->bad++;
        return 0;
    }
    /* A new connection takes the place of whatever there was: the other end has started again. */
    memcpy(tcp->peer.mac, frame + ETHERNET_SOURCE, sizeof tcp->peer.mac);
    tcp->peer.ip = iov_net_get32(ip + IPV4_SOURCE);
    tcp->peer.port = iov_net_get16(ip + IPV4_HEADER + TCP_SOURCE);
    tcp->unacknowledged = tcp->next = tcp->highest = tcp->recover = 1u << 17;
    tcp->segments = 0;
    tcp->state = IOV_TCP_SYN_RECEIVED;
    open_from(tcp, segment);
    return IOV_TCP_ANSWER; /* with a SYN of its own */
}

/* Nothing new, although something is on its way: the other end has got something else. */
static bool is_duplicate(const struct iov_tcp *tcp, const struct iov_tcp_segment *segment,
                         uint32_t window)
{
    return segment->acknowledge == tcp->unacknowledged && tcp->next != tcp->unacknowledged &&
           segment->size == 0 && window == tcp->send_window;
}

/* `size` bytes arrived. SPEC: RFC 5681 3.1 with RFC 3465's counting of bytes; a window that is not
 * used does not grow (RFC 7661 4.2). */
static void grow(struct iov_tcp *tcp, uint32_t size)
{
    uint32_t window = tcp->congestion_window;

    if (size == 0 || window >= WINDOW_MAX || 2 * (tcp->next - tcp->unacknowledged) < window)
        return;
    tcp->congestion_window +=
        window < tcp->threshold ? size : (uint32_t)((uint64_t)IOV_TCP_MSS * size / window);
}

static unsigned take_acknowledgement(struct iov_tcp *tcp, const struct iov_tcp_segment *segment)
{
    uint32_t window = segment->window << tcp->send_scale, room = iov_tcp_room(tcp);

    if (before(segment->acknowledge, tcp->unacknowledged) ||
        before(tcp->highest, segment->acknowledge))
        return 0;
    if (is_duplicate(tcp, segment, window)) {
        if (++tcp->duplicate_acknowledgements < IOV_TCP_DUPLICATES ||
            before(tcp->unacknowledged, tcp->recover))
            return 0;
        tcp->recover = tcp->highest;
        iov_tcp_go_back(tcp);
        return IOV_TCP_ROOM;
    }
    tcp->duplicate_acknowledgements = 0;
    grow(tcp, segment->acknowledge - tcp->unacknowledged);
    tcp->unacknowledged = segment->acknowledge;
    if (before(tcp->next, tcp->unacknowledged)) /* it went back, and need not have */
        tcp->next = tcp->unacknowledged;
    tcp->send_window = window;
    return iov_tcp_room(tcp) > room ? IOV_TCP_ROOM : 0;
}

static unsigned take_data(struct iov_tcp *tcp, const struct iov_tcp_segment *segment)
{
    if (segment->sequence != tcp->expected) { /* SPEC: RFC 5681 4.2: at once */
        if (before(segment->sequence, tcp->expected)) {
            tcp->duplicates++;
            return IOV_TCP_ANSWER;
        }
        tcp->gaps++;
        return IOV_TCP_ANSWER | IOV_TCP_GAP;
    }
    tcp->expected += segment->size;
    tcp->segments += segment->segments;
    return IOV_TCP_DATA |
           (tcp->segments >= tcp->acknowledge_every ? IOV_TCP_ANSWER : IOV_TCP_DELAYED);
}

bool iov_tcp_is_with(const struct iov_tcp *tcp, const uint8_t *frame)
{
    const uint8_t *ip = frame + ETHERNET_HEADER;

    return tcp->state != IOV_TCP_CLOSED && tcp->peer.ip == iov_net_get32(ip + IPV4_SOURCE) &&
           tcp->peer.port == iov_net_get16(ip + IPV4_HEADER + TCP_SOURCE);
}

unsigned iov_tcp_take(struct iov_tcp *tcp, const struct iov_tcp_segment *segment,
                      const uint8_t *frame)
{
    unsigned result = 0;

    if (segment->flags & TCP_FLAG_SYN)
        return take_syn(tcp, segment, frame);
    if (tcp->state < IOV_TCP_SYN_RECEIVED || !(segment->flags & TCP_FLAG_ACK)) {
        tcp->bad++;
        return 0;
    }
    if (tcp->state == IOV_TCP_SYN_RECEIVED) {
        if (segment->acknowledge != tcp->next)
            return 0;
        tcp->state = IOV_TCP_ESTABLISHED;
        result = IOV_TCP_OPENED;
    }
    result |= take_acknowledgement(tcp, segment);
    return segment->size > 0 ? result | take_data(tcp, segment) : result;
}

uint32_t iov_tcp_answers(unsigned result, const struct iov_tcp_segment *segment)
{
    if (!(result & IOV_TCP_GAP) || segment->segments < 1)
        return 1;
    return least(segment->segments, IOV_TCP_DUPLICATES);
}

/* ---- Sending ---- */

void iov_tcp_offer(struct iov_tcp *tcp, uint32_t room)
{
    tcp->receive_window = room >> SCALE << SCALE;
}

uint32_t iov_tcp_room(const struct iov_tcp *tcp)
{
    uint32_t sent = tcp->next - tcp->unacknowledged;
    uint32_t window = least(tcp->send_window, tcp->congestion_window);

    return tcp->state == IOV_TCP_ESTABLISHED && sent < window ? window - sent : 0;
}

uint32_t iov_tcp_part(const struct iov_tcp *tcp, uint32_t room, uint32_t most)
{
    uint32_t window = least(least(tcp->send_window, tcp->congestion_window), most);
    uint32_t part = room - room % IOV_TCP_MSS;

    return part >= window / 3 || tcp->next == tcp->unacknowledged ? part : 0;
}

void iov_tcp_go_back(struct iov_tcp *tcp)
{
    uint32_t half = (tcp->highest - tcp->unacknowledged) / 2;

    tcp->go_backs++;
    tcp->threshold = half > IOV_TCP_AGAIN ? half : IOV_TCP_AGAIN;
    tcp->congestion_window = IOV_TCP_AGAIN;
    tcp->next = tcp->unacknowledged;
}

static void put_syn_options(uint8_t *tcp)
{
    tcp[TCP_HEADER] = TCP_OPTION_MSS;
    tcp[TCP_HEADER + 1] = 4;
    iov_net_put16(tcp + TCP_HEADER + 2, IOV_TCP_MSS);
    tcp[TCP_HEADER + 4] = TCP_OPTION_NOP;
    tcp[TCP_HEADER + 5] = TCP_OPTION_SCALE;
    tcp[TCP_HEADER + 6] = 3;
    tcp[TCP_HEADER + 7] = SCALE;
}

static void put_ip(struct iov_tcp *tcp, uint8_t *ip, uint32_t length)
{
    memset(ip, 0, IPV4_HEADER);
    ip[IPV4_VERSION] = 0x45;
    iov_net_put16(ip + IPV4_LENGTH, IPV4_HEADER + length);
    iov_net_put16(ip + IPV4_ID, tcp->identification++);
    iov_net_put16(ip + IPV4_FRAGMENT, DONT_FRAGMENT);
    ip[IPV4_TTL] = TIME_TO_LIVE;
    ip[IPV4_PROTOCOL] = IPV4_PROTOCOL_TCP;
    iov_net_put32(ip + IPV4_SOURCE, tcp->own.ip);
    iov_net_put32(ip + IPV4_DESTINATION, tcp->peer.ip);
    iov_net_put16(ip + IPV4_CHECKSUM, ~iov_net_sum(0, ip, IPV4_HEADER));
}

uint32_t iov_tcp_build(struct iov_tcp *tcp, uint8_t *frame, uint32_t size, bool offload)
{
    bool syn = tcp->state == IOV_TCP_SYN_SENT || tcp->state == IOV_TCP_SYN_RECEIVED;
    uint32_t header = TCP_HEADER + (syn ? SYN_OPTIONS : 0), length = header + size, sum;
    uint8_t *ip = frame + ETHERNET_HEADER, *at = ip + IPV4_HEADER;

    IOV_REQUIRE(!syn || size == 0);
    memcpy(frame, tcp->peer.mac, ETHERNET_ADDRESS);
    memcpy(frame + ETHERNET_SOURCE, tcp->own.mac, ETHERNET_ADDRESS);
    iov_net_put16(frame + ETHERNET_TYPE, ETHERNET_TYPE_IPV4);
    put_ip(tcp, ip, length);
    memset(at, 0, TCP_HEADER);
    iov_net_put16(at + TCP_SOURCE, tcp->own.port);
    iov_net_put16(at + TCP_DESTINATION, tcp->peer.port);
    iov_net_put32(at + TCP_SEQUENCE, syn ? tcp->unacknowledged : tcp->next);
    at[TCP_OFFSET] = (uint8_t)(header / 4 << 4);
    at[TCP_FLAGS] =
        (uint8_t)((syn ? TCP_FLAG_SYN : 0) | (size > 0 && tcp->push ? TCP_FLAG_PSH : 0));
    if (tcp->state != IOV_TCP_SYN_SENT) {
        at[TCP_FLAGS] |= TCP_FLAG_ACK;
        iov_net_put32(at + TCP_ACKNOWLEDGE, tcp->expected);
        tcp->segments = 0;
    }
    iov_net_put16(at + TCP_WINDOW,
                  syn ? (tcp->receive_window < 0xffff ? tcp->receive_window : 0xffff)
                      : tcp->receive_window >> SCALE);
    if (syn) {
        put_syn_options(at);
        tcp->next = tcp->unacknowledged + 1;
    }
    tcp->next += size;
    if (before(tcp->highest, tcp->next))
        tcp->highest = tcp->next;
    sum = pseudo_sum(ip, length);
    iov_net_put16(at + TCP_CHECKSUM, offload ? sum : ~iov_net_sum(sum, at, length));
    return ETHERNET_HEADER + IPV4_HEADER + length;
}
