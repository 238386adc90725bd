/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk-image - a disk whose bytes are those of a raw file, or zeros if there is none.
 *
 * A request waits, first in first out, until one of `channels` is free; there it takes the cost of
 * its operation; its data passes the medium at `rate`, one request after the other. Bytes move when
 * the request ends. With `snapshot` writes stay in memory and the file is only read; so it is with
 * `read-only`, where writes are refused.
 *
 * LIMIT: a flush takes its time and does nothing to the host's file; a discard keeps the bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/object/model.h"
#include "models/storage/overlay-private.h"

#define SECTOR 512u
#define CHANNELS_MAX 64u
#define SIZE_HIGHEST (UINT64_C(1) << 44)

#define IOV_TYPE_DISK_IMAGE (iov_disk_image_get_type())
G_DECLARE_FINAL_TYPE(IovDiskImage, iov_disk_image, IOV, DISK_IMAGE, IovModel)

/* Where one request is worked on. */
struct channel {
    IovDiskImage *disk;
    struct iov_block_req *req; /* NULL: free */
    struct iov_event end;
};

struct _IovDiskImage {
    IovModel parent_instance;
    char *file;                                               /* property */
    uint64_t size, channels, rate;                            /* properties */
    bool read_only, snapshot;                                 /* properties */
    iov_time read_time, write_time, flush_time, discard_time; /* costs */
    struct iov_block_target port;                             /* port */
    struct iov_overlay bytes;
    bool open;
    struct channel channel[CHANNELS_MAX];
    struct iov_block_req *first, *last; /* waiting */
    uint64_t rate_mbps;
    iov_time medium_busy; /* until when data passes */
    uint64_t reads, writes, flushes, discards, bytes_read, bytes_written, errors; /* statistics */
    uint64_t pages;                                                               /* statistic */
};

G_DEFINE_FINAL_TYPE(IovDiskImage, iov_disk_image, IOV_TYPE_MODEL)

/* ---- Requests ---- */

static enum iov_block_status move_bytes(IovDiskImage *self, const struct iov_block_req *req)
{
    bool good = true;

    if (req->op == IOV_BLOCK_FLUSH) {
        self->flushes++;
        return IOV_BLOCK_OK;
    }
    if (req->offset > self->port.size || req->size > self->port.size - req->offset)
        return IOV_BLOCK_OUT_OF_RANGE;
    if (req->op != IOV_BLOCK_READ && self->read_only)
        return IOV_BLOCK_READ_ONLY;
    switch (req->op) {
    case IOV_BLOCK_READ:
        self->reads++;
        self->bytes_read += req->size;
        good = iov_overlay_read(&self->bytes, req->offset, req->data, req->size);
        break;
    case IOV_BLOCK_WRITE:
        self->writes++;
        self->bytes_written += req->size;
        good = iov_overlay_write(&self->bytes, req->offset, req->data, req->size);
        break;
    case IOV_BLOCK_WRITE_ZEROES:
        self->discards++;
        good = iov_overlay_zero(&self->bytes, req->offset, req->size);
        break;
    default:
        self->discards++;
        break;
    }
    return good ? IOV_BLOCK_OK : IOV_BLOCK_IO_ERROR;
}

static iov_time time_of(const IovDiskImage *self, const struct iov_block_req *req)
{
    switch (req->op) {
    case IOV_BLOCK_READ:
        return self->read_time;
    case IOV_BLOCK_WRITE:
        return self->write_time;
    case IOV_BLOCK_FLUSH:
        return self->flush_time;
    default:
        return self->discard_time;
    }
}

static bool has_data(const struct iov_block_req *req)
{
    return req->op == IOV_BLOCK_READ || req->op == IOV_BLOCK_WRITE;
}

static iov_time transfer_time(const IovDiskImage *self, uint64_t size)
{
    return MIN(size, UINT32_MAX) * 8 * IOV_US / self->rate_mbps;
}

