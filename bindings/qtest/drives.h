/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: what -drive and -blockdev describe, as parts of kind disk-image. A node may be another
 * name of one below it. */
#ifndef IOV_QTEST_DRIVES_H
#define IOV_QTEST_DRIVES_H

#include "bindings/qtest/machine.h"

struct drive {
    char *id;
    char *properties; /* of the part, as a YAML mapping; NULL: another name of `below` */
    char *below;
    char *part;    /* path in the platform */
    IovModel *hot; /* a model that came later: ours */
    bool used;     /* a device has it */
};

/* Reads one -drive or -blockdev; the drive is added to the machine's list. */
bool drives_read(struct machine *machine, const struct option *option, GError **error);
/* Its device has gone. */
void drives_release(const struct machine *machine, const char *id);
void drive_free(void *drive); /* accepts NULL */

#endif
