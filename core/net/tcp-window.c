/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp-window.h. */
#include "core/net/tcp-window.h"

#include "core/net/tcp.h"

#define FIRST (65536u - IOV_TCP_MSS)
#define READ_FIRST (10 * IOV_TCP_MSS) /* SPEC: TCP_INIT_CWND */
#define SPARE (16 * IOV_TCP_MSS)      /* beyond twice what was read */

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

void iov_tcp_window_init(struct iov_tcp_window *window, uint32_t size)
{
    *window = (struct iov_tcp_window){ .grows = size == 0, .read_most = READ_FIRST };
    window->most = window->offered = window->grows ? FIRST : size;
}

uint32_t iov_tcp_window_room(const struct iov_tcp_window *window, uint32_t held)
{
    return held < window->most ? least(window->offered, window->most - held) : 0;
}

/* A round trip ends when what was offered at its beginning is there. */
static void measure(struct iov_tcp_window *window, uint32_t size, iov_time now)
{
    iov_time took = now - window->began;

    if (size < window->awaited) {
        window->awaited -= size;
        return;
    }
    if (window->awaited == 0)
        window->since = now;
    else if (took > 0 && (window->round_trip == 0 || took < window->round_trip))
        window->round_trip = took;
    window->awaited = window->offered;
    window->began = now;
}

void iov_tcp_window_arrived(struct iov_tcp_window *window, uint32_t size, iov_time now)
{
    measure(window, size, now);
    window->offered += least(2 * (uint64_t)size, window->most - window->offered);
}

void iov_tcp_window_read(struct iov_tcp_window *window, uint32_t size, iov_time now)
{
    uint64_t wanted;

    window->read += size;
    if (!window->grows || window->round_trip == 0 || now - window->since < window->round_trip)
        return;
    if (window->read > window->read_most) {
        wanted = 2 * (uint64_t)window->read + SPARE;
        wanted += 2 * (wanted * (window->read - window->read_most) / window->read_most);
        if (wanted > window->most)
            window->most = least(wanted, IOV_TCP_WINDOW_GROWN);
        window->read_most = window->read;
    }
    window->read = 0;
    window->since = now;
}

bool iov_tcp_window_is_news(const struct iov_tcp_window *window, uint32_t offered, uint32_t held)
{
    uint32_t half = iov_tcp_window_room(window, 0) / 2;

    return offered < half && iov_tcp_window_room(window, held) >= half;
}
