/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The temporary file is made in the folder of the final one, so the rename stays on one file
 * system. LIMIT: the folder itself is not synced; after a power cut the old file may be back, but
 * never a half one.
 */
#include "core/object/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    return true;
}

bool iov_write_file_atomically(const char *path, const char *bytes, size_t length, GError **error)
{
    char *temporary = g_strdup_printf("%s.XXXXXX", path);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0666);
    bool fine = fd >= 0 && write_all(fd, bytes, length) && fsync(fd) == 0;
    int problem = errno;

    if (fd >= 0 && close(fd) != 0 && fine) {
        fine = false;
        problem = errno;
    }
    if (fine && g_rename(temporary, path) != 0) {
        fine = false;
        problem = errno;
    }
    if (!fine) {
        g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(problem),
                    "cannot write '%s': %s", path, g_strerror(problem));
        if (fd >= 0)
            g_unlink(temporary);
    }
    g_free(temporary);
    return fine;
}
