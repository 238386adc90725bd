/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: see the header. */
#include "core/net/address.h"

#include <glib.h>
#include <string.h>

bool iov_net_address_parse(const char *text, uint8_t ret_address[6])
{
    uint8_t address[6];

    for (unsigned i = 0; i < 6; i++, text += 3) {
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]) ||
            text[2] != (i < 5 ? ':' : '\0'))
            return false;
        address[i] = (uint8_t)(g_ascii_xdigit_value(text[0]) * 16 + g_ascii_xdigit_value(text[1]));
    }
    memcpy(ret_address, address, sizeof address);
    return true;
}

bool iov_net_ipv4_parse(const char *text, uint32_t *ret_address)
{
    uint32_t address = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;

        for (; digits < 3 && g_ascii_isdigit(*text); digits++)
            value = value * 10 + (unsigned)(*text++ - '0');
        if (digits == 0 || value > 255 || *text++ != (i < 3 ? '.' : '\0'))
            return false;
        address = address << 8 | value;
    }
    *ret_address = address;
    return true;
}

void iov_net_address_of_path(const char *path, uint32_t vendor, uint8_t ret_address[6])
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (const char *c = path; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619;
    hash ^= hash >> 24;
    for (unsigned i = 0; i < 3; i++) {
        ret_address[i] = (uint8_t)(vendor >> (16 - 8 * i));
        ret_address[3 + i] = (uint8_t)(hash >> (16 - 8 * i));
    }
}

bool iov_net_address_choose(const char *text, const char *path, uint32_t vendor,
                            uint8_t ret_address[6])
{
    uint8_t address[6];

    if (strcmp(text, "auto") == 0) {
        iov_net_address_of_path(path, vendor, ret_address);
        return true;
    }
    if (!iov_net_address_parse(text, address) || address[0] & 1)
        return false;
    memcpy(ret_address, address, sizeof address);
    return true;
}
