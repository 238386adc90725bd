/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading captures with libpcap. Nothing of the file is believed: sizes are checked, times only go
 * forward. Frames that were captured in part are filled with zeros to the length they had.
 */
#include "models/nic/pcap-file.h"

#include <pcap/pcap.h>

#include "core/net/ethernet-regs.h"
#include "core/object/model.h"

#define BYTES_MAX (256u << 20)
#define DAY_NS (UINT64_C(86400) * 1000000000)

G_GNUC_PRINTF(3, 4)
static bool fail(GError **error, const char *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "%s: %s", path, why);
    return false;
}

static void add(struct pcap_file *file, const struct pcap_pkthdr *header, const uint8_t *data,
                iov_time when)
{
    struct pcap_frame frame = { .when = when, .size = header->len };

    frame.stored = MIN(header->caplen, header->len);
    if (frame.size > ETHERNET_MAX + ETHERNET_VLAN_TAG || frame.size < ETHERNET_HEADER) {
        file->oversize++;
        return;
    }
    if (frame.stored < frame.size)
        file->cut++;
    /* The place for now: the array may move. */
    frame.data = GSIZE_TO_POINTER(file->bytes->len);
    g_byte_array_append(file->bytes, data, frame.stored);
    g_array_append_val(file->frames, frame);
}

/* Seconds and nanoseconds; a file may say anything. */
static uint64_t stamp_of(const struct pcap_pkthdr *header)
{
    uint64_t seconds = (uint64_t)header->ts.tv_sec & UINT32_MAX;

    return seconds * 1000000000 + ((uint64_t)header->ts.tv_usec & UINT32_MAX);
}

static bool read_all(struct pcap_file *file, pcap_t *pcap, const char *path, GError **error)
{
    struct pcap_pkthdr *header;
    const uint8_t *data;
    uint64_t first = 0, last = 0;
    unsigned read = 0;
    int result;

    while ((result = pcap_next_ex(pcap, &header, &data)) == 1) {
        uint64_t stamp = stamp_of(header);

        if (read++ == 0)
            first = last = stamp;
        file->late += stamp < last;
        last = MAX(stamp, last);
        if (last - first > PCAP_DAYS_MAX * DAY_NS)
            return fail(error, path, "frame %u is more than %u days later than the first", read,
                        PCAP_DAYS_MAX);
        add(file, header, data, (last - first) * IOV_NS);
        if (file->bytes->len > BYTES_MAX)
            return fail(error, path, "more than 256 MiB of frames");
    }
    if (result != PCAP_ERROR_BREAK) /* of a file: its end */
        return fail(error, path, "after %u frames: %s", read, pcap_geterr(pcap));
    if (file->frames->len == 0)
        return fail(error, path, "no frame in it that a guest could get");
    return true;
}

bool pcap_file_read(struct pcap_file *file, const char *path, GError **error)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
    bool fine;

    if (pcap == NULL) {
        const char *own = g_str_has_prefix(why, path) ? why + strlen(path) : why;

        return fail(error, path, "%s", own + strspn(own, ": "));
    }
    file->frames = g_array_new(FALSE, FALSE, sizeof(struct pcap_frame));
    file->bytes = g_byte_array_new();
    if (pcap_datalink(pcap) != DLT_EN10MB) {
        const char *name = pcap_datalink_val_to_name(pcap_datalink(pcap));

        fine = fail(error, path, "its link type is %s; only Ethernet (EN10MB) can arrive at a NIC",
                    name != NULL ? name : "unknown");
    } else {
        fine = read_all(file, pcap, path, error);
    }
    pcap_close(pcap);
    for (guint i = 0; fine && i < file->frames->len; i++) {
        struct pcap_frame *frame = &g_array_index(file->frames, struct pcap_frame, i);

        frame->data = file->bytes->data + GPOINTER_TO_SIZE(frame->data);
    }
    if (!fine)
        pcap_file_clear(file);
    return fine;
}

void pcap_file_clear(struct pcap_file *file)
{
    g_clear_pointer(&file->frames, g_array_unref);
    g_clear_pointer(&file->bytes, g_byte_array_unref);
}
