/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a run file, with all built-in kinds: it is refused with an error, or becomes a
 * platform whose resolved file loads as an equal tree. Nothing is realized.
 */
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in a folder of its own, so that a relative include finds nothing but the input. */
static char *write_file(const char *name, const void *bytes, size_t size)
{
    char *folder = g_strdup_printf("%s/iov-fuzz-%d", g_get_tmp_dir(), (int)getpid());
    char *path = g_build_filename(folder, name, NULL);

    g_mkdir(folder, 0700);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
    g_free(folder);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;

    char *path = write_file("run.yaml", data, size);
    struct iov_config *config = iov_config_load(path, NULL, &error);
    struct iov_platform *platform = config != NULL ? iov_platform_new(config, &error) : NULL;
    g_assert((platform == NULL) == (error != NULL));
    if (platform != NULL) {
        char *text = iov_config_write(config);
        char *resolved = write_file("resolved.yaml", text, strlen(text));
        struct iov_config *again = iov_config_load(resolved, NULL, NULL);
        g_assert(again != NULL && iov_node_equal(iov_config_root(config), iov_config_root(again)));
        iov_config_free(again);
        g_free(resolved);
        g_free(text);
    }
    g_clear_error(&error);
    iov_platform_free(platform);
    iov_config_free(config);
    g_free(path);
    return 0;
}
