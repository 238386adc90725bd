/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture: pcap-source refuses it with an error that names the file, or plays it.
 * What it plays are frames that fit on the wire, at times that never go back, as many as it says.
 * The first byte chooses pace, repetition and addressing.
 */
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/object/model.h"
#include "core/port/packet.h"

#define PLAYED_MAX 4096 /* events: with `repeat` 0 it never ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The receiver at the other end of the cable. */
struct receiver {
    struct iov_packet_port port;
    struct iov_kernel *kernel;
    iov_time last;
    uint64_t frames;
};

static iov_time receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct receiver *self = iov_container_of(port, struct receiver, port);

    g_assert(packet->size >= ETHERNET_MIN && packet->size <= ETHERNET_MAX + ETHERNET_VLAN_TAG);
    g_assert(iov_now(self->kernel) >= self->last);
    self->last = iov_now(self->kernel);
    self->frames++;
    iov_packet_free(packet);
    return 100 * IOV_NS;
}

static const struct iov_packet_ops receiver_ops = { .receive = receive };

/* A datagram, which the source waits for. */
static void begin(struct receiver *receiver, struct iov_packet_pool *pool)
{
    struct iov_packet *packet = iov_packet_new(pool, ETHERNET_MIN);

    memset(packet->data, 0, packet->size);
    iov_net_put16(packet->data + ETHERNET_TYPE, ETHERNET_TYPE_IPV4);
    packet->data[ETHERNET_HEADER] = 0x45;
    packet->data[ETHERNET_HEADER + IPV4_PROTOCOL] = IPV4_PROTOCOL_UDP;
    iov_packet_send(&receiver->port, packet);
}

static uint64_t sent_by(IovModel *source)
{
    const GArray *rows = IOV_MODEL_GET_CLASS(source)->info->stats;

    return G_STRUCT_MEMBER(uint64_t, source, g_array_index(rows, struct iov_stat, 0).offset);
}

static void play(IovModel *source, struct receiver *receiver)
{
    struct iov_packet_pool *pool = iov_packet_pool_new();

    receiver->port.peer = iov_model_port(source, "wire", 0);
    receiver->port.peer->peer = &receiver->port;
    iov_model_start(source);
    begin(receiver, pool);
    for (unsigned i = 0; i < PLAYED_MAX && iov_kernel_step(receiver->kernel); i++)
        continue;
    g_assert(receiver->frames == sent_by(source)); /* its first row: frames-sent */
    iov_packet_pool_unref(pool, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t scales[] = { 100, 0, 1, 1000000 };
    uint8_t options = size > 0 ? data[0] : 0;
    g_autofree char *path = g_strdup_printf("%s/iov-fuzz-%d.pcap", g_get_tmp_dir(), (int)getpid());
    struct iov_run run = { .kernel = iov_kernel_new(), .seed = 1 };
    struct receiver receiver = { .port.ops = &receiver_ops, .kernel = run.kernel };
    IovModel *source = iov_model_new("pcap-source", "source", &run, NULL);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents_full(path, (const char *)data + (size > 0),
                                  (gssize)(size - (size > 0)), G_FILE_SET_CONTENTS_NONE, 0600,
                                  NULL))
        abort();
    iov_model_set_string(source, "file", path, NULL);
    iov_model_set_number(source, "time-scale", scales[options & 3], NULL);
    iov_model_set_number(source, "repeat", options >> 2 & 3, NULL);
    iov_model_set_number(source, "address-to-sender", options >> 4 & 1, NULL);
    if (!iov_model_prepare(source, NULL))
        abort();
    if (iov_model_realize(source, &error)) {
        play(source, &receiver);
        iov_model_unrealize(source);
    } else {
        g_assert(error != NULL && strstr(error->message, path) != NULL);
    }
    g_object_unref(source);
    iov_kernel_free(run.kernel);
    g_unlink(path);
    return 0;
}
