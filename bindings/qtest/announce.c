/* SPDX-License-Identifier: Apache-2.0 */
/* RARP frames of all network devices in rounds. SPEC: RFC 903 (a request for one's own protocol
 * address). */
#include "bindings/qtest/announce.h"
#include "core/net/address.h"

#include <stdio.h>
#include <string.h>

#define FRAME_SIZE 60

struct announce {
    struct session *session;
    struct iov_event event;
    struct announcement what;
    guint64 interval; /* ms */
};

static void frame_write(guint8 *frame, const guint8 *mac)
{
    static const guint8 head[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };

    memset(frame, 0, FRAME_SIZE);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, head, sizeof head);
    memcpy(frame + 22, mac, 6); /* the sender's hardware address, and the target's */
    memcpy(frame + 32, mac, 6);
}

static void announce_device(const struct announce *self, const struct device *device)
{
    IovModel *model = machine_model(self->session->machine, device);
    g_autofree char *text = NULL;
    guint8 mac[6], frame[FRAME_SIZE];

    if (device->netdev == NULL || model == NULL || iov_model_find_property(model, "mac") == NULL)
        return;
    g_object_get(model, "mac", &text, NULL);
    if (text == NULL || !iov_net_address_parse(text, mac))
        return;
    frame_write(frame, mac);
    netdevs_send(self->session->netdevs, device->netdev, frame, sizeof frame);
}

static void on_round(struct iov_event *event)
{
    struct announce *self = iov_container_of(event, struct announce, event);
    const GPtrArray *devices = self->session->machine->devices;

    for (guint i = 0; i < devices->len; i++)
        announce_device(self, g_ptr_array_index(devices, i));
    if (--self->what.rounds == 0)
        return;
    iov_event_in(&self->event, self->interval * IOV_MS);
    self->interval = MIN(self->interval + self->what.step, self->what.max);
}

struct announce *announce_new(struct session *session)
{
    struct announce *self = g_new0(struct announce, 1);

    self->session = session;
    iov_event_init(&self->event, session->machine->kernel, on_round, IOV_PRIORITY_DEFAULT);
    return self;
}

void announce_free(struct announce *self)
{
    if (self != NULL)
        iov_event_disarm(&self->event);
    g_free(self);
}

void announce_begin(struct announce *self, const struct announcement *what)
{
    const guint64 longest = 3600 * 1000; /* ms: keeps arithmetic far from its limits */

    iov_event_disarm(&self->event);
    self->what = *what;
    self->what.max = MIN(what->max, longest);
    self->what.step = MIN(what->step, longest);
    self->interval = MIN(what->initial, self->what.max);
    if (what->rounds > 0)
        iov_event_in(&self->event, 0);
}
