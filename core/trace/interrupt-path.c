/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a device's interrupt as figures: see the header. A short list of those on their way,
 * no allocation. */
#include "core/trace/interrupt-path.h"

#include <glib.h>
#include <string.h>

struct iov_interrupt_path *iov_interrupt_path_new(void)
{
    struct iov_interrupt_path *path = g_new0(struct iov_interrupt_path, 1);

    for (unsigned i = 0; i < IOV_INTERRUPT_SEGMENTS; i++)
        path->segments[i] = iov_histogram_new();
    return path;
}

void iov_interrupt_path_free(struct iov_interrupt_path *path)
{
    if (path == NULL)
        return;
    for (unsigned i = 0; i < IOV_INTERRUPT_SEGMENTS; i++)
        iov_histogram_free(path->segments[i]);
    g_free(path);
}

void iov_interrupt_path_reset(struct iov_interrupt_path *path)
{
    for (unsigned i = 0; i < IOV_INTERRUPT_SEGMENTS; i++)
        iov_histogram_reset(path->segments[i]);
    path->posted = path->gathered = path->forgotten = 0;
}

const char *iov_interrupt_segment_name(enum iov_interrupt_segment segment)
{
    static const char *const names[] = { "link", "remap", "post", "route", "deliver", "eoi" };

    return names[segment];
}

/* Moves the last `moved` of those on their way so that they begin at `to`. */
static void move_last(struct iov_interrupt_path *path, unsigned to, unsigned moved)
{
    unsigned from = path->first + path->count - moved;

    memmove(&path->guests[to], &path->guests[from], moved * sizeof path->guests[0]);
    memmove(&path->accepted_at[to], &path->accepted_at[from], moved * sizeof path->accepted_at[0]);
    memmove(&path->requesters[to], &path->requesters[from], moved * sizeof path->requesters[0]);
}

/* Returns the place of the one behind it. */
static unsigned drop(struct iov_interrupt_path *path, unsigned index)
{
    path->accepted -= path->accepted_at[index] != IOV_TIME_MAX;
    if (index == path->first)
        index = ++path->first;
    else
        move_last(path, index, path->first + path->count - index - 1);
    path->count--;
    return index;
}

/* Place of the first owner whose source is not below `source`. */
static unsigned owner_place(const struct iov_interrupt_path *path, uint32_t source)
{
    unsigned low = 0, high = path->owner_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (path->owners[middle].source < source)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const void *owner_of(const struct iov_interrupt_path *path, uint32_t source)
{
    unsigned place = owner_place(path, source);
    bool known = place < path->owner_count && path->owners[place].source == source;

    if (known)
        return path->owners[place].guest;
    return source >> 16 != 0 ? owner_of(path, source & 0xffff) : NULL;
}

/* It waits for its owner's handler; a source that nobody has ends here. */
static void add(struct iov_interrupt_path *path, uint32_t source, iov_time accepted)
{
    const void *guest = owner_of(path, source);
    unsigned place;

    if (guest == NULL)
        return;
    if (path->count == IOV_INTERRUPT_RECORDS) {
        path->forgotten++;
        (void)drop(path, path->first);
    }
    if (path->first >= IOV_INTERRUPT_RECORDS) {
        move_last(path, 0, path->count);
        path->first = 0;
    }
    place = path->first + path->count++;
    path->guests[place] = guest;
    path->accepted_at[place] = accepted;
    path->requesters[place] = (uint16_t)source;
    path->accepted += accepted != IOV_TIME_MAX;
}

static void note(struct iov_interrupt_path *path, enum iov_interrupt_segment segment,
                 iov_time duration)
{
    iov_histogram_record(path->segments[segment], duration);
}

void iov_interrupt_remapped(struct iov_interrupt_path *path, uint32_t source, iov_time link,
                            iov_time remap)
{
    if (path == NULL)
        return;
    note(path, IOV_INTERRUPT_LINK, link);
    note(path, IOV_INTERRUPT_REMAP, remap);
    add(path, source, IOV_TIME_MAX);
}

void iov_interrupt_posted(struct iov_interrupt_path *path, uint32_t source, iov_time link,
                          iov_time remap, iov_time post, bool notify, iov_time when)
{
    if (path == NULL)
        return;
    note(path, IOV_INTERRUPT_LINK, link);
    note(path, IOV_INTERRUPT_REMAP, remap);
    note(path, IOV_INTERRUPT_POST, post);
    *(notify ? &path->posted : &path->gathered) += 1;
    add(path, source, notify ? IOV_TIME_MAX : when);
}

void iov_interrupt_routed(struct iov_interrupt_path *path, uint16_t requester, iov_time link,
                          iov_time route, iov_time when)
{
    if (path == NULL)
        return;
    note(path, IOV_INTERRUPT_ROUTE, route);
    for (unsigned i = path->first + path->count; i-- > path->first;) {
        if (path->requesters[i] == requester && path->accepted_at[i] == IOV_TIME_MAX) {
            path->accepted_at[i] = when;
            path->accepted++;
            return;
        }
    }
    note(path, IOV_INTERRUPT_LINK, link);
    add(path, requester, when);
}

void iov_interrupt_owned(struct iov_interrupt_path *path, uint32_t source, const void *guest)
{
    unsigned place;

    if (path == NULL || path->owner_count == IOV_INTERRUPT_OWNERS)
        return;
    place = owner_place(path, source);
    if (place < path->owner_count && path->owners[place].source == source)
        return;
    memmove(&path->owners[place + 1], &path->owners[place],
            (path->owner_count - place) * sizeof path->owners[0]);
    path->owners[place].guest = guest;
    path->owners[place].source = source;
    path->owner_count++;
}

void iov_interrupt_taken(struct iov_interrupt_path *path, const void *guest, iov_time now)
{
    if (path == NULL || path->accepted == 0)
        return;
    for (unsigned i = path->first; i < path->first + path->count;) {
        if (path->guests[i] != guest || path->accepted_at[i] > now) {
            i++;
            continue;
        }
        note(path, IOV_INTERRUPT_DELIVER, now - path->accepted_at[i]);
        i = drop(path, i);
    }
}

void iov_interrupt_ended(struct iov_interrupt_path *path, iov_time since, iov_time now)
{
    if (path != NULL)
        note(path, IOV_INTERRUPT_EOI, now - since);
}
