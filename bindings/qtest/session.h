/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One machine and those who drive it: the line protocol, QMP, interrupt lines that are watched,
 * network peers. Nothing here waits or reads a socket: text goes in, text comes out, so that a test
 * or a fuzzer can be the outside as well.
 */
#ifndef IOV_QTEST_SESSION_H
#define IOV_QTEST_SESSION_H

#include "bindings/qtest/machine.h"

struct intercept;
struct netdevs;

struct session {
    struct machine *machine;
    struct intercept *intercept;
    struct netdevs *netdevs;
    struct announce *announce;
    GString *lines;    /* answers of the line protocol and IRQ lines, to be sent */
    GString *messages; /* of QMP, to be sent */
    bool negotiated;   /* qmp_capabilities was said */
    bool stopped;
    bool quit;
};

/* Makes the machine and all around it. Errors: one line. */
struct session *session_new(const struct options *options, GError **error);
void session_free(struct session *session); /* accepts NULL */

/* Does what software asked the machine for: a reset, or to sleep; tells it. After each command. */
void session_attend(struct session *session);

/* ---- line.c ---- */

/* Does one command; its answer, and IRQ lines before it, are appended to session->lines. */
void line_execute(struct session *session, const char *line);

/* ---- intercept.c ---- */

struct intercept *intercept_new(struct session *session);
void intercept_free(struct intercept *intercept);
/* Watches the inputs or outputs of a part: NULL, or why it cannot be. */
const char *intercept_begin(struct intercept *intercept, const char *path, bool outputs);

/* ---- qmp.c ---- */

/* Says hello. */
void qmp_greet(struct session *session);
/* Takes the objects that are complete out of what was received and does them. */
void qmp_receive(struct session *session, GString *input);
/* Tells an event; takes `data`, which may be NULL. */
void qmp_event(struct session *session, const char *name, JsonObject *data);

/* ---- monitor.c ---- */

/* A line of the human monitor; returns what it prints. g_free() it. */
char *monitor_execute(struct session *session, const char *line);

/* ---- network.c ---- */

struct netdevs *netdevs_new(const struct options *options, GError **error);
void netdevs_free(struct netdevs *netdevs);
bool netdevs_add(struct netdevs *netdevs, const struct option *option, GError **error);
bool netdevs_remove(struct netdevs *netdevs, const char *id, GError **error);
/* Joins a device's packet port to the peer that it names. */
bool netdevs_join(struct netdevs *netdevs, struct machine *machine, const struct device *device,
                  GError **error);
void netdevs_leave(struct netdevs *netdevs, const struct device *device);
/* File descriptors to be waited for are appended to `polls` (struct pollfd). */
void netdevs_poll(const struct netdevs *netdevs, GArray *polls);
/* Takes what has come in to the devices. */
void netdevs_receive(struct netdevs *netdevs, struct machine *machine);
/* Sends a frame as if the device had sent it. */
void netdevs_send(struct netdevs *netdevs, const char *id, const guint8 *bytes, gsize size);

#endif
