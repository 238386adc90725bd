/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of a pcap or pcapng file, read at once. */
#ifndef IOV_NIC_PCAP_FILE_H
#define IOV_NIC_PCAP_FILE_H

#include <glib.h>
#include <stdbool.h>

#include "core/kernel/time.h"

#define PCAP_DAYS_MAX 50u /* that a file may take */

struct pcap_frame {
    iov_time when; /* since the first */
    uint32_t size;
    uint32_t stored; /* of them in the file; the rest is zero */
    const uint8_t *data;
};

struct pcap_file {
    GArray *frames; /* struct pcap_frame */
    GByteArray *bytes;
    uint64_t oversize; /* left out: longer than a frame may be */
    uint64_t cut;      /* not stored as a whole */
    uint64_t late;     /* with a time before the one in front: at once after it */
};

/* A file that cannot be read, is cut off, of another link type or without a frame is an error, told
 * as `path`: why. */
bool pcap_file_read(struct pcap_file *file, const char *path, GError **error);
void pcap_file_clear(struct pcap_file *file);

#endif
