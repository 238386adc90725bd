/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio functions of one card: each guest has its own rings, doorbells, vectors and memory, and
 * all share the link, the wire and the switch in the card. */
#include "core/net/ethernet-regs.h"
#include "tests/platforms/platform.h"

static void *port_of(const struct iov_experiment *run, const char *path, const char *port)
{
    return iov_model_port(iov_platform_find(iov_experiment_platform(run), path), port, 0);
}

Test(vdpa, nobody_exits_for_an_access_or_an_interrupt_however_many_guests_there_are)
{
    static const unsigned counts[] = { 1, 2, 16, 60 };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *list = vms(counts[i]);
        struct iov_experiment *run =
            RUN("net-rr.yaml", "strategy=vdpa", list, "workload.operations=100");
        const struct iov_counters *counters = counters_of(run);

        cr_assert(le(u64, 100 * counts[i], iov_experiment_measure(run)->operations));
        cr_assert(eq(u64, counters->device_exits, 0), "%u", counts[i]);
        cr_assert(eq(u64, counters->user_exits, 0), "%u", counts[i]);
        cr_assert_about(per_op(run, counters->kicks), 1);
        cr_assert_about(per_op(run, counters->interrupts), 2);
        for (unsigned j = 0; j < counts[i]; j++) {
            g_autofree char *vfio = g_strdup_printf("vm%u/vdpa", j);

            cr_assert(eq(u64, stat_of(run, vfio, "interrupts"), 0)); /* all are posted */
        }
        check_own_answers(run, counts[i]);
        cr_assert(eq(u64, stat_of(run, "card", "spoofed"), 0));
        cr_assert(eq(u64, stat_of(run, "card", "frames-filtered"), 0));
        iov_experiment_free(run);
    }
}

Test(vdpa, without_posting_each_function_has_vectors_of_its_own)
{
    g_autofree char *four = vms(4);
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=vdpa", four,
                                     "parameters.interrupt-posting=off", "workload.operations=200");

    for (unsigned i = 0; i < 4; i++) {
        g_autofree char *vfio = g_strdup_printf("vm%u/vdpa", i);

        cr_assert(lt(u64, 0, stat_of(run, vfio, "interrupts")));
    }
    check_own_answers(run, 4);
    iov_experiment_free(run);
}

/* One alone does not: its engine asks for the next frame when the wire has taken the last. */
Test(vdpa, functions_fill_the_link_together_and_share_it_evenly)
{
    static const unsigned counts[] = { 2, 8, 60 };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *list = vms(counts[i]);
        g_autofree char *operations = g_strdup_printf("workload.operations=%u", 12000 / counts[i]);
        struct iov_experiment *run =
            RUN("udp-stream.yaml", "strategy=vdpa", "parts.wire.rate=1Gbps", list, operations,
                "workload.warmup=50");
        double rate = wire_bits_per_second(run);

        cr_assert(lt(dbl, 0.98e9, rate), "%u: %.4g bit/s", counts[i], rate);
        cr_assert(le(dbl, rate, 1.002e9), "%u: %.4g bit/s", counts[i], rate);
        cr_assert(lt(u32, 990000, iov_measure_fairness(iov_experiment_measure(run))));
        cr_assert(eq(u64, counters_of(run)->device_exits, 0));
        cr_assert(eq(u64, stat_of(run, "wire", "drops"), 0));
        iov_experiment_free(run);
    }
}

Test(vdpa, the_card_loses_nothing_when_all_send_large_segments_at_once)
{
    g_autofree char *sixty = vms(60);
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "strategy=vdpa", sixty, "include=machines/skylake-1s-16.yaml",
            "guest.tso=on", "workload.write=64KiB", "workload.operations=20", "workload.warmup=5");

    cr_assert(lt(u64, 0, stat_of(run, "vm0/nic", "tx-segments")));
    cr_assert(eq(u64, stat_of(run, "wire", "drops"), 0));
    iov_experiment_free(run);
}

Test(vdpa, there_are_no_more_functions_than_the_card_has_places_for)
{
    g_autofree char *many = vms(65);

    REFUSED("net-rr.yaml", "port 'functions' has 64 places", "strategy=vdpa", many);
}

Test(vdpa, a_device_without_a_slot_or_an_address_cannot_be_given_away)
{
    REFUSED("net-rr.yaml", "device: 'vm0/emulator' is in no slot", "strategy=vdpa",
            "parts.vdpa.device=emulator");
    REFUSED("net-rr.yaml", "BAR 4 of 'vm0/nic' has no address", "strategy=vdpa",
            "parts.pci.firmware=off");
}

