/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcached - a server in the guest. The clients are at the far end (a peer of role `clients`):
 * their requests arrive when they arrive, over many connections; each wants so many bytes back, or
 * brings them. One request is served after the other. They are measured by who asks: from the
 * request's sending to its answer's return at the far end; this end only says how many are wanted.
 *
 * LIMIT: one thread, one socket, UDP; the store is a cost, nothing is kept.
 */
#include "core/net/internet.h"
#include "core/net/service-regs.h"
#include "models/guest/guest-private.h"

G_DECLARE_FINAL_TYPE(IovMemcached, iov_memcached, IOV, MEMCACHED, IovWorkload)

struct _IovMemcached {
    IovWorkload parent_instance;
    iov_time service;         /* cost */
    uint64_t gets, sets, bad; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovMemcached, iov_memcached, IOV_TYPE_WORKLOAD)

static void tell_clients(const IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    uint8_t hello[SERVICE_HELLO_SIZE];

    iov_net_put32(hello + SERVICE_HELLO_MAGIC, SERVICE_HELLO);
    iov_net_put32(hello + SERVICE_HELLO_GUEST, workload->guest);
    iov_net_put32(hello + SERVICE_HELLO_OPERATIONS, (uint32_t)workload->operations);
    iov_net_put32(hello + SERVICE_HELLO_WARMUP, (uint32_t)workload->warmup);
    iov_guest_work_for(cpu, NULL);
    iov_guest_send_udp(cpu, hello, sizeof hello, NULL);
}

/* The answer takes the place of the request. What it says came over the wire and may be
 * anything. */
static void serve(IovMemcached *self, struct iov_guest_cpu *cpu, uint8_t *data, uint32_t size,
                  struct iov_span *span)
{
    uint32_t answer = size >= SERVICE_HEADER ? iov_net_get16(data + SERVICE_ANSWER) : 0;

    iov_guest_charge(cpu, self->service);
    if (answer < SERVICE_HEADER || answer > IOV_GUEST_PAYLOAD_MAX) {
        self->bad++;
        iov_guest_work_for(cpu, NULL);
        return;
    }
    if (iov_net_get16(data + SERVICE_VERB) == SERVICE_VERB_SET)
        self->sets++;
    else
        self->gets++;
    iov_guest_send_udp(cpu, data, answer, span);
    iov_guest_work_for(cpu, NULL);
}

static void memcached_run(IovWorkload *workload, struct iov_guest_cpu *cpu)
{
    IovMemcached *self = (IovMemcached *)(void *)workload;
    uint8_t data[IOV_GUEST_PAYLOAD_MAX] = { 0 };
    struct iov_span *span;
    uint32_t size;

    tell_clients(workload, cpu);
    for (;;) { /* the far end ends the run */
        if (iov_guest_receive(cpu, iov_guest_now(cpu) + workload->timeout, data, sizeof data, &size,
                              &span))
            serve(self, cpu, data, size, span);
        else
            tell_clients(workload, cpu); /* it did not hear the first time, or asks seldom */
    }
}

static enum iov_service iov_memcached_needs(const IovModel *model)
{
    (void)model;
    return IOV_SERVICE_CLIENTS;
}

static void iov_memcached_class_init(IovMemcachedClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    mc->needs = iov_memcached_needs;
    IOV_WORKLOAD_CLASS(klass)->run = memcached_run;
    IOV_WORKLOAD_CLASS(klass)->needs_network = true;
    iov_model_class_describe(mc, "memcached", "A server that clients at the far end ask");
    IOV_COST(mc, IovMemcached, service, "guest-memcached", "One request in the server's program");
    IOV_STAT(mc, IovMemcached, gets, "Requests for a value");
    IOV_STAT(mc, IovMemcached, sets, "Requests that brought a value");
    IOV_STAT(mc, IovMemcached, bad, "Requests that made no sense");
}

static void iov_memcached_init(IovMemcached *self)
{
    (void)self;
}
