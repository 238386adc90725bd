/* SPDX-License-Identifier: Apache-2.0 */
/* One machine and all around it: made together, freed in the order that their references want. */
#include "bindings/qtest/session.h"

#include "bindings/qtest/announce.h"

static bool join_peers(struct session *session, GError **error)
{
    const GPtrArray *devices = session->machine->devices;

    for (guint i = 0; i < devices->len; i++) {
        const struct device *device = g_ptr_array_index(devices, i);

        if (!machine_join_drive(session->machine, device, error) ||
            !netdevs_join(session->netdevs, session->machine, device, error)) {
            g_prefix_error(error, "-device %s: ", device->row->name);
            return false;
        }
    }
    return true;
}

struct session *session_new(const struct options *options, GError **error)
{
    struct session *session = g_new0(struct session, 1);

    session->lines = g_string_new(NULL);
    session->messages = g_string_new(NULL);
    session->stopped = options_last(options, "S") != NULL;
    session->netdevs = netdevs_new(options, error);
    if (session->netdevs != NULL)
        session->machine = machine_new(options, error);
    if (session->machine == NULL || !join_peers(session, error) ||
        !machine_start(session->machine, error)) {
        session_free(session);
        return NULL;
    }
    session->intercept = intercept_new(session);
    session->announce = announce_new(session);
    return session;
}

static JsonObject *by_guest(const char *reason)
{
    JsonObject *data = json_object_new();

    json_object_set_boolean_member(data, "guest", TRUE);
    json_object_set_string_member(data, "reason", reason);
    return data;
}

void session_attend(struct session *session)
{
    struct machine *machine = session->machine;

    if (machine->reset_wanted) {
        machine_reset(machine);
        qmp_event(session, "RESET", by_guest("guest-reset"));
    }
    if (machine->sleep_wanted) {
        machine->sleep_wanted = false;
        qmp_event(session, "SHUTDOWN", by_guest("guest-shutdown"));
    }
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    announce_free(session->announce);
    netdevs_free(session->netdevs);
    machine_free(session->machine);
    intercept_free(session->intercept);
    g_string_free(session->lines, TRUE);
    g_string_free(session->messages, TRUE);
    g_free(session);
}