Test(vdpa, who_emulates_registers_reaches_those_of_its_own_function_and_no_others)
{
    struct iov_experiment *run =
        OPEN("net-rr.yaml", "strategy=vdpa",
             "vms=[{ name: vm0 }, { name: vm1, parts: { nic: { queue-pairs: 2 } } }]");
    static const uint64_t size = 0x4000; /* of the BAR; the other's is right behind */

    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *vfio = g_strdup_printf("vm%u/vdpa", i);
        struct iov_mem_target *port = port_of(run, vfio, "registers");
        uint16_t queues = 0;
        struct iov_mem_req req = { .address = 0x12, /* num_queues of the common registers */
                                   .data = &queues,
                                   .size = sizeof queues,
                                   .pasid = IOV_NO_PASID,
                                   .flags = IOV_MEM_DEBUG };

        cr_assert(eq(int, (int)port->ops->read(port, &req), IOV_STATUS_OK));
        cr_assert(eq(u16, queues, (uint16_t)(i == 0 ? 3 : 5)));
        req.address = size + 0x12;
        cr_assert(eq(int, (int)port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
        req.address = UINT64_MAX;
        cr_assert(eq(int, (int)port->ops->write(port, &req), IOV_STATUS_UNSUPPORTED));
    }
    iov_experiment_free(run);
}

/* A write as the function of a guest would make it. */
static enum iov_status dma_write(const struct iov_experiment *run, const char *nic,
                                 uint16_t requester, uint64_t address, uint64_t value)
{
    struct iov_mem_req req = { .address = address,
                               .data = &value,
                               .size = sizeof value,
                               .requester = requester,
                               .pasid = IOV_NO_PASID };

    return iov_mem_write_req(port_of(run, nic, "dma"), &req);
}

static uint64_t memory_read(const struct iov_experiment *run, const char *vm, uint64_t address)
{
    struct iov_mem_target *ram = port_of(run, vm, "ram");
    uint64_t value = 0;
    struct iov_mem_req req = { .address = address,
                               .data = &value,
                               .size = sizeof value,
                               .pasid = IOV_NO_PASID,
                               .flags = IOV_MEM_DEBUG };

    cr_assert(eq(int, (int)ram->ops->read(ram, &req), IOV_STATUS_OK));
    return value;
}

Test(vdpa, a_function_reaches_the_memory_of_its_own_guest_and_nothing_else)
{
    const uint64_t size = UINT64_C(1) << 30, free_page = size - 4096;
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=vdpa", "vms=[{ name: vm, count: 3 }]",
                                     "workload.operations=100");
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;
    uint64_t blocked = stat_of(run, "iommu", "blocked");

    cr_assert(eq(u64, blocked, 0));
    /* The same address of each is memory of each. */
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *nic = g_strdup_printf("vm%u/nic", i);

        cr_assert(eq(int, (int)dma_write(run, nic, (uint16_t)(0x0100 + i), free_page, i + 1),
                     IOV_STATUS_OK));
    }
    iov_kernel_run_until(kernel, iov_now(kernel) + 10 * IOV_US); /* until they have landed */
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *vm = g_strdup_printf("vm%u", i);

        cr_assert(eq(u64, memory_read(run, vm, free_page), i + 1));
    }
    /* Outside of it there is nothing, though the host has memory there, and others' guests. */
    for (unsigned i = 1; i < 64; i++)
        cr_assert(eq(int, (int)dma_write(run, "vm1/nic", 0x0101, size * i, 5), IOV_STATUS_FAULT));
    iov_kernel_run_until(kernel, iov_now(kernel) + 10 * IOV_US);
    cr_assert(eq(u64, stat_of(run, "iommu", "blocked") - blocked, 63));
    cr_assert(eq(u64, memory_read(run, "vm0", free_page), 1));
    cr_assert(eq(u64, memory_read(run, "vm2", free_page), 3));
    iov_experiment_free(run);
}

/* A frame of 60 bytes from one guest's device, as if its driver had sent it. */
static void frame_send(const struct iov_experiment *run, const char *from, const uint8_t *source,
                       const uint8_t *destination)
{
    struct iov_packet_pool *pool = iov_packet_pool_new();
    struct iov_packet *packet = iov_packet_new(pool, ETHERNET_MIN);

    memset(packet->data, 0, packet->size);
    memcpy(packet->data, destination, ETHERNET_ADDRESS);
    memcpy(packet->data + ETHERNET_SOURCE, source, ETHERNET_ADDRESS);
    iov_packet_send(port_of(run, from, "wire"), packet);
    iov_packet_pool_unref(pool, NULL);
}

Test(vdpa, a_frame_for_another_guest_goes_to_it_inside_the_card)
{
    struct iov_experiment *run = OPEN("idle.yaml", "strategy=vdpa", "vms=[{ name: vm, count: 3 }]");
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;
    uint8_t mac[3][ETHERNET_ADDRESS];
    uint64_t before[3];

    iov_platform_start(iov_experiment_platform(run));
    iov_kernel_run_until(kernel, 500 * IOV_MS); /* the drivers are there by then */
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *nic = g_strdup_printf("vm%u/nic", i);
        struct iov_packet_port *port = port_of(run, nic, "wire");

        cr_assert(port->ops->station(port, mac[i]));
        before[i] = stat_of(run, nic, "rx-frames");
    }
    frame_send(run, "vm0/nic", mac[0], mac[2]);
    frame_send(run, "vm0/nic", mac[1], mac[2]); /* as another: no */
    iov_kernel_run_until(kernel, iov_now(kernel) + IOV_MS);
    cr_assert(eq(u64, stat_of(run, "vm1/nic", "rx-frames"), before[1]));
    cr_assert(eq(u64, stat_of(run, "vm2/nic", "rx-frames"), before[2] + 1));
    cr_assert(eq(u64, stat_of(run, "card", "frames-local"), 1));
    cr_assert(eq(u64, stat_of(run, "card", "spoofed"), 1));
    iov_experiment_free(run);
}
