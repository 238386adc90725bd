/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of a run: what was measured, written into one folder.
 *
 *     stats.json    everything, for scripts; keys and their order are fixed, numbers are exact
 * decimals stats.csv     the same as name,value,unit,description stats.txt     the same for the eye
 *     resolved.yaml the configuration with all its includes, runnable again
 *     manifest.json where the numbers come from: version, command line, host, every constant with
 * its source
 *
 * Two runs of one configuration and seed give the same bytes in stats.*, but for the last member
 * `wall_s`. The caller fills a struct iov_report, which only borrows what it points to. Nothing
 * here is called from an event handler.
 */
#ifndef IOV_TRACE_REPORT_H
#define IOV_TRACE_REPORT_H

#include <glib.h>

#include "core/object/model.h"
#include "core/trace/measure.h"

IOV_BEGIN_DECLS

#define IOV_REPORT_FORMAT \
    1 /* of stats.json, printed as `iovsim`: raised when a key changes its meaning */

/* One constant that the run took from its cost table. Texts may be NULL. */
struct iov_report_constant {
    const char *name;
    iov_time value;
    const char *written; /* as the file says it: "1300cycles" */
    const char *source;
    const char *year;
    const char *hardware;
    const char *confidence;
    const char *note;
    const char *adjusted; /* what made `value` differ from what is written, and its source */
};

struct iov_report {
    const struct iov_measure *measure;
    const char *strategy;
    const char *workload;
    uint64_t seed;
    uint64_t wall_ns; /* host time of the run */
    IovModel *const
        *models; /* whose statistics are printed, with their children's, in this order */
    unsigned model_count;
    /* For the manifest. */
    const char *version;
    const char *const *command; /* NULL-terminated, or NULL */
    const char *started;        /* date and time, ISO 8601, or NULL */
    const struct iov_report_constant *constants;
    unsigned constant_count;
    const char *resolved; /* text of resolved.yaml, or NULL: then the file is not written */
};

/*
 * Writes the files into `folder`, which is made if it is missing. Each is written under a temporary
 * name; all are renamed when all are complete. On failure (IOV_ERROR_FILE, with the path and the
 * reason) the temporary files are gone and files of an earlier run untouched.
 */
IOV_API IOV_MUST_USE bool iov_report_write(const struct iov_report *report, const char *folder,
                                           GError **error);

/* The texts of the files. The caller frees them (g_free). */
IOV_API char *iov_report_json(const struct iov_report *report);
IOV_API char *iov_report_csv(const struct iov_report *report);
IOV_API char *iov_report_text(const struct iov_report *report);
IOV_API char *iov_report_manifest(const struct iov_report *report);

/* Threads of the host that never let their processor go: cores that polling takes. */
IOV_API unsigned iov_report_dedicated(const struct iov_measure *measure);
/*
 * Mean picoseconds per operation of each part, rounded so that they add up to `ret_mean`, the mean
 * latency, exactly (largest remainders first). All zero without operations. Where requests did not
 * add up (measure->mismatches) the parts do not either.
 */
IOV_API void iov_report_parts(const struct iov_measure *measure, iov_time ret_parts[IOV_PART_COUNT],
                              iov_time *ret_mean);

/* Watches (iov_measure_watch) every processor that this part and its children have as a port.
 * Before the run. */
IOV_API void iov_report_watch(struct iov_measure *measure, IovModel *model);

IOV_END_DECLS

#endif
