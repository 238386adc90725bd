/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: options with values such as `e1000,addr=4,netdev=n0`, or the same as a JSON
 * object. A comma in a value is written twice. What the options mean is not decided here.
 */
#ifndef IOV_QTEST_OPTIONS_H
#define IOV_QTEST_OPTIONS_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

struct pair {
    char *key;
    char *value; /* "on" where nothing but the key is written */
};

/* The value of one option. */
struct option {
    const char *name; /* "device"; of the table of options */
    char *text;       /* as it was written */
    char *head;       /* what comes first without a key, or NULL */
    GArray *pairs;    /* struct pair, in the order of writing */
};

struct options {
    GPtrArray *list; /* struct option * */
    bool help, version;
};

/* Reads the whole command line. Errors: IOV_ERROR_CONFIG, one line. */
bool options_parse(struct options *options, int argc, char **argv, GError **error);
void options_clear(struct options *options);
/* Text that --help prints: every option that there is. g_free() it. */
char *options_help(void);

/* One value. `name` lives longer than the option. */
struct option *option_new(const char *name, const char *text, GError **error);
/* The same from a JSON object; members of objects in it get names such as `local.path`. */
struct option *option_from_json(const char *name, JsonObject *object, GError **error);
void option_free(void *option); /* accepts NULL */
/* The last value of a key, or NULL. `head` under this name counts first: option_get(o,
 * "driver"). */
const char *option_get(const struct option *option, const char *key);
/* The last option of a name, or NULL. */
const struct option *options_last(const struct options *options, const char *name);
/* on, yes, true, 1 / off, no, false, 0 */
bool option_boolean(const char *text, bool *ret_value);
/* "256", "256M", "1G": bytes; `unit` is what a bare number counts. */
bool option_size(const char *text, guint64 unit, guint64 *ret_bytes);

#endif
