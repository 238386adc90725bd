/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue: a hierarchical timing wheel on the 8-bit digits of the time, which is a monotone radix
 * queue.
 *
 * An event lies on the level of the highest digit in which its time differs from the wheel's
 * origin, in the slot which that digit names. Level 0 holds what is due at the origin itself: one
 * slot for each priority. Places (level, slot) are numbered through, so a smaller place is an
 * earlier event. Lists keep the order of arming, and so does moving them down.
 *
 * `front`, if set, is the first of all events and lies in no slot: a lone event never enters the
 * wheel. It does not move the origin; what displaces it sends it back to the head of its slot.
 *
 * Always: origin <= present instant <= every event.
 */
#ifndef IOV_KERNEL_QUEUE_PRIVATE_H
#define IOV_KERNEL_QUEUE_PRIVATE_H

#include "core/kernel/kernel.h"

enum {
    IOV_QUEUE_SLOTS = 256,
    IOV_QUEUE_LEVELS = 1 + 8,
    IOV_QUEUE_PLACES = IOV_QUEUE_LEVELS * IOV_QUEUE_SLOTS,
    IOV_QUEUE_WORDS = IOV_QUEUE_PLACES / 64,
};

enum { IOV_EVENT_IDLE, IOV_EVENT_QUEUED, IOV_EVENT_FRONT };

struct iov_queue {
    iov_time origin;
    struct iov_event *front;
    uint64_t words;                           /* bit w: used[w] is not 0 */
    uint64_t used[IOV_QUEUE_WORDS];           /* one bit for each place: its list is not empty */
    struct iov_link places[IOV_QUEUE_PLACES]; /* rings */
};

void iov_queue_init(struct iov_queue *queue);
/* The time of the first event without any change; false if there is none. */
bool iov_queue_first(const struct iov_queue *queue, iov_time *ret_when);
/* Puts the first event in front if several share the lowest place: sorts them finer on the way. */
void iov_queue_sort_many(struct iov_queue *queue, iov_time now);
/* Takes the first event from a place that holds several, if it is due by `limit`, and moves the
 * others down. */
struct iov_event *iov_queue_take_from_many(struct iov_queue *queue, unsigned place, iov_time limit);

static inline struct iov_event *iov_queue_event(struct iov_link *link)
{
    return iov_container_of(link, struct iov_event, link);
}

static inline unsigned iov_queue_place(const struct iov_queue *queue, iov_time when,
                                       unsigned priority)
{
    uint64_t difference = when ^ queue->origin;

    if (difference == 0)
        return priority;
    unsigned shift = (63 - (unsigned)__builtin_clzll(difference)) & ~7u; /* of the digit */
    return (shift + 8) * (IOV_QUEUE_SLOTS / 8) + ((when >> shift) & 255);
}

/* The lowest place in use; there must be one. */
static inline unsigned iov_queue_lowest(const struct iov_queue *queue)
{
    unsigned word = (unsigned)__builtin_ctzll(queue->words);

    return word * 64 + (unsigned)__builtin_ctzll(queue->used[word]);
}

static inline void iov_queue_mark(struct iov_queue *queue, unsigned place)
{
    queue->used[place / 64] |= UINT64_C(1) << (place % 64);
    queue->words |= UINT64_C(1) << (place / 64);
}

static inline void iov_queue_unmark(struct iov_queue *queue, unsigned place)
{
    uint64_t used = queue->used[place / 64] & ~(UINT64_C(1) << (place % 64));

    queue->used[place / 64] = used;
    queue->words &= ~((uint64_t)(used == 0) << (place / 64));
}

static inline void iov_queue_put_at(struct iov_queue *queue, struct iov_event *event,
                                    unsigned place)
{
    struct iov_link *ring = &queue->places[place];
    struct iov_link *last = ring->prev;

    event->place = (uint16_t)place;
    event->state = IOV_EVENT_QUEUED;
    event->link.next = ring;
    event->link.prev = last;
    last->next = &event->link;
    ring->prev = &event->link;
    iov_queue_mark(queue, place);
}