static void channel_begin(struct channel *channel, struct iov_block_req *req)
{
    IovDiskImage *self = channel->disk;
    iov_time now = iov_now(self->parent_instance.kernel), ready = now;

    channel->req = req;
    if (self->rate_mbps != 0 && has_data(req)) {
        ready = MAX(now, self->medium_busy) + transfer_time(self, req->size);
        self->medium_busy = ready;
    }
    iov_event_in(&channel->end, ready - now + time_of(self, req));
}

/* The channel is free: the next in line takes it. */
static void channel_end(struct channel *channel)
{
    IovDiskImage *self = channel->disk;
    struct iov_block_req *next = self->first;

    channel->req = NULL;
    if (next == NULL)
        return;
    self->first = next->next;
    if (self->first == NULL)
        self->last = NULL;
    channel_begin(channel, next);
}

static void on_end(struct iov_event *event)
{
    struct channel *channel = iov_container_of(event, struct channel, end);
    IovDiskImage *self = channel->disk;
    struct iov_block_req *req = channel->req;

    channel_end(channel);
    req->status = move_bytes(self, req);
    if (req->status != IOV_BLOCK_OK)
        self->errors++;
    req->done(req);
}

static void port_submit(struct iov_block_target *port, struct iov_block_req *req)
{
    IovDiskImage *self = iov_container_of(port, IovDiskImage, port);

    req->next = NULL;
    for (unsigned i = 0; i < self->channels; i++) {
        if (self->channel[i].req == NULL) {
            channel_begin(&self->channel[i], req);
            return;
        }
    }
    if (self->last != NULL)
        self->last->next = req;
    else
        self->first = req;
    self->last = req;
}

static void port_cancel(struct iov_block_target *port, struct iov_block_req *req)
{
    IovDiskImage *self = iov_container_of(port, IovDiskImage, port);
    struct iov_block_req *before = NULL;

    for (unsigned i = 0; i < self->channels; i++) {
        if (self->channel[i].req == req) {
            iov_event_disarm(&self->channel[i].end);
            channel_end(&self->channel[i]);
            return;
        }
    }
    for (struct iov_block_req *at = self->first; at != NULL; before = at, at = at->next) {
        if (at != req)
            continue;
        *(before != NULL ? &before->next : &self->first) = req->next;
        if (self->last == req)
            self->last = before;
        return;
    }
}

static bool port_resize(struct iov_block_target *port, uint64_t size)
{
    IovDiskImage *self = iov_container_of(port, IovDiskImage, port);

    if (self->read_only || size > SIZE_HIGHEST || size % SECTOR != 0 ||
        !iov_overlay_resize(&self->bytes, size))
        return false;
    port->size = size;
    if (port->front != NULL && port->front->ops != NULL && port->front->ops->resized != NULL)
        port->front->ops->resized(port->front);
    return true;
}

static const struct iov_block_target_ops port_ops = { .submit = port_submit,
                                                      .cancel = port_cancel,
                                                      .resize = port_resize };

/* ---- Life cycle and description ---- */

static bool open_file(IovDiskImage *self, int *ret_file, uint64_t *ret_size, GError **error)
{
    bool writable = !self->read_only && !self->snapshot;
    struct stat about;
    int file;

    *ret_file = -1;
    *ret_size = 0;
    if (self->file[0] == '\0')
        return true;
    file = open(self->file, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file < 0)
        return iov_model_fail(&self->parent_instance, error, "file: cannot open '%s': %s",
                              self->file, g_strerror(errno));
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) ||
        (uint64_t)about.st_size > SIZE_HIGHEST) {
        close(file);
        return iov_model_fail(&self->parent_instance, error,
                              "file: '%s' is not a regular file of at most 16 TiB", self->file);
    }
    *ret_file = file;
    *ret_size = (uint64_t)about.st_size;
    return true;
}

