/* SPDX-License-Identifier: Apache-2.0 */
#include "core/port/map.h"

#include <stdlib.h>

/* Index of the first window whose base is above `address`. */
static unsigned above(const struct iov_mem_map *map, uint64_t address)
{
    unsigned low = 0, high = map->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (map->windows[middle].base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool iov_mem_map_add(struct iov_mem_map *map, uint64_t base, uint64_t size,
                     struct iov_mem_target *target)
{
    unsigned place = above(map, base);

    if (size == 0 || base + (size - 1) < base)
        return false;
    if (place > 0 && base - map->windows[place - 1].base < map->windows[place - 1].size)
        return false;
    if (place < map->count && map->windows[place].base - base < size)
        return false;
    if (map->count == map->capacity) {
        map->capacity = map->capacity != 0 ? 2 * map->capacity : 8;
        map->windows = realloc(map->windows, map->capacity * sizeof *map->windows);
        if (map->windows == NULL)
            abort();
    }
    memmove(&map->windows[place + 1], &map->windows[place],
            (map->count - place) * sizeof *map->windows);
    map->windows[place] = (struct iov_mem_window){ base, size, target };
    map->count++;
    map->last = NULL;
    map->before = NULL;
    return true;
}

void iov_mem_map_clear(struct iov_mem_map *map)
{
    free(map->windows);
    *map = (struct iov_mem_map){ 0 };
}

const struct iov_mem_window *iov_mem_map_search(struct iov_mem_map *map, uint64_t address)
{
    const struct iov_mem_window *window = map->before;
    unsigned place;

    if (window != NULL && address - window->base < window->size) {
        map->before = map->last;
        map->last = window;
        return window;
    }
    place = above(map, address);
    if (place == 0)
        return NULL;
    window = &map->windows[place - 1];
    if (address - window->base >= window->size)
        return NULL;
    map->before = map->last;
    map->last = window;
    return window;
}
