/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp-ack.h. */
#include "core/net/tcp-ack.h"

#include "core/net/ethernet-regs.h"

#define QUICK_MOST 16u /* TCP_MAX_QUICKACKS */
#define QUICK_LEAST 2u

void iov_tcp_ack_init(struct iov_tcp_ack *ack)
{
    *ack = (struct iov_tcp_ack){ .due = IOV_TIME_MAX };
}

/* Half a window's segments go at once: a sender that starts slowly needs them. */
static void be_quick(struct iov_tcp_ack *ack, uint32_t window)
{
    uint32_t quick = window / (2 * IOV_TCP_MSS);

    quick = quick < QUICK_LEAST ? QUICK_LEAST : quick > QUICK_MOST ? QUICK_MOST : quick;
    if (ack->quick < quick)
        ack->quick = quick;
}

unsigned iov_tcp_ack_take(struct iov_tcp_ack *ack, unsigned result,
                          const struct iov_tcp_segment *segment, uint32_t window, iov_time now)
{
    if (segment->size > 0 && result & IOV_TCP_ANSWER && !(result & (IOV_TCP_DATA | IOV_TCP_GAP))) {
        ack->dialogue = false; /* it came before: the other end misses an acknowledgement */
        be_quick(ack, window);
    }
    if (!(result & IOV_TCP_DATA))
        return result;
    if (ack->heard == 0 || now - ack->heard > IOV_TCP_RETRANSMIT)
        be_quick(ack, window);
    ack->heard = now;
    if (result & IOV_TCP_ANSWER)
        return result;
    if (ack->quick > 0 && !ack->dialogue)
        return (result & ~(unsigned)IOV_TCP_DELAYED) | IOV_TCP_ANSWER;
    if (segment->size < IOV_TCP_MSS || segment->flags & TCP_FLAG_PSH)
        ack->end = true;
    if (now + IOV_TCP_ACK_DELAY < ack->due)
        ack->due = now + IOV_TCP_ACK_DELAY;
    return result;
}

void iov_tcp_ack_sent(struct iov_tcp_ack *ack, uint32_t size, iov_time now)
{
    ack->due = IOV_TIME_MAX;
    ack->end = false;
    if (ack->quick > 0)
        ack->quick--;
    if (size > 0 && ack->heard != 0 && now - ack->heard < IOV_TCP_ACK_DELAY)
        ack->dialogue = true;
}

bool iov_tcp_ack_read(const struct iov_tcp_ack *ack, uint32_t held)
{
    return ack->end && !ack->dialogue && held == 0;
}

void iov_tcp_ack_late(struct iov_tcp_ack *ack, iov_time now)
{
    ack->dialogue = false;
    ack->due = now + IOV_TCP_ACK_DELAY;
}
