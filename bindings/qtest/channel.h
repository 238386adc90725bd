/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to the program outside: a unix socket that we connect to, or standard input and
 * output. Reads and writes never block; what cannot be written yet waits.
 */
#ifndef IOV_QTEST_CHANNEL_H
#define IOV_QTEST_CHANNEL_H

#include <glib.h>
#include <stdbool.h>

struct channel {
    int in, out;    /* file descriptors, -1: none; the same one for a socket */
    GString *input; /* received and not taken yet */
    gsize searched; /* so much of it holds no end of line */
    GString *output;
    bool closed; /* the other side has gone: nothing more will come */
};

/* Connects to the unix socket `path`, or takes standard input and output if it is NULL. */
bool channel_open(struct channel *channel, const char *path, GError **error);
void channel_close(struct channel *channel); /* accepts one that was never opened, of zeros */
bool channel_is_open(const struct channel *channel);
/* Receives what is there. */
void channel_receive(struct channel *channel);
/* Sends what can be sent now. */
void channel_send(struct channel *channel);
/* The next line without its end, or NULL. g_free() it. */
char *channel_take_line(struct channel *channel);

#endif