/* Puts back an event that was first of all: before the others of its place. */
static inline void iov_queue_put_back(struct iov_queue *queue, struct iov_event *event)
{
    unsigned place = iov_queue_place(queue, event->when, event->priority);
    struct iov_link *ring = &queue->places[place];
    struct iov_link *first = ring->next;

    event->place = (uint16_t)place;
    event->state = IOV_EVENT_QUEUED;
    event->link.next = first;
    event->link.prev = ring;
    first->prev = &event->link;
    ring->next = &event->link;
    iov_queue_mark(queue, place);
}

/* Queues an event, last among its equals. */
static inline void iov_queue_put(struct iov_queue *queue, struct iov_event *event)
{
    struct iov_event *front = queue->front;

    if (front != NULL) {
        if (event->when < front->when ||
            (event->when == front->when && event->priority < front->priority)) {
            iov_queue_put_back(queue, front);
            queue->front = event;
            event->state = IOV_EVENT_FRONT;
            return;
        }
    } else if (queue->words == 0) {
        queue->front = event;
        event->state = IOV_EVENT_FRONT;
        return;
    }
    unsigned place = iov_queue_place(queue, event->when, event->priority);
    if (front == NULL && place < iov_queue_lowest(queue)) {
        queue->front = event;
        event->state = IOV_EVENT_FRONT;
        return;
    }
    iov_queue_put_at(queue, event, place);
}

static inline void iov_queue_remove(struct iov_queue *queue, struct iov_event *event)
{
    if (event->state == IOV_EVENT_FRONT) {
        queue->front = NULL;
        return;
    }
    struct iov_link *next = event->link.next;
    struct iov_link *prev = event->link.prev;

    prev->next = next;
    next->prev = prev;
    if (next == prev) /* only the ring itself is left */
        iov_queue_unmark(queue, event->place);
}

/* Takes the first event if it is due by `limit`, which is not before the present instant. The
 * caller marks it idle. */
static inline struct iov_event *iov_queue_take(struct iov_queue *queue, iov_time limit)
{
    struct iov_event *event = queue->front;

    if (event != NULL) {
        if (event->when > limit)
            return NULL;
        queue->front = NULL;
        return event;
    }
    if (queue->words == 0)
        return NULL;

    unsigned place = iov_queue_lowest(queue);
    struct iov_link *ring = &queue->places[place];
    struct iov_link *first = ring->next;
    struct iov_link *second = first->next;

    event = iov_queue_event(first);
    if (second == ring) {
        if (event->when > limit)
            return NULL;
        ring->next = ring;
        ring->prev = ring;
        iov_queue_unmark(queue, place);
        queue->origin = event->when; /* nothing lies below or before its place */
        return event;
    }
    if (place >= IOV_PRIORITY_COUNT)
        return iov_queue_take_from_many(queue, place, limit);
    ring->next = second;
    second->prev = ring;
    return event;
}

/* When the first event is due, IOV_TIME_MAX without one; false if several share the lowest place,
 * so that it takes a look at each. */
static inline bool iov_queue_glance(const struct iov_queue *queue, iov_time *ret_next)
{
    const struct iov_link *ring;

    *ret_next = IOV_TIME_MAX;
    if (queue->front != NULL) {
        *ret_next = queue->front->when;
        return true;
    }
    if (queue->words == 0)
        return true;
    ring = &queue->places[iov_queue_lowest(queue)];
    if (ring->next != ring->prev)
        return false;
    *ret_next = iov_queue_event(ring->next)->when;
    return true;
}

/* Whether nothing is due from `now`, the present instant, to `until`; `ret_next` is when the first
 * event is due. */
static inline bool iov_queue_quiet(struct iov_queue *queue, iov_time now, iov_time until,
                                   iov_time *ret_next)
{
    if (!iov_queue_glance(queue, ret_next)) {
        iov_queue_sort_many(queue, now);
        *ret_next = queue->front->when;
    }
    return *ret_next > until;
}

#endif
