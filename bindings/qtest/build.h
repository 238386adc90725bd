/* SPDX-License-Identifier: Apache-2.0 */
/* From options to the text of a platform (build.c) and to one device (build-device.c), by the table
 * of devices. For machine.c. */
#ifndef IOV_QTEST_BUILD_H
#define IOV_QTEST_BUILD_H

#include "bindings/qtest/machine.h"

/* A text as a YAML scalar that nothing is substituted in. g_free() it. */
char *build_quoted(const char *text);
/* Sets IOV_ERROR_CONFIG; returns false. */
bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The YAML of the whole platform; fills machine->devices. NULL on error. g_free() it. */
char *build_text(struct machine *machine, const struct options *options, GError **error);
/*
 * Reads what -device says into a new device with a place in a slot; `ret_properties` gets its
 * properties as a YAML mapping (g_free() it). The device is in no list yet. Free it with
 * device_free().
 */
struct device *build_device(struct machine *machine, const struct option *option,
                            char **ret_properties, GError **error);
void device_free(void *device); /* accepts NULL */
/* Takes and gives back a place in a bus. NULL is the root bus. */
bool slot_take(struct machine *machine, const char *bus, const char *address, guint8 *ret_devfn,
               GError **error);
void slot_give(struct machine *machine, const char *bus, guint8 devfn);
GArray *slots_new(void);
void slots_free(GArray *slots);

#endif
