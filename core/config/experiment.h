/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One experiment from file to results: what `iovsim run` does, for programs.
 *
 *     struct iov_experiment *experiment = iov_experiment_open("net-rr.yaml", &options, &error);
 *     iov_experiment_run(experiment, NULL, NULL, &error);
 *     iov_experiment_write(experiment, "out", NULL, &error);
 *     iov_experiment_free(experiment);
 */
#ifndef IOV_CONFIG_EXPERIMENT_H
#define IOV_CONFIG_EXPERIMENT_H

#include "core/config/platform.h"
#include "core/trace/report.h"

IOV_BEGIN_DECLS

struct iov_experiment;

/* How far a run is; called every 50 ms of host time or so. Returns false to end the run early. */
struct iov_progress {
    bool (*report)(struct iov_progress *progress, const struct iov_experiment *experiment);
};

/*
 * Reads the file and makes the platform, ready to run. `options` as in platform.h. Errors:
 * IOV_ERROR_CONFIG, IOV_ERROR_FILE, with all mistakes of the file in one message. Free the result
 * with iov_experiment_free(), which accepts NULL.
 */
IOV_API struct iov_experiment *iov_experiment_open(const char *file,
                                                   const struct iov_config_options *options,
                                                   GError **error);
IOV_API void iov_experiment_free(struct iov_experiment *experiment);

/*
 * Runs until the workload is done, progress->report() says no (the measurement is then marked
 * incomplete), or nothing can happen any more: IOV_ERROR_RUN. `progress` may be NULL. Once an
 * experiment. A back end (core/kernel/backend.h) set on the platform's kernel before owns time;
 * that it failed is IOV_ERROR_RUN too.
 */
IOV_API bool iov_experiment_run(struct iov_experiment *experiment, struct iov_progress *progress,
                                GError **error);

/*
 * The two ends of a run for who lets time pass himself: starts all parts; ends the measurement, as
 * incomplete if the workload is not done. Once an experiment, instead of iov_experiment_run().
 */
IOV_API void iov_experiment_begin(struct iov_experiment *experiment);
IOV_API void iov_experiment_end(struct iov_experiment *experiment);

/* What was measured, and the numbers around it. */
IOV_API const struct iov_measure *iov_experiment_measure(const struct iov_experiment *experiment);
IOV_API const struct iov_report *iov_experiment_report(struct iov_experiment *experiment);
IOV_API struct iov_platform *iov_experiment_platform(const struct iov_experiment *experiment);
IOV_API const struct iov_config *iov_experiment_config(const struct iov_experiment *experiment);
/* Operations that the workload is to do, warm-up included; 0 if it does not say. For progress. */
IOV_API uint64_t iov_experiment_planned(const struct iov_experiment *experiment);
/* Host time since the run began, ns. */
IOV_API uint64_t iov_experiment_wall_ns(const struct iov_experiment *experiment);

/* Writes the run folder. `command`: the command line for the manifest, NULL-terminated, or NULL. */
IOV_API bool iov_experiment_write(struct iov_experiment *experiment, const char *folder,
                                  const char *const *command, GError **error);

/*
 * Folders to search for platforms/ and configs/: those of IOVSIM_DATA_PATH, the folder above the
 * file's, the folders above the present one that hold platforms/, the data installed with the
 * library, wherever that lies. g_strfreev() it.
 */
IOV_API char **iov_data_path(const char *file);

IOV_END_DECLS

#endif
