/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `--kernel`: who owns time. SystemC comes in a library that is loaded when it is asked for, so the
 * command works where SystemC is not installed.
 */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <string.h>

#include "bindings/cli/kernel-private.h"
#include "bindings/systemc/systemc.h"
#include "core/config/diagnostics.h"

#define LIBRARY "libiovsim-systemc.so.0"

struct kernel_owner {
    void *library;
    __typeof__(iov_systemc_new) *open;
    __typeof__(iov_systemc_free) *close;
    __typeof__(iov_systemc_attach) *attach;
    struct iov_systemc *systemc; /* of the run that is going on */
};

static bool find(struct kernel_owner *self, const char *name, void *ret_function)
{
    void *symbol = dlsym(self->library, name);

    memcpy(ret_function, &symbol, sizeof symbol); /* C has no cast from data to functions */
    return symbol != NULL;
}

/* It lies beside libiovsim, wherever that was found. */
static char *path_of_library(void)
{
    __typeof__(iov_kernel_new) *function = iov_kernel_new;
    g_autofree char *folder = NULL;
    Dl_info info;
    void *address;

    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL)
        return g_strdup(LIBRARY);
    folder = g_path_get_dirname(info.dli_fname);
    return g_build_filename(folder, LIBRARY, NULL);
}

static bool load(struct kernel_owner *self, GError **error)
{
    g_autofree char *path = path_of_library();

    self->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (self->library != NULL && find(self, "iov_systemc_new", &self->open) &&
        find(self, "iov_systemc_free", &self->close) &&
        find(self, "iov_systemc_attach", &self->attach))
        return true;
    g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                "--kernel systemc: %s\n"
                "this iovsim was built without SystemC: install the package libsystemc-dev, then "
                "configure with -DIOV_SYSTEMC=ON and build again",
                dlerror());
    return false;
}

bool kernel_open(const char *name, struct kernel_owner **ret_owner, GError **error)
{
    static const char *const names[] = { "native", "systemc", NULL };
    struct kernel_owner *self;
    const char *near;

    *ret_owner = NULL;
    if (name == NULL || strcmp(name, "native") == 0)
        return true;
    if (strcmp(name, "systemc") != 0) {
        near = iov_suggest(name, names);
        if (near != NULL)
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                        "--kernel: there is no kernel '%s'; did you mean '%s'?", name, near);
        else
            g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                        "--kernel: there is no kernel '%s'; there are 'native' and 'systemc'",
                        name);
        return false;
    }
    self = g_new0(struct kernel_owner, 1);
    if (!load(self, error)) {
        g_free(self);
        return false;
    }
    *ret_owner = self;
    return true;
}

bool kernel_begin(struct kernel_owner *self, struct iov_experiment *experiment, GError **error)
{
    if (self == NULL)
        return true;
    self->systemc = self->open(error);
    if (self->systemc == NULL)
        return false;
    self->attach(self->systemc, iov_platform_run(iov_experiment_platform(experiment))->kernel);
    return true;
}

void kernel_end(struct kernel_owner *self)
{
    if (self == NULL || self->systemc == NULL)
        return;
    self->close(self->systemc);
    self->systemc = NULL;
}

void kernel_close(struct kernel_owner *self)
{
    g_free(self); /* the library stays: SystemC's statics end with the program */
}
