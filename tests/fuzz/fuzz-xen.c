/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a guest of Xen leaves where others read: the first byte chooses how netback
 * gets its pages, the rest is a list of writes to the guest's store page, hypercall arguments,
 * shared info page, grant table and rings, with time in between. Nothing may end the host, and Dom0
 * must come to rest when the guest has.
 */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/experiment.h"
#include "core/object/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STORE = 0x2000,
    PAGES = 0x100000, /* argument, shared info, grant table, rings */
    PAGES_SIZE = 0x6000,
    STEPS_MAX = 256
};

static void write_bytes(struct iov_mem_target *ram, uint64_t address, const uint8_t *bytes,
                        uint32_t size)
{
    uint8_t copy[16];
    struct iov_mem_req req = { .address = address,
                               .data = copy,
                               .size = size,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_DEBUG };

    memcpy(copy, bytes, size);
    ram->ops->write(ram, &req);
}

static struct iov_experiment *open_experiment(uint8_t first)
{
    const char *const sets[] = { "strategy=xen-pv",
                                 first & 1 ? "parameters.grant=map" : "parameters.grant=copy",
                                 first & 2 ? "parameters.cpus=[cpu0]"
                                           : "parameters.cpus=[cpu0, cpu1]",
                                 first & 4 ? "workload.size=1400B" : "workload.size=64B",
                                 "workload.operations=1000000",
                                 "workload.warmup=0",
                                 NULL };
    g_autofree char *file = g_build_filename(IOV_SOURCE_DIR, "configs", "net-rr.yaml", NULL);
    g_auto(GStrv) path = iov_data_path(file);
    struct iov_config_options options = { (const char *const *)path, sets };
    struct iov_experiment *experiment = iov_experiment_open(file, &options, NULL);

    if (experiment == NULL)
        abort(); /* ours, not the input's */
    return experiment;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct iov_experiment *experiment = open_experiment(size > 0 ? data[0] : 0);
    struct iov_platform *platform = iov_experiment_platform(experiment);
    struct iov_kernel *kernel = iov_platform_run(platform)->kernel;
    struct iov_mem_target *ram = iov_model_port(iov_platform_find(platform, "vm0"), "ram", 0);

    iov_platform_start(platform);
    if (size > 0 && !(data[0] & 8)) /* else the first writes come before the rings are connected */
        iov_kernel_run_until(kernel, IOV_MS);
    for (size_t at = 1, step = 0; at + 8 <= size && step < STEPS_MAX; at += 8, step++) {
        uint64_t offset = (uint64_t)data[at] | (uint64_t)data[at + 1] << 8;
        uint32_t count = 1 + data[at + 2] % 4;

        if (data[at + 2] & 0x80)
            write_bytes(ram, STORE + offset % 32, data + at + 4, count);
        else
            write_bytes(ram, PAGES + offset % PAGES_SIZE, data + at + 4, count);
        iov_kernel_run_until(kernel, iov_now(kernel) + (1 + data[at + 3]) * IOV_US);
    }
    iov_kernel_run_until(kernel, iov_now(kernel) + IOV_MS);
    iov_experiment_free(experiment);
    return 0;
}
