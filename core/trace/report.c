/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run folder. All files are complete under temporary names before the first of them is renamed,
 * so a full disk leaves what was there before as it was.
 */
#include "core/trace/report.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define FILES 5

struct output {
    const char *name;
    char *text; /* NULL: not written */
    char *temporary;
    char *path;
};

static bool fail(GError **error, const char *what, const char *path)
{
    int reason = errno;

    g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "%s: %s: %s", path, what, g_strerror(reason));
    return false;
}

static bool write_all(int file, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t written = write(file, text, left);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text += written;
        left -= (size_t)written;
    }
    return true;
}

/* Writes the temporary file of one output; on failure it is gone. */
static bool write_temporary(const struct output *output, GError **error)
{
    bool complete;
    int file;

    errno = EISDIR;
    if (g_file_test(output->path, G_FILE_TEST_IS_DIR)) /* found out before anything is renamed */
        return fail(error, "cannot be replaced", output->path);

    file = open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return fail(error, "cannot be created", output->temporary);
    complete = write_all(file, output->text);
    /* Some file systems find out that they are full when a file is closed. */
    if (close(file) != 0)
        complete = false;
    if (complete)
        return true;
    fail(error, "cannot be written", output->path);
    g_unlink(output->temporary);
    return false;
}

static void drop_temporaries(const struct output outputs[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (outputs[i].text != NULL)
            g_unlink(outputs[i].temporary);
    }
}

static bool write_outputs(const struct output outputs[], GError **error)
{
    for (unsigned i = 0; i < FILES; i++) {
        if (outputs[i].text != NULL && !write_temporary(&outputs[i], error)) {
            drop_temporaries(outputs, i);
            return false;
        }
    }
    for (unsigned i = 0; i < FILES; i++) {
        if (outputs[i].text != NULL && g_rename(outputs[i].temporary, outputs[i].path) != 0) {
            fail(error, "cannot be replaced", outputs[i].path);
            drop_temporaries(outputs, FILES);
            return false;
        }
    }
    return true;
}

bool iov_report_write(const struct iov_report *report, const char *folder, GError **error)
{
    struct output outputs[FILES] = {
        { .name = "manifest.json", .text = iov_report_manifest(report) },
        { .name = "resolved.yaml", .text = g_strdup(report->resolved) },
        { .name = "stats.csv", .text = iov_report_csv(report) },
        { .name = "stats.txt", .text = iov_report_text(report) },
        { .name = "stats.json",
          .text = iov_report_json(report) }, /* last: who waits for it finds all */
    };
    bool existed = g_file_test(folder, G_FILE_TEST_IS_DIR);
    bool written;

    if (g_mkdir_with_parents(folder, 0777) != 0) {
        written = fail(error, "cannot be created", folder);
    } else {
        for (unsigned i = 0; i < FILES; i++) {
            outputs[i].path = g_build_filename(folder, outputs[i].name, NULL);
            outputs[i].temporary = g_strconcat(outputs[i].path, ".tmp", NULL);
        }
        written = write_outputs(outputs, error);
        if (!written && !existed)
            g_rmdir(folder);
    }
    for (unsigned i = 0; i < FILES; i++) {
        g_free(outputs[i].text);
        g_free(outputs[i].temporary);
        g_free(outputs[i].path);
    }
    return written;
}

void iov_report_watch(struct iov_measure *measure, IovModel *model)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(model)->info->ports;

    for (unsigned i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);

        for (unsigned at = 0; row->type == IOV_PORT_PROCESSOR && at < row->count; at++)
            iov_measure_watch(measure, iov_model_port(model, row->name, at));
    }
    for (unsigned i = 0; i < model->children->len; i++)
        iov_report_watch(measure, g_ptr_array_index(model->children, i));
}
