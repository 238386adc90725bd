/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE table: how the machines, devices and options of the command line are called here. A row says
 * which kind a device is, which property each of its options sets, and how it is wired; everything
 * else (checking, building, hot-plugging, listing) follows from it. To give a device of your own a
 * name on the command line, add a row.
 */
#ifndef IOV_QTEST_DEVICES_H
#define IOV_QTEST_DEVICES_H

#include <glib.h>
#include <stdbool.h>

struct key_row {
    const char *key;
    const char *property; /* NULL: accepted, changes nothing that is modelled */
};

enum {
    DEVICE_PCI = 1 << 0,     /* has a `pci` port: sits in a slot, options addr and bus */
    DEVICE_NETWORK = 1 << 1, /* options mac and netdev; a packet port */
    DEVICE_BLOCK = 1 << 2,   /* option drive; a block port */
    DEVICE_BUS = 1 << 3,     /* its port `slots` takes other devices */
    DEVICE_ONCE = 1 << 4,    /* a part of the machine: one at most */
    DEVICE_LISTED = 1 << 5,  /* a type that is listed, not a device that can be asked for */
};

struct device_row {
    const char *name;
    const char *parent; /* name of the type above, for lists */
    const char *kind;   /* NULL: accepted, nothing of it is modelled */
    unsigned flags;
    const char *fixed; /* properties that make this device of the kind, as YAML: "legacy: off" */
    /* Beside that of the slot, as YAML, separated by '\n'; @ stands for the part. */
    const char *wires;
    const char *parameters;     /* of the machine's file that it changes, as YAML; @ as above */
    const char *packet, *block; /* names of its packet and block port */
    const struct key_row *keys; /* ends with key NULL */
};

struct machine_row {
    const char *name, *alias;
    const char *file;   /* in platforms/ */
    guint64 low_memory; /* the most that lies below 4 GiB ... */
    guint64 low_split;  /* ... and where memory ends there if there is more */
    bool is_default, pci;
};

const struct machine_row *machine_row_find(const char *name);
const struct machine_row *machine_row_at(unsigned index); /* NULL behind the last */

const struct device_row *device_row_find(const char *name);
const struct device_row *device_row_at(unsigned index); /* NULL behind the last */
/* The row of an option of a device, or NULL. Options that all PCI devices have are found too. */
const struct key_row *device_key_find(const struct device_row *row, const char *key);
/* Whether a device is of the type `type` or of one below it. */
bool device_row_is(const struct device_row *row, const char *type);

#endif
