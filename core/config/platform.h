/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a run file to a wired platform of models.
 *
 * A run goes: iov_config_load → iov_platform_new → iov_platform_realize → iov_platform_start → the
 * kernel runs → statistics are read → iov_platform_free → iov_config_free. The keys of a run file,
 * the order of merging and the scopes of names are in docs/design/configuration.md.
 *
 * Every mistake of the user ends in one GError IOV_ERROR_CONFIG whose message has a line for each:
 * those that a file must be read for come from iov_config_load(), all others together from
 * iov_platform_new().
 */
#ifndef IOV_CONFIG_PLATFORM_H
#define IOV_CONFIG_PLATFORM_H

#include "core/config/diagnostics.h"
#include "core/config/tree.h"
#include "core/object/model.h"

IOV_BEGIN_DECLS

/* ---- Configuration ---- */

struct iov_config;

/* All fields may be NULL; lists end with NULL. */
struct iov_config_options {
    const char *const *search_path; /* directories for include, strategies, costs: <root>/platforms,
                                       <root>/configs */
    const char *const *sets;        /* "path=value", as from --set; the last one wins */
};

/*
 * Reads a run file with all it includes, its strategy and its costs, applies `sets` and substitutes
 * parameters. NULL if a file cannot be read or has no structure. Other mistakes wait in the result
 * and are reported by iov_platform_new().
 */
IOV_API struct iov_config *iov_config_load(const char *path,
                                           const struct iov_config_options *options,
                                           GError **error);
/* The same for a text, as a program makes one; messages call it `name`. Names of files in it are
 * looked for in the search path. */
IOV_API struct iov_config *iov_config_load_text(const char *name, const char *text,
                                                const struct iov_config_options *options,
                                                GError **error);
IOV_API void iov_config_free(struct iov_config *config); /* accepts NULL */
/* The resolved tree: iov_node_text(iov_config_root(c), "strategy") and the like. Owned by the
 * configuration. */
IOV_API const struct iov_node *iov_config_root(const struct iov_config *config);
/*
 * What `sets` say in vain: parameters that nothing uses, and, once a platform was made, costs that
 * no kind has. No mistake for a program, which may set the same for all of several files; a slip of
 * who sets by hand. Owned by the configuration.
 */
IOV_API const struct iov_diagnostics *iov_config_idle_sets(const struct iov_config *config);
/* The resolved configuration as YAML. It loads, without any other file, as an equal tree. g_free()
 * it. */
IOV_API char *iov_config_write(const struct iov_config *config);
/* Names of the strategies in `<directory>/strategies/` of the search path, sorted; g_strfreev()
 * it. */
IOV_API char **iov_strategy_list(const char *const *search_path);

/* ---- Platform ---- */

struct iov_platform;

/* A constant of the run: one entry of `costs`. Texts are owned by the configuration; "" where
 * nothing is said. */
struct iov_cost_use {
    const char *name;
    const char *text; /* as written: "1300cycles" */
    iov_time value;
    const char *source;
    const char *year;
    const char *hardware;
    const char *confidence;
    const char *note;
    const char *adjusted; /* by what, and its source: "retpolines: msr-01; ..." */
    bool used;            /* a part of the platform was given it */
};

/*
 * Makes, sets, prepares and wires all parts, with a kernel and a measurement of their own. The
 * configuration must outlive the platform.
 */
IOV_API struct iov_platform *iov_platform_new(struct iov_config *config, GError **error);
IOV_API void iov_platform_free(struct iov_platform *platform); /* accepts NULL */
/* Realizes all parts: those that are referred to before those that refer to them, else in the order
 * of declaration. */
IOV_API IOV_MUST_USE bool iov_platform_realize(struct iov_platform *platform, GError **error);
/* Starts all parts in the order of declaration. */
IOV_API void iov_platform_start(struct iov_platform *platform);

/* What all its models share: kernel, measurement, costs, seed. The platform's. */
IOV_API struct iov_run *iov_platform_run(struct iov_platform *platform);
/* Simulated time at which the run ends at the latest (`stop`); IOV_TIME_MAX if the file does not
 * say. */
IOV_API iov_time iov_platform_stop(const struct iov_platform *platform);
/* The parts in the order of declaration (machine, then VM by VM), and one by its path ("vm0/nic"),
 * children included. */
IOV_API unsigned iov_platform_count(const struct iov_platform *platform);
IOV_API IovModel *iov_platform_at(const struct iov_platform *platform, unsigned index);
/* The innermost part that `address` lies in; NULL if there is none. */
IOV_API IovModel *iov_platform_with(const struct iov_platform *platform, const void *address);
IOV_API IovModel *iov_platform_find(const struct iov_platform *platform, const char *path);
/* The entries of `costs` in the order of the file; `used` is true for those that the manifest
 * lists. */
IOV_API unsigned iov_platform_cost_count(const struct iov_platform *platform);
IOV_API const struct iov_cost_use *iov_platform_cost_at(const struct iov_platform *platform,
                                                        unsigned index);

/* ---- One model, and all kinds ---- */

/*
 * Sets properties of a model from YAML text, a mapping such as `{depth: 4, delay: 250ns}`.
 * References cannot be given. For the bench of one model.
 */
IOV_API IOV_MUST_USE bool iov_model_configure(IovModel *model, const char *yaml, GError **error);

/* JSON Schema (draft 2020-12) of run files, from the rows of all kinds; g_free() it. */
IOV_API char *iov_schema_json(void);

IOV_END_DECLS

#endif
