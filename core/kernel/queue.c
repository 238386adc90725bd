/* SPDX-License-Identifier: Apache-2.0 */
/* The rarer operations of the queue: moving events to lower levels, and looking ahead. */
#include "core/kernel/queue-private.h"

void iov_queue_init(struct iov_queue *queue)
{
    for (unsigned i = 0; i < IOV_QUEUE_WORDS; i++)
        queue->used[i] = 0;
    for (unsigned i = 0; i < IOV_QUEUE_PLACES; i++) {
        queue->places[i].next = &queue->places[i];
        queue->places[i].prev = &queue->places[i];
    }
    queue->words = 0;
    queue->front = NULL;
    queue->origin = 0;
}

/* The first event of a ring that is not empty: the earliest, then the lowest priority, then the
 * first in the list. */
static struct iov_event *first_of_ring(const struct iov_link *ring)
{
    struct iov_link *link = ring->next;
    struct iov_event *best = iov_queue_event(link);

    for (link = link->next; link != ring; link = link->next) {
        struct iov_event *event = iov_queue_event(link);
        if (event->when < best->when ||
            (event->when == best->when && event->priority < best->priority))
            best = event;
    }
    return best;
}

/* Empties the lowest place for an origin inside its span; each event moves to a lower level, in
 * order. */
static void move_down(struct iov_queue *queue, unsigned place, iov_time origin)
{
    struct iov_link *ring = &queue->places[place];
    struct iov_link *link = ring->next;

    iov_queue_unmark(queue, place);
    ring->next = ring;
    ring->prev = ring;
    queue->origin = origin;
    while (link != ring) {
        struct iov_event *event = iov_queue_event(link);
        link = link->next;
        iov_queue_put_at(queue, event, iov_queue_place(queue, event->when, event->priority));
    }
}

struct iov_event *iov_queue_take_from_many(struct iov_queue *queue, unsigned place, iov_time limit)
{
    struct iov_event *best = first_of_ring(&queue->places[place]);

    if (best->when > limit)
        return NULL;
    struct iov_link *next = best->link.next;
    struct iov_link *prev = best->link.prev;
    prev->next = next;
    next->prev = prev;
    if (queue->places[place].next ==
        queue->places[place].prev) { /* one is left, the first of all */
        struct iov_event *other = iov_queue_event(queue->places[place].next);
        queue->places[place].next = &queue->places[place];
        queue->places[place].prev = &queue->places[place];
        iov_queue_unmark(queue, place);
        queue->origin = best->when;
        queue->front = other;
        other->state = IOV_EVENT_FRONT;
        return best;
    }
    move_down(queue, place, best->when);
    return best;
}

void iov_queue_sort_many(struct iov_queue *queue, iov_time now)
{
    unsigned place = iov_queue_lowest(queue);

    /* While the present instant lies inside the lowest place, sorting it finer is work that is not
     * done again. */
    while (place >= IOV_PRIORITY_COUNT && queue->places[place].next != queue->places[place].prev &&
           iov_queue_place(queue, now, 0) == place) {
        move_down(queue, place, now);
        place = iov_queue_lowest(queue);
    }
    /* The search pays once: the first event waits in front until it is taken or an earlier one
     * comes. */
    struct iov_event *first = first_of_ring(&queue->places[place]);
    iov_queue_remove(queue, first);
    queue->front = first;
    first->state = IOV_EVENT_FRONT;
}

bool iov_queue_first(const struct iov_queue *queue, iov_time *ret_when)
{
    if (queue->front != NULL)
        *ret_when = queue->front->when;
    else if (queue->words != 0)
        *ret_when = first_of_ring(&queue->places[iov_queue_lowest(queue)])->when;
    else
        return false;
    return true;
}