static bool disk_image_prepare(IovModel *model, GError **error)
{
    IovDiskImage *self = IOV_DISK_IMAGE(model);
    uint64_t file_size;
    int file;

    if (self->size % SECTOR != 0)
        return iov_model_fail(model, error, "size: not a multiple of 512 bytes");
    if (self->file[0] == '\0' && self->size == 0)
        return iov_model_fail(model, error, "size: a disk without a file needs one");
    self->rate_mbps = self->rate / 1000000;
    if (self->rate != 0 && self->rate_mbps == 0)
        return iov_model_fail(model, error, "rate: below 1Mbps");
    if (!open_file(self, &file, &file_size, error))
        return false;
    /* A last sector that the file does not fill is filled with zeros. */
    self->port.size = self->size != 0 ? self->size : (file_size + SECTOR - 1) / SECTOR * SECTOR;
    self->port.read_only = self->read_only;
    iov_overlay_init(&self->bytes, file, file_size, self->snapshot || self->read_only,
                     self->port.size);
    self->open = true;
    for (unsigned i = 0; i < CHANNELS_MAX; i++) {
        self->channel[i].disk = self;
        iov_event_init(&self->channel[i].end, model->kernel, on_end, IOV_PRIORITY_DEFAULT);
    }
    return true;
}

static void disk_image_unrealize(IovModel *model)
{
    IovDiskImage *self = IOV_DISK_IMAGE(model);

    for (unsigned i = 0; self->open && i < CHANNELS_MAX; i++) {
        iov_event_disarm(&self->channel[i].end);
        self->channel[i].req = NULL;
    }
    self->first = NULL;
    self->last = NULL;
}

static void disk_image_update_statistics(IovModel *model)
{
    IovDiskImage *self = IOV_DISK_IMAGE(model);

    self->pages = self->bytes.pages;
}

static void disk_image_finalize(GObject *object)
{
    IovDiskImage *self = IOV_DISK_IMAGE(object);

    if (self->open)
        iov_overlay_clear(&self->bytes);
    G_OBJECT_CLASS(iov_disk_image_parent_class)->finalize(object);
}

static void iov_disk_image_init(IovDiskImage *self)
{
    (void)self;
}

static void iov_disk_image_class_init(IovDiskImageClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = disk_image_finalize;
    mc->prepare = disk_image_prepare;
    mc->unrealize = disk_image_unrealize;
    mc->update_statistics = disk_image_update_statistics;
    iov_model_class_describe(mc, "disk-image", "A disk with the bytes of a raw file");
    IOV_PROP_STRING(mc, IovDiskImage, file, "", "Raw image; none: a disk of zeros");
    IOV_PROP_SIZE(mc, IovDiskImage, size, 0, SIZE_HIGHEST, 0,
                  "Of the disk; 0: as large as the file");
    IOV_PROP_BOOL(mc, IovDiskImage, read_only, 0, "Refuse writes");
    IOV_PROP_BOOL(mc, IovDiskImage, snapshot, 0, "Keep writes in memory: the file stays as it is");
    IOV_PROP_COUNT(mc, IovDiskImage, channels, 1, CHANNELS_MAX, 8,
                   "Requests worked on at the same time");
    IOV_PROP_RATE(mc, IovDiskImage, rate, 0, UINT64_C(1000000000000), 0,
                  "At which data passes the medium; 0: no limit");
    IOV_COST(mc, IovDiskImage, read_time, "disk-read", "A read, data apart");
    IOV_COST(mc, IovDiskImage, write_time, "disk-write", "A write, data apart");
    IOV_COST(mc, IovDiskImage, flush_time, "disk-flush", "A flush");
    IOV_COST(mc, IovDiskImage, discard_time, "disk-discard", "A discard, or a write of zeros");
    IOV_PORT_BLOCK_TARGET(mc, IovDiskImage, port, &port_ops, "Requests");
    IOV_STAT(mc, IovDiskImage, reads, "Reads done");
    IOV_STAT(mc, IovDiskImage, writes, "Writes done");
    IOV_STAT(mc, IovDiskImage, flushes, "Flushes done");
    IOV_STAT(mc, IovDiskImage, discards, "Discards and writes of zeros done");
    IOV_STAT_BYTES(mc, IovDiskImage, bytes_read, "Bytes read");
    IOV_STAT_BYTES(mc, IovDiskImage, bytes_written, "Bytes written");
    IOV_STAT(mc, IovDiskImage, errors, "Requests that ended in an error");
    IOV_STAT(mc, IovDiskImage, pages, "Pages of 4 KiB that are kept in memory");
}
